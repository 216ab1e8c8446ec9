/* antom.c - Antom (Alipay+): authorizations and payments, POST and JSON alone.
 *
 *     request     POST <path> \n <Client-Id>.<Request-Time>.<body>, in Signature: algorithm=RSA256,keyVersion=1,signature=<escaped base64>
 *     answer      the same with response-time; a notice as a request, with the merchant's path
 *     results     result.resultStatus S, F (for good), U (not known: PAYMENT_IN_PROCESS asks for an inquiry)
 */
#include "base/num.h"
#include "emulator/inside.h"

#define BASE "/ams/api/v1"
#define STAMP_US (10 * US_MINUTE)
#define TOKEN_US (365 * US_DAY)
#define MINOR_MAX ((int64_t)1000000000000)

/* --- signatures --- */

void em_antom_sign_string(struct slice path, struct slice time, struct slice body, struct buf *b)
{
    buf_puts(b, "POST ");
    buf_slice(b, path);
    buf_puts(b, "\n" EM_CLIENT_ID ".");
    buf_slice(b, time);
    buf_char(b, '.');
    buf_slice(b, body);
}

static void put_signed(struct emulator *e, const char *time_name, struct slice path, struct slice body, bool bad,
                       struct buf *headers)
{
    struct buf text, sign, time;
    buf_init(&text, SERVER_HEAD_BYTES + SERVER_BODY_BYTES);
    buf_init(&sign, 1024);
    buf_init(&time, 64);
    em_time_cn(&time, em_now(e), true);
    em_antom_sign_string(path, buf_view(&time), body, &text);
    em_sign(e->keys.antom, buf_view(&text), bad, &sign);
    buf_fmt(headers,
            "Client-Id: " EM_CLIENT_ID "\r\n%s: %s\r\nSignature: algorithm=RSA256,keyVersion=1,signature=", time_name,
            time.p ? time.p : "");
    em_urlencode(buf_view(&sign), headers);
    buf_puts(headers, "\r\n");
    if (text.err != KEER_OK || sign.err != KEER_OK || time.err != KEER_OK)
        headers->err = KEER_ENOMEM;
    buf_release(&text);
    buf_release(&sign);
    buf_release(&time);
}

/* Milliseconds, as the SDKs send them, or ISO 8601, as the documents say. */
static bool is_stamp(struct slice s, int64_t now_us)
{
    int64_t us = 0;
    if (num_i64(s, 0, INT64_MAX / 1000, &us) == KEER_OK)
        us *= 1000;
    else if (s.len < 19 || time_parse(s, &us) != KEER_OK)
        return false;
    return us > now_us - STAMP_US && us < now_us + STAMP_US;
}

static struct slice signature_part(struct slice h, const char *name)
{
    while (h.p) {
        struct slice value = slice_trim(slice_cut(&h, ',')), its = slice_cut(&value, '=');
        if (slice_eq(its, slice_str(name)))
            return value;
    }
    return (struct slice){NULL, 0};
}

static const char *wrong_with(struct call *c)
{
    struct slice h = server_header(c->rq, "Signature"), time = server_header(c->rq, "Request-Time"), sign;
    struct buf b;
    if (!slice_eq(server_header(c->rq, "Client-Id"), SLICE(EM_CLIENT_ID)))
        return "CLIENT_INVALID";
    if (!slice_eq(signature_part(h, "algorithm"), SLICE("RSA256")) || !slice_eq(signature_part(h, "keyVersion"), SLICE("1")))
        return "KEY_NOT_FOUND";
    if (!is_stamp(time, em_now(c->e)) || !em_urldecode(signature_part(h, "signature"), false, &c->room, &sign))
        return "INVALID_SIGNATURE";
    buf_init(&b, SERVER_HEAD_BYTES + SERVER_BODY_BYTES);
    em_antom_sign_string(c->rq->target, time, c->rq->body, &b);
    bool good = b.err == KEER_OK && em_verify(c->e->keys.antom_merchant, buf_view(&b), sign);
    buf_release(&b);
    return good ? NULL : "INVALID_SIGNATURE";
}

/* --- answers --- */

static void begin(struct call *c, const char *status, const char *code)
{
    buf_clear(&c->an->body);
    buf_fmt(&c->an->body, "{\"result\":{\"resultCode\":\"%s\",\"resultStatus\":\"%s\",\"resultMessage\":\"%s\"}", code,
            status, code);
}

static void success(struct call *c) { begin(c, "S", "SUCCESS"); }
static void fail(struct call *c, const char *code) { begin(c, "F", code); }

static void member(struct call *c, const char *name, const char *value)
{
    if (!value[0])
        return;
    buf_fmt(&c->an->body, ",\"%s\":", name);
    buf_json(&c->an->body, slice_str(value));
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    if (!us)
        return;
    buf_fmt(b, ",\"%s\":\"", name);
    em_time_cn(b, us, true);
    buf_char(b, '"');
}

static void put_money(struct buf *b, const char *name, int64_t minor, enum currency currency)
{
    buf_fmt(b, ",\"%s\":{\"currency\":\"%s\",\"value\":\"%lld\"}", name, currency_code(currency), (long long)minor);
}

static void finish(struct call *c)
{
    buf_char(&c->an->body, '}');
    put_signed(c->e, "response-time", c->rq->target, buf_view(&c->an->body), c->bad_signature, &c->an->headers);
}

static void system_error(struct call *c)
{
    if (call_bare(c))
        return;
    begin(c, "U", "UNKNOWN_EXCEPTION");
    finish(c);
}

static bool go(struct call *c)
{
    enum call_go g = call_before(c);
    if (g == CALL_ERROR)
        system_error(c);
    return g == CALL_GO;
}

static void gone(struct call *c)
{
    switch (call_after(c)) {
    case CALL_GO: finish(c); break;
    case CALL_DROP: break;
    case CALL_ERROR: system_error(c); break;
    }
}

static void refuse(struct call *c, const char *code)
{
    fail(c, code);
    finish(c);
}

static struct slice text(struct call *c, const char *path) { return em_text(&c->json, path); }

static bool number(struct call *c, const char *name)
{
    if (em_number(text(c, name)) && em_copy(c->number, sizeof c->number, text(c, name)))
        return true;
    refuse(c, "PARAM_ILLEGAL");
    return false;
}

/* --- authorizations --- */

static bool has_scope(struct call *c)
{
    uint32_t list = tape_find(&c->json, 0, "scopes");
    if (list == TAPE_NONE || tape_type(&c->json, list) != TAPE_ARRAY)
        return false;
    for (uint32_t i = 0, v = list + 1; i < c->json.v[list].len; i++, v = c->json.v[v].next)
        if (tape_type(&c->json, v) == TAPE_STRING && slice_eq(tape_text(&c->json, v), SLICE("AGREEMENT_PAY")))
            return true;
    return false;
}

static void op_consult(struct call *c)
{
    struct em_agreement a = {.wallet = EM_ANTOM}, got;
    struct slice back = text(c, "authRedirectUrl"), of = text(c, "customerBelongsTo");
    if (!number(c, "authState"))
        return;
    if (!back.len || back.len > EM_URL_BYTES || !has_scope(c) || !text(c, "terminalType").len ||
        !em_copy(a.plan, sizeof a.plan, of)) {
        refuse(c, "PARAM_ILLEGAL");
        return;
    }
    if (!go(c))
        return;
    (void)em_copy(a.number, sizeof a.number, slice_str(c->number));
    (void)em_copy(a.shown, sizeof a.shown, slice_str(c->number));
    a.notify_url = world_text(c->e->world, text(c, "authNotifyUrl"));
    a.return_url = world_text(c->e->world, back);
    struct slice parts[] = {slice_str(a.number), of};
    a.data = em_data(parts, ARRAY_LEN(parts));
    enum em_result r = world_agree(c->e->world, &a, &got);
    if ((r == EM_SAME && got.state == EM_TEMP) || r == EM_DONE) {
        success(c);
        buf_fmt(&c->an->body, ",\"authUrl\":\"%s/emulator/page/%s\",\"normalUrl\":\"%s/emulator/page/%s\"", c->e->url,
                got.page, c->e->url, got.page);
    } else {
        fail(c, "PARAM_ILLEGAL"); /* authState names one authorization */
    }
    gone(c);
}

static void op_token(struct call *c)
{
    struct em_agreement a;
    struct slice grant = text(c, "grantType"), code = text(c, "authCode"), refresh = text(c, "refreshToken");
    bool by_code = slice_eq(grant, SLICE("AUTHORIZATION_CODE"));
    if ((by_code ? !code.len : !slice_eq(grant, SLICE("REFRESH_TOKEN")) || !refresh.len) ||
        !text(c, "customerBelongsTo").len) {
        refuse(c, "PARAM_ILLEGAL");
        return;
    }
    if (!go(c))
        return;
    enum em_result r = by_code ? world_token(c->e->world, code, &a) : world_refresh(c->e->world, refresh, &a);
    if (r == EM_DONE) {
        int64_t now_us = em_now(c->e);
        if (by_code)
            signed_now(c->e, &a); /* TOKEN_CREATED */
        success(c);
        member(c, "accessToken", a.ref);
        put_time(&c->an->body, "accessTokenExpiryTime", now_us + TOKEN_US);
        member(c, "refreshToken", a.refresh);
        put_time(&c->an->body, "refreshTokenExpiryTime", now_us + 2 * TOKEN_US);
        member(c, "userLoginId", "138****0000");
    } else {
        fail(c, by_code ? "INVALID_CODE" : r == EM_ENDED ? "EXPIRED_REFRESH_TOKEN" : "INVALID_REFRESH_TOKEN");
    }
    gone(c);
}

static void op_revoke(struct call *c)
{
    struct em_agreement a;
    struct slice token = text(c, "accessToken");
    (void)em_copy(c->number, sizeof c->number, token);
    if (!go(c))
        return;
    enum em_result r = world_agreement_ref(c->e->world, EM_ANTOM, token, &a);
    if (r == EM_DONE)
        r = world_end(c->e->world, EM_ANTOM, slice_str(a.number), false, SLICE(""), &a);
    if (r == EM_DONE) {
        success(c);
        ended_now(c->e, &a);
    } else {
        fail(c, r == EM_SAME ? "EXPIRED_ACCESS_TOKEN" : "INVALID_ACCESS_TOKEN");
    }
    gone(c);
}

/* --- payments --- */

static bool money(struct call *c, const char *value, const char *currency, int64_t *ret_minor, enum currency *ret_currency)
{
    *ret_currency = currency_parse(text(c, currency));
    return *ret_currency != CUR_MAX && num_i64(text(c, value), 1, MINOR_MAX, ret_minor) == KEER_OK;
}

static void put_payment(struct call *c, const struct em_charge *ch)
{
    bool paid = ch->state == EM_CHARGE_PAID || ch->refunded_minor;
    member(c, "paymentRequestId", ch->number);
    member(c, "paymentId", ch->ref);
    put_money(&c->an->body, "paymentAmount", paid ? ch->taken_minor : ch->asked_minor, ch->currency);
    put_time(&c->an->body, "paymentCreateTime", ch->made_us);
    if (paid)
        put_time(&c->an->body, "paymentTime", ch->done_us);
}

static void tell(struct call *c, const struct em_charge *ch)
{
    struct em_notice n = {.wallet = EM_ANTOM, .kind = EM_NOTICE_CHARGE, .charge = *ch};
    notice_send(c->e, ch->notify_url, &n, ch->due_us);
}

/* A refusal uses the number up: the same again is answered with it. */
static void refused_payment(struct call *c, const struct em_charge *ask, const char *code)
{
    struct em_charge got;
    (void)world_charge_failed(c->e->world, ask, code, &got);
    fail(c, code);
}

static void pay_answer(struct call *c, enum em_result r, const struct em_charge *ask, const struct em_charge *got)
{
    switch (r) {
    case EM_DONE:
    case EM_SAME:
        if (got->state == EM_CHARGE_PAID)
            success(c);
        else if (got->state == EM_CHARGE_WAITS)
            begin(c, "U", "PAYMENT_IN_PROCESS");
        else
            fail(c, got->state == EM_CHARGE_FAILED ? got->code : "ORDER_IS_CANCELLED");
        if (got->state == EM_CHARGE_PAID || got->state == EM_CHARGE_WAITS)
            put_payment(c, got);
        if (r == EM_DONE)
            tell(c, got);
        break;
    case EM_OTHER_DATA: fail(c, "REPEAT_REQ_INCONSISTENT"); break;
    case EM_STATE: fail(c, "ORDER_IS_CANCELLED"); break;
    case EM_NOT_THERE:
    case EM_UNSIGNED: refused_payment(c, ask, "INVALID_ACCESS_TOKEN"); break;
    case EM_ENDED: refused_payment(c, ask, "EXPIRED_ACCESS_TOKEN"); break;
    case EM_OVER_CAP: refused_payment(c, ask, "PAYMENT_AMOUNT_EXCEED_LIMIT"); break;
    case EM_OVER_DAY: refused_payment(c, ask, "USER_AMOUNT_EXCEED_LIMIT"); break;
    case EM_NO_MONEY: refused_payment(c, ask, "USER_BALANCE_NOT_ENOUGH"); break;
    case EM_RISK: refused_payment(c, ask, "RISK_REJECT"); break;
    case EM_TOO_MUCH:
    case EM_NO_MEMORY: begin(c, "U", "UNKNOWN_EXCEPTION"); break;
    }
}

static void op_pay(struct call *c)
{
    struct em_charge ask = {.wallet = EM_ANTOM}, got = {0};
    struct slice token = text(c, "paymentMethod.paymentMethodId"), subject = text(c, "order.orderDescription"),
                 value = text(c, "paymentAmount.value"), currency = text(c, "paymentAmount.currency");
    int64_t order = 0;
    enum currency order_currency;
    if (!number(c, "paymentRequestId"))
        return;
    if (!slice_eq(text(c, "productCode"), SLICE("AGREEMENT_PAYMENT")) || !text(c, "paymentMethod.paymentMethodType").len ||
        !em_copy(ask.agreement, sizeof ask.agreement, token) || !text(c, "order.referenceOrderId").len || !subject.len ||
        !money(c, "paymentAmount.value", "paymentAmount.currency", &ask.asked_minor, &ask.currency) ||
        !money(c, "order.orderAmount.value", "order.orderAmount.currency", &order, &order_currency) ||
        tape_type(&c->json, tape_find(&c->json, tape_find(&c->json, 0, "paymentAmount"), "value")) != TAPE_STRING) {
        refuse(c, "PARAM_ILLEGAL"); /* numbers are texts here */
        return;
    }
    if (!go(c))
        return;
    (void)em_copy(ask.number, sizeof ask.number, slice_str(c->number));
    (void)em_copy(ask.subject, sizeof ask.subject, slice_of(subject.p, MIN_OF(subject.len, (size_t)EM_TEXT_BYTES)));
    ask.notify_url = world_text(c->e->world, text(c, "paymentNotifyUrl"));
    struct slice parts[] = {value, currency, token, text(c, "order.referenceOrderId")};
    ask.data = em_data(parts, ARRAY_LEN(parts));
    call_charge_faults(c, &ask);
    enum em_result r = world_charge(c->e->world, &ask, &got);
    pay_answer(c, r, &ask, &got);
    gone(c);
}

static bool payment(struct call *c, struct em_charge *ret)
{
    struct slice own = text(c, "paymentRequestId"), ref = text(c, "paymentId");
    if (!em_copy(c->number, sizeof c->number, own.p ? own : ref)) {
        refuse(c, "PARAM_ILLEGAL");
        return false;
    }
    if (!go(c))
        return false;
    enum em_result r =
        ref.p ? world_charge_ref(c->e->world, EM_ANTOM, ref, ret) : world_charge_find(c->e->world, EM_ANTOM, own, ret);
    if (r == EM_DONE)
        return true;
    fail(c, "ORDER_NOT_EXIST");
    gone(c);
    return false;
}

static void op_inquiry(struct call *c)
{
    static const char *const states[] = {"PROCESSING", "SUCCESS", "FAIL", "CANCELLED"};
    struct em_charge ch;
    if (!payment(c, &ch))
        return;
    bool paid = ch.state == EM_CHARGE_PAID || ch.refunded_minor;
    success(c);
    member(c, "paymentStatus", paid ? "SUCCESS" : states[ch.state]);
    member(c, "paymentResultCode", paid ? "SUCCESS" : ch.code[0] ? ch.code : states[ch.state]);
    put_payment(c, &ch);
    if (ch.refunded_minor) { /* its refunds in sum; each can be asked for */
        buf_puts(&c->an->body, ",\"transactions\":[{\"transactionType\":\"REFUND\",\"transactionStatus\":\"SUCCESS\"");
        put_money(&c->an->body, "transactionAmount", ch.refunded_minor, ch.currency);
        buf_puts(&c->an->body, "}]");
    }
    gone(c);
}

static void op_cancel(struct call *c)
{
    struct em_charge ch = {0};
    int64_t given_back = 0;
    if (!number(c, "paymentRequestId") || !go(c))
        return;
    enum em_result r = world_cancel(c->e->world, EM_ANTOM, slice_str(c->number), EM_BURN, &ch, &given_back);
    if (r == EM_STATE) {
        fail(c, "ORDER_STATUS_INVALID");
    } else {
        success(c);
        member(c, "paymentRequestId", c->number);
        if (r != EM_NOT_THERE)
            member(c, "paymentId", ch.ref);
        put_time(&c->an->body, "cancelTime", em_now(c->e));
        if (r == EM_DONE)
            tell(c, &ch);
    }
    gone(c);
}

/* --- refunds --- */

static void put_refund(struct buf *b, const struct em_refund *r, const struct em_charge *ch)
{
    buf_fmt(b, ",\"refundRequestId\":\"%s\",\"refundId\":\"%s\",\"paymentId\":\"%s\",\"paymentRequestId\":\"%s\"", r->number,
            r->ref, ch->ref, ch->number);
    put_money(b, "refundAmount", r->minor, ch->currency);
    if (r->state == EM_REFUND_PAID)
        put_time(b, "refundTime", r->done_us);
}

static void op_refund(struct call *c)
{
    struct em_refund ask = {.wallet = EM_ANTOM}, got = {0};
    struct em_charge ch = {0};
    enum currency currency;
    struct slice ref = text(c, "paymentId"), reason = text(c, "refundReason");
    if (!number(c, "refundRequestId"))
        return;
    if (!ref.len || !money(c, "refundAmount.value", "refundAmount.currency", &ask.minor, &currency)) {
        refuse(c, "PARAM_ILLEGAL");
        return;
    }
    if (!go(c))
        return;
    enum em_result r = world_charge_ref(c->e->world, EM_ANTOM, ref, &ch);
    if (r == EM_DONE) {
        (void)em_copy(ask.charge, sizeof ask.charge, slice_str(ch.number));
        (void)em_copy(ask.number, sizeof ask.number, slice_str(c->number));
        (void)em_copy(ask.reason, sizeof ask.reason, slice_of(reason.p, MIN_OF(reason.len, (size_t)EM_TEXT_BYTES)));
        ask.notify_url = world_text(c->e->world, text(c, "refundNotifyUrl"));
        struct slice parts[] = {ref, text(c, "refundAmount.value"), text(c, "refundAmount.currency")};
        ask.data = em_data(parts, ARRAY_LEN(parts));
        call_refund_faults(c, &ask);
        r = currency == ch.currency ? world_refund(c->e->world, &ask, &got, &ch) : EM_OTHER_DATA;
    }
    if (r == EM_DONE || r == EM_SAME) {
        begin(c,
              got.state == EM_REFUND_WAITS  ? "U"
              : got.state == EM_REFUND_PAID ? "S"
                                            : "F",
              got.state == EM_REFUND_WAITS  ? "REFUND_IN_PROCESS"
              : got.state == EM_REFUND_PAID ? "SUCCESS"
                                            : "ORDER_STATUS_INVALID");
        put_refund(&c->an->body, &got, &ch);
        if (r == EM_DONE) {
            struct em_notice n = {.wallet = EM_ANTOM, .kind = EM_NOTICE_REFUND, .refund = got, .charge = ch};
            notice_send(c->e, got.notify_url[0] ? got.notify_url : ch.notify_url, &n, got.due_us);
        }
    } else {
        fail(c, r == EM_OTHER_DATA  ? "REPEAT_REQ_INCONSISTENT"
                : r == EM_NOT_THERE ? "ORDER_NOT_EXIST"
                : r == EM_TOO_MUCH  ? "REFUND_AMOUNT_EXCEED"
                                    : "ORDER_STATUS_INVALID");
    }
    gone(c);
}

static void op_refund_inquiry(struct call *c)
{
    static const char *const states[] = {"PROCESSING", "SUCCESS", "FAIL"};
    struct em_refund r;
    struct em_charge ch;
    if (!number(c, "refundRequestId") || !go(c))
        return;
    if (world_refund_find(c->e->world, EM_ANTOM, slice_str(c->number), &r) == EM_DONE &&
        world_charge_find(c->e->world, EM_ANTOM, slice_str(r.charge), &ch) == EM_DONE) {
        success(c);
        member(c, "refundStatus", states[r.state]);
        put_refund(&c->an->body, &r, &ch);
    } else {
        fail(c, "REFUND_NOT_EXIST");
    }
    gone(c);
}

/* --- the table --- */

static const struct {
    const char *path;
    void (*run)(struct call *c);
} ops[] = {
    {BASE "/authorizations/consult", op_consult},  {BASE "/authorizations/applyToken", op_token},
    {BASE "/authorizations/revoke", op_revoke},    {BASE "/payments/pay", op_pay},
    {BASE "/payments/inquiryPayment", op_inquiry}, {BASE "/payments/cancel", op_cancel},
    {BASE "/payments/refund", op_refund},          {BASE "/payments/inquiryRefund", op_refund_inquiry},
};

void em_antom_call(struct call *c)
{
    struct tape_limits limits = {.bytes = SERVER_BODY_BYTES, .values = 1000, .depth = 8, .keys = 100};
    struct tape_error why;
    const char *wrong = slice_eq(c->rq->method, SLICE("POST")) ? wrong_with(c) : "METHOD_NOT_SUPPORTED";
    if (wrong) { /* nobody has said who he is: unsigned */
        atomic_fetch_add(&c->e->refused, 1);
        fail(c, wrong);
        buf_char(&c->an->body, '}');
        return;
    }
    if (tape_read(&c->json, c->rq->body, &limits, &why) != KEER_OK || tape_type(&c->json, 0) != TAPE_OBJECT) {
        refuse(c, "PARAM_ILLEGAL");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (slice_eq(c->rq->path, slice_str(ops[i].path))) {
            ops[i].run(c);
            return;
        }
    refuse(c, "NO_INTERFACE_DEF");
}

/* --- notices, and the way back --- */

static void letter_payment(const struct em_charge *ch, struct buf *b)
{
    bool paid = ch->state == EM_CHARGE_PAID;
    buf_fmt(b,
            "{\"notifyType\":\"PAYMENT_RESULT\",\"result\":{\"resultCode\":\"%s\",\"resultStatus\":\"%s\",\"resultMessage\":"
            "\"\"}",
            paid          ? "SUCCESS"
            : ch->code[0] ? ch->code
                          : "ORDER_IS_CLOSED",
            paid ? "S" : "F");
    buf_fmt(b, ",\"paymentRequestId\":\"%s\",\"paymentId\":\"%s\"", ch->number, ch->ref);
    put_money(b, "paymentAmount", paid ? ch->taken_minor : ch->asked_minor, ch->currency);
    put_time(b, "paymentCreateTime", ch->made_us);
    if (paid)
        put_time(b, "paymentTime", ch->done_us);
    buf_char(b, '}');
}

static void letter_authorization(const struct em_agreement *a, struct buf *b)
{
    bool ended = a->state == EM_STOPPED;
    buf_fmt(b,
            "{\"authorizationNotifyType\":\"%s\",\"authClientId\":\"" EM_CLIENT_ID
            "\",\"authState\":\"%s\",\"userId\":\"%s\"",
            ended          ? "TOKEN_CANCELED"
            : a->code_used ? "TOKEN_CREATED"
                           : "AUTHCODE_CREATED",
            a->number, a->payer);
    if (ended)
        buf_fmt(b, ",\"accessToken\":\"%s\",\"reason\":\"%s\"", a->ref, a->by_person ? "UNBIND" : "MERCHANT_REVOKED");
    else if (a->code_used)
        buf_fmt(b, ",\"accessToken\":\"%s\",\"refreshToken\":\"%s\"", a->ref, a->refresh);
    else
        buf_fmt(b, ",\"authCode\":\"%s\"", a->code);
    buf_puts(b, ",\"result\":{\"resultCode\":\"SUCCESS\",\"resultStatus\":\"S\",\"resultMessage\":\"\"}}");
}

void em_antom_letter(struct emulator *e, const struct em_notice *n, struct slice path, bool bad, struct em_letter *l)
{
    struct buf *b = &l->body;
    if (n->kind == EM_NOTICE_AGREEMENT) {
        letter_authorization(&n->agreement, b);
    } else if (n->kind == EM_NOTICE_CHARGE) {
        letter_payment(&n->charge, b);
    } else {
        bool paid = n->refund.state == EM_REFUND_PAID;
        buf_fmt(b,
                "{\"notifyType\":\"REFUND_RESULT\",\"refundStatus\":\"%s\",\"result\":{\"resultCode\":\"%s\","
                "\"resultStatus\":\"%s\","
                "\"resultMessage\":\"\"}",
                paid ? "SUCCESS" : "FAIL", paid ? "SUCCESS" : "ORDER_STATUS_INVALID", paid ? "S" : "F");
        put_refund(b, &n->refund, &n->charge);
        buf_char(b, '}');
    }
    l->type = "application/json; charset=UTF-8";
    put_signed(e, "Request-Time", path, buf_view(b), bad, &l->headers);
}

void em_antom_return(const struct em_agreement *a, struct buf *b)
{
    buf_fmt(b, "authCode=%s&authState=", a->code);
    em_urlencode(slice_str(a->number), b);
}
