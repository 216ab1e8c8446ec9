/* describe.c - routes, problems and metrics as Markdown or JSON. */
#include "api/tables.h"

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

static void put_queries(struct buf *b)
{
    const struct query_row *q;
    for (unsigned i = 0; (q = query_row(i)); i++) {
        if (i == 0)
            buf_puts(b, "\n## Behind the ?\n\n| path | name | form | what |\n|---|---|---|---|\n");
        buf_fmt(b, "| %s `%s` | `%s` | %s%s | %s |\n", q->method, q->path, q->name, q->form, q->required ? ", required" : "",
                q->what);
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
    const struct route_row *r;
    for (unsigned i = 0; (r = route_row(i)); i++) {
        buf_fmt(b, "| %s | `%s` | ", r->method, r->path);
        put_roles(b, r->roles, false);
        buf_fmt(b, " | %s | %s | %s |\n", strcmp(r->takes, "None") ? r->takes : "", r->gives, r->summary);
    }
    put_queries(b);
    buf_puts(b, "\n## Roles of keys\n\n| role | what it is for |\n|---|---|\n");
    for (unsigned i = 0; i < KEY_ROLE_MAX; i++)
        buf_fmt(b, "| `%s` | %s |\n", key_role_name((enum key_role)i), key_role_what((enum key_role)i));
    buf_puts(b,
             "\n## Problems\nAn answer that is no success is `application/problem+json` (RFC 9457): `type`, `title`, "
             "`status`, `detail`, "
             "`code`, `hint`.\n"
             "GET /openapi.json and `keer --describe=openapi` say all of this as an OpenAPI 3.1 document "
             "([openapi.json](openapi.json)), "
             "with the fields of what is taken and given.\n\n| code | status | title | what to do |\n|---|---:|---|---|\n");
    const struct http_problem_row *p;
    for (unsigned i = 0; (p = http_problem_row(i)); i++)
        buf_fmt(b, "| `%s` | %d | %s | %s |\n", p->code, p->status, p->title, p->hint);
    buf_puts(b, "\n## Metrics\nBeside these: `keer_decisions_total{outcome}`, `keer_http_responses_total{status}`, and the "
                "histograms "
                "`keer_decision_seconds` (from the head of a request to its commit) and `keer_commit_seconds`.\n\n"
                "| name | kind | meaning |\n|---|---|---|\n");
    const struct metric_row *m;
    for (unsigned i = 0; (m = metric_row(i)); i++)
        buf_fmt(b, "| `%s` | %s | %s |\n", m->name, m->kind, m->help);
}

static void as_json(struct buf *b)
{
    const struct route_row *r;
    const struct http_problem_row *p;
    const struct metric_row *m;
    buf_puts(b, "{\"routes\":[");
    for (unsigned i = 0; (r = route_row(i)); i++) {
        buf_fmt(b, "%s\n{\"method\":\"%s\",\"path\":\"%s\",\"roles\":[", i ? "," : "", r->method, r->path);
        put_roles(b, r->roles, true);
        buf_fmt(b, "],\"takes\":\"%s\",\"gives\":\"%s\",\"problems\":\"%s\",\"summary\":", r->takes, r->gives, r->problems);
        buf_json(b, slice_str(r->summary));
        buf_char(b, '}');
    }
    buf_puts(b, "\n],\"problems\":[");
    for (unsigned i = 0; (p = http_problem_row(i)); i++) {
        buf_fmt(b, "%s\n{\"code\":\"%s\",\"status\":%d,\"title\":", i ? "," : "", p->code, p->status);
        buf_json(b, slice_str(p->title));
        buf_puts(b, ",\"hint\":");
        buf_json(b, slice_str(p->hint));
        buf_char(b, '}');
    }
    buf_puts(b, "\n],\"metrics\":[");
    for (unsigned i = 0; (m = metric_row(i)); i++) {
        buf_fmt(b, "%s\n{\"name\":\"%s\",\"kind\":\"%s\",\"help\":", i ? "," : "", m->name, m->kind);
        buf_json(b, slice_str(m->help));
        buf_char(b, '}');
    }
    buf_puts(b, "\n]}\n");
}

void api_describe(bool json, struct buf *out) { (json ? as_json : markdown)(out); }
