/* cmd_verify.c - `keer verify`: decides a journal again and compares. */
#include "cli/history.h"
#include "flow/redecide.h"

#define SHOWN_MAX 20

struct verifying {
    struct cli *cli;
    unsigned shown;
};

static void on_difference(void *ctx, const struct journal_entry *e, const char *what, struct slice now)
{
    struct verifying *v = ctx;
    if (v->shown++ < SHOWN_MAX)
        cli_note(v->cli, NULL, "row %lld, event '%.*s': %s%s%.*s", (long long)e->seq, (int)MIN_OF(e->id.len, 100u), e->id.p,
                 what, now.len ? ": " : "", (int)MIN_OF(now.len, 400u), now.p ? now.p : "");
}

struct totals {
    uint64_t events, compared, differences;
    unsigned versions;
};

static int judge(struct cli *cli, const struct totals *r)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   cli->json ? "{\"events\":%llu,\"compared\":%llu,\"differences\":%llu,\"policies\":%u}\n"
                             : "%llu events, %llu decisions compared, %llu differences, %u policies\n",
                   (unsigned long long)r->events, (unsigned long long)r->compared, (unsigned long long)r->differences,
                   r->versions);
    io_out_puts(&cli->out, text);
    bool given = cli_text(cli, "policy") != NULL, missed = given ? r->events && !r->compared : r->compared < r->events;
    if (missed)
        cli_note(cli, NULL,
                 given ? "this policy made none of these decisions: nothing was compared"
                       : "the policies of some decisions are not in the database: give them with --policy");
    return r->differences || missed ? CLI_FINDINGS : CLI_DONE;
}

/* Decides the journal by one version and adds what came of it. */
static enum keer_err run(struct verifying *v, struct db *db, const struct keer_policy *policy, int64_t number,
                         struct totals *totals)
{
    struct keer_engine_options limits = {.memory_max = cli_count(v->cli, "memory", 0)};
    struct journal journal = {0};
    struct redecide_result result;
    struct redecide r = {.journal = &journal, .policy = number, .differs = on_difference, .ctx = v};
    enum keer_err err = keer_engine_new(policy, &limits, &r.engine);
    if (err == KEER_OK)
        err = journal_open(&journal, db);
    if (err == KEER_OK)
        err = redecide_all(&r, &result);
    journal_close(&journal);
    keer_engine_free(r.engine);
    if (err != KEER_OK)
        return err;
    totals->events = result.events;
    totals->compared += result.compared;
    totals->differences += result.differences;
    totals->versions++;
    return KEER_OK;
}

/* The versions that made decisions and whose text is there, oldest first. */
static enum keer_err each_version(struct verifying *v, struct db *db, struct totals *totals)
{
    struct db_stmt *s;
    int64_t number = 0;
    enum keer_err err = KEER_OK;
    for (;;) {
        struct version *version = NULL;
        err = db_prepare(db, "SELECT MIN(policy) FROM journal WHERE policy > $1 HAVING MIN(policy) IS NOT NULL", &s);
        if (err != KEER_OK)
            return err;
        db_bind_i64(s, 1, number);
        enum db_step step = db_step(s);
        if (step == DB_ROW)
            number = db_i64(s, 0);
        db_free(s);
        if (step != DB_ROW)
            return step == DB_END ? KEER_OK : KEER_EIO;
        err = version_load(db, number, &version);
        if (err == KEER_OK)
            err = run(v, db, version->policy, number, totals);
        version_free(version);
        if (err != KEER_OK && err != KEER_EMISSING)
            return err;
    }
}

int cmd_verify(struct cli *cli)
{
    struct verifying v = {.cli = cli};
    struct totals totals = {0};
    struct keer_policy *policy = NULL;
    struct source source = {0};
    struct crypto_hash hash;
    struct db_why why;
    struct db *db = NULL;
    int64_t number = 0;
    const char *path = cli_text(cli, "policy");
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    int code = path ? policy_open_source(cli, path, KEER_POLICY_WITHOUT_EXAMPLES, true, &policy, &source) : CLI_DONE;
    if (path && code == CLI_DONE)
        source_hash(&source, &hash);
    source_release(&source);
    if (code != CLI_DONE)
        return code;
    enum keer_err err = db_open(cli_text(cli, "database"), DB_READ, &db, &why);
    if (err == KEER_OK)
        err = db_migrate(db, cli->env.wall_us(), &why);
    if (err == KEER_OK) {
        if (path)
            err = journal_policy(db, &hash, slice_str(path), 0, &number);
        if (err == KEER_OK)
            err = path ? run(&v, db, policy, number, &totals) : each_version(&v, db, &totals);
        (void)snprintf(why.text, sizeof why.text, "%s", err == KEER_EIO ? db_why(db) : keer_err_text(err));
    }
    code = err == KEER_OK ? judge(cli, &totals)
                          : cli_fail(cli, err == KEER_EVERSION ? CLI_IO : cli_exit_of(err), err, "%s", why.text);
    db_close(db);
    keer_policy_free(policy);
    return code;
}
