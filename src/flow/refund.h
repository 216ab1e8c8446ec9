/* refund.h - the way of a refund: reserved, sent, settled.
 *
 *     POST /v1/refunds ─► give_add ─┬─► REFUSED: answered
 *                                   └─► SUBMITTED ─► wallet_refund ─► give_settle ─► answered
 *     settle.h (a timer) ─► give_turn ─► wallet_refund_query ─► give_settle ─► (not there) wallet_refund, the same number
 *
 *     once a row says so: give_tell ─► events refund_requested and refund_decided (outcome granted, declined) ─► told
 *
 * What a policy says of those events is for whoever looks at them: what a store gives back is the person's, and nothing here
 * waits for it. They are told at least once, under ids of the row, so that a second telling is the same event.
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
/* Tells of a refund what is to be told (refund_untold). KEER_EFULL, KEER_EUNSUPPORTED, KEER_EIO: the timer tells it later. */
KEER_NODISCARD enum keer_err give_tell(const struct pay *p, struct desk_worker *w, const struct id *refund);
/* A timer of the desk: what was not told; ctx: struct pay. */
void give_tick(struct desk_worker *w, void *ctx);
#define GIVE_TICK_US US_SECOND
#define GIVE_A_TICK 16
void give_call(const struct pay *p, struct give_case *c, bool again);
void give_query(const struct pay *p, struct give_case *c);
#endif
