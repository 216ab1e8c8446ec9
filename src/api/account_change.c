/* account_change.c - what the guard guards: the password, addresses, trusting a device. */
#include "api/account.h"
#include "api/step.h"
#include "base/timefmt.h"
#include "flow/account_use.h"
#include "flow/notifier.h"

#define ADDRESS_BYTES 400

/* --- the guard --- */

void account_guard(struct http_exchange *x, const struct visitor *v, const struct account_ask *ask)
{
    struct enrol e = {0};
    struct guard_request g = {.session = &v->now,
                              .change = ask->change,
                              .thing = ask->thing,
                              .detail = ask->detail,
                              .data = ask->data,
                              .where = slice_str(v->ip)};
    if (!step_header(x, &g.challenge))
        return;
    enum keer_err err = enrol_guarded(visit_steps(x), x->worker, v, ask->event, &g, &e);
    notifier_wake(visit_accounts(x)->notifier);
    if (err != KEER_OK)
        visit_failed(x, err);
    else if (e.outcome == ENROL_DENIED)
        http_problem(x, HTTP_DENIED, "%s", "");
    else if (e.outcome == ENROL_OVER)
        http_problem(x, HTTP_NOT_FOUND, "%s", "");
    else
        step_guard_answer(x, &e.guard, SLICE(""));
}

/* --- the password --- */

void account_password(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    char phc[PASSWORD_PHC_BYTES] = "", salt_of[ID_BYTES + 32];
    struct account_judging j = {.a = visit_accounts(x), .account = &v.now.account};
    if (!visit_begin(x, VISIT_FULL, &v) || !api_body_read(x, &b, "password") ||
        !api_body_text(x, &b, "password", /* required */ true, &j.password))
        goto out;
    enum keer_err err = desk_read(x->worker, account_password_judge, &j);
    if (err == KEER_OK && j.flaw != PASSWORD_FINE) {
        http_problem(x, HTTP_PASSWORD_REFUSED, "%s: %s", password_flaw_code(j.flaw), password_flaw_text(j.flaw));
        goto out;
    }
    if (err == KEER_OK && !password_worker_place(j.a->passwords)) {
        visit_later(x, 0);
        goto out;
    }
    /* Sent again with its step, the same password has the same hash, which the step is bound to. */
    (void)snprintf(salt_of, sizeof salt_of, "%s %lld", v.session.text, (long long)j.changed_us);
    if (err == KEER_OK)
        err = password_worker_hash_bound(j.a->passwords, j.password, j.account, slice_str(salt_of), phc);
    if (err != KEER_OK) {
        visit_failed(x, err);
        goto out;
    }
    struct account_ask ask = {.change = GUARD_PASSWORD, .data = slice_str(phc), .event = "password_changed"};
    account_guard(x, &v, &ask);
out:
    crypto_wipe(phc, sizeof phc);
    api_body_release(&b);
}

/* --- addresses --- */

void account_contact_add(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct slice email = {NULL, 0}, phone = {NULL, 0};
    struct identifier_why why;
    struct account_addressing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !api_body_read(x, &b, "email phone") ||
        !api_body_line(x, &b, "email", false, ADDRESS_BYTES, &email) ||
        !api_body_line(x, &b, "phone", false, ADDRESS_BYTES, &phone))
        goto out;
    enum identifier_kind kind = email.p ? IDENTIFIER_EMAIL : IDENTIFIER_PHONE;
    if (!email.p == !phone.p) {
        http_problem(x, HTTP_BAD_BODY, "an e-mail address or a phone number is wanted, one of them");
    } else if (identifier_canon(kind, email.p ? email : phone, &c.address, &why) != KEER_OK) {
        http_problem(x, HTTP_BAD_BODY, "%s: %s", identifier_kind_name(kind), why.text);
    } else if (!c.a->notifier || accounts_unreached(c.a, &c.address)) {
        http_problem(x, HTTP_NOTICES_OFF, "%s", c.a->notifier ? accounts_unreached(c.a, &c.address) : "");
    } else {
        enum keer_err err = desk_write(x->worker, account_contact_put, &c);
        notifier_wake(c.a->notifier);
        if (err == KEER_OK && c.begun.verdict != ATTEMPT_MAY) {
            visit_later(x, MAX_OF(c.begun.retry_us, 1));
        } else if (err == KEER_OK) {
            buf_fmt(&x->reply, "{\"id\":\"%s\"}\n", c.contact.text);
            http_reply(x, 200, HTTP_JSON);
        } else if (err == KEER_ECONFLICT) {
            http_problem(x, HTTP_TAKEN,
                         "it is an address of the account, or was until a week ago: the link of the message of its removal "
                         "brings it back");
        } else if (err == KEER_ELIMIT) {
            http_problem(x, HTTP_TOO_MANY, "%s", "");
        } else {
            visit_failed(x, err);
        }
    }
out:
    api_body_release(&b);
}

/* False when a problem was told. */
static bool show_code(struct http_exchange *x, struct account_addressing *c)
{
    enum keer_err err = desk_write(x->worker, account_contact_count, c);
    if (err == KEER_OK && c->begun.verdict == ATTEMPT_LATER) {
        visit_later(x, MAX_OF(c->begun.retry_us, 1));
        return false;
    }
    if (err == KEER_OK && c->begun.verdict == ATTEMPT_MAY)
        err = desk_write(x->worker, account_contact_check, c);
    if (err != KEER_OK)
        visit_failed(x, err);
    else if (c->begun.verdict != ATTEMPT_MAY || c->verdict != PROOF_RIGHT)
        http_problem(x, HTTP_WRONG_CODE, "%s", "");
    return err == KEER_OK && c->begun.verdict == ATTEMPT_MAY && c->verdict == PROOF_RIGHT;
}

void account_contact_confirm(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct account_addressing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &c.contact) || !step_header(x, &c.challenge) ||
        !api_body_read(x, &b, "code") || !api_body_line(x, &b, "code", /* required */ true, 64, &c.code))
        goto out;
    enum keer_err err = desk_read(x->worker, account_contact_find, &c);
    if (err == KEER_EMISSING || (err == KEER_OK && c.found.verified_us)) {
        http_problem(x, HTTP_NOT_FOUND, "no address of this id waits for a code");
    } else if (err != KEER_OK) {
        visit_failed(x, err);
    } else if (c.confirmed || show_code(x, &c)) {
        struct account_ask ask = {.change = GUARD_CONTACT_ADD,
                                  .thing = c.contact,
                                  .detail = slice_str(c.found.address.text),
                                  .event = "contact_changed"};
        account_guard(x, &v, &ask);
    }
out:
    api_body_release(&b);
}

void account_contact_delete(struct http_exchange *x)
{
    struct visitor v;
    struct account_addressing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &c.contact))
        return;
    enum keer_err err = desk_read(x->worker, account_contact_look, &c);
    if (err == KEER_OK && !c.found.verified_us) { /* nothing was ever sent there but a code */
        err = desk_write(x->worker, account_contact_drop, &c);
        if (err == KEER_OK) {
            visit_empty(x);
            return;
        }
    }
    if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "no address of this id");
    else if (err != KEER_OK)
        visit_failed(x, err);
    else if (c.last)
        http_problem(x, HTTP_LAST_CONTACT, "%s", "");
    else {
        struct account_ask ask = {.change = GUARD_CONTACT_REMOVE,
                                  .thing = c.contact,
                                  .detail = slice_str(c.found.address.text),
                                  .event = "contact_changed"};
        account_guard(x, &v, &ask);
    }
}

/* --- a device --- */

void account_device_change(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct account_naming n = {.v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &n.id) || !api_body_read(x, &b, "name trusted") ||
        !api_body_line(x, &b, "name", /* required */ false, DEVICE_NAME_BYTES, &n.name))
        goto out;
    uint32_t trusted = tape_find(&b.tape, 0, "trusted");
    if (trusted && tape_type(&b.tape, trusted) != TAPE_TRUE && tape_type(&b.tape, trusted) != TAPE_FALSE) {
        http_problem(x, HTTP_BAD_BODY, "trusted: true or false was expected");
        goto out;
    }
    n.distrust = trusted && tape_type(&b.tape, trusted) == TAPE_FALSE;
    enum keer_err err = desk_write(x->worker, account_device_put, &n);
    if (err == KEER_OK && trusted && !n.distrust && !n.found.trusted_us) {
        struct account_ask ask = {.change = GUARD_DEVICE_TRUST,
                                  .thing = n.id,
                                  .detail = n.name.p ? n.name : slice_str(n.found.name),
                                  .event = "device_added"};
        account_guard(x, &v, &ask);
    } else if (err == KEER_OK) {
        visit_empty(x);
    } else if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no device of this id");
    } else if (err == KEER_EINVALID) {
        http_problem(x, HTTP_BAD_BODY, "name: that is no name");
    } else {
        visit_failed(x, err);
    }
out:
    api_body_release(&b);
}
