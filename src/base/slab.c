/* slab.c - many objects of one size, in blocks of huge pages. */
#include "base/slab.h"

#include "base/huge.h"

void slab_init(struct slab *s, size_t size)
{
    *s = (struct slab){.size = (size + 63) & ~(size_t)63};
    s->next_bytes = s->size;
}

void slab_release(struct slab *s)
{
    for (unsigned i = 0; i < s->blocks; i++)
        free(s->block[i]);
    free(s->block);
    slab_init(s, s->size);
}

static bool slab_grow(struct slab *s)
{
    if (s->blocks == s->cap) {
        unsigned cap = s->cap ? s->cap * 2 : 8;
        void **block = realloc(s->block, cap * sizeof *block);
        if (!block)
            return false;
        s->block = block;
        s->cap = cap;
    }
    bool huge = s->next_bytes >= HUGE_PAGE;
    size_t bytes = huge ? (s->next_bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : s->next_bytes, unit = huge ? HUGE_PAGE : 64;
    /* malloc, so that tests can make it fail; aligned by hand. */
    unsigned char *memory = malloc(bytes + unit);
    if (!memory)
        return false;
    s->block[s->blocks++] = memory;
    unsigned char *from = memory + (unit - (uintptr_t)memory % unit) % unit;
    if (huge)
        huge_hint(from, bytes);
    s->at = from;
    s->end = from + bytes;
    s->reserved_bytes += bytes;
    s->next_bytes = MIN_OF(s->next_bytes * 2, MAX_OF(SLAB_BLOCK_MAX, s->size));
    return true;
}

void *slab_take(struct slab *s)
{
    void *object = s->free;
    if (object) {
        memcpy(&s->free, object, sizeof s->free);
        return object;
    }
    if ((size_t)(s->end - s->at) < s->size && !slab_grow(s))
        return NULL;
    object = s->at;
    s->at += s->size;
    return object;
}

void slab_give(struct slab *s, void *object)
{
    memcpy(object, &s->free, sizeof s->free);
    s->free = object;
}
