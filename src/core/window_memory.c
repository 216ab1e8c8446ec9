/* window_memory.c - the memory driver: one exchange for an event, labels, statistics. */
#include "core/window_memory.h"

static bool store_links(const struct win_plan *plan, struct win_store *s)
{
    int64_t horizon = 0;
    bool all_time = false;
    for (unsigned i = 0; i < plan->groups; i++)
        if (s->group[i].labelled) {
            s->group[i].link_index = (int)s->labelled++;
            horizon = MAX_OF(horizon, s->group[i].horizon_us);
            all_time |= s->group[i].labelled_all;
        }
    if (!s->labelled)
        return true;
    s->links = (int)s->groups++;
    s->group[s->links].all_time = s->group[s->links].keeps_rows = all_time;
    return links_layout(&s->group[s->links], plan, s->labelled, horizon) == KEER_OK;
}

enum keer_err win_memory_new(const struct win_plan *plan, const struct win_limits *limits, struct win_store **ret_store)
{
    if (plan->groups > LIMIT_KEYS || plan->windows > LIMIT_WINDOWS)
        return KEER_ELIMIT;
    struct win_store *s = calloc(1, sizeof *s);
    if (!s)
        return KEER_ENOMEM;
    s->plan = plan;
    s->limits = limits ? *limits : (struct win_limits){0};
    if (!s->limits.memory_max)
        s->limits.memory_max = UINT64_MAX / 2;
    uint32_t rows = s->limits.rows_max ? s->limits.rows_max : 4096;
    s->limits.rows_max = MAX_OF(64u, MIN_OF(rows, WIN_ROWS_MAX));
    s->watermark = US_TIME_MIN;
    s->links = -1;
    s->groups = plan->groups;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; i < plan->groups && err == KEER_OK; i++) {
        s->group[i].rows_max = s->limits.rows_max;
        err = group_layout(&s->group[i], plan, i);
    }
    if (err == KEER_OK && !store_links(plan, s))
        err = KEER_ENOMEM;
    if (err != KEER_OK) {
        win_memory_free(s);
        return err;
    }
    *ret_store = s;
    return KEER_OK;
}

void win_memory_free(struct win_store *s)
{
    if (!s)
        return;
    sides_release(s);
    for (unsigned i = 0; i < s->groups; i++) {
        table_release(&s->group[i]);
        free(s->group[i].reader);
        free(s->group[i].blank);
    }
    free(s);
}

int64_t win_memory_watermark(const struct win_store *s) { return s->watermark; }

/* Inlined by force: gcc takes a function that only prefetches for one without effect, and leaves its calls out. */
#define FETCH __attribute__((always_inline)) static inline

FETCH void prefetch_bytes(const unsigned char *from, const unsigned char *end)
{
    for (const unsigned char *p = from - (uintptr_t)from % 64; p < end; p += 64)
        __builtin_prefetch(p, 1);
}

FETCH void fetch_slot(const struct segment *seg, uint32_t tag)
{
    const struct slot *slot = &seg->slot[home_of(tag)];
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + 2, 1); /* the line after, when the home is in the second half of its own */
}

/* The first slot of the tag, which is all but always the one; NULL when there is none. The block is not touched. */
FETCH const struct slot *slot_near(const struct segment *seg, uint32_t tag)
{
    for (uint32_t at = home_of(tag);; at = (at + 1) & (SEGMENT_SLOTS - 1)) {
        const struct slot *slot = &seg->slot[at];
        if (!(slot->flags & SLOT_USED))
            return NULL;
        if (slot->tag == tag)
            return slot;
    }
}

FETCH void fetch_newest(const struct group *g, const struct slot *slot, int64_t now)
{
    unsigned char *start = pool_at(&g->pool, slot->block), *rows = start + g->pool.front[slot->cls];
    const unsigned char *end = rows + (size_t)slot->rows * g->stride;
    bool many = g->pool.cap[slot->cls] >= HINT_ROWS;
    if (many || rows_out_of_sight(g, slot, now)) {
        prefetch_bytes(start, rows + (many ? 0 : 2 * g->stride)); /* head and hints; or where its rows go to */
        prefetch_bytes(end - g->stride, end + (many ? g->stride : 0));
    } else {
        prefetch_bytes(start, end + g->stride);
    }
}

FETCH void fetch_oldest(const struct group *g, const struct slot *slot)
{
    if (g->pool.cap[slot->cls] < HINT_ROWS)
        return;
    unsigned char *rows = rows_of(g, slot);
    const uint16_t *hints = hints_at(g, rows, slot->cls);
    const int64_t *times = times_kept(g, g->pool.cap[slot->cls]) ? times_at(g, rows, slot->cls) : NULL;
    for (unsigned k = 0; k < g->offsets; k++)
        if (hints[k] > 0 && hints[k] < slot->rows) {
            if (times)
                __builtin_prefetch(&times[hints[k]]);
            prefetch_bytes(rows + (size_t)(hints[k] - 1u) * g->stride,
                           rows + (size_t)(hints[k] + (times ? 0u : 1u)) * g->stride);
        }
    uint32_t known = hints[g->offsets];
    if (g->known_offset && known > 0 && known < slot->rows) { /* the last row with a known label, and the next */
        prefetch_bytes(rows + (size_t)(known - 1u) * g->stride, rows + (size_t)known * g->stride);
        __builtin_prefetch(rows + (size_t)known * g->stride + g->known_offset);
    }
}

/* Stage 0: the directory. Stage 1: the slot. Stage 2: the newest row and the place of the next one, of small blocks all
 * rows, of others the hints. Stage 3: the rows where the windows begin. Each needs what the one before has fetched; the last
 * trusts `near`, as whatever slot is there now may be looked at. */
FETCH void fetch_stage(const struct win_store *s, struct win_request *req, int stage)
{
    for (uint64_t groups = req->groups; groups; groups &= groups - 1) {
        unsigned i = (unsigned)__builtin_ctzll(groups);
        const struct group *g = &s->group[i];
        if (stage == 0) {
            __builtin_prefetch(&g->dir[req->key[i].lo >> (64 - g->depth)]);
            continue;
        }
        struct segment *seg = segment_of(g, req->key[i].lo);
        if (stage == 1) {
            fetch_slot(seg, tag_of(req->key[i]));
        } else if (stage == 2) {
            const struct slot *slot = slot_near(seg, tag_of(req->key[i]));
            req->near[i] = (uint8_t)(slot ? (uint32_t)(slot - seg->slot) : home_of(tag_of(req->key[i])));
            if (slot)
                fetch_newest(g, slot, req->time_us);
            else
                __builtin_prefetch(seg, 1); /* a new one: the segment counts its slots */
        } else if (seg->slot[req->near[i]].flags & SLOT_USED) {
            fetch_oldest(g, &seg->slot[req->near[i]]);
        }
    }
}

static void memory_prefetch(struct win_store *s, struct win_request *req, int stage)
{
    switch (stage) {
    case 0: fetch_stage(s, req, 0); break;
    case 1: fetch_stage(s, req, 1); break;
    case 2: fetch_stage(s, req, 2); break;
    default: fetch_stage(s, req, 3); break;
    }
}

/* Where the event went, so that a later label finds its rows; false when there is no room. */
static bool links_add(struct win_store *s, const struct win_request *req)
{
    struct group *g = &s->group[s->links];
    struct slot *slot = table_make(s, g, req->id);
    slot = slot ? rows_room(s, g, slot, req->id) : NULL;
    if (!slot)
        return false;
    struct win_request plain = {.time_us = req->time_us, .label_known_us = INT64_MAX};
    uint32_t at = rows_add(s, g, slot, &plain, 0);
    if (at == UINT32_MAX)
        return true; /* later than any window can see */
    unsigned char *row = rows_of(g, slot) + (size_t)at * g->stride;
    for (unsigned i = 0; i < s->plan->groups; i++) {
        int k = s->group[i].link_index;
        if (k < 0 || !(req->groups >> i & 1) || !req->filters[i])
            continue;
        memcpy(row + g->column[2 * k].offset, &req->key[i].lo, 8);
        memcpy(row + g->column[2 * k + 1].offset, &req->key[i].hi, 8);
    }
    return true;
}

static void group_exchange(struct win_store *s, unsigned i, const struct win_request *req, struct win_reply *reply)
{
    struct group *g = &s->group[i];
    bool writes = req->filters[i] != 0, all = wants_all(g, req);
    struct slot *slot = table_find_near(g, req->key[i], req->near[i]);
    if (writes && slot && slot->rows > 1 && g->pool.cap[slot->cls] < HINT_ROWS && rows_out_of_sight(g, slot, s->watermark))
        rows_forget(g, slot); /* of more rows, rows_room gives the block back as well, once it is full */
    if (writes && !(slot && slot->rows < g->pool.cap[slot->cls])) {
        slot = slot ? slot : table_make(s, g, req->key[i]);
        slot = slot ? rows_room(s, g, slot, req->key[i]) : NULL;
    }
    if (writes && !slot) {
        writes = false;
        reply->refused |= (uint64_t)1 << i;
        s->stats.refused++;
    }
    if (!slot)
        slot = table_find(g, req->key[i]);
    if (!slot) {
        group_read_nothing(g, req, false, reply);
        return;
    }
    unsigned char *rows = rows_of(g, slot);
    group_read(s, g, slot, rows, req, &g->before, all, reply);
    if (writes)
        rows_add(s, g, slot, req, req->filters[i]);
    if (g->including.count)
        group_read(s, g, slot, rows, req, &g->including, all, reply);
    if (rows_approximate(s, g, slot))
        reply->approximate |= (uint64_t)1 << i;
}

static enum keer_err memory_exchange(struct win_store *s, const struct win_request *req, struct win_reply *reply)
{
    int64_t before = s->watermark;
    s->watermark = MAX_OF(before, req->time_us);
    if (req->time_us < before - s->plan->lateness_us)
        s->stats.too_late++;
    reply->approximate = reply->refused = 0;
    uint64_t link = 0; /* groups that a later label of this event concerns */
    for (unsigned i = 0; i < s->plan->groups; i++) {
        if (!(req->groups >> i & 1)) {
            group_read_nothing(&s->group[i], req, true, reply);
            continue;
        }
        group_exchange(s, i, req, reply);
        link |= (uint64_t)(s->group[i].link_index >= 0 && req->filters[i]) << i;
    }
    if (link && req->label_known_us == INT64_MAX && !links_add(s, req)) {
        reply->refused |= link;
        s->stats.refused++;
    }
    return KEER_OK;
}

static bool label_rows(struct win_store *s, struct group *g, struct hash128 key, int64_t time, uint64_t tag, int64_t label)
{
    struct slot *slot = table_find(g, key);
    UNUSED(s);
    if (!slot)
        return false;
    unsigned char *rows = rows_of(g, slot);
    bool found = false;
    for (uint32_t i = rows_upto(rows, g->stride, slot->rows, time); i > 0; i--) {
        unsigned char *row = rows + (size_t)(i - 1) * g->stride;
        if (((struct row *)(void *)row)->time != time)
            break;
        uint64_t have;
        memcpy(&have, row + g->tag_offset, sizeof have);
        if (have != tag)
            continue;
        labels_change(g, slot, rows, i - 1, label);
        hot_label(g, rows, g->pool.cap[slot->cls], i - 1);
        found = true;
    }
    return found;
}

static enum keer_err memory_label(struct win_store *s, struct hash128 id, bool fraud, int64_t known_us)
{
    bool found = false;
    if (s->links >= 0) {
        struct group *links = &s->group[s->links];
        struct slot *slot = table_find(links, id);
        for (uint32_t r = 0; slot && r < slot->rows; r++) {
            unsigned char *row = rows_of(links, slot) + (size_t)r * links->stride;
            for (unsigned i = 0; i < s->plan->groups; i++) {
                int k = s->group[i].link_index;
                if (k < 0)
                    continue;
                struct hash128 key;
                memcpy(&key.lo, row + links->column[2 * k].offset, 8);
                memcpy(&key.hi, row + links->column[2 * k + 1].offset, 8);
                if (key.lo | key.hi)
                    found |=
                        label_rows(s, &s->group[i], key, ((struct row *)(void *)row)->time, id.lo, known_us * 2 + fraud);
            }
        }
    }
    if (found)
        s->stats.labels_applied++;
    else
        s->stats.labels_unknown++;
    return KEER_OK;
}

const struct win_driver win_memory = {memory_prefetch, memory_exchange, memory_label};

void win_memory_stats(const struct win_store *s, struct win_stats *ret_stats)
{
    struct win_stats st = s->stats;
    st.entities = st.rows = st.reserved_bytes = 0;
    st.bytes = store_bytes(s);
    for (unsigned i = 0; i < s->groups; i++) {
        const struct group *g = &s->group[i];
        uint64_t table = g->segments * sizeof(struct segment) + ((uint64_t)sizeof(void *) << g->depth);
        st.entities += g->entities;
        st.rows += g->rows;
        st.reserved_bytes += table + g->pool.reserved_bytes;
        if (i < LIMIT_KEYS) {
            st.group[i].entities = g->entities;
            st.group[i].rows = g->rows;
            st.group[i].row_bytes = g->stride;
            st.group[i].bytes = table + g->pool.live_bytes;
        }
    }
    st.reserved_bytes += s->side_bytes;
    *ret_stats = st;
}
