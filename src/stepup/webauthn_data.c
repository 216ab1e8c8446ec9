/* webauthn_data.c - authenticator data: a cursor over fixed fields, a credential's data and extensions. */
#include "stepup/webauthn_data.h"

#define FIXED_BYTES (CRYPTO_HASH_BYTES + 1 + 4)

/* The next `len` bytes. */
static bool take(struct slice *rest, size_t len, struct slice *ret_part)
{
    if (rest->len < len)
        return false;
    *ret_part = slice_of(rest->p, len);
    *rest = slice_of(rest->p + len, rest->len - len);
    return true;
}

static enum keer_err take_map(struct slice *rest, struct cbor_item *ret_map)
{
    struct cbor_item item;
    enum keer_err err = cbor_read(*rest, &item);
    if (err != KEER_OK)
        return err;
    if (item.kind != CBOR_MAP)
        return KEER_ESYNTAX;
    *rest = slice_of(rest->p + item.whole.len, rest->len - item.whole.len);
    *ret_map = item;
    return KEER_OK;
}

enum keer_err auth_data_read(struct slice bytes, struct auth_data *ret_data)
{
    struct auth_data d = {.whole = bytes};
    struct slice rest = bytes, fixed, length;
    enum keer_err err = KEER_OK;
    if (!take(&rest, FIXED_BYTES, &fixed))
        return KEER_ESYNTAX;
    const unsigned char *p = (const unsigned char *)fixed.p;
    d.rp_id_hash = slice_of(fixed.p, CRYPTO_HASH_BYTES);
    d.flags = p[CRYPTO_HASH_BYTES];
    for (size_t i = CRYPTO_HASH_BYTES + 1; i < FIXED_BYTES; i++)
        d.counter = d.counter << 8 | p[i];
    if (d.flags & AUTH_AT) { /* 6.5.2 */
        if (!take(&rest, AAGUID_BYTES, &d.aaguid) || !take(&rest, 2, &length))
            return KEER_ESYNTAX;
        const unsigned char *n = (const unsigned char *)length.p;
        if (!take(&rest, (size_t)n[0] << 8 | n[1], &d.credential_id))
            return KEER_ESYNTAX;
        err = take_map(&rest, &d.public_key);
    }
    if (err == KEER_OK && d.flags & AUTH_ED)
        err = take_map(&rest, &d.extensions);
    if (err == KEER_OK && rest.len)
        err = KEER_ESYNTAX;
    if (err == KEER_OK)
        *ret_data = d;
    return err;
}
