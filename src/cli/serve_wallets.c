/* serve_wallets.c - --wallets FILE: which wallets the daemon charges, and how it reaches them. */
#include "cli/serve.h"

static int read_wallets(struct cli *cli, struct wallets **ret)
{
    char why[WALLET_WHY_BYTES * 2];
    enum keer_err err = wallets_open(cli_text(cli, "wallets"), ret, why);
    return err == KEER_OK ? CLI_DONE
                          : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "--wallets: %s: %s",
                                     cli_text(cli, "wallets"), why);
}

int serve_wallets_check(struct cli *cli)
{
    struct wallets *list = NULL;
    if (!cli_given(cli, "wallets"))
        return CLI_DONE;
    int code = read_wallets(cli, &list);
    wallets_free(list);
    return code;
}

/* What wallets gave out before this start, so that it needs no network; what is not there is asked for. The exit code. */
static int take_kept(struct serving *s)
{
    struct cli *cli = s->cli;
    struct flow_wallets *fw = &s->wallets;
    struct db_why why;
    struct db *db = NULL;
    enum keer_err err = db_open(cli_text(cli, "database"), DB_READ, &db, &why);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    for (unsigned i = 0; err == KEER_OK && i < wallets_count(fw->list); i++) {
        s->wallet_keys[i] = (struct wallet_keys){.wallet = wallets_at(fw->list, i), .calls = &fw->calls};
        err = wallet_keys_start(&s->wallet_keys[i], db, cli->env.wall_us(), &s->log);
        if (wallet_driver(s->wallet_keys[i].wallet)->keys_due)
            desk_every(s->api.desk, WALLET_KEYS_TICK_US, wallet_keys_tick, &s->wallet_keys[i]);
    }
    db_close(db);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "--wallets: %s", keer_err_text(err));
}

int serve_wallets_open(struct serving *s)
{
    struct cli *cli = s->cli;
    struct flow_wallets *fw = &s->wallets;
    if (!cli_given(cli, "wallets"))
        return CLI_DONE;
    int code = read_wallets(cli, &fw->list);
    if (code != CLI_DONE)
        return code;
    enum keer_err err = net_start();
    if (err == KEER_OK)
        err = flow_wallets_open(fw, cli->env.wall_us);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "--wallets: %s", keer_err_text(err));
    fw->url = s->url;
    s->api.wallets = fw;
    s->agreements = (struct agreements){.steps = &s->steps, .wallets = fw};
    s->api.agreements = &s->agreements;
    desk_every(s->api.desk, AGREEMENTS_TICK_US, agreements_tick, &s->agreements);
    for (unsigned i = 0; i < wallets_count(fw->list); i++) {
        struct wallet *w = wallets_at(fw->list, i);
        log_put(&s->log, LOG_INFO, "wallet %s (%s) at %s", wallet_name(w), wallet_driver(w)->kind, wallet_url(w));
    }
    return take_kept(s);
}
