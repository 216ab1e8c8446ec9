/* store_accounts.c - use cases of stores that have accounts of their own. */
#include "flow/store_accounts.h"

#include "flow/guard.h"

/* The same subject is the same account, however often it is brought. */
enum keer_err store_account_bring(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    enum keer_err err = identifier_find(db, &c->subject, &c->id);
    if (err != KEER_EMISSING)
        return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
    id_make(&c->id);
    err = account_add(db, &c->id, c->name, c->locale.p ? c->locale : SLICE("en"), c->now_us);
    if (err == KEER_OK)
        err = identifier_add(db, &c->id, &c->subject, c->now_us);
    c->fresh = true;
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

enum keer_err store_account_look(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    return account_read(db, &c->id, &c->account);
}

enum keer_err store_account_freeze(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    struct guard g = {.key = &c->a->key}; /* what waits is called off, what is open refused */
    enum keer_err err = guard_freeze(db, &g, &c->id, c->why, c->now_us);
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

enum keer_err store_account_thaw(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    enum keer_err err = account_thaw(db, &c->id, c->now_us);
    return err == KEER_OK ? account_read(db, &c->id, &c->account) : err;
}

enum keer_err store_approval_ask(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    struct family_member m, members[FAMILY_MEMBERS_MAX];
    unsigned n = 0, count;
    enum keer_err err = approval_ask(db, &c->approval, c->now_us, &c->id);
    if (err == KEER_OK)
        err = family_of(db, &c->approval.account, &m);
    if (err == KEER_OK)
        err = family_members(db, &m.family, members, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        struct notice_new notice = {.account = members[i].account,
                                    .kind = NOTICE_FAMILY_ASKED,
                                    .what = c->approval.what,
                                    .until_us = c->now_us + FAMILY_APPROVAL_US};
        if (members[i].role == FAMILY_ORGANISER)
            err = notice_add(db, &c->a->key, &notice, c->now_us, &count);
    }
    return err;
}

enum keer_err store_approval_use(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    return approval_use(db, &c->approval, &c->id, c->now_us);
}
