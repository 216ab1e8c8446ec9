/* signing.c - the provider's keys: made, sealed, read, rotated. */
#include "oidc/signing.h"

#include "store/query.h"

enum keer_err oidc_key_add(struct db *db, const struct crypto_hash *seal, const struct crypto_key *key, enum crypto_alg alg,
                           int64_t signs_us, int64_t now_us)
{
    char kid[CRYPTO_TEXT_BYTES];
    struct buf plain, sealed;
    buf_init(&plain, CRYPTO_PRIVATE_BYTES);
    buf_init(&sealed, 2 * CRYPTO_PRIVATE_BYTES);
    enum keer_err err = jwk_thumbprint(key, kid);
    if (err == KEER_OK && !buf_reserve(&plain, CRYPTO_PRIVATE_BYTES)) /* it must not move */
        err = plain.err;
    if (err == KEER_OK)
        err = crypto_key_put_private_der(key, &plain);
    if (err == KEER_OK)
        err = crypto_seal_bytes(seal, slice_str(kid), buf_view(&plain), &sealed);
    if (err == KEER_OK)
        err = QUERY_DO(db, "INSERT INTO oidc_key (id, alg, sealed, created_us, signs_us) VALUES ($1, $2, $3, $4, $5)",
                       Q_STR(kid), Q_NUMBER(alg), Q_BYTES(buf_view(&sealed)), Q_NUMBER(now_us), Q_NUMBER(signs_us));
    if (plain.p)
        crypto_wipe(plain.p, plain.cap);
    buf_release(&plain);
    buf_release(&sealed);
    return err;
}

static enum keer_err read_key(struct db_stmt *s, const struct crypto_hash *seal, struct jwk *key)
{
    struct buf plain;
    int64_t alg = db_i64(s, 1);
    buf_init(&plain, CRYPTO_PRIVATE_BYTES);
    enum keer_err err = query_text(s, 0, key->kid, sizeof key->kid);
    if (err == KEER_OK && (alg < 0 || alg >= CRYPTO_ALG_MAX || !buf_reserve(&plain, CRYPTO_PRIVATE_BYTES)))
        err = plain.err != KEER_OK ? plain.err : KEER_EFORMAT;
    if (err == KEER_OK)
        err = crypto_open_bytes(seal, slice_str(key->kid), db_bytes(s, 2), &plain);
    if (err == KEER_OK)
        err = crypto_key_private_der(buf_view(&plain), &key->key);
    key->alg = (enum crypto_alg)alg;
    if (plain.p)
        crypto_wipe(plain.p, plain.cap);
    buf_release(&plain);
    return err;
}

enum keer_err oidc_keys_read(struct db *db, const struct crypto_hash *seal, struct oidc_keys *ret_keys)
{
    struct db_stmt *s;
    struct oidc_keys keys = {.count = 0};
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT id, alg, sealed, signs_us FROM oidc_key ORDER BY signs_us DESC, id LIMIT $1",
                   Q_NUMBER(SIGNING_KEYS_MAX));
    if (err != KEER_OK)
        return err;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW && keys.count < SIGNING_KEYS_MAX) {
        err = read_key(s, seal, &keys.key[keys.count]);
        if (err != KEER_OK)
            break;
        keys.signs_us[keys.count++] = db_i64(s, 3);
    }
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    if (err != KEER_OK) {
        oidc_keys_release(&keys);
        return err;
    }
    *ret_keys = keys;
    return KEER_OK;
}

void oidc_keys_release(struct oidc_keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++)
        jwk_release(&keys->key[i]);
    keys->count = 0;
}

const struct jwk *oidc_keys_signing(const struct oidc_keys *keys, enum crypto_alg alg, int64_t now_us)
{
    for (unsigned i = 0; i < keys->count; i++) /* the newest first */
        if (keys->key[i].alg == alg && keys->signs_us[i] <= now_us)
            return &keys->key[i];
    return NULL;
}

enum keer_err oidc_keys_print(const struct oidc_keys *keys, struct buf *b)
{
    enum keer_err err = KEER_OK;
    buf_puts(b, "{\"keys\":[");
    for (unsigned i = 0; err == KEER_OK && i < keys->count; i++) {
        if (i)
            buf_char(b, ',');
        err = jwk_put(keys->key[i].key, keys->key[i].alg, slice_str(keys->key[i].kid), b);
    }
    buf_puts(b, "]}\n");
    return err != KEER_OK ? err : b->err;
}

bool oidc_key_due(const struct oidc_keys *keys, enum crypto_alg alg, int64_t now_us, int64_t *ret_signs_us)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (keys->key[i].alg != alg)
            continue;
        *ret_signs_us = MAX_OF(keys->signs_us[i] + SIGNING_EVERY_US, now_us + SIGNING_AHEAD_US);
        return now_us >= keys->signs_us[i] + SIGNING_EVERY_US - SIGNING_AHEAD_US;
    }
    *ret_signs_us = now_us; /* the first of all: nobody keeps an older set */
    return true;
}

enum keer_err oidc_keys_forget(struct db *db, int64_t now_us)
{
    return QUERY_DO(db,
                    "DELETE FROM oidc_key WHERE EXISTS (SELECT 1 FROM oidc_key n WHERE n.alg = oidc_key.alg AND"
                    " n.signs_us > oidc_key.signs_us AND n.signs_us < $1)",
                    Q_NUMBER(now_us - SIGNING_AFTER_US));
}
