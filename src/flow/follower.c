/* follower.c - another version of the policy beside the one that decides. */
#include "flow/follower.h"

#include <pthread.h>
#include <time.h>

#include "flow/decider.h"
#include "flow/redecide.h"
#include "flow/verdict.h"

#define NAP_US 2000
#define STORED_AT_ONCE 256u
#define NOWHERE INT64_MAX

struct follower {
    struct follower_options o;
    atomic_int state;
    atomic_bool stop;
    atomic_int_fast64_t seq, end_at; /* end_at: a row to stop after */
    struct db *db;
    struct journal journal;
    struct keer_engine *engine;
    pthread_t thread;
    pthread_mutex_t lock; /* of comparison */
    struct comparison comparison;
    /* What goes to the table of shadows, a batch at a time; the thread's until it is handed over, then the task's until
     * done. */
    struct buf text;
    struct stored {
        int64_t seq;
        size_t at, len;
    } stored[STORED_AT_ONCE];
    unsigned stored_count;
    struct write_task task;
    atomic_bool writing;
};

static const char *const words[] = {"building", "following", "ended", "failed"};
const char *follower_state_name(enum follower_state s) { return words[s]; }
enum follower_state follower_state(const struct follower *f) { return (enum follower_state)atomic_load(&f->state); }
const struct follower_options *follower_about(const struct follower *f) { return &f->o; }
int64_t follower_seq(const struct follower *f) { return atomic_load(&f->seq); }

static void nap(void)
{
    struct timespec t = {.tv_nsec = NAP_US * 1000L};
    (void)nanosleep(&t, NULL);
}

/* --- comparing --- */

/* The outcome in the text of a decision, which verdict_print wrote: inside of a string a quote has a backslash before it, so
 * that the key is found nowhere else. */
static enum keer_outcome outcome_of(struct slice decision)
{
    static const char key[] = ",\"outcome\":\"";
    const char *at = decision.len ? memmem(decision.p, decision.len, key, sizeof key - 1) : NULL;
    struct slice rest = {NULL, 0};
    if (at)
        rest = slice_of(at + sizeof key - 1, decision.len - (size_t)(at - decision.p) - (sizeof key - 1));
    struct slice word = slice_cut(&rest, '"');
    for (unsigned o = 0; o < KEER_OUTCOME_MAX; o++)
        if (slice_eq(word, slice_str(keer_outcome_name((enum keer_outcome)o))))
            return (enum keer_outcome)o;
    return KEER_OUTCOME_MAX;
}

static void compare(struct follower *f, const struct journal_entry *e, enum keer_outcome is)
{
    enum keer_outcome was = outcome_of(e->decision);
    if (was == KEER_OUTCOME_MAX || e->decided_us < f->o.since_us)
        return;
    (void)pthread_mutex_lock(&f->lock);
    struct comparison *c = &f->comparison;
    c->events++;
    c->sides[was][is]++;
    if (was != is) {
        struct follower_change *x = &c->example[c->examples++ % FOLLOWER_EXAMPLES];
        size_t n = MIN_OF(e->id.len, sizeof x->id - 1);
        *x = (struct follower_change){.was = was, .is = is};
        if (n)
            memcpy(x->id, e->id.p, n);
        c->changed++;
    }
    (void)pthread_mutex_unlock(&f->lock);
}

void follower_compare(struct follower *f, struct comparison *ret_comparison)
{
    (void)pthread_mutex_lock(&f->lock);
    *ret_comparison = f->comparison;
    (void)pthread_mutex_unlock(&f->lock);
}

/* --- storing --- */

static enum keer_err store_run(struct db *db, struct write_task *t)
{
    const struct follower *f = t->ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < f->stored_count; i++)
        err =
            shadow_add(db, f->o.version->number, f->stored[i].seq, slice_of(f->text.p + f->stored[i].at, f->stored[i].len));
    return err;
}

static void store_done(struct write_task *t, enum keer_err err)
{
    struct follower *f = t->ctx;
    if (err != KEER_OK)
        log_put(f->o.log, LOG_WARNING, "what the shadow decided was not stored: %s", keer_err_text(err));
    atomic_store(&f->writing, false);
}

/* Hands over what has gathered, after the batch before it. */
static void store(struct follower *f)
{
    if (!f->stored_count)
        return;
    f->task = (struct write_task){.run = store_run, .done = store_done, .ctx = f};
    atomic_store(&f->writing, true);
    if (decider_write(f->o.decider, &f->task) != KEER_OK)
        atomic_store(&f->writing, false);
    while (atomic_load(&f->writing))
        nap();
    f->stored_count = 0;
    buf_clear(&f->text);
}

static enum keer_err on_decided(void *ctx, const struct journal_entry *e, const struct keer_decision *d,
                                struct slice verdict)
{
    struct follower *f = ctx;
    compare(f, e, d->outcome);
    if (f->o.once || follower_state(f) != FOLLOWER_FOLLOWING)
        return KEER_OK;
    f->stored[f->stored_count++] = (struct stored){e->seq, f->text.len, verdict.len};
    buf_slice(&f->text, verdict);
    return f->text.err;
}

/* --- its thread --- */

static bool goes_on(const struct follower *f, int64_t seq)
{
    return !atomic_load(&f->stop) && seq < atomic_load(&f->end_at);
}

static enum keer_err follow(struct follower *f, struct redecide_run *run, struct redecide_result *result)
{
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && goes_on(f, result->last_seq)) {
        bool more = result->last_seq < decider_committed(f->o.decider);
        err = more ? redecide_step(run) : KEER_EMISSING;
        if (err == KEER_OK)
            atomic_store(&f->seq, result->last_seq);
        if (err == KEER_EMISSING && more) { /* the end of an older snapshot */
            err = KEER_OK;
        } else if (err == KEER_EMISSING) {
            err = KEER_OK;
            if (f->o.once)
                break;
            if (follower_state(f) == FOLLOWER_BUILDING) {
                atomic_store(&f->state, FOLLOWER_FOLLOWING);
                log_put(f->o.log, LOG_INFO, "policy %lld follows in shadow from row %lld on",
                        (long long)f->o.version->number, (long long)result->last_seq);
                if (f->o.promote)
                    decider_promote_when_ready(f->o.decider, f->o.version->number);
            }
            store(f);
            nap();
        } else if (f->stored_count == STORED_AT_ONCE) {
            store(f);
        }
    }
    store(f);
    return err;
}

static void *follower_main(void *ctx)
{
    struct follower *f = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-follow");
    struct redecide r = {
        .journal = &f->journal, .engine = f->engine, .policy = f->o.version->number, .decided = on_decided, .ctx = f};
    struct redecide_result result = {.last_seq = f->o.seq};
    struct redecide_run *run = NULL;
    enum keer_err err = redecide_open(&r, &result, &run);
    if (err == KEER_OK)
        err = follow(f, run, &result);
    redecide_close(run);
    if (err != KEER_OK)
        log_put(f->o.log, LOG_ERROR, "policy %lld does not follow any more: %s", (long long)f->o.version->number,
                err == KEER_EIO ? db_why(f->db) : keer_err_text(err));
    bool asked = atomic_load(&f->stop) || atomic_load(&f->end_at) != NOWHERE;
    atomic_store(&f->state, err == KEER_OK ? FOLLOWER_ENDED : FOLLOWER_FAILED);
    if (!asked && f->o.ended)
        f->o.ended(f->o.ctx);
    return NULL;
}

/* --- life --- */

enum keer_err follower_start(const struct follower_options *o, struct follower **ret_follower, struct db_why *ret_why)
{
    struct keer_engine_options limits = {.memory_max = o->memory_max};
    struct follower *f = calloc(1, sizeof *f);
    enum keer_err err = f ? KEER_OK : KEER_ENOMEM;
    if (err == KEER_OK) {
        f->o = *o;
        f->engine = o->engine;
        atomic_store(&f->seq, o->seq);
        atomic_store(&f->end_at, NOWHERE);
        atomic_store(&f->state, o->engine ? FOLLOWER_FOLLOWING : FOLLOWER_BUILDING);
        buf_init(&f->text, (size_t)STORED_AT_ONCE * VERDICT_BYTES);
        (void)pthread_mutex_init(&f->lock, NULL);
        err = db_open(o->database, DB_READ, &f->db, ret_why);
    }
    if (err == KEER_OK)
        err = journal_open(&f->journal, f->db);
    if (err == KEER_OK && !f->engine)
        err = keer_engine_new(o->version->policy, &limits, &f->engine);
    if (err == KEER_OK && pthread_create(&f->thread, NULL, follower_main, f) != 0)
        err = KEER_ENOMEM;
    if (err == KEER_OK) {
        *ret_follower = f;
        return KEER_OK;
    }
    (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(err));
    if (f) {
        journal_close(&f->journal);
        db_close(f->db);
        if (!o->engine)
            keer_engine_free(f->engine);
        free(f);
    }
    return err;
}

static void end_thread(struct follower *f)
{
    (void)pthread_join(f->thread, NULL);
    journal_close(&f->journal);
    db_close(f->db);
    f->db = NULL;
}

void follower_free(struct follower *f)
{
    if (!f)
        return;
    atomic_store(&f->stop, true);
    if (f->db)
        end_thread(f);
    keer_engine_free(f->engine);
    buf_release(&f->text);
    free(f);
}

enum keer_err follower_take(struct follower *f, int64_t seq, int64_t wait_us, struct keer_engine **ret_engine)
{
    if (follower_state(f) != FOLLOWER_FOLLOWING)
        return follower_state(f) == FOLLOWER_FAILED ? KEER_EIO : KEER_EFULL;
    atomic_store(&f->end_at, seq);
    for (int64_t waited = 0; waited < wait_us && follower_state(f) == FOLLOWER_FOLLOWING; waited += NAP_US)
        nap();
    int64_t never = seq;
    if (follower_state(f) == FOLLOWER_FOLLOWING && atomic_compare_exchange_strong(&f->end_at, &never, NOWHERE)) {
        if (follower_state(f) == FOLLOWER_FOLLOWING)
            return KEER_EFULL; /* it goes on; should it have ended in between, it counts as ended */
    }
    end_thread(f);
    if (follower_state(f) != FOLLOWER_ENDED || follower_seq(f) != seq)
        return KEER_EIO;
    *ret_engine = f->engine;
    f->engine = NULL;
    return KEER_OK;
}
