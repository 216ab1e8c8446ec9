/* num.c - numbers from text, with bounds. */
#include "base/num.h"

#include <errno.h>
#include <math.h>

enum keer_err num_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret_v)
{
    uint64_t v = 0;
    if (s.len == 0)
        return KEER_ESYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_digit(s.p[i]))
            return KEER_ESYNTAX;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return KEER_ERANGE;
    }
    if (v < min || v > max)
        return KEER_ERANGE;
    *ret_v = v;
    return KEER_OK;
}

enum keer_err num_i64(struct slice s, int64_t min, int64_t max, int64_t *ret_v)
{
    bool negative = s.len && s.p[0] == '-';
    if (negative) {
        s.p++;
        s.len--;
    }
    uint64_t u = 0;
    enum keer_err err = num_u64(s, 0, (uint64_t)INT64_MAX + (negative ? 1 : 0), &u);
    if (err != KEER_OK)
        return err;
    int64_t v = negative ? (int64_t)((uint64_t)0 - u) : (int64_t)u;
    if (v < min || v > max)
        return KEER_ERANGE;
    *ret_v = v;
    return KEER_OK;
}

/* A decimal number taken apart: sign, digits as an integer (at most 19 kept), power of ten. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    bool negative, truncated;
};

static enum keer_err decimal_parse(struct slice s, struct decimal *ret_d)
{
    struct decimal d = {0};
    size_t i = 0, digits = 0;
    int kept = 0;
    if (i < s.len && (s.p[i] == '-' || s.p[i] == '+'))
        d.negative = s.p[i++] == '-';
    bool point = false;
    for (; i < s.len; i++) {
        if (s.p[i] == '.' && !point) {
            point = true;
            if (digits == 0)
                return KEER_ESYNTAX;
            continue;
        }
        if (!ascii_digit(s.p[i]))
            break;
        digits++;
        if (kept < 18) {
            d.mantissa = d.mantissa * 10 + (uint64_t)(s.p[i] - '0');
            kept += d.mantissa != 0;
            d.exponent -= point;
        } else {
            d.truncated |= s.p[i] != '0';
            d.exponent += !point;
        }
    }
    if (digits == 0 || s.p[i - 1] == '.')
        return KEER_ESYNTAX;
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        struct slice e = slice_of(s.p + i + 1, s.len - i - 1);
        if (e.len && e.p[0] == '+') {
            e.p++;
            e.len--;
            if (e.len == 0 || !ascii_digit(e.p[0]))
                return KEER_ESYNTAX;
        }
        int64_t v = 0;
        enum keer_err err = num_i64(e, -9999, 9999, &v);
        if (err != KEER_OK)
            return err;
        d.exponent += (int)v;
        i = s.len;
    }
    if (i != s.len)
        return KEER_ESYNTAX;
    *ret_d = d;
    return KEER_OK;
}

enum keer_err num_f64(struct slice s, double *ret_v)
{
    static const double pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    enum keer_err err = decimal_parse(s, &d);
    if (err != KEER_OK)
        return err;
    /* Clinger's fast path: both factors are exact doubles, so that one operation rounds once. */
    if (!d.truncated && d.mantissa < (uint64_t)NUM_EXACT_MAX && d.exponent >= -22 && d.exponent <= 22) {
        double v = (double)d.mantissa;
        v = d.exponent < 0 ? v / pow10[-d.exponent] : v * pow10[d.exponent];
        *ret_v = d.negative ? -v : v;
        return KEER_OK;
    }
    char text[512];
    if (s.len >= sizeof text)
        return KEER_ERANGE;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    errno = 0;
    double v = strtod(text, NULL);
    if (!isfinite(v))
        return KEER_ERANGE;
    *ret_v = v;
    return KEER_OK;
}

enum keer_err num_scaled(struct slice s, unsigned exponent, int64_t *ret_v)
{
    struct decimal d;
    enum keer_err err = decimal_parse(s, &d);
    if (err != KEER_OK)
        return err;
    if (d.truncated)
        return KEER_ERANGE;
    int shift = d.exponent + (int)exponent;
    uint64_t v = d.mantissa;
    while (shift < 0 && v) {
        if (v % 10)
            return KEER_ERANGE;
        v /= 10;
        shift++;
    }
    while (shift > 0 && v) {
        if (__builtin_mul_overflow(v, 10, &v))
            return KEER_ERANGE;
        shift--;
    }
    if (v >= (uint64_t)NUM_EXACT_MAX)
        return KEER_ERANGE;
    *ret_v = d.negative ? -(int64_t)v : (int64_t)v;
    return KEER_OK;
}

enum keer_err num_hex(struct slice s, uint64_t *ret_v)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 16)
        return KEER_ESYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        char c = ascii_lower(s.p[i]);
        if (!ascii_digit(c) && (c < 'a' || c > 'f'))
            return KEER_ESYNTAX;
        v = v << 4 | (uint64_t)(ascii_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *ret_v = v;
    return KEER_OK;
}
