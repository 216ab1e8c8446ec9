/* antom_notice_fuzz.c - notices of Antom: a body with a signature that is put to it, and as a head that nobody signed. */
#include "wallet/antom/antom.h"

#include "lib/wallet_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct antom a = {.client_id = "C", .own = fuzz_key(), .own_version = 1, .key = {fuzz_key()}, .version = {1}, .keys = 1};
    struct slice body = slice_of((const char *)data, size);
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = body, .body = body};
    struct wallet_notice n;
    struct buf head;
    char why[WALLET_WHY_BYTES] = "", time[24];
    ASSERT(wallet_antom.notice(&a, &in, FUZZ_NOW_US, &n, why) == WALLET_FORGED);
    buf_init(&head, 8192);
    (void)snprintf(time, sizeof time, "%lld", (long long)(FUZZ_NOW_US / 1000));
    buf_fmt(&head, "client-id: C\nrequest-time: %s\nsignature: ", time);
    if (antom_signature(&a, in.path, slice_str(time), body, &head) == KEER_OK) {
        buf_char(&head, '\n');
        in.head = buf_view(&head);
        enum wallet_verdict v = wallet_antom.notice(&a, &in, FUZZ_NOW_US, &n, why);
        ASSERT(v == WALLET_GENUINE || v == WALLET_GARBLED);
        if (v == WALLET_GENUINE)
            fuzz_notice(&n);
        FUZZ_TEXT(why);
    }
    buf_release(&head);
    return 0;
}
