/* cmd_train.c - `keer train`: a policy's model from a labelled history. */
#include "cli/history.h"
#include "cli/training.h"
#include "learn/collect.h"

struct training {
    struct collect rows;
    int64_t from_us, to_us;
    uint64_t types;
};

static enum history_next on_event(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    struct training *t = ctx;
    int64_t at = h->event->time_us;
    bool label = event_type_is_label(h->event->type);
    if (!label && (at < t->from_us || at >= t->to_us || !(t->types >> h->event->type & 1)))
        return HISTORY_GO;
    enum keer_err err = collect_row(&t->rows, h->engine, h->event, d);
    if (err == KEER_OK)
        return HISTORY_GO;
    *ret_exit =
        cli_fail(h->cli, cli_exit_of(err), err, "%s",
                 err == KEER_ELIMIT ? "a text feature has more than 4,096 different texts: leave it out of `features`"
                                    : keer_err_text(err));
    return HISTORY_FAILED;
}

static int write_file(struct cli *cli, const char *path, struct slice bytes)
{
    struct io_out out = {0};
    struct io_why why;
    enum keer_err err = io_out_open(&out, path, &why);
    if (err == KEER_OK) {
        io_out_put(&out, bytes);
        err = io_out_commit(&out, &why);
    }
    io_out_abandon(&out);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int tell_card(struct cli *cli, const struct train_result *r, const char *path)
{
    struct buf json, text;
    buf_init(&json, (size_t)4 << 20);
    buf_init(&text, (size_t)4 << 20);
    card_print_json(&r->card, &json);
    buf_char(&json, '\n');
    card_print_text(&r->card, &text);
    io_out_put(&cli->out, buf_view(cli->json ? &json : &text));
    const char *card = cli_text(cli, "card");
    int code = card ? write_file(cli, card, buf_view(&json)) : CLI_DONE;
    buf_release(&json);
    buf_release(&text);
    if (code == CLI_DONE)
        cli_note(cli, NULL, "model written to %s", path);
    return code;
}

/* Which of the policy's models, and where its file goes: beside the policy, unless --out says otherwise. */
static int pick_model(struct cli *cli, struct history *h, unsigned *ret_model, struct buf *ret_path)
{
    const char *name = cli_text(cli, "name"), *out = cli_text(cli, "out"), *policy = cli_text(cli, "policy"),
               *slash = strrchr(policy, '/');
    const struct keer_policy *p = h->policy;
    unsigned m = 0;
    while (name && m < p->model_count && !slice_eq(p->models[m].stmt->name, slice_str(name)))
        m++;
    if (!p->feature_count)
        return cli_usage(cli, "the policy has no `features` statement: nothing to train on");
    if (p->model_count == 0 && !out)
        return cli_usage(cli, "the policy has no `model` statement: give --out, and --name");
    if (p->model_count && (m >= p->model_count || (!name && p->model_count > 1)))
        return cli_usage(cli, "--name: one of the policy's models is needed");
    if (out) {
        buf_puts(ret_path, out);
    } else {
        struct slice path = p->models[m].stmt->path;
        if (path.p[0] != '/' && slash)
            buf_put(ret_path, policy, (size_t)(slash - policy) + 1);
        buf_slice(ret_path, path);
    }
    *ret_model = m;
    return ret_path->err == KEER_OK ? CLI_DONE
                                    : cli_fail(cli, CLI_RESOURCES, ret_path->err, "%s", keer_err_text(ret_path->err));
}

static int train_rows(struct cli *cli, const struct keer_policy *p, struct training *t, unsigned model, const char *path)
{
    struct train_options o;
    struct train_result r = {0};
    struct buf detail;
    const char *name = p->model_count          ? p->models[model].stmt->name.p
                       : cli_text(cli, "name") ? cli_text(cli, "name")
                                               : "model";
    training_options(cli, name, &o);
    o.xgb.monotone = t->rows.has_monotone ? t->rows.monotone : NULL;
    o.categories = t->rows.category;
    o.categories_n = t->rows.text_features;
    o.later_days = (unsigned)cli_count(cli, "valid-days", 7);
    o.delay_days = (unsigned)((cli_duration(cli, "delay", 7 * US_DAY) + US_DAY - 1) / US_DAY);
    buf_init(&detail, 4096);
    progress_start(&cli->progress, "train", "trees");
    enum keer_err err = train_run(&t->rows.data, &o, &detail, &r);
    progress_hide(&cli->progress);
    int code = CLI_DONE;
    if (err != KEER_OK)
        code = cli_fail(cli, cli_exit_of(err), err, "%s", detail.len ? detail.p : keer_err_text(err));
    if (code == CLI_DONE)
        code = write_file(cli, path, buf_view(&r.model));
    if (code == CLI_DONE)
        code = tell_card(cli, &r, path);
    train_result_release(&r);
    buf_release(&detail);
    return code;
}

int cmd_train(struct cli *cli)
{
    struct history h;
    struct training t = {
        .from_us = cli_time(cli, "from", INT64_MIN), .to_us = cli_time(cli, "until", INT64_MAX), .types = ~(uint64_t)0};
    struct buf path;
    unsigned model = 0;
    buf_init(&path, 8192);
    int code = history_open(cli, cli_text(cli, "policy"), KEER_POLICY_WITHOUT_EXAMPLES | KEER_POLICY_WITHOUT_MODELS, &h);
    if (code == CLI_DONE)
        code = pick_model(cli, &h, &model, &path);
    if (code == CLI_DONE && cli_given(cli, "days")) {
        if (t.from_us == INT64_MIN)
            code = cli_usage(cli, "--days counts from --from: give it too");
        else
            t.to_us = MIN_OF(t.to_us, t.from_us + (int64_t)cli_count(cli, "days", 7) * US_DAY);
    }
    if (code == CLI_DONE) {
        h.until_us = t.to_us;
        if (h.policy->model_count)
            t.types = h.policy->models[model].types;
        enum keer_err err = collect_init(&t.rows, h.policy);
        code = err == KEER_OK ? history_run(&h, cli->args, cli->arg_count, on_event, &t)
                              : cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    }
    if (code == CLI_DONE && h.bad)
        cli_note(cli, NULL, "%llu bad lines left out", (unsigned long long)h.bad);
    (void)collect_labels(&t.rows);
    if (code == CLI_DONE)
        code = train_rows(cli, h.policy, &t, model, path.p);
    collect_release(&t.rows);
    buf_release(&path);
    history_close(&h);
    return code;
}
