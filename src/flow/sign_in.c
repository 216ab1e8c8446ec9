/* sign_in.c - signing in. */
#include "flow/sign_in.h"

#include "account/proof.h"
#include "flow/notifier.h"
#include "stepup/challenge.h"

/* Whoever is nobody: its rows are looked up as those of anybody else, and none is found. */
static const struct id nobody = {"AAAAAAAAAAAAAAAAAAAAAA"};

/* --- the password --- */

struct looking {
    const struct visitor *v;
    const struct identifier *name; /* NULL: it can't be one */
    struct slice typed;
    int64_t now_us;
    /* found */
    struct id account;
    bool known;
    struct password_row password;
    struct attempt_begun begun;
};

static enum keer_err missing_is_fine(enum keer_err err, bool *ret_found)
{
    *ret_found = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Name, password, known device, and the count, in one transaction and the same statements whatever there is. */
static enum keer_err look_up(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    struct device device;
    struct identifier none = {.kind = IDENTIFIER_USER_NAME};
    bool device_known, has_password;
    char subject[CRYPTO_TEXT_BYTES + 8] = "name:", authenticator[CRYPTO_TEXT_BYTES];
    struct crypto_hash hash;
    enum keer_err err = missing_is_fine(identifier_find(db, l->name ? l->name : &none, &l->account), &l->known);
    l->known = l->known && l->name->kind != IDENTIFIER_SUBJECT;
    if (!l->known)
        l->account = nobody;
    if (err == KEER_OK)
        err = missing_is_fine(password_read(db, &l->account, &l->password), &has_password);
    if (err == KEER_OK)
        err = missing_is_fine(device_find(db, &l->account, &l->v->device, &device), &device_known);
    if (err != KEER_OK)
        return err;
    if (!has_password) {
        password_dummy(l->password.phc);
        l->password.changed_us = 0;
    }
    /* Names that nobody has are counted by their hash: what was typed may be a password. */
    crypto_sha256(l->name ? slice_str(l->name->text) : l->typed, &hash);
    crypto_text(&hash, subject + 5);
    crypto_sha256(id_slice(&l->account), &hash); /* of this account: what another one has stored is nothing to it */
    crypto_sha256_add(&hash, slice_str(l->password.phc));
    crypto_text(&hash, authenticator);
    struct attempt_subject s = {.account = l->known ? id_slice(&l->account) : slice_str(subject),
                                .device = device_known && !device.revoked_us ? id_slice(&device.id) : SLICE(""),
                                .authenticator = l->known ? slice_str(authenticator) : slice_str(subject),
                                .address = slice_str(l->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_PASSWORD, &s, l->now_us, &l->begun);
}

/* A failure is an event too, of the account when there is one. Its decision changes nothing: windows see it. */
static enum keer_err tell_failure(struct desk_worker *w, const struct visitor *v, const struct looking *l)
{
    struct desk_event e = visitor_event(v, &l->account, "sign_in");
    struct desk_decision d = {0};
    if (!l->known)
        e.account = SLICE("");
    e.session = SLICE("");
    e.outcome = SLICE("failure");
    enum keer_err err = desk_decide(w, &e, &d);
    buf_release(&d.answer);
    return err;
}

enum keer_err sign_in_password(const struct accounts *a, struct desk_worker *w, struct visitor *v, struct slice name,
                               struct slice password, struct sign_in *ret)
{
    struct identifier canonical;
    struct identifier_why why;
    enum password_verdict verdict = PASSWORD_WRONG;
    char fresh[PASSWORD_PHC_BYTES] = "";
    struct looking l = {.v = v, .typed = name, .now_us = desk_wall_us(w)};
    *ret = (struct sign_in){.next = SIGN_IN_WRONG};
    if (!password_worker_place(a->passwords)) {
        ret->next = SIGN_IN_FULL;
        return KEER_OK;
    }
    if (identifier_guess(name, &canonical, &why) == KEER_OK)
        l.name = &canonical;
    enum keer_err err = desk_write(w, look_up, &l);
    if (err != KEER_OK || l.begun.verdict != ATTEMPT_MAY) {
        password_worker_give_back(a->passwords);
        ret->next = SIGN_IN_LATER;
        ret->retry_us = l.begun.verdict == ATTEMPT_LATER ? l.begun.retry_us : 0;
        return err;
    }
    if (password.len > PASSWORD_BYTES_MAX) /* nobody's: hashed all the same, as far as one can be */
        password.len = PASSWORD_BYTES_MAX + 1;
    err = password_worker_verify(a->passwords, password, &l.account, l.password.phc, &verdict, fresh);
    if (err != KEER_OK)
        return err;
    if (!l.known || verdict == PASSWORD_WRONG)
        return tell_failure(w, v, &l);
    struct sign_in_proof p = {.account = l.account,
                              .amr = "pwd",
                              .acr = SESSION_ACR_1,
                              .attempt = l.begun.attempt,
                              .fresh = verdict == PASSWORD_RIGHT_OLD ? fresh : NULL,
                              .stored = l.password.phc};
    err = sign_in_proved(a, w, v, &p, ret);
    crypto_wipe(fresh, sizeof fresh);
    return err;
}

/* --- after it --- */

struct deciding {
    const struct id *account;
    const struct visitor *v;
    /* found */
    struct account row;
    unsigned methods, contacts;
    struct contact contact[CONTACTS_MAX];
    bool trusted, bound; /* bound: it has authenticators, also when none of them can be used */
    struct id device;    /* that the account knows; none */
};

static enum keer_err read_account(struct db *db, void *ctx)
{
    struct deciding *d = ctx;
    struct device device = {0};
    bool known = false;
    enum keer_err err = account_read(db, d->account, &d->row);
    if (err == KEER_OK)
        err = authenticators_methods(db, d->account, &d->methods);
    if (err == KEER_OK)
        err = authenticators_bound(db, d->account, &d->bound);
    if (err == KEER_OK)
        err = contact_list(db, d->account, d->contact, &d->contacts);
    if (err == KEER_OK)
        err = missing_is_fine(device_find(db, d->account, &d->v->device, &device), &known);
    d->trusted = known && device.trusted_us > 0 && !device.revoked_us;
    if (known && !device.revoked_us)
        d->device = device.id;
    return err;
}

struct beginning {
    const struct accounts *a;
    struct visitor *v;
    const struct sign_in_proof *p;
    const struct deciding *d;
    const struct id *event; /* of the sign-in: who says later that it was not him reports it as fraud */
    int64_t now_us;
    struct sign_in *ret;
};

static enum keer_err accept(struct db *db, const struct beginning *b)
{
    enum keer_err err = b->p->attempt.used ? attempt_ok(db, &b->p->attempt) : KEER_OK;
    if (err == KEER_OK && b->p->fresh) {
        err = password_renew(db, &b->p->account, b->p->stored, b->p->fresh);
        if (err == KEER_EMISSING) /* it was changed meanwhile */
            err = KEER_OK;
    }
    if (err == KEER_OK && id_is(&b->v->session)) {
        err = session_end(db, &b->v->now.account, &b->v->session, b->now_us);
        if (err == KEER_EMISSING)
            err = KEER_OK;
    }
    return err;
}

/* The device becomes known; a revoked browser gets another token. */
static enum keer_err see_device(struct db *db, struct visitor *v, const struct id *account, int64_t now_us,
                                struct device *ret, bool *ret_new)
{
    enum keer_err err = device_see(db, account, &v->device, slice_str(v->family), now_us, ret, ret_new);
    if (err == KEER_EMISSING) {
        visitor_new_device(v);
        err = device_see(db, account, &v->device, slice_str(v->family), now_us, ret, ret_new);
    }
    return err;
}

static enum keer_err tell_new_device(struct db *db, const struct accounts *a, const struct id *account,
                                     const struct id *session, struct slice family, struct slice ip, int64_t now_us)
{
    unsigned count;
    struct notice_new n = {
        .account = *account, .kind = NOTICE_SIGN_IN_NEW_DEVICE, .about = *session, .what = family, .where = ip};
    return notice_add(db, &a->key, &n, now_us, &count);
}

static struct session_new new_session(const struct beginning *b, enum session_rights rights)
{
    return (struct session_new){.account = b->p->account,
                                .rights = rights,
                                .acr = b->p->acr,
                                .amr = b->p->amr,
                                .device_hash = b->v->device,
                                .ip = slice_str(b->v->ip),
                                .family = slice_str(b->v->family),
                                .step_us = b->p->acr == SESSION_ACR_2 ? b->now_us : 0,
                                .authenticator = b->p->authenticator};
}

static enum keer_err begin_full(struct db *db, void *ctx)
{
    struct beginning *b = ctx;
    struct device device;
    bool fresh = false;
    enum keer_err err = accept(db, b);
    if (err == KEER_OK)
        err = see_device(db, b->v, &b->p->account, b->now_us, &device, &fresh);
    if (err != KEER_OK)
        return err;
    struct session_new n = new_session(b, b->ret->rights);
    n.device = device.id;
    err = session_begin(db, &n, b->now_us, &b->ret->session, &b->ret->token);
    if (err == KEER_OK && fresh)
        err = tell_new_device(db, b->a, &b->p->account, &b->ret->session, n.family, n.ip, b->now_us);
    return err;
}

static enum keer_err begin_step(struct db *db, void *ctx)
{
    struct beginning *b = ctx;
    struct challenge c = {.account = b->p->account, .kind = CHALLENGE_SIGN_IN};
    char detail[SESSION_IP_BYTES + DEVICE_FAMILY_BYTES + 8];
    bool fresh;
    enum keer_err err = accept(db, b);
    if (err != KEER_OK)
        return err;
    struct session_new n = new_session(b, SESSION_PENDING);
    err = session_begin(db, &n, b->now_us, &b->ret->session, &b->ret->token);
    if (err != KEER_OK)
        return err;
    (void)snprintf(detail, sizeof detail, "%s (%s)", b->v->family, b->v->ip);
    struct challenge_data data = {.kind = CHALLENGE_SIGN_IN,
                                  .currency = CUR_MAX,
                                  .detail = slice_str(detail),
                                  .store = slice_str(b->a->words.service)};
    c.holder = b->ret->session;
    c.device = b->d->device;
    memcpy(c.event, b->event->text, sizeof b->event->text);
    err = challenge_open(db, &data, b->now_us, &c, &fresh);
    if (err == KEER_OK)
        b->ret->challenge = c.id;
    return err;
}

static enum keer_err begin_code(struct db *db, void *ctx)
{
    struct beginning *b = ctx;
    unsigned count;
    struct proof_new proof = {.account = b->p->account, .purpose = PROOF_SIGN_IN};
    for (unsigned i = b->d->contacts; i-- > 0;)
        if (b->d->contact[i].verified_us) /* the oldest: who came in lately added the newest */
            proof.address = b->d->contact[i].address;
    enum keer_err err = accept(db, b);
    if (err != KEER_OK)
        return err;
    struct attempt_subject s = {
        .account = id_slice(&b->p->account), .device = id_slice(&b->d->device), .address = slice_str(b->v->ip)};
    struct attempt_begun begun = {0};
    err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &s, b->now_us, &begun);
    if (err != KEER_OK || begun.verdict != ATTEMPT_MAY) {
        b->ret->next = SIGN_IN_LATER;
        b->ret->retry_us = begun.retry_us;
        return err;
    }
    struct session_new n = new_session(b, SESSION_PENDING);
    err = session_begin(db, &n, b->now_us, &b->ret->session, &b->ret->token);
    if (err == KEER_OK)
        err = proof_ask(db, &proof, b->now_us, &b->ret->flow);
    if (err != KEER_OK)
        return err;
    struct notice_new notice = {.account = b->p->account,
                                .kind = NOTICE_SIGN_IN_CODE,
                                .about = b->ret->session,
                                .proof = b->ret->flow,
                                .to = &proof.address,
                                .what = n.family,
                                .where = n.ip};
    return notice_add(db, &b->a->key, &notice, b->now_us, &count);
}

static enum keer_err tell_refused(struct db *db, void *ctx)
{
    struct beginning *b = ctx;
    unsigned count;
    struct notice_new n = {.account = b->p->account,
                           .kind = NOTICE_SIGN_IN_REFUSED,
                           .what = slice_str(b->v->family),
                           .where = slice_str(b->v->ip)};
    return notice_add(db, &b->a->key, &n, b->now_us, &count);
}

static bool has_verified(const struct deciding *d)
{
    for (unsigned i = 0; i < d->contacts; i++)
        if (d->contact[i].verified_us)
            return true;
    return false;
}

static enum sign_in_next what_follows(const struct deciding *d, const struct sign_in_proof *p, enum keer_outcome outcome,
                                      bool review)
{
    bool asked = outcome != KEER_ALLOW || review;
    if (outcome == KEER_DENY)
        return SIGN_IN_DENIED;
    if (p->acr == SESSION_ACR_2)
        return SIGN_IN_DONE;
    if (d->methods && (asked || !d->trusted))
        return SIGN_IN_STEP;
    if (!asked && (d->methods || !d->bound))
        return SIGN_IN_DONE;
    if (p->by_store && !d->bound)
        return SIGN_IN_DONE; /* RESTRICTED */
    return has_verified(d) ? SIGN_IN_CODE : SIGN_IN_DENIED;
}

static enum session_rights what_rights(enum sign_in_next next, const struct sign_in_proof *p, enum keer_outcome outcome,
                                       bool review)
{
    if (next != SIGN_IN_DONE)
        return SESSION_PENDING;
    return p->by_store && p->acr == SESSION_ACR_1 && (outcome != KEER_ALLOW || review) ? SESSION_RESTRICTED : SESSION_FULL;
}

enum keer_err sign_in_proved(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                             const struct sign_in_proof *p, struct sign_in *ret)
{
    struct deciding d = {.account = &p->account, .v = v};
    struct desk_decision decision = {0};
    *ret = (struct sign_in){.next = SIGN_IN_DENIED, .account = p->account};
    enum keer_err err = desk_read(w, read_account, &d);
    if (err != KEER_OK)
        return err;
    struct desk_event e = visitor_event(v, &p->account, "sign_in");
    struct id event;
    id_make(&event);
    e.id = id_slice(&event);
    e.session = SLICE("");
    e.outcome = SLICE("success");
    e.step_up = slice_str(p->step_up);
    e.more = p->more;
    e.has_second_step = d.bound;
    err = desk_decide(w, &e, &decision);
    enum keer_outcome outcome = decision.outcome;
    bool review = decision.review;
    buf_release(&decision.answer);
    if (err != KEER_OK)
        return err;
    struct beginning b = {.a = a, .v = v, .p = p, .d = &d, .event = &event, .now_us = desk_wall_us(w), .ret = ret};
    ret->frozen = d.row.state != ACCOUNT_ACTIVE;
    ret->next = ret->frozen ? SIGN_IN_DENIED : what_follows(&d, p, outcome, review);
    ret->methods = d.methods;
    ret->rights = what_rights(ret->next, p, outcome, review);
    switch (ret->next) {
    case SIGN_IN_DONE: err = desk_write(w, begin_full, &b); break;
    case SIGN_IN_STEP: err = desk_write(w, begin_step, &b); break;
    case SIGN_IN_CODE: err = desk_write(w, begin_code, &b); break;
    case SIGN_IN_DENIED: err = ret->frozen ? KEER_OK : desk_write(w, tell_refused, &b); break;
    case SIGN_IN_WRONG:
    case SIGN_IN_LATER:
    case SIGN_IN_FULL: break;
    }
    notifier_wake(a->notifier);
    if (err == KEER_OK && ret->next == SIGN_IN_CODE) {
        struct buf sent;
        buf_init(&sent, SIGN_IN_SENT_BYTES - 1);
        for (unsigned i = d.contacts; i-- > 0;)
            if (d.contact[i].verified_us) {
                buf_clear(&sent);
                identifier_mask(&d.contact[i].address, &sent);
            }
        if (sent.err == KEER_OK && sent.len)
            memcpy(ret->sent_to, sent.p, sent.len + 1);
        buf_release(&sent);
    }
    return err;
}

/* --- a code instead of a step --- */

struct coding {
    const struct accounts *a;
    struct visitor *v;
    const struct id *flow;
    struct slice code;
    int64_t now_us;
    struct attempt_begun begun;
    enum proof_verdict verdict;
    struct sign_in *ret;
};

static enum keer_err count_code(struct db *db, void *ctx)
{
    struct coding *c = ctx;
    struct attempt_subject s = {
        .account = id_slice(&c->v->now.account), .challenge = id_slice(c->flow), .address = slice_str(c->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CONTACT, &s, c->now_us, &c->begun);
}

static enum keer_err take_code(struct db *db, void *ctx)
{
    struct coding *c = ctx;
    struct proof proof;
    struct session now;
    struct device device;
    bool fresh;
    enum keer_err err = session_read(db, &c->v->session, c->now_us, &now);
    if (err == KEER_OK)
        err = proof_check(db, &c->a->key, c->flow, PROOF_SIGN_IN, c->code, c->now_us, &proof, &c->verdict);
    if (err == KEER_OK && c->verdict == PROOF_RIGHT &&
        (!id_eq(&proof.account, &now.account) || now.rights != SESSION_PENDING))
        c->verdict = PROOF_OVER;
    if (err != KEER_OK || c->verdict != PROOF_RIGHT)
        return err;
    err = attempt_ok(db, &c->begun.attempt);
    if (err == KEER_OK)
        err = see_device(db, c->v, &now.account, c->now_us, &device, &fresh);
    if (err != KEER_OK)
        return err;
    struct session_raise r = {.rights = SESSION_RESTRICTED, .acr = SESSION_ACR_1, .amr = "", .device = device.id};
    err = session_raise(db, &c->v->session, &r, c->now_us, &c->ret->token);
    if (err == KEER_OK && fresh)
        err = tell_new_device(db, c->a, &now.account, &now.id, slice_str(c->v->family), slice_str(c->v->ip), c->now_us);
    if (err == KEER_OK)
        *c->ret = (struct sign_in){.next = SIGN_IN_DONE,
                                   .account = now.account,
                                   .session = now.id,
                                   .token = c->ret->token,
                                   .rights = SESSION_RESTRICTED};
    return err;
}

enum keer_err sign_in_code(const struct accounts *a, struct desk_worker *w, struct visitor *v, const struct id *flow,
                           struct slice code, struct sign_in *ret)
{
    struct coding c = {.a = a, .v = v, .flow = flow, .code = code, .now_us = desk_wall_us(w), .ret = ret};
    *ret = (struct sign_in){.next = SIGN_IN_WRONG};
    if (!id_is(&v->session) || v->now.rights != SESSION_PENDING)
        return KEER_OK;
    enum keer_err err = desk_write(w, count_code, &c);
    if (err == KEER_OK && c.begun.verdict == ATTEMPT_LATER) {
        ret->next = SIGN_IN_LATER;
        ret->retry_us = c.begun.retry_us;
    }
    if (err != KEER_OK || c.begun.verdict != ATTEMPT_MAY)
        return err;
    err = desk_write(w, take_code, &c);
    notifier_wake(a->notifier);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* --- after a step --- */

/* The bits of an answer as the words of RFC 8176 that a session keeps. */
static void amr_text(unsigned amr, char ret_text[SESSION_AMR_BYTES + 1])
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{CHALLENGE_AMR_PWD, "pwd"}, {CHALLENGE_AMR_OTP, "otp"},   {CHALLENGE_AMR_HWK, "hwk"},
                 {CHALLENGE_AMR_SWK, "swk"}, {CHALLENGE_AMR_USER, "user"}, {CHALLENGE_AMR_POP, "pop"},
                 {CHALLENGE_AMR_MCA, "mca"}, {CHALLENGE_AMR_MFA, "mfa"}};
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (amr & names[i].bit)
            len += (size_t)snprintf(ret_text + len, SESSION_AMR_BYTES + 1 - len, "%s%s", len ? " " : "", names[i].name);
}

enum keer_err sign_in_finish(struct db *db, const struct accounts *a, const struct id *session, const struct id *with,
                             unsigned amr, int64_t now_us, struct bearer *ret_token)
{
    struct session now;
    struct device device;
    bool fresh = false;
    char words[SESSION_AMR_BYTES + 1];
    enum keer_err err = session_read(db, session, now_us, &now);
    if (err == KEER_OK && now.rights != SESSION_PENDING)
        err = KEER_EMISSING;
    if (err == KEER_OK) /* KEER_EMISSING: revoked meanwhile */
        err = device_see(db, &now.account, &now.device_hash, slice_str(now.family), now_us, &device, &fresh);
    if (err != KEER_OK)
        return err;
    amr_text(amr | CHALLENGE_AMR_MFA, words);
    struct session_raise r = {.rights = SESSION_FULL,
                              .acr = SESSION_ACR_2,
                              .amr = words,
                              .second_step = true,
                              .device = device.id,
                              .authenticator = *with};
    err = session_raise(db, session, &r, now_us, ret_token);
    if (err == KEER_OK && fresh)
        err = tell_new_device(db, a, &now.account, session, slice_str(now.family), slice_str(now.ip), now_us);
    return err;
}
