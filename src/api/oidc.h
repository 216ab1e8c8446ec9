/* oidc.h - what the endpoints of the OpenID provider share. Errors are those of OAuth (RFC 6749 5.2), as JSON, and no
 * problem documents: clients of the standard look for them.
 */
#ifndef API_OIDC_H
#define API_OIDC_H
#include "api/api.h"

/* The provider; NULL when the problem was told: it is off. */
struct oidc *api_oidc(struct http_exchange *x);
/* An answer in OAuth's form. `basic`: the client tried Basic, and is told that it is taken (RFC 6749 5.2). */
void api_oidc_refuse(struct http_exchange *x, const struct oidc_refusal *r, bool basic);
/* What failed here, and was no refusal. */
void api_oidc_failed(struct http_exchange *x, enum keer_err err);
/* The parameters of the body, or of the query; false when invalid_request was told. */
bool api_oidc_form(struct http_exchange *x, struct http_param *params, unsigned count);
/* The cookie of the session, p NULL without one. */
struct slice api_oidc_session(struct http_exchange *x);
#endif
