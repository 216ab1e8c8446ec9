/* passkey.h - passkeys that are kept, and what was asked of browsers: challenges of registrations and of sign-ins.
 *
 *     passkey_ask ──► asked ── passkey_answered, once, by whom it was asked of ──► answered
 *                       └──── PASSKEY_ASK_US ──► nothing any more
 *     passkey_invite (nothing is written) ──► passkey_accepted, once, in time, by whom it was made for: a row
 *     passkey_add (ENROLLING) ── the guard of changes ──► ACTIVE ── ... : states are authenticator.h's
 *
 * Invariants
 * 1. A credential id is kept once, over all accounts and all states (WebAuthn L3 7.1 step 26): one that was removed stays
 * known, and nobody can register another one's passkey in its place.
 * 2. A question is 32 bytes that nobody can foresee, for one kind, one holder (a session, or a browser) and one account,
 * answered once: by one conditional statement, whether the answer was right or not. That of a sign-in, which anybody may ask
 * for, is made of its id, which holds its time, and a key: only an answer takes a row. Those of challenges are
 * challenge.h's.
 * 3. The counter that is kept never goes down, and whether it was verified once never turns back; both, and the backup flag,
 * are signals and lock nobody out (webauthn.h).
 * 4. At most PASSKEYS_MAX of an account are not removed.
 * 5. A user handle is the account's id: random, and no word about a person (WebAuthn 14.6.1).
 * Functions that write want a transaction of the writing connection, readers any. KEER_EIO leaves its words in db_why.
 */
#ifndef STEPUP_PASSKEY_H
#define STEPUP_PASSKEY_H
#include "stepup/authenticator.h"
#include "stepup/webauthn.h"

#define PASSKEYS_MAX 20u
#define PASSKEY_TRANSPORTS_BYTES 64
#define PASSKEY_ASK_US (10 * 60 * INT64_C(1000000)) /* WebAuthn 13.4.3 */
#define PASSKEY_CHALLENGE_BYTES 32u
#define PASSKEY_ENROLLING_US (60 * 60 * INT64_C(1000000)) /* one that nobody confirmed by then is removed by the next */

struct passkey_ask {
    struct id id;                                     /* filled in */
    struct id holder, account;                        /* account: of a registration */
    bool payment;                                     /* of a registration: for Secure Payment Confirmation too */
    unsigned char challenge[PASSKEY_CHALLENGE_BYTES]; /* filled in */
};
/* A registration's. */
KEER_NODISCARD enum keer_err passkey_ask(struct db *db, struct passkey_ask *ask, int64_t now_us);
/* Takes the question of that id, holder and account, for its one answer. KEER_EMISSING. */
KEER_NODISCARD enum keer_err passkey_answered(struct db *db, struct passkey_ask *ask, int64_t now_us);
/* A sign-in's, for a holder: id and challenge. The key is a secret of the daemon. */
void passkey_invite(const struct crypto_hash *key, struct passkey_ask *ask, int64_t now_us);
/* The same of an id that came back, once. KEER_EMISSING when it is too old, of the future, or was answered; one that was
 * never made has a challenge that nobody knows. */
KEER_NODISCARD enum keer_err passkey_accepted(struct db *db, const struct crypto_hash *key, struct passkey_ask *ask,
                                              int64_t now_us);
/* Forgets at most `rows_max` whose time was over before a moment. */
KEER_NODISCARD enum keer_err passkey_asks_forget(struct db *db, int64_t before_us, int64_t rows_max);

struct passkey {
    struct authenticator row; /* id, account, name, state, times */
    size_t credential_len, key_len;
    unsigned char credential[CREDENTIAL_ID_BYTES_MAX], key[COSE_KEY_BYTES_MAX];
    int64_t algorithm;
    uint32_t counter;
    bool verified;                                 /* its user was verified, once at least */
    bool eligible, backed_up;                      /* may be, and is, kept elsewhere too: a synced passkey */
    bool payment;                                  /* made for Secure Payment Confirmation */
    char transports[PASSKEY_TRANSPORTS_BYTES + 1]; /* "internal hybrid": what the browser said, for the next question */
    unsigned char aaguid[AAGUID_BYTES];
    enum attest_format format;
    enum attest_trust trust;
};

struct passkey_new {
    struct id account;
    struct slice name;       /* at most AUTHENTICATOR_NAME_BYTES */
    struct slice transports; /* "usb nfc"; what is not known is left out */
    bool payment;
    const struct webauthn_registered *made; /* with WEBAUTHN_OK */
};
/* An authenticator that is ENROLLING, and its passkey. KEER_ECONFLICT: the credential id is known already; KEER_EFULL;
 * KEER_ELIMIT for a name. */
KEER_NODISCARD enum keer_err passkey_add(struct db *db, const struct passkey_new *n, int64_t now_us, struct id *ret_id);
/* By its credential id, whatever its account and state. KEER_EMISSING. */
KEER_NODISCARD enum keer_err passkey_find(struct db *db, struct slice credential, struct passkey *ret);
/* What webauthn.h wants of it; borrowed. */
struct webauthn_credential passkey_credential(const struct passkey *p);
/* It was used: counter, backup flag, time. KEER_EMISSING when it is not active any more. */
KEER_NODISCARD enum keer_err passkey_used(struct db *db, const struct passkey *p, const struct webauthn_authenticated *a,
                                          int64_t now_us);
/* Those of an account that are not removed, the oldest first; `fn` is called for each, at most PASSKEYS_MAX times. */
typedef void passkey_fn(void *ctx, const struct passkey *p);
KEER_NODISCARD enum keer_err passkeys_each(struct db *db, const struct id *account, passkey_fn *fn, void *ctx);
/* Those words of WebAuthn 5.8.4 among `words`, once each, parted by blanks. */
void passkey_transports(struct slice words, char ret_words[PASSKEY_TRANSPORTS_BYTES + 1]);
#endif
