/* database.c - the calls of db.h, which fail on demand: linked with --wrap. Once the process is dead, all of them do. */
#include "sim/sim.h"

enum keer_err __real_db_begin(struct db *db);
enum db_step __real_db_step(struct db_stmt *s);
enum db_step __real_db_put(struct db_stmt *s);
enum db_outcome __real_db_commit(struct db *db);
enum keer_err __wrap_db_begin(struct db *db);
enum db_step __wrap_db_step(struct db_stmt *s);
enum db_step __wrap_db_put(struct db_stmt *s);
enum db_outcome __wrap_db_commit(struct db *db);

static uint64_t calls, fail_at;
static bool commit_lands;

void database_fail(uint64_t n, bool lands)
{
    calls = 0;
    fail_at = n;
    commit_lands = lands;
}
bool database_failed(void) { return fail_at && calls >= fail_at; }
static bool fails(void)
{
    calls++;
    return sim.dead || (fail_at && calls == fail_at);
}

enum keer_err __wrap_db_begin(struct db *db) { return fails() ? KEER_EIO : __real_db_begin(db); }
enum db_step __wrap_db_step(struct db_stmt *s) { return fails() ? DB_FAILED : __real_db_step(s); }
enum db_step __wrap_db_put(struct db_stmt *s) { return fails() ? DB_FAILED : __real_db_put(s); }
enum db_outcome __wrap_db_commit(struct db *db)
{
    if (!fails()) {
        enum db_outcome outcome = __real_db_commit(db);
        if (outcome == DB_COMMITTED)
            sim.commits++;
        return outcome;
    }
    if (!sim.dead && commit_lands)
        (void)__real_db_commit(db);
    return DB_UNKNOWN;
}
