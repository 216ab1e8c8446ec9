/* crypto_sha1.c - HMAC-SHA-1, by OpenSSL. */
#include "base/crypto_sha1.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum keer_err crypto_hmac_sha1(struct slice key, struct slice text, unsigned char ret_mac[CRYPTO_SHA1_BYTES])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (key.len > INT32_MAX || !HMAC(EVP_sha1(), key.p, (int)key.len, (const unsigned char *)text.p, text.len, mac, &len) ||
        len != CRYPTO_SHA1_BYTES)
        return KEER_EIO;
    memcpy(ret_mac, mac, CRYPTO_SHA1_BYTES);
    OPENSSL_cleanse(mac, sizeof mac);
    return KEER_OK;
}

bool crypto_eq(const void *a, const void *b, size_t len) { return CRYPTO_memcmp(a, b, len) == 0; }
