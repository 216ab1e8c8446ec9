/* metrics.h - how good a ranking is, exactly as the Fraud Detection Handbook measures it (chapters 4 and 5).
 *
 * All take n scores (higher = more suspicious) and labels (1 = fraud). A NaN among the scores, k = 0 and max < 2 are
 * KEER_EINVALID; the other failure is KEER_ENOMEM. O(n log n). Scores are float: the published test scores give the
 * published figures to 1e-6 as float and as double.
 */
#ifndef LEARN_METRICS_H
#define LEARN_METRICS_H
#include "learn/dataset.h"

/* Area under the ROC curve, ties count one half; NaN when a class is empty. */
KEER_NODISCARD enum keer_err metric_auc(const float *score, const uint8_t *label, size_t n, double *ret_auc);
/* Average precision: sum of (R_n - R_{n-1}) P_n over distinct scores, no interpolation; NaN without positives. */
KEER_NODISCARD enum keer_err metric_average_precision(const float *score, const uint8_t *label, size_t n, double *ret_ap);
/* Card precision at k: for each day (UTC) in order, the rows of entities not detected before; per entity the highest score
 * and the highest label; the k entities with the highest score; hits / k; hits are removed from later days. Mean over the
 * days from the first to the last that has rows, days without rows counting 0; NaN without rows. Ties are broken
 * pessimistically: among equal scores the genuine come first. */
KEER_NODISCARD enum keer_err metric_card_precision(const struct dataset *d, const float *score, unsigned k, double *ret_cp);
/* What a perfect ranker reaches: the same with score = label. */
KEER_NODISCARD enum keer_err metric_card_precision_ceiling(const struct dataset *d, unsigned k, double *ret_cp);

struct curve_point {
    float threshold; /* rows with score >= threshold are alerted */
    uint64_t tp, fp; /* alerted frauds, alerted genuine */
};
/* The distinct thresholds from the highest score down, at most `max` of them (evenly thinned, first and last kept);
 * *ret_n is the number written, 0 without rows. Precision, recall, ROC and alerts a day all follow from the points. */
KEER_NODISCARD enum keer_err metric_curve(const float *score, const uint8_t *label, size_t n, struct curve_point *ret_points,
                                          size_t max, size_t *ret_n);
#endif
