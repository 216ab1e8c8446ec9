/* card.h - the model card: what a model learned from, how well it did later, and what it is not for.
 *
 * Written into the model file (attribute "keer", member "card") and printed by `keer train`. Keys stand in a fixed order,
 * features from the highest gain down, numbers in their shortest exact form, and the only time of day is the one that the
 * caller gives: the same training gives the same bytes. What is not known is null in JSON and '-' in text.
 */
#ifndef LEARN_CARD_H
#define LEARN_CARD_H
#include "learn/calibrate.h"
#include "learn/xgb.h"

#define CARD_NO_TIME INT64_MIN
#define CARD_PRECISION_K 100 /* 'card precision at 100' */

struct card_block {         /* a run of rows; rows == 0: there is none */
    int64_t from_us, to_us; /* first and last event */
    uint64_t rows, frauds;
};
struct card_metrics { /* of the raw ranking on the later block; NaN = not measured */
    double auc, average_precision, card_precision, card_precision_ceiling;
    struct calibration_quality before; /* of the raw probability */
    struct calibration_quality after;  /* of the calibrated one, on rows the calibration has not seen */
};
struct card_feature {
    char name[LIMIT_NAME_BYTES + 1];
    double gain, cover, frequency; /* shares, see xgb_importance */
};
struct model_card {
    char name[LIMIT_NAME_BYTES + 1];
    int64_t trained_us;  /* CARD_NO_TIME: left out */
    unsigned library[3]; /* XGBoost's version */
    struct card_block data, train, later;
    unsigned delay_days;      /* between train and later */
    struct xgb_params params; /* the pointers to flags are not used */
    char tree_method[16];
    const char *weights;     /* "none", "balanced", "number"; static */
    const char *stop_metric; /* "average_precision", "logloss", or NULL without early stopping; static */
    unsigned patience, trees;
    bool refit; /* grown again on all rows after the figures were taken */
    struct card_metrics metrics;
    enum calibration_kind calibration;
    unsigned knots;
    unsigned cols;
    struct card_feature features[LIMIT_FEATURES]; /* in the data's order */
};

void card_print_json(const struct model_card *c, struct buf *ret_json); /* appended; failures stick in the buffer */
void card_print_text(const struct model_card *c, struct buf *ret_text);
#endif
