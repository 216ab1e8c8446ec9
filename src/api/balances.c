/* balances.c - /v1/spends and /v1/balances: what customers have topped up, and spending it. */
#include "flow/balance.h"

#include "api/money.h"

#define NAMES MONEY_ORDER_NAMES " account amount currency"

static void answer(struct http_exchange *x, const struct spending *c)
{
    struct buf *b = &x->reply;
    const struct spend *s = &c->spend;
    buf_fmt(b, "{\"id\":\"%s\"", s->id.text);
    money_put_text(b, "key", s->key);
    buf_fmt(b, ",\"state\":\"%s\",\"account\":\"%s\"", spend_state_name(s->state), s->account.text);
    money_put(b, "amount", s->amount_minor, s->currency);
    buf_fmt(b, ",\"currency\":\"%s\",\"event\":\"spend-%s\"", currency_code(s->currency), s->id.text);
    money_put_why(b, s->why);
    step_put_time(b, "created", s->at_us);
    money_put_decision(b, &c->decision);
    if (s->state == SPEND_NEEDS_STEP)
        money_put_challenge(x, &c->challenge);
    buf_puts(b, "}\n");
    http_reply(x, c->fresh ? 201 : 200, HTTP_JSON);
}

static bool read_ask(struct http_exchange *x, const struct api_body *b, struct spending_ask *a)
{
    const struct money_order order = {&a->key,    &a->payee, &a->item,       &a->beneficiary, &a->merchant,
                                      &a->device, &a->ip,    &a->user_agent, &a->session,     &a->return_url};
    return money_read_order(x, b, &order) && visit_body_id(x, b, "account", &a->account) &&
           money_read(x, b, /* required */ true, &a->amount_minor, &a->currency);
}

void spends_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct spending c = {.fresh = false};
    struct spending_ask ask = {.client = slice_str(x->caller)};
    const struct pay *p = money_on(x);
    if (p && api_body_read(x, &b, NAMES) && read_ask(x, &b, &ask)) {
        enum keer_err err = spend_balance(p, x->worker, &ask, &c);
        if (err == KEER_OK)
            answer(x, &c);
        else
            money_problem(x, err, "no account of this id");
    }
    buf_release(&c.decision);
    api_body_release(&b);
}

void balances_get(struct http_exchange *x)
{
    struct buf *b = &x->reply;
    struct balance_look *l = calloc(1, sizeof *l);
    const struct pay *p = money_on(x);
    if (!p || !l || !visit_id(x, &l->account)) {
        if (p && !l)
            http_problem(x, HTTP_NO_MEMORY, "%s", "");
        free(l);
        return;
    }
    enum keer_err err = desk_read(x->worker, balance_read, l);
    if (err == KEER_OK) {
        buf_fmt(b, "{\"account\":\"%s\",\"balances\":[", l->account.text);
        for (unsigned i = 0; i < l->balances; i++) {
            buf_fmt(b, "%s{\"currency\":\"%s\"", i ? "," : "", currency_code(l->balance[i].currency));
            money_put(b, "available", l->balance[i].available_minor, l->balance[i].currency);
            money_put(b, "held", l->balance[i].held_minor, l->balance[i].currency);
            buf_char(b, '}');
        }
        buf_puts(b, "],\"holds\":[");
        for (unsigned i = 0; i < l->holds; i++) {
            buf_fmt(b, "%s{\"charge\":\"%s\",\"currency\":\"%s\"", i ? "," : "", l->hold[i].charge.text,
                    currency_code(l->hold[i].currency));
            money_put(b, "amount", l->hold[i].amount_minor, l->hold[i].currency);
            step_put_time(b, "until", l->hold[i].until_us);
            buf_char(b, '}');
        }
        buf_puts(b, "]}\n");
        http_reply(x, 200, HTTP_JSON);
    } else {
        money_problem(x, err, "no account of this id");
    }
    free(l);
}
