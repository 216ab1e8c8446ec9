/* crypto.h - hashes, random bytes and comparing secrets. crypto.c alone includes libsodium; libkeer does without it.
 *
 * crypto_start is called once, before anything else here; it fails when the system gives no randomness, and then the program
 * must not go on.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H
#include "base/str.h"

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
void crypto_wipe(void *p, size_t len);
#endif
