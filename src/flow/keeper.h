/* keeper.h - keeps the decider's snapshot: loads it at a start, renews it while events are decided, writes it at the stop.
 *
 *     keeper_new ─► keeper_start ─► keeper_load (engine thread) ─► keeper_committed ... ─► keeper_stop ─► keeper_write ─► keeper_free
 *
 * With `every` a thread of its own waits until that many rows were committed since the last snapshot, loads that one into an
 * engine of its own, decides the rows that followed (on a reading connection of its own, comparing them), writes, and frees:
 * nothing waits for it, but windows are in memory twice meanwhile, and once more as bytes while they are written. The
 * windows that decide are never touched. At the stop they are written themselves.
 *
 * Invariants
 * 1. A snapshot that can't be read, loaded or written costs time and says so, in the log and in `stats`; it never changes a
 * decision and never ends the daemon.
 * 2. Rows are in a snapshot only after their commit.
 * 3. After a difference nothing is written any more: the next start must see it.
 * 4. A file says which version its windows are of. After a promotion (keeper_turn) what is written is of the version that
 * decides; a renewal of the one before, when it is past giving up, writes a file that names that one, and is written over at
 * the stop. All functions take a NULL keeper for one that is off.
 */
#ifndef FLOW_KEEPER_H
#define FLOW_KEEPER_H
#include <stdatomic.h>

#include "base/log.h"
#include "flow/snapshot.h"

struct snapshot_stats {
    atomic_int state;                    /* enum snapshot_state of the start */
    atomic_uint_fast64_t loaded_seq;     /* the row up to which the start took it; 0 = none */
    atomic_uint_fast64_t seq, bytes, ms; /* of the newest: its last row, its size, how long it took */
    atomic_uint_fast64_t written, failures;
};

struct keeper_options {
    const char *path; /* NULL: off */
    const char *database;
    uint64_t every;            /* rows between snapshots while events are decided; 0 = only at the stop */
    struct snapshot_kind kind; /* of the version that decides */
    const struct log *log;
    int64_t (*now_us)(void);
    struct snapshot_stats *stats;
};

struct keeper;
/* *ret_keeper is NULL when o->path is. KEER_ENOMEM. Texts are borrowed. */
KEER_NODISCARD enum keer_err keeper_new(const struct keeper_options *o, struct keeper **ret_keeper);
/* Starts the thread, when there is to be one. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err keeper_start(struct keeper *k);
/* Puts the snapshot's engine in the place of *engine, which is new, and its ids into `seen`, which is empty; the row up to
 * which they hold, or 0 and nothing has changed. Logged, and in stats->state. */
int64_t keeper_load(struct keeper *k, struct journal *j, struct keer_engine **engine, struct seen *seen);
/* Rows up to `seq` are committed. Any thread. */
void keeper_committed(struct keeper *k, int64_t seq);
/* Another version decides from the next row on; its policy is borrowed until keeper_free. Called by who decides, between two
 * events; doesn't wait. */
void keeper_turn(struct keeper *k, const struct keer_policy *policy, const struct crypto_hash *hash);
/* Ends the thread; a snapshot that it was making is given up. Twice is fine. */
void keeper_stop(struct keeper *k);
/* Writes the state after row `seq`, unless the file has it already; after keeper_stop. */
void keeper_write(struct keeper *k, struct journal *j, const struct keer_engine *engine, const struct seen *seen,
                  int64_t seq);
void keeper_free(struct keeper *k);
#endif
