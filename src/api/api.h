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
#include "flow/verdict.h"
#include "http/http.h"

#define API_READERS_MAX 64

struct api {
    struct decider *decider;
    int64_t (*now_us)(void), (*wall_us)(void);
    pthread_mutex_t lock;
    struct reading *free[API_READERS_MAX]; /* readers nobody uses now, of the version that decides or one before it */
    unsigned free_count;
};

/* One reader for each thread of HTTP is made ahead. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err api_init(struct api *a, struct decider *d, unsigned threads);
void api_release(struct api *a);
/* The routes, for http_start; `a` is the site's ctx. */
struct http_site api_site(struct api *a);

/* routes.def, problems.def and metrics.def, for the reference. */
void api_describe(bool json, struct buf *out);

http_fn decisions_post, decisions_answer, decisions_release, decisions_get;
http_fn policies_list, policies_one, policies_check, policies_post, policies_kept, policies_shadow, policies_shadow_end,
    policies_comparison, policies_diff, policies_diffed, policies_promote, policies_rollback, policies_promoted,
    policies_release;
http_fn lists_all, lists_one, lists_put;
http_fn health_get, ready_get, metrics_get;
#endif
