/* client.c - clients: registered, found, removed. */
#include "oidc/client.h"

#include "store/query.h"

static const char *const auth_names[] = {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"};
static_assert(ARRAY_LEN(auth_names) == OIDC_AUTH_MAX, "a name each");
static const char *const grant_names[] = {"authorization_code", "refresh_token", "urn:openid:params:grant-type:ciba"};

const char *oidc_auth_name(enum oidc_auth auth) { return auth_names[auth]; }

enum oidc_auth oidc_auth_of(struct slice name)
{
    for (unsigned i = 0; i < OIDC_AUTH_MAX; i++)
        if (slice_eq(name, slice_str(auth_names[i])))
            return (enum oidc_auth)i;
    return OIDC_AUTH_MAX;
}

const char *oidc_grant_name(unsigned bit)
{
    for (unsigned i = 0; i < ARRAY_LEN(grant_names); i++)
        if (bit == 1u << i)
            return grant_names[i];
    return "";
}

unsigned oidc_grant_of(struct slice name)
{
    for (unsigned i = 0; i < ARRAY_LEN(grant_names); i++)
        if (slice_eq(name, slice_str(grant_names[i])))
            return 1u << i;
    return 0;
}

unsigned oidc_scopes_granted(struct slice list, const struct oidc_client *c)
{
    unsigned scopes = oidc_scopes_read(list) & c->scopes;
    return c->grants & OIDC_GRANT_REFRESH ? scopes : scopes & ~OIDC_SCOPE(OFFLINE_ACCESS);
}

bool oidc_uri_in(const char *list, struct slice uri)
{
    struct slice rest = slice_str(list);
    while (rest.p && uri.len)
        if (slice_eq(slice_cut(&rest, '\n'), uri))
            return true;
    return false;
}

static bool starts(struct slice *s, struct slice with)
{
    if (s->len < with.len || memcmp(s->p, with.p, with.len) != 0)
        return false;
    *s = slice_of(s->p + with.len, s->len - with.len);
    return true;
}

/* http on this machine: what RFC 8252 7.3 and 8.3 allow, with any port. */
static bool is_loopback(struct slice authority)
{
    static const struct slice hosts[] = {SLICE("127.0.0.1"), SLICE("[::1]"), SLICE("localhost")};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct slice rest = authority;
        if (starts(&rest, hosts[i]) && (rest.len == 0 || rest.p[0] == ':'))
            return true;
    }
    return false;
}

bool oidc_uri_valid(struct slice uri, bool web)
{
    struct slice rest = uri;
    if (uri.len == 0 || uri.len > OIDC_URI_BYTES)
        return false;
    for (size_t i = 0; i < uri.len; i++)
        if ((unsigned char)uri.p[i] <= ' ' || (unsigned char)uri.p[i] >= 0x7F || strchr("\"'<>\\#`{}|^", uri.p[i]))
            return false;
    bool https = starts(&rest, SLICE("https://"));
    if (https || starts(&rest, SLICE("http://"))) {
        struct slice host = slice_of(rest.p, 0);
        while (host.len < rest.len && !strchr("/?", rest.p[host.len]))
            host.len++;
        return host.len && !memchr(host.p, '@', host.len) && (https || is_loopback(host));
    }
    struct slice scheme = slice_cut(&rest, ':');
    for (size_t i = 0; i < scheme.len; i++) {
        char c = ascii_lower(scheme.p[i]);
        if (!((c >= 'a' && c <= 'z') || (i && (ascii_digit(c) || c == '.' || c == '-' || c == '+'))))
            return false;
    }
    return !web && rest.p && memchr(scheme.p, '.', scheme.len);
}

#define COLUMNS \
    "id, name, auth, secret, jwks, redirect_uris, logout_uris, backchannel_uri, grants, scopes, id_alg, created_us"

static enum keer_err read_row(struct db_stmt *s, struct oidc_client *c)
{
    enum keer_err err = query_id(s, 0, &c->id);
    if (err == KEER_OK)
        err = query_text(s, 1, c->name, sizeof c->name);
    if (err == KEER_OK)
        err = query_hash(s, 3, &c->secret);
    if (err == KEER_OK)
        err = query_text(s, 4, c->jwks, sizeof c->jwks);
    if (err == KEER_OK)
        err = query_text(s, 5, c->redirect_uris, sizeof c->redirect_uris);
    if (err == KEER_OK)
        err = query_text(s, 6, c->logout_uris, sizeof c->logout_uris);
    if (err == KEER_OK)
        err = query_text(s, 7, c->backchannel_uri, sizeof c->backchannel_uri);
    if (err == KEER_OK &&
        (db_i64(s, 2) < 0 || db_i64(s, 2) >= OIDC_AUTH_MAX || db_i64(s, 10) < 0 || db_i64(s, 10) >= CRYPTO_ALG_MAX))
        err = KEER_EFORMAT;
    c->auth = (enum oidc_auth)db_i64(s, 2);
    c->grants = (unsigned)db_i64(s, 8);
    c->scopes = (unsigned)db_i64(s, 9);
    c->id_alg = (enum crypto_alg)db_i64(s, 10);
    c->created_us = db_i64(s, 11);
    return err;
}

enum keer_err oidc_client_add(struct db *db, struct oidc_client *c)
{
    int64_t count = 0;
    enum keer_err err = db_number(db, "SELECT COUNT(*) FROM oidc_client WHERE removed_us = 0", &count);
    if (err == KEER_OK && count >= OIDC_CLIENTS_MAX)
        err = KEER_ELIMIT;
    id_make(&c->id);
    return err != KEER_OK
               ? err
               : QUERY_DO(db,
                          "INSERT INTO oidc_client (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                          Q_ID(&c->id), Q_STR(c->name), Q_NUMBER(c->auth), Q_HASH(&c->secret), Q_STR(c->jwks),
                          Q_STR(c->redirect_uris), Q_STR(c->logout_uris), Q_STR(c->backchannel_uri), Q_NUMBER(c->grants),
                          Q_NUMBER(c->scopes), Q_NUMBER(c->id_alg), Q_NUMBER(c->created_us));
}

enum keer_err oidc_client_get(struct db *db, struct slice id, struct oidc_client *ret_client)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM oidc_client WHERE id = $1 AND removed_us = 0", Q_TEXT(id));
    if (err != KEER_OK)
        return err;
    err = read_row(s, ret_client);
    db_free(s);
    return err;
}

enum keer_err oidc_client_remove(struct db *db, struct slice id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE oidc_client SET removed_us = $1 WHERE id = $2 AND removed_us = 0 RETURNING id",
                     Q_NUMBER(now_us), Q_TEXT(id));
}

enum keer_err oidc_client_each(struct db *db, void (*each)(void *ctx, const struct oidc_client *c), void *ctx)
{
    struct db_stmt *s;
    struct oidc_client c;
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT " COLUMNS " FROM oidc_client WHERE removed_us = 0 ORDER BY created_us DESC, id LIMIT $1",
                   Q_NUMBER(OIDC_CLIENTS_MAX));
    if (err != KEER_OK)
        return err;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW && (err = read_row(s, &c)) == KEER_OK)
        each(ctx, &c);
    db_free(s);
    return err != KEER_OK || step == DB_END ? err : KEER_EIO;
}
