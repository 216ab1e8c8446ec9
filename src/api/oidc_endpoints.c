/* oidc_endpoints.c - what clients call: /oidc/par, token, userinfo, introspect, revoke, ciba. */
#include "api/oidc.h"

/* The credentials come first in each list of parameters. */
#define CREDENTIALS                                                                          \
    {"client_id", {NULL, 0}}, {"client_secret", {NULL, 0}}, {"client_assertion", {NULL, 0}}, \
    {                                                                                        \
        "client_assertion_type", { NULL, 0 }                                                 \
    }
enum { AT_ID, AT_SECRET, AT_ASSERTION, AT_TYPE, AT_REST };

/* Who calls; false when it was told. The client is large: it is the caller's, from the heap. */
static bool prove(struct http_exchange *x, struct oidc *o, const struct http_param *p, struct oidc_client *c)
{
    struct oidc_credentials given = {.authorization = http_header(x, "Authorization"),
                                     .client_id = p[AT_ID].value,
                                     .client_secret = p[AT_SECRET].value,
                                     .assertion = p[AT_ASSERTION].value,
                                     .assertion_type = p[AT_TYPE].value};
    struct oidc_refusal r;
    enum keer_err err = oidc_client_prove(o, x->worker, &given, c, &r);
    if (err != KEER_OK)
        api_oidc_failed(x, err);
    else if (r.error != OIDC_OK)
        api_oidc_refuse(x, &r, given.authorization.p != NULL);
    return err == KEER_OK && r.error == OIDC_OK;
}

/* The provider and the client that calls, with the parameters read; NULL when it was told. The caller frees the client. */
static struct oidc_client *begin(struct http_exchange *x, struct http_param *params, unsigned count, struct oidc **ret_oidc)
{
    struct oidc *o = api_oidc(x);
    if (!o || !api_oidc_form(x, params, count))
        return NULL;
    struct oidc_client *c = calloc(1, sizeof *c);
    if (!c) {
        api_oidc_failed(x, KEER_ENOMEM);
        return NULL;
    }
    if (!prove(x, o, params, c)) {
        free(c);
        return NULL;
    }
    *ret_oidc = o;
    return c;
}

static void finish(struct http_exchange *x, enum keer_err err, const struct oidc_refusal *r, int status)
{
    if (err != KEER_OK)
        api_oidc_failed(x, err);
    else if (r->error != OIDC_OK)
        api_oidc_refuse(x, r, /* basic */ false);
    else
        http_reply(x, status, HTTP_JSON);
}

void oidc_par_post(struct http_exchange *x)
{
    struct http_param params[AT_REST + OIDC_PARAM_MAX] = {CREDENTIALS};
    struct oidc_params given = {0};
    struct oidc_refusal r = {OIDC_OK, NULL};
    struct oidc *o;
    unsigned n = AT_REST;
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++)
        if (i != OIDC_PARAM_client_id)
            params[n++] = (struct http_param){oidc_param_name((enum oidc_param)i), {NULL, 0}};
    struct oidc_client *c = begin(x, params, n, &o);
    if (!c)
        return;
    n = AT_REST;
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++)
        if (i != OIDC_PARAM_client_id)
            given.v[i] = params[n++].value;
    enum keer_err err = oidc_push(o, x->worker, c, &given, &x->reply, &r);
    finish(x, err, &r, 201);
    free(c);
}

void oidc_token_post(struct http_exchange *x)
{
    struct http_param params[] = {CREDENTIALS,
                                  {"grant_type", {NULL, 0}},
                                  {"code", {NULL, 0}},
                                  {"redirect_uri", {NULL, 0}},
                                  {"code_verifier", {NULL, 0}},
                                  {"refresh_token", {NULL, 0}},
                                  {"scope", {NULL, 0}},
                                  {"auth_req_id", {NULL, 0}}};
    const struct http_param *p = params + AT_REST;
    struct oidc_refusal r;
    struct oidc *o;
    struct oidc_client *c = begin(x, params, ARRAY_LEN(params), &o);
    if (!c)
        return;
    struct oidc_exchange e = {p[0].value, p[1].value, p[2].value, p[3].value, p[4].value, p[5].value, p[6].value};
    enum keer_err err = oidc_token(o, x->worker, c, &e, &x->reply, &r);
    http_set_header(x, "Pragma", SLICE("no-cache")); /* RFC 6749 5.1 */
    finish(x, err, &r, 200);
    free(c);
}

/* RFC 6750 3: what is wrong with the token is in the header. */
static void userinfo(struct http_exchange *x, struct oidc *o, struct slice token)
{
    struct oidc_refusal r;
    char header[160];
    if (!token.len) { /* no word of an error when there is no token (section 3.1) */
        http_set_header(x, "WWW-Authenticate", SLICE("Bearer realm=\"keer\""));
        r = (struct oidc_refusal){OIDC_INVALID_TOKEN, "an access token is needed"};
        api_oidc_refuse(x, &r, /* basic */ false);
        return;
    }
    enum keer_err err = oidc_userinfo(o, x->worker, token, &x->reply, &r);
    if (err == KEER_OK && r.error != OIDC_OK) {
        (void)snprintf(header, sizeof header, "Bearer realm=\"keer\", error=\"%s\"", oidc_error_name(r.error));
        http_set_header(x, "WWW-Authenticate", slice_str(header));
    }
    finish(x, err, &r, 200);
}

void oidc_userinfo_get(struct http_exchange *x)
{
    struct oidc *o = api_oidc(x);
    if (o)
        userinfo(x, o, http_bearer(http_header(x, "Authorization")));
}

void oidc_userinfo_post(struct http_exchange *x)
{
    struct http_param params[] = {{"access_token", {NULL, 0}}};
    struct oidc *o = api_oidc(x);
    struct slice token = http_bearer(http_header(x, "Authorization"));
    if (o && api_oidc_form(x, params, ARRAY_LEN(params)))
        userinfo(x, o, token.p ? token : params[0].value);
}

void oidc_introspect_post(struct http_exchange *x)
{
    struct http_param params[] = {CREDENTIALS, {"token", {NULL, 0}}, {"token_type_hint", {NULL, 0}}};
    struct oidc_refusal r = {OIDC_OK, NULL};
    enum keer_err err = KEER_OK;
    struct oidc *o;
    struct oidc_client *c = begin(x, params, ARRAY_LEN(params), &o);
    if (!c)
        return;
    if (c->auth == OIDC_AUTH_NONE) /* RFC 7662 2.1: not for who proves nothing */
        r = (struct oidc_refusal){OIDC_INVALID_CLIENT, "a public client may not ask"};
    else if (!params[AT_REST].value.len)
        r = (struct oidc_refusal){OIDC_INVALID_REQUEST, "token is missing"};
    else
        err = oidc_introspect(o, x->worker, c, params[AT_REST].value, &x->reply);
    finish(x, err, &r, 200);
    free(c);
}

void oidc_revoke_post(struct http_exchange *x)
{
    struct http_param params[] = {CREDENTIALS, {"token", {NULL, 0}}, {"token_type_hint", {NULL, 0}}};
    struct oidc_refusal r = {OIDC_OK, NULL};
    enum keer_err err = KEER_OK;
    struct oidc *o;
    struct oidc_client *c = begin(x, params, ARRAY_LEN(params), &o);
    if (!c)
        return;
    if (!params[AT_REST].value.len)
        r = (struct oidc_refusal){OIDC_INVALID_REQUEST, "token is missing"};
    else
        err = oidc_revoke(o, x->worker, c, params[AT_REST].value);
    buf_puts(&x->reply, err == KEER_OK && r.error == OIDC_OK ? "{}\n" : ""); /* 200 also for one that is not known (2.2) */
    finish(x, err, &r, 200);
    free(c);
}

void oidc_ciba_post(struct http_exchange *x)
{
    struct http_param params[] = {CREDENTIALS,
                                  {"scope", {NULL, 0}},
                                  {"login_hint", {NULL, 0}},
                                  {"id_token_hint", {NULL, 0}},
                                  {"login_hint_token", {NULL, 0}},
                                  {"binding_message", {NULL, 0}},
                                  {"acr_values", {NULL, 0}},
                                  {"requested_expiry", {NULL, 0}},
                                  {"authorization_details", {NULL, 0}}};
    const struct http_param *p = params + AT_REST;
    struct oidc_refusal r;
    struct oidc *o;
    struct oidc_client *c = begin(x, params, ARRAY_LEN(params), &o);
    if (!c)
        return;
    struct oidc_backchannel b = {p[0].value, p[1].value, p[2].value, p[3].value,
                                 p[4].value, p[5].value, p[6].value, p[7].value};
    enum keer_err err = oidc_ciba(o, x->worker, c, &b, &x->reply, &r);
    finish(x, err, &r, 200);
    free(c);
}
