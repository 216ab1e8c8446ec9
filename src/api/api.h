/* api.h - the daemon's resources: routes.def and the handlers behind it.
 *
 * Handlers run on the threads of HTTP; they share `struct api`, which they do not change but for the pool of readers. What a
 * handler answers when a thing can't be done is a row of http/problems.def.
 */
#ifndef API_API_H
#define API_API_H
#include <pthread.h>

#include "flow/decider.h"
#include "flow/reading.h"
#include "flow/records.h"
#include "flow/verdict.h"
#include "http/http.h"

#define API_READERS_MAX 64

struct api {
    struct decider *decider;
    struct records *records;
    const struct keer_schema *schema;
    int64_t (*now_us)(void), (*wall_us)(void);
    pthread_mutex_t lock;
    struct reading *free[API_READERS_MAX]; /* readers nobody uses now */
    unsigned free_count;
};

/* One reader for each thread of HTTP is made ahead. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err api_init(struct api *a, struct decider *d, const struct keer_schema *schema, unsigned threads);
void api_release(struct api *a);
/* The routes, for http_start; `a` is the site's ctx. */
struct http_site api_site(struct api *a);

/* routes.def, problems.def and metrics.def, for the reference. */
void api_describe(bool json, struct buf *out);

http_fn decisions_post, decisions_answer, decisions_release, decisions_get;
http_fn labels_post, explanation_get;
http_fn health_get, ready_get, metrics_get;
#endif
