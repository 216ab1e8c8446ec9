/* event.c - what wallets told, and what of it nobody can explain yet. */
#include "wallet/charge_inside.h"

enum keer_err wallet_event_add(struct db *db, const struct wallet_event *e, int64_t now_us, bool *ret_new)
{
    enum keer_err err = QUERY_MET(db,
                                  "INSERT INTO wallet_event (id, wallet, notice, kind, number, surprise, detail, at_us)"
                                  " VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM wallet_event), $1, $2, $3, $4, $5, $6, "
                                  "$7) ON CONFLICT DO NOTHING RETURNING id",
                                  Q_STR(e->wallet), Q_STR(e->notice), Q_NUMBER(e->kind), Q_STR(e->number),
                                  Q_STR(surprise_name(e->surprise)), Q_STR(e->detail), Q_NUMBER(now_us));
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_new = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Its id is no notice's: they have none with a blank. */
enum keer_err surprise_add(struct db *db, const char *wallet, const char *number, enum wallet_notice_kind kind,
                           enum surprise surprise, const char *detail, int64_t now_us)
{
    char id[WALLET_NUMBER_BYTES + 64];
    bool fresh;
    (void)snprintf(id, sizeof id, "%s %s", surprise_name(surprise), number);
    return wallet_event_add(db, &(struct wallet_event){wallet, id, number, kind, surprise, detail}, now_us, &fresh);
}

enum keer_err surprise_done(struct db *db, const char *wallet, const char *number, enum surprise surprise, int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE wallet_event SET done_us = $1 WHERE wallet = $2 AND number = $3 AND surprise = $4 AND"
                    " done_us = 0",
                    Q_NUMBER(now_us), Q_STR(wallet), Q_STR(number), Q_STR(surprise_name(surprise)));
}
