/* records.h - decisions that were made, looked at: why one came out so.
 *
 * Beside the decider and without its windows: a reading connection, an engine whose windows stay empty, and a reader of
 * bodies, under one lock. Any thread. What is told is of the moment of the decision: the event and what the windows told
 * come from the journal, the rest follows from the policy, and the decision made again must be the stored one, byte for
 * byte.
 */
#ifndef FLOW_RECORDS_H
#define FLOW_RECORDS_H
#include "core/engine.h"
#include "store/journal.h"

struct records;
struct records_options {
    const char *database;
    const struct keer_policy *policy; /* borrowed */
    struct crypto_hash policy_hash;
};
struct records_why { /* what an answer that is no KEER_OK may say to its caller */
    char text[300];
};

/* The database must have the current schema. On failure *ret_why says it. */
KEER_NODISCARD enum keer_err records_open(const struct records_options *o, struct records **ret_records,
                                          struct db_why *ret_why);
void records_close(struct records *r); /* NULL is fine */
/* The explanation of the decision on event `id`, as engine_explain prints it. KEER_EMISSING: no such event. KEER_EVERSION:
 * another policy decided it whose text the database has not; ret_why says which. KEER_EUNSUPPORTED: what the windows told
 * was not kept. KEER_EFORMAT: what was kept does not give the stored decision. KEER_EIO, KEER_ENOMEM, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err records_explain(struct records *r, struct slice id, enum explain_form form, unsigned top,
                                             struct buf *out, struct records_why *ret_why);
#endif
