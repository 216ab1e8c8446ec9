/* world.h - what has happened at the wallets: agreements, charges, refunds, who pays, and the journal of it.
 *
 *     agreement  TEMP ── world_sign ─► NORMAL ── world_end ─► STOPPED          TEMP ── world_end ─► STOPPED
 *     charge     world_charge ─┬─► PAID ── world_refund (all of it), world_cancel ─► CLOSED
 *                              ├─► WAITS ── world_due ─► PAID, CLOSED      WAITS ── world_cancel ─► CLOSED
 *                              └─► FAILED
 *     refund     world_refund ─┬─► PAID
 *                              └─► WAITS ── world_due ─► PAID, FAILED
 *
 * Invariants
 * 1. A number of the merchant's is one agreement, charge or refund of a wallet for ever: the same again with the same data
 *    is EM_SAME and shows it as it stands, with other data EM_OTHER_DATA, both without effect.
 * 2. Money moves in world_charge, world_refund, world_cancel and world_due alone, each once per object, and each writes a
 * line of the journal under the same lock. Refunds never exceed what was taken, and those that wait count.
 * 3. What is given out is a copy. Nothing is forgotten while the program runs.
 * 4. The wallet's numbers follow from the seed and the merchant's number.
 */
#ifndef EMULATOR_WORLD_H
#define EMULATOR_WORLD_H
#include "base/currency.h"
#include "base/hash.h"
#include "emulator/journal.h"

enum em_wallet { EM_ALIPAY, EM_WECHATPAY, EM_ANTOM, EM_WALLET_MAX };
const char *em_wallet_name(enum em_wallet wallet);
#define EM_NUMBER_BYTES 64
#define EM_REF_BYTES 64
#define EM_URL_BYTES 1024
#define EM_TEXT_BYTES 128
#define EM_PAGE_BYTES 32

enum em_agreement_state { EM_TEMP, EM_NORMAL, EM_STOPPED };
struct em_agreement {
    enum em_wallet wallet;
    enum em_agreement_state state;
    bool by_person;                                         /* STOPPED: the person ended it */
    char number[EM_NUMBER_BYTES + 1];                       /* external_agreement_no, out_contract_code, authState */
    char ref[EM_REF_BYTES + 1];                             /* agreement_no, contract_id, accessToken */
    char refresh[EM_REF_BYTES + 1], code[EM_REF_BYTES + 1]; /* Antom: refreshToken, authCode */
    char payer[EM_REF_BYTES + 1];
    char page[EM_PAGE_BYTES + 1]; /* names the page where the person signs */
    char shown[EM_TEXT_BYTES + 1], plan[EM_TEXT_BYTES + 1], scene[EM_TEXT_BYTES + 1], remark[EM_TEXT_BYTES + 1];
    const char *notify_url, *return_url;             /* world_text */
    struct hash128 data;                             /* of what was asked */
    int64_t cap_minor, total_cap_minor, taken_minor; /* 0: no cap */
    int64_t made_us, signed_us, ended_us, last_us;
    bool code_used;
};
enum em_charge_state { EM_CHARGE_WAITS, EM_CHARGE_PAID, EM_CHARGE_FAILED, EM_CHARGE_CLOSED };
struct em_charge {
    enum em_wallet wallet;
    enum em_charge_state state;
    char number[EM_NUMBER_BYTES + 1], ref[EM_REF_BYTES + 1];
    char agreement[EM_REF_BYTES + 1], payer[EM_REF_BYTES + 1]; /* the agreement's ref */
    char subject[EM_TEXT_BYTES + 1], code[EM_REF_BYTES + 1];   /* code: why it FAILED, the wallet's word */
    const char *notify_url;                                    /* world_text */
    struct hash128 data;
    enum currency currency;
    int64_t asked_minor, taken_minor, refunded_minor, refunding_minor;
    int64_t made_us, done_us, due_us;
    bool ends_closed; /* what waits ends without money */
    bool burnt;       /* cancelled before it was ever seen: there is no such charge, and there will be none */
};
enum em_refund_state { EM_REFUND_WAITS, EM_REFUND_PAID, EM_REFUND_FAILED };
struct em_refund {
    enum em_wallet wallet;
    enum em_refund_state state;
    char number[EM_NUMBER_BYTES + 1], ref[EM_REF_BYTES + 1], charge[EM_NUMBER_BYTES + 1];
    char reason[EM_TEXT_BYTES + 1];
    const char *notify_url; /* world_text */
    struct hash128 data;
    int64_t minor, made_us, done_us, due_us;
    bool ends_failed, by_wallet;
};
struct em_payer { /* who pays; balance_minor below 0: as much as is asked */
    char name[EM_REF_BYTES + 1];
    int64_t balance_minor, charge_limit_minor, day_limit_minor; /* limits 0: none */
    bool risky;                                                 /* the wallet refuses what is charged: it looks like fraud */
    int64_t day, day_minor;
};

enum em_result {
    EM_DONE,       /* it happened now */
    EM_SAME,       /* it had happened */
    EM_OTHER_DATA, /* the number was used for something else */
    EM_NOT_THERE,
    EM_ENDED,    /* the agreement is not NORMAL any more */
    EM_UNSIGNED, /* not yet */
    EM_OVER_CAP, /* of the agreement */
    EM_OVER_DAY, /* of the payer, a day */
    EM_NO_MONEY, /* of the payer */
    EM_RISK,     /* the wallet's own judgement */
    EM_STATE,    /* it can't be done to what is closed, waits or has ended */
    EM_TOO_MUCH, /* more than is left to refund */
    EM_NO_MEMORY
};

struct world;
struct world_options {
    uint64_t seed;
    struct journal *journal; /* borrowed */
    int64_t (*wall_us)(void);
};
/* A text that lives as long as the world: the same text, the same pointer. "" without memory. */
const char *world_text(struct world *w, struct slice text);
KEER_NODISCARD enum keer_err world_new(const struct world_options *o, struct world **ret_world);
void world_free(struct world *w);

/* `ask` has the wallet, the number, the data and what is to be kept; the result is in *ret. EM_DONE, EM_SAME, EM_OTHER_DATA.
 */
enum em_result world_agree(struct world *w, const struct em_agreement *ask, struct em_agreement *ret);
/* The person signs; `payer` may be empty: then it follows from `shown`. EM_DONE, EM_SAME, EM_ENDED, EM_NOT_THERE. */
enum em_result world_sign(struct world *w, enum em_wallet wallet, struct slice number, struct slice payer,
                          struct em_agreement *ret);
enum em_result world_end(struct world *w, enum em_wallet wallet, struct slice number, bool by_person, struct slice remark,
                         struct em_agreement *ret);
/* By the merchant's number, the wallet's, the page's name, the authCode. EM_DONE or EM_NOT_THERE. */
enum em_result world_agreement(struct world *w, enum em_wallet wallet, struct slice number, struct em_agreement *ret);
enum em_result world_agreement_ref(struct world *w, enum em_wallet wallet, struct slice ref, struct em_agreement *ret);
enum em_result world_agreement_page(struct world *w, struct slice page, struct em_agreement *ret);
/* Antom: an authCode is exchanged once for a token (EM_STATE when it was); a refresh token as often as it is asked. */
enum em_result world_refresh(struct world *w, struct slice refresh, struct em_agreement *ret); /* EM_ENDED */
enum em_result world_token(struct world *w, struct slice code, struct em_agreement *ret);

/* `ask` has wallet, number, agreement (its ref), asked_minor, taken_minor, currency, data, notify_url, subject; due_us when
 * it is to wait. EM_DONE: PAID or WAITS now; EM_SAME, EM_OTHER_DATA: *ret as it stands; any other leaves no trace. */
enum em_result world_charge(struct world *w, const struct em_charge *ask, struct em_charge *ret);
/* Puts a charge that failed for good, so that its number is used up. */
enum em_result world_charge_failed(struct world *w, const struct em_charge *ask, const char *code, struct em_charge *ret);
/* As it stands, after what was due. */
enum em_result world_charge_find(struct world *w, enum em_wallet wallet, struct slice number, struct em_charge *ret);
enum em_result world_charge_ref(struct world *w, enum em_wallet wallet, struct slice ref, struct em_charge *ret);
/* EM_DONE: closed now (*ret_given_back: what the payer got back); EM_SAME: it was; EM_STATE: partly refunded, or paid and
 * EM_ONLY_UNPAID; EM_NOT_THERE: with EM_BURN its number can't be charged any more. */
#define EM_ONLY_UNPAID 1u
#define EM_BURN 2u
enum em_result world_cancel(struct world *w, enum em_wallet wallet, struct slice number, unsigned how, struct em_charge *ret,
                            int64_t *ret_given_back);
enum em_result world_refund(struct world *w, const struct em_refund *ask, struct em_refund *ret,
                            struct em_charge *ret_charge);
enum em_result world_refund_find(struct world *w, enum em_wallet wallet, struct slice number, struct em_refund *ret);
/* Ends all that is due. */
void world_due(struct world *w);
/* Makes or changes a payer. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err world_payer(struct world *w, const struct em_payer *p);
struct world_stats {
    uint64_t agreements, signed_now, ended, charges, paid, waiting, failed, closed, refunds;
};
void world_stats(struct world *w, struct world_stats *ret);
/* A number of the wallet's: `digits` of them, from the seed. */
void world_digits(const struct world *w, enum em_wallet wallet, const char *kind, struct slice number, unsigned digits,
                  char *ret_text);
#endif
