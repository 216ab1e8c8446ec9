/* serve_accounts.c - the options of accounts, and opening what their use cases share. */
#include "cli/serve.h"
#include "store/secrets.h"

#define SMS_SECRET_BYTES 4096
#define SMS_CONNECT_US (5 * US_SECOND)
#define SMS_WHOLE_US (20 * US_SECOND)

static bool sends_mail(const struct serving *s) { return strncmp(cli_text(s->cli, "notices"), "smtp", 4) == 0; }
static bool mails_off(const struct serving *s) { return strcmp(cli_text(s->cli, "notices"), "off") == 0; }
static bool sends_texts(const struct serving *s) { return cli_given(s->cli, "sms-url"); }
bool serve_connects_for_notices(const struct serving *s) { return sends_mail(s) || sends_texts(s); }

/* https://host[:port] without a path: cookies, WebAuthn and OpenID all hang on the origin (RFC 6454 section 6.2). */
static int check_url(struct cli *cli)
{
    const char *url = cli_text(cli, "public-url");
    const char *host = !url                               ? NULL
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                       : strncmp(url, "http://", 7) == 0  ? url + 7
                                                          : "";
    if (!url)
        return CLI_DONE;
    for (const char *p = host; *p; p++)
        if ((*p >= 'A' && *p <= 'Z') || !(ascii_digit(*p) || (*p >= 'a' && *p <= 'z') || strchr(".-:[]", *p)))
            host = "";
    if (!*host || strlen(url) >= NET_URL_BYTES)
        return cli_usage(cli,
                         "--public-url: an address as https://id.example.org is wanted, in lower case and without a path");
    return CLI_DONE;
}

static int check_notices(struct serving *s)
{
    struct cli *cli = s->cli;
    char why[MAIL_WHY_BYTES];
    struct identifier from;
    struct identifier_why bad;
    if (sends_mail(s)) {
        if (mail_server_check(slice_str(cli_text(cli, "notices")), why) != KEER_OK)
            return cli_usage(cli, "--notices: %s", why);
        if (!cli_given(cli, "notices-from"))
            return cli_usage(cli, "--notices-from: with a mail server, the address that messages come from is needed");
    }
    if (cli_given(cli, "notices-from") &&
        identifier_canon(IDENTIFIER_EMAIL, slice_str(cli_text(cli, "notices-from")), &from, &bad) != KEER_OK)
        return cli_usage(cli, "--notices-from: %s", bad.text);
    if (cli_count(cli, "password-queue", 0) >= cli_count(cli, "workers", 0))
        return cli_usage(cli,
                         "--password-queue: less than --workers, so that waiting for a hash leaves threads for all else");
    return CLI_DONE;
}

static int read_sms_secret(struct cli *cli, struct net_secret *ret)
{
    const char *path = cli_text(cli, "sms-secret");
    struct buf b;
    struct io_why why;
    int code = CLI_DONE;
    buf_init(&b, SMS_SECRET_BYTES);
    enum keer_err err = io_slurp(&b, path, &why);
    if (err != KEER_OK)
        code = cli_fail(cli, CLI_IO, err, "--sms-secret: %s", why.text);
    else if (net_secret_read(buf_view(&b), ret) != KEER_OK)
        code = cli_fail(cli, CLI_IO, KEER_EFORMAT,
                        "--sms-secret: %s: whsec_ and %d to %d bytes in base64 are wanted, and nothing else", path,
                        NET_SECRET_MIN, NET_SECRET_MAX);
    if (b.p)
        crypto_wipe(b.p, b.cap);
    buf_release(&b);
    return code;
}

static bool are_countries(struct slice list)
{
    while (list.p) {
        struct slice one = slice_trim(slice_cut(&list, ','));
        if (one.len < 2 || one.len > 16 || one.p[0] != '+' || one.p[1] == '0')
            return false;
        for (size_t i = 1; i < one.len; i++)
            if (!ascii_digit(one.p[i]))
                return false;
    }
    return true;
}

/* The gateway of the options; `ret` is filled when there is one. */
static int read_sms(struct serving *s, struct sms_gateway *ret)
{
    struct cli *cli = s->cli;
    char why[NET_WHY_BYTES];
    if (!sends_texts(s) && cli_given(cli, "sms-secret"))
        return cli_usage(cli, "--sms-secret: it is for --sms-url, which is not given");
    if (cli_given(cli, "sms-countries") && !are_countries(slice_str(cli_text(cli, "sms-countries"))))
        return cli_usage(cli, "--sms-countries: what numbers begin with is wanted, as +31,+352");
    if (!sends_texts(s))
        return CLI_DONE;
    *ret = (struct sms_gateway){.connect_us = SMS_CONNECT_US, .whole_us = SMS_WHOLE_US};
    if (sms_gateway_init(ret, cli_text(cli, "sms-url"), why) != KEER_OK)
        return cli_usage(cli, "--sms-url: %s", why);
    if (!cli_given(cli, "sms-secret"))
        return cli_usage(cli, "--sms-secret: with a gateway, the file of the secret that it verifies messages by is needed");
    return read_sms_secret(cli, &ret->secret);
}

int serve_accounts_check(struct serving *s)
{
    struct cli *cli = s->cli;
    struct crypto_hash key = {{0}};
    struct breached_why why;
    struct sms_gateway sms;
    int code = check_url(cli);
    if (code == CLI_DONE)
        code = check_notices(s);
    if (code == CLI_DONE)
        code = read_sms(s, &sms);
    if (code == CLI_DONE)
        code = serve_passkeys_check(s);
    if (code == CLI_DONE && cli_given(cli, "account-key"))
        code = serve_read_key(cli, "account-key", &key);
    s->accounts.proxies = (struct net_networks){0};
    if (code == CLI_DONE && cli_given(cli, "trusted-proxies") &&
        net_networks_add(&s->accounts.proxies, slice_str(cli_text(cli, "trusted-proxies"))) != KEER_OK)
        code =
            cli_usage(cli, "--trusted-proxies: networks as 10.1.0.0/16 or fd00::/8 are taken, at most %d", NET_NETWORKS_MAX);
    crypto_wipe(&key, sizeof key);
    crypto_wipe(&sms, sizeof sms);
    if (code != CLI_DONE || !cli_given(cli, "breached-passwords"))
        return code;
    enum keer_err err = breached_open(cli_text(cli, "breached-passwords"), &s->accounts.breached, &why);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "--breached-passwords: %s", why.text);
}

static int read_key(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db *db = NULL;
    struct db_why why = {""};
    if (cli_given(cli, "account-key"))
        return serve_read_key(cli, "account-key", &s->accounts.key);
    enum keer_err err = db_open(cli_text(cli, "database"), DB_READ, &db, &why);
    if (err == KEER_OK)
        err = secret_get(db, SECRET_ACCOUNT, &s->accounts.key);
    db_close(db);
    if (err != KEER_OK)
        return cli_fail(cli, CLI_IO, err, "%s", why.text[0] ? why.text : "the account key can't be read from the database");
    return CLI_DONE;
}

static int open_notifier(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db_why why = {""};
    struct sms_gateway sms;
    struct notifier_options o = {.decider = s->decider,
                                 .database = cli_text(cli, "database"),
                                 .key = &s->accounts.key,
                                 .words = {.service = cli_text(cli, "service-name"), .url = s->url},
                                 .smtp = sends_mail(s) ? cli_text(cli, "notices") : NULL,
                                 .file = sends_mail(s) || mails_off(s) ? NULL : cli_text(cli, "notices"),
                                 .from = cli_text(cli, "notices-from"),
                                 .log = &s->log,
                                 .wall_us = cli->env.wall_us};
    if (mails_off(s) && !sends_texts(s))
        return CLI_DONE;
    int code = read_sms(s, &sms);
    if (code != CLI_DONE)
        return code;
    o.sms = sends_texts(s) ? &sms : NULL;
    enum keer_err err = serve_connects_for_notices(s) ? net_start() : KEER_OK;
    if (err == KEER_OK)
        err = notifier_new(&o, &s->accounts.notifier, &why);
    crypto_wipe(&sms, sizeof sms);
    s->accounts.mails = !mails_off(s);
    s->accounts.phones = sends_texts(s) || !sends_mail(s);
    s->accounts.countries = cli_given(cli, "sms-countries") ? slice_str(cli_text(cli, "sms-countries")) : SLICE("");
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "--notices: %s", why.text);
}

int serve_accounts_open(struct serving *s)
{
    struct cli *cli = s->cli;
    struct accounts *a = &s->accounts;
    int code = serve_accounts_check(s);
    if (code == CLI_DONE)
        code = read_key(s);
    a->words = (struct notice_words){.service = cli_text(cli, "service-name"), .url = s->url};
    a->any_host = !cli_given(cli, "public-url");
    a->secure = a->any_host ? s->tls != NULL : strncmp(cli_text(cli, "public-url"), "https:", 6) == 0;
    if (!a->any_host)
        (void)snprintf(s->url, sizeof s->url, "%s", cli_text(cli, "public-url"));
    if (code == CLI_DONE)
        code = open_notifier(s);
    if (code != CLI_DONE)
        return code;
    enum keer_err err = password_worker_new(&a->key, (unsigned)cli_count(cli, "password-queue", 0), &a->passwords);
    s->api.accounts = a;
    s->steps = (struct steps){.accounts = a,
                              .guard = {.key = &a->key,
                                        .first_us = cli_duration(cli, "guard-first", 0),
                                        .wait_us = cli_duration(cli, "guard-wait", 0),
                                        .grace_us = cli_duration(cli, "guard-grace", 0),
                                        .recovery_us = cli_duration(cli, "recovery-wait", 0),
                                        .wallet_limit = agreements_wallet_limit,
                                        .wallet_waits = agreements_wallet_waits,
                                        .wallet_charge = agreements_wallet_charge,
                                        .wallet_end = agreements_wallet_end}};
    s->api.steps = &s->steps;
    s->api.passkeys = &s->passkeys;
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, CLI_RESOURCES, err, "%s", keer_err_text(err));
}

void serve_accounts_address(struct serving *s)
{
    if (s->accounts.any_host)
        (void)snprintf(s->url, sizeof s->url, "http%s://%s", s->tls ? "s" : "", http_address(s->server));
    serve_passkeys_address(s);
}

enum keer_err serve_accounts_start(struct serving *s)
{
    enum keer_err err = password_worker_start(s->accounts.passwords);
    if (err == KEER_OK && s->accounts.notifier)
        err = notifier_start(s->accounts.notifier);
    if (err == KEER_OK && s->accounts.notifier && !cli_given(s->cli, "account-key"))
        log_put(&s->log, LOG_WARNING,
                "the key of accounts lies in the database: with --account-key a copy of the database would open nothing");
    return err;
}

void serve_accounts_close(struct serving *s)
{
    notifier_free(s->accounts.notifier);
    password_worker_free(s->accounts.passwords);
    passkeys_release(&s->passkeys);
    breached_close(s->accounts.breached);
    crypto_wipe(&s->accounts, sizeof s->accounts);
}
