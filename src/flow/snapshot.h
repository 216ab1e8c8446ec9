/* snapshot.h - windows on disk, so that a start decides only what followed: writing, checking, loading one file.
 *
 * Windows are a function of (policy, limits, journal up to a row). The file says which, and holds them:
 *
 *     struct snapshot_header (248 bytes, its own SHA-256 last) | windows (keer_engine_save) | ids (seen_save)
 *
 * little-endian as in memory, since the windows are so too.
 *
 * Invariants
 * 1. A file is there whole or not at all: written under another name in the same folder, synced, renamed, the folder synced.
 * 2. Nothing of a file is used before its checksum was right: the header's before its fields, the content's before the
 * content. Lengths are checked against the file's before anything is allocated. What is loaded is a copy in memory: the file
 * may change meanwhile.
 * 3. What does not fit in every respect (version, policy, limits, journal) is refused with a reason (snapshot.def) and
 * nothing is taken from it; the journal alone is always enough.
 * 4. `journal` binds it to the journal: a hash over its rows seq, seq - 1, seq - 3, seq - 7, ... and the first: number,
 * policy, id, body's hash, what was added to it, decision, what the windows told, moment of the decision. A journal that is
 * another one, or was set back and went on otherwise, has other rows there.
 * 5. A snapshot never covers a row whose decision differed: the caller sees to that, so that a difference is seen at every
 * start.
 *
 * SHA-256 finds accidents and mix-ups. Who can write the file can also write the database beside it: it is no defence
 * against him.
 */
#ifndef FLOW_SNAPSHOT_H
#define FLOW_SNAPSHOT_H
#include "core/engine.h"
#include "flow/seen.h"
#include "store/journal.h"

enum snapshot_state {
#define SNAPSHOT_STATE(name, text) SNAPSHOT_##name,
#include "flow/snapshot.def"
#undef SNAPSHOT_STATE
    SNAPSHOT_STATE_MAX
};
const char *snapshot_text(enum snapshot_state s);

#define SNAPSHOT_MAGIC "KEERSNAP"
#define SNAPSHOT_FORMAT 3u /* raised when windows, ids or header are laid out otherwise */

struct snapshot_header {
    char magic[8];
    uint32_t format, bytes; /* of the header */
    char version[32];       /* KEER_VERSION, filled up with NUL */
    struct crypto_hash policy, journal, windows_hash, ids_hash;
    uint64_t memory_max, events_per_entity;
    int64_t seq; /* the last row that it holds */
    uint64_t windows_bytes, ids_bytes;
    struct crypto_hash self; /* of all before it */
};
static_assert(sizeof(struct snapshot_header) == 248, "written as it lies in memory");

struct snapshot {
    struct snapshot_header header;
    struct slice windows, ids; /* borrowed from the bytes */
    char *data;                /* owned after snapshot_read */
};

/* What must be the same for a snapshot to be of use. */
struct snapshot_kind {
    const struct keer_policy *policy;
    struct crypto_hash policy_hash;
    struct keer_engine_options limits;
};

struct snapshot_why {
    char text[400];
};

/* Splits a whole file: SNAPSHOT_USED, or FOREIGN, VERSION, TORN. */
enum snapshot_state snapshot_parse(struct slice bytes, struct snapshot *ret);
/* Reads and parses a file, and looks whether it is of this kind. USED: the caller releases. UNREADABLE and the system's
 * reason in *ret_why, NONE, NO_MEMORY, what snapshot_parse says, POLICY, OPTIONS. */
enum snapshot_state snapshot_read(const char *path, const struct snapshot_kind *kind, struct snapshot *ret,
                                  struct snapshot_why *ret_why);
void snapshot_release(struct snapshot *s); /* twice, or when zeroed, is fine */
/* USED when the journal is the one it was made from, else AHEAD, JOURNAL; UNREADABLE when the journal can't be read. */
enum snapshot_state snapshot_fits(const struct snapshot *s, struct journal *j);
/* Into a new engine, and into `seen`, which is empty: USED, or CONTENT, NO_MEMORY, and then neither has changed. */
enum snapshot_state snapshot_load(const struct snapshot *s, const struct snapshot_kind *kind,
                                  struct keer_engine **ret_engine, struct seen *seen);

/* Writes the state after row `seq`, which is in the journal; the old file stays when that fails, and *ret_why says it:
 * KEER_ENOMEM, KEER_EIO, KEER_EMISSING when the journal has no such row. */
KEER_NODISCARD enum keer_err snapshot_write(const char *path, const struct snapshot_kind *kind, struct journal *j,
                                            const struct keer_engine *engine, const struct seen *seen, int64_t seq,
                                            uint64_t *ret_bytes, struct snapshot_why *ret_why);
#endif
