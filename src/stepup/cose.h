/* cose.h - keys of COSE (RFC 9052 section 7, RFC 9053 section 7): what a passkey says its public key is.
 *
 * Invariants
 *  1. A key says its algorithm, and type and curve are that algorithm's (WebAuthn L3 5.8.5): an ES256 key is a point of
 * P-256, uncompressed. Coordinates are as wide as the field. Nothing private may be in it.
 *  2. A key that came out is one that crypto_key.h took: on its curve, RSA of 2048 to 8192 bits.
 */
#ifndef STEPUP_COSE_H
#define STEPUP_COSE_H
#include "base/crypto_key.h"
#include "stepup/cbor.h"

enum cose_key_type { COSE_OKP = 1, COSE_EC2 = 2, COSE_RSA = 3 };
#define COSE_KEY_BYTES_MAX 1200u /* an RSA key of 8192 bits */

struct cose_key {
    int64_t number; /* of the algorithm, as COSE has it */
    enum crypto_alg alg;
    struct crypto_key *key; /* the caller's, to be freed */
};
/* `map` is a COSE_Key. KEER_EFORMAT for what is none, KEER_EUNSUPPORTED for an algorithm that no passkey may have here,
 * KEER_ERANGE for an RSA key that is too small or too large, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err cose_key_read(const struct cbor_item *map, struct cose_key *ret_key);
/* The same of bytes that are the map and nothing else. */
KEER_NODISCARD enum keer_err cose_key_parse(struct slice bytes, struct cose_key *ret_key);
/* The algorithm of a number, for a signature of attestation; false when there is none. */
bool cose_alg(int64_t number, enum crypto_alg *ret_alg);
#endif
