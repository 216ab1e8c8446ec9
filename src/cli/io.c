/* io.c - inputs in chunks (xz unpacked by a child process), and outputs that are renamed into place when whole. */
#include "cli/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEMP_NAMES_MAX 100

extern char **environ;

static const char xz_magic[6] = {(char)0xFD, '7', 'z', 'X', 'Z', 0};

KEER_PRINTF(3, 4)
static enum keer_err why_set(struct io_why *why, enum keer_err err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, ap);
    va_end(ap);
    return err;
}

/* --- input ------------------------------------------------------------------------------------------------------ */

static ssize_t read_some(int fd, char *to, size_t room)
{
    ssize_t n;
    do
        n = read(fd, to, room);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Starts xz on `file` from its present offset; *ret_fd is the end to read from. */
static int xz_start(int file, pid_t *ret_pid, int *ret_fd)
{
    char name[] = "xz", flags[] = "-dcqq";
    char *const args[] = {name, flags, NULL};
    int ends[2], rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if ((rc = posix_spawn_file_actions_init(&actions)) != 0)
        goto out_pipe;
    if ((rc = posix_spawnattr_init(&attr)) != 0)
        goto out_actions;
    /* keer ignores SIGPIPE; xz must not, so that it ends when nobody reads on. */
    if ((rc = posix_spawnattr_setsigdefault(&attr, &pipe_only)) != 0 ||
        (rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF)) != 0 ||
        (rc = posix_spawn_file_actions_adddup2(&actions, file, 0)) != 0 ||
        (rc = posix_spawn_file_actions_adddup2(&actions, ends[1], 1)) != 0)
        goto out_attr;
    rc = posix_spawnp(ret_pid, "xz", &actions, &attr, args, environ);
out_attr:
    (void)posix_spawnattr_destroy(&attr);
out_actions:
    (void)posix_spawn_file_actions_destroy(&actions);
out_pipe:
    (void)close(ends[1]);
    if (rc == 0)
        *ret_fd = ends[0];
    else
        (void)close(ends[0]);
    return rc;
}

static enum keer_err xz_attach(struct io_in *in, bool seekable, struct io_why *why)
{
    if (!seekable)
        return why_set(why, KEER_EUNSUPPORTED, "%s is packed by xz and comes through a pipe: put `xz -dc |` before it",
                       in->path);
    if (lseek(in->file, -(off_t)in->peeked, SEEK_CUR) < 0)
        return why_set(why, KEER_EIO, "cannot read '%s': %s", in->path, strerror(errno));
    int rc = xz_start(in->file, &in->xz, &in->fd);
    in->peeked = 0;
    if (rc == 0)
        return KEER_OK;
    in->xz = 0;
    if (rc == ENOENT)
        return why_set(why, KEER_EUNSUPPORTED,
                       "'%s' is packed by xz and the program xz is not here: install xz-utils or unpack it first", in->path);
    return why_set(why, KEER_EIO, "cannot start xz for '%s': %s", in->path, strerror(rc));
}

enum keer_err io_open(struct io_in *in, const char *path, struct io_why *ret_why)
{
    struct stat st;
    enum keer_err err;
    bool std = strcmp(path, "-") == 0;
    *in = (struct io_in){.path = std ? "standard input" : path, .fd = -1, .file = -1};
    in->file = std ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (in->file < 0)
        return why_set(ret_why, KEER_EIO, "cannot open '%s': %s", in->path, strerror(errno));
    in->fd = in->file;
    if (fstat(in->file, &st) < 0) {
        err = why_set(ret_why, KEER_EIO, "cannot read '%s': %s", in->path, strerror(errno));
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        err = why_set(ret_why, KEER_EIO, "cannot read '%s': it is a folder", in->path);
        goto fail;
    }
    off_t at = lseek(in->file, 0, SEEK_CUR);
    if (S_ISREG(st.st_mode))
        in->size = (uint64_t)st.st_size;
    in->chunk = malloc(IO_CHUNK_BYTES);
    if (!in->chunk) {
        err = why_set(ret_why, KEER_ENOMEM, "no memory to read '%s'", in->path);
        goto fail;
    }
    while (in->peeked < sizeof xz_magic) { /* a pipe may give less than was asked for */
        ssize_t n = read_some(in->file, in->chunk + in->peeked, IO_CHUNK_BYTES - in->peeked);
        if (n < 0) {
            err = why_set(ret_why, KEER_EIO, "cannot read '%s': %s", in->path, strerror(errno));
            goto fail;
        }
        if (n == 0)
            break;
        in->peeked += (size_t)n;
    }
    if (in->peeked < sizeof xz_magic || memcmp(in->chunk, xz_magic, sizeof xz_magic) != 0)
        return KEER_OK;
    if ((err = xz_attach(in, at >= 0, ret_why)) == KEER_OK)
        return KEER_OK;
fail:
    io_close(in);
    return err;
}

/* The end of xz's output: whole only if xz says so. */
static enum keer_err xz_end(struct io_in *in, struct io_why *why)
{
    int status = 0;
    pid_t pid;
    do
        pid = waitpid(in->xz, &status, 0);
    while (pid < 0 && errno == EINTR);
    in->xz = 0;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return KEER_OK;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127)
        return why_set(why, KEER_EFORMAT, "'%s' is damaged or cut off: xz ended with code %d", in->path,
                       WEXITSTATUS(status));
    return why_set(why, KEER_EIO, "xz could not unpack '%s'", in->path);
}

enum keer_err io_read(struct io_in *in, struct slice *ret_chunk, struct io_why *ret_why)
{
    ssize_t n = (ssize_t)in->peeked;
    in->peeked = 0;
    if (n == 0 && !in->ended) {
        n = read_some(in->fd, in->chunk, IO_CHUNK_BYTES);
        if (n < 0)
            return why_set(ret_why, KEER_EIO, "cannot read '%s': %s", in->path, strerror(errno));
        if (n == 0) {
            in->ended = true;
            enum keer_err err = in->xz ? xz_end(in, ret_why) : KEER_OK;
            if (err != KEER_OK)
                return err;
        }
    }
    in->read += (uint64_t)n;
    *ret_chunk = slice_of(in->chunk, (size_t)n);
    return KEER_OK;
}

uint64_t io_position(const struct io_in *in)
{
    /* xz shares the offset of the file with us, so that this holds for packed input too. */
    off_t at = in->size && in->file >= 0 ? lseek(in->file, 0, SEEK_CUR) : -1;
    return at >= 0 ? (uint64_t)at : in->read;
}

void io_close(struct io_in *in)
{
    if (in->path) {
        if (in->fd >= 0 && in->fd != in->file)
            (void)close(in->fd);
        if (in->file >= 0)
            (void)close(in->file);
    }
    if (in->xz > 0) {
        int status;
        (void)kill(in->xz, SIGTERM);
        while (waitpid(in->xz, &status, 0) < 0 && errno == EINTR)
            ;
    }
    free(in->chunk);
    *in = (struct io_in){0};
}

enum keer_err io_slurp(struct buf *b, const char *path, struct io_why *ret_why)
{
    struct io_in in;
    size_t before = b->len;
    enum keer_err err = io_open(&in, path, ret_why);
    if (err != KEER_OK)
        return err;
    for (;;) {
        struct slice chunk;
        if ((err = io_read(&in, &chunk, ret_why)) != KEER_OK || chunk.len == 0)
            break;
        buf_slice(b, chunk);
        if (b->err == KEER_ELIMIT) {
            err = why_set(ret_why, KEER_ELIMIT, "'%s' is longer than the %zu bytes that are allowed", in.path,
                          b->max - before);
            break;
        }
        if (b->err != KEER_OK) {
            err = why_set(ret_why, b->err, "no memory to read '%s'", in.path);
            break;
        }
    }
    io_close(&in);
    if (err != KEER_OK && b->p) {
        b->len = before;
        b->p[before] = '\0';
    }
    return err;
}

/* --- output ----------------------------------------------------------------------------------------------------- */

static void out_failed(struct io_out *out, enum keer_err err, const char *what, int number)
{
    if (out->err != KEER_OK)
        return;
    out->err = why_set(&out->why, err, "cannot %s '%s': %s", what, out->shown, strerror(number));
    out->len = 0;
}

static void out_release(struct io_out *out)
{
    if (out->owned && out->fd >= 0)
        (void)close(out->fd);
    free(out->buffer);
    free(out->path);
    free(out->temp);
    *out = (struct io_out){.fd = -1};
}

/* A free name beside the path, in *ret_name; the caller tries it and comes back with the next n when it is taken. */
static char *temp_name(const char *path, int n)
{
    size_t room = strlen(path) + 40;
    char *name = malloc(room);
    if (name)
        (void)snprintf(name, room, "%s.keer-%ld-%d", path, (long)getpid(), n);
    return name;
}

/* The folder of out->path, opened; -1 on failure. */
static int folder_open(const char *path, int flags, mode_t mode)
{
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = malloc(len + 1);
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    int fd = open(folder, flags | O_CLOEXEC, mode);
    int number = errno;
    free(folder);
    errno = number;
    return fd;
}

/* A file without a name in the folder of the path, or one under a temporary name where the file system can't. */
static int successor_open(struct io_out *out)
{
    out->fd = folder_open(out->path, O_TMPFILE | O_WRONLY, 0666);
    if (out->fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return errno;
    for (int n = 0; n < TEMP_NAMES_MAX; n++) {
        char *name = temp_name(out->path, n);
        if (!name)
            return ENOMEM;
        out->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (out->fd >= 0) {
            out->temp = name;
            return 0;
        }
        int number = errno;
        free(name);
        if (number != EEXIST)
            return number;
    }
    return EEXIST;
}

enum keer_err io_out_fd(struct io_out *out, int fd, const char *shown)
{
    *out = (struct io_out){.fd = fd, .shown = shown, .eager = isatty(fd) == 1};
    out->buffer = malloc(IO_OUT_BYTES);
    if (out->buffer)
        return KEER_OK;
    *out = (struct io_out){.fd = -1};
    return KEER_ENOMEM;
}

enum keer_err io_out_open(struct io_out *out, const char *path, struct io_why *ret_why)
{
    if (strcmp(path, "-") == 0) {
        enum keer_err err = io_out_fd(out, STDOUT_FILENO, "standard output");
        return err == KEER_OK ? err : why_set(ret_why, err, "no memory to write standard output");
    }
    struct stat st;
    bool exists = stat(path, &st) == 0;
    int number = exists ? 0 : errno;
    *out = (struct io_out){.fd = -1, .shown = path, .owned = true};
    if (!exists && number != ENOENT)
        goto fail;
    if (exists && S_ISDIR(st.st_mode)) {
        number = EISDIR;
        goto fail;
    }
    if (exists && !S_ISREG(st.st_mode)) {
        out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        number = errno;
        if (out->fd < 0)
            goto fail;
    } else {
        /* Through a symbolic link it is the file it points to that is replaced, not the link. */
        out->path = exists ? realpath(path, NULL) : strdup(path);
        number = out->path ? successor_open(out) : errno;
        if (number != 0)
            goto fail;
        if (exists && fchmod(out->fd, st.st_mode & 07777) < 0) {
            number = errno;
            goto fail;
        }
    }
    out->buffer = malloc(IO_OUT_BYTES);
    if (out->buffer)
        return KEER_OK;
    number = ENOMEM;
fail:
    io_out_abandon(out);
    return why_set(ret_why, number == ENOMEM ? KEER_ENOMEM : KEER_EIO, "cannot create '%s': %s", path, strerror(number));
}

static void write_all(struct io_out *out, struct slice s)
{
    while (s.len && out->err == KEER_OK) {
        ssize_t n = write(out->fd, s.p, s.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            out_failed(out, KEER_EIO, "write", errno);
            return;
        }
        s.p += n;
        s.len -= (size_t)n;
    }
}

void io_out_flush(struct io_out *out)
{
    struct slice s = slice_of(out->buffer, out->len);
    out->len = 0;
    write_all(out, s);
}

void io_out_put(struct io_out *out, struct slice s)
{
    if (out->err != KEER_OK)
        return;
    out->written += s.len;
    if (s.len > IO_OUT_BYTES - out->len)
        io_out_flush(out);
    if (s.len >= IO_OUT_BYTES) {
        write_all(out, s);
    } else if (s.len && out->err == KEER_OK) {
        memcpy(out->buffer + out->len, s.p, s.len);
        out->len += s.len;
    }
    if (out->eager)
        io_out_flush(out);
}

void io_out_puts(struct io_out *out, const char *s) { io_out_put(out, slice_str(s)); }

/* Gives the nameless file a temporary name, from which it can be renamed over the old one. */
static int successor_name(struct io_out *out)
{
    char self[64];
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", out->fd);
    for (int n = 0; n < TEMP_NAMES_MAX; n++) {
        char *name = temp_name(out->path, n);
        if (!name)
            return ENOMEM;
        if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
            out->temp = name;
            return 0;
        }
        int number = errno;
        free(name);
        if (number != EEXIST)
            return number;
    }
    return EEXIST;
}

enum keer_err io_out_commit(struct io_out *out, struct io_why *ret_why)
{
    io_out_flush(out);
    if (out->path && out->err == KEER_OK) {
        int number = 0;
        if (fsync(out->fd) < 0 || (!out->temp && (number = successor_name(out)) != 0) || rename(out->temp, out->path) < 0)
            out_failed(out, KEER_EIO, "write", number ? number : errno);
    }
    if (out->path && out->err == KEER_OK) {
        free(out->temp); /* renamed: there is nothing to unlink any more */
        out->temp = NULL;
        int folder = folder_open(out->path, O_RDONLY | O_DIRECTORY, 0);
        if (folder < 0 || (fsync(folder) < 0 && errno != EINVAL)) /* some file systems can't sync a folder */
            out_failed(out, KEER_EIO, "sync the folder of", errno);
        if (folder >= 0)
            (void)close(folder);
    }
    enum keer_err err = out->err;
    if (err != KEER_OK)
        *ret_why = out->why;
    io_out_abandon(out);
    return err;
}

void io_out_abandon(struct io_out *out)
{
    if (out->temp)
        (void)unlink(out->temp);
    out_release(out);
}
