/* report_fmt.c - figures and names as a report card shows them. */
#include "learn/report_fmt.h"

#include <math.h>

static const struct cell unknown = {"n/a"};

/* Puts a comma before each group of three digits of the whole part. */
static struct cell group(const char *text)
{
    struct cell c = {""};
    size_t n = 0, sign = text[0] == '-', whole = sign;
    while (ascii_digit(text[whole]))
        whole++;
    for (size_t i = 0; text[i] && n + 2 < sizeof c.s; i++) {
        if (i > sign && i < whole && (whole - i) % 3 == 0)
            c.s[n++] = ',';
        c.s[n++] = text[i];
    }
    c.s[n] = '\0';
    return c;
}

struct cell cell_count(uint64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return group(text);
}

struct cell cell_fixed(double v, unsigned decimals)
{
    struct cell c = {""};
    char text[40];
    if (!isfinite(v))
        return unknown;
    if (fabs(v) >= 1e15) {
        (void)snprintf(c.s, sizeof c.s, "%.4g", v);
        return c;
    }
    if (fabs(v) < 0.5 * pow(10, -(double)decimals))
        v = 0; /* no "-0.00" */
    (void)snprintf(text, sizeof text, "%.*f", (int)MIN_OF(decimals, 6u), v);
    return group(text);
}

static struct cell with_unit(struct cell number, const char *before, const char *after)
{
    struct cell c;
    (void)snprintf(c.s, sizeof c.s, "%s%.36s%s", before, number.s, after);
    return c;
}

struct cell cell_percent(double share)
{
    double p = share * 100;
    if (!isfinite(p))
        return unknown;
    bool whole = p <= 0 || fabs(p - 100) < 1e-9;
    return with_unit(cell_fixed(p, whole ? 0 : p < 0.1 ? 3 : p < 10 ? 2 : 1), "", " %");
}

struct cell cell_percent1(double share)
{
    return isfinite(share) ? with_unit(cell_fixed(share * 100, 1), "", " %") : unknown;
}

struct cell cell_level(double share)
{
    struct cell c;
    if (!isfinite(share))
        return unknown;
    (void)snprintf(c.s, sizeof c.s, "%.4g %%", share * 100);
    return c;
}

struct cell cell_amount(double v, enum currency c) { return cell_fixed(v, currency_exponent(c)); }

static struct cell money(double v, enum currency c, unsigned decimals)
{
    char before[8];
    if (!isfinite(v))
        return unknown;
    (void)snprintf(before, sizeof before, "%.3s ", currency_code(c));
    return with_unit(cell_fixed(v, decimals), before, "");
}

struct cell cell_money(double v, enum currency c) { return money(v, c, currency_exponent(c)); }
struct cell cell_money_short(double v, enum currency c) { return money(v, c, fabs(v) >= 1000 ? 0 : currency_exponent(c)); }

struct cell cell_short(double v)
{
    struct cell c;
    static const struct {
        double unit;
        const char *suffix;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (fabs(v) >= units[i].unit) {
            (void)snprintf(c.s, sizeof c.s, "%.4g%s", v / units[i].unit, units[i].suffix);
            return c;
        }
    (void)snprintf(c.s, sizeof c.s, "%.4g", fabs(v) < 1e-12 ? 0.0 : v);
    return c;
}

struct cell cell_duration(double us)
{
    static const struct {
        double us;
        const char *unit;
    } units[] = {{86400e6, "d"}, {3600e6, "h"}, {60e6, "min"}, {1e6, "s"}};
    struct cell c;
    if (!isfinite(us))
        return unknown;
    if (us < 1e6 && us > 0) {
        (void)snprintf(c.s, sizeof c.s, us < 1e3 ? "%.0f µs" : "%.0f ms", us < 1e3 ? us : us / 1e3);
        return c;
    }
    size_t k = 0;
    while (k + 1 < ARRAY_LEN(units) && us < units[k].us)
        k++;
    double whole = floor(us / units[k].us);
    double rest = k + 1 < ARRAY_LEN(units) ? floor((us - whole * units[k].us) / units[k + 1].us) : 0;
    if (rest > 0)
        (void)snprintf(c.s, sizeof c.s, "%.0f %s %.0f %s", whole, units[k].unit, rest, units[k + 1].unit);
    else
        (void)snprintf(c.s, sizeof c.s, "%.0f %s", whole, units[k].unit);
    return c;
}

struct cell cell_latency(double ns)
{
    struct cell c;
    if (!isfinite(ns))
        return unknown;
    if (ns < 1e3)
        (void)snprintf(c.s, sizeof c.s, "%.0f ns", ns);
    else if (ns < 1e6)
        (void)snprintf(c.s, sizeof c.s, "%.3g µs", ns / 1e3);
    else
        (void)snprintf(c.s, sizeof c.s, "%.3g ms", ns / 1e6);
    return c;
}

struct cell cell_date(int64_t us)
{
    struct cell c;
    struct civil t = time_civil(us);
    (void)snprintf(c.s, sizeof c.s, "%04d-%02d-%02d", t.year, t.month, t.day);
    return c;
}

struct cell cell_day(int64_t us, bool with_year)
{
    static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct cell c;
    struct civil t = time_civil(us);
    if (with_year)
        (void)snprintf(c.s, sizeof c.s, "%s %d", names[t.month - 1], t.year);
    else
        (void)snprintf(c.s, sizeof c.s, "%d %s", t.day, names[t.month - 1]);
    return c;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at s[i] and its code point; 0 when it is not one (RFC 3629 section 4). */
static size_t decode(struct slice s, size_t i, uint32_t *ret_code)
{
    const unsigned char *p = (const unsigned char *)s.p + i;
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
               : (p[0] & 0xF0) == 0xE0       ? 3
               : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                             : 0;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 0 || n > s.len - i)
        return 0;
    uint32_t code = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (size_t k = 1; k < n; k++) {
        if ((p[k] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[k] & 0x3Fu);
    }
    if (code < least[n] || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF)
        return 0;
    *ret_code = code;
    return n;
}

/* Control, line-breaking, zero-width and direction-changing characters could rewrite a terminal or a line of a page. */
static bool harmless(uint32_t c)
{
    static const uint32_t bad[][2] = {{0, 0x1F},        {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},
                                      {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                                      {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0x10FFFF}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (c >= bad[i][0] && c <= bad[i][1])
            return false;
    return true;
}

struct name name_clean(struct slice s, unsigned max)
{
    struct name n = {"", 0};
    size_t at = 0, last = 0;
    ASSERT(max >= 1 && max <= 200);
    for (size_t i = 0; i < s.len;) {
        uint32_t code = 0;
        size_t len = decode(s, i, &code);
        if (n.width == max) { /* there is more: the last character gives way to the mark */
            at = last;
            n.s[at++] = '~';
            break;
        }
        last = at;
        if (len && harmless(code)) {
            memcpy(n.s + at, s.p + i, len);
            at += len;
        } else {
            n.s[at++] = '?';
        }
        n.width++;
        i += len ? len : 1;
    }
    n.s[at] = '\0';
    return n;
}

void name_pad(struct buf *b, const struct name *n, unsigned width)
{
    buf_puts(b, n->s);
    for (unsigned i = n->width; i < width; i++)
        buf_char(b, ' ');
}
