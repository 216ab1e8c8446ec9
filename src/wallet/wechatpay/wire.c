/* wire.c - requests that are signed, answers that are verified. */
#include "base/num.h"
#include "base/timefmt.h"
#include "base/utf8.h"
#include "wallet/sign.h"
#include "wallet/wechatpay/wechatpay.h"

#define SCHEMA "WECHATPAY2-SHA256-RSA2048"

enum wechat_meaning wechat_code(struct slice code, enum wallet_reason *ret_reason)
{
    static const struct {
        const char *code;
        enum wechat_meaning meaning;
        enum wallet_reason reason;
    } codes[] = {
#define WECHAT_CODE(code, meaning, reason) {code, WECHAT_##meaning, WALLET_##reason},
#include "wallet/wechatpay/codes.def"
#undef WECHAT_CODE
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (slice_eq(code, slice_str(codes[i].code))) {
            *ret_reason = codes[i].reason;
            return codes[i].meaning;
        }
    }
    *ret_reason = WALLET_OTHER;
    return WECHAT_UNKNOWN;
}

void wechat_why(struct wallet_why *why, enum wallet_reason reason, struct slice code, const char *fmt, ...)
{
    va_list ap;
    why->reason = reason;
    (void)snprintf(why->code, sizeof why->code, SLICE_FMT, SLICE_ARG(code));
    va_start(ap, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, ap);
    va_end(ap);
    /* Nothing of a character that was cut: a database takes whole ones alone. */
    size_t len = strlen(why->text), points;
    while (len && utf8_points(slice_of(why->text, len), &points) != KEER_OK)
        why->text[--len] = '\0';
}

/* --- what is verified --- */
bool wechat_signed_of(struct slice head, struct wechat_signed *ret)
{
    struct slice type = wallet_head_find(head, "wechatpay-signature-type");
    *ret = (struct wechat_signed){wallet_head_find(head, "wechatpay-timestamp"), wallet_head_find(head, "wechatpay-nonce"),
                                  wallet_head_find(head, "wechatpay-serial"), wallet_head_find(head, "wechatpay-signature")};
    return ret->timestamp.p && ret->nonce.p && ret->serial.p && ret->signature.p &&
           (!type.p || slice_eq(type, SLICE(SCHEMA)));
}

enum wallet_verdict wechat_verify_by(const struct wechat_platform *p, const struct wechat_signed *s, struct slice body,
                                     int64_t now_us, char ret_why[WALLET_WHY_BYTES])
{
    struct buf b;
    int64_t then;
    if (num_i64(s->timestamp, 1, US_TIME_MAX / US_SECOND, &then) != KEER_OK) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "Wechatpay-Timestamp is no number of seconds");
        return WALLET_FORGED;
    }
    if (!p) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "no key of ours that is valid now has this Wechatpay-Serial");
        return WALLET_FORGED;
    }
    buf_init(&b, s->nonce.len + body.len + 64);
    buf_slice(&b, s->timestamp);
    buf_char(&b, '\n');
    buf_slice(&b, s->nonce);
    buf_char(&b, '\n');
    buf_slice(&b, body);
    buf_char(&b, '\n');
    bool ok = b.err == KEER_OK && sign_verify(p->key, buf_view(&b), s->signature);
    buf_release(&b);
    int64_t off = now_us / US_SECOND - then;
    if (!ok || off > WECHAT_FRESH_S || off < -WECHAT_FRESH_S) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES,
                       ok ? "signed more than 300 s before or after now" : "the signature is not the wallet's");
        return ok ? WALLET_STALE : WALLET_FORGED;
    }
    return WALLET_GENUINE;
}

enum wallet_verdict wechat_verify(const struct wechat *w, const struct wechat_signed *s, struct slice body, int64_t now_us,
                                  char ret_why[WALLET_WHY_BYTES])
{
    wechat_keys_lock(w);
    const struct wechat_platform *p = wechat_keys_find(w, s->serial, now_us);
    bool known = p != NULL;
    enum wallet_verdict v = wechat_verify_by(p, s, body, now_us, ret_why);
    wechat_keys_unlock(w);
    if (!known)
        wechat_keys_unknown(w);
    return v;
}

/* --- calls --- */
void wechat_begin(struct wechat_call *c, struct wechat *w, struct wallet_io *io, struct wallet_why *why)
{
    *c = (struct wechat_call){.w = w, .io = io, .why = why};
    *why = (struct wallet_why){.reason = WALLET_NO_REASON};
    buf_init(&c->path, WECHAT_TEXT_BYTES);
    buf_init(&c->body, WECHAT_TEXT_BYTES);
    buf_init(&c->url, WECHAT_TEXT_BYTES * 2);
    buf_init(&c->text, WECHAT_TEXT_BYTES * 4);
    buf_init(&c->token, WECHAT_TEXT_BYTES);
    wallet_response_init(&c->response);
}

void wechat_end(struct wechat_call *c)
{
    buf_release(&c->path);
    buf_release(&c->body);
    buf_release(&c->url);
    buf_release(&c->text);
    buf_release(&c->token);
    wallet_response_release(&c->response);
    tape_release(&c->tape);
}

/* The value of Authorization, into `token`. */
static enum keer_err authorize(struct wechat_call *c, const char *method)
{
    const struct wechat *w = c->w;
    unsigned char random[16];
    char nonce[sizeof random * 2 + 1];
    c->io->random(c->io->ctx, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(nonce + i * 2, 3, "%02X", random[i]);
    long long now = (long long)(c->io->now_us / US_SECOND);
    buf_fmt(&c->text, "%s\n%s" SLICE_FMT "\n%lld\n%s\n", method, w->url + w->path_at, SLICE_ARG(buf_view(&c->path)), now,
            nonce);
    buf_slice(&c->text, buf_view(&c->body));
    buf_char(&c->text, '\n');
    if (c->text.err != KEER_OK)
        return c->text.err;
    buf_fmt(&c->token, SCHEMA " mchid=\"%s\",nonce_str=\"%s\",timestamp=\"%lld\",serial_no=\"%s\",signature=\"", w->mchid,
            nonce, now, w->serial);
    enum keer_err err = sign_put(w->key, buf_view(&c->text), &c->token);
    if (err != KEER_OK)
        return err;
    buf_char(&c->token, '"');
    return c->token.err;
}

static enum keer_err request_of(struct wechat_call *c, const char *method, struct wallet_request *rq)
{
    enum keer_err err = c->path.err != KEER_OK ? c->path.err : c->body.err;
    if (err == KEER_OK)
        err = authorize(c, method);
    buf_puts(&c->url, c->w->url);
    buf_slice(&c->url, buf_view(&c->path));
    if (err != KEER_OK || c->url.err != KEER_OK)
        return err != KEER_OK ? err : c->url.err;
    *rq = (struct wallet_request){.method = method, .url = buf_view(&c->url), .body = buf_view(&c->body)};
    rq->header[rq->headers++] = (struct wallet_header){SLICE("Authorization"), buf_view(&c->token)};
    rq->header[rq->headers++] = (struct wallet_header){SLICE("Accept"), SLICE("application/json")};
    rq->header[rq->headers++] = (struct wallet_header){SLICE("User-Agent"), SLICE("keer/" KEER_VERSION)};
    /* Which of the wallet's keys signs the answer, while it has several. */
    if (c->serial[0])
        rq->header[rq->headers++] = (struct wallet_header){SLICE("Wechatpay-Serial"), slice_str(c->serial)};
    if (strcmp(method, "POST") == 0)
        rq->header[rq->headers++] = (struct wallet_header){SLICE("Content-Type"), SLICE("application/json")};
    return KEER_OK;
}

/* The object of a body that was not read yet; false when it is none. */
static bool read_body(struct wechat_call *c)
{
    struct tape_error error;
    return tape_read(&c->tape, buf_view(&c->response.body), &wechat_json, &error) == KEER_OK &&
           tape_type(&c->tape, 0) == TAPE_OBJECT;
}

/* An answer that says no, in its own words. */
static void say_refused(struct wechat_call *c, enum wallet_reason reason, struct slice *ret_code)
{
    struct slice code = {"", 0}, message = {"", 0};
    if (read_body(c)) {
        uint32_t at = tape_find(&c->tape, 0, "code"), text = tape_find(&c->tape, 0, "message");
        if (at != TAPE_NONE && tape_type(&c->tape, at) == TAPE_STRING)
            code = tape_text(&c->tape, at);
        if (text != TAPE_NONE && tape_type(&c->tape, text) == TAPE_STRING)
            message = tape_text(&c->tape, text);
    }
    wechat_why(c->why, reason, code, "%d " SLICE_FMT, c->response.status, SLICE_ARG(message));
    *ret_code = code;
}

static enum wechat_end refused(struct wechat_call *c, bool genuine)
{
    struct slice code;
    int status = c->response.status;
    if (!genuine) {
        /* Of what is not signed a 401 alone is believed: the wallet did not take our signature, and looked no further. */
        bool no = status == 401;
        say_refused(c,
                    no              ? WALLET_BAD_REQUEST
                    : status == 429 ? WALLET_TOO_OFTEN
                    : status >= 500 ? WALLET_WALLET_ERROR
                                    : WALLET_BAD_SIGNATURE,
                    &code);
        c->meaning = WECHAT_NO;
        return no ? WECHAT_REFUSED : WECHAT_LOST;
    }
    say_refused(c, WALLET_OTHER, &code);
    c->meaning = wechat_code(code, &c->why->reason);
    return WECHAT_REFUSED;
}

enum wechat_end wechat_send(struct wechat_call *c, const char *method)
{
    struct wallet_request rq;
    struct wechat_signed s;
    char text[WALLET_WHY_BYTES];
    if (!wechat_keys_asked(c->w, c->io->now_us, c->serial) && !c->unjudged) {
        wechat_why(
            c->why, WALLET_BAD_SIGNATURE, SLICE(""),
            "nothing is sent: there is no key of the wallet's that is valid now, so that no answer could be believed");
        return WECHAT_NOT_SENT;
    }
    enum keer_err err = request_of(c, method, &rq);
    if (err != KEER_OK) {
        wechat_why(c->why, WALLET_OTHER, SLICE(""), "the request can't be made: %s", keer_err_text(err));
        return WECHAT_NOT_SENT;
    }
    enum wallet_sent sent = c->io->send(c->io->ctx, &rq, &c->response);
    if (sent != WALLET_ANSWERED) {
        wechat_why(c->why, sent == WALLET_NEVER ? WALLET_UNREACHABLE : WALLET_TIMED_OUT, SLICE(""), "%s",
                   sent == WALLET_NEVER ? "no connection" : "no answer");
        return sent == WALLET_NEVER ? WECHAT_NOT_SENT : WECHAT_LOST;
    }
    bool good = c->response.status >= 200 && c->response.status <= 299;
    if (!wechat_signed_of(buf_view(&c->response.head), &s)) {
        if (!good)
            return refused(c, /* genuine */ false);
        wechat_why(c->why, WALLET_BAD_SIGNATURE, SLICE(""), "the answer is not signed, or not in one way");
        return WECHAT_LOST;
    }
    enum wallet_verdict v =
        c->unjudged ? WALLET_GENUINE : wechat_verify(c->w, &s, buf_view(&c->response.body), c->io->now_us, text);
    if (v != WALLET_GENUINE) {
        wechat_why(c->why, v == WALLET_STALE ? WALLET_STALE_ANSWER : WALLET_BAD_SIGNATURE, SLICE(""), "%s", text);
        return WECHAT_LOST;
    }
    if (!good)
        return refused(c, /* genuine */ !c->unjudged);
    c->empty = c->response.body.len == 0;
    if (c->empty || read_body(c))
        return WECHAT_ANSWERED;
    wechat_why(c->why, WALLET_GARBLED_ANSWER, SLICE(""), "the answer is no JSON object");
    return WECHAT_LOST;
}
