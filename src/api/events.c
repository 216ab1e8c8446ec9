/* events.c - GET /v1/events: decisions as they are made, as server-sent events (HTML Living Standard, 9.2).
 *
 *     http thread: events_more ── rows after its cursor ──► client          events_get ─► [live] ◄─► [waiting] ─► released
 *                     └─ none: waiting, the exchange is paused
 *     the thread of streams: ten times a second it resumes those that wait when something was committed, or a heartbeat is
 * due
 *
 * A client is a cursor in the journal: nothing is kept for one that is slow, it reads on where it was, and one that takes
 * nothing for half a minute is closed by the server's time-out. Rows come from the journal after their commit, in order,
 * without gaps, however often it connects again.
 */
#include <pthread.h>
#include <time.h>

#include "api/api.h"
#include "base/num.h"
#include "base/timefmt.h"

#define TICK_NS 100000000L
#define HEARTBEAT_US (15 * US_SECOND)
#define ROWS_AT_ONCE 64
#define BYTES_AT_ONCE ((size_t)32 << 10)

struct stream {
    struct stream *next;
    struct http_exchange *x;
    int64_t cursor, said_us; /* said_us: when something was sent last */
    uint32_t outcomes;
    bool waiting, greeted;
};

struct streams {
    pthread_mutex_t lock; /* of the list and of `waiting` */
    struct stream *list;
    unsigned count, max;
    atomic_bool stopping;
    pthread_t thread;
    bool running;
};

/* --- the thread --- */

static void wake(struct streams *s, int64_t committed, int64_t now)
{
    (void)pthread_mutex_lock(&s->lock);
    for (struct stream *one = s->list; one; one = one->next)
        if (one->waiting && (one->cursor < committed || now - one->said_us >= HEARTBEAT_US || atomic_load(&s->stopping))) {
            one->waiting = false;
            http_resume(one->x);
        }
    (void)pthread_mutex_unlock(&s->lock);
}

static void *streams_main(void *ctx)
{
    struct api *a = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-streams");
    struct timespec tick = {.tv_nsec = TICK_NS};
    while (!atomic_load(&a->streams->stopping)) {
        (void)nanosleep(&tick, NULL);
        wake(a->streams, decider_committed(a->decider), a->now_us());
    }
    wake(a->streams, INT64_MAX, a->now_us());
    return NULL;
}

enum keer_err streams_start(struct api *a, unsigned clients_max)
{
    a->streams = calloc(1, sizeof *a->streams);
    if (!a->streams)
        return KEER_ENOMEM;
    a->streams->max = clients_max;
    (void)pthread_mutex_init(&a->streams->lock, NULL); /* does not fail on Linux */
    a->streams->running = pthread_create(&a->streams->thread, NULL, streams_main, a) == 0;
    return a->streams->running ? KEER_OK : KEER_ENOMEM;
}

void streams_stop(struct api *a)
{
    if (!a->streams || !a->streams->running)
        return;
    atomic_store(&a->streams->stopping, true);
    (void)pthread_join(a->streams->thread, NULL);
    a->streams->running = false;
}

unsigned streams_count(struct api *a)
{
    if (!a->streams)
        return 0;
    (void)pthread_mutex_lock(&a->streams->lock);
    unsigned n = a->streams->count;
    (void)pthread_mutex_unlock(&a->streams->lock);
    return n;
}

/* --- a stream --- */

/* Rows after the cursor that it wants: false when the journal can't be read. */
static bool put_rows(struct api *a, struct stream *s, struct buf *out)
{
    for (unsigned n = 0; n < ROWS_AT_ONCE && out->len < BYTES_AT_ONCE; n++) {
        size_t before = out->len;
        int64_t seq = 0;
        uint32_t outcome = 0;
        if (s->cursor >= decider_committed(a->decider))
            return true;
        buf_puts(out, "event: decision\ndata: ");
        enum keer_err err = decider_next(a->decider, s->cursor, &seq, &outcome, out);
        if (err == KEER_OK)
            s->cursor = seq;
        if (err != KEER_OK || !(outcome & s->outcomes)) {
            out->len = before;
            if (err != KEER_OK)
                return err == KEER_EMISSING;
            continue;
        }
        buf_fmt(out, "\nid: %lld\n\n", (long long)seq);
    }
    if (!out->len) /* rows that it does not want, and more to come */
        buf_puts(out, ":\n\n");
    return true;
}

static enum http_more events_more(struct http_exchange *x, struct buf *out)
{
    struct api *a = x->ctx;
    struct stream *s = x->data;
    int64_t now = a->now_us();
    if (!s->greeted)
        buf_puts(out, "retry: 2000\n\n");
    s->greeted = true;
    if (atomic_load(&a->streams->stopping) || !put_rows(a, s, out))
        return HTTP_END;
    if (!out->len && now - s->said_us >= HEARTBEAT_US) {
        if (!decider_caller(a->decider, slice_str(x->caller))) /* its key was revoked */
            return HTTP_END;
        buf_puts(out, ":\n\n");
    }
    if (out->len) {
        s->said_us = now;
        return HTTP_MORE;
    }
    (void)pthread_mutex_lock(&a->streams->lock);
    bool stopping = atomic_load(&a->streams->stopping); /* then nobody may come any more to resume it */
    if (!stopping) {
        http_pause(x); /* before anybody can see that it waits */
        s->waiting = true;
    }
    (void)pthread_mutex_unlock(&a->streams->lock);
    return stopping ? HTTP_END : HTTP_WAIT;
}

static bool read_outcomes(struct http_exchange *x, struct slice names, uint32_t *ret_outcomes)
{
    uint32_t mask = 0;
    *ret_outcomes = UINT32_MAX;
    if (!names.p)
        return true;
    while (names.p) {
        struct slice name = slice_cut(&names, ',');
        uint32_t bit = 0;
        for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
            bit |= slice_eq(name, slice_str(keer_outcome_name((enum keer_outcome)i))) ? 1u << i : 0;
        if (!bit) {
            http_problem(x, HTTP_BAD_QUERY, "outcome: there are allow, challenge, review and deny");
            return false;
        }
        mask |= bit;
    }
    *ret_outcomes = mask;
    return true;
}

/* Where it goes on: Last-Event-ID, ?after=N, or with what comes from now on. */
static bool read_cursor(struct http_exchange *x, struct slice after, int64_t *ret_cursor)
{
    struct api *a = x->ctx;
    struct slice last = http_header(x, "Last-Event-ID");
    if (!last.p)
        last = after;
    *ret_cursor = decider_committed(a->decider);
    if (!last.p || num_i64(last, 0, INT64_MAX, ret_cursor) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_QUERY, "Last-Event-ID, after: the number of a row is wanted");
    return false;
}

static bool join(struct api *a, struct stream *s)
{
    (void)pthread_mutex_lock(&a->streams->lock);
    bool room = a->streams->count < a->streams->max;
    if (room) {
        s->next = a->streams->list;
        a->streams->list = s;
        a->streams->count++;
    }
    (void)pthread_mutex_unlock(&a->streams->lock);
    return room;
}

void events_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct stream s = {.x = x, .said_us = a->now_us()};
    if (!a->streams || decider_state(a->decider) == DECIDER_STARTING) {
        http_problem(x, HTTP_STARTING, "%s", "");
        return;
    }
    struct http_param query[] = {{"outcome", {NULL, 0}}, {"after", {NULL, 0}}};
    if (!http_query(x, query, ARRAY_LEN(query)) || !read_outcomes(x, query[0].value, &s.outcomes) ||
        !read_cursor(x, query[1].value, &s.cursor))
        return;
    struct stream *own = malloc(sizeof *own);
    if (!own) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    *own = s;
    if (!join(a, own)) {
        free(own);
        http_problem(x, HTTP_TOO_MANY, "%u clients", a->streams->max);
        return;
    }
    x->data = own;
    http_stream(x, "text/event-stream", events_more);
}

void events_release(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct stream *own = x->data, **at;
    if (!own)
        return;
    (void)pthread_mutex_lock(&a->streams->lock);
    for (at = &a->streams->list; *at != own;)
        at = &(*at)->next;
    *at = own->next;
    a->streams->count--;
    (void)pthread_mutex_unlock(&a->streams->lock);
    free(own);
}
