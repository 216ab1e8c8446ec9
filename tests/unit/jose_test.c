/* jose_test.c - the examples of RFC 7515, 7638 and 8037; tokens and keys that are refused; claims. */
#include "base/base64.h"
#include "base/timefmt.h"
#include "jose/jwt.h"
#include "lib/test.h"

#define RSA_7638                                                                                                           \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst" \
    "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr" \
    "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RSA_7515                                                                                                           \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs" \
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV" \
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define CLAIMS_7515 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define P256_7515                                                                              \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ES256_7515                      \
    "eyJhbGciOiJFUzI1NiJ9." CLAIMS_7515 \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define ED_8037 "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static const struct {
    const char *jwk, *token, *payload, *thumbprint;
} examples[] = {
    /* RFC 7515 A.2, A.3, A.4; RFC 8037 A.4; thumbprints of RFC 7638 3.1 and RFC 8037 A.3 */
    {"{\"kty\":\"RSA\",\"n\":\"" RSA_7515 "\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." CLAIMS_7515
     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1"
     "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
     "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
     "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}", NULL},
    {P256_7515, ES256_7515, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}", NULL},
    {"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
     "NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\","
     "\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
     "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
     "7XdtA"
     "G8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
     "Payload", NULL},
    {ED_8037,
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
     "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5"
     "BhVsPt9g7sVvpAr_MuM0KAg",
     "Example of Ed25519 signing", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
    {"{\"kty\":\"RSA\",\"n\":\"" RSA_7638 "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}", NULL, NULL,
     "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}};

START_TEST(examples_of_the_standards)
{
    struct jws jws = {0};
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct jwk key;
        ck_ok(jwk_read(slice_str(examples[i].jwk), &key));
        char thumbprint[CRYPTO_TEXT_BYTES];
        ck_ok(jwk_thumbprint(key.key, thumbprint));
        if (examples[i].thumbprint)
            ck_assert_str_eq(thumbprint, examples[i].thumbprint);
        if (examples[i].token) {
            ck_ok(jws_parse(&jws, slice_str(examples[i].token)));
            ck_slice_eq(jws.payload, slice_str(examples[i].payload));
            ck_assert(jws_verify(&jws, JWS_ALGS_ASYMMETRIC, &key, 1));
            ck_assert(!jws_verify(&jws, JWS_ALGS_ASYMMETRIC & ~JWS_ALG(jws.header.alg), &key, 1));
            ck_assert(!jws_verify(&jws, JWS_ALGS_ASYMMETRIC, &key, 0));
        }
        jwk_release(&key);
    }
    jws_release(&jws);
}
END_TEST

static void token_of(const char *header, const char *payload, struct buf *b)
{
    buf_clear(b);
    base64url_put(b, slice_str(header));
    buf_char(b, '.');
    base64url_put(b, slice_str(payload));
    buf_puts(b, ".AAAA");
}

START_TEST(tokens_that_are_refused)
{
    static const struct {
        const char *header;
        enum keer_err want;
    } headers[] = {{"{\"alg\":\"ES256\"}", KEER_OK},
                   {"{\"alg\":\"none\"}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"None\"}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"HS256\"}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"es256\"}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"\"}", KEER_EUNSUPPORTED}, /* the name of RS1 */
                   {"{\"alg\":\"RS1\"}", KEER_EUNSUPPORTED},
                   {"{\"alg\":256}", KEER_EFORMAT},
                   {"{}", KEER_EFORMAT},
                   {"[]", KEER_EFORMAT},
                   {"", KEER_EFORMAT},
                   {"{\"alg\":\"none\",\"alg\":\"ES256\"}", KEER_EFORMAT},
                   {"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"ES256\",\"crit\":[]}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"ES256\",\"b64\":false}", KEER_EUNSUPPORTED},
                   {"{\"alg\":\"ES256\",\"kid\":7}", KEER_EFORMAT},
                   {"{\"alg\":\"ES256\"}x", KEER_EFORMAT},
                   {"{\"alg\":\"ES256\",}", KEER_EFORMAT}};
    static const char *const texts[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a.b",
                                        "eyJhbGciOiJFUzI1NiJ9..",
                                        "e30=.e30.AAAA",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA.",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA.AA.AA",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.AA==",
                                        " eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
                                        "eyJhbGciOiJFUzI1NiJ9.e31.AAAA"};
    struct jws jws = {0};
    struct buf b;
    buf_init(&b, 2 * JWS_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        token_of(headers[i].header, "{}", &b);
        enum keer_err err = jws_parse(&jws, buf_view(&b));
        ck_assert_msg(err == headers[i].want, "%s: %s", headers[i].header, keer_err_name(err));
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        enum keer_err err = jws_parse(&jws, slice_str(texts[i]));
        ck_assert_msg(err == KEER_EFORMAT, "%s: %s", texts[i], keer_err_name(err));
    }
    buf_clear(&b);
    while (b.len <= JWS_BYTES_MAX)
        buf_puts(&b, "AAAA");
    ck_err(jws_parse(&jws, buf_view(&b)), KEER_ELIMIT);
    buf_release(&b);
    jws_release(&jws);
}
END_TEST

START_TEST(each_byte_of_a_token_matters)
{
    struct jwk key;
    struct jws jws = {0};
    char text[] = ES256_7515;
    ck_ok(jwk_read(SLICE(P256_7515), &key));
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (unsigned bit = 0; bit < 3; bit++) {
            char was = text[i];
            text[i] = (char)(was ^ (1 << bit));
            if (jws_parse(&jws, slice_str(text)) == KEER_OK)
                ck_assert_msg(!jws_verify(&jws, JWS_ALGS_ASYMMETRIC, &key, 1), "byte %zu", i);
            text[i] = was;
        }
    jwk_release(&key);
    jws_release(&jws);
}
END_TEST

START_TEST(keys_that_are_refused)
{
    static const struct {
        const char *jwk;
        enum keer_err want;
    } cases[] = {
        {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
         "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
         KEER_EFORMAT},
        {"{\"kty\":\"oct\"}", KEER_EUNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}", KEER_EUNSUPPORTED},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}", KEER_EUNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_"
         "9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}",
         KEER_EFORMAT},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"use\":\"enc\"}",
         KEER_EUNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"key_ops\":[\"sign\"]"
         "}",
         KEER_EUNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"key_ops\":["
         "\"verify\"]}",
         KEER_OK},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"alg\":\"ES256\"}",
         KEER_EFORMAT},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"alg\":\"HS256\"}",
         KEER_EUNSUPPORTED},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR\"}", KEER_EFORMAT},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"kid\":1}",
         KEER_EFORMAT},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
         "tue659LNpXW6pCyStikYjKIWI5a4\"}",
         KEER_EFORMAT},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}", KEER_EFORMAT},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\",\"y\":\"x_FEzRu9m36HLN_"
         "tue659LNpXW6pCyStikYjKIWI5a0\"}",
         KEER_EFORMAT},
        {"{\"kty\":\"RSA\",\"n\":\"" RSA_7515 "\",\"e\":\"Aw\"}", KEER_ERANGE},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", KEER_ERANGE},
        {"{\"kty\":\"RSA\",\"n\":\"" RSA_7515 "\",\"e\":\"AAEAAQ\"}", KEER_EFORMAT},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", KEER_EFORMAT},
        {"{\"crv\":\"P-256\"}", KEER_EFORMAT},
        {"[]", KEER_EFORMAT},
        {"{", KEER_ESYNTAX}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct jwk key;
        enum keer_err err = jwk_read(slice_str(cases[i].jwk), &key);
        ck_assert_msg(err == cases[i].want, "case %zu: %s", i, keer_err_name(err));
        if (err == KEER_OK)
            jwk_release(&key);
    }
}
END_TEST

START_TEST(sets_of_keys)
{
    struct jwk_set set;
    struct buf b;
    ck_ok(jwk_set_read(SLICE("{\"keys\":[" P256_7515 ",{\"kty\":\"oct\"},{\"kty\":\"new\",\"z\":1}," ED_8037 "]}"), &set));
    ck_assert_uint_eq(set.count, 2);
    jwk_set_release(&set);
    ck_ok(jwk_set_read(SLICE("{\"keys\":[]}"), &set));
    ck_assert_uint_eq(set.count, 0);
    ck_err(jwk_set_read(SLICE("{\"keys\":[" P256_7515 ",{}]}"), &set), KEER_EFORMAT);
    ck_err(jwk_set_read(SLICE("{\"keys\":{}}"), &set), KEER_EFORMAT);
    ck_err(jwk_set_read(SLICE("[]"), &set), KEER_EFORMAT);
    ck_err(jwk_set_read(SLICE("{\"keys\":[1]}"), &set), KEER_EFORMAT);
    buf_init(&b, JWK_TEXT_BYTES);
    buf_puts(&b, "{\"keys\":[" ED_8037);
    for (unsigned i = 0; i < JWK_KEYS_MAX; i++)
        buf_puts(&b, "," ED_8037);
    buf_puts(&b, "]}");
    ck_err(jwk_set_read(buf_view(&b), &set), KEER_ELIMIT);
    buf_release(&b);
}
END_TEST

/* --- what we sign ---------------------------------------------------------------------------------------------------------
 */
START_TEST(what_is_signed_is_verified)
{
    static const struct {
        enum crypto_key_kind kind;
        enum crypto_alg alg;
    } cases[] = {{CRYPTO_P256, CRYPTO_ES256},    {CRYPTO_P384, CRYPTO_ES384}, {CRYPTO_P521, CRYPTO_ES512},
                 {CRYPTO_RSA, CRYPTO_RS256},     {CRYPTO_RSA, CRYPTO_RS512},  {CRYPTO_RSA, CRYPTO_PS256},
                 {CRYPTO_ED25519, CRYPTO_EDDSA}, {CRYPTO_ED448, CRYPTO_EDDSA}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct crypto_key *key;
        struct jwk other, ours;
        struct jws jws = {0};
        struct buf b, jwk;
        buf_init(&b, JWS_BYTES_MAX);
        buf_init(&jwk, JWK_TEXT_BYTES);
        ck_ok(crypto_key_generate(cases[i].kind, 2048, &key));
        ck_ok(jwk_put(key, cases[i].alg, SLICE("k\"1"), &jwk));
        ck_ok(jwk_read(buf_view(&jwk), &ours));
        ck_assert_str_eq(ours.kid, "k\"1");
        ck_ok(jwk_read(SLICE(ED_8037), &other));
        struct jws_header h = {.alg = cases[i].alg, .kid = SLICE("k\"1"), .typ = SLICE("JWT")};
        buf_puts(&b, "before ");
        ck_ok(jws_sign(key, &h, SLICE("{\"a\":1}"), &b));
        struct slice token = slice_of(b.p + 7, b.len - 7);
        struct jwk both[2] = {other, ours};
        ck_ok(jws_parse(&jws, token));
        ck_slice_eq(jws.header.typ, SLICE("JWT"));
        ck_slice_eq(jws.payload, SLICE("{\"a\":1}"));
        ck_assert(jws_verify(&jws, JWS_ALG(cases[i].alg), both, 2));
        ck_assert(!jws_verify(&jws, JWS_ALG(cases[i].alg), both, 1));
        memcpy(both[1].kid, "k2", 3); /* the right key under another name */
        ck_assert(!jws_verify(&jws, JWS_ALG(cases[i].alg), both, 2));
        both[1] = ours;
        both[1].alg = cases[i].alg == CRYPTO_RS256 ? CRYPTO_PS256 : CRYPTO_RS256; /* or for another algorithm */
        ck_assert(!jws_verify(&jws, JWS_ALG(cases[i].alg), both, 2));
        h.alg = cases[i].alg == CRYPTO_ES256 ? CRYPTO_ES384 : CRYPTO_ES256;
        ck_err(jws_sign(key, &h, SLICE("{}"), &b), KEER_EINVALID);
        h.alg = CRYPTO_ALG_MAX;
        ck_err(jws_sign(key, &h, SLICE("{}"), &b), KEER_EINVALID);
        jwk_release(&ours);
        jwk_release(&other);
        jws_release(&jws);
        crypto_key_free(key);
        buf_release(&b);
        buf_release(&jwk);
    }
}
END_TEST

/* --- claims -------------------------------------------------------------------------------------------------------------
 */
#define NOW_S 1700000000
START_TEST(claims_are_checked)
{
    static const struct {
        const char *claims;
        enum jwt_verdict want;
    } cases[] = {
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_GOOD},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":[\"b\",\"a\"],\"jti\":\"1\",\"iat\":1.7e9,\"exp\":1700000060.5}", JWT_GOOD},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a2\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_GOOD},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1699999971}",
         JWT_GOOD}, /* the skew */
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1699999970}", JWT_EXPIRED},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000030,\"exp\":1700000060}", JWT_GOOD},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000031,\"exp\":1700000060}", JWT_EARLY},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"nbf\":1700000031,\"exp\":"
         "1700000060}",
         JWT_EARLY},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1699999369,\"exp\":1700000060}", JWT_OLD},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700003631}", JWT_OLD},
        {"{\"iss\":\"j\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_ISSUER},
        {"{\"iss\":\"i\",\"sub\":\"t\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_SUBJECT},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"b\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_AUDIENCE},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":[],\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_AUDIENCE},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":{\"a\":\"a\"},\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}",
         JWT_AUDIENCE},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"A\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_AUDIENCE},
        {"{\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000}", JWT_MISSING},
        {"{\"iss\":[\"i\"],\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":\"1700000060\"}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1e300}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":-1}", JWT_MISSING},
        {"{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"jti\":\"1\",\"iat\":1700000000,\"exp\":1700000060,\"exp\":"
         "1800000060}",
         JWT_MALFORMED},
        {"[]", JWT_MALFORMED},
        {"", JWT_MALFORMED}};
    struct crypto_key *key;
    struct jwt jwt = {0};
    struct buf b;
    buf_init(&b, JWS_BYTES_MAX);
    ck_ok(crypto_key_generate(CRYPTO_P256, 0, &key));
    struct jwk ours = {.key = key, .alg = CRYPTO_ALG_MAX};
    struct jwt_expect e = {.algs = JWS_ALG(CRYPTO_ES256),
                           .issuer = SLICE("i"),
                           .subject = SLICE("s"),
                           .audience = SLICE("a"),
                           .audience2 = SLICE("a2"),
                           .now_us = NOW_S * US_SECOND,
                           .skew_us = 30 * US_SECOND,
                           .age_max_us = 600 * US_SECOND,
                           .ahead_max_us = US_HOUR,
                           .need_iat = true,
                           .need_jti = true};
    struct jws_header h = {.alg = CRYPTO_ES256};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        ck_ok(jws_sign(key, &h, slice_str(cases[i].claims), &b));
        enum jwt_verdict v = jwt_read(&jwt, buf_view(&b), &ours, 1, &e);
        ck_assert_msg(v == cases[i].want, "%s: %s", cases[i].claims, jwt_verdict_name(v));
        b.p[b.len - 3] = b.p[b.len - 3] == 'A' ? 'B' : 'A'; /* without its signature nothing else is told */
        v = jwt_read(&jwt, buf_view(&b), &ours, 1, &e);
        ck_assert_msg(v == JWT_SIGNATURE || cases[i].want == JWT_MALFORMED, "%s", jwt_verdict_name(v));
    }
    h.typ = SLICE("application/logout+jwt");
    buf_clear(&b);
    ck_ok(jws_sign(key, &h, slice_str(cases[0].claims), &b));
    e.typ = "logout+JWT";
    ck_assert_int_eq(jwt_read(&jwt, buf_view(&b), &ours, 1, &e), JWT_GOOD);
    e.typ = "JWT";
    ck_assert_int_eq(jwt_read(&jwt, buf_view(&b), &ours, 1, &e), JWT_TYPE);
    e.algs = JWS_ALG(CRYPTO_RS256);
    ck_assert_int_eq(jwt_read(&jwt, buf_view(&b), &ours, 1, &e), JWT_HEADER);
    ck_assert_int_eq(jwt_peek(&jwt, buf_view(&b)), JWT_GOOD);
    ck_slice_eq(jwt.subject, SLICE("s"));
    jwt_release(&jwt);
    crypto_key_free(key);
    buf_release(&b);
}
END_TEST

START_TEST(memory_may_run_out)
{
    struct jwk key;
    ck_ok(jwk_read(SLICE(P256_7515), &key));
    struct jwt_expect e = {.algs = JWS_ALG(CRYPTO_ES256), .any_time = true};
    for (uint64_t n = 1;; n++) {
        struct jwt jwt = {0};
        oom_arm(n, /* persistent */ false);
        enum jwt_verdict v = jwt_read(&jwt, SLICE(ES256_7515), &key, 1, &e);
        bool reached = oom_count() >= n;
        oom_arm(0, false);
        jwt_release(&jwt);
        ck_assert_int_eq(v, reached ? JWT_NOMEM : JWT_GOOD);
        if (!reached)
            break;
    }
    jwk_release(&key);
}
END_TEST

int main(void)
{
    ASSERT(crypto_start() == KEER_OK);
    Suite *s = suite_create("jose");
    TCase *c = tcase_create("jose");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, examples_of_the_standards);
    tcase_add_test(c, tokens_that_are_refused);
    tcase_add_test(c, each_byte_of_a_token_matters);
    tcase_add_test(c, keys_that_are_refused);
    tcase_add_test(c, sets_of_keys);
    tcase_add_test(c, what_is_signed_is_verified);
    tcase_add_test(c, claims_are_checked);
    tcase_add_test(c, memory_may_run_out);
    suite_add_tcase(s, c);
    return test_main(s);
}
