/* account_sign.c - /v1/account/sign-up, sign-in and sign-out. */
#include "api/account.h"
#include "api/step.h"
#include "flow/sign_up.h"
#include "flow/store_visit.h"

#define TEXT_BYTES 400 /* of what is typed but a password; what is too long for what it is, is refused by what it is */

void account_sign_in_answer(struct http_exchange *x, const struct visitor *v, struct sign_in *s)
{
    struct buf *b = &x->reply;
    bool session = false;
    switch (s->next) {
    case SIGN_IN_DONE:
        buf_fmt(b, "{\"next\":\"done\",\"account\":\"%s\",\"rights\":\"%s\"}\n", s->account.text,
                session_rights_name(s->rights));
        session = true;
        break;
    case SIGN_IN_STEP:
        buf_fmt(b, "{\"next\":\"step\",\"challenge\":\"%s\",\"methods\":[", s->challenge.text);
        step_put_methods(b, s->methods);
        buf_puts(b, "]}\n");
        session = true;
        break;
    case SIGN_IN_CODE:
        buf_fmt(b, "{\"next\":\"code\",\"flow\":\"%s\",\"sent_to\":", s->flow.text);
        buf_json(b, slice_str(s->sent_to));
        buf_puts(b, "}\n");
        session = true;
        break;
    case SIGN_IN_DENIED: buf_fmt(b, "{\"next\":\"denied\",\"frozen\":%s}\n", s->frozen ? "true" : "false"); break;
    case SIGN_IN_WRONG: http_problem(x, HTTP_WRONG_CREDENTIALS, "%s", ""); break;
    case SIGN_IN_LATER: visit_later(x, MAX_OF(s->retry_us, 1)); break;
    case SIGN_IN_FULL: visit_later(x, 0); break;
    }
    visit_cookies(x, v, session ? &s->token : NULL);
    crypto_wipe(&s->token, sizeof s->token);
    if (!x->replied)
        http_reply(x, 200, HTTP_JSON);
}

void account_sign_in(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_in s;
    struct slice name = {NULL, 0}, password = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "name password") &&
        api_body_text(x, &b, "name", /* required */ true, &name) &&
        api_body_text(x, &b, "password", /* required */ true, &password)) {
        enum keer_err err = sign_in_password(visit_accounts(x), x->worker, &v, name, password, &s);
        if (err == KEER_OK)
            account_sign_in_answer(x, &v, &s);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}

void account_visit(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_in s;
    struct slice token = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "token") &&
        api_body_line(x, &b, "token", /* required */ true, TEXT_BYTES, &token)) {
        enum keer_err err = store_visit_enter(visit_accounts(x), x->worker, &v, token, &s);
        if (err == KEER_OK)
            account_sign_in_answer(x, &v, &s);
        else if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "the link was used, or is too old");
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}

void account_sign_in_code(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_in s;
    struct id flow;
    struct slice code = {NULL, 0};
    if (visit_begin(x, VISIT_PENDING, &v) && api_body_read(x, &b, "flow code") && visit_body_id(x, &b, "flow", &flow) &&
        api_body_line(x, &b, "code", /* required */ true, TEXT_BYTES, &code)) {
        enum keer_err err = sign_in_code(visit_accounts(x), x->worker, &v, &flow, code, &s);
        if (err != KEER_OK)
            visit_failed(x, err);
        else if (s.next == SIGN_IN_WRONG)
            http_problem(x, HTTP_WRONG_CODE, "%s", "");
        else
            account_sign_in_answer(x, &v, &s);
    }
    api_body_release(&b);
}

struct ending {
    struct id account, session;
    int64_t now_us;
};

static enum keer_err end_session(struct db *db, void *ctx)
{
    struct ending *e = ctx;
    enum keer_err err = session_end(db, &e->account, &e->session, e->now_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

void account_sign_out(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "")) {
        struct ending e = {v.now.account, v.session, desk_wall_us(x->worker)};
        enum keer_err err = id_is(&v.session) ? desk_write(x->worker, end_session, &e) : KEER_OK;
        if (err == KEER_OK) {
            visit_forget_session(x);
            visit_empty(x);
        } else {
            visit_failed(x, err);
        }
    }
    api_body_release(&b);
}

/* --- sign-up --- */

static void answer_sign_up(struct http_exchange *x, const struct visitor *v, struct sign_up *s)
{
    struct buf *b = &x->reply;
    switch (s->next) {
    case SIGN_UP_CODE: buf_fmt(b, "{\"flow\":\"%s\",\"next\":\"code\"}\n", s->flow.text); break;
    case SIGN_UP_DONE:
        buf_fmt(b, "{\"account\":\"%s\",\"next\":\"done\",\"username_taken\":%s}\n", s->account.text,
                s->username_taken ? "true" : "false");
        break;
    case SIGN_UP_DENIED: buf_puts(b, "{\"next\":\"denied\"}\n"); break;
    case SIGN_UP_WRONG: http_problem(x, HTTP_WRONG_CODE, "%s", ""); break;
    case SIGN_UP_LATER: visit_later(x, MAX_OF(s->retry_us, 1)); break;
    case SIGN_UP_FULL: visit_later(x, 0); break;
    case SIGN_UP_BAD_FORM: http_problem(x, HTTP_BAD_BODY, "%s: %s", s->member, s->why); break;
    case SIGN_UP_FLAW:
        http_problem(x, HTTP_PASSWORD_REFUSED, "%s: %s", password_flaw_code(s->flaw), password_flaw_text(s->flaw));
        break;
    case SIGN_UP_OFF: http_problem(x, HTTP_NOTICES_OFF, "%s", ""); break;
    }
    visit_cookies(x, v, s->next == SIGN_UP_DONE ? &s->token : NULL);
    crypto_wipe(&s->token, sizeof s->token);
    if (!x->replied)
        http_reply(x, 200, HTTP_JSON);
}

void account_sign_up(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_up s;
    struct sign_up_form f = {0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "name email phone username password locale") &&
        api_body_line(x, &b, "name", false, ACCOUNT_NAME_BYTES, &f.name) &&
        api_body_line(x, &b, "email", false, TEXT_BYTES, &f.email) &&
        api_body_line(x, &b, "phone", false, TEXT_BYTES, &f.phone) &&
        api_body_line(x, &b, "username", false, TEXT_BYTES, &f.username) &&
        api_body_text(x, &b, "password", false, &f.password) &&
        api_body_line(x, &b, "locale", false, TEXT_BYTES, &f.locale)) {
        enum keer_err err = sign_up_start(visit_accounts(x), x->worker, &v, &f, &s);
        if (err == KEER_OK)
            answer_sign_up(x, &v, &s);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}

void account_sign_up_confirm(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct sign_up s;
    struct id flow;
    struct slice code = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &b, "flow code") && visit_body_id(x, &b, "flow", &flow) &&
        api_body_line(x, &b, "code", /* required */ true, TEXT_BYTES, &code)) {
        enum keer_err err = sign_up_confirm(visit_accounts(x), x->worker, &v, &flow, code, &s);
        if (err == KEER_OK)
            answer_sign_up(x, &v, &s);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}
