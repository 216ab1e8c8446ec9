/* training.c - options of training. */
#include "cli/training.h"

static void on_progress(void *ctx, const struct xgb_progress *p)
{
    struct cli *cli = ctx;
    progress_at(&cli->progress, p->tree, p->tree, p->trees_max);
}

void training_options(struct cli *cli, const char *name, struct train_options *ret_o)
{
    struct train_options *o = ret_o;
    static const char *const methods[] = {"exact", "hist"};
    uint64_t patience = cli_count(cli, "early-stop", 0);
    if (patience)
        train_options_default(o);
    else
        train_options_published(o);
    o->name = name;
    o->xgb.trees_max = (unsigned)cli_count(cli, "trees", 100);
    o->xgb.learning_rate = cli_number(cli, "rate", 0.1);
    o->xgb.depth = (unsigned)cli_count(cli, "depth", 3);
    o->xgb.min_child_weight = cli_number(cli, "min-child-weight", 1);
    o->xgb.subsample = cli_number(cli, "subsample", 1);
    o->xgb.colsample_bytree = cli_number(cli, "colsample", 1);
    o->xgb.lambda = cli_number(cli, "lambda", 1);
    o->xgb.max_bin = (unsigned)cli_count(cli, "max-bin", 256);
    o->xgb.seed = (uint32_t)cli_count(cli, "seed", 1);
    o->xgb.nthread = (unsigned)cli_count(cli, "threads", 0);
    o->xgb.tree_method = methods[cli_choice(cli, "method")];
    o->early_stopping = patience > 0;
    o->patience = (unsigned)patience;
    const char *weights = cli_text(cli, "class-weight");
    o->weights = !weights                           ? TRAIN_WEIGHTS_NUMBER
                 : strcmp(weights, "balanced") == 0 ? TRAIN_WEIGHTS_BALANCED
                                                    : TRAIN_WEIGHTS_NONE;
    o->fraud_weight = weights ? 1 : cli_number(cli, "class-weight", 1);
    o->progress = on_progress;
    o->progress_ctx = cli;
}
