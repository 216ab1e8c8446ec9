/* webhooks.c - /v1/webhooks: where decisions are sent to, and what became of them. Changes wait for their commit. */
#include "api/body.h"

/* One change: lives in the exchange's `data`. */
struct changing {
    struct outbox_change change;
    struct http_exchange *x;
};

static bool is_on(struct http_exchange *x)
{
    struct api *a = x->ctx;
    if (!a->outbox)
        http_problem(x, HTTP_WEBHOOKS_OFF, "%s", "");
    return a->outbox != NULL;
}

static void on_done(struct outbox_change *c)
{
    struct changing *g = c->ctx;
    http_resume(g->x);
}

/* A change of the verb, for the webhook of the path when there is one; NULL when the problem was told. */
static struct changing *begin(struct http_exchange *x, enum outbox_verb verb)
{
    if (!is_on(x))
        return NULL;
    if (verb != OUTBOX_ADD && x->id.len != WEBHOOK_ID_BYTES) {
        http_problem(x, HTTP_NOT_FOUND, "no webhook of this id");
        return NULL;
    }
    struct changing *g = calloc(1, sizeof *g);
    if (!g) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return NULL;
    }
    x->data = g;
    g->x = x;
    g->change = (struct outbox_change){.verb = verb, .done = on_done, .ctx = g};
    if (verb != OUTBOX_ADD)
        memcpy(g->change.row.id, x->id.p, WEBHOOK_ID_BYTES);
    return g;
}

static void submit(struct http_exchange *x, struct changing *g)
{
    struct api *a = x->ctx;
    http_suspend(x); /* before it is handed over: the answer may come at once */
    enum keer_err err = outbox_change(a->outbox, &g->change);
    if (err != KEER_OK) { /* else g may have been answered, and be gone */
        g->change.err = err;
        http_resume(x);
    }
}

/* The outcomes of `events`, a list of names. */
static bool read_events(struct http_exchange *x, const struct api_body *b, uint32_t *ret_outcomes)
{
    const struct tape *t = &b->tape;
    uint32_t at = tape_find(t, 0, "events"), mask = 0;
    if (at == TAPE_NONE || tape_type(t, at) != TAPE_ARRAY || !t->v[at].len) {
        http_problem(x, HTTP_BAD_BODY, "events: a list of names as decision.deny is wanted");
        return false;
    }
    for (uint32_t i = at + 1; i < t->v[at].next; i = t->v[i].next) {
        struct slice name = tape_text(t, i);
        uint32_t one = tape_type(t, i) == TAPE_STRING ? outbox_event(name) : 0;
        if (!one) {
            http_problem(x, HTTP_BAD_BODY,
                         "events: there are decision.allow, decision.challenge, decision.review and decision.deny");
            return false;
        }
        mask |= one;
    }
    *ret_outcomes = mask;
    return true;
}

static bool read_webhook(struct http_exchange *x, const struct api_body *b, struct webhook_row *row)
{
    struct api *a = x->ctx;
    struct slice url, name = {NULL, 0};
    char why[NET_WHY_BYTES];
    if (!api_body_line(x, b, "url", /* required */ true, WEBHOOK_URL_BYTES, &url) ||
        !api_body_line(x, b, "name", /* required */ false, LIMIT_NAME_BYTES, &name) || !read_events(x, b, &row->outcomes))
        return false;
    enum keer_err err = net_url_check(url, outbox_networks(a->outbox), why);
    if (err == KEER_ENOMEM)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (err != KEER_OK)
        http_problem(x, HTTP_BAD_BODY, "url: %s", why);
    if (err != KEER_OK)
        return false;
    memcpy(row->url, url.p, url.len);
    if (name.len)
        memcpy(row->name, name.p, name.len);
    return true;
}

void webhooks_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct changing *g = begin(x, OUTBOX_ADD);
    if (g && api_body_read(x, &b, "url events name") && read_webhook(x, &b, &g->change.row))
        submit(x, g);
    api_body_release(&b);
}

void webhooks_delete(struct http_exchange *x)
{
    struct changing *g = begin(x, OUTBOX_REMOVE);
    if (g)
        submit(x, g);
}

void webhooks_rotate_post(struct http_exchange *x)
{
    struct changing *g = begin(x, OUTBOX_ROTATE);
    if (g)
        submit(x, g);
}

void webhooks_replay(struct http_exchange *x)
{
    struct api_body b = {0};
    struct changing *g = begin(x, OUTBOX_REPLAY);
    if (g && api_body_read(x, &b, "seq")) {
        uint32_t at = tape_find(&b.tape, 0, "seq");
        if (at != TAPE_NONE && (tape_type(&b.tape, at) != TAPE_INTEGER ||
                                num_i64(tape_text(&b.tape, at), 1, INT64_MAX, &g->change.seq) != KEER_OK))
            http_problem(x, HTTP_BAD_BODY, "seq: the number of a delivery is wanted");
        else
            submit(x, g);
    }
    api_body_release(&b);
}

static void answer_change(struct http_exchange *x, const struct outbox_change *c)
{
    struct buf *b = &x->reply;
    switch (c->verb) {
    case OUTBOX_ADD: outbox_print(&c->row, c->secret, b); break;
    case OUTBOX_REMOVE: buf_puts(b, "{\"removed\":true}"); break;
    case OUTBOX_ROTATE: buf_fmt(b, "{\"secret\":\"%s\"}", c->secret); break;
    case OUTBOX_REPLAY: buf_fmt(b, "{\"replayed\":%lld}", (long long)c->count); break;
    }
    buf_char(b, '\n');
    http_reply(x, 200, HTTP_JSON);
}

void webhooks_answer(struct http_exchange *x)
{
    const struct changing *g = x->data;
    switch (g->change.err) {
    case KEER_OK: answer_change(x, &g->change); return;
    case KEER_EMISSING: http_problem(x, HTTP_NOT_FOUND, "no webhook of this id"); return;
    case KEER_ELIMIT: http_problem(x, HTTP_TOO_MANY, "%d webhooks", LIMIT_WEBHOOKS); return;
    case KEER_ENOMEM: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    case KEER_EUNSUPPORTED: http_problem(x, HTTP_STOPPING, "%s", ""); return;
    default: http_problem(x, HTTP_UNKNOWN_OUTCOME, "the change was not, or may not have been, recorded"); return;
    }
}

void webhooks_release(struct http_exchange *x)
{
    struct changing *g = x->data;
    if (!g)
        return;
    crypto_wipe(g, sizeof *g);
    if (x->reply.p)
        crypto_wipe(x->reply.p, x->reply.len); /* it may hold a secret */
    free(g);
}

static void answer_list(struct http_exchange *x, enum keer_err err)
{
    if (err == KEER_OK)
        http_reply(x, 200, HTTP_JSON);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "no webhook of this id");
    else if (err == KEER_ENOMEM)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else
        http_problem(x, HTTP_INTERNAL, "the outbox can't be read");
}

void webhooks_list(struct http_exchange *x)
{
    struct api *a = x->ctx;
    if (is_on(x))
        answer_list(x, outbox_list(a->outbox, SLICE(""), &x->reply));
}

void webhooks_one(struct http_exchange *x)
{
    struct api *a = x->ctx;
    if (is_on(x))
        answer_list(x, outbox_list(a->outbox, buf_view(&x->id), &x->reply));
}

void deliveries_list(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct http_param query = {"state", {NULL, 0}};
    enum delivery_state state = DELIVERY_DEAD;
    if (!is_on(x) || !http_query(x, &query, 1))
        return;
    struct slice wanted = query.value;
    if (wanted.p && delivery_state_find(wanted, &state) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "state: there are waiting, delivered and dead");
    else
        answer_list(x, outbox_deliveries(a->outbox, buf_view(&x->id), state, &x->reply));
}
