/* stage.h - a daemon and an emulator of the wallets in a scratch folder, for simulations: child processes of this program on
 * free ports of the loopback.
 *
 *     stage_start ─► keer emulate wallet ─► API keys ─► keer serve ─► it decides ─► (the simulation) ─► stage_stop
 *
 * Invariants
 * 1. The children are this very program, started anew, with none of the settings of the environment (KEER_...) but
 *    KEER_ALLOW_ROOT.
 * 2. A signal that ends the program (Ctrl-C, TERM, HUP) ends both and removes the folder first: a thread waits for it, from
 *    stage_start to stage_stop.
 * 3. stage_stop ends both, waits for them, and removes the folder unless it was to be kept; it is fine after any failure.
 * 4. What a child says goes to a file of the folder; when it doesn't come up, its last words are in the message.
 * 5. Unless told otherwise the policy allows everything: what stops anybody is the charge path itself.
 */
#ifndef CLI_STAGE_H
#define CLI_STAGE_H
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "cli/cli.h"
#include "store/keys.h"

#define STAGE_PATH_BYTES 256
struct stage_options {
    const char *keep;         /* the folder to use, which stays; made when it isn't there; NULL: a scratch folder */
    const char *name;         /* of the part of it that is used: "today" */
    const char *policy;       /* file; NULL: one that allows everything */
    const char *const *extra; /* options of `keer serve`, ended by NULL; NULL: none */
};
struct stage { /* starts as {0} */
    char folder[STAGE_PATH_BYTES], notices[STAGE_PATH_BYTES];
    char daemon[64], emulator[64]; /* URLs */
    char store_key[KEY_TEXT_BYTES], admin_key[KEY_TEXT_BYTES];
    pid_t daemon_pid, emulator_pid;
    bool kept;
    /* who waits for a signal; `lock` is for folder and pids */
    bool watched;
    atomic_bool over;
    pthread_t watcher;
    pthread_mutex_t lock;
    sigset_t before, ends;
};
/* CLI_DONE, or what cli_fail told. */
int stage_start(struct cli *cli, const struct stage_options *o, struct stage *st);
void stage_stop(struct stage *st);
#endif
