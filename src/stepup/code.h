/* code.h - recovery codes: ten, shown once, each taken once.
 *
 * A code is 120 random bits as six groups of four letters of base32 (an alphabet without letters that are mistaken for each
 * other). From 112 bits on, a hash without a password's work is enough (NIST SP 800-63B-4 section 3.1.2.2), so that it is
 * SHA-256, bound to the account: an attempt costs nothing that could be used to wear the daemon down, and is one statement.
 *
 * Invariants
 * 1. A set replaces the one before it, whose codes are worth nothing from then on.
 * 2. A code is taken once, in one conditional statement; across restarts and in parallel.
 * 3. The codes are not in the database.
 */
#ifndef STEPUP_CODE_H
#define STEPUP_CODE_H
#include "stepup/authenticator.h"

#define CODE_COUNT 10
#define CODE_LETTERS 24
#define CODE_TEXT_BYTES (CODE_LETTERS + CODE_LETTERS / 4) /* hyphens between, and a NUL */

struct code_set {
    struct id id; /* of the authenticator */
    char code[CODE_COUNT][CODE_TEXT_BYTES];
};
/* A set in the state AUTHENTICATOR_ENROLLING: it does nothing until code_activate. The caller wipes it. */
KEER_NODISCARD enum keer_err code_make(struct db *db, const struct id *account, int64_t now_us, struct code_set *ret);
/* The set answers challenges from here on (authenticator_move), and the ones before it are removed. KEER_EMISSING. */
KEER_NODISCARD enum keer_err code_activate(struct db *db, const struct id *account, const struct id *id, int64_t now_us);
/* Takes a code of the active set: *ret_ok, and how many are left. Case, spaces and hyphens don't matter. KEER_EIO. */
KEER_NODISCARD enum keer_err code_take(struct db *db, const struct id *account, struct slice code, int64_t now_us,
                                       bool *ret_ok, unsigned *ret_left);
KEER_NODISCARD enum keer_err code_left(struct db *db, const struct id *account, unsigned *ret_left);
#endif
