/* charge.h - a charge on an agreement: its row, its gate, its ends. The gate is the loss bound: whatever a policy says.
 *
 *     charge_add ─► CREATED ── charge_gate ─┬─► NEEDS_STEP ── charge_gate again, with a used challenge ─┐
 *                      │                    ├─► REFUSED (a cap, a hold, the decision, no agreement)     ▼
 *                      │                    └─────────────────────────────────────────────────► SUBMITTED (reserved in the
 * ledger) │                                                                           │ the wallet is called NEEDS_STEP,
 * CREATED ── charge_drop (cancelled, lapsed) ─► CANCELLED                          ▼ charge_settle ◄──────── answer, query,
 * notice, in any order, any number of times ├─► PAID (posted)      ── refunds: refund.h ├─► FAILED (voided) ├─► CANCELLED
 * (voided: the wallet says closed) └─► UNKNOWN: asked by our number until it is one of the three
 *
 * Invariants
 * 1. One id of the caller's is one charge for ever: the same again gives the row as it stands, with other data
 * KEER_ECONFLICT.
 * 2. SUBMITTED is committed before the first byte goes to the wallet, and only by charge_gate: which in that transaction
 * looks at the agreement's state, caps, holds, the decision (durable before: its id is the charge's), the second step, and
 * reserves.
 * 3. A second step lets a charge pass when it is a done payment challenge for this account, agreement, amount, currency and
 * payee, used here, once, within CHALLENGE_USE_US. Without one a charge passes only within the agreement's unverified limit.
 * 4. SUBMITTED and UNKNOWN end in PAID, FAILED or CANCELLED, once; these absorb. What the wallet says afterwards that
 * differs is kept as a `surprise` (wallet_event) and is money of the suspense account, never a silent change.
 * 5. What the wallet says it took must be the amount and currency that were asked: else the charge is PAID at nothing we
 * wanted: it becomes a surprise, and is refunded or repaired by reconciliation, not by guess.
 * 6. A charge is sent again only under its own number.
 */
#ifndef WALLET_CHARGE_H
#define WALLET_CHARGE_H
#include "ledger/ledger.h"
#include "wallet/agreement.h"

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
struct charge {
    struct id id;                   /* ours; its ledger transfers derive from it (charge_transfer_id) */
    char key[LIMIT_NAME_BYTES + 1]; /* the caller's id: unique per client; the event's and decision's id */
    char client[LIMIT_NAME_BYTES + 1];
    char number[WALLET_NUMBER_BYTES + 1]; /* ours, told to the wallet */
    char ref[WALLET_REF_BYTES + 1];       /* theirs, when known */
    struct id agreement, account;         /* account: who buys; a family member's agreement is the organiser's */
    struct crypto_hash body;              /* of the canonical request: same key, same data */
    enum charge_kind kind;
    enum charge_state state;
    int64_t amount_minor, refunded_minor, refunding_minor; /* refunding: asked, not ended */
    enum currency currency;
    char payee[257], item[LIMIT_NAME_BYTES + 1], device[LIMIT_NAME_BYTES + 1];
    struct id challenge;
    bool verified; /* by a step of its own */
    enum wallet_reason reason;
    char why[WALLET_WHY_BYTES + 1];       /* REFUSED, FAILED: code of charge_whys.def, or the wallet's words */
    int64_t created_us, state_us, ask_us; /* ask_us: when the wallet is asked next; 0: never */
    int64_t asked;                        /* how often it was asked */
};
#endif
