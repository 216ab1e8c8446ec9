/* challenge.c - questions that want a second step. */
#include "stepup/challenge.h"

#include "base/num.h"
#include "store/query.h"

static const char *const kinds[CHALLENGE_KIND_MAX] = {"sign_in", "change", "link", "payment"};
static const char *const states[CHALLENGE_STATE_MAX] = {"open", "done", "refused", "expired"};
static_assert(CHALLENGE_PAYMENT == 3 && CHALLENGE_OPEN == 0 && CHALLENGE_DONE == 1 && CHALLENGE_REFUSED == 2,
              "numbers of the statements below");
#define COLUMNS                                                                                                          \
    "id, account, kind, state, holder, device, event, client, reference, return_url, shown, shown_hash, nonce, methods," \
    " created_us, until_us, touched_us, done_us, used_us, done_by, done_amr, why, done_with"
/* Open now ($1): its time is not over, and a payment's quiet neither. */
#define IS_OPEN "state = 0 AND until_us > $1 AND (kind <> 3 OR touched_us > CAST($1 AS BIGINT) - 300000000)"
static_assert(CHALLENGE_IDLE_US == 300000000 && CHALLENGE_USE_US == 600000000, "numbers of the statements below");

const char *challenge_kind_name(enum challenge_kind kind) { return kinds[kind]; }
const char *challenge_state_name(enum challenge_state state) { return states[state]; }

enum keer_err challenge_kind_find(struct slice name, enum challenge_kind *ret_kind)
{
    for (unsigned i = 0; i < CHALLENGE_KIND_MAX; i++)
        if (slice_eq(name, slice_str(kinds[i]))) {
            *ret_kind = (enum challenge_kind)i;
            return KEER_OK;
        }
    return KEER_EINVALID;
}

void challenge_amr_json(unsigned amr, struct buf *out)
{
    static const char *const names[] = {"pwd", "otp", "hwk", "swk", "user", "pop", "mfa", "mca"};
    bool first = true;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (amr & 1u << i) {
            buf_fmt(out, "%s\"%s\"", first ? "" : ",", names[i]);
            first = false;
        }
}

/* --- what is shown --- */

static void member(struct buf *out, size_t start, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_fmt(out, "%s\"%s\":", out->len > start ? "," : "", name);
    buf_json(out, value);
}

static enum keer_err check(const struct challenge_data *d)
{
    const struct slice texts[] = {d->payee,    d->payee_origin, d->agreement,     d->wallet,         d->change,
                                  d->detail,   d->store,        d->reference,     d->caps.charge,    d->caps.count,
                                  d->caps.day, d->caps.month,   d->caps.currency, d->caps.unverified};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].len > CHALLENGE_TEXT_BYTES)
            return KEER_ELIMIT;
    bool money = d->amount_minor || d->currency != CUR_MAX;
    if (money && (d->amount_minor <= 0 || d->amount_minor > NUM_EXACT_MAX))
        return KEER_ERANGE;
    if (money && d->currency >= CUR_MAX)
        return KEER_EMISSING;
    switch (d->kind) {
    case CHALLENGE_SIGN_IN: return KEER_OK;
    case CHALLENGE_CHANGE: return d->change.len ? KEER_OK : KEER_EMISSING;
    case CHALLENGE_LINK: return d->agreement.len || d->wallet.len ? KEER_OK : KEER_EMISSING;
    case CHALLENGE_PAYMENT: return money && d->payee.len ? KEER_OK : KEER_EMISSING;
    case CHALLENGE_KIND_MAX: break;
    }
    return KEER_EINVALID;
}

enum keer_err challenge_canon(const struct challenge_data *d, struct buf *out, struct crypto_hash *ret_hash)
{
    char amount[CURRENCY_TEXT_BYTES] = "";
    enum keer_err err = check(d);
    if (err != KEER_OK)
        return err;
    size_t start = out->len + 1;
    bool money = d->currency != CUR_MAX;
    if (money)
        (void)currency_print(d->amount_minor, d->currency, amount);
    buf_char(out, '{');
    member(out, start, "agreement", d->agreement);
    member(out, start, "amount", slice_str(amount));
    member(out, start, "cap_charge", d->caps.charge);
    member(out, start, "cap_count", d->caps.count);
    member(out, start, "cap_currency", d->caps.currency);
    member(out, start, "cap_day", d->caps.day);
    member(out, start, "cap_month", d->caps.month);
    member(out, start, "cap_unverified", d->caps.unverified);
    member(out, start, "change", d->change);
    member(out, start, "currency", money ? slice_str(currency_code(d->currency)) : SLICE(""));
    member(out, start, "detail", d->detail);
    member(out, start, "kind", slice_str(kinds[d->kind]));
    member(out, start, "payee", d->payee);
    member(out, start, "payee_origin", d->payee_origin);
    member(out, start, "reference", d->reference);
    member(out, start, "store", d->store);
    member(out, start, "value", d->value);
    member(out, start, "wallet", d->wallet);
    buf_char(out, '}');
    if (out->err != KEER_OK)
        return out->err;
    if (out->len - start >= CHALLENGE_SHOWN_BYTES)
        return KEER_ELIMIT;
    crypto_sha256(slice_of(out->p + start - 1, out->len - start + 1), ret_hash);
    return KEER_OK;
}

void challenge_bytes(const struct challenge *c, struct crypto_hash *ret_bytes)
{
    crypto_sha256(SLICE("keersluis challenge"), ret_bytes);
    crypto_sha256_add(ret_bytes, slice_str(kinds[c->kind]));
    crypto_sha256_add(ret_bytes, id_slice(&c->id));
    crypto_sha256_add(ret_bytes, slice_of((const char *)c->nonce, sizeof c->nonce));
    crypto_sha256_add(ret_bytes, slice_of((const char *)c->shown_hash.bytes, sizeof c->shown_hash.bytes));
}

/* --- rows --- */

static bool over(const struct challenge *c, int64_t now_us)
{
    return c->until_us <= now_us || (c->kind == CHALLENGE_PAYMENT && c->touched_us <= now_us - CHALLENGE_IDLE_US);
}

static enum keer_err take_texts(struct db_stmt *s, struct challenge *c)
{
    struct slice nonce = db_bytes(s, 12);
    struct id *const ids[] = {&c->id, &c->account, &c->holder, &c->device, &c->done_with};
    static const unsigned id_columns[] = {0, 1, 4, 5, 22};
    const struct {
        unsigned column;
        char *room;
        size_t size;
    } texts[] = {{6, c->event, sizeof c->event},         {7, c->client, sizeof c->client},
                 {8, c->reference, sizeof c->reference}, {9, c->return_url, sizeof c->return_url},
                 {10, c->shown, sizeof c->shown},        {21, c->why, sizeof c->why}};
    enum keer_err err = nonce.len == sizeof c->nonce ? query_hash(s, 11, &c->shown_hash) : KEER_EFORMAT;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, id_columns[i], ids[i]);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    if (err == KEER_OK)
        memcpy(c->nonce, nonce.p, nonce.len);
    return err;
}

static enum keer_err take(struct db_stmt *s, int64_t now_us, struct challenge *c)
{
    int64_t kind = db_i64(s, 2), state = db_i64(s, 3);
    if (kind < 0 || kind >= CHALLENGE_KIND_MAX || state < 0 || state >= CHALLENGE_STATE_MAX)
        return KEER_EFORMAT;
    *c = (struct challenge){.kind = (enum challenge_kind)kind,
                            .state = (enum challenge_state)state,
                            .methods = (unsigned)db_i64(s, 13),
                            .created_us = db_i64(s, 14),
                            .until_us = db_i64(s, 15),
                            .touched_us = db_i64(s, 16),
                            .done_us = db_i64(s, 17),
                            .used_us = db_i64(s, 18),
                            .done_by = (unsigned)db_i64(s, 19),
                            .done_amr = (unsigned)db_i64(s, 20)};
    if (c->state == CHALLENGE_OPEN && over(c, now_us))
        c->state = CHALLENGE_EXPIRED;
    enum keer_err err = take_texts(s, c);
    struct crypto_hash hash; /* read after write: what is shown is what was hashed */
    crypto_sha256(slice_str(c->shown), &hash);
    return err == KEER_OK && !crypto_hash_eq(&hash, &c->shown_hash) ? KEER_EFORMAT : err;
}

enum keer_err challenge_get(struct db *db, const struct id *id, int64_t now_us, struct challenge *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM challenge WHERE id = $1", Q_ID(id));
    if (err != KEER_OK)
        return err;
    err = take(s, now_us, ret);
    db_free(s);
    return err;
}

static enum keer_err insert(struct db *db, const struct challenge *c)
{
    return QUERY_DO(db,
                    "INSERT INTO challenge (id, account, kind, holder, device, event, client, reference, return_url, shown,"
                    " shown_hash, nonce, methods, created_us, until_us, touched_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $14)",
                    Q_ID(&c->id), Q_ID(&c->account), Q_NUMBER(c->kind), Q_ID(&c->holder), Q_ID(&c->device), Q_STR(c->event),
                    Q_STR(c->client), Q_STR(c->reference), Q_STR(c->return_url), Q_STR(c->shown), Q_HASH(&c->shown_hash),
                    Q_BYTES(slice_of((const char *)c->nonce, sizeof c->nonce)), Q_NUMBER(c->methods),
                    Q_NUMBER(c->created_us), Q_NUMBER(c->until_us));
}

/* The last one of a client's reference that is open, or done and not used: KEER_EMISSING when there is none. */
static enum keer_err by_reference(struct db *db, const struct challenge *c, int64_t now_us, struct challenge *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT " COLUMNS " FROM challenge WHERE client = $2 AND reference = $3 AND ((" IS_OPEN
                                  ") OR (state = 1 AND used_us = 0 AND done_us > CAST($1 AS BIGINT) - 600000000))"
                                  " ORDER BY created_us DESC, id LIMIT 1",
                                  Q_NUMBER(now_us), Q_STR(c->client), Q_STR(c->reference));
    if (err != KEER_OK)
        return err;
    err = take(s, now_us, ret);
    db_free(s);
    return err;
}

static enum keer_err refuse_reference(struct db *db, const struct challenge *c, int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE challenge SET state = 2, why = 'other_data', done_us = $1 WHERE client = $2 AND reference = $3"
                    " AND (state = 0 OR (state = 1 AND used_us = 0))",
                    Q_NUMBER(now_us), Q_STR(c->client), Q_STR(c->reference));
}

enum keer_err challenge_open(struct db *db, const struct challenge_data *d, int64_t now_us, struct challenge *c,
                             bool *ret_new)
{
    struct challenge old;
    struct buf shown;
    if (d->kind != c->kind)
        return KEER_EINVALID;
    buf_init(&shown, CHALLENGE_SHOWN_BYTES);
    enum keer_err err = challenge_canon(d, &shown, &c->shown_hash);
    if (err == KEER_OK)
        memcpy(c->shown, shown.p, shown.len + 1);
    buf_release(&shown);
    if (err == KEER_OK && c->client[0] && c->reference[0]) {
        err = by_reference(db, c, now_us, &old);
        if (err == KEER_OK && id_eq(&old.account, &c->account) && old.kind == c->kind &&
            crypto_hash_eq(&old.shown_hash, &c->shown_hash)) {
            *c = old;
            *ret_new = false;
            return KEER_OK;
        }
        if (err == KEER_OK || err == KEER_EMISSING)
            err = refuse_reference(db, c, now_us);
    }
    if (err != KEER_OK)
        return err;
    id_make(&c->id);
    crypto_random(c->nonce, sizeof c->nonce);
    c->state = CHALLENGE_OPEN;
    c->created_us = c->touched_us = now_us;
    c->until_us = now_us + CHALLENGE_LIFE_US;
    c->done_us = c->used_us = 0;
    c->done_by = c->done_amr = 0;
    c->why[0] = '\0';
    err = insert(db, c);
    if (err == KEER_OK)
        *ret_new = true;
    return err;
}

enum keer_err challenge_hold(struct db *db, const struct id *id, const struct id *holder, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE challenge SET holder = $2, touched_us = $1 WHERE id = $3 AND (holder = '' OR holder = $2)"
                     " AND " IS_OPEN " RETURNING id",
                     Q_NUMBER(now_us), Q_ID(holder), Q_ID(id));
}

enum keer_err challenge_touch(struct db *db, const struct id *id, const struct id *holder, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE challenge SET touched_us = $1 WHERE id = $2 AND holder = $3 AND " IS_OPEN " RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id), Q_ID(holder));
}

enum keer_err challenge_done(struct db *db, const struct challenge_answer *a, int64_t now_us)
{
    if (!id_is(&a->holder)) /* nobody's is answered by nobody */
        return KEER_EMISSING;
    return QUERY_MET(db,
                     "UPDATE challenge SET state = 1, done_us = $1, done_by = $2, done_amr = $3, done_with = $9 WHERE id = "
                     "$4 AND account = $5"
                     " AND holder = $6 AND kind = $7 AND shown_hash = $8 AND (methods = 0 OR (methods & $2) <> 0)"
                     " AND " IS_OPEN " RETURNING id",
                     Q_NUMBER(now_us), Q_NUMBER(a->by), Q_NUMBER(a->amr), Q_ID(&a->id), Q_ID(&a->account), Q_ID(&a->holder),
                     Q_NUMBER(a->kind), Q_HASH(a->shown_hash), Q_ID(&a->with));
}

enum keer_err challenge_right(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE challenge SET done_us = $1 WHERE id = $2 AND " IS_OPEN " RETURNING id", Q_NUMBER(now_us),
                     Q_ID(id));
}

enum keer_err challenge_used_up(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE challenge SET state = 2, done_us = $1, why = 'too_many_wrong_answers' WHERE id = $2"
                     " AND done_us < CAST($1 AS BIGINT) - 30000000 AND " IS_OPEN " RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id));
}

enum keer_err challenge_refuse(struct db *db, const struct id *id, struct slice why, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE challenge SET state = 2, done_us = $1, why = $2 WHERE id = $3 AND " IS_OPEN " RETURNING id",
                     Q_NUMBER(now_us), Q_TEXT(why), Q_ID(id));
}

enum keer_err challenge_refuse_all(struct db *db, const struct id *account, struct slice why, int64_t now_us,
                                   int64_t *ret_count)
{
    struct db_stmt *s;
    int64_t n = 0;
    enum db_step step;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "UPDATE challenge SET state = 2, done_us = $1, why = $2 WHERE account = $3"
                                   " AND (state = 0 OR (state = 1 AND used_us = 0)) RETURNING id",
                                   Q_NUMBER(now_us), Q_TEXT(why), Q_ID(account));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW)
        n++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = n;
    return KEER_OK;
}

enum keer_err challenge_refuse_by(struct db *db, const struct id *account, const struct id *authenticator, int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE challenge SET state = 2, done_us = $1, why = 'authenticator_removed' WHERE account = $2"
                    " AND done_with = $3 AND done_with <> '' AND state = 1 AND used_us = 0",
                    Q_NUMBER(now_us), Q_ID(account), Q_ID(authenticator));
}

enum keer_err challenge_use(struct db *db, const struct challenge_want *w, int64_t now_us, struct challenge *ret)
{
    enum keer_err err = QUERY_MET(
        db,
        "UPDATE challenge SET used_us = $1 WHERE id = $2 AND account = $3 AND holder = $4 AND kind = $5"
        " AND shown_hash = $6 AND state = 1 AND used_us = 0 AND done_us > CAST($1 AS BIGINT) - 600000000 RETURNING id",
        Q_NUMBER(now_us), Q_ID(&w->id), Q_ID(&w->account), Q_ID(&w->holder), Q_NUMBER(w->kind), Q_HASH(w->shown_hash));
    return err == KEER_OK ? challenge_get(db, &w->id, now_us, ret) : err;
}

enum keer_err challenges_forget(struct db *db, int64_t before_us, int64_t rows_max, int64_t *ret_count)
{
    struct db_stmt *s;
    int64_t n = 0;
    enum db_step step;
    enum keer_err err = QUERY_DO(db,
                                 "DELETE FROM prompt WHERE challenge IN (SELECT id FROM challenge WHERE until_us < $1"
                                 " ORDER BY until_us, id LIMIT $2)",
                                 Q_NUMBER(before_us), Q_NUMBER(rows_max));
    if (err == KEER_OK)
        err = QUERY_ROWS(db, &s,
                         "DELETE FROM challenge WHERE id IN (SELECT id FROM challenge WHERE until_us < $1"
                         " ORDER BY until_us, id LIMIT $2) RETURNING id",
                         Q_NUMBER(before_us), Q_NUMBER(rows_max));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW)
        n++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = n;
    return KEER_OK;
}
