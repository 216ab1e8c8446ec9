/* jwk.h - public keys as JSON (RFC 7517; RFC 7518 section 6; RFC 8037 section 2), and their thumbprints (RFC 7638).
 *
 * Invariants
 *  1. A key that is read is public, of a kind that crypto_key.h knows, and for signatures: `use` is absent or "sig",
 *     `key_ops` is absent or has "verify" (section 4.3). Coordinates have their full width, numbers no leading zeros.
 *  2. In a set keys of other kinds and uses are passed over (section 5); one that is known and wrong spoils the whole set.
 */
#ifndef JOSE_JWK_H
#define JOSE_JWK_H
#include "base/crypto.h"
#include "base/crypto_key.h"
#include "base/json.h"

#define JWK_KID_BYTES 128
#define JWK_KEYS_MAX 16       /* of a set */
#define JWK_TEXT_BYTES 32768u /* of a set as JSON */

struct jwk {
    struct crypto_key *key;
    enum crypto_alg alg; /* the only one it may be used with; CRYPTO_ALG_MAX: any of its kind */
    char kid[JWK_KID_BYTES + 1];
};
struct jwk_set {
    struct jwk key[JWK_KEYS_MAX];
    unsigned count;
};

/* KEER_ESYNTAX and what tape_read says for what is no JSON, KEER_EFORMAT for a key that is none, KEER_EUNSUPPORTED for
 * another kind or use, KEER_ERANGE, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err jwk_read(struct slice json, struct jwk *ret_jwk);
void jwk_release(struct jwk *jwk);
/* {"keys":[...]}. KEER_ELIMIT for more than JWK_KEYS_MAX. */
KEER_NODISCARD enum keer_err jwk_set_read(struct slice json, struct jwk_set *ret_set);
void jwk_set_release(struct jwk_set *set);

/* {"kty":...,"use":"sig","alg":...,"kid":...}; `alg` CRYPTO_ALG_MAX and `kid` empty are left out. */
KEER_NODISCARD enum keer_err jwk_put(const struct crypto_key *key, enum crypto_alg alg, struct slice kid, struct buf *b);
/* SHA-256 of the required members in lexicographic order (RFC 7638 section 3), as base64url. */
KEER_NODISCARD enum keer_err jwk_thumbprint(const struct crypto_key *key, char ret_text[CRYPTO_TEXT_BYTES]);
#endif
