/* passkey_json.h - what is asked of a browser's WebAuthn, and what it answers, as JSON (WebAuthn L3 5.1.8 and 5.1.9): the
 * forms of PublicKeyCredential.parseCreationOptionsFromJSON, parseRequestOptionsFromJSON and toJSON.
 *
 * Invariants
 * 1. What is read is bounded member by member, and base64url in its one form; members that are not known are passed over, as
 *    browsers add some. What is wrong is refused as a whole, without a reason: nobody writes this by hand.
 * 2. What is printed is escaped JSON; who may answer with what (user verification, algorithms, residence) is asked for here
 * as it is enforced in passkeys.c.
 */
#ifndef FLOW_PASSKEY_JSON_H
#define FLOW_PASSKEY_JSON_H
#include "base/buf.h"
#include "base/json.h"
#include "stepup/passkey.h"

#define PASSKEY_TIMEOUT_MS 300000 /* WebAuthn 15.1 */

/* An answer, decoded; what was not there is empty. */
struct passkey_reply {
    struct slice id, client_data, object, authenticator_data, signature, user_handle;
    char transports[PASSKEY_TRANSPORTS_BYTES + 1];
    struct buf room; /* of those slices */
};
/* Object `credential` of the tape: of a registration (`object`, transports) or an assertion. False when it is none. Then too
 * the caller releases it. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err passkey_reply_read(const struct tape *t, uint32_t credential, bool registration,
                                                struct passkey_reply *ret_reply, bool *ret_good);
void passkey_reply_release(struct passkey_reply *r);

/* {"id":...,"type":"public-key","transports":[...]} */
void passkey_print_descriptor(const struct passkey *p, struct buf *out);

struct passkey_creation {
    struct slice rp_id, service, user_id, user_name, display_name, challenge;
    struct slice exclude; /* descriptors, parted by commas */
    bool attested;        /* the maker is asked to vouch for it */
    bool payment;
};
void passkey_print_creation(const struct passkey_creation *c, struct buf *out);
struct passkey_request {
    struct slice rp_id, challenge;
    struct slice allow; /* descriptors, parted by commas; empty: any discoverable one */
};
void passkey_print_request(const struct passkey_request *r, struct buf *out);
/* The algorithms that are offered, the preferred first. */
extern const int64_t passkey_algorithms[];
extern const unsigned passkey_algorithms_count;
#endif
