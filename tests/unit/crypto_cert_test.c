/* crypto_cert_test.c - chains that hold and chains that don't, what a certificate says, bytes that are none. */
#include <openssl/crypto.h>

#include "base/crypto.h"
#include "base/crypto_cert.h"
#include "base/timefmt.h"
#include "lib/test.h"

#include "certs/certs.inc" /* tests/certs/make */

static struct crypto_cert *pem(const char *text)
{
    struct slice s = slice_str(text);
    struct crypto_cert *c = NULL, *none = NULL;
    ck_ok(crypto_cert_pem(&s, &c));
    ck_err(crypto_cert_pem(&s, &none), KEER_EMISSING);
    return c;
}

static int64_t at(const char *time)
{
    int64_t us = 0;
    ck_ok(time_parse(slice_str(time), &us));
    return us;
}
#define NOW "2026-11-29T00:00:00Z"

static bool holds(const char *const *chain, size_t n, const char *root, const char *when)
{
    struct crypto_cert *c[CRYPTO_CHAIN_MAX + 1], *r = pem(root);
    for (size_t i = 0; i < n; i++)
        c[i] = pem(chain[i]);
    bool good = crypto_cert_verify(c, n, &r, 1, at(when));
    for (size_t i = 0; i < n; i++)
        crypto_cert_free(c[i]);
    crypto_cert_free(r);
    return good;
}
#define HOLDS(root, when, ...) \
    holds((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})), root, when)

START_TEST(chains_that_hold)
{
    ck_assert(HOLDS(root_pem, NOW, leaf_pem, between_pem));
    ck_assert(HOLDS(root_pem, NOW, leaf_pem, between_pem, root_pem));  /* the root is in x5c too */
    ck_assert(HOLDS(root_pem, NOW, leaf_pem, other_pem, between_pem)); /* so is a stranger */
    ck_assert(HOLDS(between_pem, NOW, leaf_pem));                      /* trusted, though it is not self-signed */
    ck_assert(HOLDS(leaf_pem, NOW, leaf_pem));                         /* the leaf is the anchor */
    ck_assert(HOLDS(root_pem, NOW, root_pem));
    ck_assert(HOLDS(root_pem, NOW, tpm_pem, between_pem)); /* a critical subjectAltName, no subject, an EKU */
    ck_assert(HOLDS(root_pem, "2020-06-01T00:00:00Z", late_pem, between_pem));
}
END_TEST

START_TEST(chains_that_do_not)
{
    ck_assert(!HOLDS(root_pem, NOW, leaf_pem));               /* the one between is missing */
    ck_assert(!HOLDS(other_pem, NOW, leaf_pem, between_pem)); /* the root's name with another key */
    ck_assert(!HOLDS(other_pem, NOW, leaf_pem, between_pem, root_pem));
    ck_assert(!HOLDS(root_pem, NOW, other_pem));
    ck_assert(!HOLDS(root_pem, NOW, under_leaf_pem, leaf_pem, between_pem)); /* signed by what is no CA */
    ck_assert(!HOLDS(leaf_pem, NOW, under_leaf_pem));
    ck_assert(!HOLDS(root_pem, NOW, late_pem, between_pem));
    ck_assert(!HOLDS(root_pem, "2019-12-31T23:59:59Z", leaf_pem, between_pem));
    ck_assert(!HOLDS(root_pem, "2120-01-01T00:00:00Z", leaf_pem, between_pem));
    ck_assert(!HOLDS(root_pem, NOW, sha1_pem, between_pem));
    ck_assert(!HOLDS(root_pem, NOW, weak_pem, between_pem));
    ck_assert(!HOLDS(root_pem, NOW, odd_pem, between_pem)); /* a critical extension that nobody knows */
    struct crypto_cert *leaf = pem(leaf_pem), *many[CRYPTO_CHAIN_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = leaf;
    ck_assert(!crypto_cert_verify(&leaf, 1, NULL, 0, at(NOW)));
    ck_assert(!crypto_cert_verify(&leaf, 0, &leaf, 1, at(NOW)));
    ck_assert(!crypto_cert_verify(many, ARRAY_LEN(many), &leaf, 1, at(NOW)));
    crypto_cert_free(leaf);
}
END_TEST

static void says(bool (*ask)(const struct crypto_cert *, const char *, struct buf *), const struct crypto_cert *c,
                 const char *oid, const char *want)
{
    struct buf b;
    buf_init(&b, 100);
    ck_assert_int_eq(ask(c, oid, &b), want != NULL);
    if (want)
        ck_slice_eq(buf_view(&b), slice_str(want));
    buf_release(&b);
}

START_TEST(what_a_certificate_says)
{
    struct crypto_cert *leaf = pem(leaf_pem), *root = pem(root_pem), *tpm = pem(tpm_pem), *late = pem(late_pem);
    struct slice der;
    bool critical = true;
    says(crypto_cert_subject, leaf, "2.5.4.6", "NL");
    says(crypto_cert_subject, leaf, "2.5.4.11", "Authenticator Attestation");
    says(crypto_cert_subject, leaf, "2.5.4.3", "Leaf");
    says(crypto_cert_subject, leaf, "2.5.4.4", NULL);
    says(crypto_cert_subject, leaf, "CN", NULL); /* names are no OIDs */
    says(crypto_cert_subject, tpm, "2.5.4.3", NULL);
    says(crypto_cert_san_directory, tpm, "2.23.133.2.1", "id:FFFFF1D0");
    says(crypto_cert_san_directory, tpm, "2.23.133.2.3", "id:00000001");
    says(crypto_cert_san_directory, tpm, "2.23.133.2.4", NULL);
    says(crypto_cert_san_directory, leaf, "2.23.133.2.1", NULL);
    ck_assert_uint_eq(crypto_cert_subject_count(leaf), 4);
    ck_assert_uint_eq(crypto_cert_subject_count(tpm), 0);
    ck_assert(crypto_cert_has_eku(tpm, "2.23.133.8.3") && !crypto_cert_has_eku(tpm, "2.23.133.8.4"));
    ck_assert(!crypto_cert_has_eku(leaf, "2.23.133.8.3"));
    ck_assert(crypto_cert_is_ca(root) && !crypto_cert_is_ca(leaf));
    ck_assert(crypto_cert_is_same(root, root) && !crypto_cert_is_same(root, leaf));
    ck_assert_int_eq(crypto_cert_version(leaf), 3);
    ck_assert(crypto_cert_extension(leaf, "1.3.6.1.4.1.45724.1.1.4", &der, &critical));
    ck_assert(!critical && der.len == 18 && (unsigned char)der.p[0] == 4 && der.p[17] == 15);
    ck_assert(crypto_cert_extension(root, "2.5.29.19", &der, &critical) && critical);
    ck_assert(!crypto_cert_extension(leaf, "1.3.6.1.4.1.45724.1.1.5", &der, &critical));
    ck_assert(!crypto_cert_extension(leaf, "not an OID", &der, &critical));
    ck_assert(crypto_cert_valid_at(late, at("2020-01-01T00:00:00Z")) &&
              crypto_cert_valid_at(late, at("2020-12-31T23:59:59Z")));
    ck_assert(!crypto_cert_valid_at(late, at("2019-12-31T23:59:59Z")) &&
              !crypto_cert_valid_at(late, at("2021-01-01T00:00:00Z")));
    crypto_cert_free(leaf);
    crypto_cert_free(root);
    crypto_cert_free(tpm);
    crypto_cert_free(late);
}
END_TEST

START_TEST(keys_of_certificates)
{
    static const struct {
        const char *cert;
        enum keer_err want;
    } cases[] = {{leaf_pem, KEER_OK}, {between_pem, KEER_OK}, {weak_pem, KEER_ERANGE}, {koblitz_pem, KEER_EUNSUPPORTED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct crypto_cert *c = pem(cases[i].cert);
        struct crypto_key *key = NULL;
        ck_err(crypto_cert_key(c, &key), cases[i].want);
        if (key)
            ck_assert_int_eq(crypto_key_kind(key), i ? CRYPTO_P384 : CRYPTO_P256);
        crypto_key_free(key);
        crypto_cert_free(c);
    }
}
END_TEST

START_TEST(what_is_no_certificate)
{
    struct crypto_cert *leaf = pem(leaf_pem), *c;
    struct slice der = crypto_cert_bytes(leaf);
    struct buf b;
    unsigned taken = 0;
    for (size_t n = 0; n < der.len; n++)
        ck_err(crypto_cert_der(slice_of(der.p, n), &c), KEER_EFORMAT);
    buf_init(&b, LIMIT_CERT_BYTES + 1);
    buf_slice(&b, der);
    buf_char(&b, 0);
    ck_err(crypto_cert_der(buf_view(&b), &c), KEER_EFORMAT);
    for (size_t n = 0; n < der.len; n++) { /* a changed byte is refused, or is at least not signed by the issuer */
        b.len = der.len;
        b.p[n] = (char)(b.p[n] ^ 0x55);
        if (crypto_cert_der(buf_view(&b), &c) == KEER_OK) {
            struct crypto_cert *issuer = pem(between_pem);
            ck_assert(!crypto_cert_verify(&c, 1, &issuer, 1, at(NOW)));
            crypto_cert_free(issuer);
            crypto_cert_free(c);
            taken++;
        }
        b.p[n] = (char)(b.p[n] ^ 0x55);
    }
    ck_assert_uint_gt(taken, 0);
    b.len = LIMIT_CERT_BYTES + 1;
    ck_assert(buf_reserve(&b, 0) != NULL);
    buf_release(&b);
    struct slice bad[] = {SLICE("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
                          SLICE("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
                          SLICE("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_err(crypto_cert_pem(&bad[i], &c), KEER_EFORMAT);
    crypto_cert_free(leaf);
}
END_TEST

START_TEST(a_file_of_roots)
{
    struct buf b;
    buf_init(&b, 10000);
    buf_fmt(&b, "# the first\n%s\n# and the second\n%s", root_pem, other_pem);
    struct slice s = buf_view(&b);
    struct crypto_cert *c[2], *none;
    ck_ok(crypto_cert_pem(&s, &c[0]));
    ck_ok(crypto_cert_pem(&s, &c[1]));
    ck_err(crypto_cert_pem(&s, &none), KEER_EMISSING);
    ck_assert(!crypto_cert_is_same(c[0], c[1]));
    crypto_cert_free(c[0]);
    crypto_cert_free(c[1]);
    buf_release(&b);
}
END_TEST

/* --- memory runs out ------------------------------------------------------------------------------------------------------
 */
static void *om_malloc(size_t n, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    return malloc(n);
}
static void *om_realloc(void *p, size_t n, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    return realloc(p, n);
}
static void om_free(void *p, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    free(p);
}

static bool everything(const struct slice der[3], int64_t now_us)
{
    struct crypto_cert *c[3] = {NULL};
    struct crypto_key *key = NULL;
    struct buf b;
    bool good = false, ok = true;
    buf_init(&b, 100);
    for (size_t i = 0; ok && i < 3; i++)
        ok = crypto_cert_der(der[i], &c[i]) == KEER_OK;
    if (ok)
        good = crypto_cert_verify(c, 2, &c[2], 1, now_us) && crypto_cert_key(c[0], &key) == KEER_OK &&
               crypto_cert_has_eku(c[0], "2.23.133.8.3") && crypto_cert_san_directory(c[0], "2.23.133.2.1", &b);
    crypto_key_free(key);
    for (size_t i = 0; i < 3; i++)
        crypto_cert_free(c[i]);
    buf_release(&b);
    return good;
}

START_TEST(memory_may_run_out)
{
    struct crypto_cert *c[3] = {pem(tpm_pem), pem(between_pem), pem(root_pem)};
    const struct slice der[3] = {crypto_cert_bytes(c[0]), crypto_cert_bytes(c[1]), crypto_cert_bytes(c[2])};
    int64_t now_us = at(NOW);
    ck_assert(everything(der, now_us));
    unsigned failed = 0;
    for (uint64_t n = 1;; n++) {
        oom_arm(n, /* persistent */ true);
        bool good = everything(der, now_us), reached = oom_count() >= n;
        oom_arm(0, false);
        failed += !good;
        if (!reached) {
            ck_assert(good);
            break;
        }
    }
    ck_assert_uint_gt(failed, 100);
    ck_assert(everything(der, now_us));
    for (size_t i = 0; i < 3; i++)
        crypto_cert_free(c[i]);
}
END_TEST

int main(void)
{
    ASSERT(CRYPTO_set_mem_functions(om_malloc, om_realloc, om_free) == 1 && crypto_start() == KEER_OK);
    Suite *s = suite_create("crypto_cert");
    TCase *c = tcase_create("crypto_cert");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, chains_that_hold);
    tcase_add_test(c, chains_that_do_not);
    tcase_add_test(c, what_a_certificate_says);
    tcase_add_test(c, keys_of_certificates);
    tcase_add_test(c, what_is_no_certificate);
    tcase_add_test(c, a_file_of_roots);
    tcase_add_test(c, memory_may_run_out);
    suite_add_tcase(s, c);
    return test_main(s);
}
