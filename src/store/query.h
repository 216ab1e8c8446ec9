/* query.h - one statement with its values, in one expression: prepared, bound, stepped and freed.
 *
 *     err = QUERY_DO(db, "UPDATE session SET ended_us = $1 WHERE id = $2", Q_NUMBER(now_us), Q_ID(id));
 *
 * Values are borrowed until the statement is freed. For what is done for each event, db.h's own statements are kept and
 * used again; this is for what a person does.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H
#include "base/id.h"
#include "store/db.h"

enum query_type { QUERY_NUMBER, QUERY_TEXT, QUERY_BYTES };
struct query_value {
    enum query_type type;
    int64_t number;
    struct slice text;
};
#define Q_NUMBER(n) ((struct query_value){.type = QUERY_NUMBER, .number = (n)})
#define Q_TEXT(s) ((struct query_value){.type = QUERY_TEXT, .text = (s)})
#define Q_STR(s) Q_TEXT(slice_str(s))
#define Q_ID(id) Q_TEXT(id_slice(id)) /* an id that is none is the empty text */
#define Q_BYTES(s) ((struct query_value){.type = QUERY_BYTES, .text = (s)})
#define Q_HASH(h) Q_BYTES(slice_of((const char *)(h)->bytes, sizeof(h)->bytes))
#define QUERY_VALUES(...) \
    (const struct query_value[]){__VA_ARGS__}, sizeof((const struct query_value[]){__VA_ARGS__}) / sizeof(struct query_value)

/* A statement without rows. KEER_ECONFLICT for a key that is taken, which spoils the transaction: where that may happen, ON
 * CONFLICT DO NOTHING RETURNING stands in the SQL, and query_one is called. KEER_EIO. */
KEER_NODISCARD enum keer_err query_do(struct db *db, const char *sql, const struct query_value *values, size_t count);
/* The first row, KEER_EMISSING when there is none; the caller frees the statement then and not else. KEER_EIO. */
KEER_NODISCARD enum keer_err query_one(struct db *db, struct db_stmt **ret_stmt, const char *sql,
                                       const struct query_value *values, size_t count);
/* Ready for db_step; the caller frees it. KEER_EIO. */
KEER_NODISCARD enum keer_err query_rows(struct db *db, struct db_stmt **ret_stmt, const char *sql,
                                        const struct query_value *values, size_t count);
/* Whether a statement with RETURNING met a row: KEER_OK, KEER_EMISSING, KEER_EIO. */
KEER_NODISCARD enum keer_err query_met(struct db *db, const char *sql, const struct query_value *values, size_t count);
#define QUERY_DO(db, sql, ...) query_do(db, sql, QUERY_VALUES(__VA_ARGS__))
#define QUERY_ONE(db, ret_stmt, sql, ...) query_one(db, ret_stmt, sql, QUERY_VALUES(__VA_ARGS__))
#define QUERY_ROWS(db, ret_stmt, sql, ...) query_rows(db, ret_stmt, sql, QUERY_VALUES(__VA_ARGS__))
#define QUERY_MET(db, sql, ...) query_met(db, sql, QUERY_VALUES(__VA_ARGS__))

/* --- columns into fields; what does not fit is KEER_EFORMAT, since this program did not write it --- */
/* A text with its NUL into `room` bytes. */
KEER_NODISCARD enum keer_err query_text(struct db_stmt *s, unsigned column, char *room, size_t size);
/* The empty text is no id. */
KEER_NODISCARD enum keer_err query_id(struct db_stmt *s, unsigned column, struct id *ret_id);
KEER_NODISCARD enum keer_err query_hash(struct db_stmt *s, unsigned column, struct crypto_hash *ret_hash);
#endif
