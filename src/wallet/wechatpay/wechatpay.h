/* wechatpay.h - the inside of the driver of WeChat Pay, APIv3 (connector.h is its outside).
 *
 *     wechatpay.c  what is asked, and what the answers mean   ─► wire.c  signed requests, verified answers
 *     notice.c     what comes in                              ─► wire.c  the same verification, before anything is decrypted
 *     read.c       contracts, transactions, refunds, times from JSON, for both
 *     settings.c   keys and numbers of the merchant
 *     keys.c       the platform certificates that the wallet gives out (GET /v3/certificates)
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
 *     Where there is no key of ours that is valid now nothing is sent: no answer could be believed.
 *  3. What an answer says of another number, amount, merchant or app than was asked of is not an answer: WALLET_UNKNOWN.
 *  4. Amounts are fen, CNY alone. Times are RFC 3339 with an offset and a day that the calendar has; others spoil the
 * answer.
 *  5. A charge is never done when apply answers: the wallet takes it (150 a second) and charges later. There is no undoing:
 *     charge_cancel closes an order that is not paid, and says NOT_THERE of a number that the wallet does not know (yet).
 *  6. A merchant without a public key (PUB_KEY_ID_) is given platform certificates, which the wallet changes: it lists those
 *     that hold, sealed with the APIv3 key (AES-256-GCM), and signs the list. A list is taken whole or not at all: every
 *     certificate of it opens under our key, has the serial number that the list says and an RSA key, one at least is valid
 *     now, and the list's signature verifies by a key that we have. Only where no key of ours is valid now, as before the
 *     first list, it is the certificate of the list itself that verifies it, as the wallet's own libraries do: then it is the
 *     APIv3 key, which nobody else has, that says whose it is.
 *  7. What the list has and what the file names are valid side by side, each in its own time; a list takes the place of the
 *     list before, and nothing else does. It is asked for every `every_us`, and `again_us` after it was last tried at the
 *     earliest when an answer or a notice names a key that we don't have, or no key is valid.
 */
#ifndef WECHATPAY_WECHATPAY_H
#define WECHATPAY_WECHATPAY_H
#include <pthread.h>

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
    int64_t begins_us;        /* of a certificate */
};
struct wechat_keys { /* all that changes of a struct wechat; its threads share it under the lock */
    pthread_rwlock_t lock;
    struct wechat_platform list[WECHAT_PLATFORM_MAX]; /* the wallet's last one that was verified */
    unsigned count;
    int64_t listed_us; /* when it was downloaded; 0: never */
    int64_t tried_us;  /* when it was last asked for; 0: never */
    bool unknown;      /* since then something was signed with a key that we don't have */
};
#define WECHAT_KEYS_EVERY_US (12 * 3600 * INT64_C(1000000))
#define WECHAT_KEYS_AGAIN_US (60 * INT64_C(1000000))
struct wechat {
    char url[WECHAT_BASE_BYTES + 1]; /* without a slash at the end */
    size_t path_at;                  /* where the path of `url` begins, which is signed too; its length when it has none */
    char mchid[WECHAT_ID_BYTES + 1], appid[WECHAT_ID_BYTES + 1], plan_id[WECHAT_ID_BYTES + 1]; /* plan_id: digits */
    char serial[WECHAT_SERIAL_BYTES + 1];                                                      /* of our certificate */
    struct crypto_key *key;                                                                    /* ours */
    char apiv3_key[WECHAT_KEY_BYTES];
    struct wechat_platform platform[WECHAT_PLATFORM_MAX]; /* of the file; a public key that stands first is asked for */
    unsigned platforms;
    bool listed; /* no public key is among them: the wallet's list is asked for */
    int64_t every_us, again_us;
    struct wechat_keys *keys; /* NULL: no list was ever there */
};

/* --- settings.c --- */
enum keer_err wechat_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES]);
void wechat_free(void *self);

/* --- keys.c --- */
KEER_NODISCARD enum keer_err wechat_keys_new(struct wechat_keys **ret);
void wechat_keys_free(struct wechat_keys *k); /* NULL is fine */
/* The serial of the key that answers are asked to be signed with: a public key that stands first in the file, else the
 * newest certificate that is valid now. False: none is. */
bool wechat_keys_asked(const struct wechat *w, int64_t now_us, char ret_serial[WECHAT_SERIAL_BYTES + 1]);
/* The key of a serial that is valid now; NULL. Under the lock, which the caller has and keeps while he uses it. */
const struct wechat_platform *wechat_keys_find(const struct wechat *w, struct slice serial, int64_t now_us);
void wechat_keys_lock(const struct wechat *w);
void wechat_keys_unlock(const struct wechat *w);
void wechat_keys_unknown(const struct wechat *w); /* something named a key that we don't have */
/* The answer to GET /v3/certificates, opened; invariant 6 but for its signature. False with words, and nothing to free. */
bool wechat_keys_read(const struct wechat *w, struct slice body, int64_t now_us,
                      struct wechat_platform ret_list[WECHAT_PLATFORM_MAX], unsigned *ret_count,
                      char ret_why[WALLET_WHY_BYTES]);
void wechat_keys_release(struct wechat_platform *list, unsigned count);
/* The connector's (connector.h). */
bool wechat_keys_due(void *self, int64_t now_us);
enum wallet_answer wechat_keys_fetch(void *self, struct wallet_io *io, struct buf *ret_kept, struct wallet_why *why);
enum keer_err wechat_keys_load(void *self, struct slice kept, int64_t kept_us, int64_t now_us,
                               char ret_why[WALLET_WHY_BYTES]);

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
    char serial[WECHAT_SERIAL_BYTES + 1]; /* of the key that the answer is asked to be signed with; "": any */
    struct buf path, body, url, text, token;
    struct wallet_response response;
    struct tape tape;
    bool empty;    /* an answer without a body */
    bool unjudged; /* set before it is sent: a 2xx is not verified, but by whoever asked (keys.c) */
    enum wechat_meaning meaning;
};
void wechat_begin(struct wechat_call *c, struct wechat *w, struct wallet_io *io, struct wallet_why *why);
/* `path` and `body` of *c are sent. */
enum wechat_end wechat_send(struct wechat_call *c, const char *method);
void wechat_end(struct wechat_call *c);
/* Says what is wrong with a body; false, for the caller to return. */
bool wechat_wrong(char why[WALLET_WHY_BYTES], const char *fmt, ...) KEER_PRINTF(2, 3);
void wechat_why(struct wallet_why *why, enum wallet_reason reason, struct slice code, const char *fmt, ...)
    KEER_PRINTF(4, 5);

struct wechat_signed {
    struct slice timestamp, nonce, serial, signature;
};
/* The headers of a signature; false when one is missing or there twice. */
bool wechat_signed_of(struct slice head, struct wechat_signed *ret);
enum wallet_verdict wechat_verify(const struct wechat *w, const struct wechat_signed *s, struct slice body, int64_t now_us,
                                  char ret_why[WALLET_WHY_BYTES]);
/* The same by this key; NULL: none has the serial. */
enum wallet_verdict wechat_verify_by(const struct wechat_platform *p, const struct wechat_signed *s, struct slice body,
                                     int64_t now_us, char ret_why[WALLET_WHY_BYTES]);

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
/* Appends what an object {algorithm, nonce, associated_data, ciphertext} has sealed under the APIv3 key. */
bool wechat_unseal(const struct wechat *w, const struct tape *t, uint32_t at, struct buf *plain);
enum wallet_verdict wechat_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES]);
void wechat_reply(void *self, bool taken, struct wallet_reply *ret);
#endif
