/* wechatpay_test.c - the driver of WeChat Pay against a scripted transport: what is asked, every code and every way in which
 * an answer or notice is not to be believed, published vectors, and want of memory.
 */
#include "lib/wechat_kit.h"

#include <jansson.h>

#define ID "\"mchid\":\"1900000109\",\"appid\":\"wxd678efh567hg6787\""
#define CONTRACT                                                                                                         \
    "{" ID ",\"plan_id\":12535,\"out_contract_code\":\"A1\",\"contract_id\":\"202\",\"contract_display_account\":\"x\"," \
    "\"openid\":\"oUser\",\"contract_signed_time\":\"2027-01-15T15:00:00+08:00\",\"contract_expired_time\":null,"        \
    "\"contract_state\":"
#define SIGNED CONTRACT "\"SIGNED\"}"
#define TERMINATED                                                                                           \
    CONTRACT "\"TERMINATED\",\"contract_terminate_info\":{\"contract_termination_mode\":\"USER_TERMINATE\"," \
             "\"contract_terminated_time\":\"2027-01-15T15:30:00+08:00\"}}"
#define PAID                                                                                                              \
    "{" ID ",\"out_trade_no\":\"C1\",\"transaction_id\":\"42000\",\"trade_state\":\"SUCCESS\",\"trade_type\":\"AUTH\","   \
    "\"contract_id\":\"202\",\"success_time\":\"2027-01-15T15:59:59+08:00\",\"payer\":{\"openid\":\"oUser\"},\"amount\":" \
    "{\"total\":64800,\"payer_total\":64800,\"currency\":\"CNY\"}}"
#define REFUNDED                                                                                                           \
    "{\"refund_id\":\"50000\",\"out_refund_no\":\"R1\",\"transaction_id\":\"42000\",\"out_trade_no\":\"C1\",\"status\":"   \
    "\"SUCCESS\",\"create_time\":\"2027-01-15T15:59:59+08:00\",\"success_time\":\"2027-01-15T16:00:00+08:00\",\"amount\":" \
    "{\"refund\":100,\"total\":64800,\"currency\":\"CNY\"}}"
#define ERROR(code) "{\"code\":\"" code "\",\"message\":\"\xE8\xB4\xA6\"}"
#define D (&wallet_wechatpay)

static struct wechat_kit k;
static struct wallet_why why;

static void setup(void)
{
    wk_start(&k);
    wk_open(&k);
}
static void teardown(void) { wk_stop(&k); }

static const struct wallet_charge_ask charge_ask = {.number = "C1",
                                                    .agreement = "202",
                                                    .subject = {"648 pack", 8},
                                                    .notify_url = {"https://we.test/n", 17},
                                                    .amount_minor = 64800,
                                                    .currency = CUR_CNY};
static const struct wallet_refund_ask refund_ask = {.number = "R1",
                                                    .charge = "C1",
                                                    .charge_ref = "42000",
                                                    .amount_minor = 100,
                                                    .charged_minor = 64800,
                                                    .currency = CUR_CNY,
                                                    .reason = {"why", 3}};
static const struct wallet_agreement which = {.number = "A1", .ref = "202"};

static void plays(int status, const char *answer)
{
    k.status = status;
    k.answer = answer;
    k.how = WK_SIGNED;
    k.sent = WALLET_ANSWERED;
    k.requests = 0;
}

static enum wallet_answer charge(struct wallet_charge *c) { return D->charge(k.self, &k.io, &charge_ask, c, &why); }
static enum wallet_answer charge_query(struct wallet_charge *c) { return D->charge_query(k.self, &k.io, "C1", c, &why); }

/* Every call as one kind of thing: what it answers, and a state. */
enum call { SIGN, FINISH, QUERY, END, CHARGE, CHARGE_QUERY, CANCEL, REFUND, REFUND_QUERY, CALL_MAX };
static enum wallet_answer call(enum call what, int *ret_state)
{
    struct wallet_sign_ask sign = {.number = "A1", .currency = CUR_CNY, .device_days = -1};
    struct wallet_agreement a = {.state = WALLET_AGREEMENT_STATE_MAX};
    struct wallet_charge c = {.state = WALLET_CHARGE_STATE_MAX};
    struct wallet_refund r = {.state = WALLET_REFUND_STATE_MAX};
    char url[WALLET_URL_BYTES] = "";
    enum wallet_answer answer = WALLET_UNKNOWN;
    switch (what) {
    case SIGN: answer = D->sign(k.self, &k.io, &sign, url, &why); break;
    case FINISH: answer = D->sign_finish(k.self, &k.io, "A1", NULL, &a, &why); break;
    case QUERY: answer = D->agreement_query(k.self, &k.io, &which, &a, &why); break;
    case END: answer = D->agreement_end(k.self, &k.io, &which, SLICE("r"), &why); break;
    case CHARGE: answer = charge(&c); break;
    case CHARGE_QUERY: answer = charge_query(&c); break;
    case CANCEL: answer = D->charge_cancel(k.self, &k.io, "C1", &c, &why); break;
    case REFUND: answer = D->refund(k.self, &k.io, &refund_ask, &r, &why); break;
    case REFUND_QUERY: answer = D->refund_query(k.self, &k.io, &refund_ask, &r, &why); break;
    case CALL_MAX: break;
    }
    *ret_state = what == FINISH || what == QUERY ? (int)a.state : what >= REFUND ? (int)r.state : (int)c.state;
    return answer;
}
static const char *const good_answers[] = {"{\"pre_entrustweb_id\":\"5778\",\"redirect_url\":\"https://pay.test/sign?x=1\"}",
                                           SIGNED,
                                           SIGNED,
                                           TERMINATED,
                                           "{\"out_trade_no\":\"C1\",\"amount\":{\"total\":64800,\"currency\":\"CNY\"}}",
                                           PAID,
                                           "",
                                           REFUNDED,
                                           REFUNDED};
static_assert(ARRAY_LEN(good_answers) == CALL_MAX, "an answer for each call");

START_TEST(what_is_asked)
{
    static const char *const asked[][2] = {{"POST", "/v3/papay/entrust-sign/contracts/pre-entrust-sign"},
                                           {"GET", "/v3/papay/sign/contracts/plan-id/12535/out-contract-code/A1"},
                                           {"GET", "/v3/papay/sign/contracts/plan-id/12535/out-contract-code/A1"},
                                           {"POST", "/v3/papay/sign/contracts/plan-id/12535/out-contract-code/A1/terminate"},
                                           {"POST", "/v3/papay/pay/transactions/apply"},
                                           {"GET", "/v3/pay/transactions/out-trade-no/C1?mchid=1900000109"},
                                           {"POST", "/v3/pay/transactions/out-trade-no/C1/close"},
                                           {"POST", "/v3/refund/domestic/refunds"},
                                           {"GET", "/v3/refund/domestic/refunds/R1"}};
    static_assert(ARRAY_LEN(asked) == CALL_MAX, "a path for each call");
    for (int i = 0; i < CALL_MAX; i++) {
        int state;
        plays(i == CANCEL ? 204 : 200, good_answers[i]);
        ck_assert_msg(call((enum call)i, &state) == WALLET_YES, "%d: %s", i, why.text);
        ck_assert_int_eq(why.reason, WALLET_NO_REASON);
        ck_assert_str_eq(k.method, asked[i][0]);
        ck_assert_str_eq(k.url + strlen("https://pay.test/base"), asked[i][1]);
        ck_assert(k.signature_ok && k.requests == 1);
        json_t *body = json_loads(k.body, 0, NULL);
        ck_assert((body != NULL) == (asked[i][0][0] == 'P'));
        json_decref(body);
    }
}
END_TEST

START_TEST(what_a_request_says)
{
    struct wallet_sign_ask ask = {.number = "A1",
                                  .account = SLICE("l\"u***@x"),
                                  .return_url = SLICE("https://we.test/back"),
                                  .notify_url = SLICE("https://we.test/n"),
                                  .device = SLICE("d1"),
                                  .ip = SLICE("203.0.113.9"),
                                  .currency = CUR_CNY};
    static const struct {
        int64_t days;
        const char *name;
    } days[] = {{-1, "UNKNOW"},          {0, "WITHIN_1_DAY"},      {1, "WITHIN_7_DAYS"},
                {6, "WITHIN_7_DAYS"},    {7, "WITHIN_30_DAYS"},    {30, "WITHIN_90_DAYS"},
                {90, "WITHIN_180_DAYS"}, {179, "WITHIN_180_DAYS"}, {180, "MORE_THEN_180_DAYS"}};
    char url[WALLET_URL_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        plays(200, good_answers[SIGN]);
        ask.device_days = days[i].days;
        ck_assert_int_eq(D->sign(k.self, &k.io, &ask, url, &why), WALLET_YES);
        ck_assert_str_eq(url, "https://pay.test/sign?x=1");
        json_t *body = json_loads(k.body, 0, NULL), *device = json_object_get(body, "device_info");
        char class[80];
        (void)snprintf(class, sizeof class, "DAYS_SINCE_FIRST_LOGIN_%s", days[i].name);
        ck_assert_str_eq(json_string_value(json_object_get(device, "days_since_first_login")), class);
        ck_assert_str_eq(json_string_value(json_object_get(device, "device_id")), "d1");
        ck_assert_str_eq(json_string_value(json_object_get(device, "device_ip")), "203.0.113.9");
        ck_assert_uint_eq(json_object_size(device), 8);
        ck_assert_int_eq(json_integer_value(json_object_get(body, "plan_id")), 12535);
        ck_assert_str_eq(json_string_value(json_object_get(body, "contract_display_account")), "l\"u***@x");
        ck_assert_str_eq(json_string_value(json_object_get(body, "contract_notify_url")), "https://we.test/n");
        json_decref(body);
    }
    plays(200, good_answers[CHARGE]);
    struct wallet_charge c;
    ck_assert_int_eq(charge(&c), WALLET_YES);
    ck_assert(c.state == WALLET_CHARGE_WAITS && c.amount_minor == 64800 && strcmp(c.number, "C1") == 0);
    ck_assert_str_eq(k.body,
                     "{\"appid\":\"wxd678efh567hg6787\",\"out_trade_no\":\"C1\",\"description\":\"648 pack\","
                     "\"transaction_notify_url\":\"https://we.test/n\",\"contract_id\":\"202\",\"amount\":{\"total\":64800,"
                     "\"currency\":\"CNY\"}}");
}
END_TEST

START_TEST(what_does_not_fit_is_not_sent)
{
    struct wallet_charge c;
    struct wallet_refund r;
    plays(200, "{}");
    struct wallet_charge_ask asks[] = {charge_ask, charge_ask, charge_ask, charge_ask, charge_ask};
    asks[0].currency = CUR_EUR;
    asks[1].amount_minor = 0;
    asks[2].number = "C1/../x";
    asks[3].agreement = "";
    asks[4].number = "";
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        ck_assert_int_eq(D->charge(k.self, &k.io, &asks[i], &c, &why), WALLET_NO);
        ck_assert_int_eq(why.reason, WALLET_BAD_REQUEST);
    }
    struct wallet_refund_ask more = refund_ask;
    more.amount_minor = more.charged_minor + 1;
    ck_assert_int_eq(D->refund(k.self, &k.io, &more, &r, &why), WALLET_NO);
    ck_assert_int_eq(D->charge_query(k.self, &k.io, "a b", &c, &why), WALLET_NO);
    ck_assert_uint_eq(k.requests, 0);
    k.sent = WALLET_NEVER;
    ck_assert_int_eq(charge(&c), WALLET_NOT_SENT);
    ck_assert_int_eq(why.reason, WALLET_UNREACHABLE);
    k.sent = WALLET_LOST;
    ck_assert_int_eq(charge(&c), WALLET_UNKNOWN);
    ck_assert_int_eq(why.reason, WALLET_TIMED_OUT);
}
END_TEST

/* Every call, signed in every way: believed when it is the wallet's and fresh, unknown otherwise. */
START_TEST(answers_are_verified)
{
    for (int i = 0; i < CALL_MAX; i++) {
        for (int how = 0; how < WK_HOW_MAX; how++) {
            int state;
            plays(200, good_answers[i]);
            k.how = (enum wk_how)how;
            enum wallet_answer want = how < WK_UNSIGNED ? WALLET_YES : WALLET_UNKNOWN;
            ck_assert_msg(call((enum call)i, &state) == want, "call %d, signed as %d: %s", i, how, why.text);
            if (how >= WK_UNSIGNED)
                ck_assert_int_eq(why.reason,
                                 how == WK_AT_301 || how == WK_AT_MINUS_301 ? WALLET_STALE_ANSWER : WALLET_BAD_SIGNATURE);
        }
    }
}
END_TEST

/* A refusal moves money nowhere, and is believed when it is signed; unsigned only a 401 is. */
START_TEST(refusals_are_verified)
{
    static const struct {
        int status;
        enum wk_how how;
        enum wallet_answer answer;
        enum wallet_reason reason;
    } cases[] = {
        {403, WK_SIGNED, WALLET_NO, WALLET_BALANCE},
        {403, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
        {400, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
        {401, WK_UNSIGNED, WALLET_NO, WALLET_BAD_REQUEST},
        {401, WK_OTHER_KEY, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
        {403, WK_AT_301, WALLET_UNKNOWN, WALLET_STALE_ANSWER},
        {429, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_TOO_OFTEN},
        {500, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_WALLET_ERROR},
        {502, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_WALLET_ERROR},
        {302, WK_UNSIGNED, WALLET_UNKNOWN, WALLET_BAD_SIGNATURE},
    };
    struct wallet_charge c;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        plays(cases[i].status, ERROR("NOT_ENOUGH"));
        k.how = cases[i].how;
        ck_assert_msg(charge(&c) == cases[i].answer && why.reason == cases[i].reason, "%zu: %s %s", i, why.code, why.text);
    }
    plays(404, ERROR("ORDER_NOT_EXIST"));
    k.how = WK_UNSIGNED; /* or a charge would be sent again, or given up, on somebody's word */
    ck_assert_int_eq(charge_query(&c), WALLET_UNKNOWN);
    plays(500, "<html>");
    ck_assert_int_eq(charge(&c), WALLET_UNKNOWN);
}
END_TEST

/* Every code of codes.def, of a charge. */
START_TEST(codes_of_a_charge)
{
    static const struct {
        const char *code;
        enum wechat_meaning meaning;
        enum wallet_reason reason;
    } codes[] = {
#define WECHAT_CODE(code, meaning, reason) {code, WECHAT_##meaning, WALLET_##reason},
#include "wallet/wechatpay/codes.def"
#undef WECHAT_CODE
        {"NEVER_HEARD_OF", WECHAT_UNKNOWN, WALLET_OTHER}};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        char answer[200];
        struct wallet_charge c;
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(codes[i].code, codes[j].code);
        (void)snprintf(answer, sizeof answer, "{\"code\":\"%s\",\"message\":\"m\"}", codes[i].code);
        plays(400, answer);
        bool no = codes[i].meaning != WECHAT_UNKNOWN;
        ck_assert_msg(charge(&c) == (no ? WALLET_NO : WALLET_UNKNOWN), "%s", codes[i].code);
        ck_assert_int_eq(why.reason, codes[i].meaning == WECHAT_GONE ? WALLET_AGREEMENT_GONE : codes[i].reason);
        ck_assert_str_eq(why.code, codes[i].code);
        ck_assert_str_eq(why.text, "400 m");
    }
}
END_TEST

START_TEST(codes_of_the_others)
{
    static const struct {
        enum call what;
        const char *answer;
        enum wallet_answer want;
        int state;
    } cases[] = {
        {CHARGE_QUERY, ERROR("ORDER_NOT_EXIST"), WALLET_YES, WALLET_CHARGE_NONE},
        {CHARGE_QUERY, ERROR("ORDERNOTEXIST"), WALLET_YES, WALLET_CHARGE_NONE},
        {CHARGE_QUERY, ERROR("SYSTEM_ERROR"), WALLET_UNKNOWN, WALLET_CHARGE_STATE_MAX},
        {CHARGE_QUERY, ERROR("SIGN_ERROR"), WALLET_NO, WALLET_CHARGE_STATE_MAX},
        {REFUND_QUERY, ERROR("RESOURCE_NOT_EXISTS"), WALLET_YES, WALLET_REFUND_NONE},
        {REFUND, ERROR("RESOURCE_NOT_EXISTS"), WALLET_NO, WALLET_REFUND_STATE_MAX},
        {REFUND, ERROR("NOT_ENOUGH"), WALLET_NO, WALLET_REFUND_STATE_MAX},
        {REFUND, ERROR("SYSTEM_ERROR"), WALLET_UNKNOWN, WALLET_REFUND_STATE_MAX},
        {QUERY, ERROR("RESOURCE_NOT_EXISTS"), WALLET_YES, WALLET_AGREEMENT_NONE},
        {FINISH, ERROR("CONTRACT_NOT_EXIST"), WALLET_YES, WALLET_AGREEMENT_NONE},
        {END, ERROR("CONTRACT_TERMINATED"), WALLET_YES, 0},
        {END, ERROR("RESOURCE_NOT_EXISTS"), WALLET_NO, 0},
        {CANCEL, ERROR("ORDER_CLOSED"), WALLET_YES, WALLET_CHARGE_CLOSED},
        {CANCEL, ERROR("ORDERPAID"), WALLET_NO, WALLET_CHARGE_STATE_MAX},
        {CANCEL, ERROR("ORDER_NOT_EXIST"), WALLET_NO, WALLET_CHARGE_STATE_MAX},
        {CANCEL, ERROR("SYSTEM_ERROR"), WALLET_UNKNOWN, WALLET_CHARGE_STATE_MAX},
        {SIGN, ERROR("NO_AUTH"), WALLET_NO, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int state;
        plays(404, cases[i].answer);
        ck_assert_msg(call(cases[i].what, &state) == cases[i].want, "%zu: %s", i, why.text);
        if (cases[i].what != END && cases[i].what != SIGN)
            ck_assert_msg(state == cases[i].state, "%zu: state %d", i, state);
    }
}
END_TEST

START_TEST(states_of_a_charge)
{
    static const struct {
        const char *state;
        enum wallet_charge_state want;
    } states[] = {{"SUCCESS", WALLET_CHARGE_PAID},     {"REFUND", WALLET_CHARGE_PAID},    {"NOTPAY", WALLET_CHARGE_WAITS},
                  {"USERPAYING", WALLET_CHARGE_WAITS}, {"ACCEPT", WALLET_CHARGE_WAITS},   {"CLOSED", WALLET_CHARGE_CLOSED},
                  {"REVOKED", WALLET_CHARGE_CLOSED},   {"PAYERROR", WALLET_CHARGE_FAILED}};
    struct wallet_charge c;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        char answer[800];
        bool paid = states[i].want == WALLET_CHARGE_PAID;
        (void)snprintf(answer, sizeof answer,
                       "{" ID ",\"out_trade_no\":\"C1\",\"trade_state\":\"%s\",\"trade_state_desc\":\"NOTENOUGH\"%s}",
                       states[i].state,
                       paid ? ",\"transaction_id\":\"42\",\"success_time\":\"2027-01-15T15:59:59+08:00\",\"amount\":{"
                              "\"total\":1}"
                            : "");
        plays(200, answer);
        ck_assert_msg(charge_query(&c) == WALLET_YES && c.state == states[i].want, "%s: %s", states[i].state, why.text);
        ck_assert_int_eq(c.currency, paid ? CUR_CNY : CUR_MAX);
        ck_assert_int_eq(why.reason, c.state == WALLET_CHARGE_FAILED || c.state == WALLET_CHARGE_CLOSED ? WALLET_BALANCE
                                                                                                        : WALLET_NO_REASON);
    }
    plays(200, PAID);
    ck_assert_int_eq(charge_query(&c), WALLET_YES);
    ck_assert_str_eq(c.ref, "42000");
    ck_assert_str_eq(c.agreement, "202");
    ck_assert(c.amount_minor == 64800 && c.paid_us == WK_NOW_US - US_SECOND);
}
END_TEST

/* `from` in an answer that is good becomes `to`. */
static const char *with(const char *text, const char *from, const char *to)
{
    static char out[4096];
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s is not in %s", from, text);
    (void)snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

START_TEST(answers_that_are_none)
{
    static const struct {
        enum call what;
        const char *from, *to;
    } cases[] = {
        {SIGN, "redirect_url", "redirect"},
        {SIGN, "https://pay.test/sign", "javascript:alert(1)//"},
        {QUERY, "\"A1\"", "\"A2\""},
        {QUERY, "1900000109", "1900000110"},
        {QUERY, "wxd678", "wxd679"},
        {QUERY, "12535", "12536"},
        {QUERY, "SIGNED", "signed"},
        {QUERY, "\"SIGNED\"", "1"},
        {QUERY, "2027-01-15T15:00:00+08:00", "2027-02-30T15:00:00+08:00"},
        {QUERY, "2027-01-15T15:00:00+08:00", "2027-01-15 15:00:00"},
        {QUERY, "\"contract_id\":\"202\"", "\"contract_id\":202"},
        {QUERY, "\"openid\"", "\"mchid\""}, /* a key twice */
        {END, "TERMINATED", "SIGNED"},
        {END, "2027-01-15T15:30", "2027-13-15T15:30"},
        {CHARGE, "C1", "C2"},
        {CHARGE, "64800", "64801"},
        {CHARGE, "64800", "\"64800\""},
        {CHARGE_QUERY, "C1", "C2"},
        {CHARGE_QUERY, "1900000109", "1"},
        {CHARGE_QUERY, "wxd678", "wx"},
        {CHARGE_QUERY, "SUCCESS", "SUCCEEDED"},
        {CHARGE_QUERY, "\"CNY\"", "\"USD\""},
        {CHARGE_QUERY, "\"total\":64800", "\"total\":648.00"},
        {CHARGE_QUERY, "\"total\":64800", "\"total\":-1"},
        {CHARGE_QUERY, "\"amount\"", "\"sum\""},
        {CHARGE_QUERY, "success_time", "time"},
        {CHARGE_QUERY, "15:59:59+08:00", "15:59:60+08:00"},
        {CHARGE_QUERY, "15:59:59+08:00", "24:00:00+08:00"},
        {CHARGE_QUERY, "15:59:59+08:00", "15:59:59"},
        {CHARGE_QUERY, "\"transaction_id\":\"42000\",", ""},
        {REFUND, "R1", "R2"},
        {REFUND, "\"out_trade_no\":\"C1\"", "\"out_trade_no\":\"C2\""},
        {REFUND, "\"refund\":100", "\"refund\":101"},
        {REFUND, "\"status\"", "\"refund_status\""},
        {REFUND_QUERY, "SUCCESS", "OK"},
        {REFUND_QUERY, "CNY", "EUR"},
        {REFUND_QUERY, "\"success_time\":\"2027-01-15T16:00:00+08:00\",", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int state;
        plays(200, with(good_answers[cases[i].what], cases[i].from, cases[i].to));
        ck_assert_msg(call(cases[i].what, &state) == WALLET_UNKNOWN && why.reason == WALLET_GARBLED_ANSWER,
                      "%zu: %s is taken as %s", i, cases[i].from, cases[i].to);
    }
    static const char *const nothing[] = {"", "[]", "{", "null", "\xFF"};
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        int state;
        plays(200, nothing[i]);
        ck_assert_int_eq(call(CHARGE_QUERY, &state), WALLET_UNKNOWN);
    }
}
END_TEST

START_TEST(refunds)
{
    static const struct {
        const char *status;
        enum wallet_refund_state want;
    } states[] = {{"SUCCESS", WALLET_REFUND_PAID},
                  {"PROCESSING", WALLET_REFUND_WAITS},
                  {"ABNORMAL", WALLET_REFUND_WAITS},
                  {"CLOSED", WALLET_REFUND_FAILED}};
    struct wallet_refund r;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        char to[64];
        (void)snprintf(to, sizeof to, "\"status\":\"%s\"", states[i].status);
        plays(200, with(REFUNDED, "\"status\":\"SUCCESS\"", to));
        ck_assert_int_eq(D->refund(k.self, &k.io, &refund_ask, &r, &why), WALLET_YES);
        ck_assert(r.state == states[i].want && r.amount_minor == 100 && strcmp(r.ref, "50000") == 0);
    }
    ck_assert_str_eq(k.body,
                     "{\"out_trade_no\":\"C1\",\"out_refund_no\":\"R1\",\"reason\":\"why\",\"amount\":{\"refund\":100,"
                     "\"total\":64800,\"currency\":\"CNY\"}}");
}
END_TEST

/* --- notices --- */
static enum wallet_verdict notice(const char *type, const char *key, const char *plain, enum wk_how how,
                                  struct wallet_notice *n, char text[WALLET_WHY_BYTES])
{
    struct buf body, head;
    buf_init(&body, 1u << 16);
    buf_init(&head, 1u << 16);
    wk_notice(type, key, plain, &body);
    wk_head(&k, how, buf_view(&body), &head);
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = buf_view(&head), .body = buf_view(&body)};
    enum wallet_verdict v = D->notice(k.self, &in, WK_NOW_US, n, text);
    buf_release(&body);
    buf_release(&head);
    return v;
}

START_TEST(notices_that_are_genuine)
{
    struct wallet_notice n;
    char text[WALLET_WHY_BYTES];
    ck_assert_int_eq(notice("ENTRUST.SIGN", WK_APIV3, SIGNED, WK_SIGNED, &n, text), WALLET_GENUINE);
    ck_assert(n.kind == WALLET_NOTICE_AGREEMENT && n.agreement.state == WALLET_AGREEMENT_NORMAL);
    ck_assert_str_eq(n.id, "EV-2018022511223320873");
    ck_assert_str_eq(n.agreement.number, "A1");
    ck_assert_str_eq(n.agreement.ref, "202");
    ck_assert_str_eq(n.agreement.user, "oUser");
    ck_assert_int_eq(n.agreement.signed_us, WK_NOW_US - US_HOUR);
    ck_assert_int_eq(notice("ENTRUST.TERMINATE", WK_APIV3, TERMINATED, WK_BY_CERT, &n, text), WALLET_GENUINE);
    ck_assert(n.agreement.state == WALLET_AGREEMENT_STOPPED && n.agreement.ended_us == WK_NOW_US - US_HOUR / 2);
    ck_assert_int_eq(notice("TRANSACTION.SUCCESS", WK_APIV3, PAID, WK_SIGNED, &n, text), WALLET_GENUINE);
    ck_assert(n.kind == WALLET_NOTICE_CHARGE && n.charge.state == WALLET_CHARGE_PAID && n.charge.amount_minor == 64800);
    const char *refund = with("{\"mchid\":\"1900000109\",\"refund_status\":\"SUCCESS\",\"x\":", "\"x\":",
                              "\"refund_id\":\"50000\",\"out_refund_no\":\"R1\",\"out_trade_no\":\"C1\",\"success_time\":"
                              "\"2027-01-15T16:00:00+08:00\",\"amount\":{\"refund\":100,\"total\":64800}}");
    ck_assert_int_eq(notice("REFUND.SUCCESS", WK_APIV3, refund, WK_SIGNED, &n, text), WALLET_GENUINE);
    ck_assert(n.kind == WALLET_NOTICE_REFUND && n.refund.state == WALLET_REFUND_PAID && n.refund.amount_minor == 100);
    ck_assert_int_eq(notice("PAYSCORE.USER_OPEN_SERVICE", WK_APIV3, "{}", WK_SIGNED, &n, text), WALLET_GENUINE);
    ck_assert_int_eq(n.kind, WALLET_NOTICE_OTHER);
}
END_TEST

START_TEST(notices_that_are_not)
{
    struct wallet_notice n, before;
    char text[WALLET_WHY_BYTES];
    memset(&n, 0x5A, sizeof n);
    before = n;
    for (int how = WK_UNSIGNED; how < WK_HOW_MAX; how++) {
        enum wallet_verdict want = how == WK_PROBE                              ? WALLET_PROBE
                                   : how == WK_AT_301 || how == WK_AT_MINUS_301 ? WALLET_STALE
                                                                                : WALLET_FORGED;
        ck_assert_msg(notice("TRANSACTION.SUCCESS", WK_APIV3, PAID, (enum wk_how)how, &n, text) == want, "%d: %s", how,
                      text);
        ck_assert(text[0]);
    }
    for (int how = 0; how < WK_UNSIGNED; how++)
        ck_assert_int_eq(notice("X", WK_APIV3, "[]", (enum wk_how)how, &n, text), WALLET_GARBLED);
    static const char *const plain[][2] = {{"1900000109", "2"},     {"wxd678", "wxd679"},   {"\"C1\"", "1"},
                                           {"SUCCESS", "PAID"},     {"\"CNY\"", "\"USD\""}, {"2027-01-15", "2027-02-29"},
                                           {"\"total\":64800,", ""}};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        ck_assert_msg(notice("TRANSACTION.SUCCESS", WK_APIV3, with(PAID, plain[i][0], plain[i][1]), WK_SIGNED, &n, text) ==
                          WALLET_GARBLED,
                      "%s", plain[i][1]);
    /* Signed by the wallet, encrypted under another key. */
    ck_assert_int_eq(notice("TRANSACTION.SUCCESS", "0123456789abcdef0123456789abcdeF", PAID, WK_SIGNED, &n, text),
                     WALLET_GARBLED);
    ck_assert_mem_eq(&n, &before, sizeof n); /* untouched by all of them */
    struct wallet_reply reply;
    D->reply(k.self, true, &reply);
    ck_assert_int_eq(reply.status, 200);
    D->reply(k.self, false, &reply);
    ck_assert(reply.status == 500 && strstr(reply.body, "FAIL"));
}
END_TEST

START_TEST(times)
{
    static const char *const good[] = {"2018-06-08T10:34:56+08:00", "2018-06-08T02:34:56Z", "2018-06-08T10:34:56.123+08:00",
                                       "2020-02-29T00:00:00-00:00"};
    static const char *const bad[] = {"",
                                      "2018-06-08",
                                      "2018-06-08T10:34:56",
                                      "2018-06-08 10:34:56+08:00",
                                      "2018-06-08T10:34:56+0800",
                                      "2018-06-08T10:34:56+08",
                                      "2018-02-30T10:34:56+08:00",
                                      "2019-02-29T10:34:56+08:00",
                                      "2018-13-01T10:34:56+08:00",
                                      "2018-06-31T10:34:56+08:00",
                                      "2018-06-08T24:00:00+08:00",
                                      "2018-06-08T10:60:00+08:00",
                                      "2018-06-08T10:34:60+08:00",
                                      "2018-06-08T10:34:56.+08:00",
                                      "2018-06-08T10:34:56+08:00 ",
                                      "20180608103456"};
    int64_t us = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(wechat_time(slice_str(good[i]), &us), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!wechat_time(slice_str(bad[i]), &us), "%s", bad[i]);
    ck_assert(wechat_time(slice_str(good[0]), &us) && us == INT64_C(1528425296) * US_SECOND);
}
END_TEST

START_TEST(settings_that_are_wrong)
{
    static const struct {
        const char *from, *to, *word;
    } cases[] = {{"\"url\"", "\"u\"", "no such member"},
                 {"https://pay.test/base/", "ftp://x", "url"},
                 {"https://pay.test/base/", "https://pay.test/?x", "url"},
                 {"\"mchid\":\"1900000109\"", "\"mchid\":\"19 0\"", "mchid"},
                 {"\"appid\":\"wxd678efh567hg6787\"", "\"appid\":\"a\\\"b\"", "appid"},
                 {"\"12535\"", "\"p1\"", "plan_id"},
                 {"\"serial\":\"OURSERIAL\",", "", "serial"},
                 {"ours.pem", "pub.pem", "private_key"},
                 {"ours.pem", "nowhere.pem", "private_key"},
                 {"apiv3.key", "ours.pem", "apiv3_key"},
                 {"\"file\":\"pub.pem\"", "\"file\":\"apiv3.key\"", "RSA key"},
                 {"\"file\":\"pub.pem\"", "\"file\":7", "file"},
                 {WK_CERT, WK_PUB, "twice"},
                 {"\"platform\":[", "\"platform\":[7,", "platform"}};
    char why_text[WALLET_WHY_BYTES];
    void *self = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        why_text[0] = '\0';
        ck_assert(wechat_open(slice_str(with(k.settings, cases[i].from, cases[i].to)), k.s.dir, &self, why_text) != KEER_OK);
        ck_assert_msg(strstr(why_text, cases[i].word) != NULL, "%zu: %s", i, why_text);
        ck_assert_ptr_null(self);
    }
    ck_assert_int_eq(chmod(scratch_path(&k.s, "ours.pem"), 0644), 0);
    ck_assert(wechat_open(slice_str(k.settings), k.s.dir, &self, why_text) != KEER_OK);
    ck_assert_msg(strstr(why_text, "chmod 600") != NULL, "%s", why_text);
}
END_TEST

/* --- published vectors --- */
/* The merchant's key of the official Go client's tests (wechatpay-go, Apache-2.0, core/auth/signers). */
#include "unit/wechatpay_key.inc"

static struct slice text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    ck_assert_msg(s != NULL, "%s", name);
    return slice_str(s);
}

static void open_with(struct wechat *w, const char *dir, const char *serial, const char *pem_name)
{
    char path[512];
    struct buf b;
    *w = (struct wechat){.platforms = 1};
    (void)snprintf(w->platform[0].serial, sizeof w->platform[0].serial, "%s", serial);
    (void)snprintf(path, sizeof path, "%s/vectors/%s", dir, pem_name);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    buf_init(&b, 1u << 16);
    char *to = buf_reserve(&b, 65535);
    b.len = fread(to, 1, 65535, f);
    (void)fclose(f);
    struct slice pem = buf_view(&b);
    ck_ok(crypto_cert_pem(&pem, &w->platform[0].cert));
    ck_ok(crypto_cert_key(w->platform[0].cert, &w->platform[0].key));
    buf_release(&b);
}

static void close_with(struct wechat *w)
{
    crypto_key_free(w->platform[0].key);
    crypto_cert_free(w->platform[0].cert);
}

static void vector_sign(const json_t *v, const char *dir)
{
    struct crypto_key *key;
    struct crypto_signature sig;
    struct buf b;
    struct wechat w;
    buf_init(&b, 4096);
    ck_ok(crypto_key_private_pem(SLICE(merchant_key), &key));
    ck_ok(crypto_key_sign(key, CRYPTO_RS256, CRYPTO_DER, text_of(v, "message"), &sig));
    base64_put(&b, slice_of((const char *)sig.bytes, sig.len));
    ck_slice_eq(buf_view(&b), text_of(v, "signature")); /* byte for byte */
    open_with(&w, dir, "x", text_of(v, "certificate").p);
    ck_assert(crypto_key_eq(w.platform[0].key, key));
    close_with(&w);
    crypto_key_free(key);
    buf_release(&b);
}

static void vector_notify(const json_t *v, const char *dir)
{
    const json_t *h = json_object_get(v, "headers");
    struct wechat w;
    char text[WALLET_WHY_BYTES];
    const int64_t at = INT64_C(1624523846) * US_SECOND;
    struct slice body = text_of(v, "body");
    struct wechat_signed s = {text_of(h, "Wechatpay-Timestamp"), text_of(h, "Wechatpay-Nonce"),
                              text_of(h, "Wechatpay-Serial"), text_of(h, "Wechatpay-Signature")};
    open_with(&w, dir, s.serial.p, text_of(v, "certificate").p);
    ck_assert_int_eq(wechat_verify(&w, &s, body, at, text), WALLET_GENUINE);
    ck_assert_int_eq(wechat_verify(&w, &s, body, at + 299 * US_SECOND, text), WALLET_GENUINE);
    ck_assert_int_eq(wechat_verify(&w, &s, body, at + 301 * US_SECOND, text), WALLET_STALE);
    ck_assert_int_eq(wechat_verify(&w, &s, body, at - 301 * US_SECOND, text), WALLET_STALE);
    for (size_t i = 0; i < body.len; i += 7) { /* a byte of it changed */
        char copy[4096];
        ck_assert_uint_lt(body.len, sizeof copy);
        memcpy(copy, body.p, body.len);
        copy[i] ^= 1;
        ck_assert_int_eq(wechat_verify(&w, &s, slice_of(copy, body.len), at, text), WALLET_FORGED);
    }
    close_with(&w);
}

static void vector_aead(struct slice key, struct slice nonce, struct slice aad, struct slice text, struct slice plain)
{
    struct crypto_gcm gcm = {key, nonce, aad};
    unsigned char sealed[2048];
    size_t len;
    struct buf b;
    buf_init(&b, 4096);
    ck_ok(base64_get(text, sizeof sealed, sealed, &len));
    ck_ok(crypto_gcm_open(&gcm, slice_of((const char *)sealed, len), &b));
    ck_slice_eq(buf_view(&b), plain);
    buf_clear(&b);
    ck_ok(crypto_gcm_seal(&gcm, plain, &b));
    ck_slice_eq(buf_view(&b), slice_of((const char *)sealed, len));
    for (size_t i = 0; i < len * 8; i += 5) { /* a bit of it changed */
        buf_clear(&b);
        sealed[i / 8] ^= (unsigned char)(1u << i % 8);
        ck_err(crypto_gcm_open(&gcm, slice_of((const char *)sealed, len), &b), KEER_EFORMAT);
        ck_assert_uint_eq(b.len, 0);
        sealed[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    gcm.aad = SLICE("other");
    ck_err(crypto_gcm_open(&gcm, slice_of((const char *)sealed, len), &b), KEER_EFORMAT);
    gcm.key.len = 24;
    ck_err(crypto_gcm_open(&gcm, slice_of((const char *)sealed, len), &b), KEER_EINVALID);
    buf_release(&b);
}

START_TEST(published_vectors)
{
    const char *dir = shared_dir();
    char path[512];
    if (!dir)
        return;
    (void)snprintf(path, sizeof path, "%s/vectors/wechat/vectors.json", dir);
    json_error_t error;
    json_t *all = json_load_file(path, 0, &error), *v;
    size_t i;
    ck_assert_msg(all != NULL, "%s: %s", path, error.text);
    json_array_foreach(json_object_get(all, "sign"), i, v) vector_sign(v, dir);
    json_array_foreach(json_object_get(all, "notify"), i, v)
    {
        vector_notify(v, dir);
        json_t *body = json_loads(text_of(v, "body").p, 0, &error), *r = json_object_get(body, "resource");
        vector_aead(text_of(v, "apiv3_key"), text_of(r, "nonce"), text_of(r, "associated_data"), text_of(r, "ciphertext"),
                    text_of(v, "plaintext"));
        json_decref(body);
    }
    json_array_foreach(json_object_get(all, "aead"), i, v) vector_aead(
        text_of(v, "key"), text_of(v, "nonce"), text_of(v, "aad"), text_of(v, "ciphertext"), text_of(v, "plaintext"));
    json_decref(all);
}
END_TEST

/* Every allocation fails once, then every later one too: an answer is lost, and never made up. */
START_TEST(calls_without_memory)
{
    for (int i = 0; i < CALL_MAX * 2; i++) {
        enum wallet_answer answer = WALLET_UNKNOWN;
        plays(200, good_answers[i / 2]);
        buf_clear(&k.head);
        wk_head(&k, WK_SIGNED, slice_str(k.answer), &k.head);
        for (uint64_t n = 1; answer != WALLET_YES; n++) {
            int state;
            ck_assert_uint_lt(n, 2000);
            oom_arm(n, /* persistent */ i % 2 == 1);
            answer = call((enum call)(i / 2), &state);
            bool failed = oom_count() >= n;
            oom_reset();
            ck_assert_int_ne(answer, WALLET_NO);
            ck_assert(failed == (answer != WALLET_YES));
        }
    }
}
END_TEST

START_TEST(notices_without_memory)
{
    struct buf body, head;
    struct wallet_notice n;
    char text[WALLET_WHY_BYTES];
    enum wallet_verdict v = WALLET_FORGED;
    buf_init(&body, 1u << 16);
    buf_init(&head, 1u << 16);
    wk_notice("TRANSACTION.SUCCESS", WK_APIV3, PAID, &body);
    wk_head(&k, WK_SIGNED, buf_view(&body), &head);
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = buf_view(&head), .body = buf_view(&body)};
    for (uint64_t i = 1; v != WALLET_GENUINE; i++) {
        ck_assert_uint_lt(i, 1000);
        oom_arm(i, /* persistent */ i % 2 == 1);
        v = D->notice(k.self, &in, WK_NOW_US, &n, text);
        oom_reset();
    }
    buf_release(&body);
    buf_release(&head);
}
END_TEST

START_TEST(settings_without_memory)
{
    char text[WALLET_WHY_BYTES];
    void *self = NULL;
    for (uint64_t i = 1; !self; i++) {
        ck_assert_uint_lt(i, 1000);
        oom_arm(i, /* persistent */ false);
        enum keer_err err = wechat_open(slice_str(k.settings), k.s.dir, &self, text);
        oom_reset();
        ck_assert((err == KEER_OK) == (self != NULL));
    }
    wechat_free(self);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wechatpay");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_asked);
    tcase_add_test(t, what_a_request_says);
    tcase_add_test(t, what_does_not_fit_is_not_sent);
    tcase_add_test(t, answers_are_verified);
    tcase_add_test(t, refusals_are_verified);
    tcase_add_test(t, codes_of_a_charge);
    tcase_add_test(t, codes_of_the_others);
    tcase_add_test(t, states_of_a_charge);
    tcase_add_test(t, answers_that_are_none);
    tcase_add_test(t, refunds);
    tcase_add_test(t, notices_that_are_genuine);
    tcase_add_test(t, notices_that_are_not);
    tcase_add_test(t, times);
    tcase_add_test(t, settings_that_are_wrong);
    tcase_add_test(t, published_vectors);
    tcase_add_test(t, calls_without_memory);
    tcase_add_test(t, notices_without_memory);
    tcase_add_test(t, settings_without_memory);
    suite_add_tcase(s, t);
    return test_main(s);
}
