/* appstore_fuzz.h - what the fuzz targets of App Store notifications have in common. */
#ifndef TESTS_LIB_APPSTORE_FUZZ_H
#define TESTS_LIB_APPSTORE_FUZZ_H
#include "base/json.h"
#include "base/num.h"
#include "lib/appstore_kit.h"

/* Reads one; of what is genuine: within its bounds, and a consumption answer of it is JSON. */
static inline void ak_fuzz_read(const struct ak *k, struct slice text, bool may_be_genuine)
{
    struct appstore_notice n;
    char why[APPSTORE_WHY_BYTES];
    enum appstore_verdict v = appstore_read(&k->store, text, ak_now_ms * 1000, &n, why);
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

/* A payload that is right, with a signed transaction or renewal in it; NULL: without. */
static inline void ak_fuzz_payload(const char *transaction, const char *renewal, struct buf *out)
{
    buf_fmt(out,
            "{\"notificationType\":\"REFUND\",\"notificationUUID\":\"" AK_UUID "\",\"version\":\"2.0\",\"signedDate\":%lld,"
            "\"data\":{\"bundleId\":\"" AK_BUNDLE "\",\"environment\":\"Production\"",
            (long long)ak_now_ms);
    if (transaction)
        buf_fmt(out, ",\"signedTransactionInfo\":\"%s\"", transaction);
    if (renewal)
        buf_fmt(out, ",\"signedRenewalInfo\":\"%s\"", renewal);
    buf_puts(out, "}}");
}
#endif
