/* notice.h - what accounts are told, and what of it is still to be sent: the outbox of notices.
 *
 *     notice_add, in the transaction of what it tells ─► WAITING ── taken by mail server or gateway, or written ──► SENT
 *                                                          │  └── tries are over ──► DEAD
 *                                                          └── fails: later, with backoff
 *
 * Invariants
 * 1. A notice is on disk with what it tells or not at all; one row for each address of the account that is notified
 *    (contact_notified), or for the one address that it is for.
 * 2. Texts are made when it is sent, from notices.def and the account's locale; values in them are plain text (no markup is
 * sent).
 * 3. Kinds that tell of a change carry a 'not me' token of 128 bits, one for each row. It is HMAC(account key, notice), so
 * that the database holds its SHA-256 alone and it can be computed again when the notice is sent again. It is taken once,
 * for NOTICE_NOT_ME_US; a session of the account takes it by the row's id instead (notice_take_own).
 * 4. A code is not in the row either: `proof` names it (proof.h), and its digits are computed when the notice is sent.
 * 5. At least once: a crash between sending and noting it sends a notice again, with the same Message-ID or webhook-id.
 */
#ifndef ACCOUNT_NOTICE_H
#define ACCOUNT_NOTICE_H
#include "account/contact.h"

#define NOTICE_NOT_ME_US (14 * US_DAY)
#define NOTICE_VALUE_BYTES 200
#define NOTICE_TEXT_BYTES 4000
#define NOTICE_TRIES_MAX 8
#define NOTICE_WHY_BYTES 160

#define NOTICE_NOT_ME 1u /* flags of notices.def */
#define NOTICE_CODE 2u
enum notice_kind {
#define NOTICE(name, code, flags, en_subject, en_text, nl_subject, nl_text, zh_subject, zh_text) NOTICE_##name,
#include "account/notices.def"
    NOTICE_KIND_MAX
};
const char *notice_kind_code(enum notice_kind kind); /* "sign_in_new_device" */
bool notice_has_not_me(enum notice_kind kind);
bool notice_has_code(enum notice_kind kind);

struct notice_new {
    struct id account; /* none: `to` says where (sign-up) */
    enum notice_kind kind;
    struct id about;             /* the change, challenge, session or device that 'not me' undoes */
    struct id proof;             /* whose digits stand in the text */
    const struct identifier *to; /* this address alone; NULL: every one that is notified */
    struct slice what, where;    /* a device's family, a contact, an amount ...; an address of the net */
    struct slice locale;         /* when there is no account */
    int64_t until_us;            /* of a pending change; 0: none */
};
/* *ret_count says how many rows. */
KEER_NODISCARD enum keer_err notice_add(struct db *db, const struct crypto_hash *key, const struct notice_new *n,
                                        int64_t now_us, unsigned *ret_count);

struct notice {
    struct id id, account, about, proof;
    enum notice_kind kind;
    struct identifier to;
    char what[NOTICE_VALUE_BYTES + 1], where[NOTICE_VALUE_BYTES + 1], locale[ACCOUNT_LOCALE_BYTES + 1];
    int64_t created_us, until_us, tries, due_us;
};
/* Due ones to addresses of the kinds `first` to `last`, the earliest first, at most `limit` into `room`. */
struct notice_kinds {
    enum identifier_kind first, last;
};
KEER_NODISCARD enum keer_err notice_due(struct db *db, const struct notice_kinds *to, int64_t now_us, unsigned limit,
                                        struct notice *room, unsigned *ret_count);
enum notice_end { NOTICE_SENT, NOTICE_LATER, NOTICE_DEAD };
KEER_NODISCARD enum keer_err notice_settle(struct db *db, const struct id *id, enum notice_end end, int64_t due_us,
                                           struct slice why, int64_t now_us);
/* What an account was told last, the newest first, one for each time that it was told to several addresses. */
KEER_NODISCARD enum keer_err notice_recent(struct db *db, const struct id *account, unsigned limit, struct notice *room,
                                           unsigned *ret_count);
/* Sent and dead ones older than that whose 'not me' is over; how many. */
KEER_NODISCARD enum keer_err notice_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count);
struct notice_figures {
    int64_t waiting, dead, oldest_us;
};
KEER_NODISCARD enum keer_err notice_count(struct db *db, struct notice_figures *ret_figures);

/* --- the 'not me' of a notice --- */
void notice_not_me(const struct crypto_hash *key, const struct id *notice, struct bearer *ret_token);
/* Uses the token: KEER_EMISSING when it is none, was used, or is too old; of parallel uses one wins. What it undoes is the
 * caller's. */
KEER_NODISCARD enum keer_err notice_take_not_me(struct db *db, const struct crypto_hash *token_hash, int64_t now_us,
                                                struct notice *ret_notice);
/* The same without the token, of a notice of that account: for its signed-in person, who reads it in recent activity. The first
 * only looks, and leaves the token as it is. */
KEER_NODISCARD enum keer_err notice_read_own(struct db *db, const struct id *account, const struct id *notice,
                                             int64_t now_us, struct notice *ret_notice);
KEER_NODISCARD enum keer_err notice_take_own(struct db *db, const struct id *account, const struct id *notice,
                                             int64_t now_us, struct notice *ret_notice);
/* Whether 'not me' may still be said to it. Pure. */
bool notice_open(const struct notice *n, int64_t now_us);

/* --- texts, pure --- */
struct notice_words {    /* of the service */
    const char *service; /* its name */
    const char *url;     /* https://... without a slash at its end */
};
/* Subject (one line) and text, UTF-8, in the language that the locale begins with (nl, zh, else en). */
void notice_print(const struct notice *n, const struct crypto_hash *key, const struct notice_words *words,
                  struct buf *subject, struct buf *text);
/* The same for a phone: the subject, what it is about as far as that makes no other part of it (gsm.h), the 'not me', and
 * of a code the last line that binds it to the service's host, so that a phone fills it in there alone ("@host #code", WICG,
 * Origin-bound one-time codes delivered via SMS). That line needs an address with https and without a port. */
#define NOTICE_SMS_BYTES 1600
void notice_print_sms(const struct notice *n, const struct crypto_hash *key, const struct notice_words *words,
                      struct buf *out);
#endif
