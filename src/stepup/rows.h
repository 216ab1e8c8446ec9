/* rows.h - reading and ending statements: for the files of src/stepup alone. */
#ifndef STEPUP_ROWS_H
#define STEPUP_ROWS_H
#include "store/db.h"

/* A column into a text of `room` bytes, with a NUL: false when it does not fit. */
bool row_copy(struct slice from, char *to, size_t room);
/* Ends a statement that has RETURNING and meets one row at most: KEER_EMISSING when none. */
KEER_NODISCARD enum keer_err row_ended(struct db_stmt *s);
/* Ends one that may meet many: how many. */
KEER_NODISCARD enum keer_err rows_ended(struct db_stmt *s, int64_t *ret_count);
/* Ends one without rows. */
KEER_NODISCARD enum keer_err row_put(struct db_stmt *s);
#endif
