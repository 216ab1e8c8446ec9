/* crypto_key.h - public and private keys, their signatures, and the hashes and MACs that go with them. crypto_key.c and
 * crypto_cert.c alone include OpenSSL (3.0, EVP only), in a library context of its own: no openssl.cnf is read for it.
 *
 * Invariants
 *  1. A key is immutable, is one of the kinds below, and was checked when it was made: a point on its curve, an RSA modulus
 *     of 2048 to 8192 bits with an odd exponent of 65537 to 2^64 (NIST SP 800-56B 6.2). Nothing weaker becomes a struct.
 *  2. An algorithm belongs to a kind of key (crypto_algs.def); a key under an algorithm of another kind verifies nothing.
 *  3. crypto_key_verify says true for a valid signature and false for everything else, want of memory included.
 *  4. Threads may use one key at the same time. No call leaves anything in OpenSSL's queue of errors.
 *  5. crypto_start (crypto.h) has been called.
 */
#ifndef BASE_CRYPTO_KEY_H
#define BASE_CRYPTO_KEY_H
#include "base/buf.h"

struct crypto_key;

enum crypto_key_kind {
    CRYPTO_P256, /* FIPS 186-4 D.1.2.3, secp256r1 */
    CRYPTO_P384,
    CRYPTO_P521,
    CRYPTO_RSA,
    CRYPTO_ED25519, /* RFC 8032 */
    CRYPTO_ED448,
    CRYPTO_KEY_MAX
};
#define CRYPTO_RSA_BITS_MIN 2048
#define CRYPTO_RSA_BITS_MAX 8192

enum crypto_digest { CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512, CRYPTO_DIGEST_NONE, CRYPTO_DIGEST_MAX };
#define CRYPTO_DIGEST_BYTES_MAX 64

enum crypto_alg {
#define CRYPTO_ALG(id, jose, family, kind, digest) CRYPTO_##id,
#include "base/crypto_algs.def"
#undef CRYPTO_ALG
    CRYPTO_ALG_MAX
};
/* ECDSA signatures come as a DER SEQUENCE of two integers (X.509, WebAuthn) or as r || s, each as wide as the field (JOSE,
 * RFC 7518 3.4). Of other algorithms both are the same. */
enum crypto_form { CRYPTO_DER, CRYPTO_RAW };

/* The name in JOSE ("ES256"), and back: CRYPTO_ALG_MAX for another. */
const char *crypto_alg_name(enum crypto_alg alg);
enum crypto_alg crypto_alg_of(struct slice name);

/* --- making keys. KEER_EFORMAT for bytes that are no such key (a point off its curve too), KEER_ERANGE for an RSA key out
 * of bounds, KEER_EUNSUPPORTED for another kind, KEER_ENOMEM. *ret_key is the caller's.
 * ------------------------------------- */
/* Coordinates, each exactly as wide as the field: 32, 48 or 66 bytes. */
KEER_NODISCARD enum keer_err crypto_key_ec(enum crypto_key_kind curve, struct slice x, struct slice y,
                                           struct crypto_key **ret_key);
/* Modulus and exponent, big-endian, without leading zeros. */
KEER_NODISCARD enum keer_err crypto_key_rsa(struct slice n, struct slice e, struct crypto_key **ret_key);
/* 32 bytes for Ed25519 (on the curve and not of small order), 57 for Ed448. */
KEER_NODISCARD enum keer_err crypto_key_ed(enum crypto_key_kind kind, struct slice raw, struct crypto_key **ret_key);
/* SubjectPublicKeyInfo (RFC 5280 4.1), as DER or in a PEM 'PUBLIC KEY'. */
KEER_NODISCARD enum keer_err crypto_key_spki(struct slice der, struct crypto_key **ret_key);
KEER_NODISCARD enum keer_err crypto_key_pem(struct slice pem, struct crypto_key **ret_key);
/* A private key: PEM of PKCS#8, SEC1 or PKCS#1 without a password; DER of PKCS#8 alone. */
KEER_NODISCARD enum keer_err crypto_key_private_pem(struct slice pem, struct crypto_key **ret_key);
KEER_NODISCARD enum keer_err crypto_key_private_der(struct slice der, struct crypto_key **ret_key);
/* `bits` is for RSA alone. */
KEER_NODISCARD enum keer_err crypto_key_generate(enum crypto_key_kind kind, unsigned bits, struct crypto_key **ret_key);
void crypto_key_free(struct crypto_key *key);

/* --- what a key is ------------------------------------------------------------------------------------------------------
 */
enum crypto_key_kind crypto_key_kind(const struct crypto_key *key);
bool crypto_key_private(const struct crypto_key *key);
unsigned crypto_key_bits(const struct crypto_key *key); /* of the modulus or the field */
bool crypto_key_fits(const struct crypto_key *key, enum crypto_alg alg);
bool crypto_key_eq(const struct crypto_key *a, const struct crypto_key *b); /* the public parts */

struct crypto_parts { /* EC: x, y. RSA: n, e without leading zeros. Ed: the raw key and nothing. */
    size_t len[2];
    unsigned char bytes[2][CRYPTO_RSA_BITS_MAX / 8];
};
KEER_NODISCARD enum keer_err crypto_key_parts(const struct crypto_key *key, struct crypto_parts *ret_parts);
KEER_NODISCARD enum keer_err crypto_key_put_spki(const struct crypto_key *key, struct buf *b);
/* PKCS#8 in the clear, for a buffer that the caller wipes; give it the room first, so that it does not move. */
KEER_NODISCARD enum keer_err crypto_key_put_private_der(const struct crypto_key *key, struct buf *b);
KEER_NODISCARD enum keer_err crypto_key_put_private_pem(const struct crypto_key *key, struct buf *b);
#define CRYPTO_PRIVATE_BYTES 8192 /* what the longest takes */

/* --- signatures ---------------------------------------------------------------------------------------------------------
 */
#define CRYPTO_SIGNATURE_BYTES (CRYPTO_RSA_BITS_MAX / 8)
struct crypto_signature {
    size_t len;
    unsigned char bytes[CRYPTO_SIGNATURE_BYTES];
};
bool crypto_key_verify(const struct crypto_key *key, enum crypto_alg alg, enum crypto_form form, struct slice data,
                       struct slice signature);
/* KEER_EINVALID for a public key, an algorithm that does not fit, or RS1, with which nothing is signed. */
KEER_NODISCARD enum keer_err crypto_key_sign(const struct crypto_key *key, enum crypto_alg alg, enum crypto_form form,
                                             struct slice data, struct crypto_signature *ret_signature);

/* --- hashes and MACs: SHA-1 is for HOTP (RFC 4226) and for what an old TPM signed, nothing else. KEER_ENOMEM alone. -------
 */
size_t crypto_digest_len(enum crypto_digest digest);
KEER_NODISCARD enum keer_err crypto_digest(enum crypto_digest digest, struct slice data,
                                           unsigned char ret_hash[CRYPTO_DIGEST_BYTES_MAX]);
KEER_NODISCARD enum keer_err crypto_mac(enum crypto_digest digest, struct slice key, struct slice data,
                                        unsigned char ret_mac[CRYPTO_DIGEST_BYTES_MAX]); /* HMAC, RFC 2104 */
/* In constant time for texts of one length; false for others. */
bool crypto_eq(struct slice a, struct slice b);

KEER_NODISCARD enum keer_err crypto_key_start(void); /* crypto_start calls it */
#endif
