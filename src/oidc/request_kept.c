/* request_kept.c - authorization requests that were pushed, or wait for a person. */
#include "oidc/request.h"

#include "store/query.h"

static enum keer_err keep(struct db *db, const struct id *client, struct slice params, bool pushed, int64_t now_us,
                          struct id *ret_id)
{
    struct id id;
    id_make(&id);
    enum keer_err err =
        QUERY_DO(db,
                 "INSERT INTO oidc_request (id, client, pushed, params, challenge, created_us, opened_us, until_us)"
                 " VALUES ($1, $2, $3, $4, '', $5, $6, $7)",
                 Q_ID(&id), Q_ID(client), Q_NUMBER(pushed), Q_TEXT(params), Q_NUMBER(now_us), Q_NUMBER(pushed ? 0 : now_us),
                 Q_NUMBER(now_us + OIDC_REQUEST_US));
    if (err == KEER_OK)
        *ret_id = id;
    return err;
}

enum keer_err oidc_request_push(struct db *db, const struct id *client, struct slice params, int64_t now_us,
                                struct id *ret_id)
{
    return keep(db, client, params, /* pushed */ true, now_us, ret_id);
}
enum keer_err oidc_request_keep(struct db *db, const struct id *client, struct slice params, int64_t now_us,
                                struct id *ret_id)
{
    return keep(db, client, params, /* pushed */ false, now_us, ret_id);
}

/* Takes the statement. */
static enum keer_err read_row(struct db_stmt *s, struct oidc_kept *ret_kept)
{
    struct oidc_kept k = {.pushed = db_i64(s, 1) != 0, .opened_us = db_i64(s, 2)};
    buf_init(&k.params, OIDC_PARAMS_BYTES);
    enum keer_err err = query_id(s, 0, &k.id);
    if (err == KEER_OK)
        err = query_id(s, 3, &k.challenge);
    if (err == KEER_OK) {
        buf_slice(&k.params, db_bytes(s, 4));
        err = k.params.err;
    }
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) /* what changes rows is done when it has no more of them */
        continue;
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    if (err != KEER_OK) {
        buf_release(&k.params);
        return err;
    }
    *ret_kept = k;
    return KEER_OK;
}
#define COLUMNS "id, pushed, opened_us, challenge, params"

enum keer_err oidc_request_open(struct db *db, struct slice id, struct slice client, int64_t now_us,
                                struct oidc_kept *ret_kept)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "UPDATE oidc_request SET opened_us = $1, until_us = $2 WHERE id = $3 AND client = $4 AND pushed = 1"
                  " AND opened_us = 0 AND until_us > $5 RETURNING " COLUMNS,
                  Q_NUMBER(now_us), Q_NUMBER(now_us + OIDC_REQUEST_US), Q_TEXT(id), Q_TEXT(client), Q_NUMBER(now_us));
    return err == KEER_OK ? read_row(s, ret_kept) : err;
}

enum keer_err oidc_request_get(struct db *db, struct slice id, int64_t now_us, struct oidc_kept *ret_kept)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(
        db, &s, "SELECT " COLUMNS " FROM oidc_request WHERE id = $1 AND opened_us > 0 AND used_us = 0 AND until_us > $2",
        Q_TEXT(id), Q_NUMBER(now_us));
    return err == KEER_OK ? read_row(s, ret_kept) : err;
}

enum keer_err oidc_request_challenge(struct db *db, const struct id *id, const struct id *challenge)
{
    return QUERY_DO(db, "UPDATE oidc_request SET challenge = $1 WHERE id = $2", Q_ID(challenge), Q_ID(id));
}

enum keer_err oidc_request_use(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE oidc_request SET used_us = $1 WHERE id = $2 AND used_us = 0 RETURNING id", Q_NUMBER(now_us),
                     Q_ID(id));
}
