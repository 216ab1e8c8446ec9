/* seen.h - which ids may be in the journal: a Bloom filter, so that a new id costs no look-up.
 *
 * All bits of an id lie in one cache line, so that asking costs one miss, and that one can be fetched ahead (seen_fetch).
 *
 * Invariant: what was added is never denied. An id that was not added is taken for one that was in 0.6 % of the cases after
 * 10 million, in two fifths after 50 million; then the journal is asked, as it would be without this.
 */
#ifndef FLOW_SEEN_H
#define FLOW_SEEN_H
#include "base/buf.h"
#include "base/hash.h"

#define SEEN_BITS ((size_t)1 << 27) /* 16 MiB */
#define SEEN_LINE 512u              /* bits of a cache line */
#define SEEN_PROBES 4u

struct seen {
    uint64_t *words; /* aligned to a line */
    void *memory;
};

KEER_NODISCARD enum keer_err seen_init(struct seen *s);
void seen_release(struct seen *s);
static inline uint64_t *seen_line(const struct seen *s, struct hash128 id)
{
    return s->words + id.hi % (SEEN_BITS / SEEN_LINE) * (SEEN_LINE / 64);
}
static inline void seen_fetch(const struct seen *s, struct hash128 id) { __builtin_prefetch(seen_line(s, id), 1); }
/* Of a probe: its place in the line. */
static inline unsigned seen_bit(struct hash128 id, unsigned probe) { return (unsigned)(id.lo >> probe * 9) % SEEN_LINE; }
static inline void seen_add(struct seen *s, struct hash128 id)
{
    uint64_t *line = seen_line(s, id);
    for (unsigned i = 0; i < SEEN_PROBES; i++)
        line[seen_bit(id, i) / 64] |= (uint64_t)1 << seen_bit(id, i) % 64;
}
static inline bool seen_maybe(const struct seen *s, struct hash128 id)
{
    const uint64_t *line = seen_line(s, id);
    bool all = true;
    for (unsigned i = 0; i < SEEN_PROBES; i++)
        all = all && (line[seen_bit(id, i) / 64] >> seen_bit(id, i) % 64 & 1);
    return all;
}
/* As bytes, for a snapshot; two filters with the same ids are the same bytes. At most SEEN_BYTES_MAX. */
void seen_save(const struct seen *s, struct buf *out);
/* Into an empty filter; false when the bytes are none, and then it may hold some of them. */
bool seen_load(struct seen *s, struct slice in);
#define SEEN_BYTES_MAX (SEEN_BITS / 8 + SEEN_BITS / 16 + 8) /* every other word its own run */
#endif
