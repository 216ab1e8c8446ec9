/* proof.h - a number of eight digits that was sent to an address, and shows that somebody reads there.
 *
 *     proof_ask ─► OPEN ── right ──► USED
 *                    └──── wrong PROOF_TRIES_MAX times, late, or asked anew ──► nothing opens it any more
 *
 * Invariants
 * 1. A proof is for one account (or none yet: sign-up), one purpose and one address; it opens nothing else.
 * 2. Its digits are not in the database: they are HMAC-SHA256(account key, id) mod 10^8, so that who sends them and who
 * checks them compute them, and a copy of the database holds none where the key is outside of it.
 * 3. It is taken once; of parallel uses one wins (a conditional UPDATE). Wrong answers count before they are told: the
 * caller's transaction must end with a commit whatever proof_check says.
 * 4. A new one for the same account, purpose and address ends those before it, but of sign-ups and recoveries, which anybody
 *    begins: each of these is for its own flow. How many wrong answers an account takes in a
 *    day is another count (store/attempts.h), and does not begin anew with it.
 */
#ifndef ACCOUNT_PROOF_H
#define ACCOUNT_PROOF_H
#include "account/identifier.h"
#include "base/timefmt.h"

#define PROOF_DIGITS 8
#define PROOF_TRIES_MAX 5
#define PROOF_VALID_US (10 * US_MINUTE) /* NIST SP 800-63B-4 section 4.2.1.2 */

enum proof_purpose { PROOF_SIGN_UP, PROOF_SIGN_IN, PROOF_CONTACT, PROOF_RECOVERY, PROOF_PURPOSE_MAX };
struct proof {
    struct id id, account; /* account: none at sign-up */
    enum proof_purpose purpose;
    struct identifier address;
    int64_t created_us, ends_us;
};
enum proof_verdict { PROOF_RIGHT, PROOF_WRONG, PROOF_OVER /* used, late, tried too often, or never there */ };
struct proof_new {
    struct id account;
    enum proof_purpose purpose;
    struct identifier address;
    bool decoy; /* nothing ever opens it, though it counts like any other: a sign-up with an address that is known */
};

KEER_NODISCARD enum keer_err proof_ask(struct db *db, const struct proof_new *n, int64_t now_us, struct id *ret_id);
/* The one that is open. KEER_EMISSING. */
KEER_NODISCARD enum keer_err proof_find(struct db *db, const struct proof_new *n, int64_t now_us, struct id *ret_id);
/* For the notice alone. */
void proof_digits(const struct crypto_hash *key, const struct id *proof, char ret_digits[PROOF_DIGITS + 1]);
/* `ret_proof` is filled for PROOF_RIGHT. Digits may have spaces and hyphens between them. */
KEER_NODISCARD enum keer_err proof_check(struct db *db, const struct crypto_hash *key, const struct id *id,
                                         enum proof_purpose purpose, struct slice digits, int64_t now_us,
                                         struct proof *ret_proof, enum proof_verdict *ret_verdict);
/* Those that ended before, at most `limit`; how many. */
KEER_NODISCARD enum keer_err proof_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count);
#endif
