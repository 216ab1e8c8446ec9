/* split.h - the prequential protocol of the Fraud Detection Handbook (chapter 5.3): train in the past, wait, test later.
 *
 *     start_us
 *     |-- train_days --|-- delay_days --|-- test_days --|
 *       train rows       labels not yet   test rows
 *                        known: unused
 *
 * Days are UTC; start_us is taken down to its day. With `remove_known`, a test row is dropped when its entity had a fraud
 * on a day from the start on that is at least delay_days + 1 days before the row's day: by then somebody has blocked it.
 * Frauds before the start are not looked at, as in the publication. Training rows are never dropped.
 */
#ifndef LEARN_SPLIT_H
#define LEARN_SPLIT_H
#include "learn/dataset.h"

struct split_protocol {
    int64_t start_us;
    unsigned train_days, delay_days, test_days; /* train and test at least 1, together at most LIMIT_DAYS */
    bool remove_known;
};

/* Writes one byte per row, 1 = belongs to it. KEER_EINVALID for a protocol without days, KEER_ERANGE for too many,
 * KEER_ENOMEM. The rows need no order. The masks are the caller's, d->rows bytes each, untouched on failure. */
KEER_NODISCARD enum keer_err split_make(const struct dataset *d, const struct split_protocol *p, uint8_t *ret_train,
                                        uint8_t *ret_test);
#endif
