/* wallet_notices.h - what wallets send: verified on the exact bytes, kept, and only then acknowledged.
 *
 *     POST /v1/wallets/{name}/notices ─► wallet_notice ─┬─ forged, stale, garbled ─► refused; a probe too, without an alarm
 *                                                       ├─ charge, refund ─► pay_notice ─┬─ committed ─► 'success'
 *                                                       ├─ agreement ─► agreements       └─ not, or unknown ─► 'fail': it
 * comes └─ other ─► 'success'                                  again Invariants
 * 1. The wallet hears that a notice was taken after the commit and never before: it sends again what was not.
 * 2. A notice is taken once (wallet_event), and taking it again changes nothing.
 */
#ifndef FLOW_WALLET_NOTICES_H
#define FLOW_WALLET_NOTICES_H
#include "flow/pay.h"

struct wallet_notices { /* does not change after the start */
    const struct pay *p;
    /* Takes one of the kind WALLET_NOTICE_AGREEMENT: KEER_OK when it was taken, durably. */
    enum keer_err (*agreement)(void *ctx, struct desk_worker *w, struct wallet *wallet, const struct wallet_notice *n);
    void *agreement_ctx;
};
struct wallet_noticed {
    enum wallet_verdict verdict;
    bool taken; /* GENUINE, and kept */
    enum surprise surprise;
    char why[WALLET_WHY_BYTES];
    struct wallet_reply reply; /* what the wallet wants to hear */
};
void wallet_notices_take(const struct wallet_notices *n, struct desk_worker *w, struct wallet *wallet,
                         const struct wallet_inbound *in, struct wallet_noticed *ret);
#endif
