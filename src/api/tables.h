/* tables.h - what routes.def, schemas.def and metrics.def say, as rows, for the pages that are printed from them. Rows end
 * where a function returns NULL.
 */
#ifndef API_TABLES_H
#define API_TABLES_H
#include "api/api.h"

struct route_row {
    const char *method, *path, *name; /* the name of its handler */
    unsigned roles, flags;
    const char *takes, *gives, *problems, *summary; /* "None" where there is no schema */
};
struct query_row {
    const char *method, *path, *name, *form;
    bool required;
    const char *what;
};
struct also_row {
    const char *method, *path;
    int status;
    const char *schema, *when;
};
/* API_PAGE: what browsers show; it is no part of the OpenAPI document. */
enum api_media { API_JSON, API_NDJSON, API_EVENTS, API_PLAIN, API_FORM, API_HTML, API_PAGE };
struct schema_row {
    const char *name;
    enum api_media media;
    const char *what;
};
struct field_row {
    const char *schema, *name, *form;
    bool required;
    const char *what;
};
struct metric_row {
    const char *name, *kind, *help;
};

const struct route_row *route_row(unsigned i);
const struct query_row *query_row(unsigned i);
const struct also_row *also_row(unsigned i);
const struct schema_row *schema_row(unsigned i);
const struct schema_row *schema_find(const char *name); /* NULL: none */
const struct field_row *field_row(unsigned i);
const struct metric_row *metric_row(unsigned i);
/* Whether the route may answer the problem: its own column, and what every path of its kind answers. */
bool route_may_answer(const struct route_row *route, enum http_problem problem);
#endif
