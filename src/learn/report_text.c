/* report_text.c - a report card for a terminal: at most 100 columns and about 45 lines. */
#include "learn/report.h"
#include "learn/report_fmt.h"

#define TEXT_SCENARIOS 8 /* rows shown; the rest is counted in one line */
#define TEXT_BUDGETS 8

struct out {
    struct buf *b;
    const struct report *r;
    bool colour;
};

static const char *const outcome_names[REPORT_OUTCOMES] = {"allow", "challenge", "review", "deny"};

/* The left column: what the line is about. */
static void head(struct out *t, const char *name) { buf_fmt(t->b, t->colour ? "\033[1m%-14s\033[0m" : "%-14s", name); }

static void put_title(struct out *t)
{
    const struct report *r = t->r;
    struct name title = name_clean(slice_str(r->title), 60), policy = name_clean(slice_str(r->policy), 40);
    struct name version = name_clean(slice_str(r->version), 16);
    buf_fmt(t->b, t->colour ? "\033[1m%s\033[0m" : "%s", title.width ? title.s : "Report card");
    if (version.width)
        buf_fmt(t->b, "   keer %s", version.s);
    buf_fmt(t->b, "\n%s rows", cell_count(r->rows).s);
    if (r->has_labels)
        buf_fmt(t->b, ", %s fraud (%s)", cell_count(r->frauds).s, cell_percent(r->fraud_share).s);
    buf_fmt(t->b, ", %s to %s (%s day%s)", cell_date(r->first_us).s, cell_date(r->last_us).s, cell_count(r->days).s,
            r->days == 1 ? "" : "s");
    if (r->label_delay_us)
        buf_fmt(t->b, ", labels %s late", cell_duration((double)r->label_delay_us).s);
    if (policy.width)
        buf_fmt(t->b, "\npolicy %s", policy.s);
    buf_puts(t->b, "\n");
    if (!r->has_labels)
        buf_puts(t->b, "No labels: nothing here says whether an alert was right. Figures that need labels are left out.\n");
    else if (r->frauds == 0)
        buf_puts(t->b, "No row is labelled fraud: what was caught can't be told. Those figures are left out.\n");
    else if (r->genuine == 0)
        buf_puts(t->b, "Every row is labelled fraud: whom this disturbs can't be told.\n");
    if (!r->has_decisions)
        buf_puts(t->b, "Nothing was stopped: every decision was to allow.\n");
    if (!r->has_score)
        buf_puts(t->b, "No score: rules only. Figures about ranking and thresholds are left out.\n");
    else if (r->unscored)
        buf_fmt(t->b, "%s rows have no score; they rank below all others.\n", cell_count(r->unscored).s);
}

static void put_ranking(struct out *t)
{
    const struct report *r = t->r;
    if (!r->has_score || r->frauds == 0)
        return;
    buf_puts(t->b, "\n");
    head(t, "Ranking");
    buf_fmt(t->b, "AUC ROC %s  average precision %s  card precision@%s %s", cell_fixed(r->auc, 4).s,
            cell_fixed(r->average_precision, 4).s, cell_count(r->card_k).s, cell_fixed(r->card_precision, 4).s);
    buf_fmt(t->b, " (max %s)\n", cell_fixed(r->card_precision_ceiling, 4).s);
    if (r->genuine) {
        head(t, "Recall");
        for (unsigned i = 0; i < REPORT_LEVELS; i++)
            buf_fmt(t->b, "%s%s at %s", i ? "   " : "", cell_percent1(r->levels[i].recall).s,
                    cell_level(r->levels[i].level).s);
        buf_puts(t->b, " of good customers' rows disturbed\n");
    }
    if (r->budget_count == 0)
        return;
    unsigned n = MIN_OF(r->budget_count, (unsigned)TEXT_BUDGETS);
    buf_puts(t->b, "\n");
    head(t, "Alerts a day");
    for (unsigned i = 0; i < n; i++)
        buf_fmt(t->b, "%10s", cell_count(r->budgets[i].budget).s);
    buf_puts(t->b, "\n  precision   ");
    for (unsigned i = 0; i < n; i++)
        buf_fmt(t->b, "%10s", cell_percent1(r->budgets[i].precision).s);
    buf_puts(t->b, "\n  recall      ");
    for (unsigned i = 0; i < n; i++)
        buf_fmt(t->b, "%10s", cell_percent1(r->budgets[i].recall).s);
    if (r->has_amount) {
        buf_puts(t->b, "\n  of the money");
        for (unsigned i = 0; i < n; i++)
            buf_fmt(t->b, "%10s", cell_percent1(r->budgets[i].money_recall).s);
    }
    buf_puts(t->b, "\n");
}

static void put_outcomes(struct out *t)
{
    const struct report *r = t->r;
    buf_puts(t->b, "\n");
    head(t, "Decisions");
    buf_fmt(t->b, "%12s%10s", "rows", "share");
    if (r->has_labels)
        buf_fmt(t->b, "%10s%11s%19s%19s", "frauds", "precision", "fraud money", "genuine money");
    buf_puts(t->b, "\n");
    for (unsigned k = 0; k < REPORT_OUTCOMES; k++) {
        const struct report_outcome *o = &r->outcomes[k];
        buf_fmt(t->b, "  %-12s%12s%10s", outcome_names[k], cell_count(o->rows).s,
                cell_percent(report_ratio((double)o->rows, (double)r->rows)).s);
        if (r->has_labels)
            buf_fmt(t->b, "%10s%11s%19s%19s", cell_count(o->frauds).s,
                    cell_percent1(report_ratio((double)o->frauds, (double)o->rows)).s,
                    cell_amount(r->has_amount ? o->fraud_amount : (double)NAN, r->currency).s,
                    cell_amount(r->has_amount ? o->genuine_amount : (double)NAN, r->currency).s);
        buf_puts(t->b, "\n");
    }
    if (!r->has_labels)
        return;
    bool high = r->disturbance > REPORT_ANCHOR;
    if (r->frauds) {
        head(t, "Coverage");
        buf_fmt(t->b, "%s of frauds", cell_percent(r->coverage).s);
        if (r->has_amount)
            buf_fmt(t->b, " and %s of fraud money", cell_percent(r->money_coverage).s);
        buf_puts(t->b, " stopped\n");
    }
    head(t, "Disturbance");
    buf_fmt(t->b, t->colour && high ? "\033[31m%s\033[0m" : "%s", cell_percent(r->disturbance).s);
    buf_fmt(t->b, " of genuine rows challenged or denied%s\n",
            isnan(r->disturbance) ? ""
            : high                ? " (above the anchor of 0.1 %)"
                                  : " (within the anchor of 0.1 %)");
}

static void put_money(struct out *t)
{
    const struct report *r = t->r;
    const struct report_containment *c = &r->containment;
    if (r->frauds && r->has_amount) {
        buf_puts(t->b, "\n");
        head(t, "Money");
        buf_fmt(t->b, "fraud %s = ", cell_money(r->fraud_amount, r->currency).s);
        buf_fmt(t->b, "stopped %s + lost %s; ", cell_amount(r->stopped_amount, r->currency).s,
                cell_amount(r->lost_amount, r->currency).s);
        buf_fmt(t->b, "genuine held up %s\n", cell_amount(r->held_amount, r->currency).s);
    }
    if (c->entities) {
        head(t, "Containment");
        if (r->has_amount)
            buf_fmt(t->b, "lost before it: median %s, p90 %s a customer\n              ",
                    cell_money(c->lost_median, r->currency).s, cell_amount(c->lost_p90, r->currency).s);
        if (c->contained)
            buf_fmt(t->b, "time to it: median %s, p90 %s; ", cell_duration(c->time_median_us).s,
                    cell_duration(c->time_p90_us).s);
        buf_fmt(t->b, "never: %s of %s customers (%s)\n", cell_count(c->never).s, cell_count(c->entities).s,
                cell_percent(report_ratio((double)c->never, (double)c->entities)).s);
    }
    if (!r->has_score || !r->frauds || !r->has_amount)
        return;
    head(t, "Threshold");
    if (isnan(r->best.threshold)) {
        buf_fmt(t->b, "none: at %s a disturbed customer, every threshold costs more than it saves\n",
                cell_money(r->disturb_cost, r->currency).s);
        return;
    }
    double days = (double)r->days;
    buf_fmt(t->b, "best %s: saves %s a day, ", cell_fixed(r->best.threshold, 4).s,
            cell_money(r->best.saved / days, r->currency).s);
    buf_fmt(t->b, "disturbs %s good customers a day\n              ", cell_fixed((double)r->best.customers / days, 1).s);
    buf_fmt(t->b, "at %s each: ", cell_money(r->disturb_cost, r->currency).s);
    buf_fmt(t->b, "net %s a day\n", cell_money(report_net(r, &r->best), r->currency).s);
}

static void put_scenarios(struct out *t)
{
    const struct report *r = t->r;
    if (r->scenario_count == 0 || !r->has_labels)
        return;
    buf_puts(t->b, "\n");
    buf_fmt(t->b, t->colour ? "\033[1m%-24s\033[0m%8s%16s%8s" : "%-24s%8s%16s%8s", "Scenario", "frauds", "money", "allow");
    buf_fmt(t->b, "%11s%8s%8s%s\n", "challenge", "review", "deny", r->has_score ? "  by score" : "");
    for (unsigned i = 0; i < r->scenario_count && i < TEXT_SCENARIOS; i++) {
        const struct report_scenario *s = &r->scenarios[i];
        struct name name = name_clean(slice_str(s->name[0] ? s->name : "(not told)"), 21);
        double frauds = (double)s->frauds;
        buf_puts(t->b, "  ");
        name_pad(t->b, &name, 22);
        if (s->frauds == 0) {
            buf_fmt(t->b, "%8s  %s genuine rows, %s disturbed", "0", cell_count(s->rows).s, cell_percent(s->disturbance).s);
        } else {
            buf_fmt(t->b, "%8s%16s%8s%11s%8s%8s", cell_count(s->frauds).s,
                    cell_amount(r->has_amount ? s->amount : (double)NAN, r->currency).s,
                    cell_percent1(report_ratio((double)s->by_outcome[REPORT_ALLOW], frauds)).s,
                    cell_percent1(report_ratio((double)s->by_outcome[REPORT_CHALLENGE], frauds)).s,
                    cell_percent1(report_ratio((double)s->by_outcome[REPORT_REVIEW], frauds)).s,
                    cell_percent1(report_ratio((double)s->by_outcome[REPORT_DENY], frauds)).s);
            if (r->has_score)
                buf_fmt(t->b, "%10s", cell_percent1(s->ranked_recall).s);
        }
        buf_puts(t->b, "\n");
    }
    if (r->scenario_count > TEXT_SCENARIOS)
        buf_fmt(t->b, "  and %u more\n", r->scenario_count - TEXT_SCENARIOS);
    if (r->has_score && r->frauds)
        buf_fmt(t->b, "  by score: found among the %s highest scores, as many as there are frauds; %s of all frauds\n",
                cell_count(r->frauds).s, cell_percent(r->ranked_recall).s);
}

static void put_mean(struct out *t, const char *what, struct report_mean m)
{
    buf_fmt(t->b, "%s %s ± %s", what, cell_fixed(m.mean, 4).s, cell_fixed(m.std, 4).s);
}

static void put_rest(struct out *t)
{
    const struct report *r = t->r;
    if (r->fold_count || r->latency.p50_ns > 0)
        buf_puts(t->b, "\n");
    if (r->fold_count) {
        char name[40];
        (void)snprintf(name, sizeof name, "Folds (%zu)", r->fold_count);
        head(t, name);
        put_mean(t, "AUC", r->fold_auc);
        put_mean(t, "  average precision", r->fold_average_precision);
        put_mean(t, "  card precision", r->fold_card_precision);
        buf_puts(t->b, "\n");
    }
    if (r->latency.p50_ns > 0) {
        head(t, "Latency");
        buf_fmt(t->b, "p50 %s   p99 %s   p99.9 %s a decision\n", cell_latency(r->latency.p50_ns).s,
                cell_latency(r->latency.p99_ns).s, cell_latency(r->latency.p999_ns).s);
    }
}

enum keer_err report_text(const struct report *r, bool colour, struct buf *b)
{
    struct out t = {b, r, colour};
    put_title(&t);
    put_ranking(&t);
    put_outcomes(&t);
    put_money(&t);
    put_scenarios(&t);
    put_rest(&t);
    return b->err;
}
