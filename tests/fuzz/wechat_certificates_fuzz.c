/* wechat_certificates_fuzz.c - WeChat Pay's list of certificates. 'j': an answer as it stands. 'p': a serial number, a line feed,
 * and the text that the wallet sealed as its certificate: so that what is behind the seal is read too. What is taken has one
 * to eight certificates, each with its key and serial number, and one of them is valid.
 */
#include "lib/wechat_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wechat_kit k;

static void take(struct slice body)
{
    struct wechat_platform list[WECHAT_PLATFORM_MAX];
    char why[WALLET_WHY_BYTES] = "";
    unsigned count = 0, valid = 0;
    if (!wechat_keys_read(k.self, body, WK_NOW_US, list, &count, why)) {
        ASSERT(why[0] && memchr(why, '\0', sizeof why));
        return;
    }
    ASSERT(count >= 1 && count <= WECHAT_PLATFORM_MAX);
    for (unsigned i = 0; i < count; i++) {
        ASSERT(list[i].key && list[i].cert && list[i].serial[0] && crypto_key_fits(list[i].key, CRYPTO_RS256));
        valid += crypto_cert_valid_at(list[i].cert, WK_NOW_US);
    }
    ASSERT(valid);
    wechat_keys_release(list, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf body;
    if (size < 1 || size > 20000)
        return 0;
    if (!k.self) {
        wk_start(&k);
        wk_open(&k);
        scratch_remove(&k.s);
    }
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    buf_init(&body, WALLET_ANSWER_BYTES);
    if (data[0] == 'p') {
        struct slice serial = slice_cut(&rest, '\n');
        buf_puts(&body, "{\"data\":[{\"serial_no\":");
        buf_json(&body, serial);
        buf_puts(&body, ",\"encrypt_certificate\":");
        wl_seal(WK_APIV3, rest, &body);
        buf_puts(&body, "}]}");
    } else {
        buf_slice(&body, rest);
    }
    take(buf_view(&body));
    buf_release(&body);
    return 0;
}
