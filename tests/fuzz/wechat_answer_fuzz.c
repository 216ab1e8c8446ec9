/* wechat_answer_fuzz.c - answers of WeChat Pay: a digit for the call, a letter for the status (o 200, n 204, b 400, u 401, g
 * 404, t 429, e 500), a letter for how it is signed (s as it must be, u not at all, o by another key), then the body. What
 * is said to be YES was signed, and is about what was asked.
 */
#include "lib/wechat_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wechat_kit k;

static int status_of(char c)
{
    switch (c) {
    case 'n': return 204;
    case 'b': return 400;
    case 'u': return 401;
    case 'g': return 404;
    case 't': return 429;
    case 'e': return 500;
    default: return 200;
    }
}

static enum wallet_answer ask(char which, struct wallet_why *why)
{
    static const struct wallet_agreement a1 = {.number = "A1"};
    struct wallet_agreement a = {.state = WALLET_AGREEMENT_STATE_MAX};
    struct wallet_charge c = {.state = WALLET_CHARGE_STATE_MAX};
    struct wallet_refund r = {.state = WALLET_REFUND_STATE_MAX};
    const struct wallet_sign_ask sign = {.number = "A1", .currency = CUR_CNY};
    const struct wallet_charge_ask charge = {.number = "C1", .agreement = "202", .amount_minor = 648, .currency = CUR_CNY};
    const struct wallet_refund_ask refund = {
        .number = "R1", .charge = "C1", .amount_minor = 100, .charged_minor = 648, .currency = CUR_CNY};
    char url[WALLET_URL_BYTES] = "";
    const struct wallet_driver *d = &wallet_wechatpay;
    enum wallet_answer answer;
    switch (which) {
    case '0': answer = d->sign(k.self, &k.io, &sign, url, why); break;
    case '1': answer = d->agreement_query(k.self, &k.io, &a1, &a, why); break;
    case '2': answer = d->agreement_end(k.self, &k.io, &a1, SLICE("r"), why); break;
    case '3': answer = d->charge(k.self, &k.io, &charge, &c, why); break;
    case '4': answer = d->charge_query(k.self, &k.io, "C1", &c, why); break;
    case '5': answer = d->charge_cancel(k.self, &k.io, "C1", &c, why); break;
    case '6': answer = d->refund(k.self, &k.io, &refund, &r, why); break;
    default: answer = d->refund_query(k.self, &k.io, &refund, &r, why); break;
    }
    if (answer != WALLET_YES)
        return answer;
    ASSERT(which != '0' || strncmp(url, "http", 4) == 0 || strncmp(url, "weixin:", 7) == 0);
    ASSERT(which != '1' || (a.state < WALLET_AGREEMENT_STATE_MAX && strcmp(a.number, "A1") == 0));
    ASSERT(which < '3' || which > '5' || (c.state < WALLET_CHARGE_STATE_MAX && strcmp(c.number, "C1") == 0));
    ASSERT(which < '6' || (r.state < WALLET_REFUND_STATE_MAX && strcmp(r.number, "R1") == 0 && strcmp(r.charge, "C1") == 0));
    ASSERT(which < '6' || r.state == WALLET_REFUND_NONE || r.amount_minor == 100);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wallet_why why;
    struct buf body;
    if (size < 3 || size > 20000 || memchr(data, '\0', size))
        return 0;
    if (!k.self) {
        wk_start(&k);
        wk_open(&k);
        scratch_remove(&k.s);
    }
    buf_init(&body, 1u << 16);
    buf_put(&body, data + 3, size - 3);
    k.sent = WALLET_ANSWERED;
    k.status = status_of((char)data[1]);
    k.how = data[2] == 'u' ? WK_UNSIGNED : data[2] == 'o' ? WK_OTHER_KEY : WK_SIGNED;
    k.answer = body.p ? body.p : "";
    enum wallet_answer answer = ask((char)data[0], &why);
    ASSERT(answer != WALLET_NOT_SENT && memchr(why.text, '\0', sizeof why.text));
    ASSERT(k.how == WK_SIGNED || answer == WALLET_UNKNOWN ||
           (answer == WALLET_NO && k.how == WK_UNSIGNED && k.status == 401));
    ASSERT((answer == WALLET_YES && why.reason == WALLET_NO_REASON) || why.reason != WALLET_NO_REASON ||
           answer == WALLET_YES);
    k.answer = NULL;
    buf_release(&body);
    return 0;
}
