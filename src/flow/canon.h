/* canon.h - the canonical form of a JSON object: no white space, members in the order of their keys, texts with the escapes
 * that they need and no others, numbers as they were written. Two bodies that differ in layout alone are one body: that is
 * what "the same id, the same body" compares.
 */
#ifndef FLOW_CANON_H
#define FLOW_CANON_H
#include "base/buf.h"
#include "base/json.h"

/* Adds the canonical form of `text` to `out`; `tape` is scratch that keeps its memory. What tape_read says, KEER_ESYNTAX
 * when it is no object, KEER_ELIMIT with more than LIMIT_JSON_MEMBERS keys open, KEER_ENOMEM; then *ret_error says where and
 * what. */
KEER_NODISCARD enum keer_err canon_json(struct tape *tape, struct slice text, struct buf *out, struct tape_error *ret_error);
#endif
