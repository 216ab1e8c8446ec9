/* balance.h - what customers have topped up: held for a while, then theirs to spend.
 *
 *     a top-up is PAID ─► held ── balance_release_due (its hold is over) ─► balance ── spend_take ─► spent
 *                          └── refund.h: what is held, or in the balance still, can go back
 *     spend_add ─► CREATED ─┬─ spend_take ─► DONE
 *                           ├─ spend_wait ─► NEEDS_STEP (a challenge was opened; asked again when it is done) ─► the others
 *                           └─ spend_take, spend_refuse ─► REFUSED
 *
 * Invariants
 * 1. The money is the ledger's (books.h); a row here says until when a top-up is held, and how much of it still is.
 * 2. What is held can't be spent: a thief who tops up with what he has stolen, and drains it, waits (--top-up-hold).
 * 3. One id of the caller's is one spend for ever, as with charges. A spend is one transfer: nothing is pending.
 */
#ifndef WALLET_BALANCE_H
#define WALLET_BALANCE_H
#include "wallet/charge.h"

struct balance_hold_row {
    struct id charge;
    int64_t amount_minor, until_us;
    enum currency currency;
};
/* Those of an account that are still held, the first to end first. Any connection. */
#define BALANCE_HOLDS_MAX 100
KEER_NODISCARD enum keer_err balance_holds(struct db *db, const struct id *account, struct balance_hold_row *room,
                                           unsigned *ret_count);
/* Whether there are any that are over: 0 or 1. Any connection. */
KEER_NODISCARD enum keer_err balance_due(struct db *db, int64_t now_us, unsigned *ret_count);
/* Releases at most `max` that are over: how many. */
KEER_NODISCARD enum keer_err balance_release_due(struct db *db, int64_t now_us, unsigned max, unsigned *ret_count);

struct balance {
    enum currency currency;
    int64_t available_minor, held_minor; /* less what is reserved for refunds */
};
/* In each currency that was ever topped up. Any connection. */
#define BALANCES_MAX 32
KEER_NODISCARD enum keer_err balances(struct db *db, const struct id *account, struct balance *room, unsigned *ret_count);

enum spend_state { SPEND_CREATED, SPEND_NEEDS_STEP, SPEND_DONE, SPEND_REFUSED, SPEND_STATE_MAX };
const char *spend_state_name(enum spend_state state);
struct spend {
    struct id id, account;
    char key[LIMIT_NAME_BYTES + 1], client[LIMIT_NAME_BYTES + 1];
    struct crypto_hash body;
    int64_t amount_minor, at_us;
    enum currency currency;
    enum spend_state state;
    char why[WALLET_WHY_BYTES + 1]; /* code of charge_whys.def */
};
/* key, client, account, body, amount and currency of *s are the caller's. The row as it stands: KEER_ECONFLICT for a key
 * that was used for something else, KEER_EINVALID, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err spend_add(struct db *db, int64_t now_us, struct spend *s, bool *ret_new);
KEER_NODISCARD enum keer_err spend_read(struct db *db, const struct id *spend, struct spend *ret);
/* Out of the balance, or REFUSED (not_enough). KEER_EMISSING when it has ended. */
KEER_NODISCARD enum keer_err spend_take(struct db *db, int64_t now_us, struct spend *s);
KEER_NODISCARD enum keer_err spend_wait(struct db *db, struct spend *s);
KEER_NODISCARD enum keer_err spend_refuse(struct db *db, enum charge_why why, struct spend *s);
#endif
