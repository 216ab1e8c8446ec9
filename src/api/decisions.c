/* decisions.c - /v1/decisions and /v1/labels: one event in, its decision out once it is on disk. */
#include "api/api.h"

/* One request of a decision: lives in the exchange's `data`. */
struct asked {
    struct decide_request request;
    struct http_exchange *x;
    struct prepare_texts texts;
};

enum keer_err api_read(struct api *a, const struct api_given *given, struct prepare_texts *t, struct decide_request *request,
                       struct reading_error *ret_why)
{
    struct prepare p = {api_reader(a, given->thread), a->enrich, a->wall_us(), given->body, given->label};
    return p.reading ? prepare_request(&p, t, request, ret_why) : KEER_ENOMEM;
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
    prepare_texts_init(&q->texts);
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
    prepare_texts_release(&q->texts);
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
