/* route.c - paths, methods, media types and problem documents: what needs no socket. */
#include "base/num.h"
#include "http/http.h"

static const struct http_problem_row problems[] = {
#define HTTP_PROBLEM(code, status, title, hint) {#code, status, title, hint},
#include "http/problems.def"
#undef HTTP_PROBLEM
};
static_assert(ARRAY_LEN(problems) == HTTP_PROBLEM_MAX, "a row for each problem");

const struct http_problem_row *http_problem_row(unsigned problem)
{
    return problem < HTTP_PROBLEM_MAX ? &problems[problem] : NULL;
}

int http_problem_status(enum http_problem problem) { return problems[problem].status; }

void http_problem_print(enum http_problem problem, struct slice detail, struct buf *out)
{
    buf_fmt(out, "{\"type\":\"urn:keersluis:problem:%s\",\"title\":", problems[problem].code);
    buf_json(out, slice_str(problems[problem].title));
    buf_fmt(out, ",\"status\":%d", problems[problem].status);
    if (detail.len) {
        buf_puts(out, ",\"detail\":");
        buf_json(out, detail);
    }
    buf_fmt(out, ",\"code\":\"%s\",\"hint\":", problems[problem].code);
    buf_json(out, slice_str(problems[problem].hint));
    buf_puts(out, "}\n");
}

/* Percent-decoding (RFC 3986 section 2.1) of one segment. */
static enum keer_err decode(struct slice segment, struct buf *out)
{
    for (size_t i = 0; i < segment.len; i++) {
        uint64_t byte = (unsigned char)segment.p[i];
        if (segment.p[i] == '%') {
            if (segment.len - i < 3 || num_hex(slice_of(segment.p + i + 1, 2), &byte) != KEER_OK)
                return KEER_ESYNTAX;
            i += 2;
        }
        buf_char(out, (char)byte);
    }
    return out->err != KEER_OK ? out->err : segment.len ? KEER_OK : KEER_ESYNTAX;
}

/* Whether a path has the form of a pattern; *ret_id is its segment for {id}. */
static bool path_fits(const char *pattern, struct slice path, struct slice *ret_id)
{
    size_t i = 0;
    while (*pattern) {
        if (*pattern == '{') {
            size_t from = i;
            while (i < path.len && path.p[i] != '/')
                i++;
            *ret_id = slice_of(path.p + from, i - from);
            pattern += sizeof "{id}" - 1;
        } else if (i < path.len && path.p[i] == *pattern) {
            i++;
            pattern++;
        } else {
            return false;
        }
    }
    return i == path.len;
}

static bool method_fits(const struct http_route *r, struct slice method)
{
    return strncmp(r->method, method.p, method.len) == 0 && !r->method[method.len];
}

/* The methods of a path that has no route for the one that came. */
static void list_methods(const struct http_route *routes, unsigned count, struct slice path, struct http_match *m)
{
    struct slice its;
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!path_fits(routes[i].path, path, &its))
            continue;
        bool get = strcmp(routes[i].method, "GET") == 0;
        int n = snprintf(m->allow + used, sizeof m->allow - used, "%s%s%s", m->known_path ? ", " : "", routes[i].method,
                         get ? ", HEAD" : "");
        used = MIN_OF(used + (size_t)MAX_OF(n, 0), sizeof m->allow - 1);
        m->known_path = true;
    }
}

enum keer_err http_match(const struct http_route *routes, unsigned count, struct slice method, struct slice path,
                         struct buf *id, struct http_match *ret_match)
{
    struct http_match m = {.allow = ""};
    struct slice segment = {NULL, 0};
    if (slice_eq(method, SLICE("HEAD")))
        method = SLICE("GET");
    for (unsigned i = 0; i < count && !m.route; i++) {
        segment.p = NULL;
        if (path_fits(routes[i].path, path, &segment) && method_fits(&routes[i], method))
            m.route = &routes[i];
    }
    m.known_path = m.route != NULL;
    if (!m.route)
        list_methods(routes, count, path, &m);
    if (m.route && segment.p) {
        buf_clear(id);
        enum keer_err err = decode(segment, id);
        if (err != KEER_OK)
            return err;
    }
    *ret_match = m;
    return KEER_OK;
}

enum keer_err http_param_put(struct http_param *params, unsigned count, struct slice name, struct slice value,
                             struct buf *room)
{
    size_t from = room->len;
    enum keer_err err = decode(name, room);
    struct slice known = slice_of(room->p + from, room->len - from);
    struct http_param *p = params;
    while (err == KEER_OK && p < params + count && !slice_eq(known, slice_str(p->name)))
        p++;
    if (err == KEER_OK && p == params + count)
        err = KEER_EMISSING;
    if (err == KEER_OK && p->value.p)
        err = KEER_ECONFLICT;
    if (err != KEER_OK)
        return err;
    room->len = from;
    err = decode(value, room);
    if (err == KEER_OK)
        p->value = slice_of(room->p + from, room->len - from);
    return err;
}

static bool is_type(struct slice content_type, struct slice wanted)
{
    struct slice type = slice_trim(slice_cut(&content_type, ';'));
    if (!slice_eqi(type, wanted))
        return false;
    while (content_type.p) {
        struct slice value = slice_cut(&content_type, ';'), name = slice_trim(slice_cut(&value, '='));
        value = slice_trim(value);
        if (slice_eqi(name, SLICE("charset")) && !slice_eqi(value, SLICE("utf-8")) && !slice_eqi(value, SLICE("\"utf-8\"")))
            return false;
    }
    return true;
}

bool http_is_json(struct slice content_type) { return is_type(content_type, SLICE(HTTP_JSON)); }
bool http_is_lines(struct slice content_type) { return is_type(content_type, SLICE(HTTP_NDJSON)); }
bool http_is_form(struct slice content_type) { return is_type(content_type, SLICE(HTTP_FORM_TYPE)); }

/* Percent-decoding with + as a blank; empty is fine. */
static enum keer_err decode_form(struct slice s, struct buf *room, struct slice *ret_text)
{
    size_t from = room->len;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t byte = s.p[i] == '+' ? ' ' : (unsigned char)s.p[i];
        if (s.p[i] == '%') {
            if (s.len - i < 3 || num_hex(slice_of(s.p + i + 1, 2), &byte) != KEER_OK || !byte)
                return KEER_ESYNTAX;
            i += 2;
        }
        buf_char(room, (char)byte);
    }
    *ret_text = slice_of(room->p + from, room->len - from);
    return room->err;
}

enum keer_err http_form_read(struct slice body, struct http_param *params, unsigned count, struct buf *room,
                             struct slice *ret_name)
{
    unsigned given = 0;
    if (!buf_reserve(room, body.len + 1)) /* it must not move: values are slices of it */
        return room->err;
    while (body.p && body.len) {
        struct slice value = slice_cut(&body, '&'), name = slice_cut(&value, '='), text;
        if (++given > HTTP_QUERY_MAX)
            return KEER_ELIMIT;
        *ret_name = name;
        enum keer_err err = decode_form(name, room, &text);
        struct http_param *p = params;
        while (err == KEER_OK && p < params + count && !slice_eq(text, slice_str(p->name)))
            p++;
        if (err == KEER_OK && p == params + count)
            continue; /* RFC 6749 section 3.1: what is not known is ignored */
        if (err == KEER_OK && p->value.p)
            err = KEER_ECONFLICT;
        if (err == KEER_OK)
            err = decode_form(value, room, &p->value);
        if (err != KEER_OK)
            return err;
    }
    return KEER_OK;
}

struct slice http_cookie_find(struct slice header, const char *name)
{
    struct slice found = {NULL, 0}, none = {NULL, 0};
    while (header.p) {
        struct slice value = slice_cut(&header, ';'), its = slice_trim(slice_cut(&value, '='));
        if (!value.p || !slice_eq(its, slice_str(name)))
            continue;
        if (found.p)
            return none;
        found = slice_trim(value);
    }
    return found;
}

struct slice http_bearer(struct slice authorization)
{
    struct slice scheme = slice_cut(&authorization, ' ');
    return slice_eqi(scheme, SLICE("Bearer")) && authorization.p ? slice_trim(authorization) : (struct slice){NULL, 0};
}

struct slice http_target(struct slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct slice scheme = slice_str(schemes[i]);
        if (target.len < scheme.len || !slice_eqi(slice_of(target.p, scheme.len), scheme))
            continue;
        struct slice rest = slice_of(target.p + scheme.len, target.len - scheme.len);
        const char *path = rest.len ? memchr(rest.p, '/', rest.len) : NULL;
        return path ? slice_of(path, rest.len - (size_t)(path - rest.p)) : SLICE("/");
    }
    return target;
}

/* RFC 9110 section 5.6.2: letters, digits and !#$%&'*+-.^_`|~; a bit for each ASCII character. */
static bool is_token(struct slice s)
{
    static const uint64_t tokens[2] = {0x03ff6cfa00000000u, 0x57ffffffc7fffffeu};
    bool good = s.len > 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        good = good && c < 128 && (tokens[c / 64] >> c % 64 & 1);
    }
    return good;
}

static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.p[i] < 32 && s.p[i] != '\t') || s.p[i] == 127)
            return false;
    return true;
}

void http_header_seen(struct http_framing *f, struct slice name, struct slice value)
{
    uint64_t length;
    if (!is_token(name))
        f->bad = "the name of a header is none";
    else if (!is_value(value))
        f->bad = "control characters in a header";
    else if (slice_eqi(name, SLICE("Content-Length")) && (f->lengths++ || num_u64(value, 0, UINT64_MAX, &length) != KEER_OK))
        f->bad = "Content-Length is not one number";
    else if (slice_eqi(name, SLICE("Transfer-Encoding")) && (f->codings++ || !slice_eqi(value, SLICE("chunked"))))
        f->bad = "Transfer-Encoding is not chunked";
    else if (slice_eqi(name, SLICE("Host")) && f->hosts++)
        f->bad = "several Host headers";
}

const char *http_framing_bad(const struct http_framing *f, bool version_1_0)
{
    if (f->bad)
        return f->bad;
    if (f->lengths && f->codings)
        return "Content-Length and Transfer-Encoding";
    if (version_1_0 && f->codings)
        return "Transfer-Encoding in HTTP/1.0";
    return !version_1_0 && !f->hosts ? "no Host header" : NULL;
}
