/* refunds.c - /v1/refunds: giving back what a charge took. */
#include "api/money.h"
#include "flow/refund.h"

static void answer(struct http_exchange *x, const struct give_case *c)
{
    struct buf *b = &x->reply;
    const struct refund *r = &c->refund;
    bool open = r->state == REFUND_SUBMITTED || r->state == REFUND_UNKNOWN;
    buf_fmt(b, "{\"id\":\"%s\"", r->id.text);
    money_put_text(b, "key", r->key);
    buf_fmt(b, ",\"charge\":\"%s\",\"state\":\"%s\",\"by_wallet\":%s", r->charge.text, refund_state_name(r->state),
            r->by_wallet ? "true" : "false");
    money_put_text(b, "number", r->number);
    if (r->ref[0])
        money_put_text(b, "wallet_number", r->ref);
    money_put(b, "amount", r->amount_minor, r->currency);
    buf_fmt(b, ",\"currency\":\"%s\"", currency_code(r->currency));
    money_put_text(b, "reason", r->reason);
    money_put(b, "refunded", c->charge.refunded_minor, c->charge.currency);
    money_put(b, "refunding", c->charge.refunding_minor, c->charge.currency);
    money_put_why(b, r->why);
    step_put_time(b, "created", r->created_us);
    step_put_time(b, "since", r->state_us);
    buf_puts(b, "}\n");
    http_reply(x, open ? 202 : c->fresh ? 201 : 200, HTTP_JSON);
}

static bool read_ask(struct http_exchange *x, const struct api_body *b, struct give_ask *a)
{
    return api_body_line(x, b, "id", /* required */ true, LIMIT_NAME_BYTES, &a->key) &&
           visit_body_id(x, b, "charge", &a->charge) && api_body_line(x, b, "reason", false, 128, &a->reason) &&
           money_read(x, b, /* required */ false, &a->amount_minor, &a->currency);
}

void refunds_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct give_case c;
    struct give_ask ask = {.client = slice_str(x->caller), .currency = CUR_MAX};
    const struct pay *p = money_on(x);
    if (p && api_body_read(x, &b, "id charge amount currency reason") && read_ask(x, &b, &ask)) {
        enum keer_err err = give_back(p, x->worker, &ask, &c);
        if (err == KEER_OK)
            answer(x, &c);
        else
            money_problem(x, err, "no charge of this id that this key made");
    }
    api_body_release(&b);
}

void refunds_get(struct http_exchange *x)
{
    struct give_case c = {.client = money_client(x)};
    const struct pay *p = money_on(x);
    if (!p || !visit_id(x, &c.id))
        return;
    enum keer_err err = desk_read(x->worker, give_look, &c);
    if (err == KEER_OK)
        answer(x, &c);
    else
        money_problem(x, err, "no refund of this id that this key made");
}
