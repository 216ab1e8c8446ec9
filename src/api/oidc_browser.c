/* oidc_browser.c - /oidc/authorize and /oidc/logout: where browsers come by. */
#include "api/oidc.h"
#include "api/pages.h"
#include "api/visit.h"

/* No form-action: browsers hold it against where the answer redirects to as well, which is the client's. */
#define POLICY "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"

/* A page of ours, plain: it is seen when a client is wrong, or by who signs out. */
static void page(struct http_exchange *x, int status, const char *title, const char *text, const char *more)
{
    struct buf *b = &x->reply;
    buf_clear(b);
    buf_puts(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>");
    buf_html(b, slice_str(title));
    buf_fmt(b, "</title><link rel=\"icon\" href=\"/assets/%s\"><link rel=\"stylesheet\" href=\"/assets/%s\">",
            page_asset("mark.svg"), page_asset("style.css"));
    buf_puts(b, "</head><body><main><section class=\"card\"><h1>");
    buf_html(b, slice_str(title));
    buf_puts(b, "</h1><p class=\"lead\">");
    buf_html(b, slice_str(text));
    buf_fmt(b, "</p>%s</section></main></body></html>\n", more);
    http_set_header(x, "Content-Security-Policy", SLICE(POLICY));
    http_set_header(x, "Referrer-Policy", SLICE("no-referrer"));
    http_reply(x, status, HTTP_HTML);
}

static void page_of(struct http_exchange *x, enum oidc_error error, const char *why)
{
    page(x, oidc_error_status(error) < 500 ? 400 : oidc_error_status(error), "This request can't be taken",
         why ? why : oidc_error_text(error), "");
}

static void answer(struct http_exchange *x, enum keer_err err, struct oidc_answer *a)
{
    if (err != KEER_OK) {
        page_of(x, err == KEER_EIO ? OIDC_SERVER_ERROR : OIDC_TEMPORARILY_UNAVAILABLE, NULL);
    } else if (a->next == OIDC_SHOW) {
        page_of(x, a->refusal.error, a->refusal.why);
    } else {
        http_set_header(x, "Referrer-Policy", SLICE("no-referrer"));
        http_redirect(x, 303, buf_view(&a->url));
    }
    oidc_answer_release(a);
}

/* Parameters into their places; false when the page was told. */
static bool read_query(struct http_exchange *x, struct http_param *params, unsigned count)
{
    enum keer_err err = http_query_form(x, params, count);
    if (err != KEER_OK)
        page_of(x, err == KEER_ENOMEM ? OIDC_TEMPORARILY_UNAVAILABLE : OIDC_INVALID_REQUEST,
                "a parameter stands twice, is escaped wrongly, or there is too much of it");
    return err == KEER_OK;
}

void oidc_authorize_get(struct http_exchange *x)
{
    struct http_param params[OIDC_PARAM_MAX];
    struct oidc_params given;
    struct oidc_answer a = {0};
    struct oidc *o = api_oidc(x);
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++)
        params[i] = (struct http_param){oidc_param_name((enum oidc_param)i), {NULL, 0}};
    if (!o || !read_query(x, params, OIDC_PARAM_MAX))
        return;
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++)
        given.v[i] = params[i].value;
    answer(x, oidc_authorize(o, x->worker, api_oidc_session(x), &given, &a), &a);
}

/* As a GET of the same: a form that another site sends has no cookie of ours with it (SameSite), a navigation has. */
void oidc_authorize_post(struct http_exchange *x)
{
    struct buf url;
    if (!api_oidc(x))
        return;
    buf_init(&url, HTTP_QUERY_BYTES);
    buf_puts(&url, "/oidc/authorize?");
    for (size_t i = 0; i < x->body.len; i++) {
        char c = x->body.p[i], l = ascii_lower(c);
        if ((l >= 'a' && l <= 'z') || ascii_digit(c) || (c && strchr("-._~%&=+", c)))
            buf_char(&url, c);
        else
            buf_fmt(&url, "%%%02X", (unsigned)(unsigned char)c);
    }
    if (url.err == KEER_OK)
        http_redirect(x, 303, buf_view(&url));
    else
        page_of(x, url.err == KEER_ENOMEM ? OIDC_TEMPORARILY_UNAVAILABLE : OIDC_INVALID_REQUEST,
                "the request is too long: push it");
    buf_release(&url);
}

void oidc_resume_get(struct http_exchange *x)
{
    struct http_param params[] = {{"request", {NULL, 0}}, {"cancel", {NULL, 0}}};
    struct oidc_answer a = {0};
    struct oidc *o = api_oidc(x);
    if (!o || !read_query(x, params, ARRAY_LEN(params)))
        return;
    struct slice id = params[0].value.p ? params[0].value : SLICE("");
    answer(x, oidc_resume(o, x->worker, api_oidc_session(x), id, params[1].value.len != 0, &a), &a);
}

/* --- sign-out --- */
static const char *const logout_names[] = {"id_token_hint", "client_id", "post_logout_redirect_uri", "state"};

/* Asks the person; what was given comes along. */
static void ask(struct http_exchange *x, const struct http_param *params)
{
    struct buf form;
    buf_init(&form, 4 * HTTP_QUERY_BYTES);
    buf_puts(&form,
             "<form method=\"post\" action=\"/oidc/logout\"><input type=\"hidden\" name=\"confirmed\" value=\"yes\">");
    for (size_t i = 0; i < ARRAY_LEN(logout_names); i++)
        if (params[i].value.len) {
            buf_fmt(&form, "<input type=\"hidden\" name=\"%s\" value=\"", logout_names[i]);
            buf_html(&form, params[i].value);
            buf_puts(&form, "\">");
        }
    buf_puts(&form, "<button class=\"primary\">Sign out</button></form>");
    if (form.err == KEER_OK)
        page(x, 200, "Sign out?", "You are signed in here. Do you want to sign out?", form.p);
    else
        page_of(x, OIDC_TEMPORARILY_UNAVAILABLE, NULL);
    buf_release(&form);
}

/* Whether a form was sent by our own page: its `confirmed` is worth nothing else (cross-site request forgery). */
static bool is_own(struct http_exchange *x, const struct oidc *o)
{
    struct slice site = http_header(x, "Sec-Fetch-Site"), origin = http_header(x, "Origin"),
                 issuer = slice_str(oidc_issuer(o));
    if (site.p)
        return slice_eq(site, SLICE("same-origin"));
    return origin.p && origin.len <= issuer.len && memcmp(origin.p, issuer.p, origin.len) == 0 &&
           (origin.len == issuer.len || issuer.p[origin.len] == '/');
}

static void sign_out(struct http_exchange *x, struct oidc *o, const struct http_param *params, bool confirmed)
{
    struct oidc_signing_out s = {.session = api_oidc_session(x),
                                 .id_token_hint = params[0].value,
                                 .client_id = params[1].value,
                                 .redirect_uri = params[2].value,
                                 .state = params[3].value,
                                 .confirmed = confirmed};
    struct oidc_answer a = {0};
    bool ended = false;
    enum keer_err err = oidc_sign_out(o, x->worker, &s, &a, &ended);
    if (ended)
        visit_forget_session(x);
    if (err == KEER_OK && a.next == OIDC_TO_PAGE) {
        if (ended || !s.session.p)
            page(x, 200, "You are signed out", "You can close this page.", "");
        else
            ask(x, params);
        oidc_answer_release(&a);
        return;
    }
    answer(x, err, &a);
}

static void logout_params(struct http_param *params)
{
    for (size_t i = 0; i < ARRAY_LEN(logout_names); i++)
        params[i] = (struct http_param){logout_names[i], {NULL, 0}};
    params[ARRAY_LEN(logout_names)] = (struct http_param){"confirmed", {NULL, 0}};
}

void oidc_logout_get(struct http_exchange *x)
{
    struct http_param params[ARRAY_LEN(logout_names) + 1];
    struct oidc *o = api_oidc(x);
    logout_params(params);
    if (o && read_query(x, params, ARRAY_LEN(params)))
        sign_out(x, o, params, /* confirmed */ false);
}

void oidc_logout_post(struct http_exchange *x)
{
    struct http_param params[ARRAY_LEN(logout_names) + 1];
    struct oidc *o = api_oidc(x);
    logout_params(params);
    if (o && api_oidc_form(x, params, ARRAY_LEN(params)))
        sign_out(x, o, params, params[ARRAY_LEN(logout_names)].value.len && is_own(x, o));
}
