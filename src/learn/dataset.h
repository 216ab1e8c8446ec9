/* dataset.h - rows that a replay computed: features, labels and what a report card needs.
 *
 * Column-major bookkeeping, row-major features. Row i is one decided event; rows are in the order of the replay
 * (time, then order of arrival). Nothing in `x` may have been known later than time_us[i].
 */
#ifndef LEARN_DATASET_H
#define LEARN_DATASET_H
#include "base/buf.h"
#include "base/hash.h"
#include "base/timefmt.h"

#define SCENARIO_MAX 16 /* kinds of fraud that a report card tells apart; 0 is 'none or not known' */

struct dataset {
    size_t rows, cap;
    unsigned cols;
    char (*names)[LIMIT_NAME_BYTES + 1]; /* cols feature names */
    float *x;                            /* rows * cols, NaN = missing */
    int64_t *time_us;                    /* event time */
    uint64_t *entity;                    /* whom card precision counts: hash of the customer or account */
    uint64_t *id;                        /* low half of the hash of the event id */
    double *amount;                      /* major units of the policy's currency; NaN = none */
    float *score;                        /* calibrated score in [0, 1], or NaN when there is no model */
    uint8_t *outcome;                    /* enum keer_outcome of the decision: 0 allow, 1 challenge, 2 review, 3 deny */
    uint8_t *label;                      /* 1 fraud, 0 not */
    int64_t *known_us;                   /* since when the label is known; 0 when the row has none */
    uint8_t *scenario;                   /* 0..SCENARIO_MAX-1 */
    char scenario_name[SCENARIO_MAX][LIMIT_NAME_BYTES + 1];
};

KEER_NODISCARD enum keer_err dataset_init(struct dataset *d, unsigned cols);
void dataset_release(struct dataset *d);
/* Room for one more row, zeroed, with x all NaN; *ret_row is its index. Grows by doubling. */
KEER_NODISCARD enum keer_err dataset_add(struct dataset *d, size_t *ret_row);
/* Index of a scenario's name, added if new; 0 when the table is full or the name is empty. */
unsigned dataset_scenario(struct dataset *d, struct slice name);
/* A view: the rows r with keep[r] set, copied. */
KEER_NODISCARD enum keer_err dataset_pick(const struct dataset *d, const uint8_t *keep, struct dataset *ret_d);
#endif
