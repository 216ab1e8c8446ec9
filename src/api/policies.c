/* policies.c - /v1/policies and /v1/lists: versions of the policy, checked, kept, shadowed, promoted, rolled back.
 *
 * What waits for another thread (a commit, the engine, a follower) suspends its exchange; `struct job` is what it waits
 * with, and lives in x->data until the answer has left.
 */
#include "api/body.h"
#include "base/timefmt.h"

#define DAYS_MAX 3660.0

struct job {
    struct http_exchange *x;
    struct write_task task;
    struct promotion promotion;
    struct follower *follower;
    enum keer_err err;
    struct source source;
    struct crypto_hash hash;
    struct buf name;
    int64_t number, since_us;
    bool then_promote; /* a list: the new version is shadowed and takes over */
    struct db_why why;
};

void policies_release(struct http_exchange *x)
{
    struct job *j = x->data;
    if (!j)
        return;
    follower_free(j->follower);
    source_release(&j->source);
    buf_release(&j->name);
    free(j);
}

static struct job *job_new(struct http_exchange *x)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return NULL;
    }
    j->x = x;
    buf_init(&j->name, LIMIT_TEXT_BYTES);
    x->data = j;
    return j;
}

/* The number in the path; 0 when the problem was told. */
static int64_t number_in_path(struct http_exchange *x)
{
    uint64_t n = 0;
    if (num_u64(buf_view(&x->id), 1, INT64_MAX, &n) != KEER_OK)
        http_problem(x, HTTP_NOT_FOUND, "a version's number was expected in the path");
    return (int64_t)n;
}

static void refuse(struct http_exchange *x, enum keer_err err, const char *why)
{
    switch (err) {
    case KEER_EMISSING: http_problem(x, HTTP_NOT_FOUND, "%s", why); return;
    case KEER_ECONFLICT: http_problem(x, HTTP_WRONG_STATE, "this version decides already"); return;
    case KEER_EFULL: http_problem(x, HTTP_NOT_READY, "it is still building"); return;
    case KEER_EUNSUPPORTED: http_problem(x, HTTP_STARTING, "%s", ""); return;
    case KEER_ENOMEM: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    default: http_problem(x, HTTP_INTERNAL, "%s", why); return;
    }
}

/* --- reading a policy of a body --- */

/* Text and files of {"policy": text, "files": {name: content}}, and its name. */
static bool read_source(struct http_exchange *x, struct api_body *b, struct job *j)
{
    struct slice text, name = SLICE("policy");
    uint32_t files = 0;
    if (!api_body_text(x, b, "policy", true, &text) || !api_body_line(x, b, "name", false, LIMIT_TEXT_BYTES, &name) ||
        !api_body_object(x, b, "files", &files))
        return false;
    if (text.len > LIMIT_POLICY_BYTES) {
        http_problem(x, HTTP_BAD_BODY, "policy: more than %u bytes", LIMIT_POLICY_BYTES);
        return false;
    }
    buf_slice(&j->name, name);
    enum keer_err err = source_add(&j->source, SLICE(""), text);
    for (uint32_t i = files + 1; err == KEER_OK && files && i < b->tape.v[files].next; i += 2) {
        if (tape_type(&b->tape, i + 1) != TAPE_STRING) {
            http_problem(x, HTTP_BAD_BODY, "files: '%.*s' is not a text", SLICE_ARG(tape_text(&b->tape, i)));
            return false;
        }
        err = source_add(&j->source, tape_text(&b->tape, i), tape_text(&b->tape, i + 1));
    }
    if (err != KEER_OK)
        http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_BAD_BODY, "files: %s", keer_err_text(err));
    return err == KEER_OK;
}

/* Compiles what is in j->source, which then holds what the policy reads and nothing else. The messages go to `messages`. */
static enum keer_err compile(struct job *j, struct buf *messages)
{
    struct source read = {0};
    struct keer_policy *p = NULL;
    struct keer_files files = source_files(&j->source);
    enum keer_err err = source_policy(j->name.p, j->source.part[0].content, &files, 0, &read, &p);
    if (p)
        diags_json(&p->diags, messages);
    keer_policy_free(p);
    source_release(&j->source);
    j->source = read;
    if (err == KEER_OK)
        source_hash(&j->source, &j->hash);
    return err == KEER_OK ? messages->err : err;
}

/* A problem document with the messages of the policy. */
static void bad_policy(struct http_exchange *x, const struct buf *messages)
{
    http_problem(x, HTTP_BAD_POLICY, "%s", "");
    if (x->reply.len > 2 && x->reply.err == KEER_OK) {
        x->reply.len -= 2; /* "}\n" */
        buf_puts(&x->reply, ",\"messages\":");
        buf_slice(&x->reply, buf_view(messages));
        buf_puts(&x->reply, "}\n");
        x->fixed = buf_view(&x->reply);
    }
}

/* True when it compiles; else it has been told, with `messages` empty or not. */
static bool compiles(struct http_exchange *x, struct job *j, struct buf *messages)
{
    enum keer_err err = compile(j, messages);
    if (err == KEER_ENOMEM)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (err != KEER_OK)
        bad_policy(x, messages);
    return err == KEER_OK;
}

void policies_check(struct http_exchange *x)
{
    struct api_body b = {0};
    struct buf messages;
    struct job *j = job_new(x);
    buf_init(&messages, (size_t)1 << 19);
    if (j && api_body_read(x, &b, "policy name files") && read_source(x, &b, j) && compiles(x, j, &messages)) {
        char text[CRYPTO_TEXT_BYTES];
        crypto_text(&j->hash, text);
        buf_fmt(&x->reply, "{\"ok\":true,\"hash\":\"%s\",\"messages\":", text);
        buf_slice(&x->reply, buf_view(&messages));
        buf_puts(&x->reply, "}\n");
        http_reply(x, 200, HTTP_JSON);
    }
    buf_release(&messages);
    api_body_release(&b);
}

/* --- keeping one --- */

static enum keer_err put_run(struct db *db, struct write_task *t)
{
    struct job *j = t->ctx;
    struct api *a = j->x->ctx;
    return policies_put(db, &j->hash, buf_view(&j->name), j->source.part, j->source.count, a->wall_us(), &j->number);
}

static void write_done(struct write_task *t, enum keer_err err)
{
    struct job *j = t->ctx;
    j->err = err;
    http_resume(j->x);
}

/* Hands j->task to the writer; the exchange waits. */
static void write_job(struct http_exchange *x, struct job *j)
{
    struct api *a = x->ctx;
    j->task.done = write_done;
    j->task.ctx = j;
    http_suspend(x); /* before: it may be done at once */
    enum keer_err err = decider_write(a->decider, &j->task);
    if (err != KEER_OK) {
        j->err = err;
        http_resume(x);
    }
}

void policies_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct buf messages;
    struct job *j = job_new(x);
    buf_init(&messages, (size_t)1 << 19);
    if (j && api_body_read(x, &b, "policy name files") && read_source(x, &b, j) && compiles(x, j, &messages)) {
        j->task.run = put_run;
        write_job(x, j);
    }
    buf_release(&messages);
    api_body_release(&b);
}

void policies_kept(struct http_exchange *x)
{
    struct job *j = x->data;
    struct api *a = x->ctx;
    char text[CRYPTO_TEXT_BYTES];
    if (j->err == KEER_OK && j->then_promote)
        j->err = decider_shadow(a->decider, j->number, a->wall_us(), true, &j->why);
    if (j->err != KEER_OK) {
        refuse(x, j->err, j->why.text);
        return;
    }
    crypto_text(&j->hash, text);
    buf_fmt(&x->reply, "{\"id\":%lld,\"hash\":\"%s\",\"name\":", (long long)j->number, text);
    buf_json(&x->reply, buf_view(&j->name));
    buf_puts(&x->reply, j->then_promote ? ",\"takes_over\":\"when built\"}\n" : "}\n");
    http_reply(x, 200, HTTP_JSON);
}

/* --- looking --- */

static void put_time(struct buf *out, const char *name, int64_t us)
{
    buf_fmt(out, ",\"%s\":\"", name);
    time_print(out, us);
    buf_char(out, '"');
}

struct listing {
    struct buf *out;
    int64_t deciding;
    struct shadow_view view;
    bool told;
};

static const char *standing(const struct listing *l, int64_t number)
{
    return number == l->deciding ? "deciding" : number == l->view.number ? "shadow" : "kept";
}

static enum keer_err list_row(void *ctx, const struct policy_row *row)
{
    struct listing *l = ctx;
    char text[CRYPTO_TEXT_BYTES];
    crypto_text(&row->hash, text);
    buf_fmt(l->out, "%s\n{\"id\":%lld,\"hash\":\"%s\",\"state\":\"%s\",\"name\":", l->told ? "," : "",
            (long long)row->number, text, standing(l, row->number));
    buf_json(l->out, slice_str(row->name));
    put_time(l->out, "since", row->since_us);
    buf_char(l->out, '}');
    l->told = true;
    return l->out->err;
}

static void listing_for(struct api *a, struct buf *out, struct listing *ret)
{
    *ret = (struct listing){.out = out, .deciding = decider_version(a->decider)->number};
    decider_shadow_view(a->decider, &ret->view);
}

void policies_list(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct listing l;
    listing_for(a, &x->reply, &l);
    buf_puts(&x->reply, "{\"policies\":[");
    enum keer_err err = policies_each(decider_reader_take(a->decider), list_row, &l);
    decider_reader_give(a->decider);
    if (err != KEER_OK) {
        refuse(x, err, "the versions can't be read");
        return;
    }
    buf_puts(&x->reply, "\n]}\n");
    http_reply(x, 200, HTTP_JSON);
}

static enum keer_err take_part(void *ctx, const struct policy_part *part)
{
    return source_add(ctx, part->name, part->content);
}

/* The parts of a version, in `ret_source`; false when it was told why not. */
static bool load_source(struct http_exchange *x, int64_t number, struct source *ret_source, struct policy_row *ret_row)
{
    struct api *a = x->ctx;
    struct db *db = decider_reader_take(a->decider);
    enum keer_err err = policies_get(db, number, ret_row);
    if (err == KEER_OK)
        err = policies_parts(db, number, take_part, ret_source);
    decider_reader_give(a->decider);
    if (err != KEER_OK)
        refuse(x, err, err == KEER_EMISSING ? "there is no version of that number" : "the version can't be read");
    return err == KEER_OK;
}

void policies_one(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct policy_row row;
    struct listing l;
    struct job *j = job_new(x);
    int64_t number = j ? number_in_path(x) : 0;
    if (!number || !load_source(x, number, &j->source, &row))
        return;
    listing_for(a, &x->reply, &l);
    (void)list_row(&l, &row); /* its error is the buffer's */
    x->reply.len -= x->reply.len ? 1 : 0;
    buf_puts(&x->reply, ",\"policy\":");
    buf_json(&x->reply, j->source.count ? j->source.part[0].content : SLICE(""));
    buf_puts(&x->reply, ",\"files\":[");
    for (unsigned i = 1; i < j->source.count; i++) {
        buf_puts(&x->reply, i > 1 ? ",{\"name\":" : "{\"name\":");
        buf_json(&x->reply, j->source.part[i].name);
        buf_fmt(&x->reply, ",\"bytes\":%zu}", j->source.part[i].content.len);
    }
    buf_puts(&x->reply, "]}\n");
    http_reply(x, 200, HTTP_JSON);
}

/* --- shadow and comparison --- */

static void put_comparison(struct buf *out, const struct comparison *c)
{
    bool told = false;
    buf_fmt(out, ",\"events\":%llu,\"changed\":%llu,\"sides\":[", (unsigned long long)c->events,
            (unsigned long long)c->changed);
    for (unsigned was = 0; was < KEER_OUTCOME_MAX; was++)
        for (unsigned is = 0; is < KEER_OUTCOME_MAX; is++)
            if (c->sides[was][is]) {
                buf_fmt(out, "%s{\"was\":\"%s\",\"is\":\"%s\",\"events\":%llu}", told ? "," : "",
                        keer_outcome_name((enum keer_outcome)was), keer_outcome_name((enum keer_outcome)is),
                        (unsigned long long)c->sides[was][is]);
                told = true;
            }
    buf_puts(out, "],\"examples\":[");
    uint64_t n = MIN_OF(c->examples, (uint64_t)FOLLOWER_EXAMPLES);
    for (uint64_t i = 0; i < n; i++) { /* newest first */
        const struct follower_change *x = &c->example[(c->examples - 1 - i) % FOLLOWER_EXAMPLES];
        buf_puts(out, i ? ",{\"event\":" : "{\"event\":");
        buf_json(out, slice_str(x->id));
        buf_fmt(out, ",\"was\":\"%s\",\"is\":\"%s\"}", keer_outcome_name(x->was), keer_outcome_name(x->is));
    }
    buf_puts(out, "]}\n");
}

/* Rows decided since then are compared: {"days": n}, none given = from now on. */
static bool read_since(struct http_exchange *x, double days_default, int64_t *ret_since_us)
{
    struct api *a = x->ctx;
    struct api_body b = {0};
    double days = days_default;
    bool ok = api_body_read(x, &b, "days") && api_body_number(x, &b, "days", 0, DAYS_MAX, &days);
    api_body_release(&b);
    if (ok)
        *ret_since_us = a->wall_us() - (int64_t)(days * (double)US_DAY);
    return ok;
}

void policies_shadow(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct db_why why = {{0}};
    int64_t since_us = 0, number = number_in_path(x);
    if (!number || !read_since(x, 0, &since_us))
        return;
    enum keer_err err = decider_shadow(a->decider, number, since_us, false, &why);
    if (err != KEER_OK) {
        refuse(x, err, why.text);
        return;
    }
    buf_fmt(&x->reply, "{\"id\":%lld,\"state\":\"building\"}\n", (long long)number);
    http_reply(x, 200, HTTP_JSON);
}

void policies_shadow_end(struct http_exchange *x)
{
    struct api *a = x->ctx;
    decider_shadow_end(a->decider);
    http_reply_fixed(x, 200, HTTP_JSON, SLICE("{\"shadow\":null}\n"));
}

void policies_comparison(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct shadow_view v;
    int64_t number = number_in_path(x);
    if (!number)
        return;
    decider_shadow_view(a->decider, &v);
    if (v.number != number) {
        http_problem(x, HTTP_NOT_FOUND, "version %lld is not in shadow", (long long)number);
        return;
    }
    buf_fmt(&x->reply, "{\"id\":%lld,\"against\":%lld,\"state\":\"%s\",\"takes_over\":%s,\"seq\":%lld,\"behind\":%lld",
            (long long)number, (long long)decider_version(a->decider)->number, follower_state_name(v.state),
            v.promotes ? "true" : "false", (long long)v.seq,
            (long long)MAX_OF(decider_committed(a->decider) - v.seq, (int64_t)0));
    put_time(&x->reply, "since", v.since_us);
    put_comparison(&x->reply, &v.comparison);
    http_reply(x, 200, HTTP_JSON);
}

static void diff_ended(void *ctx)
{
    struct job *j = ctx;
    http_resume(j->x);
}

void policies_diff(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct job *j = job_new(x);
    int64_t number = j ? number_in_path(x) : 0;
    if (!number || !read_since(x, 30, &j->since_us))
        return;
    j->number = number;
    http_suspend(x);
    j->err = decider_backtest(a->decider, number, j->since_us, diff_ended, j, &j->follower, &j->why);
    if (j->err != KEER_OK)
        http_resume(x);
}

void policies_diffed(struct http_exchange *x)
{
    struct job *j = x->data;
    struct comparison c;
    if (j->err != KEER_OK || follower_state(j->follower) != FOLLOWER_ENDED) {
        refuse(x, j->err != KEER_OK ? j->err : KEER_EIO, j->why.text[0] ? j->why.text : "it could not decide the journal");
        return;
    }
    follower_compare(j->follower, &c);
    buf_fmt(&x->reply, "{\"id\":%lld,\"seq\":%lld", (long long)j->number, (long long)follower_seq(j->follower));
    put_time(&x->reply, "since", j->since_us);
    put_comparison(&x->reply, &c);
    http_reply(x, 200, HTTP_JSON);
}

/* --- promotion --- */

static void promoted(struct promotion *p, enum keer_err err)
{
    struct job *j = p->ctx;
    j->err = err;
    http_resume(j->x);
}

static void promote(struct http_exchange *x, struct job *j, int64_t number)
{
    struct api *a = x->ctx;
    j->promotion = (struct promotion){.number = number, .done = promoted, .ctx = j};
    (void)snprintf(j->promotion.who, sizeof j->promotion.who, "key %s", x->caller);
    http_suspend(x);
    enum keer_err err = decider_promote(a->decider, &j->promotion);
    if (err != KEER_OK) {
        j->err = err;
        http_resume(x);
    }
}

void policies_promote(struct http_exchange *x)
{
    struct job *j = job_new(x);
    int64_t number = j ? number_in_path(x) : 0;
    if (number)
        promote(x, j, number);
}

/* The version that decided before: it follows already when it has just been relieved, else it is built first. */
void policies_rollback(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct policy_turn before;
    struct shadow_view v;
    struct job *j = job_new(x);
    if (!j)
        return;
    enum keer_err err = policies_before(decider_reader_take(a->decider), decider_version(a->decider)->number, &before);
    decider_reader_give(a->decider);
    decider_shadow_view(a->decider, &v);
    if (err == KEER_OK && v.number == before.policy && v.state == FOLLOWER_FOLLOWING) {
        promote(x, j, 0);
        return;
    }
    if (err == KEER_OK)
        err = decider_shadow(a->decider, before.policy, a->wall_us(), true, &j->why);
    if (err != KEER_OK) {
        refuse(x, err, err == KEER_EMISSING ? "no other version has decided before" : j->why.text);
        return;
    }
    buf_fmt(&x->reply, "{\"id\":%lld,\"takes_over\":\"when built\"}\n", (long long)before.policy);
    http_reply(x, 200, HTTP_JSON);
}

void policies_promoted(struct http_exchange *x)
{
    struct job *j = x->data;
    struct api *a = x->ctx;
    if (j->err != KEER_OK) {
        refuse(x, j->err,
               j->err == KEER_EMISSING ? "it is not in shadow: POST /v1/policies/{id}/shadow first"
                                       : "the change was not made");
        return;
    }
    buf_fmt(&x->reply, "{\"id\":%lld,\"state\":\"deciding\",\"after_seq\":%lld}\n",
            (long long)decider_version(a->decider)->number, (long long)j->promotion.after_seq);
    http_reply(x, 200, HTTP_JSON);
}

/* --- lists --- */

/* A list with a name of its own; lists that stand in an expression have none. */
static const struct policy_list *find_list(const struct keer_policy *p, struct slice name)
{
    for (unsigned i = 0; i < p->list_count; i++)
        if (p->lists[i].stmt && slice_eq(p->lists[i].stmt->name, name))
            return &p->lists[i];
    return NULL;
}

/* The list of that name in the version that decides; its file must be among the parts. NULL when the problem was told. */
static const struct policy_part *list_part(struct http_exchange *x, struct job *j, struct policy_row *row)
{
    struct api *a = x->ctx;
    const struct version *v = decider_version(a->decider);
    const struct policy_list *list = find_list(v->policy, buf_view(&x->id));
    if (!list) {
        http_problem(x, HTTP_NOT_FOUND, "the policy that decides has no list of this name");
        return NULL;
    }
    if (!list->stmt->path.p) {
        http_problem(x, HTTP_WRONG_STATE, "the list stands in the policy's text: change the policy");
        return NULL;
    }
    if (!load_source(x, v->number, &j->source, row))
        return NULL;
    const struct policy_part *part = source_find(&j->source, list->stmt->path);
    if (!part)
        http_problem(x, HTTP_INTERNAL, "the list's file was not kept");
    return part;
}

void lists_all(struct http_exchange *x)
{
    struct api *a = x->ctx;
    const struct version *v = decider_version(a->decider);
    bool told = false;
    buf_fmt(&x->reply, "{\"policy\":%lld,\"lists\":[", (long long)v->number);
    for (unsigned i = 0; i < v->policy->list_count; i++) {
        const struct policy_list *l = &v->policy->lists[i];
        if (!l->stmt)
            continue;
        buf_puts(&x->reply, told ? ",\n{\"name\":" : "\n{\"name\":");
        told = true;
        buf_json(&x->reply, l->stmt->name);
        buf_fmt(&x->reply, ",\"bytes\":%zu,\"file\":", l->text.len);
        if (l->stmt->path.p)
            buf_json(&x->reply, l->stmt->path);
        else
            buf_puts(&x->reply, "null");
        buf_char(&x->reply, '}');
    }
    buf_puts(&x->reply, "\n]}\n");
    http_reply(x, 200, HTTP_JSON);
}

void lists_one(struct http_exchange *x)
{
    struct policy_row row;
    struct job *j = job_new(x);
    const struct policy_part *part = j ? list_part(x, j, &row) : NULL;
    if (part)
        http_reply_fixed(x, 200, "text/plain; charset=utf-8", part->content);
}

/* A new version: the one that decides, with another content of one file. */
void lists_put(struct http_exchange *x)
{
    struct api_body b = {0};
    struct buf messages;
    struct policy_row row;
    struct slice content;
    struct source changed = {0};
    struct job *j = job_new(x);
    buf_init(&messages, (size_t)1 << 19);
    const struct policy_part *part = NULL;
    if (!j || !api_body_read(x, &b, "content") || !api_body_text(x, &b, "content", true, &content) ||
        !(part = list_part(x, j, &row)))
        goto out;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < j->source.count; i++)
        err = source_add(&changed, j->source.part[i].name, &j->source.part[i] == part ? content : j->source.part[i].content);
    source_release(&j->source);
    j->source = changed;
    buf_puts(&j->name, row.name);
    if (err != KEER_OK) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    } else if (compiles(x, j, &messages)) {
        j->task.run = put_run;
        j->then_promote = true;
        write_job(x, j);
    }
out:
    buf_release(&messages);
    api_body_release(&b);
}
