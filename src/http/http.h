/* http.h - an HTTP/1.1 server on libmicrohttpd: sockets, routing, limits, problem documents. It knows no domain.
 *
 * Life of an exchange (one request and its answer), on the thread of its connection but for http_resume:
 *
 *     begin ── refused (404, 405, 401, 403, 415, 413) ──────────────► replied ──► completed
 *       └─► reading the body ─► handle ── http_reply ──────────────┘
 *                                 ├─ http_stream ─► more ─► ... ─► HTTP_END ─► completed
 *                                 ├─ http_suspend ─► (another thread) http_resume ─► answered ── http_reply ──┤
 *       with HTTP_BLOCKING: site.blocking ─► (another thread) http_run: handle ── http_reply ─► http_resume ──────┘
 *
 * Invariants
 * 1. An exchange lives until the server calls the route's `release`, after the answer has left or the connection has died: a
 *    suspended one can be pointed at by other threads until they resume it.
 * 2. A suspended exchange is resumed exactly once, whatever happens.
 * 3. Bodies, headers, connections and times are bounded; a body is never kept past its route's maximum.
 * 4. Each thread is a loop of its own over its connections: what was resumed, what has come, then site.turn. It sleeps only
 *    when there is nothing, and only then costs http_resume a system call: a group of answers wakes it once.
 * 5. Every answer has Cache-Control: no-store, unless its handler says otherwise; every one that is no success is
 * application/problem+json. Over TLS every one has Strict-Transport-Security.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H
#include <stdatomic.h>

#include "base/buf.h"
#include "base/log.h"

enum http_problem {
#define HTTP_PROBLEM(code, status, title, hint) HTTP_##code,
#include "http/problems.def"
#undef HTTP_PROBLEM
    HTTP_PROBLEM_MAX
};

#define HTTP_BODY 1u  /* takes application/json */
#define HTTP_LARGE 2u /* of up to body_large_max bytes rather than body_max */
#define HTTP_LINES 4u /* takes application/x-ndjson of any length, as it comes: see below */
#define HTTP_FORM 8u  /* takes application/x-www-form-urlencoded; with HTTP_BODY, either */
/* `handle` may wait: it runs where site.blocking takes it, on a thread that is none of HTTP's, and always replies. It does
 * not touch what is kept for x->thread. `answered` is NULL. */
#define HTTP_BLOCKING 16u

struct http_exchange;
typedef void http_fn(struct http_exchange *x);
enum http_more { HTTP_MORE /* there is something in `out` */, HTTP_WAIT /* http_pause was called */, HTTP_END };
typedef enum http_more http_more_fn(struct http_exchange *x, struct buf *out);
/* A route with HTTP_LINES has its `handle` called at the head (neither piece nor `ended`), where it may reply; with each
 * piece of the body; at the end (`ended`), where it replies or suspends; and again after each http_resume, with the rest of
 * the piece. It takes what it can from x->piece; when it leaves a rest it suspends. While pieces come it can't reply; `drop`
 * closes the connection. */
struct http_route {
    const char *method; /* GET answers HEAD too */
    const char *path;   /* segments; {id} takes any one */
    unsigned roles;     /* of keys that are taken, a mask; 0: needs no key */
    unsigned flags;
    http_fn *handle;   /* replies or suspends */
    http_fn *answered; /* after http_resume: replies. NULL when it never suspends */
    http_fn *release;  /* frees x->data; may be NULL */
};

#define HTTP_THREADS_MAX 64
#define HTTP_BYTES_A_SECOND 4096
#define HTTP_ID_BYTES 4096
#define HTTP_CALLER_BYTES 32
#define HTTP_QUERY_BYTES 8192
#define HTTP_QUERY_MAX 32
#define HTTP_HEADERS_BYTES 16384 /* of an answer, those of http_set_header */
#define HTTP_HEADERS_MAX 16
#define HTTP_PEER_BYTES 64
struct http_param { /* of a query or a form: what may stand there, and what did */
    const char *name;
    struct slice value; /* decoded; p NULL: not given */
};
struct http_exchange {
    struct http_server *server;
    const struct http_route *route;
    void *ctx;          /* the site's */
    void *data;         /* the handler's */
    unsigned thread;    /* which of http_options.threads it lives on, from 0: handlers have scratch for each */
    struct buf body;    /* whole when `handle` is called; with HTTP_LINES the handler's own */
    struct slice piece; /* with HTTP_LINES; so are `ended` and `drop` */
    bool ended, drop;
    struct buf id;                  /* what stood for {id}, decoded */
    struct buf query;               /* values of http_query and http_form */
    void *worker;                   /* with HTTP_BLOCKING: who runs `handle`, from site.blocking */
    char caller[HTTP_CALLER_BYTES]; /* the public part of its key; "" without one */
    unsigned roles;                 /* of its key, where the route asks for one */
    int64_t begun_us;
    /* the rest is http.c's */
    char method[16]; /* for the log, as the next */
    struct buf path; /* empty unless requests are logged */
    struct buf reply;
    struct slice fixed; /* a reply that lives elsewhere, in x->data */
    const char *type, *retry_after, *allow;
    int status;
    http_more_fn *more; /* a stream */
    size_t sent;        /* of what it put into `reply` */
    size_t seen;        /* bytes of the body, kept or not */
    struct buf headers; /* name, NUL, value, NUL, ... */
    unsigned headers_count;
    bool close, too_large, suspended, replied, queued;
    bool refused; /* at the head, while lines come */
    void *connection;
    struct http_loop *loop;
    struct http_conn *conn;
    struct http_exchange *next; /* among those that were resumed */
};

struct http_site {
    const struct http_route *routes;
    unsigned count;
    void *ctx;
    /* The roles of a key, a mask, and its public part; 0 for a key that is not valid. */
    unsigned (*key_roles)(void *ctx, struct slice key, char ret_caller[HTTP_CALLER_BYTES]);
    /* A thread has handled all that had come: what its handlers have gathered can go on, together. NULL when not needed. */
    void (*turn)(void *ctx, unsigned thread);
    /* Takes a suspended exchange of a route with HTTP_BLOCKING elsewhere, for http_run. False when there is no place: it is
     * told HTTP_FULL. NULL when no route has the flag. */
    bool (*blocking)(void *ctx, struct http_exchange *x);
};
struct http_options {
    const char *listen;                            /* ADDRESS:PORT, [ADDRESS]:PORT; port 0 is any free one */
    unsigned threads, connections_max, per_ip_max; /* per_ip_max: of one address, on each thread; 0 = no limit */
    size_t body_max, body_large_max;
    int64_t request_us;   /* for a head, and for a body; a long body gets a second more for each HTTP_BYTES_A_SECOND */
    struct http_tls *tls; /* borrowed by http_open, which takes a reference; NULL: HTTP without TLS */
    const struct log *log;
    int64_t (*now_us)(void); /* monotonic */
};
struct http_why {
    char text[200];
};

#define HTTP_STATUS_MAX 600
struct http_stats {
    atomic_uint_fast64_t by_status[HTTP_STATUS_MAX];
    atomic_uint active; /* exchanges */
};

/* --- TLS: a certificate with its key --- */
/* From two texts in PEM: the certificate with those that signed it, and a key without a password; the caller wipes them. One
 * reference is the caller's. KEER_EFORMAT: not PEM, too long a chain, too short a key, not each other's; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err http_tls_new(struct slice certificate, struct slice key, struct http_tls **ret_tls,
                                          struct http_why *ret_why);
struct http_tls *http_tls_ref(struct http_tls *t);
void http_tls_unref(struct http_tls *t); /* NULL is fine */
/* When it is valid, in seconds since 1970, and the subject's name. */
int64_t http_tls_begins_s(const struct http_tls *t);
int64_t http_tls_ends_s(const struct http_tls *t);
const char *http_tls_name(const struct http_tls *t);
/* New connections are shown this one; those that are there keep theirs. The server was opened with TLS. From any thread. */
void http_renew(struct http_server *s, struct http_tls *t);

/* Whether an address is well formed; nothing is opened. KEER_EINVALID. */
KEER_NODISCARD enum keer_err http_check_address(const char *listen, struct http_why *ret_why);
/* Opens the socket; nothing is served yet. KEER_EINVALID for an address that is none, KEER_EIO when it can't be used,
 * KEER_ENOMEM. */
KEER_NODISCARD enum keer_err http_open(const struct http_options *o, const struct http_site *site,
                                       struct http_server **ret_server, struct http_why *ret_why);
/* Starts the threads, once. KEER_EIO. */
KEER_NODISCARD enum keer_err http_start(struct http_server *s, struct http_why *ret_why);
/* The address it listens on, with the port that it got. */
const char *http_address(const struct http_server *s);
struct http_stats *http_statistics(struct http_server *s);
/* No new connections; requests on old ones are refused with STOPPING. */
void http_drain(struct http_server *s);
/* Ends it; nothing may be suspended any more. NULL is fine. */
void http_stop(struct http_server *s);

/* --- for handlers --- */
/* Puts the answer's head; the body is what is in x->reply, or `fixed`. */
void http_reply(struct http_exchange *x, int status, const char *type);
/* The same with a body that stays where it is until `release`. */
void http_reply_fixed(struct http_exchange *x, int status, const char *type, struct slice body);
/* Answers 200 with a body that comes piece by piece: `more` is called on the exchange's thread whenever the connection can
 * take something. When there is nothing it calls http_pause and says HTTP_WAIT; http_resume then asks it again. Between the
 * two the exchange can be pointed at by others, as any that is suspended. */
void http_stream(struct http_exchange *x, const char *type, http_more_fn *more);
void http_pause(struct http_exchange *x);
void http_problem(struct http_exchange *x, enum http_problem problem, const char *fmt, ...) KEER_PRINTF(3, 4);
/* Fills `params` from the query; the values live as long as the exchange. False when a problem was told, BAD_QUERY: a
 * parameter that is not among them, one that stands twice, is empty, too long or escaped wrongly. */
KEER_NODISCARD bool http_query(struct http_exchange *x, struct http_param *params, unsigned count);
/* The query read as a form is (http_form_read says how, and what it returns): what is not known is ignored. Nothing is told.
 */
KEER_NODISCARD enum keer_err http_query_form(struct http_exchange *x, struct http_param *params, unsigned count);
/* One parameter of the query as it stands there, not decoded, and whatever else does: for pages, which are asked for with
 * all kinds of things behind the ?. p NULL when there is none. */
struct slice http_query_one(struct http_exchange *x, const char *name);
/* A header, p NULL when there is none. */
struct slice http_header(struct http_exchange *x, const char *name);
/* One value of a form in the body, as http_query: BAD_BODY is told. Values that may be secret are wiped with the exchange.
 */
KEER_NODISCARD bool http_form(struct http_exchange *x, struct http_param *params, unsigned count);
/* A header of the answer, before or after the reply is put, besides those that every answer has; the same name may come
 * again (Set-Cookie). Cache-Control given here stands in place of no-store. A value with a control character, or too many of
 * them, makes the answer HTTP_INTERNAL: what came from outside is escaped by who puts it. */
void http_set_header(struct http_exchange *x, const char *name, struct slice value);
/* A cookie (RFC 6265 section 4.1) for the whole site: HttpOnly, SameSite=Lax, and Secure when `secure`. max_age_s 0: until
 * the browser ends; below 0: it is removed. */
struct http_cookie {
    const char *name;
    struct slice value; /* of characters that need no quoting */
    int64_t max_age_s;
    bool secure;
};
void http_set_cookie(struct http_exchange *x, const struct http_cookie *cookie);
/* The value of a cookie; p NULL when there is none, or several of the name, of which one may be somebody else's. */
struct slice http_cookie(struct http_exchange *x, const char *name);
struct slice http_cookie_find(struct slice header, const char *name); /* pure */
/* An answer without a body that sends the browser to `url` (303 after a POST, 302 else). */
void http_redirect(struct http_exchange *x, int status, struct slice url);
/* The address of who is at the other end of the connection, without a port. */
void http_peer(struct http_exchange *x, char ret_address[HTTP_PEER_BYTES]);
/* Every header of the name, in order, as one list with commas (RFC 9110 section 5.3): a proxy may add a line of its own to
 * those that came. Errors stick in `list`. */
void http_header_list(struct http_exchange *x, const char *name, struct buf *list);
/* All headers, "name: value\n", names in lower case. Errors stick in `out`. */
void http_head(struct http_exchange *x, struct buf *out);
/* Whether the connection is TLS. */
bool http_secure(const struct http_exchange *x);
/* On the thread that site.blocking chose: runs the handler and resumes the exchange, which may be gone afterwards. */
void http_run(struct http_exchange *x);
void http_suspend(struct http_exchange *x);
void http_resume(struct http_exchange *x); /* from any thread */

/* --- pure, for tests too --- */
struct http_match {
    const struct http_route *route; /* NULL: not found, or another method */
    bool known_path;
    char allow[64]; /* of a known path that has no route for the method */
};
/* `id` receives the decoded segment; it is KEER_ELIMIT, KEER_ESYNTAX when it is too long or escaped wrongly. */
KEER_NODISCARD enum keer_err http_match(const struct http_route *routes, unsigned count, struct slice method,
                                        struct slice path, struct buf *id, struct http_match *ret_match);
/* One parameter of a query, percent-decoded (RFC 3986 section 2.1) into `room`, which has enough reserved for both texts.
 * KEER_EMISSING: its name is not among `params`; KEER_ECONFLICT: it stands twice; KEER_ESYNTAX: empty or escaped wrongly. */
KEER_NODISCARD enum keer_err http_param_put(struct http_param *params, unsigned count, struct slice name, struct slice value,
                                            struct buf *room);
int http_problem_status(enum http_problem problem);
/* The problem document (RFC 9457 section 3); `detail` may be empty. */
void http_problem_print(enum http_problem problem, struct slice detail, struct buf *out);
struct http_problem_row {
    const char *code;
    int status;
    const char *title, *hint;
};
/* The row of problems.def; NULL past the last. */
const struct http_problem_row *http_problem_row(unsigned problem);
/* The path of a request target (RFC 9112 section 3.2): absolute-form loses its scheme and authority. */
struct slice http_target(struct slice target);
/* The framing of a request: header_seen for each header in any order, then header_bad. Two parsers that disagree about where
 * a request ends are how one is smuggled inside another (RFC 9112 section 11.2), so that everything that could be read in
 * two ways is refused, whatever libmicrohttpd makes of it. */
struct http_framing {
    unsigned lengths, codings, hosts;
    const char *bad;
};
void http_header_seen(struct http_framing *f, struct slice name, struct slice value);
/* NULL, or what is wrong. */
const char *http_framing_bad(const struct http_framing *f, bool version_1_0);
/* The key of Authorization (RFC 6750 section 2.1); `p` NULL when there is none. */
struct slice http_bearer(struct slice authorization);
/* Media type of Content-Type without its parameters is application/json; a charset other than utf-8 is not taken. */
bool http_is_json(struct slice content_type);
bool http_is_lines(struct slice content_type); /* the same of application/x-ndjson */
bool http_is_form(struct slice content_type);  /* and of application/x-www-form-urlencoded */
/* The parameters of a form (URL Standard, section 5.1): as http_param_put for each, with + as a blank; empty values are
 * there. KEER_ELIMIT for more than HTTP_QUERY_MAX. *ret_name is the one that is wrong. */
KEER_NODISCARD enum keer_err http_form_read(struct slice body, struct http_param *params, unsigned count, struct buf *room,
                                            struct slice *ret_name);
#define HTTP_JSON "application/json"
#define HTTP_NDJSON "application/x-ndjson"
#define HTTP_PROBLEM_JSON "application/problem+json"
#define HTTP_FORM_TYPE "application/x-www-form-urlencoded"
#define HTTP_HTML "text/html; charset=utf-8"
#endif
