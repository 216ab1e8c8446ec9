/* open.h - what waits for a word of its wallet: charges and refunds that are not settled, agreements that are signed or ended
 * there, counted by wallet. Rows of a wallet that a daemon does not know wait for ever: whoever starts it is to see them.
 */
#ifndef WALLET_OPEN_H
#define WALLET_OPEN_H
#include "base/id.h"
#include "store/db.h"
#include "wallet/connector.h"

struct wallet_open {
    char wallet[WALLET_NAME_BYTES + 1];
    int64_t charges, refunds, agreements;
    int64_t since_us; /* the oldest */
};
/* By name; at most `max`. Any connection. KEER_EIO leaves its words in db_why. */
KEER_NODISCARD enum keer_err wallet_open_rows(struct db *db, unsigned max, struct wallet_open *ret_rows,
                                              unsigned *ret_count);

/* Agreements that are ENDING since before `since_us`: their wallets have said nothing that counts. The oldest first. */
struct wallet_stuck {
    struct id id;
    char wallet[WALLET_NAME_BYTES + 1], number[WALLET_NUMBER_BYTES + 1];
    int64_t since_us;
};
KEER_NODISCARD enum keer_err wallet_stuck_rows(struct db *db, int64_t since_us, unsigned max, struct wallet_stuck *ret_rows,
                                               unsigned *ret_count);
#endif
