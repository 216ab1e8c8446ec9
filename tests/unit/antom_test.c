/* antom_test.c - the driver for Antom: what is signed, which answers are believed, what each code means, notices. */
#include "lib/wallet_kit.h"
#include "wallet/antom/antom.h"

#define NUMBER "c0123456789abcdef0123456789abcde"
#define REFUND "r0123456789abcdef0123456789abcde"
#define CLIENT "SANDBOX_5X00000000000000"
#define SETTINGS                                                                                                       \
    "{\"name\":\"antom\",\"kind\":\"antom\",\"url\":\"https://pay.test\",\"client_id\":\"" CLIENT                      \
    "\",\"private_key\":\"ours.pem\",\"public_key\":[{\"version\":1,\"file\":\"theirs.pem\"},{\"version\":2,\"file\":" \
    "\"next.pem\"}],\"key_version\":3}"

static const struct wallet_charge_ask charge_ask = {.number = NUMBER,
                                                    .agreement = "2810000000000000token",
                                                    .subject = {"648 gems", 8},
                                                    .notify_url = {"https://id.test/n", 17},
                                                    .amount_minor = 64800,
                                                    .currency = CUR_CNY,
                                                    .ip = {"192.0.2.1", 9}};
static const struct wallet_refund_ask refund_ask = {.number = REFUND,
                                                    .charge = NUMBER,
                                                    .charge_ref = "p1",
                                                    .amount_minor = 4800,
                                                    .charged_minor = 64800,
                                                    .currency = CUR_CNY,
                                                    .reason = {"not me", 6}};
static const struct wallet_agreement which = {
    .number = "a1", .ref = "token", .refresh = "again", .valid_until_us = WIRE_NOW_US + 3 * US_DAY};

/* How a message is signed; what comes after LAST_GOOD is not believed. */
enum how {
    SIGNED,
    NEXT_KEY,
    ISO_TIME,
    AT_300,
    LAST_GOOD = AT_300,
    UNSIGNED,
    OTHER_KEY,
    OTHER_VERSION,
    UNKNOWN_VERSION,
    NO_VERSION,
    OTHER_ALGORITHM,
    CHANGED,
    OTHER_PATH,
    OTHER_CLIENT,
    AT_301,
    IN_301,
    NO_TIME,
    HOW_MAX
};

/* The time and the header of a body, as the wallet sends them. */
static void put_head(enum how how, const char *path, const char *time_name, const char *content, struct buf *head)
{
    struct buf text, base64;
    int64_t at_us = WIRE_NOW_US + (how == AT_300 ? -300 : how == AT_301 ? -301 : how == IN_301 ? 301 : 0) * US_SECOND;
    char time[40];
    buf_init(&text, 1u << 16);
    buf_init(&base64, 4096);
    if (how == ISO_TIME)
        (void)snprintf(time, sizeof time, "2018-10-10T10:11:42+08:00");
    else
        (void)snprintf(time, sizeof time, "%lld", (long long)(at_us / 1000));
    antom_sign_string(slice_str(how == OTHER_PATH ? "/other" : path), how == OTHER_CLIENT ? SLICE("OTHER") : SLICE(CLIENT),
                      slice_str(time), slice_str(content), &text);
    ck_ok(sign_put(wire_keys[how == NEXT_KEY || how == OTHER_VERSION ? WIRE_NEXT
                             : how == OTHER_KEY                      ? WIRE_OTHER
                                                                     : WIRE_THEIRS],
                   buf_view(&text), &base64));
    buf_clear(head);
    buf_puts(head, "client-id: " CLIENT "\n");
    if (how != NO_TIME)
        buf_fmt(head, "%s: %s\n", time_name, time);
    if (how != UNSIGNED) {
        buf_fmt(head, "signature: algorithm=%s,", how == OTHER_ALGORITHM ? "RSA1" : "RSA256");
        if (how != NO_VERSION)
            buf_fmt(head, "keyVersion=%d,", how == NEXT_KEY ? 2 : how == UNKNOWN_VERSION ? 7 : 1);
        buf_puts(head, "signature=");
        percent_put(head, buf_view(&base64));
        buf_char(head, '\n');
    }
    buf_release(&text);
    buf_release(&base64);
}

static void answer(struct wire *w, const char *path, const char *content, enum how how)
{
    char whole[100];
    (void)snprintf(whole, sizeof whole, "/ams/api/v1%s", path);
    put_head(how, whole, "response-time", content, &w->head);
    buf_clear(&w->body);
    buf_puts(&w->body, content);
    if (how == CHANGED)
        buf_char(&w->body, ' ');
    w->status = 200;
}

/* As the wallet looks at a request. */
static void check_request(const struct wire *w, const char *path, const char *body)
{
    char url[120];
    struct buf text, base64;
    struct slice head = buf_view(&w->rq_head), signature = wallet_head_find(head, "signature");
    (void)snprintf(url, sizeof url, "https://pay.test/ams/api/v1%s", path);
    ck_slice_eq(buf_view(&w->rq_url), slice_str(url));
    ck_slice_eq(buf_view(&w->rq_body), slice_str(body));
    ck_assert_str_eq(w->method, "POST");
    ck_slice_eq(wallet_head_find(head, "client-id"), SLICE(CLIENT));
    ck_slice_eq(wallet_head_find(head, "request-time"), SLICE("1539137502000"));
    static const char before[] = "algorithm=RSA256,keyVersion=3,signature=";
    ck_assert(signature.len > sizeof before && memcmp(signature.p, before, sizeof before - 1) == 0);
    buf_init(&text, 1u << 16);
    buf_init(&base64, 4096);
    ck_ok(percent_get(&base64, slice_of(signature.p + sizeof before - 1, signature.len - sizeof before + 1), false));
    buf_fmt(&text, "POST /ams/api/v1%s\n" CLIENT ".1539137502000.%s", path, body);
    ck_assert(sign_verify(wire_keys[WIRE_OURS], buf_view(&text), buf_view(&base64)));
    buf_release(&text);
    buf_release(&base64);
}

START_TEST(vectors)
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 10000, .depth = 10, .keys = 100};
    struct tape t = {0};
    struct tape_error error;
    struct buf text, made;
    if (!shared_dir())
        return;
    ck_ok(crypto_start());
    buf_init(&text, 2u << 20);
    buf_init(&made, 1u << 16);
    ck_assert(wire_shared("antom/derived.json", &text));
    ck_ok(tape_read(&t, buf_view(&text), &limits, &error));
    struct antom a = {.client_id = CLIENT, .keys = 1, .version = {1}};
    a.key[0] = wire_shared_key("app_pub.pem");
    uint32_t list = tape_find(&t, 0, "vectors");
    ck_assert_uint_gt(t.v[list].len, 1);
    for (uint32_t v = list + 1, i = 0; i < t.v[list].len; i++, v = t.v[v].next) {
        struct antom_message m = {driver_text(&t, v, "path"), driver_text(&t, v, "time"), driver_text(&t, v, "header"),
                                  driver_text(&t, v, "body")};
        int64_t now_us = INT64_C(1539137502) * US_SECOND;
        buf_clear(&made);
        antom_sign_string(m.path, slice_str(a.client_id), m.time, m.body, &made);
        ck_slice_eq(buf_view(&made), driver_text(&t, v, "sign_string"));
        ck_assert_int_eq(antom_verify(&a, &m, now_us), WALLET_GENUINE);
        ck_assert_int_eq(antom_verify(&a, &m, now_us + 301 * US_SECOND), WALLET_STALE);
        buf_clear(&made);
        percent_put(&made, driver_text(&t, v, "signature_base64"));
        ck_assert(slice_has(m.signature, buf_view(&made)));
        m.body.len--;
        ck_assert_int_eq(antom_verify(&a, &m, now_us), WALLET_FORGED);
    }
    crypto_key_free(a.key[0]);
    tape_release(&t);
    buf_release(&text);
    buf_release(&made);
}
END_TEST

#define OK_RESULT "\"result\":{\"resultCode\":\"SUCCESS\",\"resultStatus\":\"S\",\"resultMessage\":\"success\"}"
#define PAID                                                                                                \
    "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER                                                         \
    "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"CNY\",\"value\":\"64800\"},\"paymentTime\":" \
    "\"2018-10-10T10:11:43+08:00\"}"

START_TEST(a_charge)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    answer(&w, "/payments/pay", PAID, SIGNED);
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    check_request(&w, "/payments/pay",
                  "{\"productCode\":\"AGREEMENT_PAYMENT\",\"paymentRequestId\":\"" NUMBER
                  "\",\"order\":{\"referenceOrderId\":\"" NUMBER
                  "\",\"orderDescription\":\"648 gems\",\"orderAmount\":{\"currency\":\"CNY\",\"value\":\"64800\"}},"
                  "\"paymentAmount\":{\"currency\":\"CNY\",\"value\":\"64800\"},\"paymentMethod\":{\"paymentMethodType\":"
                  "\"ALIPAY_CN\",\"paymentMethodId\":\"2810000000000000token\"},\"paymentNotifyUrl\":\"https://id.test/n\","
                  "\"env\":{\"terminalType\":\"WEB\",\"clientIp\":\"192.0.2.1\"}}");
    ck_assert(c.state == WALLET_CHARGE_PAID && c.amount_minor == 64800 && c.currency == CUR_CNY && strcmp(c.ref, "p1") == 0);
    ck_assert_int_eq(c.paid_us, WIRE_NOW_US + US_SECOND);
    for (int how = 0; how < HOW_MAX; how++) {
        answer(&w, "/payments/pay", PAID, (enum how)how);
        enum wallet_answer a = wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why);
        ck_assert_msg(a == (how <= LAST_GOOD ? WALLET_YES : WALLET_UNKNOWN), "%d: %d", how, (int)a);
        if (how == AT_301 || how == IN_301)
            ck_assert_int_eq(why.reason, WALLET_STALE_ANSWER);
    }
    struct wallet_charge_ask none = charge_ask;
    none.amount_minor = 0;
    w.requests = 0;
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &none, &c, &why), WALLET_NO);
    ck_assert_uint_eq(w.requests, 0);
    w.sent = WALLET_LOST;
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_UNKNOWN);
    w.sent = WALLET_NEVER;
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_NOT_SENT);
    wire_stop(&w, &wallet_antom);
}
END_TEST

START_TEST(what_is_no_answer_is_unknown)
{
    static const char *const contents[] = {
        "{}",
        "[]",
        "{\"result\":null}",
        "{\"result\":\"S\"}",
        "{\"result\":{\"resultStatus\":\"X\"}}",
        "{" OK_RESULT "}",
        "{" OK_RESULT ",\"paymentRequestId\":\"" REFUND "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"CNY\","
        "\"value\":\"64800\"}}",
        "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\",\"paymentId\":\"p1\"}",
        "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"CNY\","
        "\"value\":64800}}",
        "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"CNY\","
        "\"value\":\"648.00\"}}",
        "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"XYZ\","
        "\"value\":\"64800\"}}",
        "{\"result\":{\"resultStatus\":\"U\",\"resultCode\":\"USER_BALANCE_NOT_ENOUGH\"}}",
        "{\"result\":{\"resultStatus\":\"U\",\"resultCode\":\"UNKNOWN_EXCEPTION\"}}",
        "{\"result\":{\"resultStatus\":\"U\",\"resultCode\":\"REQUEST_TRAFFIC_EXCEED_LIMIT\"}}"};
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        answer(&w, "/payments/pay", contents[i], SIGNED);
        ck_assert_msg(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why) == WALLET_UNKNOWN, "%s", contents[i]);
    }
    w.status = 503;
    buf_clear(&w.head);
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_UNKNOWN);
    ck_assert_int_eq(why.reason, WALLET_WALLET_ERROR);
    answer(&w, "/payments/pay",
           "{\"result\":{\"resultStatus\":\"U\",\"resultCode\":\"PAYMENT_IN_PROCESS\"},\"paymentRequestId\":\"" NUMBER
           "\",\"paymentId\":\"p1\"}",
           SIGNED);
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    ck_assert_int_eq(c.state, WALLET_CHARGE_WAITS);
    wire_stop(&w, &wallet_antom);
}
END_TEST

enum { REFUSED, UNKNOWN, NOT_THERE, GONE };
static const struct {
    const char *code;
    int end;
    enum wallet_reason reason;
} codes[] = {
#define ANTOM_CODE(code, end, reason) {code, end, WALLET_##reason},
#include "wallet/antom/codes.def"
#undef ANTOM_CODE
    {"NEVER_SEEN", REFUSED, WALLET_OTHER}};

START_TEST(each_code_has_its_end)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_refund f;
    struct wallet_agreement g;
    struct wallet_why why;
    char content[300], url[WALLET_URL_BYTES];
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        int end = codes[i].end;
        enum wallet_answer no = end == UNKNOWN ? WALLET_UNKNOWN : WALLET_NO, there = end == NOT_THERE ? WALLET_YES : no;
        (void)snprintf(content, sizeof content,
                       "{\"result\":{\"resultCode\":\"%s\",\"resultStatus\":\"F\",\"resultMessage\":\"why\"}}",
                       codes[i].code);
        answer(&w, "/payments/pay", content, SIGNED);
        enum wallet_answer a = wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why);
        ck_assert_msg(a == (end == NOT_THERE ? WALLET_UNKNOWN : no), "%s: %d", codes[i].code, (int)a);
        ck_assert_str_eq(why.code, codes[i].code);
        ck_assert_int_eq(why.reason, codes[i].reason);
        answer(&w, "/payments/inquiryPayment", content, SIGNED);
        ck_assert_int_eq(wallet_antom.charge_query(w.self, &w.io, NUMBER, &c, &why), there);
        answer(&w, "/payments/cancel", content, SIGNED);
        ck_assert_int_eq(wallet_antom.charge_cancel(w.self, &w.io, NUMBER, &c, &why), no);
        answer(&w, "/payments/refund", content, SIGNED);
        ck_assert_int_eq(wallet_antom.refund(w.self, &w.io, &refund_ask, &f, &why), no);
        answer(&w, "/payments/inquiryRefund", content, SIGNED);
        ck_assert_int_eq(wallet_antom.refund_query(w.self, &w.io, &refund_ask, &f, &why), there);
        answer(&w, "/authorizations/applyToken", content, SIGNED);
        a = wallet_antom.agreement_query(w.self, &w.io, &which, &g, &why);
        ck_assert_int_eq(a, end == GONE ? WALLET_YES : no);
        if (end == GONE)
            ck_assert_int_eq(g.state, WALLET_AGREEMENT_STOPPED);
        answer(&w, "/authorizations/revoke", content, SIGNED);
        ck_assert_int_eq(wallet_antom.agreement_end(w.self, &w.io, &which, SLICE(""), &why), end == GONE ? WALLET_YES : no);
        answer(&w, "/authorizations/consult", content, SIGNED);
        struct wallet_sign_ask ask = {.number = "a1", .return_url = SLICE("https://id.test/back"), .currency = CUR_CNY};
        ck_assert_int_eq(wallet_antom.sign(w.self, &w.io, &ask, url, &why), no);
    }
    wire_stop(&w, &wallet_antom);
}
END_TEST

START_TEST(an_authorisation_from_page_to_end)
{
    struct wire w;
    struct wallet_agreement g, plain = {.number = "a1", .ref = "token"}, never = {.number = "a1"};
    struct wallet_why why;
    char url[WALLET_URL_BYTES];
    struct wallet_sign_ask ask = {.number = "a1",
                                  .return_url = SLICE("https://id.test/back"),
                                  .notify_url = SLICE("https://id.test/n"),
                                  .currency = CUR_CNY};
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    answer(&w, "/authorizations/consult", "{" OK_RESULT ",\"normalUrl\":\"https://wallet.test/sign?x=1\"}", SIGNED);
    ck_assert_int_eq(wallet_antom.sign(w.self, &w.io, &ask, url, &why), WALLET_YES);
    ck_assert_str_eq(url, "https://wallet.test/sign?x=1");
    check_request(
        &w, "/authorizations/consult",
        "{\"customerBelongsTo\":\"ALIPAY_CN\",\"authClientId\":\"" CLIENT
        "\",\"authRedirectUrl\":\"https://id.test/back\",\"authNotifyUrl\":\"https://id.test/n\",\"authState\":\"a1\","
        "\"terminalType\":\"WEB\",\"scopes\":[\"AGREEMENT_PAY\"]}");
    answer(&w, "/authorizations/consult", "{" OK_RESULT "}", SIGNED);
    ck_assert_int_eq(wallet_antom.sign(w.self, &w.io, &ask, url, &why), WALLET_UNKNOWN);
    answer(&w, "/authorizations/applyToken",
           "{" OK_RESULT
           ",\"accessToken\":\"token\",\"accessTokenExpiryTime\":\"2019-10-10T10:11:42+08:00\",\"refreshToken\":"
           "\"again\",\"userLoginId\":\"a***@b.c\"}",
           SIGNED);
    ck_assert_int_eq(wallet_antom.sign_finish(w.self, &w.io, "a1", "code1", &g, &why), WALLET_YES);
    check_request(&w, "/authorizations/applyToken",
                  "{\"grantType\":\"AUTHORIZATION_CODE\",\"customerBelongsTo\":\"ALIPAY_CN\",\"authCode\":\"code1\"}");
    ck_assert(g.state == WALLET_AGREEMENT_NORMAL && strcmp(g.ref, "token") == 0 && strcmp(g.refresh, "again") == 0);
    ck_assert(g.valid_until_us == WIRE_NOW_US + 365 * US_DAY && strcmp(g.user, "a***@b.c") == 0);
    w.requests = 0;
    ck_assert_int_eq(wallet_antom.agreement_query(w.self, &w.io, &g, &plain, &why), WALLET_NO); /* it is valid for long */
    ck_assert_int_eq(why.reason, WALLET_NOT_POSSIBLE);
    ck_assert_uint_eq(w.requests, 0);
    ck_assert_int_eq(wallet_antom.agreement_query(w.self, &w.io, &which, &g, &why), WALLET_YES);
    check_request(&w, "/authorizations/applyToken",
                  "{\"grantType\":\"REFRESH_TOKEN\",\"customerBelongsTo\":\"ALIPAY_CN\",\"refreshToken\":\"again\"}");
    answer(&w, "/authorizations/applyToken", "{" OK_RESULT ",\"refreshToken\":\"again\"}", SIGNED);
    ck_assert_int_eq(wallet_antom.sign_finish(w.self, &w.io, "a1", "code1", &g, &why), WALLET_UNKNOWN);
    answer(&w, "/authorizations/revoke", "{" OK_RESULT "}", SIGNED);
    ck_assert_int_eq(wallet_antom.agreement_end(w.self, &w.io, &which, SLICE(""), &why), WALLET_YES);
    check_request(&w, "/authorizations/revoke", "{\"accessToken\":\"token\"}");
    w.sent = WALLET_NEVER;
    ck_assert_int_eq(wallet_antom.agreement_end(w.self, &w.io, &never, SLICE(""), &why), WALLET_YES); /* nothing to end */
    ck_assert_int_eq(wallet_antom.agreement_end(w.self, &w.io, &which, SLICE(""), &why), WALLET_NOT_SENT);
    wire_stop(&w, &wallet_antom);
}
END_TEST

START_TEST(states_of_payments_and_refunds)
{
    static const struct {
        const char *status;
        enum wallet_charge_state state;
    } payments[] = {{"SUCCESS", WALLET_CHARGE_PAID},
                    {"FAIL", WALLET_CHARGE_FAILED},
                    {"PROCESSING", WALLET_CHARGE_WAITS},
                    {"CANCELLED", WALLET_CHARGE_CLOSED},
                    {"PENDING", WALLET_CHARGE_WAITS}};
    static const struct {
        const char *status;
        enum wallet_refund_state state;
    } refunds[] = {{"SUCCESS", WALLET_REFUND_PAID}, {"FAIL", WALLET_REFUND_FAILED}, {"PROCESSING", WALLET_REFUND_WAITS}};
    struct wire w;
    struct wallet_charge c;
    struct wallet_refund f;
    struct wallet_why why;
    char content[700];
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    for (size_t i = 0; i < ARRAY_LEN(payments); i++) {
        (void)snprintf(content, sizeof content,
                       "{" OK_RESULT
                       ",\"paymentResultCode\":\"RISK_REJECT\",\"paymentStatus\":\"%s\",\"paymentRequestId\":\"" NUMBER
                       "\",\"paymentId\":\"p1\","
                       "\"paymentAmount\":{\"currency\":\"CNY\",\"value\":\"64800\"},\"transactions\":[{\"transactionType\":"
                       "\"REFUND\",\"transactionStatus\":\"SUCCESS\",\"transactionAmount\":{\"currency\":\"CNY\",\"value\":"
                       "\"4800\"}},{\"transactionType\":\"REFUND\",\"transactionStatus\":\"FAIL\",\"transactionAmount\":"
                       "{\"currency\":\"CNY\",\"value\":\"100\"}}]}",
                       payments[i].status);
        answer(&w, "/payments/inquiryPayment", content, SIGNED);
        why = (struct wallet_why){.reason = WALLET_NO_REASON};
        ck_assert_int_eq(wallet_antom.charge_query(w.self, &w.io, NUMBER, &c, &why), WALLET_YES);
        ck_assert(c.state == payments[i].state && c.refunded_minor == 4800);
        ck_assert_int_eq(why.reason == WALLET_WALLET_RISK, c.state == WALLET_CHARGE_FAILED);
    }
    check_request(&w, "/payments/inquiryPayment", "{\"paymentRequestId\":\"" NUMBER "\"}");
    answer(&w, "/payments/inquiryPayment", "{" OK_RESULT ",\"paymentStatus\":\"LOST\",\"paymentRequestId\":\"" NUMBER "\"}",
           SIGNED);
    ck_assert_int_eq(wallet_antom.charge_query(w.self, &w.io, NUMBER, &c, &why), WALLET_UNKNOWN);
    answer(&w, "/payments/cancel", "{" OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\",\"paymentId\":\"p1\"}", SIGNED);
    ck_assert_int_eq(wallet_antom.charge_cancel(w.self, &w.io, NUMBER, &c, &why), WALLET_YES);
    ck_assert_int_eq(c.state, WALLET_CHARGE_CLOSED);
    answer(&w, "/payments/cancel", "{" OK_RESULT ",\"paymentRequestId\":\"other\"}", SIGNED);
    ck_assert_int_eq(wallet_antom.charge_cancel(w.self, &w.io, NUMBER, &c, &why), WALLET_UNKNOWN);
#define REFUNDED \
    ",\"refundRequestId\":\"" REFUND "\",\"refundId\":\"f1\",\"refundAmount\":{\"currency\":\"CNY\",\"value\":\"4800\"}}"
    answer(&w, "/payments/refund", "{" OK_RESULT REFUNDED, SIGNED);
    ck_assert_int_eq(wallet_antom.refund(w.self, &w.io, &refund_ask, &f, &why), WALLET_YES);
    check_request(&w, "/payments/refund",
                  "{\"refundRequestId\":\"" REFUND
                  "\",\"paymentId\":\"p1\",\"refundAmount\":{\"currency\":\"CNY\",\"value\":"
                  "\"4800\"},\"refundReason\":\"not me\"}");
    ck_assert(f.state == WALLET_REFUND_PAID && f.amount_minor == 4800 && strcmp(f.ref, "f1") == 0);
    answer(&w, "/payments/refund", "{\"result\":{\"resultStatus\":\"U\",\"resultCode\":\"REFUND_IN_PROCESS\"}" REFUNDED,
           SIGNED);
    ck_assert_int_eq(wallet_antom.refund(w.self, &w.io, &refund_ask, &f, &why), WALLET_YES);
    ck_assert_int_eq(f.state, WALLET_REFUND_WAITS);
    for (size_t i = 0; i < ARRAY_LEN(refunds); i++) {
        (void)snprintf(content, sizeof content, "{" OK_RESULT ",\"refundStatus\":\"%s\"" REFUNDED, refunds[i].status);
        answer(&w, "/payments/inquiryRefund", content, SIGNED);
        ck_assert_int_eq(wallet_antom.refund_query(w.self, &w.io, &refund_ask, &f, &why), WALLET_YES);
        ck_assert_int_eq(f.state, refunds[i].state);
    }
    answer(&w, "/payments/inquiryRefund", "{" OK_RESULT REFUNDED, SIGNED);
    ck_assert_int_eq(wallet_antom.refund_query(w.self, &w.io, &refund_ask, &f, &why), WALLET_UNKNOWN);
    struct wallet_refund_ask without = refund_ask;
    without.charge_ref = "";
    ck_assert_int_eq(wallet_antom.refund(w.self, &w.io, &without, &f, &why), WALLET_NO);
    wire_stop(&w, &wallet_antom);
}
END_TEST

/* --- notices --- */

#define NOTICE_PATH "/v1/wallets/antom/notices"

static enum wallet_verdict tell(struct wire *w, struct slice body, struct slice head, struct wallet_notice *n)
{
    char why[WALLET_WHY_BYTES];
    struct wallet_inbound in = {.method = "POST", .path = SLICE(NOTICE_PATH), .head = head, .body = body};
    return wallet_antom.notice(w->self, &in, WIRE_NOW_US, n, why);
}

#define PAYMENT_NOTICE                                                                \
    "{\"notifyType\":\"PAYMENT_RESULT\"," OK_RESULT ",\"paymentRequestId\":\"" NUMBER \
    "\",\"paymentId\":\"p1\",\"paymentAmount\":{\"currency\":\"CNY\",\"value\":\"64800\"}}"

START_TEST(notices)
{
    static const struct {
        const char *body;
        enum wallet_verdict verdict;
        enum wallet_notice_kind kind;
        int state; /* of its kind */
    } cases[] = {
        {PAYMENT_NOTICE, WALLET_GENUINE, WALLET_NOTICE_CHARGE, WALLET_CHARGE_PAID},
        {"{\"notifyType\":\"PAYMENT_RESULT\",\"result\":{\"resultStatus\":\"F\",\"resultCode\":\"RISK_REJECT\"},"
         "\"paymentRequestId\":\"" NUMBER "\"}",
         WALLET_GENUINE, WALLET_NOTICE_CHARGE, WALLET_CHARGE_FAILED},
        {"{\"notifyType\":\"PAYMENT_PENDING\"," OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\"}", WALLET_GENUINE,
         WALLET_NOTICE_CHARGE, WALLET_CHARGE_WAITS},
        {"{\"notifyType\":\"PAYMENT_RESULT\",\"result\":{\"resultStatus\":\"U\"},\"paymentRequestId\":\"" NUMBER "\"}",
         WALLET_GARBLED, 0, 0},
        {"{\"notifyType\":\"PAYMENT_RESULT\",\"resultStatus\":\"S\",\"paymentRequestId\":\"" NUMBER "\"}", WALLET_GARBLED, 0,
         0},
        {"{\"notifyType\":\"PAYMENT_RESULT\"," OK_RESULT ",\"paymentRequestId\":\"" NUMBER "\"}", WALLET_GARBLED, 0, 0},
        {"{\"notifyType\":\"PAYMENT_RESULT\"," OK_RESULT
         ",\"paymentRequestId\":\"a-number-of-another-program-of-this-merchant\",\"paymentId\":\"p1\"}",
         WALLET_GENUINE, WALLET_NOTICE_OTHER, 0},
        {"{\"notifyType\":\"REFUND_RESULT\",\"refundStatus\":\"SUCCESS\",\"refundRequestId\":\"" REFUND
         "\",\"refundId\":\"f1\",\"refundAmount\":{\"currency\":\"CNY\",\"value\":\"4800\"}}",
         WALLET_GENUINE, WALLET_NOTICE_REFUND, WALLET_REFUND_PAID},
        {"{\"notifyType\":\"REFUND_RESULT\",\"refundStatus\":\"FAIL\",\"refundRequestId\":\"" REFUND "\"}", WALLET_GENUINE,
         WALLET_NOTICE_REFUND, WALLET_REFUND_FAILED},
        {"{\"notifyType\":\"REFUND_RESULT\",\"refundStatus\":\"SUCCESS\",\"refundRequestId\":\"" REFUND "\"}",
         WALLET_GARBLED, 0, 0},
        {"{\"authorizationNotifyType\":\"AUTHCODE_CREATED\",\"authState\":\"a1\",\"authCode\":\"code1\"}", WALLET_GENUINE,
         WALLET_NOTICE_AGREEMENT, WALLET_AGREEMENT_TEMP},
        {"{\"authorizationNotifyType\":\"AUTHCODE_CREATED\",\"authState\":\"a1\"}", WALLET_GARBLED, 0, 0},
        {"{\"authorizationNotifyType\":\"TOKEN_CREATED\",\"authState\":\"a1\",\"accessToken\":\"token\"}", WALLET_GENUINE,
         WALLET_NOTICE_AGREEMENT, WALLET_AGREEMENT_NORMAL},
        {"{\"authorizationNotifyType\":\"TOKEN_CANCELED\",\"accessToken\":\"token\",\"reason\":\"x\"}", WALLET_GENUINE,
         WALLET_NOTICE_AGREEMENT, WALLET_AGREEMENT_STOPPED},
        {"{\"authorizationNotifyType\":\"TOKEN_CANCELED\",\"authState\":\"a1\"}", WALLET_GARBLED, 0, 0},
        {"{\"authorizationNotifyType\":\"TOKEN_MOVED\",\"authState\":\"a1\"}", WALLET_GENUINE, WALLET_NOTICE_OTHER, 0},
        {"{\"notifyType\":\"DISPUTE\"}", WALLET_GENUINE, WALLET_NOTICE_OTHER, 0},
        {"{\"notifyType\":\"PAYMENT_RESULT\",", WALLET_GARBLED, 0, 0},
        {"[]", WALLET_GARBLED, 0, 0}};
    struct wire w;
    struct wallet_notice n;
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_head(SIGNED, NOTICE_PATH, "request-time", cases[i].body, &w.head);
        enum wallet_verdict v = tell(&w, slice_str(cases[i].body), buf_view(&w.head), &n);
        ck_assert_msg(v == cases[i].verdict, "%s: %d", cases[i].body, (int)v);
        if (v != WALLET_GENUINE)
            continue;
        ck_assert_msg(n.kind == cases[i].kind && n.id[0], "%s: %d", cases[i].body, (int)n.kind);
        if (n.kind != WALLET_NOTICE_OTHER)
            ck_assert_int_eq(n.kind == WALLET_NOTICE_CHARGE   ? (int)n.charge.state
                             : n.kind == WALLET_NOTICE_REFUND ? (int)n.refund.state
                                                              : (int)n.agreement.state,
                             cases[i].state);
    }
    for (int how = 0; how < HOW_MAX; how++) {
        put_head((enum how)how, NOTICE_PATH, "request-time", PAYMENT_NOTICE, &w.head);
        enum wallet_verdict v =
            tell(&w, how == CHANGED ? SLICE(PAYMENT_NOTICE " ") : SLICE(PAYMENT_NOTICE), buf_view(&w.head), &n);
        ck_assert_msg(v == (how <= LAST_GOOD                 ? WALLET_GENUINE
                            : how == AT_301 || how == IN_301 ? WALLET_STALE
                                                             : WALLET_FORGED),
                      "%d: %d", how, (int)v);
    }
    put_head(SIGNED, NOTICE_PATH, "request-time", PAYMENT_NOTICE, &w.head);
    struct slice head = buf_view(&w.head);
    (void)slice_cut(&head, '\n'); /* client-id */
    ck_assert_int_eq(tell(&w, SLICE(PAYMENT_NOTICE), head, &n), WALLET_FORGED);
    ck_assert_int_eq(tell(&w, SLICE(PAYMENT_NOTICE), buf_view(&w.head), &n), WALLET_GENUINE);
    ck_assert(strcmp(n.charge.number, NUMBER) == 0 && n.charge.amount_minor == 64800 && n.charge.currency == CUR_CNY);
    char first[sizeof n.id];
    memcpy(first, n.id, sizeof first);
    put_head(NEXT_KEY, NOTICE_PATH, "request-time", PAYMENT_NOTICE, &w.head); /* again, signed anew: the same notice */
    ck_assert_int_eq(tell(&w, SLICE(PAYMENT_NOTICE), buf_view(&w.head), &n), WALLET_GENUINE);
    ck_assert_str_eq(n.id, first);
    struct wallet_reply r;
    wallet_antom.reply(w.self, true, &r);
    ck_assert(r.status == 200 && strstr(r.body, "\"resultStatus\":\"S\""));
    wallet_antom.reply(w.self, false, &r);
    ck_assert(r.status == 500 && !strstr(r.body, "\"resultStatus\":\"S\""));
    wire_stop(&w, &wallet_antom);
}
END_TEST

START_TEST(mistakes_in_settings)
{
    static const struct {
        const char *from, *to, *words;
    } mistakes[] = {{"\"client_id\":\"" CLIENT "\",", "", "\"client_id\" is missing"},
                    {"\"version\":2", "\"version\":1", "version 1 is there twice"},
                    {"\"version\":2,", "", "\"version\" is missing"},
                    {"\"key_version\":3", "\"key_version\":0", "\"key_version\": a whole number"},
                    {"\"key_version\":3", "\"keyversion\":3", "\"keyversion\": there is no such member"},
                    {"\"version\":2,", "\"version\":2,\"x\":1,", "\"x\": there is no such member"},
                    {"theirs.pem", "nothing.pem", "No such file"},
                    {"theirs.pem", "ours.pem", "a public RSA key"},
                    {"ours.pem", "theirs.pem", "holds a secret"}};
    struct wire w;
    char why[WALLET_WHY_BYTES], text[1000];
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        void *self = NULL;
        const char *at = strstr(SETTINGS, mistakes[i].from);
        ck_assert_ptr_nonnull(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - SETTINGS), SETTINGS, mistakes[i].to,
                       at + strlen(mistakes[i].from));
        ck_assert_msg(wallet_antom.open(slice_str(text), w.scratch.dir, &self, why) != KEER_OK, "%s", text);
        ck_assert_msg(strstr(why, mistakes[i].words) != NULL, "%s", why);
    }
    wire_stop(&w, &wallet_antom);
}
END_TEST

START_TEST(without_memory_nothing_is_believed)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    struct wallet_notice n;
    wire_start(&w);
    wire_open(&w, &wallet_antom, SETTINGS);
    answer(&w, "/payments/pay", PAID, SIGNED);
    ck_assert_int_eq(wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    bool done = false;
    for (uint64_t at = 1; !done && at < 1000; at++) {
        oom_arm(at, false);
        enum wallet_answer a = wallet_antom.charge(w.self, &w.io, &charge_ask, &c, &why);
        done = oom_count() < at;
        oom_arm(0, false);
        ck_assert_msg(a == WALLET_YES || a == WALLET_UNKNOWN || a == WALLET_NOT_SENT, "%d", (int)a);
        ck_assert(!done || a == WALLET_YES);
    }
    ck_assert(done);
    put_head(SIGNED, NOTICE_PATH, "request-time", PAYMENT_NOTICE, &w.head);
    done = false;
    for (uint64_t at = 1; !done && at < 1000; at++) {
        oom_arm(at, false);
        enum wallet_verdict v = tell(&w, SLICE(PAYMENT_NOTICE), buf_view(&w.head), &n);
        done = oom_count() < at;
        oom_arm(0, false);
        ck_assert(v == WALLET_GENUINE || v == WALLET_FORGED || v == WALLET_GARBLED);
        ck_assert(!done || v == WALLET_GENUINE);
    }
    ck_assert(done);
    wire_stop(&w, &wallet_antom);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("antom");
    TCase *t = tcase_create("antom");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, vectors);
    tcase_add_test(t, a_charge);
    tcase_add_test(t, what_is_no_answer_is_unknown);
    tcase_add_test(t, each_code_has_its_end);
    tcase_add_test(t, an_authorisation_from_page_to_end);
    tcase_add_test(t, states_of_payments_and_refunds);
    tcase_add_test(t, notices);
    tcase_add_test(t, mistakes_in_settings);
    tcase_add_test(t, without_memory_nothing_is_believed);
    suite_add_tcase(s, t);
    return test_main(s);
}
