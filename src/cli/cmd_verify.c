/* cmd_verify.c - `keer verify`: decides a journal again and compares; with --snapshot also the windows on disk. */
#include "cli/history.h"
#include "flow/redecide.h"
#include "flow/snapshot.h"

#define SHOWN_MAX 20

struct totals {
    uint64_t events, compared, differences;
    unsigned versions;
};

struct verifying {
    struct cli *cli;
    struct db *db;
    unsigned shown;
    struct totals totals;
    int64_t newest; /* the version that decides now, until it was run; 0 = none */
    /* --snapshot: a file of one version's windows, looked at with each until it is that one's */
    const char *path;
    struct snapshot_why why;
    enum snapshot_state state; /* PENDING: not looked at yet */
    int64_t seq;
    const char *differs; /* from the windows as rebuilt; NULL: it does not */
};

/* One version's way through the journal. */
struct pass {
    struct verifying *v;
    struct snapshot_kind kind;
    struct journal journal;
    struct redecide redecide;
    struct snapshot snapshot; /* seq 0 when there is none to compare with */
    struct seen seen;         /* only with a snapshot */
};

static void on_difference(void *ctx, const struct journal_entry *e, const char *what, struct slice now)
{
    const struct pass *p = ctx;
    if (p->v->shown++ < SHOWN_MAX)
        cli_note(p->v->cli, NULL, "row %lld, event '%.*s': %s%s%.*s", (long long)e->seq, (int)MIN_OF(e->id.len, 100u),
                 e->id.p, what, now.len ? ": " : "", (int)MIN_OF(now.len, 400u), now.p ? now.p : "");
}

static void remember_id(void *ctx, const struct journal_entry *e)
{
    struct pass *p = ctx;
    if (p->seen.words)
        seen_add(&p->seen, hash_bytes(p->kind.policy->schema.key, e->id.p, e->id.len));
}

/* --- what came of it --- */

static bool snapshot_same(const struct verifying *v) { return v->state == SNAPSHOT_USED && !v->differs; }

static void tell_snapshot(struct verifying *v)
{
    char text[300];
    const char *what = v->state != SNAPSHOT_USED ? snapshot_text(v->state) : v->differs ? v->differs : "the same as rebuilt";
    if (v->cli->json)
        (void)snprintf(text, sizeof text, ",\"snapshot\":{\"same\":%s,\"seq\":%lld,\"what\":\"%s\"}",
                       snapshot_same(v) ? "true" : "false", (long long)v->seq, what);
    else
        (void)snprintf(text, sizeof text, "snapshot up to row %lld: %s\n", (long long)v->seq, what);
    io_out_puts(&v->cli->out, text);
}

static int judge(struct verifying *v)
{
    struct cli *cli = v->cli;
    const struct totals *r = &v->totals;
    char text[300];
    (void)snprintf(text, sizeof text,
                   cli->json ? "{\"events\":%llu,\"compared\":%llu,\"differences\":%llu,\"policies\":%u"
                             : "%llu events, %llu decisions compared, %llu differences, %u policies\n",
                   (unsigned long long)r->events, (unsigned long long)r->compared, (unsigned long long)r->differences,
                   r->versions);
    io_out_puts(&cli->out, text);
    if (v->path)
        tell_snapshot(v);
    io_out_puts(&cli->out, cli->json ? "}\n" : "");
    bool given = cli_text(cli, "policy") != NULL, missed = given ? r->events && !r->compared : r->compared < r->events;
    if (missed)
        cli_note(cli, NULL,
                 given ? "this policy made none of these decisions: nothing was compared"
                       : "the policies of some decisions are not in the database: give them with --policy");
    return r->differences || missed || (v->path && !snapshot_same(v)) ? CLI_FINDINGS : CLI_DONE;
}

/* --- the snapshot --- */

/* Looks whether the snapshot is of this version. */
static enum keer_err open_snapshot(struct pass *p)
{
    struct verifying *v = p->v;
    if (!v->path || (v->state != SNAPSHOT_PENDING && v->state != SNAPSHOT_POLICY))
        return KEER_OK;
    v->state = snapshot_read(v->path, &p->kind, &p->snapshot, &v->why);
    if (v->state == SNAPSHOT_USED) {
        v->seq = p->snapshot.header.seq;
        v->state = snapshot_fits(&p->snapshot, &p->journal);
    }
    if (v->state == SNAPSHOT_USED)
        return seen_init(&p->seen);
    snapshot_release(&p->snapshot);
    if (v->state == SNAPSHOT_NO_MEMORY)
        return KEER_ENOMEM;
    if (v->state != SNAPSHOT_UNREADABLE && v->state != SNAPSHOT_NONE)
        return KEER_OK;
    if (v->state == SNAPSHOT_NONE)
        (void)snprintf(v->why.text, sizeof v->why.text, "%.250s: %s", v->path, snapshot_text(v->state));
    return KEER_EIO;
}

/* The engine has decided the rows that the snapshot holds. */
static enum keer_err compare_snapshot(struct pass *p)
{
    char *windows = NULL;
    size_t len = 0;
    struct buf ids;
    buf_init(&ids, SEEN_BYTES_MAX);
    seen_save(&p->seen, &ids);
    enum keer_err err = ids.err != KEER_OK ? ids.err : keer_engine_save(p->redecide.engine, &windows, &len);
    if (err == KEER_OK && !slice_eq(slice_of(windows, len), p->snapshot.windows))
        p->v->differs = "other windows than rebuilt";
    else if (err == KEER_OK && !slice_eq(buf_view(&ids), p->snapshot.ids))
        p->v->differs = "other ids than rebuilt";
    free(windows);
    buf_release(&ids);
    return err;
}

/* --- deciding again --- */

/* The rows from `after` on, up to `upto` or to the end. */
static enum keer_err part(struct pass *p, int64_t after, int64_t upto, struct redecide_result *total)
{
    struct redecide_result result = {0};
    p->redecide.after = after;
    p->redecide.upto = upto;
    enum keer_err err = redecide_all(&p->redecide, &result);
    total->events += result.events;
    total->compared += result.compared;
    total->differences += result.differences;
    return err;
}

/* Decides the journal by one version, with a stop where the snapshot was made. */
static enum keer_err pass_run(struct pass *p, struct redecide_result *total)
{
    enum keer_err err = keer_engine_new(p->kind.policy, &p->kind.limits, &p->redecide.engine);
    if (err == KEER_OK)
        err = journal_open(&p->journal, p->v->db);
    if (err == KEER_OK)
        err = open_snapshot(p);
    int64_t seq = p->snapshot.header.seq;
    if (err == KEER_OK && seq)
        err = part(p, 0, seq, total);
    if (err == KEER_OK && seq)
        err = compare_snapshot(p);
    if (err == KEER_OK)
        err = part(p, seq, 0, total);
    snapshot_release(&p->snapshot);
    seen_release(&p->seen);
    journal_close(&p->journal);
    keer_engine_free(p->redecide.engine);
    return err;
}

/* Decides the journal by one version and adds what came of it. */
static enum keer_err run(struct verifying *v, const struct keer_policy *policy, const struct crypto_hash *hash,
                         int64_t number)
{
    struct redecide_result result = {0};
    struct pass p = {.v = v, .kind = {policy, *hash, {.memory_max = cli_count(v->cli, "memory", 0)}}};
    p.redecide =
        (struct redecide){.journal = &p.journal, .policy = number, .each = remember_id, .differs = on_difference, .ctx = &p};
    enum keer_err err = pass_run(&p, &result);
    if (err != KEER_OK)
        return err;
    v->totals.events = result.events;
    v->totals.compared += result.compared;
    v->totals.differences += result.differences;
    v->totals.versions += result.compared || cli_text(v->cli, "policy");
    return KEER_OK;
}

static enum keer_err run_version(struct verifying *v, int64_t number)
{
    struct version *version = NULL;
    v->newest = number == v->newest ? 0 : v->newest;
    enum keer_err err = version_load(v->db, number, &version);
    if (err == KEER_OK)
        err = run(v, version->policy, &version->hash, number);
    version_free(version);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* The versions that made decisions and whose text is there, oldest first. */
static enum keer_err each_version(struct verifying *v)
{
    struct db_stmt *s;
    int64_t number = 0;
    for (;;) {
        enum keer_err err =
            db_prepare(v->db, "SELECT MIN(policy) FROM journal WHERE policy > $1 HAVING MIN(policy) IS NOT NULL", &s);
        if (err != KEER_OK)
            return err;
        db_bind_i64(s, 1, number);
        enum db_step step = db_step(s);
        if (step == DB_ROW)
            number = db_i64(s, 0);
        db_free(s);
        if (step != DB_ROW)
            return step == DB_END ? KEER_OK : KEER_EIO;
        err = run_version(v, number);
        if (err != KEER_OK)
            return err;
    }
}

/* Each of them, and the version that decides now: it may have written the snapshot and decided nothing yet. */
static enum keer_err all_versions(struct verifying *v)
{
    struct policy_turn newest;
    enum keer_err err = policies_newest(v->db, POLICY_ACTION_MAX, &newest);
    if (err == KEER_OK)
        v->newest = newest.policy;
    if (err == KEER_OK || err == KEER_EMISSING)
        err = each_version(v);
    bool wanted = v->path && (v->state == SNAPSHOT_PENDING || v->state == SNAPSHOT_POLICY);
    return err == KEER_OK && v->newest && wanted ? run_version(v, v->newest) : err;
}

static enum keer_err verify(struct verifying *v, const struct keer_policy *given, const struct crypto_hash *hash,
                            struct db_why *why)
{
    int64_t number = 0;
    enum keer_err err = db_migrate(v->db, v->cli->env.wall_us(), why);
    if (err != KEER_OK)
        return err;
    if (given) {
        err = policies_number(v->db, hash, &number);
        if (err == KEER_OK)
            err = run(v, given, hash, number);
    } else {
        err = all_versions(v);
    }
    (void)snprintf(why->text, sizeof why->text, "%s",
                   v->why.text[0]    ? v->why.text
                   : err == KEER_EIO ? db_why(v->db)
                                     : keer_err_text(err));
    return err;
}

int cmd_verify(struct cli *cli)
{
    struct verifying v = {.cli = cli, .path = cli_text(cli, "snapshot")};
    struct keer_policy *policy = NULL;
    struct source source = {0};
    struct crypto_hash hash;
    struct db_why why;
    const char *path = cli_text(cli, "policy");
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    int code = path ? policy_open_source(cli, path, KEER_POLICY_WITHOUT_EXAMPLES, true, &policy, &source) : CLI_DONE;
    if (path && code == CLI_DONE)
        source_hash(&source, &hash);
    source_release(&source);
    if (code != CLI_DONE)
        return code;
    enum keer_err err = db_open(cli_text(cli, "database"), DB_READ, &v.db, &why);
    if (err == KEER_OK)
        err = verify(&v, policy, &hash, &why);
    code = err == KEER_OK ? judge(&v) : cli_fail(cli, err == KEER_EVERSION ? CLI_IO : cli_exit_of(err), err, "%s", why.text);
    db_close(v.db);
    keer_policy_free(policy);
    return code;
}
