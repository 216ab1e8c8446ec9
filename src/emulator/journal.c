/* journal.c - lines gathered under a lock, written by a thread. */
#include "emulator/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define GATHER_BYTES ((size_t)64 << 20)

struct journal {
    int fd;
    bool sync, ending;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, written;
    struct buf gathered;
    uint64_t seq, bytes, bytes_written, seq_written;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "emulator: the journal can't be %s: %s\n", what, strerror(errno));
    _exit(5);
}

static void write_all(struct journal *j, struct slice s)
{
    while (s.len) {
        ssize_t n = write(j->fd, s.p, s.len);
        if (n < 0 && errno != EINTR)
            fail("written");
        if (n > 0)
            s = slice_of(s.p + n, s.len - (size_t)n);
    }
    if (j->sync && fdatasync(j->fd) != 0)
        fail("synced");
}

static void *run(void *arg)
{
    struct journal *j = arg;
    struct buf mine;
    buf_init(&mine, GATHER_BYTES);
    pthread_mutex_lock(&j->lock);
    while (!j->ending || j->gathered.len) {
        if (!j->gathered.len) {
            pthread_cond_wait(&j->more, &j->lock);
            continue;
        }
        struct buf swap = j->gathered;
        j->gathered = mine;
        mine = swap;
        uint64_t seq = j->seq;
        pthread_mutex_unlock(&j->lock);
        write_all(j, buf_view(&mine));
        pthread_mutex_lock(&j->lock);
        j->bytes_written += mine.len;
        j->seq_written = seq;
        buf_clear(&mine);
        pthread_cond_broadcast(&j->written);
    }
    pthread_mutex_unlock(&j->lock);
    buf_release(&mine);
    return NULL;
}

enum keer_err em_journal_open(const char *path, bool sync, struct journal **ret_journal)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return KEER_ENOMEM;
    j->sync = sync;
    j->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0) {
        free(j);
        return KEER_EIO;
    }
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    pthread_cond_init(&j->written, NULL);
    buf_init(&j->gathered, GATHER_BYTES);
    if (pthread_create(&j->thread, NULL, run, j) != 0) {
        (void)close(j->fd);
        free(j);
        return KEER_EIO;
    }
    *ret_journal = j;
    return KEER_OK;
}

void em_journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->ending = true;
    pthread_cond_signal(&j->more);
    pthread_mutex_unlock(&j->lock);
    (void)pthread_join(j->thread, NULL);
    (void)close(j->fd);
    buf_release(&j->gathered);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->more);
    pthread_cond_destroy(&j->written);
    free(j);
}

static void added(struct journal *j, size_t before)
{
    if (j->gathered.err != KEER_OK) {
        errno = ENOSPC;
        fail("kept: too much waits for the disk");
    }
    j->bytes += j->gathered.len - before;
    pthread_cond_signal(&j->more);
}

uint64_t em_journal_put(struct journal *j, struct slice rest)
{
    pthread_mutex_lock(&j->lock);
    uint64_t seq = ++j->seq;
    size_t before = j->gathered.len;
    buf_fmt(&j->gathered, "{\"seq\":%llu,", (unsigned long long)seq);
    buf_slice(&j->gathered, rest);
    added(j, before);
    pthread_mutex_unlock(&j->lock);
    return seq;
}

void em_journal_raw(struct journal *j, struct slice bytes)
{
    pthread_mutex_lock(&j->lock);
    size_t before = j->gathered.len;
    buf_slice(&j->gathered, bytes);
    added(j, before);
    pthread_mutex_unlock(&j->lock);
}

void em_journal_wait(struct journal *j, uint64_t seq)
{
    if (!j->sync || !seq)
        return;
    pthread_mutex_lock(&j->lock);
    while (j->seq_written < seq)
        pthread_cond_wait(&j->written, &j->lock);
    pthread_mutex_unlock(&j->lock);
}

uint64_t em_journal_count(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->seq;
    pthread_mutex_unlock(&j->lock);
    return n;
}

enum keer_err em_journal_read(struct journal *j, struct buf *b)
{
    struct stat st;
    pthread_mutex_lock(&j->lock);
    for (uint64_t until = j->bytes; j->bytes_written < until;)
        pthread_cond_wait(&j->written, &j->lock);
    pthread_mutex_unlock(&j->lock);
    if (fstat(j->fd, &st) != 0)
        return KEER_EIO;
    for (off_t at = 0; at < st.st_size;) {
        char *room = buf_reserve(b, 1 << 16);
        ssize_t n = room ? pread(j->fd, room, 1 << 16, at) : 0;
        if (n <= 0)
            return room ? KEER_EIO : b->err;
        b->len += (size_t)n;
        at += n;
    }
    return b->err;
}
