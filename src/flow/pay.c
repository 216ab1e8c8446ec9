/* pay.c - the way of a charge: what is written, and in which order it is done. */
#include "flow/pay.h"

#include "account/family.h"
#include "base/timefmt.h"
#include "base/utf8.h"
#include "flow/notifier.h"

static const struct crypto_hash *seal_of(const struct pay_case *c) { return c->p->steps->guard.key; }

/* --- step 1: the row --- */

static void hash_body(const struct pay_ask *a, const struct id *account, struct crypto_hash *ret)
{
    char head[128];
    const struct slice texts[] = {id_slice(&a->agreement), id_slice(account), a->payee,     a->item,
                                  a->beneficiary,          a->merchant,       a->device,    a->ip,
                                  a->user_agent,           a->session,        a->return_url};
    (void)snprintf(head, sizeof head, "charge %s %lld %s", charge_kind_name(a->kind), (long long)a->amount_minor,
                   currency_code(a->currency));
    crypto_sha256(slice_str(head), ret);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        crypto_sha256_add(ret, texts[i].len ? texts[i] : SLICE(""));
}

static void print_event(const struct pay_ask *a, const struct charge *c, struct buf *out)
{
    char id[CHARGE_EVENT_BYTES + 1];
    charge_event_id(&c->id, id);
    struct desk_event e = {.id = slice_str(id),
                           .type = slice_str(charge_kind_name(c->kind)),
                           .account = id_slice(&c->account),
                           .wallet = slice_str(c->wallet),
                           .agreement = id_slice(&c->agreement),
                           .amount_minor = c->amount_minor,
                           .currency = slice_str(currency_code(c->currency)),
                           .item = a->item,
                           .beneficiary = a->beneficiary,
                           .merchant = a->merchant,
                           .device = a->device,
                           .ip = a->ip,
                           .user_agent = a->user_agent,
                           .session = a->session,
                           .time_us = c->created_us};
    desk_event_print(&e, c->created_us, out);
}

static enum pay_next next_of(const struct charge *c)
{
    return c->state == CHARGE_CREATED || c->state == CHARGE_NEEDS_STEP ? PAY_DECIDE : PAY_ANSWER;
}

enum keer_err pay_add(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    const struct pay_ask *a = c->ask;
    struct agreement agreement;
    enum keer_err err = agreement_get(db, /* seal */ NULL, &a->agreement, &agreement);
    if (err == KEER_OK && !slice_eq(a->client, slice_str(agreement.client)))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    struct charge_new n = {.client = a->client,
                           .key = a->key,
                           .agreement = a->agreement,
                           .account = id_is(&a->account) ? a->account : agreement.account,
                           .kind = a->kind,
                           .amount_minor = a->amount_minor,
                           .currency = a->currency,
                           .payee = a->payee,
                           .item = a->item,
                           .device = a->device};
    hash_body(a, &n.account, &n.body);
    err = charge_add(db, &n, c->now_us, &c->charge, &c->fresh);
    if (err == KEER_OK) {
        print_event(a, &c->charge, &c->event);
        err = c->event.err;
    }
    if (err == KEER_OK && c->fresh)
        err = charge_request(db, &c->charge.id, buf_view(&c->event));
    c->id = c->charge.id;
    c->next = next_of(&c->charge);
    return err;
}

static enum keer_err read_challenge(struct db *db, struct pay_case *c)
{
    return id_is(&c->charge.challenge) ? challenge_get(db, &c->charge.challenge, c->now_us, &c->challenge) : KEER_OK;
}

enum keer_err pay_look(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    enum keer_err err = charge_read(db, &c->id, &c->charge);
    if (err == KEER_OK && c->client.len && !slice_eq(c->client, slice_str(c->charge.client)))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = read_challenge(db, c);
    if (err == KEER_OK)
        err = charge_request_read(db, &c->id, &c->event);
    c->next = next_of(&c->charge);
    return err;
}

/* --- step 3: the gate --- */

static struct challenge_data shown_of(const struct charge *c)
{
    return (struct challenge_data){.kind = CHALLENGE_PAYMENT,
                                   .amount_minor = c->amount_minor,
                                   .currency = c->currency,
                                   .payee = slice_str(c->payee),
                                   .agreement = id_slice(&c->agreement),
                                   .wallet = slice_str(c->wallet),
                                   .detail = slice_str(c->item),
                                   .reference = slice_str(c->key)};
}

/* Whether buyer and payer are one, or of one family whose organiser pays; *ret_child: somebody has to be asked. */
static enum keer_err find_family(struct db *db, const struct charge *c, bool *ret_family, bool *ret_child)
{
    struct family_member buyer, payer;
    *ret_family = id_eq(&c->account, &c->payer);
    *ret_child = false;
    if (*ret_family)
        return KEER_OK;
    enum keer_err err = family_of(db, &c->account, &buyer);
    if (err == KEER_OK)
        err = family_of(db, &c->payer, &payer);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err != KEER_OK)
        return err;
    *ret_family = id_eq(&buyer.family, &payer.family) && payer.role == FAMILY_ORGANISER;
    *ret_child = buyer.role != FAMILY_ADULT;
    return KEER_OK;
}

static enum keer_err find_hold(struct db *db, const struct pay_case *c, bool *ret_held)
{
    struct account_hold payer = {.held = true}, buyer = {.held = false};
    enum keer_err err = guard_hold(db, &c->charge.payer, c->now_us, &payer);
    if (err == KEER_OK && !id_eq(&c->charge.account, &c->charge.payer))
        err = guard_hold(db, &c->charge.account, c->now_us, &buyer);
    *ret_held = err != KEER_OK || payer.held || buyer.held;
    return err == KEER_EMISSING ? KEER_OK : err; /* no such account: it is held for good */
}

/* The challenge that was opened for it: used now when it is done. *ret_stopped: the charge has ended by it, or waits. */
static enum keer_err use_step(struct db *db, struct pay_case *c, bool *ret_stepped, bool *ret_stopped)
{
    struct challenge_data shown = shown_of(&c->charge);
    struct crypto_hash hash;
    struct buf canon;
    if (!id_is(&c->charge.challenge))
        return KEER_OK;
    enum keer_err err = read_challenge(db, c);
    if (err != KEER_OK)
        return err;
    *ret_stopped = true;
    switch (c->challenge.state) {
    case CHALLENGE_OPEN: return KEER_OK;
    case CHALLENGE_REFUSED: return charge_end(db, CHARGE_REFUSED, CHARGE_WHY_STEP_REFUSED, c->now_us, &c->charge);
    case CHALLENGE_EXPIRED: return charge_end(db, CHARGE_CANCELLED, CHARGE_WHY_LAPSED, c->now_us, &c->charge);
    case CHALLENGE_DONE:
    case CHALLENGE_STATE_MAX: break;
    }
    buf_init(&canon, CHALLENGE_SHOWN_BYTES);
    err = challenge_canon(&shown, &canon, &hash);
    buf_release(&canon);
    struct challenge_want want = {.id = c->charge.challenge,
                                  .account = c->charge.payer,
                                  .holder = c->challenge.holder,
                                  .kind = CHALLENGE_PAYMENT,
                                  .shown_hash = &hash};
    if (err == KEER_OK)
        err = challenge_use(db, &want, c->now_us, &c->challenge);
    if (err == KEER_EMISSING) /* done too long ago, or used */
        return charge_end(db, CHARGE_CANCELLED, CHARGE_WHY_LAPSED, c->now_us, &c->charge);
    *ret_stopped = false;
    *ret_stepped = err == KEER_OK;
    return err;
}

static enum keer_err open_step(struct db *db, struct pay_case *c)
{
    struct challenge_data shown = shown_of(&c->charge);
    bool fresh;
    struct slice url = c->ask ? c->ask->return_url : SLICE("");
    c->challenge = (struct challenge){.kind = CHALLENGE_PAYMENT, .account = c->charge.payer};
    if (url.len >= sizeof c->challenge.return_url)
        return KEER_ELIMIT;
    charge_event_id(&c->charge.id, c->challenge.event);
    (void)snprintf(c->challenge.client, sizeof c->challenge.client, "%s", c->charge.client);
    charge_event_id(&c->charge.id, c->challenge.reference); /* no store's own reference is that */
    (void)snprintf(c->challenge.return_url, sizeof c->challenge.return_url, SLICE_FMT, SLICE_ARG(url));
    enum keer_err err = challenge_open(db, &shown, c->now_us, &c->challenge, &fresh);
    return err == KEER_OK ? charge_wait(db, &c->challenge.id, c->now_us, &c->charge) : err;
}

/* What the flow knows of it, for the gate. */
static enum keer_err find_gate(struct db *db, struct pay_case *c, struct charge_gate *g)
{
    bool child = false;
    enum keer_err err = agreement_get(db, seal_of(c), &c->charge.agreement, &c->agreement);
    if (err == KEER_OK)
        err = find_family(db, &c->charge, &g->family, &child);
    if (err == KEER_OK)
        err = find_hold(db, c, &g->held);
    g->agreement = &c->agreement;
    g->denied = c->outcome != KEER_ALLOW && c->outcome != KEER_CHALLENGE && c->outcome != KEER_REVIEW;
    g->ask = c->outcome != KEER_ALLOW || c->review || child;
    g->open = c->p->open_2018;
    return err;
}

enum keer_err pay_gate(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    struct charge_gate g = {.family = false};
    enum charge_gated gated = CHARGE_STOPPED;
    bool stopped = false;
    enum keer_err err = charge_read(db, &c->id, &c->charge);
    c->next = PAY_ANSWER;
    if (err != KEER_OK || next_of(&c->charge) == PAY_ANSWER)
        return err;
    if (c->p->wallets && !wallets_find(c->p->wallets->list, slice_str(c->charge.wallet)))
        return charge_end(db, CHARGE_REFUSED, CHARGE_WHY_NO_WALLET, c->now_us, &c->charge);
    err = use_step(db, c, &g.stepped, &stopped);
    if (err != KEER_OK || stopped)
        return err;
    err = find_gate(db, c, &g);
    if (err == KEER_OK)
        err = charge_gate(db, &g, c->now_us, &c->charge, &gated);
    if (err == KEER_OK && gated == CHARGE_WANTS_STEP)
        err = open_step(db, c);
    if (err == KEER_OK && gated == CHARGE_PASSED)
        c->next = PAY_SEND;
    return err;
}

/* --- step 5, and the timer --- */

enum keer_err pay_tell(struct db *db, const struct pay *p, const struct charge *c, int64_t now_us)
{
    char money[CURRENCY_TEXT_BYTES], what[NOTICE_VALUE_BYTES + 1];
    unsigned count;
    if (!c->paid_now || p->open_2018 || (c->verified && !p->tell_all))
        return KEER_OK;
    (void)snprintf(what, sizeof what, "%s %s, ", currency_print(c->amount_minor, c->currency, money),
                   currency_code(c->currency));
    size_t n = strlen(what);
    struct slice payee = utf8_cut(slice_str(c->payee), NOTICE_VALUE_BYTES - n);
    memcpy(what + n, payee.p, payee.len);
    return notice_add(
        db, p->steps->guard.key,
        &(struct notice_new){
            .account = c->payer, .kind = NOTICE_CHARGE_PAID, .about = c->id, .what = slice_of(what, n + payee.len)},
        now_us, &count);
}

enum keer_err pay_settle(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    c->charge.id = c->id;
    c->next = PAY_ANSWER;
    enum keer_err err = charge_settle(db, &c->p->terms, &c->said, c->now_us, &c->charge, &c->settled);
    return err == KEER_OK ? pay_tell(db, c->p, &c->charge, c->now_us) : err;
}

enum keer_err pay_turn(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    c->charge.id = c->id;
    enum keer_err err = charge_turn(db, c->now_us, &c->charge);
    c->refused = err == KEER_OK && c->charge.reason == WALLET_UNSIGNED_REFUSAL;
    bool lapsed = err == KEER_OK && c->charge.ask_us == 0;
    bool open = err == KEER_OK && c->charge.state == CHARGE_UNKNOWN;
    c->next = lapsed ? PAY_ANSWER : open && c->can_cancel && charge_is_cancelling(&c->charge) ? PAY_CANCEL : PAY_QUERY;
    return err;
}

enum keer_err pay_again(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    bool held = true;
    enum keer_err err = charge_read(db, &c->id, &c->charge);
    c->next = PAY_ANSWER;
    if (err != KEER_OK || c->charge.state != CHARGE_UNKNOWN)
        return err;
    err = agreement_get(db, seal_of(c), &c->charge.agreement, &c->agreement);
    if (err == KEER_OK && !c->p->open_2018)
        err = find_hold(db, c, &held);
    if (err != KEER_OK)
        return err;
    if ((!held || c->p->open_2018) && charge_may_resend(&c->charge, &c->p->terms, &c->agreement, c->now_us))
        c->next = PAY_SEND;
    else if (c->can_cancel)
        c->next = PAY_CANCEL;
    return KEER_OK;
}

enum keer_err pay_cancel(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    enum keer_err err = pay_look(db, c);
    if (err != KEER_OK)
        return err;
    if (c->next == PAY_DECIDE)
        err = charge_end(db, CHARGE_CANCELLED, CHARGE_WHY_STORE_CANCELLED, c->now_us, &c->charge);
    else if (c->charge.state == CHARGE_SUBMITTED || c->charge.state == CHARGE_UNKNOWN)
        err = charge_want_cancel(db, c->now_us, &c->charge);
    c->next = PAY_ANSWER;
    return err;
}

/* --- at the desk --- */

static bool wallet_of(const struct pay *p, const char *name, struct wallet **ret)
{
    *ret = p->wallets ? wallets_find(p->wallets->list, slice_str(name)) : NULL;
    return *ret != NULL;
}

/* The payee, cut to what fits on a statement: whole characters of UTF-8. The same whenever it is sent. */
static struct slice subject_of(const struct charge *c) { return utf8_cut(slice_str(c->payee), 128); }

static void send_it(const struct pay *p, struct wallet *wallet, struct pay_case *c)
{
    char notify[NET_URL_BYTES];
    struct wallet_calls calls = p->wallets->calls;
    bool told = flow_wallet_notify(p->wallets, wallet, notify);
    struct wallet_charge_ask ask = {.number = c->charge.number,
                                    .agreement = c->agreement.ref,
                                    .subject = subject_of(&c->charge),
                                    .notify_url = told ? slice_str(notify) : SLICE(""),
                                    .amount_minor = c->charge.amount_minor,
                                    .currency = c->charge.currency};
    c->said.way = CHARGE_BY_ANSWER;
    c->said.again = c->charge.asked > 0;
    c->said.answer = wallet_charge(wallet, &calls, &ask, &c->said.charge, &c->said.why);
}

void pay_call(const struct pay *p, struct pay_case *c)
{
    struct wallet *wallet;
    c->said = (struct charge_said){.way = c->next == PAY_SEND     ? CHARGE_BY_ANSWER
                                          : c->next == PAY_CANCEL ? CHARGE_BY_CANCEL
                                                                  : CHARGE_BY_QUERY,
                                   .again = c->charge.asked > 0,
                                   .answer = WALLET_NOT_SENT,
                                   .why = {.reason = WALLET_UNREACHABLE}};
    if (!wallet_of(p, c->charge.wallet, &wallet))
        return;
    struct wallet_calls calls = p->wallets->calls;
    switch (c->next) {
    case PAY_SEND: send_it(p, wallet, c); break;
    case PAY_QUERY:
        c->said.answer = wallet_charge_query(wallet, &calls, c->charge.number, &c->said.charge, &c->said.why);
        break;
    case PAY_CANCEL:
        c->said.answer = wallet_charge_cancel(wallet, &calls, c->charge.number, &c->said.charge, &c->said.why);
        break;
    case PAY_ANSWER:
    case PAY_DECIDE: break;
    }
    agreement_wipe(&c->agreement);
}

enum pay_next pay_after(struct pay_case *c)
{
    bool open = c->charge.state == CHARGE_SUBMITTED || c->charge.state == CHARGE_UNKNOWN;
    bool refused = c->said.answer == WALLET_UNKNOWN && c->said.why.reason == WALLET_UNSIGNED_REFUSAL;
    c->next = PAY_ANSWER;
    if (open && refused && c->said.way == CHARGE_BY_ANSWER)
        c->next = PAY_QUERY;
    else if (open && c->refused && c->can_cancel && c->said.way == CHARGE_BY_QUERY &&
             (refused || c->settled == CHARGE_IS_ABSENT))
        c->next = PAY_CANCEL;
    c->refused = c->refused || refused;
    return c->next;
}

/* Calls, settles, and goes on while there is something to ask at once. */
static enum keer_err call_and_settle(struct desk_worker *w, struct pay_case *c)
{
    struct wallet *wallet;
    enum keer_err err;
    c->can_cancel = wallet_of(c->p, c->charge.wallet, &wallet) && (wallet_driver(wallet)->can & WALLET_CAN_CANCEL);
    do {
        pay_call(c->p, c);
        c->now_us = desk_wall_us(w);
        err = desk_write(w, pay_settle, c);
    } while (err == KEER_OK && pay_after(c) != PAY_ANSWER);
    return err;
}

/* From a row that is to be decided, to its answer. */
static enum keer_err go_on(struct desk_worker *w, struct pay_case *c, struct pay_answer *ret)
{
    struct desk_decision d = {.outcome = KEER_DENY};
    enum keer_err err = desk_decide_text(w, buf_view(&c->event), &d);
    if (err != KEER_OK)
        return err == KEER_ECONFLICT || err == KEER_EMISSING ? KEER_EIO : err; /* its id is ours: nobody else has it */
    ret->decision = d.answer;
    c->outcome = d.outcome;
    c->review = d.review;
    c->now_us = desk_wall_us(w);
    err = desk_write(w, pay_gate, c);
    if (err != KEER_OK || c->next != PAY_SEND)
        return err;
    if (desk_wall_us(w) >= c->charge.submitted_us + PAY_SEND_US) { /* the timer has it by now */
        agreement_wipe(&c->agreement);
        return KEER_OK;
    }
    err = call_and_settle(w, c);
    notifier_wake(c->p->steps->accounts->notifier);
    return err;
}

static enum keer_err finish(enum keer_err err, struct desk_worker *w, struct pay_case *c, struct pay_answer *ret)
{
    if (err == KEER_OK && c->next == PAY_DECIDE)
        err = go_on(w, c, ret);
    buf_release(&c->event);
    agreement_wipe(&c->agreement);
    ret->charge = c->charge;
    ret->challenge = c->challenge;
    ret->fresh = c->fresh;
    return err;
}

enum keer_err pay_charge(const struct pay *p, struct desk_worker *w, const struct pay_ask *ask, struct pay_answer *ret)
{
    struct pay_case c = {.p = p, .ask = ask, .now_us = desk_wall_us(w)};
    *ret = (struct pay_answer){0};
    buf_init(&c.event, CHARGE_REQUEST_BYTES);
    enum keer_err err = desk_write(w, pay_add, &c);
    return finish(err, w, &c, ret);
}

enum keer_err pay_confirm(const struct pay *p, struct desk_worker *w, struct slice client, const struct id *charge,
                          struct pay_answer *ret)
{
    struct pay_case c = {.p = p, .client = client, .id = *charge, .now_us = desk_wall_us(w)};
    *ret = (struct pay_answer){0};
    buf_init(&c.event, CHARGE_REQUEST_BYTES);
    enum keer_err err = desk_read(w, pay_look, &c);
    return finish(err, w, &c, ret);
}

void pay_answer_release(struct pay_answer *a) { buf_release(&a->decision); }
