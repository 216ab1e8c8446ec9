/* labels.h - labels that came as events of their own (label, fraud_reported, chargeback): which event they are about.
 *
 * Add while a history runs, seal once, then look up. Of several labels for one event the one that was known last holds; of
 * those known at the same time, the one that came last. Needs no memory while a history has no such events.
 */
#ifndef LEARN_LABELS_H
#define LEARN_LABELS_H
#include "core/event.h"

struct label_entry {
    uint64_t target; /* low half of the hash of the event's id */
    int64_t known_us;
    size_t order;
    bool fraud;
};
struct label_book {
    struct label_entry *entry; /* once sealed: sorted by target, one for each */
    size_t n, cap;
};

void label_book_release(struct label_book *b);
/* Remembers what `ev` says of its target; does nothing for other events. KEER_ENOMEM, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err label_book_add(struct label_book *b, const struct keer_event *ev);
void label_book_seal(struct label_book *b);
/* The label of the event with this id, or NULL; borrowed. */
const struct label_entry *label_book_find(const struct label_book *b, uint64_t id);
#endif
