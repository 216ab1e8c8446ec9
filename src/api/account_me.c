/* account_me.c - /v1/account/me, devices and sessions: what an account is made of, for the person. */
#include "api/account.h"
#include "api/step.h"
#include "base/timefmt.h"
#include "flow/account_use.h"
#include "flow/notifier.h"

static void put_time(struct buf *b, const char *name, int64_t us)
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

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, slice_str(text));
}

static void put_contacts(struct buf *b, const struct account_view *m)
{
    buf_puts(b, ",\"identifiers\":[");
    for (unsigned i = 0; i < m->identifiers_count; i++) {
        buf_fmt(b, "%s{\"kind\":\"%s\"", i ? "," : "", identifier_kind_name(m->identifiers[i].kind));
        put_text(b, "value", m->identifiers[i].text);
        buf_char(b, '}');
    }
    buf_puts(b, "],\"contacts\":[");
    for (unsigned i = 0; i < m->contacts_count; i++) {
        const struct contact *c = &m->contacts[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"kind\":\"%s\"", i ? "," : "", c->id.text, identifier_kind_name(c->address.kind));
        put_text(b, "value", c->address.text);
        put_time(b, "verified", c->verified_us);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static void put_devices(struct buf *b, const struct account_view *m)
{
    buf_puts(b, ",\"devices\":[");
    for (unsigned i = 0; i < m->devices_count; i++) {
        const struct device *d = &m->devices[i];
        buf_fmt(b, "%s{\"id\":\"%s\"", i ? "," : "", d->id.text);
        put_text(b, "name", d->name);
        put_text(b, "family", d->family);
        put_time(b, "first_seen", d->first_us);
        put_time(b, "last_seen", d->last_us);
        buf_fmt(b, ",\"trusted\":%s,\"current\":%s}", d->trusted_us ? "true" : "false",
                id_eq(&d->id, &m->v->now.device) ? "true" : "false");
    }
    buf_puts(b, "],\"sessions\":[");
    for (unsigned i = 0; i < m->sessions_count; i++) {
        const struct session *s = &m->sessions[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"device\":", i ? "," : "", s->id.text);
        buf_json(b, id_slice(&s->device));
        buf_fmt(b, ",\"rights\":\"%s\"", session_rights_name(s->rights));
        put_text(b, "acr", session_acr_name(session_acr_at(s, m->now_us)));
        put_text(b, "ip", s->ip);
        put_text(b, "family", s->family);
        put_time(b, "created", s->created_us);
        put_time(b, "used", s->used_us);
        put_time(b, "ends", s->ends_us);
        buf_fmt(b, ",\"current\":%s}", id_eq(&s->id, &m->v->session) ? "true" : "false");
    }
    buf_char(b, ']');
}

static void put_authenticators(struct buf *b, const struct account_view *m)
{
    buf_puts(b, ",\"authenticators\":[");
    for (unsigned i = 0; i < m->authenticators_count; i++) {
        const struct authenticator *a = &m->authenticators[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\"", i ? "," : "", a->id.text,
                authenticator_kind_name(a->kind), authenticator_state_name(a->state));
        put_text(b, "name", a->name);
        put_time(b, "created", a->created_us);
        put_time(b, "used", a->used_us);
        buf_char(b, '}');
    }
    buf_fmt(b, "],\"recovery_codes_left\":%u", m->codes_left);
}

static void put_activity(struct buf *b, const struct account_view *m)
{
    buf_puts(b, ",\"activity\":[");
    for (unsigned i = 0; i < m->activity_count; i++) {
        const struct notice *n = &m->activity[i];
        buf_fmt(b, "%s{\"id\":\"%s\",\"kind\":\"%s\"", i ? "," : "", n->id.text, notice_kind_code(n->kind));
        put_text(b, "what", n->what);
        put_text(b, "where", n->where);
        put_time(b, "time", n->created_us);
        buf_fmt(b, ",\"not_me\":%s}", notice_open(n, m->now_us) ? "true" : "false");
    }
    buf_char(b, ']');
}

/* What can be stopped or answered now. */
static void put_waits(struct buf *b, const struct account_view *m)
{
    buf_puts(b, ",\"pending_changes\":[");
    step_put_changes(b, &m->waits);
    buf_puts(b, "],\"pending_recovery\":");
    step_put_recovery(b, &m->waits);
    buf_fmt(b, ",\"wallets_paused\":%s,\"prompts\":[", m->waits.hold.held ? "true" : "false");
    step_put_prompts(b, m->prompts, m->prompts_count);
    buf_char(b, ']');
}

void account_me(struct http_exchange *x)
{
    struct visitor v;
    struct buf *b = &x->reply;
    if (!visit_begin(x, VISIT_RESTRICTED, &v))
        return;
    struct account_view *m = calloc(1, sizeof *m);
    if (!m) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return;
    }
    m->v = &v;
    m->now_us = desk_wall_us(x->worker);
    enum keer_err err = desk_read(x->worker, account_view_read, m);
    if (err == KEER_OK) {
        buf_fmt(b, "{\"account\":\"%s\"", m->account.id.text);
        put_text(b, "name", m->account.name);
        put_text(b, "locale", m->account.locale);
        put_text(b, "acr", session_acr_name(session_acr_at(&v.now, m->now_us)));
        put_text(b, "rights", session_rights_name(v.now.rights));
        put_text(b, "amr", v.now.amr);
        buf_fmt(b, ",\"has_password\":%s", m->has_password ? "true" : "false");
        put_time(b, "auth_time", v.now.auth_us);
        put_contacts(b, m);
        put_devices(b, m);
        put_authenticators(b, m);
        put_activity(b, m);
        put_waits(b, m);
        buf_puts(b, "}\n");
        http_reply(x, 200, HTTP_JSON);
    } else {
        visit_failed(x, err);
    }
    free(m);
}

/* --- sessions --- */

static void answer_change(struct http_exchange *x, enum keer_err err, const char *what)
{
    if (err == KEER_OK)
        visit_empty(x);
    else if (err == KEER_EMISSING)
        http_problem(x, HTTP_NOT_FOUND, "no %s of this id", what);
    else
        visit_failed(x, err);
}

void account_session_delete(struct http_exchange *x)
{
    struct visitor v;
    if (!visit_begin(x, VISIT_RESTRICTED, &v))
        return;
    struct account_changing c = {.v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_id(x, &c.id))
        return;
    if (v.now.rights != SESSION_FULL && !id_eq(&c.id, &v.session)) {
        http_problem(x, HTTP_RESTRICTED, "%s", "");
        return;
    }
    enum keer_err err = desk_write(x->worker, account_session_end, &c);
    if (err == KEER_OK && id_eq(&c.id, &v.session))
        visit_forget_session(x);
    answer_change(x, err, "session");
}

void account_sessions_end_others(struct http_exchange *x)
{
    struct visitor v;
    struct api_body b = {0};
    if (visit_begin(x, VISIT_FULL, &v) && api_body_read(x, &b, "")) {
        struct account_changing c = {.v = &v, .now_us = desk_wall_us(x->worker)};
        enum keer_err err = desk_write(x->worker, account_session_end_others, &c);
        if (err == KEER_OK) {
            buf_fmt(&x->reply, "{\"ended\":%lld}\n", (long long)c.count);
            http_reply(x, 200, HTTP_JSON);
        } else {
            visit_failed(x, err);
        }
    }
    api_body_release(&b);
}

/* --- devices --- */

void account_device_delete(struct http_exchange *x)
{
    struct visitor v;
    struct desk_decision d = {0};
    if (!visit_begin(x, VISIT_FULL, &v))
        return;
    struct account_changing c = {.a = visit_accounts(x), .v = &v, .now_us = desk_wall_us(x->worker)};
    if (!visit_id(x, &c.id))
        return;
    enum keer_err err = desk_write(x->worker, account_device_remove, &c);
    struct desk_event e = visitor_event(&v, &v.now.account, "device_removed");
    if (err == KEER_OK) { /* it is done whatever is decided: taking rights away is never refused */
        err = desk_decide(x->worker, &e, &d);
        buf_release(&d.answer);
        notifier_wake(c.a->notifier);
    }
    if (err == KEER_OK && id_eq(&c.id, &v.now.device))
        visit_forget_session(x);
    answer_change(x, err, "device");
}
