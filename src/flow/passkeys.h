/* passkeys.h - passkeys in use: registered, signed in with, answering challenges, confirming payments.
 *
 *     register:  options ─► browser ─► passkeys_register ─► verified, kept ENROLLING ─► the guard: applied, a step, or a wait
 *     sign in:   options ─► browser ─► passkeys_sign_in  ─► verified ─► sign_in_proved (two factors in one: acr 2)
 *     challenge: options ─► browser ─► passkeys_answer   ─► verified ─► step_end
 *
 * Invariants
 * 1. An answer is counted, and its question used up, in one commit before it is looked at.
 * 2. The user was verified by the authenticator (PIN or biometrics), whatever for: a passkey without is refused, and a
 * browser is told so beforehand.
 * 3. A challenge of a payment is answered by Secure Payment Confirmation, whose client data hold everything that was shown
 * and are compared with the challenge, or by WebAuthn over the challenge's bytes, which depend on a hash of the same things
 *    (challenge.h); any other kind by WebAuthn alone.
 * 4. Refusals of a sign-in are one answer, whether the passkey is known or not.
 * 5. A counter that did not grow and changed backup flags are members of the event, for the policy.
 * 6. Failures don't feed the password's limits, and a success clears none of them (attempts.def).
 * 7. Attestation is asked for when there are roots to judge it by, and kept with the passkey: trusted, or not. Only
 * `trusted` refuses one for the want of it. Library code: nothing about why is told to a browser; verdicts go to the log,
 * with the account.
 */
#ifndef FLOW_PASSKEYS_H
#define FLOW_PASSKEYS_H
#include "flow/enrol.h"
#include "flow/passkey_json.h"
#include "flow/sign_in.h"

#define PASSKEY_ORIGINS_MAX 8u
#define PASSKEY_ORIGIN_BYTES 300u
#define PASSKEY_ROOTS_MAX 256u
#define PASSKEY_RP_ID_BYTES 253u
#define PASSKEY_OPTIONS_BYTES (64u << 10)

struct passkeys { /* does not change after the start */
    const struct accounts *accounts;
    const struct steps *steps;
    char rp_id[PASSKEY_RP_ID_BYTES + 1];
    char origin[PASSKEY_ORIGINS_MAX][PASSKEY_ORIGIN_BYTES + 1];
    unsigned origins_count;
    struct crypto_cert *roots[PASSKEY_ROOTS_MAX]; /* of attestation; passkeys_release frees them */
    unsigned roots_count;
    bool trusted; /* a passkey that none of them vouches for is refused */
};
/* Certificates in PEM whose makers vouch for their authenticators; with one, browsers are asked for attestations.
 * KEER_EFORMAT when there is none, or something that is none; KEER_ELIMIT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err passkeys_add_roots(struct passkeys *p, struct slice pem);
void passkeys_release(struct passkeys *p);
/* https://HOST[:PORT] or, for development, http://localhost[:PORT], as browsers write it (RFC 6454 section 6.2). */
bool passkeys_is_origin(struct slice s);
/* One more origin. The rp id, when none is set, becomes its host. KEER_EINVALID: not https://HOST[:PORT] or, for
 * development, http://localhost[:PORT]; KEER_ELIMIT. */
KEER_NODISCARD enum keer_err passkeys_add_origin(struct passkeys *p, struct slice origin);
/* KEER_EINVALID: not a host name in small letters, or not one above or equal to each origin's (WebAuthn 5.1.3 step 8). */
KEER_NODISCARD enum keer_err passkeys_set_rp_id(struct passkeys *p, struct slice rp_id);
/* After both: whether every origin may use the rp id. */
bool passkeys_are_right(const struct passkeys *p);

/* --- registration; the session is RESTRICTED or FULL --- */
/* {"flow":...,"publicKey":...} KEER_EFULL: there are PASSKEYS_MAX. */
KEER_NODISCARD enum keer_err passkeys_register_options(const struct passkeys *p, struct desk_worker *w,
                                                       const struct visitor *v, bool payment, struct buf *out);
struct passkeys_registering {
    struct id flow;
    const struct passkey_reply *reply;
    struct slice name;   /* "" : what the browser is */
    struct id challenge; /* of Keer-Challenge; none */
};
struct passkeys_registered {
    enum webauthn_verdict verdict; /* WEBAUTHN_CHALLENGE also for a flow that is over; the rest with WEBAUTHN_OK */
    bool known;                    /* the credential is registered already */
    struct id id;
    struct enrol enrol; /* what decision and guard said */
};
/* KEER_EFULL, KEER_EIO, KEER_ENOMEM, KEER_EUNSUPPORTED. */
KEER_NODISCARD enum keer_err passkeys_register(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                               const struct passkeys_registering *r, struct passkeys_registered *ret);

/* --- sign-in; anybody. A question writes nothing: pages ask for one whenever they are opened. --- */
KEER_NODISCARD enum keer_err passkeys_sign_in_options(const struct passkeys *p, struct desk_worker *w,
                                                      const struct visitor *v, struct buf *out);
KEER_NODISCARD enum keer_err passkeys_sign_in(const struct passkeys *p, struct desk_worker *w, struct visitor *v,
                                              const struct id *flow, const struct passkey_reply *reply, struct sign_in *ret);

/* --- challenges; who holds one --- */
/* {"publicKey":...}, and of a payment "payment": the data of the payment method `secure-payment-confirmation` without its
 * bytes decoded, and `total`. KEER_EMISSING: there is no such challenge that is open, or the account has no passkey. */
KEER_NODISCARD enum keer_err passkeys_answer_options(const struct passkeys *p, struct desk_worker *w,
                                                     const struct visitor *v, const struct id *challenge, struct buf *out);
KEER_NODISCARD enum keer_err passkeys_answer(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                             const struct id *challenge, const struct passkey_reply *reply,
                                             struct step *ret);
/* Forgets questions that are over: a timer of the desk. */
void passkeys_forget(struct desk_worker *w, void *ctx);
#endif
