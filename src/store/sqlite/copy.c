/* copy.c - backup and restore of a SQLite database.
 *
 * Both copy one snapshot, through SQLite's backup interface, from a connection that reads and never checkpoints: a daemon
 * may write meanwhile (its WAL grows until the copy is done). The copy is made beside its place as NAME.PID.tmp, in one file
 * without WAL, checked (integrity_check, schema), synced, and then linked to its name, which must not be there: a copy is
 * whole or not there, and overwrites nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <unistd.h>

#include "store/sqlite/sqlite.h"

#define PATH_BYTES 4096

struct copying {
    const char *from, *to;
    char made[PATH_BYTES]; /* the copy until it has its name; "" = not there */
    struct db_why *why;
};

static enum keer_err failed(const struct copying *c, const char *path, const char *what)
{
    (void)snprintf(c->why->text, sizeof c->why->text, "%.200s: %.150s", path, what);
    return KEER_EIO;
}

/* A WAL or journal that was left behind would be taken for the new database's. */
static enum keer_err check_free(const struct copying *c)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", c->to, suffixes[i]);
        if (access(path, F_OK) == 0) {
            (void)failed(c, path, "is there already, and is not overwritten");
            return KEER_ECONFLICT;
        }
    }
    return KEER_OK;
}

/* The file, for its owner alone. */
static enum keer_err make(struct copying *c)
{
    char name[PATH_BYTES];
    int n = snprintf(name, sizeof name, "%s.%ld.tmp", c->to, (long)getpid());
    int fd = n > 0 && (size_t)n < sizeof name ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return failed(c, c->to, (size_t)n < sizeof name ? strerror(errno) : "the name is too long");
    (void)close(fd);
    memcpy(c->made, name, sizeof name);
    return KEER_OK;
}

/* 'ok' of integrity_check; anything else is a finding. */
static int check_whole(sqlite3 *conn, char *ret_finding, size_t room)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(conn, "PRAGMA integrity_check(1)", -1, &s, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        (void)snprintf(ret_finding, room, "%s", (const char *)sqlite3_column_text(s, 0));
        code = strcmp(ret_finding, "ok") == 0 ? SQLITE_OK : SQLITE_CORRUPT;
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* One file without a WAL, which only a new connection can make of it. */
static int settle(const char *path, char *ret_finding, size_t room)
{
    sqlite3 *conn = NULL;
    int code = sqlite3_open_v2(path, &conn, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = check_whole(conn, ret_finding, room);
    if (code != SQLITE_OK && !ret_finding[0])
        (void)snprintf(ret_finding, room, "%s", sqlite3_errmsg(conn));
    (void)sqlite3_close(conn);
    return code;
}

static enum keer_err copy_pages(const struct copying *c, struct db *source)
{
    char finding[200] = "";
    sqlite3 *conn = NULL;
    int code = sqlite3_open_v2(c->made, &conn, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_backup *b = NULL;
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn, "PRAGMA synchronous=OFF", NULL, NULL, NULL); /* it is synced at the end */
    if (code == SQLITE_OK && !(b = sqlite3_backup_init(conn, "main", ((struct lite *)(void *)source)->conn, "main")))
        code = sqlite3_errcode(conn);
    if (b) {
        (void)sqlite3_backup_step(b, -1); /* in one go: one snapshot; what goes wrong comes out of the end */
        code = sqlite3_backup_finish(b);
    }
    if (code != SQLITE_OK)
        (void)snprintf(finding, sizeof finding, "%s", sqlite3_errmsg(conn));
    (void)sqlite3_close(conn);
    if (code == SQLITE_OK)
        code = settle(c->made, finding, sizeof finding);
    return code == SQLITE_OK ? KEER_OK : failed(c, c->from, finding);
}

static enum keer_err number(struct db *db, const char *sql, int64_t *ret_number)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, sql, &s);
    if (err != KEER_OK)
        return err;
    enum db_step step = db_step(s);
    if (step == DB_ROW)
        *ret_number = db_i64(s, 0);
    db_free(s);
    return step == DB_ROW ? KEER_OK : KEER_EIO;
}

/* The copy is a database of keer, and not of a newer one. */
static enum keer_err check_schema(const struct copying *c, struct db_copied *ret)
{
    struct db *db = NULL;
    struct db_why ignored;
    enum keer_err err = db_open(c->made, DB_READ, &db, &ignored);
    if (err == KEER_OK)
        err = number(db, "SELECT COALESCE(MAX(version), 0) FROM keer_schema", &ret->version);
    if (err == KEER_OK)
        err = ret->version >= 1 && ret->version <= DB_SCHEMA_VERSION ? KEER_OK : KEER_EVERSION;
    if (err == KEER_OK)
        err = number(db, "SELECT COUNT(*) FROM journal", &ret->rows);
    db_close(db);
    if (err == KEER_EVERSION)
        (void)snprintf(c->why->text, sizeof c->why->text, "%.200s: has schema %lld and this keer knows %d", c->from,
                       (long long)ret->version, DB_SCHEMA_VERSION);
    else if (err != KEER_OK)
        (void)failed(c, c->from, "is no database of keer");
    return err;
}

static enum keer_err sync_path(const struct copying *c, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    enum keer_err err = good ? KEER_OK : failed(c, path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* The name appears with the whole file behind it, and only where there was none. */
static enum keer_err give_name(struct copying *c)
{
    char folder[PATH_BYTES];
    enum keer_err err = sync_path(c, c->made);
    if (err != KEER_OK)
        return err;
    if (link(c->made, c->to) != 0) {
        err = errno == EEXIST ? KEER_ECONFLICT : KEER_EIO;
        (void)failed(c, c->to, strerror(errno));
        return err;
    }
    (void)snprintf(folder, sizeof folder, "%s", c->to);
    return sync_path(c, dirname(folder));
}

enum keer_err lite_copy(const char *from, const char *to, enum db_copy_kind kind, struct db_copied *ret_copied,
                        struct db_why *why)
{
    struct copying c = {.from = from, .to = to, .why = why};
    struct db_copied copied = {0};
    struct db *source = NULL;
    int lock_fd = -1;
    enum keer_err err = kind == DB_RESTORE ? lite_lock(to, &lock_fd, why) : KEER_OK; /* no daemon makes it meanwhile */
    if (err == KEER_OK)
        err = check_free(&c);
    if (err == KEER_OK)
        err = db_open(from, DB_READ, &source, why);
    if (err == KEER_OK)
        err = make(&c);
    if (err == KEER_OK)
        err = copy_pages(&c, source);
    if (err == KEER_OK)
        err = check_schema(&c, &copied);
    if (err == KEER_OK)
        err = give_name(&c);
    if (c.made[0])
        (void)unlink(c.made);
    db_close(source);
    if (lock_fd >= 0)
        (void)close(lock_fd);
    if (err == KEER_OK)
        *ret_copied = copied;
    return err;
}
