/* http.c - exchanges on libmicrohttpd.
 *
 * libmicrohttpd calls exchange_access first with the head, then with pieces of the body, then at its end; and once more
 * after a suspended connection was resumed. An answer that is queued at the head of a request that has a body makes it close
 * the connection, which is what a refused body deserves; but a caller that is still sending lines would find a reset instead
 * of the answer (RFC 9112 section 9.6), so that those are read, and thrown away, before it is told.
 */
#include <stdarg.h>

#include "base/crypto.h"
#include "base/num.h"
#include "http/inside.h"

#define PATH_BYTES ((size_t)256) /* of a path in the log */
#define STREAM_BLOCK ((size_t)16 << 10)
#define REPLY_BYTES ((size_t)1 << 20)
#define SWALLOW_FACTOR 4u               /* a body of up to this many times the maximum is read to its end, to be told 413 */
#define SWALLOW_LINES ((size_t)4 << 20) /* the same of lines that are refused at the head */

static struct MHD_Connection *connection_of(const struct http_exchange *x) { return x->connection; }

/* --- answers --- */

void http_reply_fixed(struct http_exchange *x, int status, const char *type, struct slice body)
{
    ASSERT(!x->replied);
    x->status = status;
    x->type = type;
    x->fixed = body;
    x->replied = true;
}

void http_reply(struct http_exchange *x, int status, const char *type)
{
    if (x->reply.err != KEER_OK) {
        http_problem(x, x->reply.err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_INTERNAL, "%s", keer_err_text(x->reply.err));
        return;
    }
    http_reply_fixed(x, status, type, buf_view(&x->reply));
}

void http_problem(struct http_exchange *x, enum http_problem problem, const char *fmt, ...)
{
    char detail[600];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    buf_clear(&x->reply);
    http_problem_print(problem, slice_of(detail, n < 0 ? 0 : MIN_OF((size_t)n, sizeof detail - 1)), &x->reply);
    int status = http_problem_status(problem);
    if (status == 429 || status == 503)
        x->retry_after = "1";
    /* Without memory for the document the status alone must do. */
    http_reply_fixed(x, status, HTTP_PROBLEM_JSON, x->reply.err == KEER_OK ? buf_view(&x->reply) : SLICE("{}\n"));
}

void http_stream(struct http_exchange *x, const char *type, http_more_fn *more)
{
    http_reply_fixed(x, 200, type, slice_of(NULL, 0));
    x->more = more;
}

void http_redirect(struct http_exchange *x, int status, struct slice url)
{
    http_set_header(x, "Location", url);
    http_reply_fixed(x, status, HTTP_HTML, slice_of(NULL, 0));
}

/* MHD_ContentReaderCallback of a stream. */
static ssize_t on_more(void *cls, uint64_t at, char *room, size_t max)
{
    struct http_exchange *x = cls;
    UNUSED(at);
    if (x->sent == x->reply.len) {
        buf_clear(&x->reply);
        x->sent = 0;
        enum http_more more = x->more(x, &x->reply);
        if (more == HTTP_END || x->reply.err != KEER_OK)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (more == HTTP_WAIT)
            return 0;
    }
    size_t n = MIN_OF(x->reply.len - x->sent, max);
    memcpy(room, x->reply.p + x->sent, n);
    x->sent += n;
    return (ssize_t)n;
}

static struct MHD_Response *response_of(struct http_exchange *x)
{
    union {
        const char *in;
        void *out;
    } body = {x->fixed.p ? x->fixed.p : ""};
    if (x->more)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_more, x, NULL);
    return MHD_create_response_from_buffer(x->fixed.len, body.out, MHD_RESPMEM_PERSISTENT);
}

static bool has_header(const struct http_exchange *x, const char *name)
{
    const char *at = x->headers.p;
    for (unsigned i = 0; i < x->headers_count; i++) {
        if (strcmp(at, name) == 0)
            return true;
        at += strlen(at) + 1; /* its value */
        at += strlen(at) + 1;
    }
    return false;
}

/* What http_set_header has kept. */
static enum MHD_Result add_headers(struct http_exchange *x, struct MHD_Response *r)
{
    enum MHD_Result ok = MHD_YES;
    bool cached = false;
    const char *at = x->headers.p;
    for (unsigned i = 0; ok && i < x->headers_count; i++) {
        const char *name = at, *value = name + strlen(name) + 1;
        cached = cached || strcmp(name, "Cache-Control") == 0;
        ok = MHD_add_response_header(r, name, value);
        at = value + strlen(value) + 1;
    }
    return ok && !cached ? MHD_add_response_header(r, "Cache-Control", "no-store") : ok;
}

static enum MHD_Result queue(struct http_exchange *x)
{
    if (x->headers.err != KEER_OK) {
        x->headers_count = 0;
        x->headers.err = KEER_OK;
        x->replied = false; /* this goes in its place */
        http_problem(x, HTTP_INTERNAL, "a header of the answer can't be sent");
    }
    struct MHD_Response *r = response_of(x);
    if (!r)
        return MHD_NO;
    x->queued = true;
    enum MHD_Result ok = MHD_add_response_header(r, "Content-Type", x->type);
    ok = ok && add_headers(x, r);
    ok = ok && MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (x->server->options.tls) /* a year (RFC 6797 section 6.1) */
        ok = ok && MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
    if (x->retry_after)
        ok = ok && MHD_add_response_header(r, "Retry-After", x->retry_after);
    if (x->allow)
        ok = ok && MHD_add_response_header(r, "Allow", x->allow);
    if (x->status == 401 && !has_header(x, "WWW-Authenticate"))
        ok = ok && MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"keer\"");
    if (x->close)
        ok = ok && MHD_add_response_header(r, "Connection", "close");
    ok = ok && MHD_queue_response(connection_of(x), (unsigned)x->status, r);
    MHD_destroy_response(r);
    if (x->status > 0 && x->status < HTTP_STATUS_MAX)
        (void)atomic_fetch_add_explicit(&x->server->stats.by_status[x->status], 1, memory_order_relaxed);
    return ok ? MHD_YES : MHD_NO;
}

void http_suspend(struct http_exchange *x)
{
    x->suspended = true;
    MHD_suspend_connection(connection_of(x));
}

void http_pause(struct http_exchange *x) { MHD_suspend_connection(connection_of(x)); }

void http_resume(struct http_exchange *x) { loop_resume(x->loop, x); }

/* --- forms --- */

bool http_form(struct http_exchange *x, struct http_param *params, unsigned count)
{
    struct slice name = {NULL, 0};
    if (!buf_reserve(&x->query, MIN_OF(x->body.len + 1, x->query.max))) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return false;
    }
    enum keer_err err =
        x->body.len < x->query.max ? http_form_read(buf_view(&x->body), params, count, &x->query, &name) : KEER_ELIMIT;
    if (err == KEER_ELIMIT)
        http_problem(x, HTTP_BAD_BODY, "at most %d parameters and %d bytes are taken", HTTP_QUERY_MAX, HTTP_QUERY_BYTES);
    else if (err != KEER_OK)
        http_problem(x, HTTP_BAD_BODY, "%.*s: %s", (int)MIN_OF(name.len, 60u), name.p ? name.p : "",
                     err == KEER_ECONFLICT ? "stands twice" : "escaped wrongly");
    return err == KEER_OK;
}

/* --- the query --- */

struct query {
    struct http_exchange *x;
    struct http_param *params;
    unsigned count, given;
    struct slice name[HTTP_QUERY_MAX], value[HTTP_QUERY_MAX];
    size_t bytes;
};

static enum MHD_Result on_parameter(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct query *q = cls;
    UNUSED(kind);
    if (q->given < HTTP_QUERY_MAX) {
        q->name[q->given] = slice_str(name);
        q->value[q->given] = slice_str(value);
        q->bytes += q->name[q->given].len + q->value[q->given].len;
    }
    q->given++;
    return MHD_YES;
}

/* Values are slices of a buffer that never moves: all that it may need is reserved first. */
bool http_query(struct http_exchange *x, struct http_param *params, unsigned count)
{
    struct query q = {.x = x, .params = params, .count = count};
    (void)MHD_get_connection_values(connection_of(x), MHD_GET_ARGUMENT_KIND, on_parameter, &q);
    if (q.given > HTTP_QUERY_MAX || q.bytes > HTTP_QUERY_BYTES) {
        http_problem(x, HTTP_BAD_QUERY, "at most %d parameters and %d bytes are taken", HTTP_QUERY_MAX, HTTP_QUERY_BYTES);
        return false;
    }
    if (!buf_reserve(&x->query, q.bytes + 1)) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return false;
    }
    for (unsigned i = 0; i < q.given; i++) {
        enum keer_err err = http_param_put(params, count, q.name[i], q.value[i], &x->query);
        if (err == KEER_OK)
            continue;
        http_problem(x, HTTP_BAD_QUERY, "%.*s: %s", (int)MIN_OF(q.name[i].len, 60u), q.name[i].p,
                     err == KEER_EMISSING    ? "there is no such parameter here"
                     : err == KEER_ECONFLICT ? "stands twice"
                                             : "empty, or escaped wrongly");
        return false;
    }
    return true;
}

enum keer_err http_query_form(struct http_exchange *x, struct http_param *params, unsigned count)
{
    struct query q = {.x = x, .params = params, .count = count};
    struct slice name = {NULL, 0};
    struct buf text;
    (void)MHD_get_connection_values(connection_of(x), MHD_GET_ARGUMENT_KIND, on_parameter, &q);
    if (q.given > HTTP_QUERY_MAX || q.bytes > HTTP_QUERY_BYTES - 2 * HTTP_QUERY_MAX)
        return KEER_ELIMIT;
    buf_init(&text, HTTP_QUERY_BYTES);
    for (unsigned i = 0; i < q.given; i++) { /* they came from between & and =, and have none of them */
        buf_puts(&text, i ? "&" : "");
        buf_slice(&text, q.name[i]);
        buf_char(&text, '=');
        buf_slice(&text, q.value[i]);
    }
    enum keer_err err = text.err;
    if (err == KEER_OK)
        err = http_form_read(buf_view(&text), params, count, &x->query, &name);
    buf_release(&text);
    return err;
}

struct slice http_query_one(struct http_exchange *x, const char *name)
{
    return slice_str(MHD_lookup_connection_value(connection_of(x), MHD_GET_ARGUMENT_KIND, name));
}

/* --- the head --- */

static struct slice header(struct http_exchange *x, const char *name)
{
    return slice_str(MHD_lookup_connection_value(connection_of(x), MHD_HEADER_KIND, name));
}

struct slice http_header(struct http_exchange *x, const char *name) { return header(x, name); }

/* The roles of the caller's key: credentials after RFC 6750 section 2.1. */
static unsigned roles_given(struct http_exchange *x)
{
    struct slice key = http_bearer(header(x, "Authorization"));
    return key.p ? x->server->site.key_roles(x->ctx, key, x->caller) : 0;
}

/* Whether the caller may use the route; else the problem is told. */
static bool admitted(struct http_exchange *x)
{
    unsigned roles = x->route->roles ? roles_given(x) : 0;
    x->roles = roles;
    if (x->route->roles && !roles)
        http_problem(x, HTTP_NO_KEY, "%s", header(x, "Authorization").p ? "the key is not valid" : "no key was sent");
    else if (x->route->roles && !(roles & x->route->roles))
        http_problem(x, HTTP_WRONG_ROLE, "the key '%s' has not the role for it", x->caller);
    return !x->replied;
}

/* libmicrohttpd 0.9.75 glues the second line of a folded header to the header's name: `Content-Length:`, ` 35` becomes
 * `Content-Length35`, and `Con: 35`, ` tent-Length` a length that nobody sent. A name that was glued lies elsewhere; any
 * other lies in the head as it came, a NUL (the colon) and blanks before its value. RFC 9112 section 5.2: folding is
 * refused. */
static bool is_folded(const char *name, size_t name_len, const char *value)
{
    uintptr_t from = (uintptr_t)name + name_len, to = (uintptr_t)value;
    if (to <= from || to - from > HEAD_BYTES_MAX)
        return true;
    for (const char *c = name + name_len + 1; c < value; c++)
        if (*c != ' ' && *c != '\t')
            return true;
    return false;
}

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
                                  size_t value_len)
{
    struct http_framing *f = cls;
    UNUSED(kind);
    if (value && is_folded(name, name_len, value))
        f->bad = "a folded header";
    http_header_seen(f, slice_of(name, name_len), slice_of(value, value ? value_len : 0));
    return MHD_YES;
}

/* Whether it is clear where the request ends; else it is told, and the connection closed. */
static bool is_framed(struct http_exchange *x, const char *version)
{
    struct http_framing f = {0};
    (void)MHD_get_connection_values_n(connection_of(x), MHD_HEADER_KIND, see_header, &f);
    const char *bad = http_framing_bad(&f, strcmp(version, "HTTP/1.0") == 0);
    if (bad) {
        x->close = true;
        http_problem(x, HTTP_BAD_REQUEST, "%s", bad);
    }
    return !bad;
}

static bool type_fits(unsigned flags, struct slice type)
{
    if (flags & (HTTP_BODY | HTTP_FORM))
        return (flags & HTTP_BODY && http_is_json(type)) || (flags & HTTP_FORM && http_is_form(type));
    return flags & HTTP_LINES ? http_is_lines(type) : true;
}

/* A request without a body has no type: a form without parameters (RFC 9112 section 6.3). */
static bool is_empty(struct http_exchange *x, struct slice length)
{
    return !header(x, "Transfer-Encoding").p && !header(x, "Content-Type").p && (!length.p || slice_eq(length, SLICE("0")));
}

/* What can be refused before the body; the order is the one in which a caller can learn least: a key comes first of all that
 * has to do with a path that exists. */
static void begin(struct http_exchange *x, struct slice method, struct slice path, struct http_match *m)
{
    uint64_t length = 0;
    struct slice given = header(x, "Content-Length");
    enum keer_err err = http_match(x->server->site.routes, x->server->site.count, method, path, &x->id, m);
    if (err != KEER_OK) {
        http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_NOT_FOUND, "the path can't be read");
        return;
    }
    x->route = m->route;
    if (m->route && m->route->flags & HTTP_LARGE)
        x->body.max = x->server->options.body_large_max;
    if (atomic_load(&x->server->draining)) {
        x->close = true;
        http_problem(x, HTTP_STOPPING, "%s", "");
    } else if (!m->known_path) {
        http_problem(x, HTTP_NOT_FOUND, "no route has this path");
    } else if (!m->route) {
        x->allow = m->allow;
        http_problem(x, HTTP_WRONG_METHOD, "allowed: %s", m->allow);
    } else if (!admitted(x)) {
        return;
    } else if (!(m->route->flags & HTTP_FORM && is_empty(x, given)) &&
               !type_fits(m->route->flags, header(x, "Content-Type"))) {
        http_problem(x, HTTP_WRONG_TYPE, "Content-Type is '%.60s'",
                     header(x, "Content-Type").p ? header(x, "Content-Type").p : "");
    } else if (m->route->flags & HTTP_LINES) {
        m->route->handle(x);
    } else if (given.p && (num_u64(given, 0, UINT64_MAX, &length) != KEER_OK || length > x->body.max)) {
        http_problem(x, HTTP_TOO_LARGE, "at most %zu bytes are taken", x->body.max);
    }
}

static struct http_exchange *exchange_new(struct http_loop *loop, struct MHD_Connection *connection)
{
    struct http_server *s = loop->server;
    struct http_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->server = s;
    x->loop = loop;
    x->thread = loop->index;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->conn = info ? info->socket_context : NULL;
    x->ctx = s->site.ctx;
    x->connection = connection;
    x->begun_us = s->options.now_us();
    buf_init(&x->body, s->options.body_max);
    buf_init(&x->id, HTTP_ID_BYTES);
    buf_init(&x->path, PATH_BYTES);
    buf_init(&x->query, HTTP_QUERY_BYTES + 1);
    buf_init(&x->reply, REPLY_BYTES);
    buf_init(&x->headers, HTTP_HEADERS_BYTES);
    (void)atomic_fetch_add(&s->stats.active, 1);
    return x;
}

static void wipe(struct buf *b)
{
    if (b->p)
        crypto_wipe(b->p, b->cap);
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
    struct http_server *s = ((struct http_loop *)cls)->server;
    struct http_exchange *x = *con_cls;
    UNUSED(connection);
    UNUSED(why);
    if (!x)
        return;
    conn_expect(x->conn, s->options.now_us());
    struct log_request line = {x->method, buf_view(&x->path), x->status, s->options.now_us() - x->begun_us, x->caller};
    log_request(s->options.log, &line);
    if (x->route && x->route->release)
        x->route->release(x);
    if (x->route && x->route->flags & HTTP_BLOCKING) { /* bodies with passwords, answers with secrets */
        wipe(&x->body);
        wipe(&x->query);
        wipe(&x->reply);
        wipe(&x->headers);
    }
    buf_release(&x->body);
    buf_release(&x->id);
    buf_release(&x->path);
    buf_release(&x->query);
    buf_release(&x->reply);
    buf_release(&x->headers);
    free(x);
    *con_cls = NULL;
    (void)atomic_fetch_sub(&s->stats.active, 1);
}

/* Whether the body is on its way, and the refusal waits for its end; who sends Expect waits for us. */
static bool is_sending(struct http_exchange *x)
{
    return x->route && x->route->flags & HTTP_LINES && !x->close && !header(x, "Expect").p;
}

/* A piece of lines that were refused, or their end. What more than the request's time is taken for is dropped, as any. */
static enum MHD_Result swallow(struct http_exchange *x, size_t *upload_size)
{
    if (!*upload_size) {
        conn_expect(x->conn, 0);
        return queue(x);
    }
    x->seen += *upload_size;
    *upload_size = 0;
    return x->seen <= SWALLOW_LINES ? MHD_YES : MHD_NO;
}

/* A route with HTTP_LINES, at a piece of the body, at its end, or again after it was suspended. */
static enum MHD_Result take_lines(struct http_exchange *x, const char *upload, size_t *upload_size)
{
    x->piece = slice_of(upload, *upload_size);
    x->ended = !*upload_size;
    x->suspended = false;
    if (x->ended)
        conn_expect(x->conn, 0);
    else
        conn_extend(x->conn, x->begun_us, x->seen);
    x->route->handle(x);
    if (x->drop)
        return MHD_NO;
    x->seen += *upload_size - x->piece.len;
    *upload_size = x->piece.len;
    ASSERT(x->ended ? x->replied || x->suspended : !x->replied && (!x->piece.len || x->suspended));
    return x->replied ? queue(x) : MHD_YES;
}

/* To a thread that may wait. It is suspended first: the answer may come at once. */
static void hand_over(struct http_exchange *x)
{
    http_suspend(x);
    if (x->server->site.blocking(x->ctx, x))
        return;
    http_problem(x, HTTP_FULL, "%s", "");
    http_resume(x);
}

void http_run(struct http_exchange *x)
{
    x->route->handle(x);
    ASSERT(x->replied);
    http_resume(x);
}

/* A piece of the body; false when the connection should be dropped. */
static bool take_body(struct http_exchange *x, struct slice piece, size_t *seen)
{
    *seen += piece.len;
    if (!x->too_large)
        buf_slice(&x->body, piece);
    x->too_large = x->body.err != KEER_OK;
    return *seen <= SWALLOW_FACTOR * x->body.max;
}

enum MHD_Result exchange_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
    struct http_exchange *x = *con_cls;
    if (!x) {
        struct http_match m;
        x = exchange_new(cls, connection);
        if (!x)
            return MHD_NO;
        *con_cls = x;
        memcpy(x->method, method, MIN_OF(strlen(method), sizeof x->method - 1)); /* it is all zeros */
        const struct log *log = x->server->options.log;
        if (log && atomic_load(&log->requests))
            buf_slice(&x->path, slice_of(url, MIN_OF(strlen(url), PATH_BYTES)));
        conn_expect(x->conn, x->begun_us);
        if (is_framed(x, version))
            begin(x, slice_str(method), http_target(slice_str(url)), &m);
        x->refused = x->replied && is_sending(x);
        return x->replied && !x->refused ? queue(x) : MHD_YES;
    }
    if (x->queued) /* the server was being stopped when the answer was queued: libmicrohttpd has dropped it */
        return MHD_NO;
    if (x->refused)
        return swallow(x, upload_size);
    if (x->route->flags & HTTP_LINES)
        return take_lines(x, upload, upload_size);
    if (*upload_size) {
        conn_extend(x->conn, x->begun_us, x->seen);
        struct slice piece = slice_of(upload, *upload_size);
        *upload_size = 0;
        return take_body(x, piece, &x->seen) ? MHD_YES : MHD_NO;
    }
    conn_expect(x->conn, 0);
    if (x->suspended) {
        x->suspended = false;
        if (!x->replied)
            x->route->answered(x);
    } else if (x->too_large) {
        http_problem(x, x->body.err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_TOO_LARGE, "at most %zu bytes are taken",
                     x->body.max);
    } else if (x->route->flags & HTTP_BLOCKING) {
        hand_over(x);
        return MHD_YES; /* it belongs to another thread until it is resumed */
    } else {
        x->route->handle(x);
    }
    ASSERT(x->replied || x->suspended);
    return x->replied ? queue(x) : MHD_YES;
}
