/* model_tape.c - reads JSON into a flat list of values, in one pass over a copy of the text that strings are unescaped in.
 */
#include "core/model_tape.h"

struct reader {
    char *p, *end;
    struct tape *t;
    const struct tape_limits *limits;
    uint32_t cap;
    const char *why;
};

#define FAIL(r, err_, why_) ((r)->why = (why_), (err_))

static void skip_space(struct reader *r)
{
    while (r->p < r->end && ascii_space(*r->p))
        r->p++;
}

/* Values are counted before: a value needs a comma, a colon or a bracket of its own, but for the first. */
static uint32_t count_values(struct slice s, uint32_t max)
{
    uint32_t n = 1;
    for (size_t i = 0; i < s.len && n <= max; i++)
        n += s.p[i] == ',' || s.p[i] == ':' || s.p[i] == '[' || s.p[i] == '{';
    return n;
}

static uint32_t push(struct reader *r, enum tape_type type, const char *at, size_t len)
{
    ASSERT(r->t->count < r->cap);
    uint32_t i = r->t->count++;
    r->t->v[i] = (struct tape_value){(uint32_t)(at - r->t->text), (uint32_t)len, i + 1, type};
    return i;
}

static enum keer_err read_word(struct reader *r, const char *word, enum tape_type type)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
        return FAIL(r, KEER_ESYNTAX, "no JSON value begins like this");
    (void)push(r, type, r->p, len);
    r->p += len;
    return KEER_OK;
}

static size_t digits(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && ascii_digit(*r->p))
        r->p++;
    return (size_t)(r->p - from);
}

static enum keer_err read_number(struct reader *r)
{
    char *from = r->p;
    r->p += *r->p == '-';
    if (r->p < r->end && *r->p == 'I')
        return read_word(r, "Infinity", TAPE_NAN);
    bool zero = r->p < r->end && *r->p == '0';
    size_t n = digits(r);
    bool good = n == 1 || (n > 1 && !zero);
    if (good && r->p < r->end && *r->p == '.') {
        r->p++;
        good = digits(r) > 0;
    }
    if (good && r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        r->p += r->p < r->end && (*r->p == '+' || *r->p == '-');
        good = digits(r) > 0;
    }
    if (!good)
        return FAIL(r, KEER_ESYNTAX, "malformed number");
    (void)push(r, TAPE_NUMBER, from, (size_t)(r->p - from));
    return KEER_OK;
}

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

/* Bytes of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), 0 when it is none. */
static size_t utf8_len(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t left = (size_t)(end - p), n = u[0] < 0x80   ? 1
                                         : u[0] < 0xC2 ? 0
                                         : u[0] < 0xE0 ? 2
                                         : u[0] < 0xF0 ? 3
                                         : u[0] < 0xF5 ? 4
                                                       : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xC0) != 0x80)
            return 0;
    if (n >= 3 && ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) || (u[0] == 0xF0 && u[1] < 0x90) ||
                   (u[0] == 0xF4 && u[1] > 0x8F)))
        return 0;
    return n;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

/* After the backslash: writes the character to *out, which never overtakes r->p. */
static bool unescape(struct reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *r->p++;
    if (c != 'u') {
        const char *hit = c ? memchr(from, c, sizeof from - 1) : NULL;
        if (hit)
            *(*out)++ = to[hit - from];
        return hit != NULL;
    }
    int32_t v = hex4(r->p, r->end);
    if (v <= 0 || (v >= 0xDC00 && v <= 0xDFFF))
        return false;
    r->p += 4;
    if (v >= 0xD800 && v <= 0xDBFF) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return false;
        int32_t low = hex4(r->p + 2, r->end);
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        r->p += 6;
        v = 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
    }
    *out = put_utf8(*out, (uint32_t)v);
    return true;
}

static enum keer_err read_string(struct reader *r)
{
    char *from = ++r->p, *out = from;
    while (r->p < r->end && *r->p != '"') {
        size_t n = utf8_len(r->p, r->end);
        if (n == 0)
            return FAIL(r, KEER_ESYNTAX, "text is not valid UTF-8");
        if ((unsigned char)*r->p < 0x20)
            return FAIL(r, KEER_ESYNTAX, "control character in a text");
        if (*r->p == '\\') {
            r->p++;
            if (r->p == r->end || !unescape(r, &out))
                return FAIL(r, KEER_ESYNTAX, "malformed escape in a text");
            continue;
        }
        memmove(out, r->p, n);
        out += n;
        r->p += n;
    }
    if (r->p == r->end)
        return FAIL(r, KEER_ESYNTAX, "the text does not end");
    r->p++;
    (void)push(r, TAPE_STRING, from, (size_t)(out - from));
    return KEER_OK;
}

static bool key_is_new(const struct tape *t, uint32_t object, uint32_t key)
{
    for (uint32_t k = object + 1; k < key; k = t->v[k + 1].next)
        if (slice_eq(tape_text(t, k), tape_text(t, key)))
            return false;
    return true;
}

static enum keer_err read_key(struct reader *r, uint32_t object)
{
    if (r->p == r->end || *r->p != '"')
        return FAIL(r, KEER_ESYNTAX, "a key in quotes is expected");
    if (r->t->v[object].len >= r->limits->keys)
        return FAIL(r, KEER_ELIMIT, "too many keys in an object");
    uint32_t key = r->t->count;
    enum keer_err err = read_string(r);
    if (err)
        return err;
    if (!key_is_new(r->t, object, key))
        return FAIL(r, KEER_ECONFLICT, "the same key twice in an object");
    skip_space(r);
    if (r->p == r->end || *r->p != ':')
        return FAIL(r, KEER_ESYNTAX, "a colon is expected");
    r->p++;
    skip_space(r);
    return KEER_OK;
}

static enum keer_err read_value(struct reader *r, unsigned depth);

static enum keer_err read_container(struct reader *r, unsigned depth)
{
    bool object = *r->p == '{';
    char close = object ? '}' : ']';
    uint32_t self = push(r, object ? TAPE_OBJECT : TAPE_ARRAY, r->p++, 0);
    if (depth == 0)
        return FAIL(r, KEER_ELIMIT, "nested too deeply");
    skip_space(r);
    if (r->p < r->end && *r->p == close) {
        r->p++;
        return KEER_OK;
    }
    for (;;) {
        enum keer_err err = object ? read_key(r, self) : KEER_OK;
        if (!err)
            err = read_value(r, depth - 1);
        if (err)
            return err;
        r->t->v[self].len++;
        skip_space(r);
        if (r->p == r->end || (*r->p != ',' && *r->p != close))
            return FAIL(r, KEER_ESYNTAX, object ? "',' or '}' is expected" : "',' or ']' is expected");
        if (*r->p++ == close)
            break;
        skip_space(r);
    }
    r->t->v[self].next = r->t->count;
    return KEER_OK;
}

static enum keer_err read_value(struct reader *r, unsigned depth)
{
    if (r->p == r->end)
        return FAIL(r, KEER_ESYNTAX, "the text ends too early");
    switch (*r->p) {
    case '{':
    case '[': return read_container(r, depth);
    case '"': return read_string(r);
    case 't': return read_word(r, "true", TAPE_TRUE);
    case 'f': return read_word(r, "false", TAPE_FALSE);
    case 'n': return read_word(r, "null", TAPE_NULL);
    case 'N': return read_word(r, "NaN", TAPE_NAN);
    case 'I': return read_word(r, "Infinity", TAPE_NAN);
    default:
        if (*r->p != '-' && !ascii_digit(*r->p))
            return FAIL(r, KEER_ESYNTAX, "no JSON value begins like this");
        return read_number(r);
    }
}

enum keer_err tape_read(struct slice json, const struct tape_limits *limits, struct tape *ret_tape, size_t *ret_at,
                        const char **ret_why)
{
    struct tape t = {0};
    struct reader r = {.t = &t, .limits = limits};
    enum keer_err err = KEER_ENOMEM;
    ASSERT(limits->keys <= TAPE_KEYS_MAX && limits->bytes <= UINT32_MAX && limits->values < UINT32_MAX);
    *ret_at = 0;
    if (json.len > limits->bytes || (r.cap = count_values(json, limits->values)) > limits->values) {
        *ret_why = "too big";
        return KEER_ELIMIT;
    }
    *ret_why = keer_err_text(KEER_ENOMEM);
    t.text = malloc(json.len + 1);
    t.v = malloc(r.cap * sizeof *t.v);
    if (!t.text || !t.v)
        goto out;
    if (json.len)
        memcpy(t.text, json.p, json.len);
    t.text[json.len] = '\0';
    r.p = t.text;
    r.end = t.text + json.len;
    skip_space(&r);
    err = read_value(&r, limits->depth);
    skip_space(&r);
    if (!err && r.p != r.end)
        err = FAIL(&r, KEER_ESYNTAX, "something follows the end of the JSON text");
    *ret_at = (size_t)(r.p - t.text);
    *ret_why = r.why;
    if (!err) {
        *ret_tape = t;
        return KEER_OK;
    }
out:
    tape_release(&t);
    return err;
}

void tape_release(struct tape *t)
{
    free(t->text);
    free(t->v);
    *t = (struct tape){0};
}

uint32_t tape_find(const struct tape *t, uint32_t i, const char *key)
{
    if (tape_type(t, i) != TAPE_OBJECT)
        return TAPE_NONE;
    for (uint32_t k = i + 1; k < t->v[i].next; k = t->v[k + 1].next)
        if (slice_eq(tape_text(t, k), slice_str(key)))
            return k + 1;
    return TAPE_NONE;
}
