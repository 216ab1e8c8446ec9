/* stage.c - starts and ends the daemon and the emulator that a simulation plays on. */
#include "cli/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/timefmt.h"

#define UP_US (30 * US_SECOND) /* until a child must be up */
#define LOOK_US ((int64_t)10000)
#define ARGUMENTS_MAX 40
#define LOG_BYTES ((size_t)1 << 20)

extern char **environ;

/* A bound of paths and URLs that are made here: what does not fit is told, never cut. */
KEER_PRINTF(3, 4)
static bool put(char *to, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(to, size, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < size;
}

/* --- children --- */

/* The environment without settings of keer's: they are not meant for these two. */
static char **environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **list = calloc(n + 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        if (strncmp(environ[i], "KEER_", 5) != 0 || strncmp(environ[i], "KEER_ALLOW_ROOT=", 16) == 0)
            list[kept++] = environ[i];
    return list;
}

/* Starts this program with arguments; all that it says goes to `log`. 0 or an errno. */
static int spawn(struct stage *st, const char *const *arguments, const char *log, pid_t *ret_pid)
{
    char *args[ARGUMENTS_MAX + 1] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t usual, none;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    char **env = environment();
    int rc = env ? 0 : ENOMEM;
    for (size_t i = 0; rc == 0 && arguments[i]; i++)
        if (i == ARGUMENTS_MAX || !(args[i] = strdup(arguments[i])))
            rc = ENOMEM;
    if (rc != 0)
        goto out;
    if ((rc = posix_spawn_file_actions_init(&actions)) != 0)
        goto out;
    if ((rc = posix_spawnattr_init(&attr)) != 0)
        goto out_actions;
    if ((rc = posix_spawnattr_setsigdefault(&attr, &usual)) != 0 || (rc = posix_spawnattr_setsigmask(&attr, &none)) != 0 ||
        (rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)) != 0 ||
        (rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) != 0 ||
        (rc = posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600)) != 0 ||
        (rc = posix_spawn_file_actions_adddup2(&actions, 1, 2)) != 0)
        goto out_attr;
    (void)pthread_mutex_lock(&st->lock);
    rc = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attr, args, env);
    (void)pthread_mutex_unlock(&st->lock);
out_attr:
    (void)posix_spawnattr_destroy(&attr);
out_actions:
    (void)posix_spawn_file_actions_destroy(&actions);
out:
    for (size_t i = 0; args[i]; i++)
        free(args[i]);
    free(env);
    return rc;
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = LOOK_US * 1000};
    (void)nanosleep(&t, NULL);
}

/* What stands in the log behind `mark`, up to a blank or the end of the line. */
static bool find_word(const struct buf *log, const char *mark, char *ret, size_t size)
{
    const char *at = log->len ? strstr(log->p, mark) : NULL;
    size_t n = 0;
    if (!at)
        return false;
    for (at += strlen(mark); *at && *at != ' ' && *at != '\n' && n + 1 < size;)
        ret[n++] = *at++;
    ret[n] = '\0';
    return n && (*at == ' ' || *at == '\n');
}

/* Until the child has said where it listens. */
static int wait_up(struct cli *cli, pid_t *pid, const char *log, const char *mark, const char *what, char *ret, size_t size)
{
    struct buf b;
    struct io_why why;
    bool up = false, gone = false;
    int64_t until = cli->env.now_us() + UP_US;
    buf_init(&b, LOG_BYTES);
    while (!up && !gone && cli->env.now_us() < until) {
        gone = waitpid(*pid, NULL, WNOHANG) == *pid;
        buf_clear(&b);
        up = io_slurp(&b, log, &why) == KEER_OK && find_word(&b, mark, ret, size);
        if (!up)
            nap();
    }
    int code = CLI_DONE;
    if (gone)
        *pid = 0;
    if (!up) {
        size_t from = b.len > 400 ? b.len - 400 : 0;
        code = cli_fail(cli, CLI_IO, KEER_EIO, "%s did not come up; %s", what, b.len ? b.p + from : "it said nothing");
    }
    buf_release(&b);
    return code;
}

/* --- the folder --- */

static int make_folder(struct cli *cli, const struct stage_options *o, struct stage *st)
{
    const char *tmp = cli->env.variable("TMPDIR");
    bool fits;
    st->kept = o->keep != NULL;
    if (o->keep) {
        fits = put(st->folder, sizeof st->folder, "%s/%s", o->keep, o->name);
        if (fits && mkdir(o->keep, 0700) < 0 && errno != EEXIST)
            return cli_fail(cli, CLI_IO, KEER_EIO, "can't make the folder '%s': %s", o->keep, strerror(errno));
        if (fits && mkdir(st->folder, 0700) < 0)
            return cli_fail(cli, CLI_IO, KEER_EIO, "can't make the folder '%s': %s", st->folder, strerror(errno));
    } else {
        fits = put(st->folder, sizeof st->folder, "%s/keer-october-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
        (void)pthread_mutex_lock(&st->lock);
        bool made = fits && mkdtemp(st->folder);
        (void)pthread_mutex_unlock(&st->lock);
        if (fits && !made)
            return cli_fail(cli, CLI_IO, KEER_EIO, "can't make a scratch folder '%s': %s", st->folder, strerror(errno));
    }
    if (!fits || !put(st->notices, sizeof st->notices, "%s/notices", st->folder)) {
        st->folder[0] = '\0';
        return cli_usage(cli, "the path of the folder is too long");
    }
    return CLI_DONE;
}

static int write_policy(struct cli *cli, const char *path)
{
    struct io_out out = {0};
    struct io_why why;
    enum keer_err err = io_out_open(&out, path, &why);
    io_out_puts(
        &out,
        "# Nothing is asked by the policy: whatever stops a thief here stands in the charge path itself.\ncurrency CNY\n");
    if (err == KEER_OK)
        err = io_out_commit(&out, &why);
    io_out_abandon(&out);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, CLI_IO, err, "%s", why.text);
}

static int make_keys(struct cli *cli, const char *database, struct stage *st)
{
    struct db *db = NULL;
    struct db_why why;
    enum keer_err err = db_open(database, DB_WRITE, &db, &why);
    if (err == KEER_OK)
        err = db_migrate(db, cli->env.wall_us(), &why);
    if (err == KEER_OK)
        err = keys_add(db, SLICE("store"), KEY_STORE, cli->env.wall_us(), st->store_key);
    if (err == KEER_OK)
        err = keys_add(db, SLICE("admin"), KEY_ADMIN, cli->env.wall_us(), st->admin_key);
    db_close(db);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s: %s", database, keer_err_text(err));
}

/* A port that nobody has now: the daemon's own address must be known before it starts, since it is told to the wallet. */
static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 && getsockname(fd, (struct sockaddr *)&a, &size) == 0;
    if (fd >= 0)
        (void)close(fd);
    return bound ? ntohs(a.sin_port) : 0;
}

/* --- up and down --- */

static int start_emulator(struct cli *cli, struct stage *st)
{
    char log[STAGE_PATH_BYTES + 32], folder[STAGE_PATH_BYTES + 32], journal[STAGE_PATH_BYTES + 32];
    (void)put(log, sizeof log, "%s/emulator.log", st->folder);
    (void)put(folder, sizeof folder, "%s/wallets", st->folder);
    (void)put(journal, sizeof journal, "%s/journal.ndjson", st->folder);
    if (mkdir(folder, 0700) < 0)
        return cli_fail(cli, CLI_IO, KEER_EIO, "can't make the folder '%s': %s", folder, strerror(errno));
    const char *const args[] = {"keer",     "emulate", "wallet",    "--listen", "127.0.0.1:0",
                                "--folder", folder,    "--journal", journal,    NULL};
    int rc = spawn(st, args, log, &st->emulator_pid);
    if (rc != 0)
        return cli_fail(cli, CLI_IO, KEER_EIO, "can't start the emulator: %s", strerror(rc));
    return wait_up(cli, &st->emulator_pid, log, "listening on ", "the emulator of the wallets", st->emulator,
                   sizeof st->emulator);
}

static int start_daemon(struct cli *cli, const struct stage_options *o, const char *policy, const char *database,
                        struct stage *st)
{
    char log[STAGE_PATH_BYTES + 32], wallets[STAGE_PATH_BYTES + 32], listen[32], url[48];
    const char *args[ARGUMENTS_MAX + 1] = {"keer",         "serve",  "--policy",          o->policy ? o->policy : policy,
                                           "--database",   database, "--listen",          listen,
                                           "--public-url", url,      "--notices",         st->notices,
                                           "--wallets",    wallets,  "--trusted-proxies", "127.0.0.0/8"};
    size_t n = 16;
    unsigned port = free_port();
    (void)put(log, sizeof log, "%s/daemon.log", st->folder);
    (void)put(wallets, sizeof wallets, "%s/wallets/wallets.json", st->folder);
    (void)put(listen, sizeof listen, "127.0.0.1:%u", port);
    (void)put(url, sizeof url, "http://127.0.0.1:%u", port);
    for (size_t i = 0; o->extra && o->extra[i] && n < ARGUMENTS_MAX; i++)
        args[n++] = o->extra[i];
    int rc = port ? spawn(st, args, log, &st->daemon_pid) : EADDRINUSE;
    if (rc != 0)
        return cli_fail(cli, CLI_IO, KEER_EIO, "can't start the daemon: %s", strerror(rc));
    return wait_up(cli, &st->daemon_pid, log, "listens on ", "the daemon", st->daemon, sizeof st->daemon);
}

static void end(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGTERM);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    *pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    UNUSED(st);
    UNUSED(type);
    UNUSED(ftw);
    (void)remove(path);
    return 0;
}

/* Both children, and the folder. */
static void clear(struct stage *st)
{
    (void)pthread_mutex_lock(&st->lock);
    end(&st->daemon_pid);
    end(&st->emulator_pid);
    if (st->folder[0] && !st->kept)
        (void)nftw(st->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    st->folder[0] = '\0';
    (void)pthread_mutex_unlock(&st->lock);
}

/* Clears up as nothing in a handler could, and ends as the signal would have. */
static void *wait_signal(void *ctx)
{
    struct stage *st = ctx;
    sigset_t alone;
    int number;
    if (sigwait(&st->ends, &number) != 0 || (number == SIGUSR2 && atomic_load(&st->over)))
        return NULL;
    clear(st);
    sigemptyset(&alone); /* stage_stop's own signal may have come meanwhile, and stays blocked */
    sigaddset(&alone, number);
    (void)pthread_sigmask(SIG_UNBLOCK, &alone, NULL);
    (void)raise(number);
    return NULL;
}

/* Signals that are ignored stay so; without a thread they end the program as ever. */
static void watch(struct stage *st)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    (void)pthread_mutex_init(&st->lock, NULL);
    sigemptyset(&st->ends);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&st->ends, ends[i]);
    sigaddset(&st->ends, SIGUSR2); /* of stage_stop */
    (void)pthread_sigmask(SIG_BLOCK, &st->ends, &st->before);
    st->watched = pthread_create(&st->watcher, NULL, wait_signal, st) == 0;
    if (!st->watched)
        (void)pthread_sigmask(SIG_SETMASK, &st->before, NULL);
}

int stage_start(struct cli *cli, const struct stage_options *o, struct stage *st)
{
    char policy[STAGE_PATH_BYTES + 32], database[STAGE_PATH_BYTES + 32];
    *st = (struct stage){0};
    watch(st);
    int code = make_folder(cli, o, st);
    (void)put(policy, sizeof policy, "%s/policy.keer", st->folder);
    (void)put(database, sizeof database, "%s/keer.db", st->folder);
    if (code == CLI_DONE && !o->policy)
        code = write_policy(cli, policy);
    if (code == CLI_DONE)
        code = start_emulator(cli, st);
    if (code == CLI_DONE)
        code = make_keys(cli, database, st);
    if (code == CLI_DONE)
        code = start_daemon(cli, o, policy, database, st);
    return code;
}

void stage_stop(struct stage *st)
{
    clear(st);
    atomic_store(&st->over, true);
    if (st->watched) {
        (void)pthread_kill(st->watcher, SIGUSR2);
        (void)pthread_join(st->watcher, NULL);
        (void)pthread_sigmask(SIG_SETMASK, &st->before, NULL);
    }
    (void)pthread_mutex_destroy(&st->lock);
    st->watched = false;
    crypto_wipe(st->store_key, sizeof st->store_key);
    crypto_wipe(st->admin_key, sizeof st->admin_key);
}
