/* terms.h - by what a row of the journal is found: account, outcome, type and the rules that matched.
 *
 * The account is the event's, as the reader of events reads it, whatever the policy; the others are what the stored decision
 * says. A row that can't be read has none of them: `keer verify` names such rows.
 */
#ifndef FLOW_TERMS_H
#define FLOW_TERMS_H
#include <keer/engine.h>

#include "base/str.h"

struct terms;
struct terms_row { /* borrowed until the next terms_read; p NULL: there is none */
    struct slice account, outcome, type;
    unsigned rules;
    struct slice rule[KEER_FIRED_MAX];
};

/* For one thread at a time. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err terms_new(struct terms **ret_terms);
void terms_free(struct terms *t); /* NULL is fine */
/* KEER_ENOMEM. */
KEER_NODISCARD enum keer_err terms_read(struct terms *t, struct slice body, struct slice decision,
                                        struct terms_row *ret_row);
#endif
