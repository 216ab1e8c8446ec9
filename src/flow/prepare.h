/* prepare.h - what a caller sends becomes a request for the decider: canonical form, what is added, the event.
 *
 * Invariant: what `request` points at is in `texts` and stays until texts are cleared.
 */
#ifndef FLOW_PREPARE_H
#define FLOW_PREPARE_H
#include "flow/decider.h"
#include "flow/reading.h"

#define PREPARE_AHEAD_MAX_US US_HOUR /* an event from the future would make all that follow late */

struct prepare_texts {
    struct buf canon, added;
    struct buf target, label; /* of a label: what it names, and the event that it becomes */
};
void prepare_texts_init(struct prepare_texts *t);
void prepare_texts_clear(struct prepare_texts *t);
void prepare_texts_release(struct prepare_texts *t);

struct prepare {
    struct reading *reading;
    const struct enrich *enrich; /* NULL: nothing is added */
    int64_t wall_us;
    struct slice body;
    bool label; /* else an event */
};
/* The event of a body, and all else of `request` that comes from it. KEER_ENOMEM, or what is wrong, in *ret_why; then too
 * the caller frees request->event. */
KEER_NODISCARD enum keer_err prepare_request(const struct prepare *p, struct prepare_texts *t,
                                             struct decide_request *request, struct reading_error *ret_why);
#endif
