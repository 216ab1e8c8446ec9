/* decider.c - one engine thread, one writer thread, an answer after the commit. */
#include <time.h>

#include "base/hash.h"
#include "core/recall.h"
#include "flow/decider_inside.h"
#include "flow/redecide.h"
#include "flow/verdict.h"
#include "store/secrets.h"

#define FORESEEN 8
#define SAW_KEPT 250   /* bytes of what the windows told that are reserved, and a few times that are kept */
#define HAND_ON_MAX 16 /* decisions: worth a commit, and the writer works while the rest of the wave is decided */

/* --- the end of a request --- */

static void finish(struct decider *d, struct decide_request *r, enum decide_result result)
{
    r->result = result;
    switch (result) {
    case DECIDE_NEW: break;
    case DECIDE_STORED: (void)atomic_fetch_add(&d->stats.stored, 1); break;
    case DECIDE_CONFLICT: (void)atomic_fetch_add(&d->stats.conflicts, 1); break;
    case DECIDE_NO_TARGET: break;
    case DECIDE_UNKNOWN:
    case DECIDE_NO_MEMORY: (void)atomic_fetch_add(&d->stats.unknown, 1); break;
    }
    histogram_add(&d->stats.latency, d->o.now_us() - r->begun_us);
    r->done(r);                                   /* r may be gone afterwards */
    (void)atomic_fetch_sub(&d->stats.waiting, 1); /* last: who sees 0 may end what `done` uses */
}

void decider_fail(struct decider *d, const char *what, const char *why)
{
    int was = atomic_exchange(&d->state, DECIDER_FAILED);
    if (was == DECIDER_FAILED)
        return;
    log_put(d->o.log, LOG_ERROR, "%s: %s; nothing is decided any more", what, why);
    if (d->o.failed)
        d->o.failed(d->o.ctx);
}

static void pending_free(struct pending *p)
{
    buf_release(&p->saw);
    free(p);
}

/* One that was used before, or a new one; NULL without memory. Memory goes round between engine and writer, since what one
 * thread takes from malloc and another gives back costs both more than the decision's own arithmetic. */
static struct pending *pending_new(struct decider *d)
{
    struct pending *p = d->spare;
    if (p) {
        d->spare = p->next;
        *p = (struct pending){.saw = p->saw};
        buf_clear(&p->saw);
    } else if ((p = calloc(1, sizeof *p)) != NULL) {
        buf_init(&p->saw, RECALL_BYTES);
    }
    if (p && !buf_reserve(&p->saw, SAW_KEPT)) {
        pending_free(p);
        p = NULL;
    }
    return p;
}

static void pendings_free(struct pending *list)
{
    for (struct pending *next; list; list = next) {
        next = list->next;
        pending_free(list);
    }
}

/* --- in flight --- */

static struct pending **cell_of(struct decider *d, const struct keer_event *ev)
{
    return &d->flight[ev->id_hash.lo & (d->cells - 1)];
}

/* What is under way with an id; with flight_lock. */
static struct pending *in_flight(const struct decider *d, struct hash128 hash, struct slice id)
{
    struct pending *p = d->flight[hash.lo & (d->cells - 1)];
    while (p && !slice_eq(p->first->event->id, id))
        p = p->chain;
    return p;
}

/* Joins the event of the same id that is under way; false when there is none. */
static bool join(struct decider *d, struct decide_request *r)
{
    (void)pthread_mutex_lock(&d->flight_lock);
    struct pending *p = in_flight(d, r->event->id_hash, r->event->id);
    if (p) {
        r->next = p->others;
        p->others = r;
    }
    (void)pthread_mutex_unlock(&d->flight_lock);
    return p != NULL;
}

static void take_off(struct decider *d, struct pending *batch)
{
    (void)pthread_mutex_lock(&d->flight_lock);
    for (; batch; batch = batch->next) {
        struct pending **at = cell_of(d, batch->first->event);
        while (*at != batch)
            at = &(*at)->chain;
        *at = batch->chain;
    }
    (void)pthread_mutex_unlock(&d->flight_lock);
}

/* --- the engine's thread --- */

/* Answers from the journal; false when the id is not there. */
static bool answer_stored(struct decider *d, struct decide_request *r)
{
    struct journal_entry e;
    if (!seen_maybe(&d->seen, r->event->id_hash))
        return false;
    enum keer_err err = journal_find(&d->engine_journal, r->event->id, &e);
    enum decide_result result = DECIDE_NO_MEMORY;
    if (err == KEER_OK && !crypto_hash_eq(&e.body_hash, &r->body_hash)) {
        result = DECIDE_CONFLICT;
    } else if (err == KEER_OK) {
        buf_slice(&r->answer, e.decision);
        if (r->answer.err == KEER_OK)
            result = DECIDE_STORED;
    } else if (err != KEER_EMISSING) {
        result = DECIDE_UNKNOWN; /* nothing was decided: asking again is safe */
        log_put(d->o.log, LOG_ERROR, "journal: %s", db_why(d->engine_reader));
    }
    journal_done(&d->engine_journal);
    if (err == KEER_EMISSING)
        return false;
    finish(d, r, result);
    return true;
}

/* A label needs the event that it names: one that was decided, on disk or on its way there before the label. */
static bool refuse_target(struct decider *d, struct decide_request *r)
{
    struct journal_entry e;
    if (!r->target.p)
        return false;
    (void)pthread_mutex_lock(&d->flight_lock);
    bool there = in_flight(d, r->event->target, r->target) != NULL;
    (void)pthread_mutex_unlock(&d->flight_lock);
    if (there)
        return false;
    /* What has just left the table was committed before. */
    enum keer_err err =
        seen_maybe(&d->seen, r->event->target) ? journal_find(&d->engine_journal, r->target, &e) : KEER_EMISSING;
    journal_done(&d->engine_journal);
    if (err == KEER_OK)
        return false;
    if (err != KEER_EMISSING)
        log_put(d->o.log, LOG_ERROR, "journal: %s", db_why(d->engine_reader));
    finish(d, r, err == KEER_EMISSING ? DECIDE_NO_TARGET : DECIDE_UNKNOWN);
    return true;
}

/* What was made since the last time goes to the writer together: it would begin with the first alone, and the others would
 * wait for a commit of one row. */
static void hand_on(struct decider *d)
{
    if (!d->made)
        return;
    (void)pthread_mutex_lock(&d->decided_lock);
    bool was_empty = !d->decided;
    if (!d->spare) {
        d->spare = d->used;
        d->used = NULL;
    }
    *d->decided_end = d->made;
    d->decided_end = d->made_end;
    if (was_empty)
        (void)pthread_cond_signal(&d->decided_filled);
    (void)pthread_mutex_unlock(&d->decided_lock);
    d->made = NULL;
    d->made_end = &d->made;
    d->made_count = 0;
}

static void keep_made(struct decider *d, struct pending *p)
{
    (void)pthread_mutex_lock(&d->flight_lock);
    struct pending **cell = cell_of(d, p->first->event);
    p->chain = *cell;
    *cell = p;
    (void)pthread_mutex_unlock(&d->flight_lock);
    *d->made_end = p;
    d->made_end = &p->next;
    if (++d->made_count == HAND_ON_MAX)
        hand_on(d);
}

/* Another version decides since the request was read: its event is read for that one. False without memory, or when this
 * version can't read it: asked again, the caller is told why. */
static bool read_again(struct decider *d, struct decide_request *r)
{
    struct reading_error why;
    struct keer_event *ev;
    if (reading_event(d->reading, r->body, r->added, &ev, &why) != KEER_OK)
        return false;
    free(r->event);
    r->event = ev;
    return true;
}

static void decide_one(struct decider *d, struct decide_request *r)
{
    if (decider_failed(d)) {
        finish(d, r, DECIDE_UNKNOWN);
        return;
    }
    if (join(d, r) || answer_stored(d, r) || refuse_target(d, r))
        return;
    if (r->event->schema != &deciding(d)->policy->schema && !read_again(d, r)) {
        finish(d, r, DECIDE_NO_MEMORY);
        return;
    }
    struct pending *p = pending_new(d);
    if (!p || !buf_reserve(&r->answer, 500)) { /* the windows have not seen it yet */
        if (p)
            pending_free(p);
        finish(d, r, DECIDE_NO_MEMORY);
        return;
    }
    struct keer_decision decision;
    p->first = r;
    enum keer_err err = keer_engine_decide(d->engine, r->event, &decision);
    /* Without a ceiling a window is refused room by the system alone, and deciding the journal again would remember the
     * event. With one it is refused by the ceiling, the same way each time. */
    if (err == KEER_OK && (decision.degraded & KEER_DEGRADED_WINDOW) && !d->o.memory_max)
        err = KEER_ENOMEM;
    decision.degraded |= r->missing ? KEER_DEGRADED_INPUT : 0;
    if (err == KEER_OK)
        err = verdict_print(d->engine, r->event, &decision, &r->answer);
    if (err == KEER_OK)
        err = engine_record(d->engine, r->event, &decision, &p->saw);
    if (err != KEER_OK) { /* the windows may hold what the journal will not */
        decider_fail(d, "the engine", keer_err_text(err));
        pending_free(p);
        buf_clear(&r->answer);
        finish(d, r, DECIDE_UNKNOWN);
        return;
    }
    p->seq = ++d->seq;
    p->policy = deciding(d)->number;
    seen_add(&d->seen, r->event->id_hash);
    p->decided_us = d->decided_us = MAX_OF(d->decided_us, d->o.wall_us());
    p->outcome = decision.outcome;
    (void)atomic_fetch_add_explicit(&d->stats.degraded, decision.degraded != 0, memory_order_relaxed);
    keep_made(d, p);
}

/* What was read on another core, and the windows of accounts that come at random, are far away: fetched for some requests
 * together, their ways overlap. Returns how many of the list that were. */
static unsigned foresee(struct decider *d, const struct decide_request *list)
{
    const struct keer_event *events[FORESEEN];
    unsigned n = 0;
    for (; list && n < FORESEEN; list = list->next) {
        events[n++] = list->event;
        __builtin_prefetch(list->event);
        __builtin_prefetch((const char *)list->event + 64);
    }
    for (unsigned i = 0; i < n; i++) {
        seen_fetch(&d->seen, events[i]->id_hash);
        __builtin_prefetch(&d->flight[events[i]->id_hash.lo & (d->cells - 1)]);
    }
    engine_foresee(d->engine, events, n);
    return n;
}

static void tell_difference(void *ctx, const struct journal_entry *e, const char *what, struct slice now)
{
    struct decider *d = ctx;
    uint64_t n = atomic_fetch_add(&d->stats.differences, 1);
    if (n < 10)
        log_put(d->o.log, LOG_ERROR, "journal row %lld, event '%.*s': %s: %.*s", (long long)e->seq,
                (int)MIN_OF(e->id.len, 100u), e->id.p, what, (int)MIN_OF(now.len, 400u), now.p ? now.p : "");
}

static void remember_id(void *ctx, const struct journal_entry *e)
{
    struct decider *d = ctx;
    seen_add(&d->seen, hash_bytes(deciding(d)->policy->schema.key, e->id.p, e->id.len));
}

static enum keer_err last_decided(struct decider *d)
{
    struct journal_entry e;
    enum keer_err err = journal_last(&d->engine_journal, &e);
    if (err == KEER_OK)
        d->decided_us = e.decided_us;
    journal_done(&d->engine_journal);
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err rebuild(struct decider *d)
{
    struct redecide_result result;
    int64_t after = keeper_load(d->keeper, &d->engine_journal, &d->engine, &d->seen);
    struct redecide r = {.journal = &d->engine_journal,
                         .engine = d->engine,
                         .policy = deciding(d)->number,
                         .after = after,
                         .stop = &d->stop_rebuilding,
                         .each = remember_id,
                         .differs = tell_difference,
                         .ctx = d};
    int64_t begun = d->o.now_us();
    enum keer_err err = redecide_all(&r, &result);
    d->seq = result.last_seq;
    atomic_store(&d->committed, d->seq);
    if (err == KEER_OK)
        err = last_decided(d);
    atomic_store(&d->stats.rebuilt, result.events);
    atomic_store(&d->stats.compared, result.compared);
    if (err == KEER_OK)
        log_put(d->o.log, result.differences ? LOG_ERROR : LOG_INFO,
                "journal decided again from row %lld: %llu events, %llu compared, %llu differences, %lld ms",
                (long long)after + 1, (unsigned long long)result.events, (unsigned long long)result.compared,
                (unsigned long long)result.differences, (long long)((d->o.now_us() - begun) / 1000));
    if (err == KEER_OK)
        keeper_committed(d->keeper, d->seq);
    return err;
}

/* What was submitted, and promotions that wait; false when there is nothing and nothing will come. */
static bool next_requests(struct decider *d, struct decide_request **ret_list, struct promotion **ret_promotions)
{
    (void)pthread_mutex_lock(&d->submitted_lock);
    while (!d->submitted && !d->promotions && !d->submitted_closed)
        (void)pthread_cond_wait(&d->submitted_filled, &d->submitted_lock);
    struct decide_request *list = d->submitted;
    *ret_promotions = d->promotions;
    d->promotions = NULL;
    d->submitted = NULL;
    d->submitted_end = &d->submitted;
    (void)pthread_mutex_unlock(&d->submitted_lock);
    *ret_list = list;
    return list || *ret_promotions;
}

static void *engine_main(void *ctx)
{
    struct decider *d = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-engine");
    enum keer_err err = rebuild(d);
    if (err != KEER_OK)
        decider_fail(d, "the journal can't be decided again",
                     err == KEER_EIO ? db_why(d->engine_reader) : keer_err_text(err));
    int starting = DECIDER_STARTING;
    (void)atomic_compare_exchange_strong(&d->state, &starting, DECIDER_READY);
    struct promotion *promotions;
    for (struct decide_request *list; next_requests(d, &list, &promotions);) {
        promotions_run(d, promotions);
        for (unsigned known = 0; list; known--) {
            if (!known)
                known = foresee(d, list);
            struct decide_request *r = list;
            list = r->next;
            r->next = NULL;
            decide_one(d, r);
        }
        hand_on(d);
        struct win_stats windows;
        engine_stats(d->engine, &windows);
        atomic_store_explicit(&d->stats.windows_bytes, windows.bytes, memory_order_relaxed);
        atomic_store_explicit(&d->stats.entities, windows.entities, memory_order_relaxed);
    }
    return NULL;
}

/* --- the writer's thread --- */

/* Waits for something to write, at most a second: then the writer looks whether its connection is there still. */
static void await_work(struct decider *d)
{
    int64_t us = d->o.now_us() + US_SECOND;
    struct timespec until = {.tv_sec = us / US_SECOND, .tv_nsec = us % US_SECOND * 1000};
    if (pthread_cond_timedwait(&d->decided_filled, &d->decided_lock, &until) == 0 || decider_failed(d))
        return;
    if (!db_alive(d->writer))
        decider_fail(d, "the database is gone", db_why(d->writer));
}

/* At most batch_max of what is decided, and the tasks that wait; false when there is nothing and nothing will come. */
static bool next_batch(struct decider *d, struct pending **ret_batch, struct write_task **ret_tasks)
{
    (void)pthread_mutex_lock(&d->decided_lock);
    while (!d->decided && !d->tasks && !d->decided_closed)
        await_work(d);
    struct pending *batch = d->decided, *last = batch;
    *ret_tasks = d->tasks;
    d->tasks = NULL;
    d->tasks_end = &d->tasks;
    d->writer_ended = !batch && !*ret_tasks;
    bool any = !d->writer_ended;
    for (unsigned n = 1; last && last->next && n < d->o.batch_max; n++)
        last = last->next;
    if (last) {
        d->decided = last->next;
        last->next = NULL;
        if (!d->decided)
            d->decided_end = &d->decided;
    }
    (void)pthread_mutex_unlock(&d->decided_lock);
    *ret_batch = batch;
    return any;
}

static enum keer_err tell_write(struct decider *d, const struct pending *p)
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < d->observers; i++)
        if (d->observer[i].write)
            err = d->observer[i].write(d->observer[i].ctx, d->writer, p->seq, p->outcome, p->decided_us);
    return err;
}

static void tell_committed(struct decider *d, const struct pending *batch)
{
    uint32_t outcomes = 0;
    int64_t last = 0;
    for (; batch; batch = batch->next) {
        outcomes |= 1u << batch->outcome;
        last = batch->seq;
    }
    for (unsigned i = 0; i < d->observers; i++)
        if (d->observer[i].committed)
            d->observer[i].committed(d->observer[i].ctx, last, outcomes);
}

void decider_observe(struct decider *d, const struct decider_observer *o)
{
    ASSERT(d->observers < DECIDER_OBSERVERS_MAX && !d->threads);
    d->observer[d->observers++] = *o;
}

static struct journal_entry entry_of(const struct pending *p)
{
    return (struct journal_entry){.seq = p->seq,
                                  .id = p->first->event->id,
                                  .time_us = p->first->event->time_us,
                                  .decided_us = p->decided_us,
                                  .policy = p->policy,
                                  .body = p->first->body,
                                  .body_hash = p->first->body_hash,
                                  .added = p->first->added,
                                  .missing = p->first->missing,
                                  .decision = buf_view(&p->first->answer),
                                  .saw = buf_view(&p->saw)};
}

static enum keer_err write_rows(struct decider *d, const struct pending *batch, int64_t *ret_last)
{
    enum keer_err err = KEER_OK;
    for (const struct pending *p = batch; err == KEER_OK && p;) {
        struct journal_entry e[JOURNAL_TOGETHER];
        unsigned n = 0;
        const struct pending *from = p;
        for (; p && n < JOURNAL_TOGETHER; p = p->next)
            e[n++] = entry_of(p);
        *ret_last = e[n - 1].seq;
        err = journal_add_all(&d->journal, e, n);
        for (; err == KEER_OK && from != p; from = from->next)
            err = tell_write(d, from);
        (void)atomic_fetch_add_explicit(&d->stats.rows, n, memory_order_relaxed);
    }
    return err;
}

static enum db_outcome write_batch(struct decider *d, const struct pending *batch)
{
    int64_t last = 0;
    enum keer_err err = db_begin(d->writer);
    if (err == KEER_OK)
        err = write_rows(d, batch, &last);
    enum db_outcome outcome = err == KEER_OK ? db_commit(d->writer) : DB_NOT_COMMITTED;
    if (outcome == DB_COMMITTED) {
        atomic_store(&d->committed, last);
        keeper_committed(d->keeper, last);
    } else {
        decider_fail(d, outcome == DB_UNKNOWN ? "a commit ended unknown" : "a commit failed", db_why(d->writer));
    }
    db_rollback(d->writer);
    return outcome;
}

/* Answers everybody who waits for an event; on disk it is only when `committed`. */
static void answer(struct decider *d, struct pending *p, bool committed)
{
    for (struct decide_request *r = p->others, *next; r; r = next) {
        next = r->next;
        bool same = crypto_hash_eq(&r->body_hash, &p->first->body_hash);
        if (committed && same)
            buf_slice(&r->answer, buf_view(&p->first->answer));
        finish(d, r,
               !committed                 ? DECIDE_UNKNOWN
               : !same                    ? DECIDE_CONFLICT
               : r->answer.err != KEER_OK ? DECIDE_NO_MEMORY
                                          : DECIDE_STORED);
    }
    if (committed)
        (void)atomic_fetch_add_explicit(&d->stats.by_outcome[p->outcome], 1, memory_order_relaxed);
    else
        buf_clear(&p->first->answer);
    finish(d, p->first, committed ? DECIDE_NEW : DECIDE_UNKNOWN);
}

/* Answers a whole group, and keeps its memory for the engine's thread. */
static void answer_all(struct decider *d, struct pending *batch, bool committed)
{
    struct pending *last = NULL;
    for (struct pending *p = batch; p; p = p->next) {
        answer(d, p, committed);
        if (p->saw.cap > 4 * SAW_KEPT)
            buf_release(&p->saw);
        last = p;
    }
    if (!last)
        return;
    (void)pthread_mutex_lock(&d->decided_lock);
    last->next = d->used;
    d->used = batch;
    (void)pthread_mutex_unlock(&d->decided_lock);
}

/* Once everybody is answered. */
static void tidy(struct decider *d)
{
    if (!decider_failed(d) && db_tidy(d->writer) == KEER_EIO)
        decider_fail(d, "the database", db_why(d->writer));
}

static void *writer_main(void *ctx)
{
    struct decider *d = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-writer");
    struct write_task *tasks;
    for (struct pending *batch; next_batch(d, &batch, &tasks); tidy(d)) {
        bool committed = false;
        if (batch && !decider_failed(d)) {
            int64_t begun = d->o.now_us();
            committed = write_batch(d, batch) == DB_COMMITTED;
            histogram_add(&d->stats.commit, d->o.now_us() - begun);
            (void)atomic_fetch_add_explicit(&d->stats.commits, committed, memory_order_relaxed);
        }
        if (committed)
            tell_committed(d, batch);
        take_off(d, batch); /* from here on nobody joins them */
        answer_all(d, batch, committed);
        decider_run_tasks(d, tasks);
    }
    return NULL;
}

/* --- life --- */

/* In a transaction: records the version that was given, and says which one decides. A file decides when it is another than
 * the file of the last start; else what was promoted since then stays. */
static enum keer_err deploy(struct decider *d, int64_t *ret_deciding)
{
    struct policy_turn file, newest;
    struct policy_turn turn = {.action = POLICY_DEPLOYED, .at_us = d->o.wall_us()};
    struct version *given = d->o.version;
    const struct source *source = d->o.source;
    enum keer_err err = policies_put(d->writer, &given->hash, slice_str(given->name), source->part, source->count,
                                     turn.at_us, &given->number);
    if (err == KEER_OK)
        err = policies_newest(d->writer, POLICY_DEPLOYED, &file);
    if (err == KEER_OK && file.policy == given->number) {
        err = policies_newest(d->writer, POLICY_ACTION_MAX, &newest);
        if (err == KEER_OK)
            *ret_deciding = newest.policy;
        return err;
    }
    turn.policy = given->number;
    if (err == KEER_OK || err == KEER_EMISSING)
        err = journal_last_seq(d->writer, &turn.after_seq);
    if (err == KEER_OK)
        err = policies_turn(d->writer, &turn);
    if (err == KEER_OK)
        *ret_deciding = given->number;
    return err;
}

/* Which version decides, loaded. */
static enum keer_err choose_version(struct decider *d, struct db_why *why)
{
    int64_t number = 0;
    struct version *v = d->o.version;
    enum keer_err err = db_begin(d->writer);
    if (err == KEER_OK)
        err = deploy(d, &number);
    if (err == KEER_OK && db_commit(d->writer) != DB_COMMITTED)
        err = KEER_EIO;
    db_rollback(d->writer);
    if (err == KEER_OK && number != v->number) {
        err = version_load(d->writer, number, &v);
        if (err == KEER_OK) {
            v->next = d->versions;
            d->versions = v;
            log_put(d->o.log, LOG_WARNING,
                    "policy %lld '%s' decides, as it was promoted; the file '%s' has not changed since the last start",
                    (long long)v->number, v->name, d->o.version->name);
        } else if (err != KEER_EIO) {
            (void)snprintf(why->text, sizeof why->text, "policy %lld, which was promoted, can't be loaded: %s",
                           (long long)number, keer_err_text(err));
        }
    }
    if (err == KEER_OK)
        atomic_store(&d->version, v);
    return err;
}

static enum keer_err make_keeper(struct decider *d, struct keer_engine_options limits)
{
    struct keeper_options o = {.path = d->o.snapshot,
                               .database = d->o.database,
                               .every = d->o.snapshot_every,
                               .kind = {deciding(d)->policy, deciding(d)->hash, limits},
                               .log = d->o.log,
                               .now_us = d->o.now_us,
                               .stats = &d->stats.snapshot};
    return keeper_new(&o, &d->keeper);
}

static enum keer_err open_all(struct decider *d, struct db_why *why)
{
    struct keer_engine_options limits = {.memory_max = d->o.memory_max};
    const char *where = d->o.database;
    enum keer_err err = db_open(where, DB_WRITE, &d->writer, why);
    if (err == KEER_OK)
        err = db_migrate(d->writer, d->o.wall_us(), why);
    if (err == KEER_OK && (err = secrets_make(d->writer)) != KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "secrets: %.300s",
                       err == KEER_EIO ? db_why(d->writer) : keer_err_text(err));
    if (err == KEER_OK)
        err = db_open(where, DB_READ, &d->engine_reader, why);
    if (err == KEER_OK)
        err = db_open(where, DB_READ, &d->api_reader, why);
    if (err != KEER_OK)
        return err;
    why->text[0] = '\0';
    err = choose_version(d, why);
    if (err == KEER_OK)
        err = keer_engine_new(deciding(d)->policy, &limits, &d->engine);
    if (err == KEER_OK)
        err = make_keeper(d, limits);
    if (err == KEER_OK)
        err = reading_new(&deciding(d)->policy->schema, &d->reading);
    if (err == KEER_OK)
        err = keys_read(d->writer, &d->keys);
    if (err == KEER_OK)
        err = journal_open(&d->journal, d->writer);
    if (err == KEER_OK)
        err = journal_open(&d->engine_journal, d->engine_reader);
    if (err == KEER_OK)
        err = journal_open(&d->api_journal, d->api_reader);
    struct db_label label;
    if (err != KEER_OK && !why->text[0])
        (void)snprintf(why->text, sizeof why->text, "%.200s: %.150s", db_label(where, &label),
                       err == KEER_EIO ? db_why(d->writer) : keer_err_text(err));
    return err;
}

enum keer_err decider_new(const struct decider_options *o, struct decider **ret_decider, struct db_why *ret_why)
{
    struct decider *d = calloc(1, sizeof *d);
    enum keer_err err = d ? KEER_OK : KEER_ENOMEM;
    if (!d)
        goto out;
    d->o = *o;
    d->submitted_end = &d->submitted;
    d->decided_end = &d->decided;
    d->made_end = &d->made;
    d->tasks_end = &d->tasks;
    (void)pthread_mutex_init(&d->api_lock, NULL); /* these don't fail on Linux */
    (void)pthread_rwlock_init(&d->keys_lock, NULL);
    (void)pthread_mutex_init(&d->submitted_lock, NULL);
    (void)pthread_mutex_init(&d->decided_lock, NULL);
    (void)pthread_mutex_init(&d->flight_lock, NULL);
    (void)pthread_mutex_init(&d->shadow_lock, NULL);
    (void)pthread_cond_init(&d->submitted_filled, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* o.now_us */
    (void)pthread_cond_init(&d->decided_filled, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    for (d->cells = 64; d->cells < 2 * (size_t)o->queue_max;)
        d->cells *= 2;
    d->flight = calloc(d->cells, sizeof(struct pending *));
    err = d->flight ? seen_init(&d->seen) : KEER_ENOMEM;
    if (err == KEER_OK) {
        err = open_all(d, ret_why);
        if (err != KEER_OK) {
            decider_free(d);
            return err;
        }
    }
out:
    if (err != KEER_OK) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(err));
        decider_free(d);
        return err;
    }
    *ret_decider = d;
    return KEER_OK;
}

enum keer_err decider_start(struct decider *d)
{
    enum keer_err err = keeper_start(d->keeper);
    if (err != KEER_OK)
        return err;
    if (pthread_create(&d->engine_thread, NULL, engine_main, d) != 0)
        return KEER_ENOMEM;
    if (pthread_create(&d->writer_thread, NULL, writer_main, d) != 0) {
        atomic_store(&d->stop_rebuilding, true);
        (void)pthread_mutex_lock(&d->submitted_lock);
        d->submitted_closed = true;
        (void)pthread_cond_signal(&d->submitted_filled);
        (void)pthread_mutex_unlock(&d->submitted_lock);
        (void)pthread_join(d->engine_thread, NULL);
        return KEER_ENOMEM;
    }
    d->threads = true;
    return KEER_OK;
}

enum decider_state decider_state(const struct decider *d) { return (enum decider_state)atomic_load(&d->state); }
unsigned decider_places(const struct decider *d) { return d->o.queue_max; }
struct decider_stats *decider_statistics(struct decider *d) { return &d->stats; }
const struct version *decider_version(const struct decider *d) { return deciding(d); }
int64_t decider_committed(const struct decider *d) { return atomic_load(&d->committed); }

enum keer_err decider_reserve(struct decider *d)
{
    /* The place first and the state afterwards: decider_stop does it the other way round, and one of the two sees the other.
     */
    bool full = atomic_fetch_add(&d->stats.waiting, 1) >= d->o.queue_max;
    enum decider_state state = decider_state(d);
    if (state == DECIDER_READY && !full)
        return KEER_OK;
    (void)atomic_fetch_sub(&d->stats.waiting, 1);
    if (state != DECIDER_READY)
        return state == DECIDER_FAILED ? KEER_EIO : KEER_EUNSUPPORTED;
    (void)atomic_fetch_add_explicit(&d->stats.full, 1, memory_order_relaxed);
    return KEER_EFULL;
}

void decider_unreserve(struct decider *d) { (void)atomic_fetch_sub(&d->stats.waiting, 1); }

void decider_submit(struct decider *d, struct decide_request *r) { decider_submit_all(d, r, r); }

void decider_submit_all(struct decider *d, struct decide_request *first, struct decide_request *last)
{
    last->next = NULL;
    (void)pthread_mutex_lock(&d->submitted_lock);
    bool was_empty = !d->submitted;
    *d->submitted_end = first;
    d->submitted_end = &last->next;
    if (was_empty)
        (void)pthread_cond_signal(&d->submitted_filled);
    (void)pthread_mutex_unlock(&d->submitted_lock);
}

void decider_stop(struct decider *d)
{
    if (atomic_exchange(&d->state, DECIDER_STOPPING) == DECIDER_FAILED)
        atomic_store(&d->state, DECIDER_FAILED);
}

static void close_writer(struct decider *d)
{
    (void)pthread_mutex_lock(&d->decided_lock);
    d->decided_closed = true;
    (void)pthread_cond_signal(&d->decided_filled);
    (void)pthread_mutex_unlock(&d->decided_lock);
}

void decider_free(struct decider *d)
{
    if (!d)
        return;
    decider_stop(d);
    if (d->threads) {
        atomic_store(&d->stop_rebuilding, true);
        (void)pthread_mutex_lock(&d->submitted_lock);
        d->submitted_closed = true;
        (void)pthread_cond_signal(&d->submitted_filled);
        (void)pthread_mutex_unlock(&d->submitted_lock);
        (void)pthread_join(d->engine_thread, NULL);
        shadow_release(d); /* what it writes goes through the writer */
        close_writer(d);
        (void)pthread_join(d->writer_thread, NULL);
    }
    for (unsigned i = 0; i < d->observers; i++)
        if (d->observer[i].closing)
            d->observer[i].closing(d->observer[i].ctx);
    keeper_stop(d->keeper);
    /* The windows hold what the journal holds; a difference must be found again at the next start. */
    if (d->threads && !decider_failed(d) && !atomic_load(&d->stats.differences))
        keeper_write(d->keeper, &d->engine_journal, d->engine, &d->seen, d->seq);
    keeper_free(d->keeper);
    journal_close(&d->journal);
    journal_close(&d->engine_journal);
    journal_close(&d->api_journal);
    keys_release(&d->keys);
    db_close(d->engine_reader);
    db_close(d->api_reader);
    db_close(d->writer); /* last: it may checkpoint when it closes */
    keer_engine_free(d->engine);
    reading_free(d->reading);
    for (struct version *v = d->versions, *next; v; v = next) {
        next = v->next;
        version_free(v);
    }
    pendings_free(d->spare);
    pendings_free(d->used);
    free(d->flight);
    seen_release(&d->seen);
    free(d);
}
