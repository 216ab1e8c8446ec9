/* appstore_cases.h - notices that are genuine and notices that are not, each with a name: for the unit test, for the program
 * that asks Apple's own library about them, and for the daemon.
 */
#ifndef TESTS_LIB_APPSTORE_CASES_H
#define TESTS_LIB_APPSTORE_CASES_H
#include "lib/appstore_kit.h"

/* `apple`: whether Apple's library takes it; where we are stricter it does and we do not. */
struct ak_case {
    const char *name;
    enum appstore_verdict ours;
    bool apple;
};
typedef void ak_each(void *ctx, const struct ak_case *c, struct slice text);

static inline void ak_give(ak_each *each, void *ctx, const char *name, enum appstore_verdict ours, bool apple,
                           struct buf *text)
{
    const struct ak_case c = {name, ours, apple};
    each(ctx, &c, buf_view(text));
    buf_clear(text);
}

/* The good payload under another chain. */
static inline void ak_chains(const struct ak *k, struct slice payload, ak_each *each, void *ctx)
{
    const struct {
        const char *name;
        const struct ak_key *chain[3];
        const struct ak_key *signer;
        enum appstore_verdict ours;
    } chains[] = {
        {"root before intermediate", {&k->leaf, &k->root, &k->between}, &k->leaf, APPSTORE_FORGED},
        {"intermediate first", {&k->between, &k->leaf, &k->root}, &k->leaf, APPSTORE_FORGED},
        {"other root", {&k->other_leaf, &k->other_between, &k->other_root}, &k->other_leaf, APPSTORE_FORGED},
        {"other chain with our root behind it",
         {&k->other_leaf, &k->other_between, &k->root},
         &k->other_leaf,
         APPSTORE_FORGED},
        {"other leaf under our intermediate", {&k->other_leaf, &k->between, &k->root}, &k->other_leaf, APPSTORE_FORGED},
        {"signed by another key", {&k->leaf, &k->between, &k->root}, &k->other_leaf, APPSTORE_FORGED},
        {"leaf without OID", {&k->plain_leaf, &k->between, &k->root}, &k->plain_leaf, APPSTORE_FORGED},
        {"intermediate without OID",
         {&k->plain_leaf_below, &k->plain_between, &k->root},
         &k->plain_leaf_below,
         APPSTORE_FORGED},
        {"intermediate that is no CA", {&k->no_ca_leaf, &k->no_ca, &k->root}, &k->no_ca_leaf, APPSTORE_FORGED},
        {"leaf of the root itself", {&k->direct_leaf, &k->between, &k->root}, &k->direct_leaf, APPSTORE_FORGED},
        {"leaf that had ended", {&k->old_leaf, &k->between, &k->root}, &k->old_leaf, APPSTORE_FORGED},
        {"intermediate that had ended",
         {&k->old_between_leaf, &k->old_between, &k->root},
         &k->old_between_leaf,
         APPSTORE_FORGED},
    };
    struct buf b;
    buf_init(&b, 1u << 18);
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        ak_sign(NULL, chains[i].chain, 3, chains[i].signer->key, payload, &b);
        ak_give(each, ctx, chains[i].name, chains[i].ours, false, &b);
    }
    ak_sign(NULL, (const struct ak_key *const[]){&k->leaf, &k->between}, 2, k->leaf.key, payload, &b);
    ak_give(each, ctx, "two certificates", APPSTORE_FORGED, false, &b);
    ak_sign(NULL, (const struct ak_key *const[]){&k->leaf, &k->between, &k->root, &k->root}, 4, k->leaf.key, payload, &b);
    ak_give(each, ctx, "four certificates", APPSTORE_FORGED, false, &b);
    ak_sign(NULL, NULL, 0, k->leaf.key, payload, &b);
    ak_give(each, ctx, "no certificates", APPSTORE_FORGED, false, &b);
    buf_release(&b);
}

static inline void ak_headers(const struct ak *k, struct slice payload, ak_each *each, void *ctx)
{
    static const struct {
        const char *name, *header;
        bool apple;
    } headers[] = {{"alg none", "\"alg\":\"none\",", false},
                   {"alg HS256", "\"alg\":\"HS256\",", false},
                   {"alg ES384", "\"alg\":\"ES384\",", false},
                   {"no alg", "", false},
                   {"alg twice", "\"alg\":\"none\",\"alg\":\"ES256\",", true},
                   {"crit", "\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1,", true}};
    const struct ak_key *const chain[] = {&k->leaf, &k->between, &k->root};
    struct buf b;
    buf_init(&b, 1u << 18);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        ak_sign(headers[i].header, chain, 3, k->leaf.key, payload, &b);
        ak_give(each, ctx, headers[i].name, APPSTORE_FORGED, headers[i].apple, &b);
    }
    ak_signed(k, payload.p, &b);
    for (b.p[b.len - 1] = '\0'; b.p[b.len - 1] != '.'; b.len--)
        ;
    ak_give(each, ctx, "no signature", APPSTORE_FORGED, false, &b);
    buf_release(&b);
}

/* Bytes of the JWS changed here and there: parts, dots, signatures. */
static inline void ak_bytes(const struct ak *k, struct slice payload, ak_each *each, void *ctx)
{
    struct buf good, b;
    char name[64];
    buf_init(&good, 1u << 18);
    buf_init(&b, 1u << 18);
    ak_signed(k, payload.p, &good);
    for (size_t i = 0; i < 40; i++) {
        size_t at = good.len * i / 40;
        buf_slice(&b, buf_view(&good));
        b.p[at] = b.p[at] == 'Q' ? 'R' : 'Q';
        (void)snprintf(name, sizeof name, "byte %zu of 40 changed", i);
        ak_give(each, ctx, name, APPSTORE_FORGED, false, &b);
    }
    buf_slice(&b, slice_of(good.p, good.len - 10));
    ak_give(each, ctx, "cut", APPSTORE_FORGED, false, &b);
    buf_release(&good);
    buf_release(&b);
}

/* A good notice whose nested JWS was changed and the whole signed again, as a thief with a leaf of his own can't. */
static inline void ak_nested(const struct ak *k, ak_each *each, void *ctx)
{
    struct buf inner, payload, b;
    const struct ak_recipe good = {.type = NULL};
    buf_init(&inner, 1u << 18);
    buf_init(&payload, 1u << 18);
    buf_init(&b, 1u << 18);
    ak_transaction(k, &good, &inner);
    char *dot = memchr(inner.p, '.', inner.len);
    dot[20] = dot[20] == 'Q' ? 'R' : 'Q';
    buf_fmt(&payload,
            "{\"notificationType\":\"REFUND\",\"notificationUUID\":\"" AK_UUID "\",\"version\":\"2.0\",\"signedDate\":%lld,"
            "\"data\":{\"bundleId\":\"" AK_BUNDLE "\",\"environment\":\"Production\",\"signedTransactionInfo\":\"%s\"}}",
            (long long)ak_now_ms, inner.p);
    ak_signed(k, payload.p, &b);
    ak_give(each, ctx, "nested transaction changed", APPSTORE_FORGED, false, &b);
    buf_release(&inner);
    buf_release(&payload);
    buf_release(&b);
}

static inline void ak_all(const struct ak *k, ak_each *each, void *ctx)
{
    const struct {
        const char *name;
        struct ak_recipe r;
        enum appstore_verdict ours;
        bool apple;
    } recipes[] = {
        {"one-time charge", {.type = NULL}, APPSTORE_GENUINE, true},
        {"consumption request", {.type = "CONSUMPTION_REQUEST", .reason = "UNINTENDED_PURCHASE"}, APPSTORE_GENUINE, true},
        {"refund", {.type = "REFUND"}, APPSTORE_GENUINE, true},
        {"renewal", {.type = "DID_RENEW", .renewal = true}, APPSTORE_GENUINE, true},
        {"subscribed", {.type = "SUBSCRIBED", .subtype = "INITIAL_BUY", .renewal = true}, APPSTORE_GENUINE, true},
        {"test", {.type = "TEST", .no_transaction = true}, APPSTORE_GENUINE, true},
        {"type that nobody knows", {.type = "SOMETHING_NEW"}, APPSTORE_GENUINE, true},
        {"members that nobody knows", {.more = ",\"new\":{\"x\":[1,2.5,null]}"}, APPSTORE_GENUINE, true},
        {"signed a year ago", {.signed_ms = ak_now_ms - INT64_C(31536000000)}, APPSTORE_GENUINE, true},
        {"other bundle", {.bundle = "com.example.other"}, APPSTORE_FOREIGN, false},
        {"bundle that ours begins", {.bundle = AK_BUNDLE ".x"}, APPSTORE_FOREIGN, false},
        {"other environment", {.environment = "Sandbox"}, APPSTORE_FOREIGN, false},
        {"transaction of another bundle", {.transaction_bundle = "com.example.other"}, APPSTORE_FOREIGN, false},
        {"transaction of another environment", {.transaction_environment = "Sandbox"}, APPSTORE_FOREIGN, false},
        {"signed before the chain", {.signed_ms = INT64_C(1600000000000)}, APPSTORE_FORGED, false},
        {"signed after the chain", {.signed_ms = INT64_C(2600000000000)}, APPSTORE_FORGED, false},
        {"signed tomorrow", {.signed_ms = ak_now_ms + 86400000}, APPSTORE_FORGED, true},
        {"key twice", {.more = ",\"version\":\"2.0\""}, APPSTORE_FORGED, true},
        {"key twice in the transaction", {.transaction_more = ",\"price\":1"}, APPSTORE_FORGED, true},
        {"no UUID", {.uuid = "1"}, APPSTORE_GARBLED, true},
        {"token that is no UUID", {.token = "me"}, APPSTORE_GARBLED, true},
        {"text with a blank", {.transaction_id = "2000 1"}, APPSTORE_GARBLED, true},
    };
    struct buf b, payload;
    buf_init(&b, 1u << 18);
    buf_init(&payload, 1u << 18);
    for (size_t i = 0; i < ARRAY_LEN(recipes); i++) {
        ak_notice(k, &recipes[i].r, &b);
        ak_give(each, ctx, recipes[i].name, recipes[i].ours, recipes[i].apple, &b);
    }
    const struct ak_recipe good = {.type = NULL};
    ak_payload(k, &good, &payload);
    ak_chains(k, buf_view(&payload), each, ctx);
    ak_headers(k, buf_view(&payload), each, ctx);
    ak_bytes(k, buf_view(&payload), each, ctx);
    ak_nested(k, each, ctx);
    static const char *const not_objects[] = {
        "[]", "1", "\"x\"", "{", "{}", "{\"signedDate\":1800000000000}", "{\"signedDate\":\"1800000000000\"}"};
    for (size_t i = 0; i < ARRAY_LEN(not_objects); i++) {
        ak_signed(k, not_objects[i], &b);
        ak_give(each, ctx, not_objects[i], i == 5 ? APPSTORE_GARBLED : APPSTORE_FORGED, false, &b);
    }
    buf_release(&b);
    buf_release(&payload);
}
#endif
