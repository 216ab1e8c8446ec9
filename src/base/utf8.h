/* utf8.h - code points of UTF-8 (RFC 3629), strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H
#include "base/str.h"

/* Takes the first code point off *s, which is not empty. KEER_EFORMAT. */
KEER_NODISCARD enum keer_err utf8_next(struct slice *s, uint32_t *ret_point);
/* How many there are. KEER_EFORMAT. */
KEER_NODISCARD enum keer_err utf8_points(struct slice s, size_t *ret_points);
/* Whether a text is fit to be shown in one line. It is not with controls (C0, DEL, C1), line and paragraph separators, marks
 * that turn the direction of what follows or are not seen at all (Unicode TR 36 section 2.5.2), and what is no UTF-8. */
bool utf8_line(struct slice s);
/* As much of valid UTF-8 as fits into `max` bytes: whole code points. */
struct slice utf8_cut(struct slice s, size_t max);
#endif
