/* cmd_check.c - `keer check`: is a policy right, and do its examples hold? */
#include "cli/history.h"

int cmd_check(struct cli *cli)
{
    struct keer_policy *p = NULL;
    unsigned flags = KEER_POLICY_WITHOUT_MODELS | (cli_flag(cli, "no-examples") ? KEER_POLICY_WITHOUT_EXAMPLES : 0);
    int code = policy_open(cli, cli->args[0], flags, false, &p);
    if (code != CLI_DONE)
        return code;
    unsigned examples = 0, groups = p->plan.groups;
    for (const struct stmt_example *x = p->ast.examples; x; x = x->next)
        examples++;
    struct buf b;
    buf_init(&b, 65536);
    if (cli->json) {
        buf_puts(&b, "{\"policy\":");
        buf_json(&b, slice_str(cli->args[0]));
        buf_fmt(&b,
                ",\"rules\":%u,\"windows\":%u,\"keys\":%u,\"lists\":%u,\"models\":%u,\"features\":%u,\"examples\":%u,"
                "\"warnings\":%u}\n",
                p->rule_count, p->plan.windows, groups, p->list_count, p->model_count, p->feature_count,
                flags & KEER_POLICY_WITHOUT_EXAMPLES ? 0 : examples, p->diags.count);
    } else {
        buf_fmt(&b, "%s: %u rules, %u windows by %u kinds of key, %u features; ", cli->args[0], p->rule_count,
                p->plan.windows, groups, p->feature_count);
        if (flags & KEER_POLICY_WITHOUT_EXAMPLES)
            buf_puts(&b, "examples not run\n");
        else
            buf_fmt(&b, "%u example%s hold%s\n", examples, examples == 1 ? "" : "s", examples == 1 ? "s" : "");
    }
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&b);
    keer_policy_free(p);
    return CLI_DONE;
}
