/* sandbox.c - seccomp by libseccomp, Landlock by its system calls (Debian 12's C library has no names for them). */
#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef KEER_NO_SANDBOX /* the sanitizers and gcov do what the list does not hold: read /proc, write files at the end */

enum keer_err sandbox_enter(const struct sandbox *s)
{
    log_put(s->log, LOG_INFO, "sandbox: none in this build (sanitizers or coverage)");
    return KEER_OK;
}

#else

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of SIGSYS (linux/signal.h) */
#endif

enum when { ALWAYS, NETWORK };
static const struct {
    const char *name;
    enum when when;
} calls[] = {
#define SANDBOX_CALL(name, when) {#name, when},
#define SANDBOX_KILL(name)
#include "cli/syscalls.def"
#undef SANDBOX_CALL
#undef SANDBOX_KILL
};
static const char *const killed[] = {
#define SANDBOX_CALL(name, when)
#define SANDBOX_KILL(name) #name,
#include "cli/syscalls.def"
#undef SANDBOX_CALL
#undef SANDBOX_KILL
};

static bool is_remote(const struct sandbox *s) { return strstr(s->database, "://") != NULL; }
static bool wants_network(const struct sandbox *s) { return s->outgoing || is_remote(s); }

/* --- a refused call is told, once for each number --- */

#define NUMBERS 1024
static atomic_bool told[NUMBERS]; /* a signal handler has no other place for what it knows */
static const struct log *told_to;

/* The call returns -EPERM; log_put is not called from a handler, since the thread may hold what it takes. */
static void on_refused(int number, siginfo_t *info, void *context)
{
    static const char json[] = "{\"level\":\"warning\",\"message\":\"sandbox: refused system call ",
                      text[] = "warning sandbox: refused system call ";
    ucontext_t *c = context;
    unsigned nr = (unsigned)info->si_syscall;
    char line[160];
    int keep = errno;
    UNUSED(number);
    if (nr < NUMBERS && !atomic_exchange(&told[nr], true)) {
        bool as_json = atomic_load(&told_to->json);
        size_t n = as_json ? sizeof json - 1 : sizeof text - 1;
        memcpy(line, as_json ? json : text, n);
        for (unsigned unit = 1000; unit; unit /= 10)
            if (nr >= unit || unit == 1)
                line[n++] = (char)('0' + nr / unit % 10);
        memcpy(line + n, "\"}\n", 3);
        if (!as_json)
            line[n] = '\n';
        if (write(told_to->fd, line, as_json ? n + 3 : n + 1) < 0)
            errno = keep;
    }
#if defined(__x86_64__)
    c->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    c->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#endif
    errno = keep;
}

/* Elsewhere nothing knows where a call's result is: what is not allowed ends the process. */
static uint32_t refusal(enum sandbox_mode mode)
{
#if defined(__x86_64__) || defined(__aarch64__)
    return mode == SANDBOX_REPORT ? SCMP_ACT_LOG : SCMP_ACT_TRAP;
#else
    return mode == SANDBOX_REPORT ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
#endif
}

/* --- system calls --- */

static int rule(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    return nr == __NR_SCMP_ERROR || nr < 0 ? 0 : seccomp_rule_add_array(ctx, action, nr, 0, NULL);
}

/* Calls that are allowed with certain arguments. */
static int rules_of_arguments(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
    const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
    const struct scmp_arg_cmp niced[] = {SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS, 0), SCMP_A1(SCMP_CMP_EQ, 0, 0)};
    const struct scmp_arg_cmp terminal = SCMP_A1(SCMP_CMP_EQ, TCGETS, 0);
    int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec);
    if (rc == 0)
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
    if (rc == 0)
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
    if (rc == 0) /* its flags are in memory, where no filter sees them: the C library falls back to clone */
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
    if (rc == 0) /* the decider that has failed */
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, &self);
    if (rc == 0)
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &name);
    if (rc == 0) /* the keeper's thread: itself alone */
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), ARRAY_LEN(niced), niced);
    if (rc == 0) /* isatty */
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &terminal);
    return rc;
}

static int filter(const struct sandbox *s)
{
    scmp_filter_ctx ctx = seccomp_init(refusal(s->mode));
    int rc = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2 /* a tree, not a list: calls are many */) : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(calls); i++)
        if (calls[i].when == ALWAYS || wants_network(s))
            rc = rule(ctx, SCMP_ACT_ALLOW, calls[i].name);
    for (size_t i = 0; rc == 0 && s->mode == SANDBOX_ON && i < ARRAY_LEN(killed); i++)
        rc = rule(ctx, SCMP_ACT_KILL_PROCESS, killed[i]);
    if (rc == 0)
        rc = rules_of_arguments(ctx);
    if (rc == 0)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    return rc;
}

static enum keer_err enter_seccomp(const struct sandbox *s)
{
    struct sigaction act = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
    told_to = s->log;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL) {
        log_put(s->log, LOG_WARNING, "sandbox: this kernel has no seccomp: system calls are not limited");
        return KEER_OK;
    }
    if (sigaction(SIGSYS, &act, NULL) != 0)
        return KEER_EIO;
    int rc = filter(s);
    if (rc != 0)
        log_put(s->log, LOG_ERROR, "sandbox: seccomp: %s", strerror(-rc));
    return rc == 0 ? KEER_OK : KEER_EIO;
}

/* --- files and networks --- */

/* linux/landlock.h of Debian 12 ends at ABI 2. Rights of files by the ABI that brought them; the last column says what a
 * database's folder is given. */
#define FS_EXECUTE (1u << 0)
#define FS_WRITE (1u << 1)
#define FS_READ (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_REG (1u << 8)
#define FS_TRUNCATE (1u << 14)
#define FS_OF_DATABASE (FS_WRITE | FS_READ | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE)
static const uint64_t rights_of_abi[] = {0, 0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF};
#define ABI_NETWORK 4
#define ABI_SCOPED 6
struct ruleset {
    uint64_t files, network, scoped;
};
struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

/* The folder that a path is in. */
static int allow_folder(int ruleset, const char *path, uint64_t allowed)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof folder)
        return -1;
    if (n) {
        memcpy(folder, path, n);
        folder[n] = '\0';
    }
    struct path_rule r = {allowed, open(folder, O_PATH | O_CLOEXEC)};
    long rc = r.fd < 0 ? -1 : syscall(SYS_landlock_add_rule, ruleset, 1 /* a path */, &r, 0);
    if (r.fd >= 0)
        (void)close(r.fd);
    return (int)rc;
}

/* The folder of a file that may be replaced, and the one its symbolic links lead to: certificates are often links into an
 * archive. */
static int allow_reading(int ruleset, const char *path)
{
    int rc = allow_folder(ruleset, path, FS_READ);
    char *real = realpath(path, NULL);
    if (rc == 0 && real)
        rc = allow_folder(ruleset, real, FS_READ);
    free(real);
    return rc;
}

static enum keer_err enter_landlock(const struct sandbox *s, long *ret_abi)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* which ABI */);
    *ret_abi = abi > 0 ? abi : 0;
    if (abi <= 0) {
        log_put(s->log, LOG_WARNING, "sandbox: this kernel has no Landlock: files are not limited");
        return KEER_OK;
    }
    uint64_t files = rights_of_abi[MIN_OF((size_t)abi, ARRAY_LEN(rights_of_abi) - 1)];
    struct ruleset r = {.files = files,
                        .network = wants_network(s) ? 0 : 3 /* bind, connect */,
                        .scoped = 3 /* sockets without a path, signals */};
    size_t size = abi < ABI_NETWORK ? 8 : abi < ABI_SCOPED ? 16 : 24;
    long fd = syscall(SYS_landlock_create_ruleset, &r, size, 0);
    long rc = fd < 0 ? -1 : 0;
    if (rc == 0 && wants_network(s))
        rc = allow_folder((int)fd, "/etc/x", FS_READ | FS_READ_DIR);
    if (rc == 0 && !is_remote(s))
        rc = allow_folder((int)fd, s->database, FS_OF_DATABASE & files);
    /* A folder that is not there: the snapshot can't be written, which is a warning then and no reason to end now. */
    if (rc == 0 && s->snapshot && allow_folder((int)fd, s->snapshot, FS_OF_DATABASE & files) != 0 && errno != ENOENT)
        rc = -1;
    for (unsigned i = 0; rc == 0 && i < SANDBOX_READ_AGAIN; i++)
        if (s->read_again[i])
            rc = allow_reading((int)fd, s->read_again[i]);
    if (rc == 0)
        rc = syscall(SYS_landlock_restrict_self, fd, 0);
    if (rc != 0)
        log_put(s->log, LOG_ERROR, "sandbox: Landlock: %s", strerror(errno));
    if (fd >= 0)
        (void)close((int)fd);
    return rc == 0 ? KEER_OK : KEER_EIO;
}

enum keer_err sandbox_enter(const struct sandbox *s)
{
    struct rlimit none = {0, 0};
    long abi = 0;
    if (s->mode == SANDBOX_OFF) {
        log_put(s->log, LOG_WARNING, "sandbox: off");
        return KEER_OK;
    }
    /* Keys are in memory: no core file, no other process of the same user that looks in. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0) {
        log_put(s->log, LOG_ERROR, "sandbox: %s", strerror(errno));
        return KEER_EIO;
    }
    enum keer_err err = s->mode == SANDBOX_ON ? enter_landlock(s, &abi) : KEER_OK;
    if (err == KEER_OK)
        err = enter_seccomp(s);
    if (err == KEER_OK)
        log_put(s->log, LOG_INFO, "sandbox: %s%s, Landlock ABI %ld",
                s->mode == SANDBOX_ON ? "on" : "report: calls that would be refused are in the kernel's audit log",
                wants_network(s) ? ", with sockets" : "", abi);
    return err;
}
#endif
