/* october_play.h - October 2018 over the public API of a daemon that runs, with an emulator of the wallets behind it.
 *
 * What each person has before the script begins: an account with a password, today also an app and recovery codes; a linked
 * wallet, signed at the emulator. (Nothing links without a step, not even in 2018's world: there the recovery codes that did it
 * are removed afterwards.) Then the script: the thief has the password and a browser of his own, nothing else,
 * and a store that forwards whatever that browser wants to buy; the owner has her app. At the end the ledger and the
 * emulator's journal are asked what was taken.
 *
 * The acts come one after the other without the seconds in between: charges carry no time of their own, so that a script of
 * nine minutes takes less than one; today's limits are by day and month, which makes that the same.
 */
#ifndef SIM_OCTOBER_PLAY_H
#define SIM_OCTOBER_PLAY_H
#include "sim/october.h"
#include "sim/shop.h"

struct october_site {
    struct person_site people;
    const char *emulator;    /* URL */
    const char *store_key;   /* API key of the role store */
    const char *admin_key;   /* of the role admin, for the ledger */
    int64_t (*now_us)(void); /* monotonic */
};
/* Plays all persons in one world, and counts. KEER_EIO: the world is not as it should be, `ret_why` says what; what a thief
 * is refused is no error. */
KEER_NODISCARD enum keer_err october_play(const struct october_site *site, enum october_world world, struct october *o,
                                          char ret_why[PERSON_WHY_BYTES]);
#endif
