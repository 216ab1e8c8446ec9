/* passkey_attestation.h - statements and certificates of attestation, right or wrong as a recipe says. */
#ifndef TESTS_LIB_PASSKEY_ATTESTATION_H
#define TESTS_LIB_PASSKEY_ATTESTATION_H
#include "lib/passkey_recipe.h"

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
#endif
