/* cmd_explain.c - `keer explain`: how the decision on one event came about. */
#include "cli/history.h"
#include "flow/records.h"

struct explaining {
    struct slice id;
    bool found;
    enum explain_form form;
    unsigned top;
};

static enum history_next on_event(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    struct explaining *x = ctx;
    if (!slice_eq(h->event->id, x->id))
        return HISTORY_GO;
    struct buf out;
    buf_init(&out, (size_t)16 << 20);
    x->found = true;
    enum keer_err err = engine_explain(h->engine, h->event, d, x->form, x->top, &out);
    if (x->form == EXPLAIN_JSON)
        buf_char(&out, '\n');
    io_out_put(&h->cli->out, buf_view(&out));
    buf_release(&out);
    if (err == KEER_OK)
        return HISTORY_STOP;
    *ret_exit = cli_fail(h->cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    return HISTORY_FAILED;
}

/* From a daemon's journal: what the windows told was kept, so that nothing is replayed. */
static int explain_recorded(struct cli *cli, const struct explaining *x)
{
    struct keer_policy *policy = NULL;
    struct records *records = NULL;
    struct records_options o = {.database = cli_text(cli, "database")};
    struct db_why closed = {""};
    struct records_why why = {""};
    struct buf out;
    if (cli->arg_count || cli_values(cli, "model") || cli_text(cli, "mapping"))
        return cli_usage(cli, "--database takes no inputs, no --model and no --mapping");
    struct source source = {0};
    int code = policy_open_source(cli, cli_text(cli, "policy"), KEER_POLICY_WITHOUT_EXAMPLES, true, &policy, &source);
    if (code == CLI_DONE)
        source_hash(&source, &o.policy_hash);
    source_release(&source);
    if (code != CLI_DONE)
        return code;
    o.policy = policy;
    buf_init(&out, (size_t)16 << 20);
    enum keer_err err = records_open(&o, &records, &closed);
    if (err != KEER_OK) {
        code = cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", closed.text);
    } else {
        err = records_explain(records, x->id, x->form, x->top, &out, &why);
        if (x->form == EXPLAIN_JSON)
            buf_char(&out, '\n');
        if (err == KEER_OK)
            io_out_put(&cli->out, buf_view(&out));
        else if (err == KEER_EMISSING)
            code = cli_fail(cli, CLI_FINDINGS, err, "no event '%.*s' in %s", SLICE_ARG(x->id), o.database);
        else
            code = cli_fail(cli, err == KEER_EVERSION ? CLI_FINDINGS : cli_exit_of(err), err, "%s",
                            why.text[0] ? why.text : keer_err_text(err));
    }
    buf_release(&out);
    records_close(records);
    keer_policy_free(policy);
    return code;
}

int cmd_explain(struct cli *cli)
{
    struct history h;
    struct explaining x = {.id = slice_str(cli_text(cli, "event")),
                           .form = cli->json ? EXPLAIN_JSON : EXPLAIN_TEXT,
                           .top = (unsigned)cli_count(cli, "top", 10)};
    bool models = cli_values(cli, "model") > 0;
    if (cli_text(cli, "database"))
        return explain_recorded(cli, &x);
    if (!cli->arg_count)
        return cli_usage(cli, "give the history to replay, or --database");
    int code = history_open(cli, cli_text(cli, "policy"),
                            KEER_POLICY_WITHOUT_EXAMPLES | (models ? KEER_POLICY_WITHOUT_MODELS : 0), &h);
    for (size_t i = 0; code == CLI_DONE && i < cli_values(cli, "model"); i++) {
        struct slice path = cli_text_at(cli, "model", i), name = {NULL, 0};
        if (memchr(path.p, '=', path.len))
            name = slice_cut(&path, '=');
        code = policy_use_model(cli, h.policy, name, path.p);
    }
    if (code == CLI_DONE)
        code = history_run(&h, cli->args, cli->arg_count, on_event, &x);
    if (code == CLI_DONE && !x.found)
        code = cli_fail(cli, CLI_FINDINGS, KEER_EMISSING, "no event '%.*s' in %llu events", SLICE_ARG(x.id),
                        (unsigned long long)h.events);
    history_close(&h);
    return code;
}
