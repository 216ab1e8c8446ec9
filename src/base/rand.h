/* rand.h - seeded pseudo-random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64.
 *
 * Same seed, same sequence, on every machine: the integer functions use integers only, the others IEEE 754
 * doubles and libm's log, exp, sqrt, cos. Not for secrets.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H
#include "base/base.h"

struct rng {
    uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);                /* uniform in [0, n), n > 0, unbiased */
int64_t rng_between(struct rng *r, int64_t min, int64_t max); /* uniform, both ends included */
double rng_unit(struct rng *r);                               /* uniform in [0, 1), 53 bits */
double rng_normal(struct rng *r, double mean, double sd);
uint64_t rng_poisson(struct rng *r, double mean); /* mean in [0, 1000] */
bool rng_chance(struct rng *r, double p);
#endif
