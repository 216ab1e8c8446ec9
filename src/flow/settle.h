/* settle.h - timers that ask until it is settled: charges and refunds whose end is not known, and holds that are over.
 *
 *     charge_due, refund_due ─► pay_turn (put off: 1, 2, 4, ... 60 s, committed) ─► the wallet ─► pay_settle
 *
 * Invariants
 * 1. Whatever a killed daemon left, SUBMITTED or UNKNOWN, is due: nothing but the rows says what is to be asked.
 * 2. A row is put off before the wallet is asked, so that a wallet that hangs, or a daemon that is killed while it asks,
 * does not make more of it than one asking a backoff.
 * 3. One wallet's silence does not keep another's charges: each wallet has its timer, and helpers of its own. A turn takes
 * up to SETTLE_A_TURN rows, at most `helpers_max` + 1 of them at once, and goes on with the next ones until it took
 * SETTLE_TURN_US. It ends when its last helper has ended, and a row is in it once: never two calls for one row at a time.
 * 4. What the breaker would not let pass is not begun: the row stays due, and is not put off, but for those, one for each
 *    helper, that were being put off when it opened. While it is half open one row is asked about, by nobody but the timer.
 * 5. When all is well nothing is asked here: a charge is one request, a refund one. A charge whose answer was lost costs two
 * more.
 */
#ifndef FLOW_SETTLE_H
#define FLOW_SETTLE_H
#include <stdatomic.h>

#include "flow/pay.h"
#include "flow/refund.h"

#define SETTLE_A_TURN 64
#define SETTLE_TURN_US (2 * US_SECOND)
#define SETTLE_TICK_US (US_SECOND / 4)
#define SETTLE_HELPERS_MAX 31
struct settle { /* of one wallet; does not change */
    const struct pay *p;
    struct wallet *wallet;
    struct desk *helpers; /* whose workers make calls beside the timer's own; they only write. NULL: it is alone */
    unsigned helpers_max; /* of this wallet, at once: at most SETTLE_HELPERS_MAX */
};
/* Timers of the desk; ctx: struct settle, struct pay. */
void settle_tick(struct desk_worker *w, void *ctx);
void balance_tick(struct desk_worker *w, void *ctx);
#define BALANCE_TICK_US US_SECOND
/* Rows that wait for a wallet that this daemon doesn't know (its row left the file of wallets): nobody settles them. The daemon
 * serves all the same, since what it knows is no worse for it; it says so in the log, at the start and every hour, and in
 * /readyz. `keer ledger open` lists them, `keer reconcile` settles them by the wallet's statement. */
struct orphans {
    struct wallets *list;      /* NULL: it knows none */
    atomic_int_fast64_t rows;  /* as the last tick saw them */
    atomic_int_fast64_t stuck; /* agreements that are ending for AGREEMENT_STUCK_US, of any wallet */
    int64_t told_us;           /* of the timer alone */
};
void orphans_tick(struct desk_worker *w, void *ctx);
#define ORPHANS_TICK_US US_MINUTE
/* One charge, one refund: until there is nothing to do but wait. False: the database failed, and the row is due again. */
bool settle_charge(const struct settle *s, struct desk_worker *w, const struct id *charge);
bool settle_refund(const struct settle *s, struct desk_worker *w, const struct id *refund);
#endif
