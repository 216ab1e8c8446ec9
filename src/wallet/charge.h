/* charge.h - a charge on an agreement: its row, its gate, its ends. The gate is the loss bound: whatever a policy says.
 *
 *     charge_add ─► CREATED ─┬─ charge_gate ───────────────────────────────────────────► SUBMITTED ── the wallet is called
 *                            ├─ charge_gate, charge_wait ─► NEEDS_STEP ── charge_gate ──► │ (reserved in the ledger)
 *                            └─ charge_gate, charge_end ──► REFUSED: a cap, a hold, the decision, the agreement, the step
 *     CREATED, NEEDS_STEP ──── charge_end ────────────────► CANCELLED: the store's wish, or nobody came
 *     SUBMITTED, UNKNOWN ─┬─── charge_settle: paid ───────► PAID (posted)         refunds: refund.h
 *                         ├─── charge_settle: refused, failed, closed, never there, nothing was sent ─► FAILED (voided)
 *                         ├─── charge_settle: closed, as the store wished ─► CANCELLED (voided)
 *                         └─── charge_settle: else ───────► UNKNOWN: asked by our number until it is one of the three above
 *
 * Invariants
 * 1. One id of the caller's is one charge for ever: the same again gives the row as it stands, with other data
 * KEER_ECONFLICT.
 * 2. SUBMITTED is committed before the first byte goes to the wallet, and only by charge_gate, which looks in that
 * transaction at the agreement's state, caps, holds, the decision (durable before: its event's id is of the charge's), and
 * the second step, and reserves.
 * 3. Without a step that was used in the gate's transaction a charge passes only within the agreement's unverified limit:
 *    amount <= what unverified.def lets one be, and the sum since the last step <= the limit. What was let pass so is not
 * given back when the charge fails.
 * 4. SUBMITTED and UNKNOWN end in PAID, FAILED or CANCELLED, once; these absorb. What the wallet says afterwards that
 * differs is asked for again, and when a query says it too, is kept as a surprise (surprises.def) with its money in the
 * suspense account; never a silent change.
 * 5. What the wallet says it took must be the amount and currency that were asked. Another amount settles nothing: it is a
 *    surprise at once, and is believed only when a query still says so after `gone_us`: then the charge is FAILED
 * (wrong_money), its reservation voided, and what the wallet took is in the suspense account until reconciliation repairs
 * it.
 * 6. A charge is sent again only under its own number: after the wallet knew nothing of it, while it is younger than
 *    `resend_us`, its agreement ACTIVE, and nothing held. 'Nothing there' ends it only when a query says so `gone_us` after
 * it was submitted, or the wallet has cancelled the number.
 * 7. A refusal settles only when nothing was sent before it: an earlier sending whose answer was lost may have had its
 * effect. Caps count what is SUBMITTED, UNKNOWN and PAID, by the day and month of the currency's zone (agreement_day_us); a
 * refund gives no room back. Functions that write want a transaction of the writing connection. KEER_EIO leaves its words in
 * db_why.
 */
#ifndef WALLET_CHARGE_H
#define WALLET_CHARGE_H
#include "ledger/ledger.h"
#include "wallet/agreement.h"

/* The numbers are in the database. */
enum charge_state {
    CHARGE_CREATED,
    CHARGE_NEEDS_STEP,
    CHARGE_SUBMITTED,
    CHARGE_UNKNOWN,
    CHARGE_PAID,
    CHARGE_FAILED,
    CHARGE_REFUSED,
    CHARGE_CANCELLED,
    CHARGE_STATE_MAX
};
const char *charge_state_name(enum charge_state state);
enum charge_kind { CHARGE_PURCHASE, CHARGE_TOP_UP, CHARGE_KIND_MAX };
const char *charge_kind_name(enum charge_kind kind); /* also the event's type */
enum charge_why {
#define CHARGE_WHY(name, code, text) CHARGE_WHY_##name,
#include "wallet/charge_whys.def"
#undef CHARGE_WHY
    CHARGE_WHY_MAX
};
const char *charge_why_code(enum charge_why why);
const char *charge_why_text(enum charge_why why);
enum charge_why charge_why_find(const char *code); /* CHARGE_WHY_NONE when there is none */
enum surprise {
#define SURPRISE(name, text, what) SURPRISE_##name,
#include "wallet/surprises.def"
#undef SURPRISE
    SURPRISE_MAX
};
const char *surprise_name(enum surprise s);
const char *surprise_what(enum surprise s);

#define CHARGE_REQUEST_BYTES 8000
struct charge {
    struct id id;                   /* ours; its ledger transfers derive from it (books.h) */
    char key[LIMIT_NAME_BYTES + 1]; /* the caller's id: unique per client */
    char client[LIMIT_NAME_BYTES + 1];
    char number[WALLET_NUMBER_BYTES + 1]; /* ours, told to the wallet */
    char ref[WALLET_REF_BYTES + 1];       /* theirs, when known */
    struct id agreement, account;         /* account: who buys; a family member's agreement is the organiser's */
    struct id payer;                      /* the agreement's account */
    char wallet[WALLET_NAME_BYTES + 1];   /* the agreement's */
    struct crypto_hash body;              /* of the canonical request: same key, same data */
    enum charge_kind kind;
    enum charge_state state;
    int64_t amount_minor, refunded_minor, refunding_minor; /* refunding: asked, not ended */
    enum currency currency;
    char payee[257], item[LIMIT_NAME_BYTES + 1], device[LIMIT_NAME_BYTES + 1];
    struct id challenge;
    bool verified; /* by a step of its own */
    bool paid_now; /* of charge_settle: it became PAID by what was said now */
    enum wallet_reason reason;
    char why[WALLET_WHY_BYTES + 1]; /* code of charge_whys.def, then perhaps ": " and the wallet's words */
    int64_t created_us, state_us, submitted_us, ask_us; /* ask_us: when the timer comes by next; 0: never */
    int64_t asked;                                      /* how often it came by since the charge was submitted */
};
/* The event that is decided: "charge-" and the id. */
#define CHARGE_EVENT_BYTES (7 + ID_BYTES)
void charge_event_id(const struct id *charge, char ret_id[CHARGE_EVENT_BYTES + 1]);

/* --- rows --- */
struct charge_new {
    struct slice client, key; /* 1 to LIMIT_NAME_BYTES bytes */
    struct id agreement, account;
    struct crypto_hash body;
    enum charge_kind kind;
    int64_t amount_minor; /* 1 to NUM_EXACT_MAX - 1 */
    enum currency currency;
    struct slice payee, item, device;
};
#define CHARGE_LAPSE_US (25 * 60 * INT64_C(1000000)) /* CREATED and NEEDS_STEP: a challenge's life and its use, and some */
/* *ret is the row as it stands, *ret_new whether it was made. KEER_ECONFLICT: the key was used for something else.
 * KEER_EMISSING: there is no such agreement; KEER_EINVALID, KEER_ELIMIT for what can't be. */
KEER_NODISCARD enum keer_err charge_add(struct db *db, const struct charge_new *n, int64_t now_us, struct charge *ret,
                                        bool *ret_new);
/* What is decided about it, as it is decided: charge_add's row has none until then. Once: what is there stays. */
KEER_NODISCARD enum keer_err charge_request(struct db *db, const struct id *charge, struct slice event);
/* Reading it; any connection. KEER_EMISSING. */
KEER_NODISCARD enum keer_err charge_request_read(struct db *db, const struct id *charge, struct buf *out);
KEER_NODISCARD enum keer_err charge_read(struct db *db, const struct id *charge, struct charge *ret);
KEER_NODISCARD enum keer_err charge_find(struct db *db, struct slice client, struct slice key, struct charge *ret);
KEER_NODISCARD enum keer_err charge_by_number(struct db *db, const char *wallet, const char *number, struct charge *ret);
/* The newest first, made before `before_us`; of a client, account (who buys or pays) or agreement when these are given. */
struct charge_query {
    struct slice client; /* empty: all */
    const struct id *account, *agreement;
    int64_t before_us; /* 0: from now */
};
KEER_NODISCARD enum keer_err charge_list(struct db *db, const struct charge_query *q, unsigned max, struct charge *room,
                                         unsigned *ret_count);
/* Those of a wallet that the timer comes by for, the longest due first: CREATED and NEEDS_STEP that have lapsed among them,
 * and without `asks` these alone, since the wallet need not be asked about them. */
KEER_NODISCARD enum keer_err charge_due(struct db *db, const char *wallet, bool asks, int64_t now_us, unsigned max,
                                        struct id *room, unsigned *ret_count);

/* --- the gate --- */
struct charge_used {
    int64_t day_minor, month_minor, day_count;
};
/* What counts against an agreement's caps. */
KEER_NODISCARD enum keer_err charge_used(struct db *db, const struct id *agreement, enum currency currency, int64_t now_us,
                                         struct charge_used *ret);
/* What the flow found in this transaction. */
struct charge_gate {
    const struct agreement *agreement; /* read in it; `ref` is not looked at */
    bool held;                         /* the agreement's account or the buyer's (guard_hold) */
    bool family;                       /* buyer and agreement's account belong together; true when they are one */
    bool denied;                       /* by the decision */
    bool ask;                          /* the decision, or who buys, wants a step whatever the limit is */
    bool stepped;                      /* a payment challenge for exactly this charge was used in this transaction */
    bool open;                         /* --unsafe-2018: no holds, decisions, caps, steps */
};
enum charge_gated { CHARGE_PASSED, CHARGE_WANTS_STEP, CHARGE_STOPPED };
/* CREATED or NEEDS_STEP: PASSED: it is SUBMITTED and reserved; WANTS_STEP: nothing was written; STOPPED: it is REFUSED with
 * *ret_why. KEER_EMISSING: it is in another state. `c` is brought up to date. */
KEER_NODISCARD enum keer_err charge_gate(struct db *db, const struct charge_gate *g, int64_t now_us, struct charge *c,
                                         enum charge_gated *ret_gated);
/* CREATED -> NEEDS_STEP with a challenge. KEER_EMISSING. */
KEER_NODISCARD enum keer_err charge_wait(struct db *db, const struct id *challenge, int64_t now_us, struct charge *c);
/* CREATED, NEEDS_STEP -> REFUSED or CANCELLED. KEER_EMISSING. */
KEER_NODISCARD enum keer_err charge_end(struct db *db, enum charge_state state, enum charge_why why, int64_t now_us,
                                        struct charge *c);
/* SUBMITTED, UNKNOWN: nothing is sent again any more, the wallet is asked to cancel it. KEER_EMISSING. */
KEER_NODISCARD enum keer_err charge_want_cancel(struct db *db, int64_t now_us, struct charge *c);
bool charge_is_cancelling(const struct charge *c);

/* --- settling --- */
enum charge_way { CHARGE_BY_ANSWER, CHARGE_BY_QUERY, CHARGE_BY_NOTICE, CHARGE_BY_CANCEL, CHARGE_WAY_MAX };
struct charge_said {
    enum charge_way way;
    bool again;                /* BY_ANSWER: of a sending that was not the first */
    enum wallet_answer answer; /* of a notice: WALLET_YES */
    struct wallet_charge charge;
    struct wallet_why why;
};
struct charge_terms {
    int64_t resend_us, gone_us, hold_us; /* --charge-resend, --charge-gone, --top-up-hold */
};
#define CHARGE_RESEND_US (30 * INT64_C(1000000))
#define CHARGE_GONE_US (10 * 60 * INT64_C(1000000))
#define CHARGE_HOLD_US (24 * 3600 * INT64_C(1000000))
#define CHARGE_FIRST_ASK_US (5 * INT64_C(1000000)) /* after SUBMITTED: its answer is still awaited */
enum charge_settled {
    CHARGE_IS_SETTLED, /* it has ended, now or before */
    CHARGE_IS_ABSENT,  /* a query says that the wallet knows nothing of it: send again, or cancel */
    CHARGE_IS_OPEN     /* it is asked again at ask_us */
};
/* Takes what the wallet says, in any order, any number of times. `c` by its id; brought up to date. */
KEER_NODISCARD enum keer_err charge_settle(struct db *db, const struct charge_terms *t, const struct charge_said *said,
                                           int64_t now_us, struct charge *c, enum charge_settled *ret_settled);
/* The timer comes by: ask_us is put off (1, 2, 4, ... 60 s) before the wallet is asked, whatever becomes of that; one that
 * lapsed is CANCELLED. KEER_EMISSING when it is not due. */
KEER_NODISCARD enum keer_err charge_turn(struct db *db, int64_t now_us, struct charge *c);
/* Whether one that is absent may be sent again (invariant 6), but for the hold. */
bool charge_may_resend(const struct charge *c, const struct charge_terms *t, const struct agreement *a, int64_t now_us);
/* A wait before the n-th asking: 1, 2, 4, ..., 60 s. */
int64_t charge_backoff_us(int64_t asked);

/* --- what wallets told (wallet_event) --- */
struct wallet_event {
    const char *wallet, *notice, *number;
    enum wallet_notice_kind kind;
    enum surprise surprise;
    const char *detail;
};
/* Keeps it; *ret_new false when the wallet's notice of this id was kept before. */
KEER_NODISCARD enum keer_err wallet_event_add(struct db *db, const struct wallet_event *e, int64_t now_us, bool *ret_new);
/* A surprise about a number, once for each. */
KEER_NODISCARD enum keer_err surprise_add(struct db *db, const char *wallet, const char *number,
                                          enum wallet_notice_kind kind, enum surprise surprise, const char *detail,
                                          int64_t now_us);
/* It has explained itself. */
KEER_NODISCARD enum keer_err surprise_done(struct db *db, const char *wallet, const char *number, enum surprise surprise,
                                           int64_t now_us);
#endif
