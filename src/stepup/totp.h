/* totp.h - time-based one-time passwords: RFC 6238 on RFC 4226, SHA-1, 6 digits, 30 seconds, 20 bytes of secret.
 *
 * SHA-1, since that is what the apps that scan a QR code do; HMAC does not rest on collisions (RFC 6238 section 1.2).
 *
 * Invariants
 * 1. A code is taken once: the counter that matched is kept, and only a greater one is taken after it, in one conditional
 * statement; across restarts and in parallel (RFC 6238 section 5.2).
 * 2. Codes of the step before and after are taken as well, and no others (section 6).
 * 3. The secret is in the database sealed under a key that is not in it, bound to the authenticator's id; it is told once,
 * by totp_enrol, while it is not confirmed.
 * 4. Whether a code matches does not show in the time: all three are computed and compared in constant time.
 */
#ifndef STEPUP_TOTP_H
#define STEPUP_TOTP_H
#include "base/buf.h"
#include "stepup/authenticator.h"

#define TOTP_SECRET_BYTES 20
#define TOTP_BASE32_BYTES (TOTP_SECRET_BYTES * 8 / 5 + 1) /* its NUL included; 20 bytes need no padding */
#define TOTP_DIGITS 6
#define TOTP_STEP_US (30 * INT64_C(1000000))
#define TOTP_SKEW 1 /* steps, each way */
#define TOTP_URI_BYTES 1024
#define TOTP_QR_BYTES 65536

/* RFC 4226 section 5.3: the code of `digits` (6 to 8) digits, NUL-terminated. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err totp_hotp(struct slice secret, uint64_t counter, unsigned digits, char ret_code[9]);
/* The step of a time (RFC 6238 section 4.2), T0 0. */
int64_t totp_step(int64_t now_us);

struct totp_enrolment {
    struct id id;
    char secret[TOTP_BASE32_BYTES]; /* RFC 4648 section 6; the caller wipes it */
};
/* An authenticator that is enrolling; an older one that was never confirmed is removed. As authenticator_add. */
KEER_NODISCARD enum keer_err totp_enrol(struct db *db, const struct crypto_hash *seal, const struct id *account,
                                        struct slice name, int64_t now_us, struct totp_enrolment *ret);
/* Checks a code of an authenticator in any of the states in the mask, and takes it: *ret_ok. Spaces in it are passed over.
 * KEER_EMISSING when there is none in those states; KEER_EFORMAT when its secret can't be opened (another key). */
KEER_NODISCARD enum keer_err totp_take(struct db *db, const struct crypto_hash *seal, const struct id *account,
                                       const struct id *id, unsigned states, struct slice code, int64_t now_us,
                                       bool *ret_ok);
/* otpauth://totp/ISSUER:NAME?secret=...&issuer=...&algorithm=SHA1&digits=6&period=30, percent-encoded (the Key URI format).
 * KEER_ELIMIT beyond TOTP_URI_BYTES. */
KEER_NODISCARD enum keer_err totp_uri(struct slice issuer, struct slice name, struct slice secret, struct buf *out);
/* A text as a QR code: an SVG of one path, without script or outside references. KEER_ELIMIT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err totp_qr(struct slice text, struct buf *out);
#endif
