/* cbor_fuzz.c - any bytes as CBOR: what is taken is walked to its last byte within the limits, and reads the same again from
 * its own bytes; lookups find each key of a map, and find it first. Then the same bytes as authenticator data.
 */
#include "stepup/webauthn_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct cbor_item *item, unsigned depth)
{
    struct cbor_item again, child, found;
    struct slice rest = item->inside;
    int64_t n;
    uint64_t count = 0;
    enum keer_err err = cbor_read_all(item->whole, &again);
    ASSERT(err == KEER_OK && again.kind == item->kind && again.number == item->number &&
           slice_eq(again.inside, item->inside));
    ASSERT(item->inside.p + item->inside.len == item->whole.p + item->whole.len && item->whole.len > 0);
    if (item->kind != CBOR_ARRAY && item->kind != CBOR_MAP)
        return;
    ASSERT(depth < CBOR_DEPTH_MAX);
    for (; cbor_next(&rest, &child); count++) {
        walk(&child, depth + 1);
        if (item->kind == CBOR_MAP && count % 2 == 0) {
            struct slice after = rest;
            struct cbor_item value;
            bool there = cbor_next(&after, &value);
            ASSERT(there);
            if (child.kind == CBOR_TEXT)
                ASSERT(cbor_find(item, child.inside, &found) && found.whole.p == value.whole.p);
            else if (cbor_int(&child, &n))
                ASSERT(cbor_find_int(item, n, &found) && found.whole.p == value.whole.p);
        }
    }
    ASSERT(count == (item->kind == CBOR_MAP ? 2 : 1) * item->number);
    ASSERT(item->kind != CBOR_MAP || item->number <= CBOR_KEYS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of((const char *)data, size);
    struct cbor_item item;
    struct auth_data d;
    if (cbor_read(s, &item) == KEER_OK) {
        ASSERT(item.whole.p == s.p && item.whole.len <= s.len);
        walk(&item, 0);
    }
    if (auth_data_read(s, &d) == KEER_OK) {
        size_t len = CRYPTO_HASH_BYTES + 5;
        if (d.flags & AUTH_AT)
            len += AAGUID_BYTES + 2 + d.credential_id.len + d.public_key.whole.len;
        if (d.flags & AUTH_ED)
            len += d.extensions.whole.len;
        ASSERT(len == s.len && d.whole.len == s.len);
    }
    return 0;
}
