/* appstore_fuzz.c - notifications of the App Store, with real signatures. The first byte says which. 'j': a JWS as it came, which nobody's
 * root signed and which is therefore never genuine. 'p': a payload that was signed by the root of the tests. 't': the same of a
 * transaction within. What is behind the signatures has a target of its own, which is much quicker (appstore_payload_fuzz.c).
 */
#include "lib/appstore_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ak k;

static void sign(struct slice payload, struct buf *out)
{
    const struct ak_key *const chain[] = {&k.leaf, &k.between, &k.root};
    ak_sign(NULL, chain, 3, k.leaf.key, payload, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 20000)
        return 0;
    if (!k.leaf.key)
        ak_start(&k);
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    struct buf jws, payload, outer;
    buf_init(&jws, 1u << 20);
    buf_init(&payload, 1u << 20);
    buf_init(&outer, 1u << 20);
    if (data[0] == 'p') {
        sign(rest, &jws);
        ak_fuzz_read(&k, buf_view(&jws), true);
    } else if (data[0] == 't') {
        sign(rest, &jws);
        ak_fuzz_payload(jws.p, NULL, &payload);
        sign(buf_view(&payload), &outer);
        ak_fuzz_read(&k, buf_view(&outer), true);
    } else {
        ak_fuzz_read(&k, rest, false);
    }
    buf_release(&jws);
    buf_release(&payload);
    buf_release(&outer);
    return 0;
}
