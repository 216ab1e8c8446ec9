/* enrol.h - another authenticator, or one less: TOTP and recovery codes; passkeys have their own flow. Each goes through the
 * guard.
 *
 *     enrol_totp ─► (secret and QR code, told once) ─► enrol_totp_confirm, a code of the app ─► guard_ask ─► active, a step, or a wait
 *     enrol_codes ─► guard_ask ─► ten codes, told once: active, or active when the wait is over
 *     enrol_remove ─► guard_ask ─► removed; what waits or was never confirmed is dropped at once
 *
 * Invariants
 * 1. A secret and codes are told once, to the session that asked.
 * 2. An app is added after it has shown a code: what nobody can answer with is no authenticator.
 * 3. Wrong codes of a confirmation count like any other.
 * 4. Every change is an event, authenticator_added or authenticator_removed, and its decision may refuse it.
 */
#ifndef FLOW_ENROL_H
#define FLOW_ENROL_H
#include "flow/recovery.h"
#include "flow/step.h"
#include "stepup/code.h"
#include "stepup/totp.h"

enum enrol_outcome {
    ENROL_GUARD,  /* see `guard` */
    ENROL_WRONG,  /* the code */
    ENROL_LATER,  /* a limit, until `retry_us` */
    ENROL_OVER,   /* no such enrolment, or too many wrong codes: begin again */
    ENROL_DENIED, /* by the decision */
    ENROL_FULL    /* AUTHENTICATORS_MAX */
};
struct enrol {
    enum enrol_outcome outcome;
    struct guard_answer guard;
    struct code_set codes; /* of enrol_codes, when they are told; the caller wipes it */
    bool told;
    int64_t retry_us;
};
/* What is said about a change besides: of the request's header Keer-Challenge. */
struct enrol_request {
    const struct visitor *v; /* with a session that is RESTRICTED or FULL */
    struct id challenge;     /* none: not given */
};
/* The secret; the caller wipes it. `ret_label`: what an app calls the account: its first e-mail address, else user name or
 * phone number, else the beginning of its id. KEER_EFULL. */
KEER_NODISCARD enum keer_err enrol_totp(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                        struct slice name, struct totp_enrolment *ret, struct identifier *ret_label);
KEER_NODISCARD enum keer_err enrol_totp_confirm(const struct steps *s, struct desk_worker *w, const struct enrol_request *r,
                                                const struct id *id, struct slice code, struct enrol *ret);
KEER_NODISCARD enum keer_err enrol_codes(const struct steps *s, struct desk_worker *w, const struct enrol_request *r,
                                         struct enrol *ret);
KEER_NODISCARD enum keer_err enrol_remove(const struct steps *s, struct desk_worker *w, const struct enrol_request *r,
                                          const struct id *id, struct enrol *ret);
/* Asks the guard for a change, after its event was decided: for the other flows too. `type`: of the event. */
KEER_NODISCARD enum keer_err enrol_guarded(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                           const char *type, const struct guard_request *g, struct enrol *ret);

/* What waits for v's account, read in one snapshot. */
struct enrol_waiting {
    struct guard_row rows[GUARD_PENDING_MAX];
    unsigned count;
    struct recovery recovery;
    bool recovers;
    struct account_hold hold;
};
/* In a transaction of the caller's. Any. */
KEER_NODISCARD enum keer_err enrol_waits_read(struct db *db, const struct id *account, int64_t now_us,
                                              struct enrol_waiting *ret);
KEER_NODISCARD enum keer_err enrol_waits(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                         struct enrol_waiting *ret);
/* KEER_EMISSING when no such change of the account waits. */
KEER_NODISCARD enum keer_err enrol_call_off(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                            const struct id *change);
#endif
