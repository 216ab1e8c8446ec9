/* enrol.c - another authenticator, or one less. */
#include "flow/enrol.h"

#define BIT(state) AUTHENTICATOR_BIT(AUTHENTICATOR_##state)

/* --- asking the guard --- */

struct guarding {
    const struct steps *s;
    const struct guard_request *g;
    int64_t now_us;
    struct guard_answer *answer;
};

static enum keer_err ask(struct db *db, void *ctx)
{
    struct guarding *k = ctx;
    return guard_ask(db, &k->s->guard, k->g, k->now_us, k->answer);
}

static enum keer_err decide(struct desk_worker *w, const struct visitor *v, const char *type, const struct id *challenge,
                            struct id *ret_event, bool *ret_denied)
{
    struct desk_event e = visitor_event(v, &v->now.account, type);
    struct desk_decision d = {0};
    const char *method = "";
    enum keer_err err = step_method(w, v, challenge, &method);
    id_make(ret_event);
    e.id = id_slice(ret_event);
    e.step_up = slice_str(method);
    if (err == KEER_OK)
        err = desk_decide(w, &e, &d);
    *ret_denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

enum keer_err enrol_guarded(const struct steps *s, struct desk_worker *w, const struct visitor *v, const char *type,
                            const struct guard_request *g, struct enrol *ret)
{
    struct guard_request asked = *g;
    struct guarding k = {s, &asked, desk_wall_us(w), &ret->guard};
    struct id event;
    bool denied = true;
    ret->outcome = ENROL_DENIED;
    enum keer_err err = decide(w, v, type, &g->challenge, &event, &denied);
    asked.event = id_slice(&event);
    if (err != KEER_OK || denied)
        return err;
    err = desk_write(w, ask, &k);
    ret->outcome = err == KEER_EMISSING ? ENROL_OVER : ENROL_GUARD;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* --- an app for one-time passwords --- */

struct enrolling {
    const struct steps *s;
    const struct visitor *v;
    const struct enrol_request *r;
    const struct id *id;
    struct slice name, code;
    int64_t now_us;
    struct totp_enrolment *totp;
    struct identifier *label;
    struct authenticator row;
    bool confirmed, right;
    struct attempt_begun begun;
};

#define LABEL_BYTES 100 /* a longer one makes a QR code that no camera likes */

static enum keer_err read_label(struct db *db, const struct id *account, struct identifier *ret)
{
    static const enum identifier_kind order[] = {IDENTIFIER_EMAIL, IDENTIFIER_USER_NAME, IDENTIFIER_PHONE};
    struct identifier names[IDENTIFIERS_MAX];
    unsigned n = 0;
    enum keer_err err = identifier_list(db, account, names, &n);
    (void)snprintf(ret->text, sizeof ret->text, "%.8s", account->text);
    for (size_t k = 0; err == KEER_OK && k < ARRAY_LEN(order); k++)
        for (unsigned i = 0; i < n; i++)
            if (names[i].kind == order[k] && strlen(names[i].text) <= LABEL_BYTES) {
                *ret = names[i];
                return KEER_OK;
            }
    return err;
}

static enum keer_err begin_totp(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    enum keer_err err = read_label(db, &e->v->now.account, e->label);
    return err == KEER_OK ? totp_enrol(db, &e->s->accounts->key, &e->v->now.account, e->name, e->now_us, e->totp) : err;
}

enum keer_err enrol_totp(const struct steps *s, struct desk_worker *w, const struct visitor *v, struct slice name,
                         struct totp_enrolment *ret, struct identifier *ret_label)
{
    struct enrolling e = {.s = s, .v = v, .name = name, .now_us = desk_wall_us(w), .totp = ret, .label = ret_label};
    return desk_write(w, begin_totp, &e);
}

/* The enrolment, and whether its code was taken already, before the step that was asked for. */
static enum keer_err find_enrolment(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    enum keer_err err = authenticator_get(db, &e->v->now.account, e->id, &e->row);
    if (err == KEER_OK && (e->row.kind != AUTHENTICATOR_TOTP || e->row.state != AUTHENTICATOR_ENROLLING))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = guard_confirmed(db, &e->r->challenge, &e->v->now.account, GUARD_AUTHENTICATOR_ADD, e->id, e->now_us,
                              &e->confirmed);
    return err;
}

/* Five tries for an enrolment, as for a challenge. */
static enum keer_err count(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    struct attempt_subject subject = {.account = id_slice(&e->v->now.account),
                                      .device = id_slice(&e->v->now.device),
                                      .challenge = id_slice(e->id),
                                      .address = slice_str(e->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CODE, &subject, e->now_us, &e->begun);
}

static enum keer_err take(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    enum keer_err err =
        totp_take(db, &e->s->accounts->key, &e->v->now.account, e->id, BIT(ENROLLING), e->code, e->now_us, &e->right);
    return err == KEER_OK && e->right ? attempt_ok(db, &e->begun.attempt) : err;
}

/* A code of the app: ENROL_GUARD in ret->outcome when it was right. */
static enum keer_err check_code(struct desk_worker *w, struct enrolling *e, struct enrol *ret)
{
    enum keer_err err = desk_write(w, count, e);
    if (err != KEER_OK)
        return err;
    if (e->begun.verdict != ATTEMPT_MAY) {
        ret->outcome = e->begun.verdict == ATTEMPT_LATER ? ENROL_LATER : ENROL_OVER;
        ret->retry_us = e->begun.retry_us;
        return KEER_OK;
    }
    err = desk_write(w, take, e);
    ret->outcome = e->right ? ENROL_GUARD : ENROL_WRONG;
    return err;
}

enum keer_err enrol_totp_confirm(const struct steps *s, struct desk_worker *w, const struct enrol_request *r,
                                 const struct id *id, struct slice code, struct enrol *ret)
{
    struct enrolling e = {.s = s, .v = r->v, .r = r, .id = id, .code = code, .now_us = desk_wall_us(w)};
    *ret = (struct enrol){.outcome = ENROL_OVER};
    enum keer_err err = desk_read(w, find_enrolment, &e);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK && !e.confirmed) {
        err = check_code(w, &e, ret);
        if (err == KEER_OK && ret->outcome != ENROL_GUARD)
            return KEER_OK;
    }
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    struct guard_request g = {.session = &r->v->now,
                              .change = GUARD_AUTHENTICATOR_ADD,
                              .thing = *id,
                              .detail = slice_str(e.row.name),
                              .challenge = r->challenge,
                              .where = visitor_where(r->v)};
    return enrol_guarded(s, w, r->v, "authenticator_added", &g, ret);
}

/* --- recovery codes --- */

struct making {
    const struct steps *s;
    const struct enrol_request *r;
    int64_t now_us;
    struct enrol *ret;
    struct id event;
};

/* The set is made before the guard is asked, and is gone again when the guard wants a step. */
static enum keer_err make_codes(struct db *db, void *ctx)
{
    struct making *m = ctx;
    const struct id *account = &m->r->v->now.account;
    struct guard_request g = {.session = &m->r->v->now,
                              .change = GUARD_RECOVERY_CODES,
                              .detail = SLICE("recovery codes"),
                              .challenge = m->r->challenge,
                              .where = visitor_where(m->r->v),
                              .event = id_slice(&m->event)};
    enum keer_err err = code_make(db, account, m->now_us, &m->ret->codes);
    g.thing = m->ret->codes.id;
    if (err == KEER_OK)
        err = guard_ask(db, &m->s->guard, &g, m->now_us, &m->ret->guard);
    if (err != KEER_OK)
        return err;
    m->ret->told = m->ret->guard.outcome == GUARD_APPLIED || m->ret->guard.outcome == GUARD_WAITS;
    return m->ret->told ? KEER_OK : authenticator_remove(db, account, &m->ret->codes.id, m->now_us);
}

enum keer_err enrol_codes(const struct steps *s, struct desk_worker *w, const struct enrol_request *r, struct enrol *ret)
{
    struct making m = {.s = s, .r = r, .now_us = desk_wall_us(w), .ret = ret};
    bool denied = true;
    *ret = (struct enrol){.outcome = ENROL_DENIED};
    enum keer_err err = decide(w, r->v, "authenticator_added", &r->challenge, &m.event, &denied);
    if (err != KEER_OK || denied)
        return err;
    err = desk_write(w, make_codes, &m);
    ret->outcome = err == KEER_EFULL ? ENROL_FULL : ENROL_GUARD;
    if (err != KEER_OK || !ret->told) {
        ret->told = false;
        crypto_wipe(&ret->codes, sizeof ret->codes);
    }
    return err == KEER_EFULL ? KEER_OK : err;
}

/* --- one less --- */

/* What waits is called off, what was never confirmed removed: neither is any authenticator yet. */
static enum keer_err drop(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    struct guard_row rows[GUARD_PENDING_MAX];
    unsigned n = 0;
    const struct id *account = &e->v->now.account;
    enum keer_err err = guard_pending(db, account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (id_eq(&rows[i].thing, e->id))
            return guard_cancel(db, &e->s->guard, account, &rows[i].id, visitor_where(e->v), e->now_us);
    return err == KEER_OK ? authenticator_remove(db, account, e->id, e->now_us) : err;
}

static enum keer_err find_row(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    return authenticator_get(db, &e->v->now.account, e->id, &e->row);
}

enum keer_err enrol_remove(const struct steps *s, struct desk_worker *w, const struct enrol_request *r, const struct id *id,
                           struct enrol *ret)
{
    struct enrolling e = {.s = s, .v = r->v, .id = id, .now_us = desk_wall_us(w)};
    *ret = (struct enrol){.outcome = ENROL_OVER};
    enum keer_err err = desk_read(w, find_row, &e);
    if (err == KEER_OK && e.row.state == AUTHENTICATOR_REMOVED)
        err = KEER_EMISSING;
    if (err == KEER_OK && (BIT(ENROLLING) | BIT(WAITING)) & AUTHENTICATOR_BIT(e.row.state)) {
        err = desk_write(w, drop, &e);
        ret->outcome = err == KEER_OK ? ENROL_GUARD : ENROL_OVER;
        ret->guard.outcome = GUARD_APPLIED;
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    struct guard_request g = {.session = &r->v->now,
                              .change = GUARD_AUTHENTICATOR_REMOVE,
                              .thing = *id,
                              .detail = slice_str(e.row.name[0] ? e.row.name : authenticator_kind_name(e.row.kind)),
                              .challenge = r->challenge,
                              .where = visitor_where(r->v)};
    return enrol_guarded(s, w, r->v, "authenticator_removed", &g, ret);
}

/* --- what waits --- */

struct listing {
    const struct visitor *v;
    int64_t now_us;
    struct enrol_waiting *w;
};

enum keer_err enrol_waits_read(struct db *db, const struct id *account, int64_t now_us, struct enrol_waiting *ret)
{
    enum keer_err err = guard_pending(db, account, ret->rows, &ret->count);
    if (err == KEER_OK)
        err = guard_hold(db, account, now_us, &ret->hold);
    if (err == KEER_OK)
        err = recovery_waiting(db, account, &ret->recovery);
    ret->recovers = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err list(struct db *db, void *ctx)
{
    struct listing *l = ctx;
    return enrol_waits_read(db, &l->v->now.account, l->now_us, l->w);
}

enum keer_err enrol_waits(const struct steps *s, struct desk_worker *w, const struct visitor *v, struct enrol_waiting *ret)
{
    struct listing l = {v, desk_wall_us(w), ret};
    UNUSED(s);
    return desk_read(w, list, &l);
}

static enum keer_err call_off(struct db *db, void *ctx)
{
    struct enrolling *e = ctx;
    return guard_cancel(db, &e->s->guard, &e->v->now.account, e->id, visitor_where(e->v), e->now_us);
}

enum keer_err enrol_call_off(const struct steps *s, struct desk_worker *w, const struct visitor *v, const struct id *change)
{
    struct enrolling e = {.s = s, .v = v, .id = change, .now_us = desk_wall_us(w)};
    return desk_write(w, call_off, &e);
}
