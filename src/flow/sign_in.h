/* sign_in.h - signing in: a first factor, the decision, and what follows from it.
 *
 *     password or passkey proved ─► event sign_in decided
 *       ├─ allow ──────────────► no second factor, a trusted device, or two factors shown ─► DONE (FULL); else ─► STEP
 *       ├─ challenge, review ──► two factors shown already ─► DONE
 *       │                        the account has a second factor ─► STEP: a PENDING session, and a challenge that it holds
 *       │                                                             ─► sign_in_finish ─► FULL
 *       │                        it has none ─► CODE: a PENDING session, a code to a contact
 *       │                                                             ─► sign_in_code ─► RESTRICTED, acr 1
 *       └─ deny ───────────────► DENIED, and every contact is told
 *
 * Invariants
 * 1. An unknown name and a wrong password are one answer: the same bytes, statements, one Argon2, one decision.
 * 2. A wrong password is counted before it is looked at (attempts.h), by account and known device: strangers use up their
 * own.
 * 3. A code by e-mail is no second step: what it opens is RESTRICTED.
 * 4. Each success gives the browser a new session token, and ends the session that it brought along.
 */
#ifndef FLOW_SIGN_IN_H
#define FLOW_SIGN_IN_H
#include "flow/accounts.h"
#include "stepup/authenticator.h"

enum sign_in_next {
    SIGN_IN_DONE,
    SIGN_IN_STEP,   /* `challenge` with `methods` */
    SIGN_IN_CODE,   /* `flow`, `sent_to` */
    SIGN_IN_DENIED, /* by the decision; `frozen` when the account is */
    SIGN_IN_WRONG,  /* name or password, or the code: nothing more is said */
    SIGN_IN_LATER,  /* limits: `retry_us` */
    SIGN_IN_FULL    /* no place at the password worker */
};
#define SIGN_IN_SENT_BYTES 64
struct sign_in {
    enum sign_in_next next;
    struct id account, session, challenge, flow;
    struct bearer token; /* of the session; the caller sets the cookie and wipes it */
    enum session_rights rights;
    unsigned methods; /* AUTHENTICATOR_BIT */
    char sent_to[SIGN_IN_SENT_BYTES];
    int64_t retry_us;
    bool frozen;
};
/* All: KEER_OK with any `next`; KEER_EFULL, KEER_EUNSUPPORTED, KEER_EIO, KEER_ENOMEM fail closed. The visitor's device may
 * be another afterwards (device_new). */
KEER_NODISCARD enum keer_err sign_in_password(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                              struct slice name, struct slice password, struct sign_in *ret);

/* What was proved, by whoever proved it: a passkey's flow comes in here. */
struct sign_in_proof {
    struct id account;
    const char *amr;        /* "pwd", "hwk user mfa" */
    enum session_acr acr;   /* ACR_2: two factors in one */
    const char *step_up;    /* of the event: "passkey"; NULL */
    struct slice more;      /* of the event: further members as JSON */
    struct attempt attempt; /* is refunded when the sign-in goes on; used 0: none */
    const char *fresh;      /* the password's new PHC string, instead of `stored`; NULL */
    const char *stored;
    struct id authenticator; /* that proved it; none: a password alone */
    bool by_store;           /* a store vouches for its own customer (store_visit.h) */
};
KEER_NODISCARD enum keer_err sign_in_proved(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                            const struct sign_in_proof *p, struct sign_in *ret);
/* The code that was sent: v->session is PENDING. */
KEER_NODISCARD enum keer_err sign_in_code(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                          const struct id *flow, struct slice code, struct sign_in *ret);

/* In the transaction that found a challenge of the kind sign_in done: its holder, a PENDING session, becomes FULL with acr 2
 * and a new token, the device is known from now on, and every contact is told of a new one. KEER_EMISSING when the session
 * is not valid any more. `with`: the authenticator that answered; `amr`: CHALLENGE_AMR_x of the answer. */
KEER_NODISCARD enum keer_err sign_in_finish(struct db *db, const struct accounts *a, const struct id *session,
                                            const struct id *with, unsigned amr, int64_t now_us, struct bearer *ret_token);
#endif
