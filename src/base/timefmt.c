/* timefmt.c - times and durations as text, in UTC. */
#include "base/timefmt.h"

#include "base/num.h"

/* Days since 1970-01-01 of a civil date; eras of 400 years of 146,097 days, years that begin in March. */
static int64_t days_of(int y, int m, int d)
{
    int64_t yy = y - (m <= 2);
    int64_t era = (yy >= 0 ? yy : yy - 399) / 400;
    int64_t yoe = yy - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct civil time_civil(int64_t us)
{
    int64_t day_start = time_floor_day(us);
    int64_t days = day_start / US_DAY;
    int64_t secs = (us - day_start) / US_SECOND;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = (int)(yoe + era * 400 + (c.month <= 2));
    c.hour = (int)(secs / 3600);
    c.minute = (int)(secs / 60 % 60);
    c.second = (int)(secs % 60);
    c.weekday = (int)(((days + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return c;
}

/* Exactly `n` digits at *s, moved past. */
static bool take_digits(struct slice *s, size_t n, int *ret_v)
{
    if (s->len < n)
        return false;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ascii_digit(s->p[i]))
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->len -= n;
    *ret_v = v;
    return true;
}

static bool take_char(struct slice *s, char c)
{
    if (!s->len || s->p[0] != c)
        return false;
    s->p++;
    s->len--;
    return true;
}

static bool take_fraction(struct slice *s, int64_t *ret_us)
{
    int64_t scale = US_SECOND / 10, us = 0;
    size_t n = 0;
    for (; n < s->len && ascii_digit(s->p[n]); n++) {
        us += scale * (s->p[n] - '0');
        scale /= 10;
    }
    s->p += n;
    s->len -= n;
    *ret_us = us;
    return n > 0 && n <= 18;
}

static bool take_offset(struct slice *s, int64_t *ret_us)
{
    *ret_us = 0;
    if (s->len == 0 || take_char(s, 'Z') || take_char(s, 'z'))
        return true;
    bool west = s->p[0] == '-';
    if (!west && s->p[0] != '+')
        return false;
    s->p++;
    s->len--;
    int h = 0, m = 0;
    if (!take_digits(s, 2, &h))
        return false;
    bool colon = take_char(s, ':');
    if ((colon || s->len) && !take_digits(s, 2, &m))
        return false;
    if (h > 23 || m > 59)
        return false;
    *ret_us = (west ? -1 : 1) * (h * US_HOUR + m * US_MINUTE);
    return true;
}

enum keer_err time_parse(struct slice s, int64_t *ret_us)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = 0, mo = 0, d = 0, h = 0, mi = 0, sec = 0;
    int64_t fraction = 0, offset = 0;
    if (!take_digits(&s, 4, &y) || !take_char(&s, '-') || !take_digits(&s, 2, &mo) || !take_char(&s, '-') ||
        !take_digits(&s, 2, &d))
        return KEER_ESYNTAX;
    if (s.len) {
        if (!take_char(&s, 'T') && !take_char(&s, ' ') && !take_char(&s, 't'))
            return KEER_ESYNTAX;
        if (!take_digits(&s, 2, &h) || !take_char(&s, ':') || !take_digits(&s, 2, &mi))
            return KEER_ESYNTAX;
        if (take_char(&s, ':')) {
            if (!take_digits(&s, 2, &sec))
                return KEER_ESYNTAX;
            if ((take_char(&s, '.') || take_char(&s, ',')) && !take_fraction(&s, &fraction))
                return KEER_ESYNTAX;
        }
        if (!take_offset(&s, &offset) || s.len)
            return KEER_ESYNTAX;
    }
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (y < 1600 || mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] + (mo == 2 && leap))
        return KEER_ERANGE;
    if (h > 23 || mi > 59 || sec > 60)
        return KEER_ERANGE;
    int64_t us = days_of(y, mo, d) * US_DAY + h * US_HOUR + mi * US_MINUTE + sec * US_SECOND + fraction - offset;
    if (us < US_TIME_MIN || us > US_TIME_MAX)
        return KEER_ERANGE;
    *ret_us = us;
    return KEER_OK;
}

/* `n` decimal digits of v, with leading zeros. */
static char *put_digits(char *p, int v, int n)
{
    for (int i = n; i > 0; i--, v /= 10)
        p[i - 1] = (char)('0' + v % 10);
    return p + n;
}

static char *put_date(char *p, const struct civil *c)
{
    p = put_digits(p, c->year, 4);
    *p++ = '-';
    p = put_digits(p, c->month, 2);
    *p++ = '-';
    return put_digits(p, c->day, 2);
}

void time_print_date(struct buf *b, int64_t us)
{
    struct civil c = time_civil(us);
    char text[10];
    buf_put(b, text, (size_t)(put_date(text, &c) - text));
}

void time_print(struct buf *b, int64_t us)
{
    struct civil c = time_civil(us);
    int64_t fraction = us - time_floor_day(us);
    fraction %= US_SECOND;
    char text[19], *p = put_date(text, &c);
    *p++ = 'T';
    p = put_digits(p, c.hour, 2);
    *p++ = ':';
    p = put_digits(p, c.minute, 2);
    *p++ = ':';
    p = put_digits(p, c.second, 2);
    buf_put(b, text, (size_t)(p - text));
    if (fraction) {
        int digits = 6;
        while (fraction % 10 == 0) {
            fraction /= 10;
            digits--;
        }
        buf_fmt(b, ".%0*lld", digits, (long long)fraction);
    }
    buf_char(b, 'Z');
}

static const struct {
    const char *unit;
    int64_t us;
} units[] = {{"w", 7 * US_DAY}, {"d", US_DAY}, {"h", US_HOUR}, {"m", US_MINUTE}, {"s", US_SECOND}, {"ms", 1000}, {"us", 1}};

enum keer_err duration_parse(struct slice s, int64_t *ret_us)
{
    int64_t total = 0;
    if (s.len == 0)
        return KEER_ESYNTAX;
    while (s.len) {
        size_t n = 0, u = 0;
        while (n < s.len && ascii_digit(s.p[n]))
            n++;
        int64_t v = 0;
        enum keer_err err = num_i64(slice_of(s.p, n), 0, INT64_MAX, &v);
        if (err != KEER_OK)
            return err;
        s.p += n;
        s.len -= n;
        while (u < s.len && !ascii_digit(s.p[u]))
            u++;
        size_t k = 0;
        while (k < ARRAY_LEN(units) && !slice_eqi(slice_of(s.p, u), slice_str(units[k].unit)))
            k++;
        if (k == ARRAY_LEN(units))
            return KEER_ESYNTAX;
        if (__builtin_mul_overflow(v, units[k].us, &v) || __builtin_add_overflow(total, v, &total))
            return KEER_ERANGE;
        s.p += u;
        s.len -= u;
    }
    if (total <= 0 || total > 36525 * US_DAY)
        return KEER_ERANGE;
    *ret_us = total;
    return KEER_OK;
}

void duration_print(struct buf *b, int64_t us)
{
    if (us <= 0) {
        buf_puts(b, "0s");
        return;
    }
    for (size_t k = 1; k < ARRAY_LEN(units); k++) { /* days and below: '4w' is printed as '28d' */
        int64_t n = us / units[k].us;
        if (n == 0)
            continue;
        buf_i64(b, n);
        buf_puts(b, units[k].unit);
        us -= n * units[k].us;
    }
}
