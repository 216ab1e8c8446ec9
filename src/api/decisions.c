/* decisions.c - /v1/decisions: one event in, its decision out once it is on disk. */
#include "api/api.h"

#define AHEAD_MAX_US US_HOUR /* an event from the future would make all that follow late */

/* One request of a decision: lives in the exchange's `data`. */
struct asked {
    struct decide_request request;
    struct http_exchange *x;
    struct buf body; /* canonical */
    struct buf added;
};

/* The event of the body and the body's canonical form, in `asked`. */
static enum keer_err read_body(struct api *a, struct http_exchange *x, struct asked *q, struct reading_error *why)
{
    struct slice canon = {NULL, 0};
    struct reading *r = api_reader(a, x->thread);
    if (!r)
        return KEER_ENOMEM;
    enum keer_err err = reading_canon(r, buf_view(&x->body), &canon, why);
    if (err == KEER_OK) {
        buf_slice(&q->body, canon);
        err = q->body.err;
    }
    if (err == KEER_OK && a->enrich) {
        reading_enrich(r, a->enrich, &q->added, &q->request.missing);
        err = q->added.err;
    }
    if (err == KEER_OK)
        err = reading_event(r, canon, buf_view(&q->added), &q->request.event, why);
    if (err == KEER_OK && q->request.event->time_us > a->wall_us() + AHEAD_MAX_US) {
        *why = (struct reading_error){.code = KEER_ERANGE, .what = "time: more than an hour ahead of this server's clock"};
        err = KEER_ERANGE;
    }
    return err;
}

static void on_done(struct decide_request *r)
{
    struct asked *q = r->ctx;
    http_resume(q->x);
}

static void refuse(struct http_exchange *x, enum keer_err err)
{
    if (err == KEER_EFULL)
        http_problem(x, HTTP_FULL, "%s", "");
    else if (err == KEER_EUNSUPPORTED)
        http_problem(x, HTTP_STARTING, "%s", "");
    else
        http_problem(x, HTTP_UNKNOWN_OUTCOME, "the server has failed and does not decide any more");
}

void decisions_post(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct reading_error why = {0};
    struct asked *q = calloc(1, sizeof *q);
    if (!q) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    x->data = q;
    q->x = x;
    buf_init(&q->body, LIMIT_LINE_BYTES);
    buf_init(&q->added, ENRICH_BYTES);
    buf_init(&q->request.answer, VERDICT_BYTES);
    enum keer_err err = read_body(a, x, q, &why);
    if (err != KEER_OK) {
        if (err == KEER_ENOMEM)
            http_problem(x, HTTP_NO_MEMORY, "%s", "");
        else
            http_problem(x, HTTP_BAD_EVENT, "%s%s%s", why.what, why.hint[0] ? ": " : "", why.hint);
        return;
    }
    err = decider_reserve(a->decider);
    if (err != KEER_OK) {
        refuse(x, err);
        return;
    }
    q->request.body = buf_view(&q->body);
    q->request.added = buf_view(&q->added);
    crypto_sha256(q->request.body, &q->request.body_hash);
    q->request.begun_us = x->begun_us;
    q->request.done = on_done;
    q->request.ctx = q;
    http_suspend(x); /* before it is submitted: the answer may come at once */
    api_gather(a, x->thread, &q->request);
}

void decisions_answer(struct http_exchange *x)
{
    struct asked *q = x->data;
    switch (q->request.result) {
    case DECIDE_NEW:
    case DECIDE_STORED: http_reply_fixed(x, 200, HTTP_JSON, buf_view(&q->request.answer)); return;
    case DECIDE_CONFLICT: http_problem(x, HTTP_OTHER_BODY, "an event of this id was decided with another body"); return;
    case DECIDE_UNKNOWN: http_problem(x, HTTP_UNKNOWN_OUTCOME, "%s", ""); return;
    case DECIDE_NO_MEMORY: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    }
    http_problem(x, HTTP_INTERNAL, "%s", "");
}

void decisions_release(struct http_exchange *x)
{
    struct asked *q = x->data;
    if (!q)
        return;
    free(q->request.event);
    buf_release(&q->request.answer);
    buf_release(&q->body);
    buf_release(&q->added);
    free(q);
}

void decisions_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    enum keer_err err = decider_find(a->decider, buf_view(&x->id), &x->reply);
    if (err == KEER_OK)
        http_reply(x, 200, HTTP_JSON);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "no decision on an event of this id");
    else if (err == KEER_ENOMEM)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else
        http_problem(x, HTTP_INTERNAL, "the journal can't be read");
}
