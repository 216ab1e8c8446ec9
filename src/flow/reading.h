/* reading.h - the body of a request, or of a row of the journal, becomes an event that owns its texts.
 *
 * One reader serves one thread at a time. The event and all its texts are one block of memory, since it crosses threads and
 * outlives the reader's buffers.
 */
#ifndef FLOW_READING_H
#define FLOW_READING_H
#include "core/input.h"
#include "flow/enrich.h"

struct reading;
struct reading_error {
    enum keer_err code;
    char what[INPUT_MESSAGE_BYTES + 60];
    char hint[INPUT_MESSAGE_BYTES];
};

KEER_NODISCARD enum keer_err reading_new(const struct keer_schema *schema, struct reading **ret_reading);
void reading_free(struct reading *r);
const struct keer_schema *reading_schema(const struct reading *r);
/* The canonical form of a body, borrowed until the next call. KEER_ENOMEM, or what *ret_error says. */
KEER_NODISCARD enum keer_err reading_canon(struct reading *r, struct slice body, struct slice *ret_canon,
                                           struct reading_error *ret_error);
/* What `e` adds to the body that reading_canon read last, which must still be there; errors stick in `added`. */
void reading_enrich(const struct reading *r, const struct enrich *e, struct buf *added, bool *ret_missing);
/* The event of a canonical body and of what was added to it (an object, or empty); free() it. */
KEER_NODISCARD enum keer_err reading_event(struct reading *r, struct slice canon, struct slice added,
                                           struct keer_event **ret_event, struct reading_error *ret_error);
#endif
