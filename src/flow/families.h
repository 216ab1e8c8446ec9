/* families.h - use cases of families: forming one, inviting, joining, leaving, approving. Functions for a desk (desk_fn),
 * over one request's case.
 *
 * Invariants: whether a name that is invited belongs to somebody is not told: the answer is the same, and it was counted.
 * What a stranger reads in a notice is a masked address, never words that somebody chose.
 */
#ifndef FLOW_FAMILIES_H
#define FLOW_FAMILIES_H
#include "account/family.h"
#include "flow/accounts.h"

struct family_case { /* one request */
    const struct accounts *a;
    const struct visitor *v;
    struct id id; /* of an invitation, a member, an approval */
    struct identifier invited;
    bool known; /* `invited` can be a name */
    enum family_role role;
    bool yes;
    int64_t now_us;
    struct attempt_begun begun;
    /* found */
    struct family_member me, members[FAMILY_MEMBERS_MAX];
    struct family_invitation invitations[FAMILY_INVITATIONS_MAX];
    struct family_approval approvals[FAMILY_APPROVALS_MAX];
    unsigned members_count, invitations_count, approvals_count;
    bool member;
};

/* Any: `me`, members, invitations to the account, approvals. */
desk_fn families_look;
/* KEER_ECONFLICT: the account is in a family. The id of the family is in `id`. */
desk_fn families_make;
/* `id`: of the invitation. KEER_EMISSING, KEER_ECONFLICT, KEER_ELIMIT. */
desk_fn families_join, families_decline;
/* `id`: of the member. KEER_EMISSING. */
desk_fn families_leave;
/* `id`: of the approval; `yes`. KEER_EMISSING. */
desk_fn families_approve;
/* `invited` when `known`, `role`. KEER_EMISSING: the account is no organiser; KEER_ELIMIT. `begun` says whether limits let
 * it. */
desk_fn families_invite;
#endif
