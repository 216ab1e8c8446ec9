/* appstore_fuzz.c - notifications of the App Store: the first byte says which. 'j': a JWS as it came, which nobody's root
 * signed and which is therefore never genuine. 'p': a payload that was signed by the root of the tests: what is read of it
 * is within its bounds, its amount and time too, and what is prepared of it is JSON. 't': the same of a transaction within.
 */
#include "base/json.h"
#include "base/num.h"
#include "lib/appstore_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ak k;

static void read_signed(struct slice text, bool may_be_genuine)
{
    struct appstore_notice n;
    char why[APPSTORE_WHY_BYTES];
    enum appstore_verdict v = appstore_read(&k.store, text, ak_now_ms * 1000, &n, why);
    ASSERT((v == APPSTORE_GENUINE) == (why[0] == '\0'));
    if (v != APPSTORE_GENUINE)
        return;
    ASSERT(may_be_genuine);
    ASSERT(strlen(n.uuid) == APPSTORE_UUID_BYTES && n.type[0] && strcmp(n.bundle, AK_BUNDLE) == 0);
    ASSERT(n.amount_minor >= 0 && n.amount_minor < NUM_EXACT_MAX && n.signed_us > 0 && n.purchased_us >= 0);
    struct tape t = {0};
    struct tape_error e;
    struct buf b;
    static const struct tape_limits limits = {.bytes = APPSTORE_ANSWER_BYTES, .values = 128, .depth = 4, .keys = 32};
    const struct appstore_evidence evidence = {
        .has_account = true, .created_us = n.signed_us / 2, .granted = n.amount_minor % 5};
    buf_init(&b, APPSTORE_ANSWER_BYTES);
    appstore_prepare(&n, &evidence, &b);
    ASSERT(tape_read(&t, buf_view(&b), &limits, &e) == KEER_OK);
    tape_release(&t);
    buf_release(&b);
}

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
        read_signed(buf_view(&jws), true);
    } else if (data[0] == 't') {
        sign(rest, &jws);
        buf_fmt(&payload,
                "{\"notificationType\":\"REFUND\",\"notificationUUID\":\"" AK_UUID
                "\",\"version\":\"2.0\",\"signedDate\":%lld,"
                "\"data\":{\"bundleId\":\"" AK_BUNDLE "\",\"environment\":\"Production\",\"signedTransactionInfo\":\"%s\"}}",
                (long long)ak_now_ms, jws.p);
        sign(buf_view(&payload), &outer);
        read_signed(buf_view(&outer), true);
    } else {
        read_signed(rest, false);
    }
    buf_release(&jws);
    buf_release(&payload);
    buf_release(&outer);
    return 0;
}
