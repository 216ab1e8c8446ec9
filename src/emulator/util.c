/* util.c - the small things of a judge: signatures, escapes, times, members of JSON, nonces. */
#include "base/base64.h"
#include "base/crypto.h"
#include "base/num.h"
#include "emulator/inside.h"

void em_sign(const struct crypto_key *key, struct slice text, bool bad, struct buf *b)
{
    struct crypto_signature s;
    if (crypto_key_sign(key, CRYPTO_RS256, CRYPTO_RAW, text, &s) != KEER_OK) {
        b->err = KEER_ENOMEM;
        return;
    }
    if (bad)
        s.bytes[s.len / 2] ^= 1;
    base64_put(b, slice_of((const char *)s.bytes, s.len));
}

void em_lines(const struct slice *lines, size_t count, struct buf *b)
{
    for (size_t i = 0; i < count; i++) {
        buf_slice(b, lines[i]);
        buf_char(b, '\n');
    }
}

bool em_verify(const struct crypto_key *key, struct slice text, struct slice base64)
{
    unsigned char bytes[CRYPTO_SIGNATURE_BYTES];
    size_t len;
    return base64_get(base64, sizeof bytes, bytes, &len) == KEER_OK &&
           crypto_key_verify(key, CRYPTO_RS256, CRYPTO_RAW, text, slice_of((const char *)bytes, len));
}

/* `room` must not move: whoever gives it has reserved enough. */
bool em_urldecode(struct slice s, bool plus, struct buf *room, struct slice *ret)
{
    size_t from = room->len;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t byte = plus && s.p[i] == '+' ? ' ' : (unsigned char)s.p[i];
        if (s.p[i] == '%') {
            if (s.len - i < 3 || num_hex(slice_of(s.p + i + 1, 2), &byte) != KEER_OK || !byte)
                return false;
            i += 2;
        }
        buf_char(room, (char)byte);
    }
    *ret = slice_of(room->p + from, room->len - from);
    return room->err == KEER_OK;
}

void em_urlencode(struct slice s, struct buf *b)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || strchr("-_.~", c))
            buf_char(b, c);
        else
            buf_fmt(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void em_json(struct buf *b, struct slice s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\' || c == '/')
            buf_fmt(b, "\\%c", c);
        else if (c < ' ')
            buf_fmt(b, "\\u%04x", (unsigned)c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

void em_yuan(struct buf *b, int64_t minor) { buf_fmt(b, "%lld.%02lld", (long long)(minor / 100), (long long)(minor % 100)); }

void em_hex(const void *bytes, size_t len, char *ret_text)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", (unsigned)p[i]);
}

void em_time_cn(struct buf *b, int64_t us, bool iso)
{
    struct civil c = time_civil(us + 8 * US_HOUR);
    buf_fmt(b, "%04d-%02d-%02d%c%02d:%02d:%02d%s", c.year, c.month, c.day, iso ? 'T' : ' ', c.hour, c.minute, c.second,
            iso ? "+08:00" : "");
}

struct slice em_text(const struct tape *t, const char *path)
{
    struct slice rest = slice_str(path), none = {NULL, 0};
    uint32_t at = 0;
    if (!t->count)
        return none;
    while (rest.p) {
        at = tape_member(t, at, slice_cut(&rest, '.'));
        if (at == TAPE_NONE)
            return none;
    }
    enum tape_type type = tape_type(t, at);
    return type == TAPE_STRING || type == TAPE_INTEGER || type == TAPE_REAL ? tape_text(t, at) : none;
}

bool em_copy(char *to, size_t room, struct slice s)
{
    if (!s.len || s.len >= room)
        return false;
    memcpy(to, s.p, s.len);
    to[s.len] = '\0';
    return true;
}

bool em_number(struct slice s)
{
    bool good = s.len > 0 && s.len <= EM_NUMBER_BYTES;
    for (size_t i = 0; good && i < s.len; i++) {
        char c = ascii_lower(s.p[i]);
        good = ascii_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '*' || c == '|';
    }
    return good;
}

struct hash128 em_data(const struct slice *parts, size_t count)
{
    struct hash_key key = {0x64617461u, 1};
    struct hash128 h = {0, 0};
    for (size_t i = 0; i < count; i++)
        h = hash_join(h, hash_bytes(key, parts[i].p, parts[i].len));
    return h;
}

/* --- nonces: two generations of a table, each of which lives as long as a time stamp is taken --- */

#define NONCE_US (600 * US_SECOND)
#define NONCES_MAX ((size_t)1 << 21)

struct nonces {
    pthread_mutex_t lock;
    struct hash128 *table[2];
    size_t count, cap; /* of the younger */
    size_t old_cap;
    int64_t since_us;
};

enum keer_err nonces_new(struct nonces **ret)
{
    struct nonces *n = calloc(1, sizeof *n);
    if (!n)
        return KEER_ENOMEM;
    pthread_mutex_init(&n->lock, NULL);
    *ret = n;
    return KEER_OK;
}

void nonces_free(struct nonces *n)
{
    if (!n)
        return;
    free(n->table[0]);
    free(n->table[1]);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

static size_t nonce_place(const struct hash128 *table, size_t cap, struct hash128 h)
{
    size_t at = h.lo & (cap - 1);
    while ((table[at].lo || table[at].hi) && (table[at].lo != h.lo || table[at].hi != h.hi))
        at = (at + 1) & (cap - 1);
    return at;
}

static bool nonce_room(struct nonces *n)
{
    if ((n->count + 1) * 2 <= n->cap)
        return true;
    size_t cap = MAX_OF(n->cap * 2, (size_t)4096);
    struct hash128 *wider = cap <= NONCES_MAX ? calloc(cap, sizeof *wider) : NULL;
    if (!wider)
        return false;
    for (size_t i = 0; i < n->cap; i++)
        if (n->table[0][i].lo || n->table[0][i].hi)
            wider[nonce_place(wider, cap, n->table[0][i])] = n->table[0][i];
    free(n->table[0]);
    n->table[0] = wider;
    n->cap = cap;
    return true;
}

bool em_nonce_new(struct emulator *e, enum em_wallet wallet, struct slice nonce, int64_t now_us)
{
    struct nonces *n = e->nonces;
    struct hash_key key = {0x6e6f6e63u, (uint64_t)wallet + 1};
    struct hash128 h = hash_bytes(key, nonce.p, nonce.len);
    bool fresh = true;
    pthread_mutex_lock(&n->lock);
    if (now_us - n->since_us > NONCE_US) {
        free(n->table[1]);
        n->table[1] = n->table[0];
        n->old_cap = n->cap;
        n->table[0] = NULL;
        n->count = n->cap = 0;
        n->since_us = now_us;
    }
    if (n->table[1]) {
        const struct hash128 *old = &n->table[1][nonce_place(n->table[1], n->old_cap, h)];
        fresh = !old->lo && !old->hi;
    }
    fresh = fresh && nonce_room(n);
    if (fresh) {
        struct hash128 *at = &n->table[0][nonce_place(n->table[0], n->cap, h)];
        fresh = !at->lo && !at->hi;
        n->count += fresh;
        *at = h;
    }
    pthread_mutex_unlock(&n->lock);
    return fresh;
}
