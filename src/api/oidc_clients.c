/* oidc_clients.c - /v1/oidc/clients: who may ask for tokens. Members are named as in RFC 7591. */
#include "api/body.h"
#include "api/oidc.h"

/* A list of URIs as lines. */
static bool read_uris(struct http_exchange *x, const struct api_body *b, const char *name, bool web, char *to, size_t room)
{
    const struct tape *t = &b->tape;
    uint32_t at = tape_find(t, 0, name);
    size_t used = 0;
    unsigned count = 0;
    if (at == TAPE_NONE)
        return true;
    for (uint32_t i = at + 1; tape_type(t, at) == TAPE_ARRAY && i < t->v[at].next; i = t->v[i].next) {
        struct slice uri = tape_text(t, i);
        if (tape_type(t, i) != TAPE_STRING || !oidc_uri_valid(uri, web) || ++count > OIDC_URIS_MAX ||
            used + uri.len + 2 > room) {
            http_problem(x, HTTP_BAD_BODY,
                         "%s: at most %d URIs of at most %d characters: https, http on a loopback host%s; no fragment", name,
                         OIDC_URIS_MAX, OIDC_URI_BYTES, web ? "" : ", or a scheme with a dot");
            return false;
        }
        if (used)
            to[used++] = '\n';
        memcpy(to + used, uri.p, uri.len);
        used += uri.len;
    }
    to[used] = '\0';
    if (tape_type(t, at) != TAPE_ARRAY)
        http_problem(x, HTTP_BAD_BODY, "%s: a list is wanted", name);
    return tape_type(t, at) == TAPE_ARRAY;
}

static bool read_grants(struct http_exchange *x, const struct api_body *b, unsigned *ret_grants)
{
    const struct tape *t = &b->tape;
    uint32_t at = tape_find(t, 0, "grant_types");
    if (at == TAPE_NONE)
        return true;
    *ret_grants = 0;
    for (uint32_t i = at + 1; tape_type(t, at) == TAPE_ARRAY && i < t->v[at].next; i = t->v[i].next) {
        unsigned one = tape_type(t, i) == TAPE_STRING ? oidc_grant_of(tape_text(t, i)) : 0;
        if (!one)
            *ret_grants = 0;
        if (!one)
            break;
        *ret_grants |= one;
    }
    if (!*ret_grants)
        http_problem(x, HTTP_BAD_BODY,
                     "grant_types: a list of authorization_code, refresh_token and "
                     "urn:openid:params:grant-type:ciba is wanted");
    return *ret_grants != 0;
}

/* The public keys of a client that signs: an object with `keys`. Kept as it stands in the body. */
static bool read_jwks(struct http_exchange *x, const struct api_body *b, struct oidc_client *c)
{
    struct jwk_set set;
    uint32_t at = tape_find(&b->tape, 0, "jwks");
    bool wanted = c->auth == OIDC_AUTH_JWT;
    if (at == TAPE_NONE && !wanted)
        return true;
    if (!wanted || at == TAPE_NONE || tape_type(&b->tape, at) != TAPE_OBJECT) {
        http_problem(x, HTTP_BAD_BODY, "jwks: a set of public keys goes with private_key_jwt, and with nothing else");
        return false;
    }
    size_t from = tape_at(&b->tape, at), end = from, depth = 0;
    bool quoted = false;
    do { /* to the brace that closes it: the text was read, so that it is well formed */
        char ch = x->body.p[end];
        if (quoted && ch == '\\')
            end++;
        else if (ch == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += ch == '{' ? 1 : 0, depth -= ch == '}' ? 1 : 0;
        end++;
    } while (depth && end < x->body.len);
    struct slice text = slice_of(x->body.p + from, end - from);
    enum keer_err err = text.len > OIDC_JWKS_BYTES ? KEER_ELIMIT : jwk_set_read(text, &set);
    if (err == KEER_OK && set.count) {
        memcpy(c->jwks, text.p, text.len);
        c->jwks[text.len] = '\0';
        jwk_set_release(&set);
        return true;
    }
    http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_BAD_BODY, "jwks: %s",
                 err == KEER_OK ? "no key for signatures is in it" : keer_err_text(err));
    return false;
}

static bool read_client(struct http_exchange *x, const struct api_body *b, struct oidc_client *c)
{
    struct slice name = {NULL, 0}, auth = SLICE("client_secret_basic"), scope = {NULL, 0}, alg = SLICE("RS256"),
                 logout = {NULL, 0};
    c->grants = OIDC_GRANT_CODE;
    c->scopes = OIDC_SCOPES_ALL;
    if (!api_body_line(x, b, "client_name", /* required */ true, LIMIT_NAME_BYTES, &name) ||
        !api_body_text(x, b, "token_endpoint_auth_method", /* required */ false, &auth) ||
        !api_body_text(x, b, "scope", /* required */ false, &scope) ||
        !api_body_text(x, b, "id_token_signed_response_alg", /* required */ false, &alg) ||
        !api_body_text(x, b, "backchannel_logout_uri", /* required */ false, &logout) || !read_grants(x, b, &c->grants) ||
        !read_uris(x, b, "redirect_uris", /* web */ false, c->redirect_uris, sizeof c->redirect_uris) ||
        !read_uris(x, b, "post_logout_redirect_uris", /* web */ false, c->logout_uris, sizeof c->logout_uris))
        return false;
    memcpy(c->name, name.p, name.len);
    c->auth = oidc_auth_of(auth);
    c->id_alg = crypto_alg_of(alg);
    if (scope.p)
        c->scopes = oidc_scopes_read(scope);
    const char *why = NULL;
    if (c->auth == OIDC_AUTH_MAX)
        why = "token_endpoint_auth_method: client_secret_basic, client_secret_post, private_key_jwt or none is wanted";
    else if (c->id_alg != CRYPTO_RS256 && c->id_alg != CRYPTO_ES256)
        why = "id_token_signed_response_alg: RS256 or ES256 is wanted";
    else if (!(c->scopes & OIDC_SCOPE(OPENID)))
        why = "scope: openid must be in it";
    else if (logout.p && !oidc_uri_valid(logout, /* web */ true))
        why = "backchannel_logout_uri: https, or http on a loopback host";
    else if (c->grants & OIDC_GRANT_CODE && !c->redirect_uris[0])
        why = "redirect_uris: at least one is wanted";
    else if (c->grants & OIDC_GRANT_CIBA && c->auth == OIDC_AUTH_NONE)
        why = "grant_types: a public client can't ask people on their devices";
    if (why) {
        http_problem(x, HTTP_BAD_BODY, "%s", why);
        return false;
    }
    if (logout.len)
        memcpy(c->backchannel_uri, logout.p, logout.len);
    return read_jwks(x, b, c);
}

/* --- told --- */
static void put_uris(struct buf *b, const char *name, const char *lines)
{
    struct slice rest = slice_str(lines);
    const char *between = "";
    buf_fmt(b, ",\"%s\":[", name);
    while (rest.len) {
        buf_puts(b, between);
        buf_json(b, slice_cut(&rest, '\n'));
        between = ",";
    }
    buf_char(b, ']');
}

static void put_client(struct buf *b, const struct oidc_client *c)
{
    const char *between = "";
    buf_fmt(b, "{\"client_id\":\"%s\",\"client_name\":", c->id.text);
    buf_json(b, slice_str(c->name));
    buf_fmt(b, ",\"token_endpoint_auth_method\":\"%s\",\"grant_types\":[", oidc_auth_name(c->auth));
    for (unsigned bit = 1; bit <= OIDC_GRANT_CIBA; bit <<= 1)
        if (c->grants & bit) {
            buf_fmt(b, "%s\"%s\"", between, oidc_grant_name(bit));
            between = ",";
        }
    buf_puts(b, "],\"scope\":\"");
    oidc_scopes_put(c->scopes, b);
    buf_fmt(b, "\",\"id_token_signed_response_alg\":\"%s\"", crypto_alg_name(c->id_alg));
    put_uris(b, "redirect_uris", c->redirect_uris);
    put_uris(b, "post_logout_redirect_uris", c->logout_uris);
    buf_puts(b, ",\"backchannel_logout_uri\":");
    buf_json(b, slice_str(c->backchannel_uri));
    buf_fmt(b, ",\"client_id_issued_at\":%lld", (long long)(c->created_us / US_SECOND));
}

void oidc_clients_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct oidc_secret secret = {""};
    struct oidc_client *c = NULL;
    if (!api_oidc(x) || !api_body_read(x, &b,
                                       "client_name redirect_uris token_endpoint_auth_method jwks grant_types scope "
                                       "id_token_signed_response_alg post_logout_redirect_uris backchannel_logout_uri"))
        goto out;
    c = calloc(1, sizeof *c);
    if (!c) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        goto out;
    }
    if (!read_client(x, &b, c))
        goto out;
    enum keer_err err = oidc_register(x->worker, c, &secret);
    if (err == KEER_ELIMIT) {
        http_problem(x, HTTP_TOO_MANY, "there are %d clients", OIDC_CLIENTS_MAX);
    } else if (err != KEER_OK) {
        http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_UNKNOWN_OUTCOME, "%s", "");
    } else {
        put_client(&x->reply, c);
        if (secret.text[0])
            buf_fmt(&x->reply, ",\"client_secret\":\"%s\",\"client_secret_expires_at\":0", secret.text);
        buf_puts(&x->reply, "}\n");
        http_reply(x, 200, HTTP_JSON);
    }
out:
    crypto_wipe(&secret, sizeof secret);
    free(c);
    api_body_release(&b);
}

struct listing {
    struct buf *out;
    const char *between;
};
static void each_client(void *ctx, const struct oidc_client *c)
{
    struct listing *l = ctx;
    buf_puts(l->out, l->between);
    put_client(l->out, c);
    buf_char(l->out, '}');
    l->between = ",";
}
static enum keer_err list(struct db *db, void *ctx) { return oidc_client_each(db, each_client, ctx); }

void oidc_clients_list(struct http_exchange *x)
{
    struct listing l = {&x->reply, ""};
    if (!api_oidc(x))
        return;
    buf_puts(&x->reply, "{\"clients\":[");
    enum keer_err err = desk_read(x->worker, list, &l);
    buf_puts(&x->reply, "]}\n");
    if (err == KEER_OK)
        http_reply(x, 200, HTTP_JSON);
    else
        http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_INTERNAL, "%s", keer_err_text(err));
}

struct removing {
    struct slice id;
    int64_t now_us;
};
static enum keer_err drop(struct db *db, void *ctx)
{
    const struct removing *r = ctx;
    return oidc_client_remove(db, r->id, r->now_us);
}

void oidc_clients_delete(struct http_exchange *x)
{
    struct removing r = {buf_view(&x->id), desk_wall_us(x->worker)};
    if (!api_oidc(x))
        return;
    enum keer_err err = desk_write(x->worker, drop, &r);
    if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no client of this id");
    } else if (err != KEER_OK) {
        http_problem(x, HTTP_UNKNOWN_OUTCOME, "%s", "");
    } else {
        buf_puts(&x->reply, "{\"removed\":true}\n");
        http_reply(x, 200, HTTP_JSON);
    }
}
