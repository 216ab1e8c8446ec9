/* sim.h - the money path in one process, one thread, on one seed: what its parts know of each other.
 *
 *     seed ─► knobs (which faults, how often) ─► operations ─► tasks (the real code, on stacks of their own)
 *                                                               │ desk_write   ─► SQLite on disk.c, which forgets and fails
 *                                                               │ desk_decide  ─► the real engine, a journal
 *                                                               └ wallet_x     ─► caller.c ─► wallet.c, which loses and repeats
 *     after every commit, and at the end: check.c, beside model.c
 *
 * Invariants
 * 1. Nothing in it has a clock, a thread, a socket, or randomness but the seed: the same seed prints the same trace, whatever
 * the compiler. What is random in the code under test (ids, nonces) has a generator of its own, so that one id more does not
 * change what happens next.
 * 2. A crash may come between any two steps of a task, at any statement of the database, at any write or sync of the disk.
 * Then every task is unwound (all calls fail, none has an effect), what was not synced is kept or lost by chance, 512 bytes at
 * a time, and what goes on knows what the database says and nothing else.
 * 3. The first thing that is not as it must be ends the run: seed, step, the number of the invariant, words.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/timefmt.h"
#include "store/db.h"

/* Kinds of faults: each is on or off in a run, with a rate of its own (knobs.def). */
enum sim_fault {
#define FAULT(name, most, text) FAULT_##name,
#include "sim/faults.def"
#undef FAULT
    FAULT_MAX
};

/* What is counted: a kind of request and its outcome (outcomes.def). */
enum sim_outcome {
#define OUTCOME(kind, name) OUT_##kind##_##name,
#include "sim/outcomes.def"
#undef OUTCOME
    OUT_MAX
};

struct sim {
    uint64_t seed;
    struct rng rng;
    uint64_t step;
    double rate[FAULT_MAX];
    bool calm; /* the faults have stopped */
    int64_t now_us;
    bool frozen; /* the clock stands */
    struct db *db;
    char where[200];
    bool dead; /* the process has crashed, and is being unwound */
    uint64_t trace;
    uint64_t commits;
};
extern struct sim sim;
extern uint64_t sim_counts[OUT_MAX]; /* over all seeds */
extern bool sim_loud;

/* --- sim.c --- */
bool sim_chance(enum sim_fault f);
static inline void sim_count(enum sim_outcome o) { sim_counts[o]++; }
/* A line of the trace; what it says depends on the seed alone. */
void sim_trace(const char *fmt, ...) KEER_PRINTF(1, 2);
/* Ends the program. `invariant` is a number of the list in README.md. */
_Noreturn void sim_fail(unsigned invariant, const char *fmt, ...) KEER_PRINTF(2, 3);
#define SIM_CHECK(invariant, condition, ...)  \
    do {                                      \
        if (!(condition))                     \
            sim_fail(invariant, __VA_ARGS__); \
    } while (0)
#define SIM_OK(call)                                                                          \
    do {                                                                                      \
        enum keer_err sim_err_ = (call);                                                      \
        if (sim_err_ != KEER_OK)                                                              \
            sim_fail(0, "%s:%d: %s: %s", __FILE__, __LINE__, #call, keer_err_text(sim_err_)); \
    } while (0)
/* Opens the database as it is on the disk. Before: sim.db is NULL. */
void sim_open(void);
/* One transaction of the rig's own, without faults. */
void sim_begin(void);
void sim_commit(void);

/* The clock goes on, jumps, stands. */
void sim_tick(void);

/* --- disk.c: files in memory, under SQLite --- */
void disk_register(void);
/* Keeps what the files are now, all of it synced, and goes back to it. */
void disk_keep(void);
void disk_reset(void);
/* The n-th write, sync or truncation from now on fails (1: the next one), and with `on` all after it; 0: none. */
void disk_fail(uint64_t n, bool on);
/* The machine has lost its power: for each sector that was not synced, the old or the new one. After db_close. */
void disk_crash(struct rng *r);

/* --- database.c: the calls of db.h fail on demand --- */
/* The n-th call from now on fails; a commit may land all the same. 0: none. */
void database_fail(uint64_t n, bool lands);
bool database_failed(void);

/* `fail` of one of the next `calls` calls, and a coin for its second argument. */
void sim_arm(void (*fail)(uint64_t n, bool coin), uint64_t calls);

/* --- the worlds --- */
void books_run(void); /* the ledger alone */
void world_run(void); /* all of the money path */
#endif
