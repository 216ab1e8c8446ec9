/* window_random.h - random plans and histories for the tests of the window drivers: same seed, same history.
 *
 * A filter bit is only set when the event has all values that the filter's windows need, as window.h asks of the engine.
 */
#ifndef TESTS_LIB_WINDOW_RANDOM_H
#define TESTS_LIB_WINDOW_RANDOM_H
#include "base/rand.h"
#include "lib/window_brute.h"

#define RANDOM_WINDOWS 20
#define RANDOM_FILTERS 6
#define RANDOM_KEYS 8

struct random_world {
    struct rng rng;
    struct win_plan plan;
    struct win_def window[RANDOM_WINDOWS];
    struct hash128 key[BRUTE_GROUPS][RANDOM_KEYS];
    unsigned keys[BRUTE_GROUPS];
    uint64_t needs[BRUTE_GROUPS][64]; /* values that a filter's windows need */
    double filter_chance, value_chance, label_chance, late_chance, too_late_chance, tie_chance;
    int64_t step_us, now, magnitude;
    uint64_t next_id;
};

static inline bool random_text_value(int v) { return v >= BRUTE_VALUES - 2; }

static inline int64_t random_duration(struct rng *r)
{
    static const int64_t some[] = {1,       US_SECOND,   10 * US_SECOND, US_MINUTE, 10 * US_MINUTE,
                                   US_HOUR, 6 * US_HOUR, US_DAY,         7 * US_DAY};
    return rng_chance(r, 0.8) ? some[rng_below(r, ARRAY_LEN(some))] : rng_between(r, 1, US_DAY);
}

static inline void random_window(struct random_world *x, struct win_def *w)
{
    struct rng *r = &x->rng;
    *w = (struct win_def){
        .agg = (enum win_agg)rng_below(r, WIN_AGG_MAX), .value = -1, .scale = rng_chance(r, 0.5) ? 1.0 : 1e6};
    w->group = (uint8_t)rng_below(r, x->plan.groups);
    w->filter = (uint8_t)(rng_chance(r, 0.9) ? rng_below(r, RANDOM_FILTERS) : 63);
    w->filter2 = (uint8_t)rng_below(r, RANDOM_FILTERS);
    w->cond = rng_chance(r, 0.7) ? WIN_ANY : (enum win_cond)rng_below(r, WIN_COND_MAX);
    w->including = rng_chance(r, 0.3);
    w->over_us = rng_chance(r, 0.25) ? 0 : random_duration(r);
    w->delay_us = rng_chance(r, 0.7) ? 0 : random_duration(r);
    w->half_life_us = random_duration(r);
    w->nth = (uint32_t)rng_between(r, 1, 4);
    bool may_text = w->agg == WIN_DISTINCT || w->agg == WIN_FIRST || w->agg == WIN_LAST || w->agg == WIN_NTH;
    if (w->agg != WIN_COUNT && w->agg != WIN_AGE && w->agg != WIN_SINCE && w->agg != WIN_STREAK &&
        w->agg != WIN_STREAK_AGE) {
        w->value = (int16_t)rng_below(r, may_text ? BRUTE_VALUES : BRUTE_VALUES - 2);
        w->text = random_text_value(w->value);
        x->needs[w->group][w->filter] |= (uint64_t)1 << w->value;
    }
}

static inline void random_world_make(struct random_world *x, uint64_t seed)
{
    memset(x, 0, sizeof *x);
    rng_seed(&x->rng, seed);
    struct rng *r = &x->rng;
    x->plan.groups = (unsigned)rng_between(r, 1, BRUTE_GROUPS);
    x->plan.windows = (unsigned)rng_between(r, 1, RANDOM_WINDOWS);
    x->plan.values = BRUTE_VALUES;
    x->plan.window = x->window;
    x->plan.lateness_us = rng_chance(r, 0.4) ? 0 : random_duration(r);
    for (unsigned g = 0; g < x->plan.groups; g++) {
        x->plan.group[g].filters = 64;
        x->keys[g] = (unsigned)rng_between(r, 1, RANDOM_KEYS);
        for (unsigned k = 0; k < RANDOM_KEYS; k++) {
            x->key[g][k] = (struct hash128){rng_u64(r), rng_u64(r)};
            if (k && rng_chance(r, 0.3)) /* the same slot, and sometimes the same low half */
                x->key[g][k].lo =
                    rng_chance(r, 0.3) ? x->key[g][0].lo : x->key[g][0].lo ^ (uint64_t)1 << rng_between(r, 8, 40);
        }
    }
    for (unsigned w = 0; w < x->plan.windows; w++)
        random_window(x, &x->window[w]);
    static const int64_t steps[] = {1, US_SECOND, US_MINUTE, 20 * US_MINUTE, 5 * US_HOUR, 3 * US_DAY};
    static const int64_t starts[] = {1538352000, 1538352000, 1538352000, 0, -86400 * 400, 4294967296 - 86400 * 3};
    static const int64_t sizes[] = {3, 100, 100000, 10000000000000};
    x->step_us = steps[rng_below(r, ARRAY_LEN(steps))];
    x->now = starts[rng_below(r, ARRAY_LEN(starts))] * US_SECOND + rng_between(r, 0, US_DAY);
    x->magnitude = sizes[rng_below(r, ARRAY_LEN(sizes))];
    x->filter_chance = rng_chance(r, 0.3) ? 1.0 : 0.2 + 0.8 * rng_unit(r);
    x->value_chance = rng_chance(r, 0.5) ? 1.0 : 0.8;
    x->label_chance = rng_chance(r, 0.5) ? 0.0 : rng_unit(r);
    x->late_chance = rng_chance(r, 0.4) ? 0.0 : 0.3 * rng_unit(r);
    x->too_late_chance = rng_chance(r, 0.7) ? 0.0 : 0.1;
    x->tie_chance = rng_chance(r, 0.5) ? 0.05 : 0.6;
}

static inline int64_t random_time(struct random_world *x)
{
    struct rng *r = &x->rng;
    if (rng_chance(r, x->late_chance))
        return x->now - rng_between(r, 0, x->plan.lateness_us);
    if (rng_chance(r, x->too_late_chance))
        return x->now - x->plan.lateness_us - random_duration(r) - (rng_chance(r, 0.2) ? 30 * US_DAY : 0);
    if (!rng_chance(r, x->tie_chance))
        x->now += rng_chance(r, 0.05) ? random_duration(r) : rng_between(r, 0, 2 * x->step_us);
    return x->now;
}

static inline void random_event(struct random_world *x, struct brute_event *e)
{
    struct rng *r = &x->rng;
    *e = (struct brute_event){.time = random_time(x), .label_known = INT64_MAX};
    e->id = (struct hash128){++x->next_id * 0x9E3779B97F4A7C15u, x->next_id};
    uint64_t have = 0;
    for (int v = 0; v < BRUTE_VALUES; v++) {
        e->values[v] = WIN_MISSING;
        if (!rng_chance(r, x->value_chance))
            continue;
        have |= (uint64_t)1 << v;
        e->values[v] = random_text_value(v) ? (int64_t)((1 + rng_below(r, v == 4 ? 5 : 1000)) * 0x7FF4A7C159E3779Bu)
                                            : rng_between(r, -x->magnitude / 3, x->magnitude);
    }
    for (unsigned g = 0; g < x->plan.groups; g++) {
        if (!rng_chance(r, 0.95))
            continue;
        e->groups |= (uint64_t)1 << g;
        e->key[g] = x->key[g][rng_below(r, x->keys[g])];
        for (unsigned f = 0; f < 64; f += f == RANDOM_FILTERS - 1 ? 64 - RANDOM_FILTERS : 1)
            if ((x->needs[g][f] & ~have) == 0 && rng_chance(r, x->filter_chance))
                e->filters[g] |= (uint64_t)1 << f;
    }
    if (rng_chance(r, 0.3 * x->label_chance)) {
        e->label_known = e->time + (rng_chance(r, 0.3) ? 0 : random_duration(r) - random_duration(r) / 2);
        e->label_fraud = rng_chance(r, 0.4);
        e->own_label = true;
    }
}

/* The request that an event is to a driver; `need` has all windows. */
static inline struct win_request random_request(const struct win_plan *plan, const struct brute_event *e,
                                                const uint64_t *need)
{
    struct win_request q = {.time_us = e->time, .groups = e->groups, .values = e->values, .need = need, .id = e->id};
    for (unsigned g = 0; g < plan->groups; g++) {
        q.key[g] = e->key[g];
        q.filters[g] = e->filters[g];
    }
    q.label_known_us = e->own_label ? e->label_known : INT64_MAX;
    q.label_fraud = e->own_label && e->label_fraud;
    return q;
}
#endif
