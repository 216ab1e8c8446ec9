/* grant.c - grants, codes and tokens. */
#include "oidc/grant.h"

#include "store/query.h"

enum keer_err oidc_grant_add(struct db *db, struct oidc_grant *g, int64_t now_us)
{
    id_make(&g->id);
    g->created_us = now_us;
    return QUERY_DO(
        db,
        "INSERT INTO oidc_grant (id, client, account, session, scopes, claims, id_claims, acr, amr, nonce, details,"
        " auth_us, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        Q_ID(&g->id), Q_ID(&g->client), Q_ID(&g->account), Q_ID(&g->session), Q_NUMBER(g->scopes), Q_NUMBER(g->claims),
        Q_NUMBER(g->id_claims), Q_STR(g->acr), Q_STR(g->amr), Q_STR(g->nonce), Q_STR(g->details), Q_NUMBER(g->auth_us),
        Q_NUMBER(now_us));
}

enum keer_err oidc_grant_end(struct db *db, const struct id *id, const char *why, int64_t now_us)
{
    return QUERY_DO(db, "UPDATE oidc_grant SET ended_us = $1, why = $2 WHERE id = $3 AND ended_us = 0", Q_NUMBER(now_us),
                    Q_STR(why), Q_ID(id));
}

enum keer_err oidc_grants_end_session(struct db *db, const struct id *session, const char *why, int64_t now_us)
{
    /* scopes / OFFLINE_ACCESS % 2: the bit, in what both databases know */
    return QUERY_DO(
        db, "UPDATE oidc_grant SET ended_us = $1, why = $2 WHERE session = $3 AND ended_us = 0 AND (scopes / $4) % 2 = 0",
        Q_NUMBER(now_us), Q_STR(why), Q_ID(session), Q_NUMBER(OIDC_SCOPE(OFFLINE_ACCESS)));
}

#define GRANT_COLUMNS                                                                                                      \
    "g.id, g.client, g.account, g.session, g.scopes, g.claims, g.id_claims, g.acr, g.amr, g.nonce, g.details, g.auth_us, " \
    "g.created_us"
#define GRANT_COLUMNS_COUNT 13
#define GRANT_LIVES " g.ended_us = 0 AND EXISTS (SELECT 1 FROM oidc_client c WHERE c.id = g.client AND c.removed_us = 0)"

static enum keer_err read_grant(struct db_stmt *s, struct oidc_grant *g)
{
    enum keer_err err = query_id(s, 0, &g->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &g->client);
    if (err == KEER_OK)
        err = query_id(s, 2, &g->account);
    if (err == KEER_OK)
        err = query_id(s, 3, &g->session);
    if (err == KEER_OK)
        err = query_text(s, 7, g->acr, sizeof g->acr);
    if (err == KEER_OK)
        err = query_text(s, 8, g->amr, sizeof g->amr);
    if (err == KEER_OK)
        err = query_text(s, 9, g->nonce, sizeof g->nonce);
    if (err == KEER_OK)
        err = query_text(s, 10, g->details, sizeof g->details);
    g->scopes = (unsigned)db_i64(s, 4);
    g->claims = (unsigned)db_i64(s, 5);
    g->id_claims = (unsigned)db_i64(s, 6);
    g->auth_us = db_i64(s, 11);
    g->created_us = db_i64(s, 12);
    return err;
}

static enum keer_err grant_get(struct db *db, const struct id *id, struct oidc_grant *ret_grant)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " GRANT_COLUMNS " FROM oidc_grant g WHERE g.id = $1 AND" GRANT_LIVES, Q_ID(id));
    if (err != KEER_OK)
        return err;
    err = read_grant(s, ret_grant);
    db_free(s);
    return err;
}

/* --- codes
 * ------------------------------------------------------------------------------------------------------------------ */
enum keer_err oidc_code_add(struct db *db, const struct oidc_grant *g, const struct oidc_code *c, int64_t now_us,
                            struct oidc_secret *ret_code)
{
    struct crypto_hash hash;
    oidc_secret_make(ret_code, &hash);
    return QUERY_DO(
        db, "INSERT INTO oidc_code (hash, grant_id, redirect_uri, challenge, until_us) VALUES ($1, $2, $3, $4, $5)",
        Q_HASH(&hash), Q_ID(&g->id), Q_TEXT(c->redirect_uri), Q_TEXT(c->challenge), Q_NUMBER(now_us + OIDC_CODE_US));
}

/* RFC 7636 4.1 and 4.6. */
static bool verifier_fits(struct slice verifier, struct slice challenge)
{
    struct crypto_hash hash;
    char text[CRYPTO_TEXT_BYTES];
    if (verifier.len < 43 || verifier.len > 128)
        return false;
    crypto_sha256(verifier, &hash);
    crypto_text(&hash, text);
    return slice_eq(slice_str(text), challenge);
}

/* Somebody comes with what was used already: the grant ends. */
static enum keer_err used_again(struct db *db, const char *table, const struct crypto_hash *hash, int64_t now_us)
{
    struct db_stmt *s;
    struct id grant = {0};
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT grant_id FROM %s WHERE hash = $1 AND used_us > 0", table);
    enum keer_err err = QUERY_ONE(db, &s, sql, Q_HASH(hash));
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    err = query_id(s, 0, &grant);
    db_free(s);
    return err == KEER_OK ? oidc_grant_end(db, &grant, "reuse", now_us) : err;
}

enum keer_err oidc_code_take(struct db *db, struct slice code, const struct id *client, struct slice redirect_uri,
                             struct slice verifier, int64_t now_us, struct oidc_grant *ret_grant, enum oidc_error *ret_error)
{
    struct crypto_hash hash;
    struct db_stmt *s;
    struct id grant = {0};
    *ret_error = OIDC_INVALID_GRANT;
    if (oidc_secret_hash(code, &hash) != KEER_OK)
        return KEER_OK;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE oidc_code SET used_us = $1 WHERE hash = $2 AND used_us = 0"
                                  " RETURNING grant_id, redirect_uri, challenge, until_us",
                                  Q_NUMBER(now_us), Q_HASH(&hash));
    if (err == KEER_EMISSING)
        return used_again(db, "oidc_code", &hash, now_us);
    if (err != KEER_OK)
        return err;
    bool fits = slice_eq(db_bytes(s, 1), redirect_uri) && verifier_fits(verifier, db_bytes(s, 2)) && db_i64(s, 3) > now_us;
    err = query_id(s, 0, &grant);
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) /* what changes rows is done when it has no more of them */
        continue;
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        err = grant_get(db, &grant, ret_grant);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK && (!fits || !id_eq(&ret_grant->client, client)))
        return oidc_grant_end(db, &grant, "code", now_us);
    if (err == KEER_OK)
        *ret_error = OIDC_OK;
    return err;
}

/* --- tokens
 * ----------------------------------------------------------------------------------------------------------------- */
enum keer_err oidc_token_add(struct db *db, const struct id *grant, enum oidc_token_kind kind, unsigned scopes,
                             int64_t now_us, int64_t until_us, struct oidc_secret *ret_token)
{
    struct crypto_hash hash;
    oidc_secret_make(ret_token, &hash);
    return QUERY_DO(
        db, "INSERT INTO oidc_token (hash, grant_id, kind, scopes, created_us, until_us) VALUES ($1, $2, $3, $4, $5, $6)",
        Q_HASH(&hash), Q_ID(grant), Q_NUMBER(kind), Q_NUMBER(scopes), Q_NUMBER(now_us), Q_NUMBER(until_us));
}

static enum keer_err find(struct db *db, const struct crypto_hash *hash, int64_t now_us, struct oidc_token *ret_token,
                          struct oidc_grant *ret_grant)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(
        db, &s,
        "SELECT " GRANT_COLUMNS ", t.kind, t.scopes, t.created_us, t.until_us FROM oidc_token t"
        " JOIN oidc_grant g ON g.id = t.grant_id WHERE t.hash = $1 AND t.used_us = 0 AND t.until_us > $2 AND" GRANT_LIVES,
        Q_HASH(hash), Q_NUMBER(now_us));
    if (err != KEER_OK)
        return err;
    err = read_grant(s, ret_grant);
    *ret_token = (struct oidc_token){.kind = db_i64(s, GRANT_COLUMNS_COUNT) ? OIDC_TOKEN_REFRESH : OIDC_TOKEN_ACCESS,
                                     .scopes = (unsigned)db_i64(s, GRANT_COLUMNS_COUNT + 1),
                                     .created_us = db_i64(s, GRANT_COLUMNS_COUNT + 2),
                                     .until_us = db_i64(s, GRANT_COLUMNS_COUNT + 3)};
    db_free(s);
    return err;
}

enum keer_err oidc_token_find(struct db *db, struct slice text, int64_t now_us, struct oidc_token *ret_token,
                              struct oidc_grant *ret_grant)
{
    struct crypto_hash hash;
    return oidc_secret_hash(text, &hash) == KEER_OK ? find(db, &hash, now_us, ret_token, ret_grant) : KEER_EMISSING;
}

enum keer_err oidc_refresh_take(struct db *db, struct slice text, const struct id *client, int64_t now_us,
                                struct oidc_token *ret_token, struct oidc_grant *ret_grant, enum oidc_error *ret_error)
{
    struct crypto_hash hash;
    *ret_error = OIDC_INVALID_GRANT;
    if (oidc_secret_hash(text, &hash) != KEER_OK)
        return KEER_OK;
    enum keer_err err = find(db, &hash, now_us, ret_token, ret_grant);
    if (err == KEER_EMISSING)
        return used_again(db, "oidc_token", &hash, now_us);
    if (err != KEER_OK || ret_token->kind != OIDC_TOKEN_REFRESH || !id_eq(&ret_grant->client, client))
        return err; /* of another client: it learns nothing, and the owner keeps it */
    err = QUERY_MET(db, "UPDATE oidc_token SET used_us = $1 WHERE hash = $2 AND used_us = 0 RETURNING grant_id",
                    Q_NUMBER(now_us), Q_HASH(&hash));
    if (err == KEER_OK)
        *ret_error = OIDC_OK;
    return err == KEER_EMISSING ? oidc_grant_end(db, &ret_grant->id, "reuse", now_us) : err;
}

enum keer_err oidc_jti_take(struct db *db, const struct id *client, struct slice jti, int64_t until_us)
{
    struct crypto_hash hash;
    crypto_sha256(id_slice(client), &hash);
    crypto_sha256_add(&hash, jti);
    return QUERY_MET(db, "INSERT INTO oidc_jti (hash, until_us) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING until_us",
                     Q_HASH(&hash), Q_NUMBER(until_us));
}

enum keer_err oidc_forget(struct db *db, int64_t now_us, int64_t rows)
{
    static const char *const statements[] = {
        "DELETE FROM oidc_jti WHERE hash IN (SELECT hash FROM oidc_jti WHERE until_us < $1 LIMIT $2)",
        "DELETE FROM oidc_request WHERE id IN (SELECT id FROM oidc_request WHERE until_us < $1 LIMIT $2)",
        "DELETE FROM oidc_token WHERE hash IN (SELECT hash FROM oidc_token WHERE kind = 0 AND until_us < $1 LIMIT $2)",
        "DELETE FROM oidc_ciba WHERE hash IN (SELECT hash FROM oidc_ciba WHERE until_us < $1 LIMIT $2)",
        /* Codes and refresh tokens stay while a token of the grant may live: who comes with a used one is found by them. */
        "DELETE FROM oidc_code WHERE hash IN (SELECT hash FROM oidc_code WHERE until_us < $1 LIMIT $2)",
        "DELETE FROM oidc_token WHERE hash IN (SELECT hash FROM oidc_token WHERE kind = 1 AND until_us < $1 LIMIT $2)",
        "DELETE FROM oidc_grant WHERE id IN (SELECT g.id FROM oidc_grant g WHERE g.created_us < $1 AND"
        " NOT EXISTS (SELECT 1 FROM oidc_token t WHERE t.grant_id = g.id) AND"
        " NOT EXISTS (SELECT 1 FROM oidc_code k WHERE k.grant_id = g.id) LIMIT $2)",
        "DELETE FROM oidc_logout WHERE id IN (SELECT id FROM oidc_logout WHERE state > 0 AND due_us < $1 LIMIT $2)"};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(statements); i++) {
        bool lasting = i == 4 || i == 5;
        err = QUERY_DO(db, statements[i], Q_NUMBER(now_us - (lasting ? OIDC_REFRESH_US : US_DAY)), Q_NUMBER(rows));
    }
    return err;
}
