/* db_fail.c - a database that fails on demand. */
#include "lib/db_fail.h"

#include <stdatomic.h>

#include "store/db.h"

enum keer_err __real_db_begin(struct db *db);
enum db_step __real_db_step(struct db_stmt *s);
enum db_step __real_db_put(struct db_stmt *s);
enum db_outcome __real_db_commit(struct db *db);
enum keer_err __wrap_db_begin(struct db *db);
enum db_step __wrap_db_step(struct db_stmt *s);
enum db_step __wrap_db_put(struct db_stmt *s);
enum db_outcome __wrap_db_commit(struct db *db);

static atomic_uint_fast64_t calls, fail_at;
static atomic_bool commit_lands;

void db_fail_arm(uint64_t n, bool lands)
{
    atomic_store(&calls, 0);
    atomic_store(&commit_lands, lands);
    atomic_store(&fail_at, n);
}

bool db_fail_hit(void) { return atomic_load(&fail_at) && atomic_load(&calls) >= atomic_load(&fail_at); }
static bool fails(void) { return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at); }

enum keer_err __wrap_db_begin(struct db *db) { return fails() ? KEER_EIO : __real_db_begin(db); }
enum db_step __wrap_db_step(struct db_stmt *s) { return fails() ? DB_FAILED : __real_db_step(s); }
enum db_step __wrap_db_put(struct db_stmt *s) { return fails() ? DB_FAILED : __real_db_put(s); }
enum db_outcome __wrap_db_commit(struct db *db)
{
    if (!fails())
        return __real_db_commit(db);
    if (atomic_load(&commit_lands) && __real_db_commit(db) != DB_COMMITTED)
        abort();
    return DB_UNKNOWN;
}
