/* recover.c - recovery at the desk, 'not me', and what happens by the clock. */
#include "flow/recover.h"

#include "flow/notifier.h"
#include "store/query.h"

#define KEEP_US (30 * US_DAY)
#define FORGET_ROWS 1000
#define ROUNDS_MAX 64 /* transactions of one tick */

/* --- start --- */

struct starting {
    const struct steps *s;
    const struct visitor *v;
    struct recovery_start start;
    int64_t now_us;
    struct attempt_begun begun;
    struct recover *ret;
};

static enum keer_err start(struct db *db, void *ctx)
{
    struct starting *t = ctx;
    struct attempt_subject subject = {.address = slice_str(t->v->ip)};
    enum keer_err err = attempt_begin(db, ATTEMPT_USE_PROBE, &subject, t->now_us, &t->begun);
    if (err != KEER_OK || t->begun.verdict != ATTEMPT_MAY)
        return err;
    return recovery_start(db, &t->s->guard, &t->start, t->now_us, &t->ret->recovery);
}

enum keer_err recover_start(const struct steps *s, struct desk_worker *w, const struct visitor *v, struct slice name,
                            struct recover *ret)
{
    struct starting t = {
        .s = s,
        .v = v,
        .start = {.name = name, .device_hash = v->device, .where = visitor_where(v), .family = visitor_what(v)},
        .now_us = desk_wall_us(w),
        .ret = ret};
    struct desk_decision d = {0};
    *ret = (struct recover){.outcome = RECOVER_LATER};
    enum keer_err err = desk_write(w, start, &t);
    ret->retry_us = t.begun.retry_us;
    if (err != KEER_OK || t.begun.verdict != ATTEMPT_MAY)
        return err;
    /* Of whom, is told to the engine when something was proved: the event of a start has no account. */
    struct id none = {0};
    struct desk_event e = visitor_event(v, &none, "recovery_started");
    err = desk_decide(w, &e, &d);
    ret->outcome = d.outcome == KEER_DENY ? RECOVER_DENIED : RECOVER_FLOW;
    buf_release(&d.answer);
    return err;
}

/* --- proofs --- */

struct proving {
    const struct steps *s;
    const struct visitor *v;
    const struct id *flow;
    struct slice code;
    int64_t now_us;
    struct attempt_begun begun;
    struct recover *ret;
    bool right;
};

/* A browser that the account knows has a bucket of its own, here too. */
static enum keer_err count(struct db *db, void *ctx)
{
    struct proving *p = ctx;
    struct device device;
    struct id bucket;
    enum keer_err err = recovery_get(db, p->flow, p->now_us, &p->ret->recovery);
    if (err == KEER_OK && p->ret->recovery.state != RECOVERY_OPEN)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = recovery_bucket(db, p->flow, &bucket);
    if (err != KEER_OK)
        return err;
    err = device_find(db, &p->ret->recovery.account, &p->v->device, &device);
    bool known = err == KEER_OK && !device.revoked_us;
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    struct attempt_subject subject = {.account = id_slice(&bucket),
                                      .device = known ? id_slice(&device.id) : SLICE(""),
                                      .challenge = id_slice(p->flow),
                                      .address = slice_str(p->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CONTACT, &subject, p->now_us, &p->begun);
}

static enum keer_err prove(struct db *db, void *ctx)
{
    struct proving *p = ctx;
    enum keer_err err = recovery_prove(db, &p->s->guard, p->flow, p->code, p->now_us, &p->right, &p->ret->recovery);
    if (err == KEER_OK && p->right)
        err = attempt_ok(db, &p->begun.attempt);
    if (err == KEER_OK && p->right)
        err = recovery_ready(db, &p->ret->recovery, false, &p->ret->ready);
    return err;
}

enum keer_err recover_prove(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *flow,
                            struct slice code, struct recover *ret)
{
    struct proving p = {.s = s, .v = v, .flow = flow, .code = code, .now_us = desk_wall_us(w), .ret = ret};
    struct desk_decision d = {0};
    *ret = (struct recover){.outcome = RECOVER_OVER};
    enum keer_err err = desk_write(w, count, &p);
    if (err == KEER_OK && p.begun.verdict == ATTEMPT_MAY)
        err = desk_write(w, prove, &p);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err != KEER_OK)
        return err;
    ret->retry_us = p.begun.retry_us;
    ret->outcome = p.begun.verdict == ATTEMPT_LATER     ? RECOVER_LATER
                   : p.begun.verdict == ATTEMPT_USED_UP ? RECOVER_OVER
                   : p.right                            ? RECOVER_FLOW
                                                        : RECOVER_WRONG;
    if (!p.right)
        return KEER_OK;
    struct desk_event e = visitor_event(v, &ret->recovery.account, "recovery_started");
    e.outcome = SLICE("success");
    err = desk_decide(w, &e, &d);
    if (d.outcome == KEER_DENY)
        ret->outcome = RECOVER_DENIED;
    buf_release(&d.answer);
    return err;
}

/* --- the end --- */

struct finishing {
    const struct steps *s;
    const struct id *flow;
    struct slice password;
    int64_t now_us;
    bool lost, ready;
    char phc[PASSWORD_PHC_BYTES];
    struct recover *ret;
};

/* Whether something was proved, and whether the new password is taken. */
static enum keer_err judge(struct db *db, void *ctx)
{
    struct finishing *f = ctx;
    struct password_context context;
    unsigned methods = 0;
    enum keer_err err = recovery_get(db, f->flow, f->now_us, &f->ret->recovery);
    if (err == KEER_OK && (f->ret->recovery.state != RECOVERY_OPEN || !(f->ret->recovery.ways & ~(unsigned)RECOVERY_DEVICE)))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = authenticators_methods(db, &f->ret->recovery.account, &methods);
    if (err == KEER_OK)
        err = recovery_ready(db, &f->ret->recovery, f->lost, &f->ready);
    if (err != KEER_OK)
        return err;
    password_context_init(&context, f->s->accounts, methods != 0 && !f->lost);
    err = password_context_account(&context, db, &f->ret->recovery.account);
    if (err == KEER_OK)
        f->ret->flaw = password_judge(f->password, &context.rules);
    return err;
}

static enum keer_err finish(struct db *db, void *ctx)
{
    struct finishing *f = ctx;
    return recovery_finish(db, &f->s->guard, f->flow, slice_str(f->phc), f->lost, f->now_us, &f->ret->recovery);
}

enum keer_err recover_finish(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *flow,
                             struct slice password, bool lost, struct recover *ret)
{
    struct finishing f = {.s = s, .flow = flow, .password = password, .now_us = desk_wall_us(w), .lost = lost, .ret = ret};
    struct desk_decision d = {0};
    *ret = (struct recover){.outcome = RECOVER_OVER};
    enum keer_err err = desk_read(w, judge, &f);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK && ret->flaw != PASSWORD_FINE) {
        ret->outcome = RECOVER_FLAW;
        return KEER_OK;
    }
    if (err == KEER_OK && !password_worker_place(s->accounts->passwords)) {
        ret->outcome = RECOVER_FULL;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = password_worker_hash(s->accounts->passwords, password, &ret->recovery.account, f.phc);
    /* One that waits is told to the engine when it is done: a thief's wrong answers must not keep its owner from asking. */
    struct desk_event e = visitor_event(v, &ret->recovery.account, "password_changed");
    e.session = SLICE("");
    e.step_up = SLICE("recovery");
    if (err == KEER_OK && f.ready)
        err = desk_decide(w, &e, &d);
    bool denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    if (err == KEER_OK && !denied)
        err = desk_write(w, finish, &f);
    crypto_wipe(f.phc, sizeof f.phc);
    ret->outcome = denied                  ? RECOVER_DENIED
                   : err == KEER_ECONFLICT ? RECOVER_CONFLICT
                   : err == KEER_EMISSING  ? RECOVER_OVER
                                           : RECOVER_FLOW;
    notifier_wake(s->accounts->notifier);
    return err == KEER_ECONFLICT || err == KEER_EMISSING ? KEER_OK : err;
}

/* --- calling it off --- */

struct cancelling {
    const struct steps *s;
    const struct visitor *v;
    const struct id *flow;
    int64_t now_us;
    unsigned count;
};
#define CANCEL_MAX 8 /* accounts that one browser is known to, and that wait */

static enum keer_err cancel(struct db *db, void *ctx)
{
    struct cancelling *c = ctx;
    struct id accounts[CANCEL_MAX + 1];
    struct db_stmt *st;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(
        db, &st,
        "SELECT r.account FROM recovery r WHERE r.state = 1 AND (r.id = $1 OR r.account = $2 OR EXISTS"
        " (SELECT 1 FROM device d WHERE d.account = r.account AND d.hash = $3 AND d.revoked_us = 0))"
        " ORDER BY r.due_us LIMIT 8",
        Q_ID(c->flow), Q_TEXT(id_is(&c->v->session) ? id_slice(&c->v->now.account) : SLICE("-")), Q_HASH(&c->v->device));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < CANCEL_MAX && (step = db_step(st)) == DB_ROW)
        err = query_id(st, 0, &accounts[n++]);
    db_free(st);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        err = recovery_cancel(db, &c->s->guard, &accounts[i], visitor_where(c->v), c->now_us);
        c->count += err == KEER_OK;
    }
    return err;
}

enum keer_err recover_cancel(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                             const struct id *flow_or_none, unsigned *ret_count)
{
    struct cancelling c = {s, v, flow_or_none, desk_wall_us(w), 0};
    enum keer_err err = desk_write(w, cancel, &c);
    if (err == KEER_OK)
        *ret_count = c.count;
    notifier_wake(s->accounts->notifier);
    return err;
}

/* --- 'not me' --- */

struct refusing {
    const struct steps *s;
    const struct visitor *v;
    struct slice token;
    enum guard_told told; /* of recover_not_me_own */
    const struct id *id;
    int64_t now_us;
    struct attempt_begun begun;
    struct guard_not_me *ret;
};

static enum keer_err count_token(struct db *db, void *ctx)
{
    struct refusing *r = ctx;
    struct attempt_subject subject = {.address = slice_str(r->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_PROBE, &subject, r->now_us, &r->begun);
}

static enum keer_err not_me(struct db *db, void *ctx)
{
    struct refusing *r = ctx;
    enum keer_err err = guard_not_me(db, &r->s->guard, r->token, r->now_us, r->ret);
    return err == KEER_OK ? attempt_ok(db, &r->begun.attempt) : err;
}

static void not_me_done(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct guard_not_me *r)
{
    notifier_wake(s->accounts->notifier);
    visitor_report(w, v, &r->account, slice_str(r->event));
}

enum keer_err recover_not_me(const struct steps *s, struct desk_worker *w, const struct visitor *v, struct slice token,
                             struct guard_not_me *ret, int64_t *ret_retry_us)
{
    struct refusing r = {.s = s, .v = v, .token = token, .now_us = desk_wall_us(w), .ret = ret};
    *ret_retry_us = 0;
    enum keer_err err = desk_write(w, count_token, &r);
    if (err == KEER_OK && r.begun.verdict != ATTEMPT_MAY) {
        *ret_retry_us = MAX_OF(r.begun.retry_us, 1);
        return KEER_EMISSING;
    }
    if (err == KEER_OK)
        err = desk_write(w, not_me, &r);
    if (err != KEER_OK)
        return err;
    not_me_done(s, w, v, ret);
    return KEER_OK;
}

static enum keer_err not_me_own(struct db *db, void *ctx)
{
    struct refusing *r = ctx;
    return guard_not_me_own(db, &r->s->guard, &r->v->now.account, r->told, r->id, r->now_us, r->ret);
}

enum keer_err recover_not_me_own(const struct steps *s, struct desk_worker *w, const struct visitor *v, enum guard_told told,
                                 const struct id *id, struct guard_not_me *ret)
{
    struct refusing r = {.s = s, .v = v, .told = told, .id = id, .now_us = desk_wall_us(w), .ret = ret};
    enum keer_err err = desk_write(w, not_me_own, &r);
    if (err == KEER_OK)
        not_me_done(s, w, v, ret);
    return err;
}

/* --- the clock --- */

struct ticking {
    const struct steps *s;
    int64_t now_us;
    unsigned count;
    struct recovery recovered; /* one that is done */
};

static enum keer_err tick_changes(struct db *db, void *ctx)
{
    struct ticking *t = ctx;
    return guard_apply_due(db, &t->s->guard, t->now_us,
                           /* one in a transaction: one that fails leaves the others alone */ 1, &t->count);
}
static enum keer_err tick_recoveries(struct db *db, void *ctx)
{
    struct ticking *t = ctx;
    return recovery_apply_due(db, &t->s->guard, t->now_us, &t->recovered, &t->count);
}
static enum keer_err tick_send(struct db *db, void *ctx)
{
    struct ticking *t = ctx;
    return recovery_send(db, &t->s->guard, t->now_us, &t->count);
}
static enum keer_err tick_forget(struct db *db, void *ctx)
{
    struct ticking *t = ctx;
    int64_t n;
    enum keer_err err = challenges_forget(db, t->now_us - KEEP_US, FORGET_ROWS, &n);
    if (err == KEER_OK)
        err = guard_forget(db, t->now_us);
    return err == KEER_OK ? recoveries_forget(db, t->now_us - KEEP_US, FORGET_ROWS) : err;
}

struct due {
    bool any, send;
    int64_t now_us;
};
/* Looked at on a reading connection: a second without work costs the writer nothing. */
static enum keer_err look(struct db *db, void *ctx)
{
    struct due *d = ctx;
    enum keer_err err = QUERY_MET(db,
                                  "SELECT 1 FROM guard_change WHERE state = 0 AND due_us <= $1 UNION ALL"
                                  " SELECT 1 FROM recovery WHERE state = 1 AND due_us <= $1 UNION ALL"
                                  " SELECT 1 FROM recovery WHERE sent = 0 UNION ALL"
                                  " SELECT 1 FROM challenge WHERE until_us < $2 UNION ALL"
                                  " SELECT 1 FROM guard_change WHERE state = 1 AND was <> '' AND ended_us < $3 UNION ALL"
                                  " SELECT 1 FROM recovery WHERE state = 2 AND phc <> '' AND ended_us < $3 UNION ALL"
                                  " SELECT 1 FROM recovery WHERE until_us < $2 AND state <> 1 LIMIT 1",
                                  Q_NUMBER(d->now_us), Q_NUMBER(d->now_us - KEEP_US), Q_NUMBER(d->now_us - GUARD_UNDO_US));
    d->any = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Its password is another one, and its authenticators may be gone: the windows see it. */
static enum keer_err tell_recovered(struct desk_worker *w, const struct recovery *r)
{
    const char *const types[] = {"password_changed", "authenticator_removed"};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < (r->lost ? 2 : 1); i++) {
        struct desk_event e = {.type = slice_str(types[i]), .account = id_slice(&r->account), .step_up = SLICE("recovery")};
        struct desk_decision d = {0};
        err = desk_decide(w, &e, &d);
        buf_release(&d.answer);
    }
    return err;
}

void steps_tick(struct desk_worker *w, void *ctx)
{
    desk_fn *const works[] = {tick_changes, tick_recoveries, tick_send, tick_forget};
    struct ticking t = {.s = ctx, .now_us = desk_wall_us(w)};
    struct due due = {.now_us = t.now_us};
    enum keer_err err = desk_read(w, look, &due);
    for (size_t i = 0; err == KEER_OK && due.any && i < ARRAY_LEN(works); i++)
        for (unsigned round = 0; err == KEER_OK && round < ROUNDS_MAX; round++) {
            t.count = 0;
            t.recovered = (struct recovery){.lost = false};
            err = desk_write(w, works[i], &t);
            if (err == KEER_OK && id_is(&t.recovered.account))
                err = tell_recovered(w, &t.recovered);
            if (!t.count)
                break;
            notifier_wake(t.s->accounts->notifier);
        }
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_ERROR, "what was due of changes and recoveries could not be done: %s", keer_err_text(err));
}
