/* agreements.h - use cases of linked wallets: linking, limits, pausing, ending, and what wallets say of agreements.
 *
 *     agreements_link ─► wallet_linked is decided ─► STEP and a challenge of the kind link, which shows the caps
 *     agreements_sign ─► the challenge was done and is used: SIGNING ─► the wallet's page ─► its notice, or a query ─► ACTIVE
 *     agreements_limits ─┬─ what is lower ──────────────────────────────────────────────► at once
 *                        └─ what is higher ─ guard_ask: a step bound to it, and a wait ─► agreements_wallet_limit
 *     agreements_end ─► ENDING is committed ─► the wallet is asked to end it ─► it says so, or a query does ─► ENDED
 *
 * Invariants
 * 1. Nothing is linked without a second step of the account that is bound to wallet, store and caps: an account that can't do
 *    one enrols first (ENROL_FIRST). Only then is the wallet asked for anything.
 * 2. Rights go at once and come through the guard: a store lowers, pauses and ends; what raises is the person's, with a step or
 *    a wait, and 'not me' takes it back. Resuming is raising.
 * 3. What a wallet says is taken in any order, any number of times (agreements_take): ended stays ended. A signature that comes
 *    after the end is a stray: it is ended at the wallet too.
 * 4. ENDING is committed before the wallet hears of it; a timer goes on asking until the wallet has said that it is ended.
 * 5. No transaction is open while a wallet is called.
 * 6. The wallet's word is asked for before an agreement lapses that may have been signed.
 * Functions with a struct db run in a transaction of the writing connection, have no clock, and call nobody: simulations drive
 * them. The others run at the desk (HTTP_BLOCKING).
 */
#ifndef FLOW_AGREEMENTS_H
#define FLOW_AGREEMENTS_H
#include "flow/step.h"
#include "flow/wallet_calls.h"
#include "wallet/agreement.h"

struct agreements {            /* does not change after the start */
    const struct steps *steps; /* accounts, account key, guard */
    struct flow_wallets *wallets;
};

enum agreements_outcome {
    AGREEMENTS_OK,
    AGREEMENTS_MISSING,     /* no such agreement of who asks */
    AGREEMENTS_NO_WALLET,   /* no such wallet in this daemon */
    AGREEMENTS_NO_ACCOUNT,  /* none of that id, or it is not active */
    AGREEMENTS_ENROL_FIRST, /* it has no authenticator that works */
    AGREEMENTS_HELD,        /* the account's wallets are held: see `hold` */
    AGREEMENTS_REUSED,      /* the store's id was used for something else */
    AGREEMENTS_NO_CAPS,     /* the currency has no default caps */
    AGREEMENTS_BAD_CAPS,    /* agreement_check */
    AGREEMENTS_CEILING,     /* above what the account's caps may be: agreement.ceiling */
    AGREEMENTS_FULL,        /* AGREEMENTS_MAX */
    AGREEMENTS_DENIED,      /* by the decision */
    AGREEMENTS_STEP,        /* the challenge `challenge` is not done */
    AGREEMENTS_STATE,       /* not possible in the state that it is in */
    AGREEMENTS_PERSON,      /* the rest would raise it: the person alone can, on the page of linked wallets */
    AGREEMENTS_GUARD,       /* see `guard` */
    AGREEMENTS_REFUSED,     /* by the wallet: `why` */
    AGREEMENTS_UNKNOWN      /* the wallet gave no answer that counts: `why`; ask again */
};
struct agreements_answer {
    enum agreements_outcome outcome;
    struct agreement agreement; /* as it stands, without references */
    struct id challenge;        /* LINK, STEP */
    bool fresh;                 /* it was made now */
    bool lowered;               /* LIMITS: something became lower */
    struct account_hold hold;
    struct guard_answer guard;
    struct wallet_why why;
    char url[WALLET_URL_BYTES]; /* SIGN: the wallet's page; "" when it is signed */
};
/* Who asks: a store (client, "" when it may see all) or a person (visitor with a FULL session). */
struct agreements_who {
    struct slice client;
    const struct visitor *v; /* NULL: a store */
};

struct agreements_ask {
    struct slice client, reference;
    struct slice subject; /* or */
    struct id account;
    struct slice wallet, return_url, device, ip, user_agent, session, store;
    enum currency currency;
    bool has_caps;
    struct agreement_caps caps; /* which of them are -1 are the default's */
    int64_t unverified_limit_minor;
};
/* All: KEER_OK with an outcome; KEER_EFULL, KEER_EUNSUPPORTED, KEER_EIO, KEER_ENOMEM fail closed; KEER_EFORMAT, KEER_ELIMIT for
 * a text that can't be. The same ask again gives the row as it stands, and its challenge while it waits for the step. */
KEER_NODISCARD enum keer_err agreements_link(const struct agreements *g, struct desk_worker *w,
                                             const struct agreements_ask *ask, struct agreements_answer *ret);
/* The wallet's page, once the challenge was done; again while it is SIGNING. With the code that a wallet gave to the person's
 * browser (Antom's return), it is finished. */
KEER_NODISCARD enum keer_err agreements_sign(const struct agreements *g, struct desk_worker *w,
                                             const struct agreements_who *who, const struct id *id, struct slice auth_code,
                                             struct agreements_answer *ret);
/* Members of `to` that are below 0 stay as they are. A person's raise goes through the guard with `challenge` (none: not
 * given); a store's is AGREEMENTS_PERSON. */
KEER_NODISCARD enum keer_err agreements_limits(const struct agreements *g, struct desk_worker *w,
                                               const struct agreements_who *who, const struct id *id,
                                               const struct agreement_limits *to, const struct id *challenge,
                                               struct agreements_answer *ret);
KEER_NODISCARD enum keer_err agreements_pause(const struct agreements *g, struct desk_worker *w,
                                              const struct agreements_who *who, const struct id *id,
                                              struct agreements_answer *ret);
KEER_NODISCARD enum keer_err agreements_resume(const struct agreements *g, struct desk_worker *w,
                                               const struct agreements_who *who, const struct id *id,
                                               const struct id *challenge, struct agreements_answer *ret);
/* OK: it is ENDING or ENDED. */
KEER_NODISCARD enum keer_err agreements_end(const struct agreements *g, struct desk_worker *w,
                                            const struct agreements_who *who, const struct id *id,
                                            struct agreements_answer *ret);
/* An administrator has seen at the wallet's own pages that there is none any more: ENDING for AGREEMENT_STUCK_US, which a wallet
 * leaves whose refusals are not signed, is ENDED. STATE: it is not that. */
KEER_NODISCARD enum keer_err agreements_end_seen(const struct agreements *g, struct desk_worker *w,
                                                 const struct agreements_who *who, const struct id *id,
                                                 struct agreements_answer *ret);
/* Asks the wallet how it stands, and takes that over. */
KEER_NODISCARD enum keer_err agreements_sync(const struct agreements *g, struct desk_worker *w,
                                             const struct agreements_who *who, const struct id *id,
                                             struct agreements_answer *ret);
KEER_NODISCARD enum keer_err agreements_look(const struct agreements *g, struct desk_worker *w,
                                             const struct agreements_who *who, const struct id *id,
                                             struct agreements_answer *ret);

/* --- what wallets say --- */
enum agreements_taken {
    AGREEMENTS_NOTHING_NEW,
    AGREEMENTS_SIGNED,
    AGREEMENTS_ENDED, /* it was linked, and is no more; or never became it */
    AGREEMENTS_STRAY, /* signed at the wallet after its end here */
    AGREEMENTS_NOT_OURS
};
/* A genuine notice of the kind WALLET_NOTICE_AGREEMENT, also one that came before: taking it twice changes nothing. May call the
 * wallet. KEER_OK with *ret; else the wallet must send it again. */
KEER_NODISCARD enum keer_err agreements_notice(const struct agreements *g, struct desk_worker *w, struct wallet *wallet,
                                               const struct wallet_notice *n, enum agreements_taken *ret);

/* --- by the clock: a timer of the desk; ctx: struct agreements --- */
void agreements_tick(struct desk_worker *w, void *ctx);
#define AGREEMENTS_TICK_US (2 * US_SECOND)
#define AGREEMENTS_RETRY_US (30 * US_SECOND) /* between two askings of a wallet for one that ends or lapses */
#define AGREEMENTS_SYNC_RETRY_US (10 * US_MINUTE)
#define AGREEMENTS_A_TICK 8

/* --- pure over the database --- */
/* What a wallet says of *a, which was read with the key in this transaction, and is brought up to date. */
KEER_NODISCARD enum keer_err agreements_take(struct db *db, const struct crypto_hash *key,
                                             const struct wallet_agreement *said, int64_t now_us, struct agreement *a,
                                             enum agreements_taken *ret);
/* Ends it here: STEP is ENDED, what else lives is ENDING; people are told. KEER_EMISSING when it was ended before. */
KEER_NODISCARD enum keer_err agreements_close(struct db *db, const struct crypto_hash *key, struct slice why, int64_t now_us,
                                              struct agreement *a);
/* What of `to` is lower than *a is done; *ret_raises: what is left is higher. Members below 0 stay. KEER_ERANGE;
 * KEER_EMISSING: it is ended, or not signed yet; KEER_EFULL: something would be above the ceiling, and nothing is done. */
KEER_NODISCARD enum keer_err agreements_lower(struct db *db, const struct agreement_limits *to, struct agreement *a,
                                              struct agreement_limits *ret_to, bool *ret_lowered, bool *ret_raises);
/* The guard's: struct guard's wallet_limit, wallet_waits, wallet_charge and wallet_end (guard.h). */
KEER_NODISCARD enum keer_err agreements_wallet_limit(struct db *db, const struct id *account, struct slice data, bool raise,
                                                     char was[GUARD_DATA_BYTES + 1], int64_t now_us);
KEER_NODISCARD enum keer_err agreements_wallet_end(struct db *db, const struct id *account, const struct id *agreement,
                                                   int64_t now_us);
KEER_NODISCARD enum keer_err agreements_wallet_waits(struct db *db, const struct id *account, struct slice data,
                                                     int64_t now_us, bool *ret);
KEER_NODISCARD enum keer_err agreements_wallet_charge(struct db *db, const struct id *account, const struct id *charge,
                                                      int64_t now_us, char ret_event[LIMIT_NAME_BYTES + 1]);
/* What that needs, and what the person is shown: "alipay: 1500.00 / 2000.00 / 6000.00 CNY, 10x, 0.00". */
void agreements_limit_data(const struct agreement *a, const struct agreement_limits *to, char ret_data[GUARD_DATA_BYTES + 1],
                           char ret_detail[CHALLENGE_TEXT_BYTES + 1]);
void agreements_resume_data(const struct agreement *a, char ret_data[GUARD_DATA_BYTES + 1],
                            char ret_detail[CHALLENGE_TEXT_BYTES + 1]);
/* What a challenge of linking shows. `room` backs its texts. */
struct agreements_shown {
    char charge[CURRENCY_TEXT_BYTES], day[CURRENCY_TEXT_BYTES], month[CURRENCY_TEXT_BYTES], unverified[CURRENCY_TEXT_BYTES],
        count[24];
};
struct challenge_data agreements_challenge(const struct agreement *a, struct slice store, struct agreements_shown *room);
#endif
