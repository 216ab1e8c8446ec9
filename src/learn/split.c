/* split.c - rows of a prequential fold.
 *
 * 'Known' needs no set that grows day by day: an entity is known on day D exactly when its first fraud, counted from
 * the start, is on day D - delay - 1 or before. So the first fraud days are sorted once by entity and looked up.
 */
#include "learn/split.h"

struct first_fraud {
    uint64_t entity;
    int64_t day;
};

static int by_entity_day(const void *a, const void *b)
{
    const struct first_fraud *x = a, *y = b;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

static int by_entity(const void *key, const void *element)
{
    uint64_t entity = *(const uint64_t *)key, other = ((const struct first_fraud *)element)->entity;
    return (entity > other) - (entity < other);
}

static int64_t day_of(const struct dataset *d, size_t r, int64_t start_us)
{
    return (time_floor_day(d->time_us[r]) - time_floor_day(start_us)) / US_DAY;
}

/* The first fraud of each entity from the start on, sorted by entity. */
static enum keer_err first_frauds(const struct dataset *d, int64_t start_us, struct first_fraud **ret_list, size_t *ret_n)
{
    size_t n = 0, out = 0;
    for (size_t r = 0; r < d->rows; r++)
        n += d->label[r] && day_of(d, r, start_us) >= 0;
    struct first_fraud *list = malloc((n + 1) * sizeof *list);
    if (!list)
        return KEER_ENOMEM;
    n = 0;
    for (size_t r = 0; r < d->rows; r++) {
        int64_t day = day_of(d, r, start_us);
        if (d->label[r] && day >= 0)
            list[n++] = (struct first_fraud){.entity = d->entity[r], .day = day};
    }
    qsort(list, n, sizeof *list, by_entity_day);
    for (size_t i = 0; i < n; i++) {
        if (out == 0 || list[out - 1].entity != list[i].entity)
            list[out++] = list[i];
    }
    *ret_list = list;
    *ret_n = out;
    return KEER_OK;
}

enum keer_err split_make(const struct dataset *d, const struct split_protocol *p, uint8_t *ret_train, uint8_t *ret_test)
{
    if (p->train_days == 0 || p->test_days == 0)
        return KEER_EINVALID;
    if ((uint64_t)p->train_days + p->delay_days + p->test_days > LIMIT_DAYS)
        return KEER_ERANGE;
    struct first_fraud *known;
    size_t known_n;
    enum keer_err err = first_frauds(d, p->start_us, &known, &known_n);
    if (err != KEER_OK)
        return err;
    int64_t test_from = (int64_t)p->train_days + p->delay_days, test_to = test_from + p->test_days;
    for (size_t r = 0; r < d->rows; r++) {
        int64_t day = day_of(d, r, p->start_us);
        ret_train[r] = day >= 0 && day < p->train_days;
        ret_test[r] = day >= test_from && day < test_to;
        if (!ret_test[r] || !p->remove_known)
            continue;
        const struct first_fraud *f = bsearch(&d->entity[r], known, known_n, sizeof *known, by_entity);
        if (f && f->day <= day - p->delay_days - 1)
            ret_test[r] = 0;
    }
    free(known);
    return KEER_OK;
}
