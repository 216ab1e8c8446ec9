/* appstore_payload_fuzz.c - what stands in notifications of the App Store, behind their signatures. Certificates are not decoded and
 * x5c_verify is replaced (--wrap, for this program alone): three keys and four checks of P-256 a notice would take all the time, and
 * find nothing. The first byte: 'p' a payload; 't' a transaction and 'r' a renewal in one that is right; 'b' both, from one text. What
 * is read is within its bounds, and what is prepared of it is JSON. appstore_fuzz.c has the same with real signatures.
 */
#include "jose/x5c.h"
#include "lib/appstore_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
enum x5c_verdict __wrap_x5c_verify(const struct x5c *x, const struct x5c_expect *e);
enum keer_err __real_crypto_cert_der(struct slice der, struct crypto_cert **ret_cert);
enum keer_err __wrap_crypto_cert_der(struct slice der, struct crypto_cert **ret_cert);
void __real_crypto_cert_free(struct crypto_cert *cert);
void __wrap_crypto_cert_free(struct crypto_cert *cert);

static struct crypto_cert *decoded; /* stands for every certificate, once it is there */

enum keer_err __wrap_crypto_cert_der(struct slice der, struct crypto_cert **ret_cert)
{
    if (!decoded)
        return __real_crypto_cert_der(der, ret_cert);
    *ret_cert = decoded;
    return der.len ? KEER_OK : KEER_EFORMAT;
}
void __wrap_crypto_cert_free(struct crypto_cert *cert)
{
    if (cert != decoded)
        __real_crypto_cert_free(cert);
}

enum x5c_verdict __wrap_x5c_verify(const struct x5c *x, const struct x5c_expect *e)
{
    ASSERT(x->certs == X5C_CERTS_MAX && e->root_count && e->at_us > 0);
    return X5C_GOOD;
}

static struct ak k;
static struct buf header; /* of a real one, and the dot behind it */
static char tail[100];    /* a dot, and what has the length of a signature */

static void start(void)
{
    const struct ak_key *const chain[] = {&k.leaf, &k.between, &k.root};
    struct buf jws;
    ak_start(&k);
    buf_init(&jws, 1u << 20);
    buf_init(&header, 1u << 20);
    ak_sign(NULL, chain, 3, k.leaf.key, SLICE("{}"), &jws);
    buf_put(&header, jws.p, (size_t)(strchr(jws.p, '.') - jws.p) + 1);
    (void)snprintf(tail, sizeof tail, "%s", strrchr(jws.p, '.'));
    decoded = k.store.root[0];
    buf_release(&jws);
}

static void wrap(struct slice payload, struct buf *out)
{
    buf_slice(out, buf_view(&header));
    base64url_put(out, payload);
    buf_puts(out, tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 20000)
        return 0;
    if (!k.leaf.key)
        start();
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    struct buf inner, payload, outer;
    buf_init(&inner, 1u << 20);
    buf_init(&payload, 1u << 20);
    buf_init(&outer, 1u << 20);
    if (data[0] == 't' || data[0] == 'r' || data[0] == 'b') {
        wrap(rest, &inner);
        ak_fuzz_payload(data[0] != 'r' ? inner.p : NULL, data[0] != 't' ? inner.p : NULL, &payload);
        wrap(buf_view(&payload), &outer);
    } else {
        wrap(rest, &outer);
    }
    ASSERT(inner.err == KEER_OK && payload.err == KEER_OK && outer.err == KEER_OK);
    ak_fuzz_read(&k, buf_view(&outer), /* may_be_genuine */ true);
    buf_release(&inner);
    buf_release(&payload);
    buf_release(&outer);
    return 0;
}
