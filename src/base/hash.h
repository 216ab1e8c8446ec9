/* hash.h - keyed 128-bit hash of short texts: SipHash-1-3 with 128-bit output (Aumasson and Bernstein, 2012).
 *
 * Identity of entities and of text values rests on these 128 bits (96 of them in the entity table), so
 * that the key matters where an attacker chooses the texts: without it he cannot make two of them meet.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include "base/str.h"

struct hash128 {
    uint64_t lo, hi;
};
struct hash_key {
    uint64_t k0, k1;
};

struct hash128 hash_bytes(struct hash_key key, const void *data, size_t len);
/* The same over the ASCII-lower-cased text, without copying it. */
struct hash128 hash_folded(struct hash_key key, struct slice s);

/* Joins two hashes, in order; for composite keys. */
static inline struct hash128 hash_join(struct hash128 a, struct hash128 b)
{
    u128 m = (u128)(a.lo ^ 0x9E3779B97F4A7C15u) * (b.lo ^ 0xD6E8FEB86659FD93u);
    u128 n = (u128)(a.hi ^ 0xA0761D6478BD642Fu) * (b.hi ^ 0xE7037ED1A0B428DBu);
    struct hash128 r;
    r.lo = (uint64_t)m ^ (uint64_t)(m >> 64) ^ (a.hi << 1);
    r.hi = (uint64_t)n ^ (uint64_t)(n >> 64) ^ (b.lo << 1) ^ a.lo;
    return r;
}
static inline uint64_t hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}
#endif
