/* password.h - passwords: what may be one (NIST SP 800-63B-4 section 3.1.1.2), and what is kept of it.
 *
 *     password ──Argon2id(salt, t, m)──► 32 bytes ──HMAC(account key, account ‖ ·)──► hash of the PHC string
 *
 * Invariants
 * 1. What is kept is a PHC string, `$argon2id$v=19$m=19456,t=2,p=1,keyid=…$salt$hash`. The hash is keyed with a key that is
 *    not in the database where the operator gave one, and bound to the account: a row that is copied to another account, or
 *    taken with the database alone, opens nothing.
 * 2. Argon2 never runs on the writer's or an HTTP thread: flow/password_worker.h calls password_hash and password_verify.
 * 3. A verification for an account that is not there, or has no password, does the same work (password_dummy) and fails.
 * 4. The whole password counts, as the bytes that came: nothing is cut, trimmed or folded. Its length is in code points.
 * 5. There are no rules of composition, no expiry, no hints, no questions.
 */
#ifndef ACCOUNT_PASSWORD_H
#define ACCOUNT_PASSWORD_H
#include "account/identifier.h"

#define PASSWORD_POINTS_MIN 15       /* alone; Unicode code points */
#define PASSWORD_POINTS_MIN_SECOND 8 /* beside a second factor */
#define PASSWORD_POINTS_MAX 256
#define PASSWORD_BYTES_MAX (4 * PASSWORD_POINTS_MAX)
#define PASSWORD_PHC_BYTES 160
#define PASSWORD_CONTEXT_MAX 32 /* words that a password must not be made of */

struct password_cost { /* a row of passwords.def; grows over time, stored ones are made anew at their next use */
    uint32_t memory_kib, passes;
};
struct password_cost password_cost_now(void);

/* KEER_ENOMEM when Argon2 gets no memory. Slow: some 60 ms. */
KEER_NODISCARD enum keer_err password_hash(struct slice password, const struct crypto_hash *key, const struct id *account,
                                           struct password_cost cost, char ret_phc[PASSWORD_PHC_BYTES]);
/* The same with a salt that is made of the key, the account and `salt_of` in place of a random one: the same password gives
 * the same string again, so that a step can be bound to it. `salt_of` says what is asked for, and when: never the same for two
 * changes. */
KEER_NODISCARD enum keer_err password_hash_bound(struct slice password, const struct crypto_hash *key,
                                                 const struct id *account, struct password_cost cost, struct slice salt_of,
                                                 char ret_phc[PASSWORD_PHC_BYTES]);
enum password_verdict { PASSWORD_WRONG, PASSWORD_RIGHT, PASSWORD_RIGHT_OLD /* hash it anew: cost or key have changed */ };
/* Slow; in time that does not depend on where a difference is. KEER_EFORMAT for a row this program did not write. */
KEER_NODISCARD enum keer_err password_verify(struct slice password, const struct crypto_hash *key, const struct id *account,
                                             const char *phc, enum password_verdict *ret_verdict);
/* The PHC string of nobody's password, of today's cost. */
void password_dummy(char ret_phc[PASSWORD_PHC_BYTES]);

/* --- what may be a password --- */
enum password_flaw {
#define PASSWORD_FLAW(name, code, text) PASSWORD_##name,
#include "account/password_flaws.def"
#undef PASSWORD_FLAW
    PASSWORD_FLAW_MAX
};
const char *password_flaw_code(enum password_flaw flaw); /* "too_short" */
const char *password_flaw_text(enum password_flaw flaw);

struct breached; /* breached.h */
struct password_rules {
    bool second_factor;                         /* the account has one */
    const struct breached *breached;            /* NULL: no such file was given */
    struct slice context[PASSWORD_CONTEXT_MAX]; /* names and addresses of the person, the service's name */
    unsigned context_count;
};
/* PASSWORD_FINE, or the first flaw. Milliseconds at worst: the meter is bounded by PASSWORD_POINTS_MAX. */
enum password_flaw password_judge(struct slice password, const struct password_rules *rules);
/* Bits as the meter guesses them, for the page's bar; 0 for what is on a list. */
double password_bits(struct slice password, const struct password_rules *rules);

/* --- rows --- */
struct password_row {
    char phc[PASSWORD_PHC_BYTES];
    int64_t changed_us;
};
/* KEER_EMISSING when the account has none. */
KEER_NODISCARD enum keer_err password_read(struct db *db, const struct id *account, struct password_row *ret_row);
/* Sets or replaces it: `phc` of password_hash. */
KEER_NODISCARD enum keer_err password_write(struct db *db, const struct id *account, const char *phc, int64_t now_us);
/* The same password with today's cost: only while the row still is `old`. KEER_EMISSING when it is not. */
KEER_NODISCARD enum keer_err password_renew(struct db *db, const struct id *account, const char *old, const char *phc);
#endif
