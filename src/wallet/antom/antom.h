/* antom.h - the inside of the driver for Antom (Alipay+ Auto Debit).
 *
 * Invariants
 * 1. What is believed is signed over method, path, client, time and the body as it came, with the key that keyVersion names,
 *    and its time is within ANTOM_FRESH_US: an answer (response-time) as well as a notice (request-time). What carries no
 *    signature is UNKNOWN, whatever it says.
 * 2. resultStatus S and F are ends, U is none; U with PAYMENT_IN_PROCESS or REFUND_IN_PROCESS waits.
 * 3. paymentRequestId and refundRequestId are our numbers, authState is that of an agreement; the access token is what the
 *    wallet calls it, and a secret.
 * 4. Numbers on the wire are strings; amounts are minor units.
 */
#ifndef WALLET_ANTOM_H
#define WALLET_ANTOM_H
#include "base/crypto_key.h"
#include "base/timefmt.h"
#include "wallet/driver.h"
#include "wallet/sign.h"

#define ANTOM_KEYS_MAX 4
#define ANTOM_FRESH_US (300 * US_SECOND)
#define ANTOM_REFRESH_US (7 * US_DAY) /* a token that ends sooner is renewed when its agreement is asked for */
#define ANTOM_URL_BYTES 513

struct antom {
    char client_id[65], url[ANTOM_URL_BYTES], belongs_to[33];
    char base[ANTOM_URL_BYTES]; /* what stands before a path of the API: "/ams/api/v1" */
    struct crypto_key *own, *key[ANTOM_KEYS_MAX];
    int64_t own_version, version[ANTOM_KEYS_MAX];
    unsigned keys;
};

/* --- open.c --- */
enum keer_err antom_open(struct slice settings, const char *folder, void **ret_self, char ret_why[WALLET_WHY_BYTES]);
void antom_free(void *self);

/* --- message.c --- */
/* Appends "POST <path>\n<client>.<time>.<body>". */
void antom_sign_string(struct slice path, struct slice client, struct slice time, struct slice body, struct buf *out);
/* Appends the value of the header Signature. */
KEER_NODISCARD enum keer_err antom_signature(const struct antom *a, struct slice path, struct slice time, struct slice body,
                                             struct buf *out);
struct antom_message { /* from them, as it came */
    struct slice path, time, signature, body;
};
/* WALLET_GENUINE, WALLET_FORGED or WALLET_STALE. */
enum wallet_verdict antom_verify(const struct antom *a, const struct antom_message *m, int64_t now_us);

enum antom_end { ANTOM_DONE, ANTOM_WAITS, ANTOM_REFUSED, ANTOM_NOT_THERE, ANTOM_GONE, ANTOM_UNKNOWN, ANTOM_NOT_SENT };
struct antom_answer {
    struct wallet_response http;
    struct tape tape;
};
/* `path` is that of the API, "/payments/pay". antom_answer_release always. */
enum antom_end antom_call(const struct antom *a, struct wallet_io *io, const char *path, const struct buf *body,
                          struct antom_answer *ret, struct wallet_why *why);
void antom_answer_release(struct antom_answer *r);
/* What an answer to `path` (the whole) ends as. */
enum antom_end antom_read(const struct antom *a, int64_t now_us, struct slice path, struct antom_answer *r,
                          struct wallet_why *why);
/* What a code of a failure means; *why has its reason. */
enum antom_end antom_code(struct slice code, struct slice text, struct wallet_why *why);
/* {"currency":"CNY","value":"64800"} */
bool antom_money(const struct tape *t, uint32_t at, const char *member, int64_t *ret_minor, enum currency *ret_currency);
void antom_money_put(struct buf *b, const char *member, int64_t minor, enum currency currency);

/* --- calls.c, notice.c --- */
enum wallet_answer antom_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                              char ret_url[WALLET_URL_BYTES], struct wallet_why *why);
enum wallet_answer antom_sign_finish(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                     struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer antom_agreement_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                         struct wallet_agreement *ret, struct wallet_why *why);
enum wallet_answer antom_agreement_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                       struct slice reason, struct wallet_why *why);
enum wallet_answer antom_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer antom_charge_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                      struct wallet_why *why);
enum wallet_answer antom_charge_cancel(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                       struct wallet_why *why);
enum wallet_answer antom_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                struct wallet_refund *ret, struct wallet_why *why);
enum wallet_answer antom_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                      struct wallet_refund *ret, struct wallet_why *why);
enum wallet_verdict antom_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                 char ret_why[WALLET_WHY_BYTES]);
void antom_reply(void *self, bool taken, struct wallet_reply *ret);
#endif
