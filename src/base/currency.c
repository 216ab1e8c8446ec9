/* currency.c - ISO 4217 codes and minor units. */
#include "base/currency.h"

static const struct {
    char code[4];
    unsigned exponent;
} rows[] = {
#define CURRENCY(code, exponent) [CUR_##code] = {#code, exponent},
#include "base/currencies.def"
#undef CURRENCY
};
static_assert(ARRAY_LEN(rows) == CUR_MAX, "one row for each currency");

enum currency currency_parse(struct slice s)
{
    if (s.len != 3)
        return CUR_MAX;
    char upper[3];
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i];
    for (unsigned c = 0; c < CUR_MAX; c++)
        if (memcmp(upper, rows[c].code, sizeof upper) == 0)
            return (enum currency)c;
    return CUR_MAX;
}

const char *currency_code(enum currency c)
{
    ASSERT((unsigned)c < CUR_MAX);
    return rows[c].code;
}

unsigned currency_exponent(enum currency c)
{
    ASSERT((unsigned)c < CUR_MAX);
    return rows[c].exponent;
}

double currency_scale(enum currency c)
{
    static const double scale[] = {1, 10, 100, 1000};
    return scale[currency_exponent(c)];
}

const char *currency_print(int64_t minor, enum currency c, char ret_text[CURRENCY_TEXT_BYTES])
{
    static const uint64_t scale[] = {1, 10, 100, 1000};
    unsigned digits = currency_exponent(c);
    uint64_t v = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    int n = snprintf(ret_text, CURRENCY_TEXT_BYTES, "%s%llu", minor < 0 ? "-" : "", (unsigned long long)(v / scale[digits]));
    if (digits)
        (void)snprintf(ret_text + n, CURRENCY_TEXT_BYTES - (size_t)n, ".%0*llu", (int)digits,
                       (unsigned long long)(v % scale[digits]));
    return ret_text;
}
