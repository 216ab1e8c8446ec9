/* event.h - the inside of events and schemas.
 *
 * Invariants: bit i of `present` is set exactly when v[i] holds a value of the type of slot i; a text value carries its
 * 128-bit hash (of the folded text when the attribute folds case), so that the engine never looks at text again but for
 * LIKE, INCLUDES and lists of addresses; -0.0 is stored as 0.0 and numbers are finite.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H
#include <keer/event.h>

#include "base/arena.h"
#include "base/currency.h"
#include "base/hash.h"
#include "base/timefmt.h"

#define EVENT_TYPES_MAX 64 /* rows of events.def and the custom types that a policy mentions: one bit each */

struct keer_value {
    union {
        struct hash128 hash; /* TEXT, IP */
        double number;       /* NUMBER; BOOLEAN as 0 or 1 */
        int64_t minor;       /* MONEY */
    } u;
    union {
        const char *text;  /* TEXT, IP: borrowed */
        uint64_t currency; /* MONEY: enum currency, CUR_XXX when the event names none */
    } x;
    uint64_t len; /* TEXT, IP: bytes */
};

struct keer_attr {
    struct slice name;
    enum keer_attr_type type;
    bool fold;
};

struct keer_schema {
    struct arena arena;
    struct hash_key key;
    unsigned count; /* attributes, slot = index */
    struct keer_attr attrs[LIMIT_ATTRS];
    unsigned type_count; /* >= KEER_EVENT_MAX */
    struct slice types[EVENT_TYPES_MAX];
};

struct keer_event {
    const struct keer_schema *schema;
    struct slice id;
    struct hash128 id_hash;
    int64_t time_us;
    uint64_t present;
    uint32_t type;
    bool has_time, has_type;
    enum keer_label label;
    int64_t label_known_us;
    struct hash128 target;
    bool has_target;
    struct slice scenario; /* for report cards only, borrowed; no policy can see it */
    struct keer_value v[]; /* schema->count of them */
};

/* Default key of hashes: a replay anywhere gives the same bytes. A daemon brings its own. */
#define HASH_KEY_DEFAULT ((struct hash_key){0x6B6565726B656572u, 0x736C756973736C75u})

KEER_NODISCARD enum keer_err schema_init(struct keer_schema *s, struct hash_key key);
void schema_release(struct keer_schema *s);
/* Adds an attribute, or finds it; KEER_ECONFLICT when it exists with another type, KEER_ELIMIT when the table is full. */
KEER_NODISCARD enum keer_err schema_add(struct keer_schema *s, struct slice name, enum keer_attr_type type, bool fold,
                                        unsigned *ret_slot);
/* Adds the row of attributes.def named `name`; KEER_EMISSING when there is none. */
KEER_NODISCARD enum keer_err schema_add_known(struct keer_schema *s, struct slice name, unsigned *ret_slot);
/* Every row of attributes.def, for tools that have no policy. */
KEER_NODISCARD enum keer_err schema_add_all(struct keer_schema *s);
/* Number of "custom.NAME", added if new. */
KEER_NODISCARD enum keer_err schema_add_type(struct keer_schema *s, struct slice name, unsigned *ret_type);
bool event_type_is_label(unsigned type);
struct slice event_type_name(const struct keer_schema *s, unsigned type);
const char *attr_type_name(enum keer_attr_type type);
/* Rows of the tables, for --describe and 'did you mean': false when i is past the end. */
bool attr_known_row(unsigned i, struct keer_attr *ret_attr, const char **ret_doc);
bool event_known_row(unsigned i, const char **ret_name, bool *ret_label, const char **ret_doc);

size_t event_size(const struct keer_schema *s);
/* Initialises `e`, which has event_size(s) bytes. */
void event_init(struct keer_event *e, const struct keer_schema *s);
/* Checks what every event needs (id, time, type; target for labels): KEER_EMISSING, and *ret_what names it. */
KEER_NODISCARD enum keer_err event_check(const struct keer_event *e, const char **ret_what);
static inline bool event_has(const struct keer_event *e, unsigned slot) { return e->present >> slot & 1; }
static inline struct slice event_text(const struct keer_event *e, unsigned slot)
{
    return slice_of(e->v[slot].x.text, e->v[slot].len);
}
#endif
