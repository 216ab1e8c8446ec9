/* decider_kit.h - a decider on a database of its own, asked one event after the other. */
#ifndef TESTS_LIB_DECIDER_KIT_H
#define TESTS_LIB_DECIDER_KIT_H
#include <pthread.h>
#include <time.h>

#include "flow/decider.h"
#include "flow/reading.h"
#include "lib/policy_kit.h"
#include "lib/scratch.h"

struct world {
    struct scratch scratch;
    struct keer_policy *policy;
    struct source source;
    struct version version;
    struct reading *reading;
    struct decider *d;
    struct decider_options o;
    char database[200], snapshot[200];
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
};

static inline int64_t world_clock(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

static inline void world_make(struct world *w, const char *policy)
{
    *w = (struct world){0};
    ck_ok(crypto_start());
    scratch_make(&w->scratch);
    ck_ok(kit_make(policy, NULL, &w->policy));
    ck_ok(reading_new(&w->policy->schema, &w->reading));
    (void)snprintf(w->database, sizeof w->database, "%s/k.db", w->scratch.dir);
    (void)snprintf(w->snapshot, sizeof w->snapshot, "%s/k.windows", w->scratch.dir);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->told, NULL);
    ck_ok(source_add(&w->source, SLICE(""), slice_str(policy)));
    w->version = (struct version){.name = "p", .policy = w->policy};
    source_hash(&w->source, &w->version.hash);
    w->o = (struct decider_options){.version = &w->version,
                                    .source = &w->source,
                                    .database = w->database,
                                    .snapshot = w->snapshot,
                                    .queue_max = 16,
                                    .batch_max = 7,
                                    .now_us = world_clock,
                                    .wall_us = world_clock};
}

static inline void world_open(struct world *w)
{
    struct db_why why;
    enum keer_err err = decider_new(&w->o, &w->d, &why);
    REQUIRE(err == KEER_OK, "%s", why.text);
    ck_ok(decider_start(w->d));
    while (decider_state(w->d) == DECIDER_STARTING)
        (void)usleep(100);
    REQUIRE(decider_state(w->d) == DECIDER_READY, "state %d", decider_state(w->d));
}

static inline void world_close(struct world *w)
{
    decider_free(w->d);
    w->d = NULL;
}

static inline void world_end(struct world *w)
{
    world_close(w);
    reading_free(w->reading);
    keer_policy_free(w->policy);
    source_release(&w->source);
    scratch_remove(&w->scratch);
}

static inline void world_done(struct decide_request *r)
{
    struct world *w = r->ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->told);
    (void)pthread_mutex_unlock(&w->lock);
}

static inline enum decide_result world_decide(struct world *w, const char *body)
{
    struct slice text;
    struct reading_error why;
    struct decide_request r = {.done = world_done, .ctx = w, .begun_us = world_clock()};
    struct buf kept;
    buf_init(&kept, 10000);
    buf_init(&r.answer, 10000);
    ck_ok(reading_canon(w->reading, slice_str(body), &text, &why));
    buf_slice(&kept, text);
    REQUIRE(reading_event(w->reading, text, slice_of(NULL, 0), &r.event, &why) == KEER_OK, "%s: %s", body, why.what);
    r.body = buf_view(&kept);
    crypto_sha256(r.body, &r.body_hash);
    w->done = false;
    ck_ok(decider_reserve(w->d));
    decider_submit(w->d, &r);
    (void)pthread_mutex_lock(&w->lock);
    while (!w->done)
        (void)pthread_cond_wait(&w->told, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    while (atomic_load(&decider_statistics(w->d)->waiting)) /* it looks at `r` no more */
        (void)usleep(10);
    free(r.event);
    buf_release(&kept);
    buf_release(&r.answer);
    return r.result;
}

static inline struct snapshot_kind world_kind(const struct world *w)
{
    return (struct snapshot_kind){w->policy, w->version.hash, {.memory_max = w->o.memory_max}};
}

static inline struct snapshot_stats *world_stats(struct world *w) { return &decider_statistics(w->d)->snapshot; }
static inline enum snapshot_state world_state(struct world *w)
{
    return (enum snapshot_state)atomic_load(&world_stats(w)->state);
}
#endif
