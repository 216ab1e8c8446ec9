/* settle.c - asking until it is settled.
 *
 *     settle_tick ─► find_due ─► turn: rows ─┬─ work ─ the timer's worker ──┐  each takes the next row
 *                                            └─ work ─ helpers (desk_take) ─┴─► all have ended ─► the next rows
 */
#include "flow/settle.h"

#include <pthread.h>

#include "base/timefmt.h"
#include "flow/notifier.h"
#include "wallet/open.h"

struct due {
    const char *wallet;
    int64_t now_us;
    bool asks; /* the wallet may be asked; else only what lapses without it is due */
    unsigned max;
    struct id charge[SETTLE_A_TURN], refund[SETTLE_A_TURN];
    unsigned charges, refunds;
};

static enum keer_err find_due(struct db *db, void *ctx)
{
    struct due *d = ctx;
    enum keer_err err = charge_due(db, d->wallet, d->asks, d->now_us, d->max, d->charge, &d->charges);
    return err == KEER_OK && d->asks ? refund_due(db, d->wallet, d->now_us, d->max, d->refund, &d->refunds) : err;
}

/* A failure of the database ends the daemon; whatever else it is, the row is due again. */
static void told(const struct settle *s, struct desk_worker *w, const struct id *what, enum keer_err err)
{
    if (err != KEER_OK && err != KEER_EMISSING && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_ERROR, "wallet %s: what becomes of %s can't be written: %s", wallet_name(s->wallet),
                what->text, keer_err_text(err));
}

/* Calls, and writes what was said. False when that failed: the row is due again later. */
static bool call_charge(const struct settle *s, struct desk_worker *w, struct pay_case *c)
{
    pay_call(s->p, c);
    c->now_us = desk_wall_us(w);
    enum keer_err err = desk_write(w, pay_settle, c);
    if (err == KEER_OK && c->charge.paid_now)
        notifier_wake(s->p->steps->accounts->notifier);
    told(s, w, &c->id, err);
    return err == KEER_OK;
}

bool settle_charge(const struct settle *s, struct desk_worker *w, const struct id *charge)
{
    struct pay_case c = {.p = s->p,
                         .id = *charge,
                         .now_us = desk_wall_us(w),
                         .can_cancel = wallet_driver(s->wallet)->can & WALLET_CAN_CANCEL};
    enum keer_err err = desk_write(w, pay_turn, &c);
    told(s, w, charge, err);
    if (err != KEER_OK || c.next == PAY_ANSWER)
        return err == KEER_OK || err == KEER_EMISSING;
    bool cancelled = c.next == PAY_CANCEL;
    if (!call_charge(s, w, &c))
        return false;
    if (cancelled && c.settled == CHARGE_IS_OPEN) { /* it could not: how does it stand? */
        c.next = PAY_QUERY;
        return call_charge(s, w, &c);
    }
    if (!cancelled && pay_after(&c) == PAY_CANCEL) /* refused twice, without a signature */
        return call_charge(s, w, &c);
    if (cancelled || c.settled != CHARGE_IS_ABSENT)
        return true;
    err = desk_write(w, pay_again, &c);
    told(s, w, charge, err);
    bool done = err == KEER_OK && (c.next == PAY_ANSWER || call_charge(s, w, &c));
    agreement_wipe(&c.agreement);
    return done;
}

bool settle_refund(const struct settle *s, struct desk_worker *w, const struct id *refund)
{
    struct give_case c = {.p = s->p, .id = *refund, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_write(w, give_turn, &c);
    if (err == KEER_OK) {
        give_query(s->p, &c);
        c.now_us = desk_wall_us(w);
        err = desk_write(w, give_settle, &c);
    }
    if (err == KEER_OK && c.settled == CHARGE_IS_ABSENT) {
        give_call(s->p, &c, /* again */ true);
        c.now_us = desk_wall_us(w);
        err = desk_write(w, give_settle, &c);
    }
    told(s, w, refund, err);
    return err == KEER_OK || err == KEER_EMISSING;
}

/* --- a turn --- */

struct turn;
struct helper {
    struct desk_job job;
    struct turn *turn;
};
struct turn { /* on the stack of the timer's worker, who waits for every helper */
    const struct settle *s;
    struct due due;
    int64_t until_us;
    pthread_mutex_t lock; /* what is below */
    pthread_cond_t ended;
    unsigned next, helping;
    bool failed; /* the database did: the rows that are left wait for the next turn */
    struct helper helper[SETTLE_HELPERS_MAX];
};

static bool take_row(struct turn *t, unsigned *ret)
{
    (void)pthread_mutex_lock(&t->lock);
    *ret = t->next;
    bool any = !t->failed && t->next < t->due.charges + t->due.refunds;
    t->next += any;
    (void)pthread_mutex_unlock(&t->lock);
    return any;
}

/* Rows, until there is none, the time is over, or the breaker has opened: what was not begun stays due. */
static void work(struct turn *t, struct desk_worker *w)
{
    const struct due *d = &t->due;
    unsigned i;
    for (;;) {
        int64_t now_us = desk_wall_us(w);
        if (now_us >= t->until_us || (d->asks && wallet_room(t->s->wallet, now_us) == WALLET_SHUT) || !take_row(t, &i))
            return;
        bool ok =
            i < d->charges ? settle_charge(t->s, w, &d->charge[i]) : settle_refund(t->s, w, &d->refund[i - d->charges]);
        if (ok)
            continue;
        (void)pthread_mutex_lock(&t->lock);
        t->failed = true;
        (void)pthread_mutex_unlock(&t->lock);
    }
}

static void help(struct desk_job *j, struct desk_worker *w)
{
    struct turn *t = ((struct helper *)j->ctx)->turn;
    work(t, w);
    (void)pthread_mutex_lock(&t->lock);
    t->helping--;
    (void)pthread_cond_signal(&t->ended);
    (void)pthread_mutex_unlock(&t->lock);
}

static void call_helpers(struct turn *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct helper *h = &t->helper[i];
        *h = (struct helper){.job = {.run = help, .ctx = h}, .turn = t};
        (void)pthread_mutex_lock(&t->lock);
        t->helping++;
        (void)pthread_mutex_unlock(&t->lock);
        if (desk_take(t->s->helpers, &h->job))
            continue;
        (void)pthread_mutex_lock(&t->lock);
        t->helping--;
        (void)pthread_mutex_unlock(&t->lock);
        return; /* the desk is full, or stops: it goes on with those that there are */
    }
}

static void wait_helpers(struct turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->helping)
        (void)pthread_cond_wait(&t->ended, &t->lock);
    (void)pthread_mutex_unlock(&t->lock);
}

/* Whether there may be more that is due now. */
static bool one_turn(struct turn *t, struct desk_worker *w)
{
    const struct settle *s = t->s;
    int64_t now_us = desk_wall_us(w);
    enum wallet_room room = wallet_room(s->wallet, now_us);
    t->due = (struct due){.wallet = wallet_name(s->wallet),
                          .now_us = now_us,
                          .asks = room != WALLET_SHUT,
                          .max = room == WALLET_ONE ? 1 : SETTLE_A_TURN};
    t->next = 0;
    if (desk_read(w, find_due, &t->due) != KEER_OK)
        return false;
    if (room == WALLET_ONE && t->due.charges)
        t->due.refunds = 0;
    unsigned rows = t->due.charges + t->due.refunds;
    bool more = t->due.asks && (t->due.charges == t->due.max || t->due.refunds == t->due.max);
    if (room == WALLET_ANY && s->helpers && rows > 1)
        call_helpers(t, MIN_OF(rows - 1, s->helpers_max));
    work(t, w);
    wait_helpers(t);
    return more && !t->failed;
}

void settle_tick(struct desk_worker *w, void *ctx)
{
    struct turn t = {.s = ctx, .until_us = desk_wall_us(w) + SETTLE_TURN_US};
    (void)pthread_mutex_init(&t.lock, NULL);
    (void)pthread_cond_init(&t.ended, NULL);
    while (one_turn(&t, w) && desk_wall_us(w) < t.until_us)
        continue;
    (void)pthread_cond_destroy(&t.ended);
    (void)pthread_mutex_destroy(&t.lock);
}

/* --- rows whose wallet is not known --- */

#define OPEN_WALLETS_MAX 64
struct open_rows {
    struct wallet_open rows[OPEN_WALLETS_MAX];
    struct wallet_stuck stuck[OPEN_WALLETS_MAX];
    unsigned count, stuck_count;
    int64_t now_us;
};
static enum keer_err find_open(struct db *db, void *ctx)
{
    struct open_rows *o = ctx;
    enum keer_err err = wallet_open_rows(db, OPEN_WALLETS_MAX, o->rows, &o->count);
    return err == KEER_OK
               ? wallet_stuck_rows(db, o->now_us - AGREEMENT_STUCK_US, OPEN_WALLETS_MAX, o->stuck, &o->stuck_count)
               : err;
}

static void tell_stuck(struct orphans *o, struct desk_worker *w, const struct open_rows *open, bool tell)
{
    for (unsigned i = 0; i < open->stuck_count; i++) {
        const struct wallet_stuck *r = &open->stuck[i];
        if (tell || i >= atomic_load(&o->stuck))
            log_put(
                desk_log(w), LOG_WARNING,
                "agreement %s (number %s at wallet %s) is ending since %lld days, and the wallet has said nothing that is "
                "signed: nothing is charged on it; see on the wallet's own pages whether it is over, and say so with "
                "ended_at_wallet",
                r->id.text, r->number, r->wallet, (long long)((open->now_us - r->since_us) / US_DAY));
    }
    atomic_store(&o->stuck, open->stuck_count);
}

void orphans_tick(struct desk_worker *w, void *ctx)
{
    struct orphans *o = ctx;
    int64_t now_us = desk_wall_us(w), rows = 0;
    struct open_rows open = {.now_us = now_us};
    enum keer_err err = desk_read(w, find_open, &open);
    if (err != KEER_OK) {
        if (err != KEER_EUNSUPPORTED)
            log_put(desk_log(w), LOG_ERROR, "what waits for wallets can't be read: %s", keer_err_text(err));
        return;
    }
    bool tell = !o->told_us || now_us - o->told_us >= US_HOUR || now_us < o->told_us;
    for (unsigned i = 0; i < open.count; i++) {
        const struct wallet_open *r = &open.rows[i];
        if (o->list && wallets_find(o->list, slice_str(r->wallet)))
            continue;
        rows += r->charges + r->refunds + r->agreements;
        if (tell || rows > atomic_load(&o->rows))
            log_put(
                desk_log(w), LOG_WARNING,
                "wallet %s is not in the file of wallets: %lld charges, %lld refunds and %lld agreements wait for it, and "
                "nobody settles them; put it back, or see `keer ledger open` and `keer reconcile --wallet %s`",
                r->wallet, (long long)r->charges, (long long)r->refunds, (long long)r->agreements, r->wallet);
    }
    bool told_new = rows > atomic_load(&o->rows) || open.stuck_count > atomic_load(&o->stuck);
    tell_stuck(o, w, &open, tell);
    if ((rows || open.stuck_count) && (tell || told_new))
        o->told_us = now_us;
    atomic_store(&o->rows, rows);
}

struct releasing {
    int64_t now_us;
    unsigned count;
};

static enum keer_err release(struct db *db, void *ctx)
{
    struct releasing *r = ctx;
    return balance_release_due(db, r->now_us, SETTLE_A_TURN, &r->count);
}

static enum keer_err look_due(struct db *db, void *ctx)
{
    struct releasing *r = ctx;
    return balance_due(db, r->now_us, &r->count);
}

void balance_tick(struct desk_worker *w, void *ctx)
{
    struct releasing r = {.now_us = desk_wall_us(w)};
    UNUSED(ctx);
    enum keer_err err = desk_read(w, look_due, &r);
    if (err == KEER_OK && r.count) /* writing for nothing would wake the disk each second */
        err = desk_write(w, release, &r);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_ERROR, "holds that are over can't be released: %s", keer_err_text(err));
}
