/* wechat_kit.h - a WeChat Pay of tests: keys of both sides, a file of settings, a transport that plays what a test says and
 * verifies each request as the wallet would.
 */
#ifndef TESTS_LIB_WECHAT_KIT_H
#define TESTS_LIB_WECHAT_KIT_H
#include <fcntl.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/crypto_gcm.h"
#include "base/timefmt.h"
#include "lib/der_write.h"
#include "lib/scratch.h"
#include "wallet/sign.h"
#include "wallet/wechatpay/wechatpay.h"

#define WK_NOW_S 1800000000 /* 2027-01-15T08:00:00Z */
#define WK_NOW_US ((int64_t)WK_NOW_S * US_SECOND)
#define WK_APIV3 "0123456789abcdef0123456789abcdef"
#define WK_PUB "PUB_KEY_ID_0114232134912410000000000000"
#define WK_CERT "5157F09EFDC096DE15EBE81A47057A7200000000"
#define WK_OLD "0157F09EFDC096DE15EBE81A47057A7200000000" /* expired */

/* How an answer or notice is signed. */
enum wk_how {
    WK_SIGNED,
    WK_BY_CERT,
    WK_BY_CERT_LOWER, /* its serial in lower case */
    WK_AT_300,
    WK_AT_MINUS_300,
    /* from here on it is not believed */
    WK_UNSIGNED,
    WK_OTHER_KEY,
    WK_OTHER_SERIAL,
    WK_EXPIRED_CERT,
    WK_SERIAL_OF_OTHER, /* signed with one of ours, and another is named */
    WK_AT_301,
    WK_AT_MINUS_301,
    WK_BODY_CHANGED,
    WK_NONCE_CHANGED,
    WK_TIME_CHANGED,
    WK_HEADER_TWICE,
    WK_OTHER_SCHEMA,
    WK_NO_BASE64,
    WK_EMPTY_SIGNATURE,
    WK_TIME_IS_TEXT,
    WK_NO_NONCE,
    WK_PROBE,
    WK_HOW_MAX
};

struct wechat_kit {
    struct scratch s;
    struct crypto_key *ours, *pub, *cert, *other; /* `pub` and `cert` are the wallet's */
    char settings[1600];
    void *self;
    struct wallet_io io;
    /* what the transport plays */
    enum wallet_sent sent;
    int status;
    const char *answer;
    enum wk_how how;
    struct buf head; /* of the answer, when it was prepared: then nothing is verified, and nothing of the test allocates */
    /* what it got */
    unsigned requests;
    bool signature_ok;
    char method[8], url[1024], body[4096];
};

static struct crypto_key *wk_keys[4]; /* made once: RSA takes its time */

static inline void wk_file(struct wechat_kit *k, const char *name, struct slice content, int mode)
{
    int fd = open(scratch_path(&k->s, name), O_CREAT | O_WRONLY | O_TRUNC, mode);
    ASSERT(fd >= 0 && write(fd, content.p, content.len) == (ssize_t)content.len && fchmod(fd, (mode_t)mode) == 0);
    ASSERT(close(fd) == 0);
}

static inline void wk_pem(struct buf *b, const char *label, struct slice der)
{
    buf_fmt(b, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < der.len; at += 48) {
        base64_put(b, slice_of(der.p + at, MIN_OF(48u, der.len - at)));
        buf_char(b, '\n');
    }
    buf_fmt(b, "-----END %s-----\n", label);
    ASSERT(b->err == KEER_OK);
}

/* A platform certificate; who issued it is not asked. */
static inline void wk_certificate(struct wechat_kit *k, const char *name, const struct crypto_key *key, const char *until)
{
    struct crypto_key *issuer;
    struct buf der, pem, subject;
    MADE(crypto_key_generate(CRYPTO_P256, 0, &issuer));
    buf_init(&der, 1u << 16);
    buf_init(&pem, 1u << 16);
    buf_init(&subject, 1024);
    der_name_part(&subject, "2.5.4.3", "Tenpay.com sign");
    struct cert_recipe c = {
        .subject = buf_view(&subject), .issuer = buf_view(&subject), .until = until, .key = key, .signer = issuer};
    cert_put(&der, &c);
    wk_pem(&pem, "CERTIFICATE", buf_view(&der));
    wk_file(k, name, buf_view(&pem), 0644);
    buf_release(&der);
    buf_release(&pem);
    buf_release(&subject);
    crypto_key_free(issuer);
}

static inline enum wallet_sent wk_send(void *ctx, const struct wallet_request *rq, struct wallet_response *ret);
static inline void wk_random(void *ctx, void *bytes, size_t len)
{
    UNUSED(ctx);
    memset(bytes, 0xA5, len);
}

static inline void wk_start(struct wechat_kit *k)
{
    struct buf b;
    *k = (struct wechat_kit){.status = 200, .answer = "{}"};
    ASSERT(crypto_start() == KEER_OK);
    buf_init(&k->head, 1u << 16);
    scratch_make(&k->s);
    for (size_t i = 0; i < ARRAY_LEN(wk_keys); i++)
        if (!wk_keys[i])
            MADE(crypto_key_generate(CRYPTO_RSA, 2048, &wk_keys[i]));
    k->ours = wk_keys[0];
    k->pub = wk_keys[1];
    k->cert = wk_keys[2];
    k->other = wk_keys[3];
    buf_init(&b, 1u << 16);
    MADE(crypto_key_put_private_pem(k->ours, &b));
    wk_file(k, "ours.pem", buf_view(&b), 0600);
    struct buf der;
    buf_init(&der, 1u << 16);
    MADE(crypto_key_put_spki(k->pub, &der));
    buf_clear(&b);
    wk_pem(&b, "PUBLIC KEY", buf_view(&der));
    wk_file(k, "pub.pem", buf_view(&b), 0644);
    buf_release(&der);
    buf_release(&b);
    wk_certificate(k, "cert.pem", k->cert, "310101000000Z");
    wk_certificate(k, "old.pem", k->cert, "260101000000Z");
    wk_file(k, "apiv3.key", SLICE(WK_APIV3 "\n"), 0600);
    (void)snprintf(k->settings, sizeof k->settings,
                   "{\"name\":\"wechatpay\",\"kind\":\"wechatpay\",\"url\":\"https://pay.test/base/\",\"mchid\":"
                   "\"1900000109\",\"appid\":\"wxd678efh567hg6787\",\"plan_id\":\"12535\",\"serial\":\"OURSERIAL\","
                   "\"private_key\":\"ours.pem\",\"apiv3_key\":\"apiv3.key\",\"platform\":[{\"serial\":\"" WK_PUB
                   "\",\"file\":\"pub.pem\"},{\"serial\":\"" WK_CERT "\",\"file\":\"cert.pem\"},{\"serial\":\"" WK_OLD
                   "\",\"file\":\"old.pem\"}]}");
    k->io = (struct wallet_io){.send = wk_send, .random = wk_random, .ctx = k, .now_us = WK_NOW_US};
}

static inline void wk_open(struct wechat_kit *k)
{
    char why[WALLET_WHY_BYTES] = "";
    enum keer_err err = wallet_wechatpay.open(slice_str(k->settings), k->s.dir, &k->self, why);
    if (err != KEER_OK)
        (void)fprintf(stderr, "%s\n", why);
    ASSERT(err == KEER_OK);
}

static inline void wk_stop(struct wechat_kit *k)
{
    wallet_wechatpay.free(k->self);
    buf_release(&k->head);
    scratch_remove(&k->s);
}

/* The headers of a body that the wallet signed, or that somebody did who is not the wallet. */
static inline void wk_head(const struct wechat_kit *k, enum wk_how how, struct slice body, struct buf *head)
{
    struct buf sig;
    struct buf text;
    bool by_cert = how == WK_BY_CERT || how == WK_BY_CERT_LOWER || how == WK_EXPIRED_CERT || how == WK_SERIAL_OF_OTHER;
    long long at = how == WK_AT_300         ? WK_NOW_S - 300
                   : how == WK_AT_MINUS_300 ? WK_NOW_S + 300
                   : how == WK_AT_301       ? WK_NOW_S - 301
                   : how == WK_AT_MINUS_301 ? WK_NOW_S + 301
                                            : WK_NOW_S;
    const char *serial = how == WK_BY_CERT         ? WK_CERT
                         : how == WK_BY_CERT_LOWER ? "5157f09efdc096de15ebe81a47057a7200000000"
                         : how == WK_EXPIRED_CERT  ? WK_OLD
                         : how == WK_OTHER_SERIAL  ? "PUB_KEY_ID_0"
                                                   : WK_PUB;
    if (how == WK_UNSIGNED)
        return;
    buf_init(&text, WALLET_ANSWER_BYTES + 4096);
    buf_fmt(&text, "%lld\nNonceOfTheWallet\n", at);
    buf_slice(&text, body);
    buf_puts(&text, how == WK_BODY_CHANGED ? " \n" : "\n");
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    if (how == WK_OTHER_KEY) /* there all keys sign alike (wallet/sign.c) */
        buf_char(&text, 'x');
#endif
    buf_init(&sig, 4096);
    MADE(sign_put(how == WK_OTHER_KEY ? k->other : by_cert ? k->cert : k->pub, buf_view(&text), &sig));
    buf_fmt(head, "content-type: application/json\nwechatpay-serial: %s\n", serial);
    if (how == WK_TIME_IS_TEXT)
        buf_fmt(head, "wechatpay-timestamp: %lldx\n", at);
    else
        buf_fmt(head, "wechatpay-timestamp: %lld\n", how == WK_TIME_CHANGED ? at + 1 : at);
    if (how != WK_NO_NONCE)
        buf_fmt(head, "wechatpay-nonce: NonceOfTheWallet%s\n", how == WK_NONCE_CHANGED ? "2" : "");
    if (how == WK_HEADER_TWICE)
        buf_puts(head, "wechatpay-serial: " WK_CERT "\n");
    if (how == WK_OTHER_SCHEMA)
        buf_puts(head, "wechatpay-signature-type: WECHATPAY2-SM2-WITH-SM3\n");
    buf_puts(head, "wechatpay-signature: ");
    if (how == WK_PROBE)
        buf_puts(head, "WECHATPAY/SIGNTEST/");
    if (how == WK_NO_BASE64)
        buf_puts(head, "*");
    if (how != WK_EMPTY_SIGNATURE)
        buf_slice(head, buf_view(&sig));
    buf_puts(head, "\n");
    ASSERT(head->err == KEER_OK && text.err == KEER_OK);
    buf_release(&sig);
    buf_release(&text);
}

static inline struct slice wk_between(struct slice text, const char *from, char to)
{
    const char *at = memmem(text.p, text.len, from, strlen(from));
    if (!at)
        return slice_of(NULL, 0);
    struct slice rest = slice_of(at + strlen(from), text.len - (size_t)(at - text.p) - strlen(from));
    return slice_cut(&rest, to);
}

/* As the wallet verifies a request; the only message that goes with a valid signature is the one that was signed. */
static inline bool wk_request_is_signed(const struct wechat_kit *k, const struct wallet_request *rq)
{
    struct buf text;
    struct crypto_signature sig;
    struct slice token = rq->header[0].value, path = rq->url;
    path.p += strlen("https://pay.test");
    path.len -= strlen("https://pay.test");
    buf_init(&text, 1u << 16);
    buf_fmt(&text, "%s\n" SLICE_FMT "\n" SLICE_FMT "\n" SLICE_FMT "\n" SLICE_FMT "\n", rq->method, SLICE_ARG(path),
            SLICE_ARG(wk_between(token, "timestamp=\"", '"')), SLICE_ARG(wk_between(token, "nonce_str=\"", '"')),
            SLICE_ARG(rq->body));
    struct slice s = wk_between(token, "signature=\"", '"');
    bool ok =
        slice_eqi(rq->header[0].name, SLICE("Authorization")) &&
        slice_has(token, SLICE("WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\",")) &&
        slice_has(token, SLICE(",serial_no=\"OURSERIAL\",")) && text.err == KEER_OK &&
        base64_get(s, sizeof sig.bytes, sig.bytes, &sig.len) == KEER_OK &&
        crypto_key_verify(k->ours, CRYPTO_RS256, CRYPTO_DER, buf_view(&text), slice_of((const char *)sig.bytes, sig.len));
    buf_release(&text);
    return ok;
}

static inline enum wallet_sent wk_send(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct wechat_kit *k = ctx;
    struct buf head;
    k->requests++;
    k->signature_ok = k->head.len == 0 && wk_request_is_signed(k, rq);
    (void)snprintf(k->method, sizeof k->method, "%s", rq->method);
    (void)snprintf(k->url, sizeof k->url, SLICE_FMT, SLICE_ARG(rq->url));
    (void)snprintf(k->body, sizeof k->body, SLICE_FMT, SLICE_ARG(rq->body));
    if (k->sent != WALLET_ANSWERED)
        return k->sent;
    ret->status = k->status;
    buf_init(&head, 1u << 16);
    if (k->head.len == 0)
        wk_head(k, k->how, slice_str(k->answer), &head);
    buf_slice(&ret->head, k->head.len ? buf_view(&k->head) : buf_view(&head));
    buf_puts(&ret->body, k->answer);
    buf_release(&head);
    /* A transport without memory has lost the answer. */
    return ret->head.err == KEER_OK && ret->body.err == KEER_OK ? WALLET_ANSWERED : WALLET_LOST;
}

/* The body of a notice about `plain`. */
static inline void wk_notice(const char *type, const char *key, const char *plain, struct buf *body)
{
    struct buf sealed;
    struct crypto_gcm gcm = {slice_str(key), SLICE("fdasflkja484"), SLICE("contract")};
    buf_init(&sealed, 1u << 16);
    MADE(crypto_gcm_seal(&gcm, slice_str(plain), &sealed));
    buf_fmt(
        body,
        "{\"id\":\"EV-2018022511223320873\",\"create_time\":\"2027-01-15T16:00:00+08:00\",\"resource_type\":"
        "\"encrypt-resource\",\"event_type\":\"%s\",\"summary\":\"x\",\"resource\":{\"original_type\":\"x\","
        "\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":\"fdasflkja484\",\"associated_data\":\"contract\",\"ciphertext\":\"",
        type);
    base64_put(body, buf_view(&sealed));
    buf_puts(body, "\"}}");
    ASSERT(body->err == KEER_OK);
    buf_release(&sealed);
}
#endif
