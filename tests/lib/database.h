/* database.h - the database of a test: a SQLite file in its scratch folder or, with KEER_TEST_POSTGRES, the one that stands
 * there, which is emptied (tests/integration/postgres_units.sh starts a server for that). */
#ifndef TESTS_LIB_DATABASE_H
#define TESTS_LIB_DATABASE_H
#include "lib/scratch.h"
#include "store/db.h"

static inline const char *database_address(void) { return getenv("KEER_TEST_POSTGRES"); }

/* Valid until the scratch's path is used again. */
static inline const char *database_where(struct scratch *s)
{
    return database_address() ? database_address() : scratch_path(s, "k.db");
}

/* A scratch folder, and nothing in the database. */
static inline void database_make(struct scratch *s)
{
    struct db *db;
    struct db_why why;
    scratch_make(s);
    if (!database_address())
        return;
    enum keer_err err = KEER_ECONFLICT; /* a busy server takes a moment to see that the writer before is gone */
    for (int i = 0; err == KEER_ECONFLICT && i < 500; i++) {
        err = db_open(database_address(), DB_WRITE, &db, &why);
        if (err == KEER_ECONFLICT)
            (void)usleep(10000);
    }
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_exec(db, "DROP SCHEMA public CASCADE"));
    ck_ok(db_exec(db, "CREATE SCHEMA public"));
    db_close(db);
}
#endif
