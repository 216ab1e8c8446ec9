/* progress.c - one line on stderr that tells how far long work has come. */
#include "cli/progress.h"

#include <unistd.h>

#include "base/timefmt.h"

#define LINE_BYTES 256

void progress_start(struct progress *p, const char *label, const char *unit)
{
    progress_hide(p);
    p->label = label;
    p->unit = unit;
    p->start_us = p->on ? p->now_us() : 0;
    p->drawn_us = p->start_us + PROGRESS_AFTER_US - PROGRESS_EVERY_US;
}

void progress_number(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n--) {
        buf_char(b, digits[n]);
        if (n && n % 3 == 0)
            buf_char(b, ',');
    }
}

static void put_clock(struct buf *b, double seconds)
{
    unsigned long s = seconds < 359999 ? (unsigned long)(seconds + 0.5) : 359999;
    if (s >= 3600)
        buf_fmt(b, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        buf_fmt(b, "%lu:%02lu", s / 60, s % 60);
}

void progress_text(const struct progress *p, int64_t now_us, uint64_t count, uint64_t done, uint64_t total,
                   struct buf *ret_text)
{
    double elapsed = (double)(now_us - p->start_us) / (double)US_SECOND;
    buf_fmt(ret_text, "%s: ", p->label);
    progress_number(ret_text, count);
    buf_fmt(ret_text, " %s", p->unit);
    if (total)
        buf_fmt(ret_text, "   %d %%", (int)(100.0 * (double)MIN_OF(done, total) / (double)total));
    if (elapsed > 0) {
        buf_puts(ret_text, "   ");
        double rate = (double)count / elapsed;
        if (rate >= 10)
            progress_number(ret_text, (uint64_t)(rate + 0.5));
        else
            buf_fmt(ret_text, "%.1f", rate);
        buf_puts(ret_text, "/s");
    }
    if (total && done && elapsed > 0) {
        buf_puts(ret_text, "   ");
        put_clock(ret_text, elapsed * (double)(total - MIN_OF(done, total)) / (double)done);
        buf_puts(ret_text, " left");
    }
}

/* The line is a courtesy: when it can't be written the work goes on. */
static void line_write(int fd, struct slice s)
{
    ssize_t n = write(fd, s.p, s.len);
    UNUSED(n);
}

void progress_at(struct progress *p, uint64_t count, uint64_t done, uint64_t total)
{
    if (!p->on || !p->label)
        return;
    int64_t now = p->now_us();
    if (now - p->drawn_us < PROGRESS_EVERY_US)
        return;
    struct buf line;
    buf_init(&line, LINE_BYTES);
    buf_puts(&line, "\r\x1B[K");
    size_t lead = line.len;
    progress_text(p, now, count, done, total, &line);
    size_t columns = p->width > 1 ? p->width - 1 : 79; /* the last column stays free: some terminals wrap there */
    if (line.err == KEER_OK)
        line_write(p->fd, slice_of(line.p, MIN_OF(line.len, lead + columns)));
    buf_release(&line);
    p->drawn_us = now;
    p->shown = true;
}

void progress_hide(struct progress *p)
{
    if (!p->shown)
        return;
    line_write(p->fd, SLICE("\r\x1B[K"));
    p->shown = false;
}
