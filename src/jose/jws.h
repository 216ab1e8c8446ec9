/* jws.h - JSON Web Signatures in their compact form (RFC 7515 section 7.1): BASE64URL(header) . payload . signature
 *
 * Invariants
 *  1. What is parsed is not verified; jws_verify alone says that it was signed, by a key that the caller holds.
 *  2. The algorithm must be in the caller's mask, fit the kind of the key, and be the key's own where it has one.
 *  3. A header with `crit` or `b64` is refused when it is parsed; an `alg` that is none of crypto_algs.def too, `none` and
 * HS* among them.
 */
#ifndef JOSE_JWS_H
#define JOSE_JWS_H
#include "jose/jwk.h"

#define JWS_BYTES_MAX 16384u /* of a whole token */
#define JWS_ALG(alg) (1u << (alg))
#define JWS_ALGS_ASYMMETRIC                                                                          \
    (JWS_ALG(CRYPTO_ES256) | JWS_ALG(CRYPTO_ES384) | JWS_ALG(CRYPTO_ES512) | JWS_ALG(CRYPTO_RS256) | \
     JWS_ALG(CRYPTO_RS384) | JWS_ALG(CRYPTO_RS512) | JWS_ALG(CRYPTO_PS256) | JWS_ALG(CRYPTO_EDDSA))

struct jws_header {
    enum crypto_alg alg;
    struct slice kid, typ; /* p NULL: not there */
};
struct jws { /* starts as {0}; may be parsed into again */
    struct jws_header header;
    struct slice payload;     /* decoded */
    struct slice signed_part; /* header and payload as they came: borrowed from what was parsed */
    struct slice signature;
    struct buf bytes; /* the decoded parts */
    struct tape tape; /* of the header */
};

/* KEER_EFORMAT for what is no token, KEER_EUNSUPPORTED for a header that is not understood, KEER_ELIMIT, KEER_ENOMEM. The
 * text stays as long as *jws is used. */
KEER_NODISCARD enum keer_err jws_parse(struct jws *jws, struct slice text);
void jws_release(struct jws *jws);
/* Whether one of the keys signed it: the one with its kid, or, where it has none, any that fits. */
bool jws_verify(const struct jws *jws, unsigned algs, const struct jwk *keys, unsigned count);
/* Appends a token. KEER_EINVALID for a key that can't sign with the algorithm. */
KEER_NODISCARD enum keer_err jws_sign(const struct crypto_key *key, const struct jws_header *header, struct slice payload,
                                      struct buf *b);
#endif
