/* refund.c - the way of a refund. */
#include "flow/refund.h"

#include "base/timefmt.h"

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

enum keer_err give_back(const struct pay *p, struct desk_worker *w, const struct give_ask *ask, struct give_case *ret)
{
    *ret = (struct give_case){.p = p, .ask = ask, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_write(w, give_add, ret);
    if (err != KEER_OK || !ret->fresh || ret->refund.state != REFUND_SUBMITTED)
        return err;
    if (desk_wall_us(w) >= ret->refund.created_us + PAY_SEND_US) /* the timer has it by now */
        return KEER_OK;
    give_call(p, ret, /* again */ false);
    ret->now_us = desk_wall_us(w);
    return desk_write(w, give_settle, ret);
}
