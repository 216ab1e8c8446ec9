/* buf.c - a growing byte buffer with a maximum and a sticky error. */
#include "base/buf.h"

#include <math.h>

#include "base/plain.h"

void buf_init(struct buf *b, size_t max) { *b = (struct buf){.max = max}; }

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->err = KEER_OK;
    if (b->p)
        b->p[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->err != KEER_OK)
        return NULL;
    if (len > b->max - b->len || b->len > b->max) {
        b->err = KEER_ELIMIT;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 128;
        while (cap < need)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->err = KEER_ENOMEM;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->len;
}

void buf_put_more(struct buf *b, const void *data, size_t len)
{
    char *at = buf_reserve(b, len);
    if (!at)
        return;
    if (len)
        memcpy(at, data, len);
    b->len += len;
    b->p[b->len] = '\0';
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *at = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (at) {
        (void)vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else if (n < 0 && b->err == KEER_OK) {
        b->err = KEER_EINVALID;
    }
    va_end(again);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(b, fmt, ap);
    va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[sizeof digits - ++n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, digits + sizeof digits - n, n);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_char(b, '-');
    buf_u64(b, v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v);
}

/* Amounts, shares and rounded scores: numbers of at most nine decimals and fifteen digits, whose decimal text reads back as
 * the same double because the division below rounds once, as reading does. */
static bool put_decimal(struct buf *b, double v)
{
    double scale = 1, a = fabs(v);
    for (unsigned decimals = 1; decimals <= 9; decimals++) {
        scale *= 10;
        double scaled = rint(a * scale);
        if (scaled >= 1e15)
            return false;
        if (scaled / scale != a)
            continue;
        uint64_t digits = (uint64_t)scaled, unit = (uint64_t)scale;
        char text[9];
        for (unsigned i = decimals, rest = (unsigned)(digits % unit); i > 0; i--, rest /= 10)
            text[i - 1] = (char)('0' + rest % 10);
        if (v < 0)
            buf_char(b, '-');
        buf_u64(b, digits / unit);
        buf_char(b, '.');
        buf_put(b, text, decimals);
        return true;
    }
    return false;
}

void buf_f64(struct buf *b, double v)
{
    if (!isfinite(v)) {
        buf_puts(b, "null");
        return;
    }
    if (v == floor(v) && fabs(v) < 1e15) {
        buf_i64(b, (int64_t)v);
        return;
    }
    if (put_decimal(b, v))
        return;
    char text[32];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_put(b, text, (size_t)n);
}

/* Length of the valid UTF-8 sequence at s[i], 0 if there is none (RFC 3629 section 4). */
static size_t utf8_len(struct slice s, size_t i)
{
    const unsigned char *p = (const unsigned char *)s.p + i;
    size_t left = s.len - i;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
            return 0;
        if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

/* One character that does not stand as it is, or a sequence of UTF-8; the bytes that it took. */
static size_t put_special(struct buf *b, struct slice s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    size_t n = utf8_len(s, i);
    if (n == 0)
        buf_puts(b, "\xEF\xBF\xBD");
    else if (n > 1)
        buf_put(b, s.p + i, n);
    else if (c == '"' || c == '\\')
        buf_fmt(b, "\\%c", c);
    else if (c == '\n')
        buf_puts(b, "\\n");
    else
        buf_fmt(b, "\\u%04x", c);
    return MAX_OF(n, (size_t)1);
}

void buf_json(struct buf *b, struct slice s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.len;) { /* an empty slice may be NULL */
        size_t run = (size_t)(skip_plain(s.p + i, s.p + s.len) - (s.p + i));
        buf_put(b, s.p + i, run);
        i += run;
        if (i < s.len)
            i += put_special(b, s, i);
    }
    buf_char(b, '"');
}

void buf_csv(struct buf *b, struct slice s)
{
    bool quote = false;
    for (size_t i = 0; i < s.len && !quote; i++)
        quote = s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
    if (!quote) {
        buf_slice(b, s);
        return;
    }
    buf_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"')
            buf_char(b, '"');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

void buf_html(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.p[i]) {
        case '&': buf_puts(b, "&amp;"); break;
        case '<': buf_puts(b, "&lt;"); break;
        case '>': buf_puts(b, "&gt;"); break;
        case '"': buf_puts(b, "&quot;"); break;
        case '\'': buf_puts(b, "&#39;"); break;
        default: buf_char(b, s.p[i]);
        }
    }
}
