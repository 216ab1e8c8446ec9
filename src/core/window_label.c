/* window_label.c - windows that look at labels, without a look at every row.
 *
 * Rows carry running totals of what is labelled fraud and genuine (columns with a cond), whether or not that is known yet,
 * and COL_KNOWN, the latest time at which a label up to this row became known. Labels mostly become known in the order of
 * their events. Then, as of t, the labels of the first m rows are known, m being the rows whose COL_KNOWN is at or before t,
 * and no other is: a window's total is a difference of two rows again. An entity where labels came in another order is
 * marked SLOT_TANGLED; while some of its labels lie in the future of t its windows look at the rows instead (window_read.c).
 */
#include <math.h>

#include "core/window_memory.h"

static inline int64_t get_i64(const unsigned char *p)
{
    int64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void put_i64(unsigned char *p, int64_t v) { memcpy(p, &v, sizeof v); }

static inline unsigned char *row_bytes(const struct group *g, unsigned char *rows, uint32_t i)
{
    return rows + (size_t)i * g->stride;
}

/* --- keeping the totals --- */

/* Adds (or takes away) a row's share to one total. */
static void total_add(const struct column *c, unsigned char *cell, const unsigned char *row, bool add)
{
    if (c->kind == COL_COUNT) {
        uint32_t n;
        memcpy(&n, cell, sizeof n);
        n += add ? 1u : UINT32_MAX;
        memcpy(cell, &n, sizeof n);
        return;
    }
    int64_t v = get_i64(row + c->mate);
    if (c->kind == COL_SUM) {
        put_i64(cell, (int64_t)((uint64_t)get_i64(cell) + (add ? (uint64_t)v : 0 - (uint64_t)v)));
        return;
    }
    u128 sum, square = (u128)((i128)v * v);
    memcpy(&sum, cell, sizeof sum);
    sum += add ? square : 0 - square;
    memcpy(cell, &sum, sizeof sum);
}

static bool label_counts(const struct column *c, int64_t label)
{
    return label != INT64_MAX && (label & 1) == (c->cond == WIN_FRAUD);
}

/* Whether a label of row i that becomes known at `known` stands before or after its neighbours' in another way than the rows
 * do. */
static bool tangles(const struct group *g, unsigned char *rows, uint32_t n, uint32_t i, int64_t known)
{
    if (i > 0 && get_i64(row_bytes(g, rows, i - 1) + g->known_offset) > known)
        return true;
    for (uint32_t k = i + 1; k < n; k++) {
        int64_t label = get_i64(row_bytes(g, rows, k) + g->label_offset);
        if (label != INT64_MAX && label >> 1 < known)
            return true;
    }
    return false;
}

void labels_added(const struct group *g, struct slot *slot, unsigned char *rows, uint32_t at, int64_t known)
{
    if (g->known_offset && known != INT64_MAX && tangles(g, rows, slot->rows, at, known))
        slot->flags |= SLOT_TANGLED;
}

void labels_change(const struct group *g, struct slot *slot, unsigned char *rows, uint32_t at, int64_t label)
{
    unsigned char *row = row_bytes(g, rows, at);
    int64_t old = get_i64(row + g->label_offset);
    put_i64(row + g->label_offset, label);
    if (!g->known_offset)
        return;
    uint32_t mask = ((const struct row *)(const void *)row)->mask;
    for (unsigned i = 0; i < g->columns; i++) {
        const struct column *c = &g->column[i];
        bool before = c->cond != WIN_ANY && (mask & c->mask) && label_counts(c, old);
        bool after = c->cond != WIN_ANY && (mask & c->mask) && label_counts(c, label);
        for (uint32_t k = at; before != after && k < slot->rows; k++)
            total_add(c, row_bytes(g, rows, k) + c->offset, row, after);
    }
    /* A label that replaces another may leave COL_KNOWN too late: safe, as the entity counts as tangled. */
    if (old != INT64_MAX || tangles(g, rows, slot->rows, at, label >> 1))
        slot->flags |= SLOT_TANGLED;
    for (uint32_t k = at; k < slot->rows; k++) {
        unsigned char *cell = row_bytes(g, rows, k) + g->known_offset;
        put_i64(cell, MAX_OF(get_i64(cell), label >> 1));
    }
}

void labels_untangle(const struct group *g, struct slot *slot, unsigned char *rows)
{
    if (!g->known_offset || !(slot->flags & SLOT_TANGLED) || slot->rows == 0)
        return;
    uint32_t first = slot->flags & SLOT_BASE ? 1 : 0; /* the base stands for rows that are gone */
    int64_t latest = first ? get_i64(rows + g->known_offset) : INT64_MIN;
    bool ascend = true;
    for (uint32_t i = first; i < slot->rows; i++) {
        unsigned char *row = row_bytes(g, rows, i);
        int64_t label = get_i64(row + g->label_offset);
        if (label != INT64_MAX) {
            ascend &= label >> 1 >= latest;
            latest = MAX_OF(latest, label >> 1);
        }
        put_i64(row + g->known_offset, latest);
    }
    if (ascend)
        slot->flags &= (uint8_t)~SLOT_TANGLED;
}

/* --- reading --- */

/* Totals of the first `i` rows and, for labels, of the first `k` of them. */
struct totals {
    uint32_t count;
    uint64_t sum;
    u128 squares;
};

static const unsigned char *row_before(const struct group *g, unsigned char *rows, uint32_t i)
{
    return i ? row_bytes(g, rows, i - 1) : g->blank;
}

static uint32_t count_of(const struct label_reader *r, const unsigned char *all, const unsigned char *known)
{
    uint32_t a = 0, f = 0, n = 0;
    if (r->all.count)
        memcpy(&a, all + r->all.count, sizeof a);
    if (r->fraud.count)
        memcpy(&f, known + r->fraud.count, sizeof f);
    if (r->genuine.count)
        memcpy(&n, known + r->genuine.count, sizeof n);
    return r->all.count ? a - f : f + n; /* all but the frauds, or frauds and genuine ones */
}

static struct totals totals_of(const struct label_reader *r, const unsigned char *all, const unsigned char *known)
{
    struct totals t = {.count = count_of(r, all, known)};
    const struct label_columns *part[] = {&r->all, &r->fraud, &r->genuine};
    for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
        const unsigned char *row = i ? known : all;
        bool minus = i == 1 && r->all.count;
        u128 squares = 0;
        if (!part[i]->sum)
            continue;
        uint64_t sum = (uint64_t)get_i64(row + part[i]->sum);
        if (part[i]->squares)
            memcpy(&squares, row + part[i]->squares, sizeof squares);
        t.sum += minus ? 0 - sum : sum;
        t.squares += minus ? 0 - squares : squares;
    }
    return t;
}

/* The row, counted from 1, with which the count reaches `want`; lo < it <= hi. */
static uint32_t row_reaching(const struct label_view *v, const struct label_reader *r, uint32_t lo, uint32_t hi,
                             uint32_t want)
{
    while (lo + 1 < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const unsigned char *all = row_before(v->g, v->rows, mid), *known = row_before(v->g, v->rows, MIN_OF(mid, v->known));
        if (count_of(r, all, known) >= want)
            hi = mid;
        else
            lo = mid;
    }
    return hi;
}

bool label_read(const struct label_view *v, const struct label_reader *r, uint32_t lo, uint32_t hi, struct label_total *ret)
{
    if (v->known < hi && v->tangled)
        return false;
    lo = MIN_OF(lo, hi);
    const unsigned char *from = row_before(v->g, v->rows, lo), *to = row_before(v->g, v->rows, hi);
    const unsigned char *from_known = row_before(v->g, v->rows, MIN_OF(lo, v->known));
    const unsigned char *to_known = row_before(v->g, v->rows, MIN_OF(hi, v->known));
    struct totals a = totals_of(r, from, from_known), b = totals_of(r, to, to_known);
    *ret =
        (struct label_total){.count = b.count - a.count, .sum = (int64_t)(b.sum - a.sum), .squares = b.squares - a.squares};
    if (ret->count && r->pick) {
        uint32_t nth = r->pick == PICK_OLDEST ? ret->count : r->nth;
        if (nth == 0 || nth > ret->count)
            ret->row = 0;
        else
            ret->row = row_reaching(v, r, lo, hi, b.count + 1 - nth);
    }
    return true;
}
