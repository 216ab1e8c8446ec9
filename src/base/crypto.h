/* crypto.h - hashes, random bytes and comparing secrets. crypto*.c alone include libsodium and OpenSSL; libkeer does without
 * them.
 *
 * crypto_start is called once, before anything else here; it fails when the system gives no randomness, and then the program
 * must not go on.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H
#include "base/buf.h"

#define CRYPTO_HASH_BYTES 32
#define CRYPTO_TEXT_BYTES 44 /* 32 bytes as base64url without padding, and a NUL */

struct crypto_hash {
    unsigned char bytes[CRYPTO_HASH_BYTES]; /* SHA-256 (FIPS 180-4) */
};

KEER_NODISCARD enum keer_err crypto_start(void);
void crypto_sha256(struct slice s, struct crypto_hash *ret_hash);
/* *h becomes the hash of *h and of the text's hash: a chain over several texts. */
void crypto_sha256_add(struct crypto_hash *h, struct slice s);
void crypto_random(void *p, size_t len);
/* In constant time. */
bool crypto_hash_eq(const struct crypto_hash *a, const struct crypto_hash *b);
void crypto_text(const struct crypto_hash *bytes, char ret_text[CRYPTO_TEXT_BYTES]);
/* The other way round: KEER_EFORMAT for what crypto_text did not write. */
KEER_NODISCARD enum keer_err crypto_parse(struct slice text, struct crypto_hash *ret_bytes);
/* HMAC-SHA256 (RFC 2104) over parts that follow each other. */
void crypto_hmac(struct slice key, const struct slice *parts, size_t count, struct crypto_hash *ret_mac);
/* The same 32 bytes in the base64 of RFC 4648 section 4, with padding. */
#define CRYPTO_BASE64_BYTES 45
void crypto_base64(const struct crypto_hash *bytes, char ret_text[CRYPTO_BASE64_BYTES]);
/* 32 bytes encrypted and authenticated under a key (XChaCha20-Poly1305, a random nonce before it), bound to a name that is
 * not secret. Opening what was sealed under another key or name, or changed, is false. */
#define CRYPTO_SEALED_BYTES (24 + CRYPTO_HASH_BYTES + 16)
void crypto_seal(const struct crypto_hash *key, struct slice name, const struct crypto_hash *plain,
                 unsigned char ret_sealed[CRYPTO_SEALED_BYTES]);
bool crypto_open(const struct crypto_hash *key, struct slice name, const unsigned char sealed[CRYPTO_SEALED_BYTES],
                 struct crypto_hash *ret_plain);
/* The same of any bytes, appended. KEER_EFORMAT when they can't be opened, KEER_ELIMIT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err crypto_seal_bytes(const struct crypto_hash *key, struct slice name, struct slice plain,
                                               struct buf *b);
KEER_NODISCARD enum keer_err crypto_open_bytes(const struct crypto_hash *key, struct slice name, struct slice sealed,
                                               struct buf *b);
void crypto_wipe(void *p, size_t len);
#endif
