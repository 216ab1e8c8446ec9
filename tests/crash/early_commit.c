/* early_commit.c - the control of the crash rig: a daemon whose commits say 'done' and are done a fifth of a second later,
 * but for those of the main thread: what the start writes is read again on other connections.
 * Linked over db_begin and db_commit with --wrap into a program of its own (build/VARIANT/tests/keer-early); keer has no
 * such switch. */
#include <time.h>
#include <unistd.h>

#include "store/db.h"

enum keer_err __real_db_begin(struct db *db);
enum db_outcome __real_db_commit(struct db *db);
void __real_db_rollback(struct db *db);
enum keer_err __wrap_db_begin(struct db *db);
enum db_outcome __wrap_db_commit(struct db *db);
void __wrap_db_rollback(struct db *db);

static bool open_still;
static int64_t begun_us;

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

enum keer_err __wrap_db_begin(struct db *db)
{
    if (open_still)
        return KEER_OK;
    begun_us = now_us();
    return __real_db_begin(db);
}

enum db_outcome __wrap_db_commit(struct db *db)
{
    open_still = gettid() != getpid() && now_us() - begun_us < 200000;
    return open_still ? DB_COMMITTED : __real_db_commit(db);
}

void __wrap_db_rollback(struct db *db)
{
    if (!open_still)
        __real_db_rollback(db);
}
