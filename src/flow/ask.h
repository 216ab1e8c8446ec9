/* ask.h - what a store asks of a person: a challenge for one of its own accounts, or for one of ours, and the signed answer.
 *
 *     POST /v1/challenges ─► ask_open ─► {id, url}, the store sends its customer there ─► the customer answers ─► return_url
 *     GET /v1/challenges/{id} ─► ask_read ─► state and, when it is done, a JWT
 *
 * Invariants
 * 1. A subject is the store's own name of an account; the first challenge makes one here that has it and nothing else.
 * Nobody signs in by it.
 * 2. The same client and reference with the same data is the same challenge; with other data it invalidates what was there
 * (challenge_open).
 * 3. A store sees the challenges that its key made, and no others.
 * 4. What brings the customer back proves nothing: the JWT does, told to the store alone.
 *
 * The JWT (RFC 7519; typ keer-challenge+jwt): iss, aud (the key's id), sub (the subject or account), iat, exp (ten minutes
 * after the answer), jti (the challenge's id), acr, amr (RFC 8176), auth_time, kind, `confirmed` (base64url of the SHA-256
 * of the canonical JSON that was shown: challenge.h) and `shown`, which is that JSON. acr is ...:pay for a payment, else
 * ...:2: the store's own first factor and this one, or a passkey that verified its user.
 */
#ifndef FLOW_ASK_H
#define FLOW_ASK_H
#include "flow/step.h"

struct ask {
    struct slice subject; /* or */
    struct id account;
    struct challenge_data data;
    struct slice client, reference, event, return_url;
    unsigned methods; /* AUTHENTICATOR_BIT(kind); 0: any */
};
/* KEER_EMISSING: no such account; what challenge_canon says of the data; KEER_EFORMAT: a subject that is none. */
KEER_NODISCARD enum keer_err ask_open(const struct steps *s, struct desk_worker *w, const struct ask *a,
                                      struct challenge *ret, bool *ret_new);
struct asked {
    struct challenge challenge;
    unsigned methods;  /* that could answer it */
    struct buf answer; /* the JWT, when it is done; the caller releases it */
};
/* KEER_EMISSING when it is not this client's; `client` "" sees all. */
KEER_NODISCARD enum keer_err ask_read(const struct steps *s, struct desk_worker *w, struct slice client,
                                      const struct id *challenge, struct asked *ret);
#define ASK_ANSWER_US CHALLENGE_USE_US
#endif
