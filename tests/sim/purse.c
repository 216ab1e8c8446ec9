/* purse.c - the wallets' side, as their published rules have it, and the network before it.
 *
 * A number of ours is charged once; the same number again gives what became of it, with other data it is refused. What an
 * agreement that has ended is asked for is refused. A charge may wait, and is decided later, told by a notice that may be
 * lost, come twice, late, or before the answer. Cancelling a number closes it for good, also one that never came, and gives
 * money back; a wallet that can't cancel knows no such call.
 *
 *     driver ─► caller.c (breaker) ─► network() ─┬─ never sent, or lost on the way                  no effect
 *                                                ├─ late: it arrives after the answer timed out     effect later
 *                                                ├─ the answer is lost                              effect, unknown
 *                                                └─ answered                                        effect, known
 */
#include "sim/world.h"
#include "wallet/inside.h"

#define ROWS_MAX 256
#define NOTICES_MAX 1024
#define LATE_MAX 32
#define TRIES_MAX 12 /* of a notice */
#define SHOWN_MAX 64 /* far more than tasks that hold one */

enum op_kind { OP_SIGN, OP_FINISH, OP_LOOK, OP_END, OP_CHARGE, OP_QUERY, OP_CANCEL, OP_REFUND, OP_REFUND_QUERY };
static const char *const op_names[] = {"sign",  "finish", "look",   "end",         "charge",
                                       "query", "cancel", "refund", "refund_query"};

struct op { /* one request, whole, so that it can arrive later */
    enum op_kind kind;
    unsigned purse;
    char number[WALLET_NUMBER_BYTES + 1], other[WALLET_REF_BYTES + 1]; /* other: agreement's reference, or charge's number */
    int64_t amount_minor;
    enum currency currency;
    /* answered */
    enum wallet_answer answer;
    enum wallet_reason reason;
    struct wallet_agreement agreement;
    struct wallet_charge charge;
    struct wallet_refund refund;
};
struct row_agreement {
    struct wallet_agreement a;
    bool told_ended;
};
struct row_charge {
    struct wallet_charge c;
    struct purse_effect effect;
    bool was_paid;
};
struct notice {
    struct wallet_notice n;
    unsigned purse, tries;
    uint64_t ticket;
    bool forged;
    int64_t after_step;
};
struct purse {
    struct wallet wallet;
    char name[WALLET_NAME_BYTES + 1];
    struct row_agreement agreements[ROWS_MAX];
    struct row_charge charges[ROWS_MAX];
    struct wallet_refund refunds[ROWS_MAX];
    unsigned agreements_count, charges_count, refunds_count;
};
static struct purse purses[PURSES];
static struct notice notices[NOTICES_MAX];
static unsigned notices_count;
static struct op late[LATE_MAX];
static unsigned late_count;
static double late_pace; /* of a run: how soon one of them arrives */
static uint64_t tickets, requests;
static bool arriving_late;
static bool refund_was_late[PURSES][ROWS_MAX];

static struct row_agreement *agreement_row(struct purse *p, const char *number)
{
    for (unsigned i = 0; i < p->agreements_count; i++)
        if (strcmp(p->agreements[i].a.number, number) == 0)
            return &p->agreements[i];
    return NULL;
}
static struct row_agreement *agreement_by_ref(struct purse *p, const char *ref)
{
    for (unsigned i = 0; i < p->agreements_count; i++)
        if (strcmp(p->agreements[i].a.ref, ref) == 0)
            return &p->agreements[i];
    return NULL;
}
static struct row_charge *charge_row(struct purse *p, const char *number)
{
    for (unsigned i = 0; i < p->charges_count; i++)
        if (strcmp(p->charges[i].c.number, number) == 0)
            return &p->charges[i];
    return NULL;
}
static struct wallet_refund *refund_row(struct purse *p, const char *number)
{
    for (unsigned i = 0; i < p->refunds_count; i++)
        if (strcmp(p->refunds[i].number, number) == 0)
            return &p->refunds[i];
    return NULL;
}

/* --- notices --- */

static void tell(struct purse *p, struct wallet_notice n)
{
    if (sim_chance(FAULT_LOSE_NOTICE)) {
        sim_count(OUT_notice_lost);
        return;
    }
    unsigned times = sim_chance(FAULT_REPEAT_NOTICE) ? 2 : 1;
    (void)snprintf(n.id, sizeof n.id, "notice-%" PRIu64, ++tickets);
    for (unsigned i = 0; i < times && notices_count < NOTICES_MAX; i++)
        notices[notices_count++] = (struct notice){.n = n, .purse = (unsigned)(p - purses), .ticket = ++tickets};
    if (sim_chance(FAULT_FORGE_NOTICE) && notices_count < NOTICES_MAX) {
        n.charge.state = n.charge.state == WALLET_CHARGE_PAID ? WALLET_CHARGE_FAILED : WALLET_CHARGE_PAID;
        notices[notices_count++] =
            (struct notice){.n = n, .purse = (unsigned)(p - purses), .ticket = ++tickets, .forged = true};
    }
}
static void tell_agreement(struct purse *p, const struct row_agreement *a)
{
    tell(p, (struct wallet_notice){.kind = WALLET_NOTICE_AGREEMENT, .agreement = a->a});
}
static void tell_charge(struct purse *p, const struct row_charge *c)
{
    tell(p, (struct wallet_notice){.kind = WALLET_NOTICE_CHARGE, .charge = c->c});
}
static void tell_refund(struct purse *p, const struct wallet_refund *r)
{
    tell(p, (struct wallet_notice){.kind = WALLET_NOTICE_REFUND, .refund = *r});
}

/* --- effects --- */

static void take(struct purse *p, struct row_charge *c)
{
    struct row_agreement *a = agreement_by_ref(p, c->c.agreement);
    SIM_CHECK(6, a && !a->told_ended, "number %s took money after its agreement was said to have ended", c->c.number);
    SIM_CHECK(4, c->effect.times == 0, "number %s took money twice", c->c.number);
    c->c.state = WALLET_CHARGE_PAID;
    c->c.paid_us = sim.now_us;
    c->was_paid = true;
    c->effect.taken_minor += c->c.amount_minor;
    c->effect.currency = c->c.currency;
    c->effect.times++;
    c->effect.late |= arriving_late;
    sim_trace("wallet takes %" PRId64 " under %s", c->c.amount_minor, c->c.number);
}
static void give_back(struct row_charge *c, int64_t amount_minor)
{
    c->c.refunded_minor += amount_minor;
    c->effect.returned_minor += amount_minor;
    SIM_CHECK(5, c->effect.returned_minor <= c->effect.taken_minor, "number %s gave back more than it took", c->c.number);
    sim_trace("wallet gives back %" PRId64 " of %s", amount_minor, c->c.number);
}

static bool on_its_way(const char *number)
{
    for (unsigned i = 0; i < late_count; i++)
        if (late[i].kind == OP_CHARGE && strcmp(late[i].number, number) == 0)
            return true;
    return false;
}

static void do_charge(struct purse *p, struct op *o)
{
    struct row_charge *c = charge_row(p, o->number);
    struct row_agreement *a = agreement_by_ref(p, o->other);
    o->answer = WALLET_NO;
    if (c) {
        bool same =
            c->c.state == WALLET_CHARGE_CLOSED || (strcmp(c->c.agreement, o->other) == 0 && c->c.currency == o->currency);
        o->answer = same && c->c.state != WALLET_CHARGE_FAILED ? WALLET_YES : WALLET_NO;
        o->reason = same ? WALLET_BALANCE : WALLET_NUMBER_REUSED;
        o->charge = c->c;
        SIM_CHECK(4, same, "number %s was used for something else", o->number);
        return;
    }
    if (on_its_way(o->number) && sim_chance(FAULT_BUSY)) { /* nothing is kept of it */
        o->reason = WALLET_OTHER;
        return;
    }
    if (!a || a->a.state != WALLET_AGREEMENT_NORMAL) {
        o->reason = WALLET_AGREEMENT_GONE;
        return;
    }
    bool refused = sim_chance(FAULT_REFUSE);
    if (refused && rng_chance(&sim.rng, 0.5)) { /* nothing is kept of it */
        o->reason = WALLET_BALANCE;
        return;
    }
    if (p->charges_count == ROWS_MAX)
        abort();
    c = &p->charges[p->charges_count++];
    *c = (struct row_charge){.c = {.state = WALLET_CHARGE_WAITS, .amount_minor = o->amount_minor, .currency = o->currency}};
    (void)snprintf(c->c.number, sizeof c->c.number, "%s", o->number);
    (void)snprintf(c->c.ref, sizeof c->c.ref, "trade-%s", o->number);
    (void)snprintf(c->c.agreement, sizeof c->c.agreement, "%s", o->other);
    c->effect.late = arriving_late; /* it may wait there, and is decided later */
    if (sim_chance(FAULT_WRONG_AMOUNT))
        c->c.amount_minor += rng_chance(&sim.rng, 0.5) ? 1 : -o->amount_minor / 2;
    if (refused)
        c->c.state = WALLET_CHARGE_FAILED;
    else if (p->wallet.driver->can & WALLET_SYNC && !sim_chance(FAULT_WAIT))
        take(p, c);
    if (c->c.state != WALLET_CHARGE_WAITS)
        tell_charge(p, c);
    o->charge = c->c;
    o->reason = WALLET_BALANCE;
    o->answer = refused ? WALLET_NO : WALLET_YES;
}

static void do_cancel(struct purse *p, struct op *o)
{
    struct row_charge *c = charge_row(p, o->number);
    if (!c) { /* a row that stays closed: the number has no effect when it comes after all */
        if (p->charges_count == ROWS_MAX)
            abort();
        c = &p->charges[p->charges_count++];
        *c = (struct row_charge){.c.currency = CUR_MAX};
        (void)snprintf(c->c.number, sizeof c->c.number, "%s", o->number);
    }
    if (c->c.state == WALLET_CHARGE_PAID && c->c.refunded_minor < c->c.amount_minor)
        give_back(c, c->c.amount_minor - c->c.refunded_minor);
    c->c.state = WALLET_CHARGE_CLOSED;
    o->charge = c->c;
    o->answer = WALLET_YES;
}

static void do_refund(struct purse *p, struct op *o)
{
    struct wallet_refund *r = refund_row(p, o->number);
    struct row_charge *c = charge_row(p, o->other);
    o->answer = WALLET_NO;
    o->reason = WALLET_NOT_POSSIBLE;
    if (r) {
        bool same = strcmp(r->charge, o->other) == 0 && r->amount_minor == o->amount_minor;
        SIM_CHECK(4, same, "refund %s was used for something else", o->number);
        o->answer = r->state == WALLET_REFUND_FAILED ? WALLET_NO : WALLET_YES;
        o->refund = *r;
        return;
    }
    if (!c || c->c.state != WALLET_CHARGE_PAID || c->c.refunded_minor + o->amount_minor > c->c.amount_minor ||
        sim_chance(FAULT_REFUSE))
        return;
    if (p->refunds_count == ROWS_MAX)
        abort();
    r = &p->refunds[p->refunds_count++];
    *r = (struct wallet_refund){.state = WALLET_REFUND_WAITS, .amount_minor = o->amount_minor, .currency = c->c.currency};
    (void)snprintf(r->number, sizeof r->number, "%s", o->number);
    (void)snprintf(r->charge, sizeof r->charge, "%.*s", WALLET_NUMBER_BYTES, o->other);
    (void)snprintf(r->ref, sizeof r->ref, "refund-%s", o->number);
    refund_was_late[o->purse][p->refunds_count - 1] = arriving_late;
    if (!sim_chance(FAULT_WAIT)) {
        r->state = WALLET_REFUND_PAID;
        r->paid_us = sim.now_us;
        give_back(c, r->amount_minor);
        tell_refund(p, r);
    }
    o->refund = *r;
    o->answer = WALLET_YES;
}

static void do_agreement(struct purse *p, struct op *o)
{
    struct row_agreement *a = agreement_row(p, o->number);
    o->answer = WALLET_YES;
    switch (o->kind) {
    case OP_SIGN:
        if (a)
            break;
        if (p->agreements_count == ROWS_MAX)
            abort();
        a = &p->agreements[p->agreements_count++];
        *a = (struct row_agreement){.a.state = WALLET_AGREEMENT_TEMP};
        (void)snprintf(a->a.number, sizeof a->a.number, "%s", o->number);
        (void)snprintf(a->a.ref, sizeof a->a.ref, "ref-%s", o->number);
        (void)snprintf(a->a.user, sizeof a->a.user, "li***@example.org");
        break;
    case OP_END:
        if (!a || a->a.state != WALLET_AGREEMENT_NORMAL) {
            if (a) /* what was not signed yet can't be any more */
                a->a.state = WALLET_AGREEMENT_STOPPED;
            o->answer = WALLET_NO;
            o->reason = WALLET_AGREEMENT_GONE;
            return;
        }
        a->a.state = WALLET_AGREEMENT_STOPPED;
        a->a.ended_us = sim.now_us;
        for (unsigned i = 0; i < p->charges_count; i++)
            if (p->charges[i].c.state == WALLET_CHARGE_WAITS && strcmp(p->charges[i].c.agreement, a->a.ref) == 0)
                p->charges[i].c.state = WALLET_CHARGE_FAILED;
        tell_agreement(p, a);
        break;
    case OP_FINISH:
    case OP_LOOK:
    case OP_CHARGE:
    case OP_QUERY:
    case OP_CANCEL:
    case OP_REFUND:
    case OP_REFUND_QUERY: break;
    }
    o->agreement = a ? a->a : (struct wallet_agreement){.state = WALLET_AGREEMENT_NONE};
}

static void apply(struct op *o)
{
    struct purse *p = &purses[o->purse];
    switch (o->kind) {
    case OP_SIGN:
    case OP_FINISH:
    case OP_LOOK:
    case OP_END: do_agreement(p, o); break;
    case OP_CHARGE: do_charge(p, o); break;
    case OP_CANCEL: do_cancel(p, o); break;
    case OP_REFUND: do_refund(p, o); break;
    case OP_QUERY: {
        const struct row_charge *c = charge_row(p, o->number);
        o->charge = c ? c->c : (struct wallet_charge){.state = WALLET_CHARGE_NONE, .currency = CUR_MAX};
        o->answer = WALLET_YES;
        break;
    }
    case OP_REFUND_QUERY: {
        const struct wallet_refund *r = refund_row(p, o->number);
        o->refund = r ? *r : (struct wallet_refund){.state = WALLET_REFUND_NONE, .currency = CUR_MAX};
        o->answer = WALLET_YES;
        break;
    }
    }
}

/* --- the network --- */

static enum wallet_sent network(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct op *o;
    UNUSED(ctx);
    UNUSED(ret);
    memcpy(&o, rq->body.p, sizeof o);
    task_pause();
    if (sim.dead)
        return WALLET_NEVER;
    requests++;
    if (sim_chance(FAULT_UNREACHABLE)) {
        sim_count(OUT_network_never);
        return WALLET_NEVER;
    }
    if (sim_chance(FAULT_LOSE_REQUEST)) {
        sim_count(OUT_network_lost);
        sim_trace("%s %s: lost on the way", op_names[o->kind], o->number);
        return WALLET_LOST;
    }
    if (late_count < LATE_MAX && sim_chance(FAULT_LATE)) {
        late[late_count++] = *o;
        sim_count(OUT_network_late);
        sim_trace("%s %s: late", op_names[o->kind], o->number);
        return WALLET_LOST;
    }
    apply(o);
    sim_trace("%s %s: answer %d", op_names[o->kind], o->number, (int)o->answer);
    if (sim_chance(FAULT_LOSE_ANSWER)) {
        sim_count(OUT_network_answer_lost);
        return WALLET_LOST;
    }
    sim_count(OUT_network_answered);
    task_pause();
    return sim.dead ? WALLET_LOST : WALLET_ANSWERED;
}
static void network_random(void *ctx, void *bytes, size_t len)
{
    UNUSED(ctx);
    crypto_random(bytes, len);
}
static int64_t network_now(void *ctx)
{
    UNUSED(ctx);
    return sim.now_us;
}
struct wallet_calls *purse_calls(void)
{
    static struct wallet_calls calls = {.send = network, .random = network_random, .wall_us = network_now};
    return &calls;
}

/* --- the driver --- */

static enum wallet_answer ask(struct wallet_io *io, struct op *o, struct wallet_why *why)
{
    struct wallet_response response = {0};
    struct wallet_request rq = {.method = "POST", .url = SLICE("sim:"), .body = slice_of((const char *)&o, sizeof o)};
    *why = (struct wallet_why){0};
    enum wallet_sent sent = io->send(io->ctx, &rq, &response);
    if (sent == WALLET_ANSWERED) {
        why->reason = o->answer == WALLET_NO ? o->reason : WALLET_NO_REASON;
        return o->answer;
    }
    why->reason = sent == WALLET_LOST ? WALLET_TIMED_OUT : WALLET_UNREACHABLE;
    return sent == WALLET_LOST ? WALLET_UNKNOWN : WALLET_NOT_SENT;
}
static struct op op_of(void *self, enum op_kind kind, const char *number)
{
    struct op o = {.kind = kind, .purse = (unsigned)((struct purse *)self - purses)};
    (void)snprintf(o.number, sizeof o.number, "%.*s", WALLET_NUMBER_BYTES, number);
    return o;
}

static enum wallet_answer d_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *a,
                                 char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    struct op o = op_of(self, OP_SIGN, a->number);
    enum wallet_answer answer = ask(io, &o, why);
    if (answer == WALLET_YES)
        (void)snprintf(ret_url, WALLET_URL_BYTES, "https://wallet.example/sign?number=%s", a->number);
    return answer;
}
static enum wallet_answer d_finish(void *self, struct wallet_io *io, const char *number, const char *code,
                                   struct wallet_agreement *ret, struct wallet_why *why)
{
    struct op o = op_of(self, OP_FINISH, number);
    UNUSED(code);
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.agreement;
    return answer;
}
static enum wallet_answer d_look(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                 struct wallet_agreement *ret, struct wallet_why *why)
{
    struct op o = op_of(self, OP_LOOK, which->number);
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.agreement;
    return answer;
}
static enum wallet_answer d_end(void *self, struct wallet_io *io, const struct wallet_agreement *which, struct slice reason,
                                struct wallet_why *why)
{
    struct op o = op_of(self, OP_END, which->number);
    UNUSED(reason);
    return ask(io, &o, why);
}
static enum wallet_answer d_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *a,
                                   struct wallet_charge *ret, struct wallet_why *why)
{
    struct op o = op_of(self, OP_CHARGE, a->number);
    (void)snprintf(o.other, sizeof o.other, "%s", a->agreement);
    o.amount_minor = a->amount_minor;
    o.currency = a->currency;
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.charge;
    return answer;
}
static enum wallet_answer d_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                  struct wallet_why *why)
{
    struct op o = op_of(self, OP_QUERY, number);
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.charge;
    return answer;
}
static enum wallet_answer d_cancel(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                   struct wallet_why *why)
{
    struct op o = op_of(self, OP_CANCEL, number);
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.charge;
    return answer;
}
static enum wallet_answer refund(void *self, enum op_kind kind, struct wallet_io *io, const struct wallet_refund_ask *a,
                                 struct wallet_refund *ret, struct wallet_why *why)
{
    struct op o = op_of(self, kind, a->number);
    (void)snprintf(o.other, sizeof o.other, "%s", a->charge);
    o.amount_minor = a->amount_minor;
    enum wallet_answer answer = ask(io, &o, why);
    *ret = o.refund;
    return answer;
}
static enum wallet_answer d_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *a,
                                   struct wallet_refund *ret, struct wallet_why *why)
{
    return refund(self, OP_REFUND, io, a, ret, why);
}
static enum wallet_answer d_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *a,
                                         struct wallet_refund *ret, struct wallet_why *why)
{
    return refund(self, OP_REFUND_QUERY, io, a, ret, why);
}
/* A notice comes in as the place where it lies. */
static enum wallet_verdict d_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                    char ret_why[WALLET_WHY_BYTES])
{
    const struct notice *n;
    UNUSED(self);
    UNUSED(now_us);
    memcpy(&n, in->body.p, sizeof n);
    if (n->forged) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "the signature is wrong");
        return WALLET_FORGED;
    }
    *ret = n->n;
    return WALLET_GENUINE;
}
static void d_reply(void *self, bool taken, struct wallet_reply *ret)
{
    UNUSED(self);
    *ret = (struct wallet_reply){.status = taken ? 200 : 500, .type = "text/plain"};
}
static void d_free(void *self) { UNUSED(self); }

#define METHODS                                                                                        \
    .kind = "sim", .free = d_free, .sign = d_sign, .sign_finish = d_finish, .agreement_query = d_look, \
    .agreement_end = d_end, .charge = d_charge, .charge_query = d_query, .refund = d_refund,           \
    .refund_query = d_refund_query, .notice = d_notice, .reply = d_reply
static const struct wallet_driver at_once = {METHODS, .can = WALLET_CAN_CANCEL | WALLET_SYNC, .charge_cancel = d_cancel};
static const struct wallet_driver by_notice = {METHODS, .can = 0};

/* --- the world's side --- */

void purse_start(void)
{
    static const char *const names[PURSES] = {"quick", "slow"};
    static char no_url[1]; /* the service's own */
    memset(purses, 0, sizeof purses);
    memset(refund_was_late, 0, sizeof refund_was_late);
    notices_count = late_count = 0;
    tickets = requests = 0;
    /* In some runs what is late comes when its number has been asked for, sent again and answered. */
    late_pace = rng_chance(&sim.rng, 0.5) ? 0.15 : 0.002;
    for (unsigned i = 0; i < PURSES; i++) {
        struct wallet *w = &purses[i].wallet;
        (void)snprintf(w->name, sizeof w->name, "%s", names[i]);
        w->driver = i == 0 ? &at_once : &by_notice;
        w->self = &purses[i];
        w->notify_url = no_url;
        w->breaker_failures = WALLET_BREAKER_FAILURES;
        w->breaker_us = WALLET_BREAKER_US;
        (void)pthread_mutex_init(&w->breaker.lock, NULL);
    }
}
static void close_breaker(struct wallet *w)
{
    w->breaker.state = BREAKER_CLOSED;
    w->breaker.failures = 0;
    w->breaker.probing = false;
    w->breaker.budget = 0;
}
void purse_restart(void)
{
    for (unsigned i = 0; i < PURSES; i++)
        close_breaker(&purses[i].wallet);
}
void purse_end(void)
{
    for (unsigned i = 0; i < PURSES; i++)
        (void)pthread_mutex_destroy(&purses[i].wallet.breaker.lock);
}
struct wallet *purse_wallet(unsigned i) { return &purses[i].wallet; }
struct wallet *purse_find(struct slice name)
{
    for (unsigned i = 0; i < PURSES; i++)
        if (slice_eq(name, slice_str(purses[i].wallet.name)))
            return &purses[i].wallet;
    return NULL;
}
uint64_t purse_requests(void) { return requests; }

/* A wallet that can't cancel loses or delivers a request within a bound that --charge-gone is longer than; the other may be
 * as late as it likes, since what was cancelled stays closed. */
void purse_tick(void)
{
    if (late_count && (sim.calm || rng_chance(&sim.rng, late_pace))) {
        uint64_t i = rng_below(&sim.rng, late_count);
        struct op o = late[i];
        late[i] = late[--late_count];
        arriving_late = true;
        apply(&o);
        arriving_late = false;
        sim_trace("%s %s: arrives late, answer %d to nobody", op_names[o.kind], o.number, (int)o.answer);
    }
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        for (unsigned i = 0; i < p->charges_count; i++) {
            struct row_charge *c = &p->charges[i];
            if (c->c.state != WALLET_CHARGE_WAITS || !rng_chance(&sim.rng, sim.calm ? 0.5 : 0.1))
                continue;
            const struct row_agreement *a = agreement_by_ref(p, c->c.agreement);
            if (!a || a->a.state != WALLET_AGREEMENT_NORMAL || sim_chance(FAULT_REFUSE))
                c->c.state = WALLET_CHARGE_FAILED;
            else
                take(p, c);
            tell_charge(p, c);
        }
        for (unsigned i = 0; i < p->refunds_count; i++) {
            struct wallet_refund *r = &p->refunds[i];
            struct row_charge *c = charge_row(p, r->charge);
            if (r->state != WALLET_REFUND_WAITS || !rng_chance(&sim.rng, sim.calm ? 0.5 : 0.1))
                continue;
            r->state = c && c->c.refunded_minor + r->amount_minor <= c->c.amount_minor && !sim_chance(FAULT_REFUSE)
                           ? WALLET_REFUND_PAID
                           : WALLET_REFUND_FAILED;
            if (r->state == WALLET_REFUND_PAID) {
                r->paid_us = sim.now_us;
                give_back(c, r->amount_minor);
            }
            tell_refund(p, r);
        }
    }
}

bool purse_sign(const char *number)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        struct row_agreement *a = agreement_row(p, number);
        if (!a || a->a.state != WALLET_AGREEMENT_TEMP)
            continue;
        a->a.state = WALLET_AGREEMENT_NORMAL;
        a->a.signed_us = sim.now_us;
        tell_agreement(p, a);
        sim_trace("person signs %s", number);
        return true;
    }
    return false;
}
bool purse_end_agreement(const char *number)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        const struct row_agreement *a = agreement_row(p, number);
        if (!a || a->a.state != WALLET_AGREEMENT_NORMAL)
            continue;
        struct op o = op_of(p, OP_END, number);
        apply(&o);
        sim_trace("person ends %s at the wallet", number);
        return true;
    }
    return false;
}
bool purse_refund(const char *number, int64_t amount_minor)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        struct row_charge *c = charge_row(p, number);
        if (!c || c->c.state != WALLET_CHARGE_PAID || c->c.refunded_minor + amount_minor > c->c.amount_minor)
            continue;
        if (p->refunds_count == ROWS_MAX)
            abort();
        struct wallet_refund *r = &p->refunds[p->refunds_count++];
        *r = (struct wallet_refund){
            .state = WALLET_REFUND_PAID, .amount_minor = amount_minor, .currency = c->c.currency, .paid_us = sim.now_us};
        (void)snprintf(r->number, sizeof r->number, "theirs%" PRIu64, ++tickets);
        (void)snprintf(r->charge, sizeof r->charge, "%s", number);
        (void)snprintf(r->ref, sizeof r->ref, "refund-theirs%" PRIu64, tickets);
        give_back(c, amount_minor);
        tell_refund(p, r);
        sim_trace("the wallet gives back of its own");
        return true;
    }
    return false;
}

bool purse_notice(struct wallet **ret_wallet, struct wallet_inbound *ret, uint64_t *ret_ticket)
{
    static struct notice shown[SHOWN_MAX];
    static const struct notice *places[SHOWN_MAX];
    static unsigned at;
    if (!notices_count)
        return false;
    uint64_t i = sim_chance(FAULT_REORDER) ? rng_below(&sim.rng, notices_count) : 0;
    struct notice n = notices[i];
    memmove(&notices[i], &notices[i + 1], (notices_count - i - 1) * sizeof *notices);
    notices_count--;
    shown[at = (at + 1) % SHOWN_MAX] = n;
    places[at] = &shown[at];
    *ret_wallet = &purses[n.purse].wallet;
    *ret = (struct wallet_inbound){
        .method = "POST", .path = SLICE("/"), .body = slice_of((const char *)&places[at], sizeof places[at])};
    *ret_ticket = n.ticket;
    if (!n.forged && ++n.tries < TRIES_MAX && notices_count < NOTICES_MAX)
        notices[notices_count++] = n; /* until it is said to be taken */
    return true;
}
void purse_notice_done(uint64_t ticket, bool taken)
{
    for (unsigned i = 0; taken && i < notices_count; i++)
        if (notices[i].ticket == ticket) {
            memmove(&notices[i], &notices[i + 1], (notices_count - i - 1) * sizeof *notices);
            notices_count--;
            return;
        }
}
/* A wallet that something is on its way to, which nobody waits for any more; false when there is none. */
bool purse_awaited(unsigned *ret)
{
    if (!late_count)
        return false;
    *ret = late[rng_below(&sim.rng, late_count)].purse;
    return true;
}
bool purse_quiet(void)
{
    if (notices_count || late_count)
        return false;
    for (const struct purse *p = purses; p < purses + PURSES; p++) {
        for (unsigned i = 0; i < p->charges_count; i++)
            if (p->charges[i].c.state == WALLET_CHARGE_WAITS)
                return false;
        for (unsigned i = 0; i < p->refunds_count; i++)
            if (p->refunds[i].state == WALLET_REFUND_WAITS)
                return false;
    }
    return true;
}

/* What a statement of the day lists is told again: who reconciles hears of what no notice brought. */
void purse_statement(void)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        for (unsigned i = 0; i < p->charges_count; i++)
            if (p->charges[i].was_paid)
                tell_charge(p, &p->charges[i]);
        for (unsigned i = 0; i < p->refunds_count; i++)
            tell_refund(p, &p->refunds[i]);
    }
}

bool purse_effect(const char *number, struct purse_effect *ret)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        const struct row_charge *c = charge_row(p, number);
        if (!c || !c->was_paid)
            continue;
        *ret = c->effect;
        return true;
    }
    return false;
}
bool purse_gave_back(const char *refund)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        const struct wallet_refund *r = refund_row(p, refund);
        if (r && r->state == WALLET_REFUND_PAID)
            return !refund_was_late[p - purses][r - p->refunds];
    }
    return false;
}
void purse_each(purse_each_fn *each, void *ctx)
{
    for (struct purse *p = purses; p < purses + PURSES; p++)
        for (unsigned i = 0; i < p->charges_count; i++)
            if (p->charges[i].was_paid)
                each(ctx, (unsigned)(p - purses), p->charges[i].c.number, &p->charges[i].effect);
}
bool purse_is_live(const char *agreement_number)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        const struct row_agreement *a = agreement_row(p, agreement_number);
        if (a && a->a.state == WALLET_AGREEMENT_NORMAL)
            return true;
    }
    return false;
}
void purse_told_ended(const char *agreement_number)
{
    for (struct purse *p = purses; p < purses + PURSES; p++) {
        struct row_agreement *a = agreement_row(p, agreement_number);
        if (a)
            a->told_ended = true;
    }
}
