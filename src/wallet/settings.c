/* settings.c - a row of the file of wallets. */
#include "wallet/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/num.h"

#define PATH_BYTES 4096

static const char *const common[] = {
    "name", "kind", "url", "notify_url", "timeout_ms", "connect_timeout_ms", "breaker_failures", "breaker_ms"};

void settings_fail(struct wallet_settings *s, enum keer_err err, const char *fmt, ...)
{
    va_list ap;
    if (s->err != KEER_OK)
        return;
    s->err = err;
    va_start(ap, fmt);
    (void)vsnprintf(s->why, WALLET_WHY_BYTES, fmt, ap);
    va_end(ap);
}

enum keer_err settings_open(struct wallet_settings *s, struct slice json, const char *folder, char ret_why[WALLET_WHY_BYTES])
{
    static const struct tape_limits limits = {.bytes = SETTINGS_FILE_BYTES, .values = 1024, .depth = 8, .keys = 64};
    struct tape_error error;
    *s = (struct wallet_settings){.folder = folder, .why = ret_why, .err = KEER_OK};
    enum keer_err err = tape_read(&s->tape, json, &limits, &error);
    if (err != KEER_OK)
        settings_fail(s, err, "byte %zu: %s", error.at, error.text);
    else if (tape_type(&s->tape, 0) != TAPE_OBJECT)
        settings_fail(s, KEER_EFORMAT, "a wallet is an object");
    return s->err;
}

void settings_close(struct wallet_settings *s) { tape_release(&s->tape); }

void settings_only(struct wallet_settings *s, uint32_t at, const char *const *members, size_t count)
{
    if (s->err != KEER_OK)
        return;
    uint32_t v = at + 1;
    for (uint32_t n = 0; n < s->tape.v[at].len; n++, v = s->tape.v[v + 1].next) {
        struct slice key = tape_text(&s->tape, v);
        bool known = false;
        for (size_t i = 0; !known && i < count; i++)
            known = slice_eq(key, slice_str(members[i]));
        for (size_t i = 0; !known && at == 0 && i < ARRAY_LEN(common); i++)
            known = slice_eq(key, slice_str(common[i]));
        if (!known) {
            settings_fail(s, KEER_EINVALID, "\"%.*s\": there is no such member; see docs/guides/wallets-file.md",
                          (int)MIN_OF(key.len, 40u), key.p);
            return;
        }
    }
}

bool settings_has(struct wallet_settings *s, uint32_t at, const char *member)
{
    return s->err == KEER_OK && tape_find(&s->tape, at, member) != TAPE_NONE;
}

/* A member that must be there. */
static uint32_t wanted(struct wallet_settings *s, uint32_t at, const char *member)
{
    uint32_t v = s->err == KEER_OK ? tape_find(&s->tape, at, member) : TAPE_NONE;
    if (v == TAPE_NONE)
        settings_fail(s, KEER_EMISSING, "\"%s\" is missing", member);
    return v;
}

void settings_text(struct wallet_settings *s, uint32_t at, const char *member, bool optional, char *ret, size_t cap)
{
    ret[0] = '\0';
    if (optional && !settings_has(s, at, member))
        return;
    uint32_t v = wanted(s, at, member);
    if (v == TAPE_NONE)
        return;
    struct slice text = tape_text(&s->tape, v);
    if (tape_type(&s->tape, v) != TAPE_STRING || !text.len || text.len >= cap) {
        settings_fail(s, KEER_EINVALID, "\"%s\": a text of 1 to %zu bytes is wanted", member, cap - 1);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127) {
            settings_fail(s, KEER_EINVALID, "\"%s\": it holds control characters", member);
            return;
        }
    memcpy(ret, text.p, text.len);
    ret[text.len] = '\0';
}

int64_t settings_number(struct wallet_settings *s, uint32_t at, const char *member, int64_t min, int64_t max,
                        int64_t fallback)
{
    int64_t value = fallback;
    if (s->err != KEER_OK || (fallback >= min && !settings_has(s, at, member)))
        return fallback;
    uint32_t v = wanted(s, at, member);
    if (v != TAPE_NONE &&
        (tape_type(&s->tape, v) != TAPE_INTEGER || num_i64(tape_text(&s->tape, v), min, max, &value) != KEER_OK))
        settings_fail(s, KEER_ERANGE, "\"%s\": a whole number from %lld to %lld is wanted", member, (long long)min,
                      (long long)max);
    return value;
}

/* --- lists --- */

unsigned settings_items(struct wallet_settings *s, uint32_t at, const char *member, unsigned max)
{
    uint32_t v = wanted(s, at, member);
    if (v == TAPE_NONE)
        return 0;
    unsigned count = s->tape.v[v].len;
    bool good = tape_type(&s->tape, v) == TAPE_ARRAY && count && count <= max;
    uint32_t item = v + 1;
    for (unsigned i = 0; good && i < count; i++, item = s->tape.v[item].next)
        good = tape_type(&s->tape, item) == TAPE_OBJECT;
    if (!good)
        settings_fail(s, KEER_EINVALID, "\"%s\": a list of 1 to %u objects is wanted", member, max);
    return good ? count : 0;
}

static uint32_t element(struct wallet_settings *s, uint32_t list, unsigned i)
{
    uint32_t item = list + 1;
    while (i--)
        item = s->tape.v[item].next;
    return item;
}

uint32_t settings_item(struct wallet_settings *s, uint32_t at, const char *member, unsigned i)
{
    uint32_t v = wanted(s, at, member);
    return v == TAPE_NONE ? 0 : element(s, v, i);
}

unsigned settings_files(struct wallet_settings *s, uint32_t at, const char *member, unsigned max)
{
    uint32_t v = wanted(s, at, member);
    if (v == TAPE_NONE || tape_type(&s->tape, v) == TAPE_STRING)
        return v != TAPE_NONE;
    unsigned count = s->tape.v[v].len;
    if (tape_type(&s->tape, v) != TAPE_ARRAY || !count || count > max) {
        settings_fail(s, KEER_EINVALID, "\"%s\": the name of a file, or a list of 1 to %u names, is wanted", member, max);
        return 0;
    }
    return count;
}

/* --- files --- */

static void read_open_file(struct wallet_settings *s, int fd, const char *member, const char *path, bool secret,
                           struct buf *b)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        settings_fail(s, KEER_EIO, "%s%.120s is no file", member, path);
        return;
    }
    if (secret && (st.st_mode & 027)) {
        settings_fail(s, KEER_EINVALID, "%sothers may open %.120s, which holds a secret: chmod 600", member, path);
        return;
    }
    if (st.st_size < 1 || st.st_size > (off_t)SETTINGS_FILE_BYTES) {
        settings_fail(s, KEER_ELIMIT, "%s%.120s is empty, or larger than %u bytes", member, path, SETTINGS_FILE_BYTES);
        return;
    }
    size_t size = (size_t)st.st_size, got = 0;
    char *room = buf_reserve(b, size);
    if (!room) {
        settings_fail(s, b->err, "%s%s", member, keer_err_text(b->err));
        return;
    }
    while (got < size) {
        ssize_t n = read(fd, room + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    b->len += got;
    if (got != size)
        settings_fail(s, KEER_EIO, "%s%.120s can't be read", member, path);
}

/* `member` is what names the file; "" for the file of wallets itself. */
static void read_at(struct wallet_settings *s, const char *member, const char *path, bool secret, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (fd < 0) {
        char text[100] = "";
        settings_fail(s, KEER_EIO, "%s%.120s: %s", member, path, strerror_r(errno, text, sizeof text));
        return;
    }
    read_open_file(s, fd, member, path, secret, b);
    (void)close(fd);
}

enum keer_err settings_read_file(const char *path, struct buf *b, char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_settings s = {.why = ret_why, .err = KEER_OK};
    read_at(&s, "", path, /* secret */ false, b);
    return s.err;
}

static void read_path(struct wallet_settings *s, const char *member, struct slice name, bool secret, struct buf *b)
{
    char path[PATH_BYTES];
    bool absolute = name.len && name.p[0] == '/';
    int n = snprintf(path, sizeof path, "%s%s%.*s", absolute ? "" : s->folder, absolute ? "" : "/",
                     (int)MIN_OF(name.len, (size_t)PATH_BYTES), name.p);
    if (n < 0 || (size_t)n >= sizeof path) {
        settings_fail(s, KEER_ELIMIT, "\"%s\": the path is too long", member);
        return;
    }
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\": ", member);
    read_at(s, quoted, path, secret, b);
}

void settings_file(struct wallet_settings *s, uint32_t at, const char *member, unsigned i, bool secret, struct buf *b)
{
    uint32_t v = wanted(s, at, member);
    if (v == TAPE_NONE)
        return;
    if (tape_type(&s->tape, v) == TAPE_ARRAY)
        v = element(s, v, i);
    if (tape_type(&s->tape, v) != TAPE_STRING || !s->tape.v[v].len) {
        settings_fail(s, KEER_EINVALID, "\"%s\": the name of a file is wanted", member);
        return;
    }
    read_path(s, member, tape_text(&s->tape, v), secret, b);
}

/* --- keys --- */

/* The bytes of a text that is base64 with white space in it, and no PEM. */
static enum keer_err bare_base64(struct slice text, struct buf *der)
{
    struct buf packed;
    buf_init(&packed, SETTINGS_FILE_BYTES);
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_space(text.p[i]))
            buf_char(&packed, text.p[i]);
    unsigned char *room = (unsigned char *)buf_reserve(der, packed.len + 1);
    size_t len = 0;
    enum keer_err err = packed.err != KEER_OK ? packed.err : der->err;
    if (err == KEER_OK)
        err = base64_get(buf_view(&packed), packed.len, room, &len);
    if (err == KEER_OK)
        der->len += len;
    if (packed.p)
        crypto_wipe(packed.p, packed.len);
    buf_release(&packed);
    return err;
}

/* PKCS#1, as Alipay's tools give it to those who don't use Java, has a PEM of its own name only. */
static enum keer_err private_of_der(struct slice der, struct crypto_key **ret)
{
    struct buf pem;
    enum keer_err err = crypto_key_private_der(der, ret);
    if (err == KEER_OK || err == KEER_ENOMEM)
        return err;
    buf_init(&pem, SETTINGS_FILE_BYTES * 2);
    buf_puts(&pem, "-----BEGIN RSA PRIVATE KEY-----\n");
    for (size_t at = 0; at < der.len; at += 48) {
        base64_put(&pem, slice_of(der.p + at, MIN_OF(der.len - at, 48u)));
        buf_char(&pem, '\n');
    }
    buf_puts(&pem, "-----END RSA PRIVATE KEY-----\n");
    err = pem.err != KEER_OK ? pem.err : crypto_key_private_pem(buf_view(&pem), ret);
    if (pem.p)
        crypto_wipe(pem.p, pem.len);
    buf_release(&pem);
    return err;
}

static enum keer_err key_of(struct slice text, bool is_private, struct crypto_key **ret)
{
    struct buf der;
    if (slice_has(text, SLICE("-----BEGIN")))
        return is_private ? crypto_key_private_pem(text, ret) : crypto_key_pem(text, ret);
    buf_init(&der, SETTINGS_FILE_BYTES);
    enum keer_err err = bare_base64(text, &der);
    if (err == KEER_OK)
        err = is_private ? private_of_der(buf_view(&der), ret) : crypto_key_spki(buf_view(&der), ret);
    if (der.p)
        crypto_wipe(der.p, der.len);
    buf_release(&der);
    return err;
}

static struct crypto_key *read_key(struct wallet_settings *s, uint32_t at, const char *member, unsigned i, bool is_private)
{
    struct crypto_key *key = NULL;
    struct buf b;
    buf_init(&b, SETTINGS_FILE_BYTES);
    settings_file(s, at, member, i, is_private, &b);
    enum keer_err err = s->err == KEER_OK ? key_of(buf_view(&b), is_private, &key) : KEER_OK;
    if (err == KEER_OK && key && crypto_key_kind(key) != CRYPTO_RSA)
        err = KEER_EUNSUPPORTED;
    if (err != KEER_OK)
        settings_fail(s, err, "\"%s\": %s RSA key of 2048 bits or more is wanted, as PEM or base64", member,
                      is_private ? "a private" : "a public");
    if (err != KEER_OK) {
        crypto_key_free(key);
        key = NULL;
    }
    if (b.p)
        crypto_wipe(b.p, b.len);
    buf_release(&b);
    return key;
}

struct crypto_key *settings_private_key(struct wallet_settings *s, uint32_t at, const char *member)
{
    return read_key(s, at, member, 0, true);
}

struct crypto_key *settings_public_key(struct wallet_settings *s, uint32_t at, const char *member, unsigned i)
{
    return read_key(s, at, member, i, false);
}

unsigned settings_certificates(struct wallet_settings *s, uint32_t at, const char *member, unsigned i, unsigned max,
                               struct crypto_cert **ret)
{
    struct buf b;
    unsigned count = 0;
    enum keer_err err = KEER_OK;
    buf_init(&b, SETTINGS_FILE_BYTES);
    settings_file(s, at, member, i, /* secret */ false, &b);
    struct slice rest = buf_view(&b);
    while (s->err == KEER_OK && err == KEER_OK && count < max) {
        err = crypto_cert_pem(&rest, &ret[count]);
        count += err == KEER_OK;
    }
    if (s->err == KEER_OK && (!count || (err != KEER_OK && err != KEER_EMISSING)))
        settings_fail(s, err == KEER_ENOMEM ? err : KEER_EFORMAT, "\"%s\": a file with certificates as PEM is wanted",
                      member);
    while (s->err != KEER_OK && count)
        crypto_cert_free(ret[--count]);
    buf_release(&b);
    return count;
}
