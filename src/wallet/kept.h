/* kept.h - what a wallet gave out and a restart needs again, as bytes that only its driver reads (keys_fetch, keys_load).
 *
 * Invariants
 * 1. A row for each wallet; what is written takes the place of what was there.
 * 2. Nothing here is believed for having been here: the driver looks whether it is the wallet's.
 */
#ifndef WALLET_KEPT_H
#define WALLET_KEPT_H
#include "store/query.h"

/* In a transaction of the writing connection. */
KEER_NODISCARD enum keer_err wallet_kept_write(struct db *db, const char *wallet, struct slice kept, int64_t now_us);
/* Appended to *ret; any connection. KEER_EMISSING. */
KEER_NODISCARD enum keer_err wallet_kept_read(struct db *db, const char *wallet, struct buf *ret, int64_t *ret_at_us);
#endif
