/* decider.h - the way of an event through the daemon: one engine thread, one writer thread, an answer after the commit.
 *
 *     decider_submit ─► [submitted] ─► engine thread ──────────────► [decided] ─► writer thread ─► request.done
 *     (any thread)                     in flight? stored? else decide              one transaction for what has gathered
 *
 * States of a decider: STARTING (the journal is decided again) ─► READY ─► STOPPING; FAILED from anywhere, for good.
 *
 * Invariants
 * 1. A decision is answered after the transaction that holds it was committed, never before; what a commit left unknown is
 * answered as unknown, and then nothing is decided any more: the windows may hold what the journal does not. A restart
 * settles it.
 * 2. Events are decided in the order of their sequence numbers, without gaps: the journal decided again gives the same
 * windows.
 * 3. An id is decided once. Requests for an id that is under way wait for its commit; later ones are answered from the
 * journal. The body must be the same (canonical form, SHA-256), else the answer is DECIDE_CONFLICT and nothing happened.
 * 4. Requests that wait are at most `queue_max`; more are refused at once with KEER_EFULL.
 * 5. Every submitted request is called back exactly once, also when things fail and when the decider is stopped.
 *
 * 6. Everything else that writes (policies, keys, webhooks ...) goes through decider_write: the one writing connection is
 * the writer thread's.
 *
 * Threads: `submitted` and `decided` have a lock each; the table of what is in flight has one (engine puts in, writer takes
 * out); the windows belong to the engine thread; the writing connection to the writer thread once it runs.
 */
#ifndef FLOW_DECIDER_H
#define FLOW_DECIDER_H
#include <stdatomic.h>

#include "base/histogram.h"
#include "base/log.h"
#include "core/engine.h"
#include "store/journal.h"
#include "store/keys.h"

enum decide_result {
    DECIDE_NEW,      /* decided now, and on disk */
    DECIDE_STORED,   /* decided earlier, the same body */
    DECIDE_CONFLICT, /* decided earlier, another body */
    DECIDE_UNKNOWN,  /* may or may not be on disk */
    DECIDE_NO_MEMORY /* nothing happened, or it is stored already: ask again */
};

struct decide_request {
    struct keer_event *event;               /* owns its texts */
    struct slice body;                      /* canonical; stays until `done` */
    struct crypto_hash body_hash;           /* of `body` */
    int64_t begun_us;                       /* monotonic, for the histogram */
    void (*done)(struct decide_request *r); /* on the engine's or the writer's thread; must not block */
    void *ctx;
    /* the answer */
    enum decide_result result;
    struct buf answer;           /* JSON for NEW and STORED; the caller releases it */
    struct decide_request *next; /* the decider's */
};

/* Something to write that is not a decision: a transaction of its own on the writer's thread. */
struct write_task {
    /* In a transaction; what is not KEER_OK rolls it back, and is the task's end. KEER_EIO leaves its words in db_why. */
    enum keer_err (*run)(struct db *db, struct write_task *t);
    /* Once, on the writer's thread, after the commit or instead of it: KEER_OK when committed; what run said; KEER_EIO when
     * the commit failed or is unknown (the decider has failed then). Must not block; `t` may be gone afterwards. */
    void (*done)(struct write_task *t, enum keer_err err);
    void *ctx;
    struct write_task *next; /* the decider's */
};

struct decider;
struct decider_options {
    struct keer_policy *policy;     /* borrowed */
    struct crypto_hash policy_hash; /* of its text and files */
    const char *policy_name;
    const char *database;
    uint64_t memory_max; /* of the windows; 0 = no ceiling */
    unsigned queue_max, batch_max;
    const struct log *log;
    int64_t (*now_us)(void), (*wall_us)(void);
    void (*failed)(void *ctx); /* once, when it can't go on; may be called from any thread */
    void *ctx;
};

enum decider_state { DECIDER_STARTING, DECIDER_READY, DECIDER_STOPPING, DECIDER_FAILED };
struct decider_stats {
    atomic_uint_fast64_t by_outcome[KEER_OUTCOME_MAX], stored, conflicts, unknown, full, degraded;
    atomic_uint_fast64_t commits, rows, rebuilt, compared, differences, windows_bytes, entities;
    atomic_uint waiting; /* submitted and not answered */
    struct histogram latency, commit;
};

/* Opens and migrates the database; no thread runs yet. On failure *ret_why says it. */
KEER_NODISCARD enum keer_err decider_new(const struct decider_options *o, struct decider **ret_decider,
                                         struct db_why *ret_why);
/* Starts the threads; the windows are rebuilt on the engine's. */
KEER_NODISCARD enum keer_err decider_start(struct decider *d);
enum decider_state decider_state(const struct decider *d);
struct decider_stats *decider_statistics(struct decider *d);
unsigned decider_places(const struct decider *d); /* queue_max */
/* The keys as they were when it was opened. */
const struct keys *decider_keys(const struct decider *d);
/* A place among those that wait: KEER_EFULL when there is none, KEER_EIO when it failed, KEER_EUNSUPPORTED while it starts
 * or stops. With a place decider_submit can't fail, so that the caller can get ready to be called back in between. */
KEER_NODISCARD enum keer_err decider_reserve(struct decider *d);
void decider_unreserve(struct decider *d); /* gives a place back that was not used */
void decider_submit(struct decider *d, struct decide_request *r);
/* A list that is linked by `next`, in its order, each with a place: one lock and one wake-up for all. */
void decider_submit_all(struct decider *d, struct decide_request *first, struct decide_request *last);
/* Hands a task to the writer: KEER_EUNSUPPORTED when it has stopped, KEER_EIO when it has failed; then `done` is not called.
 */
KEER_NODISCARD enum keer_err decider_write(struct decider *d, struct write_task *t);
/* The stored decision: KEER_EMISSING, KEER_EIO, KEER_ENOMEM. Any thread. */
KEER_NODISCARD enum keer_err decider_find(struct decider *d, struct slice id, struct buf *out);
/* Takes nothing new from here on; what waits is finished, and then stats.waiting is 0 and stays so. */
void decider_stop(struct decider *d);
/* Takes nothing new, finishes what it has, ends the threads and closes. NULL is fine. */
void decider_free(struct decider *d);
#endif
