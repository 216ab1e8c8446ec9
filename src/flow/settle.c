/* settle.c - asking until it is settled. */
#include "flow/settle.h"

#include "base/timefmt.h"
#include "flow/notifier.h"
#include "wallet/open.h"

struct due {
    const char *wallet;
    int64_t now_us;
    struct id charge[SETTLE_A_TURN], refund[SETTLE_A_TURN];
    unsigned charges, refunds;
};

static enum keer_err find_due(struct db *db, void *ctx)
{
    struct due *d = ctx;
    enum keer_err err = charge_due(db, d->wallet, d->now_us, SETTLE_A_TURN, d->charge, &d->charges);
    return err == KEER_OK ? refund_due(db, d->wallet, d->now_us, SETTLE_A_TURN, d->refund, &d->refunds) : err;
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

void settle_charge(const struct settle *s, struct desk_worker *w, const struct id *charge)
{
    struct pay_case c = {.p = s->p,
                         .id = *charge,
                         .now_us = desk_wall_us(w),
                         .can_cancel = wallet_driver(s->wallet)->can & WALLET_CAN_CANCEL};
    enum keer_err err = desk_write(w, pay_turn, &c);
    told(s, w, charge, err);
    if (err != KEER_OK || c.next == PAY_ANSWER)
        return;
    bool cancelled = c.next == PAY_CANCEL;
    if (!call_charge(s, w, &c))
        return;
    if (cancelled && c.settled == CHARGE_IS_OPEN) { /* it could not: how does it stand? */
        c.next = PAY_QUERY;
        if (!call_charge(s, w, &c))
            return;
    }
    if (!cancelled && pay_after(&c) == PAY_CANCEL) { /* refused twice, without a signature */
        (void)call_charge(s, w, &c);
        return;
    }
    if (cancelled || c.settled != CHARGE_IS_ABSENT)
        return;
    err = desk_write(w, pay_again, &c);
    told(s, w, charge, err);
    if (err == KEER_OK && c.next != PAY_ANSWER)
        (void)call_charge(s, w, &c);
    agreement_wipe(&c.agreement);
}

void settle_refund(const struct settle *s, struct desk_worker *w, const struct id *refund)
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
}

void settle_tick(struct desk_worker *w, void *ctx)
{
    const struct settle *s = ctx;
    struct due d = {.wallet = wallet_name(s->wallet), .now_us = desk_wall_us(w)};
    int64_t until_us = d.now_us + SETTLE_TURN_US;
    if (desk_read(w, find_due, &d) != KEER_OK)
        return;
    for (unsigned i = 0; i < d.charges && desk_wall_us(w) < until_us; i++)
        settle_charge(s, w, &d.charge[i]);
    for (unsigned i = 0; i < d.refunds && desk_wall_us(w) < until_us; i++)
        settle_refund(s, w, &d.refund[i]);
}

/* --- rows whose wallet is not known --- */

#define OPEN_WALLETS_MAX 64
struct open_rows {
    struct wallet_open rows[OPEN_WALLETS_MAX];
    unsigned count;
};
static enum keer_err find_open(struct db *db, void *ctx)
{
    struct open_rows *o = ctx;
    return wallet_open_rows(db, OPEN_WALLETS_MAX, o->rows, &o->count);
}

void orphans_tick(struct desk_worker *w, void *ctx)
{
    struct orphans *o = ctx;
    struct open_rows open = {.count = 0};
    int64_t now_us = desk_wall_us(w), rows = 0;
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
    if (rows && (tell || rows > atomic_load(&o->rows)))
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
