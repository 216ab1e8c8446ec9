/* window_hot.c - what a crowded entity keeps behind its rows, so that no window has to look at all of them.
 *
 * Blocks of HOT_ROWS rows and more end with
 *
 *   rows ... | tallies: one record for every CHUNK_ROWS rows and tally | sets: one hash table for every distinct window
 *
 * A tally record is the total of one full chunk for a kind of window (least, most, number, sum, squares of the rows that
 * pass), computed when it is first asked for. Where labels count it holds from the last time one of them became known until
 * the next one does. A set is the multiset of the values of the rows [lo, hi) of its window as it was last read; from one
 * event to the next a few rows enter at one end and leave at the other. All of it follows from the rows and is only kept to
 * save time: it is not saved, and after a load it is computed again when asked for.
 */
#include "core/window_memory.h"

static inline int64_t get_i64(const unsigned char *p)
{
    int64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t set_size(uint32_t cap)
{
    uint32_t size = 64;
    while (size < cap + cap / 4)
        size *= 2;
    return size;
}

static size_t set_bytes(uint32_t cap)
{
    return sizeof(struct hot_set) + set_size(cap) * (sizeof(uint64_t) + sizeof(uint32_t));
}

size_t hot_bytes(const struct group *g, uint32_t cap)
{
    if (cap < HOT_ROWS)
        return 0;
    return (size_t)g->tallies * (cap / CHUNK_ROWS) * sizeof(struct hot_tally) + g->sets * set_bytes(cap);
}

static unsigned char *hot_at(const struct group *g, unsigned char *rows, uint32_t cap)
{
    return rows + (((size_t)cap * g->stride + 15) & ~(size_t)15);
}

static struct hot_tally *tally_at(const struct group *g, unsigned char *rows, uint32_t cap, unsigned tally)
{
    return (struct hot_tally *)(void *)hot_at(g, rows, cap) + (size_t)tally * (cap / CHUNK_ROWS);
}

static struct hot_set *set_at(const struct group *g, unsigned char *rows, uint32_t cap, unsigned set)
{
    unsigned char *sets = (unsigned char *)tally_at(g, rows, cap, g->tallies);
    return (struct hot_set *)(void *)(sets + set * set_bytes(cap));
}
static_assert(sizeof(struct hot_set) % 16 == 0 && sizeof(struct hot_tally) % 16 == 0, "each begins where the last ended");

/* --- sets --- */

struct set_view {
    struct hot_set *set;
    uint64_t *value;
    uint32_t *count; /* rows with this value; 0 = an empty place */
    uint32_t mask;
};

static struct set_view set_view(struct hot_set *set, uint32_t cap)
{
    uint32_t size = set_size(cap);
    uint64_t *value = (uint64_t *)(void *)(set + 1);
    return (struct set_view){set, value, (uint32_t *)(void *)(value + size), size - 1};
}

static void set_clear(struct set_view v, uint32_t at)
{
    memset(v.count, 0, ((size_t)v.mask + 1) * sizeof *v.count);
    *v.set = (struct hot_set){.lo = at, .hi = at, .valid = 1};
}

static uint32_t set_find(struct set_view v, uint64_t value)
{
    uint32_t at = (uint32_t)hash_mix(value) & v.mask;
    while (v.count[at] && v.value[at] != value)
        at = (at + 1) & v.mask;
    return at;
}

static void set_add(struct set_view v, uint64_t value)
{
    uint32_t at = set_find(v, value);
    v.set->used += v.count[at] == 0;
    v.value[at] = value;
    v.count[at]++;
}

static void set_remove(struct set_view v, uint64_t value)
{
    uint32_t hole = set_find(v, value);
    ASSERT(v.count[hole] > 0);
    if (--v.count[hole])
        return;
    v.set->used--;
    for (uint32_t i = (hole + 1) & v.mask; v.count[i]; i = (i + 1) & v.mask) {
        uint32_t home = (uint32_t)hash_mix(v.value[i]) & v.mask;
        if (((i - home) & v.mask) < ((i - hole) & v.mask))
            continue;
        v.value[hole] = v.value[i];
        v.count[hole] = v.count[i];
        v.count[i] = 0;
        hole = i;
    }
}

static inline bool row_passes(const unsigned char *row, uint32_t mask)
{
    return ((const struct row *)(const void *)row)->mask & mask;
}

/* Rows [from, to) enter (or leave) the set. */
static void set_rows(struct set_view v, const struct group *g, const struct set_def *d, const unsigned char *rows,
                     uint32_t from, uint32_t to, bool enter)
{
    const unsigned char *row = rows + (size_t)from * g->stride;
    for (uint32_t i = from; i < to; i++, row += g->stride) {
        if (!row_passes(row, d->mask))
            continue;
        uint64_t value = (uint64_t)get_i64(row + d->col);
        if (enter)
            set_add(v, value);
        else
            set_remove(v, value);
    }
}

/* Empties the set when that is cheaper than to move it to [lo, hi). */
static void set_approach(struct set_view v, const struct group *g, const struct set_def *d, const unsigned char *rows,
                         uint32_t lo, uint32_t hi)
{
    struct hot_set *s = v.set;
    if (!s->valid) {
        set_clear(v, lo);
        return;
    }
    uint32_t clearing = v.mask / 256; /* what a clear costs, in rows */
    uint32_t moves = (s->lo > lo ? s->lo - lo : lo - s->lo) + (s->hi > hi ? s->hi - hi : hi - s->hi);
    bool apart = s->hi <= lo || hi <= s->lo;
    if (!apart && moves <= hi - lo + clearing)
        return;
    if (s->hi - s->lo > clearing) {
        set_clear(v, lo);
        return;
    }
    set_rows(v, g, d, rows, s->lo, s->hi, false);
    s->lo = s->hi = lo;
}

/* lo < hi. */
uint32_t hot_distinct(const struct group *g, unsigned char *rows, uint32_t cap, unsigned set, uint32_t lo, uint32_t hi)
{
    struct set_view v = set_view(set_at(g, rows, cap, set), cap);
    const struct set_def *d = &g->set[set];
    struct hot_set *s = v.set;
    set_approach(v, g, d, rows, lo, hi);
    if (hi > s->hi)
        set_rows(v, g, d, rows, s->hi, hi, true);
    else
        set_rows(v, g, d, rows, hi, s->hi, false);
    s->hi = hi;
    if (lo < s->lo)
        set_rows(v, g, d, rows, lo, s->lo, true);
    else
        set_rows(v, g, d, rows, s->lo, lo, false);
    s->lo = lo;
    return s->used;
}

/* --- tallies --- */

bool label_fits(enum win_cond cond, int64_t label, int64_t t)
{
    bool known = label != INT64_MAX && label >> 1 <= t, fraud = label & 1;
    switch (cond) {
    case WIN_ANY: return true;
    case WIN_FRAUD: return known && fraud;
    case WIN_GENUINE: return known && !fraud;
    case WIN_LABELLED: return known;
    case WIN_NOT_FRAUD: return !(known && fraud);
    case WIN_COND_MAX: break;
    }
    return false;
}

void tally_add(struct hot_tally *y, int64_t v, uint32_t weight)
{
    y->rows++;
    y->weight += weight;
    y->sum += (i128)v * weight;
    y->squares += (u128)((i128)v * v) * weight;
    y->least = MIN_OF(y->least, v);
    y->most = MAX_OF(y->most, v);
}

void tally_join(struct hot_tally *y, const struct hot_tally *o)
{
    y->rows += o->rows;
    y->weight += o->weight;
    y->sum += o->sum;
    y->squares += o->squares;
    y->least = MIN_OF(y->least, o->least);
    y->most = MAX_OF(y->most, o->most);
}

static void chunk_least(const struct group *g, const struct tally_def *d, const unsigned char *row, struct hot_tally *y)
{
    for (uint32_t i = 0; i < CHUNK_ROWS; i++, row += g->stride) {
        int64_t v = get_i64(row + d->col);
        y->least = MIN_OF(y->least, v);
        y->most = MAX_OF(y->most, v);
    }
}

static void chunk_labels(const struct group *g, const struct tally_def *d, const unsigned char *row, int64_t t,
                         struct hot_tally *y)
{
    y->from = INT64_MIN;
    for (uint32_t i = 0; i < CHUNK_ROWS; i++, row += g->stride) {
        int64_t label = get_i64(row + g->label_offset), known = label >> 1;
        if (label != INT64_MAX && known <= t)
            y->from = MAX_OF(y->from, known);
        else if (label != INT64_MAX)
            y->until = MIN_OF(y->until, known);
        if (row_passes(row, d->mask) && label_fits((enum win_cond)d->cond, label, t))
            tally_add(y, d->col ? get_i64(row + d->col) : 0, ((const struct row *)(const void *)row)->weight);
    }
}

const struct hot_tally *hot_chunk(const struct group *g, unsigned char *rows, uint32_t cap, unsigned tally, uint32_t chunk,
                                  int64_t t)
{
    const struct tally_def *d = &g->tally[tally];
    struct hot_tally *y = tally_at(g, rows, cap, tally) + chunk;
    if (y->from <= t && t < y->until)
        return y;
    const unsigned char *row = rows + (size_t)chunk * CHUNK_ROWS * g->stride;
    *y = TALLY_EMPTY;
    if (d->cond == WIN_ANY)
        chunk_least(g, d, row, y);
    else
        chunk_labels(g, d, row, t, y);
    return y;
}

static void tallies_forget(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t from, uint32_t to)
{
    for (unsigned k = 0; k < g->tallies; k++) {
        struct hot_tally *y = tally_at(g, rows, cap, k);
        for (uint32_t c = from; c < to; c++)
            y[c].until = INT64_MIN;
    }
}

/* --- what happens to the rows --- */

void hot_reset(const struct group *g, unsigned char *rows, uint32_t cap)
{
    if (cap < HOT_ROWS)
        return;
    tallies_forget(g, rows, cap, 0, cap / CHUNK_ROWS);
    for (unsigned k = 0; k < g->sets; k++)
        set_at(g, rows, cap, k)->valid = 0;
}

void hot_insert(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t n, uint32_t at)
{
    if (cap < HOT_ROWS || at + 1 == n) /* a new last row is in no set and in no full chunk */
        return;
    tallies_forget(g, rows, cap, at / CHUNK_ROWS, n / CHUNK_ROWS);
    for (unsigned k = 0; k < g->sets; k++) {
        struct set_view v = set_view(set_at(g, rows, cap, k), cap);
        if (!v.set->valid || at >= v.set->hi)
            continue;
        if (at > v.set->lo)
            set_rows(v, g, &g->set[k], rows, at, at + 1, true);
        else
            v.set->lo++;
        v.set->hi++;
    }
}

void hot_drop(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t drop)
{
    if (cap < HOT_ROWS || drop == 0)
        return;
    tallies_forget(g, rows, cap, 0, cap / CHUNK_ROWS);
    for (unsigned k = 0; k < g->sets; k++) {
        struct hot_set *s = set_at(g, rows, cap, k);
        s->valid = s->valid && s->lo >= drop;
        s->lo -= drop;
        s->hi -= drop;
    }
}

void hot_label(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t at)
{
    if (cap >= HOT_ROWS && at / CHUNK_ROWS < cap / CHUNK_ROWS)
        tallies_forget(g, rows, cap, at / CHUNK_ROWS, at / CHUNK_ROWS + 1);
}
