/* attest_packed.c - 'packed' (WebAuthn L3, 8.2): by a certificate, or by the new key itself. */
#include "stepup/attest.h"

#define OID_COUNTRY "2.5.4.6"
#define OID_ORGANISATION "2.5.4.10"
#define OID_UNIT "2.5.4.11"
#define OID_COMMON_NAME "2.5.4.3"

/* 8.2.1, what the subject must say. */
static enum keer_err subject_is_right(const struct crypto_cert *cert, bool *ret_right)
{
    struct buf b;
    buf_init(&b, 256);
    bool right = crypto_cert_subject(cert, OID_COUNTRY, &b) && b.len == 2 && b.p[0] >= 'A' && b.p[0] <= 'Z' &&
                 b.p[1] >= 'A' && b.p[1] <= 'Z';
    enum keer_err err = b.err;
    buf_clear(&b);
    right = right && crypto_cert_subject(cert, OID_UNIT, &b) && slice_eq(buf_view(&b), SLICE("Authenticator Attestation"));
    err = err ? err : b.err;
    buf_clear(&b);
    right = right && crypto_cert_subject(cert, OID_ORGANISATION, &b) && b.len > 0;
    err = err ? err : b.err;
    buf_clear(&b);
    right = right && crypto_cert_subject(cert, OID_COMMON_NAME, &b) && b.len > 0;
    err = err ? err : b.err;
    buf_release(&b);
    *ret_right = right && err == KEER_OK;
    return err == KEER_ENOMEM ? err : KEER_OK;
}

static enum keer_err by_certificate(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    bool right;
    enum keer_err err = attest_x5c(w, ret_verdict);
    if (err != KEER_OK || *ret_verdict != WEBAUTHN_OK)
        return err;
    *ret_verdict = attest_signature(w, w->signed_data);
    if (*ret_verdict != WEBAUTHN_OK)
        return KEER_OK;
    err = subject_is_right(w->chain[0], &right);
    if (!right || crypto_cert_version(w->chain[0]) != 3 || crypto_cert_is_ca(w->chain[0]))
        *ret_verdict = WEBAUTHN_CERTIFICATE;
    else if (!attest_aaguid(w))
        *ret_verdict = WEBAUTHN_ATTESTED_KEY;
    w->trust = ATTEST_TRUSTED;
    return err;
}

/* The algorithm is the new key's, and the new key signed. */
static enum webauthn_verdict by_itself(struct attest_work *w)
{
    const struct cose_key *key = w->given->key;
    struct slice sig;
    int64_t number;
    if (!attest_alg(w, &number) || !attest_bytes(w, "sig", &sig))
        return WEBAUTHN_STATEMENT;
    if (number != key->number)
        return WEBAUTHN_ATTESTED_KEY;
    w->trust = ATTEST_SELF;
    return crypto_key_verify(key->key, key->alg, CRYPTO_DER, w->signed_data, sig) ? WEBAUTHN_OK
                                                                                  : WEBAUTHN_ATTESTED_SIGNATURE;
}

enum keer_err attest_packed(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    struct cbor_item item;
    if (cbor_find(&w->given->statement, SLICE("x5c"), &item))
        return by_certificate(w, ret_verdict);
    *ret_verdict = by_itself(w);
    return KEER_OK;
}
