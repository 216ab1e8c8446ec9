/* ledger_export.c - the ledger as a text that hledger and ledger read, and balance again.
 *
 *     commodity CNY                       account wallet:alipay
 *         format 1000.00 CNY
 *
 *     2018-09-24 (7) agreement a1  ; id:..., kind:post, for:..., ref:..., at:2018-09-24T14:09:00Z
 *         player:liu             648.00 CNY
 *         wallet:alipay         -648.00 CNY
 */
#include "base/timefmt.h"
#include "ledger/ledger_inside.h"

#define PAGE 1000u
#define PIECE_BYTES ((size_t)4096)

struct export
{
    struct ledger_names names;
    ledger_put_fn *put;
    void *ctx;
    struct buf b;
    bool declared[CUR_MAX];
};

static enum keer_err flush(struct export *x)
{
    enum keer_err err = x->b.err != KEER_OK ? x->b.err : x->put(x->ctx, buf_view(&x->b));
    buf_clear(&x->b);
    return err;
}

static enum keer_err declare(void *ctx, const struct ledger_account *account)
{
    struct export *x = ctx;
    if (!x->declared[account->currency]) {
        x->declared[account->currency] = true;
        buf_fmt(&x->b, "commodity %s\n    format 1000%s%.*s %s\n", currency_code(account->currency),
                currency_exponent(account->currency) ? "." : "", (int)currency_exponent(account->currency), "000",
                currency_code(account->currency));
    }
    buf_fmt(&x->b, "account %s\n", account->name);
    return flush(x);
}

/* A text in a description or a comment: what would end it or start something else is a blank. */
static void put_words(struct buf *b, const char *s)
{
    for (; *s; s++)
        buf_char(b, *s == ';' || *s == '|' || *s == '\n' || *s == ':' || *s == ',' ? ' ' : *s);
}

static enum keer_err put_entry(void *ctx, const struct ledger_transfer *t)
{
    struct export *x = ctx;
    const struct ledger_account *account;
    char name[2][LEDGER_NAME_BYTES + 1];
    enum keer_err err = KEER_OK;
    for (int i = 0; err == KEER_OK && i < 2; i++) {
        err = ledger_names_find(&x->names, i ? &t->credit : &t->debit, &account);
        if (err == KEER_OK)
            memcpy(name[i], account->name, sizeof name[i]);
    }
    if (err != KEER_OK)
        return err;
    bool moves = t->kind == LEDGER_TRANSFER || t->kind == LEDGER_POST;
    buf_puts(&x->b, moves ? "\n" : "\n; ");
    time_print_date(&x->b, t->at_us);
    buf_fmt(&x->b, " (%lld) ", (long long)t->number);
    put_words(&x->b, t->reason[0] ? t->reason : ledger_kind_name(t->kind));
    buf_fmt(&x->b, "  ; id:%s, kind:%s", t->id.text, ledger_kind_name(t->kind));
    if (id_is(&t->pending))
        buf_fmt(&x->b, ", for:%s", t->pending.text);
    if (t->ref[0]) {
        buf_puts(&x->b, ", ref:");
        put_words(&x->b, t->ref);
    }
    buf_puts(&x->b, ", at:");
    time_print(&x->b, t->at_us);
    char amount[CURRENCY_TEXT_BYTES];
    for (int i = 0; i < 2; i++) {
        buf_fmt(&x->b, "\n%s    %-60s  ", moves ? "" : ";", name[i]);
        buf_fmt(&x->b, "%16s %s", currency_print(i ? -t->amount_minor : t->amount_minor, t->currency, amount),
                currency_code(t->currency));
    }
    buf_char(&x->b, '\n');
    return flush(x);
}

enum keer_err ledger_export(struct db *db, ledger_put_fn *put, void *ctx)
{
    struct export *x = calloc(1, sizeof *x);
    int64_t last = 0;
    if (!x)
        return KEER_ENOMEM;
    x->names.db = db;
    x->put = put;
    x->ctx = ctx;
    buf_init(&x->b, PIECE_BYTES);
    buf_puts(&x->b, "; made by keer: what is pending stands as comments\n");
    enum keer_err err = flush(x);
    if (err == KEER_OK)
        err = ledger_accounts(db, declare, x);
    for (bool more = true; err == KEER_OK && more;) {
        struct ledger_query q = {.after = last, .max = PAGE};
        err = ledger_each(db, &q, put_entry, x, &last);
        more = err == KEER_OK && last > q.after;
    }
    buf_release(&x->b);
    free(x);
    return err;
}
