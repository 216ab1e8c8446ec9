/* reconcile.c - what differs between a wallet's statement and our books.
 *
 *     a charge here    the wallet took nothing              the wallet took money
 *     open             unsettled, when it says so, or when  unsettled; another amount: amount
 *                      it is old
 *     paid             paid_here_not_there                  not in the ledger: missing_ledger_entry; else, when sums
 *                                                           differ: double_charge, amount, currency
 *     any other        sums differ: paid_here_not_there     paid_there_not_here, unless it stands in the ledger
 *     none             -                                    unknown_number
 * Refunds are the same with refund_...; those of the wallet's own are found by their names, then by charge and amount.
 */
#include "flow/reconcile_inside.h"

#include "base/timefmt.h"

static const struct {
    const char *name, *what, *fix;
    bool counts;
} kinds[] = {
#define DIFFERENCE(name, text, counts, what, fix) {text, what, fix, counts},
#include "flow/differences.def"
#undef DIFFERENCE
};
static_assert(ARRAY_LEN(kinds) == DIFFERENCE_MAX, "a row each");

const char *difference_name(enum difference_kind kind) { return kinds[kind].name; }
const char *difference_what(enum difference_kind kind) { return kinds[kind].what; }
const char *difference_fix(enum difference_kind kind) { return kinds[kind].fix; }
bool difference_counts(enum difference_kind kind) { return kinds[kind].counts; }

enum keer_err reconcile_new(const struct reconcile_options *o, struct reconcile **ret)
{
    struct reconcile *r = calloc(1, sizeof *r);
    if (!r)
        return KEER_ENOMEM;
    r->o = *o;
    (void)snprintf(r->wallet, sizeof r->wallet, "%s", o->wallet);
    r->o.wallet = r->wallet;
    crypto_random(&r->key, sizeof r->key);
    *ret = r;
    return KEER_OK;
}

void reconcile_free(struct reconcile *r)
{
    if (!r)
        return;
    free(r->theirs);
    free(r->entry);
    free(r->charge);
    free(r->own);
    free(r->by_number.cell);
    free(r->by_entry.cell);
    free(r->by_charge.cell);
    free(r->by_own_charge.cell);
    free(r->result.difference);
    free(r);
}

/* --- one difference --- */

static const char *said_there(const struct theirs *t)
{
    if (!t)
        return "";
    if (t->kind == BILL_AGREEMENT)
        return t->ended ? "ended" : "signed";
    if (t->back_minor)
        return "reversed";
    return t->paid ? "paid" : t->failed ? "failed" : t->closed ? "closed" : "waits";
}

static enum bill_what what_there(const struct theirs *t)
{
    if (!t)
        return BILL_WAITS;
    return t->paid && !t->back_minor    ? BILL_PAID
           : t->failed                  ? BILL_FAILED
           : t->closed || t->back_minor ? BILL_CLOSED
                                        : BILL_WAITS;
}

/* A new one, counted; *ret is NULL when it is beyond what is kept. */
static enum keer_err add(struct reconcile *r, enum difference_kind kind, const struct theirs *t, struct difference **ret)
{
    struct reconciliation *x = &r->result;
    *ret = NULL;
    x->by_kind[kind]++;
    if (x->count >= DIFFERENCES_MAX)
        return KEER_OK;
    enum keer_err err = reconcile_room((void **)&x->difference, x->count, &r->difference_cap, sizeof *x->difference);
    if (err != KEER_OK)
        return err;
    struct difference *d = &x->difference[x->count++];
    *d = (struct difference){.kind = kind,
                             .there = said_there(t),
                             .here = "",
                             .there_currency = CUR_MAX,
                             .here_currency = CUR_MAX,
                             .said = what_there(t)};
    if (t) {
        (void)snprintf(d->number, sizeof d->number, "%s", t->number);
        (void)snprintf(d->charge, sizeof d->charge, "%s", t->charge);
        (void)snprintf(d->ref, sizeof d->ref, "%s", t->ref);
        d->line = t->line;
        d->there_minor = t->paid_minor - t->back_minor;
        d->there_currency = t->kind == BILL_AGREEMENT ? CUR_MAX : t->currency;
    }
    (void)snprintf(d->reason, sizeof d->reason, "reconciliation: %s", kinds[kind].name);
    *ret = d;
    return KEER_OK;
}

/* Money between the clearing account and another: above 0 onto the clearing account. */
static void propose(const struct reconcile *r, struct difference *d, enum books_account other, const struct id *customer,
                    int64_t minor, enum currency c)
{
    struct books_of of = {.wallet = r->wallet, .customer = customer, .currency = c};
    struct reconcile_transfer *t = &d->transfer[d->transfers++];
    *t = (struct reconcile_transfer){.amount_minor = minor < 0 ? -minor : minor, .currency = c};
    books_name(BOOKS_CLEARING, &of, minor > 0 ? t->debit : t->credit);
    books_name(other, &of, minor > 0 ? t->credit : t->debit);
}

static void suspend(const struct reconcile *r, struct difference *d, int64_t minor, enum currency c)
{
    propose(r, d, BOOKS_SUSPENSE, NULL, minor, c);
    d->fix = RECONCILE_TRANSFER;
}

static enum keer_err remark_twice(struct reconcile *r, const struct theirs *t)
{
    struct difference *d;
    return t && t->duplicates ? add(r, DIFFERENCE_DUPLICATE_LINE, t, &d) : KEER_OK;
}

/* --- charges --- */

struct row { /* a charge or a refund of ours */
    struct our_charge c;
    enum charge_kind kind;
    struct id account; /* who bought */
    int64_t submitted_us, state_us;
    /* refunds */
    struct id id;
    char number[WALLET_NUMBER_BYTES + 1];
    enum refund_state state;
    bool by_wallet, named;
    int64_t amount_minor;
    enum currency currency;
};

/* Whether the statement must name what has such a row. */
static bool is_expected(const struct reconcile *r, const struct row *w)
{
    int64_t end = r->o.to_us == INT64_MAX ? r->last_us : r->o.to_us;
    return w->submitted_us >= r->o.from_us && w->state_us < r->o.to_us && w->submitted_us < end - r->o.grace_us;
}

static enum keer_err charge_difference(struct reconcile *r, enum difference_kind kind, const struct theirs *t,
                                       const struct row *w, int64_t here, struct difference **ret)
{
    enum keer_err err = add(r, kind, t, ret);
    struct difference *d = *ret;
    if (err != KEER_OK || !d)
        return err;
    (void)snprintf(d->number, sizeof d->number, "%s", w->c.number);
    d->here = charge_state_name(w->c.state);
    d->here_minor = here;
    d->here_currency = w->c.currency;
    d->of = d->charge_id = w->c.id;
    d->agreement = w->c.agreement;
    (void)snprintf(d->reason, sizeof d->reason, "reconciliation: %s, charge %s", kinds[kind].name, w->c.number);
    return KEER_OK;
}

struct standing { /* of one number */
    int64_t there, here;
    bool posted;    /* the row's own posting is in the ledger */
    unsigned steps; /* earlier fixes */
};

static struct standing charge_standing(const struct reconcile *r, const struct theirs *t, const struct row *w,
                                       enum currency c)
{
    struct standing s = {0};
    s.there = t && t->currency == c ? t->paid_minor - t->back_minor : 0;
    s.posted = reconcile_moved(r, "post", &w->c.id, c, &s.here);
    (void)reconcile_moved(r, "suspense", &w->c.id, c, &s.here);
    s.steps = reconcile_fixed(r, &w->c.id, c, &s.here);
    return s;
}

/* Another currency than ours: what we have of ours goes, what the wallet has of theirs comes. */
static enum keer_err charge_currency(struct reconcile *r, const struct theirs *t, const struct row *w,
                                     const struct standing *ours)
{
    struct standing theirs = charge_standing(r, t, w, t->currency);
    struct difference *d;
    if (theirs.there == theirs.here && ours->here == 0)
        return KEER_OK;
    bool settle = w->c.state != CHARGE_PAID;
    enum keer_err err = charge_difference(r, DIFFERENCE_CURRENCY, t, w, ours->here, &d);
    if (err != KEER_OK || !d)
        return err;
    d->step = ours->steps;
    if (ours->here)
        suspend(r, d, -ours->here, w->c.currency);
    if (theirs.there != theirs.here)
        suspend(r, d, theirs.there - theirs.here, t->currency);
    if (settle)
        d->fix = RECONCILE_SETTLE_CHARGE;
    return KEER_OK;
}

static enum keer_err charge_open(struct reconcile *r, const struct theirs *t, const struct row *w, const struct standing *s)
{
    struct difference *d;
    bool said = t && (t->paid || t->closed || t->failed || t->back_minor);
    if (!said && (t || !is_expected(r, w))) {
        r->result.open++;
        return KEER_OK;
    }
    bool other = s->there > 0 && s->there != w->c.amount_minor;
    enum keer_err err = charge_difference(r, other ? DIFFERENCE_AMOUNT : DIFFERENCE_UNSETTLED, t, w, s->here, &d);
    if (err != KEER_OK || !d)
        return err;
    d->fix = RECONCILE_SETTLE_CHARGE;
    if (other)
        propose(r, d, BOOKS_SUSPENSE, NULL, s->there, w->c.currency);
    else if (s->there > 0)
        propose(r, d, w->kind == CHARGE_TOP_UP ? BOOKS_HELD : BOOKS_SALES, &w->account, s->there, w->c.currency);
    return KEER_OK;
}

static enum keer_err charge_missing(struct reconcile *r, const struct theirs *t, const struct row *w,
                                    const struct standing *s)
{
    struct difference *d;
    enum keer_err err = charge_difference(r, DIFFERENCE_MISSING_LEDGER_ENTRY, t, w, s->here, &d);
    if (err != KEER_OK || !d)
        return err;
    propose(r, d, w->kind == CHARGE_TOP_UP ? BOOKS_HELD : BOOKS_SALES, &w->account, w->c.amount_minor, w->c.currency);
    d->fix = RECONCILE_POST;
    return KEER_OK;
}

static enum keer_err charge_sums(struct reconcile *r, enum difference_kind kind, const struct theirs *t, const struct row *w,
                                 const struct standing *s)
{
    struct difference *d;
    enum keer_err err = charge_difference(r, kind, t, w, s->here, &d);
    if (err != KEER_OK || !d)
        return err;
    d->step = s->steps;
    suspend(r, d, s->there - s->here, w->c.currency);
    return KEER_OK;
}

/* charge_settle puts it where it would put it had the wallet been asked: later it is not booked again. */
static enum keer_err charge_late(struct reconcile *r, const struct theirs *t, const struct row *w, const struct standing *s)
{
    struct difference *d;
    enum keer_err err = charge_difference(r, DIFFERENCE_PAID_THERE_NOT_HERE, t, w, s->here, &d);
    if (err != KEER_OK || !d)
        return err;
    suspend(r, d, s->there, w->c.currency);
    d->fix = RECONCILE_SETTLE_CHARGE;
    return KEER_OK;
}

static enum keer_err compare_charge(struct reconcile *r, const struct row *w)
{
    struct theirs *t = reconcile_theirs(r, BILL_CHARGE, slice_str(w->c.number));
    struct standing s = charge_standing(r, t, w, w->c.currency);
    enum charge_state state = w->c.state;
    r->result.charges++;
    if (t)
        t->matched = true;
    enum keer_err err = remark_twice(r, t);
    if (err != KEER_OK)
        return err;
    if (t && t->paid_minor > t->back_minor && t->currency != w->c.currency)
        return charge_currency(r, t, w, &s);
    if (state == CHARGE_SUBMITTED || state == CHARGE_UNKNOWN)
        return charge_open(r, t, w, &s);
    if (!t && !is_expected(r, w))
        return KEER_OK;
    if (state == CHARGE_PAID && !s.posted && !s.steps && s.there > 0)
        return charge_missing(r, t, w, &s);
    if (s.there == s.here)
        return KEER_OK;
    if (s.there == 0)
        return charge_sums(r, DIFFERENCE_PAID_HERE_NOT_THERE, t, w, &s);
    if (state != CHARGE_PAID && s.here == 0 && !s.steps)
        return charge_late(r, t, w, &s);
    return charge_sums(r, t->paid > 1 && s.there > s.here ? DIFFERENCE_DOUBLE_CHARGE : DIFFERENCE_AMOUNT, t, w, &s);
}

static enum keer_err keep_charge(struct reconcile *r, const struct row *w)
{
    const struct theirs *t = reconcile_theirs(r, BILL_CHARGE, slice_str(w->c.number));
    enum keer_err err = reconcile_room((void **)&r->charge, r->charges, &r->charges_cap, sizeof *r->charge);
    if (err == KEER_OK)
        err = lookup_put(&r->by_charge, reconcile_hash(r, 'c', slice_str(w->c.number)), r->charges);
    if (err != KEER_OK)
        return err;
    r->charge[r->charges] = w->c;
    r->charge[r->charges++].paid_there_minor = t ? t->paid_minor - t->back_minor : 0;
    return compare_charge(r, w);
}

#define CHARGE_SQL                                                                                                     \
    "SELECT c.id, c.number, c.agreement, c.state, c.amount, c.currency, c.kind, c.account, c.submitted_us, c.state_us" \
    " FROM charge c JOIN agreement a ON a.id = c.agreement WHERE a.wallet = $1 AND c.id > $2 ORDER BY c.id LIMIT $3"
#define PAGE 1000

static enum keer_err take_charge(struct db_stmt *s, struct row *w)
{
    int64_t state = db_i64(s, 3), kind = db_i64(s, 6);
    *w = (struct row){.c = {.amount_minor = db_i64(s, 4), .currency = currency_parse(db_bytes(s, 5))},
                      .submitted_us = db_i64(s, 8),
                      .state_us = db_i64(s, 9)};
    if (state < 0 || state >= CHARGE_STATE_MAX || kind < 0 || kind >= CHARGE_KIND_MAX || w->c.currency == CUR_MAX)
        return KEER_EFORMAT;
    w->c.state = (enum charge_state)state;
    w->kind = (enum charge_kind)kind;
    enum keer_err err = query_id(s, 0, &w->c.id);
    if (err == KEER_OK)
        err = query_text(s, 1, w->c.number, sizeof w->c.number);
    if (err == KEER_OK)
        err = query_id(s, 2, &w->c.agreement);
    return err == KEER_OK ? query_id(s, 7, &w->account) : err;
}

/* Every row of a query in pages, by its id. */
typedef enum keer_err take_fn(struct db_stmt *s, struct row *w);
typedef enum keer_err row_fn(struct reconcile *r, const struct row *w);
static enum keer_err each_row(struct reconcile *r, const char *sql, take_fn *take, row_fn *run)
{
    struct id last = {0};
    unsigned got;
    do {
        struct db_stmt *s;
        enum db_step step = DB_END;
        enum keer_err err = QUERY_ROWS(r->db, &s, sql, Q_STR(r->wallet), Q_ID(&last), Q_NUMBER(PAGE));
        if (err != KEER_OK)
            return err;
        for (got = 0; err == KEER_OK && (step = db_step(s)) == DB_ROW; got++) {
            struct row w;
            err = take(s, &w);
            if (err == KEER_OK)
                err = query_id(s, 0, &last);
            if (err == KEER_OK)
                err = run(r, &w);
        }
        db_free(s);
        if (err != KEER_OK || step != DB_END)
            return err != KEER_OK ? err : KEER_EIO;
    } while (got == PAGE);
    return KEER_OK;
}

/* --- refunds --- */

static struct our_charge *charge_of(struct reconcile *r, const char *number)
{
    uint32_t row = lookup_find(&r->by_charge, reconcile_hash(r, 'c', slice_str(number)));
    return row ? &r->charge[row - 1] : NULL;
}

/* What stands for a refund; the clearing account is credited, so that sums are below 0 there. */
static struct standing refund_standing(const struct reconcile *r, const struct theirs *t, const struct row *w,
                                       enum currency c)
{
    struct standing s = {0};
    int64_t moved = 0;
    s.there = t && t->currency == c ? t->paid_minor : 0;
    s.posted = reconcile_moved(r, "refund post", &w->id, c, &moved);
    s.posted = reconcile_moved(r, "refund", &w->id, c, &moved) || s.posted;
    (void)reconcile_moved(r, "refund suspense", &w->id, c, &moved);
    (void)reconcile_moved(r, "refund spent", &w->id, c, &moved);
    s.steps = reconcile_fixed(r, &w->id, c, &moved);
    s.here = -moved;
    return s;
}

static enum keer_err refund_difference(struct reconcile *r, enum difference_kind kind, const struct theirs *t,
                                       const struct row *w, const struct standing *s, struct difference **ret)
{
    enum keer_err err = add(r, kind, t, ret);
    struct difference *d = *ret;
    if (err != KEER_OK || !d)
        return err;
    (void)snprintf(d->number, sizeof d->number, "%s", w->number);
    (void)snprintf(d->charge, sizeof d->charge, "%s", w->c.number);
    d->here = refund_state_name(w->state);
    d->here_minor = s->here;
    d->here_currency = w->currency;
    d->of = w->id;
    d->charge_id = w->c.id;
    d->agreement = w->c.agreement;
    d->step = s->steps;
    (void)snprintf(d->reason, sizeof d->reason, "reconciliation: %s, refund %s of %s", kinds[kind].name, w->number,
                   w->c.number);
    return KEER_OK;
}

static enum keer_err refund_sums(struct reconcile *r, enum difference_kind kind, const struct theirs *t, const struct row *w,
                                 const struct standing *s)
{
    struct difference *d;
    enum keer_err err = refund_difference(r, kind, t, w, s, &d);
    if (err == KEER_OK && d)
        suspend(r, d, s->here - s->there, w->currency);
    return err;
}

static enum keer_err refund_other(struct reconcile *r, enum difference_kind kind, const struct theirs *t,
                                  const struct row *w, const struct standing *s, enum reconcile_fix fix)
{
    struct difference *d;
    enum keer_err err = refund_difference(r, kind, t, w, s, &d);
    if (err != KEER_OK || !d)
        return err;
    d->fix = fix;
    if (kind == DIFFERENCE_REFUND_AMOUNT)
        propose(r, d, BOOKS_SUSPENSE, NULL, -s->there, w->currency);
    else if (s->there > 0 ||
             kind == DIFFERENCE_MISSING_LEDGER_ENTRY) /* a top-up's may come out of its hold or its balance */
        propose(r, d, w->kind == CHARGE_TOP_UP ? BOOKS_HELD : BOOKS_SALES, &w->account, -w->amount_minor, w->currency);
    return KEER_OK;
}

static enum keer_err refund_open(struct reconcile *r, const struct theirs *t, const struct row *w, const struct standing *s)
{
    if (!t || !(t->paid || t->failed)) { /* the daemon sends it again: it costs nobody anything */
        r->result.open++;
        return KEER_OK;
    }
    bool other = s->there > 0 && s->there != w->amount_minor;
    return refund_other(r, other ? DIFFERENCE_REFUND_AMOUNT : DIFFERENCE_UNSETTLED, t, w, s, RECONCILE_SETTLE_REFUND);
}

static enum keer_err refund_currency(struct reconcile *r, const struct theirs *t, const struct row *w,
                                     const struct standing *ours)
{
    struct standing theirs = refund_standing(r, t, w, t->currency);
    struct difference *d;
    if (theirs.there == theirs.here && ours->here == 0)
        return KEER_OK;
    enum keer_err err = refund_difference(r, DIFFERENCE_CURRENCY, t, w, ours, &d);
    if (err != KEER_OK || !d)
        return err;
    if (ours->here)
        suspend(r, d, ours->here, w->currency);
    if (theirs.there != theirs.here)
        suspend(r, d, theirs.here - theirs.there, t->currency);
    if (w->state == REFUND_SUBMITTED || w->state == REFUND_UNKNOWN)
        d->fix = RECONCILE_SETTLE_REFUND;
    return KEER_OK;
}

/* One that had failed is refund_settle's, as a charge is; one that was refused was never sent. */
static enum keer_err refund_late(struct reconcile *r, const struct theirs *t, const struct row *w, const struct standing *s)
{
    struct difference *d;
    enum keer_err err = refund_difference(r, DIFFERENCE_REFUND_THERE_NOT_HERE, t, w, s, &d);
    if (err != KEER_OK || !d)
        return err;
    suspend(r, d, -s->there, w->currency);
    if (w->state == REFUND_FAILED)
        d->fix = RECONCILE_SETTLE_REFUND;
    return KEER_OK;
}

static enum keer_err compare_refund(struct reconcile *r, const struct row *w)
{
    struct theirs *t = reconcile_theirs(r, BILL_REFUND, slice_str(w->number));
    struct standing s = refund_standing(r, t, w, w->currency);
    struct our_charge *c = charge_of(r, w->c.number);
    if (t)
        t->matched = true;
    if (t && c)
        c->refunds_there_minor += t->paid_minor;
    enum keer_err err = remark_twice(r, t);
    if (err != KEER_OK)
        return err;
    if (t && t->paid && t->currency != w->currency)
        return refund_currency(r, t, w, &s);
    if (w->state == REFUND_SUBMITTED || w->state == REFUND_UNKNOWN)
        return refund_open(r, t, w, &s);
    if (!t && !is_expected(r, w))
        return KEER_OK;
    if (t && t->waits && !t->paid) /* a bill is of the day on which the refund was taken */
        return KEER_OK;
    if (w->state == REFUND_PAID && !s.posted && !s.steps && s.there > 0)
        return refund_other(r, DIFFERENCE_MISSING_LEDGER_ENTRY, t, w, &s, RECONCILE_POST);
    if (s.there == s.here)
        return KEER_OK;
    if (s.there == 0)
        return refund_sums(r, DIFFERENCE_REFUND_HERE_NOT_THERE, t, w, &s);
    if (w->state != REFUND_PAID && s.here == 0 && !s.steps)
        return refund_late(r, t, w, &s);
    return refund_sums(r, t->paid > 1 && s.there > s.here ? DIFFERENCE_DOUBLE_REFUND : DIFFERENCE_REFUND_AMOUNT, t, w, &s);
}

/* One of the wallet's own is compared when all of ours are known. */
static enum keer_err keep_own(struct reconcile *r, const struct row *w)
{
    struct standing s = refund_standing(r, NULL, w, w->currency);
    struct hash128 charge = reconcile_hash(r, 'o', slice_str(w->c.number));
    uint32_t before = lookup_find(&r->by_own_charge, charge);
    enum keer_err err = reconcile_room((void **)&r->own, r->owns, &r->owns_cap, sizeof *r->own);
    if (err == KEER_OK && !before)
        err = lookup_put(&r->by_own_charge, charge, r->owns);
    if (err != KEER_OK)
        return err;
    struct own_refund *o = &r->own[r->owns++];
    *o = (struct own_refund){.id = w->id,
                             .charge = w->c.id,
                             .amount_minor = w->amount_minor,
                             .here_minor = s.here,
                             .currency = w->currency,
                             .expected = is_expected(r, w)};
    memcpy(o->number, w->number, sizeof o->number);
    if (before) { /* the first of a charge is found, the others follow it */
        o->next = r->own[before - 1].next;
        r->own[before - 1].next = r->owns;
    }
    return KEER_OK;
}

#define REFUND_SQL                                                                                                         \
    "SELECT r.id, c.number, c.agreement, r.state, r.amount, r.currency, c.kind, c.account, r.created_us, r.state_us,"      \
    " c.id, r.number, r.by_wallet, c.state, c.currency FROM refund r JOIN charge c ON c.id = r.charge JOIN agreement a ON" \
    " a.id = c.agreement WHERE a.wallet = $1 AND r.id > $2 ORDER BY r.id LIMIT $3"

static enum keer_err take_refund(struct db_stmt *s, struct row *w)
{
    int64_t state = db_i64(s, 3), kind = db_i64(s, 6);
    *w = (struct row){.c = {.state = (enum charge_state)db_i64(s, 13), .currency = currency_parse(db_bytes(s, 14))},
                      .amount_minor = db_i64(s, 4),
                      .currency = currency_parse(db_bytes(s, 5)),
                      .submitted_us = db_i64(s, 8),
                      .state_us = db_i64(s, 9),
                      .by_wallet = db_i64(s, 12) != 0};
    if (state < 0 || state >= REFUND_STATE_MAX || kind < 0 || kind >= CHARGE_KIND_MAX || w->currency == CUR_MAX)
        return KEER_EFORMAT;
    w->state = (enum refund_state)state;
    w->kind = (enum charge_kind)kind;
    enum keer_err err = query_id(s, 0, &w->id);
    if (err == KEER_OK)
        err = query_text(s, 1, w->c.number, sizeof w->c.number);
    if (err == KEER_OK)
        err = query_id(s, 2, &w->c.agreement);
    if (err == KEER_OK)
        err = query_id(s, 7, &w->account);
    if (err == KEER_OK)
        err = query_id(s, 10, &w->c.id);
    return err == KEER_OK ? query_text(s, 11, w->number, sizeof w->number) : err;
}

static enum keer_err on_refund(struct reconcile *r, const struct row *w)
{
    r->result.refunds++;
    return w->by_wallet ? keep_own(r, w) : compare_refund(r, w);
}

/* --- what has no row under its number --- */

/* One of the wallet's own that we know: by its name (refund.h makes it of the wallet's reference or number), or by its
 * amount. */
static struct own_refund *known_own(struct reconcile *r, const struct theirs *t)
{
    struct own_refund *by_amount = NULL;
    uint32_t i = lookup_find(&r->by_own_charge, reconcile_hash(r, 'o', slice_str(t->charge)));
    for (; i; i = r->own[i - 1].next) {
        struct own_refund *o = &r->own[i - 1];
        struct id name;
        if (o->matched)
            continue;
        const char *const names[] = {t->ref, t->number};
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            refund_own_name(r->wallet, slice_str(names[k]), &name);
            if (strcmp(name.text, o->number) == 0)
                return o;
        }
        if (o->amount_minor == t->paid_minor && o->currency == t->currency)
            by_amount = o;
    }
    return by_amount;
}

static enum keer_err unknown_number(struct reconcile *r, struct theirs *t)
{
    struct difference *d;
    struct id id;
    int64_t here = 0, there = t->kind == BILL_REFUND ? -t->paid_minor : t->paid_minor - t->back_minor;
    reconcile_number_id(r->wallet, t->number, &id);
    bool booked = reconcile_moved(r, UNKNOWN_PURPOSE(t->kind), &id, t->currency, &here);
    unsigned steps = reconcile_fixed(r, &id, t->currency, &here);
    if (there == here)
        return KEER_OK;
    enum keer_err err = add(r, DIFFERENCE_UNKNOWN_NUMBER, t, &d);
    if (err != KEER_OK || !d)
        return err;
    d->here_minor = t->kind == BILL_REFUND ? -here : here;
    d->here_currency = t->currency;
    d->of = id;
    d->step = steps;
    (void)snprintf(d->reason, sizeof d->reason, "reconciliation: unknown_number, %s %s",
                   t->kind == BILL_REFUND ? "refund" : "charge", t->number);
    suspend(r, d, there - here, t->currency);
    d->purpose = booked || steps ? NULL : UNKNOWN_PURPOSE(t->kind);
    return KEER_OK;
}

/* The wallet gave money back by itself. */
static enum keer_err own_refund(struct reconcile *r, struct theirs *t)
{
    struct our_charge *c = charge_of(r, t->charge);
    struct own_refund *o = known_own(r, t);
    struct difference *d;
    struct id id;
    int64_t here = 0;
    if (c)
        c->refunds_there_minor += t->paid_minor;
    if (o) {
        o->matched = true;
        struct row w = {.id = o->id, .state = REFUND_PAID, .amount_minor = o->amount_minor, .currency = o->currency};
        if (o->here_minor == t->paid_minor || !c)
            return KEER_OK;
        w.c = *c;
        memcpy(w.number, t->number, MIN_OF(sizeof w.number - 1, strlen(t->number)));
        struct standing s = refund_standing(r, t, &w, o->currency);
        return refund_sums(r, DIFFERENCE_REFUND_AMOUNT, t, &w, &s);
    }
    if (!c)
        return unknown_number(r, t);
    reconcile_number_id(r->wallet, t->number, &id);
    unsigned steps = reconcile_fixed(r, &id, t->currency, &here);
    if (-here == t->paid_minor)
        return KEER_OK;
    bool too_much = c->paid_there_minor > 0 && c->refunds_there_minor > c->paid_there_minor;
    enum keer_err err = add(r, too_much ? DIFFERENCE_DOUBLE_REFUND : DIFFERENCE_REFUND_THERE_NOT_HERE, t, &d);
    if (err != KEER_OK || !d)
        return err;
    d->here_currency = t->currency;
    d->of = id;
    d->charge_id = c->id;
    d->agreement = c->agreement;
    d->step = steps;
    (void)snprintf(d->reason, sizeof d->reason, "reconciliation: %s, refund of %s", kinds[d->kind].name, t->charge);
    suspend(r, d, -t->paid_minor - here, t->currency);
    if (!steps && c->state == CHARGE_PAID && c->currency == t->currency)
        d->fix = RECONCILE_WALLET_REFUND;
    return KEER_OK;
}

static enum keer_err compare_rest(struct reconcile *r)
{
    enum keer_err err = KEER_OK;
    for (uint32_t i = 0; err == KEER_OK && i < r->theirs_count; i++) {
        struct theirs *t = &r->theirs[i];
        if (t->matched || t->kind == BILL_AGREEMENT)
            continue;
        err = remark_twice(r, t);
        if (err == KEER_OK && t->kind == BILL_REFUND && t->paid)
            err = own_refund(r, t);
        else if (err == KEER_OK && t->kind == BILL_CHARGE && t->paid_minor != t->back_minor)
            err = unknown_number(r, t);
    }
    for (uint32_t i = 0; err == KEER_OK && i < r->owns; i++) {
        const struct own_refund *o = &r->own[i];
        struct row w = {.id = o->id, .state = REFUND_PAID, .amount_minor = o->amount_minor, .currency = o->currency};
        if (o->matched || !o->expected || o->here_minor == 0)
            continue;
        w.c.id = o->charge;
        memcpy(w.number, o->number, sizeof w.number);
        struct standing s = refund_standing(r, NULL, &w, o->currency);
        err = refund_sums(r, DIFFERENCE_REFUND_HERE_NOT_THERE, NULL, &w, &s);
    }
    return err;
}

/* --- agreements --- */

static enum keer_err compare_agreement(struct reconcile *r, struct db_stmt *s, struct id *last)
{
    struct id id;
    char number[WALLET_NUMBER_BYTES + 1];
    struct difference *d;
    int64_t state = db_i64(s, 2);
    enum keer_err err = query_id(s, 0, &id);
    if (err == KEER_OK)
        err = query_text(s, 1, number, sizeof number);
    if (err == KEER_OK && (state < 0 || state >= AGREEMENT_STATE_MAX))
        err = KEER_EFORMAT;
    if (err != KEER_OK)
        return err;
    *last = id;
    r->result.agreements++;
    struct theirs *t = reconcile_theirs(r, BILL_AGREEMENT, slice_str(number));
    if (!t)
        return KEER_OK;
    t->matched = true;
    err = remark_twice(r, t);
    bool ended = t->ended && state != AGREEMENT_ENDED, open = !t->ended && t->signed_there && state == AGREEMENT_ENDED;
    if (err != KEER_OK || (!ended && !open))
        return err;
    err = add(r, ended ? DIFFERENCE_AGREEMENT_STATE : DIFFERENCE_AGREEMENT_OPEN, t, &d);
    if (err != KEER_OK || !d)
        return err;
    d->here = agreement_state_name((enum agreement_state)state);
    d->of = d->agreement = id;
    d->fix = ended ? RECONCILE_END_AGREEMENT : RECONCILE_NOTHING;
    return KEER_OK;
}

static enum keer_err compare_agreements(struct reconcile *r)
{
    struct id last = {0};
    unsigned got;
    do {
        struct db_stmt *s;
        enum db_step step = DB_END;
        enum keer_err err = QUERY_ROWS(
            r->db, &s, "SELECT id, number, state FROM agreement WHERE wallet = $1 AND id > $2 ORDER BY id LIMIT $3",
            Q_STR(r->wallet), Q_ID(&last), Q_NUMBER(PAGE));
        if (err != KEER_OK)
            return err;
        for (got = 0; err == KEER_OK && (step = db_step(s)) == DB_ROW; got++)
            err = compare_agreement(r, s, &last);
        db_free(s);
        if (err != KEER_OK || step != DB_END)
            return err != KEER_OK ? err : KEER_EIO;
    } while (got == PAGE);
    return KEER_OK;
}

/* --- all of it --- */

static int by_kind_and_number(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->number, y->number);
}

static void sum_there(struct reconcile *r)
{
    struct reconciliation *x = &r->result;
    for (uint32_t i = 0; i < r->theirs_count; i++) {
        const struct theirs *t = &r->theirs[i];
        int64_t minor = t->kind == BILL_CHARGE ? t->paid_minor - t->back_minor : t->kind == BILL_REFUND ? -t->paid_minor : 0;
        unsigned k = 0;
        while (k < x->currencies && x->money[k].currency != t->currency)
            k++;
        if (!minor || k == RECONCILE_CURRENCIES_MAX)
            continue;
        if (k == x->currencies)
            x->money[x->currencies++] = (struct reconcile_money){.currency = t->currency};
        x->money[k].there_minor += minor;
    }
}

enum keer_err reconcile_compare(struct reconcile *r, struct db *db, const struct reconciliation **ret)
{
    r->db = db;
    enum keer_err err = reconcile_read_ledger(r);
    if (err == KEER_OK)
        err = each_row(r, CHARGE_SQL, take_charge, keep_charge);
    if (err == KEER_OK)
        err = each_row(r, REFUND_SQL, take_refund, on_refund);
    if (err == KEER_OK)
        err = compare_rest(r);
    if (err == KEER_OK)
        err = compare_agreements(r);
    r->db = NULL;
    if (err != KEER_OK)
        return err;
    sum_there(r);
    if (r->result.count)
        qsort(r->result.difference, r->result.count, sizeof *r->result.difference, by_kind_and_number);
    *ret = &r->result;
    return KEER_OK;
}

static void put_side(struct buf *b, const char *name, const char *state, int64_t minor, enum currency c)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(b, ",\"%s\":{\"state\":\"%s\"", name, state);
    if (c != CUR_MAX)
        buf_fmt(b, ",\"amount\":\"%s\",\"currency\":\"%s\"", currency_print(minor, c, text), currency_code(c));
    buf_char(b, '}');
}

void difference_put(struct buf *b, const struct difference *d)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(b, "{\"kind\":\"%s\",\"counts\":%s,\"number\":", kinds[d->kind].name, kinds[d->kind].counts ? "true" : "false");
    buf_json(b, slice_str(d->number));
    if (d->charge[0]) {
        buf_puts(b, ",\"charge\":");
        buf_json(b, slice_str(d->charge));
    }
    if (id_is(&d->agreement))
        buf_fmt(b, ",\"agreement\":\"%s\"", d->agreement.text);
    if (d->line)
        buf_fmt(b, ",\"line\":%llu", (unsigned long long)d->line);
    put_side(b, "there", d->there, d->there_minor, d->there_currency);
    put_side(b, "here", d->here, d->here_minor, d->here_currency);
    buf_fmt(b, ",\"fixable\":%s,\"fix\":", d->fix == RECONCILE_NOTHING ? "false" : "true");
    buf_json(b, slice_str(kinds[d->kind].fix));
    buf_puts(b, ",\"reason\":");
    buf_json(b, slice_str(d->reason));
    buf_puts(b, ",\"transfers\":[");
    for (unsigned i = 0; i < d->transfers; i++)
        buf_fmt(b, "%s{\"debit\":\"%s\",\"credit\":\"%s\",\"amount\":\"%s\",\"currency\":\"%s\"}", i ? "," : "",
                d->transfer[i].debit, d->transfer[i].credit,
                currency_print(d->transfer[i].amount_minor, d->transfer[i].currency, text),
                currency_code(d->transfer[i].currency));
    buf_puts(b, "]}");
}
