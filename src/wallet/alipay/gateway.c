/* gateway.c - Alipay: how a method gets there and its answer back, in both of its protocols. */
#include "wallet/alipay/alipay.h"

#include "base/num.h"

#define TEXT_BYTES (64u << 10) /* what is signed, a query, a form */

/* --- times --- */

void alipay_time_put(struct buf *b, int64_t us)
{
    struct civil c = time_civil(us + ALIPAY_ZONE_US);
    buf_fmt(b, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

bool alipay_time(struct slice text, int64_t *ret_us)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    int64_t us = 0;
    if (text.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (shape[i] == 'd' ? !ascii_digit(text.p[i]) : text.p[i] != shape[i])
            return false;
    if (time_parse(text, &us) != KEER_OK)
        return false;
    *ret_us = us - ALIPAY_ZONE_US;
    return true;
}

/* --- what is signed --- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct form_field *)a)->name, ((const struct form_field *)b)->name);
}

void alipay_sign_string(struct form_field *fields, unsigned count, bool with_type, struct buf *out)
{
    bool first = true;
    qsort(fields, count, sizeof *fields, by_name);
    for (unsigned i = 0; i < count; i++) {
        const struct form_field *f = &fields[i];
        if (!f->value.len || slice_eq(f->name, SLICE("sign")) || (!with_type && slice_eq(f->name, SLICE("sign_type"))))
            continue;
        if (!first)
            buf_char(out, '&');
        first = false;
        buf_slice(out, f->name);
        buf_char(out, '=');
        buf_slice(out, f->value);
    }
}

struct public_params { /* of a v2 request */
    struct form_field field[16];
    unsigned count;
    char time[32];
    struct buf sign;
};

static void param(struct public_params *p, const char *name, struct slice value)
{
    if (value.len) {
        ASSERT(p->count < ARRAY_LEN(p->field));
        p->field[p->count++] = (struct form_field){slice_str(name), value};
    }
}

static enum keer_err params_make(struct public_params *p, const struct alipay *a, int64_t now_us, const char *method,
                                 struct slice biz, struct slice return_url, struct slice notify_url)
{
    struct buf time, text;
    *p = (struct public_params){0};
    buf_init(&p->sign, CRYPTO_SIGNATURE_BYTES * 2);
    buf_init(&time, sizeof p->time - 1);
    buf_init(&text, TEXT_BYTES);
    alipay_time_put(&time, now_us);
    enum keer_err err = time.err;
    if (err == KEER_OK)
        (void)snprintf(p->time, sizeof p->time, "%s", time.p);
    param(p, "app_id", slice_str(a->app_id));
    param(p, "method", slice_str(method));
    param(p, "charset", SLICE("utf-8"));
    param(p, "sign_type", SLICE("RSA2"));
    param(p, "timestamp", slice_str(p->time));
    param(p, "version", SLICE("1.0"));
    param(p, "return_url", return_url);
    param(p, "notify_url", notify_url);
    param(p, "app_cert_sn", slice_str(a->app_sn));
    param(p, "alipay_root_cert_sn", slice_str(a->root_sn));
    param(p, "biz_content", biz);
    alipay_sign_string(p->field, p->count, /* with_type */ true, &text);
    if (err == KEER_OK)
        err = text.err != KEER_OK ? text.err : sign_put(a->own, buf_view(&text), &p->sign);
    if (err == KEER_OK)
        param(p, "sign", buf_view(&p->sign));
    buf_release(&time);
    buf_release(&text);
    return err;
}

/* The query: all of them, or all but biz_content, which goes into the body. */
static void params_query(const struct public_params *p, bool with_biz, struct buf *out)
{
    bool first = true;
    for (unsigned i = 0; i < p->count; i++) {
        if (!with_biz && slice_eq(p->field[i].name, SLICE("biz_content")))
            continue;
        buf_char(out, first ? '?' : '&');
        first = false;
        buf_slice(out, p->field[i].name);
        buf_char(out, '=');
        percent_put(out, p->field[i].value);
    }
}

enum keer_err alipay_page(const struct alipay *a, int64_t now_us, const char *method, struct slice biz,
                          struct slice return_url, struct slice notify_url, char ret_url[WALLET_URL_BYTES])
{
    struct public_params p;
    struct buf url;
    buf_init(&url, WALLET_URL_BYTES - 1);
    enum keer_err err = params_make(&p, a, now_us, method, biz, return_url, notify_url);
    buf_puts(&url, a->url);
    params_query(&p, /* with_biz */ true, &url);
    if (err == KEER_OK)
        err = url.err;
    if (err == KEER_OK)
        (void)snprintf(ret_url, WALLET_URL_BYTES, "%s", url.p);
    buf_release(&p.sign);
    buf_release(&url);
    return err;
}

/* --- codes --- */

static enum alipay_end by_code(struct slice code, struct slice text, struct wallet_why *why)
{
    enum { REFUSED = ALIPAY_REFUSED, UNKNOWN = ALIPAY_UNKNOWN, NOT_THERE = ALIPAY_NOT_THERE };
    static const struct {
        const char *code;
        enum alipay_end end;
        enum wallet_reason reason;
    } codes[] = {
#define ALIPAY_CODE(code, end, reason) {code, (enum alipay_end)end, WALLET_##reason},
#include "wallet/alipay/codes.def"
#undef ALIPAY_CODE
    };
    enum alipay_end end = ALIPAY_UNKNOWN;
    enum wallet_reason reason = WALLET_WALLET_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (slice_eq(code, slice_str(codes[i].code))) {
            end = codes[i].end;
            reason = codes[i].reason;
        }
    (void)driver_say(why, WALLET_UNKNOWN, reason, code, text);
    return end;
}

static enum alipay_end unknown(struct wallet_why *why, enum wallet_reason reason, struct slice code, struct slice text)
{
    (void)driver_say(why, WALLET_UNKNOWN, reason, code, text);
    return ALIPAY_UNKNOWN;
}

/* A failure of the business (40004) says in sub_code which. */
static enum alipay_end judge(const struct alipay_answer *r, struct wallet_why *why)
{
    struct slice code = driver_text(&r->tape, r->at, "code"), text = driver_text(&r->tape, r->at, "msg");
    struct slice sub = driver_text(&r->tape, r->at, "sub_code"), sub_text = driver_text(&r->tape, r->at, "sub_msg");
    if (slice_eq(code, SLICE("10000")))
        return ALIPAY_DONE;
    if (slice_eq(code, SLICE("10003")))
        return ALIPAY_WAITS;
    if (slice_eq(code, SLICE("40004")))
        return by_code(sub, sub_text.len ? sub_text : text, why);
    enum alipay_end end = by_code(code, sub_text.len ? sub_text : text, why);
    if (sub.len)
        (void)driver_say(why, WALLET_UNKNOWN, why->reason, sub, sub_text);
    return end;
}

/* --- v2 --- */

static void response_name(const char *method, char ret[80])
{
    (void)snprintf(ret, 80, "%s_response", method);
    for (char *p = ret; *p; p++)
        if (*p == '.')
            *p = '_';
}

static bool read_body(struct alipay_answer *r, struct wallet_why *why)
{
    struct tape_error error;
    if (tape_read(&r->tape, buf_view(&r->http.body), &driver_limits, &error) == KEER_OK &&
        tape_type(&r->tape, 0) == TAPE_OBJECT)
        return true;
    bool failed = r->http.status >= 500;
    (void)unknown(why, failed ? WALLET_WALLET_ERROR : WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
    return false;
}

enum alipay_end alipay_read_v2(const struct alipay *a, int64_t now_us, const char *method, struct alipay_answer *r,
                               struct wallet_why *why)
{
    char name[80];
    if (!read_body(r, why))
        return ALIPAY_UNKNOWN;
    response_name(method, name);
    uint32_t at = tape_find(&r->tape, 0, name);
    if (at == TAPE_NONE)
        at = tape_find(&r->tape, 0, "error_response");
    if (at == TAPE_NONE || tape_type(&r->tape, at) != TAPE_OBJECT)
        return unknown(why, r->http.status >= 500 ? WALLET_WALLET_ERROR : WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
    r->at = at;
    size_t begin = tape_at(&r->tape, at);
    struct slice signed_bytes = json_span(slice_of(r->http.body.p + begin, r->http.body.len - begin));
    struct slice sign = driver_text(&r->tape, 0, "sign"), sn = driver_text(&r->tape, 0, "alipay_cert_sn");
    if (!alipay_verify(a, sn, now_us, signed_bytes, sign))
        return unknown(why, WALLET_BAD_SIGNATURE, driver_text(&r->tape, at, "code"), driver_text(&r->tape, at, "sub_msg"));
    return judge(r, why);
}

static enum wallet_sent send_v2(const struct alipay *a, struct wallet_io *io, const char *method, struct slice biz,
                                struct slice notify_url, struct wallet_response *ret, enum keer_err *ret_err)
{
    struct public_params p;
    struct buf url, body;
    enum wallet_sent sent = WALLET_NEVER;
    buf_init(&url, TEXT_BYTES);
    buf_init(&body, TEXT_BYTES * 3);
    enum keer_err err = params_make(&p, a, io->now_us, method, biz, SLICE(""), notify_url);
    buf_puts(&url, a->url);
    params_query(&p, /* with_biz */ false, &url);
    buf_puts(&body, "biz_content=");
    percent_put(&body, biz);
    if (err == KEER_OK)
        err = url.err != KEER_OK ? url.err : body.err;
    if (err == KEER_OK) {
        struct wallet_request rq = {
            .method = "POST",
            .url = buf_view(&url),
            .header = {{SLICE("content-type"), SLICE("application/x-www-form-urlencoded;charset=utf-8")}},
            .headers = 1,
            .body = buf_view(&body)};
        sent = io->send(io->ctx, &rq, ret);
    }
    *ret_err = err;
    buf_release(&p.sign);
    buf_release(&url);
    buf_release(&body);
    return sent;
}

/* --- v3 --- */

/* The body as it is sent: v3 has the address of notices among the members. */
static void body_v3(struct slice biz, struct slice notify_url, struct buf *out)
{
    ASSERT(biz.len >= 2 && biz.p[biz.len - 1] == '}');
    buf_put(out, biz.p, biz.len - 1);
    if (notify_url.len) {
        buf_puts(out, biz.len > 2 ? ",\"notify_url\":" : "\"notify_url\":");
        buf_json(out, notify_url);
    }
    buf_char(out, '}');
}

static void authorize(const struct alipay *a, struct wallet_io *io, struct slice path, struct slice body, struct buf *out)
{
    struct buf auth, text, sign;
    char nonce[DRIVER_NONCE_BYTES];
    driver_nonce(io, nonce);
    buf_init(&auth, 1000);
    buf_init(&text, TEXT_BYTES * 2);
    buf_init(&sign, CRYPTO_SIGNATURE_BYTES * 2);
    buf_fmt(&auth, "app_id=%s%s%s,nonce=%s,timestamp=%lld", a->app_id, a->app_sn[0] ? ",app_cert_sn=" : "", a->app_sn, nonce,
            (long long)(io->now_us / 1000));
    buf_fmt(&text, "%s\nPOST\n", auth.p ? auth.p : "");
    buf_slice(&text, path);
    buf_char(&text, '\n');
    buf_slice(&text, body);
    buf_char(&text, '\n');
    enum keer_err err = auth.err != KEER_OK ? auth.err : text.err;
    if (err == KEER_OK)
        err = sign_put(a->own, buf_view(&text), &sign);
    if (err == KEER_OK)
        buf_fmt(out, "ALIPAY-SHA256withRSA %s,sign=%s", auth.p, sign.p);
    else
        out->err = err;
    buf_release(&auth);
    buf_release(&text);
    buf_release(&sign);
}

static enum wallet_sent send_v3(const struct alipay *a, struct wallet_io *io, const char *method, struct slice biz,
                                struct slice notify_url, struct wallet_response *ret, enum keer_err *ret_err)
{
    struct buf url, body, auth;
    enum wallet_sent sent = WALLET_NEVER;
    buf_init(&url, 2000);
    buf_init(&body, TEXT_BYTES);
    buf_init(&auth, 4000);
    struct slice origin = driver_origin(slice_str(a->url));
    buf_slice(&url, origin);
    buf_puts(&url, "/v3/");
    for (const char *p = method; *p; p++)
        buf_char(&url, *p == '.' ? '/' : *p);
    body_v3(biz, notify_url, &body);
    enum keer_err err = url.err != KEER_OK ? url.err : body.err;
    if (err == KEER_OK) {
        authorize(a, io, slice_of(url.p + origin.len, url.len - origin.len), buf_view(&body), &auth);
        err = auth.err;
    }
    if (err == KEER_OK) {
        struct wallet_request rq = {.method = "POST",
                                    .url = buf_view(&url),
                                    .header = {{SLICE("content-type"), SLICE("application/json")},
                                               {SLICE("accept"), SLICE("application/json")},
                                               {SLICE("authorization"), buf_view(&auth)},
                                               {SLICE("alipay-root-cert-sn"), slice_str(a->root_sn)}},
                                    .headers = a->root_sn[0] ? 4 : 3,
                                    .body = buf_view(&body)};
        sent = io->send(io->ctx, &rq, ret);
    }
    *ret_err = err;
    buf_release(&url);
    buf_release(&body);
    buf_release(&auth);
    return sent;
}

/* Some gateways leave the refusals of v3 unsigned (the SDKs don't verify them either). Such a one counts for nothing by itself;
 * whoever called asks by number, and gets that signed. Refusals of the request itself, and 'too often', are told apart: they
 * say nothing of what was asked. */
static enum wallet_reason unsigned_reason(int status)
{
    if (status >= 500)
        return WALLET_WALLET_ERROR;
    if (status == 429)
        return WALLET_TOO_OFTEN;
    return status >= 400 && status != 401 && status != 403 && status != 408 ? WALLET_UNSIGNED_REFUSAL : WALLET_BAD_SIGNATURE;
}

/* The three headers, and the body as it came. */
static enum alipay_end verify_v3(const struct alipay *a, int64_t now_us, const struct wallet_response *http,
                                 struct wallet_why *why)
{
    struct slice head = buf_view(&http->head), time = wallet_head_find(head, "alipay-timestamp");
    struct slice nonce = wallet_head_find(head, "alipay-nonce"), sign = wallet_head_find(head, "alipay-signature");
    struct slice sn = wallet_head_find(head, "alipay-sn");
    int64_t ms = 0;
    struct buf text;
    if (!sign.len)
        return unknown(why, unsigned_reason(http->status), SLICE(""), SLICE(""));
    buf_init(&text, WALLET_ANSWER_BYTES + WALLET_HEAD_BYTES);
    buf_slice(&text, time);
    buf_char(&text, '\n');
    buf_slice(&text, nonce);
    buf_char(&text, '\n');
    buf_slice(&text, buf_view(&http->body));
    buf_char(&text, '\n');
    bool good = text.err == KEER_OK && alipay_verify(a, sn, now_us, buf_view(&text), sign);
    buf_release(&text);
    if (!good)
        return unknown(why, WALLET_BAD_SIGNATURE, SLICE(""), SLICE(""));
    if (num_i64(time, 0, US_TIME_MAX / 1000, &ms) != KEER_OK || ms * 1000 < now_us - ALIPAY_FRESH_US ||
        ms * 1000 > now_us + ALIPAY_FRESH_US)
        return unknown(why, WALLET_STALE_ANSWER, SLICE(""), SLICE(""));
    return ALIPAY_DONE;
}

enum alipay_end alipay_read_v3(const struct alipay *a, int64_t now_us, struct alipay_answer *r, struct wallet_why *why)
{
    enum alipay_end end = verify_v3(a, now_us, &r->http, why);
    if (end != ALIPAY_DONE)
        return end;
    if (!read_body(r, why))
        return ALIPAY_UNKNOWN;
    struct slice code = driver_text(&r->tape, 0, "code");
    if (slice_eq(code, SLICE("10003")))
        return ALIPAY_WAITS;
    if (r->http.status == 200 && (!code.p || slice_eq(code, SLICE("10000"))))
        return ALIPAY_DONE;
    return by_code(code, driver_text(&r->tape, 0, "message"), why);
}

/* --- both --- */

enum alipay_end alipay_call(const struct alipay *a, struct wallet_io *io, const char *method, const struct buf *biz,
                            struct slice notify_url, struct alipay_answer *ret, struct wallet_why *why)
{
    enum keer_err err = biz->err;
    enum wallet_sent sent = WALLET_NEVER;
    *ret = (struct alipay_answer){0};
    wallet_response_init(&ret->http);
    if (err == KEER_OK)
        sent = a->v3 ? send_v3(a, io, method, buf_view(biz), notify_url, &ret->http, &err)
                     : send_v2(a, io, method, buf_view(biz), notify_url, &ret->http, &err);
    if (err != KEER_OK) {
        (void)driver_unmade(why, err);
        return ALIPAY_NOT_SENT;
    }
    if (sent != WALLET_ANSWERED) {
        (void)driver_lost(why, sent);
        return sent == WALLET_NEVER ? ALIPAY_NOT_SENT : ALIPAY_UNKNOWN;
    }
    return a->v3 ? alipay_read_v3(a, io->now_us, ret, why) : alipay_read_v2(a, io->now_us, method, ret, why);
}

void alipay_answer_release(struct alipay_answer *r)
{
    wallet_response_release(&r->http);
    tape_release(&r->tape);
}
