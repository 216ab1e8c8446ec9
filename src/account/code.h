/* code.h - a number of eight digits that was sent to an address, and shows that somebody reads there.
 *
 *     code_issue ─► OPEN ── right ──► USED       wrong CODE_TRIES_MAX times, late, or issued anew ──► nothing opens it any
 * more
 *
 * Invariants
 * 1. A code is for one account (or none yet: sign-up), one purpose and one address; it opens nothing else.
 * 2. It is not in the database: it is HMAC-SHA256(account key, id) mod 10^8, so that who sends it and who checks it
 *    compute it, and a copy of the database holds none where the key is outside of it.
 * 3. It is taken once; of parallel uses one wins (a conditional UPDATE). Wrong answers count before they are told, and are
 *    committed: the caller's transaction must end with a commit whatever code_check says.
 * 4. A new code for the same account, purpose and address ends those before it. The count of wrong answers of an account is
 *    H-STEP's (store/attempts.h), and does not begin anew with it.
 */
#ifndef ACCOUNT_CODE_H
#define ACCOUNT_CODE_H
#include "account/identifier.h"
#include "base/timefmt.h"

#define CODE_DIGITS 8
#define CODE_TRIES_MAX 5
#define CODE_VALID_US (10 * US_MINUTE) /* NIST SP 800-63B-4 section 4.2.1.2 */

enum code_purpose { CODE_SIGN_UP, CODE_SIGN_IN, CODE_CONTACT, CODE_RECOVERY, CODE_PURPOSE_MAX };
struct code {
    struct id id, account; /* account: none at sign-up */
    enum code_purpose purpose;
    struct identifier address;
    int64_t created_us, ends_us;
};
enum code_verdict { CODE_RIGHT, CODE_WRONG, CODE_OVER /* used, late, tried too often, or never there */ };

/* The digits are for the notice alone. `decoy`: nothing ever opens it, though it counts like any other (a sign-up with an
 * address that is known). */
KEER_NODISCARD enum keer_err code_issue(struct db *db, const struct crypto_hash *key, const struct id *account,
                                        enum code_purpose purpose, const struct identifier *address, bool decoy,
                                        int64_t now_us, struct id *ret_id);
void code_digits(const struct crypto_hash *key, const struct id *code, char ret_digits[CODE_DIGITS + 1]);
/* `ret_code` is filled for CODE_RIGHT. Digits may have spaces and hyphens between them. */
KEER_NODISCARD enum keer_err code_check(struct db *db, const struct crypto_hash *key, const struct id *id,
                                        enum code_purpose purpose, struct slice digits, int64_t now_us,
                                        struct code *ret_code, enum code_verdict *ret_verdict);
/* Those that ended before, at most `limit`; how many. */
KEER_NODISCARD enum keer_err code_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count);
#endif
