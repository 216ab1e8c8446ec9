/* secrets.c - random keys that belong to a database. */
#include "store/secrets.h"

enum keer_err secret_get(struct db *db, const char *name, struct crypto_hash *ret_secret)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT value FROM secret WHERE name = $1", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(name));
    enum db_step step = db_step(s);
    err = step == DB_ROW ? KEER_OK : step == DB_END ? KEER_EMISSING : KEER_EIO;
    if (err == KEER_OK && db_bytes(s, 0).len != sizeof ret_secret->bytes)
        err = KEER_EFORMAT;
    if (err == KEER_OK)
        memcpy(ret_secret->bytes, db_bytes(s, 0).p, sizeof ret_secret->bytes);
    db_free(s);
    return err;
}

static enum keer_err put(struct db *db, const char *name)
{
    struct crypto_hash fresh;
    struct db_stmt *s = NULL;
    crypto_random(fresh.bytes, sizeof fresh.bytes);
    enum keer_err err = db_begin(db);
    if (err == KEER_OK)
        err = db_prepare(db, "INSERT INTO secret (name, value) VALUES ($1, $2)", &s);
    if (err == KEER_OK) {
        db_bind_text(s, 1, slice_str(name));
        db_bind_bytes(s, 2, slice_of((const char *)fresh.bytes, sizeof fresh.bytes));
        err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    }
    db_free(s);
    if (err == KEER_OK && db_commit(db) != DB_COMMITTED)
        err = KEER_EIO;
    db_rollback(db);
    crypto_wipe(&fresh, sizeof fresh);
    return err;
}

enum keer_err secrets_make(struct db *db)
{
    static const char *const names[] = {SECRET_FOUND, SECRET_CURSOR, SECRET_ACCOUNT};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(names); i++) {
        struct crypto_hash secret;
        err = secret_get(db, names[i], &secret);
        if (err == KEER_EMISSING)
            err = put(db, names[i]);
        crypto_wipe(&secret, sizeof secret);
    }
    return err;
}
