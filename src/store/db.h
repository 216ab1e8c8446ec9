/* db.h - one small SQL interface, behind which a driver stands (sqlite/, postgres/).
 *
 * Invariants
 * 1. SQL is written once, in what SQLite and PostgreSQL share: $1 parameters, ON CONFLICT, RETURNING. Types that differ are
 *    words in braces in migrations: {number} a 64-bit key, {bytes} a byte string; integers are BIGINT, texts TEXT;
 *    {clustered} behind a table lays its rows in the order of its primary key, where the database can do that. A
 *    parameter for an integer stands where BIGINT is expected, and a sum is written CAST(SUM(x) AS BIGINT).
 * 2. One connection writes (DB_WRITE); it alone checkpoints, and holds a lock that keeps a second writing process out. Any
 * number of DB_READ connections see committed snapshots. A connection belongs to one thread at a time.
 * 3. A commit has three ends. DB_UNKNOWN is not success and is not failure: the rows may be there or not (a sync that
 * failed, a connection that was lost). Nobody is told 'yes' for it; the program stops or reopens, and looks up by key.
 * DB_NOT_COMMITTED is certain. A connection that was lost is never made again behind the caller's back, and the writer's
 * lock ends with it: what holds no lock can't write.
 * 4. Statements are prepared once and used again; texts and bytes that are bound are borrowed until db_reset, columns until
 * the next db_step or db_reset. A driver may hold a whole result in memory: what may be long is read with a LIMIT.
 * 5. After DB_CONFLICT or DB_FAILED a transaction is spoiled: nothing of it can be committed, db_commit answers
 * DB_NOT_COMMITTED.
 * 6. No password comes into a message: a database is named by db_label.
 * 7. The driver's own words about a failure are in db_why; library code does not log.
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

/* Opens a database. `where` is a path of SQLite, which DB_WRITE creates, or the address of a PostgreSQL database,
 * postgres://[user@]host[:port]/name[?option=value], which must be there. KEER_EIO; KEER_ECONFLICT when another process
 * writes there; KEER_EMISSING for DB_READ of what is not there; KEER_EINVALID for an address that is none;
 * KEER_EUNSUPPORTED for a PostgreSQL that would not keep what it says it committed; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err db_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why);
/* Whether `where` is a path. */
bool db_is_file(const char *where);
void db_close(struct db *db); /* rolls back what is open; NULL is fine */
const char *db_why(const struct db *db);
/* Whether the connection, and with it the writer's lock, is still there as far as can be known without asking. */
bool db_alive(struct db *db);
/* `where` as it may be shown: an address without password and options. */
struct db_label {
    char text[200];
};
const char *db_label(const char *where, struct db_label *ret_label);

/* One statement without parameters and rows. */
KEER_NODISCARD enum keer_err db_exec(struct db *db, const char *sql);
KEER_NODISCARD enum keer_err db_begin(struct db *db);
KEER_NODISCARD enum db_outcome db_commit(struct db *db);
void db_rollback(struct db *db);
/* Of a writing connection, between two transactions (in one nothing happens), when nobody waits: what keeps the database
 * in order (SQLite's checkpoints, a piece each time). Who commits often calls it after each commit; without it the WAL grows
 * until the close. KEER_EIO when the disk failed: what is committed is safe, and nothing more can be. KEER_ENOMEM: later. */
KEER_NODISCARD enum keer_err db_tidy(struct db *db);
/* A part of a transaction that can be taken back alone (SQL's SAVEPOINT); one at a time. db_keep is KEER_EIO when something
 * in it failed; then, or for whatever reason the part is not wanted, db_back takes it back, and the transaction is as sound
 * as it was. When db_back is KEER_EIO the whole transaction is lost (a full disk, a connection that ended). */
KEER_NODISCARD enum keer_err db_mark(struct db *db);
KEER_NODISCARD enum keer_err db_keep(struct db *db);
KEER_NODISCARD enum keer_err db_back(struct db *db);

/* The statement belongs to the connection's user and is freed before the connection is closed. */
KEER_NODISCARD enum keer_err db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt);
void db_free(struct db_stmt *s);
/* Parameters count from 1. Errors of binding stick and come out of db_step. */
void db_bind_i64(struct db_stmt *s, unsigned parameter, int64_t v);
void db_bind_text(struct db_stmt *s, unsigned parameter, struct slice v);
void db_bind_bytes(struct db_stmt *s, unsigned parameter, struct slice v);
enum db_step db_step(struct db_stmt *s);
/* Like db_step for a statement without rows. In a transaction the driver may send it along without waiting (PostgreSQL:
 * one round trip for a whole batch); what goes wrong, a conflict too, then comes out of the commit as DB_NOT_COMMITTED. */
enum db_step db_put(struct db_stmt *s);
void db_reset(struct db_stmt *s); /* after the last step; forgets the parameters */
/* The number that a query without parameters gives in its one row. */
KEER_NODISCARD enum keer_err db_number(struct db *db, const char *sql, int64_t *ret_number);
/* Columns count from 0; NULL is 0 or an empty slice. */
int64_t db_i64(struct db_stmt *s, unsigned column);
struct slice db_bytes(struct db_stmt *s, unsigned column);

/* --- copies ------------------------------------------------------------------------------------------------------ */

enum db_copy_kind { DB_BACKUP /* of a database, to a file */, DB_RESTORE /* of such a file, to a new database */ };
struct db_copied {
    int64_t version, rows; /* of the schema; in the journal */
};
/* Copies one snapshot, also while a daemon writes. The copy is checked, and is whole or not there. KEER_ECONFLICT when
 * something is at `to` already, which is not overwritten; KEER_EMISSING; KEER_EVERSION for a schema that this program does
 * not know; KEER_EUNSUPPORTED for PostgreSQL, which has its own tools; KEER_EIO also for what is damaged. */
KEER_NODISCARD enum keer_err db_copy(const char *from, const char *to, enum db_copy_kind kind, struct db_copied *ret_copied,
                                     struct db_why *ret_why);

/* --- migrations -------------------------------------------------------------------------------------------------- */

#define DB_SCHEMA_VERSION 23 /* rows of migrations.def */
/* Whether this program could use the database: its schema is not newer. Nothing is changed. KEER_EVERSION, KEER_EIO. */
KEER_NODISCARD enum keer_err db_check(struct db *db, struct db_why *ret_why);
/* Brings the schema up to date, each step in its transaction. KEER_EVERSION when the database is newer than this program,
 * and nothing is touched then; with DB_READ also when it is older. */
KEER_NODISCARD enum keer_err db_migrate(struct db *db, int64_t now_us, struct db_why *ret_why);
#endif
