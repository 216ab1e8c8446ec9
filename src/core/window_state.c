/* window_state.c - the memory driver's state as bytes, and back.
 *
 * Layout, little-endian: magic "KEERWIN3", fingerprint of the plan (16), body, SipHash of all before it (16). The body holds
 * the segments as they lie in memory, so that a loaded store behaves to the byte like the one that was saved, eviction
 * included.
 */
#include "base/huge.h"
#include "core/window_memory.h"

#define STATE_MAGIC "KEERWIN3"

/* What of a plan decides the layout of rows: another plan must not read them. */
static struct hash128 plan_fingerprint(const struct win_store *s)
{
    struct hash128 h = {s->plan->groups, s->limits.rows_max};
    for (unsigned i = 0; i < s->plan->windows; i++) {
        const struct win_def *w = &s->plan->window[i];
        int64_t word[] = {(int64_t)w->agg, (int64_t)w->cond, w->group,    w->filter,       w->value, w->text,
                          w->including,    w->over_us,       w->delay_us, w->half_life_us, w->nth,   w->filter2};
        h = hash_join(h, hash_bytes(STATE_KEY, word, sizeof word));
    }
    int64_t lateness = s->plan->lateness_us;
    return hash_join(h, hash_bytes(STATE_KEY, &lateness, sizeof lateness));
}

static void put_u64(struct buf *b, uint64_t v) { buf_put(b, &v, sizeof v); }

static uint64_t segments_step(const struct group *g, const struct segment *seg)
{
    return (uint64_t)1 << (g->depth - seg->depth);
}

static void save_slot(const struct win_store *s, const struct group *g, const struct slot *slot, uint32_t at,
                      struct buf *out)
{
    struct slot copy = *slot;
    struct head head = *head_of(g, slot);
    copy.block = at; /* the place in the segment; blocks get new places */
    head.side = 0;
    buf_put(out, &copy, sizeof copy);
    buf_put(out, &head, sizeof head);
    buf_put(out, rows_of(g, slot), (size_t)slot->rows * g->stride);
    if (!(slot->flags & SLOT_SIDED))
        return;
    const struct side *side = &s->side[side_of(g, slot)];
    put_u64(out, (uint64_t)side->thin_until);
    put_u64(out, side->resolution);
    buf_put(out, side->sketch, side_bytes(g) - sizeof *side);
}

static void save_group(const struct win_store *s, const struct group *g, struct buf *out)
{
    uint64_t head[] = {g->depth, g->segments, g->hand_seg, g->hand_slot, g->stride};
    buf_put(out, head, sizeof head);
    for (uint64_t i = 0; i < (uint64_t)1 << g->depth; i += segments_step(g, g->dir[i])) {
        const struct segment *seg = g->dir[i];
        put_u64(out, (uint64_t)seg->used << 32 | seg->depth);
        for (uint32_t at = 0; at < SEGMENT_SLOTS; at++)
            if (seg->slot[at].flags & SLOT_USED)
                save_slot(s, g, &seg->slot[at], at, out);
    }
}

/* What a group takes at most, sketches apart. */
static size_t saved_bytes(const struct group *g)
{
    return 5 * sizeof(uint64_t) + g->segments * sizeof(uint64_t) +
           g->entities * (sizeof(struct slot) + sizeof(struct head)) + g->rows * g->stride;
}

/* All of it at once: growing by halves would take twice the memory at the worst time. */
static void save_room(const struct win_store *s, struct buf *out)
{
    size_t bytes = 100 + sizeof s->stats + s->side_bytes;
    for (unsigned i = 0; i < s->groups; i++)
        bytes += saved_bytes(&s->group[i]);
    huge_hint(buf_reserve(out, bytes), bytes);
}

enum keer_err win_memory_save(const struct win_store *s, struct buf *out)
{
    size_t from = out->len;
    save_room(s, out);
    struct hash128 plan = plan_fingerprint(s);
    buf_puts(out, STATE_MAGIC);
    buf_put(out, &plan, sizeof plan);
    put_u64(out, (uint64_t)s->watermark);
    buf_put(out, &s->stats, sizeof s->stats);
    for (unsigned i = 0; i < s->groups; i++)
        save_group(s, &s->group[i], out);
    if (out->err != KEER_OK)
        return out->err;
    struct hash128 sum = hash_bytes(STATE_KEY, out->p + from, out->len - from);
    buf_put(out, &sum, sizeof sum);
    return out->err;
}

/* --- loading: the checksum was right, but nothing is trusted --- */

static bool take(struct slice *in, void *to, size_t len)
{
    if (in->len < len)
        return false;
    if (len)
        memcpy(to, in->p, len);
    in->p += len;
    in->len -= len;
    return true;
}

static enum keer_err load_side(struct win_store *s, struct group *g, struct slot *slot, struct slice *in)
{
    uint64_t words[2];
    uint32_t at = side_make(s, g);
    if (!at)
        return KEER_ENOMEM;
    head_of(g, slot)->side = at;
    slot->flags |= SLOT_SIDED;
    struct side *side = &s->side[at];
    if (!take(in, words, sizeof words) || words[1] == 0 || words[1] > UINT32_MAX)
        return KEER_EFORMAT;
    side->thin_until = (int64_t)words[0];
    side->resolution = (uint32_t)words[1];
    if (!take(in, side->sketch, side_bytes(g) - sizeof *side))
        return KEER_EFORMAT;
    for (unsigned i = 0; i < g->sketches; i++)
        sketch_ranks(side, i);
    return KEER_OK;
}

static bool time_sound(int64_t t) { return t >= US_TIME_MIN && t <= US_TIME_MAX; }

/* What reading rests on: times in order and in range, so that differences don't overflow. Values may be anything. */
static bool rows_sound(const struct group *g, unsigned char *rows, uint32_t n)
{
    int64_t last = US_TIME_MIN;
    for (uint32_t i = 0; i < n; i++) {
        const struct row *row = row_at(g, rows, i);
        if (!time_sound(row->time) || row->time < last || row->weight == 0)
            return false;
        last = row->time;
        for (unsigned k = 0; k < g->columns; k++) {
            const struct column *c = &g->column[k];
            int64_t t;
            if (c->kind != COL_FIRST_TIME && c->kind != COL_LAST_TIME)
                continue;
            memcpy(&t, (const unsigned char *)row + c->offset, sizeof t);
            if (!time_sound(t) && t != (c->kind == COL_FIRST_TIME ? INT64_MAX : INT64_MIN))
                return false;
        }
    }
    return true;
}

static enum keer_err load_slot(struct win_store *s, struct group *g, struct segment *seg, struct slice *in)
{
    struct slot saved;
    struct head head;
    if (!take(in, &saved, sizeof saved) || !take(in, &head, sizeof head) || saved.block >= SEGMENT_SLOTS ||
        saved.cls >= g->pool.classes || saved.rows == 0 || saved.rows > g->pool.cap[saved.cls] ||
        !(saved.flags & SLOT_USED) || saved.tag != tag_of((struct hash128){head.lo, 0}) || head.side != 0)
        return KEER_EFORMAT;
    struct slot *slot = &seg->slot[saved.block];
    if (slot->flags & SLOT_USED)
        return KEER_EFORMAT;
    uint32_t block = pool_take(g, saved.cls);
    if (!block)
        return KEER_ENOMEM;
    *slot = saved;
    slot->block = block;
    slot->flags &= (uint8_t)~SLOT_SIDED;
    *head_of(g, slot) = head;
    seg->used++;
    g->entities++;
    g->rows += saved.rows;
    unsigned char *rows = rows_of(g, slot);
    if (!take(in, rows, (size_t)saved.rows * g->stride) || !rows_sound(g, rows, saved.rows))
        return KEER_EFORMAT;
    times_copy(g, slot, rows);
    return saved.flags & SLOT_SIDED ? load_side(s, g, slot, in) : KEER_OK;
}

static enum keer_err load_group(struct win_store *s, struct group *g, struct slice *in)
{
    uint64_t head[5];
    if (!take(in, head, sizeof head) || head[0] < 1 || head[0] > TABLE_DEPTH_MAX || head[4] != g->stride)
        return KEER_EFORMAT;
    table_release(g);
    g->depth = (uint32_t)head[0];
    g->entities = g->rows = g->segments = 0;
    g->dir = calloc((size_t)1 << g->depth, sizeof *g->dir);
    if (!g->dir)
        return KEER_ENOMEM;
    pool_init(g);
    for (uint64_t i = 0; i < (uint64_t)1 << g->depth;) {
        uint64_t word;
        if (!take(in, &word, sizeof word) || (uint32_t)word < 1 || (uint32_t)word > g->depth || word >> 32 > SEGMENT_FULL)
            return KEER_EFORMAT;
        struct segment *seg = segment_new(g, (uint32_t)word);
        if (!seg)
            return KEER_ENOMEM;
        uint64_t step = segments_step(g, seg);
        if (i % step) {
            return KEER_EFORMAT; /* the store is given up, and the segment with it */
        }
        for (uint64_t k = 0; k < step; k++)
            g->dir[i + k] = seg;
        g->segments++;
        i += step;
        for (uint64_t k = 0; k < word >> 32; k++) {
            enum keer_err err = load_slot(s, g, seg, in);
            if (err != KEER_OK)
                return err;
        }
        if (!table_sound(g, seg))
            return KEER_EFORMAT;
    }
    g->hand_seg = (uint32_t)head[2] & (((uint32_t)1 << g->depth) - 1);
    g->hand_slot = (uint32_t)MIN_OF(head[3], SEGMENT_SLOTS);
    return g->segments == head[1] ? KEER_OK : KEER_EFORMAT;
}

enum keer_err win_memory_load(struct win_store *s, struct slice state)
{
    struct slice in = state;
    char magic[8];
    struct hash128 plan, sum, mine = plan_fingerprint(s);
    if (in.len < sizeof magic + 2 * sizeof plan || memcmp(in.p, STATE_MAGIC, sizeof magic) != 0)
        return KEER_EFORMAT;
    in.len -= sizeof sum;
    memcpy(&sum, in.p + in.len, sizeof sum);
    struct hash128 have = hash_bytes(STATE_KEY, in.p, in.len);
    if (have.lo != sum.lo || have.hi != sum.hi)
        return KEER_EFORMAT;
    (void)take(&in, magic, sizeof magic);
    (void)take(&in, &plan, sizeof plan);
    if (plan.lo != mine.lo || plan.hi != mine.hi)
        return KEER_EVERSION;
    int64_t watermark;
    if (!take(&in, &watermark, sizeof watermark) || !time_sound(watermark) || !take(&in, &s->stats, sizeof s->stats))
        return KEER_EFORMAT;
    s->watermark = watermark;
    sides_release(s);
    for (unsigned i = 0; i < s->groups; i++) {
        enum keer_err err = load_group(s, &s->group[i], &in);
        if (err != KEER_OK)
            return err;
    }
    return in.len == 0 ? KEER_OK : KEER_EFORMAT;
}
