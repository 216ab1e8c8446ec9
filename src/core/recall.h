/* recall.h - what the windows told a decision, as a few bytes; and the decision made again from them, without windows.
 *
 * A decision follows from the event, the policy and the values of the windows that the event's type needs. The first two are
 * kept anyway; a record keeps the third, and what was degraded. `engine_recall` puts it back, and then the engine holds what
 * it held after the decision: the same outcome, score and rules, and engine_explain says the same, byte for byte, however
 * far the windows have moved on. A record belongs to the policy (its text and files) that made it.
 *
 *     [1: version] [varint: degraded] [varint: groups past their budget, a mask]
 *     [2 bits for each window of the type's plan, in order, low bits first: 0 missing, 1 an integer, 2 millionths, 3 eight
 * bytes] [the values in the same order: integers and millionths as zigzag varints, else a little-endian double or text hash]
 *
 * Counts and amounts are integers, ages are millionths of a second: most take one to five bytes.
 */
#ifndef CORE_RECALL_H
#define CORE_RECALL_H
#include "core/engine.h"

#define RECALL_VERSION 1u
#define RECALL_BYTES (32u + LIMIT_WINDOWS / 4 + 10 * LIMIT_WINDOWS) /* no record is longer */

/* Adds the record of the engine's last decision, on `ev`. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err engine_record(const struct keer_engine *e, const struct keer_event *ev,
                                           const struct keer_decision *d, struct buf *out);
/* Decides `ev` from a record; no window is read or changed. KEER_EFORMAT for what is no record of this policy and type,
 * KEER_EVERSION for one of another version, KEER_EINVALID, KEER_EMISSING as keer_engine_decide. */
KEER_NODISCARD enum keer_err engine_recall(struct keer_engine *e, const struct keer_event *ev, struct slice record,
                                           struct keer_decision *ret_decision);
/* Puts a record's values where the windows put theirs: engine_recall's first half. */
KEER_NODISCARD enum keer_err recall_read(struct keer_engine *e, unsigned type, struct slice record, unsigned *ret_degraded);
#endif
