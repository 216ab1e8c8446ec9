/* grant.h - what a person granted to a client, and the codes and tokens that come of it.
 *
 *     oidc_grant_add ─► grant ─┬─ code ── oidc_code_take, once, within OIDC_CODE_US ──► access and refresh token
 *                              ├─ refresh token ── oidc_refresh_take, once ──► the next two
 *                              └─ access token, OIDC_ACCESS_US
 *     a code or refresh token the second time, a revocation, a sign-out ──► oidc_grant_end: nothing of it is valid any more
 *
 * Invariants
 *  1. A code or refresh token is used once, in one conditional statement; whoever comes second ends the grant, since one of
 * the two stole it (RFC 6749 4.1.2, RFC 9700 4.14.2).
 *  2. Both are bound to the client, a code to its redirect URI and PKCE challenge too; a code that is presented wrongly is
 * used up, so that nobody tries verifiers.
 *  3. What is found is valid: not used, not too old, its grant not ended, its client there. Whether the session and the
 * account still are is the caller's to ask (flow), for those without offline_access each time.
 *  4. The database holds hashes of secrets.
 */
#ifndef OIDC_GRANT_H
#define OIDC_GRANT_H
#include "oidc/oidc.h"
#include "store/db.h"

struct oidc_grant {
    struct id id, client, account, session; /* session: none for one that began without a browser */
    unsigned scopes, claims, id_claims;
    char acr[OIDC_ACR_BYTES + 1], amr[OIDC_AMR_BYTES + 1]; /* amr: values of RFC 8176 with a blank between */
    char nonce[OIDC_TEXT_BYTES + 1];
    char details[OIDC_DETAILS_BYTES + 1]; /* authorization_details that were confirmed; "": none */
    int64_t auth_us, created_us;
};
/* Fills in id and created_us. */
KEER_NODISCARD enum keer_err oidc_grant_add(struct db *db, struct oidc_grant *g, int64_t now_us);
/* KEER_OK also for one that had ended. */
KEER_NODISCARD enum keer_err oidc_grant_end(struct db *db, const struct id *id, const char *why, int64_t now_us);
/* Those of a session that are not offline; how many. */
KEER_NODISCARD enum keer_err oidc_grants_end_session(struct db *db, const struct id *session, const char *why,
                                                     int64_t now_us);

struct oidc_code {
    struct slice redirect_uri, challenge;
};
KEER_NODISCARD enum keer_err oidc_code_add(struct db *db, const struct oidc_grant *g, const struct oidc_code *c,
                                           int64_t now_us, struct oidc_secret *ret_code);
/* `verifier` is of the client (RFC 7636 4.1). *ret_error OIDC_INVALID_GRANT is an answer to commit: what it means was done.
 */
KEER_NODISCARD enum keer_err oidc_code_take(struct db *db, struct slice code, const struct id *client,
                                            struct slice redirect_uri, struct slice verifier, int64_t now_us,
                                            struct oidc_grant *ret_grant, enum oidc_error *ret_error);

enum oidc_token_kind { OIDC_TOKEN_ACCESS, OIDC_TOKEN_REFRESH }; /* in the database */
struct oidc_token {
    enum oidc_token_kind kind;
    unsigned scopes;
    int64_t created_us, until_us;
};
KEER_NODISCARD enum keer_err oidc_token_add(struct db *db, const struct id *grant, enum oidc_token_kind kind,
                                            unsigned scopes, int64_t now_us, int64_t until_us,
                                            struct oidc_secret *ret_token);
/* KEER_EMISSING. */
KEER_NODISCARD enum keer_err oidc_token_find(struct db *db, struct slice text, int64_t now_us, struct oidc_token *ret_token,
                                             struct oidc_grant *ret_grant);
/* As oidc_code_take. */
KEER_NODISCARD enum keer_err oidc_refresh_take(struct db *db, struct slice text, const struct id *client, int64_t now_us,
                                               struct oidc_token *ret_token, struct oidc_grant *ret_grant,
                                               enum oidc_error *ret_error);

/* A `jti` of a client is seen for the first time; KEER_EMISSING when it is not. */
KEER_NODISCARD enum keer_err oidc_jti_take(struct db *db, const struct id *client, struct slice jti, int64_t until_us);
/* Forgets at most `rows` of each kind that is over. */
KEER_NODISCARD enum keer_err oidc_forget(struct db *db, int64_t now_us, int64_t rows);
#endif
