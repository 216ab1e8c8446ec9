/* cmd_serve.c - `keer serve`: the daemon's life from its options to its end.
 *
 * The main thread starts everything and then waits for a signal. End: no new connections, requests that are under way are
 * answered, then the decider finishes and closes its database. When the decider has failed it sends SIGTERM itself.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/history.h"

#define GRACE_MS 5000 /* for callers that are slow to send or to read */

struct serving {
    struct cli *cli;
    struct log log;
    struct keer_policy *policy;
    struct decider *decider;
    struct http_server *server;
    struct api api;
    sigset_t signals;
};

static void on_failed(void *ctx)
{
    UNUSED(ctx);
    (void)kill(getpid(), SIGTERM);
}

static int open_decider(struct serving *s)
{
    struct cli *cli = s->cli;
    struct crypto_hash hash;
    struct db_why why;
    const char *path = cli_text(cli, "policy");
    int code = policy_open_hashed(cli, path, KEER_POLICY_WITHOUT_EXAMPLES, false, &s->policy, &hash);
    if (code != CLI_DONE)
        return code;
    struct decider_options o = {.policy = s->policy,
                                .policy_hash = hash,
                                .policy_name = path,
                                .database = cli_text(cli, "database"),
                                .memory_max = cli_count(cli, "memory", 0),
                                .queue_max = (unsigned)cli_count(cli, "queue", 0),
                                .batch_max = (unsigned)cli_count(cli, "batch", 0),
                                .log = &s->log,
                                .now_us = cli->env.now_us,
                                .wall_us = cli->env.wall_us,
                                .failed = on_failed};
    enum keer_err err = decider_new(&o, &s->decider, &why);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
}

static int start(struct serving *s)
{
    struct cli *cli = s->cli;
    struct http_why why;
    struct http_options o = {.listen = cli_text(cli, "listen"),
                             .threads = (unsigned)cli_count(cli, "threads", 0),
                             .connections_max = (unsigned)cli_count(cli, "connections", 0),
                             .per_ip_max = (unsigned)cli_count(cli, "connections-per-ip", 0),
                             .body_max = cli_count(cli, "body-max", 0),
                             .request_us = cli_duration(cli, "request-timeout", 0),
                             .log = &s->log,
                             .now_us = cli->env.now_us};
    s->api.now_us = cli->env.now_us;
    s->api.wall_us = cli->env.wall_us;
    s->api.batches_max = (unsigned)cli_count(cli, "batches", 0);
    enum keer_err err = api_init(&s->api, s->decider, &s->policy->schema, o.threads);
    if (err == KEER_OK)
        err = decider_start(s->decider);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    struct http_site site = api_site(&s->api);
    err = http_start(&o, &site, &s->server, &why);
    if (err == KEER_EINVALID)
        return cli_usage(cli, "--listen: %s", why.text);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    log_put(&s->log, LOG_INFO, "keer " KEER_VERSION " listens on http://%s with policy %s and database %s",
            http_address(s->server), cli_text(cli, "policy"), cli_text(cli, "database"));
    unsigned valid = 0;
    for (unsigned i = 0; i < decider_keys(s->decider)->count; i++)
        valid += decider_keys(s->decider)->row[i].revoked_us == 0;
    if (!valid)
        log_put(&s->log, LOG_WARNING,
                "there is no API key: every request for /v1 will be refused; `keer key new` makes one");
    return CLI_DONE;
}

static void wait_until_zero(atomic_uint *n, int grace_ms)
{
    struct timespec ms = {.tv_nsec = 1000000};
    for (int i = 0; i < grace_ms && atomic_load(n); i++)
        (void)nanosleep(&ms, NULL);
}

static void finish(struct serving *s)
{
    if (s->server) {
        http_drain(s->server);
        wait_until_zero(&http_statistics(s->server)->active, GRACE_MS);
        decider_stop(s->decider);
        while (atomic_load(&decider_statistics(s->decider)->waiting)) /* their commit comes, or fails */
            wait_until_zero(&decider_statistics(s->decider)->waiting, GRACE_MS);
        wait_until_zero(&http_statistics(s->server)->active, GRACE_MS);
        http_stop(s->server);
    }
    decider_free(s->decider);
    api_release(&s->api);
    keer_policy_free(s->policy);
}

/* Signals are blocked before the first thread, which inherits that, and taken here. */
static void take_signals(struct serving *s)
{
    (void)sigemptyset(&s->signals);
    (void)sigaddset(&s->signals, SIGTERM);
    (void)sigaddset(&s->signals, SIGINT);
    (void)sigaddset(&s->signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
}

int cmd_serve(struct cli *cli)
{
    struct serving s = {.cli = cli};
    int number = SIGHUP;
    s.log = (struct log){cli->env.err_fd, cli_choice(cli, "log") == 1, cli->env.wall_us};
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    take_signals(&s);
    int code = open_decider(&s);
    if (code == CLI_DONE && cli_flag(cli, "check-config")) {
        io_out_puts(&cli->out, cli->json ? "{\"ok\":true}\n" : "ok\n");
    } else if (code == CLI_DONE) {
        code = start(&s);
        while (code == CLI_DONE && number == SIGHUP) {
            (void)sigwait(&s.signals, &number);
            if (number == SIGHUP)
                log_put(&s.log, LOG_INFO, "SIGHUP: there is nothing to reload");
        }
        if (code == CLI_DONE) {
            bool failed = decider_state(s.decider) == DECIDER_FAILED;
            log_put(&s.log, LOG_INFO, failed ? "ending after a failure" : "ending: what was accepted is finished");
            code = failed ? CLI_IO : CLI_DONE;
        }
    }
    bool started = s.server != NULL;
    finish(&s);
    if (started)
        log_put(&s.log, LOG_INFO, "ended");
    return code;
}
