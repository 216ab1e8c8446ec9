/* open.c - what waits for a word of its wallet. */
#include "wallet/open.h"

#include "store/query.h"
#include "wallet/agreement.h"
#include "wallet/refund.h"

static_assert(CHARGE_SUBMITTED == 2 && CHARGE_UNKNOWN == 3 && REFUND_SUBMITTED == 0 && REFUND_UNKNOWN == 1 &&
                  AGREEMENT_SIGNING == 1 && AGREEMENT_ENDING == 4,
              "numbers of the statement");

enum keer_err wallet_open_rows(struct db *db, unsigned max, struct wallet_open *ret_rows, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT o.wallet, CAST(SUM(o.charges) AS BIGINT), CAST(SUM(o.refunds) AS BIGINT),"
                   " CAST(SUM(o.agreements) AS BIGINT), MIN(o.since_us) FROM ("
                   "SELECT a.wallet AS wallet, 1 AS charges, 0 AS refunds, 0 AS agreements, c.submitted_us AS since_us"
                   " FROM charge c JOIN agreement a ON a.id = c.agreement WHERE c.state IN (2, 3)"
                   " UNION ALL SELECT a.wallet, 0, 1, 0, r.created_us FROM refund r JOIN charge c ON c.id = r.charge"
                   " JOIN agreement a ON a.id = c.agreement WHERE r.state IN (0, 1)"
                   " UNION ALL SELECT wallet, 0, 0, 1, state_us FROM agreement WHERE state IN (1, 4)"
                   ") o GROUP BY o.wallet ORDER BY o.wallet LIMIT $1",
                   Q_NUMBER(max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < max && (step = db_step(s)) == DB_ROW) {
        ret_rows[n] = (struct wallet_open){
            .charges = db_i64(s, 1), .refunds = db_i64(s, 2), .agreements = db_i64(s, 3), .since_us = db_i64(s, 4)};
        err = query_text(s, 0, ret_rows[n].wallet, sizeof ret_rows[n].wallet);
        n++;
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

enum keer_err wallet_stuck_rows(struct db *db, int64_t since_us, unsigned max, struct wallet_stuck *ret_rows,
                                unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT id, wallet, number, state_us FROM agreement WHERE state = 4 AND state_us <= $1"
                                   " ORDER BY state_us, id LIMIT $2",
                                   Q_NUMBER(since_us), Q_NUMBER(max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < max && (step = db_step(s)) == DB_ROW) {
        struct wallet_stuck *r = &ret_rows[n++];
        r->since_us = db_i64(s, 3);
        err = query_id(s, 0, &r->id);
        if (err == KEER_OK)
            err = query_text(s, 1, r->wallet, sizeof r->wallet);
        if (err == KEER_OK)
            err = query_text(s, 2, r->number, sizeof r->number);
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}
