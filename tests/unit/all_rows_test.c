/* all_rows_test.c - on every row of the Handbook's transactions our evaluator gives what XGBoost gives, to 1e-6. */
#include <math.h>

#include "core/engine.h"
#include "core/input.h"
#include "learn/collect.h"
#include "learn/xgb.h"
#include "lib/test.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static enum keer_err slurp(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return KEER_EIO;
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_put(out, chunk, n);
    (void)fclose(f);
    return out->err;
}

/* The history through the policy; a row for each transaction. */
static void collect_history(const char *shared, struct keer_policy *p, struct collect *rows)
{
    struct keer_engine *e = NULL;
    struct keer_event *ev = NULL;
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct input *in = NULL;
    struct input_error why;
    struct buf map;
    char command[4300];
    static char chunk[1 << 20];
    buf_init(&map, 65536);
    ck_ok(slurp("policies/handbook.map", &map));
    ck_ok(mapping_parse(buf_view(&map), &m, &errors));
    ck_ok(keer_engine_new(p, NULL, &e));
    ck_ok(keer_event_new(&p->schema, &ev));
    ck_ok(input_new(&p->schema, &(struct input_options){.mapping = m}, &in, &why));
    (void)snprintf(command, sizeof command, "xz -dc '%s/data/handbook/handbook_tx.csv.xz'", shared);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    enum keer_err err = KEER_OK;
    enum input_result got = INPUT_MORE;
    while (err == KEER_OK && got != INPUT_END) {
        size_t n = fread(chunk, 1, sizeof chunk, f);
        err = input_feed(in, slice_of(chunk, n), n == 0);
        while (err == KEER_OK && (got = input_next(in, ev, &why)) == INPUT_EVENT) {
            struct keer_decision d;
            err = keer_engine_decide(e, ev, &d);
            if (err == KEER_OK)
                err = collect_row(rows, e, ev, &d);
        }
        if (got != INPUT_MORE && got != INPUT_END)
            break;
    }
    ck_assert_int_eq(got, INPUT_END);
    ck_ok(err);
    (void)pclose(f);
    input_free(in);
    mapping_free(m);
    buf_release(&map);
    keer_event_free(ev);
    keer_engine_free(e);
}

static void train_on_a_week(const struct dataset *all, struct train_result *ret_r)
{
    struct dataset week;
    struct train_options o;
    struct buf detail;
    int64_t from;
    uint8_t *keep = calloc(all->rows, 1);
    ck_assert_ptr_nonnull(keep);
    ck_ok(time_parse(SLICE("2018-07-25"), &from));
    for (size_t i = 0; i < all->rows; i++)
        keep[i] = all->time_us[i] >= from && all->time_us[i] < from + 7 * US_DAY;
    ck_ok(dataset_pick(all, keep, &week));
    free(keep);
    buf_init(&detail, 4096);
    train_options_published(&o);
    o.name = "all";
    o.xgb.tree_method = "hist";
    o.xgb.depth = 6;
    o.xgb.nthread = 1;
    ck_ok(train_run(&week, &o, &detail, ret_r));
    buf_release(&detail);
    dataset_release(&week);
}

START_TEST(every_row_of_the_data_set_scores_as_the_library_does)
{
    const char *shared = shared_dir();
    struct buf text, detail;
    struct keer_policy *p = NULL;
    struct collect rows;
    struct train_result trained;
    struct model *ours = NULL;
    struct model_error why;
    struct xgb *g = NULL;
    struct xgb_model *theirs = NULL;
    if (!shared)
        return;
#ifdef SANITIZED
    printf("skipped: 1.75 million rows take minutes under a sanitizer\n");
    return;
#endif
    buf_init(&text, 1 << 20);
    buf_init(&detail, 4096);
    ck_ok(slurp("policies/handbook.keer", &text));
    ck_ok(policy_make("handbook.keer", buf_view(&text), NULL, KEER_POLICY_WITHOUT_MODELS, &p));
    ck_ok(collect_init(&rows, p));
    collect_history(shared, p, &rows);
    const struct dataset *d = &rows.data;
    ck_assert_uint_eq(d->rows, 1754155);
    train_on_a_week(d, &trained);
    ck_ok(model_read(buf_view(&trained.model), &ours, &why));
    ck_ok(xgb_open(NULL, &detail, &g));
    ck_ok(xgb_load(g, buf_view(&trained.model), d->cols, &theirs));
    float *margin = calloc(d->rows, sizeof *margin);
    ck_assert_ptr_nonnull(margin);
    ck_ok(xgb_margins(theirs, &(struct xgb_rows){.x = d->x, .rows = d->rows, .cols = d->cols}, margin));
    size_t equal = 0;
    double worst = 0;
    for (size_t i = 0; i < d->rows; i++) {
        double off = fabs(model_margin(ours, d->x + i * d->cols) - (double)margin[i]);
        worst = MAX_OF(worst, off);
        equal += off == 0;
    }
    printf("# %zu rows, %zu bit-identical, largest difference %g\n", d->rows, equal, worst);
    ck_assert(worst <= 1e-6);
    free(margin);
    xgb_model_free(theirs);
    xgb_close(g);
    model_free(ours);
    train_result_release(&trained);
    collect_release(&rows);
    keer_policy_free(p);
    buf_release(&text);
    buf_release(&detail);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("all_rows");
    TCase *t = tcase_create("all_rows");
    tcase_add_test(t, every_row_of_the_data_set_scores_as_the_library_does);
    suite_add_tcase(s, t);
    return test_main(s);
}
