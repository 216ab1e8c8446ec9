/* settings.c - one merchant at WeChat Pay, from a row of the file of wallets. */
#include "wallet/settings.h"

#include "base/crypto.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "wallet/wechatpay/wechatpay.h"

/* A text that goes into headers and paths: no spaces, quotes, slashes. */
static void id_of(struct wallet_settings *s, uint32_t at, const char *name, char *ret, size_t cap)
{
    settings_text(s, at, name, /* optional */ false, ret, cap);
    for (const char *p = ret; s->err == KEER_OK && *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"\\/?#%&", *p))
            settings_fail(s, KEER_EINVALID, "\"%s\": letters, digits and signs that need no quotes are wanted", name);
}

static void url_of(struct wallet_settings *s, struct wechat *w)
{
    settings_text(s, 0, "url", /* optional */ false, w->url, sizeof w->url);
    size_t len = strlen(w->url);
    const char *host = strncmp(w->url, "https://", 8) == 0  ? w->url + 8
                       : strncmp(w->url, "http://", 7) == 0 ? w->url + 7
                                                            : "";
    if (!*host || *host == '/' || strpbrk(w->url, "?# "))
        settings_fail(s, KEER_EINVALID, "\"url\": as https://api.mch.weixin.qq.com, without a query");
    if (s->err != KEER_OK)
        return;
    while (w->url[len - 1] == '/')
        w->url[--len] = '\0';
    w->path_at = (size_t)(host - w->url) + strcspn(host, "/");
}

static void apiv3_of(struct wallet_settings *s, struct wechat *w)
{
    struct buf b;
    buf_init(&b, SETTINGS_FILE_BYTES);
    settings_file(s, 0, "apiv3_key", 0, /* secret */ true, &b);
    struct slice text = slice_trim(buf_view(&b));
    if (s->err == KEER_OK && text.len != sizeof w->apiv3_key)
        settings_fail(s, KEER_EFORMAT, "\"apiv3_key\": a file with %zu characters is wanted, not %zu", sizeof w->apiv3_key,
                      text.len);
    if (s->err == KEER_OK)
        memcpy(w->apiv3_key, text.p, text.len);
    if (b.p)
        crypto_wipe(b.p, b.len);
    buf_release(&b);
}

/* A certificate, or a public key: what the PEM says it is. */
static void platform_of(struct wallet_settings *s, uint32_t at, struct wechat_platform *p)
{
    static const char *const members[] = {"serial", "file"};
    struct buf b;
    buf_init(&b, SETTINGS_FILE_BYTES);
    settings_only(s, at, members, ARRAY_LEN(members));
    id_of(s, at, "serial", p->serial, sizeof p->serial);
    settings_file(s, at, "file", 0, /* secret */ false, &b);
    struct slice pem = buf_view(&b);
    if (s->err == KEER_OK && slice_has(pem, SLICE("BEGIN CERTIFICATE"))) {
        enum keer_err err = crypto_cert_pem(&pem, &p->cert);
        if (err == KEER_OK)
            err = crypto_cert_key(p->cert, &p->key);
        if (err == KEER_OK)
            err = crypto_cert_begins(p->cert, &p->begins_us);
        if (err != KEER_OK || !crypto_key_fits(p->key, CRYPTO_RS256))
            settings_fail(s, err != KEER_OK ? err : KEER_EUNSUPPORTED,
                          "\"platform\": %s: the PEM of a certificate with an RSA key is wanted", p->serial);
    } else {
        p->key = settings_public_key(s, at, "file", 0);
    }
    buf_release(&b);
}

static void platforms_of(struct wallet_settings *s, struct wechat *w)
{
    unsigned count = settings_has(s, 0, "platform") ? settings_items(s, 0, "platform", WECHAT_PLATFORM_MAX) : 0;
    w->listed = true;
    for (unsigned i = 0; i < count && s->err == KEER_OK; i++) {
        struct wechat_platform *p = &w->platform[w->platforms++];
        platform_of(s, settings_item(s, 0, "platform", i), p);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(w->platform[j].serial, p->serial) == 0)
                settings_fail(s, KEER_EINVALID, "\"platform\": %s is there twice", p->serial);
        w->listed = w->listed && p->cert;
    }
    w->every_us = settings_number(s, 0, "certificates_hours", 1, 168, WECHAT_KEYS_EVERY_US / US_HOUR) * US_HOUR;
    w->again_us = settings_number(s, 0, "certificates_again_ms", 1000, 3600000, WECHAT_KEYS_AGAIN_US / 1000) * 1000;
}

static void fill(struct wallet_settings *s, struct wechat *w)
{
    static const char *const members[] = {"mchid",
                                          "appid",
                                          "plan_id",
                                          "serial",
                                          "private_key",
                                          "apiv3_key",
                                          "platform",
                                          "certificates_hours",
                                          "certificates_again_ms"};
    int64_t plan;
    settings_only(s, 0, members, ARRAY_LEN(members));
    url_of(s, w);
    id_of(s, 0, "mchid", w->mchid, sizeof w->mchid);
    id_of(s, 0, "appid", w->appid, sizeof w->appid);
    id_of(s, 0, "plan_id", w->plan_id, sizeof w->plan_id);
    if (s->err == KEER_OK && num_i64(slice_str(w->plan_id), 1, INT64_MAX, &plan) != KEER_OK)
        settings_fail(s, KEER_EINVALID, "\"plan_id\": the number of the plan is wanted, as \"12535\"");
    id_of(s, 0, "serial", w->serial, sizeof w->serial);
    w->key = settings_private_key(s, 0, "private_key");
    apiv3_of(s, w);
    platforms_of(s, w);
}

enum keer_err wechat_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_settings s;
    struct wechat *w = calloc(1, sizeof *w);
    enum keer_err err = settings_open(&s, settings, folder, ret_why);
    if (!w)
        settings_fail(&s, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
    else if (err == KEER_OK)
        fill(&s, w);
    if (w && s.err == KEER_OK && wechat_keys_new(&w->keys) != KEER_OK)
        settings_fail(&s, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
    err = s.err;
    settings_close(&s);
    if (err != KEER_OK) {
        wechat_free(w);
        return err;
    }
    *ret_self = w;
    return KEER_OK;
}

void wechat_free(void *self)
{
    struct wechat *w = self;
    if (!w)
        return;
    wechat_keys_release(w->platform, w->platforms);
    wechat_keys_free(w->keys);
    crypto_key_free(w->key);
    crypto_wipe(w, sizeof *w);
    free(w);
}
