/* sms_test.c - messages to phones: how long they are, what they say, how they are signed, what a gateway may answer. */
#include "account/gsm.h"
#include "account/notice.h"
#include "account/proof.h"
#include "lib/fetch_server.h"
#include "net/sms.h"

#define T0 (INT64_C(1700000000) * 1000000)
static const struct crypto_hash key = {{1, 2, 3}};

/* --- how long a text is (TS 23.038) --- */

START_TEST(lengths)
{
    static const struct {
        const char *text;
        unsigned units, parts;
        bool ucs2;
    } rows[] = {{"", 0, 1, false},
                {"Hello, 12345678 @#$_?", 21, 1, false},
                {"[]{}^~|\\", 16, 1, false}, /* of the extension table */
                {"\xE2\x82\xAC", 2, 1, false},
                {"\xC3\xA9\xC3\xA0\xC3\xBC\xC3\x9F", 4, 1, false},      /* e acute, a grave, u umlaut, sharp s */
                {"be\xC3\xABindigen", 10, 1, true},                     /* e diaeresis is not in it */
                {"a`b", 3, 1, true},                                    /* nor the grave accent by itself */
                {"\xE9\xAA\x8C\xE8\xAF\x81\xE7\xA0\x81 1", 5, 1, true}, /* Chinese */
                {"\xF0\x9F\x99\x82", 2, 1, true},                       /* two units of UTF-16 */
                {"\t", 1, 1, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gsm_length l = gsm_length(slice_str(rows[i].text));
        ck_assert_msg(l.units == rows[i].units && l.parts == rows[i].parts && l.ucs2 == rows[i].ucs2, "%s: %u %u %d",
                      rows[i].text, l.units, l.parts, l.ucs2);
    }
    char text[400];
    memset(text, 'a', sizeof text);
    static const struct {
        size_t len;
        unsigned parts;
    } edges[] = {{160, 1}, {161, 2}, {306, 2}, {307, 3}};
    for (size_t i = 0; i < ARRAY_LEN(edges); i++)
        ck_assert_uint_eq(gsm_length(slice_of(text, edges[i].len)).parts, edges[i].parts);
    text[0] = '`';
    ck_assert_uint_eq(gsm_length(slice_of(text, 70)).parts, 1);
    ck_assert_uint_eq(gsm_length(slice_of(text, 71)).parts, 2);
    ck_assert_uint_eq(gsm_length(slice_of(text, 135)).parts, 3);
}
END_TEST

/* --- what it says --- */

static const struct notice_words words = {.service = "Example Games", .url = "https://id.example.org"};
static const char *const locales[] = {"en", "nl", "zh-Hans"};

static struct notice about(enum notice_kind kind)
{
    struct notice n = {
        .kind = kind, .what = "firefox", .where = "192.0.2.1", .created_us = T0, .to = {.kind = IDENTIFIER_PHONE}};
    id_make(&n.id);
    id_make(&n.proof);
    return n;
}

static void say(const struct notice *n, const struct notice_words *w, struct buf *out)
{
    buf_clear(out);
    notice_print_sms(n, &key, w, out);
    ck_assert_int_eq(out->err, KEER_OK);
}

/* Every row in every language: one message, but of those with a link in Chinese, whose address alone fills one. */
START_TEST(every_text)
{
    enum notice_kind kind = (enum notice_kind)_i;
    struct notice n = about(kind);
    char digits[PROOF_DIGITS + 1], last[80];
    struct bearer token;
    struct buf text;
    buf_init(&text, NOTICE_SMS_BYTES);
    proof_digits(&key, &n.proof, digits);
    notice_not_me(&key, &n.id, &token);
    (void)snprintf(last, sizeof last, "\n@id.example.org #%s", digits);
    if (kind == NOTICE_CHANGE_PENDING || kind == NOTICE_RECOVERY_STARTED)
        n.until_us = T0 + US_DAY;
    for (size_t l = 0; l < ARRAY_LEN(locales); l++) {
        (void)snprintf(n.locale, sizeof n.locale, "%s", locales[l]);
        say(&n, &words, &text);
        struct gsm_length length = gsm_length(buf_view(&text));
        bool chinese = locales[l][0] == 'z', linked = notice_has_not_me(kind);
        ck_assert_msg(length.ucs2 == chinese, "%s", text.p);
        ck_assert_msg(length.parts == (chinese && linked ? 2 : 1), "%u units: %s", length.units, text.p);
        ck_assert_msg(!strpbrk(text.p, "{}") && strstr(text.p, "Example Games"), "%s", text.p);
        ck_assert_msg(!strstr(text.p, token.text) == !linked, "%s", text.p);
        const char *line = strrchr(text.p, '\n');
        ck_assert_msg(!line == !notice_has_code(kind) && (!line || strcmp(line, last) == 0), "%s", text.p);
        ck_assert_msg(!n.until_us || strstr(text.p, "2023-11-15 22:13 UTC"), "%s", text.p);
    }
    buf_release(&text);
}
END_TEST

START_TEST(some_texts)
{
    struct notice n = about(NOTICE_SIGN_IN_NEW_DEVICE);
    struct buf text;
    char want[300];
    struct bearer token;
    buf_init(&text, NOTICE_SMS_BYTES);
    notice_not_me(&key, &n.id, &token);
    say(&n, &words, &text);
    (void)snprintf(want, sizeof want,
                   "New device signed in to Example Games: firefox, 192.0.2.1. Not you? https://id.example.org/not-me#%s",
                   token.text);
    ck_assert_str_eq(text.p, want);
    n = about(NOTICE_SIGN_UP_CODE);
    (void)snprintf(n.locale, sizeof n.locale, "nl");
    say(&n, &words, &text);
    ck_assert_msg(
        strstr(text.p, " is uw code voor Example Games. 10 minuten geldig; geef hem aan niemand.\n@id.example.org #"), "%s",
        text.p);
    n = about(NOTICE_RECOVERY_CODE_USED); /* a count says nothing by itself */
    (void)snprintf(n.what, sizeof n.what, "7");
    say(&n, &words, &text);
    ck_assert_msg(strncmp(text.p, "A recovery code was used at Example Games. Not", 46) == 0, "%s", text.p);
    n = about(NOTICE_CHARGE_PAID); /* its subject has it */
    (void)snprintf(n.what, sizeof n.what, "648.00 CNY");
    say(&n, &words, &text);
    ck_assert_msg(strncmp(text.p, "648.00 CNY: charged at Example Games. Not", 41) == 0, "%s", text.p);
    buf_release(&text);
}
END_TEST

/* What others wrote is cut, so that it makes no other part of a message, and is no link. */
START_TEST(what_people_wrote)
{
    struct notice n = about(NOTICE_FAMILY_JOINED);
    struct buf text;
    buf_init(&text, NOTICE_SMS_BYTES);
    memset(n.what, 'w', sizeof n.what - 1);
    say(&n, &words, &text);
    struct gsm_length l = gsm_length(buf_view(&text));
    ck_assert_msg(l.parts == 1 && l.units > 150 && strstr(text.p, ": wwwwwwwwww"), "%s", text.p);
    (void)snprintf(n.what, sizeof n.what, "Anna \xE5\xAE\x89\xE5\xA8\x9C"); /* another alphabet would double its length */
    say(&n, &words, &text);
    l = gsm_length(buf_view(&text));
    ck_assert_msg(l.parts == 1 && !l.ucs2 && strstr(text.p, ": Anna "), "%s", text.p);
    (void)snprintf(n.what, sizeof n.what, "Pay at https://evil.example/now");
    say(&n, &words, &text);
    ck_assert_msg(!strstr(text.p, "evil.example") && strstr(text.p, "Pay at"), "%s", text.p);
    buf_release(&text);
}
END_TEST

/* The last line binds a code to the host of an https origin on its own port; nothing else can be said in it. */
START_TEST(what_a_code_is_bound_to)
{
    static const struct {
        const char *url;
        bool bound;
    } rows[] = {{"https://id.example.org", true}, {"https://xn--80ak6aa92e.example", true},
                {"http://id.example.org", false}, {"https://id.example.org:8443", false},
                {"https://192.0.2.1", false},     {"https://[2001:db8::1]", false},
                {"http://127.0.0.1:8080", false}};
    struct notice n = about(NOTICE_CONTACT_CODE);
    struct buf text;
    buf_init(&text, NOTICE_SMS_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct notice_words w = {.service = "X", .url = rows[i].url};
        char want[100];
        say(&n, &w, &text);
        (void)snprintf(want, sizeof want, "\n@%s #", rows[i].url + 8);
        ck_assert_msg((strstr(text.p, want) != NULL) == rows[i].bound && !strchr(text.p, '\n') == !rows[i].bound, "%s",
                      text.p);
    }
    buf_release(&text);
}
END_TEST

/* --- how it is signed --- */

/* The vector that the libraries of standardwebhooks.com share. */
START_TEST(a_published_signature)
{
    struct net_secret secret;
    char text[NET_SIGNATURE_BYTES];
    ck_ok(net_secret_read(SLICE(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), &secret));
    net_sign(slice_of((const char *)secret.bytes, secret.len), SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"), SLICE("1614265330"),
             SLICE("{\"test\": 2432232314}"), text);
    ck_assert_str_eq(text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
END_TEST

START_TEST(secrets_that_are_none)
{
    static const char *const bad[] = {"",
                                      "whsec_",
                                      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==", /* 22 bytes */
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",
                                      "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
    struct net_secret secret = {.len = 7};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(net_secret_read(slice_str(bad[i]), &secret) == KEER_EFORMAT, "%s", bad[i]);
    char text[200] = "whsec_"; /* 66 bytes */
    memset(text + 6, 'A', 88);
    ck_err(net_secret_read(slice_str(text), &secret), KEER_EFORMAT);
    ck_assert_uint_eq(secret.len, 7);
    text[6 + 84] = '\0'; /* 63 */
    ck_ok(net_secret_read(slice_str(text), &secret));
    ck_assert_uint_eq(secret.len, 63);
}
END_TEST

/* --- gateways --- */

static enum sms_result send_one(const struct sms_gateway *g, const struct sms *m, int64_t *ret_after_us,
                                char why[NET_WHY_BYTES])
{
    struct net_options o = sms_options(g);
    struct net_client *c;
    struct sms_post p = {.request.url = NULL};
    struct net_request *back = NULL;
    ck_ok(net_client_new(&o, &c));
    ck_ok(sms_begin(c, g, m, T0, &p));
    for (int i = 0; i < 100 && !back; i++)
        back = net_wait(c, US_SECOND);
    ck_assert_ptr_eq(back, &p.request);
    enum sms_result result = sms_end(&p, ret_after_us, why);
    ck_assert(!p.body.p); /* a text with a code in it does not stay */
    net_client_free(c);
    return result;
}

START_TEST(addresses_of_gateways)
{
    static const char *const good[] = {"https://sms.example.org/send", "https://10.0.0.7/send", "http://127.0.0.1:9000/",
                                       "http://localhost:9000/send",   "http://[::1]:9000/",    "http://localhost"};
    static const char *const bad[] = {"",
                                      "sms.example.org",
                                      "ftp://sms.example.org/",
                                      "http://sms.example.org/",
                                      "http://10.0.0.7/",
                                      "http://localhost.example.org/",
                                      "http://localhost@example.org/",
                                      "https://user:password@sms.example.org/",
                                      "https://sms.example.org/#x",
                                      "https://sms.example.org/?key=x",
                                      "https://sms.example.org/a b"};
    struct sms_gateway g;
    char why[NET_WHY_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(sms_gateway_init(&g, good[i], why) == KEER_OK, "%s: %s", good[i], why);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(sms_gateway_init(&g, bad[i], why) == KEER_EINVALID, "%s", bad[i]);
}
END_TEST

START_TEST(what_a_gateway_answers)
{
    static const struct {
        const char *path;
        enum sms_result result;
        int64_t after_us;
    } rows[] = {{"/plain", SMS_TAKEN, 0},      {"/bad", SMS_REFUSED, 0},
                {"/unknown", SMS_LATER, 0},    {"/busy", SMS_LATER, 7 * US_SECOND},
                {"/down", SMS_LATER, US_HOUR}, /* a time that nobody can mean */
                {"/redirect", SMS_LATER, 0},   {"/drop", SMS_LATER, 0},
                {"/half", SMS_LATER, 0},       {"/garbage", SMS_LATER, 0},
                {"/silent", SMS_LATER, 0},     {"/drip", SMS_LATER, 0}, /* of a head: is it 200? */
                {"/body", SMS_TAKEN, 0}}; /* and never the rest: taken is taken, or it comes eight times */
    struct fetch_server s;
    struct sms m = {.id = "AAAAAAAAAAAAAAAAAAAAAA",
                    .to = "+31612345678",
                    .kind = "sign_up_code",
                    .text = SLICE("12345678 \xE9\xAA\x8C\xE8\xAF\x81 \"x\"\n@id.example.org #12345678")};
    ck_ok(net_start());
    fetch_server_start(&s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sms_gateway g = {.connect_us = US_SECOND, .whole_us = US_SECOND / 2};
        char url[100], why[NET_WHY_BYTES] = "";
        int64_t after_us = 99;
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s.port, rows[i].path);
        ck_ok(sms_gateway_init(&g, url, why));
        ck_ok(net_secret_read(SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &g.secret));
        enum sms_result result = send_one(&g, &m, &after_us, why);
        ck_assert_msg(result == rows[i].result && after_us == rows[i].after_us, "%s: %d %lld %s", rows[i].path, result,
                      (long long)after_us, why);
        ck_assert_msg(!why[0] == (result == SMS_TAKEN) && !strstr(why, "31612345678") && !strstr(why, "12345678"), "%s: %s",
                      rows[i].path, why);
    }
    ck_assert_uint_eq(atomic_load(&s.requests), ARRAY_LEN(rows)); /* each was sent once */
    fetch_server_stop(&s);
    ck_assert_msg(strstr(s.received, "webhook-id: AAAAAAAAAAAAAAAAAAAAAA\r\n") != NULL &&
                      strstr(s.received, "webhook-timestamp: 1700000000\r\n") &&
                      strstr(s.received, "webhook-signature: v1,"),
                  "%s", s.received);
    ck_assert_msg(strstr(s.received,
                         "\r\n\r\n{\"id\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"to\":\"+31612345678\",\"text\":\"12345678 "
                         "\xE9\xAA\x8C\xE8\xAF\x81 \\\"x\\\"\\n@id.example.org #12345678\",\"kind\":\"sign_up_code\"}"),
                  "%s", s.received);
}
END_TEST

START_TEST(nobody_answers)
{
    struct sms_gateway g = {.connect_us = US_SECOND, .whole_us = US_SECOND};
    struct sms m = {.id = "A", .to = "+31612345678", .kind = "x", .text = SLICE("x")};
    char why[NET_WHY_BYTES] = "";
    int64_t after_us;
    ck_ok(net_start());
    ck_ok(sms_gateway_init(&g, "http://127.0.0.1:1/", why));
    ck_assert_int_eq(send_one(&g, &m, &after_us, why), SMS_LATER);
    ck_assert(why[0]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sms");
    TCase *c = tcase_create("sms");
    if (crypto_start() != KEER_OK)
        return 1;
    tcase_set_timeout(c, 60);
    tcase_add_test(c, lengths);
    tcase_add_loop_test(c, every_text, 0, NOTICE_KIND_MAX);
    tcase_add_test(c, some_texts);
    tcase_add_test(c, what_people_wrote);
    tcase_add_test(c, what_a_code_is_bound_to);
    tcase_add_test(c, a_published_signature);
    tcase_add_test(c, secrets_that_are_none);
    tcase_add_test(c, addresses_of_gateways);
    tcase_add_test(c, what_a_gateway_answers);
    tcase_add_test(c, nobody_answers);
    suite_add_tcase(s, c);
    return test_main(s);
}
