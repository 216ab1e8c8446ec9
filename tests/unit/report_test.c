/* report_test.c - the report card: figures computed by hand, what isn't known, hostile names, and the three printers. */
#include "learn/report.h"

#include <jansson.h>

#include "base/rand.h"
#include "lib/test.h"

#define DAY0 ((int64_t)1537747200 * US_SECOND) /* 2018-09-24 */
#define NEAR(a, b) ck_assert_msg(fabs((a) - (b)) < 1e-9, "%s is %.12g, want %.12g", #a, (double)(a), (double)(b))
#define UNKNOWN(a) ck_assert_msg(isnan(a), "%s is %.12g, want NaN", #a, (double)(a))

struct row {
    int day, minute;
    uint64_t entity;
    double amount, score;
    uint8_t outcome, label;
    const char *scenario;
};
/* Two busy days with an empty one between; ties of score across the classes. */
static const struct row hand[] = {
    {0, 60, 1, 10, 0.1, REPORT_ALLOW, 0, ""},
    {0, 120, 2, 20, 0.9, REPORT_DENY, 1, "taken over"},
    {0, 125, 2, 30, 0.8, REPORT_ALLOW, 1, "taken over"},
    {0, 180, 3, 40, 0.8, REPORT_CHALLENGE, 0, ""},
    {0, 240, 1, 50, 0.8, REPORT_REVIEW, 0, ""},
    {2, 60, 4, 100, 0.3, REPORT_ALLOW, 1, "ring"},
    {2, 70, 4, 60, 0.7, REPORT_CHALLENGE, 1, "ring"},
    {2, 120, 1, 70, 0.2, REPORT_ALLOW, 0, ""},
    {2, 180, 5, (double)NAN, 0.05, REPORT_ALLOW, 0, "traveller"},
    {2, 240, 6, 80, 0.2, REPORT_ALLOW, 1, "ring"},
    {2, 300, 5, 5, 0.7, REPORT_DENY, 0, "traveller"},
};

static void make(struct dataset *d, const struct row *rows, size_t n)
{
    ck_ok(dataset_init(d, 1));
    for (size_t i = 0; i < n; i++) {
        size_t r = 0;
        ck_ok(dataset_add(d, &r));
        d->time_us[r] = DAY0 + rows[i].day * US_DAY + rows[i].minute * US_MINUTE;
        d->entity[r] = rows[i].entity;
        d->amount[r] = rows[i].amount;
        d->score[r] = (float)rows[i].score;
        d->outcome[r] = rows[i].outcome;
        d->label[r] = rows[i].label;
        d->scenario[r] = (uint8_t)dataset_scenario(d, slice_str(rows[i].scenario));
    }
}

static const struct report_fold folds[2] = {{"one", 0.9, 0.5, (double)NAN, 100, 10}, {"two", 0.7, 0.6, 0.25, 200, 20}};

static struct report_options hand_options(void)
{
    struct report_options o = report_options_default();
    o.title = SLICE("Hand");
    o.policy = SLICE("p.keer");
    o.version = SLICE("0.1.0");
    o.card_k = 1;
    o.budget_count = 3;
    o.budgets[0] = 1;
    o.budgets[1] = 2;
    o.budgets[2] = 5;
    o.threshold_count = 3;
    o.thresholds[0] = 0.5;
    o.thresholds[1] = 0.7;
    o.thresholds[2] = 0.95;
    o.label_delay_us = 7 * US_DAY;
    o.latency = (struct report_latency){850, 2100, 14000000};
    o.folds = folds;
    o.fold_count = 2;
    return o;
}

static void compute_hand(struct dataset *d, struct report *r)
{
    struct report_options o = hand_options();
    make(d, hand, ARRAY_LEN(hand));
    ck_ok(report_compute(d, &o, r));
}

START_TEST(ranking_is_as_by_hand)
{
    struct dataset d;
    struct report r;
    compute_hand(&d, &r);
    ck_assert_uint_eq(r.rows, 11);
    ck_assert_uint_eq(r.frauds, 5);
    ck_assert_uint_eq(r.genuine, 6);
    ck_assert_uint_eq(r.unscored, 0);
    ck_assert_uint_eq(r.days, 3);
    ck_assert(r.first_us == DAY0 + US_HOUR && r.last_us == DAY0 + 2 * US_DAY + 5 * US_HOUR && r.day0_us == DAY0);
    NEAR(r.auc, 20.0 / 30);
    NEAR(r.average_precision, 0.2 * (1 + 0.5 + 0.5 + 4.0 / 7 + 5.0 / 9));
    NEAR(r.card_precision, 1.0 / 3);
    NEAR(r.card_precision_ceiling, 2.0 / 3);
    ck_assert_uint_eq(r.ranked, 2);
    NEAR(r.ranked_recall, 0.4);
    ck_assert_msg(fabs(r.brier - 3.0925 / 11) < 1e-6, "%g", r.brier);
    for (int i = 0; i < REPORT_LEVELS; i++) {
        NEAR(r.levels[i].threshold, (double)0.9f);
        NEAR(r.levels[i].recall, 0.2);
        NEAR(r.levels[i].precision, 1);
        NEAR(r.levels[i].disturbance, 0);
        ck_assert_uint_eq(r.levels[i].alerts, 1);
    }
    static const uint64_t rows[REPORT_BINS] = {1, 1, 2, 1, 0, 0, 0, 2, 3, 1},
                          frauds[REPORT_BINS] = {0, 0, 1, 1, 0, 0, 0, 1, 1, 1};
    for (int i = 0; i < REPORT_BINS; i++) {
        ck_assert_uint_eq(r.bins[i].rows, rows[i]);
        ck_assert_uint_eq(r.bins[i].frauds, frauds[i]);
    }
    UNKNOWN(r.bins[4].score_mean);
    NEAR(r.bins[8].fraud_share, 1.0 / 3);
    NEAR(r.bins[2].score_mean, (double)0.2f);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(budgets_and_thresholds_are_as_by_hand)
{
    struct dataset d;
    struct report r;
    compute_hand(&d, &r);
    static const struct report_budget want[] = {
        {1, 2, 1, 20, 0.5, 0.2, 20.0 / 290}, {2, 4, 2, 80, 0.5, 0.4, 80.0 / 290}, {5, 10, 5, 290, 0.5, 1, 1}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ck_assert_uint_eq(r.budgets[i].budget, want[i].budget);
        ck_assert_uint_eq(r.budgets[i].alerts, want[i].alerts);
        ck_assert_uint_eq(r.budgets[i].frauds, want[i].frauds);
        NEAR(r.budgets[i].saved, want[i].saved);
        NEAR(r.budgets[i].precision, want[i].precision);
        NEAR(r.budgets[i].recall, want[i].recall);
        NEAR(r.budgets[i].money_recall, want[i].money_recall);
    }
    for (int i = 0; i < 2; i++) { /* 0.5 and 0.7 alert the same rows: 0.7f counts as 0.7 */
        ck_assert_uint_eq(r.thresholds[i].alerts, 6);
        ck_assert_uint_eq(r.thresholds[i].frauds, 3);
        ck_assert_uint_eq(r.thresholds[i].customers, 3);
        NEAR(r.thresholds[i].saved, 110);
        NEAR(report_precision(&r, &r.thresholds[i]), 0.5);
        NEAR(report_recall(&r, &r.thresholds[i]), 0.6);
        NEAR(report_disturbance(&r, &r.thresholds[i]), 0.5);
        NEAR(report_net(&r, &r.thresholds[i]), 95.0 / 3);
    }
    NEAR(r.thresholds[2].threshold, 0.95);
    ck_assert_uint_eq(r.thresholds[2].alerts, 0);
    UNKNOWN(report_precision(&r, &r.thresholds[2]));
    NEAR(report_net(&r, &r.thresholds[2]), 0);
    NEAR(r.best.threshold, (double)0.2f);
    ck_assert_uint_eq(r.best.alerts, 9);
    ck_assert_uint_eq(r.best.frauds, 5);
    ck_assert_uint_eq(r.best.customers, 4);
    NEAR(r.best.saved, 290);
    NEAR(report_net(&r, &r.best), 90);
    ck_assert_uint_eq(r.curve_count, 7);
    NEAR(r.curve[0].threshold, (double)0.9f);
    ck_assert_uint_eq(r.curve[1].alerts, 4);
    ck_assert_uint_eq(r.curve[6].alerts, 11);
    ck_assert_uint_eq(r.curve[6].customers, 4);
    ck_assert_uint_eq(r.budget_curve_count, 6);
    ck_assert_uint_eq(r.budget_curve[5].alerts, 11);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

static void check_outcome(const struct report_outcome *o, uint64_t rows, uint64_t frauds, double fraud_amount,
                          double genuine_amount)
{
    ck_assert_uint_eq(o->rows, rows);
    ck_assert_uint_eq(o->frauds, frauds);
    ck_assert_uint_eq(o->genuine, rows - frauds);
    NEAR(o->fraud_amount, fraud_amount);
    NEAR(o->genuine_amount, genuine_amount);
}

START_TEST(decisions_and_money_are_as_by_hand)
{
    struct dataset d;
    struct report r;
    compute_hand(&d, &r);
    check_outcome(&r.outcomes[REPORT_ALLOW], 6, 3, 210, 80);
    check_outcome(&r.outcomes[REPORT_CHALLENGE], 2, 1, 60, 40);
    check_outcome(&r.outcomes[REPORT_REVIEW], 1, 0, 0, 50);
    check_outcome(&r.outcomes[REPORT_DENY], 2, 1, 20, 5);
    NEAR(r.coverage, 0.4);
    NEAR(r.money_coverage, 80.0 / 290);
    NEAR(r.disturbance, 2.0 / 6);
    NEAR(r.fraud_amount, 290);
    NEAR(r.stopped_amount, 80);
    NEAR(r.lost_amount, 210);
    NEAR(r.held_amount, 95);
    const struct report_containment *c = &r.containment;
    ck_assert_uint_eq(c->entities, 3);
    ck_assert_uint_eq(c->contained, 2);
    ck_assert_uint_eq(c->never, 1);
    ck_assert_uint_eq(c->unknown, 0);
    NEAR(c->lost, 180);
    NEAR(c->lost_median, 80);
    NEAR(c->lost_p90, 100);
    NEAR(c->time_median_us, 0);
    NEAR(c->time_p90_us, 600e6);
    static const struct report_day days[3] = {{5, 2, 3, 1, 1, 1, 30}, {0}, {6, 3, 2, 1, 1, 0, 180}};
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(r.day[i].rows, days[i].rows);
        ck_assert_uint_eq(r.day[i].frauds, days[i].frauds);
        ck_assert_uint_eq(r.day[i].acted, days[i].acted);
        ck_assert_uint_eq(r.day[i].caught, days[i].caught);
        ck_assert_uint_eq(r.day[i].ranked, days[i].ranked);
        ck_assert_uint_eq(r.day[i].ranked_caught, days[i].ranked_caught);
        NEAR(r.day[i].lost, days[i].lost);
    }
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(scenarios_and_folds_are_as_by_hand)
{
    struct dataset d;
    struct report r;
    compute_hand(&d, &r);
    ck_assert_uint_eq(r.scenario_count, 3);
    const struct report_scenario *s = &r.scenarios[0];
    ck_assert_str_eq(s->name, "taken over");
    ck_assert(s->rows == 2 && s->frauds == 2 && s->by_outcome[REPORT_ALLOW] == 1 && s->by_outcome[REPORT_DENY] == 1 &&
              s->ranked == 2);
    NEAR(s->amount, 50);
    NEAR(s->stopped_amount, 20);
    NEAR(s->coverage, 0.5);
    NEAR(s->ranked_recall, 1);
    UNKNOWN(s->disturbance);
    s = &r.scenarios[1];
    ck_assert_str_eq(s->name, "ring");
    ck_assert(s->rows == 3 && s->frauds == 3 && s->by_outcome[REPORT_ALLOW] == 2 && s->by_outcome[REPORT_CHALLENGE] == 1 &&
              s->ranked == 0);
    NEAR(s->amount, 240);
    NEAR(s->stopped_amount, 60);
    NEAR(s->coverage, 1.0 / 3);
    NEAR(s->ranked_recall, 0);
    s = &r.scenarios[2];
    ck_assert_str_eq(s->name, "traveller");
    ck_assert(s->rows == 2 && s->frauds == 0 && s->disturbed == 1);
    NEAR(s->disturbance, 0.5);
    UNKNOWN(s->coverage);
    NEAR(r.fold_auc.mean, 0.8);
    NEAR(r.fold_auc.std, 0.1);
    NEAR(r.fold_average_precision.mean, 0.55);
    NEAR(r.fold_average_precision.std, 0.05);
    NEAR(r.fold_card_precision.mean, 0.25);
    NEAR(r.fold_card_precision.std, 0);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

/* --- printers ----------------------------------------------------------------------------------------------------- */

/* Lines, and the widest in characters (bytes that don't continue one). */
static void measure(const struct buf *b, size_t *ret_lines, size_t *ret_width)
{
    size_t width = 0;
    *ret_lines = *ret_width = 0;
    for (size_t i = 0; i < b->len; i++) {
        if (b->p[i] == '\n') {
            ck_assert_msg(i == 0 || b->p[i - 1] != ' ', "a space ends line %zu", *ret_lines + 1);
            ++*ret_lines;
            width = 0;
        } else if (((unsigned char)b->p[i] & 0xC0) != 0x80) {
            width++;
            *ret_width = MAX_OF(*ret_width, width);
        }
    }
    ck_assert(b->len && b->p[b->len - 1] == '\n' && strlen(b->p) == b->len);
}

static bool name_end(char c) { return ascii_space(c) || c == '>' || c == '/'; }

/* Every tag is closed by its own name, in order; attributes are quoted; nothing but tags starts with '<'. */
static void check_markup(struct slice s)
{
    struct slice stack[64];
    size_t depth = 0, at = sizeof "<!DOCTYPE html>" - 1, tags = 0;
    ck_assert(s.len > at && memcmp(s.p, "<!DOCTYPE html>", at) == 0);
    while (at < s.len) {
        if (s.p[at] != '<') {
            ck_assert(s.p[at] != '>' || (depth && slice_eq(stack[depth - 1], SLICE("style"))));
            at++;
            continue;
        }
        bool closing = s.p[++at] == '/';
        size_t from = at + closing, end = from;
        while (end < s.len && !name_end(s.p[end]))
            end++;
        struct slice name = slice_of(s.p + from, end - from);
        ck_assert_msg(name.len && name.p[0] >= 'a' && name.p[0] <= 'z', "at %zu: %.40s", at, s.p + at);
        bool quoted = false;
        for (at = end; at < s.len && (quoted || s.p[at] != '>'); at++) {
            quoted ^= s.p[at] == '"';
            ck_assert(s.p[at] != '<');
        }
        ck_assert(at < s.len);
        if (closing) {
            ck_assert_msg(depth && slice_eq(stack[depth - 1], name), "</%.*s> at %zu", SLICE_ARG(name), at);
            depth--;
        } else if (s.p[at - 1] != '/') {
            ck_assert(depth < ARRAY_LEN(stack));
            stack[depth++] = name;
        }
        at++;
        tags++;
    }
    ck_assert_uint_eq(depth, 0);
    ck_assert(tags > 50);
}

static void check_page(const struct buf *b)
{
    struct slice s = buf_view(b);
    check_markup(s);
    ck_assert(!slice_hasi(s, SLICE("<script")) && !slice_hasi(s, SLICE("url(")) && !slice_hasi(s, SLICE("<img")));
    ck_assert(!slice_hasi(s, SLICE("nan%")) && !slice_hasi(s, SLICE("\"nan")) && !slice_hasi(s, SLICE("inf\"")));
}

/* All three, checked for form. */
static void print_all(const struct report *r)
{
    struct buf b;
    size_t lines, width;
    buf_init(&b, LIMIT_REPORT_BYTES);
    ck_ok(report_text(r, /* colour */ false, &b));
    measure(&b, &lines, &width);
    ck_assert_msg(lines <= 45 && width <= 100, "%zu lines, %zu columns\n%s", lines, width, b.p);
    ck_assert(!slice_has(buf_view(&b), SLICE("\033")) && !slice_has(buf_view(&b), SLICE("nan")));
    buf_clear(&b);
    ck_ok(report_html(r, &b));
    check_page(&b);
    buf_clear(&b);
    ck_ok(report_json(r, &b));
    json_error_t e;
    json_t *j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(j && json_is_object(j), "%s at %d", e.text, e.position);
    json_decref(j);
    buf_release(&b);
}

START_TEST(text_reads_well)
{
    struct dataset d;
    struct report r;
    struct buf b;
    compute_hand(&d, &r);
    buf_init(&b, 10000);
    ck_ok(report_text(&r, /* colour */ false, &b));
    static const char *wants[] = {
        "Hand   keer 0.1.0\n11 rows, 5 fraud (45.5 %), 2018-09-24 to 2018-09-26 (3 days), labels 7 d late\n",
        "AUC ROC 0.6667  average precision 0.6254  card precision@1 0.3333 (max 0.6667)\n",
        "20.0 % at 0.1 %   20.0 % at 0.5 %",
        "Coverage      40.0 % of frauds and 27.6 % of fraud money stopped\n",
        "33.3 % of genuine rows challenged or denied (above the anchor of 0.1 %)\n",
        "fraud EUR 290.00 = stopped 80.00 + lost 210.00; genuine held up 95.00\n",
        "median EUR 80.00, p90 100.00 a customer\n",
        "time to it: median 0 s, p90 10 min; never: 1 of 3 customers (33.3 %)\n",
        "best 0.2000: saves EUR 96.67 a day, disturbs 1.3 good customers a day\n",
        "net EUR 90.00 a day\n",
        "AUC 0.8000 ± 0.1000  average precision 0.5500 ± 0.0500  card precision 0.2500 ± 0.0000\n",
        "p50 850 ns   p99 2.1 µs   p99.9 14 ms a decision\n"};
    for (size_t i = 0; i < ARRAY_LEN(wants); i++)
        ck_assert_msg(slice_has(buf_view(&b), slice_str(wants[i])), "no '%s' in\n%s", wants[i], b.p);
    buf_clear(&b);
    ck_ok(report_text(&r, /* colour */ true, &b));
    ck_assert(slice_has(buf_view(&b), SLICE("\033[31m33.3 %\033[0m")));
    buf_release(&b);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

static void number_is(const json_t *o, const char *key, double want)
{
    const json_t *v = json_object_get(o, key);
    ck_assert_msg(v != NULL, "no key %s", key);
    if (isfinite(want))
        ck_assert_msg(json_is_number(v) && json_number_value(v) == want, "%s is %.17g, want %.17g", key,
                      json_number_value(v), want);
    else
        ck_assert_msg(json_is_null(v), "%s is not null", key);
}

static void point_is(const json_t *j, const struct report *r, const struct report_point *p)
{
    number_is(j, "threshold", p->threshold);
    number_is(j, "alerts", (double)p->alerts);
    number_is(j, "frauds", (double)p->frauds);
    number_is(j, "customers", (double)p->customers);
    number_is(j, "saved", p->saved);
    number_is(j, "precision", report_precision(r, p));
    number_is(j, "recall", report_recall(r, p));
    number_is(j, "disturbance", report_disturbance(r, p));
    number_is(j, "net_per_day", report_net(r, p));
}

static void head_is(const json_t *j, const struct report *r)
{
    ck_assert_str_eq(json_string_value(json_object_get(j, "format")), "keer-report-1");
    ck_assert_str_eq(json_string_value(json_object_get(j, "title")), r->title);
    ck_assert_str_eq(json_string_value(json_object_get(j, "currency")), "EUR");
    ck_assert_str_eq(json_string_value(json_object_get(j, "first")), "2018-09-24T01:00:00Z");
    ck_assert_str_eq(json_string_value(json_object_get(j, "last")), "2018-09-26T05:00:00Z");
    ck_assert(json_is_true(json_object_get(j, "has_labels")) && json_is_true(json_object_get(j, "has_score")));
    number_is(j, "rows", (double)r->rows);
    number_is(j, "frauds", (double)r->frauds);
    number_is(j, "genuine", (double)r->genuine);
    number_is(j, "days", (double)r->days);
    number_is(j, "auc", r->auc);
    number_is(j, "average_precision", r->average_precision);
    number_is(json_object_get(j, "card_precision"), "value", r->card_precision);
    number_is(json_object_get(j, "card_precision"), "ceiling", r->card_precision_ceiling);
    number_is(json_object_get(j, "ranked"), "recall", r->ranked_recall);
    number_is(j, "brier", r->brier);
    number_is(j, "coverage", r->coverage);
    number_is(j, "money_coverage", r->money_coverage);
    number_is(j, "disturbance", r->disturbance);
    number_is(j, "lost_amount", r->lost_amount);
    number_is(j, "held_amount", r->held_amount);
    number_is(json_object_get(j, "latency"), "p999_ns", r->latency.p999_ns);
}

static void lists_are(const json_t *j, const struct report *r)
{
    const json_t *a = json_object_get(j, "curve");
    ck_assert_uint_eq(json_array_size(a), r->curve_count);
    for (size_t i = 0; i < r->curve_count; i++)
        point_is(json_array_get(a, i), r, &r->curve[i]);
    a = json_object_get(j, "thresholds");
    ck_assert_uint_eq(json_array_size(a), r->threshold_count);
    for (size_t i = 0; i < r->threshold_count; i++)
        point_is(json_array_get(a, i), r, &r->thresholds[i]);
    point_is(json_object_get(j, "best"), r, &r->best);
    a = json_object_get(j, "budgets");
    ck_assert_uint_eq(json_array_size(a), r->budget_count);
    for (size_t i = 0; i < r->budget_count; i++) {
        number_is(json_array_get(a, i), "alerts", (double)r->budgets[i].alerts);
        number_is(json_array_get(a, i), "money_recall", r->budgets[i].money_recall);
    }
    a = json_object_get(j, "calibration");
    for (size_t i = 0; i < REPORT_BINS; i++) {
        number_is(json_array_get(a, i), "rows", (double)r->bins[i].rows);
        number_is(json_array_get(a, i), "score_mean", r->bins[i].score_mean);
        number_is(json_array_get(a, i), "fraud_share", r->bins[i].fraud_share);
    }
    a = json_object_get(j, "levels");
    number_is(json_array_get(a, 2), "recall", r->levels[2].recall);
    a = json_object_get(j, "per_day");
    ck_assert_uint_eq(json_array_size(a), r->days);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(a, 2), "date")), "2018-09-26");
    number_is(json_array_get(a, 2), "lost", r->day[2].lost);
    number_is(json_array_get(a, 0), "caught", (double)r->day[0].caught);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "budget_curve")), r->budget_curve_count);
}

START_TEST(json_equals_the_struct)
{
    struct dataset d;
    struct report r;
    struct buf b;
    compute_hand(&d, &r);
    buf_init(&b, LIMIT_REPORT_BYTES);
    ck_ok(report_json(&r, &b));
    json_t *j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(j);
    head_is(j, &r);
    lists_are(j, &r);
    const json_t *s = json_array_get(json_object_get(j, "scenarios"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(s, "name")), "ring");
    number_is(s, "coverage", r.scenarios[1].coverage);
    number_is(json_object_get(s, "by_outcome"), "challenge", 1);
    const json_t *o = json_object_get(json_object_get(j, "outcomes"), "deny");
    number_is(o, "precision", 0.5);
    number_is(o, "fraud_amount", 20);
    number_is(json_object_get(j, "containment"), "time_p90_us", 600e6);
    number_is(json_object_get(json_object_get(j, "folds"), "auc"), "mean", r.fold_auc.mean);
    number_is(json_array_get(json_object_get(json_object_get(j, "folds"), "items"), 0), "card_precision", (double)NAN);
    json_decref(j);
    buf_release(&b);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(page_is_self_contained)
{
    struct dataset d;
    struct report r;
    struct buf b, again;
    compute_hand(&d, &r);
    buf_init(&b, LIMIT_REPORT_BYTES);
    buf_init(&again, LIMIT_REPORT_BYTES);
    ck_ok(report_html(&r, &b));
    check_page(&b);
    ck_assert(!slice_hasi(buf_view(&b), SLICE("http")));
    size_t charts = 0;
    for (const char *p = b.p; (p = strstr(p, "<svg ")); p++)
        charts++;
    ck_assert_uint_eq(charts, 8);
    ck_ok(report_html(&r, &again));
    ck_slice_eq(buf_view(&b), buf_view(&again));
    buf_release(&again);
    buf_release(&b);
    buf_init(&b, 3000); /* no room: said, not cut silently */
    ck_err(report_html(&r, &b), KEER_ELIMIT);
    buf_release(&b);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

/* --- what isn't known --------------------------------------------------------------------------------------------- */

START_TEST(no_score_is_rules_only)
{
    struct dataset d;
    struct report r;
    struct report_options o = hand_options();
    make(&d, hand, ARRAY_LEN(hand));
    for (size_t i = 0; i < d.rows; i++)
        d.score[i] = NAN;
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(!r.has_score && r.has_labels && r.unscored == 11 && r.curve_count == 0 && r.budget_curve_count == 0);
    UNKNOWN(r.auc);
    UNKNOWN(r.average_precision);
    UNKNOWN(r.card_precision);
    UNKNOWN(r.ranked_recall);
    UNKNOWN(r.brier);
    UNKNOWN(r.levels[0].recall);
    UNKNOWN(r.budgets[0].recall);
    UNKNOWN(r.best.threshold);
    UNKNOWN(r.scenarios[0].ranked_recall);
    NEAR(r.coverage, 0.4);
    print_all(&r);
    report_release(&r);
    for (size_t i = 1; i < d.rows; i++) /* one row without a score ranks last and is never alerted */
        d.score[i] = (float)hand[i].score;
    d.score[0] = (float)INFINITY;
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(r.has_score && r.unscored == 1 && r.curve[r.curve_count - 1].alerts == 10);
    NEAR(r.auc, 20.0 / 30 + 1.0 / 30 * 0); /* 0.1 beat no fraud before, and beats none now */
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(no_labels_is_said)
{
    struct dataset d;
    struct report r;
    struct buf b;
    struct report_options o = hand_options();
    make(&d, hand, ARRAY_LEN(hand));
    memset(d.label, 0, d.rows);
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(!r.has_labels && r.frauds == 0 && r.genuine == 0 && r.curve_count == 0);
    UNKNOWN(r.disturbance);
    UNKNOWN(r.coverage);
    UNKNOWN(r.fraud_amount);
    UNKNOWN(r.containment.lost);
    UNKNOWN(r.auc);
    ck_assert_uint_eq(r.thresholds[0].alerts, 6);
    ck_assert_uint_eq(r.thresholds[0].customers, 0);
    UNKNOWN(report_precision(&r, &r.thresholds[0]));
    print_all(&r);
    buf_init(&b, LIMIT_REPORT_BYTES);
    ck_ok(report_text(&r, false, &b));
    ck_assert(slice_has(buf_view(&b), SLICE("No labels:")) && !slice_has(buf_view(&b), SLICE("fraud (")));
    buf_clear(&b);
    ck_ok(report_html(&r, &b));
    ck_assert(slice_has(buf_view(&b), SLICE("<b>No labels.</b>")));
    buf_clear(&b);
    ck_ok(report_json(&r, &b));
    ck_assert(slice_has(buf_view(&b), SLICE("\"rows\":11,\"frauds\":null,\"genuine\":null")));
    buf_release(&b);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(one_class_only)
{
    struct dataset d;
    struct report r;
    struct report_options o = hand_options();
    make(&d, hand, ARRAY_LEN(hand));
    memset(d.label, 0, d.rows);
    o.labelled = true; /* labels were read, and none says fraud */
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(r.has_labels && r.frauds == 0 && r.genuine == 11);
    NEAR(r.disturbance, 4.0 / 11);
    UNKNOWN(r.coverage);
    UNKNOWN(r.auc);
    UNKNOWN(r.average_precision);
    UNKNOWN(r.levels[0].recall);
    UNKNOWN(r.best.threshold);
    NEAR(report_net(&r, &r.thresholds[0]), -5.0 * 5 / 3); /* customers: 2, 3, 1, and 4, 5 on the third day */
    print_all(&r);
    report_release(&r);
    memset(d.label, 1, d.rows);
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(r.frauds == 11 && r.genuine == 0);
    UNKNOWN(r.disturbance);
    UNKNOWN(r.auc);
    NEAR(r.average_precision, 1);
    NEAR(r.ranked_recall, 1);
    ck_assert_uint_eq(r.best.customers, 0);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(no_amounts_is_no_money)
{
    struct dataset d;
    struct report r;
    struct report_options o = hand_options();
    make(&d, hand, ARRAY_LEN(hand));
    static const double odd[] = {(double)NAN, 0, -5, (double)INFINITY};
    for (size_t i = 0; i < d.rows; i++)
        d.amount[i] = odd[i % 4];
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(!r.has_amount);
    UNKNOWN(r.fraud_amount);
    UNKNOWN(r.budgets[0].money_recall);
    UNKNOWN(r.best.threshold);
    UNKNOWN(r.curve[0].saved);
    UNKNOWN(r.day[0].lost);
    NEAR(r.coverage, 0.4);
    NEAR(r.containment.time_p90_us, 600e6);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(small_and_wrong_datasets)
{
    struct dataset d;
    struct report r = {.rows = 77};
    struct report_options o = report_options_default();
    make(&d, hand, 0);
    ck_err(report_compute(&d, &o, &r), KEER_EMISSING);
    ck_assert_uint_eq(r.rows, 77);
    dataset_release(&d);
    for (size_t i = 0; i < 2; i++) { /* a genuine row alone, a fraud alone */
        make(&d, hand + i, 1);
        ck_ok(report_compute(&d, &o, &r));
        ck_assert(r.rows == 1 && r.days == 1);
        print_all(&r);
        report_release(&r);
        dataset_release(&d);
    }
    make(&d, hand, ARRAY_LEN(hand));
    d.outcome[3] = REPORT_OUTCOMES;
    ck_err(report_compute(&d, &o, &r), KEER_EINVALID);
    d.outcome[3] = 0;
    d.label[3] = 2;
    ck_err(report_compute(&d, &o, &r), KEER_EINVALID);
    d.label[3] = 0;
    d.scenario[3] = SCENARIO_MAX;
    ck_err(report_compute(&d, &o, &r), KEER_EINVALID);
    d.scenario[3] = 0;
    int64_t keep = d.time_us[3];
    d.time_us[3] = INT64_MAX;
    ck_err(report_compute(&d, &o, &r), KEER_EINVALID);
    d.time_us[3] = DAY0 + (int64_t)LIMIT_DAYS * US_DAY;
    ck_err(report_compute(&d, &o, &r), KEER_ELIMIT);
    d.time_us[3] = keep + 3000 * US_DAY; /* bars of 91 days, years on the axis */
    ck_ok(report_compute(&d, &o, &r));
    ck_assert_uint_eq(r.days, 3001);
    print_all(&r);
    report_release(&r);
    d.time_us[3] = keep;
    struct report_options bad[] = {o, o, o, o, o, o, o};
    bad[0].disturb_cost = -1;
    bad[1].card_k = 0;
    bad[2].budgets[0] = 0;
    bad[3].thresholds[0] = (double)NAN;
    bad[4].fold_count = LIMIT_REPORT_FOLDS + 1;
    bad[5].currency = CUR_MAX;
    bad[6].budget_count = REPORT_BUDGETS_MAX + 1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_err(report_compute(&d, &bad[i], &r), KEER_EINVALID);
    o.budget_count = o.threshold_count = 0;
    o.currency = CUR_JPY;
    o.disturb_cost = 1e9; /* nothing pays at this price but what disturbs nobody */
    ck_ok(report_compute(&d, &o, &r));
    NEAR(r.best.threshold, (double)0.9f);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(customers_are_counted_once_a_day)
{
    static const struct row rows[] = {
        {0, 1, 9, 1, 0.9, 0, 0, ""},  {0, 2, 9, 1, 0.8, 0, 0, ""}, {1, 1, 9, 1, 0.7, 0, 0, ""}, /* one customer, two days */
        {1, 2, 0, 1, 0.6, 0, 0, ""},  {1, 3, 0, 1, 0.6, 0, 0, ""},                              /* not known: two */
        {1, 4, 0, 50, 0.5, 0, 1, ""}, {1, 5, 8, 1, 0.5, 0, 1, ""}, {1, 6, 8, 1, 0.5, 0, 0, ""},
    };
    struct dataset d;
    struct report r;
    struct report_options o = report_options_default();
    make(&d, rows, ARRAY_LEN(rows));
    ck_ok(report_compute(&d, &o, &r));
    static const uint64_t want[] = {1, 1, 2, 4, 5};
    ck_assert_uint_eq(r.curve_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_uint_eq(r.curve[i].customers, want[i]);
    ck_assert(r.containment.unknown == 1 && r.containment.entities == 1 && r.containment.never == 1);
    ck_assert(!r.has_decisions && r.scenario_count == 0);
    UNKNOWN(r.containment.time_median_us);
    NEAR(report_net(&r, &r.best), (51.0 - 25) / 2);
    UNKNOWN(r.levels[0].threshold); /* even the highest score disturbs a sixth */
    NEAR(r.levels[0].recall, 0);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(hostile_names_do_no_harm)
{
    static const char *names[] = {"<script>alert('x')</script>",
                                  "\"><img src=x onerror=y>",
                                  "\033[31mred\033]0;title\007",
                                  "\xE2\x80\xAEsdrawkcab\xE2\x80\x8B",
                                  "\xFF\xC0\xAF\xED\xA0\x80",
                                  "a\nb\r\nc\td",
                                  "</style></svg></title>",
                                  "&amp;&#0;%s%n%99999d",
                                  "]]>-->"};
    struct row rows[ARRAY_LEN(names) * 2];
    struct report_fold fold = {"</td><b onclick='x'>\033[2J", 0.5, 0.5, 0.5, 1, 1};
    struct dataset d;
    struct report r;
    struct buf b;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = (struct row){0, (int)i, i + 1, 3, 0.5, REPORT_DENY, i % 2 == 0, names[i / 2]};
    make(&d, rows, ARRAY_LEN(rows));
    struct report_options o = report_options_default();
    o.folds = &fold;
    o.fold_count = 1;
    o.title = SLICE("<h1 \xE2\x80\xAE onload=\"x\">\033[0m\xC2\x9B"
                    "1m");
    o.policy = slice_of(names[0], 27);
    o.version = SLICE("\xF0\x9F\x92\xA5 0.1 <b>");
    ck_ok(report_compute(&d, &o, &r));
    ck_assert_uint_eq(r.scenario_count, ARRAY_LEN(names));
    print_all(&r);
    buf_init(&b, LIMIT_REPORT_BYTES);
    ck_ok(report_html(&r, &b));
    static const char *never[] = {"<script",  "<img",       "\033",  "\007", "\xE2\x80\xAE", "\xE2\x80\x8B",
                                  "\xC2\x9B", "<b onclick", "<h1 ?", "\r",   "\xFF"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        ck_assert_msg(!slice_has(buf_view(&b), slice_str(never[i])), "%zu", i);
    buf_clear(&b);
    ck_ok(report_text(&r, false, &b));
    for (size_t i = 2; i < 7; i++)
        ck_assert_msg(!slice_has(buf_view(&b), slice_str(never[i])), "%zu", i);
    buf_clear(&b);
    ck_ok(report_json(&r, &b));
    json_t *j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(j, "scenarios"), 1), "name")),
                     names[1]);
    json_decref(j);
    buf_release(&b);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

/* --- a larger one ------------------------------------------------------------------------------------------------- */

/* 60,000 rows over 45 days, about 0.7 % fraud in bursts of three kinds; a score that is worth something. */
static void make_large(struct dataset *d, uint64_t seed)
{
    struct rng g;
    ck_ok(dataset_init(d, 1));
    rng_seed(&g, seed);
    unsigned kinds[3] = {dataset_scenario(d, SLICE("takeover")), dataset_scenario(d, SLICE("testing")),
                         dataset_scenario(d, SLICE("abuse"))};
    unsigned left = 0, kind = 0;
    uint64_t victim = 0;
    for (size_t i = 0; i < 60000; i++) {
        size_t r = 0;
        ck_ok(dataset_add(d, &r));
        if (left == 0 && rng_chance(&g, 0.0035)) {
            left = 2;
            kind = (unsigned)rng_below(&g, 3);
            victim = 1 + rng_below(&g, 4000);
        }
        bool fraud = left > 0 && rng_chance(&g, 0.5);
        left -= fraud;
        double z = fraud ? rng_normal(&g, 3.5 - kind, 1.1) : rng_normal(&g, 0, 1);
        d->time_us[r] = DAY0 + (int64_t)i * (45 * US_DAY / 60000);
        d->entity[r] = fraud ? victim : 1 + rng_below(&g, 4000);
        d->amount[r] = floor(exp(rng_normal(&g, fraud ? 4 : 2.8, 1)) * 100) / 100;
        d->score[r] = (float)(1 / (1 + exp(5 - 1.8 * z)));
        d->outcome[r] = z > 4 ? REPORT_DENY : z > 3.3 ? REPORT_CHALLENGE : z > 3 ? REPORT_REVIEW : REPORT_ALLOW;
        d->label[r] = fraud;
        d->scenario[r] = (uint8_t)(fraud ? kinds[kind] : 0);
    }
}

START_TEST(a_large_one_adds_up)
{
    struct dataset d;
    struct report r;
    struct report_options o = report_options_default();
    make_large(&d, 42);
    ck_ok(report_compute(&d, &o, &r));
    ck_assert(r.rows == 60000 && r.days == 45 && r.scenario_count == 3);
    uint64_t rows = 0, frauds = 0, caught = 0;
    double lost = 0;
    for (uint64_t i = 0; i < r.days; i++) {
        rows += r.day[i].rows;
        frauds += r.day[i].frauds;
        caught += r.day[i].caught;
        lost += r.day[i].lost;
    }
    ck_assert(rows == r.rows && frauds == r.frauds && caught == r.frauds - r.outcomes[REPORT_ALLOW].frauds);
    ck_assert(fabs(lost - r.lost_amount) < 1e-6 && fabs(r.lost_amount + r.stopped_amount - r.fraud_amount) < 1e-6);
    frauds = 0;
    for (unsigned i = 0; i < r.scenario_count; i++)
        frauds += r.scenarios[i].frauds;
    ck_assert_uint_eq(frauds, r.frauds);
    bool best_seen = false;
    ck_assert(r.curve_count > 200 && r.curve_count <= REPORT_CURVE_MAX);
    for (size_t i = 0; i < r.curve_count; i++) {
        const struct report_point *p = &r.curve[i];
        ck_assert(i == 0 || (p->threshold < p[-1].threshold && p->alerts > p[-1].alerts && p->saved >= p[-1].saved));
        ck_assert(report_net(&r, p) <= report_net(&r, &r.best));
        best_seen |= p->alerts == r.best.alerts;
    }
    ck_assert(best_seen && r.curve[r.curve_count - 1].alerts == r.rows && r.curve[r.curve_count - 1].frauds == r.frauds);
    for (size_t i = 1; i < r.budget_curve_count; i++)
        ck_assert(r.budget_curve[i].recall >= r.budget_curve[i - 1].recall);
    NEAR(r.budget_curve[r.budget_curve_count - 1].recall, 1);
    for (int i = 0; i < REPORT_LEVELS; i++)
        ck_assert(r.levels[i].disturbance <= r.levels[i].level);
    print_all(&r);
    report_release(&r);
    dataset_release(&d);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct dataset d;
    struct report_options o = hand_options();
    make(&d, hand, ARRAY_LEN(hand));
    for (uint64_t n = 1;; n++) {
        struct report r = {.rows = 77};
        oom_arm(n, false);
        enum keer_err err = report_compute(&d, &o, &r);
        oom_reset();
        if (err == KEER_OK) {
            ck_assert(n > 8);
            report_release(&r);
            break;
        }
        ck_assert_int_eq(err, KEER_ENOMEM);
        ck_assert_uint_eq(r.rows, 77);
    }
    struct report r; /* what a failure would leave behind, the leak check of `make asan` finds */
    ck_ok(report_compute(&d, &o, &r));
    for (int printer = 0; printer < 3; printer++)
        for (uint64_t n = 1;; n++) {
            struct buf b;
            buf_init(&b, LIMIT_REPORT_BYTES);
            oom_arm(n, false);
            enum keer_err err = printer == 0   ? report_text(&r, false, &b)
                                : printer == 1 ? report_html(&r, &b)
                                               : report_json(&r, &b);
            oom_reset();
            buf_release(&b);
            if (err == KEER_OK)
                break;
            ck_assert_int_eq(err, KEER_ENOMEM);
            ck_assert(n < 10000);
        }
    report_release(&r);
    dataset_release(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, ranking_is_as_by_hand);
    tcase_add_test(t, budgets_and_thresholds_are_as_by_hand);
    tcase_add_test(t, decisions_and_money_are_as_by_hand);
    tcase_add_test(t, scenarios_and_folds_are_as_by_hand);
    tcase_add_test(t, text_reads_well);
    tcase_add_test(t, json_equals_the_struct);
    tcase_add_test(t, page_is_self_contained);
    tcase_add_test(t, no_score_is_rules_only);
    tcase_add_test(t, no_labels_is_said);
    tcase_add_test(t, one_class_only);
    tcase_add_test(t, no_amounts_is_no_money);
    tcase_add_test(t, small_and_wrong_datasets);
    tcase_add_test(t, customers_are_counted_once_a_day);
    tcase_add_test(t, hostile_names_do_no_harm);
    tcase_add_test(t, a_large_one_adds_up);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
