/* window.h - sliding windows over the events of an entity: what a policy asks of them, and who can answer.
 *
 * A plan (made by the policy's compiler) lists groups, one for each kind of entity (`by account`, `by account, item`), and
 * windows, each hanging on one group. For every event the engine fills one request: the hash of the entity in every group,
 * which filters of each group the event passes, and the values that are summed or compared. All keys are known before the
 * first is read, so that a driver may fetch them all at once; `exchange` then reads every window as of the event's time and
 * remembers the event. The memory driver (window_memory.c) answers at once; a remote driver may answer later through `done`.
 *
 * Which events a window sees. Let t be the event's time, W and D the window's `over` and `delayed`, wm the highest event
 * time so far (this event included), H the group's horizon: its longest W + D plus the plan's lateness, and floor = wm - H.
 *   - over W:    events that arrived before this one with   max(t - D - W, floor) < time <= max(t - D, floor)
 *   - all time:  events that arrived before this one with   time <= max(t - D, floor)
 * `including` adds this event itself when D = 0, unless it lies at or before the floor of a window with `over`. So an event
 * that comes late is counted where it belongs, and sees only what lay before it; only events later than `lateness` are cut
 * at the floor. Times equal to t count when they arrived before. Ages and times since are never negative. Labels count from
 * when they were known: a label is seen at t when its `known_us` <= t; a later label of the same event replaces it. An event
 * that brings its label with it keeps that one: a later label of it counts as unknown.
 *
 * Values are integers (money: minor units; numbers: millionths), so that sums are exact and do not depend on order.
 * Results: count, distinct, streak and sum 0 over nothing, all else missing (NaN) over nothing; all missing when the entity
 * is missing in the event. Up to the budget of remembered events per entity all results are exact; past it older events are
 * merged in panes: counts and sums are off by at most the content of one pane at the window's old edge (and one at its new
 * edge when it is delayed), which is at most 1/resolution of what lies between it and now; distinct comes from a sliding
 * HyperLogLog (512 registers, standard error 4.6 %), which counts up to now even in delayed windows; min and max of whole
 * panes; mean, ewma and label windows weigh each kept event with the number it stands for. Which of the two was used is in
 * the reply. The resolution begins at an eighth of the budget and falls while an entity does not fit. When the panes have
 * passed out of sight the entity is exact again. Windows over all time are kept in one row for each entity, except distinct,
 * nth, ewma, streaks and those that look at labels: these keep the rows themselves (and where every event went, for labels)
 * for ever, up to the budget and the memory's limit.
 */
#ifndef CORE_WINDOW_H
#define CORE_WINDOW_H
#include "base/buf.h"
#include "base/hash.h"
#include "base/timefmt.h"

enum win_agg {
    WIN_COUNT,
    WIN_SUM,
    WIN_MEAN,
    WIN_STDDEV, /* of the sample: n - 1; missing below 2 */
    WIN_MIN,
    WIN_MAX,
    WIN_DISTINCT,
    WIN_FIRST,      /* value of the oldest event */
    WIN_LAST,       /* value of the newest event */
    WIN_NTH,        /* value of the nth newest event, 1 = newest */
    WIN_EWMA,       /* mean weighted with 2^-(age/half life), newest 256 events of the window */
    WIN_AGE,        /* seconds since the first event */
    WIN_SINCE,      /* seconds since the newest event */
    WIN_STREAK,     /* the newest events in a row that pass filter2 as well, or fit `cond`, events with unknown labels passed
                       over */
    WIN_STREAK_AGE, /* seconds since the oldest of them */
    WIN_AGG_MAX
};

/* What a window asks of the label of a remembered event. */
enum win_cond { WIN_ANY, WIN_FRAUD, WIN_GENUINE, WIN_LABELLED, WIN_NOT_FRAUD, WIN_COND_MAX };

struct win_def {
    enum win_agg agg;
    enum win_cond cond;
    uint8_t group;
    uint8_t filter;  /* of the group */
    uint8_t filter2; /* STREAK without `cond`: what must hold for the streak to go on */
    int16_t value;   /* index in request.values; -1 for COUNT, AGE, SINCE */
    bool text;       /* the value is a hash: only DISTINCT, FIRST, LAST, NTH */
    bool including;
    int64_t over_us; /* 0 = all time */
    int64_t delay_us;
    int64_t half_life_us; /* EWMA */
    uint32_t nth;
    double scale; /* result = integer / scale: 1 for money in minor units, 1e6 for numbers (0.1 stays 0.1) */
};

struct win_group_def {
    unsigned filters; /* number of filters, bits of request.filters[g] */
};

struct win_plan {
    unsigned groups, windows, values;
    struct win_group_def group[LIMIT_KEYS];
    struct win_def *window; /* borrowed, `windows` of them; outlives every store made for the plan */
    int64_t lateness_us;
};

#define WIN_MISSING INT64_MIN /* a value that the event does not have */

struct win_request {
    int64_t time_us;
    uint64_t groups; /* bit g: the event names an entity of group g */
    struct hash128 key[LIMIT_KEYS];
    uint64_t filters[LIMIT_KEYS]; /* bit f: the event passes filter f (and has the values that the filter's windows need) */
    const int64_t *values;
    const uint64_t *need;   /* bit w: window w must be read; others may be left as they were */
    struct hash128 id;      /* of the event, for labels */
    int64_t label_known_us; /* INT64_MAX: no label in the event */
    bool label_fraud;
    uint8_t near[LIMIT_KEYS]; /* the driver's own: where prefetch found the entity. A hint, any value is right */
};

struct win_reply {
    double *number;       /* one per window; NaN = missing */
    uint64_t *hash;       /* one per window, written for text windows only; 0 = missing */
    uint64_t approximate; /* bit g: group g's entity is past its budget */
    uint64_t refused;     /* bit g: there was no room to remember the event in group g, or where it went for a later label */
};

struct win_stats {
    uint64_t entities, rows, bytes; /* now; bytes: tables, blocks and sketches in use */
    uint64_t reserved_bytes;        /* taken from malloc */
    uint64_t expired, evicted, refused, thinned, late, too_late;
    uint64_t labels_applied, labels_unknown;
    struct {
        uint64_t entities, rows, bytes;
        unsigned row_bytes;
    } group[LIMIT_KEYS];
};

struct win_limits {
    uint64_t memory_max; /* bytes in use; beyond it entities are evicted, among 16 neighbours at the hand: the first that no
                          * window can still see, else the one whose last event is oldest. The group that holds most pays. */
    uint32_t rows_max;   /* budget of remembered events per entity, 64..WIN_ROWS_MAX; WIN_ROWS_MAX when 0 */
};
#define WIN_ROWS_MAX 4096u

struct win_store;
#define WIN_STAGES 4u
struct win_driver {
    /* A hint that this request, whose keys are known, comes soon: stage 0, then 1, up to WIN_STAGES, each nearer and using
     * what the one before has fetched. May do nothing. */
    void (*prefetch)(struct win_store *s, struct win_request *req, int stage);
    /* Reads and remembers. KEER_OK and the reply is complete, or an error and nothing was remembered. */
    enum keer_err (*exchange)(struct win_store *s, const struct win_request *req, struct win_reply *reply);
    /* A label for the event with this id, known from known_us on. */
    enum keer_err (*label)(struct win_store *s, struct hash128 id, bool fraud, int64_t known_us);
};

/* --- the memory driver --- */
KEER_NODISCARD enum keer_err win_memory_new(const struct win_plan *plan, const struct win_limits *limits,
                                            struct win_store **ret_store);
void win_memory_free(struct win_store *s);
extern const struct win_driver win_memory;
void win_memory_stats(const struct win_store *s, struct win_stats *ret_stats);
int64_t win_memory_watermark(const struct win_store *s);
/* After a failed load the store is only good for win_memory_free.
 * The whole state, little-endian, for a later win_memory_load under the same plan: KEER_EVERSION for another plan,
 * KEER_EFORMAT when torn. Two stores with the same history save the same bytes. */
KEER_NODISCARD enum keer_err win_memory_save(const struct win_store *s, struct buf *out);
KEER_NODISCARD enum keer_err win_memory_load(struct win_store *s, struct slice state);
#endif
