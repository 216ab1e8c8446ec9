/* cmd_evaluate.c - `keer evaluate`: the report card, of a policy on a history, of folds that are trained anew, or of
 * decisions made before. */
#include <math.h>

#include "cli/history.h"
#include "cli/training.h"
#include "learn/collect.h"
#include "learn/metrics.h"
#include "learn/report.h"
#include "learn/split.h"

#define FOLDS_MAX 64

struct evaluating {
    struct collect rows;
    int64_t from_us, to_us;
    uint64_t types;
    bool labelled;
    bool scored_only;
    enum currency currency;
    struct report_fold fold[FOLDS_MAX];
    size_t folds;
    struct dataset measured; /* what the report is about; a view of rows.data or of its own */
    bool measured_own;
};

static int told(struct cli *cli, enum keer_err err)
{
    return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
}

static enum history_next on_event(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    struct evaluating *v = ctx;
    int64_t at = h->event->time_us;
    bool label = event_type_is_label(h->event->type);
    if (!label && (at < v->from_us || at >= v->to_us || !(v->types >> h->event->type & 1)))
        return HISTORY_GO;
    v->labelled |= !label && h->event->label != KEER_LABEL_NONE;
    enum keer_err err = collect_row(&v->rows, h->engine, h->event, d);
    if (err == KEER_OK)
        return HISTORY_GO;
    *ret_exit = told(h->cli, err);
    return HISTORY_FAILED;
}

/* --- folds: train and test anew from each day --- */

static enum keer_err append_rows(struct dataset *to, const struct dataset *from)
{
    for (size_t i = 0; i < from->rows; i++) {
        size_t r;
        enum keer_err err = dataset_add(to, &r);
        if (err != KEER_OK)
            return err;
        to->time_us[r] = from->time_us[i];
        to->entity[r] = from->entity[i];
        to->id[r] = from->id[i];
        to->amount[r] = from->amount[i];
        to->score[r] = from->score[i];
        to->outcome[r] = from->outcome[i];
        to->label[r] = from->label[i];
        to->known_us[r] = from->known_us[i];
        to->scenario[r] = from->scenario[i];
    }
    return KEER_OK;
}

static enum keer_err fold_score(struct dataset *test, struct slice json, struct report_fold *fold)
{
    struct model *model = NULL;
    struct model_error why;
    enum keer_err err = model_read(json, &model, &why);
    if (err != KEER_OK)
        return err;
    /* Columns of the dataset are the policy's features; the model has the same, in the same order. */
    for (size_t i = 0; i < test->rows; i++)
        test->score[i] = (float)model_score(model, test->x + i * test->cols);
    model_free(model);
    err = metric_auc(test->score, test->label, test->rows, &fold->auc);
    if (err == KEER_OK)
        err = metric_average_precision(test->score, test->label, test->rows, &fold->average_precision);
    if (err == KEER_OK)
        err = metric_card_precision(test, test->score, 100, &fold->card_precision);
    fold->rows = test->rows;
    for (size_t i = 0; i < test->rows; i++)
        fold->frauds += test->label[i];
    return err;
}

static int fold_run(struct cli *cli, struct evaluating *v, const struct split_protocol *p, uint8_t *train_mask,
                    uint8_t *test_mask)
{
    struct dataset train = {0}, test = {0};
    struct train_options o;
    struct train_result result = {0};
    struct report_fold *fold = &v->fold[v->folds];
    struct buf detail, day;
    buf_init(&detail, 4096);
    buf_init(&day, 64);
    time_print_date(&day, p->start_us);
    (void)snprintf(fold->name, sizeof fold->name, "%s", day.p ? day.p : "");
    enum keer_err err = split_make(&v->rows.data, p, train_mask, test_mask);
    if (err == KEER_OK)
        err = dataset_pick(&v->rows.data, train_mask, &train);
    if (err == KEER_OK)
        err = dataset_pick(&v->rows.data, test_mask, &test);
    /* What became known after the test began, nobody could train on. */
    int64_t test_us = time_floor_day(p->start_us) + (int64_t)(p->train_days + p->delay_days) * US_DAY;
    for (size_t i = 0; i < train.rows; i++)
        train.label[i] = train.label[i] && train.known_us[i] <= test_us;
    training_options(cli, "fold", &o);
    o.xgb.monotone = v->rows.has_monotone ? v->rows.monotone : NULL;
    o.categories = v->rows.category;
    o.categories_n = v->rows.text_features;
    o.delay_days = p->delay_days;
    if (err == KEER_OK)
        err = train_run(&train, &o, &detail, &result);
    if (err == KEER_OK)
        err = fold_score(&test, buf_view(&result.model), fold);
    if (err == KEER_OK)
        err = append_rows(&v->measured, &test);
    int code = err == KEER_OK ? CLI_DONE
                              : cli_fail(cli, cli_exit_of(err), err, "fold %s: %s", fold->name,
                                         detail.len ? detail.p : keer_err_text(err));
    v->folds++;
    train_result_release(&result);
    dataset_release(&train);
    dataset_release(&test);
    buf_release(&detail);
    buf_release(&day);
    return code;
}

static int folds_run(struct cli *cli, struct evaluating *v)
{
    size_t n = cli_values(cli, "folds");
    uint8_t *masks = calloc(v->rows.data.rows + 1, 2);
    v->measured_own = true;
    enum keer_err err = masks ? dataset_init(&v->measured, 0) : KEER_ENOMEM;
    if (err == KEER_OK)
        memcpy(v->measured.scenario_name, v->rows.data.scenario_name, sizeof v->measured.scenario_name);
    int code = err == KEER_OK ? CLI_DONE : told(cli, err);
    progress_start(&cli->progress, "train", "trees");
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        struct split_protocol p = {.start_us = cli_time_at(cli, "folds", i),
                                   .train_days = (unsigned)cli_count(cli, "train-days", 7),
                                   .delay_days = (unsigned)cli_count(cli, "delay-days", 7),
                                   .test_days = (unsigned)cli_count(cli, "test-days", 7),
                                   .remove_known = !cli_flag(cli, "keep-known")};
        code = fold_run(cli, v, &p, masks, masks + v->rows.data.rows);
    }
    progress_hide(&cli->progress);
    free(masks);
    return code;
}

/* --- from a policy and inputs --- */

static int from_policy(struct cli *cli, struct evaluating *v)
{
    struct history h;
    size_t folds = cli_values(cli, "folds");
    if (folds > FOLDS_MAX)
        return cli_usage(cli, "--folds: %d at most", FOLDS_MAX);
    int code = history_open(
        cli, cli_text(cli, "policy"),
        KEER_POLICY_WITHOUT_EXAMPLES | (folds || cli_values(cli, "model") ? KEER_POLICY_WITHOUT_MODELS : 0), &h);
    for (size_t i = 0; code == CLI_DONE && i < cli_values(cli, "model"); i++) {
        struct slice path = cli_text_at(cli, "model", i), name = {NULL, 0};
        if (memchr(path.p, '=', path.len))
            name = slice_cut(&path, '=');
        code = policy_use_model(cli, h.policy, name, path.p);
    }
    if (code == CLI_DONE && folds && !h.policy->feature_count)
        code = cli_usage(cli, "--folds: the policy has no `features` to train on");
    if (code == CLI_DONE) {
        h.until_us = v->to_us;
        v->currency = h.policy->currency;
        for (unsigned m = 0; m < h.policy->model_count; m++)
            v->types = m == 0 ? h.policy->models[0].types : v->types;
        enum keer_err err = collect_init(&v->rows, h.policy);
        code = err == KEER_OK ? history_run(&h, cli->args, cli->arg_count, on_event, v) : told(cli, err);
    }
    if (code == CLI_DONE && h.bad)
        cli_note(cli, NULL, "%llu bad lines left out", (unsigned long long)h.bad);
    if (code == CLI_DONE && collect_labels(&v->rows))
        v->labelled = true;
    if (code == CLI_DONE && folds)
        code = folds_run(cli, v);
    else
        v->measured = v->rows.data;
    v->rows.policy = NULL; /* what follows needs the rows alone */
    history_close(&h);
    return code;
}

/* --- from decisions --- */

/* What `keer replay` writes, as a mapping: the readers do the rest. */
static const char decisions_map[] =
    "id id\ntime time\ntype type\naccount account\namount amount in currency\noutcome outcome\nscore score\n"
    "label fraud\nscenario scenario\n";

struct decisions {
    struct cli *cli;
    struct keer_schema schema;
    struct mapping *mapping;
    struct keer_event *ev;
    struct input *input;
    struct io_in in;
    int account, amount, outcome, score;
};

static enum keer_err decision_row(struct evaluating *v, const struct decisions *s)
{
    const struct keer_event *ev = s->ev;
    size_t r;
    enum keer_err err = dataset_add(&v->measured, &r);
    if (err != KEER_OK)
        return err;
    struct dataset *d = &v->measured;
    d->time_us[r] = ev->time_us;
    d->id[r] = ev->id_hash.lo;
    d->entity[r] = event_has(ev, (unsigned)s->account) ? ev->v[s->account].u.hash.lo : 0;
    d->amount[r] = (double)NAN;
    if (event_has(ev, (unsigned)s->amount)) {
        v->currency = (enum currency)ev->v[s->amount].x.currency;
        d->amount[r] = (double)ev->v[s->amount].u.minor / currency_scale(v->currency);
    }
    d->score[r] = event_has(ev, (unsigned)s->score) ? (float)ev->v[s->score].u.number : NAN;
    d->label[r] = ev->label == KEER_LABEL_FRAUD;
    d->scenario[r] = (uint8_t)dataset_scenario(d, ev->scenario);
    v->labelled |= ev->label != KEER_LABEL_NONE;
    for (unsigned o = 0; o < KEER_OUTCOME_MAX; o++)
        if (event_has(ev, (unsigned)s->outcome) &&
            slice_eqi(event_text(ev, (unsigned)s->outcome), slice_str(keer_outcome_name((enum keer_outcome)o))))
            d->outcome[r] = (uint8_t)o;
    return KEER_OK;
}

static enum keer_err decisions_open(struct decisions *s)
{
    struct mapping_errors errors;
    unsigned slot[4];
    static const char *const names[] = {"account", "amount", "outcome"};
    enum keer_err err = schema_init(&s->schema, HASH_KEY_DEFAULT);
    for (unsigned i = 0; i < 3 && err == KEER_OK; i++)
        err = schema_add_known(&s->schema, slice_str(names[i]), &slot[i]);
    if (err == KEER_OK)
        err = schema_add(&s->schema, SLICE("score"), KEER_NUMBER, false, &slot[3]);
    if (err == KEER_OK)
        err = mapping_parse(SLICE(decisions_map), &s->mapping, &errors);
    if (err == KEER_OK)
        err = keer_event_new(&s->schema, &s->ev);
    if (err != KEER_OK)
        return err;
    s->account = (int)slot[0];
    s->amount = (int)slot[1];
    s->outcome = (int)slot[2];
    s->score = (int)slot[3];
    return KEER_OK;
}

/* All records of one chunk. */
static int decisions_take(struct evaluating *v, struct decisions *s)
{
    struct input_error ie;
    for (;;) {
        enum input_result got = input_next(s->input, s->ev, &ie);
        if (got == INPUT_BAD || got == INPUT_FAILED) {
            struct cli_place place = {s->in.path, ie.line, ie.column, ie.hint[0] ? ie.hint : NULL};
            return cli_fail_at(s->cli, CLI_BAD_INPUT, ie.code, &place, "%s", ie.what);
        }
        if (got != INPUT_EVENT)
            return CLI_DONE;
        if (s->ev->time_us < v->from_us || s->ev->time_us >= v->to_us || event_type_is_label(s->ev->type))
            continue;
        enum keer_err err = decision_row(v, s);
        if (err != KEER_OK)
            return told(s->cli, err);
    }
}

static int decisions_read(struct evaluating *v, struct decisions *s)
{
    struct io_why why;
    struct slice chunk;
    struct input_error ie;
    int code = CLI_DONE;
    enum keer_err err = io_open(&s->in, cli_text(s->cli, "decisions"), &why);
    if (err != KEER_OK)
        return cli_fail(s->cli, cli_exit_of(err), err, "%s", why.text);
    for (bool last = false; code == CLI_DONE && !last;) {
        err = io_read(&s->in, &chunk, &why);
        if (err != KEER_OK)
            return cli_fail(s->cli, cli_exit_of(err), err, "%s", why.text);
        last = chunk.len == 0;
        if (!s->input) {
            struct slice first = slice_trim(chunk);
            struct input_options o = {.format = first.len && first.p[0] == '{' ? INPUT_NDJSON : INPUT_CSV,
                                      .mapping = s->mapping};
            err = input_new(&s->schema, &o, &s->input, &ie);
            if (err != KEER_OK)
                return cli_fail(s->cli, CLI_BAD_INPUT, err, "%s: %s", s->in.path, ie.what);
        }
        err = input_feed(s->input, chunk, last);
        code = err == KEER_OK ? decisions_take(v, s) : told(s->cli, err);
    }
    return code;
}

static int from_decisions(struct cli *cli, struct evaluating *v)
{
    struct decisions s = {.cli = cli};
    enum keer_err err = decisions_open(&s);
    if (err == KEER_OK) {
        v->measured_own = true;
        err = dataset_init(&v->measured, 0);
    }
    int code = err == KEER_OK ? decisions_read(v, &s) : told(cli, err);
    input_free(s.input);
    io_close(&s.in);
    keer_event_free(s.ev);
    mapping_free(s.mapping);
    schema_release(&s.schema);
    return code;
}

/* --- the report --- */

static int write_scores(struct cli *cli, const struct dataset *d, const char *path)
{
    struct io_out out = {0};
    struct io_why why;
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    enum keer_err err = io_out_open(&out, path, &why);
    if (err == KEER_OK)
        io_out_puts(&out, "time,id,label,score\n");
    for (size_t i = 0; i < d->rows && err == KEER_OK && b.err == KEER_OK; i++) {
        buf_clear(&b);
        time_print(&b, d->time_us[i]);
        buf_fmt(&b, ",%016llx,%d,", (unsigned long long)d->id[i], d->label[i]);
        buf_f64(&b, (double)d->score[i]);
        buf_char(&b, '\n');
        io_out_put(&out, buf_view(&b));
    }
    if (err == KEER_OK)
        err = b.err != KEER_OK ? b.err : io_out_commit(&out, &why);
    io_out_abandon(&out);
    buf_release(&b);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int write_page(struct cli *cli, const struct report *r, const char *path)
{
    struct io_out out = {0};
    struct io_why why;
    struct buf page;
    buf_init(&page, (size_t)64 << 20);
    enum keer_err err = report_html(r, &page);
    if (err != KEER_OK) {
        buf_release(&page);
        return told(cli, err);
    }
    err = io_out_open(&out, path, &why);
    if (err == KEER_OK) {
        io_out_put(&out, buf_view(&page));
        err = io_out_commit(&out, &why);
    }
    io_out_abandon(&out);
    buf_release(&page);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int tell_report(struct cli *cli, struct evaluating *v)
{
    struct report_options o = report_options_default();
    struct report r = {0};
    struct buf b;
    const char *policy = cli_text(cli, "policy"), *page = cli_text(cli, "html"), *scores = cli_text(cli, "scores");
    o.title = SLICE("Report card");
    o.policy = slice_str(policy ? policy : cli_text(cli, "decisions"));
    o.version = SLICE(KEER_VERSION);
    o.currency = v->currency;
    o.disturb_cost = cli_number(cli, "cost", 5);
    o.labelled = v->labelled;
    o.folds = v->fold;
    o.fold_count = v->folds;
    o.budget_count = 0;
    for (size_t i = 0; i < cli_values(cli, "alerts-per-day") && i < REPORT_BUDGETS_MAX; i++)
        o.budgets[o.budget_count++] = (uint32_t)MIN_OF(cli_count_at(cli, "alerts-per-day", i), 10000000u);
    enum keer_err err = report_compute(&v->measured, &o, &r);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s",
                        err == KEER_EMISSING ? "there are no events to measure in that span" : keer_err_text(err));
    buf_init(&b, (size_t)64 << 20);
    err = cli->json ? report_json(&r, &b) : report_text(&r, cli->color_out, &b);
    int code = err == KEER_OK ? CLI_DONE : told(cli, err);
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&b);
    if (code == CLI_DONE && page)
        code = write_page(cli, &r, page);
    if (code == CLI_DONE && page)
        cli_note(cli, NULL, "report written to %s", page);
    if (code == CLI_DONE && scores)
        code = write_scores(cli, &v->measured, scores);
    report_release(&r);
    return code;
}

int cmd_evaluate(struct cli *cli)
{
    struct evaluating v = {.from_us = cli_time(cli, "from", INT64_MIN),
                           .to_us = cli_time(cli, "until", INT64_MAX),
                           .types = ~(uint64_t)0,
                           .currency = CUR_EUR};
    bool policy = cli_given(cli, "policy"), decisions = cli_given(cli, "decisions");
    if (policy == decisions)
        return cli_usage(cli, "give either --policy and inputs, or --decisions");
    if (policy && !cli->arg_count)
        return cli_usage(cli, "no input: a file of events, or - for standard input");
    if (decisions && (cli->arg_count || cli_values(cli, "folds")))
        return cli_usage(cli, "--decisions takes no inputs and no --folds");
    int code = policy ? from_policy(cli, &v) : from_decisions(cli, &v);
    if (code == CLI_DONE)
        code = tell_report(cli, &v);
    if (v.measured_own)
        dataset_release(&v.measured);
    collect_release(&v.rows);
    return code;
}
