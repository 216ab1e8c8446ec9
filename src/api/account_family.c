/* account_family.c - /v1/account/family: who belongs to it, who is invited, what the organiser is asked. */
#include "api/account.h"
#include "base/timefmt.h"
#include "flow/families.h"
#include "flow/notifier.h"

#define NAME_BYTES 400

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, slice_str(text));
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    buf_fmt(b, ",\"%s\":\"", name);
    time_print(b, us);
    buf_char(b, '"');
}

static void answer(struct http_exchange *x, enum keer_err err)
{
    if (err == KEER_OK)
        visit_empty(x);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "%s", "");
    else if (err == KEER_ECONFLICT)
        http_problem(x, HTTP_TAKEN, "the account is in a family");
    else if (err == KEER_ELIMIT)
        http_problem(x, HTTP_TOO_MANY, "%s", "");
    else
        visit_failed(x, err);
    notifier_wake(visit_accounts(x)->notifier);
}

/* --- looking --- */

static void put_members(struct buf *b, const struct family_case *f)
{
    if (f->member)
        buf_fmt(b, "{\"family\":\"%s\",\"role\":\"%s\"", f->me.family.text, family_role_name(f->me.role));
    else
        buf_puts(b, "{\"family\":null,\"role\":null");
    buf_puts(b, ",\"members\":[");
    for (unsigned i = 0; i < f->members_count; i++) {
        const struct family_member *m = &f->members[i];
        buf_fmt(b, "%s{\"account\":\"%s\",\"role\":\"%s\"", i ? "," : "", m->account.text, family_role_name(m->role));
        put_text(b, "name", m->name);
        put_time(b, "joined", m->joined_us);
        buf_char(b, '}');
    }
    buf_puts(b, "],\"invitations\":[");
    for (unsigned i = 0; i < f->invitations_count; i++) {
        const struct family_invitation *v = &f->invitations[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"role\":\"%s\"", i ? "," : "", v->id.text, family_role_name(v->role));
        put_text(b, "organiser", v->organiser);
        put_time(b, "ends", v->ends_us);
        buf_char(b, '}');
    }
    buf_puts(b, "]");
}

/* The organiser sees all, a member what he asked for himself. */
static void put_approvals(struct buf *b, const struct family_case *f)
{
    static const char *const states[] = {"asked", "granted", "refused", "used"};
    static_assert(ARRAY_LEN(states) == APPROVAL_STATE_MAX, "a word for each");
    bool first = true;
    buf_puts(b, ",\"approvals\":[");
    for (unsigned i = 0; i < f->approvals_count; i++) {
        const struct family_approval *p = &f->approvals[i];
        if (f->me.role != FAMILY_ORGANISER && !id_eq(&p->account, &f->v->now.account))
            continue;
        buf_fmt(b, "%s{\"id\":\"%s\",\"account\":\"%s\",\"state\":\"%s\"", first ? "" : ",", p->id.text, p->account.text,
                states[p->state]);
        put_text(b, "what", p->what);
        buf_fmt(b, ",\"amount_minor\":%lld", (long long)p->amount_minor);
        put_text(b, "currency", p->currency);
        put_time(b, "ends", p->ends_us);
        buf_char(b, '}');
        first = false;
    }
    buf_puts(b, "]}\n");
}

void account_family_get(struct http_exchange *x)
{
    struct visitor v;
    if (!visit_begin(x, VISIT_RESTRICTED, &v))
        return;
    struct family_case *f = calloc(1, sizeof *f);
    if (!f) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    f->v = &v;
    f->now_us = desk_wall_us(x->worker);
    enum keer_err err = desk_read(x->worker, families_look, f);
    if (err == KEER_OK) {
        put_members(&x->reply, f);
        put_approvals(&x->reply, f);
        http_reply(x, 200, HTTP_JSON);
    } else {
        visit_failed(x, err);
    }
    free(f);
}

/* --- changes --- */

/* Joining and forming a family are events; what is denied does not happen. */
static enum keer_err decide_joined(struct http_exchange *x, const struct visitor *v, bool *ret_denied)
{
    struct desk_event e = visitor_event(v, &v->now.account, "family_joined");
    struct desk_decision d = {0};
    enum keer_err err = desk_decide(x->worker, &e, &d);
    *ret_denied = d.outcome == KEER_DENY;
    buf_release(&d.answer);
    return err;
}

static struct family_case case_of(struct http_exchange *x, const struct visitor *v)
{
    return (struct family_case){.a = visit_accounts(x), .v = v, .now_us = desk_wall_us(x->worker)};
}

void account_family_make(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    bool denied = false;
    if (visit_begin(x, VISIT_FULL, &v) && api_body_read(x, &b, "")) {
        struct family_case f = case_of(x, &v);
        enum keer_err err = decide_joined(x, &v, &denied);
        if (err == KEER_OK && denied)
            http_problem(x, HTTP_DENIED, "%s", "");
        else if (err == KEER_OK && (err = desk_write(x->worker, families_make, &f)) == KEER_OK) {
            buf_fmt(&x->reply, "{\"family\":\"%s\"}\n", f.id.text);
            http_reply(x, 200, HTTP_JSON);
        } else {
            answer(x, err);
        }
    }
    api_body_release(&b);
}

void account_family_invite(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    struct slice name = {NULL, 0}, role = {NULL, 0};
    struct identifier_why why;
    if (!visit_begin(x, VISIT_FULL, &v) || !api_body_read(x, &b, "name role") ||
        !api_body_line(x, &b, "name", /* required */ true, NAME_BYTES, &name) ||
        !api_body_line(x, &b, "role", /* required */ true, LIMIT_NAME_BYTES, &role))
        goto out;
    struct family_case f = case_of(x, &v);
    f.known = identifier_guess(name, &f.invited, &why) == KEER_OK;
    if (family_role_find(role, &f.role) != KEER_OK || f.role == FAMILY_ORGANISER) {
        http_problem(x, HTTP_BAD_BODY, "role: there are adult and child");
        goto out;
    }
    enum keer_err err = desk_write(x->worker, families_invite, &f);
    if (err == KEER_OK && f.begun.verdict != ATTEMPT_MAY)
        visit_later(x, MAX_OF(f.begun.retry_us, 1));
    else
        answer(x, err);
out:
    api_body_release(&b);
}

/* A body with one boolean; false when a problem was told. */
static bool read_flag(struct http_exchange *x, struct api_body *b, const char *name, bool *ret)
{
    if (!api_body_read(x, b, name))
        return false;
    uint32_t v = tape_find(&b->tape, 0, name);
    if (v == TAPE_NONE || (tape_type(&b->tape, v) != TAPE_TRUE && tape_type(&b->tape, v) != TAPE_FALSE)) {
        http_problem(x, HTTP_BAD_BODY, "%s: true or false was expected", name);
        return false;
    }
    *ret = tape_type(&b->tape, v) == TAPE_TRUE;
    return true;
}

void account_family_answer(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    bool denied = false;
    if (visit_begin(x, VISIT_FULL, &v)) {
        struct family_case f = case_of(x, &v);
        enum keer_err err = KEER_OK;
        if (visit_id(x, &f.id) && read_flag(x, &b, "accept", &f.yes)) {
            if (f.yes)
                err = decide_joined(x, &v, &denied);
            if (err == KEER_OK && denied)
                http_problem(x, HTTP_DENIED, "%s", "");
            else
                answer(x, err == KEER_OK ? desk_write(x->worker, f.yes ? families_join : families_decline, &f) : err);
        }
    }
    api_body_release(&b);
}

void account_family_leave(struct http_exchange *x)
{
    struct visitor v;
    if (!visit_begin(x, VISIT_FULL, &v))
        return;
    struct family_case f = case_of(x, &v);
    if (visit_id(x, &f.id))
        answer(x, desk_write(x->worker, families_leave, &f));
}

void account_family_approve(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    if (visit_begin(x, VISIT_FULL, &v)) {
        struct family_case f = case_of(x, &v);
        if (visit_id(x, &f.id) && read_flag(x, &b, "granted", &f.yes))
            answer(x, desk_write(x->worker, families_approve, &f));
    }
    api_body_release(&b);
}
