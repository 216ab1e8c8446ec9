/* dataset.c - rows that a replay computed, in arrays that grow together. */
#include "learn/dataset.h"

#include <math.h>

enum keer_err dataset_init(struct dataset *d, unsigned cols)
{
    *d = (struct dataset){.cols = cols};
    if (cols > LIMIT_FEATURES)
        return KEER_ELIMIT;
    if (cols && !(d->names = calloc(cols, sizeof *d->names)))
        return KEER_ENOMEM;
    return KEER_OK;
}

void dataset_release(struct dataset *d)
{
    free(d->names);
    free(d->x);
    free(d->time_us);
    free(d->entity);
    free(d->id);
    free(d->amount);
    free(d->score);
    free(d->outcome);
    free(d->label);
    free(d->known_us);
    free(d->scenario);
    *d = (struct dataset){0};
}

/* Gives one array room for `cap` elements; the old content stays, and stays owned, on failure. */
static bool grow(void *array_ptr, size_t cap, size_t element)
{
    void *old;
    memcpy(&old, array_ptr, sizeof old);
    void *p = realloc(old, cap * element);
    if (p)
        memcpy(array_ptr, &p, sizeof p);
    // cppcheck-suppress memleak; it does not see that memcpy stored p in *array_ptr
    return p != NULL;
}

/* `cap` moves only after every array has grown, so that a failure half way loses nothing. */
static enum keer_err reserve(struct dataset *d, size_t cap)
{
    if (cap > LIMIT_DATASET_ROWS)
        return KEER_ELIMIT;
    if ((d->cols && !grow(&d->x, cap, d->cols * sizeof *d->x)) || !grow(&d->time_us, cap, sizeof *d->time_us) ||
        !grow(&d->entity, cap, sizeof *d->entity) || !grow(&d->id, cap, sizeof *d->id) ||
        !grow(&d->amount, cap, sizeof *d->amount) || !grow(&d->score, cap, sizeof *d->score) ||
        !grow(&d->outcome, cap, sizeof *d->outcome) || !grow(&d->label, cap, sizeof *d->label) ||
        !grow(&d->known_us, cap, sizeof *d->known_us) || !grow(&d->scenario, cap, sizeof *d->scenario))
        return KEER_ENOMEM;
    d->cap = cap;
    return KEER_OK;
}

enum keer_err dataset_add(struct dataset *d, size_t *ret_row)
{
    size_t r = d->rows;
    if (r == LIMIT_DATASET_ROWS)
        return KEER_ELIMIT;
    if (r == d->cap) {
        enum keer_err err = reserve(d, MIN_OF(MAX_OF((size_t)64, 2 * d->cap), (size_t)LIMIT_DATASET_ROWS));
        if (err != KEER_OK)
            return err;
    }
    for (unsigned c = 0; c < d->cols; c++)
        d->x[r * d->cols + c] = NAN;
    d->time_us[r] = d->known_us[r] = 0;
    d->entity[r] = d->id[r] = 0;
    d->amount[r] = 0;
    d->score[r] = 0;
    d->outcome[r] = d->label[r] = d->scenario[r] = 0;
    d->rows = r + 1;
    *ret_row = r;
    return KEER_OK;
}

unsigned dataset_scenario(struct dataset *d, struct slice name)
{
    if (name.len == 0 || name.len > LIMIT_NAME_BYTES)
        return 0;
    for (unsigned s = 1; s < SCENARIO_MAX; s++) {
        if (d->scenario_name[s][0] == '\0') {
            memcpy(d->scenario_name[s], name.p, name.len);
            d->scenario_name[s][name.len] = '\0';
            return s;
        }
        if (slice_eq(slice_str(d->scenario_name[s]), name))
            return s;
    }
    return 0;
}

static void copy_row(const struct dataset *from, size_t r, struct dataset *to)
{
    size_t t = to->rows++;
    if (from->cols)
        memcpy(to->x + t * to->cols, from->x + r * from->cols, from->cols * sizeof *from->x);
    to->time_us[t] = from->time_us[r];
    to->entity[t] = from->entity[r];
    to->id[t] = from->id[r];
    to->amount[t] = from->amount[r];
    to->score[t] = from->score[r];
    to->outcome[t] = from->outcome[r];
    to->label[t] = from->label[r];
    to->known_us[t] = from->known_us[r];
    to->scenario[t] = from->scenario[r];
}

enum keer_err dataset_pick(const struct dataset *d, const uint8_t *keep, struct dataset *ret_d)
{
    size_t n = 0;
    for (size_t r = 0; r < d->rows; r++)
        n += keep[r] != 0;
    struct dataset out;
    enum keer_err err = dataset_init(&out, d->cols);
    if (err == KEER_OK && n)
        err = reserve(&out, n);
    if (err != KEER_OK) {
        dataset_release(&out);
        return err;
    }
    if (d->cols)
        memcpy(out.names, d->names, d->cols * sizeof *d->names);
    memcpy(out.scenario_name, d->scenario_name, sizeof out.scenario_name);
    for (size_t r = 0; r < d->rows; r++) {
        if (keep[r])
            copy_row(d, r, &out);
    }
    *ret_d = out;
    return KEER_OK;
}
