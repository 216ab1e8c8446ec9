/* model.h - gradient-boosted trees: reading, scoring, explaining.
 *
 * A model file is XGBoost 1.7's own JSON (objectives binary:logistic, reg:logistic and binary:logitraw; booster gbtree;
 * numeric and category splits), and XGBoost itself can load it. What is ours stands in learner.attributes under the key
 * "keer", as a JSON text:
 *
 *   {"version":1, "name":"october",
 *    "calibration":{"kind":"none"} | {"kind":"isotonic","x":[...],"y":[...]} | {"kind":"platt","a":A,"b":B},
 *    "categories":{"FEATURE":["text of category 0", "text of category 1", ...]},
 *    "card":{anything}}
 *
 * Everything but "version" may be absent, and so may the whole attribute: then the name is empty and nothing is calibrated.
 *
 * A row is float[model_features]; NaN = missing and follows the default direction of each split. Left is `value < split`, in
 * float; of a category split, right is 'in the set', and a number that is no category of the set goes left. That is what
 * XGBoost does.
 *
 * Invariants: a model never changes once it is read, so that threads may share it. Every tree is a tree (each node reached
 * once, depth <= LIMIT_TREE_DEPTH), leaves are finite, and so is every margin. Margin, score and contributions allocate
 * nothing and need at most 40 kB of stack.
 */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H
#include "base/str.h"

struct model;

/* Where in the file, as a path or a byte, and what is wrong there. Empty texts on success and when memory ran out. */
struct model_error {
    char where[96];
    char text[160];
};

/* KEER_ESYNTAX and KEER_ECONFLICT (not JSON, a key twice), KEER_EFORMAT (not a model), KEER_EMISSING, KEER_ETYPE,
 * KEER_ERANGE, KEER_ELIMIT, KEER_EVERSION ("keer" of another version), KEER_EUNSUPPORTED (another booster, objective or
 * shape), KEER_ENOMEM. `json` is not needed afterwards. `ret_error` is always written. */
KEER_NODISCARD enum keer_err model_read(struct slice json, struct model **ret_model, struct model_error *ret_error);
void model_free(struct model *m);

struct slice model_name(const struct model *m);
/* Of the bytes of the file: names the model in decision logs. */
uint64_t model_digest(const struct model *m);
/* The card as compact JSON, keys in the order of the file; empty when there is none. */
struct slice model_card(const struct model *m);
unsigned model_trees(const struct model *m);
unsigned model_features(const struct model *m); /* 1..LIMIT_FEATURES */
/* As in the file, or "f0", "f1", ... when the file names none. */
struct slice model_feature_name(const struct model *m, unsigned i);
/* Index of a name, -1 when there is none. */
int model_feature_find(const struct model *m, struct slice name);
bool model_feature_is_category(const struct model *m, unsigned i);
/* Value of a text of feature `i`; -1 when it is not in the list, which in a row is NaN. */
int model_category(const struct model *m, unsigned i, struct slice text);
unsigned model_category_count(const struct model *m, unsigned i); /* texts listed */

/* Sum of the leaves in log-odds, bit for bit XGBoost's float. */
double model_margin(const struct model *m, const float *x);
/* Probability before calibration: 1 / (1 + exp(-margin)). */
double model_raw(const struct model *m, const float *x);
/* Calibrated probability, in [0, 1]: isotonic = the line through the points (x, y) over the raw probability, clamped
 * outside; platt = 1 / (1 + exp(a * margin + b)). */
double model_score(const struct model *m, const float *x);
/* The same from a margin that is known already. */
double model_calibrate(const struct model *m, double margin);

/* Contribution of each feature to the margin: exact path-dependent TreeSHAP (Lundberg et al., 2020, Algorithm 2), as
 * XGBoost's pred_contribs. ret_phi[features] is the expected margin; the sum of all is the margin. */
void model_shap(const struct model *m, const float *x, double *ret_phi);
#endif
