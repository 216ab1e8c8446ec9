/* alipay_notice_fuzz.c - forms of Alipay: as they come, when nothing is believed, and with a signature that is put to them. */
#include "wallet/alipay/alipay.h"

#include "lib/wallet_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alipay a = {.app_id = "1", .seller_id = "2", .key = {fuzz_key()}, .keys = 1};
    struct slice body = slice_of((const char *)data, size);
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = SLICE(""), .body = body};
    struct wallet_notice n;
    struct form f;
    struct buf text, sign, all;
    char why[WALLET_WHY_BYTES] = "";
    buf_init(&text, FORM_BYTES * 2);
    buf_init(&sign, 4096);
    buf_init(&all, FORM_BYTES * 2);
    ASSERT(wallet_alipay.notice(&a, &in, FUZZ_NOW_US, &n, why) == WALLET_FORGED);
    if (form_read(&f, body) == KEER_OK) {
        alipay_sign_string(f.field, f.count, /* with_type */ false, &text);
        ASSERT(text.err == KEER_OK && sign_put(fuzz_key(), buf_view(&text), &sign) == KEER_OK);
        buf_slice(&all, body);
        buf_puts(&all, "&sign=");
        percent_put(&all, buf_view(&sign));
        in.body = buf_view(&all);
        if (wallet_alipay.notice(&a, &in, FUZZ_NOW_US, &n, why) == WALLET_GENUINE)
            fuzz_notice(&n);
        FUZZ_TEXT(why);
    }
    form_release(&f);
    buf_release(&text);
    buf_release(&sign);
    buf_release(&all);
    return 0;
}
