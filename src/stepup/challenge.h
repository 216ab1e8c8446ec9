/* challenge.h - a question that wants a second step, bound to who is asked, where, for what, and to what was shown.
 *
 *     open ──► done (challenge_done) ──► used (challenge_use, once)
 *      │          └─► refused (challenge_refuse_all, challenge_refuse_by: what answered it is removed)
 *      ├─────► refused (challenge_refuse: cancelled, 'not me', too many wrong answers, other data)
 *      └─────► expired (its time, or of a payment 5 minutes without activity)
 *
 * Invariants
 * 1. One challenge is one kind. An answer for one kind is none for another: the kind is in what is hashed and signed, and in
 * every conditional statement here.
 * 2. What was shown is kept as canonical JSON (challenge_canon), and its SHA-256 with it. Done and used name that hash: data
 * that differ in one byte meet no row (dynamic linking: RTS 2018/389 article 5(1)(b) to (d)).
 * 3. It is bound to its holder: the session, or the browser that opened it first (challenge_hold). Another one gets
 * KEER_EMISSING, as for an id that was never there.
 * 4. It is answered once and used once, each in one conditional statement; an answer is used within CHALLENGE_USE_US.
 * 5. Its nonce is 32 random bytes, kept here; a passkey signs challenge_bytes, which depend on nonce, kind and hash.
 * 6. What is wrong in an answer is not told: a challenge says open or not.
 * Functions that write want a transaction of the writing connection. KEER_EIO leaves its words in db_why.
 */
#ifndef STEPUP_CHALLENGE_H
#define STEPUP_CHALLENGE_H
#include "base/buf.h"
#include "base/currency.h"
#include "stepup/authenticator.h"

#define CHALLENGE_LIFE_US (10 * 60 * INT64_C(1000000))
#define CHALLENGE_IDLE_US (5 * 60 * INT64_C(1000000)) /* of a payment: RTS article 4(3)(d) */
#define CHALLENGE_USE_US (10 * 60 * INT64_C(1000000))
#define CHALLENGE_SHOWN_BYTES 4096
#define CHALLENGE_TEXT_BYTES 256 /* of one member of what is shown */
#define CHALLENGE_URL_BYTES 2000

/* The numbers are in the database. */
enum challenge_kind { CHALLENGE_SIGN_IN, CHALLENGE_CHANGE, CHALLENGE_LINK, CHALLENGE_PAYMENT, CHALLENGE_KIND_MAX };
enum challenge_state { CHALLENGE_OPEN, CHALLENGE_DONE, CHALLENGE_REFUSED, CHALLENGE_EXPIRED, CHALLENGE_STATE_MAX };
const char *challenge_kind_name(enum challenge_kind kind);
const char *challenge_state_name(enum challenge_state state);
/* KEER_EINVALID when there is no such kind. */
KEER_NODISCARD enum keer_err challenge_kind_find(struct slice name, enum challenge_kind *ret_kind);

/* What is shown and confirmed. Empty slices are left out. A payment needs amount, currency and payee; a change its `change`,
 * a link its `agreement` or `wallet`. */
struct challenge_data {
    enum challenge_kind kind;
    int64_t amount_minor;   /* payment: above 0 */
    enum currency currency; /* CUR_MAX: none */
    struct slice payee, payee_origin, agreement, wallet;
    struct slice change; /* what is changed: a name of flow/guard.def, and */
    struct slice detail; /* to what: "anna@example.org", "Pixel 9" */
    struct slice store;  /* who asks, as the person knows it */
    struct slice reference;
    struct slice value; /* of a change to what can't be shown, a password: a hash that binds it */
    struct {            /* of a link: what may be charged, as texts with the digits of the currency */
        struct slice charge, day, month, count, currency;
        struct slice unverified; /* without a second step each time, in sum */
    } caps;
};
/* Canonical JSON: members in the order of their names, the amount as a decimal text with all digits of its currency.
 * KEER_EMISSING when what the kind needs is not there, KEER_ERANGE for an amount, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err challenge_canon(const struct challenge_data *d, struct buf *out, struct crypto_hash *ret_hash);

struct challenge {
    struct id id, account;
    struct id holder;                  /* a session, or a browser (id_of_hash of its secret); none: nobody opened it yet */
    struct id device;                  /* that asked; none: not known to the account */
    char event[LIMIT_NAME_BYTES + 1];  /* id of the event whose decision asked for it; empty: none */
    char client[LIMIT_NAME_BYTES + 1]; /* who made it over the API: id of the key; empty: this daemon */
    char reference[LIMIT_NAME_BYTES + 1];
    char return_url[CHALLENGE_URL_BYTES + 1];
    char shown[CHALLENGE_SHOWN_BYTES + 1]; /* canonical JSON */
    struct crypto_hash shown_hash;
    unsigned char nonce[CRYPTO_HASH_BYTES];
    enum challenge_kind kind;
    enum challenge_state state; /* as of the time that it was read at */
    unsigned methods;           /* AUTHENTICATOR_BIT(kind) that may answer; 0: whatever the account has */
    int64_t created_us, until_us, touched_us, done_us, used_us;
    unsigned done_by;               /* AUTHENTICATOR_BIT(kind), and */
    unsigned done_amr;              /* CHALLENGE_AMR_x, and */
    struct id done_with;            /* which one */
    char why[LIMIT_NAME_BYTES + 1]; /* it was refused */
};
/* What an answer showed (RFC 8176), as bits. */
enum challenge_amr {
    CHALLENGE_AMR_PWD = 1u << 0,
    CHALLENGE_AMR_OTP = 1u << 1,  /* TOTP, recovery code */
    CHALLENGE_AMR_HWK = 1u << 2,  /* a key that does not leave its device */
    CHALLENGE_AMR_SWK = 1u << 3,  /* a synced passkey */
    CHALLENGE_AMR_USER = 1u << 4, /* the user was verified by PIN or biometrics */
    CHALLENGE_AMR_POP = 1u << 5,  /* proof of possession of a key */
    CHALLENGE_AMR_MFA = 1u << 6,
    CHALLENGE_AMR_MCA = 1u << 7 /* another channel: a prompt on a trusted device */
};
/* "pwd","otp","mfa": JSON strings parted by commas. */
void challenge_amr_json(unsigned amr, struct buf *out);

/* What a challenge is made of: account, kind, holder, device, event, client, reference, return_url and methods of *c are the
 * caller's, the rest is filled in, the id too. An open or unused one of the same client and reference is refused
 * ("other_data") when what it shows differs, and given back as it is when it does not (*ret_new false).
 * What challenge_canon says; KEER_EINVALID when `d` is of another kind than *c. */
KEER_NODISCARD enum keer_err challenge_open(struct db *db, const struct challenge_data *d, int64_t now_us,
                                            struct challenge *c, bool *ret_new);
/* Any connection. KEER_EMISSING. */
KEER_NODISCARD enum keer_err challenge_get(struct db *db, const struct id *id, int64_t now_us, struct challenge *ret);
/* Binds one that nobody holds to who opened it; KEER_EMISSING when somebody else holds it, or it is not open. Asking again
 * is fine. */
KEER_NODISCARD enum keer_err challenge_hold(struct db *db, const struct id *id, const struct id *holder, int64_t now_us);
/* Somebody is there: the time of a payment that is open starts anew. KEER_EMISSING. */
KEER_NODISCARD enum keer_err challenge_touch(struct db *db, const struct id *id, const struct id *holder, int64_t now_us);

/* An answer that was found right. */
struct challenge_answer {
    struct id id, account, holder;
    enum challenge_kind kind;
    const struct crypto_hash *shown_hash;
    unsigned by;    /* AUTHENTICATOR_BIT of what answered */
    struct id with; /* which one */
    unsigned amr;   /* what it showed */
};
/* open -> done. KEER_EMISSING when it is not open, or of another account, holder, kind or hash, or the method may not
 * answer it; what was found right is then worth nothing. */
KEER_NODISCARD enum keer_err challenge_done(struct db *db, const struct challenge_answer *a, int64_t now_us);
/* An answer was found right, and what is decided on it is awaited: until then, half a minute at most, wrong ones that came
 * beside it don't refuse the challenge. `done_us` of one that is open says since when. KEER_EMISSING when it is not open. */
KEER_NODISCARD enum keer_err challenge_right(struct db *db, const struct id *id, int64_t now_us);
/* open -> refused, "too_many_wrong_answers". KEER_EMISSING when it is not open, or a right answer is there. */
KEER_NODISCARD enum keer_err challenge_used_up(struct db *db, const struct id *id, int64_t now_us);
/* open -> refused. KEER_EMISSING when it is not open. */
KEER_NODISCARD enum keer_err challenge_refuse(struct db *db, const struct id *id, struct slice why, int64_t now_us);
/* done -> refused, of those that `authenticator` answered and nobody used: it was removed. */
KEER_NODISCARD enum keer_err challenge_refuse_by(struct db *db, const struct id *account, const struct id *authenticator,
                                                 int64_t now_us);
/* Every open one, and every done one that was not used, of an account is refused: how many. */
KEER_NODISCARD enum keer_err challenge_refuse_all(struct db *db, const struct id *account, struct slice why, int64_t now_us,
                                                  int64_t *ret_count);
/* What is done for: an answer is used by the call that asked for it, once. KEER_EMISSING. *ret: as it was done. */
struct challenge_want {
    struct id id, account, holder;
    enum challenge_kind kind;
    const struct crypto_hash *shown_hash; /* of what the call is about, made anew by challenge_canon */
};
KEER_NODISCARD enum keer_err challenge_use(struct db *db, const struct challenge_want *w, int64_t now_us,
                                           struct challenge *ret);
/* The 32 bytes that a passkey signs: SHA-256 of "keersluis challenge", kind, id, nonce and hash. Random, since the nonce is;
 * those of one kind are never those of another. */
void challenge_bytes(const struct challenge *c, struct crypto_hash *ret_bytes);
/* Forgets at most `rows_max` that ended before a time. */
KEER_NODISCARD enum keer_err challenges_forget(struct db *db, int64_t before_us, int64_t rows_max, int64_t *ret_count);
#endif
