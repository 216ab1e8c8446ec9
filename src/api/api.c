/* api.c - the routes, and the pool of readers. */
#include "api/api.h"

static const struct http_route routes[] = {
#define API_ROUTE(method, path, flags, handle, answered, release, summary) \
    {#method, path, flags, handle, answered, release, summary},
#include "api/routes.def"
#undef API_ROUTE
};

static bool key_valid(void *ctx, struct slice key)
{
    const struct api *a = ctx;
    return keys_valid(decider_keys(a->decider), key);
}

struct http_site api_site(struct api *a) { return (struct http_site){routes, ARRAY_LEN(routes), a, key_valid}; }

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
    while (a->free_count)
        reading_free(a->free[--a->free_count]);
}
