/* seen.c - the filter as bytes: runs of words that are not 0.
 *
 *     word (8 bytes): words of 0 to pass over << 32 | words that follow; then these
 *
 * A filter that few ids have touched is small; a full one is 16 MiB. The last run ends with the last word that is not 0.
 */
#include "flow/seen.h"

#include "base/huge.h"

#define WORDS (SEEN_BITS / 64)

enum keer_err seen_init(struct seen *s)
{
    s->memory = calloc(1, SEEN_BITS / 8 + SEEN_LINE / 8);
    if (!s->memory)
        return KEER_ENOMEM;
    huge_hint(s->memory, SEEN_BITS / 8); /* it is touched at random */
    uintptr_t line = SEEN_LINE / 8, at = (uintptr_t)s->memory;
    s->words = (uint64_t *)(void *)((unsigned char *)s->memory + (line - at % line) % line);
    return KEER_OK;
}

void seen_release(struct seen *s)
{
    free(s->memory);
    *s = (struct seen){0};
}

void seen_save(const struct seen *s, struct buf *out)
{
    for (size_t at = 0; at < WORDS;) {
        size_t from = at, end;
        while (from < WORDS && !s->words[from])
            from++;
        if (from == WORDS)
            return;
        for (end = from; end < WORDS && s->words[end]; end++)
            ;
        uint64_t head = (uint64_t)(from - at) << 32 | (end - from);
        buf_put(out, &head, sizeof head);
        buf_put(out, s->words + from, (end - from) * sizeof *s->words);
        at = end;
    }
}

bool seen_load(struct seen *s, struct slice in)
{
    size_t at = 0;
    while (in.len) {
        uint64_t head;
        if (in.len < sizeof head)
            return false;
        memcpy(&head, in.p, sizeof head);
        size_t skip = (size_t)(head >> 32), words = (size_t)(head & UINT32_MAX);
        in = slice_of(in.p + sizeof head, in.len - sizeof head);
        if (!words || skip > WORDS - at || words > WORDS - at - skip || words > in.len / sizeof *s->words)
            return false;
        memcpy(s->words + at + skip, in.p, words * sizeof *s->words);
        at += skip + words;
        in = slice_of(in.p + words * sizeof *s->words, in.len - words * sizeof *s->words);
    }
    return true;
}
