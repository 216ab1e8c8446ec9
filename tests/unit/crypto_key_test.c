/* crypto_key_test.c - keys that are taken and refused, known signatures, base64. */
#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/crypto_key.h"
#include "base/num.h"
#include "lib/test.h"

static struct slice unhex(const char *hex, unsigned char *to)
{
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        uint64_t v = 0;
        ck_ok(num_hex(slice_of(hex, 2), &v));
        to[n++] = (unsigned char)v;
    }
    return slice_of((const char *)to, n);
}

/* --- base64 (RFC 4648 section 10) ------------------------------------------------------------------------------------ */
START_TEST(base64_of_the_standard)
{
    static const char *const cases[][3] = {{"", "", ""},
                                           {"f", "Zg==", "Zg"},
                                           {"fo", "Zm8=", "Zm8"},
                                           {"foo", "Zm9v", "Zm9v"},
                                           {"foob", "Zm9vYg==", "Zm9vYg"},
                                           {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                                           {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                                           {"\xFB\xEF\xFF", "++//", "--__"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        unsigned char bytes[16];
        size_t len = 99;
        char text[16];
        buf_init(&b, strlen(cases[i][1])); /* exactly enough */
        base64_put(&b, slice_str(cases[i][0]));
        ck_slice_eq(buf_view(&b), slice_str(cases[i][1]));
        buf_clear(&b);
        base64url_put(&b, slice_str(cases[i][0]));
        ck_slice_eq(buf_view(&b), slice_str(cases[i][2]));
        base64url_text(cases[i][0], strlen(cases[i][0]), text);
        ck_assert_str_eq(text, cases[i][2]);
        ck_ok(base64_get(slice_str(cases[i][1]), strlen(cases[i][0]), bytes, &len));
        ck_slice_eq(slice_of((char *)bytes, len), slice_str(cases[i][0]));
        ck_ok(base64url_get(slice_str(cases[i][2]), strlen(cases[i][0]), bytes, &len));
        ck_slice_eq(slice_of((char *)bytes, len), slice_str(cases[i][0]));
        buf_clear(&b);
        ck_ok(base64url_append(&b, slice_str(cases[i][2])));
        ck_slice_eq(buf_view(&b), slice_str(cases[i][0]));
        buf_release(&b);
    }
}
END_TEST

START_TEST(base64_refuses_a_second_spelling)
{
    static const char *const url[] = {"Z",    "Zh",   "Zm9vY",  "Zm9",        "Zm9v\n", " Zm9", "Zg==", "Zm+v",
                                      "Zm/v", "Zm.v", "Zm9vYh", "\xC3\xA9xx", "Zm9@",   "Zm[`", "Z{^9"};
    static const char *const std[] = {
        "Zg", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Z===", "Zm-v", "Zm_v", "Zg==Zg==", "Zm9v\n", "Z=g="};
    unsigned char bytes[16];
    size_t len = 99;
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < ARRAY_LEN(url); i++) {
        ck_err(base64url_get(slice_str(url[i]), sizeof bytes, bytes, &len), KEER_EFORMAT);
        ck_err(base64url_append(&b, slice_str(url[i])), KEER_EFORMAT);
    }
    ck_assert_uint_eq(b.len, 0);
    buf_release(&b);
    for (size_t i = 0; i < ARRAY_LEN(std); i++)
        ck_err(base64_get(slice_str(std[i]), sizeof bytes, bytes, &len), KEER_EFORMAT);
    ck_err(base64url_get(SLICE("Zm9vYg"), 3, bytes, &len), KEER_ELIMIT);
    ck_err(base64url_get_exact(SLICE("Zm9vYg"), 3, bytes), KEER_EFORMAT);
    ck_err(base64url_get_exact(SLICE("Zm9vYg"), 5, bytes), KEER_EFORMAT);
    ck_ok(base64url_get_exact(SLICE("Zm9vYg"), 4, bytes));
    ck_assert_uint_eq(len, 99);          /* untouched by what failed */
    for (unsigned c = 0; c < 256; c++) { /* each character alone decides */
        char text[4] = {'A', (char)c, 'A', 'A'};
        bool known = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        ck_assert_int_eq(base64url_get(slice_of(text, 4), sizeof bytes, bytes, &len) == KEER_OK, known);
    }
}
END_TEST

/* --- hashes (FIPS 180-4 examples) and HMAC (RFC 2202, RFC 4231 test case 2) -----------------------------------------------
 */
START_TEST(hashes_and_macs)
{
    static const struct {
        enum crypto_digest digest;
        const char *hash, *mac;
    } cases[] = {
        {CRYPTO_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {CRYPTO_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {CRYPTO_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
         "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
        {CRYPTO_SHA512,
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a"
         "9ac94fa54ca49f",
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b63"
         "6e070a38bce737"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char want[64], got[CRYPTO_DIGEST_BYTES_MAX];
        size_t len = crypto_digest_len(cases[i].digest);
        ck_ok(crypto_digest(cases[i].digest, SLICE("abc"), got));
        ck_slice_eq(slice_of((char *)got, len), unhex(cases[i].hash, want));
        ck_ok(crypto_mac(cases[i].digest, SLICE("Jefe"), SLICE("what do ya want for nothing?"), got));
        ck_slice_eq(slice_of((char *)got, len), unhex(cases[i].mac, want));
    }
    ck_assert(crypto_eq(SLICE("abc"), SLICE("abc")) && crypto_eq(SLICE(""), slice_of(NULL, 0)));
    ck_assert(!crypto_eq(SLICE("abc"), SLICE("abd")) && !crypto_eq(SLICE("abc"), SLICE("abcd")));
}
END_TEST

/* --- known signatures ------------------------------------------------------------------------------------------------ */
/* RFC 8032 7.1 test 2, 7.4 '1 octet', and FIPS 186-4's ECDSA P-256 with SHA-256 of RFC 6979 A.2.5 ("sample"). */
START_TEST(signatures_of_the_standards)
{
    unsigned char raw[64], sig[128], x[32], y[32];
    struct crypto_key *key;
    ck_ok(
        crypto_key_ed(CRYPTO_ED25519, unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", raw), &key));
    struct slice s = unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                           "387b2eaeb4302aeeb00d291612bb0c00",
                           sig);
    ck_assert(crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_RAW, SLICE("\x72"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_RAW, SLICE("\x73"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("\x72"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_RAW, SLICE("\x72"), slice_of(s.p, 63)));
    sig[63] |= 0x80; /* S beyond the group's order: RFC 8032 5.1.7 refuses it, or signatures could be changed */
    ck_assert(!crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_RAW, SLICE("\x72"), s));
    crypto_key_free(key);
    ck_ok(crypto_key_ed(
        CRYPTO_ED448,
        unhex("43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c2351"
              "60627b4c3a9480",
              raw),
        &key));
    s = unhex(
        "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779"
        "805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c0"
        "3a00",
        sig);
    ck_assert(crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_DER, SLICE("\x03"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_EDDSA, CRYPTO_DER, SLICE("\x02"), s));
    crypto_key_free(key);
    ck_ok(crypto_key_ec(CRYPTO_P256, unhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6", x),
                        unhex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299", y), &key));
    s = unhex(
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF406"
        "4DC4AB2F843ACDA8",
        sig);
    ck_assert(crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("sample"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_DER, SLICE("sample"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("Sample"), s));
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("sample"), slice_of(s.p, 63)));
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("sample"), slice_of(s.p, 0)));
    memset(sig, 0, sizeof sig); /* r = s = 0: CVE-2022-21449 */
    ck_assert(!crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, SLICE("sample"), s));
    crypto_key_free(key);
}
END_TEST

/* --- each algorithm signs and verifies, and no other takes its signature ----------------------------------------------- */
static const struct {
    enum crypto_alg alg;
    enum crypto_key_kind kind;
} signing[] = {{CRYPTO_ES256, CRYPTO_P256}, {CRYPTO_ES384, CRYPTO_P384},    {CRYPTO_ES512, CRYPTO_P521},
               {CRYPTO_RS256, CRYPTO_RSA},  {CRYPTO_RS384, CRYPTO_RSA},     {CRYPTO_RS512, CRYPTO_RSA},
               {CRYPTO_PS256, CRYPTO_RSA},  {CRYPTO_EDDSA, CRYPTO_ED25519}, {CRYPTO_EDDSA, CRYPTO_ED448}};

static void sign_and_verify(const struct crypto_key *key, const struct crypto_key *stranger, enum crypto_alg alg,
                            enum crypto_form form)
{
    struct crypto_signature sig;
    ck_ok(crypto_key_sign(key, alg, form, SLICE("to be signed"), &sig));
    struct slice s = slice_of((char *)sig.bytes, sig.len);
    ck_assert(crypto_key_verify(key, alg, form, SLICE("to be signed"), s));
    ck_assert(!crypto_key_verify(key, alg, form, SLICE("to be signeD"), s));
    ck_assert(!crypto_key_verify(stranger, alg, form, SLICE("to be signed"), s));
    for (unsigned other = 0; other < CRYPTO_ALG_MAX; other++)
        ck_assert_int_eq(crypto_key_verify(key, (enum crypto_alg)other, form, SLICE("to be signed"), s), other == alg);
    for (unsigned i = 0; i < 8; i++) { /* one bit, in eight places */
        sig.bytes[sig.len * i / 8] ^= 1;
        ck_assert(!crypto_key_verify(key, alg, form, SLICE("to be signed"), s));
        sig.bytes[sig.len * i / 8] ^= 1;
    }
    ck_assert(!crypto_key_verify(key, alg, form, SLICE("to be signed"), slice_of(s.p, s.len - 1)));
    sig.bytes[sig.len] = 0;
    if (sig.len < sizeof sig.bytes)
        ck_assert(!crypto_key_verify(key, alg, form, SLICE("to be signed"), slice_of(s.p, s.len + 1)));
}

START_TEST(each_algorithm_is_its_own)
{
    for (size_t i = 0; i < ARRAY_LEN(signing); i++) {
        struct crypto_key *key, *stranger;
        ck_ok(crypto_key_generate(signing[i].kind, 2048, &key));
        ck_ok(crypto_key_generate(signing[i].kind, 2048, &stranger));
        ck_assert(crypto_key_private(key) && crypto_key_kind(key) == signing[i].kind && !crypto_key_eq(key, stranger));
        sign_and_verify(key, stranger, signing[i].alg, CRYPTO_DER);
        sign_and_verify(key, stranger, signing[i].alg, CRYPTO_RAW);
        struct crypto_signature sig;
        ck_err(crypto_key_sign(key, CRYPTO_RS1, CRYPTO_RAW, SLICE("x"), &sig), KEER_EINVALID);
        ck_err(crypto_key_sign(key, signing[(i + 1) % 3].alg == signing[i].alg ? CRYPTO_EDDSA : CRYPTO_ALG_MAX, CRYPTO_RAW,
                               SLICE("x"), &sig),
               KEER_EINVALID);
        crypto_key_free(key);
        crypto_key_free(stranger);
    }
    for (unsigned a = 0; a < CRYPTO_ALG_MAX; a++)
        ck_assert_int_eq(crypto_alg_of(slice_str(crypto_alg_name((enum crypto_alg)a))),
                         a == CRYPTO_RS1 ? (unsigned)CRYPTO_ALG_MAX : a);
    ck_assert_int_eq(crypto_alg_of(SLICE("none")), CRYPTO_ALG_MAX);
    ck_assert_int_eq(crypto_alg_of(SLICE("HS256")), CRYPTO_ALG_MAX);
}
END_TEST

/* --- a key goes out and comes back, in each form --------------------------------------------------------------------------
 */
static struct crypto_key *of_parts(enum crypto_key_kind kind, const struct crypto_parts *p)
{
    struct slice a = slice_of((const char *)p->bytes[0], p->len[0]), b = slice_of((const char *)p->bytes[1], p->len[1]);
    struct crypto_key *key = NULL;
    switch (kind) {
    case CRYPTO_P256:
    case CRYPTO_P384:
    case CRYPTO_P521: ck_ok(crypto_key_ec(kind, a, b, &key)); break;
    case CRYPTO_RSA: ck_ok(crypto_key_rsa(a, b, &key)); break;
    case CRYPTO_ED25519:
    case CRYPTO_ED448: ck_ok(crypto_key_ed(kind, a, &key)); break;
    case CRYPTO_KEY_MAX: break;
    }
    return key;
}

START_TEST(keys_go_out_and_come_back)
{
    for (unsigned k = 0; k < CRYPTO_KEY_MAX; k++) {
        struct crypto_key *key, *again;
        struct crypto_parts parts;
        struct crypto_signature sig;
        struct buf b;
        buf_init(&b, CRYPTO_PRIVATE_BYTES);
        ck_ok(crypto_key_generate((enum crypto_key_kind)k, 3482, &key)); /* a modulus whose top byte has two bits */
        ck_ok(crypto_key_parts(key, &parts));
        again = of_parts((enum crypto_key_kind)k, &parts);
        ck_assert(crypto_key_eq(key, again) && !crypto_key_private(again));
        ck_assert_uint_eq(crypto_key_bits(again), crypto_key_bits(key));
        ck_err(crypto_key_sign(again, CRYPTO_ES256, CRYPTO_RAW, SLICE("x"), &sig), KEER_EINVALID);
        ck_err(crypto_key_put_private_der(again, &b), KEER_EINVALID);
        ck_err(crypto_key_put_private_pem(again, &b), KEER_EINVALID);
        crypto_key_free(again);
        ck_ok(crypto_key_put_spki(key, &b));
        ck_ok(crypto_key_spki(buf_view(&b), &again));
        ck_assert(crypto_key_eq(key, again) && !crypto_key_private(again));
        crypto_key_free(again);
        for (size_t n = 0; n < b.len; n++)
            ck_assert_int_ne(crypto_key_spki(slice_of(b.p, n), &again), KEER_OK);
        buf_char(&b, 'x');
        ck_err(crypto_key_spki(buf_view(&b), &again), KEER_EFORMAT);
        buf_clear(&b);
        ck_ok(crypto_key_put_private_der(key, &b));
        ck_ok(crypto_key_private_der(buf_view(&b), &again));
        ck_assert(crypto_key_eq(key, again) && crypto_key_private(again));
        crypto_key_free(again);
        buf_clear(&b);
        ck_ok(crypto_key_put_private_pem(key, &b));
        ck_ok(crypto_key_private_pem(buf_view(&b), &again));
        ck_assert(crypto_key_eq(key, again) && crypto_key_private(again));
        ck_err(crypto_key_pem(buf_view(&b), &again), KEER_EFORMAT); /* a private one is not a public one */
        crypto_key_free(again);
        crypto_key_free(key);
        buf_release(&b);
    }
}
END_TEST

/* --- refused ------------------------------------------------------------------------------------------------------------
 */
static void modulus(unsigned char *n, size_t len, unsigned char top, unsigned char last)
{
    memset(n, 0xA5, len);
    n[0] = top;
    n[len - 1] = last;
}

START_TEST(weak_keys_are_refused)
{
    static unsigned char n[CRYPTO_RSA_BITS_MAX / 8 + 1];
    static const struct {
        size_t len;
        unsigned char top, last;
        const char *e;
        enum keer_err want;
    } rsa[] = {{256, 0x80, 1, "010001", KEER_OK},
               {256, 0x7F, 1, "010001", KEER_ERANGE}, /* 2047 bits */
               {255, 0x80, 1, "010001", KEER_ERANGE},
               {128, 0x80, 1, "010001", KEER_ERANGE},
               {1024, 0xFF, 1, "010001", KEER_OK},
               {1025, 0x01, 1, "010001", KEER_ERANGE},
               {256, 0x80, 2, "010001", KEER_ERANGE}, /* even */
               {256, 0x80, 1, "03", KEER_ERANGE},
               {256, 0x80, 1, "01", KEER_ERANGE},
               {256, 0x80, 1, "010000", KEER_ERANGE},
               {256, 0x80, 1, "FFFF", KEER_ERANGE},
               {256, 0x80, 1, "010003", KEER_OK},
               {256, 0x80, 1, "FFFFFFFFFFFFFFFF", KEER_OK},
               {256, 0x80, 1, "01FFFFFFFFFFFFFFFF", KEER_ERANGE},
               {256, 0x80, 1, "00010001", KEER_EFORMAT},
               {256, 0x00, 1, "010001", KEER_EFORMAT},
               {256, 0x80, 1, "", KEER_EFORMAT},
               {0, 0, 0, "010001", KEER_EFORMAT}};
    struct crypto_key *key;
    unsigned char e[16];
    for (size_t i = 0; i < ARRAY_LEN(rsa); i++) {
        if (rsa[i].len)
            modulus(n, rsa[i].len, rsa[i].top, rsa[i].last);
        enum keer_err err = crypto_key_rsa(slice_of((char *)n, rsa[i].len), unhex(rsa[i].e, e), &key);
        ck_assert_msg(err == rsa[i].want, "RSA case %zu: %s", i, keer_err_name(err));
        if (err == KEER_OK)
            crypto_key_free(key);
    }
    ck_err(crypto_key_generate(CRYPTO_RSA, 1024, &key), KEER_ERANGE);
    ck_err(crypto_key_generate(CRYPTO_RSA, 16384, &key), KEER_ERANGE);
    ck_err(crypto_key_generate(CRYPTO_KEY_MAX, 0, &key), KEER_EUNSUPPORTED);
}
END_TEST

START_TEST(points_off_their_curve_are_refused)
{
    for (unsigned k = CRYPTO_P256; k <= CRYPTO_P521; k++) {
        struct crypto_key *key, *bad;
        struct crypto_parts p;
        ck_ok(crypto_key_generate((enum crypto_key_kind)k, 0, &key));
        ck_ok(crypto_key_parts(key, &p));
        crypto_key_free(key);
        struct slice x = slice_of((char *)p.bytes[0], p.len[0]), y = slice_of((char *)p.bytes[1], p.len[1]);
        ck_err(crypto_key_ec((enum crypto_key_kind)k, x, slice_of(y.p, y.len - 1), &bad), KEER_EFORMAT);
        ck_err(crypto_key_ec((enum crypto_key_kind)k, slice_of(x.p, x.len + 1), y, &bad), KEER_EFORMAT);
        ck_err(crypto_key_ec((enum crypto_key_kind)((k + 1) % 3), x, y, &bad), KEER_EFORMAT);
        p.bytes[1][p.len[1] - 1] ^= 1;
        ck_err(crypto_key_ec((enum crypto_key_kind)k, x, y, &bad), KEER_EFORMAT);
        memset(p.bytes[0], 0, p.len[0]); /* the point at infinity, or (0, 0) */
        memset(p.bytes[1], 0, p.len[1]);
        ck_err(crypto_key_ec((enum crypto_key_kind)k, x, y, &bad), KEER_EFORMAT);
        memset(p.bytes[0], 0xFF, p.len[0]); /* beyond the field */
        ck_err(crypto_key_ec((enum crypto_key_kind)k, x, y, &bad), KEER_EFORMAT);
    }
    struct crypto_key *key;
    unsigned char raw[64] = {0};
    ck_err(crypto_key_ec(CRYPTO_RSA, SLICE(""), SLICE(""), &key), KEER_EUNSUPPORTED);
    ck_err(crypto_key_ed(CRYPTO_P256, slice_of((char *)raw, 32), &key), KEER_EUNSUPPORTED);
    ck_err(crypto_key_ed(CRYPTO_ED25519, slice_of((char *)raw, 31), &key), KEER_EFORMAT);
    ck_err(crypto_key_ed(CRYPTO_ED25519, slice_of((char *)raw, 32), &key), KEER_EFORMAT); /* of order 4 */
    raw[0] = 1;
    ck_err(crypto_key_ed(CRYPTO_ED25519, slice_of((char *)raw, 32), &key), KEER_EFORMAT); /* the neutral element */
    raw[0] = 2;
    ck_err(crypto_key_ed(CRYPTO_ED25519, slice_of((char *)raw, 32), &key), KEER_EFORMAT); /* no point has this y */
    ck_err(crypto_key_ed(CRYPTO_ED448, slice_of((char *)raw, 56), &key), KEER_EFORMAT);
}
END_TEST

/* Of other kinds: secp256k1, a P-256 key whose curve is spelled out, X25519, RSA of 1024 bits, DSA's OID (openssl made
 * them). */
START_TEST(other_kinds_are_refused)
{
    static const struct {
        const char *spki;
        enum keer_err want;
    } cases[] = {
#include "unit/crypto_key_others.inc"
    };
    struct crypto_key *key;
    static unsigned char der[2048];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum keer_err err = crypto_key_spki(unhex(cases[i].spki, der), &key);
        ck_assert_msg(err == cases[i].want, "case %zu: %s", i, keer_err_name(err));
    }
    ck_err(crypto_key_spki(SLICE(""), &key), KEER_EFORMAT);
    ck_err(crypto_key_pem(SLICE("-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n"), &key), KEER_EFORMAT);
    ck_err(crypto_key_pem(SLICE(""), &key), KEER_EFORMAT);
    ck_err(crypto_key_private_pem(SLICE("x"), &key), KEER_EFORMAT);
    ck_err(crypto_key_private_der(SLICE("\x30\x00"), &key), KEER_EFORMAT);
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

static enum keer_err everything(const struct crypto_parts *p, struct slice der)
{
    struct crypto_key *ec = NULL, *priv = NULL;
    struct crypto_signature sig;
    unsigned char mac[CRYPTO_DIGEST_BYTES_MAX];
    struct buf b;
    buf_init(&b, CRYPTO_PRIVATE_BYTES);
    enum keer_err err =
        crypto_key_ec(CRYPTO_P256, slice_of((const char *)p->bytes[0], 32), slice_of((const char *)p->bytes[1], 32), &ec);
    if (err == KEER_OK)
        err = crypto_key_private_der(der, &priv);
    if (err == KEER_OK)
        err = crypto_key_sign(priv, CRYPTO_ES256, CRYPTO_RAW, SLICE("x"), &sig);
    if (err == KEER_OK && !crypto_key_verify(ec, CRYPTO_ES256, CRYPTO_RAW, SLICE("x"), slice_of((char *)sig.bytes, sig.len)))
        err = KEER_ENOMEM;
    if (err == KEER_OK)
        err = crypto_key_put_private_pem(priv, &b);
    if (err == KEER_OK)
        err = crypto_mac(CRYPTO_SHA1, SLICE("k"), SLICE("x"), mac);
    if (err == KEER_OK)
        err = crypto_digest(CRYPTO_SHA1, SLICE("x"), mac);
    crypto_key_free(ec);
    crypto_key_free(priv);
    buf_release(&b);
    return err;
}

START_TEST(memory_may_run_out)
{
    struct crypto_key *key;
    struct crypto_parts p;
    struct buf der;
    buf_init(&der, CRYPTO_PRIVATE_BYTES);
    ck_ok(crypto_key_generate(CRYPTO_P256, 0, &key));
    ck_ok(crypto_key_parts(key, &p));
    ck_ok(crypto_key_put_private_der(key, &der));
    crypto_key_free(key);
    ck_ok(everything(&p, buf_view(&der))); /* OpenSSL fills its caches */
    uint64_t live = oom_live_bytes();
    unsigned failed = 0;
    for (uint64_t n = 1;; n++) {
        oom_arm(n, /* persistent */ true);
        enum keer_err err = everything(&p, buf_view(&der));
        bool reached = oom_count() >= n;
        oom_arm(0, false);
        if (!reached) {
            ck_assert_int_eq(err, KEER_OK);
            break;
        }
        failed += err != KEER_OK;
    }
    printf("# %u allocations failed, %ld bytes kept\n", failed, (long)(oom_live_bytes() - live));
    ck_assert_uint_gt(failed, 50);
    ck_ok(everything(&p, buf_view(&der)));
    buf_release(&der);
}
END_TEST

int main(void)
{
    /* Before anything of OpenSSL: what it allocates comes from this program's malloc, which can be told to fail. */
    ASSERT(CRYPTO_set_mem_functions(om_malloc, om_realloc, om_free) == 1 && crypto_start() == KEER_OK);
    Suite *s = suite_create("crypto_key");
    TCase *c = tcase_create("crypto_key");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, base64_of_the_standard);
    tcase_add_test(c, base64_refuses_a_second_spelling);
    tcase_add_test(c, hashes_and_macs);
    tcase_add_test(c, signatures_of_the_standards);
    tcase_add_test(c, each_algorithm_is_its_own);
    tcase_add_test(c, keys_go_out_and_come_back);
    tcase_add_test(c, weak_keys_are_refused);
    tcase_add_test(c, points_off_their_curve_are_refused);
    tcase_add_test(c, other_kinds_are_refused);
    tcase_add_test(c, memory_may_run_out);
    suite_add_tcase(s, c);
    return test_main(s);
}
