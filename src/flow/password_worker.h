/* password_worker.h - the one thread that runs Argon2, at low priority, behind a short queue.
 *
 * Invariants
 * 1. One Argon2 at a time: its memory (some 19 MiB) and a core are all that a flood of sign-ins gets, and the threads of
 *    decisions come before it (nice 10).
 * 2. At most `places` wait for it or are in it; who gets no place is told so at once, before anything was counted or looked
 * up.
 * 3. A place that was taken is used once or given back.
 * 4. Passwords are not copied; what the thread points at is the caller's, who waits.
 */
#ifndef FLOW_PASSWORD_WORKER_H
#define FLOW_PASSWORD_WORKER_H
#include <stdatomic.h>

#include "account/password.h"
#include "base/histogram.h"

#define PASSWORD_WORKER_NICE 10
#define PASSWORD_PLACES_MAX 1024

struct password_worker;
struct password_worker_stats {
    atomic_uint waiting;
    atomic_uint_fast64_t done, full;
};
/* `key` is copied. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err password_worker_new(const struct crypto_hash *key, unsigned places,
                                                 struct password_worker **ret_worker);
/* KEER_EIO. */
KEER_NODISCARD enum keer_err password_worker_start(struct password_worker *w);
/* Runs what it has, ends the thread and frees. NULL is fine. */
void password_worker_free(struct password_worker *w);
struct password_worker_stats *password_worker_statistics(struct password_worker *w);

/* False when all places are taken: the caller answers 429 and PASSWORD_RETRY_S. */
#define PASSWORD_RETRY_S "2"
KEER_NODISCARD bool password_worker_place(struct password_worker *w);
void password_worker_give_back(struct password_worker *w);
/* With a place, which they use up; they wait for the thread. As password_hash and password_verify, of today's cost. */
KEER_NODISCARD enum keer_err password_worker_hash(struct password_worker *w, struct slice password, const struct id *account,
                                                  char ret_phc[PASSWORD_PHC_BYTES]);
/* As password_hash_bound. */
KEER_NODISCARD enum keer_err password_worker_hash_bound(struct password_worker *w, struct slice password,
                                                        const struct id *account, struct slice salt_of,
                                                        char ret_phc[PASSWORD_PHC_BYTES]);
/* With ret_fresh, and for a right one of an older cost or key, the same password's new PHC string; else "". */
KEER_NODISCARD enum keer_err password_worker_verify(struct password_worker *w, struct slice password,
                                                    const struct id *account, const char *phc,
                                                    enum password_verdict *ret_verdict, char ret_fresh[PASSWORD_PHC_BYTES]);
#endif
