/* keys.c - the keys of all parties, and the folder that they are written to. Making them takes seconds, so
 * that they are kept: in emulator.keys there or in --emulator-keys FILE, every private key in PEM, in the order of key_list.
 * Certificates are new at each start. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "emulator/inside.h"

#define RSA_BITS 2048
#define ROOT "Keersluis Emulator Root"
#define ISSUER "Keersluis Emulator Class 2"

struct making {
    const char *folder, *keys; /* keys: the file of all of them, NULL: KEYS_FILE in the folder */
    char *why;                 /* 200 bytes */
    enum keer_err err;
};

/* A file for its owner alone, whole or not at all; a name with a slash is a path. */
static void write_file(struct making *m, const char *name, struct slice text)
{
    char path[600], temp[640];
    bool is_path = strchr(name, '/') != NULL;
    if (m->err != KEER_OK)
        return;
    int n = snprintf(path, sizeof path, "%s%s%s", is_path ? "" : m->folder, is_path ? "" : "/", name);
    (void)snprintf(temp, sizeof temp, "%s.%ld", path, (long)getpid());
    int fd = n > 0 && (size_t)n < sizeof path ? open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0;
    while (ok && text.len) {
        ssize_t sent = write(fd, text.p, text.len);
        ok = sent > 0;
        text = slice_of(text.p + MAX_OF(sent, 0), text.len - (size_t)MAX_OF(sent, 0));
    }
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(temp, path) == 0;
    if (!ok) {
        m->err = KEER_EIO;
        (void)snprintf(m->why, 200, "%.100s/%.40s can't be written: %s", m->folder, name, strerror(errno));
    }
}

static void write_private(struct making *m, const char *name, const struct crypto_key *key)
{
    struct buf b;
    if (m->err != KEER_OK)
        return;
    buf_init(&b, CRYPTO_PRIVATE_BYTES);
    (void)buf_reserve(&b, CRYPTO_PRIVATE_BYTES - 1);
    m->err = crypto_key_put_private_pem(key, &b);
    write_file(m, name, buf_view(&b));
    if (b.p)
        crypto_wipe(b.p, b.cap);
    buf_release(&b);
}

static void write_public(struct making *m, const char *name, const struct crypto_key *key)
{
    struct buf der, b;
    if (m->err != KEER_OK)
        return;
    buf_init(&der, 1024);
    buf_init(&b, 2048);
    m->err = crypto_key_put_spki(key, &der);
    struct buf text;
    buf_init(&text, 2048);
    base64_put(&text, buf_view(&der));
    buf_puts(&b, "-----BEGIN PUBLIC KEY-----\n");
    for (size_t i = 0; i < text.len; i += 64)
        buf_fmt(&b, "%.*s\n", (int)MIN_OF(text.len - i, (size_t)64), text.p + i);
    buf_puts(&b, "-----END PUBLIC KEY-----\n");
    write_file(m, name, buf_view(&b));
    buf_release(&text);
    buf_release(&der);
    buf_release(&b);
}

#define KEYS 8
#define KEYS_FILE "emulator.keys"
static void key_list(struct em_keys *k, struct crypto_key **list[KEYS])
{
    static_assert(EM_PLATFORMS == 2, "the list has two");
    struct crypto_key **all[KEYS] = {&k->platform[0].key, &k->platform[1].key, &k->alipay_app, &k->alipay,
                                     &k->wechat_merchant, &k->antom_merchant,  &k->antom,      &k->root};
    memcpy(list, all, sizeof all);
}

/* The keys of an earlier start; false, and none, when not all of them are there. */
static bool read_keys(const struct making *m, struct crypto_key **list[KEYS])
{
    char path[600], text[KEYS * CRYPTO_PRIVATE_BYTES];
    static const char end[] = "-----END PRIVATE KEY-----\n";
    int n = snprintf(path, sizeof path, "%s%s", m->keys ? m->keys : m->folder, m->keys ? "" : "/" KEYS_FILE);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    struct slice rest = slice_of(text, fread(text, 1, sizeof text, f));
    (void)fclose(f);
    unsigned count = 0;
    while (count < KEYS) {
        const char *stop = memmem(rest.p, rest.len, end, strlen(end));
        size_t len = stop ? (size_t)(stop - rest.p) + strlen(end) : 0;
        if (!stop || crypto_key_private_pem(slice_of(rest.p, len), list[count]) != KEER_OK)
            break;
        rest = slice_of(rest.p + len, rest.len - len);
        count++;
    }
    crypto_wipe(text, sizeof text);
    for (unsigned i = 0; count < KEYS && i < count; i++) {
        crypto_key_free(*list[i]);
        *list[i] = NULL;
    }
    return count == KEYS;
}

struct maker {
    struct crypto_key **to;
    enum keer_err err;
};

static void *make_one(void *arg)
{
    struct maker *mine = arg;
    mine->err = crypto_key_generate(CRYPTO_RSA, RSA_BITS, mine->to);
    return NULL;
}

/* A thread for each: on a busy machine, too, somebody waits for it. */
static enum keer_err make_all(struct crypto_key **list[KEYS])
{
    struct maker maker[KEYS];
    pthread_t thread[KEYS];
    bool begun[KEYS];
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; i < KEYS; i++) {
        maker[i] = (struct maker){list[i], KEER_OK};
        begun[i] = pthread_create(&thread[i], NULL, make_one, &maker[i]) == 0;
        if (!begun[i])
            (void)make_one(&maker[i]);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        if (begun[i])
            (void)pthread_join(thread[i], NULL);
        if (maker[i].err != KEER_OK)
            err = maker[i].err;
    }
    return err;
}

static void make_keys(struct making *m, struct crypto_key **list[KEYS])
{
    struct buf b;
    if (read_keys(m, list))
        return;
    if (m->err == KEER_OK)
        m->err = make_all(list);
    buf_init(&b, KEYS * CRYPTO_PRIVATE_BYTES);
    (void)buf_reserve(&b, KEYS * CRYPTO_PRIVATE_BYTES - 1);
    for (unsigned i = 0; i < KEYS && m->err == KEER_OK; i++)
        m->err = crypto_key_put_private_pem(*list[i], &b);
    write_file(m, m->keys ? m->keys : KEYS_FILE, buf_view(&b));
    if (b.p)
        crypto_wipe(b.p, b.cap);
    buf_release(&b);
}

static void make_serial(char ret[EM_SERIAL_BYTES + 1])
{
    unsigned char bytes[EM_SERIAL_BYTES / 2];
    crypto_random(bytes, sizeof bytes);
    bytes[0] = (unsigned char)(0x10 | (bytes[0] & 0x6f)); /* X.690 8.3.2: positive, and no zero byte first */
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret + 2 * i, 3, "%02X", (unsigned)bytes[i]);
}

/* A certificate in a file, and in `keep` when that is not NULL. */
static void make_cert(struct making *m, const char *file, const struct em_cert *c, struct buf *keep)
{
    struct buf pem;
    if (m->err != KEER_OK)
        return;
    buf_init(&pem, 8192);
    m->err = em_cert_make(c, &pem);
    write_file(m, file, buf_view(&pem));
    if (keep)
        buf_slice(keep, buf_view(&pem));
    buf_release(&pem);
}

/* A certificate of WeChat Pay's for a key that is there. */
static void platform_recipe(struct em_keys *k, struct em_platform *p, int64_t now_us, struct em_cert *ret)
{
    make_serial(p->serial);
    p->from_us = now_us - now_us % US_SECOND;
    p->to_us = p->from_us + 730 * US_DAY;
    *ret = (struct em_cert){.subject = "Tenpay.com sign",
                            .issuer = ROOT,
                            .serial = p->serial,
                            .key = p->key,
                            .issuer_key = k->root,
                            .from_us = p->from_us,
                            .to_us = p->to_us};
}

static void make_certs(struct making *m, struct em_keys *k, int64_t now_us)
{
    const struct crypto_key *root = k->root;
    char serial[EM_SERIAL_BYTES + 1];
    struct em_cert c = {.issuer = ROOT, .issuer_key = root, .from_us = now_us - US_DAY, .to_us = now_us + 730 * US_DAY};
    make_serial(serial);
    c.serial = serial;
    c.subject = ROOT;
    c.key = root;
    c.ca = true;
    make_cert(m, "alipay-root.crt", &c, NULL);
    em_cert_sn(ROOT, serial, k->root_cert_sn);
    c.ca = false;
    make_serial(serial);
    c.subject = EM_APP_ID;
    c.key = k->alipay_app;
    make_cert(m, "alipay-app.crt", &c, NULL);
    em_cert_sn(ROOT, serial, k->app_cert_sn);
    make_serial(serial);
    c.subject = "alipay";
    c.key = k->alipay;
    make_cert(m, "alipay-public.crt", &c, NULL);
    em_cert_sn(ROOT, serial, k->alipay_cert_sn);
    make_serial(k->merchant_serial);
    c.serial = k->merchant_serial;
    c.subject = EM_MCHID;
    c.key = k->wechat_merchant;
    make_cert(m, "wechatpay-merchant.crt", &c, NULL);
    for (unsigned i = 0; i < EM_PLATFORMS; i++) {
        char file[40];
        platform_recipe(k, &k->platform[i], now_us - US_DAY, &c);
        (void)snprintf(file, sizeof file, "wechatpay-platform-%u.crt", i + 1);
        make_cert(m, file, &c, &k->platform[i].cert);
    }
    atomic_store(&k->platform_end, EM_PLATFORMS);
}

/* The file of wallets; `certificates`: Alipay over v3 and by certificates, WeChat Pay by its second certificate as well. */
static void write_wallets(struct making *m, const char *file, const struct em_keys *k, const char *url, bool certificates)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_fmt(&b,
            "{\"wallets\":[\n {\"name\":\"alipay\",\"kind\":\"alipay\",\"url\":\"%s%s\",\"api\":\"%s\",\n  "
            "\"app_id\":\"" EM_APP_ID "\",\"seller_id\":\"" EM_SELLER_ID "\",\"private_key\":\"alipay-app.pem\",\n  ",
            url, certificates ? "" : "/gateway.do", certificates ? "v3" : "v2");
    buf_puts(&b, certificates ? "\"certificates\":{\"app\":\"alipay-app.crt\",\"alipay\":[\"alipay-public.crt\"],\"root\":"
                                "\"alipay-root.crt\"}},\n"
                              : "\"public_key\":[\"alipay-public.pem\"]},\n");
    buf_fmt(&b,
            " {\"name\":\"wechatpay\",\"kind\":\"wechatpay\",\"url\":\"%s\",\"mchid\":\"" EM_MCHID "\",\"appid\":\"" EM_APPID
            "\",\n  \"plan_id\":\"" EM_PLAN_ID "\",\"serial\":\"%s\",\"private_key\":\"wechatpay-merchant.pem\",\n  "
            "\"apiv3_key\":\"wechatpay-apiv3.key\",\"platform\":[",
            url, k->merchant_serial);
    for (unsigned i = 0; i < EM_PLATFORMS; i++)
        buf_fmt(&b, "%s{\"serial\":\"%s\",\"file\":\"wechatpay-platform-%u.crt\"}", i ? "," : "", k->platform[i].serial,
                i + 1);
    buf_fmt(&b,
            "]},\n {\"name\":\"antom\",\"kind\":\"antom\",\"url\":\"%s\",\"client_id\":\"" EM_CLIENT_ID
            "\",\n  \"private_key\":\"antom-merchant.pem\",\"public_key\":[{\"version\":1,\"file\":\"antom-public.pem\"}],"
            "\"key_version\":1,\n  \"customer_belongs_to\":\"ALIPAY_CN\"}\n]}\n",
            url);
    if (b.err != KEER_OK)
        m->err = b.err;
    write_file(m, file, buf_view(&b));
    buf_release(&b);
}

enum keer_err em_keys_make(struct em_keys *k, const struct emulator_options *o, const char *url, char ret_why[200])
{
    struct making m = {.folder = o->folder, .keys = o->keys, .why = ret_why};
    struct crypto_key **list[KEYS];
    unsigned char secret[EM_V3KEY_BYTES / 2];
    *k = (struct em_keys){0};
    (void)pthread_mutex_init(&k->rotating, NULL);
    for (unsigned i = 0; i < EM_PLATFORMS_MAX; i++)
        buf_init(&k->platform[i].cert, 8192);
    key_list(k, list);
    make_keys(&m, list);
    crypto_random(secret, sizeof secret);
    em_hex(secret, sizeof secret, k->v3key);
    if (m.err == KEER_OK)
        make_certs(&m, k, o->wall_us());
    write_private(&m, "alipay-app.pem", k->alipay_app);
    write_public(&m, "alipay-app-public.pem", k->alipay_app);
    write_public(&m, "alipay-public.pem", k->alipay);
    write_private(&m, "wechatpay-merchant.pem", k->wechat_merchant);
    write_file(&m, "wechatpay-apiv3.key", slice_str(k->v3key));
    write_private(&m, "antom-merchant.pem", k->antom_merchant);
    write_public(&m, "antom-merchant-public.pem", k->antom_merchant);
    write_public(&m, "antom-public.pem", k->antom);
    write_wallets(&m, "wallets.json", k, url, false);
    write_wallets(&m, "wallets-certificates.json", k, url, true);
    if (m.err != KEER_OK && m.err != KEER_EIO)
        (void)snprintf(ret_why, 200, "the keys can't be made: %s", keer_err_text(m.err));
    return m.err;
}

void em_keys_free(struct em_keys *k)
{
    crypto_key_free(k->alipay_app);
    crypto_key_free(k->alipay);
    crypto_key_free(k->wechat_merchant);
    crypto_key_free(k->antom_merchant);
    crypto_key_free(k->antom);
    for (unsigned i = 0; i < EM_PLATFORMS_MAX; i++) {
        crypto_key_free(k->platform[i].key);
        buf_release(&k->platform[i].cert);
    }
    crypto_key_free(k->root);
    (void)pthread_mutex_destroy(&k->rotating);
    crypto_wipe(k, sizeof *k);
}

const struct em_platform *em_platform(struct em_keys *k, uint64_t i)
{
    unsigned first = atomic_load(&k->platform_first), end = atomic_load(&k->platform_end);
    return &k->platform[first + i % (end - first)];
}

enum keer_err em_rotate(struct em_keys *k, int64_t now_us, const struct em_platform **ret)
{
    struct em_cert c;
    (void)pthread_mutex_lock(&k->rotating);
    unsigned end = atomic_load(&k->platform_end);
    struct em_platform *p = end < EM_PLATFORMS_MAX ? &k->platform[end] : NULL;
    enum keer_err err = p ? crypto_key_generate(CRYPTO_RSA, RSA_BITS, &p->key) : KEER_ELIMIT;
    if (err == KEER_OK) {
        platform_recipe(k, p, now_us, &c);
        err = em_cert_make(&c, &p->cert);
    }
    if (err == KEER_OK) {
        atomic_store(&k->platform_end, end + 1);
        *ret = p;
    } else if (p) {
        crypto_key_free(p->key);
        p->key = NULL;
        buf_clear(&p->cert);
    }
    (void)pthread_mutex_unlock(&k->rotating);
    return err;
}

void em_drop(struct em_keys *k)
{
    (void)pthread_mutex_lock(&k->rotating);
    atomic_store(&k->platform_first, atomic_load(&k->platform_end) - 1);
    (void)pthread_mutex_unlock(&k->rotating);
}
