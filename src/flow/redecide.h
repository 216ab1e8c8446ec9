/* redecide.h - decides a journal again, in order: what rebuilds the windows after a restart, and what `keer verify` does.
 *
 * Every row is checked: its number follows the one before, its body has its hash and is canonical, its id is the event's.
 * Where this policy made the stored decision, the new one and what the windows told must be the same byte for byte; rows of
 * other policies fill the windows only.
 */
#ifndef FLOW_REDECIDE_H
#define FLOW_REDECIDE_H
#include <stdatomic.h>

#include "core/engine.h"
#include "store/journal.h"

struct redecide_run;
struct redecide {
    struct journal *journal; /* borrowed, of a DB_READ connection */
    struct keer_engine *engine;
    int64_t policy; /* its number in the journal; 0 = not there */
    int64_t after;  /* the engine has the rows up to this one already; 0 = none */
    int64_t upto;   /* the last row to decide; 0 = to the end */
    /* Called for every row, before it is decided; may be NULL. */
    void (*each)(void *ctx, const struct journal_entry *e);
    const atomic_bool *stop; /* ends it early; may be NULL */
    /* Called for each difference; may be NULL. */
    void (*differs)(void *ctx, const struct journal_entry *e, const char *what, struct slice now);
    /* Called for each row that was decided, with the verdict as it is now; may be NULL. What it returns ends the step. */
    enum keer_err (*decided)(void *ctx, const struct journal_entry *e, const struct keer_decision *d, struct slice verdict);
    void *ctx;
};
struct redecide_result {
    int64_t last_seq; /* `after` when there was nothing to decide */
    uint64_t events, compared, differences;
};

/* Row by row: open, step until KEER_EMISSING (no row yet; there may be one later), close. *r and *result are borrowed until
 * close; result->last_seq is where it goes on. KEER_EIO, KEER_ENOMEM, or what `decided` returned. */
KEER_NODISCARD enum keer_err redecide_open(const struct redecide *r, struct redecide_result *result,
                                           struct redecide_run **ret_run);
KEER_NODISCARD enum keer_err redecide_step(struct redecide_run *run);
void redecide_close(struct redecide_run *run); /* NULL is fine */
/* All rows that there are. *ret_result holds what was done so far, also on failure: KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err redecide_all(const struct redecide *r, struct redecide_result *ret_result);
#endif
