/* checkpoint.h - moves what was committed from the WAL into the database, a piece at a time, so that no commit waits long.
 *
 * SQLite's own checkpoint copies the whole WAL and syncs the database while everybody who waits for a commit waits for it:
 * 5 to 30 ms on a disk where a commit takes one. Here a second connection, `guard`, holds a snapshot, behind which nothing is
 * copied and the WAL is not begun anew:
 *
 *     OPEN ──PIECE frames──► HELD: guard holds a snapshot ──PIECE more──► copied up to it, which needs no sync (SQLite
 *       ▲                     │  ▲                                        syncs only when it reaches the end of the WAL);
 *       │                     │  └──── a new snapshot ◄──────────────────  a thread syncs the database meanwhile
 *       └── the rest is copied and synced, and the WAL begins anew ◄── FULL frames, nothing being synced
 *
 * so that what the last step has to sync are a few frames.
 *
 * Invariants
 * 1. The writing connection alone checkpoints (db.h, invariant 2), on its user's thread, between two transactions; `guard`
 * only reads. The thread touches the database file through SQLite's own descriptor, with its xSync, and nothing else.
 * 2. The system tells of pages that could not be written once for a descriptor. When the thread's sync fails, no checkpoint
 * is completed any more, also not the one at the close: the WAL, which is synced at every commit, keeps everything, and the
 * next start reads it.
 * 3. What is committed is on disk through the WAL; a checkpoint that is late or never comes costs room, not rows.
 */
#ifndef STORE_SQLITE_CHECKPOINT_H
#define STORE_SQLITE_CHECKPOINT_H
#include <pthread.h>
#include <sqlite3.h>

#include "base/base.h"

#define CHECKPOINT_PIECE 128u /* frames of 8 KiB: a copy of about half a millisecond */
#define CHECKPOINT_FULL 2048u

struct checkpoint {
    sqlite3 *conn, *guard;            /* conn borrowed */
    sqlite3_stmt *begin, *look, *end; /* of guard */
    bool held;
    unsigned frames;  /* in the WAL after the newest commit */
    unsigned held_at; /* of them, those that guard's snapshot sees */
    /* the thread that syncs */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool running, wanted, busy, stop, failed; /* with lock; `running` is the owner's */
};

/* For a writing connection, whose own checkpoints are off from here on. SQLite's code. */
int checkpoint_begin(struct checkpoint *c, sqlite3 *conn, const char *path);
/* Between two transactions: the next step, if it is time for one. SQLite's code: SQLITE_IOERR_FSYNC when the thread's sync
 * failed; what is busy comes later, and is no error. */
int checkpoint_step(struct checkpoint *c);
/* Whether steps are overdue so much that a commit must wait for one. */
static inline bool checkpoint_overdue(const struct checkpoint *c) { return c->frames > 2 * CHECKPOINT_FULL; }
/* Before conn is closed; zeroed is fine. */
void checkpoint_end(struct checkpoint *c);
#endif
