/* pay.h - the way of a charge: written, decided, gated, sent, settled; and the second step between.
 *
 *     POST /v1/charges ─► pay_add ─► the event is decided ─► pay_gate ─┬─► REFUSED, NEEDS_STEP: answered
 *       (committed)         (committed)              (committed)       └─► SUBMITTED ─► wallet_charge ─► pay_settle ─►
 * answered POST /v1/charges/{id}/confirm, or the same POST again ─► from where the row stands settle.h (a timer) ─► pay_turn
 * ─► wallet_charge_query ─► pay_settle ─┬─► pay_again ─► wallet_charge, the same number wallet_notices.h ─► pay_notice └─►
 * wallet_charge_cancel ─► pay_settle
 *
 * Invariants
 * 1. No transaction is open while a wallet is called, and nothing is sent that a commit did not say before: whoever is
 * killed anywhere leaves a row that the timer, or the same request again, goes on from.
 * 2. Of many equal requests at once one passes pay_gate; the others answer with the row as it stands.
 * 3. The event that is decided lies with the charge (charge_request), printed once: deciding it again gives what was
 * decided.
 * 4. What passes the gate without a step is within the agreement's unverified limit, allowed by the decision (no challenge,
 *    no review), and bought by the agreement's own account or by a grown-up of its family. All else needs a step: a
 * challenge of the kind payment, of the agreement's account, which shows amount, currency, payee, agreement, wallet and the
 * store's id, and is used in the gate's transaction.
 * 5. A family's purchase: the buyer is a member, the agreement is the organiser's, and the organiser answers the challenge.
 * An approval of a family (family.h) is not a step and does not replace one. Both accounts must be free of holds.
 * 6. Once an agreement is ENDING, PAUSED or held nothing of it is sent or sent again (pay_gate, pay_again ask in their
 *    transactions); what was on its way is asked for, and settled.
 * 7. A store sees and charges the agreements that its key made, and no others; an analyst reads all.
 * 8. Whatever is paid without a step of its own is told to every address of the payer, in the transaction that settles it.
 * Functions with a struct db are desk_fn over one struct pay_case: no clock, no threads, no network, so that simulations
 * drive them.
 */
#ifndef FLOW_PAY_H
#define FLOW_PAY_H
#include "flow/step.h"
#include "flow/wallet_calls.h"
#include "wallet/balance.h"
#include "wallet/refund.h"

struct pay {                            /* does not change after the start */
    const struct steps *steps;          /* accounts, account key */
    const struct flow_wallets *wallets; /* NULL in simulations, which call by themselves */
    struct charge_terms terms;
    bool tell_all;  /* --charge-notices all: of charges too that the person did a step for */
    bool open_2018; /* --unsafe-2018: no holds, decisions, caps, steps, and nobody is told */
};

struct pay_ask {
    struct slice client, key; /* the store's key, and its id of the charge */
    struct id agreement;
    struct id account; /* who buys; none: the agreement's */
    enum charge_kind kind;
    int64_t amount_minor;
    enum currency currency;
    struct slice payee, item, beneficiary, merchant, device, ip, user_agent, session, return_url;
};
enum pay_next {
    PAY_ANSWER, /* as it stands */
    PAY_DECIDE, /* then pay_gate */
    PAY_SEND,   /* the wallet is called: a charge with `agreement`, then pay_settle */
    PAY_QUERY,  /* by number, then pay_settle */
    PAY_CANCEL  /* the wallet cancels it, then pay_settle */
};
struct pay_case {
    const struct pay *p;
    int64_t now_us;
    const struct pay_ask *ask; /* pay_add */
    struct slice client;       /* pay_look, pay_cancel: whose; "" sees all */
    struct id id;              /* of the charge: all but pay_add */
    enum keer_outcome outcome; /* pay_gate: what was decided */
    bool review;
    bool can_cancel;                    /* pay_turn, pay_again, pay_after: of the wallet */
    bool refused;                       /* pay_after: the wallet has refused it before, without a signature */
    struct charge_said said;            /* pay_settle */
    const struct wallet_notice *notice; /* pay_notice, with */
    const char *wallet;
    /* the answer */
    struct charge charge;
    struct agreement agreement; /* PAY_SEND: with the wallet's reference; the caller wipes it */
    struct challenge challenge; /* NEEDS_STEP: what waits */
    bool fresh;                 /* it was made now; of a notice: it is new */
    enum charge_settled settled;
    enum surprise surprise; /* of a notice: for the log */
    enum pay_next next;
    struct buf event; /* pay_add, pay_look: what is to be decided; the caller begins and releases it */
};
/* KEER_EMISSING: no such agreement of this client; KEER_ECONFLICT: the key was used for something else; KEER_EINVALID,
 * KEER_ELIMIT. */
desk_fn pay_add;
/* The row, its challenge and its event; any connection. KEER_EMISSING. */
desk_fn pay_look;
/* `id`, `outcome`, `review`. */
desk_fn pay_gate;
desk_fn pay_settle;
/* `id`: KEER_EMISSING when it is not due. */
desk_fn pay_turn;
/* After CHARGE_IS_ABSENT: PAY_SEND, PAY_CANCEL or PAY_ANSWER. */
desk_fn pay_again;
/* A store's wish: at once while nothing was sent; else the wallet is asked, soon. KEER_EMISSING; one that has ended is
 * answered as it stands. */
desk_fn pay_cancel;
/* Tells the payer of a charge that became PAID now (paid_now), in the transaction in which it did: 'not me' is one click.
 * pay_settle and pay_notice do it. */
KEER_NODISCARD enum keer_err pay_tell(struct db *db, const struct pay *p, const struct charge *c, int64_t now_us);
/* A genuine notice about a charge or refund; the same again is nothing (`fresh`). */
desk_fn pay_notice;

/* --- at the desk (HTTP_BLOCKING) --- */
struct pay_answer {
    struct charge charge;
    struct challenge challenge; /* NEEDS_STEP */
    bool fresh;
    struct buf decision; /* as it is stored, when it was asked for; the caller releases it */
};
/* The whole way. KEER_OK with the row as it stands; pay_add's errors; KEER_EFULL, KEER_EUNSUPPORTED, KEER_EIO, KEER_ENOMEM
 * fail closed: the same request again goes on. */
KEER_NODISCARD enum keer_err pay_charge(const struct pay *p, struct desk_worker *w, const struct pay_ask *ask,
                                        struct pay_answer *ret);
/* Goes on from where the row stands. KEER_EMISSING. */
KEER_NODISCARD enum keer_err pay_confirm(const struct pay *p, struct desk_worker *w, struct slice client,
                                         const struct id *charge, struct pay_answer *ret);
/* After pay_settle: a refusal that was not signed (WALLET_UNSIGNED_REFUSAL) settles nothing. It is followed by a query at once,
 * and where that brings no signed word of the number either, by a cancellation, whose answer is signed: PAY_QUERY, PAY_CANCEL,
 * else PAY_ANSWER. Cancelling is safe whatever has happened: what was paid all the same goes back. */
enum pay_next pay_after(struct pay_case *c);
void pay_answer_release(struct pay_answer *a);
/* What next says, of a wallet: fills in c->said. */
void pay_call(const struct pay *p, struct pay_case *c);
#define PAY_SEND_US (2 * US_SECOND) /* what was submitted longer ago than that is not sent by who submitted it */
#endif
