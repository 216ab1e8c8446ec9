/* refund.h - money of a charge that goes back: asked by us, or made by the wallet without us.
 *
 *     refund_add ─┬─► SUBMITTED (reserved in the ledger, and of the charge) ── the wallet is called
 *                 └─► REFUSED   (not paid, more than was captured, a top-up that is spent)
 *     SUBMITTED, UNKNOWN ─┬─ refund_settle: made ─► PAID (posted)
 *                         ├─ refund_settle: refused, failed, never there ─► FAILED (voided, given back to the charge)
 *                         └─ refund_settle: anything else ─► UNKNOWN: asked, and sent again under its number with its amount
 *     refund_by_wallet ─► PAID (by_wallet)
 *
 * Invariants
 * 1. refunded + refunding of a charge never exceed what was captured: one conditional UPDATE reserves.
 * 2. One id of the caller's is one refund for ever; the same again gives the row as it stands, with other data
 * KEER_ECONFLICT.
 * 3. A refund may be sent again for as long as it takes: number and amount are the same, and the wallet makes it once.
 * 4. A purchase goes out of sales. A top-up goes out of what is held of it, else out of the balance: what is spent can't go
 * back.
 * 5. PAID and FAILED absorb. A wallet that made a refund which had failed is a surprise (late_refund); one that gives back
 * more than was captured is one too (double_refund): the money is of the suspense account.
 * 6. A refund of the wallet's own has one row for each of its numbers; while the charge is not PAID it is not booked: a
 * query tells its sum later.
 */
#ifndef WALLET_REFUND_H
#define WALLET_REFUND_H
#include "wallet/charge.h"

enum refund_state { REFUND_SUBMITTED, REFUND_UNKNOWN, REFUND_PAID, REFUND_FAILED, REFUND_REFUSED, REFUND_STATE_MAX };
const char *refund_state_name(enum refund_state state);
struct refund {
    struct id id, charge;
    char key[LIMIT_NAME_BYTES + 1], client[LIMIT_NAME_BYTES + 1]; /* of the wallet's own: "", and a hash of its number */
    char number[WALLET_NUMBER_BYTES + 1];
    char ref[WALLET_REF_BYTES + 1];
    struct crypto_hash body;
    enum refund_state state;
    bool by_wallet;
    int64_t amount_minor;
    enum currency currency;
    char reason[129];               /* told to the wallet */
    char why[WALLET_WHY_BYTES + 1]; /* REFUSED, FAILED: as a charge's */
    int64_t created_us, state_us, ask_us, asked;
    int64_t told; /* REFUND_TOLD_... */
};
#define REFUND_TOLD_NOTHING 0
#define REFUND_TOLD_REQUEST 1 /* that it was asked for is an event */
#define REFUND_TOLD_END 2     /* and so is its end */
struct refund_new {
    struct slice client, key, reason; /* reason: at most 128 bytes */
    struct id charge;
    struct crypto_hash body;
    int64_t amount_minor; /* 0: all that is left */
    enum currency currency;
};
/* KEER_EMISSING: no such charge; KEER_ECONFLICT, KEER_EINVALID as charge_add. */
KEER_NODISCARD enum keer_err refund_add(struct db *db, const struct refund_new *n, int64_t now_us, struct refund *ret,
                                        bool *ret_new);
KEER_NODISCARD enum keer_err refund_read(struct db *db, const struct id *refund, struct refund *ret);
KEER_NODISCARD enum keer_err refund_by_number(struct db *db, const char *wallet, const char *number, struct refund *ret);
/* Those of a charge, in the order in which they were made; at most `max`. */
KEER_NODISCARD enum keer_err refund_list(struct db *db, const struct id *charge, unsigned max, struct refund *room,
                                         unsigned *ret_count);
KEER_NODISCARD enum keer_err refund_due(struct db *db, const char *wallet, int64_t now_us, unsigned max, struct id *room,
                                        unsigned *ret_count);

/* Those of which something is to be told: that a store asked for them, or that they have ended; at most `max`. */
KEER_NODISCARD enum keer_err refund_untold(struct db *db, unsigned max, struct id *room, unsigned *ret_count);
/* It was. Never back. */
KEER_NODISCARD enum keer_err refund_was_told(struct db *db, const struct id *refund, int64_t told);
bool refund_has_ended(const struct refund *r);

struct refund_said {
    enum charge_way way; /* BY_ANSWER, BY_QUERY, BY_NOTICE */
    bool again;          /* BY_ANSWER: of a sending that was not the first */
    enum wallet_answer answer;
    struct wallet_refund refund;
    struct wallet_why why;
};
/* As charge_settle; CHARGE_IS_ABSENT: send it again. */
KEER_NODISCARD enum keer_err refund_settle(struct db *db, const struct charge_terms *t, const struct refund_said *said,
                                           int64_t now_us, struct refund *r, enum charge_settled *ret_settled);
KEER_NODISCARD enum keer_err refund_turn(struct db *db, int64_t now_us, struct refund *r);

/* A refund that we did not ask for, of a charge of ours. */
KEER_NODISCARD enum keer_err refund_by_wallet(struct db *db, struct charge *c, const struct wallet_refund *w,
                                              int64_t now_us);
/* The number that such a refund has here: of the wallet's reference, or, where it gives none, of the number it names. */
void refund_own_name(const char *wallet, struct slice name, struct id *ret_number);
#endif
