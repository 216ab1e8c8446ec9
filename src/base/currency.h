/* currency.h - ISO 4217 codes and minor units. */
#ifndef BASE_CURRENCY_H
#define BASE_CURRENCY_H
#include "base/str.h"

enum currency {
#define CURRENCY(code, exponent) CUR_##code,
#include "base/currencies.def"
#undef CURRENCY
    CUR_MAX
};
/* CUR_MAX when there is no such code; case does not matter. */
enum currency currency_parse(struct slice s);
const char *currency_code(enum currency c);
unsigned currency_exponent(enum currency c); /* 0, 2 or 3 */
double currency_scale(enum currency c);      /* 10^exponent */
/* Minor units with all digits of the currency, as a bank prints them, without its code: 648.00, -0.05, 648. */
#define CURRENCY_TEXT_BYTES 32
const char *currency_print(int64_t minor, enum currency c, char ret_text[CURRENCY_TEXT_BYTES]);
#endif
