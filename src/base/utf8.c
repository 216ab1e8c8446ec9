/* utf8.c - code points of UTF-8. */
#include "base/utf8.h"

enum keer_err utf8_next(struct slice *s, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s->p;
    unsigned n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > s->len)
        return KEER_EFORMAT;
    uint32_t point = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (unsigned i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return KEER_EFORMAT;
        point = point << 6 | (p[i] & 63u);
    }
    if (point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return KEER_EFORMAT;
    *s = slice_of(s->p + n, s->len - n);
    *ret_point = point;
    return KEER_OK;
}

enum keer_err utf8_points(struct slice s, size_t *ret_points)
{
    size_t count = 0;
    for (uint32_t point; s.len; count++)
        if (utf8_next(&s, &point) != KEER_OK)
            return KEER_EFORMAT;
    *ret_points = count;
    return KEER_OK;
}

static bool shown(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } not [] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},   {0x115F, 0x1160},   {0x180E, 0x180E},
                {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
                {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xFDD0, 0xFDEF}, {0xE000, 0xF8FF}, {0xE0000, 0x10FFFF}};
    for (size_t i = 0; i < ARRAY_LEN(not ); i++)
        if (c >= not [i].first && c <= not [i].last)
            return false;
    return true;
}

bool utf8_line(struct slice s)
{
    for (uint32_t point; s.len;)
        if (utf8_next(&s, &point) != KEER_OK || !shown(point))
            return false;
    return true;
}

struct slice utf8_cut(struct slice s, size_t max)
{
    size_t len = MIN_OF(s.len, max);
    while (len < s.len && len && ((unsigned char)s.p[len] & 0xC0) == 0x80)
        len--;
    return slice_of(s.p, len);
}
