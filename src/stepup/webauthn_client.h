/* webauthn_client.h - the client data of a ceremony (WebAuthn L3, section 5.8.1) against what is expected.
 *
 * Reads JSON, takes any members that it does not know, and refuses a member twice (base/json.h does). Origins are compared
 * byte by byte with a list; there are no patterns and no 'ends with'.
 */
#ifndef STEPUP_WEBAUTHN_CLIENT_H
#define STEPUP_WEBAUTHN_CLIENT_H
#include "stepup/webauthn.h"

/* `type`: "webauthn.create", "webauthn.get" or, with expect->payment, "payment.get". KEER_ENOMEM. */
KEER_NODISCARD enum keer_err client_data_check(struct slice client_data, const char *type,
                                               const struct webauthn_expect *expect, enum webauthn_verdict *ret_verdict);
#endif
