/* log.h - what the daemon has to say, one line each, on a descriptor: text, or JSON (one object a line).
 *
 * Invariants: a line is one write(2), so that threads do not mix theirs; control characters are escaped (text) or as JSON
 * has them; nothing is allocated. Secrets are not passed here at all: no function takes a key or a body. Library code does
 * not log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include "base/str.h"

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVEL_MAX };

struct log {
    int fd;
    bool json;
    int64_t (*wall_us)(void); /* the time of day comes from outside */
};

#define LOG_LINE_BYTES 2048
/* A message is a sentence without a full stop; longer than the line it is cut. `log` NULL says nothing. */
void log_put(const struct log *log, enum log_level level, const char *fmt, ...) KEER_PRINTF(3, 4);
#endif
