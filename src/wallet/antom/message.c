/* message.c - Antom: how a message is signed both ways, how one gets there and its answer back. */
#include "wallet/antom/antom.h"

#include "base/num.h"

#define TEXT_BYTES (64u << 10)

/* --- signatures --- */

void antom_sign_string(struct slice path, struct slice client, struct slice time, struct slice body, struct buf *out)
{
    buf_puts(out, "POST ");
    buf_slice(out, path);
    buf_char(out, '\n');
    buf_slice(out, client);
    buf_char(out, '.');
    buf_slice(out, time);
    buf_char(out, '.');
    buf_slice(out, body);
}

enum keer_err antom_signature(const struct antom *a, struct slice path, struct slice time, struct slice body,
                              struct buf *out)
{
    struct buf text, base64;
    buf_init(&text, TEXT_BYTES * 2);
    buf_init(&base64, CRYPTO_SIGNATURE_BYTES * 2);
    antom_sign_string(path, slice_str(a->client_id), time, body, &text);
    enum keer_err err = text.err != KEER_OK ? text.err : sign_put(a->own, buf_view(&text), &base64);
    buf_fmt(out, "algorithm=RSA256,keyVersion=%lld,signature=", (long long)a->own_version);
    percent_put(out, buf_view(&base64));
    buf_release(&text);
    buf_release(&base64);
    return err != KEER_OK ? err : out->err;
}

/* "algorithm=RSA256, keyVersion=1, signature=..." in any order; the signature percent-encoded. */
static const struct crypto_key *read_signature(const struct antom *a, struct slice header, struct buf *ret_base64)
{
    struct slice signature = {NULL, 0};
    int64_t version = 0;
    bool rsa = false;
    while (header.p) {
        struct slice value = slice_cut(&header, ',');
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_eqi(name, SLICE("algorithm")))
            rsa = slice_eq(slice_trim(value), SLICE("RSA256"));
        else if (slice_eqi(name, SLICE("keyVersion")) && num_i64(slice_trim(value), 1, 1000000, &version) != KEER_OK)
            return NULL;
        else if (slice_eqi(name, SLICE("signature")))
            signature = slice_trim(value);
    }
    if (!rsa || !signature.len || percent_get(ret_base64, signature, /* plus */ false) != KEER_OK)
        return NULL;
    for (unsigned i = 0; i < a->keys; i++)
        if (a->version[i] == version)
            return a->key[i];
    return NULL;
}

/* Milliseconds since 1970, as the clients send them, or ISO 8601, as the documents say. */
static bool read_time(struct slice text, int64_t *ret_us)
{
    int64_t ms = 0;
    if (num_i64(text, 0, US_TIME_MAX / 1000, &ms) != KEER_OK)
        return text.len >= 19 && time_parse(text, ret_us) == KEER_OK;
    *ret_us = ms * 1000;
    return true;
}

enum wallet_verdict antom_verify(const struct antom *a, const struct antom_message *m, int64_t now_us)
{
    struct buf text, base64;
    int64_t time_us = 0;
    buf_init(&text, WALLET_ANSWER_BYTES + WALLET_HEAD_BYTES);
    buf_init(&base64, CRYPTO_SIGNATURE_BYTES * 2);
    const struct crypto_key *key = read_signature(a, m->signature, &base64);
    antom_sign_string(m->path, slice_str(a->client_id), m->time, m->body, &text);
    bool good = key && text.err == KEER_OK && sign_verify(key, buf_view(&text), buf_view(&base64));
    buf_release(&text);
    buf_release(&base64);
    if (!good)
        return WALLET_FORGED;
    if (!read_time(m->time, &time_us) || time_us < now_us - ANTOM_FRESH_US || time_us > now_us + ANTOM_FRESH_US)
        return WALLET_STALE;
    return WALLET_GENUINE;
}

/* --- answers --- */

static enum antom_end unknown(struct wallet_why *why, enum wallet_reason reason, struct slice code, struct slice text)
{
    (void)driver_say(why, WALLET_UNKNOWN, reason, code, text);
    return ANTOM_UNKNOWN;
}

enum antom_end antom_code(struct slice code, struct slice text, struct wallet_why *why)
{
    enum { REFUSED = ANTOM_REFUSED, UNKNOWN = ANTOM_UNKNOWN, NOT_THERE = ANTOM_NOT_THERE, GONE = ANTOM_GONE };
    static const struct {
        const char *code;
        enum antom_end end;
        enum wallet_reason reason;
    } codes[] = {
#define ANTOM_CODE(code, end, reason) {code, (enum antom_end)end, WALLET_##reason},
#include "wallet/antom/codes.def"
#undef ANTOM_CODE
    };
    enum antom_end end = ANTOM_REFUSED;
    enum wallet_reason reason = WALLET_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (slice_eq(code, slice_str(codes[i].code))) {
            end = codes[i].end;
            reason = codes[i].reason;
        }
    (void)driver_say(why, WALLET_UNKNOWN, reason, code, text);
    return end;
}

static enum antom_end judge(const struct antom_answer *r, struct wallet_why *why)
{
    const struct tape *t = &r->tape;
    uint32_t result = tape_find(t, 0, "result");
    if (result == TAPE_NONE)
        return unknown(why, WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
    struct slice status = driver_text(t, result, "resultStatus"), code = driver_text(t, result, "resultCode");
    struct slice text = driver_text(t, result, "resultMessage");
    if (slice_eq(status, SLICE("S")))
        return ANTOM_DONE;
    if (slice_eq(status, SLICE("F")))
        return antom_code(code, text, why);
    if (!slice_eq(status, SLICE("U")))
        return unknown(why, WALLET_GARBLED_ANSWER, code, text);
    if (slice_eq(code, SLICE("PAYMENT_IN_PROCESS")) || slice_eq(code, SLICE("REFUND_IN_PROCESS")))
        return ANTOM_WAITS;
    return unknown(why, WALLET_WALLET_ERROR, code, text);
}

enum antom_end antom_read(const struct antom *a, int64_t now_us, struct slice path, struct antom_answer *r,
                          struct wallet_why *why)
{
    struct tape_error error;
    struct slice head = buf_view(&r->http.head);
    struct antom_message m = {path, wallet_head_find(head, "response-time"), wallet_head_find(head, "signature"),
                              buf_view(&r->http.body)};
    if (!m.signature.len)
        return unknown(why, r->http.status >= 500 ? WALLET_WALLET_ERROR : WALLET_BAD_SIGNATURE, SLICE(""), SLICE(""));
    switch (antom_verify(a, &m, now_us)) {
    case WALLET_GENUINE: break;
    case WALLET_STALE: return unknown(why, WALLET_STALE_ANSWER, SLICE(""), SLICE(""));
    case WALLET_FORGED:
    case WALLET_PROBE:
    case WALLET_GARBLED: return unknown(why, WALLET_BAD_SIGNATURE, SLICE(""), SLICE(""));
    }
    if (tape_read(&r->tape, m.body, &driver_limits, &error) != KEER_OK || tape_type(&r->tape, 0) != TAPE_OBJECT)
        return unknown(why, WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
    return judge(r, why);
}

static enum wallet_sent send_signed(const struct antom *a, struct wallet_io *io, struct slice path, struct slice body,
                                    struct wallet_response *ret, enum keer_err *ret_err)
{
    struct buf url, signature;
    char time[24];
    enum wallet_sent sent = WALLET_NEVER;
    buf_init(&url, ANTOM_URL_BYTES * 2);
    buf_init(&signature, CRYPTO_SIGNATURE_BYTES * 4);
    (void)snprintf(time, sizeof time, "%lld", (long long)(io->now_us / 1000));
    buf_slice(&url, driver_origin(slice_str(a->url)));
    buf_slice(&url, path);
    enum keer_err err = antom_signature(a, path, slice_str(time), body, &signature);
    if (err == KEER_OK)
        err = url.err;
    if (err == KEER_OK) {
        struct wallet_request rq = {.method = "POST",
                                    .url = buf_view(&url),
                                    .header = {{SLICE("content-type"), SLICE("application/json; charset=UTF-8")},
                                               {SLICE("client-id"), slice_str(a->client_id)},
                                               {SLICE("request-time"), slice_str(time)},
                                               {SLICE("signature"), buf_view(&signature)}},
                                    .headers = 4,
                                    .body = body};
        sent = io->send(io->ctx, &rq, ret);
    }
    *ret_err = err;
    buf_release(&url);
    buf_release(&signature);
    return sent;
}

enum antom_end antom_call(const struct antom *a, struct wallet_io *io, const char *path, const struct buf *body,
                          struct antom_answer *ret, struct wallet_why *why)
{
    char whole[ANTOM_URL_BYTES + 64];
    enum keer_err err = body->err;
    enum wallet_sent sent = WALLET_NEVER;
    *ret = (struct antom_answer){0};
    wallet_response_init(&ret->http);
    (void)snprintf(whole, sizeof whole, "%s%s", a->base, path);
    if (err == KEER_OK)
        sent = send_signed(a, io, slice_str(whole), buf_view(body), &ret->http, &err);
    if (err != KEER_OK) {
        (void)driver_unmade(why, err);
        return ANTOM_NOT_SENT;
    }
    if (sent != WALLET_ANSWERED) {
        (void)driver_lost(why, sent);
        return sent == WALLET_NEVER ? ANTOM_NOT_SENT : ANTOM_UNKNOWN;
    }
    return antom_read(a, io->now_us, slice_str(whole), ret, why);
}

void antom_answer_release(struct antom_answer *r)
{
    wallet_response_release(&r->http);
    tape_release(&r->tape);
}

/* --- money --- */

bool antom_money(const struct tape *t, uint32_t at, const char *member, int64_t *ret_minor, enum currency *ret_currency)
{
    uint32_t money = tape_find(t, at, member);
    if (money == TAPE_NONE)
        return false;
    enum currency currency = currency_parse(driver_text(t, money, "currency"));
    if (currency == CUR_MAX || driver_money(driver_text(t, money, "value"), 0, ret_minor) != KEER_OK)
        return false;
    *ret_currency = currency;
    return true;
}

void antom_money_put(struct buf *b, const char *member, int64_t minor, enum currency currency)
{
    buf_fmt(b, "\"%s\":{\"currency\":\"%s\",\"value\":\"%lld\"}", member, currency_code(currency), (long long)minor);
}
