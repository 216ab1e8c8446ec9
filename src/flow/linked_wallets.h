/* linked_wallets.h - a person's page of linked wallets: what is linked, what was charged, and 'it was not me'.
 *
 * Invariants
 * 1. A person sees the agreements of his own account, and what was charged on them, whoever bought it.
 * 2. 'Not me' to a charge locks the account as any other 'not me' does, pauses the agreement until its owner resumes it with a
 *    step, and tells the engine that the purchase was fraud; in one transaction, but for the engine.
 */
#ifndef FLOW_LINKED_WALLETS_H
#define FLOW_LINKED_WALLETS_H
#include "flow/agreements.h"
#include "wallet/charge.h"

#define LINKED_WALLETS_MAX 24 /* those that live, and the last that ended */
#define LINKED_CHARGES_MAX 10
#define LINKED_ENDED_US (30 * INT64_C(86400000000)) /* how long one that ended is shown */

struct linked_wallet {
    struct agreement agreement;
    struct charge_used used;
    struct charge charges[LINKED_CHARGES_MAX];
    unsigned charges_count;
};
struct linked_wallets {
    struct id account; /* whose */
    int64_t now_us;
    struct linked_wallet rows[LINKED_WALLETS_MAX];
    unsigned count;
    struct account_hold hold;
};
desk_fn linked_wallets_read; /* any */

/* KEER_EMISSING: no charge of this id on an agreement of the visitor's account. */
KEER_NODISCARD enum keer_err linked_wallets_not_me(const struct agreements *g, struct desk_worker *w,
                                                   const struct visitor *v, const struct id *charge);
#endif
