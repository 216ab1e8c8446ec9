/* accounts_store.c - /v1/accounts and /v1/family-approvals, for stores: accounts of their own, by subject; locking; what a
 * family's organiser approves.
 */
#include "api/visit.h"
#include "base/currency.h"
#include "base/timefmt.h"
#include "flow/notifier.h"
#include "flow/store_accounts.h"
#include "flow/store_visit.h"

static struct store_case case_of(struct http_exchange *x)
{
    return (struct store_case){.a = visit_accounts(x), .now_us = desk_wall_us(x->worker)};
}

/* --- accounts --- */

static void answer_account(struct http_exchange *x, enum keer_err err, const struct store_case *c)
{
    struct buf *b = &x->reply;
    if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no account of this id in the state that it takes");
        return;
    }
    if (err == KEER_EINVALID) {
        http_problem(x, HTTP_BAD_BODY, "a name, language or reason that can't be taken");
        return;
    }
    if (err != KEER_OK) {
        visit_failed(x, err);
        return;
    }
    buf_fmt(b, "{\"id\":\"%s\",\"state\":\"%s\",\"name\":", c->account.id.text, account_state_name(c->account.state));
    buf_json(b, slice_str(c->account.name));
    buf_puts(b, ",\"reason\":");
    buf_json(b, slice_str(c->account.frozen_why));
    buf_puts(b, ",\"created\":\"");
    time_print(b, c->account.created_us);
    buf_puts(b, "\",\"since\":\"");
    time_print(b, c->account.state_us);
    buf_fmt(b, "\",\"new\":%s}\n", c->fresh ? "true" : "false");
    http_reply(x, 200, HTTP_JSON);
}

void accounts_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    struct slice subject = {NULL, 0};
    struct identifier_why why;
    if (api_body_read(x, &b, "subject name locale") && api_body_line(x, &b, "subject", /* required */ true, 128, &subject) &&
        api_body_line(x, &b, "name", false, ACCOUNT_NAME_BYTES, &c.name) &&
        api_body_line(x, &b, "locale", false, ACCOUNT_LOCALE_BYTES, &c.locale)) {
        if (identifier_canon(IDENTIFIER_SUBJECT, subject, &c.subject, &why) != KEER_OK)
            http_problem(x, HTTP_BAD_BODY, "subject: %s", why.text);
        else
            answer_account(x, desk_write(x->worker, store_account_bring, &c), &c);
    }
    api_body_release(&b);
}

void accounts_get(struct http_exchange *x)
{
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id))
        answer_account(x, desk_read(x->worker, store_account_look, &c), &c);
}

void accounts_freeze(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && api_body_read(x, &b, "reason") &&
        api_body_line(x, &b, "reason", /* required */ true, ACCOUNT_WHY_BYTES, &c.why)) {
        answer_account(x, desk_write(x->worker, store_account_freeze, &c), &c);
        notifier_wake(c.a->notifier);
    }
    api_body_release(&b);
}

void accounts_thaw(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && api_body_read(x, &b, ""))
        answer_account(x, desk_write(x->worker, store_account_thaw, &c), &c);
    api_body_release(&b);
}

void accounts_close(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && api_body_read(x, &b, "")) {
        answer_account(x, desk_write(x->worker, store_account_close, &c), &c);
        notifier_wake(c.a->notifier);
    }
    api_body_release(&b);
}

/* The link is a secret until it was used: it is told here alone. */
void accounts_visit(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_visit c = {.client = slice_str(x->caller), .now_us = desk_wall_us(x->worker)};
    if (visit_id(x, &c.account) && api_body_read(x, &b, "")) {
        enum keer_err err = desk_write(x->worker, store_visit_make, &c);
        if (err == KEER_OK) {
            buf_fmt(&x->reply, "{\"url\":\"%s/visit#%s\",\"expires\":\"", visit_accounts(x)->words.url, c.token.text);
            time_print(&x->reply, c.now_us + STORE_VISIT_US);
            buf_puts(&x->reply, "\"}\n");
            http_reply(x, 201, HTTP_JSON);
        } else if (err == KEER_EMISSING) {
            http_problem(x, HTTP_NOT_FOUND, "no account of this id");
        } else if (err == KEER_ECONFLICT) {
            http_problem(x, HTTP_NOT_THE_STORES, "%s", "");
        } else {
            visit_failed(x, err);
        }
        crypto_wipe(&c.token, sizeof c.token);
    }
    api_body_release(&b);
}

/* --- approvals --- */

/* What is asked for, of the body; false when a problem was told. */
static bool read_approval(struct http_exchange *x, struct api_body *b, struct store_case *c)
{
    struct slice currency = {NULL, 0};
    if (!api_body_read(x, b, "account what amount_minor currency") ||
        !visit_body_id(x, b, "account", &c->approval.account) ||
        !api_body_line(x, b, "what", /* required */ true, FAMILY_WHAT_BYTES, &c->approval.what) ||
        !api_body_line(x, b, "currency", /* required */ true, FAMILY_CURRENCY_BYTES, &currency))
        return false;
    uint32_t v = tape_find(&b->tape, 0, "amount_minor");
    if (v == TAPE_NONE || tape_type(&b->tape, v) != TAPE_INTEGER ||
        num_i64(tape_text(&b->tape, v), 1, NUM_EXACT_MAX, &c->approval.amount_minor) != KEER_OK) {
        http_problem(x, HTTP_BAD_BODY, "amount_minor: a whole number above 0 was expected");
        return false;
    }
    if (currency_parse(currency) == CUR_MAX) {
        http_problem(x, HTTP_BAD_BODY, "currency: there is no such code");
        return false;
    }
    c->approval.currency = currency;
    return true;
}

void approvals_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (read_approval(x, &b, &c)) {
        enum keer_err err = desk_write(x->worker, store_approval_ask, &c);
        if (err == KEER_OK) {
            buf_fmt(&x->reply, "{\"id\":\"%s\"}\n", c.id.text);
            http_reply(x, 200, HTTP_JSON);
            notifier_wake(c.a->notifier);
        } else if (err == KEER_EMISSING) {
            http_problem(x, HTTP_NOT_FOUND, "the account is in no family, or it is its organiser");
        } else if (err == KEER_ELIMIT) {
            http_problem(x, HTTP_TOO_MANY, "%s", "");
        } else {
            visit_failed(x, err);
        }
    }
    api_body_release(&b);
}

void approvals_use(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && read_approval(x, &b, &c)) {
        enum keer_err err = desk_write(x->worker, store_approval_use, &c);
        if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "no granted approval of this id for this account, thing and amount");
        else if (err == KEER_OK)
            visit_empty(x);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}
