/* timefmt.h - times and durations as text. One time type: int64_t microseconds since 1970-01-01T00:00:00Z.
 *
 * Everything is UTC; a text without offset is taken as UTC. Proleptic Gregorian calendar, years 1600 to 9999.
 */
#ifndef BASE_TIMEFMT_H
#define BASE_TIMEFMT_H
#include "base/buf.h"

#define US_SECOND ((int64_t)1000000)
#define US_MINUTE (60 * US_SECOND)
#define US_HOUR (60 * US_MINUTE)
#define US_DAY (24 * US_HOUR)
#define US_TIME_MIN (-(int64_t)11676096000 * US_SECOND) /* 1600-01-01 */
#define US_TIME_MAX ((int64_t)253402300799 * US_SECOND) /* 9999-12-31T23:59:59 */

/* ISO 8601 / RFC 3339: "2018-04-01", "2018-04-01T00:00:31Z", "2018-04-01 00:00:31.25+08:00"; ',' as decimal mark
 * and offsets as +08, +0800 and +08:00 are accepted; second 60 becomes the next second. */
KEER_NODISCARD enum keer_err time_parse(struct slice s, int64_t *ret_us);
/* "2018-04-01T00:00:31Z", with the fraction only when there is one. */
void time_print(struct buf *b, int64_t us);
void time_print_date(struct buf *b, int64_t us); /* "2018-04-01" */
/* "30s", "15m", "24h", "7d", "4w", "250ms", and sums as "1d12h"; 0 < duration <= 100 years. */
KEER_NODISCARD enum keer_err duration_parse(struct slice s, int64_t *ret_us);
void duration_print(struct buf *b, int64_t us); /* in the same form, shortest exact */

struct civil {
    int year, month, day;     /* month 1..12, day 1..31 */
    int hour, minute, second; /* 0..23, 0..59, 0..59 */
    int weekday;              /* 0 = Monday .. 6 = Sunday (ISO 8601 less one) */
};
struct civil time_civil(int64_t us);
static inline int64_t time_floor_day(int64_t us)
{
    int64_t r = us % US_DAY;
    return us - (r < 0 ? r + US_DAY : r);
}
#endif
