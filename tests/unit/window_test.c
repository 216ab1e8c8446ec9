/* window_test.c - the memory driver of the windows against brute force, and its state saved, torn and loaded. */
#include <malloc.h>

#include "core/window_memory.h"
#include "lib/window_kit.h"

static bool inexact(enum win_agg agg) { return agg == WIN_MEAN || agg == WIN_STDDEV || agg == WIN_EWMA; }

static bool same(const struct random_world *x, const struct win_def *w, double got, double want)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want);
    if (!inexact(w->agg))
        return memcmp(&got, &want, sizeof got) == 0 || (got == 0 && want == 0);
    /* Means of values of both signs cancel: the error is relative to the values, not to what remains. */
    return fabs(got - want) <= 1e-9 * MAX_OF(fabs(want), 1e-3 * (double)x->magnitude / w->scale);
}

static const char *describe(const struct win_def *w)
{
    static const char *agg[] = {"count", "sum", "mean", "stddev", "min",   "max",    "distinct",  "first",
                                "last",  "nth", "ewma", "age",    "since", "streak", "streak age"};
    static_assert(ARRAY_LEN(agg) == WIN_AGG_MAX, "a name for each");
    static char text[200];
    snprintf(text, sizeof text, "%s cond %d group %d filter %d value %d%s%s over %lld delay %lld nth %u", agg[w->agg],
             (int)w->cond, w->group, w->filter, w->value, w->text ? " text" : "", w->including ? " including" : "",
             (long long)w->over_us, (long long)w->delay_us, w->nth);
    return text;
}

static void check_answers(const struct random_world *x, uint64_t seed, unsigned i, const struct answers *got,
                          const struct answers *want)
{
    for (unsigned w = 0; w < x->plan.windows; w++)
        REQUIRE(same(x, &x->window[w], got->number[w], want->number[w]) &&
                    (!x->window[w].text || got->hash[w] == want->hash[w]),
                "seed %llu event %u window %u (%s): %.17g %llx, want %.17g %llx", (unsigned long long)seed, i, w,
                describe(&x->window[w]), got->number[w], (unsigned long long)got->hash[w], want->number[w],
                (unsigned long long)want->hash[w]);
}

struct history {
    unsigned events_min, events_max, keys_max;
};

/* One history: every reply as brute force has it; a second store is cut in two by save and load and must not differ in a
 * bit. */
static void run_history(struct history h, uint64_t seed)
{
    static struct brute brute;
    static struct random_world x;
    random_world_make(&x, seed);
    for (unsigned g = 0; g < x.plan.groups; g++)
        x.keys[g] = MIN_OF(x.keys[g], h.keys_max);
    brute_init(&brute, &x.plan);
    unsigned n = (unsigned)rng_between(&x.rng, h.events_min, h.events_max);
    struct win_limits limits = {.rows_max = n <= 64 && rng_chance(&x.rng, 0.7) ? 64 : 0};
    struct win_store *s = store_new(&x.plan, limits), *cut = rng_chance(&x.rng, 0.25) ? store_new(&x.plan, limits) : NULL;
    unsigned cut_at = (unsigned)rng_below(&x.rng, n);
    for (unsigned i = 0; i < n; i++) {
        struct brute_event e;
        struct answers got, want, third;
        random_event(&x, &e);
        struct win_request q = random_request(&x.plan, &e, all_needed);
        struct win_reply reply = reply_into(&got), other = reply_into(&third);
        memset(&want, 0x5A, sizeof want);
        if (rng_chance(&x.rng, 0.5))
            win_memory.prefetch(s, &q, (int)rng_below(&x.rng, 2));
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        REQUIRE(!reply.approximate && !reply.refused, "seed %llu event %u", (unsigned long long)seed, i);
        brute_exchange(&brute, &e, want.number, want.hash);
        check_answers(&x, seed, i, &got, &want);
        if (cut && i == cut_at) {
            struct win_store *next = through_state(&x.plan, limits, cut);
            win_memory_free(cut);
            cut = next;
        }
        if (cut) {
            REQUIRE_OK(win_memory.exchange(cut, &q, &other));
            REQUIRE(memcmp(&got, &third, sizeof got) == 0, "seed %llu event %u: differs after a load",
                    (unsigned long long)seed, i);
        }
        while (rng_chance(&x.rng, 0.4 * x.label_chance)) {
            unsigned at = (unsigned)rng_below(&x.rng, i + 1);
            bool fraud = rng_chance(&x.rng, 0.5);
            int64_t known = x.now + (rng_chance(&x.rng, 0.5) ? 0 : rng_between(&x.rng, -US_HOUR, US_HOUR));
            brute_label(&brute, at, fraud, known);
            REQUIRE_OK(win_memory.label(s, brute.event[at].id, fraud, known));
            if (cut)
                REQUIRE_OK(win_memory.label(cut, brute.event[at].id, fraud, known));
        }
    }
    if (cut)
        check_same_state(s, cut, seed);
    win_memory_free(cut);
    win_memory_free(s);
}

/* The control: brute force with delays that are wrong by a microsecond, or with equal times in the wrong order, must be
 * caught. */
static unsigned differences(uint64_t seed, int64_t shift_us)
{
    static struct brute brute;
    static struct random_world x;
    struct win_def wrong[RANDOM_WINDOWS];
    struct win_plan plan;
    unsigned found = 0;
    random_world_make(&x, seed);
    plan = x.plan;
    plan.window = wrong;
    memcpy(wrong, x.window, sizeof wrong);
    for (unsigned w = 0; w < plan.windows; w++)
        wrong[w].delay_us += wrong[w].delay_us ? shift_us : 0;
    brute_init(&brute, &plan);
    struct win_store *s = store_new(&x.plan, (struct win_limits){0});
    for (unsigned i = 0; i < 100; i++) {
        struct brute_event e;
        struct answers got, want;
        random_event(&x, &e);
        struct win_request q = random_request(&x.plan, &e, all_needed);
        struct win_reply reply = reply_into(&got);
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        brute_exchange(&brute, &e, want.number, want.hash);
        for (unsigned w = 0; w < x.plan.windows; w++)
            found += !same(&x, &x.window[w], got.number[w], want.number[w]);
    }
    win_memory_free(s);
    return found;
}

START_TEST(brute_force_that_is_wrong_is_caught)
{
    unsigned right = 0, wrong = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        right += differences(seed, 0);
        wrong += differences(seed, 1) > 0;
    }
    ck_assert_uint_eq(right, 0);
    ck_assert_uint_ge(wrong, 10);
}
END_TEST

static void run_histories(struct history h, uint64_t n)
{
    const char *count = getenv("KEER_HISTORIES"), *first = getenv("KEER_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    n = count ? n * strtoull(count, NULL, 10) / 10000 : SLOW_BUILD ? n / 8 : n;
    for (uint64_t i = 0; i < MAX_OF(n, 1u); i++)
        run_history(h, seed + i);
}

START_TEST(every_window_is_what_brute_force_says)
{
    run_histories((struct history){.events_min = 20, .events_max = 200, .keys_max = RANDOM_KEYS}, 10000);
}
END_TEST

START_TEST(so_is_every_window_of_a_crowded_entity)
{
    run_histories((struct history){.events_min = 300, .events_max = 1500, .keys_max = 2}, 60);
}
END_TEST

/* A history whose entities outgrow their budget and whose store its memory: a cut store must still not differ in a bit. */
static void run_cut(uint64_t seed, struct win_limits limits)
{
    static struct random_world x;
    random_world_make(&x, seed);
    struct win_store *s = store_new(&x.plan, limits), *cut = store_new(&x.plan, limits);
    for (unsigned i = 0, n = (unsigned)rng_between(&x.rng, 300, 1500); i < n; i++) {
        struct brute_event e;
        struct answers got, other;
        random_event(&x, &e);
        for (unsigned g = 0; g < x.plan.groups; g++)
            if (i % 4 == 0) /* and many who come once */
                e.key[g].lo = rng_u64(&x.rng);
        struct win_request q = random_request(&x.plan, &e, all_needed);
        struct win_reply a = reply_into(&got), b = reply_into(&other);
        REQUIRE_OK(win_memory.exchange(s, &q, &a));
        REQUIRE_OK(win_memory.exchange(cut, &q, &b));
        REQUIRE(memcmp(&got, &other, sizeof got) == 0 && a.approximate == b.approximate && a.refused == b.refused,
                "seed %llu event %u: differs after a load", (unsigned long long)seed, i);
        if (rng_chance(&x.rng, 0.01)) {
            struct win_store *next = through_state(&x.plan, limits, cut);
            win_memory_free(cut);
            cut = next;
        }
    }
    check_same_state(s, cut, seed);
    win_memory_free(cut);
    win_memory_free(s);
}

START_TEST(a_loaded_store_goes_on_as_the_saved_one)
{
    for (uint64_t seed = 1; seed <= (SLOW_BUILD ? 30 : 200); seed++)
        run_cut(seed, (struct win_limits){.rows_max = seed % 3 ? 64 : 300, .memory_max = seed % 4 ? 0 : 300000});
}
END_TEST

/* Another history's state; with `panes`, entities are past their budget. */
static void make_state(struct random_world *x, uint64_t seed, bool panes, struct buf *out)
{
    random_world_make(x, seed);
    x->keys[0] = panes ? 1 : x->keys[0];
    struct win_store *s = store_new(&x->plan, (struct win_limits){.rows_max = 64});
    for (unsigned i = 0; i < (panes ? 250 : 40); i++) {
        struct brute_event e;
        struct answers got;
        random_event(x, &e);
        struct win_request q = random_request(&x->plan, &e, all_needed);
        struct win_reply reply = reply_into(&got);
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
    }
    buf_init(out, (size_t)64 << 20);
    REQUIRE_OK(win_memory_save(s, out));
    win_memory_free(s);
}

static enum keer_err load_err(const struct win_plan *plan, uint32_t rows_max, struct slice state)
{
    struct win_store *s = store_new(plan, (struct win_limits){.rows_max = rows_max});
    enum keer_err err = win_memory_load(s, state);
    win_memory_free(s);
    return err;
}

START_TEST(a_torn_state_is_refused)
{
    static struct random_world x;
    struct buf b;
    make_state(&x, 7, /* panes */ false, &b);
    REQUIRE_OK(load_err(&x.plan, 64, buf_view(&b)));
    for (size_t len = 0; len < b.len; len += len < 300 ? 1 : b.len / 97)
        REQUIRE(load_err(&x.plan, 64, slice_of(b.p, len)) == KEER_EFORMAT, "cut at %zu", len);
    for (size_t at = 0; at < b.len; at += at < 100 ? 1 : b.len / 89) {
        b.p[at] ^= (char)(1 << at % 8);
        REQUIRE(load_err(&x.plan, 64, buf_view(&b)) == KEER_EFORMAT, "flipped at %zu", at);
        b.p[at] ^= (char)(1 << at % 8);
    }
    buf_char(&b, '\n');
    REQUIRE(load_err(&x.plan, 64, buf_view(&b)) == KEER_EFORMAT, "one byte too many");
    buf_release(&b);
}
END_TEST

START_TEST(the_state_of_another_plan_is_refused)
{
    static struct random_world x;
    struct buf b;
    make_state(&x, 7, /* panes */ false, &b);
    struct win_def keep = x.window[0], *w = &x.window[0];
    ck_err(load_err(&x.plan, 65, buf_view(&b)), KEER_EVERSION);
    x.plan.lateness_us++;
    ck_err(load_err(&x.plan, 64, buf_view(&b)), KEER_EVERSION);
    x.plan.lateness_us--;
    x.plan.windows--;
    ck_err(load_err(&x.plan, 64, buf_view(&b)), KEER_EVERSION);
    x.plan.windows++;
    for (unsigned k = 0; k < 9; k++) {
        switch (k) {
        case 0: w->over_us++; break;
        case 1: w->delay_us++; break;
        case 2: w->filter ^= 1; break;
        case 3: w->cond = w->cond == WIN_FRAUD ? WIN_GENUINE : WIN_FRAUD; break;
        case 4: w->including = !w->including; break;
        case 5: w->nth++; break;
        case 6: w->half_life_us++; break;
        case 7: w->agg = w->agg == WIN_COUNT ? WIN_SINCE : WIN_COUNT; break;
        default: w->text = !w->text; break;
        }
        ck_err(load_err(&x.plan, 64, buf_view(&b)), KEER_EVERSION);
        *w = keep;
    }
    ck_ok(load_err(&x.plan, 64, buf_view(&b)));
    buf_release(&b);
}
END_TEST

/* What an attacker with the checksum's key could write: it may be refused or give nonsense, but not crash. */
static bool survives(struct random_world *x, struct slice state)
{
    struct win_store *s = store_new(&x->plan, (struct win_limits){.rows_max = 64, .memory_max = 64 << 20});
    bool loaded = win_memory_load(s, state) == KEER_OK;
    for (unsigned i = 0; i < 150 && loaded; i++) {
        struct brute_event e;
        struct answers got;
        random_event(x, &e);
        struct win_request q = random_request(&x->plan, &e, all_needed);
        struct win_reply reply = reply_into(&got);
        win_memory.prefetch(s, &q, i % 2);
        REQUIRE_OK(win_memory.exchange(s, &q, &reply));
        REQUIRE_OK(win_memory.label(s, e.id, i % 3 == 0, e.time));
    }
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    if (loaded)
        REQUIRE_OK(win_memory_save(s, &b));
    buf_release(&b);
    win_memory_free(s);
    return loaded;
}

START_TEST(a_forged_state_does_not_crash)
{
    static struct random_world x;
    struct rng r;
    unsigned loaded = 0, tries = 0;
    rng_seed(&r, 20181001);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct buf b;
        make_state(&x, seed, /* panes */ seed % 2, &b);
        struct random_world later = x;
        for (unsigned k = 0; k < (SLOW_BUILD ? 20 : 60); k++, tries++) {
            struct buf copy;
            buf_init(&copy, (size_t)64 << 20);
            buf_slice(&copy, buf_view(&b));
            for (uint64_t n = 1 + rng_below(&r, 8); n > 0; n--) {
                size_t at = 24 + rng_below(&r, copy.len - 24 - 16), len = MIN_OF((size_t)8, copy.len - 16 - at);
                uint64_t word = rng_chance(&r, 0.5)   ? rng_u64(&r)
                                : rng_chance(&r, 0.5) ? rng_below(&r, 300)
                                                      : UINT64_MAX / 2;
                memcpy(copy.p + at, &word, rng_chance(&r, 0.5) ? 1 : len);
            }
            struct hash128 sum = hash_bytes(STATE_KEY, copy.p, copy.len - sizeof sum);
            memcpy(copy.p + copy.len - sizeof sum, &sum, sizeof sum);
            x = later;
            loaded += survives(&x, buf_view(&copy));
            buf_release(&copy);
        }
        buf_release(&b);
    }
    ck_assert_uint_gt(loaded, tries / 20);
    ck_assert_uint_lt(loaded, tries);
}
END_TEST

int main(void)
{
    mallopt(M_MMAP_THRESHOLD, 64 << 20); /* keep what stores free: else most of the time goes to page faults */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    Suite *s = suite_create("window");
    TCase *t = tcase_create("window");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, every_window_is_what_brute_force_says);
    tcase_add_test(t, so_is_every_window_of_a_crowded_entity);
    tcase_add_test(t, brute_force_that_is_wrong_is_caught);
    tcase_add_test(t, a_loaded_store_goes_on_as_the_saved_one);
    tcase_add_test(t, a_torn_state_is_refused);
    tcase_add_test(t, the_state_of_another_plan_is_refused);
    tcase_add_test(t, a_forged_state_does_not_crash);
    suite_add_tcase(s, t);
    return test_main(s);
}
