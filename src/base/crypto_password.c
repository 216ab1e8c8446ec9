/* crypto_password.c - Argon2id and SHA-1. */
#include "base/crypto_password.h"

#include <openssl/evp.h>
#include <sodium.h>

static_assert(CRYPTO_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES, "salt");
static_assert(CRYPTO_B64_BYTES >= sodium_base64_ENCODED_LEN(CRYPTO_HASH_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
              "a hash fits");

enum keer_err crypto_argon2id(struct slice password, const unsigned char salt[CRYPTO_SALT_BYTES], uint32_t memory_kib,
                              uint32_t passes, struct crypto_hash *ret_hash)
{
    struct crypto_hash h;
    if (memory_kib < 8 || memory_kib > 1u << 20 || passes < 1 || passes > 1000)
        return KEER_ERANGE;
    if (crypto_pwhash_argon2id(h.bytes, sizeof h.bytes, password.p ? password.p : "", password.len, salt, passes,
                               (size_t)memory_kib << 10, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return KEER_ENOMEM;
    *ret_hash = h;
    sodium_memzero(&h, sizeof h);
    return KEER_OK;
}

void crypto_sha1(struct slice s, unsigned char ret_hash[CRYPTO_SHA1_BYTES])
{
    int done = EVP_Digest(s.p ? s.p : "", s.len, ret_hash, NULL, EVP_sha1(), NULL);
    ASSERT(done == 1); /* a program whose OpenSSL has no SHA-1 must not take every password for a good one */
}

void crypto_b64(const unsigned char *bytes, size_t len, char ret_text[CRYPTO_B64_BYTES])
{
    ASSERT(len <= CRYPTO_HASH_BYTES);
    (void)sodium_bin2base64(ret_text, CRYPTO_B64_BYTES, bytes, len, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

enum keer_err crypto_unb64(struct slice text, unsigned char *ret_bytes, size_t len)
{
    size_t got = 0;
    const char *end = NULL;
    unsigned char room[CRYPTO_HASH_BYTES];
    if (len > sizeof room ||
        sodium_base642bin(room, sizeof room, text.p, text.len, NULL, &got, &end,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
        end != text.p + text.len || got != len)
        return KEER_EFORMAT;
    memcpy(ret_bytes, room, len);
    sodium_memzero(room, sizeof room);
    return KEER_OK;
}
