/* attest.h - attestation statements (WebAuthn L3, sections 6.5 and 8): what vouches for a new key.
 *
 *   none: nothing does    packed without x5c: the key itself does    all others: a certificate does, and its chain is
 * verified up to the roots that are given
 *
 * Invariants
 *  1. A statement of a format that is known must pass each step of its section, else the registration is refused: a wrong
 *     statement is worse than none.
 *  2. A statement that is right, and whose chain leads to no root that was given, is ATTEST_UNTRUSTED: the key may be taken,
 * as if it had vouched for itself (7.1 step 24, note). So is an android-key whose description does not say where the key
 *     comes from.
 *  3. What a statement must not have is not looked for, what it must have is there once, of its kind.
 */
#ifndef STEPUP_ATTEST_H
#define STEPUP_ATTEST_H
#include "base/crypto_cert.h"
#include "stepup/cose.h"
#include "stepup/webauthn_data.h"
#include "stepup/webauthn_verdict.h"

enum attest_format {
#define ATTEST_FORMAT(name, identifier, function) ATTEST_##name,
#include "stepup/attest.def"
#undef ATTEST_FORMAT
    ATTEST_FORMAT_MAX
};
enum attest_trust { ATTEST_NOTHING, ATTEST_SELF, ATTEST_UNTRUSTED, ATTEST_TRUSTED, ATTEST_TRUST_MAX };

const char *attest_format_name(enum attest_format format); /* its identifier */
const char *attest_trust_name(enum attest_trust trust);    /* "none", "self", "untrusted", "trusted" */

struct attest_given {
    struct slice format;        /* `fmt` */
    struct cbor_item statement; /* `attStmt`, a map */
    const struct auth_data *data;
    struct slice client_data_hash; /* SHA-256 */
    const struct cose_key *key;    /* the new one, of data->public_key */
    struct crypto_cert *const *roots;
    size_t roots_count;
    int64_t now_us;
};
struct attest_result {
    enum webauthn_verdict verdict;
    enum attest_format format;
    enum attest_trust trust;
};
/* KEER_ENOMEM. */
KEER_NODISCARD enum keer_err attest_check(const struct attest_given *given, struct attest_result *ret_result);

/* --- for the files attest_NAME.c --------------------------------------------------------------------------------- */

/* What a format's function works on, made by attest_check and freed by it. */
struct attest_work {
    const struct attest_given *given;
    struct slice signed_data; /* authenticatorData || hash of the client data */
    struct crypto_cert *chain[CRYPTO_CHAIN_MAX];
    size_t chain_count;
    struct crypto_key *leaf_key; /* of chain[0] */
    enum attest_trust trust;     /* out: ATTEST_TRUSTED asks for the chain to be verified */
};
typedef enum keer_err attest_fn(struct attest_work *w, enum webauthn_verdict *ret_verdict);
attest_fn attest_none, attest_packed, attest_fido_u2f, attest_tpm, attest_android_key, attest_apple;

/* A member of the statement; false when it is not there or of another kind. */
bool attest_bytes(const struct attest_work *w, const char *key, struct slice *ret_bytes);
bool attest_alg(const struct attest_work *w, int64_t *ret_number);
/* Reads `x5c` into the chain and the key of its first certificate. WEBAUTHN_STATEMENT, WEBAUTHN_CERTIFICATE. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err attest_x5c(struct attest_work *w, enum webauthn_verdict *ret_verdict);
/* Whether `sig` over `data` verifies by the leaf's key under the statement's `alg`. */
enum webauthn_verdict attest_signature(const struct attest_work *w, struct slice data);
/* 8.2.1 and 8.3.1: if the certificate names a model of authenticator, it is this one; that extension is not critical. */
bool attest_aaguid(const struct attest_work *w);
#endif
