/* metrics_test.c - data sets, ranking figures, prequential folds; against hand-made cases and the published figures. */
#include <math.h>

#include "base/num.h"
#include "base/rand.h"
#include "learn/metrics.h"
#include "learn/split.h"
#include "lib/test.h"

static void add(struct dataset *d, int64_t day, uint64_t entity, uint8_t label)
{
    size_t r;
    ck_ok(dataset_add(d, &r));
    d->time_us[r] = day * US_DAY + (int64_t)r;
    d->entity[r] = entity;
    d->label[r] = label;
}

/* --- data set ----------------------------------------------------------------------------------------------------- */

START_TEST(rows_grow_and_start_empty)
{
    struct dataset d;
    ck_ok(dataset_init(&d, 3));
    for (size_t i = 0; i < 1000; i++) {
        size_t r;
        ck_ok(dataset_add(&d, &r));
        ck_assert_uint_eq(r, i);
        ck_assert(isnan(d.x[r * 3]) && isnan(d.x[r * 3 + 2]) && d.label[r] == 0 && d.time_us[r] == 0);
        d.x[r * 3 + 1] = (float)i;
        d.id[r] = i;
    }
    uint8_t keep[1000] = {[7] = 1, [999] = 2};
    struct dataset few, none;
    ck_ok(dataset_pick(&d, keep, &few));
    ck_assert_uint_eq(few.rows, 2);
    ck_assert(few.x[1] == 7.0f && few.x[4] == 999.0f && few.id[1] == 999);
    memset(keep, 0, sizeof keep);
    ck_ok(dataset_pick(&d, keep, &none));
    ck_assert_uint_eq(none.rows, 0);
    dataset_release(&none);
    dataset_release(&few);
    dataset_release(&d);
    ck_err(dataset_init(&d, LIMIT_FEATURES + 1), KEER_ELIMIT);
    dataset_release(&d);
}
END_TEST

START_TEST(scenarios_are_numbered_once)
{
    struct dataset d;
    ck_ok(dataset_init(&d, 0));
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("")), 0);
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("phished")), 1);
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("leaked")), 2);
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("phished")), 1);
    for (unsigned i = 3; i < SCENARIO_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%u", i);
        ck_assert_uint_eq(dataset_scenario(&d, slice_str(name)), i);
    }
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("one too many")), 0);
    ck_assert_uint_eq(dataset_scenario(&d, SLICE("leaked")), 2);
    dataset_release(&d);
}
END_TEST

START_TEST(data_sets_survive_failed_allocations)
{
    for (uint64_t n = 1;; n++) {
        struct dataset d, copy = {0};
        uint8_t keep[200] = {0};
        size_t r = 77, rows = 0;
        oom_arm(n, false);
        enum keer_err err = dataset_init(&d, 2);
        for (; err == KEER_OK && rows < 200; rows += err == KEER_OK)
            err = dataset_add(&d, &r);
        memset(keep, 1, rows);
        if (err == KEER_OK)
            err = dataset_pick(&d, keep, &copy);
        oom_reset();
        ck_assert(err == KEER_OK || err == KEER_ENOMEM);
        ck_assert(d.rows == rows && copy.rows == (err == KEER_OK ? rows : 0));
        dataset_release(&copy);
        dataset_release(&d);
        if (err == KEER_OK)
            break;
    }
}
END_TEST

/* --- figures ------------------------------------------------------------------------------------------------------ */

START_TEST(small_rankings_by_hand)
{
    double v;
    const float score[] = {0.9f, 0.8f, 0.7f, 0.6f, 0.5f};
    const uint8_t label[] = {1, 0, 1, 0, 0};
    ck_ok(metric_auc(score, label, 5, &v));
    ck_assert(fabs(v - 5.0 / 6) < 1e-15);
    ck_ok(metric_average_precision(score, label, 5, &v));
    ck_assert(fabs(v - (0.5 * 1 + 0.5 * 2 / 3)) < 1e-15);
    const float same[] = {0.25f, 0.25f, 0.25f, 0.25f, 0.25f};
    ck_ok(metric_auc(same, label, 5, &v));
    ck_assert(v == 0.5);
    ck_ok(metric_average_precision(same, label, 5, &v));
    ck_assert(fabs(v - 0.4) < 1e-15);
    const float zeros[] = {-0.0f, 0.0f, -1.0f, INFINITY, -INFINITY};
    const uint8_t zl[] = {1, 0, 0, 1, 0};
    ck_ok(metric_auc(zeros, zl, 5, &v)); /* -0 and 0 tie */
    ck_assert(fabs(v - 5.5 / 6) < 1e-15);
}
END_TEST

START_TEST(empty_classes_and_nan)
{
    double v = 7;
    const float score[] = {0.1f, NAN};
    const uint8_t genuine[] = {0, 0}, fraud[] = {1, 1};
    ck_err(metric_auc(score, genuine, 2, &v), KEER_EINVALID);
    ck_err(metric_average_precision(score, genuine, 2, &v), KEER_EINVALID);
    ck_assert(v == 7);
    ck_ok(metric_auc(score, genuine, 1, &v));
    ck_assert(isnan(v));
    ck_ok(metric_auc(score, fraud, 1, &v));
    ck_assert(isnan(v));
    ck_ok(metric_average_precision(score, genuine, 1, &v));
    ck_assert(isnan(v));
    ck_ok(metric_average_precision(score, fraud, 1, &v));
    ck_assert(v == 1);
    ck_ok(metric_auc(NULL, NULL, 0, &v));
    ck_assert(isnan(v));
}
END_TEST

/* Every pair and every threshold, O(n^2). */
static void slow(const float *s, const uint8_t *l, size_t n, double *auc, double *ap)
{
    double right = 0, pairs = 0, sum = 0, frauds = 0;
    for (size_t i = 0; i < n; i++) {
        double tp = 0, all = 0;
        for (size_t j = 0; j < n; j++) {
            if (l[i] && !l[j]) {
                pairs++;
                right += s[i] > s[j] ? 1 : s[i] < s[j] ? 0 : 0.5;
            }
            all += s[j] >= s[i];
            tp += s[j] >= s[i] && l[j];
        }
        frauds += l[i];
        sum += l[i] * tp / all;
    }
    *auc = right / pairs;
    *ap = sum / frauds;
}

START_TEST(the_fast_way_is_the_slow_way)
{
    struct rng rng;
    rng_seed(&rng, 20181010);
    for (int round = 0; round < 200; round++) {
        float s[120];
        uint8_t l[120];
        size_t n = 2 + (size_t)rng_below(&rng, 119);
        uint64_t levels = 1 + rng_below(&rng, 60);
        double auc, ap, auc_slow, ap_slow;
        for (size_t i = 0; i < n; i++) {
            s[i] = (float)((double)rng_below(&rng, levels) - 20) / 7;
            l[i] = rng_chance(&rng, 0.3);
        }
        l[0] = 1;
        l[1] = 0;
        slow(s, l, n, &auc_slow, &ap_slow);
        ck_ok(metric_auc(s, l, n, &auc));
        ck_ok(metric_average_precision(s, l, n, &ap));
        ck_assert(fabs(auc - auc_slow) < 1e-12 && fabs(ap - ap_slow) < 1e-12);
    }
}
END_TEST

START_TEST(card_precision_by_hand)
{
    struct dataset d;
    double v;
    ck_ok(dataset_init(&d, 0));
    /* day 0: 1 is fraud with two rows, the lower one carries the label; 2 genuine; 3 fraud, below the budget of 2 */
    add(&d, 0, 1, 0), add(&d, 0, 1, 1), add(&d, 0, 2, 0), add(&d, 0, 3, 1);
    /* day 1: nothing. day 2: 1 was found on day 0 and is out; 3 and 2 fill the budget */
    add(&d, 2, 1, 1), add(&d, 2, 2, 0), add(&d, 2, 3, 1), add(&d, 2, 4, 1);
    const float score[] = {0.9f, 0.1f, 0.8f, 0.7f, 1.0f, 0.8f, 0.7f, 0.6f};
    ck_ok(metric_card_precision(&d, score, 2, &v));
    ck_assert(fabs(v - (0.5 + 0 + 0.5) / 3) < 1e-15);
    ck_ok(metric_card_precision_ceiling(&d, 2, &v)); /* 1 and 3, then 4 */
    ck_assert(fabs(v - (1 + 0 + 0.5) / 3) < 1e-15);
    ck_err(metric_card_precision(&d, score, 0, &v), KEER_EINVALID);
    const float bad[] = {NAN, 0, 0, 0, 0, 0, 0, 0};
    ck_err(metric_card_precision(&d, bad, 2, &v), KEER_EINVALID);
    d.rows = 0;
    ck_ok(metric_card_precision(&d, score, 2, &v));
    ck_assert(isnan(v));
    dataset_release(&d);
}
END_TEST

START_TEST(ties_are_broken_against_us)
{
    struct dataset d;
    double v;
    ck_ok(dataset_init(&d, 0));
    for (uint64_t e = 0; e < 10; e++)
        add(&d, 5, e, e < 5);
    float score[10];
    for (size_t i = 0; i < 10; i++)
        score[i] = 0.5f;
    ck_ok(metric_card_precision(&d, score, 5, &v));
    ck_assert(v == 0);
    ck_ok(metric_card_precision(&d, score, 6, &v));
    ck_assert(fabs(v - 1.0 / 6) < 1e-15);
    dataset_release(&d);
}
END_TEST

START_TEST(curves_count_and_thin)
{
    const float score[] = {0.9f, 0.8f, 0.8f, 0.3f, -0.5f};
    const uint8_t label[] = {1, 0, 1, 0, 1};
    struct curve_point p[8];
    size_t n;
    ck_ok(metric_curve(score, label, 5, p, 8, &n));
    ck_assert_uint_eq(n, 4);
    ck_assert(p[0].threshold == 0.9f && p[0].tp == 1 && p[0].fp == 0);
    ck_assert(p[1].threshold == 0.8f && p[1].tp == 2 && p[1].fp == 1);
    ck_assert(p[3].threshold == -0.5f && p[3].tp == 3 && p[3].fp == 2);
    ck_ok(metric_curve(score, label, 5, p, 2, &n));
    ck_assert(n == 2 && p[0].tp == 1 && p[1].tp == 3 && p[1].fp == 2);
    ck_ok(metric_curve(score, label, 0, p, 8, &n));
    ck_assert_uint_eq(n, 0);
    ck_err(metric_curve(score, label, 5, p, 1, &n), KEER_EINVALID);
    float many[1000];
    uint8_t labels[1000];
    for (size_t i = 0; i < 1000; i++) {
        many[i] = (float)(i * 7919 % 1000);
        labels[i] = i % 3 == 0;
    }
    ck_ok(metric_curve(many, labels, 1000, p, 8, &n));
    ck_assert(n == 8 && p[0].threshold == 999 && p[7].threshold == 0 && p[7].tp + p[7].fp == 1000);
    for (size_t i = 1; i < n; i++)
        ck_assert(p[i].threshold < p[i - 1].threshold && p[i].tp >= p[i - 1].tp && p[i].fp >= p[i - 1].fp);
}
END_TEST

START_TEST(figures_survive_failed_allocations)
{
    struct dataset d;
    ck_ok(dataset_init(&d, 0));
    float score[30];
    for (uint64_t e = 0; e < 30; e++) {
        add(&d, (int64_t)e / 5, e % 7, e % 3 == 0);
        score[e] = (float)e;
    }
    for (uint64_t n = 1, failed = 1; failed; n++) {
        double v = 42;
        struct curve_point p[4];
        size_t pn = 42;
        uint8_t train[30], test[30];
        const struct split_protocol sp = {.train_days = 2, .delay_days = 1, .test_days = 2, .remove_known = true};
        failed = 0;
        oom_arm(n, true);
        enum keer_err errs[] = {metric_auc(score, d.label, 30, &v), metric_average_precision(score, d.label, 30, &v),
                                metric_curve(score, d.label, 30, p, 4, &pn), split_make(&d, &sp, train, test),
                                metric_card_precision(&d, score, 3, &v)};
        oom_reset();
        for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
            ck_assert(errs[i] == KEER_OK || errs[i] == KEER_ENOMEM);
            failed += errs[i] != KEER_OK;
        }
        ck_assert(n > 1 || (failed == 5 && v == 42 && pn == 42));
    }
    dataset_release(&d);
}
END_TEST

/* --- published figures -------------------------------------------------------------------------------------------- */

static FILE *unpack(const char *dir, const char *file)
{
    char command[512];
    (void)snprintf(command, sizeof command, "xz -dc '%s/data/handbook/%s'", dir, file);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    (void)setvbuf(f, NULL, _IOFBF, 1 << 20);
    return f;
}

/* Check writes to its log at every assertion, so that a loop over a million rows counts what is bad instead. */
static unsigned bad;
static int64_t whole(struct slice *line)
{
    int64_t v = 0;
    bad += num_i64(slice_cut(line, ','), INT64_MIN, INT64_MAX, &v) != KEER_OK;
    return v;
}
static size_t new_row(struct dataset *d)
{
    size_t r = 0;
    if (dataset_add(d, &r) != KEER_OK)
        abort();
    return r;
}

START_TEST(published_scores_give_published_figures)
{
    enum { MODELS = 5 };
    static const struct {
        const char *name;
        double auc, ap, cp;
    } want[] = {{"LR", .870531, .605703, .291429},
                {"DT2", 0, 0, 0},
                {"DT", 0, 0, 0},
                {"RF", .867384, .657834, .287143},
                {"XGB", .861821, .638873, .272857}};
    const char *dir = shared_dir();
    if (!dir)
        return;
    FILE *f = unpack(dir, "ref_baseline_test_scores.csv.xz");
    struct dataset d;
    ck_ok(dataset_init(&d, MODELS));
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len, n = 0; (len = getline(&line, &cap, f)) > 0; n++) {
        struct slice rest = slice_of(line, (size_t)len - 1);
        if (n == 0)
            continue;
        size_t r = new_row(&d);
        (void)whole(&rest);
        d.time_us[r] = whole(&rest) * US_DAY;
        d.entity[r] = (uint64_t)whole(&rest);
        d.label[r] = (uint8_t)whole(&rest);
        d.scenario[r] = (uint8_t)whole(&rest);
        for (size_t m = 0; m < MODELS; m++) {
            double v = 0;
            bad += num_f64(slice_cut(&rest, ','), &v) != KEER_OK;
            d.x[r * MODELS + m] = (float)v;
        }
    }
    free(line);
    ck_assert_int_eq(pclose(f), 0);
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_eq(d.rows, 58264);
    float *score = malloc(d.rows * sizeof *score);
    ck_assert_ptr_nonnull(score);
    for (size_t m = 0; m < MODELS; m++) {
        double auc, ap, cp;
        for (size_t r = 0; r < d.rows; r++)
            score[r] = d.x[r * MODELS + m];
        ck_ok(metric_auc(score, d.label, d.rows, &auc));
        ck_ok(metric_average_precision(score, d.label, d.rows, &ap));
        ck_ok(metric_card_precision(&d, score, 100, &cp));
        printf("# %-3s AUC %.6f AP %.6f CP@100 %.6f\n", want[m].name, auc, ap, cp);
        if (want[m].auc > 0)
            ck_assert(fabs(auc - want[m].auc) < 1e-6 && fabs(ap - want[m].ap) < 1e-6 && fabs(cp - want[m].cp) < 1e-6);
    }
    free(score);
    dataset_release(&d);
}
END_TEST

/* Days 80 to 156 of the transactions: what the eight published folds need. */
static void read_days(const char *dir, struct dataset *d)
{
    FILE *f = unpack(dir, "handbook_tx.csv.xz");
    int64_t day_0;
    char *line = NULL;
    size_t cap = 0;
    ck_ok(time_parse(SLICE("2018-04-01"), &day_0));
    ck_ok(dataset_init(d, 0));
    int64_t day = 0;
    for (ssize_t len, n = 0; day <= 156 && (len = getline(&line, &cap, f)) > 0; n++) {
        struct slice rest = slice_of(line, (size_t)len - 1);
        if (n == 0)
            continue;
        (void)slice_cut(&rest, ',');
        (void)slice_cut(&rest, ',');
        struct slice customer = slice_cut(&rest, ',');
        (void)slice_cut(&rest, ',');
        (void)slice_cut(&rest, ',');
        int64_t seconds = whole(&rest);
        day = whole(&rest);
        if (day < 80 || day > 156)
            continue;
        size_t r = new_row(d);
        d->time_us[r] = day_0 + seconds * US_SECOND;
        d->entity[r] = hash_mix((uint64_t)whole(&customer) + 1);
        d->label[r] = (uint8_t)whole(&rest);
        d->scenario[r] = (uint8_t)whole(&rest);
    }
    free(line);
    (void)pclose(f); /* it is cut off: later days are not read */
    ck_assert_uint_eq(bad, 0);
}

START_TEST(published_folds_have_published_sizes)
{
    static const struct {
        int64_t day;
        size_t train, train_frauds, test, test_frauds;
        double ceiling;
    } folds[] = {{136, 67049, 594, 57604, 422, .451}, {129, 67080, 568, 58337, 408, .420},
                 {122, 66975, 626, 57937, 387, .409}, {115, 67240, 598, 58264, 385, .397},
                 {101, 66928, 633, 58505, 374, .397}, {94, 66954, 600, 57931, 351, .367},
                 {87, 67574, 611, 57800, 411, .396},  {80, 66864, 633, 57182, 416, .417}};
    const char *dir = shared_dir();
    if (!dir)
        return;
    struct dataset d, test;
    read_days(dir, &d);
    uint8_t *keep[2] = {malloc(d.rows), malloc(d.rows)};
    int64_t day_0;
    ck_ok(time_parse(SLICE("2018-04-01"), &day_0));
    for (size_t f = 0; f < ARRAY_LEN(folds); f++) {
        struct split_protocol p = {day_0 + folds[f].day * US_DAY, 7, 7, 7, /*remove_known*/ true};
        size_t n[2] = {0}, frauds[2] = {0};
        ck_ok(split_make(&d, &p, keep[0], keep[1]));
        for (size_t r = 0; r < d.rows; r++) {
            for (int k = 0; k < 2; k++) {
                n[k] += keep[k][r];
                frauds[k] += keep[k][r] && d.label[r];
            }
        }
        ck_assert_uint_eq(n[0], folds[f].train);
        ck_assert_uint_eq(frauds[0], folds[f].train_frauds);
        ck_assert_uint_eq(n[1], folds[f].test);
        ck_assert_uint_eq(frauds[1], folds[f].test_frauds);
        double ceiling;
        ck_ok(dataset_pick(&d, keep[1], &test));
        ck_ok(metric_card_precision_ceiling(&test, 100, &ceiling));
        ck_assert_msg(fabs(ceiling - folds[f].ceiling) < 6e-4, "%f", ceiling);
        dataset_release(&test);
    }
    free(keep[0]);
    free(keep[1]);
    dataset_release(&d);
}
END_TEST

START_TEST(known_entities_leave_after_the_delay)
{
    struct dataset d;
    ck_ok(dataset_init(&d, 0));
    add(&d, -1, 9, 1); /* before the start: not looked at */
    add(&d, 0, 1, 1), add(&d, 1, 2, 0);
    add(&d, 2, 3, 1), add(&d, 3, 4, 1); /* days of delay */
    for (uint64_t e = 1; e <= 5; e++)
        add(&d, 4, e, e == 5); /* known: day <= 4 - 2 - 1 */
    for (uint64_t e = 1; e <= 5; e++)
        add(&d, 5, e, 0);
    add(&d, 5, 9, 0), add(&d, 6, 5, 0);
    uint8_t train[18], test[18];
    struct split_protocol p = {.start_us = US_HOUR, .train_days = 2, .delay_days = 2, .test_days = 2, .remove_known = true};
    ck_assert_uint_eq(d.rows, 17);
    ck_ok(split_make(&d, &p, train, test));
    const uint8_t want_train[17] = {0, 1, 1}, want_test[17] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 0};
    ck_assert(memcmp(train, want_train, 17) == 0);
    ck_assert(memcmp(test, want_test, 17) == 0);
    p.remove_known = false;
    ck_ok(split_make(&d, &p, train, test));
    ck_assert(test[5] && test[10] && test[12] && !test[16]);
    p.test_days = 0;
    ck_err(split_make(&d, &p, train, test), KEER_EINVALID);
    p.test_days = UINT32_MAX;
    ck_err(split_make(&d, &p, train, test), KEER_ERANGE);
    dataset_release(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, rows_grow_and_start_empty);
    tcase_add_test(t, scenarios_are_numbered_once);
    tcase_add_test(t, data_sets_survive_failed_allocations);
    tcase_add_test(t, small_rankings_by_hand);
    tcase_add_test(t, empty_classes_and_nan);
    tcase_add_test(t, the_fast_way_is_the_slow_way);
    tcase_add_test(t, card_precision_by_hand);
    tcase_add_test(t, ties_are_broken_against_us);
    tcase_add_test(t, curves_count_and_thin);
    tcase_add_test(t, figures_survive_failed_allocations);
    tcase_add_test(t, known_entities_leave_after_the_delay);
    tcase_add_test(t, published_scores_give_published_figures);
    tcase_add_test(t, published_folds_have_published_sizes);
    suite_add_tcase(s, t);
    return test_main(s);
}
