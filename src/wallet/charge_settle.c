/* charge_settle.c - what becomes of a charge by what its wallet says, in any order, any number of times.
 *
 *     what was said      SUBMITTED, UNKNOWN                       PAID                     FAILED, CANCELLED
 *     paid, our amount   PAID                                     (nothing)                asked; a query: late_paid
 *     paid, another one  wrong_money; asked, believed after gone  wrong_money              asked; a query: late_paid
 *     failed, closed     FAILED or CANCELLED                      asked; a query:          (nothing)
 *                                                                 failed_after_paid
 *     paid, part of it   PAID, and a refund of the wallet's own   a refund of the wallet's  (nothing)
 *     given back
 *     not there          sent again, or cancelled; after gone     (nothing)                (nothing)
 *                        FAILED
 *     refused            first sending: FAILED; else asked        (nothing)                (nothing)
 *     waits, no answer   UNKNOWN                                  (nothing)                (nothing)
 * A charge that was never submitted and is said to be paid: not_submitted.
 */
#include "base/timefmt.h"
#include "wallet/charge_inside.h"

int64_t charge_backoff_us(int64_t asked)
{
    return asked >= 6 ? 60 * US_SECOND : ((int64_t)1 << (asked < 0 ? 0 : asked)) * US_SECOND;
}

struct settling {
    struct db *db;
    const struct charge_terms *t;
    const struct charge_said *said;
    int64_t now_us;
    struct charge *c;
    enum charge_settled *settled;
    bool *paid_now;
};

static bool is_open(const struct charge *c) { return c->state == CHARGE_SUBMITTED || c->state == CHARGE_UNKNOWN; }

static enum keer_err surprise(const struct settling *s, enum surprise what, const char *detail)
{
    return surprise_add(s->db, s->c->wallet, s->c->number, WALLET_NOTICE_CHARGE, what, detail, s->now_us);
}

/* --- ends --- */

static enum keer_err move(const struct settling *s, enum charge_state state, const char *why)
{
    enum keer_err err = QUERY_MET(
        s->db,
        "UPDATE charge SET state = $1, state_us = $2, reason = $3, why = $4, ref = $5, ask_us = 0 WHERE id = $6 AND"
        " state IN (2, 3) RETURNING id",
        Q_NUMBER(state), Q_NUMBER(s->now_us), Q_NUMBER(state == CHARGE_FAILED ? s->said->why.reason : WALLET_NO_REASON),
        Q_STR(why), Q_STR(s->said->charge.ref[0] ? s->said->charge.ref : s->c->ref), Q_ID(&s->c->id));
    *s->settled = CHARGE_IS_SETTLED;
    return err;
}

static enum keer_err settle_reservation(const struct settling *s, enum ledger_kind kind, const char *reason)
{
    struct ledger_transfer t = {.kind = kind};
    books_transfer_id("reserve", &s->c->id, &t.pending);
    books_transfer_id(kind == LEDGER_POST ? "post" : "void", &s->c->id, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", s->c->agreement.text);
    (void)snprintf(t.reason, sizeof t.reason, "%s", reason);
    return books_must(s->db, &t, 1, s->now_us);
}

static enum keer_err end_paid(const struct settling *s)
{
    struct charge *c = s->c;
    enum keer_err err = settle_reservation(s, LEDGER_POST, "");
    if (err == KEER_OK && c->kind == CHARGE_TOP_UP)
        err = balance_hold(s->db, c, c->amount_minor, c->verified ? s->now_us : s->now_us + s->t->hold_us, s->now_us);
    if (err == KEER_OK)
        err = move(s, CHARGE_PAID, "");
    if (err == KEER_OK)
        err = surprise_done(s->db, c->wallet, c->number, SURPRISE_WRONG_MONEY, s->now_us);
    *s->paid_now = err == KEER_OK;
    if (err == KEER_OK)
        err = charge_read(s->db, &c->id, c);
    return err == KEER_OK && s->said->charge.refunded_minor > 0
               ? refund_seen(s->db, c, s->said->charge.refunded_minor, s->now_us)
               : err;
}

static enum keer_err end_failed(const struct settling *s, enum charge_state state, enum charge_why why, const char *words)
{
    char text[WALLET_WHY_BYTES + 1];
    charge_why_print(why, words, text);
    enum keer_err err = settle_reservation(s, LEDGER_VOID, charge_why_code(why));
    return err == KEER_OK ? move(s, state, text) : err;
}

static enum keer_err suspend(const struct settling *s, enum surprise what, const char *detail)
{
    const struct wallet_charge *w = &s->said->charge;
    char reason[LEDGER_REASON_BYTES + 1];
    bool fresh = false;
    (void)snprintf(reason, sizeof reason, "%s: charge %s", surprise_name(what), s->c->number);
    struct books_suspense b = {.wallet = s->c->wallet,
                               .purpose = "suspense",
                               .reason = reason,
                               .of = &s->c->id,
                               .ref = id_slice(&s->c->agreement),
                               .currency = w->currency == CUR_MAX ? s->c->currency : w->currency,
                               .amount_minor = w->amount_minor > 0 ? w->amount_minor : s->c->amount_minor,
                               .taken = true};
    enum keer_err err = books_suspend(s->db, &b, s->now_us, &fresh);
    return err == KEER_OK ? surprise(s, what, detail) : err;
}

/* --- not settled --- */

/* UNKNOWN, and asked again; of an answer soon, of what the timer asked when charge_turn said. */
static enum keer_err stay(const struct settling *s)
{
    const struct charge *c = s->c;
    int64_t soon = s->now_us + charge_backoff_us(c->asked);
    bool timer = s->said->way == CHARGE_BY_QUERY || s->said->way == CHARGE_BY_CANCEL || s->said->again;
    *s->settled = CHARGE_IS_OPEN;
    return QUERY_DO(
        s->db,
        "UPDATE charge SET state = 3, state_us = CASE WHEN state = 2 THEN CAST($1 AS BIGINT) ELSE state_us END,"
        " reason = $2, ask_us = CASE WHEN CAST($3 AS BIGINT) = 1 THEN ask_us ELSE CAST($4 AS BIGINT) END WHERE id = $5"
        " AND state IN (2, 3)",
        Q_NUMBER(s->now_us), Q_NUMBER(s->said->why.reason), Q_NUMBER(timer && c->ask_us > 0 ? 1 : 0),
        Q_NUMBER(c->ask_us > 0 ? MIN_OF(soon, c->ask_us) : soon), Q_ID(&c->id));
}

/* It has ended, and somebody says otherwise: a query decides. */
static enum keer_err doubt(const struct settling *s)
{
    return QUERY_DO(s->db, "UPDATE charge SET ask_us = $1 WHERE id = $2 AND state IN (4, 5, 7)", Q_NUMBER(s->now_us),
                    Q_ID(&s->c->id));
}

static enum keer_err no_doubt(const struct settling *s)
{
    *s->settled = CHARGE_IS_SETTLED;
    return QUERY_DO(s->db, "UPDATE charge SET ask_us = 0 WHERE id = $1 AND state IN (4, 5, 7)", Q_ID(&s->c->id));
}

/* --- what was said --- */

/* Whether the wallet's amount and currency are ours, as far as it tells them; else in words. */
static bool same_money(const struct charge *c, const struct wallet_charge *w, char ret_detail[128])
{
    if ((w->currency == CUR_MAX || w->currency == c->currency) && w->amount_minor == c->amount_minor)
        return true;
    (void)snprintf(ret_detail, 128, "asked %lld %s, said %lld %s", (long long)c->amount_minor, currency_code(c->currency),
                   (long long)w->amount_minor, w->currency == CUR_MAX ? "" : currency_code(w->currency));
    return false;
}

static enum keer_err open_closed(const struct settling *s)
{
    const char *words = s->said->charge.refunded_minor > 0 ? "it was paid and given back" : s->said->why.text;
    return charge_is_cancelling(s->c) ? end_failed(s, CHARGE_CANCELLED, CHARGE_WHY_STORE_CANCELLED, "")
                                      : end_failed(s, CHARGE_FAILED, CHARGE_WHY_CLOSED, words);
}

static enum keer_err open_paid(const struct settling *s)
{
    struct charge *c = s->c;
    char detail[128];
    if (same_money(c, &s->said->charge, detail)) /* nobody may deliver what was paid and given back */
        return s->said->charge.refunded_minor >= c->amount_minor ? open_closed(s) : end_paid(s);
    bool believed = s->said->way == CHARGE_BY_QUERY && s->now_us >= c->submitted_us + s->t->gone_us;
    enum keer_err err = surprise(s, SURPRISE_WRONG_MONEY, detail);
    if (err != KEER_OK || !believed)
        return err == KEER_OK ? stay(s) : err;
    err = end_failed(s, CHARGE_FAILED, CHARGE_WHY_WRONG_MONEY, detail);
    return err == KEER_OK && s->said->charge.amount_minor > 0 ? suspend(s, SURPRISE_WRONG_MONEY, detail) : err;
}

static enum keer_err open_absent(const struct settling *s)
{
    const struct charge *c = s->c;
    if (s->now_us >= c->submitted_us + s->t->gone_us)
        return charge_is_cancelling(c) ? end_failed(s, CHARGE_CANCELLED, CHARGE_WHY_STORE_CANCELLED, "")
                                       : end_failed(s, CHARGE_FAILED, CHARGE_WHY_NEVER_ARRIVED, "");
    enum keer_err err = stay(s);
    *s->settled = s->said->way == CHARGE_BY_QUERY ? CHARGE_IS_ABSENT : CHARGE_IS_OPEN;
    return err;
}

static enum keer_err open_yes(const struct settling *s)
{
    switch (s->said->charge.state) {
    case WALLET_CHARGE_PAID: return open_paid(s);
    case WALLET_CHARGE_FAILED: return end_failed(s, CHARGE_FAILED, CHARGE_WHY_WALLET_REFUSED, s->said->why.text);
    case WALLET_CHARGE_CLOSED: return open_closed(s);
    case WALLET_CHARGE_NONE: return open_absent(s);
    case WALLET_CHARGE_WAITS:
    case WALLET_CHARGE_STATE_MAX: break;
    }
    return stay(s);
}

/* Nothing of it can have been sent before this: its refusal is all there is. */
static bool is_first(const struct settling *s)
{
    return s->said->way == CHARGE_BY_ANSWER && !s->said->again && s->c->state == CHARGE_SUBMITTED && s->c->asked == 0;
}

static enum keer_err open_said(const struct settling *s)
{
    enum wallet_reason reason = s->said->why.reason;
    switch (s->said->answer) {
    case WALLET_YES: return open_yes(s);
    case WALLET_NOT_SENT:
        return is_first(s) ? end_failed(s, CHARGE_FAILED, CHARGE_WHY_WALLET_UNREACHABLE, s->said->why.text) : stay(s);
    case WALLET_NO:
        if (s->said->way != CHARGE_BY_ANSWER)
            return reason == WALLET_NOT_THERE ? open_absent(s) : stay(s);
        return is_first(s) && reason != WALLET_NUMBER_REUSED
                   ? end_failed(s, CHARGE_FAILED, CHARGE_WHY_WALLET_REFUSED, s->said->why.text)
                   : stay(s);
    case WALLET_UNKNOWN: break;
    }
    return stay(s);
}

static enum keer_err paid_said(const struct settling *s)
{
    const struct wallet_charge *w = &s->said->charge;
    bool query = s->said->way == CHARGE_BY_QUERY;
    bool over = w->state == WALLET_CHARGE_FAILED || w->state == WALLET_CHARGE_CLOSED || w->state == WALLET_CHARGE_NONE;
    char detail[128];
    if (s->said->answer != WALLET_YES)
        return KEER_OK; /* charge_turn has put the next asking off already */
    enum keer_err err = KEER_OK;
    if (w->state == WALLET_CHARGE_PAID && !same_money(s->c, w, detail))
        return query ? surprise(s, SURPRISE_WRONG_MONEY, detail) : doubt(s);
    if (w->refunded_minor > 0)
        err = refund_seen(s->db, s->c, w->refunded_minor, s->now_us);
    else if (over && !query)
        return doubt(s);
    else if (over && s->c->refunded_minor + s->c->refunding_minor < s->c->amount_minor)
        err = surprise(s, SURPRISE_FAILED_AFTER_PAID, w->state == WALLET_CHARGE_FAILED ? "failed" : "closed, or not there");
    return err == KEER_OK && query ? no_doubt(s) : err;
}

static enum keer_err ended_said(const struct settling *s)
{
    const struct wallet_charge *w = &s->said->charge;
    bool query = s->said->way == CHARGE_BY_QUERY;
    if (s->said->answer == WALLET_NO && query && s->said->why.reason == WALLET_NOT_THERE)
        return no_doubt(s);
    if (s->said->answer != WALLET_YES || w->state == WALLET_CHARGE_WAITS)
        return KEER_OK;
    if (w->state == WALLET_CHARGE_PAID && !query)
        return doubt(s);
    char detail[128];
    bool known = charge_why_find(s->c->why) == CHARGE_WHY_WRONG_MONEY && !same_money(s->c, w, detail);
    enum keer_err err = w->state == WALLET_CHARGE_PAID && w->refunded_minor < w->amount_minor && !known
                            ? suspend(s, SURPRISE_LATE_PAID, s->c->why)
                            : KEER_OK;
    return err == KEER_OK && query ? no_doubt(s) : err;
}

static enum keer_err never_sent_said(const struct settling *s)
{
    return s->said->answer == WALLET_YES && s->said->charge.state == WALLET_CHARGE_PAID
               ? suspend(s, SURPRISE_NOT_SUBMITTED, charge_state_name(s->c->state))
               : KEER_OK;
}

enum keer_err charge_settle(struct db *db, const struct charge_terms *t, const struct charge_said *said, int64_t now_us,
                            struct charge *c, enum charge_settled *ret_settled)
{
    enum charge_settled settled = CHARGE_IS_SETTLED;
    bool paid_now = false;
    struct charge_said garbled;
    enum keer_err err = charge_read(db, &c->id, c);
    if (err != KEER_OK)
        return err;
    if (said->answer == WALLET_YES && said->charge.number[0] && strcmp(said->charge.number, c->number) != 0) {
        garbled = *said; /* an answer about something else is none */
        garbled.answer = WALLET_UNKNOWN;
        garbled.why.reason = WALLET_GARBLED_ANSWER;
        said = &garbled;
    }
    struct settling s = {db, t, said, now_us, c, &settled, &paid_now};
    switch (c->state) {
    case CHARGE_SUBMITTED:
    case CHARGE_UNKNOWN: err = open_said(&s); break;
    case CHARGE_PAID: err = paid_said(&s); break;
    case CHARGE_FAILED:
    case CHARGE_CANCELLED: err = ended_said(&s); break;
    case CHARGE_CREATED:
    case CHARGE_NEEDS_STEP:
    case CHARGE_REFUSED: err = never_sent_said(&s); break;
    case CHARGE_STATE_MAX: err = KEER_EFORMAT; break;
    }
    if (err == KEER_OK)
        err = charge_read(db, &c->id, c);
    if (err != KEER_OK)
        return err;
    c->paid_now = paid_now;
    *ret_settled = settled;
    return KEER_OK;
}

enum keer_err charge_turn(struct db *db, int64_t now_us, struct charge *c)
{
    enum keer_err err = charge_read(db, &c->id, c);
    bool waits = c->state == CHARGE_CREATED || c->state == CHARGE_NEEDS_STEP || c->ask_us <= ask_latest(now_us);
    if (err == KEER_OK && (c->ask_us == 0 || (c->ask_us > now_us && waits)))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    if (c->state == CHARGE_CREATED || c->state == CHARGE_NEEDS_STEP)
        return charge_end(db, CHARGE_CANCELLED, CHARGE_WHY_LAPSED, now_us, c);
    err = QUERY_MET(db,
                    "UPDATE charge SET asked = asked + 1, ask_us = $1, state = CASE WHEN state = 2 THEN 3 ELSE state END,"
                    " state_us = CASE WHEN state = 2 THEN CAST($2 AS BIGINT) ELSE state_us END WHERE id = $3 AND"
                    " asked = $4 RETURNING id",
                    Q_NUMBER(now_us + charge_backoff_us(c->asked)), Q_NUMBER(now_us), Q_ID(&c->id), Q_NUMBER(c->asked));
    return err == KEER_OK ? charge_read(db, &c->id, c) : err;
}

bool charge_may_resend(const struct charge *c, const struct charge_terms *t, const struct agreement *a, int64_t now_us)
{
    return is_open(c) && !charge_is_cancelling(c) && a->state == AGREEMENT_ACTIVE && now_us >= c->submitted_us &&
           now_us < c->submitted_us + t->resend_us;
}
