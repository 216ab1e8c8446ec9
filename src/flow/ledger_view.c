/* ledger_view.c - accounts, entries and statements of the ledger as JSON. */
#include "flow/ledger_view.h"

#include "base/timefmt.h"
#include "store/query.h"
#include "store/secrets.h"
#include "wallet/books.h"

#define PIECE_BYTES ((size_t)1 << 16)

enum keer_err ledger_view_account(struct db *db, struct slice which, struct ledger_account *ret_account)
{
    struct id id;
    enum keer_err err = ledger_account_named(db, which, ret_account);
    return err == KEER_EMISSING && id_parse(which, &id) == KEER_OK ? ledger_account(db, &id, ret_account) : err;
}

enum keer_err ledger_view_agreement(struct db *db, struct slice agreement, struct ledger_account *ret_account)
{
    struct db_stmt *s;
    char wallet[WALLET_NAME_BYTES + 1], name[LEDGER_NAME_BYTES + 1];
    enum keer_err err = QUERY_ONE(db, &s, "SELECT wallet, currency FROM agreement WHERE id = $1", Q_TEXT(agreement));
    if (err != KEER_OK)
        return err;
    struct books_of of = {.wallet = wallet, .currency = currency_parse(db_bytes(s, 1))};
    err = of.currency == CUR_MAX ? KEER_EFORMAT : query_text(s, 0, wallet, sizeof wallet);
    db_free(s);
    if (err != KEER_OK)
        return err;
    books_name(BOOKS_CLEARING, &of, name);
    return ledger_account_named(db, slice_str(name), ret_account);
}

static void put_money(struct buf *b, const char *name, int64_t minor, enum currency c)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(b, ",\"%s\":\"%s\"", name, currency_print(minor, c, text));
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    buf_fmt(b, ",\"%s\":\"", name);
    time_print(b, us);
    buf_char(b, '"');
}

void ledger_put_account(struct buf *b, const struct ledger_account *a)
{
    buf_fmt(b, "{\"id\":\"%s\",\"name\":\"%s\",\"currency\":\"%s\"", a->id.text, a->name, currency_code(a->currency));
    put_money(b, "debits", a->sums.debits_posted, a->currency);
    put_money(b, "credits", a->sums.credits_posted, a->currency);
    put_money(b, "balance", a->sums.debits_posted - a->sums.credits_posted, a->currency);
    put_money(b, "pending_debits", a->sums.debits_pending, a->currency);
    put_money(b, "pending_credits", a->sums.credits_pending, a->currency);
    buf_fmt(b, ",\"limited\":%s",
            a->flags & LEDGER_DEBITS_LIMITED    ? "\"debits\""
            : a->flags & LEDGER_CREDITS_LIMITED ? "\"credits\""
                                                : "null");
    put_time(b, "created", a->created_us);
    if (a->closed_us)
        put_time(b, "closed", a->closed_us);
    buf_char(b, '}');
}

/* What every entry says, from its number to its reason. */
static void put_common(struct buf *b, const struct ledger_transfer *t)
{
    buf_fmt(b, "{\"number\":%lld,\"id\":\"%s\",\"kind\":\"%s\"", (long long)t->number, t->id.text,
            ledger_kind_name(t->kind));
    put_time(b, "at", t->at_us);
}

static void put_words(struct buf *b, const struct ledger_transfer *t)
{
    if (id_is(&t->pending))
        buf_fmt(b, ",\"pending\":\"%s\"", t->pending.text);
    if (t->expires_us)
        put_time(b, "expires", t->expires_us);
    buf_puts(b, ",\"reference\":");
    buf_json(b, slice_str(t->ref));
    buf_puts(b, ",\"reason\":");
    buf_json(b, slice_str(t->reason));
}

enum keer_err ledger_put_entry(struct buf *b, struct ledger_names *names, const struct ledger_transfer *t)
{
    const struct ledger_account *a;
    char hash[CRYPTO_TEXT_BYTES];
    const char *const sides[] = {"debit", "credit"};
    put_common(b, t);
    for (int i = 0; i < 2; i++) {
        enum keer_err err = ledger_names_find(names, i ? &t->credit : &t->debit, &a);
        if (err != KEER_OK)
            return err;
        buf_fmt(b, ",\"%s\":\"%s\"", sides[i], a->name);
    }
    put_money(b, "amount", t->amount_minor, t->currency);
    buf_fmt(b, ",\"currency\":\"%s\"", currency_code(t->currency));
    put_words(b, t);
    crypto_text(&t->hash, hash);
    buf_fmt(b, ",\"hash\":\"%s\"}", hash);
    return b->err;
}

void ledger_put_report(struct buf *b, const struct ledger_report *r)
{
    char head[CRYPTO_TEXT_BYTES];
    crypto_text(&r->head, head);
    buf_fmt(b, "{\"entries\":%lld,\"accounts\":%lld,\"pending\":%lld,\"head\":\"%s\",\"faults\":%u", (long long)r->entries,
            (long long)r->accounts, (long long)r->pending, head, r->faults);
    if (r->faults) {
        buf_fmt(b, ",\"first\":{\"number\":%lld,\"fault\":", (long long)r->fault_number);
        buf_json(b, slice_str(r->fault));
        buf_char(b, '}');
    }
    buf_char(b, '}');
}

/* --- statements --- */

struct telling {
    const struct ledger_statement_query *q;
    ledger_put_fn *put;
    void *ctx;
    struct buf b;
    enum currency currency;
    unsigned lines, pending;
};

static enum keer_err flush(struct telling *t)
{
    enum keer_err err = t->b.err != KEER_OK ? t->b.err : t->put(t->ctx, buf_view(&t->b));
    buf_clear(&t->b);
    return err;
}

static void put_sums(struct telling *t, const char *name, int64_t debits, int64_t credits)
{
    char text[3][CURRENCY_TEXT_BYTES];
    buf_fmt(&t->b, ",\"%s\":{\"debits\":\"%s\",\"credits\":\"%s\",\"balance\":\"%s\"}", name,
            currency_print(debits, t->currency, text[0]), currency_print(credits, t->currency, text[1]),
            currency_print(debits - credits, t->currency, text[2]));
}

static enum keer_err on_opened(void *ctx, const struct ledger_statement *s)
{
    struct telling *t = ctx;
    t->currency = s->account.currency;
    buf_fmt(&t->b, "{\"account\":\"%s\",\"currency\":\"%s\",\"reference\":", s->account.name, currency_code(t->currency));
    if (t->q->ref.len)
        buf_json(&t->b, t->q->ref);
    else
        buf_puts(&t->b, "null");
    put_sums(t, "opening", s->opening_debits, s->opening_credits);
    buf_puts(&t->b, ",\"entries\":[");
    return KEER_OK;
}

static void put_line(struct telling *t, const struct ledger_line *line)
{
    put_common(&t->b, line->entry);
    buf_fmt(&t->b, ",\"other\":\"%s\"", line->other);
    put_money(&t->b, line->debit_minor > 0 ? "debit" : "credit", line->entry->amount_minor, t->currency);
}

static enum keer_err on_line(void *ctx, const struct ledger_line *line)
{
    struct telling *t = ctx;
    buf_puts(&t->b, t->lines++ ? "," : "");
    put_line(t, line);
    put_money(&t->b, "balance", line->balance_minor, t->currency);
    put_words(&t->b, line->entry);
    buf_char(&t->b, '}');
    return t->b.len > PIECE_BYTES / 2 ? flush(t) : t->b.err;
}

static enum keer_err on_pending(void *ctx, const struct ledger_line *line)
{
    struct telling *t = ctx;
    buf_puts(&t->b, t->pending++ ? "," : "],\"pending\":[");
    put_line(t, line);
    put_words(&t->b, line->entry);
    buf_char(&t->b, '}');
    return t->b.len > PIECE_BYTES / 2 ? flush(t) : t->b.err;
}

enum keer_err ledger_put_statement(struct db *db, const struct ledger_statement_query *q, ledger_put_fn *put, void *ctx,
                                   struct ledger_statement *ret_statement)
{
    struct telling t = {.q = q, .put = put, .ctx = ctx};
    const struct ledger_teller to = {.opened = on_opened, .line = on_line, .pending = on_pending, .ctx = &t};
    buf_init(&t.b, PIECE_BYTES);
    enum keer_err err = ledger_statement(db, q, &to, ret_statement);
    if (err == KEER_OK) {
        buf_puts(&t.b, t.pending ? "]" : "],\"pending\":[]");
        put_sums(&t, "closing", ret_statement->closing_debits, ret_statement->closing_credits);
        put_money(&t.b, "pending_debits", ret_statement->pending_debits, t.currency);
        put_money(&t.b, "pending_credits", ret_statement->pending_credits, t.currency);
        err = flush(&t);
    }
    buf_release(&t.b);
    return err;
}

/* --- cursors --- */

enum keer_err ledger_view_cursor(struct db *db, const struct search_query *q, int64_t number,
                                 char ret_text[CURSOR_TEXT_BYTES])
{
    struct crypto_hash secret;
    enum keer_err err = secret_get(db, SECRET_CURSOR, &secret);
    if (err == KEER_OK)
        cursor_print(&secret, q, number, ret_text);
    return err;
}

enum keer_err ledger_view_cursor_read(struct db *db, const struct search_query *q, struct slice text, int64_t *ret_number)
{
    struct crypto_hash secret;
    enum keer_err err = secret_get(db, SECRET_CURSOR, &secret);
    return err == KEER_OK ? cursor_parse(&secret, q, text, ret_number) : err;
}
