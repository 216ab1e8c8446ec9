/* appstore_kit.h - an App Store of tests: a root, an intermediate and a leaf with Apple's OIDs, and what they sign.
 *
 * A recipe says what is wrong with a notice; an empty one makes a good one.
 */
#ifndef TESTS_LIB_APPSTORE_KIT_H
#define TESTS_LIB_APPSTORE_KIT_H
#include "base/base64.h"
#include "base/crypto.h"
#include "base/timefmt.h"
#include "flow/appstore.h"
#include "lib/der_write.h"

#define AK_BUNDLE "com.example.game"
#define AK_UUID "002e14d5-51f5-4503-b5a8-c3a1af68eb20"
#define AK_TOKEN "7e3fb204-2dc2-4a3c-8bb5-a1b9e6f0c3d4"
/* The time of the notices: 2027-01-15T08:00:00Z, unless a program says otherwise. */
static int64_t ak_now_ms = INT64_C(1800000000000);
#define AK_LEAF_OID "1.2.840.113635.100.6.11.1"
#define AK_BETWEEN_OID "1.2.840.113635.100.6.2.1"

struct ak_key {
    struct crypto_key *key;
    struct buf name, cert; /* inside of the Name, DER */
};
struct ak {
    struct ak_key root, between, leaf;
    struct ak_key other_root, other_between, other_leaf; /* of somebody else, with the same names and OIDs */
    struct ak_key plain_leaf, plain_between, plain_leaf_below, no_ca, no_ca_leaf; /* without an OID; without CA */
    struct ak_key direct_leaf;                                                    /* signed by the root itself */
    struct ak_key old_leaf;                                                       /* ended in 2025 */
    struct ak_key old_between, old_between_leaf;                                  /* the one between did */
    struct appstore store;
};

static inline void ak_cert(struct ak_key *k, const char *name, const struct ak_key *issuer, const char *oid, bool ca,
                           const char *until)
{
    struct buf e;
    size_t from;
    if (!k->key)
        MADE(crypto_key_generate(CRYPTO_P256, 0, &k->key));
    buf_init(&k->name, 1024);
    buf_init(&k->cert, 1u << 16);
    buf_init(&e, 4096);
    der_name_part(&k->name, "2.5.4.3", name);
    der_extension(&e, "2.5.29.19", true, ca ? SLICE("\x30\x03\x01\x01\xFF") : SLICE("\x30\x00"));
    if (oid)
        der_extension(&e, oid, false, SLICE("\x05\x00"));
    /* Key usages that OpenSSL asks CAs for: keyCertSign; of others digitalSignature. */
    from = e.len;
    der_extension(&e, "2.5.29.15", true, ca ? SLICE("\x03\x02\x01\x06") : SLICE("\x03\x02\x07\x80"));
    ASSERT(e.len > from);
    struct cert_recipe c = {.subject = buf_view(&k->name),
                            .issuer = buf_view(issuer ? &issuer->name : &k->name),
                            .until = until,
                            .key = k->key,
                            .signer = issuer ? issuer->key : k->key,
                            .extensions = buf_view(&e)};
    cert_put(&k->cert, &c);
    buf_release(&e);
}

static inline void ak_start(struct ak *k)
{
    static const char until[] = "491231235959Z";
    *k = (struct ak){.store = {.environment = "Production", .bundle = {SLICE(AK_BUNDLE)}, .bundles = 1}};
    ASSERT(crypto_start() == KEER_OK);
    ak_cert(&k->root, "Test Root", NULL, NULL, true, until);
    ak_cert(&k->between, "Test CA", &k->root, AK_BETWEEN_OID, true, until);
    ak_cert(&k->leaf, "Test Leaf", &k->between, AK_LEAF_OID, false, until);
    ak_cert(&k->other_root, "Test Root", NULL, NULL, true, until);
    ak_cert(&k->other_between, "Test CA", &k->other_root, AK_BETWEEN_OID, true, until);
    ak_cert(&k->other_leaf, "Test Leaf", &k->other_between, AK_LEAF_OID, false, until);
    ak_cert(&k->plain_leaf, "Test Leaf", &k->between, NULL, false, until);
    ak_cert(&k->plain_between, "Test CA 2", &k->root, NULL, true, until);
    ak_cert(&k->plain_leaf_below, "Test Leaf", &k->plain_between, AK_LEAF_OID, false, until);
    ak_cert(&k->no_ca, "Test CA 3", &k->root, AK_BETWEEN_OID, false, until);
    ak_cert(&k->no_ca_leaf, "Test Leaf", &k->no_ca, AK_LEAF_OID, false, until);
    ak_cert(&k->direct_leaf, "Test Leaf", &k->root, AK_LEAF_OID, false, until);
    ak_cert(&k->old_leaf, "Test Leaf", &k->between, AK_LEAF_OID, false, "250101000000Z");
    ak_cert(&k->old_between, "Test CA 4", &k->root, AK_BETWEEN_OID, true, "250101000000Z");
    ak_cert(&k->old_between_leaf, "Test Leaf", &k->old_between, AK_LEAF_OID, false, until);
    MADE(appstore_add_roots(&k->store, buf_view(&k->root.cert)));
}

static inline void ak_stop(struct ak *k)
{
    struct ak_key *all[] = {&k->root,        &k->between,          &k->leaf,     &k->other_root,  &k->other_between,
                            &k->other_leaf,  &k->plain_leaf,       &k->no_ca,    &k->no_ca_leaf,  &k->plain_between,
                            &k->direct_leaf, &k->plain_leaf_below, &k->old_leaf, &k->old_between, &k->old_between_leaf};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        crypto_key_free(all[i]->key);
        buf_release(&all[i]->name);
        buf_release(&all[i]->cert);
    }
    appstore_release(&k->store);
}

/* A JWS: `header` is what stands before x5c ("\"alg\":\"ES256\","), NULL for that. */
static inline void ak_sign(const char *header, const struct ak_key *const chain[], size_t count,
                           const struct crypto_key *key, struct slice payload, struct buf *out)
{
    struct buf h;
    struct crypto_signature sig;
    size_t from = out->len;
    buf_init(&h, 1u << 16);
    buf_fmt(&h, "{%s\"x5c\":[", header ? header : "\"alg\":\"ES256\",");
    for (size_t i = 0; i < count; i++) {
        buf_puts(&h, i ? ",\"" : "\"");
        base64_put(&h, buf_view(&chain[i]->cert));
        buf_char(&h, '"');
    }
    buf_puts(&h, "]}");
    base64url_put(out, buf_view(&h));
    buf_char(out, '.');
    base64url_put(out, payload);
    MADE(crypto_key_sign(key, CRYPTO_ES256, CRYPTO_RAW, slice_of(out->p + from, out->len - from), &sig));
    buf_char(out, '.');
    base64url_put(out, slice_of((const char *)sig.bytes, sig.len));
    ASSERT(h.err == KEER_OK && out->err == KEER_OK);
    buf_release(&h);
}

static inline void ak_signed(const struct ak *k, const char *payload, struct buf *out)
{
    const struct ak_key *const chain[] = {&k->leaf, &k->between, &k->root};
    ak_sign(NULL, chain, 3, k->leaf.key, slice_str(payload), out);
}

struct ak_recipe { /* NULL: what a good one has */
    const char *type, *subtype, *uuid, *bundle, *environment, *transaction_bundle, *transaction_environment, *token,
        *transaction_id, *reason, *more, *transaction_more;
    int64_t signed_ms;
    bool no_transaction, renewal;
};

static inline const char *ak_or(const char *given, const char *good) { return given ? given : good; }

static inline void ak_transaction(const struct ak *k, const struct ak_recipe *r, struct buf *out)
{
    struct buf p;
    buf_init(&p, 1u << 16);
    buf_fmt(&p,
            "{\"transactionId\":\"%s\",\"originalTransactionId\":\"%s\",\"bundleId\":\"%s\",\"productId\":\"stone.648\","
            "\"purchaseDate\":%lld,\"originalPurchaseDate\":%lld,\"quantity\":1,\"type\":\"Consumable\",\"appAccountToken\":"
            "\"%s\",\"inAppOwnershipType\":\"PURCHASED\",\"signedDate\":%lld,\"environment\":\"%s\",\"storefront\":\"CHN\","
            "\"storefrontId\":\"143465\",\"transactionReason\":\"PURCHASE\",\"currency\":\"CNY\",\"price\":648000%s}",
            ak_or(r->transaction_id, "2000000123456789"), ak_or(r->transaction_id, "2000000123456789"),
            ak_or(r->transaction_bundle, ak_or(r->bundle, AK_BUNDLE)), (long long)ak_now_ms - 60000,
            (long long)ak_now_ms - 60000, ak_or(r->token, AK_TOKEN), (long long)ak_now_ms,
            ak_or(r->transaction_environment, ak_or(r->environment, "Production")), ak_or(r->transaction_more, ""));
    ak_signed(k, p.p, out);
    ASSERT(p.err == KEER_OK);
    buf_release(&p);
}

/* The payload of a notice. */
static inline void ak_payload(const struct ak *k, const struct ak_recipe *r, struct buf *out)
{
    const char *environment = ak_or(r->environment, "Production");
    buf_fmt(out, "{\"notificationType\":\"%s\",", ak_or(r->type, "ONE_TIME_CHARGE"));
    if (r->subtype)
        buf_fmt(out, "\"subtype\":\"%s\",", r->subtype);
    buf_fmt(out,
            "\"notificationUUID\":\"%s\",\"data\":{\"appAppleId\":41234,\"bundleId\":\"%s\",\"bundleVersion\":\"1.2.3\","
            "\"environment\":\"%s\"",
            ak_or(r->uuid, AK_UUID), ak_or(r->bundle, AK_BUNDLE), environment);
    if (r->reason)
        buf_fmt(out, ",\"consumptionRequestReason\":\"%s\"", r->reason);
    if (!r->no_transaction) {
        buf_puts(out, ",\"signedTransactionInfo\":\"");
        ak_transaction(k, r, out);
        buf_char(out, '"');
    }
    if (r->renewal) {
        char renewal[400];
        (void)snprintf(renewal, sizeof renewal,
                       "{\"originalTransactionId\":\"2000000123456789\",\"productId\":\"month\",\"environment\":\"%s\","
                       "\"signedDate\":%lld}",
                       environment, (long long)ak_now_ms);
        buf_puts(out, ",\"signedRenewalInfo\":\"");
        ak_signed(k, renewal, out);
        buf_char(out, '"');
    }
    buf_fmt(out, "},\"version\":\"2.0\",\"signedDate\":%lld%s}", (long long)(r->signed_ms ? r->signed_ms : ak_now_ms),
            ak_or(r->more, ""));
    ASSERT(out->err == KEER_OK);
}

static inline void ak_notice(const struct ak *k, const struct ak_recipe *r, struct buf *out)
{
    struct buf p;
    buf_init(&p, 1u << 17);
    ak_payload(k, r, &p);
    ak_signed(k, p.p, out);
    buf_release(&p);
}
#endif
