/* appstore.c - /v1/intake/appstore: what Apple tells, and the consumption answers that are prepared for it. */
#include "flow/appstore.h"

#include "api/visit.h"
#include "base/timefmt.h"

static const struct appstore *intake(struct http_exchange *x)
{
    const struct appstore *a = ((struct api *)x->ctx)->appstore;
    if (!a)
        http_problem(x, HTTP_NOT_FOUND, "no notifications of the App Store are taken here: start with --appstore-root");
    return a;
}

void appstore_post(struct http_exchange *x)
{
    const struct appstore *a = intake(x);
    struct api_body b = {0};
    struct slice payload;
    struct appstore_notice n;
    char why[APPSTORE_WHY_BYTES];
    bool again;
    if (!a || !api_body_read(x, &b, "signedPayload") ||
        !api_body_text(x, &b, "signedPayload", /* required */ true, &payload))
        goto out;
    enum appstore_verdict v = appstore_read(a, payload, desk_wall_us(x->worker), &n, why);
    if (v == APPSTORE_NO_MEMORY) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    } else if (v != APPSTORE_GENUINE) {
        if (v == APPSTORE_FORGED)
            log_put(desk_log(x->worker), LOG_WARNING, "a notice of the App Store is refused: %s", why);
        http_problem(x, HTTP_BAD_BODY, "%s", why);
    } else {
        enum keer_err err = appstore_take(x->worker, &n, &again);
        if (err == KEER_OK)
            visit_empty(x);
        else
            visit_failed(x, err);
        if (err == KEER_EFULL) /* Apple knows 200 and 'later'; a 429 is no better than a 503 */
            x->status = 503;
    }
out:
    api_body_release(&b);
}

void appstore_consumption(struct http_exchange *x)
{
    struct appstore_consumption c;
    struct buf *b = &x->reply;
    if (!intake(x))
        return;
    enum keer_err err = appstore_consumption_get(x->worker, buf_view(&x->id), &c);
    if (err == KEER_OK) {
        buf_fmt(b, "{\"id\":\"%s\",\"transaction\":", c.uuid);
        buf_json(b, slice_str(c.transaction));
        buf_fmt(b, ",\"account\":");
        if (c.account[0])
            buf_json(b, slice_str(c.account));
        else
            buf_puts(b, "null");
        buf_puts(b, ",\"asked\":\"");
        time_print(b, c.signed_us);
        buf_puts(b, "\",\"due\":\"");
        time_print(b, c.due_us);
        buf_fmt(b, "\",\"late\":%s,\"answer\":", desk_wall_us(x->worker) > c.due_us ? "true" : "false");
        buf_slice(b, buf_view(&c.answer));
        buf_puts(b, "}\n");
        http_reply(x, 200, HTTP_JSON);
    } else if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no consumption request has this notificationUUID");
    } else {
        visit_failed(x, err);
    }
    buf_release(&c.answer);
}
