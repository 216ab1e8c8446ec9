/* policies.h - versions of policies, which of them decided when, and what shadows decided.
 *
 * A version is the text of a policy and the files that it reads (lists, rates, models): its hash is over all of them, in the
 * order in which they are read, and it has a number. Versions don't change and are not deleted: the journal names them.
 *
 * The log says which version decides from which row on; its newest row is the one that decides now.
 */
#ifndef STORE_POLICIES_H
#define STORE_POLICIES_H
#include "base/buf.h"
#include "base/crypto.h"
#include "store/db.h"

#define POLICY_WHO_BYTES 40

/* How a version came to decide. */
enum policy_action { POLICY_DEPLOYED /* by a file at the start */, POLICY_PROMOTED, POLICY_ROLLED_BACK, POLICY_ACTION_MAX };
const char *policy_action_name(enum policy_action a);

struct policy_part { /* part 0 is the text, named ""; the rest are files, in the order in which they are read */
    struct slice name, content;
};
struct policy_row {
    int64_t number, since_us;
    struct crypto_hash hash;
    char name[LIMIT_TEXT_BYTES + 1];
};
struct policy_turn { /* a row of the log */
    int64_t policy, after_seq, at_us;
    enum policy_action action;
    char who[POLICY_WHO_BYTES];
};

/* In a transaction. The version's number: the one it has when its hash is known, and then only missing parts are added.
 * KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err policies_put(struct db *db, const struct crypto_hash *hash, struct slice name,
                                          const struct policy_part *parts, unsigned count, int64_t now_us,
                                          int64_t *ret_number);
/* The number of a version by its hash; 0 when it is not known. */
KEER_NODISCARD enum keer_err policies_number(struct db *db, const struct crypto_hash *hash, int64_t *ret_number);
/* KEER_EMISSING when there is no such version; what `each` returns ends it. Parts are borrowed for the call. */
KEER_NODISCARD enum keer_err policies_get(struct db *db, int64_t number, struct policy_row *ret_row);
typedef enum keer_err policies_part_fn(void *ctx, const struct policy_part *part);
KEER_NODISCARD enum keer_err policies_parts(struct db *db, int64_t number, policies_part_fn *each, void *ctx);
/* All versions, newest first. */
typedef enum keer_err policies_row_fn(void *ctx, const struct policy_row *row);
KEER_NODISCARD enum keer_err policies_each(struct db *db, policies_row_fn *each, void *ctx);

/* In a transaction: the version decides from the row after `turn->after_seq` on. */
KEER_NODISCARD enum keer_err policies_turn(struct db *db, const struct policy_turn *turn);
/* The newest row of the log, of any action or of one: KEER_EMISSING when there is none. POLICY_ACTION_MAX = any. */
KEER_NODISCARD enum keer_err policies_newest(struct db *db, enum policy_action action, struct policy_turn *ret_turn);

/* The newest row of the log of another version than `number`: KEER_EMISSING when there is none. */
KEER_NODISCARD enum keer_err policies_before(struct db *db, int64_t number, struct policy_turn *ret_turn);

/* In a transaction; a row that is there stays. */
KEER_NODISCARD enum keer_err shadow_add(struct db *db, int64_t policy, int64_t seq, struct slice decision);
/* What a version decided on row `seq` in shadow, added to `out`: KEER_EMISSING. */
KEER_NODISCARD enum keer_err shadow_get(struct db *db, int64_t policy, int64_t seq, struct buf *out);
#endif
