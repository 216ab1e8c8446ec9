/* serve_system.c - whose rights the daemon has, and what it tells systemd. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/serve.h"

/* Root may do everything, and the daemon needs nothing of that: not even its port, which is above 1023. A container whose
 * only user is root says --allow-root (KEER_ALLOW_ROOT=yes) once. */
int serve_become(struct serving *s)
{
    struct cli *cli = s->cli;
    const char *name = cli_text(cli, "user");
    if (!name && (geteuid() != 0 || cli_flag(cli, "allow-root")))
        return CLI_DONE;
    if (!name)
        return cli_usage(cli, "it does not run as root: start it as another user, name one with --user, or say --allow-root "
                              "(KEER_ALLOW_ROOT=yes) where root is all there is, as in a container");
    errno = 0;
    const struct passwd *p = getpwnam(name);
    if (!p)
        return cli_usage(cli, "--user: there is no user '%s'", name);
    if (p->pw_uid == geteuid())
        return CLI_DONE;
    if (initgroups(name, p->pw_gid) != 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) != 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0)
        return cli_fail(cli, CLI_IO, KEER_EIO, "--user: cannot become '%s': %s", name, strerror(errno));
    if (p->pw_uid != 0 && setuid(0) == 0)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "--user: root came back");
    return CLI_DONE;
}

void serve_notify_open(struct serving *s)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = s->cli->env.variable ? s->cli->env.variable("NOTIFY_SOCKET") : NULL;
    union {
        const struct sockaddr_un *un;
        const struct sockaddr *any;
    } name = {&to};
    size_t len = path ? strlen(path) : 0;
    s->notify_fd = -1;
    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') /* an abstract socket's name begins with a NUL (unix(7)) */
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, name.any, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0) {
        s->notify_fd = fd;
        return;
    }
    log_put(&s->log, LOG_WARNING, "NOTIFY_SOCKET can't be reached: %s", strerror(errno));
    if (fd >= 0)
        (void)close(fd);
}

void serve_notify(struct serving *s, const char *what)
{
    char text[200];
    if (s->notify_fd < 0)
        return;
    int n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%lld", what, (long long)s->cli->env.now_us());
    if (send(s->notify_fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
        log_put(&s->log, LOG_WARNING, "systemd can't be told '%s': %s", what, strerror(errno));
}

void serve_notify_close(struct serving *s)
{
    if (s->notify_fd >= 0)
        (void)close(s->notify_fd);
    s->notify_fd = -1;
}
