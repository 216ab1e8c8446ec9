/* hook.c - preloaded into the daemon by tests/integration/sandbox.sh: from inside the sandbox, on the main thread's first
 * wait for a signal after a while, it tries what an attacker would, and says on standard error how it went.
 * KEER_HOOK=execve, ptrace or fork ends with that call.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void said(const char *what, long rc)
{
    char line[100];
    int n = snprintf(line, sizeof line, "hook: %s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "done");
    if (write(2, line, (size_t)n) < 0)
        abort();
}

static void attack(void)
{
    const char *last = getenv("KEER_HOOK");
    char *const none[] = {NULL};
    said("getpriority", syscall(SYS_getpriority, 0, 0));
    said("socket", socket(AF_INET, SOCK_STREAM, 0));
    said("open", open("/etc/passwd", O_RDONLY));
    said("create", open("/tmp/keer-sandbox-hook", O_CREAT | O_WRONLY, 0600));
    said("executable memory",
         mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    said("kill", kill(getppid(), 0));
    if (last && strcmp(last, "execve") == 0)
        said(last, execve("/bin/true", none, none));
    if (last && strcmp(last, "ptrace") == 0)
        said(last, ptrace(PTRACE_TRACEME, 0, 0, 0));
    if (last && strcmp(last, "io_uring") == 0)
        said(last, syscall(SYS_io_uring_setup, 1, NULL));
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    static int calls;
    union {
        void *p;
        int (*f)(const sigset_t *, siginfo_t *, const struct timespec *);
    } next = {dlsym(RTLD_NEXT, "sigtimedwait")};
    if (++calls == 3)
        attack();
    return next.f(set, info, timeout);
}
