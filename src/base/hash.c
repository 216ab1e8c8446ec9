/* hash.c - SipHash-1-3 with 128-bit output: one compression round, three finalisation rounds. */
#include "base/hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};
static inline uint64_t rotl(uint64_t x, int b) { return x << b | x >> (64 - b); }

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_block(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    s->v0 ^= m;
}

static inline uint64_t load_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    if (n == 8) {
        memcpy(&v, p, 8); /* little-endian machines only; static_assert below */
        return v;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hashes and snapshots are little-endian");

/* 0x20 in every byte that is an ASCII upper-case letter. */
static inline uint64_t fold_word(uint64_t v)
{
    uint64_t low = v & 0x7F7F7F7F7F7F7F7Fu;
    uint64_t ge_a = low + 0x3F3F3F3F3F3F3F3Fu; /* high bit where low >= 'A' */
    uint64_t gt_z = low + 0x2525252525252525u; /* high bit where low > 'Z' */
    uint64_t upper = ge_a & ~gt_z & ~v & 0x8080808080808080u;
    return v | upper >> 2;
}

static inline struct hash128 sip128(struct hash_key key, const unsigned char *p, size_t len, bool fold)
{
    struct sip s = {key.k0 ^ 0x736F6D6570736575u, key.k1 ^ 0x646F72616E646F6Du ^ 0xEE, key.k0 ^ 0x6C7967656E657261u,
                    key.k1 ^ 0x7465646279746573u};
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t m = load_le(p + i, 8);
        sip_block(&s, fold ? fold_word(m) : m);
    }
    uint64_t tail = load_le(p + i, len - i);
    if (fold)
        tail = fold_word(tail);
    sip_block(&s, tail | (uint64_t)len << 56);
    s.v2 ^= 0xEE;
    for (int r = 0; r < 3; r++)
        sip_round(&s);
    struct hash128 h;
    h.lo = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xDD;
    for (int r = 0; r < 3; r++)
        sip_round(&s);
    h.hi = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return h;
}

struct hash128 hash_bytes(struct hash_key key, const void *data, size_t len) { return sip128(key, data, len, false); }
struct hash128 hash_folded(struct hash_key key, struct slice s)
{
    return sip128(key, (const unsigned char *)s.p, s.len, true);
}
