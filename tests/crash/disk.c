/* disk.c - a disk that fails, or loses its power, under SQLite: a library to preload (LD_PRELOAD), and the program that
 * applies a power cut. It stands over what Debian's libsqlite3 calls for its files: open64, close, pwrite64, write,
 * ftruncate64, fdatasync, unlink.
 *
 *   KEER_DISK=PATH        the files it is about: those whose names begin so, the lock file and -shm (no record) left out
 *   KEER_DISK_FAULT=W:N:H W: write, sync. N: the how-manieth call fails. H: EIO once, ENOSPC from then on, short (half of
 * it) KEER_DISK_CALLS=FILE  'write COUNT sync COUNT hit 0|1' when the process ends in order KEER_DISK_UNDO=FILE   what each
 * write overwrote, until its file is synced
 *
 * As a program: `disk PATH UNDO SEED` cuts the power: of what was written and not synced each sector of 512 bytes is lost or
 * kept, by the seed, and so is the size; with a seed that 3 divides all is lost. Names that were made or removed are taken
 * as durable.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define FDS 1024
#define SYNC_US 2000 /* as a disk takes; else hardly a kill would find something that is not synced */
#define FILES 4

enum { RECORD_WRITE, RECORD_SYNC, RECORD_REMOVE };
struct record { /* in the undo file; `len` bytes of what was there follow a write */
    int32_t kind, file;
    int64_t offset, len, size; /* size: of the file before it */
};
static const char *const suffixes[FILES] = {"", "-wal", "-journal", ".tmp"};

#ifndef DISK_PROGRAM

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix;
static int files[FDS]; /* 1 + index of the suffix; 0 = not ours */
static int undo = -1;
static long writes, syncs, fail_at;
static bool on_sync, hit;
static char how[16];

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_truncate)(int, off64_t);
static int (*real_sync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void)
{
    *(void **)&real_open = dlsym(RTLD_NEXT, "open64");
    *(void **)&real_close = dlsym(RTLD_NEXT, "close");
    *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_truncate = dlsym(RTLD_NEXT, "ftruncate64");
    *(void **)&real_sync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real_unlink = dlsym(RTLD_NEXT, "unlink");
    prefix = getenv("KEER_DISK");
    const char *fault = getenv("KEER_DISK_FAULT"), *path = getenv("KEER_DISK_UNDO");
    char what[16];
    if (fault && sscanf(fault, "%15[^:]:%ld:%15s", what, &fail_at, how) == 3)
        on_sync = what[0] == 's';
    if (path)
        undo = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("KEER_DISK_CALLS");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "write %ld sync %ld hit %d\n", writes, syncs, hit);
        (void)fclose(f);
    }
}

static int file_of(const char *path)
{
    size_t n = prefix ? strlen(prefix) : 0;
    if (!n || strncmp(path, prefix, n) != 0)
        return 0;
    for (int i = 0; i < FILES; i++)
        if (strcmp(path + n, suffixes[i]) == 0)
            return i + 1;
    return 0;
}

/* Counts a call; whether it is the one that fails. */
static bool fails(bool sync)
{
    long n = sync ? ++syncs : ++writes;
    bool now = fail_at && sync == on_sync && (n == fail_at || (n > fail_at && how[1] == 'N'));
    hit = hit || now;
    return now;
}

static void note(int kind, int fd, int file, int64_t offset, int64_t len)
{
    struct stat st = {0};
    if (undo < 0)
        return;
    if (fd >= 0)
        (void)fstat(fd, &st);
    struct record r = {.kind = kind, .file = file - 1, .size = st.st_size};
    char *was = NULL;
    if (kind == RECORD_WRITE) {
        r.offset = offset / SECTOR * SECTOR;
        r.len = (offset + len + SECTOR - 1) / SECTOR * SECTOR - r.offset;
        was = calloc(1, (size_t)r.len + 1);
        if (!was || pread(fd, was, (size_t)r.len, r.offset) < 0)
            abort();
    }
    if (real_write(undo, &r, sizeof r) != (ssize_t)sizeof r || (r.len && real_write(undo, was, (size_t)r.len) != r.len))
        abort();
    free(was);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = real_open(path, flags, va_arg(ap, unsigned));
    va_end(ap);
    if (fd >= 0 && fd < FDS)
        files[fd] = file_of(path);
    return fd;
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        files[fd] = 0;
    return real_close(fd);
}

static int ours(int fd) { return fd >= 0 && fd < FDS ? files[fd] : 0; }

ssize_t pwrite64(int fd, const void *p, size_t len, off64_t offset)
{
    if (!ours(fd))
        return real_pwrite(fd, p, len, offset);
    (void)pthread_mutex_lock(&mutex);
    bool bad = fails(false);
    if (bad && how[0] == 'E') {
        (void)pthread_mutex_unlock(&mutex);
        errno = how[1] == 'I' ? EIO : ENOSPC;
        return -1;
    }
    if (bad)
        len = len / 2;
    note(RECORD_WRITE, fd, ours(fd), offset, (int64_t)len);
    ssize_t n = real_pwrite(fd, p, len, offset);
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

ssize_t write(int fd, const void *p, size_t len)
{
    if (!ours(fd))
        return real_write(fd, p, len);
    return pwrite64(fd, p, len, lseek(fd, 0, SEEK_CUR)); /* SQLite does not: for completeness */
}

int ftruncate64(int fd, off64_t size)
{
    struct stat st;
    if (ours(fd) && fstat(fd, &st) == 0 && st.st_size > size) {
        (void)pthread_mutex_lock(&mutex);
        note(RECORD_WRITE, fd, ours(fd), size, st.st_size - size);
        (void)pthread_mutex_unlock(&mutex);
    }
    return real_truncate(fd, size);
}

int fdatasync(int fd)
{
    if (!ours(fd))
        return real_sync(fd);
    if (undo >= 0)
        (void)usleep(SYNC_US);
    (void)pthread_mutex_lock(&mutex);
    bool bad = fails(true);
    if (!bad)
        note(RECORD_SYNC, fd, ours(fd), 0, 0);
    (void)pthread_mutex_unlock(&mutex);
    if (bad)
        errno = how[1] == 'N' ? ENOSPC : EIO;
    return bad ? -1 : 0;
}

int fsync(int fd) { return fdatasync(fd); }

int unlink(const char *path)
{
    int file = file_of(path);
    if (file) {
        (void)pthread_mutex_lock(&mutex);
        note(RECORD_REMOVE, -1, file, 0, 0);
        (void)pthread_mutex_unlock(&mutex);
    }
    return real_unlink(path);
}

#else

#define SECTORS (1 << 20) /* of a file: half a gigabyte */

struct state {
    char **was; /* the sector as it was synced; NULL = nothing was written since */
    int64_t size;
    bool changed;
};

static void forget(struct state *f)
{
    for (int i = 0; f->changed && i < SECTORS; i++) {
        free(f->was[i]);
        f->was[i] = NULL;
    }
    f->changed = false;
}

static uint64_t flip(uint64_t *seed)
{
    *seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = (*seed ^ *seed >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) & 1;
}

static int cut(const char *path, struct state *f, uint64_t seed, bool all)
{
    int lost = 0, fd = f->changed ? open(path, O_RDWR) : -1;
    for (int64_t i = 0; fd >= 0 && i < SECTORS; i++)
        if (f->was[i] && (all || flip(&seed))) {
            lost++;
            if (pwrite(fd, f->was[i], SECTOR, i * SECTOR) != SECTOR)
                abort();
        }
    if (fd >= 0 && (all || flip(&seed)) && ftruncate(fd, f->size) != 0)
        abort();
    if (fd >= 0)
        (void)close(fd);
    return lost;
}

int main(int argc, char **argv)
{
    static struct state state[FILES];
    struct record r;
    FILE *in = argc == 4 ? fopen(argv[2], "r") : NULL;
    if (!in)
        return 2;
    for (int i = 0; i < FILES; i++)
        if (!(state[i].was = calloc(SECTORS, sizeof(char *))))
            return 2;
    while (fread(&r, sizeof r, 1, in) == 1) {
        struct state *f = &state[r.file];
        if (r.kind != RECORD_WRITE) {
            forget(f);
            continue;
        }
        if (!f->changed)
            f->size = r.size;
        f->changed = true;
        for (int64_t i = r.offset / SECTOR; i < (r.offset + r.len) / SECTOR; i++) {
            char *sector = malloc(SECTOR);
            if (!sector || i >= SECTORS)
                return 2;
            if (fread(sector, SECTOR, 1, in) != 1)
                break; /* the kill came while it was noted: the write did not happen */
            if (f->was[i])
                free(sector);
            else
                f->was[i] = sector;
        }
    }
    (void)fclose(in);
    uint64_t seed = strtoull(argv[3], NULL, 10);
    int lost = 0;
    for (int i = 0; i < FILES; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s%s", argv[1], suffixes[i]);
        lost += cut(path, &state[i], seed * FILES + (uint64_t)i, seed % 3 == 0);
    }
    printf("%d sectors lost\n", lost);
    return 0;
}

#endif
