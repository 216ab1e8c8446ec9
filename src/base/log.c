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

/* --- secrets --- */

static bool is_word(char c)
{
    return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_' || c == '-';
}

/* Puts *** for text[from, to); returns the new end of what was replaced. */
static size_t hide(char *text, size_t *len, size_t from, size_t to)
{
    static const char stars[3] = {'*', '*', '*'};
    size_t n = MIN_OF(sizeof stars, to - from);
    memmove(text + from + n, text + to, *len - to);
    memcpy(text + from, stars, n);
    *len -= to - from - n;
    return from + n;
}

static bool begins(const char *text, size_t len, size_t at, const char *with)
{
    size_t n = strlen(with);
    return len - at >= n && slice_eqi(slice_of(text + at, n), slice_of(with, n));
}

/* The password before the last @ of an authority that begins at `at`; 0 when there is none. */
static size_t mask_authority(char *text, size_t *len, size_t at)
{
    size_t colon = 0, sign = 0, i = at;
    for (; i < *len && (unsigned char)text[i] > ' ' && text[i] != '/' && text[i] != '?' && text[i] != '"'; i++) {
        if (text[i] == ':' && !colon)
            colon = i;
        if (text[i] == '@')
            sign = i;
    }
    return colon && sign > colon + 1 ? hide(text, len, colon + 1, sign) : 0;
}

size_t log_mask(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t end = 0, from = 0;
        if (begins(text, len, i, "://"))
            end = mask_authority(text, &len, i + 3);
        else if (begins(text, len, i, "password="))
            from = i + 9;
        else if (begins(text, len, i, "keer_"))
            from = i + 5;
        if (from && text[i] != 'p' && text[i] != 'P') { /* keer_ID_SECRET: the id stays */
            size_t id = from;
            while (id < len && is_word(text[id]) && text[id] != '_')
                id++;
            from = id < len && text[id] == '_' ? id + 1 : 0;
            for (end = from; from && end < len && is_word(text[end]);)
                end++;
            end = from && end - from > 20 ? hide(text, &len, from, end) : 0;
        } else if (from) {
            for (end = from; end < len && (unsigned char)text[end] > ' ' && text[end] != '&' && text[end] != '"';)
                end++;
            end = end > from ? hide(text, &len, from, end) : 0;
        }
        if (end)
            i = end - 1;
    }
    return len;
}

/* --- lines --- */

static size_t head(const struct log *log, bool json, enum log_level level, char line[LOG_LINE_BYTES])
{
    static const char *const names[] = {[LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};
    static_assert(ARRAY_LEN(names) == LOG_LEVEL_MAX, "a name for each level");
    int64_t us = log->wall_us();
    struct civil t = time_civil(us);
    return (size_t)snprintf(line, LOG_LINE_BYTES,
                            json ? "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\","
                                 : "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s ",
                            t.year, t.month, t.day, t.hour, t.minute, t.second, (int)(us % US_SECOND / 1000), names[level]);
}

static void write_message(const struct log *log, enum log_level level, struct slice text)
{
    char line[LOG_LINE_BYTES];
    bool json = atomic_load(&log->json);
    size_t n = head(log, json, level, line);
    n += (size_t)snprintf(line + n, sizeof line - n, "%s", json ? "\"message\":\"" : "");
    n += escape(line + n, sizeof line - n - 4, text, json);
    n += (size_t)snprintf(line + n, sizeof line - n, "%s", json ? "\"}\n" : "\n");
    /* A log that can't be written is nothing that could be told anywhere. */
    if (write(log->fd, line, n) < 0)
        return;
}

/* Whether a message of this format is written now; *ret_left_out is how many of the period before were not. */
static bool admit(const struct log *log, const char *fmt, unsigned *ret_left_out)
{
    struct log_repeats *r = log->repeats;
    *ret_left_out = 0;
    if (!r)
        return true;
    while (atomic_flag_test_and_set(&r->busy))
        ;
    int64_t now = log->wall_us();
    struct log_site *s = &r->site[(uintptr_t)fmt / 8 % LOG_SITES];
    if (s->fmt != fmt || now - s->since_us > LOG_PERIOD_US || now < s->since_us) {
        *ret_left_out = s->fmt == fmt && s->count > LOG_BURST ? s->count - LOG_BURST : 0;
        *s = (struct log_site){fmt, now, 0};
    }
    bool yes = ++s->count <= LOG_BURST;
    atomic_flag_clear(&r->busy);
    return yes;
}

void log_put(const struct log *log, enum log_level level, const char *fmt, ...)
{
    char message[LOG_LINE_BYTES / 2];
    unsigned left_out;
    va_list ap;
    if (!log || (int)level < atomic_load(&log->level) || !admit(log, fmt, &left_out))
        return;
    if (left_out) {
        int n = snprintf(message, sizeof message, "%u messages like the next one were left out", left_out);
        write_message(log, level, slice_of(message, (size_t)MAX_OF(n, 0)));
    }
    va_start(ap, fmt);
    int len = vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    size_t n = len < 0 ? 0 : MIN_OF((size_t)len, sizeof message - 1);
    write_message(log, level, slice_of(message, log_mask(message, n)));
}

void log_request(const struct log *log, const struct log_request *r)
{
    char line[LOG_LINE_BYTES], path[LOG_LINE_BYTES / 8];
    if (!log || !atomic_load(&log->requests))
        return;
    bool json = atomic_load(&log->json);
    size_t len = MIN_OF(r->path.len, sizeof path);
    if (len)
        memcpy(path, r->path.p, len);
    len = log_mask(path, len);
    size_t n = head(log, json, LOG_INFO, line);
    n += (size_t)snprintf(line + n, sizeof line - n, json ? "\"method\":\"" : "request ");
    n += escape(line + n, 40, slice_of(r->method, MIN_OF(strlen(r->method), 20u)), json);
    n += (size_t)snprintf(line + n, sizeof line - n, json ? "\",\"path\":\"" : " ");
    n += escape(line + n, sizeof line - n - 200, slice_of(path, len), json);
    n += (size_t)snprintf(line + n, sizeof line - n,
                          json ? "\",\"status\":%d,\"us\":%lld,\"key\":\"%s\"}\n" : " %d %lld us %s\n", r->status,
                          (long long)r->us, r->caller[0] || json ? r->caller : "-");
    if (write(log->fd, line, n) < 0)
        return;
}
