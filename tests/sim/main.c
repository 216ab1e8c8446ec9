/* main.c - seeds, knobs, the trace and its hash, and what was met. */
#include <math.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/hash.h"
#include "base/num.h"
#include "sim/sim.h"

struct sim sim;
uint64_t sim_counts[OUT_MAX];
bool sim_loud;

static const double most[FAULT_MAX] = {
#define FAULT(name, most, text) most,
#include "sim/faults.def"
#undef FAULT
};
static const struct {
    const char *kind, *name;
} outcome_names[OUT_MAX] = {
#define OUTCOME(kind, name) {#kind, #name},
#include "sim/outcomes.def"
#undef OUTCOME
};

/* --- randomness of the code under test --- */

static struct rng ids;
static uint32_t random_word(void) { return (uint32_t)rng_u64(&ids); }
static void random_bytes(void *const to, const size_t len)
{
    unsigned char *p = to;
    for (size_t i = 0; i < len; i++)
        p[i] = (unsigned char)(rng_u64(&ids) & 0xFF);
}
static const char *random_name(void) { return "sim"; }
static struct randombytes_implementation randoms = {
    .implementation_name = random_name, .random = random_word, .buf = random_bytes};

/* --- trace, failure --- */

bool sim_chance(enum sim_fault f) { return !sim.calm && sim.rate[f] > 0 && rng_chance(&sim.rng, sim.rate[f]); }

/* In two steps: in which order a compiler draws the arguments of one call is its own business. */
void sim_arm(void (*fail)(uint64_t n, bool coin), uint64_t calls)
{
    uint64_t n = 1 + rng_below(&sim.rng, calls);
    fail(n, rng_chance(&sim.rng, 0.5));
}

void sim_trace(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    struct hash_key key = {sim.trace, sim.step};
    sim.trace = hash_bytes(key, line, MIN_OF((size_t)MAX_OF(n, 0), sizeof line - 1)).lo;
    if (sim_loud)
        (void)printf("%" PRIu64 " %" PRIu64 " %" PRId64 " %s\n", sim.seed, sim.step, sim.now_us, line);
}

/* The scratch folder; of functions that a handler of a signal may call. */
static char lock[sizeof sim.where + 8], folder[sizeof sim.where];
static void leave(void)
{
    (void)unlink(lock);
    (void)unlink(sim.where);
    (void)rmdir(folder);
}

void sim_fail(unsigned invariant, const char *fmt, ...)
{
    va_list ap;
    (void)printf("not ok - seed %" PRIu64 ", step %" PRIu64 ", invariant %u: ", sim.seed, sim.step, invariant);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)printf("\n");
    (void)fflush(stdout);
    leave();
    _exit(1);
}

/* An assertion of the code under test is a finding too. */
static void aborted(int signal_number)
{
    UNUSED(signal_number);
    sim_fail(0, "an assertion of the program");
}

static void ended(int signal_number)
{
    leave();
    _exit(128 + signal_number);
}

void sim_tick(void)
{
    /* Mostly moments; now and then a while, so that time-outs, lapses and holds come. */
    int64_t most_us = rng_chance(&sim.rng, 0.97)  ? US_SECOND / 5
                      : rng_chance(&sim.rng, 0.9) ? 20 * US_SECOND
                      : rng_chance(&sim.rng, 0.6) ? 20 * US_MINUTE
                                                  : 40 * US_HOUR;
    sim.now_us += sim.frozen ? 0 : rng_between(&sim.rng, 1, most_us);
    if (sim_chance(FAULT_FREEZE))
        sim.frozen = true;
    else if (sim.frozen && (sim.calm || rng_chance(&sim.rng, 0.05)))
        sim.frozen = false;
    if (!sim_chance(FAULT_JUMP))
        return;
    static const int64_t by[] = {US_HOUR, -US_HOUR, US_DAY, -US_DAY};
    sim.now_us += by[rng_below(&sim.rng, 4)];
    sim_trace("the clock jumps");
}

/* --- the database --- */

void sim_open(void)
{
    struct db_why why;
    enum keer_err err = db_open(sim.where, DB_WRITE, &sim.db, &why);
    SIM_CHECK(7, err == KEER_OK, "the database does not open: %s", why.text);
}
void sim_begin(void) { SIM_OK(db_begin(sim.db)); }
void sim_commit(void) { SIM_CHECK(0, db_commit(sim.db) == DB_COMMITTED, "commit: %s", db_why(sim.db)); }

/* --- runs --- */

static void make_image(void)
{
    struct db_why why;
    disk_register();
    sim_open();
    if (db_migrate(sim.db, 1, &why) != KEER_OK)
        sim_fail(0, "migration: %s", why.text);
    db_close(sim.db);
    sim.db = NULL;
    disk_keep();
}

static void run(uint64_t seed, void (*world)(void))
{
    uint64_t trace = sim.trace;
    char where[sizeof sim.where];
    memcpy(where, sim.where, sizeof where);
    sim = (struct sim){.seed = seed, .trace = trace, .now_us = INT64_C(1539000000) * US_SECOND};
    memcpy(sim.where, where, sizeof where);
    rng_seed(&sim.rng, seed);
    rng_seed(&ids, seed ^ UINT64_C(0x9E3779B97F4A7C15));
    for (unsigned i = 0; i < FAULT_MAX; i++)
        if (rng_chance(&sim.rng, 0.5))
            sim.rate[i] = rng_unit(&sim.rng) * most[i];
    /* Any hour; a third of the runs go over midnight of UTC, which is in the middle of a day of China. */
    sim.now_us += rng_chance(&sim.rng, 0.3) ? 12 * US_HOUR - rng_between(&sim.rng, 1, 12 * US_MINUTE)
                                            : rng_between(&sim.rng, 0, US_DAY);
    disk_reset();
    sim_open();
    world();
    db_close(sim.db);
    sim.db = NULL;
    sim_trace("end, %" PRIu64 " commits", sim.commits);
}

/* Every kind of request with its outcomes; how many stand under 1 % of their kind, and not by chance. */
static unsigned print_counts(void)
{
    unsigned rare = 0;
    for (unsigned i = 0; i < OUT_MAX; i++) {
        uint64_t all = 0;
        for (unsigned k = 0; k < OUT_MAX; k++)
            all += strcmp(outcome_names[k].kind, outcome_names[i].kind) == 0 ? sim_counts[k] : 0;
        double share = all ? 100.0 * (double)sim_counts[i] / (double)all : 0;
        double least = 0.01 * (double)all; /* less two standard deviations: few seeds are a small sample */
        bool is_rare = !all || (double)sim_counts[i] < least - 2 * sqrt(least);
        rare += is_rare;
        (void)printf("  %-14s %-18s %9" PRIu64 "  %5.1f %%%s\n", outcome_names[i].kind, outcome_names[i].name, sim_counts[i],
                     share, is_rare ? "  under 1 %" : "");
    }
    return rare;
}

static uint64_t number(const char *text, uint64_t other)
{
    int64_t n;
    return text && *text && num_i64(slice_str(text), 0, INT64_MAX, &n) == KEER_OK ? (uint64_t)n : other;
}

/* sim [SEED [SEEDS [loud|rare]]]: `rare`: what was met seldom is no failure, for few seeds. */
int main(int argc, char **argv)
{
    uint64_t first = number(argc > 1 ? argv[1] : NULL, 1), seeds = number(argc > 2 ? argv[2] : NULL, 1);
    sim_loud = argc > 3 && strcmp(argv[3], "loud") == 0;
    bool rare_is_fine = argc > 3 || seeds < 50;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder - 8, "%s/keer-sim-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (randombytes_set_implementation(&randoms) != 0 || crypto_start() != KEER_OK || !mkdtemp(folder))
        return 2;
    (void)snprintf(sim.where, sizeof sim.where, "%.*s/k.db", (int)sizeof sim.where - 8, folder);
    (void)snprintf(lock, sizeof lock, "%s.lock", sim.where);
    (void)signal(SIGABRT, aborted);
    (void)signal(SIGINT, ended);
    (void)signal(SIGTERM, ended);
    make_image();
    for (uint64_t i = 0; i < seeds; i++)
        run(first + i, (first + i) % 4 ? world_run : books_run);
    leave();
    unsigned rare = print_counts();
    (void)printf("%s - sim: seeds %" PRIu64 " to %" PRIu64 ", trace %016" PRIx64 "%s\n",
                 rare && !rare_is_fine ? "not ok" : "ok", first, first + seeds - 1, sim.trace,
                 rare && !rare_is_fine ? ", some outcomes are met in less than 1 % of their kind" : "");
    return rare && !rare_is_fine;
}
