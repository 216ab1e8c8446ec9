/* visit.h - a person's browser at the pages' API: where a request comes from, its cookies, its session.
 *
 * Invariants
 * 1. A request that may change something is refused when it comes from another site: Sec-Fetch-Site other than same-origin
 * or none, an Origin that is not the service's (Fetch, section 3.1), or a body that is not JSON (HTTP_BODY), which no form
 * can send.
 * 2. The cookies are `__Host-keer` and `__Host-keer-device`, Secure; over plain HTTP, for development on one's own machine,
 *    `keer` and `keer-device`. Only one of the two kinds is read.
 * 3. What a session may do is asked for by each handler (enum visit_needs); what was not asked for is refused.
 * Handlers run at the desk (HTTP_BLOCKING).
 */
#ifndef API_VISIT_H
#define API_VISIT_H
#include "api/body.h"
#include "flow/accounts.h"

enum visit_needs {
    VISIT_ANYBODY,    /* a session is taken when there is one */
    VISIT_PENDING,    /* any session that lives, also one that waits for its step */
    VISIT_RESTRICTED, /* signed in */
    VISIT_FULL        /* signed in with all rights */
};
/* False when a problem was told: FOREIGN_ORIGIN, NO_SESSION, STEP_NEEDED, RESTRICTED, or what the database said. */
bool visit_begin(struct http_exchange *x, enum visit_needs needs, struct visitor *v);
/* The cookies that the answer sets. The device's when it is new; `session` NULL: none is begun. */
void visit_cookies(struct http_exchange *x, const struct visitor *v, const struct bearer *session);
void visit_forget_session(struct http_exchange *x);
/* A refusal of the decider, database or memory as a problem: what fails closed. */
void visit_failed(struct http_exchange *x, enum keer_err err);
/* TOO_MANY_TRIES with a Retry-After of at least that, or the answer to a full password worker. */
void visit_later(struct http_exchange *x, int64_t retry_us);
/* The id in the path; false when NOT_FOUND was told. */
bool visit_id(struct http_exchange *x, struct id *ret_id);
/* A member of the body that is an id; false when BAD_BODY was told. */
bool visit_body_id(struct http_exchange *x, const struct api_body *b, const char *name, struct id *ret_id);
/* {} */
void visit_empty(struct http_exchange *x);
static inline struct accounts *visit_accounts(struct http_exchange *x) { return ((struct api *)x->ctx)->accounts; }
#endif
