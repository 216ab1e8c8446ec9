/* describe.c - routes, problems and metrics as Markdown or JSON. */
#include "api/api.h"

static const struct {
    const char *method, *path;
    unsigned flags;
    const char *summary;
} routes[] = {
#define API_ROUTE(method, path, flags, handle, answered, release, summary) {#method, path, flags, summary},
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

static void markdown(struct buf *b)
{
    buf_puts(b, "# Routes of the daemon\n\n"
                "<!-- Printed by `keer --describe=routes` from src/api/routes.def, src/http/problems.def and "
                "src/api/metrics.def; run "
                "`make docs` after a change. -->\n\n| method | path | key | body | what |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        buf_fmt(b, "| %s | `%s` | %s | %s | %s |\n", routes[i].method, routes[i].path,
                routes[i].flags & HTTP_KEY ? "yes" : "", routes[i].flags & HTTP_BODY ? "JSON" : "", routes[i].summary);
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
        buf_fmt(b, "%s\n{\"method\":\"%s\",\"path\":\"%s\",\"key\":%s,\"body\":%s,\"summary\":", i ? "," : "",
                routes[i].method, routes[i].path, routes[i].flags & HTTP_KEY ? "true" : "false",
                routes[i].flags & HTTP_BODY ? "true" : "false");
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
