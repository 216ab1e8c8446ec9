/* alipay.h - the inside of the driver for Alipay (mainland OpenAPI).
 *
 *     calls.c ─► alipay_call ─┬─ v2: the gateway, one address; public parameters in the query, biz_content in a form
 *                             └─ v3: a path for each method, JSON, `authorization`
 *     notice.c ◄─ the wallet's forms
 *
 * Invariants
 * 1. What is believed was verified: of v2 the exact bytes of xxx_response, of v3 timestamp, nonce and body within
 *    ALIPAY_FRESH_US. What is not signed is UNKNOWN, whatever it says, an error_response too; v2 has no time stamp, so that
 *    an answer is only taken for the number that it names.
 * 2. Keys: plain ones (each of the list is tried; two are valid while Alipay changes them), or certificates: then the
 *    answer's alipay_cert_sn picks one, and its chain must lead to the root at that time.
 * 3. Times on the wire are GMT+8, amounts are yuan with two decimals, the currency is CNY.
 */
#ifndef WALLET_ALIPAY_H
#define WALLET_ALIPAY_H
#include "base/crypto_cert.h"
#include "base/timefmt.h"
#include "wallet/driver.h"
#include "wallet/sign.h"

#define ALIPAY_KEYS_MAX 4
#define ALIPAY_ROOTS_MAX 16
#define ALIPAY_CHAIN_MAX 4
#define ALIPAY_ID_BYTES 33
#define ALIPAY_URL_BYTES 513
#define ALIPAY_ZONE_US (8 * US_HOUR)
#define ALIPAY_FRESH_US (5 * US_MINUTE)
#define ALIPAY_AMOUNT_MAX INT64_C(10000000000) /* fen: 100,000,000 yuan a charge */

struct alipay {
    char app_id[ALIPAY_ID_BYTES], seller_id[ALIPAY_ID_BYTES];
    char url[ALIPAY_URL_BYTES];
    char personal_product[65], product[65], scene[65], channel[33], validity[17];
    bool v3;
    struct crypto_key *own;
    struct crypto_key *key[ALIPAY_KEYS_MAX]; /* Alipay's */
    unsigned keys;
    /* certificate mode; empty otherwise */
    char app_sn[CRYPTO_CERT_NAME_BYTES], key_sn[ALIPAY_KEYS_MAX][CRYPTO_CERT_NAME_BYTES];
    char root_sn[ALIPAY_ROOTS_MAX * CRYPTO_CERT_NAME_BYTES];
    struct crypto_cert *root[ALIPAY_ROOTS_MAX], *chain[ALIPAY_KEYS_MAX][ALIPAY_CHAIN_MAX];
    unsigned roots, chains[ALIPAY_KEYS_MAX];
};

/* --- open.c --- */
enum keer_err alipay_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES]);
void alipay_free(void *self);
/* Whether a text is signed by a key that is valid; `sn`: which certificate, empty: any. */
bool alipay_verify(const struct alipay *a, struct slice sn, int64_t now_us, struct slice text, struct slice signature);

/* --- gateway.c --- */
/* How an answer ended, before it is read as what it answers. */
enum alipay_end {
    ALIPAY_DONE, /* code 10000, or HTTP 200 */
    ALIPAY_WAITS /* 10003 */,
    ALIPAY_REFUSED,
    ALIPAY_NOT_THERE,
    ALIPAY_UNKNOWN,
    ALIPAY_NOT_SENT
};
struct alipay_answer {
    struct wallet_response http;
    struct tape tape;
    uint32_t at; /* the object with the members */
};
/* Sends a method with its `biz` content (a JSON object); *why says what the end is. alipay_answer_release always. */
enum alipay_end alipay_call(const struct alipay *a, struct wallet_io *io, const char *method, const struct buf *biz,
                            struct slice notify_url, struct alipay_answer *ret, struct wallet_why *why);
void alipay_answer_release(struct alipay_answer *r);
/* A signed address for a browser. KEER_ELIMIT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err alipay_page(const struct alipay *a, int64_t now_us, const char *method, struct slice biz,
                                         struct slice return_url, struct slice notify_url, char ret_url[WALLET_URL_BYTES]);
/* What is signed of a form: sorted, without `sign`, with or without sign_type, without what is empty, joined raw. */
void alipay_sign_string(struct form_field *fields, unsigned count, bool with_type, struct buf *out);
/* For v2: reads and verifies a body. Both are what fuzzing begins with. */
enum alipay_end alipay_read_v2(const struct alipay *a, int64_t now_us, const char *method, struct alipay_answer *r,
                               struct wallet_why *why);
enum alipay_end alipay_read_v3(const struct alipay *a, int64_t now_us, struct alipay_answer *r, struct wallet_why *why);

/* --- times and money --- */
void alipay_time_put(struct buf *b, int64_t us);      /* "2018-10-10 10:11:42" in GMT+8 */
bool alipay_time(struct slice text, int64_t *ret_us); /* the same; strict */
static inline enum keer_err alipay_money(struct slice text, int64_t *ret_minor) { return driver_money(text, 2, ret_minor); }

/* --- calls.c, notice.c: for the table in open.c --- */
enum wallet_charge_state alipay_trade_state(struct slice status);
enum wallet_verdict alipay_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES]);
void alipay_reply(void *self, bool taken, struct wallet_reply *ret);
enum wallet_answer alipay_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                               char ret_url[WALLET_URL_BYTES], struct wallet_why *why);
enum wallet_answer alipay_sign_finish(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                      struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer alipay_agreement_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                          struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer alipay_agreement_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                        struct slice reason, struct wallet_why *why);
enum wallet_answer alipay_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                 struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer alipay_charge_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                       struct wallet_why *why);
enum wallet_answer alipay_charge_cancel(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                        struct wallet_why *why);
enum wallet_answer alipay_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                 struct wallet_refund *ret, struct wallet_why *why);
enum wallet_answer alipay_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                       struct wallet_refund *ret, struct wallet_why *why);
#endif
