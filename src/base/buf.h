/* buf.h - a growing byte buffer with a maximum.
 *
 * Invariant: p[len] is '\0' once anything was written. Errors stick: after a failed put every further
 * put is a no-op and `err` tells why, so that a writer checks once, at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stdarg.h>

#include "base/str.h"

struct buf {
    char *p;
    size_t len, cap, max;
    enum keer_err err;
};

/* `max` bounds the content in bytes; going over it is KEER_ELIMIT. */
void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);                                /* frees the content; the buffer may be used again */
void buf_clear(struct buf *b);                                  /* keeps the memory and forgets the error */
void buf_put_more(struct buf *b, const void *data, size_t len); /* buf_put's, when it has no room yet */
static inline void buf_put(struct buf *b, const void *data, size_t len)
{
    if (UNLIKELY(b->err != KEER_OK || len >= b->cap - b->len || b->len + len > b->max)) {
        buf_put_more(b, data, len);
        return;
    }
    if (len)
        memcpy(b->p + b->len, data, len);
    b->len += len;
    b->p[b->len] = '\0';
}
static inline void buf_puts(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }
static inline void buf_slice(struct buf *b, struct slice s) { buf_put(b, s.p, s.len); }
static inline void buf_char(struct buf *b, char c) { buf_put(b, &c, 1); }
void buf_fmt(struct buf *b, const char *fmt, ...) KEER_PRINTF(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) KEER_PRINTF(2, 0);
void buf_u64(struct buf *b, uint64_t v); /* decimal, without printf */
void buf_i64(struct buf *b, int64_t v);
/* Shortest decimal that reads back as the same double; 'null' for NaN and infinities. */
void buf_f64(struct buf *b, double v);
void buf_json(struct buf *b, struct slice s); /* quoted and escaped after RFC 8259 section 7; invalid UTF-8 becomes U+FFFD */
void buf_csv(struct buf *b, struct slice s);  /* RFC 4180 quoting where needed */
void buf_html(struct buf *b, struct slice s); /* & < > " ' escaped */
/* Room for `len` more bytes at the end; NULL on failure. The caller writes and then adds to `len`. */
char *buf_reserve(struct buf *b, size_t len);
static inline struct slice buf_view(const struct buf *b) { return slice_of(b->p, b->len); }
#endif
