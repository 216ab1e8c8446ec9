/* notifier.h - sends notices: a thread that takes what is due from the outbox (account/notice.h), and writes what became of
 * it.
 *
 *     use case, its transaction ─► row ─► notifier: text ─┬─► mail server (net/mail.h)
 *                                                          └─► a line of a file (NDJSON)
 *
 * Invariants
 * 1. A notice leaves the outbox only after the mail server has taken it, or its line was written; a crash in between sends
 * it again under the same id.
 * 2. One that fails is tried again after 30 s, twice that, and so on, NOTICE_TRIES_MAX times; then it is dead, counted and
 * told in the log.
 * 3. A file is for development and tests, or for a program of the operator's own that sends what is appended: codes and 'not
 * me' tokens stand in it, so that it is made with mode 0600.
 * 4. A mail server reaches e-mail addresses alone; a file all. What can't be reached is refused where it would be added
 * (accounts.phones).
 *
 * Threads: the notifier's own, with a reading connection; it writes through the decider.
 */
#ifndef FLOW_NOTIFIER_H
#define FLOW_NOTIFIER_H
#include <stdatomic.h>

#include "account/notice.h"
#include "flow/decider.h"
#include "net/mail.h"

struct notifier;
struct notifier_options {
    struct decider *decider;
    const char *database;
    const struct crypto_hash *key;
    struct notice_words words;
    const char *smtp; /* address of the mail server, or */
    const char *file; /* a path */
    const char *from; /* with smtp */
    const struct log *log;
    int64_t (*wall_us)(void);
};
struct notifier_stats {
    atomic_uint_fast64_t sent, failed, dead;
};
/* Opens the file and a reading connection; no thread runs yet. KEER_EIO, KEER_ENOMEM, with words. */
KEER_NODISCARD enum keer_err notifier_new(const struct notifier_options *o, struct notifier **ret_notifier,
                                          struct db_why *ret_why);
KEER_NODISCARD enum keer_err notifier_start(struct notifier *n);
/* There is something: any thread. NULL is fine. */
void notifier_wake(struct notifier *n);
/* Ends the thread, before decider_stop; what waits stays in the outbox. NULL, and twice, is fine. */
void notifier_stop(struct notifier *n);
void notifier_free(struct notifier *n);
struct notifier_stats *notifier_statistics(struct notifier *n);
#endif
