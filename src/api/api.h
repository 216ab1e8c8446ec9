/* api.h - the daemon's resources: routes.def and the handlers behind it.
 *
 * Handlers run on the threads of HTTP; they share `struct api`, which they do not change but for the pool of readers. What a
 * handler answers when a thing can't be done is a row of http/problems.def.
 */
#ifndef API_API_H
#define API_API_H
#include <pthread.h>

#include "base/json.h"
#include "flow/decider.h"
#include "flow/key_change.h"
#include "flow/outbox.h"
#include "flow/reading.h"
#include "flow/verdict.h"
#include "http/http.h"

#define API_READERS_MAX 64

struct api {
    struct decider *decider;
    struct streams *streams;
    struct outbox *outbox; /* NULL: webhooks are off */
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
/* A body that is an object of a few members: false when the problem was told. `allowed` are the names there may be, parted
 * by spaces. */
bool api_object(struct http_exchange *x, struct tape *t, const char *allowed);
/* A member that is a text of 1 to `max` bytes without control characters; absent it is p NULL when it is not `needed`. */
bool api_text(struct http_exchange *x, const struct tape *t, const char *name, bool needed, size_t max, struct slice *ret);

/* Starts the thread that wakes the clients of /v1/events, at most `clients_max` of them. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err streams_start(struct api *a, unsigned clients_max);
void streams_stop(struct api *a); /* ends every stream, and the thread; before http_stop. Twice, or without start, is fine */
unsigned streams_count(struct api *a);

http_fn keys_post, keys_list, keys_delete, keys_rotate_post, keys_answer, keys_release_exchange;
http_fn events_get, events_release;
http_fn webhooks_post, webhooks_list, webhooks_delete, webhooks_replay, webhooks_rotate_post, webhooks_answer,
    webhooks_release;
http_fn deliveries_list;
http_fn health_get, ready_get, metrics_get;
#endif
