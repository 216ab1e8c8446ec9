/* window_limits_test.c - the memory driver of the windows at its limits: entities past their budget, a full memory, a
 * failing allocator. */
#include <malloc.h>

#include "core/window_memory.h"
#include "lib/window_kit.h"

/* The counters of a store against what its tables hold. */
static void check_books(const struct win_store *s)
{
    uint64_t sides = 0;
    for (unsigned i = 0; i < s->groups; i++) {
        const struct group *g = &s->group[i];
        uint64_t entities = 0, rows = 0, bytes = 0, segments = 0;
        for (uint64_t d = 0; d < (uint64_t)1 << g->depth; d += (uint64_t)1 << (g->depth - g->dir[d]->depth)) {
            struct segment *seg = g->dir[d];
            uint32_t used = 0;
            segments++;
            for (uint32_t at = 0; at < SEGMENT_SLOTS; at++) {
                const struct slot *slot = &seg->slot[at];
                if (!(slot->flags & SLOT_USED))
                    continue;
                used++;
                rows += slot->rows;
                bytes += class_bytes(g, slot->cls);
                sides += slot->flags & SLOT_SIDED ? side_bytes(g) : 0;
                REQUIRE(slot->block && slot->rows <= g->pool.cap[slot->cls], "more rows than the block holds");
            }
            entities += used;
            REQUIRE(used == seg->used && table_sound(g, seg), "a segment's slots");
        }
        REQUIRE(entities == g->entities && rows == g->rows && segments == g->segments && bytes == g->pool.live_bytes,
                "group %u", i);
    }
    REQUIRE(sides == s->side_bytes, "side bytes");
}

/* A plan with windows by one entity, and requests for it. */
struct stream {
    struct win_plan plan;
    struct win_def window[16];
    double number[16];
    uint64_t hash[16];
    int64_t value[2];
    struct win_request req;
    struct win_reply reply;
};

static void stream_init(struct stream *x, const struct win_def *window, unsigned windows, int64_t lateness_us)
{
    memset(x, 0, sizeof *x);
    memcpy(x->window, window, windows * sizeof *window);
    x->plan =
        (struct win_plan){.groups = 1, .windows = windows, .values = 2, .window = x->window, .lateness_us = lateness_us};
    x->plan.group[0].filters = 1;
    x->req = (struct win_request){.groups = 1, .values = x->value, .need = all_needed, .label_known_us = INT64_MAX};
    x->req.filters[0] = 1;
    x->reply = (struct win_reply){.number = x->number, .hash = x->hash};
}

static void stream_send(struct stream *x, struct win_store *s, uint64_t key, int64_t time)
{
    x->req.key[0] = (struct hash128){hash_mix(key + 1), hash_mix(~key)};
    x->req.time_us = time;
    REQUIRE_OK(win_memory.exchange(s, &x->req, &x->reply));
}

/* --- past the budget --- */

enum { CROWD_EVENTS = 20000 };
struct crowd {
    int64_t time[CROWD_EVENTS], value[CROWD_EVENTS], text[CROWD_EVENTS];
    unsigned n;
};

static const struct win_def crowd_window[] = {
    {.agg = WIN_COUNT, .value = -1, .over_us = US_HOUR, .scale = 1},
    {.agg = WIN_COUNT, .value = -1, .over_us = 6 * US_HOUR, .scale = 1},
    {.agg = WIN_SUM, .value = 0, .over_us = 8 * US_HOUR, .scale = 1},
    {.agg = WIN_COUNT, .value = -1, .over_us = 6 * US_HOUR, .delay_us = 2 * US_HOUR, .scale = 1},
    {.agg = WIN_DISTINCT, .value = 1, .over_us = US_HOUR, .text = true, .scale = 1},
    {.agg = WIN_DISTINCT, .value = 1, .over_us = 5 * US_HOUR, .text = true, .scale = 1},
    {.agg = WIN_MIN, .value = 0, .over_us = US_DAY, .scale = 1},
    {.agg = WIN_MAX, .value = 0, .over_us = 2 * US_HOUR, .scale = 1},
    {.agg = WIN_COUNT, .value = -1, .scale = 1},
    {.agg = WIN_SUM, .value = 0, .scale = 1},
    {.agg = WIN_MIN, .value = 0, .scale = 1},
    {.agg = WIN_AGE, .value = -1, .scale = 1},
};

struct truth {
    double count, sum, least, most, distinct;
};

static struct truth crowd_truth(const struct crowd *c, int64_t after, int64_t upto, bool distinct)
{
    static int64_t text[CROWD_EVENTS];
    struct truth t = {.least = (double)INFINITY, .most = -(double)INFINITY};
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->time[i] <= after || c->time[i] > upto)
            continue;
        t.count++;
        t.sum += (double)c->value[i];
        t.least = MIN_OF(t.least, (double)c->value[i]);
        t.most = MAX_OF(t.most, (double)c->value[i]);
        text[n++] = c->text[i];
    }
    t.distinct = distinct ? brute_distinct(text, n) : 0;
    return t;
}

static const struct slot *only_slot(const struct win_store *s, const struct stream *x)
{
    const struct slot *slot = table_find(&s->group[0], x->req.key[0]);
    REQUIRE(slot, "the entity is there");
    return slot;
}

/* Whether rows that a window may see stand for more than one event. */
static bool has_panes(const struct win_store *s, const struct slot *slot)
{
    const struct group *g = &s->group[0];
    unsigned char *rows = rows_of(g, slot);
    for (uint32_t i = 0; i < slot->rows; i++)
        if (row_at(g, rows, i)->weight > 1 && row_at(g, rows, i)->time > s->watermark - g->horizon_us)
            return true;
    return false;
}

struct crowd_errors {
    double count, sum, distinct;
};

/* Counts and sums are off by at most one pane at each edge that lies among panes: 1/resolution of what is newer than it. */
static void check_crowd(const struct win_store *s, const struct stream *x, const struct crowd *c, struct crowd_errors *worst)
{
    const struct slot *slot = only_slot(s, x);
    const struct side *side = slot->flags & SLOT_SIDED ? &s->side[side_of(&s->group[0], slot)] : NULL;
    int64_t t = x->req.time_us;
    for (unsigned w = 0; w < x->plan.windows; w++) {
        const struct win_def *d = &x->window[w];
        int64_t upto = t - d->delay_us, after = d->over_us ? upto - d->over_us : INT64_MIN;
        struct truth want = crowd_truth(c, after, upto, d->agg == WIN_DISTINCT), since = crowd_truth(c, after, t, false);
        bool exact = !side || after >= side->thin_until || !d->over_us;
        double share = exact ? 0 : 1.0 / side->resolution, got = x->number[w], off = 0;
        switch (d->agg) {
        case WIN_COUNT:
            off = fabs(got - want.count);
            worst->count = MAX_OF(worst->count, off / MAX_OF(want.count, 1));
            REQUIRE(off <= since.count * share, "window %u: count %.0f, want %.0f", w, got, want.count);
            break;
        case WIN_SUM:
            off = fabs(got - want.sum);
            worst->sum = MAX_OF(worst->sum, off / MAX_OF(want.sum, 1));
            REQUIRE(off <= since.count * share * 1000, "window %u: sum %.0f, want %.0f", w, got, want.sum);
            break;
        case WIN_DISTINCT:
            off = fabs(got - want.distinct) / MAX_OF(want.distinct, 1);
            worst->distinct = MAX_OF(worst->distinct, off);
            REQUIRE(off <= (exact ? 0 : 0.15), "window %u: distinct %.0f, want %.0f", w, got, want.distinct);
            break;
        case WIN_MIN:
        case WIN_MAX:
            if (want.count == 0)
                REQUIRE(isnan(got), "window %u: %f of nothing", w, got);
            else if (exact)
                REQUIRE(got == (d->agg == WIN_MIN ? want.least : want.most), "window %u: %.0f", w, got);
            else
                REQUIRE(d->agg == WIN_MIN ? got <= want.least : got >= want.most, "window %u: whole panes", w);
            break;
        default: REQUIRE(c->n == 0 || got == (double)(t - c->time[0]) * 1e-6, "window %u: age", w); break;
        }
    }
}

static void run_crowd(uint64_t seed, uint32_t rows_max, unsigned texts, bool late)
{
    static struct crowd c;
    struct stream x;
    struct rng r;
    rng_seed(&r, seed);
    stream_init(&x, crowd_window, ARRAY_LEN(crowd_window), US_MINUTE);
    struct win_store *s = store_new(&x.plan, (struct win_limits){.rows_max = rows_max});
    uint32_t budget = rows_max ? rows_max : WIN_ROWS_MAX, resolution = budget;
    int64_t now = 1538352000 * US_SECOND;
    struct crowd_errors worst = {0};
    uint64_t bytes_max = 0, before = 0;
    for (c.n = 0; c.n < CROWD_EVENTS; c.n++) {
        now += rng_between(&r, 0, (c.n / 2000 % 2 ? 2 : 12) * US_SECOND);
        int64_t time = late && rng_chance(&r, 0.1) && c.n ? MAX_OF(now - rng_between(&r, 0, US_MINUTE), c.time[0]) : now;
        x.value[0] = rng_between(&r, 1, 1000);
        x.value[1] = (int64_t)hash_mix(1 + rng_below(&r, texts));
        stream_send(&x, s, 1, time);
        REQUIRE(!x.reply.refused, "refused");
        const struct slot *slot = only_slot(s, &x);
        if (c.n % 13 == 0 || x.reply.approximate != before)
            REQUIRE((x.reply.approximate == 1) == has_panes(s, slot), "event %u: approximate %d", c.n,
                    (int)x.reply.approximate);
        REQUIRE(x.reply.approximate == 0 || c.n >= budget, "approximate at event %u, within the budget of %u", c.n, budget);
        REQUIRE(slot->rows <= budget + budget / 16, "%u rows", slot->rows);
        if (c.n % (SLOW_BUILD ? 997 : 197) == 0 || c.n + 1 == CROWD_EVENTS)
            check_crowd(s, &x, &c, &worst);
        before = x.reply.approximate;
        resolution =
            slot->flags & SLOT_SIDED ? MIN_OF(resolution, s->side[side_of(&s->group[0], slot)].resolution) : resolution;
        bytes_max = MAX_OF(bytes_max, store_bytes(s));
        c.time[c.n] = time;
        c.value[c.n] = x.value[0];
        c.text[c.n] = x.value[1];
    }
    check_books(s);
    if (getenv("KEER_VERBOSE"))
        printf("budget %u: resolution %u, off by count %.4f sum %.4f distinct %.4f, %llu bytes\n", budget, resolution,
               worst.count, worst.sum, worst.distinct, (unsigned long long)bytes_max);
    /* Everything passes out of sight: no panes any more, and exact again. */
    now += 3 * US_DAY;
    for (unsigned i = 0; i < budget; i++) {
        stream_send(&x, s, 1, now + i);
        REQUIRE(x.reply.approximate == 0 && x.number[0] == i && x.number[8] == CROWD_EVENTS + i, "not exact again");
    }
    check_books(s);
    win_memory_free(s);
}

START_TEST(an_entity_past_its_budget_is_off_by_one_pane)
{
    run_crowd(1, 0, 300, /* late */ false);
    run_crowd(2, 0, 5000, /* late */ true);
    run_crowd(3, 512, 20, /* late */ false);
    run_crowd(4, 512, 2000, /* late */ true);
    run_crowd(5, 64, 800, /* late */ false);
}
END_TEST

START_TEST(an_entity_within_its_budget_is_exact)
{
    static const struct win_def day = {.agg = WIN_COUNT, .value = -1, .over_us = US_DAY, .scale = 1};
    struct stream x;
    stream_init(&x, &day, 1, 0);
    for (uint32_t budget = 64; budget <= 4096; budget *= 4) {
        struct win_store *s = store_new(&x.plan, (struct win_limits){.rows_max = budget});
        /* A steady stream of exactly `budget` events in the window, the newest included. */
        for (unsigned i = 0; i < 6 * budget; i++) {
            x.value[0] = x.value[1] = i + 1;
            stream_send(&x, s, 1, 1538352000 * US_SECOND + i * (US_DAY / budget + 1));
            REQUIRE(x.reply.approximate == 0 && x.number[0] == MIN_OF(i, budget - 1), "budget %u event %u: %.0f", budget, i,
                    x.number[0]);
        }
        win_memory_free(s);
    }
}
END_TEST

/* --- a full memory --- */

static const struct win_def few_window[] = {
    {.agg = WIN_COUNT, .value = -1, .over_us = US_HOUR, .scale = 1},
    {.agg = WIN_SUM, .value = 0, .over_us = US_DAY, .scale = 1},
    {.agg = WIN_DISTINCT, .value = 1, .over_us = US_DAY, .scale = 1, .text = true},
};

/* Entities that come again and again, with different weight, and a memory for a part of them. */
START_TEST(memory_stays_under_its_ceiling)
{
    enum { POPULATION = 60000, EVENTS = SLOW_BUILD ? 100000 : 400000 };
    static uint32_t count[POPULATION];
    static int64_t since[POPULATION];
    struct stream x;
    struct rng r;
    rng_seed(&r, 5);
    stream_init(&x, few_window, ARRAY_LEN(few_window), 0);
    struct win_limits limits = {.memory_max = 3 << 20};
    struct win_store *s = store_new(&x.plan, limits);
    uint64_t made = 0, loyal = 0;
    for (unsigned i = 0; i < EVENTS; i++) {
        uint32_t key = i % 16 == 0 ? 0
                       : i % 3     ? 1 + (uint32_t)rng_below(&r, POPULATION - 1)
                                   : 1 + (uint32_t)rng_below(&r, 500);
        int64_t now = 1538352000 * US_SECOND + (int64_t)i * 100000;
        struct hash128 hash = {hash_mix(key + 1), hash_mix(~(uint64_t)key)};
        const struct slot *slot = table_find(&s->group[0], hash);
        made += slot == NULL;
        if (!slot || now - since[key] > US_DAY)
            count[key] = 0;
        x.value[0] = x.value[1] = key + 1;
        stream_send(&x, s, key, now);
        REQUIRE(x.reply.refused == 0, "refused at %u", i);
        REQUIRE(store_bytes(s) <= limits.memory_max, "%llu bytes at %u", (unsigned long long)store_bytes(s), i);
        /* The stream is shorter than a day: what survives has seen everything since it was made. */
        REQUIRE(x.number[1] == (double)count[key] * (key + 1) && x.number[2] == (count[key] > 0),
                "key %u event %u: sum %.0f, distinct %.0f, want %u events", key, i, x.number[1], x.number[2], count[key]);
        since[key] = now;
        count[key]++;
        loyal += key == 0;
    }
    struct win_stats st;
    win_memory_stats(s, &st);
    check_books(s);
    ck_assert_uint_eq(count[0], loyal); /* who comes all the time is never evicted */
    ck_assert_uint_gt(st.evicted, 1000);
    ck_assert_uint_eq(st.entities, made - st.evicted - st.expired);
    ck_assert_uint_ge(st.reserved_bytes, 0);
    if (getenv("KEER_VERBOSE"))
        printf("ceiling %llu: %llu bytes, %llu reserved, %llu entities, %llu evicted, %llu expired\n",
               (unsigned long long)limits.memory_max, (unsigned long long)st.bytes, (unsigned long long)st.reserved_bytes,
               (unsigned long long)st.entities, (unsigned long long)st.evicted, (unsigned long long)st.expired);
    win_memory_free(s);
}
END_TEST

START_TEST(what_no_window_sees_goes_first)
{
    struct stream x;
    stream_init(&x, few_window, ARRAY_LEN(few_window), 0);
    struct win_store *s = store_new(&x.plan, (struct win_limits){0});
    int64_t start = 1538352000 * US_SECOND, later = start + 2 * US_DAY;
    for (unsigned i = 0; i < 5000; i++)
        stream_send(&x, s, i, start + i);
    stream_send(&x, s, 5000, later);
    for (unsigned i = 5001; i < 5200; i++)
        stream_send(&x, s, i, later + i);
    struct win_stats before, after;
    win_memory_stats(s, &before);
    struct hash128 nobody = {0, 0};
    s->limits.memory_max = store_bytes(s);
    ck_assert(table_make_room(s, before.group[0].bytes / 8, nobody));
    win_memory_stats(s, &after);
    ck_assert_uint_gt(after.expired, before.expired + 100);
    ck_assert_uint_eq(after.evicted, 0);
    check_books(s);
    win_memory_free(s);
}
END_TEST

/* The one whose last event is oldest among the next 16 at the hand. */
START_TEST(then_the_oldest_of_sixteen_goes)
{
    struct stream x;
    struct rng r;
    rng_seed(&r, 16);
    stream_init(&x, few_window, ARRAY_LEN(few_window), US_DAY);
    struct win_store *s = store_new(&x.plan, (struct win_limits){0});
    for (unsigned i = 0; i < 100; i++)
        stream_send(&x, s, i, 1538352000 * US_SECOND + rng_between(&r, 0, US_HOUR));
    struct group *g = &s->group[0];
    for (unsigned k = 0; k < 50; k++) {
        struct hash128 keep = {hash_mix(3), hash_mix(~(uint64_t)2)};
        const struct slot *keeps = table_find(g, keep), *oldest = NULL;
        uint32_t seg = g->hand_seg, at = g->hand_slot;
        for (unsigned seen = 0; seen < 16; at++) {
            if (at == SEGMENT_SLOTS) {
                at = 0;
                seg = (seg + 1) % (1u << g->depth);
            }
            const struct slot *slot = &g->dir[seg]->slot[at];
            if (!(slot->flags & SLOT_USED) || slot == keeps)
                continue;
            seen++;
            oldest = !oldest || slot->touched < oldest->touched ? slot : oldest;
        }
        struct hash128 victim = {head_of(g, oldest)->lo, (uint64_t)head_of(g, oldest)->hi << 32};
        uint64_t entities = g->entities, evicted = s->stats.evicted;
        s->limits.memory_max = store_bytes(s) - 1;
        ck_assert(table_make_room(s, 0, keep));
        ck_assert_uint_eq(g->entities, entities - 1);
        ck_assert_uint_eq(s->stats.evicted, evicted + 1);
        ck_assert(!table_find(g, victim) && table_find(g, keep));
    }
    check_books(s);
    win_memory_free(s);
}
END_TEST

/* Slots of one tag are told apart by the heads of their blocks, also where prefetch pointed to another one, after some of
 * them are gone, and out of saved bytes. */
START_TEST(entities_of_the_same_tag_are_told_apart)
{
    enum { TWINS = 150 };
    struct stream x;
    struct buf saved;
    stream_init(&x, few_window, ARRAY_LEN(few_window), US_DAY);
    struct win_store *s = store_new(&x.plan, (struct win_limits){0}), *other = store_new(&x.plan, (struct win_limits){0});
    struct group *g = &s->group[0];
    for (uint64_t i = 0; i < 3 * TWINS; i++) {
        uint64_t twin = i % TWINS; /* two keys differ in `lo` alone, two others in `hi` alone */
        x.req.key[0] = (struct hash128){UINT64_C(0xABCDEF01) << 32 | twin / 2, (twin % 2) << 32};
        x.req.time_us = 1538352000 * US_SECOND + (int64_t)i;
        x.req.near[0] = (uint8_t)(i * 7);
        for (int stage = 0; stage < (int)WIN_STAGES && i % 3 != 0; stage++)
            win_memory.prefetch(s, &x.req, stage);
        REQUIRE_OK(win_memory.exchange(s, &x.req, &x.reply));
        const struct slot *slot = table_find(g, x.req.key[0]);
        REQUIRE(slot && slot->rows == i / TWINS + 1, "twin %llu", (unsigned long long)twin);
    }
    ck_assert_uint_eq(g->entities, TWINS);
    check_books(s);
    s->limits.memory_max = store_bytes(s) - 1;
    ck_assert(table_make_room(s, store_bytes(s) / 4, x.req.key[0]));
    check_books(s);
    unsigned there = 0;
    for (uint64_t twin = 0; twin < TWINS; twin++) {
        struct hash128 key = {UINT64_C(0xABCDEF01) << 32 | twin / 2, (twin % 2) << 32};
        const struct slot *slot = table_find(g, key);
        there += slot != NULL;
        REQUIRE(!slot || (slot_is(g, slot, key) && slot->rows == 3), "twin %llu", (unsigned long long)twin);
    }
    ck_assert_uint_eq(there, g->entities);
    ck_assert_uint_lt(there, TWINS);
    buf_init(&saved, SIZE_MAX / 2);
    REQUIRE_OK(win_memory_save(s, &saved));
    REQUIRE_OK(win_memory_load(other, buf_view(&saved)));
    check_books(other);
    ck_assert_uint_eq(other->group[0].entities, there);
    buf_release(&saved);
    win_memory_free(other);
    win_memory_free(s);
}
END_TEST

/* An entity that comes back after all of its rows are out of sight keeps the newest of them, for what counts of all time. */
START_TEST(rows_that_no_window_sees_go_when_their_entity_comes_back)
{
    const struct win_def window[] = {
        {.agg = WIN_COUNT, .value = -1, .over_us = US_HOUR}, {.agg = WIN_COUNT, .value = -1}, {.agg = WIN_AGE, .value = -1}};
    struct stream x;
    stream_init(&x, window, ARRAY_LEN(window), US_DAY);
    struct win_store *s = store_new(&x.plan, (struct win_limits){0});
    struct group *g = &s->group[0];
    int64_t start = 1538352000 * US_SECOND, later = start + 30 * US_DAY;
    for (unsigned i = 0; i < 6; i++)
        stream_send(&x, s, 1, start + i);
    const struct slot *slot = table_find(g, x.req.key[0]);
    ck_assert_uint_eq(slot->rows, 6);
    stream_send(&x, s, 2, start + US_HOUR + US_DAY + 4); /* the newest may be seen by who comes late */
    stream_send(&x, s, 1, start + US_HOUR + US_DAY + 4);
    ck_assert_uint_eq(table_find(g, x.req.key[0])->rows, 7);
    stream_send(&x, s, 2, later);
    stream_send(&x, s, 1, later);
    ck_assert_uint_eq(table_find(g, x.req.key[0])->rows, 2);
    ck_assert_double_eq(x.number[0], 0);
    ck_assert_double_eq(x.number[1], 7);
    ck_assert_double_eq(x.number[2], 30 * 86400);
    stream_send(&x, s, 1, later - US_DAY); /* late, and after the base */
    ck_assert_double_eq(x.number[0], 0);
    ck_assert_double_eq(x.number[1], 7);
    stream_send(&x, s, 1, later + 1);
    ck_assert_double_eq(x.number[0], 1);
    ck_assert_double_eq(x.number[1], 9);
    check_books(s);
    win_memory_free(s);
}
END_TEST

START_TEST(without_any_room_all_is_answered_and_nothing_remembered)
{
    for (uint64_t max = 1; max < 200000; max = max * 3 / 2 + 1) {
        static struct random_world w;
        random_world_make(&w, max);
        struct win_store *s = store_new(&w.plan, (struct win_limits){.memory_max = max});
        uint64_t empty = store_bytes(s), refused = 0;
        for (unsigned i = 0; i < 300; i++) {
            struct brute_event e;
            struct answers got;
            random_event(&w, &e);
            for (unsigned g = 0; g < w.plan.groups; g++)
                e.key[g].lo = i % 2 ? rng_u64(&w.rng) : e.key[g].lo;
            struct win_request q = random_request(&w.plan, &e, all_needed);
            struct win_reply reply = reply_into(&got), untouched;
            struct answers same;
            untouched = reply_into(&same);
            UNUSED(untouched);
            REQUIRE_OK(win_memory.exchange(s, &q, &reply));
            REQUIRE_OK(win_memory.label(s, e.id, true, e.time));
            REQUIRE(store_bytes(s) <= MAX_OF(max, empty), "%llu bytes of %llu", (unsigned long long)store_bytes(s),
                    (unsigned long long)max);
            refused += reply.refused != 0;
            for (unsigned k = 0; k < w.plan.windows; k++)
                REQUIRE(memcmp(&got.number[k], &same.number[k], sizeof(double)) != 0, "window %u was left as it was", k);
        }
        REQUIRE(max > empty || refused > 100, "%llu refused", (unsigned long long)refused);
        check_books(s);
        win_memory_free(s);
    }
}
END_TEST

/* --- the allocator --- */

START_TEST(after_a_warm_up_nothing_is_allocated)
{
    static struct random_world w;
    static struct brute_event event[512];
    for (uint64_t seed = 1; seed <= 6; seed++) {
        random_world_make(&w, seed);
        for (unsigned k = 0; k < w.plan.windows; k++) /* what is kept for ever would never be stable */
            w.window[k].over_us = w.window[k].over_us ? w.window[k].over_us : US_DAY;
        w.late_chance = w.too_late_chance = 0;
        w.plan.lateness_us = 0;
        struct win_store *s = store_new(&w.plan, (struct win_limits){.rows_max = seed % 2 ? 128 : 0});
        for (unsigned i = 0; i < ARRAY_LEN(event); i++)
            random_event(&w, &event[i]);
        struct rng r;
        rng_seed(&r, seed);
        unsigned warm = SLOW_BUILD ? 200000 : 400000;
        for (unsigned i = 0; i < warm + 100000; i++) {
            struct brute_event e = event[rng_below(&r, ARRAY_LEN(event))];
            struct answers got;
            e.time = 1538352000 * US_SECOND + (int64_t)i * 30 * US_SECOND;
            e.id = (struct hash128){hash_mix(i), i};
            for (unsigned g = 0; g < w.plan.groups; g++) {
                uint64_t k = hash_mix(rng_below(&r, 1500) + g);
                e.key[g] = (struct hash128){k, k};
            }
            struct win_request q = random_request(&w.plan, &e, all_needed);
            struct win_reply reply = reply_into(&got);
            if (i == warm)
                oom_reset();
            REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        }
        ck_assert_msg(oom_count() == 0, "seed %llu: %llu allocations", (unsigned long long)seed,
                      (unsigned long long)oom_count());
        win_memory_free(s);
    }
}
END_TEST

enum { SWEEP_EVENTS = 150 };

/* The history once with a working allocator, and once with one that fails: where nothing was refused, the same answers. */
static bool sweep(uint64_t seed, uint64_t n, bool persistent, const struct answers *want)
{
    static struct random_world w;
    random_world_make(&w, seed);
    w.label_chance = 0;
    w.keys[0] = 1;
    struct win_limits limits = {.rows_max = 64};
    struct win_store *s = NULL;
    oom_arm(n, persistent);
    enum keer_err err = win_memory_new(&w.plan, &limits, &s);
    if (err != KEER_OK) {
        oom_reset();
        REQUIRE(err == KEER_ENOMEM, "%s", keer_err_name(err));
        return false;
    }
    uint64_t refused = 0;
    for (unsigned i = 0; i < SWEEP_EVENTS; i++) {
        struct brute_event e;
        struct answers got;
        random_event(&w, &e);
        struct win_request q = random_request(&w.plan, &e, all_needed);
        struct win_reply reply = reply_into(&got);
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        refused |= reply.refused;
        for (unsigned k = 0; k < w.plan.windows; k++)
            REQUIRE((refused >> w.window[k].group & 1) || memcmp(&got.number[k], &want[i].number[k], sizeof(double)) == 0,
                    "seed %llu: allocation %llu failed, event %u window %u", (unsigned long long)seed, (unsigned long long)n,
                    i, k);
    }
    bool passed = oom_count() < n;
    oom_reset();
    check_books(s);
    /* And it goes on: new entities are remembered. */
    uint64_t lost = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct brute_event e;
        struct answers got;
        random_event(&w, &e);
        for (unsigned g = 0; g < w.plan.groups; g++)
            e.key[g] = (struct hash128){hash_mix(1000 + i % 5), g};
        struct win_request q = random_request(&w.plan, &e, all_needed);
        struct win_reply reply = reply_into(&got);
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        lost |= reply.refused;
    }
    REQUIRE(lost == 0, "refused with a working allocator");
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    REQUIRE_OK(win_memory_save(s, &b));
    struct win_store *other = store_new(&w.plan, limits);
    oom_arm(1 + n % 16, persistent);
    err = win_memory_load(other, buf_view(&b));
    oom_reset();
    REQUIRE(err == KEER_OK || err == KEER_ENOMEM, "%s", keer_err_name(err));
    win_memory_free(other);
    buf_release(&b);
    win_memory_free(s);
    return passed;
}

START_TEST(every_allocation_may_fail)
{
    static struct answers want[SWEEP_EVENTS];
    static struct random_world w;
    for (uint64_t seed = 1; seed <= (SLOW_BUILD ? 6 : 20); seed++) {
        random_world_make(&w, seed);
        w.label_chance = 0;
        w.keys[0] = 1;
        struct win_store *s = store_new(&w.plan, (struct win_limits){.rows_max = 64});
        for (unsigned i = 0; i < SWEEP_EVENTS; i++) {
            struct brute_event e;
            random_event(&w, &e);
            struct win_request q = random_request(&w.plan, &e, all_needed);
            struct win_reply reply = reply_into(&want[i]);
            REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        }
        win_memory_free(s);
        for (int persistent = 0; persistent < 2; persistent++) {
            uint64_t n = 1;
            while (!sweep(seed, n, persistent, want))
                n++;
            REQUIRE(n > 5, "only %llu allocations", (unsigned long long)n);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("window limits");
    TCase *t = tcase_create("window limits");
    tcase_set_timeout(t, 600);
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    tcase_add_test(t, an_entity_past_its_budget_is_off_by_one_pane);
    tcase_add_test(t, an_entity_within_its_budget_is_exact);
    tcase_add_test(t, memory_stays_under_its_ceiling);
    tcase_add_test(t, what_no_window_sees_goes_first);
    tcase_add_test(t, then_the_oldest_of_sixteen_goes);
    tcase_add_test(t, entities_of_the_same_tag_are_told_apart);
    tcase_add_test(t, rows_that_no_window_sees_go_when_their_entity_comes_back);
    tcase_add_test(t, without_any_room_all_is_answered_and_nothing_remembered);
    tcase_add_test(t, after_a_warm_up_nothing_is_allocated);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
