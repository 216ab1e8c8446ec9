/* account_change.c - what the guard guards: the password, addresses, trusting a device. */
#include "account/proof.h"
#include "api/account.h"
#include "base/timefmt.h"
#include "flow/notifier.h"

#define ADDRESS_BYTES 400

/* --- the guard --- */

struct guarding {
    const struct accounts *a;
    struct guard_request request;
    int64_t now_us;
    struct guard_answer answer;
};

static enum keer_err ask_guard(struct db *db, void *ctx)
{
    struct guarding *g = ctx;
    return guard_ask(db, &g->a->guard, &g->request, g->now_us, &g->answer);
}

struct id account_challenge(struct http_exchange *x)
{
    struct id id;
    struct slice given = http_header(x, "Keer-Challenge");
    return given.p && id_parse(given, &id) == KEER_OK ? id : (struct id){0};
}

static enum keer_err tell_engine(struct http_exchange *x, const struct visitor *v, const char *event, bool *ret_denied)
{
    struct desk_event e = visitor_event(v, &v->now.account, event);
    struct desk_decision d = {0};
    enum keer_err err = desk_decide(x->worker, &e, &d);
    *ret_denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

static void put_step(struct buf *b, const struct guard_answer *a)
{
    bool first = true;
    buf_fmt(b, "{\"next\":\"step\",\"challenge\":\"%s\",\"methods\":[", a->challenge.text);
    for (int k = 0; k < AUTHENTICATOR_KIND_MAX; k++) {
        if (!(a->methods & AUTHENTICATOR_BIT(k)))
            continue;
        buf_fmt(b, "%s\"%s\"", first ? "" : ",", authenticator_kind_name((enum authenticator_kind)k));
        first = false;
    }
    buf_puts(b, "]}\n");
}

static void answer_guard(struct http_exchange *x, const struct guard_answer *a)
{
    struct buf *b = &x->reply;
    switch (a->outcome) {
    case GUARD_APPLIED: buf_puts(b, "{}\n"); break;
    case GUARD_STEP: put_step(b, a); break;
    case GUARD_WAITS:
        buf_fmt(b, "{\"pending\":\"%s\",\"until\":\"", a->change.text);
        time_print(b, a->until_us);
        buf_puts(b, "\"}\n");
        break;
    case GUARD_BAD_STEP: http_problem(x, HTTP_BAD_STEP, "%s", ""); return;
    case GUARD_REFUSED: http_problem(x, HTTP_DENIED, "%s", ""); return;
    }
    http_reply(x, 200, HTTP_JSON);
}

void account_guard(struct http_exchange *x, const struct visitor *v, const struct account_ask *ask)
{
    struct guarding g = {.a = visit_accounts(x), .now_us = desk_wall_us(x->worker)};
    bool denied = false, told = false;
    enum keer_err err = KEER_OK;
    g.request = (struct guard_request){.session = &v->now,
                                       .change = ask->change,
                                       .thing = ask->thing,
                                       .detail = ask->detail,
                                       .data = ask->data,
                                       .challenge = account_challenge(x),
                                       .where = slice_str(v->ip)};
    if (id_is(&g.request.challenge)) {
        err = tell_engine(x, v, ask->event, &denied);
        told = true;
    }
    if (err == KEER_OK && denied) {
        http_problem(x, HTTP_DENIED, "%s", "");
        return;
    }
    if (err == KEER_OK)
        err = desk_write(x->worker, ask_guard, &g);
    if (err == KEER_OK && !told && (g.answer.outcome == GUARD_APPLIED || g.answer.outcome == GUARD_WAITS))
        err = tell_engine(x, v, ask->event, &denied);
    notifier_wake(g.a->notifier);
    if (err == KEER_OK)
        answer_guard(x, &g.answer);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "%s", "");
    else
        visit_failed(x, err);
}

/* --- the password --- */

struct judging {
    const struct accounts *a;
    const struct id *account;
    struct slice password;
    enum password_flaw flaw;
};

static enum keer_err judge(struct db *db, void *ctx)
{
    struct judging *j = ctx;
    struct password_context context;
    unsigned methods = 0;
    enum keer_err err = authenticators_methods(db, j->account, &methods);
    if (err != KEER_OK)
        return err;
    password_context_init(&context, j->a, methods != 0);
    err = password_context_account(&context, db, j->account);
    if (err == KEER_OK)
        j->flaw = password_judge(j->password, &context.rules);
    return err;
}

void account_password(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    char phc[PASSWORD_PHC_BYTES] = "";
    struct judging j = {.a = visit_accounts(x), .account = &v.now.account};
    if (!visit_begin(x, VISIT_FULL, &v) || !api_body_read(x, &b, "password") ||
        !api_body_text(x, &b, "password", /* required */ true, &j.password))
        goto out;
    enum keer_err err = desk_read(x->worker, judge, &j);
    if (err == KEER_OK && j.flaw != PASSWORD_FINE) {
        http_problem(x, HTTP_PASSWORD_REFUSED, "%s: %s", password_flaw_code(j.flaw), password_flaw_text(j.flaw));
        goto out;
    }
    if (err == KEER_OK && !password_worker_place(j.a->passwords)) {
        visit_later(x, 0);
        goto out;
    }
    if (err == KEER_OK)
        err = password_worker_hash(j.a->passwords, j.password, j.account, phc);
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

struct addressing { /* one request */
    const struct accounts *a;
    const struct visitor *v;
    struct identifier address;
    struct id contact, proof;
    struct slice code;
    struct id challenge;
    int64_t now_us;
    struct attempt_begun begun;
    enum proof_verdict verdict;
    struct contact found;
    bool confirmed, last;
};

/* Adds an address that is not verified, or finds it again, and sends a code there. */
static enum keer_err add_contact(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    struct contact room[CONTACTS_MAX];
    unsigned count = 0, sent;
    struct attempt_subject s = {.account = id_slice(&c->v->now.account), .address = slice_str(c->v->ip)};
    enum keer_err err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &s, c->now_us, &c->begun);
    if (err != KEER_OK || c->begun.verdict != ATTEMPT_MAY)
        return err;
    err = contact_add(db, &c->v->now.account, &c->address, /* verified_us */ 0, c->now_us, &c->contact);
    if (err == KEER_ECONFLICT) {
        err = contact_list(db, &c->v->now.account, room, &count);
        for (unsigned i = 0; i < count; i++)
            if (room[i].address.kind == c->address.kind && strcmp(room[i].address.text, c->address.text) == 0) {
                c->contact = room[i].id;
                if (room[i].verified_us)
                    return KEER_ECONFLICT;
            }
    }
    struct proof_new proof = {.account = c->v->now.account, .purpose = PROOF_CONTACT, .address = c->address};
    if (err == KEER_OK)
        err = proof_ask(db, &proof, c->now_us, &c->proof);
    struct notice_new n = {.account = c->v->now.account, .kind = NOTICE_CONTACT_CODE, .proof = c->proof, .to = &c->address};
    return err == KEER_OK ? notice_add(db, &c->a->key, &n, c->now_us, &sent) : err;
}

void account_contact_add(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct slice email = {NULL, 0}, phone = {NULL, 0};
    struct identifier_why why;
    struct addressing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !api_body_read(x, &b, "email phone") ||
        !api_body_line(x, &b, "email", false, ADDRESS_BYTES, &email) ||
        !api_body_line(x, &b, "phone", false, ADDRESS_BYTES, &phone))
        goto out;
    enum identifier_kind kind = email.p ? IDENTIFIER_EMAIL : IDENTIFIER_PHONE;
    if (!email.p == !phone.p) {
        http_problem(x, HTTP_BAD_BODY, "an e-mail address or a phone number is wanted, one of them");
    } else if (identifier_canon(kind, email.p ? email : phone, &c.address, &why) != KEER_OK) {
        http_problem(x, HTTP_BAD_BODY, "%s: %s", identifier_kind_name(kind), why.text);
    } else if (!c.a->notifier || (phone.p && !c.a->phones)) {
        http_problem(x, HTTP_NOTICES_OFF, "%s", phone.p ? "this service sends no messages to phones" : "");
    } else {
        enum keer_err err = desk_write(x->worker, add_contact, &c);
        notifier_wake(c.a->notifier);
        if (err == KEER_OK && c.begun.verdict != ATTEMPT_MAY) {
            visit_later(x, MAX_OF(c.begun.retry_us, 1));
        } else if (err == KEER_OK) {
            buf_fmt(&x->reply, "{\"id\":\"%s\"}\n", c.contact.text);
            http_reply(x, 200, HTTP_JSON);
        } else if (err == KEER_ECONFLICT) {
            http_problem(x, HTTP_TAKEN, "it is an address of the account");
        } else if (err == KEER_ELIMIT) {
            http_problem(x, HTTP_TOO_MANY, "%s", "");
        } else {
            visit_failed(x, err);
        }
    }
out:
    api_body_release(&b);
}

/* A step that was asked after the code was right does not ask for it again (guard_confirmed). */
static enum keer_err find_contact(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    const struct id *account = &c->v->now.account;
    enum keer_err err = contact_read(db, account, &c->contact, &c->found);
    if (err == KEER_OK && id_is(&c->challenge))
        err = guard_confirmed(db, &c->challenge, account, GUARD_CONTACT_ADD, &c->contact, c->now_us, &c->confirmed);
    return err;
}

static enum keer_err count_code(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    struct attempt_subject s = {.account = id_slice(&c->v->now.account),
                                .device = id_slice(&c->v->now.device),
                                .challenge = id_slice(&c->contact),
                                .address = slice_str(c->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CONTACT, &s, c->now_us, &c->begun);
}

static enum keer_err check_code(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    struct proof proof;
    struct proof_new wanted = {.account = c->v->now.account, .purpose = PROOF_CONTACT, .address = c->found.address};
    c->verdict = PROOF_OVER;
    enum keer_err err = proof_find(db, &wanted, c->now_us, &c->proof);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK)
        err = proof_check(db, &c->a->key, &c->proof, PROOF_CONTACT, c->code, c->now_us, &proof, &c->verdict);
    return err == KEER_OK && c->verdict == PROOF_RIGHT ? attempt_ok(db, &c->begun.attempt) : err;
}

/* False when a problem was told. */
static bool show_code(struct http_exchange *x, struct addressing *c)
{
    enum keer_err err = desk_write(x->worker, count_code, c);
    if (err == KEER_OK && c->begun.verdict == ATTEMPT_LATER) {
        visit_later(x, MAX_OF(c->begun.retry_us, 1));
        return false;
    }
    if (err == KEER_OK && c->begun.verdict == ATTEMPT_MAY)
        err = desk_write(x->worker, check_code, c);
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
    struct addressing c = {
        .a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker), .challenge = account_challenge(x)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &c.contact) || !api_body_read(x, &b, "code") ||
        !api_body_line(x, &b, "code", /* required */ true, 64, &c.code))
        goto out;
    enum keer_err err = desk_read(x->worker, find_contact, &c);
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

static enum keer_err look_at_contact(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    struct contact room[CONTACTS_MAX];
    unsigned count = 0, verified = 0;
    enum keer_err err = contact_read(db, &c->v->now.account, &c->contact, &c->found);
    if (err == KEER_OK)
        err = contact_list(db, &c->v->now.account, room, &count);
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        verified += room[i].verified_us > 0;
    c->last = c->found.verified_us && verified == 1;
    return err;
}

static enum keer_err drop_contact(struct db *db, void *ctx)
{
    struct addressing *c = ctx;
    return contact_remove(db, &c->v->now.account, &c->contact, c->now_us);
}

void account_contact_delete(struct http_exchange *x)
{
    struct visitor v;
    struct addressing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &c.contact))
        return;
    enum keer_err err = desk_read(x->worker, look_at_contact, &c);
    if (err == KEER_OK && !c.found.verified_us) { /* nothing was ever sent there but a code */
        err = desk_write(x->worker, drop_contact, &c);
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

struct naming {
    const struct visitor *v;
    struct id id;
    struct slice name;
    bool distrust;
    int64_t now_us;
    struct device found;
};

static enum keer_err change_device(struct db *db, void *ctx)
{
    struct naming *n = ctx;
    enum keer_err err = device_read(db, &n->v->now.account, &n->id, &n->found);
    if (err == KEER_OK && n->name.p)
        err = device_rename(db, &n->v->now.account, &n->id, n->name);
    if (err == KEER_OK && n->distrust)
        err = device_trust(db, &n->v->now.account, &n->id, /* trusted */ false, n->now_us);
    return err;
}

void account_device_change(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct naming n = {.v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_begin(x, VISIT_FULL, &v) || !visit_id(x, &n.id) || !api_body_read(x, &b, "name trusted") ||
        !api_body_line(x, &b, "name", /* required */ false, DEVICE_NAME_BYTES, &n.name))
        goto out;
    uint32_t trusted = tape_find(&b.tape, 0, "trusted");
    if (trusted && tape_type(&b.tape, trusted) != TAPE_TRUE && tape_type(&b.tape, trusted) != TAPE_FALSE) {
        http_problem(x, HTTP_BAD_BODY, "trusted: true or false was expected");
        goto out;
    }
    n.distrust = trusted && tape_type(&b.tape, trusted) == TAPE_FALSE;
    enum keer_err err = desk_write(x->worker, change_device, &n);
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
