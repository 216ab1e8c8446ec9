/* simulate_october.c - `keer simulate october` and `attackers`: worlds are started, played, and told. */
#include "base/crypto.h"
#include "cli/simulate.h"
#include "sim/attackers.h"

#define TEXT_BYTES ((size_t)4 << 20)

/* As it was: no cap and no step, and balance can be spent at once. */
static const char *const as_in_2018[] = {"--unsafe-2018", "--top-up-hold", "1us", NULL};

static int write_file(struct cli *cli, const char *path, const struct buf *page)
{
    struct io_out out = {0};
    struct io_why why;
    enum keer_err err = page->err;
    (void)snprintf(why.text, sizeof why.text, "the page: %s", keer_err_text(err));
    if (err == KEER_OK)
        err = io_out_open(&out, path, &why);
    if (err == KEER_OK) {
        io_out_put(&out, buf_view(page));
        err = io_out_commit(&out, &why);
    }
    io_out_abandon(&out);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int tell(struct cli *cli, const struct october *o)
{
    struct buf text, why;
    buf_init(&text, TEXT_BYTES);
    buf_init(&why, TEXT_BYTES);
    bool holds = october_holds(o, &why);
    if (cli->json)
        october_json(o, &text);
    else
        october_print(o, cli->color_out, &text);
    enum keer_err err = text.err != KEER_OK ? text.err : why.err;
    io_out_put(&cli->out, buf_view(&text));
    io_out_flush(&cli->out);
    int code = err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "the table: %s", keer_err_text(err));
    const char *page = cli_text(cli, "html");
    if (code == CLI_DONE && page) {
        buf_clear(&text);
        october_html(o, &text);
        code = write_file(cli, page, &text);
    }
    if (code == CLI_DONE && !holds)
        code = cli_fail(cli, CLI_FINDINGS, KEER_ECONFLICT, SLICE_FMT, SLICE_ARG(slice_trim(buf_view(&why))));
    buf_release(&text);
    buf_release(&why);
    return code;
}

static struct october_site site_of(const struct cli *cli, struct net_fetch *fetch, const struct stage *st)
{
    return (struct october_site){
        .people = {.fetch = fetch, .daemon = st->daemon, .notices = st->notices, .wall_us = cli->env.wall_us},
        .emulator = st->emulator,
        .store_key = st->store_key,
        .admin_key = st->admin_key,
        .now_us = cli->env.now_us};
}

static int play(struct cli *cli, struct net_fetch *fetch, const struct stage *st, enum october_world world,
                struct october *o)
{
    char why[PERSON_WHY_BYTES] = "";
    struct october_site site = site_of(cli, fetch, st);
    enum keer_err err = october_play(&site, world, o, why);
    if (err != KEER_OK)
        return cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why[0] ? why : keer_err_text(err));
    cli_note(cli, NULL, "%s: played in %.1f s", october_world_text(world), (double)o->took_us[world] / 1e6);
    return CLI_DONE;
}

static int play_own(struct cli *cli, struct net_fetch *fetch, enum october_world world, struct october *o)
{
    struct stage st = {0};
    struct stage_options so = {.keep = cli_text(cli, "keep"),
                               .name = world == OCTOBER_2018 ? "2018" : "today",
                               .policy = world == OCTOBER_TODAY ? cli_text(cli, "policy") : NULL,
                               .extra = world == OCTOBER_2018 ? as_in_2018 : NULL};
    int code = stage_start(cli, &so, &st);
    if (code == CLI_DONE)
        code = play(cli, fetch, &st, world, o);
    stage_stop(&st);
    return code;
}

/* Both keys, a line each. */
static int read_keys(struct cli *cli, const char *path, struct stage *st)
{
    struct buf b;
    struct io_why why;
    buf_init(&b, 4096);
    enum keer_err err = io_slurp(&b, path, &why);
    struct slice rest = buf_view(&b), store = slice_trim(slice_cut(&rest, '\n')), admin = slice_trim(slice_cut(&rest, '\n'));
    bool fit = store.len && admin.len && store.len < sizeof st->store_key && admin.len < sizeof st->admin_key;
    int code = err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    if (code == CLI_DONE && !fit)
        code =
            cli_usage(cli, "--api-keys %s: two lines are wanted, a key of the role store and one of the role admin", path);
    if (code == CLI_DONE) {
        (void)snprintf(st->store_key, sizeof st->store_key, SLICE_FMT, SLICE_ARG(store));
        (void)snprintf(st->admin_key, sizeof st->admin_key, SLICE_FMT, SLICE_ARG(admin));
    }
    crypto_wipe(b.p, b.len);
    buf_release(&b);
    return code;
}

static int play_there(struct cli *cli, struct net_fetch *fetch, struct october *o)
{
    struct stage st = {0};
    const char *daemon = cli_text(cli, "daemon"), *emulator = cli_text(cli, "emulator"), *keys = cli_text(cli, "api-keys"),
               *mailbox = cli_text(cli, "mailbox");
    if (!emulator || !keys || !mailbox)
        return cli_usage(cli, "--daemon needs --emulator, --api-keys and --mailbox");
    (void)snprintf(st.daemon, sizeof st.daemon, "%s", daemon);
    (void)snprintf(st.emulator, sizeof st.emulator, "%s", emulator);
    (void)snprintf(st.notices, sizeof st.notices, "%s", mailbox);
    int code = read_keys(cli, keys, &st);
    return code == CLI_DONE ? play(cli, fetch, &st, OCTOBER_TODAY, o) : code;
}

/* Random numbers and HTTP, for a simulation that goes over the API. */
static int open_net(struct cli *cli, struct net_fetch **ret)
{
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    enum keer_err err = net_start();
    if (err == KEER_OK)
        err = net_fetch_new(ret);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
}

/* Waits that take days are played in seconds. */
static const char *const short_waits[] = {"--recovery-wait", "1s", "--guard-first", "1s", "--guard-wait", "1s", NULL};

static int tell_attackers(struct cli *cli, const struct attackers *a)
{
    struct buf text, why;
    buf_init(&text, TEXT_BYTES);
    buf_init(&why, TEXT_BYTES);
    bool hold = attackers_hold(a, &why);
    if (cli->json)
        attackers_json(a, &text);
    else
        attackers_print(a, cli->color_out, &text);
    enum keer_err err = text.err != KEER_OK ? text.err : why.err;
    io_out_put(&cli->out, buf_view(&text));
    io_out_flush(&cli->out);
    int code = err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "the table: %s", keer_err_text(err));
    const char *page = cli_text(cli, "markdown");
    if (code == CLI_DONE && page) {
        buf_clear(&text);
        attackers_markdown(a, &text);
        code = write_file(cli, page, &text);
    }
    if (code == CLI_DONE && !hold)
        code = cli_fail(cli, CLI_FINDINGS, KEER_ECONFLICT, SLICE_FMT, SLICE_ARG(slice_trim(buf_view(&why))));
    buf_release(&text);
    buf_release(&why);
    return code;
}

int simulate_attackers(struct cli *cli)
{
    char why[PERSON_WHY_BYTES] = "";
    struct stage st = {0};
    struct stage_options so = {
        .keep = cli_text(cli, "keep"), .name = "attackers", .policy = cli_text(cli, "policy"), .extra = short_waits};
    struct attackers *a = calloc(1, sizeof *a);
    struct net_fetch *fetch = NULL;
    int code = a ? open_net(cli, &fetch) : cli_fail(cli, CLI_RESOURCES, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
    if (code == CLI_DONE)
        code = stage_start(cli, &so, &st);
    if (code == CLI_DONE) {
        struct october_site site = site_of(cli, fetch, &st);
        enum keer_err err = attackers_play(&site, a, why);
        if (err != KEER_OK)
            code = cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why[0] ? why : keer_err_text(err));
    }
    stage_stop(&st);
    if (code == CLI_DONE)
        code = tell_attackers(cli, a);
    net_fetch_free(fetch);
    free(a);
    return code;
}

int simulate_october(struct cli *cli)
{
    enum { BOTH, THEN, NOW } which = cli_choice(cli, "world");
    struct october *o = calloc(1, sizeof *o);
    struct net_fetch *fetch = NULL;
    int code = o ? open_net(cli, &fetch) : cli_fail(cli, CLI_RESOURCES, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
    if (code == CLI_DONE && cli_text(cli, "daemon"))
        code = play_there(cli, fetch, o);
    else {
        if (code == CLI_DONE && which != NOW)
            code = play_own(cli, fetch, OCTOBER_2018, o);
        if (code == CLI_DONE && which != THEN)
            code = play_own(cli, fetch, OCTOBER_TODAY, o);
    }
    if (code == CLI_DONE)
        code = tell(cli, o);
    net_fetch_free(fetch);
    free(o);
    return code;
}
