/* oidc.h - what the parts of the OpenID provider share: errors, scopes, claims, secrets, and how long things are valid.
 *
 * A secret here (code, token, request that polls) is 256 random bits as base64url; the database holds its SHA-256.
 */
#ifndef OIDC_OIDC_H
#define OIDC_OIDC_H
#include "base/id.h"
#include "base/timefmt.h"

enum oidc_error {
    OIDC_OK, /* no error */
#define OIDC_ERROR(name, wire, status, description) OIDC_##name,
#include "oidc/oidc_errors.def"
#undef OIDC_ERROR
    OIDC_ERROR_MAX
};
const char *oidc_error_name(enum oidc_error e); /* on the wire */
const char *oidc_error_text(enum oidc_error e);
int oidc_error_status(enum oidc_error e);

enum oidc_scope_bit {
#define OIDC_SCOPE(name, text) OIDC_SCOPE_BIT_##name,
#include "oidc/scopes.def"
#undef OIDC_SCOPE
    OIDC_SCOPE_BIT_MAX
};
#define OIDC_SCOPE(name) (1u << OIDC_SCOPE_BIT_##name)
#define OIDC_SCOPES_ALL ((1u << OIDC_SCOPE_BIT_MAX) - 1)
/* The known ones of a list parted by spaces. */
unsigned oidc_scopes_read(struct slice list);
void oidc_scopes_put(unsigned scopes, struct buf *b);

enum oidc_claim_bit {
#define OIDC_CLAIM(name, text, scope) OIDC_CLAIM_BIT_##name,
#include "oidc/claims.def"
#undef OIDC_CLAIM
    OIDC_CLAIM_BIT_MAX
};
#define OIDC_CLAIM(name) (1u << OIDC_CLAIM_BIT_##name)
const char *oidc_claim_name(unsigned bit);
unsigned oidc_claim_of(struct slice name); /* its bit as a mask, 0 for one that is not known */
unsigned oidc_claims_of_scopes(unsigned scopes);

struct oidc_secret {
    char text[CRYPTO_TEXT_BYTES];
};
void oidc_secret_make(struct oidc_secret *ret_secret, struct crypto_hash *ret_hash);
/* KEER_EFORMAT for what oidc_secret_make did not write. */
KEER_NODISCARD enum keer_err oidc_secret_hash(struct slice text, struct crypto_hash *ret_hash);

#define OIDC_CODE_US (60 * US_SECOND) /* ASVS 10.4.3, level 3 */
#define OIDC_ACCESS_US (10 * US_MINUTE)
#define OIDC_ID_TOKEN_US (10 * US_MINUTE)
#define OIDC_REFRESH_US (30 * US_DAY)
#define OIDC_REQUEST_US (10 * US_MINUTE) /* a pushed request, and one that waits for a person */
#define OIDC_SKEW_US (30 * US_SECOND)
#define OIDC_URI_BYTES 512
#define OIDC_TEXT_BYTES 512 /* state, nonce */
#define OIDC_DETAILS_BYTES 4096
#define OIDC_ACR_BYTES 64
#define OIDC_AMR_BYTES 64
#endif
