/* window_memory.h - the inside of the memory driver: tables, rows, layout. Included by window_*.c and their tests only.
 *
 *   group ── directory ──► segment (256 slots of 16 bytes, extendible hashing: one segment splits at a time)
 *                             slot: tag, number of rows, block ──► block (from the group's pool): head, rows in time order
 *                                                                head: hash    row: time, weight, mask, columns
 *
 * A slot holds what finds an entity and what forgetting asks of it; what else is known of it lies in the page of its rows,
 * which is touched anyway.
 *
 * Cumulative columns (counts, sums, sums of squares, first and last time and value, all-time min and max) hold the state *up
 * to and including* their row, so that a window is the difference of two rows, whatever its length, and an all-time value is
 * the newest row; windows that differ only in length share them. Raw columns hold the row's own value, for what has no
 * difference (distinct, min, max, ewma, labels). When old rows are dropped the newest of them stays as row 0, the base (flag
 * SLOT_BASE).
 */
#ifndef CORE_WINDOW_MEMORY_H
#define CORE_WINDOW_MEMORY_H
#include "base/slab.h"
#include "core/window.h"

enum col_kind {
    COL_COUNT,       /* u32, cumulative, per filter */
    COL_SUM,         /* i64, cumulative (modulo 2^64), per filter and value */
    COL_SUMSQ,       /* u128 in two u64, cumulative, per filter and value */
    COL_FIRST_TIME,  /* i64, cumulative, per filter; INT64_MAX = none yet */
    COL_LAST_TIME,   /* i64, cumulative, per filter; INT64_MIN = none yet */
    COL_FIRST_VALUE, /* i64, cumulative, follows COL_FIRST_TIME of the same filter */
    COL_LAST_VALUE,  /* i64, cumulative, follows COL_LAST_TIME of the same filter */
    COL_TOTAL_MIN,   /* i64, cumulative, per filter and value; INT64_MAX = none */
    COL_TOTAL_MAX,   /* i64, cumulative; INT64_MIN = none */
    COL_MIN,         /* i64, raw: this row's value when it passes the filter, else INT64_MAX; of a pane: the least */
    COL_MAX,         /* i64, raw; else INT64_MIN */
    COL_VALUE,       /* i64, raw, per value; WIN_MISSING = none */
    COL_LABEL,       /* i64, raw: known_us * 2 + fraud; INT64_MAX = no label */
    COL_TAG,         /* u64, raw: low half of the event id's hash */
    COL_KNOWN,       /* i64, cumulative: latest time at which a label became known; INT64_MIN = none */
    COL_KIND_MAX
};

struct column {
    uint8_t kind;
    uint8_t filter;
    int16_t value;
    uint16_t offset; /* bytes from the start of the row */
    uint16_t mate;   /* offset of the time column that a first/last value follows; with a cond: of the value */
    uint8_t cond;    /* COUNT, SUM, SUMSQ: WIN_ANY, or of rows labelled WIN_FRAUD or WIN_GENUINE, known or not */
    uint32_t mask;   /* with a cond: the filter's scan bit */
};

/* What a new newest row without a label changes of a copy of the row before it. */
struct append {
    uint8_t kind;
    uint8_t filter;
    uint16_t offset, mate;
    int16_t value;
};

/* The start of every row; columns follow: those of 8 bytes, then those of 4. */
struct row {
    int64_t time;
    uint32_t weight; /* events that this row stands for */
    uint32_t mask;   /* bit i: passes scan filter i */
};

#define SEGMENT_SLOTS 256u
#define TABLE_DEPTH_MAX 24u /* bits of a slot's tag; the other 8 are its home */
#define SEGMENT_FULL 192u   /* then split: half full on the average, where an absent key is found out after 3 slots */
enum { SLOT_USED = 1, SLOT_BASE = 2, SLOT_TANGLED = 4, SLOT_SIDED = 8 };

/* Where an entity is. Slots of the same tag are told apart by the heads of their blocks. */
struct slot {
    uint32_t tag;     /* the upper half of the key's `lo`: its upper bits choose the segment, its lowest 8 the home in it */
    uint32_t block;   /* reference in the pool, in units of 16 bytes; a slot that is used has one */
    uint32_t touched; /* seconds since 1970 of the newest event; stays at UINT32_MAX from 2106 on */
    uint16_t rows;
    uint8_t cls; /* size class of the block */
    uint8_t flags;
};
static_assert(sizeof(struct slot) == 16, "four slots in a cache line");
static_assert(WIN_ROWS_MAX + WIN_ROWS_MAX / 16 <= UINT16_MAX, "slot.rows");

/* The start of every block: hints follow, then the rows. */
struct head {
    uint64_t lo;
    uint32_t hi;   /* the upper half of the key's */
    uint32_t side; /* with SLOT_SIDED: index of the side structure (panes, sketches) */
};
static_assert(sizeof(struct head) == 16, "rows begin at a multiple of 16");
static_assert(sizeof(struct row) == 16, "rows start with 16 bytes");

struct segment {
    uint32_t depth, used;
    _Alignas(64) struct slot slot[SEGMENT_SLOTS];
};

#define POOL_CLASSES 40
#define POOL_CHUNK ((size_t)1 << 20)
#define POOL_LARGE (POOL_CHUNK / 8) /* blocks of more bytes get a chunk of their own */
struct pool {
    struct slab memory; /* chunks of POOL_CHUNK */
    unsigned char **chunk;
    void **large; /* the larger ones, each on its own; NULL for the others */
    uint32_t chunks, chunks_cap;
    uint32_t bump; /* next free unit, over all chunks */
    uint32_t bump_end;
    uint32_t free[POOL_CLASSES]; /* first node of each list */
    uint32_t cap[POOL_CLASSES];  /* rows of a class */
    size_t bytes[POOL_CLASSES];  /* of a block of a class */
    size_t front[POOL_CLASSES];  /* of these, before the rows */
    unsigned classes;
    uint64_t live_bytes, reserved_bytes;
};

/* What a window that looks at labels reads: offsets of cumulative columns, 0 = none. With `all` it is all but known frauds.
 */
struct label_columns {
    uint16_t count, sum, squares;
};
enum label_pick { PICK_NONE, PICK_OLDEST, PICK_NEWEST };
struct label_reader {
    struct label_columns all, fraud, genuine;
    uint8_t pick;
    uint32_t nth;
};

/* How one window is read. */
enum read_path { READ_PREFIX, READ_SCAN };
/* QUICK: what two rows tell, the one before the window and its last. */
enum read_quick { QUICK_COUNT, QUICK_SUM, QUICK_MEAN, QUICK_SINCE, QUICK_AGE, QUICK_NONE };
#define QUICK_MAX QUICK_NONE
struct reader {
    uint16_t window;
    uint8_t agg, cond;
    uint8_t path, quick;
    uint8_t from, upto; /* indices of offsets, which ascend; `from` of all time: one past the last, before all rows */
    bool all_time, text;
    uint16_t col, col2, squares; /* offsets of the columns it reads */
    uint16_t sketch;             /* DISTINCT: index of the sketch */
    uint16_t hot;                /* index of its set or tally, HOT_NONE */
    uint32_t mask;               /* scan filter bit */
    uint32_t mask2;              /* STREAK: of filter2 */
    struct label_reader label;   /* cond other than WIN_ANY, when its columns found room */
    bool labels;
    uint32_t nth;
    int64_t over_us, half_life_us;
    double scale;
};

/* The windows that a group reads at a time: before the event is added, or after. Sorted by `quick`. */
struct readers {
    struct reader *first;
    unsigned quick[QUICK_MAX]; /* where each kind ends */
    unsigned count;
    uint64_t offsets; /* bits of those that they use */
};

#define GROUP_OFFSETS 64
struct sketch_def {
    uint32_t mask;
    uint16_t col;
};

/* What crowded entities keep besides their rows: window_hot.c. */
#define HOT_ROWS 64u /* blocks from this capacity on */
#define CHUNK_ROWS 64u
#define HOT_NONE UINT16_MAX
#define GROUP_SETS 64
#define GROUP_TALLIES 64
struct set_def { /* one for each DISTINCT window without a condition */
    uint32_t mask;
    uint16_t col;
};
struct tally_def { /* cond WIN_ANY: the least and most of a column; else what label windows need, of column `col` (0: none)
                    */
    uint32_t mask;
    uint16_t col;
    uint8_t cond;
};
struct hot_set {
    uint32_t lo, hi, used, valid;
};
struct hot_tally {
    i128 sum;
    u128 squares;
    int64_t least, most;
    int64_t from, until; /* right for from <= t < until */
    uint64_t weight;     /* events that the rows stand for */
    uint32_t rows, pad;
};
#define TALLY_EMPTY ((struct hot_tally){.least = INT64_MAX, .most = INT64_MIN, .from = INT64_MIN, .until = INT64_MAX})

struct group {
    /* layout, fixed */
    unsigned stride, columns, offsets, sketches;
    struct column column[LIMIT_KEY_COLUMNS];
    struct append append[LIMIT_KEY_COLUMNS]; /* COL_COUNT, COL_SUM, COL_VALUE, the others in the order of columns */
    unsigned counts_end, sums_end, values_end, appends;
    struct reader *reader;
    struct readers before, including; /* parts of `reader` */
    int64_t offset[GROUP_OFFSETS];    /* distinct distances from t */
    uint64_t scan_filter[32];         /* filter numbers behind the mask bits */
    unsigned scan_filters;
    struct sketch_def sketch[LIMIT_FILTERS];
    unsigned sets, tallies;
    struct set_def set[GROUP_SETS];
    struct tally_def tally[GROUP_TALLIES];
    int64_t horizon_us;
    bool all_time;   /* has windows over all time: entities never expire */
    bool keeps_rows; /* an all-time window looks at the rows themselves: they don't expire either */
    bool labelled, labelled_all;
    uint32_t rows_max;
    unsigned char *blank;                            /* a row before anything happened */
    uint16_t tag_offset, label_offset, known_offset; /* 0 = none */
    int link_index;                                  /* index of this group among the labelled, -1 */
    uint64_t need_words[LIMIT_WINDOWS / 64];         /* windows of this group */
    unsigned need_from, need_to;                     /* words of which one is not 0 */
    /* table */
    struct slab segments_memory;
    struct segment **dir;
    uint32_t depth;
    uint64_t entities, rows, segments;
    uint32_t hand_seg, hand_slot;
    struct pool pool;
};

/* Past the budget: sketches of an entity, one per distinct column. rank-major: seen[rank][register] in seconds. */
#define SKETCH_REGISTERS 512u
#define SKETCH_RANKS 32u
struct side {
    int64_t thin_until; /* newest time among rows with weight > 1 */
    uint32_t resolution;
    uint32_t next_free;
    uint64_t bytes;
    uint8_t ranks[LIMIT_FILTERS]; /* of each sketch, how many ranks were ever seen */
    uint32_t *sketch;             /* sketches * RANKS * REGISTERS */
};

struct win_store {
    const struct win_plan *plan;
    struct win_limits limits;
    int64_t watermark;
    unsigned groups;
    struct group group[LIMIT_KEYS + 1]; /* one more: where the events of labelled groups are, by event id */
    int links;                          /* index of that group, -1 when no window looks at labels */
    unsigned labelled;
    struct side *side; /* index 0 unused */
    uint32_t sides, sides_cap, side_free;
    uint64_t side_bytes;
    struct win_stats stats;
};

/* window_layout.c */
KEER_NODISCARD enum keer_err group_layout(struct group *g, const struct win_plan *plan, unsigned index);
KEER_NODISCARD enum keer_err links_layout(struct group *g, const struct win_plan *plan, unsigned labelled,
                                          int64_t horizon_us);

/* window_table.c: finding, making and dropping entities; the pool. */
KEER_NODISCARD enum keer_err table_init(struct group *g);
void table_release(struct group *g);
struct slot *table_find(const struct group *g, struct hash128 key);
static inline struct segment *segment_of(const struct group *g, uint64_t lo) { return g->dir[lo >> (64 - g->depth)]; }
static_assert(POOL_CHUNK == (size_t)65536 * 16, "a reference is chunk number and unit in the chunk");
static inline unsigned char *pool_at(const struct pool *p, uint32_t block)
{
    return p->chunk[block >> 16] + (size_t)(block & 0xFFFFu) * 16;
}
static inline uint32_t tag_of(struct hash128 key) { return (uint32_t)(key.lo >> 32); }
static inline uint32_t home_of(uint32_t tag) { return tag & (SEGMENT_SLOTS - 1); }
static inline struct head *head_of(const struct group *g, const struct slot *slot)
{
    return (struct head *)(void *)pool_at(&g->pool, slot->block);
}
static inline unsigned char *rows_of(const struct group *g, const struct slot *slot)
{
    return pool_at(&g->pool, slot->block) + g->pool.front[slot->cls];
}
static inline uint32_t side_of(const struct group *g, const struct slot *slot)
{
    return slot->flags & SLOT_SIDED ? head_of(g, slot)->side : 0;
}
/* Whether the slot, of the key's tag or of another, is the key's. */
static inline bool slot_is(const struct group *g, const struct slot *slot, struct hash128 key)
{
    if (slot->tag != tag_of(key) || !(slot->flags & SLOT_USED))
        return false;
    const struct head *head = head_of(g, slot);
    return head->lo == key.lo && head->hi == (uint32_t)(key.hi >> 32);
}
static inline struct slot *segment_find(const struct group *g, struct segment *seg, struct hash128 key)
{
    for (uint32_t at = home_of(tag_of(key));; at = (at + 1) & (SEGMENT_SLOTS - 1)) {
        struct slot *slot = &seg->slot[at];
        if (slot_is(g, slot, key))
            return slot;
        if (!(slot->flags & SLOT_USED))
            return NULL;
    }
}
/* The same, looking at slot `near` of the segment first. */
static inline struct slot *table_find_near(const struct group *g, struct hash128 key, uint8_t near)
{
    struct slot *slot = &segment_of(g, key.lo)->slot[near];
    return slot_is(g, slot, key) ? slot : table_find(g, key);
}
/* True when every slot of the segment is where table_find looks for it. */
bool table_sound(const struct group *g, struct segment *seg);
/* The slot, made if new, then with a block and without rows; NULL without memory. May move other slots of the same segment. */
struct slot *table_make(struct win_store *s, struct group *g, struct hash128 key);
void table_drop(struct win_store *s, struct group *g, struct segment *seg, uint32_t at);
/* An empty segment, NULL without memory, and back. */
struct segment *segment_new(struct group *g, uint32_t depth);
void segment_free(struct group *g, struct segment *seg);
/* Looks at up to `slots` slots from the hand and drops those that no window can still see. */
void table_sweep(struct win_store *s, struct group *g, unsigned slots);
/* Drops entities until `bytes` more fit under the limit; false when that can't be. `keep` survives. */
bool table_make_room(struct win_store *s, uint64_t bytes, struct hash128 keep);
uint64_t store_bytes(const struct win_store *s);
void pool_init(struct group *g);
uint32_t pool_take(struct group *g, unsigned cls); /* 0 without memory */
void pool_give(struct group *g, uint32_t block, unsigned cls);
static inline size_t class_bytes(const struct group *g, unsigned cls) { return g->pool.bytes[cls]; } /* of a block */
/* Before the rows of a block of HINT_ROWS and more: for each offset, how many rows were at or before it when it was last asked
 * (and, behind these, how many had a known label). From one event to the next that moves by a row or two: looking there
 * first touches the rows that are read anyway. Only a hint: any value is right. */
#define HINT_ROWS 12u
static inline size_t hints_bytes(const struct group *g, uint32_t cap)
{
    return cap < HINT_ROWS ? 0 : ((g->offsets + 1) * sizeof(uint16_t) + 15) & ~(size_t)15;
}
static inline uint16_t *hints_at(const struct group *g, unsigned char *rows, unsigned cls)
{
    return (uint16_t *)(void *)(rows - g->pool.front[cls] + sizeof(struct head));
}
/* The end of the block, where rows are long: their times once more, side by side, so that a search does not go from row to
 * row. */
#define TIMES_STRIDE 64u
static inline bool times_kept(const struct group *g, uint32_t cap) { return cap >= HINT_ROWS && g->stride > TIMES_STRIDE; }
static inline size_t times_bytes(const struct group *g, uint32_t cap)
{
    return times_kept(g, cap) ? ((size_t)cap * sizeof(int64_t) + 15) & ~(size_t)15 : 0;
}
static inline int64_t *times_at(const struct group *g, unsigned char *rows, unsigned cls)
{
    const struct pool *p = &g->pool;
    return (int64_t *)(void *)(rows - p->front[cls] + p->bytes[cls] - times_bytes(g, p->cap[cls]));
}
void side_drop(struct win_store *s, uint32_t side);
void sides_release(struct win_store *s);
size_t side_bytes(const struct group *g);
uint32_t side_make(struct win_store *s, const struct group *g); /* 0 without memory */

/* window_state.c: the key of the fingerprint and of the checksum; it guards against accidents, not against forgery. */
#define STATE_KEY ((struct hash_key){0x77696E646F772073u, 0x7461746520763031u})

/* window_rows.c: the rows of one entity. */
static inline struct row *row_at(const struct group *g, unsigned char *rows, uint32_t i)
{
    return (struct row *)(void *)(rows + (size_t)i * g->stride);
}
/* Number of rows whose i64 at `first` and every stride from there is <= bound: times, or another column that never falls. */
uint32_t rows_upto(const unsigned char *first, size_t stride, uint32_t n, int64_t bound);
/* The same, looking around `near` first. */
uint32_t rows_upto_near(const unsigned char *first, size_t stride, uint32_t n, int64_t bound, uint32_t near);
/* The times of all rows once more after they were moved about. */
void times_copy(const struct group *g, const struct slot *slot, unsigned char *rows);
/* Whether no window can see any of the rows at `now` and later: but for all-time values the newest of them is all that counts. */
static inline bool rows_out_of_sight(const struct group *g, const struct slot *slot, int64_t now)
{
    return !g->keeps_rows && slot->touched != UINT32_MAX /* the last second that 32 bits hold, or any later one */ &&
           ((int64_t)slot->touched + 1) * US_SECOND <= now - g->horizon_us;
}
/* All rows but the newest go. */
void rows_forget(struct group *g, struct slot *slot);
/* Room for one more row: drops what is out of sight, grows, or thins. The slot, which may have moved; NULL without memory,
 * and then it may have moved too. */
struct slot *rows_room(struct win_store *s, struct group *g, struct slot *slot, struct hash128 key);
/* Adds the event of the request; room was made. Returns the index it got, UINT32_MAX when it went into the base. */
uint32_t rows_add(struct win_store *s, struct group *g, struct slot *slot, const struct win_request *req, uint64_t filters);
/* True when panes of the entity are within sight of a window. */
bool rows_approximate(const struct win_store *s, const struct group *g, const struct slot *slot);
void sketch_add(struct side *side, unsigned sketch, uint64_t hash, int64_t time_us);
double sketch_count(const struct side *side, unsigned sketch, int64_t after_us);
void sketch_ranks(struct side *side, unsigned sketch); /* finds side->ranks again */

/* window_hot.c: sets and tallies behind the rows of a block of capacity `cap`; small blocks have none and all of these do
 * nothing. */
size_t hot_bytes(const struct group *g, uint32_t cap);
void hot_reset(const struct group *g, unsigned char *rows, uint32_t cap); /* nothing is known of the rows any more */
void hot_insert(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t n,
                uint32_t at);                                                           /* row `at` of now n is new */
void hot_drop(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t drop); /* the first `drop` rows went */
void hot_label(const struct group *g, unsigned char *rows, uint32_t cap, uint32_t at);  /* the label of row `at` changed */
/* Different values among rows [lo, hi), lo < hi. */
uint32_t hot_distinct(const struct group *g, unsigned char *rows, uint32_t cap, unsigned set, uint32_t lo, uint32_t hi);
/* The total of one full chunk as of t. */
const struct hot_tally *hot_chunk(const struct group *g, unsigned char *rows, uint32_t cap, unsigned tally, uint32_t chunk,
                                  int64_t t);
bool label_fits(enum win_cond cond, int64_t label, int64_t t);
void tally_add(struct hot_tally *y, int64_t v, uint32_t weight);
void tally_join(struct hot_tally *y, const struct hot_tally *o);

/* window_label.c. Of an entity as of t: the labels of the first `known` rows are known, and of no others unless tangled. */
struct label_view {
    const struct group *g;
    unsigned char *rows;
    uint32_t known;
    bool tangled;
};
struct label_total {
    uint32_t count;
    int64_t sum;
    u128 squares;
    uint32_t row; /* the one that `pick` asks for, counted from 1; 0 = none */
};
/* The total of rows [lo, hi) that fit; false when only a look at the rows can tell. */
bool label_read(const struct label_view *v, const struct label_reader *r, uint32_t lo, uint32_t hi, struct label_total *ret);
/* Row `at` is new and brought a label known from `known` on. */
void labels_added(const struct group *g, struct slot *slot, unsigned char *rows, uint32_t at, int64_t known);
/* Row `at` gets a label: known_us * 2 + fraud. */
void labels_change(const struct group *g, struct slot *slot, unsigned char *rows, uint32_t at, int64_t label);
/* Looks whether the labels are in order again, once rows are gone. */
void labels_untangle(const struct group *g, struct slot *slot, unsigned char *rows);

/* window_read.c */
/* Whether the request wants every window of the group, as it mostly does: group_read's `all`. */
static inline bool wants_all(const struct group *g, const struct win_request *req)
{
    uint64_t lack = 0;
    for (unsigned i = g->need_from; i < g->need_to; i++)
        lack |= g->need_words[i] & ~req->need[i];
    return lack == 0;
}
void group_read(const struct win_store *s, const struct group *g, const struct slot *slot, unsigned char *rows,
                const struct win_request *req, const struct readers *readers, bool all, struct win_reply *reply);
void group_read_nothing(const struct group *g, const struct win_request *req, bool missing, struct win_reply *reply);
#endif
