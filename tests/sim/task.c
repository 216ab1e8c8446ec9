/* task.c - the lines of code of desk workers, on stacks of their own: between any two steps of one another may go on.
 *
 *     task_start ─► runs until desk_write, desk_read, desk_decide or a wallet's network ─► task_pause ─► (others) ─► goes on
 *
 * What flow/ calls of the desk is here instead of flow/desk.c (--wrap): a write is the function in a transaction on the one
 * connection, as the writer thread does it. When the process has crashed every call fails, so that each line runs to its end
 * and lets go what it holds.
 */
#include <ucontext.h>

#include "flow/desk.h"
#include "sim/world.h"

#define STACK_BYTES (512u * 1024)

struct task {
    ucontext_t context;
    void *stack;
    void (*run)(void *ctx);
    void *ctx;
    bool busy, ended;
};
static struct task tasks[TASKS_MAX];
static ucontext_t scheduler;
static struct task *current;

enum keer_err __wrap_desk_write(struct desk_worker *w, desk_fn *run, void *ctx);
enum keer_err __wrap_desk_read(struct desk_worker *w, desk_fn *run, void *ctx);
enum keer_err __wrap_desk_decide(struct desk_worker *w, const struct desk_event *e, struct desk_decision *ret);
enum keer_err __wrap_desk_decide_text(struct desk_worker *w, struct slice event, struct desk_decision *ret);
int64_t __wrap_desk_wall_us(const struct desk_worker *w);
const struct log *__wrap_desk_log(const struct desk_worker *w);

static void begin(void)
{
    current->run(current->ctx);
    current->ended = true;
    (void)swapcontext(&current->context, &scheduler);
}

static void go_on(struct task *t)
{
    current = t;
    (void)swapcontext(&scheduler, &t->context);
    current = NULL;
    if (t->ended)
        t->busy = t->ended = false;
}

static void make(struct task *t)
{
    (void)getcontext(&t->context);
    t->context.uc_stack.ss_sp = t->stack;
    t->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&t->context, begin, 0);
}

bool task_start(void (*run)(void *ctx), void *ctx)
{
    for (struct task *t = tasks; t < tasks + TASKS_MAX; t++) {
        if (t->busy)
            continue;
        if (!t->stack && !(t->stack = malloc(STACK_BYTES)))
            abort();
        void *stack = t->stack;
        *t = (struct task){.stack = stack, .run = run, .ctx = ctx, .busy = true};
        make(t);
        go_on(t);
        return true;
    }
    return false;
}

void task_pause(void)
{
    if (current && !sim.dead)
        (void)swapcontext(&current->context, &scheduler);
}

unsigned task_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++)
        n += tasks[i].busy;
    return n;
}

bool task_step(void)
{
    unsigned n = task_count();
    if (!n)
        return false;
    uint64_t which = rng_below(&sim.rng, n);
    for (unsigned i = 0; i < TASKS_MAX; i++)
        if (tasks[i].busy && which-- == 0) {
            go_on(&tasks[i]);
            break;
        }
    return true;
}

void task_unwind(void)
{
    SIM_CHECK(0, sim.dead && !current, "unwound alive");
    for (unsigned i = 0; i < TASKS_MAX; i++)
        while (tasks[i].busy)
            go_on(&tasks[i]);
}

/* --- the desk --- */

/* A transaction may meet a fault of a statement, which rolls it back, or of its commit or of the disk, which end the
 * process. */
static void arm(void)
{
    if (sim_chance(FAULT_STATEMENT))
        sim_arm(database_fail, 40);
    else if (sim_chance(FAULT_DISK))
        sim_arm(disk_fail, 12);
}

enum keer_err __wrap_desk_write(struct desk_worker *w, desk_fn *run, void *ctx)
{
    UNUSED(w);
    task_pause();
    if (sim.dead)
        return KEER_EUNSUPPORTED;
    arm();
    enum keer_err err = db_begin(sim.db);
    if (err == KEER_OK) {
        err = run(sim.db, ctx);
        enum db_outcome outcome = err == KEER_OK ? db_commit(sim.db) : DB_NOT_COMMITTED;
        db_rollback(sim.db);
        if (outcome == DB_UNKNOWN)
            world_die();
        if (err == KEER_OK && outcome != DB_COMMITTED)
            err = KEER_EIO;
    }
    sim_count(sim.dead ? OUT_write_unknown : err == KEER_EIO ? OUT_write_failed : OUT_write_committed);
    database_fail(0, false);
    disk_fail(0, false);
    if (err == KEER_OK)
        world_committed();
    if (!sim.dead)
        task_pause();
    return sim.dead ? KEER_EUNSUPPORTED : err; /* a process that has ended since got no answer */
}

enum keer_err __wrap_desk_read(struct desk_worker *w, desk_fn *run, void *ctx)
{
    UNUSED(w);
    task_pause();
    return sim.dead ? KEER_EUNSUPPORTED : run(sim.db, ctx);
}

enum keer_err __wrap_desk_decide_text(struct desk_worker *w, struct slice event, struct desk_decision *ret)
{
    UNUSED(w);
    task_pause();
    if (sim.dead)
        return KEER_EUNSUPPORTED;
    enum keer_err err = decide_text(event, ret);
    task_pause();
    if (!sim.dead)
        return err;
    if (err == KEER_OK)
        buf_release(&ret->answer);
    return KEER_EUNSUPPORTED;
}
enum keer_err __wrap_desk_decide(struct desk_worker *w, const struct desk_event *e, struct desk_decision *ret)
{
    struct buf body;
    buf_init(&body, LIMIT_LINE_BYTES);
    desk_event_print(e, sim.now_us, &body);
    enum keer_err err = body.err != KEER_OK ? body.err : __wrap_desk_decide_text(w, buf_view(&body), ret);
    buf_release(&body);
    return err;
}

int64_t __wrap_desk_wall_us(const struct desk_worker *w)
{
    UNUSED(w);
    return sim.now_us;
}
const struct log *__wrap_desk_log(const struct desk_worker *w)
{
    UNUSED(w);
    return NULL;
}
