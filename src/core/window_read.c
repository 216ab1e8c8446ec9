/* window_read.c - the windows of one group as of a time. */
#include <math.h>

#include "core/window_memory.h"

static inline int64_t get_i64(const unsigned char *p)
{
    int64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t get_u32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline u128 get_u128(const unsigned char *p)
{
    u128 v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define MISSING ((double)NAN)

/* What a reader works on: rows [lo, hi) of an entity, as of t. */
struct span {
    const struct group *g;
    unsigned char *rows;
    uint32_t cap; /* of the block */
    uint32_t lo, hi;
    int64_t t, after; /* after: the window's open lower end */
};
static inline const unsigned char *span_row(const struct span *sp, uint32_t i)
{
    return sp->rows + (size_t)i * sp->g->stride;
}

/* The tally of the chunk that begins at row i, when all of the chunk is in the span and tallies are kept; else NULL. */
static inline const struct hot_tally *span_chunk(const struct span *sp, const struct reader *r, uint32_t i)
{
    if (i % CHUNK_ROWS || sp->hi - i < CHUNK_ROWS || r->hot == HOT_NONE || sp->cap < HOT_ROWS)
        return NULL;
    return hot_chunk(sp->g, sp->rows, sp->cap, r->hot, i / CHUNK_ROWS, sp->t);
}
/* The same for the chunk that ends before row i. */
static inline const struct hot_tally *span_chunk_before(const struct span *sp, const struct reader *r, uint32_t i)
{
    return i - sp->lo < CHUNK_ROWS ? NULL : span_chunk(sp, r, i - CHUNK_ROWS);
}

static double seconds(int64_t from, int64_t t) { return (double)MAX_OF(t - from, 0) * 1e-6; }

static double stddev_of(double n, i128 sum, u128 squares)
{
    if (n < 2)
        return MISSING;
    /* n * squares - sum^2 exactly when it fits in 128 bits, which it does below 10^12 a value and 10^6 of them. */
    u128 a, b, absolute = (u128)(sum < 0 ? -sum : sum);
    double variance;
    if (!__builtin_mul_overflow((u128)n, squares, &a) && !__builtin_mul_overflow(absolute, absolute, &b) && a >= b)
        variance = (double)(a - b) / (n * (n - 1));
    else
        variance = ((double)squares - (double)sum * (double)sum / n) / (n - 1);
    return sqrt(MAX_OF(variance, 0.0));
}

/* --- differences of cumulative columns --- */

static uint32_t count_at(const struct span *sp, uint32_t i, unsigned col)
{
    return i ? get_u32(span_row(sp, i - 1) + col) : 0;
}

/* The first row in [lo, hi) whose cumulative count is at least `want`. */
static uint32_t row_of_count(const struct span *sp, unsigned col, uint32_t want)
{
    uint32_t lo = sp->lo, hi = sp->hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (get_u32(span_row(sp, mid) + col) >= want)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static int64_t least_or_most(const struct span *sp, const struct reader *r)
{
    bool least = r->agg == WIN_MIN;
    if (r->all_time)
        return sp->hi ? get_i64(span_row(sp, sp->hi - 1) + r->col) : least ? INT64_MAX : INT64_MIN;
    int64_t best = least ? INT64_MAX : INT64_MIN;
    for (uint32_t i = sp->lo; i < sp->hi;) {
        const struct hot_tally *y = span_chunk(sp, r, i);
        int64_t v = !y ? get_i64(span_row(sp, i) + r->col) : least ? y->least : y->most;
        best = least ? MIN_OF(best, v) : MAX_OF(best, v);
        i += y ? CHUNK_ROWS : 1;
    }
    return best;
}

/* A value of FIRST, LAST and NTH; false when there is none. */
static bool value_of(const struct span *sp, const struct reader *r, int64_t *ret_v)
{
    if (sp->hi == 0)
        return false;
    const unsigned char *newest = span_row(sp, sp->hi - 1);
    if (r->agg == WIN_LAST) {
        int64_t time = get_i64(newest + r->col);
        *ret_v = get_i64(newest + r->col2);
        return time != INT64_MIN && (r->all_time || time > sp->after);
    }
    if (r->agg == WIN_FIRST && r->all_time) {
        *ret_v = get_i64(newest + r->col2);
        return get_i64(newest + r->col) != INT64_MAX;
    }
    uint32_t before = count_at(sp, sp->lo, r->col), upto = get_u32(newest + r->col);
    uint32_t most = upto - before, nth = r->agg == WIN_FIRST ? most : r->nth;
    if (sp->lo >= sp->hi || nth == 0 || nth > most)
        return false;
    uint32_t want = upto + 1 - nth;
    *ret_v = get_i64(span_row(sp, row_of_count(sp, r->col, want)) + r->col2);
    return *ret_v != WIN_MISSING;
}

static double age_of(const struct span *sp, const struct reader *r)
{
    if (sp->hi == 0)
        return MISSING;
    const unsigned char *newest = span_row(sp, sp->hi - 1);
    uint32_t before = count_at(sp, sp->lo, r->col);
    if (sp->lo >= sp->hi || get_u32(newest + r->col) <= before)
        return MISSING;
    return seconds(get_i64(span_row(sp, row_of_count(sp, r->col, before + 1))), sp->t);
}

static double read_prefix(const struct span *sp, const struct reader *r, uint64_t *ret_hash)
{
    int64_t v = 0;
    switch ((enum win_agg)r->agg) {
    case WIN_STDDEV: {
        uint32_t lo = MIN_OF(sp->lo, sp->hi);
        uint64_t a = lo ? (uint64_t)get_i64(span_row(sp, lo - 1) + r->col) : 0;
        uint64_t b = sp->hi ? (uint64_t)get_i64(span_row(sp, sp->hi - 1) + r->col) : 0;
        int64_t sum = (int64_t)(b - a);
        uint32_t n = count_at(sp, sp->hi, r->col2) - count_at(sp, lo, r->col2);
        u128 squares = (sp->hi ? get_u128(span_row(sp, sp->hi - 1) + r->squares) : 0);
        squares -= lo ? get_u128(span_row(sp, lo - 1) + r->squares) : 0;
        return stddev_of(n, sum, squares) / r->scale;
    }
    case WIN_MIN:
    case WIN_MAX: v = least_or_most(sp, r); return v == INT64_MAX || v == INT64_MIN ? MISSING : (double)v / r->scale;
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
        if (!value_of(sp, r, &v))
            return MISSING;
        if (r->text)
            *ret_hash = (uint64_t)v;
        return r->text ? MISSING : (double)v / r->scale;
    case WIN_AGE: return age_of(sp, r);
    case WIN_COUNT:
    case WIN_SUM:
    case WIN_MEAN:
    case WIN_SINCE:
    case WIN_DISTINCT:
    case WIN_EWMA:
    case WIN_STREAK:
    case WIN_STREAK_AGE:
    case WIN_AGG_MAX: break;
    }
    ASSERT(false);
    return MISSING;
}

/* --- scans --- */

static inline bool row_fits(const struct span *sp, const struct reader *r, uint32_t i)
{
    const unsigned char *row = span_row(sp, i);
    if (!(((const struct row *)(const void *)row)->mask & r->mask))
        return false;
    return r->cond == WIN_ANY || label_fits((enum win_cond)r->cond, get_i64(row + sp->g->label_offset), sp->t);
}
static inline int64_t row_value(const struct span *sp, const struct reader *r, uint32_t i)
{
    return r->col ? get_i64(span_row(sp, i) + r->col) : 0;
}
static inline const struct row *row_head(const struct span *sp, uint32_t i)
{
    return (const struct row *)(const void *)span_row(sp, i);
}

/* Different values among a handful of rows: each against the others. */
#define DISTINCT_FEW 12u
static double distinct_of_few(const struct span *sp, const struct reader *r)
{
    int64_t seen[DISTINCT_FEW];
    uint32_t found = 0;
    const unsigned char *row = span_row(sp, sp->lo);
    for (uint32_t i = sp->lo; i < sp->hi; i++, row += sp->g->stride) {
        if (!(((const struct row *)(const void *)row)->mask & r->mask))
            continue;
        int64_t v = get_i64(row + r->col);
        uint32_t k = 0;
        while (k < found && seen[k] != v)
            k++;
        seen[found] = v;
        found += k == found;
    }
    return found;
}

/* The same of any number: an open hash table on the stack, for windows without a set. */
#define DISTINCT_SLOTS 8192u
static inline double distinct_in(const struct span *sp, const struct reader *r, uint64_t *table, uint32_t slots)
{
    uint32_t n = sp->hi - sp->lo, size = 16, found = 0;
    bool zero = false, chunks = r->cond != WIN_ANY; /* else `hot` is a set and not a tally */
    while (size < slots && size < 2 * n)
        size *= 2;
    memset(table, 0, size * sizeof *table);
    for (uint32_t i = sp->lo; i < sp->hi; i++) {
        const struct hot_tally *y = chunks ? span_chunk(sp, r, i) : NULL;
        if (y && y->rows == 0) {
            i += CHUNK_ROWS - 1;
            continue;
        }
        if (!row_fits(sp, r, i))
            continue;
        uint64_t v = (uint64_t)row_value(sp, r, i);
        if (v == 0) {
            found += !zero;
            zero = true;
            continue;
        }
        uint32_t at = (uint32_t)(hash_mix(v) & (size - 1));
        while (table[at] && table[at] != v)
            at = (at + 1) & (size - 1);
        found += table[at] == 0;
        table[at] = v;
    }
    return found;
}

/* Two frames, as a large one is paid for page by page. */
#define DISTINCT_SOME 128u
static __attribute__((noinline)) double distinct_of_some(const struct span *sp, const struct reader *r)
{
    uint64_t table[2 * DISTINCT_SOME];
    return distinct_in(sp, r, table, ARRAY_LEN(table));
}

static __attribute__((noinline)) double distinct_of_many(const struct span *sp, const struct reader *r)
{
    uint64_t table[DISTINCT_SLOTS];
    return distinct_in(sp, r, table, ARRAY_LEN(table));
}
static_assert(DISTINCT_SLOTS > WIN_ROWS_MAX + WIN_ROWS_MAX / 16, "a block's rows never fill the table");

static double distinct_scan(const struct span *sp, const struct reader *r)
{
    return sp->hi - sp->lo <= DISTINCT_SOME ? distinct_of_some(sp, r) : distinct_of_many(sp, r);
}

static double distinct_of(const struct win_store *s, const struct slot *slot, const struct span *sp, const struct reader *r)
{
    if (sp->lo >= sp->hi)
        return 0;
    if (r->cond != WIN_ANY)
        return distinct_scan(sp, r);
    uint32_t side = side_of(sp->g, slot);
    if (side && sp->after < s->side[side].thin_until)
        return sketch_count(&s->side[side], r->sketch, sp->after);
    if (sp->hi - sp->lo <= DISTINCT_FEW)
        return distinct_of_few(sp, r);
    if (r->hot == HOT_NONE || sp->cap < HOT_ROWS)
        return distinct_scan(sp, r);
    return hot_distinct(sp->g, sp->rows, sp->cap, r->hot, sp->lo, sp->hi);
}

static struct hot_tally total_of(const struct span *sp, const struct reader *r)
{
    struct hot_tally total = TALLY_EMPTY;
    for (uint32_t i = sp->lo; i < sp->hi;) {
        const struct hot_tally *y = span_chunk(sp, r, i);
        if (y)
            tally_join(&total, y);
        else if (row_fits(sp, r, i))
            tally_add(&total, row_value(sp, r, i), row_head(sp, i)->weight);
        i += y ? CHUNK_ROWS : 1;
    }
    return total;
}

/* The oldest row that fits, and the nth newest; false when there is none. */
static bool oldest_of(const struct span *sp, const struct reader *r, uint32_t *ret_row)
{
    for (uint32_t i = sp->lo; i < sp->hi; i++) {
        const struct hot_tally *y = span_chunk(sp, r, i);
        if (y && y->rows == 0) {
            i += CHUNK_ROWS - 1;
        } else if (row_fits(sp, r, i)) {
            *ret_row = i;
            return true;
        }
    }
    return false;
}

static bool newest_of(const struct span *sp, const struct reader *r, uint32_t nth, uint32_t *ret_row)
{
    uint32_t seen = 0;
    for (uint32_t i = sp->hi; i > sp->lo; i--) {
        const struct hot_tally *y = span_chunk_before(sp, r, i);
        if (y && seen + y->rows < nth) {
            seen += y->rows;
            i -= CHUNK_ROWS - 1;
        } else if (row_fits(sp, r, i - 1) && ++seen == nth) {
            *ret_row = i - 1;
            return true;
        }
    }
    return false;
}

#define EWMA_EVENTS 256u
static double ewma_of(const struct span *sp, const struct reader *r)
{
    double sum = 0, weights = 0;
    int64_t newest = 0;
    bool chunks = r->cond != WIN_ANY;
    for (uint32_t i = sp->hi, seen = 0; i > sp->lo && seen < EWMA_EVENTS; i--) {
        const struct hot_tally *y = chunks ? span_chunk_before(sp, r, i) : NULL;
        if (y && y->rows == 0) {
            i -= CHUNK_ROWS - 1;
            continue;
        }
        if (!row_fits(sp, r, i - 1))
            continue;
        const struct row *head = row_head(sp, i - 1);
        if (seen++ == 0)
            newest = head->time;
        /* Ages count from the newest event: the same mean as from now, and old events don't underflow to nothing. */
        double w = exp2(-(double)(newest - head->time) / (double)r->half_life_us) * head->weight;
        sum += w * (double)row_value(sp, r, i - 1);
        weights += w;
    }
    return weights > 0 ? sum / weights / r->scale : MISSING;
}

/* Walks back from the newest row until one breaks the streak; at most all rows of the entity. */
static double streak_of(const struct span *sp, const struct reader *r)
{
    uint64_t length = 0;
    int64_t oldest = 0;
    for (uint32_t i = sp->hi; i > sp->lo; i--) {
        const struct row *head = row_head(sp, i - 1);
        if (!(head->mask & r->mask))
            continue;
        if (r->cond == WIN_ANY) {
            if (!(head->mask & r->mask2))
                break;
        } else {
            int64_t label = get_i64(span_row(sp, i - 1) + sp->g->label_offset);
            if (!label_fits(WIN_LABELLED, label, sp->t))
                continue;
            if (!label_fits((enum win_cond)r->cond, label, sp->t))
                break;
        }
        length += head->weight;
        oldest = head->time;
    }
    if (r->agg == WIN_STREAK)
        return (double)length;
    return length ? seconds(oldest, sp->t) : MISSING;
}

static double scan_pick(const struct span *sp, const struct reader *r, uint64_t *ret_hash)
{
    uint32_t at = 0, nth = r->agg == WIN_NTH ? r->nth : 1;
    bool oldest = r->agg == WIN_FIRST || r->agg == WIN_AGE;
    if (nth == 0 || !(oldest ? oldest_of(sp, r, &at) : newest_of(sp, r, nth, &at)))
        return MISSING;
    if (r->agg == WIN_AGE || r->agg == WIN_SINCE)
        return seconds(row_head(sp, at)->time, sp->t);
    if (!r->text)
        return (double)row_value(sp, r, at) / r->scale;
    *ret_hash = (uint64_t)row_value(sp, r, at);
    return MISSING;
}

static double scan_total(const struct span *sp, const struct reader *r)
{
    struct hot_tally y = total_of(sp, r);
    double n = (double)y.weight;
    bool none = y.rows == 0;
    switch ((enum win_agg)r->agg) {
    case WIN_COUNT: return n;
    case WIN_SUM: return (double)y.sum / r->scale;
    case WIN_MEAN: return none ? MISSING : (double)y.sum / n / r->scale;
    case WIN_STDDEV: return stddev_of(n, y.sum, y.squares) / r->scale;
    case WIN_MIN: return none ? MISSING : (double)y.least / r->scale;
    case WIN_MAX: return none ? MISSING : (double)y.most / r->scale;
    case WIN_DISTINCT:
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
    case WIN_EWMA:
    case WIN_AGE:
    case WIN_SINCE:
    case WIN_STREAK:
    case WIN_STREAK_AGE:
    case WIN_AGG_MAX: break;
    }
    ASSERT(false);
    return MISSING;
}

/* A label window from running totals. */
static double label_value(const struct span *sp, const struct reader *r, const struct label_total *y, uint64_t *ret_hash)
{
    double n = y->count;
    const unsigned char *row = y->row ? span_row(sp, y->row - 1) : NULL;
    switch ((enum win_agg)r->agg) {
    case WIN_COUNT: return n;
    case WIN_SUM: return (double)y->sum / r->scale;
    case WIN_MEAN: return y->count ? (double)y->sum / n / r->scale : MISSING;
    case WIN_STDDEV: return stddev_of(n, y->sum, y->squares) / r->scale;
    case WIN_AGE:
    case WIN_SINCE: return row ? seconds(get_i64(row), sp->t) : MISSING;
    default: break;
    }
    if (!row)
        return MISSING;
    if (!r->text)
        return (double)get_i64(row + r->col) / r->scale;
    *ret_hash = (uint64_t)get_i64(row + r->col);
    return MISSING;
}

static double read_scan(const struct win_store *s, const struct slot *slot, const struct span *sp, const struct reader *r,
                        uint64_t *ret_hash)
{
    switch ((enum win_agg)r->agg) {
    case WIN_DISTINCT: return distinct_of(s, slot, sp, r);
    case WIN_EWMA: return ewma_of(sp, r);
    case WIN_STREAK:
    case WIN_STREAK_AGE: return streak_of(sp, r);
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
    case WIN_AGE:
    case WIN_SINCE: return scan_pick(sp, r, ret_hash);
    case WIN_COUNT:
    case WIN_SUM:
    case WIN_MEAN:
    case WIN_STDDEV:
    case WIN_MIN:
    case WIN_MAX:
    case WIN_AGG_MAX: break;
    }
    return scan_total(sp, r);
}

/* --- a group --- */

/* An entity's rows as of a time: for each offset, how many lie at or before t less the offset, and the last of these (a blank
 * one when there is none). One past the last offset stands what lies before all rows. */
struct sight {
    const unsigned char *row[GROUP_OFFSETS + 1];
    int64_t bound[GROUP_OFFSETS + 1];
    uint32_t index[GROUP_OFFSETS + 1];
};

/* From the newest row backwards: what few rows an entity has are in the cache by now. */
static inline void sight_of_few(const struct group *g, uint32_t n, const unsigned char *rows, uint64_t offsets, int64_t t,
                                int64_t floor_us, struct sight *at)
{
    size_t stride = g->stride;
    const unsigned char *row = rows + (size_t)n * stride - stride; /* when n = 0 nothing looks at it */
    for (; offsets; offsets &= offsets - 1) {
        unsigned k = (unsigned)__builtin_ctzll(offsets);
        int64_t bound = MAX_OF(t - g->offset[k], floor_us);
        for (; n > 0 && get_i64(row) > bound; row -= stride)
            n--;
        at->bound[k] = bound;
        at->index[k] = n;
        at->row[k] = n ? row : g->blank;
    }
}

/* Of many rows: each offset from where it was last found. */
static inline void sight_of_many(const struct group *g, const struct slot *slot, unsigned char *rows, uint64_t offsets,
                                 int64_t t, int64_t floor_us, struct sight *at)
{
    uint16_t *hints = hints_at(g, rows, slot->cls);
    bool kept = times_kept(g, g->pool.cap[slot->cls]);
    const unsigned char *times = kept ? (const unsigned char *)times_at(g, rows, slot->cls) : rows;
    size_t step = kept ? sizeof(int64_t) : g->stride;
    for (; offsets; offsets &= offsets - 1) {
        unsigned k = (unsigned)__builtin_ctzll(offsets);
        int64_t bound = MAX_OF(t - g->offset[k], floor_us);
        uint32_t index = rows_upto_near(times, step, slot->rows, bound, hints[k]);
        hints[k] = (uint16_t)MIN_OF(index, (uint32_t)UINT16_MAX);
        at->bound[k] = bound;
        at->index[k] = index;
        at->row[k] = index ? rows + (size_t)(index - 1) * g->stride : g->blank;
    }
}

static inline bool needed(const struct win_request *req, unsigned w) { return req->need[w / 64] >> w % 64 & 1; }

static uint64_t offsets_needed(const struct readers *readers, const struct group *g, const struct win_request *req)
{
    uint64_t offsets = 0;
    for (const struct reader *r = readers->first; r < readers->first + readers->count; r++)
        if (needed(req, r->window))
            offsets |= (uint64_t)1 << r->upto | (r->from < g->offsets ? (uint64_t)1 << r->from : 0);
    return offsets;
}

/* The sum over the rows after `before` up to `last`. */
static inline double sum_between(const unsigned char *before, const unsigned char *last, const struct reader *r)
{
    return (double)(int64_t)((uint64_t)get_i64(last + r->col) - (uint64_t)get_i64(before + r->col));
}

/* The windows that most policies have most of, kind by kind and without detours. */
static inline void read_quick(const struct readers *readers, const struct sight *at, const struct win_request *req, bool all,
                              double *number)
{
    const struct reader *r = readers->first, *first = r;
    int64_t t = req->time_us;
    for (; r < first + readers->quick[QUICK_COUNT]; r++)
        if (all || needed(req, r->window))
            number[r->window] = (double)(get_u32(at->row[r->upto] + r->col) - get_u32(at->row[r->from] + r->col));
    for (; r < first + readers->quick[QUICK_SUM]; r++)
        if (all || needed(req, r->window))
            number[r->window] = sum_between(at->row[r->from], at->row[r->upto], r) / r->scale;
    for (; r < first + readers->quick[QUICK_MEAN]; r++)
        if (all || needed(req, r->window)) {
            uint32_t n = get_u32(at->row[r->upto] + r->col2) - get_u32(at->row[r->from] + r->col2);
            number[r->window] = n ? sum_between(at->row[r->from], at->row[r->upto], r) / n / r->scale : MISSING;
        }
    for (; r < first + readers->quick[QUICK_SINCE]; r++)
        if (all || needed(req, r->window)) {
            int64_t time = get_i64(at->row[r->upto] + r->col);
            number[r->window] = time == INT64_MIN || time <= at->bound[r->from] ? MISSING : seconds(time, t);
        }
    for (; r < first + readers->quick[QUICK_AGE]; r++)
        if (all || needed(req, r->window)) {
            int64_t time = get_i64(at->row[r->upto] + r->col);
            number[r->window] = time == INT64_MAX ? MISSING : seconds(time, t);
        }
}

/* Which labels are known at t. COL_KNOWN never falls from row to row, as times never do: the same search finds it. */
static struct label_view view_of(const struct group *g, const struct slot *slot, unsigned char *rows, uint16_t *hints,
                                 int64_t t)
{
    unsigned char *known = rows + g->known_offset;
    struct label_view v = {.g = g, .rows = rows, .tangled = slot->flags & SLOT_TANGLED};
    if (!hints) {
        v.known = rows_upto(known, g->stride, slot->rows, t);
    } else {
        v.known = rows_upto_near(known, g->stride, slot->rows, t, hints[g->offsets]);
        hints[g->offsets] = (uint16_t)MIN_OF(v.known, (uint32_t)UINT16_MAX);
    }
    return v;
}

void group_read(const struct win_store *s, const struct group *g, const struct slot *slot, unsigned char *rows,
                const struct win_request *req, const struct readers *readers, bool all, struct win_reply *reply)
{
    struct sight at;
    struct label_view view = {0};
    uint32_t cap = g->pool.cap[slot->cls];
    bool few = cap < HINT_ROWS;
    uint64_t offsets = all ? readers->offsets : offsets_needed(readers, g, req);
    int64_t floor_us = s->watermark - g->horizon_us;
    at.bound[g->offsets] = INT64_MIN;
    at.index[g->offsets] = 0;
    at.row[g->offsets] = g->blank;
    if (few)
        sight_of_few(g, slot->rows, rows, offsets, req->time_us, floor_us, &at);
    else
        sight_of_many(g, slot, rows, offsets, req->time_us, floor_us, &at);
    read_quick(readers, &at, req, all, reply->number);
    const struct reader *end = readers->first + readers->count;
    for (const struct reader *r = readers->first + readers->quick[QUICK_MAX - 1]; r < end; r++) {
        if (!all && !needed(req, r->window))
            continue;
        struct span sp = {.g = g,
                          .rows = rows,
                          .cap = cap,
                          .lo = at.index[r->from],
                          .hi = at.index[r->upto],
                          .t = req->time_us,
                          .after = at.bound[r->from]};
        uint64_t hash = 0;
        struct label_total total;
        if (r->labels && !view.g)
            view = view_of(g, slot, rows, few ? NULL : hints_at(g, rows, slot->cls), req->time_us);
        if (r->labels && !(slot->flags & SLOT_SIDED) && label_read(&view, &r->label, sp.lo, sp.hi, &total))
            reply->number[r->window] = label_value(&sp, r, &total, &hash);
        else if (r->path == READ_SCAN)
            reply->number[r->window] = read_scan(s, slot, &sp, r, &hash);
        else
            reply->number[r->window] = read_prefix(&sp, r, &hash);
        if (r->text)
            reply->hash[r->window] = hash;
    }
}

void group_read_nothing(const struct group *g, const struct win_request *req, bool missing, struct win_reply *reply)
{
    unsigned readers = g->before.count + g->including.count;
    for (const struct reader *r = g->reader; r < g->reader + readers; r++) {
        if (!needed(req, r->window))
            continue;
        bool zero = !missing && (r->agg == WIN_COUNT || r->agg == WIN_SUM || r->agg == WIN_DISTINCT || r->agg == WIN_STREAK);
        reply->number[r->window] = zero ? 0 : MISSING;
        if (r->text)
            reply->hash[r->window] = 0;
    }
}
