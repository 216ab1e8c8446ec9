/* request.h - authorization requests: what a client asks for in a browser, read, checked against the client, and kept while
 * a person signs in or confirms (OpenID Connect Core 3.1.2; RFC 7636; RFC 9126; RFC 9396; RFC 9470).
 *
 *     pushed (RFC 9126) ── oidc_request_open, once ──► open ── oidc_request_use, once ──► used
 *     oidc_request_keep, from a browser ───────────────┘ └── OIDC_REQUEST_US ──► gone
 *
 * Invariants
 *  1. Nothing is answered at a redirect URI that is not the client's: until that is known, errors are shown and not sent.
 *  2. PKCE with S256 is asked of every client. authorization_details are taken from pushed requests alone (ASVS 10.4.15).
 *  3. What is kept is what was asked, and is checked again each time that it is read.
 */
#ifndef OIDC_REQUEST_H
#define OIDC_REQUEST_H
#include "base/currency.h"
#include "base/json.h"
#include "oidc/client.h"

enum oidc_param {
#define OIDC_PARAM(name) OIDC_PARAM_##name,
#include "oidc/params.def"
#undef OIDC_PARAM
    OIDC_PARAM_MAX
};
const char *oidc_param_name(enum oidc_param p);
struct oidc_params {
    struct slice v[OIDC_PARAM_MAX]; /* p NULL or empty: not given (RFC 6749 3.1) */
};
#define OIDC_PARAMS_BYTES 16384 /* as JSON */
void oidc_params_print(const struct oidc_params *p, struct buf *b);
/* Texts are borrowed from the tape. KEER_EFORMAT. */
KEER_NODISCARD enum keer_err oidc_params_read(struct tape *t, struct slice json, struct oidc_params *ret_params);

/* A payment of authorization_details: [{"type":"payment_initiation","instructedAmount":{"amount":"12.50","currency":"EUR"},
 * "creditorName":"...","agreement":"...","remittanceInformationUnstructured":"..."}], the last two optional. One, and no
 * other members: what is not understood is not confirmed (RFC 9396 section 5). */
#define OIDC_PAYMENT_TYPE "payment_initiation"
struct oidc_payment {
    int64_t amount_minor;
    enum currency currency;
    struct slice payee, agreement, reference;
};
struct oidc_request { /* starts as {0} */
    unsigned scopes, claims /* of userinfo */, id_claims /* of the ID token, beside */;
    struct slice redirect_uri, state, nonce, code_challenge, login_hint, id_token_hint, details;
    bool prompt_none, prompt_login, has_max_age, has_payment, acr_essential;
    unsigned acr; /* the least that is asked for, 1 or 2; 0: none is */
    int64_t max_age_us;
    struct oidc_payment payment;
    struct tape tape_claims, tape_details;
};
/* The redirect URI alone, which decides where errors go; false when it is not the client's. */
bool oidc_request_redirect(const struct oidc_params *p, const struct oidc_client *c);
/* Everything else. *ret_why is a sentence for the client's developer. KEER_ENOMEM is OIDC_SERVER_ERROR. */
enum oidc_error oidc_request_check(const struct oidc_params *p, const struct oidc_client *c, bool pushed,
                                   struct oidc_request *r, const char **ret_why);
void oidc_request_release(struct oidc_request *r);
/* The payment of a details text alone, for CIBA. */
enum oidc_error oidc_payment_read(struct tape *t, struct slice json, struct oidc_payment *ret_payment);
/* 2 when the first of the list that is known is ACR_2, 1 for ACR_1, 0 for none. */
unsigned oidc_acr_values(struct slice list);

/* --- kept -----------------------------------------------------------------------------------------------------------------
 */
struct oidc_kept {
    struct id id;
    bool pushed;
    int64_t opened_us;   /* since when a person is asked */
    struct id challenge; /* a step that was asked for */
    struct buf params;   /* JSON; the caller releases it */
};
KEER_NODISCARD enum keer_err oidc_request_push(struct db *db, const struct id *client, struct slice params, int64_t now_us,
                                               struct id *ret_id);
KEER_NODISCARD enum keer_err oidc_request_keep(struct db *db, const struct id *client, struct slice params, int64_t now_us,
                                               struct id *ret_id);
/* A pushed one of this client's is opened. KEER_EMISSING when it is none, was opened, or is too old. */
KEER_NODISCARD enum keer_err oidc_request_open(struct db *db, struct slice id, struct slice client, int64_t now_us,
                                               struct oidc_kept *ret_kept);
/* One that is open. KEER_EMISSING. */
KEER_NODISCARD enum keer_err oidc_request_get(struct db *db, struct slice id, int64_t now_us, struct oidc_kept *ret_kept);
KEER_NODISCARD enum keer_err oidc_request_challenge(struct db *db, const struct id *id, const struct id *challenge);
/* KEER_EMISSING when it was used. */
KEER_NODISCARD enum keer_err oidc_request_use(struct db *db, const struct id *id, int64_t now_us);
#endif
