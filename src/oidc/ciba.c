/* ciba.c - requests for approval on a person's own device: kept, polled, used. */
#include "oidc/ciba.h"

#include "store/query.h"

enum keer_err oidc_ciba_add(struct db *db, const struct crypto_hash *hash, const struct oidc_ciba *c, int64_t now_us)
{
    return QUERY_DO(
        db,
        "INSERT INTO oidc_ciba (hash, client, account, challenge, scopes, details, interval_us, created_us, until_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        Q_HASH(hash), Q_ID(&c->client), Q_ID(&c->account), Q_ID(&c->challenge), Q_NUMBER(c->scopes), Q_STR(c->details),
        Q_NUMBER(CIBA_INTERVAL_US), Q_NUMBER(now_us), Q_NUMBER(c->until_us));
}

enum keer_err oidc_ciba_poll(struct db *db, struct slice request, const struct id *client, int64_t now_us,
                             struct oidc_ciba *ret_ciba, enum oidc_error *ret_error)
{
    struct crypto_hash hash;
    struct db_stmt *s;
    *ret_error = OIDC_INVALID_GRANT;
    if (oidc_secret_hash(request, &hash) != KEER_OK)
        return KEER_OK;
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "SELECT client, account, challenge, scopes, details, until_us, interval_us, polled_us FROM oidc_ciba"
                  " WHERE hash = $1 AND client = $2 AND used_us = 0",
                  Q_HASH(&hash), Q_ID(client));
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    err = query_id(s, 0, &ret_ciba->client);
    if (err == KEER_OK)
        err = query_id(s, 1, &ret_ciba->account);
    if (err == KEER_OK)
        err = query_id(s, 2, &ret_ciba->challenge);
    if (err == KEER_OK)
        err = query_text(s, 4, ret_ciba->details, sizeof ret_ciba->details);
    ret_ciba->scopes = (unsigned)db_i64(s, 3);
    ret_ciba->until_us = db_i64(s, 5);
    int64_t interval_us = db_i64(s, 6), polled_us = db_i64(s, 7);
    db_free(s);
    if (err != KEER_OK)
        return err;
    bool soon = polled_us && now_us - polled_us < interval_us;
    *ret_error = ret_ciba->until_us <= now_us ? OIDC_EXPIRED_TOKEN : soon ? OIDC_SLOW_DOWN : OIDC_OK;
    return QUERY_DO(db, "UPDATE oidc_ciba SET polled_us = $1, interval_us = $2 WHERE hash = $3", Q_NUMBER(now_us),
                    Q_NUMBER(soon ? interval_us + 5 * US_SECOND : interval_us), Q_HASH(&hash));
}

enum keer_err oidc_ciba_use(struct db *db, struct slice request, int64_t now_us)
{
    struct crypto_hash hash;
    enum keer_err err = oidc_secret_hash(request, &hash);
    return err == KEER_OK ? QUERY_MET(db, "UPDATE oidc_ciba SET used_us = $1 WHERE hash = $2 AND used_us = 0 RETURNING hash",
                                      Q_NUMBER(now_us), Q_HASH(&hash))
                          : KEER_EMISSING;
}
