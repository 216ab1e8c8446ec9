/* notifier.h - sends notices: threads that take what is due from the outbox (account/notice.h), and write what became of it.
 *
 *     use case, its transaction ─► row ─┬─► lane of mails: text ──┬─► mail server (net/mail.h)
 *                                       │                         └─► a line of a file (NDJSON)
 *                                       └─► lane of texts: short text ──► SMS gateway (net/sms.h)
 *
 * Invariants
 * 1. A notice leaves the outbox only after the mail server or the gateway has taken it, or its line was written; a crash in
 * between sends it again under the same id.
 * 2. One that fails is tried again after 5 s, four times that, and so on, NOTICE_TRIES_MAX times in 7 hours and a half; then it
 * is dead, counted and told in the log. So is a code that is over: it would only confuse who gets it.
 * 3. A file is for development and tests, or for a program of the operator's own that sends what is appended: codes and 'not
 * me' tokens stand in it, so that it is made with mode 0600.
 * 4. A mail server reaches e-mail addresses alone, a gateway phones alone, a file all that the gateway does not. What can't be
 * reached is refused where it would be added (accounts_unreached).
 * 5. Each way has its own thread: a gateway that takes its time holds up no mail, and the reverse. Several texts are under way
 * at the same time: one that the gateway sits on holds up no other.
 * 6. The log has a notice's id and kind, never its text, its code, or where it goes.
 *
 * Threads: one for each lane, with a reading connection; they write through the decider.
 */
#ifndef FLOW_NOTIFIER_H
#define FLOW_NOTIFIER_H
#include <stdatomic.h>

#include "account/notice.h"
#include "base/timefmt.h"
#include "flow/decider.h"
#include "net/mail.h"
#include "net/sms.h"

struct notifier;
struct notifier_options {
    struct decider *decider;
    const char *database;
    const struct crypto_hash *key;
    struct notice_words words;
    const char *smtp;              /* address of the mail server, or */
    const char *file;              /* a path; neither: no mails */
    const char *from;              /* with smtp */
    const struct sms_gateway *sms; /* copied; NULL: none */
    const struct log *log;
    int64_t (*wall_us)(void);
};
struct notifier_stats {
    atomic_uint_fast64_t sent, failed, dead;
};
/* Opens the file and reading connections; no thread runs yet. After net_start. KEER_EIO, KEER_ENOMEM, with words. */
KEER_NODISCARD enum keer_err notifier_new(const struct notifier_options *o, struct notifier **ret_notifier,
                                          struct db_why *ret_why);
KEER_NODISCARD enum keer_err notifier_start(struct notifier *n);
/* There is something: any thread. NULL is fine. */
void notifier_wake(struct notifier *n);
/* Ends the threads, before decider_stop: what is under way has NOTIFIER_STOP_US to end, and what waits stays in the outbox. NULL,
 * and twice, is fine. */
#define NOTIFIER_STOP_US (2 * US_SECOND)
void notifier_stop(struct notifier *n);
void notifier_free(struct notifier *n);
struct notifier_stats *notifier_statistics(struct notifier *n);
#endif
