/* db.c - picks the driver, and keeps the rules that all drivers share. */
#include "store/driver.h"

#define POSTGRES "postgres://"
#define POSTGRESQL "postgresql://"

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }
static bool is_address(const char *where) { return begins(where, POSTGRES) || begins(where, POSTGRESQL); }
bool db_is_file(const char *where) { return !is_address(where); }

enum keer_err db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why)
{
    return (is_address(where) ? &db_postgres : &db_sqlite)->open(where, access, ret_db, ret_why);
}

enum keer_err db_copy(const char *from, const char *to, enum db_copy_kind kind, struct db_copied *ret_copied,
                      struct db_why *ret_why)
{
    bool postgres = is_address(from) || is_address(to);
    return (postgres ? &db_postgres : &db_sqlite)->copy(from, to, kind, ret_copied, ret_why);
}

/* By the text alone, since it must hold for addresses that can't be parsed: from the first ':' behind the scheme to the last
 * '@' may be a password, and so may everything behind a '?'. */
const char *db_label(const char *where, struct db_label *ret_label)
{
    struct slice rest = slice_str(where), scheme = slice_of(where, 0), user = scheme;
    if (is_address(where)) {
        scheme.len = begins(where, POSTGRES) ? sizeof POSTGRES - 1 : sizeof POSTGRESQL - 1;
        rest = slice_of(where + scheme.len, rest.len - scheme.len);
        const char *at = memrchr(rest.p, '@', rest.len);
        if (at) {
            struct slice before = slice_of(rest.p, (size_t)(at - rest.p));
            user = slice_cut(&before, ':');
            user = slice_cut(&user, '?');
            rest = slice_of(at, rest.len - (size_t)(at - rest.p));
        }
        rest = slice_cut(&rest, '?');
    }
    (void)snprintf(ret_label->text, sizeof ret_label->text, "%.*s%.*s%.*s", SLICE_ARG(scheme), SLICE_ARG(user),
                   SLICE_ARG(rest));
    return ret_label->text;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    db->driver->close(db);
}

const char *db_why(const struct db *db) { return db->why.text; }
bool db_alive(struct db *db) { return db->driver->alive(db); }

/* PostgreSQL aborts a transaction with any statement that fails; SQLite is made to do the same. */
static enum keer_err kept(struct db *db, enum keer_err err)
{
    if (err != KEER_OK && db->in_transaction)
        db->spoiled = true;
    return err;
}

enum keer_err db_exec(struct db *db, const char *sql) { return kept(db, db->driver->exec(db, sql)); }

enum keer_err db_begin(struct db *db)
{
    ASSERT(!db->in_transaction);
    enum keer_err err = db->driver->begin(db);
    db->in_transaction = err == KEER_OK;
    db->spoiled = false;
    return err;
}

enum db_outcome db_commit(struct db *db)
{
    ASSERT(db->in_transaction);
    if (db->spoiled) {
        db_rollback(db);
        return DB_NOT_COMMITTED;
    }
    enum db_outcome outcome = db->driver->commit(db);
    db->in_transaction = outcome != DB_COMMITTED;
    return outcome;
}

void db_rollback(struct db *db)
{
    if (db->in_transaction)
        db->driver->rollback(db);
    db->in_transaction = false;
}

enum keer_err db_tidy(struct db *db) { return db->driver->tidy && !db->in_transaction ? db->driver->tidy(db) : KEER_OK; }

enum keer_err db_mark(struct db *db)
{
    ASSERT(db->in_transaction);
    return db_exec(db, "SAVEPOINT keer");
}

enum keer_err db_keep(struct db *db) { return db->spoiled ? KEER_EIO : db_exec(db, "RELEASE SAVEPOINT keer"); }

enum keer_err db_back(struct db *db)
{
    struct db_why why = db->why; /* of what is taken back */
    enum keer_err err = db->driver->exec(db, "ROLLBACK TO SAVEPOINT keer");
    if (err != KEER_OK) /* what had been sent along without waiting fails first, and is told here */
        err = db->driver->exec(db, "ROLLBACK TO SAVEPOINT keer");
    if (err == KEER_OK)
        err = db->driver->exec(db, "RELEASE SAVEPOINT keer");
    db->spoiled = err != KEER_OK;
    if (why.text[0])
        db->why = why;
    return err;
}

enum keer_err db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt)
{
    return kept(db, db->driver->prepare(db, sql, ret_stmt));
}

void db_free(struct db_stmt *s)
{
    if (s)
        s->db->driver->free(s);
}

void db_bind_i64(struct db_stmt *s, unsigned parameter, int64_t v) { s->db->driver->bind_i64(s, parameter, v); }
void db_bind_text(struct db_stmt *s, unsigned parameter, struct slice v) { s->db->driver->bind_text(s, parameter, v); }
void db_bind_bytes(struct db_stmt *s, unsigned parameter, struct slice v) { s->db->driver->bind_bytes(s, parameter, v); }

static enum db_step judged(struct db *db, enum db_step step)
{
    if (db->in_transaction && (step == DB_CONFLICT || step == DB_FAILED))
        db->spoiled = true;
    return step;
}

enum db_step db_step(struct db_stmt *s) { return judged(s->db, s->db->driver->step(s)); }
enum db_step db_put(struct db_stmt *s) { return judged(s->db, s->db->driver->put(s)); }
void db_reset(struct db_stmt *s) { s->db->driver->reset(s); }
int64_t db_i64(struct db_stmt *s, unsigned column) { return s->db->driver->i64(s, column); }
struct slice db_bytes(struct db_stmt *s, unsigned column) { return s->db->driver->column(s, column); }

enum keer_err db_number(struct db *db, const char *sql, int64_t *ret_number)
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
