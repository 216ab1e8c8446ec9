/* serve_webhooks.c - the options of webhooks, and opening the outbox. */
#include <sys/stat.h>

#include "base/timefmt.h"
#include "cli/serve.h"

#define KEY_BYTES_MIN 32
#define KEY_BYTES_MAX 4096

static int read_retries(struct cli *cli, struct outbox_options *o)
{
    struct slice rest = slice_str(cli_text(cli, "webhook-retries"));
    while (rest.p) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        if (o->retries == LIMIT_RETRIES)
            return cli_usage(cli, "--webhook-retries: at most %d are taken", LIMIT_RETRIES);
        if (duration_parse(one, &o->retry_us[o->retries]) != KEER_OK)
            return cli_usage(cli, "--webhook-retries: '%.*s' is no duration as 30s or 5m", (int)MIN_OF(one.len, 40u), one.p);
        o->retries++;
    }
    return CLI_DONE;
}

/* The key is the hash of the file's bytes. */
int serve_read_key(struct cli *cli, const char *option, struct crypto_hash *ret_key)
{
    const char *path = cli_text(cli, option);
    struct buf b;
    struct io_why why;
    int code = CLI_DONE;
    buf_init(&b, KEY_BYTES_MAX);
    enum keer_err err = io_slurp(&b, path, &why);
    if (err != KEER_OK)
        code = cli_fail(cli, CLI_IO, err, "%s", why.text);
    else if (b.len < KEY_BYTES_MIN)
        code = cli_fail(cli, CLI_IO, KEER_EFORMAT, "%s: a key has %d bytes or more", path, KEY_BYTES_MIN);
    else
        crypto_sha256(buf_view(&b), ret_key);
    if (b.p)
        crypto_wipe(b.p, b.len);
    buf_release(&b);
    return code;
}

/* What is not sent is told: the database knows webhooks, and this daemon would forget them silently. */
static int tell_if_off(struct serving *s)
{
    struct webhook_row *rows = NULL;
    unsigned count = 0;
    struct db *db = NULL;
    struct db_why why;
    if (db_open(cli_text(s->cli, "database"), DB_READ, &db, &why) == KEER_OK &&
        webhooks_read(db, &rows, &count) == KEER_OK && count)
        log_put(&s->log, LOG_WARNING, "webhooks are off: %u of the database get nothing of what is decided now", count);
    db_close(db);
    free(rows);
    return CLI_DONE;
}

static void tell_if_open(struct serving *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        log_put(&s->log, LOG_WARNING,
                "the database holds secrets of webhooks and others than its owner may open it: chmod 600, or --webhook-key");
}

static int read_options(struct cli *cli, struct outbox_options *o)
{
    int code = read_retries(cli, o);
    if (code == CLI_DONE && cli_given(cli, "webhook-allow") &&
        net_networks_add(&o->allowed, slice_str(cli_text(cli, "webhook-allow"))) != KEER_OK)
        code =
            cli_usage(cli, "--webhook-allow: networks as 10.1.0.0/16 or fd00::/8 are taken, at most %d", NET_NETWORKS_MAX);
    return code;
}

int serve_webhooks_check(struct cli *cli)
{
    struct outbox_options o = {0};
    struct crypto_hash key;
    int code = read_options(cli, &o);
    if (code == CLI_DONE && cli_given(cli, "webhook-key"))
        code = serve_read_key(cli, "webhook-key", &key);
    crypto_wipe(&key, sizeof key);
    return code;
}

int serve_webhooks(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db_why why;
    struct crypto_hash key;
    if (cli_choice(cli, "webhooks") != 0)
        return tell_if_off(s);
    struct outbox_options o = {.decider = s->decider,
                               .database = cli_text(cli, "database"),
                               .log = &s->log,
                               .now_us = cli->env.now_us,
                               .wall_us = cli->env.wall_us,
                               .timeout_us = cli_duration(cli, "webhook-timeout", 0),
                               .keep_us = cli_duration(cli, "webhook-keep", 0)};
    int code = read_options(cli, &o);
    if (code == CLI_DONE && cli_given(cli, "webhook-key")) {
        code = serve_read_key(cli, "webhook-key", &key);
        o.key_or_null = &key;
    } else if (code == CLI_DONE) {
        tell_if_open(s, o.database);
    }
    if (code == CLI_DONE) {
        enum keer_err err = outbox_new(&o, &s->outbox, &why);
        if (err != KEER_OK)
            code = cli_fail(cli, err == KEER_EINVALID ? CLI_IO : cli_exit_of(err), err, "%s", why.text);
    }
    crypto_wipe(&key, sizeof key);
    return code;
}
