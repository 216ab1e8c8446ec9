/* crypto_cert.h - X.509 certificates (RFC 5280): parsed, asked, and verified up to given roots at a given time.
 *
 * Invariants
 *  1. A certificate comes from DER that is one certificate and nothing after it, at most LIMIT_CERT_BYTES.
 *  2. Nothing is looked up: no store of the system's, no CRL, no OCSP, no clock. The roots are the caller's alone.
 *  3. A chain is verified at security level 2 (112 bits: RSA of 2048 bits and more, no SHA-1), purpose any, and whatever is
 *     given as a root is trusted, self-signed or not; a root that is the first certificate itself is enough.
 *  4. A yes is a yes; everything else is false, want of memory included.
 */
#ifndef BASE_CRYPTO_CERT_H
#define BASE_CRYPTO_CERT_H
#include "base/crypto_key.h"

struct crypto_cert;
#define CRYPTO_CHAIN_MAX 8 /* certificates of an x5c */

/* KEER_EFORMAT or KEER_ENOMEM. */
KEER_NODISCARD enum keer_err crypto_cert_der(struct slice der, struct crypto_cert **ret_cert);
/* The first certificate of *pem, which becomes what follows it; KEER_EMISSING when there is none any more. */
KEER_NODISCARD enum keer_err crypto_cert_pem(struct slice *pem, struct crypto_cert **ret_cert);
void crypto_cert_free(struct crypto_cert *cert);

/* chain[0] is the leaf, the others are in any order. */
bool crypto_cert_verify(struct crypto_cert *const *chain, size_t count, struct crypto_cert *const *roots, size_t root_count,
                        int64_t at_us);

struct slice crypto_cert_bytes(const struct crypto_cert *cert); /* the DER it was made of; the certificate's */
int crypto_cert_version(const struct crypto_cert *cert);        /* 1 to 3 */
/* A key of a kind that crypto_key.h knows, else its errors. */
KEER_NODISCARD enum keer_err crypto_cert_key(const struct crypto_cert *cert, struct crypto_key **ret_key);
bool crypto_cert_valid_at(const struct crypto_cert *cert, int64_t at_us); /* notBefore <= at <= notAfter */
/* basicConstraints: there, and says CA. */
bool crypto_cert_is_ca(const struct crypto_cert *cert);
bool crypto_cert_is_same(const struct crypto_cert *a, const struct crypto_cert *b); /* the bytes */

/* Attributes of the subject by their OIDs in dots (2.5.4.6 C, .10 O, .11 OU, .3 CN), as UTF-8; how many there are. */
unsigned crypto_cert_subject_count(const struct crypto_cert *cert);
/* Appends the attribute; false when it is not there once, or has a NUL. */
bool crypto_cert_subject(const struct crypto_cert *cert, const char *oid, struct buf *b);
/* The same of the directoryName in the subjectAltName (the TPM's manufacturer 2.23.133.2.1, model .2, version .3). */
bool crypto_cert_san_directory(const struct crypto_cert *cert, const char *oid, struct buf *b);
bool crypto_cert_has_eku(const struct crypto_cert *cert, const char *oid); /* extendedKeyUsage lists it */
/* How Alipay names a certificate: the MD5 of its issuer ("CN=..,OU=..,O=..,C=..", the last attribute first) and its serial
 * number in decimal, as 32 hexadecimal digits. A name and no check. KEER_ENOMEM, KEER_EFORMAT. */
#define CRYPTO_CERT_NAME_BYTES 33
KEER_NODISCARD enum keer_err crypto_cert_name(const struct crypto_cert *cert, char ret_name[CRYPTO_CERT_NAME_BYTES]);
/* The serial number as hexadecimal digits in upper case, without zeros before them. KEER_ELIMIT when it has more than
 * CRYPTO_CERT_SERIAL_BYTES - 1 of them (RFC 5280 4.1.2.2: at most 20 octets), KEER_ENOMEM. */
#define CRYPTO_CERT_SERIAL_BYTES 41
KEER_NODISCARD enum keer_err crypto_cert_serial(const struct crypto_cert *cert, char ret_hex[CRYPTO_CERT_SERIAL_BYTES]);
bool crypto_cert_signed_by_rsa(const struct crypto_cert *cert); /* PKCS#1: 1.2.840.113549.1.1.* */
/* notBefore. KEER_EFORMAT. */
KEER_NODISCARD enum keer_err crypto_cert_begins(const struct crypto_cert *cert, int64_t *ret_us);
/* What is in the extension's OCTET STRING, as it stands; false when it is not there exactly once. */
bool crypto_cert_extension(const struct crypto_cert *cert, const char *oid, struct slice *ret_der, bool *ret_critical);
#endif
