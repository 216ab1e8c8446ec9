/* refund.c - the way of a refund. */
#include "flow/refund.h"

#include "base/timefmt.h"
#include "base/utf8.h"

static void hash_body(const struct give_ask *a, enum currency currency, struct crypto_hash *ret)
{
    char head[128];
    (void)snprintf(head, sizeof head, "refund %lld %s", (long long)a->amount_minor, currency_code(currency));
    crypto_sha256(slice_str(head), ret);
    crypto_sha256_add(ret, id_slice(&a->charge));
    crypto_sha256_add(ret, a->reason.len ? a->reason : SLICE(""));
}

enum keer_err give_add(struct db *db, void *ctx)
{
    struct give_case *c = ctx;
    const struct give_ask *a = c->ask;
    enum keer_err err = charge_read(db, &a->charge, &c->charge);
    if (err == KEER_OK && !slice_eq(a->client, slice_str(c->charge.client)))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    struct refund_new n = {.client = a->client,
                           .key = a->key,
                           .reason = a->reason,
                           .charge = a->charge,
                           .amount_minor = a->amount_minor,
                           .currency = a->currency == CUR_MAX ? c->charge.currency : a->currency};
    hash_body(a, n.currency, &n.body);
    err = refund_add(db, &n, c->now_us, &c->refund, &c->fresh);
    if (err == KEER_OK)
        err = charge_read(db, &a->charge, &c->charge);
    c->id = c->refund.id;
    return err;
}

enum keer_err give_look(struct db *db, void *ctx)
{
    struct give_case *c = ctx;
    enum keer_err err = refund_read(db, &c->id, &c->refund);
    if (err == KEER_OK)
        err = charge_read(db, &c->refund.charge, &c->charge);
    return err == KEER_OK && c->client.len && !slice_eq(c->client, slice_str(c->charge.client)) ? KEER_EMISSING : err;
}

enum keer_err give_settle(struct db *db, void *ctx)
{
    struct give_case *c = ctx;
    c->refund.id = c->id;
    enum keer_err err = refund_settle(db, &c->p->terms, &c->said, c->now_us, &c->refund, &c->settled);
    return err == KEER_OK ? charge_read(db, &c->refund.charge, &c->charge) : err;
}

enum keer_err give_turn(struct db *db, void *ctx)
{
    struct give_case *c = ctx;
    c->refund.id = c->id;
    enum keer_err err = refund_turn(db, c->now_us, &c->refund);
    return err == KEER_OK ? charge_read(db, &c->refund.charge, &c->charge) : err;
}

/* The same bytes whenever it is sent. False when there is no such wallet. */
static bool ask_of(const struct pay *p, const struct give_case *c, char notify[NET_URL_BYTES], struct wallet **ret_wallet,
                   struct wallet_refund_ask *ret)
{
    *ret_wallet = p->wallets ? wallets_find(p->wallets->list, slice_str(c->charge.wallet)) : NULL;
    if (!*ret_wallet)
        return false;
    bool told = flow_wallet_notify(p->wallets, *ret_wallet, notify);
    *ret = (struct wallet_refund_ask){.number = c->refund.number,
                                      .charge = c->charge.number,
                                      .charge_ref = c->charge.ref,
                                      .amount_minor = c->refund.amount_minor,
                                      .charged_minor = c->charge.amount_minor,
                                      .currency = c->refund.currency,
                                      .reason = slice_str(c->refund.reason),
                                      .notify_url = told ? slice_str(notify) : SLICE("")};
    return true;
}

static void begin(struct give_case *c, enum charge_way way, bool again)
{
    c->said =
        (struct refund_said){.way = way, .again = again, .answer = WALLET_NOT_SENT, .why = {.reason = WALLET_UNREACHABLE}};
}

void give_call(const struct pay *p, struct give_case *c, bool again)
{
    char notify[NET_URL_BYTES];
    struct wallet_refund_ask ask;
    struct wallet *wallet;
    begin(c, CHARGE_BY_ANSWER, again);
    if (!ask_of(p, c, notify, &wallet, &ask))
        return;
    struct wallet_calls calls = p->wallets->calls;
    c->said.answer = wallet_refund(wallet, &calls, &ask, &c->said.refund, &c->said.why);
}

void give_query(const struct pay *p, struct give_case *c)
{
    char notify[NET_URL_BYTES];
    struct wallet_refund_ask ask;
    struct wallet *wallet;
    begin(c, CHARGE_BY_QUERY, /* again */ false);
    if (!ask_of(p, c, notify, &wallet, &ask))
        return;
    struct wallet_calls calls = p->wallets->calls;
    c->said.answer = wallet_refund_query(wallet, &calls, &ask, &c->said.refund, &c->said.why);
}

/* --- events --- */

/* "refund-ID", "refund-ID-end" */
static void print_event(const struct give_case *c, bool ended, struct buf *out)
{
    const struct refund *r = &c->refund;
    char id[16 + ID_BYTES];
    struct buf reason;
    buf_init(&reason, 1024);
    (void)snprintf(id, sizeof id, "refund-%s%s", r->id.text, ended ? "-end" : "");
    if (r->reason[0]) {
        buf_puts(&reason, "\"reason\":");
        buf_json(&reason, utf8_cut(slice_str(r->reason), LIMIT_NAME_BYTES));
    }
    struct desk_event e = {.id = slice_str(id),
                           .type = ended ? SLICE("refund_decided") : SLICE("refund_requested"),
                           .account = id_slice(&c->charge.account),
                           .wallet = slice_str(c->charge.wallet),
                           .agreement = id_slice(&c->charge.agreement),
                           .item = slice_str(c->charge.item),
                           .device = slice_str(c->charge.device),
                           .time_us = ended ? r->state_us : r->created_us,
                           .more = buf_view(&reason)};
    if (ended)
        e.outcome = r->state == REFUND_PAID ? SLICE("granted") : SLICE("declined");
    if (r->amount_minor > 0) {
        e.currency = slice_str(currency_code(r->currency));
        e.amount_minor = r->amount_minor;
    }
    desk_event_print(&e, e.time_us, out);
    out->err = out->err == KEER_OK ? reason.err : out->err;
    buf_release(&reason);
}

struct telling {
    struct give_case c; /* first: what it is of */
    int64_t told;
};
static enum keer_err was_told(struct db *db, void *ctx)
{
    struct telling *t = ctx;
    return refund_was_told(db, &t->c.id, t->told);
}

static enum keer_err tell(struct desk_worker *w, struct telling *t, bool ended)
{
    struct buf event;
    struct desk_decision d = {0};
    buf_init(&event, CHARGE_REQUEST_BYTES);
    print_event(&t->c, ended, &event);
    enum keer_err err = event.err != KEER_OK ? event.err : desk_decide_text(w, buf_view(&event), &d);
    buf_release(&event);
    buf_release(&d.answer);
    switch (err) {
    case KEER_OK: break;
    case KEER_EFULL:
    case KEER_EUNSUPPORTED:
    case KEER_EIO:
    case KEER_ENOMEM: return err;
    default: /* it never will be: a policy that knows the attribute otherwise */
        log_put(desk_log(w), LOG_WARNING, "refund %s is not told as an event: %s", t->c.id.text, keer_err_text(err));
        break;
    }
    t->told = ended ? REFUND_TOLD_END : REFUND_TOLD_REQUEST;
    return desk_write(w, was_told, t);
}

enum keer_err give_tell(const struct pay *p, struct desk_worker *w, const struct id *refund)
{
    struct telling t = {.c = {.p = p, .id = *refund}};
    enum keer_err err = desk_read(w, give_look, &t.c);
    const struct refund *r = &t.c.refund;
    if (err == KEER_OK && r->told == REFUND_TOLD_NOTHING && !r->by_wallet)
        err = tell(w, &t, /* ended */ false);
    if (err == KEER_OK && r->told != REFUND_TOLD_END && refund_has_ended(r))
        err = tell(w, &t, /* ended */ true);
    return err;
}

struct untold {
    struct id ids[GIVE_A_TICK];
    unsigned count;
};
static enum keer_err find_untold(struct db *db, void *ctx)
{
    struct untold *u = ctx;
    return refund_untold(db, GIVE_A_TICK, u->ids, &u->count);
}

void give_tick(struct desk_worker *w, void *ctx)
{
    struct untold u = {.count = 0};
    enum keer_err err = desk_read(w, find_untold, &u);
    for (unsigned i = 0; err == KEER_OK && i < u.count; i++)
        err = give_tell(ctx, w, &u.ids[i]);
    if (err != KEER_OK && err != KEER_EFULL && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_ERROR, "refunds can't be told as events: %s", keer_err_text(err));
}

enum keer_err give_back(const struct pay *p, struct desk_worker *w, const struct give_ask *ask, struct give_case *ret)
{
    *ret = (struct give_case){.p = p, .ask = ask, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_write(w, give_add, ret);
    bool late = desk_wall_us(w) >= ret->refund.created_us + PAY_SEND_US; /* the timer has it by now */
    if (err == KEER_OK && ret->fresh && ret->refund.state == REFUND_SUBMITTED && !late) {
        give_call(p, ret, /* again */ false);
        ret->now_us = desk_wall_us(w);
        err = desk_write(w, give_settle, ret);
    }
    enum keer_err told = err == KEER_OK && ret->fresh ? give_tell(p, w, &ret->id) : KEER_OK;
    if (told != KEER_OK)
        log_put(desk_log(w), LOG_INFO, "refund %s is told as an event later: %s", ret->id.text, keer_err_text(told));
    return err;
}
