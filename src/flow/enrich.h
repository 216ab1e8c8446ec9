/* enrich.h - what is added to an event before it is decided: country and network of its address, class of its e-mail domain,
 * family of its user agent (enrich.def).
 *
 * Invariants
 * 1. What the body brings is never changed, null included; only attributes that the policy names are added.
 * 2. What was added is a JSON object of its own that the journal keeps beside the body, and the event that is decided is
 * read from both. So the journal decided again needs no database of addresses and gives the same bytes, and the same id with
 *    the same body is the same request, whatever the databases say on another day.
 * 3. What is not known (a private address, one that the database does not have) is not added. Where the database is there
 *    and can't be read, *ret_missing says so, and the decision is degraded: "input".
 *
 * It does not change after enrich_new: any number of threads use it. The databases are mapped files: put a new one in the
 * old one's place by renaming, and start again.
 */
#ifndef FLOW_ENRICH_H
#define FLOW_ENRICH_H
#include "base/buf.h"
#include "base/json.h"
#include "core/event.h"

struct enrich;
struct enrich_options {
    const char *country, *asn; /* files of MaxMind's format (MMDB); NULL */
    const struct slice *own;   /* domains of one's own, borrowed */
    size_t own_count;
};
#define ENRICH_BYTES 2048
struct enrich_why {
    char text[400];
};

/* KEER_EIO when a database can't be used, then *ret_why says it; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err enrich_new(const struct enrich_options *o, struct enrich **ret_enrich,
                                        struct enrich_why *ret_why);
/* Which rows of enrich.def a policy names: a mask for the functions below. */
uint64_t enrich_wanted(const struct keer_schema *schema);
void enrich_free(struct enrich *e); /* NULL is fine */
/* Attributes that the policy names and only a database could add, where that database was not given: for a warning. */
void enrich_unfed(const struct enrich *e, uint64_t wanted, struct buf *names);
/* The family of a user agent, "other" when none of user_agents.def is. */
const char *enrich_agent_family(struct slice user_agent);
/* Adds an object to `added`, or nothing; `body` is an object. Errors stick in `added`. */
void enrich_event(const struct enrich *e, uint64_t wanted, const struct tape *body, struct buf *added, bool *ret_missing);
#endif
