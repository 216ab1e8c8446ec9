/* serve_appstore.c - the options of App Store notifications: whose root, which apps. */
#include "cli/serve.h"

static int add_bundles(struct cli *cli, struct appstore *a)
{
    size_t n = cli_values(cli, "appstore-bundle");
    if (n == 0)
        return cli_usage(cli, "--appstore-bundle: with --appstore-root, the bundle ids of your apps are needed");
    if (n > APPSTORE_BUNDLES_MAX)
        return cli_usage(cli, "--appstore-bundle: at most %d", APPSTORE_BUNDLES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct slice id = slice_trim(cli_text_at(cli, "appstore-bundle", i));
        if (id.len == 0 || id.len > APPSTORE_TEXT_BYTES)
            return cli_usage(cli, "--appstore-bundle: an id as com.example.game is wanted");
        a->bundle[a->bundles++] = id;
    }
    return CLI_DONE;
}

/* Into `a`, which the caller releases also when it fails. The exit code. */
static int read_settings(struct cli *cli, struct appstore *a)
{
    struct buf file;
    struct io_why why;
    const char *path = cli_text(cli, "appstore-root");
    buf_init(&file, LIMIT_CERT_BYTES * APPSTORE_ROOTS_MAX);
    enum keer_err err = io_slurp(&file, path, &why);
    int code = err == KEER_OK ? CLI_DONE : cli_fail(cli, CLI_IO, err, "--appstore-root: %s", why.text);
    if (code == CLI_DONE && (err = appstore_add_roots(a, buf_view(&file))) != KEER_OK)
        code = cli_fail(cli, CLI_IO, err, "--appstore-root: %s: 1 to %d certificates as PEM, or one as DER, are wanted",
                        path, APPSTORE_ROOTS_MAX);
    a->environment = strcmp(cli_text(cli, "appstore-environment"), "sandbox") == 0 ? "Sandbox" : "Production";
    buf_release(&file);
    return code == CLI_DONE ? add_bundles(cli, a) : code;
}

int serve_appstore_check(struct cli *cli)
{
    struct appstore a = {.bundles = 0};
    if (!cli_given(cli, "appstore-root"))
        return cli_given(cli, "appstore-bundle")
                   ? cli_usage(cli, "--appstore-bundle: without --appstore-root no notifications are taken")
                   : CLI_DONE;
    int code = read_settings(cli, &a);
    appstore_release(&a);
    return code;
}

int serve_appstore_open(struct serving *s)
{
    if (!cli_given(s->cli, "appstore-root"))
        return serve_appstore_check(s->cli);
    int code = read_settings(s->cli, &s->appstore);
    if (code == CLI_DONE)
        s->api.appstore = &s->appstore;
    return code;
}
