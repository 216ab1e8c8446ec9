/* ledger.c - accounts, and reading what stands in the ledger. */
#include "ledger/ledger.h"

#include "ledger/ledger_inside.h"

static const struct {
    const char *name, *text;
    bool done;
} results[] = {
#define LEDGER_RESULT(name, done, text) {#name, text, done},
#include "ledger/ledger_results.def"
#undef LEDGER_RESULT
};
static_assert(ARRAY_LEN(results) == LEDGER_RESULT_MAX, "a row each");

const char *ledger_result_name(enum ledger_result result) { return results[result].name; }
const char *ledger_result_text(enum ledger_result result) { return results[result].text; }
bool ledger_result_done(enum ledger_result result) { return results[result].done; }

const char *ledger_kind_name(enum ledger_kind kind)
{
    static const char *const names[] = {"transfer", "pending", "post", "void", "expire"};
    static_assert(ARRAY_LEN(names) == LEDGER_KIND_MAX, "a name each");
    return names[kind];
}

const char *ledger_state_name(enum ledger_state state)
{
    static const char *const names[] = {"pending", "posted", "voided", "expired"};
    static_assert(ARRAY_LEN(names) == LEDGER_STATE_MAX, "a name each");
    return names[state];
}

/* --- rows --- */

enum keer_err ledger_read_account(struct db_stmt *s, struct ledger_account *ret)
{
    struct ledger_account a = {0};
    a.currency = currency_parse(db_bytes(s, 2));
    enum keer_err err = query_id(s, 0, &a.id);
    if (err == KEER_OK)
        err = query_text(s, 1, a.name, sizeof a.name);
    if (err == KEER_OK && a.currency == CUR_MAX)
        err = KEER_EFORMAT;
    if (err != KEER_OK)
        return err;
    a.flags = (unsigned)db_i64(s, 3);
    a.sums = (struct ledger_sums){db_i64(s, 4), db_i64(s, 5), db_i64(s, 6), db_i64(s, 7)};
    a.created_us = db_i64(s, 8);
    a.closed_us = db_i64(s, 9);
    *ret = a;
    return KEER_OK;
}

enum keer_err ledger_read_row(struct db_stmt *s, struct ledger_transfer *ret)
{
    struct ledger_transfer t = {.number = db_i64(s, 0), .currency = currency_parse(db_bytes(s, 6))};
    int64_t kind = db_i64(s, 2);
    enum keer_err err = kind < 0 || kind >= LEDGER_KIND_MAX || t.currency == CUR_MAX ? KEER_EFORMAT : KEER_OK;
    if (err == KEER_OK)
        err = query_id(s, 1, &t.id);
    if (err == KEER_OK)
        err = query_id(s, 3, &t.debit);
    if (err == KEER_OK)
        err = query_id(s, 4, &t.credit);
    if (err == KEER_OK && db_bytes(s, 5).len) /* the empty text is none */
        err = query_id(s, 5, &t.pending);
    if (err == KEER_OK)
        err = query_text(s, 9, t.ref, sizeof t.ref);
    if (err == KEER_OK)
        err = query_text(s, 10, t.reason, sizeof t.reason);
    if (err == KEER_OK)
        err = query_hash(s, 12, &t.hash);
    if (err != KEER_OK)
        return err;
    t.kind = (enum ledger_kind)kind;
    t.amount_minor = db_i64(s, 7);
    t.expires_us = db_i64(s, 8);
    t.at_us = db_i64(s, 11);
    *ret = t;
    return KEER_OK;
}

/* --- accounts --- */

/* Parts of a-z 0-9 _ -, joined by single colons: such a name means the same to hledger, ledger and beancount. */
static bool is_name(struct slice name)
{
    bool in_part = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool part = (c >= 'a' && c <= 'z') || ascii_digit(c) || c == '_' || c == '-';
        if (!part && (c != ':' || !in_part))
            return false;
        in_part = part;
    }
    return in_part && name.len <= LEDGER_NAME_BYTES;
}

static bool same_account(const struct ledger_account *a, const struct ledger_account *b)
{
    return strcmp(a->name, b->name) == 0 && a->currency == b->currency && a->flags == b->flags;
}

enum keer_err ledger_open(struct db *db, const struct ledger_account *account, int64_t now_us)
{
    struct ledger_account there;
    struct slice name = slice_str(account->name);
    if (!id_is(&account->id) || !is_name(name) || (unsigned)account->currency >= CUR_MAX ||
        account->flags & ~(LEDGER_DEBITS_LIMITED | LEDGER_CREDITS_LIMITED))
        return KEER_EINVALID;
    enum keer_err err = ledger_account(db, &account->id, &there);
    if (err == KEER_OK)
        return same_account(account, &there) && !there.closed_us ? KEER_OK : KEER_ECONFLICT;
    if (err != KEER_EMISSING)
        return err;
    err = QUERY_MET(db,
                    "INSERT INTO ledger_account (id, name, currency, flags, created_us) VALUES ($1, $2, $3, $4, $5)"
                    " ON CONFLICT DO NOTHING RETURNING id",
                    Q_ID(&account->id), Q_TEXT(name), Q_STR(currency_code(account->currency)),
                    Q_NUMBER((int64_t)account->flags), Q_NUMBER(now_us));
    return err == KEER_EMISSING ? KEER_ECONFLICT : err;
}

enum keer_err ledger_close(struct db *db, const struct id *account, int64_t now_us)
{
    struct ledger_account a;
    enum keer_err err = ledger_account(db, account, &a);
    if (err != KEER_OK || a.closed_us)
        return err;
    if (a.sums.debits_pending || a.sums.credits_pending || a.sums.debits_posted != a.sums.credits_posted)
        return KEER_EINVALID;
    return QUERY_MET(db,
                     "UPDATE ledger_account SET closed_us = $1 WHERE id = $2 AND closed_us = 0 AND debits_pending = 0 AND"
                     " credits_pending = 0 AND debits_posted = credits_posted RETURNING id",
                     Q_NUMBER(now_us), Q_ID(account));
}

static enum keer_err one_account(struct db_stmt *s, struct ledger_account *ret)
{
    enum keer_err err = ledger_read_account(s, ret);
    db_free(s);
    return err;
}

enum keer_err ledger_account(struct db *db, const struct id *account, struct ledger_account *ret_account)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " LEDGER_ACCOUNT_COLUMNS " FROM ledger_account WHERE id = $1", Q_ID(account));
    return err == KEER_OK ? one_account(s, ret_account) : err;
}

enum keer_err ledger_account_named(struct db *db, struct slice name, struct ledger_account *ret_account)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " LEDGER_ACCOUNT_COLUMNS " FROM ledger_account WHERE name = $1", Q_TEXT(name));
    return err == KEER_OK ? one_account(s, ret_account) : err;
}

static enum keer_err each_account(struct db_stmt *s, ledger_account_fn *each, void *ctx)
{
    enum keer_err err = KEER_OK;
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        struct ledger_account a;
        err = ledger_read_account(s, &a);
        if (err == KEER_OK)
            err = each(ctx, &a);
    }
    db_free(s);
    return err == KEER_OK && step != DB_END ? KEER_EIO : err;
}

enum keer_err ledger_accounts(struct db *db, ledger_account_fn *each, void *ctx)
{
    struct db_stmt *s;
    enum keer_err err = query_rows(db, &s, "SELECT " LEDGER_ACCOUNT_COLUMNS " FROM ledger_account ORDER BY name", NULL, 0);
    return err == KEER_OK ? each_account(s, each, ctx) : err;
}

enum keer_err ledger_accounts_page(struct db *db, struct slice begins, struct slice after, unsigned max,
                                   ledger_account_fn *each, void *ctx)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " LEDGER_ACCOUNT_COLUMNS " FROM ledger_account WHERE name > $1 AND"
                                   " substr(name, 1, CAST($2 AS INTEGER)) = $3 ORDER BY name LIMIT $4",
                                   Q_TEXT(after), Q_NUMBER((int64_t)begins.len), Q_TEXT(begins), Q_NUMBER((int64_t)max));
    return err == KEER_OK ? each_account(s, each, ctx) : err;
}

/* --- entries --- */

enum keer_err ledger_find(struct db *db, const struct id *transfer, struct ledger_transfer *ret_transfer)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE id = $1", Q_ID(transfer));
    if (err != KEER_OK)
        return err;
    err = ledger_read_row(s, ret_transfer);
    db_free(s);
    return err;
}

enum keer_err ledger_state(struct db *db, const struct id *pending, enum ledger_state *ret_state, int64_t *ret_posted_minor)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT state, posted_minor FROM ledger_pending WHERE id = $1", Q_ID(pending));
    if (err != KEER_OK)
        return err;
    int64_t state = db_i64(s, 0), posted = db_i64(s, 1);
    db_free(s);
    if (state < 0 || state >= LEDGER_STATE_MAX)
        return KEER_EFORMAT;
    *ret_state = (enum ledger_state)state;
    *ret_posted_minor = posted;
    return KEER_OK;
}

static enum keer_err rows_of(struct db *db, const struct ledger_query *q, struct db_stmt **ret)
{
    const struct query_value after = Q_NUMBER(q->after), max = Q_NUMBER((int64_t)q->max);
    if (q->account)
        return QUERY_ROWS(db, ret,
                          "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE number > $1 AND (debit = $3 OR credit = $3)"
                          " ORDER BY number LIMIT $2",
                          after, max, Q_ID(q->account));
    if (q->ref.len)
        return QUERY_ROWS(
            db, ret, "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE number > $1 AND ref = $3 ORDER BY number LIMIT $2",
            after, max, Q_TEXT(q->ref));
    return QUERY_ROWS(db, ret, "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE number > $1 ORDER BY number LIMIT $2",
                      after, max);
}

enum keer_err ledger_each(struct db *db, const struct ledger_query *q, ledger_each_fn *each, void *ctx, int64_t *ret_last)
{
    struct db_stmt *s;
    struct ledger_transfer t = {.number = q->after};
    enum keer_err err = rows_of(db, q, &s);
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        err = ledger_read_row(s, &t);
        if (err == KEER_OK)
            err = each(ctx, &t);
    }
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        *ret_last = t.number;
    return err;
}
