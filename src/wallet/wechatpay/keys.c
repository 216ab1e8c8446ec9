/* keys.c - platform certificates: those of the file, and those that the wallet lists (wechatpay.h, invariants 6 and 7).
 *
 *     keys_due ─► keys_fetch: GET /v3/certificates ─► wechat_keys_read ─► the signature ─► the list of before is gone
 *     a start  ─► keys_load:  the answer as it was kept ─► wechat_keys_read (what our APIv3 key opens is the wallet's) ─┘
 */
#include "wallet/wechatpay/wechatpay.h"

/* --- what there is --- */

enum keer_err wechat_keys_new(struct wechat_keys **ret)
{
    struct wechat_keys *k = calloc(1, sizeof *k);
    if (!k)
        return KEER_ENOMEM;
    (void)pthread_rwlock_init(&k->lock, NULL);
    *ret = k;
    return KEER_OK;
}

void wechat_keys_release(struct wechat_platform *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        crypto_key_free(list[i].key);
        crypto_cert_free(list[i].cert);
    }
}

void wechat_keys_free(struct wechat_keys *k)
{
    if (!k)
        return;
    wechat_keys_release(k->list, k->count);
    (void)pthread_rwlock_destroy(&k->lock);
    free(k);
}

void wechat_keys_lock(const struct wechat *w)
{
    if (w->keys)
        (void)pthread_rwlock_rdlock(&w->keys->lock);
}

void wechat_keys_unlock(const struct wechat *w)
{
    if (w->keys)
        (void)pthread_rwlock_unlock(&w->keys->lock);
}

static bool is_valid(const struct wechat_platform *p, int64_t now_us)
{
    return !p->cert || crypto_cert_valid_at(p->cert, now_us);
}

static const struct wechat_platform *find(const struct wechat_platform *list, unsigned count, struct slice serial,
                                          int64_t now_us)
{
    for (unsigned i = 0; i < count; i++) {
        const struct wechat_platform *p = &list[i];
        /* Serials of certificates are hexadecimal numbers, whose case differs between the wallet's own texts. */
        bool same = p->cert ? slice_eqi(serial, slice_str(p->serial)) : slice_eq(serial, slice_str(p->serial));
        if (same && is_valid(p, now_us))
            return p;
    }
    return NULL;
}

const struct wechat_platform *wechat_keys_find(const struct wechat *w, struct slice serial, int64_t now_us)
{
    const struct wechat_platform *p = find(w->platform, w->platforms, serial, now_us);
    return p || !w->keys ? p : find(w->keys->list, w->keys->count, serial, now_us);
}

/* The certificate that began last, of those that are valid now. */
static const struct wechat_platform *newer(const struct wechat_platform *best, const struct wechat_platform *list,
                                           unsigned count, int64_t now_us)
{
    for (unsigned i = 0; i < count; i++)
        if (is_valid(&list[i], now_us) && (!best || list[i].begins_us > best->begins_us))
            best = &list[i];
    return best;
}

bool wechat_keys_asked(const struct wechat *w, int64_t now_us, char ret_serial[WECHAT_SERIAL_BYTES + 1])
{
    bool public_first = w->platforms && !w->platform[0].cert;
    wechat_keys_lock(w);
    const struct wechat_platform *p = public_first ? &w->platform[0] : newer(NULL, w->platform, w->platforms, now_us);
    if (!public_first && w->keys)
        p = newer(p, w->keys->list, w->keys->count, now_us);
    (void)snprintf(ret_serial, WECHAT_SERIAL_BYTES + 1, "%s", p ? p->serial : "");
    wechat_keys_unlock(w);
    return p != NULL;
}

void wechat_keys_unknown(const struct wechat *w)
{
    if (!w->keys || !w->listed)
        return;
    (void)pthread_rwlock_wrlock(&w->keys->lock);
    w->keys->unknown = true;
    (void)pthread_rwlock_unlock(&w->keys->lock);
}

/* --- a list --- */

static bool read_certificate(struct slice pem, struct wechat_platform *p, char why[WALLET_WHY_BYTES])
{
    char own[CRYPTO_CERT_SERIAL_BYTES];
    enum keer_err err = crypto_cert_pem(&pem, &p->cert);
    if (err == KEER_OK)
        err = crypto_cert_key(p->cert, &p->key);
    if (err == KEER_OK)
        err = crypto_cert_begins(p->cert, &p->begins_us);
    if (err == KEER_OK)
        err = crypto_cert_serial(p->cert, own);
    if (err != KEER_OK || !crypto_key_fits(p->key, CRYPTO_RS256))
        return wechat_wrong(why, "%s is no certificate with an RSA key", p->serial);
    if (!slice_eqi(slice_str(own), slice_str(p->serial + strspn(p->serial, "0"))))
        return wechat_wrong(why, "%s is the certificate with the serial number %s", p->serial, own);
    return true;
}

static bool read_one(const struct wechat *w, const struct tape *t, uint32_t at, struct wechat_platform *p,
                     char why[WALLET_WHY_BYTES])
{
    struct buf plain;
    if (tape_type(t, at) != TAPE_OBJECT || !wechat_member(t, at, "serial_no", true, p->serial, sizeof p->serial) ||
        strspn(p->serial, "0123456789abcdefABCDEF") != strlen(p->serial))
        return wechat_wrong(why, "a certificate without serial_no");
    uint32_t sealed = tape_find(t, at, "encrypt_certificate");
    buf_init(&plain, WALLET_ANSWER_BYTES);
    bool ok = sealed != TAPE_NONE && tape_type(t, sealed) == TAPE_OBJECT && wechat_unseal(w, t, sealed, &plain);
    ok = ok ? read_certificate(buf_view(&plain), p, why)
            : wechat_wrong(why, "certificate %s can't be decrypted with the APIv3 key", p->serial);
    buf_release(&plain);
    return ok;
}

bool wechat_keys_read(const struct wechat *w, struct slice body, int64_t now_us,
                      struct wechat_platform ret_list[WECHAT_PLATFORM_MAX], unsigned *ret_count,
                      char ret_why[WALLET_WHY_BYTES])
{
    struct wechat_platform list[WECHAT_PLATFORM_MAX] = {{.key = NULL}};
    struct tape t = {0};
    struct tape_error error;
    unsigned count = 0;
    bool ok = tape_read(&t, body, &wechat_json, &error) == KEER_OK && tape_type(&t, 0) == TAPE_OBJECT;
    uint32_t data = ok ? tape_find(&t, 0, "data") : TAPE_NONE;
    ok =
        data != TAPE_NONE && tape_type(&t, data) == TAPE_ARRAY && t.v[data].len >= 1 && t.v[data].len <= WECHAT_PLATFORM_MAX;
    if (!ok)
        (void)wechat_wrong(ret_why, "{\"data\":[...]} with 1 to %d certificates is wanted", WECHAT_PLATFORM_MAX);
    for (uint32_t at = data + 1; ok && count < t.v[data].len; at = t.v[at].next) {
        struct wechat_platform *p = &list[count++]; /* counted before it is whole: what it has is released */
        ok = read_one(w, &t, at, p, ret_why);
        for (unsigned i = 0; ok && i + 1 < count; i++)
            if (slice_eqi(slice_str(list[i].serial), slice_str(p->serial)))
                ok = wechat_wrong(ret_why, "certificate %s is there twice", p->serial);
    }
    if (ok && !newer(NULL, list, count, now_us))
        ok = wechat_wrong(ret_why, "none of the wallet's certificates is valid now");
    tape_release(&t);
    if (!ok) {
        wechat_keys_release(list, count);
        return false;
    }
    memcpy(ret_list, list, sizeof list);
    *ret_count = count;
    return true;
}

static void take_list(const struct wechat *w, const struct wechat_platform *list, unsigned count, int64_t listed_us)
{
    struct wechat_keys *k = w->keys;
    struct wechat_platform old[WECHAT_PLATFORM_MAX];
    (void)pthread_rwlock_wrlock(&k->lock);
    unsigned old_count = k->count;
    memcpy(old, k->list, sizeof old);
    memcpy(k->list, list, sizeof k->list);
    k->count = count;
    k->listed_us = listed_us;
    (void)pthread_rwlock_unlock(&k->lock);
    wechat_keys_release(old, old_count);
}

/* --- the connector's --- */

bool wechat_keys_due(void *self, int64_t now_us)
{
    const struct wechat *w = self;
    char serial[WECHAT_SERIAL_BYTES + 1];
    if (!w->listed)
        return false;
    bool none = !wechat_keys_asked(w, now_us, serial);
    wechat_keys_lock(w);
    const struct wechat_keys *k = w->keys;
    /* A clock that was set back keeps nothing from its time. */
    bool wanted = none || k->unknown || now_us - k->listed_us >= w->every_us || now_us < k->listed_us;
    bool may = !k->tried_us || now_us - k->tried_us >= w->again_us || now_us < k->tried_us;
    wechat_keys_unlock(w);
    return wanted && may;
}

/* The signature of a list: by a key that we have; where none is valid, by the one of the list that it names. */
static enum wallet_verdict judge(struct wechat_call *c, const struct wechat_platform *list, unsigned count,
                                 char why[WALLET_WHY_BYTES])
{
    struct wechat_signed s;
    if (!c->unjudged)
        return WALLET_GENUINE; /* wechat_send has judged */
    if (!wechat_signed_of(buf_view(&c->response.head), &s)) {
        (void)wechat_wrong(why, "the answer is not signed, or not in one way");
        return WALLET_FORGED;
    }
    return wechat_verify_by(find(list, count, s.serial, c->io->now_us), &s, buf_view(&c->response.body), c->io->now_us, why);
}

static enum wallet_answer take_answer(struct wechat_call *c, struct buf *ret_kept)
{
    struct wechat_platform list[WECHAT_PLATFORM_MAX];
    char text[WALLET_WHY_BYTES], serial[WECHAT_SERIAL_BYTES + 1];
    unsigned count = 0;
    struct slice body = buf_view(&c->response.body);
    if (!wechat_keys_read(c->w, body, c->io->now_us, list, &count, text)) {
        wechat_why(c->why, WALLET_GARBLED_ANSWER, SLICE(""), "%s", text);
        return WALLET_UNKNOWN;
    }
    enum wallet_verdict v = judge(c, list, count, text);
    if (v == WALLET_GENUINE)
        buf_slice(ret_kept, body);
    if (v != WALLET_GENUINE || ret_kept->err != KEER_OK) {
        wechat_keys_release(list, count);
        wechat_why(c->why, v == WALLET_STALE ? WALLET_STALE_ANSWER : WALLET_BAD_SIGNATURE, SLICE(""), "%s",
                   v != WALLET_GENUINE ? text : keer_err_text(ret_kept->err));
        return WALLET_UNKNOWN;
    }
    take_list(c->w, list, count, c->io->now_us);
    (void)wechat_keys_asked(c->w, c->io->now_us, serial);
    wechat_why(c->why, WALLET_NO_REASON, SLICE(""), "%u, the newest is %s", count, serial);
    return WALLET_YES;
}

enum wallet_answer wechat_keys_fetch(void *self, struct wallet_io *io, struct buf *ret_kept, struct wallet_why *why)
{
    const struct wechat *w = self;
    struct wechat_call c;
    char serial[WECHAT_SERIAL_BYTES + 1];
    (void)pthread_rwlock_wrlock(&w->keys->lock);
    bool unknown = w->keys->unknown;
    w->keys->tried_us = io->now_us;
    w->keys->unknown = false;
    (void)pthread_rwlock_unlock(&w->keys->lock);
    wechat_begin(&c, self, io, why);
    c.unjudged = !wechat_keys_asked(w, io->now_us, serial);
    buf_puts(&c.path, "/v3/certificates");
    enum wallet_answer answer = WALLET_UNKNOWN;
    switch (wechat_send(&c, "GET")) {
    case WECHAT_ANSWERED: answer = take_answer(&c, ret_kept); break;
    case WECHAT_REFUSED: answer = WALLET_NO; break;
    case WECHAT_LOST: break;
    case WECHAT_NOT_SENT: answer = WALLET_NOT_SENT; break;
    }
    wechat_end(&c);
    if (answer != WALLET_YES && unknown) /* it is asked again for that */
        wechat_keys_unknown(w);
    return answer;
}

enum keer_err wechat_keys_load(void *self, struct slice kept, int64_t kept_us, int64_t now_us,
                               char ret_why[WALLET_WHY_BYTES])
{
    const struct wechat *w = self;
    struct wechat_platform list[WECHAT_PLATFORM_MAX];
    unsigned count = 0;
    if (!w->listed)
        return KEER_EUNSUPPORTED;
    if (!wechat_keys_read(w, kept, now_us, list, &count, ret_why))
        return KEER_EFORMAT;
    take_list(w, list, count, kept_us);
    return KEER_OK;
}
