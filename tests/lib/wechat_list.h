/* wechat_list.h - lists of platform certificates (GET /v3/certificates), as WeChat Pay gives them out, right and wrong; beside
 * wechat_kit.h.
 */
#ifndef TESTS_LIB_WECHAT_LIST_H
#define TESTS_LIB_WECHAT_LIST_H
#include "emulator/inside.h"
#include "lib/wechat_kit.h"

#define WL_A "1A57F09EFDC096DE15EBE81A47057A72000000AA"
#define WL_B "1B57F09EFDC096DE15EBE81A47057A72000000BB"
#define WL_C "1C57F09EFDC096DE15EBE81A47057A72000000CC"

struct wl_entry {
    const char *serial;           /* as the certificate has it */
    const char *said;             /* as the list says it; NULL: the same */
    const struct crypto_key *key; /* of the certificate */
    int64_t from_us, to_us;       /* 0: from an hour before now, to a year after it */
    const char *apiv3;            /* what it is sealed with; NULL: ours */
    const char *text;             /* instead of a certificate; NULL: none */
};

static inline void wl_seal(const char *apiv3, struct slice plain, struct buf *body)
{
    struct buf sealed;
    struct crypto_gcm gcm = {slice_str(apiv3), SLICE("fdasflkja484"), SLICE("certificate")};
    buf_init(&sealed, WALLET_ANSWER_BYTES);
    MADE(crypto_gcm_seal(&gcm, plain, &sealed));
    buf_puts(body, "{\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":\"fdasflkja484\",\"associated_data\":\"certificate\","
                   "\"ciphertext\":\"");
    base64_put(body, buf_view(&sealed));
    buf_puts(body, "\"}");
    buf_release(&sealed);
}

static inline void wl_put(const struct wl_entry *e, bool first, struct buf *body)
{
    struct buf pem;
    struct em_cert c = {.subject = "Tenpay.com sign",
                        .issuer = "Tenpay.com Root CA",
                        .serial = e->serial,
                        .key = e->key,
                        .issuer_key = e->key,
                        .from_us = e->from_us ? e->from_us : WK_NOW_US - US_HOUR,
                        .to_us = e->to_us ? e->to_us : WK_NOW_US + 365 * US_DAY};
    buf_init(&pem, 1u << 16);
    if (e->text)
        buf_puts(&pem, e->text);
    else
        MADE(em_cert_make(&c, &pem));
    buf_fmt(body,
            "%s{\"serial_no\":\"%s\",\"effective_time\":\"2027-01-15T15:00:00+08:00\",\"expire_time\":"
            "\"2028-01-15T15:00:00+08:00\",\"encrypt_certificate\":",
            first ? "" : ",", e->said ? e->said : e->serial);
    wl_seal(e->apiv3 ? e->apiv3 : WK_APIV3, buf_view(&pem), body);
    buf_char(body, '}');
    buf_release(&pem);
}

static inline void wl_list(const struct wl_entry *e, size_t count, struct buf *body)
{
    buf_puts(body, "{\"data\":[");
    for (size_t i = 0; i < count; i++)
        wl_put(&e[i], i == 0, body);
    buf_puts(body, "]}");
    ASSERT(body->err == KEER_OK);
}

/* The head of a body that somebody signed with `key` `at` seconds, and named `serial`. */
static inline void wl_head(const struct crypto_key *key, const char *serial, int64_t at, struct slice body, struct buf *head)
{
    struct buf text;
    buf_init(&text, WALLET_ANSWER_BYTES + 4096);
    buf_fmt(&text, "%lld\nNonceOfTheWallet\n", (long long)at);
    buf_slice(&text, body);
    buf_char(&text, '\n');
    buf_fmt(head,
            "wechatpay-serial: %s\nwechatpay-timestamp: %lld\nwechatpay-nonce: NonceOfTheWallet\nwechatpay-signature: ",
            serial, (long long)at);
    MADE(sign_put(key, buf_view(&text), head));
    buf_char(head, '\n');
    ASSERT(head->err == KEER_OK);
    buf_release(&text);
}
#endif
