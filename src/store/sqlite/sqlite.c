/* sqlite.c - SQLite behind db.h.
 *
 * WAL with synchronous=FULL: at NORMAL a power cut loses what was acknowledged. The writing connection alone checkpoints
 * (readers have autocheckpoint off and do not checkpoint when they close), and a second writing process is kept out by a
 * lock on a file of its own: SQLite before 3.51.3 may corrupt a database that two connections write and checkpoint at the
 * same instant, and Debian 12 has 3.40.1. The lock file is not the database, whose descriptors nobody but SQLite may open
 * and close.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/sqlite/sqlite.h"

#define BUSY_MS 5000

struct lite_stmt {
    struct db_stmt base;
    sqlite3_stmt *stmt;
    int index[DB_PARAMETERS_MAX + 1]; /* SQLite's number of $1, $2, ...; 0 = not in the statement */
    int error;                        /* of binding; SQLITE_OK */
};

static struct lite *lite_of(struct db *db) { return (struct lite *)(void *)db; }
static struct lite_stmt *stmt_of(struct db_stmt *s) { return (struct lite_stmt *)(void *)s; }

static enum keer_err failed(struct lite *l, int code)
{
    (void)snprintf(l->base.why.text, sizeof l->base.why.text, "%s (SQLite %d)", sqlite3_errmsg(l->conn),
                   sqlite3_extended_errcode(l->conn));
    return (code & 0xFF) == SQLITE_NOMEM ? KEER_ENOMEM : KEER_EIO;
}

static enum keer_err lite_exec(struct db *db, const char *sql)
{
    struct lite *l = lite_of(db);
    int code = sqlite3_exec(l->conn, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? KEER_OK : failed(l, code);
}

enum keer_err lite_lock(const char *path, int *ret_fd, struct db_why *why)
{
    struct buf name;
    int fd = -1;
    enum keer_err err = KEER_OK;
    buf_init(&name, 8192);
    buf_fmt(&name, "%s.lock", path);
    if (name.err != KEER_OK) {
        err = name.err;
        (void)snprintf(why->text, sizeof why->text, "%s", keer_err_text(err));
    } else if ((fd = open(name.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0) {
        err = KEER_EIO;
        (void)snprintf(why->text, sizeof why->text, "%s: %s", name.p, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? KEER_ECONFLICT : KEER_EIO;
        (void)snprintf(why->text, sizeof why->text, "%s: %s", path,
                       err == KEER_ECONFLICT ? "another keer writes there: stop it first" : strerror(errno));
    }
    if (err == KEER_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    buf_release(&name);
    return err;
}

/* SQLite counts the memory that it uses under a lock that all connections share, and nobody asks for the count. Only before
 * anything else is done with it; where another part of the process was first, it counts on. */
static void count_no_memory(void) { (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static int prepare_transaction(struct lite *l)
{
    const char *begin = l->base.access == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN";
    int code = sqlite3_prepare_v3(l->conn, begin, -1, SQLITE_PREPARE_PERSISTENT, &l->begin, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v3(l->conn, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &l->commit, NULL);
    return code;
}

/* Pages are those of a new database: 8 KiB are half as many writes as 4. */
static enum keer_err settings(struct lite *l, const char *where)
{
    static const char *const writer[] = {
        "PRAGMA page_size=8192",  "PRAGMA journal_mode=WAL",  "PRAGMA synchronous=FULL",  "PRAGMA mmap_size=0",
        "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-16384", NULL};
    static const char *const reader[] = {
        "PRAGMA query_only=ON",        "PRAGMA temp_store=MEMORY",           "PRAGMA mmap_size=0",
        "PRAGMA wal_autocheckpoint=0", "SELECT COUNT(*) FROM sqlite_master", NULL};
    int code = sqlite3_busy_timeout(l->conn, BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_extended_result_codes(l->conn, 1);
    if (code == SQLITE_OK && l->base.access == DB_READ)
        code = sqlite3_db_config(l->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code != SQLITE_OK)
        return failed(l, code);
    enum keer_err err = KEER_OK;
    for (const char *const *p = l->base.access == DB_WRITE ? writer : reader; err == KEER_OK && *p; p++)
        err = lite_exec(&l->base, *p);
    if (err == KEER_OK && (code = prepare_transaction(l)) != SQLITE_OK)
        err = failed(l, code);
    if (err == KEER_OK && l->base.access == DB_WRITE &&
        (code = checkpoint_begin(&l->checkpoint, l->conn, where)) != SQLITE_OK)
        err = failed(l, code);
    return err;
}

static void lite_close(struct db *db)
{
    struct lite *l = lite_of(db);
    checkpoint_end(&l->checkpoint);
    (void)sqlite3_finalize(l->begin);
    (void)sqlite3_finalize(l->commit);
    int code = sqlite3_close(l->conn);
    ASSERT(code == SQLITE_OK); /* every statement was freed before */
    if (l->lock_fd >= 0)
        (void)close(l->lock_fd);
    free(l);
}

/* The file is there as long as its descriptor is. */
static bool lite_alive(struct db *db) { return db != NULL; }

static bool is_missing(const char *path) { return access(path, F_OK) != 0; }

/* A new database is its owner's alone: it holds secrets. Before SQLite has a descriptor of it; what fails here, fails there.
 */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
}

static enum keer_err lite_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, count_no_memory);
    struct lite *l = calloc(1, sizeof *l);
    if (!l) {
        (void)snprintf(why->text, sizeof why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    l->base = (struct db){.driver = &db_sqlite, .access = access};
    l->lock_fd = -1;
    enum keer_err err = KEER_OK;
    if (access == DB_WRITE)
        err = lite_lock(where, &l->lock_fd, why);
    else if (is_missing(where))
        err = KEER_EMISSING;
    if (err == KEER_EMISSING)
        (void)snprintf(why->text, sizeof why->text, "%s: there is no such database", where);
    if (err != KEER_OK)
        goto out;
    if (access == DB_WRITE)
        make_private(where);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (access == DB_WRITE ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(where, &l->conn, flags, NULL);
    err = code == SQLITE_OK ? settings(l, where) : l->conn ? failed(l, code) : KEER_ENOMEM;
    if (err != KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "%s: %.300s", where,
                       l->base.why.text[0] ? l->base.why.text : keer_err_text(err));
out:
    if (err != KEER_OK) {
        lite_close(&l->base);
        return err;
    }
    *ret_db = &l->base;
    return KEER_OK;
}

static enum keer_err lite_begin(struct db *db)
{
    struct lite *l = lite_of(db);
    int code = sqlite3_step(l->begin);
    enum keer_err err = code == SQLITE_DONE ? KEER_OK : failed(l, code);
    (void)sqlite3_reset(l->begin); /* repeats the error */
    return err;
}

/* Whatever else COMMIT answers but 'busy', the rows may be on disk: a sync that failed says nothing about what was written.
 */
static enum db_outcome lite_commit(struct db *db)
{
    struct lite *l = lite_of(db);
    int code = sqlite3_step(l->commit);
    if (code != SQLITE_DONE)
        (void)failed(l, code);
    (void)sqlite3_reset(l->commit);
    return code == SQLITE_DONE ? DB_COMMITTED : (code & 0xFF) == SQLITE_BUSY ? DB_NOT_COMMITTED : DB_UNKNOWN;
}

static enum keer_err lite_tidy(struct db *db)
{
    struct lite *l = lite_of(db);
    int code = checkpoint_step(&l->checkpoint);
    if (code == SQLITE_OK)
        return KEER_OK;
    (void)snprintf(l->base.why.text, sizeof l->base.why.text, "a checkpoint: %s (SQLite %d)", sqlite3_errstr(code), code);
    return (code & 0xFF) == SQLITE_NOMEM ? KEER_ENOMEM : KEER_EIO;
}

/* It may have been rolled back already, by the error that led here. */
static void lite_rollback(struct db *db)
{
    struct lite *l = lite_of(db);
    if (!sqlite3_get_autocommit(l->conn))
        (void)sqlite3_exec(l->conn, "ROLLBACK", NULL, NULL, NULL);
}

static enum keer_err lite_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt)
{
    struct lite *l = lite_of(db);
    struct lite_stmt *s = calloc(1, sizeof *s);
    if (!s)
        return KEER_ENOMEM;
    s->base.db = db;
    int code = sqlite3_prepare_v3(l->conn, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
    if (code != SQLITE_OK) {
        free(s);
        return failed(l, code);
    }
    int count = sqlite3_bind_parameter_count(s->stmt);
    ASSERT(count <= DB_PARAMETERS_MAX);
    for (int i = 1; i <= count; i++) { /* $1, $2, ... without gaps, in any order */
        char name[8];
        (void)snprintf(name, sizeof name, "$%d", i);
        s->index[i] = sqlite3_bind_parameter_index(s->stmt, name);
    }
    *ret_stmt = &s->base;
    return KEER_OK;
}

static void lite_free(struct db_stmt *base)
{
    struct lite_stmt *s = stmt_of(base);
    (void)sqlite3_finalize(s->stmt);
    free(s);
}

static void bound(struct lite_stmt *s, int code)
{
    if (code != SQLITE_OK && s->error == SQLITE_OK)
        s->error = code;
}

static int index_of(const struct lite_stmt *s, unsigned parameter)
{
    ASSERT(parameter >= 1 && parameter <= DB_PARAMETERS_MAX && s->index[parameter]);
    return s->index[parameter];
}

static void lite_bind_i64(struct db_stmt *base, unsigned parameter, int64_t v)
{
    struct lite_stmt *s = stmt_of(base);
    bound(s, sqlite3_bind_int64(s->stmt, index_of(s, parameter), v));
}

static void lite_bind_text(struct db_stmt *base, unsigned parameter, struct slice v)
{
    struct lite_stmt *s = stmt_of(base);
    bound(s, sqlite3_bind_text64(s->stmt, index_of(s, parameter), v.p ? v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8));
}

static void lite_bind_bytes(struct db_stmt *base, unsigned parameter, struct slice v)
{
    struct lite_stmt *s = stmt_of(base);
    bound(s, sqlite3_bind_blob64(s->stmt, index_of(s, parameter), v.p ? v.p : "", v.len, SQLITE_STATIC));
}

static enum db_step lite_step(struct db_stmt *base)
{
    struct lite_stmt *s = stmt_of(base);
    int code = s->error != SQLITE_OK ? s->error : sqlite3_step(s->stmt);
    if (code == SQLITE_ROW)
        return DB_ROW;
    if (code == SQLITE_DONE)
        return DB_END;
    (void)failed(lite_of(base->db), code);
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? DB_CONFLICT : DB_FAILED;
}

static void lite_reset(struct db_stmt *base)
{
    struct lite_stmt *s = stmt_of(base);
    (void)sqlite3_reset(s->stmt); /* repeats the error of the last step, which was told */
    (void)sqlite3_clear_bindings(s->stmt);
    s->error = SQLITE_OK;
}

static int64_t lite_i64(struct db_stmt *base, unsigned column)
{
    return sqlite3_column_int64(stmt_of(base)->stmt, (int)column);
}

static struct slice lite_column(struct db_stmt *base, unsigned column)
{
    struct lite_stmt *s = stmt_of(base);
    const char *p = sqlite3_column_blob(s->stmt, (int)column);
    return slice_of(p, p ? (size_t)sqlite3_column_bytes(s->stmt, (int)column) : 0);
}

const struct db_driver db_sqlite = {.name = "sqlite",
                                    .number = "INTEGER",
                                    .bytes = "BLOB",
                                    .clustered = "WITHOUT ROWID",
                                    .open = lite_open,
                                    .close = lite_close,
                                    .copy = lite_copy,
                                    .alive = lite_alive,
                                    .exec = lite_exec,
                                    .begin = lite_begin,
                                    .commit = lite_commit,
                                    .rollback = lite_rollback,
                                    .tidy = lite_tidy,
                                    .prepare = lite_prepare,
                                    .free = lite_free,
                                    .bind_i64 = lite_bind_i64,
                                    .bind_text = lite_bind_text,
                                    .bind_bytes = lite_bind_bytes,
                                    .step = lite_step,
                                    .put = lite_step,
                                    .reset = lite_reset,
                                    .i64 = lite_i64,
                                    .column = lite_column};
