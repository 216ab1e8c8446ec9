/* migrate.c - brings the schema up to date. */
#include "base/buf.h"
#include "store/driver.h"

static const struct migration {
    unsigned version;
    const char *what, *sql;
} migrations[] = {
#define DB_MIGRATION(version, what, sql) {version, what, sql},
#include "store/migrations.def"
#undef DB_MIGRATION
};
static_assert(ARRAY_LEN(migrations) == DB_SCHEMA_VERSION, "db.h knows the newest version");

#define SQL_BYTES 65536

/* What a driver says for a word in braces. */
static const char *word_of(const struct db_driver *d, struct slice word)
{
    if (slice_eq(word, SLICE("number")))
        return d->number;
    if (slice_eq(word, SLICE("bytes")))
        return d->bytes;
    ASSERT(slice_eq(word, SLICE("clustered")));
    return d->clustered ? d->clustered : "";
}

/* Runs the statements of a row, one by one, with the driver's types put in. */
static enum keer_err run(struct db *db, const char *text)
{
    struct slice rest = slice_str(text);
    struct buf sql;
    enum keer_err err = KEER_OK;
    buf_init(&sql, SQL_BYTES);
    while (err == KEER_OK && rest.p) {
        struct slice one = slice_cut(&rest, ';');
        buf_clear(&sql);
        while (one.p) {
            struct slice before = slice_cut(&one, '{');
            buf_slice(&sql, before);
            if (one.p) {
                struct slice word = slice_cut(&one, '}');
                buf_puts(&sql, word_of(db->driver, word));
            }
        }
        err = sql.err != KEER_OK ? sql.err : db_exec(db, sql.p);
    }
    buf_release(&sql);
    return err;
}

/* The schema's version; 0 when there is none. */
static enum keer_err version_of(struct db *db, int64_t *ret_version)
{
    return db_number(db, "SELECT COALESCE(MAX(version), 0) FROM keer_schema", ret_version);
}

static enum keer_err step_up(struct db *db, const struct migration *m, int64_t now_us)
{
    struct db_stmt *s = NULL;
    enum keer_err err = db_begin(db);
    if (err != KEER_OK)
        return err;
    err = run(db, m->sql);
    if (err == KEER_OK)
        err = db_prepare(db, "INSERT INTO keer_schema (version, what, applied_us) VALUES ($1, $2, $3)", &s);
    if (err == KEER_OK) {
        db_bind_i64(s, 1, m->version);
        db_bind_text(s, 2, slice_str(m->what));
        db_bind_i64(s, 3, now_us);
        err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    }
    db_free(s);
    if (err == KEER_OK && db_commit(db) != DB_COMMITTED)
        err = KEER_EIO;
    db_rollback(db);
    return err;
}

enum keer_err db_check(struct db *db, struct db_why *ret_why)
{
    int64_t version = 0;
    enum keer_err err = version_of(db, &version);
    if (err == KEER_OK && version > DB_SCHEMA_VERSION) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "the database has schema %lld and this keer knows %d",
                       (long long)version, DB_SCHEMA_VERSION);
        return KEER_EVERSION;
    }
    if (err != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "schema: %s", db_why(db));
    return err;
}

enum keer_err db_migrate(struct db *db, int64_t now_us, struct db_why *ret_why)
{
    int64_t version = 0;
    enum keer_err err = KEER_OK;
    if (db->access == DB_WRITE)
        err = run(db, "CREATE TABLE IF NOT EXISTS keer_schema (version {number} PRIMARY KEY, what TEXT NOT NULL,"
                      " applied_us BIGINT NOT NULL)");
    if (err == KEER_OK)
        err = version_of(db, &version);
    if (err == KEER_OK && (version > DB_SCHEMA_VERSION || (version < DB_SCHEMA_VERSION && db->access == DB_READ))) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "the database has schema %lld and this keer knows %d: %s",
                       (long long)version, DB_SCHEMA_VERSION,
                       version > DB_SCHEMA_VERSION ? "use the keer that wrote it, or a newer one"
                                                   : "start `keer serve` once");
        return KEER_EVERSION;
    }
    for (size_t i = (size_t)version; err == KEER_OK && i < ARRAY_LEN(migrations); i++)
        err = step_up(db, &migrations[i], now_us);
    if (err != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "schema: %s", db_why(db));
    return err;
}
