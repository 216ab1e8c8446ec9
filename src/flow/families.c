/* families.c - use cases of families. */
#include "flow/families.h"

enum keer_err families_look(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    enum keer_err err = family_of(db, &f->v->now.account, &f->me);
    f->member = err == KEER_OK;
    if (f->member)
        err = family_members(db, &f->me.family, f->members, &f->members_count);
    if (f->member && err == KEER_OK)
        err = approval_list(db, &f->me.family, f->now_us, f->approvals, &f->approvals_count);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = family_invitations(db, &f->v->now.account, f->now_us, f->invitations, &f->invitations_count);
    return err;
}

enum keer_err families_make(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    return family_add(db, &f->v->now.account, f->now_us, &f->id);
}

enum keer_err families_join(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    struct account joined;
    unsigned count = 0;
    enum keer_err err = family_join(db, &f->v->now.account, &f->id, f->now_us, &f->me);
    if (err == KEER_OK)
        err = family_members(db, &f->me.family, f->members, &f->members_count);
    if (err == KEER_OK)
        err = account_read(db, &f->v->now.account, &joined);
    for (unsigned i = 0; err == KEER_OK && i < f->members_count; i++) {
        struct notice_new n = {
            .account = f->members[i].account, .kind = NOTICE_FAMILY_JOINED, .what = slice_str(joined.name)};
        if (f->members[i].role == FAMILY_ORGANISER)
            err = notice_add(db, &f->a->key, &n, f->now_us, &count);
    }
    return err;
}

enum keer_err families_decline(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    return family_decline(db, &f->v->now.account, &f->id);
}

enum keer_err families_leave(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    return family_leave(db, &f->v->now.account, &f->id, f->now_us);
}

enum keer_err families_approve(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    return approval_answer(db, &f->v->now.account, &f->id, f->yes, f->now_us);
}

/* Whether somebody has the name is not told: nothing happens then, and it was counted. */
enum keer_err families_invite(struct db *db, void *ctx)
{
    struct family_case *f = ctx;
    struct id account, invitation;
    struct contact contacts[CONTACTS_NOTIFIED_MAX];
    struct buf from;
    unsigned count = 0;
    struct attempt_subject s = {.account = id_slice(&f->v->now.account), .address = slice_str(f->v->ip)};
    enum keer_err err = family_of(db, &f->v->now.account, &f->me);
    if (err == KEER_OK && f->me.role != FAMILY_ORGANISER)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &s, f->now_us, &f->begun);
    if (err != KEER_OK || f->begun.verdict != ATTEMPT_MAY || !f->known)
        return err;
    err = identifier_find(db, &f->invited, &account);
    if (err == KEER_OK && !id_eq(&account, &f->v->now.account))
        err = family_invite(db, &f->v->now.account, &account, f->role, f->now_us, &invitation);
    else
        err = err == KEER_OK ? KEER_EMISSING : err;
    if (err == KEER_EMISSING || err == KEER_ECONFLICT)
        return KEER_OK;
    if (err == KEER_OK)
        err = contact_notified(db, &f->v->now.account, f->now_us, contacts, &count);
    buf_init(&from, NOTICE_VALUE_BYTES);
    if (err == KEER_OK && count) /* not a name that somebody chose: it would be a stranger's words in the mail of another */
        identifier_mask(&contacts[0].address, &from);
    struct notice_new n = {.account = account,
                           .kind = NOTICE_FAMILY_INVITED,
                           .what = buf_view(&from),
                           .until_us = f->now_us + FAMILY_INVITATION_US};
    if (err == KEER_OK)
        err = from.err;
    if (err == KEER_OK)
        err = notice_add(db, &f->a->key, &n, f->now_us, &count);
    buf_release(&from);
    return err;
}
