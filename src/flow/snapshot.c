/* snapshot.c - windows on disk: one file, written whole, checked before it is used. */
#include "flow/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/huge.h"

const char *snapshot_text(enum snapshot_state s)
{
    static const char *const texts[] = {
#define SNAPSHOT_STATE(name, text) text,
#include "flow/snapshot.def"
#undef SNAPSHOT_STATE
    };
    ASSERT(s < SNAPSHOT_STATE_MAX);
    return texts[s];
}

static struct slice bytes_of(const void *p, size_t len) { return slice_of((const char *)p, len); }

static void version_put(char to[32])
{
    static_assert(sizeof KEER_VERSION <= 32, "fits");
    memset(to, 0, 32);
    memcpy(to, KEER_VERSION, sizeof KEER_VERSION);
}

/* --- reading --- */

/* The first bytes of a file. Format and version are told before the header's checksum, since a header of another format has
 * it elsewhere; nothing else is. */
static enum snapshot_state header_parse(struct slice bytes, struct snapshot_header *ret)
{
    struct crypto_hash self;
    char version[32];
    struct snapshot_header h;
    if (bytes.len < sizeof h.magic)
        return SNAPSHOT_TORN;
    if (memcmp(bytes.p, SNAPSHOT_MAGIC, sizeof h.magic) != 0)
        return SNAPSHOT_FOREIGN;
    if (bytes.len < sizeof h)
        return SNAPSHOT_TORN;
    memcpy(&h, bytes.p, sizeof h);
    if (h.format != SNAPSHOT_FORMAT || h.bytes != sizeof h)
        return SNAPSHOT_VERSION;
    crypto_sha256(bytes_of(&h, offsetof(struct snapshot_header, self)), &self);
    if (!crypto_hash_eq(&self, &h.self))
        return SNAPSHOT_TORN;
    version_put(version);
    if (memcmp(version, h.version, sizeof version) != 0)
        return SNAPSHOT_VERSION;
    *ret = h;
    return SNAPSHOT_USED;
}

/* Whether a file of `bytes` is as long as its header says. */
static bool length_fits(const struct snapshot_header *h, uint64_t bytes)
{
    uint64_t content = bytes - sizeof *h;
    return bytes >= sizeof *h && h->windows_bytes <= content && h->ids_bytes == content - h->windows_bytes;
}

static bool hash_fits(const struct crypto_hash *want, struct slice s)
{
    struct crypto_hash have;
    crypto_sha256(s, &have);
    return crypto_hash_eq(want, &have);
}

enum snapshot_state snapshot_parse(struct slice bytes, struct snapshot *ret)
{
    struct snapshot s = {0};
    enum snapshot_state state = header_parse(bytes, &s.header);
    if (state != SNAPSHOT_USED)
        return state;
    if (!length_fits(&s.header, bytes.len))
        return SNAPSHOT_TORN;
    s.windows = slice_of(bytes.p + sizeof s.header, (size_t)s.header.windows_bytes);
    s.ids = slice_of(s.windows.p + s.windows.len, (size_t)s.header.ids_bytes);
    if (!hash_fits(&s.header.windows_hash, s.windows) || !hash_fits(&s.header.ids_hash, s.ids))
        return SNAPSHOT_TORN;
    *ret = s;
    return SNAPSHOT_USED;
}

static enum snapshot_state kind_fits(const struct snapshot_header *h, const struct snapshot_kind *kind)
{
    if (!crypto_hash_eq(&h->policy, &kind->policy_hash))
        return SNAPSHOT_POLICY;
    return h->memory_max == kind->limits.memory_max && h->events_per_entity == kind->limits.events_per_entity
               ? SNAPSHOT_USED
               : SNAPSHOT_OPTIONS;
}

/* Fewer bytes than asked for are the end of the file; false for an error, which is in errno. */
static bool read_all(int fd, char *to, size_t len, size_t *ret_len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, to + have, MIN_OF(len - have, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *ret_len = have;
    return true;
}

static enum snapshot_state unreadable(const char *path, struct snapshot_why *why)
{
    (void)snprintf(why->text, sizeof why->text, "%.250s: %s", path, strerror(errno));
    return SNAPSHOT_UNREADABLE;
}

/* The whole of a file whose header is right and of this kind, and whose length is what the header says. */
static enum snapshot_state read_file(int fd, const char *path, const struct snapshot_kind *kind, struct snapshot *ret,
                                     struct snapshot_why *why)
{
    struct stat st;
    size_t len = 0;
    struct snapshot_header h;
    char head[sizeof h];
    if (fstat(fd, &st) != 0 || !read_all(fd, head, sizeof head, &len))
        return unreadable(path, why);
    enum snapshot_state state = header_parse(slice_of(head, len), &h);
    if (state == SNAPSHOT_USED)
        state = kind_fits(&h, kind);
    if (state == SNAPSHOT_USED && (st.st_size < 0 || !length_fits(&h, (uint64_t)st.st_size)))
        state = SNAPSHOT_TORN;
    if (state != SNAPSHOT_USED)
        return state;
    size_t bytes = (size_t)st.st_size;
    ret->data = malloc(bytes);
    if (!ret->data)
        return SNAPSHOT_NO_MEMORY;
    huge_hint(ret->data, bytes);
    memcpy(ret->data, head, sizeof head);
    if (!read_all(fd, ret->data + sizeof head, bytes - sizeof head, &len))
        return unreadable(path, why);
    char *data = ret->data;
    state = snapshot_parse(slice_of(data, sizeof head + len), ret);
    ret->data = data;
    return state;
}

enum snapshot_state snapshot_read(const char *path, const struct snapshot_kind *kind, struct snapshot *ret,
                                  struct snapshot_why *ret_why)
{
    struct snapshot s = {0};
    ret_why->text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SNAPSHOT_NONE : unreadable(path, ret_why);
    enum snapshot_state state = read_file(fd, path, kind, &s, ret_why);
    (void)close(fd);
    if (state == SNAPSHOT_USED)
        *ret = s;
    else
        snapshot_release(&s);
    return state;
}

void snapshot_release(struct snapshot *s)
{
    free(s->data);
    *s = (struct snapshot){0};
}

/* --- the journal it belongs to --- */

static enum keer_err bind_row(struct journal *j, int64_t seq, struct crypto_hash *h)
{
    struct journal_entry e;
    enum keer_err err = journal_after(j, seq - 1, &e);
    if (err == KEER_OK && e.seq != seq)
        err = KEER_EMISSING;
    if (err == KEER_OK) {
        int64_t numbers[] = {e.seq, e.policy, e.time_us, e.decided_us, e.missing};
        crypto_sha256_add(h, bytes_of(numbers, sizeof numbers));
        crypto_sha256_add(h, e.id);
        crypto_sha256_add(h, bytes_of(e.body_hash.bytes, sizeof e.body_hash.bytes));
        crypto_sha256_add(h, e.added);
        crypto_sha256_add(h, e.decision);
        crypto_sha256_add(h, e.saw);
    }
    journal_done(j);
    return err;
}

/* KEER_EMISSING when one of the rows is not there. */
static enum keer_err bind_journal(struct journal *j, int64_t seq, struct crypto_hash *ret)
{
    struct crypto_hash h = {{0}};
    enum keer_err err = seq > 0 ? bind_row(j, 1, &h) : KEER_EMISSING;
    for (int64_t back = 0; err == KEER_OK && back < seq; back = 2 * back + 1)
        err = bind_row(j, seq - back, &h);
    if (err == KEER_OK)
        *ret = h;
    return err;
}

enum snapshot_state snapshot_fits(const struct snapshot *s, struct journal *j)
{
    struct journal_entry e;
    struct crypto_hash h;
    if (s->header.seq <= 0)
        return SNAPSHOT_CONTENT;
    enum keer_err err = journal_after(j, s->header.seq - 1, &e);
    journal_done(j);
    if (err == KEER_EMISSING)
        return SNAPSHOT_AHEAD;
    if (err == KEER_OK)
        err = bind_journal(j, s->header.seq, &h);
    if (err == KEER_EMISSING)
        return SNAPSHOT_JOURNAL;
    if (err != KEER_OK)
        return SNAPSHOT_UNREADABLE;
    return crypto_hash_eq(&h, &s->header.journal) ? SNAPSHOT_USED : SNAPSHOT_JOURNAL;
}

enum snapshot_state snapshot_load(const struct snapshot *s, const struct snapshot_kind *kind,
                                  struct keer_engine **ret_engine, struct seen *seen)
{
    struct keer_engine *e = NULL;
    enum keer_err err = keer_engine_new(kind->policy, &kind->limits, &e);
    if (err == KEER_OK)
        err = keer_engine_load(e, s->windows.p, s->windows.len);
    if (err == KEER_OK && !seen_load(seen, s->ids)) {
        memset(seen->words, 0, SEEN_BITS / 8);
        err = KEER_EFORMAT;
    }
    if (err != KEER_OK) {
        keer_engine_free(e);
        return err == KEER_ENOMEM ? SNAPSHOT_NO_MEMORY : SNAPSHOT_CONTENT;
    }
    *ret_engine = e;
    return SNAPSHOT_USED;
}

/* --- writing --- */

static bool write_all(int fd, struct slice s)
{
    while (s.len) {
        ssize_t n = write(fd, s.p, MIN_OF(s.len, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = slice_of(s.p + n, s.len - (size_t)n);
    }
    return true;
}

/* After a rename the folder is synced too, else a power cut may bring the old file back: no harm, but not what was said. */
static bool folder_sync(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? MAX_OF((size_t)(slash - path), (size_t)1) : 1;
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL); /* some file systems can't sync a folder */
    int number = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = number;
    return ok;
}

/* The parts one after the other become the file at `path`, or the old one stays. */
static enum keer_err replace_file(const char *path, const struct slice *parts, unsigned n, struct snapshot_why *why)
{
    char temp[4096];
    int len = snprintf(temp, sizeof temp, "%s.new", path), number;
    if (len < 0 || (size_t)len >= sizeof temp) {
        (void)snprintf(why->text, sizeof why->text, "its path is too long");
        return KEER_EIO;
    }
    /* One process and one thread at a time write here: what has this name was left behind by a kill. */
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (unsigned i = 0; ok && i < n; i++)
        ok = write_all(fd, parts[i]);
    ok = ok && fsync(fd) == 0;
    number = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        number = errno;
    }
    bool renamed = ok && rename(temp, path) == 0;
    if (ok && !(renamed && folder_sync(path))) {
        ok = false;
        number = errno;
    }
    if (fd >= 0 && !renamed)
        (void)unlink(temp);
    if (!ok)
        (void)snprintf(why->text, sizeof why->text, "%.250s: %s", renamed ? path : temp, strerror(number));
    return ok ? KEER_OK : KEER_EIO;
}

static enum keer_err write_parts(const char *path, struct snapshot_header *h, struct slice windows, struct slice ids,
                                 uint64_t *ret_bytes, struct snapshot_why *why)
{
    h->windows_bytes = windows.len;
    h->ids_bytes = ids.len;
    crypto_sha256(windows, &h->windows_hash);
    crypto_sha256(ids, &h->ids_hash);
    crypto_sha256(bytes_of(h, offsetof(struct snapshot_header, self)), &h->self);
    struct slice parts[] = {bytes_of(h, sizeof *h), windows, ids};
    enum keer_err err = replace_file(path, parts, ARRAY_LEN(parts), why);
    if (err == KEER_OK)
        *ret_bytes = sizeof *h + windows.len + ids.len;
    return err;
}

enum keer_err snapshot_write(const char *path, const struct snapshot_kind *kind, struct journal *j,
                             const struct keer_engine *engine, const struct seen *seen, int64_t seq, uint64_t *ret_bytes,
                             struct snapshot_why *ret_why)
{
    struct snapshot_header h = {.format = SNAPSHOT_FORMAT,
                                .bytes = sizeof h,
                                .policy = kind->policy_hash,
                                .memory_max = kind->limits.memory_max,
                                .events_per_entity = kind->limits.events_per_entity,
                                .seq = seq};
    struct buf ids;
    char *windows = NULL;
    size_t len = 0;
    memcpy(h.magic, SNAPSHOT_MAGIC, sizeof h.magic);
    version_put(h.version);
    ret_why->text[0] = '\0';
    buf_init(&ids, SEEN_BYTES_MAX);
    enum keer_err err = bind_journal(j, seq, &h.journal);
    if (err == KEER_OK) {
        seen_save(seen, &ids);
        err = ids.err;
    }
    if (err == KEER_OK)
        err = keer_engine_save(engine, &windows, &len);
    if (err == KEER_OK)
        err = write_parts(path, &h, slice_of(windows, len), buf_view(&ids), ret_bytes, ret_why);
    if (err != KEER_OK && !ret_why->text[0])
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", err == KEER_EIO ? db_why(j->db) : keer_err_text(err));
    free(windows);
    buf_release(&ids);
    return err;
}
