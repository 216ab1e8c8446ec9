/* webhooks.h - where decisions are sent to, and what is still to be sent: the outbox.
 *
 * A row of `delivery` is written in the transaction of its decision, one for each webhook that wants the outcome. It has no
 * body: that is made from the journal when it is sent.
 *
 *     waiting ── answered 2xx ──► delivered ── after a time ──► gone
 *        ▲ └──── last try failed, or 410 ──► dead
 *        └────────── replay ─────────────────┘ (delivered ones too)
 *
 * Invariants
 * 1. (webhook, seq) is one delivery, and so one message id, however often it is sent.
 * 2. `at_us` is when a waiting one is due, and when the others came into their state.
 * 3. Secrets are kept as they are given: sealed or not is the caller's (flow/outbox).
 * All functions but webhooks_read, delivery_* readers are used within a transaction of the writing connection. KEER_EIO
 * leaves its words in db_why.
 */
#ifndef STORE_WEBHOOKS_H
#define STORE_WEBHOOKS_H
#include "base/buf.h"
#include "base/crypto.h"
#include "store/db.h"

#define WEBHOOK_ID_BYTES 16
#define WEBHOOK_URL_BYTES 2000
#define WEBHOOK_WHY_BYTES 160

struct webhook_secret { /* 32 bytes as they are, or CRYPTO_SEALED_BYTES; 0: none */
    unsigned char bytes[CRYPTO_SEALED_BYTES];
    unsigned len;
};
struct webhook_row {
    char id[WEBHOOK_ID_BYTES + 1], name[LIMIT_NAME_BYTES + 1], url[WEBHOOK_URL_BYTES + 1];
    uint32_t outcomes; /* a bit for each */
    int64_t created_us, disabled_us /* 0: it is sent to */, old_until_us;
    char why[WEBHOOK_WHY_BYTES]; /* it was disabled */
    struct webhook_secret secret, old_secret;
};

enum delivery_state { DELIVERY_WAITING, DELIVERY_DELIVERED, DELIVERY_DEAD, DELIVERY_STATE_MAX };
const char *delivery_state_name(enum delivery_state state);
/* KEER_EINVALID when there is no such state. */
KEER_NODISCARD enum keer_err delivery_state_find(struct slice name, enum delivery_state *ret_state);

struct delivery {
    int64_t seq, at_us, attempts, status;
    enum delivery_state state;
    unsigned outcome;
    struct slice why; /* borrowed until the statement's next step */
};

/* All of them, oldest first; free() the rows. KEER_ELIMIT beyond LIMIT_WEBHOOKS, KEER_EFORMAT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err webhooks_read(struct db *db, struct webhook_row **ret_rows, unsigned *ret_count);
/* KEER_ELIMIT when there are LIMIT_WEBHOOKS already. */
KEER_NODISCARD enum keer_err webhooks_add(struct db *db, const struct webhook_row *row);
/* With all its deliveries. KEER_EMISSING. */
KEER_NODISCARD enum keer_err webhooks_remove(struct db *db, const char *id);
/* The secret becomes the old one. KEER_EMISSING. */
KEER_NODISCARD enum keer_err webhooks_rotate(struct db *db, const char *id, const struct webhook_secret *secret,
                                             int64_t old_until_us);
/* Sends to it again (disabled_us 0), or not any more. KEER_EMISSING. */
KEER_NODISCARD enum keer_err webhooks_disable(struct db *db, const char *id, int64_t disabled_us, struct slice why);

/* --- deliveries --- */
/* The statement that adds one delivery for each enabled webhook that wants the outcome. */
KEER_NODISCARD enum keer_err delivery_adder(struct db *db, struct db_stmt **ret_stmt);
KEER_NODISCARD enum keer_err delivery_add(struct db_stmt *adder, int64_t seq, unsigned outcome, int64_t now_us);
/* The statement of what became of a try. */
KEER_NODISCARD enum keer_err delivery_settler(struct db *db, struct db_stmt **ret_stmt);
KEER_NODISCARD enum keer_err delivery_settle(struct db_stmt *settler, const char *webhook, const struct delivery *d);
/* Dead ones, or with `seq` that one whatever its state is unless it waits, are due again; how many. */
KEER_NODISCARD enum keer_err delivery_replay(struct db *db, const char *webhook, int64_t seq, int64_t now_us,
                                             int64_t *ret_count);
/* At most `limit` of what was delivered before a time is forgotten; how many. */
KEER_NODISCARD enum keer_err delivery_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count);
/* The statement for the waiting one after (at_us, seq); delivery_next fills *ret and the decision, which are borrowed until
 * db_reset. KEER_EMISSING. */
KEER_NODISCARD enum keer_err delivery_scanner(struct db *db, struct db_stmt **ret_stmt);
KEER_NODISCARD enum keer_err delivery_next(struct db_stmt *scanner, const char *webhook, int64_t at_us, int64_t seq,
                                           struct delivery *ret, struct slice *ret_decision, int64_t *ret_decided_us);
struct delivery_figures {
    int64_t count[DELIVERY_STATE_MAX], oldest_us; /* of what waits, when it was decided; 0 when nothing does */
};
KEER_NODISCARD enum keer_err delivery_count(struct db *db, struct delivery_figures *ret);
/* Those of one webhook and state, the latest first; `each` is called for at most `limit`. */
KEER_NODISCARD enum keer_err delivery_list(struct db *db, const char *webhook, enum delivery_state state, int64_t limit,
                                           void (*each)(void *ctx, const struct delivery *d), void *ctx);
#endif
