/* xgb.h - gradient-boosted trees by XGBoost's C library, which is loaded when it is first needed.
 *
 * The only module that knows XGBoost. `xgb_open` loads libxgboost with dlopen(), so that a program that never trains
 * never carries it. Objective: binary:logistic. Same rows, same parameters, same `nthread`, same library: same model,
 * byte for byte. The library is never unloaded (its threads outlive dlclose).
 *
 * Errors: KEER_EUNSUPPORTED when the library or a function of it is absent, KEER_EINVALID when the library refuses
 * rows or parameters, KEER_ENOMEM. What the library said goes to the `detail` given to xgb_open, as one line.
 * One thread at a time per `struct xgb`.
 *
 *     xgb_open -> xgb_train or xgb_load -> predict, importance, set_attr, save -> xgb_model_free -> xgb_close
 */
#ifndef LEARN_XGB_H
#define LEARN_XGB_H
#include "base/buf.h"

struct xgb;
struct xgb_model;

struct xgb_params {
    unsigned trees_max;      /* 1..LIMIT_TREES */
    unsigned depth;          /* 1..LIMIT_TREE_DEPTH */
    double learning_rate;    /* (0, 1] */
    double scale_pos_weight; /* > 0; weight of a fraud */
    double min_child_weight; /* >= 0 */
    double subsample;        /* (0, 1] of the rows for a tree */
    double colsample_bytree; /* (0, 1] of the features for a tree */
    double lambda, gamma;    /* L2 penalty of a leaf, least gain of a split; >= 0 */
    unsigned max_bin;        /* 2..65536, for hist and approx */
    uint32_t seed;
    unsigned nthread;           /* 0: as many as the machine has; then the bytes may differ from machine to machine */
    const char *tree_method;    /* "exact", "hist", "approx", "auto" */
    const uint8_t *categorical; /* per column: 1 = codes 0, 1, 2, ...; NULL = none. Not with "exact" */
    const int8_t *monotone;     /* per column: -1 falling, 1 rising, 0 free; NULL = free */
};
/* XGBoost's own defaults with 100 trees, seed 0, one thread: depth 6, rate 0.3, lambda 1, 256 bins, "hist". */
void xgb_params_default(struct xgb_params *ret_p);

struct xgb_rows {
    const float *x; /* rows * cols, NaN = missing */
    size_t rows;
    unsigned cols;
    const uint8_t *label; /* 1 fraud, 0 not */
};

enum xgb_metric { XGB_AVERAGE_PRECISION, XGB_LOGLOSS, XGB_METRIC_MAX };
struct xgb_progress {
    unsigned tree, trees_max; /* trees grown so far */
    double metric, best;      /* NaN without a later block */
    unsigned best_tree;       /* trees at the best */
};
struct xgb_stop {
    enum xgb_metric metric; /* measured on `later` after each tree; logloss weighs frauds by scale_pos_weight */
    unsigned patience;      /* trees without a better value before it stops, at least 1 */
    struct xgb_rows later;  /* rows == 0: no early stopping */
};
typedef void xgb_progress_fn(void *ctx, const struct xgb_progress *p);

/* `library` is a file name for dlopen(), or NULL for libxgboost.so.0 and then libxgboost.so. `detail` is kept (borrowed). */
KEER_NODISCARD enum keer_err xgb_open(const char *library, struct buf *detail, struct xgb **ret_xgb);
void xgb_close(struct xgb *g); /* NULL is fine; models first */
void xgb_version(const struct xgb *g, unsigned *ret_major, unsigned *ret_minor, unsigned *ret_patch);

/* Grows trees; with a later block the model keeps the trees up to the best value alone. `stop` and `progress` may be NULL.
 */
KEER_NODISCARD enum keer_err xgb_train(struct xgb *g, const struct xgb_params *p, const struct xgb_rows *train,
                                       const struct xgb_stop *stop, xgb_progress_fn *progress, void *progress_ctx,
                                       struct xgb_model **ret_model);
KEER_NODISCARD enum keer_err xgb_load(struct xgb *g, struct slice json, unsigned cols, struct xgb_model **ret_model);
void xgb_model_free(struct xgb_model *m); /* NULL is fine */
unsigned xgb_trees(const struct xgb_model *m);

/* Margins (log odds) of the rows; the label may be NULL. ret_margin has rows->rows elements. */
KEER_NODISCARD enum keer_err xgb_margins(const struct xgb_model *m, const struct xgb_rows *rows, float *ret_margin);

enum xgb_importance { XGB_GAIN, XGB_COVER, XGB_FREQUENCY, XGB_IMPORTANCE_MAX };
/* Share of each column in the total gain, cover or number of splits; sums to 1, all 0 for a model without splits.
 * Call it before xgb_set_names. ret_share has one element per column. */
KEER_NODISCARD enum keer_err xgb_importance(const struct xgb_model *m, enum xgb_importance kind, double *ret_share);

KEER_NODISCARD enum keer_err xgb_set_names(struct xgb_model *m, const char *const *names);
KEER_NODISCARD enum keer_err xgb_set_attr(struct xgb_model *m, const char *key, const char *value);
KEER_NODISCARD enum keer_err xgb_save_json(const struct xgb_model *m, struct buf *ret_json); /* appended */
#endif
