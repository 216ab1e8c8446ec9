/* step_prompt.c - approval on a trusted device: the number for one screen, and the answer on another. */
#include "flow/notifier.h"
#include "flow/step.h"

/* --- asking --- */

struct asking {
    const struct steps *s;
    const struct visitor *v;
    const struct challenge *c;
    int64_t now_us;
    struct attempt_begun begun;
    struct prompt prompt;
    struct step *ret;
};

static enum keer_err ask(struct db *db, void *ctx)
{
    struct asking *k = ctx;
    unsigned methods;
    enum keer_err err = authenticators_methods(db, &k->c->account, &methods);
    if (err == KEER_OK && k->c->methods)
        methods &= k->c->methods;
    if (err == KEER_OK && !(methods & AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE)))
        err = KEER_EMISSING;
    struct attempt_subject subject = {
        .account = id_slice(&k->c->account), .device = id_slice(&k->c->device), .address = slice_str(k->v->ip)};
    if (err == KEER_OK)
        err = attempt_begin(db, ATTEMPT_USE_PROMPT, &subject, k->now_us, &k->begun);
    if (err != KEER_OK || k->begun.verdict != ATTEMPT_MAY)
        return err;
    return prompt_make(db, &k->s->accounts->key, k->c, k->now_us, &k->prompt, k->ret->number);
}

enum keer_err step_prompt(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                          struct step *ret)
{
    struct challenge c;
    struct asking k = {.s = s, .v = v, .c = &c, .now_us = desk_wall_us(w), .ret = ret};
    *ret = (struct step){.outcome = STEP_OVER};
    enum keer_err err = step_open(s, w, v, challenge, &c);
    if (err == KEER_OK)
        err = desk_write(w, ask, &k);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_EFULL || (err == KEER_OK && k.begun.verdict != ATTEMPT_MAY)) {
        ret->outcome = STEP_LATER;
        ret->retry_us = err == KEER_OK ? k.begun.retry_us : k.now_us + PROMPT_LIFE_US;
        ret->challenge = c;
        return KEER_OK;
    }
    if (err != KEER_OK)
        return err;
    ret->outcome = STEP_SENT;
    ret->challenge = c;
    return KEER_OK;
}

/* --- on the trusted device --- */

/* Whether v's session is FULL, and its device trusted: the authenticator of that device. */
static enum keer_err trusted(struct db *db, const struct visitor *v, int64_t now_us, struct session *ret_session,
                             struct authenticator *ret)
{
    if (!id_is(&v->session))
        return KEER_EMISSING;
    enum keer_err err = session_read(db, &v->session, now_us, ret_session);
    if (err == KEER_OK && (ret_session->rights != SESSION_FULL || !id_is(&ret_session->device)))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = authenticator_by_ref(db, &ret_session->account, AUTHENTICATOR_DEVICE, &ret_session->device, ret);
    if (err == KEER_OK && ret->state != AUTHENTICATOR_ACTIVE)
        err = KEER_EMISSING;
    return err;
}

struct listing {
    const struct visitor *v;
    int64_t now_us;
    struct step_prompt_view *rows;
    unsigned count;
};

/* The screen that asks, when it is the same browser: a number typed there shows nothing. */
static enum keer_err same_browser(struct db *db, const struct session *answering, const struct challenge *c, int64_t now_us,
                                  bool *ret_same)
{
    struct session asking;
    enum keer_err err = session_read(db, &c->holder, now_us, &asking);
    if (err == KEER_OK)
        *ret_same = crypto_hash_eq(&asking.device_hash, &answering->device_hash);
    else if (err == KEER_EMISSING) {
        struct id browser;
        struct visitor v = {.device = answering->device_hash};
        step_browser(&v, &browser);
        *ret_same = id_eq(&browser, &c->holder);
        err = KEER_OK;
    }
    return err;
}

enum keer_err step_prompts_read(struct db *db, const struct visitor *v, int64_t now_us,
                                struct step_prompt_view ret_rows[PROMPTS_MAX], unsigned *ret_count)
{
    struct session session;
    struct authenticator device;
    struct prompt prompts[PROMPTS_MAX];
    unsigned n = 0, count = 0;
    enum keer_err err = trusted(db, v, now_us, &session, &device);
    if (err == KEER_OK)
        err = prompts_list(db, &session.account, &session.device, now_us, prompts, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        struct step_prompt_view *row = &ret_rows[count];
        bool same = true;
        row->prompt = prompts[i];
        err = challenge_get(db, &prompts[i].challenge, now_us, &row->challenge);
        if (err == KEER_OK && row->challenge.state == CHALLENGE_OPEN)
            err = same_browser(db, &session, &row->challenge, now_us, &same);
        if (err == KEER_OK && !same)
            count++;
    }
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_count = err == KEER_OK ? count : 0;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err list(struct db *db, void *ctx)
{
    struct listing *l = ctx;
    return step_prompts_read(db, l->v, l->now_us, l->rows, &l->count);
}

enum keer_err step_prompts(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                           struct step_prompt_view ret_rows[PROMPTS_MAX], unsigned *ret_count)
{
    struct listing l = {.v = v, .now_us = desk_wall_us(w), .rows = ret_rows};
    UNUSED(s);
    enum keer_err err = desk_read(w, list, &l);
    if (err == KEER_OK)
        *ret_count = l.count;
    return err;
}

/* --- the answer --- */

struct answering {
    const struct steps *s;
    const struct visitor *v;
    const struct id *id;
    struct slice number;
    int64_t now_us;
    struct session session;
    struct authenticator device;
    struct prompt prompt;
    struct challenge challenge;
    bool right;
};

static enum keer_err find(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    bool same = true;
    enum keer_err err = trusted(db, a->v, a->now_us, &a->session, &a->device);
    if (err == KEER_OK)
        err = prompt_get(db, &a->session.account, a->id, a->now_us, &a->prompt);
    if (err == KEER_OK && a->prompt.state != PROMPT_WAITING)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = challenge_get(db, &a->prompt.challenge, a->now_us, &a->challenge);
    if (err == KEER_OK && a->challenge.state == CHALLENGE_OPEN)
        err = same_browser(db, &a->session, &a->challenge, a->now_us, &same);
    return err == KEER_OK && same ? KEER_EMISSING : err;
}

static enum keer_err approve(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    struct session session;
    struct authenticator device;
    enum keer_err err = trusted(db, a->v, a->now_us, &session, &device); /* still, in this transaction */
    return err == KEER_OK ? prompt_approve(db, &a->s->accounts->key, &a->session.account, a->id, &a->session.device,
                                           a->number, a->now_us, &a->right)
                          : err;
}

/* A right answer makes room, for the browser that asked, for the next prompts. */
static enum keer_err forgive(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    struct attempt_subject subject = {.account = id_slice(&a->session.account), .device = id_slice(&a->challenge.device)};
    return attempt_clear(db, ATTEMPT_PROMPT, &subject);
}

static enum keer_err refuse(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    enum keer_err err = prompt_refuse(db, &a->session.account, a->id, &a->session.device, PROMPT_REFUSED, a->now_us);
    if (err == KEER_OK)
        err = challenge_refuse(db, &a->challenge.id, SLICE("refused"), a->now_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* What the browser that asked may of the account ends with it: it is no device of the account any more. */
static enum keer_err end_asking(struct db *db, const struct answering *a)
{
    struct session asking;
    struct device device;
    const struct id *account = &a->session.account;
    enum keer_err err = session_read(db, &a->challenge.holder, a->now_us, &asking);
    if (err == KEER_OK)
        err = session_end(db, account, &asking.id, a->now_us);
    if (err == KEER_OK)
        err = device_find(db, account, &asking.device_hash, &device);
    if (err == KEER_OK && !id_eq(&device.id, &a->session.device))
        err = device_revoke(db, account, &device.id, a->now_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Whoever asked has the password, or a session: the account is locked, as by the 'not me' of a notice, which pauses its
 * wallets. */
static enum keer_err not_me(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    unsigned count;
    const struct id *account = &a->session.account;
    enum keer_err err = prompt_refuse(db, account, a->id, &a->session.device, PROMPT_NOT_ME, a->now_us);
    if (err == KEER_OK || err == KEER_EMISSING) /* also one that was answered meanwhile */
        err = challenge_refuse(db, &a->challenge.id, SLICE("not_me"), a->now_us);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = end_asking(db, a);
    if (err == KEER_OK)
        err = notice_add(db, &a->s->accounts->key,
                         &(struct notice_new){.account = *account,
                                              .kind = NOTICE_STEP_NOT_ME,
                                              .about = a->challenge.id,
                                              .what = slice_str(a->session.family),
                                              .where = visitor_where(a->v)},
                         a->now_us, &count);
    return err == KEER_OK ? guard_freeze(db, &a->s->guard, account,
                                         SLICE("You said on a trusted device that it was not you."), a->now_us)
                          : err;
}

/* For the engine: a step that failed, whatever is known of what asked for it; and fraud, where its event is known. */
static enum keer_err report(struct desk_worker *w, const struct answering *a)
{
    bool denied;
    enum keer_err err = step_event(w, a->v, &a->challenge, AUTHENTICATOR_DEVICE, /* right */ false, &denied);
    if (err != KEER_OK && err != KEER_EIO) { /* the refusal stands */
        log_put(desk_log(w), LOG_WARNING, "the event of a step that was refused was not taken: %s", keer_err_text(err));
        err = KEER_OK;
    }
    visitor_report(w, a->v, &a->session.account, slice_str(a->challenge.event));
    return err;
}

enum keer_err step_answer_prompt(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                 const struct id *prompt, enum step_answer answer, struct slice number, struct step *ret)
{
    struct answering a = {.s = s, .v = v, .id = prompt, .number = number, .now_us = desk_wall_us(w)};
    struct attempt_begun begun;
    *ret = (struct step){.outcome = STEP_OVER};
    enum keer_err err = desk_read(w, find, &a);
    if (err == KEER_EMISSING)
        return KEER_OK;
    ret->challenge = a.challenge;
    if (err == KEER_OK && answer != STEP_ANSWER_NUMBER) {
        err = desk_write(w, answer == STEP_ANSWER_NO ? refuse : not_me, &a);
        if (err == KEER_OK && answer == STEP_ANSWER_NOT_ME) {
            notifier_wake(s->accounts->notifier);
            err = report(w, &a);
        }
        ret->challenge.state = CHALLENGE_REFUSED;
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err == KEER_OK)
        err = step_begin(s, w, v, &a.challenge, ATTEMPT_USE_CODE, &a.device.id, &begun, ret);
    if (err != KEER_OK || ret->outcome != STEP_DONE)
        return err;
    err = desk_write(w, approve, &a);
    if (err == KEER_EMISSING) {
        ret->outcome = STEP_OVER;
        return KEER_OK;
    }
    if (err == KEER_OK && a.right)
        err = desk_write(w, forgive, &a);
    if (err != KEER_OK)
        return err;
    struct step_result r = {.challenge = &a.challenge,
                            .begun = &begun,
                            .by = AUTHENTICATOR_DEVICE,
                            .authenticator = a.device.id,
                            .amr = CHALLENGE_AMR_MCA | CHALLENGE_AMR_POP,
                            .right = a.right};
    return step_end(s, w, v, &r, ret);
}
