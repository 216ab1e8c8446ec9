/* inside.h - what http.c (exchanges) and loop.c (sockets and threads) share. */
#ifndef HTTP_INSIDE_H
#define HTTP_INSIDE_H
#include <microhttpd.h>
#include <pthread.h>

#include "http/http.h"

#define HEAD_BYTES_MAX ((size_t)16 << 10) /* memory of a connection: holds the head of a request, and so bounds it */

/* A connection. A head, and then a body, has until its deadline; 0 while a request is handled or answered. */
struct http_conn {
    struct http_loop *loop;
    struct http_conn *prev, *next;
    int fd;
    struct http_tls *tls; /* the certificate that it began with; NULL without TLS */
    int64_t deadline_us;
};

/* A thread with its connections. Who resumes an exchange puts it into `resumed`, and wakes the thread when it sleeps. */
struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    unsigned index;
    int wake_fd;
    pthread_t thread;
    bool running, quiet; /* quiet: takes no new connections */
    atomic_bool sleeping;
    pthread_mutex_t lock;
    struct http_exchange *resumed, **resumed_end;
    struct http_conn *conns; /* the thread's own; looked over every second */
    int64_t look_us;
};

struct http_server {
    struct http_options options;
    struct http_site site;
    atomic_bool draining, stopping;
    struct http_stats stats;
    char address[100];
    int fd;               /* what it listens on, until the threads have it; -1 */
    struct http_tls *tls; /* in force for new connections; NULL without TLS */
    pthread_mutex_t tls_lock;
    unsigned count;
    struct http_loop loop[HTTP_THREADS_MAX];
};

void loop_resume(struct http_loop *l, struct http_exchange *x);
/* Something is expected from `from_us` on; 0: nothing is. A NULL connection is fine in both. */
void conn_expect(struct http_conn *c, int64_t from_us);
void conn_extend(struct http_conn *c, int64_t begun_us, size_t seen);
/* MHD_AccessHandlerCallback and MHD_RequestCompletedCallback; `cls` is the loop. */
enum MHD_Result exchange_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **con_cls);
void exchange_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why);
#endif
