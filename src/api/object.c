/* object.c - small JSON objects that requests carry, beside events. */
#include "api/api.h"

static bool is_allowed(struct slice name, const char *allowed)
{
    for (struct slice rest = slice_str(allowed); rest.p;)
        if (slice_eq(slice_cut(&rest, ' '), name))
            return true;
    return false;
}

bool api_object(struct http_exchange *x, struct tape *t, const char *allowed)
{
    const struct tape_limits limits = {.bytes = LIMIT_LINE_BYTES, .values = 200, .depth = 3, .keys = 20};
    struct tape_error why;
    enum keer_err err = tape_read(t, buf_view(&x->body), &limits, &why);
    if (err == KEER_ENOMEM) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    } else if (err != KEER_OK) {
        http_problem(x, HTTP_BAD_BODY, "byte %zu: %s", why.at, why.text);
    } else if (tape_type(t, 0) != TAPE_OBJECT) {
        http_problem(x, HTTP_BAD_BODY, "it is not an object");
    } else {
        for (uint32_t i = 1; i < t->v[0].next; i = t->v[i + 1].next)
            if (!is_allowed(tape_text(t, i), allowed)) {
                struct slice name = tape_text(t, i);
                http_problem(x, HTTP_BAD_BODY, "'%.*s' is not known here; known: %s", (int)MIN_OF(name.len, 60u), name.p,
                             allowed);
                return false;
            }
        return true;
    }
    return false;
}

bool api_text(struct http_exchange *x, const struct tape *t, const char *name, bool needed, size_t max, struct slice *ret)
{
    uint32_t at = tape_find(t, 0, name);
    *ret = slice_of(NULL, 0);
    if (at == TAPE_NONE) {
        if (needed)
            http_problem(x, HTTP_BAD_BODY, "%s is missing", name);
        return !needed;
    }
    struct slice text = tape_text(t, at);
    bool good = tape_type(t, at) == TAPE_STRING && text.len && text.len <= max;
    for (size_t i = 0; good && i < text.len; i++)
        good = (unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f;
    if (!good) {
        http_problem(x, HTTP_BAD_BODY, "%s: a text of 1 to %zu bytes without control characters is wanted", name, max);
        return false;
    }
    *ret = text;
    return true;
}
