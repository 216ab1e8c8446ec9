/* account_wallets.c - /v1/account/wallets: a person's linked wallets, what they were charged, limits, pausing, ending. */
#include "api/money.h"
#include "api/wallets.h"
#include "flow/linked_wallets.h"
#include "flow/notifier.h"

static void put_charge(struct buf *b, const struct charge *c, bool first)
{
    buf_fmt(b, "%s{\"id\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\"", first ? "" : ",", c->id.text, charge_kind_name(c->kind),
            charge_state_name(c->state));
    money_put(b, "amount", c->amount_minor, c->currency);
    money_put(b, "refunded", c->refunded_minor, c->currency);
    buf_fmt(b, ",\"currency\":\"%s\",\"payee\":", currency_code(c->currency));
    buf_json(b, slice_str(c->payee));
    buf_puts(b, ",\"item\":");
    buf_json(b, slice_str(c->item));
    step_put_time(b, "created", c->created_us);
    buf_char(b, '}');
}

static void put_wallet(struct buf *b, const struct linked_wallet *l)
{
    const struct agreement *a = &l->agreement;
    char day[CURRENCY_TEXT_BYTES];
    buf_char(b, '{');
    wallets_put_agreement(b, a);
    buf_fmt(b, ",\"used\":{\"day\":\"%s\"", currency_print(l->used.day_minor, a->currency, day));
    money_put(b, "month", l->used.month_minor, a->currency);
    buf_fmt(b, ",\"count\":%lld},\"charges\":[", (long long)l->used.day_count);
    for (unsigned i = 0; i < l->charges_count; i++)
        put_charge(b, &l->charges[i], i == 0);
    buf_puts(b, "]}");
}

void account_wallets_get(struct http_exchange *x)
{
    struct visitor v;
    struct buf *b = &x->reply;
    if (!visit_begin(x, VISIT_FULL, &v))
        return;
    struct linked_wallets *view = calloc(1, sizeof *view);
    if (!view) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    view->account = v.now.account;
    view->now_us = desk_wall_us(x->worker);
    enum keer_err err = desk_read(x->worker, linked_wallets_read, view);
    if (err == KEER_OK) {
        buf_puts(b, "{\"wallets\":[");
        for (unsigned i = 0; i < view->count; i++) {
            if (i)
                buf_char(b, ',');
            put_wallet(b, &view->rows[i]);
        }
        buf_fmt(b, "],\"held\":%s", view->hold.held ? "true" : "false");
        step_put_time(b, "held_until", view->hold.held && view->hold.until_us != INT64_MAX ? view->hold.until_us : 0);
        buf_puts(b, "}\n");
        http_reply(x, 200, HTTP_JSON);
    } else {
        visit_failed(x, err);
    }
    free(view);
}

/* What the guard said, or {}. */
static void answer(struct http_exchange *x, enum keer_err err, const struct agreements_answer *a)
{
    if (wallets_problem(x, err, a))
        return;
    if (a->outcome == AGREEMENTS_GUARD)
        step_guard_answer(x, &a->guard, SLICE(""));
    else
        visit_empty(x);
}

typedef enum keer_err use_fn(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                             const struct id *id, const struct id *challenge, struct agreements_answer *ret);

static void use(struct http_exchange *x, use_fn *fn)
{
    struct visitor v;
    struct id id, challenge;
    struct api_body b = {0};
    struct agreements_who who = {.v = &v};
    const struct agreements *g = NULL;
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (visit_begin(x, VISIT_FULL, &v) && (g = wallets_on(x)) && visit_id(x, &id) && step_header(x, &challenge) &&
             api_body_read(x, &b, ""))
        answer(x, fn(g, x->worker, &who, &id, &challenge, a), a);
    free(a);
    api_body_release(&b);
}

static enum keer_err pause_it(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                              const struct id *id, const struct id *challenge, struct agreements_answer *ret)
{
    UNUSED(challenge);
    return agreements_pause(g, w, who, id, ret);
}
static enum keer_err end_it(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                            const struct id *id, const struct id *challenge, struct agreements_answer *ret)
{
    UNUSED(challenge);
    return agreements_end(g, w, who, id, ret);
}

void account_wallet_pause(struct http_exchange *x) { use(x, pause_it); }
void account_wallet_resume(struct http_exchange *x) { use(x, agreements_resume); }
void account_wallet_end(struct http_exchange *x) { use(x, end_it); }

void account_wallet_caps(struct http_exchange *x)
{
    struct visitor v;
    struct id id, challenge;
    struct api_body b = {0};
    struct agreement_limits to;
    bool caps;
    struct agreements_who who = {.v = &v};
    const struct agreements *g = NULL;
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (visit_begin(x, VISIT_FULL, &v) && (g = wallets_on(x)) && visit_id(x, &id) && step_header(x, &challenge) &&
             api_body_read(x, &b, "caps unverified_spend_limit")) {
        enum keer_err err = agreements_look(g, x->worker, &who, &id, a); /* its currency says what an amount is */
        if (!wallets_problem(x, err, a) && wallets_read_limits(x, &b, a->agreement.currency, &to, &caps))
            answer(x, agreements_limits(g, x->worker, &who, &id, &to, &challenge, a), a);
    }
    free(a);
    api_body_release(&b);
}

void account_charge_not_me(struct http_exchange *x)
{
    struct visitor v;
    struct id id;
    struct api_body b = {0};
    const struct agreements *g = NULL;
    if (visit_begin(x, VISIT_FULL, &v) && (g = wallets_on(x)) && visit_id(x, &id) && api_body_read(x, &b, "")) {
        enum keer_err err = linked_wallets_not_me(g, x->worker, &v, &id);
        notifier_wake(visit_accounts(x)->notifier);
        if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "no charge of this id on a wallet of this account");
        else if (err != KEER_OK)
            visit_failed(x, err);
        else
            visit_empty(x);
    }
    api_body_release(&b);
}
