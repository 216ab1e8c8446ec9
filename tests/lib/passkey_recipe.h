/* passkey_recipe.h - what a ceremony of passkey_kit.h is made of and by: recipes, keys, CBOR. */
#ifndef TESTS_LIB_PASSKEY_RECIPE_H
#define TESTS_LIB_PASSKEY_RECIPE_H
#include "base/base64.h"
#include "base/rand.h"
#include "base/timefmt.h"
#include "lib/der_write.h"
#include "stepup/webauthn.h"

#define KIT_NOW_US (INT64_C(1795950000) * US_SECOND) /* 2026-11-29 */
#define KIT_RP "example.org"
#define KIT_ORIGIN "https://example.org"
#define KIT_TOP "https://shop.example"
#define KIT_ICON "https://example.org/icon.png"
#define KIT_USER "user-handle-0001"
#define KIT_EMPTY \
    (struct slice) { "", 0 }

static const struct kit_alg {
    int64_t number;
    enum crypto_alg alg;
    enum crypto_key_kind kind;
} kit_algs[] = {{-7, CRYPTO_ES256, CRYPTO_P256},  {-35, CRYPTO_ES384, CRYPTO_P384},   {-36, CRYPTO_ES512, CRYPTO_P521},
                {-257, CRYPTO_RS256, CRYPTO_RSA}, {-8, CRYPTO_EDDSA, CRYPTO_ED25519}, {-53, CRYPTO_EDDSA, CRYPTO_ED448}};
enum { KIT_ES256, KIT_ES384, KIT_ES512, KIT_RS256, KIT_EDDSA, KIT_ED448, KIT_ALGS };

struct passkey_kit { /* keys are made once: RSA takes long */
    struct crypto_key *keys[KIT_ALGS], *others[KIT_ALGS];
    struct crypto_key *leaf, *leaf384, *ca, *other_ca;
    struct crypto_cert *root;
    struct buf ca_name;
};

enum kit_kind { KIT_REGISTER, KIT_SIGN_IN, KIT_PAY };

struct recipe {
    enum kit_kind kind;
    enum attest_format format;
    bool self;
    unsigned alg;
    /* what the browser writes; literals of JSON, NULL leaves a member out */
    const char *type, *origin, *cross, *top, *before, *after, *extra, *challenge_tail;
    bool other_challenge, no_challenge;
    const char *pay_rp, *pay_old_rp, *pay_top, *pay_name, *pay_origin, *pay_value, *pay_currency, *pay_instrument, *pay_icon,
        *pay_more;
    bool no_payment;
    /* the attestation object; `raw` is CBOR instead of the statement */
    const char *fmt;
    bool no_statement, no_data, indefinite, fmt_twice, long_length, other_order;
    struct slice object_tail, raw;
    /* authenticator data */
    const char *rp;
    unsigned flags;
    uint32_t counter;
    size_t id_len;
    int id_len_more;
    size_t data_bytes; /* cut to; 0: not */
    struct slice extensions, data_tail;
    /* the key; 0 is as it should be */
    int64_t kty, key_alg, curve;
    bool off_curve, compressed, short_x, private_part, rsa_small, rsa_one, ed_small;
    /* the statement and its certificate */
    bool no_sig, no_alg, sig_bit, sig_other, x5c_empty, x5c_text, x5c_garbage, x5c_other_key, x5c_two, leaf_384, key_other;
    int64_t statement_alg;
    bool cert_v1, cert_ca, cert_aaguid, aaguid_other, aaguid_critical, other_root;
    const char *cert_country, *cert_org, *cert_unit, *cert_until;
    const char *tpm_version;
    uint32_t tpm_magic, tpm_type;
    bool tpm_extra, tpm_name, tpm_tail, tpm_other, tpm_no_eku, tpm_subject, tpm_no_san;
    bool nonce_other, no_nonce, all_applications, in_software;
    int key_origin, key_purpose; /* below 0: not said */
    /* an assertion */
    bool sign_other, sig_empty, sig_raw, user_other, user_missing, credential_other, eligible_turned;
    const char *client_tail, *sig_tail; /* after signing */
    uint32_t stored_counter;
    /* what is expected */
    bool want_trusted, only_es256, payee_unknown;
    unsigned char aaguid[AAGUID_BYTES];
    /* of others, where it is not made up: a challenge of 32 bytes, a credential id, a user handle */
    struct slice use_challenge, use_id, use_user;
};

struct ceremony {
    unsigned char challenge[32], id[1100];
    struct buf client, object, data, signature, key, statement;
    struct webauthn_expect expect;
    struct webauthn_payment payment;
    struct webauthn_registration registration;
    struct webauthn_credential stored;
    struct webauthn_assertion assertion;
    struct slice origin[1];
    int64_t algorithms[KIT_ALGS];
};

/* --- the kit ------------------------------------------------------------------------------------------------------- */

static inline struct slice kit_der(struct buf *b, bool ca)
{
    struct buf inside;
    buf_init(&inside, 64);
    buf_clear(b);
    if (ca)
        der_put(&inside, 0x01, SLICE("\xFF"));
    der_put(b, 0x30, buf_view(&inside));
    buf_release(&inside);
    return buf_view(b);
}

static inline void kit_make_root(struct passkey_kit *k)
{
    struct buf extensions, value, der;
    buf_init(&extensions, 4096);
    buf_init(&value, 256);
    buf_init(&der, 8192);
    der_name_part(&k->ca_name, "2.5.4.3", "Keersluis test root");
    der_extension(&extensions, "2.5.29.19", true, kit_der(&value, true));
    struct cert_recipe c = {.subject = buf_view(&k->ca_name),
                            .issuer = buf_view(&k->ca_name),
                            .until = "490101000000Z",
                            .key = k->ca,
                            .signer = k->ca,
                            .extensions = buf_view(&extensions)};
    cert_put(&der, &c);
    MADE(crypto_cert_der(buf_view(&der), &k->root));
    buf_release(&der);
    buf_release(&value);
    buf_release(&extensions);
}

static inline void passkey_kit_make(struct passkey_kit *k)
{
    *k = (struct passkey_kit){0};
    for (unsigned i = 0; i < KIT_ALGS; i++) {
        MADE(crypto_key_generate(kit_algs[i].kind, 2048, &k->keys[i]));
        MADE(crypto_key_generate(kit_algs[i].kind, 2048, &k->others[i]));
    }
    MADE(crypto_key_generate(CRYPTO_P256, 0, &k->leaf));
    MADE(crypto_key_generate(CRYPTO_P384, 0, &k->leaf384));
    MADE(crypto_key_generate(CRYPTO_P256, 0, &k->ca));
    MADE(crypto_key_generate(CRYPTO_P256, 0, &k->other_ca));
    buf_init(&k->ca_name, 256);
    kit_make_root(k);
}

static inline void passkey_kit_release(struct passkey_kit *k)
{
    for (unsigned i = 0; i < KIT_ALGS; i++) {
        crypto_key_free(k->keys[i]);
        crypto_key_free(k->others[i]);
    }
    crypto_key_free(k->leaf);
    crypto_key_free(k->leaf384);
    crypto_key_free(k->ca);
    crypto_key_free(k->other_ca);
    crypto_cert_free(k->root);
    buf_release(&k->ca_name);
}

/* --- CBOR ---------------------------------------------------------------------------------------------------------- */

static inline void kit_head(struct buf *b, unsigned major, uint64_t n)
{
    unsigned bytes = n < 24 ? 0 : n < 256 ? 1 : n < 65536 ? 2 : 4;
    buf_char(b, (char)(major << 5 | (bytes == 0 ? (unsigned)n : bytes == 1 ? 24u : bytes == 2 ? 25u : 26u)));
    while (bytes--)
        buf_char(b, (char)(n >> (8 * bytes)));
}
static inline void kit_int(struct buf *b, int64_t v) { kit_head(b, v < 0, (uint64_t)(v < 0 ? -1 - v : v)); }
static inline void kit_bytes(struct buf *b, struct slice s)
{
    kit_head(b, 2, s.len);
    buf_slice(b, s);
}
static inline void kit_text(struct buf *b, const char *s)
{
    kit_head(b, 3, strlen(s));
    buf_puts(b, s);
}

/* Bytes of authenticator data and the hash of client data, as they are signed. */
static inline void kit_put_signed(const struct ceremony *c, struct buf *b)
{
    struct crypto_hash h;
    crypto_sha256(buf_view(&c->client), &h);
    buf_slice(b, buf_view(&c->data));
    buf_put(b, h.bytes, sizeof h.bytes);
}
#endif
