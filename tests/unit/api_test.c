/* api_test.c - libkeer as somebody else's program sees it: public headers only, and the ten lines of a first integration. */
#include <check.h>
#include <keer/keer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From tests/lib/test.h, which would bring the inside along. */
int test_main(Suite *s);

static const char policy_text[] =
    "window payments_1h = count(purchase) by account over 1h\n"
    "list bad_devices = \"bad-devices.txt\"\n"
    "rule stolen deny if device in bad_devices\n"
    "rule burst challenge if purchase and payments_1h >= 2 and amount > 30 EUR because \"a burst\"\n";

static enum keer_err read_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const char *text = ctx;
    if (strcmp(path, "bad-devices.txt") != 0)
        return KEER_EMISSING;
    *ret_data = malloc(strlen(text));
    if (!*ret_data)
        return KEER_ENOMEM;
    memcpy(*ret_data, text, strlen(text));
    *ret_len = strlen(text);
    return KEER_OK;
}

static void *owned_text(const char *s)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "%s", s);
    return text;
}

/* Fills the event: a purchase of `cents` by account a. */
static enum keer_err purchase(struct keer_event *ev, const struct keer_schema *s, const char *id, int64_t time_us,
                              int64_t cents, const char *device)
{
    keer_event_reset(ev);
    enum keer_err err = keer_event_set_id(ev, id, strlen(id));
    if (err == KEER_OK)
        err = keer_event_set_time(ev, time_us);
    if (err == KEER_OK)
        err = keer_event_set_type(ev, KEER_EVENT_purchase);
    if (err == KEER_OK)
        err = keer_event_set_text(ev, keer_schema_find(s, "account", 7), "a", 1);
    if (err == KEER_OK)
        err = keer_event_set_text(ev, keer_schema_find(s, "device", 6), device, strlen(device));
    if (err == KEER_OK)
        err = keer_event_set_money(ev, keer_schema_find(s, "amount", 6), cents, "EUR");
    return err;
}

START_TEST(a_first_integration)
{
    struct keer_files files = {owned_text("stolen-phone\n"), read_file};
    struct keer_policy *policy = NULL;
    struct keer_engine *engine = NULL;
    struct keer_event *event = NULL;
    struct keer_decision decision;
    char *messages = NULL, *json = NULL, id[8];
    size_t len;
    ck_assert_int_eq(keer_policy_new("first.keer", policy_text, strlen(policy_text), &files, 0, &policy, &messages),
                     KEER_OK);
    ck_assert_ptr_null(messages);
    ck_assert_int_eq(keer_engine_new(policy, NULL, &engine), KEER_OK);
    ck_assert_int_eq(keer_event_new(keer_policy_schema(policy), &event), KEER_OK);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(id, sizeof id, "p%d", i); /* must stay until the decision is explained */
        ck_assert_int_eq(
            purchase(event, keer_policy_schema(policy), id, 1538352000000000 + i * (int64_t)60000000, 4900, "phone"),
            KEER_OK);
        ck_assert_int_eq(keer_engine_decide(engine, event, &decision), KEER_OK);
        ck_assert_int_eq(decision.outcome, i < 2 ? KEER_ALLOW : KEER_CHALLENGE);
    }
    ck_assert_uint_eq(decision.fired_count, 1);
    ck_assert_str_eq(keer_policy_rule_name(policy, decision.fired[0]), "burst");
    ck_assert_str_eq(keer_outcome_name(decision.outcome), "challenge");
    ck_assert_int_eq(keer_engine_explain(engine, event, &decision, &json, &len), KEER_OK);
    ck_assert(strstr(json, "\"because\":\"a burst\"") && strstr(json, "{\"expression\":\"payments_1h\",\"value\":2}") &&
              strlen(json) == len);
    free(json);
    ck_assert_int_eq(purchase(event, keer_policy_schema(policy), "p9", 1538352000000000, 100, "stolen-phone"), KEER_OK);
    ck_assert_int_eq(keer_engine_decide(engine, event, &decision), KEER_OK);
    ck_assert_int_eq(decision.outcome, KEER_DENY);
    keer_event_free(event);
    keer_engine_free(engine);
    keer_policy_free(policy);
}
END_TEST

START_TEST(a_bad_policy_says_where)
{
    struct keer_policy *policy = NULL;
    char *messages = NULL;
    const char *text = "rule a deny if purchse";
    ck_assert_int_eq(keer_policy_new("bad.keer", text, strlen(text), NULL, 0, &policy, &messages), KEER_ETYPE);
    ck_assert_ptr_null(policy);
    ck_assert_str_eq(messages, "bad.keer:1:16: error: unknown name 'purchse'\n    1 | rule a deny if purchse\n"
                               "      |                ^^^^^^^\n      = did you mean 'purchase'?\n");
    free(messages);
    ck_assert_int_eq(keer_policy_new("bad.keer", text, strlen(text), NULL, 0, &policy, NULL), KEER_ETYPE);
    /* Files without a reader are an error, not a crash; a warning comes with the policy. */
    text = "list l = \"x\" rule a deny if account in l";
    ck_assert_int_eq(keer_policy_new("bad.keer", text, strlen(text), NULL, 0, &policy, &messages), KEER_ETYPE);
    free(messages);
    text = "rule a deny if purchase and sign_in";
    ck_assert_int_eq(keer_policy_new("odd.keer", text, strlen(text), NULL, 0, &policy, &messages), KEER_OK);
    ck_assert(strstr(messages, "odd.keer:1:8: warning: the rule 'a' can never match"));
    free(messages);
    keer_policy_free(policy);
    keer_policy_free(NULL);
    keer_engine_free(NULL);
    keer_event_free(NULL);
}
END_TEST

START_TEST(events_are_checked)
{
    struct keer_policy *policy = NULL, *other = NULL;
    struct keer_engine *engine = NULL;
    struct keer_event *event = NULL, *foreign = NULL;
    struct keer_decision decision = {.outcome = KEER_OUTCOME_MAX};
    const char *text = "attribute vip boolean rule a deny if vip or asn = 5";
    ck_assert_int_eq(keer_policy_new("p", text, strlen(text), NULL, 0, &policy, NULL), KEER_OK);
    ck_assert_int_eq(keer_policy_new("q", text, strlen(text), NULL, 0, &other, NULL), KEER_OK);
    ck_assert_int_eq(keer_engine_new(policy, NULL, &engine), KEER_OK);
    const struct keer_schema *s = keer_policy_schema(policy);
    ck_assert_int_eq(keer_event_new(s, &event), KEER_OK);
    ck_assert_int_eq(keer_event_new(keer_policy_schema(other), &foreign), KEER_OK);
    int vip = keer_schema_find(s, "vip", 3), asn = keer_schema_find(s, "asn", 3),
        account = keer_schema_find(s, "account", 7);
    ck_assert(vip >= 0 && asn >= 0 && keer_schema_find(s, "card", 4) == -1 && keer_schema_type(s, vip) == KEER_BOOLEAN);
    ck_assert(keer_schema_count(s) == 4 && strcmp(keer_schema_name(s, vip), "vip") == 0 && !keer_schema_name(s, 4));
    ck_assert_int_eq(keer_event_set_number(event, vip, 1), KEER_ETYPE);
    ck_assert_int_eq(keer_event_set_number(event, 99, 1), KEER_EINVALID);
    ck_assert_int_eq(keer_event_set_number(event, asn, 1.0 / 0.0), KEER_ERANGE);
    ck_assert_int_eq(keer_event_set_id(event, "", 0), KEER_EMISSING);
    ck_assert_int_eq(keer_event_set_time(event, INT64_MAX), KEER_ERANGE);
    ck_assert_int_eq(keer_event_set_type(event, 9999), KEER_EINVALID);
    ck_assert_int_eq(keer_engine_decide(engine, event, &decision), KEER_EMISSING);
    ck_assert_int_eq(decision.outcome, KEER_OUTCOME_MAX); /* untouched on failure */
    const char *const types[] = {"purchase", "custom.raffle", "nonsense"};
    const int numbers[] = {KEER_EVENT_purchase, KEER_EVENT_other, -1};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(keer_schema_event_type(s, types[i], strlen(types[i])), numbers[i]);
    ck_assert_int_eq(keer_event_set_id(event, "e", 1), KEER_OK);
    ck_assert_int_eq(keer_event_set_time(event, 0), KEER_OK);
    ck_assert_int_eq(keer_event_set_type(event, KEER_EVENT_label), KEER_OK);
    ck_assert_int_eq(keer_engine_decide(engine, event, &decision), KEER_EMISSING); /* a label without target */
    ck_assert_int_eq(keer_event_set_target(event, "x", 1), KEER_OK);
    ck_assert_int_eq(keer_event_set_label(event, KEER_LABEL_FRAUD, 0), KEER_OK);
    ck_assert_int_eq(keer_event_set_boolean(event, vip, 7), KEER_OK);
    ck_assert_int_eq(keer_event_set_text(event, account, "", 0), KEER_OK); /* absent */
    ck_assert_int_eq(keer_engine_decide(engine, event, &decision), KEER_OK);
    ck_assert_int_eq(decision.outcome, KEER_DENY);
    ck_assert_int_eq(keer_event_set_id(foreign, "e", 1), KEER_OK);
    ck_assert_int_eq(keer_event_set_time(foreign, 0), KEER_OK);
    ck_assert_int_eq(keer_event_set_type(foreign, KEER_EVENT_purchase), KEER_OK);
    ck_assert_int_eq(keer_engine_decide(engine, foreign, &decision), KEER_EINVALID);
    char *json = NULL;
    size_t len;
    ck_assert_int_eq(keer_engine_explain(engine, foreign, &decision, &json, &len), KEER_EINVALID);
    keer_event_free(event);
    keer_event_free(foreign);
    keer_engine_free(engine);
    keer_policy_free(policy);
    keer_policy_free(other);
}
END_TEST

/* Two engines with the same history say the same, byte for byte; also when one was saved and loaded half way, and when
 * events come in batches. */
START_TEST(same_history_same_bytes)
{
    static const char text[] =
        "window n = count(any) by account over 1h window s = stddev(amount of purchase) by account over 1d\n"
        "window d = distinct(device of purchase) by account over 7d window w = last(device of purchase) by account\n"
        "rule a challenge if n > 2 and d > 1 rule b review if w != device or s > 3 EUR";
    struct keer_policy *policy = NULL;
    struct keer_engine *engine[3] = {NULL, NULL, NULL};
    struct keer_event *event[40];
    struct keer_decision batch[40], one;
    char ids[40][8], *state = NULL, *json[2];
    size_t len, lens[2];
    ck_assert_int_eq(keer_policy_new("p", text, strlen(text), NULL, 0, &policy, NULL), KEER_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(keer_engine_new(policy, NULL, &engine[i]), KEER_OK);
    for (int i = 0; i < 40; i++) {
        static const char *const devices[] = {"d1", "d2", "d1", "d3"};
        (void)snprintf(ids[i], sizeof ids[i], "p%d", i);
        ck_assert_int_eq(keer_event_new(keer_policy_schema(policy), &event[i]), KEER_OK);
        ck_assert_int_eq(purchase(event[i], keer_policy_schema(policy), ids[i],
                                  (int64_t)1538352000000000 + i * (int64_t)700000000, 100 + 37 * (i % 7), devices[i % 4]),
                         KEER_OK);
    }
    for (int i = 0; i < 40; i++) {
        if (i == 17) {
            ck_assert_int_eq(keer_engine_save(engine[1], &state, &len), KEER_OK);
            keer_engine_free(engine[1]);
            engine[1] = NULL;
            ck_assert_int_eq(keer_engine_new(policy, NULL, &engine[1]), KEER_OK);
            ck_assert_int_eq(keer_engine_load(engine[1], state, len - 1), KEER_EFORMAT);
            keer_engine_free(engine[1]);
            ck_assert_int_eq(keer_engine_new(policy, NULL, &engine[1]), KEER_OK);
            ck_assert_int_eq(keer_engine_load(engine[1], state, len), KEER_OK);
            free(state);
        }
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(keer_engine_decide(engine[k], event[i], &one), KEER_OK);
            ck_assert_int_eq(keer_engine_explain(engine[k], event[i], &one, &json[k], &lens[k]), KEER_OK);
            batch[i] = one;
        }
        ck_assert(lens[0] == lens[1] && memcmp(json[0], json[1], lens[0]) == 0);
        free(json[0]);
        free(json[1]);
    }
    struct keer_decision many[40];
    ck_assert_int_eq(keer_engine_decide_many(engine[2], (const struct keer_event *const *)event, 40, many), KEER_OK);
    for (int i = 0; i < 40; i++) {
        ck_assert(many[i].outcome == batch[i].outcome && many[i].fired_count == batch[i].fired_count);
        keer_event_free(event[i]);
    }
    for (int i = 0; i < 3; i++)
        keer_engine_free(engine[i]);
    keer_policy_free(policy);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_add_test(t, a_first_integration);
    tcase_add_test(t, a_bad_policy_says_where);
    tcase_add_test(t, events_are_checked);
    tcase_add_test(t, same_history_same_bytes);
    suite_add_tcase(s, t);
    return test_main(s);
}
