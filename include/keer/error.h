/* error.h - error codes of libkeer.
 *
 * Every fallible function returns `enum keer_err`; KEER_OK is 0. Results come through `ret_x`
 * arguments, last, which are untouched on failure. The library never logs and never exits.
 */
#ifndef KEER_ERROR_H
#define KEER_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

enum keer_err {
    KEER_OK = 0,
#define KEER_ERROR(name, http, retryable, text) KEER_E##name,
#include <keer/errors.def>
#undef KEER_ERROR
    KEER_ERR_MAX
};

#if defined(__GNUC__)
#define KEER_NODISCARD __attribute__((warn_unused_result))
#define KEER_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define KEER_NODISCARD
#define KEER_PRINTF(f, a)
#endif
#if defined(__GNUC__) && defined(KEER_BUILDING)
#define KEER_API __attribute__((visibility("default")))
#else
#define KEER_API
#endif

/* Short lower-case text of an error, never NULL, static. */
KEER_API const char *keer_err_text(enum keer_err err);
/* Symbolic name such as "NOMEM", never NULL, static. */
KEER_API const char *keer_err_name(enum keer_err err);
/* HTTP status that an API answers with for this error. */
KEER_API int keer_err_http(enum keer_err err);
/* 1 if the same call may succeed later without change. */
KEER_API int keer_err_retryable(enum keer_err err);

#ifdef __cplusplus
}
#endif
#endif
