/* serve_pay.c - charges, refunds and balances: what the daemon was told about them, and the timers that settle. */
#include "cli/serve.h"

/* Nothing that it lets through may reach a wallet with money in it. */
static int check_2018(struct serving *s)
{
    for (unsigned i = 0; i < wallets_count(s->wallets.list); i++) {
        const struct wallet *w = wallets_at(s->wallets.list, i);
        if (!wallet_is_loopback(w))
            return cli_usage(s->cli, "--unsafe-2018: wallet %s is at %s; only emulators on this machine are taken",
                             wallet_name(w), wallet_url(w));
    }
    log_put(&s->log, LOG_WARNING,
            "--unsafe-2018: charges need no second step and know no caps, holds and decisions, as in 2018; for "
            "simulations alone");
    return CLI_DONE;
}

/* Whether it is ours or not: it was taken, and asking again would change nothing. */
static enum keer_err take_agreement(void *ctx, struct desk_worker *w, struct wallet *wallet, const struct wallet_notice *n)
{
    enum agreements_taken taken;
    return agreements_notice(ctx, w, wallet, n, &taken);
}

/* Who settle beside the timers: on a desk of their own, since a wallet that hangs keeps them for seconds. The exit code. */
static int open_helpers(struct serving *s, unsigned wallets)
{
    struct cli *cli = s->cli;
    unsigned each = (unsigned)cli_count(cli, "settle-calls", 0) - 1;
    struct db_why why;
    struct desk_options o = {.decider = s->decider,
                             .database = cli_text(cli, "database"),
                             .threads = MIN_OF(each * wallets, (unsigned)DESK_THREADS_MAX),
                             .queue_max = each * wallets,
                             .only_writes = true,
                             .log = &s->log,
                             .now_us = cli->env.now_us,
                             .wall_us = cli->env.wall_us};
    enum keer_err err = o.threads ? desk_new(&o, &s->helpers, &why) : KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < wallets; i++) {
        s->settle[i] = (struct settle){
            .p = &s->pay, .wallet = wallets_at(s->wallets.list, i), .helpers = s->helpers, .helpers_max = each};
        desk_every(s->api.desk, SETTLE_TICK_US, settle_tick, &s->settle[i]);
    }
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

int serve_pay_open(struct serving *s)
{
    struct cli *cli = s->cli;
    s->orphans.list = s->api.wallets ? s->wallets.list : NULL;
    s->api.orphans = &s->orphans;
    desk_every(s->api.desk, ORPHANS_TICK_US, orphans_tick, &s->orphans);
    if (!s->api.wallets)
        return cli_flag(cli, "unsafe-2018") ? cli_usage(cli, "--unsafe-2018 needs --wallets") : CLI_DONE;
    s->pay = (struct pay){.steps = &s->steps,
                          .wallets = &s->wallets,
                          .terms = {.resend_us = cli_duration(cli, "charge-resend", 0),
                                    .gone_us = cli_duration(cli, "charge-gone", 0),
                                    .hold_us = cli_duration(cli, "top-up-hold", 0)},
                          .tell_all = cli_choice(cli, "charge-notices") == 1,
                          .open_2018 = cli_flag(cli, "unsafe-2018")};
    if (s->pay.terms.gone_us <= s->pay.terms.resend_us)
        return cli_usage(cli, "--charge-gone must be longer than --charge-resend");
    int code = s->pay.open_2018 ? check_2018(s) : CLI_DONE;
    s->notices = (struct wallet_notices){.p = &s->pay, .agreement = take_agreement, .agreement_ctx = &s->agreements};
    s->api.pay = &s->pay;
    s->api.notices = &s->notices;
    if (code == CLI_DONE)
        code = open_helpers(s, wallets_count(s->wallets.list));
    desk_every(s->api.desk, BALANCE_TICK_US, balance_tick, &s->pay);
    desk_every(s->api.desk, GIVE_TICK_US, give_tick, &s->pay);
    return code;
}
