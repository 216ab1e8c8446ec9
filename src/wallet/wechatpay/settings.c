/* settings.c - one merchant at WeChat Pay, from a row of the file of wallets. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/num.h"
#include "wallet/wechatpay/wechatpay.h"

#define FILE_BYTES 65536

struct reader {
    const struct tape *t;
    const char *folder;
    char *why; /* WALLET_WHY_BYTES */
    enum keer_err err;
};

KEER_PRINTF(3, 4) static enum keer_err say(struct reader *r, enum keer_err err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->why, WALLET_WHY_BYTES, fmt, ap);
    va_end(ap);
    return r->err = err;
}

static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return s.len > 0;
}

/* A text without spaces and quotes: it goes into headers. */
static enum keer_err id_of(struct reader *r, uint32_t at, const char *name, char *ret, size_t cap)
{
    uint32_t v = tape_find(r->t, at, name);
    if (v == TAPE_NONE)
        return say(r, KEER_EMISSING, "\"%s\" is missing", name);
    struct slice s = tape_text(r->t, v);
    if ((tape_type(r->t, v) != TAPE_STRING && tape_type(r->t, v) != TAPE_INTEGER) || !is_id(s) || s.len >= cap)
        return say(r, KEER_EINVALID, "\"%s\" is a text of 1 to %zu characters without spaces and quotes", name, cap - 1);
    memcpy(ret, s.p, s.len);
    ret[s.len] = '\0';
    return KEER_OK;
}

/* The file that a member names, beside the folder. */
static enum keer_err slurp(struct reader *r, uint32_t at, const char *name, bool secret, struct buf *b)
{
    char path[1024];
    struct stat st;
    uint32_t v = tape_find(r->t, at, name);
    if (v == TAPE_NONE)
        return say(r, KEER_EMISSING, "\"%s\" is missing", name);
    struct slice s = tape_text(r->t, v);
    if (tape_type(r->t, v) != TAPE_STRING || s.len == 0)
        return say(r, KEER_EINVALID, "\"%s\" is the name of a file", name);
    int n = s.p[0] == '/' ? snprintf(path, sizeof path, SLICE_FMT, SLICE_ARG(s))
                          : snprintf(path, sizeof path, "%s/" SLICE_FMT, r->folder, SLICE_ARG(s));
    if (n < 0 || (size_t)n >= sizeof path)
        return say(r, KEER_ELIMIT, "\"%s\": the name is too long", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say(r, KEER_EIO, "\"%s\": %.120s: %s", name, path, strerror(errno));
    enum keer_err err = KEER_OK;
    char *to = NULL;
    ssize_t got = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err = say(r, KEER_EIO, "\"%s\": %.120s is no file", name, path);
    else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        err = say(r, KEER_EINVALID, "\"%s\": %.110s may be read by others; chmod 600 it", name, path);
    else if (st.st_size > FILE_BYTES)
        err = say(r, KEER_ELIMIT, "\"%s\": %.120s is larger than %d bytes", name, path, FILE_BYTES);
    else if (!(to = buf_reserve(b, FILE_BYTES)))
        err = say(r, b->err, "out of memory");
    /* At most FILE_BYTES: a file that grows meanwhile is cut, and then is no key. */
    while (err == KEER_OK && b->len < FILE_BYTES && (got = read(fd, to + b->len, FILE_BYTES - b->len)) > 0)
        b->len += (size_t)got;
    if (err == KEER_OK && got < 0)
        err = say(r, KEER_EIO, "\"%s\": %.120s: %s", name, path, strerror(errno));
    (void)close(fd);
    if (b->p)
        b->p[b->len] = '\0';
    return err;
}

static enum keer_err key_of(struct reader *r, struct wechat *w)
{
    struct buf b;
    buf_init(&b, FILE_BYTES);
    enum keer_err err = slurp(r, 0, "private_key", /* secret */ true, &b);
    if (err == KEER_OK && (err = crypto_key_private_pem(buf_view(&b), &w->key)) != KEER_OK)
        (void)say(r, err, "\"private_key\": not the PEM of a private key without a password");
    if (err == KEER_OK && !crypto_key_fits(w->key, CRYPTO_RS256))
        err = say(r, KEER_EUNSUPPORTED, "\"private_key\": WeChat Pay signs with RSA");
    if (b.p)
        crypto_wipe(b.p, b.cap);
    buf_release(&b);
    return err;
}

static enum keer_err apiv3_of(struct reader *r, struct wechat *w)
{
    struct buf b;
    buf_init(&b, FILE_BYTES);
    enum keer_err err = slurp(r, 0, "apiv3_key", /* secret */ true, &b);
    struct slice s = slice_trim(buf_view(&b));
    if (err == KEER_OK && s.len != sizeof w->apiv3_key)
        err = say(r, KEER_EFORMAT, "\"apiv3_key\": a file of %zu characters, not %zu", sizeof w->apiv3_key, s.len);
    if (err == KEER_OK)
        memcpy(w->apiv3_key, s.p, s.len);
    if (b.p)
        crypto_wipe(b.p, b.cap);
    buf_release(&b);
    return err;
}

/* A certificate, or a public key: what the PEM says it is. */
static enum keer_err platform_of(struct reader *r, uint32_t at, struct wechat_platform *p)
{
    struct buf b;
    buf_init(&b, FILE_BYTES);
    enum keer_err err = id_of(r, at, "serial", p->serial, sizeof p->serial);
    if (err == KEER_OK)
        err = slurp(r, at, "file", /* secret */ false, &b);
    struct slice pem = buf_view(&b);
    if (err == KEER_OK && slice_has(pem, SLICE("BEGIN CERTIFICATE"))) {
        err = crypto_cert_pem(&pem, &p->cert);
        if (err == KEER_OK)
            err = crypto_cert_key(p->cert, &p->key);
    } else if (err == KEER_OK) {
        err = crypto_key_pem(pem, &p->key);
    }
    if (err != KEER_OK && r->err == KEER_OK)
        (void)say(r, err, "\"platform\": %s: not the PEM of a certificate or public key", p->serial);
    if (err == KEER_OK && !crypto_key_fits(p->key, CRYPTO_RS256))
        err = say(r, KEER_EUNSUPPORTED, "\"platform\": %s: WeChat Pay signs with RSA", p->serial);
    buf_release(&b);
    return err;
}

static enum keer_err platforms_of(struct reader *r, struct wechat *w)
{
    uint32_t list = tape_find(r->t, 0, "platform");
    if (list == TAPE_NONE)
        return say(r, KEER_EMISSING, "\"platform\" is missing: [{\"serial\":...,\"file\":...}]");
    unsigned count = tape_type(r->t, list) == TAPE_ARRAY ? r->t->v[list].len : 0;
    if (count == 0 || count > WECHAT_PLATFORM_MAX)
        return say(r, KEER_EINVALID, "\"platform\" is a list of 1 to %d objects with \"serial\" and \"file\"",
                   WECHAT_PLATFORM_MAX);
    for (uint32_t i = 0, at = list + 1; i < count; i++, at = r->t->v[at].next) {
        struct wechat_platform *p = &w->platform[w->platforms++];
        enum keer_err err = platform_of(r, at, p);
        if (err != KEER_OK)
            return err;
        for (unsigned j = 0; j + 1 < w->platforms; j++)
            if (strcmp(w->platform[j].serial, p->serial) == 0)
                return say(r, KEER_EINVALID, "\"platform\": %s is there twice", p->serial);
    }
    return KEER_OK;
}

static enum keer_err url_of(struct reader *r, struct wechat *w)
{
    enum keer_err err = id_of(r, 0, "url", w->url, sizeof w->url);
    if (err != KEER_OK)
        return err;
    const char *host = strncmp(w->url, "https://", 8) == 0  ? w->url + 8
                       : strncmp(w->url, "http://", 7) == 0 ? w->url + 7
                                                            : "";
    size_t len = strlen(w->url);
    if (!*host || *host == '/' || strpbrk(w->url, "?#"))
        return say(r, KEER_EINVALID, "\"url\" is as https://api.mch.weixin.qq.com, without a query");
    while (w->url[len - 1] == '/')
        w->url[--len] = '\0';
    w->path_at = (size_t)(host - w->url) + strcspn(host, "/");
    return KEER_OK;
}

static enum keer_err fill(struct reader *r, struct wechat *w)
{
    int64_t plan;
    enum keer_err err = url_of(r, w);
    if (err == KEER_OK)
        err = id_of(r, 0, "mchid", w->mchid, sizeof w->mchid);
    if (err == KEER_OK)
        err = id_of(r, 0, "appid", w->appid, sizeof w->appid);
    if (err == KEER_OK)
        err = id_of(r, 0, "plan_id", w->plan_id, sizeof w->plan_id);
    if (err == KEER_OK && num_i64(slice_str(w->plan_id), 1, INT64_MAX, &plan) != KEER_OK)
        err = say(r, KEER_EINVALID, "\"plan_id\" is the number of the plan, as \"12535\"");
    if (err == KEER_OK)
        err = id_of(r, 0, "serial", w->serial, sizeof w->serial);
    if (err == KEER_OK)
        err = key_of(r, w);
    if (err == KEER_OK)
        err = apiv3_of(r, w);
    if (err == KEER_OK)
        err = platforms_of(r, w);
    return err;
}

enum keer_err wechat_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES])
{
    struct tape tape = {0};
    struct tape_error error;
    struct reader r = {.t = &tape, .folder = folder, .why = ret_why};
    struct wechat *w = calloc(1, sizeof *w);
    enum keer_err err = w ? tape_read(&tape, settings, &wechat_json, &error) : KEER_ENOMEM;
    if (!w || err == KEER_ENOMEM)
        (void)say(&r, KEER_ENOMEM, "out of memory");
    else if (err != KEER_OK)
        (void)say(&r, err, "byte %zu: %s", error.at, error.text);
    else if (tape_type(&tape, 0) != TAPE_OBJECT)
        err = say(&r, KEER_EINVALID, "a wallet is an object");
    else
        err = fill(&r, w);
    tape_release(&tape);
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
    for (unsigned i = 0; i < w->platforms; i++) {
        crypto_key_free(w->platform[i].key);
        crypto_cert_free(w->platform[i].cert);
    }
    crypto_key_free(w->key);
    crypto_wipe(w, sizeof *w);
    free(w);
}
