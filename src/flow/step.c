/* step.c - challenges looked at, answered and cancelled. */
#include "flow/step.h"

#include "flow/sign_in.h"
#include "stepup/code.h"
#include "stepup/totp.h"

#define ACTIVE AUTHENTICATOR_BIT(AUTHENTICATOR_ACTIVE)

void step_browser(const struct visitor *v, struct id *ret_holder)
{
    struct crypto_hash h;
    crypto_sha256(SLICE("keersluis browser of a challenge"), &h);
    crypto_sha256_add(&h, slice_of((const char *)v->device.bytes, sizeof v->device.bytes));
    id_of_hash(&h, ret_holder);
}

/* As events say it (attributes.def, step_up). */
static const char *const methods[AUTHENTICATOR_KIND_MAX] = {"passkey", "totp", "device", "recovery_code"};

static bool holds(const struct visitor *v, const struct challenge *c)
{
    struct id browser;
    if (!id_is(&c->holder))
        return false;
    step_browser(v, &browser);
    return id_eq(&c->holder, &browser) || (id_is(&v->session) && id_eq(&c->holder, &v->session));
}

/* --- looking --- */

struct looking {
    const struct steps *s;
    const struct visitor *v;
    const struct id *id;
    int64_t now_us;
    struct step_view *view;
};

static enum keer_err read_view(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    struct step_view *o = l->view;
    enum keer_err err = challenge_get(db, l->id, l->now_us, &o->challenge);
    if (err == KEER_OK)
        err = authenticators_methods(db, &o->challenge.account, &o->methods);
    if (err == KEER_OK && o->challenge.methods)
        o->methods &= o->challenge.methods;
    o->number[0] = '\0';
    if (err == KEER_OK)
        err = prompt_latest(db, l->id, l->now_us, &o->prompt);
    if (err == KEER_OK && o->prompt == PROMPT_WAITING)
        err = prompt_number(db, &l->s->accounts->key, l->id, l->now_us, o->number);
    return err;
}

static enum keer_err hold(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    struct id browser;
    step_browser(l->v, &browser);
    return challenge_hold(db, l->id, &browser, l->now_us);
}

static enum keer_err touch(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    return challenge_touch(db, l->id, &l->view->challenge.holder, l->now_us);
}

enum keer_err step_look(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                        struct step_view *ret)
{
    struct looking l = {.s = s, .v = v, .id = challenge, .now_us = desk_wall_us(w), .view = ret};
    enum keer_err err = desk_read(w, read_view, &l);
    if (err == KEER_OK && ret->challenge.state == CHALLENGE_OPEN && !id_is(&ret->challenge.holder)) {
        err = desk_write(w, hold, &l); /* of two browsers one wins */
        if (err == KEER_OK)
            err = desk_read(w, read_view, &l);
    } else if (err == KEER_OK && holds(v, &ret->challenge) && ret->challenge.kind == CHALLENGE_PAYMENT &&
               ret->challenge.state == CHALLENGE_OPEN && l.now_us - ret->challenge.touched_us > US_MINUTE) {
        err = desk_write(w, touch, &l); /* somebody is there: once a minute is enough */
        err = err == KEER_EMISSING ? KEER_OK : err;
    }
    return err == KEER_OK && !holds(v, &ret->challenge) ? KEER_EMISSING : err;
}

enum keer_err step_open(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                        struct challenge *ret)
{
    struct step_view view = {.prompt = PROMPT_STATE_MAX};
    enum keer_err err = step_look(s, w, v, challenge, &view);
    if (err == KEER_OK && view.challenge.state != CHALLENGE_OPEN)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        *ret = view.challenge;
    return err;
}

/* --- counting --- */

struct counting {
    const struct visitor *v;
    const struct challenge *c;
    const struct id *authenticator;
    enum attempt_use use;
    int64_t now_us;
    struct attempt_begun *begun;
};

/* A browser that the account knows has a bucket of its own. */
static enum keer_err known_device(struct db *db, const struct visitor *v, const struct id *account, struct device *ret,
                                  bool *ret_known)
{
    enum keer_err err = device_find(db, account, &v->device, ret);
    *ret_known = err == KEER_OK && !ret->revoked_us;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err count(struct db *db, void *ctx)
{
    struct counting *k = ctx;
    struct device device;
    bool known;
    enum keer_err err = known_device(db, k->v, &k->c->account, &device, &known);
    if (err != KEER_OK)
        return err;
    struct attempt_subject subject = {.account = id_slice(&k->c->account),
                                      .device = known ? id_slice(&device.id) : SLICE(""),
                                      .authenticator = id_slice(k->authenticator),
                                      .challenge = id_slice(&k->c->id),
                                      .address = slice_str(k->v->ip)};
    /* The last that is taken refuses the challenge when it was wrong (end_wrong), not the next one here: one of those that
     * are on their way may be right. */
    return attempt_begin(db, k->use, &subject, k->now_us, k->begun);
}

enum keer_err step_begin(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct challenge *c,
                         enum attempt_use use, const struct id *authenticator, struct attempt_begun *ret_begun,
                         struct step *ret)
{
    struct counting k = {
        .v = v, .c = c, .authenticator = authenticator, .use = use, .now_us = desk_wall_us(w), .begun = ret_begun};
    UNUSED(s);
    enum keer_err err = desk_write(w, count, &k);
    if (err != KEER_OK)
        return err;
    *ret = (struct step){.challenge = *c, .retry_us = ret_begun->retry_us};
    switch (ret_begun->verdict) {
    case ATTEMPT_MAY: ret->outcome = STEP_DONE; break;
    case ATTEMPT_LATER: ret->outcome = STEP_LATER; break;
    case ATTEMPT_USED_UP: ret->outcome = STEP_OVER; break;
    }
    return KEER_OK;
}

enum keer_err step_right(struct db *db, const struct id *challenge, int64_t now_us)
{
    enum keer_err err = challenge_right(db, challenge, now_us);
    return err == KEER_EMISSING ? KEER_OK : err; /* it ended meanwhile: step_end says so */
}

/* --- ending --- */

struct ending {
    const struct steps *s;
    const struct visitor *v;
    const struct step_result *r;
    bool denied, disabled;
    int64_t now_us;
    struct step *ret;
};

static enum keer_err tell(struct db *db, const struct ending *e, enum notice_kind kind, struct slice what)
{
    unsigned count;
    return notice_add(db, &e->s->accounts->key,
                      &(struct notice_new){.account = e->r->challenge->account,
                                           .kind = kind,
                                           .about = e->r->challenge->id,
                                           .what = what,
                                           .where = visitor_where(e->v)},
                      e->now_us, &count);
}

/* The hundredth in a row: every authenticator of the kind that was guessed at is disabled until it is bound anew. */
static enum keer_err disable(struct db *db, struct ending *e)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    const struct id *account = &e->r->challenge->account;
    enum keer_err err = authenticators_list(db, account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        bool meant =
            e->r->by == AUTHENTICATOR_TOTP ? rows[i].kind == AUTHENTICATOR_TOTP : id_eq(&rows[i].id, &e->r->authenticator);
        if (!meant || rows[i].state != AUTHENTICATOR_ACTIVE)
            continue;
        err = authenticator_move(db, account, &rows[i].id, ACTIVE, AUTHENTICATOR_DISABLED, e->now_us);
        e->disabled = true;
        if (err == KEER_OK)
            err = tell(db, e, NOTICE_AUTHENTICATOR_BLOCKED, slice_str(rows[i].name[0] ? rows[i].name : "recovery codes"));
    }
    return err;
}

static enum keer_err end_wrong(struct db *db, struct ending *e)
{
    const struct attempt *a = &e->r->begun->attempt;
    bool used_up = false;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; i < a->used; i++)
        used_up = used_up ||
                  (a->counted[i].limit == ATTEMPT_CHALLENGE && a->counted[i].count >= attempt_row(ATTEMPT_CHALLENGE)->max);
    if (e->r->begun->last)
        err = disable(db, e);
    if (err == KEER_OK && used_up) {
        err = challenge_used_up(db, &e->r->challenge->id, e->now_us);
        err = err == KEER_EMISSING ? KEER_OK : err;
        if (err == KEER_OK && e->r->challenge->kind == CHALLENGE_SIGN_IN) /* who came so far has the password */
            err = tell(db, e, NOTICE_SIGN_IN_REFUSED, visitor_what(e->v));
    }
    e->ret->outcome = used_up ? STEP_OVER : STEP_WRONG;
    return err;
}

static enum keer_err end_right(struct db *db, const struct ending *e)
{
    const struct challenge *c = e->r->challenge;
    struct challenge_answer a = {.id = c->id,
                                 .account = c->account,
                                 .holder = c->holder,
                                 .kind = c->kind,
                                 .shown_hash = &c->shown_hash,
                                 .by = AUTHENTICATOR_BIT(e->r->by),
                                 .with = e->r->authenticator,
                                 .amr = e->r->amr};
    enum keer_err err = attempt_ok(db, &e->r->begun->attempt);
    if (err == KEER_OK)
        err = authenticator_used(db, &c->account, &e->r->authenticator, e->now_us);
    if (err == KEER_OK && e->r->by == AUTHENTICATOR_RECOVERY_CODE) {
        char left[12];
        (void)snprintf(left, sizeof left, "%u", e->r->codes_left);
        err = tell(db, e, NOTICE_RECOVERY_CODE_USED, slice_str(left));
    }
    if (err == KEER_OK && e->denied) {
        e->ret->outcome = STEP_DENIED;
        err = challenge_refuse(db, &c->id, SLICE("denied"), e->now_us);
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err == KEER_OK)
        err = challenge_done(db, &a, e->now_us);
    /* A sign-in that a prompt approves is finished by the browser that holds it, when it asks: the token is for it alone. */
    if (err == KEER_OK && c->kind == CHALLENGE_SIGN_IN && !c->client[0] && e->r->by != AUTHENTICATOR_DEVICE)
        err = step_claim(db, e->s, c, &e->r->authenticator, e->r->amr, e->now_us, &e->ret->token);
    e->ret->outcome = STEP_DONE;
    return err;
}

static enum keer_err end_in_db(struct db *db, void *ctx)
{
    struct ending *e = ctx;
    e->disabled = false;
    enum keer_err err = e->r->right ? end_right(db, e) : end_wrong(db, e);
    if (err == KEER_OK)
        err = challenge_get(db, &e->r->challenge->id, e->now_us, &e->ret->challenge);
    return err;
}

/* What events call an account: a store's own name of it, where it has one. */
struct naming {
    const struct id *account;
    struct identifier names[IDENTIFIERS_MAX];
    unsigned count;
};

static enum keer_err read_names(struct db *db, void *ctx)
{
    struct naming *n = ctx;
    return identifier_list(db, n->account, n->names, &n->count);
}

static enum keer_err decide(struct desk_worker *w, struct desk_event *event, const struct id *account, bool *ret_denied)
{
    struct desk_decision d = {0};
    struct naming n = {.account = account};
    enum keer_err err = desk_read(w, read_names, &n);
    for (unsigned i = 0; err == KEER_OK && i < n.count; i++)
        if (n.names[i].kind == IDENTIFIER_SUBJECT)
            event->account = slice_str(n.names[i].text);
    if (err == KEER_OK)
        err = desk_decide(w, event, &d);
    *ret_denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

enum keer_err step_event(struct desk_worker *w, const struct visitor *v, const struct challenge *c,
                         enum authenticator_kind by, bool right, bool *ret_denied)
{
    struct desk_event event = visitor_event(v, &c->account, "second_step");
    event.outcome = right ? SLICE("success") : SLICE("failure");
    event.step_up = slice_str(methods[by]);
    event.has_second_step = true;
    return decide(w, &event, &c->account, ret_denied);
}

/* It is disabled whatever is decided. */
static void tell_disabled(struct desk_worker *w, const struct visitor *v, const struct id *account)
{
    struct desk_event event = visitor_event(v, account, "authenticator_disabled");
    bool denied;
    enum keer_err err = decide(w, &event, account, &denied);
    if (err != KEER_OK)
        log_put(desk_log(w), LOG_WARNING, "the event of an authenticator that was disabled was not taken: %s",
                keer_err_text(err));
}

enum keer_err step_end(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct step_result *r,
                       struct step *ret)
{
    struct ending e = {.s = s, .v = v, .r = r, .now_us = desk_wall_us(w), .ret = ret};
    *ret = (struct step){.challenge = *r->challenge, .left = r->codes_left};
    enum keer_err err = step_event(w, v, r->challenge, r->by, r->right, &e.denied);
    if (err == KEER_OK)
        err = desk_write(w, end_in_db, &e);
    if (err == KEER_OK && e.disabled)
        tell_disabled(w, v, &r->challenge->account);
    if (err == KEER_EMISSING) { /* it ended meanwhile, or its session did: what was right is worth nothing */
        ret->outcome = STEP_OVER;
        err = KEER_OK;
    }
    if (err != KEER_OK || ret->outcome != STEP_DONE)
        crypto_wipe(&ret->token, sizeof ret->token);
    return err;
}

/* --- codes --- */

struct taking {
    const struct steps *s;
    const struct challenge *c;
    struct slice code;
    int64_t now_us;
    bool found, right;
    struct id authenticator; /* that is counted, and that was right */
    unsigned left;
};

/* The newest active one of a kind: what wrong answers in a row are counted for. */
static enum keer_err find_newest(struct db *db, struct taking *t, enum authenticator_kind kind)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = authenticators_list(db, &t->c->account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (rows[i].kind == kind && rows[i].state == AUTHENTICATOR_ACTIVE) {
            t->authenticator = rows[i].id;
            t->found = true;
        }
    return err;
}
static enum keer_err find_totp(struct db *db, void *ctx) { return find_newest(db, ctx, AUTHENTICATOR_TOTP); }
static enum keer_err find_codes(struct db *db, void *ctx) { return find_newest(db, ctx, AUTHENTICATOR_RECOVERY_CODE); }

static enum keer_err take_totp(struct db *db, void *ctx)
{
    struct taking *t = ctx;
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = authenticators_list(db, &t->c->account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && !t->right && i < n; i++) {
        if (rows[i].kind != AUTHENTICATOR_TOTP || rows[i].state != AUTHENTICATOR_ACTIVE)
            continue;
        err = totp_take(db, &t->s->accounts->key, &t->c->account, &rows[i].id, ACTIVE, t->code, t->now_us, &t->right);
        if (t->right)
            t->authenticator = rows[i].id;
    }
    return err == KEER_OK && t->right ? step_right(db, &t->c->id, t->now_us) : err;
}

static enum keer_err take_code(struct db *db, void *ctx)
{
    struct taking *t = ctx;
    enum keer_err err = code_take(db, &t->c->account, t->code, t->now_us, &t->right, &t->left);
    return err == KEER_OK && t->right ? step_right(db, &t->c->id, t->now_us) : err;
}

/* What TOTP and recovery codes have in common. */
static enum keer_err answer_code(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                 const struct id *challenge, struct slice code, enum authenticator_kind kind,
                                 struct step *ret)
{
    struct challenge c;
    struct attempt_begun begun;
    bool totp = kind == AUTHENTICATOR_TOTP;
    struct taking t = {.s = s, .c = &c, .code = code, .now_us = desk_wall_us(w)};
    *ret = (struct step){.outcome = STEP_OVER};
    enum keer_err err = step_open(s, w, v, challenge, &c);
    if (err == KEER_OK)
        err = desk_read(w, totp ? find_totp : find_codes, &t);
    if (err == KEER_EMISSING || (err == KEER_OK && !t.found))
        return KEER_OK;
    if (err == KEER_OK)
        err = step_begin(s, w, v, &c, ATTEMPT_USE_CODE, &t.authenticator, &begun, ret);
    if (err != KEER_OK || ret->outcome != STEP_DONE)
        return err;
    err = desk_write(w, totp ? take_totp : take_code, &t);
    if (err != KEER_OK)
        return err;
    struct step_result r = {.challenge = &c,
                            .begun = &begun,
                            .by = kind,
                            .authenticator = t.authenticator,
                            .amr = CHALLENGE_AMR_OTP,
                            .right = t.right,
                            .codes_left = t.left};
    return step_end(s, w, v, &r, ret);
}

enum keer_err step_totp(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                        struct slice code, struct step *ret)
{
    return answer_code(s, w, v, challenge, code, AUTHENTICATOR_TOTP, ret);
}

enum keer_err step_recovery_code(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                 const struct id *challenge, struct slice code, struct step *ret)
{
    return answer_code(s, w, v, challenge, code, AUTHENTICATOR_RECOVERY_CODE, ret);
}

/* --- a sign-in that was approved --- */

/* Uses the done challenge for its session: once, so that one browser gets one token. */
enum keer_err step_claim(struct db *db, const struct steps *s, const struct challenge *c, const struct id *with,
                         unsigned amr, int64_t now_us, struct bearer *ret_token)
{
    struct challenge used;
    enum keer_err err = challenge_use(
        db,
        &(struct challenge_want){
            .id = c->id, .account = c->account, .holder = c->holder, .kind = c->kind, .shown_hash = &c->shown_hash},
        now_us, &used);
    return err == KEER_OK ? sign_in_finish(db, s->accounts, &c->holder, with, amr, now_us, ret_token) : err;
}

struct claiming {
    const struct steps *s;
    const struct challenge *c;
    int64_t now_us;
    struct bearer *token;
};

static enum keer_err claim(struct db *db, void *ctx)
{
    struct claiming *k = ctx;
    return step_claim(db, k->s, k->c, &k->c->done_with, k->c->done_amr, k->now_us, k->token);
}

enum keer_err step_finish(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct challenge *c,
                          struct bearer *ret_token)
{
    struct claiming k = {s, c, desk_wall_us(w), ret_token};
    if (c->state != CHALLENGE_DONE || c->kind != CHALLENGE_SIGN_IN || c->client[0] || c->used_us || !id_is(&v->session) ||
        !id_eq(&c->holder, &v->session))
        return KEER_EMISSING;
    return desk_write(w, claim, &k);
}

/* --- cancelling --- */

static enum keer_err cancel(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    enum keer_err err = challenge_refuse(db, l->id, SLICE("cancelled"), l->now_us);
    if (err == KEER_OK)
        err = prompt_drop(db, l->id, l->now_us);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = challenge_get(db, l->id, l->now_us, &l->view->challenge);
    return err;
}

enum keer_err step_cancel(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                          struct step *ret)
{
    struct step_view view = {.prompt = PROMPT_STATE_MAX};
    struct looking l = {.s = s, .v = v, .id = challenge, .now_us = desk_wall_us(w), .view = &view};
    *ret = (struct step){.outcome = STEP_OVER};
    enum keer_err err = step_look(s, w, v, challenge, &view);
    if (err == KEER_OK)
        err = desk_write(w, cancel, &l);
    if (err == KEER_OK)
        ret->challenge = view.challenge;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* --- what was shown --- */

struct showing {
    const struct visitor *v;
    const struct id *id;
    int64_t now_us;
    const char *method;
};

static enum keer_err read_method(struct db *db, void *ctx)
{
    struct showing *k = ctx;
    struct challenge c;
    enum keer_err err = challenge_get(db, k->id, k->now_us, &c);
    if (err == KEER_OK && c.state == CHALLENGE_DONE && !c.used_us && holds(k->v, &c))
        for (int i = 0; i < AUTHENTICATOR_KIND_MAX; i++)
            if (c.done_by & AUTHENTICATOR_BIT(i))
                k->method = methods[i];
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err step_method(struct desk_worker *w, const struct visitor *v, const struct id *challenge, const char **ret)
{
    struct showing k = {v, challenge, desk_wall_us(w), ""};
    enum keer_err err = id_is(challenge) ? desk_read(w, read_method, &k) : KEER_OK;
    if (err == KEER_OK)
        *ret = k.method;
    return err;
}
