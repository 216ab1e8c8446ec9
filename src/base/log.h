/* log.h - what the daemon has to say, one line each, on a descriptor: text, or JSON (one object a line).
 *
 * Invariants
 * 1. A line is one write(2), so that threads do not mix theirs; control characters are escaped; nothing is allocated.
 * 2. Secrets are not passed here: no function takes a key or a body. Should one come along in a message all the same (a
 *    database's words with its address in them, a key in a path), log_mask takes it out, as the last thing before the write.
 * 3. Of messages with the same format at most LOG_BURST are written in LOG_PERIOD_US; how many were left out is told
 *    afterwards. Lines of requests are not counted.
 * 4. form, level and requests may be changed while other threads write. Library code does not log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdatomic.h>

#include "base/str.h"

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVEL_MAX };

#define LOG_SITES 64
#define LOG_BURST 20u
#define LOG_PERIOD_US (10 * 1000000LL)
struct log_site { /* messages of one format in this period */
    const char *fmt;
    int64_t since_us;
    unsigned count;
};
struct log_repeats {
    atomic_flag busy;
    struct log_site site[LOG_SITES];
};

struct log {
    int fd;
    atomic_bool json, requests;
    atomic_int level;            /* the least that is told */
    int64_t (*wall_us)(void);    /* the time of day comes from outside */
    struct log_repeats *repeats; /* NULL: everything is written */
};
struct log_request {
    const char *method;
    struct slice path; /* without a query */
    int status;
    int64_t us;
    const char *caller; /* public part of the key, "" without one */
};

#define LOG_LINE_BYTES 2048
/* A message is a sentence without a full stop; longer than the line it is cut. `log` NULL says nothing. */
void log_put(const struct log *log, enum log_level level, const char *fmt, ...) KEER_PRINTF(3, 4);
/* A line for a request, when they are asked for. */
void log_request(const struct log *log, const struct log_request *r);
/* Takes secrets out of a text, in place, and returns its new length: the password in scheme://user:password@host, what
 * follows `password=`, and the secret half of an API key; three stars stand for it, or as many as it had bytes. */
size_t log_mask(char *text, size_t len);
#endif
