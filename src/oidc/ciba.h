/* ciba.h - requests for approval on a person's own device (OpenID Connect CIBA Core 1.0, poll mode).
 *
 *     oidc_ciba_add ─► waiting ── oidc_ciba_poll, the challenge is done ──► used, once
 *                        └─ refused with its challenge, or expired
 *
 * Invariants
 *  1. A request is one challenge, and belongs to the client that made it; its id is a secret (oidc.h).
 *  2. Who polls sooner than its interval waits five seconds longer each time (section 11).
 */
#ifndef OIDC_CIBA_H
#define OIDC_CIBA_H
#include "oidc/grant.h"

#define CIBA_INTERVAL_US (5 * US_SECOND)
#define CIBA_LIFE_US (5 * US_MINUTE)
#define CIBA_MESSAGE_BYTES 100

struct oidc_ciba {
    struct id client, account, challenge;
    unsigned scopes;
    char details[OIDC_DETAILS_BYTES + 1];
    int64_t until_us;
};
/* The hash of the secret that names it is the caller's: the challenge is bound to it. */
KEER_NODISCARD enum keer_err oidc_ciba_add(struct db *db, const struct crypto_hash *hash, const struct oidc_ciba *c,
                                           int64_t now_us);
/* Counts a poll. *ret_error is OIDC_OK, or INVALID_GRANT, EXPIRED_TOKEN, SLOW_DOWN. */
KEER_NODISCARD enum keer_err oidc_ciba_poll(struct db *db, struct slice request, const struct id *client, int64_t now_us,
                                            struct oidc_ciba *ret_ciba, enum oidc_error *ret_error);
/* KEER_EMISSING when it was used. */
KEER_NODISCARD enum keer_err oidc_ciba_use(struct db *db, struct slice request, int64_t now_us);
#endif
