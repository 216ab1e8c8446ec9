/* attackers.h - the most that a thief can take, by what he holds: each of his ways is played over the public API.
 *
 * A way is a lower bound of what he can take, since another may be better; the exhaustive model of tests/sim is the upper
 * one, of the rules alone. They must say the same (docs/reference/loss-bound.md).
 *
 * Invariants
 * 1. What he holds is all that he uses of the victim: a password, a mailbox, one code, cookies, a device. The store forwards
 *    whatever he asks for. The victim never objects, whatever she is told: the worst case.
 * 2. What was taken is what the wallet's journal says was paid, in the calendar day in which he could begin.
 * 3. Waits are played with a daemon whose waits are short; `waits` says how long they are by default.
 */
#ifndef SIM_ATTACKERS_H
#define SIM_ATTACKERS_H
#include "sim/october_play.h"

enum attacker {
#define ATTACKER(name, holds) ATTACKER_##name,
#include "sim/attackers.def"
    ATTACKER_MAX
};
const char *attacker_holds(enum attacker attacker);

#define ATTACK_WAYS_MAX 32
#define ATTACK_STOPPED_BYTES 160
struct attack_result {
    enum attacker attacker;
    const char *does, *waits;
    bool played;
    int64_t taken_minor;   /* from the wallet */
    int64_t balance_minor; /* of what she had topped up before */
    bool raised;           /* the caps were raised first: those that the wallet was told when it was linked are left */
    char stopped[ATTACK_STOPPED_BYTES]; /* where he was refused, or met a step that he could not do; "" : nowhere */
};
struct attackers {
    struct attack_result ways[ATTACK_WAYS_MAX];
    unsigned count;
};
/* Plays every way. KEER_EIO with words when the world is not as it should be. */
KEER_NODISCARD enum keer_err attackers_play(const struct october_site *site, struct attackers *ret,
                                            char ret_why[PERSON_WHY_BYTES]);
/* The best way of an attacker: the one that took most, the earliest of equals. */
const struct attack_result *attackers_best(const struct attackers *a, enum attacker attacker);
/* Whether what must be zero is: the password alone, and a session's cookies. */
bool attackers_hold(const struct attackers *a, struct buf *ret_why);
void attackers_print(const struct attackers *a, bool color, struct buf *b);
void attackers_json(const struct attackers *a, struct buf *b);
/* The table of docs/reference/loss-bound.md. */
void attackers_markdown(const struct attackers *a, struct buf *b);
#endif
