/* training.h - options of training that `train` and `evaluate` share. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H
#include "cli/cli.h"
#include "learn/train.h"

/* From --trees, --rate, --depth, ... */
void training_options(struct cli *cli, const char *name, struct train_options *ret_o);
#endif
