/* wallet_calls.h - the wallets of a daemon, and the network that its threads call them by.
 *
 *     a worker ─► wallet_charge(w, &fw->calls, ...) ─► caller.c, driver ─► calls.send: takes an idle net_fetch, waits for
 * the answer, gives it back ─► the next call, of whichever worker, finds its connection open
 *
 * Invariants
 * 1. `struct flow_wallets` does not change after the start: any thread reads it, and calls with it.
 * 2. http:// goes to this machine alone, and only for a wallet whose URL says so (wallets.c); all else is https:// to public
 *    addresses.
 * 3. A simulation brings `calls` of its own: nothing else of a wallet's touches the world.
 */
#ifndef FLOW_WALLET_CALLS_H
#define FLOW_WALLET_CALLS_H
#include "net/client.h"
#include "wallet/connector.h"

struct wallet_net; /* idle connections */
struct flow_wallets {
    struct wallets *list;
    struct wallet_calls calls;
    struct wallet_net *net; /* of calls.send; NULL in simulations */
    const char *url;        /* of this service, without a slash at the end: notices come there */
};

/* Brings the network; after net_start. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err flow_wallets_open(struct flow_wallets *fw, int64_t (*wall_us)(void));
void flow_wallets_close(struct flow_wallets *fw); /* the list too; what was zeroed is fine */

/* Where a wallet sends its notices: what its row says, or this service. "" and false when that is too long. */
bool flow_wallet_notify(const struct flow_wallets *fw, const struct wallet *w, char ret_url[NET_URL_BYTES]);
#endif
