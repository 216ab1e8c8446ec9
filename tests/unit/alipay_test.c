/* alipay_test.c - the driver for Alipay: what is signed, which answers are believed, what each code means, notices.
 *
 * The answers are put together here as the wallet does it, with keys of the test; each test of a refusal has its valid
 * counterpart beside it.
 */
#include "lib/wallet_kit.h"
#include "wallet/alipay/alipay.h"

#define NUMBER "c0123456789abcdef0123456789abcde"
#define REFUND "r0123456789abcdef0123456789abcde"
#define SETTINGS(more)                                                                                                   \
    ("{\"name\":\"alipay\",\"kind\":\"alipay\",\"url\":\"https://pay.test/gateway.do\",\"app_id\":\"2018102900000001\"," \
     "\"seller_id\":\"2088000000000001\",\"private_key\":\"ours.pem\"," more "}")
#define PLAIN "\"public_key\":[\"theirs.pem\",\"next.pem\"]"

static const struct wallet_charge_ask charge_ask = {.number = NUMBER,
                                                    .agreement = "20170322450983769228",
                                                    .subject = {"Gems & gold = 648 %", 19},
                                                    .notify_url = {"https://id.test/n?a=b&c=d", 25},
                                                    .amount_minor = 64800,
                                                    .currency = CUR_CNY};
static const struct wallet_refund_ask refund_ask = {.number = REFUND,
                                                    .charge = NUMBER,
                                                    .charge_ref = "2018101021001004",
                                                    .amount_minor = 4800,
                                                    .charged_minor = 64800,
                                                    .currency = CUR_CNY,
                                                    .reason = {"not me", 6}};
static const struct wallet_agreement which = {.number = "a1", .ref = "20170322450983769228"};

/* --- answers --- */

/* How an answer is signed; what comes after NEXT_KEY is not believed. */
enum how { SIGNED, NEXT_KEY, UNSIGNED, OTHER_KEY, CHANGED, STALE, FUTURE, HOW_MAX };

static const struct crypto_key *key_of(enum how how)
{
    return wire_keys[how == NEXT_KEY ? WIRE_NEXT : how == OTHER_KEY ? WIRE_OTHER : WIRE_THEIRS];
}

static void answer_v2(struct wire *w, const char *name, const char *content, enum how how)
{
    buf_clear(&w->head);
    buf_clear(&w->body);
    buf_fmt(&w->body, "{\"%s\":%s", name, content);
    if (how == CHANGED)
        w->body.p[w->body.len - 2] = (char)(w->body.p[w->body.len - 2] ^ 1); /* a quote's neighbour or a quote */
    if (how != UNSIGNED) {
        buf_puts(&w->body, ",\"sign\":\"");
        ck_ok(sign_put(key_of(how), slice_str(content), &w->body));
        buf_char(&w->body, '"');
    }
    buf_char(&w->body, '}');
    w->status = 200;
}

static void answer_v3(struct wire *w, int status, const char *content, enum how how)
{
    struct buf text;
    int64_t ms = WIRE_NOW_US / 1000 + (how == STALE ? -300001 : how == FUTURE ? 300001 : 0);
    buf_init(&text, 1u << 16);
    buf_fmt(&text, "%lld\nn0nce\n%s\n", (long long)ms, content);
    buf_clear(&w->head);
    buf_clear(&w->body);
    buf_fmt(&w->head, "content-type: application/json\nalipay-timestamp: %lld\nalipay-nonce: n0nce\n", (long long)ms);
    if (how != UNSIGNED) {
        buf_puts(&w->head, "alipay-signature: ");
        ck_ok(sign_put(key_of(how), buf_view(&text), &w->head));
        buf_char(&w->head, '\n');
    }
    buf_puts(&w->body, content);
    if (how == CHANGED)
        buf_char(&w->body, ' ');
    w->status = status;
    buf_release(&text);
}

/* --- requests --- */

static void check_param(const struct form *f, const char *name, const char *value)
{
    struct slice got = form_find(f, name);
    ck_assert_msg(slice_eq(got, slice_str(value)), "%s: '" SLICE_FMT "'", name, SLICE_ARG(got));
}

/* As the gateway looks at a request: query and form together, the signature over all of them. */
static void check_v2_request(const struct wire *w, const char *method, const char *biz)
{
    struct buf all, text;
    struct form f;
    struct slice url = buf_view(&w->rq_url);
    buf_init(&all, 1u << 18);
    buf_init(&text, 1u << 18);
    ck_slice_eq(slice_cut(&url, '?'), SLICE("https://pay.test/gateway.do"));
    buf_slice(&all, url);
    if (w->rq_body.len)
        buf_fmt(&all, "&" SLICE_FMT, SLICE_ARG(buf_view(&w->rq_body)));
    ck_ok(form_read(&f, buf_view(&all)));
    check_param(&f, "method", method);
    check_param(&f, "app_id", "2018102900000001");
    check_param(&f, "charset", "utf-8");
    check_param(&f, "sign_type", "RSA2");
    check_param(&f, "version", "1.0");
    check_param(&f, "timestamp", "2018-10-10 10:11:42");
    check_param(&f, "biz_content", biz);
    alipay_sign_string(f.field, f.count, /* with_type */ true, &text);
    ck_assert(sign_verify(wire_keys[WIRE_OURS], buf_view(&text), form_find(&f, "sign")));
    form_release(&f);
    buf_release(&all);
    buf_release(&text);
}

START_TEST(a_v2_request_is_what_the_gateway_wants)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    answer_v2(&w, "alipay_trade_pay_response",
              "{\"code\":\"10000\",\"msg\":\"Success\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"2018101021001004\","
              "\"total_amount\":\"648.00\",\"gmt_payment\":\"2018-10-10 10:11:43\",\"store\\/name\":\"a}b\\\"{\"}",
              SIGNED);
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    ck_assert_str_eq(w.method, "POST");
    check_v2_request(&w, "alipay.trade.pay",
                     "{\"out_trade_no\":\"" NUMBER "\",\"total_amount\":\"648.00\",\"subject\":\"Gems & gold = 648 %\","
                     "\"product_code\":\"GENERAL_WITHHOLDING\",\"agreement_params\":{\"agreement_no\":"
                     "\"20170322450983769228\"}}");
    ck_assert(slice_has(buf_view(&w.rq_url), SLICE("notify_url=https%3A%2F%2Fid.test%2Fn%3Fa%3Db%26c%3Dd&")));
    ck_assert(!slice_has(buf_view(&w.rq_url), SLICE("biz_content")));
    ck_assert_int_eq(c.state, WALLET_CHARGE_PAID);
    ck_assert_str_eq(c.number, NUMBER);
    ck_assert_str_eq(c.ref, "2018101021001004");
    ck_assert_int_eq(c.amount_minor, 64800);
    ck_assert_int_eq(c.currency, CUR_CNY);
    ck_assert_int_eq(c.paid_us, WIRE_NOW_US + US_SECOND);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(a_v3_request_is_what_the_gateway_wants)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    struct buf text;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN ",\"api\":\"v3\""));
    answer_v3(&w, 200,
              "{\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"2018101021001004\",\"total_amount\":\"648.00\","
              "\"gmt_payment\":\"2018-10-10 10:11:43\"}",
              SIGNED);
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    ck_assert_int_eq(c.state, WALLET_CHARGE_PAID);
    ck_slice_eq(buf_view(&w.rq_url), SLICE("https://pay.test/v3/alipay/trade/pay"));
    ck_assert(slice_has(buf_view(&w.rq_body), SLICE(",\"notify_url\":\"https://id.test/n?a=b&c=d\"}")));
    struct slice auth = wallet_head_find(buf_view(&w.rq_head), "authorization"), rest = auth;
    ck_slice_eq(slice_cut(&rest, ' '), SLICE("ALIPAY-SHA256withRSA"));
    const char *sign = memmem(rest.p, rest.len, ",sign=", 6);
    ck_assert_ptr_nonnull(sign);
    struct slice signed_part = slice_of(rest.p, (size_t)(sign - rest.p));
    ck_slice_eq(signed_part,
                SLICE("app_id=2018102900000001,nonce=a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5,timestamp=1539137502000"));
    buf_init(&text, 1u << 16);
    buf_fmt(&text, SLICE_FMT "\nPOST\n/v3/alipay/trade/pay\n" SLICE_FMT "\n", SLICE_ARG(signed_part),
            SLICE_ARG(buf_view(&w.rq_body)));
    ck_assert(
        sign_verify(wire_keys[WIRE_OURS], buf_view(&text), slice_of(sign + 6, rest.len - (size_t)(sign + 6 - rest.p))));
    buf_release(&text);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(the_page_carries_our_caps)
{
    struct wire w;
    struct wallet_why why;
    char url[WALLET_URL_BYTES];
    struct wallet_sign_ask ask = {.number = "a1",
                                  .account = SLICE("1***2"),
                                  .return_url = SLICE("https://id.test/back"),
                                  .notify_url = SLICE("https://id.test/n"),
                                  .currency = CUR_CNY,
                                  .charge_cap_minor = 70000,
                                  .total_cap_minor = 300000};
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN ",\"sign_validity_period\":\"365d\",\"api\":\"v3\""));
    w.sent = WALLET_NEVER; /* the page is built without the network */
    ck_assert_int_eq(wallet_alipay.sign(w.self, &w.io, &ask, url, &why), WALLET_YES);
    ck_assert_uint_eq(w.requests, 0);
    buf_slice(&w.rq_url, slice_str(url));
    check_v2_request(&w, "alipay.user.agreement.page.sign",
                     "{\"personal_product_code\":\"GENERAL_WITHHOLDING_P\",\"product_code\":\"GENERAL_WITHHOLDING\","
                     "\"sign_scene\":\"INDUSTRY|APPSTORE\",\"external_agreement_no\":\"a1\",\"external_logon_id\":\"1***2\","
                     "\"sign_validity_period\":\"365d\",\"access_params\":{\"channel\":\"ALIPAYAPP\"},"
                     "\"period_rule_params\":{\"period_type\":\"MONTH\",\"period\":1,\"execute_time\":\"2018-10-10\","
                     "\"single_amount\":\"700.00\",\"total_amount\":\"3000.00\"}}");
    w.io.now_us += 20 * US_DAY + 6 * US_HOUR; /* the 30th in GMT+8: a period of months begins on the 28th at most */
    ck_assert_int_eq(wallet_alipay.sign(w.self, &w.io, &ask, url, &why), WALLET_YES);
    ck_assert(slice_has(slice_str(url), SLICE("2018-10-28%22")));
    ask.currency = CUR_EUR;
    ck_assert_int_eq(wallet_alipay.sign(w.self, &w.io, &ask, url, &why), WALLET_NO);
    ck_assert_int_eq(why.reason, WALLET_BAD_REQUEST);
    char back[4000];
    memset(back, 'x', sizeof back);
    ask.currency = CUR_CNY;
    ask.return_url = slice_of(back, sizeof back);
    ck_assert_int_eq(wallet_alipay.sign(w.self, &w.io, &ask, url, &why), WALLET_NOT_SENT);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

/* --- which answers are believed --- */

#define PAID                                                             \
    "{\"code\":\"10000\",\"msg\":\"Success\",\"out_trade_no\":\"" NUMBER \
    "\",\"trade_no\":\"t1\",\"total_amount\":\"648.00\","                \
    "\"gmt_payment\":\"2018-10-10 10:11:43\"}"

START_TEST(only_what_is_signed_and_fresh_is_believed)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    for (int v3 = 0; v3 < 2; v3++) {
        wire_start(&w);
        wire_open(&w, &wallet_alipay, v3 ? SETTINGS(PLAIN ",\"api\":\"v3\"") : SETTINGS(PLAIN));
        for (int how = 0; how < HOW_MAX; how++) {
            if (!v3 && how >= STALE) /* v2 has no time */
                continue;
            if (v3)
                answer_v3(&w, 200, PAID, (enum how)how);
            else
                answer_v2(&w, "alipay_trade_pay_response", PAID, (enum how)how);
            enum wallet_answer a = wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why);
            ck_assert_msg(a == (how <= NEXT_KEY ? WALLET_YES : WALLET_UNKNOWN), "v%d, %d: %d", v3 + 2, how, (int)a);
            if (how >= STALE)
                ck_assert_int_eq(why.reason, WALLET_STALE_ANSWER);
            else if (how == OTHER_KEY || how == UNSIGNED)
                ck_assert_int_eq(why.reason, WALLET_BAD_SIGNATURE);
        }
        wire_stop(&w, &wallet_alipay);
    }
}
END_TEST

/* Bodies that are well signed and no answer to this, and bodies that are nothing. */
START_TEST(what_is_no_answer_is_unknown)
{
    static const char *const contents[] = {
        "{}",
        "{\"code\":\"10000\"}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" REFUND "\",\"trade_no\":\"t1\",\"total_amount\":\"648.00\"}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\"}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\",\"total_amount\":\"648.001\"}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\",\"total_amount\":\"6e2\"}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\",\"total_amount\":648}",
        "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"\",\"total_amount\":\"648.00\"}",
        "{\"code\":10000,\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\",\"total_amount\":\"648.00\"}",
        "{\"code\":\"10000\",\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\"}",
        "\"10000\"",
        "[]",
        "null"};
    static const char *const bodies[] = {
        "",
        "<html>502</html>",
        "{",
        "{}",
        "[]",
        "{\"sign\":\"x\"}",
        "{\"error_response\":{}}",
        "{\"error_response\":{\"code\":\"40004\",\"sub_code\":\"ACQ.BUYER_BALANCE_NOT_ENOUGH\"}}",
        "{\"alipay_trade_query_response\":{\"code\":\"10000\"},\"sign\":\"x\"}"};
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        answer_v2(&w, "alipay_trade_pay_response", contents[i], SIGNED);
        ck_assert_msg(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why) == WALLET_UNKNOWN, "%s", contents[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bodies) * 2; i++) {
        buf_clear(&w.body);
        buf_puts(&w.body, bodies[i / 2]);
        w.status = i % 2 ? 502 : 200;
        ck_assert_msg(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why) == WALLET_UNKNOWN, "%s", bodies[i / 2]);
    }
    w.sent = WALLET_LOST;
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_UNKNOWN);
    ck_assert_int_eq(why.reason, WALLET_TIMED_OUT);
    w.sent = WALLET_NEVER;
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_NOT_SENT);
    ck_assert_int_eq(why.reason, WALLET_UNREACHABLE);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

/* --- codes --- */

enum { REFUSED, UNKNOWN, NOT_THERE };
static const struct {
    const char *code;
    int end;
    enum wallet_reason reason;
} codes[] = {
#define ALIPAY_CODE(code, end, reason) {code, end, WALLET_##reason},
#include "wallet/alipay/codes.def"
#undef ALIPAY_CODE
    {"ACQ.NEVER_SEEN", UNKNOWN, WALLET_WALLET_ERROR}};

/* A refusal of v3 without a signature says nothing by itself, and which of them it is says what to do: ask by number, or wait. */
START_TEST(an_unsigned_refusal_of_v3)
{
    static const struct {
        int status;
        enum how how;
        enum wallet_answer want;
        enum wallet_reason reason;
    } rows[] = {
        {400, UNSIGNED, WALLET_UNKNOWN, WALLET_UNSIGNED_REFUSAL}, {404, UNSIGNED, WALLET_UNKNOWN, WALLET_UNSIGNED_REFUSAL},
        {401, UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},    {403, UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
        {408, UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},    {429, UNSIGNED, WALLET_UNKNOWN, WALLET_TOO_OFTEN},
        {500, UNSIGNED, WALLET_UNKNOWN, WALLET_WALLET_ERROR},     {200, UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
        {400, OTHER_KEY, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},   {400, SIGNED, WALLET_NO, WALLET_BALANCE}};
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN ",\"api\":\"v3\""));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        answer_v3(&w, rows[i].status, "{\"code\":\"ACQ.BUYER_BALANCE_NOT_ENOUGH\",\"message\":\"no\",\"links\":[]}",
                  rows[i].how);
        enum wallet_answer a = wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why);
        ck_assert_msg(a == rows[i].want && why.reason == rows[i].reason, "%zu: %d %s", i, (int)a,
                      wallet_reason_name(why.reason));
    }
    wire_stop(&w, &wallet_alipay);
}
END_TEST

static void refuse(struct wire *w, bool v3, const char *name, const char *code)
{
    char content[300];
    bool envelope = ascii_digit(code[0]);
    if (v3)
        (void)snprintf(content, sizeof content, "{\"code\":\"%s\",\"message\":\"why\",\"links\":[]}", code);
    else if (envelope)
        (void)snprintf(content, sizeof content, "{\"code\":\"%s\",\"msg\":\"why\"}", code);
    else
        (void)snprintf(content, sizeof content, "{\"code\":\"40004\",\"msg\":\"x\",\"sub_code\":\"%s\",\"sub_msg\":\"why\"}",
                       code);
    if (v3)
        answer_v3(w, 400, content, SIGNED);
    else
        answer_v2(w, name, content, SIGNED);
}

START_TEST(each_code_has_its_end)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_refund f;
    struct wallet_agreement g;
    struct wallet_why why;
    for (int v3 = 0; v3 < 2; v3++) {
        wire_start(&w);
        wire_open(&w, &wallet_alipay, v3 ? SETTINGS(PLAIN ",\"api\":\"v3\"") : SETTINGS(PLAIN));
        for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
            const char *code = codes[i].code;
            bool refused = codes[i].end == REFUSED, there = codes[i].end != NOT_THERE;
            refuse(&w, v3, "alipay_trade_pay_response", code);
            enum wallet_answer a = wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why);
            ck_assert_msg(a == (refused ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            ck_assert_str_eq(why.code, code);
            ck_assert_str_eq(why.text, "why");
            ck_assert_int_eq(why.reason, codes[i].reason);
            refuse(&w, v3, "alipay_trade_query_response", code);
            a = wallet_alipay.charge_query(w.self, &w.io, NUMBER, &c, &why);
            ck_assert_msg(a == (!there ? WALLET_YES : refused ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            if (!there)
                ck_assert(c.state == WALLET_CHARGE_NONE && strcmp(c.number, NUMBER) == 0);
            refuse(&w, v3, "alipay_trade_cancel_response", code);
            a = wallet_alipay.charge_cancel(w.self, &w.io, NUMBER, &c, &why);
            ck_assert_msg(a == (refused || !there ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            refuse(&w, v3, "alipay_trade_refund_response", code);
            a = wallet_alipay.refund(w.self, &w.io, &refund_ask, &f, &why);
            ck_assert_msg(a == (refused || !there ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            refuse(&w, v3, "alipay_trade_fastpay_refund_query_response", code);
            a = wallet_alipay.refund_query(w.self, &w.io, &refund_ask, &f, &why);
            ck_assert_msg(a == (!there ? WALLET_YES : refused ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            refuse(&w, v3, "alipay_user_agreement_query_response", code);
            a = wallet_alipay.agreement_query(w.self, &w.io, &which, &g, &why);
            ck_assert_msg(a == (!there ? WALLET_YES : refused ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
            refuse(&w, v3, "alipay_user_agreement_unsign_response", code);
            a = wallet_alipay.agreement_end(w.self, &w.io, &which, SLICE(""), &why);
            ck_assert_msg(a == (!there ? WALLET_YES : refused ? WALLET_NO : WALLET_UNKNOWN), "%s: %d", code, (int)a);
        }
        wire_stop(&w, &wallet_alipay);
    }
}
END_TEST

START_TEST(a_charge_under_way_waits)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    answer_v2(&w, "alipay_trade_pay_response",
              "{\"code\":\"10003\",\"msg\":\"wait\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\"}", SIGNED);
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    ck_assert_int_eq(c.state, WALLET_CHARGE_WAITS);
    struct wallet_charge_ask ask = charge_ask;
    static const struct {
        int64_t minor;
        enum currency currency;
    } wrong[] = {{0, CUR_CNY}, {-1, CUR_CNY}, {ALIPAY_AMOUNT_MAX + 1, CUR_CNY}, {INT64_MAX, CUR_CNY}, {100, CUR_USD}};
    w.requests = 0;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        ask.amount_minor = wrong[i].minor;
        ask.currency = wrong[i].currency;
        ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &ask, &c, &why), WALLET_NO);
    }
    ck_assert_uint_eq(w.requests, 0);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(a_query_tells_the_state)
{
    static const struct {
        const char *status, *more;
        enum wallet_charge_state state;
        int64_t refunded_minor;
    } states[] = {{"WAIT_BUYER_PAY", "", WALLET_CHARGE_WAITS, 0},
                  {"TRADE_SUCCESS", ",\"send_pay_date\":\"2018-10-10 10:11:43\"", WALLET_CHARGE_PAID, 0},
                  {"TRADE_FINISHED", "", WALLET_CHARGE_PAID, 0},
                  {"TRADE_CLOSED", "", WALLET_CHARGE_CLOSED, 0},
                  {"TRADE_CLOSED", ",\"send_pay_date\":\"2018-10-10 10:11:43\"", WALLET_CHARGE_CLOSED, 64800},
                  {"TRADE_LOST", "", WALLET_CHARGE_STATE_MAX, 0}};
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    char content[300];
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        (void)snprintf(content, sizeof content,
                       "{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"t1\",\"total_amount\":\"648.00\","
                       "\"trade_status\":\"%s\"%s}",
                       states[i].status, states[i].more);
        answer_v2(&w, "alipay_trade_query_response", content, SIGNED);
        enum wallet_answer a = wallet_alipay.charge_query(w.self, &w.io, NUMBER, &c, &why);
        if (states[i].state == WALLET_CHARGE_STATE_MAX) {
            ck_assert_int_eq(a, WALLET_UNKNOWN);
            continue;
        }
        ck_assert(a == WALLET_YES && c.state == states[i].state && c.refunded_minor == states[i].refunded_minor);
    }
    check_v2_request(&w, "alipay.trade.query", "{\"out_trade_no\":\"" NUMBER "\"}");
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(cancelling_wants_no_retry)
{
    static const struct {
        const char *content;
        enum wallet_answer answer;
    } cases[] = {
        {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"retry_flag\":\"N\",\"action\":\"close\"}", WALLET_YES},
        {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"retry_flag\":\"N\",\"action\":\"refund\"}", WALLET_YES},
        {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"retry_flag\":\"Y\"}", WALLET_UNKNOWN},
        {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\"}", WALLET_UNKNOWN},
        {"{\"code\":\"10000\",\"out_trade_no\":\"other\",\"retry_flag\":\"N\"}", WALLET_UNKNOWN}};
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        answer_v2(&w, "alipay_trade_cancel_response", cases[i].content, SIGNED);
        ck_assert_int_eq(wallet_alipay.charge_cancel(w.self, &w.io, NUMBER, &c, &why), cases[i].answer);
        if (cases[i].answer == WALLET_YES)
            ck_assert_int_eq(c.state, WALLET_CHARGE_CLOSED);
    }
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(refunds)
{
    static const struct {
        const char *content;
        bool query;
        enum wallet_answer answer;
        enum wallet_refund_state state;
    } cases[] = {{"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"fund_change\":\"Y\",\"refund_fee\":\"48.00\"}",
                  false, WALLET_YES, WALLET_REFUND_PAID},
                 {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"fund_change\":\"N\",\"refund_fee\":\"48.00\"}",
                  false, WALLET_YES, WALLET_REFUND_WAITS},
                 {"{\"code\":\"10000\",\"out_trade_no\":\"other\",\"fund_change\":\"Y\"}", false, WALLET_UNKNOWN, 0},
                 {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"out_request_no\":\"" REFUND
                  "\",\"refund_amount\":\"48.00\","
                  "\"refund_status\":\"REFUND_SUCCESS\",\"gmt_refund_pay\":\"2018-10-10 10:11:43\"}",
                  true, WALLET_YES, WALLET_REFUND_PAID},
                 /* the query worked: no more */
                 {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"out_request_no\":\"" REFUND
                  "\",\"refund_amount\":\"48.00\"}",
                  true, WALLET_YES, WALLET_REFUND_WAITS},
                 {"{\"code\":\"10000\",\"msg\":\"Success\"}", true, WALLET_YES, WALLET_REFUND_NONE},
                 {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER
                  "\",\"out_request_no\":\"x\",\"refund_status\":\"REFUND_SUCCESS\"}",
                  true, WALLET_UNKNOWN, 0},
                 {"{\"code\":\"10000\",\"out_trade_no\":\"" NUMBER "\",\"out_request_no\":\"" REFUND
                  "\",\"refund_status\":\"REFUND_SUCCESS\"}",
                  true, WALLET_UNKNOWN, 0}};
    struct wire w;
    struct wallet_refund f;
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        answer_v2(&w, cases[i].query ? "alipay_trade_fastpay_refund_query_response" : "alipay_trade_refund_response",
                  cases[i].content, SIGNED);
        enum wallet_answer a = cases[i].query ? wallet_alipay.refund_query(w.self, &w.io, &refund_ask, &f, &why)
                                              : wallet_alipay.refund(w.self, &w.io, &refund_ask, &f, &why);
        ck_assert_msg(a == cases[i].answer, "%s: %d", cases[i].content, (int)a);
        if (a != WALLET_YES)
            continue;
        ck_assert_int_eq(f.state, cases[i].state);
        ck_assert(strcmp(f.number, REFUND) == 0 && strcmp(f.charge, NUMBER) == 0);
        if (f.state == WALLET_REFUND_PAID)
            ck_assert_int_eq(f.amount_minor, 4800);
    }
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(agreements)
{
    struct wire w;
    struct wallet_agreement g, unsigned_one = {.number = "a1"};
    struct wallet_why why;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    answer_v2(&w, "alipay_user_agreement_query_response",
              "{\"code\":\"10000\",\"agreement_no\":\"20170322450983769228\",\"external_agreement_no\":\"a1\",\"status\":"
              "\"NORMAL\","
              "\"sign_time\":\"2018-10-10 10:11:42\",\"invalid_time\":\"2115-02-01 00:00:00\",\"single_quota\":\"700.00\","
              "\"alipay_logon_id\":\"a***@b.c\"}",
              SIGNED);
    ck_assert_int_eq(wallet_alipay.agreement_query(w.self, &w.io, &which, &g, &why), WALLET_YES);
    check_v2_request(&w, "alipay.user.agreement.query", "{\"agreement_no\":\"20170322450983769228\"}");
    ck_assert(g.state == WALLET_AGREEMENT_NORMAL && g.charge_cap_minor == 70000 && g.signed_us == WIRE_NOW_US);
    ck_assert(strcmp(g.ref, which.ref) == 0 && strcmp(g.number, "a1") == 0 && strcmp(g.user, "a***@b.c") == 0);
    ck_assert_int_eq(wallet_alipay.sign_finish(w.self, &w.io, "a1", "", &g, &why), WALLET_YES);
    check_v2_request(&w, "alipay.user.agreement.query",
                     "{\"personal_product_code\":\"GENERAL_WITHHOLDING_P\",\"sign_scene\":\"INDUSTRY|APPSTORE\","
                     "\"external_agreement_no\":\"a1\"}");
    ck_assert_int_eq(wallet_alipay.sign_finish(w.self, &w.io, "a2", "", &g, &why), WALLET_UNKNOWN); /* another's */
    answer_v2(&w, "alipay_user_agreement_query_response",
              "{\"code\":\"10000\",\"agreement_no\":\"other\",\"external_agreement_no\":\"a1\",\"status\":\"NORMAL\"}",
              SIGNED);
    ck_assert_int_eq(wallet_alipay.agreement_query(w.self, &w.io, &which, &g, &why), WALLET_UNKNOWN);
    answer_v2(&w, "alipay_user_agreement_unsign_response", "{\"code\":\"10000\",\"msg\":\"Success\"}", SIGNED);
    ck_assert_int_eq(wallet_alipay.agreement_end(w.self, &w.io, &unsigned_one, SLICE("over"), &why), WALLET_YES);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

/* --- certificates --- */

static void put_certificate(struct wire *w, const char *name, const char *subject, const char *issuer, const char *until,
                            const struct crypto_key *key, const struct crypto_key *signer, bool ca)
{
    struct buf der, pem, s, i, x;
    buf_init(&der, 1u << 16);
    buf_init(&pem, 1u << 16);
    buf_init(&s, 1024);
    buf_init(&i, 1024);
    buf_init(&x, 1024);
    der_name_part(&s, "2.5.4.6", "CN");
    der_name_part(&s, "2.5.4.3", subject);
    der_name_part(&i, "2.5.4.6", "CN");
    der_name_part(&i, "2.5.4.3", issuer);
    if (ca)
        der_extension(&x, "2.5.29.19", true, SLICE("\x30\x03\x01\x01\xFF"));
    struct cert_recipe c = {.subject = buf_view(&s),
                            .issuer = buf_view(&i),
                            .until = until,
                            .key = key,
                            .signer = signer,
                            .extensions = buf_view(&x)};
    cert_put(&der, &c);
    wire_pem(&pem, "CERTIFICATE", buf_view(&der));
    wire_file(w, name, buf_view(&pem), 0644);
    buf_release(&der);
    buf_release(&pem);
    buf_release(&s);
    buf_release(&i);
    buf_release(&x);
}

#define CERTIFIED \
    "\"certificates\":{\"app\":\"app.crt\",\"alipay\":[\"theirs.crt\",\"next.crt\",\"old.crt\"],\"root\":\"root.crt\"}"

START_TEST(certificates_pick_the_key)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    char text[WALLET_WHY_BYTES] = "";
    void *self = NULL;
    wire_start(&w);
    w.io.now_us = INT64_C(1800000000) * US_SECOND; /* 2027-01-15: after the certificates of the kit begin */
    put_certificate(&w, "root.crt", "Root", "Root", "310101000000Z", wire_keys[WIRE_OTHER], wire_keys[WIRE_OTHER], true);
    put_certificate(&w, "app.crt", "app", "Root", "310101000000Z", wire_keys[WIRE_OURS], wire_keys[WIRE_OTHER], false);
    put_certificate(&w, "theirs.crt", "alipay", "Root", "310101000000Z", wire_keys[WIRE_THEIRS], wire_keys[WIRE_OTHER],
                    false);
    put_certificate(&w, "next.crt", "alipay", "Root", "310101000000Z", wire_keys[WIRE_NEXT], wire_keys[WIRE_OTHER], false);
    put_certificate(&w, "old.crt", "alipay", "Root", "260101000000Z", wire_keys[WIRE_THEIRS], wire_keys[WIRE_OTHER], false);
    put_certificate(&w, "strange.crt", "alipay", "Root", "310101000000Z", wire_keys[WIRE_THEIRS], wire_keys[WIRE_NEXT],
                    false);
    wire_open(&w, &wallet_alipay, SETTINGS(CERTIFIED));
    const struct alipay *a = w.self;
    for (unsigned i = 0; i < 4; i++) {
        answer_v2(&w, "alipay_trade_pay_response", PAID, i == 1 ? NEXT_KEY : SIGNED);
        w.body.len--; /* the brace */
        buf_fmt(&w.body, ",\"alipay_cert_sn\":\"%s\"}", i == 3 ? "0123" : a->key_sn[i]);
        enum wallet_answer got = wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why);
        /* its own, the other, one that has expired, one that nobody knows */
        ck_assert_msg(got == (i < 2 ? WALLET_YES : WALLET_UNKNOWN), "%u: %d", i, (int)got);
        ck_assert(slice_has(buf_view(&w.rq_url), SLICE("&app_cert_sn=")));
        ck_assert(slice_has(buf_view(&w.rq_url), SLICE("?alipay_root_cert_sn=")));
    }
    answer_v2(&w, "alipay_trade_pay_response", PAID, NEXT_KEY); /* of a key that is valid, and another is named */
    w.body.len--;
    buf_fmt(&w.body, ",\"alipay_cert_sn\":\"%s\"}", a->key_sn[0]);
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_UNKNOWN);
    ck_assert_int_eq(
        wallet_alipay.open(
            slice_str(SETTINGS("\"certificates\":{\"app\":\"app.crt\",\"alipay\":\"strange.crt\",\"root\":\"root.crt\"}")),
            w.scratch.dir, &self, text),
        KEER_EINVALID);
    ck_assert_ptr_nonnull(strstr(text, "not signed by the root"));
    ck_assert_int_eq(
        wallet_alipay.open(
            slice_str(SETTINGS("\"certificates\":{\"app\":\"theirs.crt\",\"alipay\":\"theirs.crt\",\"root\":\"root.crt\"}")),
            w.scratch.dir, &self, text),
        KEER_ECONFLICT);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

/* --- notices --- */

#define TRADE                                                                                                        \
    "app_id=2018102900000001&auth_app_id=2018102900000001&notify_id=n1&notify_type=trade_status_sync&charset=utf-8&" \
    "version=1.0&notify_time=2018-10-10 10:11:44&seller_id=2088000000000001&trade_no=t1&out_trade_no=" NUMBER        \
    "&total_amount=648.00&subject=Gems %26 gold&empty=&"
#define SIGN_NOTICE                                                                                                 \
    "auth_app_id=2018102900000001&notify_id=n2&notify_type=dut_user_sign&external_agreement_no=a1&agreement_no=g1&" \
    "alipay_user_id=2088&sign_time=2018-10-10 10:11:42&valid_time=2018-10-10 10:11:42&invalid_time=2115-02-01 00:00:00&"

/* Signs the fields of a text and encodes all that needs it. */
static void notice_body(struct wire *w, const char *text, bool with_type, enum how how, struct buf *body)
{
    struct form f;
    struct buf joined, sign;
    char all[2000];
    buf_init(&joined, 1u << 16);
    buf_init(&sign, 4096);
    (void)snprintf(all, sizeof all, "%ssign_type=RSA2", text);
    UNUSED(w);
    ck_ok(form_read(&f, slice_str(all)));
    alipay_sign_string(f.field, f.count, with_type, &joined);
    ck_ok(sign_put(key_of(how), buf_view(&joined), &sign));
    buf_clear(body);
    for (unsigned i = 0; i < f.count; i++) {
        buf_fmt(body, "%s" SLICE_FMT "=", i ? "&" : "", SLICE_ARG(f.field[i].name));
        percent_put(body, f.field[i].value);
    }
    if (how != UNSIGNED) {
        buf_puts(body, "&sign=");
        percent_put(body, buf_view(&sign));
    }
    form_release(&f);
    buf_release(&joined);
    buf_release(&sign);
}

static enum wallet_verdict tell(struct wire *w, struct slice body, struct wallet_notice *n)
{
    char why[WALLET_WHY_BYTES];
    struct wallet_inbound in = {
        .method = "POST", .path = SLICE("/v1/wallets/alipay/notices"), .head = SLICE(""), .body = body};
    return wallet_alipay.notice(w->self, &in, WIRE_NOW_US, n, why);
}

START_TEST(notices)
{
    static const struct {
        const char *text;
        enum how how;
        enum wallet_verdict verdict;
        enum wallet_notice_kind kind;
    } cases[] = {
        {TRADE "trade_status=TRADE_SUCCESS&gmt_payment=2018-10-10 10:11:43&", SIGNED, WALLET_GENUINE, WALLET_NOTICE_CHARGE},
        {TRADE "trade_status=TRADE_SUCCESS&", NEXT_KEY, WALLET_GENUINE, WALLET_NOTICE_CHARGE},
        {TRADE "trade_status=TRADE_SUCCESS&", UNSIGNED, WALLET_FORGED, 0},
        {TRADE "trade_status=TRADE_SUCCESS&", OTHER_KEY, WALLET_FORGED, 0},
        {TRADE "trade_status=TRADE_CLOSED&refund_fee=48.00&gmt_refund=2018-10-10 10:11:43.123&out_biz_no=" REFUND "&",
         SIGNED, WALLET_GENUINE, WALLET_NOTICE_REFUND},
        {TRADE "trade_status=TRADE_SUCCESS&refund_fee=648.01&", SIGNED, WALLET_GARBLED, 0},
        {TRADE "trade_status=TRADE_NEW&", SIGNED, WALLET_GARBLED, 0},
        {TRADE "trade_status=TRADE_SUCCESS&gmt_payment=2018-02-30 10:11:43&", SIGNED, WALLET_GARBLED, 0},
        {"app_id=2018102900000001&notify_id=n9&notify_type=trade_status_sync&seller_id=2088000000000001&out_trade_no=" NUMBER
         "&total_amount=648.00&trade_status=TRADE_SUCCESS&",
         SIGNED, WALLET_GARBLED, 0},
        {SIGN_NOTICE "status=NORMAL&", SIGNED, WALLET_GENUINE, WALLET_NOTICE_AGREEMENT},
        {SIGN_NOTICE "status=STOP&", SIGNED, WALLET_GARBLED, 0},
        {"app_id=2018102900000001&notify_id=n3&notify_type=dut_user_unsign&external_agreement_no=a1&agreement_no=g1&"
         "status=UNSIGN&unsign_time=2018-10-10 10:11:42&",
         SIGNED, WALLET_GENUINE, WALLET_NOTICE_AGREEMENT},
        {"app_id=2018102900000001&notify_id=n3&notify_type=dut_user_unsign&external_agreement_no=a1&status=UNSIGN&", SIGNED,
         WALLET_GARBLED, 0},
        {"app_id=2018102900000001&notify_type=servicemarket_order_notify&", SIGNED, WALLET_GENUINE, WALLET_NOTICE_OTHER},
        {"app_id=2018102900000002&notify_id=n4&notify_type=trade_status_sync&", SIGNED, WALLET_FORGED, 0},
        {"app_id=2018102900000001&notify_id=n4&notify_type=trade_status_sync&seller_id=2088000000000002&", SIGNED,
         WALLET_FORGED, 0},
        /* another program's of the same merchant */
        {"app_id=2018102900000001&notify_id=n5&notify_type=trade_status_sync&seller_id=2088000000000001&trade_status="
         "TRADE_SUCCESS&total_amount=1.00&trade_no=t9&out_trade_no=20181010101142-123456789-123456789-1&",
         SIGNED, WALLET_GENUINE, WALLET_NOTICE_OTHER}};
    struct wire w;
    struct wallet_notice n;
    struct buf body;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    buf_init(&body, 1u << 16);
    for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
        notice_body(&w, cases[i / 2].text, /* with_type */ i % 2, cases[i / 2].how, &body);
        enum wallet_verdict v = tell(&w, buf_view(&body), &n);
        ck_assert_msg(v == cases[i / 2].verdict, "%s: %d", cases[i / 2].text, (int)v);
        if (v == WALLET_GENUINE)
            ck_assert_msg(n.kind == cases[i / 2].kind && n.id[0], "%s: %d", cases[i / 2].text, (int)n.kind);
    }
    notice_body(&w, cases[0].text, false, SIGNED, &body);
    ck_assert_int_eq(tell(&w, buf_view(&body), &n), WALLET_GENUINE);
    ck_assert(n.charge.state == WALLET_CHARGE_PAID && n.charge.amount_minor == 64800 && n.charge.currency == CUR_CNY);
    ck_assert(strcmp(n.charge.number, NUMBER) == 0 && strcmp(n.charge.ref, "t1") == 0 && strcmp(n.id, "n1") == 0);
    ck_assert_int_eq(n.charge.paid_us, WIRE_NOW_US + US_SECOND);
    notice_body(&w, cases[4].text, false, SIGNED, &body);
    ck_assert_int_eq(tell(&w, buf_view(&body), &n), WALLET_GENUINE);
    ck_assert(n.charge.refunded_minor == 4800 && strcmp(n.refund.number, REFUND) == 0 &&
              n.refund.state == WALLET_REFUND_PAID);
    notice_body(&w, SIGN_NOTICE "status=NORMAL&", false, SIGNED, &body);
    ck_assert_int_eq(tell(&w, buf_view(&body), &n), WALLET_GENUINE);
    ck_assert(n.agreement.state == WALLET_AGREEMENT_NORMAL && strcmp(n.agreement.ref, "g1") == 0);
    ck_assert(n.agreement.signed_us == WIRE_NOW_US && strcmp(n.agreement.number, "a1") == 0);
    buf_release(&body);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

/* A byte that was changed on the way changes nothing that is believed. */
START_TEST(no_byte_of_a_notice_can_be_changed)
{
    struct wire w;
    struct wallet_notice n, was;
    struct buf body;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    buf_init(&body, 1u << 16);
    notice_body(&w, TRADE "trade_status=TRADE_SUCCESS&", false, SIGNED, &body);
    ck_assert_int_eq(tell(&w, buf_view(&body), &was), WALLET_GENUINE);
    unsigned genuine = 0;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.p[i];
        body.p[i] = c == '9' ? '8' : ascii_digit(c) ? (char)(c + 1) : (char)(c ^ 1);
        if (tell(&w, buf_view(&body), &n) == WALLET_GENUINE) {
            ck_assert_msg(memcmp(&n, &was, sizeof n) == 0, "byte %zu", i);
            genuine++;
        }
        body.p[i] = c;
    }
    ck_assert_uint_lt(genuine, 30);                /* the name of an empty field, sign_type's */
    buf_puts(&body, "&trade_status=TRADE_CLOSED"); /* a field twice */
    ck_assert_int_eq(tell(&w, buf_view(&body), &n), WALLET_FORGED);
    buf_release(&body);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(replies)
{
    struct wallet_reply r;
    wallet_alipay.reply(NULL, true, &r);
    ck_assert(r.status == 200 && strcmp(r.body, "success") == 0);
    wallet_alipay.reply(NULL, false, &r);
    ck_assert(r.status == 500 && strcmp(r.body, "success") != 0);
}
END_TEST

/* Every allocation fails once: never a YES that is none, never a NO. */
START_TEST(without_memory_nothing_is_believed)
{
    struct wire w;
    struct wallet_charge c;
    struct wallet_why why;
    struct wallet_notice n;
    struct buf body;
    wire_start(&w);
    wire_open(&w, &wallet_alipay, SETTINGS(PLAIN));
    buf_init(&body, 1u << 16);
    answer_v2(&w, "alipay_trade_pay_response", PAID, SIGNED);
    ck_assert_int_eq(wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why), WALLET_YES);
    bool done = false;
    for (uint64_t at = 1; !done && at < 1000; at++) {
        oom_arm(at, false);
        enum wallet_answer a = wallet_alipay.charge(w.self, &w.io, &charge_ask, &c, &why);
        done = oom_count() < at;
        oom_arm(0, false);
        ck_assert_msg(a == WALLET_YES || a == WALLET_UNKNOWN || a == WALLET_NOT_SENT, "%d", (int)a);
        ck_assert(!done || a == WALLET_YES);
    }
    ck_assert(done);
    notice_body(&w, TRADE "trade_status=TRADE_SUCCESS&", false, SIGNED, &body);
    done = false;
    for (uint64_t at = 1; !done && at < 1000; at++) {
        oom_arm(at, false);
        enum wallet_verdict v = tell(&w, buf_view(&body), &n);
        done = oom_count() < at;
        oom_arm(0, false);
        ck_assert(v == WALLET_GENUINE || v == WALLET_FORGED);
        ck_assert(!done || v == WALLET_GENUINE);
    }
    ck_assert(done);
    buf_release(&body);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

START_TEST(opening_without_memory_leaks_nothing)
{
    struct wire w;
    char why[WALLET_WHY_BYTES];
    wire_start(&w);
    bool done = false;
    for (uint64_t at = 1; !done && at < 3000; at++) {
        void *self = NULL;
        oom_arm(at, false);
        enum keer_err err = wallet_alipay.open(slice_str(SETTINGS(PLAIN)), w.scratch.dir, &self, why);
        done = oom_count() < at;
        oom_arm(0, false);
        ck_assert(!done || err == KEER_OK);
        if (err == KEER_OK)
            wallet_alipay.free(self);
        else
            ck_assert_uint_gt(strlen(why), 0);
    }
    ck_assert(done);
    wallet_alipay.free(NULL);
    wire_stop(&w, &wallet_alipay);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("alipay");
    TCase *t = tcase_create("alipay");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_v2_request_is_what_the_gateway_wants);
    tcase_add_test(t, a_v3_request_is_what_the_gateway_wants);
    tcase_add_test(t, an_unsigned_refusal_of_v3);
    tcase_add_test(t, the_page_carries_our_caps);
    tcase_add_test(t, only_what_is_signed_and_fresh_is_believed);
    tcase_add_test(t, what_is_no_answer_is_unknown);
    tcase_add_test(t, each_code_has_its_end);
    tcase_add_test(t, a_charge_under_way_waits);
    tcase_add_test(t, a_query_tells_the_state);
    tcase_add_test(t, cancelling_wants_no_retry);
    tcase_add_test(t, refunds);
    tcase_add_test(t, agreements);
    tcase_add_test(t, certificates_pick_the_key);
    tcase_add_test(t, notices);
    tcase_add_test(t, no_byte_of_a_notice_can_be_changed);
    tcase_add_test(t, replies);
    tcase_add_test(t, without_memory_nothing_is_believed);
    tcase_add_test(t, opening_without_memory_leaks_nothing);
    suite_add_tcase(s, t);
    return test_main(s);
}
