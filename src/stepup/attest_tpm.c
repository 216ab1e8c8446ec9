/* attest_tpm.c - 'tpm' (WebAuthn L3, 8.3): a TPM 2.0 certifies its key by an attestation identity key.
 *
 *   pubArea  TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4): type, nameAlg, objectAttributes, authPolicy, parameters, unique
 *   certInfo TPMS_ATTEST (10.12.8): magic, type, qualifiedSigner, extraData, clockInfo, firmwareVersion, name, qualifiedName
 * Numbers are big-endian; a TPM2B is a length of 16 bits and as many bytes.
 */
#include "stepup/attest.h"

enum { TPM_ALG_RSA = 1, TPM_ALG_SHA256 = 0x0B, TPM_ALG_SHA384, TPM_ALG_SHA512, TPM_ALG_NULL = 0x10, TPM_ALG_ECDAA = 0x1A };
enum { TPM_ALG_ECC = 0x23, TPM_ST_ATTEST_CERTIFY = 0x8017 };
#define TPM_GENERATED_VALUE 0xFF544347u
#define OID_AIK "2.23.133.8.3" /* tcg-kp-AIKCertificate */

/* A cursor that stays broken once something was not there. */
struct reader {
    struct slice rest;
    bool broken;
};

static struct slice take(struct reader *r, size_t len)
{
    struct slice s = slice_of(r->rest.p, len);
    if (r->broken || r->rest.len < len) {
        r->broken = true;
        return slice_of("", 0);
    }
    r->rest = slice_of(r->rest.p + len, r->rest.len - len);
    return s;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
    struct slice s = take(r, bytes);
    uint32_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | (uint8_t)s.p[i];
    return v;
}

static struct slice take_2b(struct reader *r) { return take(r, take_number(r, 2)); }

/* A scheme: an algorithm and, unless it is none, a hash; of ECDAA a count too (11.2.1.5, 11.2.3). */
static void skip_scheme(struct reader *r)
{
    uint32_t scheme = take_number(r, 2);
    if (scheme != TPM_ALG_NULL)
        (void)take_number(r, 2);
    if (scheme == TPM_ALG_ECDAA)
        (void)take_number(r, 2);
}

/* TPMT_SYM_DEF_OBJECT: an algorithm and, unless it is none, key bits and mode (11.1.7). */
static void skip_symmetric(struct reader *r)
{
    if (take_number(r, 2) != TPM_ALG_NULL)
        (void)take(r, 4);
}

static enum keer_err key_of_rsa(struct reader *r, struct crypto_key **ret_key)
{
    unsigned char e[4];
    skip_symmetric(r);
    skip_scheme(r);
    uint32_t bits = take_number(r, 2), exponent = take_number(r, 4);
    struct slice n = take_2b(r);
    if (r->broken || n.len * 8 != bits)
        return KEER_EFORMAT;
    if (exponent == 0) /* 12.2.3.5: the default */
        exponent = 65537;
    size_t skip = 0;
    for (size_t i = 0; i < sizeof e; i++)
        e[i] = (unsigned char)(exponent >> (24 - 8 * i));
    while (e[skip] == 0)
        skip++;
    return crypto_key_rsa(n, slice_of((const char *)e + skip, sizeof e - skip), ret_key);
}

/* A coordinate as wide as its field. */
static bool widen(struct slice s, size_t width, unsigned char *ret_bytes)
{
    if (s.len > width)
        return false;
    memset(ret_bytes, 0, width - s.len);
    memcpy(ret_bytes + width - s.len, s.p, s.len);
    return true;
}

static enum keer_err key_of_ecc(struct reader *r, struct crypto_key **ret_key)
{
    static const struct {
        enum crypto_key_kind kind;
        size_t width;
    } curves[] = {{CRYPTO_P256, 32}, {CRYPTO_P384, 48}, {CRYPTO_P521, 66}}; /* TPM_ECC_NIST_P256 is 3 */
    unsigned char x[66], y[66];
    skip_symmetric(r);
    skip_scheme(r);
    uint32_t curve = take_number(r, 2);
    skip_scheme(r); /* kdf */
    struct slice sx = take_2b(r), sy = take_2b(r);
    if (r->broken || curve < 3 || curve - 3 >= ARRAY_LEN(curves))
        return KEER_EFORMAT;
    size_t width = curves[curve - 3].width;
    if (!widen(sx, width, x) || !widen(sy, width, y))
        return KEER_EFORMAT;
    return crypto_key_ec(curves[curve - 3].kind, slice_of((const char *)x, width), slice_of((const char *)y, width),
                         ret_key);
}

/* The key of pubArea is the credential's. KEER_ENOMEM. */
static enum keer_err same_key(const struct attest_work *w, struct slice area, enum crypto_digest *ret_name_digest,
                              enum webauthn_verdict *ret_verdict)
{
    static const enum crypto_digest digests[] = {CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};
    struct reader r = {area, false};
    struct crypto_key *key = NULL;
    enum keer_err err = KEER_EFORMAT;
    uint32_t type = take_number(&r, 2), name_alg = take_number(&r, 2);
    (void)take_number(&r, 4); /* objectAttributes */
    (void)take_2b(&r);        /* authPolicy */
    if (type == TPM_ALG_RSA)
        err = key_of_rsa(&r, &key);
    else if (type == TPM_ALG_ECC)
        err = key_of_ecc(&r, &key);
    bool whole = !r.broken && r.rest.len == 0 && name_alg >= TPM_ALG_SHA256 && name_alg <= TPM_ALG_SHA512;
    if (err != KEER_OK || !whole)
        *ret_verdict = WEBAUTHN_STATEMENT;
    else
        *ret_verdict = crypto_key_eq(key, w->given->key->key) ? WEBAUTHN_OK : WEBAUTHN_ATTESTED_KEY;
    if (whole)
        *ret_name_digest = digests[name_alg - TPM_ALG_SHA256];
    crypto_key_free(key);
    return err == KEER_ENOMEM ? err : KEER_OK;
}

struct cert_info {
    uint32_t magic, type;
    struct slice extra, name;
};

static bool read_cert_info(struct slice bytes, struct cert_info *ret)
{
    struct reader r = {bytes, false};
    struct cert_info c = {0};
    c.magic = take_number(&r, 4);
    c.type = take_number(&r, 2);
    (void)take_2b(&r); /* qualifiedSigner */
    c.extra = take_2b(&r);
    (void)take(&r, 8 + 4 + 4 + 1 + 8); /* clockInfo, firmwareVersion */
    c.name = take_2b(&r);
    (void)take_2b(&r); /* qualifiedName */
    *ret = c;
    return !r.broken && r.rest.len == 0;
}

/* Digest of a signature algorithm; CRYPTO_DIGEST_NONE where it has none of its own. */
static enum crypto_digest digest_of(enum crypto_alg alg)
{
    static const enum crypto_digest digests[] = {
#define CRYPTO_ALG(id, jose, family, kind, digest) digest,
#include "base/crypto_algs.def"
#undef CRYPTO_ALG
    };
    return digests[alg];
}

/* certInfo is about this ceremony (extraData) and about the key of pubArea (name). */
static enum keer_err check_cert_info(const struct attest_work *w, const struct cert_info *c, struct slice area,
                                     enum crypto_digest name_digest, enum webauthn_verdict *ret_verdict)
{
    unsigned char hash[CRYPTO_DIGEST_BYTES_MAX];
    int64_t number;
    enum crypto_alg alg;
    *ret_verdict = WEBAUTHN_STATEMENT;
    if (c->magic != TPM_GENERATED_VALUE || c->type != TPM_ST_ATTEST_CERTIFY)
        return KEER_OK;
    if (!attest_alg(w, &number) || !cose_alg(number, &alg) || digest_of(alg) == CRYPTO_DIGEST_NONE)
        return KEER_OK;
    enum keer_err err = crypto_digest(digest_of(alg), w->signed_data, hash);
    if (err != KEER_OK)
        return err;
    *ret_verdict = WEBAUTHN_NONCE;
    if (!slice_eq(c->extra, slice_of((const char *)hash, crypto_digest_len(digest_of(alg)))))
        return KEER_OK;
    err = crypto_digest(name_digest, area, hash);
    if (err != KEER_OK)
        return err;
    /* nameAlg is at offset 2 of pubArea; a name is nameAlg || hash (TPM 2.0 Part 1, 16) */
    size_t len = crypto_digest_len(name_digest);
    bool same = c->name.len == 2 + len && memcmp(c->name.p, area.p + 2, 2) == 0 && memcmp(c->name.p + 2, hash, len) == 0;
    *ret_verdict = same ? WEBAUTHN_OK : WEBAUTHN_ATTESTED_KEY;
    return KEER_OK;
}

/* 8.3.1. That the subjectAltName names a manufacturer, a model and a version is checked; that the manufacturer is one that
 * TCG lists is for the roots to say. */
static enum keer_err check_certificate(const struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    static const char *const names[] = {"2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"};
    const struct crypto_cert *cert = w->chain[0];
    enum keer_err err = KEER_OK;
    bool right = crypto_cert_version(cert) == 3 && crypto_cert_subject_count(cert) == 0 &&
                 crypto_cert_has_eku(cert, OID_AIK) && !crypto_cert_is_ca(cert);
    for (size_t i = 0; i < ARRAY_LEN(names) && right; i++) {
        struct buf b;
        buf_init(&b, 256);
        right = crypto_cert_san_directory(cert, names[i], &b) && b.len > 0 && b.err == KEER_OK;
        if (b.err == KEER_ENOMEM)
            err = b.err;
        buf_release(&b);
    }
    *ret_verdict = !right ? WEBAUTHN_CERTIFICATE : attest_aaguid(w) ? WEBAUTHN_OK : WEBAUTHN_ATTESTED_KEY;
    return err;
}

enum keer_err attest_tpm(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    struct cbor_item version;
    struct slice area, info;
    struct cert_info c;
    enum crypto_digest name_digest = CRYPTO_SHA256;
    *ret_verdict = WEBAUTHN_STATEMENT;
    if (!cbor_find_kind(&w->given->statement, "ver", CBOR_TEXT, &version) || !slice_eq(version.inside, SLICE("2.0")) ||
        !attest_bytes(w, "pubArea", &area) || !attest_bytes(w, "certInfo", &info) || !read_cert_info(info, &c))
        return KEER_OK;
    enum keer_err err = same_key(w, area, &name_digest, ret_verdict);
    if (err == KEER_OK && *ret_verdict == WEBAUTHN_OK)
        err = check_cert_info(w, &c, area, name_digest, ret_verdict);
    if (err == KEER_OK && *ret_verdict == WEBAUTHN_OK)
        err = attest_x5c(w, ret_verdict);
    if (err == KEER_OK && *ret_verdict == WEBAUTHN_OK)
        *ret_verdict = attest_signature(w, info);
    if (err == KEER_OK && *ret_verdict == WEBAUTHN_OK)
        err = check_certificate(w, ret_verdict);
    w->trust = ATTEST_TRUSTED;
    return err;
}
