/* fetch_server.h - an HTTP server of one thread that answers as the path says, well or badly. */
#ifndef TESTS_LIB_FETCH_SERVER_H
#define TESTS_LIB_FETCH_SERVER_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "net/fetch.h"

#define FETCH_CLIENTS 8
struct fetch_server {
    int listener, drip; /* drip: a connection, or -1 */
    unsigned port;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint connections, requests;
    char received[4096]; /* the last request */
    char request[64];    /* its first line */
};

static const struct {
    const char *path, *answer;
    bool end; /* the connection ends with it */
} fetch_answers[] = {
    {"/plain",
     "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 201 Created\r\nX-Name:  Value: two \r\nX-Twice: 1\r\nX-Twice: "
     "2\r\n"
     "Content-Length: 11\r\n\r\n{\"a\" :\t1}\r\n",
     false},
    {"/large",
     "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     false},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false},
    {"/bad", "HTTP/1.1 400 Bad Request\r\nContent-Length: 22\r\n\r\n+31612345678 is no good", false},
    {"/unknown", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", false},
    {"/busy", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", false},
    {"/down", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", false},
    {"/drop", "", true},
    {"/half", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", true},
    {"/garbage", "SSH-2.0-x\r\n\r\n", true},
    {"/silent", NULL, false},
    {"/body", "HTTP/1.1 202 Accepted\r\nContent-Length: 20\r\n\r\nhalf", false},
    {"/drip", "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-Slow: ", false}}; /* then a byte every 50 ms */

/* Sends what the path says; false: the connection ends. */
static inline bool fetch_reply(struct fetch_server *s, int fd)
{
    size_t len = 0;
    for (char *body; len + 1 < sizeof s->received;) {
        ssize_t n = read(fd, s->received + len, sizeof s->received - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        s->received[len] = '\0';
        if ((body = strstr(s->received, "\r\n\r\n")) != NULL && body[4]) /* head and body of these tests are small */
            break;
    }
    (void)snprintf(s->request, sizeof s->request, "%.*s", (int)strcspn(s->received, "\r"), s->received);
    atomic_fetch_add(&s->requests, 1);
    for (size_t i = 0; i < ARRAY_LEN(fetch_answers); i++) {
        const char *answer = fetch_answers[i].answer;
        if (!strstr(s->request, fetch_answers[i].path))
            continue;
        if (answer)
            ck_assert_int_eq(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
        if (strcmp(fetch_answers[i].path, "/drip") == 0)
            s->drip = fd;
        return !fetch_answers[i].end;
    }
    return false;
}

static inline void *fetch_serve(void *ctx)
{
    struct fetch_server *s = ctx;
    struct pollfd p[1 + FETCH_CLIENTS] = {{.fd = s->listener, .events = POLLIN}};
    nfds_t count = 1;
    while (!atomic_load(&s->stop)) {
        if (s->drip >= 0)
            (void)send(s->drip, "x", 1, MSG_NOSIGNAL);
        if (poll(p, count, 50) <= 0)
            continue;
        for (nfds_t i = count - 1; i >= 1; i--) {
            if (!p[i].revents || fetch_reply(s, p[i].fd))
                continue;
            if (s->drip == p[i].fd)
                s->drip = -1;
            (void)close(p[i].fd);
            p[i] = p[--count];
        }
        if ((p[0].revents & POLLIN) && count <= FETCH_CLIENTS) {
            p[count++] = (struct pollfd){.fd = accept(s->listener, NULL, NULL), .events = POLLIN};
            atomic_fetch_add(&s->connections, 1);
        }
    }
    while (count > 1)
        (void)close(p[--count].fd);
    return NULL;
}

static inline void fetch_server_start(struct fetch_server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    memset(s, 0, sizeof *s);
    s->drip = -1;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->listener, 16) == 0);
    ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, fetch_serve, s), 0);
}

static inline void fetch_server_stop(struct fetch_server *s)
{
    atomic_store(&s->stop, true);
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    (void)close(s->listener);
}
#endif
