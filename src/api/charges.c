/* charges.c - /v1/charges: charging an agreement, going on after a step, cancelling, looking. */
#include "api/money.h"
#include "base/timefmt.h"

#define NAMES MONEY_ORDER_NAMES " agreement account type amount currency"
#define LIST_MAX 100
#define MISSING "no charge of this id that this key made"

static void put_charge(struct buf *b, const struct charge *c)
{
    char event[CHARGE_EVENT_BYTES + 1];
    charge_event_id(&c->id, event);
    buf_fmt(b, "\"id\":\"%s\"", c->id.text);
    money_put_text(b, "key", c->key);
    buf_fmt(b, ",\"state\":\"%s\",\"type\":\"%s\",\"agreement\":\"%s\",\"account\":\"%s\"", charge_state_name(c->state),
            charge_kind_name(c->kind), c->agreement.text, c->account.text);
    money_put_text(b, "wallet", c->wallet);
    money_put_text(b, "number", c->number);
    if (c->ref[0])
        money_put_text(b, "wallet_number", c->ref);
    money_put(b, "amount", c->amount_minor, c->currency);
    buf_fmt(b, ",\"currency\":\"%s\"", currency_code(c->currency));
    money_put_text(b, "payee", c->payee);
    if (c->item[0])
        money_put_text(b, "item", c->item);
    money_put(b, "refunded", c->refunded_minor, c->currency);
    money_put(b, "refunding", c->refunding_minor, c->currency);
    buf_fmt(b, ",\"verified\":%s,\"event\":\"%s\"", c->verified ? "true" : "false", event);
    if (c->reason != WALLET_NO_REASON)
        money_put_text(b, "reason", wallet_reason_name(c->reason));
    money_put_why(b, c->why);
    step_put_time(b, "created", c->created_us);
    step_put_time(b, "since", c->state_us);
}

static void answer(struct http_exchange *x, enum keer_err err, const struct pay_answer *a)
{
    struct buf *b = &x->reply;
    const struct charge *c = &a->charge;
    if (err != KEER_OK) {
        money_problem(x, err, MISSING);
        return;
    }
    bool open = c->state == CHARGE_SUBMITTED || c->state == CHARGE_UNKNOWN;
    buf_char(b, '{');
    put_charge(b, c);
    money_put_decision(b, &a->decision);
    if (c->state == CHARGE_NEEDS_STEP)
        money_put_challenge(x, &a->challenge);
    buf_puts(b, "}\n");
    http_reply(x, open ? 202 : a->fresh ? 201 : 200, HTTP_JSON);
}

/* --- charging --- */

static bool read_ids(struct http_exchange *x, struct slice agreement, struct slice account, struct slice type,
                     struct pay_ask *a)
{
    if (id_parse(agreement, &a->agreement) != KEER_OK)
        http_problem(x, HTTP_BAD_BODY, "agreement: the id that POST /v1/agreements gave");
    else if (account.p && id_parse(account, &a->account) != KEER_OK)
        http_problem(x, HTTP_BAD_BODY, "account: an id of this service");
    else if (slice_eq(type, slice_str(charge_kind_name(CHARGE_PURCHASE))))
        a->kind = CHARGE_PURCHASE;
    else if (slice_eq(type, slice_str(charge_kind_name(CHARGE_TOP_UP))))
        a->kind = CHARGE_TOP_UP;
    else
        http_problem(x, HTTP_BAD_BODY, "type: there are purchase and top_up");
    return !x->replied;
}

static bool read_ask(struct http_exchange *x, const struct api_body *b, struct pay_ask *a)
{
    struct slice agreement = {NULL, 0}, account = {NULL, 0}, type = {NULL, 0};
    const struct money_order order = {&a->key,    &a->payee, &a->item,       &a->beneficiary, &a->merchant,
                                      &a->device, &a->ip,    &a->user_agent, &a->session,     &a->return_url};
    if (!money_read_order(x, b, &order) || !api_body_line(x, b, "agreement", /* required */ true, 64, &agreement) ||
        !api_body_line(x, b, "account", false, 64, &account) || !api_body_line(x, b, "type", /* required */ true, 16, &type))
        return false;
    return read_ids(x, agreement, account, type, a) && money_read(x, b, /* required */ true, &a->amount_minor, &a->currency);
}

void charges_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct pay_answer a = {0};
    struct pay_ask ask = {.client = slice_str(x->caller)};
    const struct pay *p = money_on(x);
    if (p && api_body_read(x, &b, NAMES) && read_ask(x, &b, &ask)) {
        enum keer_err err = pay_charge(p, x->worker, &ask, &a);
        if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "no agreement of this id that this key made");
        else
            answer(x, err, &a);
    }
    pay_answer_release(&a);
    api_body_release(&b);
}

void charges_confirm(struct http_exchange *x)
{
    struct api_body b = {0};
    struct pay_answer a = {0};
    struct id id;
    const struct pay *p = money_on(x);
    if (p && visit_id(x, &id) && api_body_read(x, &b, ""))
        answer(x, pay_confirm(p, x->worker, slice_str(x->caller), &id, &a), &a);
    pay_answer_release(&a);
    api_body_release(&b);
}

/* --- looking, cancelling --- */

/* Runs a function of pay.h over one row, and answers with it. */
static void use(struct http_exchange *x, const struct pay *p, bool write, desk_fn *fn)
{
    struct pay_case c = {.p = p, .client = money_client(x), .now_us = desk_wall_us(x->worker)};
    struct pay_answer a = {0};
    if (!visit_id(x, &c.id))
        return;
    buf_init(&c.event, CHARGE_REQUEST_BYTES);
    enum keer_err err = write ? desk_write(x->worker, fn, &c) : desk_read(x->worker, fn, &c);
    a.charge = c.charge;
    a.challenge = c.challenge;
    answer(x, err, &a);
    buf_release(&c.event);
}

void charges_get(struct http_exchange *x)
{
    const struct pay *p = money_on(x);
    if (p)
        use(x, p, /* write */ false, pay_look);
}

void charges_cancel(struct http_exchange *x)
{
    struct api_body b = {0};
    const struct pay *p = money_on(x);
    if (p && api_body_read(x, &b, ""))
        use(x, p, /* write */ true, pay_cancel);
    api_body_release(&b);
}

struct listing {
    struct charge_query query;
    unsigned max, count;
    struct charge *room;
};

static enum keer_err read_list(struct db *db, void *ctx)
{
    struct listing *l = ctx;
    return charge_list(db, &l->query, l->max, l->room, &l->count);
}

enum { ACCOUNT, AGREEMENT, BEFORE, LIMIT, PARAMS };
static bool read_query(struct http_exchange *x, const struct http_param p[PARAMS], struct id *account, struct id *agreement,
                       struct listing *l)
{
    int64_t limit = LIST_MAX;
    if (p[ACCOUNT].value.p && id_parse(p[ACCOUNT].value, account) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "account: an id of this service");
    else if (p[AGREEMENT].value.p && id_parse(p[AGREEMENT].value, agreement) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "agreement: an id of this service");
    else if (p[BEFORE].value.p && time_parse(p[BEFORE].value, &l->query.before_us) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "before: a time, as 2018-10-10T00:00:00Z");
    else if (p[LIMIT].value.p && num_i64(p[LIMIT].value, 1, LIST_MAX, &limit) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "limit: 1 to %d", LIST_MAX);
    if (x->replied)
        return false;
    l->query.account = p[ACCOUNT].value.p ? account : NULL;
    l->query.agreement = p[AGREEMENT].value.p ? agreement : NULL;
    l->max = (unsigned)limit;
    return true;
}

void charges_list(struct http_exchange *x)
{
    struct http_param p[PARAMS] = {{.name = "account"}, {.name = "agreement"}, {.name = "before"}, {.name = "limit"}};
    struct id account, agreement;
    struct listing l = {.query = {.client = money_client(x)}};
    if (!money_on(x) || !http_query(x, p, PARAMS) || !read_query(x, p, &account, &agreement, &l))
        return;
    l.room = calloc(l.max, sizeof *l.room);
    if (!l.room) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    enum keer_err err = desk_read(x->worker, read_list, &l);
    if (err == KEER_OK) {
        buf_puts(&x->reply, "{\"charges\":[");
        for (unsigned i = 0; i < l.count; i++) {
            buf_puts(&x->reply, i ? ",{" : "{");
            put_charge(&x->reply, &l.room[i]);
            buf_char(&x->reply, '}');
        }
        buf_puts(&x->reply, "]}\n");
        http_reply(x, 200, HTTP_JSON);
    } else {
        visit_failed(x, err);
    }
    free(l.room);
}
