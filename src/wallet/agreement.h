/* agreement.h - what a person and a wallet have agreed: that a store may charge, within caps, until it is ended.
 *
 *     agreement_add ─► STEP ── agreement_stepped ─► SIGNING ── agreement_signed ─► ACTIVE ── agreement_pause ──► PAUSED
 *                       │                            │  │                          │  │ ▲                        │  │ │
 *        agreement_end, │                            │  │ agreement_end            │  │ └──── agreement_resume ──┘  │ │
 *        agreement_     │                            │  └──────────────► ENDING ◄──┘  │                             │ │
 *        lapse          │                            │                   │    ▲       │         agreement_end       │ │
 *                       ▼                            │                   │    └───────┼─────────────────────────────┘ │
 *                     ENDED ◄────────────────────────┴───────────────────┴────────────┴───────────────────────────────┘
 *                             agreement_ended: the wallet says that there is none, or none any more
 *
 * Invariants
 * 1. Charges pass in ACTIVE alone (charge.h asks in its own transaction). ENDING is shut for charges from its commit on; it is
 *    ENDED when the wallet has said so.
 * 2. ENDED is for good: a signing notice that comes afterwards, or again, meets no row. What the wallet has then is nothing to
 *    us, and is ended there (flow/agreements.h).
 * 3. Caps are of what is charged, whatever pays for it behind the wallet: a charge, a calendar day and month of the zone of the
 *    currency (UTC+8 for CNY, else UTC), and a number of charges a day. agreement_set_caps does what it is told up to the
 *    ceiling: who may, and that raising goes through the guard, is the flow's; how fast it may be is agreement_pace's.
 *    Nothing raises caps above the ceiling of the account in that currency (caps.def, or agreement_set_ceiling), and the gate
 *    of charges compares with it again: it bounds a thief who holds everything but the administrator's key.
 * 4. unverified_limit_minor is what may be charged without a second step since the last one, in sum; at most what unverified.def
 *    lets a charge and a sum be in that currency, and 0 unless the person agreed to more.
 * 5. The wallet's reference and refresh token are sealed by the account key, bound to the agreement's id; it is found by a keyed
 *    hash.
 * 6. Every change of state is one conditional statement: of two at once, one meets the row.
 * Functions that write want a transaction of the writing connection; readers any connection. `seal` is the account key; NULL
 * where a reader needs no reference: it stays empty then. KEER_EFORMAT: sealed by another key. KEER_EIO leaves its words in
 * db_why.
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
/* "needs_step", "signing", "active", "paused", "ending", "ended" */
const char *agreement_state_name(enum agreement_state state);
/* AGREEMENT_STATE_MAX when there is none of that name. */
enum agreement_state agreement_state_find(struct slice name);
#define AGREEMENT_BIT(state) (1u << (state))

#define AGREEMENT_SIGN_US (30 * 60 * INT64_C(1000000)) /* STEP and SIGNING lapse */
#define AGREEMENT_SYNC_US \
    (24 * 60 * 60 * INT64_C(1000000)) /* how often the wallet is asked for one that is ACTIVE or PAUSED */
#define AGREEMENT_STUCK_US \
    (3 * 24 * 60 * 60 * INT64_C(1000000)) /* ENDING for so long: somebody is to look at the wallet's own pages */
#define AGREEMENTS_MAX 16                 /* of one account that are not ENDED */
#define AGREEMENT_URL_BYTES 2000

struct agreement_caps {
    int64_t charge_minor, day_minor, month_minor;
    int64_t day_count;
};
struct agreement {
    struct id id, account;
    char client[LIMIT_NAME_BYTES + 1];    /* the store's key that made it */
    char reference[LIMIT_NAME_BYTES + 1]; /* the store's own id: unique per client */
    char wallet[WALLET_NAME_BYTES + 1];   /* name */
    char number[WALLET_NUMBER_BYTES + 1]; /* ours, told to the wallet: unique */
    char ref[WALLET_REF_BYTES + 1];       /* theirs, opened; wipe it (agreement_wipe) */
    char refresh[WALLET_REF_BYTES + 1];
    char user[WALLET_CODE_BYTES + 1];
    char return_url[AGREEMENT_URL_BYTES + 1];
    char device[LIMIT_NAME_BYTES + 1], ip[64];
    enum currency currency;
    enum agreement_state state;
    struct agreement_caps caps;
    bool has_ceiling;              /* false: a currency without a row in caps.def, whose caps are never raised */
    struct agreement_caps ceiling; /* of the account in this currency */
    int64_t raised_us;             /* caps or limit were raised last; 0: never */
    int64_t unverified_limit_minor;
    int64_t unverified_used_minor; /* since verified_us */
    int64_t verified_us;           /* last second step that was bound to it: link or payment */
    struct id challenge;           /* of linking */
    int64_t created_us, state_us, signed_us;
    int64_t synced_us;              /* the wallet was asked, or told, last */
    int64_t valid_until_us;         /* how long it holds there; 0: not told */
    char why[WALLET_WHY_BYTES + 1]; /* it was paused or ended */
    bool by_wallet;                 /* ended there, not here */
};
void agreement_wipe(struct agreement *a); /* what is secret in it */

/* --- caps: pure --- */
/* The default caps of a currency (caps.def); false when there are none: then they must be given. */
bool agreement_default_caps(enum currency currency, struct agreement_caps *ret);
/* What may pass without a step in a currency: a charge, in sum (unverified.def); false: nothing may. */
bool agreement_unverified_max(enum currency currency, int64_t *ret_charge_minor, int64_t *ret_sum_minor);
/* What an agreement may hold: none below 0, a charge at most a day's, a day's at most a month's, the limit within
 * unverified.def. KEER_ERANGE. */
#define AGREEMENT_COUNT_MAX 1000 /* charges a day */
struct agreement_limits {
    struct agreement_caps caps;
    int64_t unverified_limit_minor;
};
KEER_NODISCARD enum keer_err agreement_check(enum currency currency, const struct agreement_caps *caps,
                                             int64_t unverified_limit_minor);
/* What the account's caps in a currency may be at most: as an administrator set it, else caps.def. KEER_EMISSING: neither. */
KEER_NODISCARD enum keer_err agreement_ceiling(struct db *db, const struct id *account, enum currency currency,
                                               struct agreement_caps *ret);
/* Sets it, higher or lower; `by`: whose key it was. What agreements hold above it stays, and counts no more. KEER_EMISSING: no
 * such account; KEER_ERANGE as agreement_check. */
KEER_NODISCARD enum keer_err agreement_set_ceiling(struct db *db, const struct id *account, enum currency currency,
                                                   const struct agreement_caps *caps, struct slice by, int64_t now_us);
/* The smaller of each. */
struct agreement_caps agreement_caps_min(const struct agreement_caps *a, const struct agreement_caps *b);
bool agreement_caps_eq(const struct agreement_caps *a, const struct agreement_caps *b);
/* Caps that count: of the row, and of the ceiling where there is one. */
struct agreement_caps agreement_caps_now(const struct agreement *a);
/* When the calendar day and month of the currency's zone began, that now_us is in. */
int64_t agreement_day_us(enum currency currency, int64_t now_us);
int64_t agreement_month_us(enum currency currency, int64_t now_us);
/* Whether a charge of this amount would pass without a step of its own, by the row as it was read: within what a charge may be
 * and the sum. agreement_spend_unverified decides. */
bool agreement_passes_unverified(const struct agreement *a, int64_t amount_minor);

/* --- making, finding --- */
/* Makes one in STEP: account, client, reference, wallet, return_url, device, ip, currency, caps and limit of *a are the caller's;
 * id and number are made unless they are given. One of the same client and reference that is there already is read instead
 * (*ret_new false): whether it is the same is the caller's to see. KEER_EFULL beyond AGREEMENTS_MAX; KEER_ERANGE as
 * agreement_check, or above the ceiling, which is in *a then. */
KEER_NODISCARD enum keer_err agreement_add(struct db *db, const struct crypto_hash *seal, struct agreement *a,
                                           int64_t now_us, bool *ret_new);
/* KEER_EMISSING. */
KEER_NODISCARD enum keer_err agreement_get(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                           struct agreement *ret);
KEER_NODISCARD enum keer_err agreement_by_reference(struct db *db, const struct crypto_hash *seal, struct slice client,
                                                    struct slice reference, struct agreement *ret);
KEER_NODISCARD enum keer_err agreement_by_number(struct db *db, const struct crypto_hash *seal, struct slice number,
                                                 struct agreement *ret);
/* By the wallet's own reference; `seal` is needed. Of several that had it, the last. */
KEER_NODISCARD enum keer_err agreement_by_ref(struct db *db, const struct crypto_hash *seal, struct slice wallet,
                                              struct slice ref, struct agreement *ret);
/* Those of an account, a client or both (an empty one: any), the newest first; `after`: older than that one. References stay
 * sealed. */
struct agreement_find {
    struct id account, after;
    struct slice client;
    unsigned states; /* AGREEMENT_BIT(state); 0: any */
};
KEER_NODISCARD enum keer_err agreements_list(struct db *db, const struct agreement_find *find, struct agreement *ret_rows,
                                             unsigned rows_max, unsigned *ret_count);
/* Ids of at most rows_max agreements in a state (AGREEMENT_BITs) since `since_us` or longer (INT64_MAX: however short), of which
 * the wallet was not asked after `asked_us`; the one asked longest ago first. What was asked in what is to come was asked
 * before the clock was set back: it is due. */
#define AGREEMENT_AHEAD_US (30 * INT64_C(1000000)) /* clocks of two workers are no further apart */
struct agreement_due {
    unsigned states;
    int64_t since_us, asked_us, now_us;
};
KEER_NODISCARD enum keer_err agreements_due(struct db *db, const struct agreement_due *due, struct id *ret_ids,
                                            unsigned rows_max, unsigned *ret_count);

/* --- states: KEER_EMISSING when it is not in a state from which the arrow goes --- */
/* The challenge that is to be answered for linking; in STEP alone. */
KEER_NODISCARD enum keer_err agreement_set_challenge(struct db *db, const struct id *id, const struct id *challenge);
/* The challenge was used, in this transaction; the step counts as the last one. */
KEER_NODISCARD enum keer_err agreement_stepped(struct db *db, const struct id *id, int64_t now_us);
/* What the wallet says of it: reference, refresh token, payer, time. */
KEER_NODISCARD enum keer_err agreement_signed(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                              const struct wallet_agreement *w, int64_t now_us);
KEER_NODISCARD enum keer_err agreement_pause(struct db *db, const struct id *id, struct slice why, int64_t now_us);
KEER_NODISCARD enum keer_err agreement_resume(struct db *db, const struct id *id, int64_t now_us);
/* STEP: to ENDED, the wallet never heard of it; SIGNING, ACTIVE, PAUSED: to ENDING. *ret: where it is. */
KEER_NODISCARD enum keer_err agreement_end(struct db *db, const struct id *id, struct slice why, int64_t now_us,
                                           enum agreement_state *ret);
/* Of one in STEP since `since_us` or longer. */
KEER_NODISCARD enum keer_err agreement_lapse(struct db *db, const struct id *id, int64_t since_us, int64_t now_us);
/* The wallet says that there is none any more; with by_wallet it was ended there first. The reference stays: a late charge may
 * be asked for by it. */
KEER_NODISCARD enum keer_err agreement_ended(struct db *db, const struct id *id, bool by_wallet, struct slice why,
                                             int64_t now_us);
/* The wallet was asked. Any state. */
KEER_NODISCARD enum keer_err agreement_synced(struct db *db, const struct id *id, int64_t now_us);
/* The wallet was asked, and says that it holds, for how long, and, where it gives tokens, by which new ones. ACTIVE, PAUSED:
 * else KEER_EMISSING. */
KEER_NODISCARD enum keer_err agreement_renewed(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                               const struct wallet_agreement *w, int64_t now_us);
/* A signature came for one that is ENDED and never was signed here: a stray. Its reference is kept until it is ended at the
 * wallet, which agreement_drop_stray says. agreements_strays: those of the last two days that the wallet was not asked to end
 * after `asked_us`. */
KEER_NODISCARD enum keer_err agreement_keep_stray(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                                  const struct wallet_agreement *w, int64_t now_us);
KEER_NODISCARD enum keer_err agreement_drop_stray(struct db *db, const struct id *id);
KEER_NODISCARD enum keer_err agreements_strays(struct db *db, int64_t asked_us, int64_t now_us, struct id *ret_ids,
                                               unsigned rows_max, unsigned *ret_count);

/* --- caps and what passed without a step --- */
/* Caps and limit become `to`, if they are still what `was` says and it is not ENDING or ENDED: KEER_EMISSING else. KEER_ERANGE
 * as agreement_check, or something is raised above the ceiling. What is raised is noted as raised now. */
KEER_NODISCARD enum keer_err agreement_set_caps(struct db *db, const struct id *id, enum currency currency,
                                                const struct agreement_limits *was, const struct agreement_limits *to,
                                                int64_t now_us);
/* How fast caps and limit become `to`, after the person's step (the rules stand in caps.def). */
enum agreement_pace {
    AGREEMENT_PACE_LOWER, /* nothing is raised */
    AGREEMENT_PACE_NOW,
    AGREEMENT_PACE_WAITS,
    AGREEMENT_PACE_NEVER /* above the ceiling */
};
enum agreement_pace agreement_pace(const struct agreement *a, const struct agreement_limits *to, int64_t now_us);
/* Charges an amount to the unverified limit, if it is ACTIVE and the limit holds it: KEER_EMISSING when not. It is not given
 * back when the charge fails. */
KEER_NODISCARD enum keer_err agreement_spend_unverified(struct db *db, const struct id *id, int64_t amount_minor);
/* A second step bound to this agreement was used: the sum begins anew. */
KEER_NODISCARD enum keer_err agreement_verified(struct db *db, const struct id *id, int64_t now_us);
#endif
