/* train.h - one call from rows to a model file: split in time, weights, early stopping, calibration, model card.
 *
 * The split is by whole UTC days and never random:
 *
 *     first day                                                    last day
 *     |-------- training rows --------|-- delay --|---- later block ----|
 *                                       unused: their labels would not have been known yet
 *
 * The later block decides how many trees are kept, and fits and measures the calibration; it is never grown on. Without
 * early stopping every row is a training row, nothing is calibrated and nothing measured (the published protocol).
 * With `refit` the final trees are grown on all rows with the number found; figures and calibration stay those of
 * the first growth, and the card says so.
 *
 * The model file is XGBoost's JSON with feature names and one attribute, "keer":
 *     {"version":1,"name":TEXT,"calibration":{"kind":"none"|"isotonic"|"platt","x":[],"y":[],"a":N,"b":N},
 *      "categories":{FEATURE:[TEXT, ...]},"card":{...}}
 * Category code i is the i-th text. calibrate.h defines the maps, card.h the card.
 *
 * Fails with KEER_EMISSING (no rows, no frauds, no genuine rows where they are needed), KEER_ERANGE (the span is too short
 * for delay and later block, or too long), KEER_EINVALID (names not distinct, an infinite value, a bad code or
 * parameter), KEER_EUNSUPPORTED (no libxgboost), KEER_ELIMIT, KEER_ENOMEM; `detail` then holds a sentence, except for
 * KEER_ENOMEM.
 */
#ifndef LEARN_TRAIN_H
#define LEARN_TRAIN_H
#include "learn/card.h"
#include "learn/dataset.h"

enum train_weights { TRAIN_WEIGHTS_NONE, TRAIN_WEIGHTS_BALANCED, TRAIN_WEIGHTS_NUMBER, TRAIN_WEIGHTS_MAX };
struct train_category { /* the texts of one categorical feature, in the order of their codes */
    unsigned feature;
    const struct slice *texts;
    size_t n; /* at most LIMIT_CATEGORIES */
};
struct train_options {
    const char *name;           /* 1..LIMIT_NAME_BYTES bytes */
    struct xgb_params xgb;      /* scale_pos_weight and categorical are set from below */
    enum train_weights weights; /* balanced: genuine rows / frauds */
    double fraud_weight;        /* for TRAIN_WEIGHTS_NUMBER */
    bool early_stopping;
    enum xgb_metric stop_metric;
    unsigned patience;
    double later_fraction; /* (0, 1) of the days, at least one day */
    unsigned later_days;   /* if not 0, this instead of the fraction */
    unsigned delay_days;
    bool refit;
    const struct train_category *categories;
    size_t categories_n;
    int64_t trained_us;        /* CARD_NO_TIME or what the card shall say */
    const char *library;       /* see xgb_open */
    xgb_progress_fn *progress; /* may be NULL */
    void *progress_ctx;
};
/* At most 1000 trees of depth 4, rate 0.1, hist, no weights; the last fifth of the days as the later block, 7 days of delay,
 * stops 50 trees after the best average precision. */
void train_options_default(struct train_options *ret_o);
/* The Handbook's best published boosted trees: 100 trees, rate 0.1, depth 3, exact, every row, no calibration. */
void train_options_published(struct train_options *ret_o);

struct train_result {
    struct buf model; /* the model file */
    struct model_card card;
};
/* The rows need no order. `detail` as in xgb.h. */
KEER_NODISCARD enum keer_err train_run(const struct dataset *d, const struct train_options *o, struct buf *detail,
                                       struct train_result *ret_r);
void train_result_release(struct train_result *r);
#endif
