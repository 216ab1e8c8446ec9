/* json.h - JSON (RFC 8259) to a tape: a flat list of values, strict, and bounded by limits that the caller gives.
 *
 *   {"a":[1,"x"]}   ->   OBJECT len 1 | STRING a | ARRAY len 2 | INTEGER 1 | STRING x      `next` of
 *   a container: past its last
 *
 * Invariants
 *  1. Value 0 is the root. A container is followed by its children in the order of the text (an object: key, value, key,
 *     value), and `next` of a value is the one after all that is inside it.
 *  2. Strings are valid UTF-8 and free of NUL; keys of one object differ. Numbers stay the text that they are: whoever needs
 *     one converts it with num.h, exactly.
 *  3. Texts are borrowed: from what was read, or, where a string was written with escapes, from the tape. They last until
 * the next tape_read, and what was read must stay as long.
 *  4. A tape is used again and again: values and decoded strings go where those of the text before were, so that a stream of
 *     similar texts allocates nothing after the first few. No recursion, whatever the depth.
 *  5. What is refused: what RFC 8259 does not know (a comma too many, leading zeros, NaN, a byte order mark), lone
 *     surrogates and \u0000, a key twice, numbers that neither int64_t nor a double holds, and whatever is beyond the
 * limits.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/str.h"

enum tape_type {
    TAPE_OBJECT,
    TAPE_ARRAY,
    TAPE_STRING,
    TAPE_INTEGER, /* a number without point and exponent */
    TAPE_REAL,
    TAPE_NAN, /* NaN, Infinity and -Infinity, when limits.nan */
    TAPE_TRUE,
    TAPE_FALSE,
    TAPE_NULL,
    TAPE_TYPE_MAX
};

struct tape_value {
    uint32_t at;  /* offset in the text: of a string what follows its quote, else the first byte */
    uint32_t len; /* bytes of the text, escapes decoded; of a container: number of values (an object: of pairs) */
    uint32_t next;
    uint8_t type; /* enum tape_type */
    bool escaped; /* a string that was written with escapes: its text is at the same offset of `decoded` */
};
static_assert(sizeof(struct tape_value) == 16, "four values in a cache line");

struct tape { /* starts as {0} */
    const char *text;
    struct tape_value *v;
    uint32_t count, cap;
    char *decoded;
    size_t decoded_cap;
    uint32_t *tables; /* of keys, for objects with many that are open */
    unsigned tables_cap;
};
struct tape_limits {
    size_t bytes;
    uint32_t values; /* keys count too */
    unsigned depth;  /* of containers in one another; at most TAPE_DEPTH_MAX */
    unsigned keys;   /* of one object; at most TAPE_KEYS_MAX */
    bool nan;        /* the bare words NaN, Infinity and -Infinity are values: XGBoost writes them */
    bool wide;       /* numbers may be beyond int64_t and double */
};
#define TAPE_DEPTH_MAX 64u
#define TAPE_KEYS_MAX 1024u
#define TAPE_NONE 0u /* no such value: the root is nobody's child */

#define TAPE_ERROR_BYTES 128
struct tape_error {
    enum keer_err code;
    size_t at;                   /* offset of the first byte that is wrong; the length of the text when its end is */
    char text[TAPE_ERROR_BYTES]; /* "found '}', expected a key in quotes" */
};

/* Reads all of `json`. KEER_ESYNTAX, KEER_ECONFLICT (a key twice), KEER_ERANGE (a number), KEER_ELIMIT or KEER_ENOMEM; then
 * *ret_error says where and what, and the tape is empty. */
KEER_NODISCARD enum keer_err tape_read(struct tape *t, struct slice json, const struct tape_limits *limits,
                                       struct tape_error *ret_error);
void tape_release(struct tape *t); /* frees the memory; the tape may be used again */

static inline enum tape_type tape_type(const struct tape *t, uint32_t i) { return (enum tape_type)t->v[i].type; }
static inline bool tape_is_number(const struct tape *t, uint32_t i)
{
    return t->v[i].type == TAPE_INTEGER || t->v[i].type == TAPE_REAL;
}
/* Of a string its content, of a number or word what was written. */
static inline struct slice tape_text(const struct tape *t, uint32_t i)
{
    const struct tape_value *v = &t->v[i];
    return slice_of((v->escaped ? t->decoded : t->text) + v->at, v->len);
}
/* Offset of the first byte of a value in what was read; of a string, of its quote. */
static inline size_t tape_at(const struct tape *t, uint32_t i) { return t->v[i].at - (t->v[i].type == TAPE_STRING); }
/* Value of a key of object `i`, TAPE_NONE when there is none or `i` is no object. */
uint32_t tape_member(const struct tape *t, uint32_t i, struct slice key);
static inline uint32_t tape_find(const struct tape *t, uint32_t i, const char *key)
{
    return tape_member(t, i, slice_str(key));
}
#endif
