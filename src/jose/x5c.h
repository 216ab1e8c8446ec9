/* x5c.h - compact JSON Web Signatures whose header carries the chain of certificates of who signed (RFC 7515 4.1.6): the key
 * is the leaf's, and who is trusted is a root that the caller holds.
 *
 *     x5c_parse ─► payload, to find out when it was signed ─► x5c_verify at that time ─► believed, or not
 *
 * Invariants
 *  1. What is parsed is not verified; x5c_verify alone says that it was signed by a chain that ends at a root of the
 * caller's.
 *  2. The algorithm is ES256 and nothing else: `none`, HS256 and all others are refused when it is parsed, and so is a
 * header with `crit` or `b64`, or with a member twice.
 *  3. The chain is exactly as long as the caller wants, in order: leaf, then the one between, which is a CA and was signed
 * by a root of the caller's; what stands at the end of x5c must be a certificate, and is not what is trusted.
 *  4. Leaf, between and root are valid at the time that the caller gives; no clock, no CRL, no OCSP.
 */
#ifndef JOSE_X5C_H
#define JOSE_X5C_H
#include "base/crypto_cert.h"
#include "base/json.h"

#define X5C_BYTES_MAX (128u << 10) /* of a token */
#define X5C_CERTS_MAX 3

struct x5c {              /* starts as {0}; may be parsed into again */
    struct slice payload; /* decoded */
    struct slice signed_part;
    struct slice signature;
    struct crypto_cert *cert[X5C_CERTS_MAX];
    unsigned certs;
    struct buf bytes;
    struct tape tape;
};
enum x5c_verdict {
    X5C_GOOD,
    X5C_NO_LEAF,    /* the leaf lacks the extension that says what it is for */
    X5C_NO_BETWEEN, /* so does the one between, or it is no CA */
    X5C_NO_CHAIN,   /* it does not lead to a root, or something of it was not valid then */
    X5C_NO_SIGNATURE,
    X5C_VERDICT_MAX
};
const char *x5c_verdict_text(enum x5c_verdict verdict);

/* KEER_EFORMAT for what is no such token, KEER_EUNSUPPORTED for another algorithm or a header that is not understood,
 * KEER_ELIMIT, KEER_ENOMEM. The text stays as long as *x is used. */
KEER_NODISCARD enum keer_err x5c_parse(struct x5c *x, struct slice text);
void x5c_release(struct x5c *x);

struct x5c_expect {
    struct crypto_cert *const *roots;
    size_t root_count;
    const char *leaf_oid, *between_oid; /* extensions that must be there, in dots */
    int64_t at_us;
};
enum x5c_verdict x5c_verify(const struct x5c *x, const struct x5c_expect *e);
#endif
