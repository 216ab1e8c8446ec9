/* store_visit.h - a customer of a store that has accounts of its own comes to the pages here: to enrol an authenticator, to
 * look after linked wallets.
 *
 *     POST /v1/accounts/{id}/visits ─► store_visit_make ─► a link, told once, for the store to send its customer to
 *     the page /visit, one press ─► store_visit_enter ─► as any sign-in: a step where there is one, else a session
 *
 * Invariants
 * 1. The store's own sign-in is a first factor and no more: an account that has an authenticator is asked for it.
 * 2. Only accounts that a store brought (by subject) and that have no password here: a key of a store signs nobody in else.
 * 3. A link is taken once, within STORE_VISIT_US; the database holds its hash. To open the page takes nothing.
 * 4. It is a sign-in: an event, decided; a denied one gets no session. Where the policy wants a step and the account never
 * had an authenticator, and no address, the session is RESTRICTED: it may enrol, behind the guard.
 */
#ifndef FLOW_STORE_VISIT_H
#define FLOW_STORE_VISIT_H
#include "flow/sign_in.h"

#define STORE_VISIT_US (10 * 60 * INT64_C(1000000))

struct store_visit {
    struct id account;
    struct slice client; /* id of the store's key */
    int64_t now_us;
    struct bearer token; /* the caller wipes it */
};
/* In a transaction. KEER_EMISSING: no such account; KEER_ECONFLICT: it is not active, or is none of a store's. */
desk_fn store_visit_make;
/* KEER_EMISSING for a link that is none, was used or is too old; else as sign_in_proved. */
KEER_NODISCARD enum keer_err store_visit_enter(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                               struct slice token, struct sign_in *ret);
/* Those that are over, in a transaction. */
KEER_NODISCARD enum keer_err store_visit_forget(struct db *db, int64_t now_us);
#endif
