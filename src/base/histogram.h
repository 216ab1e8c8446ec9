/* histogram.h - durations counted in fixed buckets, by any number of threads; printed as Prometheus text.
 *
 * Bounds are in microseconds and the last bucket has none. Counts are relaxed atomics: a reader may see a sum that is one
 * event ahead of its buckets, which a scraper does not mind.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H
#include <stdatomic.h>

#include "base/buf.h"

#define HISTOGRAM_BUCKETS 15
struct histogram {
    atomic_uint_fast64_t count[HISTOGRAM_BUCKETS + 1], sum_us;
};
void histogram_add(struct histogram *h, int64_t us);
/* Lines `NAME_bucket{le="0.001"} N`, `NAME_sum`, `NAME_count`; seconds, as Prometheus wants. */
void histogram_print(struct histogram *h, const char *name, struct buf *out);
#endif
