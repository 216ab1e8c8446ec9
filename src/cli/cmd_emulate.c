/* cmd_emulate.c - `keer emulate wallet`: the servers of three wallets, for tests and the demo, until a signal ends them. */
#include <signal.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/timefmt.h"
#include "cli/cli.h"
#include "emulator/emulator.h"

static int run(struct cli *cli, struct emulator *e)
{
    sigset_t set;
    int signal = 0;
    struct emulator_why why;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread is made */
    enum keer_err err = emulator_start(e, &why);
    if (err != KEER_OK)
        return cli_fail(cli, CLI_RESOURCES, err, "%s", why.text);
    struct buf b;
    buf_init(&b, 1024);
    if (cli->json)
        buf_fmt(&b, "{\"url\":\"%s\",\"wallets\":\"%.500s/wallets.json\"}\n", emulator_url(e), cli_text(cli, "folder"));
    else
        buf_fmt(&b, "emulator: listening on %s\n", emulator_url(e));
    io_out_put(&cli->out, buf_view(&b));
    io_out_flush(&cli->out);
    buf_release(&b);
    (void)sigwait(&set, &signal);
    return CLI_DONE;
}

int cmd_emulate(struct cli *cli)
{
    struct emulator *e = NULL;
    struct emulator_why why;
    struct emulator_options o = {.listen = cli_text(cli, "listen"),
                                 .folder = cli_text(cli, "folder"),
                                 .keys = cli_text(cli, "emulator-keys"),
                                 .notify = cli_text(cli, "notify"),
                                 .faults = cli_text(cli, "faults"),
                                 .journal = cli_text(cli, "journal"),
                                 .record = cli_text(cli, "record"),
                                 .seed = cli_count(cli, "seed", 1),
                                 .notice_retry_us = (int64_t)cli_count(cli, "notice-retry-ms", 200) * 1000,
                                 .sync = cli_flag(cli, "sync"),
                                 .wall_us = cli->env.wall_us};
    char keys[600];
    if (o.keys && !strchr(o.keys, '/')) { /* else it would be one of the folder's */
        (void)snprintf(keys, sizeof keys, "./%s", o.keys);
        o.keys = keys;
    }
    if (strcmp(cli->args[0], "wallet") != 0)
        return cli_usage(cli, "keer emulate %s: wallet was expected", cli->args[0]);
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    (void)mkdir(o.folder, 0700); /* what else is wrong with it shows at the first file */
    enum keer_err err = emulator_open(&o, &e, &why);
    if (err == KEER_EINVALID)
        return cli_usage(cli, "%s", why.text);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    int code = run(cli, e);
    emulator_stop(e);
    return code;
}
