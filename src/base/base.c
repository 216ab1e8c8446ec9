/* base.c - assertions that stay in release builds, and the table of errors. */
#include "base/base.h"

void base_assert_failed(const char *expr, const char *file, int line)
{
    (void)fprintf(stderr, "keer: assertion failed: %s (%s:%d)\n", expr, file, line);
    abort();
}

static const struct {
    const char *name;
    const char *text;
    int http;
    int retryable;
} error_rows[] = {
    [KEER_OK] = {"OK", "no error", 200, 0},
#define KEER_ERROR(name, http, retryable, text) [KEER_E##name] = {#name, text, http, retryable},
#include <keer/errors.def>
#undef KEER_ERROR
};
static_assert(ARRAY_LEN(error_rows) == KEER_ERR_MAX, "one row for each error");

static unsigned error_index(enum keer_err err)
{
    return (unsigned)err < KEER_ERR_MAX ? (unsigned)err : (unsigned)KEER_EINVALID;
}

const char *keer_err_text(enum keer_err err) { return error_rows[error_index(err)].text; }
const char *keer_err_name(enum keer_err err) { return error_rows[error_index(err)].name; }
int keer_err_http(enum keer_err err) { return error_rows[error_index(err)].http; }
int keer_err_retryable(enum keer_err err) { return error_rows[error_index(err)].retryable; }
