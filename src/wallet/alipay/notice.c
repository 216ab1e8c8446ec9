/* notice.c - Alipay: what it tells us, as a form, of trades and agreements.
 *
 * Two rules of signing: V1 leaves out sign and sign_type (trades), V2 sign alone (agreements of some products, markets).
 * Which one it is nothing says; both are tried, as Alipay's own clients do.
 */
#include "wallet/alipay/alipay.h"

#include "base/crypto.h"

static bool is_signed(const struct alipay *a, struct form *f, int64_t now_us)
{
    struct slice sign = form_find(f, "sign"), sn = form_find(f, "alipay_cert_sn");
    struct buf text;
    bool good = false;
    buf_init(&text, FORM_BYTES * 2);
    for (int with_type = 0; sign.len && !good && with_type < 2; with_type++) {
        buf_clear(&text);
        alipay_sign_string(f->field, f->count, with_type == 1, &text);
        good = text.err == KEER_OK && alipay_verify(a, sn, now_us, buf_view(&text), sign);
    }
    buf_release(&text);
    return good;
}

static enum wallet_verdict garbled(char why[WALLET_WHY_BYTES], const char *text)
{
    (void)snprintf(why, WALLET_WHY_BYTES, "%s", text);
    return WALLET_GARBLED;
}

static enum wallet_verdict forged(char why[WALLET_WHY_BYTES], const char *text)
{
    (void)snprintf(why, WALLET_WHY_BYTES, "%s", text);
    return WALLET_FORGED;
}

/* The same notice comes again under its notify_id. */
static bool take_id(const struct form *f, struct slice body, struct wallet_notice *n)
{
    struct slice id = form_find(f, "notify_id");
    struct crypto_hash hash;
    char text[CRYPTO_TEXT_BYTES];
    if (id.len)
        return driver_copy(n->id, sizeof n->id, id);
    crypto_sha256(body, &hash);
    crypto_text(&hash, text);
    return driver_copy(n->id, sizeof n->id, slice_str(text));
}

/* A number that is longer than ours is another program's of the same merchant. */
static enum wallet_verdict read_trade(const struct alipay *a, const struct form *f, struct wallet_notice *n,
                                      char why[WALLET_WHY_BYTES])
{
    struct wallet_charge c = {.state = alipay_trade_state(form_find(f, "trade_status")), .currency = CUR_CNY};
    struct slice refund = form_find(f, "out_biz_no");
    if (!slice_eq(form_find(f, "seller_id"), slice_str(a->seller_id)))
        return forged(why, "seller_id is not ours");
    if (!driver_copy(c.number, sizeof c.number, form_find(f, "out_trade_no")))
        return WALLET_GENUINE;
    if (c.state == WALLET_CHARGE_STATE_MAX || !c.number[0] ||
        alipay_money(form_find(f, "total_amount"), &c.amount_minor) != KEER_OK ||
        !driver_copy(c.ref, sizeof c.ref, form_find(f, "trade_no")) || !c.ref[0])
        return garbled(why, "a trade without its number, state or amount");
    if (form_find(f, "gmt_payment").len && !alipay_time(form_find(f, "gmt_payment"), &c.paid_us))
        return garbled(why, "gmt_payment is no time");
    if (form_find(f, "refund_fee").len &&
        (alipay_money(form_find(f, "refund_fee"), &c.refunded_minor) != KEER_OK || c.refunded_minor > c.amount_minor))
        return garbled(why, "refund_fee is no amount of this trade");
    n->charge = c;
    n->kind = WALLET_NOTICE_CHARGE;
    if (!refund.len || !form_find(f, "gmt_refund").len)
        return WALLET_GENUINE;
    /* refund_fee is the sum of all refunds: how much this one was the query says. */
    n->kind = WALLET_NOTICE_REFUND;
    n->refund = (struct wallet_refund){.state = WALLET_REFUND_PAID, .currency = CUR_CNY};
    (void)snprintf(n->refund.charge, sizeof n->refund.charge, "%s", c.number);
    (void)driver_copy(n->refund.number, sizeof n->refund.number, refund);
    (void)alipay_time(form_find(f, "gmt_refund"), &n->refund.paid_us);
    return WALLET_GENUINE;
}

static enum wallet_verdict read_agreement(const struct form *f, bool ended, struct wallet_notice *n,
                                          char why[WALLET_WHY_BYTES])
{
    struct wallet_agreement g = {.state = ended ? WALLET_AGREEMENT_STOPPED : WALLET_AGREEMENT_NORMAL};
    struct slice status = form_find(f, "status"), user = form_find(f, "alipay_logon_id");
    if (!slice_eq(status, ended ? SLICE("UNSIGN") : SLICE("NORMAL")))
        return garbled(why, "an agreement whose status is not that of its notice");
    if (!driver_copy(g.number, sizeof g.number, form_find(f, "external_agreement_no")) || !g.number[0])
        return WALLET_GENUINE; /* not signed through us */
    if (!driver_copy(g.ref, sizeof g.ref, form_find(f, "agreement_no")) || !g.ref[0])
        return garbled(why, "an agreement without agreement_no");
    if (!driver_copy(g.user, sizeof g.user, user.len ? user : form_find(f, "alipay_user_id")))
        g.user[0] = '\0';
    const struct {
        const char *name;
        int64_t *us;
    } times[] = {{"sign_time", &g.signed_us}, {"invalid_time", &g.valid_until_us}, {"unsign_time", &g.ended_us}};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct slice text = form_find(f, times[i].name);
        if (text.len && !alipay_time(text, times[i].us))
            return garbled(why, "an agreement with a time that is none");
    }
    n->agreement = g;
    n->kind = WALLET_NOTICE_AGREEMENT;
    return WALLET_GENUINE;
}

static enum wallet_verdict judge(const struct alipay *a, struct form *f, struct slice body, int64_t now_us,
                                 struct wallet_notice *n, char why[WALLET_WHY_BYTES])
{
    struct slice type = form_find(f, "notify_type"), sign_type = form_find(f, "sign_type");
    if (sign_type.len && !slice_eq(sign_type, SLICE("RSA2")))
        return forged(why, "sign_type is not RSA2");
    if (!is_signed(a, f, now_us))
        return forged(why, form_find(f, "sign").len ? "the signature is wrong" : "there is no signature");
    struct slice app = form_find(f, "app_id").len ? form_find(f, "app_id") : form_find(f, "auth_app_id");
    if (!slice_eq(app, slice_str(a->app_id)))
        return forged(why, "app_id is not ours");
    if (!take_id(f, body, n))
        return garbled(why, "notify_id is too long");
    if (slice_eq(type, SLICE("trade_status_sync")))
        return read_trade(a, f, n, why);
    if (slice_eq(type, SLICE("dut_user_sign")))
        return read_agreement(f, /* ended */ false, n, why);
    if (slice_eq(type, SLICE("dut_user_unsign")))
        return read_agreement(f, /* ended */ true, n, why);
    return WALLET_GENUINE;
}

enum wallet_verdict alipay_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES])
{
    struct form f;
    *ret = (struct wallet_notice){.kind = WALLET_NOTICE_OTHER};
    enum wallet_verdict verdict = WALLET_FORGED;
    if (form_read(&f, in->body) == KEER_OK)
        verdict = judge(self, &f, in->body, now_us, ret, ret_why);
    else
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "no form with fields that differ");
    form_release(&f);
    return verdict;
}

void alipay_reply(void *self, bool taken, struct wallet_reply *ret)
{
    UNUSED(self);
    *ret = (struct wallet_reply){.status = taken ? 200 : 500, .type = "text/plain; charset=utf-8"};
    (void)snprintf(ret->body, sizeof ret->body, "%s", taken ? "success" : "fail");
}
