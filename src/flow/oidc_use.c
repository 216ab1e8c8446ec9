/* oidc_use.c - what tokens are good for: userinfo (OpenID Connect Core 5.3), introspection (RFC 7662), revocation (RFC
 * 7009). */
#include "flow/oidc_inside.h"

struct using
{
    struct slice token;
    const struct oidc_client *client; /* who asks; NULL: whoever holds the token */
    int64_t now_us;
    bool found;
    struct oidc_token row;
    struct oidc_grant grant;
    struct buf person;
};

/* The token, with what it rests on. */
static enum keer_err find(struct db *db, struct using *u)
{
    enum keer_err err = oidc_token_find(db, u->token, u->now_us, &u->row, &u->grant);
    if (err == KEER_OK)
        err = oidc_grant_holds(db, &u->grant, u->now_us);
    u->found = err == KEER_OK && (!u->client || id_eq(&u->client->id, &u->grant.client));
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err find_person(struct db *db, void *ctx)
{
    struct using *u = ctx;
    enum keer_err err = find(db, u);
    if (err == KEER_OK && u->found && u->row.kind == OIDC_TOKEN_ACCESS)
        err = oidc_person(db, &u->grant.account,
                          u->grant.claims & (oidc_claims_of_scopes(u->row.scopes) | ~oidc_claims_of_scopes(u->grant.scopes)),
                          &u->person);
    return err;
}

static void print_person(const struct using *u, struct buf *out)
{
    buf_fmt(out, "{\"sub\":\"%s\"", u->grant.account.text);
    buf_slice(out, buf_view(&u->person));
    buf_puts(out, "}\n");
}

enum keer_err oidc_userinfo(struct oidc *o, struct desk_worker *w, struct slice token, struct buf *out,
                            struct oidc_refusal *ret_refusal)
{
    struct using u = {.token = token, .now_us = desk_wall_us(w)};
    UNUSED(o);
    buf_init(&u.person, OIDC_PARAMS_BYTES);
    enum keer_err err = desk_read(w, find_person, &u);
    *ret_refusal = (struct oidc_refusal){OIDC_OK, NULL};
    if (!u.found || u.row.kind != OIDC_TOKEN_ACCESS)
        ret_refusal->error = OIDC_INVALID_TOKEN;
    else if (!(u.row.scopes & OIDC_SCOPE(OPENID)))
        ret_refusal->error = OIDC_INSUFFICIENT_SCOPE;
    else
        print_person(&u, out);
    buf_release(&u.person);
    return err == KEER_OK ? out->err : err;
}

static enum keer_err find_any(struct db *db, void *ctx) { return find(db, ctx); }

enum keer_err oidc_introspect(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, struct slice token,
                              struct buf *out)
{
    struct using u = {.token = token, .client = c, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_read(w, find_any, &u);
    if (err != KEER_OK)
        return err;
    if (!u.found) { /* another client's too: nothing is told of it (RFC 7662 2.2) */
        buf_puts(out, "{\"active\":false}\n");
        return out->err;
    }
    const struct oidc_grant *g = &u.grant;
    buf_puts(out, "{\"active\":true,\"scope\":\"");
    oidc_scopes_put(u.row.scopes, out);
    buf_fmt(out,
            "\",\"client_id\":\"%s\",\"token_type\":\"%s\",\"exp\":%lld,\"iat\":%lld,\"sub\":\"%s\",\"aud\":\"%s\",\"iss\":"
            "\"%s\"",
            g->client.text, u.row.kind == OIDC_TOKEN_ACCESS ? "Bearer" : "refresh_token",
            (long long)(u.row.until_us / US_SECOND), (long long)(u.row.created_us / US_SECOND), g->account.text,
            g->client.text, o->issuer);
    /* RFC 9470 6.2: what a resource server decides on. */
    buf_fmt(out, ",\"acr\":\"%s\",\"auth_time\":%lld,\"amr\":", g->acr, (long long)(g->auth_us / US_SECOND));
    oidc_amr_json(g->amr, out);
    if (g->details[0])
        buf_fmt(out, ",\"authorization_details\":%s", g->details);
    buf_puts(out, "}\n");
    return out->err;
}

static enum keer_err revoke(struct db *db, void *ctx)
{
    struct using *u = ctx;
    enum keer_err err = find(db, u);
    /* The whole grant: what else came of it was got with the same consent (RFC 7009 2.1). */
    return err == KEER_OK && u->found ? oidc_grant_end(db, &u->grant.id, "revoked", u->now_us) : err;
}

enum keer_err oidc_revoke(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, struct slice token)
{
    struct using u = {.token = token, .client = c, .now_us = desk_wall_us(w)};
    UNUSED(o);
    return desk_write(w, revoke, &u);
}
