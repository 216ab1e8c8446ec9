/* report.h - the report card: what a policy and a model did to fraud, to good customers and to money.
 *
 * report_compute() reads a dataset once and fills a struct report; report_text(), report_json() and report_html() print it.
 *
 * Invariants
 *   1. Same dataset and options, same bytes: no clock, no locale, every sort is total.
 *   2. What can't be known is NaN and is printed as 'n/a' (JSON: null), never as 0: without labels every figure that needs
 *      them, without a score every figure that needs it, a share of nothing, money where no row has an amount.
 *   3. Ties are counted against us: among equal scores the genuine rows come first where a cut falls inside them; a
 * threshold takes all of them or none.
 *   4. Names come from data: they are cut, freed of control and direction characters, and escaped where they are printed.
 *
 * Words
 *   row        one decided event. `genuine` = rows that are not labelled fraud.
 *   stopped    met a challenge, a review or a denial. 'Allowed' is the rest.
 *   disturbed  a genuine row that met a challenge or a denial. A review is silent and doesn't count.
 *   score      of a row with a finite score; the others (`unscored`) are ranked below all and never alerted.
 *   amount     major units of `currency`; what is not a positive finite number counts 0.
 *   day        a UTC calendar day; `days` counts from the first to the last one with rows, both included, and is what 'a
 * day' divides by. customer   an entity; rows whose entity is not known (0) are a customer each. customers disturbed at a
 * threshold: distinct pairs of day and entity with a genuine row at or above it.
 */
#ifndef LEARN_REPORT_H
#define LEARN_REPORT_H
#include <math.h>

#include "base/arena.h"
#include "base/currency.h"
#include "learn/dataset.h"

enum report_outcome_kind { REPORT_ALLOW, REPORT_CHALLENGE, REPORT_REVIEW, REPORT_DENY, REPORT_OUTCOMES };

#define REPORT_TEXT_BYTES 200      /* title, policy, version */
#define REPORT_BUDGETS_MAX 12      /* alert budgets in one report */
#define REPORT_THRESHOLDS_MAX 16   /* thresholds in one report */
#define REPORT_CURVE_MAX 404       /* points of the curve over thresholds */
#define REPORT_BUDGET_CURVE_MAX 84 /* points of the curve over budgets */
#define REPORT_BINS 10             /* bins of the calibration table, each 0.1 wide */
#define REPORT_LEVELS 3            /* disturbance levels: 0.1 %, 0.5 %, 1 % */
#define REPORT_ANCHOR 0.001        /* the disturbance that a good policy stays under */

struct report_latency {
    double p50_ns, p99_ns, p999_ns; /* nanoseconds a decision; all 0 = not measured */
};
struct report_fold {
    char name[LIMIT_NAME_BYTES + 1];
    double auc, average_precision, card_precision; /* NaN = not known */
    uint64_t rows, frauds;
};
struct report_options {
    struct slice title, policy, version; /* each at most 200 bytes are kept; version is the tool's */
    enum currency currency;
    double disturb_cost;    /* what one disturbed good customer costs, major units, >= 0 */
    int64_t label_delay_us; /* how long after the event a label was taken as known; printed only; 0 = not said */
    bool labelled;          /* labels were read. Otherwise a dataset without one fraud is taken as one without labels */
    uint32_t card_k; /* k of card precision, and alerts a day of the daily series where nothing was decided; 1..1000000 */
    unsigned budget_count;
    uint32_t budgets[REPORT_BUDGETS_MAX]; /* alerts a day, each 1..10000000 */
    unsigned threshold_count;
    double thresholds[REPORT_THRESHOLDS_MAX]; /* finite */
    struct report_latency latency;
    const struct report_fold *folds; /* borrowed during report_compute */
    size_t fold_count;               /* 0..LIMIT_REPORT_FOLDS */
};
/* EUR, 5.00, card_k 100, budgets 10 20 50 100 200 500, thresholds 0.05 0.1 0.2 0.3 0.5 0.7 0.9. */
struct report_options report_options_default(void);

struct report_outcome {
    uint64_t rows, frauds, genuine; /* frauds and genuine are 0 when there are no labels */
    double fraud_amount, genuine_amount;
};
/* Everything at or above a threshold. Precision, recall and net follow: see the functions below. */
struct report_point {
    double threshold;
    uint64_t alerts, frauds; /* rows, and fraud rows among them */
    uint64_t customers;      /* good customers disturbed, summed over the days */
    double saved;            /* fraud money at or above the threshold */
};
/* The `budget` highest scores of each day. */
struct report_budget {
    uint32_t budget;
    uint64_t alerts, frauds; /* alerts <= budget * days */
    double saved;            /* fraud money among them */
    double precision;        /* frauds / alerts */
    double recall;           /* frauds / all frauds */
    double money_recall;     /* saved / fraud money */
};
/* The lowest threshold whose genuine alerts stay within level * genuine. */
struct report_level {
    double level;       /* 0.001, 0.005, 0.01 */
    double threshold;   /* NaN when even the highest score disturbs too many */
    double disturbance; /* genuine alerts / genuine, <= level */
    double precision, recall;
    uint64_t alerts;
};
struct report_scenario {
    char name[LIMIT_NAME_BYTES + 1]; /* "" is index 0: none or not known */
    unsigned index;
    uint64_t rows, frauds;
    uint64_t by_outcome[REPORT_OUTCOMES]; /* frauds */
    double amount, stopped_amount;        /* of frauds */
    double coverage;                      /* frauds stopped / frauds */
    uint64_t ranked;                      /* frauds of this scenario among the `report.frauds` highest scores of all rows */
    double ranked_recall;                 /* ranked / frauds */
    uint64_t disturbed;                   /* genuine rows of this scenario (honest look-alikes) challenged or denied */
    double disturbance;                   /* disturbed / genuine rows of this scenario */
};
/* Per entity with fraud: what was lost before the first fraud row that was stopped, and how long that took from its first
 * fraud row. Quantiles are by nearest rank: the value at ceil(q * n). */
struct report_containment {
    uint64_t entities, contained, never; /* with fraud; with one stopped; without */
    uint64_t unknown;                    /* fraud rows whose entity is not known: left out */
    double lost, lost_median, lost_p90;  /* all entities; those never contained count with everything they lost */
    double time_median_us, time_p90_us;  /* contained entities only; NaN when there are none */
};
struct report_bin { /* scores in [i/10, (i+1)/10), the last one with 1; scores outside [0, 1] count in the outer bins */
    uint64_t rows, frauds;
    double score_mean, fraud_share; /* NaN when empty */
};
struct report_day {
    uint64_t rows, frauds;
    uint64_t acted, caught;         /* rows stopped; frauds stopped */
    uint64_t ranked, ranked_caught; /* the card_k highest scores of the day; frauds among them */
    double lost;                    /* fraud money allowed */
};
struct report_mean {
    double mean, std; /* over the folds that have the figure; std with ddof 0; NaN when none has */
};

struct report {
    /* what it was computed from */
    char title[REPORT_TEXT_BYTES + 1], policy[REPORT_TEXT_BYTES + 1], version[REPORT_TEXT_BYTES + 1];
    enum currency currency;
    double disturb_cost;
    int64_t label_delay_us;
    bool has_labels, has_score, has_amount;
    bool has_decisions;                       /* at least one row was not allowed */
    uint64_t rows, frauds, genuine, unscored; /* frauds and genuine are 0 when there are no labels */
    double fraud_share;                       /* frauds / rows */
    int64_t first_us, last_us, day0_us;       /* first and last event; midnight before the first */
    uint64_t days;

    /* ranking: how good is the score; needs score and labels */
    double auc;               /* area under the ROC curve, metrics.h */
    double average_precision; /* metrics.h */
    uint32_t card_k;
    double card_precision;         /* at card_k, metrics.h */
    double card_precision_ceiling; /* a perfect ranker's */
    uint64_t ranked;               /* frauds among the `frauds` highest scores */
    double ranked_recall;          /* ranked / frauds; precision is the same there */
    double brier;                  /* mean of (score - label)^2, scored rows, scores cut to [0, 1] */
    struct report_level levels[REPORT_LEVELS];
    unsigned budget_count;
    struct report_budget budgets[REPORT_BUDGETS_MAX];
    unsigned threshold_count;
    struct report_point thresholds[REPORT_THRESHOLDS_MAX]; /* .threshold as given */
    struct report_point best; /* the highest net; fewer alerts win a tie; threshold NaN = alert nobody, net 0 */
    struct report_bin bins[REPORT_BINS];
    size_t curve_count, budget_curve_count; /* 0 without score or labels */
    struct report_point *curve;             /* distinct thresholds, highest first, thinned evenly in log(alerts) */
    struct report_budget *budget_curve;     /* budgets from 1 to the busiest day, spaced evenly in log */

    /* decisions */
    struct report_outcome outcomes[REPORT_OUTCOMES];
    double coverage;                                  /* frauds stopped / frauds */
    double money_coverage;                            /* stopped_amount / fraud_amount */
    double disturbance;                               /* genuine challenged or denied / genuine */
    double fraud_amount, stopped_amount, lost_amount; /* total = stopped + lost (allowed) */
    double held_amount;                               /* genuine money that met a challenge, review or denial */
    unsigned scenario_count;
    struct report_scenario scenarios[SCENARIO_MAX]; /* those with rows; index 0 only when it has frauds and others exist */
    struct report_containment containment;

    struct report_day *day; /* `days` of them */

    struct report_latency latency;
    size_t fold_count;
    struct report_fold *folds;
    struct report_mean fold_auc, fold_average_precision, fold_card_precision;

    struct arena arena; /* curve, budget_curve, day, folds */
};

/* a / b, NaN when b is 0. */
static inline double report_ratio(double a, double b) { return b > 0 ? a / b : (double)NAN; }
static inline double report_precision(const struct report *r, const struct report_point *p)
{
    return r->has_labels ? report_ratio((double)p->frauds, (double)p->alerts) : (double)NAN;
}
static inline double report_recall(const struct report *r, const struct report_point *p)
{
    return report_ratio((double)p->frauds, (double)r->frauds);
}
/* Genuine alerts / genuine: the false positive rate. */
static inline double report_disturbance(const struct report *r, const struct report_point *p)
{
    return report_ratio((double)(p->alerts - p->frauds), (double)r->genuine);
}
/* Major units a day: (saved - disturb_cost * customers) / days; NaN without labels or amounts. */
static inline double report_net(const struct report *r, const struct report_point *p)
{
    return r->has_labels && r->has_amount ? (p->saved - r->disturb_cost * (double)p->customers) / (double)r->days
                                          : (double)NAN;
}

/* KEER_EMISSING for a dataset without rows; KEER_EINVALID for options out of bounds, and for an outcome, label or scenario
 * that does not exist; KEER_ELIMIT for more than LIMIT_DAYS days; KEER_ENOMEM. O(n log n). */
KEER_NODISCARD enum keer_err report_compute(const struct dataset *d, const struct report_options *o,
                                            struct report *ret_report);
void report_release(struct report *r);

/* The three printers append to `b` and return b->err. */
/* For a terminal: UTF-8, at most 100 columns and about 45 lines, ends with a newline; `colour` adds ANSI bold and red. */
KEER_NODISCARD enum keer_err report_text(const struct report *r, bool colour, struct buf *b);
/* One HTML page without scripts or references: works under "default-src 'none'; style-src 'unsafe-inline'". */
KEER_NODISCARD enum keer_err report_html(const struct report *r, struct buf *b);
/* One JSON object and a newline. What is NaN here is null there, and so are counts that only labels tell. Keys, stable, in
 * this order (names as in the structs above where nothing is said; shares are 0..1, times of day ISO 8601, durations
 * microseconds, money major units): format "keer-report-1", title, policy, version, currency, disturb_cost, label_delay_us,
 *   has_labels, has_score, has_amount, has_decisions,
 *   rows, frauds, genuine, unscored, fraud_share, first, last, days,
 *   auc, average_precision, card_precision {k, value, ceiling}, ranked {frauds, recall}, brier,
 *   levels [{level, threshold, disturbance, precision, recall, alerts}],
 *   budgets [{budget, alerts, frauds, saved, precision, recall, money_recall}],
 *   thresholds [point], best point or null,
 *     point = {threshold, alerts, frauds, customers, saved, precision, recall, disturbance, net_per_day}
 *   calibration [{rows, frauds, score_mean, fraud_share}],
 *   outcomes {allow|challenge|review|deny: {rows, frauds, genuine, fraud_amount, genuine_amount, precision}},
 *   coverage, money_coverage, disturbance, fraud_amount, stopped_amount, lost_amount, held_amount,
 *   scenarios [{name, rows, frauds, amount, stopped_amount, by_outcome {allow, challenge, review, deny}, coverage, ranked,
 *     ranked_recall, disturbed, disturbance}],
 *   containment {entities, contained, never, unknown, lost, lost_median, lost_p90, time_median_us, time_p90_us},
 *   latency {p50_ns, p99_ns, p999_ns} or null,
 *   folds {items [{name, auc, average_precision, card_precision, rows, frauds}], auc|average_precision|card_precision:
 * {mean, std}} or null, per_day [{date, rows, frauds, acted, caught, ranked, ranked_caught, lost}], curve [point],
 *   budget_curve [as budgets]. */
KEER_NODISCARD enum keer_err report_json(const struct report *r, struct buf *b);
#endif
