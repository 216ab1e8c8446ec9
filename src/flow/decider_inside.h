/* decider_inside.h - the inside of a decider, for decider.c (the way of an event), decider_write.c (what else
 * is written) and shadow.c (versions beside it). */
#ifndef FLOW_DECIDER_INSIDE_H
#define FLOW_DECIDER_INSIDE_H
#include <pthread.h>

#include "flow/decider.h"
#include "flow/follower.h"
#include "flow/reading.h"
#include "flow/seen.h"

/* An event on its way from the engine to the disk, and who waits for it. */
struct pending {
    struct pending *next;         /* in `decided` */
    struct pending *chain;        /* in its cell of the table */
    struct decide_request *first; /* whose event, id and body it is; answered last, since the others are compared with it */
    struct decide_request *others;
    int64_t seq, decided_us, policy;
    struct buf saw; /* the verdict is in first->answer */
    enum keer_outcome outcome;
};

struct decider {
    struct decider_options o;
    struct decider_stats stats;
    atomic_int state;
    atomic_bool stop_rebuilding;
    struct db *writer, *engine_reader, *api_reader;
    struct journal journal, engine_journal, api_journal;
    pthread_mutex_t api_lock;
    pthread_rwlock_t keys_lock;
    struct keys keys;
    int64_t decided_us; /* of the newest decision: the engine thread's */
    int64_t seq;        /* of the last event that was decided */
    struct decider_observer observer[DECIDER_OBSERVERS_MAX];
    unsigned observers;
    atomic_int_fast64_t committed;   /* of the last one on disk */
    struct version *_Atomic version; /* decides; the engine thread changes it */
    struct version *versions;        /* loaded from the database; freed at the end, since events may point at their schema */
    struct keer_engine *engine;
    struct reading *reading;      /* the engine thread's, for `version` */
    struct follower *shadow;      /* with shadow_lock, as `versions` */
    struct promotion *promotions; /* with submitted_lock */
    pthread_mutex_t shadow_lock;
    struct seen seen; /* the engine thread's */
    struct keeper *keeper;
    pthread_t engine_thread, writer_thread;
    bool threads;
    pthread_mutex_t submitted_lock, decided_lock, flight_lock;
    pthread_cond_t submitted_filled, decided_filled;
    struct decide_request *submitted, **submitted_end;
    struct pending *made, **made_end; /* the engine thread's: decided, and not handed on yet */
    unsigned made_count;
    struct pending *spare; /* the engine thread's: used before, with the memory of their `saw` */
    struct pending *used;  /* with decided_lock: what the writer has done with */
    struct pending *decided, **decided_end;
    bool submitted_closed, decided_closed;
    struct write_task *tasks, **tasks_end; /* with decided_lock */
    bool writer_ended;
    struct pending **flight; /* cells, by hash of the id */
    size_t cells;
};

/* The version that decides. */
static inline struct version *deciding(const struct decider *d) { return atomic_load(&d->version); }
static inline bool decider_failed(const struct decider *d) { return atomic_load(&d->state) == DECIDER_FAILED; }
/* decider_write.c: what waits, on the writer's thread. */
void decider_run_tasks(struct decider *d, struct write_task *list);
/* Ends deciding for good; `why` is told once. */
void decider_fail(struct decider *d, const char *what, const char *why);

/* shadow.c: on the engine's thread, between two events. */
void promotions_run(struct decider *d, struct promotion *list);
/* At the end, when no thread runs any more but the shadow's. */
void shadow_release(struct decider *d);
#endif
