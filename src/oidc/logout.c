/* logout.c - sign-outs that clients are told of: queued, due, done. */
#include "oidc/logout.h"

#include "oidc/grant.h"
#include "store/query.h"

enum { WAITING, TOLD, DEAD }; /* in the database */

enum keer_err oidc_logout_queue(struct db *db, const struct id *session, int64_t now_us)
{
    struct {
        struct id client, account;
    } rows[64];
    unsigned count = 0;
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT DISTINCT g.client, g.account FROM oidc_grant g JOIN oidc_client c ON c.id = g.client"
                   " WHERE g.session = $1 AND c.backchannel_uri <> '' AND c.removed_us = 0 LIMIT $2",
                   Q_ID(session), Q_NUMBER(ARRAY_LEN(rows)));
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && count < ARRAY_LEN(rows) && (step = db_step(s)) == DB_ROW) {
        err = query_id(s, 0, &rows[count].client);
        if (err == KEER_OK)
            err = query_id(s, 1, &rows[count++].account);
    }
    db_free(s);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    for (unsigned i = 0; err == KEER_OK && i < count; i++) {
        struct id id;
        id_make(&id);
        err = QUERY_DO(
            db,
            "INSERT INTO oidc_logout (id, client, account, session, created_us, due_us) VALUES ($1, $2, $3, $4, $5, $5)"
            " ON CONFLICT DO NOTHING",
            Q_ID(&id), Q_ID(&rows[i].client), Q_ID(&rows[i].account), Q_ID(session), Q_NUMBER(now_us));
    }
    return err == KEER_OK ? oidc_grants_end_session(db, session, "sign-out", now_us) : err;
}

enum keer_err oidc_logout_due(struct db *db, int64_t now_us, struct oidc_logout room[LOGOUT_BATCH], unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT l.id, l.client, l.account, l.session, c.backchannel_uri, l.tries FROM oidc_logout l"
                   " JOIN oidc_client c ON c.id = l.client WHERE l.state = $1 AND l.due_us <= $2"
                   " ORDER BY l.due_us LIMIT $3",
                   Q_NUMBER(WAITING), Q_NUMBER(now_us), Q_NUMBER(LOGOUT_BATCH));
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && count < LOGOUT_BATCH && (step = db_step(s)) == DB_ROW) {
        struct oidc_logout *l = &room[count++];
        err = query_id(s, 0, &l->id);
        if (err == KEER_OK)
            err = query_id(s, 1, &l->client);
        if (err == KEER_OK)
            err = query_id(s, 2, &l->account);
        if (err == KEER_OK)
            err = query_id(s, 3, &l->session);
        if (err == KEER_OK)
            err = query_text(s, 4, l->uri, sizeof l->uri);
        l->tries = db_i64(s, 5);
    }
    db_free(s);
    *ret_count = count;
    return err == KEER_OK && step == DB_FAILED ? KEER_EIO : err;
}

enum keer_err oidc_logout_done(struct db *db, const struct oidc_logout *l, bool told, const char *why, int64_t now_us)
{
    static const int64_t after_us[LOGOUT_TRIES] = {10 * US_SECOND, US_MINUTE, 10 * US_MINUTE, US_HOUR, 6 * US_HOUR, 0};
    int64_t tries = l->tries + 1, state = told ? TOLD : tries >= LOGOUT_TRIES ? DEAD : WAITING;
    return QUERY_DO(db, "UPDATE oidc_logout SET state = $1, tries = $2, due_us = $3, why = $4 WHERE id = $5",
                    Q_NUMBER(state), Q_NUMBER(tries), Q_NUMBER(now_us + after_us[MIN_OF(l->tries, LOGOUT_TRIES - 1)]),
                    Q_STR(told ? "" : why), Q_ID(&l->id));
}
