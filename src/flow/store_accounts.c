/* store_accounts.c - use cases of stores that have accounts of their own. */
#include "flow/store_accounts.h"

#include "flow/agreements.h"
#include "flow/recovery.h"

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

/* Those that live: no charge passes from this commit on. */
static enum keer_err end_agreements(struct db *db, const struct crypto_hash *key, const struct id *account, int64_t now_us)
{
    const struct agreement_find find = {.account = *account,
                                        .states = AGREEMENT_BIT(AGREEMENT_STEP) | AGREEMENT_BIT(AGREEMENT_SIGNING) |
                                                  AGREEMENT_BIT(AGREEMENT_ACTIVE) | AGREEMENT_BIT(AGREEMENT_PAUSED)};
    struct agreement rows[AGREEMENTS_MAX];
    unsigned n = 0;
    enum keer_err err = agreements_list(db, &find, rows, AGREEMENTS_MAX, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        err = agreements_close(db, key, SLICE("the account was closed"), now_us, &rows[i]);
    for (unsigned i = 0; i < n; i++)
        agreement_wipe(&rows[i]);
    return err;
}

enum keer_err store_account_close(struct db *db, void *ctx)
{
    struct store_case *c = ctx;
    const struct notice_new notice = {.account = c->id, .kind = NOTICE_ACCOUNT_CLOSED};
    unsigned count;
    int64_t n;
    enum keer_err err = account_read(db, &c->id, &c->account);
    if (err == KEER_OK && c->account.state == ACCOUNT_CLOSED)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = challenge_refuse_all(db, &c->id, SLICE("closed"), c->now_us, &n);
    if (err == KEER_OK)
        err = guard_cancel_all(db, &c->id, c->now_us);
    if (err == KEER_OK)
        err = recovery_cancel_all(db, &c->id, c->now_us);
    if (err == KEER_OK)
        err = end_agreements(db, &c->a->key, &c->id, c->now_us);
    if (err == KEER_OK) {
        err = family_leave(db, &c->id, &c->id, c->now_us);
        err = err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err == KEER_OK) /* before its addresses are forgotten */
        err = notice_add(db, &c->a->key, &notice, c->now_us, &count);
    if (err == KEER_OK)
        err = account_close(db, &c->id, c->now_us);
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
