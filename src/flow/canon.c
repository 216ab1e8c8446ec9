/* canon.c - the canonical form of a JSON object. */
#include "flow/canon.h"

struct member {
    size_t at, len; /* "key":value in the output */
    size_t key_len; /* of "key", quotes included */
};

struct canon {
    struct slice in;
    size_t at;
    struct buf *out, *spare;
    struct member members[LIMIT_JSON_MEMBERS]; /* of the objects that are open, the innermost last */
    unsigned count, depth;
    enum keer_err err;
    const char *what;
};

static bool fail(struct canon *c, enum keer_err err, const char *what)
{
    c->err = err;
    c->what = what;
    return false;
}

static char peek(struct canon *c)
{
    while (c->at < c->in.len && ascii_space(c->in.p[c->at]))
        c->at++;
    return c->at < c->in.len ? c->in.p[c->at] : '\0';
}

static bool text(struct canon *c)
{
    size_t from = c->at++;
    for (; c->at < c->in.len && c->in.p[c->at] != '"'; c->at++) {
        if ((unsigned char)c->in.p[c->at] < 0x20)
            return fail(c, KEER_ESYNTAX, "a control character in a text");
        if (c->in.p[c->at] == '\\' && ++c->at < c->in.len && (unsigned char)c->in.p[c->at] < 0x20)
            return fail(c, KEER_ESYNTAX, "a control character in a text");
    }
    if (c->at >= c->in.len)
        return fail(c, KEER_ESYNTAX, "a text has no end");
    c->at++;
    buf_put(c->out, c->in.p + from, c->at - from);
    return true;
}

static bool word(struct canon *c)
{
    size_t from = c->at;
    while (c->at < c->in.len &&
           (ascii_digit(c->in.p[c->at]) || (ascii_lower(c->in.p[c->at]) >= 'a' && ascii_lower(c->in.p[c->at]) <= 'z') ||
            c->in.p[c->at] == '-' || c->in.p[c->at] == '+' || c->in.p[c->at] == '.'))
        c->at++;
    if (c->at == from)
        return fail(c, KEER_ESYNTAX, "a value was expected");
    buf_put(c->out, c->in.p + from, c->at - from);
    return true;
}

static int by_key(const struct canon *c, const struct member *a, const struct member *b)
{
    return slice_cmp(slice_of(c->out->p + a->at, a->key_len), slice_of(c->out->p + b->at, b->key_len));
}

/* Puts the members from `first` on, which stand at the end of the output, into order. Objects of events are small. */
static bool sort(struct canon *c, unsigned first)
{
    bool sorted = true;
    for (unsigned i = first + 1; i < c->count; i++) {
        struct member m = c->members[i];
        unsigned j = i;
        for (; j > first && by_key(c, &c->members[j - 1], &m) > 0; j--)
            c->members[j] = c->members[j - 1];
        c->members[j] = m;
        sorted = sorted && j == i;
        if (j > first && by_key(c, &c->members[j - 1], &m) == 0)
            return fail(c, KEER_ESYNTAX, "a key stands twice in an object");
    }
    if (sorted)
        return true;
    size_t from = c->out->len;
    for (unsigned i = first; i < c->count; i++)
        from = MIN_OF(from, c->members[i].at);
    buf_clear(c->spare);
    for (unsigned i = first; i < c->count; i++) {
        if (i > first)
            buf_char(c->spare, ',');
        buf_put(c->spare, c->out->p + c->members[i].at, c->members[i].len);
    }
    if (c->spare->err != KEER_OK)
        return fail(c, c->spare->err, keer_err_text(c->spare->err));
    ASSERT(from + c->spare->len == c->out->len);
    memcpy(c->out->p + from, c->spare->p, c->spare->len);
    return true;
}

static bool value(struct canon *c);

static bool member(struct canon *c, unsigned first)
{
    if (c->count == ARRAY_LEN(c->members))
        return fail(c, KEER_ELIMIT, "too many keys");
    if (peek(c) != '"')
        return fail(c, KEER_ESYNTAX, "a key in quotes was expected");
    if (c->count > first)
        buf_char(c->out, ',');
    unsigned mine = c->count++;
    struct member m = {.at = c->out->len};
    if (!text(c))
        return false;
    m.key_len = c->out->len - m.at;
    if (peek(c) != ':')
        return fail(c, KEER_ESYNTAX, "':' was expected after a key");
    c->at++;
    buf_char(c->out, ':');
    if (!value(c))
        return false;
    m.len = c->out->len - m.at;
    c->members[mine] = m;
    return true;
}

static bool object(struct canon *c)
{
    unsigned first = c->count;
    c->at++;
    buf_char(c->out, '{');
    if (peek(c) != '}') {
        do {
            if (!member(c, first))
                return false;
        } while (peek(c) == ',' && ++c->at);
        if (peek(c) != '}')
            return fail(c, KEER_ESYNTAX, "',' or '}' was expected");
        if (c->out->err == KEER_OK && !sort(c, first))
            return false;
    }
    c->count = first;
    c->at++;
    buf_char(c->out, '}');
    return true;
}

static bool array(struct canon *c)
{
    c->at++;
    buf_char(c->out, '[');
    if (peek(c) != ']') {
        for (bool more = true; more;) {
            if (!value(c))
                return false;
            more = peek(c) == ',';
            if (more) {
                c->at++;
                buf_char(c->out, ',');
            }
        }
        if (peek(c) != ']')
            return fail(c, KEER_ESYNTAX, "',' or ']' was expected");
    }
    c->at++;
    buf_char(c->out, ']');
    return true;
}

static bool value(struct canon *c)
{
    char first = peek(c);
    if (first == '"')
        return text(c);
    if (first != '{' && first != '[')
        return word(c);
    if (c->depth == LIMIT_JSON_DEPTH)
        return fail(c, KEER_ELIMIT, "nested too deep");
    c->depth++;
    bool ok = first == '{' ? object(c) : array(c);
    c->depth--;
    return ok;
}

enum keer_err canon_json(struct slice in, struct buf *out, struct buf *spare, struct canon_error *ret_error)
{
    struct canon c;
    c.in = in;
    c.out = out;
    c.spare = spare;
    c.at = 0;
    c.count = c.depth = 0;
    c.err = KEER_OK;
    c.what = "";
    bool ok = peek(&c) == '{' ? value(&c) : fail(&c, KEER_ESYNTAX, "an object was expected: {\"id\":...}");
    if (ok && (peek(&c), c.at < in.len))
        ok = fail(&c, KEER_ESYNTAX, "something follows the object");
    if (ok && out->err != KEER_OK)
        ok = fail(&c, out->err, keer_err_text(out->err));
    if (ok)
        return KEER_OK;
    *ret_error = (struct canon_error){MIN_OF(c.at, in.len), c.what};
    return c.err;
}
