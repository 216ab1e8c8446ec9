/* describe.c - routes, problems and metrics as Markdown or JSON. */
#include "api/api.h"

static const struct {
    const char *method, *path;
    unsigned roles, flags;
    const char *takes, *gives, *problems, *summary;
} routes[] = {
#define API_ROUTE(method, path, roles, flags, handle, answered, release, takes, gives, problems, summary) \
    {#method, path, roles, flags, #takes, #gives, problems, summary},
#include "api/routes.def"
#undef API_ROUTE
};
static const struct {
    const char *code;
    int status;
    const char *title, *hint;
} problems[] = {
#define HTTP_PROBLEM(code, status, title, hint) {#code, status, title, hint},
#include "http/problems.def"
#undef HTTP_PROBLEM
};
static const struct {
    const char *name, *kind, *help;
} metrics[] = {
#define API_METRIC(name, kind, help, value) {name, kind, help},
#include "api/metrics.def"
#undef API_METRIC
};

/* The names of a mask of roles, as texts of JSON or with spaces between. */
static void put_roles(struct buf *b, unsigned roles, bool json)
{
    bool told = false;
    for (unsigned i = 0; i < KEY_ROLE_MAX; i++)
        if (roles >> i & 1) {
            buf_fmt(b, json ? "%s\"%s\"" : "%s%s", !told ? "" : json ? "," : " ", key_role_name((enum key_role)i));
            told = true;
        }
}

static void markdown(struct buf *b)
{
    buf_puts(
        b,
        "# Routes of the daemon\n\n"
        "<!-- Printed by `keer --describe=routes` from src/api/routes.def, src/http/problems.def and "
        "src/api/metrics.def; run "
        "`make docs` after a change. -->\n\n| method | path | roles | takes | gives | what |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        buf_fmt(b, "| %s | `%s` | ", routes[i].method, routes[i].path);
        put_roles(b, routes[i].roles, false);
        buf_fmt(b, " | %s | %s | %s |\n", strcmp(routes[i].takes, "None") ? routes[i].takes : "", routes[i].gives,
                routes[i].summary);
    }
    buf_puts(b, "\n## Roles of keys\n\n| role | what it is for |\n|---|---|\n");
    for (unsigned i = 0; i < KEY_ROLE_MAX; i++)
        buf_fmt(b, "| `%s` | %s |\n", key_role_name((enum key_role)i), key_role_what((enum key_role)i));
    buf_puts(b, "\n## Problems\nAn answer that is no success is `application/problem+json` (RFC 9457): `type`, `title`, "
                "`status`, `detail`, "
                "`code`, `hint`.\n\n| code | status | title | what to do |\n|---|---:|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(problems); i++)
        buf_fmt(b, "| `%s` | %d | %s | %s |\n", problems[i].code, problems[i].status, problems[i].title, problems[i].hint);
    buf_puts(b, "\n## Metrics\nBeside these: `keer_decisions_total{outcome}`, `keer_http_responses_total{status}`, and the "
                "histograms "
                "`keer_decision_seconds` (from the head of a request to its commit) and `keer_commit_seconds`.\n\n"
                "| name | kind | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        buf_fmt(b, "| `%s` | %s | %s |\n", metrics[i].name, metrics[i].kind, metrics[i].help);
}

static void as_json(struct buf *b)
{
    buf_puts(b, "{\"routes\":[");
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        buf_fmt(b, "%s\n{\"method\":\"%s\",\"path\":\"%s\",\"roles\":[", i ? "," : "", routes[i].method, routes[i].path);
        put_roles(b, routes[i].roles, true);
        buf_fmt(b, "],\"takes\":\"%s\",\"gives\":\"%s\",\"problems\":\"%s\",\"summary\":", routes[i].takes, routes[i].gives,
                routes[i].problems);
        buf_json(b, slice_str(routes[i].summary));
        buf_char(b, '}');
    }
    buf_puts(b, "\n],\"problems\":[");
    for (size_t i = 0; i < ARRAY_LEN(problems); i++) {
        buf_fmt(b, "%s\n{\"code\":\"%s\",\"status\":%d,\"title\":", i ? "," : "", problems[i].code, problems[i].status);
        buf_json(b, slice_str(problems[i].title));
        buf_puts(b, ",\"hint\":");
        buf_json(b, slice_str(problems[i].hint));
        buf_char(b, '}');
    }
    buf_puts(b, "\n],\"metrics\":[");
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        buf_fmt(b, "%s\n{\"name\":\"%s\",\"kind\":\"%s\",\"help\":", i ? "," : "", metrics[i].name, metrics[i].kind);
        buf_json(b, slice_str(metrics[i].help));
        buf_char(b, '}');
    }
    buf_puts(b, "\n]}\n");
}

void api_describe(bool json, struct buf *out) { (json ? as_json : markdown)(out); }
