/* calibrate.h - turns a model's margin into a probability that means what it says.
 *
 * A calibration maps the raw probability p = 1 / (1 + exp(-margin)) to [0, 1]. It never changes an order: the map
 * does not fall, and with CALIBRATION_ISOTONIC it rises strictly, so that a ranking measured before is the ranking after.
 *
 *   none      p
 *   isotonic  piecewise linear through (x[i], y[i]), x rising strictly from 0 to 1, at most LIMIT_CALIBRATION_KNOTS knots.
 *             Pool-adjacent-violators (Ayer et al., 1955); then y is mixed with x, (1 - e) y + e x with
 *             e = CALIBRATION_TILT, so that levels do not become ties.
 *   platt     1 / (1 + exp(a margin + b)), a < 0; the log loss against smoothed targets is minimised (Platt, 1999)
 */
#ifndef LEARN_CALIBRATE_H
#define LEARN_CALIBRATE_H
#include "base/buf.h"

#define CALIBRATION_TILT 1e-3
#define CALIBRATION_FRAUDS_MIN 50 /* fewer rows of fraud than this: Platt, two numbers instead of a curve */
#define CALIBRATION_BINS 20

enum calibration_kind { CALIBRATION_NONE, CALIBRATION_ISOTONIC, CALIBRATION_PLATT, CALIBRATION_KIND_MAX };
struct calibration {
    enum calibration_kind kind;
    unsigned knots;
    double x[LIMIT_CALIBRATION_KNOTS], y[LIMIT_CALIBRATION_KNOTS];
    double a, b;
};

struct calibration_rows {
    const float *margin;
    const uint8_t *label; /* 1 fraud */
    const float *weight;  /* finite, > 0; NULL = all 1 */
    size_t n;
};

/* Fits on rows the model was not trained on. A class without rows gives CALIBRATION_NONE: nothing can be learnt.
 * KEER_EINVALID for a NaN margin or a bad weight, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err calibrate_fit(const struct calibration_rows *rows, struct calibration *ret_c);
/* The same with the kind given, isotonic or Platt. */
KEER_NODISCARD enum keer_err calibrate_isotonic(const struct calibration_rows *rows, struct calibration *ret_c);
KEER_NODISCARD enum keer_err calibrate_platt(const struct calibration_rows *rows, struct calibration *ret_c);

double calibrate_apply(const struct calibration *c, double margin);

/* How honest probabilities are. Brier: weighted mean of (p - label)^2. ECE, expected calibration error: rows sorted by p in
 * CALIBRATION_BINS bins of as equal numbers of rows as can be, weighted mean of |mean p - mean label|. NaN without rows. */
struct calibration_quality {
    double brier, ece;
};
/* Of c applied to the rows. */
KEER_NODISCARD enum keer_err calibrate_quality(const struct calibration *c, const struct calibration_rows *rows,
                                               struct calibration_quality *ret_q);
/* What calibrate_fit is worth on rows that it has not seen: rows in time order, the later half measured with a fit on the
 * earlier one and the other way round. */
KEER_NODISCARD enum keer_err calibrate_quality_unseen(const struct calibration_rows *rows,
                                                      struct calibration_quality *ret_q);

/* {"kind":"isotonic","x":[...],"y":[...]}, {"kind":"platt","a":...,"b":...} or {"kind":"none"}; appended. */
void calibrate_print_json(const struct calibration *c, struct buf *ret_json);
const char *calibration_kind_name(enum calibration_kind kind);
#endif
