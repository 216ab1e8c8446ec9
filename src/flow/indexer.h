/* indexer.h - writes a run of store/found.h for every 2,048 rows of the journal, behind the decisions.
 *
 * A thread of its own reads committed rows on a connection of its own, begins after the last run that is there (so also with
 * rows that are older than the table), and hands each run to the writer's thread (decider_write). Decisions wait for nothing
 * but that transaction, as they do for one another. Runs that could not be written are tried again; until then searches look
 * into the rows themselves.
 */
#ifndef FLOW_INDEXER_H
#define FLOW_INDEXER_H
#include "flow/decider.h"

struct indexer;
/* Opens; the database has its schema and its secrets. On failure *ret_why says it. */
KEER_NODISCARD enum keer_err indexer_new(struct decider *d, const char *database, const struct log *log,
                                         struct indexer **ret_indexer, struct db_why *ret_why);
/* After decider_start. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err indexer_start(struct indexer *x);
void indexer_free(struct indexer *x); /* ends the thread, before decider_free; NULL is fine */
#endif
