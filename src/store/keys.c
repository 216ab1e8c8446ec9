/* keys.c - API keys. */
#include "store/keys.h"

enum keer_err keys_add(struct db *db, struct slice name, int64_t now_us, char ret_text[KEY_TEXT_BYTES])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 that are not mistaken for each other */
    struct crypto_hash secret;
    struct crypto_hash hash;
    struct db_stmt *s = NULL;
    unsigned char random[KEY_ID_BYTES];
    char id[KEY_ID_BYTES + 1] = "", text[CRYPTO_TEXT_BYTES];
    if (name.len > LIMIT_NAME_BYTES)
        return KEER_ELIMIT;
    crypto_random(random, sizeof random);
    for (unsigned i = 0; i < KEY_ID_BYTES; i++)
        id[i] = letters[random[i] & 31];
    crypto_random(secret.bytes, sizeof secret.bytes);
    crypto_text(&secret, text);
    (void)snprintf(ret_text, KEY_TEXT_BYTES, "keer_%s_%s", id, text);
    crypto_sha256(slice_str(ret_text), &hash);
    enum keer_err err = db_prepare(db, "INSERT INTO api_key (id, hash, name, created_us) VALUES ($1, $2, $3, $4)", &s);
    if (err == KEER_OK) {
        db_bind_text(s, 1, slice_of(id, KEY_ID_BYTES));
        db_bind_bytes(s, 2, slice_of((const char *)hash.bytes, sizeof hash.bytes));
        db_bind_text(s, 3, name);
        db_bind_i64(s, 4, now_us);
        err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    }
    db_free(s);
    crypto_wipe(&secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    if (err != KEER_OK)
        crypto_wipe(ret_text, KEY_TEXT_BYTES);
    return err;
}

enum keer_err keys_revoke(struct db *db, struct slice id, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err =
        db_prepare(db, "UPDATE api_key SET revoked_us = $1 WHERE id = $2 AND revoked_us = 0 RETURNING id", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, id);
    enum db_step step = db_step(s);
    if (step == DB_ROW && db_step(s) != DB_END)
        step = DB_FAILED;
    db_free(s);
    return step == DB_ROW ? KEER_OK : step == DB_END ? KEER_EMISSING : KEER_EIO;
}

enum keer_err keys_read(struct db *db, struct keys *ret_keys)
{
    struct db_stmt *s;
    struct keys k = {0};
    unsigned room = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        db_prepare(db, "SELECT id, hash, name, created_us, revoked_us FROM api_key ORDER BY created_us, id", &s);
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        if (k.count == room) {
            room = room ? 2 * room : 8;
            struct key_row *more = k.count >= KEYS_MAX ? NULL : realloc(k.row, room * sizeof *more);
            if (!more) {
                err = k.count >= KEYS_MAX ? KEER_ELIMIT : KEER_ENOMEM;
                break;
            }
            k.row = more;
        }
        struct key_row *row = &k.row[k.count];
        struct slice id = db_bytes(s, 0), hash = db_bytes(s, 1), name = db_bytes(s, 2);
        if (id.len != KEY_ID_BYTES || hash.len != sizeof row->hash.bytes || name.len > LIMIT_NAME_BYTES) {
            err = KEER_EFORMAT;
            break;
        }
        *row = (struct key_row){.created_us = db_i64(s, 3), .revoked_us = db_i64(s, 4)};
        memcpy(row->id, id.p, id.len);
        memcpy(row->hash.bytes, hash.p, hash.len);
        if (name.len)
            memcpy(row->name, name.p, name.len);
        k.count++;
    }
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    db_free(s);
    if (err != KEER_OK)
        keys_release(&k);
    else
        *ret_keys = k;
    return err;
}

void keys_release(struct keys *keys)
{
    free(keys->row);
    *keys = (struct keys){0};
}

bool keys_valid(const struct keys *keys, struct slice text)
{
    struct crypto_hash hash;
    bool valid = false;
    if (text.len != KEY_TEXT_BYTES - 1)
        return false;
    crypto_sha256(text, &hash);
    for (unsigned i = 0; i < keys->count; i++)
        if (crypto_hash_eq(&keys->row[i].hash, &hash))
            valid = keys->row[i].revoked_us == 0;
    return valid;
}
