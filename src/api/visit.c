/* visit.c - a person's browser at the pages' API. */
#include "api/visit.h"

#include "flow/client_address.h"

#define SESSION_COOKIE "__Host-keer"
#define DEVICE_COOKIE "__Host-keer-device"
#define DEVICE_COOKIE_S (365 * 86400LL)
#define USER_AGENT_BYTES 1000

/* Without the prefix for plain HTTP: a browser refuses a __Host- cookie that is not Secure. */
static const char *cookie_name(const struct accounts *a, const char *name)
{
    return a->secure ? name : name + sizeof "__Host-" - 1;
}

/* The origin of an URL without a path: the service's own. */
static bool own_origin(struct http_exchange *x, const struct accounts *a, struct slice origin)
{
    if (slice_eq(origin, slice_str(a->words.url)))
        return true;
    /* Without --public-url the service is whatever the browser calls it; a page of another host has another Origin. */
    struct slice host = http_header(x, "Host"), scheme = a->secure ? SLICE("https://") : SLICE("http://");
    return a->any_host && host.len && origin.len == scheme.len + host.len &&
           slice_eq(slice_of(origin.p, scheme.len), scheme) && slice_eqi(slice_of(origin.p + scheme.len, host.len), host);
}

static bool from_here(struct http_exchange *x, const struct accounts *a)
{
    struct slice origin = http_header(x, "Origin"), site = http_header(x, "Sec-Fetch-Site");
    if (site.p && !slice_eq(site, SLICE("same-origin")) && !slice_eq(site, SLICE("none")))
        return false;
    return !origin.p || own_origin(x, a, origin);
}

struct finding {
    struct crypto_hash hash;
    int64_t now_us;
    struct session *session;
    bool found;
};

static enum keer_err find(struct db *db, void *ctx)
{
    struct finding *f = ctx;
    enum keer_err err = session_find(db, &f->hash, f->now_us, f->session);
    f->found = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err touch(struct db *db, void *ctx)
{
    struct finding *f = ctx;
    return session_touch(db, &f->session->id, f->now_us);
}

static enum keer_err find_session(struct http_exchange *x, const struct accounts *a, struct visitor *v)
{
    struct desk_worker *w = x->worker;
    struct finding f = {.now_us = desk_wall_us(w), .session = &v->now};
    struct slice token = http_cookie(x, cookie_name(a, SESSION_COOKIE));
    if (!token.p || token_hash(token, &f.hash) != KEER_OK)
        return KEER_OK;
    enum keer_err err = desk_read(w, find, &f);
    if (err == KEER_OK && f.found) {
        v->session = v->now.id;
        if (f.now_us - v->now.used_us > SESSION_TOUCH_US)
            err = desk_write(w, touch, &f);
    }
    return err;
}

static bool may(struct http_exchange *x, enum visit_needs needs, const struct visitor *v)
{
    if (needs == VISIT_ANYBODY)
        return true;
    if (!id_is(&v->session)) {
        http_set_header(x, "WWW-Authenticate", SLICE("Session realm=\"keer\"")); /* RFC 9110 section 15.5.2 */
        http_problem(x, HTTP_NO_SESSION, "%s", "");
    } else if (needs != VISIT_PENDING && v->now.rights == SESSION_PENDING) {
        http_problem(x, HTTP_STEP_NEEDED, "%s", "");
    } else if (needs == VISIT_FULL && v->now.rights != SESSION_FULL) {
        http_problem(x, HTTP_RESTRICTED, "%s", "");
    } else {
        return true;
    }
    return false;
}

#define FORWARDED_BYTES ((size_t)16 << 10) /* a head is not longer */

static void put_address(struct http_exchange *x, const struct accounts *a, struct visitor *v)
{
    char peer[HTTP_PEER_BYTES], address[NET_TEXT_BYTES];
    struct buf forwarded;
    http_peer(x, peer);
    buf_init(&forwarded, FORWARDED_BYTES);
    if (a->proxies.count)
        http_header_list(x, "X-Forwarded-For", &forwarded);
    client_address(&a->proxies, peer, forwarded.err == KEER_OK ? buf_view(&forwarded) : SLICE(""), address);
    (void)snprintf(v->ip, sizeof v->ip, "%s", address);
    buf_release(&forwarded);
}

bool visit_begin(struct http_exchange *x, enum visit_needs needs, struct visitor *v)
{
    const struct accounts *a = visit_accounts(x);
    *v = (struct visitor){.user_agent = http_header(x, "User-Agent")};
    if (strcmp(x->route->method, "GET") != 0 && !from_here(x, a)) {
        http_problem(x, HTTP_FOREIGN_ORIGIN, "%s", "");
        return false;
    }
    put_address(x, a, v);
    v->user_agent.len = MIN_OF(v->user_agent.len, (size_t)USER_AGENT_BYTES);
    v->family = enrich_agent_family(v->user_agent);
    visitor_device(v, http_cookie(x, cookie_name(a, DEVICE_COOKIE)));
    enum keer_err err = find_session(x, a, v);
    if (err != KEER_OK) {
        visit_failed(x, err);
        return false;
    }
    return may(x, needs, v);
}

void visit_cookies(struct http_exchange *x, const struct visitor *v, const struct bearer *session)
{
    const struct accounts *a = visit_accounts(x);
    struct http_cookie device = {.name = cookie_name(a, DEVICE_COOKIE),
                                 .value = slice_str(v->device_token.text),
                                 .max_age_s = DEVICE_COOKIE_S,
                                 .secure = a->secure};
    if (v->device_new)
        http_set_cookie(x, &device);
    if (!session)
        return;
    struct http_cookie c = {.name = cookie_name(a, SESSION_COOKIE), .value = slice_str(session->text), .secure = a->secure};
    http_set_cookie(x, &c);
}

void visit_forget_session(struct http_exchange *x)
{
    const struct accounts *a = visit_accounts(x);
    struct http_cookie c = {
        .name = cookie_name(a, SESSION_COOKIE), .value = SLICE("-"), .max_age_s = -1, .secure = a->secure};
    http_set_cookie(x, &c);
}

void visit_failed(struct http_exchange *x, enum keer_err err)
{
    enum http_problem p = err == KEER_EFULL          ? HTTP_FULL
                          : err == KEER_EUNSUPPORTED ? HTTP_STARTING
                          : err == KEER_ENOMEM       ? HTTP_NO_MEMORY
                          : err == KEER_EIO          ? HTTP_UNKNOWN_OUTCOME
                                                     : HTTP_INTERNAL;
    if (p == HTTP_INTERNAL)
        log_put(desk_log(x->worker), LOG_ERROR, "%s %s failed: %s", x->route->method, x->route->path, keer_err_text(err));
    http_problem(x, p, "%s", "");
}

/* Rounded up to a few steps: how a count stands to the second is nobody's business. */
void visit_later(struct http_exchange *x, int64_t retry_us)
{
    static const struct {
        int64_t us;
        const char *seconds;
    } steps[] = {
        {2 * US_SECOND, PASSWORD_RETRY_S}, {US_MINUTE, "60"}, {10 * US_MINUTE, "600"}, {US_HOUR, "3600"}, {US_DAY, "86400"}};
    int64_t wait = retry_us ? retry_us - desk_wall_us(x->worker) : 0;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && steps[i].us < wait)
        i++;
    http_problem(x, retry_us ? HTTP_TOO_MANY_TRIES : HTTP_FULL, "%s", "");
    x->retry_after = steps[i].seconds;
}

bool visit_id(struct http_exchange *x, struct id *ret_id)
{
    if (id_parse(buf_view(&x->id), ret_id) == KEER_OK)
        return true;
    http_problem(x, HTTP_NOT_FOUND, "nothing of this id");
    return false;
}

bool visit_body_id(struct http_exchange *x, const struct api_body *b, const char *name, struct id *ret_id)
{
    struct slice text = {NULL, 0};
    if (!api_body_line(x, b, name, /* required */ true, 64, &text))
        return false;
    if (id_parse(text, ret_id) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_BODY, "%s: that is no id", name);
    return false;
}

void visit_empty(struct http_exchange *x) { http_reply_fixed(x, 200, HTTP_JSON, SLICE("{}\n")); }
