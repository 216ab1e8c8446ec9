/* server.h - HTTP/1.1 as a judge needs it: every byte as it came, and answers that break off, dawdle or never come.
 *
 * Invariants
 * 1. A thread for each connection, blocking; connections, heads and bodies are bounded. Beyond the bounds: closed.
 * 2. A handler sees the request whole, and its exact bytes; a body needs Content-Length (411 without).
 * 3. An address that is not loopback is not listened on.
 */
#ifndef EMULATOR_SERVER_H
#define EMULATOR_SERVER_H
#include "base/buf.h"

#define SERVER_HEAD_BYTES ((size_t)32 << 10)
#define SERVER_BODY_BYTES ((size_t)1 << 20)
#define SERVER_CONNECTIONS 1024
#define SERVER_ANSWER_BYTES ((size_t)256 << 20) /* the journal may be long */

struct server_request {
    struct slice method, target, path, query; /* target as it came; query p NULL: no '?' */
    struct slice head;                        /* all of it, with the first line, as it came */
    struct slice body;
};
/* The value of a header by its name in any case; p NULL. */
struct slice server_header(const struct server_request *rq, const char *name);

struct server_answer {
    int status;
    const char *type;
    struct buf headers; /* "Name: value\r\n", ... */
    struct buf body;
    bool drop;       /* no byte of an answer: the connection is closed */
    int64_t slow_us; /* half of the body is sent, and the rest after this */
};

struct server;
struct server_options {
    const char *listen;
    void (*handle)(void *ctx, const struct server_request *rq, struct server_answer *an); /* any thread */
    void *ctx;
};
/* KEER_EINVALID for an address that is none or not loopback, KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err server_open(const struct server_options *o, struct server **ret_server, char ret_why[200]);
KEER_NODISCARD enum keer_err server_start(struct server *s);
const char *server_address(const struct server *s); /* "127.0.0.1:4711" */
void server_stop(struct server *s);                 /* closes every connection and waits for the threads; NULL is fine */

/* --- a client for notices: one request, one connection --- */
struct server_post {
    struct slice url; /* http://127.0.0.1:PORT/path */
    const char *type;
    struct slice headers; /* "Name: value\r\n", ... */
    struct slice body;
    int64_t wait_us;
};
/* The answer's status, and its body in `body`; 0 when there was none. */
int server_post(const struct server_post *p, struct buf *body);
/* Cuts an http:// URL of a loopback address; false for another. */
bool server_url(struct slice url, char ret_host[64], char ret_port[8], struct slice *ret_target);
void server_sleep(int64_t us);
#endif
