/* prompt.h - approval on a trusted device: a number that the first screen shows is typed there.
 *
 *     waiting ──► approved (the number was typed)
 *       ├───────► refused ('no', or a newer prompt for the same challenge)
 *       ├───────► not_me  ('it was not me': the caller freezes, ends and reports)
 *       └───────► expired
 *
 * A plain 'approve', or picking one of three numbers, is no authentication: whoever is asked often enough taps it (NIST SP
 * 800-63B-4 section 3.1.3.3).
 *
 * Invariants
 * 1. The number is six random digits, bound to one challenge, for PROMPT_LIFE_US at most, answered once.
 * 2. It is told to the first screen, never to the trusted device; in the database it is sealed.
 * 3. The device that answers is trusted by the account (an authenticator of the kind device, active), and is not the one
 * that asks.
 * 4. A challenge has one waiting prompt; another number refuses the one before, and resets no count.
 * 5. Whether a number may be tried, and a prompt be sent, is attempts.h's: the caller begins an attempt first.
 */
#ifndef STEPUP_PROMPT_H
#define STEPUP_PROMPT_H
#include "stepup/challenge.h"

#define PROMPT_DIGITS 6
#define PROMPT_LIFE_US (5 * 60 * INT64_C(1000000))
#define PROMPTS_MAX 8 /* waiting of one account */

enum prompt_state { PROMPT_WAITING, PROMPT_APPROVED, PROMPT_REFUSED, PROMPT_NOT_ME, PROMPT_EXPIRED, PROMPT_STATE_MAX };
const char *prompt_state_name(enum prompt_state state);
struct prompt {
    struct id id, account, challenge;
    struct id device;        /* of who asks; none: not known */
    struct id answered_by;   /* the device */
    enum prompt_state state; /* as of the time that it was read at */
    int64_t created_us, until_us, answered_us;
};
/* For an open challenge. KEER_EMISSING when it is not open or another holder's; KEER_EFULL beyond PROMPTS_MAX. */
KEER_NODISCARD enum keer_err prompt_make(struct db *db, const struct crypto_hash *seal, const struct challenge *c,
                                         int64_t now_us, struct prompt *ret, char ret_number[PROMPT_DIGITS + 1]);
/* The number again, for the first screen. KEER_EMISSING when none waits; KEER_EFORMAT. */
KEER_NODISCARD enum keer_err prompt_number(struct db *db, const struct crypto_hash *seal, const struct id *challenge,
                                           int64_t now_us, char ret_number[PROMPT_DIGITS + 1]);
/* How the latest of a challenge stands; PROMPT_STATE_MAX when there was none. Any connection. */
KEER_NODISCARD enum keer_err prompt_latest(struct db *db, const struct id *challenge, int64_t now_us,
                                           enum prompt_state *ret_state);
/* Whatever waits for a challenge does not any more. */
KEER_NODISCARD enum keer_err prompt_drop(struct db *db, const struct id *challenge, int64_t now_us);
KEER_NODISCARD enum keer_err prompt_get(struct db *db, const struct id *account, const struct id *id, int64_t now_us,
                                        struct prompt *ret);
/* Those that wait, oldest first, for a device that may answer them. */
KEER_NODISCARD enum keer_err prompts_list(struct db *db, const struct id *account, const struct id *device, int64_t now_us,
                                          struct prompt ret_rows[PROMPTS_MAX], unsigned *ret_count);
/* waiting -> approved when the number is right: *ret_ok. KEER_EMISSING when it does not wait, or the device is the one that
 * asked. Whether the device is trusted the caller has looked up. */
KEER_NODISCARD enum keer_err prompt_approve(struct db *db, const struct crypto_hash *seal, const struct id *account,
                                            const struct id *id, const struct id *device, struct slice number,
                                            int64_t now_us, bool *ret_ok);
/* waiting -> refused or not_me. KEER_EMISSING. */
KEER_NODISCARD enum keer_err prompt_refuse(struct db *db, const struct id *account, const struct id *id,
                                           const struct id *device, enum prompt_state to, int64_t now_us);
#endif
