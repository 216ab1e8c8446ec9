/* crypto.c - hashes, random bytes and comparing secrets, by libsodium; SHA-256 by OpenSSL, which uses the processor's own
 * instructions for it: five times as fast, and every decision needs two.
 */
#include "base/crypto.h"

#include <openssl/evp.h>
#include <sodium.h>

#include "base/crypto_inside.h"
#include "base/crypto_key.h"

static_assert(CRYPTO_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");
static_assert(CRYPTO_TEXT_BYTES == sodium_base64_ENCODED_LEN(CRYPTO_HASH_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
              "base64url");

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
static_assert(CRYPTO_SEALED_BYTES == NONCE_BYTES + CRYPTO_HASH_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES &&
                  crypto_aead_xchacha20poly1305_ietf_KEYBYTES == CRYPTO_HASH_BYTES,
              "what is sealed");

static EVP_MD *sha256; /* looked up once, by crypto_start: OpenSSL's search for it costs more than the hash */

enum keer_err crypto_start(void)
{
    enum keer_err err = sodium_init() < 0 ? KEER_EIO : crypto_key_start();
    if (err == KEER_OK && !sha256)
        sha256 = EVP_MD_fetch(crypto_context(), "SHA256", NULL);
    return err;
}

/* OpenSSL's needs memory; without it, libsodium's gives the same hash. */
void crypto_sha256(struct slice s, struct crypto_hash *ret_hash)
{
    const unsigned char *p = (const unsigned char *)(s.p ? s.p : "");
    if (!sha256 || EVP_Digest(p, s.len, ret_hash->bytes, NULL, sha256, NULL) != 1)
        (void)crypto_hash_sha256(ret_hash->bytes, p, s.len);
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

void crypto_hmac(struct slice key, const struct slice *parts, size_t count, struct crypto_hash *ret_mac)
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.p, key.len);
    for (size_t i = 0; i < count; i++)
        (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)(parts[i].p ? parts[i].p : ""), parts[i].len);
    (void)crypto_auth_hmacsha256_final(&state, ret_mac->bytes);
    sodium_memzero(&state, sizeof state);
}

void crypto_base64(const struct crypto_hash *bytes, char ret_text[CRYPTO_BASE64_BYTES])
{
    (void)sodium_bin2base64(ret_text, CRYPTO_BASE64_BYTES, bytes->bytes, sizeof bytes->bytes,
                            sodium_base64_VARIANT_ORIGINAL);
}

void crypto_seal(const struct crypto_hash *key, struct slice name, const struct crypto_hash *plain,
                 unsigned char ret_sealed[CRYPTO_SEALED_BYTES])
{
    randombytes_buf(ret_sealed, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret_sealed + NONCE_BYTES, NULL, plain->bytes, sizeof plain->bytes,
                                                     (const unsigned char *)name.p, name.len, NULL, ret_sealed, key->bytes);
}

bool crypto_open(const struct crypto_hash *key, struct slice name, const unsigned char sealed[CRYPTO_SEALED_BYTES],
                 struct crypto_hash *ret_plain)
{
    struct crypto_hash plain;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.bytes, NULL, NULL, sealed + NONCE_BYTES,
                                                   CRYPTO_SEALED_BYTES - NONCE_BYTES, (const unsigned char *)name.p,
                                                   name.len, sealed, key->bytes) != 0)
        return false;
    *ret_plain = plain;
    sodium_memzero(&plain, sizeof plain);
    return true;
}

#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
enum keer_err crypto_seal_bytes(const struct crypto_hash *key, struct slice name, struct slice plain, struct buf *b)
{
    size_t len = NONCE_BYTES + plain.len + TAG_BYTES;
    unsigned char *to = (unsigned char *)buf_reserve(b, len);
    if (!to)
        return b->err;
    randombytes_buf(to, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(to + NONCE_BYTES, NULL, (const unsigned char *)plain.p, plain.len,
                                                     (const unsigned char *)name.p, name.len, NULL, to, key->bytes);
    b->len += len;
    b->p[b->len] = '\0';
    return KEER_OK;
}

enum keer_err crypto_open_bytes(const struct crypto_hash *key, struct slice name, struct slice sealed, struct buf *b)
{
    if (sealed.len < NONCE_BYTES + TAG_BYTES)
        return KEER_EFORMAT;
    size_t len = sealed.len - NONCE_BYTES - TAG_BYTES;
    unsigned char *to = (unsigned char *)buf_reserve(b, len);
    if (!to)
        return b->err;
    const unsigned char *from = (const unsigned char *)sealed.p;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, from + NONCE_BYTES, sealed.len - NONCE_BYTES,
                                                   (const unsigned char *)name.p, name.len, from, key->bytes) != 0)
        return KEER_EFORMAT;
    b->len += len;
    b->p[b->len] = '\0';
    return KEER_OK;
}

enum keer_err crypto_parse(struct slice text, struct crypto_hash *ret_bytes)
{
    struct crypto_hash bytes;
    size_t len = 0;
    if (text.len != CRYPTO_TEXT_BYTES - 1 ||
        sodium_base642bin(bytes.bytes, sizeof bytes.bytes, text.p, text.len, NULL, &len, /* end */ NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof bytes.bytes)
        return KEER_EFORMAT;
    *ret_bytes = bytes;
    return KEER_OK;
}

void crypto_wipe(void *p, size_t len) { sodium_memzero(p, len); }
