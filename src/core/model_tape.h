/* model_tape.h - a JSON text as a flat list of values, for model files: up to 2^28 bytes of mostly numbers.
 *
 * Why not jansson, which reads every other JSON here: XGBoost writes NaN as a bare word, which RFC 8259 does not know; a
 * tree of json_t costs 6 to 40 times the text; and jansson 2.14 loses bytes of a token when memory runs out in the middle of
 * it, so that a number could come out wrong instead of refused.
 *
 * Invariants: value 0 is the root. A container is followed by its children in the order of the text (an object: key, value,
 * key, value), and `next` of a value is the one after all that is inside it. Strings are unescaped, valid UTF-8 and free of
 * NUL. Keys of an object differ. Two allocations, whatever the text.
 */
#ifndef CORE_MODEL_TAPE_H
#define CORE_MODEL_TAPE_H
#include "base/str.h"

enum tape_type {
    TAPE_OBJECT,
    TAPE_ARRAY,
    TAPE_STRING,
    TAPE_NUMBER,
    TAPE_NAN,
    TAPE_TRUE,
    TAPE_FALSE,
    TAPE_NULL,
    TAPE_TYPE_MAX
};

struct tape_value {
    uint32_t at;  /* offset of the text: string content, number */
    uint32_t len; /* bytes of the text; of a container: number of values (an object: of pairs) */
    uint32_t next;
    uint32_t type; /* enum tape_type; TAPE_NAN stands for NaN, Infinity and -Infinity */
};
struct tape {
    char *text;
    struct tape_value *v;
    uint32_t count;
};
struct tape_limits {
    size_t bytes;
    uint32_t values; /* keys count too */
    unsigned depth, keys /* of one object */;
};
#define TAPE_KEYS_MAX 1024 /* the most that tape_limits.keys may be */
#define TAPE_NONE 0u       /* no such value: the root is nobody's child */

/* RFC 8259 plus the bare words NaN, Infinity and -Infinity. KEER_ESYNTAX, KEER_ECONFLICT (a key twice), KEER_ELIMIT or
 * KEER_ENOMEM; on failure *ret_at and *ret_why (static text) say where and what. */
KEER_NODISCARD enum keer_err tape_read(struct slice json, const struct tape_limits *limits, struct tape *ret_tape,
                                       size_t *ret_at, const char **ret_why);
void tape_release(struct tape *t);

static inline enum tape_type tape_type(const struct tape *t, uint32_t i) { return (enum tape_type)t->v[i].type; }
static inline struct slice tape_text(const struct tape *t, uint32_t i)
{
    return slice_of(t->text + t->v[i].at, t->v[i].len);
}
/* Value of a key of object `i`, TAPE_NONE when there is none or `i` is no object. */
uint32_t tape_find(const struct tape *t, uint32_t i, const char *key);
#endif
