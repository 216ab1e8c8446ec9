/* report_fmt.h - figures and names as a report card shows them: plain ASCII but for 'µs' and what names bring, no locale.
 *
 * A cell is a small text by value: `buf_fmt(b, "%12s", cell_count(n).s)`. What is not known is "n/a".
 */
#ifndef LEARN_REPORT_FMT_H
#define LEARN_REPORT_FMT_H
#include "base/currency.h"
#include "base/timefmt.h"

struct cell {
    char s[48];
};
struct cell cell_count(uint64_t v);                      /* 1,234,567 */
struct cell cell_fixed(double v, unsigned decimals);     /* -1,234.50; decimals 0..6 */
struct cell cell_percent(double share);                  /* 0.0712 -> 7.12 %; 3 decimals below 0.1 %, 2 below 10 %, else 1 */
struct cell cell_percent1(double share);                 /* 0.0712 -> 7.1 %, always one decimal: for columns */
struct cell cell_level(double share);                    /* 0.001 -> 0.1 %, no more digits than needed: for round shares */
struct cell cell_amount(double v, enum currency c);      /* 1,234.50, with the decimals of the currency */
struct cell cell_money(double v, enum currency c);       /* EUR 1,234.50 */
struct cell cell_money_short(double v, enum currency c); /* EUR 1,235: no decimals from 1,000 on */
struct cell cell_short(double v);                        /* 950, 1.2k, 34k, 1.5M: for axes */
struct cell cell_duration(double us);                    /* 250 ms, 42 s, 4 min 12 s, 3 h 5 min, 2 d 4 h */
struct cell cell_latency(double ns);                     /* 850 ns, 2.1 µs, 14 ms */
struct cell cell_date(int64_t us);                       /* 2018-09-24 */
struct cell cell_day(int64_t us, bool with_year);        /* 24 Sep, Sep 2018 */

/* A name that comes from data: invalid UTF-8, control and direction-changing characters become '?', at most `max`
 * characters, the last one "~" when it was cut. max <= 200. */
struct name {
    char s[808];
    unsigned width; /* characters */
};
struct name name_clean(struct slice s, unsigned max);
/* Appends the name and spaces up to `width` characters. */
void name_pad(struct buf *b, const struct name *n, unsigned width);
#endif
