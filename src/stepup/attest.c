/* attest.c - which format, its function, and the chain of certificates up to a root. */
#include "stepup/attest.h"

#include "stepup/attest_der.h"

#define OID_AAGUID "1.3.6.1.4.1.45724.1.1.4" /* id-fido-gen-ce-aaguid */

static const struct {
    const char *identifier;
    attest_fn *check;
} formats[] = {
#define ATTEST_FORMAT(name, identifier, function) {identifier, function},
#include "stepup/attest.def"
#undef ATTEST_FORMAT
};
static_assert(ARRAY_LEN(formats) == ATTEST_FORMAT_MAX, "a row each");

const char *attest_format_name(enum attest_format format) { return formats[format].identifier; }

const char *attest_trust_name(enum attest_trust trust)
{
    static const char *const names[] = {"none", "self", "untrusted", "trusted"};
    static_assert(ARRAY_LEN(names) == ATTEST_TRUST_MAX, "a name each");
    return names[trust];
}

bool attest_bytes(const struct attest_work *w, const char *key, struct slice *ret_bytes)
{
    struct cbor_item item;
    if (!cbor_find_kind(&w->given->statement, key, CBOR_BYTES, &item))
        return false;
    *ret_bytes = item.inside;
    return true;
}

bool attest_alg(const struct attest_work *w, int64_t *ret_number)
{
    struct cbor_item item;
    return cbor_find(&w->given->statement, SLICE("alg"), &item) && cbor_int(&item, ret_number);
}

/* Memory is an error, everything else that a certificate can't be is a verdict. */
static enum keer_err as_verdict(enum keer_err err, enum webauthn_verdict v, enum webauthn_verdict *ret_verdict)
{
    if (err == KEER_ENOMEM)
        return err;
    *ret_verdict = err == KEER_OK ? WEBAUTHN_OK : v;
    return KEER_OK;
}

enum keer_err attest_x5c(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    struct cbor_item x5c, item;
    enum keer_err err = KEER_OK;
    ASSERT(w->chain_count == 0);
    *ret_verdict = WEBAUTHN_STATEMENT;
    if (!cbor_find_kind(&w->given->statement, "x5c", CBOR_ARRAY, &x5c) || x5c.number == 0 || x5c.number > CRYPTO_CHAIN_MAX)
        return KEER_OK;
    for (struct slice rest = x5c.inside; cbor_next(&rest, &item);) {
        if (item.kind != CBOR_BYTES)
            return KEER_OK;
        err = crypto_cert_der(item.inside, &w->chain[w->chain_count]);
        if (err != KEER_OK)
            return as_verdict(err, WEBAUTHN_CERTIFICATE, ret_verdict);
        w->chain_count++;
    }
    return as_verdict(crypto_cert_key(w->chain[0], &w->leaf_key), WEBAUTHN_CERTIFICATE, ret_verdict);
}

enum webauthn_verdict attest_signature(const struct attest_work *w, struct slice data)
{
    struct slice sig;
    int64_t number;
    enum crypto_alg alg;
    if (!attest_alg(w, &number) || !attest_bytes(w, "sig", &sig))
        return WEBAUTHN_STATEMENT;
    if (!cose_alg(number, &alg) || !crypto_key_verify(w->leaf_key, alg, CRYPTO_DER, data, sig))
        return WEBAUTHN_ATTESTED_SIGNATURE;
    return WEBAUTHN_OK;
}

bool attest_aaguid(const struct attest_work *w)
{
    struct slice der;
    struct der_item octets;
    bool critical;
    if (!crypto_cert_extension(w->chain[0], OID_AAGUID, &der, &critical))
        return true;
    return !critical && der_expect(&der, DER_OCTETS, &octets) && der.len == 0 &&
           slice_eq(octets.inside, w->given->data->aaguid);
}

/* 8.7: there is nothing in it. */
enum keer_err attest_none(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    w->trust = ATTEST_NOTHING;
    *ret_verdict = w->given->statement.number == 0 ? WEBAUTHN_OK : WEBAUTHN_STATEMENT;
    return KEER_OK;
}

enum keer_err attest_check(const struct attest_given *given, struct attest_result *ret_result)
{
    struct attest_work w = {.given = given};
    struct attest_result r = {.verdict = WEBAUTHN_FORMAT};
    struct buf signed_data;
    enum keer_err err = KEER_OK;
    ASSERT(given->statement.kind == CBOR_MAP && given->client_data_hash.len == CRYPTO_HASH_BYTES);
    buf_init(&signed_data, CBOR_BYTES_MAX + CRYPTO_HASH_BYTES);
    buf_slice(&signed_data, given->data->whole);
    buf_slice(&signed_data, given->client_data_hash);
    err = signed_data.err;
    w.signed_data = buf_view(&signed_data);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(formats); i++)
        if (slice_eq(given->format, slice_str(formats[i].identifier))) { /* case-sensitive: 7.1 step 21 */
            r.format = (enum attest_format)i;
            err = formats[i].check(&w, &r.verdict);
            break;
        }
    r.trust = w.trust;
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK && r.trust == ATTEST_TRUSTED &&
        !crypto_cert_verify(w.chain, w.chain_count, given->roots, given->roots_count, given->now_us))
        r.trust = ATTEST_UNTRUSTED;
    if (err == KEER_OK)
        *ret_result = r;
    crypto_key_free(w.leaf_key);
    for (size_t i = 0; i < w.chain_count; i++)
        crypto_cert_free(w.chain[i]);
    buf_release(&signed_data);
    return err;
}
