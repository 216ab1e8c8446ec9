/* notice.c - Antom: what it tells us, as JSON, of payments, refunds and authorisations.
 *
 * A notice has no id: the same bytes are the same notice. An authorisation that ends may be named by its token alone;
 * whoever keeps tokens sealed finds it by that.
 */
#include "wallet/antom/antom.h"

#include "base/crypto.h"

static enum wallet_verdict garbled(char why[WALLET_WHY_BYTES], const char *text)
{
    (void)snprintf(why, WALLET_WHY_BYTES, "%s", text);
    return WALLET_GARBLED;
}

static bool time_of(struct slice text, int64_t *ret_us) { return text.len >= 19 && time_parse(text, ret_us) == KEER_OK; }

/* A number that is longer than ours is another program's of the same merchant: genuine, and nothing to us. */
static enum wallet_verdict read_payment(const struct tape *t, struct wallet_notice *n, char why[WALLET_WHY_BYTES])
{
    struct wallet_charge c = {.state = WALLET_CHARGE_STATE_MAX, .currency = CUR_MAX};
    uint32_t result = tape_find(t, 0, "result");
    struct slice status = driver_text(t, result, "resultStatus");
    if (!driver_copy(c.number, sizeof c.number, driver_text(t, 0, "paymentRequestId")) || !c.number[0])
        return WALLET_GENUINE;
    bool counted = antom_money(t, 0, "paymentAmount", &c.amount_minor, &c.currency);
    if (slice_eq(driver_text(t, 0, "notifyType"), SLICE("PAYMENT_PENDING")))
        c.state = WALLET_CHARGE_WAITS;
    else if (result != TAPE_NONE && slice_eq(status, SLICE("S")))
        c.state = WALLET_CHARGE_PAID;
    else if (result != TAPE_NONE && slice_eq(status, SLICE("F")))
        c.state = WALLET_CHARGE_FAILED;
    if (c.state == WALLET_CHARGE_STATE_MAX || !driver_copy(c.ref, sizeof c.ref, driver_text(t, 0, "paymentId")) ||
        (c.state == WALLET_CHARGE_PAID && (!counted || !c.ref[0])))
        return garbled(why, "a payment without its result, number or amount");
    (void)time_of(driver_text(t, 0, "paymentTime"), &c.paid_us);
    n->charge = c;
    n->kind = WALLET_NOTICE_CHARGE;
    return WALLET_GENUINE;
}

static enum wallet_verdict read_refund(const struct tape *t, struct wallet_notice *n, char why[WALLET_WHY_BYTES])
{
    struct wallet_refund f = {.state = WALLET_REFUND_STATE_MAX, .currency = CUR_MAX};
    struct slice status = driver_text(t, 0, "refundStatus");
    if (!driver_copy(f.number, sizeof f.number, driver_text(t, 0, "refundRequestId")) || !f.number[0])
        return WALLET_GENUINE;
    bool counted = antom_money(t, 0, "refundAmount", &f.amount_minor, &f.currency);
    if (slice_eq(status, SLICE("SUCCESS")))
        f.state = WALLET_REFUND_PAID;
    else if (slice_eq(status, SLICE("FAIL")))
        f.state = WALLET_REFUND_FAILED;
    if (f.state == WALLET_REFUND_STATE_MAX || (f.state == WALLET_REFUND_PAID && !counted) ||
        !driver_copy(f.ref, sizeof f.ref, driver_text(t, 0, "refundId")))
        return garbled(why, "a refund without its result, number or amount");
    if (!driver_copy(f.charge, sizeof f.charge, driver_text(t, 0, "paymentRequestId")))
        f.charge[0] = '\0';
    (void)time_of(driver_text(t, 0, "refundTime"), &f.paid_us);
    n->refund = f;
    n->kind = WALLET_NOTICE_REFUND;
    return WALLET_GENUINE;
}

static enum wallet_verdict read_authorisation(const struct tape *t, struct slice type, int64_t now_us,
                                              struct wallet_notice *n, char why[WALLET_WHY_BYTES])
{
    static const struct {
        const char *name;
        enum wallet_agreement_state state;
        bool token, code; /* what it must bring */
    } types[] = {{"AUTHCODE_CREATED", WALLET_AGREEMENT_TEMP, false, true},
                 {"TOKEN_CREATED", WALLET_AGREEMENT_NORMAL, true, false},
                 {"TOKEN_CANCELED", WALLET_AGREEMENT_STOPPED, true, false}};
    struct wallet_agreement g = {.state = WALLET_AGREEMENT_STATE_MAX};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!slice_eq(type, slice_str(types[i].name)))
            continue;
        g.state = types[i].state;
        if (!driver_copy(g.number, sizeof g.number, driver_text(t, 0, "authState")))
            return WALLET_GENUINE; /* not asked for by us */
        if (!driver_copy(g.ref, sizeof g.ref, driver_text(t, 0, "accessToken")) || (types[i].token && !g.ref[0]) ||
            !driver_copy(n->auth_code, sizeof n->auth_code, driver_text(t, 0, "authCode")) ||
            (types[i].code && !n->auth_code[0]) ||
            !driver_copy(g.refresh, sizeof g.refresh, driver_text(t, 0, "refreshToken")))
            return garbled(why, "an authorisation without its token or code");
    }
    if (g.state == WALLET_AGREEMENT_STATE_MAX)
        return WALLET_GENUINE;
    if (!driver_copy(g.user, sizeof g.user, driver_text(t, 0, "userId")))
        g.user[0] = '\0';
    (void)time_of(driver_text(t, 0, "accessTokenExpiryTime"), &g.valid_until_us);
    if (g.state == WALLET_AGREEMENT_STOPPED)
        g.ended_us = now_us;
    n->agreement = g;
    n->kind = WALLET_NOTICE_AGREEMENT;
    return WALLET_GENUINE;
}

static enum wallet_verdict read_notice(const struct tape *t, int64_t now_us, struct wallet_notice *n,
                                       char why[WALLET_WHY_BYTES])
{
    struct slice type = driver_text(t, 0, "notifyType"), authorisation = driver_text(t, 0, "authorizationNotifyType");
    if (authorisation.len)
        return read_authorisation(t, authorisation, now_us, n, why);
    if (slice_eq(type, SLICE("PAYMENT_RESULT")) || slice_eq(type, SLICE("PAYMENT_PENDING")))
        return read_payment(t, n, why);
    if (slice_eq(type, SLICE("REFUND_RESULT")))
        return read_refund(t, n, why);
    return WALLET_GENUINE;
}

enum wallet_verdict antom_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                 char ret_why[WALLET_WHY_BYTES])
{
    const struct antom *a = self;
    struct tape tape = {0};
    struct tape_error error;
    struct crypto_hash hash;
    char text[CRYPTO_TEXT_BYTES];
    struct antom_message m = {in->path, wallet_head_find(in->head, "request-time"), wallet_head_find(in->head, "signature"),
                              in->body};
    *ret = (struct wallet_notice){.kind = WALLET_NOTICE_OTHER};
    if (strcmp(in->method, "POST") != 0 || !slice_eq(wallet_head_find(in->head, "client-id"), slice_str(a->client_id))) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "client-id is not ours");
        return WALLET_FORGED;
    }
    enum wallet_verdict verdict = antom_verify(a, &m, now_us);
    if (verdict != WALLET_GENUINE) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "%s",
                       verdict == WALLET_STALE ? "its request-time is too old, or in the future"
                       : m.signature.len       ? "the signature is wrong"
                                               : "there is no signature");
        return verdict;
    }
    crypto_sha256(in->body, &hash);
    crypto_text(&hash, text);
    (void)driver_copy(ret->id, sizeof ret->id, slice_str(text));
    if (tape_read(&tape, in->body, &driver_limits, &error) != KEER_OK || tape_type(&tape, 0) != TAPE_OBJECT)
        verdict = garbled(ret_why, "no JSON object");
    else
        verdict = read_notice(&tape, now_us, ret, ret_why);
    tape_release(&tape);
    return verdict;
}

void antom_reply(void *self, bool taken, struct wallet_reply *ret)
{
    UNUSED(self);
    *ret = (struct wallet_reply){.status = taken ? 200 : 500, .type = "application/json"};
    (void)snprintf(ret->body, sizeof ret->body,
                   "{\"result\":{\"resultCode\":\"%s\",\"resultStatus\":\"%s\",\"resultMessage\":\"%s\"}}",
                   taken ? "SUCCESS" : "UNKNOWN_EXCEPTION", taken ? "S" : "U", taken ? "success" : "not taken");
}
