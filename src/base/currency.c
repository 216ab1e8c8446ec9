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
    for (unsigned c = 0; c < CUR_MAX; c++)
        if (slice_eqi(s, slice_of(rows[c].code, 3)))
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
