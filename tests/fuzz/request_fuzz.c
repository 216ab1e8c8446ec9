/* request_fuzz.c - what of a request's head our own code reads: target, path, query, framing, key, media type.
 *
 * The input is lines: METHOD SP TARGET, then headers `name: value`. What is found is part of the input, and what a path or a
 * parameter decodes to is no longer than it was.
 */
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(struct http_exchange *x) { UNUSED(x); }
static const struct http_route routes[] = {{.method = "GET", .path = "/v1/decisions", .handle = nothing},
                                           {.method = "POST", .path = "/v1/decisions", .handle = nothing},
                                           {.method = "GET", .path = "/v1/decisions/{id}", .handle = nothing},
                                           {.method = "GET", .path = "/v1/decisions/{id}/explanation", .handle = nothing},
                                           {.method = "POST", .path = "/v1/policies:check", .handle = nothing}};

static bool is_within(struct slice part, struct slice whole)
{
    return !part.p || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void query(struct slice text)
{
    struct http_param params[] = {{"account", {NULL, 0}}, {"limit", {NULL, 0}}, {"", {NULL, 0}}};
    struct buf room;
    buf_init(&room, 2 * text.len + 2);
    bool ready = buf_reserve(&room, 2 * text.len + 1) != NULL;
    while (ready && text.p) {
        struct slice value = slice_cut(&text, '&'), name = slice_cut(&value, '=');
        size_t most = value.len;
        enum keer_err err = http_param_put(params, ARRAY_LEN(params), name, value.p ? value : slice_of("", 0), &room);
        ASSERT(err == KEER_OK || err == KEER_EMISSING || err == KEER_ECONFLICT || err == KEER_ESYNTAX);
        for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(params); i++)
            ASSERT(is_within(params[i].value, buf_view(&room)) &&
                   (params[i].value.len <= most || i + 1 < ARRAY_LEN(params)));
    }
    buf_release(&room);
}

static void headers(struct slice rest)
{
    struct http_framing framing = {0};
    while (rest.p) {
        struct slice value = slice_cut(&rest, '\n'), name = slice_cut(&value, ':');
        value = value.p ? slice_trim(value) : slice_of("", 0);
        http_header_seen(&framing, name, value);
        struct slice key = http_bearer(value);
        ASSERT(is_within(key, value));
        ASSERT(!(http_is_json(value) && http_is_lines(value)));
    }
    const char *now = http_framing_bad(&framing, false), *before = http_framing_bad(&framing, true);
    ASSERT((!now || now[0]) && (!before || before[0]));
    ASSERT(framing.lengths < 2 || now); /* a request of two lengths is never taken */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size), line = slice_cut(&rest, '\n');
    struct slice method = slice_cut(&line, ' ');
    struct http_match m;
    struct buf id;
    if (line.p) {
        struct slice target = http_target(line), asked = target;
        ASSERT(is_within(target, line) || slice_eq(target, SLICE("/"))); /* absolute-form without a path */
        struct slice path = slice_cut(&asked, '?');
        buf_init(&id, HTTP_ID_BYTES);
        enum keer_err err = http_match(routes, ARRAY_LEN(routes), method, path, &id, &m);
        ASSERT(err == KEER_OK || err == KEER_ESYNTAX || err == KEER_ELIMIT);
        ASSERT(err != KEER_OK || !m.route || m.known_path);
        ASSERT(err != KEER_OK || id.len <= path.len);
        buf_release(&id);
        query(asked);
    }
    headers(rest);
    return 0;
}
