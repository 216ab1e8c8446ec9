/* reconcile_fix.c - what puts a difference right. */
#include "flow/reconcile_inside.h"

static enum wallet_charge_state charge_state_of(const struct difference *d)
{
    switch (d->said) {
    case BILL_PAID: return WALLET_CHARGE_PAID;
    case BILL_FAILED: return WALLET_CHARGE_FAILED;
    case BILL_CLOSED:
    case BILL_REVERSED: return WALLET_CHARGE_CLOSED;
    case BILL_SIGNED:
    case BILL_ENDED:
    case BILL_WAITS:
    case BILL_WHAT_MAX: break;
    }
    return WALLET_CHARGE_NONE;
}

/* As if the wallet had been asked just now, and long enough ago to believe it. */
static const struct charge_terms terms = {.resend_us = 0, .gone_us = 0, .hold_us = CHARGE_HOLD_US};

static enum keer_err settle_charge(struct db *db, const struct difference *d, int64_t now_us, bool *ret_done)
{
    struct charge c = {.id = d->of};
    struct charge_said said = {.way = CHARGE_BY_QUERY, .answer = WALLET_YES};
    enum charge_settled settled = CHARGE_IS_OPEN;
    said.charge =
        (struct wallet_charge){.state = charge_state_of(d), .amount_minor = d->there_minor, .currency = d->there_currency};
    (void)snprintf(said.charge.number, sizeof said.charge.number, "%.*s", WALLET_NUMBER_BYTES, d->number);
    if (said.charge.state == WALLET_CHARGE_PAID)
        (void)snprintf(said.charge.ref, sizeof said.charge.ref, "%s", d->ref);
    enum keer_err err = charge_settle(db, &terms, &said, now_us, &c, &settled);
    *ret_done = err == KEER_OK && settled == CHARGE_IS_SETTLED;
    return err;
}

static enum keer_err settle_refund(struct db *db, const struct difference *d, int64_t now_us, bool *ret_done)
{
    struct refund r = {.id = d->of};
    struct refund_said said = {.way = CHARGE_BY_QUERY, .answer = WALLET_YES};
    enum charge_settled settled = CHARGE_IS_OPEN;
    said.refund = (struct wallet_refund){.state = d->said == BILL_PAID ? WALLET_REFUND_PAID : WALLET_REFUND_FAILED,
                                         .amount_minor = d->there_minor,
                                         .currency = d->there_currency};
    (void)snprintf(said.refund.number, sizeof said.refund.number, "%.*s", WALLET_NUMBER_BYTES, d->number);
    (void)snprintf(said.refund.ref, sizeof said.refund.ref, "%s", d->ref);
    enum keer_err err = refund_settle(db, &terms, &said, now_us, &r, &settled);
    *ret_done = err == KEER_OK && settled == CHARGE_IS_SETTLED;
    return err;
}

static enum keer_err own_refund(struct db *db, const struct difference *d, int64_t now_us, bool *ret_done)
{
    struct charge c;
    struct wallet_refund w = {.state = WALLET_REFUND_PAID, .amount_minor = d->there_minor, .currency = d->there_currency};
    enum keer_err err = charge_read(db, &d->charge_id, &c);
    (void)snprintf(w.number, sizeof w.number, "%.*s", WALLET_NUMBER_BYTES, d->number);
    (void)snprintf(w.ref, sizeof w.ref, "%s", d->ref);
    if (err == KEER_OK)
        err = refund_by_wallet(db, &c, &w, now_us);
    *ret_done = err == KEER_OK;
    return err;
}

/* A transfer of the suspense account. */
static enum keer_err apply(struct db *db, const char *wallet, const struct difference *d, int64_t now_us, bool *ret_done)
{
    struct ledger_transfer t[ARRAY_LEN(d->transfer)] = {0};
    enum ledger_result results[ARRAY_LEN(d->transfer)];
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < d->transfers; i++) {
        const struct reconcile_transfer *p = &d->transfer[i];
        struct books_of of = {.wallet = wallet, .currency = p->currency};
        char purpose[24], clearing[LEDGER_NAME_BYTES + 1];
        struct id id[2];
        reconcile_fix_purpose(d->step + 1 + i, purpose);
        books_transfer_id(d->purpose ? d->purpose : purpose, &d->of, &t[i].id);
        books_name(BOOKS_CLEARING, &of, clearing);
        err = books_open(db, BOOKS_CLEARING, &of, now_us, &id[0]);
        if (err == KEER_OK)
            err = books_open(db, BOOKS_SUSPENSE, &of, now_us, &id[1]);
        bool onto = strcmp(p->debit, clearing) == 0;
        t[i].kind = LEDGER_TRANSFER;
        t[i].debit = id[onto ? 0 : 1];
        t[i].credit = id[onto ? 1 : 0];
        t[i].amount_minor = p->amount_minor;
        t[i].currency = p->currency;
        (void)snprintf(t[i].ref, sizeof t[i].ref, "%s", d->agreement.text);
        (void)snprintf(t[i].reason, sizeof t[i].reason, "%s", d->reason);
    }
    return err == KEER_OK ? ledger_apply(db, t, d->transfers, now_us, results, ret_done) : err;
}

/* Where a top-up's money is kept: held while its hold lasts, else the balance. */
static enum keer_err kept_at(struct db *db, const struct charge *c, enum books_account *ret)
{
    enum keer_err err = KEER_EMISSING;
    if (c->kind == CHARGE_TOP_UP)
        err = QUERY_MET(db, "UPDATE balance_hold SET done_us = done_us WHERE charge = $1 AND done_us = 0 RETURNING charge",
                        Q_ID(&c->id));
    *ret = c->kind == CHARGE_PURCHASE ? BOOKS_SALES : err == KEER_OK ? BOOKS_HELD : BOOKS_BALANCE;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* The posting that is missing: of what is reserved when that is still pending, else at once. */
static enum keer_err post(struct db *db, const struct difference *d, int64_t now_us, bool *ret_done)
{
    bool refund = !id_eq(&d->of, &d->charge_id);
    struct ledger_transfer t = {.kind = LEDGER_POST};
    struct charge c;
    struct id clearing, other;
    enum books_account at;
    enum ledger_state state = LEDGER_STATE_MAX;
    enum ledger_result result;
    int64_t posted;
    books_transfer_id(refund ? "refund" : "reserve", &d->of, &t.pending);
    books_transfer_id(refund ? "refund post" : "post", &d->of, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", d->agreement.text);
    (void)snprintf(t.reason, sizeof t.reason, "%s", d->reason);
    enum keer_err err = ledger_state(db, &t.pending, &state, &posted);
    if (err == KEER_OK && state == LEDGER_IS_PENDING)
        return ledger_apply(db, &t, 1, now_us, &result, ret_done);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = charge_read(db, &d->charge_id, &c);
    if (err == KEER_OK)
        err = kept_at(db, &c, &at);
    if (err != KEER_OK)
        return err;
    struct books_of of = {.wallet = c.wallet, .customer = &c.account, .currency = c.currency};
    err = books_open(db, BOOKS_CLEARING, &of, now_us, &clearing);
    if (err == KEER_OK)
        err = books_open(db, at, &of, now_us, &other);
    t.kind = LEDGER_TRANSFER;
    t.pending = (struct id){0};
    t.debit = refund ? other : clearing;
    t.credit = refund ? clearing : other;
    t.amount_minor = d->transfer[0].amount_minor;
    t.currency = c.currency;
    return err == KEER_OK ? ledger_apply(db, &t, 1, now_us, &result, ret_done) : err;
}

enum keer_err reconcile_fix(struct db *db, const char *wallet, const struct difference *d, int64_t now_us, bool *ret_done)
{
    enum keer_err err = KEER_OK;
    *ret_done = false;
    switch (d->fix) {
    case RECONCILE_NOTHING: return KEER_OK;
    case RECONCILE_TRANSFER: return apply(db, wallet, d, now_us, ret_done);
    case RECONCILE_SETTLE_CHARGE: return settle_charge(db, d, now_us, ret_done);
    case RECONCILE_SETTLE_REFUND: return settle_refund(db, d, now_us, ret_done);
    case RECONCILE_WALLET_REFUND: return own_refund(db, d, now_us, ret_done);
    case RECONCILE_POST: return post(db, d, now_us, ret_done);
    case RECONCILE_END_AGREEMENT:
        err = agreement_ended(db, &d->of, /* by_wallet */ true, SLICE("reconciliation: the wallet says that it has ended"),
                              now_us);
        *ret_done = err == KEER_OK;
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    return KEER_EINVALID;
}
