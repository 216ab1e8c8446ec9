/* charge.c - charges: rows, and the gate. */
#include "wallet/charge.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "wallet/charge_inside.h"

#define COLUMNS                                                                                                     \
    "c.id, c.key, c.client, c.number, c.ref, c.agreement, c.account, a.account, a.wallet, c.body, c.kind, c.state," \
    " c.amount, c.refunded, c.refunding, c.currency, c.payee, c.item, c.device, c.challenge, c.verified, c.reason," \
    " c.why, c.created_us, c.state_us, c.submitted_us, c.ask_us, c.asked"
#define FROM " FROM charge c JOIN agreement a ON a.id = c.agreement "

/* --- words --- */

static const char *const states[] = {"created", "needs_step", "submitted", "unknown",
                                     "paid",    "failed",     "refused",   "cancelled"};
static_assert(ARRAY_LEN(states) == CHARGE_STATE_MAX, "a name each");
static const char *const kinds[] = {"purchase", "top_up"};
static_assert(ARRAY_LEN(kinds) == CHARGE_KIND_MAX, "a name each");
static const struct {
    const char *code, *text;
} whys[] = {
#define CHARGE_WHY(name, code, text) {code, text},
#include "wallet/charge_whys.def"
#undef CHARGE_WHY
};
static const struct {
    const char *name, *what;
} surprises[] = {
#define SURPRISE(name, text, what) {text, what},
#include "wallet/surprises.def"
#undef SURPRISE
};

const char *charge_state_name(enum charge_state state) { return states[state]; }
const char *charge_kind_name(enum charge_kind kind) { return kinds[kind]; }
const char *charge_why_code(enum charge_why why) { return whys[why].code; }
const char *charge_why_text(enum charge_why why) { return whys[why].text; }
const char *surprise_name(enum surprise s) { return surprises[s].name; }
const char *surprise_what(enum surprise s) { return surprises[s].what; }

/* Of a row's `why`: the code is what stands before a colon. */
enum charge_why charge_why_find(const char *code)
{
    struct slice rest = slice_str(code), head = slice_cut(&rest, ':');
    for (int i = 0; i < CHARGE_WHY_MAX; i++)
        if (slice_eq(head, slice_str(whys[i].code)))
            return (enum charge_why)i;
    return CHARGE_WHY_NONE;
}

void charge_why_print(enum charge_why why, const char *words, char ret_text[WALLET_WHY_BYTES + 1])
{
    (void)snprintf(ret_text, WALLET_WHY_BYTES + 1, "%s%s%s", whys[why].code, words[0] ? ": " : "", words);
}

void charge_event_id(const struct id *charge, char ret_id[CHARGE_EVENT_BYTES + 1])
{
    (void)snprintf(ret_id, CHARGE_EVENT_BYTES + 1, "charge-%s", charge->text);
}

void wallet_number_make(char ret_number[WALLET_NUMBER_BYTES + 1])
{
    unsigned char bytes[WALLET_NUMBER_BYTES / 2];
    crypto_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret_number + 2 * i, 3, "%02x", bytes[i]);
}

/* --- rows --- */

static enum keer_err take_texts(struct db_stmt *s, struct charge *c)
{
    const struct {
        unsigned column;
        struct id *id;
    } ids[] = {{0, &c->id}, {5, &c->agreement}, {6, &c->account}, {7, &c->payer}, {19, &c->challenge}};
    const struct {
        unsigned column;
        char *room;
        size_t size;
    } texts[] = {{1, c->key, sizeof c->key},    {2, c->client, sizeof c->client},  {3, c->number, sizeof c->number},
                 {4, c->ref, sizeof c->ref},    {8, c->wallet, sizeof c->wallet},  {16, c->payee, sizeof c->payee},
                 {17, c->item, sizeof c->item}, {18, c->device, sizeof c->device}, {22, c->why, sizeof c->why}};
    enum keer_err err = query_hash(s, 9, &c->body);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, ids[i].column, ids[i].id);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    return err;
}

static enum keer_err take(struct db_stmt *s, struct charge *c)
{
    int64_t kind = db_i64(s, 10), state = db_i64(s, 11), reason = db_i64(s, 21);
    enum currency currency = currency_parse(db_bytes(s, 15));
    if (kind < 0 || kind >= CHARGE_KIND_MAX || state < 0 || state >= CHARGE_STATE_MAX || reason < 0 ||
        reason >= WALLET_REASON_MAX || currency == CUR_MAX)
        return KEER_EFORMAT;
    *c = (struct charge){.kind = (enum charge_kind)kind,
                         .state = (enum charge_state)state,
                         .amount_minor = db_i64(s, 12),
                         .refunded_minor = db_i64(s, 13),
                         .refunding_minor = db_i64(s, 14),
                         .currency = currency,
                         .verified = db_i64(s, 20) != 0,
                         .reason = (enum wallet_reason)reason,
                         .created_us = db_i64(s, 23),
                         .state_us = db_i64(s, 24),
                         .submitted_us = db_i64(s, 25),
                         .ask_us = db_i64(s, 26),
                         .asked = db_i64(s, 27)};
    return take_texts(s, c);
}

static enum keer_err take_one(enum keer_err err, struct db_stmt *s, struct charge *ret)
{
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

enum keer_err charge_read(struct db *db, const struct id *charge, struct charge *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE c.id = $1", Q_ID(charge));
    return take_one(err, s, ret);
}

enum keer_err charge_find(struct db *db, struct slice client, struct slice key, struct charge *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE c.client = $1 AND c.key = $2", Q_TEXT(client), Q_TEXT(key));
    return take_one(err, s, ret);
}

enum keer_err charge_by_number(struct db *db, const char *wallet, const char *number, struct charge *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE c.number = $1 AND a.wallet = $2", Q_STR(number), Q_STR(wallet));
    return take_one(err, s, ret);
}

enum keer_err charge_list(struct db *db, const struct charge_query *q, unsigned max, struct charge *room,
                          unsigned *ret_count)
{
    static const struct id none = {0};
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS FROM "WHERE (c.client = $1 OR $1 = '') AND (c.account = $2 OR"
                                   " a.account = $2 OR $2 = '') AND (c.agreement = $3 OR $3 = '') AND c.created_us < $4"
                                   " ORDER BY c.created_us DESC, c.id LIMIT $5",
                                   Q_TEXT(q->client.len ? q->client : SLICE("")), Q_ID(q->account ? q->account : &none),
                                   Q_ID(q->agreement ? q->agreement : &none),
                                   Q_NUMBER(q->before_us ? q->before_us : INT64_MAX), Q_NUMBER(max));
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

static bool good_new(const struct charge_new *n)
{
    return n->client.len <= LIMIT_NAME_BYTES && n->key.len && n->key.len <= LIMIT_NAME_BYTES && n->amount_minor > 0 &&
           n->amount_minor < NUM_EXACT_MAX && (unsigned)n->currency < CUR_MAX && (unsigned)n->kind < CHARGE_KIND_MAX &&
           n->payee.len && n->payee.len <= 256 && n->item.len <= LIMIT_NAME_BYTES && n->device.len <= LIMIT_NAME_BYTES &&
           id_is(&n->account) && id_is(&n->agreement);
}

enum keer_err charge_add(struct db *db, const struct charge_new *n, int64_t now_us, struct charge *ret, bool *ret_new)
{
    struct id id;
    char number[WALLET_NUMBER_BYTES + 1];
    if (!good_new(n))
        return KEER_EINVALID;
    enum keer_err err = charge_find(db, n->client, n->key, ret);
    if (err == KEER_OK) {
        *ret_new = false;
        return crypto_hash_eq(&ret->body, &n->body) ? KEER_OK : KEER_ECONFLICT;
    }
    if (err == KEER_EMISSING)
        err = QUERY_MET(db, "SELECT id FROM agreement WHERE id = $1", Q_ID(&n->agreement));
    if (err != KEER_OK)
        return err;
    id_make(&id);
    wallet_number_make(number);
    err = QUERY_DO(db,
                   "INSERT INTO charge (id, key, client, number, agreement, account, body, request, kind, state, amount,"
                   " currency, payee, item, device, created_us, state_us, ask_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, 0, $9, $10, $11, $12, $13, $14, $14, $15)",
                   Q_ID(&id), Q_TEXT(n->key), Q_TEXT(n->client), Q_STR(number), Q_ID(&n->agreement), Q_ID(&n->account),
                   Q_HASH(&n->body), Q_NUMBER(n->kind), Q_NUMBER(n->amount_minor), Q_STR(currency_code(n->currency)),
                   Q_TEXT(n->payee), Q_TEXT(n->item.len ? n->item : SLICE("")),
                   Q_TEXT(n->device.len ? n->device : SLICE("")), Q_NUMBER(now_us), Q_NUMBER(now_us + CHARGE_LAPSE_US));
    if (err == KEER_OK)
        err = charge_read(db, &id, ret);
    if (err == KEER_OK)
        *ret_new = true;
    return err;
}

enum keer_err charge_request(struct db *db, const struct id *charge, struct slice event)
{
    if (event.len > CHARGE_REQUEST_BYTES)
        return KEER_ELIMIT;
    return QUERY_DO(db, "UPDATE charge SET request = $1 WHERE id = $2 AND request = ''", Q_TEXT(event), Q_ID(charge));
}

enum keer_err charge_request_read(struct db *db, const struct id *charge, struct buf *out)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT request FROM charge WHERE id = $1", Q_ID(charge));
    if (err != KEER_OK)
        return err;
    buf_slice(out, db_bytes(s, 0));
    db_free(s);
    return out->err;
}

enum keer_err charge_due(struct db *db, const char *wallet, bool asks, int64_t now_us, unsigned max, struct id *room,
                         unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT c.id" FROM "WHERE c.state IN (0, 1, 2, 3, 4, 5, 7) AND c.ask_us > 0"
                   " AND (c.ask_us <= $1 OR (c.state > 1 AND c.ask_us > $4)) AND a.wallet = $2 AND c.state < $5"
                   " ORDER BY c.ask_us, c.id LIMIT $3",
                   Q_NUMBER(now_us), Q_STR(wallet), Q_NUMBER(max), Q_NUMBER(ask_latest(now_us)),
                   Q_NUMBER(asks ? CHARGE_STATE_MAX : CHARGE_SUBMITTED));
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

/* --- caps --- */

enum keer_err charge_used(struct db *db, const struct id *agreement, enum currency currency, int64_t now_us,
                          struct charge_used *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(
        db, &s,
        "SELECT CAST(COALESCE(SUM(CASE WHEN submitted_us >= $2 THEN amount ELSE 0 END), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(amount), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(CASE WHEN submitted_us >= $2 THEN 1 ELSE 0 END), 0) AS BIGINT)"
        " FROM charge WHERE agreement = $1 AND submitted_us >= $3 AND state IN (2, 3, 4)",
        Q_ID(agreement), Q_NUMBER(agreement_day_us(currency, now_us)), Q_NUMBER(agreement_month_us(currency, now_us)));
    if (err != KEER_OK)
        return err;
    *ret = (struct charge_used){db_i64(s, 0), db_i64(s, 1), db_i64(s, 2)};
    db_free(s);
    return KEER_OK;
}

/* Sums are of what passed within caps, and amounts are below 2^53: nothing overflows. */
static enum charge_why over_cap(const struct agreement_caps *caps, const struct charge_used *u, int64_t amount)
{
    if (amount > caps->charge_minor)
        return CHARGE_WHY_CAP_CHARGE;
    if (u->day_count >= caps->day_count)
        return CHARGE_WHY_CAP_COUNT;
    if (u->day_minor > caps->day_minor - amount)
        return CHARGE_WHY_CAP_DAY;
    return u->month_minor > caps->month_minor - amount ? CHARGE_WHY_CAP_MONTH : CHARGE_WHY_NONE;
}

/* --- the gate --- */

static enum keer_err why_not(struct db *db, const struct charge_gate *g, const struct charge *c, int64_t now_us,
                             enum charge_why *ret)
{
    const struct agreement *a = g->agreement;
    const struct agreement_caps caps = agreement_caps_now(a);
    struct charge_used used;
    *ret = CHARGE_WHY_NONE;
    if (a->state != AGREEMENT_ACTIVE)
        *ret = CHARGE_WHY_NOT_ACTIVE;
    else if (a->currency != c->currency)
        *ret = CHARGE_WHY_OTHER_CURRENCY;
    else if (!g->family)
        *ret = CHARGE_WHY_NOT_FAMILY;
    else if (g->open)
        return KEER_OK;
    else if (g->held)
        *ret = CHARGE_WHY_HELD;
    else if (g->denied)
        *ret = CHARGE_WHY_DENIED;
    if (*ret != CHARGE_WHY_NONE)
        return KEER_OK;
    enum keer_err err = charge_used(db, &c->agreement, c->currency, now_us, &used);
    if (err == KEER_OK)
        *ret = over_cap(&caps, &used, c->amount_minor);
    return err;
}

/* The agreement as it is charged: a step begins its unverified sum anew, without one the charge is taken off what is left of
 * it. KEER_EMISSING: it does not pass. */
static enum keer_err pass(struct db *db, const struct charge_gate *g, const struct charge *c, int64_t now_us)
{
    if (g->stepped)
        return agreement_verified(db, &c->agreement, now_us);
    if (g->open)
        return KEER_OK;
    return g->ask || g->agreement->verified_us <= 0 ? KEER_EMISSING
                                                    : agreement_spend_unverified(db, &c->agreement, c->amount_minor);
}

static enum keer_err reserve(struct db *db, const struct charge *c, int64_t now_us, bool *ret_done)
{
    struct books_of of = {.wallet = c->wallet, .customer = &c->account, .currency = c->currency};
    struct ledger_transfer t = {.kind = LEDGER_PENDING, .currency = c->currency, .amount_minor = c->amount_minor};
    enum ledger_result result;
    books_transfer_id("reserve", &c->id, &t.id);
    (void)snprintf(t.ref, sizeof t.ref, "%s", c->agreement.text);
    (void)snprintf(t.reason, sizeof t.reason, "%s %s", kinds[c->kind], c->number);
    enum keer_err err = books_open(db, BOOKS_CLEARING, &of, now_us, &t.debit);
    if (err == KEER_OK)
        err = books_open(db, c->kind == CHARGE_TOP_UP ? BOOKS_HELD : BOOKS_SALES, &of, now_us, &t.credit);
    return err == KEER_OK ? ledger_apply(db, &t, 1, now_us, &result, ret_done) : err;
}

static enum keer_err submit(struct db *db, bool stepped, int64_t now_us, const struct charge *c)
{
    return QUERY_MET(db,
                     "UPDATE charge SET state = 2, state_us = $1, submitted_us = $1, ask_us = $2, asked = 0, verified = $3,"
                     " why = '' WHERE id = $4 AND state IN (0, 1) RETURNING id",
                     Q_NUMBER(now_us), Q_NUMBER(now_us + CHARGE_FIRST_ASK_US), Q_NUMBER(stepped), Q_ID(&c->id));
}

enum keer_err charge_gate(struct db *db, const struct charge_gate *g, int64_t now_us, struct charge *c,
                          enum charge_gated *ret_gated)
{
    enum charge_why why = CHARGE_WHY_NONE;
    bool done = false;
    enum keer_err err = charge_read(db, &c->id, c);
    if (err == KEER_OK && c->state != CHARGE_CREATED && c->state != CHARGE_NEEDS_STEP)
        err = KEER_EMISSING;
    ASSERT(err != KEER_OK || id_eq(&g->agreement->id, &c->agreement));
    if (err == KEER_OK)
        err = why_not(db, g, c, now_us, &why);
    if (err != KEER_OK)
        return err;
    if (why == CHARGE_WHY_NONE) {
        err = pass(db, g, c, now_us);
        if (err == KEER_EMISSING) {
            *ret_gated = CHARGE_WANTS_STEP;
            return KEER_OK;
        }
        if (err == KEER_OK)
            err = reserve(db, c, now_us, &done);
        if (err == KEER_OK && done) {
            *ret_gated = CHARGE_PASSED;
            err = submit(db, g->stepped, now_us, c);
            return err == KEER_OK ? charge_read(db, &c->id, c) : err;
        }
        why = CHARGE_WHY_LEDGER;
    }
    if (err != KEER_OK)
        return err;
    *ret_gated = CHARGE_STOPPED;
    return charge_end(db, CHARGE_REFUSED, why, now_us, c);
}

enum keer_err charge_wait(struct db *db, const struct id *challenge, int64_t now_us, struct charge *c)
{
    enum keer_err err =
        QUERY_MET(db,
                  "UPDATE charge SET state = 1, state_us = $1, challenge = $2, ask_us = $3 WHERE id = $4 AND state = 0"
                  " RETURNING id",
                  Q_NUMBER(now_us), Q_ID(challenge), Q_NUMBER(now_us + CHARGE_LAPSE_US), Q_ID(&c->id));
    return err == KEER_OK ? charge_read(db, &c->id, c) : err;
}

enum keer_err charge_end(struct db *db, enum charge_state state, enum charge_why why, int64_t now_us, struct charge *c)
{
    ASSERT(state == CHARGE_REFUSED || state == CHARGE_CANCELLED);
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE charge SET state = $1, why = $2, state_us = $3, ask_us = 0 WHERE id = $4 AND"
                                  " state IN (0, 1) RETURNING id",
                                  Q_NUMBER(state), Q_STR(whys[why].code), Q_NUMBER(now_us), Q_ID(&c->id));
    return err == KEER_OK ? charge_read(db, &c->id, c) : err;
}

enum keer_err charge_want_cancel(struct db *db, int64_t now_us, struct charge *c)
{
    enum keer_err err =
        QUERY_MET(db, "UPDATE charge SET why = $1, ask_us = $2 WHERE id = $3 AND state IN (2, 3) RETURNING id",
                  Q_STR(whys[CHARGE_WHY_CANCELLING].code), Q_NUMBER(now_us), Q_ID(&c->id));
    return err == KEER_OK ? charge_read(db, &c->id, c) : err;
}

bool charge_is_cancelling(const struct charge *c) { return charge_why_find(c->why) == CHARGE_WHY_CANCELLING; }
