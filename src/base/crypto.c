/* crypto.c - hashes, random bytes and comparing secrets, by libsodium. */
#include "base/crypto.h"

#include <sodium.h>

static_assert(CRYPTO_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");
static_assert(CRYPTO_TEXT_BYTES == sodium_base64_ENCODED_LEN(CRYPTO_HASH_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
              "base64url");

enum keer_err crypto_start(void) { return sodium_init() < 0 ? KEER_EIO : KEER_OK; }

void crypto_sha256(struct slice s, struct crypto_hash *ret_hash)
{
    (void)crypto_hash_sha256(ret_hash->bytes, (const unsigned char *)(s.p ? s.p : ""), s.len);
}

void crypto_sha256_add(struct crypto_hash *h, struct slice s)
{
    struct crypto_hash part[2] = {*h, {{0}}};
    crypto_sha256(s, &part[1]);
    crypto_sha256(slice_of((const char *)part, sizeof part), h);
}

void crypto_random(void *p, size_t len) { randombytes_buf(p, len); }

bool crypto_hash_eq(const struct crypto_hash *a, const struct crypto_hash *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void crypto_text(const struct crypto_hash *bytes, char ret_text[CRYPTO_TEXT_BYTES])
{
    (void)sodium_bin2base64(ret_text, CRYPTO_TEXT_BYTES, bytes->bytes, sizeof bytes->bytes,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void crypto_wipe(void *p, size_t len) { sodium_memzero(p, len); }
