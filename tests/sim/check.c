/* check.c - what must hold after every commit, said a second time: from the rows alone, with nothing of the code that made
 * them. The gate's rules (agreement, holds, caps, the step, what passes without one) are written here anew and plainly.
 */
#include "account/account.h"
#include "sim/world.h"
#include "stepup/challenge.h"
#include "store/query.h"
#include "wallet/books.h"
#include "wallet/refund.h"

#define CHARGES_MAX 256
#define REFUNDS_MAX 256
#define ROWS_MAX 32
#define SPENDS_MAX 128

struct row_charge {
    struct id id, agreement, account, challenge;
    char number[WALLET_NUMBER_BYTES + 1], key[LIMIT_NAME_BYTES + 1], currency[4], payee[257], why[WALLET_WHY_BYTES + 1];
    int64_t kind, state, amount, refunded, refunding, verified, submitted_us;
    bool unverified; /* passed without a step: seen when it did */
};
struct row_refund {
    struct id id, charge;
    char number[WALLET_NUMBER_BYTES + 1];
    int64_t state, amount, by_wallet;
};
struct row_agreement {
    struct id id, account;
    char number[WALLET_NUMBER_BYTES + 1], currency[4];
    int64_t state, charge, day, month, count, limit, used, verified_us, by_wallet, signed_us;
    int64_t passed; /* without a step since the last one: counted here */
};
struct shadow {
    struct row_charge charges[CHARGES_MAX];
    struct row_refund refunds[REFUNDS_MAX];
    struct row_agreement agreements[ROWS_MAX];
    unsigned charges_count, refunds_count, agreements_count;
    int64_t entries;
    struct crypto_hash head;
};
static struct shadow now, was;

static void text(struct db_stmt *s, unsigned column, char *room, size_t size) { SIM_OK(query_text(s, column, room, size)); }
static void read_id(struct db_stmt *s, unsigned column, struct id *ret)
{
    struct slice t = db_bytes(s, column);
    *ret = (struct id){""};
    if (t.len)
        SIM_OK(query_id(s, column, ret));
}
#define EACH_ROW(s, sql)                          \
    struct db_stmt *s;                            \
    SIM_OK(query_rows(sim.db, &s, sql, NULL, 0)); \
    for (; db_step(s) == DB_ROW;)

/* --- reading --- */

static void read_charges(void)
{
    now.charges_count = 0;
    EACH_ROW(s, "SELECT id, agreement, account, challenge, number, key, currency, payee, kind, state, amount, refunded,"
                " refunding, verified, submitted_us, why FROM charge ORDER BY created_us, id")
    {
        if (now.charges_count == CHARGES_MAX)
            abort();
        struct row_charge *c = &now.charges[now.charges_count++];
        *c = (struct row_charge){0};
        read_id(s, 0, &c->id);
        read_id(s, 1, &c->agreement);
        read_id(s, 2, &c->account);
        read_id(s, 3, &c->challenge);
        text(s, 4, c->number, sizeof c->number);
        text(s, 5, c->key, sizeof c->key);
        text(s, 6, c->currency, sizeof c->currency);
        text(s, 7, c->payee, sizeof c->payee);
        c->kind = db_i64(s, 8);
        c->state = db_i64(s, 9);
        c->amount = db_i64(s, 10);
        c->refunded = db_i64(s, 11);
        c->refunding = db_i64(s, 12);
        c->verified = db_i64(s, 13);
        c->submitted_us = db_i64(s, 14);
        text(s, 15, c->why, sizeof c->why);
    }
    db_free(s);
}
static void read_refunds(void)
{
    now.refunds_count = 0;
    EACH_ROW(s, "SELECT id, charge, state, amount, by_wallet, number FROM refund ORDER BY created_us, id")
    {
        if (now.refunds_count == REFUNDS_MAX)
            abort();
        struct row_refund *r = &now.refunds[now.refunds_count++];
        read_id(s, 0, &r->id);
        read_id(s, 1, &r->charge);
        r->state = db_i64(s, 2);
        r->amount = db_i64(s, 3);
        r->by_wallet = db_i64(s, 4);
        text(s, 5, r->number, sizeof r->number);
    }
    db_free(s);
}
static void read_agreements(void)
{
    now.agreements_count = 0;
    EACH_ROW(s, "SELECT id, account, number, currency, state, cap_charge, cap_day, cap_month, cap_count, unverified_limit,"
                " unverified_used, verified_us, by_wallet, signed_us FROM agreement ORDER BY created_us, id")
    {
        if (now.agreements_count == ROWS_MAX)
            abort();
        struct row_agreement *a = &now.agreements[now.agreements_count++];
        *a = (struct row_agreement){0};
        read_id(s, 0, &a->id);
        read_id(s, 1, &a->account);
        text(s, 2, a->number, sizeof a->number);
        text(s, 3, a->currency, sizeof a->currency);
        a->state = db_i64(s, 4);
        a->charge = db_i64(s, 5);
        a->day = db_i64(s, 6);
        a->month = db_i64(s, 7);
        a->count = db_i64(s, 8);
        a->limit = db_i64(s, 9);
        a->used = db_i64(s, 10);
        a->verified_us = db_i64(s, 11);
        a->by_wallet = db_i64(s, 12);
        a->signed_us = db_i64(s, 13);
    }
    db_free(s);
}

static struct row_charge *charge_of(struct shadow *x, const struct id *id)
{
    for (unsigned i = 0; i < x->charges_count; i++)
        if (id_eq(&x->charges[i].id, id))
            return &x->charges[i];
    return NULL;
}
static struct row_agreement *agreement_of(struct shadow *x, const struct id *id)
{
    for (unsigned i = 0; i < x->agreements_count; i++)
        if (id_eq(&x->agreements[i].id, id))
            return &x->agreements[i];
    return NULL;
}
static struct row_refund *refund_of(struct shadow *x, const struct id *id)
{
    for (unsigned i = 0; i < x->refunds_count; i++)
        if (id_eq(&x->refunds[i].id, id))
            return &x->refunds[i];
    return NULL;
}

/* --- the gate, said again --- */

static bool counts(const struct row_charge *c)
{
    return c->state == CHARGE_SUBMITTED || c->state == CHARGE_UNKNOWN || c->state == CHARGE_PAID;
}
/* Days of China begin at 16:00 UTC; other currencies' at midnight. */
static int64_t days(const char *currency, int64_t us)
{
    int64_t shifted = us + (strcmp(currency, "CNY") == 0 ? 8 * US_HOUR : 0);
    return shifted / US_DAY;
}
static int64_t months(int64_t day)
{
    /* Days from civil, the other way round (Hinnant): years of 400, months from March. */
    int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;
    return (yoe + era * 400 + (month <= 2)) * 12 + month;
}

static void check_caps(const struct row_agreement *a, const struct row_charge *c)
{
    int64_t day = 0, month = 0, count = 0, today = days(c->currency, c->submitted_us);
    SIM_CHECK(2, c->amount <= a->charge, "charge %s of %" PRId64 " passed a cap of %" PRId64, c->key, c->amount, a->charge);
    for (unsigned i = 0; i < now.charges_count; i++) {
        const struct row_charge *o = &now.charges[i];
        if (!id_eq(&o->agreement, &a->id) || !counts(o))
            continue;
        int64_t that = days(o->currency, o->submitted_us);
        day += that == today ? o->amount : 0;
        count += that == today;
        month += months(that) == months(today) ? o->amount : 0;
    }
    SIM_CHECK(2, day <= a->day, "charge %s makes a day of %" PRId64 ", the cap is %" PRId64, c->key, day, a->day);
    SIM_CHECK(2, month <= a->month, "charge %s makes a month of %" PRId64 ", the cap is %" PRId64, c->key, month, a->month);
    SIM_CHECK(2, count <= a->count, "charge %s is the %" PRId64 "th of a day, the cap is %" PRId64, c->key, count, a->count);
}

/* The challenge is of this account, for this money, agreement and payee, and was used for nothing else. */
static void check_step(const struct row_agreement *a, const struct row_charge *c)
{
    struct db_stmt *s;
    SIM_CHECK(20, id_is(&c->challenge), "charge %s is verified by no challenge", c->key);
    SIM_OK(QUERY_ONE(sim.db, &s, "SELECT kind, state, used_us, account, shown FROM challenge WHERE id = $1",
                     Q_ID(&c->challenge)));
    struct slice shown = db_bytes(s, 4), account = db_bytes(s, 3);
    char money[64], agreement[64];
    (void)snprintf(money, sizeof money, "\"amount\":\"%" PRId64 ".%02" PRId64 "\"", c->amount / 100, c->amount % 100);
    (void)snprintf(agreement, sizeof agreement, "\"%s\"", a->id.text);
    SIM_CHECK(20, db_i64(s, 0) == CHALLENGE_PAYMENT, "charge %s: a challenge of another kind", c->key);
    SIM_CHECK(20, db_i64(s, 2) > 0, "charge %s: its challenge was not used", c->key);
    SIM_CHECK(20, slice_eq(account, id_slice(&c->account)) || slice_eq(account, id_slice(&a->account)),
              "charge %s: a challenge of another account", c->key);
    SIM_CHECK(20, memmem(shown.p, shown.len, money, strlen(money)), "charge %s: the challenge showed another amount: %.*s",
              c->key, (int)shown.len, shown.p);
    SIM_CHECK(20, memmem(shown.p, shown.len, agreement, strlen(agreement)),
              "charge %s: the challenge showed another agreement", c->key);
    SIM_CHECK(20, memmem(shown.p, shown.len, c->payee, strlen(c->payee)), "charge %s: the challenge showed another payee",
              c->key);
    db_free(s);
    for (unsigned i = 0; i < now.charges_count; i++) {
        const struct row_charge *o = &now.charges[i];
        SIM_CHECK(20, id_eq(&o->id, &c->id) || !o->verified || !id_eq(&o->challenge, &c->challenge),
                  "one step let charges %s and %s pass", c->key, o->key);
    }
}

static void check_held(const struct id *account, const char *key)
{
    struct db_stmt *s;
    SIM_OK(QUERY_ONE(sim.db, &s,
                     "SELECT (SELECT COUNT(*) FROM guard_change WHERE account = $1 AND state = 0) + (SELECT COUNT(*) FROM"
                     " recovery WHERE account = $1 AND state = 1), (SELECT state FROM account WHERE id = $1)",
                     Q_ID(account)));
    SIM_CHECK(20, db_i64(s, 0) == 0, "charge %s passed while something waits", key);
    SIM_CHECK(20, db_i64(s, 1) == ACCOUNT_ACTIVE, "charge %s passed on an account that is not active", key);
    db_free(s);
}

static void check_passed(struct row_charge *c)
{
    struct row_agreement *a = agreement_of(&now, &c->agreement);
    char event[CHARGE_EVENT_BYTES + 1];
    enum keer_outcome outcome;
    SIM_CHECK(6, a && a->state == AGREEMENT_ACTIVE, "charge %s passed on an agreement that is not active", c->key);
    SIM_CHECK(5, strcmp(a->currency, c->currency) == 0, "charge %s passed in another currency", c->key);
    check_held(&a->account, c->key);
    check_held(&c->account, c->key);
    check_caps(a, c);
    charge_event_id(&c->id, event);
    SIM_CHECK(14, decide_was(event, &outcome), "charge %s passed without a decision", c->key);
    SIM_CHECK(16, outcome != KEER_DENY, "charge %s passed though it was denied", c->key);
    SIM_CHECK(16, outcome != KEER_CHALLENGE || c->verified, "charge %s passed without the step that was asked for", c->key);
    if (c->verified) {
        check_step(a, c);
        a->passed = 0;
        sim_count(OUT_passed_with_step);
        return;
    }
    a->passed += c->amount;
    c->unverified = true;
    SIM_CHECK(20, c->amount <= 20000, "charge %s of %" PRId64 " passed without a step", c->key, c->amount);
    SIM_CHECK(20, a->passed <= a->limit, "charges of %" PRId64 " passed without a step, the limit is %" PRId64, a->passed,
              a->limit);
    sim_count(OUT_passed_without_step);
}

/* --- what may become what --- */

static bool charge_may(int64_t from, int64_t to)
{
    switch ((enum charge_state)from) {
    case CHARGE_CREATED:
        return to == CHARGE_NEEDS_STEP || to == CHARGE_SUBMITTED || to == CHARGE_REFUSED || to == CHARGE_CANCELLED;
    case CHARGE_NEEDS_STEP: return to == CHARGE_SUBMITTED || to == CHARGE_REFUSED || to == CHARGE_CANCELLED;
    case CHARGE_SUBMITTED: return to == CHARGE_UNKNOWN || to == CHARGE_PAID || to == CHARGE_FAILED || to == CHARGE_CANCELLED;
    case CHARGE_UNKNOWN: return to == CHARGE_PAID || to == CHARGE_FAILED || to == CHARGE_CANCELLED;
    case CHARGE_PAID:
    case CHARGE_FAILED:
    case CHARGE_REFUSED:
    case CHARGE_CANCELLED:
    case CHARGE_STATE_MAX: break;
    }
    return false;
}

static void check_reservation(const struct row_charge *c)
{
    struct id reserve;
    enum ledger_state state = LEDGER_STATE_MAX;
    int64_t posted = 0;
    books_transfer_id("reserve", &c->id, &reserve);
    enum keer_err err = ledger_state(sim.db, &reserve, &state, &posted);
    switch ((enum charge_state)c->state) {
    case CHARGE_CREATED:
    case CHARGE_NEEDS_STEP:
    case CHARGE_REFUSED:
        SIM_CHECK(9, err == KEER_EMISSING, "charge %s has a reservation that it can't have", c->key);
        return;
    case CHARGE_SUBMITTED:
    case CHARGE_UNKNOWN:
        SIM_CHECK(9, err == KEER_OK && state == LEDGER_IS_PENDING, "charge %s is not reserved", c->key);
        return;
    case CHARGE_PAID:
        SIM_CHECK(9, err == KEER_OK && state == LEDGER_IS_POSTED && posted == c->amount, "charge %s is paid and not posted",
                  c->key);
        return;
    case CHARGE_FAILED:
    case CHARGE_CANCELLED:
        SIM_CHECK(9, c->submitted_us ? err == KEER_OK && state == LEDGER_IS_VOIDED : err == KEER_EMISSING,
                  "charge %s has ended without money, and its reservation not", c->key);
        return;
    case CHARGE_STATE_MAX: break;
    }
    sim_fail(9, "charge %s has a state of %" PRId64, c->key, c->state);
}

/* Said to have failed: then the wallet has no money of it, now or ever after, unless it takes another amount than it was asked,
 * or a request came so late that nobody could wait for it: then it is the end of the waiting that ended the charge, and no
 * refusal, which the wallet may give to a second sending while the first is still on its way. Looked at after every commit and
 * not only when the charge ends: what was on its way then arrives afterwards. */
static void check_no_money(const struct row_charge *c)
{
    struct purse_effect e;
    if ((c->state != CHARGE_FAILED && c->state != CHARGE_CANCELLED) || !purse_effect(c->number, &e))
        return;
    bool waited = c->state == CHARGE_CANCELLED || strcmp(c->why, "never_arrived") == 0;
    SIM_CHECK(8, (e.late && waited) || e.taken_minor != c->amount || e.returned_minor == e.taken_minor,
              "charge %s is %s, and the wallet has taken its money", c->key, charge_state_name((enum charge_state)c->state));
}

static enum sim_outcome outcome_of(int64_t state)
{
    switch ((enum charge_state)state) {
    case CHARGE_PAID: return OUT_charge_paid;
    case CHARGE_FAILED: return OUT_charge_failed;
    case CHARGE_REFUSED: return OUT_charge_refused;
    case CHARGE_CANCELLED: return OUT_charge_cancelled;
    case CHARGE_UNKNOWN: return OUT_charge_unknown;
    case CHARGE_NEEDS_STEP: return OUT_charge_needs_step;
    case CHARGE_CREATED:
    case CHARGE_SUBMITTED:
    case CHARGE_STATE_MAX: break;
    }
    return OUT_charge_submitted;
}

static void check_charges(void)
{
    for (unsigned i = 0; i < now.charges_count; i++) {
        struct row_charge *c = &now.charges[i];
        const struct row_charge *o = charge_of(&was, &c->id);
        int64_t from = o ? o->state : CHARGE_CREATED;
        if (o) {
            c->unverified = o->unverified;
            SIM_CHECK(11,
                      strcmp(c->number, o->number) == 0 && strcmp(c->key, o->key) == 0 && c->amount == o->amount &&
                          strcmp(c->currency, o->currency) == 0 && strcmp(c->payee, o->payee) == 0 && c->kind == o->kind &&
                          id_eq(&c->agreement, &o->agreement) && id_eq(&c->account, &o->account),
                      "charge %s has become another one", c->key);
        }
        if (c->state != from) {
            SIM_CHECK(o && from >= CHARGE_PAID ? 8 : 9, charge_may(from, c->state), "charge %s went from %s to %s", c->key,
                      charge_state_name((enum charge_state)from), charge_state_name((enum charge_state)c->state));
            sim_trace("charge %s: %s", c->key, charge_state_name((enum charge_state)c->state));
            sim_count(outcome_of(c->state));
            if (from <= CHARGE_NEEDS_STEP && c->state == CHARGE_SUBMITTED)
                check_passed(c);
        }
        if (!o || c->state != from)
            check_reservation(c);
        check_no_money(c);
        SIM_CHECK(5, c->refunded >= 0 && c->refunding >= 0 && c->refunded + c->refunding <= c->amount,
                  "charge %s of %" PRId64 ": %" PRId64 " refunded and %" PRId64 " on its way", c->key, c->amount,
                  c->refunded, c->refunding);
        SIM_CHECK(5, c->state == CHARGE_PAID || (c->refunded == 0 && c->refunding == 0),
                  "charge %s is refunded and not paid", c->key);
    }
    for (unsigned i = 0; i < was.charges_count; i++)
        SIM_CHECK(7, charge_of(&now, &was.charges[i].id), "charge %s is gone", was.charges[i].key);
}

static bool agreement_may(int64_t from, int64_t to)
{
    switch ((enum agreement_state)from) {
    case AGREEMENT_STEP: return to == AGREEMENT_SIGNING || to == AGREEMENT_ENDED;
    case AGREEMENT_SIGNING: return to == AGREEMENT_ACTIVE || to == AGREEMENT_ENDING || to == AGREEMENT_ENDED;
    case AGREEMENT_ACTIVE: return to == AGREEMENT_PAUSED || to == AGREEMENT_ENDING || to == AGREEMENT_ENDED;
    case AGREEMENT_PAUSED: return to == AGREEMENT_ACTIVE || to == AGREEMENT_ENDING || to == AGREEMENT_ENDED;
    case AGREEMENT_ENDING: return to == AGREEMENT_ENDED;
    case AGREEMENT_ENDED:
    case AGREEMENT_STATE_MAX: break;
    }
    return false;
}
static enum sim_outcome agreement_outcome(int64_t state)
{
    static const enum sim_outcome names[] = {OUT_agreement_needs_step, OUT_agreement_signing, OUT_agreement_active,
                                             OUT_agreement_paused,     OUT_agreement_ending,  OUT_agreement_ended};
    return names[state];
}
static void check_agreements(void)
{
    for (unsigned i = 0; i < now.agreements_count; i++) {
        struct row_agreement *a = &now.agreements[i];
        const struct row_agreement *o = agreement_of(&was, &a->id);
        int64_t from = o ? o->state : AGREEMENT_STEP;
        if (!o)
            sim_count(OUT_agreement_needs_step);
        if (o) {
            a->passed = o->passed;
            SIM_CHECK(11, strcmp(a->number, o->number) == 0 && id_eq(&a->account, &o->account),
                      "agreement %s has become another one", a->number);
        }
        if (a->state != from) {
            SIM_CHECK(from == AGREEMENT_ENDED ? 6 : 9, agreement_may(from, a->state), "agreement %s went from %s to %s",
                      a->number, agreement_state_name((enum agreement_state)from),
                      agreement_state_name((enum agreement_state)a->state));
            sim_trace("agreement %s: %s", a->number, agreement_state_name((enum agreement_state)a->state));
            sim_count(agreement_outcome(a->state));
            SIM_CHECK(6, from != AGREEMENT_ENDING || !a->signed_us || !purse_is_live(a->number),
                      "agreement %s is said to have ended, and the wallet charges on it still", a->number);
            if (a->state == AGREEMENT_ENDED)
                purse_told_ended(a->number);
        }
    }
}

static bool ended(const struct row_refund *r)
{
    return r->state == REFUND_PAID || r->state == REFUND_FAILED || r->state == REFUND_REFUSED;
}
static enum sim_outcome refund_outcome(const struct row_refund *r)
{
    static const enum sim_outcome names[] = {OUT_refund_submitted, OUT_refund_unknown, OUT_refund_paid, OUT_refund_failed,
                                             OUT_refund_refused};
    return r->by_wallet ? OUT_refund_by_wallet : names[r->state];
}

static void check_refunds(void)
{
    for (unsigned i = 0; i < now.refunds_count; i++) {
        const struct row_refund *r = &now.refunds[i], *o = refund_of(&was, &r->id);
        const struct row_charge *c = charge_of(&now, &r->charge);
        SIM_CHECK(5, c, "a refund of no charge");
        if (!o && r->state != REFUND_REFUSED)
            SIM_CHECK(5, c->state == CHARGE_PAID, "a refund of charge %s, which is not paid", c->key);
        if (o)
            /* What a query told as a sum gets smaller when the notices of its parts come. */
            SIM_CHECK(11,
                      (o->amount == r->amount || (o->by_wallet && r->amount < o->amount)) && id_eq(&o->charge, &r->charge),
                      "a refund has become another one");
        if (o && o->state != r->state)
            SIM_CHECK(8, !ended(o), "a refund of charge %s went from %s to %s", c->key,
                      refund_state_name((enum refund_state)o->state), refund_state_name((enum refund_state)r->state));
        SIM_CHECK(8, r->state != REFUND_FAILED || (o && o->state == r->state) || !purse_gave_back(r->number),
                  "a refund of charge %s has failed, and the wallet has given it back", c->key);
        if (!o || o->state != r->state) {
            sim_trace("refund of %s: %s", c->key, refund_state_name((enum refund_state)r->state));
            sim_count(refund_outcome(r));
        }
    }
    for (unsigned i = 0; i < now.charges_count; i++) {
        const struct row_charge *c = &now.charges[i];
        int64_t done = 0, open = 0;
        for (unsigned k = 0; k < now.refunds_count; k++)
            if (id_eq(&now.refunds[k].charge, &c->id) && !now.refunds[k].by_wallet) {
                done += now.refunds[k].state == REFUND_PAID ? now.refunds[k].amount : 0;
                open += ended(&now.refunds[k]) ? 0 : now.refunds[k].amount;
            }
        SIM_CHECK(5, done + open <= c->amount, "charge %s of %" PRId64 ": refunds of %" PRId64 " done and %" PRId64 " open",
                  c->key, c->amount, done, open);
    }
}

/* --- the books --- */

static void check_books(void)
{
    {
        EACH_ROW(s, "SELECT currency, CAST(SUM(debits_pending - credits_pending) AS BIGINT), CAST(SUM(debits_posted -"
                    " credits_posted) AS BIGINT) FROM ledger_account GROUP BY currency")
        SIM_CHECK(1, db_i64(s, 1) == 0 && db_i64(s, 2) == 0,
                  "debits are not credits: %" PRId64 " pending, %" PRId64 " posted", db_i64(s, 1), db_i64(s, 2));
        db_free(s);
    }
    {
        EACH_ROW(s, "SELECT name FROM ledger_account WHERE name LIKE 'customer:%' AND debits_pending + debits_posted >"
                    " credits_posted")
        sim_fail(2, "%.*s is overdrawn", (int)db_bytes(s, 0).len, db_bytes(s, 0).p);
        db_free(s);
    }
    {
        EACH_ROW(s, "SELECT charge, until_us, done_us FROM balance_hold WHERE done_us > 0 AND done_us < until_us")
        sim_fail(2, "a held top-up was let go early");
        db_free(s);
    }
    int64_t entries = 0;
    SIM_OK(db_number(sim.db, "SELECT COALESCE(MAX(number), 0) FROM ledger_entry", &entries));
    SIM_CHECK(3, entries >= was.entries, "entries are gone");
    if (was.entries) {
        struct db_stmt *s;
        struct crypto_hash hash;
        SIM_OK(QUERY_ONE(sim.db, &s, "SELECT hash FROM ledger_entry WHERE number = $1", Q_NUMBER(was.entries)));
        SIM_OK(query_hash(s, 0, &hash));
        db_free(s);
        SIM_CHECK(3, memcmp(&hash, &was.head, sizeof hash) == 0, "entry %" PRId64 " has changed", was.entries);
    }
    now.entries = entries;
    if (entries) {
        struct db_stmt *s;
        SIM_OK(QUERY_ONE(sim.db, &s, "SELECT hash FROM ledger_entry WHERE number = $1", Q_NUMBER(entries)));
        SIM_OK(query_hash(s, 0, &now.head));
        db_free(s);
    }
}

void check_start(void)
{
    memset(&now, 0, sizeof now);
    memset(&was, 0, sizeof was);
}
void check_commit(void)
{
    read_charges();
    read_refunds();
    read_agreements();
    check_agreements();
    check_charges();
    check_refunds();
    check_books();
    was = now;
}

/* --- the end --- */

/* Money that a wallet has and the books don't explain must be a surprise, whose money is in the suspense account. */
static bool is_surprise(const struct row_charge *c)
{
    struct db_stmt *s;
    SIM_OK(
        QUERY_ONE(sim.db, &s,
                  "SELECT COUNT(*) FROM wallet_event WHERE surprise <> '' AND (number = $1 OR number IN (SELECT number FROM"
                  " refund WHERE charge = $2))",
                  Q_STR(c->number), Q_ID(&c->id)));
    bool any = db_i64(s, 0) > 0;
    db_free(s);
    return any;
}
static void check_effect(void *ctx, unsigned purse, const char *number, const struct purse_effect *e)
{
    const struct row_charge *c = NULL;
    UNUSED(ctx);
    UNUSED(purse);
    for (unsigned i = 0; i < now.charges_count; i++)
        if (strcmp(now.charges[i].number, number) == 0)
            c = &now.charges[i];
    SIM_CHECK(10, c, "the wallet took money under number %s, which is nobody's", number);
    bool equal = c->state == CHARGE_PAID && c->amount == e->taken_minor && c->refunded == e->returned_minor;
    bool undone = c->state != CHARGE_PAID && e->taken_minor == e->returned_minor;
    sim_count(equal ? OUT_journal_equal : OUT_journal_explained);
    SIM_CHECK(10, equal || undone || is_surprise(c),
              "charge %s is %s, %" PRId64 " and %" PRId64 " refunded; the wallet took %" PRId64 " and gave back %" PRId64,
              c->key, charge_state_name((enum charge_state)c->state), c->amount, c->refunded, e->taken_minor,
              e->returned_minor);
}

void check_end(void)
{
    struct ledger_report report;
    check_commit();
    SIM_OK(ledger_verify(sim.db, &report));
    SIM_CHECK(3, report.faults == 0, "verify: %s", report.fault);
    for (unsigned i = 0; i < now.charges_count; i++) {
        const struct row_charge *c = &now.charges[i];
        struct purse_effect e;
        check_reservation(c);
        SIM_CHECK(10, c->state != CHARGE_PAID || (purse_effect(c->number, &e) && e.times == 1),
                  "charge %s is paid, and the wallet took nothing", c->key);
    }
    purse_each(check_effect, NULL);
}
