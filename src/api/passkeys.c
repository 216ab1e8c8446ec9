/* passkeys.c - passkeys of the pages: registered, signed in with, answering challenges (WebAuthn's forms in JSON,
 * flow/passkey_json.h). */
#include "flow/passkeys.h"

#include "api/account.h"
#include "api/step.h"
#include "flow/notifier.h"

static const struct passkeys *passkeys(struct http_exchange *x) { return ((struct api *)x->ctx)->passkeys; }

static bool begin(struct http_exchange *x, enum visit_needs needs, struct visitor *v)
{
    if (!visit_begin(x, needs, v))
        return false;
    if (passkeys(x)->origins_count)
        return true;
    http_problem(x, HTTP_PASSKEYS_OFF, "%s", "");
    return false;
}

/* Options are printed straight into the reply. */
static void answer_options(struct http_exchange *x, const struct visitor *v, enum keer_err err)
{
    if (err == KEER_OK) {
        visit_cookies(x, v, /* session */ NULL);
        http_reply(x, 200, HTTP_JSON);
        return;
    }
    buf_clear(&x->reply);
    if (err == KEER_EMISSING)
        http_problem(x, HTTP_STEP_OVER, "%s", "");
    else if (err == KEER_EFULL)
        http_problem(x, HTTP_TOO_MANY, "%u passkeys", PASSKEYS_MAX);
    else
        visit_failed(x, err);
}

/* The member `credential`; false when a problem was told. */
static bool read_credential(struct http_exchange *x, const struct api_body *b, bool registration, struct passkey_reply *ret)
{
    uint32_t credential = TAPE_NONE;
    bool good = false;
    if (!api_body_object(x, b, "credential", &credential))
        return false;
    enum keer_err err =
        credential == TAPE_NONE ? KEER_OK : passkey_reply_read(&b->tape, credential, registration, ret, &good);
    if (err != KEER_OK)
        visit_failed(x, err);
    else if (!good)
        http_problem(x, HTTP_BAD_BODY, "credential: what the browser's WebAuthn gave, by toJSON(), was expected");
    return err == KEER_OK && good;
}

/* --- signing in --- */

void passkey_sign_in_options_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    if (begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, ""))
        answer_options(x, &v, passkeys_sign_in_options(passkeys(x), x->worker, &v, &x->reply));
    api_body_release(&b);
}

void passkey_sign_in_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_in s;
    struct id flow;
    struct passkey_reply reply = {0};
    if (begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "flow credential") && visit_body_id(x, &b, "flow", &flow) &&
        read_credential(x, &b, /* registration */ false, &reply)) {
        enum keer_err err = passkeys_sign_in(passkeys(x), x->worker, &v, &flow, &reply, &s);
        if (err == KEER_OK)
            account_sign_in_answer(x, &v, &s);
        else
            visit_failed(x, err);
    }
    passkey_reply_release(&reply);
    api_body_release(&b);
}

/* --- registering --- */

void passkey_options_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct slice use = {NULL, 0};
    if (begin(x, VISIT_RESTRICTED, &v) && api_body_read(x, &b, "use") &&
        api_body_line(x, &b, "use", /* required */ false, 16, &use)) {
        bool payment = slice_eq(use, SLICE("payment"));
        if (use.p && !payment && !slice_eq(use, SLICE("sign_in")))
            http_problem(x, HTTP_BAD_BODY, "use: sign_in or payment");
        else
            answer_options(x, &v, passkeys_register_options(passkeys(x), x->worker, &v, payment, &x->reply));
    }
    api_body_release(&b);
}

static void answer_registered(struct http_exchange *x, const struct passkeys_registered *r)
{
    char members[16 + ID_BYTES];
    (void)snprintf(members, sizeof members, "\"id\":\"%s\"", r->id.text);
    if (r->verdict != WEBAUTHN_OK)
        http_problem(x, HTTP_PASSKEY_REFUSED, "%s: %s", webauthn_verdict_name(r->verdict),
                     webauthn_verdict_text(r->verdict));
    else if (r->known)
        http_problem(x, HTTP_TAKEN, "this passkey is registered already");
    else if (r->enrol.outcome == ENROL_GUARD)
        step_guard_answer(x, &r->enrol.guard, slice_str(members));
    else if (r->enrol.outcome == ENROL_DENIED)
        http_problem(x, HTTP_DENIED, "%s", "");
    else
        http_problem(x, HTTP_NOT_FOUND, "this registration is over: begin again");
    notifier_wake(visit_accounts(x)->notifier);
}

void passkey_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct passkey_reply reply = {0};
    struct passkeys_registering r = {.reply = &reply};
    struct passkeys_registered made;
    if (begin(x, VISIT_RESTRICTED, &v) && step_header(x, &r.challenge) && api_body_read(x, &b, "flow credential name") &&
        visit_body_id(x, &b, "flow", &r.flow) &&
        api_body_line(x, &b, "name", /* required */ false, AUTHENTICATOR_NAME_BYTES, &r.name) &&
        read_credential(x, &b, /* registration */ true, &reply)) {
        enum keer_err err = passkeys_register(passkeys(x), x->worker, &v, &r, &made);
        if (err == KEER_OK)
            answer_registered(x, &made);
        else if (err == KEER_EFULL)
            http_problem(x, HTTP_TOO_MANY, "%u passkeys", PASSKEYS_MAX);
        else
            visit_failed(x, err);
    }
    passkey_reply_release(&reply);
    api_body_release(&b);
}

/* --- challenges --- */

void step_passkey_options_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct id id;
    if (begin(x, VISIT_ANYBODY, &v) && visit_id(x, &id) && api_body_read(x, &b, ""))
        answer_options(x, &v, passkeys_answer_options(passkeys(x), x->worker, &v, &id, &x->reply));
    api_body_release(&b);
}

void step_passkey_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct step s;
    struct id id;
    struct passkey_reply reply = {0};
    if (begin(x, VISIT_ANYBODY, &v) && visit_id(x, &id) && api_body_read(x, &b, "credential") &&
        read_credential(x, &b, /* registration */ false, &reply)) {
        enum keer_err err = passkeys_answer(passkeys(x), x->worker, &v, &id, &reply, &s);
        if (err == KEER_OK)
            step_answer(x, &v, &s);
        else
            visit_failed(x, err);
    }
    passkey_reply_release(&reply);
    api_body_release(&b);
}
