/* diag.h - messages about a policy: where, what was found, what was expected, several in one run. */
#ifndef CORE_POLICY_DIAG_H
#define CORE_POLICY_DIAG_H
#include "base/buf.h"

struct span_at {
    uint32_t from, len; /* bytes in the policy text */
};

/* For "%.*s" in messages: a name or a token, but no more of it than leaves room for what is said of it. */
#define SHOWN(s) (int)MIN_OF((s).len, (size_t)64), (s).p

enum severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };
struct diag {
    enum severity severity;
    struct span_at at;
    char what[320];
    char hint[256]; /* what to do; may be empty */
};

struct diags {
    struct slice name, text; /* file name and policy text, borrowed */
    struct diag *item;       /* owned */
    unsigned count, errors, cap, dropped;
    unsigned repeated; /* of the errors, those at a place that has a message already */
    bool failed_alloc;
};

void diags_init(struct diags *d, struct slice name, struct slice text);
void diags_release(struct diags *d);
void diag_add(struct diags *d, enum severity severity, struct span_at at, const char *hint, const char *fmt, ...)
    KEER_PRINTF(5, 6);
/* Line and column, both from 1; columns count bytes. */
void diag_place(const struct diags *d, struct span_at at, unsigned *ret_line, unsigned *ret_column);
/* All messages in order of place: 'file:line:column: error: what', the line, a caret, and the hint. */
void diags_print(struct diags *d, struct buf *out);
void diags_json(struct diags *d, struct buf *out); /* an array of objects */
#endif
