/* follower.h - another version of the policy beside the one that decides: a shadow, or a look at history.
 *
 *     BUILDING ──► FOLLOWING ──► ENDED        follower_start; caught up; follower_end, or `once` and caught up
 *         └────────────┴───────► FAILED
 *
 * A thread of its own with an engine of its own decides the journal from its first row, and goes on with what is committed.
 * It never acts: what it decides is compared with what was decided, and, of rows that come in while it follows, stored
 * beside it.
 *
 * Invariants
 * 1. The engine's state is what deciding the journal up to `seq` gives, so that it can take over exactly there
 * (decider_promote).
 * 2. The way of a live event does not wait for it; it reads committed rows on its own connection.
 */
#ifndef FLOW_FOLLOWER_H
#define FLOW_FOLLOWER_H
#include <stdatomic.h>

#include "base/log.h"
#include "core/engine.h"
#include "flow/source.h"

struct decider;
struct follower;
enum follower_state { FOLLOWER_BUILDING, FOLLOWER_FOLLOWING, FOLLOWER_ENDED, FOLLOWER_FAILED };
const char *follower_state_name(enum follower_state s);

#define FOLLOWER_EXAMPLES 20
struct follower_change { /* an event that changed sides */
    char id[64];         /* cut when longer */
    enum keer_outcome was, is;
};
struct comparison { /* of the rows since `since_us`, and of those that came while it followed */
    uint64_t events, changed;
    uint64_t sides[KEER_OUTCOME_MAX][KEER_OUTCOME_MAX]; /* [what was decided][what this version decides] */
    struct follower_change example[FOLLOWER_EXAMPLES];  /* the newest ones, a ring */
    uint64_t examples;
};
struct follower_options {
    struct version *version; /* borrowed */
    struct decider *decider; /* says what is committed, and writes */
    const char *database;
    uint64_t memory_max;
    int64_t since_us;           /* rows decided from then on are compared */
    struct keer_engine *engine; /* NULL: a new one from the first row on; else its state after row `seq`, owned */
    int64_t seq;
    bool once;    /* ends when it has caught up; stores nothing */
    bool promote; /* asks to take over when it has caught up */
    const struct log *log;
    void (*ended)(void *ctx); /* once, on its thread, when it ENDED or FAILED by itself; may be NULL */
    void *ctx;
};

KEER_NODISCARD enum keer_err follower_start(const struct follower_options *o, struct follower **ret_follower,
                                            struct db_why *ret_why);
/* Ends the thread and frees; NULL is fine. */
void follower_free(struct follower *f);
enum follower_state follower_state(const struct follower *f);
const struct follower_options *follower_about(const struct follower *f);
int64_t follower_seq(const struct follower *f); /* of the last row that it decided */
void follower_compare(struct follower *f, struct comparison *ret_comparison);
/* Asks it to end at exactly `seq`, waits at most `wait_us` and takes its engine. KEER_EFULL when it is not there in time: it
 * goes on then; KEER_EIO when it has failed. */
KEER_NODISCARD enum keer_err follower_take(struct follower *f, int64_t seq, int64_t wait_us,
                                           struct keer_engine **ret_engine);
#endif
