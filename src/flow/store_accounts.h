/* store_accounts.h - use cases of stores that have accounts of their own: an account by its subject, locking, what a
 * family's organiser approves. Functions for a desk (desk_fn), over one request's case.
 *
 * Invariants: the same subject is the same account, however often it is brought. An approval is used once, for what was
 * asked.
 */
#ifndef FLOW_STORE_ACCOUNTS_H
#define FLOW_STORE_ACCOUNTS_H
#include "account/family.h"
#include "flow/accounts.h"

struct store_case { /* one request */
    const struct accounts *a;
    struct identifier subject;
    struct slice name, locale, why;
    int64_t now_us;
    struct id id;
    struct account account;
    struct approval_new approval;
    bool fresh;
};

/* `subject`, name and locale for a new one: `id`, `account`, `fresh`. KEER_EINVALID. */
desk_fn store_account_bring;
desk_fn store_account_look; /* any; `id`. KEER_EMISSING */
/* `id`, `why`: every address is told. KEER_EMISSING, KEER_EINVALID. */
desk_fn store_account_freeze;
desk_fn store_account_thaw; /* KEER_EMISSING when it is not frozen */
/* `id`: for good, in one transaction: what waits is called off, its agreements end (the wallets hear of it by the timer of
 * agreements, which asks until they have said so: none of them can hold a closing up), it leaves its family, every address is
 * told, and then forgotten. What is on its way to a wallet is settled; a balance stays in the ledger. KEER_EMISSING. */
desk_fn store_account_close;
/* `approval`: the organiser is told; its id is in `id`. KEER_EMISSING, KEER_ELIMIT. */
desk_fn store_approval_ask;
desk_fn store_approval_use; /* KEER_EMISSING */
#endif
