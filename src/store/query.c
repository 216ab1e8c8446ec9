/* query.c - one statement with its values. */
#include "store/query.h"

enum keer_err query_rows(struct db *db, struct db_stmt **ret_stmt, const char *sql, const struct query_value *values,
                         size_t count)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, sql, &s);
    if (err != KEER_OK)
        return err;
    for (unsigned i = 0; i < count; i++)
        switch (values[i].type) {
        case QUERY_NUMBER: db_bind_i64(s, i + 1, values[i].number); break;
        case QUERY_TEXT: db_bind_text(s, i + 1, values[i].text); break;
        case QUERY_BYTES: db_bind_bytes(s, i + 1, values[i].text); break;
        }
    *ret_stmt = s;
    return KEER_OK;
}

enum keer_err query_do(struct db *db, const char *sql, const struct query_value *values, size_t count)
{
    struct db_stmt *s;
    enum keer_err err = query_rows(db, &s, sql, values, count);
    if (err != KEER_OK)
        return err;
    enum db_step step = db_step(s);
    db_free(s);
    return step == DB_END ? KEER_OK : step == DB_CONFLICT ? KEER_ECONFLICT : KEER_EIO;
}

enum keer_err query_one(struct db *db, struct db_stmt **ret_stmt, const char *sql, const struct query_value *values,
                        size_t count)
{
    struct db_stmt *s;
    enum keer_err err = query_rows(db, &s, sql, values, count);
    if (err != KEER_OK)
        return err;
    enum db_step step = db_step(s);
    if (step == DB_ROW) {
        *ret_stmt = s;
        return KEER_OK;
    }
    db_free(s);
    return step == DB_END ? KEER_EMISSING : step == DB_CONFLICT ? KEER_ECONFLICT : KEER_EIO;
}

enum keer_err query_met(struct db *db, const char *sql, const struct query_value *values, size_t count)
{
    struct db_stmt *s;
    enum keer_err err = query_one(db, &s, sql, values, count);
    if (err != KEER_OK)
        return err;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW) /* a statement that changes rows is done when it has no more of them */
        continue;
    db_free(s);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

enum keer_err query_text(struct db_stmt *s, unsigned column, char *room, size_t size)
{
    struct slice text = db_bytes(s, column);
    if (text.len >= size)
        return KEER_EFORMAT;
    if (text.len)
        memcpy(room, text.p, text.len);
    room[text.len] = '\0';
    return KEER_OK;
}

enum keer_err query_id(struct db_stmt *s, unsigned column, struct id *ret_id)
{
    struct slice text = db_bytes(s, column);
    if (!text.len) {
        *ret_id = (struct id){0};
        return KEER_OK;
    }
    return id_parse(text, ret_id);
}

enum keer_err query_hash(struct db_stmt *s, unsigned column, struct crypto_hash *ret_hash)
{
    struct slice bytes = db_bytes(s, column);
    if (bytes.len != sizeof ret_hash->bytes)
        return KEER_EFORMAT;
    memcpy(ret_hash->bytes, bytes.p, bytes.len);
    return KEER_OK;
}
