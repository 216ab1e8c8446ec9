/* recovery.h - how somebody who can't sign in gets back: two independent ways, or a wait of days that anybody can stop.
 *
 *     recovery_start ─► OPEN ── recovery_prove, each a way ──► ready? ─┬─ yes: recovery_finish ─► DONE
 *     (same answer for a name that nobody has)                         └─ no:  recovery_finish ─► WAITING ─┬─ due ─► DONE
 *                                                                              from one way on            └─ cancelled
 *
 * Ways: E (a code sent to a verified e-mail address), P (the same to a phone number), R (a recovery code), T (a TOTP code),
 * D (the browser is a device that the account knows).
 *
 *     the account                          at once with                     else
 *     has an authenticator                 E+P, E+R, P+R, E+T, P+T          one way, and --recovery-wait (3 days)
 *     has none                             those, E+D, P+D                  the same
 *     its authenticators are lost          never                            one way, and --recovery-wait
 *
 * Invariants
 * 1. A recovery sets a new password, ends every session, refuses every challenge and calls off every change that waits: what
 * is pending never goes through by weaker proof than it was asked by.
 * 2. Authenticators stay: the next sign-in wants a step. They are removed only where the person said that they are lost, and
 * then after the wait alone (`lost`); 'not me' gives them back.
 * 3. Start, proof and finish tell every contact. While one waits, linked wallets are paused (guard_hold).
 * 4. It is cancelled by one click of any notice, and from any session of the account or browser that it knows.
 * 5. What is answered to a name that nobody has is the same in bytes and work; nothing ever proves it.
 * 6. At most one recovery of an account waits: another one neither replaces it nor restarts its wait.
 * A frozen account is thawed by a recovery with two ways or the wait: its owner is who can do that.
 * All functions run in a transaction of the writing connection unless they say `any`.
 */
#ifndef FLOW_RECOVERY_H
#define FLOW_RECOVERY_H
#include "flow/guard.h"

#define RECOVERY_OPEN_US (30 * US_MINUTE)

enum recovery_way { RECOVERY_EMAIL = 1, RECOVERY_PHONE = 2, RECOVERY_CODE = 4, RECOVERY_TOTP = 8, RECOVERY_DEVICE = 16 };
enum recovery_state { RECOVERY_OPEN, RECOVERY_WAITING, RECOVERY_DONE, RECOVERY_CANCELLED, RECOVERY_STATE_MAX };
struct recovery {
    struct id id, account; /* account: none for a name that nobody has */
    enum recovery_state state;
    unsigned ways;
    bool lost;
    char where[SESSION_IP_BYTES + 1], family[DEVICE_FAMILY_BYTES + 1];
    int64_t created_us, until_us /* while OPEN */, due_us /* WAITING */, ended_us;
};

struct recovery_start {
    struct slice name;              /* as somebody signs in */
    struct crypto_hash device_hash; /* of the browser's token; zero: none */
    struct slice where, family;
};
/* A flow, whatever the name is. The codes are sent by recovery_send, a moment later: what the answer takes must not tell
 * whether there is anybody to send them to. */
KEER_NODISCARD enum keer_err recovery_start(struct db *db, const struct guard *g, const struct recovery_start *r,
                                            int64_t now_us, struct recovery *ret);
/* A code of one of the contacts, a recovery code or a TOTP code: *ret_ok. The caller has begun an attempt. KEER_EMISSING
 * when the flow is over. Commits whatever it says: wrong answers count. */
KEER_NODISCARD enum keer_err recovery_prove(struct db *db, const struct guard *g, const struct id *flow, struct slice code,
                                            int64_t now_us, bool *ret_ok, struct recovery *ret);
/* What its wrong codes are counted for: the account, or what stands for a name that nobody has. Any. KEER_EMISSING. */
KEER_NODISCARD enum keer_err recovery_bucket(struct db *db, const struct id *flow, struct id *ret_bucket);
/* Any. KEER_EMISSING. */
KEER_NODISCARD enum keer_err recovery_get(struct db *db, const struct id *flow, int64_t now_us, struct recovery *ret);
/* Whether the ways are enough at once. Any. */
KEER_NODISCARD enum keer_err recovery_ready(struct db *db, const struct recovery *r, bool lost, bool *ret);
/* With the PHC string of the new password, which the caller judged and hashed. DONE, or WAITING until `due_us`.
 * KEER_EMISSING without a single way. */
KEER_NODISCARD enum keer_err recovery_finish(struct db *db, const struct guard *g, const struct id *flow, struct slice phc,
                                             bool lost, int64_t now_us, struct recovery *ret);
/* The one that waits. Any. KEER_EMISSING. */
KEER_NODISCARD enum keer_err recovery_waiting(struct db *db, const struct id *account, struct recovery *ret);
KEER_NODISCARD enum keer_err recovery_cancel(struct db *db, const struct guard *g, const struct id *account,
                                             struct slice where, int64_t now_us);
KEER_NODISCARD enum keer_err recovery_cancel_all(struct db *db, const struct id *account, int64_t now_us);
/* A code to each verified contact of the accounts whose flows began since. */
KEER_NODISCARD enum keer_err recovery_send(struct db *db, const struct guard *g, int64_t now_us, unsigned *ret_count);
/* 'Not me': calls off what is open or waits; what was done gives back the password and the authenticators of before.
 * *ret_nothing: nobody had proved anything, which is no reason to freeze. KEER_EMISSING. */
KEER_NODISCARD enum keer_err recovery_undo(struct db *db, const struct id *account, const struct id *recovery,
                                           int64_t now_us, bool *ret_nothing);
/* One that is due: of which account; *ret_count 0: none is. */
KEER_NODISCARD enum keer_err recovery_apply_due(struct db *db, const struct guard *g, int64_t now_us, struct recovery *ret,
                                                unsigned *ret_count);
KEER_NODISCARD enum keer_err recoveries_forget(struct db *db, int64_t before_us, int64_t rows_max);
#endif
