/* inside.h - what the files of the emulator share: keys, a call that is answered, notices.
 *
 * A call runs on its connection's thread:
 *
 *     handle ─► em_alipay_v2, em_wechatpay_call, ...: signature, form ─► call_before ─► world_... ─► call_after ─► the
 * answer
 *
 * call_before and call_after are where faults strike; what they do to the answer stands in struct call.
 */
#ifndef EMULATOR_INSIDE_H
#define EMULATOR_INSIDE_H
#include <pthread.h>
#include <stdatomic.h>

#include "base/crypto_key.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "emulator/emulator.h"
#include "emulator/faults.h"
#include "emulator/server.h"
#include "emulator/world.h"

/* --- who we are, and the merchant's numbers: in wallets.json --- */
#define EM_APP_ID "2018102900000001"
#define EM_SELLER_ID "2088531891668739"
#define EM_MCHID "1900000109"
#define EM_APPID "wxd678efh567hg6787"
#define EM_PLAN_ID "12535"
#define EM_CLIENT_ID "SANDBOX_5X00000000000000"
#define EM_SN_BYTES 32
#define EM_SERIAL_BYTES 40
#define EM_V3KEY_BYTES 32
#define EM_PLATFORMS 2      /* certificates of WeChat Pay at the start: two are valid at a time */
#define EM_PLATFORMS_MAX 16 /* of one run, those that rotations made among them */
struct em_platform {        /* does not change once it is there */
    struct crypto_key *key;
    char serial[EM_SERIAL_BYTES + 1];
    struct buf cert; /* PEM */
    int64_t from_us, to_us;
};
struct em_keys {
    struct crypto_key *root, *alipay_app, *alipay, *wechat_merchant, *antom_merchant, *antom;
    char app_cert_sn[EM_SN_BYTES + 1], alipay_cert_sn[EM_SN_BYTES + 1], root_cert_sn[EM_SN_BYTES + 1];
    char merchant_serial[EM_SERIAL_BYTES + 1];
    /* Those from platform_first to platform_end are in use; em_rotate makes more, em_drop lets old ones go. */
    struct em_platform platform[EM_PLATFORMS_MAX];
    atomic_uint platform_first, platform_end;
    pthread_mutex_t rotating;
    char v3key[EM_V3KEY_BYTES + 1];
};
/* Makes all of them, or takes those of an earlier start in this folder, and writes them, with wallets.json for a server at
 * `url`. */
KEER_NODISCARD enum keer_err em_keys_make(struct em_keys *k, const struct emulator_options *o, const char *url,
                                          char ret_why[200]);
void em_keys_free(struct em_keys *k);
/* A new key and certificate of WeChat Pay's, in use from now on beside the others. KEER_ELIMIT after EM_PLATFORMS_MAX. */
KEER_NODISCARD enum keer_err em_rotate(struct em_keys *k, int64_t now_us, const struct em_platform **ret);
void em_drop(struct em_keys *k); /* all but the newest go out of use */
/* One of those in use: number `i` modulo their count. */
const struct em_platform *em_platform(struct em_keys *k, uint64_t i);

/* A certificate (RFC 5280, version 3, sha256WithRSAEncryption) as PEM, appended. */
struct em_cert {
    const char *subject, *issuer; /* common names */
    const char *serial;           /* 40 hexadecimal digits in upper case */
    const struct crypto_key *key, *issuer_key;
    bool ca;
    int64_t from_us, to_us;
};
KEER_NODISCARD enum keer_err em_cert_make(const struct em_cert *c, struct buf *pem);
/* Alipay's name of a certificate: md5hex of the issuer "CN=..,OU=..,O=..,C=.." and the serial number in decimal. */
void em_cert_sn(const char *issuer, const char *serial, char ret_sn[EM_SN_BYTES + 1]);

struct poster;
struct nonces;
struct emulator {
    struct emulator_options o;
    struct server *server;
    struct journal *journal, *record;
    struct world *world;
    struct faults faults;
    struct poster *poster;
    struct nonces *nonces;
    struct em_keys keys;
    char url[80];
    atomic_uint_fast64_t requests, refused, notices_sent, notices_taken, notices_lost, notices_given_up, probes_taken;
};
static inline int64_t em_now(const struct emulator *e) { return e->o.wall_us(); }

/* --- a call --- */
struct call {
    struct emulator *e;
    const struct server_request *rq;
    struct server_answer *an;
    struct slice what;                /* the method or path: faults match it */
    char number[EM_NUMBER_BYTES + 1]; /* the merchant's: faults match it */
    struct tape json;                 /* of the body, when it is JSON */
    struct buf room;                  /* what slices of the call point into */
    struct buf out;                   /* the answer that is being made */
    bool bad_signature, unsigned_errors;
};
enum call_go { CALL_GO, CALL_DROP, CALL_ERROR };
/* Before the effect: may wait; CALL_DROP: return at once; CALL_ERROR: the wallet's own words for 'system error'. */
enum call_go call_before(struct call *c);
/* After it. CALL_ERROR as above; CALL_DROP needs nothing more. */
enum call_go call_after(struct call *c);
/* Whether an error is told as a bare 502 rather than in the wallet's words: every other one. */
bool call_bare(struct call *c);
/* What is asked is to wait, to end badly, or takes a wrong amount. */
void call_charge_faults(struct call *c, struct em_charge *ask);
void call_refund_faults(struct call *c, struct em_refund *ask);

void em_alipay_v2(struct call *c);
void em_alipay_v3(struct call *c);
void em_wechatpay_call(struct call *c);
void em_antom_call(struct call *c);
void admin_call(struct call *c);
void page_call(struct call *c, struct slice page);
/* The person has signed, or ended it: the notice, and where he is sent back to. */
void signed_now(struct emulator *e, const struct em_agreement *a);
void ended_now(struct emulator *e, const struct em_agreement *a);
void return_url(struct emulator *e, const struct em_agreement *a, struct buf *b);
void em_alipay_return(struct emulator *e, const struct em_agreement *a, struct buf *b);
void em_antom_return(const struct em_agreement *a, struct buf *b);
/* The page of Alipay's signed URL; the agreement is there afterwards. False: it was refused, and `c` says why. */
bool em_alipay_page(struct call *c, struct em_agreement *ret);

/* --- notices: poster.c --- */
enum em_notice_kind { EM_NOTICE_AGREEMENT, EM_NOTICE_CHARGE, EM_NOTICE_REFUND };
struct em_notice {
    enum em_wallet wallet;
    enum em_notice_kind kind;
    struct em_agreement agreement;
    struct em_charge charge;
    struct em_refund refund; /* with its charge */
    char id[33];             /* the same for each try */
    bool probe;              /* WeChat Pay looks whether signatures are verified: sent once */
};
struct em_letter { /* a notice in the wallet's form */
    const char *type;
    struct buf headers, body;
};
/* Queued; nothing when there is nowhere to send it. `url` "": --notify with the wallet's name behind it. */
void notice_send(struct emulator *e, const char *url, const struct em_notice *n, int64_t due_us);
void em_alipay_letter(struct emulator *e, const struct em_notice *n, bool bad, struct em_letter *l);
void em_wechatpay_letter(struct emulator *e, const struct em_notice *n, bool bad, struct em_letter *l);
void em_antom_letter(struct emulator *e, const struct em_notice *n, struct slice path, bool bad, struct em_letter *l);
KEER_NODISCARD enum keer_err poster_new(struct emulator *e, struct poster **ret_poster);
KEER_NODISCARD enum keer_err poster_start(struct poster *p);
void poster_free(struct poster *p);
uint64_t poster_waiting(struct poster *p);

/* --- small things: util.c --- */
/* RSASSA-PKCS1-v1_5 with SHA-256 in base64; `bad`: one bit of it is wrong. */
void em_sign(const struct crypto_key *key, struct slice text, bool bad, struct buf *b);
/* Each line with its \n: the messages that WeChat Pay and Alipay's v3 sign. */
void em_lines(const struct slice *lines, size_t count, struct buf *b);
/* Antom's: POST <path> \n <Client-Id>.<time>.<body> */
void em_antom_sign_string(struct slice path, struct slice time, struct slice body, struct buf *b);
bool em_verify(const struct crypto_key *key, struct slice text, struct slice base64);
bool em_urldecode(struct slice s, bool plus, struct buf *room, struct slice *ret);
void em_urlencode(struct slice s, struct buf *b);
void em_json(struct buf *b,
             struct slice s); /* with \/ as Alipay writes it: who reads and writes again breaks the signature */
void em_yuan(struct buf *b, int64_t minor);
void em_hex(const void *bytes, size_t len, char *ret_text);
void em_time_cn(struct buf *b, int64_t us, bool iso); /* "2018-10-10 10:11:42", or with T and +08:00 */
/* A member that is a string, or a number as it is written; p NULL. Dots go into objects: "amount.total". */
struct slice em_text(const struct tape *t, const char *path);
bool em_copy(char *to, size_t room, struct slice s); /* false when it is empty or too long; room counts the NUL */
bool em_number(struct slice s);                      /* letters, digits, - _ * |, 1 to 64 of them */
struct hash128 em_data(const struct slice *parts, size_t count);
/* A nonce was not seen before within its time. */
bool em_nonce_new(struct emulator *e, enum em_wallet wallet, struct slice nonce, int64_t now_us);
KEER_NODISCARD enum keer_err nonces_new(struct nonces **ret);
void nonces_free(struct nonces *n);
#endif
