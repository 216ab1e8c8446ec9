/* kept.c - rows of wallet_kept. */
#include "wallet/kept.h"

enum keer_err wallet_kept_write(struct db *db, const char *wallet, struct slice kept, int64_t now_us)
{
    return QUERY_DO(db,
                    "INSERT INTO wallet_kept (wallet, kept, at_us) VALUES ($1, $2, $3) ON CONFLICT (wallet) DO UPDATE SET"
                    " kept = excluded.kept, at_us = excluded.at_us",
                    Q_STR(wallet), Q_BYTES(kept), Q_NUMBER(now_us));
}

enum keer_err wallet_kept_read(struct db *db, const char *wallet, struct buf *ret, int64_t *ret_at_us)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT kept, at_us FROM wallet_kept WHERE wallet = $1", Q_STR(wallet));
    if (err != KEER_OK)
        return err;
    buf_slice(ret, db_bytes(s, 0));
    *ret_at_us = db_i64(s, 1);
    db_free(s);
    return ret->err;
}
