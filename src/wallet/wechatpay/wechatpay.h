/* wechatpay.h - the inside of the driver of WeChat Pay, APIv3 (connector.h is its outside).
 *
 *     wechatpay.c  what is asked, and what the answers mean   ─► wire.c  signed requests, verified answers
 *     notice.c     what comes in                              ─► wire.c  the same verification, before anything is decrypted
 *     read.c       contracts, transactions, refunds, times from JSON, for both
 *     settings.c   keys and numbers of the merchant
 *
 *     charge:  apply ─► accepted (WALLET_CHARGE_WAITS) ─► notice TRANSACTION.SUCCESS, or charge_query ─► PAID, FAILED,
 * CLOSED
 *
 * Invariants
 *  1. A request is `METHOD\npath?query\ntimestamp\nnonce\nbody\n` signed with RSASSA-PKCS1-v1_5 and SHA-256 under our key;
 * the bytes that are signed are the bytes that are sent.
 *  2. An answer or notice is believed when `timestamp\nnonce\nbody\n` verifies under the key that Wechatpay-Serial names,
 * one of ours (a platform certificate in its time, or a public key PUB_KEY_ID_...), and the timestamp is within 300 s of
 * now. Each header is there once. An answer without 2xx that is not signed is a NO only when it is a 401: the wallet then
 * did not get to what was asked.
 *  3. What an answer says of another number, amount, merchant or app than was asked of is not an answer: WALLET_UNKNOWN.
 *  4. Amounts are fen, CNY alone. Times are RFC 3339 with an offset and a day that the calendar has; others spoil the
 * answer.
 *  5. A charge is never done when apply answers: the wallet takes it (150 a second) and charges later. There is no undoing:
 *     charge_cancel closes an order that is not paid, and says NOT_THERE of a number that the wallet does not know (yet).
 */
#ifndef WECHATPAY_WECHATPAY_H
#define WECHATPAY_WECHATPAY_H
#include "base/crypto_cert.h"
#include "base/json.h"
#include "wallet/connector.h"

#define WECHAT_PLATFORM_MAX 8
#define WECHAT_SERIAL_BYTES 64
#define WECHAT_ID_BYTES 64
#define WECHAT_BASE_BYTES 512
#define WECHAT_FRESH_S 300
#define WECHAT_KEY_BYTES 32      /* the APIv3 key */
#define WECHAT_TEXT_BYTES 65536u /* a request, or what is signed of one, besides the body of an answer */

struct wechat_platform {
    char serial[WECHAT_SERIAL_BYTES + 1];
    struct crypto_key *key;
    struct crypto_cert *cert; /* NULL for a public key: no end */
};
struct wechat {
    char url[WECHAT_BASE_BYTES + 1]; /* without a slash at the end */
    size_t path_at;                  /* where the path of `url` begins, which is signed too; its length when it has none */
    char mchid[WECHAT_ID_BYTES + 1], appid[WECHAT_ID_BYTES + 1], plan_id[WECHAT_ID_BYTES + 1]; /* plan_id: digits */
    char serial[WECHAT_SERIAL_BYTES + 1];                                                      /* of our certificate */
    struct crypto_key *key;                                                                    /* ours */
    char apiv3_key[WECHAT_KEY_BYTES];
    struct wechat_platform platform[WECHAT_PLATFORM_MAX]; /* the first is the one that answers are asked to be signed with */
    unsigned platforms;
};

/* --- settings.c --- */
enum keer_err wechat_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES]);
void wechat_free(void *self);

/* --- wire.c --- */
/* What a code means: rows of codes.def. */
enum wechat_meaning { WECHAT_NO, WECHAT_UNKNOWN, WECHAT_GONE, WECHAT_CLOSED, WECHAT_ENDED, WECHAT_MEANING_MAX };
enum wechat_meaning wechat_code(struct slice code, enum wallet_reason *ret_reason);

enum wechat_end {
    WECHAT_ANSWERED, /* genuine and 2xx: `tape` has its object, or nothing where there was no body */
    WECHAT_REFUSED,  /* genuine, or a 401: `meaning` */
    WECHAT_LOST,     /* nothing to believe: `why` */
    WECHAT_NOT_SENT
};
struct wechat_call { /* starts with wechat_begin, ends with wechat_end */
    struct wechat *w;
    struct wallet_io *io;
    struct wallet_why *why;
    struct buf path, body, url, text, token;
    struct wallet_response response;
    struct tape tape;
    bool empty; /* an answer without a body */
    enum wechat_meaning meaning;
};
void wechat_begin(struct wechat_call *c, struct wechat *w, struct wallet_io *io, struct wallet_why *why);
/* `path` and `body` of *c are sent. */
enum wechat_end wechat_send(struct wechat_call *c, const char *method);
void wechat_end(struct wechat_call *c);
void wechat_why(struct wallet_why *why, enum wallet_reason reason, struct slice code, const char *fmt, ...)
    KEER_PRINTF(4, 5);

struct wechat_signed {
    struct slice timestamp, nonce, serial, signature;
};
/* The headers of a signature; false when one is missing or there twice. */
bool wechat_signed_of(struct slice head, struct wechat_signed *ret);
enum wallet_verdict wechat_verify(const struct wechat *w, const struct wechat_signed *s, struct slice body, int64_t now_us,
                                  char ret_why[WALLET_WHY_BYTES]);

/* --- read.c: false with words for what the protocol does not have --- */
extern const struct tape_limits wechat_json;
bool wechat_time(struct slice text, int64_t *ret_us);
/* A string member that fits; "" when it is not there and need not be. */
bool wechat_member(const struct tape *t, uint32_t at, const char *name, bool need, char *ret, size_t cap);
bool wechat_contract(const struct wechat *w, const struct tape *t, struct wallet_agreement *ret, char why[WALLET_WHY_BYTES]);
/* *ret_desc, where it is not NULL: trade_state_desc. */
bool wechat_transaction(const struct wechat *w, const struct tape *t, struct wallet_charge *ret, struct slice *ret_desc,
                        char why[WALLET_WHY_BYTES]);
/* `notice`: members are named as in notices (refund_status, no currency). */
bool wechat_refund(const struct wechat *w, const struct tape *t, bool notice, struct wallet_refund *ret,
                   char why[WALLET_WHY_BYTES]);

/* --- notice.c --- */
enum wallet_verdict wechat_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES]);
void wechat_reply(void *self, bool taken, struct wallet_reply *ret);
#endif
