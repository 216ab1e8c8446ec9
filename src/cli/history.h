/* history.h - what replay, train, evaluate, explain and diff share: a policy from its file, inputs through its engine, bad
 * lines handled.
 *
 *     struct history h;
 *     int code = history_open(cli, policy_path, flags, &h);   // policy, engine, mapping, event; messages are told
 *     if (code == CLI_DONE)
 *         code = history_run(&h, cli->args, cli->arg_count, on_event, ctx);
 *     history_close(&h);
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H
#include "cli/cli.h"
#include "core/engine.h"
#include "core/input.h"
#include "flow/source.h"

struct history {
    struct cli *cli;
    struct keer_policy *policy;
    struct keer_engine *engine;
    struct mapping *mapping;
    struct buf mapping_text;
    struct keer_event *event;
    struct io_out bad_lines;
    bool collects;
    int64_t until_us; /* events at or after it end the run; INT64_MAX */
    uint64_t limit;   /* events to decide; 0 = all */
    uint64_t events, labels, bad;
    uint64_t by_outcome[KEER_OUTCOME_MAX], degraded;
};

/* What a callback wants next. */
enum history_next { HISTORY_GO, HISTORY_STOP, HISTORY_FAILED };
/* A decided event, still in h->event and h->engine. A callback that fails has told it and put its exit code in *ret_exit. */
typedef enum history_next history_fn(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit);

/* Reads a policy file and everything it names, relative to its folder. With an error: messages are told, and CLI_FINDINGS.
 * Warnings are told unless `quiet_warnings`. */
int policy_open(struct cli *cli, const char *path, unsigned flags, bool quiet_warnings, struct keer_policy **ret_policy);
/* The same, and what was read; *ret_source starts as {0} and is the caller's to release. */
int policy_open_source(struct cli *cli, const char *path, unsigned flags, bool quiet_warnings,
                       struct keer_policy **ret_policy, struct source *ret_source);
/* Uses a model file for the policy's model `name` (p NULL: its only model). */
int policy_use_model(struct cli *cli, struct keer_policy *p, struct slice name, const char *path);
/* Options --mapping, --on-error, --bad-lines, and where they exist --until, --memory are read here. `memory` 0: no ceiling.
 */
int history_open(struct cli *cli, const char *policy_path, unsigned flags, struct history *ret_h);
/* The engine is made here, after models were bound; called by history_run when it was not. */
int history_engine(struct history *h, uint64_t memory_max);
int history_run(struct history *h, const char *const *inputs, unsigned count, history_fn *fn, void *ctx);
void history_close(struct history *h);
/* One line on stderr: events, decisions by outcome, bad lines, ...; with --json {"summary":{...}} with a number for each. */
void history_summary(struct history *h);
#endif
