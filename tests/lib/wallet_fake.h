/* wallet_fake.h - a wallet in memory for unit tests: honest by itself, and it fails as told.
 *
 * It keeps agreements, charges and refunds by our numbers as a wallet does, and takes none twice. fake_next says how the
 * next call of a kind ends: with which answer, and whether it had its effect all the same. Threads may call it.
 */
#ifndef TESTS_LIB_WALLET_FAKE_H
#define TESTS_LIB_WALLET_FAKE_H
#include <pthread.h>

#include "lib/test.h"
#include "wallet/connector.h"

enum fake_call {
    FAKE_SIGN,
    FAKE_SIGN_FINISH,
    FAKE_AGREEMENT_QUERY,
    FAKE_AGREEMENT_END,
    FAKE_CHARGE,
    FAKE_CHARGE_QUERY,
    FAKE_CHARGE_CANCEL,
    FAKE_REFUND,
    FAKE_REFUND_QUERY,
    FAKE_CALL_MAX
};
struct fake_end {
    enum wallet_answer answer;
    enum wallet_reason reason;
    bool effect;       /* it happened, whatever is answered */
    int64_t off_minor; /* the amount is told wrong by this */
    bool waits;        /* a charge or refund is taken and not decided: fake_decide */
};
#define FAKE_ROWS 256
struct wallet_fake {
    pthread_mutex_t lock;
    struct wallet_agreement agreements[FAKE_ROWS];
    struct wallet_charge charges[FAKE_ROWS];
    struct wallet_refund refunds[FAKE_ROWS];
    unsigned agreements_count, charges_count, refunds_count;
    struct fake_end script[FAKE_CALL_MAX][FAKE_ROWS];
    unsigned scripted[FAKE_CALL_MAX], played[FAKE_CALL_MAX];
    unsigned calls[FAKE_CALL_MAX];
    int64_t charge_max_minor;     /* above it a charge is refused for want of balance; 0: none is */
    struct wallet_sign_ask asked; /* the last one that was to be signed: numbers alone */
    struct wallet_notice notice;  /* what the next notice says */
    enum wallet_verdict verdict;  /* and whether it is genuine */
};

static inline void fake_init(struct wallet_fake *f)
{
    *f = (struct wallet_fake){.verdict = WALLET_GENUINE};
    ck_assert_int_eq(pthread_mutex_init(&f->lock, NULL), 0);
}
/* How the next call of a kind ends; those told first come first. */
static inline void fake_next(struct wallet_fake *f, enum fake_call call, struct fake_end end)
{
    (void)pthread_mutex_lock(&f->lock);
    ck_assert_uint_lt(f->scripted[call], FAKE_ROWS);
    f->script[call][f->scripted[call]++] = end;
    (void)pthread_mutex_unlock(&f->lock);
}
static inline unsigned fake_calls(struct wallet_fake *f, enum fake_call call)
{
    (void)pthread_mutex_lock(&f->lock);
    unsigned n = f->calls[call];
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static inline struct wallet_agreement *fake_agreement(struct wallet_fake *f, const char *number)
{
    for (unsigned i = 0; i < f->agreements_count; i++)
        if (strcmp(f->agreements[i].number, number) == 0)
            return &f->agreements[i];
    return NULL;
}
static inline struct wallet_charge *fake_charge_row(struct wallet_fake *f, const char *number)
{
    for (unsigned i = 0; i < f->charges_count; i++)
        if (strcmp(f->charges[i].number, number) == 0)
            return &f->charges[i];
    return NULL;
}
static inline struct wallet_refund *fake_refund_row(struct wallet_fake *f, const char *number)
{
    for (unsigned i = 0; i < f->refunds_count; i++)
        if (strcmp(f->refunds[i].number, number) == 0)
            return &f->refunds[i];
    return NULL;
}
/* The person signs on the wallet's page; *f->notice becomes the notice of it. */
static inline void fake_sign(struct wallet_fake *f, const char *number, int64_t now_us)
{
    (void)pthread_mutex_lock(&f->lock);
    struct wallet_agreement *a = fake_agreement(f, number);
    ck_assert_ptr_nonnull(a);
    a->state = WALLET_AGREEMENT_NORMAL;
    a->signed_us = now_us;
    f->notice = (struct wallet_notice){.kind = WALLET_NOTICE_AGREEMENT, .agreement = *a};
    (void)snprintf(f->notice.id, sizeof f->notice.id, "signed-%s", number);
    (void)pthread_mutex_unlock(&f->lock);
}
/* The person ends it at the wallet. */
static inline void fake_stop(struct wallet_fake *f, const char *number, int64_t now_us)
{
    (void)pthread_mutex_lock(&f->lock);
    struct wallet_agreement *a = fake_agreement(f, number);
    ck_assert_ptr_nonnull(a);
    a->state = WALLET_AGREEMENT_STOPPED;
    a->ended_us = now_us;
    f->notice = (struct wallet_notice){.kind = WALLET_NOTICE_AGREEMENT, .agreement = *a};
    (void)snprintf(f->notice.id, sizeof f->notice.id, "ended-%s", number);
    (void)pthread_mutex_unlock(&f->lock);
}
/* What waits is paid, failed or closed. */
static inline void fake_decide(struct wallet_fake *f, const char *number, enum wallet_charge_state state, int64_t now_us)
{
    (void)pthread_mutex_lock(&f->lock);
    struct wallet_charge *c = fake_charge_row(f, number);
    ck_assert_ptr_nonnull(c);
    c->state = state;
    c->paid_us = state == WALLET_CHARGE_PAID ? now_us : 0;
    f->notice = (struct wallet_notice){.kind = WALLET_NOTICE_CHARGE, .charge = *c};
    (void)snprintf(f->notice.id, sizeof f->notice.id, "charge-%s-%d", number, state);
    (void)pthread_mutex_unlock(&f->lock);
}
/* What all charges that were paid come to, less what was refunded. */
static inline int64_t fake_taken_minor(struct wallet_fake *f)
{
    int64_t sum = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < f->charges_count; i++)
        if (f->charges[i].paid_us)
            sum += f->charges[i].amount_minor - f->charges[i].refunded_minor;
    (void)pthread_mutex_unlock(&f->lock);
    return sum;
}

/* --- the driver --- */

/* Locks, counts, and gives how this call ends; with nothing told, honestly. fake_leave unlocks. */
static inline struct fake_end fake_enter(struct wallet_fake *f, enum fake_call call)
{
    (void)pthread_mutex_lock(&f->lock);
    f->calls[call]++;
    return f->played[call] < f->scripted[call] ? f->script[call][f->played[call]++]
                                               : (struct fake_end){.answer = WALLET_YES, .effect = true};
}
static inline enum wallet_answer fake_leave(struct wallet_fake *f, enum wallet_answer answer, enum wallet_reason reason,
                                            struct wallet_why *why)
{
    *why = (struct wallet_why){.reason = reason};
    if (answer != WALLET_YES)
        (void)snprintf(why->code, sizeof why->code, "FAKE_%s", answer == WALLET_NO ? "NO" : "LOST");
    (void)pthread_mutex_unlock(&f->lock);
    return answer;
}

static inline enum wallet_answer fake_do_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                                              char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_SIGN);
    f->asked = *ask;
    if (e.effect && !fake_agreement(f, ask->number)) {
        ck_assert_uint_lt(f->agreements_count, FAKE_ROWS);
        struct wallet_agreement *a = &f->agreements[f->agreements_count++];
        *a = (struct wallet_agreement){.state = WALLET_AGREEMENT_TEMP};
        (void)snprintf(a->number, sizeof a->number, "%s", ask->number);
        (void)snprintf(a->ref, sizeof a->ref, "ref-%s", ask->number);
        (void)snprintf(a->user, sizeof a->user, "li***@example.org");
    }
    if (e.answer == WALLET_YES)
        (void)snprintf(ret_url, WALLET_URL_BYTES, "https://wallet.example/sign?number=%s", ask->number);
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_sign_finish(void *self, struct wallet_io *io, const char *number,
                                                     const char *auth_code, struct wallet_agreement *ret,
                                                     struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_SIGN_FINISH);
    struct wallet_agreement *a = fake_agreement(f, number);
    if (!a || strcmp(auth_code, "wrong") == 0)
        return fake_leave(f, WALLET_NO, WALLET_BAD_REQUEST, why);
    if (e.effect)
        a->state = WALLET_AGREEMENT_NORMAL;
    *ret = *a;
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                               struct wallet_agreement *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_AGREEMENT_QUERY);
    struct wallet_agreement *a = fake_agreement(f, which->number);
    *ret = a ? *a : (struct wallet_agreement){.state = WALLET_AGREEMENT_NONE};
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                             struct slice reason, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    UNUSED(reason);
    struct fake_end e = fake_enter(f, FAKE_AGREEMENT_END);
    struct wallet_agreement *a = fake_agreement(f, which->number);
    if (!a || a->state != WALLET_AGREEMENT_NORMAL)
        return fake_leave(f, e.answer == WALLET_YES ? WALLET_NO : e.answer, WALLET_AGREEMENT_GONE, why);
    if (e.effect)
        a->state = WALLET_AGREEMENT_STOPPED;
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                                struct wallet_charge *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    struct fake_end e = fake_enter(f, FAKE_CHARGE);
    struct wallet_charge *c = fake_charge_row(f, ask->number);
    bool live = false;
    for (unsigned i = 0; i < f->agreements_count; i++)
        live =
            live || (strcmp(f->agreements[i].ref, ask->agreement) == 0 && f->agreements[i].state == WALLET_AGREEMENT_NORMAL);
    if (c && (c->amount_minor != ask->amount_minor || c->currency != ask->currency))
        return fake_leave(f, WALLET_NO, WALLET_NUMBER_REUSED, why);
    if (!c && !live)
        return fake_leave(f, WALLET_NO, WALLET_AGREEMENT_GONE, why);
    if (!c && f->charge_max_minor && ask->amount_minor > f->charge_max_minor)
        return fake_leave(f, WALLET_NO, WALLET_BALANCE, why);
    if (!c && e.effect) {
        ck_assert_uint_lt(f->charges_count, FAKE_ROWS);
        c = &f->charges[f->charges_count++];
        *c = (struct wallet_charge){.state = e.waits ? WALLET_CHARGE_WAITS : WALLET_CHARGE_PAID,
                                    .amount_minor = ask->amount_minor,
                                    .currency = ask->currency,
                                    .paid_us = e.waits ? 0 : io->now_us};
        (void)snprintf(c->number, sizeof c->number, "%s", ask->number);
        (void)snprintf(c->ref, sizeof c->ref, "trade-%s", ask->number);
        (void)snprintf(c->agreement, sizeof c->agreement, "%s", ask->agreement);
    }
    if (c) {
        *ret = *c;
        ret->amount_minor += e.off_minor;
    }
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_charge_query(void *self, struct wallet_io *io, const char *number,
                                                      struct wallet_charge *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_CHARGE_QUERY);
    struct wallet_charge *c = fake_charge_row(f, number);
    *ret = c ? *c : (struct wallet_charge){.state = WALLET_CHARGE_NONE, .currency = CUR_MAX};
    if (c)
        ret->amount_minor += e.off_minor;
    return fake_leave(f, e.answer, e.reason, why);
}

/* Of one that it never saw: a row that stays closed, so that the number has no effect afterwards. */
static inline enum wallet_answer fake_do_cancel(void *self, struct wallet_io *io, const char *number,
                                                struct wallet_charge *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_CHARGE_CANCEL);
    struct wallet_charge *c = fake_charge_row(f, number);
    if (!c && e.effect) {
        ck_assert_uint_lt(f->charges_count, FAKE_ROWS);
        c = &f->charges[f->charges_count++];
        *c = (struct wallet_charge){.currency = CUR_MAX};
        (void)snprintf(c->number, sizeof c->number, "%s", number);
    }
    if (c && e.effect) {
        if (c->state == WALLET_CHARGE_PAID)
            c->refunded_minor = c->amount_minor;
        c->state = WALLET_CHARGE_CLOSED;
    }
    if (c)
        *ret = *c;
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                                struct wallet_refund *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    struct fake_end e = fake_enter(f, FAKE_REFUND);
    struct wallet_charge *c = fake_charge_row(f, ask->charge);
    struct wallet_refund *r = fake_refund_row(f, ask->number);
    if (r && (r->amount_minor != ask->amount_minor || strcmp(r->charge, ask->charge) != 0))
        return fake_leave(f, WALLET_NO, WALLET_NUMBER_REUSED, why);
    if (!r && (!c || !c->paid_us || c->refunded_minor + ask->amount_minor > c->amount_minor))
        return fake_leave(f, WALLET_NO, WALLET_NOT_POSSIBLE, why);
    if (!r && e.effect) {
        ck_assert_uint_lt(f->refunds_count, FAKE_ROWS);
        r = &f->refunds[f->refunds_count++];
        *r = (struct wallet_refund){.state = e.waits ? WALLET_REFUND_WAITS : WALLET_REFUND_PAID,
                                    .amount_minor = ask->amount_minor,
                                    .currency = ask->currency,
                                    .paid_us = e.waits ? 0 : io->now_us};
        (void)snprintf(r->number, sizeof r->number, "%s", ask->number);
        (void)snprintf(r->charge, sizeof r->charge, "%s", ask->charge);
        (void)snprintf(r->ref, sizeof r->ref, "refund-%s", ask->number);
        c->refunded_minor += ask->amount_minor;
    }
    if (r) {
        *ret = *r;
        ret->amount_minor += e.off_minor;
    }
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_answer fake_do_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                                      struct wallet_refund *ret, struct wallet_why *why)
{
    struct wallet_fake *f = self;
    UNUSED(io);
    struct fake_end e = fake_enter(f, FAKE_REFUND_QUERY);
    struct wallet_refund *r = fake_refund_row(f, ask->number);
    *ret = r ? *r : (struct wallet_refund){.state = WALLET_REFUND_NONE, .currency = CUR_MAX};
    return fake_leave(f, e.answer, e.reason, why);
}

static inline enum wallet_verdict fake_do_notice(void *self, const struct wallet_inbound *in, int64_t now_us,
                                                 struct wallet_notice *ret, char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_fake *f = self;
    UNUSED(in);
    UNUSED(now_us);
    (void)pthread_mutex_lock(&f->lock);
    enum wallet_verdict verdict = f->verdict;
    if (verdict == WALLET_GENUINE)
        *ret = f->notice;
    else
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "the fake was told so");
    (void)pthread_mutex_unlock(&f->lock);
    return verdict;
}
static inline void fake_do_reply(void *self, bool taken, struct wallet_reply *ret)
{
    UNUSED(self);
    *ret = (struct wallet_reply){.status = taken ? 200 : 500, .type = "text/plain"};
    (void)snprintf(ret->body, sizeof ret->body, "%s", taken ? "success" : "fail");
}
static inline void fake_do_free(void *self) { UNUSED(self); } /* it is the test's */

static const struct wallet_driver wallet_fake_driver = {
    .kind = "fake",
    .can = WALLET_CAN_CANCEL | WALLET_SYNC,
    .free = fake_do_free,
    .sign = fake_do_sign,
    .sign_finish = fake_do_sign_finish,
    .agreement_query = fake_do_query,
    .agreement_end = fake_do_end,
    .charge = fake_do_charge,
    .charge_query = fake_do_charge_query,
    .charge_cancel = fake_do_cancel,
    .refund = fake_do_refund,
    .refund_query = fake_do_refund_query,
    .notice = fake_do_notice,
    .reply = fake_do_reply,
};
#endif
