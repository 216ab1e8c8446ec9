/* guard.h - the guard before changes of an account: a second step, or a wait that everybody hears of and anybody can stop.
 *
 *     guard_ask ─┬─ has an authenticator ─► GUARD_STEP (a challenge of the kind change) ─► guard_ask with it ─► applied
 *                ├─ has none, just signed up, nothing linked ──────────────────────────────────────────────────► applied
 *                └─ has none ─► WAITING ─┬─ guard_tick, when due ─► applied ─┬─ guard_undo ('not me') ─► UNDONE
 *                                        ├─ guard_cancel ─► CANCELLED        └─ 14 days ─► (a row of the log)
 *                                        └─ guard_undo ('not me') ─► CANCELLED
 *
 * Invariants
 * 1. Whoever has only a password, or a session that only a password opened, changes nothing at once that would open the
 *    account to him: it waits, every contact is told, and each of the notices stops it with one click.
 * 2. An account that ever had an authenticator wants a step; one that is disabled (too many wrong answers), or a set of
 *    codes that is spent, is no way around it: then there is recovery.h.
 * 3. A change is applied exactly once, in the transaction that moves its row; what can't be applied any more is FAILED.
 * 4. While anything waits, or a recovery does, linked wallets are paused: guard_hold, which issue 5's charge path reads in
 * its own transaction. It is no flag but a question to the rows that wait, so that it can't be left behind.
 * 5. A step is for one change of one thing: the challenge binds change, thing and detail, or where there is no detail the
 *    data (another password than the one that the step was asked for is refused), and is used once.
 * 6. An account that is not active changes nothing: what waits is cancelled when it is frozen.
 * 7. An authenticator that is younger than first_us raises no limit of a wallet at once: who got in with one stolen code adds
 *    one of his own, and would answer every step from then on. An older one raises it at once as far as wallet_waits lets it:
 *    who holds an unlocked device answers every step too.
 * 8. A session's 'not me' takes away, calls off and locks, and gives nothing back: what was removed is brought back by the link of
 *    a message alone. Who holds an old session, a thief's whose authenticator the owner has just removed, would else have it again by
 *    saying that the removal was not him; and the link of whom a thief robbed of his own is not used up by that.
 * 9. So does the link that went to an address which was removed from the account, while an older address is still there: a thief's
 *    own, thrown out by its owner, hears for a week longer (contact.h) and gives the thief nothing back by it. An owner's that a thief
 *    threw out is older than what the thief put in its place.
 * 'Not me' undoes the change, ends every session, refuses every challenge, freezes the account and calls off all that waits.
 * All functions run in a transaction of the writing connection unless they say `any`. KEER_EIO leaves its words in db_why.
 */
#ifndef FLOW_GUARD_H
#define FLOW_GUARD_H
#include "account/notice.h"
#include "account/session.h"
#include "stepup/challenge.h"

enum guard_change {
#define GUARD(name, text, wait, notice, apply, undo, back, what) GUARD_##name,
#include "flow/guard.def"
#undef GUARD
    GUARD_CHANGE_MAX
};
const char *guard_change_name(enum guard_change change);
const char *guard_change_what(enum guard_change change);

#define GUARD_DATA_BYTES 512
/* What the daemon was started with. */
struct guard {
    const struct crypto_hash *key; /* the account key (notices, seals) */
    int64_t first_us, wait_us;     /* --guard-first, --guard-wait */
    int64_t grace_us;              /* --guard-grace: after the sign-up, in the session that it began; 0: none */
    int64_t recovery_us;           /* --recovery-wait */
    /* Wallets (agreements.h). Raises a limit as `data` says, and notes in `was` what undoing needs; or undoes it, by `was`.
     * NULL: refused. */
    enum keer_err (*wallet_limit)(struct db *db, const struct id *account, struct slice data, bool raise,
                                  char was[GUARD_DATA_BYTES + 1], int64_t now_us);
    /* Whether the raise that `data` says waits as long as first_us whatever was proved. KEER_ERANGE: it is not to be had at all;
     * KEER_EMISSING: it is not any more what was shown. NULL: it waits. */
    enum keer_err (*wallet_waits)(struct db *db, const struct id *account, struct slice data, int64_t now_us, bool *ret);
    /* 'Not me' to a charge: its agreement is paused; *ret_event: of the event that is to be reported. NULL: there are none. */
    enum keer_err (*wallet_charge)(struct db *db, const struct id *account, const struct id *charge, int64_t now_us,
                                   char ret_event[LIMIT_NAME_BYTES + 1]);
    /* 'Not me' to a wallet that was linked: ends the agreement. NULL: there are no wallets. */
    enum keer_err (*wallet_end)(struct db *db, const struct id *account, const struct id *agreement, int64_t now_us);
};
#define GUARD_FIRST_US (24 * US_HOUR)
#define GUARD_WAIT_US US_HOUR
#define GUARD_GRACE_US (15 * US_MINUTE)
#define RECOVERY_WAIT_US (3 * US_DAY)
#define GUARD_UNDO_US NOTICE_NOT_ME_US
#define GUARD_PENDING_MAX 8 /* that wait, of one account */

struct guard_request {
    const struct session *session; /* who asks: FULL, or RESTRICTED for authenticators and recovery codes */
    enum guard_change change;
    struct id thing;     /* authenticator, contact or device; none: the account's own */
    struct slice detail; /* what it is to a person: "Pixel 9"; at most CHALLENGE_TEXT_BYTES, one line */
    struct slice data;   /* what applying needs: the PHC string of a password; at most GUARD_DATA_BYTES */
    struct id challenge; /* of Keer-Challenge; none: not given */
    struct slice where;  /* the address of the net, for notices */
    struct slice event;  /* id of the event that was decided for it: 'not me' to its step reports that; "" for none */
};
enum guard_outcome {
    GUARD_APPLIED,
    GUARD_STEP,     /* `challenge` was opened: do it, and ask again with it */
    GUARD_WAITS,    /* until `until_us` */
    GUARD_BAD_STEP, /* the challenge that was given is not done, was used, or is for something else */
    GUARD_REFUSED   /* account not active, session may not, GUARD_PENDING_MAX, or NEVER without an authenticator */
};
struct guard_answer {
    enum guard_outcome outcome;
    struct id change;    /* APPLIED, WAITS: of its row */
    struct id challenge; /* STEP */
    unsigned methods;    /* STEP: AUTHENTICATOR_BIT(kind) */
    int64_t until_us;    /* WAITS */
};
/* Asks for a change. With GUARD_STEP the thing is remembered as confirmed (guard_confirmed), so that what is taken once, a
 * TOTP code or an attestation, is not asked for again. KEER_EMISSING when the thing is not the account's. */
KEER_NODISCARD enum keer_err guard_ask(struct db *db, const struct guard *g, const struct guard_request *r, int64_t now_us,
                                       struct guard_answer *ret);
/* Whether the challenge was opened by guard_ask for this change of this thing, and is open or done still. Any. */
KEER_NODISCARD enum keer_err guard_confirmed(struct db *db, const struct id *challenge, const struct id *account,
                                             enum guard_change change, const struct id *thing, int64_t now_us, bool *ret);

enum guard_state { GUARD_WAITING, GUARD_DONE, GUARD_CANCELLED, GUARD_UNDONE, GUARD_FAILED, GUARD_STATE_MAX };
const char *guard_state_name(enum guard_state state);
struct guard_row {
    struct id id, account, thing;
    enum guard_change change;
    enum guard_state state;
    char detail[CHALLENGE_TEXT_BYTES + 1], where[SESSION_IP_BYTES + 1];
    int64_t created_us, due_us, ended_us;
};
/* Those that wait, the earliest first. Any. */
KEER_NODISCARD enum keer_err guard_pending(struct db *db, const struct id *account,
                                           struct guard_row ret_rows[GUARD_PENDING_MAX], unsigned *ret_count);
/* Calls off one that waits. KEER_EMISSING. */
KEER_NODISCARD enum keer_err guard_cancel(struct db *db, const struct guard *g, const struct id *account,
                                          const struct id *change, struct slice where, int64_t now_us);
/* All of an account's that wait: for a freeze, a recovery, a closing. */
KEER_NODISCARD enum keer_err guard_cancel_all(struct db *db, const struct id *account, int64_t now_us);
/* Applies at most `rows_max` that are due; each in this transaction or not at all. */
KEER_NODISCARD enum keer_err guard_apply_due(struct db *db, const struct guard *g, int64_t now_us, unsigned rows_max,
                                             unsigned *ret_count);

/* What undoing needed of changes and recoveries that nobody can take back any more, old password hashes among it, goes. */
KEER_NODISCARD enum keer_err guard_forget(struct db *db, int64_t now_us);

/* 'It was not me', by the token of a notice: undoes what it tells of, freezes, ends, refuses, calls off. KEER_EMISSING for a
 * token that is none, was used or is too old. *ret_event: id of the event whose decision let it in, for a report; "" for
 * none. */
struct guard_not_me {
    struct id account;
    enum notice_kind kind;
    bool undone; /* a change was taken back or called off */
    bool kept;   /* it was not, because who said it may not: the links of other messages still give back what was removed */
    bool frozen; /* not for a recovery in which nobody had proved anything */
    char event[LIMIT_NAME_BYTES + 1];
};
KEER_NODISCARD enum keer_err guard_not_me(struct db *db, const struct guard *g, struct slice token, int64_t now_us,
                                          struct guard_not_me *ret);
/* The same for the signed-in person, of a notice of recent activity or of a change that waits, by its id. KEER_EMISSING when it
 * is none of the account's that can be objected to (any more). Whoever holds a session can lock its account by it, and less
 * than the holder of one message could (invariant 8). */
enum guard_told { GUARD_TOLD_NOTICE, GUARD_TOLD_CHANGE };
KEER_NODISCARD enum keer_err guard_not_me_own(struct db *db, const struct guard *g, const struct id *account,
                                              enum guard_told told, const struct id *id, int64_t now_us,
                                              struct guard_not_me *ret);
/* The lock alone, from a prompt's 'it was not me'. `why` is told to the person (account.frozen_why). */
KEER_NODISCARD enum keer_err guard_freeze(struct db *db, const struct guard *g, const struct id *account, struct slice why,
                                          int64_t now_us);

/* What came of an authenticator ends where it is removed: sessions that it opened, a trusted device's own, answers of its that
 * nobody has used; `keep`, the session that asked, stays. */
KEER_NODISCARD enum keer_err guard_authenticator_gone(struct db *db, const struct authenticator *a, const struct id *keep,
                                                      int64_t now_us);

/* --- wallets: what issue 5 tells and asks --- */
KEER_NODISCARD enum keer_err guard_wallet_linked(struct db *db, const struct id *account, struct slice agreement,
                                                 int64_t now_us);
KEER_NODISCARD enum keer_err guard_wallet_unlinked(struct db *db, const struct id *account, struct slice agreement);
KEER_NODISCARD enum keer_err guard_has_wallet(struct db *db, const struct id *account, bool *ret);
/* Whether an account's linked wallets are paused, until when at least, and why: "change_waits", "recovery_waits",
 * "frozen", "closed". Any. */
struct account_hold {
    bool held;
    int64_t until_us; /* INT64_MAX: for no set time */
    const char *why;
};
KEER_NODISCARD enum keer_err guard_hold(struct db *db, const struct id *account, int64_t now_us, struct account_hold *ret);
#endif
