/* outbox_worker.c - the worker's thread: what is due is sent, what became of it is written.
 *
 * Results are gathered for some milliseconds and written together, so that a fast receiver does not cost a sync for each
 * delivery; until then `cursor` keeps the lane from sending them again.
 */
#include "base/timefmt.h"
#include "flow/outbox_inside.h"
#include "net/sign.h"

#define GATHER_US 20000
#define LOOK_EVERY_US (2 * US_SECOND)
#define FORGET_EVERY_US (30 * US_SECOND)
#define FORGET_AT_ONCE 4000
#define FAILURES_BEFORE_REST 3u
#define REST_MAX_US US_MINUTE
#define AFTER_TROUBLE_US (5 * US_SECOND)
#define BODY_BYTES ((size_t)1 << 20)

/* --- writing --- */

struct job {
    struct write_task task;
    struct outbox *o;
    enum keer_err (*run)(struct db *db, struct outbox *o);
};

static enum keer_err job_run(struct db *db, struct write_task *t)
{
    struct job *j = t->ctx;
    return j->run(db, j->o);
}

static void job_done(struct write_task *t, enum keer_err err)
{
    struct outbox *o = ((struct job *)t->ctx)->o;
    (void)pthread_mutex_lock(&o->write_lock);
    o->write_err = err;
    o->write_done = true;
    (void)pthread_cond_signal(&o->written);
    (void)pthread_mutex_unlock(&o->write_lock);
}

/* Waits for it. */
static enum keer_err write_now(struct outbox *o, enum keer_err (*run)(struct db *db, struct outbox *o))
{
    struct job j = {.o = o, .run = run};
    j.task = (struct write_task){.run = job_run, .done = job_done, .ctx = &j};
    o->write_done = false;
    enum keer_err err = decider_write(o->o.decider, &j.task);
    if (err != KEER_OK)
        return err;
    (void)pthread_mutex_lock(&o->write_lock);
    while (!o->write_done)
        (void)pthread_cond_wait(&o->written, &o->write_lock);
    err = o->write_err;
    (void)pthread_mutex_unlock(&o->write_lock);
    return err;
}

static enum keer_err settle_all(struct db *db, struct outbox *o)
{
    struct db_stmt *s;
    enum keer_err err = delivery_settler(db, &s);
    if (err != KEER_OK)
        return err;
    for (unsigned i = 0; err == KEER_OK && i < o->settled_count; i++) {
        struct settled *one = &o->settled[i];
        one->delivery.why = slice_str(one->why);
        err = delivery_settle(s, one->webhook, &one->delivery);
        if (err == KEER_OK && one->gone)
            err = webhooks_disable(db, one->webhook, o->o.wall_us(), SLICE("it answered 410 Gone"));
        if (err == KEER_EMISSING)
            err = KEER_OK; /* it was removed meanwhile */
    }
    db_free(s);
    return err;
}

static void flush(struct outbox *o)
{
    if (!o->settled_count)
        return;
    enum keer_err err = write_now(o, settle_all);
    if (err != KEER_OK) { /* they are sent once more: at least once */
        log_put(o->o.log, LOG_ERROR, "webhooks: what became of %u deliveries can't be written: %s", o->settled_count,
                keer_err_text(err));
        o->rest_until_us = o->o.now_us() + AFTER_TROUBLE_US;
    }
    for (unsigned i = 0; err == KEER_OK && i < o->settled_count; i++) {
        const struct settled *one = &o->settled[i];
        (void)atomic_fetch_add(&o->stats.delivered, one->delivery.state == DELIVERY_DELIVERED);
        (void)atomic_fetch_add(&o->stats.died, one->delivery.state == DELIVERY_DEAD);
        if (one->gone)
            (void)atomic_fetch_add(&o->generation, 1);
    }
    o->settled_count = 0;
    for (unsigned i = 0; i < o->lanes; i++) {
        struct lane *l = o->lane[i];
        l->cursor_at_us = l->busy ? l->sent.at_us : 0;
        l->cursor_seq = l->busy ? l->sent.seq : 0;
        l->due_us = 0;
    }
}

/* --- lanes --- */

static struct lane *lane_find(struct outbox *o, const char *id)
{
    for (unsigned i = 0; i < o->lanes; i++)
        if (strcmp(o->lane[i]->hook.id, id) == 0)
            return o->lane[i];
    return NULL;
}

/* false without memory, or while too many that were removed have a transfer under way. */
static bool lane_take(struct outbox *o, const struct webhook_row *row)
{
    struct lane *l = lane_find(o, row->id);
    if (!l && (o->lanes == LANES_MAX || !(l = calloc(1, sizeof *l))))
        return false;
    if (!l->hook.id[0]) {
        buf_init(&l->body, BODY_BYTES);
        o->lane[o->lanes++] = l;
    }
    if (l->hook.disabled_us && !row->disabled_us) {
        l->failures = 0;
        l->rest_until_us = 0;
    }
    l->hook = *row;
    l->removed = !outbox_unseal(o, row->id, &row->secret, &l->secret) ||
                 (row->old_secret.len && !outbox_unseal(o, row->id, &row->old_secret, &l->old_secret));
    l->due_us = 0;
    return true;
}

static void drop_removed(struct outbox *o)
{
    for (unsigned i = 0; i < o->lanes;) {
        struct lane *l = o->lane[i];
        if (!l->removed || l->busy) {
            i++;
            continue;
        }
        buf_release(&l->body);
        crypto_wipe(l, sizeof *l);
        free(l);
        o->lane[i] = o->lane[--o->lanes];
    }
}

/* The webhooks as they are now, when they have changed. */
static void take_changes(struct outbox *o)
{
    struct webhook_row *rows = NULL;
    unsigned count = 0, disabled = 0, generation = atomic_load(&o->generation);
    if (generation == o->known_generation)
        return;
    if (webhooks_read(o->worker_db, &rows, &count) != KEER_OK) {
        log_put(o->o.log, LOG_ERROR, "webhooks can't be read: %s", db_why(o->worker_db));
        o->rest_until_us = o->o.now_us() + AFTER_TROUBLE_US;
        return;
    }
    for (unsigned i = 0; i < o->lanes; i++)
        o->lane[i]->removed = true;
    for (unsigned i = 0; i < count; i++) {
        if (!lane_take(o, &rows[i]))
            generation = o->known_generation; /* look again */
        disabled += rows[i].disabled_us != 0;
    }
    drop_removed(o);
    crypto_wipe(rows, count * sizeof *rows);
    free(rows);
    atomic_store(&o->stats.webhooks, count);
    atomic_store(&o->stats.disabled, disabled);
    o->known_generation = generation;
}

/* --- sending --- */

static struct slice secret_of(const struct crypto_hash *secret)
{
    return slice_of((const char *)secret->bytes, sizeof secret->bytes);
}

static void make_request(struct outbox *o, struct lane *l, struct slice decision, int64_t decided_us)
{
    char id[8 + WEBHOOK_ID_BYTES + 24], stamp[24], signature[2][NET_SIGNATURE_BYTES];
    int64_t now = o->o.wall_us();
    bool two = l->hook.old_secret.len && now < l->hook.old_until_us;
    buf_clear(&l->body);
    buf_fmt(&l->body, "{\"type\":\"decision.%s\",\"timestamp\":\"",
            l->sent.outcome < KEER_OUTCOME_MAX ? keer_outcome_name((enum keer_outcome)l->sent.outcome) : "unknown");
    time_print(&l->body, decided_us);
    buf_fmt(&l->body, "\",\"data\":");
    buf_slice(&l->body, slice_trim(decision));
    buf_char(&l->body, '}');
    (void)snprintf(id, sizeof id, "msg_%s_%lld", l->hook.id, (long long)l->sent.seq);
    (void)snprintf(stamp, sizeof stamp, "%lld", (long long)(now / US_SECOND));
    net_sign(secret_of(&l->secret), slice_str(id), slice_str(stamp), buf_view(&l->body), signature[0]);
    if (two)
        net_sign(secret_of(&l->old_secret), slice_str(id), slice_str(stamp), buf_view(&l->body), signature[1]);
    l->request = (struct net_request){.url = l->hook.url, .headers = 3, .body = buf_view(&l->body)};
    (void)snprintf(l->request.header[0], NET_HEADER_BYTES, "webhook-id: %s", id);
    (void)snprintf(l->request.header[1], NET_HEADER_BYTES, "webhook-timestamp: %s", stamp);
    (void)snprintf(l->request.header[2], NET_HEADER_BYTES, "webhook-signature: %s%s%s", signature[0], two ? " " : "",
                   two ? signature[1] : "");
}

/* Sends the next one when it is due. */
static void send_next(struct outbox *o, struct lane *l)
{
    struct slice decision;
    int64_t decided_us, now = o->o.wall_us();
    struct delivery next;
    enum keer_err err = delivery_next(o->scanner, l->hook.id, l->cursor_at_us, l->cursor_seq, &next, &decision, &decided_us);
    l->due_us = err == KEER_OK ? next.at_us : INT64_MAX;
    if (err == KEER_EIO) {
        l->due_us = 0;
        log_put(o->o.log, LOG_ERROR, "webhooks: the outbox can't be read: %s", db_why(o->worker_db));
        o->rest_until_us = o->o.now_us() + AFTER_TROUBLE_US;
    }
    bool due = err == KEER_OK && next.at_us <= now;
    if (due) {
        l->sent = next;
        make_request(o, l, decision, decided_us);
        l->cursor_at_us = next.at_us;
        l->cursor_seq = next.seq;
    }
    db_reset(o->scanner); /* lets go of the snapshot */
    if (due && l->body.err == KEER_OK && net_send(o->client, &l->request) == KEER_OK)
        l->busy = true;
    else if (due) /* without memory: it stays where it is */
        l->rest_until_us = o->o.now_us() + AFTER_TROUBLE_US;
}

static void send_due(struct outbox *o)
{
    int64_t now = o->o.now_us(), wall = o->o.wall_us();
    if (now < o->rest_until_us)
        return;
    bool woken = atomic_exchange(&o->woken, false); /* before what is read: what comes later wakes again */
    for (unsigned i = 0; woken && i < o->lanes; i++)
        o->lane[i]->due_us = 0; /* also of one that rests: it looks when it may */
    for (unsigned i = 0; i < o->lanes && o->settled_count + o->lanes < SETTLED_MAX; i++) {
        struct lane *l = o->lane[i];
        if (!l->busy && !l->removed && !l->hook.disabled_us && now >= l->rest_until_us && l->due_us <= wall)
            send_next(o, l);
    }
}

/* --- what became of it --- */

/* The schedule, and up to a quarter more of it, so that what failed together does not come again together. */
static int64_t later(struct outbox *o, int64_t attempts, int64_t asked_us)
{
    int64_t us = o->o.retry_us[attempts - 1];
    us += (int64_t)(rng_unit(&o->rng) * (double)us / 4);
    return MAX_OF(us, asked_us);
}

static void on_ended(struct outbox *o, struct lane *l)
{
    struct net_request *r = &l->request;
    struct settled *s = &o->settled[o->settled_count++];
    bool answered = r->result == NET_ANSWERED, good = answered && r->status >= 200 && r->status < 300;
    int64_t now = o->o.wall_us();
    if (o->settled_count == 1)
        o->settled_since_us = o->o.now_us();
    *s = (struct settled){.delivery = l->sent, .gone = answered && r->status == 410};
    memcpy(s->webhook, l->hook.id, sizeof s->webhook);
    (void)snprintf(s->why, sizeof s->why, "%s", good ? "" : r->why);
    s->delivery.attempts++;
    s->delivery.status = answered ? r->status : 0;
    s->delivery.at_us = now;
    l->busy = false;
    l->due_us = 0;
    if (good) {
        s->delivery.state = DELIVERY_DELIVERED;
        l->failures = 0;
        return;
    }
    (void)atomic_fetch_add(&o->stats.failed, 1);
    if (s->gone || s->delivery.attempts > o->o.retries) {
        s->delivery.state = DELIVERY_DEAD;
        log_put(o->o.log, LOG_WARNING, "webhook %s: msg_%s_%lld is dead after %lld tries: %s", l->hook.id, l->hook.id,
                (long long)l->sent.seq, (long long)s->delivery.attempts, r->why);
    } else {
        s->delivery.at_us = now + later(o, s->delivery.attempts, r->retry_after_us);
    }
    if (s->gone) {
        l->hook.disabled_us = now;
        log_put(o->o.log, LOG_WARNING, "webhook %s: it answered 410 Gone and is disabled", l->hook.id);
    }
    if (++l->failures >= FAILURES_BEFORE_REST) {
        if (l->failures == FAILURES_BEFORE_REST)
            log_put(o->o.log, LOG_WARNING, "webhook %s fails: %s", l->hook.id, r->why);
        int64_t rest = o->o.retries ? o->o.retry_us[0] : US_SECOND;
        for (unsigned n = FAILURES_BEFORE_REST; n < l->failures && rest < REST_MAX_US; n++)
            rest *= 2;
        l->rest_until_us = o->o.now_us() + MIN_OF(rest, REST_MAX_US);
    }
}

/* --- now and then --- */

static enum keer_err forget(struct db *db, struct outbox *o)
{
    int64_t n = 0;
    enum keer_err err = delivery_forget(db, o->o.wall_us() - o->o.keep_us, FORGET_AT_ONCE, &n);
    if (n < FORGET_AT_ONCE)
        o->forgot_us = o->o.now_us();
    return err;
}

static void look(struct outbox *o)
{
    struct delivery_figures f;
    int64_t now = o->o.now_us();
    if (now - o->looked_us < LOOK_EVERY_US && o->looked_us)
        return;
    o->looked_us = now;
    if (delivery_count(o->worker_db, &f) == KEER_OK) {
        atomic_store(&o->stats.waiting, (uint64_t)f.count[DELIVERY_WAITING]);
        atomic_store(&o->stats.dead, (uint64_t)f.count[DELIVERY_DEAD]);
        atomic_store(&o->stats.oldest_us, (uint64_t)f.oldest_us);
        if (f.count[DELIVERY_DELIVERED] && now - o->forgot_us >= FORGET_EVERY_US && write_now(o, forget) != KEER_OK)
            o->forgot_us = now;
    }
}

/* How long there is nothing to do. */
static int64_t idle_us(const struct outbox *o)
{
    int64_t wait = US_SECOND, now = o->o.now_us(), wall = o->o.wall_us();
    if (o->settled_count)
        wait = o->settled_since_us + GATHER_US - now;
    for (unsigned i = 0; i < o->lanes; i++) {
        const struct lane *l = o->lane[i];
        if (l->busy || l->removed || l->hook.disabled_us || l->due_us == INT64_MAX)
            continue;
        int64_t until = MAX_OF(l->due_us - wall, l->rest_until_us - now);
        wait = MIN_OF(wait, MAX_OF(until, o->rest_until_us - now));
    }
    return MAX_OF(wait, 0);
}

void *outbox_main(void *ctx)
{
    struct outbox *o = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-outbox");
    while (!atomic_load(&o->stopping) && decider_state(o->o.decider) != DECIDER_FAILED) {
        take_changes(o);
        send_due(o);
        for (struct net_request *r = net_wait(o->client, idle_us(o)), *next; r; r = next) {
            next = r->next;
            for (unsigned i = 0; i < o->lanes; i++)
                if (&o->lane[i]->request == r)
                    on_ended(o, o->lane[i]);
        }
        if (o->settled_count + o->lanes >= SETTLED_MAX ||
            (o->settled_count && o->o.now_us() - o->settled_since_us >= GATHER_US))
            flush(o);
        drop_removed(o);
        look(o);
    }
    flush(o);
    return NULL;
}
