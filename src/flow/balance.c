/* balance.c - spending what was topped up. */
#include "flow/balance.h"

#include "base/timefmt.h"

static void hash_body(const struct spending_ask *a, struct crypto_hash *ret)
{
    char head[128];
    const struct slice texts[] = {
        id_slice(&a->account), a->payee,   a->item,      a->beneficiary, a->merchant, a->device, a->ip,
        a->user_agent,         a->session, a->return_url};
    (void)snprintf(head, sizeof head, "spend %lld %s", (long long)a->amount_minor, currency_code(a->currency));
    crypto_sha256(slice_str(head), ret);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        crypto_sha256_add(ret, texts[i].len ? texts[i] : SLICE(""));
}

enum keer_err spending_add(struct db *db, void *ctx)
{
    struct spending *c = ctx;
    const struct spending_ask *a = c->ask;
    struct account account;
    struct spend *s = &c->spend;
    *s = (struct spend){.account = a->account, .amount_minor = a->amount_minor, .currency = a->currency};
    if (a->key.len > LIMIT_NAME_BYTES || a->client.len > LIMIT_NAME_BYTES)
        return KEER_ELIMIT;
    (void)snprintf(s->key, sizeof s->key, SLICE_FMT, SLICE_ARG(a->key));
    (void)snprintf(s->client, sizeof s->client, SLICE_FMT, SLICE_ARG(a->client));
    hash_body(a, &s->body);
    enum keer_err err = account_read(db, &a->account, &account);
    return err == KEER_OK ? spend_add(db, c->now_us, s, &c->fresh) : err;
}

#define SPEND_NAME_BYTES (6 + ID_BYTES)
static void name_of(const struct spend *s, char ret_name[SPEND_NAME_BYTES + 1])
{
    (void)snprintf(ret_name, SPEND_NAME_BYTES + 1, "spend-%s", s->id.text);
}

/* Opens the challenge, finds it open or done, and uses it when it is done. */
static enum keer_err use_step(struct db *db, struct spending *c, bool *ret_used)
{
    const struct spending_ask *a = c->ask;
    struct challenge_data shown = {.kind = CHALLENGE_PAYMENT,
                                   .amount_minor = c->spend.amount_minor,
                                   .currency = c->spend.currency,
                                   .payee = a->payee,
                                   .detail = a->item,
                                   .reference = slice_str(c->spend.key)};
    bool fresh;
    c->challenge = (struct challenge){.kind = CHALLENGE_PAYMENT, .account = c->spend.account};
    if (a->return_url.len >= sizeof c->challenge.return_url)
        return KEER_ELIMIT;
    name_of(&c->spend, c->challenge.reference); /* the same reference and data: the same challenge, while it can be used */
    name_of(&c->spend, c->challenge.event);
    (void)snprintf(c->challenge.client, sizeof c->challenge.client, "%s", c->spend.client);
    (void)snprintf(c->challenge.return_url, sizeof c->challenge.return_url, SLICE_FMT, SLICE_ARG(a->return_url));
    enum keer_err err = challenge_open(db, &shown, c->now_us, &c->challenge, &fresh);
    if (err != KEER_OK || c->challenge.state != CHALLENGE_DONE)
        return err;
    struct challenge_want want = {.id = c->challenge.id,
                                  .account = c->spend.account,
                                  .holder = c->challenge.holder,
                                  .kind = CHALLENGE_PAYMENT,
                                  .shown_hash = &c->challenge.shown_hash};
    err = challenge_use(db, &want, c->now_us, &c->challenge);
    *ret_used = err == KEER_OK;
    return err;
}

/* Whether the balance has it now; spend_take decides. */
static enum keer_err enough(struct db *db, const struct spend *s, bool *ret)
{
    struct balance *room = calloc(BALANCES_MAX, sizeof *room);
    unsigned n = 0;
    enum keer_err err = room ? balances(db, &s->account, room, &n) : KEER_ENOMEM;
    *ret = false;
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        *ret = *ret || (room[i].currency == s->currency && room[i].available_minor >= s->amount_minor);
    free(room);
    return err;
}

enum keer_err spending_gate(struct db *db, void *ctx)
{
    struct spending *c = ctx;
    struct account_hold hold;
    bool used = false;
    enum keer_err err = spend_read(db, &c->spend.id, &c->spend);
    if (err != KEER_OK || c->spend.state == SPEND_DONE || c->spend.state == SPEND_REFUSED)
        return err;
    if (c->p->open_2018)
        return spend_take(db, c->now_us, &c->spend);
    err = guard_hold(db, &c->spend.account, c->now_us, &hold);
    if (err != KEER_OK)
        return err;
    if (hold.held)
        return spend_refuse(db, CHARGE_WHY_HELD, &c->spend);
    if (c->outcome != KEER_ALLOW && c->outcome != KEER_CHALLENGE && c->outcome != KEER_REVIEW)
        return spend_refuse(db, CHARGE_WHY_DENIED, &c->spend);
    err = enough(db, &c->spend, &used);
    if (err == KEER_OK && !used) /* nobody is asked for a step that would buy nothing */
        return spend_refuse(db, CHARGE_WHY_NOT_ENOUGH, &c->spend);
    used = false;
    if (err == KEER_OK)
        err = use_step(db, c, &used);
    if (err != KEER_OK || !used)
        return err == KEER_OK ? spend_wait(db, &c->spend) : err;
    return spend_take(db, c->now_us, &c->spend);
}

static enum keer_err decide(struct desk_worker *w, struct spending *c)
{
    const struct spending_ask *a = c->ask;
    char id[SPEND_NAME_BYTES + 1];
    struct desk_decision d = {.outcome = KEER_DENY};
    name_of(&c->spend, id);
    struct desk_event e = {.id = slice_str(id),
                           .type = SLICE("purchase"),
                           .account = id_slice(&a->account),
                           .amount_minor = a->amount_minor,
                           .currency = slice_str(currency_code(a->currency)),
                           .item = a->item,
                           .beneficiary = a->beneficiary,
                           .merchant = a->merchant,
                           .device = a->device,
                           .ip = a->ip,
                           .user_agent = a->user_agent,
                           .session = a->session,
                           .time_us = c->spend.at_us};
    enum keer_err err = desk_decide(w, &e, &d);
    if (err != KEER_OK)
        return err == KEER_ECONFLICT || err == KEER_EMISSING ? KEER_EIO : err; /* its id is ours */
    c->outcome = d.outcome;
    c->review = d.review;
    c->decision = d.answer;
    return KEER_OK;
}

enum keer_err spend_balance(const struct pay *p, struct desk_worker *w, const struct spending_ask *ask, struct spending *ret)
{
    *ret = (struct spending){.p = p, .ask = ask, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_write(w, spending_add, ret);
    if (err != KEER_OK || ret->spend.state == SPEND_DONE || ret->spend.state == SPEND_REFUSED)
        return err;
    err = decide(w, ret);
    ret->now_us = desk_wall_us(w);
    return err == KEER_OK ? desk_write(w, spending_gate, ret) : err;
}

enum keer_err balance_read(struct db *db, void *ctx)
{
    struct balance_look *l = ctx;
    struct account account;
    enum keer_err err = account_read(db, &l->account, &account);
    if (err == KEER_OK)
        err = balances(db, &l->account, l->balance, &l->balances);
    return err == KEER_OK ? balance_holds(db, &l->account, l->hold, &l->holds) : err;
}
