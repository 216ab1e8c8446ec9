/* rand.c - seeded pseudo-random numbers. */
#include "base/rand.h"

#include <math.h>

static inline uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    ASSERT(n > 0);
    /* Lemire's multiply and reject. */
    u128 m = (u128)rng_u64(r) * n;
    if ((uint64_t)m < n) {
        uint64_t threshold = (uint64_t)-n % n;
        while ((uint64_t)m < threshold)
            m = (u128)rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

int64_t rng_between(struct rng *r, int64_t min, int64_t max)
{
    ASSERT(min <= max);
    return (int64_t)((uint64_t)min + rng_below(r, (uint64_t)max - (uint64_t)min + 1));
}

double rng_unit(struct rng *r) { return (double)(rng_u64(r) >> 11) * 0x1.0p-53; }

double rng_normal(struct rng *r, double mean, double sd)
{
    /* Box-Muller, one of the pair: two draws per number, no hidden state to carry. */
    double u = 1.0 - rng_unit(r), v = rng_unit(r);
    return mean + sd * sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t rng_poisson(struct rng *r, double mean)
{
    /* Knuth's product for pieces of at most 30, so that exp does not underflow: sums of Poissons are Poisson. */
    uint64_t n = 0;
    while (mean > 0) {
        double part = MIN_OF(mean, 30.0), limit = exp(-part), p = rng_unit(r);
        while (p > limit) {
            n++;
            p *= rng_unit(r);
        }
        mean -= part;
    }
    return n;
}

bool rng_chance(struct rng *r, double p) { return rng_unit(r) < p; }
