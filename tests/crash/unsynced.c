/* unsynced.c - the control of the power cuts: a daemon whose SQLite does not sync (synchronous=OFF, or what KEER_RIG_SYNC
 * says). Linked over db_open with --wrap into a program of its own (build/VARIANT/tests/keer-unsynced); keer has no such
 * switch. */
#include "store/db.h"

enum keer_err __real_db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why);
enum keer_err __wrap_db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why);

enum keer_err __wrap_db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why)
{
    const char *mode = getenv("KEER_RIG_SYNC");
    char sql[64];
    enum keer_err err = __real_db_open(where, access, ret_db, ret_why);
    (void)snprintf(sql, sizeof sql, "PRAGMA synchronous=%.10s", mode ? mode : "OFF");
    return err == KEER_OK && access == DB_WRITE ? db_exec(*ret_db, sql) : err;
}
