/* history.c - policies from files, and inputs through an engine. */
#include "cli/history.h"

#include <errno.h>

/* --- policies --- */

struct folder {
    struct cli *cli;
    const char *policy_path;
};

/* Files that a policy names are looked up beside the policy. */
static enum keer_err folder_read(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const struct folder *f = ctx;
    struct buf name, data;
    struct io_why why;
    const char *slash = strrchr(f->policy_path, '/');
    buf_init(&name, 8192);
    if (path[0] != '/' && slash)
        buf_put(&name, f->policy_path, (size_t)(slash - f->policy_path) + 1);
    buf_puts(&name, path);
    buf_init(&data, LIMIT_LIST_BYTES);
    enum keer_err err = name.err != KEER_OK ? name.err : io_slurp(&data, name.p, &why);
    buf_release(&name);
    if (err != KEER_OK) {
        buf_release(&data);
        return err;
    }
    if (!data.p)
        buf_puts(&data, "");
    *ret_data = data.p;
    *ret_len = data.len;
    return data.err;
}

/* Diagnostics go to stderr as they are, or as one JSON object. */
static void tell_diags(struct cli *cli, struct keer_policy *p, bool quiet_warnings)
{
    struct buf out;
    if (!p->diags.count || (quiet_warnings && !p->diags.errors))
        return;
    buf_init(&out, (size_t)1 << 20);
    if (cli->json) {
        buf_puts(&out, "{\"policy\":");
        diags_json(&p->diags, &out);
        buf_puts(&out, "}\n");
    } else {
        diags_print(&p->diags, &out);
    }
    if (out.p && !(cli->quiet && !p->diags.errors))
        (void)fwrite(out.p, 1, out.len, stderr);
    buf_release(&out);
}

int policy_open(struct cli *cli, const char *path, unsigned flags, bool quiet_warnings, struct keer_policy **ret_policy)
{
    struct source source = {0};
    int code = policy_open_source(cli, path, flags, quiet_warnings, ret_policy, &source);
    source_release(&source);
    return code;
}

int policy_open_source(struct cli *cli, const char *path, unsigned flags, bool quiet_warnings,
                       struct keer_policy **ret_policy, struct source *ret_source)
{
    struct buf text;
    struct io_why why;
    struct keer_policy *p = NULL;
    struct folder folder = {cli, path};
    struct keer_files files = {&folder, folder_read};
    buf_init(&text, (size_t)LIMIT_POLICY_BYTES + 1);
    enum keer_err err = io_slurp(&text, path, &why);
    if (err != KEER_OK) {
        buf_release(&text);
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    }
    err = source_policy(path, buf_view(&text), &files, flags, ret_source, &p);
    buf_release(&text);
    if (p)
        tell_diags(cli, p, quiet_warnings);
    if (err == KEER_OK) {
        *ret_policy = p;
        return CLI_DONE;
    }
    unsigned errors = p ? p->diags.errors - p->diags.repeated : 0;
    keer_policy_free(p);
    if (err == KEER_ENOMEM || !errors)
        return cli_fail(cli, cli_exit_of(err), err, "%s: %s", path, keer_err_text(err));
    return cli_fail(cli, CLI_FINDINGS, err, "%s: %u error%s", path, errors, errors == 1 ? "" : "s");
}

int policy_use_model(struct cli *cli, struct keer_policy *p, struct slice name, const char *path)
{
    unsigned m = 0;
    while (name.p && m < p->model_count && !slice_eq(p->models[m].stmt->name, name))
        m++;
    if (name.p && m >= p->model_count)
        return cli_usage(cli, "--model: the policy has no model '%.*s'", SLICE_ARG(name));
    if (!name.p && p->model_count != 1)
        return cli_usage(cli, "--model: the policy has %u models: write NAME=FILE", p->model_count);
    struct buf json;
    struct io_why why;
    buf_init(&json, LIMIT_MODEL_BYTES);
    enum keer_err err = io_slurp(&json, path, &why);
    if (err != KEER_OK) {
        buf_release(&json);
        return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    }
    err = policy_bind_model(p, m, buf_view(&json));
    buf_release(&json);
    if (err == KEER_OK)
        return CLI_DONE;
    const char *what = p->diags.count ? p->diags.item[p->diags.count - 1].what : keer_err_text(err);
    return cli_fail(cli, CLI_IO, err, "%s: %s", path, what);
}

/* --- opening --- */

static int open_mapping(struct history *h, const char *path)
{
    struct io_why why;
    struct mapping_errors errors;
    buf_init(&h->mapping_text, LIMIT_MAPPING_BYTES);
    enum keer_err err = io_slurp(&h->mapping_text, path, &why);
    if (err != KEER_OK)
        return cli_fail(h->cli, cli_exit_of(err), err, "%s", why.text);
    err = mapping_parse(buf_view(&h->mapping_text), &h->mapping, &errors);
    if (err == KEER_OK)
        return CLI_DONE;
    for (unsigned i = 0; i < errors.count && !h->cli->json && i + 1 < errors.count; i++) {
        struct buf b;
        struct mapping_errors one = {.count = 1};
        one.list[0] = errors.list[i];
        buf_init(&b, 8192);
        mapping_print_errors(&b, slice_str(path), buf_view(&h->mapping_text), &one);
        if (b.p)
            (void)fputs(b.p, stderr);
        buf_release(&b);
    }
    if (!errors.count)
        return cli_fail(h->cli, cli_exit_of(err), err, "%s: %s", path, keer_err_text(err));
    const struct mapping_error *last = &errors.list[errors.count - 1];
    struct cli_place place = {path, last->line, last->column, last->hint[0] ? last->hint : NULL};
    return cli_fail_at(h->cli, CLI_BAD_INPUT, err, &place, "%s", last->what);
}

int history_open(struct cli *cli, const char *policy_path, unsigned flags, struct history *ret_h)
{
    struct history *h = ret_h;
    struct io_why why;
    *h = (struct history){.cli = cli, .until_us = INT64_MAX};
    int code = policy_open(cli, policy_path, flags, true, &h->policy);
    if (code != CLI_DONE)
        return code;
    const char *mapping = cli_text(cli, "mapping");
    if (mapping && (code = open_mapping(h, mapping)) != CLI_DONE)
        return code;
    h->collects = cli_choice(cli, "on-error") == 2;
    const char *bad = cli_text(cli, "bad-lines");
    if (h->collects != (bad != NULL))
        return cli_usage(cli, "--on-error=collect and --bad-lines=FILE go together");
    if (bad) {
        enum keer_err err = io_out_open(&h->bad_lines, bad, &why);
        if (err != KEER_OK)
            return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
    }
    enum keer_err err = keer_event_new(&h->policy->schema, &h->event);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", keer_err_text(err));
}

int history_engine(struct history *h, uint64_t memory_max)
{
    struct keer_engine_options options = {.memory_max = memory_max};
    enum keer_err err = keer_engine_new(h->policy, &options, &h->engine);
    return err == KEER_OK ? CLI_DONE : cli_fail(h->cli, cli_exit_of(err), err, "%s", keer_err_text(err));
}

void history_close(struct history *h)
{
    io_out_abandon(&h->bad_lines);
    keer_event_free(h->event);
    keer_engine_free(h->engine);
    mapping_free(h->mapping);
    buf_release(&h->mapping_text);
    keer_policy_free(h->policy);
    *h = (struct history){0};
}

/* --- running --- */

static enum input_format format_of(const struct history *h, struct slice first)
{
    unsigned choice = cli_choice(h->cli, "format"); /* csv|ndjson|auto */
    if (choice < 2)
        return choice == 0 ? INPUT_CSV : INPUT_NDJSON;
    if (h->mapping && h->mapping->format != INPUT_ANY)
        return h->mapping->format;
    first = slice_trim(first);
    return first.len && first.p[0] == '{' ? INPUT_NDJSON : INPUT_CSV;
}

static int bad_line(struct history *h, const char *path, const struct input_error *e, bool fatal)
{
    struct cli_place place = {path, e->line, e->column, e->hint[0] ? e->hint : NULL};
    if (fatal || cli_choice(h->cli, "on-error") == 0)
        return cli_fail_at(h->cli, fatal && e->code == KEER_ENOMEM ? CLI_RESOURCES : CLI_BAD_INPUT, e->code, &place, "%s",
                           e->what);
    h->bad++;
    if (!h->collects)
        return CLI_DONE;
    struct buf b;
    buf_init(&b, (size_t)8 * LIMIT_LINE_BYTES);
    buf_puts(&b, "{\"file\":");
    buf_json(&b, slice_str(path));
    buf_fmt(&b, ",\"line\":%llu,\"column\":%u,\"what\":", (unsigned long long)e->line, e->column);
    buf_json(&b, slice_str(e->what));
    buf_puts(&b, ",\"text\":");
    buf_json(&b, e->text);
    buf_puts(&b, "}\n");
    io_out_put(&h->bad_lines, buf_view(&b));
    enum keer_err err = b.err != KEER_OK ? b.err : h->bad_lines.err;
    buf_release(&b);
    return err == KEER_OK ? CLI_DONE
                          : cli_fail(h->cli, cli_exit_of(err), err, "%s",
                                     h->bad_lines.err ? h->bad_lines.why.text : keer_err_text(err));
}

struct running {
    struct history *h;
    const char *path;
    struct io_in in;
    struct input *input;
    history_fn *fn;
    void *ctx;
    bool stop;
};

static int event_done(struct running *r)
{
    struct history *h = r->h;
    struct keer_decision d;
    int code = CLI_DONE;
    if (h->event->time_us >= h->until_us) {
        r->stop = true;
        return CLI_DONE;
    }
    enum keer_err err = keer_engine_decide(h->engine, h->event, &d);
    if (err != KEER_OK)
        return cli_fail(h->cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    h->events++;
    h->labels += event_type_is_label(h->event->type);
    h->by_outcome[d.outcome]++;
    h->degraded += d.degraded != 0;
    enum history_next next = r->fn(r->ctx, h, &d, &code);
    r->stop = next != HISTORY_GO || (h->limit && h->events >= h->limit);
    if ((h->events & 4095) == 0)
        progress_at(&h->cli->progress, h->events, io_position(&r->in), r->in.size);
    return next == HISTORY_FAILED ? code : CLI_DONE;
}

/* All records that the chunk at hand completes. */
static int take_records(struct running *r)
{
    for (;;) {
        struct input_error e;
        int code = CLI_DONE;
        switch (input_next(r->input, r->h->event, &e)) {
        case INPUT_EVENT: code = event_done(r); break;
        case INPUT_BAD: code = bad_line(r->h, r->in.path, &e, false); break;
        case INPUT_FAILED: return bad_line(r->h, r->in.path, &e, true);
        case INPUT_MORE:
        case INPUT_END:
        case INPUT_RESULT_MAX: return CLI_DONE;
        }
        if (code != CLI_DONE || r->stop)
            return code;
    }
}

static int run_file(struct running *r)
{
    struct history *h = r->h;
    struct io_why why;
    struct slice chunk;
    struct input_error ie;
    int code = CLI_DONE;
    bool last = false;
    enum keer_err err = io_open(&r->in, r->path, &why);
    if (err != KEER_OK)
        return cli_fail(h->cli, cli_exit_of(err), err, "%s", why.text);
    while (code == CLI_DONE && !last && !r->stop) {
        err = io_read(&r->in, &chunk, &why);
        if (err != KEER_OK) {
            code = cli_fail(h->cli, cli_exit_of(err), err, "%s", why.text);
            break;
        }
        last = chunk.len == 0;
        if (!r->input) {
            struct input_options o = {.format = format_of(h, chunk), .mapping = h->mapping};
            err = input_new(&h->policy->schema, &o, &r->input, &ie);
            if (err != KEER_OK) {
                code = bad_line(h, r->in.path, &ie, true);
                break;
            }
        }
        err = input_feed(r->input, chunk, last);
        code = err == KEER_OK ? take_records(r) : cli_fail(h->cli, cli_exit_of(err), err, "%s", keer_err_text(err));
    }
    struct slice skipped;
    for (unsigned i = 0; r->input && code == CLI_DONE && input_skipped(r->input, i, &skipped); i++)
        cli_note(h->cli, NULL, "the mapping sets '%.*s', which is no attribute here: left out", SLICE_ARG(skipped));
    input_free(r->input);
    r->input = NULL;
    io_close(&r->in);
    return code;
}

int history_run(struct history *h, const char *const *inputs, unsigned count, history_fn *fn, void *ctx)
{
    int code = h->engine ? CLI_DONE : history_engine(h, 0);
    struct running r = {.h = h, .fn = fn, .ctx = ctx};
    progress_start(&h->cli->progress, "events", "events");
    for (unsigned i = 0; i < count && code == CLI_DONE && !r.stop; i++) {
        r.path = inputs[i];
        code = run_file(&r);
    }
    progress_hide(&h->cli->progress);
    if (code == CLI_DONE && h->collects) {
        struct io_why why;
        enum keer_err err = io_out_commit(&h->bad_lines, &why);
        if (err != KEER_OK)
            code = cli_fail(h->cli, cli_exit_of(err), err, "%s", why.text);
    }
    return code;
}

static void summary_json(const struct history *h, const struct win_stats *st, struct buf *b)
{
    const struct {
        const char *name;
        uint64_t value;
    } rest[] = {{"bad_lines", h->bad},
                {"late", st->late},
                {"degraded", h->degraded},
                {"entities", st->entities},
                {"remembered", st->rows},
                {"bytes", st->bytes},
                {"evicted", st->evicted},
                {"merged", st->thinned},
                {"labels_applied", st->labels_applied},
                {"labels_unknown", st->labels_unknown}};
    buf_fmt(b, "{\"summary\":{\"events\":%llu,\"outcomes\":{", (unsigned long long)h->events);
    for (unsigned o = 0; o < KEER_OUTCOME_MAX; o++)
        buf_fmt(b, "%s\"%s\":%llu", o ? "," : "", keer_outcome_name((enum keer_outcome)o),
                (unsigned long long)h->by_outcome[o]);
    buf_char(b, '}');
    for (unsigned i = 0; i < ARRAY_LEN(rest); i++)
        buf_fmt(b, ",\"%s\":%llu", rest[i].name, (unsigned long long)rest[i].value);
    buf_puts(b, "}}\n");
}

void history_summary(struct history *h)
{
    struct buf b;
    struct win_stats st = {0};
    if (h->engine)
        engine_stats(h->engine, &st);
    buf_init(&b, 4096);
    if (h->cli->json) {
        summary_json(h, &st, &b);
        if (!h->cli->quiet)
            (void)fputs(b.p ? b.p : "", stderr);
        buf_release(&b);
        return;
    }
    progress_number(&b, h->events);
    buf_puts(&b, " events:");
    for (unsigned o = 0; o < KEER_OUTCOME_MAX; o++) {
        buf_fmt(&b, " %s ", keer_outcome_name((enum keer_outcome)o));
        progress_number(&b, h->by_outcome[o]);
    }
    buf_puts(&b, "; bad lines ");
    progress_number(&b, h->bad);
    buf_fmt(&b, "; late %llu, degraded %llu; windows: %llu entities, %llu events remembered, %.1f MB",
            (unsigned long long)st.late, (unsigned long long)h->degraded, (unsigned long long)st.entities,
            (unsigned long long)st.rows, (double)st.bytes / 1e6);
    if (st.evicted || st.thinned)
        buf_fmt(&b, ", evicted %llu, merged %llu", (unsigned long long)st.evicted, (unsigned long long)st.thinned);
    cli_note(h->cli, NULL, "%s", b.p ? b.p : "");
    buf_release(&b);
}
