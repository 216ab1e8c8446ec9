/* cmd_serve.c - `keer serve`: the daemon's life from its options to its end.
 *
 * The main thread starts everything and then waits for signals; twice a second it looks whether keys have changed. End: no
 * new connections, requests that are under way are answered, then the decider finishes and closes its database. When the
 * decider has failed it sends SIGTERM itself.
 *
 *     settings ─► user ─► policy, database, socket opened ─► sandbox ─► threads ─► READY ─► signals ─► end
 */
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include "cli/sandbox.h"
#include "cli/serve.h"

#define BODY_LARGE_BYTES ((size_t)64 << 20) /* policies with their models and lists */
#define GRACE_MS 5000                       /* for callers that are slow to send or to read */
#define KEYS_EVERY_MS 500                   /* a key that was revoked is refused within a second */
#define STARTING_EVERY_MS 20

static void on_failed(void *ctx)
{
    UNUSED(ctx);
    (void)kill(getpid(), SIGTERM);
}

static int open_policy(struct serving *s)
{
    s->version.name = cli_text(s->cli, "policy");
    int code =
        policy_open_source(s->cli, s->version.name, KEER_POLICY_WITHOUT_EXAMPLES, false, &s->version.policy, &s->source);
    if (code == CLI_DONE)
        source_hash(&s->source, &s->version.hash);
    return code;
}

static int open_decider(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db_why why;
    struct decider_options o = {.version = &s->version,
                                .source = &s->source,
                                .database = cli_text(cli, "database"),
                                .memory_max = cli_count(cli, "memory", 0),
                                .snapshot = s->snapshot,
                                .snapshot_every = cli_count(cli, "snapshot-every", 0),
                                .queue_max = (unsigned)cli_count(cli, "queue", 0),
                                .batch_max = (unsigned)cli_count(cli, "batch", 0),
                                .log = &s->log,
                                .now_us = cli->env.now_us,
                                .wall_us = cli->env.wall_us,
                                .failed = on_failed};
    enum keer_err err = decider_new(&o, &s->decider, &why);
    source_release(&s->source);
    struct records_options look = {.database = o.database, .policy = s->version.policy, .policy_hash = s->version.hash};
    if (err == KEER_OK)
        err = records_open(&look, &s->api.records, &why);
    if (err == KEER_OK)
        err = search_new(s->decider, o.database, &s->log, &s->api.search, &why);
    struct desk_options desk = {.decider = s->decider,
                                .enrich = s->enrich,
                                .database = o.database,
                                .threads = (unsigned)cli_count(cli, "workers", 0),
                                .queue_max = (unsigned)cli_count(cli, "workers-queue", 0),
                                .log = &s->log,
                                .now_us = cli->env.now_us,
                                .wall_us = cli->env.wall_us};
    if (err == KEER_OK)
        err = desk_new(&desk, &s->api.desk, &why);
    if (err == KEER_OK) {
        desk_every(s->api.desk, ACCOUNTS_FORGET_US, accounts_forget, NULL);
        desk_every(s->api.desk, STEPS_TICK_US, steps_tick, &s->steps);
        desk_every(s->api.desk, ACCOUNTS_FORGET_US, passkeys_forget, NULL);
    }
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
}

static int open_server(struct serving *s)
{
    struct cli *cli = s->cli;
    struct http_why why;
    struct http_options o = {.listen = cli_text(cli, "listen"),
                             .threads = (unsigned)cli_count(cli, "threads", 0),
                             .connections_max = (unsigned)cli_count(cli, "connections", 0),
                             .per_ip_max = (unsigned)cli_count(cli, "connections-per-ip", 0),
                             .body_max = cli_count(cli, "body-max", 0),
                             .body_large_max = BODY_LARGE_BYTES,
                             .request_us = cli_duration(cli, "request-timeout", 0),
                             .tls = s->tls,
                             .log = &s->log,
                             .now_us = cli->env.now_us};
    s->api.outbox = s->outbox;
    s->api.now_us = cli->env.now_us;
    s->api.wall_us = cli->env.wall_us;
    s->api.batches_max = (unsigned)cli_count(cli, "batches", 0);
    enum keer_err err = api_init(&s->api, s->decider, o.threads);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    struct http_site site = api_site(&s->api);
    err = http_open(&o, &site, &s->server, &why);
    if (err == KEER_OK)
        serve_accounts_address(s);
    if (err == KEER_EINVALID)
        return cli_usage(cli, "--listen: %s", why.text);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int start(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db_label label;
    struct http_why why;
    enum keer_err err = decider_start(s->decider);
    if (err == KEER_OK)
        err = search_start(s->api.search);
    if (err == KEER_OK && s->helpers)
        err = desk_start(s->helpers);
    if (err == KEER_OK)
        err = desk_start(s->api.desk);
    if (err == KEER_OK && s->outbox)
        err = outbox_start(s->outbox);
    if (err == KEER_OK)
        err = serve_accounts_start(s);
    if (err == KEER_OK)
        err = streams_start(&s->api, (unsigned)cli_count(cli, "streams", 0));
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    err = http_start(s->server, &why);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    log_put(&s->log, LOG_INFO, "keer " KEER_VERSION " listens on http%s://%s with policy %s and database %s",
            s->tls ? "s" : "", http_address(s->server), cli_text(cli, "policy"),
            db_label(cli_text(cli, "database"), &label));
    if (!decider_keys_valid(s->decider))
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

static void finish(struct serving *s, bool started)
{
    if (started) {
        http_drain(s->server);
        streams_stop(&s->api);
        wait_until_zero(&http_statistics(s->server)->active, GRACE_MS);
        search_stop(s->api.search);
        desk_stop(s->api.desk); /* with the requests that it runs */
        desk_stop(s->helpers);
        outbox_stop(s->outbox); /* what it has to write goes through the decider */
        notifier_stop(s->accounts.notifier);
        decider_stop(s->decider);
        while (atomic_load(&decider_statistics(s->decider)->waiting)) /* their commit comes, or fails */
            wait_until_zero(&decider_statistics(s->decider)->waiting, GRACE_MS);
        wait_until_zero(&http_statistics(s->server)->active, GRACE_MS);
    }
    streams_stop(&s->api);
    search_stop(s->api.search);
    http_stop(s->server);
    http_tls_unref(s->tls);
    records_close(s->api.records);
    search_free(s->api.search);
    desk_free(s->api.desk);
    desk_free(s->helpers);
    outbox_stop(s->outbox);
    notifier_stop(s->accounts.notifier);
    decider_free(s->decider);
    outbox_free(s->outbox);
    oidc_free(s->api.signer);
    flow_wallets_close(&s->wallets);
    appstore_release(&s->appstore);
    serve_accounts_close(s);
    api_release(&s->api);
    enrich_free(s->enrich);
    free(s->own_domains);
    source_release(&s->source);
    keer_policy_free(s->version.policy);
    buf_release(&s->snapshot_path);
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

/* Until a signal that ends it. */
static void serve(struct serving *s)
{
    bool ready = false;
    for (int number = 0; number != SIGTERM && number != SIGINT;) {
        struct timespec wait = {.tv_nsec = (ready ? KEYS_EVERY_MS : STARTING_EVERY_MS) * 1000000L};
        number = sigtimedwait(&s->signals, NULL, &wait);
        if (number == SIGHUP)
            serve_reload(s);
        else if (number < 0 && ready)
            serve_reload_keys(s, /* asked */ false);
        if (!ready && decider_state(s->decider) == DECIDER_READY) {
            serve_notify(s, "READY=1");
            ready = true;
        }
    }
}

/* Everything is open, and no thread runs yet. */
static int enter_sandbox(struct serving *s)
{
    struct cli *cli = s->cli;
    struct sandbox box = {.mode = (enum sandbox_mode)cli_choice(cli, "sandbox"),
                          .database = cli_text(cli, "database"),
                          .read_again = {settings_path(cli), cli_text(cli, "tls-cert"), cli_text(cli, "tls-key")},
                          .snapshot = s->snapshot,
                          .outgoing = s->outbox != NULL || s->api.oidc != NULL || s->api.wallets != NULL ||
                                      serve_connects_for_notices(s),
                          .log = &s->log};
    enum keer_err err = sandbox_enter(&box);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, CLI_IO, err, "the sandbox can't be entered; the log says why");
}

static int run(struct serving *s, bool *ret_started)
{
    int code = open_server(s);
    if (code == CLI_DONE)
        code = enter_sandbox(s);
    if (code == CLI_DONE)
        code = start(s);
    if (code != CLI_DONE)
        return code;
    *ret_started = true;
    serve(s);
    serve_notify(s, "STOPPING=1");
    bool failed = decider_state(s->decider) == DECIDER_FAILED;
    log_put(&s->log, LOG_INFO, failed ? "ending after a failure" : "ending: what was accepted is finished");
    return failed ? CLI_IO : CLI_DONE;
}

/* What is freed is needed again at once: the C library keeps some of it rather than give it to the system with every wave of
 * requests and take it back, page by page, with the next. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 8 << 20);
    (void)mallopt(M_TOP_PAD, 1 << 20);
#endif
}

int cmd_serve(struct cli *cli)
{
    struct serving s = {.cli = cli, .notify_fd = -1};
    bool check = cli_flag(cli, "check-config"), started = false;
    keep_memory();
    s.log.fd = cli->env.err_fd;
    s.log.wall_us = cli->env.wall_us;
    s.log.repeats = &s.repeats;
    serve_log_settings(&s.log, cli);
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    int code = serve_become(&s);
    if (code == CLI_DONE)
        code = serve_tls_open(&s);
    if (code == CLI_DONE)
        code = open_policy(&s);
    if (code == CLI_DONE)
        code = serve_open_enrich(&s);
    if (code == CLI_DONE)
        code = serve_snapshot(&s);
    if (code == CLI_DONE && check) {
        code = serve_check(&s);
        if (code == CLI_DONE)
            serve_show(&s);
    } else if (code == CLI_DONE) {
        take_signals(&s);
        serve_notify_open(&s);
        code = open_decider(&s);
        if (code == CLI_DONE)
            code = serve_webhooks(&s);
        if (code == CLI_DONE)
            code = serve_accounts_open(&s);
        if (code == CLI_DONE)
            code = serve_wallets_open(&s);
        if (code == CLI_DONE)
            code = serve_appstore_open(&s);
        if (code == CLI_DONE)
            code = serve_pay_open(&s);
        if (code == CLI_DONE)
            code = serve_oidc_open(&s);
        if (code == CLI_DONE)
            code = run(&s, &started);
    }
    finish(&s, started);
    if (started)
        log_put(&s.log, LOG_INFO, "ended");
    serve_notify_close(&s);
    return code;
}
