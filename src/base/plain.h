/* plain.h - runs of text that stand in JSON as they are: ASCII without control characters, quotes and backslashes. */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H
#include <stdint.h>
#include <string.h>

#include "base/base.h"

#define PLAIN_BYTES(c) (0x0101010101010101u * (unsigned char)(c))

static inline uint64_t load8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static inline bool plain(char c) { return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\'; }

/* The first byte that is not plain; eight at a time. A byte's high bit is set where it is one of those; a borrow can set it
 * wrongly only behind the first that is (words are little-endian, as hash.c asserts). */
static inline const char *skip_plain(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t w = load8(p);
        uint64_t hit = w | (w - PLAIN_BYTES(0x20)) | ((w ^ PLAIN_BYTES('"')) - PLAIN_BYTES(1)) |
                       ((w ^ PLAIN_BYTES('\\')) - PLAIN_BYTES(1));
        hit &= PLAIN_BYTES(0x80);
        if (hit)
            return p + (unsigned)__builtin_ctzll(hit) / 8;
    }
    while (p < end && plain(*p))
        p++;
    return p;
}
#endif
