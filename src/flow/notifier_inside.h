/* notifier_inside.h - what notifier.c (life, mails) and notifier_texts.c (texts) share. */
#ifndef FLOW_NOTIFIER_INSIDE_H
#define FLOW_NOTIFIER_INSIDE_H
#include <pthread.h>
#include <time.h>

#include "flow/notifier.h"

#define NOTIFIER_AT_ONCE 16u /* mails that are read in one turn */
#define NOTIFIER_TEXTS 8u    /* texts under way at the same time */
#define NOTIFIER_LANES_MAX 2u
/* For what another daemon on the same database has put in, and what is due again. */
#define NOTIFIER_LOOK_US (2 * US_SECOND)
static_assert(NOTICE_WHY_BYTES >= MAIL_WHY_BYTES && NOTICE_WHY_BYTES >= NET_WHY_BYTES, "one room for both");

struct notice_settled {
    struct id id;
    enum notice_end end;
    int64_t due_us;
    char why[NOTICE_WHY_BYTES];
};
struct text_slot {
    bool busy;
    struct notice notice;
    struct sms_post post;
};
/* A way, with its thread. */
struct notice_lane {
    struct notifier *n;
    bool texts; /* to phones, by the gateway */
    struct notice_kinds to;
    struct db *db;
    pthread_cond_t woken, written;
    bool wake, running, ended, write_done;
    enum keer_err write_err;
    pthread_t thread;
    struct write_task task;
    struct notice due[NOTIFIER_AT_ONCE];
    struct notice_settled settled[NOTIFIER_AT_ONCE];
    unsigned count; /* of settled */
    struct buf subject, text, line;
    struct net_client *client; /* of texts */
    struct text_slot slot[NOTIFIER_TEXTS];
};
static_assert(2 * NOTIFIER_TEXTS <= NOTIFIER_AT_ONCE, "what is due is read beyond what is under way");
struct notifier {
    struct notifier_options o;
    struct crypto_hash key;
    struct sms_gateway sms;
    int fd; /* the file; -1 */
    pthread_mutex_t lock;
    pthread_cond_t lane_ended;
    bool stop;
    atomic_bool give_up; /* what is under way is not waited for any more */
    struct notice_lane lane[NOTIFIER_LANES_MAX];
    unsigned lanes;
    struct notifier_stats stats;
};

bool notifier_stopping(struct notifier *n);
/* Prints it into l->subject and l->text; NOTICE_SENT: it can be sent, else what becomes of it, and why. */
enum notice_end notifier_print(struct notice_lane *l, const struct notice *one, char why[NOTICE_WHY_BYTES]);
/* What became of it: a row of l->settled, counted and logged. */
void notifier_settle(struct notice_lane *l, const struct notice *one, enum notice_end end, int64_t after_us,
                     const char *why);
/* Reads what is due into l->due. */
KEER_NODISCARD enum keer_err notifier_due(struct notice_lane *l, unsigned limit, unsigned *ret_count);
/* Writes l->settled, waits for the commit and empties it. Errors were logged. */
KEER_NODISCARD enum keer_err notifier_write(struct notice_lane *l);
/* The thread of texts. */
void notifier_texts(struct notice_lane *l);
#endif
