/* balance.c - what customers have topped up. */
#include "wallet/balance.h"

#include "base/num.h"
#include "wallet/charge_inside.h"

/* --- holds --- */

/* Held money becomes the customer's. `of` makes the transfer's id. */
enum keer_err balance_free(struct db *db, const struct balance_move *m, int64_t now_us)
{
    struct books_of of = {.customer = m->account, .currency = m->currency};
    struct ledger_transfer t = {.kind = LEDGER_TRANSFER, .currency = m->currency, .amount_minor = m->amount_minor};
    if (m->amount_minor == 0)
        return KEER_OK;
    books_transfer_id(m->purpose, m->of, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", m->agreement->text);
    (void)snprintf(t.reason, sizeof t.reason, "%s", m->purpose);
    enum keer_err err = books_open(db, BOOKS_HELD, &of, now_us, &t.debit);
    if (err == KEER_OK)
        err = books_open(db, BOOKS_BALANCE, &of, now_us, &t.credit);
    return err == KEER_OK ? books_must(db, &t, 1, now_us) : err;
}

/* One that is not released yet; whatever was refunded of it is off its amount. */
static enum keer_err release(struct db *db, const struct id *charge, int64_t now_us)
{
    struct db_stmt *s;
    struct id account, agreement;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT h.account, h.amount, h.currency, c.agreement FROM balance_hold h JOIN charge c ON"
                                  " c.id = h.charge WHERE h.charge = $1 AND h.done_us = 0",
                                  Q_ID(charge));
    if (err != KEER_OK)
        return err;
    struct balance_move m = {.of = charge,
                             .account = &account,
                             .agreement = &agreement,
                             .amount_minor = db_i64(s, 1),
                             .currency = currency_parse(db_bytes(s, 2)),
                             .purpose = "release"};
    err = query_id(s, 0, &account);
    if (err == KEER_OK)
        err = query_id(s, 3, &agreement);
    if (err == KEER_OK && m.currency == CUR_MAX)
        err = KEER_EFORMAT;
    db_free(s);
    if (err == KEER_OK)
        err = QUERY_MET(db, "UPDATE balance_hold SET done_us = $1 WHERE charge = $2 AND done_us = 0 RETURNING charge",
                        Q_NUMBER(now_us), Q_ID(charge));
    return err == KEER_OK ? balance_free(db, &m, now_us) : err;
}

enum keer_err balance_hold(struct db *db, const struct charge *c, int64_t amount_minor, int64_t until_us, int64_t now_us)
{
    enum keer_err err = QUERY_DO(
        db, "INSERT INTO balance_hold (charge, account, amount, currency, until_us) VALUES ($1, $2, $3, $4, $5)",
        Q_ID(&c->id), Q_ID(&c->account), Q_NUMBER(amount_minor), Q_STR(currency_code(c->currency)), Q_NUMBER(until_us));
    return err == KEER_OK && until_us <= now_us ? release(db, &c->id, now_us) : err;
}

enum keer_err balance_release_due(struct db *db, int64_t now_us, unsigned max, unsigned *ret_count)
{
    struct id room[64];
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    max = MIN_OF(max, (unsigned)ARRAY_LEN(room));
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT charge FROM balance_hold WHERE done_us = 0 AND until_us <= $1"
                                   " ORDER BY until_us, charge LIMIT $2",
                                   Q_NUMBER(now_us), Q_NUMBER(max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < max && (step = db_step(s)) == DB_ROW)
        err = query_id(s, 0, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        err = release(db, &room[i], now_us);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err balance_due(struct db *db, int64_t now_us, unsigned *ret_count)
{
    enum keer_err err =
        QUERY_MET(db, "SELECT charge FROM balance_hold WHERE done_us = 0 AND until_us <= $1 LIMIT 1", Q_NUMBER(now_us));
    *ret_count = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err balance_holds(struct db *db, const struct id *account, struct balance_hold_row *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT h.charge, h.amount, h.until_us, h.currency FROM charge c JOIN balance_hold h ON"
                                   " h.charge = c.id WHERE c.account = $1 AND h.done_us = 0 ORDER BY h.until_us, h.charge"
                                   " LIMIT $2",
                                   Q_ID(account), Q_NUMBER(BALANCE_HOLDS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < BALANCE_HOLDS_MAX && (step = db_step(s)) == DB_ROW) {
        struct balance_hold_row *h = &room[count++];
        *h = (struct balance_hold_row){
            .amount_minor = db_i64(s, 1), .until_us = db_i64(s, 2), .currency = currency_parse(db_bytes(s, 3))};
        err = h->currency == CUR_MAX ? KEER_EFORMAT : query_id(s, 0, &h->charge);
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

/* What of an account's credits is neither spent nor reserved; none: it was never opened. */
static enum keer_err left(struct db *db, enum books_account which, const struct books_of *of, int64_t *ret)
{
    struct ledger_account a;
    char name[LEDGER_NAME_BYTES + 1];
    books_name(which, of, name);
    enum keer_err err = ledger_account_named(db, slice_str(name), &a);
    *ret = err == KEER_OK ? a.sums.credits_posted - a.sums.debits_posted - a.sums.debits_pending : 0;
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err balances(struct db *db, const struct id *account, struct balance *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT currency FROM charge WHERE account = $1 AND kind = 1 GROUP BY currency"
                                   " ORDER BY currency LIMIT $2",
                                   Q_ID(account), Q_NUMBER(BALANCES_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < BALANCES_MAX && (step = db_step(s)) == DB_ROW) {
        room[count].currency = currency_parse(db_bytes(s, 0));
        if (room[count++].currency == CUR_MAX)
            err = KEER_EFORMAT;
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    for (unsigned i = 0; err == KEER_OK && i < count; i++) {
        struct books_of of = {.customer = account, .currency = room[i].currency};
        err = left(db, BOOKS_BALANCE, &of, &room[i].available_minor);
        if (err == KEER_OK)
            err = left(db, BOOKS_HELD, &of, &room[i].held_minor);
    }
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

/* --- spends --- */

const char *spend_state_name(enum spend_state state)
{
    static const char *const names[] = {"created", "needs_step", "done", "refused"};
    static_assert(ARRAY_LEN(names) == SPEND_STATE_MAX, "a name each");
    return names[state];
}

#define COLUMNS "SELECT id, account, key, client, body, amount, at_us, currency, state, why FROM spend "

static enum keer_err take(enum keer_err err, struct db_stmt *s, struct spend *ret)
{
    if (err != KEER_OK)
        return err;
    int64_t state = db_i64(s, 8);
    *ret = (struct spend){.amount_minor = db_i64(s, 5),
                          .at_us = db_i64(s, 6),
                          .currency = currency_parse(db_bytes(s, 7)),
                          .state = (enum spend_state)state};
    err = ret->currency == CUR_MAX || state < 0 || state >= SPEND_STATE_MAX ? KEER_EFORMAT : query_id(s, 0, &ret->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &ret->account);
    if (err == KEER_OK)
        err = query_text(s, 2, ret->key, sizeof ret->key);
    if (err == KEER_OK)
        err = query_text(s, 3, ret->client, sizeof ret->client);
    if (err == KEER_OK)
        err = query_hash(s, 4, &ret->body);
    if (err == KEER_OK)
        err = query_text(s, 9, ret->why, sizeof ret->why);
    db_free(s);
    return err;
}

enum keer_err spend_read(struct db *db, const struct id *spend, struct spend *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, COLUMNS "WHERE id = $1", Q_ID(spend));
    return take(err, s, ret);
}

enum keer_err spend_add(struct db *db, int64_t now_us, struct spend *s, bool *ret_new)
{
    struct spend there;
    struct db_stmt *stmt = NULL;
    if (!s->key[0] || s->amount_minor <= 0 || s->amount_minor >= NUM_EXACT_MAX || (unsigned)s->currency >= CUR_MAX)
        return KEER_EINVALID;
    enum keer_err err = QUERY_ONE(db, &stmt, COLUMNS "WHERE client = $1 AND key = $2", Q_STR(s->client), Q_STR(s->key));
    err = take(err, stmt, &there);
    if (err == KEER_OK) {
        if (!crypto_hash_eq(&there.body, &s->body))
            return KEER_ECONFLICT;
        *s = there;
        *ret_new = false;
        return KEER_OK;
    }
    if (err != KEER_EMISSING)
        return err;
    id_make(&s->id);
    s->state = SPEND_CREATED;
    s->at_us = now_us;
    s->why[0] = '\0';
    err = QUERY_DO(db,
                   "INSERT INTO spend (id, key, client, account, body, amount, currency, state, at_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)",
                   Q_ID(&s->id), Q_STR(s->key), Q_STR(s->client), Q_ID(&s->account), Q_HASH(&s->body),
                   Q_NUMBER(s->amount_minor), Q_STR(currency_code(s->currency)), Q_NUMBER(now_us));
    if (err == KEER_OK)
        *ret_new = true;
    return err;
}

static enum keer_err move(struct db *db, enum spend_state state, enum charge_why why, struct spend *s)
{
    enum keer_err err = QUERY_MET(db, "UPDATE spend SET state = $1, why = $2 WHERE id = $3 AND state IN (0, 1) RETURNING id",
                                  Q_NUMBER(state), Q_STR(charge_why_code(why)), Q_ID(&s->id));
    return err == KEER_OK ? spend_read(db, &s->id, s) : err;
}
static_assert(SPEND_CREATED == 0 && SPEND_NEEDS_STEP == 1, "the numbers of the statement above");

enum keer_err spend_wait(struct db *db, struct spend *s) { return move(db, SPEND_NEEDS_STEP, CHARGE_WHY_NONE, s); }
enum keer_err spend_refuse(struct db *db, enum charge_why why, struct spend *s) { return move(db, SPEND_REFUSED, why, s); }

enum keer_err spend_take(struct db *db, int64_t now_us, struct spend *s)
{
    struct books_of of = {.customer = &s->account, .currency = s->currency};
    struct ledger_transfer t = {.kind = LEDGER_TRANSFER, .currency = s->currency, .amount_minor = s->amount_minor};
    enum ledger_result result;
    bool done = false;
    enum keer_err err = spend_read(db, &s->id, s);
    if (err == KEER_OK && (s->state == SPEND_DONE || s->state == SPEND_REFUSED))
        err = KEER_EMISSING;
    books_transfer_id("spend", &s->id, &t.id);
    (void)snprintf(t.reason, sizeof t.reason, "spend %s", s->id.text);
    if (err == KEER_OK)
        err = books_open(db, BOOKS_BALANCE, &of, now_us, &t.debit);
    if (err == KEER_OK)
        err = books_open(db, BOOKS_SALES, &of, now_us, &t.credit);
    if (err == KEER_OK)
        err = ledger_apply(db, &t, 1, now_us, &result, &done);
    if (err != KEER_OK)
        return err;
    if (done)
        return move(db, SPEND_DONE, CHARGE_WHY_NONE, s);
    return move(db, SPEND_REFUSED, result == LEDGER_EXCEEDS_CREDITS ? CHARGE_WHY_NOT_ENOUGH : CHARGE_WHY_LEDGER, s);
}
