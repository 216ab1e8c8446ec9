/* seen.h - which ids may be in the journal: a Bloom filter, so that a new id costs no look-up.
 *
 * Invariant: what was added is never denied. An id that was not added is taken for one that was in 0.5 % of the cases after
 * 10 million, in a third after 50 million; then the journal is asked, as it would be without this.
 */
#ifndef FLOW_SEEN_H
#define FLOW_SEEN_H
#include "base/buf.h"
#include "base/hash.h"

#define SEEN_BITS ((size_t)1 << 27) /* 16 MiB, touched as they fill */
#define SEEN_PROBES 4u

struct seen {
    uint64_t *words;
};

KEER_NODISCARD static inline enum keer_err seen_init(struct seen *s)
{
    s->words = calloc(SEEN_BITS / 64, sizeof *s->words);
    return s->words ? KEER_OK : KEER_ENOMEM;
}
static inline void seen_release(struct seen *s)
{
    free(s->words);
    s->words = NULL;
}
static inline uint64_t seen_bit(struct hash128 id, unsigned probe) { return (id.lo + probe * (id.hi | 1)) % SEEN_BITS; }
static inline void seen_add(struct seen *s, struct hash128 id)
{
    for (unsigned i = 0; i < SEEN_PROBES; i++)
        s->words[seen_bit(id, i) / 64] |= (uint64_t)1 << seen_bit(id, i) % 64;
}
static inline bool seen_maybe(const struct seen *s, struct hash128 id)
{
    bool all = true;
    for (unsigned i = 0; i < SEEN_PROBES; i++)
        all = all && (s->words[seen_bit(id, i) / 64] >> seen_bit(id, i) % 64 & 1);
    return all;
}
/* As bytes, for a snapshot; two filters with the same ids are the same bytes. At most SEEN_BYTES_MAX. */
void seen_save(const struct seen *s, struct buf *out);
/* Into an empty filter; false when the bytes are none, and then it may hold some of them. */
bool seen_load(struct seen *s, struct slice in);
#define SEEN_BYTES_MAX (SEEN_BITS / 8 + SEEN_BITS / 16 + 8) /* every other word its own run */
#endif
