/* db.c - picks the driver, and keeps the rules that all drivers share. */
#include "store/driver.h"

enum keer_err db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why)
{
    if (strncmp(where, "postgres://", 11) == 0 || strncmp(where, "postgresql://", 13) == 0) {
        (void)snprintf(ret_why->text, sizeof ret_why->text,
                       "PostgreSQL is not built in yet: give the path of a SQLite file");
        return KEER_EUNSUPPORTED;
    }
    return db_sqlite.open(where, access, ret_db, ret_why);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    db->driver->close(db);
}

const char *db_why(const struct db *db) { return db->why.text; }
enum keer_err db_exec(struct db *db, const char *sql) { return db->driver->exec(db, sql); }

enum keer_err db_begin(struct db *db)
{
    ASSERT(!db->in_transaction);
    enum keer_err err = db->driver->begin(db);
    db->in_transaction = err == KEER_OK;
    return err;
}

enum db_outcome db_commit(struct db *db)
{
    ASSERT(db->in_transaction);
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

enum keer_err db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt)
{
    return db->driver->prepare(db, sql, ret_stmt);
}

void db_free(struct db_stmt *s)
{
    if (s)
        s->db->driver->free(s);
}

void db_bind_i64(struct db_stmt *s, unsigned parameter, int64_t v) { s->db->driver->bind_i64(s, parameter, v); }
void db_bind_text(struct db_stmt *s, unsigned parameter, struct slice v) { s->db->driver->bind_text(s, parameter, v); }
void db_bind_bytes(struct db_stmt *s, unsigned parameter, struct slice v) { s->db->driver->bind_bytes(s, parameter, v); }
enum db_step db_step(struct db_stmt *s) { return s->db->driver->step(s); }
void db_reset(struct db_stmt *s) { s->db->driver->reset(s); }
int64_t db_i64(struct db_stmt *s, unsigned column) { return s->db->driver->i64(s, column); }
struct slice db_bytes(struct db_stmt *s, unsigned column) { return s->db->driver->column(s, column); }
