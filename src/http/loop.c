/* loop.c - sockets and threads: each thread runs libmicrohttpd's epoll from a loop of ours.
 *
 * libmicrohttpd can run threads itself, and then every MHD_resume_connection wakes one through an eventfd: with an answer
 * after each commit that was a wake-up and a turn of epoll for each request. Here a thread resumes all that was answered
 * while it was busy, at one go.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/timefmt.h"
#include "http/inside.h"
#include "http/tls.h"

#define LISTEN_BACKLOG 1024

/* --- the socket --- */

static int bind_to(const struct addrinfo *a, char ret_address[100])
{
    union {
        struct sockaddr any;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
    } name;
    socklen_t len = sizeof name;
    int on = 1;
    char host[64], port[16];
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0 && getsockname(fd, &name.any, &len) == 0 &&
        getnameinfo(&name.any, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(ret_address, 100, a->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
        return fd;
    }
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

static enum keer_err resolve(const char *where, struct addrinfo **ret_found, struct http_why *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *colon = strrchr(where, ':');
    char host[64];
    size_t n = colon ? (size_t)(colon - where) : 0;
    bool six = n > 2 && where[0] == '[' && where[n - 1] == ']';
    if (!n || n >= sizeof host)
        goto bad;
    memcpy(host, where + six, n - 2u * six);
    host[n - 2u * six] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, ret_found) == 0)
        return KEER_OK;
bad:
    (void)snprintf(why->text, sizeof why->text, "'%.100s' is not ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080", where);
    return KEER_EINVALID;
}

enum keer_err http_check_address(const char *listen, struct http_why *ret_why)
{
    struct addrinfo *found;
    enum keer_err err = resolve(listen, &found, ret_why);
    if (err == KEER_OK)
        freeaddrinfo(found);
    return err;
}

static enum keer_err listen_on(const char *where, char ret_address[100], int *ret_fd, struct http_why *why)
{
    struct addrinfo *found;
    enum keer_err err = resolve(where, &found, why);
    if (err != KEER_OK)
        return err;
    *ret_fd = bind_to(found, ret_address);
    freeaddrinfo(found);
    if (*ret_fd >= 0)
        return KEER_OK;
    (void)snprintf(why->text, sizeof why->text, "%.100s: %s", where, strerror(errno));
    return KEER_EIO;
}

/* --- a thread --- */

static void wake(struct http_loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof one);
    ASSERT(n == sizeof one || errno == EAGAIN); /* the counter is full: it is awake */
}

void loop_resume(struct http_loop *l, struct http_exchange *x)
{
    x->next = NULL;
    (void)pthread_mutex_lock(&l->lock);
    *l->resumed_end = x;
    l->resumed_end = &x->next;
    (void)pthread_mutex_unlock(&l->lock);
    if (atomic_exchange(&l->sleeping, false))
        wake(l);
}

static bool resume_all(struct http_loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    struct http_exchange *x = l->resumed;
    l->resumed = NULL;
    l->resumed_end = &l->resumed;
    (void)pthread_mutex_unlock(&l->lock);
    bool any = x != NULL;
    for (struct http_exchange *next; x; x = next) {
        next = x->next;
        MHD_resume_connection(x->connection);
    }
    return any;
}

static void quiesce(struct http_loop *l)
{
    MHD_socket fd = MHD_quiesce_daemon(l->daemon);
    if (fd != MHD_INVALID_SOCKET)
        (void)close(fd);
    l->quiet = true;
}

/* `sleeping` is set before the last look at what was resumed: whoever comes after that look wakes it. */
static void sleep_until_something(struct http_loop *l, int epoll_fd)
{
    struct pollfd fds[2] = {{.fd = epoll_fd, .events = POLLIN}, {.fd = l->wake_fd, .events = POLLIN}};
    MHD_UNSIGNED_LONG_LONG ms = 0;
    uint64_t count;
    int timeout = MHD_get_timeout(l->daemon, &ms) == MHD_YES ? (int)MIN_OF(ms, 1000ull) : -1;
    if (l->conns && timeout < 0)
        timeout = 1000;
    atomic_store(&l->sleeping, true);
    (void)pthread_mutex_lock(&l->lock);
    bool any = l->resumed != NULL;
    (void)pthread_mutex_unlock(&l->lock);
    if (!any && timeout)
        (void)poll(fds, 2, timeout);
    atomic_store(&l->sleeping, false);
    if (fds[1].revents && read(l->wake_fd, &count, sizeof count) < 0)
        ASSERT(errno == EAGAIN);
}

/* --- time-outs: libmicrohttpd ends what is silent, but not what trickles --- */

void conn_expect(struct http_conn *c, int64_t from_us)
{
    if (c)
        c->deadline_us = from_us ? from_us + c->loop->server->options.request_us : 0;
}

void conn_extend(struct http_conn *c, int64_t begun_us, size_t seen)
{
    if (c)
        c->deadline_us = begun_us + c->loop->server->options.request_us + (int64_t)(seen / HTTP_BYTES_A_SECOND) * US_SECOND;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_loop *l = cls;
    struct http_conn *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED && c) {
        *(c->prev ? &c->prev->next : &l->conns) = c->next;
        if (c->next)
            c->next->prev = c->prev;
        http_tls_unref(c->tls);
        free(c);
        *context = NULL;
    } else if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        c = calloc(1, sizeof *c);
        if (!c) {
            (void)shutdown(fd, SHUT_RDWR);
            return;
        }
        *c = (struct http_conn){.loop = l, .next = l->conns, .fd = fd, .tls = tls_hold(l->server)};
        if (l->conns)
            l->conns->prev = c;
        l->conns = c;
        conn_expect(c, l->server->options.now_us());
        *context = c;
    }
}

/* Ends what is late: libmicrohttpd sees the end of the stream and closes. */
static void look_over(struct http_loop *l)
{
    int64_t now = l->server->options.now_us();
    if (now < l->look_us)
        return;
    l->look_us = now + US_SECOND;
    for (struct http_conn *c = l->conns; c; c = c->next)
        if (c->deadline_us && c->deadline_us < now)
            (void)shutdown(c->fd, SHUT_RDWR);
}

static void *loop_main(void *ctx)
{
    struct http_loop *l = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-http");
    struct http_server *s = l->server;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int epoll_fd = info->epoll_fd;
    while (!atomic_load(&s->stopping)) {
        (void)resume_all(l);
        look_over(l);
        (void)MHD_run(l->daemon);
        if (s->site.turn)
            s->site.turn(s->site.ctx, l->index);
        if (atomic_load(&s->draining) && !l->quiet)
            quiesce(l);
        sleep_until_something(l, epoll_fd);
    }
    return NULL;
}

/* Paths are decoded segment by segment, so that an id may hold a slash. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    UNUSED(cls);
    UNUSED(connection);
    return strlen(s);
}

static void no_log(void *cls, const char *fmt, va_list ap)
{
    UNUSED(cls);
    UNUSED(fmt);
    UNUSED(ap);
}

static bool loop_start(struct http_loop *l, int listen_fd)
{
    const struct http_options *o = &l->server->options;
    int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    (void)pthread_mutex_init(&l->lock, NULL);
    l->resumed_end = &l->resumed;
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd >= 0 && l->wake_fd >= 0)
        l->daemon = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (o->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, exchange_access, l,
            MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
            exchange_completed, l, MHD_OPTION_CONNECTION_LIMIT, (o->connections_max + o->threads - 1) / o->threads,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(o->request_us / US_SECOND), MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, l, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->per_ip_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            HEAD_BYTES_MAX, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            o->tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END /* nothing behind it is read */, TLS_PRIORITIES,
            MHD_OPTION_HTTPS_CERT_CALLBACK2, tls_certificate, MHD_OPTION_END);
    if (!l->daemon && fd >= 0)
        (void)close(fd);
    l->running = l->daemon && pthread_create(&l->thread, NULL, loop_main, l) == 0;
    return l->running;
}

static void loop_stop(struct http_loop *l)
{
    if (l->running) {
        wake(l);
        (void)pthread_join(l->thread, NULL);
    }
    if (l->daemon) {
        (void)resume_all(l); /* what was answered at the very end: it is dropped with its connection */
        MHD_stop_daemon(l->daemon);
    }
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
}

/* --- the server --- */

enum keer_err http_open(const struct http_options *o, const struct http_site *site, struct http_server **ret_server,
                        struct http_why *ret_why)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    ASSERT(o->threads >= 1 && o->threads <= HTTP_THREADS_MAX);
    s->options = *o;
    s->site = *site;
    s->fd = -1;
    s->tls = o->tls ? http_tls_ref(o->tls) : NULL;
    (void)pthread_mutex_init(&s->tls_lock, NULL);
    enum keer_err err = listen_on(o->listen, s->address, &s->fd, ret_why);
    if (err == KEER_OK)
        *ret_server = s;
    else
        http_stop(s);
    return err;
}

enum keer_err http_start(struct http_server *s, struct http_why *ret_why)
{
    while (s->count < s->options.threads) {
        struct http_loop *l = &s->loop[s->count];
        *l = (struct http_loop){.server = s, .index = s->count++};
        if (!loop_start(l, s->fd)) {
            (void)snprintf(ret_why->text, sizeof ret_why->text, "%.100s: the server does not start", s->options.listen);
            return KEER_EIO;
        }
    }
    (void)close(s->fd); /* each thread has its own */
    s->fd = -1;
    return KEER_OK;
}

const char *http_address(const struct http_server *s) { return s->address; }
struct http_stats *http_statistics(struct http_server *s) { return &s->stats; }

void http_drain(struct http_server *s)
{
    atomic_store(&s->draining, true);
    for (unsigned i = 0; i < s->count; i++)
        wake(&s->loop[i]);
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    for (unsigned i = 0; i < s->count; i++)
        loop_stop(&s->loop[i]);
    if (s->fd >= 0)
        (void)close(s->fd);
    http_tls_unref(s->tls);
    free(s);
}
