/* wallet_keys.h - keys that a wallet changes by itself: asked for in time, kept, and there again after a start.
 *
 *     a start ─► wallet_keys_start: what was kept ─► in use, without the network
 *     the timer ─► wallet_keys_due ─► wallet_keys_fetch: verified, in use ─► kept (wallet/kept.h)
 *
 * Invariants
 * 1. Which keys are in use is the driver's: verified ones alone (connector.h). A fetch that fails changes nothing.
 * 2. What can't be kept is in use all the same, until the next start; the log says so.
 * 3. Nobody waits for it: a call or notice that needs a key that is not there yet is UNKNOWN, or refused and told again.
 */
#ifndef FLOW_WALLET_KEYS_H
#define FLOW_WALLET_KEYS_H
#include "flow/desk.h"
#include "wallet/connector.h"

struct wallet_keys { /* of one wallet; does not change */
    struct wallet *wallet;
    struct wallet_calls *calls;
};
/* Before the first call. What was kept and is none of the wallet's is told and left alone. KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err wallet_keys_start(const struct wallet_keys *k, struct db *db, int64_t now_us,
                                               const struct log *log);
/* A timer of the desk; ctx: struct wallet_keys. */
void wallet_keys_tick(struct desk_worker *w, void *ctx);
#define WALLET_KEYS_TICK_US (1000000 / 2)
#endif
