/* ledger.c - /v1/ledger: accounts, entries, statements, export, verify. Each is read from one snapshot, on a worker. */
#include "api/api.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "flow/ledger_view.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 500u
#define EXPORT_BYTES ((size_t)64 << 20)

/* What is asked for, and what the snapshot gave. */
struct asked {
    struct http_exchange *x;
    struct slice account, agreement, begins, after, cursor;
    int64_t from_us, to_us;
    unsigned limit, told;
    struct ledger_account subject;
    struct ledger_names *names;
    struct buf *out;
    char last[LEDGER_NAME_BYTES + 1]; /* that was shown */
    int64_t last_number;
};

static bool read_limit(struct http_exchange *x, const struct http_param *p, unsigned *ret)
{
    uint64_t limit = LIMIT_DEFAULT;
    if (p->value.p && num_u64(p->value, 1, LIMIT_MAX, &limit) != KEER_OK) {
        http_problem(x, HTTP_BAD_QUERY, "%s: not a whole number from 1 to %u", p->name, LIMIT_MAX);
        return false;
    }
    *ret = (unsigned)limit;
    return true;
}

static bool read_time(struct http_exchange *x, const struct http_param *p, int64_t *ret_us)
{
    if (!p->value.p || time_parse(p->value, ret_us) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_QUERY, "%s: not a time, as 2018-10-01T12:00:00Z", p->name);
    return false;
}

static void answer(struct http_exchange *x, enum keer_err err)
{
    switch ((int)err) {
    case KEER_OK:
        buf_char(&x->reply, '\n');
        http_reply(x, 200, HTTP_JSON);
        return;
    case KEER_EMISSING:
        http_problem(x, HTTP_NOT_FOUND, "no such account or agreement, or nothing was charged on it yet");
        return;
    case KEER_EINVALID: http_problem(x, HTTP_BAD_CURSOR, "%s", ""); return;
    case KEER_ENOMEM: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    default: http_problem(x, HTTP_INTERNAL, "the ledger can't be read"); return;
    }
}

/* --- cursors: a number, signed together with what it belongs to --- */

static struct search_query cursor_of(const struct asked *a, const char *what)
{
    return (struct search_query){
        .account = a->account, .rule = a->agreement, .type = slice_str(what), .from_us = a->from_us, .to_us = a->to_us};
}

static enum keer_err read_cursor(struct db *db, const struct asked *a, const char *what, int64_t *ret_after)
{
    struct search_query q = cursor_of(a, what);
    *ret_after = 0;
    return a->cursor.p ? ledger_view_cursor_read(db, &q, a->cursor, ret_after) : KEER_OK;
}

static enum keer_err put_next(struct db *db, const struct asked *a, const char *what, bool more, int64_t last)
{
    char text[CURSOR_TEXT_BYTES];
    struct search_query q = cursor_of(a, what);
    enum keer_err err = more ? ledger_view_cursor(db, &q, last, text) : KEER_OK;
    if (err == KEER_OK && more)
        buf_fmt(a->out, ",\"next\":\"%s\"}", text);
    else
        buf_puts(a->out, ",\"next\":null}");
    return err;
}

/* The account or the agreement that is asked for; KEER_EMISSING. */
static enum keer_err find_subject(struct db *db, struct asked *a)
{
    return a->account.p ? ledger_view_account(db, a->account, &a->subject)
                        : ledger_view_agreement(db, a->agreement, &a->subject);
}

/* --- accounts --- */

static enum keer_err put_account(void *ctx, const struct ledger_account *account)
{
    struct asked *a = ctx;
    if (a->told < a->limit) {
        buf_puts(a->out, a->told ? "," : "");
        ledger_put_account(a->out, account);
        memcpy(a->last, account->name, sizeof a->last);
    }
    a->told++;
    return a->out->err;
}

static enum keer_err read_accounts(struct db *db, void *ctx)
{
    struct asked *a = ctx;
    buf_puts(a->out, "{\"accounts\":[");
    enum keer_err err = ledger_accounts_page(db, a->begins, a->after, a->limit + 1, put_account, a);
    buf_puts(a->out, "],\"next\":");
    if (a->told > a->limit)
        buf_json(a->out, slice_str(a->last));
    else
        buf_puts(a->out, "null");
    buf_char(a->out, '}');
    return err == KEER_OK ? a->out->err : err;
}

void ledger_accounts_get(struct http_exchange *x)
{
    struct http_param p[] = {{.name = "begins"}, {.name = "after"}, {.name = "limit"}};
    struct asked a = {.x = x, .out = &x->reply};
    if (!http_query(x, p, ARRAY_LEN(p)) || !read_limit(x, &p[2], &a.limit))
        return;
    a.begins = p[0].value;
    a.after = p[1].value;
    answer(x, desk_read(x->worker, read_accounts, &a));
}

/* --- entries --- */

static enum keer_err put_entry(void *ctx, const struct ledger_transfer *t)
{
    struct asked *a = ctx;
    if (a->told++ == a->limit)
        return KEER_OK;
    a->last_number = t->number;
    buf_puts(a->out, a->told > 1 ? "," : "");
    return ledger_put_entry(a->out, a->names, t);
}

static enum keer_err read_entries(struct db *db, void *ctx)
{
    struct asked *a = ctx;
    struct ledger_query q = {.max = a->limit + 1};
    int64_t last = 0;
    bool one = a->account.p || a->agreement.p;
    enum keer_err err = one ? find_subject(db, a) : KEER_OK;
    if (err == KEER_OK)
        err = read_cursor(db, a, "ledger entries", &q.after);
    if (err != KEER_OK)
        return err;
    q.account = a->account.p ? &a->subject.id : NULL;
    q.ref = a->agreement;
    a->names->db = db;
    buf_puts(a->out, "{\"entries\":[");
    err = ledger_each(db, &q, put_entry, a, &last);
    buf_char(a->out, ']');
    return err == KEER_OK ? put_next(db, a, "ledger entries", a->told > a->limit, a->last_number) : err;
}

static bool read_subject(struct http_exchange *x, const struct http_param *account, const struct http_param *agreement,
                         bool required, struct asked *a)
{
    a->account = account->value;
    a->agreement = agreement->value;
    if (a->account.p && a->agreement.p)
        http_problem(x, HTTP_BAD_QUERY, "account and agreement exclude each other");
    else if (required && !a->account.p && !a->agreement.p)
        http_problem(x, HTTP_BAD_QUERY, "account or agreement: one of them is needed");
    else
        return true;
    return false;
}

void ledger_entries_get(struct http_exchange *x)
{
    struct http_param p[] = {{.name = "account"}, {.name = "agreement"}, {.name = "limit"}, {.name = "cursor"}};
    struct asked a = {.x = x, .out = &x->reply, .from_us = INT64_MIN, .to_us = INT64_MAX};
    if (!http_query(x, p, ARRAY_LEN(p)) || !read_subject(x, &p[0], &p[1], false, &a) || !read_limit(x, &p[2], &a.limit))
        return;
    a.cursor = p[3].value;
    a.names = calloc(1, sizeof *a.names);
    answer(x, a.names ? desk_read(x->worker, read_entries, &a) : KEER_ENOMEM);
    free(a.names);
}

/* --- a statement --- */

static enum keer_err put_piece(void *ctx, struct slice piece)
{
    struct buf *b = ctx;
    buf_slice(b, piece);
    return b->err;
}

static enum keer_err read_statement(struct db *db, void *ctx)
{
    struct asked *a = ctx;
    struct ledger_statement s;
    struct ledger_statement_query q = {
        .account = &a->subject.id, .ref = a->agreement, .from_us = a->from_us, .to_us = a->to_us, .max = a->limit};
    enum keer_err err = find_subject(db, a);
    if (err == KEER_OK)
        err = read_cursor(db, a, "ledger statement", &q.after);
    if (err == KEER_OK)
        err = ledger_put_statement(db, &q, put_piece, a->out, &s);
    return err == KEER_OK ? put_next(db, a, "ledger statement", s.more, s.last) : err;
}

void ledger_statement_get(struct http_exchange *x)
{
    struct http_param p[] = {{.name = "account"}, {.name = "agreement"}, {.name = "from"},
                             {.name = "to"},      {.name = "limit"},     {.name = "cursor"}};
    struct asked a = {.x = x, .out = &x->reply, .from_us = INT64_MIN, .to_us = INT64_MAX};
    if (!http_query(x, p, ARRAY_LEN(p)) || !read_subject(x, &p[0], &p[1], /* required */ true, &a) ||
        !read_time(x, &p[2], &a.from_us) || !read_time(x, &p[3], &a.to_us) || !read_limit(x, &p[4], &a.limit))
        return;
    a.cursor = p[5].value;
    answer(x, desk_read(x->worker, read_statement, &a));
}

/* --- export, verify --- */

static enum keer_err read_export(struct db *db, void *ctx) { return ledger_export(db, put_piece, ctx); }

void ledger_export_get(struct http_exchange *x)
{
    struct buf *b = calloc(1, sizeof *b);
    if (!b) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    x->data = b;
    buf_init(b, EXPORT_BYTES);
    enum keer_err err = desk_read(x->worker, read_export, b);
    if (err == KEER_OK)
        http_reply_fixed(x, 200, "text/plain; charset=utf-8", buf_view(b));
    else if (err == KEER_ELIMIT)
        http_problem(x, HTTP_EXPORT_LARGE, "%s", "");
    else
        answer(x, err);
}

void ledger_release(struct http_exchange *x)
{
    struct buf *b = x->data;
    if (b)
        buf_release(b);
    free(b);
}

static enum keer_err read_report(struct db *db, void *ctx) { return ledger_verify(db, ctx); }

void ledger_verify_get(struct http_exchange *x)
{
    struct ledger_report r;
    enum keer_err err = desk_read(x->worker, read_report, &r);
    if (err == KEER_OK)
        ledger_put_report(&x->reply, &r);
    answer(x, err);
}
