/* keeper.c - keeps the decider's snapshot. */
#include "flow/keeper.h"

#include <pthread.h>
#include <sys/resource.h>

#include "flow/redecide.h"
#include "store/policies.h"

#define KEEPER_NICE 10 /* deciding comes first */

struct keeper {
    struct keeper_options o;
    pthread_t thread;
    bool running;
    bool differs;              /* a renewal found a difference; the thread's, then keeper_write's */
    atomic_bool stop, give_up; /* give_up: the renewal that is under way */
    pthread_mutex_t lock;
    pthread_cond_t told;
    /* with lock */
    struct snapshot_kind kind; /* of the version that decides */
    unsigned turns;            /* how often that changed */
    int64_t committed;
    int64_t begun_from; /* the row of the last attempt; -1 = not loaded yet */
    int64_t written;    /* the row of the file, 0 = not known, or of another version */
};

enum keer_err keeper_new(const struct keeper_options *o, struct keeper **ret_keeper)
{
    *ret_keeper = NULL;
    atomic_store(&o->stats->state, o->path ? SNAPSHOT_PENDING : SNAPSHOT_OFF);
    if (!o->path)
        return KEER_OK;
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return KEER_ENOMEM;
    k->o = *o;
    k->kind = o->kind;
    k->begun_from = -1;
    (void)pthread_mutex_init(&k->lock, NULL); /* these don't fail on Linux */
    (void)pthread_cond_init(&k->told, NULL);
    *ret_keeper = k;
    return KEER_OK;
}

/* --- the start --- */

static void tell_start(struct keeper *k, enum snapshot_state state, const char *why, int64_t seq, int64_t us)
{
    atomic_store(&k->o.stats->loaded_seq, (uint64_t)seq);
    atomic_store(&k->o.stats->state, (int)state);
    if (state == SNAPSHOT_USED)
        log_put(k->o.log, LOG_INFO, "snapshot %s is used: windows up to row %lld, loaded in %lld ms", k->o.path,
                (long long)seq, (long long)(us / 1000));
    else if (state == SNAPSHOT_NONE)
        log_put(k->o.log, LOG_INFO, "there is no snapshot %s: the windows are rebuilt from the journal", k->o.path);
    else
        log_put(k->o.log, LOG_WARNING, "snapshot %s is refused: %s%s%s; the windows are rebuilt from the journal", k->o.path,
                snapshot_text(state), why[0] ? ": " : "", why);
}

/* A new engine with what the file holds, when all of it fits. */
static enum snapshot_state take(const struct keeper *k, const struct snapshot_kind *kind, struct journal *j,
                                struct keer_engine **ret_engine, struct seen *seen, int64_t *ret_seq,
                                struct snapshot_why *why)
{
    struct snapshot s = {0};
    enum snapshot_state state = snapshot_read(k->o.path, kind, &s, why);
    if (state == SNAPSHOT_USED)
        state = snapshot_fits(&s, j);
    if (state == SNAPSHOT_UNREADABLE && !why->text[0])
        (void)snprintf(why->text, sizeof why->text, "%s", db_why(j->db));
    if (state == SNAPSHOT_USED)
        state = snapshot_load(&s, kind, ret_engine, seen);
    if (state == SNAPSHOT_USED)
        *ret_seq = s.header.seq;
    snapshot_release(&s);
    return state;
}

int64_t keeper_load(struct keeper *k, struct journal *j, struct keer_engine **engine, struct seen *seen)
{
    struct snapshot_why why;
    struct keer_engine *loaded = NULL;
    int64_t seq = 0;
    if (!k)
        return 0;
    int64_t begun = k->o.now_us();
    enum snapshot_state state = take(k, &k->kind, j, &loaded, seen, &seq, &why);
    if (state == SNAPSHOT_USED) {
        keer_engine_free(*engine);
        *engine = loaded;
    }
    tell_start(k, state, why.text, seq, k->o.now_us() - begun);
    (void)pthread_mutex_lock(&k->lock);
    k->begun_from = k->written = seq;
    (void)pthread_mutex_unlock(&k->lock);
    return seq;
}

/* --- writing --- */

/* What is to be written: an engine and ids after row `upto`, by a version that decided when it was begun. */
struct renewal {
    struct keeper *k;
    struct snapshot_kind kind;
    unsigned turns;
    int64_t upto, begun_us;
    /* a renewal's own */
    struct db *db;
    struct journal j;
    struct keer_engine *engine;
    struct seen seen;
    int64_t policy, from;
};

static void write_state(const struct renewal *r, struct journal *j, const struct keer_engine *engine,
                        const struct seen *seen)
{
    struct keeper *k = r->k;
    struct snapshot_stats *stats = k->o.stats;
    struct snapshot_why why;
    uint64_t bytes = 0;
    enum keer_err err = snapshot_write(k->o.path, &r->kind, j, engine, seen, r->upto, &bytes, &why);
    if (err != KEER_OK) {
        (void)atomic_fetch_add(&stats->failures, 1);
        log_put(k->o.log, LOG_WARNING, "snapshot up to row %lld could not be written: %s", (long long)r->upto, why.text);
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    k->written = r->turns == k->turns ? r->upto : 0; /* another version decides meanwhile: the file is of no use to it */
    (void)pthread_mutex_unlock(&k->lock);
    uint64_t ms = (uint64_t)(k->o.now_us() - r->begun_us) / 1000;
    atomic_store(&stats->seq, (uint64_t)r->upto);
    atomic_store(&stats->bytes, bytes);
    atomic_store(&stats->ms, ms);
    (void)atomic_fetch_add(&stats->written, 1);
    log_put(k->o.log, LOG_INFO, "snapshot %s is written: up to row %lld, %llu bytes, %llu ms", k->o.path, (long long)r->upto,
            (unsigned long long)bytes, (unsigned long long)ms);
}

void keeper_write(struct keeper *k, struct journal *j, const struct keer_engine *engine, const struct seen *seen,
                  int64_t seq)
{
    if (!k || k->differs || seq <= k->written)
        return;
    struct renewal r = {.k = k, .kind = k->kind, .turns = k->turns, .upto = seq, .begun_us = k->o.now_us()};
    write_state(&r, j, engine, seen);
}

/* --- while events are decided --- */

static void remember_id(void *ctx, const struct journal_entry *e)
{
    struct renewal *r = ctx;
    seen_add(&r->seen, hash_bytes(r->kind.policy->schema.key, e->id.p, e->id.len));
}

static enum keer_err renewal_open(struct renewal *r, struct db_why *why)
{
    const struct keeper_options *o = &r->k->o;
    struct snapshot_why ignored; /* a file that is refused is written anew */
    enum keer_err err = db_open(o->database, DB_READ, &r->db, why);
    if (err != KEER_OK)
        return err;
    err = journal_open(&r->j, r->db);
    if (err == KEER_OK)
        err = policies_number(r->db, &r->kind.policy_hash, &r->policy);
    if (err == KEER_OK)
        err = seen_init(&r->seen);
    if (err == KEER_OK && take(r->k, &r->kind, &r->j, &r->engine, &r->seen, &r->from, &ignored) != SNAPSHOT_USED)
        err = keer_engine_new(r->kind.policy, &r->kind.limits, &r->engine);
    if (err != KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "%s", err == KEER_EIO ? db_why(r->db) : keer_err_text(err));
    return err;
}

static void renewal_close(struct renewal *r)
{
    keer_engine_free(r->engine);
    seen_release(&r->seen);
    journal_close(&r->j);
    db_close(r->db);
}

static void tell_failure(struct keeper *k, int64_t upto, uint64_t differences, const char *why)
{
    (void)atomic_fetch_add(&k->o.stats->failures, 1);
    if (differences)
        log_put(k->o.log, LOG_ERROR,
                "rows up to %lld decided again: %llu differences; no snapshot is written any more, `keer verify` tells more",
                (long long)upto, (unsigned long long)differences);
    else
        log_put(k->o.log, LOG_WARNING, "snapshot up to row %lld could not be made: %s", (long long)upto, why);
}

/* One snapshot of the rows up to `upto`; false when there must be no more of them. */
static bool renew(struct renewal *r)
{
    struct keeper *k = r->k;
    struct redecide_result result = {0};
    struct db_why why = {""};
    enum keer_err err = renewal_open(r, &why);
    if (err == KEER_OK) {
        struct redecide again = {.journal = &r->j,
                                 .engine = r->engine,
                                 .policy = r->policy,
                                 .after = r->from,
                                 .upto = r->upto,
                                 .each = remember_id,
                                 .stop = &k->give_up,
                                 .ctx = r};
        err = redecide_all(&again, &result);
        (void)snprintf(why.text, sizeof why.text, "%.300s", err == KEER_EIO ? db_why(r->db) : keer_err_text(err));
    }
    bool given_up = atomic_load(&k->give_up);
    if (err == KEER_OK && !result.differences && result.last_seq == r->upto && !given_up)
        write_state(r, &r->j, r->engine, &r->seen);
    else if (err != KEER_OK || result.differences || !given_up)
        tell_failure(k, r->upto, result.differences, err != KEER_OK ? why.text : "rows are missing");
    renewal_close(r);
    return !result.differences;
}

/* What the next snapshot is to hold; false at the end. */
static bool next_renewal(struct keeper *k, struct renewal *ret)
{
    (void)pthread_mutex_lock(&k->lock);
    while (!atomic_load(&k->stop) &&
           (k->begun_from < 0 || k->committed < k->begun_from || (uint64_t)(k->committed - k->begun_from) < k->o.every))
        (void)pthread_cond_wait(&k->told, &k->lock);
    bool more = !atomic_load(&k->stop);
    if (more) {
        k->begun_from = k->committed;
        atomic_store(&k->give_up, false); /* with the lock: a turn or a stop that comes later sets it again */
        *ret = (struct renewal){.k = k, .kind = k->kind, .turns = k->turns, .upto = k->committed, .begun_us = k->o.now_us()};
    }
    (void)pthread_mutex_unlock(&k->lock);
    return more;
}

static void *keeper_main(void *ctx)
{
    struct keeper *k = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-snapshot");
    (void)setpriority(PRIO_PROCESS, 0, KEEPER_NICE); /* on Linux 0 is this thread alone; the sandbox allows no other */
    for (struct renewal r; next_renewal(k, &r);)
        if (!renew(&r)) {
            k->differs = true; /* read when this thread has ended */
            break;
        }
    return NULL;
}

enum keer_err keeper_start(struct keeper *k)
{
    if (!k || !k->o.every)
        return KEER_OK;
    if (pthread_create(&k->thread, NULL, keeper_main, k) != 0)
        return KEER_ENOMEM;
    k->running = true;
    return KEER_OK;
}

void keeper_committed(struct keeper *k, int64_t seq)
{
    if (!k || !k->o.every)
        return;
    (void)pthread_mutex_lock(&k->lock);
    k->committed = seq;
    if (k->begun_from >= 0 && seq - k->begun_from >= 0 && (uint64_t)(seq - k->begun_from) >= k->o.every)
        (void)pthread_cond_signal(&k->told);
    (void)pthread_mutex_unlock(&k->lock);
}

void keeper_turn(struct keeper *k, const struct keer_policy *policy, const struct crypto_hash *hash)
{
    if (!k)
        return;
    (void)pthread_mutex_lock(&k->lock);
    k->kind.policy = policy;
    k->kind.policy_hash = *hash;
    k->turns++;
    k->written = 0;
    atomic_store(&k->give_up, true);
    (void)pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
    if (!k || !k->running)
        return;
    (void)pthread_mutex_lock(&k->lock);
    atomic_store(&k->stop, true);
    atomic_store(&k->give_up, true);
    (void)pthread_cond_signal(&k->told);
    (void)pthread_mutex_unlock(&k->lock);
    (void)pthread_join(k->thread, NULL);
    k->running = false;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    keeper_stop(k);
    free(k);
}
