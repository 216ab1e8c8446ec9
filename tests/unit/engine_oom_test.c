/* engine_oom_test.c - every allocation fails once, and then every later one too: parse, check, compile, examples, decide,
 * explain, save, load. */
#include <keer/keer.h>

#include "lib/test.h"

static const char text[] =
    "currency EUR\nrates \"rates\"\nlist bad = \"bad\"\nlist nets = ('10.0.0.0/8', '2001:db8::/32')\n"
    "window n = count(purchase where amount > 5 EUR) by account over 1h\nwindow s = sum(amount of purchase in USD) by "
    "account, device over 1d\n"
    "window d = distinct(device of purchase) by account over 7d\nwindow f = share(fraud of purchase) by device over 7d\n"
    "window r = streak(outcome = 'failure' of sign_in) by account over 1d\nlet x = if(n > 1, zscore(amount of purchase) by "
    "account, 2)\n"
    "rule a challenge if purchase and n > 2 and s > 10 USD because 'text'\nrule b deny if account in bad or ip in nets\n"
    "rule c review if x > 1 or f > 0.5 or d > 3 or r > 2\nBlock if :total_charges_per_ip_address_hourly: > 5\n"
    "example \"one\" with account = 'z' { at 0 purchase: amount = 6 EUR expect review at 1h purchase: ip = '10.1.1.1', "
    "amount = 1 EUR expect deny by b }\n";

static enum keer_err read_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const char *data = strcmp(path, "rates") == 0 ? "EUR 1\nUSD 1.15\n" : "mallory\neve\n";
    (void)ctx;
    char *copy = malloc(strlen(data) + 1);
    if (!copy)
        return KEER_ENOMEM;
    memcpy(copy, data, strlen(data) + 1);
    *ret_data = copy;
    *ret_len = strlen(data);
    return KEER_OK;
}

static enum keer_err decide_some(struct keer_engine *e, struct keer_event *ev, const struct keer_schema *s,
                                 char *ret_outcomes)
{
    static const char *const accounts[] = {"a", "b", "mallory"};
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; i < 24 && err == KEER_OK; i++) {
        struct keer_decision d;
        char id[8];
        const char *account = accounts[i % 3];
        (void)snprintf(id, sizeof id, "e%u", i);
        keer_event_reset(ev);
        err = keer_event_set_id(ev, id, strlen(id));
        if (err == KEER_OK)
            err = keer_event_set_time(ev, 1538352000000000 + (int64_t)i * 60000000);
        if (err == KEER_OK)
            err = keer_event_set_type(ev, i % 4 == 3 ? KEER_EVENT_sign_in : KEER_EVENT_purchase);
        if (err == KEER_OK)
            err = keer_event_set_text(ev, keer_schema_find(s, "account", 7), account, strlen(account));
        if (err == KEER_OK)
            err = keer_event_set_text(ev, keer_schema_find(s, "device", 6), i & 1 ? "d1" : "d2", 2);
        if (err == KEER_OK)
            err = keer_event_set_money(ev, keer_schema_find(s, "amount", 6), 700 + (int64_t)i, "EUR");
        if (err == KEER_OK)
            err = keer_engine_decide(e, ev, &d);
        if (err == KEER_OK)
            ret_outcomes[i] = (char)('0' + d.outcome + (d.degraded & KEER_DEGRADED_WINDOW ? 5 : 0));
        char *json = NULL;
        size_t len;
        if (err == KEER_OK && i == 20) {
            err = keer_engine_explain(e, ev, &d, &json, &len);
            free(json);
        }
    }
    return err;
}

/* All of a policy's life; KEER_OK only when nothing failed. `ret_outcomes` has 48 bytes. */
static enum keer_err live(char *ret_outcomes)
{
    struct keer_files files = {NULL, read_file};
    struct keer_policy *p = NULL;
    struct keer_engine *e = NULL, *again = NULL;
    struct keer_event *ev = NULL;
    char *messages = NULL, *state = NULL;
    size_t len = 0;
    enum keer_err err = keer_policy_new("oom", text, sizeof text - 1, &files, 0, &p, &messages);
    if (err == KEER_OK)
        err = keer_engine_new(p, NULL, &e);
    if (err == KEER_OK)
        err = keer_engine_new(p, NULL, &again);
    if (err == KEER_OK)
        err = keer_event_new(keer_policy_schema(p), &ev);
    if (err == KEER_OK)
        err = decide_some(e, ev, keer_policy_schema(p), ret_outcomes);
    if (err == KEER_OK)
        err = keer_engine_save(e, &state, &len);
    if (err == KEER_OK)
        err = keer_engine_load(again, state, len);
    if (err == KEER_OK)
        err = decide_some(again, ev, keer_policy_schema(p), ret_outcomes + 24);
    if (err == KEER_ETYPE && messages)
        printf("# %s", messages);
    free(messages);
    free(state);
    keer_event_free(ev);
    keer_engine_free(e);
    keer_engine_free(again);
    keer_policy_free(p);
    return err;
}

static void sweep(bool persistent)
{
    char want[49] = "", got[49] = "";
    ck_assert_int_eq(live(want), KEER_OK);
    uint64_t n = 1, failed = 0;
    for (;; n++) {
        memset(got, 0, sizeof got);
        oom_arm(n, persistent);
        enum keer_err err = live(got);
        uint64_t counted = oom_count();
        oom_reset();
        if (err == KEER_OK && counted < n)
            break;
        failed += err != KEER_OK;
        if (err != KEER_OK && err != KEER_ENOMEM)
            ck_abort_msg("allocation %llu: %s instead of NOMEM", (unsigned long long)n, keer_err_name(err));
        /* A run that got through decided the same, or said that a window could not remember. */
        if (err == KEER_OK && memcmp(got, want, 48) != 0 && !strpbrk(got, "56789"))
            ck_abort_msg("allocation %llu: decisions changed and nobody said so", (unsigned long long)n);
        ck_assert_uint_lt(n, 100000);
    }
    ck_assert_uint_gt(failed, 30);
    ck_assert_int_eq(live(got), KEER_OK);
    ck_assert(memcmp(got, want, 48) == 0);
    printf("# %llu allocations failed one by one\n", (unsigned long long)(n - 1));
}

START_TEST(each_allocation_fails_once) { sweep(false); }
END_TEST
START_TEST(each_allocation_and_all_later_ones_fail) { sweep(true); }
END_TEST

int main(void)
{
    Suite *s = suite_create("engine_oom");
    TCase *t = tcase_create("oom");
    tcase_add_test(t, each_allocation_fails_once);
    tcase_add_test(t, each_allocation_and_all_later_ones_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
