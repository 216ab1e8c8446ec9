/* histogram.c - durations in buckets. */
#include "base/histogram.h"

static const int64_t bounds_us[HISTOGRAM_BUCKETS] = {50,    100,   250,    500,    1000,   2500,    5000,   10000,
                                                     25000, 50000, 100000, 250000, 500000, 1000000, 5000000};

void histogram_add(struct histogram *h, int64_t us)
{
    unsigned i = 0;
    while (i < HISTOGRAM_BUCKETS && us > bounds_us[i])
        i++;
    (void)atomic_fetch_add_explicit(&h->count[i], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&h->sum_us, (uint64_t)MAX_OF(us, 0), memory_order_relaxed);
}

void histogram_print(struct histogram *h, const char *name, struct buf *out)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        buf_fmt(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_us[i] / 1e6, (unsigned long long)total);
    }
    total += atomic_load_explicit(&h->count[HISTOGRAM_BUCKETS], memory_order_relaxed);
    buf_fmt(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, (unsigned long long)total, name,
            (double)atomic_load_explicit(&h->sum_us, memory_order_relaxed) / 1e6, name, (unsigned long long)total);
}
