/* signing.h - the provider's own keys: one that signs of each algorithm, those that come after, those whose tokens live.
 *
 *     made (published) ── SIGNING_AHEAD_US ──► signs ── the next one signs ──► published ── SIGNING_AFTER_US ──► deleted
 *
 * Invariants
 *  1. A key is published SIGNING_AHEAD_US before it signs (the first one of all excepted), so that a client that keeps the
 * set for a day knows it; and SIGNING_AFTER_US after it last signed, longer than any token of it is valid.
 *  2. The private half is in the database sealed under a key that is not in it, bound to its kid; kid is its thumbprint.
 *  3. A struct oidc_keys does not change: others hold a reference to the one they began with.
 */
#ifndef OIDC_SIGNING_H
#define OIDC_SIGNING_H
#include "jose/jws.h"
#include "oidc/oidc.h"
#include "store/db.h"

#define SIGNING_KEYS_MAX 16
#define SIGNING_EVERY_US (90 * US_DAY)
#define SIGNING_AHEAD_US (2 * US_DAY)
#define SIGNING_AFTER_US (2 * US_DAY)
#define SIGNING_RSA_BITS \
    2048 /* NIST SP 800-57: to 2030; it takes a second to make, not six, and signs three times as fast */

struct oidc_keys {
    struct jwk key[SIGNING_KEYS_MAX];   /* private; alg and kid are set */
    int64_t signs_us[SIGNING_KEYS_MAX]; /* from then on */
    unsigned count;
};
/* Reads all that are published at `now_us`. KEER_EFORMAT when one can't be opened: another seal. */
KEER_NODISCARD enum keer_err oidc_keys_read(struct db *db, const struct crypto_hash *seal, struct oidc_keys *ret_keys);
void oidc_keys_release(struct oidc_keys *keys);
/* The one that signs now: of those of the algorithm that may, the newest. NULL when there is none. */
const struct jwk *oidc_keys_signing(const struct oidc_keys *keys, enum crypto_alg alg, int64_t now_us);
/* {"keys":[...]}, public halves alone. */
KEER_NODISCARD enum keer_err oidc_keys_print(const struct oidc_keys *keys, struct buf *b);

/* Whether a key of the algorithm is due to be made; *ret_signs_us is when it would sign. */
bool oidc_key_due(const struct oidc_keys *keys, enum crypto_alg alg, int64_t now_us, int64_t *ret_signs_us);
/* Keeps one that was made (outside the transaction: an RSA key takes a while). */
KEER_NODISCARD enum keer_err oidc_key_add(struct db *db, const struct crypto_hash *seal, const struct crypto_key *key,
                                          enum crypto_alg alg, int64_t signs_us, int64_t now_us);
/* Deletes those that were followed by another one more than SIGNING_AFTER_US ago. */
KEER_NODISCARD enum keer_err oidc_keys_forget(struct db *db, int64_t now_us);
#endif
