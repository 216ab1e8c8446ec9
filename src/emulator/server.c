/* server.c - HTTP/1.1 with a thread for each connection. */
#include "emulator/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define IDLE_MS 60000
#define ONE_PACKET_BYTES ((size_t)32 << 10)
#define STACK_BYTES ((size_t)512 << 10)

struct connection {
    struct server *server;
    int fd; /* -1: free */
};
struct server {
    struct server_options o;
    int fd;
    char address[64];
    pthread_t acceptor;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t gone;
    unsigned active;
    struct connection connection[SERVER_CONNECTIONS];
};

void server_sleep(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (us > 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* --- requests --- */

/* The value of a header within lines "Name: value\r\n". */
static struct slice header_in(struct slice lines, const char *name)
{
    while (lines.p && lines.len) {
        struct slice line = slice_cut(&lines, '\n'), value = line;
        struct slice its = slice_cut(&value, ':');
        if (value.p && slice_eqi(its, slice_str(name)))
            return slice_trim(value);
    }
    return (struct slice){NULL, 0};
}

struct slice server_header(const struct server_request *rq, const char *name)
{
    struct slice lines = rq->head;
    (void)slice_cut(&lines, '\n');
    return header_in(lines, name);
}

/* More bytes into `b`; false at the end of the connection, an error, or after `wait_ms` of silence. */
static bool read_more(int fd, struct buf *b, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char *room = buf_reserve(b, 8192);
    if (!room || poll(&p, 1, wait_ms) <= 0)
        return false;
    ssize_t n = recv(fd, room, 8192, 0);
    if (n <= 0)
        return false;
    b->len += (size_t)n;
    b->p[b->len] = '\0';
    return true;
}

static bool send_all(int fd, struct slice s)
{
    while (s.len) {
        ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        s = slice_of(s.p + n, s.len - (size_t)n);
    }
    return true;
}

/* Reads until `b` holds a head; its length with the blank line, 0 when there will be none. */
static size_t read_head(int fd, struct buf *b, int wait_ms)
{
    for (;;) {
        const char *end = b->len ? memmem(b->p, b->len, "\r\n\r\n", 4) : NULL;
        if (end)
            return (size_t)(end - b->p) + 4;
        if (b->len > SERVER_HEAD_BYTES || !read_more(fd, b, wait_ms))
            return 0;
    }
}

static const char *reason_of(int status)
{
    return status < 300 ? "OK" : status < 400 ? "Found" : status < 500 ? "Refused" : "Failed";
}

static bool send_answer(int fd, struct server_answer *an, bool keep)
{
    struct buf head;
    buf_init(&head, SERVER_HEAD_BYTES + an->headers.len + ONE_PACKET_BYTES);
    buf_fmt(&head, "HTTP/1.1 %d %s\r\n", an->status, reason_of(an->status));
    if (an->status != 204)
        buf_fmt(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", an->type ? an->type : "text/plain", an->body.len);
    buf_slice(&head, buf_view(&an->headers));
    buf_puts(&head, keep ? "\r\n" : "Connection: close\r\n\r\n");
    struct slice body = buf_view(&an->body), first = slice_of(body.p, an->slow_us ? body.len / 2 : body.len);
    bool ok = an->body.err == KEER_OK;
    if (first.len < ONE_PACKET_BYTES) { /* one packet rather than two */
        buf_slice(&head, first);
        body = body.p ? slice_of(body.p + first.len, body.len - first.len) : body;
        first.len = 0;
    }
    ok = ok && head.err == KEER_OK && send_all(fd, buf_view(&head)) && send_all(fd, first);
    if (ok && an->slow_us)
        server_sleep(an->slow_us);
    ok = ok && (!body.len || send_all(fd, slice_of(body.p + first.len, body.len - first.len)));
    buf_release(&head);
    return ok;
}

/* The head's parts; false for what is no request. */
static bool parse_head(struct slice head, struct server_request *rq)
{
    struct slice lines = head, line = slice_trim(slice_cut(&lines, '\n'));
    rq->head = head;
    rq->method = slice_cut(&line, ' ');
    rq->target = slice_cut(&line, ' ');
    rq->query = rq->target;
    rq->path = slice_cut(&rq->query, '?');
    return slice_eq(line, SLICE("HTTP/1.1")) && rq->target.len && rq->target.p[0] == '/';
}

/* One request of a connection; `b` holds what came beyond the one before. False: the connection ends. */
static bool serve_one(struct server *s, int fd, struct buf *b)
{
    struct server_request rq = {0};
    struct server_answer an = {.status = 500};
    uint64_t length = 0;
    size_t head = read_head(fd, b, IDLE_MS);
    if (!head || !parse_head(slice_of(b->p, head), &rq))
        return false;
    buf_init(&an.headers, SERVER_HEAD_BYTES);
    buf_init(&an.body, SERVER_ANSWER_BYTES);
    struct slice given = server_header(&rq, "Content-Length");
    bool keep = !slice_eqi(server_header(&rq, "Connection"), SLICE("close"));
    if (server_header(&rq, "Transfer-Encoding").p || (given.p && num_u64(given, 0, SERVER_BODY_BYTES, &length) != KEER_OK)) {
        an.status = 411;
        buf_puts(&an.body, "a body needs a Content-Length of at most 1 MB\n");
        (void)send_answer(fd, &an, false);
        keep = false;
        goto out;
    }
    if (slice_eqi(server_header(&rq, "Expect"), SLICE("100-continue")) && b->len < head + length)
        keep = send_all(fd, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    while (b->len < head + length)
        if (!read_more(fd, b, IDLE_MS)) {
            keep = false;
            goto out;
        }
    (void)parse_head(slice_of(b->p, head), &rq); /* the buffer may have moved */
    rq.body = slice_of(b->p + head, (size_t)length);
    s->o.handle(s->o.ctx, &rq, &an);
    keep = !an.drop && send_answer(fd, &an, keep) && keep;
out:
    memmove(b->p, b->p + head + length, b->len - MIN_OF(b->len, head + (size_t)length));
    b->len -= MIN_OF(b->len, head + (size_t)length);
    buf_release(&an.headers);
    buf_release(&an.body);
    return keep;
}

static void *connection_run(void *arg)
{
    struct connection *c = arg;
    struct server *s = c->server;
    struct buf b;
    int one = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    buf_init(&b, SERVER_HEAD_BYTES + SERVER_BODY_BYTES + 16384);
    while (!atomic_load(&s->stopping) && serve_one(s, c->fd, &b))
        ;
    buf_release(&b);
    pthread_mutex_lock(&s->lock);
    (void)close(c->fd);
    c->fd = -1;
    s->active--;
    pthread_cond_signal(&s->gone);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool connection_begin(struct server *s, int fd)
{
    struct connection *c = NULL;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < SERVER_CONNECTIONS && !c; i++)
        if (s->connection[i].fd < 0)
            c = &s->connection[i];
    if (c) {
        c->fd = fd;
        s->active++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!c)
        return false;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&thread, &attr, connection_run, c) == 0;
    (void)pthread_attr_destroy(&attr);
    if (ok)
        return true;
    pthread_mutex_lock(&s->lock);
    c->fd = -1;
    s->active--;
    pthread_mutex_unlock(&s->lock);
    return false;
}

static void *accept_run(void *arg)
{
    struct server *s = arg;
    while (!atomic_load(&s->stopping)) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && !connection_begin(s, fd))
            (void)close(fd);
        else if (fd < 0 && errno != EINTR && errno != ECONNABORTED && !atomic_load(&s->stopping))
            server_sleep(10000); /* no descriptors: others will close theirs */
    }
    return NULL;
}

/* --- opening --- */

/* 127.0.0.0/8 and ::1, written as numbers. */
static bool resolve(const char *host, const char *port, struct addrinfo **ret_info)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, ret_info) != 0)
        return false;
    const void *sa = (*ret_info)->ai_addr;
    const struct sockaddr_in *v4 = sa;
    const struct sockaddr_in6 *v6 = sa;
    bool local =
        (*ret_info)->ai_family == AF_INET ? (ntohl(v4->sin_addr.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    if (!local)
        freeaddrinfo(*ret_info);
    return local;
}

/* "127.0.0.1:80", "[::1]:80". */
static bool split(struct slice text, char host[64], char port[8])
{
    const char *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
    if (!colon)
        return false;
    struct slice h = slice_of(text.p, (size_t)(colon - text.p)), p = slice_of(colon + 1, text.len - h.len - 1);
    if (h.len > 2 && h.p[0] == '[' && h.p[h.len - 1] == ']')
        h = slice_of(h.p + 1, h.len - 2);
    if (!h.len || h.len > 63 || !p.len || p.len > 7)
        return false;
    (void)snprintf(host, 64, SLICE_FMT, SLICE_ARG(h));
    (void)snprintf(port, 8, SLICE_FMT, SLICE_ARG(p));
    return true;
}

enum keer_err server_open(const struct server_options *o, struct server **ret_server, char ret_why[200])
{
    char host[64], port[8];
    struct addrinfo *info;
    int one = 1;
    if (!split(slice_str(o->listen), host, port) || !resolve(host, port, &info)) {
        (void)snprintf(ret_why, 200, "'%.80s' is no ADDRESS:PORT of loopback, as 127.0.0.1:0", o->listen);
        return KEER_EINVALID;
    }
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        freeaddrinfo(info);
        return KEER_ENOMEM;
    }
    s->o = *o;
    for (unsigned i = 0; i < SERVER_CONNECTIONS; i++)
        s->connection[i] = (struct connection){s, -1};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->gone, NULL);
    s->fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage got = {0};
    socklen_t len = sizeof got;
    bool ok = s->fd >= 0 && setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
              bind(s->fd, info->ai_addr, info->ai_addrlen) == 0 && listen(s->fd, 512) == 0 &&
              getsockname(s->fd, (struct sockaddr *)&got, &len) == 0;
    freeaddrinfo(info);
    if (!ok) {
        (void)snprintf(ret_why, 200, "can't listen on %.80s: %s", o->listen, strerror(errno));
        server_stop(s);
        return KEER_EIO;
    }
    (void)getnameinfo((struct sockaddr *)&got, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(s->address, sizeof s->address, strchr(host, ':') ? "[%.45s]:%.7s" : "%.45s:%.7s", host, port);
    *ret_server = s;
    return KEER_OK;
}

enum keer_err server_start(struct server *s)
{
    s->started = pthread_create(&s->acceptor, NULL, accept_run, s) == 0;
    return s->started ? KEER_OK : KEER_EIO;
}

const char *server_address(const struct server *s) { return s->address; }

void server_stop(struct server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    if (s->fd >= 0)
        (void)shutdown(s->fd, SHUT_RDWR); /* wakes accept */
    if (s->started)
        (void)pthread_join(s->acceptor, NULL);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < SERVER_CONNECTIONS; i++)
        if (s->connection[i].fd >= 0)
            (void)shutdown(s->connection[i].fd, SHUT_RDWR);
    while (s->active)
        pthread_cond_wait(&s->gone, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (s->fd >= 0)
        (void)close(s->fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->gone);
    free(s);
}

/* --- notices --- */

bool server_url(struct slice url, char ret_host[64], char ret_port[8], struct slice *ret_target)
{
    struct addrinfo *info;
    struct slice scheme = SLICE("http://");
    if (url.len <= scheme.len || !slice_eqi(slice_of(url.p, scheme.len), scheme))
        return false;
    struct slice rest = slice_of(url.p + scheme.len, url.len - scheme.len);
    const char *slash = memchr(rest.p, '/', rest.len);
    struct slice host = slice_of(rest.p, slash ? (size_t)(slash - rest.p) : rest.len);
    *ret_target = slash ? slice_of(slash, rest.len - host.len) : SLICE("/");
    for (size_t i = 0; i < ret_target->len; i++)
        if ((unsigned char)ret_target->p[i] <= ' ')
            return false;
    if (!split(host, ret_host, ret_port) || !resolve(ret_host, ret_port, &info))
        return false;
    freeaddrinfo(info);
    return true;
}

static int connect_to(const char *host, const char *port, int64_t wait_us)
{
    struct addrinfo *info;
    struct timeval wait = {.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
    int one = 1;
    if (!resolve(host, port, &info))
        return -1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait); /* of connect too */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(info);
    return fd;
}

/* Chunks (RFC 9112 section 7.1) to what they hold; false when the last is not there. */
static bool dechunk(struct slice s, struct buf *body)
{
    uint64_t length = 1;
    while (s.p && length) {
        struct slice line = slice_trim(slice_cut(&s, '\n'));
        if (num_hex(slice_cut(&line, ';'), &length) != KEER_OK || !s.p || length + 2 > s.len)
            return false;
        buf_put(body, s.p, (size_t)length);
        s = slice_of(s.p + length + 2, s.len - (size_t)length - 2);
    }
    return !length;
}

/* The body behind a head of `head` bytes: as long as it says, in chunks, or until the connection ends. */
static bool take_body(int fd, struct buf *b, size_t head, int wait_ms, struct buf *body)
{
    struct slice lines = slice_of(b->p, head);
    uint64_t length = SERVER_BODY_BYTES;
    bool chunked = slice_eqi(header_in(lines, "Transfer-Encoding"), SLICE("chunked"));
    struct slice given = header_in(lines, "Content-Length");
    if (given.p && num_u64(given, 0, SERVER_BODY_BYTES, &length) != KEER_OK)
        return false;
    while (b->len < head + length && read_more(fd, b, wait_ms))
        ;
    struct slice got = slice_of(b->p + head, b->len - head);
    if (chunked)
        return dechunk(got, body);
    buf_slice(body, got);
    return !given.p || got.len >= length;
}

int server_post(const struct server_post *p, struct buf *body)
{
    char host[64], port[8];
    struct slice target;
    struct buf b;
    uint64_t status = 0;
    int fd = server_url(p->url, host, port, &target) ? connect_to(host, port, p->wait_us) : -1;
    if (fd < 0)
        return 0;
    buf_init(&b, SERVER_BODY_BYTES + SERVER_HEAD_BYTES);
    buf_fmt(&b, "POST " SLICE_FMT " HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
            SLICE_ARG(target), host, port, p->type, p->body.len);
    buf_slice(&b, p->headers);
    buf_puts(&b, "Connection: close\r\n\r\n");
    buf_slice(&b, p->body);
    bool ok = b.err == KEER_OK && send_all(fd, buf_view(&b));
    buf_clear(&b);
    size_t head = ok ? read_head(fd, &b, (int)(p->wait_us / 1000)) : 0;
    if (head) {
        struct slice lines = slice_of(b.p, head), line = slice_cut(&lines, '\n');
        (void)slice_cut(&line, ' ');
        if (num_u64(slice_cut(&line, ' '), 100, 599, &status) != KEER_OK)
            status = 0;
        if (!take_body(fd, &b, head, (int)(p->wait_us / 1000), body))
            status = 0;
    }
    (void)close(fd);
    buf_release(&b);
    return (int)status;
}
