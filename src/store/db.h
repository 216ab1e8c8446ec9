/* db.h - one small SQL interface, behind which a driver stands (sqlite/; PostgreSQL will fit here).
 *
 * Invariants
 * 1. SQL is written once, in what SQLite and PostgreSQL share: $1 parameters, ON CONFLICT, RETURNING. Types that differ are
 *    words in braces in migrations: {number} a 64-bit key, {bytes} a byte string; integers are BIGINT, texts TEXT.
 * 2. One connection writes (DB_WRITE); it alone checkpoints, and holds a lock that keeps a second writing process out. Any
 * number of DB_READ connections see committed snapshots. A connection belongs to one thread at a time.
 * 3. A commit has three ends. DB_UNKNOWN is not success and is not failure: the rows may be there or not (a sync that
 * failed). Nobody is told 'yes' for it; the program stops or reopens, and looks up by key.
 * 4. Statements are prepared once and used again; texts and bytes that are bound are borrowed until db_reset, columns until
 * the next db_step or db_reset.
 * 5. The driver's own words about a failure are in db_why; library code does not log.
 */
#ifndef STORE_DB_H
#define STORE_DB_H
#include "base/str.h"

enum db_access { DB_READ, DB_WRITE };
enum db_step { DB_ROW, DB_END, DB_CONFLICT /* a unique key is taken */, DB_FAILED };
enum db_outcome { DB_COMMITTED, DB_NOT_COMMITTED, DB_UNKNOWN };

struct db;
struct db_stmt;
struct db_why {
    char text[400];
};

/* Opens a database, and creates it with DB_WRITE. `where` is a path of SQLite. KEER_EIO; KEER_ECONFLICT when another
 * process writes there; KEER_EMISSING for DB_READ of what is not there; KEER_EUNSUPPORTED for a kind of database that this
 * build does not know; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why);
void db_close(struct db *db); /* rolls back what is open; NULL is fine */
const char *db_why(const struct db *db);

/* One statement without parameters and rows. */
KEER_NODISCARD enum keer_err db_exec(struct db *db, const char *sql);
KEER_NODISCARD enum keer_err db_begin(struct db *db);
KEER_NODISCARD enum db_outcome db_commit(struct db *db);
void db_rollback(struct db *db);

/* The statement belongs to the connection's user and is freed before the connection is closed. */
KEER_NODISCARD enum keer_err db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt);
void db_free(struct db_stmt *s);
/* Parameters count from 1. Errors of binding stick and come out of db_step. */
void db_bind_i64(struct db_stmt *s, unsigned parameter, int64_t v);
void db_bind_text(struct db_stmt *s, unsigned parameter, struct slice v);
void db_bind_bytes(struct db_stmt *s, unsigned parameter, struct slice v);
enum db_step db_step(struct db_stmt *s);
void db_reset(struct db_stmt *s); /* after the last step; forgets the parameters */
/* Columns count from 0; NULL is 0 or an empty slice. */
int64_t db_i64(struct db_stmt *s, unsigned column);
struct slice db_bytes(struct db_stmt *s, unsigned column);

/* --- migrations -------------------------------------------------------------------------------------------------- */

#define DB_SCHEMA_VERSION 4 /* rows of migrations.def */
/* Whether this program could use the database: its schema is not newer. Nothing is changed. KEER_EVERSION, KEER_EIO. */
KEER_NODISCARD enum keer_err db_check(struct db *db, struct db_why *ret_why);
/* Brings the schema up to date, each step in its transaction. KEER_EVERSION when the database is newer than this program,
 * and nothing is touched then; with DB_READ also when it is older. */
KEER_NODISCARD enum keer_err db_migrate(struct db *db, int64_t now_us, struct db_why *ret_why);
#endif
