/* progress.h - one line on stderr that tells how far long work has come.
 *
 * Invariants: at most ten updates a second and none in the first half second; nothing at all when switched off (not a
 * terminal,
 * --quiet, --json, --no-progress); the line never wraps; progress_hide takes it away so that something else can be printed.
 *
 *   replay: 1,203,441 events   68 %   402,115/s   0:02 left
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
#include "base/buf.h"

#define PROGRESS_EVERY_US 100000
#define PROGRESS_AFTER_US 500000

struct progress {
    bool on, shown;
    int fd;
    unsigned width;          /* columns of the terminal */
    int64_t (*now_us)(void); /* a monotonic clock, brought by the caller */
    const char *label, *unit;
    int64_t start_us, drawn_us;
};

/* `label` and `unit` ("events") are borrowed. p->on, fd, width and now_us were set by cli_init. */
void progress_start(struct progress *p, const char *label, const char *unit);
/* `count` units are done, `done` of `total` bytes or steps; total 0 = not known. Reads the clock: call it every thousand
 * events or for each chunk, not for each event. */
void progress_at(struct progress *p, uint64_t count, uint64_t done, uint64_t total);
/* Wipes the line; the next progress_at draws it again. Safe before start and after end. */
void progress_hide(struct progress *p);
/* The line's text as it would be drawn, for tests. */
void progress_text(const struct progress *p, int64_t now_us, uint64_t count, uint64_t done, uint64_t total,
                   struct buf *ret_text);
/* 1234567 as 1,234,567. */
void progress_number(struct buf *b, uint64_t v);
#endif
