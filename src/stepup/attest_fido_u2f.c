/* attest_fido_u2f.c - 'fido-u2f' (WebAuthn L3, 8.6): what keys from before FIDO2 sign. */
#include "stepup/attest.h"

/* 0x00 || rpIdHash || hash of the client data || credential id || 0x04 || x || y */
static enum keer_err put_signed(const struct attest_work *w, struct buf *b)
{
    const struct auth_data *d = w->given->data;
    struct crypto_parts parts;
    enum keer_err err = crypto_key_parts(w->given->key->key, &parts);
    if (err != KEER_OK)
        return err;
    buf_char(b, 0);
    buf_slice(b, d->rp_id_hash);
    buf_slice(b, w->given->client_data_hash);
    buf_slice(b, d->credential_id);
    buf_char(b, 4);
    buf_put(b, parts.bytes[0], parts.len[0]);
    buf_put(b, parts.bytes[1], parts.len[1]);
    return b->err;
}

enum keer_err attest_fido_u2f(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    struct slice sig;
    struct buf b;
    enum keer_err err = attest_x5c(w, ret_verdict);
    if (err != KEER_OK || *ret_verdict != WEBAUTHN_OK)
        return err;
    if (w->chain_count != 1 || !attest_bytes(w, "sig", &sig)) {
        *ret_verdict = WEBAUTHN_STATEMENT;
        return KEER_OK;
    }
    if (crypto_key_kind(w->leaf_key) != CRYPTO_P256) {
        *ret_verdict = WEBAUTHN_CERTIFICATE;
        return KEER_OK;
    }
    if (crypto_key_kind(w->given->key->key) != CRYPTO_P256) { /* U2F knows no other */
        *ret_verdict = WEBAUTHN_ATTESTED_KEY;
        return KEER_OK;
    }
    buf_init(&b, 2048);
    err = put_signed(w, &b);
    if (err == KEER_OK && !crypto_key_verify(w->leaf_key, CRYPTO_ES256, CRYPTO_DER, buf_view(&b), sig))
        *ret_verdict = WEBAUTHN_ATTESTED_SIGNATURE;
    w->trust = ATTEST_TRUSTED;
    buf_release(&b);
    return err;
}
