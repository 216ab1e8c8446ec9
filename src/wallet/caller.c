/* caller.c - every call to a wallet: its breaker, its budget of retries, its times.
 *
 * The breaker stands before the socket and not before the driver: what a driver builds without the network needs nobody's
 * leave. A call asks it once, with its first request, and tells it its end.
 */
#include "wallet/inside.h"

struct calling {
    struct wallet *wallet;
    struct wallet_calls *calls;
    bool admitted, refused, probe;
    bool past; /* the breaker is not asked, and hears nothing of it */
};

/* --- the breaker --- */

static bool may_probe(const struct wallet *w, int64_t now_us)
{
    const struct breaker *b = &w->breaker;
    return now_us - b->opened_us >= w->breaker_us || now_us < b->opened_us;
}

/* Whether a call may send; *ret_probe: it is the one that is let pass to see whether the wallet is back. */
static bool breaker_begin(struct wallet *w, int64_t now_us, bool *ret_probe)
{
    struct breaker *b = &w->breaker;
    (void)pthread_mutex_lock(&b->lock);
    bool may = b->state == BREAKER_CLOSED;
    if (b->state == BREAKER_OPEN && may_probe(w, now_us))
        b->state = BREAKER_HALF_OPEN;
    if (b->state == BREAKER_HALF_OPEN && !b->probing)
        may = b->probing = *ret_probe = true;
    b->stats.refused += !may;
    if (may)
        b->budget = MIN_OF(b->budget + WALLET_RETRY_PER_CALL, WALLET_RETRY_MAX);
    (void)pthread_mutex_unlock(&b->lock);
    return may;
}

enum wallet_room wallet_room(const struct wallet *w, int64_t now_us)
{
    struct breaker *b = (struct breaker *)(uintptr_t)&w->breaker; /* as in wallet_statistics */
    enum wallet_room room = WALLET_SHUT;
    (void)pthread_mutex_lock(&b->lock);
    switch (b->state) {
    case BREAKER_CLOSED: room = WALLET_ANY; break;
    case BREAKER_OPEN: room = may_probe(w, now_us) ? WALLET_ONE : WALLET_SHUT; break;
    case BREAKER_HALF_OPEN: room = b->probing ? WALLET_SHUT : WALLET_ONE; break;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return room;
}

/* A call that was let pass before the breaker opened may end afterwards: its failure changes nothing then, its success
 * neither: the probe alone closes. */
static void breaker_end(struct wallet *w, enum wallet_answer answer, bool probe, int64_t now_us)
{
    struct breaker *b = &w->breaker;
    bool failed = answer == WALLET_UNKNOWN || answer == WALLET_NOT_SENT;
    (void)pthread_mutex_lock(&b->lock);
    b->stats.answers[answer]++;
    switch (b->state) {
    case BREAKER_CLOSED:
        b->failures = failed ? b->failures + 1 : 0;
        if (b->failures >= w->breaker_failures) {
            b->state = BREAKER_OPEN;
            b->opened_us = now_us;
        }
        break;
    case BREAKER_HALF_OPEN:
        if (!probe)
            break;
        b->state = failed ? BREAKER_OPEN : BREAKER_CLOSED;
        b->opened_us = now_us;
        b->failures = 0;
        b->probing = false;
        break;
    case BREAKER_OPEN: break;
    }
    (void)pthread_mutex_unlock(&b->lock);
}

/* Whether what failed may be asked once more, at once. */
static bool take_retry(struct wallet *w)
{
    struct breaker *b = &w->breaker;
    (void)pthread_mutex_lock(&b->lock);
    bool may = b->state == BREAKER_CLOSED && b->budget >= WALLET_RETRY_COST;
    b->stats.retries += may;
    if (may)
        b->budget -= WALLET_RETRY_COST;
    (void)pthread_mutex_unlock(&b->lock);
    return may;
}

void wallet_statistics(const struct wallet *w, struct wallet_stats *ret)
{
    /* The lock is not part of what a wallet is: looking at it is no change. */
    struct breaker *b = (struct breaker *)(uintptr_t)&w->breaker;
    (void)pthread_mutex_lock(&b->lock);
    *ret = b->stats;
    ret->breaker = b->state == BREAKER_CLOSED ? 0 : b->state == BREAKER_HALF_OPEN ? 1 : 2;
    (void)pthread_mutex_unlock(&b->lock);
}

const char *wallet_breaker(const struct wallet *w)
{
    static const char *const names[] = {"closed", "half-open", "open"};
    struct wallet_stats s;
    wallet_statistics(w, &s);
    return names[s.breaker];
}

/* --- calls --- */

static enum wallet_sent send_guarded(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct calling *c = ctx;
    struct wallet_request timed = *rq;
    if (!c->admitted && !c->refused && !c->past) {
        c->admitted = breaker_begin(c->wallet, c->calls->wall_us(c->calls->ctx), &c->probe);
        c->refused = !c->admitted;
    }
    if (c->refused)
        return WALLET_NEVER;
    timed.connect_us = c->wallet->connect_us;
    timed.whole_us = c->wallet->whole_us;
    timed.loopback = c->wallet->loopback;
    return c->calls->send(c->calls->ctx, &timed, ret);
}

static void random_of(void *ctx, void *bytes, size_t len)
{
    struct calling *c = ctx;
    c->calls->random(c->calls->ctx, bytes, len);
}

static struct wallet_io begin(struct calling *c, struct wallet *w, struct wallet_calls *calls, struct wallet_why *why)
{
    *c = (struct calling){.wallet = w, .calls = calls};
    *why = (struct wallet_why){0};
    return (struct wallet_io){.send = send_guarded, .random = random_of, .ctx = c, .now_us = calls->wall_us(calls->ctx)};
}

static enum wallet_answer end(struct calling *c, enum wallet_answer answer, struct wallet_why *why)
{
    if (c->admitted)
        breaker_end(c->wallet, answer, c->probe, c->calls->wall_us(c->calls->ctx));
    if (c->refused) {
        *why = (struct wallet_why){.reason = WALLET_BREAKER};
        (void)snprintf(why->text, sizeof why->text, "%s", wallet_reason_text(WALLET_BREAKER));
        return WALLET_NOT_SENT;
    }
    return answer;
}

/* A time-out is not tried again at once: who waits has waited long enough. */
static bool again(struct wallet *w, enum wallet_answer answer, const struct wallet_why *why)
{
    bool failed = answer == WALLET_UNKNOWN || answer == WALLET_NOT_SENT;
    return failed && why->reason != WALLET_TIMED_OUT && why->reason != WALLET_BREAKER && take_retry(w);
}

static enum wallet_answer not_possible(struct wallet_why *why)
{
    *why = (struct wallet_why){.reason = WALLET_NOT_POSSIBLE, .text = "this wallet has no such call"};
    return WALLET_NO;
}

enum wallet_answer wallet_sign(struct wallet *w, struct wallet_calls *c, const struct wallet_sign_ask *ask,
                               char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    return end(&g, w->driver->sign(w->self, &io, ask, ret_url, why), why);
}

/* The code is good for one use: never sent twice by ourselves. */
enum wallet_answer wallet_sign_finish(struct wallet *w, struct wallet_calls *c, const char *number, const char *auth_code,
                                      struct wallet_agreement *ret, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    return end(&g, w->driver->sign_finish(w->self, &io, number, auth_code, ret, why), why);
}

enum wallet_answer wallet_agreement_query(struct wallet *w, struct wallet_calls *c, const struct wallet_agreement *which,
                                          struct wallet_agreement *ret, struct wallet_why *why)
{
    for (bool last = false;; last = true) {
        struct calling g;
        struct wallet_io io = begin(&g, w, c, why);
        enum wallet_answer answer = end(&g, w->driver->agreement_query(w->self, &io, which, ret, why), why);
        if (last || !again(w, answer, why))
            return answer;
    }
}

enum wallet_answer wallet_agreement_end(struct wallet *w, struct wallet_calls *c, const struct wallet_agreement *which,
                                        struct slice reason, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    return end(&g, w->driver->agreement_end(w->self, &io, which, reason, why), why);
}

enum wallet_answer wallet_charge(struct wallet *w, struct wallet_calls *c, const struct wallet_charge_ask *ask,
                                 struct wallet_charge *ret, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    return end(&g, w->driver->charge(w->self, &io, ask, ret, why), why);
}

enum wallet_answer wallet_charge_query(struct wallet *w, struct wallet_calls *c, const char *number,
                                       struct wallet_charge *ret, struct wallet_why *why)
{
    for (bool last = false;; last = true) {
        struct calling g;
        struct wallet_io io = begin(&g, w, c, why);
        enum wallet_answer answer = end(&g, w->driver->charge_query(w->self, &io, number, ret, why), why);
        if (last || !again(w, answer, why))
            return answer;
    }
}

enum wallet_answer wallet_charge_cancel(struct wallet *w, struct wallet_calls *c, const char *number,
                                        struct wallet_charge *ret, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    if (!(w->driver->can & WALLET_CAN_CANCEL))
        return not_possible(why);
    return end(&g, w->driver->charge_cancel(w->self, &io, number, ret, why), why);
}

enum wallet_answer wallet_refund(struct wallet *w, struct wallet_calls *c, const struct wallet_refund_ask *ask,
                                 struct wallet_refund *ret, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    return end(&g, w->driver->refund(w->self, &io, ask, ret, why), why);
}

enum wallet_answer wallet_refund_query(struct wallet *w, struct wallet_calls *c, const struct wallet_refund_ask *ask,
                                       struct wallet_refund *ret, struct wallet_why *why)
{
    for (bool last = false;; last = true) {
        struct calling g;
        struct wallet_io io = begin(&g, w, c, why);
        enum wallet_answer answer = end(&g, w->driver->refund_query(w->self, &io, ask, ret, why), why);
        if (last || !again(w, answer, why))
            return answer;
    }
}

enum wallet_verdict wallet_notice(struct wallet *w, const struct wallet_inbound *in, int64_t now_us,
                                  struct wallet_notice *ret, char ret_why[WALLET_WHY_BYTES])
{
    ret_why[0] = '\0';
    return w->driver->notice(w->self, in, now_us, ret, ret_why);
}

bool wallet_keys_due(const struct wallet *w, int64_t now_us)
{
    return w->driver->keys_due && w->driver->keys_due(w->self, now_us);
}

enum wallet_answer wallet_keys_fetch(struct wallet *w, struct wallet_calls *c, struct buf *ret_kept, struct wallet_why *why)
{
    struct calling g;
    struct wallet_io io = begin(&g, w, c, why);
    if (!w->driver->keys_fetch)
        return not_possible(why);
    g.past = true;
    return w->driver->keys_fetch(w->self, &io, ret_kept, why);
}

enum keer_err wallet_keys_load(struct wallet *w, struct slice kept, int64_t kept_us, int64_t now_us,
                               char ret_why[WALLET_WHY_BYTES])
{
    ret_why[0] = '\0';
    return w->driver->keys_load ? w->driver->keys_load(w->self, kept, kept_us, now_us, ret_why) : KEER_EUNSUPPORTED;
}
