/* alipay_v3.c - OpenAPI v3: /v3/alipay/..., JSON bodies, signatures in headers.
 *
 *     authorization   ALIPAY-SHA256withRSA app_id=..[,app_cert_sn=..],nonce=..,timestamp=<ms>[,expired_seconds=600],sign=..
 *     sign string     what stands between the scheme and ",sign=" \n METHOD \n path?query \n body \n [app_auth_token \n]
 *     the answer      alipay-timestamp \n alipay-nonce \n body \n in alipay-signature; alipay-sn names the certificate
 *     errors          HTTP 4xx or 5xx with {"code","message"}; those of the signature itself are not signed
 */
#include "emulator/alipay.h"

#include "base/crypto.h"
#include "base/num.h"

#define SCHEME "ALIPAY-SHA256withRSA "
#define STAMP_US (10 * US_MINUTE)
#define NONCE_BYTES_MAX 128

struct authorization {
    struct slice text; /* before ,sign= */
    struct slice app_id, app_cert_sn, nonce, timestamp, sign;
};

static bool read_authorization(struct slice h, struct authorization *a)
{
    size_t scheme = strlen(SCHEME);
    if (h.len <= scheme || memcmp(h.p, SCHEME, scheme) != 0)
        return false;
    struct slice rest = slice_of(h.p + scheme, h.len - scheme);
    const char *sign = memmem(rest.p, rest.len, ",sign=", 6);
    if (!sign)
        return false;
    a->text = slice_of(rest.p, (size_t)(sign - rest.p));
    a->sign = slice_of(sign + 6, rest.len - a->text.len - 6);
    for (struct slice list = a->text; list.p;) {
        struct slice value = slice_cut(&list, ','), name = slice_cut(&value, '=');
        if (slice_eq(name, SLICE("app_id")))
            a->app_id = value;
        else if (slice_eq(name, SLICE("app_cert_sn")))
            a->app_cert_sn = value;
        else if (slice_eq(name, SLICE("nonce")))
            a->nonce = value;
        else if (slice_eq(name, SLICE("timestamp")))
            a->timestamp = value;
    }
    return true;
}

static const char *wrong_with(struct call *c)
{
    struct authorization a = {0};
    struct buf text;
    int64_t ms = 0, now_us = em_now(c->e);
    struct slice token = server_header(c->rq, "alipay-app-auth-token");
    if (!read_authorization(server_header(c->rq, "authorization"), &a))
        return "invalid-authorization";
    if (!slice_eq(a.app_id, SLICE(EM_APP_ID)))
        return "invalid-app-id";
    if (a.app_cert_sn.p && !slice_eq(a.app_cert_sn, slice_str(c->e->keys.app_cert_sn)))
        return "app-cert-sn-not-match";
    if (num_i64(a.timestamp, 0, INT64_MAX / 1000, &ms) != KEER_OK || ms * 1000 < now_us - STAMP_US ||
        ms * 1000 > now_us + STAMP_US)
        return "invalid-timestamp";
    if (!a.nonce.len || a.nonce.len > NONCE_BYTES_MAX)
        return "invalid-nonce";
    buf_init(&text, SERVER_HEAD_BYTES + SERVER_BODY_BYTES);
    struct slice lines[] = {a.text, c->rq->method, c->rq->target, c->rq->body, token};
    em_lines(lines, ARRAY_LEN(lines) - !token.len, &text);
    bool good = text.err == KEER_OK && em_verify(c->e->keys.alipay_app, buf_view(&text), a.sign);
    buf_release(&text);
    if (!good)
        return "invalid-signature";
    return em_nonce_new(c->e, EM_ALIPAY, a.nonce, now_us) ? NULL : "nonce-repeated";
}

static void put_error(struct buf *b, const char *code, const char *message)
{
    buf_fmt(b, "{\"code\":\"%s\",\"message\":\"%s\",\"links\":[]}", code, message);
}

static void sign_answer(struct call *c)
{
    struct buf text;
    unsigned char bytes[16];
    char nonce[33];
    long long ms = (long long)(em_now(c->e) / 1000);
    crypto_random(bytes, sizeof bytes);
    em_hex(bytes, sizeof bytes, nonce);
    buf_init(&text, SERVER_BODY_BYTES);
    buf_fmt(&text, "%lld\n%s\n", ms, nonce);
    struct slice body = buf_view(&c->an->body);
    em_lines(&body, 1, &text);
    buf_fmt(&c->an->headers, "alipay-timestamp: %lld\r\nalipay-nonce: %s\r\nalipay-sn: %s\r\nalipay-signature: ", ms, nonce,
            c->e->keys.alipay_cert_sn);
    em_sign(c->e->keys.alipay, buf_view(&text), c->bad_signature, &c->an->headers);
    buf_puts(&c->an->headers, "\r\n");
    buf_release(&text);
}

static void answer(struct alipay *x)
{
    struct call *c = x->c;
    struct slice members = buf_view(&x->members);
    if (x->end == ALIPAY_DROPPED || x->end == ALIPAY_BARE)
        return;
    if (x->end == ALIPAY_REFUSED) {
        c->an->status = strcmp(x->code, "20000") == 0 ? 500 : 400;
        put_error(&c->an->body, c->an->status == 500 ? "SYSTEM_ERROR" : x->sub_code, x->sub_msg);
    } else {
        c->an->status = x->end == ALIPAY_WAITS ? 202 : 200;
        buf_char(&c->an->body, '{');
        buf_slice(&c->an->body, members.len ? slice_of(members.p + 1, members.len - 1) : members); /* without its comma */
        buf_char(&c->an->body, '}');
    }
    if (c->an->status < 400 || c->an->status >= 500 || !c->unsigned_errors)
        sign_answer(c);
}

/* Queries of a GET become the members of an object. */
static bool read_query(struct call *c, struct buf *json)
{
    struct alipay_params p = {0};
    if (!em_alipay_params_add(c, c->rq->query, true, &p))
        return false;
    buf_char(json, '{');
    for (unsigned i = 0; i < p.count; i++) {
        buf_puts(json, i ? "," : "");
        buf_json(json, p.at[i].name);
        buf_char(json, ':');
        buf_json(json, p.at[i].value);
    }
    buf_char(json, '}');
    return json->err == KEER_OK;
}

static bool read_json(struct call *c, struct buf *json)
{
    struct tape_limits limits = {.bytes = SERVER_BODY_BYTES, .values = 1000, .depth = 8, .keys = 100};
    struct tape_error why;
    struct slice text = c->rq->body;
    if (!text.len) {
        if (!read_query(c, json))
            return false;
        text = buf_view(json);
    }
    return tape_read(&c->json, text, &limits, &why) == KEER_OK && tape_type(&c->json, 0) == TAPE_OBJECT;
}

void em_alipay_v3(struct call *c)
{
    struct alipay x = {.c = c};
    struct buf json;
    const char *wrong = wrong_with(c);
    const struct alipay_op *op = em_alipay_op_by_path(c->rq->method, c->rq->path);
    buf_init(&json, SERVER_BODY_BYTES);
    buf_init(&x.members, 65536);
    if (wrong) {
        atomic_fetch_add(&c->e->refused, 1);
        c->an->status = 401;
        put_error(&c->an->body, wrong, "the request is not signed as it has to be");
    } else if (!op) {
        c->an->status = 404;
        put_error(&c->an->body, "invalid-method", "there is no such path");
        sign_answer(c);
    } else if (!read_json(c, &json)) {
        c->an->status = 400;
        put_error(&c->an->body, "invalid-parameter", "the body is no JSON object");
        sign_answer(c);
    } else {
        x.notify_url = em_text(&c->json, "notify_url");
        op->run(&x);
        answer(&x);
    }
    buf_release(&x.members);
    buf_release(&json);
}
