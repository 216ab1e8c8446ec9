/* serve_oidc.c - the options of the OpenID provider, and opening it. */
#include "cli/serve.h"

static int read_options(struct cli *cli, struct oidc_options *o)
{
    if (cli_given(cli, "oidc-allow") && net_networks_add(&o->allowed, slice_str(cli_text(cli, "oidc-allow"))) != KEER_OK)
        return cli_usage(cli, "--oidc-allow: networks as 10.1.0.0/16 or fd00::/8 are taken, at most %d", NET_NETWORKS_MAX);
    if (cli_given(cli, "issuer") && !oidc_issuer_valid(slice_str(cli_text(cli, "issuer"))))
        return cli_usage(cli, "--issuer: https://HOST[/PATH] is wanted, or http with localhost or 127.0.0.1");
    return CLI_DONE;
}

int serve_oidc_check(struct cli *cli)
{
    struct oidc_options o = {0};
    return read_options(cli, &o);
}

/* Answers to challenges are signed as ID tokens are: a store verifies both with the same set of keys. */
static enum keer_err sign_answer(void *ctx, struct desk_worker *w, const char *typ, struct slice claims, struct buf *out)
{
    return oidc_sign(ctx, w, CRYPTO_ES256, typ, claims, out);
}

int serve_oidc_open(struct serving *s)
{
    struct cli *cli = s->cli;
    struct db_why why;
    bool provider = cli_given(cli, "issuer");
    struct oidc_options o = {.issuer = provider ? cli_text(cli, "issuer") : NULL,
                             .accounts = &s->accounts,
                             .database = cli_text(cli, "database"),
                             .log = &s->log};
    int code = read_options(cli, &o);
    if (code != CLI_DONE)
        return code;
    enum keer_err err = oidc_new(&o, &s->api.signer, &why);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    s->api.oidc = provider ? s->api.signer : NULL;
    desk_every(s->api.desk, OIDC_TICK_US, oidc_tick, s->api.signer);
    s->steps.sign = sign_answer;
    s->steps.sign_ctx = s->api.signer;
    s->steps.issuer = provider ? oidc_issuer(s->api.oidc) : s->url; /* as people reach it: known when it listens */
    return CLI_DONE;
}
