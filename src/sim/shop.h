/* shop.h - a store as the API's caller: links wallets, charges them, confirms, spends balance; and the books afterwards.
 *
 *     shop_link ─► (the person's step) ─► the wallet's page ─► active
 *     shop_charge ─► needs_step ─► (the person's step, or none) ─► shop_confirm ─► shop_settle ─► paid, refused, ...
 *
 * The store is as careless as those of 2018: it forwards what a browser wants to buy, whoever sits before it.
 *
 * Invariants
 * 1. Every order has an id of its own; an order is sent once.
 * 2. What the daemon says stands in shop.a until the next call; what is not understood is KEER_EIO with `why`.
 */
#ifndef SIM_SHOP_H
#define SIM_SHOP_H
#include "sim/person.h"

#define SHOP_PAYEE "Magic Stones Ltd"
struct shop { /* starts with shop_open */
    const struct person_site *people;
    const char *emulator;    /* URL of the wallets' */
    int64_t (*now_us)(void); /* monotonic */
    struct talker store, admin;
    struct talk a;
    char mark[24]; /* tells ids of this run from those of others on the same daemon */
    unsigned serial;
};
void shop_open(struct shop *s, const struct person_site *people, const char *emulator, const char *store_key,
               const char *admin_key, int64_t (*now_us)(void));
void shop_release(struct shop *s);

struct shop_link {
    const char *wallet, *device;
    bool boundless; /* without caps, as it was */
};
/* Links a wallet to the person's account, who answers the step with a recovery code in her own browser, and signs at the
 * wallet. */
KEER_NODISCARD enum keer_err shop_link(struct shop *s, struct person *p, const struct shop_link *l,
                                       char ret_why[PERSON_WHY_BYTES]);
enum shop_kind { SHOP_PURCHASE, SHOP_TOP_UP, SHOP_SPEND };
struct shop_order {
    enum shop_kind kind;
    int64_t minor;                                             /* CNY */
    const char *device, *ip, *user_agent, *item, *beneficiary; /* beneficiary may be "" */
};
#define SHOP_ID_BYTES 64
/* Sends it: s->a has {id, state, challenge?}; ret_id is the daemon's, "" when it was refused with a problem. */
KEER_NODISCARD enum keer_err shop_charge(struct shop *s, const struct person *p, const struct shop_order *o,
                                         char ret_id[SHOP_ID_BYTES]);
/* Again, after a step was done, or not; and until the wallet's answer is known. */
KEER_NODISCARD enum keer_err shop_confirm(struct shop *s, const char *id);
KEER_NODISCARD enum keer_err shop_settle(struct shop *s, const char *id);
/* Until no top-up of the account is held any more: where holds are short. */
KEER_NODISCARD enum keer_err shop_wait_balance(struct shop *s, const struct person *p);
bool shop_is(const struct shop *s, const char *state);

/* What the agreement's charges have left on the account of what the wallet owes; and what the wallet's journal says was paid
 * on it (nothing is given back here). */
KEER_NODISCARD enum keer_err shop_ledger(struct shop *s, const struct person *p, int64_t *ret_minor,
                                         char ret_why[PERSON_WHY_BYTES]);
KEER_NODISCARD enum keer_err shop_journal(struct shop *s, const struct person *p, int64_t *ret_minor,
                                          char ret_why[PERSON_WHY_BYTES]);
/* "what: CODE (detail)" of an answer. KEER_EIO. */
KEER_NODISCARD enum keer_err shop_problem(const struct talk *a, const char *what, char ret_why[PERSON_WHY_BYTES]);
#endif
