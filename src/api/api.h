/* api.h - the daemon's resources: routes.def and the handlers behind it.
 *
 * Handlers run on the threads of HTTP; they share `struct api`, of which each changes its own thread's part alone. Events of
 * one turn of a thread are gathered there and go to the decider together (api_turn). What a handler answers when a thing
 * can't be done is a row of http/problems.def.
 */
#ifndef API_API_H
#define API_API_H
#include "flow/decider.h"
#include "flow/reading.h"
#include "flow/verdict.h"
#include "http/http.h"

struct api_thread {
    struct reading *reading;
    struct decide_request *first, *last; /* gathered in this turn, each with a place */
};

struct api {
    struct decider *decider;
    const struct keer_schema *schema;
    int64_t (*now_us)(void), (*wall_us)(void);
    unsigned batches_max; /* at once */
    atomic_uint batches;
    struct api_thread thread[HTTP_THREADS_MAX];
};

/* Makes what each thread of HTTP needs. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err api_init(struct api *a, struct decider *d, const struct keer_schema *schema, unsigned threads);
void api_release(struct api *a);
/* The routes, for http_start; `a` is the site's ctx. */
struct http_site api_site(struct api *a);

/* An event for the decider, with a place; it goes there at the end of the thread's turn. */
void api_gather(struct api *a, unsigned thread, struct decide_request *r);

/* routes.def, problems.def and metrics.def, for the reference. */
void api_describe(bool json, struct buf *out);

/* The event of a body, with its canonical form in `canon`; what is wrong is in *ret_why. */
KEER_NODISCARD enum keer_err api_read(struct api *a, unsigned thread, struct slice body, struct buf *canon,
                                      struct keer_event **ret_event, struct reading_error *ret_why);
/* What a refusal of decider_reserve, and an end that is no success, is as a problem. */
enum http_problem api_refusal(enum keer_err err);
enum http_problem api_problem(enum decide_result result);

http_fn batch_post, batch_release;
http_fn decisions_post, decisions_answer, decisions_release, decisions_get;
http_fn health_get, ready_get, metrics_get;
#endif
