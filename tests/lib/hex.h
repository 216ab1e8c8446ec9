/* hex.h - bytes of a test that are written in hexadecimal. */
#ifndef TESTS_LIB_HEX_H
#define TESTS_LIB_HEX_H
#include "base/num.h"
#include "lib/test.h"

/* Fills `bytes`; the slice is borrowed from it. */
static inline struct slice hex_bytes(const char *hex, char *bytes, size_t cap)
{
    size_t n = strlen(hex) / 2;
    ck_assert(strlen(hex) % 2 == 0 && n <= cap);
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        ck_ok(num_hex(slice_of(hex + 2 * i, 2), &v));
        bytes[i] = (char)(unsigned char)v;
    }
    return slice_of(bytes, n);
}
#endif
