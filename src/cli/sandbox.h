/* sandbox.h - what the daemon takes from itself before it serves: system calls (seccomp), files and networks (Landlock),
 * rights of programs it would start, core dumps.
 *
 * Invariants
 * 1. It is entered once, by the only thread there is: threads inherit both, and Landlock has no way to reach others.
 * 2. syscalls.def is the list. A call that is in neither of its parts is refused with EPERM and told once in the log: a C
 *    library that tries something new can go on without it, and who runs it learns of it. A call that only an attacker makes
 *    (execve, ptrace, io_uring_setup, ...) ends the process: nothing that was acknowledged is lost by that.
 * 3. No memory is made executable, no other process is signalled, a new thread is all that clone makes.
 * 4. Files: the folders of database and snapshot, and reading the folders of what SIGHUP reads again, those behind their
 * symbolic links too. Sockets: none are made, unless the database is reached by one or webhooks are sent; then /etc can be
 * read too (resolver, certificates).
 * 5. A kernel that has neither is told in the log; the daemon runs all the same.
 */
#ifndef CLI_SANDBOX_H
#define CLI_SANDBOX_H
#include "base/log.h"

enum sandbox_mode {
    SANDBOX_ON,
    SANDBOX_OFF,
    SANDBOX_REPORT /* nothing is refused: the kernel's audit log names the calls */
};
#define SANDBOX_READ_AGAIN 3
struct sandbox {
    enum sandbox_mode mode;
    const char *database;                       /* a path, or an address that wants sockets */
    const char *read_again[SANDBOX_READ_AGAIN]; /* by SIGHUP: settings, certificate, its key; NULL */
    const char *snapshot;                       /* file of windows; NULL */
    bool outgoing;                              /* it connects to others */
    const struct log *log;
};

/* KEER_EIO when it could not be entered though the kernel has it; the log says why. */
KEER_NODISCARD enum keer_err sandbox_enter(const struct sandbox *s);
#endif
