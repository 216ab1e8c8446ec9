/* sign_up.c - opening an account. */
#include "flow/sign_up.h"

#include "account/proof.h"
#include "flow/notifier.h"
#include "store/query.h"

#define LOCALE_DEFAULT "en"

struct starting {
    const struct accounts *a;
    const struct visitor *v;
    const struct sign_up_form *form;
    struct identifier address, user;
    struct id account; /* that it will be: the password is bound to it */
    char phc[PASSWORD_PHC_BYTES];
    int64_t now_us;
    struct attempt_begun begun;
    struct sign_up *ret;
};

static bool bad(struct sign_up *ret, const char *member, const char *why)
{
    ret->next = SIGN_UP_BAD_FORM;
    ret->member = member;
    ret->why = why;
    return false;
}

/* What can be judged without looking anything up. False when *ret says why not. */
static bool check_form(struct starting *s)
{
    const struct sign_up_form *f = s->form;
    struct sign_up *ret = s->ret;
    if (!f->email.p == !f->phone.p)
        return bad(ret, "email", "an e-mail address or a phone number is wanted, one of them");
    enum identifier_kind kind = f->email.p ? IDENTIFIER_EMAIL : IDENTIFIER_PHONE;
    if (identifier_canon(kind, f->email.p ? f->email : f->phone, &s->address, &ret->identifier_why) != KEER_OK)
        return bad(ret, identifier_kind_name(kind), ret->identifier_why.text);
    const char *unreached = accounts_unreached(s->a, &s->address);
    if (unreached)
        return bad(ret, identifier_kind_name(kind), unreached);
    if (f->username.p && identifier_canon(IDENTIFIER_USER_NAME, f->username, &s->user, &ret->identifier_why) != KEER_OK)
        return bad(ret, "username", ret->identifier_why.text);
    if (f->name.p && account_name_check(f->name) != KEER_OK)
        return bad(ret, "name", "1 to 200 bytes without control characters are wanted");
    if (f->locale.p && account_locale_check(f->locale) != KEER_OK)
        return bad(ret, "locale", "a language as en, nl or zh-Hans is wanted");
    if (!f->password.p)
        return true;
    struct password_context context;
    password_context_init(&context, s->a, /* second_factor */ false);
    password_context_add(&context, f->name);
    password_context_add(&context, slice_str(s->address.text));
    password_context_add(&context, f->username);
    ret->flaw = password_judge(f->password, &context.rules);
    if (ret->flaw != PASSWORD_FINE)
        ret->next = SIGN_UP_FLAW;
    return ret->flaw == PASSWORD_FINE;
}

static struct attempt_subject subject_of(const struct identifier *address, const struct visitor *v,
                                         char room[CRYPTO_TEXT_BYTES + 8])
{
    struct crypto_hash hash;
    crypto_sha256(slice_str(address->text), &hash);
    memcpy(room, "name:", 5);
    crypto_text(&hash, room + 5);
    return (struct attempt_subject){.account = slice_str(room), .address = slice_str(v->ip)};
}

/* Known or not, the same statements. */
static enum keer_err put(struct db *db, void *ctx)
{
    struct starting *s = ctx;
    struct id known, proof, flow;
    unsigned count;
    char room[CRYPTO_TEXT_BYTES + 8];
    struct attempt_subject subject = subject_of(&s->address, s->v, room);
    enum keer_err err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &subject, s->now_us, &s->begun);
    if (err != KEER_OK || s->begun.verdict != ATTEMPT_MAY)
        return err;
    err = identifier_find(db, &s->address, &known);
    bool taken = err == KEER_OK;
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    struct proof_new n = {.purpose = PROOF_SIGN_UP, .address = s->address, .decoy = taken};
    err = proof_ask(db, &n, s->now_us, &proof);
    if (err != KEER_OK)
        return err;
    id_make(&flow);
    struct slice locale = s->form->locale.p ? s->form->locale : SLICE(LOCALE_DEFAULT);
    err = QUERY_DO(db,
                   "INSERT INTO sign_up (id, proof, kind, value, user_name, name, locale, account, phc, device_hash, "
                   "created_us, ends_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                   Q_ID(&flow), Q_ID(&proof), Q_NUMBER(s->address.kind), Q_STR(s->address.text), Q_STR(s->user.text),
                   Q_TEXT(s->form->name), Q_TEXT(locale), Q_ID(&s->account), Q_STR(s->phc), Q_HASH(&s->v->device),
                   Q_NUMBER(s->now_us), Q_NUMBER(s->now_us + PROOF_VALID_US));
    if (err != KEER_OK)
        return err;
    struct notice_new notice = {.kind = taken ? NOTICE_SIGN_UP_KNOWN : NOTICE_SIGN_UP_CODE,
                                .proof = proof,
                                .to = &s->address,
                                .what = visitor_what(s->v),
                                .where = visitor_where(s->v),
                                .locale = locale};
    s->ret->flow = flow;
    return notice_add(db, &s->a->key, &notice, s->now_us, &count);
}

enum keer_err sign_up_start(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                            const struct sign_up_form *form, struct sign_up *ret)
{
    struct starting s = {.a = a, .v = v, .form = form, .now_us = desk_wall_us(w), .ret = ret};
    enum keer_err err = KEER_OK;
    *ret = (struct sign_up){.next = SIGN_UP_CODE};
    if (!a->notifier) {
        ret->next = SIGN_UP_OFF;
        return KEER_OK;
    }
    if (!check_form(&s))
        return KEER_OK;
    id_make(&s.account);
    if (form->password.p) {
        if (!password_worker_place(a->passwords)) {
            ret->next = SIGN_UP_FULL;
            return KEER_OK;
        }
        err = password_worker_hash(a->passwords, form->password, &s.account, s.phc);
    }
    if (err == KEER_OK)
        err = desk_write(w, put, &s);
    crypto_wipe(s.phc, sizeof s.phc);
    if (err == KEER_OK && s.begun.verdict != ATTEMPT_MAY) {
        ret->next = SIGN_UP_LATER;
        ret->retry_us = s.begun.retry_us;
    }
    if (err == KEER_OK)
        notifier_wake(a->notifier);
    return err;
}

/* --- the code --- */

struct confirming {
    const struct accounts *a;
    struct visitor *v;
    const struct id *flow;
    struct slice code;
    int64_t now_us;
    struct attempt_begun begun;
    enum proof_verdict verdict;
    /* the row */
    struct id proof, account;
    struct identifier address, user;
    char name[ACCOUNT_NAME_BYTES + 1], locale[ACCOUNT_LOCALE_BYTES + 1], phc[PASSWORD_PHC_BYTES];
    struct sign_up *ret;
};

static enum keer_err read_row(struct db *db, struct confirming *c)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "SELECT proof, account, kind, value, user_name, name, locale, phc FROM sign_up WHERE id = $1"
                  " AND device_hash = $2 AND used_us = 0 AND ends_us > $3",
                  Q_ID(c->flow), Q_HASH(&c->v->device), Q_NUMBER(c->now_us));
    if (err != KEER_OK)
        return err;
    int64_t kind = db_i64(s, 2);
    c->address.kind = kind == IDENTIFIER_PHONE ? IDENTIFIER_PHONE : IDENTIFIER_EMAIL;
    c->user.kind = IDENTIFIER_USER_NAME;
    err = query_id(s, 0, &c->proof);
    if (err == KEER_OK)
        err = query_id(s, 1, &c->account);
    struct {
        unsigned column;
        char *room;
        size_t size;
    } const texts[] = {{3, c->address.text, sizeof c->address.text},
                       {4, c->user.text, sizeof c->user.text},
                       {5, c->name, sizeof c->name},
                       {6, c->locale, sizeof c->locale},
                       {7, c->phc, sizeof c->phc}};
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    db_free(s);
    return err;
}

static enum keer_err count_code(struct db *db, void *ctx)
{
    struct confirming *c = ctx;
    struct attempt_subject s = {
        .account = id_slice(c->flow), .challenge = id_slice(c->flow), .address = slice_str(c->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CONTACT, &s, c->now_us, &c->begun);
}

static enum keer_err take_code(struct db *db, void *ctx)
{
    struct confirming *c = ctx;
    struct proof proof;
    c->verdict = PROOF_OVER;
    enum keer_err err = read_row(db, c);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK)
        err = proof_check(db, &c->a->key, &c->proof, PROOF_SIGN_UP, c->code, c->now_us, &proof, &c->verdict);
    if (err == KEER_OK && c->verdict == PROOF_RIGHT)
        err = attempt_ok(db, &c->begun.attempt);
    if (err == KEER_OK && c->verdict == PROOF_RIGHT)
        err = QUERY_DO(db, "UPDATE sign_up SET used_us = $1, phc = '' WHERE id = $2", Q_NUMBER(c->now_us), Q_ID(c->flow));
    return err;
}

/* Everything that an account is made of, or nothing. */
static enum keer_err create(struct db *db, void *ctx)
{
    struct confirming *c = ctx;
    struct id contact;
    struct device device;
    bool fresh;
    unsigned count;
    enum keer_err err = account_add(db, &c->account, slice_str(c->name), slice_str(c->locale), c->now_us);
    if (err == KEER_OK)
        err = identifier_add(db, &c->account, &c->address, c->now_us); /* KEER_ECONFLICT: somebody was quicker */
    if (err == KEER_OK && c->user.text[0]) {
        err = identifier_add(db, &c->account, &c->user, c->now_us);
        c->ret->username_taken = err == KEER_ECONFLICT;
        if (err == KEER_ECONFLICT)
            err = KEER_OK;
    }
    if (err == KEER_OK)
        err = contact_add(db, &c->account, &c->address, /* verified_us */ c->now_us, c->now_us, &contact);
    if (err == KEER_OK && c->phc[0])
        err = password_write(db, &c->account, c->phc, c->now_us);
    if (err == KEER_OK)
        err = device_see(db, &c->account, &c->v->device, slice_str(c->v->family), c->now_us, &device, &fresh);
    if (err == KEER_OK && id_is(&c->v->session)) /* whoever was signed in on this browser is not any more */
        err = session_end(db, &c->v->now.account, &c->v->session, c->now_us);
    if (err == KEER_EMISSING)
        err = KEER_OK;
    if (err != KEER_OK)
        return err;
    struct session_new n = {.account = c->account,
                            .device = device.id,
                            .rights = SESSION_FULL,
                            .acr = SESSION_ACR_1,
                            .amr = c->phc[0] ? "pwd" : "",
                            .device_hash = c->v->device,
                            .ip = slice_str(c->v->ip),
                            .family = slice_str(c->v->family)};
    err = session_begin(db, &n, c->now_us, &c->ret->session, &c->ret->token);
    struct notice_new notice = {
        .account = c->account, .kind = NOTICE_WELCOME, .what = visitor_what(c->v), .where = visitor_where(c->v)};
    return err == KEER_OK ? notice_add(db, &c->a->key, &notice, c->now_us, &count) : err;
}

static enum keer_err decide_created(struct confirming *c, struct desk_worker *w, bool *ret_denied)
{
    struct desk_event e = visitor_event(c->v, &c->account, "account_created");
    struct desk_decision d = {0};
    e.session = SLICE("");
    if (c->address.kind == IDENTIFIER_EMAIL)
        e.email = slice_str(c->address.text);
    enum keer_err err = desk_decide(w, &e, &d);
    *ret_denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

enum keer_err sign_up_confirm(const struct accounts *a, struct desk_worker *w, struct visitor *v, const struct id *flow,
                              struct slice code, struct sign_up *ret)
{
    struct confirming c = {.a = a, .v = v, .flow = flow, .code = code, .now_us = desk_wall_us(w), .ret = ret};
    bool denied = false;
    *ret = (struct sign_up){.next = SIGN_UP_WRONG};
    enum keer_err err = desk_write(w, count_code, &c);
    if (err == KEER_OK && c.begun.verdict == ATTEMPT_LATER) {
        ret->next = SIGN_UP_LATER;
        ret->retry_us = c.begun.retry_us;
    }
    if (err != KEER_OK || c.begun.verdict != ATTEMPT_MAY)
        return err;
    err = desk_write(w, take_code, &c);
    if (err != KEER_OK || c.verdict != PROOF_RIGHT)
        return err;
    err = decide_created(&c, w, &denied);
    if (err == KEER_OK && denied)
        ret->next = SIGN_UP_DENIED;
    if (err != KEER_OK || denied)
        return err;
    err = desk_write(w, create, &c);
    crypto_wipe(c.phc, sizeof c.phc);
    if (err == KEER_ECONFLICT)
        return KEER_OK;
    if (err == KEER_OK) {
        ret->next = SIGN_UP_DONE;
        ret->account = c.account;
        notifier_wake(a->notifier);
    }
    return err;
}
