/* calls.c - Antom: each call of a connector as a request, and its answer. */
#include "wallet/antom/antom.h"

#include "base/num.h"

#define BODY_BYTES (16u << 10)

static enum wallet_answer answer_of(enum antom_end end)
{
    switch (end) {
    case ANTOM_REFUSED:
    case ANTOM_NOT_THERE:
    case ANTOM_GONE: return WALLET_NO;
    case ANTOM_NOT_SENT: return WALLET_NOT_SENT;
    case ANTOM_DONE:
    case ANTOM_WAITS:
    case ANTOM_UNKNOWN: break;
    }
    return WALLET_UNKNOWN;
}

static enum wallet_answer garbled(struct wallet_why *why)
{
    return driver_say(why, WALLET_UNKNOWN, WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
}

static enum wallet_answer refused(struct wallet_why *why, enum wallet_reason reason, const char *text)
{
    return driver_say(why, WALLET_NO, reason, SLICE(""), slice_str(text));
}

static void begin(struct buf *b)
{
    buf_init(b, BODY_BYTES);
    buf_char(b, '{');
}

/* A text with its name; nothing when it is empty. */
static void put(struct buf *b, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_fmt(b, "%s\"%s\":", b->len && b->p[b->len - 1] == '{' ? "" : ",", name);
    buf_json(b, value);
}

static bool time_of(struct slice text, int64_t *ret_us) { return text.len >= 19 && time_parse(text, ret_us) == KEER_OK; }

/* --- authorisations --- */

enum wallet_answer antom_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                              char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    begin(&body);
    put(&body, "customerBelongsTo", slice_str(a->belongs_to));
    put(&body, "authClientId", slice_str(a->client_id));
    put(&body, "authRedirectUrl", ask->return_url);
    put(&body, "authNotifyUrl", ask->notify_url);
    put(&body, "authState", slice_str(ask->number));
    put(&body, "terminalType", SLICE("WEB"));
    buf_puts(&body, ",\"scopes\":[\"AGREEMENT_PAY\"]}");
    enum antom_end end = antom_call(a, io, "/authorizations/consult", &body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE) {
        struct slice url = driver_text(&r.tape, 0, "authUrl");
        if (!url.len)
            url = driver_text(&r.tape, 0, "normalUrl");
        answer = url.len && driver_copy(ret_url, WALLET_URL_BYTES, url) ? WALLET_YES : garbled(why);
    }
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}

static enum wallet_answer apply_token(const struct antom *a, struct wallet_io *io, const struct buf *body,
                                      const char *number, struct wallet_agreement *ret, struct wallet_why *why)
{
    struct antom_answer r;
    enum antom_end end = antom_call(a, io, "/authorizations/applyToken", body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE) {
        struct wallet_agreement g = {.state = WALLET_AGREEMENT_NORMAL};
        bool good = driver_copy(g.ref, sizeof g.ref, driver_text(&r.tape, 0, "accessToken")) && g.ref[0] &&
                    driver_copy(g.refresh, sizeof g.refresh, driver_text(&r.tape, 0, "refreshToken"));
        if (!driver_copy(g.user, sizeof g.user, driver_text(&r.tape, 0, "userLoginId")))
            g.user[0] = '\0';
        (void)time_of(driver_text(&r.tape, 0, "accessTokenExpiryTime"), &g.valid_until_us);
        (void)snprintf(g.number, sizeof g.number, "%s", number);
        g.signed_us = io->now_us;
        answer = good ? WALLET_YES : garbled(why);
        if (good)
            *ret = g;
    } else if (end == ANTOM_GONE) {
        *ret = (struct wallet_agreement){.state = WALLET_AGREEMENT_STOPPED};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        answer = WALLET_YES;
    }
    antom_answer_release(&r);
    return answer;
}

enum wallet_answer antom_sign_finish(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                     struct wallet_agreement *ret, struct wallet_why *why)
{
    const struct antom *a = self;
    struct buf body;
    begin(&body);
    put(&body, "grantType", SLICE("AUTHORIZATION_CODE"));
    put(&body, "customerBelongsTo", slice_str(a->belongs_to));
    put(&body, "authCode", slice_str(auth_code));
    buf_char(&body, '}');
    enum wallet_answer answer = apply_token(a, io, &body, number, ret, why);
    buf_release(&body);
    return answer;
}

/* Antom can't be asked how an authorisation stands: notices and refused charges tell. A token that ends soon is renewed,
 * which tells it too. */
enum wallet_answer antom_agreement_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                         struct wallet_agreement *ret, struct wallet_why *why)
{
    const struct antom *a = self;
    struct buf body;
    bool soon = which->valid_until_us && which->valid_until_us - io->now_us < ANTOM_REFRESH_US;
    if (!which->refresh[0] || !soon)
        return refused(why, WALLET_NOT_POSSIBLE, "Antom has no query of authorisations");
    begin(&body);
    put(&body, "grantType", SLICE("REFRESH_TOKEN"));
    put(&body, "customerBelongsTo", slice_str(a->belongs_to));
    put(&body, "refreshToken", slice_str(which->refresh));
    buf_char(&body, '}');
    enum wallet_answer answer = apply_token(a, io, &body, which->number, ret, why);
    if (answer == WALLET_YES && which->signed_us)
        ret->signed_us = which->signed_us;
    buf_release(&body);
    return answer;
}

/* What was never signed has no token, and nothing can be charged on it. */
enum wallet_answer antom_agreement_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                       struct slice reason, struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    UNUSED(reason); /* the request has no place for it */
    if (!which->ref[0])
        return WALLET_YES;
    begin(&body);
    put(&body, "accessToken", slice_str(which->ref));
    buf_char(&body, '}');
    enum antom_end end = antom_call(a, io, "/authorizations/revoke", &body, &r, why);
    antom_answer_release(&r);
    buf_release(&body);
    return end == ANTOM_DONE || end == ANTOM_GONE ? WALLET_YES : answer_of(end);
}

/* --- charges --- */

static bool is_of(const struct antom_answer *r, const char *member, const char *number)
{
    return slice_eq(driver_text(&r->tape, 0, member), slice_str(number));
}

static enum wallet_charge_state payment_state(struct slice status)
{
    static const struct {
        const char *name;
        enum wallet_charge_state state;
    } states[] = {{"SUCCESS", WALLET_CHARGE_PAID},
                  {"FAIL", WALLET_CHARGE_FAILED},
                  {"PROCESSING", WALLET_CHARGE_WAITS},
                  {"PENDING", WALLET_CHARGE_WAITS},
                  {"CANCELLED", WALLET_CHARGE_CLOSED}};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (slice_eq(status, slice_str(states[i].name)))
            return states[i].state;
    return WALLET_CHARGE_STATE_MAX;
}

/* Refunds of a payment that have succeeded, in sum; they are listed with it. */
static int64_t refunded(const struct tape *t)
{
    int64_t sum = 0, minor = 0;
    enum currency currency;
    uint32_t list = tape_find(t, 0, "transactions");
    if (list == TAPE_NONE || tape_type(t, list) != TAPE_ARRAY)
        return 0;
    for (uint32_t v = list + 1, i = 0; i < t->v[list].len; i++, v = t->v[v].next)
        if (slice_eq(driver_text(t, v, "transactionType"), SLICE("REFUND")) &&
            slice_eq(driver_text(t, v, "transactionStatus"), SLICE("SUCCESS")) &&
            antom_money(t, v, "transactionAmount", &minor, &currency) && sum <= NUM_EXACT_MAX - minor)
            sum += minor;
    return sum;
}

/* PAID wants its amount; in other states it may not be told. */
static bool read_payment(const struct antom_answer *r, const char *number, enum wallet_charge_state state,
                         struct wallet_charge *ret)
{
    const struct tape *t = &r->tape;
    struct wallet_charge c = {.state = state, .currency = CUR_MAX};
    bool counted = antom_money(t, 0, "paymentAmount", &c.amount_minor, &c.currency);
    bool good = state != WALLET_CHARGE_STATE_MAX && is_of(r, "paymentRequestId", number) &&
                driver_copy(c.ref, sizeof c.ref, driver_text(t, 0, "paymentId")) &&
                (state != WALLET_CHARGE_PAID || (counted && c.ref[0]));
    (void)time_of(driver_text(t, 0, "paymentTime"), &c.paid_us);
    (void)snprintf(c.number, sizeof c.number, "%s", number);
    c.refunded_minor = refunded(t);
    if (good)
        *ret = c;
    return good;
}

static void put_payment(const struct antom *a, const struct wallet_charge_ask *ask, struct buf *b)
{
    begin(b);
    put(b, "productCode", SLICE("AGREEMENT_PAYMENT"));
    put(b, "paymentRequestId", slice_str(ask->number));
    buf_puts(b, ",\"order\":{");
    put(b, "referenceOrderId", slice_str(ask->number));
    put(b, "orderDescription", ask->subject.len ? ask->subject : slice_str(ask->number));
    buf_char(b, ',');
    antom_money_put(b, "orderAmount", ask->amount_minor, ask->currency);
    buf_puts(b, "},");
    antom_money_put(b, "paymentAmount", ask->amount_minor, ask->currency);
    buf_puts(b, ",\"paymentMethod\":{");
    put(b, "paymentMethodType", slice_str(a->belongs_to));
    put(b, "paymentMethodId", slice_str(ask->agreement));
    buf_char(b, '}');
    put(b, "paymentNotifyUrl", ask->notify_url);
    if (ask->ip.len) {
        buf_puts(b, ",\"env\":{");
        put(b, "terminalType", SLICE("WEB"));
        put(b, "clientIp", ask->ip);
        buf_char(b, '}');
    }
    buf_char(b, '}');
}

enum wallet_answer antom_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                struct wallet_charge *ret, struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    if (ask->amount_minor < 1)
        return refused(why, WALLET_BAD_REQUEST, "an amount is 1 or more");
    put_payment(a, ask, &body);
    enum antom_end end = antom_call(a, io, "/payments/pay", &body, &r, why);
    /* 'Not there' is no answer to a request to make it. */
    enum wallet_answer answer = end == ANTOM_NOT_THERE ? WALLET_UNKNOWN : answer_of(end);
    if (end == ANTOM_DONE || end == ANTOM_WAITS)
        answer = read_payment(&r, ask->number, end == ANTOM_DONE ? WALLET_CHARGE_PAID : WALLET_CHARGE_WAITS, ret)
                     ? WALLET_YES
                     : garbled(why);
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}

static void number_body(struct buf *body, const char *member, const char *number)
{
    begin(body);
    put(body, member, slice_str(number));
    buf_char(body, '}');
}

enum wallet_answer antom_charge_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                      struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    number_body(&body, "paymentRequestId", number);
    enum antom_end end = antom_call(a, io, "/payments/inquiryPayment", &body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE) {
        enum wallet_charge_state state = payment_state(driver_text(&r.tape, 0, "paymentStatus"));
        answer = read_payment(&r, number, state, ret) ? WALLET_YES : garbled(why);
        if (answer == WALLET_YES && state == WALLET_CHARGE_FAILED) /* the query worked: its code is not the payment's */
            (void)antom_code(driver_text(&r.tape, 0, "paymentResultCode"), driver_text(&r.tape, 0, "paymentResultMessage"),
                             why);
    } else if (end == ANTOM_NOT_THERE) {
        *ret = (struct wallet_charge){.state = WALLET_CHARGE_NONE, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        answer = WALLET_YES;
    }
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}

enum wallet_answer antom_charge_cancel(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                       struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    number_body(&body, "paymentRequestId", number);
    enum antom_end end = antom_call(a, io, "/payments/cancel", &body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE && is_of(&r, "paymentRequestId", number)) {
        *ret = (struct wallet_charge){.state = WALLET_CHARGE_CLOSED, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        (void)driver_copy(ret->ref, sizeof ret->ref, driver_text(&r.tape, 0, "paymentId"));
        answer = WALLET_YES;
    } else if (end == ANTOM_DONE) {
        answer = garbled(why);
    }
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}

/* --- refunds --- */

static bool read_refund(const struct antom_answer *r, const struct wallet_refund_ask *ask, enum wallet_refund_state state,
                        struct wallet_refund *ret)
{
    const struct tape *t = &r->tape;
    struct wallet_refund f = {.state = state, .currency = CUR_MAX};
    bool counted = antom_money(t, 0, "refundAmount", &f.amount_minor, &f.currency);
    bool good = is_of(r, "refundRequestId", ask->number) && (state != WALLET_REFUND_PAID || counted) &&
                driver_copy(f.ref, sizeof f.ref, driver_text(t, 0, "refundId"));
    (void)time_of(driver_text(t, 0, "refundTime"), &f.paid_us);
    (void)snprintf(f.number, sizeof f.number, "%s", ask->number);
    (void)snprintf(f.charge, sizeof f.charge, "%s", ask->charge);
    if (good)
        *ret = f;
    return good;
}

enum wallet_answer antom_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                struct wallet_refund *ret, struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    if (ask->amount_minor < 1 || !ask->charge_ref || !ask->charge_ref[0])
        return refused(why, WALLET_BAD_REQUEST, "a refund wants an amount and the wallet's number of the charge");
    begin(&body);
    put(&body, "refundRequestId", slice_str(ask->number));
    put(&body, "paymentId", slice_str(ask->charge_ref));
    buf_char(&body, ',');
    antom_money_put(&body, "refundAmount", ask->amount_minor, ask->currency);
    put(&body, "refundReason", ask->reason);
    put(&body, "refundNotifyUrl", ask->notify_url);
    buf_char(&body, '}');
    enum antom_end end = antom_call(a, io, "/payments/refund", &body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE || end == ANTOM_WAITS)
        answer = read_refund(&r, ask, end == ANTOM_DONE ? WALLET_REFUND_PAID : WALLET_REFUND_WAITS, ret) ? WALLET_YES
                                                                                                         : garbled(why);
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}

enum wallet_answer antom_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                      struct wallet_refund *ret, struct wallet_why *why)
{
    const struct antom *a = self;
    struct antom_answer r;
    struct buf body;
    number_body(&body, "refundRequestId", ask->number);
    enum antom_end end = antom_call(a, io, "/payments/inquiryRefund", &body, &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ANTOM_DONE) {
        struct slice status = driver_text(&r.tape, 0, "refundStatus");
        enum wallet_refund_state state = slice_eq(status, SLICE("SUCCESS"))      ? WALLET_REFUND_PAID
                                         : slice_eq(status, SLICE("FAIL"))       ? WALLET_REFUND_FAILED
                                         : slice_eq(status, SLICE("PROCESSING")) ? WALLET_REFUND_WAITS
                                                                                 : WALLET_REFUND_STATE_MAX;
        answer = state != WALLET_REFUND_STATE_MAX && read_refund(&r, ask, state, ret) ? WALLET_YES : garbled(why);
    } else if (end == ANTOM_NOT_THERE) {
        *ret = (struct wallet_refund){.state = WALLET_REFUND_NONE, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", ask->number);
        (void)snprintf(ret->charge, sizeof ret->charge, "%s", ask->charge);
        answer = WALLET_YES;
    }
    antom_answer_release(&r);
    buf_release(&body);
    return answer;
}
