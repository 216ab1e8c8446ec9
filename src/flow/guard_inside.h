/* guard_inside.h - between guard.c, which decides when a change may happen, and guard_apply.c, which makes it happen. */
#ifndef FLOW_GUARD_INSIDE_H
#define FLOW_GUARD_INSIDE_H
#include "flow/guard.h"

struct guard_full { /* a row with what only applying needs */
    struct guard_row row;
    struct id session; /* that asked */
    char data[GUARD_DATA_BYTES + 1];
    char was[GUARD_DATA_BYTES + 1]; /* what undoing needs */
};
/* Makes a change, and notes in f->was what undoing it needs. KEER_EMISSING, KEER_EINVALID, KEER_EFULL, KEER_ELIMIT,
 * KEER_ECONFLICT: it can't be made (any more); the transaction can go on. */
KEER_NODISCARD enum keer_err guard_make(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us);
/* Takes it back; what is gone already is fine. */
KEER_NODISCARD enum keer_err guard_unmake(struct db *db, const struct guard *g, const struct guard_full *f, int64_t now_us);
/* The thing of a change that waits, and of one that was called off. */
KEER_NODISCARD enum keer_err guard_thing_waits(struct db *db, const struct guard_full *f, int64_t now_us);
KEER_NODISCARD enum keer_err guard_thing_dropped(struct db *db, const struct guard_full *f, int64_t now_us);
#endif
