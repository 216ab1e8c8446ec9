/* agreements.c - use cases of linked wallets: who may have what done, in straight lines at the desk. */
#include "base/timefmt.h"
#include "flow/agreements_inside.h"
#include "flow/notifier.h"

#define STORE_WHY "by the store"
#define PERSON_WHY "by the person"

static const char *why_of(const struct agreements_who *who) { return who->v ? PERSON_WHY : STORE_WHY; }

/* --- what they share --- */

enum keer_err agreements_account_name(struct db *db, const struct id *account, struct agreements_name *ret)
{
    struct identifier names[IDENTIFIERS_MAX];
    unsigned n = 0;
    enum keer_err err = identifier_list(db, account, names, &n);
    (void)snprintf(ret->text, sizeof ret->text, "%s", account->text);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (names[i].kind == IDENTIFIER_SUBJECT)
            (void)snprintf(ret->text, sizeof ret->text, "%s", names[i].text);
    return err;
}

static bool may_see(const struct agreements_who *who, const struct agreement *a)
{
    if (who->v)
        return id_eq(&who->v->now.account, &a->account);
    return !who->client.len || slice_eq(who->client, slice_str(a->client));
}

enum keer_err agreements_find(struct db *db, void *ctx)
{
    struct agreements_case *c = ctx;
    enum keer_err err = agreement_get(db, agreements_key(c->g), c->id, &c->a);
    if (err == KEER_OK && !may_see(c->who, &c->a))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = agreements_account_name(db, &c->a.account, &c->name);
    if (err == KEER_OK)
        err = guard_hold(db, &c->a.account, c->now_us, &c->hold);
    if (err != KEER_OK)
        agreement_wipe(&c->a);
    return err;
}

enum keer_err agreements_decide(const struct agreements_case *c, struct desk_worker *w, const char *type,
                                struct slice step_up, enum keer_outcome *ret)
{
    struct desk_event e = {.type = slice_str(type)};
    struct desk_decision d = {0};
    if (c->who->v)
        e = visitor_event(c->who->v, &c->a.account, type);
    e.account = slice_str(c->name.text);
    e.agreement = id_slice(&c->a.id);
    e.wallet = slice_str(c->a.wallet);
    e.step_up = step_up;
    enum keer_err err = desk_decide(w, &e, &d);
    *ret = d.outcome;
    buf_release(&d.answer);
    return err;
}

static struct agreements_case case_of(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                                      const struct id *id)
{
    return (struct agreements_case){.g = g, .who = who, .id = id, .now_us = desk_wall_us(w)};
}

/* What an answer holds of it. */
static void answer_of(struct agreements_case *c, struct agreements_answer *ret)
{
    agreement_wipe(&c->a);
    ret->agreement = c->a;
    ret->hold = c->hold;
}

/* KEER_EMISSING is an outcome. */
static enum keer_err missing(enum keer_err err, enum agreements_outcome outcome, struct agreements_answer *ret)
{
    if (err != KEER_EMISSING)
        return err;
    ret->outcome = outcome;
    return KEER_OK;
}

/* --- linking --- */

struct linking {
    struct agreements_case c; /* first: what it is about */
    const struct agreements_ask *ask;
    const struct agreements *g;
    struct challenge challenge;
    struct id event;
    bool denied;
    struct agreements_answer *ret;
};

static bool put(struct slice text, char *room, size_t size)
{
    if (text.len >= size)
        return false;
    if (text.len)
        memcpy(room, text.p, text.len);
    room[text.len] = '\0';
    return true;
}

/* The account of the ask: a subject that nobody has is none, since it could do no step. */
static enum keer_err find_account(struct db *db, const struct agreements_ask *ask, struct id *ret)
{
    struct identifier name;
    struct identifier_why why;
    struct account account;
    *ret = ask->account;
    enum keer_err err = KEER_OK;
    if (ask->subject.len) {
        err = identifier_canon(IDENTIFIER_SUBJECT, ask->subject, &name, &why);
        if (err == KEER_OK)
            err = identifier_find(db, &name, ret);
    }
    return err == KEER_OK ? account_read(db, ret, &account) : err;
}

static bool fill(const struct agreements_ask *ask, struct agreement *a, struct agreements_answer *ret)
{
    a->caps = ask->caps;
    if (!ask->has_caps || ask->caps.charge_minor < 0 || ask->caps.day_minor < 0 || ask->caps.month_minor < 0 ||
        ask->caps.day_count < 0) {
        struct agreement_caps d;
        if (!agreement_default_caps(ask->currency, &d)) {
            ret->outcome = AGREEMENTS_NO_CAPS;
            return false;
        }
        if (!ask->has_caps)
            a->caps = d;
        a->caps.charge_minor = a->caps.charge_minor < 0 ? d.charge_minor : a->caps.charge_minor;
        a->caps.day_minor = a->caps.day_minor < 0 ? d.day_minor : a->caps.day_minor;
        a->caps.month_minor = a->caps.month_minor < 0 ? d.month_minor : a->caps.month_minor;
        a->caps.day_count = a->caps.day_count < 0 ? d.day_count : a->caps.day_count;
    }
    a->unverified_limit_minor = ask->unverified_limit_minor;
    if (agreement_check(ask->currency, &a->caps, a->unverified_limit_minor) == KEER_OK)
        return true;
    ret->outcome = AGREEMENTS_BAD_CAPS;
    return false;
}

/* The same ask again, as far as a row still says what was asked. */
static bool same_ask(const struct agreements_ask *ask, const struct id *account, const struct agreement *a)
{
    return id_eq(account, &a->account) && slice_eq(ask->wallet, slice_str(a->wallet)) && ask->currency == a->currency &&
           slice_eq(ask->return_url, slice_str(a->return_url));
}

static enum keer_err link_in_db(struct db *db, void *ctx)
{
    struct linking *l = ctx;
    const struct agreements_ask *ask = l->ask;
    struct agreement *a = &l->c.a;
    unsigned methods = 0;
    struct id account;
    *a = (struct agreement){.currency = ask->currency};
    if (!put(ask->client, a->client, sizeof a->client) || !put(ask->reference, a->reference, sizeof a->reference) ||
        !put(ask->wallet, a->wallet, sizeof a->wallet) || !put(ask->return_url, a->return_url, sizeof a->return_url) ||
        !put(ask->device, a->device, sizeof a->device) || !put(ask->ip, a->ip, sizeof a->ip))
        return KEER_ELIMIT;
    enum keer_err err = find_account(db, ask, &account);
    if (err == KEER_EMISSING) {
        /* Nobody signed in by it yet, so that there is nothing to do the step with either. */
        l->ret->outcome = ask->subject.len ? AGREEMENTS_ENROL_FIRST : AGREEMENTS_NO_ACCOUNT;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = agreement_by_reference(db, agreements_key(l->g), ask->client, ask->reference, a);
    if (err == KEER_OK) { /* it is there: how it stands, whatever has become of the account */
        l->ret->outcome = same_ask(ask, &account, a) ? AGREEMENTS_OK : AGREEMENTS_REUSED;
        return agreements_account_name(db, &account, &l->c.name);
    }
    if (err != KEER_EMISSING)
        return err;
    a->account = account;
    err = guard_hold(db, &account, l->c.now_us, &l->c.hold);
    if (err == KEER_OK)
        err = authenticators_methods(db, &account, &methods);
    if (err == KEER_OK)
        err = agreements_account_name(db, &account, &l->c.name);
    if (err != KEER_OK)
        return err;
    if (l->c.hold.held) {
        l->ret->outcome = AGREEMENTS_HELD;
        return KEER_OK;
    }
    if (!methods) {
        l->ret->outcome = AGREEMENTS_ENROL_FIRST;
        return KEER_OK;
    }
    if (!fill(ask, a, l->ret))
        return KEER_OK;
    err = agreement_add(db, agreements_key(l->g), a, l->c.now_us, &l->ret->fresh);
    l->ret->outcome = err == KEER_EFULL    ? AGREEMENTS_FULL
                      : err == KEER_ERANGE ? AGREEMENTS_CEILING /* `fill` has seen to the rest */
                                           : AGREEMENTS_OK;
    return err == KEER_EFULL || err == KEER_ERANGE ? KEER_OK : err;
}

/* The decision counts: what it denies is ended before the person hears of it. What else it says is asked for anyway. */
static enum keer_err decide_link(struct linking *l, struct desk_worker *w)
{
    const struct agreements_ask *ask = l->ask;
    struct desk_decision d = {0};
    id_make(&l->event);
    struct desk_event e = {.id = id_slice(&l->event),
                           .type = SLICE("wallet_linked"),
                           .account = slice_str(l->c.name.text),
                           .device = ask->device,
                           .session = ask->session,
                           .ip = ask->ip,
                           .user_agent = ask->user_agent,
                           .wallet = ask->wallet,
                           .agreement = id_slice(&l->c.a.id)};
    enum keer_err err = desk_decide(w, &e, &d);
    l->denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

static enum keer_err challenge_in_db(struct db *db, void *ctx)
{
    struct linking *l = ctx;
    struct agreement *a = &l->c.a;
    struct challenge *c = &l->challenge;
    struct agreements_shown room;
    struct challenge_data d = agreements_challenge(a, l->ask->store, &room);
    bool fresh;
    if (l->denied) {
        l->ret->outcome = AGREEMENTS_DENIED;
        enum keer_err err = agreements_close(db, agreements_key(l->g), SLICE("denied"), l->c.now_us, a);
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    *c = (struct challenge){.kind = CHALLENGE_LINK, .account = a->account};
    (void)snprintf(c->client, sizeof c->client, "%s", a->client);
    (void)snprintf(c->reference, sizeof c->reference, "link-%s", a->id.text);
    (void)snprintf(c->event, sizeof c->event, "%s", l->event.text);
    (void)snprintf(c->return_url, sizeof c->return_url, "%s", a->return_url);
    enum keer_err err = challenge_open(db, &d, l->c.now_us, c, &fresh);
    if (err == KEER_OK)
        err = agreement_set_challenge(db, &a->id, &c->id);
    if (err == KEER_OK)
        l->ret->challenge = c->id;
    return missing(err, AGREEMENTS_STATE, l->ret); /* not in STEP any more: somebody else was faster */
}

static enum keer_err read_challenge(struct db *db, void *ctx)
{
    struct linking *l = ctx;
    enum keer_err err = challenge_get(db, &l->c.a.challenge, l->c.now_us, &l->challenge);
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err agreements_link(const struct agreements *g, struct desk_worker *w, const struct agreements_ask *ask,
                              struct agreements_answer *ret)
{
    static const struct agreements_who nobody = {.v = NULL};
    struct linking l = {.ask = ask, .g = g, .ret = ret, .challenge = {.state = CHALLENGE_EXPIRED}};
    l.c = case_of(g, w, &nobody, &l.c.a.id);
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_NO_WALLET};
    if (!wallets_find(g->wallets->list, ask->wallet))
        return KEER_OK;
    enum keer_err err = desk_write(w, link_in_db, &l);
    bool waits = err == KEER_OK && ret->outcome == AGREEMENTS_OK && l.c.a.state == AGREEMENT_STEP;
    if (waits && id_is(&l.c.a.challenge))
        err = desk_read(w, read_challenge, &l);
    bool usable = l.challenge.state == CHALLENGE_OPEN || (l.challenge.state == CHALLENGE_DONE && !l.challenge.used_us &&
                                                          l.challenge.done_us > l.c.now_us - CHALLENGE_USE_US);
    if (waits && err == KEER_OK && usable) {
        ret->challenge = l.c.a.challenge;
    } else if (waits && err == KEER_OK) {
        err = decide_link(&l, w);
        if (err == KEER_OK)
            err = desk_write(w, challenge_in_db, &l);
    }
    if (err == KEER_OK)
        answer_of(&l.c, ret);
    agreement_wipe(&l.c.a);
    return err;
}

/* --- the wallet's page --- */

struct signing {
    struct agreements_case *c;
    struct agreements_answer *ret;
};

/* STEP -> SIGNING: the challenge that the agreement names, which was opened for these caps and which nothing changed since,
 * is done, and used here. */
static enum keer_err use_step(struct db *db, void *ctx)
{
    struct signing *s = ctx;
    struct agreements_case *c = s->c;
    struct challenge challenge, used;
    enum keer_err err = agreements_find(db, c); /* as it is in this transaction */
    if (err != KEER_OK || c->a.state != AGREEMENT_STEP)
        return err;
    s->ret->outcome = c->hold.held ? AGREEMENTS_HELD : AGREEMENTS_STEP;
    s->ret->challenge = c->a.challenge;
    if (c->hold.held || !id_is(&c->a.challenge))
        return KEER_OK;
    err = challenge_get(db, &c->a.challenge, c->now_us, &challenge);
    if (err == KEER_OK)
        err = challenge_use(db,
                            &(struct challenge_want){.id = challenge.id,
                                                     .account = c->a.account,
                                                     .holder = challenge.holder,
                                                     .kind = CHALLENGE_LINK,
                                                     .shown_hash = &challenge.shown_hash},
                            c->now_us, &used);
    if (err == KEER_EMISSING) /* open, refused, expired, or done too long ago */
        return KEER_OK;
    if (err == KEER_OK)
        err = agreement_stepped(db, &c->a.id, c->now_us);
    if (err == KEER_OK)
        err = agreement_get(db, agreements_key(c->g), c->id, &c->a);
    if (err == KEER_OK)
        s->ret->outcome = AGREEMENTS_OK;
    return err;
}

/* What a wallet may show of who signs: "liu***". */
static void mask(const char *name, char ret[16])
{
    size_t n = 0;
    while (n < 3 && (unsigned char)name[n] > ' ' && (unsigned char)name[n] < 0x7F)
        n++;
    (void)snprintf(ret, 16, "%.*s***", (int)n, name);
}

static void put_answer(enum wallet_answer answer, struct agreements_answer *ret)
{
    switch (answer) {
    case WALLET_YES: ret->outcome = AGREEMENTS_OK; break;
    case WALLET_NO: ret->outcome = AGREEMENTS_REFUSED; break;
    case WALLET_UNKNOWN:
    case WALLET_NOT_SENT: ret->outcome = AGREEMENTS_UNKNOWN; break;
    }
}

static void ask_page(struct agreements_case *c, struct wallet *wallet, struct agreements_answer *ret)
{
    char notify[NET_URL_BYTES], who[16];
    mask(c->name.text, who);
    (void)flow_wallet_notify(c->g->wallets, wallet, notify);
    struct wallet_sign_ask ask = {.number = c->a.number,
                                  .account = slice_str(who),
                                  .return_url = slice_str(c->a.return_url),
                                  .notify_url = slice_str(notify),
                                  .device = slice_str(c->a.device),
                                  .ip = slice_str(c->a.ip),
                                  .device_days = -1,
                                  .currency = c->a.currency,
                                  .charge_cap_minor = c->a.caps.charge_minor,
                                  .total_cap_minor = c->a.caps.month_minor};
    put_answer(wallet_sign(wallet, &c->g->wallets->calls, &ask, ret->url, &ret->why), ret);
    if (ret->outcome != AGREEMENTS_OK)
        ret->url[0] = '\0';
}

static enum keer_err finish_page(struct agreements_case *c, struct desk_worker *w, struct wallet *wallet,
                                 struct slice auth_code, struct agreements_answer *ret)
{
    struct wallet_agreement got = {.state = WALLET_AGREEMENT_NONE};
    char code[WALLET_REF_BYTES + 1];
    enum agreements_taken taken;
    if (!put(auth_code, code, sizeof code))
        return KEER_ELIMIT;
    put_answer(wallet_sign_finish(wallet, &c->g->wallets->calls, c->a.number, code, &got, &ret->why), ret);
    crypto_wipe(code, sizeof code);
    enum keer_err err = ret->outcome == AGREEMENTS_OK ? agreements_said(c, w, &got, &taken) : KEER_OK;
    crypto_wipe(&got, sizeof got);
    return err;
}

enum keer_err agreements_sign(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                              const struct id *id, struct slice auth_code, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    struct signing s = {&c, ret};
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_read(w, agreements_find, &c);
    struct wallet *wallet = err == KEER_OK ? wallets_find(g->wallets->list, slice_str(c.a.wallet)) : NULL;
    if (err == KEER_OK && c.a.state == AGREEMENT_STEP)
        err = desk_write(w, use_step, &s);
    if (err != KEER_OK || ret->outcome != AGREEMENTS_OK)
        goto out;
    switch (c.a.state) {
    case AGREEMENT_SIGNING:
        if (!wallet)
            ret->outcome = AGREEMENTS_NO_WALLET;
        else if (c.hold.held) /* it froze meanwhile */
            ret->outcome = AGREEMENTS_HELD;
        else if (auth_code.len)
            err = finish_page(&c, w, wallet, auth_code, ret);
        else
            ask_page(&c, wallet, ret);
        break;
    case AGREEMENT_ACTIVE:
    case AGREEMENT_PAUSED: break; /* it is signed */
    case AGREEMENT_STEP:
    case AGREEMENT_ENDING:
    case AGREEMENT_ENDED:
    case AGREEMENT_STATE_MAX: ret->outcome = AGREEMENTS_STATE; break;
    }
out:
    if (err == KEER_OK)
        answer_of(&c, ret);
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

/* --- limits --- */

struct limiting {
    struct agreements_case *c;
    const struct agreement_limits *to;
    struct agreement_limits want;
    bool raises;
    const struct id *challenge;
    char data[GUARD_DATA_BYTES + 1], detail[CHALLENGE_TEXT_BYTES + 1];
    struct agreements_answer *ret;
};

static enum keer_err lower_in_db(struct db *db, void *ctx)
{
    struct limiting *l = ctx;
    enum keer_err err = agreements_find(db, l->c);
    if (err != KEER_OK)
        return err;
    err = agreements_lower(db, l->to, &l->c->a, &l->want, &l->ret->lowered, &l->raises);
    if (err == KEER_ERANGE)
        l->ret->outcome = AGREEMENTS_BAD_CAPS;
    else if (err == KEER_EFULL)
        l->ret->outcome = AGREEMENTS_CEILING;
    else if (err == KEER_EMISSING)
        l->ret->outcome = AGREEMENTS_STATE;
    return err == KEER_ERANGE || err == KEER_EFULL || err == KEER_EMISSING ? KEER_OK : err;
}

/* Another raise of the same agreement that waits makes room: one at a time, the last that was asked for. */
static enum keer_err make_room(struct db *db, const struct limiting *l)
{
    struct guard_row rows[GUARD_PENDING_MAX];
    unsigned n = 0;
    const struct agreements_case *c = l->c;
    enum keer_err err = guard_pending(db, &c->a.account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (rows[i].change == GUARD_WALLET_LIMIT && id_eq(&rows[i].thing, &c->a.id) &&
            strcmp(rows[i].detail, l->detail) != 0)
            err = guard_cancel(db, &c->g->steps->guard, &c->a.account, &rows[i].id, visitor_where(c->who->v), c->now_us);
    return err;
}

static enum keer_err raise_in_db(struct db *db, void *ctx)
{
    struct limiting *l = ctx;
    const struct agreements_case *c = l->c;
    struct guard_request r = {.session = &c->who->v->now,
                              .change = GUARD_WALLET_LIMIT,
                              .thing = c->a.id,
                              .detail = slice_str(l->detail),
                              .data = slice_str(l->data),
                              .challenge = *l->challenge,
                              .where = visitor_where(c->who->v)};
    enum keer_err err = make_room(db, l);
    return err == KEER_OK ? guard_ask(db, &c->g->steps->guard, &r, c->now_us, &l->ret->guard) : err;
}

/* Through the guard, after its event was decided. */
static enum keer_err raise(struct limiting *l, struct desk_worker *w)
{
    struct agreements_case *c = l->c;
    enum keer_outcome outcome;
    const char *method = "";
    if (!c->who->v) {
        l->ret->outcome = AGREEMENTS_PERSON;
        return KEER_OK;
    }
    enum keer_err err = step_method(w, c->who->v, l->challenge, &method);
    if (err == KEER_OK)
        err = agreements_decide(c, w, "wallet_limit_changed", slice_str(method), &outcome);
    if (err != KEER_OK)
        return err;
    if (outcome == KEER_DENY) {
        l->ret->outcome = AGREEMENTS_DENIED;
        return KEER_OK;
    }
    err = desk_write(w, raise_in_db, l);
    l->ret->outcome = AGREEMENTS_GUARD;
    err = missing(err, AGREEMENTS_STATE, l->ret); /* it is not any more what was shown */
    notifier_wake(c->g->steps->accounts->notifier);
    return err == KEER_OK ? desk_read(w, agreements_find, c) : err;
}

enum keer_err agreements_limits(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                                const struct id *id, const struct agreement_limits *to, const struct id *challenge,
                                struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    struct limiting l = {.c = &c, .to = to, .challenge = challenge, .ret = ret};
    enum keer_outcome outcome;
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_write(w, lower_in_db, &l);
    if (err == KEER_OK && ret->outcome == AGREEMENTS_OK && ret->lowered) /* rights that go are not asked for */
        err = agreements_decide(&c, w, "wallet_limit_changed", SLICE(""), &outcome);
    if (err == KEER_OK && ret->outcome == AGREEMENTS_OK && l.raises) {
        agreements_limit_data(&c.a, &l.want, l.data, l.detail);
        err = raise(&l, w);
    }
    if (err == KEER_OK)
        answer_of(&c, ret);
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

/* --- pausing, resuming --- */

static enum keer_err pause_in_db(struct db *db, void *ctx)
{
    struct agreements_case *c = ctx;
    enum keer_err err = agreements_find(db, c);
    if (err != KEER_OK || c->a.state == AGREEMENT_PAUSED)
        return err;
    err = agreement_pause(db, &c->a.id, slice_str(why_of(c->who)), c->now_us);
    if (err == KEER_EMISSING)
        return KEER_OK; /* the state says so */
    return err == KEER_OK ? agreement_get(db, agreements_key(c->g), c->id, &c->a) : err;
}

enum keer_err agreements_pause(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                               const struct id *id, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_write(w, pause_in_db, &c);
    if (err == KEER_OK) {
        if (c.a.state != AGREEMENT_PAUSED)
            ret->outcome = AGREEMENTS_STATE;
        answer_of(&c, ret);
    }
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

enum keer_err agreements_resume(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                                const struct id *id, const struct id *challenge, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    struct limiting l = {.c = &c, .challenge = challenge, .ret = ret};
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_read(w, agreements_find, &c);
    if (err == KEER_OK && c.a.state == AGREEMENT_PAUSED) {
        agreements_resume_data(&c.a, l.data, l.detail);
        err = raise(&l, w);
    } else if (err == KEER_OK && c.a.state != AGREEMENT_ACTIVE) {
        ret->outcome = AGREEMENTS_STATE;
    }
    if (err == KEER_OK)
        answer_of(&c, ret);
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

/* --- ending --- */

struct closing {
    struct agreements_case *c;
    bool done, linked;
};

static enum keer_err close_in_db(struct db *db, void *ctx)
{
    struct closing *k = ctx;
    struct agreements_case *c = k->c;
    enum keer_err err = agreements_find(db, c);
    if (err != KEER_OK)
        return err;
    k->linked = c->a.state == AGREEMENT_ACTIVE || c->a.state == AGREEMENT_PAUSED;
    err = agreements_close(db, agreements_key(c->g), slice_str(why_of(c->who)), c->now_us, &c->a);
    k->done = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err; /* it was ended before */
}

enum keer_err agreements_end(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                             const struct id *id, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    struct closing k = {.c = &c};
    enum keer_outcome outcome;
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_write(w, close_in_db, &k);
    notifier_wake(g->steps->accounts->notifier);
    if (err == KEER_OK && k.done && k.linked) /* it is shut from now on, whatever is decided */
        err = agreements_decide(&c, w, "agreement_closed", SLICE(""), &outcome);
    if (err == KEER_OK && c.a.state == AGREEMENT_ENDING)
        err = agreements_finish(&c, w);
    if (err == KEER_OK)
        answer_of(&c, ret);
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

enum keer_err agreements_end_seen(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                                  const struct id *id, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    static const struct wallet_agreement none = {.state = WALLET_AGREEMENT_STOPPED};
    enum agreements_taken taken;
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_read(w, agreements_find, &c);
    if (err == KEER_OK && (c.a.state != AGREEMENT_ENDING || c.now_us - c.a.state_us < AGREEMENT_STUCK_US))
        ret->outcome = AGREEMENTS_STATE;
    else if (err == KEER_OK)
        err = agreements_said(&c, w, &none, &taken);
    if (err == KEER_OK)
        answer_of(&c, ret);
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}

/* --- looking --- */

enum keer_err agreements_look(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                              const struct id *id, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_read(w, agreements_find, &c);
    if (err == KEER_OK)
        answer_of(&c, ret);
    return missing(err, AGREEMENTS_MISSING, ret);
}

enum keer_err agreements_sync(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                              const struct id *id, struct agreements_answer *ret)
{
    struct agreements_case c = case_of(g, w, who, id);
    enum wallet_answer answer = WALLET_YES;
    *ret = (struct agreements_answer){.outcome = AGREEMENTS_OK};
    enum keer_err err = desk_read(w, agreements_find, &c);
    if (err == KEER_OK && c.a.state == AGREEMENT_ENDING)
        err = agreements_finish(&c, w);
    else if (err == KEER_OK && c.a.state != AGREEMENT_STEP && c.a.state != AGREEMENT_ENDED)
        err = agreements_ask_wallet(&c, w, &answer, &ret->why);
    if (err == KEER_OK) {
        put_answer(answer, ret);
        answer_of(&c, ret);
    }
    agreement_wipe(&c.a);
    return missing(err, AGREEMENTS_MISSING, ret);
}
