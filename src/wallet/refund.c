/* refund.c - money of a charge that goes back: rows, reserving, settling. */
#include "wallet/refund.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "wallet/charge_inside.h"

static_assert(REFUND_SUBMITTED == 0 && REFUND_UNKNOWN == 1 && REFUND_PAID == 2 && REFUND_FAILED == 3 && REFUND_REFUSED == 4,
              "numbers of the statements below");
#define COLUMNS                                                                                                       \
    "r.id, r.charge, r.key, r.client, r.number, r.ref, r.body, r.state, r.by_wallet, r.amount, r.currency, r.reason," \
    " r.why, r.created_us, r.state_us, r.ask_us, r.asked, r.told"
#define FROM " FROM refund r JOIN charge c ON c.id = r.charge JOIN agreement a ON a.id = c.agreement "

const char *refund_state_name(enum refund_state state)
{
    static const char *const names[] = {"submitted", "unknown", "paid", "failed", "refused"};
    static_assert(ARRAY_LEN(names) == REFUND_STATE_MAX, "a name each");
    return names[state];
}

/* --- rows --- */

static enum keer_err take(struct db_stmt *s, struct refund *r)
{
    int64_t state = db_i64(s, 7);
    enum currency currency = currency_parse(db_bytes(s, 10));
    if (state < 0 || state >= REFUND_STATE_MAX || currency == CUR_MAX)
        return KEER_EFORMAT;
    *r = (struct refund){.state = (enum refund_state)state,
                         .by_wallet = db_i64(s, 8) != 0,
                         .amount_minor = db_i64(s, 9),
                         .currency = currency,
                         .created_us = db_i64(s, 13),
                         .state_us = db_i64(s, 14),
                         .ask_us = db_i64(s, 15),
                         .asked = db_i64(s, 16),
                         .told = db_i64(s, 17)};
    const struct {
        unsigned column;
        char *room;
        size_t size;
    } texts[] = {{2, r->key, sizeof r->key}, {3, r->client, sizeof r->client},  {4, r->number, sizeof r->number},
                 {5, r->ref, sizeof r->ref}, {11, r->reason, sizeof r->reason}, {12, r->why, sizeof r->why}};
    enum keer_err err = query_id(s, 0, &r->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &r->charge);
    if (err == KEER_OK)
        err = query_hash(s, 6, &r->body);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    return err;
}

static enum keer_err take_one(enum keer_err err, struct db_stmt *s, struct refund *ret)
{
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

enum keer_err refund_read(struct db *db, const struct id *refund, struct refund *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM refund r WHERE r.id = $1", Q_ID(refund));
    return take_one(err, s, ret);
}

static enum keer_err find(struct db *db, struct slice client, struct slice key, struct refund *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM refund r WHERE r.client = $1 AND r.key = $2",
                                  Q_TEXT(client), Q_TEXT(key));
    return take_one(err, s, ret);
}

enum keer_err refund_by_number(struct db *db, const char *wallet, const char *number, struct refund *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE r.number = $1 AND a.wallet = $2 AND r.by_wallet = 0",
                                  Q_STR(number), Q_STR(wallet));
    return take_one(err, s, ret);
}

enum keer_err refund_list(struct db *db, const struct id *charge, unsigned max, struct refund *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT " COLUMNS " FROM refund r WHERE r.charge = $1 ORDER BY r.created_us, r.id LIMIT $2",
                   Q_ID(charge), Q_NUMBER(max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < max && (step = db_step(s)) == DB_ROW)
        err = take(s, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err refund_due(struct db *db, const char *wallet, int64_t now_us, unsigned max, struct id *room,
                         unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT r.id" FROM "WHERE r.state IN (0, 1, 2, 3) AND r.ask_us > 0"
                   " AND (r.ask_us <= $1 OR r.ask_us > $4) AND a.wallet = $2 ORDER BY r.ask_us, r.id LIMIT $3",
                   Q_NUMBER(now_us), Q_STR(wallet), Q_NUMBER(max), Q_NUMBER(ask_latest(now_us)));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < max && (step = db_step(s)) == DB_ROW)
        err = query_id(s, 0, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err refund_untold(struct db *db, unsigned max, struct id *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT id FROM refund WHERE told < 2 AND (state > 1 OR (told = 0 AND by_wallet = 0))"
                                   " ORDER BY told, state_us, id LIMIT $1",
                                   Q_NUMBER(max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < max && (step = db_step(s)) == DB_ROW)
        err = query_id(s, 0, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err refund_was_told(struct db *db, const struct id *refund, int64_t told)
{
    return QUERY_DO(db, "UPDATE refund SET told = $1 WHERE id = $2 AND told < $1", Q_NUMBER(told), Q_ID(refund));
}

bool refund_has_ended(const struct refund *r) { return r->state != REFUND_SUBMITTED && r->state != REFUND_UNKNOWN; }

/* --- reserving --- */

/* Of what was captured. KEER_EMISSING: it is not enough, or the charge was not paid. */
static enum keer_err reserve_of_charge(struct db *db, const struct id *charge, int64_t amount_minor)
{
    return QUERY_MET(db,
                     "UPDATE charge SET refunding = refunding + $1 WHERE id = $2 AND state = 4 AND"
                     " refunded + refunding + $1 <= amount RETURNING id",
                     Q_NUMBER(amount_minor), Q_ID(charge));
}

/* The account that the money of a charge is taken from; of a top-up that is held, the hold gets smaller. */
static enum keer_err source_of(struct db *db, const struct charge *c, int64_t amount_minor, int64_t now_us,
                               struct id *ret_debit)
{
    struct books_of of = {.wallet = c->wallet, .customer = &c->account, .currency = c->currency};
    if (c->kind == CHARGE_PURCHASE)
        return books_open(db, BOOKS_SALES, &of, now_us, ret_debit);
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE balance_hold SET amount = amount - $1 WHERE charge = $2 AND done_us = 0 AND"
                                  " amount >= $1 RETURNING charge",
                                  Q_NUMBER(amount_minor), Q_ID(&c->id));
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    return books_open(db, err == KEER_OK ? BOOKS_HELD : BOOKS_BALANCE, &of, now_us, ret_debit);
}

/* A pending transfer or one at once, out of where the charge's money is. *ret_done false: it is spent. */
static enum keer_err book(struct db *db, const struct charge *c, enum ledger_kind kind, const struct id *refund,
                          int64_t amount_minor, int64_t now_us, bool *ret_done)
{
    struct books_of of = {.wallet = c->wallet, .currency = c->currency};
    struct ledger_transfer t = {.kind = kind, .currency = c->currency, .amount_minor = amount_minor};
    enum ledger_result result;
    books_transfer_id("refund", refund, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", c->agreement.text);
    (void)snprintf(t.reason, sizeof t.reason, "refund of %s", c->number);
    enum keer_err err = source_of(db, c, amount_minor, now_us, &t.debit);
    if (err == KEER_OK)
        err = books_open(db, BOOKS_CLEARING, &of, now_us, &t.credit);
    return err == KEER_OK ? ledger_apply(db, &t, 1, now_us, &result, ret_done) : err;
}

static enum keer_err insert(struct db *db, const struct refund *r)
{
    return QUERY_DO(db,
                    "INSERT INTO refund (id, key, client, number, ref, charge, body, state, by_wallet, amount, currency,"
                    " reason, why, created_us, state_us, ask_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15)",
                    Q_ID(&r->id), Q_STR(r->key), Q_STR(r->client), Q_STR(r->number), Q_STR(r->ref), Q_ID(&r->charge),
                    Q_HASH(&r->body), Q_NUMBER(r->state), Q_NUMBER(r->by_wallet), Q_NUMBER(r->amount_minor),
                    Q_STR(currency_code(r->currency)), Q_STR(r->reason), Q_STR(r->why), Q_NUMBER(r->created_us),
                    Q_NUMBER(r->ask_us));
}

/* Whether it can be made, and then it is reserved. */
static enum keer_err try(struct db *db, const struct charge *c, struct refund *r, int64_t now_us, enum charge_why *ret)
{
    bool done = false;
    *ret = CHARGE_WHY_NONE;
    if (c->state != CHARGE_PAID)
        *ret = CHARGE_WHY_NOT_PAID;
    else if (r->currency != c->currency)
        *ret = CHARGE_WHY_OTHER_CURRENCY;
    else if (r->amount_minor <= 0)
        *ret = CHARGE_WHY_ABOVE_CAPTURED;
    if (*ret != CHARGE_WHY_NONE)
        return KEER_OK;
    enum keer_err err = reserve_of_charge(db, &c->id, r->amount_minor);
    if (err == KEER_EMISSING) {
        *ret = CHARGE_WHY_ABOVE_CAPTURED;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = book(db, c, LEDGER_PENDING, &r->id, r->amount_minor, now_us, &done);
    if (err != KEER_OK || done)
        return err;
    *ret = CHARGE_WHY_SPENT; /* the hold was not touched: what is held is always there */
    return QUERY_DO(db, "UPDATE charge SET refunding = refunding - $1 WHERE id = $2", Q_NUMBER(r->amount_minor),
                    Q_ID(&c->id));
}

enum keer_err refund_add(struct db *db, const struct refund_new *n, int64_t now_us, struct refund *ret, bool *ret_new)
{
    struct charge c;
    struct refund r = {.charge = n->charge,
                       .body = n->body,
                       .currency = n->currency,
                       .created_us = now_us,
                       .state_us = now_us,
                       .ask_us = now_us + CHARGE_FIRST_ASK_US};
    enum charge_why why = CHARGE_WHY_NONE;
    if (!n->key.len || n->key.len > LIMIT_NAME_BYTES || n->client.len > LIMIT_NAME_BYTES || n->amount_minor < 0 ||
        n->amount_minor >= NUM_EXACT_MAX || (unsigned)n->currency >= CUR_MAX || n->reason.len >= sizeof r.reason)
        return KEER_EINVALID;
    enum keer_err err = find(db, n->client, n->key, ret);
    if (err == KEER_OK) {
        *ret_new = false;
        return crypto_hash_eq(&ret->body, &n->body) ? KEER_OK : KEER_ECONFLICT;
    }
    if (err == KEER_EMISSING)
        err = charge_read(db, &n->charge, &c);
    if (err != KEER_OK)
        return err;
    id_make(&r.id);
    wallet_number_make(r.number);
    (void)snprintf(r.key, sizeof r.key, SLICE_FMT, SLICE_ARG(n->key));
    (void)snprintf(r.client, sizeof r.client, SLICE_FMT, SLICE_ARG(n->client));
    (void)snprintf(r.reason, sizeof r.reason, SLICE_FMT, SLICE_ARG(n->reason));
    r.amount_minor = n->amount_minor ? n->amount_minor : c.amount_minor - c.refunded_minor - c.refunding_minor;
    err = try(db, &c, &r, now_us, &why);
    if (err == KEER_OK && why != CHARGE_WHY_NONE) {
        r.state = REFUND_REFUSED;
        r.ask_us = 0;
        charge_why_print(why, "", r.why);
    }
    if (err == KEER_OK)
        err = insert(db, &r);
    if (err != KEER_OK)
        return err;
    *ret = r;
    *ret_new = true;
    return KEER_OK;
}

/* --- settling --- */

struct settling {
    struct db *db;
    const struct charge_terms *t;
    const struct refund_said *said;
    int64_t now_us;
    struct refund *r;
    struct charge c;
    enum charge_settled *settled;
};

static enum keer_err move(const struct settling *s, enum refund_state state, const char *why)
{
    *s->settled = CHARGE_IS_SETTLED;
    return QUERY_MET(s->db,
                     "UPDATE refund SET state = $1, state_us = $2, why = $3, ref = $4, ask_us = 0 WHERE id = $5 AND state IN"
                     " (0, 1) RETURNING id",
                     Q_NUMBER(state), Q_NUMBER(s->now_us), Q_STR(why),
                     Q_STR(s->said->refund.ref[0] ? s->said->refund.ref : s->r->ref), Q_ID(&s->r->id));
}

static enum keer_err settle_reservation(const struct settling *s, enum ledger_kind kind, const char *reason,
                                        struct id *ret_debit)
{
    struct ledger_transfer t = {.kind = kind}, pending;
    books_transfer_id("refund", &s->r->id, &t.pending);
    books_transfer_id(kind == LEDGER_POST ? "refund post" : "refund void", &s->r->id, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", s->c.agreement.text);
    (void)snprintf(t.reason, sizeof t.reason, "%s", reason);
    enum keer_err err = ledger_find(s->db, &t.pending, &pending);
    if (err == KEER_OK)
        err = books_must(s->db, &t, 1, s->now_us);
    if (err == KEER_OK)
        *ret_debit = pending.debit;
    return err;
}

static enum keer_err end_paid(const struct settling *s)
{
    struct id debit;
    enum keer_err err = settle_reservation(s, LEDGER_POST, "", &debit);
    if (err == KEER_OK)
        err = QUERY_MET(s->db,
                        "UPDATE charge SET refunding = refunding - $1, refunded = refunded + $1 WHERE id = $2 AND"
                        " refunding >= $1 RETURNING id",
                        Q_NUMBER(s->r->amount_minor), Q_ID(&s->c.id));
    if (err == KEER_OK)
        err = move(s, REFUND_PAID, "");
    return err == KEER_OK ? surprise_done(s->db, s->c.wallet, s->r->number, SURPRISE_WRONG_MONEY, s->now_us) : err;
}

/* What was taken off a top-up's hold stands on the held account again: of the hold, or the customer's when it is over. */
static enum keer_err give_back_hold(const struct settling *s, const struct id *debit)
{
    struct books_of of = {.customer = &s->c.account, .currency = s->c.currency};
    struct id held;
    struct balance_move m = {.purpose = "unhold",
                             .of = &s->r->id,
                             .account = &s->c.account,
                             .agreement = &s->c.agreement,
                             .amount_minor = s->r->amount_minor,
                             .currency = s->c.currency};
    enum keer_err err = books_open(s->db, BOOKS_HELD, &of, s->now_us, &held);
    if (err != KEER_OK || !id_eq(&held, debit))
        return err;
    err = QUERY_MET(s->db, "UPDATE balance_hold SET amount = amount + $1 WHERE charge = $2 AND done_us = 0 RETURNING charge",
                    Q_NUMBER(s->r->amount_minor), Q_ID(&s->c.id));
    return err == KEER_EMISSING ? balance_free(s->db, &m, s->now_us) : err;
}

static enum keer_err end_failed(const struct settling *s, enum charge_why why, const char *words)
{
    char text[WALLET_WHY_BYTES + 1];
    struct id debit;
    charge_why_print(why, words, text);
    enum keer_err err = settle_reservation(s, LEDGER_VOID, charge_why_code(why), &debit);
    if (err == KEER_OK && s->c.kind == CHARGE_TOP_UP)
        err = give_back_hold(s, &debit);
    if (err == KEER_OK)
        err = QUERY_MET(s->db, "UPDATE charge SET refunding = refunding - $1 WHERE id = $2 AND refunding >= $1 RETURNING id",
                        Q_NUMBER(s->r->amount_minor), Q_ID(&s->c.id));
    return err == KEER_OK ? move(s, REFUND_FAILED, text) : err;
}

static enum keer_err stay(const struct settling *s)
{
    const struct refund *r = s->r;
    int64_t soon = s->now_us + charge_backoff_us(r->asked);
    bool timer = s->said->way == CHARGE_BY_QUERY || s->said->again;
    *s->settled = CHARGE_IS_OPEN;
    return QUERY_DO(s->db,
                    "UPDATE refund SET state = 1, state_us = CASE WHEN state = 0 THEN CAST($1 AS BIGINT) ELSE state_us END,"
                    " ask_us = CASE WHEN CAST($2 AS BIGINT) = 1 THEN ask_us ELSE CAST($3 AS BIGINT) END WHERE id = $4 AND "
                    "state IN (0, 1)",
                    Q_NUMBER(s->now_us), Q_NUMBER(timer && r->ask_us > 0 ? 1 : 0),
                    Q_NUMBER(r->ask_us > 0 ? MIN_OF(soon, r->ask_us) : soon), Q_ID(&r->id));
}

static enum keer_err given_back(const struct settling *s, enum surprise what, const char *detail)
{
    char reason[LEDGER_REASON_BYTES + 1];
    bool fresh = false;
    (void)snprintf(reason, sizeof reason, "%s: refund %s of %s", surprise_name(what), s->r->number, s->c.number);
    struct books_suspense b = {.wallet = s->c.wallet,
                               .purpose = "refund suspense",
                               .reason = reason,
                               .of = &s->r->id,
                               .ref = id_slice(&s->c.agreement),
                               .currency = s->said->refund.currency == CUR_MAX ? s->r->currency : s->said->refund.currency,
                               .amount_minor =
                                   s->said->refund.amount_minor > 0 ? s->said->refund.amount_minor : s->r->amount_minor};
    enum keer_err err = books_suspend(s->db, &b, s->now_us, &fresh);
    return err == KEER_OK ? surprise_add(s->db, s->c.wallet, s->r->number, WALLET_NOTICE_REFUND, what, detail, s->now_us)
                          : err;
}

/* A wallet that does not tell the amount (0: Alipay's notices) means the one that belongs to the number. */
static bool same_money(const struct refund *r, const struct wallet_refund *w, char ret_detail[128])
{
    if ((w->currency == CUR_MAX || w->currency == r->currency) && (!w->amount_minor || w->amount_minor == r->amount_minor))
        return true;
    (void)snprintf(ret_detail, 128, "asked %lld %s, said %lld %s", (long long)r->amount_minor, currency_code(r->currency),
                   (long long)w->amount_minor, w->currency == CUR_MAX ? "" : currency_code(w->currency));
    return false;
}

static enum keer_err open_paid(const struct settling *s)
{
    char detail[128];
    if (same_money(s->r, &s->said->refund, detail))
        return end_paid(s);
    bool believed = s->said->way == CHARGE_BY_QUERY && s->now_us >= s->r->created_us + s->t->gone_us;
    enum keer_err err =
        surprise_add(s->db, s->c.wallet, s->r->number, WALLET_NOTICE_REFUND, SURPRISE_WRONG_MONEY, detail, s->now_us);
    if (err != KEER_OK || !believed)
        return err == KEER_OK ? stay(s) : err;
    err = end_failed(s, CHARGE_WHY_WRONG_MONEY, detail);
    return err == KEER_OK && s->said->refund.amount_minor > 0 ? given_back(s, SURPRISE_WRONG_MONEY, detail) : err;
}

static enum keer_err open_absent(const struct settling *s)
{
    enum keer_err err = stay(s);
    *s->settled = s->said->way == CHARGE_BY_QUERY ? CHARGE_IS_ABSENT : CHARGE_IS_OPEN;
    return err;
}

static enum keer_err open_no(const struct settling *s)
{
    enum wallet_reason reason = s->said->why.reason;
    bool first = s->said->way == CHARGE_BY_ANSWER && !s->said->again && s->r->state == REFUND_SUBMITTED && s->r->asked == 0;
    bool old = s->said->again && s->now_us >= s->r->created_us + s->t->gone_us;
    if (s->said->way != CHARGE_BY_ANSWER)
        return reason == WALLET_NOT_THERE ? open_absent(s) : stay(s);
    /* One that was sent again is refused after a query knew nothing of it: true when it is so for long. */
    return (first || old) && reason != WALLET_NUMBER_REUSED ? end_failed(s, CHARGE_WHY_WALLET_REFUSED, s->said->why.text)
                                                            : stay(s);
}

static enum keer_err open_said(const struct settling *s)
{
    if (s->said->answer == WALLET_NO)
        return open_no(s);
    if (s->said->answer != WALLET_YES)
        return stay(s); /* what was not sent is sent again: it costs nobody anything that it takes longer */
    switch (s->said->refund.state) {
    case WALLET_REFUND_PAID: return open_paid(s);
    case WALLET_REFUND_FAILED: return end_failed(s, CHARGE_WHY_WALLET_REFUSED, s->said->why.text);
    case WALLET_REFUND_NONE: return open_absent(s);
    case WALLET_REFUND_WAITS:
    case WALLET_REFUND_STATE_MAX: break;
    }
    return stay(s);
}

static enum keer_err failed_said(const struct settling *s)
{
    bool query = s->said->way == CHARGE_BY_QUERY, paid = s->said->refund.state == WALLET_REFUND_PAID;
    char detail[128];
    enum keer_err err = KEER_OK;
    if (s->said->answer != WALLET_YES || s->said->refund.state == WALLET_REFUND_WAITS)
        return KEER_OK;
    if (paid && !query) /* asked for again: an old word of the wallet's may come late */
        return QUERY_DO(s->db, "UPDATE refund SET ask_us = $1 WHERE id = $2 AND state = 3", Q_NUMBER(s->now_us),
                        Q_ID(&s->r->id));
    bool known = charge_why_find(s->r->why) == CHARGE_WHY_WRONG_MONEY && !same_money(s->r, &s->said->refund, detail);
    if (paid && !known)
        err = given_back(s, SURPRISE_LATE_REFUND, s->r->why);
    return err == KEER_OK && query
               ? QUERY_DO(s->db, "UPDATE refund SET ask_us = 0 WHERE id = $1 AND state = 3", Q_ID(&s->r->id))
               : err;
}

enum keer_err refund_settle(struct db *db, const struct charge_terms *t, const struct refund_said *said, int64_t now_us,
                            struct refund *r, enum charge_settled *ret_settled)
{
    enum charge_settled settled = CHARGE_IS_SETTLED;
    struct refund_said garbled;
    struct settling s = {.db = db, .t = t, .said = said, .now_us = now_us, .r = r, .settled = &settled};
    enum keer_err err = refund_read(db, &r->id, r);
    if (err == KEER_OK)
        err = charge_read(db, &r->charge, &s.c);
    if (err != KEER_OK)
        return err;
    if (said->answer == WALLET_YES && said->refund.number[0] && strcmp(said->refund.number, r->number) != 0) {
        garbled = *said; /* an answer about something else is none */
        garbled.answer = WALLET_UNKNOWN;
        s.said = &garbled;
    }
    if (r->state == REFUND_SUBMITTED || r->state == REFUND_UNKNOWN)
        err = open_said(&s);
    else if (r->state == REFUND_FAILED)
        err = failed_said(&s);
    if (err == KEER_OK)
        err = refund_read(db, &r->id, r);
    if (err == KEER_OK)
        *ret_settled = settled;
    return err;
}

enum keer_err refund_turn(struct db *db, int64_t now_us, struct refund *r)
{
    enum keer_err err = refund_read(db, &r->id, r);
    if (err == KEER_OK && (r->ask_us == 0 || (r->ask_us > now_us && r->ask_us <= ask_latest(now_us))))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err =
            QUERY_MET(db,
                      "UPDATE refund SET asked = asked + 1, ask_us = $1, state = CASE WHEN state = 0 THEN 1 ELSE state END,"
                      " state_us = CASE WHEN state = 0 THEN CAST($2 AS BIGINT) ELSE state_us END WHERE id = $3 AND"
                      " asked = $4 RETURNING id",
                      Q_NUMBER(now_us + charge_backoff_us(r->asked)), Q_NUMBER(now_us), Q_ID(&r->id), Q_NUMBER(r->asked));
    return err == KEER_OK ? refund_read(db, &r->id, r) : err;
}

/* --- refunds of the wallet's own --- */

/* What is too much, or was spent: of the suspense account. */
static enum keer_err too_much(struct db *db, const struct charge *c, const struct refund *r, int64_t amount_minor,
                              enum surprise what, int64_t now_us)
{
    char reason[LEDGER_REASON_BYTES + 1], detail[64];
    bool fresh = false;
    (void)snprintf(reason, sizeof reason, "%s: charge %s", surprise_name(what), c->number);
    (void)snprintf(detail, sizeof detail, "%lld %s", (long long)amount_minor, currency_code(r->currency));
    struct books_suspense b = {.wallet = c->wallet,
                               .purpose = what == SURPRISE_REFUND_SPENT ? "refund spent" : "refund suspense",
                               .reason = reason,
                               .of = &r->id,
                               .ref = id_slice(&c->agreement),
                               .currency = r->currency,
                               .amount_minor = amount_minor};
    enum keer_err err = books_suspend(db, &b, now_us, &fresh);
    return err == KEER_OK ? surprise_add(db, c->wallet, r->number, WALLET_NOTICE_REFUND, what, detail, now_us) : err;
}

/* As much of it as was captured and is not refunded yet: *ret_minor. */
static enum keer_err take_part(struct db *db, const struct charge *c, const struct refund *r, int64_t now_us,
                               int64_t *ret_minor)
{
    int64_t room = c->state == CHARGE_PAID ? c->amount_minor - c->refunded_minor - c->refunding_minor : 0;
    int64_t part = r->currency == c->currency ? MIN_OF(room, r->amount_minor) : 0;
    bool done = false;
    *ret_minor = part;
    if (part <= 0)
        return KEER_OK;
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE charge SET refunded = refunded + $1 WHERE id = $2 AND state = 4 AND"
                                  " refunded + refunding + $1 <= amount RETURNING id",
                                  Q_NUMBER(part), Q_ID(&c->id));
    if (err == KEER_OK)
        err = book(db, c, LEDGER_TRANSFER, &r->id, part, now_us, &done);
    return err == KEER_OK && !done ? too_much(db, c, r, part, SURPRISE_REFUND_SPENT, now_us) : err;
}

/* One whose sum a query told, and whose number comes now. KEER_EMISSING: there is none. */
static enum keer_err name_it(struct db *db, const struct charge *c, const struct refund *r)
{
    return QUERY_MET(db,
                     "UPDATE refund SET key = $1, number = $2, ref = $3 WHERE charge = $4 AND by_wallet = 1 AND ref = '' AND"
                     " amount = $5 RETURNING id",
                     Q_STR(r->key), Q_STR(r->number), Q_STR(r->ref), Q_ID(&c->id), Q_NUMBER(r->amount_minor));
}

/* A query tells a sum, which may be of several, or of a part of one while a refund of ours was on its way: what of this one is
 * booked already under no number. Rows that stood for it get smaller, and go. */
static enum keer_err explain(struct db *db, const struct charge *c, int64_t amount_minor, int64_t *ret_known)
{
    *ret_known = 0;
    while (*ret_known < amount_minor) {
        struct db_stmt *s;
        struct id id;
        enum keer_err err =
            QUERY_ONE(db, &s,
                      "SELECT id, amount FROM refund WHERE charge = $1 AND by_wallet = 1 AND ref = '' ORDER BY"
                      " created_us, id LIMIT 1",
                      Q_ID(&c->id));
        if (err == KEER_EMISSING)
            return KEER_OK;
        if (err != KEER_OK)
            return err;
        int64_t there = db_i64(s, 1), part = MIN_OF(there, amount_minor - *ret_known);
        err = query_id(s, 0, &id);
        db_free(s);
        if (err == KEER_OK)
            err = part == there
                      ? QUERY_DO(db, "DELETE FROM refund WHERE id = $1", Q_ID(&id))
                      : QUERY_DO(db, "UPDATE refund SET amount = amount - $1 WHERE id = $2", Q_NUMBER(part), Q_ID(&id));
        if (err != KEER_OK)
            return err;
        *ret_known += part;
    }
    return KEER_OK;
}

void refund_own_name(const char *wallet, struct slice name, struct id *ret_number)
{
    struct crypto_hash hash;
    crypto_sha256(SLICE("keersluis refund of a wallet's own"), &hash);
    crypto_sha256_add(&hash, slice_str(wallet));
    crypto_sha256_add(&hash, name);
    id_of_hash(&hash, ret_number);
}

static enum keer_err by_wallet(struct db *db, struct charge *c, struct refund *r, struct slice name, int64_t now_us)
{
    struct refund there, rest;
    struct id id;
    int64_t part = 0, known = 0;
    refund_own_name(c->wallet, name, &id);
    (void)snprintf(r->key, sizeof r->key, "%s", id.text);
    (void)snprintf(r->number, sizeof r->number, "%s", id.text);
    enum keer_err err = find(db, SLICE(""), id_slice(&id), &there);
    if (err != KEER_EMISSING) /* known */
        return err;
    err = r->ref[0] ? name_it(db, c, r) : KEER_EMISSING;
    if (err != KEER_EMISSING)
        return err;
    err = r->ref[0] ? explain(db, c, r->amount_minor, &known) : KEER_OK;
    if (err != KEER_OK)
        return err;
    id_make(&r->id);
    rest = *r;
    rest.amount_minor -= known;
    err = take_part(db, c, &rest, now_us, &part);
    if (err == KEER_OK)
        err = insert(db, r);
    if (err == KEER_OK && part < rest.amount_minor)
        err = too_much(db, c, r, rest.amount_minor - part, SURPRISE_DOUBLE_REFUND, now_us);
    return err == KEER_OK ? charge_read(db, &c->id, c) : err;
}

enum keer_err refund_by_wallet(struct db *db, struct charge *c, const struct wallet_refund *w, int64_t now_us)
{
    const char *name = w->ref[0] ? w->ref : w->number;
    struct refund r = {.charge = c->id,
                       .state = REFUND_PAID,
                       .by_wallet = true,
                       .amount_minor = w->amount_minor,
                       .currency = w->currency == CUR_MAX ? c->currency : w->currency,
                       .created_us = now_us,
                       .state_us = now_us,
                       .reason = "made by the wallet"};
    if (w->state != WALLET_REFUND_PAID || w->amount_minor <= 0 || !name[0] || c->state == CHARGE_SUBMITTED ||
        c->state == CHARGE_UNKNOWN)
        return KEER_OK;
    (void)snprintf(r.ref, sizeof r.ref, "%s", name);
    return by_wallet(db, c, &r, slice_str(name), now_us);
}

enum keer_err refund_seen(struct db *db, struct charge *c, int64_t refunded_minor, int64_t now_us)
{
    char name[WALLET_NUMBER_BYTES + 32];
    struct refund r = {.charge = c->id,
                       .state = REFUND_PAID,
                       .by_wallet = true,
                       .amount_minor = refunded_minor - c->refunded_minor - c->refunding_minor,
                       .currency = c->currency,
                       .created_us = now_us,
                       .state_us = now_us,
                       .reason = "made by the wallet"};
    if (r.amount_minor <= 0)
        return KEER_OK;
    (void)snprintf(name, sizeof name, "%s %lld", c->number, (long long)refunded_minor);
    return by_wallet(db, c, &r, slice_str(name), now_us);
}
