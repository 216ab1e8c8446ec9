/* log.c - lines of a log. */
#include "base/log.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/timefmt.h"

/* Escapes `s` into at most `room` bytes: \u00XX for control characters, and what JSON wants besides. */
static size_t escape(char *to, size_t room, struct slice s, bool json)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 7 < room; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7F) {
            n += (size_t)snprintf(to + n, room - n, "\\u%04x", c);
            continue;
        }
        if (json && (c == '"' || c == '\\'))
            to[n++] = '\\';
        to[n++] = (char)c;
    }
    return n;
}

void log_put(const struct log *log, enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {[LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};
    static_assert(ARRAY_LEN(names) == LOG_LEVEL_MAX, "a name for each level");
    char message[LOG_LINE_BYTES / 2], line[LOG_LINE_BYTES], when[32];
    va_list ap;
    if (!log)
        return;
    va_start(ap, fmt);
    int len = vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    struct slice text = slice_of(message, len < 0 ? 0 : MIN_OF((size_t)len, sizeof message - 1));
    int64_t us = log->wall_us();
    struct civil t = time_civil(us);
    (void)snprintf(when, sizeof when, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.year, t.month, t.day, t.hour, t.minute,
                   t.second, (int)(us % US_SECOND / 1000));
    size_t n = (size_t)snprintf(line, sizeof line, log->json ? "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"" : "%s %s ",
                                when, names[level]);
    n += escape(line + n, sizeof line - n - 4, text, log->json);
    n += (size_t)snprintf(line + n, sizeof line - n, "%s", log->json ? "\"}\n" : "\n");
    /* A log that can't be written is nothing that could be told anywhere. */
    if (write(log->fd, line, n) < 0)
        return;
}
