/* crypto_sha1.h - HMAC-SHA-1 (RFC 2104, FIPS 180-4), for one-time passwords alone.
 *
 * SHA-1 has collisions; HMAC does not rest on their absence. Nothing else may be built on it.
 */
#ifndef BASE_CRYPTO_SHA1_H
#define BASE_CRYPTO_SHA1_H
#include "base/str.h"

#define CRYPTO_SHA1_BYTES 20
/* KEER_EIO when the library does not do it (a FIPS provider without SHA-1). */
KEER_NODISCARD enum keer_err crypto_hmac_sha1(struct slice key, struct slice text, unsigned char ret_mac[CRYPTO_SHA1_BYTES]);
/* Two byte strings of one length, in constant time. */
bool crypto_eq(const void *a, const void *b, size_t len);
#endif
