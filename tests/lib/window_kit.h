/* window_kit.h - what the tests of the memory driver share: stores, requests for all windows, states. */
#ifndef TESTS_LIB_WINDOW_KIT_H
#define TESTS_LIB_WINDOW_KIT_H
#include "lib/test.h"
#include "lib/window_random.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

/* Check writes to a file at every assertion that holds; in inner loops only those that don't hold may cost. */
#define REQUIRE(x, ...)                \
    do {                               \
        if (!(x))                      \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)
#define REQUIRE_OK(call) REQUIRE((call) == KEER_OK, "%s", #call)

static const uint64_t all_needed[LIMIT_WINDOWS / 64] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                                        UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
static_assert(LIMIT_WINDOWS == 512, "all of them");

struct answers {
    double number[RANDOM_WINDOWS];
    uint64_t hash[RANDOM_WINDOWS];
};

static inline struct win_reply reply_into(struct answers *a)
{
    memset(a, 0x5A, sizeof *a);
    return (struct win_reply){.number = a->number, .hash = a->hash};
}

static inline struct win_store *store_new(const struct win_plan *plan, struct win_limits limits)
{
    struct win_store *s = NULL;
    REQUIRE_OK(win_memory_new(plan, &limits, &s));
    return s;
}

/* Saves `s` and returns a new store that was loaded from it. */
static inline struct win_store *through_state(const struct win_plan *plan, struct win_limits limits,
                                              const struct win_store *s)
{
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    REQUIRE_OK(win_memory_save(s, &b));
    struct win_store *other = store_new(plan, limits);
    REQUIRE_OK(win_memory_load(other, buf_view(&b)));
    buf_release(&b);
    return other;
}

static inline void check_same_state(const struct win_store *a, const struct win_store *b, uint64_t seed)
{
    struct buf x, y;
    buf_init(&x, (size_t)64 << 20);
    buf_init(&y, (size_t)64 << 20);
    REQUIRE_OK(win_memory_save(a, &x));
    REQUIRE_OK(win_memory_save(b, &y));
    REQUIRE(slice_eq(buf_view(&x), buf_view(&y)), "seed %llu: saves differ", (unsigned long long)seed);
    struct win_stats p, q;
    win_memory_stats(a, &p);
    win_memory_stats(b, &q);
    p.reserved_bytes = q.reserved_bytes = 0;
    REQUIRE(memcmp(&p, &q, sizeof p) == 0, "seed %llu: statistics differ", (unsigned long long)seed);
    buf_release(&x);
    buf_release(&y);
}

#endif
