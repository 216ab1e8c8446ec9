/* simulate.h - the simulations that play on a daemon. */
#ifndef CLI_SIMULATE_H
#define CLI_SIMULATE_H
#include "cli/stage.h"

int simulate_october(struct cli *cli);
int simulate_attackers(struct cli *cli);
#endif
