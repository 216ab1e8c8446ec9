/* judge.c - ceremonies as lines of JSON: what they are, what ours says, what libfido2 says; judge.mjs adds a third opinion
 * and holds the three against each other (tests/integration/webauthn.sh). libfido2 is in this program alone, never in the
 * daemon.
 *
 * The first line is the root of attestation; then 1,000 right ceremonies, then EACH of every mutation.
 */
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>

#include "base/num.h"
#include "lib/passkey_bases.h"

#define RIGHT 1000
#define EACH 3

static struct passkey_kit kit;
static struct ceremony c;
static struct rng rng;

static const unsigned char *bytes(struct slice s) { return (const unsigned char *)s.p; }

static int cose_of(unsigned alg)
{
    static const int known[KIT_ALGS] = {COSE_ES256, COSE_ES384, 0, COSE_RS256, COSE_EDDSA, 0};
    return known[alg];
}

/* --- libfido2 --- */

static const char *fido_register(const struct recipe *r)
{
    fido_cred_t *cred = fido_cred_new();
    int e = FIDO_ERR_INTERNAL;
    bool self = false;
    ASSERT(cred);
    if (cose_of(r->alg) == 0) {
        fido_cred_free(&cred);
        return "unsupported algorithm";
    }
    if ((e = fido_cred_set_type(cred, cose_of(r->alg))) == FIDO_OK &&
        (e = fido_cred_set_fmt(cred, r->fmt ? r->fmt : "")) == FIDO_OK &&
        (e = fido_cred_set_clientdata(cred, bytes(buf_view(&c.client)), c.client.len)) == FIDO_OK &&
        (e = fido_cred_set_rp(cred, KIT_RP, NULL)) == FIDO_OK && (e = fido_cred_set_uv(cred, FIDO_OPT_TRUE)) == FIDO_OK &&
        (e = fido_cred_set_authdata_raw(cred, bytes(buf_view(&c.data)), c.data.len)) == FIDO_OK &&
        (e = fido_cred_set_attstmt(cred, bytes(buf_view(&c.statement)), c.statement.len)) == FIDO_OK) {
        self = fido_cred_x5c_ptr(cred) == NULL;
        e = self ? fido_cred_verify_self(cred) : fido_cred_verify(cred);
    }
    fido_cred_free(&cred);
    return e == FIDO_OK ? "OK" : fido_strerr(e);
}

/* The public key as libfido2 wants it; NULL when it has none of its kind. */
static void *fido_key(unsigned alg, int *ret_error)
{
    struct crypto_parts parts;
    unsigned char raw[512];
    void *pk = NULL;
    *ret_error = FIDO_ERR_UNSUPPORTED_ALGORITHM;
    MADE(crypto_key_parts(kit.keys[alg], &parts));
    memcpy(raw, parts.bytes[0], parts.len[0]);
    memcpy(raw + parts.len[0], parts.bytes[1], parts.len[1]);
    if (alg == KIT_ES256 && (pk = es256_pk_new()))
        *ret_error = es256_pk_from_ptr(pk, raw, 64);
    else if (alg == KIT_ES384 && (pk = es384_pk_new()))
        *ret_error = es384_pk_from_ptr(pk, raw, 96);
    else if (alg == KIT_EDDSA && (pk = eddsa_pk_new()))
        *ret_error = eddsa_pk_from_ptr(pk, raw, 32);
    else if (alg == KIT_RS256 && (pk = rs256_pk_new()))
        *ret_error = rs256_pk_from_ptr(pk, raw, 256 + 3);
    return pk;
}

static void fido_key_free(unsigned alg, void *pk)
{
    if (alg == KIT_ES256)
        es256_pk_free((es256_pk_t **)&pk);
    else if (alg == KIT_ES384)
        es384_pk_free((es384_pk_t **)&pk);
    else if (alg == KIT_EDDSA)
        eddsa_pk_free((eddsa_pk_t **)&pk);
    else if (alg == KIT_RS256)
        rs256_pk_free((rs256_pk_t **)&pk);
}

static const char *fido_assertion(const struct recipe *r)
{
    int e;
    fido_assert_t *a = fido_assert_new();
    void *pk = fido_key(r->alg, &e);
    ASSERT(a);
    if (e == FIDO_OK && (e = fido_assert_set_count(a, 1)) == FIDO_OK &&
        (e = fido_assert_set_clientdata(a, bytes(buf_view(&c.client)), c.client.len)) == FIDO_OK &&
        (e = fido_assert_set_rp(a, KIT_RP)) == FIDO_OK && (e = fido_assert_set_up(a, FIDO_OPT_TRUE)) == FIDO_OK &&
        (e = fido_assert_set_uv(a, FIDO_OPT_TRUE)) == FIDO_OK &&
        (e = fido_assert_set_authdata_raw(a, 0, bytes(buf_view(&c.data)), c.data.len)) == FIDO_OK &&
        (e = fido_assert_set_sig(a, 0, bytes(buf_view(&c.signature)), c.signature.len)) == FIDO_OK)
        e = fido_assert_verify(a, 0, cose_of(r->alg), pk);
    fido_key_free(r->alg, pk);
    fido_assert_free(&a);
    return e == FIDO_OK ? "OK" : fido_strerr(e);
}

/* --- ours, and the line --- */

static const char *ours(const struct recipe *r)
{
    struct webauthn_registered reg;
    struct webauthn_authenticated auth;
    if (r->kind == KIT_REGISTER) {
        MADE(webauthn_register(&c.expect, &c.registration, &reg));
        return webauthn_verdict_name(reg.verdict);
    }
    MADE(webauthn_authenticate(&c.expect, &c.stored, &c.assertion, &auth));
    return webauthn_verdict_name(auth.verdict);
}

static void put(struct buf *b, const char *name, struct slice s)
{
    buf_fmt(b, ",\"%s\":\"", name);
    base64url_put(b, s);
    buf_char(b, '"');
}

static void line(const char *name, const struct recipe *r)
{
    static const char *const kinds[] = {"register", "sign-in", "pay"};
    struct buf b;
    buf_init(&b, 1u << 20);
    ceremony_make(&kit, r, &rng, &c);
    buf_fmt(&b, "{\"name\":\"%s\",\"kind\":\"%s\",\"ours\":\"%s\",\"fido\":\"%s\",\"counter\":%u,\"only_es256\":%s", name,
            kinds[r->kind], ours(r), r->kind == KIT_REGISTER ? fido_register(r) : fido_assertion(r), c.stored.counter,
            r->only_es256 ? "true" : "false");
    put(&b, "challenge", slice_of((const char *)c.challenge, sizeof c.challenge));
    put(&b, "id", r->kind == KIT_REGISTER ? c.stored.id : c.assertion.credential_id);
    put(&b, "stored_id", c.stored.id);
    put(&b, "client", buf_view(&c.client));
    if (r->kind == KIT_REGISTER)
        put(&b, "object", buf_view(&c.object));
    else {
        put(&b, "data", buf_view(&c.data));
        put(&b, "signature", buf_view(&c.signature));
        put(&b, "key", buf_view(&c.key));
        put(&b, "user", c.assertion.user_handle);
    }
    buf_puts(&b, "}\n");
    ASSERT(b.err == KEER_OK);
    (void)fwrite(b.p, 1, b.len, stdout);
    buf_release(&b);
}

int main(int argc, char **argv)
{
    uint64_t seed = 20261129;
    char name[100];
    struct buf root;
    if (argc > 1 && num_u64(slice_str(argv[1]), 0, UINT64_MAX, &seed) != KEER_OK)
        return 2;
    MADE(crypto_start());
    fido_init(0);
    rng_seed(&rng, seed);
    passkey_kit_make(&kit);
    ceremony_init(&c);
    buf_init(&root, 8192);
    base64_put(&root, crypto_cert_bytes(kit.root));
    printf("{\"root\":\"" SLICE_FMT "\",\"seed\":%llu}\n", SLICE_ARG(buf_view(&root)), (unsigned long long)seed);
    for (int i = 0; i < RIGHT; i++) {
        static const char *const algs[] = {"ES256", "ES384", "ES512", "RS256", "EdDSA", "Ed448"};
        struct recipe r = random_recipe(&rng);
        bool reg = r.kind == KIT_REGISTER;
        (void)snprintf(name, sizeof name, "right %s %s%s %s",
                       reg                 ? "register"
                       : r.kind == KIT_PAY ? "pay"
                                           : "sign-in",
                       reg ? r.fmt : "-", r.self ? "-self" : "", algs[r.alg]);
        line(name, &r);
    }
    for (enum mutation m = 0; m < MUTATION_MAX; m++)
        for (int i = 0; i < EACH; i++) {
            struct recipe r = base_recipe(mutation_rows[m].base, &rng);
            mutation_apply(m, &r);
            line(mutation_rows[m].name, &r);
        }
    buf_release(&root);
    ceremony_release(&c);
    passkey_kit_release(&kit);
    return 0;
}
