/* cmd_simulate.c - `keer simulate`: a history of cards to work on, and October 2018 played on a daemon. */
#include "cli/cli.h"
#include "cli/simulate.h"
#include "sim/cards.h"

#define LABEL_DELAY (7 * US_DAY)

static int write_rows(struct cli *cli, struct cards *cards, struct io_out *out, bool csv, const struct cards_options *o)
{
    struct buf b;
    struct cards_row row;
    bool more = true;
    uint64_t rows = 0, frauds = 0;
    buf_init(&b, (size_t)1 << 20);
    progress_start(&cli->progress, "simulate", "events");
    if (csv)
        cards_write_csv_header(&b);
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && out->err == KEER_OK && b.err == KEER_OK) {
        err = cards_next(cards, &row, &more);
        if (err != KEER_OK || !more)
            break;
        rows++;
        frauds += row.scenario != 0;
        if (csv)
            cards_write_csv(&b, &row);
        else
            cards_write_ndjson(&b, &row, LABEL_DELAY);
        if (b.len > 65536) {
            io_out_put(out, buf_view(&b));
            buf_clear(&b);
            progress_at(&cli->progress, rows, row.day, o->days);
        }
    }
    io_out_put(out, buf_view(&b));
    err = err != KEER_OK ? err : b.err;
    buf_release(&b);
    progress_hide(&cli->progress);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    if (out->err == KEER_OK)
        cli_note(cli, NULL, "%llu payments of %u customers in %u days, %llu fraudulent (%.2f %%)", (unsigned long long)rows,
                 o->customers, o->days, (unsigned long long)frauds, rows ? 100.0 * (double)frauds / (double)rows : 0.0);
    return CLI_DONE;
}

static int simulate_cards(struct cli *cli)
{
    struct cards_options o = cards_defaults();
    struct cards *cards = NULL;
    struct io_why why;
    struct io_out own = {0}, *out = &cli->out;
    o.seed = cli_count(cli, "seed", o.seed);
    o.customers = (unsigned)cli_count(cli, "customers", o.customers);
    o.terminals = (unsigned)cli_count(cli, "terminals", o.terminals);
    o.days = (unsigned)cli_count(cli, "days", o.days);
    o.start_us = cli_time(cli, "start", o.start_us);
    enum keer_err err = cards_new(&o, &cards);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "the population: %s", keer_err_text(err));
    const char *path = cli_text(cli, "out");
    if (path && strcmp(path, "-") != 0) {
        err = io_out_open(&own, path, &why);
        out = &own;
    }
    int code = err == KEER_OK ? write_rows(cli, cards, out, cli_choice(cli, "out-format") == 0, &o)
                              : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    if (code == CLI_DONE && out == &own) {
        err = io_out_commit(&own, &why);
        if (err != KEER_OK)
            code = cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    }
    io_out_abandon(&own);
    cards_free(cards);
    return code;
}

int cmd_simulate(struct cli *cli)
{
    const char *what = cli->args[0];
    if (strcmp(what, "cards") == 0)
        return simulate_cards(cli);
    if (strcmp(what, "october") == 0)
        return simulate_october(cli);
    if (strcmp(what, "attackers") == 0)
        return simulate_attackers(cli);
    return cli_usage(cli, "'%s' is not a simulation; there are: cards, october, attackers", what);
}
