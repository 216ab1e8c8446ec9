/* webauthn.h - the server's part of WebAuthn Level 3: is this a new passkey of ours (7.1), did its owner sign this (7.2),
 * and did the owner confirm this payment (Secure Payment Confirmation, 'Verifying an Authentication Assertion').
 *
 *   options, with a challenge  ──►  browser, authenticator  ──►  webauthn_register / webauthn_authenticate  ──►  verdict
 *   (passkey.h keeps it)                                          against struct webauthn_expect
 *
 * Invariants
 *  1. Nothing here remembers anything: that a challenge is used once, and to whom a credential belongs, is passkey.h's. No
 *     clock but the one that is given, no database, no HTTP.
 *  2. A verdict is a result, and WEBAUTHN_OK is given only after each step of 7.1 or 7.2 passed. The error is memory alone.
 *  3. `type` is asked for: a sign-in, a registration and a payment are never taken for one another. A payment is compared
 * with everything that should have been shown, in both directions: what is missing and what is there in addition both
 * refuse.
 *  4. The client data are read as JSON and never compared with a template (5.8.1: unknown members may be there); a byte
 * order mark before them is skipped, as 'UTF-8 decode' does.
 *  5. Signals that are no proof don't lock anybody out: a counter that did not grow, a changed backup flag, extensions that
 *     nobody asked for (7.2 steps 19 and 22, 7.1 step 21). They come out as fields of the result.
 *  6. What is signed is hashed as it was sent, and sizes are bounded before anything is read.
 *  7. Slices of results are borrowed from what was given.
 */
#ifndef STEPUP_WEBAUTHN_H
#define STEPUP_WEBAUTHN_H
#include "base/crypto_cert.h"
#include "stepup/attest.h"
#include "stepup/webauthn_data.h"

#define WEBAUTHN_CHALLENGE_BYTES_MAX 128u
#define WEBAUTHN_CLIENT_DATA_BYTES_MAX (16u << 10) /* that of a payment holds the URL of an icon */
#define WEBAUTHN_SIGNATURE_BYTES_MAX 1024u
#define WEBAUTHN_USER_HANDLE_BYTES_MAX 64u
#define WEBAUTHN_ALGORITHMS_MAX 8u

/* What a payment's confirmation must have shown. An empty field was not shown, and then must not be in the answer. */
struct webauthn_payment {
    struct slice rp_id, top_origin;
    struct slice payee_name, payee_origin;
    struct slice value, currency; /* "6.48", "EUR" as the page asked for it */
    struct slice instrument_name, instrument_icon, instrument_details;
};

struct webauthn_expect {
    struct slice challenge; /* bytes, 16 to WEBAUTHN_CHALLENGE_BYTES_MAX (13.4.3) */
    struct slice rp_id;
    const struct slice *origins; /* exact: scheme, host and port as the browser writes them */
    unsigned origins_count;
    bool framed;                     /* the page may stand in a frame of another origin */
    const struct slice *top_origins; /* around such a frame */
    unsigned top_origins_count;
    bool user_verified; /* must be; presence must be always */
    /* of a registration: */
    const int64_t *algorithms; /* of COSE, as they were offered */
    unsigned algorithms_count;
    struct crypto_cert *const *roots; /* of attestation */
    size_t roots_count;
    bool trusted;   /* a chain to one of them is wanted, else WEBAUTHN_UNTRUSTED */
    int64_t now_us; /* at which certificates must be valid */
    /* of an assertion: */
    const struct webauthn_payment *payment; /* NULL: a sign-in */
    bool user_handle;                       /* must be in the answer: the account was not known before (7.2 step 6) */
};

struct webauthn_registration {
    struct slice client_data, attestation_object;
};
struct webauthn_registered {
    enum webauthn_verdict verdict;
    /* and with WEBAUTHN_OK: */
    struct slice credential_id, public_key /* COSE_Key */;
    int64_t algorithm;
    uint32_t counter;
    bool user_verified, backup_eligible, backed_up;
    unsigned char aaguid[AAGUID_BYTES]; /* what it says of its model; proven with ATTEST_TRUSTED, but not by fido-u2f, which
                                           doesn't sign it */
    enum attest_format format;
    enum attest_trust trust;
};
KEER_NODISCARD enum keer_err webauthn_register(const struct webauthn_expect *expect,
                                               const struct webauthn_registration *given,
                                               struct webauthn_registered *ret_result);

/* What is remembered of a credential. */
struct webauthn_credential {
    struct slice id, public_key, user_handle;
    uint32_t counter;
    bool backup_eligible;
};
struct webauthn_assertion {
    struct slice credential_id, client_data, authenticator_data, signature;
    struct slice user_handle; /* empty: there was none */
};
struct webauthn_authenticated {
    enum webauthn_verdict verdict;
    /* and with WEBAUTHN_OK: */
    uint32_t counter;
    bool user_verified, backed_up;
    bool counter_back;    /* a signal: it did not grow, though one is kept; a copy of the key may be in use (6.1.1) */
    bool eligible_turned; /* a signal: whether it can be backed up is said otherwise than at its registration */
};
KEER_NODISCARD enum keer_err webauthn_authenticate(const struct webauthn_expect *expect,
                                                   const struct webauthn_credential *credential,
                                                   const struct webauthn_assertion *given,
                                                   struct webauthn_authenticated *ret_result);
#endif
