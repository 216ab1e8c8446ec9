/* oidc_token.c - codes, refresh tokens and CIBA requests become tokens (RFC 6749 4.1.3, 6; OpenID Connect Core 3.1.3). */
#include "base/base64.h"
#include "flow/oidc_inside.h"

struct exchanging {
    const struct oidc_client *client;
    const struct oidc_exchange *e;
    int64_t now_us;
    struct oidc_tokens tokens;
    enum oidc_error error;
};

enum keer_err oidc_tokens_add(struct db *db, const struct oidc_client *c, struct oidc_tokens *t, int64_t now_us)
{
    const struct oidc_grant *g = &t->grant;
    enum keer_err err =
        oidc_token_add(db, &g->id, OIDC_TOKEN_ACCESS, t->scopes, now_us, now_us + OIDC_ACCESS_US, &t->access);
    t->refresh.text[0] = '\0';
    /* As long as the grant, however often it is renewed; what has no session to end with is renewed offline alone. */
    bool renewed = c->grants & OIDC_GRANT_REFRESH && (id_is(&g->session) || g->scopes & OIDC_SCOPE(OFFLINE_ACCESS));
    if (err == KEER_OK && renewed)
        err =
            oidc_token_add(db, &g->id, OIDC_TOKEN_REFRESH, t->scopes, now_us, g->created_us + OIDC_REFRESH_US, &t->refresh);
    if (err == KEER_OK)
        err = oidc_person(db, &g->account, g->id_claims, &t->person);
    return err;
}

/* The grant is there; what it rests on too. */
static enum keer_err complete(struct db *db, struct exchanging *x, unsigned scopes)
{
    enum keer_err err = oidc_grant_holds(db, &x->tokens.grant, x->now_us);
    if (err == KEER_EMISSING) {
        x->error = OIDC_INVALID_GRANT;
        return KEER_OK;
    }
    x->tokens.scopes = scopes;
    return err == KEER_OK ? oidc_tokens_add(db, x->client, &x->tokens, x->now_us) : err;
}

static enum keer_err by_code(struct db *db, void *ctx)
{
    struct exchanging *x = ctx;
    enum keer_err err = oidc_code_take(db, x->e->code, &x->client->id, x->e->redirect_uri, x->e->code_verifier, x->now_us,
                                       &x->tokens.grant, &x->error);
    return err == KEER_OK && x->error == OIDC_OK ? complete(db, x, x->tokens.grant.scopes) : err;
}

static enum keer_err by_refresh(struct db *db, void *ctx)
{
    struct exchanging *x = ctx;
    struct oidc_token old;
    enum keer_err err =
        oidc_refresh_take(db, x->e->refresh_token, &x->client->id, x->now_us, &old, &x->tokens.grant, &x->error);
    if (err != KEER_OK || x->error != OIDC_OK)
        return err;
    unsigned scopes = x->e->scope.len ? oidc_scopes_read(x->e->scope) : old.scopes;
    if (scopes & ~old.scopes || !scopes) { /* no more than before (section 6): the old token is not used up by asking */
        x->error = OIDC_INVALID_SCOPE;
        return KEER_EINVALID;
    }
    return complete(db, x, scopes);
}

static enum keer_err by_ciba(struct db *db, void *ctx)
{
    struct exchanging *x = ctx;
    enum keer_err err = oidc_ciba_take(db, x->client, x->e->auth_req_id, x->now_us, &x->tokens.grant, &x->error);
    return err == KEER_OK && x->error == OIDC_OK ? complete(db, x, x->tokens.grant.scopes) : err;
}

/* --- what is answered --- */
/* Half of the hash of the access token (OpenID Connect Core 3.1.3.6), for RS256 and ES256 alike. */
static void at_hash(const struct oidc_secret *access, struct buf *b)
{
    struct crypto_hash hash;
    char text[BASE64URL_LEN(16) + 1];
    crypto_sha256(slice_str(access->text), &hash);
    base64url_text(hash.bytes, 16, text);
    buf_fmt(b, ",\"at_hash\":\"%s\"", text);
}

static void print_claims(const struct oidc *o, const struct exchanging *x, bool first, struct buf *b)
{
    const struct oidc_grant *g = &x->tokens.grant;
    buf_fmt(
        b,
        "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"auth_time\":%lld,\"acr\":\"%s\",\"amr\":",
        o->issuer, g->account.text, g->client.text, (long long)(x->now_us / US_SECOND),
        (long long)((x->now_us + OIDC_ID_TOKEN_US) / US_SECOND), (long long)(g->auth_us / US_SECOND), g->acr);
    oidc_amr_json(g->amr, b);
    if (id_is(&g->session))
        buf_fmt(b, ",\"sid\":\"%s\"", g->session.text);
    if (first && g->nonce[0]) {
        buf_puts(b, ",\"nonce\":");
        buf_json(b, slice_str(g->nonce));
    }
    at_hash(&x->tokens.access, b);
    if (x->e->auth_req_id.len) { /* CIBA 10.3.1 has it in pushed tokens; here it tells which request was answered */
        buf_puts(b, ",\"urn:openid:params:jwt:claim:auth_req_id\":");
        buf_json(b, x->e->auth_req_id);
    }
    buf_slice(b, buf_view(&x->tokens.person));
    buf_char(b, '}');
}

static enum keer_err print_tokens(struct oidc *o, struct desk_worker *w, const struct exchanging *x, bool first,
                                  struct buf *out)
{
    const struct oidc_tokens *t = &x->tokens;
    struct buf claims;
    enum keer_err err = KEER_OK;
    buf_init(&claims, JWS_BYTES_MAX);
    buf_fmt(out, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%d,\"scope\":\"", t->access.text,
            (int)(OIDC_ACCESS_US / US_SECOND));
    oidc_scopes_put(t->scopes, out);
    buf_char(out, '"');
    if (t->refresh.text[0])
        buf_fmt(out, ",\"refresh_token\":\"%s\"", t->refresh.text);
    if (t->grant.details[0]) /* RFC 9396 7 */
        buf_fmt(out, ",\"authorization_details\":%s", t->grant.details);
    if (t->scopes & OIDC_SCOPE(OPENID)) {
        print_claims(o, x, first, &claims);
        buf_puts(out, ",\"id_token\":\"");
        err = claims.err != KEER_OK ? claims.err : oidc_sign(o, w, x->client->id_alg, "JWT", buf_view(&claims), out);
        buf_char(out, '"');
    }
    buf_puts(out, "}\n");
    buf_release(&claims);
    return err == KEER_OK ? out->err : err;
}

enum keer_err oidc_token(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, const struct oidc_exchange *e,
                         struct buf *out, struct oidc_refusal *ret_refusal)
{
    static desk_fn *const ways[] = {by_code, by_refresh, by_ciba};
    struct exchanging *x = NULL;
    unsigned way = 0, grant = oidc_grant_of(e->grant_type);
    *ret_refusal = (struct oidc_refusal){OIDC_UNSUPPORTED_GRANT_TYPE, NULL};
    if (!e->grant_type.len)
        *ret_refusal = (struct oidc_refusal){OIDC_INVALID_REQUEST, "grant_type is missing"};
    if (!grant)
        return KEER_OK;
    ret_refusal->error = OIDC_UNAUTHORIZED_CLIENT;
    if (!(c->grants & grant))
        return KEER_OK;
    while (!(grant & 1u << way))
        way++;
    if (!(x = calloc(1, sizeof *x)))
        return KEER_ENOMEM;
    x->client = c;
    x->e = e;
    x->now_us = desk_wall_us(w);
    buf_init(&x->tokens.person, OIDC_PARAMS_BYTES);
    enum keer_err err = desk_write(w, ways[way], x);
    if (err == KEER_EINVALID && x->error == OIDC_INVALID_SCOPE)
        err = KEER_OK;
    else if (err == KEER_OK && x->error == OIDC_OK)
        err = print_tokens(o, w, x, /* first */ way != 1, out);
    *ret_refusal = (struct oidc_refusal){x->error, NULL};
    buf_release(&x->tokens.person);
    crypto_wipe(x, sizeof *x);
    free(x);
    return err;
}
