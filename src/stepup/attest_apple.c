/* attest_apple.c - 'apple' (WebAuthn L3, 8.8): a certificate for this key, made for this ceremony. */
#include "stepup/attest.h"
#include "stepup/attest_der.h"

#define OID_NONCE "1.2.840.113635.100.8.2"

/* SEQUENCE { [1] EXPLICIT OCTET STRING nonce } is SHA-256 of what is signed. */
static enum keer_err nonce_is_right(const struct attest_work *w, bool *ret_right)
{
    unsigned char want[CRYPTO_DIGEST_BYTES_MAX];
    struct slice der, inside;
    struct der_item sequence, octets;
    bool critical;
    enum keer_err err = crypto_digest(CRYPTO_SHA256, w->signed_data, want);
    *ret_right = err == KEER_OK && crypto_cert_extension(w->chain[0], OID_NONCE, &der, &critical) &&
                 der_expect(&der, DER_SEQUENCE, &sequence) && der.len == 0 && der_whole(sequence.inside) &&
                 der_explicit(sequence.inside, 1, &inside) && der_expect(&inside, DER_OCTETS, &octets) && inside.len == 0 &&
                 slice_eq(octets.inside, slice_of((const char *)want, CRYPTO_HASH_BYTES));
    return err;
}

enum keer_err attest_apple(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    bool right;
    enum keer_err err = attest_x5c(w, ret_verdict);
    if (err != KEER_OK || *ret_verdict != WEBAUTHN_OK)
        return err;
    err = nonce_is_right(w, &right);
    if (!right)
        *ret_verdict = WEBAUTHN_NONCE;
    else if (!crypto_key_eq(w->leaf_key, w->given->key->key))
        *ret_verdict = WEBAUTHN_ATTESTED_KEY;
    w->trust = ATTEST_TRUSTED;
    return err;
}
