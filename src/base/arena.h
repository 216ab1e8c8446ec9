/* arena.h - memory that belongs to one lifetime: allocated piece by piece, freed at once.
 *
 * Blocks are zeroed, aligned to 16 bytes, and never move. `max` bounds the sum of all pieces.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "base/str.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used, max;
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
/* NULL when memory or `max` is exhausted. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy with a NUL after it; p is NULL on failure. */
struct slice arena_copy(struct arena *a, struct slice s);
#endif
