/* oidc_clients.c - clients prove who they are (OpenID Connect Core 9, RFC 6749 2.3, RFC 7523); they are registered. */
#include "base/base64.h"
#include "base/num.h"
#include "flow/oidc_inside.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_AHEAD_US US_HOUR

struct looking_up {
    struct slice id;
    struct oidc_client *client;
};
static enum keer_err look_up(struct db *db, void *ctx)
{
    struct looking_up *l = ctx;
    return oidc_client_get(db, l->id, l->client);
}

/* One half of Basic: form-encoded (RFC 6749 2.3.1), though our ids and secrets never need it. */
static bool decode_half(struct slice s, struct buf *b, struct slice *ret)
{
    size_t from = b->len;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = s.p[i] == '+' ? ' ' : (unsigned char)s.p[i];
        if (s.p[i] == '%') {
            uint64_t v = 0;
            if (s.len - i < 3 || num_hex(slice_of(s.p + i + 1, 2), &v) != KEER_OK)
                return false;
            c = (unsigned char)v;
            i += 2;
        }
        buf_char(b, (char)c);
    }
    *ret = slice_of(b->p + from, b->len - from);
    return b->err == KEER_OK;
}

/* Id and secret of the header; `b` holds them. */
static bool read_basic(struct slice header, struct buf *b, struct slice *ret_id, struct slice *ret_secret)
{
    unsigned char plain[512];
    size_t len = 0;
    struct slice scheme = slice_cut(&header, ' ');
    if (!slice_eqi(scheme, SLICE("Basic")) || base64_get(slice_trim(header), sizeof plain, plain, &len) != KEER_OK)
        return false;
    struct slice secret = slice_of((const char *)plain, len), id = slice_cut(&secret, ':');
    /* The room first: what is decoded is pointed at, and must not move. */
    bool ok = secret.p && buf_reserve(b, len) && decode_half(id, b, ret_id) && decode_half(secret, b, ret_secret);
    crypto_wipe(plain, sizeof plain);
    return ok;
}

/* A JWT signed by the client's own key, for us, once (RFC 7523 3). */
struct jti_job {
    const struct id *client;
    struct slice jti;
    int64_t until_us;
};
static enum keer_err take_jti(struct db *db, void *ctx)
{
    const struct jti_job *j = ctx;
    return oidc_jti_take(db, j->client, j->jti, j->until_us);
}

static enum keer_err check_assertion(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, struct slice text,
                                     bool *ret_good)
{
    char endpoint[OIDC_URI_BYTES + 16];
    struct jwk_set set = {.count = 0};
    struct jwt jwt = {0};
    (void)snprintf(endpoint, sizeof endpoint, "%s/oidc/token", o->issuer);
    struct jwt_expect e = {.algs = JWS_ALGS_ASYMMETRIC,
                           .issuer = id_slice(&c->id),
                           .subject = id_slice(&c->id),
                           .audience = slice_str(o->issuer),
                           .audience2 = slice_str(endpoint),
                           .now_us = desk_wall_us(w),
                           .skew_us = OIDC_SKEW_US,
                           .ahead_max_us = ASSERTION_AHEAD_US,
                           .need_jti = true};
    enum keer_err err = jwk_set_read(slice_str(c->jwks), &set);
    if (err != KEER_OK)
        return err;
    enum jwt_verdict v = jwt_read(&jwt, text, set.key, set.count, &e);
    struct jti_job j = {&c->id, jwt.id, jwt.expires_us + OIDC_SKEW_US};
    *ret_good = false;
    if (v == JWT_GOOD) {
        err = desk_write(w, take_jti, &j);
        *ret_good = err == KEER_OK;
        if (err == KEER_EMISSING) /* it was seen before */
            err = KEER_OK;
    }
    if (v == JWT_NOMEM)
        err = KEER_ENOMEM;
    jwt_release(&jwt);
    jwk_set_release(&set);
    return err;
}

/* The way that was chosen, or OIDC_AUTH_MAX for none or several at once; *ret_id is whose it claims to be. */
static enum oidc_auth chosen(const struct oidc_credentials *c, struct jwt *jwt, struct buf *room, struct slice *ret_id,
                             struct slice *ret_secret)
{
    *ret_id = c->client_id;
    *ret_secret = c->client_secret;
    if ((c->authorization.p != NULL) + (c->client_secret.p != NULL) + (c->assertion.p != NULL) > 1)
        return OIDC_AUTH_MAX;
    if (c->authorization.p) {
        if (!read_basic(c->authorization, room, ret_id, ret_secret) ||
            (c->client_id.len && !slice_eq(c->client_id, *ret_id)))
            return OIDC_AUTH_MAX;
        return OIDC_AUTH_BASIC;
    }
    if (c->assertion.p) {
        if (!slice_eq(c->assertion_type, SLICE(ASSERTION_TYPE)) || jwt_peek(jwt, c->assertion) != JWT_GOOD ||
            !jwt->subject.len || (c->client_id.len && !slice_eq(c->client_id, jwt->subject)))
            return OIDC_AUTH_MAX;
        *ret_id = jwt->subject;
        return OIDC_AUTH_JWT;
    }
    return c->client_secret.p ? OIDC_AUTH_POST : OIDC_AUTH_NONE;
}

enum keer_err oidc_client_prove(struct oidc *o, struct desk_worker *w, const struct oidc_credentials *c,
                                struct oidc_client *ret_client, struct oidc_refusal *ret_refusal)
{
    struct jwt jwt = {0};
    struct buf room;
    struct slice id, secret;
    bool good = false;
    buf_init(&room, 1024);
    enum keer_err err = KEER_OK;
    enum oidc_auth auth = chosen(c, &jwt, &room, &id, &secret);
    struct looking_up l = {id, ret_client};
    if (auth < OIDC_AUTH_MAX && id.len) {
        err = desk_read(w, look_up, &l);
        if (err == KEER_OK && ret_client->auth == auth) {
            struct crypto_hash hash;
            crypto_sha256(secret, &hash);
            switch (auth) {
            case OIDC_AUTH_NONE: good = true; break;
            case OIDC_AUTH_BASIC:
            case OIDC_AUTH_POST: good = crypto_hash_eq(&hash, &ret_client->secret); break;
            case OIDC_AUTH_JWT: err = check_assertion(o, w, ret_client, c->assertion, &good); break;
            case OIDC_AUTH_MAX: break;
            }
        }
        if (err == KEER_EMISSING)
            err = KEER_OK;
    }
    *ret_refusal = (struct oidc_refusal){good ? OIDC_OK : OIDC_INVALID_CLIENT, NULL};
    if (room.p)
        crypto_wipe(room.p, room.cap);
    buf_release(&room);
    jwt_release(&jwt);
    return err;
}

struct registering {
    struct oidc_client *client;
};
static enum keer_err add(struct db *db, void *ctx)
{
    const struct registering *r = ctx;
    return oidc_client_add(db, r->client);
}

enum keer_err oidc_register(struct desk_worker *w, struct oidc_client *c, struct oidc_secret *ret_secret)
{
    struct registering r = {c};
    ret_secret->text[0] = '\0';
    memset(&c->secret, 0, sizeof c->secret);
    if (c->auth == OIDC_AUTH_BASIC || c->auth == OIDC_AUTH_POST)
        oidc_secret_make(ret_secret, &c->secret);
    c->created_us = desk_wall_us(w);
    return desk_write(w, add, &r);
}
