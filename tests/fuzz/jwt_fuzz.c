/* jwt_fuzz.c - tokens and sets of keys: the first byte says which. What is parsed points into what was given or decoded, is
 * verified by no key that did not sign it, and a key that is read is printed and read again as the same one.
 */
#include "base/base64.h"
#include "jose/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keys(struct slice text)
{
    struct jwk_set set;
    struct buf b;
    if (jwk_set_read(text, &set) != KEER_OK)
        return;
    buf_init(&b, JWK_TEXT_BYTES);
    for (unsigned i = 0; i < set.count; i++) {
        struct jwk again;
        buf_clear(&b);
        ASSERT(jwk_put(set.key[i].key, set.key[i].alg, slice_str(set.key[i].kid), &b) == KEER_OK);
        ASSERT(jwk_read(buf_view(&b), &again) == KEER_OK && crypto_key_eq(again.key, set.key[i].key));
        ASSERT(strcmp(again.kid, set.key[i].kid) == 0 && again.alg == set.key[i].alg);
        jwk_release(&again);
    }
    buf_release(&b);
    jwk_set_release(&set);
}

static void token(struct slice text)
{
    static struct jwk ours; /* a key that signed nothing */
    struct jwt jwt = {0};
    struct jwt_expect e = {.algs = JWS_ALGS_ASYMMETRIC, .any_time = true};
    if (!ours.key)
        ASSERT(crypto_key_generate(CRYPTO_P256, 0, &ours.key) == KEER_OK);
    ours.alg = CRYPTO_ALG_MAX;
    enum jwt_verdict v = jwt_peek(&jwt, text);
    if (v == JWT_GOOD || v == JWT_MISSING) {
        struct buf b; /* one spelling: what was decoded is encoded as it came */
        buf_init(&b, JWS_BYTES_MAX);
        base64url_put(&b, jwt.jws.payload);
        buf_char(&b, '.');
        base64url_put(&b, jwt.jws.signature);
        ASSERT(b.len < text.len && memcmp(text.p + (text.len - b.len), b.p, b.len) == 0);
        buf_release(&b);
    }
    ASSERT(jwt_read(&jwt, text, &ours, 1, &e) != JWT_GOOD);
    jwt_release(&jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || crypto_start() != KEER_OK)
        return 0;
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    if (data[0] == 'k')
        keys(rest);
    else
        token(rest);
    return 0;
}
