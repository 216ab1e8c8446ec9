/* window_rows.c - the rows of one entity: finding a time, adding an event, forgetting, merging into panes, sketches. */
#include <math.h>

#include "core/window_memory.h"

static inline int64_t *cell_i64(unsigned char *row, unsigned offset) { return (int64_t *)(void *)(row + offset); }
static inline uint64_t *cell_u64(unsigned char *row, unsigned offset) { return (uint64_t *)(void *)(row + offset); }
static inline uint32_t *cell_u32(unsigned char *row, unsigned offset) { return (uint32_t *)(void *)(row + offset); }

static inline int64_t cell_at(const unsigned char *first, size_t stride, uint32_t i)
{
    int64_t v;
    memcpy(&v, first + i * stride, sizeof v);
    return v;
}

uint32_t rows_upto(const unsigned char *first, size_t stride, uint32_t n, int64_t bound)
{
    /* Most questions are about the recent past: look at the newest four, then halve. */
    for (unsigned i = 0; i < 4; i++) {
        if (n == 0 || cell_at(first, stride, n - 1) <= bound)
            return n;
        n--;
    }
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (cell_at(first, stride, mid) <= bound)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t rows_upto_near(const unsigned char *first, size_t stride, uint32_t n, int64_t bound, uint32_t near)
{
    uint32_t lo = 0, hi = n, step = 1, at = MIN_OF(near, n);
    /* Invariant: rows below lo are at or before the bound, rows from hi on are after it. */
    if (at < n && cell_at(first, stride, at) <= bound) {
        lo = at + 1;
        while (lo < hi && lo + step - 1 < n && cell_at(first, stride, lo + step - 1) <= bound) {
            lo += step;
            step *= 2;
        }
        hi = MIN_OF(hi, lo + step - 1);
    } else {
        hi = at;
        while (hi > 0 && cell_at(first, stride, hi - MIN_OF(step, hi)) > bound) {
            hi -= MIN_OF(step, hi);
            step *= 2;
        }
        lo = hi > step ? hi - step : 0;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (cell_at(first, stride, mid) <= bound)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void times_copy(const struct group *g, const struct slot *slot, unsigned char *rows)
{
    if (!times_kept(g, g->pool.cap[slot->cls]))
        return;
    int64_t *times = times_at(g, rows, slot->cls);
    for (uint32_t i = 0; i < slot->rows; i++)
        times[i] = row_at(g, rows, i)->time;
}

/* Row `at` of now n is new. */
static void times_insert(const struct group *g, const struct slot *slot, unsigned char *rows, uint32_t n, uint32_t at)
{
    if (!times_kept(g, g->pool.cap[slot->cls]))
        return;
    int64_t *times = times_at(g, rows, slot->cls);
    memmove(times + at + 1, times + at, (n - at - 1) * sizeof *times);
    times[at] = row_at(g, rows, at)->time;
}

/* --- adding --- */

/* One column of one row takes an event into account: its own row (`own`), or a later one that the event lies before. */
static inline void column_apply(const struct column *c, unsigned char *row, const struct win_request *req, uint64_t filters,
                                bool own)
{
    bool pass = filters >> c->filter & 1;
    if (c->cond != WIN_ANY)
        pass = pass && req->label_known_us != INT64_MAX && req->label_fraud == (c->cond == WIN_FRAUD);
    int64_t t = req->time_us;
    switch ((enum col_kind)c->kind) {
    case COL_COUNT: *cell_u32(row, c->offset) += pass; break;
    case COL_SUM:
        if (pass)
            *cell_u64(row, c->offset) += (uint64_t)req->values[c->value];
        break;
    case COL_SUMSQ:
        if (pass) {
            u128 sum;
            i128 v = req->values[c->value];
            memcpy(&sum, row + c->offset, sizeof sum);
            sum += (u128)(v * v);
            memcpy(row + c->offset, &sum, sizeof sum);
        }
        break;
    case COL_FIRST_VALUE:
        if (pass && t < *cell_i64(row, c->mate))
            *cell_i64(row, c->offset) = req->values[c->value];
        break;
    case COL_FIRST_TIME:
        if (pass && t < *cell_i64(row, c->offset))
            *cell_i64(row, c->offset) = t;
        break;
    case COL_LAST_VALUE:
        if (pass && t >= *cell_i64(row, c->mate))
            *cell_i64(row, c->offset) = req->values[c->value];
        break;
    case COL_LAST_TIME:
        if (pass && t >= *cell_i64(row, c->offset))
            *cell_i64(row, c->offset) = t;
        break;
    case COL_TOTAL_MIN:
        if (pass)
            *cell_i64(row, c->offset) = MIN_OF(*cell_i64(row, c->offset), req->values[c->value]);
        break;
    case COL_TOTAL_MAX:
        if (pass)
            *cell_i64(row, c->offset) = MAX_OF(*cell_i64(row, c->offset), req->values[c->value]);
        break;
    case COL_MIN:
        if (own)
            *cell_i64(row, c->offset) = pass ? req->values[c->value] : INT64_MAX;
        break;
    case COL_MAX:
        if (own)
            *cell_i64(row, c->offset) = pass ? req->values[c->value] : INT64_MIN;
        break;
    case COL_VALUE:
        if (own)
            *cell_i64(row, c->offset) = req->values[c->value];
        break;
    case COL_LABEL:
        if (own)
            *cell_i64(row, c->offset) =
                req->label_known_us == INT64_MAX ? INT64_MAX : req->label_known_us * 2 + req->label_fraud;
        break;
    case COL_TAG:
        if (own)
            *cell_u64(row, c->offset) = req->id.lo;
        break;
    case COL_KNOWN:
        if (req->label_known_us != INT64_MAX)
            *cell_i64(row, c->offset) = MAX_OF(*cell_i64(row, c->offset), req->label_known_us);
        break;
    case COL_KIND_MAX: break;
    }
}

static inline void row_apply(const struct group *g, unsigned char *row, const struct win_request *req, uint64_t filters,
                             bool own)
{
    for (unsigned i = 0; i < g->columns; i++)
        column_apply(&g->column[i], row, req, filters, own);
}

/* The same for a new newest row without a label, which begins as a copy of the row before it. */
static inline void append_other(const struct append *a, unsigned char *row, const struct win_request *req, uint64_t filters)
{
    uint64_t pass = filters >> a->filter & 1;
    switch ((enum col_kind)a->kind) {
    case COL_SUMSQ:
        if (pass) {
            u128 sum;
            i128 v = req->values[a->value];
            memcpy(&sum, row + a->offset, sizeof sum);
            sum += (u128)(v * v);
            memcpy(row + a->offset, &sum, sizeof sum);
        }
        break;
    case COL_FIRST_VALUE:
        if (pass && req->time_us < *cell_i64(row, a->mate))
            *cell_i64(row, a->offset) = req->values[a->value];
        break;
    case COL_FIRST_TIME:
        if (pass)
            *cell_i64(row, a->offset) = MIN_OF(*cell_i64(row, a->offset), req->time_us);
        break;
    case COL_LAST_VALUE:
        if (pass)
            *cell_i64(row, a->offset) = req->values[a->value];
        break;
    case COL_LAST_TIME:
        if (pass)
            *cell_i64(row, a->offset) = req->time_us;
        break;
    case COL_TOTAL_MIN:
        if (pass)
            *cell_i64(row, a->offset) = MIN_OF(*cell_i64(row, a->offset), req->values[a->value]);
        break;
    case COL_TOTAL_MAX:
        if (pass)
            *cell_i64(row, a->offset) = MAX_OF(*cell_i64(row, a->offset), req->values[a->value]);
        break;
    case COL_MIN: *cell_i64(row, a->offset) = pass ? req->values[a->value] : INT64_MAX; break;
    case COL_MAX: *cell_i64(row, a->offset) = pass ? req->values[a->value] : INT64_MIN; break;
    case COL_LABEL: *cell_i64(row, a->offset) = INT64_MAX; break;
    case COL_TAG: *cell_u64(row, a->offset) = req->id.lo; break;
    case COL_COUNT: /* see row_append */
    case COL_SUM:
    case COL_VALUE:
    case COL_KNOWN:
    case COL_KIND_MAX: break;
    }
}

static inline void row_append(const struct group *g, unsigned char *row, const struct win_request *req, uint64_t filters)
{
    const struct append *a = g->append;
    for (; a < g->append + g->counts_end; a++)
        *cell_u32(row, a->offset) += (uint32_t)(filters >> a->filter & 1);
    for (; a < g->append + g->sums_end; a++)
        *cell_u64(row, a->offset) += (uint64_t)req->values[a->value] & -(filters >> a->filter & 1);
    for (; a < g->append + g->values_end; a++)
        *cell_i64(row, a->offset) = req->values[a->value];
    for (; a < g->append + g->appends; a++)
        append_other(a, row, req, filters);
}

/* A row is a few times 8 bytes: less than a call of memcpy. */
static inline void row_copy(unsigned char *to, const unsigned char *from, size_t stride)
{
    size_t at = 0;
    for (; at + 16 <= stride; at += 16)
        memcpy(to + at, from + at, 16);
    if (at < stride)
        memcpy(to + at, from + at, 8);
}

static uint32_t scan_mask(const struct group *g, uint64_t filters)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < g->scan_filters; i++)
        mask |= (uint32_t)(filters >> g->scan_filter[i] & 1) << i;
    return mask;
}

static void sketches_add(const struct win_store *s, const struct group *g, const struct slot *slot, const unsigned char *row)
{
    uint32_t side = side_of(g, slot);
    if (!side || !g->sketches)
        return;
    struct row head;
    memcpy(&head, row, sizeof head);
    for (unsigned i = 0; i < g->sketches; i++) {
        uint64_t value;
        memcpy(&value, row + g->sketch[i].col, sizeof value);
        if (head.mask & g->sketch[i].mask)
            sketch_add(&s->side[side], i, value, head.time);
    }
}

static void slot_touch(struct slot *slot, int64_t time_us)
{
    int64_t second = time_us / US_SECOND;
    uint32_t touched = second <= 0 ? 0 : second > UINT32_MAX ? UINT32_MAX : (uint32_t)second;
    slot->touched = MAX_OF(slot->touched, touched);
}

/* The usual case of rows_add: no row is later and the event brings no label, so that no other row changes, and neither do
 * sets, tallies and the order of labels. */
static uint32_t rows_append(const struct win_store *s, struct group *g, struct slot *slot, unsigned char *rows,
                            const struct win_request *req, uint64_t filters)
{
    uint32_t n = slot->rows++;
    unsigned char *row = rows + (size_t)n * g->stride;
    row_copy(row, n ? row - g->stride : g->blank, g->stride);
    *(struct row *)(void *)row = (struct row){req->time_us, 1, scan_mask(g, filters)};
    row_append(g, row, req, filters);
    if (slot->flags & SLOT_SIDED)
        sketches_add(s, g, slot, row);
    g->rows++;
    if (times_kept(g, g->pool.cap[slot->cls]))
        times_at(g, rows, slot->cls)[n] = req->time_us;
    slot_touch(slot, req->time_us);
    return n;
}

uint32_t rows_add(struct win_store *s, struct group *g, struct slot *slot, const struct win_request *req, uint64_t filters)
{
    unsigned char *rows = rows_of(g, slot);
    uint32_t n = slot->rows;
    ASSERT(n < g->pool.cap[slot->cls]);
    if (req->label_known_us == INT64_MAX && (n == 0 || row_at(g, rows, n - 1)->time <= req->time_us))
        return rows_append(s, g, slot, rows, req, filters);
    uint32_t p = rows_upto(rows, g->stride, n, req->time_us);
    bool into_base = p == 0 && (slot->flags & SLOT_BASE);
    if (!into_base) {
        unsigned char *row = rows + (size_t)p * g->stride;
        memmove(row + g->stride, row, (size_t)(n - p) * g->stride);
        memcpy(row, p ? row - g->stride : g->blank, g->stride);
        struct row *head = (struct row *)(void *)row;
        *head = (struct row){req->time_us, 1, scan_mask(g, filters)};
        row_apply(g, row, req, filters, true);
        sketches_add(s, g, slot, row);
        slot->rows++;
        n++;
        g->rows++;
        times_insert(g, slot, rows, n, p);
        hot_insert(g, rows, g->pool.cap[slot->cls], n, p++);
    }
    for (uint32_t i = p; i < n; i++)
        row_apply(g, rows + (size_t)i * g->stride, req, filters, false);
    labels_added(g, slot, rows, into_base ? 0 : p - 1, req->label_known_us);
    if (p < n || into_base)
        s->stats.late++;
    slot_touch(slot, req->time_us);
    return into_base ? UINT32_MAX : p - 1;
}

/* --- forgetting --- */

static unsigned class_for(const struct group *g, uint32_t rows)
{
    unsigned cls = 0;
    while (cls + 1 < g->pool.classes && g->pool.cap[cls] < rows)
        cls++;
    return cls;
}

/* Drops the first `drop` rows; the newest of them is kept as the base. */
static void rows_drop(struct group *g, struct slot *slot, unsigned char *rows, uint32_t drop)
{
    if (drop == 0)
        return;
    memmove(rows, rows + (size_t)drop * g->stride, (size_t)(slot->rows - drop) * g->stride);
    hot_drop(g, rows, g->pool.cap[slot->cls], drop);
    slot->rows = (uint16_t)(slot->rows - drop);
    g->rows -= drop;
    slot->flags |= SLOT_BASE;
    times_copy(g, slot, rows);
}

void rows_forget(struct group *g, struct slot *slot)
{
    unsigned char *rows = rows_of(g, slot);
    rows_drop(g, slot, rows, slot->rows - 1u);
    labels_untangle(g, slot, rows);
}

static void pane_merge(const struct group *g, unsigned char *newer, const unsigned char *older)
{
    struct row *a = (struct row *)(void *)newer;
    struct row b;
    memcpy(&b, older, sizeof b);
    a->weight += b.weight; /* the mask stays the newer one's, so that no filter gets more than its share */
    for (unsigned i = 0; i < g->columns; i++) {
        const struct column *c = &g->column[i];
        int64_t other;
        if (c->kind != COL_MIN && c->kind != COL_MAX && c->kind != COL_VALUE)
            continue;
        memcpy(&other, older + c->offset, sizeof other);
        int64_t *mine = cell_i64(newer, c->offset);
        if (c->kind == COL_MIN)
            *mine = MIN_OF(*mine, other);
        else if (c->kind == COL_MAX)
            *mine = MAX_OF(*mine, other);
        else if (*mine == WIN_MISSING)
            *mine = other;
    }
}

/* One pass from the newest row to the oldest: two neighbours become one pane when the pane stays small against what is newer
 * than it. */
static uint32_t rows_thin_pass(const struct group *g, unsigned char *rows, uint32_t n, uint32_t first, uint32_t resolution,
                               int64_t *thin_until)
{
    uint64_t newer = 0;
    uint32_t out = n; /* rows[out..n) is the result */
    for (uint32_t i = n; i > first; i--) {
        unsigned char *row = rows + (size_t)(i - 1) * g->stride;
        struct row *pane = out < n ? row_at(g, rows, out) : NULL;
        uint32_t weight = ((struct row *)(void *)row)->weight;
        if (pane && (uint64_t)pane->weight + weight <= newer / resolution && pane->weight < UINT32_MAX / 2) {
            pane_merge(g, (unsigned char *)pane, row);
            *thin_until = MAX_OF(*thin_until, pane->time);
            continue;
        }
        if (pane)
            newer += pane->weight;
        out--;
        if (out != i - 1)
            memcpy(rows + (size_t)out * g->stride, row, g->stride);
    }
    uint32_t dropped = out - first;
    memmove(rows + (size_t)first * g->stride, rows + (size_t)out * g->stride, (size_t)(n - out) * g->stride);
    return dropped;
}

/* The slot after making room for `bytes`, which moves slots; NULL when there is none. */
static struct slot *slot_with_room(struct win_store *s, struct group *g, struct slot *slot, struct hash128 key,
                                   uint64_t bytes)
{
    if (store_bytes(s) + bytes <= s->limits.memory_max)
        return slot;
    uint32_t n = slot->rows;
    slot = table_make_room(s, bytes, key) ? table_find(g, key) : NULL;
    return slot && BELIEVED(slot->rows == n) ? slot : NULL;
}

/* Merges old rows until at least an eighth of the rows is free; the slot, which may move, or NULL without memory. */
static struct slot *rows_thin(struct win_store *s, struct group *g, struct slot *slot, struct hash128 key)
{
    if (!(slot->flags & SLOT_SIDED)) {
        slot = slot_with_room(s, g, slot, key, side_bytes(g));
        uint32_t made = slot ? side_make(s, g) : 0;
        if (!made)
            return NULL;
        head_of(g, slot)->side = made;
        slot->flags |= SLOT_SIDED;
        unsigned char *rows = rows_of(g, slot);
        for (uint32_t i = 0; i < slot->rows; i++)
            sketches_add(s, g, slot, rows + (size_t)i * g->stride);
    }
    struct side *side = &s->side[side_of(g, slot)];
    unsigned char *rows = rows_of(g, slot);
    uint32_t first = slot->flags & SLOT_BASE ? 1 : 0, dropped = 0;
    for (;;) {
        dropped += rows_thin_pass(g, rows, slot->rows - dropped, first, side->resolution, &side->thin_until);
        if (dropped >= slot->rows / 8 || side->resolution == 1)
            break;
        side->resolution -= side->resolution / 4 ? side->resolution / 4 : 1;
    }
    hot_reset(g, rows, g->pool.cap[slot->cls]);
    slot->rows = (uint16_t)(slot->rows - dropped);
    g->rows -= dropped;
    times_copy(g, slot, rows);
    s->stats.thinned += dropped;
    return slot;
}

bool rows_approximate(const struct win_store *s, const struct group *g, const struct slot *slot)
{
    int64_t floor_us = g->keeps_rows ? INT64_MIN : s->watermark - g->horizon_us;
    uint32_t side = side_of(g, slot);
    return side && s->side[side].thin_until > floor_us;
}

/* Rows into a block of another class, without the first `drop`. */
static struct slot *rows_move(struct win_store *s, struct group *g, struct slot *slot, struct hash128 key, unsigned cls,
                              uint32_t drop)
{
    slot = slot_with_room(s, g, slot, key, class_bytes(g, cls));
    uint32_t block = slot ? pool_take(g, cls) : 0;
    if (!block)
        return NULL;
    struct slot old = *slot;
    slot->block = block;
    slot->cls = (uint8_t)cls;
    slot->rows = (uint16_t)(slot->rows - drop);
    if (drop)
        slot->flags |= SLOT_BASE;
    g->rows -= drop;
    *head_of(g, slot) = *head_of(g, &old);
    unsigned char *rows = rows_of(g, slot);
    memcpy(rows, rows_of(g, &old) + (size_t)drop * g->stride, (size_t)slot->rows * g->stride);
    pool_give(g, old.block, old.cls);
    times_copy(g, slot, rows);
    labels_untangle(g, slot, rows);
    return slot;
}

struct slot *rows_room(struct win_store *s, struct group *g, struct slot *slot, struct hash128 key)
{
    uint32_t n = slot->rows;
    if (n < g->pool.cap[slot->cls])
        return slot;
    unsigned char *rows = rows_of(g, slot);
    uint32_t gone = !g->keeps_rows ? rows_upto(rows, g->stride, n, s->watermark - g->horizon_us) : 0;
    uint32_t drop = gone > 1 ? gone - 1 : 0, live = n - drop;
    if ((slot->flags & SLOT_SIDED) && !rows_approximate(s, g, slot)) {
        side_drop(s, side_of(g, slot));
        slot->flags &= (uint8_t)~SLOT_SIDED;
    }
    /* A quarter of free rows, so that forgetting costs a constant for each event. */
    unsigned cls = class_for(g, MAX_OF(live + 1, live + live / 4));
    if (cls + 1 == slot->cls) /* one class too large is good for more than moving to and fro */
        cls = slot->cls;
    if (cls != slot->cls)
        return rows_move(s, g, slot, key, cls, drop);
    rows_drop(g, slot, rows, drop);
    labels_untangle(g, slot, rows);
    uint32_t base = slot->flags & SLOT_BASE ? 1 : 0, cap = g->pool.cap[cls];
    if (slot->rows - base > g->rows_max)
        slot = rows_thin(s, g, slot, key);
    return slot && slot->rows < cap ? slot : NULL;
}

/* --- sliding HyperLogLog (Flajolet et al., 2007): for each register and rank, when that rank was last seen --- */

static uint32_t *sketch_cells(const struct side *side, unsigned sketch)
{
    return side->sketch + (size_t)sketch * SKETCH_REGISTERS * SKETCH_RANKS;
}

void sketch_add(struct side *side, unsigned sketch, uint64_t hash, int64_t time_us)
{
    uint64_t x = hash_mix(hash);
    unsigned reg = (unsigned)(x & (SKETCH_REGISTERS - 1));
    unsigned rank = (unsigned)__builtin_ctzll(x >> 9 | (uint64_t)1 << (SKETCH_RANKS - 2));
    int64_t second = time_us / US_SECOND + 1; /* 0 = never */
    uint32_t now = second < 1 ? 1 : second > UINT32_MAX ? UINT32_MAX : (uint32_t)second;
    uint32_t *cell = &sketch_cells(side, sketch)[rank * SKETCH_REGISTERS + reg];
    *cell = MAX_OF(*cell, now);
    side->ranks[sketch] = (uint8_t)MAX_OF(side->ranks[sketch], rank + 1);
}

void sketch_ranks(struct side *side, unsigned sketch)
{
    const uint32_t *cells = sketch_cells(side, sketch);
    unsigned i = SKETCH_REGISTERS * (SKETCH_RANKS - 1); /* the last rank can't be reached: see sketch_add */
    while (i > 0 && cells[i - 1] == 0)
        i--;
    side->ranks[sketch] = (uint8_t)((i + SKETCH_REGISTERS - 1) / SKETCH_REGISTERS);
}

/* Four registers at once. */
typedef uint32_t lanes __attribute__((vector_size(16)));
static inline lanes lanes_seen(lanes left, const uint32_t *cells, uint32_t after, uint32_t unit)
{
    lanes v;
    memcpy(&v, cells, sizeof v);
    lanes seen = (lanes)(v > after);
    return (left & ~seen) | (seen & unit);
}

double sketch_count(const struct side *side, unsigned sketch, int64_t after_us)
{
    int64_t second = after_us / US_SECOND + 1;
    uint32_t after = second < 1 ? 0 : second > UINT32_MAX ? UINT32_MAX : (uint32_t)second;
    const uint32_t *cells = sketch_cells(side, sketch);
    unsigned ranks = side->ranks[sketch], empty = 0;
    uint64_t sum = 0; /* of 2^-(highest rank seen), in units of 2^-31: exact */
    for (unsigned j = 0; j < SKETCH_REGISTERS; j += 16) {
        lanes none = (lanes){0} + ((uint32_t)1 << 31), a = none, b = none, c = none, d = none;
        const uint32_t *row = cells + j;
        for (unsigned rank = 0; rank < ranks; rank++, row += SKETCH_REGISTERS) {
            uint32_t unit = (uint32_t)1 << (30 - rank);
            a = lanes_seen(a, row, after, unit);
            b = lanes_seen(b, row + 4, after, unit);
            c = lanes_seen(c, row + 8, after, unit);
            d = lanes_seen(d, row + 12, after, unit);
        }
        lanes low = (a & 0xFFFF) + (b & 0xFFFF) + (c & 0xFFFF) + (d & 0xFFFF),
              high = (a >> 16) + (b >> 16) + (c >> 16) + (d >> 16);
        lanes never = (lanes)(a == none) + (lanes)(b == none) + (lanes)(c == none) + (lanes)(d == none);
        for (unsigned k = 0; k < 4; k++) {
            sum += low[k] + ((uint64_t)high[k] << 16);
            empty -= never[k]; /* true is -1 */
        }
    }
    double m = SKETCH_REGISTERS, estimate = 0.7213 / (1 + 1.079 / m) * m * m / ((double)sum * 0x1p-31);
    if (estimate <= 2.5 * m && empty)
        estimate = m * log(m / empty);
    return floor(estimate + 0.5);
}
