/* base.h - what every file may use: fixed-size types, assertions, small macros.
 *
 * ASSERT(x)   proven true; compiled in always, aborts with place and text.
 * BELIEVED(x) expected true but not proven; evaluates to x, so the false case must be handled.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <keer/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define UNUSED(x) ((void)(x))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define BELIEVED(x) LIKELY(x)

__attribute__((noreturn, cold)) void base_assert_failed(const char *expr, const char *file, int line);
#define ASSERT(x) (LIKELY(x) ? (void)0 : base_assert_failed(#x, __FILE__, __LINE__))

typedef __int128 i128;
typedef unsigned __int128 u128;

#include "base/banned.h"
#endif
