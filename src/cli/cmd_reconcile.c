/* cmd_reconcile.c - `keer reconcile`: a wallet's statement against the books. */
#include "base/timefmt.h"
#include "cli/cli.h"
#include "flow/reconcile.h"

#define PIECE_BYTES ((size_t)1 << 16)
#define PASSES_MAX 3 /* a fix may show what was behind it: a double charge behind one that was open */

struct reconciling {
    struct cli *cli;
    struct db *db;
    struct reconcile *r;
    const struct reconciliation *found;
    struct buf b;
    uint64_t applied;
};

static enum keer_err flush(struct reconciling *g)
{
    enum keer_err err = g->b.err;
    io_out_put(&g->cli->out, buf_view(&g->b));
    buf_clear(&g->b);
    return err != KEER_OK ? err : g->cli->out.err;
}

static int fail_db(struct reconciling *g, enum keer_err err)
{
    return cli_fail(g->cli, cli_exit_of(err), err, "%s", err == KEER_EIO ? db_why(g->db) : keer_err_text(err));
}

/* --- reading --- */

static int read_one(struct reconciling *g, const char *path)
{
    struct io_in in;
    struct io_why why;
    struct bill bill;
    struct slice chunk;
    enum keer_err err = io_open(&in, path, &why);
    if (err != KEER_OK)
        return cli_fail(g->cli, cli_exit_of(err), err, "%s", why.text);
    bill_init(&bill, (enum bill_format)cli_choice(g->cli, "format"), reconcile_line, g->r);
    why.text[0] = '\0';
    do {
        err = io_read(&in, &chunk, &why);
        if (err == KEER_OK)
            err = chunk.len ? bill_feed(&bill, chunk) : bill_end(&bill);
    } while (err == KEER_OK && chunk.len);
    int code = CLI_DONE;
    const struct cli_place place = {.file = in.path, .line = bill.why.line};
    if (err != KEER_OK && bill.why.line)
        code = cli_fail_at(g->cli, CLI_BAD_INPUT, err, &place, "%s", bill.why.text);
    else if (err != KEER_OK)
        code = cli_fail(g->cli, cli_exit_of(err), err, "%s", why.text[0] ? why.text : keer_err_text(err));
    bill_release(&bill);
    io_close(&in);
    return code;
}

static int compare(struct reconciling *g)
{
    int64_t grace = RECONCILE_GRACE_US;
    struct reconcile_options o = {.wallet = cli_text(g->cli, "wallet"),
                                  .from_us = cli_time(g->cli, "from", INT64_MIN),
                                  .to_us = cli_time(g->cli, "until", INT64_MAX),
                                  .grace_us = cli_duration(g->cli, "grace", grace)};
    int code = CLI_DONE;
    reconcile_free(g->r);
    enum keer_err err = reconcile_new(&o, &g->r);
    if (err != KEER_OK)
        return fail_db(g, err);
    for (unsigned i = 0; code == CLI_DONE && i < g->cli->arg_count; i++)
        code = read_one(g, g->cli->args[i]);
    if (code != CLI_DONE)
        return code;
    err = db_begin(g->db); /* one snapshot */
    if (err == KEER_OK) {
        err = reconcile_compare(g->r, g->db, &g->found);
        db_rollback(g->db);
    }
    return err == KEER_OK ? CLI_DONE : fail_db(g, err);
}

/* Of money or state, as opposed to remarks. */
static uint64_t counted(const struct reconciliation *f)
{
    uint64_t n = 0;
    for (int k = 0; k < DIFFERENCE_MAX; k++)
        n += difference_counts((enum difference_kind)k) ? f->by_kind[k] : 0;
    return n;
}

/* --- telling --- */

static void put_side(struct buf *b, const char *name, const char *state, int64_t minor, enum currency c)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(b, "%s %s", name, state[0] ? state : "nothing");
    if (c != CUR_MAX && (minor || !state[0]))
        buf_fmt(b, " %s %s", currency_print(minor, c, text), currency_code(c));
}

static void put_difference(struct reconciling *g, const struct difference *d)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(&g->b, "    %s", d->number);
    if (d->charge[0])
        buf_fmt(&g->b, " of %s", d->charge);
    put_side(&g->b, "  there", d->there, d->there_minor, d->there_currency);
    put_side(&g->b, ", here", d->here, d->here_minor, d->here_currency);
    if (d->line)
        buf_fmt(&g->b, "  (line %llu)", (unsigned long long)d->line);
    buf_char(&g->b, '\n');
    for (unsigned i = 0; i < d->transfers; i++)
        buf_fmt(&g->b, "        %s %s  %s / %s\n",
                currency_print(d->transfer[i].amount_minor, d->transfer[i].currency, text),
                currency_code(d->transfer[i].currency), d->transfer[i].debit, d->transfer[i].credit);
}

static enum keer_err show(struct reconciling *g)
{
    const struct reconciliation *f = g->found;
    uint64_t show = cli_count(g->cli, "show", 0), shown = 0;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < f->count; i++) {
        const struct difference *d = &f->difference[i];
        bool first = i == 0 || f->difference[i - 1].kind != d->kind;
        shown = first ? 0 : shown;
        if (first)
            buf_fmt(&g->b, "%s: %u\n    %s. Fix: %s.\n", difference_name(d->kind), f->by_kind[d->kind],
                    difference_what(d->kind), difference_fix(d->kind));
        if (shown++ < show)
            put_difference(g, d);
        bool last = i + 1 == f->count || f->difference[i + 1].kind != d->kind;
        if (last && f->by_kind[d->kind] > show)
            buf_fmt(&g->b, "    ... and %llu more\n", (unsigned long long)(f->by_kind[d->kind] - show));
        err = flush(g);
    }
    return err;
}

static enum keer_err show_json(struct reconciling *g)
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < g->found->count; i++) {
        difference_put(&g->b, &g->found->difference[i]);
        buf_char(&g->b, '\n');
        err = flush(g);
    }
    return err;
}

static enum keer_err summary(struct reconciling *g, uint64_t before)
{
    const struct reconciliation *f = g->found;
    char there[CURRENCY_TEXT_BYTES], here[CURRENCY_TEXT_BYTES];
    bool apply = cli_flag(g->cli, "apply");
    if (g->cli->json) {
        buf_fmt(&g->b,
                "{\"summary\":{\"lines\":%llu,\"other_wallets\":%llu,\"charges\":%llu,\"refunds\":%llu,\"agreements\":%llu,"
                "\"open\":%llu,\"differences\":%llu,\"applied\":%llu,\"left\":%llu,\"kinds\":{",
                (unsigned long long)f->lines, (unsigned long long)f->others, (unsigned long long)f->charges,
                (unsigned long long)f->refunds, (unsigned long long)f->agreements, (unsigned long long)f->open,
                (unsigned long long)before, (unsigned long long)g->applied, (unsigned long long)counted(f));
        for (int k = 0, n = 0; k < DIFFERENCE_MAX; k++)
            if (f->by_kind[k])
                buf_fmt(&g->b, "%s\"%s\":%u", n++ ? "," : "", difference_name((enum difference_kind)k), f->by_kind[k]);
        buf_puts(&g->b, "},\"money\":[");
        for (unsigned i = 0; i < f->currencies; i++)
            buf_fmt(&g->b, "%s{\"currency\":\"%s\",\"there\":\"%s\",\"here\":\"%s\"}", i ? "," : "",
                    currency_code(f->money[i].currency),
                    currency_print(f->money[i].there_minor, f->money[i].currency, there),
                    currency_print(f->money[i].here_minor, f->money[i].currency, here));
        buf_puts(&g->b, "]}}\n");
        return flush(g);
    }
    buf_fmt(&g->b, "%llu lines of the statement, %llu charges, %llu refunds, %llu agreements; %llu still open\n",
            (unsigned long long)f->lines, (unsigned long long)f->charges, (unsigned long long)f->refunds,
            (unsigned long long)f->agreements, (unsigned long long)f->open);
    for (unsigned i = 0; i < f->currencies; i++)
        buf_fmt(&g->b, "%s: the statement comes to %s, the wallet's account in the ledger to %s\n",
                currency_code(f->money[i].currency), currency_print(f->money[i].there_minor, f->money[i].currency, there),
                currency_print(f->money[i].here_minor, f->money[i].currency, here));
    if (apply)
        buf_fmt(&g->b, "%llu differences, %llu fixes applied, %llu left\n", (unsigned long long)before,
                (unsigned long long)g->applied, (unsigned long long)counted(f));
    else
        buf_fmt(&g->b, "%llu differences%s\n", (unsigned long long)before, before ? "; --apply puts right what can be" : "");
    return flush(g);
}

/* --- putting right --- */

static int apply_one(struct reconciling *g, const struct difference *d)
{
    bool done = false;
    enum keer_err err = db_begin(g->db);
    if (err == KEER_OK)
        err = reconcile_fix(g->db, cli_text(g->cli, "wallet"), d, g->cli->env.wall_us(), &done);
    if (err == KEER_OK && done && db_commit(g->db) != DB_COMMITTED)
        return cli_fail(g->cli, CLI_IO, KEER_EIO, "the fix of %s may have been written or not: run it again; %s", d->number,
                        db_why(g->db));
    if (err != KEER_OK || !done)
        db_rollback(g->db);
    if (err == KEER_EIO || err == KEER_ENOMEM)
        return fail_db(g, err);
    if (err != KEER_OK || (!done && d->fix != RECONCILE_NOTHING))
        cli_note(g->cli, NULL, "%s %s was not put right: %s", difference_name(d->kind), d->number,
                 err == KEER_OK ? "its state does not allow it" : keer_err_text(err));
    g->applied += err == KEER_OK && done;
    return CLI_DONE;
}

static int apply_all(struct reconciling *g)
{
    int code = CLI_DONE;
    for (int pass = 0; code == CLI_DONE && pass < PASSES_MAX && counted(g->found); pass++) {
        uint64_t before = g->applied;
        for (unsigned i = 0; code == CLI_DONE && i < g->found->count; i++)
            code = apply_one(g, &g->found->difference[i]);
        if (code == CLI_DONE && g->applied > before)
            code = compare(g);
        if (g->applied == before)
            break;
    }
    return code;
}

static int run(struct reconciling *g)
{
    int code = compare(g);
    if (code != CLI_DONE)
        return code;
    uint64_t before = counted(g->found);
    enum keer_err err = g->cli->json ? show_json(g) : show(g);
    if (err == KEER_OK && cli_flag(g->cli, "apply"))
        code = apply_all(g);
    if (code != CLI_DONE)
        return code;
    if (err == KEER_OK)
        err = summary(g, before);
    if (err != KEER_OK && g->cli->out.err == KEER_OK) /* a broken output is told at the end */
        return fail_db(g, err);
    return counted(g->found) ? CLI_FINDINGS : CLI_DONE;
}

int cmd_reconcile(struct cli *cli)
{
    struct reconciling g = {.cli = cli};
    struct db_why why;
    bool apply = cli_flag(cli, "apply");
    const char *wallet = cli_text(cli, "wallet");
    if (strlen(wallet) > WALLET_NAME_BYTES)
        return cli_usage(cli, "--wallet: names have at most %d bytes", WALLET_NAME_BYTES);
    if (apply && cli->arg_count && strcmp(cli->args[0], "-") == 0)
        return cli_usage(cli, "--apply reads the statement again after the fixes: give it as a file");
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    enum keer_err err = db_open(cli_text(cli, "database"), apply ? DB_WRITE : DB_READ, &g.db, &why);
    if (err == KEER_ECONFLICT && apply)
        return cli_fail(cli, CLI_IO, err,
                        "%s: a daemon holds the writer's lock. Stop it, run this again, and start it; without --apply the "
                        "comparison runs beside it",
                        why.text);
    if (err == KEER_OK)
        err = db_migrate(g.db, cli->env.wall_us(), &why);
    buf_init(&g.b, PIECE_BYTES);
    int code = err == KEER_OK ? run(&g) : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
    buf_release(&g.b);
    reconcile_free(g.r);
    db_close(g.db);
    return code;
}
