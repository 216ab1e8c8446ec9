/* der_write.h - DER and X.509 certificates of tests: written, not checked, so that wrong ones can be made too. */
#ifndef TESTS_LIB_DER_WRITE_H
#define TESTS_LIB_DER_WRITE_H
#include "base/buf.h"
#include "base/crypto_key.h"

/* Programs that are no Check tests use this as well. */
#define MADE(call)                        \
    do {                                  \
        enum keer_err made_err_ = (call); \
        ASSERT(made_err_ == KEER_OK);     \
    } while (0)

static inline void der_put(struct buf *b, unsigned tag, struct slice inside)
{
    buf_char(b, (char)tag);
    if (inside.len >= 256) {
        buf_char(b, (char)0x82);
        buf_char(b, (char)(inside.len >> 8));
    } else if (inside.len >= 128)
        buf_char(b, (char)0x81);
    buf_char(b, (char)(inside.len & 0xFF));
    buf_slice(b, inside);
}

/* What `b` has from `from` on becomes the inside of an element. */
static inline void der_wrap(struct buf *b, size_t from, unsigned tag)
{
    struct buf copy;
    buf_init(&copy, 1u << 16);
    der_put(&copy, tag, slice_of(b->p + from, b->len - from));
    b->len = from;
    buf_slice(b, buf_view(&copy));
    ASSERT(b->err == KEER_OK && copy.err == KEER_OK);
    buf_release(&copy);
}

/* "2.5.4.3" */
static inline void der_oid(struct buf *b, const char *dots)
{
    size_t from = b->len;
    unsigned long arc[16];
    unsigned n = 0;
    for (char *end; n < ARRAY_LEN(arc); dots = end + 1) {
        arc[n++] = strtoul(dots, &end, 10);
        if (*end != '.')
            break;
    }
    buf_char(b, (char)(arc[0] * 40 + arc[1]));
    for (unsigned i = 2; i < n; i++) {
        unsigned shift = 0;
        while (shift < 28 && arc[i] >> (shift + 7))
            shift += 7;
        for (;; shift -= 7) {
            buf_char(b, (char)((arc[i] >> shift & 0x7F) | (shift ? 0x80 : 0)));
            if (shift == 0)
                break;
        }
    }
    der_wrap(b, from, 0x06);
}

/* SET { SEQUENCE { oid, UTF8String } } */
static inline void der_name_part(struct buf *b, const char *oid, const char *text)
{
    size_t from = b->len;
    der_oid(b, oid);
    der_put(b, 0x0C, slice_str(text));
    der_wrap(b, from, 0x30);
    der_wrap(b, from, 0x31);
}

static inline void der_extension(struct buf *b, const char *oid, bool critical, struct slice value)
{
    size_t from = b->len;
    der_oid(b, oid);
    if (critical)
        der_put(b, 0x01, SLICE("\xFF"));
    der_put(b, 0x04, value);
    der_wrap(b, from, 0x30);
}

struct cert_recipe {
    bool v1;
    struct slice subject, issuer; /* insides of Names */
    const char *until;            /* UTCTime */
    const struct crypto_key *key, *signer;
    struct slice extensions; /* elements, or empty */
};

static inline void cert_algorithm(struct buf *b, bool rsa)
{
    size_t from = b->len;
    der_oid(b, rsa ? "1.2.840.113549.1.1.11" : "1.2.840.10045.4.3.2"); /* sha256WithRSAEncryption, ecdsa-with-SHA256 */
    if (rsa)
        der_put(b, 0x05, slice_of("", 0));
    der_wrap(b, from, 0x30);
}

/* A certificate signed with SHA-256, and ECDSA of P-256 or RSA as its signer is. */
static inline void cert_put(struct buf *out, const struct cert_recipe *c)
{
    struct buf b;
    struct crypto_signature sig;
    static unsigned serial = 1;
    unsigned char number[4] = {1, (unsigned char)(serial >> 16), (unsigned char)(serial >> 8), (unsigned char)serial};
    serial++;
    buf_init(&b, 1u << 16);
    if (!c->v1) {
        der_put(&b, 0x02, SLICE("\2"));
        der_wrap(&b, 0, 0xA0);
    }
    der_put(&b, 0x02, slice_of((const char *)number, sizeof number));
    bool rsa = crypto_key_kind(c->signer) == CRYPTO_RSA;
    cert_algorithm(&b, rsa);
    der_put(&b, 0x30, c->issuer);
    size_t from = b.len;
    der_put(&b, 0x17, SLICE("240101000000Z"));
    der_put(&b, 0x17, slice_str(c->until));
    der_wrap(&b, from, 0x30);
    der_put(&b, 0x30, c->subject);
    MADE(crypto_key_put_spki(c->key, &b));
    if (!c->v1 && c->extensions.len) {
        from = b.len;
        der_put(&b, 0x30, c->extensions);
        der_wrap(&b, from, 0xA3);
    }
    der_wrap(&b, 0, 0x30);
    MADE(crypto_key_sign(c->signer, rsa ? CRYPTO_RS256 : CRYPTO_ES256, CRYPTO_DER, buf_view(&b), &sig));
    cert_algorithm(&b, rsa);
    from = b.len;
    buf_char(&b, 0);
    buf_put(&b, sig.bytes, sig.len);
    der_wrap(&b, from, 0x03);
    der_wrap(&b, 0, 0x30);
    buf_slice(out, buf_view(&b));
    ASSERT(b.err == KEER_OK && out->err == KEER_OK);
    buf_release(&b);
}
#endif
