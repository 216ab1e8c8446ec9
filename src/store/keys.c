/* keys.c - API keys. */
#include "store/keys.h"

static const struct {
    const char *name, *what;
} roles[] = {
#define KEY_ROLE(name, text, what) {text, what},
#include "store/roles.def"
#undef KEY_ROLE
};
static_assert(ARRAY_LEN(roles) == KEY_ROLE_MAX && KEY_ROLE_MAX < 32, "a row for each role, a bit for each row");

const char *key_role_name(enum key_role role) { return roles[role].name; }
const char *key_role_what(enum key_role role) { return roles[role].what; }

enum keer_err key_role_find(struct slice name, enum key_role *ret_role)
{
    for (unsigned i = 0; i < KEY_ROLE_MAX; i++)
        if (slice_eq(name, slice_str(roles[i].name))) {
            *ret_role = (enum key_role)i;
            return KEER_OK;
        }
    return KEER_EINVALID;
}

/* A new secret for an id, as text and as what is kept of it. */
static void make_secret(const char id[KEY_ID_BYTES + 1], char ret_text[KEY_TEXT_BYTES], struct crypto_hash *ret_hash)
{
    struct crypto_hash secret;
    char text[CRYPTO_TEXT_BYTES];
    crypto_random(secret.bytes, sizeof secret.bytes);
    crypto_text(&secret, text);
    (void)snprintf(ret_text, KEY_TEXT_BYTES, "keer_%s_%s", id, text);
    crypto_sha256(slice_str(ret_text), ret_hash);
    crypto_wipe(&secret, sizeof secret);
    crypto_wipe(text, sizeof text);
}

enum keer_err keys_add(struct db *db, struct slice name, enum key_role role, int64_t now_us, char ret_text[KEY_TEXT_BYTES])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 that are not mistaken for each other */
    struct crypto_hash hash;
    struct db_stmt *s = NULL;
    unsigned char random[KEY_ID_BYTES];
    char id[KEY_ID_BYTES + 1] = "";
    if (name.len > LIMIT_NAME_BYTES)
        return KEER_ELIMIT;
    crypto_random(random, sizeof random);
    for (unsigned i = 0; i < KEY_ID_BYTES; i++)
        id[i] = letters[random[i] & 31];
    make_secret(id, ret_text, &hash);
    enum keer_err err =
        db_prepare(db, "INSERT INTO api_key (id, hash, name, created_us, role) VALUES ($1, $2, $3, $4, $5)", &s);
    if (err == KEER_OK) {
        db_bind_text(s, 1, slice_of(id, KEY_ID_BYTES));
        db_bind_bytes(s, 2, slice_of((const char *)hash.bytes, sizeof hash.bytes));
        db_bind_text(s, 3, name);
        db_bind_i64(s, 4, now_us);
        db_bind_text(s, 5, slice_str(key_role_name(role)));
        err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    }
    db_free(s);
    if (err != KEER_OK)
        crypto_wipe(ret_text, KEY_TEXT_BYTES);
    return err;
}

/* Ends a statement that has RETURNING and meets one row at most. */
static enum keer_err ended(struct db_stmt *s)
{
    enum db_step step = db_step(s);
    if (step == DB_ROW && db_step(s) != DB_END)
        step = DB_FAILED;
    db_free(s);
    return step == DB_ROW ? KEER_OK : step == DB_END ? KEER_EMISSING : KEER_EIO;
}

enum keer_err keys_rotate(struct db *db, struct slice id, int64_t old_until_us, char ret_text[KEY_TEXT_BYTES])
{
    struct db_stmt *s;
    struct crypto_hash hash;
    char text[KEY_ID_BYTES + 1];
    if (id.len != KEY_ID_BYTES)
        return KEER_EMISSING;
    memcpy(text, id.p, id.len);
    text[id.len] = '\0';
    enum keer_err err = db_prepare(db,
                                   "UPDATE api_key SET old_hash = hash, old_until_us = $1, hash = $2 WHERE id = $3"
                                   " AND revoked_us = 0 RETURNING id",
                                   &s);
    if (err != KEER_OK)
        return err;
    make_secret(text, ret_text, &hash);
    db_bind_i64(s, 1, old_until_us);
    db_bind_bytes(s, 2, slice_of((const char *)hash.bytes, sizeof hash.bytes));
    db_bind_text(s, 3, id);
    err = ended(s);
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
    return ended(s);
}

static bool take(struct db_stmt *s, struct key_row *row)
{
    struct slice id = db_bytes(s, 0), hash = db_bytes(s, 1), name = db_bytes(s, 2), old = db_bytes(s, 6);
    if (id.len != KEY_ID_BYTES || hash.len != sizeof row->hash.bytes || name.len > LIMIT_NAME_BYTES ||
        (old.len && old.len != sizeof row->old_hash.bytes))
        return false;
    *row = (struct key_row){.created_us = db_i64(s, 3), .revoked_us = db_i64(s, 4), .old_until_us = db_i64(s, 7)};
    memcpy(row->id, id.p, id.len);
    memcpy(row->hash.bytes, hash.p, hash.len);
    if (old.len)
        memcpy(row->old_hash.bytes, old.p, old.len);
    else
        row->old_until_us = 0;
    if (name.len)
        memcpy(row->name, name.p, name.len);
    return key_role_find(db_bytes(s, 5), &row->role) == KEER_OK;
}

enum keer_err keys_read(struct db *db, struct keys *ret_keys)
{
    struct db_stmt *s;
    struct keys k = {0};
    unsigned room = 0;
    enum db_step step = DB_END;
    enum keer_err err = db_prepare(db,
                                   "SELECT id, hash, name, created_us, revoked_us, role, old_hash, old_until_us FROM api_key"
                                   " ORDER BY created_us, id",
                                   &s);
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
        if (!take(s, &k.row[k.count])) {
            err = KEER_EFORMAT;
            break;
        }
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

const struct key_row *keys_find(const struct keys *keys, struct slice text, int64_t now_us)
{
    struct crypto_hash hash;
    const struct key_row *found = NULL;
    if (text.len != KEY_TEXT_BYTES - 1)
        return NULL;
    crypto_sha256(text, &hash);
    for (unsigned i = 0; i < keys->count; i++) {
        const struct key_row *row = &keys->row[i];
        bool old = now_us < row->old_until_us && crypto_hash_eq(&row->old_hash, &hash);
        if (old || crypto_hash_eq(&row->hash, &hash))
            found = row->revoked_us == 0 ? row : NULL;
    }
    return found;
}
