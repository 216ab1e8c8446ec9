/* refund.h - the way of a refund: reserved, sent, settled.
 *
 *     POST /v1/refunds ─► give_add ─┬─► REFUSED: answered
 *                                   └─► SUBMITTED ─► wallet_refund ─► give_settle ─► answered
 *     settle.h (a timer) ─► give_turn ─► wallet_refund_query ─► give_settle ─► (not there) wallet_refund, the same number
 *
 * Invariants: those of wallet/refund.h. A store gives back what its own charges took. An agreement that has ended, and an
 * account that is held, get their money back all the same.
 */
#ifndef FLOW_REFUND_H
#define FLOW_REFUND_H
#include "flow/pay.h"

struct give_ask {
    struct slice client, key, reason;
    struct id charge;
    int64_t amount_minor;   /* 0: all that is left */
    enum currency currency; /* CUR_MAX: the charge's */
};
struct give_case {
    const struct pay *p;
    int64_t now_us;
    const struct give_ask *ask; /* give_add */
    struct slice client;        /* give_look */
    struct id id;               /* all but give_add */
    struct refund_said said;    /* give_settle */
    /* the answer */
    struct refund refund;
    struct charge charge;
    bool fresh;
    enum charge_settled settled;
};
/* KEER_EMISSING: no such charge of this client; KEER_ECONFLICT, KEER_EINVALID. */
desk_fn give_add;
desk_fn give_look; /* any; KEER_EMISSING */
desk_fn give_settle, give_turn;

/* At the desk; KEER_OK with the row as it stands. */
KEER_NODISCARD enum keer_err give_back(const struct pay *p, struct desk_worker *w, const struct give_ask *ask,
                                       struct give_case *ret);
void give_call(const struct pay *p, struct give_case *c, bool again);
void give_query(const struct pay *p, struct give_case *c);
#endif
