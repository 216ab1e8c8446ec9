/* wechat_keys_test.c - the list of WeChat Pay's platform certificates: the first one, those that take its place, and every list
 * that is not to be believed, after which all is as it was.
 */
#include "lib/wechat_list.h"

#define D (&wallet_wechatpay)
#define NOTICE "{\"id\":\"n\",\"event_type\":\"X\"}"

static struct wechat_kit k;
static struct buf body, kept;
static struct wallet_why why;
static char text[WALLET_WHY_BYTES];

static void use(const char *platform, const char *more)
{
    (void)snprintf(k.settings, sizeof k.settings,
                   "{\"name\":\"wechatpay\",\"kind\":\"wechatpay\",\"url\":\"https://pay.test/base/\",\"mchid\":"
                   "\"1900000109\",\"appid\":\"wxd678efh567hg6787\",\"plan_id\":\"12535\",\"serial\":\"OURSERIAL\","
                   "\"private_key\":\"ours.pem\",\"apiv3_key\":\"apiv3.key\"%s%s}",
                   platform, more);
    if (k.self)
        D->free(k.self);
    wk_open(&k);
}
#define BY_FILE ",\"platform\":[{\"serial\":\"" WK_CERT "\",\"file\":\"cert.pem\"}]"
#define BY_PUBLIC_KEY \
    ",\"platform\":[{\"serial\":\"" WK_PUB "\",\"file\":\"pub.pem\"},{\"serial\":\"" WK_CERT "\",\"file\":\"cert.pem\"}]"

static void setup(void)
{
    wk_start(&k);
    buf_init(&body, WALLET_ANSWER_BYTES);
    buf_init(&kept, WALLET_ANSWER_BYTES);
    use("", "");
}
static void teardown(void)
{
    buf_release(&body);
    buf_release(&kept);
    wk_stop(&k);
}

/* The wallet answers with `body`, signed by `key` under `serial`; key NULL: by nobody. */
static enum wallet_answer fetch_at(const struct crypto_key *key, const char *serial, int64_t at)
{
    buf_clear(&k.head);
    buf_clear(&kept);
    buf_char(&body, '\0');
    k.answer = body.p;
    body.len--;
    k.status = 200;
    k.sent = WALLET_ANSWERED;
    if (key)
        wl_head(key, serial, at, buf_view(&body), &k.head);
    else
        buf_puts(&k.head, "content-type: application/json\n");
    enum wallet_answer answer = D->keys_fetch(k.self, &k.io, &kept, &why);
    buf_clear(&k.head);
    return answer;
}
static enum wallet_answer fetch(const struct crypto_key *key, const char *serial) { return fetch_at(key, serial, WK_NOW_S); }
static void list(const struct wl_entry *e, size_t count)
{
    buf_clear(&body);
    wl_list(e, count, &body);
}
/* Whether something that `key` signed under `serial` is believed: a notice that says nothing is garbled then, and not forged. */
static bool believed(const struct crypto_key *key, const char *serial, int64_t now_us)
{
    struct wallet_notice n;
    struct buf head;
    buf_init(&head, 1u << 16);
    wl_head(key, serial, now_us / US_SECOND, SLICE(NOTICE), &head);
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = buf_view(&head), .body = SLICE(NOTICE)};
    enum wallet_verdict v = D->notice(k.self, &in, now_us, &n, text);
    buf_release(&head);
    ck_assert(v == WALLET_GARBLED || v == WALLET_FORGED);
    return v == WALLET_GARBLED;
}
static bool due(int64_t after_us) { return D->keys_due(k.self, WK_NOW_US + after_us); }

START_TEST(the_first_list)
{
    const struct wl_entry two[] = {{.serial = WL_A, .key = k.cert, .from_us = WK_NOW_US - 90 * US_DAY},
                                   {.serial = WL_B, .key = k.other}};
    struct wallet_charge c;
    ck_assert(due(0) && !believed(k.cert, WL_A, WK_NOW_US));
    k.requests = 0;
    ck_assert_int_eq(D->charge_query(k.self, &k.io, "C1", &c, &why), WALLET_NOT_SENT);
    ck_assert_int_eq(why.reason, WALLET_BAD_SIGNATURE);
    ck_assert_uint_eq(k.requests, 0); /* no answer could be believed: none is asked for */
    list(two, 2);
    ck_assert_msg(fetch(k.cert, WL_A) == WALLET_YES, "%s", why.text);
    ck_assert_str_eq(k.method, "GET");
    ck_assert_str_eq(k.url, "https://pay.test/base/v3/certificates");
    ck_assert_str_eq(why.text, "2, the newest is " WL_B);
    ck_slice_eq(buf_view(&kept), buf_view(&body));
    ck_assert(believed(k.cert, WL_A, WK_NOW_US) && believed(k.other, WL_B, WK_NOW_US));
    ck_assert(!believed(k.other, WL_A, WK_NOW_US) && !believed(k.pub, WL_C, WK_NOW_US));
    char serial[WECHAT_SERIAL_BYTES + 1];
    ck_assert(wechat_keys_asked(k.self, WK_NOW_US, serial));
    ck_assert_str_eq(serial, WL_B);
}
END_TEST

/* Before the first list, and where the file names a certificate that is valid: none of these is taken. */
START_TEST(lists_that_are_not_believed)
{
    const struct wl_entry good = {.serial = WL_A, .key = k.cert};
    const struct wl_entry alone[] = {{.serial = WL_A, .key = k.cert, .apiv3 = "f123456789abcdef0123456789abcdef"},
                                     {.serial = WL_A, .key = k.cert, .said = WL_B},
                                     {.serial = WL_A, .key = k.cert, .to_us = WK_NOW_US - US_SECOND},
                                     {.serial = WL_A, .key = k.cert, .from_us = WK_NOW_US + US_HOUR},
                                     {.serial = WL_A, .key = k.cert, .text = "-----BEGIN CERTIFICATE-----\n"},
                                     {.serial = WL_A, .key = k.cert, .text = ""},
                                     {.serial = WL_A, .key = k.cert, .said = "PUB_KEY_ID_1"}};
    static const char *const bodies[] = {"{}", "{\"data\":[]}", "{\"data\":{}}", "[]", "{\"data\":[1]}", "{\"data\":[{}]}",
                                         "x"};
    struct wl_entry many[WECHAT_PLATFORM_MAX + 1];
    for (int by_file = 0; by_file < 2; by_file++) {
        use(by_file ? BY_FILE : "", "");
        const char *serial = by_file ? WK_CERT : WL_A;
        for (size_t i = 0; i < ARRAY_LEN(alone); i++) {
            list(&alone[i], 1);
            ck_assert_msg(fetch(k.cert, serial) == WALLET_UNKNOWN && why.text[0] && kept.len == 0, "%zu: %s", i, why.text);
            struct wl_entry pair[] = {{.serial = WL_B, .key = k.other},
                                      alone[i]}; /* nor what is good beside it, but for its time */
            list(pair, 2);
            ck_assert_msg((fetch(k.cert, serial) == WALLET_YES) == (by_file && (i == 2 || i == 3)), "%zu: %s", i, why.text);
            use(by_file ? BY_FILE : "", "");
        }
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
            buf_clear(&body);
            buf_puts(&body, bodies[i]);
            ck_assert_int_eq(fetch(k.cert, serial), WALLET_UNKNOWN);
        }
        const struct wl_entry twice[] = {good, good};
        list(twice, 2);
        ck_assert_int_eq(fetch(k.cert, serial), WALLET_UNKNOWN);
        for (size_t i = 0; i < ARRAY_LEN(many); i++)
            many[i] = good;
        list(many, ARRAY_LEN(many));
        ck_assert_int_eq(fetch(k.cert, serial), WALLET_UNKNOWN);
        list(&good, 1);
        ck_assert_int_eq(fetch(NULL, ""), WALLET_UNKNOWN);
        ck_assert_int_eq(fetch(k.other, serial), WALLET_UNKNOWN); /* signed by somebody else */
        ck_assert_int_eq(fetch(k.other, WL_C), WALLET_UNKNOWN);   /* and named so */
        ck_assert_int_eq(fetch_at(k.cert, serial, WK_NOW_S - WECHAT_FRESH_S - 1), WALLET_UNKNOWN);
        ck_assert_int_eq(why.reason, WALLET_STALE_ANSWER);
        ck_assert(!believed(k.cert, WL_A, WK_NOW_US) && kept.len == 0);
        ck_assert(believed(k.cert, WK_CERT, WK_NOW_US) == by_file);
        ck_assert_int_eq(fetch(k.cert, serial), WALLET_YES); /* the same, as it must be */
    }
}
END_TEST

/* With a key that is valid nobody else's word is taken, though the list opens under our APIv3 key. */
START_TEST(a_list_that_brings_its_own_signer)
{
    const struct wl_entry stranger = {.serial = WL_B, .key = k.other};
    use(BY_FILE, "");
    list(&stranger, 1);
    ck_assert_int_eq(fetch(k.other, WL_B), WALLET_UNKNOWN);
    ck_assert_int_eq(why.reason, WALLET_BAD_SIGNATURE);
    ck_assert(!believed(k.other, WL_B, WK_NOW_US) && believed(k.cert, WK_CERT, WK_NOW_US));
    ck_assert_int_eq(fetch(k.cert, WK_CERT), WALLET_YES);
    ck_assert(believed(k.other, WL_B, WK_NOW_US) && believed(k.cert, WK_CERT, WK_NOW_US));
}
END_TEST

START_TEST(old_and_new)
{
    const struct wl_entry first = {
        .serial = WL_A, .key = k.cert, .from_us = WK_NOW_US - 90 * US_DAY, .to_us = WK_NOW_US + US_DAY};
    const struct wl_entry both[] = {first, {.serial = WL_B, .key = k.other}};
    char serial[WECHAT_SERIAL_BYTES + 1];
    list(&first, 1);
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    ck_assert(!due(0) && !due(US_HOUR) && due(WECHAT_KEYS_EVERY_US) && due(-US_HOUR)); /* a clock that was set back: now */
    list(both, 2);
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    ck_assert(believed(k.cert, WL_A, WK_NOW_US) && believed(k.other, WL_B, WK_NOW_US));
    ck_assert(!believed(k.cert, WL_A, WK_NOW_US + 2 * US_DAY) && believed(k.other, WL_B, WK_NOW_US + 2 * US_DAY));
    list(&both[1], 1); /* the wallet lets the old one go */
    ck_assert_int_eq(fetch(k.other, WL_B), WALLET_YES);
    ck_assert(!believed(k.cert, WL_A, WK_NOW_US) && believed(k.other, WL_B, WK_NOW_US));
    ck_assert(wechat_keys_asked(k.self, WK_NOW_US, serial) && strcmp(serial, WL_B) == 0);
    ck_assert(!wechat_keys_asked(k.self, WK_NOW_US + 366 * US_DAY, serial)); /* all are over: as at the first time */
    const struct wl_entry later = {.serial = WL_C, .key = k.pub, .from_us = WK_NOW_US, .to_us = WK_NOW_US + 800 * US_DAY};
    list(&later, 1);
    k.io.now_us = WK_NOW_US + 366 * US_DAY;
    ck_assert(D->keys_due(k.self, k.io.now_us));
    ck_assert_msg(fetch_at(k.pub, WL_C, k.io.now_us / US_SECOND) == WALLET_YES, "%s", why.text);
}
END_TEST

START_TEST(a_key_that_is_not_known)
{
    const struct wl_entry a = {.serial = WL_A, .key = k.cert};
    list(&a, 1);
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    ck_assert(!believed(k.other, WL_A, WK_NOW_US) && !due(US_HOUR)); /* one that we know, and a wrong signature */
    ck_assert(!believed(k.other, WL_B, WK_NOW_US));
    ck_assert(!due(WECHAT_KEYS_AGAIN_US - 1) && due(WECHAT_KEYS_AGAIN_US));
    k.io.now_us = WK_NOW_US + WECHAT_KEYS_AGAIN_US;
    ck_assert_int_eq(fetch(NULL, ""), WALLET_UNKNOWN); /* it fails: it is wanted still, and not at once */
    for (int i = 0; i < 100; i++)
        ck_assert(!believed(k.other, WL_B, WK_NOW_US));
    ck_assert(!due(2 * WECHAT_KEYS_AGAIN_US - 1) && due(2 * WECHAT_KEYS_AGAIN_US));
    k.io.now_us = WK_NOW_US + 2 * WECHAT_KEYS_AGAIN_US;
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    ck_assert(!due(US_HOUR));
    use("", ",\"certificates_hours\":1,\"certificates_again_ms\":5000");
    ck_assert_int_eq(fetch(NULL, ""), WALLET_UNKNOWN);
    ck_assert(!due(2 * WECHAT_KEYS_AGAIN_US + 4 * US_SECOND) && due(2 * WECHAT_KEYS_AGAIN_US + 5 * US_SECOND));
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    ck_assert(!due(2 * WECHAT_KEYS_AGAIN_US + US_HOUR - 1) && due(2 * WECHAT_KEYS_AGAIN_US + US_HOUR));
}
END_TEST

START_TEST(after_a_restart)
{
    const struct wl_entry a = {.serial = WL_A, .key = k.cert};
    list(&a, 1);
    ck_assert_int_eq(fetch(k.cert, WL_A), WALLET_YES);
    struct slice was = buf_view(&kept);
    use("", "");
    ck_ok(D->keys_load(k.self, was, WK_NOW_US, WK_NOW_US + US_HOUR, text));
    ck_assert(believed(k.cert, WL_A, WK_NOW_US) && !due(US_HOUR) && due(WECHAT_KEYS_EVERY_US));
    use("", "");
    ck_assert_int_eq(D->keys_load(k.self, was, WK_NOW_US, WK_NOW_US + 366 * US_DAY, text), KEER_EFORMAT); /* over */
    ck_assert_str_eq(text, "none of the wallet's certificates is valid now");
    ck_assert_int_eq(D->keys_load(k.self, SLICE("{}"), WK_NOW_US, WK_NOW_US, text), KEER_EFORMAT);
    struct wl_entry theirs = a;
    theirs.apiv3 = "f123456789abcdef0123456789abcdef"; /* of a database that somebody wrote into */
    list(&theirs, 1);
    ck_assert_int_eq(D->keys_load(k.self, buf_view(&body), WK_NOW_US, WK_NOW_US, text), KEER_EFORMAT);
    ck_assert(!believed(k.cert, WL_A, WK_NOW_US) && due(0));
}
END_TEST

START_TEST(a_public_key_asks_for_none)
{
    char serial[WECHAT_SERIAL_BYTES + 1];
    use(BY_PUBLIC_KEY, "");
    ck_assert(!due(0) && !believed(k.other, WL_B, WK_NOW_US) && !due(365 * US_DAY));
    ck_assert(wechat_keys_asked(k.self, WK_NOW_US, serial));
    ck_assert_str_eq(serial, WK_PUB);
    ck_assert_int_eq(D->keys_load(k.self, SLICE("{}"), WK_NOW_US, WK_NOW_US, text), KEER_EUNSUPPORTED);
    ck_assert(believed(k.pub, WK_PUB, WK_NOW_US) && believed(k.cert, WK_CERT, WK_NOW_US));
}
END_TEST

START_TEST(without_memory)
{
    const struct wl_entry two[] = {{.serial = WL_A, .key = k.cert}, {.serial = WL_B, .key = k.other}};
    enum wallet_answer answer = WALLET_UNKNOWN;
    list(two, 2);
    buf_char(&body, '\0');
    k.answer = body.p;
    body.len--;
    wl_head(k.cert, WL_A, WK_NOW_S, buf_view(&body), &k.head);
    for (uint64_t i = 1; answer != WALLET_YES; i++) {
        ck_assert_uint_lt(i, 2000);
        buf_release(&kept);
        buf_init(&kept, WALLET_ANSWER_BYTES);
        oom_arm(i, /* persistent */ i % 2 == 1);
        answer = D->keys_fetch(k.self, &k.io, &kept, &why);
        oom_reset();
        ck_assert(answer == WALLET_YES || !believed(k.cert, WL_A, WK_NOW_US));
    }
    ck_assert(believed(k.cert, WL_A, WK_NOW_US) && kept.len > 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wechat_keys");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_first_list);
    tcase_add_test(t, lists_that_are_not_believed);
    tcase_add_test(t, a_list_that_brings_its_own_signer);
    tcase_add_test(t, old_and_new);
    tcase_add_test(t, a_key_that_is_not_known);
    tcase_add_test(t, after_a_restart);
    tcase_add_test(t, a_public_key_asks_for_none);
    tcase_add_test(t, without_memory);
    suite_add_tcase(s, t);
    return test_main(s);
}
