/* account_use.c - use cases of a person's own account. */
#include "flow/account_use.h"

#include "flow/guard.h"
#include "stepup/code.h"

enum keer_err account_view_read(struct db *db, void *ctx)
{
    struct account_view *m = ctx;
    struct password_row password;
    const struct id *account = &m->v->now.account;
    enum keer_err err = account_read(db, account, &m->account);
    if (err == KEER_OK)
        err = identifier_list(db, account, m->identifiers, &m->identifiers_count);
    if (err == KEER_OK)
        err = contact_list(db, account, m->contacts, &m->contacts_count);
    if (err == KEER_OK)
        err = device_list(db, account, m->devices, &m->devices_count);
    if (err == KEER_OK)
        err = session_list(db, account, m->now_us, m->sessions, &m->sessions_count);
    if (err == KEER_OK)
        err = authenticators_list(db, account, m->authenticators, &m->authenticators_count);
    if (err == KEER_OK)
        err = code_left(db, account, &m->codes_left);
    if (err == KEER_OK)
        err = notice_recent(db, account, ACCOUNT_ACTIVITY_MAX, m->activity, &m->activity_count);
    if (err == KEER_OK)
        err = enrol_waits_read(db, account, m->now_us, &m->waits);
    if (err == KEER_OK)
        err = step_prompts_read(db, m->v, m->now_us, m->prompts, &m->prompts_count);
    if (err == KEER_OK) {
        err = password_read(db, account, &password);
        m->has_password = err == KEER_OK;
        crypto_wipe(&password, sizeof password);
    }
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err account_session_end(struct db *db, void *ctx)
{
    struct account_changing *c = ctx;
    return session_end(db, &c->v->now.account, &c->id, c->now_us);
}

enum keer_err account_session_end_others(struct db *db, void *ctx)
{
    struct account_changing *c = ctx;
    return session_end_others(db, &c->v->now.account, &c->v->session, c->now_us, &c->count);
}

/* A device that answers prompts is an authenticator too (guard_apply.c made it one): both end together. */
static enum keer_err no_authenticator(struct db *db, const struct visitor *v, const struct id *device, int64_t now_us)
{
    const struct id *account = &v->now.account;
    struct authenticator a;
    enum keer_err err = authenticator_by_ref(db, account, AUTHENTICATOR_DEVICE, device, &a);
    if (err == KEER_OK)
        err = authenticator_remove(db, account, &a.id, now_us);
    if (err == KEER_OK)
        err = guard_authenticator_gone(db, &a, &v->session, now_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err account_device_remove(struct db *db, void *ctx)
{
    struct account_changing *c = ctx;
    struct device d;
    unsigned count;
    enum keer_err err = device_read(db, &c->v->now.account, &c->id, &d);
    if (err == KEER_OK)
        err = device_revoke(db, &c->v->now.account, &c->id, c->now_us);
    if (err == KEER_OK)
        err = no_authenticator(db, c->v, &c->id, c->now_us);
    struct notice_new n = {.account = c->v->now.account,
                           .kind = NOTICE_DEVICE_REVOKED,
                           .about = c->id,
                           .what = slice_str(d.name),
                           .where = visitor_where(c->v)};
    return err == KEER_OK ? notice_add(db, &c->a->key, &n, c->now_us, &count) : err;
}

enum keer_err account_password_judge(struct db *db, void *ctx)
{
    struct account_judging *j = ctx;
    struct password_context context;
    struct password_row row = {.changed_us = 0};
    unsigned methods = 0;
    enum keer_err err = password_read(db, j->account, &row);
    j->changed_us = row.changed_us;
    crypto_wipe(&row, sizeof row);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = authenticators_methods(db, j->account, &methods);
    if (err != KEER_OK)
        return err;
    password_context_init(&context, j->a, methods != 0);
    err = password_context_account(&context, db, j->account);
    if (err == KEER_OK)
        j->flaw = password_judge(j->password, &context.rules);
    return err;
}

/* Adds an address that is not verified, or finds it again, and sends a code there. */
enum keer_err account_contact_put(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    struct contact room[CONTACTS_MAX];
    unsigned count = 0, sent;
    bool there = false;
    /* Without the device: it is somebody else's address maybe, and whoever has an account has as many devices as he likes.
     */
    struct attempt_subject s = {.account = id_slice(&c->v->now.account), .address = slice_str(c->v->ip)};
    enum keer_err err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &s, c->now_us, &c->begun);
    if (err != KEER_OK || c->begun.verdict != ATTEMPT_MAY)
        return err;
    err = contact_add(db, &c->v->now.account, &c->address, /* verified_us */ 0, c->now_us, &c->contact);
    if (err == KEER_ECONFLICT) {
        err = contact_list(db, &c->v->now.account, room, &count);
        for (unsigned i = 0; i < count; i++)
            if (room[i].address.kind == c->address.kind && strcmp(room[i].address.text, c->address.text) == 0) {
                c->contact = room[i].id;
                there = !room[i].verified_us;
            }
        if (err == KEER_OK && !there)
            return KEER_ECONFLICT;
    }
    struct proof_new proof = {.account = c->v->now.account, .purpose = PROOF_CONTACT, .address = c->address};
    if (err == KEER_OK)
        err = proof_ask(db, &proof, c->now_us, &c->proof);
    struct notice_new n = {.account = c->v->now.account, .kind = NOTICE_CONTACT_CODE, .proof = c->proof, .to = &c->address};
    return err == KEER_OK ? notice_add(db, &c->a->key, &n, c->now_us, &sent) : err;
}

/* A step that was asked after the code was right does not ask for it again (guard_confirmed). */
enum keer_err account_contact_find(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    const struct id *account = &c->v->now.account;
    enum keer_err err = contact_read(db, account, &c->contact, &c->found);
    if (err == KEER_OK && id_is(&c->challenge))
        err = guard_confirmed(db, &c->challenge, account, GUARD_CONTACT_ADD, &c->contact, c->now_us, &c->confirmed);
    return err;
}

enum keer_err account_contact_count(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    struct attempt_subject s = {.account = id_slice(&c->v->now.account),
                                .device = id_slice(&c->v->now.device),
                                .challenge = id_slice(&c->contact),
                                .address = slice_str(c->v->ip)};
    return attempt_begin(db, ATTEMPT_USE_CONTACT, &s, c->now_us, &c->begun);
}

enum keer_err account_contact_check(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    struct proof proof;
    struct proof_new wanted = {.account = c->v->now.account, .purpose = PROOF_CONTACT, .address = c->found.address};
    c->verdict = PROOF_OVER;
    enum keer_err err = proof_find(db, &wanted, c->now_us, &c->proof);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK)
        err = proof_check(db, &c->a->key, &c->proof, PROOF_CONTACT, c->code, c->now_us, &proof, &c->verdict);
    return err == KEER_OK && c->verdict == PROOF_RIGHT ? attempt_ok(db, &c->begun.attempt) : err;
}

enum keer_err account_contact_look(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    struct contact room[CONTACTS_MAX];
    unsigned count = 0, verified = 0;
    enum keer_err err = contact_read(db, &c->v->now.account, &c->contact, &c->found);
    if (err == KEER_OK)
        err = contact_list(db, &c->v->now.account, room, &count);
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        verified += room[i].verified_us > 0;
    c->last = c->found.verified_us && verified == 1;
    return err;
}

enum keer_err account_contact_drop(struct db *db, void *ctx)
{
    struct account_addressing *c = ctx;
    return contact_remove(db, &c->v->now.account, &c->contact, c->now_us);
}

enum keer_err account_device_put(struct db *db, void *ctx)
{
    struct account_naming *n = ctx;
    enum keer_err err = device_read(db, &n->v->now.account, &n->id, &n->found);
    if (err == KEER_OK && n->name.p)
        err = device_rename(db, &n->v->now.account, &n->id, n->name);
    if (err == KEER_OK && n->distrust)
        err = device_trust(db, &n->v->now.account, &n->id, /* trusted */ false, n->now_us);
    if (err == KEER_OK && n->distrust)
        err = no_authenticator(db, n->v, &n->id, n->now_us);
    return err;
}
