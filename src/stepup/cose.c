/* cose.c - COSE keys to keys. */
#include "stepup/cose.h"

enum { LABEL_KTY = 1, LABEL_ALG = 3, LABEL_CRV = -1, LABEL_X = -2, LABEL_Y = -3, LABEL_D = -4 };
enum { LABEL_RSA_N = -1, LABEL_RSA_E = -2, LABEL_RSA_D = -3 };

static const struct cose_row {
    int64_t number;
    enum crypto_alg alg;
    enum cose_key_type type;
    int64_t curve;
    bool credential;
} rows[] = {
#define COSE_ALG(number, alg, type, curve, credential) {number, alg, type, curve, credential},
#include "stepup/cose.def"
#undef COSE_ALG
};

static const struct cose_row *find(int64_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].number == number)
            return &rows[i];
    return NULL;
}

bool cose_alg(int64_t number, enum crypto_alg *ret_alg)
{
    const struct cose_row *row = find(number);
    if (row)
        *ret_alg = row->alg;
    return row;
}

static bool number_at(const struct cbor_item *map, int64_t label, int64_t *ret_v)
{
    struct cbor_item item;
    return cbor_find_int(map, label, &item) && cbor_int(&item, ret_v);
}

static bool bytes_at(const struct cbor_item *map, int64_t label, struct slice *ret_bytes)
{
    struct cbor_item item;
    if (!cbor_find_int(map, label, &item) || item.kind != CBOR_BYTES)
        return false;
    *ret_bytes = item.inside;
    return true;
}

static enum keer_err read_ec(const struct cbor_item *map, const struct cose_row *row, struct crypto_key **ret_key)
{
    static const enum crypto_key_kind kinds[] = {CRYPTO_P256, CRYPTO_P384, CRYPTO_P521};
    struct slice x, y;
    ASSERT(row->curve >= 1 && row->curve <= (int64_t)ARRAY_LEN(kinds));
    if (!bytes_at(map, LABEL_X, &x) || !bytes_at(map, LABEL_Y, &y)) /* y as a boolean is a compressed point */
        return KEER_EFORMAT;
    return crypto_key_ec(kinds[row->curve - 1], x, y, ret_key);
}

static enum keer_err read_okp(const struct cbor_item *map, const struct cose_row *row, struct crypto_key **ret_key)
{
    struct slice x;
    if (!bytes_at(map, LABEL_X, &x))
        return KEER_EFORMAT;
    return crypto_key_ed(row->curve == 7 ? CRYPTO_ED448 : CRYPTO_ED25519, x, ret_key);
}

static enum keer_err read_rsa(const struct cbor_item *map, struct crypto_key **ret_key)
{
    struct slice n, e;
    if (!bytes_at(map, LABEL_RSA_N, &n) || !bytes_at(map, LABEL_RSA_E, &e))
        return KEER_EFORMAT;
    return crypto_key_rsa(n, e, ret_key);
}

enum keer_err cose_key_read(const struct cbor_item *map, struct cose_key *ret_key)
{
    int64_t type, number, curve;
    struct cbor_item secret;
    struct cose_key k = {0};
    enum keer_err err = KEER_EFORMAT;
    if (map->whole.len > COSE_KEY_BYTES_MAX || !number_at(map, LABEL_KTY, &type) || !number_at(map, LABEL_ALG, &number))
        return KEER_EFORMAT;
    const struct cose_row *row = find(number);
    if (!row || !row->credential)
        return KEER_EUNSUPPORTED;
    if (type != (int64_t)row->type)
        return KEER_EFORMAT;
    if (cbor_find_int(map, type == COSE_RSA ? LABEL_RSA_D : LABEL_D, &secret))
        return KEER_EFORMAT;
    if (row->curve && (!number_at(map, LABEL_CRV, &curve) || curve != row->curve))
        return KEER_EFORMAT;
    k.number = number;
    k.alg = row->alg;
    switch (row->type) {
    case COSE_EC2: err = read_ec(map, row, &k.key); break;
    case COSE_OKP: err = read_okp(map, row, &k.key); break;
    case COSE_RSA: err = read_rsa(map, &k.key); break;
    }
    if (err == KEER_OK)
        *ret_key = k;
    return err;
}

enum keer_err cose_key_parse(struct slice bytes, struct cose_key *ret_key)
{
    struct cbor_item map;
    if (cbor_read_all(bytes, &map) != KEER_OK)
        return KEER_EFORMAT;
    return cose_key_read(&map, ret_key);
}
