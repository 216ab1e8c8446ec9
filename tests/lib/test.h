/* test.h - what every unit test includes: Check, a main that prints 'ok - name' lines, failing allocation, temp files. */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H
#include <check.h>

#include "base/base.h"
#include "base/str.h"

/* oom.c: the n-th allocation from now fails, and with `persistent` every later one. 0 switches it off. */
void oom_arm(uint64_t n, bool persistent);
/* Allocations counted since oom_arm or oom_reset. */
uint64_t oom_count(void);
void oom_reset(void);
/* Bytes allocated now, as malloc_usable_size counts them. */
uint64_t oom_live_bytes(void);

/* Folder of shared data (environment KEER_SHARED, or ../shared beside the checkout); NULL when it is not there, and then
 * 'skipped: shared data not present' was printed. */
const char *shared_dir(void);

#define ck_slice_eq(a, b)                                                                          \
    do {                                                                                           \
        struct slice sa_ = (a), sb_ = (b);                                                         \
        ck_assert_msg(slice_eq(sa_, sb_), "'%.*s' is not '%.*s'", SLICE_ARG(sa_), SLICE_ARG(sb_)); \
    } while (0)
#define ck_ok(call)                                                           \
    do {                                                                      \
        enum keer_err err_ = (call);                                          \
        ck_assert_msg(err_ == KEER_OK, "%s: %s", #call, keer_err_name(err_)); \
    } while (0)
#define ck_err(call, want)                                                                                 \
    do {                                                                                                   \
        enum keer_err err_ = (call);                                                                       \
        ck_assert_msg(err_ == (want), "%s: %s, want %s", #call, keer_err_name(err_), keer_err_name(want)); \
    } while (0)

/* Runs the suite in this process, prints a line per test, returns the exit code. */
int test_main(Suite *s);
#endif
