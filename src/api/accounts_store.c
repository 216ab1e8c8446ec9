/* accounts_store.c - /v1/accounts and /v1/family-approvals, for stores: accounts of their own, by subject; locking; what a
 * family's organiser approves.
 */
#include "account/family.h"
#include "api/visit.h"
#include "base/currency.h"
#include "base/timefmt.h"
#include "flow/notifier.h"

struct store_case { /* one request */
    const struct accounts *a;
    struct identifier subject;
    struct slice name, locale, why;
    int64_t now_us;
    struct id id;
    struct account account;
    struct approval_new approval;
    bool fresh;
};

static struct store_case case_of(struct http_exchange *x)
{
    return (struct store_case){.a = visit_accounts(x), .now_us = desk_wall_us(x->worker)};
}

/* --- accounts --- */

/* The same subject is the same account, however often it is brought. */
static enum keer_err bring(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    enum keer_err err = identifier_find(db, &c->subject, &c->id);
    if (err != KEER_EMISSING)
        return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
    id_make(&c->id);
    err = account_add(db, &c->id, c->name, c->locale.p ? c->locale : SLICE("en"), c->now_us);
    if (err == KEER_OK)
        err = identifier_add(db, &c->id, &c->subject, c->now_us);
    c->fresh = true;
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

static enum keer_err look(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    return account_read(db, &c->id, &c->account);
}

static enum keer_err freeze(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    unsigned count;
    enum keer_err err = account_freeze(db, &c->id, c->why, c->now_us);
    struct notice_new n = {.account = c->id, .kind = NOTICE_ACCOUNT_FROZEN, .what = c->why};
    if (err == KEER_OK)
        err = notice_add(db, &c->a->key, &n, c->now_us, &count);
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

static enum keer_err thaw(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    enum keer_err err = account_thaw(db, &c->id, c->now_us);
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

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
            answer_account(x, desk_write(x->worker, bring, &c), &c);
    }
    api_body_release(&b);
}

void accounts_get(struct http_exchange *x)
{
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id))
        answer_account(x, desk_read(x->worker, look, &c), &c);
}

void accounts_freeze(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && api_body_read(x, &b, "reason") &&
        api_body_line(x, &b, "reason", /* required */ true, ACCOUNT_WHY_BYTES, &c.why)) {
        answer_account(x, desk_write(x->worker, freeze, &c), &c);
        notifier_wake(c.a->notifier);
    }
    api_body_release(&b);
}

void accounts_thaw(struct http_exchange *x)
{
    struct api_body b = {0};
    struct store_case c = case_of(x);
    if (visit_id(x, &c.id) && api_body_read(x, &b, ""))
        answer_account(x, desk_write(x->worker, thaw, &c), &c);
    api_body_release(&b);
}

/* --- approvals --- */

static enum keer_err ask(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    struct family_member m, members[FAMILY_MEMBERS_MAX];
    unsigned n = 0, count;
    enum keer_err err = approval_ask(db, &c->approval, c->now_us, &c->id);
    if (err == KEER_OK)
        err = family_of(db, &c->approval.account, &m);
    if (err == KEER_OK)
        err = family_members(db, &m.family, members, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        struct notice_new notice = {.account = members[i].account,
                                    .kind = NOTICE_FAMILY_ASKED,
                                    .what = c->approval.what,
                                    .until_us = c->now_us + FAMILY_APPROVAL_US};
        if (members[i].role == FAMILY_ORGANISER)
            err = notice_add(db, &c->a->key, &notice, c->now_us, &count);
    }
    return err;
}

static enum keer_err use(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    return approval_use(db, &c->approval, &c->id, c->now_us);
}

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
        enum keer_err err = desk_write(x->worker, ask, &c);
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
        enum keer_err err = desk_write(x->worker, use, &c);
        if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "no granted approval of this id for this account, thing and amount");
        else if (err == KEER_OK)
            visit_empty(x);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}
