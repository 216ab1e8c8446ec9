/* json.c - reads JSON (RFC 8259) to a tape, in one pass.
 *
 *            ┌──────────────────── ',' ◄──────────────────┐
 *            ▼                                           │
 *   (read_key, in an object) ──► read_scalar ──► after_value ──► the end, when no container is open
 *            ▲                   open_container ─────────┘
 *            └───────────────────────┘                   an empty one
 *
 * Functions that read take where they begin and return where they ended, or NULL when they failed. Strings are looked at
 * eight bytes at a time. One that holds an escape is decoded to the offset at which it stands in the text, so that a value
 * needs one offset only; it never grows.
 */
#include "base/json.h"

#include <stdarg.h>

#include "base/hash.h"
#include "base/num.h"
#include "base/plain.h"

/* An open container. */
struct level {
    uint32_t self;  /* its value */
    uint32_t count; /* children so far, an object's in pairs */
    uint64_t seen;  /* a bit for each of the first keys: most are known to be new without a comparison */
    unsigned table; /* of its keys, once there are more than FEW_KEYS */
};
#define FEW_KEYS 32
#define TABLE_SIZE (2 * TAPE_KEYS_MAX)

struct reader {
    const char *start, *end;
    struct tape *t;
    const struct tape_limits *limits;
    struct tape_error *error;
    uint32_t room; /* values that fit */
    unsigned depth, tables /* in use: those of open objects, from the outside in */;
    struct level open[TAPE_DEPTH_MAX];
};

/* --- errors -------------------------------------------------------------------------------------------------- */

static const char *fail(struct reader *r, enum keer_err code, const char *at, const char *fmt, ...) KEER_PRINTF(4, 5)
    __attribute__((cold));
static const char *fail(struct reader *r, enum keer_err code, const char *at, const char *fmt, ...)
{
    va_list ap;
    r->error->code = code;
    r->error->at = (size_t)(at - r->start);
    va_start(ap, fmt);
    (void)vsnprintf(r->error->text, sizeof r->error->text, fmt, ap);
    va_end(ap);
    return NULL;
}

__attribute__((cold)) static const char *found(struct reader *r, const char *at, const char *want)
{
    if (at == r->end)
        return fail(r, KEER_ESYNTAX, at, "found the end, expected %s", want);
    unsigned char c = (unsigned char)*at;
    if (c > ' ' && c < 0x7F)
        return fail(r, KEER_ESYNTAX, at, "found '%c', expected %s", c, want);
    return fail(r, KEER_ESYNTAX, at, "found byte 0x%02X, expected %s", c, want);
}

__attribute__((cold)) static const char *no_memory(struct reader *r, const char *at)
{
    return fail(r, KEER_ENOMEM, at, "%s", keer_err_text(KEER_ENOMEM));
}

/* --- memory -------------------------------------------------------------------------------------------------- */

__attribute__((cold)) static bool grow(struct reader *r, const char *at)
{
    struct tape *t = r->t;
    if (r->room == r->limits->values) {
        (void)fail(r, KEER_ELIMIT, at, "more than %u values", r->limits->values);
        return false;
    }
    uint32_t cap = MIN_OF(MAX_OF(2 * t->cap, 64u), r->limits->values);
    struct tape_value *v = realloc(t->v, cap * sizeof *v);
    if (!v) {
        (void)no_memory(r, at);
        return false;
    }
    t->v = v;
    t->cap = r->room = cap;
    return true;
}

/* Room to decode any string of the text, at its own offset. */
static bool reserve_decoded(struct reader *r, const char *at)
{
    struct tape *t = r->t;
    size_t need = (size_t)(r->end - r->start), cap = MAX_OF(t->decoded_cap, 256);
    if (need <= t->decoded_cap)
        return true;
    while (cap < need)
        cap *= 2;
    char *p = malloc(cap); /* the old one holds nothing of this text */
    if (!p) {
        (void)no_memory(r, at);
        return false;
    }
    free(t->decoded);
    t->decoded = p;
    t->decoded_cap = cap;
    return true;
}

static inline bool push(struct reader *r, enum tape_type type, const char *at, size_t len, bool escaped)
{
    struct tape *t = r->t;
    if (UNLIKELY(t->count == r->room) && !grow(r, at))
        return false;
    uint32_t i = t->count++;
    t->v[i] = (struct tape_value){(uint32_t)(at - r->start), (uint32_t)len, i + 1, (uint8_t)type, escaped};
    return true;
}

/* --- bytes --------------------------------------------------------------------------------------------------- */

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && ascii_space(*p))
        p++;
    return p;
}

/* Past the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), NULL when it is none. */
static const char *skip_utf8(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t left = (size_t)(end - p), n = u[0] < 0xC2 ? 0 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : u[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return NULL;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xC0) != 0x80)
            return NULL;
    if (n >= 3 && ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) || (u[0] == 0xF0 && u[1] < 0x90) ||
                   (u[0] == 0xF4 && u[1] > 0x8F)))
        return NULL;
    return p + n;
}

/* --- strings (section 7) ------------------------------------------------------------------------------------- */

/* Four hexadecimal digits; -1 when they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = ascii_lower(p[i]);
        if (!ascii_digit(c) && !(c >= 'a' && c <= 'f'))
            return -1;
        v = v << 4 | (ascii_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return v;
}

static char *put_utf8(char *out, uint32_t c)
{
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n; i > 1; i--, c >>= 6)
        out[i - 1] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(first[n] | c);
    return out + n;
}

/* p is at the backslash; the character goes to *out. */
static const char *read_escape(struct reader *r, const char *p, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit = p + 1 < r->end && p[1] ? strchr(from, p[1]) : NULL;
    if (hit) {
        *(*out)++ = to[hit - from];
        return p + 2;
    }
    if (p + 1 == r->end || p[1] != 'u')
        return found(r, p + 1, "one of \" \\ / b f n r t u after a backslash");
    int32_t c = hex4(p + 2, r->end);
    if (c < 0)
        return fail(r, KEER_ESYNTAX, p, "expected four hexadecimal digits after \\u");
    if (c == 0)
        return fail(r, KEER_ESYNTAX, p, "found \\u0000, expected a text without NUL");
    if (c < 0xD800 || c > 0xDFFF) {
        *out = put_utf8(*out, (uint32_t)c);
        return p + 6;
    }
    bool pair = c < 0xDC00 && r->end - p >= 8 && p[6] == '\\' && p[7] == 'u';
    int32_t low = pair ? hex4(p + 8, r->end) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return fail(r, KEER_ESYNTAX, p, "found half a surrogate pair, expected two such as \\ud83d\\ude00");
    *out = put_utf8(*out, 0x10000 + ((uint32_t)(c - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
    return p + 12;
}

/* p stands at what is not plain: past it when it is UTF-8. */
static const char *skip_beyond_ascii(struct reader *r, const char *p)
{
    if (p == r->end)
        return found(r, p, "the quote that ends a text");
    if ((unsigned char)*p < 0x20)
        return fail(r, KEER_ESYNTAX, p, "found byte 0x%02X in a text, expected \\u00%02x", *p, *p);
    const char *next = skip_utf8(p, r->end);
    return next ? next : fail(r, KEER_ESYNTAX, p, "found byte 0x%02X, expected UTF-8", (unsigned char)*p);
}

/* To the next quote or backslash. */
static inline const char *skip_text(struct reader *r, const char *p)
{
    for (;;) {
        p = skip_plain(p, r->end);
        if (LIKELY(p < r->end && (*p == '"' || *p == '\\')))
            return p;
        p = skip_beyond_ascii(r, p);
        if (!p)
            return NULL;
    }
}

/* The string that begins at `from` has its first escape at p. */
static const char *read_escaped(struct reader *r, const char *from, const char *p)
{
    if (!reserve_decoded(r, p))
        return NULL;
    char *text = r->t->decoded + (from - r->start), *out = text + (p - from);
    memcpy(text, from, (size_t)(p - from));
    while (*p == '\\') {
        const char *run = read_escape(r, p, &out);
        p = run ? skip_text(r, run) : NULL;
        if (!p)
            return NULL;
        memcpy(out, run, (size_t)(p - run));
        out += p - run;
    }
    return push(r, TAPE_STRING, from, (size_t)(out - text), /* escaped */ true) ? p + 1 : NULL;
}

/* p is at the opening quote. */
static inline const char *read_string(struct reader *r, const char *p)
{
    const char *from = p + 1;
    p = skip_text(r, from);
    if (UNLIKELY(!p))
        return NULL;
    if (UNLIKELY(*p == '\\'))
        return read_escaped(r, from, p);
    return push(r, TAPE_STRING, from, (size_t)(p - from), /* escaped */ false) ? p + 1 : NULL;
}

/* --- the other values (sections 3, 6) ------------------------------------------------------------------------ */

static const char *read_word(struct reader *r, const char *p, const char *word, enum tape_type type)
{
    const char *from = p;
    for (const char *w = word; *w; w++, p++)
        if (p == r->end || *p != *w)
            return found(r, p, word);
    return push(r, type, from, (size_t)(p - from), /* escaped */ false) ? p : NULL;
}

static inline const char *skip_digits(const char *p, const char *end)
{
    while (p < end && ascii_digit(*p))
        p++;
    return p;
}

static bool in_range(struct slice number, bool real, bool exponent)
{
    int64_t i;
    double d;
    if (!real)
        return num_i64(number, INT64_MIN, INT64_MAX, &i) == KEER_OK;
    return (!exponent && number.len < 300) || num_f64(number, &d) == KEER_OK; /* below 1e300 */
}

static inline const char *read_number(struct reader *r, const char *p)
{
    const char *from = p, *end = r->end;
    p += *p == '-';
    if (UNLIKELY(p < end && *p == 'I' && r->limits->nan)) {
        p = read_word(r, p, "Infinity", TAPE_NAN);
        if (p) /* the sign belongs to it */
            r->t->v[r->t->count - 1] = (struct tape_value){(uint32_t)(from - r->start), 9, r->t->count, TAPE_NAN, false};
        return p;
    }
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits)
        return found(r, p, "a digit");
    if (*digits == '0' && p - digits > 1)
        return fail(r, KEER_ESYNTAX, digits, "found a leading zero, expected a number without");
    bool real = p < end && *p == '.', exponent = false;
    if (real) {
        const char *fraction = p + 1;
        p = skip_digits(fraction, end);
        if (p == fraction)
            return found(r, p, "a digit after the point");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        real = exponent = true;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *power = p;
        p = skip_digits(power, end);
        if (p == power)
            return found(r, p, "a digit in the exponent");
    }
    struct slice text = slice_of(from, (size_t)(p - from));
    if (UNLIKELY((exponent || text.len > 18) && !r->limits->wide) && !in_range(text, real, exponent))
        return fail(r, KEER_ERANGE, from, "found %s, expected one %s", real ? "a number" : "an integer",
                    real ? "that a double holds" : "of 64 bits");
    return push(r, real ? TAPE_REAL : TAPE_INTEGER, from, text.len, /* escaped */ false) ? p : NULL;
}

static inline const char *read_scalar(struct reader *r, const char *p)
{
    if (p == r->end)
        return found(r, p, "a value");
    switch (*p) {
    case '"': return read_string(r, p);
    case 't': return read_word(r, p, "true", TAPE_TRUE);
    case 'f': return read_word(r, p, "false", TAPE_FALSE);
    case 'n': return read_word(r, p, "null", TAPE_NULL);
    case 'N':
    case 'I':
        if (!r->limits->nan)
            return found(r, p, "a value; JSON knows no NaN and no Infinity");
        return read_word(r, p, *p == 'N' ? "NaN" : "Infinity", TAPE_NAN);
    default:
        if (*p != '-' && !ascii_digit(*p))
            return found(r, p, "a value");
        return read_number(r, p);
    }
}

/* --- containers (sections 4, 5) ------------------------------------------------------------------------------ */

/* One of 64 bits, the same for equal keys. */
static inline uint64_t key_bit(const struct reader *r, uint32_t key)
{
    const struct tape_value *v = &r->t->v[key];
    struct slice text = tape_text(r->t, key);
    uint64_t w = 0;
    if (LIKELY(!v->escaped && r->end - text.p >= 8))
        w = load8(text.p) & (text.len >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * text.len) - 1);
    else if (text.len)
        memcpy(&w, text.p, MIN_OF(text.len, sizeof w));
    return (uint64_t)1 << (((w + text.len) * 0x9E3779B97F4A7C15u) >> 58);
}

static bool key_is_new(const struct tape *t, uint32_t object, uint32_t key)
{
    struct slice text = tape_text(t, key);
    for (uint32_t k = object + 1; k < key; k = t->v[k + 1].next)
        if (t->v[k].len == text.len && slice_eq(tape_text(t, k), text))
            return false;
    return true;
}

/* Puts a key into the table of its object; false when an equal one is there. Keys that meet by design cost a comparison
 * each, of which TAPE_KEYS_MAX bounds the number. */
static bool table_put(const struct reader *r, const struct level *l, uint32_t key)
{
    struct slice text = tape_text(r->t, key);
    uint32_t *table = r->t->tables + (size_t)l->table * TABLE_SIZE;
    for (uint64_t h = hash_bytes((struct hash_key){0}, text.p, text.len).lo;; h++) {
        uint32_t *cell = &table[h % TABLE_SIZE];
        if (*cell == 0) { /* the root is no key */
            *cell = key;
            return true;
        }
        if (slice_eq(tape_text(r->t, *cell), text))
            return false;
    }
}

/* A table for the innermost object, with the keys before `key`. */
static bool open_table(struct reader *r, struct level *l, uint32_t key)
{
    struct tape *t = r->t;
    if (r->tables == t->tables_cap) {
        uint32_t *p = realloc(t->tables, (t->tables_cap + 1) * TABLE_SIZE * sizeof *p);
        if (!p)
            return false;
        t->tables = p;
        t->tables_cap++;
    }
    l->table = r->tables++;
    memset(t->tables + (size_t)l->table * TABLE_SIZE, 0, TABLE_SIZE * sizeof *t->tables);
    for (uint32_t k = l->self + 1; k < key; k = t->v[k + 1].next)
        (void)table_put(r, l, k);
    return true;
}

/* KEER_ECONFLICT when the object has the key already. */
static inline enum keer_err take_key(struct reader *r, struct level *l, uint32_t key)
{
    if (LIKELY(l->count < FEW_KEYS)) {
        uint64_t bit = key_bit(r, key);
        if (UNLIKELY(l->seen & bit) && !key_is_new(r->t, l->self, key))
            return KEER_ECONFLICT;
        l->seen |= bit;
        return KEER_OK;
    }
    if (l->count == FEW_KEYS && !open_table(r, l, key))
        return KEER_ENOMEM;
    return table_put(r, l, key) ? KEER_OK : KEER_ECONFLICT;
}

/* A key and its colon: p is where the value begins. */
static inline const char *read_key(struct reader *r, const char *p)
{
    struct level *l = &r->open[r->depth - 1];
    const char *from = p;
    if (p == r->end || *p != '"')
        return found(r, p, "a key in quotes");
    if (UNLIKELY(l->count == r->limits->keys))
        return fail(r, KEER_ELIMIT, p, "more than %u keys in an object", r->limits->keys);
    uint32_t key = r->t->count;
    p = read_string(r, p);
    if (!p)
        return NULL;
    enum keer_err err = take_key(r, l, key);
    if (UNLIKELY(err == KEER_ENOMEM))
        return no_memory(r, from);
    if (UNLIKELY(err != KEER_OK))
        return fail(r, err, from, "found the same key twice in an object, expected it once");
    p = skip_space(p, r->end);
    if (p == r->end || *p != ':')
        return found(r, p, "':' after a key");
    return skip_space(p + 1, r->end);
}

static inline const char *after_value(struct reader *r, const char *p);

static inline const char *open_container(struct reader *r, const char *p)
{
    bool object = *p == '{';
    if (r->depth == r->limits->depth)
        return fail(r, KEER_ELIMIT, p, "nested more than %u deep", r->depth);
    r->open[r->depth++] = (struct level){.self = r->t->count};
    if (!push(r, object ? TAPE_OBJECT : TAPE_ARRAY, p, 0, /* escaped */ false))
        return NULL;
    p = skip_space(p + 1, r->end);
    if (p < r->end && *p == (object ? '}' : ']')) {
        r->depth--;
        return after_value(r, p + 1);
    }
    return object ? read_key(r, p) : p;
}

/* Closes what ends here: p is where the next value begins, or, when no container is open any more, past the root. */
static inline const char *after_value(struct reader *r, const char *p)
{
    while (r->depth > 0) {
        struct level *l = &r->open[r->depth - 1];
        struct tape_value *self = &r->t->v[l->self];
        bool object = self->type == TAPE_OBJECT;
        l->count++;
        p = skip_space(p, r->end);
        if (p < r->end && *p == ',') {
            p = skip_space(p + 1, r->end);
            return object ? read_key(r, p) : p;
        }
        if (p == r->end || *p != (object ? '}' : ']'))
            return found(r, p, object ? "',' or '}'" : "',' or ']'");
        r->tables -= object && l->count > FEW_KEYS;
        self->len = l->count;
        self->next = r->t->count;
        r->depth--;
        p++;
    }
    return p;
}

static const char *read_root(struct reader *r)
{
    const char *p = skip_space(r->start, r->end);
    if (r->end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        return fail(r, KEER_ESYNTAX, p, "found a byte order mark, expected JSON without (RFC 8259, section 8.1)");
    do {
        if (p < r->end && (*p == '{' || *p == '[')) {
            p = open_container(r, p);
        } else {
            p = read_scalar(r, p);
            if (p)
                p = after_value(r, p);
        }
    } while (p && r->depth > 0);
    if (!p)
        return NULL;
    p = skip_space(p, r->end);
    return p == r->end ? p : found(r, p, "the end: nothing follows a JSON text");
}

enum keer_err tape_read(struct tape *t, struct slice json, const struct tape_limits *limits, struct tape_error *ret_error)
{
    const char *start = json.p ? json.p : "";
    struct reader r;
    ASSERT(limits->depth <= TAPE_DEPTH_MAX && limits->keys <= TAPE_KEYS_MAX);
    ASSERT(limits->bytes < UINT32_MAX && limits->values >= 1 && limits->values <= INT32_MAX);
    r.start = start;
    r.end = start + json.len;
    r.t = t;
    r.limits = limits;
    r.error = ret_error;
    r.room = MIN_OF(t->cap, limits->values);
    r.depth = 0;
    r.tables = 0;
    t->text = start;
    t->count = 0;
    if (json.len > limits->bytes)
        (void)fail(&r, KEER_ELIMIT, start + limits->bytes, "longer than %zu bytes", limits->bytes);
    else if (read_root(&r))
        return KEER_OK;
    t->count = 0;
    return ret_error->code;
}

void tape_release(struct tape *t)
{
    free(t->v);
    free(t->decoded);
    free(t->tables);
    *t = (struct tape){0};
}

uint32_t tape_member(const struct tape *t, uint32_t i, struct slice key)
{
    if (tape_type(t, i) != TAPE_OBJECT)
        return TAPE_NONE;
    for (uint32_t k = i + 1; k < t->v[i].next; k = t->v[k + 1].next)
        if (t->v[k].len == key.len && slice_eq(tape_text(t, k), key))
            return k + 1;
    return TAPE_NONE;
}
