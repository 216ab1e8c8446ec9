/* attempts.h - how often something secret may be guessed: one table of limits (attempts.def), one way to count.
 *
 *     attempt_begin (counts up, committed) ──► the answer is looked at ──┬─► right: attempt_ok (resets or refunds,
 * committed) └─► refused: nothing is counted, nothing is looked at         └─► wrong: nothing, it is counted already
 *
 * Invariants
 * 1. An answer is counted, durably, before it is looked at: the caller commits attempt_begin, then verifies. A crash in
 * between is a wrong answer. So `max` answers can be in flight together, and not one more.
 * 2. Counting and comparing is one conditional statement for each limit: exact whoever else counts.
 * 3. What is refused counts nowhere. All limits of a subject let it through, or none is touched.
 * 4. attempt_ok forgets what was counted up to its own attempt_begin, never what came in beside it.
 * 5. A right answer refunds a day's or an address's count by itself alone: whoever has an account of his own can't clear his
 * address by signing in to it.
 * 6. Keys are SHA-256 of the limit and of its parts: a name that somebody mistyped, perhaps his password, is not in the
 * table. What has no account is counted under its name all the same, so that a guess at it meets the same limits.
 * 7. A new code, number or challenge resets no count of an account or authenticator.
 * All functions want a transaction of the writing connection. KEER_EIO leaves its words in db_why.
 */
#ifndef STORE_ATTEMPTS_H
#define STORE_ATTEMPTS_H
#include "base/crypto.h"
#include "store/db.h"

enum attempt_use {
    ATTEMPT_USE_PASSWORD,
    ATTEMPT_USE_CODE,    /* TOTP, recovery code, the number of a prompt */
    ATTEMPT_USE_PASSKEY, /* does not feed the password's limits, and no password clears it */
    ATTEMPT_USE_CONTACT, /* a code that was sent to a contact point */
    ATTEMPT_USE_PROMPT,  /* sending one to the trusted devices */
    ATTEMPT_USE_MESSAGE, /* sending a code to a contact point */
    ATTEMPT_USE_PROBE,   /* what tells whether something exists: tokens of links, starts of recovery */
    ATTEMPT_USE_MAX
};
enum attempt_limit {
#define ATTEMPT_LIMIT(name, uses, parts, who, max, window_us, on_ok, what) ATTEMPT_##name,
#include "store/attempts.def"
#undef ATTEMPT_LIMIT
    ATTEMPT_LIMIT_MAX
};
/* Who answers, to what. Empty slices are not known, and limits by them don't hold. */
struct attempt_subject {
    struct slice account;       /* its id, or "name:" and a name that nobody has */
    struct slice device;        /* id of a device that the account knows; empty: a stranger */
    struct slice authenticator; /* its id; of a password, an id that is another one after each change */
    struct slice challenge;     /* id of the challenge or flow */
    struct slice address;       /* IPv4 or IPv6 as text */
};
/* What attempt_begin counted, for attempt_ok. Plain data, without pointers: it may cross threads. */
struct attempt {
    struct attempt_counted {
        uint8_t limit; /* enum attempt_limit */
        struct crypto_hash key;
        int64_t count, until_us;
    } counted[ATTEMPT_LIMIT_MAX];
    unsigned used;
};
enum attempt_verdict {
    ATTEMPT_MAY,
    ATTEMPT_LATER,   /* a limit is used up until `retry_us` */
    ATTEMPT_USED_UP, /* for ever: of the challenge, or of the authenticator, which is to be disabled */
};
struct attempt_begun {
    enum attempt_verdict verdict;
    enum attempt_limit limit; /* that refused */
    int64_t retry_us;         /* LATER */
    bool last;                /* MAY: the authenticator's last; when it is wrong, disable it */
    struct attempt attempt;   /* MAY */
};
/* KEER_OK with any verdict; KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err attempt_begin(struct db *db, enum attempt_use use, const struct attempt_subject *s,
                                           int64_t now_us, struct attempt_begun *ret);
KEER_NODISCARD enum keer_err attempt_ok(struct db *db, const struct attempt *a);
/* Forgets what is counted under one limit for a subject: where what is right is not what was counted (a prompt that was
 * sent, and approved later). */
KEER_NODISCARD enum keer_err attempt_clear(struct db *db, enum attempt_limit limit, const struct attempt_subject *s);
/* What is counted now under one limit for a subject: 0 when nothing is, or its time is over. */
KEER_NODISCARD enum keer_err attempt_count(struct db *db, enum attempt_limit limit, const struct attempt_subject *s,
                                           int64_t now_us, int64_t *ret_count);
/* Forgets at most `rows_max` counts whose time is over. */
KEER_NODISCARD enum keer_err attempts_forget(struct db *db, int64_t now_us, int64_t rows_max, int64_t *ret_count);

struct attempt_row {
    const char *name, *what;
    unsigned uses, parts; /* bits */
    bool strangers;
    int64_t max, window_us; /* 0: for ever */
    enum attempt_on_ok { ATTEMPT_KEEP, ATTEMPT_REFUND, ATTEMPT_RESET } on_ok;
};
const struct attempt_row *attempt_row(enum attempt_limit limit);
/* The network of an address as text: /64 of IPv6, /24 of IPv4. KEER_EFORMAT for what is no address. */
#define ATTEMPT_NETWORK_BYTES 64
KEER_NODISCARD enum keer_err attempt_network(struct slice address, char ret_network[ATTEMPT_NETWORK_BYTES]);
#endif
