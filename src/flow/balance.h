/* balance.h - spending what was topped up: written, decided, taken.
 *
 *     POST /v1/spends ─► spending_add ─► the event `purchase` is decided ─► spending_gate ─┬─► DONE, REFUSED
 *                                                                                          └─► NEEDS_STEP: asked again, when
 * done Invariants
 * 1. A spend is one transfer out of what is free; what is held (wallet/balance.h) is not there for it.
 * 2. Deny refuses it, and so does a hold of the account. Whatever the decision is, it wants a second step, as a charge does: a
 * payment challenge bound to account, amount, currency, payee and the spend's id, used in the gate's transaction. A password
 * alone spends nothing.
 * 3. A balance is one per account and currency, whichever store it is spent at.
 */
#ifndef FLOW_BALANCE_H
#define FLOW_BALANCE_H
#include "flow/pay.h"

struct spending_ask {
    struct slice client, key;
    struct id account;
    int64_t amount_minor;
    enum currency currency;
    struct slice payee, item, beneficiary, merchant, device, ip, user_agent, session, return_url;
};
struct spending {
    const struct pay *p;
    const struct spending_ask *ask;
    int64_t now_us;
    enum keer_outcome outcome;
    bool review;
    /* the answer */
    struct spend spend;
    struct challenge challenge; /* NEEDS_STEP */
    bool fresh;
    struct buf decision; /* the caller releases it */
};
/* KEER_EMISSING: no such account; KEER_ECONFLICT, KEER_EINVALID, KEER_ELIMIT. */
desk_fn spending_add, spending_gate;
/* At the desk: the whole way. KEER_OK with the row as it stands. */
KEER_NODISCARD enum keer_err spend_balance(const struct pay *p, struct desk_worker *w, const struct spending_ask *ask,
                                           struct spending *ret);

struct balance_look {
    struct id account;
    struct balance balance[BALANCES_MAX];
    struct balance_hold_row hold[BALANCE_HOLDS_MAX];
    unsigned balances, holds;
};
desk_fn balance_read; /* any; KEER_EMISSING: no such account */
#endif
