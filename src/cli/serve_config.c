/* serve_config.c - what `keer serve` reads: --check-config, and SIGHUP. */
#include <unistd.h>

#include "cli/options.h"
#include "cli/serve.h"

#define SHOW_BYTES (1u << 18)

/* --- --check-config --- */

/* The folder of a database that does not exist yet. */
static int check_folder(struct cli *cli, const char *path)
{
    struct buf folder;
    const char *slash = strrchr(path, '/');
    buf_init(&folder, 8192);
    buf_slice(&folder, slash ? slice_of(path, (size_t)(slash - path)) : SLICE("."));
    if (slash == path)
        buf_puts(&folder, "/");
    bool usable = folder.err == KEER_OK && access(folder.p, W_OK | X_OK) == 0;
    buf_release(&folder);
    if (!usable)
        return cli_fail(cli, CLI_IO, KEER_EIO, "%s: the database is not there and can't be made", path);
    cli_note(cli, NULL, "%s is not there: the daemon will make it", path);
    return CLI_DONE;
}

/* Beside a daemon too: nothing is written. */
static int check_database(struct cli *cli)
{
    const char *where = cli_text(cli, "database");
    struct db *db = NULL;
    struct db_why why;
    enum keer_err err = db_open(where, DB_READ, &db, &why);
    if (err == KEER_EMISSING)
        return check_folder(cli, where);
    if (err == KEER_OK)
        err = db_check(db, &why);
    db_close(db);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
}

int serve_check(struct serving *s)
{
    struct http_why why;
    if (http_check_address(cli_text(s->cli, "listen"), &why) != KEER_OK)
        return cli_usage(s->cli, "--listen: %s", why.text);
    int code = serve_webhooks_check(s->cli);
    if (code == CLI_DONE)
        code = serve_oidc_check(s->cli);
    if (code == CLI_DONE)
        code = serve_accounts_check(s);
    if (code == CLI_DONE)
        code = serve_wallets_check(s->cli);
    if (code == CLI_DONE)
        code = serve_appstore_check(s->cli);
    return code == CLI_DONE ? check_database(s->cli) : code;
}

int serve_open_enrich(struct serving *s)
{
    struct cli *cli = s->cli;
    struct enrich_why why;
    struct buf unfed;
    size_t own = cli_values(cli, "own-domains");
    s->own_domains = calloc(own + 1, sizeof *s->own_domains);
    if (!s->own_domains)
        return cli_fail(cli, CLI_RESOURCES, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
    for (size_t i = 0; i < own; i++)
        s->own_domains[i] = cli_text_at(cli, "own-domains", i);
    struct enrich_options o = {cli_text(cli, "geoip-country"), cli_text(cli, "geoip-asn"), s->own_domains, own};
    enum keer_err err = enrich_new(&o, &s->enrich, &why);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    buf_init(&unfed, 1000);
    enrich_unfed(s->enrich, enrich_wanted(&s->version.policy->schema), &unfed);
    if (unfed.len)
        log_put(&s->log, LOG_INFO, "no database adds %s: the policy sees it where events bring it", unfed.p);
    buf_release(&unfed);
    s->api.enrich = s->enrich;
    return CLI_DONE;
}

int serve_snapshot(struct serving *s)
{
    struct cli *cli = s->cli;
    const char *database = cli_text(cli, "database");
    buf_init(&s->snapshot_path, 8192);
    if (cli_flag(cli, "no-snapshot"))
        return CLI_DONE;
    s->snapshot = cli_text(cli, "snapshot");
    if (!s->snapshot && !db_is_file(database))
        return cli_count(cli, "snapshot-every", 0)
                   ? cli_usage(cli, "--snapshot-every wants --snapshot FILE: beside this database there is no place for one")
                   : CLI_DONE;
    if (!s->snapshot) {
        buf_fmt(&s->snapshot_path, "%s.windows", database);
        if (s->snapshot_path.err != KEER_OK)
            return cli_fail(cli, cli_exit_of(s->snapshot_path.err), s->snapshot_path.err, "%s",
                            keer_err_text(s->snapshot_path.err));
        s->snapshot = s->snapshot_path.p;
    }
    return CLI_DONE;
}

void serve_show(struct serving *s)
{
    struct cli *cli = s->cli;
    struct buf b, value;
    unsigned n = 0;
    if (!cli->json) {
        io_out_puts(&cli->out, "ok\n");
        return;
    }
    buf_init(&b, SHOW_BYTES);
    buf_init(&value, SHOW_BYTES);
    buf_puts(&b, "{\"ok\":true,\"settings\":[");
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if (!(o->commands & OPTION_ON(cli->command)) || !(o->flags & OPT_SETTING))
            continue;
        buf_clear(&value);
        setting_print(cli, o, &value);
        buf_fmt(&b, "%s\n{\"name\":\"%s\",\"value\":", n++ ? "," : "", o->name);
        if (value.len)
            buf_json(&b, buf_view(&value));
        else
            buf_puts(&b, "null");
        buf_fmt(&b, ",\"source\":\"%s\"}", cli_source_name(setting_source(cli, o)));
    }
    buf_puts(&b, "\n]}\n");
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&value);
    buf_release(&b);
}

/* --- SIGHUP --- */

void serve_log_settings(struct log *log, const struct cli *cli)
{
    atomic_store(&log->json, cli_choice(cli, "log") == 1);
    atomic_store(&log->level, (int)cli_choice(cli, "log-level"));
    atomic_store(&log->requests, cli_choice(cli, "log-requests") == 0);
}

void serve_reload_keys(struct serving *s, bool asked)
{
    struct db_why why;
    bool changed = false;
    enum keer_err err = decider_reload_keys(s->decider, &changed, &why);
    if (err != KEER_OK)
        log_put(&s->log, LOG_ERROR, "the keys can't be read, and stay as they were: %s", why.text);
    else if (changed || asked)
        log_put(&s->log, LOG_INFO, "keys read: %u valid%s", decider_keys_valid(s->decider), changed ? ", changed" : "");
}

/* Settings whose value is another than at the start, parted by commas: those that SIGHUP takes, or the others. */
static void differences(const struct cli *was, const struct cli *now, bool reload, struct buf *names)
{
    struct buf a, b;
    buf_init(&a, SHOW_BYTES);
    buf_init(&b, SHOW_BYTES);
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if (!(o->commands & OPTION_ON(was->command)) || !(o->flags & OPT_SETTING) || !(o->flags & OPT_RELOAD) == reload)
            continue;
        buf_clear(&a);
        buf_clear(&b);
        setting_print(was, o, &a);
        setting_print(now, o, &b);
        if (!slice_eq(buf_view(&a), buf_view(&b)))
            buf_fmt(names, "%s%s", names->len ? ", " : "", o->name);
    }
    buf_release(&a);
    buf_release(&b);
}

void serve_reload(struct serving *s)
{
    struct cli now;
    struct buf said, taken, left;
    buf_init(&said, 4096);
    buf_init(&taken, 1000);
    buf_init(&left, 1000);
    serve_notify(s, "RELOADING=1");
    enum keer_err err = cli_init(&now, &s->cli->env);
    if (err == KEER_OK) {
        now.messages = &said;
        if (cli_parse(&now, s->cli->argc, s->cli->argv) != CLI_DONE) {
            log_put(&s->log, LOG_ERROR, "SIGHUP: the settings stay as they were: %s", said.p ? said.p : "out of memory");
        } else {
            differences(s->cli, &now, true, &taken);
            differences(s->cli, &now, false, &left);
            serve_log_settings(&s->log, &now);
            log_put(&s->log, LOG_INFO, "SIGHUP: log settings read; other than at the start: %s",
                    taken.len ? taken.p : "none");
            if (left.len)
                log_put(&s->log, LOG_WARNING, "SIGHUP: changed, but taken by a restart only: %s", left.p);
        }
        cli_release(&now);
    } else {
        log_put(&s->log, LOG_ERROR, "SIGHUP: the settings stay as they were: %s", keer_err_text(err));
    }
    serve_reload_keys(s, true);
    serve_tls_reload(s);
    log_put(&s->log, LOG_INFO, "SIGHUP: policy, lists, models and the rest are taken by a restart");
    serve_notify(s, "READY=1");
    buf_release(&said);
    buf_release(&taken);
    buf_release(&left);
}
