/* october_test.c - the scripts hold what the reports say, acts are counted as they came out, and the table says it. */
#include "sim/october.h"

#include "base/json.h"
#include "lib/test.h"

static int64_t sum(enum october_person who, unsigned verbs)
{
    struct october_script s = october_script(who);
    int64_t total = 0;
    for (unsigned i = 0; i < s.count; i++)
        total += verbs & (1u << s.acts[i].verb) ? s.acts[i].minor : 0;
    return total;
}
#define CHARGES ((1u << OCTOBER_PURCHASE) | (1u << OCTOBER_TOP_UP))

/* What newspapers wrote, in fen; the table of acts may be refined, but not away from these. */
START_TEST(the_scripts_are_those_of_the_reports)
{
    ck_assert_int_eq(sum(OCTOBER_LIU, CHARGES), 210000);
    ck_assert_int_eq(sum(OCTOBER_LIU, 1u << OCTOBER_SPEND), 208700);
    ck_assert_int_eq(sum(OCTOBER_WU, CHARGES), 185400 + 518400);
    ck_assert_int_eq(sum(OCTOBER_HU, CHARGES), 670700);
    ck_assert_int_eq(sum(OCTOBER_STUDENT, CHARGES), 500000);
    ck_assert_int_gt(sum(OCTOBER_STUDENT, 1u << OCTOBER_PURCHASE), 260000);
    ck_assert_int_gt(sum(OCTOBER_STUDENT, 1u << OCTOBER_TOP_UP), 200000);
    ck_assert_int_eq(sum(OCTOBER_OWNER, CHARGES), 64800);
    struct october_script hu = october_script(OCTOBER_HU), student = october_script(OCTOBER_STUDENT);
    ck_assert_uint_eq(hu.count - 1, 7); /* seven charges in nine minutes */
    ck_assert_int_eq(hu.acts[hu.count - 1].second, 9 * 60);
    ck_assert_int_ge(student.acts[student.count - 1].second, 3 * 60);
    ck_assert_int_le(student.acts[student.count - 1].second, 4 * 60);
}
END_TEST

START_TEST(a_script_is_in_order)
{
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        ck_assert_int_eq(s.acts[0].verb, OCTOBER_SIGN_IN);
        ck_assert_int_eq(s.acts[0].second, 0);
        ck_assert_str_ne(s.acts[0].device, s.device); /* a device of the thief's, or a new one */
        for (unsigned i = 1; i < s.count; i++) {
            const struct october_act *a = &s.acts[i];
            ck_assert_int_eq(a->person, p);
            ck_assert_int_ge(a->second, s.acts[i - 1].second);
            ck_assert_str_eq(a->device, s.acts[0].device);
            ck_assert_int_eq(a->minor > 0, a->verb != OCTOBER_SIGN_IN && a->verb != OCTOBER_END);
        }
    }
}
END_TEST

/* All of 2018 passes; today thieves meet steps, and the owner answers hers. */
static void as_expected(struct october *o)
{
    memset(o, 0, sizeof *o);
    o->played[OCTOBER_2018] = o->played[OCTOBER_TODAY] = true;
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        bool owner = s.role == OCTOBER_ROLE_OWNER;
        struct october_run *then = &o->runs[OCTOBER_2018][p], *now = &o->runs[OCTOBER_TODAY][p];
        for (unsigned i = 0; i < s.count; i++) {
            then->acts[i].mark = OCTOBER_DONE;
            now->acts[i] =
                (struct october_outcome){.mark = owner ? OCTOBER_DONE : OCTOBER_STEP, .asked = 1, .answered = owner};
        }
        then->ledger_minor = then->wallet_minor = sum((enum october_person)p, CHARGES);
        now->ledger_minor = now->wallet_minor = owner ? then->ledger_minor : 0;
    }
    october_count(o);
}

static bool holds(const struct october *o, const char *why)
{
    struct buf b;
    buf_init(&b, 65536);
    bool yes = october_holds(o, &b);
    if (why)
        ck_assert_msg(slice_has(buf_view(&b), slice_str(why)), "'%s' is not in '%s'", why, b.len ? b.p : "");
    else
        ck_assert_uint_eq(b.len, 0);
    buf_release(&b);
    return yes;
}

START_TEST(acts_are_counted)
{
    struct october o;
    as_expected(&o);
    const struct october_run *liu = &o.runs[OCTOBER_2018][OCTOBER_LIU], *now = &o.runs[OCTOBER_TODAY][OCTOBER_LIU];
    ck_assert_int_eq(liu->tried_minor, 210000);
    ck_assert_int_eq(liu->taken_minor, 210000);
    ck_assert_int_eq(liu->spent_minor, 208700);
    ck_assert_uint_eq(liu->passed, 10);
    ck_assert_int_eq(now->tried_minor, 210000);
    ck_assert_int_eq(now->taken_minor, 0);
    ck_assert_int_eq(now->spent_minor, 0);
    ck_assert_uint_eq(now->asked, 10);
    ck_assert_uint_eq(now->answered, 0);
    ck_assert(holds(&o, NULL));
}
END_TEST

START_TEST(what_must_not_be_is_found)
{
    struct october o;
    as_expected(&o);
    o.runs[OCTOBER_TODAY][OCTOBER_WU].acts[3].mark = OCTOBER_DONE;
    o.runs[OCTOBER_TODAY][OCTOBER_WU].ledger_minor = o.runs[OCTOBER_TODAY][OCTOBER_WU].wallet_minor = 64800;
    october_count(&o);
    ck_assert(!holds(&o, "Ms Wu, today, with the defaults: a thief with a password took money"));
    as_expected(&o);
    o.runs[OCTOBER_TODAY][OCTOBER_HU].wallet_minor = 300; /* the wallet paid what nobody knows of */
    october_count(&o);
    ck_assert(!holds(&o, "Ms Hu, today, with the defaults: ledger, wallet and API don't say the same"));
    ck_assert(!holds(&o, "Ms Hu, today, with the defaults: a thief with a password took money"));
    as_expected(&o);
    o.runs[OCTOBER_2018][OCTOBER_LIU].ledger_minor -= 1;
    october_count(&o);
    ck_assert(!holds(&o, "Ms Liu, as it was in 2018: ledger, wallet and API"));
    as_expected(&o);
    o.runs[OCTOBER_2018][OCTOBER_STUDENT].acts[1].mark = OCTOBER_REFUSED; /* the control */
    october_count(&o);
    ck_assert(!holds(&o, "a student, as it was in 2018: what was taken then could not be taken"));
    as_expected(&o);
    o.runs[OCTOBER_TODAY][OCTOBER_OWNER].acts[1].mark = OCTOBER_STEP;
    o.runs[OCTOBER_TODAY][OCTOBER_OWNER].ledger_minor = o.runs[OCTOBER_TODAY][OCTOBER_OWNER].wallet_minor = 0;
    october_count(&o);
    ck_assert(!holds(&o, "an owner, today, with the defaults: the owner could not pay"));
    as_expected(&o);
    o.runs[OCTOBER_TODAY][OCTOBER_LIU].acts[9] = (struct october_outcome){.mark = OCTOBER_BROKEN, .why = "HTTP 500"};
    october_count(&o);
    ck_assert(!holds(&o, "HTTP 500"));
    o.played[OCTOBER_TODAY] = false; /* what was not played is not judged */
    ck_assert(holds(&o, NULL));
}
END_TEST

START_TEST(alike_acts_are_one_group)
{
    struct october o;
    as_expected(&o);
    struct october_script s = october_script(OCTOBER_LIU);
    struct october_run *r = &o.runs[OCTOBER_TODAY][OCTOBER_LIU];
    ck_assert_uint_eq(october_group(&s, r, 0), 1);
    ck_assert_uint_eq(october_group(&s, r, 1), 3);
    ck_assert_uint_eq(october_group(&s, r, 4), 5);
    r->acts[2] = (struct october_outcome){.mark = OCTOBER_REFUSED, .why = "over the cap a day"};
    ck_assert_uint_eq(october_group(&s, r, 1), 1);
    r->acts[3] = r->acts[2];
    ck_assert_uint_eq(october_group(&s, r, 2), 2);
    (void)snprintf(r->acts[3].why, sizeof r->acts[3].why, "no balance");
    ck_assert_uint_eq(october_group(&s, r, 2), 1);
}
END_TEST

static size_t columns(struct slice line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++)
        n += ((unsigned char)line.p[i] & 0xC0) != 0x80;
    return n;
}

START_TEST(the_table_fits_and_says_it)
{
    struct october o;
    struct buf b;
    buf_init(&b, 1 << 20);
    as_expected(&o);
    o.runs[OCTOBER_TODAY][OCTOBER_LIU].acts[4] = (struct october_outcome){.mark = OCTOBER_REFUSED, .why = "no balance"};
    october_count(&o);
    october_print(&o, /* color */ false, &b);
    ck_ok(b.err);
    for (struct slice rest = buf_view(&b); rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        ck_assert_msg(columns(line) <= 100, "%zu columns: " SLICE_FMT, columns(line), SLICE_ARG(line));
        ck_assert_msg(line.len == 0 || line.p[line.len - 1] != ' ', "ends with a blank: " SLICE_FMT, SLICE_ARG(line));
    }
    static const char *const parts[] = {"2,087.00",
                                        "20,845.00",
                                        "thieves  ",
                                        "sign-in: a second step that he can't answer",
                                        "; spend of balance: no balance",
                                        "3 top-ups: passed",
                                        "with the step"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        ck_assert_msg(slice_has(buf_view(&b), slice_str(parts[i])), "'%s' is missing in\n%s", parts[i], b.p);
    ck_assert(!slice_has(buf_view(&b), SLICE("\033")));
    buf_clear(&b);
    october_print(&o, /* color */ true, &b);
    ck_assert(slice_has(buf_view(&b), SLICE("\033[1m")));
    buf_release(&b);
}
END_TEST

START_TEST(money_is_written)
{
    static const struct {
        int64_t minor;
        const char *text;
    } t[] = {{0, "0.00"},        {5, "0.05"}, {99900, "999.00"}, {100000, "1,000.00"}, {123456789, "1,234,567.89"},
             {-64800, "-648.00"}};
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct buf b;
        buf_init(&b, 64);
        october_money(&b, t[i].minor);
        ck_assert_str_eq(b.p, t[i].text);
        buf_release(&b);
    }
}
END_TEST

START_TEST(programs_can_read_it)
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 10000, .depth = 16, .keys = 64};
    struct october o;
    struct buf b;
    struct tape t = {0};
    struct tape_error wrong;
    buf_init(&b, 1 << 20);
    as_expected(&o);
    october_json(&o, &b);
    ck_ok(b.err);
    ck_ok(tape_read(&t, buf_view(&b), &limits, &wrong));
    ck_assert_int_eq(tape_type(&t, tape_find(&t, 0, "holds")), TAPE_TRUE);
    uint32_t persons = tape_find(&t, 0, "persons");
    ck_assert_uint_eq(t.v[persons].len, OCTOBER_PERSON_MAX);
    uint32_t liu = tape_find(&t, tape_find(&t, tape_find(&t, persons + 1, "worlds"), "2018"), "spent_minor");
    ck_assert(slice_eq(tape_text(&t, liu), SLICE("208700")));
    buf_clear(&b);
    october_html(&o, &b);
    ck_ok(b.err);
    ck_assert(slice_has(buf_view(&b), SLICE("2,100.00")));
    ck_assert(!slice_hasi(buf_view(&b), SLICE("<script")) && !slice_hasi(buf_view(&b), SLICE("http")));
    tape_release(&t);
    buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("october");
    TCase *t = tcase_create("october");
    tcase_add_test(t, the_scripts_are_those_of_the_reports);
    tcase_add_test(t, a_script_is_in_order);
    tcase_add_test(t, acts_are_counted);
    tcase_add_test(t, what_must_not_be_is_found);
    tcase_add_test(t, alike_acts_are_one_group);
    tcase_add_test(t, the_table_fits_and_says_it);
    tcase_add_test(t, money_is_written);
    tcase_add_test(t, programs_can_read_it);
    suite_add_tcase(s, t);
    return test_main(s);
}
