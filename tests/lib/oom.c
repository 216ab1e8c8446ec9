/* oom.c - the allocator under the unit tests (linked with --wrap): counts, and fails on demand; and the tests' main. */
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static uint64_t counted, fail_at;
static bool fail_on;

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
    counted++;
    return fail_at && (counted == fail_at || (fail_on && counted > fail_at));
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : __real_realloc(p, size); }
uint64_t oom_live_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
