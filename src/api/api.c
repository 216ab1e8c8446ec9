/* api.c - the routes, and the pool of readers. */
#include "api/api.h"

static const struct http_route routes[] = {
#define API_ROUTE(method, path, roles, flags, handle, answered, release, takes, gives, problems, summary) \
    {#method, path, roles, flags, handle, answered, release},
#include "api/routes.def"
#undef API_ROUTE
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

struct http_site api_site(struct api *a) { return (struct http_site){routes, ARRAY_LEN(routes), a, key_roles}; }

enum keer_err api_init(struct api *a, struct decider *d, const struct keer_schema *schema, unsigned threads)
{
    enum keer_err err = KEER_OK;
    a->decider = d;
    a->schema = schema;
    (void)pthread_mutex_init(&a->lock, NULL);
    ASSERT(threads <= API_READERS_MAX);
    for (unsigned i = 0; err == KEER_OK && i < threads; i++) {
        err = reading_new(schema, &a->free[i]);
        a->free_count += err == KEER_OK;
    }
    if (err != KEER_OK)
        api_release(a);
    return err;
}

void api_release(struct api *a)
{
    streams_stop(a);
    free(a->streams);
    a->streams = NULL;
    while (a->free_count)
        reading_free(a->free[--a->free_count]);
}
