/* serve_tls.c - certificate and key of --tls-cert and --tls-key: read before the sandbox, and again by SIGHUP. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timefmt.h"
#include "cli/serve.h"

#define PEM_BYTES ((size_t)64 << 10) /* a chain of ten with room to spare */

/* One place for the bytes of a file, wiped by whoever read it: io_slurp would leave copies of a key behind. */
struct pem {
    size_t len;
    char text[PEM_BYTES];
};

static bool read_pem(struct pem *p, const char *path, struct io_why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    p->len = 0;
    while (n > 0 && p->len < sizeof p->text) {
        n = read(fd, p->text + p->len, sizeof p->text - p->len);
        p->len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        (void)snprintf(why->text, sizeof why->text, "cannot read '%.300s': %s", path, strerror(errno));
    else if (p->len == sizeof p->text)
        (void)snprintf(why->text, sizeof why->text, "'%.300s' is larger than 64K: no certificate or key", path);
    if (fd >= 0)
        (void)close(fd);
    return n >= 0 && p->len < sizeof p->text;
}

/* KEER_EIO, KEER_EFORMAT, KEER_ENOMEM, with `why`. */
static enum keer_err read_both(const struct cli *cli, struct http_tls **ret_tls, struct io_why *why)
{
    const char *cert_path = cli_text(cli, "tls-cert"), *key_path = cli_text(cli, "tls-key");
    struct http_why what;
    enum keer_err err = KEER_EIO;
    struct pem *p = calloc(2, sizeof *p);
    if (!p) {
        (void)snprintf(why->text, sizeof why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    if (read_pem(&p[0], cert_path, why) && read_pem(&p[1], key_path, why)) {
        err = http_tls_new(slice_of(p[0].text, p[0].len), slice_of(p[1].text, p[1].len), ret_tls, &what);
        if (err != KEER_OK)
            (void)snprintf(why->text, sizeof why->text, "%.140s, %.140s: %s", cert_path, key_path, what.text);
    }
    crypto_wipe(p, 2 * sizeof *p);
    free(p);
    return err;
}

static void tell(struct serving *s, const struct http_tls *t, const char *when)
{
    struct buf until;
    int64_t now_s = s->cli->env.wall_us() / US_SECOND;
    buf_init(&until, 100);
    time_print(&until, http_tls_ends_s(t) * US_SECOND);
    const char *end = until.err == KEER_OK && until.p ? until.p : "?";
    log_put(&s->log, LOG_INFO, "%scertificate of %s, valid until %s", when, http_tls_name(t), end);
    if (http_tls_ends_s(t) <= now_s)
        log_put(&s->log, LOG_WARNING, "the certificate has expired, at %s: callers will refuse it", end);
    else if (http_tls_begins_s(t) > now_s)
        log_put(&s->log, LOG_WARNING, "the certificate is not valid yet: callers will refuse it");
    buf_release(&until);
}

static void tell_if_open(struct serving *s)
{
    struct stat st;
    const char *path = cli_text(s->cli, "tls-key");
    if (stat(path, &st) == 0 && (st.st_mode & 007))
        log_put(&s->log, LOG_WARNING, "%s: every user of the machine may open this key: chmod o= it", path);
}

int serve_tls_open(struct serving *s)
{
    struct cli *cli = s->cli;
    struct io_why why;
    if (!cli_text(cli, "tls-cert") != !cli_text(cli, "tls-key"))
        return cli_usage(cli, "--tls-cert and --tls-key belong together: name both, or none");
    if (!cli_text(cli, "tls-cert"))
        return CLI_DONE;
    enum keer_err err = read_both(cli, &s->tls, &why);
    if (err != KEER_OK)
        return cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
    tell(s, s->tls, "");
    tell_if_open(s);
    return CLI_DONE;
}

void serve_tls_reload(struct serving *s)
{
    struct http_tls *t;
    struct io_why why;
    if (!s->tls)
        return;
    if (read_both(s->cli, &t, &why) != KEER_OK) {
        log_put(&s->log, LOG_ERROR, "SIGHUP: the certificate stays as it was: %s", why.text);
        return;
    }
    http_renew(s->server, t);
    tell(s, t, "SIGHUP: read: ");
    http_tls_unref(t);
}
