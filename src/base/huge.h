/* huge.h - large memory in huge pages: fewer page faults while it is filled. Only a hint, whatever becomes of it. */
#ifndef BASE_HUGE_H
#define BASE_HUGE_H
#include <sys/mman.h>

#include "base/base.h"

#define HUGE_PAGE ((size_t)2 << 20)

static inline void huge_hint(void *p, size_t bytes)
{
    size_t skip = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (p && bytes >= skip + HUGE_PAGE)
        (void)madvise((unsigned char *)p + skip, (bytes - skip) & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
}
#endif
