/* crypto_key.c - keys and signatures, by OpenSSL's EVP.
 *
 * OpenSSL tells little of why something failed, and what it tells depends on its version: so that an answer here is read
 * from the bytes (a length, a kind, a bound) wherever it can be, and what remains is 'no such key' or, when the queue of
 * errors says so, want of memory.
 */
#include "base/crypto_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/crypto_inside.h"

struct crypto_key {
    EVP_PKEY *pkey;
    enum crypto_key_kind kind;
    bool is_private;
};

static const struct {
    const char *name, *group;
    unsigned bits;
    size_t width; /* bytes of a coordinate, or of the raw key */
} kinds[] = {
    [CRYPTO_P256] = {"EC", "prime256v1", 256, 32}, [CRYPTO_P384] = {"EC", "secp384r1", 384, 48},
    [CRYPTO_P521] = {"EC", "secp521r1", 521, 66},  [CRYPTO_RSA] = {"RSA", NULL, 0, 0},
    [CRYPTO_ED25519] = {"ED25519", NULL, 256, 32}, [CRYPTO_ED448] = {"ED448", NULL, 456, 57},
};
static_assert(ARRAY_LEN(kinds) == CRYPTO_KEY_MAX, "a row per kind");

enum family { EC, RSA_, PSS, ED };
#define RSA RSA_
static const struct {
    const char *name;
    enum family family;
    enum crypto_key_kind kind;
    enum crypto_digest digest;
} algs[] = {
#define CRYPTO_ALG(id, jose, family, kind, digest) {jose, family, kind, digest},
#include "base/crypto_algs.def"
#undef CRYPTO_ALG
};
#undef RSA
static_assert(ARRAY_LEN(algs) == CRYPTO_ALG_MAX, "a row per algorithm");

static const struct {
    const char *name;
    size_t len;
} digests[] = {{"SHA1", 20}, {"SHA2-256", 32}, {"SHA2-384", 48}, {"SHA2-512", 64}, {NULL, 0}};
static_assert(ARRAY_LEN(digests) == CRYPTO_DIGEST_MAX, "a row per digest");

/* The library's own context and what is fetched from it once; written by crypto_key_start alone. */
static OSSL_LIB_CTX *context;
static EVP_MD *fetched[CRYPTO_DIGEST_MAX];
static EVP_MAC *hmac;

OSSL_LIB_CTX *crypto_context(void) { return context; }

enum keer_err crypto_key_start(void)
{
    if (context)
        return KEER_OK;
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();
    bool ok = made != NULL;
    for (unsigned d = 0; ok && digests[d].name; d++)
        ok = (fetched[d] = EVP_MD_fetch(made, digests[d].name, NULL)) != NULL;
    ok = ok && (hmac = EVP_MAC_fetch(made, "HMAC", NULL)) != NULL;
    ERR_clear_error();
    if (ok) {
        context = made;
        return KEER_OK;
    }
    EVP_MAC_free(hmac);
    for (unsigned d = 0; d < CRYPTO_DIGEST_MAX; d++) {
        EVP_MD_free(fetched[d]);
        fetched[d] = NULL;
    }
    hmac = NULL;
    OSSL_LIB_CTX_free(made);
    return KEER_EIO;
}

/* Why OpenSSL failed, and its queue is empty afterwards. */
static enum keer_err why(enum keer_err otherwise)
{
    unsigned long e;
    bool memory = false;
    while ((e = ERR_get_error()) != 0)
        memory = memory || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return memory ? KEER_ENOMEM : otherwise;
}

/* --- algorithms --------------------------------------------------------------------------------------------------- */
const char *crypto_alg_name(enum crypto_alg alg)
{
    ASSERT(alg < CRYPTO_ALG_MAX);
    return algs[alg].name;
}

enum crypto_alg crypto_alg_of(struct slice name)
{
    for (unsigned i = 0; i < CRYPTO_ALG_MAX; i++)
        if (name.len && slice_eq(name, slice_str(algs[i].name)))
            return (enum crypto_alg)i;
    return CRYPTO_ALG_MAX;
}

/* --- making keys ---------------------------------------------------------------------------------------------------- */
static enum keer_err kind_of(EVP_PKEY *pkey, enum crypto_key_kind *ret_kind)
{
    char group[32] = "";
    int is_explicit = 0;
    if (EVP_PKEY_is_a(pkey, "EC")) {
        OSSL_PARAM ask[] = {OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit),
                            OSSL_PARAM_construct_end()};
        /* A curve spelled out, even a known one, is how CVE-2020-0601 came about. */
        if (EVP_PKEY_get_params(pkey, ask) != 1 || is_explicit != 0 ||
            EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1)
            return why(KEER_EUNSUPPORTED);
    }
    for (unsigned k = 0; k < CRYPTO_KEY_MAX; k++) {
        if (EVP_PKEY_is_a(pkey, kinds[k].name) && (!kinds[k].group || strcmp(group, kinds[k].group) == 0)) {
            *ret_kind = (enum crypto_key_kind)k;
            return KEER_OK;
        }
    }
    return KEER_EUNSUPPORTED;
}

/* SP 800-56B 6.2 and 6.4.1: what can be seen of an RSA key without its factors. */
static enum keer_err check_rsa(EVP_PKEY *pkey)
{
    BIGNUM *n = NULL, *e = NULL;
    enum keer_err err = KEER_OK;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        err = why(KEER_EFORMAT);
    else if (BN_num_bits(n) < CRYPTO_RSA_BITS_MIN || BN_num_bits(n) > CRYPTO_RSA_BITS_MAX || BN_num_bits(e) > 64 ||
             BN_num_bits(e) < 17 || BN_is_word(e, 65536) || !BN_is_odd(e) || !BN_is_odd(n))
        err = KEER_ERANGE;
    BN_free(n);
    BN_free(e);
    return err;
}

static enum keer_err check_ed25519(EVP_PKEY *pkey)
{
    unsigned char raw[32];
    size_t len = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 || len != sizeof raw)
        return why(KEER_EFORMAT);
    return crypto_core_ed25519_is_valid_point(raw) ? KEER_OK : KEER_EFORMAT;
}

static enum keer_err check(EVP_PKEY *pkey, enum crypto_key_kind kind, bool is_private)
{
    enum keer_err err = kind == CRYPTO_RSA ? check_rsa(pkey) : kind == CRYPTO_ED25519 ? check_ed25519(pkey) : KEER_OK;
    if (err != KEER_OK || kind == CRYPTO_RSA)
        return err; /* of an RSA key more than this would ask whether its factors are primes */
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(context, pkey, NULL);
    if (!ctx || EVP_PKEY_public_check(ctx) != 1 || (is_private && EVP_PKEY_pairwise_check(ctx) != 1))
        err = why(ctx ? KEER_EFORMAT : KEER_ENOMEM);
    EVP_PKEY_CTX_free(ctx);
    return err;
}

enum keer_err crypto_key_take(EVP_PKEY *pkey, bool is_private, struct crypto_key **ret_key)
{
    enum crypto_key_kind kind;
    if (!pkey)
        return why(KEER_EFORMAT);
    enum keer_err err = kind_of(pkey, &kind);
    if (err == KEER_OK)
        err = check(pkey, kind, is_private);
    struct crypto_key *key = err == KEER_OK ? malloc(sizeof *key) : NULL;
    ERR_clear_error();
    if (!key) {
        EVP_PKEY_free(pkey);
        return err == KEER_OK ? KEER_ENOMEM : err;
    }
    *key = (struct crypto_key){pkey, kind, is_private};
    *ret_key = key;
    return KEER_OK;
}

/* Takes `build`: a public key of its parameters. */
static enum keer_err from_params(const char *name, OSSL_PARAM_BLD *build, bool ok, struct crypto_key **ret_key)
{
    OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(build) : NULL;
    EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(context, name, NULL) : NULL;
    EVP_PKEY *pkey = NULL;
    enum keer_err err = KEER_OK;
    if (!ctx)
        err = why(KEER_ENOMEM);
    else if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        err = why(KEER_EFORMAT);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return err == KEER_OK ? crypto_key_take(pkey, /* is_private */ false, ret_key) : err;
}

enum keer_err crypto_key_ec(enum crypto_key_kind curve, struct slice x, struct slice y, struct crypto_key **ret_key)
{
    unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    if (curve >= CRYPTO_KEY_MAX || !kinds[curve].group)
        return KEER_EUNSUPPORTED;
    size_t width = kinds[curve].width;
    if (x.len != width || y.len != width)
        return KEER_EFORMAT;
    memcpy(point + 1, x.p, width);
    memcpy(point + 1 + width, y.p, width);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    bool ok = build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, kinds[curve].group, 0) &&
              OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width);
    return from_params("EC", build, ok, ret_key);
}

enum keer_err crypto_key_rsa(struct slice n, struct slice e, struct crypto_key **ret_key)
{
    if (n.len == 0 || e.len == 0 || n.p[0] == 0 || e.p[0] == 0)
        return KEER_EFORMAT;
    if (n.len < CRYPTO_RSA_BITS_MIN / 8 || n.len > CRYPTO_RSA_BITS_MAX / 8 || e.len > 8)
        return KEER_ERANGE;
    BIGNUM *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.len, NULL);
    BIGNUM *be = BN_bin2bn((const unsigned char *)e.p, (int)e.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    bool ok = bn && be && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) &&
              OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be);
    enum keer_err err = from_params("RSA", build, ok, ret_key);
    BN_free(bn);
    BN_free(be);
    return err;
}

enum keer_err crypto_key_ed(enum crypto_key_kind kind, struct slice raw, struct crypto_key **ret_key)
{
    if (kind != CRYPTO_ED25519 && kind != CRYPTO_ED448)
        return KEER_EUNSUPPORTED;
    if (raw.len != kinds[kind].width)
        return KEER_EFORMAT;
    return crypto_key_take(
        EVP_PKEY_new_raw_public_key_ex(context, kinds[kind].name, NULL, (const unsigned char *)raw.p, raw.len),
        /* is_private */ false, ret_key);
}

enum keer_err crypto_key_spki(struct slice der, struct crypto_key **ret_key)
{
    const unsigned char *at = (const unsigned char *)der.p;
    if (der.len == 0 || der.len > CRYPTO_PRIVATE_BYTES)
        return KEER_EFORMAT;
    EVP_PKEY *pkey = d2i_PUBKEY_ex(NULL, &at, (long)der.len, context, NULL);
    if (pkey && at != (const unsigned char *)der.p + der.len) { /* something follows */
        EVP_PKEY_free(pkey);
        return KEER_EFORMAT;
    }
    return crypto_key_take(pkey, /* is_private */ false, ret_key);
}

/* A PEM with a password has none here: without this OpenSSL would ask at the terminal. */
static int no_password(char *to, int size, int writing, void *ctx)
{
    UNUSED(to);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(ctx);
    return -1;
}

static enum keer_err read_pem(struct slice pem, bool is_private, struct crypto_key **ret_key)
{
    if (pem.len == 0 || pem.len > 2 * CRYPTO_PRIVATE_BYTES)
        return KEER_EFORMAT;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    if (!bio)
        return why(KEER_ENOMEM);
    EVP_PKEY *pkey = is_private ? PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, context, NULL)
                                : PEM_read_bio_PUBKEY_ex(bio, NULL, no_password, NULL, context, NULL);
    BIO_free(bio);
    return crypto_key_take(pkey, is_private, ret_key);
}

enum keer_err crypto_key_pem(struct slice pem, struct crypto_key **ret_key)
{
    return read_pem(pem, /* is_private */ false, ret_key);
}
enum keer_err crypto_key_private_pem(struct slice pem, struct crypto_key **ret_key)
{
    return read_pem(pem, /* is_private */ true, ret_key);
}

enum keer_err crypto_key_private_der(struct slice der, struct crypto_key **ret_key)
{
    const unsigned char *at = (const unsigned char *)der.p;
    if (der.len == 0 || der.len > CRYPTO_PRIVATE_BYTES)
        return KEER_EFORMAT;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    EVP_PKEY *pkey = info && at == (const unsigned char *)der.p + der.len ? EVP_PKCS82PKEY_ex(info, context, NULL) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return crypto_key_take(pkey, /* is_private */ true, ret_key);
}

enum keer_err crypto_key_generate(enum crypto_key_kind kind, unsigned bits, struct crypto_key **ret_key)
{
    if (kind >= CRYPTO_KEY_MAX)
        return KEER_EUNSUPPORTED;
    if (kind == CRYPTO_RSA && (bits < CRYPTO_RSA_BITS_MIN || bits > CRYPTO_RSA_BITS_MAX))
        return KEER_ERANGE;
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(context, kinds[kind].name, NULL);
    bool ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 &&
              (kind != CRYPTO_RSA || EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1) &&
              (!kinds[kind].group || EVP_PKEY_CTX_set_group_name(ctx, kinds[kind].group) == 1) &&
              EVP_PKEY_generate(ctx, &pkey) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? crypto_key_take(pkey, /* is_private */ true, ret_key) : why(KEER_ENOMEM);
}

void crypto_key_free(struct crypto_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

/* --- what a key is ---------------------------------------------------------------------------------------------------- */
enum crypto_key_kind crypto_key_kind(const struct crypto_key *key) { return key->kind; }
bool crypto_key_private(const struct crypto_key *key) { return key->is_private; }
unsigned crypto_key_bits(const struct crypto_key *key)
{
    return key->kind == CRYPTO_RSA ? (unsigned)EVP_PKEY_get_bits(key->pkey) : kinds[key->kind].bits;
}

bool crypto_key_fits(const struct crypto_key *key, enum crypto_alg alg)
{
    if (alg >= CRYPTO_ALG_MAX)
        return false;
    return algs[alg].family == ED ? key->kind == CRYPTO_ED25519 || key->kind == CRYPTO_ED448 : key->kind == algs[alg].kind;
}

bool crypto_key_eq(const struct crypto_key *a, const struct crypto_key *b)
{
    bool same = a->kind == b->kind && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error();
    return same;
}

enum keer_err crypto_key_parts(const struct crypto_key *key, struct crypto_parts *ret_parts)
{
    static const char *const names[2][2] = {{OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y},
                                            {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E}};
    if (key->kind == CRYPTO_ED25519 || key->kind == CRYPTO_ED448) {
        ret_parts->len[0] = kinds[key->kind].width;
        ret_parts->len[1] = 0;
        return EVP_PKEY_get_raw_public_key(key->pkey, ret_parts->bytes[0], &ret_parts->len[0]) == 1 ? KEER_OK
                                                                                                    : why(KEER_ENOMEM);
    }
    for (unsigned i = 0; i < 2; i++) {
        BIGNUM *v = NULL;
        if (EVP_PKEY_get_bn_param(key->pkey, names[key->kind == CRYPTO_RSA][i], &v) != 1)
            return why(KEER_ENOMEM);
        ret_parts->len[i] = key->kind == CRYPTO_RSA ? (size_t)BN_num_bytes(v) : kinds[key->kind].width;
        ASSERT(ret_parts->len[i] <= sizeof ret_parts->bytes[i]);
        (void)BN_bn2binpad(v, ret_parts->bytes[i], (int)ret_parts->len[i]);
        BN_free(v);
    }
    return KEER_OK;
}

/* Takes what i2d gave. */
static enum keer_err put_der(struct buf *b, unsigned char *der, int len)
{
    if (len <= 0)
        return why(KEER_ENOMEM);
    buf_put(b, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    ERR_clear_error();
    return b->err;
}

enum keer_err crypto_key_put_spki(const struct crypto_key *key, struct buf *b)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    return put_der(b, der, len);
}

enum keer_err crypto_key_put_private_der(const struct crypto_key *key, struct buf *b)
{
    if (!key->is_private)
        return KEER_EINVALID;
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    return put_der(b, der, len);
}

enum keer_err crypto_key_put_private_pem(const struct crypto_key *key, struct buf *b)
{
    if (!key->is_private)
        return KEER_EINVALID;
    BIO *bio = BIO_new(BIO_s_secmem());
    char *at = NULL;
    bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, /* cipher */ NULL, NULL, 0, no_password, NULL) == 1;
    long len = ok ? BIO_get_mem_data(bio, &at) : 0;
    enum keer_err err = len > 0 ? KEER_OK : why(KEER_ENOMEM);
    if (err == KEER_OK) {
        buf_put(b, at, (size_t)len);
        err = b->err;
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

/* --- signatures ---------------------------------------------------------------------------------------------------------
 */
/* r || s as DER into `der`, whose room is the longest there is; its length, 0 on failure. */
#define ECDSA_DER_MAX \
    141 /* two integers of 66 bytes, each with a sign byte and a head of 2, in a sequence with a head of 3 */
static size_t raw_to_der(struct slice raw, size_t width, unsigned char der[ECDSA_DER_MAX])
{
    int len = -1;
    if (raw.len != 2 * width)
        return 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, (int)width, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)raw.p + width, (int)width, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL;
        ASSERT(i2d_ECDSA_SIG(sig, NULL) <= ECDSA_DER_MAX);
        len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool der_to_raw(struct crypto_signature *sig, size_t width)
{
    const unsigned char *at = sig->bytes;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)sig->len);
    bool ok = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig->bytes, (int)width) == (int)width &&
              BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig->bytes + width, (int)width) == (int)width;
    ECDSA_SIG_free(parsed);
    sig->len = 2 * width;
    return ok;
}

/* A context ready for one verification or signature, NULL when it can't be had. */
static EVP_MD_CTX *prepare(const struct crypto_key *key, enum crypto_alg alg, bool signing)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of = NULL;
    const char *digest = digests[algs[alg].digest].name;
    bool ok = ctx && (signing ? EVP_DigestSignInit_ex(ctx, &of, digest, context, NULL, key->pkey, NULL)
                              : EVP_DigestVerifyInit_ex(ctx, &of, digest, context, NULL, key->pkey, NULL)) == 1;
    if (ok && algs[alg].family == RSA_)
        ok = EVP_PKEY_CTX_set_rsa_padding(of, RSA_PKCS1_PADDING) == 1;
    if (ok && algs[alg].family == PSS)
        ok = EVP_PKEY_CTX_set_rsa_padding(of, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(of, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (!ok) {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

bool crypto_key_verify(const struct crypto_key *key, enum crypto_alg alg, enum crypto_form form, struct slice data,
                       struct slice signature)
{
    unsigned char der[ECDSA_DER_MAX];
    if (!crypto_key_fits(key, alg) || signature.len == 0 || signature.len > CRYPTO_SIGNATURE_BYTES)
        return false;
    if (form == CRYPTO_RAW && algs[alg].family == EC) {
        signature.len = raw_to_der(signature, kinds[key->kind].width, der);
        signature.p = (const char *)der;
    }
    bool good = false;
    EVP_MD_CTX *ctx = signature.len ? prepare(key, alg, /* signing */ false) : NULL;
    if (ctx)
        good = EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len,
                                (const unsigned char *)(data.p ? data.p : ""), data.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

enum keer_err crypto_key_sign(const struct crypto_key *key, enum crypto_alg alg, enum crypto_form form, struct slice data,
                              struct crypto_signature *ret_signature)
{
    struct crypto_signature sig = {.len = sizeof sig.bytes};
    if (!key->is_private || !crypto_key_fits(key, alg) || alg == CRYPTO_RS1)
        return KEER_EINVALID;
    EVP_MD_CTX *ctx = prepare(key, alg, /* signing */ true);
    bool ok = ctx && EVP_DigestSign(ctx, sig.bytes, &sig.len, (const unsigned char *)(data.p ? data.p : ""), data.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok && form == CRYPTO_RAW && algs[alg].family == EC)
        ok = der_to_raw(&sig, kinds[key->kind].width);
    if (!ok)
        return why(KEER_ENOMEM);
    *ret_signature = sig;
    return KEER_OK;
}

/* --- hashes and MACs ------------------------------------------------------------------------------------------------------
 */
size_t crypto_digest_len(enum crypto_digest digest) { return digests[digest].len; }

enum keer_err crypto_digest(enum crypto_digest digest, struct slice data, unsigned char ret_hash[CRYPTO_DIGEST_BYTES_MAX])
{
    unsigned len = 0;
    ASSERT(digest < CRYPTO_DIGEST_NONE);
    if (EVP_Digest(data.p ? data.p : "", data.len, ret_hash, &len, fetched[digest], NULL) != 1)
        return why(KEER_ENOMEM);
    return KEER_OK;
}

enum keer_err crypto_mac(enum crypto_digest digest, struct slice key, struct slice data,
                         unsigned char ret_mac[CRYPTO_DIGEST_BYTES_MAX])
{
    static char names[CRYPTO_DIGEST_NONE][16] = {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512"};
    size_t len = 0;
    ASSERT(digest < CRYPTO_DIGEST_NONE);
    OSSL_PARAM with[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, names[digest], 0),
                         OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    bool ok = ctx && EVP_MAC_init(ctx, (const unsigned char *)(key.p ? key.p : ""), key.len, with) == 1 &&
              EVP_MAC_update(ctx, (const unsigned char *)(data.p ? data.p : ""), data.len) == 1 &&
              EVP_MAC_final(ctx, ret_mac, &len, CRYPTO_DIGEST_BYTES_MAX) == 1;
    EVP_MAC_CTX_free(ctx);
    return ok ? KEER_OK : why(KEER_ENOMEM);
}

bool crypto_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.p, b.p, a.len) == 0);
}
