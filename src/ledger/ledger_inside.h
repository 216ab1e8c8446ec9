/* ledger_inside.h - what the files of the ledger share: columns, hashing, and the sums that a transfer changes. */
#ifndef LEDGER_INSIDE_H
#define LEDGER_INSIDE_H
#include "ledger/ledger.h"
#include "store/query.h"

#define LEDGER_COLUMNS \
    "number, id, kind, debit, credit, pending, currency, amount_minor, expires_us, ref, reason, at_us, hash"
#define LEDGER_ACCOUNT_COLUMNS \
    "id, name, currency, flags, debits_pending, debits_posted, credits_pending, credits_posted, created_us, closed_us"

/* A row of LEDGER_COLUMNS. KEER_EFORMAT for what the ledger does not write. */
KEER_NODISCARD enum keer_err ledger_read_row(struct db_stmt *s, struct ledger_transfer *ret);
KEER_NODISCARD enum keer_err ledger_read_account(struct db_stmt *s, struct ledger_account *ret);
/* The hash of an entry after the one with hash `before`. */
void ledger_hash(const struct crypto_hash *before, const struct ledger_transfer *t, struct crypto_hash *ret_hash);

/* What an entry does to its two accounts. For POST, VOID and EXPIRE `reserved` is the pending amount. */
void ledger_move(const struct ledger_transfer *t, int64_t reserved, struct ledger_sums *debit, struct ledger_sums *credit);
#endif
