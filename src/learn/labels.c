/* labels.c - labels that came as events of their own, by the event that they are about. */
#include "learn/labels.h"

void label_book_release(struct label_book *b)
{
    free(b->entry);
    *b = (struct label_book){0};
}

enum keer_err label_book_add(struct label_book *b, const struct keer_event *ev)
{
    if (!ev->has_target || !event_type_is_label(ev->type))
        return KEER_OK;
    if (b->n == LIMIT_DATASET_ROWS)
        return KEER_ELIMIT;
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 1024;
        struct label_entry *grown = realloc(b->entry, cap * sizeof *grown);
        if (!grown)
            return KEER_ENOMEM;
        b->entry = grown;
        b->cap = cap;
    }
    /* As the engine reads it: fraud_reported and chargeback mean fraud by their name, and nothing is known before it is
     * said. */
    bool given = ev->label != KEER_LABEL_NONE && ev->label_known_us > ev->time_us;
    b->entry[b->n] = (struct label_entry){.target = ev->target.lo,
                                          .known_us = given ? ev->label_known_us : ev->time_us,
                                          .order = b->n,
                                          .fraud = ev->type != KEER_EVENT_label || ev->label == KEER_LABEL_FRAUD};
    b->n++;
    return KEER_OK;
}

static int by_target(const void *a, const void *b)
{
    const struct label_entry *x = a, *y = b;
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    if (x->known_us != y->known_us)
        return x->known_us < y->known_us ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

void label_book_seal(struct label_book *b)
{
    size_t out = 0;
    if (b->n == 0)
        return;
    qsort(b->entry, b->n, sizeof *b->entry, by_target);
    for (size_t i = 0; i < b->n; i++)
        if (i + 1 == b->n || b->entry[i + 1].target != b->entry[i].target)
            b->entry[out++] = b->entry[i];
    b->n = out;
}

static int against(const void *key, const void *element)
{
    uint64_t id = *(const uint64_t *)key, other = ((const struct label_entry *)element)->target;
    return (id > other) - (id < other);
}

const struct label_entry *label_book_find(const struct label_book *b, uint64_t id)
{
    return b->n ? bsearch(&id, b->entry, b->n, sizeof *b->entry, against) : NULL;
}
