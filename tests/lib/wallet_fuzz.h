/* wallet_fuzz.h - what the fuzz targets of wallets share. Signatures would stop every input at the door: so a key is made once
 * and what comes is signed with it, as the wallet would, before it is read; and once more with a signature that is none, when
 * nothing of it may be believed.
 */
#ifndef TESTS_LIB_WALLET_FUZZ_H
#define TESTS_LIB_WALLET_FUZZ_H
#include "base/crypto.h"
#include "base/timefmt.h"
#include "wallet/sign.h"

#define FUZZ_NOW_US (INT64_C(1539137502) * US_SECOND)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct crypto_key *fuzz_key(void)
{
    static struct crypto_key *key;
    if (!key) {
        ASSERT(crypto_start() == KEER_OK);
        ASSERT(crypto_key_generate(CRYPTO_RSA, 2048, &key) == KEER_OK);
    }
    return key;
}

/* Texts of a result end within their room. */
#define FUZZ_TEXT(text) ASSERT(memchr((text), '\0', sizeof(text)) != NULL)
static inline void fuzz_agreement(const struct wallet_agreement *g)
{
    FUZZ_TEXT(g->number);
    FUZZ_TEXT(g->ref);
    FUZZ_TEXT(g->refresh);
    FUZZ_TEXT(g->user);
    ASSERT(g->state < WALLET_AGREEMENT_STATE_MAX && g->charge_cap_minor >= 0);
}
static inline void fuzz_charge(const struct wallet_charge *c)
{
    FUZZ_TEXT(c->number);
    FUZZ_TEXT(c->ref);
    ASSERT(c->state < WALLET_CHARGE_STATE_MAX && c->amount_minor >= 0 && c->refunded_minor >= 0 && c->currency <= CUR_MAX);
    ASSERT(c->state != WALLET_CHARGE_PAID || (c->currency < CUR_MAX && c->ref[0]));
}
static inline void fuzz_refund(const struct wallet_refund *f)
{
    FUZZ_TEXT(f->number);
    FUZZ_TEXT(f->charge);
    FUZZ_TEXT(f->ref);
    ASSERT(f->state < WALLET_REFUND_STATE_MAX && f->amount_minor >= 0 && f->currency <= CUR_MAX);
}
static inline void fuzz_notice(const struct wallet_notice *n)
{
    ASSERT(n->kind < WALLET_NOTICE_KIND_MAX);
    FUZZ_TEXT(n->id);
    FUZZ_TEXT(n->auth_code);
    if (n->kind == WALLET_NOTICE_AGREEMENT)
        fuzz_agreement(&n->agreement);
    if (n->kind == WALLET_NOTICE_CHARGE)
        fuzz_charge(&n->charge);
    if (n->kind == WALLET_NOTICE_REFUND)
        fuzz_refund(&n->refund);
}

/* A transport whose answer is the input. */
struct fuzz_wire {
    struct slice head, body;
    int status;
};
static inline enum wallet_sent fuzz_send(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    const struct fuzz_wire *w = ctx;
    UNUSED(rq);
    ret->status = w->status;
    buf_slice(&ret->head, w->head);
    buf_slice(&ret->body, w->body);
    return WALLET_ANSWERED;
}
static inline void fuzz_random(void *ctx, void *bytes, size_t len)
{
    UNUSED(ctx);
    memset(bytes, 0xA5, len);
}

/* Every call of a driver meets the same answer. */
static inline void fuzz_calls(const struct wallet_driver *d, void *self, struct fuzz_wire *w, bool is_signed)
{
    struct wallet_io io = {.send = fuzz_send, .random = fuzz_random, .ctx = w, .now_us = FUZZ_NOW_US};
    static const struct wallet_charge_ask charge = {
        .number = "1", .agreement = "g", .subject = {"x", 1}, .amount_minor = 64800, .currency = CUR_CNY};
    static const struct wallet_refund_ask refund = {
        .number = "2", .charge = "1", .charge_ref = "t", .amount_minor = 1, .charged_minor = 64800, .currency = CUR_CNY};
    static const struct wallet_agreement which = {.number = "a", .ref = "g", .refresh = "r", .valid_until_us = FUZZ_NOW_US};
    static const struct wallet_sign_ask sign = {.number = "a", .return_url = {"https://a/", 10}, .currency = CUR_CNY};
    struct wallet_agreement g;
    struct wallet_charge c;
    struct wallet_refund f;
    struct wallet_why why = {0};
    char url[WALLET_URL_BYTES];
    enum wallet_answer a[8];
    if ((a[0] = d->charge(self, &io, &charge, &c, &why)) == WALLET_YES)
        fuzz_charge(&c);
    if ((a[1] = d->charge_query(self, &io, "1", &c, &why)) == WALLET_YES)
        fuzz_charge(&c);
    if ((a[2] = d->charge_cancel(self, &io, "1", &c, &why)) == WALLET_YES)
        fuzz_charge(&c);
    if ((a[3] = d->refund(self, &io, &refund, &f, &why)) == WALLET_YES)
        fuzz_refund(&f);
    if ((a[4] = d->refund_query(self, &io, &refund, &f, &why)) == WALLET_YES)
        fuzz_refund(&f);
    if ((a[5] = d->agreement_query(self, &io, &which, &g, &why)) == WALLET_YES)
        fuzz_agreement(&g);
    a[6] = d->agreement_end(self, &io, &which, SLICE(""), &why);
    if ((a[7] = d->sign_finish(self, &io, "a", "code", &g, &why)) == WALLET_YES)
        fuzz_agreement(&g);
    FUZZ_TEXT(why.code);
    FUZZ_TEXT(why.text);
    if (d->sign(self, &io, &sign, url, &why) == WALLET_YES)
        FUZZ_TEXT(url);
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        ASSERT(is_signed || a[i] == WALLET_UNKNOWN);
}
#endif
