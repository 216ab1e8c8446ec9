/* tool.c - src/jose on the command line, for tests/integration/jose.sh: one request a line, one answer a line.
 *
 *     sign KIND ALG PAYLOAD        JWK TAB TOKEN            (KIND: P-256, P-384, P-521, RSA, Ed25519, Ed448; a fresh key)
 *     verify TOKEN JWK             yes TAB PAYLOAD, or no
 *     thumbprint JWK               base64url, or no
 */
#include "base/crypto.h"
#include "jose/jws.h"

static const char *const kinds[] = {"P-256", "P-384", "P-521", "RSA", "Ed25519", "Ed448"};

static void sign(struct slice rest)
{
    struct slice kind = slice_cut(&rest, ' '), alg = slice_cut(&rest, ' ');
    struct crypto_key *key = NULL;
    struct buf b;
    buf_init(&b, JWK_TEXT_BYTES);
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (slice_eq(kind, slice_str(kinds[i])) && crypto_key_generate((enum crypto_key_kind)i, 2048, &key) != KEER_OK)
            return;
    struct jws_header h = {.alg = crypto_alg_of(alg), .kid = SLICE("k"), .typ = SLICE("JWT")};
    if (!key || jwk_put(key, h.alg, h.kid, &b) != KEER_OK)
        return;
    buf_char(&b, '\t');
    if (jws_sign(key, &h, rest, &b) == KEER_OK)
        printf(SLICE_FMT "\n", SLICE_ARG(buf_view(&b)));
    buf_release(&b);
    crypto_key_free(key);
}

static void verify(struct slice rest)
{
    struct slice token = slice_cut(&rest, ' ');
    struct jws jws = {0};
    struct jwk key = {.key = NULL};
    bool good = jwk_read(rest, &key) == KEER_OK && jws_parse(&jws, token) == KEER_OK &&
                jws_verify(&jws, JWS_ALGS_ASYMMETRIC, &key, 1);
    if (good)
        printf("yes\t" SLICE_FMT "\n", SLICE_ARG(jws.payload));
    else
        puts("no");
    jwk_release(&key);
    jws_release(&jws);
}

static void thumbprint(struct slice rest)
{
    struct jwk key;
    char text[CRYPTO_TEXT_BYTES] = "no";
    if (jwk_read(rest, &key) == KEER_OK) {
        if (jwk_thumbprint(key.key, text) != KEER_OK)
            memcpy(text, "no", 3);
        jwk_release(&key);
    }
    puts(text);
}

int main(void)
{
    static char line[1 << 16];
    if (crypto_start() != KEER_OK)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        struct slice rest = slice_trim(slice_str(line)), verb = slice_cut(&rest, ' ');
        if (slice_eq(verb, SLICE("sign")))
            sign(rest);
        else if (slice_eq(verb, SLICE("verify")))
            verify(rest);
        else
            thumbprint(rest);
        (void)fflush(stdout);
    }
    return 0;
}
