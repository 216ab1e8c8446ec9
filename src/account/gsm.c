/* gsm.c - how long a text message is on the air. */
#include "account/gsm.h"

#include "base/utf8.h"

/* Beside ASCII, of which all but these and the controls are in the alphabet (TS 23.038 section 6.2.1). */
static const char missing[] = "`";
static const char twice[] = "^{}\\[~]|\f"; /* of the extension table, and U+20AC */
static const uint16_t beyond[] = {0xA1, 0xA3, 0xA4, 0xA5,  0xA7,  0xBF,  0xC4,  0xC5,  0xC6,  0xC7,  0xC9,  0xD1,  0xD6,
                                  0xD8, 0xDC, 0xDF, 0xE0,  0xE4,  0xE5,  0xE6,  0xE8,  0xE9,  0xEC,  0xF1,  0xF2,  0xF6,
                                  0xF8, 0xF9, 0xFC, 0x393, 0x394, 0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9};

/* Septets of a code point; 0: it is not in the alphabet. */
static unsigned septets(uint32_t c)
{
    if (c == 0x20AC || (c && c < 0x80 && strchr(twice, (int)c)))
        return 2;
    if (c < 0x80)
        return c == '\n' || c == '\r' || (c >= ' ' && c < 0x7F && !strchr(missing, (int)c));
    for (size_t i = 0; i < ARRAY_LEN(beyond); i++)
        if (beyond[i] == c)
            return 1;
    return 0;
}

struct gsm_length gsm_length(struct slice text)
{
    struct gsm_length l = {.parts = 1};
    unsigned gsm = 0, wide = 0;
    uint32_t c;
    while (text.len && utf8_next(&text, &c) == KEER_OK) {
        unsigned n = septets(c);
        l.ucs2 = l.ucs2 || !n;
        gsm += n;
        wide += c < 0x10000 ? 1 : 2;
    }
    l.units = l.ucs2 ? wide : gsm;
    unsigned one = l.ucs2 ? 70 : 160, each = l.ucs2 ? 67 : 153;
    if (l.units > one)
        l.parts = (l.units + each - 1) / each;
    return l;
}
