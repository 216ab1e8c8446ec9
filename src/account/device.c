/* device.c - browsers and apps that an account was used from. */
#include "account/device.h"

#include "base/utf8.h"
#include "store/query.h"

#define COLUMNS "id, account, hash, name, family, first_us, last_us, trusted_us, revoked_us"

void device_mark(const struct crypto_hash *token_hash, struct id *ret_mark)
{
    struct crypto_hash mark;
    const struct slice part = SLICE("keer device mark");
    crypto_hmac(slice_of((const char *)token_hash->bytes, sizeof token_hash->bytes), &part, 1, &mark);
    id_of_hash(&mark, ret_mark);
}

static enum keer_err take(struct db_stmt *s, struct device *d)
{
    struct crypto_hash hash;
    *d = (struct device){
        .first_us = db_i64(s, 5), .last_us = db_i64(s, 6), .trusted_us = db_i64(s, 7), .revoked_us = db_i64(s, 8)};
    enum keer_err err = query_id(s, 0, &d->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &d->account);
    if (err == KEER_OK)
        err = query_hash(s, 2, &hash);
    if (err == KEER_OK)
        err = query_text(s, 3, d->name, sizeof d->name);
    if (err == KEER_OK)
        err = query_text(s, 4, d->family, sizeof d->family);
    if (err == KEER_OK)
        device_mark(&hash, &d->mark);
    return err;
}

/* Takes the first row of a query and frees it. */
static enum keer_err take_one(enum keer_err err, struct db_stmt *s, struct device *ret)
{
    struct device d;
    if (err != KEER_OK)
        return err;
    err = take(s, &d);
    db_free(s);
    if (err == KEER_OK)
        *ret = d;
    return err;
}

enum keer_err device_find(struct db *db, const struct id *account, const struct crypto_hash *token_hash,
                          struct device *ret_device)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM device WHERE account = $1 AND hash = $2", Q_ID(account),
                                  Q_HASH(token_hash));
    return take_one(err, s, ret_device);
}

enum keer_err device_read(struct db *db, const struct id *account, const struct id *device, struct device *ret_device)
{
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM device WHERE account = $1 AND id = $2", Q_ID(account), Q_ID(device));
    return take_one(err, s, ret_device);
}

/* Room for one more: what was revoked goes first, then what is longest unused and not trusted. */
static enum keer_err make_room(struct db *db, const struct id *account)
{
    return QUERY_DO(db,
                    "DELETE FROM device WHERE id IN (SELECT id FROM device WHERE account = $1 AND trusted_us = 0"
                    " ORDER BY CASE WHEN revoked_us = 0 THEN 0 ELSE 1 END, last_us DESC, id LIMIT 1000000 OFFSET $2)",
                    Q_ID(account), Q_NUMBER(DEVICES_MAX - 1));
}

enum keer_err device_see(struct db *db, const struct id *account, const struct crypto_hash *token_hash, struct slice family,
                         int64_t now_us, struct device *ret_device, bool *ret_new)
{
    struct device d;
    struct id id;
    enum keer_err err = device_find(db, account, token_hash, &d);
    bool fresh = err == KEER_EMISSING;
    if (err == KEER_OK && d.revoked_us)
        return KEER_EMISSING;
    if (family.len > DEVICE_FAMILY_BYTES)
        family.len = DEVICE_FAMILY_BYTES;
    if (err == KEER_OK) {
        err = QUERY_DO(db, "UPDATE device SET last_us = $1 WHERE id = $2", Q_NUMBER(now_us), Q_ID(&d.id));
    } else if (fresh) {
        id_make(&id);
        err = make_room(db, account);
        if (err == KEER_OK)
            err = QUERY_DO(db,
                           "INSERT INTO device (id, account, hash, name, family, first_us, last_us)"
                           " VALUES ($1, $2, $3, $4, $4, $5, $5)",
                           Q_ID(&id), Q_ID(account), Q_HASH(token_hash), Q_TEXT(family), Q_NUMBER(now_us));
    }
    if (err == KEER_OK)
        err = device_find(db, account, token_hash, &d);
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_EIO : err;
    *ret_device = d;
    *ret_new = fresh;
    return KEER_OK;
}

enum keer_err device_rename(struct db *db, const struct id *account, const struct id *device, struct slice name)
{
    if (!slice_trim(name).len || name.len > DEVICE_NAME_BYTES || !utf8_line(name))
        return KEER_EINVALID;
    return QUERY_MET(db, "UPDATE device SET name = $1 WHERE account = $2 AND id = $3 AND revoked_us = 0 RETURNING id",
                     Q_TEXT(name), Q_ID(account), Q_ID(device));
}

enum keer_err device_trust(struct db *db, const struct id *account, const struct id *device, bool trusted, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE device SET trusted_us = $1 WHERE account = $2 AND id = $3 AND revoked_us = 0 RETURNING id",
                     Q_NUMBER(trusted ? now_us : 0), Q_ID(account), Q_ID(device));
}

enum keer_err device_revoke(struct db *db, const struct id *account, const struct id *device, int64_t now_us)
{
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE device SET revoked_us = $1, trusted_us = 0 WHERE account = $2 AND id = $3"
                                  " AND revoked_us = 0 RETURNING id",
                                  Q_NUMBER(now_us), Q_ID(account), Q_ID(device));
    if (err == KEER_OK)
        err = QUERY_DO(db, "UPDATE session SET ended_us = $1 WHERE account = $2 AND device = $3 AND ended_us = 0",
                       Q_NUMBER(now_us), Q_ID(account), Q_ID(device));
    return err;
}

enum keer_err device_list(struct db *db, const struct id *account, struct device *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM device WHERE account = $1 AND revoked_us = 0"
                                   " ORDER BY last_us DESC, id LIMIT $2",
                                   Q_ID(account), Q_NUMBER(DEVICES_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < DEVICES_MAX && (step = db_step(s)) == DB_ROW)
        err = take(s, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}
