/* alipay_answer_fuzz.c - answers of Alipay. The first byte says how: '2' the content of a v2 answer, signed here; '3' a body of
 * v3, signed here; anything else a whole body that nobody signed, and then nothing is believed. */
#include "wallet/alipay/alipay.h"

#include "lib/wallet_fuzz.h"

static void signed_v2(struct alipay *a, struct slice content)
{
    static const char *const names[] = {"alipay_trade_pay_response",
                                        "alipay_trade_query_response",
                                        "alipay_trade_cancel_response",
                                        "alipay_trade_refund_response",
                                        "alipay_trade_fastpay_refund_query_response",
                                        "alipay_user_agreement_query_response",
                                        "alipay_user_agreement_unsign_response"};
    struct buf body, sign;
    buf_init(&body, WALLET_ANSWER_BYTES);
    buf_init(&sign, 4096);
    ASSERT(sign_put(fuzz_key(), content, &sign) == KEER_OK);
    buf_char(&body, '{');
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_fmt(&body, "\"%s\":", names[i]);
        buf_slice(&body, content);
        buf_char(&body, ',');
    }
    buf_fmt(&body, "\"sign\":\"%s\"}", sign.p);
    struct fuzz_wire w = {.body = buf_view(&body), .status = 200};
    if (body.err == KEER_OK)
        fuzz_calls(&wallet_alipay, a, &w, /* is_signed */ true);
    buf_release(&body);
    buf_release(&sign);
}

static void signed_v3(struct alipay *a, struct slice content)
{
    struct buf text, head;
    buf_init(&text, WALLET_ANSWER_BYTES);
    buf_init(&head, 4096);
    buf_fmt(&text, "%lld\nn\n", (long long)(FUZZ_NOW_US / 1000));
    buf_slice(&text, content);
    buf_char(&text, '\n');
    buf_fmt(&head, "alipay-timestamp: %lld\nalipay-nonce: n\nalipay-signature: ", (long long)(FUZZ_NOW_US / 1000));
    ASSERT(text.err != KEER_OK || sign_put(fuzz_key(), buf_view(&text), &head) == KEER_OK);
    buf_char(&head, '\n');
    struct fuzz_wire w = {.head = buf_view(&head), .body = content, .status = content.len % 2 ? 400 : 200};
    a->v3 = true;
    fuzz_calls(&wallet_alipay, a, &w, /* is_signed */ true);
    buf_release(&text);
    buf_release(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alipay a = {.app_id = "1",
                       .seller_id = "2",
                       .url = "https://pay.test/gateway.do",
                       .personal_product = "P",
                       .product = "G",
                       .scene = "S",
                       .channel = "C",
                       .own = fuzz_key(),
                       .key = {fuzz_key()},
                       .keys = 1};
    if (size == 0)
        return 0;
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    struct fuzz_wire w = {.body = rest, .status = 200};
    if (data[0] == '2')
        signed_v2(&a, rest);
    else if (data[0] == '3')
        signed_v3(&a, rest);
    else
        fuzz_calls(&wallet_alipay, &a, &w, /* is_signed */ false);
    return 0;
}
