/* collect.h - from decided events to rows: what an engine just computed becomes a row of a dataset, so that training and
 * serving see the same numbers.
 *
 * A text feature becomes a category code: texts get codes in the order in which they first appear; collect_categories hands
 * them to train.h. Label events are not rows: what they say goes to the rows they are about, by collect_labels.
 */
#ifndef LEARN_COLLECT_H
#define LEARN_COLLECT_H
#include "core/engine.h"
#include "learn/dataset.h"
#include "learn/labels.h"
#include "learn/train.h"

struct collect {
    const struct keer_policy *policy;
    struct dataset data;
    struct label_book labels; /* of label events, until collect_labels */
    struct arena texts;
    unsigned text_features;
    struct train_category *category; /* one for each text feature */
    struct slice **text;             /* their texts, by code */
    size_t *cap;
    int8_t monotone[LIMIT_FEATURES]; /* per feature: 1 rising, -1 falling, 0 free; for xgb_params */
    bool has_monotone;
    int account_slot, amount_slot;
};

KEER_NODISCARD enum keer_err collect_init(struct collect *c, const struct keer_policy *policy);
void collect_release(struct collect *c);
/* Adds the event that `e` has just decided. KEER_ELIMIT when a text feature has too many categories. */
KEER_NODISCARD enum keer_err collect_row(struct collect *c, const struct keer_engine *e, const struct keer_event *ev,
                                         const struct keer_decision *d);
/* After the last row: puts the labels that came as events into their rows. Returns how many rows have one. */
size_t collect_labels(struct collect *c);
#endif
