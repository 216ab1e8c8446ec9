/* appstore_test.c - notifications of the App Store: genuine ones read, every other refused; prepared answers; want of
 * memory. */
#include <jansson.h>

#include "flow/appstore.h"
#include "lib/appstore_cases.h"
#include "lib/test.h"

static struct ak k;

static void setup(void) { ak_start(&k); }
static void teardown(void) { ak_stop(&k); }

static enum appstore_verdict reads(struct slice text, struct appstore_notice *n)
{
    char why[APPSTORE_WHY_BYTES];
    enum appstore_verdict v = appstore_read(&k.store, text, ak_now_ms * 1000, n, why);
    ck_assert_msg((v == APPSTORE_GENUINE) == (why[0] == '\0'), "%d: %s", v, why);
    return v;
}

static void one(void *ctx, const struct ak_case *c, struct slice text)
{
    struct appstore_notice n, before;
    memset(&n, 0x5A, sizeof n);
    before = n;
    enum appstore_verdict v = reads(text, &n);
    ck_assert_msg(v == c->ours, "%s: %d, want %d", c->name, v, c->ours);
    ck_assert(v == APPSTORE_GENUINE || memcmp(&n, &before, sizeof n) == 0);
    ck_assert_msg(c->apple || c->ours != APPSTORE_GENUINE, "%s", c->name);
    ++*(unsigned *)ctx;
}

START_TEST(every_case)
{
    unsigned count = 0;
    ak_all(&k, one, &count);
    ck_assert_uint_gt(count, 80);
}
END_TEST

static void make(const struct ak_recipe *r, struct appstore_notice *n)
{
    struct buf b;
    buf_init(&b, 1u << 18);
    ak_notice(&k, r, &b);
    ck_assert_int_eq(reads(buf_view(&b), n), APPSTORE_GENUINE);
    buf_release(&b);
}

START_TEST(what_a_notice_says)
{
    struct appstore_notice n;
    make(&(struct ak_recipe){.type = "CONSUMPTION_REQUEST",
                             .reason = "OTHER",
                             .uuid = "002E14D5-51F5-4503-B5A8-C3A1AF68EB20"},
         &n);
    ck_assert_str_eq(n.uuid, AK_UUID); /* one spelling */
    ck_assert_str_eq(n.type, "CONSUMPTION_REQUEST");
    ck_assert_str_eq(n.transaction, "2000000123456789");
    ck_assert_str_eq(n.product, "stone.648");
    ck_assert_str_eq(n.token, AK_TOKEN);
    ck_assert_str_eq(n.reason, "OTHER");
    ck_assert(n.currency == CUR_CNY && n.amount_minor == 64800 && !n.family);
    ck_assert(n.signed_us == ak_now_ms * 1000 && n.purchased_us == ak_now_ms * 1000 - US_MINUTE);
    make(&(struct ak_recipe){.type = "TEST", .no_transaction = true}, &n);
    ck_assert(n.transaction[0] == '\0' && n.currency == CUR_MAX);
}
END_TEST

START_TEST(ids_and_types)
{
    struct id id;
    const char *event, *outcome;
    ck_assert(appstore_account_id("00000000-0000-0000-0000-000000000000", &id));
    ck_assert_str_eq(id.text, "AAAAAAAAAAAAAAAAAAAAAA");
    ck_assert(appstore_account_id(AK_TOKEN, &id) && strlen(id.text) == ID_BYTES);
    ck_assert(!appstore_account_id("", &id) && !appstore_account_id("7e3fb204", &id));
    ck_assert(!appstore_account_id(AK_TOKEN "0", &id));
    appstore_event_of("REFUND_REVERSED", &event, &outcome);
    ck_assert_str_eq(event, "refund_decided");
    ck_assert_str_eq(outcome, "reversed");
    appstore_event_of("NEVER_HEARD_OF", &event, &outcome);
    ck_assert_str_eq(event, "");
}
END_TEST

/* What is prepared, member by member. */
static json_t *prepared(const struct appstore_notice *n, const struct appstore_evidence *e)
{
    struct buf b;
    buf_init(&b, APPSTORE_ANSWER_BYTES);
    appstore_prepare(n, e, &b);
    ck_assert_int_eq(b.err, KEER_OK);
    json_t *j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(j != NULL, "%s", b.p);
    buf_release(&b);
    return j;
}

static const char *preference(const struct appstore_notice *n, const struct appstore_evidence *e, int *ret_v1)
{
    static char text[32];
    json_t *j = prepared(n, e), *v2 = json_object_get(j, "v2"), *v1 = json_object_get(j, "v1");
    const char *p = json_string_value(json_object_get(v2, "refundPreference"));
    (void)snprintf(text, sizeof text, "%s", p ? p : "");
    *ret_v1 = (int)json_integer_value(json_object_get(v1, "refundPreference"));
    ck_assert(json_is_false(json_object_get(v2, "customerConsented"))); /* nobody said so */
    json_decref(j);
    return text;
}

START_TEST(answers_that_are_prepared)
{
    struct appstore_notice n;
    make(&(struct ak_recipe){.type = "CONSUMPTION_REQUEST"}, &n);
    const int64_t bought = n.purchased_us;
    static const struct appstore_evidence known = {.has_account = true};
    struct appstore_evidence e = known;
    int v1;
    e.created_us = bought - 400 * US_DAY;
    ck_assert_str_eq(preference(&n, &e, &v1), "");
    ck_assert_int_eq(v1, 3);
    e.granted = 3;
    ck_assert_str_eq(preference(&n, &e, &v1), "DECLINE");
    ck_assert_int_eq(v1, 2);
    e.device_us = bought - US_HOUR; /* a device that came an hour before: whoever asked before, this was a stranger */
    ck_assert_str_eq(preference(&n, &e, &v1), "GRANT_FULL");
    ck_assert_int_eq(v1, 1);
    e.device_us = bought - 2 * US_DAY;
    ck_assert_str_eq(preference(&n, &e, &v1), "DECLINE");
    e.frozen = true;
    ck_assert_str_eq(preference(&n, &e, &v1), "GRANT_FULL");
    e = known;
    e.created_us = bought - US_HOUR; /* the first device of a new account is no stranger */
    e.device_us = bought - US_HOUR + US_SECOND;
    ck_assert_str_eq(preference(&n, &e, &v1), "");
    (void)snprintf(e.outcome, sizeof e.outcome, "deny");
    ck_assert_str_eq(preference(&n, &e, &v1), "GRANT_FULL");
}
END_TEST

START_TEST(buckets)
{
    static const struct {
        int64_t days;
        int want;
    } tenures[] = {{0, 1}, {2, 1}, {3, 2}, {10, 3}, {29, 3}, {30, 4}, {90, 5}, {180, 6}, {364, 6}, {365, 7}};
    static const struct {
        int64_t cents;
        int want;
    } dollars[] = {{0, 1}, {1, 2}, {4999, 2}, {5000, 3}, {10000, 4}, {50000, 5}, {99999, 5}, {100000, 6}, {200000, 7}};
    struct appstore_notice n;
    make(&(struct ak_recipe){.type = "CONSUMPTION_REQUEST"}, &n);
    for (size_t i = 0; i < ARRAY_LEN(tenures); i++) {
        struct appstore_evidence e = {.has_account = true, .created_us = n.signed_us - tenures[i].days * US_DAY};
        json_t *j = prepared(&n, &e);
        ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(j, "v1"), "accountTenure")), tenures[i].want);
        json_decref(j);
    }
    for (size_t i = 0; i < ARRAY_LEN(dollars); i++) {
        struct appstore_evidence e = {.has_account = true, .paid_usd = true, .paid_cents = dollars[i].cents};
        json_t *j = prepared(&n, &e);
        ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(j, "v1"), "lifetimeDollarsPurchased")),
                         dollars[i].want);
        json_decref(j);
    }
    /* What is not known is 0 and said to be missing. */
    json_t *j = prepared(&n, &(struct appstore_evidence){.paid_usd = true, .paid_other = true, .paid_cents = 5});
    const json_t *v1 = json_object_get(j, "v1");
    ck_assert_int_eq(json_integer_value(json_object_get(v1, "lifetimeDollarsPurchased")), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(v1, "accountTenure")), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(v1, "userStatus")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "missing")), 6);
    json_decref(j);
}
END_TEST

START_TEST(roots)
{
    struct appstore a = {.bundles = 0};
    ck_err(appstore_add_roots(&a, SLICE("")), KEER_EFORMAT);
    ck_err(appstore_add_roots(&a, SLICE("-----BEGIN NOTHING")), KEER_EMISSING);
    ck_err(appstore_add_roots(&a, slice_of(k.root.cert.p, k.root.cert.len - 1)), KEER_EFORMAT);
    for (int i = 0; i < APPSTORE_ROOTS_MAX; i++)
        ck_ok(appstore_add_roots(&a, buf_view(&k.root.cert)));
    ck_err(appstore_add_roots(&a, buf_view(&k.root.cert)), KEER_ELIMIT);
    appstore_release(&a);
    /* Without a root nothing is believed. */
    struct appstore none = {.bundle = {SLICE(AK_BUNDLE)}, .bundles = 1, .environment = "Production"};
    struct appstore_notice n;
    struct buf b;
    char why[APPSTORE_WHY_BYTES];
    const struct ak_recipe good = {.type = NULL};
    buf_init(&b, 1u << 18);
    ak_notice(&k, &good, &b);
    ck_assert_int_eq(appstore_read(&none, buf_view(&b), ak_now_ms * 1000, &n, why), APPSTORE_FORGED);
    buf_release(&b);
}
END_TEST

START_TEST(huge)
{
    struct appstore_notice n;
    struct buf b;
    buf_init(&b, 1u << 20);
    for (int i = 0; i < 200000; i++)
        buf_char(&b, 'e');
    ck_assert_int_eq(reads(buf_view(&b), &n), APPSTORE_FORGED);
    buf_release(&b);
}
END_TEST

START_TEST(without_memory)
{
    struct buf b;
    struct appstore_notice n;
    char why[APPSTORE_WHY_BYTES];
    const struct ak_recipe r = {.type = "DID_RENEW", .renewal = true};
    buf_init(&b, 1u << 18);
    ak_notice(&k, &r, &b);
    for (int persistent = 0; persistent < 2; persistent++) {
        enum appstore_verdict v = APPSTORE_NO_MEMORY;
        for (uint64_t i = 1; v != APPSTORE_GENUINE; i++) {
            ck_assert_uint_lt(i, 2000);
            oom_arm(i, persistent == 1);
            v = appstore_read(&k.store, buf_view(&b), ak_now_ms * 1000, &n, why);
            oom_reset();
            ck_assert_msg(v == APPSTORE_GENUINE || v == APPSTORE_NO_MEMORY || v == APPSTORE_FORGED, "%s", why);
        }
    }
    buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("appstore");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, every_case);
    tcase_add_test(t, what_a_notice_says);
    tcase_add_test(t, ids_and_types);
    tcase_add_test(t, answers_that_are_prepared);
    tcase_add_test(t, buckets);
    tcase_add_test(t, roots);
    tcase_add_test(t, huge);
    tcase_add_test(t, without_memory);
    suite_add_tcase(s, t);
    return test_main(s);
}
