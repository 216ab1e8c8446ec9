/* body.c - the JSON object in a request's body. */
#include "api/body.h"

#define BODY_VALUES (1u << 20)

static bool is_among(struct slice name, const char *names)
{
    for (struct slice rest = slice_str(names); rest.p;)
        if (slice_eq(slice_cut(&rest, ' '), name))
            return true;
    return false;
}

bool api_body_read(struct http_exchange *x, struct api_body *b, const char *names)
{
    const struct tape_limits limits = {
        .bytes = x->body.max, .values = BODY_VALUES, .depth = LIMIT_JSON_DEPTH, .keys = LIMIT_JSON_KEYS};
    struct tape_error why;
    enum keer_err err = tape_read(&b->tape, buf_view(&x->body), &limits, &why);
    if (err != KEER_OK || tape_type(&b->tape, 0) != TAPE_OBJECT) {
        if (err == KEER_ENOMEM)
            http_problem(x, HTTP_NO_MEMORY, "%s", "");
        else if (err != KEER_OK)
            http_problem(x, HTTP_BAD_BODY, "byte %zu: %s", why.at + 1, why.text);
        else
            http_problem(x, HTTP_BAD_BODY, "an object was expected");
        return false;
    }
    for (uint32_t i = 1; i < b->tape.v[0].next; i = b->tape.v[i + 1].next) {
        struct slice name = tape_text(&b->tape, i);
        if (!is_among(name, names)) {
            http_problem(x, HTTP_BAD_BODY, "'%.*s' is not known here; known: %s", (int)MIN_OF(name.len, 60u), name.p, names);
            return false;
        }
    }
    return true;
}

void api_body_release(struct api_body *b) { tape_release(&b->tape); }

bool api_body_text(struct http_exchange *x, const struct api_body *b, const char *name, bool required, struct slice *ret)
{
    uint32_t v = tape_find(&b->tape, 0, name);
    if (v == TAPE_NONE && !required)
        return true;
    if (v == TAPE_NONE || tape_type(&b->tape, v) != TAPE_STRING) {
        http_problem(x, HTTP_BAD_BODY, v == TAPE_NONE ? "%s is missing" : "%s: a text was expected", name);
        return false;
    }
    *ret = tape_text(&b->tape, v);
    return true;
}

bool api_body_line(struct http_exchange *x, const struct api_body *b, const char *name, bool required, size_t max,
                   struct slice *ret)
{
    struct slice text = {NULL, 0};
    if (!api_body_text(x, b, name, required, &text))
        return false;
    if (!text.p)
        return true;
    bool good = text.len && text.len <= max;
    for (size_t i = 0; good && i < text.len; i++)
        good = (unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f;
    if (!good) {
        http_problem(x, HTTP_BAD_BODY, "%s: a text of 1 to %zu bytes without control characters was expected", name, max);
        return false;
    }
    *ret = text;
    return true;
}

bool api_body_number(struct http_exchange *x, const struct api_body *b, const char *name, double min, double max,
                     double *ret)
{
    uint32_t v = tape_find(&b->tape, 0, name);
    double d = 0;
    if (v == TAPE_NONE)
        return true;
    if (!tape_is_number(&b->tape, v) || num_f64(tape_text(&b->tape, v), &d) != KEER_OK || !(d >= min && d <= max)) {
        http_problem(x, HTTP_BAD_BODY, "%s: a number from %g to %g was expected", name, min, max);
        return false;
    }
    *ret = d;
    return true;
}

bool api_body_object(struct http_exchange *x, const struct api_body *b, const char *name, uint32_t *ret)
{
    uint32_t v = tape_find(&b->tape, 0, name);
    if (v == TAPE_NONE)
        return true;
    if (tape_type(&b->tape, v) != TAPE_OBJECT) {
        http_problem(x, HTTP_BAD_BODY, "%s: an object was expected", name);
        return false;
    }
    *ret = v;
    return true;
}

bool api_url_good(struct slice url)
{
    static const char *const begins[] = {"https://", "http://127.0.0.1", "http://localhost"};
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 0x7F || strchr("\"'<>\\^`{|}#", url.p[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        size_t n = strlen(begins[i]);
        if (url.len > n && memcmp(url.p, begins[i], n) == 0 && (i == 0 || strchr(":/", url.p[n]))) {
            struct slice rest = slice_of(url.p + n, url.len - n); /* in http://localhost:@host, host is the host */
            return !memchr(rest.p, '@', rest.len);
        }
    }
    return false;
}
