/* label.h - what a caller says of an event becomes an event of type `label`.
 *
 *     {"id":"l1","event":"p1","time":T,"label":"fraud", ...}  ->
 * {"id":"l1","target":"p1","time":T,"type":"label","fraud":true, ...}
 *
 * What comes out is what is decided and stored: the journal decided again needs no second form. Other members stay as they
 * are.
 */
#ifndef FLOW_LABEL_H
#define FLOW_LABEL_H
#include "flow/reading.h"

/* `canon` is canonical (reading_canon); the event's text is added to `out`, and the id of the event that is meant to
 * `target`. KEER_EMISSING, KEER_ETYPE, KEER_EINVALID, KEER_ECONFLICT (a member that this makes itself): then *ret_error says
 * it. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err label_event(struct slice canon, struct buf *out, struct buf *target,
                                         struct reading_error *ret_error);
#endif
