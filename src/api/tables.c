/* tables.c - the tables of src/api, and of what an event is made of, as rows. */
#include "api/tables.h"

#define REQUIRED true
#define OPTIONAL false

static const struct route_row routes[] = {
#define API_ROUTE(method, path, roles, flags, handle, answered, release, takes, gives, problems, summary) \
    {#method, path, #handle, roles, flags, #takes, #gives, problems, summary},
#include "api/routes.def"
};
/* Tables that may be empty end with a row of nothing. */
static const struct query_row queries[] = {
#define API_QUERY(method, path, name, form, required, what) {#method, path, #name, form, required, what},
#include "api/routes.def"
    {0}};
static const struct also_row also[] = {
#define API_ALSO(method, path, status, schema, when) {#method, path, status, #schema, when},
#include "api/routes.def"
    {0}};
static const struct schema_row schemas[] = {
#define API_SCHEMA(name, media, what) {#name, API_##media, what},
#define API_FIELD(schema, name, form, required, what)
#include "api/schemas.def"
#undef API_SCHEMA
#undef API_FIELD
};
static const struct field_row fields[] = {
#define PART_TEXT "given_text"
#define PART_TIME "given_time"
#define PART_TYPE "given_type"
#define PART_BOOLEAN "boolean"
#define PART_CURRENCY "text"
#define KEER_PART(name, step, form, required, what) {"Event", #name, PART_##form, required, what},
#include <keer/parts.def>
#undef KEER_PART
#define ATTR_TEXT "given_text?"
#define ATTR_NUMBER "number?"
#define ATTR_BOOLEAN "boolean?"
#define ATTR_MONEY "given_money?"
#define ATTR_IP "text?"
#define KEER_ATTRIBUTE(name, type, fold, what) {"Event", #name, ATTR_##type, OPTIONAL, what},
#include <keer/attributes.def>
#undef KEER_ATTRIBUTE
#define API_SCHEMA(name, media, what)
#define API_FIELD(schema, name, form, required, what) {#schema, #name, form, required, what},
#include "api/schemas.def"
#undef API_SCHEMA
#undef API_FIELD
};
static const struct metric_row metrics[] = {
#define API_METRIC(name, kind, help, value) {name, kind, help},
#include "api/metrics.def"
#undef API_METRIC
};

const struct route_row *route_row(unsigned i) { return i < ARRAY_LEN(routes) ? &routes[i] : NULL; }
const struct query_row *query_row(unsigned i) { return i + 1 < ARRAY_LEN(queries) ? &queries[i] : NULL; }
const struct also_row *also_row(unsigned i) { return i + 1 < ARRAY_LEN(also) ? &also[i] : NULL; }
const struct schema_row *schema_row(unsigned i) { return i < ARRAY_LEN(schemas) ? &schemas[i] : NULL; }
const struct field_row *field_row(unsigned i) { return i < ARRAY_LEN(fields) ? &fields[i] : NULL; }
const struct metric_row *metric_row(unsigned i) { return i < ARRAY_LEN(metrics) ? &metrics[i] : NULL; }

const struct schema_row *schema_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
        if (strcmp(schemas[i].name, name) == 0)
            return &schemas[i];
    return NULL;
}

bool route_may_answer(const struct route_row *route, enum http_problem problem)
{
    struct slice rest = slice_str(route->problems), code = slice_str(http_problem_row(problem)->code);
    while (rest.p)
        if (slice_eq(slice_cut(&rest, ' '), code))
            return true;
    switch (problem) {
    case HTTP_STOPPING:
    case HTTP_NO_MEMORY:
    case HTTP_INTERNAL: return true;
    case HTTP_NOT_FOUND: return strchr(route->path, '{') != NULL; /* of a path that is there: what its id names is not */
    case HTTP_NO_KEY:
    case HTTP_WRONG_ROLE: return route->roles != 0;
    case HTTP_WRONG_TYPE:
    case HTTP_TOO_LARGE: return strcmp(route->takes, "None") != 0;
    default: return false; /* the route's own column says the others; a wrong method is no method of a path */
    }
}
