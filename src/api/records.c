/* records.c - /v1/decisions/{id}/explanation: why a decision came out so. */
#include "api/api.h"
#include "base/num.h"

#define TOP_DEFAULT 10 /* as `keer explain` */

/* A whole number in a parameter; false when the problem was told. */
static bool whole(struct http_exchange *x, const struct http_param *p, uint64_t min, uint64_t max, uint64_t *ret)
{
    if (!p->value.p || num_u64(p->value, min, max, ret) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_QUERY, "%s: not a whole number from %llu to %llu", p->name, (unsigned long long)min,
                 (unsigned long long)max);
    return false;
}

void explanation_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct http_param top = {"top", {NULL, 0}};
    uint64_t shown = TOP_DEFAULT;
    struct records_why why;
    if (!http_query(x, &top, 1) || !whole(x, &top, 1, LIMIT_FEATURES, &shown))
        return;
    enum keer_err err = records_explain(a->records, buf_view(&x->id), EXPLAIN_JSON, (unsigned)shown, &x->reply, &why);
    buf_char(&x->reply, '\n');
    if (err == KEER_OK)
        http_reply(x, 200, HTTP_JSON);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "no decision on an event of this id");
    else if (err == KEER_EVERSION)
        http_problem(x, HTTP_OTHER_POLICY, "%s", why.text);
    else if (err == KEER_EUNSUPPORTED)
        http_problem(x, HTTP_NOT_KEPT, "%s", why.text);
    else
        http_problem(x, err == KEER_ENOMEM ? HTTP_NO_MEMORY : HTTP_INTERNAL, "%s",
                     why.text[0] ? why.text : keer_err_text(err));
}
