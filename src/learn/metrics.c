/* metrics.c - rankings measured as the Fraud Detection Handbook does.
 *
 * A row becomes one key: the score's bits, turned so that keys ascend while scores descend, with the label below
 * them. One sort then gives the ranking, equal scores together, and among them the genuine rows first.
 */
#include "learn/metrics.h"

#include <math.h>

enum { KEY_BITS = 33, RADIX_BITS = 11, RADIX = 1 << RADIX_BITS };
static_assert(KEY_BITS == 3 * RADIX_BITS, "three passes sort a key");

/* IEEE 754 order as unsigned order: negative numbers have all bits turned, the others the sign alone. Descending here. */
static uint64_t key_of(float score, uint8_t label)
{
    uint32_t u;
    score += 0.0f; /* -0 and 0 are the same score */
    memcpy(&u, &score, sizeof u);
    u = u & 0x80000000u ? ~u : u | 0x80000000u;
    return (uint64_t)~u << 1 | (label != 0);
}

static float key_score(uint64_t key)
{
    uint32_t u = ~(uint32_t)(key >> 1);
    float score;
    u = u & 0x80000000u ? u & 0x7FFFFFFFu : ~u;
    memcpy(&score, &u, sizeof score);
    return score;
}

/* Least significant digit first; the result ends in `tmp`'s memory after an odd number of passes, which is returned. */
static uint64_t *radix_sort(uint64_t *keys, uint64_t *tmp, size_t n)
{
    for (unsigned shift = 0; shift < KEY_BITS; shift += RADIX_BITS) {
        size_t at[RADIX] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            at[keys[i] >> shift & (RADIX - 1)]++;
        for (size_t b = 0; b < RADIX; b++) {
            size_t count = at[b];
            at[b] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            tmp[at[keys[i] >> shift & (RADIX - 1)]++] = keys[i];
        uint64_t *swap = keys;
        keys = tmp;
        tmp = swap;
    }
    return keys;
}

/* The ranking: *ret_memory is to be freed, *ret_keys points into it. */
static enum keer_err rank(const float *score, const uint8_t *label, size_t n, uint64_t **ret_memory, uint64_t **ret_keys)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(score[i]))
            return KEER_EINVALID;
    }
    uint64_t *memory = malloc((2 * n + 1) * sizeof *memory);
    if (!memory)
        return KEER_ENOMEM;
    for (size_t i = 0; i < n; i++)
        memory[i] = key_of(score[i], label[i]);
    *ret_keys = radix_sort(memory, memory + n, n);
    *ret_memory = memory;
    return KEER_OK;
}

/* Counts one run of equal scores from *i on and moves *i behind it. */
static void next_run(const uint64_t *keys, size_t n, size_t *i, uint64_t *tp, uint64_t *fp)
{
    uint64_t score = keys[*i] >> 1;
    for (; *i < n && keys[*i] >> 1 == score; ++*i) {
        *tp += keys[*i] & 1;
        *fp += !(keys[*i] & 1);
    }
}

enum keer_err metric_auc(const float *score, const uint8_t *label, size_t n, double *ret_auc)
{
    uint64_t *memory, *keys, tp = 0, fp = 0;
    enum keer_err err = rank(score, label, n, &memory, &keys);
    if (err != KEER_OK)
        return err;
    u128 doubled = 0; /* twice the number of (fraud, genuine) pairs in the right order */
    for (size_t i = 0; i < n;) {
        uint64_t tp_before = tp, fp_before = fp;
        next_run(keys, n, &i, &tp, &fp);
        doubled += (u128)(fp - fp_before) * (tp + tp_before);
    }
    free(memory);
    *ret_auc = tp && fp ? (double)doubled / 2 / ((double)tp * (double)fp) : (double)NAN;
    return KEER_OK;
}

enum keer_err metric_average_precision(const float *score, const uint8_t *label, size_t n, double *ret_ap)
{
    uint64_t *memory, *keys, tp = 0, fp = 0;
    enum keer_err err = rank(score, label, n, &memory, &keys);
    if (err != KEER_OK)
        return err;
    double sum = 0;
    for (size_t i = 0; i < n;) {
        uint64_t before = tp;
        next_run(keys, n, &i, &tp, &fp);
        sum += (double)(tp - before) * ((double)tp / (double)(tp + fp));
    }
    free(memory);
    *ret_ap = tp ? sum / (double)tp : (double)NAN;
    return KEER_OK;
}

/* One entity on one day; `who` numbers the entities without gaps. */
struct seen {
    int64_t day;
    uint64_t entity, key;
    size_t who;
};

static int by_entity_day(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

static int by_day_key(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->who > y->who) - (x->who < y->who);
}

/* One element per entity and day, with the highest score and the highest label; returns their number. */
static size_t collapse(struct seen *s, size_t n, size_t *ret_entities)
{
    size_t out = 0, who = 0;
    qsort(s, n, sizeof *s, by_entity_day);
    for (size_t i = 0; i < n;) {
        struct seen one = s[i];
        uint64_t label = 0;
        for (; i < n && s[i].entity == one.entity && s[i].day == one.day; i++) {
            one.key = MIN_OF(one.key, s[i].key);
            label |= s[i].key & 1;
        }
        one.key = (one.key & ~(uint64_t)1) | label;
        if (out && s[out - 1].entity != one.entity)
            who++;
        one.who = who;
        s[out++] = one;
    }
    *ret_entities = out ? who + 1 : 0;
    return out;
}

/* Hits of the day that starts at s[*i]; *i moves to the next day. What is detected today is out from tomorrow on, and an
 * entity stands once in a day, so that marking at once is the same. */
static unsigned day_hits(const struct seen *s, size_t n, unsigned k, uint8_t *detected, size_t *i)
{
    unsigned hits = 0, taken = 0;
    for (int64_t day = s[*i].day; *i < n && s[*i].day == day; ++*i) {
        if (taken == k || detected[s[*i].who])
            continue;
        taken++;
        if (s[*i].key & 1) {
            hits++;
            detected[s[*i].who] = 1;
        }
    }
    return hits;
}

static enum keer_err card_precision(const struct dataset *d, const float *score, bool perfect, unsigned k, double *ret_cp)
{
    if (k == 0)
        return KEER_EINVALID;
    for (size_t r = 0; !perfect && r < d->rows; r++) {
        if (isnan(score[r]))
            return KEER_EINVALID;
    }
    if (d->rows == 0) {
        *ret_cp = (double)NAN;
        return KEER_OK;
    }
    struct seen *s = malloc(d->rows * sizeof *s);
    if (!s)
        return KEER_ENOMEM;
    for (size_t r = 0; r < d->rows; r++) {
        float v = perfect ? (float)d->label[r] : score[r];
        s[r] = (struct seen){
            .day = time_floor_day(d->time_us[r]) / US_DAY, .entity = d->entity[r], .key = key_of(v, d->label[r])};
    }
    size_t entities, n = collapse(s, d->rows, &entities);
    uint8_t *detected = calloc(entities, 1);
    if (!detected) {
        free(s);
        return KEER_ENOMEM;
    }
    qsort(s, n, sizeof *s, by_day_key);
    int64_t days = s[n - 1].day - s[0].day + 1;
    uint64_t hits = 0;
    for (size_t i = 0; i < n;)
        hits += day_hits(s, n, k, detected, &i);
    free(detected);
    free(s);
    *ret_cp = (double)hits / k / (double)days;
    return KEER_OK;
}

enum keer_err metric_card_precision(const struct dataset *d, const float *score, unsigned k, double *ret_cp)
{
    return card_precision(d, score, /*perfect*/ false, k, ret_cp);
}

enum keer_err metric_card_precision_ceiling(const struct dataset *d, unsigned k, double *ret_cp)
{
    return card_precision(d, NULL, /*perfect*/ true, k, ret_cp);
}

enum keer_err metric_curve(const float *score, const uint8_t *label, size_t n, struct curve_point *ret_points, size_t max,
                           size_t *ret_n)
{
    uint64_t *memory, *keys, tp = 0, fp = 0;
    if (max < 2)
        return KEER_EINVALID;
    enum keer_err err = rank(score, label, n, &memory, &keys);
    if (err != KEER_OK)
        return err;
    size_t distinct = 0, out = 0;
    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || keys[i] >> 1 != keys[i - 1] >> 1;
    size_t want = MIN_OF(distinct, max);
    for (size_t i = 0, j = 0; i < n; j++) {
        uint64_t key = keys[i];
        next_run(keys, n, &i, &tp, &fp);
        /* Of `distinct` points the wanted ones are number 0, 1*(distinct-1)/(want-1), ..., distinct-1. */
        size_t next = want > 1 ? (size_t)((u128)out * (distinct - 1) / (want - 1)) : 0;
        if (j == next)
            ret_points[out++] = (struct curve_point){.threshold = key_score(key), .tp = tp, .fp = fp};
    }
    free(memory);
    *ret_n = out;
    return KEER_OK;
}
