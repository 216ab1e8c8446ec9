/* recovery.c - /v1/account/recovery and not-me: what somebody does who is not signed in. */
#include "api/step.h"
#include "flow/recover.h"

#define TEXT_BYTES 400

static const struct {
    unsigned way;
    const char *name;
} ways[] = {{RECOVERY_EMAIL, "email"},
            {RECOVERY_PHONE, "phone"},
            {RECOVERY_CODE, "recovery_code"},
            {RECOVERY_TOTP, "totp"},
            {RECOVERY_DEVICE, "device"}};

static void answer(struct http_exchange *x, const struct visitor *v, const struct recover *r)
{
    static const char *const states[RECOVERY_STATE_MAX] = {"open", "waiting", "done", "cancelled"};
    struct buf *b = &x->reply;
    bool first = true;
    switch (r->outcome) {
    case RECOVER_WRONG: http_problem(x, HTTP_WRONG_CODE, "%s", ""); return;
    case RECOVER_LATER: visit_later(x, MAX_OF(r->retry_us, 1)); return;
    case RECOVER_OVER: http_problem(x, HTTP_RECOVERY_OVER, "%s", ""); return;
    case RECOVER_FLAW:
        http_problem(x, HTTP_PASSWORD_REFUSED, "%s: %s", password_flaw_code(r->flaw), password_flaw_text(r->flaw));
        return;
    case RECOVER_FULL: visit_later(x, 0); return;
    case RECOVER_CONFLICT: http_problem(x, HTTP_RECOVERY_WAITS, "%s", ""); return;
    case RECOVER_DENIED: http_problem(x, HTTP_DENIED, "%s", ""); return;
    case RECOVER_FLOW: break;
    }
    buf_fmt(b, "{\"flow\":\"%s\",\"state\":\"%s\",\"proved\":[", r->recovery.id.text, states[r->recovery.state]);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        if (r->recovery.ways & ways[i].way) {
            buf_fmt(b, "%s\"%s\"", first ? "" : ",", ways[i].name);
            first = false;
        }
    buf_fmt(b, "],\"ready\":%s", r->ready || r->recovery.state == RECOVERY_DONE ? "true" : "false");
    if (r->recovery.state == RECOVERY_WAITING)
        step_put_time(b, "until", r->recovery.due_us);
    buf_puts(b, "}\n");
    visit_cookies(x, v, NULL);
    http_reply(x, 200, HTTP_JSON);
}

static void give(struct http_exchange *x, const struct visitor *v, enum keer_err err, const struct recover *r)
{
    if (err == KEER_OK)
        answer(x, v, r);
    else
        visit_failed(x, err);
}

void recovery_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct recover r;
    struct slice name = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &body, "name") &&
        api_body_line(x, &body, "name", /* required */ true, TEXT_BYTES, &name))
        give(x, &v, recover_start(visit_steps(x), x->worker, &v, name, &r), &r);
    api_body_release(&body);
}

void recovery_code_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct recover r;
    struct id flow;
    struct slice code = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &body, "flow code") &&
        visit_body_id(x, &body, "flow", &flow) && api_body_line(x, &body, "code", /* required */ true, 64, &code))
        give(x, &v, recover_prove(visit_steps(x), x->worker, &v, &flow, code, &r), &r);
    api_body_release(&body);
}

/* `lost`, when it is there, is true or false. */
static bool read_lost(struct http_exchange *x, const struct api_body *body, bool *ret_lost)
{
    uint32_t i = tape_find(&body->tape, 0, "lost");
    *ret_lost = i != TAPE_NONE && tape_type(&body->tape, i) == TAPE_TRUE;
    if (i == TAPE_NONE || *ret_lost || tape_type(&body->tape, i) == TAPE_FALSE)
        return true;
    http_problem(x, HTTP_BAD_BODY, "lost: true or false was expected");
    return false;
}

void recovery_finish_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct recover r;
    struct id flow;
    struct slice password = {NULL, 0};
    bool lost = false;
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &body, "flow password lost") &&
        visit_body_id(x, &body, "flow", &flow) && api_body_text(x, &body, "password", /* required */ true, &password) &&
        read_lost(x, &body, &lost))
        give(x, &v, recover_finish(visit_steps(x), x->worker, &v, &flow, password, lost, &r), &r);
    api_body_release(&body);
}

void recovery_cancel_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct id flow = {0};
    struct slice text = {NULL, 0};
    unsigned count = 0;
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &body, "flow") &&
        api_body_line(x, &body, "flow", false, 64, &text)) {
        if (text.p && id_parse(text, &flow) != KEER_OK) {
            http_problem(x, HTTP_BAD_BODY, "flow: that is no id");
        } else {
            enum keer_err err = recover_cancel(visit_steps(x), x->worker, &v, &flow, &count);
            if (err == KEER_OK) {
                buf_fmt(&x->reply, "{\"cancelled\":%u}\n", count);
                http_reply(x, 200, HTTP_JSON);
            } else {
                visit_failed(x, err);
            }
        }
    }
    api_body_release(&body);
}

/* --- 'not me' --- */

static void not_me_answer(struct http_exchange *x, const struct guard_not_me *r)
{
    buf_fmt(&x->reply, "{\"told_of\":\"%s\",\"undone\":%s,\"frozen\":%s,\"by_message\":%s}\n", notice_kind_code(r->kind),
            r->undone ? "true" : "false", r->frozen ? "true" : "false", r->kept ? "true" : "false");
    http_reply(x, 200, HTTP_JSON);
}

void not_me_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct guard_not_me r;
    struct slice token = {NULL, 0};
    int64_t retry_us = 0;
    if (visit_begin(x, VISIT_ANYBODY, &v) && api_body_read(x, &body, "token") &&
        api_body_line(x, &body, "token", /* required */ true, 64, &token)) {
        enum keer_err err = recover_not_me(visit_steps(x), x->worker, &v, token, &r, &retry_us);
        if (err == KEER_OK) {
            not_me_answer(x, &r);
        } else if (err == KEER_EMISSING && retry_us) {
            visit_later(x, retry_us);
        } else if (err == KEER_EMISSING) {
            http_problem(x, HTTP_NOT_FOUND, "this link was used, or is too old");
        } else {
            visit_failed(x, err);
        }
    }
    api_body_release(&body);
}

/* A restricted session may: what opened it, the password and a code of the mailbox, could as well open the message. */
static void not_me_own(struct http_exchange *x, enum guard_told told)
{
    struct api_body body = {0};
    struct visitor v;
    struct guard_not_me r;
    struct id id;
    if (visit_begin(x, VISIT_RESTRICTED, &v) && visit_id(x, &id) && api_body_read(x, &body, "")) {
        enum keer_err err = recover_not_me_own(visit_steps(x), x->worker, &v, told, &id, &r);
        if (err == KEER_OK) {
            if (r.frozen)
                visit_forget_session(x);
            not_me_answer(x, &r);
        } else if (err == KEER_EMISSING) {
            http_problem(x, HTTP_NOT_FOUND, "nothing of this id that could be taken back");
        } else {
            visit_failed(x, err);
        }
    }
    api_body_release(&body);
}

void activity_not_me_post(struct http_exchange *x) { not_me_own(x, GUARD_TOLD_NOTICE); }
void change_not_me_post(struct http_exchange *x) { not_me_own(x, GUARD_TOLD_CHANGE); }
