/* cmd_replay.c - `keer replay`: decides every event of a history. */
#include <math.h>

#include "cli/history.h"

struct replay {
    struct io_out *out;
    struct io_out own, features;
    bool csv, has_features;
    unsigned reasons;
    struct buf line;
};

static double amount_of(const struct history *h)
{
    int slot = keer_schema_find(&h->policy->schema, "amount", 6);
    if (slot < 0)
        return NAN;
    return vm_amount(h->event, (unsigned)slot, &h->policy->conversions[0]) / currency_scale(h->policy->currency);
}

static struct slice account_of(const struct history *h)
{
    int slot = keer_schema_find(&h->policy->schema, "account", 7);
    return slot >= 0 && event_has(h->event, (unsigned)slot) ? event_text(h->event, (unsigned)slot) : slice_of(NULL, 0);
}

static void put_rules(const struct history *h, const struct keer_decision *d, struct buf *b, bool json)
{
    for (unsigned i = 0; i < MIN_OF(d->fired_count, (unsigned)KEER_FIRED_MAX); i++) {
        buf_puts(b, i ? (json ? "," : ";") : "");
        struct slice name = h->policy->rules[d->fired[i]].name;
        if (json)
            buf_json(b, name);
        else
            buf_slice(b, name);
    }
}

static void put_degraded(const struct keer_decision *d, struct buf *b, const char *quote, const char *comma)
{
    unsigned flag, n = 0;
    for (unsigned i = 0; engine_degraded_word(i, &flag); i++)
        if (d->degraded & flag)
            buf_fmt(b, "%s%s%s%s", n++ ? comma : "", quote, engine_degraded_word(i, &flag), quote);
}

/* Scores are printed to nine decimals. */
static void put_score(struct buf *b, double score) { buf_f64(b, isnan(score) ? score : rint(score * 1e9) / 1e9); }

/* The model's reasons stand with what was not simply allowed: TreeSHAP costs more than the decision. */
static enum keer_err put_reasons(struct history *h, const struct keer_decision *d, unsigned reasons, struct buf *ret)
{
    if (!reasons || (d->outcome == KEER_ALLOW && !d->review))
        return KEER_OK;
    return engine_top_reasons(h->engine, h->event, reasons, ret);
}

static void decision_json(struct replay *r, struct history *h, const struct keer_decision *d)
{
    struct buf *b = &r->line, reasons;
    const struct keer_event *ev = h->event;
    buf_puts(b, "{\"id\":");
    buf_json(b, ev->id);
    buf_puts(b, ",\"time\":\"");
    time_print(b, ev->time_us);
    buf_puts(b, "\",\"type\":");
    buf_json(b, event_type_name(ev->schema, ev->type));
    buf_puts(b, ",\"outcome\":\"");
    buf_puts(b, keer_outcome_name(d->outcome));
    buf_puts(b, d->review ? "\",\"review\":true,\"score\":" : "\",\"review\":false,\"score\":");
    put_score(b, d->score);
    buf_puts(b, ",\"rules\":[");
    put_rules(h, d, b, true);
    buf_puts(b, "],\"reasons\":[");
    buf_init(&reasons, 8192); /* allocates nothing while it stays empty */
    if (put_reasons(h, d, r->reasons, &reasons) != KEER_OK)
        b->err = KEER_ENOMEM;
    struct slice rest = buf_view(&reasons);
    for (bool first = true; rest.p; first = false) {
        buf_puts(b, first ? "" : ",");
        buf_json(b, slice_cut(&rest, ','));
    }
    buf_release(&reasons);
    buf_puts(b, "],\"degraded\":[");
    put_degraded(d, b, "\"", ",");
    buf_puts(b, "],\"account\":");
    if (account_of(h).p)
        buf_json(b, account_of(h));
    else
        buf_puts(b, "null");
    buf_puts(b, ",\"amount\":");
    buf_f64(b, amount_of(h));
    if (!isnan(amount_of(h)))
        buf_fmt(b, ",\"currency\":\"%s\"", currency_code(h->policy->currency));
    if (ev->label != KEER_LABEL_NONE && !ev->has_target) {
        buf_fmt(b, ",\"fraud\":%s,\"scenario\":", ev->label == KEER_LABEL_FRAUD ? "true" : "false");
        buf_json(b, ev->scenario);
    }
    buf_puts(b, "}\n");
}

#define DECISION_COLUMNS "id,time,type,outcome,review,score,rules,reasons,degraded,account,amount,currency,fraud,scenario\n"
static void decision_csv(struct replay *r, struct history *h, const struct keer_decision *d)
{
    struct buf *b = &r->line, reasons;
    const struct keer_event *ev = h->event;
    buf_csv(b, ev->id);
    buf_char(b, ',');
    time_print(b, ev->time_us);
    buf_char(b, ',');
    buf_csv(b, event_type_name(ev->schema, ev->type));
    buf_fmt(b, ",%s,%d,", keer_outcome_name(d->outcome), d->review);
    if (!isnan(d->score))
        put_score(b, d->score);
    buf_char(b, ',');
    put_rules(h, d, b, false);
    buf_char(b, ',');
    buf_init(&reasons, 8192);
    if (put_reasons(h, d, r->reasons, &reasons) != KEER_OK)
        b->err = KEER_ENOMEM;
    for (size_t i = 0; i < reasons.len; i++)
        buf_char(b, reasons.p[i] == ',' ? ';' : reasons.p[i]);
    buf_release(&reasons);
    buf_char(b, ',');
    put_degraded(d, b, "", ";");
    buf_char(b, ',');
    buf_csv(b, account_of(h));
    buf_char(b, ',');
    double amount = amount_of(h);
    if (!isnan(amount))
        buf_f64(b, amount);
    buf_char(b, ',');
    if (!isnan(amount))
        buf_puts(b, currency_code(h->policy->currency));
    buf_char(b, ',');
    if (ev->label != KEER_LABEL_NONE && !ev->has_target)
        buf_fmt(b, "%d,", ev->label == KEER_LABEL_FRAUD);
    else
        buf_char(b, ',');
    buf_csv(b, ev->scenario);
    buf_char(b, '\n');
}

static void features_header(const struct keer_policy *p, struct buf *b)
{
    buf_puts(b, "id,time,fraud");
    for (unsigned i = 0; i < p->feature_count; i++) {
        buf_char(b, ',');
        buf_csv(b, p->features[i].node->name);
    }
    buf_char(b, '\n');
}

static void features_line(struct history *h, struct buf *b)
{
    const struct keer_policy *p = h->policy;
    buf_csv(b, h->event->id);
    buf_char(b, ',');
    time_print(b, h->event->time_us);
    buf_puts(b, h->event->label == KEER_LABEL_NONE ? "," : h->event->label == KEER_LABEL_FRAUD ? ",1" : ",0");
    for (unsigned i = 0; i < p->feature_count; i++) {
        const struct policy_feature *f = &p->features[i];
        buf_char(b, ',');
        double v = h->engine->registers[f->reg] / f->unit;
        if (f->text)
            buf_csv(b, engine_feature_text(h->engine, h->event, i));
        else if (!isnan(v))
            buf_f64(b, v);
    }
    buf_char(b, '\n');
}

static enum history_next on_event(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    struct replay *r = ctx;
    buf_clear(&r->line);
    (r->csv ? decision_csv : decision_json)(r, h, d);
    io_out_put(r->out, buf_view(&r->line));
    enum keer_err err = r->line.err != KEER_OK ? r->line.err : r->out->err;
    /* Where the policy has models, features are computed for the events that one of them scores. */
    const struct keer_policy *p = h->policy;
    bool scored = !p->model_count || p->plans[h->event->type].models;
    if (r->has_features && scored && err == KEER_OK) {
        buf_clear(&r->line);
        features_line(h, &r->line);
        io_out_put(&r->features, buf_view(&r->line));
        err = r->line.err != KEER_OK ? r->line.err : r->features.err;
    }
    if (err == KEER_OK)
        return HISTORY_GO;
    if (r->out->err != KEER_OK && r->out == &h->cli->out)
        return HISTORY_STOP; /* told when standard output is finished */
    const char *why = r->out->err ? r->out->why.text : r->features.err ? r->features.why.text : keer_err_text(err);
    *ret_exit = cli_fail(h->cli, cli_exit_of(err), err, "%s", why);
    return HISTORY_FAILED;
}

static int replay_models(struct cli *cli, struct history *h)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < cli_values(cli, "model") && code == CLI_DONE; i++) {
        struct slice path = cli_text_at(cli, "model", i), name = {NULL, 0};
        if (memchr(path.p, '=', path.len))
            name = slice_cut(&path, '=');
        code = policy_use_model(cli, h->policy, name, path.p);
    }
    return code;
}

static int open_outputs(struct cli *cli, struct history *h, struct replay *r)
{
    struct io_why why = {""};
    const char *out = cli_text(cli, "out"), *features = cli_text(cli, "features");
    enum keer_err err = KEER_OK;
    r->out = &cli->out;
    if (strcmp(out, "-") != 0) {
        err = io_out_open(&r->own, out, &why);
        r->out = &r->own;
    }
    if (err == KEER_OK && features) {
        if (!h->policy->feature_count)
            return cli_usage(cli, "--features: the policy has no `features` statement");
        err = io_out_open(&r->features, features, &why);
        r->has_features = true;
    }
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    if (r->csv)
        io_out_puts(r->out, DECISION_COLUMNS);
    if (r->has_features) {
        features_header(h->policy, &r->line);
        io_out_put(&r->features, buf_view(&r->line));
    }
    return CLI_DONE;
}

static int state_load(struct cli *cli, struct history *h)
{
    const char *path = cli_text(cli, "state-in");
    struct buf data;
    struct io_why why;
    if (!path)
        return CLI_DONE;
    buf_init(&data, SIZE_MAX / 2);
    enum keer_err err = io_slurp(&data, path, &why);
    if (err != KEER_OK) {
        buf_release(&data);
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    }
    err = keer_engine_load(h->engine, data.p ? data.p : "", data.len);
    buf_release(&data);
    if (err == KEER_OK)
        return CLI_DONE;
    return cli_fail(cli, CLI_IO, err, "%s: %s", path,
                    err == KEER_EVERSION ? "the state of another policy" : "not a state of windows, or damaged");
}

static int state_save(struct cli *cli, struct history *h)
{
    const char *path = cli_text(cli, "state-out");
    struct io_out out = {0};
    struct io_why why = {"out of memory"};
    char *data;
    size_t len;
    if (!path)
        return CLI_DONE;
    enum keer_err err = keer_engine_save(h->engine, &data, &len);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    err = io_out_open(&out, path, &why);
    if (err == KEER_OK) {
        io_out_put(&out, slice_of(data, len));
        err = io_out_commit(&out, &why);
    }
    free(data);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

static int commit(struct cli *cli, struct io_out *out)
{
    struct io_why why;
    enum keer_err err = io_out_commit(out, &why);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}

int cmd_replay(struct cli *cli)
{
    struct history h;
    struct replay r = {.csv = cli_choice(cli, "out-format") == 1, .reasons = (unsigned)cli_count(cli, "reasons", 3)};
    bool models = cli_flag(cli, "no-model") || cli_values(cli, "model");
    buf_init(&r.line, (size_t)1 << 20);
    int code = history_open(cli, cli_text(cli, "policy"),
                            KEER_POLICY_WITHOUT_EXAMPLES | (models ? KEER_POLICY_WITHOUT_MODELS : 0), &h);
    if (code == CLI_DONE)
        code = replay_models(cli, &h);
    if (code == CLI_DONE)
        code = history_engine(&h, cli_count(cli, "memory", 0));
    if (code == CLI_DONE)
        code = state_load(cli, &h);
    if (code == CLI_DONE)
        code = open_outputs(cli, &h, &r);
    h.limit = cli_count(cli, "limit", 0);
    if (code == CLI_DONE)
        code = history_run(&h, cli->args, cli->arg_count, on_event, &r);
    if (code == CLI_DONE && r.out == &r.own)
        code = commit(cli, &r.own);
    if (code == CLI_DONE && r.has_features)
        code = commit(cli, &r.features);
    if (code == CLI_DONE)
        code = state_save(cli, &h);
    if (code == CLI_DONE)
        history_summary(&h);
    io_out_abandon(&r.own);
    io_out_abandon(&r.features);
    buf_release(&r.line);
    history_close(&h);
    return code;
}
