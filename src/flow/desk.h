/* desk.h - a desk: threads on which use cases run in straight lines, waiting for what they write and decide.
 *
 *     desk_take ─► [waiting, at most queue_max] ─► a worker: job.run ─┬─ desk_write  ─► the writer thread, its commit ─┐
 *     (any thread)                                                    ├─ desk_read       (a snapshot of its own)       ├─► goes on
 *                                                                     └─ desk_decide ─► engine, writer, the commit ────┘
 *
 * Decisions in a store's purchase path don't come here: they are many and wait for one thing. What comes here is few and
 * waits for several: a sign-in looks up, hashes, decides and writes.
 *
 * Invariants
 * 1. A job that was taken is run exactly once, also when the desk is being stopped; desk_stop waits for the last.
 * 2. All writing is on the writer thread, one function after the other, each in a transaction of its own or a part of one
 *    that it shares with those that wait beside it: what it checks still holds when it writes, and is taken back alone. Two daemons on one PostgreSQL need a unique key, or a condition in the UPDATE, besides.
 * 3. desk_write says KEER_OK after the commit and never before. KEER_EIO: not committed, or unknown; the decider has failed
 *    then, and nothing more is written by this process.
 * 4. A function given to desk_write must not block: decisions wait behind it.
 */
#ifndef FLOW_DESK_H
#define FLOW_DESK_H
#include "flow/decider.h"
#include "flow/enrich.h"

struct desk;
struct desk_worker; /* who runs a job: one thread's */

struct desk_options {
    struct decider *decider;
    const struct enrich *enrich; /* NULL: nothing is added to events */
    const char *database;
    unsigned threads, queue_max;
    bool only_writes; /* its workers have no connection of their own: desk_read is KEER_EUNSUPPORTED there */
    const struct log *log;
    int64_t (*now_us)(void), (*wall_us)(void);
};
#define DESK_THREADS_MAX 64

/* Opens a reading connection for each thread; none runs yet. */
KEER_NODISCARD enum keer_err desk_new(const struct desk_options *o, struct desk **ret_desk, struct db_why *ret_why);
KEER_NODISCARD enum keer_err desk_start(struct desk *d);
/* Takes nothing new, runs what it has, ends the threads. NULL, and twice, is fine. */
void desk_stop(struct desk *d);
void desk_free(struct desk *d);

struct desk_job {
    void (*run)(struct desk_job *j, struct desk_worker *w); /* `j` may be gone when it returns */
    void *ctx;
    struct desk_job *next; /* the desk's */
};
/* False when the queue is full, or the desk does not run. */
KEER_NODISCARD bool desk_take(struct desk *d, struct desk_job *j);
/* `run` is called every period_us by some worker, never twice at once; before desk_start. At most DESK_TIMERS_MAX. */
#define DESK_TIMERS_MAX 64
void desk_every(struct desk *d, int64_t period_us, void (*run)(struct desk_worker *w, void *ctx), void *ctx);

/* --- for jobs and timers --- */
typedef enum keer_err desk_fn(struct db *db, void *ctx);
/* `run` in a transaction on the writer thread; what is not KEER_OK rolls back and is returned. KEER_EUNSUPPORTED when the
 * decider has stopped, KEER_EIO. */
KEER_NODISCARD enum keer_err desk_write(struct desk_worker *w, desk_fn *run, void *ctx);
/* `run` on a connection of the worker's own, in one committed snapshot; KEER_EUNSUPPORTED when it has none. */
KEER_NODISCARD enum keer_err desk_read(struct desk_worker *w, desk_fn *run, void *ctx);
int64_t desk_wall_us(const struct desk_worker *w);
const struct log *desk_log(const struct desk_worker *w);

/* An event of ours. Empty texts are left out; `id` empty: a random one. `type` is a row of events.def. */
struct desk_event {
    struct slice id, type, target, account, device, session, ip, user_agent, outcome, step_up, email, wallet, agreement,
        currency, beneficiary, merchant, item;
    int64_t amount_minor; /* with a currency */
    int64_t time_us;      /* 0: now */
    bool has_second_step;
    struct slice more; /* further members as JSON, `"name":"value",...`: a policy's own attributes */
};
void desk_event_print(const struct desk_event *e, int64_t now_us, struct buf *out);
struct desk_decision {
    enum keer_outcome outcome;
    bool review;
    struct buf answer; /* the decision as it is stored; the caller releases it */
};
/* Decides an event as POST /v1/decisions does, and waits for its commit. KEER_EFULL, KEER_EUNSUPPORTED (it starts or stops),
 * KEER_ECONFLICT (the id was used for another event), KEER_EIO (unknown), KEER_ENOMEM; KEER_ESYNTAX and the like for what is
 * no event, told in the log: the caller fails closed. */
KEER_NODISCARD enum keer_err desk_decide(struct desk_worker *w, const struct desk_event *e,
                                         struct desk_decision *ret_decision);
/* The same of a text that desk_event_print wrote, perhaps long ago: what was decided then is the answer. */
KEER_NODISCARD enum keer_err desk_decide_text(struct desk_worker *w, struct slice event, struct desk_decision *ret_decision);
#endif
