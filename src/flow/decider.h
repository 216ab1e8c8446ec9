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
 * 6. The times of decision never go back along the sequence numbers, whatever the clock does: a search by time relies on it.
 * 7. Everything else that writes (policies, keys, webhooks ...) goes through decider_write: the one writing connection is
 * the writer thread's.
 *
 * Threads: `submitted` and `decided` have a lock each; the table of what is in flight has one (engine puts in, writer takes
 * out); the keys have a lock of readers and writers; the windows belong to the engine thread; the writing connection to the
 * writer thread once it runs.
 */
#ifndef FLOW_DECIDER_H
#define FLOW_DECIDER_H
#include <stdatomic.h>

#include "base/histogram.h"
#include "base/log.h"
#include "core/engine.h"
#include "flow/follower.h"
#include "flow/keeper.h"
#include "flow/source.h"
#include "store/journal.h"
#include "store/keys.h"

enum decide_result {
    DECIDE_NEW,       /* decided now, and on disk */
    DECIDE_STORED,    /* decided earlier, the same body */
    DECIDE_CONFLICT,  /* decided earlier, another body */
    DECIDE_UNKNOWN,   /* may or may not be on disk */
    DECIDE_NO_TARGET, /* a label of an event that is not in the journal; nothing happened */
    DECIDE_NO_MEMORY  /* nothing happened, or it is stored already: ask again */
};

struct decide_request {
    struct keer_event *event;               /* owns its texts */
    struct slice body;                      /* canonical; stays until `done` */
    struct crypto_hash body_hash;           /* of `body` */
    struct slice added;                     /* beside the body, as it; empty when nothing was added */
    bool missing;                           /* something that should have added could not */
    struct slice target;                    /* an event that must be in the journal, or under way; p NULL: none */
    int64_t begun_us;                       /* monotonic, for the histogram */
    void (*done)(struct decide_request *r); /* on the engine's or the writer's thread; must not block */
    void *ctx;
    /* the answer */
    enum decide_result result;
    struct buf answer;           /* begun by the caller, who releases it; JSON for NEW and STORED, else empty */
    struct decide_request *next; /* the decider's */
};

/* Something to write that is not a decision: a transaction on the writer's thread, of its own, or shared with others that
 * wait beside it (`together`): then what one of them wrote is there for the next, it alone is taken back when it fails, and
 * one commit is theirs. */
struct write_task {
    /* In a transaction; what is not KEER_OK rolls it back, and is the task's end. KEER_EIO leaves its words in db_why. */
    enum keer_err (*run)(struct db *db, struct write_task *t);
    /* Once, on the writer's thread, after the commit or instead of it: KEER_OK when committed; what run said; KEER_EIO when
     * the commit failed or is unknown (the decider has failed then). Must not block; `t` may be gone afterwards. */
    void (*done)(struct write_task *t, enum keer_err err);
    void *ctx;
    bool together;
    struct write_task *next; /* the decider's */
};

struct decider;
struct decider_options {
    struct version *version;     /* the policy that was given; borrowed, gets its number */
    const struct source *source; /* its text and files; borrowed until decider_new returns */
    const char *database;
    uint64_t memory_max;     /* of the windows; 0 = no ceiling */
    const char *snapshot;    /* the file of windows (keeper.h); NULL = none */
    uint64_t snapshot_every; /* rows between snapshots while it runs; 0 = only at the end */
    unsigned queue_max, batch_max;
    const struct log *log;
    int64_t (*now_us)(void), (*wall_us)(void);
    void (*failed)(void *ctx); /* once, when it can't go on; may be called from any thread */
    void *ctx;
};

/* Who else is told of decisions; all on the writer's thread. `write` is in the decision's transaction, which fails with it:
 * the outbox. `committed` is told once for a group that is on disk, with the last number and a bit for each outcome in it;
 * it must not block. `closing` comes before the writing connection is closed, from who frees the decider. Each may be NULL.
 */
struct decider_observer {
    enum keer_err (*write)(void *ctx, struct db *db, int64_t seq, enum keer_outcome outcome, int64_t decided_us);
    void (*committed)(void *ctx, int64_t last_seq, uint32_t outcomes);
    void (*closing)(void *ctx);
    void *ctx;
};
#define DECIDER_OBSERVERS_MAX 4

enum decider_state { DECIDER_STARTING, DECIDER_READY, DECIDER_STOPPING, DECIDER_FAILED };
struct decider_stats {
    atomic_uint_fast64_t by_outcome[KEER_OUTCOME_MAX], stored, conflicts, unknown, full, degraded;
    atomic_uint_fast64_t commits, rows, rebuilt, compared, differences, windows_bytes, entities;
    atomic_uint waiting; /* submitted and not answered */
    struct histogram latency, commit;
    struct snapshot_stats snapshot;
};

/* Opens and migrates the database, and chooses the version that decides: the one given, unless it is the same as at the last
 * start and another one was promoted since. No thread runs yet. On failure *ret_why says it. */
KEER_NODISCARD enum keer_err decider_new(const struct decider_options *o, struct decider **ret_decider,
                                         struct db_why *ret_why);
/* Before decider_start; at most DECIDER_OBSERVERS_MAX. */
void decider_observe(struct decider *d, const struct decider_observer *o);
/* Starts the threads; the windows are rebuilt on the engine's. */
KEER_NODISCARD enum keer_err decider_start(struct decider *d);
enum decider_state decider_state(const struct decider *d);
struct decider_stats *decider_statistics(struct decider *d);
/* The row of a valid key, copied; any thread. */
bool decider_key(struct decider *d, struct slice text, struct key_row *ret_row);
/* Whether the key of this public part is valid still. */
bool decider_caller(struct decider *d, struct slice id);
/* Every key, the newest first, under the lock of the table: `each` must not block. */
void decider_keys_each(struct decider *d, void (*each)(void *ctx, const struct key_row *row), void *ctx);
unsigned decider_keys_valid(struct decider *d);
/* Reads the table of keys again: who was revoked is refused from here on. *ret_changed says whether it differs. On failure
 * the table stays as it was. KEER_EIO, KEER_ENOMEM, KEER_EFORMAT. */
KEER_NODISCARD enum keer_err decider_reload_keys(struct decider *d, bool *ret_changed, struct db_why *ret_why);
/* The version that decides now; it stays until decider_free. */
const struct version *decider_version(const struct decider *d);
/* The number of the last row on disk. */
int64_t decider_committed(const struct decider *d);

/* --- versions beside the one that decides (shadow.c) --- */

/* Another version takes over between two events, when it has followed up to there; the one that decided follows on as the
 * shadow, so that going back is immediate. Called back on the engine's thread: KEER_EMISSING when the shadow is no version
 * of that number, KEER_EFULL while it is still building, KEER_EIO when it has failed or the change could not be written. */
struct promotion {
    int64_t number; /* 0: whatever decided before, a roll-back */
    char who[POLICY_WHO_BYTES];
    void (*done)(struct promotion *p, enum keer_err err);
    void *ctx;
    int64_t after_seq; /* the answer: it decides from the next row on */
    struct promotion *next;
};
/* KEER_EUNSUPPORTED, KEER_EIO as decider_reserve; then `done` is not called. */
KEER_NODISCARD enum keer_err decider_promote(struct decider *d, struct promotion *p);
/* What a shadow calls that was started with `promote`. */
void decider_promote_when_ready(struct decider *d, int64_t number);
/* Starts a version as the shadow, in place of another; rows decided since `since_us` are compared. KEER_EMISSING when there
 * is no such version, KEER_EUNSUPPORTED while the decider starts, KEER_ECONFLICT when it decides already; else what
 * version_load says. */
KEER_NODISCARD enum keer_err decider_shadow(struct decider *d, int64_t number, int64_t since_us, bool promote,
                                            struct db_why *ret_why);
void decider_shadow_end(struct decider *d);
struct shadow_view {
    int64_t number, seq, since_us; /* number 0: there is none */
    enum follower_state state;
    bool promotes;
    struct comparison comparison;
};
void decider_shadow_view(struct decider *d, struct shadow_view *ret_view);
/* A version through the history alone: the same as a shadow that ends when it has caught up. The caller frees it before the
 * decider. */
KEER_NODISCARD enum keer_err decider_backtest(struct decider *d, int64_t number, int64_t since_us, void (*ended)(void *ctx),
                                              void *ctx, struct follower **ret_follower, struct db_why *ret_why);
/* A reading connection for a short time, one user at a time. */
struct db *decider_reader_take(struct decider *d);
void decider_reader_give(struct decider *d);
unsigned decider_places(const struct decider *d); /* queue_max */
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
/* The decision of the first row after `seq`, its bit in *ret_outcomes: KEER_EMISSING at the end, else as decider_find. */
KEER_NODISCARD enum keer_err decider_next(struct decider *d, int64_t seq, int64_t *ret_seq, uint32_t *ret_outcomes,
                                          struct buf *out);
/* Takes nothing new from here on; what waits is finished, and then stats.waiting is 0 and stays so. */
void decider_stop(struct decider *d);
/* Takes nothing new, finishes what it has, ends the threads and closes. NULL is fine. */
void decider_free(struct decider *d);
#endif
