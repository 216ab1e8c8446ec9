/* desk.c - threads on which use cases run in straight lines.
 *
 * A worker that waits for the writer sleeps on a condition of its own; the task or request that it waits for lies on its
 * stack, since it does not go on before it was called back.
 */
#include "flow/desk.h"

#include <pthread.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "flow/prepare.h"
#include "flow/verdict.h"

struct desk_worker {
    struct desk *desk;
    struct db *db;
    struct reading *reading;
    struct prepare_texts texts;
    struct tape tape;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t called;
    bool back; /* what it waits for has ended */
};

struct timer {
    void (*run)(struct desk_worker *w, void *ctx);
    void *ctx;
    int64_t period_us, due_us;
    bool running;
};

struct desk {
    struct desk_options o;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct desk_job *first, **end;
    unsigned waiting, threads;
    bool running, closed;
    struct timer timer[DESK_TIMERS_MAX];
    unsigned timers;
    struct desk_worker worker[DESK_THREADS_MAX];
};

/* --- waiting --- */

static void call_back(struct desk_worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->back = true;
    (void)pthread_cond_signal(&w->called);
    (void)pthread_mutex_unlock(&w->lock);
}

static void wait_back(struct desk_worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (!w->back)
        (void)pthread_cond_wait(&w->called, &w->lock);
    w->back = false;
    (void)pthread_mutex_unlock(&w->lock);
}

struct writing {
    struct write_task task;
    struct desk_worker *worker;
    desk_fn *run;
    void *ctx;
    enum keer_err err;
};

static enum keer_err run_writing(struct db *db, struct write_task *t)
{
    struct writing *g = t->ctx;
    return g->run(db, g->ctx);
}

static void writing_done(struct write_task *t, enum keer_err err)
{
    struct writing *g = t->ctx;
    g->err = err;
    call_back(g->worker);
}

enum keer_err desk_write(struct desk_worker *w, desk_fn *run, void *ctx)
{
    struct writing g = {.worker = w, .run = run, .ctx = ctx};
    g.task = (struct write_task){.run = run_writing, .done = writing_done, .ctx = &g, .together = true};
    enum keer_err err = decider_write(w->desk->o.decider, &g.task);
    if (err != KEER_OK)
        return err;
    wait_back(w);
    return g.err;
}

enum keer_err desk_read(struct desk_worker *w, desk_fn *run, void *ctx)
{
    enum keer_err err = w->db ? db_begin(w->db) : KEER_EUNSUPPORTED;
    if (err != KEER_OK)
        return err;
    err = run(w->db, ctx);
    db_rollback(w->db);
    return err;
}

int64_t desk_wall_us(const struct desk_worker *w) { return w->desk->o.wall_us(); }
const struct log *desk_log(const struct desk_worker *w) { return w->desk->o.log; }

/* --- events --- */

static void put_text(struct buf *b, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, value);
}

void desk_event_print(const struct desk_event *e, int64_t now_us, struct buf *out)
{
    struct crypto_hash random;
    char id[CRYPTO_TEXT_BYTES];
    crypto_random(&random, sizeof random);
    crypto_text(&random, id);
    buf_puts(out, "{\"id\":");
    buf_json(out, e->id.len ? e->id : slice_of(id, 22)); /* 128 bits and more */
    buf_puts(out, ",\"time\":\"");
    time_print(out, e->time_us ? e->time_us : now_us);
    buf_char(out, '"');
    const struct {
        const char *name;
        struct slice value;
    } texts[] = {{"type", e->type},
                 {"target", e->target},
                 {"account", e->account},
                 {"device", e->device},
                 {"session", e->session},
                 {"ip", e->ip},
                 {"user_agent", e->user_agent},
                 {"outcome", e->outcome},
                 {"step_up", e->step_up},
                 {"email", e->email},
                 {"wallet", e->wallet},
                 {"agreement", e->agreement},
                 {"currency", e->currency},
                 {"beneficiary", e->beneficiary},
                 {"merchant", e->merchant},
                 {"item", e->item}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        put_text(out, texts[i].name, texts[i].value);
    if (e->currency.len)
        buf_fmt(out, ",\"amount\":%lld", (long long)e->amount_minor);
    if (e->has_second_step)
        buf_puts(out, ",\"has_second_step\":true");
    if (e->more.len) {
        buf_char(out, ',');
        buf_slice(out, e->more);
    }
    buf_char(out, '}');
}

/* The outcome stands in the answer, the only thing that a decision stored earlier has left. */
static enum keer_err read_outcome(struct desk_worker *w, struct desk_decision *d)
{
    static const struct tape_limits limits = {.bytes = VERDICT_BYTES, .values = 4096, .depth = 8, .keys = 64};
    struct tape_error why;
    enum keer_err err = tape_read(&w->tape, buf_view(&d->answer), &limits, &why);
    if (err != KEER_OK)
        return err;
    uint32_t outcome = tape_find(&w->tape, 0, "outcome"), review = tape_find(&w->tape, 0, "review");
    for (int o = 0; outcome && o < KEER_OUTCOME_MAX; o++) {
        if (!slice_eq(tape_text(&w->tape, outcome), slice_str(keer_outcome_name((enum keer_outcome)o))))
            continue;
        d->outcome = (enum keer_outcome)o;
        d->review = review && tape_type(&w->tape, review) == TAPE_TRUE;
        return KEER_OK;
    }
    return KEER_EFORMAT;
}

static void decided(struct decide_request *r) { call_back(r->ctx); }

/* The reader for the version that decides now. */
static enum keer_err current_reading(struct desk_worker *w)
{
    const struct keer_schema *schema = &decider_version(w->desk->o.decider)->policy->schema;
    struct reading *fresh = NULL;
    if (w->reading && reading_schema(w->reading) == schema)
        return KEER_OK;
    enum keer_err err = reading_new(schema, &fresh);
    if (err != KEER_OK)
        return err;
    reading_free(w->reading);
    w->reading = fresh;
    return KEER_OK;
}

static enum keer_err result_of(enum decide_result r)
{
    switch (r) {
    case DECIDE_NEW:
    case DECIDE_STORED: return KEER_OK;
    case DECIDE_CONFLICT: return KEER_ECONFLICT;
    case DECIDE_NO_TARGET: return KEER_EMISSING;
    case DECIDE_NO_MEMORY: return KEER_ENOMEM;
    case DECIDE_UNKNOWN: break;
    }
    return KEER_EIO;
}

static enum keer_err submit(struct desk_worker *w, struct slice body, struct decide_request *r)
{
    const struct desk_options *o = &w->desk->o;
    struct reading_error why = {0};
    enum keer_err err = current_reading(w);
    if (err != KEER_OK)
        return err;
    struct prepare p = {w->reading, o->enrich, o->wall_us(), body, /* label */ false};
    prepare_texts_clear(&w->texts);
    err = prepare_request(&p, &w->texts, r, &why);
    if (err != KEER_OK) {
        if (err != KEER_ENOMEM)
            log_put(o->log, LOG_ERROR, "an event of our own can't be read: %s", why.what);
        return err;
    }
    err = decider_reserve(o->decider);
    if (err != KEER_OK)
        return err;
    r->begun_us = o->now_us();
    r->done = decided;
    r->ctx = w;
    decider_submit(o->decider, r);
    wait_back(w);
    return result_of(r->result);
}

enum keer_err desk_decide_text(struct desk_worker *w, struct slice event, struct desk_decision *ret_decision)
{
    struct decide_request r = {0};
    struct desk_decision d = {.outcome = KEER_DENY};
    buf_init(&r.answer, VERDICT_BYTES);
    enum keer_err err = submit(w, event, &r);
    d.answer = r.answer;
    if (err == KEER_OK)
        err = read_outcome(w, &d);
    if (err == KEER_OK)
        *ret_decision = d;
    else
        buf_release(&d.answer);
    free(r.event);
    return err;
}

enum keer_err desk_decide(struct desk_worker *w, const struct desk_event *e, struct desk_decision *ret_decision)
{
    struct buf body;
    buf_init(&body, LIMIT_LINE_BYTES);
    desk_event_print(e, w->desk->o.wall_us(), &body);
    enum keer_err err = body.err != KEER_OK ? body.err : desk_decide_text(w, buf_view(&body), ret_decision);
    buf_release(&body);
    return err;
}

/* --- threads --- */

/* A timer that is due; it is marked as running. *ret_next_us is when the next one is. */
static struct timer *due_timer(struct desk *d, int64_t *ret_next_us)
{
    int64_t now = d->o.now_us(), next = now + US_SECOND;
    for (unsigned i = 0; i < d->timers; i++) {
        struct timer *t = &d->timer[i];
        if (t->running)
            continue;
        if (t->due_us <= now) {
            t->running = true;
            return t;
        }
        next = MIN_OF(next, t->due_us);
    }
    *ret_next_us = next;
    return NULL;
}

static void run_timer(struct desk_worker *w, struct timer *t)
{
    struct desk *d = w->desk;
    (void)pthread_mutex_unlock(&d->lock);
    t->run(w, t->ctx);
    (void)pthread_mutex_lock(&d->lock);
    t->due_us = d->o.now_us() + t->period_us;
    t->running = false;
}

static void run_job(struct desk_worker *w)
{
    struct desk *d = w->desk;
    struct desk_job *j = d->first;
    d->first = j->next;
    if (!d->first)
        d->end = &d->first;
    d->waiting--;
    (void)pthread_mutex_unlock(&d->lock);
    j->run(j, w); /* j may be gone afterwards */
    (void)pthread_mutex_lock(&d->lock);
}

static void *worker_main(void *ctx)
{
    struct desk_worker *w = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-desk");
    struct desk *d = w->desk;
    (void)pthread_mutex_lock(&d->lock);
    for (;;) {
        int64_t next_us = 0;
        struct timer *t = NULL;
        if (d->first)
            run_job(w);
        else if (d->closed)
            break;
        else if ((t = due_timer(d, &next_us)) != NULL)
            run_timer(w, t);
        else {
            struct timespec until = {.tv_sec = next_us / US_SECOND, .tv_nsec = next_us % US_SECOND * 1000};
            (void)pthread_cond_timedwait(&d->filled, &d->lock, &until);
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

bool desk_take(struct desk *d, struct desk_job *j)
{
    (void)pthread_mutex_lock(&d->lock);
    bool taken = d->running && !d->closed && d->waiting < d->o.queue_max;
    if (taken) {
        j->next = NULL;
        *d->end = j;
        d->end = &j->next;
        d->waiting++;
        (void)pthread_cond_signal(&d->filled);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return taken;
}

void desk_every(struct desk *d, int64_t period_us, void (*run)(struct desk_worker *w, void *ctx), void *ctx)
{
    ASSERT(!d->running && d->timers < DESK_TIMERS_MAX);
    d->timer[d->timers++] = (struct timer){.run = run, .ctx = ctx, .period_us = period_us};
}

/* --- life --- */

static void init_conditions(struct desk *d)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->filled, &attr);
    (void)pthread_condattr_destroy(&attr);
    for (unsigned i = 0; i < d->o.threads; i++) {
        struct desk_worker *w = &d->worker[i];
        w->desk = d;
        prepare_texts_init(&w->texts);
        (void)pthread_mutex_init(&w->lock, NULL);
        (void)pthread_cond_init(&w->called, NULL);
    }
}

enum keer_err desk_new(const struct desk_options *o, struct desk **ret_desk, struct db_why *ret_why)
{
    ASSERT(o->threads >= 1 && o->threads <= DESK_THREADS_MAX);
    struct desk *d = calloc(1, sizeof *d);
    if (!d) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    d->o = *o;
    d->end = &d->first;
    init_conditions(d);
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && !o->only_writes && i < o->threads; i++)
        err = db_open(o->database, DB_READ, &d->worker[i].db, ret_why);
    if (err == KEER_OK)
        *ret_desk = d;
    else
        desk_free(d);
    return err;
}

enum keer_err desk_start(struct desk *d)
{
    d->running = true;
    while (d->threads < d->o.threads) {
        struct desk_worker *w = &d->worker[d->threads];
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            return KEER_EIO;
        d->threads++;
    }
    return KEER_OK;
}

void desk_stop(struct desk *d)
{
    if (!d)
        return;
    (void)pthread_mutex_lock(&d->lock);
    d->closed = true;
    (void)pthread_cond_broadcast(&d->filled);
    (void)pthread_mutex_unlock(&d->lock);
    while (d->threads)
        (void)pthread_join(d->worker[--d->threads].thread, NULL);
    d->running = false;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    desk_stop(d);
    for (unsigned i = 0; i < d->o.threads; i++) {
        struct desk_worker *w = &d->worker[i];
        db_close(w->db);
        reading_free(w->reading);
        prepare_texts_release(&w->texts);
        tape_release(&w->tape);
    }
    free(d);
}
