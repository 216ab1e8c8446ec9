/* sqlite.h - what the files of this driver share. */
#ifndef STORE_SQLITE_SQLITE_H
#define STORE_SQLITE_SQLITE_H
#include <sqlite3.h>

#include "store/driver.h"
#include "store/sqlite/checkpoint.h"

struct lite {
    struct db base;
    sqlite3 *conn;
    sqlite3_stmt *begin, *commit; /* prepared once: there is a pair for every group of decisions */
    int lock_fd;
    struct checkpoint checkpoint; /* of a writing connection */
};

/* Keeps a second writing process out by PATH.lock, which stays; *ret_fd is closed by the caller. KEER_ECONFLICT when another
 * holds it, KEER_EIO. */
KEER_NODISCARD enum keer_err lite_lock(const char *path, int *ret_fd, struct db_why *why);
/* db_copy for SQLite. */
KEER_NODISCARD enum keer_err lite_copy(const char *from, const char *to, enum db_copy_kind kind,
                                       struct db_copied *ret_copied, struct db_why *why);
#endif
