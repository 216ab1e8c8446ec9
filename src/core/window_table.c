/* window_table.c - the entities of a group: extendible hashing over segments of 256 slots, and the pool of row blocks.
 *
 * A segment that fills is split in two by one more bit of the hash; nothing else moves, so that growth never stops the
 * world. The directory doubles when a segment is as deep as it. Blocks come in size classes and go back to a list of their
 * class.
 */
#include "core/window_memory.h"

/* --- the pool --- */

/* One more chunk; false without memory. */
static bool pool_chunk(struct pool *p, size_t bytes)
{
    if (p->chunks == UINT16_MAX)
        return false;
    if (p->chunks == p->chunks_cap) {
        uint32_t cap = p->chunks_cap ? p->chunks_cap * 2 : 16;
        unsigned char **chunk = realloc(p->chunk, cap * sizeof *chunk);
        if (!chunk)
            return false;
        p->chunk = chunk;
        void **large = realloc(p->large, cap * sizeof *large);
        if (!large)
            return false;
        p->large = large;
        p->chunks_cap = cap;
    }
    bool own = bytes != POOL_CHUNK;
    unsigned char *memory = own ? malloc(bytes) : slab_take(&p->memory);
    if (!memory)
        return false;
    p->large[p->chunks] = own ? memory : NULL;
    p->chunk[p->chunks++] = memory;
    p->reserved_bytes += own ? bytes : POOL_CHUNK;
    return true;
}

/* Where the next block of so many units would begin: one of whole cache lines, or halves of them, begins with one. */
static uint32_t bump_from(const struct pool *p, uint32_t units)
{
    uint32_t less = units % 4 == 0 ? 3 : units % 2 == 0 ? 1 : 0;
    return (p->bump + less) & ~less;
}

/* A block that nobody had before; 0 without memory. Unit 0 of a chunk is left out, so that reference 0 means 'none'. */
static uint32_t pool_fresh(struct pool *p, size_t bytes)
{
    if (bytes > POOL_LARGE)
        return pool_chunk(p, bytes + 16) ? (p->chunks - 1) << 16 | 1 : 0;
    uint32_t units = (uint32_t)(bytes / 16);
    if (bump_from(p, units) + units > p->bump_end) {
        /* The rest of the old chunk is lost: less than POOL_LARGE. */
        if (!pool_chunk(p, POOL_CHUNK))
            return 0;
        p->bump = (p->chunks - 1) << 16 | 1;
        p->bump_end = p->bump + 65535;
    }
    uint32_t block = bump_from(p, units);
    p->bump = block + units;
    return block;
}

/* Free blocks of a class: a list of nodes, each in a free block itself and full of references to others, so that taking and
 * giving touch the first node and not the blocks. */
struct free_node {
    uint32_t next, count;
    uint32_t block[];
};
#define FREE_AHEAD 4u /* blocks that are fetched before they are taken */

static inline struct free_node *free_node_at(const struct pool *p, uint32_t block)
{
    return (struct free_node *)(void *)pool_at(p, block);
}
static inline uint32_t free_room(const struct pool *p, unsigned cls)
{
    return (uint32_t)(MIN_OF(p->bytes[cls], (size_t)128) - sizeof(struct free_node)) / (uint32_t)sizeof(uint32_t);
}

static uint32_t free_take(struct pool *p, unsigned cls)
{
    uint32_t first = p->free[cls];
    struct free_node *node = free_node_at(p, first);
    if (node->count == 0) {
        p->free[cls] = node->next;
        return first;
    }
    uint32_t block = node->block[--node->count];
    if (node->count >= FREE_AHEAD)
        __builtin_prefetch(pool_at(p, node->block[node->count - FREE_AHEAD]), 1);
    return block;
}

uint32_t pool_take(struct group *g, unsigned cls)
{
    struct pool *p = &g->pool;
    size_t bytes = class_bytes(g, cls);
    uint32_t block = p->free[cls] ? free_take(p, cls) : pool_fresh(p, bytes);
    if (!block)
        return 0;
    unsigned char *start = pool_at(p, block);
    hot_reset(g, start + p->front[cls], p->cap[cls]);
    p->live_bytes += bytes;
    if (p->front[cls] > sizeof(struct head))
        memset(start + sizeof(struct head), 0xFF, p->front[cls] - sizeof(struct head)); /* hints */
    return block;
}

void pool_give(struct group *g, uint32_t block, unsigned cls)
{
    struct pool *p = &g->pool;
    ASSERT(block != 0 && cls < p->classes);
    struct free_node *node = p->free[cls] ? free_node_at(p, p->free[cls]) : NULL;
    if (node && node->count < free_room(p, cls)) {
        node->block[node->count++] = block;
    } else {
        *free_node_at(p, block) = (struct free_node){.next = p->free[cls]};
        p->free[cls] = block;
    }
    p->live_bytes -= class_bytes(g, cls);
}

/* Capacities: 1 for the many that are seen once, then 4, 8, 16 (most entities move three times in their life), then half as
 * much again and again. Rows of more than a cache line have a class for two. */
static uint32_t class_after(const struct group *g, uint32_t cap)
{
    if (cap == 1)
        return g->stride > 64 ? 2 : 4;
    if (cap < 16)
        return cap * 2;
    return (cap & (cap - 1)) == 0 ? cap + cap / 2 : cap + cap / 3;
}

void pool_init(struct group *g)
{
    struct pool *p = &g->pool;
    uint32_t cap = 1;
    slab_init(&p->memory, POOL_CHUNK);
    while (p->classes < POOL_CLASSES - 1 && cap < g->rows_max) {
        p->cap[p->classes++] = cap;
        cap = class_after(g, cap);
    }
    /* The budget, and some room to forget in: an entity that stays within it is never thinned. */
    p->cap[p->classes++] = g->rows_max + g->rows_max / 16;
    for (unsigned cls = 0; cls < p->classes; cls++) {
        size_t rows = ((size_t)p->cap[cls] * g->stride + 15) & ~(size_t)15;
        p->front[cls] = sizeof(struct head) + hints_bytes(g, p->cap[cls]);
        size_t bytes = p->front[cls] + rows + hot_bytes(g, p->cap[cls]) + times_bytes(g, p->cap[cls]);
        size_t whole = cls == 0 ? 16 : p->cap[cls] < HINT_ROWS ? 32 : 64; /* a cache line, half of one, or less */
        p->bytes[cls] = (bytes + whole - 1) & ~(whole - 1);
    }
}

/* --- side structures --- */

void side_drop(struct win_store *s, uint32_t side)
{
    if (!side)
        return;
    s->side_bytes -= s->side[side].bytes;
    free(s->side[side].sketch);
    s->side[side] = (struct side){.next_free = s->side_free};
    s->side_free = side;
}

void sides_release(struct win_store *s)
{
    for (uint32_t i = 1; i < s->sides; i++)
        free(s->side[i].sketch);
    free(s->side);
    s->side = NULL;
    s->sides = s->sides_cap = s->side_free = 0;
    s->side_bytes = 0;
}

size_t side_bytes(const struct group *g)
{
    return sizeof(struct side) + (size_t)g->sketches * SKETCH_REGISTERS * SKETCH_RANKS * sizeof(uint32_t);
}

uint32_t side_make(struct win_store *s, const struct group *g)
{
    uint32_t at = s->side_free;
    if (!at) {
        if (s->sides == s->sides_cap) {
            uint32_t cap = s->sides_cap ? s->sides_cap * 2 : 8;
            struct side *side = realloc(s->side, cap * sizeof *side);
            if (!side)
                return 0;
            memset(side + s->sides_cap, 0, (cap - s->sides_cap) * sizeof *side);
            s->side = side;
            s->sides_cap = cap;
        }
        at = s->sides ? s->sides : 1;
    }
    uint32_t *sketch = NULL;
    size_t bytes = side_bytes(g);
    if (g->sketches) {
        sketch = calloc(1, bytes - sizeof(struct side));
        if (!sketch)
            return 0;
    }
    if (at == s->side_free)
        s->side_free = s->side[at].next_free;
    else
        s->sides = at + 1;
    s->side[at] = (struct side){.thin_until = INT64_MIN, .resolution = g->rows_max / 8, .sketch = sketch, .bytes = bytes};
    s->side_bytes += bytes;
    return at;
}

uint64_t store_bytes(const struct win_store *s)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < s->groups; i++) {
        const struct group *g = &s->group[i];
        bytes += g->segments * sizeof(struct segment) + ((uint64_t)sizeof(void *) << g->depth) + g->pool.live_bytes;
    }
    return bytes + s->side_bytes;
}

/* --- the directory --- */

struct segment *segment_new(struct group *g, uint32_t depth)
{
    if (!g->segments_memory.size)
        slab_init(&g->segments_memory, sizeof(struct segment));
    struct segment *seg = slab_take(&g->segments_memory);
    if (!seg)
        return NULL;
    memset(seg, 0, sizeof *seg);
    seg->depth = depth;
    return seg;
}

void segment_free(struct group *g, struct segment *seg)
{
    if (seg)
        slab_give(&g->segments_memory, seg);
}

enum keer_err table_init(struct group *g)
{
    pool_init(g);
    g->depth = 1;
    g->dir = calloc((size_t)1 << g->depth, sizeof *g->dir);
    if (!g->dir)
        return KEER_ENOMEM;
    for (unsigned i = 0; i < 2; i++) {
        g->dir[i] = segment_new(g, 1);
        if (!g->dir[i])
            return KEER_ENOMEM;
        g->segments++;
    }
    return KEER_OK;
}

void table_release(struct group *g)
{
    slab_release(&g->segments_memory);
    free(g->dir);
    for (uint32_t i = 0; i < g->pool.chunks; i++)
        free(g->pool.large[i]);
    free(g->pool.large);
    free(g->pool.chunk);
    slab_release(&g->pool.memory);
    g->dir = NULL;
    g->pool = (struct pool){0};
}

bool table_sound(const struct group *g, struct segment *seg)
{
    for (uint32_t at = 0; at < SEGMENT_SLOTS; at++) {
        const struct slot *slot = &seg->slot[at];
        if (!(slot->flags & SLOT_USED))
            continue;
        const struct head *head = head_of(g, slot);
        struct hash128 key = {head->lo, (uint64_t)head->hi << 32};
        if (segment_of(g, head->lo) != seg || segment_find(g, seg, key) != slot)
            return false;
    }
    return true;
}

struct slot *table_find(const struct group *g, struct hash128 key) { return segment_find(g, segment_of(g, key.lo), key); }

static struct slot *segment_place(struct segment *seg, uint32_t tag)
{
    uint32_t at = home_of(tag);
    while (seg->slot[at].flags & SLOT_USED)
        at = (at + 1) & (SEGMENT_SLOTS - 1);
    seg->used++;
    return &seg->slot[at];
}

/* Splits a full segment by one more bit. Slots are moved in the order of the ring that begins after an empty slot, so that
 * the result depends on the contents alone. */
static bool table_split(struct group *g, struct segment *seg, uint64_t lo)
{
    if (seg->depth == g->depth) {
        if (g->depth == TABLE_DEPTH_MAX)
            return false;
        struct segment **dir = malloc(sizeof *dir << (g->depth + 1));
        if (!dir)
            return false;
        for (uint64_t i = 0; i < (uint64_t)1 << g->depth; i++)
            dir[2 * i] = dir[2 * i + 1] = g->dir[i];
        free(g->dir);
        g->dir = dir;
        g->depth++;
    }
    struct segment *one = segment_new(g, seg->depth + 1), *zero = segment_new(g, seg->depth + 1);
    if (!one || !zero) {
        segment_free(g, one);
        segment_free(g, zero);
        return false;
    }
    uint32_t start = 0;
    while (seg->slot[start].flags & SLOT_USED)
        start++;
    for (uint32_t i = 1; i <= SEGMENT_SLOTS; i++) {
        const struct slot *slot = &seg->slot[(start + i) & (SEGMENT_SLOTS - 1)];
        if (!(slot->flags & SLOT_USED))
            continue;
        bool bit = slot->tag >> (31 - seg->depth) & 1;
        *segment_place(bit ? one : zero, slot->tag) = *slot;
    }
    uint64_t span = (uint64_t)1 << (g->depth - seg->depth); /* directory entries that show the old segment */
    uint64_t first = lo >> (64 - g->depth) & ~(span - 1);
    for (uint64_t i = 0; i < span; i++)
        g->dir[first + i] = i < span / 2 ? zero : one;
    segment_free(g, seg);
    g->segments++;
    return true;
}

struct slot *table_make(struct win_store *s, struct group *g, struct hash128 key)
{
    struct segment *seg = segment_of(g, key.lo);
    struct slot *slot = segment_find(g, seg, key);
    if (slot)
        return slot;
    table_sweep(s, g, 4);
    uint64_t bytes = 64 + class_bytes(g, 0);
    if (store_bytes(s) + bytes > s->limits.memory_max && !table_make_room(s, bytes, key))
        return NULL;
    while ((seg = segment_of(g, key.lo))->used >= SEGMENT_FULL) {
        bytes = class_bytes(g, 0) + sizeof *seg + (seg->depth == g->depth ? sizeof seg << g->depth : 0);
        if (store_bytes(s) + bytes > s->limits.memory_max) {
            if (!table_make_room(s, bytes, key))
                return NULL;
        } else if (!table_split(g, seg, key.lo)) {
            return NULL;
        }
    }
    uint32_t block = pool_take(g, 0);
    if (!block)
        return NULL;
    slot = segment_place(seg, tag_of(key));
    *slot = (struct slot){.tag = tag_of(key), .block = block, .flags = SLOT_USED};
    *head_of(g, slot) = (struct head){.lo = key.lo, .hi = (uint32_t)(key.hi >> 32)};
    g->entities++;
    return slot;
}

void table_drop(struct win_store *s, struct group *g, struct segment *seg, uint32_t at)
{
    struct slot *slot = &seg->slot[at];
    ASSERT(slot->flags & SLOT_USED);
    side_drop(s, side_of(g, slot));
    pool_give(g, slot->block, slot->cls);
    g->rows -= slot->rows;
    g->entities--;
    seg->used--;
    /* Linear probing without tombstones: move back what the hole would hide. */
    uint32_t hole = at;
    for (uint32_t i = (at + 1) & (SEGMENT_SLOTS - 1); seg->slot[i].flags & SLOT_USED; i = (i + 1) & (SEGMENT_SLOTS - 1)) {
        uint32_t home = home_of(seg->slot[i].tag);
        if (((i - home) & (SEGMENT_SLOTS - 1)) < ((i - hole) & (SEGMENT_SLOTS - 1)))
            continue;
        seg->slot[hole] = seg->slot[i];
        hole = i;
    }
    seg->slot[hole] = (struct slot){0};
}

/* --- forgetting --- */

/* Moves the hand to the next slot; segments are visited once for each turn. */
static struct segment *hand_next(struct group *g, uint32_t *ret_slot)
{
    if (g->hand_slot >= SEGMENT_SLOTS) {
        struct segment *seg = g->dir[g->hand_seg & (((uint32_t)1 << g->depth) - 1)];
        g->hand_seg = (g->hand_seg | (((uint32_t)1 << (g->depth - seg->depth)) - 1)) + 1;
        g->hand_slot = 0;
    }
    g->hand_seg &= ((uint32_t)1 << g->depth) - 1;
    *ret_slot = g->hand_slot++;
    return g->dir[g->hand_seg];
}

static bool out_of_sight(const struct win_store *s, const struct group *g, const struct slot *slot)
{
    return !g->all_time && rows_out_of_sight(g, slot, s->watermark);
}

void table_sweep(struct win_store *s, struct group *g, unsigned slots)
{
    if (g->all_time)
        return;
    while (slots--) {
        uint32_t at;
        struct segment *seg = hand_next(g, &at);
        if ((seg->slot[at].flags & SLOT_USED) && out_of_sight(s, g, &seg->slot[at])) {
            table_drop(s, g, seg, at);
            s->stats.expired++;
            g->hand_slot--; /* another slot may have moved here */
        }
    }
}

static uint64_t evictable_bytes(const struct group *g) { return g->pool.live_bytes + g->entities * sizeof(struct slot); }

/* The group that holds the most bytes beyond its empty table pays. */
static struct group *largest_group(struct win_store *s)
{
    struct group *most = &s->group[0];
    for (unsigned i = 1; i < s->groups; i++)
        if (evictable_bytes(&s->group[i]) > evictable_bytes(most))
            most = &s->group[i];
    return most;
}

static bool evict_one(struct win_store *s, struct group *g, struct hash128 keep)
{
    struct segment *victim_seg = NULL;
    uint32_t victim = 0, seen = 0;
    for (uint64_t tries = 0; seen < 16 && tries < g->segments * SEGMENT_SLOTS; tries++) {
        uint32_t at;
        struct segment *seg = hand_next(g, &at);
        const struct slot *slot = &seg->slot[at];
        if (!(slot->flags & SLOT_USED) || slot_is(g, slot, keep))
            continue;
        seen++;
        if (out_of_sight(s, g, slot)) {
            table_drop(s, g, seg, at);
            s->stats.expired++;
            return true;
        }
        if (!victim_seg || slot->touched < victim_seg->slot[victim].touched) {
            victim_seg = seg;
            victim = at;
        }
    }
    if (!victim_seg)
        return false;
    table_drop(s, g, victim_seg, victim);
    s->stats.evicted++;
    return true;
}

bool table_make_room(struct win_store *s, uint64_t bytes, struct hash128 keep)
{
    while (store_bytes(s) + bytes > s->limits.memory_max) {
        bool gone = evict_one(s, largest_group(s), keep);
        for (unsigned i = 0; i < s->groups && !gone; i++) /* the largest holds `keep` alone */
            gone = evict_one(s, &s->group[i], keep);
        if (!gone)
            return false;
    }
    return true;
}
