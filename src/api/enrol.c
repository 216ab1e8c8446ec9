/* enrol.c - /v1/account/authenticators and changes: another authenticator, one less, and what waits. */
#include "api/step.h"
#include "flow/notifier.h"

#define NAME_BYTES AUTHENTICATOR_NAME_BYTES

/* What became of an enrolment or removal. */
static void answer(struct http_exchange *x, struct enrol *e, struct slice members)
{
    switch (e->outcome) {
    case ENROL_GUARD:
        step_guard_answer(x, &e->guard, members);
        notifier_wake(visit_accounts(x)->notifier);
        break;
    case ENROL_WRONG: http_problem(x, HTTP_WRONG_CODE, "%s", ""); break;
    case ENROL_LATER: visit_later(x, MAX_OF(e->retry_us, 1)); break;
    case ENROL_OVER: http_problem(x, HTTP_NOT_FOUND, "nothing of this id that could be changed so"); break;
    case ENROL_DENIED: http_problem(x, HTTP_DENIED, "%s", ""); break;
    case ENROL_FULL: http_problem(x, HTTP_TOO_MANY, "%d authenticators", AUTHENTICATORS_MAX); break;
    }
}

void enrol_totp_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct totp_enrolment e;
    struct identifier label;
    struct slice name = SLICE("app");
    struct buf uri, svg, *b = &x->reply;
    const struct accounts *a = visit_accounts(x);
    buf_init(&uri, TOTP_URI_BYTES);
    buf_init(&svg, TOTP_QR_BYTES);
    if (!visit_begin(x, VISIT_RESTRICTED, &v) || !api_body_read(x, &body, "name") ||
        !api_body_line(x, &body, "name", false, NAME_BYTES, &name))
        goto out;
    enum keer_err err = enrol_totp(visit_steps(x), x->worker, &v, name, &e, &label);
    if (err == KEER_OK)
        err = totp_uri(slice_str(a->words.service), slice_str(label.text), slice_str(e.secret), &uri);
    if (err == KEER_OK)
        err = totp_qr(buf_view(&uri), &svg);
    if (err == KEER_OK) {
        buf_fmt(b, "{\"id\":\"%s\",\"secret\":\"%s\",\"uri\":", e.id.text, e.secret);
        buf_json(b, buf_view(&uri));
        buf_puts(b, ",\"qr\":");
        buf_json(b, buf_view(&svg));
        buf_puts(b, "}\n");
        http_reply(x, 200, HTTP_JSON);
    } else if (err == KEER_EFULL) {
        http_problem(x, HTTP_TOO_MANY, "%d authenticators", AUTHENTICATORS_MAX);
    } else {
        visit_failed(x, err);
    }
    crypto_wipe(&e, sizeof e);
out:
    if (uri.p)
        crypto_wipe(uri.p, uri.len);
    if (svg.p)
        crypto_wipe(svg.p, svg.len);
    buf_release(&uri);
    buf_release(&svg);
    api_body_release(&body);
}

void enrol_totp_confirm_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct enrol e;
    struct id id;
    struct slice code = {NULL, 0};
    struct enrol_request r = {.v = &v};
    char members[16 + ID_BYTES];
    if (visit_begin(x, VISIT_RESTRICTED, &v) && step_header(x, &r.challenge) && api_body_read(x, &body, "id code") &&
        visit_body_id(x, &body, "id", &id) && api_body_line(x, &body, "code", /* required */ true, 64, &code)) {
        enum keer_err err = enrol_totp_confirm(visit_steps(x), x->worker, &r, &id, code, &e);
        (void)snprintf(members, sizeof members, "\"id\":\"%s\"", id.text);
        if (err == KEER_OK)
            answer(x, &e, slice_str(members));
        else
            visit_failed(x, err);
    }
    api_body_release(&body);
}

void enrol_codes_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct enrol e;
    struct buf codes;
    struct enrol_request r = {.v = &v};
    buf_init(&codes, CODE_COUNT * (CODE_TEXT_BYTES + 3) + 16);
    if (visit_begin(x, VISIT_RESTRICTED, &v) && step_header(x, &r.challenge) && api_body_read(x, &body, "")) {
        enum keer_err err = enrol_codes(visit_steps(x), x->worker, &r, &e);
        if (err == KEER_OK && e.told) {
            buf_puts(&codes, "\"codes\":[");
            for (unsigned i = 0; i < CODE_COUNT; i++)
                buf_fmt(&codes, "%s\"%s\"", i ? "," : "", e.codes.code[i]);
            buf_char(&codes, ']');
        }
        if (err == KEER_OK)
            answer(x, &e, buf_view(&codes));
        else
            visit_failed(x, err);
        crypto_wipe(&e, sizeof e);
    }
    if (codes.p)
        crypto_wipe(codes.p, codes.len);
    buf_release(&codes);
    api_body_release(&body);
}

void enrol_delete(struct http_exchange *x)
{
    struct visitor v;
    struct enrol e;
    struct id id;
    struct enrol_request r = {.v = &v};
    if (!visit_begin(x, VISIT_RESTRICTED, &v) || !visit_id(x, &id) || !step_header(x, &r.challenge))
        return;
    enum keer_err err = enrol_remove(visit_steps(x), x->worker, &r, &id, &e);
    if (err == KEER_OK)
        answer(x, &e, SLICE(""));
    else
        visit_failed(x, err);
}

/* --- what waits --- */

void step_put_changes(struct buf *b, const struct enrol_waiting *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct guard_row *row = &w->rows[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"change\":\"%s\",\"what\":\"%s\",\"detail\":", i ? "," : "", row->id.text,
                guard_change_name(row->change), guard_change_what(row->change));
        buf_json(b, slice_str(row->detail));
        buf_puts(b, ",\"where\":");
        buf_json(b, slice_str(row->where));
        step_put_time(b, "created", row->created_us);
        step_put_time(b, "until", row->due_us);
        buf_char(b, '}');
    }
}

void step_put_recovery(struct buf *b, const struct enrol_waiting *w)
{
    if (!w->recovers) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"where\":");
    buf_json(b, slice_str(w->recovery.where));
    step_put_time(b, "created", w->recovery.created_us);
    step_put_time(b, "until", w->recovery.due_us);
    buf_char(b, '}');
}

void changes_get(struct http_exchange *x)
{
    struct visitor v;
    struct buf *b = &x->reply;
    if (!visit_begin(x, VISIT_RESTRICTED, &v))
        return;
    struct enrol_waiting l;
    enum keer_err err = enrol_waits(visit_steps(x), x->worker, &v, &l);
    if (err != KEER_OK) {
        visit_failed(x, err);
        return;
    }
    buf_puts(b, "{\"changes\":[");
    step_put_changes(b, &l);
    buf_puts(b, "],\"recovery\":");
    step_put_recovery(b, &l);
    buf_fmt(b, ",\"wallets_paused\":%s}\n", l.hold.held ? "true" : "false");
    http_reply(x, 200, HTTP_JSON);
}

void change_cancel_post(struct http_exchange *x)
{
    struct api_body body = {0};
    struct visitor v;
    struct id id;
    if (visit_begin(x, VISIT_RESTRICTED, &v) && visit_id(x, &id) && api_body_read(x, &body, "")) {
        enum keer_err err = enrol_call_off(visit_steps(x), x->worker, &v, &id);
        if (err == KEER_OK)
            visit_empty(x);
        else if (err == KEER_EMISSING)
            http_problem(x, HTTP_NOT_FOUND, "no change of this id waits");
        else
            visit_failed(x, err);
        notifier_wake(visit_accounts(x)->notifier);
    }
    api_body_release(&body);
}
