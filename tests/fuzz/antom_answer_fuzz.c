/* antom_answer_fuzz.c - answers of Antom. 's': a body, signed here; anything else: a head up to an empty line, and a body, that
 * nobody signed. */
#include "wallet/antom/antom.h"

#include "lib/wallet_fuzz.h"

/* The path is signed too: only the call that it belongs to believes the answer. */
static void signed_one(struct antom *a, struct slice body, const char *path)
{
    struct buf head;
    char whole[100], time[24];
    buf_init(&head, 8192);
    (void)snprintf(whole, sizeof whole, "%s%s", a->base, path);
    (void)snprintf(time, sizeof time, "%lld", (long long)(FUZZ_NOW_US / 1000));
    buf_fmt(&head, "response-time: %s\nsignature: ", time);
    if (antom_signature(a, slice_str(whole), slice_str(time), body, &head) == KEER_OK) {
        buf_char(&head, '\n');
        struct fuzz_wire w = {.head = buf_view(&head), .body = body, .status = 200};
        fuzz_calls(&wallet_antom, a, &w, /* is_signed */ true);
    }
    buf_release(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/payments/pay",          "/payments/inquiryPayment", "/payments/cancel",
                                        "/payments/refund",       "/payments/inquiryRefund",  "/authorizations/applyToken",
                                        "/authorizations/revoke", "/authorizations/consult"};
    struct antom a = {.client_id = "C",
                      .url = "https://pay.test",
                      .belongs_to = "ALIPAY_CN",
                      .base = "/ams/api/v1",
                      .own = fuzz_key(),
                      .own_version = 1,
                      .key = {fuzz_key()},
                      .version = {1},
                      .keys = 1};
    if (size < 2)
        return 0;
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    if (data[0] == 's') {
        signed_one(&a, slice_of(rest.p + 1, rest.len - 1), paths[(unsigned char)rest.p[0] % ARRAY_LEN(paths)]);
        return 0;
    }
    const char *end = memmem(rest.p, rest.len, "\n\n", 2);
    size_t head = end ? (size_t)(end - rest.p) + 1 : rest.len;
    struct fuzz_wire w = {.head = slice_of(rest.p, head),
                          .body = slice_of(rest.p + MIN_OF(head + 1, rest.len), rest.len - MIN_OF(head + 1, rest.len)),
                          .status = 200};
    fuzz_calls(&wallet_antom, &a, &w, /* is_signed */ false);
    return 0;
}
