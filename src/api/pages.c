/* pages.c - the hosted pages and what they load, from the program itself. */
#include "api/pages.h"

#include "api/api.h"
#include "base/hash.h"

#define LANGUAGE_ELSE "en"
#define LANGUAGE_COOKIE "keer-lang"
#define LANGUAGES_READ_MAX 32 /* of Accept-Language */

const struct page_file *page_find(struct slice name, struct slice lang)
{
    for (size_t i = 0; i < page_files_count; i++)
        if (slice_eq(name, slice_str(page_files[i].name)) && slice_eq(lang, slice_str(page_files[i].lang)))
            return &page_files[i];
    return NULL;
}

const char *page_asset(const char *name)
{
    for (size_t i = 0; i < page_files_count; i++) {
        const char *dash = strchr(page_files[i].name, '-');
        if (!page_files[i].lang[0] && dash && strcmp(dash + 1, name) == 0)
            return page_files[i].name;
    }
    return "";
}

const char *page_language_code(struct slice code)
{
    for (size_t i = 0; code.len && i < page_files_count; i++)
        if (slice_eqi(code, slice_str(page_files[i].lang)))
            return page_files[i].lang;
    return NULL;
}

/* A weight in thousandths: "0", "1", "0.8", "1.000" (RFC 9110 section 12.4.2); 0 for what is none. */
static unsigned weight(struct slice q)
{
    unsigned w, scale = 100;
    if (!q.len || q.len > 5 || (q.p[0] != '0' && q.p[0] != '1') || (q.len > 1 && q.p[1] != '.'))
        return 0;
    w = q.p[0] == '1' ? 1000 : 0;
    for (size_t i = 2; i < q.len; i++, scale /= 10) {
        if (q.p[i] < '0' || q.p[i] > '9')
            return 0;
        w += (unsigned)(q.p[i] - '0') * scale;
    }
    return MIN_OF(w, 1000u);
}

const char *page_language(struct slice accept)
{
    const char *best = LANGUAGE_ELSE;
    unsigned best_weight = 0;
    for (unsigned i = 0; accept.p && i < LANGUAGES_READ_MAX; i++) {
        struct slice range = slice_cut(&accept, ','), tag = slice_trim(slice_cut(&range, ';'));
        unsigned w = 1000;
        while (range.p) {
            struct slice parameter = slice_trim(slice_cut(&range, ';'));
            if (parameter.len > 2 && (parameter.p[0] | 0x20) == 'q' && parameter.p[1] == '=')
                w = weight(slice_of(parameter.p + 2, parameter.len - 2));
        }
        const char *code = page_language_code(slice_cut(&tag, '-'));
        if (code && w > best_weight) {
            best = code;
            best_weight = w;
        }
    }
    return best;
}

/* Said by every page; what can't be said is refused. Payment Request is what Secure Payment Confirmation is asked through.
 */
static void page_headers(struct http_exchange *x)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
         "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types "
         "'none'"},
        {"Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), payment=(self), "
                               "clipboard-write=(self), camera=(), microphone=(), geolocation=(), usb=(), serial=()"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
        {"Vary", "Accept-Language, Cookie"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        http_set_header(x, rows[i].name, slice_str(rows[i].value));
}

/* Whether the browser has what it asks for (RFC 9110 section 13.1.2). Every tag here is strong and without a comma. */
static bool is_known(struct http_exchange *x, const char *etag)
{
    struct slice known = http_header(x, "If-None-Match");
    while (known.p) {
        struct slice tag = slice_trim(slice_cut(&known, ','));
        if (tag.len > 2 && tag.p[0] == 'W' && tag.p[1] == '/')
            tag = slice_of(tag.p + 2, tag.len - 2);
        if (slice_eq(tag, slice_str(etag)) || slice_eq(tag, SLICE("*")))
            return true;
    }
    return false;
}

static void tagged(struct http_exchange *x, const char *etag)
{
    http_set_header(x, "ETag", slice_str(etag));
    http_set_header(x, "Cross-Origin-Resource-Policy", SLICE("same-origin"));
}

void page_print(const struct page_file *f, struct slice service, struct buf *out)
{
    struct slice rest = slice_of(f->body, f->len);
    while (rest.p) {
        buf_slice(out, slice_cut(&rest, PAGE_SERVICE));
        if (rest.p)
            buf_html(out, service);
    }
}

static void remember_language(struct http_exchange *x, const char *code)
{
    const struct api *a = x->ctx;
    bool secure = http_secure(x) || (a->accounts && a->accounts->secure);
    char line[128];
    (void)snprintf(line, sizeof line, LANGUAGE_COOKIE "=%s; Path=/; Max-Age=31536000; SameSite=Lax%s", code,
                   secure ? "; Secure" : "");
    http_set_header(x, "Set-Cookie", slice_str(line));
}

void page_get(struct http_exchange *x)
{
    static const struct hash_key any = {0, 0}; /* the name is the operator's */
    const struct api *a = x->ctx;
    const char *asked = page_language_code(http_query_one(x, "lang")), *lang = asked;
    struct slice path = slice_str(x->route->path + 1);
    struct slice service = a->accounts ? slice_str(a->accounts->words.service) : SLICE("Keersluis");
    char etag[64];
    if (!lang)
        lang = page_language_code(http_cookie(x, LANGUAGE_COOKIE));
    if (!lang)
        lang = page_language(http_header(x, "Accept-Language"));
    const struct page_file *f = page_find(slice_cut(&path, '/'), slice_str(lang));
    if (!f) {
        http_problem(x, HTTP_INTERNAL, "a page of the routes is not in the program");
        return;
    }
    if (asked)
        remember_language(x, asked);
    page_headers(x);
    http_set_header(x, "Content-Language", slice_str(lang));
    http_set_header(x, "Cache-Control", SLICE("no-cache"));
    (void)snprintf(etag, sizeof etag, "%.17s-%016llx\"", f->etag,
                   (unsigned long long)hash_bytes(any, service.p, service.len).lo);
    tagged(x, etag);
    bool known = is_known(x, etag);
    if (!known)
        page_print(f, service, &x->reply);
    http_reply(x, known ? 304 : 200, f->type);
}

void asset_get(struct http_exchange *x)
{
    const struct page_file *f = page_find(buf_view(&x->id), SLICE(""));
    if (!f) {
        http_problem(x, HTTP_NOT_FOUND, "no file has this name: the page that named it is of another version");
        return;
    }
    http_set_header(x, "Cache-Control", SLICE("public, max-age=31536000, immutable"));
    tagged(x, f->etag);
    bool known = is_known(x, f->etag);
    http_reply_fixed(x, known ? 304 : 200, f->type, known ? SLICE("") : slice_of(f->body, f->len));
}

/* Where password managers look for it (W3C, A Well-Known URL for Changing Passwords). */
void change_password_get(struct http_exchange *x) { http_redirect(x, 302, SLICE("/security#password")); }
