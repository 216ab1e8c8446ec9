/* account_use.h - use cases of a person's own account: looking at it, ending sessions, devices, addresses, the password.
 * Functions for a desk (desk_fn), over one request's case.
 *
 * Invariants
 * 1. What raises what somebody could do with the account goes through the guard (guard.h); what takes rights away is done at
 * once.
 * 2. A code counts before it is looked at. A step that was asked after a right code does not ask for the code again.
 * 3. A device that is not trusted any more is no authenticator any more, in the same transaction.
 */
#ifndef FLOW_ACCOUNT_USE_H
#define FLOW_ACCOUNT_USE_H
#include "account/proof.h"
#include "flow/accounts.h"
#include "flow/enrol.h"
#include "stepup/authenticator.h"

#define ACCOUNT_ACTIVITY_MAX 30

struct account_view { /* read in one snapshot */
    const struct visitor *v;
    int64_t now_us;
    struct account account;
    struct identifier identifiers[IDENTIFIERS_MAX];
    struct contact contacts[CONTACTS_MAX];
    struct device devices[DEVICES_MAX];
    struct session sessions[SESSIONS_MAX];
    struct authenticator authenticators[AUTHENTICATORS_MAX];
    struct notice activity[ACCOUNT_ACTIVITY_MAX];
    unsigned identifiers_count, contacts_count, devices_count, sessions_count, authenticators_count, activity_count,
        codes_left;
    bool has_password;
    struct enrol_waiting waits;                   /* changes that can be called off, and a recovery */
    struct step_prompt_view prompts[PROMPTS_MAX]; /* for this browser, when it is trusted */
    unsigned prompts_count;
};

desk_fn account_view_read; /* any */

struct account_changing {
    const struct accounts *a;
    const struct visitor *v;
    struct id id;
    struct slice name;
    int64_t now_us;
    int64_t count;
};

/* KEER_EMISSING. */
desk_fn account_session_end, account_session_end_others, account_device_remove;

struct account_judging {
    const struct accounts *a;
    const struct id *account;
    struct slice password;
    enum password_flaw flaw;
    int64_t changed_us; /* when the one that it replaces was set; 0: there is none */
};

struct account_addressing { /* one request */
    const struct accounts *a;
    const struct visitor *v;
    struct identifier address;
    struct id contact, proof;
    struct slice code;
    struct id challenge;
    int64_t now_us;
    struct attempt_begun begun;
    enum proof_verdict verdict;
    struct contact found;
    bool confirmed, last;
};

struct account_naming {
    const struct visitor *v;
    struct id id;
    struct slice name;
    bool distrust;
    int64_t now_us;
    struct device found;
};

desk_fn account_password_judge; /* any */
/* Adds an address that is not verified, or finds it again, and sends a code there. KEER_ECONFLICT when it is verified,
 * KEER_ELIMIT. */
desk_fn account_contact_put;
/* The address, and whether the step's challenge knows that its code was right. KEER_EMISSING. */
desk_fn account_contact_find;
desk_fn account_contact_count, account_contact_check;
desk_fn account_contact_look; /* any: `found`, `last` */
desk_fn account_contact_drop; /* one that is not verified */
/* Name, and `distrust`. KEER_EMISSING, KEER_EINVALID. */
desk_fn account_device_put;
#endif
