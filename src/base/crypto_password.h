/* crypto_password.h - Argon2id (RFC 9106), by libsodium, and SHA-1 (FIPS 180-4), by OpenSSL, for lists of stolen passwords.
 */
#ifndef BASE_CRYPTO_PASSWORD_H
#define BASE_CRYPTO_PASSWORD_H
#include "base/crypto.h"

#define CRYPTO_SALT_BYTES 16
/* One lane. Slow, and `memory_kib` are used meanwhile; they are wiped. KEER_ENOMEM; KEER_ERANGE outside of 1 to 1,000 passes
 * and 8 KiB to 1 GiB. */
KEER_NODISCARD enum keer_err crypto_argon2id(struct slice password, const unsigned char salt[CRYPTO_SALT_BYTES],
                                             uint32_t memory_kib, uint32_t passes, struct crypto_hash *ret_hash);
#define CRYPTO_SHA1_BYTES 20
/* For what others have made with it alone. */
void crypto_sha1(struct slice s, unsigned char ret_hash[CRYPTO_SHA1_BYTES]);
/* 16 or 32 bytes in base64 without padding, of RFC 4648 section 4, as PHC strings have it; the text ends with a NUL. */
#define CRYPTO_B64_BYTES 44
void crypto_b64(const unsigned char *bytes, size_t len, char ret_text[CRYPTO_B64_BYTES]);
/* KEER_EFORMAT for what is not `len` bytes. */
KEER_NODISCARD enum keer_err crypto_unb64(struct slice text, unsigned char *ret_bytes, size_t len);
#endif
