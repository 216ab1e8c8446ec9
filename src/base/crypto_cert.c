/* crypto_cert.c - X.509 certificates, by OpenSSL. */
#include "base/crypto_cert.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/crypto_inside.h"
#include "base/timefmt.h"

struct crypto_cert {
    X509 *x509;
    size_t len;
    unsigned char der[];
};

enum keer_err crypto_cert_der(struct slice der, struct crypto_cert **ret_cert)
{
    if (der.len == 0 || der.len > LIMIT_CERT_BYTES)
        return KEER_EFORMAT;
    struct crypto_cert *cert = malloc(sizeof *cert + der.len);
    X509 *x509 = X509_new_ex(crypto_context(), NULL);
    enum keer_err err = cert && x509 ? KEER_OK : KEER_ENOMEM;
    if (err == KEER_OK) {
        *cert = (struct crypto_cert){.len = der.len};
        memcpy(cert->der, der.p, der.len);
        const unsigned char *at = cert->der;
        /* d2i frees x509 and sets it NULL when it fails. */
        if (!d2i_X509(&x509, &at, (long)der.len) || at != cert->der + der.len)
            err = KEER_EFORMAT;
        /* Reads the extensions into the certificate's cache now: later calls only look. A bad one shows here. */
        else if (X509_check_purpose(x509, -1, 0) != 1)
            err = KEER_EFORMAT;
    }
    ERR_clear_error();
    if (err != KEER_OK) {
        X509_free(x509);
        free(cert);
        return err;
    }
    cert->x509 = x509;
    *ret_cert = cert;
    return KEER_OK;
}

enum keer_err crypto_cert_pem(struct slice *pem, struct crypto_cert **ret_cert)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    if (pem->len == 0 || pem->len > LIMIT_CERTS_BYTES)
        return pem->len ? KEER_ELIMIT : KEER_EMISSING;
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->len);
    if (!bio)
        return KEER_ENOMEM;
    enum keer_err err = KEER_EMISSING;
    if (PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        err = strcmp(name, PEM_STRING_X509) == 0 && len > 0
                  ? crypto_cert_der(slice_of((const char *)der, (size_t)len), ret_cert)
                  : KEER_EFORMAT;
    } else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        err = KEER_EFORMAT;
    }
    size_t left = (size_t)BIO_pending(bio);
    *pem = slice_of(pem->p + (pem->len - left), left);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

void crypto_cert_free(struct crypto_cert *cert)
{
    if (!cert)
        return;
    X509_free(cert->x509);
    free(cert);
}

/* --- chains -------------------------------------------------------------------------------------------------------------
 */
static STACK_OF(X509) * stack_of(struct crypto_cert *const *certs, size_t count)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    bool ok = stack != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = sk_X509_push(stack, certs[i]->x509) > 0;
    if (ok)
        return stack;
    sk_X509_free(stack);
    return NULL;
}

bool crypto_cert_verify(struct crypto_cert *const *chain, size_t count, struct crypto_cert *const *roots, size_t root_count,
                        int64_t at_us)
{
    bool good = false;
    if (count == 0 || count > CRYPTO_CHAIN_MAX || root_count == 0)
        return false;
    STACK_OF(X509) *between = stack_of(chain + 1, count - 1), *trusted = stack_of(roots, root_count);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(crypto_context(), NULL);
    if (between && trusted && ctx && X509_STORE_CTX_init(ctx, /* store */ NULL, chain[0]->x509, between) == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
        X509_VERIFY_PARAM_set_time(param, (time_t)(at_us / US_SECOND));
        X509_VERIFY_PARAM_set_auth_level(param, 2);
        X509_VERIFY_PARAM_set_depth(param, CRYPTO_CHAIN_MAX);
        good = X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
               X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) == 1 && X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(between);
    sk_X509_free(trusted);
    ERR_clear_error();
    return good;
}

/* --- what a certificate says ----------------------------------------------------------------------------------------------
 */
struct slice crypto_cert_bytes(const struct crypto_cert *cert) { return slice_of((const char *)cert->der, cert->len); }
int crypto_cert_version(const struct crypto_cert *cert) { return (int)X509_get_version(cert->x509) + 1; }

enum keer_err crypto_cert_key(const struct crypto_cert *cert, struct crypto_key **ret_key)
{
    return crypto_key_take(X509_get_pubkey(cert->x509), /* is_private */ false, ret_key);
}

bool crypto_cert_valid_at(const struct crypto_cert *cert, int64_t at_us)
{
    time_t at = (time_t)(at_us / US_SECOND);
    /* X509_cmp_time: -1 for a time that is at or before `at`, 1 after it, 0 for an error. */
    bool valid = X509_cmp_time(X509_get0_notBefore(cert->x509), &at) < 0 &&
                 (X509_cmp_time(X509_get0_notAfter(cert->x509), &at) > 0 ||
                  ASN1_TIME_cmp_time_t(X509_get0_notAfter(cert->x509), at) == 0);
    ERR_clear_error();
    return valid;
}

bool crypto_cert_is_ca(const struct crypto_cert *cert)
{
    BASIC_CONSTRAINTS *basic = X509_get_ext_d2i(cert->x509, NID_basic_constraints, NULL, NULL);
    bool ca = basic && basic->ca;
    BASIC_CONSTRAINTS_free(basic);
    ERR_clear_error();
    return ca;
}

bool crypto_cert_is_same(const struct crypto_cert *a, const struct crypto_cert *b)
{
    return a->len == b->len && memcmp(a->der, b->der, a->len) == 0;
}

unsigned crypto_cert_subject_count(const struct crypto_cert *cert)
{
    int n = X509_NAME_entry_count(X509_get_subject_name(cert->x509));
    return n > 0 ? (unsigned)n : 0;
}

/* The one attribute of a name with this OID. */
static bool attribute(const X509_NAME *name, const char *oid, struct buf *b)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name */ 1);
    int at = object ? X509_NAME_get_index_by_OBJ(name, object, -1) : -1;
    bool once = at >= 0 && X509_NAME_get_index_by_OBJ(name, object, at) < 0;
    unsigned char *text = NULL;
    int len = once ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) : -1;
    bool ok = len >= 0 && !memchr(text, '\0', (size_t)len);
    if (ok)
        buf_put(b, text, (size_t)len);
    OPENSSL_free(text);
    ASN1_OBJECT_free(object);
    ERR_clear_error();
    return ok && b->err == KEER_OK;
}

bool crypto_cert_subject(const struct crypto_cert *cert, const char *oid, struct buf *b)
{
    return attribute(X509_get_subject_name(cert->x509), oid, b);
}

bool crypto_cert_san_directory(const struct crypto_cert *cert, const char *oid, struct buf *b)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; names && !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        found = n->type == GEN_DIRNAME && attribute(n->d.directoryName, oid, b);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}

bool crypto_cert_has_eku(const struct crypto_cert *cert, const char *oid)
{
    EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(cert->x509, NID_ext_key_usage, NULL, NULL);
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name */ 1);
    bool found = false;
    for (int i = 0; uses && object && !found && i < sk_ASN1_OBJECT_num(uses); i++)
        found = OBJ_cmp(sk_ASN1_OBJECT_value(uses, i), object) == 0;
    ASN1_OBJECT_free(object);
    EXTENDED_KEY_USAGE_free(uses);
    ERR_clear_error();
    return found;
}

bool crypto_cert_extension(const struct crypto_cert *cert, const char *oid, struct slice *ret_der, bool *ret_critical)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name */ 1);
    int at = object ? X509_get_ext_by_OBJ(cert->x509, object, -1) : -1;
    bool once = at >= 0 && X509_get_ext_by_OBJ(cert->x509, object, at) < 0;
    ASN1_OBJECT_free(object);
    ERR_clear_error();
    if (!once)
        return false;
    X509_EXTENSION *extension = X509_get_ext(cert->x509, at);
    const ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(extension);
    *ret_der = slice_of((const char *)ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets));
    *ret_critical = X509_EXTENSION_get_critical(extension) != 0;
    return true;
}

/* --- names of certificates at Alipay -------------------------------------------------------------------------------------
 */
static bool issuer_reversed(const X509_NAME *name, struct buf *b)
{
    int count = X509_NAME_entry_count(name);
    for (int i = count - 1; i >= 0; i--) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const char *word = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)));
        unsigned char *text = NULL;
        int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
        if (len >= 0) {
            buf_fmt(b, "%s%s=", i == count - 1 ? "" : ",", word);
            buf_put(b, text, (size_t)len);
        }
        OPENSSL_free(text);
        if (len < 0)
            return false;
    }
    return true;
}

enum keer_err crypto_cert_name(const struct crypto_cert *cert, char ret_name[CRYPTO_CERT_NAME_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf text;
    buf_init(&text, LIMIT_CERT_BYTES);
    bool named = issuer_reversed(X509_get_issuer_name(cert->x509), &text);
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert->x509), NULL);
    char *decimal = serial ? BN_bn2dec(serial) : NULL;
    EVP_MD *md5 = EVP_MD_fetch(crypto_context(), "MD5", NULL);
    if (decimal)
        buf_puts(&text, decimal);
    enum keer_err err = !named ? KEER_EFORMAT : !decimal || !md5 ? KEER_ENOMEM : text.err;
    if (err == KEER_OK && EVP_Digest(text.p, text.len, hash, &len, md5, NULL) != 1)
        err = KEER_ENOMEM;
    for (unsigned i = 0; err == KEER_OK && i < len; i++)
        (void)snprintf(ret_name + (size_t)2 * i, 3, "%02x", hash[i]);
    EVP_MD_free(md5);
    OPENSSL_free(decimal);
    BN_free(serial);
    buf_release(&text);
    ERR_clear_error();
    return err;
}

enum keer_err crypto_cert_serial(const struct crypto_cert *cert, char ret_hex[CRYPTO_CERT_SERIAL_BYTES])
{
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert->x509), NULL);
    char *hex = serial ? BN_bn2hex(serial) : NULL;
    enum keer_err err = hex ? KEER_OK : KEER_ENOMEM;
    const char *digits = hex ? hex + strspn(hex, "0") : "";
    if (err == KEER_OK && strlen(digits) >= CRYPTO_CERT_SERIAL_BYTES)
        err = KEER_ELIMIT;
    if (err == KEER_OK)
        (void)snprintf(ret_hex, CRYPTO_CERT_SERIAL_BYTES, "%s", digits);
    OPENSSL_free(hex);
    BN_free(serial);
    ERR_clear_error();
    return err;
}

bool crypto_cert_signed_by_rsa(const struct crypto_cert *cert)
{
    char oid[64] = "";
    const X509_ALGOR *alg = NULL;
    const ASN1_OBJECT *object = NULL;
    X509_get0_signature(NULL, &alg, cert->x509);
    X509_ALGOR_get0(&object, NULL, NULL, alg);
    (void)OBJ_obj2txt(oid, sizeof oid, object, /* no_name */ 1);
    ERR_clear_error();
    return strncmp(oid, "1.2.840.113549.1.1.", 19) == 0;
}

enum keer_err crypto_cert_begins(const struct crypto_cert *cert, int64_t *ret_us)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool good = epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notBefore(cert->x509)) == 1;
    ASN1_TIME_free(epoch);
    ERR_clear_error();
    if (!good)
        return KEER_EFORMAT;
    *ret_us = days * US_DAY + seconds * US_SECOND;
    return KEER_OK;
}
