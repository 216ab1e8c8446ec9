/* search.c - GET /v1/decisions: decisions by what they are, a page at a time. The search runs on its own thread
 * (flow/search.h); the exchange waits for it.
 */
#include "api/api.h"
#include "base/num.h"
#include "base/timefmt.h"

enum { ACCOUNT, OUTCOME, RULE, TYPE, FROM, TO, LIMIT, CURSOR, PARAMS };
#define LIMIT_DEFAULT 50
#define CUSTOM "custom."
#define OUT_BYTES (SEARCH_PAGE_BYTES + VERDICT_BYTES + 1024)

struct asked {
    struct http_exchange *x;
    struct search_request request;
};

static bool is_outcome(struct slice s)
{
    bool known = false;
    for (unsigned o = 0; !known && o < KEER_OUTCOME_MAX; o++)
        known = slice_eq(s, slice_str(keer_outcome_name((enum keer_outcome)o)));
    return known;
}

/* A type of events.def, or a custom one, whichever version of the policy knew it. */
static bool is_type(struct slice s)
{
    const char *name, *doc;
    bool label;
    bool known = s.len > sizeof CUSTOM - 1 && s.len <= sizeof CUSTOM + LIMIT_NAME_BYTES &&
                 slice_eq(slice_of(s.p, sizeof CUSTOM - 1), SLICE(CUSTOM));
    for (unsigned i = 0; !known && event_known_row(i, &name, &label, &doc); i++)
        known = slice_eq(s, slice_str(name));
    return known;
}

static bool when(struct http_exchange *x, const struct http_param *p, int64_t *ret_us)
{
    if (!p->value.p || time_parse(p->value, ret_us) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_QUERY, "%s: not a time, as 2018-10-01T12:00:00Z", p->name);
    return false;
}

/* What the parameters say; false when a problem was told. */
static bool read_query(struct http_exchange *x, const struct http_param *p, struct search_query *q)
{
    uint64_t limit = LIMIT_DEFAULT;
    *q = (struct search_query){.account = p[ACCOUNT].value,
                               .outcome = p[OUTCOME].value,
                               .rule = p[RULE].value,
                               .type = p[TYPE].value,
                               .from_us = INT64_MIN,
                               .to_us = INT64_MAX,
                               .cursor = p[CURSOR].value};
    if (q->outcome.p && !is_outcome(q->outcome)) {
        http_problem(x, HTTP_BAD_QUERY, "outcome: not one of a decision's");
        return false;
    }
    if (q->type.p && !is_type(q->type)) {
        http_problem(x, HTTP_BAD_QUERY, "type: no type of event has this name");
        return false;
    }
    if (p[LIMIT].value.p && num_u64(p[LIMIT].value, 1, SEARCH_LIMIT_MAX, &limit) != KEER_OK) {
        http_problem(x, HTTP_BAD_QUERY, "limit: not a whole number from 1 to %u", SEARCH_LIMIT_MAX);
        return false;
    }
    q->limit = (unsigned)limit;
    return when(x, &p[FROM], &q->from_us) && when(x, &p[TO], &q->to_us);
}

static void on_done(struct search_request *r)
{
    struct asked *q = r->ctx;
    http_resume(q->x);
}

void search_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct http_param p[PARAMS] = {
        [ACCOUNT] = {.name = "account"}, [OUTCOME] = {.name = "outcome"}, [RULE] = {.name = "rule"},
        [TYPE] = {.name = "type"},       [FROM] = {.name = "from"},       [TO] = {.name = "to"},
        [LIMIT] = {.name = "limit"},     [CURSOR] = {.name = "cursor"}};
    struct search_query query;
    if (!http_query(x, p, PARAMS) || !read_query(x, p, &query))
        return;
    struct asked *q = calloc(1, sizeof *q);
    if (!q) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    x->data = q;
    q->x = x;
    q->request = (struct search_request){.query = query, .done = on_done, .ctx = q};
    buf_init(&q->request.out, OUT_BYTES);
    http_suspend(x); /* before: it may be done at once */
    enum keer_err err = search_submit(a->search, &q->request);
    if (err != KEER_OK) {
        q->request.err = err;
        http_resume(x);
    }
}

void search_answer(struct http_exchange *x)
{
    struct asked *q = x->data;
    switch ((int)q->request.err) { /* the search names a few of them */
    case KEER_OK: http_reply_fixed(x, 200, HTTP_JSON, buf_view(&q->request.out)); return;
    case KEER_EINVALID: http_problem(x, HTTP_BAD_CURSOR, "%s", ""); return;
    case KEER_EFULL: http_problem(x, HTTP_FULL, "too many searches are waiting"); return;
    case KEER_EUNSUPPORTED: http_problem(x, HTTP_STOPPING, "%s", ""); return;
    case KEER_ENOMEM: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    default: http_problem(x, HTTP_INTERNAL, "the journal can't be searched"); return;
    }
}

void search_release(struct http_exchange *x)
{
    struct asked *q = x->data;
    if (!q)
        return;
    buf_release(&q->request.out);
    free(q);
}
