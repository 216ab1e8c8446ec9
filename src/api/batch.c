/* batch.c - /v1/decisions:batch: a line of NDJSON for each event in, a line for each out, in the same order.
 *
 *     piece ─► lines ─► ring of places: [done|done|waits|waits|....] ─► answers ─► reply at the end
 *                              head ─┘                  └─ tail
 *
 * Lines are decided while the body still comes. A batch has at most `size` events with the decider: when its ring is full
 * the connection is suspended, and so the sender waits. Bounded are the line (--body-max), the lines, the answers
 * (LIMIT_BATCH_BYTES, of which each line that is left keeps LINE_ROOM) and the batches at once.
 *
 * A caller that goes away leaves events that are with the decider: the last of them frees the batch.
 */
#include <pthread.h>

#include "api/api.h"

#define RING_MAX 1024u
#define LINE_ROOM 1024u                 /* for a problem */
#define SWALLOW_BYTES ((size_t)4 << 20) /* read beyond the last line, to be told 413 */

struct line {
    struct decide_request request;
    struct batch *batch;
    struct prepare_texts texts;
    unsigned number;
    bool problem; /* request.answer is one already */
    bool done;    /* with the batch's lock */
};

struct batch {
    struct api *api;
    struct http_exchange *x;
    pthread_mutex_t lock;
    unsigned left, wake_at; /* with the decider; resume at so many */
    bool waits, orphan;     /* suspended; nobody reads the answers */
    unsigned size;          /* of the ring */
    unsigned head, tail;    /* count on; a line's place is its count modulo size */
    unsigned lines;         /* that were seen */
    bool over, skips;       /* too many; inside a line that is too long */
    size_t swallowed;
    struct line line[];
};

static void batch_free(struct batch *b)
{
    for (unsigned i = 0; i < b->size; i++) {
        free(b->line[i].request.event);
        buf_release(&b->line[i].request.answer);
        prepare_texts_release(&b->line[i].texts);
    }
    (void)pthread_mutex_destroy(&b->lock);
    (void)atomic_fetch_sub(&b->api->batches, 1);
    free(b);
}

static void begin(struct http_exchange *x)
{
    struct api *a = x->ctx;
    unsigned size = MAX_OF(MIN_OF(RING_MAX, decider_places(a->decider) / 2), 1u);
    bool full = atomic_fetch_add(&a->batches, 1) >= a->batches_max;
    struct batch *b = full ? NULL : calloc(1, sizeof *b + size * sizeof b->line[0]);
    if (!b) {
        (void)atomic_fetch_sub(&a->batches, 1);
        http_problem(x, full ? HTTP_FULL : HTTP_NO_MEMORY, "%s", full ? "as many batches as may be are under way" : "");
        return;
    }
    b->api = a;
    b->x = x;
    b->size = size;
    (void)pthread_mutex_init(&b->lock, NULL);
    for (unsigned i = 0; i < size; i++) {
        b->line[i].batch = b;
        buf_init(&b->line[i].request.answer, VERDICT_BYTES);
        prepare_texts_init(&b->line[i].texts);
    }
    buf_init(&x->reply, LIMIT_BATCH_BYTES); /* nothing is in it yet */
    x->data = b;
}

/* On the engine's or the writer's thread; the batch may be gone afterwards. */
static void on_done(struct decide_request *r)
{
    struct line *l = r->ctx;
    struct batch *b = l->batch;
    (void)pthread_mutex_lock(&b->lock);
    l->done = true;
    b->left--;
    bool wake = b->waits && b->left <= b->wake_at, last = b->orphan && !b->left;
    if (wake)
        b->waits = false;
    struct http_exchange *x = b->x;
    (void)pthread_mutex_unlock(&b->lock);
    if (last)
        batch_free(b);
    else if (wake)
        http_resume(x);
}

/* Suspends until fewer are with the decider: all are back at the end, half of the ring else. False when that is so already.
 */
static bool waits(struct batch *b, bool for_all)
{
    (void)pthread_mutex_lock(&b->lock);
    unsigned at = for_all || b->left <= b->size / 2 ? 0 : b->size / 2;
    bool waits = b->left > at;
    b->wake_at = at;
    b->waits = waits;
    (void)pthread_mutex_unlock(&b->lock);
    if (waits)
        http_suspend(b->x); /* resumed on this thread, and so not before */
    return waits;
}

static bool is_done(struct batch *b, struct line *l)
{
    (void)pthread_mutex_lock(&b->lock);
    bool done = l->done;
    (void)pthread_mutex_unlock(&b->lock);
    return done;
}

/* --- answers --- */

static void put_problem(struct buf *out, unsigned number, enum http_problem problem, struct slice detail)
{
    struct buf text;
    buf_init(&text, 4096);
    http_problem_print(problem, detail, &text);
    buf_fmt(out, "{\"line\":%u,", number);
    if (text.err == KEER_OK)
        buf_slice(out, slice_of(text.p + 1, text.len - 1));
    else
        out->err = text.err;
    buf_release(&text);
}

static void put_answer(struct batch *b, const struct line *l)
{
    struct buf *out = &b->x->reply;
    const struct decide_request *r = &l->request;
    size_t kept = (size_t)(LIMIT_BATCH_LINES - l->number + 1) * LINE_ROOM;
    if (l->problem)
        buf_slice(out, buf_view(&r->answer));
    else if (r->result != DECIDE_NEW && r->result != DECIDE_STORED)
        put_problem(out, l->number, api_problem(r->result), SLICE(""));
    else if (out->len + r->answer.len + kept > LIMIT_BATCH_BYTES)
        put_problem(out, l->number, HTTP_ANSWERS_LARGE, SLICE(""));
    else {
        buf_slice(out, buf_view(&r->answer));
        buf_char(out, '\n');
    }
}

/* Takes answers from the head of the ring as long as they are there. */
static void drain(struct batch *b)
{
    while (b->head != b->tail && is_done(b, &b->line[b->head % b->size])) {
        struct line *l = &b->line[b->head++ % b->size];
        put_answer(b, l);
        free(l->request.event);
        buf_clear(&l->request.answer);
        prepare_texts_clear(&l->texts);
        l->request = (struct decide_request){.answer = l->request.answer};
        l->problem = l->done = false;
    }
}

/* --- lines --- */

static void refuse_line(struct line *l, enum http_problem problem, struct slice detail)
{
    put_problem(&l->request.answer, l->number, problem, detail);
    if (l->request.answer.err != KEER_OK)
        l->batch->x->reply.err = l->request.answer.err; /* told at the end */
    l->problem = l->done = true;
}

/* Puts an event into the ring, which has room. False: the decider has no place now, and this batch waits for its own. */
static bool take_line(struct batch *b, struct slice text)
{
    struct line *l = &b->line[b->tail % b->size];
    struct api *a = b->api;
    struct reading_error why = {.what = ""};
    char detail[2 * INPUT_MESSAGE_BYTES + 100];
    enum keer_err err = decider_reserve(a->decider);
    if (err == KEER_EFULL && b->head != b->tail)
        return false;
    l->number = b->lines + 1;
    b->tail++;
    if (err != KEER_OK) {
        refuse_line(l, api_refusal(err), SLICE(""));
        return true;
    }
    struct api_given given = {.thread = b->x->thread, .body = text};
    err = api_read(a, &given, &l->texts, &l->request, &why);
    if (err != KEER_OK) {
        decider_unreserve(a->decider);
        (void)snprintf(detail, sizeof detail, "%s%s%s", why.what, why.hint[0] ? ": " : "", why.hint);
        refuse_line(l, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_BAD_EVENT, slice_str(err == KEER_ENOMEM ? "" : detail));
        return true;
    }
    l->request.begun_us = a->now_us();
    l->request.done = on_done;
    l->request.ctx = l;
    (void)pthread_mutex_lock(&b->lock);
    b->left++;
    (void)pthread_mutex_unlock(&b->lock);
    api_gather(a, b->x->thread, &l->request);
    return true;
}

/* A whole line, or one that was too long; false when it has to wait, and then nothing has changed. */
static bool end_line(struct batch *b, struct slice text)
{
    if (b->lines >= LIMIT_BATCH_LINES) {
        b->over = true;
        return true;
    }
    if (b->tail - b->head == b->size) {
        drain(b);
        if (b->tail - b->head == b->size)
            return false;
    }
    if (b->skips) {
        struct line *l = &b->line[b->tail++ % b->size];
        l->number = b->lines + 1;
        refuse_line(l, HTTP_TOO_LARGE, SLICE("the line is too long"));
    } else if (slice_trim(text).len && !take_line(b, text)) {
        return false;
    }
    b->lines++; /* an empty line is counted, and has no answer */
    return true;
}

/* The part of a line that a piece ends with, until the rest comes. */
static void keep(struct batch *b, struct slice part)
{
    struct http_exchange *x = b->x;
    if (!b->skips)
        buf_slice(&x->body, part);
    b->skips = b->skips || x->body.err != KEER_OK;
}

/* Lines of the piece; false when the batch has to wait, and then x->piece is the rest. */
static bool take_piece(struct batch *b)
{
    struct http_exchange *x = b->x;
    while (x->piece.len && !b->over) {
        const char *end = memchr(x->piece.p, '\n', x->piece.len);
        if (!end) {
            keep(b, x->piece);
            x->piece.len = 0;
            return true;
        }
        struct slice text = slice_of(x->piece.p, (size_t)(end - x->piece.p));
        if (x->body.len || b->skips) { /* the line began in an earlier piece */
            keep(b, text);
            x->piece = slice_of(end, x->piece.len - text.len);
            text = buf_view(&x->body);
        }
        b->skips = b->skips || text.len > x->body.max;
        if (!end_line(b, text))
            return false;
        b->skips = false;
        buf_clear(&x->body);
        x->piece = slice_of(end + 1, x->piece.len - (size_t)(end - x->piece.p) - 1);
    }
    b->swallowed += x->piece.len;
    x->piece.len = 0;
    return true;
}

static void finish(struct batch *b)
{
    struct http_exchange *x = b->x;
    if (b->over)
        http_problem(x, HTTP_TOO_LARGE, "more than %u lines; those before are decided, and can be sent again",
                     LIMIT_BATCH_LINES);
    else
        http_reply(x, 200, HTTP_NDJSON);
}

void batch_post(struct http_exchange *x)
{
    struct batch *b = x->data;
    if (!b) {
        begin(x);
        return;
    }
    for (;;) {
        bool taken = x->ended ? (!x->body.len && !b->skips) || end_line(b, buf_view(&x->body)) : take_piece(b);
        drain(b);
        if (b->swallowed > SWALLOW_BYTES)
            x->drop = true;
        if (taken && !x->ended)
            return;
        if (taken) {
            b->skips = false;
            buf_clear(&x->body);
            if (waits(b, true))
                return;
            drain(b);
            finish(b);
            return;
        }
        if (waits(b, false))
            return;
        drain(b);
    }
}

void batch_release(struct http_exchange *x)
{
    struct batch *b = x->data;
    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->orphan = true;
    b->waits = false;
    bool mine = !b->left;
    (void)pthread_mutex_unlock(&b->lock);
    if (mine)
        batch_free(b);
}
