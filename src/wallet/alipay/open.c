/* open.c - Alipay: a row of the file of wallets, its keys and certificates. */
#include "wallet/alipay/alipay.h"
#include "wallet/settings.h"

static const char *const members[] = {"app_id",       "seller_id", "private_key",           "public_key",
                                      "certificates", "api",       "personal_product_code", "product_code",
                                      "sign_scene",   "channel",   "sign_validity_period"};
static const char *const certificate_members[] = {"app", "alipay", "root"};

/* --- certificates --- */

static void name_of(struct wallet_settings *s, const struct crypto_cert *cert, char ret[CRYPTO_CERT_NAME_BYTES])
{
    if (s->err == KEER_OK && crypto_cert_name(cert, ret) != KEER_OK)
        settings_fail(s, KEER_EFORMAT, "\"certificates\": a certificate has no name that can be read");
}

/* The names of those roots that an RSA key signed; a bundle of Alipay's holds others. */
static void read_roots(struct wallet_settings *s, uint32_t at, struct alipay *a)
{
    char name[CRYPTO_CERT_NAME_BYTES] = "";
    size_t used = 0;
    a->roots = settings_certificates(s, at, "root", 0, ALIPAY_ROOTS_MAX, a->root);
    for (unsigned i = 0; s->err == KEER_OK && i < a->roots; i++) {
        if (!crypto_cert_signed_by_rsa(a->root[i]))
            continue;
        name_of(s, a->root[i], name);
        used += (size_t)snprintf(a->root_sn + used, sizeof a->root_sn - used, "%s%s", used ? "_" : "", name);
    }
    if (s->err == KEER_OK && !used)
        settings_fail(s, KEER_EFORMAT, "\"root\": no certificate in it is signed by RSA");
}

/* One of Alipay's, with what it needs to reach the root: which is looked at when it is used, and here at its beginning, so
 * that a wrong root is told at the start. */
static void read_theirs(struct wallet_settings *s, uint32_t at, struct alipay *a, unsigned i)
{
    int64_t begins_us = 0;
    a->chains[i] = settings_certificates(s, at, "alipay", i, ALIPAY_CHAIN_MAX, a->chain[i]);
    if (s->err != KEER_OK)
        return;
    a->keys = i + 1;
    name_of(s, a->chain[i][0], a->key_sn[i]);
    if (s->err == KEER_OK &&
        (crypto_cert_key(a->chain[i][0], &a->key[i]) != KEER_OK || crypto_key_kind(a->key[i]) != CRYPTO_RSA))
        settings_fail(s, KEER_EUNSUPPORTED, "\"alipay\": the key of a certificate is not RSA of 2048 bits or more");
    if (s->err == KEER_OK && (crypto_cert_begins(a->chain[i][0], &begins_us) != KEER_OK ||
                              !crypto_cert_verify(a->chain[i], a->chains[i], a->root, a->roots, begins_us + US_SECOND)))
        settings_fail(s, KEER_EINVALID, "\"alipay\": a certificate is not signed by the root that is given");
}

static void read_certificates(struct wallet_settings *s, struct alipay *a)
{
    uint32_t at = tape_find(&s->tape, 0, "certificates");
    struct crypto_cert *app[ALIPAY_CHAIN_MAX];
    struct crypto_key *key = NULL;
    if (tape_type(&s->tape, at) != TAPE_OBJECT) {
        settings_fail(s, KEER_EINVALID, "\"certificates\": {\"app\":..,\"alipay\":..,\"root\":..} is wanted");
        return;
    }
    settings_only(s, at, certificate_members, ARRAY_LEN(certificate_members));
    unsigned count = settings_certificates(s, at, "app", 0, ALIPAY_CHAIN_MAX, app);
    if (count) {
        name_of(s, app[0], a->app_sn);
        if (s->err == KEER_OK && (crypto_cert_key(app[0], &key) != KEER_OK || !crypto_key_eq(key, a->own)))
            settings_fail(s, KEER_ECONFLICT, "\"app\": the certificate is not of the private key that is given");
    }
    crypto_key_free(key);
    while (count)
        crypto_cert_free(app[--count]);
    read_roots(s, at, a);
    unsigned files = settings_files(s, at, "alipay", ALIPAY_KEYS_MAX);
    for (unsigned i = 0; s->err == KEER_OK && i < files; i++)
        read_theirs(s, at, a, i);
}

static void read_keys(struct wallet_settings *s, struct alipay *a)
{
    bool plain = settings_has(s, 0, "public_key"), certified = settings_has(s, 0, "certificates");
    a->own = settings_private_key(s, 0, "private_key");
    if (s->err == KEER_OK && plain == certified)
        settings_fail(s, KEER_EINVALID, "either \"public_key\" or \"certificates\" is wanted");
    if (s->err != KEER_OK)
        return;
    if (certified) {
        read_certificates(s, a);
        return;
    }
    unsigned files = settings_files(s, 0, "public_key", ALIPAY_KEYS_MAX);
    for (unsigned i = 0; s->err == KEER_OK && i < files; i++) {
        a->key[i] = settings_public_key(s, 0, "public_key", i);
        a->keys = i + (s->err == KEER_OK);
    }
}

/* --- the row --- */

static void text_or(struct wallet_settings *s, const char *member, const char *fallback, char *ret, size_t cap)
{
    settings_text(s, 0, member, /* optional */ true, ret, cap);
    if (!ret[0])
        (void)snprintf(ret, cap, "%s", fallback);
}

/* An address without a path means the gateway at its usual place: pages are there in both protocols. */
static void set_gateway(struct wallet_settings *s, struct alipay *a)
{
    struct slice origin = driver_origin(slice_str(a->url));
    if (s->err != KEER_OK || !slice_eq(driver_path(slice_str(a->url)), SLICE("/")))
        return;
    if (origin.len + sizeof "/gateway.do" > sizeof a->url)
        settings_fail(s, KEER_ELIMIT, "\"url\": it is too long");
    else
        (void)snprintf(a->url + origin.len, sizeof a->url - origin.len, "/gateway.do");
}

enum keer_err alipay_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_settings s;
    char api[8];
    struct alipay *a = calloc(1, sizeof *a);
    if (!a) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    enum keer_err err = settings_open(&s, settings, folder, ret_why);
    settings_only(&s, 0, members, ARRAY_LEN(members));
    settings_text(&s, 0, "url", false, a->url, sizeof a->url);
    settings_text(&s, 0, "app_id", false, a->app_id, sizeof a->app_id);
    settings_text(&s, 0, "seller_id", false, a->seller_id, sizeof a->seller_id);
    text_or(&s, "personal_product_code", "GENERAL_WITHHOLDING_P", a->personal_product, sizeof a->personal_product);
    text_or(&s, "product_code", "GENERAL_WITHHOLDING", a->product, sizeof a->product);
    text_or(&s, "sign_scene", "INDUSTRY|APPSTORE", a->scene, sizeof a->scene);
    text_or(&s, "channel", "ALIPAYAPP", a->channel, sizeof a->channel);
    settings_text(&s, 0, "sign_validity_period", true, a->validity, sizeof a->validity);
    text_or(&s, "api", "v2", api, sizeof api);
    a->v3 = strcmp(api, "v3") == 0;
    set_gateway(&s, a);
    if (s.err == KEER_OK && !a->v3 && strcmp(api, "v2") != 0)
        settings_fail(&s, KEER_EINVALID, "\"api\": v2 or v3 is wanted");
    read_keys(&s, a);
    err = s.err;
    settings_close(&s);
    if (err == KEER_OK)
        *ret_self = a;
    else
        alipay_free(a);
    return err;
}

void alipay_free(void *self)
{
    struct alipay *a = self;
    if (!a)
        return;
    crypto_key_free(a->own);
    for (unsigned i = 0; i < ALIPAY_KEYS_MAX; i++) {
        crypto_key_free(a->key[i]);
        while (a->chains[i])
            crypto_cert_free(a->chain[i][--a->chains[i]]);
    }
    while (a->roots)
        crypto_cert_free(a->root[--a->roots]);
    free(a);
}

bool alipay_verify(const struct alipay *a, struct slice sn, int64_t now_us, struct slice text, struct slice signature)
{
    if (!a->roots)
        return sign_verify_any(a->key, a->keys, text, signature);
    for (unsigned i = 0; i < a->keys; i++)
        if ((!sn.len || slice_eq(sn, slice_str(a->key_sn[i]))) && sign_verify(a->key[i], text, signature))
            return crypto_cert_verify(a->chain[i], a->chains[i], a->root, a->roots, now_us);
    return false;
}

const struct wallet_driver wallet_alipay = {.kind = "alipay",
                                            .can = WALLET_CAN_CANCEL | WALLET_CAN_CAP | WALLET_SYNC,
                                            .open = alipay_open,
                                            .free = alipay_free,
                                            .sign = alipay_sign,
                                            .sign_finish = alipay_sign_finish,
                                            .agreement_query = alipay_agreement_query,
                                            .agreement_end = alipay_agreement_end,
                                            .charge = alipay_charge,
                                            .charge_query = alipay_charge_query,
                                            .charge_cancel = alipay_charge_cancel,
                                            .refund = alipay_refund,
                                            .refund_query = alipay_refund_query,
                                            .notice = alipay_notice,
                                            .reply = alipay_reply};
