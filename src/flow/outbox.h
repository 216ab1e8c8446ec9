/* outbox.h - webhooks: what was decided is sent to who wants to know, at least once.
 *
 *     engine ─► writer: decision and its deliveries, one transaction ─► worker: one transfer for each webhook at a time
 *                  ▲                                                        │ signed after Standard Webhooks
 *                  └───────── what became of it (decider_write) ◄───────────┘
 *
 * Invariants
 * 1. A delivery is on disk with its decision or not at all; it leaves the outbox only after its receiver has answered 2xx. A
 *    crash between the two sends it again, under the same id.
 * 2. One webhook has one transfer under way; what is due goes in order of its time. What has failed comes again later, and
 *    does not hold up what is behind it; after three failures in a row the webhook rests.
 * 3. A secret is shown once. In the database it is sealed when there is a key, and else as it is.
 * 4. Where nobody wants an outcome, a decision of it costs a test of one bit.
 *
 * Threads: the worker has a reading connection of its own; changes (outbox_change) run on the writer's thread; lists use a
 * second reading connection under a lock. The worker's table of webhooks is its own, read again when `generation` moves.
 */
#ifndef FLOW_OUTBOX_H
#define FLOW_OUTBOX_H
#include "flow/decider.h"
#include "net/client.h"
#include "store/webhooks.h"

struct outbox;
struct outbox_options {
    struct decider *decider;
    const char *database;
    const struct log *log;
    int64_t (*now_us)(void), (*wall_us)(void);
    struct net_networks allowed;
    int64_t retry_us[LIMIT_RETRIES]; /* after the first try, the second ... */
    unsigned retries;
    int64_t timeout_us;
    int64_t keep_us;                       /* delivered ones are forgotten after it */
    const struct crypto_hash *key_or_null; /* seals secrets; copied */
};
struct outbox_stats {
    atomic_uint_fast64_t waiting, dead, oldest_us; /* oldest_us: when the oldest that waits was decided, 0: none */
    atomic_uint_fast64_t delivered, failed, died, webhooks, disabled;
};

/* Opens its connections; the webhooks that are in the database are known from here on. Call it between decider_new and
 * decider_start. On failure *ret_why says it: KEER_EINVALID when secrets are sealed and the key is not theirs. */
KEER_NODISCARD enum keer_err outbox_new(const struct outbox_options *o, struct outbox **ret_outbox, struct db_why *ret_why);
KEER_NODISCARD enum keer_err outbox_start(struct outbox *o);
/* Drops what is under way and ends the worker; before decider_free. Twice is fine. */
void outbox_stop(struct outbox *o);
void outbox_free(struct outbox *o); /* after decider_free; NULL is fine */
struct outbox_stats *outbox_statistics(struct outbox *o);
const struct net_networks *outbox_networks(const struct outbox *o);

enum outbox_verb { OUTBOX_ADD, OUTBOX_REMOVE, OUTBOX_ROTATE, OUTBOX_REPLAY };
#define OUTBOX_SECRET_BYTES (6 + CRYPTO_BASE64_BYTES) /* whsec_..., its NUL included */
#define OUTBOX_OLD_SECRET_US US_DAY                   /* a secret that was rotated away signs on */
struct outbox_change {
    enum outbox_verb verb;
    struct webhook_row row; /* ADD: name, url, outcomes; else id. The rest is filled in */
    int64_t seq;            /* REPLAY: this one; 0: all that are dead */
    /* On the writer's thread; must not block. KEER_EMISSING: no such webhook; KEER_ELIMIT: too many. */
    void (*done)(struct outbox_change *c);
    void *ctx;
    /* the answer */
    enum keer_err err;
    char secret[OUTBOX_SECRET_BYTES]; /* ADD, ROTATE: the caller wipes it */
    int64_t count;                    /* REPLAY */
    /* the outbox's */
    struct outbox *outbox;
    struct write_task task;
    uint32_t wanted;
};
/* Hands it to the writer; what decider_write says, and then `done` is not called. */
KEER_NODISCARD enum keer_err outbox_change(struct outbox *o, struct outbox_change *c);

/* JSON objects, without secrets; `id` empty: all of them, {"webhooks":[...]}. KEER_EMISSING, KEER_EIO, KEER_ENOMEM. Any
 * thread. */
KEER_NODISCARD enum keer_err outbox_list(struct outbox *o, struct slice id, struct buf *out);
void outbox_print(const struct webhook_row *row, const char *secret_or_null, struct buf *out);
#define OUTBOX_LIST_MAX 100
KEER_NODISCARD enum keer_err outbox_deliveries(struct outbox *o, struct slice id, enum delivery_state state,
                                               struct buf *out);
/* "decision.deny" and so on: a bit; 0 when it is none. */
uint32_t outbox_event(struct slice name);
#endif
