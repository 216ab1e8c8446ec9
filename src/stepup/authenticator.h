/* authenticator.h - what a person proves with that it is them: one row for each, whatever its kind.
 *
 *     enrolling ── confirmed ──► waiting ── the guard's time is over ──► active ──► disabled ── (bound anew: another row)
 *         │                        │  ▲                                   │ ▲           │
 *         └────────────────────────┴──┼────────────► removed ◄────────────┴─┼───────────┘
 *                                     └── confirmed with a step ────────────┘     removed ── undone ──► what it was
 *
 * Invariants
 * 1. An active one alone answers challenges.
 * 2. It belongs to one account; every function that changes one takes the account as well, and meets no row of another.
 * 3. Rows are not deleted but removed, so that a removal can be undone and a log names what it names.
 * 4. At most AUTHENTICATORS_MAX of an account are not removed.
 * What is particular to a kind is in a table of its own, keyed by `id`: totp, recovery_code (code.h), and the passkey's. A
 * device's is the device of src/account, named by `ref`.
 * Functions that write want a transaction of the writing connection; readers any connection.
 */
#ifndef STEPUP_AUTHENTICATOR_H
#define STEPUP_AUTHENTICATOR_H
#include "base/id.h"
#include "store/db.h"

#define AUTHENTICATORS_MAX 32
#define AUTHENTICATOR_NAME_BYTES LIMIT_NAME_BYTES

/* The numbers are in the database. */
enum authenticator_kind {
    AUTHENTICATOR_PASSKEY,
    AUTHENTICATOR_TOTP,
    AUTHENTICATOR_DEVICE,
    AUTHENTICATOR_RECOVERY_CODE, /* a set of ten */
    AUTHENTICATOR_KIND_MAX
};
#define AUTHENTICATOR_BIT(kind) (1u << (kind))
/* "passkey", "totp", "prompt" (a device answers prompts), "recovery_code": the methods of the hosted pages. */
const char *authenticator_kind_name(enum authenticator_kind kind);

enum authenticator_state {
    AUTHENTICATOR_ENROLLING,
    AUTHENTICATOR_WAITING,
    AUTHENTICATOR_ACTIVE,
    AUTHENTICATOR_DISABLED, /* too many wrong answers in a row */
    AUTHENTICATOR_REMOVED,
    AUTHENTICATOR_STATE_MAX
};
const char *authenticator_state_name(enum authenticator_state state);

struct authenticator {
    struct id id, account, ref;
    char name[AUTHENTICATOR_NAME_BYTES + 1];
    enum authenticator_kind kind;
    enum authenticator_state state, before /* it was removed */;
    int64_t created_us, used_us /* 0: never */, state_us;
};
/* KEER_EFULL beyond AUTHENTICATORS_MAX, KEER_ELIMIT for a name that is too long, KEER_EIO. `id` is filled in when it is
 * none; state_us is created_us. */
KEER_NODISCARD enum keer_err authenticator_add(struct db *db, struct authenticator *a);
/* From one of the states in the mask `from` (AUTHENTICATOR_BIT(state)) to another. KEER_EMISSING when it is not that. */
KEER_NODISCARD enum keer_err authenticator_move(struct db *db, const struct id *account, const struct id *id, unsigned from,
                                                enum authenticator_state to, int64_t now_us);
/* Removed, remembering the state before; and back. KEER_EMISSING. */
KEER_NODISCARD enum keer_err authenticator_remove(struct db *db, const struct id *account, const struct id *id,
                                                  int64_t now_us);
KEER_NODISCARD enum keer_err authenticator_restore(struct db *db, const struct id *account, const struct id *id,
                                                   int64_t now_us);
KEER_NODISCARD enum keer_err authenticator_rename(struct db *db, const struct id *account, const struct id *id,
                                                  struct slice name);
/* An active one was used. KEER_EMISSING when it is not active (any more). */
KEER_NODISCARD enum keer_err authenticator_used(struct db *db, const struct id *account, const struct id *id,
                                                int64_t now_us);
/* KEER_EMISSING. */
KEER_NODISCARD enum keer_err authenticator_get(struct db *db, const struct id *account, const struct id *id,
                                               struct authenticator *ret);
/* The one that is not removed, of a kind that refers to something (a device). KEER_EMISSING. */
KEER_NODISCARD enum keer_err authenticator_by_ref(struct db *db, const struct id *account, enum authenticator_kind kind,
                                                  const struct id *ref, struct authenticator *ret);
/* Those that are not removed, oldest first. */
KEER_NODISCARD enum keer_err authenticators_list(struct db *db, const struct id *account,
                                                 struct authenticator ret_rows[AUTHENTICATORS_MAX], unsigned *ret_count);
/* Kinds of which one is active, as bits: the methods that a challenge can be answered by. A set of recovery codes counts
 * while a code is left. */
KEER_NODISCARD enum keer_err authenticators_methods(struct db *db, const struct id *account, unsigned *ret_kinds);
/* Whether it ever had one that was not removed: also one that is disabled, or codes that are spent. Who guesses until an
 * authenticator is disabled must not find the account as open as one that never had any. */
KEER_NODISCARD enum keer_err authenticators_bound(struct db *db, const struct id *account, bool *ret_bound);
#endif
