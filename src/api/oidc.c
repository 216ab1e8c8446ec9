/* oidc.c - /.well-known/openid-configuration, /oidc/jwks, and what the other endpoints of the OpenID provider share. */
#include "api/oidc.h"

struct oidc *api_oidc(struct http_exchange *x)
{
    struct api *a = x->ctx;
    if (!a->oidc)
        http_problem(x, HTTP_NOT_FOUND, "there is no OpenID provider: the daemon was started without --issuer");
    return a->oidc;
}

void api_oidc_refuse(struct http_exchange *x, const struct oidc_refusal *r, bool basic)
{
    buf_clear(&x->reply);
    buf_fmt(&x->reply, "{\"error\":\"%s\",\"error_description\":", oidc_error_name(r->error));
    buf_json(&x->reply, slice_str(r->why ? r->why : oidc_error_text(r->error)));
    buf_puts(&x->reply, "}\n");
    if (basic && r->error == OIDC_INVALID_CLIENT)
        http_set_header(x, "WWW-Authenticate", SLICE("Basic realm=\"keer\""));
    http_reply(x, oidc_error_status(r->error), HTTP_JSON);
}

void api_oidc_failed(struct http_exchange *x, enum keer_err err)
{
    bool later = err == KEER_ENOMEM || err == KEER_EFULL || err == KEER_EUNSUPPORTED;
    struct oidc_refusal r = {later ? OIDC_TEMPORARILY_UNAVAILABLE : OIDC_SERVER_ERROR, NULL};
    api_oidc_refuse(x, &r, /* basic */ false);
}

bool api_oidc_form(struct http_exchange *x, struct http_param *params, unsigned count)
{
    struct slice name;
    enum keer_err err = http_form_read(buf_view(&x->body), params, count, &x->query, &name);
    if (err == KEER_OK)
        return true;
    struct oidc_refusal r = {OIDC_INVALID_REQUEST,
                             "a parameter stands twice, is escaped wrongly, or there is too much of it"};
    if (err == KEER_ENOMEM)
        api_oidc_failed(x, err);
    else
        api_oidc_refuse(x, &r, /* basic */ false);
    return false;
}

struct slice api_oidc_session(struct http_exchange *x)
{
    struct api *a = x->ctx;
    return http_cookie(x, a->accounts->secure ? "__Host-keer" : "keer");
}

void oidc_discovery_get(struct http_exchange *x)
{
    struct oidc *o = api_oidc(x);
    if (!o)
        return;
    oidc_metadata(o, &x->reply);
    http_set_header(x, "Cache-Control", SLICE("public, max-age=3600"));
    http_set_header(x, "Access-Control-Allow-Origin", SLICE("*"));
    http_reply(x, 200, HTTP_JSON);
}

/* Without an issuer, too: answers to challenges are signed in any case. */
void oidc_jwks_get(struct http_exchange *x)
{
    struct oidc *o = ((struct api *)x->ctx)->signer;
    enum keer_err err = oidc_jwks(o, x->worker, &x->reply);
    if (err != KEER_OK) {
        api_oidc_failed(x, err);
        return;
    }
    http_set_header(x, "Cache-Control", SLICE("public, max-age=3600"));
    http_set_header(x, "Access-Control-Allow-Origin", SLICE("*"));
    http_reply(x, 200, HTTP_JSON);
}
