/* report.c - computes the report card of a dataset.
 *
 * One array of keys (score, day, entity, row) is sorted three times: by customer and day, to mark each good customer's
 * highest score of a day; by day, for the budgets; by score, for everything over thresholds. The walk over the last
 * order stops after each group of equal scores and is cheap enough to be done several times rather than stored.
 */
#include "learn/report.h"

#include <float.h>

#include "learn/metrics.h"

#define CURVE_STEPS 400.0
#define BUDGET_STEPS 80.0

struct key {
    uint64_t entity;
    size_t row;
    float score;
    uint32_t day;
    bool fraud;
};

/* What report_compute works with; everything here ends with it. */
struct work {
    const struct dataset *d;
    const struct report_options *o;
    struct report r;
    struct key *keys; /* the scored rows */
    size_t n;
    uint8_t *mark; /* by row: the highest genuine score of its customer on its day */
    float *score;  /* by row: finite, unscored lowest; for metrics.h */
};

struct report_options report_options_default(void)
{
    return (struct report_options){.currency = CUR_EUR,
                                   .disturb_cost = 5.0,
                                   .card_k = 100,
                                   .budget_count = 6,
                                   .budgets = {10, 20, 50, 100, 200, 500},
                                   .threshold_count = 7,
                                   .thresholds = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9}};
}

void report_release(struct report *r)
{
    arena_release(&r->arena);
    *r = (struct report){0};
}

static double amount_of(const struct dataset *d, size_t i)
{
    return isfinite(d->amount[i]) && d->amount[i] > 0 ? d->amount[i] : 0;
}

static uint32_t day_of(const struct work *w, size_t i)
{
    return (uint32_t)((time_floor_day(w->d->time_us[i]) - w->r.day0_us) / US_DAY);
}

static bool options_ok(const struct report_options *o)
{
    bool ok = (unsigned)o->currency < CUR_MAX && isfinite(o->disturb_cost) && o->disturb_cost >= 0 &&
              o->label_delay_us >= 0 && o->card_k >= 1 && o->card_k <= 1000000 && o->budget_count <= REPORT_BUDGETS_MAX &&
              o->threshold_count <= REPORT_THRESHOLDS_MAX && o->fold_count <= LIMIT_REPORT_FOLDS;
    for (unsigned i = 0; ok && i < o->budget_count; i++)
        ok = o->budgets[i] >= 1 && o->budgets[i] <= 10000000;
    for (unsigned i = 0; ok && i < o->threshold_count; i++)
        ok = isfinite(o->thresholds[i]);
    return ok;
}

static void copy_text(char dst[static REPORT_TEXT_BYTES + 1], struct slice s)
{
    size_t n = MIN_OF(s.len, (size_t)REPORT_TEXT_BYTES);
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
}

/* What nobody has computed yet is not known. */
static void set_unknown(struct report *r)
{
    double nan = (double)NAN;
    r->auc = r->average_precision = r->card_precision = r->card_precision_ceiling = r->ranked_recall = r->brier = nan;
    r->best.threshold = nan;
    for (unsigned i = 0; i < REPORT_LEVELS; i++)
        r->levels[i] = (struct report_level){.threshold = nan, .disturbance = nan, .precision = nan, .recall = nan};
    for (unsigned i = 0; i < REPORT_BINS; i++)
        r->bins[i] = (struct report_bin){.score_mean = nan, .fraud_share = nan};
    for (unsigned i = 0; i < REPORT_BUDGETS_MAX; i++)
        r->budgets[i].precision = r->budgets[i].recall = r->budgets[i].money_recall = nan;
    r->levels[0].level = REPORT_ANCHOR;
    r->levels[1].level = 0.005;
    r->levels[2].level = 0.01;
}

static enum keer_err count_rows(struct work *w)
{
    const struct dataset *d = w->d;
    struct report *r = &w->r;
    r->has_labels = w->o->labelled;
    r->first_us = r->last_us = d->time_us[0];
    for (size_t i = 0; i < d->rows; i++) {
        if (d->outcome[i] >= REPORT_OUTCOMES || d->label[i] > 1 || d->scenario[i] >= SCENARIO_MAX ||
            d->time_us[i] < US_TIME_MIN || d->time_us[i] > US_TIME_MAX)
            return KEER_EINVALID;
        r->first_us = MIN_OF(r->first_us, d->time_us[i]);
        r->last_us = MAX_OF(r->last_us, d->time_us[i]);
        r->frauds += d->label[i];
        r->unscored += isfinite(d->score[i]) ? 0 : 1;
        r->has_amount |= amount_of(d, i) > 0;
        r->has_decisions |= d->outcome[i] != REPORT_ALLOW;
    }
    r->rows = d->rows;
    r->has_labels |= r->frauds > 0;
    r->genuine = r->has_labels ? r->rows - r->frauds : 0;
    r->has_score = r->unscored < r->rows;
    r->fraud_share = r->has_labels ? report_ratio((double)r->frauds, (double)r->rows) : (double)NAN;
    r->day0_us = time_floor_day(r->first_us);
    r->days = (uint64_t)((time_floor_day(r->last_us) - r->day0_us) / US_DAY) + 1;
    return r->days > LIMIT_DAYS ? KEER_ELIMIT : KEER_OK;
}

/* --- decisions ---------------------------------------------------------------------------------------------------- */

static void count_decisions(struct work *w)
{
    const struct dataset *d = w->d;
    struct report *r = &w->r;
    for (size_t i = 0; i < d->rows; i++) {
        struct report_outcome *at = &r->outcomes[d->outcome[i]];
        struct report_day *day = &r->day[day_of(w, i)];
        bool stopped = d->outcome[i] != REPORT_ALLOW, fraud = d->label[i];
        double amount = amount_of(d, i);
        at->rows++;
        day->rows++;
        day->acted += stopped;
        if (fraud) {
            at->frauds++;
            at->fraud_amount += amount;
            day->frauds++;
            day->caught += stopped;
            day->lost += stopped ? 0 : amount;
        } else if (r->has_labels) {
            at->genuine++;
            at->genuine_amount += amount;
        }
    }
}

static void sum_decisions(struct report *r)
{
    const struct report_outcome *o = r->outcomes;
    r->lost_amount = o[REPORT_ALLOW].fraud_amount;
    for (unsigned k = REPORT_CHALLENGE; k < REPORT_OUTCOMES; k++) {
        r->stopped_amount += o[k].fraud_amount;
        r->held_amount += o[k].genuine_amount;
    }
    r->fraud_amount = r->stopped_amount + r->lost_amount;
    r->coverage = report_ratio((double)(r->frauds - o[REPORT_ALLOW].frauds), (double)r->frauds);
    r->money_coverage = report_ratio(r->stopped_amount, r->fraud_amount);
    r->disturbance = report_ratio((double)(o[REPORT_CHALLENGE].genuine + o[REPORT_DENY].genuine), (double)r->genuine);
}

/* `ranked` of each scenario was counted by rank_frauds, in all[]. */
static void count_scenarios(struct work *w, struct report_scenario all[static SCENARIO_MAX])
{
    const struct dataset *d = w->d;
    struct report *r = &w->r;
    for (size_t i = 0; i < d->rows; i++) {
        struct report_scenario *s = &all[d->scenario[i]];
        unsigned outcome = d->outcome[i];
        s->rows++;
        if (d->label[i]) {
            s->frauds++;
            s->by_outcome[outcome]++;
            s->amount += amount_of(d, i);
            s->stopped_amount += outcome == REPORT_ALLOW ? 0 : amount_of(d, i);
        } else if (r->has_labels) {
            s->disturbed += outcome == REPORT_CHALLENGE || outcome == REPORT_DENY;
        }
    }
    bool named = false;
    for (unsigned k = 1; k < SCENARIO_MAX; k++)
        named |= all[k].rows > 0;
    for (unsigned k = 0; k < SCENARIO_MAX; k++) {
        struct report_scenario *s = &all[k];
        if (!named || s->rows == 0 || (k == 0 && s->frauds == 0))
            continue;
        s->index = k;
        memcpy(s->name, d->scenario_name[k], sizeof s->name);
        s->name[k == 0 ? 0 : LIMIT_NAME_BYTES] = '\0';
        s->coverage = report_ratio((double)(s->frauds - s->by_outcome[REPORT_ALLOW]), (double)s->frauds);
        s->ranked_recall = r->has_score ? report_ratio((double)s->ranked, (double)s->frauds) : (double)NAN;
        s->disturbance = r->has_labels ? report_ratio((double)s->disturbed, (double)(s->rows - s->frauds)) : (double)NAN;
        r->scenarios[r->scenario_count++] = *s;
    }
}

/* --- containment -------------------------------------------------------------------------------------------------- */

struct hit {
    uint64_t entity;
    int64_t time_us;
    size_t row;
};

static int hit_order(const void *pa, const void *pb)
{
    const struct hit *a = pa, *b = pb;
    if (a->entity != b->entity)
        return a->entity < b->entity ? -1 : 1;
    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int double_order(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return *a < *b ? -1 : *a > *b;
}

/* Sorts v; the value at ceil(q * n), q in whole percent. */
static double quantile(double *v, size_t n, unsigned percent)
{
    if (n == 0)
        return (double)NAN;
    qsort(v, n, sizeof *v, double_order);
    return v[(n * percent + 99) / 100 - 1];
}

/* hits[0..n) sorted: one run for each entity. lost[] and times[] have room for n. */
static void contain_entities(struct work *w, const struct hit *hits, size_t n, double *lost, double *times)
{
    struct report_containment *c = &w->r.containment;
    size_t at = 0;
    while (at < n) {
        size_t first = at;
        bool contained = false;
        double sum = 0;
        for (; at < n && hits[at].entity == hits[first].entity; at++) {
            if (!contained && w->d->outcome[hits[at].row] != REPORT_ALLOW) {
                contained = true;
                times[c->contained++] = (double)(hits[at].time_us - hits[first].time_us);
            }
            if (!contained)
                sum += amount_of(w->d, hits[at].row);
        }
        lost[c->entities++] = sum;
        c->lost += sum;
        c->never += !contained;
    }
}

static enum keer_err measure_containment(struct work *w)
{
    struct report_containment *c = &w->r.containment;
    const struct dataset *d = w->d;
    size_t room = (size_t)w->r.frauds, n = 0;
    c->lost_median = c->lost_p90 = c->time_median_us = c->time_p90_us = (double)NAN;
    if (room == 0) {
        c->lost = (double)NAN;
        return KEER_OK;
    }
    enum keer_err err = KEER_ENOMEM;
    struct hit *hits = calloc(room, sizeof *hits);
    double *lost = calloc(room, sizeof *lost), *times = calloc(room, sizeof *times);
    if (!hits || !lost || !times)
        goto out;
    for (size_t i = 0; i < d->rows; i++) {
        if (d->label[i] && d->entity[i])
            hits[n++] = (struct hit){d->entity[i], d->time_us[i], i};
        c->unknown += d->label[i] && !d->entity[i];
    }
    qsort(hits, n, sizeof *hits, hit_order);
    contain_entities(w, hits, n, lost, times);
    c->lost_median = quantile(lost, (size_t)c->entities, 50);
    c->lost_p90 = quantile(lost, (size_t)c->entities, 90);
    c->time_median_us = quantile(times, (size_t)c->contained, 50);
    c->time_p90_us = quantile(times, (size_t)c->contained, 90);
    err = KEER_OK;
out:
    free(times);
    free(lost);
    free(hits);
    return err;
}

/* --- ranking ------------------------------------------------------------------------------------------------------ */

/* Highest score first, genuine before fraud, then as in the dataset. */
static int rank_order(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    if (a->fraud != b->fraud)
        return a->fraud ? 1 : -1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int day_order(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return rank_order(a, b);
}

static int customer_order(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->entity != b->entity)
        return a->entity < b->entity ? -1 : 1;
    return day_order(a, b);
}

static void make_keys(struct work *w)
{
    const struct dataset *d = w->d;
    for (size_t i = 0; i < d->rows; i++) {
        bool scored = isfinite(d->score[i]);
        w->score[i] = scored ? d->score[i] : -FLT_MAX;
        if (scored)
            w->keys[w->n++] = (struct key){d->entity[i], i, d->score[i], day_of(w, i), d->label[i]};
    }
}

static void mark_customers(struct work *w)
{
    qsort(w->keys, w->n, sizeof *w->keys, customer_order);
    bool marked = false;
    for (size_t i = 0; i < w->n; i++) {
        const struct key *k = &w->keys[i];
        if (i == 0 || k->entity != k[-1].entity || k->day != k[-1].day || k->entity == 0)
            marked = false;
        if (!marked && !k->fraud && w->r.has_labels) {
            w->mark[k->row] = 1;
            marked = true;
        }
    }
}

/* at[k] holds the k-th ranks of all days together; summed up, the first k. */
static struct report_budget budget_at(const struct report *r, const struct report_budget *at, size_t ranks, uint32_t budget)
{
    struct report_budget b = at[MIN_OF((size_t)budget, ranks)];
    b.budget = budget;
    b.precision = r->has_labels ? report_ratio((double)b.frauds, (double)b.alerts) : (double)NAN;
    b.recall = report_ratio((double)b.frauds, (double)r->frauds);
    b.money_recall = report_ratio(b.saved, r->fraud_amount);
    return b;
}

static void budget_curve(struct report *r, const struct report_budget *at, size_t ranks)
{
    double ratio = pow((double)ranks, 1 / BUDGET_STEPS);
    for (size_t k = 1; r->frauds && k <= ranks && r->budget_curve_count < REPORT_BUDGET_CURVE_MAX;) {
        r->budget_curve[r->budget_curve_count++] = budget_at(r, at, ranks, (uint32_t)k);
        if (k == ranks)
            break;
        k = MIN_OF(ranks, MAX_OF(k + 1, (size_t)ceil((double)k * ratio)));
    }
}

static enum keer_err spend_budgets(struct work *w)
{
    struct report *r = &w->r;
    size_t rank = 0, ranks = 0;
    qsort(w->keys, w->n, sizeof *w->keys, day_order);
    for (size_t i = 0; i < w->n; i++) {
        rank = i && w->keys[i].day == w->keys[i - 1].day ? rank + 1 : 1;
        ranks = MAX_OF(ranks, rank);
    }
    struct report_budget *at = calloc(ranks + 1, sizeof *at);
    if (!at)
        return KEER_ENOMEM;
    for (size_t i = 0; i < w->n; i++) {
        const struct key *k = &w->keys[i];
        rank = i && k->day == k[-1].day ? rank + 1 : 1;
        at[rank].alerts++;
        at[rank].frauds += k->fraud;
        at[rank].saved += k->fraud ? amount_of(w->d, k->row) : 0;
        if (rank <= r->card_k) {
            r->day[k->day].ranked++;
            r->day[k->day].ranked_caught += k->fraud;
        }
    }
    for (size_t k = 1; k <= ranks; k++) {
        at[k].alerts += at[k - 1].alerts;
        at[k].frauds += at[k - 1].frauds;
        at[k].saved += at[k - 1].saved;
    }
    for (unsigned i = 0; i < r->budget_count; i++)
        r->budgets[i] = budget_at(r, at, ranks, w->o->budgets[i]);
    budget_curve(r, at, ranks);
    free(at);
    return KEER_OK;
}

struct walk {
    const struct work *w;
    size_t at;
    struct report_point p; /* everything down to `at` */
};

/* One group of equal scores further; false at the end. */
static bool walk_next(struct walk *k)
{
    const struct work *w = k->w;
    if (k->at == w->n)
        return false;
    float score = w->keys[k->at].score;
    k->p.threshold = (double)score;
    for (; k->at < w->n && w->keys[k->at].score >= score; k->at++) {
        size_t row = w->keys[k->at].row;
        k->p.alerts++;
        k->p.customers += w->mark[row];
        if (w->keys[k->at].fraud) {
            k->p.frauds++;
            k->p.saved += amount_of(w->d, row);
        }
    }
    return true;
}

static void find_thresholds(struct work *w)
{
    struct report *r = &w->r;
    double best = 0;
    for (struct walk k = {.w = w}; walk_next(&k);) {
        double net = report_net(r, &k.p), disturbance = report_disturbance(r, &k.p);
        if (net > best) {
            best = net;
            r->best = k.p;
        }
        for (unsigned i = 0; i < REPORT_LEVELS; i++)
            if (disturbance <= r->levels[i].level)
                r->levels[i] = (struct report_level){.level = r->levels[i].level,
                                                     .threshold = k.p.threshold,
                                                     .disturbance = disturbance,
                                                     .precision = report_precision(r, &k.p),
                                                     .recall = report_recall(r, &k.p),
                                                     .alerts = k.p.alerts};
        for (unsigned i = 0; i < r->threshold_count; i++)
            if (k.p.threshold >= (double)(float)w->o->thresholds[i])
                r->thresholds[i] = k.p;
    }
    for (unsigned i = 0; i < r->threshold_count; i++)
        r->thresholds[i].threshold = w->o->thresholds[i];
    /* A level that no threshold keeps alerts nobody: it disturbs nobody and finds nothing. */
    for (unsigned i = 0; i < REPORT_LEVELS; i++)
        if (isnan(r->levels[i].threshold) && r->genuine) {
            r->levels[i].disturbance = 0;
            r->levels[i].recall = r->frauds ? 0 : (double)NAN;
        }
}

/* Evenly in log(alerts), and with the best point: the curve is drawn where its few alerts matter as where its many do. */
static void thin_curve(struct work *w)
{
    struct report *r = &w->r;
    double ratio = pow((double)w->n, 1 / CURVE_STEPS), next = 1;
    for (struct walk k = {.w = w}; r->frauds && walk_next(&k);) {
        bool must = k.at == w->n || k.p.alerts == r->best.alerts;
        if (!must && (double)k.p.alerts < next)
            continue;
        ASSERT(r->curve_count < REPORT_CURVE_MAX);
        r->curve[r->curve_count++] = k.p;
        next = MAX_OF((double)k.p.alerts + 1, ceil((double)k.p.alerts * ratio));
    }
}

static void rank_frauds(struct work *w, struct report_scenario all[static SCENARIO_MAX])
{
    struct report *r = &w->r;
    for (size_t i = 0; i < w->n && i < r->frauds; i++)
        if (w->keys[i].fraud) {
            r->ranked++;
            all[w->d->scenario[w->keys[i].row]].ranked++;
        }
    r->ranked_recall = report_ratio((double)r->ranked, (double)r->frauds);
}

static void calibrate(struct work *w)
{
    struct report *r = &w->r;
    double sum[REPORT_BINS] = {0}, square = 0;
    for (size_t i = 0; i < w->n; i++) {
        float cut = w->keys[i].score < 0 ? 0 : w->keys[i].score > 1 ? 1 : w->keys[i].score;
        double s = (double)cut, y = w->keys[i].fraud ? 1 : 0;
        /* In float, so that 0.7f, which is a little less than 0.7, counts from 0.7 on. */
        unsigned bin = MIN_OF((unsigned)(cut * (float)REPORT_BINS), REPORT_BINS - 1u);
        r->bins[bin].rows++;
        r->bins[bin].frauds += w->keys[i].fraud;
        sum[bin] += s;
        square += (s - y) * (s - y);
    }
    for (unsigned k = 0; k < REPORT_BINS; k++) {
        struct report_bin *b = &r->bins[k];
        b->score_mean = report_ratio(sum[k], (double)b->rows);
        b->fraud_share = r->has_labels ? report_ratio((double)b->frauds, (double)b->rows) : (double)NAN;
    }
    r->brier = r->has_labels ? report_ratio(square, (double)w->n) : (double)NAN;
}

static enum keer_err measure_ranking(struct work *w)
{
    struct report *r = &w->r;
    const struct dataset *d = w->d;
    enum keer_err err = KEER_OK;
    if (r->frauds && r->genuine)
        err = metric_auc(w->score, d->label, d->rows, &r->auc);
    if (err == KEER_OK && r->frauds)
        err = metric_average_precision(w->score, d->label, d->rows, &r->average_precision);
    if (err == KEER_OK && r->frauds)
        err = metric_card_precision(d, w->score, r->card_k, &r->card_precision);
    if (err == KEER_OK && r->frauds)
        err = metric_card_precision_ceiling(d, r->card_k, &r->card_precision_ceiling);
    return err;
}

static enum keer_err rank_rows(struct work *w, struct report_scenario all[static SCENARIO_MAX])
{
    size_t rows = w->d->rows;
    w->keys = calloc(rows, sizeof *w->keys);
    w->mark = calloc(rows, sizeof *w->mark);
    w->score = calloc(rows, sizeof *w->score);
    if (!w->keys || !w->mark || !w->score)
        return KEER_ENOMEM;
    make_keys(w);
    mark_customers(w);
    enum keer_err err = spend_budgets(w);
    if (err != KEER_OK)
        return err;
    qsort(w->keys, w->n, sizeof *w->keys, rank_order);
    find_thresholds(w);
    thin_curve(w);
    rank_frauds(w, all);
    calibrate(w);
    return measure_ranking(w);
}

/* --- folds, and all together -------------------------------------------------------------------------------------- */

/* Mean and deviation of the double at `offset` of each fold. */
static struct report_mean fold_mean(const struct report *r, size_t offset)
{
    double sum = 0, square = 0;
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        double mean = n ? sum / (double)n : 0;
        n = 0;
        for (size_t i = 0; i < r->fold_count; i++) {
            double v;
            memcpy(&v, (const char *)&r->folds[i] + offset, sizeof v);
            if (!isfinite(v))
                continue;
            n++;
            sum += pass == 0 ? v : 0;
            square += pass == 1 ? (v - mean) * (v - mean) : 0;
        }
    }
    return (struct report_mean){report_ratio(sum, (double)n), sqrt(report_ratio(square, (double)n))};
}

static enum keer_err copy_options(struct work *w)
{
    struct report *r = &w->r;
    const struct report_options *o = w->o;
    copy_text(r->title, o->title);
    copy_text(r->policy, o->policy);
    copy_text(r->version, o->version);
    r->currency = o->currency;
    r->disturb_cost = o->disturb_cost;
    r->label_delay_us = o->label_delay_us;
    r->card_k = o->card_k;
    r->latency = o->latency;
    r->budget_count = o->budget_count;
    r->threshold_count = o->threshold_count;
    for (unsigned i = 0; i < o->budget_count; i++)
        r->budgets[i].budget = o->budgets[i];
    for (unsigned i = 0; i < o->threshold_count; i++)
        r->thresholds[i].threshold = o->thresholds[i];
    r->fold_count = o->fold_count;
    r->folds = arena_array(&r->arena, o->fold_count + 1, sizeof *r->folds);
    r->day = arena_array(&r->arena, (size_t)r->days, sizeof *r->day);
    r->curve = arena_array(&r->arena, REPORT_CURVE_MAX, sizeof *r->curve);
    r->budget_curve = arena_array(&r->arena, REPORT_BUDGET_CURVE_MAX, sizeof *r->budget_curve);
    if (!r->folds || !r->day || !r->curve || !r->budget_curve)
        return KEER_ENOMEM;
    for (size_t i = 0; i < o->fold_count; i++) {
        r->folds[i] = o->folds[i];
        r->folds[i].name[LIMIT_NAME_BYTES] = '\0';
    }
    r->fold_auc = fold_mean(r, offsetof(struct report_fold, auc));
    r->fold_average_precision = fold_mean(r, offsetof(struct report_fold, average_precision));
    r->fold_card_precision = fold_mean(r, offsetof(struct report_fold, card_precision));
    return KEER_OK;
}

/* Sums of money that nobody told are not 0. */
static void forget_money(struct report *r)
{
    double nan = (double)NAN;
    r->fraud_amount = r->stopped_amount = r->lost_amount = r->held_amount = nan;
    r->containment.lost = r->containment.lost_median = r->containment.lost_p90 = nan;
    r->best.saved = nan;
    for (unsigned i = 0; i < REPORT_OUTCOMES; i++)
        r->outcomes[i].fraud_amount = r->outcomes[i].genuine_amount = nan;
    for (unsigned i = 0; i < r->budget_count; i++)
        r->budgets[i].saved = nan;
    for (unsigned i = 0; i < r->threshold_count; i++)
        r->thresholds[i].saved = nan;
    for (unsigned i = 0; i < r->scenario_count; i++)
        r->scenarios[i].amount = r->scenarios[i].stopped_amount = nan;
    for (size_t i = 0; i < r->curve_count; i++)
        r->curve[i].saved = nan;
    for (size_t i = 0; i < r->budget_curve_count; i++)
        r->budget_curve[i].saved = nan;
    for (uint64_t i = 0; i < r->days; i++)
        r->day[i].lost = nan;
}

enum keer_err report_compute(const struct dataset *d, const struct report_options *o, struct report *ret_report)
{
    if (!options_ok(o))
        return KEER_EINVALID;
    if (d->rows == 0)
        return KEER_EMISSING;
    struct work w = {.d = d, .o = o};
    struct report_scenario all[SCENARIO_MAX] = {0};
    arena_init(&w.r.arena, LIMIT_REPORT_BYTES);
    set_unknown(&w.r);
    enum keer_err err = count_rows(&w);
    if (err != KEER_OK)
        goto out;
    err = copy_options(&w);
    if (err != KEER_OK)
        goto out;
    count_decisions(&w);
    sum_decisions(&w.r);
    err = measure_containment(&w);
    if (err == KEER_OK && w.r.has_score)
        err = rank_rows(&w, all);
    if (err == KEER_OK)
        count_scenarios(&w, all);
    if (err == KEER_OK && (!w.r.has_amount || !w.r.has_labels))
        forget_money(&w.r);
out:
    free(w.score);
    free(w.mark);
    free(w.keys);
    if (err == KEER_OK)
        *ret_report = w.r;
    else
        arena_release(&w.r.arena);
    return err;
}
