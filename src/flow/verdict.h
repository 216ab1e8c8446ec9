/* verdict.h - a decision as the JSON that is answered, stored, and compared when the journal is decided again.
 *
 * The text depends on the event, the engine and the policy alone: the same journal gives the same bytes.
 */
#ifndef FLOW_VERDICT_H
#define FLOW_VERDICT_H
#include "core/engine.h"

#define VERDICT_BYTES 65536
#define VERDICT_REASONS 3 /* features of the model that are named with what was not simply allowed */

/* Adds the object to `out`, without a newline. KEER_ENOMEM, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err verdict_print(struct keer_engine *e, const struct keer_event *ev, const struct keer_decision *d,
                                           struct buf *out);
/* The words of `degraded`, for tables; NULL past the last. */
const char *verdict_degraded_word(unsigned i);
#endif
