/* shadow.c - versions of the policy beside the one that decides: shadow, backtest, promotion.
 *
 * A promotion happens on the engine's thread between two events: everything decided is on disk, the shadow has decided
 * exactly that, the change is written, and then the two change places. Deciding waits for it, PROMOTE_WAIT_US at most.
 */
#include <time.h>

#include "flow/decider_inside.h"

#define PROMOTE_WAIT_US ((int64_t)2 * US_SECOND)

static void nap(void)
{
    struct timespec t = {.tv_nsec = 200000};
    (void)nanosleep(&t, NULL);
}

struct db *decider_reader_take(struct decider *d)
{
    (void)pthread_mutex_lock(&d->api_lock);
    return d->api_reader;
}

void decider_reader_give(struct decider *d) { (void)pthread_mutex_unlock(&d->api_lock); }

/* --- versions: with shadow_lock --- */

static enum keer_err find_version(struct decider *d, int64_t number, struct version **ret_version)
{
    struct version *v = d->o.version->number == number ? d->o.version : d->versions;
    while (v && v->number != number)
        v = v->next;
    if (v) {
        *ret_version = v;
        return KEER_OK;
    }
    enum keer_err err = version_load(decider_reader_take(d), number, &v);
    decider_reader_give(d);
    if (err != KEER_OK)
        return err;
    v->next = d->versions;
    d->versions = v;
    *ret_version = v;
    return KEER_OK;
}

static struct follower_options follower_for(struct decider *d, struct version *v, int64_t since_us)
{
    return (struct follower_options){.version = v,
                                     .decider = d,
                                     .database = d->o.database,
                                     .memory_max = d->o.memory_max,
                                     .since_us = since_us,
                                     .log = d->o.log};
}

static enum keer_err refused(enum keer_err err, int64_t number, struct db_why *why)
{
    (void)snprintf(why->text, sizeof why->text, "policy %lld: %s", (long long)number,
                   err == KEER_EMISSING ? "there is no such version, or only its hash was kept" : keer_err_text(err));
    return err;
}

enum keer_err decider_shadow(struct decider *d, int64_t number, int64_t since_us, bool promote, struct db_why *ret_why)
{
    struct version *v = NULL;
    struct follower *fresh = NULL;
    if (decider_state(d) != DECIDER_READY)
        return refused(KEER_EUNSUPPORTED, number, ret_why);
    (void)pthread_mutex_lock(&d->shadow_lock);
    enum keer_err err = deciding(d)->number == number ? KEER_ECONFLICT : find_version(d, number, &v);
    if (err == KEER_OK) {
        struct follower_options o = follower_for(d, v, since_us);
        o.promote = promote;
        err = follower_start(&o, &fresh, ret_why);
    }
    if (err != KEER_OK)
        (void)refused(err, number, ret_why);
    if (fresh) {
        follower_free(d->shadow);
        d->shadow = fresh;
    }
    (void)pthread_mutex_unlock(&d->shadow_lock);
    return err;
}

enum keer_err decider_backtest(struct decider *d, int64_t number, int64_t since_us, void (*ended)(void *ctx), void *ctx,
                               struct follower **ret_follower, struct db_why *ret_why)
{
    struct version *v = NULL;
    if (decider_state(d) != DECIDER_READY)
        return refused(KEER_EUNSUPPORTED, number, ret_why);
    (void)pthread_mutex_lock(&d->shadow_lock);
    enum keer_err err = find_version(d, number, &v);
    (void)pthread_mutex_unlock(&d->shadow_lock);
    if (err != KEER_OK)
        return refused(err, number, ret_why);
    struct follower_options o = follower_for(d, v, since_us);
    o.once = true;
    o.ended = ended;
    o.ctx = ctx;
    return follower_start(&o, ret_follower, ret_why);
}

void decider_shadow_end(struct decider *d)
{
    (void)pthread_mutex_lock(&d->shadow_lock);
    follower_free(d->shadow);
    d->shadow = NULL;
    (void)pthread_mutex_unlock(&d->shadow_lock);
}

void shadow_release(struct decider *d) { decider_shadow_end(d); }

void decider_shadow_view(struct decider *d, struct shadow_view *ret_view)
{
    *ret_view = (struct shadow_view){0};
    (void)pthread_mutex_lock(&d->shadow_lock);
    if (d->shadow) {
        const struct follower_options *o = follower_about(d->shadow);
        ret_view->number = o->version->number;
        ret_view->since_us = o->since_us;
        ret_view->promotes = o->promote;
        ret_view->seq = follower_seq(d->shadow);
        ret_view->state = follower_state(d->shadow);
        follower_compare(d->shadow, &ret_view->comparison);
    }
    (void)pthread_mutex_unlock(&d->shadow_lock);
}

/* --- promotion --- */

enum keer_err decider_promote(struct decider *d, struct promotion *p)
{
    enum decider_state state = decider_state(d);
    if (state != DECIDER_READY)
        return state == DECIDER_FAILED ? KEER_EIO : KEER_EUNSUPPORTED;
    (void)pthread_mutex_lock(&d->submitted_lock);
    bool closed = d->submitted_closed;
    if (!closed) {
        p->next = d->promotions;
        d->promotions = p;
        (void)pthread_cond_signal(&d->submitted_filled);
    }
    (void)pthread_mutex_unlock(&d->submitted_lock);
    return closed ? KEER_EUNSUPPORTED : KEER_OK;
}

static void told(struct promotion *p, enum keer_err err)
{
    UNUSED(err); /* promote_one has logged it */
    free(p);
}

void decider_promote_when_ready(struct decider *d, int64_t number)
{
    struct promotion *p = calloc(1, sizeof *p);
    if (p) {
        *p = (struct promotion){.number = number, .who = "when ready", .done = told};
        if (decider_promote(d, p) == KEER_OK)
            return;
    }
    free(p);
    log_put(d->o.log, LOG_WARNING, "policy %lld is ready and was not promoted", (long long)number);
}

struct turning {
    struct policy_turn turn;
    atomic_int end; /* -1: under way */
};

static enum keer_err turn_run(struct db *db, struct write_task *t)
{
    const struct turning *turning = t->ctx;
    return policies_turn(db, &turning->turn);
}

static void turn_done(struct write_task *t, enum keer_err err)
{
    struct turning *turning = t->ctx;
    atomic_store(&turning->end, (int)err);
}

/* The engine's thread waits for the writer's. */
static enum keer_err write_turn(struct decider *d, const struct policy_turn *turn)
{
    struct turning turning = {.turn = *turn};
    struct write_task task = {.run = turn_run, .done = turn_done, .ctx = &turning};
    atomic_store(&turning.end, -1);
    enum keer_err err = decider_write(d, &task);
    if (err != KEER_OK)
        return err;
    while (atomic_load(&turning.end) < 0)
        nap();
    return (enum keer_err)atomic_load(&turning.end);
}

/* The engines change places; what decided follows on. */
static void change_places(struct decider *d, struct version *v, struct keer_engine *engine, struct reading *reading)
{
    struct version *before = deciding(d);
    struct db_why why;
    struct follower_options o = follower_for(d, before, d->o.wall_us());
    o.engine = d->engine;
    o.seq = d->seq;
    follower_free(d->shadow);
    d->shadow = NULL;
    reading_free(d->reading);
    d->reading = reading;
    d->engine = engine;
    atomic_store(&d->version, v);
    keeper_turn(d->keeper, v->policy, &v->hash);
    if (follower_start(&o, &d->shadow, &why) != KEER_OK) {
        keer_engine_free(o.engine);
        log_put(d->o.log, LOG_WARNING, "policy %lld does not follow on: %s", (long long)before->number, why.text);
    }
}

/* With shadow_lock. */
static enum keer_err promote_one(struct decider *d, struct promotion *p)
{
    struct keer_engine *engine = NULL;
    struct reading *reading = NULL;
    if (!d->shadow)
        return KEER_EMISSING;
    struct version *v = follower_about(d->shadow)->version;
    if (p->number && v->number != p->number)
        return KEER_EMISSING;
    enum keer_err err = reading_new(&v->policy->schema, &reading);
    if (err == KEER_OK)
        err = follower_take(d->shadow, d->seq, PROMOTE_WAIT_US, &engine);
    struct policy_turn turn = {.policy = v->number,
                               .action = p->number ? POLICY_PROMOTED : POLICY_ROLLED_BACK,
                               .after_seq = d->seq,
                               .at_us = d->o.wall_us()};
    memcpy(turn.who, p->who, sizeof turn.who);
    if (err == KEER_OK)
        err = write_turn(d, &turn);
    if (err != KEER_OK) {
        keer_engine_free(engine);
        reading_free(reading);
        return err;
    }
    p->after_seq = d->seq;
    change_places(d, v, engine, reading);
    return KEER_OK;
}

void promotions_run(struct decider *d, struct promotion *list)
{
    while (list) {
        struct promotion *p = list;
        list = p->next;
        while (atomic_load(&d->committed) < d->seq && decider_state(d) != DECIDER_FAILED)
            nap();
        (void)pthread_mutex_lock(&d->shadow_lock);
        enum keer_err err = decider_state(d) == DECIDER_FAILED ? KEER_EIO : promote_one(d, p);
        (void)pthread_mutex_unlock(&d->shadow_lock);
        if (err == KEER_OK)
            log_put(d->o.log, LOG_INFO, "policy %lld decides from row %lld on (%s)", (long long)deciding(d)->number,
                    (long long)d->seq + 1, p->who);
        else
            log_put(d->o.log, LOG_WARNING, "policy %lld was not promoted: %s", (long long)p->number, keer_err_text(err));
        p->done(p, err);
    }
}
