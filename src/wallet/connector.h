/* connector.h - one wallet as the flow sees it: what is asked of it, and the four ends that asking has.
 *
 *     flow ─► wallet_charge, ... ─► driver (alipay/, wechatpay/, antom/) ─► wallet_http ─► the wallet
 *     the wallet ─► POST /v1/wallets/{name}/notices ─► wallet_notice (verified on the exact bytes) ─► flow
 *
 * Invariants
 * 1. An answer is WALLET_YES or WALLET_NO only when it was signed by the wallet and is fresh, or is a refusal that the
 * protocol leaves unsigned and that can have had no effect. All else, a time-out, a 5xx, a bad signature, is WALLET_UNKNOWN:
 * then only asking settles. WALLET_NOT_SENT is said when no byte of it can have reached the wallet.
 * 2. A charge or refund is named by our number, at the wallet too: sending the same number again has no second effect.
 * 3. A driver has no clock, no randomness, no socket: struct wallet_io brings them. It keeps nothing between calls, but for
 *    keys that the wallet changes by itself (keys_fetch), which are replaced by verified ones alone.
 * 4. Amounts are minor units; a wallet's own form of money is the driver's business, and what does not fit is an error.
 * 5. What a notice says is what the wallet says; whether it is ours, and the amount is right, is the flow's to check.
 * 6. Keys of the file are read once; two of the wallet's may be valid at a time, and ours has a version; secrets are wiped.
 */
#ifndef WALLET_CONNECTOR_H
#define WALLET_CONNECTOR_H
#include "base/buf.h"
#include "base/currency.h"
#include "base/limits.h"

#define WALLET_NAME_BYTES 32   /* in paths, ledger accounts, settings: a-z 0-9 _ - */
#define WALLET_NUMBER_BYTES 32 /* ours of a charge or refund: 32 letters and digits fit all three */
#define WALLET_REF_BYTES 256   /* the wallet's own of an agreement, a charge, a refund */
#define WALLET_CODE_BYTES 64   /* the wallet's error code */
#define WALLET_WHY_BYTES 200
#define WALLET_URL_BYTES 4096 /* where a person signs */
#define WALLET_ANSWER_BYTES (1u << 20)

/* --- how bytes get there --- */
struct wallet_header {
    struct slice name, value;
};
#define WALLET_HEADERS_MAX 16
struct wallet_request {
    const char *method; /* "GET", "POST" */
    struct slice url;
    struct wallet_header header[WALLET_HEADERS_MAX];
    unsigned headers;
    struct slice body;
    /* caller.c's: a driver leaves them 0 */
    int64_t connect_us, whole_us; /* the longest that it may take */
    bool loopback;                /* http:// to this machine: nowhere else is it taken */
};
#define WALLET_HEAD_BYTES (64u << 10)
struct wallet_response { /* wallet_response_init before, _release afterwards */
    int status;
    struct buf head; /* "name: value\n", as received; names in lower case */
    struct buf body; /* the exact bytes */
};
void wallet_response_init(struct wallet_response *r);
void wallet_response_release(struct wallet_response *r);
/* The value of a header ("content-type"); p is NULL when it is not there, or there twice. Also of a wallet_inbound's head.
 */
struct slice wallet_head_find(struct slice head, const char *name);
enum wallet_sent { WALLET_ANSWERED, WALLET_LOST /* it may have got there */, WALLET_NEVER /* not a byte of it did */ };
struct wallet_io {
    enum wallet_sent (*send)(void *ctx, const struct wallet_request *rq, struct wallet_response *ret);
    void (*random)(void *ctx, void *bytes, size_t len);
    void *ctx;
    int64_t now_us; /* wall clock */
};

/* --- what comes back --- */
enum wallet_answer { WALLET_YES, WALLET_NO, WALLET_UNKNOWN, WALLET_NOT_SENT };
/* Why, in our words: for people, figures, and what is tried next. Rows of reasons.def. */
enum wallet_reason {
#define WALLET_REASON(name, text, again) WALLET_##name,
#include "wallet/reasons.def"
#undef WALLET_REASON
    WALLET_REASON_MAX
};
const char *wallet_reason_name(enum wallet_reason reason); /* "BALANCE" */
const char *wallet_reason_text(enum wallet_reason reason);
bool wallet_reason_again(enum wallet_reason reason);
struct wallet_why {
    enum wallet_reason reason;
    char code[WALLET_CODE_BYTES + 1]; /* the wallet's */
    char text[WALLET_WHY_BYTES + 1];
};

enum wallet_agreement_state {
    WALLET_AGREEMENT_NONE,
    WALLET_AGREEMENT_TEMP,
    WALLET_AGREEMENT_NORMAL,
    WALLET_AGREEMENT_STOPPED,
    WALLET_AGREEMENT_STATE_MAX
};
struct wallet_agreement {
    enum wallet_agreement_state state;
    char number[WALLET_NUMBER_BYTES + 1];        /* ours */
    char ref[WALLET_REF_BYTES + 1];              /* theirs; Antom's is a secret: who keeps it seals it */
    char refresh[WALLET_REF_BYTES + 1];          /* Antom's refresh token; "" else */
    char user[WALLET_CODE_BYTES + 1];            /* the payer as the wallet masks or names him */
    int64_t signed_us, ended_us, valid_until_us; /* 0: not told */
    int64_t charge_cap_minor;                    /* the wallet's own cap a charge; 0: not told */
};
enum wallet_charge_state {
    WALLET_CHARGE_NONE,  /* the wallet knows no such number */
    WALLET_CHARGE_WAITS, /* taken, not decided */
    WALLET_CHARGE_PAID,
    WALLET_CHARGE_FAILED, /* for good */
    WALLET_CHARGE_CLOSED, /* cancelled, timed out: for good. Also: paid and wholly refunded, then refunded_minor says so */
    WALLET_CHARGE_STATE_MAX
};
struct wallet_charge {
    enum wallet_charge_state state;
    char number[WALLET_NUMBER_BYTES + 1];
    char ref[WALLET_REF_BYTES + 1];
    char agreement[WALLET_REF_BYTES + 1]; /* theirs; "": not told */
    int64_t amount_minor, refunded_minor;
    enum currency currency; /* CUR_MAX: not told */
    int64_t paid_us;
};
enum wallet_refund_state {
    WALLET_REFUND_NONE,
    WALLET_REFUND_WAITS,
    WALLET_REFUND_PAID,
    WALLET_REFUND_FAILED,
    WALLET_REFUND_STATE_MAX
};
struct wallet_refund {
    enum wallet_refund_state state;
    char number[WALLET_NUMBER_BYTES + 1], charge[WALLET_NUMBER_BYTES + 1];
    char ref[WALLET_REF_BYTES + 1];
    int64_t amount_minor;
    enum currency currency;
    int64_t paid_us;
};

/* --- what is asked --- */
struct wallet_sign_ask {
    const char *number;      /* ours, of the agreement */
    struct slice account;    /* shown on the wallet's page, masked by the caller */
    struct slice return_url; /* where the wallet sends the person back */
    struct slice notify_url;
    struct slice device, ip; /* of who links; may be empty */
    int64_t device_days;     /* since the device was first seen; -1: not known */
    enum currency currency;
    int64_t charge_cap_minor, total_cap_minor; /* what our caps are: told to a wallet that can hold them; 0: none */
};
struct wallet_charge_ask {
    const char *number;
    const char *agreement; /* theirs */
    struct slice subject;  /* on the person's statement; at most 128 bytes of UTF-8 */
    struct slice notify_url;
    int64_t amount_minor;
    enum currency currency;
    struct slice ip; /* may be empty */
};
struct wallet_refund_ask {
    const char *number, *charge, *charge_ref; /* ours of the refund; ours and theirs of the charge */
    int64_t amount_minor, charged_minor;
    enum currency currency;
    struct slice reason, notify_url;
};

/* --- a notice --- */
enum wallet_notice_kind {
    WALLET_NOTICE_AGREEMENT,
    WALLET_NOTICE_CHARGE,
    WALLET_NOTICE_REFUND,
    WALLET_NOTICE_OTHER /* well signed, nothing to us */,
    WALLET_NOTICE_KIND_MAX
};
struct wallet_notice {
    enum wallet_notice_kind kind;
    char id[WALLET_CODE_BYTES * 2 + 1]; /* the wallet's, or a hash of the bytes: the same is taken once */
    struct wallet_agreement agreement;
    char auth_code[WALLET_REF_BYTES + 1]; /* Antom: for wallet_sign_finish */
    struct wallet_charge charge;
    struct wallet_refund refund;
};
enum wallet_verdict {
    WALLET_GENUINE,
    WALLET_FORGED, /* no signature, a wrong one, an unknown key */
    WALLET_PROBE,  /* the wallet tests whether we check (WECHATPAY/SIGNTEST/): refused like a forged one, no alarm */
    WALLET_STALE,  /* signed too long ago, or in the future */
    WALLET_GARBLED /* genuine, and not what the protocol says */
};
struct wallet_inbound { /* as HTTP received it */
    const char *method;
    struct slice path; /* with the query */
    struct slice head; /* "name: value\n", names in lower case */
    struct slice body;
};
struct wallet_reply { /* what the wallet wants to hear */
    int status;
    const char *type;
    char body[256];
};

struct wallet; /* one merchant's keys and numbers at one wallet; threads may share it */
struct wallet_driver {
    const char *kind; /* "alipay" */
    unsigned can;     /* WALLET_CAN_x */
    /* Of a row of the file of wallets: `settings` is its JSON object, checked to be one; files that it names are beside
     * `folder`. KEER_EINVALID, KEER_EMISSING, KEER_EFORMAT with words that name the member. */
    enum keer_err (*open)(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES]);
    void (*free)(void *self);
    /* Where a person signs. */
    enum wallet_answer (*sign)(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                               char ret_url[WALLET_URL_BYTES], struct wallet_why *why);
    /* With a code of a notice or of the return (Antom); others: same as agreement_query. */
    enum wallet_answer (*sign_finish)(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                      struct wallet_agreement *ret, struct wallet_why *why);
    enum wallet_answer (*agreement_query)(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                          struct wallet_agreement *ret, struct wallet_why *why);
    enum wallet_answer (*agreement_end)(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                        struct slice reason, struct wallet_why *why);
    /* YES: *ret says how it stands, which may be WALLET_CHARGE_WAITS; NO: refused for good, no money moved. */
    enum wallet_answer (*charge)(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                 struct wallet_charge *ret, struct wallet_why *why);
    /* Of a charge that FAILED *why says why, where the wallet does. */
    enum wallet_answer (*charge_query)(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                       struct wallet_why *why);
    /* Makes sure that it never takes effect, or undoes it (WALLET_CAN_CANCEL). YES: *ret is CLOSED. */
    enum wallet_answer (*charge_cancel)(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                        struct wallet_why *why);
    enum wallet_answer (*refund)(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                 struct wallet_refund *ret, struct wallet_why *why);
    enum wallet_answer (*refund_query)(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                       struct wallet_refund *ret, struct wallet_why *why);
    enum wallet_verdict (*notice)(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES]);
    /* What is answered when the notice was taken (durably), and when it was not. */
    void (*reply)(void *self, bool taken, struct wallet_reply *ret);
    /* Keys that the wallet changes by itself, and gives out: all three are NULL where it has none such.
     * Whether they are to be asked for now: at their time, or when something was signed with one that is not known. */
    bool (*keys_due)(void *self, int64_t now_us);
    /* Asks for them. YES: they are verified and in use, *ret_kept has what keys_load takes, and why->text says in words how
     * many there are; else all is as it was. */
    enum wallet_answer (*keys_fetch)(void *self, struct wallet_io *io, struct buf *ret_kept, struct wallet_why *why);
    /* After a start: what was kept at `kept_us`. KEER_EFORMAT with words: it is not the wallet's, or is over. */
    enum keer_err (*keys_load)(void *self, struct slice kept, int64_t kept_us, int64_t now_us,
                               char ret_why[WALLET_WHY_BYTES]);
};
#define WALLET_CAN_CANCEL 1u /* charge_cancel is there */
#define WALLET_CAN_CAP 2u    /* the wallet holds caps of ours */
#define WALLET_SYNC 4u       /* charge answers with its end as a rule; else by notice or query */

extern const struct wallet_driver wallet_alipay, wallet_wechatpay, wallet_antom;

/* --- the wallets of a daemon: --wallets FILE --- */
#define WALLETS_MAX 8
struct wallets;
/* {"wallets":[{"name":"alipay","kind":"alipay",...},...]}: names are unique. KEER_EINVALID and the like, with words. */
KEER_NODISCARD enum keer_err wallets_open(const char *path, struct wallets **ret, char ret_why[WALLET_WHY_BYTES * 2]);
/* The same of one that is put together: wallets_open does it for each row, tests and simulations for drivers of their own.
 * `self` becomes the wallet's, and is freed also when this fails. KEER_ENOMEM, KEER_ELIMIT, KEER_ECONFLICT (the name is
 * there), KEER_EINVALID (no such name can be). Borrowed texts are copied. */
struct wallet_options {
    const char *name;
    const struct wallet_driver *driver;
    void *self;
    const char *url;              /* may be NULL */
    const char *notify_url;       /* NULL: the daemon's own address */
    int64_t connect_us, whole_us; /* of a request; 0: 1 s, 3 s */
    unsigned breaker_failures;    /* in a row, until it opens; 0: 5 */
    int64_t breaker_us;           /* how long it is open until a probe; 0: 5 s */
    bool loopback;                /* the URL's host is this machine */
};
KEER_NODISCARD enum keer_err wallets_new(struct wallets **ret);
KEER_NODISCARD enum keer_err wallets_add(struct wallets *ws, const struct wallet_options *o);
void wallets_free(struct wallets *ws);
unsigned wallets_count(const struct wallets *ws);
struct wallet *wallets_at(struct wallets *ws, unsigned i);
struct wallet *wallets_find(struct wallets *ws, struct slice name); /* NULL */
const char *wallet_name(const struct wallet *w);
const struct wallet_driver *wallet_driver(const struct wallet *w);
void *wallet_self(struct wallet *w);
const char *wallet_url(const struct wallet *w);        /* "" when there is none */
const char *wallet_notify_url(const struct wallet *w); /* "": the daemon's own address */
bool wallet_is_loopback(const struct wallet *w);

/* --- calling: every call to a wallet goes through here. Breaker and budget are per wallet, for all threads (caller.c):
 * open after N failures in a row, then one probe at a time (half-open); a call that it refuses is WALLET_NOT_SENT, reason
 * BREAKER. Retries of what is safe to repeat (queries) draw on a budget. What is built without the network (Alipay's signing
 * page) is not refused. --- */
struct wallet_calls { /* the network of one thread */
    enum wallet_sent (*send)(void *ctx, const struct wallet_request *rq, struct wallet_response *ret);
    void (*random)(void *ctx, void *bytes, size_t len);
    int64_t (*wall_us)(void *ctx);
    void *ctx;
};
enum wallet_answer wallet_sign(struct wallet *w, struct wallet_calls *c, const struct wallet_sign_ask *ask,
                               char ret_url[WALLET_URL_BYTES], struct wallet_why *why);
enum wallet_answer wallet_sign_finish(struct wallet *w, struct wallet_calls *c, const char *number, const char *auth_code,
                                      struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer wallet_agreement_query(struct wallet *w, struct wallet_calls *c, const struct wallet_agreement *which,
                                          struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer wallet_agreement_end(struct wallet *w, struct wallet_calls *c, const struct wallet_agreement *which,
                                        struct slice reason, struct wallet_why *why);
enum wallet_answer wallet_charge(struct wallet *w, struct wallet_calls *c, const struct wallet_charge_ask *ask,
                                 struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer wallet_charge_query(struct wallet *w, struct wallet_calls *c, const char *number,
                                       struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer wallet_charge_cancel(struct wallet *w, struct wallet_calls *c, const char *number,
                                        struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer wallet_refund(struct wallet *w, struct wallet_calls *c, const struct wallet_refund_ask *ask,
                                 struct wallet_refund *ret, struct wallet_why *why);
enum wallet_answer wallet_refund_query(struct wallet *w, struct wallet_calls *c, const struct wallet_refund_ask *ask,
                                       struct wallet_refund *ret, struct wallet_why *why);
enum wallet_verdict wallet_notice(struct wallet *w, const struct wallet_inbound *in, int64_t now_us,
                                  struct wallet_notice *ret, char ret_why[WALLET_WHY_BYTES]);
/* Keys that the wallet changes (struct wallet_driver); false, NOT_POSSIBLE and KEER_EUNSUPPORTED where it has none such. They
 * are asked for past the breaker, which opens when nothing that the wallet says can be believed for want of them. */
bool wallet_keys_due(const struct wallet *w, int64_t now_us);
enum wallet_answer wallet_keys_fetch(struct wallet *w, struct wallet_calls *c, struct buf *ret_kept, struct wallet_why *why);
KEER_NODISCARD enum keer_err wallet_keys_load(struct wallet *w, struct slice kept, int64_t kept_us, int64_t now_us,
                                              char ret_why[WALLET_WHY_BYTES]);
/* How many calls the breaker would let pass now: none, one to see whether the wallet is back, any number. */
enum wallet_room { WALLET_SHUT, WALLET_ONE, WALLET_ANY };
enum wallet_room wallet_room(const struct wallet *w, int64_t now_us);
/* For people and metrics: closed, half-open, open. */
const char *wallet_breaker(const struct wallet *w);
struct wallet_stats {
    uint64_t answers[WALLET_NOT_SENT + 1]; /* of calls that the breaker let pass, by enum wallet_answer */
    uint64_t refused, retries;             /* by the breaker; queries that were asked once more */
    unsigned breaker;                      /* 0 closed, 1 half-open, 2 open */
};
void wallet_statistics(const struct wallet *w, struct wallet_stats *ret);
const char *wallet_answer_name(enum wallet_answer answer); /* "yes", "no", "unknown", "not_sent" */
#endif
