/* crypto_gcm.h - AES-GCM (NIST SP 800-38D): what a wallet encrypts for us. For what is ours there is crypto_seal_bytes,
 * whose nonces may be random; here a nonce that comes twice under one key gives the key away, so that only the emulator
 * seals.
 *
 * Invariants
 *  1. A key has 16 or 32 bytes (AES-128, AES-256), a nonce 12 to 16, the tag 16, and the tag stands behind the ciphertext.
 *  2. Nothing of a text is appended unless its tag is right.
 */
#ifndef BASE_CRYPTO_GCM_H
#define BASE_CRYPTO_GCM_H
#include "base/buf.h"

#define CRYPTO_GCM_TAG_BYTES 16
#define CRYPTO_GCM_NONCE_BYTES 12

struct crypto_gcm {
    struct slice key, nonce, aad; /* aad: what was authenticated and not encrypted; may be empty */
};
/* Appends what was sealed. KEER_EINVALID for a key or nonce of another length, KEER_EFORMAT when the tag is wrong,
 * KEER_ELIMIT, KEER_ENOMEM; then nothing is appended. */
KEER_NODISCARD enum keer_err crypto_gcm_open(const struct crypto_gcm *gcm, struct slice sealed, struct buf *b);
KEER_NODISCARD enum keer_err crypto_gcm_seal(const struct crypto_gcm *gcm, struct slice plain, struct buf *b);
#endif
