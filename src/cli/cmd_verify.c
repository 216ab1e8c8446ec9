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

static int judge(struct cli *cli, const struct redecide_result *r)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   cli->json ? "{\"events\":%llu,\"compared\":%llu,\"differences\":%llu}\n"
                             : "%llu events, %llu decisions compared, %llu differences\n",
                   (unsigned long long)r->events, (unsigned long long)r->compared, (unsigned long long)r->differences);
    io_out_puts(&cli->out, text);
    if (r->events && !r->compared)
        cli_note(cli, NULL, "this policy made none of these decisions: nothing was compared");
    return r->differences || (r->events && !r->compared) ? CLI_FINDINGS : CLI_DONE;
}

int cmd_verify(struct cli *cli)
{
    struct verifying v = {.cli = cli};
    struct redecide_result result;
    struct redecide r = {.differs = on_difference, .ctx = &v};
    struct keer_policy *policy = NULL;
    struct journal journal = {0};
    struct source source = {0};
    struct crypto_hash hash;
    struct db_why why;
    struct db *db = NULL;
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    int code = policy_open_source(cli, cli_text(cli, "policy"), KEER_POLICY_WITHOUT_EXAMPLES, true, &policy, &source);
    if (code == CLI_DONE)
        source_hash(&source, &hash);
    source_release(&source);
    if (code != CLI_DONE)
        return code;
    struct keer_engine_options limits = {.memory_max = cli_count(cli, "memory", 0)};
    enum keer_err err = keer_engine_new(policy, &limits, &r.engine);
    (void)snprintf(why.text, sizeof why.text, "%s", keer_err_text(err));
    if (err == KEER_OK)
        err = db_open(cli_text(cli, "database"), DB_READ, &db, &why);
    if (err == KEER_OK)
        err = db_migrate(db, cli->env.wall_us(), &why);
    if (err == KEER_OK) {
        err = journal_policy(db, &hash, slice_str(cli_text(cli, "policy")), 0, &r.policy);
        if (err == KEER_OK)
            err = journal_open(&journal, db);
        r.journal = &journal;
        if (err == KEER_OK)
            err = redecide_all(&r, &result);
        (void)snprintf(why.text, sizeof why.text, "%s", err == KEER_EIO ? db_why(db) : keer_err_text(err));
    }
    code = err == KEER_OK ? judge(cli, &result)
                          : cli_fail(cli, err == KEER_EVERSION ? CLI_IO : cli_exit_of(err), err, "%s", why.text);
    journal_close(&journal);
    db_close(db);
    keer_engine_free(r.engine);
    keer_policy_free(policy);
    return code;
}
