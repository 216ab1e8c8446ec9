/* disk.c - files in memory under SQLite: what was not synced may be lost, and what is written may fail.
 *
 * A file has its bytes as they were written, and as they were at the last sync. SQLite's own rule for a disk is kept: a sector
 * of 512 bytes is the old or the new one after a crash, in any combination. One connection, so that locks say yes and the
 * index of the WAL is memory of the process.
 */
#include <sqlite3.h>

#include "sim/sim.h"

#define FILES_MAX 4
#define SECTOR 512u
#define SHM_MAX 64

struct bytes {
    unsigned char *p;
    size_t len, cap;
};
struct file {
    char name[220];
    bool there;
    struct bytes now, safe;
    size_t dirty_from, dirty_to; /* what may differ between the two */
    bool kept;
    struct bytes image; /* of disk_keep */
};
struct handle {
    sqlite3_file base;
    struct file *file;
    void *shm[SHM_MAX];
};
static struct file files[FILES_MAX];
static uint64_t ops, fail_at;
static bool fail_on;
static uint64_t randomness;

static void grow(struct bytes *b, size_t len)
{
    if (len > b->cap) {
        b->cap = MAX_OF(len, b->cap * 2);
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    if (len > b->len)
        memset(b->p + b->len, 0, len - b->len);
    b->len = len;
}
static void copy(struct bytes *to, const struct bytes *from)
{
    grow(to, from->len);
    if (from->len)
        memcpy(to->p, from->p, from->len);
}

/* --- failing --- */

void disk_fail(uint64_t n, bool on)
{
    ops = 0;
    fail_at = n;
    fail_on = on;
}
static bool fails(void)
{
    ops++;
    return sim.dead || (fail_at && (ops == fail_at || (fail_on && ops > fail_at)));
}

void disk_crash(struct rng *r)
{
    for (struct file *f = files; f < files + FILES_MAX; f++) {
        if (!f->there)
            continue;
        size_t len = f->now.len > f->safe.len && rng_chance(r, 0.5) ? f->safe.len : f->now.len;
        size_t was = f->safe.len;
        grow(&f->safe, len);
        for (size_t at = f->dirty_from / SECTOR * SECTOR; at < MIN_OF(f->dirty_to, MIN_OF(len, f->now.len)); at += SECTOR) {
            size_t n = MIN_OF((size_t)SECTOR, MIN_OF(len, f->now.len) - at);
            if (rng_chance(r, 0.5))
                memcpy(f->safe.p + at, f->now.p + at, n);
            else if (at >= was)
                memset(f->safe.p + at, 0, n); /* allocated and never written */
        }
        copy(&f->now, &f->safe);
        f->dirty_from = SIZE_MAX;
        f->dirty_to = 0;
    }
}

void disk_keep(void)
{
    for (struct file *f = files; f < files + FILES_MAX; f++) {
        f->kept = f->there;
        copy(&f->image, &f->now);
    }
}
void disk_reset(void)
{
    disk_fail(0, false);
    randomness = 1;
    for (struct file *f = files; f < files + FILES_MAX; f++) {
        f->there = f->kept;
        copy(&f->now, &f->image);
        copy(&f->safe, &f->image);
        f->dirty_from = SIZE_MAX;
        f->dirty_to = 0;
    }
}

/* --- a file --- */

static struct handle *handle_of(sqlite3_file *f) { return (struct handle *)(void *)f; }

static int x_close(sqlite3_file *f)
{
    UNUSED(f);
    return SQLITE_OK;
}
static int x_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    const struct bytes *b = &handle_of(f)->file->now;
    size_t from = (size_t)at, len = (size_t)n;
    size_t have = from < b->len ? MIN_OF(len, b->len - from) : 0;
    if (have)
        memcpy(to, b->p + from, have);
    memset((char *)to + have, 0, len - have);
    return have == len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}
static void touched(struct file *f, size_t from, size_t to)
{
    f->dirty_from = MIN_OF(f->dirty_from, from);
    f->dirty_to = MAX_OF(f->dirty_to, to);
}
static int x_write(sqlite3_file *h, const void *from, int n, sqlite3_int64 at)
{
    struct file *f = handle_of(h)->file;
    if (fails())
        return SQLITE_IOERR_WRITE;
    size_t end = (size_t)at + (size_t)n;
    if (end > f->now.len)
        grow(&f->now, end);
    memcpy(f->now.p + at, from, (size_t)n);
    touched(f, (size_t)at, end);
    return SQLITE_OK;
}
static int x_truncate(sqlite3_file *h, sqlite3_int64 len)
{
    struct file *f = handle_of(h)->file;
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)len < f->now.len)
        touched(f, (size_t)len, f->now.len);
    grow(&f->now, (size_t)len);
    return SQLITE_OK;
}
static int x_sync(sqlite3_file *h, int flags)
{
    struct file *f = handle_of(h)->file;
    UNUSED(flags);
    if (fails())
        return SQLITE_IOERR_FSYNC;
    size_t from = MIN_OF(f->dirty_from, f->now.len), to = MIN_OF(f->dirty_to, f->now.len);
    grow(&f->safe, f->now.len);
    if (from < to)
        memcpy(f->safe.p + from, f->now.p + from, to - from);
    f->dirty_from = SIZE_MAX;
    f->dirty_to = 0;
    return SQLITE_OK;
}
static int x_size(sqlite3_file *h, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)handle_of(h)->file->now.len;
    return SQLITE_OK;
}
static int x_lock(sqlite3_file *h, int level)
{
    UNUSED(h);
    UNUSED(level);
    return SQLITE_OK;
}
static int x_reserved(sqlite3_file *h, int *ret)
{
    UNUSED(h);
    *ret = 0;
    return SQLITE_OK;
}
static int x_control(sqlite3_file *h, int op, void *arg)
{
    UNUSED(h);
    UNUSED(op);
    UNUSED(arg);
    return SQLITE_NOTFOUND;
}
static int x_sector(sqlite3_file *h)
{
    UNUSED(h);
    return SECTOR;
}
static int x_device(sqlite3_file *h)
{
    UNUSED(h);
    return 0;
}
static int x_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
    struct handle *h = handle_of(f);
    if (region >= SHM_MAX)
        return SQLITE_IOERR_SHMSIZE;
    if (!h->shm[region] && extend)
        h->shm[region] = calloc(1, (size_t)size);
    *ret = h->shm[region];
    return h->shm[region] || !extend ? SQLITE_OK : SQLITE_NOMEM;
}
static int x_shm_lock(sqlite3_file *h, int offset, int n, int flags)
{
    UNUSED(h);
    UNUSED(offset);
    UNUSED(n);
    UNUSED(flags);
    return SQLITE_OK;
}
static void x_shm_barrier(sqlite3_file *h) { UNUSED(h); }
static int x_shm_unmap(sqlite3_file *f, int delete_it)
{
    struct handle *h = handle_of(f);
    UNUSED(delete_it);
    for (unsigned i = 0; i < SHM_MAX; i++) {
        free(h->shm[i]);
        h->shm[i] = NULL;
    }
    return SQLITE_OK;
}
static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = x_close,
                                           .xRead = x_read,
                                           .xWrite = x_write,
                                           .xTruncate = x_truncate,
                                           .xSync = x_sync,
                                           .xFileSize = x_size,
                                           .xLock = x_lock,
                                           .xUnlock = x_lock,
                                           .xCheckReservedLock = x_reserved,
                                           .xFileControl = x_control,
                                           .xSectorSize = x_sector,
                                           .xDeviceCharacteristics = x_device,
                                           .xShmMap = x_shm_map,
                                           .xShmLock = x_shm_lock,
                                           .xShmBarrier = x_shm_barrier,
                                           .xShmUnmap = x_shm_unmap};

/* --- the folder --- */

static struct file *find(const char *name, bool make)
{
    struct file *empty = NULL;
    for (struct file *f = files; f < files + FILES_MAX; f++) {
        if (f->name[0] && strcmp(f->name, name) == 0)
            return f;
        if (!f->name[0] && !empty)
            empty = f;
    }
    if (!make || !empty)
        return NULL;
    (void)snprintf(empty->name, sizeof empty->name, "%s", name);
    empty->dirty_from = SIZE_MAX;
    return empty;
}
static int v_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *f, int flags, int *ret_flags)
{
    UNUSED(v);
    struct handle *h = handle_of(f);
    memset(h, 0, sizeof *h);
    h->file = name ? find(name, true) : NULL;
    if (!h->file || (!h->file->there && !(flags & SQLITE_OPEN_CREATE)))
        return SQLITE_CANTOPEN;
    h->file->there = true;
    h->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}
static int v_delete(sqlite3_vfs *v, const char *name, int sync)
{
    UNUSED(v);
    UNUSED(sync);
    struct file *f = find(name, false);
    if (fails())
        return SQLITE_IOERR_DELETE;
    if (!f || !f->there)
        return SQLITE_IOERR_DELETE_NOENT;
    f->there = false;
    f->now.len = f->safe.len = 0;
    f->dirty_from = SIZE_MAX;
    f->dirty_to = 0;
    return SQLITE_OK;
}
static int v_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
    UNUSED(v);
    UNUSED(flags);
    const struct file *f = find(name, false);
    *ret = f && f->there && f->now.len > 0;
    return SQLITE_OK;
}
static int v_full(sqlite3_vfs *v, const char *name, int n, char *ret)
{
    UNUSED(v);
    (void)snprintf(ret, (size_t)n, "%s", name);
    return SQLITE_OK;
}
static int v_random(sqlite3_vfs *v, int n, char *ret)
{
    UNUSED(v);
    struct rng r;
    rng_seed(&r, ++randomness);
    for (int i = 0; i < n; i++)
        ret[i] = (char)(rng_u64(&r) & 0xFF);
    return n;
}
static int v_sleep(sqlite3_vfs *v, int us)
{
    UNUSED(v);
    return us;
}
static int v_time(sqlite3_vfs *v, double *ret)
{
    UNUSED(v);
    *ret = 2458400.5; /* nothing of ours asks SQLite for the time */
    return SQLITE_OK;
}

void disk_register(void)
{
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = 200,
                              .zName = "sim",
                              .xOpen = v_open,
                              .xDelete = v_delete,
                              .xAccess = v_access,
                              .xFullPathname = v_full,
                              .xRandomness = v_random,
                              .xSleep = v_sleep,
                              .xCurrentTime = v_time};
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
