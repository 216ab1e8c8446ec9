/* window_brute.h - the windows of core/window.h computed the slow way, from its header comment alone: the list of all past
 * events is kept, and every window of every event is worked out from it anew. What the memory driver is compared with.
 */
#ifndef TESTS_LIB_WINDOW_BRUTE_H
#define TESTS_LIB_WINDOW_BRUTE_H
#include <math.h>

#include "core/window.h"

#define BRUTE_MISSING ((double)NAN)
#define BRUTE_GROUPS 4
#define BRUTE_VALUES 6
#define BRUTE_EVENTS 4096

struct brute_event {
    int64_t time;
    uint64_t groups;
    struct hash128 key[BRUTE_GROUPS], id;
    uint64_t filters[BRUTE_GROUPS];
    int64_t values[BRUTE_VALUES];
    int64_t label_known; /* INT64_MAX: none */
    bool label_fraud, own_label;
};

struct brute {
    const struct win_plan *plan;
    struct brute_event event[BRUTE_EVENTS];
    unsigned events;
    int64_t watermark;
};

static inline void brute_init(struct brute *b, const struct win_plan *plan)
{
    b->plan = plan;
    b->events = 0;
    b->watermark = INT64_MIN / 4;
}

static inline int64_t brute_horizon(const struct win_plan *plan, unsigned group)
{
    int64_t longest = 0;
    for (unsigned w = 0; w < plan->windows; w++)
        if (plan->window[w].group == group)
            longest = MAX_OF(longest, plan->window[w].over_us + plan->window[w].delay_us);
    return longest + plan->lateness_us;
}

static inline bool brute_cond(const struct brute_event *e, enum win_cond cond, int64_t t)
{
    bool known = e->label_known != INT64_MAX && e->label_known <= t;
    switch (cond) {
    case WIN_ANY: return true;
    case WIN_FRAUD: return known && e->label_fraud;
    case WIN_GENUINE: return known && !e->label_fraud;
    case WIN_LABELLED: return known;
    case WIN_NOT_FRAUD: return !known || !e->label_fraud;
    case WIN_COND_MAX: break;
    }
    return false;
}

static inline const struct brute_event *brute_at(const struct brute *b, unsigned i) { return &b->event[i]; }

/* The events that window w sees for event `self`, in order of time, arrival among equals. */
static inline unsigned brute_seen(const struct brute *b, const struct win_def *w, unsigned self, const unsigned *mine,
                                  unsigned n_mine, unsigned *seen)
{
    const struct brute_event *now = brute_at(b, self);
    int64_t floor = b->watermark - brute_horizon(b->plan, w->group), t = now->time;
    int64_t after = MAX_OF(t - w->delay_us - w->over_us, floor), upto = MAX_OF(t - w->delay_us, floor);
    bool all = w->over_us == 0, streak = w->agg == WIN_STREAK || w->agg == WIN_STREAK_AGE;
    unsigned n = 0;
    for (unsigned k = 0; k < n_mine; k++) {
        const struct brute_event *e = brute_at(b, mine[k]);
        if (!(e->filters[w->group] >> w->filter & 1) || !brute_cond(e, streak ? WIN_ANY : w->cond, t))
            continue;
        if (mine[k] == self ? !w->including || w->delay_us : e->time > upto)
            continue;
        if (!all && e->time <= after)
            continue;
        unsigned at = n++;
        while (at > 0 && brute_at(b, seen[at - 1])->time > e->time) {
            seen[at] = seen[at - 1];
            at--;
        }
        seen[at] = mine[k];
    }
    return n;
}

static inline double brute_moments(const struct win_def *w, const int64_t *v, unsigned n)
{
    i128 sum = 0;
    for (unsigned k = 0; k < n; k++)
        sum += v[k];
    if (w->agg == WIN_SUM)
        return (double)sum / w->scale;
    if (w->agg == WIN_MEAN)
        return n ? (double)((long double)sum / n) / w->scale : BRUTE_MISSING;
    if (n < 2)
        return BRUTE_MISSING;
    long double mean = (long double)sum / n, squares = 0;
    for (unsigned k = 0; k < n; k++)
        squares += ((long double)v[k] - mean) * ((long double)v[k] - mean);
    return (double)sqrtl(squares / (n - 1)) / w->scale;
}

static inline double brute_ewma(const struct brute *b, const struct win_def *w, const unsigned *seen, unsigned n)
{
    long double sum = 0, weight = 0;
    unsigned from = n > 256 ? n - 256 : 0;
    for (unsigned k = from; k < n; k++) {
        const struct brute_event *e = brute_at(b, seen[k]);
        /* Age against the newest event: the same mean, and it can't underflow to nothing. */
        long double age = (long double)(brute_at(b, seen[n - 1])->time - e->time);
        long double x = exp2l(-age / (long double)w->half_life_us);
        sum += x * (long double)e->values[w->value];
        weight += x;
    }
    return n ? (double)(sum / weight) / w->scale : BRUTE_MISSING;
}

static inline int brute_order(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static inline unsigned brute_distinct(int64_t *v, unsigned n)
{
    unsigned distinct = n > 0;
    qsort(v, n, sizeof *v, brute_order);
    for (unsigned k = 1; k < n; k++)
        distinct += v[k] != v[k - 1];
    return distinct;
}

/* `seen` holds the events that pass the filter, whatever their labels. */
static inline double brute_streak(const struct brute *b, const struct win_def *w, unsigned self, const unsigned *seen,
                                  unsigned n)
{
    int64_t t = brute_at(b, self)->time, oldest = INT64_MIN;
    unsigned length = 0;
    while (n-- > 0) {
        const struct brute_event *e = brute_at(b, seen[n]);
        bool known = brute_cond(e, WIN_LABELLED, t);
        if (w->cond != WIN_ANY && !known)
            continue;
        if (!(w->cond == WIN_ANY ? e->filters[w->group] >> w->filter2 & 1 : brute_cond(e, w->cond, t)))
            break;
        length++;
        oldest = e->time;
    }
    if (w->agg == WIN_STREAK)
        return length;
    return length ? (double)MAX_OF(t - oldest, 0) * 1e-6 : BRUTE_MISSING;
}

static inline double brute_window(const struct brute *b, const struct win_def *w, unsigned self, const unsigned *seen,
                                  unsigned n, uint64_t *ret_hash)
{
    int64_t v[BRUTE_EVENTS], t = brute_at(b, self)->time, least = INT64_MAX, most = INT64_MIN;
    *ret_hash = 0;
    for (unsigned k = 0; k < n && w->value >= 0; k++) {
        v[k] = brute_at(b, seen[k])->values[w->value];
        least = MIN_OF(least, v[k]);
        most = MAX_OF(most, v[k]);
    }
    unsigned pick = w->agg == WIN_FIRST ? 0 : w->agg == WIN_LAST ? n - 1 : n - w->nth;
    switch (w->agg) {
    case WIN_COUNT: return n;
    case WIN_SUM:
    case WIN_MEAN:
    case WIN_STDDEV: return brute_moments(w, v, n);
    case WIN_MIN: return n ? (double)least / w->scale : BRUTE_MISSING;
    case WIN_MAX: return n ? (double)most / w->scale : BRUTE_MISSING;
    case WIN_DISTINCT: return brute_distinct(v, n);
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
        if (n == 0 || (w->agg == WIN_NTH && (w->nth == 0 || w->nth > n)))
            return BRUTE_MISSING;
        if (w->text)
            *ret_hash = (uint64_t)v[pick];
        return w->text ? BRUTE_MISSING : (double)v[pick] / w->scale;
    case WIN_EWMA: return brute_ewma(b, w, seen, n);
    case WIN_AGE: return n ? (double)MAX_OF(t - brute_at(b, seen[0])->time, 0) * 1e-6 : BRUTE_MISSING;
    case WIN_SINCE: return n ? (double)MAX_OF(t - brute_at(b, seen[n - 1])->time, 0) * 1e-6 : BRUTE_MISSING;
    case WIN_STREAK:
    case WIN_STREAK_AGE: return brute_streak(b, w, self, seen, n);
    case WIN_AGG_MAX: break;
    }
    return BRUTE_MISSING;
}

/* Remembers the event and reads all its windows. */
static inline void brute_exchange(struct brute *b, const struct brute_event *e, double *number, uint64_t *hash)
{
    ASSERT(b->events < BRUTE_EVENTS);
    unsigned self = b->events++, mine[BRUTE_GROUPS][BRUTE_EVENTS], n_mine[BRUTE_GROUPS] = {0}, seen[BRUTE_EVENTS];
    b->event[self] = *e;
    b->watermark = MAX_OF(b->watermark, e->time);
    for (unsigned g = 0; g < b->plan->groups; g++)
        for (unsigned k = 0; k <= self && e->groups >> g & 1; k++) {
            const struct brute_event *o = brute_at(b, k);
            if ((o->groups >> g & 1) && o->key[g].lo == e->key[g].lo && o->key[g].hi == e->key[g].hi)
                mine[g][n_mine[g]++] = k;
        }
    for (unsigned i = 0; i < b->plan->windows; i++) {
        const struct win_def *w = &b->plan->window[i];
        number[i] = BRUTE_MISSING;
        hash[i] = 0;
        if (e->groups >> w->group & 1)
            number[i] =
                brute_window(b, w, self, seen, brute_seen(b, w, self, mine[w->group], n_mine[w->group], seen), &hash[i]);
    }
}

/* A label that comes later; an event that brought its own keeps it. */
static inline void brute_label(struct brute *b, unsigned i, bool fraud, int64_t known)
{
    if (b->event[i].own_label)
        return;
    b->event[i].label_known = known;
    b->event[i].label_fraud = fraud;
}
#endif
