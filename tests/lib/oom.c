/* oom.c - the allocator under the unit tests (linked with --wrap): counts, and fails on demand; and the tests' main. */
#include <malloc.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

/* Atomic: the daemon's tests allocate on several threads. */
static atomic_uint_fast64_t counted, fail_at;
static atomic_bool fail_on;

void oom_arm(uint64_t n, bool persistent)
{
    counted = 0;
    fail_at = n;
    fail_on = persistent;
}
uint64_t oom_count(void) { return counted; }
void oom_reset(void) { oom_arm(0, false); }

static bool fails(void)
{
    uint64_t n = atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed) + 1;
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return at && (n == at || (fail_on && n > at));
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : __real_realloc(p, size); }
uint64_t oom_live_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
