/* checkpoint_test.c - SQLite's checkpoints in pieces: the WAL stays small, nothing is lost, readers see what they saw, and a
 * sync that fails ends it without harm. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "store/db.h"
#include "store/sqlite/checkpoint.h"

#define FRAME (8192 + 24)
#define ROWS 6000

static struct scratch scratch;
static struct db_why why;
static atomic_bool sync_fails;                /* the thread's */
static atomic_uint syncs_of, writer_syncs_of; /* the thread's, and all others' */

/* In SQLite's place: its calls come here. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    char name[16] = "";
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    bool behind = strcmp(name, "keer-sync") == 0;
    (void)atomic_fetch_add(behind ? &syncs_of : &writer_syncs_of, 1);
    if (behind && atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static const char *where(void) { return scratch_path(&scratch, "c.db"); }

static void setup(void)
{
    scratch_make(&scratch);
    atomic_store(&sync_fails, false);
    atomic_store(&syncs_of, 0);
    atomic_store(&writer_syncs_of, 0);
}
static void teardown(void) { scratch_remove(&scratch); }

static struct db *open_db(enum db_access access)
{
    struct db *db = NULL;
    enum keer_err err = db_open(where(), access, &db, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    return db;
}

static struct db *fresh(void)
{
    struct db *db = open_db(DB_WRITE);
    ck_ok(db_exec(db, "CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"));
    return db;
}

/* A commit of about one page for each row; what db_tidy says of it. */
static enum keer_err add(struct db *db, int n, int rows)
{
    char sql[200];
    ck_ok(db_begin(db));
    for (int i = 0; i < rows; i++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, zeroblob(6000))", n + i);
        ck_ok(db_exec(db, sql));
    }
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    return db_tidy(db);
}

static int64_t wal_bytes(void)
{
    struct stat st;
    return stat(scratch_path(&scratch, "c.db-wal"), &st) == 0 ? (int64_t)st.st_size : 0;
}

static int64_t count(struct db *db)
{
    int64_t n = -1;
    ck_ok(db_number(db, "SELECT COUNT(*) FROM t", &n));
    return n;
}

static void check_whole(int64_t rows)
{
    struct db *db = open_db(DB_WRITE);
    ck_assert_int_eq(count(db), rows);
    int64_t damaged = -1;
    ck_ok(db_number(db, "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'", &damaged));
    ck_assert_int_eq(damaged, 0);
    db_close(db);
}

START_TEST(the_wal_begins_anew)
{
    struct db *db = fresh();
    int64_t most = 0;
    for (int n = 0; n < ROWS; n += 4) {
        ck_ok(add(db, n, 4));
        most = MAX_OF(most, wal_bytes());
    }
    /* Each row is a page, and the commits of a sync that is under way come on top. */
    ck_assert_int_gt(most, (int64_t)CHECKPOINT_FULL * FRAME * 9 / 10);
    ck_assert_int_lt(most, (int64_t)CHECKPOINT_FULL * FRAME * 2);
    ck_assert_uint_gt(atomic_load(&syncs_of), 0);
    db_close(db);
    ck_assert_int_eq(wal_bytes(), 0); /* the close copied the rest */
    check_whole(ROWS);
}
END_TEST

START_TEST(the_writer_syncs_its_commits_and_little_else)
{
    struct db *db = fresh();
    atomic_store(&writer_syncs_of, 0);
    unsigned commits = 0;
    for (int n = 0; n < ROWS; n += 4, commits++)
        ck_ok(add(db, n, 4));
    ck_assert_uint_ge(atomic_load(&writer_syncs_of), commits);
    /* A checkpoint syncs the WAL once more, when it begins anew its head, and the database. */
    unsigned pieces = ROWS / CHECKPOINT_PIECE, rounds = ROWS / CHECKPOINT_FULL + 1;
    ck_assert_uint_lt(atomic_load(&writer_syncs_of), commits + 2 * pieces + 4 * rounds);
    db_close(db);
}
END_TEST

START_TEST(a_reader_sees_what_it_saw)
{
    struct db *db = fresh();
    ck_ok(add(db, 0, 10));
    struct db *reader = open_db(DB_READ);
    ck_ok(db_begin(reader));
    ck_assert_int_eq(count(reader), 10);
    int n = 10;
    for (; n < ROWS; n += 10)
        ck_ok(add(db, n, 10));
    ck_assert_int_eq(count(reader), 10);
    int64_t held = wal_bytes();
    ck_assert_int_gt(held, (int64_t)(ROWS - 10) * FRAME); /* nothing of it may be written over */
    db_rollback(reader);
    ck_assert_int_eq(count(reader), n);
    for (; n < 2 * ROWS; n += 10)
        ck_ok(add(db, n, 10));
    ck_assert_int_lt(wal_bytes(), held + (int64_t)CHECKPOINT_FULL * FRAME); /* and now it is */
    ck_assert_int_eq(count(reader), n);
    db_close(reader);
    db_close(db);
    check_whole(n);
}
END_TEST

START_TEST(a_sync_that_fails_ends_it_and_nothing_is_lost)
{
    struct db *db = fresh();
    int n = 0;
    enum keer_err err = KEER_OK;
    atomic_store(&sync_fails, true);
    for (; err == KEER_OK && n < ROWS; n += 4)
        err = add(db, n, 4);
    ck_assert_int_eq(err, KEER_EIO);
    ck_assert_ptr_nonnull(strstr(db_why(db), "checkpoint"));
    ck_assert_int_eq(db_tidy(db), KEER_EIO); /* for good */
    db_close(db);
    ck_assert_int_gt(wal_bytes(), 0); /* what may not be in the database is still in the WAL */
    atomic_store(&sync_fails, false);
    check_whole(n);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *t = tcase_create("checkpoint");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_wal_begins_anew);
    tcase_add_test(t, the_writer_syncs_its_commits_and_little_else);
    tcase_add_test(t, a_reader_sees_what_it_saw);
    tcase_add_test(t, a_sync_that_fails_ends_it_and_nothing_is_lost);
    suite_add_tcase(s, t);
    return test_main(s);
}
