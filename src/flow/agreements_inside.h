/* agreements_inside.h - between agreements.c, which is asked, and agreements_wallet.c, which asks wallets. */
#ifndef FLOW_AGREEMENTS_INSIDE_H
#define FLOW_AGREEMENTS_INSIDE_H
#include "flow/agreements.h"

static inline const struct crypto_hash *agreements_key(const struct agreements *g) { return &g->steps->accounts->key; }

/* What events call an account: a store's own name of it, where it has one. */
struct agreements_name {
    char text[IDENTIFIER_BYTES + 1];
};
KEER_NODISCARD enum keer_err agreements_account_name(struct db *db, const struct id *account, struct agreements_name *ret);

/* An agreement that somebody may see, read at the desk with its references (the caller wipes them), its account's name, and
 * whether its wallets are held. */
struct agreements_case {
    const struct agreements *g;
    const struct agreements_who *who;
    const struct id *id;
    int64_t now_us;
    struct agreement a;
    struct agreements_name name;
    struct account_hold hold;
};
desk_fn agreements_find; /* any; KEER_EMISSING */

/* An event about it; what it came to is the caller's to see. */
KEER_NODISCARD enum keer_err agreements_decide(const struct agreements_case *c, struct desk_worker *w, const char *type,
                                               struct slice step_up, enum keer_outcome *ret);

/* Takes what a wallet said, in a transaction of its own; c->a is brought up to date, people and engine are told. */
KEER_NODISCARD enum keer_err agreements_said(struct agreements_case *c, struct desk_worker *w,
                                             const struct wallet_agreement *said, enum agreements_taken *ret);
/* Asks the wallet to end one that is ENDING, or a stray, and takes what it says; one that gives no answer is asked again by
 * the timer. */
KEER_NODISCARD enum keer_err agreements_finish(struct agreements_case *c, struct desk_worker *w);
/* Asks how it stands: *ret_answer YES: it was taken over. */
KEER_NODISCARD enum keer_err agreements_ask_wallet(struct agreements_case *c, struct desk_worker *w,
                                                   enum wallet_answer *ret_answer, struct wallet_why *ret_why);
#endif
