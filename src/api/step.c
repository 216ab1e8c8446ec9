/* step.c - /v1/account/challenges and prompts: a second step in the browser that asks, and on the device that is trusted. */
#include "api/step.h"

#include "base/timefmt.h"

#define CODE_BYTES 64 /* of a code as it is typed */

bool step_header(struct http_exchange *x, struct id *ret_challenge)
{
    struct slice text = http_header(x, "Keer-Challenge");
    *ret_challenge = (struct id){0};
    if (!text.p || id_parse(text, ret_challenge) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_STEP, "Keer-Challenge: that is no id");
    return false;
}

void step_put_methods(struct buf *b, unsigned methods)
{
    bool first = true;
    for (int k = 0; k < AUTHENTICATOR_KIND_MAX; k++)
        if (methods & AUTHENTICATOR_BIT(k)) {
            buf_fmt(b, "%s\"%s\"", first ? "" : ",", authenticator_kind_name((enum authenticator_kind)k));
            first = false;
        }
}

void step_put_time(struct buf *b, const char *name, int64_t us)
{
    buf_fmt(b, ",\"%s\":", name);
    if (us) {
        buf_char(b, '"');
        time_print(b, us);
        buf_char(b, '"');
    } else {
        buf_puts(b, "null");
    }
}

/* Where the store wants its customer back, told how it went; the store asks GET /v1/challenges/{id} and believes nothing
 * else. */
static void put_redirect(struct buf *b, const struct challenge *c)
{
    struct buf url;
    if (!c->return_url[0] || c->state == CHALLENGE_OPEN)
        return;
    buf_init(&url, CHALLENGE_URL_BYTES + 100);
    buf_puts(&url, c->return_url);
    if (c->return_url[0] != '/') /* a path of our own knows its challenge */
        buf_fmt(&url, "%cchallenge=%s&state=%s", strchr(c->return_url, '?') ? '&' : '?', c->id.text,
                challenge_state_name(c->state));
    if (url.err == KEER_OK) {
        buf_puts(b, ",\"redirect\":");
        buf_json(b, buf_view(&url));
    }
    buf_release(&url);
}

void step_answer(struct http_exchange *x, const struct visitor *v, struct step *s)
{
    struct buf *b = &x->reply;
    bool token = s->token.text[0] != '\0';
    switch (s->outcome) {
    case STEP_WRONG: http_problem(x, HTTP_WRONG_CODE, "%s", ""); break;
    case STEP_LATER: visit_later(x, MAX_OF(s->retry_us, 1)); break;
    case STEP_OVER:
        if (id_is(&s->challenge.id) && s->challenge.state != CHALLENGE_OPEN)
            http_problem(x, HTTP_STEP_OVER, "the challenge is %s", challenge_state_name(s->challenge.state));
        else
            http_problem(x, HTTP_STEP_OVER, "%s", "");
        break;
    case STEP_DENIED: http_problem(x, HTTP_DENIED, "%s", ""); break;
    case STEP_SENT: buf_fmt(b, "{\"state\":\"open\",\"number\":\"%s\"}\n", s->number); break;
    case STEP_DONE:
        buf_fmt(b, "{\"state\":\"%s\"", challenge_state_name(s->challenge.state));
        put_redirect(b, &s->challenge);
        buf_puts(b, "}\n");
        break;
    }
    if (!x->replied) {
        visit_cookies(x, v, token ? &s->token : NULL);
        http_reply(x, 200, HTTP_JSON);
    }
    crypto_wipe(&s->token, sizeof s->token);
    crypto_wipe(s->number, sizeof s->number);
}

void step_guard_answer(struct http_exchange *x, const struct guard_answer *a, struct slice members)
{
    struct buf *b = &x->reply;
    switch (a->outcome) {
    case GUARD_APPLIED: buf_fmt(b, "{%.*s}\n", SLICE_ARG(members)); break;
    case GUARD_STEP:
        buf_fmt(b, "{\"next\":\"step\",\"challenge\":\"%s\",\"methods\":[", a->challenge.text);
        step_put_methods(b, a->methods);
        buf_puts(b, "]}\n");
        break;
    case GUARD_WAITS:
        buf_fmt(b, "{%.*s%s\"pending\":\"%s\"", SLICE_ARG(members), members.len ? "," : "", a->change.text);
        step_put_time(b, "until", a->until_us);
        buf_puts(b, "}\n");
        break;
    case GUARD_BAD_STEP: http_problem(x, HTTP_BAD_STEP, "%s", ""); break;
    case GUARD_REFUSED: http_problem(x, HTTP_GUARD_REFUSED, "%s", ""); break;
    }
    if (!x->replied)
        http_reply(x, 200, HTTP_JSON);
}

/* --- challenges --- */

static void put_challenge(struct buf *b, const struct step_view *view)
{
    const struct challenge *c = &view->challenge;
    buf_fmt(b, "{\"id\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\",\"shown\":%s,\"methods\":[", c->id.text,
            challenge_kind_name(c->kind), challenge_state_name(c->state), c->shown);
    step_put_methods(b, view->methods);
    buf_char(b, ']');
    step_put_time(b, "expires",
                  c->kind == CHALLENGE_PAYMENT ? MIN_OF(c->until_us, c->touched_us + CHALLENGE_IDLE_US) : c->until_us);
    if (view->number[0])
        buf_fmt(b, ",\"number\":\"%s\"", view->number);
    if (view->prompt != PROMPT_STATE_MAX)
        buf_fmt(b, ",\"prompt\":\"%s\"", prompt_state_name(view->prompt));
    put_redirect(b, c);
    buf_puts(b, "}\n");
}

void step_get(struct http_exchange *x)
{
    struct visitor v;
    struct id id;
    struct step_view view = {.prompt = PROMPT_STATE_MAX};
    struct bearer token = {{0}};
    if (!visit_begin(x, VISIT_ANYBODY, &v) || !visit_id(x, &id))
        return;
    enum keer_err err = step_look(visit_steps(x), x->worker, &v, &id, &view);
    if (err == KEER_OK) { /* a sign-in that was approved on another device is finished here, once */
        enum keer_err finished = step_finish(visit_steps(x), x->worker, &v, &view.challenge, &token);
        if (finished != KEER_OK && finished != KEER_EMISSING)
            err = finished;
    }
    if (err == KEER_OK) {
        put_challenge(&x->reply, &view);
        visit_cookies(x, &v, token.text[0] ? &token : NULL);
        http_reply(x, 200, HTTP_JSON);
    } else if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no challenge of this id");
    } else {
        visit_failed(x, err);
    }
    crypto_wipe(&token, sizeof token);
    crypto_wipe(&view, sizeof view);
}

typedef enum keer_err step_fn(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                              const struct id *challenge, struct slice code, struct step *ret);

static void with_code(struct http_exchange *x, step_fn *fn)
{
    struct api_body b = {0};
    struct visitor v;
    struct id id;
    struct step s;
    struct slice code = {NULL, 0};
    if (visit_begin(x, VISIT_ANYBODY, &v) && visit_id(x, &id) && api_body_read(x, &b, "code") &&
        api_body_line(x, &b, "code", /* required */ true, CODE_BYTES, &code)) {
        enum keer_err err = fn(visit_steps(x), x->worker, &v, &id, code, &s);
        if (err == KEER_OK)
            step_answer(x, &v, &s);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}

void step_totp_post(struct http_exchange *x) { with_code(x, step_totp); }
void step_code_post(struct http_exchange *x) { with_code(x, step_recovery_code); }

static void without_code(struct http_exchange *x,
                         enum keer_err (*fn)(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                             const struct id *challenge, struct step *ret))
{
    struct api_body b = {0};
    struct visitor v;
    struct id id;
    struct step s;
    if (visit_begin(x, VISIT_ANYBODY, &v) && visit_id(x, &id) && api_body_read(x, &b, "")) {
        enum keer_err err = fn(visit_steps(x), x->worker, &v, &id, &s);
        bool cancelled = err == KEER_OK && fn == step_cancel && id_is(&s.challenge.id);
        if (cancelled)
            s.outcome = STEP_DONE; /* whatever it is now, that is the answer */
        if (err == KEER_OK)
            step_answer(x, &v, &s);
        else
            visit_failed(x, err);
    }
    api_body_release(&b);
}

void step_prompt_post(struct http_exchange *x) { without_code(x, step_prompt); }
void step_cancel_post(struct http_exchange *x) { without_code(x, step_cancel); }

/* --- prompts --- */

void step_put_prompts(struct buf *b, const struct step_prompt_view *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        buf_fmt(b, "%s{\"id\":\"%s\",\"kind\":\"%s\",\"shown\":%s", i ? "," : "", rows[i].prompt.id.text,
                challenge_kind_name(rows[i].challenge.kind), rows[i].challenge.shown);
        step_put_time(b, "created", rows[i].prompt.created_us);
        step_put_time(b, "expires", rows[i].prompt.until_us);
        buf_char(b, '}');
    }
}

void prompts_get(struct http_exchange *x)
{
    struct visitor v;
    struct buf *b = &x->reply;
    unsigned n = 0;
    if (!visit_begin(x, VISIT_RESTRICTED, &v))
        return;
    struct step_prompt_view *rows = calloc(PROMPTS_MAX, sizeof *rows);
    if (!rows) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    enum keer_err err = step_prompts(visit_steps(x), x->worker, &v, rows, &n);
    if (err == KEER_OK) {
        buf_puts(b, "{\"prompts\":[");
        step_put_prompts(b, rows, n);
        buf_puts(b, "]}\n");
        http_reply(x, 200, HTTP_JSON);
    } else {
        visit_failed(x, err);
    }
    free(rows);
}

void prompt_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct visitor v;
    struct id id;
    struct step s;
    struct slice number = {NULL, 0}, answer = {NULL, 0};
    if (visit_begin(x, VISIT_FULL, &v) && visit_id(x, &id) && api_body_read(x, &b, "number answer") &&
        api_body_line(x, &b, "number", false, CODE_BYTES, &number) && api_body_line(x, &b, "answer", false, 16, &answer)) {
        bool not_me = slice_eq(answer, SLICE("not_me")), no = slice_eq(answer, SLICE("no"));
        if ((number.p != NULL) == (answer.p != NULL) || (answer.p && !no && !not_me)) {
            http_problem(x, HTTP_BAD_BODY, "either number, or answer: no or not_me");
        } else {
            enum step_answer what = not_me ? STEP_ANSWER_NOT_ME : no ? STEP_ANSWER_NO : STEP_ANSWER_NUMBER;
            enum keer_err err = step_answer_prompt(visit_steps(x), x->worker, &v, &id, what, number, &s);
            if (err == KEER_OK && what != STEP_ANSWER_NUMBER && s.challenge.state == CHALLENGE_REFUSED)
                s.outcome = STEP_DONE;
            s.challenge.return_url[0] = '\0'; /* the way back is the asking screen's */
            if (err == KEER_OK)
                step_answer(x, &v, &s);
            else
                visit_failed(x, err);
        }
    }
    api_body_release(&b);
}
