/* io.h - files for commands: inputs in chunks, whole files under a limit, outputs that appear whole or not at all.
 *
 * Invariants:
 * 1. Nothing is printed here. A failure returns its code and puts one sentence, with the path and the system's reason, into
 *    *ret_why; the command tells it through cli_fail.
 * 2. "-" is standard input or standard output.
 * 3. An output file is written under another name in the same folder, synced and renamed by io_out_commit; before that the
 * old file is untouched. Where the file system can, the new file has no name at all until then, so that a killed run leaves
 *    nothing behind. What is not a regular file (/dev/null, a FIFO) is written directly.
 * 4. Output errors stick (as in base/buf.h): after a failed write every further one is a no-op, `err` and the commit tell
 * it. Long work looks at `err` now and then and stops.
 * 5. An input file that starts with the magic of xz is unpacked by the program xz (no shell). A damaged or cut file is an
 * error at its end, never a short input.
 */
#ifndef CLI_IO_H
#define CLI_IO_H
#include <sys/types.h>

#include "base/buf.h"

#define IO_CHUNK_BYTES (1u << 20)
#define IO_OUT_BYTES (1u << 18)

/* One sentence on what went wrong; cut when the path is very long. */
struct io_why {
    char text[512];
};

struct io_in {
    const char *path; /* borrowed; "standard input" for "-" */
    char *chunk;      /* IO_CHUNK_BYTES */
    size_t peeked;    /* bytes in chunk that the next io_read hands out */
    int fd;           /* what is read: the file, or the pipe from xz */
    int file;         /* the file itself; its offset tells the progress, through xz as well */
    pid_t xz;         /* 0 when there is none */
    uint64_t size;    /* bytes of the file on disk; 0 when not known */
    uint64_t read;    /* bytes handed out */
    bool ended;
};

/* Opens for reading. KEER_EIO; KEER_ENOMEM; KEER_EUNSUPPORTED when xz is needed and is not there, or comes through a pipe.
 */
KEER_NODISCARD enum keer_err io_open(struct io_in *in, const char *path, struct io_why *ret_why);
/* The next 1 to IO_CHUNK_BYTES bytes, borrowed until the next call; length 0 at the end. KEER_EIO, KEER_EFORMAT (damaged
 * xz). */
KEER_NODISCARD enum keer_err io_read(struct io_in *in, struct slice *ret_chunk, struct io_why *ret_why);
/* Bytes of the file on disk that were consumed so far; compare with `size`. */
uint64_t io_position(const struct io_in *in);
/* Closes at any point; stops xz if it still runs. Closing twice, or what was zeroed, is fine. */
void io_close(struct io_in *in);
/* The whole of a file, unpacked if need be, added to `b`; KEER_ELIMIT when b->max would be exceeded. b is cut back on
 * failure. */
KEER_NODISCARD enum keer_err io_slurp(struct buf *b, const char *path, struct io_why *ret_why);

struct io_out {
    int fd;
    enum keer_err err;
    struct io_why why; /* of err */
    char *buffer;      /* IO_OUT_BYTES */
    size_t len;
    uint64_t written;  /* bytes put so far */
    char *path, *temp; /* owned; path NULL = written directly; temp NULL = has no name yet */
    const char *shown; /* how messages call it; borrowed */
    bool eager;        /* a terminal: every put is written at once */
    bool owned;        /* the descriptor is closed here */
};

/* Creates the file's successor (invariant 3), or takes standard output for "-". KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err io_out_open(struct io_out *out, const char *path, struct io_why *ret_why);
/* An open descriptor that stays open; `shown` names it in messages. */
KEER_NODISCARD enum keer_err io_out_fd(struct io_out *out, int fd, const char *shown);
void io_out_put(struct io_out *out, struct slice s);
void io_out_puts(struct io_out *out, const char *s);
/* Hands what is buffered to the system now; for outputs that somebody is waiting for. */
void io_out_flush(struct io_out *out);
/* Flush, sync, rename; then nothing is held any more. On failure the old file is as it was. KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err io_out_commit(struct io_out *out, struct io_why *ret_why);
/* Forgets an output that was not committed. Twice, or on what was zeroed or committed, is fine. */
void io_out_abandon(struct io_out *out);
#endif
