/* base64.c - base64 and base64url by arithmetic on the characters, without tables. */
#include "base/base64.h"

/* 1 when lo <= v <= hi, without a branch. */
static unsigned within(unsigned v, unsigned lo, unsigned hi) { return ((lo - 1 - v) & (v - hi - 1)) >> 31; }

/* The character of six bits. */
static char letter(unsigned v, bool url)
{
    unsigned c = within(v, 0, 25) * (v + 'A') + within(v, 26, 51) * (v - 26 + 'a') + within(v, 52, 61) * (v - 52 + '0');
    c += within(v, 62, 62) * (unsigned)(url ? '-' : '+') + within(v, 63, 63) * (unsigned)(url ? '_' : '/');
    return (char)c;
}

/* The six bits of a character, 64 for one that is not of the alphabet. */
static unsigned value(char ch, bool url)
{
    unsigned c = (unsigned char)ch, v = 0, known = 0, hit;
    hit = within(c, 'A', 'Z');
    known |= hit, v += hit * (c - 'A');
    hit = within(c, 'a', 'z');
    known |= hit, v += hit * (c - 'a' + 26);
    hit = within(c, '0', '9');
    known |= hit, v += hit * (c - '0' + 52);
    hit = within(c, (unsigned)(url ? '-' : '+'), (unsigned)(url ? '-' : '+'));
    known |= hit, v += hit * 62;
    hit = within(c, (unsigned)(url ? '_' : '/'), (unsigned)(url ? '_' : '/'));
    known |= hit, v += hit * 63;
    return v + (1 - known) * 64;
}

/* One to three bytes as two to four characters. */
static unsigned encode(const unsigned char *in, size_t len, bool url, char out[4])
{
    unsigned v = (unsigned)in[0] << 16 | (len > 1 ? (unsigned)in[1] << 8 : 0) | (len > 2 ? in[2] : 0);
    unsigned n = len > 2 ? 4 : (unsigned)len + 1;
    for (unsigned i = 0; i < n; i++)
        out[i] = letter(v >> (18 - 6 * i) & 63, url);
    return n;
}

static void put(struct buf *b, struct slice bytes, bool url)
{
    char *out = buf_reserve(b, url ? BASE64URL_LEN(bytes.len) : (bytes.len + 2) / 3 * 4);
    if (!out)
        return;
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        unsigned k = encode((const unsigned char *)bytes.p + i, MIN_OF(bytes.len - i, (size_t)3), url, out + n);
        n += k;
        for (; !url && k < 4; k++)
            out[n++] = '=';
    }
    b->len += n;
    b->p[b->len] = '\0';
}

void base64url_put(struct buf *b, struct slice bytes) { put(b, bytes, /* url */ true); }
void base64_put(struct buf *b, struct slice bytes) { put(b, bytes, /* url */ false); }

void base64url_text(const void *bytes, size_t len, char *ret_text)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3)
        n += encode((const unsigned char *)bytes + i, MIN_OF(len - i, (size_t)3), /* url */ true, ret_text + n);
    ret_text[n] = '\0';
}

/* Characters without padding, of a length that is not 1 mod 4, to bytes. */
static enum keer_err get(struct slice text, bool url, size_t cap, unsigned char *ret_bytes, size_t *ret_len)
{
    size_t len = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
    if (text.len % 4 == 1)
        return KEER_EFORMAT;
    if (len > cap)
        return KEER_ELIMIT;
    unsigned bad = 0, acc = 0, bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned v = value(text.p[i], url);
        bad |= v >> 6;
        acc = (acc << 6 | (v & 63)) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            ret_bytes[n++] = (unsigned char)(acc >> bits);
        }
    }
    ASSERT(n == len);
    if (bad || (acc & ((1u << bits) - 1)))
        return KEER_EFORMAT;
    *ret_len = len;
    return KEER_OK;
}

enum keer_err base64url_get(struct slice text, size_t cap, unsigned char *ret_bytes, size_t *ret_len)
{
    return get(text, /* url */ true, cap, ret_bytes, ret_len);
}

enum keer_err base64_get(struct slice text, size_t cap, unsigned char *ret_bytes, size_t *ret_len)
{
    if (text.len % 4 != 0)
        return KEER_EFORMAT;
    for (unsigned i = 0; i < 2 && text.len && text.p[text.len - 1] == '='; i++)
        text.len--;
    return get(text, /* url */ false, cap, ret_bytes, ret_len);
}

enum keer_err base64url_get_exact(struct slice text, size_t len, unsigned char *ret_bytes)
{
    size_t got;
    return text.len == BASE64URL_LEN(len) ? base64url_get(text, len, ret_bytes, &got) : KEER_EFORMAT;
}

enum keer_err base64url_append(struct buf *b, struct slice text)
{
    size_t room = text.len / 4 * 3 + text.len % 4 * 3 / 4, len = 0;
    char *out = buf_reserve(b, room);
    if (!out)
        return b->err;
    enum keer_err err = base64url_get(text, room, (unsigned char *)out, &len);
    if (err == KEER_OK)
        b->len += len;
    b->p[b->len] = '\0';
    return err;
}
