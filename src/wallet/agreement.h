/* agreement.h - what a person and a wallet have agreed: that a store may charge, within caps, until it is ended.
 *
 *     agreement_add ─► STEP ── agreement_stepped (a challenge of the kind link was used) ─► SIGNING ── agreement_signed ─►
 * ACTIVE STEP, SIGNING ── agreement_lapsed (nobody came), agreement_end ───────────────────────────────────────► ENDED
 *        ACTIVE ◄── agreement_resume ──► PAUSED (agreement_pause)
 *        ACTIVE, PAUSED ── agreement_end ─► ENDING ── agreement_ended (the wallet said so) ─► ENDED (for good)
 *        ACTIVE, PAUSED ── agreement_ended (the wallet's notice, or a query: `gone`) ─────────► ENDED
 *
 * Invariants
 * 1. Charges pass in ACTIVE alone (charge.h asks in its own transaction). ENDING is shut for charges already, from the
 * commit on; ENDED is answered when the wallet has said so, and from then on no charge has an effect.
 * 2. ENDED is for good: a signing notice that comes afterwards, or again, revives nothing; it is kept (wallet_event) and
 * said.
 * 3. Caps are of what is charged, whatever pays for it behind the wallet: a charge, a calendar day and month of the zone of
 * the currency (UTC+8 for CNY, else UTC), and a number of charges a day. Lowering is at once; raising is done by the guard
 * alone (agreement_set_caps does what it is told; who may is the flow's).
 * 4. unverified_limit_minor is what may be charged without a second step since the last one, in sum; at most what
 * unverified.def lets a charge and a sum be in that currency, and 0 unless the person raised it.
 * 5. The wallet's reference is sealed by the account key where it is a secret.
 * Functions that write want a transaction of the writing connection.
 */
#ifndef WALLET_AGREEMENT_H
#define WALLET_AGREEMENT_H
#include "base/crypto.h"
#include "base/id.h"
#include "store/db.h"
#include "wallet/connector.h"

/* The numbers are in the database. */
enum agreement_state {
    AGREEMENT_STEP,
    AGREEMENT_SIGNING,
    AGREEMENT_ACTIVE,
    AGREEMENT_PAUSED,
    AGREEMENT_ENDING,
    AGREEMENT_ENDED,
    AGREEMENT_STATE_MAX
};
const char *
agreement_state_name(enum agreement_state state); /* "needs_step", "signing", "active", "paused", "ending", "ended" */

struct agreement_caps {
    int64_t charge_minor, day_minor, month_minor;
    int64_t day_count;
};
/* The default caps of a currency (caps.def); false when there are none: then they must be given. */
bool agreement_default_caps(enum currency currency, struct agreement_caps *ret);
/* What may pass without a step in a currency: a charge, in sum (unverified.def); false: nothing may. */
bool agreement_unverified_max(enum currency currency, int64_t *ret_charge_minor, int64_t *ret_sum_minor);

#define AGREEMENT_SIGN_US (30 * 60 * INT64_C(1000000)) /* STEP and SIGNING lapse */
struct agreement {
    struct id id, account;
    char client[LIMIT_NAME_BYTES + 1];    /* the store's key that made it */
    char reference[LIMIT_NAME_BYTES + 1]; /* the store's own id: unique per client */
    char wallet[WALLET_NAME_BYTES + 1];   /* name */
    char number[WALLET_NUMBER_BYTES + 1]; /* ours, told to the wallet: unique */
    char ref[WALLET_REF_BYTES + 1];       /* theirs, opened; wipe it */
    char refresh[WALLET_REF_BYTES + 1];
    char user[WALLET_CODE_BYTES + 1];
    char return_url[2001];
    char device[LIMIT_NAME_BYTES + 1], ip[64];
    enum currency currency;
    enum agreement_state state;
    struct agreement_caps caps;
    int64_t unverified_limit_minor;
    int64_t unverified_used_minor; /* since verified_us */
    int64_t verified_us;           /* last second step that was bound to it: link or payment */
    struct id challenge;           /* of linking */
    int64_t created_us, state_us, signed_us, synced_us;
    char why[WALLET_WHY_BYTES + 1]; /* it was paused or ended */
    bool by_wallet;                 /* ended there, not here */
};
