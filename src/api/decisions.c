/* decisions.c - /v1/decisions and /v1/labels: one event in, its decision out once it is on disk. */
#include "api/api.h"
#include "flow/label.h"

#define AHEAD_MAX_US US_HOUR /* an event from the future would make all that follow late */

/* One request of a decision: lives in the exchange's `data`. */
struct asked {
    struct decide_request request;
    struct http_exchange *x;
    struct api_texts texts;
};

void api_texts_init(struct api_texts *t)
{
    buf_init(&t->canon, LIMIT_LINE_BYTES);
    buf_init(&t->added, ENRICH_BYTES);
    buf_init(&t->target, LIMIT_TEXT_BYTES);
}

void api_texts_clear(struct api_texts *t)
{
    buf_clear(&t->canon);
    buf_clear(&t->added);
    buf_clear(&t->target);
}

void api_texts_release(struct api_texts *t)
{
    buf_release(&t->canon);
    buf_release(&t->added);
    buf_release(&t->target);
}

/* The canonical form of a label's event, of its canonical body. */
static enum keer_err read_label(struct reading *r, struct buf *target, struct slice *canon, struct reading_error *why)
{
    struct buf text;
    buf_init(&text, LIMIT_LINE_BYTES);
    enum keer_err err = label_event(*canon, &text, target, why);
    if (err == KEER_OK)
        err = reading_canon(r, buf_view(&text), canon, why);
    buf_release(&text);
    return err;
}

enum keer_err api_read(struct api *a, const struct api_given *given, struct api_texts *t, struct decide_request *request,
                       struct reading_error *ret_why)
{
    struct slice canon = {NULL, 0};
    struct reading *r = api_reader(a, given->thread);
    if (!r)
        return KEER_ENOMEM;
    enum keer_err err = reading_canon(r, given->body, &canon, ret_why);
    if (err == KEER_OK && given->label)
        err = read_label(r, &t->target, &canon, ret_why);
    if (err == KEER_OK) {
        buf_slice(&t->canon, canon);
        err = t->canon.err;
    }
    if (err == KEER_OK && a->enrich) {
        reading_enrich(r, a->enrich, &t->added, &request->missing);
        err = t->added.err;
    }
    if (err == KEER_OK)
        err = reading_event(r, canon, buf_view(&t->added), &request->event, ret_why);
    if (err == KEER_OK && request->event->time_us > a->wall_us() + AHEAD_MAX_US) {
        *ret_why =
            (struct reading_error){.code = KEER_ERANGE, .what = "time: more than an hour ahead of this server's clock"};
        err = KEER_ERANGE;
    }
    if (err != KEER_OK)
        return err;
    request->body = buf_view(&t->canon);
    request->added = buf_view(&t->added);
    if (given->label)
        request->target = buf_view(&t->target);
    crypto_sha256(request->body, &request->body_hash);
    return KEER_OK;
}

static void on_done(struct decide_request *r)
{
    struct asked *q = r->ctx;
    http_resume(q->x);
}

enum http_problem api_refusal(enum keer_err err)
{
    return err == KEER_EFULL ? HTTP_FULL : err == KEER_EUNSUPPORTED ? HTTP_STARTING : HTTP_UNKNOWN_OUTCOME;
}

enum http_problem api_problem(enum decide_result result)
{
    switch (result) {
    case DECIDE_CONFLICT: return HTTP_OTHER_BODY;
    case DECIDE_NO_TARGET: return HTTP_NO_EVENT;
    case DECIDE_UNKNOWN: return HTTP_UNKNOWN_OUTCOME;
    case DECIDE_NO_MEMORY: return HTTP_NO_MEMORY;
    case DECIDE_NEW:
    case DECIDE_STORED: break;
    }
    return HTTP_INTERNAL;
}

static void submit(struct http_exchange *x, bool label)
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
    api_texts_init(&q->texts);
    buf_init(&q->request.answer, VERDICT_BYTES);
    struct api_given given = {x->thread, buf_view(&x->body), label};
    enum keer_err err = api_read(a, &given, &q->texts, &q->request, &why);
    if (err != KEER_OK) {
        if (err == KEER_ENOMEM)
            http_problem(x, HTTP_NO_MEMORY, "%s", "");
        else
            http_problem(x, label ? HTTP_BAD_LABEL : HTTP_BAD_EVENT, "%s%s%s", why.what, why.hint[0] ? ": " : "", why.hint);
        return;
    }
    err = decider_reserve(a->decider);
    if (err != KEER_OK) {
        http_problem(x, api_refusal(err), "%s", err == KEER_EIO ? "the server has failed and does not decide any more" : "");
        return;
    }
    q->request.begun_us = x->begun_us;
    q->request.done = on_done;
    q->request.ctx = q;
    http_suspend(x); /* before it is submitted: the answer may come at once */
    api_gather(a, x->thread, &q->request);
}

void decisions_post(struct http_exchange *x) { submit(x, false); }
void labels_post(struct http_exchange *x) { submit(x, true); }

void decisions_answer(struct http_exchange *x)
{
    struct asked *q = x->data;
    enum decide_result r = q->request.result;
    if (r == DECIDE_NEW || r == DECIDE_STORED)
        http_reply_fixed(x, 200, HTTP_JSON, buf_view(&q->request.answer));
    else
        http_problem(x, api_problem(r), "%s",
                     r == DECIDE_CONFLICT    ? "an event of this id was decided with another body"
                     : r == DECIDE_NO_TARGET ? "no event of the id in `event`"
                                             : "");
}

void decisions_release(struct http_exchange *x)
{
    struct asked *q = x->data;
    if (!q)
        return;
    free(q->request.event);
    buf_release(&q->request.answer);
    api_texts_release(&q->texts);
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
