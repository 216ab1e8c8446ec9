/* report_json.c - a report card as one JSON object; the keys are in report.h. */
#include "learn/report.h"

/* A writer of objects and arrays: `first` says whether the next item needs a comma. */
struct json {
    struct buf *b;
    bool first, labels;
};

static void item(struct json *j, const char *key)
{
    if (!j->first)
        buf_char(j->b, ',');
    j->first = false;
    if (key) {
        buf_json(j->b, slice_str(key));
        buf_char(j->b, ':');
    }
}
static void open(struct json *j, const char *key, char bracket)
{
    item(j, key);
    buf_char(j->b, bracket);
    j->first = true;
}
static void close(struct json *j, char bracket)
{
    buf_char(j->b, bracket);
    j->first = false;
}
static void count(struct json *j, const char *key, uint64_t v)
{
    item(j, key);
    buf_u64(j->b, v);
}
/* What only labels tell. */
static void labelled(struct json *j, const char *key, uint64_t v)
{
    item(j, key);
    if (j->labels)
        buf_u64(j->b, v);
    else
        buf_puts(j->b, "null");
}
static void number(struct json *j, const char *key, double v)
{
    item(j, key);
    buf_f64(j->b, v);
}
static void text(struct json *j, const char *key, const char *v)
{
    item(j, key);
    buf_json(j->b, slice_str(v));
}
static void boolean(struct json *j, const char *key, bool v)
{
    item(j, key);
    buf_puts(j->b, v ? "true" : "false");
}
static void null(struct json *j, const char *key)
{
    item(j, key);
    buf_puts(j->b, "null");
}
/* Times and dates are ASCII without anything to escape. */
static void when(struct json *j, const char *key, int64_t us, void (*print)(struct buf *, int64_t))
{
    item(j, key);
    buf_char(j->b, '"');
    print(j->b, us);
    buf_char(j->b, '"');
}

static void put_head(struct json *j, const struct report *r)
{
    text(j, "format", "keer-report-1");
    text(j, "title", r->title);
    text(j, "policy", r->policy);
    text(j, "version", r->version);
    text(j, "currency", currency_code(r->currency));
    number(j, "disturb_cost", r->disturb_cost);
    item(j, "label_delay_us");
    buf_i64(j->b, r->label_delay_us);
    boolean(j, "has_labels", r->has_labels);
    boolean(j, "has_score", r->has_score);
    boolean(j, "has_amount", r->has_amount);
    boolean(j, "has_decisions", r->has_decisions);
    count(j, "rows", r->rows);
    labelled(j, "frauds", r->frauds);
    labelled(j, "genuine", r->genuine);
    count(j, "unscored", r->unscored);
    number(j, "fraud_share", r->fraud_share);
    when(j, "first", r->first_us, time_print);
    when(j, "last", r->last_us, time_print);
    count(j, "days", r->days);
}

static void put_point(struct json *j, const char *key, const struct report *r, const struct report_point *p)
{
    open(j, key, '{');
    number(j, "threshold", p->threshold);
    count(j, "alerts", p->alerts);
    labelled(j, "frauds", p->frauds);
    labelled(j, "customers", p->customers);
    number(j, "saved", p->saved);
    number(j, "precision", report_precision(r, p));
    number(j, "recall", report_recall(r, p));
    number(j, "disturbance", report_disturbance(r, p));
    number(j, "net_per_day", report_net(r, p));
    close(j, '}');
}

static void put_budgets(struct json *j, const char *key, const struct report_budget *budgets, size_t n)
{
    open(j, key, '[');
    for (size_t i = 0; i < n; i++) {
        const struct report_budget *b = &budgets[i];
        open(j, NULL, '{');
        count(j, "budget", b->budget);
        count(j, "alerts", b->alerts);
        labelled(j, "frauds", b->frauds);
        number(j, "saved", b->saved);
        number(j, "precision", b->precision);
        number(j, "recall", b->recall);
        number(j, "money_recall", b->money_recall);
        close(j, '}');
    }
    close(j, ']');
}

static void put_ranking(struct json *j, const struct report *r)
{
    number(j, "auc", r->auc);
    number(j, "average_precision", r->average_precision);
    open(j, "card_precision", '{');
    count(j, "k", r->card_k);
    number(j, "value", r->card_precision);
    number(j, "ceiling", r->card_precision_ceiling);
    close(j, '}');
    open(j, "ranked", '{');
    labelled(j, "frauds", r->ranked);
    number(j, "recall", r->ranked_recall);
    close(j, '}');
    number(j, "brier", r->brier);
    open(j, "levels", '[');
    for (unsigned i = 0; i < REPORT_LEVELS; i++) {
        const struct report_level *l = &r->levels[i];
        open(j, NULL, '{');
        number(j, "level", l->level);
        number(j, "threshold", l->threshold);
        number(j, "disturbance", l->disturbance);
        number(j, "precision", l->precision);
        number(j, "recall", l->recall);
        labelled(j, "alerts", l->alerts);
        close(j, '}');
    }
    close(j, ']');
}

static void put_thresholds(struct json *j, const struct report *r)
{
    put_budgets(j, "budgets", r->budgets, r->budget_count);
    open(j, "thresholds", '[');
    for (unsigned i = 0; i < r->threshold_count; i++)
        put_point(j, NULL, r, &r->thresholds[i]);
    close(j, ']');
    if (isnan(r->best.threshold))
        null(j, "best");
    else
        put_point(j, "best", r, &r->best);
    open(j, "calibration", '[');
    for (unsigned i = 0; i < REPORT_BINS; i++) {
        open(j, NULL, '{');
        count(j, "rows", r->bins[i].rows);
        labelled(j, "frauds", r->bins[i].frauds);
        number(j, "score_mean", r->bins[i].score_mean);
        number(j, "fraud_share", r->bins[i].fraud_share);
        close(j, '}');
    }
    close(j, ']');
}

static const char *const outcome_names[REPORT_OUTCOMES] = {"allow", "challenge", "review", "deny"};

static void put_decisions(struct json *j, const struct report *r)
{
    open(j, "outcomes", '{');
    for (unsigned k = 0; k < REPORT_OUTCOMES; k++) {
        const struct report_outcome *o = &r->outcomes[k];
        open(j, outcome_names[k], '{');
        count(j, "rows", o->rows);
        labelled(j, "frauds", o->frauds);
        labelled(j, "genuine", o->genuine);
        number(j, "fraud_amount", o->fraud_amount);
        number(j, "genuine_amount", o->genuine_amount);
        number(j, "precision", r->has_labels ? report_ratio((double)o->frauds, (double)o->rows) : (double)NAN);
        close(j, '}');
    }
    close(j, '}');
    number(j, "coverage", r->coverage);
    number(j, "money_coverage", r->money_coverage);
    number(j, "disturbance", r->disturbance);
    number(j, "fraud_amount", r->fraud_amount);
    number(j, "stopped_amount", r->stopped_amount);
    number(j, "lost_amount", r->lost_amount);
    number(j, "held_amount", r->held_amount);
}

static void put_scenarios(struct json *j, const struct report *r)
{
    open(j, "scenarios", '[');
    for (unsigned i = 0; i < r->scenario_count; i++) {
        const struct report_scenario *s = &r->scenarios[i];
        open(j, NULL, '{');
        text(j, "name", s->name);
        count(j, "rows", s->rows);
        labelled(j, "frauds", s->frauds);
        number(j, "amount", s->amount);
        number(j, "stopped_amount", s->stopped_amount);
        open(j, "by_outcome", '{');
        for (unsigned k = 0; k < REPORT_OUTCOMES; k++)
            labelled(j, outcome_names[k], s->by_outcome[k]);
        close(j, '}');
        number(j, "coverage", s->coverage);
        labelled(j, "ranked", s->ranked);
        number(j, "ranked_recall", s->ranked_recall);
        labelled(j, "disturbed", s->disturbed);
        number(j, "disturbance", s->disturbance);
        close(j, '}');
    }
    close(j, ']');
}

static void put_containment(struct json *j, const struct report_containment *c)
{
    open(j, "containment", '{');
    labelled(j, "entities", c->entities);
    labelled(j, "contained", c->contained);
    labelled(j, "never", c->never);
    labelled(j, "unknown", c->unknown);
    number(j, "lost", c->lost);
    number(j, "lost_median", c->lost_median);
    number(j, "lost_p90", c->lost_p90);
    number(j, "time_median_us", c->time_median_us);
    number(j, "time_p90_us", c->time_p90_us);
    close(j, '}');
}

static void put_latency(struct json *j, const struct report_latency *l)
{
    if (!(l->p50_ns > 0)) {
        null(j, "latency");
        return;
    }
    open(j, "latency", '{');
    number(j, "p50_ns", l->p50_ns);
    number(j, "p99_ns", l->p99_ns);
    number(j, "p999_ns", l->p999_ns);
    close(j, '}');
}

static void put_mean(struct json *j, const char *key, struct report_mean m)
{
    open(j, key, '{');
    number(j, "mean", m.mean);
    number(j, "std", m.std);
    close(j, '}');
}

static void put_folds(struct json *j, const struct report *r)
{
    if (r->fold_count == 0) {
        null(j, "folds");
        return;
    }
    open(j, "folds", '{');
    open(j, "items", '[');
    for (size_t i = 0; i < r->fold_count; i++) {
        const struct report_fold *f = &r->folds[i];
        open(j, NULL, '{');
        text(j, "name", f->name);
        number(j, "auc", f->auc);
        number(j, "average_precision", f->average_precision);
        number(j, "card_precision", f->card_precision);
        count(j, "rows", f->rows);
        count(j, "frauds", f->frauds);
        close(j, '}');
    }
    close(j, ']');
    put_mean(j, "auc", r->fold_auc);
    put_mean(j, "average_precision", r->fold_average_precision);
    put_mean(j, "card_precision", r->fold_card_precision);
    close(j, '}');
}

static void put_series(struct json *j, const struct report *r)
{
    open(j, "per_day", '[');
    for (uint64_t i = 0; i < r->days; i++) {
        const struct report_day *day = &r->day[i];
        open(j, NULL, '{');
        when(j, "date", r->day0_us + (int64_t)i * US_DAY, time_print_date);
        count(j, "rows", day->rows);
        labelled(j, "frauds", day->frauds);
        count(j, "acted", day->acted);
        labelled(j, "caught", day->caught);
        count(j, "ranked", day->ranked);
        labelled(j, "ranked_caught", day->ranked_caught);
        number(j, "lost", day->lost);
        close(j, '}');
    }
    close(j, ']');
    open(j, "curve", '[');
    for (size_t i = 0; i < r->curve_count; i++)
        put_point(j, NULL, r, &r->curve[i]);
    close(j, ']');
    put_budgets(j, "budget_curve", r->budget_curve, r->budget_curve_count);
}

enum keer_err report_json(const struct report *r, struct buf *b)
{
    struct json j = {b, true, r->has_labels};
    open(&j, NULL, '{');
    put_head(&j, r);
    put_ranking(&j, r);
    put_thresholds(&j, r);
    put_decisions(&j, r);
    put_scenarios(&j, r);
    put_containment(&j, &r->containment);
    put_latency(&j, &r->latency);
    put_folds(&j, r);
    put_series(&j, r);
    close(&j, '}');
    buf_char(b, '\n');
    return b->err;
}
