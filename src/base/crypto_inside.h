/* crypto_inside.h - what crypto_key.c and crypto_cert.c share: OpenSSL's library context, and keys as OpenSSL has them. */
#ifndef BASE_CRYPTO_INSIDE_H
#define BASE_CRYPTO_INSIDE_H
#include <openssl/evp.h>

#include "base/crypto_key.h"

OSSL_LIB_CTX *crypto_context(void);
/* Takes `pkey`, also on failure: a key of a kind and size that crypto_key.h knows. */
KEER_NODISCARD enum keer_err crypto_key_take(EVP_PKEY *pkey, bool is_private, struct crypto_key **ret_key);
#endif
