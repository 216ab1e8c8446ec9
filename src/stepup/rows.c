/* rows.c - reading and ending statements. */
#include "stepup/rows.h"

bool row_copy(struct slice from, char *to, size_t room)
{
    if (from.len >= room)
        return false;
    if (from.len)
        memcpy(to, from.p, from.len);
    to[from.len] = '\0';
    return true;
}

enum keer_err row_ended(struct db_stmt *s)
{
    int64_t n;
    enum keer_err err = rows_ended(s, &n);
    if (err != KEER_OK)
        return err;
    ASSERT(n <= 1);
    return n ? KEER_OK : KEER_EMISSING;
}

enum keer_err rows_ended(struct db_stmt *s, int64_t *ret_count)
{
    int64_t n = 0;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW)
        n++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = n;
    return KEER_OK;
}

enum keer_err row_put(struct db_stmt *s)
{
    enum db_step step = db_step(s);
    db_free(s);
    return step == DB_END ? KEER_OK : KEER_EIO;
}
