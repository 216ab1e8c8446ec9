/* api.c - the routes, and what each thread of HTTP has. */
#include "api/api.h"

#define GATHER_MAX 16u /* requests: worth waking the engine, which works on them while the rest of the turn is read */

static const struct http_route routes[] = {
#define API_ROUTE(method, path, roles, flags, handle, answered, release, takes, gives, problems, summary) \
    {#method, path, roles, flags, handle, answered, release},
#include "api/routes.def"
};

static unsigned key_roles(void *ctx, struct slice key, char ret_caller[HTTP_CALLER_BYTES])
{
    const struct api *a = ctx;
    struct key_row row;
    if (!decider_key(a->decider, key, &row))
        return 0;
    (void)snprintf(ret_caller, HTTP_CALLER_BYTES, "%s", row.id);
    return 1u << row.role;
}

enum keer_err api_init(struct api *a, struct decider *d, unsigned threads)
{
    enum keer_err err = KEER_OK;
    a->decider = d;
    buf_init(&a->openapi, OPENAPI_BYTES);
    api_openapi(&a->openapi);
    err = a->openapi.err;
    ASSERT(threads <= HTTP_THREADS_MAX);
    for (unsigned i = 0; err == KEER_OK && i < threads; i++)
        err = reading_new(&decider_version(d)->policy->schema, &a->thread[i].reading);
    if (err != KEER_OK)
        api_release(a);
    return err;
}

struct reading *api_reader(struct api *a, unsigned thread)
{
    const struct keer_schema *schema = &decider_version(a->decider)->policy->schema;
    struct reading *fresh = NULL;
    if (reading_schema(a->thread[thread].reading) == schema)
        return a->thread[thread].reading;
    if (reading_new(schema, &fresh) != KEER_OK)
        return NULL;
    reading_free(a->thread[thread].reading);
    return a->thread[thread].reading = fresh;
}

void api_release(struct api *a)
{
    streams_stop(a);
    free(a->streams);
    a->streams = NULL;
    for (unsigned i = 0; i < HTTP_THREADS_MAX; i++) {
        reading_free(a->thread[i].reading);
        a->thread[i].reading = NULL;
    }
    buf_release(&a->openapi);
}

static void api_turn(void *ctx, unsigned thread)
{
    struct api *a = ctx;
    struct api_thread *t = &a->thread[thread];
    if (t->first)
        decider_submit_all(a->decider, t->first, t->last);
    t->first = t->last = NULL;
    t->gathered = 0;
}

void api_gather(struct api *a, unsigned thread, struct decide_request *r)
{
    struct api_thread *t = &a->thread[thread];
    r->next = NULL;
    if (t->first)
        t->last->next = r;
    else
        t->first = r;
    t->last = r;
    if (++t->gathered == GATHER_MAX)
        api_turn(a, thread);
}

struct blocking {
    struct desk_job job;
    struct http_exchange *x;
};

static void run_blocking(struct desk_job *j, struct desk_worker *w)
{
    struct blocking *b = j->ctx;
    struct http_exchange *x = b->x;
    free(b);
    x->worker = w;
    http_run(x);
}

static bool api_blocking(void *ctx, struct http_exchange *x)
{
    struct api *a = ctx;
    struct blocking *b = calloc(1, sizeof *b);
    if (!b)
        return false;
    b->x = x;
    b->job = (struct desk_job){.run = run_blocking, .ctx = b};
    bool taken = desk_take(a->desk, &b->job); /* `b` may be gone afterwards */
    if (!taken)
        free(b);
    return taken;
}

struct http_site api_site(struct api *a)
{
    return (struct http_site){.routes = routes,
                              .count = ARRAY_LEN(routes),
                              .ctx = a,
                              .key_roles = key_roles,
                              .turn = api_turn,
                              .blocking = api_blocking};
}
