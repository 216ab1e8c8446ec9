/* session.h - who is signed in where, since when, how surely, and with which rights.
 *
 *     session_begin(PENDING) ── session_raise, each step a new token ──► FULL
 *     session_begin(RESTRICTED) ── session_raise ──► FULL
 *     any ── session_end, session_end_by, idle or absolute limit, account not active, device revoked ──► ended, for good
 *
 * Invariants
 * 1. The token is 128 random bits, told once; the database holds its SHA-256 (ASVS 7.2.3).
 * 2. Whatever raises what a session may do gives it another token, and the old one is nothing from then on (ASVS 7.2.4): a
 *    token that somebody planted before a sign-in is worth nothing after it.
 * 3. A session that is idle or old beyond its limits (sessions.def), ended, of an account that is not active, or of a
 *    device that was revoked, is not found.
 * 4. PENDING may do nothing but answer its challenge, cancel, and sign out. RESTRICTED may look, sign out and enrol a first
 *    authenticator through the guard; nothing that the guard guards otherwise, no wallet.
 * 5. It knows by which authenticator it was opened, and ends with it (session_end_by).
 * 6. acr falls back by itself: session_acr says what holds at a moment, not what was reached once.
 */
#ifndef ACCOUNT_SESSION_H
#define ACCOUNT_SESSION_H
#include "account/device.h"

#define SESSION_AMR_BYTES 64 /* values of RFC 8176 with a space between */
#define SESSION_IP_BYTES 46
#define SESSIONS_MAX 64        /* of one account; the one longest unused makes room */
#define SESSIONS_PENDING_MAX 8 /* of those, that wait for a step: they make room for each other alone */

enum session_rights { SESSION_PENDING, SESSION_RESTRICTED, SESSION_FULL, SESSION_RIGHTS_MAX };
const char *session_rights_name(enum session_rights rights); /* "pending", ... */

/* What a sign-in reached; higher is more. */
enum session_acr { SESSION_ACR_1 = 1, SESSION_ACR_2 = 2 };
#define ACR_1 "urn:keersluis:acr:1"     /* password or less */
#define ACR_2 "urn:keersluis:acr:2"     /* two factors, or a passkey that verified its user */
#define ACR_PAY "urn:keersluis:acr:pay" /* a payment was confirmed: of challenges, never of a session */
const char *session_acr_name(enum session_acr acr);

struct session {
    struct id id, account, device; /* device: none while PENDING from a browser that is not known */
    enum session_rights rights;
    enum session_acr acr;
    char amr[SESSION_AMR_BYTES + 1];
    int64_t auth_us;             /* when the person proved who they are, last (auth_time) */
    int64_t step_us;             /* when a second step was passed in it, last; 0: none */
    int64_t created_us, used_us; /* used_us is exact to SESSION_TOUCH_US */
    int64_t ends_us;             /* the absolute limit */
    char ip[SESSION_IP_BYTES + 1], family[DEVICE_FAMILY_BYTES + 1]; /* where it was begun */
    struct crypto_hash device_hash;                                 /* of the browser's device token */
};
struct session_new {
    struct id account, device;
    enum session_rights rights;
    enum session_acr acr;
    const char *amr;
    struct crypto_hash device_hash;
    struct slice ip, family;
    int64_t step_us;
    struct id authenticator; /* that opened it; none: a password alone */
};

#define SESSION_ACR_2_US (60 * 60 * 1000000LL) /* how long a second step counts for the session's acr */
#define SESSION_TOUCH_US (60 * 1000000LL)      /* used_us is written when it is older */

KEER_NODISCARD enum keer_err session_begin(struct db *db, const struct session_new *n, int64_t now_us, struct id *ret_id,
                                           struct bearer *ret_token);
/* The valid session of a token (invariant 3). KEER_EMISSING. Reads alone: whoever finds used_us older than SESSION_TOUCH_US
 * has session_touch written. */
KEER_NODISCARD enum keer_err session_find(struct db *db, const struct crypto_hash *token_hash, int64_t now_us,
                                          struct session *ret_session);
/* The same by its id: for who has checked the token before, and looks again in a transaction. */
KEER_NODISCARD enum keer_err session_read(struct db *db, const struct id *id, int64_t now_us, struct session *ret_session);
KEER_NODISCARD enum keer_err session_touch(struct db *db, const struct id *id, int64_t now_us);
/* A step was passed: rights, acr and amr become what `r` says, never less; a new token. KEER_EMISSING when it is not valid.
 */
struct session_raise {
    enum session_rights rights;
    enum session_acr acr;
    const char *amr;         /* added to what is there */
    bool second_step;        /* sets step_us */
    struct id device;        /* the device that is known from now on; none keeps what is there */
    struct id authenticator; /* that answered; none keeps what is there */
};
KEER_NODISCARD enum keer_err session_raise(struct db *db, const struct id *id, const struct session_raise *r, int64_t now_us,
                                           struct bearer *ret_token);
/* KEER_EMISSING when the account has no such session that lives. */
KEER_NODISCARD enum keer_err session_end(struct db *db, const struct id *account, const struct id *id, int64_t now_us);
/* All of an account's but `keep` (none: all). */
KEER_NODISCARD enum keer_err session_end_others(struct db *db, const struct id *account, const struct id *keep,
                                                int64_t now_us, int64_t *ret_count);
/* All of an account's but `keep` that `authenticator` opened, or (none: not asked for) that are of `device`. */
KEER_NODISCARD enum keer_err session_end_by(struct db *db, const struct id *account, const struct id *authenticator,
                                            const struct id *device, const struct id *keep, int64_t now_us);
/* Those that are valid, the last used first; at most SESSIONS_MAX into `room`. */
KEER_NODISCARD enum keer_err session_list(struct db *db, const struct id *account, int64_t now_us, struct session *room,
                                          unsigned *ret_count);
/* What the session's assurance is at `now_us`: ACR_2 holds for SESSION_ACR_2_US after its step, ACR_1 else. */
enum session_acr session_acr_at(const struct session *s, int64_t now_us);
/* Those that were ended (signed out, revoked, frozen) after a time, the first first: for who tells others of it. Limits that
 * run out end nothing here. */
struct session_end {
    struct id id;
    int64_t ended_us;
};
KEER_NODISCARD enum keer_err session_ended(struct db *db, int64_t after_us, struct session_end *room, unsigned room_count,
                                           unsigned *ret_count);
/* Ended ones older than `before_us`, at most `limit`, are deleted; how many. */
KEER_NODISCARD enum keer_err session_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count);
#endif
