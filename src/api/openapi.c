/* openapi.c - the OpenAPI 3.1 document, from routes.def, schemas.def and problems.def.
 *
 * Roles of a bearer key stand as its scopes do (OpenAPI 3.1, Security Requirement Object: role names are allowed for every
 * scheme), one alternative for each role, and once more, as a plain list, in x-keer-roles.
 */
#include "api/tables.h"

#ifndef KEER_VERSION
#define KEER_VERSION "unknown"
#endif

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, "\"%s\":", name);
    buf_json(b, slice_str(text));
}

/* --- forms ------------------------------------------------------------------------------------------------------- */

/* Forms that are a type of JSON and, maybe, more; `type` may be several. */
static const struct {
    const char *form, *type, *more;
} plain[] = {
    {"text", "\"string\"", ""},
    {"time", "\"string\"", ",\"format\":\"date-time\""},
    {"integer", "\"integer\"", ""},
    {"number", "\"number\"", ""},
    {"boolean", "\"boolean\"", ""},
    {"object", "\"object\"", ""},
    {"null", "\"null\"", ""},
    {"given_text", "\"string\",\"integer\"", ""},
    {"given_time", "\"string\",\"number\"",
     ",\"examples\":[\"2018-10-01T12:00:00Z\",1538395200],\"x-keer-form\":\"ISO 8601, or seconds since 1970; integers from "
     "1e11 on "
     "are milliseconds, from 1e14 on microseconds\""},
    {"given_money", "\"integer\",\"string\"",
     ",\"pattern\":\"^-?[0-9]+([.][0-9]+)?$\",\"examples\":[4900,\"49.00\"],\"x-keer-form\":\"an integer of minor units, or "
     "a text with the decimals of `currency`\""},
};

static const char *outcome_word(unsigned i) { return i < KEER_OUTCOME_MAX ? keer_outcome_name((enum keer_outcome)i) : NULL; }
static const char *role_word(unsigned i) { return i < KEY_ROLE_MAX ? key_role_name((enum key_role)i) : NULL; }
static const char *problem_word(unsigned i) { return http_problem_row(i) ? http_problem_row(i)->code : NULL; }
static const struct {
    const char *form;
    const char *(*word)(unsigned i);
} tables[] = {
    {"outcome", outcome_word}, {"degraded", verdict_degraded_word}, {"role", role_word}, {"problem", problem_word}};

/* The types of events are a table with meanings; custom types are many more. */
static void put_event_type(struct buf *b)
{
    static const struct {
        const char *name, *what;
    } rows[] = {
#define KEER_EVENT(name, kind, what) {#name, what},
#include <keer/events.def>
#undef KEER_EVENT
    };
    buf_puts(b, "\"type\":\"string\",\"anyOf\":[{\"oneOf\":[");
    for (size_t i = 0; i + 1 < ARRAY_LEN(rows); i++) { /* the last, `other`, is what custom types become */
        buf_fmt(b, "%s{\"const\":\"%s\",", i ? "," : "", rows[i].name);
        put_text(b, "description", rows[i].what);
        buf_char(b, '}');
    }
    buf_puts(b, "]},{\"pattern\":\"^custom[.].\"}]");
}

static void put_words(struct buf *b, struct slice form, const char *(*word)(unsigned i), bool null)
{
    const char *w;
    buf_fmt(b, "\"type\":%s,\"enum\":[", null ? "[\"string\",\"null\"]" : "\"string\"");
    for (unsigned i = 0; word && (w = word(i)); i++) {
        buf_puts(b, i ? "," : "");
        buf_json(b, slice_str(w));
    }
    for (bool first = true; !word && form.p; first = false) {
        buf_puts(b, first ? "" : ",");
        buf_json(b, slice_cut(&form, '|'));
    }
    buf_puts(b, null ? ",null]" : "]");
}

static bool put_plain(struct buf *b, struct slice form, bool null)
{
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (slice_eq(form, slice_str(plain[i].form))) {
            bool several = null || strchr(plain[i].type, ',');
            buf_fmt(b, several ? "\"type\":[%s%s]%s" : "\"type\":%s%s%s", plain[i].type, null ? ",\"null\"" : "",
                    plain[i].more);
            return true;
        }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (slice_eq(form, slice_str(tables[i].form))) {
            put_words(b, form, tables[i].word, null);
            return true;
        }
    return false;
}

/* A schema, or one of several. */
static void put_refs(struct buf *b, struct slice form, bool null)
{
    struct slice rest = form, name = slice_cut(&rest, '|');
    bool several = null || rest.p;
    buf_puts(b, several ? "\"anyOf\":[{" : "");
    for (bool first = true; name.p; first = false, name = slice_cut(&rest, '|'))
        buf_fmt(b, "%s\"$ref\":\"#/components/schemas/" SLICE_FMT "\"", first ? "" : "},{", SLICE_ARG(name));
    buf_puts(b, null ? "},{\"type\":\"null\"}]" : several ? "}]" : "");
}

/* The members of the schema that a form is, without the braces around them. */
static void put_form(struct buf *b, struct slice form)
{
    bool null = form.len && form.p[form.len - 1] == '?';
    form.len -= null;
    char first = form.len ? form.p[0] : '\0';
    struct slice inner = first == '[' || first == '{' ? slice_of(form.p + 1, form.len - 2) : form;
    if (first == '[' || first == '{') {
        buf_fmt(b,
                first == '[' ? "\"type\":%s\"array\"%s,\"items\":{" : "\"type\":%s\"object\"%s,\"additionalProperties\":{",
                null ? "[" : "", null ? ",\"null\"]" : "");
        put_form(b, inner);
        buf_char(b, '}');
    } else if (first >= 'A' && first <= 'Z') {
        put_refs(b, form, null);
    } else if (slice_eq(form, SLICE("given_type"))) {
        put_event_type(b);
    } else if (slice_eq(form, SLICE("any")) || put_plain(b, form, null)) {
        return; /* anything at all is said by saying nothing */
    } else {
        put_words(b, form, NULL, null);
    }
}

/* --- schemas ----------------------------------------------------------------------------------------------------- */

static bool is_text(enum api_media media) { return media == API_PLAIN || media == API_HTML; }

static void put_schema(struct buf *b, const struct schema_row *s)
{
    const struct field_row *f;
    bool told = false;
    buf_fmt(b, "\"%s\":{\"type\":\"%s\",", s->name, is_text(s->media) ? "string" : "object");
    put_text(b, "description", s->what);
    buf_puts(b, is_text(s->media) ? "" : ",\"properties\":{");
    for (unsigned i = 0; (f = field_row(i)); i++)
        if (strcmp(f->schema, s->name) == 0) {
            buf_fmt(b, "%s\n\"%s\":{", told ? "," : "", f->name);
            size_t before = b->len;
            put_form(b, slice_str(f->form));
            buf_puts(b, b->len > before ? "," : "");
            put_text(b, "description", f->what);
            buf_char(b, '}');
            told = true;
        }
    buf_puts(b, is_text(s->media) ? "" : "}");
    told = false;
    for (unsigned i = 0; (f = field_row(i)); i++)
        if (strcmp(f->schema, s->name) == 0 && f->required) {
            buf_fmt(b, "%s\"%s\"", told ? "," : ",\"required\":[", f->name);
            told = true;
        }
    buf_puts(b, told ? "]}" : "}");
}

/* Media that are many values: the member that tells the form of one. */
static const char *part_name(enum api_media media)
{
    return media == API_NDJSON ? "x-keer-line" : media == API_EVENTS ? "x-keer-data" : NULL;
}

/* The form of one of them, the schema's only field. */
static const char *part_of(const struct schema_row *s)
{
    const struct field_row *f;
    for (unsigned i = 0; (f = field_row(i)); i++)
        if (strcmp(f->schema, s->name) == 0)
            return f->form;
    return "any";
}

/* "content" of a body: its media type and schema. A line of NDJSON, or the data of an event, has no schema in OpenAPI 3.1:
 * it is told beside.
 */
static void put_content(struct buf *b, const char *name)
{
    static const char *const types[] = {[API_JSON] = "application/json",
                                        [API_NDJSON] = "application/x-ndjson",
                                        [API_EVENTS] = "text/event-stream",
                                        [API_PLAIN] = "text/plain",
                                        [API_FORM] = "application/x-www-form-urlencoded",
                                        [API_HTML] = "text/html",
                                        [API_PAGE] = "text/html"};
    const struct schema_row *s = schema_find(name);
    if (!s)
        return;
    buf_fmt(b, "\"%s\":{\"schema\":{", types[s->media]);
    if (part_name(s->media)) {
        buf_puts(b, "\"type\":\"string\",");
        put_text(b, "description", s->what);
        buf_fmt(b, ",\"%s\":{", part_name(s->media));
        put_form(b, slice_str(part_of(s)));
        buf_char(b, '}');
    } else {
        buf_fmt(b, "\"$ref\":\"#/components/schemas/%s\"", name);
    }
    buf_puts(b, "}}");
}

/* --- operations -------------------------------------------------------------------------------------------------- */

static void put_security(struct buf *b, unsigned roles)
{
    bool told = false;
    buf_puts(b, ",\"security\":[");
    for (unsigned i = 0; role_word(i); i++)
        if (roles >> i & 1) {
            buf_fmt(b, "%s{\"key\":[\"%s\"]}", told ? "," : "", role_word(i));
            told = true;
        }
    buf_puts(b, "]");
    told = false;
    for (unsigned i = 0; role_word(i); i++)
        if (roles >> i & 1) {
            buf_fmt(b, "%s\"%s\"", told ? "," : ",\"x-keer-roles\":[", role_word(i));
            told = true;
        }
    buf_puts(b, told ? "]" : "");
}

static void put_parameters(struct buf *b, const struct route_row *r)
{
    const struct query_row *q;
    struct slice rest = slice_str(r->path);
    bool told = false;
    while (rest.p) {
        struct slice part = slice_cut(&rest, '/');
        if (part.len < 3 || part.p[0] != '{')
            continue;
        buf_fmt(b,
                "%s{\"name\":\"" SLICE_FMT
                "\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\",\"minLength\":1}}",
                told ? "," : ",\"parameters\":[", (int)part.len - 2, part.p + 1);
        told = true;
    }
    for (unsigned i = 0; (q = query_row(i)); i++)
        if (strcmp(q->method, r->method) == 0 && strcmp(q->path, r->path) == 0) {
            buf_fmt(b, "%s\n{\"name\":\"%s\",\"in\":\"query\",\"required\":%s,\"schema\":{",
                    told ? "," : ",\"parameters\":[", q->name, q->required ? "true" : "false");
            put_form(b, slice_str(q->form));
            buf_puts(b, "},");
            put_text(b, "description", q->what);
            buf_char(b, '}');
            told = true;
        }
    buf_puts(b, told ? "]" : "");
}

static const struct also_row *also_of(const struct route_row *r, int status)
{
    const struct also_row *a;
    for (unsigned i = 0; (a = also_row(i)); i++)
        if (a->status == status && strcmp(a->method, r->method) == 0 && strcmp(a->path, r->path) == 0)
            return a;
    return NULL;
}

static void put_headers(struct buf *b, int status)
{
    if (status == 429 || status == 503)
        buf_puts(b, "\"headers\":{\"Retry-After\":{\"$ref\":\"#/components/headers/RetryAfter\"}},");
    if (status == 401)
        buf_puts(b, "\"headers\":{\"WWW-Authenticate\":{\"$ref\":\"#/components/headers/Challenge\"}},");
}

/* All that is answered with one status: the problems by their codes, and what is told beside them. */
static void put_status(struct buf *b, const struct route_row *r, int status)
{
    const struct also_row *also = also_of(r, status);
    const struct http_problem_row *p;
    unsigned problems = 0;
    for (unsigned i = 0; (p = http_problem_row(i)); i++)
        problems += p->status == status && route_may_answer(r, (enum http_problem)i);
    if (!problems && !also)
        return;
    buf_fmt(b, ",\n\"%d\":{\"description\":", status);
    struct buf what;
    buf_init(&what, 2000);
    buf_puts(&what, also ? also->when : "");
    for (unsigned i = 0; (p = http_problem_row(i)); i++)
        if (p->status == status && route_may_answer(r, (enum http_problem)i))
            buf_fmt(&what, "%s%s", what.len ? "; " : "", p->title);
    buf_json(b, buf_view(&what));
    b->err = b->err != KEER_OK ? b->err : what.err;
    buf_release(&what);
    buf_char(b, ',');
    put_headers(b, status);
    buf_puts(b, "\"content\":{");
    if (also)
        put_content(b, also->schema);
    buf_puts(b, also && problems ? "," : "");
    if (problems)
        buf_puts(b, "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"},\"examples\":{");
    bool told = false;
    for (unsigned i = 0; (p = http_problem_row(i)); i++)
        if (p->status == status && route_may_answer(r, (enum http_problem)i)) {
            buf_fmt(b, "%s\"%s\":{\"$ref\":\"#/components/examples/%s\"}", told ? "," : "", p->code, p->code);
            told = true;
        }
    buf_puts(b, problems ? "}}}}" : "}}");
}

static void put_operation(struct buf *b, const struct route_row *r)
{
    const struct schema_row *gives = schema_find(r->gives);
    buf_char(b, '"');
    for (const char *p = r->method; *p; p++)
        buf_char(b, (char)(*p | 0x20)); /* lower case */
    buf_fmt(b, "\":{\"operationId\":\"%s\",", r->name);
    put_text(b, "summary", r->summary);
    put_security(b, r->roles);
    put_parameters(b, r);
    if (strcmp(r->takes, "None") != 0) {
        buf_puts(b, ",\n\"requestBody\":{\"required\":true,\"content\":{");
        put_content(b, r->takes);
        buf_puts(b, "}}");
    }
    buf_puts(b, ",\n\"responses\":{\"200\":{\"description\":");
    buf_json(b, slice_str(gives ? gives->what : r->summary));
    buf_puts(b, gives ? ",\"content\":{" : "");
    put_content(b, r->gives);
    buf_puts(b, gives ? "}}" : "}");
    for (int status = 201; status < HTTP_STATUS_MAX; status++)
        put_status(b, r, status);
    buf_puts(b, "}}");
}

static bool is_page(const char *schema) { return schema_find(schema) && schema_find(schema)->media == API_PAGE; }

/* Methods of one path stand together: it is told where it comes first. */
static void put_paths(struct buf *b)
{
    const struct route_row *r, *other;
    for (unsigned i = 0; (r = route_row(i)); i++) {
        bool before = false;
        for (unsigned j = 0; j < i; j++)
            before = before || strcmp(route_row(j)->path, r->path) == 0;
        if (before || is_page(r->gives))
            continue;
        buf_fmt(b, "%s\n\"%s\":{", i ? "," : "", r->path);
        for (unsigned j = i; (other = route_row(j)); j++)
            if (strcmp(other->path, r->path) == 0) {
                buf_puts(b, j > i ? ",\n" : "");
                put_operation(b, other);
            }
        buf_char(b, '}');
    }
}

static void put_examples(struct buf *b)
{
    const struct http_problem_row *p;
    for (unsigned i = 0; (p = http_problem_row(i)); i++) {
        buf_fmt(b, "%s\n\"%s\":{", i ? "," : "", p->code);
        put_text(b, "summary", p->title);
        buf_puts(b, ",\"value\":");
        http_problem_print((enum http_problem)i, (struct slice){NULL, 0}, b);
        b->len -= b->len && b->p[b->len - 1] == '\n';
        buf_char(b, '}');
    }
}

void api_openapi(struct buf *b)
{
    const struct schema_row *s;
    buf_puts(b, "{\"openapi\":\"3.1.0\",\n\"info\":{\"title\":\"Keersluis\",\"version\":\"" KEER_VERSION "\",");
    put_text(b, "summary", "decides sign-ins, account changes and payments: allow, challenge, review or deny");
    buf_char(b, ',');
    put_text(
        b, "description",
        "The id of an event is its key of idempotency: the same id with the same body is the stored answer, another body is "
        "refused with 422. What ends without an answer, and 429 and 503, may be sent again with the same id. Whoever reads "
        "an answer passes over members that it does not know. HEAD is answered where GET is.");
    buf_puts(b, ",\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},\n\"servers\":[{\"url\":\"/"
                "\"}],\n\"paths\":{");
    put_paths(b);
    buf_puts(b, "},\n\"components\":{\n\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\",");
    put_text(b, "description", "an API key, made by `keer key new --role ROLE`");
    buf_puts(b, "}},\n\"headers\":{\"RetryAfter\":{\"description\":\"seconds to wait\",\"schema\":{\"type\":\"integer\"}},"
                "\"Challenge\":{\"description\":\"Bearer\",\"schema\":{\"type\":\"string\"}}},\n\"schemas\":{");
    for (unsigned i = 0, told = 0; (s = schema_row(i)); i++)
        if (!part_name(s->media) && s->media != API_PAGE) {
            buf_puts(b, told++ ? ",\n" : "\n");
            put_schema(b, s);
        }
    buf_puts(b, "},\n\"examples\":{");
    put_examples(b);
    buf_puts(b, "}}}\n");
}
