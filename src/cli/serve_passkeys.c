/* serve_passkeys.c - the options of passkeys: which pages use them, and which domain they belong to. */
#include "cli/io.h"
#include "cli/serve.h"

static int add_origin(struct serving *s, struct slice origin)
{
    enum keer_err err = passkeys_add_origin(&s->passkeys, origin);
    if (err == KEER_ELIMIT)
        return cli_usage(s->cli, "--origin: at most %u", PASSKEY_ORIGINS_MAX);
    if (err != KEER_OK)
        return cli_usage(s->cli,
                         "--origin: %.*s: an origin as https://id.example.org or, for development, http://localhost:8080",
                         (int)MIN_OF(origin.len, 200u), origin.p);
    return CLI_DONE;
}

/* Of --public-url: without one that passkeys can be used on (plain http elsewhere than on localhost) there are none, and the
 * browser says so. */
static void take_public_url(struct serving *s)
{
    const char *url = cli_text(s->cli, "public-url");
    if (passkeys_add_origin(&s->passkeys, slice_str(url)) != KEER_OK)
        log_put(&s->log, LOG_WARNING, "passkeys can't be used: browsers want https, or http://localhost, for --public-url");
}

static int add_roots(struct serving *s)
{
    const char *path = cli_text(s->cli, "attestation-roots");
    struct buf b;
    struct io_why why;
    if (!path && cli_given(s->cli, "attestation-required"))
        return cli_usage(s->cli, "--attestation-required: --attestation-roots says whose attestations are trusted");
    if (!path)
        return CLI_DONE;
    buf_init(&b, LIMIT_CERTS_BYTES);
    enum keer_err err = io_slurp(&b, path, &why);
    if (err != KEER_OK) {
        buf_release(&b);
        return cli_fail(s->cli, cli_exit_of(err), err, "--attestation-roots: %s", why.text);
    }
    err = passkeys_add_roots(&s->passkeys, buf_view(&b));
    buf_release(&b);
    if (err == KEER_ELIMIT)
        return cli_usage(s->cli, "--attestation-roots: %s: at most %u certificates", path, PASSKEY_ROOTS_MAX);
    if (err != KEER_OK)
        return cli_usage(s->cli, "--attestation-roots: %s: certificates in PEM are wanted, and one can't be read", path);
    s->passkeys.trusted = cli_given(s->cli, "attestation-required");
    return CLI_DONE;
}

int serve_passkeys_check(struct serving *s)
{
    struct cli *cli = s->cli;
    size_t n = cli_values(cli, "origin");
    int code = CLI_DONE;
    passkeys_release(&s->passkeys); /* it is checked once more when it is opened */
    s->passkeys = (struct passkeys){.accounts = &s->accounts, .steps = &s->steps};
    for (size_t i = 0; i < n && code == CLI_DONE; i++)
        code = add_origin(s, cli_text_at(cli, "origin", i));
    if (code == CLI_DONE && n == 0 && cli_given(cli, "public-url"))
        take_public_url(s);
    if (code == CLI_DONE)
        code = add_roots(s);
    if (code != CLI_DONE || !cli_given(cli, "rp-id"))
        return code;
    if (passkeys_set_rp_id(&s->passkeys, slice_str(cli_text(cli, "rp-id"))) != KEER_OK ||
        (s->passkeys.origins_count && !passkeys_are_right(&s->passkeys)))
        return cli_usage(cli, "--rp-id: a domain as example.org is wanted, the host of each --origin or what it ends in");
    return CLI_DONE;
}

void serve_passkeys_address(struct serving *s)
{
    char origin[PASSKEY_ORIGIN_BYTES];
    const char *address = http_address(s->server), *port = strrchr(address, ':');
    if (s->passkeys.origins_count || cli_given(s->cli, "public-url"))
        return;
    (void)snprintf(origin, sizeof origin, "http%s://localhost%s", s->tls ? "s" : "", port ? port : "");
    if (passkeys_add_origin(&s->passkeys, slice_str(origin)) != KEER_OK || !passkeys_are_right(&s->passkeys))
        log_put(&s->log, LOG_WARNING, "passkeys can't be used: --rp-id is not that of %s", origin);
}
