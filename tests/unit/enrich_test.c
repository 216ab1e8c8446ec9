/* enrich_test.c - what is added to an event, and what is not. */
#include "flow/enrich.h"

#include "flow/reading.h"
#include "lib/mmdb_write.h"
#include "lib/policy_kit.h"
#include "lib/scratch.h"

static const char all_text[] = "rule a deny if ip_country = 'XX' or asn = 1 or email_domain = 'x' or email_class = 'x' or "
                               "user_agent_family = 'x' or user_agent_kind = 'x' or amount > 1 EUR";
static struct scratch scratch;
static char country_path[400], asn_path[400];

static void setup(void)
{
    static struct mmdb_writer w;
    scratch_make(&scratch);
    (void)snprintf(country_path, sizeof country_path, "%s", scratch_path(&scratch, "c.mmdb"));
    (void)snprintf(asn_path, sizeof asn_path, "%s", scratch_path(&scratch, "a.mmdb"));
    mmdb_start(&w);
    mmdb_add(&w, "203.0.113.0", 24, "NL", 0);
    mmdb_add(&w, "2001:db8::", 32, "DE", 0);
    mmdb_add(&w, "198.51.100.7", 32, "CN", 0);
    mmdb_finish(&w, country_path);
    mmdb_start(&w);
    mmdb_add(&w, "203.0.113.0", 25, NULL, 4294967295u);
    mmdb_add(&w, "2001:db8::", 32, NULL, 64496);
    mmdb_finish(&w, asn_path);
}
static void teardown(void) { scratch_remove(&scratch); }

static uint64_t wanted; /* by the policy that was made last */

static const char *added_to(const struct enrich *e, const char *body, bool *ret_missing)
{
    static const struct tape_limits limits = {.bytes = 65536, .values = 1000, .depth = 8, .keys = 100};
    static char text[ENRICH_BYTES + 1];
    struct tape tape = {0};
    struct tape_error why;
    struct buf added;
    buf_init(&added, ENRICH_BYTES);
    ck_ok(tape_read(&tape, slice_str(body), &limits, &why));
    enrich_event(e, wanted, &tape, &added, ret_missing);
    ck_ok(added.err);
    (void)snprintf(text, sizeof text, "%.*s", (int)added.len, added.p ? added.p : "");
    buf_release(&added);
    tape_release(&tape);
    return text;
}

static struct enrich *make(const char *policy, bool databases, struct keer_policy **ret_policy)
{
    static const struct slice own[] = {{"shop.example", 12}};
    struct enrich_options o = {databases ? country_path : NULL, databases ? asn_path : NULL, own, 1};
    struct enrich_why why;
    struct enrich *e = NULL;
    ck_ok(kit_make(policy, NULL, ret_policy));
    wanted = enrich_wanted(&(*ret_policy)->schema);
    enum keer_err err = enrich_new(&o, &e, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    return e;
}

static const char *const cases[][2] = {
    {"{\"ip\":\"203.0.113.9\"}", "{\"ip_country\":\"NL\",\"asn\":4294967295}"},
    {"{\"ip\":\"203.0.113.200\"}", "{\"ip_country\":\"NL\"}"},
    {"{\"ip\":\"::ffff:203.0.113.9\"}", "{\"ip_country\":\"NL\",\"asn\":4294967295}"},
    {"{\"ip\":\"2001:db8::1\"}", "{\"ip_country\":\"DE\",\"asn\":64496}"},
    {"{\"ip\":\"198.51.100.7\"}", "{\"ip_country\":\"CN\"}"},
    {"{\"ip\":\"198.51.100.8\"}", ""},
    {"{\"ip\":\"10.0.0.1\"}", ""},
    {"{\"ip\":\"nowhere\"}", ""},
    {"{\"ip\":\"\"}", ""},
    {"{\"ip\":7}", ""},
    {"{\"ip\":null}", ""},
    {"{\"ip\":\"203.0.113.9\",\"ip_country\":\"FR\",\"asn\":null}", ""}, /* what is there stays, null too */
    {"{\"email\":\"A.B@GMail.com\"}", "{\"email_domain\":\"gmail.com\",\"email_class\":\"free\"}"},
    {"{\"email\":\"a@mail.yopmail.com.\"}", "{\"email_domain\":\"mail.yopmail.com\",\"email_class\":\"disposable\"}"},
    {"{\"email\":\"a@b@dept.shop.example\"}", "{\"email_domain\":\"dept.shop.example\",\"email_class\":\"own\"}"},
    {"{\"email\":\"a@notgmail.com\"}", "{\"email_domain\":\"notgmail.com\",\"email_class\":\"other\"}"},
    {"{\"email\":\"a@gmail.com\",\"email_domain\":\"shop.example\"}", "{\"email_class\":\"own\"}"},
    {"{\"email_domain\":\"shop.example\"}", "{\"email_class\":\"own\"}"},
    {"{\"email\":\"a@gmail.com\",\"email_class\":\"x\"}", "{\"email_domain\":\"gmail.com\"}"},
    {"{\"email\":\"gmail.com\"}", ""},
    {"{\"email\":\"@gmail.com\"}", ""},
    {"{\"email\":\"a@\"}", ""},
    {"{\"email\":\"a@b c\"}", ""},
    {"{\"user_agent\":\"Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120\"}",
     "{\"user_agent_family\":\"edge\",\"user_agent_kind\":\"browser\"}"},
    {"{\"user_agent\":\"Mozilla/5.0 AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15\"}",
     "{\"user_agent_family\":\"safari\",\"user_agent_kind\":\"browser\"}"},
    {"{\"user_agent\":\"Mozilla/5.0 (Linux; Android 10) Chrome/86 MicroMessenger/8.0\"}",
     "{\"user_agent_family\":\"wechat\",\"user_agent_kind\":\"app\"}"},
    {"{\"user_agent\":\"Mozilla/5.0 (compatible; Googlebot/2.1)\"}",
     "{\"user_agent_family\":\"googlebot\",\"user_agent_kind\":\"bot\"}"},
    {"{\"user_agent\":\"curl/8.0\"}", "{\"user_agent_family\":\"script\",\"user_agent_kind\":\"bot\"}"},
    {"{\"user_agent\":\"\"}", "{\"user_agent_family\":\"other\",\"user_agent_kind\":\"other\"}"},
    {"{\"a\":{\"ip\":\"203.0.113.9\"}}", ""},
    {"{}", ""}};

START_TEST(what_is_added)
{
    struct keer_policy *p;
    bool missing = true;
    struct enrich *e = make(all_text, true, &p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = added_to(e, cases[i][0], &missing);
        ck_assert_msg(strcmp(got, cases[i][1]) == 0, "%s: %s", cases[i][0], got);
        ck_assert_msg(!missing, "%s", cases[i][0]);
    }
    enrich_free(e);
    keer_policy_free(p);
}
END_TEST

START_TEST(only_what_the_policy_names)
{
    static const char body[] = "{\"ip\":\"203.0.113.9\",\"email\":\"a@gmail.com\",\"user_agent\":\"curl/8\"}";
    struct keer_policy *p;
    bool missing;
    struct enrich *e = make("rule a deny if amount > 1 EUR", true, &p);
    ck_assert_str_eq(added_to(e, body, &missing), "");
    enrich_free(e);
    keer_policy_free(p);
    e = make("rule a deny if email_class = 'free'", true, &p);
    ck_assert_str_eq(added_to(e, body, &missing), "{\"email_class\":\"free\"}");
    enrich_free(e);
    keer_policy_free(p);
    struct buf unfed;
    buf_init(&unfed, 100);
    e = make(all_text, false, &p);
    ck_assert_str_eq(added_to(e, "{\"ip\":\"203.0.113.9\"}", &missing), "");
    ck_assert(!missing);
    enrich_unfed(e, wanted, &unfed);
    ck_assert_str_eq(unfed.p, "ip_country, asn");
    buf_release(&unfed);
    enrich_free(e);
    keer_policy_free(p);
}
END_TEST

/* Databases that are none, or are cut: refused, or what can't be read is told; never a wrong value or a crash. */
START_TEST(damaged_databases)
{
    static char data[65536];
    struct keer_policy *p;
    struct enrich_why why;
    unsigned told = 0;
    FILE *f = fopen(country_path, "rb");
    size_t len = fread(data, 1, sizeof data, f);
    (void)fclose(f);
    ck_ok(kit_make(all_text, NULL, &p));
    wanted = enrich_wanted(&p->schema);
    struct enrich_options none = {.country = "/nowhere/c.mmdb"};
    struct enrich *e = NULL;
    ck_err(enrich_new(&none, &e, &why), KEER_EIO);
    ck_assert_ptr_nonnull(strstr(why.text, "/nowhere/c.mmdb"));
    char bad[400];
    (void)snprintf(bad, sizeof bad, "%s", scratch_path(&scratch, "bad.mmdb"));
    for (size_t i = 0; i < len; i += 3) {
        char keep = data[i];
        bool missing = false;
        data[i] = (char)(keep ^ 0x55);
        f = fopen(bad, "wb");
        ck_assert_uint_eq(fwrite(data, 1, len, f), len);
        (void)fclose(f);
        struct enrich_options o = {.country = bad, .asn = bad};
        if (enrich_new(&o, &e, &why) == KEER_OK) {
            (void)added_to(e, "{\"ip\":\"203.0.113.9\"}", &missing);
            told += missing;
            enrich_free(e);
        } else {
            ck_assert(why.text[0]);
        }
        data[i] = keep;
    }
    ck_assert_uint_gt(told, 0);
    keer_policy_free(p);
}
END_TEST

START_TEST(the_event_has_both)
{
    struct keer_policy *p;
    struct reading *r;
    struct reading_error why;
    struct slice canon;
    struct keer_event *ev = NULL;
    struct buf added;
    bool missing;
    struct enrich *e = make(all_text, true, &p);
    buf_init(&added, ENRICH_BYTES);
    ck_ok(reading_new(&p->schema, &r));
    ck_ok(reading_canon(r, SLICE("{\"type\":\"purchase\",\"time\":1,\"id\":\"e\",\"ip\":\"203.0.113.9\"}"), &canon, &why));
    reading_enrich(r, e, &added, &missing);
    ck_ok(reading_event(r, canon, buf_view(&added), &ev, &why));
    int slot = keer_schema_find(&p->schema, "ip_country", 10);
    ck_assert(event_has(ev, (unsigned)slot) && slice_eq(event_text(ev, (unsigned)slot), SLICE("NL")));
    ck_slice_eq(canon, SLICE("{\"id\":\"e\",\"ip\":\"203.0.113.9\",\"time\":1,\"type\":\"purchase\"}"));
    free(ev);
    for (uint64_t n = 1; n < 30; n++) {
        ev = NULL;
        oom_arm(n, true);
        enum keer_err err =
            reading_event(r, SLICE("{\"id\":\"e\",\"time\":1,\"type\":\"purchase\"}"), buf_view(&added), &ev, &why);
        oom_reset();
        ck_assert(err == KEER_OK || !ev);
        free(ev);
    }
    buf_release(&added);
    reading_free(r);
    enrich_free(e);
    keer_policy_free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("enrich");
    TCase *c = tcase_create("enrich");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_added);
    tcase_add_test(c, only_what_the_policy_names);
    tcase_add_test(c, damaged_databases);
    tcase_add_test(c, the_event_has_both);
    suite_add_tcase(s, c);
    return test_main(s);
}
