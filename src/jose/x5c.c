/* x5c.c - signatures that bring their chain of certificates. */
#include "jose/x5c.h"

#include "base/base64.h"

static const struct tape_limits limits = {.bytes = X5C_BYTES_MAX, .values = 64, .depth = 4, .keys = 32};

const char *x5c_verdict_text(enum x5c_verdict verdict)
{
    static const char *const texts[] = {
        "it is good", "the leaf certificate is not for this", "the intermediate certificate is not for this, or is no CA",
        "the certificates do not lead to the root, or were not valid when it was signed", "the signature is wrong"};
    static_assert(ARRAY_LEN(texts) == X5C_VERDICT_MAX, "a text for each verdict");
    return (unsigned)verdict < X5C_VERDICT_MAX ? texts[verdict] : "?";
}

static enum keer_err read_cert(struct x5c *x, struct slice base64)
{
    unsigned char der[LIMIT_CERT_BYTES];
    size_t len = 0;
    if (base64_get(base64, sizeof der, der, &len) != KEER_OK)
        return KEER_EFORMAT;
    enum keer_err err = crypto_cert_der(slice_of((const char *)der, len), &x->cert[x->certs]);
    if (err == KEER_OK)
        x->certs++;
    return err;
}

static enum keer_err read_header(struct x5c *x, struct slice json)
{
    struct tape_error why;
    const struct tape *t = &x->tape;
    enum keer_err err = tape_read(&x->tape, json, &limits, &why);
    if (err != KEER_OK)
        return err == KEER_ENOMEM ? err : KEER_EFORMAT;
    uint32_t alg = tape_find(t, 0, "alg"), chain = tape_find(t, 0, "x5c");
    if (alg == TAPE_NONE || tape_type(t, alg) != TAPE_STRING)
        return KEER_EFORMAT;
    if (!slice_eq(tape_text(t, alg), SLICE("ES256")) || tape_find(t, 0, "crit") != TAPE_NONE ||
        tape_find(t, 0, "b64") != TAPE_NONE)
        return KEER_EUNSUPPORTED;
    if (chain == TAPE_NONE || tape_type(t, chain) != TAPE_ARRAY || t->v[chain].len != X5C_CERTS_MAX)
        return KEER_EFORMAT;
    for (uint32_t i = chain + 1; err == KEER_OK && i < t->v[chain].next; i = t->v[i].next)
        err = tape_type(t, i) == TAPE_STRING ? read_cert(x, tape_text(t, i)) : KEER_EFORMAT;
    return err;
}

static void forget(struct x5c *x)
{
    for (unsigned i = 0; i < x->certs; i++)
        crypto_cert_free(x->cert[i]);
    x->certs = 0;
    x->payload = x->signed_part = x->signature = slice_of(NULL, 0);
}

enum keer_err x5c_parse(struct x5c *x, struct slice text)
{
    struct slice rest = text, part[3];
    size_t end[3] = {0};
    forget(x);
    if (text.len > X5C_BYTES_MAX)
        return KEER_ELIMIT;
    for (unsigned i = 0; i < 3; i++)
        part[i] = slice_cut(&rest, '.');
    if (rest.p || !part[2].p || part[0].len == 0 || part[2].len == 0) /* two dots, no more */
        return KEER_EFORMAT;
    if (!x->bytes.max)
        buf_init(&x->bytes, X5C_BYTES_MAX);
    buf_clear(&x->bytes);
    /* The room first: what is decoded is pointed at, and must not move. */
    if (!buf_reserve(&x->bytes, text.len))
        return x->bytes.err;
    for (unsigned i = 0; i < 3; i++) {
        enum keer_err err = base64url_append(&x->bytes, part[i]);
        if (err != KEER_OK)
            return err;
        end[i] = x->bytes.len;
    }
    const char *p = x->bytes.p;
    enum keer_err err = read_header(x, slice_of(p, end[0]));
    if (err != KEER_OK) {
        forget(x);
        return err;
    }
    x->payload = slice_of(p + end[0], end[1] - end[0]);
    x->signature = slice_of(p + end[1], end[2] - end[1]);
    x->signed_part = slice_of(text.p, part[0].len + 1 + part[1].len);
    return KEER_OK;
}

void x5c_release(struct x5c *x)
{
    forget(x);
    buf_release(&x->bytes);
    tape_release(&x->tape);
    *x = (struct x5c){0};
}

enum x5c_verdict x5c_verify(const struct x5c *x, const struct x5c_expect *e)
{
    struct slice der;
    bool critical;
    struct crypto_key *key = NULL;
    if (x->certs != X5C_CERTS_MAX)
        return X5C_NO_CHAIN;
    if (!crypto_cert_extension(x->cert[0], e->leaf_oid, &der, &critical) || crypto_cert_is_ca(x->cert[0]))
        return X5C_NO_LEAF;
    if (!crypto_cert_extension(x->cert[1], e->between_oid, &der, &critical) || !crypto_cert_is_ca(x->cert[1]))
        return X5C_NO_BETWEEN;
    /* Link by link: a leaf that the root itself signed would let anything stand between. */
    if (!crypto_cert_verify(&x->cert[0], 1, &x->cert[1], 1, e->at_us) ||
        !crypto_cert_verify(&x->cert[1], 1, e->roots, e->root_count, e->at_us))
        return X5C_NO_CHAIN;
    bool ok = crypto_cert_key(x->cert[0], &key) == KEER_OK &&
              crypto_key_verify(key, CRYPTO_ES256, CRYPTO_RAW, x->signed_part, x->signature);
    crypto_key_free(key);
    return ok ? X5C_GOOD : X5C_NO_SIGNATURE;
}
