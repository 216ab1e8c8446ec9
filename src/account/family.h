/* family.h - accounts whose purchases one of them, the organiser, pays and approves.
 *
 *     family_add ─► one ORGANISER          family_invite ─► OPEN ── family_join ──► JOINED (ADULT or CHILD)
 *                                                            └── late, withdrawn, declined ──► nothing
 *     approval_ask ─► ASKED ── approval_answer ──► GRANTED or REFUSED ; late ──► nothing
 *
 * Invariants
 * 1. An account is in at most one family (the primary key says so, also between processes). A family has one organiser.
 * 2. An invitation is for one account, holds FAMILY_INVITATION_US, is taken once, and by that account alone.
 * 3. A CHILD asks; only ADULTs and the ORGANISER leave by themselves. The organiser ends the family, and does not leave it.
 * 4. An approval is bound to who asks, what, how much and in which currency; it is given once and used once (approval_use),
 * by an equal request alone.
 */
#ifndef ACCOUNT_FAMILY_H
#define ACCOUNT_FAMILY_H
#include "account/account.h"
#include "base/timefmt.h"

#define FAMILY_MEMBERS_MAX 6
#define FAMILY_INVITATION_US (14 * US_DAY)
#define FAMILY_APPROVAL_US US_DAY
#define FAMILY_INVITATIONS_MAX 8 /* open at once */
#define FAMILY_APPROVALS_MAX 32  /* open at once */
#define FAMILY_WHAT_BYTES 200
#define FAMILY_CURRENCY_BYTES 3

enum family_role { FAMILY_ORGANISER, FAMILY_ADULT, FAMILY_CHILD, FAMILY_ROLE_MAX };
const char *family_role_name(enum family_role role);
KEER_NODISCARD enum keer_err family_role_find(struct slice name, enum family_role *ret_role);

struct family_member {
    struct id family, account;
    enum family_role role;
    int64_t joined_us;
    char name[ACCOUNT_NAME_BYTES + 1];
};
struct family_invitation {
    struct id id, family, account;
    enum family_role role;
    int64_t created_us, ends_us;
    char organiser[ACCOUNT_NAME_BYTES + 1];
};
enum approval_state { APPROVAL_ASKED, APPROVAL_GRANTED, APPROVAL_REFUSED, APPROVAL_USED, APPROVAL_STATE_MAX };
struct family_approval {
    struct id id, family, account; /* account: who asks */
    char what[FAMILY_WHAT_BYTES + 1], currency[FAMILY_CURRENCY_BYTES + 1];
    int64_t amount_minor, asked_us, ends_us;
    enum approval_state state;
};

/* KEER_ECONFLICT when the account is in a family. */
KEER_NODISCARD enum keer_err family_add(struct db *db, const struct id *organiser, int64_t now_us, struct id *ret_family);
/* KEER_EMISSING when the account is in none. */
KEER_NODISCARD enum keer_err family_of(struct db *db, const struct id *account, struct family_member *ret_member);
KEER_NODISCARD enum keer_err family_members(struct db *db, const struct id *family, struct family_member *room,
                                            unsigned *ret_count);
/* By the organiser alone: KEER_EMISSING else; KEER_ELIMIT; KEER_ECONFLICT when it is invited already. Whether the invited
 * account is in another family is not told here, but when it joins. */
KEER_NODISCARD enum keer_err family_invite(struct db *db, const struct id *organiser, const struct id *account,
                                           enum family_role role, int64_t now_us, struct id *ret_invitation);
KEER_NODISCARD enum keer_err family_invitations(struct db *db, const struct id *account, int64_t now_us,
                                                struct family_invitation *room, unsigned *ret_count);
/* KEER_EMISSING when there is no open invitation for the account; KEER_ECONFLICT when it is in a family; KEER_ELIMIT. */
KEER_NODISCARD enum keer_err family_join(struct db *db, const struct id *account, const struct id *invitation,
                                         int64_t now_us, struct family_member *ret_member);
/* By the invited account, or by the organiser. */
KEER_NODISCARD enum keer_err family_decline(struct db *db, const struct id *account, const struct id *invitation);
/* `by` is the member (not a CHILD) or the organiser; the organiser's own leaving ends the family. KEER_EMISSING. */
KEER_NODISCARD enum keer_err family_leave(struct db *db, const struct id *by, const struct id *account, int64_t now_us);

struct approval_new {
    struct id account;
    struct slice what, currency;
    int64_t amount_minor;
};
/* KEER_EMISSING when the account is in no family or is its organiser; KEER_ELIMIT; KEER_EINVALID. */
KEER_NODISCARD enum keer_err approval_ask(struct db *db, const struct approval_new *n, int64_t now_us, struct id *ret_id);
/* By the organiser. KEER_EMISSING when nothing is asked under that id any more. */
KEER_NODISCARD enum keer_err approval_answer(struct db *db, const struct id *organiser, const struct id *approval,
                                             bool granted, int64_t now_us);
/* Uses a granted one; KEER_EMISSING when there is none that is equal, granted and not used. */
KEER_NODISCARD enum keer_err approval_use(struct db *db, const struct approval_new *n, const struct id *approval,
                                          int64_t now_us);
KEER_NODISCARD enum keer_err approval_list(struct db *db, const struct id *family, int64_t now_us,
                                           struct family_approval *room, unsigned *ret_count);
#endif
