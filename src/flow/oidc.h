/* oidc.h - the OpenID provider: use cases over src/oidc, src/account and src/stepup.
 *
 *     browser ─► oidc_authorize ─┬─ nobody signed in, too long ago, prompt=login ─► /sign-in ──────────┐
 *                                ├─ acr 2 wanted, or a payment to confirm ─► /challenge/{id} ──────────┤
 *                                │        ┌──────────────────────── oidc_resume ◄──────────────────────┘
 *                                └────────┴─► code, or an error, at the redirect URI with `iss` (RFC 9207)
 *     client ─► oidc_push; oidc_token with the code, a refresh token or what CIBA gave; oidc_userinfo, _introspect, _revoke
 *
 * Invariants
 * 1. `struct oidc` does not change after the start but for its keys, which are read under their lock.
 * 2. What is granted and what is used up is one transaction with what it rests on: session, account, challenge.
 * 3. A token without offline_access is valid as long as its session is; with it, as long as the account is active.
 * 4. A payment in a token was confirmed in a challenge of the kind payment whose data were exactly those (dynamic linking);
 * the challenge is used by that one grant.
 * 5. A code, a token or a secret is never in the log.
 */
#ifndef FLOW_OIDC_H
#define FLOW_OIDC_H
#include "flow/accounts.h"
#include "net/client.h"
#include "oidc/grant.h"
#include "oidc/request.h"
#include "oidc/signing.h"

struct oidc;
struct oidc_options {
    const char
        *issuer; /* https://..., or http on a loopback host; no query, no slash at its end. NULL: there is no provider,
                         * but a key that answers to challenges are signed with (ES256), its set and its rotation */
    const struct accounts *accounts; /* its key seals the signing keys in the database, and numbers of prompts */
    const char *database;
    const struct log *log;
    struct net_networks allowed; /* that sign-outs may be sent to though they are not public */
};
/* Whether it can be an issuer. */
bool oidc_issuer_valid(struct slice s);
/* An issuer was found valid. KEER_EFORMAT when the keys were sealed under another account key. */
KEER_NODISCARD enum keer_err oidc_new(const struct oidc_options *o, struct oidc **ret_oidc, struct db_why *ret_why);
void oidc_free(struct oidc *o); /* NULL is fine */
const char *oidc_issuer(const struct oidc *o);
/* Rotates keys, forgets what is over, tells clients of sign-outs: a timer of the desk. */
void oidc_tick(struct desk_worker *w, void *o);
#define OIDC_TICK_US (5 * US_SECOND)

/* The documents of OpenID Connect Discovery 4 and RFC 8414, and of RFC 7517 section 5. */
void oidc_metadata(const struct oidc *o, struct buf *b);
KEER_NODISCARD enum keer_err oidc_jwks(struct oidc *o, struct desk_worker *w, struct buf *b);
/* A JWT of the provider, with the key of the algorithm that signs now: what else the daemon signs uses it too (challenges).
 */
KEER_NODISCARD enum keer_err oidc_sign(struct oidc *o, struct desk_worker *w, enum crypto_alg alg, const char *typ,
                                       struct slice claims, struct buf *b);

/* What an endpoint says when it does not do what was asked. */
struct oidc_refusal {
    enum oidc_error error; /* OIDC_OK: it does */
    const char *why;       /* a sentence; NULL: the error's own */
};

/* --- for browsers --- */
enum oidc_next {
    OIDC_TO_CLIENT, /* `url`: a redirect URI with a code or an error */
    OIDC_TO_PAGE,   /* `url`: a path of ours */
    OIDC_SHOW       /* `refusal` is shown here: the redirect URI is not known */
};
struct oidc_answer { /* starts as {0} */
    enum oidc_next next;
    struct buf url;
    struct oidc_refusal refusal;
};
void oidc_answer_release(struct oidc_answer *a);
/* `session`: the session's cookie, p NULL without one. KEER_OK with any `next`. */
KEER_NODISCARD enum keer_err oidc_authorize(struct oidc *o, struct desk_worker *w, struct slice session,
                                            const struct oidc_params *params, struct oidc_answer *ret_answer);
/* After a sign-in or a step; `cancel`: the person gave up. */
KEER_NODISCARD enum keer_err oidc_resume(struct oidc *o, struct desk_worker *w, struct slice session, struct slice request,
                                         bool cancel, struct oidc_answer *ret_answer);
/* RP-initiated logout. `confirmed`: the person said yes on our page. With OIDC_TO_PAGE and an empty `url` the caller asks
 * the person; *ret_ended says that the cookie is to be removed. */
struct oidc_signing_out {
    struct slice session, id_token_hint, client_id, redirect_uri, state;
    bool confirmed;
};
KEER_NODISCARD enum keer_err oidc_sign_out(struct oidc *o, struct desk_worker *w, const struct oidc_signing_out *s,
                                           struct oidc_answer *ret_answer, bool *ret_ended);

/* --- for clients --- */
struct oidc_credentials {       /* what came along; p NULL: not */
    struct slice authorization; /* the header */
    struct slice client_id, client_secret, assertion, assertion_type;
};
/* Who it is. KEER_OK with any refusal. */
KEER_NODISCARD enum keer_err oidc_client_prove(struct oidc *o, struct desk_worker *w, const struct oidc_credentials *c,
                                               struct oidc_client *ret_client, struct oidc_refusal *ret_refusal);
/* The rest: `out` gets the JSON of success. */
KEER_NODISCARD enum keer_err oidc_push(struct oidc *o, struct desk_worker *w, const struct oidc_client *c,
                                       const struct oidc_params *params, struct buf *out, struct oidc_refusal *ret_refusal);
struct oidc_exchange {
    struct slice grant_type, code, redirect_uri, code_verifier, refresh_token, scope, auth_req_id;
};
KEER_NODISCARD enum keer_err oidc_token(struct oidc *o, struct desk_worker *w, const struct oidc_client *c,
                                        const struct oidc_exchange *e, struct buf *out, struct oidc_refusal *ret_refusal);
KEER_NODISCARD enum keer_err oidc_userinfo(struct oidc *o, struct desk_worker *w, struct slice token, struct buf *out,
                                           struct oidc_refusal *ret_refusal);
KEER_NODISCARD enum keer_err oidc_introspect(struct oidc *o, struct desk_worker *w, const struct oidc_client *c,
                                             struct slice token, struct buf *out);
KEER_NODISCARD enum keer_err oidc_revoke(struct oidc *o, struct desk_worker *w, const struct oidc_client *c,
                                         struct slice token);
struct oidc_backchannel {
    struct slice scope, login_hint, id_token_hint, login_hint_token, binding_message, acr_values, requested_expiry,
        authorization_details;
};
KEER_NODISCARD enum keer_err oidc_ciba(struct oidc *o, struct desk_worker *w, const struct oidc_client *c,
                                       const struct oidc_backchannel *b, struct buf *out, struct oidc_refusal *ret_refusal);

/* --- for administrators --- */
/* Registers; *ret_secret is told once, empty when the client has none. KEER_ELIMIT. */
KEER_NODISCARD enum keer_err oidc_register(struct desk_worker *w, struct oidc_client *c, struct oidc_secret *ret_secret);
#endif
