/* slab.h - many objects of one size: taken and given back in constant time, never moved, freed at once.
 *
 * Memory comes in blocks that double up to SLAB_BLOCK_MAX; blocks of 2 MiB and more ask for huge pages, so that a table that
 * is touched at random costs few misses of the address cache. Objects are aligned to 64 bytes and not zeroed.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H
#include "base/base.h"

#define SLAB_BLOCK_MAX ((size_t)16 << 20)
struct slab {
    size_t size;             /* of an object, a multiple of 64 */
    void *free;              /* intrusive list */
    unsigned char *at, *end; /* rest of the newest block */
    void **block;
    unsigned blocks, cap;
    size_t next_bytes, reserved_bytes;
};

void slab_init(struct slab *s, size_t size);
void slab_release(struct slab *s);
/* NULL without memory. */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *object);
#endif
