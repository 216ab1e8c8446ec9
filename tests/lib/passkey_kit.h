/* passkey_kit.h - an authenticator and a browser in software, for tests: makes registrations, assertions and payments as a
 * recipe says, right or wrong in one thing. tests/lib/passkey_mutations.def has the wrong ones.
 */
#ifndef TESTS_LIB_PASSKEY_KIT_H
#define TESTS_LIB_PASSKEY_KIT_H
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

/* --- the browser ------------------------------------------------------------------------------------------------- */

static inline void kit_member(struct buf *b, const char *name, const char *literal)
{
    if (literal)
        buf_fmt(b, "%s\"%s\":%s", b->p[b->len - 1] == '{' ? "" : ",", name, literal);
}

static inline void kit_put_payment(const struct recipe *r, struct buf *b)
{
    buf_puts(b, ",\"payment\":{");
    kit_member(b, "rpId", r->pay_rp);
    kit_member(b, "rp", r->pay_old_rp);
    kit_member(b, "topOrigin", r->pay_top);
    kit_member(b, "payeeName", r->pay_name);
    kit_member(b, "payeeOrigin", r->pay_origin);
    buf_puts(b, ",\"total\":{");
    kit_member(b, "value", r->pay_value);
    kit_member(b, "currency", r->pay_currency);
    buf_puts(b, "},\"instrument\":{");
    kit_member(b, "displayName", r->pay_instrument);
    kit_member(b, "icon", r->pay_icon);
    buf_puts(b, "}");
    buf_puts(b, r->pay_more ? r->pay_more : "");
    buf_puts(b, "}");
}

static inline void kit_put_client(const struct recipe *r, struct ceremony *c)
{
    struct buf *b = &c->client;
    char challenge[80], quoted[120];
    unsigned char shown[32];
    memcpy(shown, c->challenge, sizeof shown);
    shown[5] = (unsigned char)(shown[5] ^ r->other_challenge);
    base64url_text(shown, sizeof shown, challenge);
    (void)snprintf(quoted, sizeof quoted, "\"%s%s\"", challenge, r->challenge_tail ? r->challenge_tail : "");
    buf_puts(b, r->before ? r->before : "");
    buf_puts(b, "{");
    kit_member(b, "type", r->type);
    kit_member(b, "challenge", r->no_challenge ? NULL : quoted);
    kit_member(b, "origin", r->origin);
    kit_member(b, "crossOrigin", r->cross);
    kit_member(b, "topOrigin", r->top);
    buf_puts(b, r->extra ? r->extra : "");
    if (r->kind == KIT_PAY && !r->no_payment)
        kit_put_payment(r, b);
    buf_puts(b, "}");
    buf_puts(b, r->after ? r->after : "");
}

/* --- the authenticator ------------------------------------------------------------------------------------------- */

static inline void kit_put_coordinates(const struct recipe *r, const struct crypto_parts *parts, struct buf *b)
{
    unsigned char x[72], y[72];
    memcpy(x, parts->bytes[0], parts->len[0]);
    memcpy(y, parts->bytes[1], parts->len[1]);
    y[3] = (unsigned char)(y[3] ^ r->off_curve);
    kit_int(b, -2);
    kit_bytes(b, slice_of((const char *)x, parts->len[0] - r->short_x));
    kit_int(b, -3);
    if (r->compressed)
        buf_char(b, (char)0xF5);
    else
        kit_bytes(b, slice_of((const char *)y, parts->len[1]));
}

static inline void kit_put_rsa(const struct recipe *r, const struct crypto_parts *parts, struct buf *b)
{
    kit_int(b, -1);
    kit_bytes(b, slice_of((const char *)parts->bytes[0], r->rsa_small ? 128 : parts->len[0]));
    kit_int(b, -2);
    kit_bytes(b, r->rsa_one ? SLICE("\1") : slice_of((const char *)parts->bytes[1], parts->len[1]));
}

static inline void kit_put_key(const struct passkey_kit *k, const struct recipe *r, struct buf *b)
{
    static const int64_t curves[] = {1, 2, 3, 0, 6, 7};
    static const char low[32] = {1}; /* the neutral element of Ed25519 */
    struct crypto_parts parts;
    MADE(crypto_key_parts(k->keys[r->alg], &parts));
    bool ec = r->alg <= KIT_ES512, rsa = r->alg == KIT_RS256;
    kit_head(b, 5, (ec ? 5u : 4u) + r->private_part);
    kit_int(b, 1);
    kit_int(b, r->kty ? r->kty : ec ? 2 : rsa ? 3 : 1);
    kit_int(b, 3);
    kit_int(b, r->key_alg ? r->key_alg : kit_algs[r->alg].number);
    if (rsa) {
        kit_put_rsa(r, &parts, b);
        return;
    }
    kit_int(b, -1);
    kit_int(b, r->curve ? r->curve : curves[r->alg]);
    if (ec)
        kit_put_coordinates(r, &parts, b);
    else {
        kit_int(b, -2);
        kit_bytes(b, r->ed_small ? slice_of(low, 32) : slice_of((const char *)parts.bytes[0], parts.len[0] - r->short_x));
    }
    if (r->private_part) {
        kit_int(b, -4);
        kit_bytes(b, SLICE("0123456789abcdef0123456789abcdef"));
    }
}

static inline void kit_put_data(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    struct crypto_hash h;
    struct buf *b = &c->data;
    crypto_sha256(slice_str(r->rp), &h);
    buf_put(b, h.bytes, sizeof h.bytes);
    buf_char(b, (char)r->flags);
    for (unsigned i = 0; i < 4; i++)
        buf_char(b, (char)(r->counter >> (24 - 8 * i)));
    if (r->kind == KIT_REGISTER) {
        size_t said = r->id_len + (size_t)r->id_len_more;
        buf_put(b, r->aaguid, AAGUID_BYTES);
        buf_char(b, (char)(said >> 8));
        buf_char(b, (char)(said & 0xFF));
        buf_put(b, c->id, r->id_len);
        buf_slice(b, buf_view(&c->key));
    }
    buf_slice(b, r->extensions);
    buf_slice(b, r->data_tail);
    if (r->data_bytes)
        b->len = r->data_bytes;
    UNUSED(k);
}

/* Bytes of authenticator data and the hash of client data, as they are signed. */
static inline void kit_put_signed(const struct ceremony *c, struct buf *b)
{
    struct crypto_hash h;
    crypto_sha256(buf_view(&c->client), &h);
    buf_slice(b, buf_view(&c->data));
    buf_put(b, h.bytes, sizeof h.bytes);
}

/* --- attestation ------------------------------------------------------------------------------------------------- */

static inline void kit_digest(struct slice s, bool other, struct buf *b)
{
    struct crypto_hash h;
    crypto_sha256(s, &h);
    h.bytes[7] = (unsigned char)(h.bytes[7] ^ other);
    buf_put(b, h.bytes, sizeof h.bytes);
}

/* [tag] EXPLICIT INTEGER, or SET { INTEGER }; tags of Android are above 30. */
static inline void kit_list_member(struct buf *b, unsigned tag, int value, bool set)
{
    size_t from = b->len;
    char byte = (char)value;
    if (value < 0)
        return;
    der_put(b, 0x02, slice_of(&byte, 1));
    if (set)
        der_wrap(b, from, 0x31);
    struct buf inside;
    buf_init(&inside, 64);
    buf_put(&inside, b->p + from, b->len - from);
    b->len = from;
    if (tag < 31)
        buf_char(b, (char)(0xA0 | tag));
    else {
        buf_char(b, (char)0xBF);
        buf_char(b, (char)(0x80 | tag >> 7));
        buf_char(b, (char)(tag & 0x7F));
    }
    buf_char(b, (char)inside.len);
    buf_slice(b, buf_view(&inside));
    buf_release(&inside);
}

static inline void kit_put_description(const struct recipe *r, const struct ceremony *c, struct buf *b)
{
    struct buf hash, list;
    buf_init(&hash, 64);
    buf_init(&list, 256);
    kit_digest(buf_view(&c->client), r->nonce_other, &hash);
    kit_list_member(&list, 1, r->key_purpose, true);
    if (r->all_applications)
        buf_put(&list, "\xBF\x84\x58\x02\x05\x00", 6); /* [600] NULL */
    kit_list_member(&list, 702, r->key_origin, false);
    der_put(b, 0x02, SLICE("\3"));
    der_put(b, 0x0A, SLICE("\1"));
    der_put(b, 0x02, SLICE("\4"));
    der_put(b, 0x0A, SLICE("\1"));
    der_put(b, 0x04, buf_view(&hash));
    der_put(b, 0x04, KIT_EMPTY);
    der_put(b, 0x30, r->in_software ? buf_view(&list) : KIT_EMPTY);
    der_put(b, 0x30, r->in_software ? KIT_EMPTY : buf_view(&list));
    der_wrap(b, 0, 0x30);
    buf_release(&list);
    buf_release(&hash);
}

static inline void kit_put_apple_nonce(const struct recipe *r, const struct ceremony *c, struct buf *b)
{
    struct buf data, hash;
    buf_init(&data, 1u << 14);
    buf_init(&hash, 64);
    kit_put_signed(c, &data);
    kit_digest(buf_view(&data), r->nonce_other, &hash);
    der_put(b, 0x04, buf_view(&hash));
    der_wrap(b, 0, 0xA1);
    der_wrap(b, 0, 0x30);
    buf_release(&hash);
    buf_release(&data);
}

static inline void kit_put_tpm_names(struct buf *b)
{
    der_name_part(b, "2.23.133.2.1", "id:494E5443");
    der_name_part(b, "2.23.133.2.2", "Kit");
    der_name_part(b, "2.23.133.2.3", "id:00010002");
    der_wrap(b, 0, 0x30); /* Name */
    der_wrap(b, 0, 0xA4); /* directoryName */
    der_wrap(b, 0, 0x30);
}

static inline void kit_put_extensions(const struct recipe *r, const struct ceremony *c, struct buf *out)
{
    struct buf v;
    buf_init(&v, 4096);
    der_extension(out, "2.5.29.19", true, kit_der(&v, r->cert_ca));
    buf_clear(&v);
    if (r->cert_aaguid) {
        unsigned char aaguid[AAGUID_BYTES];
        memcpy(aaguid, r->aaguid, sizeof aaguid);
        aaguid[0] = (unsigned char)(aaguid[0] ^ r->aaguid_other);
        der_put(&v, 0x04, slice_of((const char *)aaguid, sizeof aaguid));
        der_extension(out, "1.3.6.1.4.1.45724.1.1.4", r->aaguid_critical, buf_view(&v));
        buf_clear(&v);
    }
    if (r->format == ATTEST_ANDROID_KEY && !r->no_nonce) {
        kit_put_description(r, c, &v);
        der_extension(out, "1.3.6.1.4.1.11129.2.1.17", false, buf_view(&v));
    }
    if (r->format == ATTEST_APPLE && !r->no_nonce) {
        kit_put_apple_nonce(r, c, &v);
        der_extension(out, "1.2.840.113635.100.8.2", false, buf_view(&v));
    }
    if (r->format == ATTEST_TPM && !r->tpm_no_eku) {
        der_oid(&v, "2.23.133.8.3");
        der_wrap(&v, 0, 0x30);
        der_extension(out, "2.5.29.37", false, buf_view(&v));
    }
    buf_clear(&v);
    if (r->format == ATTEST_TPM && !r->tpm_no_san) {
        kit_put_tpm_names(&v);
        der_extension(out, "2.5.29.17", true, buf_view(&v));
    }
    buf_release(&v);
}

/* Whose key the certificate is for: the new one itself, or the maker's. */
static inline const struct crypto_key *kit_leaf(const struct passkey_kit *k, const struct recipe *r)
{
    if (r->format == ATTEST_ANDROID_KEY || r->format == ATTEST_APPLE)
        return r->key_other ? k->others[r->alg] : k->keys[r->alg];
    return r->leaf_384 ? k->leaf384 : k->leaf;
}

static inline void kit_put_cert(const struct passkey_kit *k, const struct recipe *r, const struct ceremony *c,
                                struct buf *out)
{
    struct buf subject, extensions;
    buf_init(&subject, 1024);
    buf_init(&extensions, 8192);
    if (r->format != ATTEST_TPM || r->tpm_subject) {
        if (r->cert_country)
            der_name_part(&subject, "2.5.4.6", r->cert_country);
        if (r->cert_org)
            der_name_part(&subject, "2.5.4.10", r->cert_org);
        if (r->cert_unit)
            der_name_part(&subject, "2.5.4.11", r->cert_unit);
        der_name_part(&subject, "2.5.4.3", "Kit authenticator");
    }
    kit_put_extensions(r, c, &extensions);
    struct cert_recipe cert = {.v1 = r->cert_v1,
                               .subject = buf_view(&subject),
                               .issuer = buf_view(&k->ca_name),
                               .until = r->cert_until,
                               .key = r->x5c_other_key ? k->others[KIT_ES256] : kit_leaf(k, r),
                               .signer = r->other_root ? k->other_ca : k->ca,
                               .extensions = buf_view(&extensions)};
    cert_put(out, &cert);
    buf_release(&extensions);
    buf_release(&subject);
}

static inline void kit_put_x5c(const struct passkey_kit *k, const struct recipe *r, const struct ceremony *c, struct buf *b)
{
    struct buf der;
    buf_init(&der, 1u << 14);
    kit_put_cert(k, r, c, &der);
    kit_text(b, "x5c");
    kit_head(b, 4, r->x5c_empty ? 0 : r->x5c_two ? 2 : 1);
    if (r->x5c_text)
        kit_text(b, "a certificate");
    else if (!r->x5c_empty)
        kit_bytes(b, r->x5c_garbage ? slice_of(der.p, der.len - 9) : buf_view(&der));
    if (r->x5c_two)
        kit_bytes(b, crypto_cert_bytes(k->root));
    buf_release(&der);
}

static inline void kit_put16(struct buf *b, unsigned v)
{
    buf_char(b, (char)(v >> 8));
    buf_char(b, (char)(v & 0xFF));
}
static inline void kit_put_2b(struct buf *b, struct slice s)
{
    kit_put16(b, (unsigned)s.len);
    buf_slice(b, s);
}

static inline void kit_put_area(const struct passkey_kit *k, const struct recipe *r, struct buf *b)
{
    struct crypto_parts parts;
    bool rsa = r->alg == KIT_RS256;
    MADE(crypto_key_parts(r->tpm_other ? k->others[r->alg] : k->keys[r->alg], &parts));
    kit_put16(b, rsa ? 0x0001 : 0x0023);
    kit_put16(b, 0x000B);
    buf_put(b, "\0\6\4\x72", 4);
    kit_put_2b(b, KIT_EMPTY);
    kit_put16(b, 0x0010); /* no symmetric algorithm, no scheme */
    kit_put16(b, 0x0010);
    if (rsa) {
        kit_put16(b, 2048);
        buf_put(b, "\0\0\0\0", 4);
    } else {
        kit_put16(b, r->alg == KIT_ES384 ? 4 : r->alg == KIT_ES512 ? 5 : 3);
        kit_put16(b, 0x0010);
    }
    kit_put_2b(b, slice_of((const char *)parts.bytes[0], parts.len[0]));
    if (!rsa)
        kit_put_2b(b, slice_of((const char *)parts.bytes[1], parts.len[1]));
    if (r->tpm_tail)
        buf_char(b, 0);
}

static inline void kit_put_info(const struct recipe *r, const struct ceremony *c, struct slice area, struct buf *b)
{
    struct buf data, hash;
    buf_init(&data, 1u << 14);
    buf_init(&hash, 128);
    kit_put_signed(c, &data);
    for (unsigned i = 0; i < 4; i++)
        buf_char(b, (char)(r->tpm_magic >> (24 - 8 * i)));
    kit_put16(b, r->tpm_type);
    kit_put_2b(b, SLICE("\0\x0Bsigner"));
    kit_digest(buf_view(&data), r->tpm_extra, &hash);
    kit_put_2b(b, buf_view(&hash));
    for (unsigned i = 0; i < 25; i++)
        buf_char(b, (char)i);
    buf_clear(&hash);
    kit_put16(&hash, 0x000B);
    kit_digest(area, r->tpm_name, &hash);
    kit_put_2b(b, buf_view(&hash));
    kit_put_2b(b, KIT_EMPTY);
    buf_release(&hash);
    buf_release(&data);
}

/* The statement's signature over `data`. */
static inline void kit_put_sig(const struct crypto_key *key, enum crypto_alg alg, const struct recipe *r, struct slice data,
                               struct buf *b)
{
    struct crypto_signature sig;
    struct buf changed;
    buf_init(&changed, 1u << 15);
    buf_slice(&changed, data);
    changed.p[changed.len - 1] = (char)(changed.p[changed.len - 1] ^ r->sig_other);
    MADE(crypto_key_sign(key, alg, CRYPTO_DER, buf_view(&changed), &sig));
    sig.bytes[sig.len - 1] = (unsigned char)(sig.bytes[sig.len - 1] ^ r->sig_bit);
    kit_text(b, "sig");
    kit_bytes(b, slice_of((const char *)sig.bytes, sig.len));
    buf_release(&changed);
}

static inline void kit_put_alg(const struct recipe *r, int64_t number, struct buf *b)
{
    if (r->no_alg)
        return;
    kit_text(b, "alg");
    kit_int(b, r->statement_alg ? r->statement_alg : number);
}

static inline void kit_put_u2f(const struct ceremony *c, const struct passkey_kit *k, struct buf *b)
{
    struct crypto_parts parts;
    MADE(crypto_key_parts(k->keys[KIT_ES256], &parts));
    buf_char(b, 0);
    buf_put(b, c->data.p, 32);
    kit_digest(buf_view(&c->client), false, b);
    buf_slice(b, c->stored.id);
    buf_char(b, 4);
    buf_put(b, parts.bytes[0], 32);
    buf_put(b, parts.bytes[1], 32);
}

static inline void kit_put_tpm(const struct passkey_kit *k, const struct recipe *r, const struct ceremony *c, struct buf *b)
{
    struct buf area, info;
    buf_init(&area, 2048);
    buf_init(&info, 2048);
    kit_put_area(k, r, &area);
    kit_put_info(r, c, buf_view(&area), &info);
    kit_head(b, 5, 6u - r->no_sig - r->no_alg);
    kit_put_alg(r, -7, b);
    if (!r->no_sig)
        kit_put_sig(k->leaf, CRYPTO_ES256, r, buf_view(&info), b);
    kit_text(b, "ver");
    kit_text(b, r->tpm_version);
    kit_put_x5c(k, r, c, b);
    kit_text(b, "pubArea");
    kit_bytes(b, buf_view(&area));
    kit_text(b, "certInfo");
    kit_bytes(b, buf_view(&info));
    buf_release(&info);
    buf_release(&area);
}

static inline void kit_put_statement(const struct passkey_kit *k, const struct recipe *r, const struct ceremony *c,
                                     struct buf *b)
{
    struct buf data;
    buf_init(&data, 1u << 15);
    kit_put_signed(c, &data);
    if (r->raw.len)
        buf_slice(b, r->raw);
    else if (r->format == ATTEST_NONE)
        kit_head(b, 5, 0);
    else if (r->format == ATTEST_TPM)
        kit_put_tpm(k, r, c, b);
    else if (r->format == ATTEST_APPLE) {
        kit_head(b, 5, 1);
        kit_put_x5c(k, r, c, b);
    } else if (r->format == ATTEST_FIDO_U2F) {
        buf_clear(&data);
        kit_put_u2f(c, k, &data);
        kit_head(b, 5, 2u - r->no_sig);
        if (!r->no_sig)
            kit_put_sig(kit_leaf(k, r), r->leaf_384 ? CRYPTO_ES384 : CRYPTO_ES256, r, buf_view(&data), b);
        kit_put_x5c(k, r, c, b);
    } else {
        bool own = r->self || r->format == ATTEST_ANDROID_KEY;
        const struct crypto_key *key = r->self ? k->keys[r->alg] : kit_leaf(k, r);
        kit_head(b, 5, (r->self ? 2u : 3u) - r->no_sig - r->no_alg);
        kit_put_alg(r, own ? kit_algs[r->alg].number : -7, b);
        if (!r->no_sig)
            kit_put_sig(key, own ? kit_algs[r->alg].alg : CRYPTO_ES256, r, buf_view(&data), b);
        if (!r->self)
            kit_put_x5c(k, r, c, b);
    }
    buf_release(&data);
}

static inline void kit_put_object(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    struct buf *b = &c->object, data;
    buf_init(&data, 1u << 14);
    kit_text(&data, "authData");
    if (r->long_length) { /* a length in four bytes where two do */
        buf_put(&data, "\x5A\0\0", 3);
        kit_put16(&data, (unsigned)c->data.len);
        buf_slice(&data, buf_view(&c->data));
    } else
        kit_bytes(&data, buf_view(&c->data));
    if (r->indefinite)
        buf_char(b, (char)0xBF);
    else
        kit_head(b, 5, 3u - !r->fmt + r->fmt_twice - r->no_statement - r->no_data);
    if (r->other_order && !r->no_data)
        buf_slice(b, buf_view(&data));
    for (int i = 0; r->fmt && i < 1 + r->fmt_twice; i++) {
        kit_text(b, "fmt");
        kit_text(b, r->fmt);
    }
    kit_put_statement(k, r, c, &c->statement);
    if (!r->no_statement) {
        kit_text(b, "attStmt");
        buf_slice(b, buf_view(&c->statement));
    }
    if (!r->other_order && !r->no_data)
        buf_slice(b, buf_view(&data));
    if (r->indefinite)
        buf_char(b, (char)0xFF);
    buf_slice(b, r->object_tail);
    buf_release(&data);
}

/* --- ceremonies -------------------------------------------------------------------------------------------------- */

/* A right one: which, and what is random in it, by `rng`. */
static inline struct recipe recipe_make(enum kit_kind kind, enum attest_format format, bool self, unsigned alg,
                                        struct rng *rng)
{
    struct recipe r = {.kind = kind,
                       .format = format,
                       .self = self,
                       .alg = alg,
                       .type = kind == KIT_REGISTER  ? "\"webauthn.create\""
                               : kind == KIT_SIGN_IN ? "\"webauthn.get\""
                                                     : "\"payment.get\"",
                       .origin = "\"" KIT_ORIGIN "\"",
                       .cross = rng_chance(rng, 0.8) ? "false" : NULL,
                       .extra = rng_chance(rng, 0.3) ? ",\"other_keys_can_be_added_here\":\"do not compare\"" : NULL,
                       .pay_rp = "\"" KIT_RP "\"",
                       .pay_old_rp = rng_chance(rng, 0.5) ? "\"" KIT_RP "\"" : NULL,
                       .pay_top = "\"" KIT_TOP "\"",
                       .pay_name = "\"Example store\"",
                       .pay_origin = "\"" KIT_TOP "\"",
                       .pay_value = "\"6.48\"",
                       .pay_currency = "\"EUR\"",
                       .pay_instrument = "\"Wallet \\u2022\\u2022 1234\"",
                       .pay_icon = "\"" KIT_ICON "\"",
                       .fmt = attest_format_name(format),
                       .rp = KIT_RP,
                       .flags = AUTH_UP | AUTH_UV | (kind == KIT_REGISTER ? AUTH_AT : 0),
                       .counter = rng_chance(rng, 0.5) ? 0 : (uint32_t)rng_between(rng, 10, 1000000),
                       .id_len = (size_t)rng_between(rng, 16, 128),
                       .tpm_version = "2.0",
                       .tpm_magic = 0xFF544347,
                       .tpm_type = 0x8017,
                       .key_origin = 0,
                       .key_purpose = 2,
                       .in_software = rng_chance(rng, 0.3),
                       .cert_aaguid = format == ATTEST_PACKED && rng_chance(rng, 0.5),
                       .cert_country = "NL",
                       .cert_org = "Kit",
                       .cert_unit = "Authenticator Attestation",
                       .cert_until = "490101000000Z"};
    if (rng_chance(rng, 0.6))
        r.flags |= AUTH_BE | (rng_chance(rng, 0.7) ? AUTH_BS : 0u);
    r.stored_counter = r.counter ? r.counter - 1 : 0;
    for (size_t i = 0; i < sizeof r.aaguid; i++)
        r.aaguid[i] = format == ATTEST_FIDO_U2F ? 0 : (unsigned char)rng_u64(rng);
    return r;
}

static inline void ceremony_init(struct ceremony *c)
{
    *c = (struct ceremony){0};
    buf_init(&c->client, 1u << 15);
    buf_init(&c->object, CBOR_BYTES_MAX);
    buf_init(&c->data, 1u << 14);
    buf_init(&c->signature, 4096);
    buf_init(&c->key, 4096);
    buf_init(&c->statement, 1u << 15);
}

static inline void ceremony_release(struct ceremony *c)
{
    buf_release(&c->client);
    buf_release(&c->object);
    buf_release(&c->data);
    buf_release(&c->signature);
    buf_release(&c->key);
    buf_release(&c->statement);
}

static inline void kit_expect(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    c->origin[0] = SLICE(KIT_ORIGIN);
    for (unsigned i = 0; i < KIT_ALGS; i++)
        c->algorithms[i] = kit_algs[i].number;
    c->payment = (struct webauthn_payment){.rp_id = SLICE(KIT_RP),
                                           .top_origin = SLICE(KIT_TOP),
                                           .payee_name = r->payee_unknown ? KIT_EMPTY : SLICE("Example store"),
                                           .payee_origin = SLICE(KIT_TOP),
                                           .value = SLICE("6.48"),
                                           .currency = SLICE("EUR"),
                                           .instrument_name = SLICE("Wallet \u2022\u2022 1234"),
                                           .instrument_icon = SLICE(KIT_ICON)};
    c->expect = (struct webauthn_expect){.challenge = slice_of((const char *)c->challenge, sizeof c->challenge),
                                         .rp_id = SLICE(KIT_RP),
                                         .origins = c->origin,
                                         .origins_count = 1,
                                         .user_verified = true,
                                         .algorithms = c->algorithms,
                                         .algorithms_count = r->only_es256 ? 1 : KIT_ALGS,
                                         .roots = &k->root,
                                         .roots_count = 1,
                                         .trusted = r->want_trusted,
                                         .now_us = KIT_NOW_US,
                                         .payment = r->kind == KIT_PAY ? &c->payment : NULL,
                                         .user_handle = true};
}

static inline void kit_sign(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    struct buf data;
    struct crypto_signature sig;
    buf_init(&data, 1u << 15);
    kit_put_signed(c, &data);
    data.p[data.len - 1] = (char)(data.p[data.len - 1] ^ r->sig_other);
    MADE(crypto_key_sign(r->sign_other ? k->others[r->alg] : k->keys[r->alg], kit_algs[r->alg].alg,
                         r->sig_raw ? CRYPTO_RAW : CRYPTO_DER, buf_view(&data), &sig));
    sig.bytes[sig.len - 1] = (unsigned char)(sig.bytes[sig.len - 1] ^ r->sig_bit);
    buf_put(&c->signature, sig.bytes, r->sig_empty ? 0 : sig.len);
    buf_puts(&c->signature, r->sig_tail ? r->sig_tail : "");
    buf_puts(&c->client, r->client_tail ? r->client_tail : "");
    buf_release(&data);
}

/* Makes what the browser sends, and what the server expects; `c` may have been used before. */
static inline void ceremony_make(const struct passkey_kit *k, const struct recipe *r, struct rng *rng, struct ceremony *c)
{
    buf_clear(&c->client);
    buf_clear(&c->object);
    buf_clear(&c->data);
    buf_clear(&c->signature);
    buf_clear(&c->key);
    buf_clear(&c->statement);
    for (size_t i = 0; i < sizeof c->challenge; i++)
        c->challenge[i] = (unsigned char)rng_u64(rng);
    for (size_t i = 0; i < sizeof c->id; i++)
        c->id[i] = (unsigned char)rng_u64(rng);
    if (r->use_challenge.len)
        memcpy(c->challenge, r->use_challenge.p, sizeof c->challenge);
    if (r->use_id.len)
        memcpy(c->id, r->use_id.p, r->use_id.len);
    kit_expect(k, r, c);
    kit_put_key(k, r, &c->key);
    c->stored = (struct webauthn_credential){.id = slice_of((const char *)c->id, r->id_len),
                                             .public_key = buf_view(&c->key),
                                             .user_handle = SLICE(KIT_USER),
                                             .counter = r->stored_counter,
                                             .backup_eligible = r->eligible_turned != (bool)(r->flags & AUTH_BE)};
    kit_put_client(r, c);
    kit_put_data(k, r, c);
    if (r->kind == KIT_REGISTER)
        kit_put_object(k, r, c);
    else
        kit_sign(k, r, c);
    c->registration = (struct webauthn_registration){buf_view(&c->client), buf_view(&c->object)};
    c->assertion =
        (struct webauthn_assertion){.credential_id = r->credential_other ? slice_of((const char *)c->id, 15) : c->stored.id,
                                    .client_data = buf_view(&c->client),
                                    .authenticator_data = buf_view(&c->data),
                                    .signature = buf_view(&c->signature),
                                    .user_handle = r->use_user.len   ? r->use_user
                                                   : r->user_missing ? KIT_EMPTY
                                                   : r->user_other   ? SLICE("user-handle-0002")
                                                                     : SLICE(KIT_USER)};
    ASSERT(!c->client.err && !c->object.err && !c->data.err && !c->signature.err && !c->key.err);
}
#endif
