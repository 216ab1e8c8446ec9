/* sign.h - how what we post is signed: Standard Webhooks (standardwebhooks.com, "Signature scheme", symmetric).
 *
 * Invariants
 * 1. What is signed is `id.timestamp.body`, byte for byte as it is sent, with HMAC-SHA256; a receiver refuses what is old by
 *    the timestamp and what came before by the id.
 * 2. A secret has 24 to 64 bytes ("Deterministic and unique signatures"), and as text is "whsec_" and their base64. It never
 *    stands in a log or an answer.
 */
#ifndef NET_SIGN_H
#define NET_SIGN_H
#include "base/crypto.h"

#define NET_SECRET_MIN 24
#define NET_SECRET_MAX 64
struct net_secret {
    unsigned char bytes[NET_SECRET_MAX];
    size_t len;
};
/* "whsec_BASE64", with white space around it. KEER_EFORMAT. Who called wipes *ret_secret. */
KEER_NODISCARD enum keer_err net_secret_read(struct slice text, struct net_secret *ret_secret);

/* The value of `webhook-signature` for one secret: v1,BASE64. */
#define NET_SIGNATURE_BYTES (3 + CRYPTO_BASE64_BYTES)
void net_sign(struct slice secret, struct slice id, struct slice timestamp, struct slice body,
              char ret_text[NET_SIGNATURE_BYTES]);
#endif
