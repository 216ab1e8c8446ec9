/* cmd_verify.c - `keer verify`: decides a journal again and compares; with --snapshot also the windows on disk. */
#include "cli/history.h"
#include "flow/redecide.h"
#include "flow/snapshot.h"

#define SHOWN_MAX 20

struct verifying {
    struct cli *cli;
    unsigned shown;
    struct redecide redecide;
    struct redecide_result total;
    struct snapshot_kind kind;
    struct snapshot snapshot; /* seq 0 when there is none to compare with */
    struct seen seen;         /* only with a snapshot */
    const char *verdict;      /* on the snapshot; NULL = not asked for */
    bool same;
};

static void on_difference(void *ctx, const struct journal_entry *e, const char *what, struct slice now)
{
    struct verifying *v = ctx;
    if (v->shown++ < SHOWN_MAX)
        cli_note(v->cli, NULL, "row %lld, event '%.*s': %s%s%.*s", (long long)e->seq, (int)MIN_OF(e->id.len, 100u), e->id.p,
                 what, now.len ? ": " : "", (int)MIN_OF(now.len, 400u), now.p ? now.p : "");
}

static void remember_id(void *ctx, const struct journal_entry *e)
{
    struct verifying *v = ctx;
    if (v->seen.words)
        seen_add(&v->seen, hash_bytes(v->kind.policy->schema.key, e->id.p, e->id.len));
}

static int judge(struct verifying *v)
{
    struct cli *cli = v->cli;
    const struct redecide_result *r = &v->total;
    char text[400];
    (void)snprintf(text, sizeof text,
                   cli->json ? "{\"events\":%llu,\"compared\":%llu,\"differences\":%llu"
                             : "%llu events, %llu decisions compared, %llu differences\n",
                   (unsigned long long)r->events, (unsigned long long)r->compared, (unsigned long long)r->differences);
    io_out_puts(&cli->out, text);
    if (v->verdict) {
        long long seq = (long long)v->snapshot.header.seq;
        if (cli->json)
            (void)snprintf(text, sizeof text, ",\"snapshot\":{\"same\":%s,\"seq\":%lld,\"what\":\"%s\"}",
                           v->same ? "true" : "false", seq, v->verdict);
        else
            (void)snprintf(text, sizeof text, "snapshot up to row %lld: %s\n", seq, v->verdict);
        io_out_puts(&cli->out, text);
    }
    io_out_puts(&cli->out, cli->json ? "}\n" : "");
    if (r->events && !r->compared)
        cli_note(cli, NULL, "this policy made none of these decisions: nothing was compared");
    bool found = r->differences || (r->events && !r->compared) || (v->verdict && !v->same);
    return found ? CLI_FINDINGS : CLI_DONE;
}

/* --- the snapshot --- */

static enum keer_err open_snapshot(struct verifying *v, const char *path, struct snapshot_why *why)
{
    enum snapshot_state state = snapshot_read(path, &v->kind, &v->snapshot, why);
    if (state == SNAPSHOT_USED)
        state = snapshot_fits(&v->snapshot, v->redecide.journal);
    if (state == SNAPSHOT_NO_MEMORY)
        return KEER_ENOMEM;
    if (state == SNAPSHOT_UNREADABLE || state == SNAPSHOT_NONE) {
        if (!why->text[0])
            (void)snprintf(why->text, sizeof why->text, "%.250s: %s", path, snapshot_text(state));
        return KEER_EIO;
    }
    v->verdict = snapshot_text(state);
    if (state != SNAPSHOT_USED)
        snapshot_release(&v->snapshot);
    return state == SNAPSHOT_USED ? seen_init(&v->seen) : KEER_OK;
}

/* The engine has decided the rows that the snapshot holds. */
static enum keer_err compare_snapshot(struct verifying *v)
{
    char *windows = NULL;
    size_t len = 0;
    struct buf ids;
    buf_init(&ids, SEEN_BYTES_MAX);
    seen_save(&v->seen, &ids);
    enum keer_err err = ids.err != KEER_OK ? ids.err : keer_engine_save(v->redecide.engine, &windows, &len);
    if (err == KEER_OK) {
        bool windows_same = slice_eq(slice_of(windows, len), v->snapshot.windows);
        v->same = windows_same && slice_eq(buf_view(&ids), v->snapshot.ids);
        v->verdict = v->same        ? "the same as rebuilt"
                     : windows_same ? "other ids than rebuilt"
                                    : "other windows than rebuilt";
    }
    free(windows);
    buf_release(&ids);
    return err;
}

/* The whole journal, with a stop where the snapshot was made. */
static enum keer_err redecide_all(struct verifying *v)
{
    struct redecide_result part = {0};
    struct redecide *r = &v->redecide;
    enum keer_err err = KEER_OK;
    r->upto = v->snapshot.header.seq;
    if (r->upto) {
        err = redecide_run(r, &v->total);
        if (err == KEER_OK)
            err = compare_snapshot(v);
    }
    r->after = r->upto;
    r->upto = 0;
    if (err == KEER_OK)
        err = redecide_run(r, &part);
    v->total.events += part.events;
    v->total.compared += part.compared;
    v->total.differences += part.differences;
    return err;
}

static enum keer_err verify(struct verifying *v, struct db *db, struct db_why *why)
{
    struct cli *cli = v->cli;
    const char *path = cli_text(cli, "snapshot");
    struct snapshot_why told = {""};
    enum keer_err err = db_migrate(db, cli->env.wall_us(), why);
    if (err != KEER_OK)
        return err;
    err = journal_policy(db, &v->kind.policy_hash, slice_str(cli_text(cli, "policy")), 0, &v->redecide.policy);
    if (err == KEER_OK)
        err = journal_open(v->redecide.journal, db);
    if (err == KEER_OK && path)
        err = open_snapshot(v, path, &told);
    if (err == KEER_OK)
        err = redecide_all(v);
    (void)snprintf(why->text, sizeof why->text, "%s",
                   told.text[0]      ? told.text
                   : err == KEER_EIO ? db_why(db)
                                     : keer_err_text(err));
    return err;
}

int cmd_verify(struct cli *cli)
{
    struct verifying v = {.cli = cli};
    struct keer_policy *policy = NULL;
    struct journal journal = {0};
    struct db_why why;
    struct db *db = NULL;
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    int code =
        policy_open_hashed(cli, cli_text(cli, "policy"), KEER_POLICY_WITHOUT_EXAMPLES, true, &policy, &v.kind.policy_hash);
    if (code != CLI_DONE)
        return code;
    v.kind.policy = policy;
    v.kind.limits = (struct keer_engine_options){.memory_max = cli_count(cli, "memory", 0)};
    v.redecide = (struct redecide){.journal = &journal, .each = remember_id, .differs = on_difference, .ctx = &v};
    enum keer_err err = keer_engine_new(policy, &v.kind.limits, &v.redecide.engine);
    (void)snprintf(why.text, sizeof why.text, "%s", keer_err_text(err));
    if (err == KEER_OK)
        err = db_open(cli_text(cli, "database"), DB_READ, &db, &why);
    if (err == KEER_OK)
        err = verify(&v, db, &why);
    code = err == KEER_OK ? judge(&v) : cli_fail(cli, err == KEER_EVERSION ? CLI_IO : cli_exit_of(err), err, "%s", why.text);
    snapshot_release(&v.snapshot);
    seen_release(&v.seen);
    journal_close(&journal);
    db_close(db);
    keer_engine_free(v.redecide.engine);
    keer_policy_free(policy);
    return code;
}
