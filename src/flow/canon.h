/* canon.h - the canonical form of a JSON object: no white space, members in the order of their keys; texts and numbers as
 * they were written. Two bodies that differ in layout alone are one body: that is what "the same id, the same body"
 * compares.
 *
 * It checks structure, nesting (LIMIT_JSON_DEPTH), keys that stand twice, and control characters; numbers, escapes and UTF-8
 * are checked by the reader that takes the event from the result, which holds the same tokens.
 */
#ifndef FLOW_CANON_H
#define FLOW_CANON_H
#include "base/buf.h"

struct canon_error {
    size_t at; /* byte of the text */
    const char *what;
};

/* Adds the canonical form of `text` to `out`; `spare` is scratch. KEER_ESYNTAX, KEER_ELIMIT with *ret_error, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err canon_json(struct slice text, struct buf *out, struct buf *spare,
                                        struct canon_error *ret_error);
#endif
