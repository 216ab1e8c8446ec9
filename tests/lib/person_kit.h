/* person_kit.h - an account with what hangs on it, for tests of what is done to accounts: no daemon, a clock of the test's.
 */
#ifndef TESTS_LIB_PERSON_KIT_H
#define TESTS_LIB_PERSON_KIT_H
#include "account/password.h"
#include "flow/recovery.h"
#include "lib/database.h"
#include "stepup/code.h"
#include "stepup/totp.h"
#include "store/query.h"

#define T0 (INT64_C(1700000000) * 1000000)

struct person_kit {
    struct scratch scratch;
    struct db *db;
    struct crypto_hash key;
    struct guard guard;
};
struct person {
    struct id account, email, phone /* contacts; none: it has none */, device;
    struct session session;
    struct crypto_hash browser;
};

static inline void kit_make(struct person_kit *k)
{
    struct db_why why;
    ck_ok(crypto_start());
    memset(k, 0, sizeof *k);
    database_make(&k->scratch);
    enum keer_err err = KEER_ECONFLICT; /* a server may take a moment to see that the one before is gone */
    for (int i = 0; err == KEER_ECONFLICT && i < 500; i++) {
        err = db_open(database_where(&k->scratch), DB_WRITE, &k->db, &why);
        if (err == KEER_ECONFLICT)
            (void)usleep(10000);
    }
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(k->db, 1, &why));
    k->key.bytes[0] = 7;
    k->guard = (struct guard){.key = &k->key,
                              .first_us = GUARD_FIRST_US,
                              .wait_us = GUARD_WAIT_US,
                              .grace_us = GUARD_GRACE_US,
                              .recovery_us = RECOVERY_WAIT_US};
}
static inline void kit_drop(struct person_kit *k)
{
    db_close(k->db);
    scratch_remove(&k->scratch);
}
static inline int64_t kit_number(struct person_kit *k, const char *sql)
{
    int64_t n = -1;
    ck_ok(db_number(k->db, sql, &n));
    return n;
}

static inline void kit_contact(struct person_kit *k, struct person *p, const char *address, struct id *ret, int64_t now_us)
{
    struct identifier a;
    struct identifier_why why;
    ck_ok(identifier_guess(slice_str(address), &a, &why));
    ck_ok(contact_add(k->db, &p->account, &a, 0, now_us, ret));
    ck_ok(contact_verify(k->db, &p->account, ret, now_us));
}

/* A session of its browser; RESTRICTED, FULL or PENDING. */
static inline struct session kit_session(struct person_kit *k, const struct person *p, enum session_rights rights,
                                         const struct crypto_hash *browser, int64_t now_us)
{
    struct bearer token;
    struct session s;
    struct id id;
    struct device d;
    bool fresh;
    struct session_new n = {.account = p->account,
                            .rights = rights,
                            .acr = SESSION_ACR_1,
                            .amr = "pwd",
                            .device_hash = *browser,
                            .ip = SLICE("192.0.2.1"),
                            .family = SLICE("firefox")};
    if (rights != SESSION_PENDING) {
        ck_ok(device_see(k->db, &p->account, browser, SLICE("firefox"), now_us, &d, &fresh));
        n.device = d.id;
    }
    ck_ok(session_begin(k->db, &n, now_us, &id, &token));
    ck_ok(session_read(k->db, &id, now_us, &s));
    return s;
}

/* Anna: an account that was opened at `opened_us`, a password, and a FULL session that began at `now_us`. */
static inline struct person kit_person(struct person_kit *k, const char *name, int64_t opened_us, int64_t now_us)
{
    struct person p = {0};
    char address[64], phc[PASSWORD_PHC_BYTES];
    id_make(&p.account);
    crypto_random(&p.browser, sizeof p.browser);
    ck_ok(account_add(k->db, &p.account, SLICE("Anna"), SLICE("en"), opened_us));
    (void)snprintf(address, sizeof address, "%s@example.org", name);
    kit_contact(k, &p, address, &p.email, opened_us);
    password_dummy(phc);
    ck_ok(password_write(k->db, &p.account, phc, opened_us));
    p.session = kit_session(k, &p, SESSION_FULL, &p.browser, now_us);
    p.device = p.session.device;
    return p;
}

/* An app, in a state; its secret is the caller's not to know. */
static inline struct id kit_totp(struct person_kit *k, const struct person *p, enum authenticator_state state,
                                 int64_t now_us)
{
    struct totp_enrolment e;
    ck_ok(totp_enrol(k->db, &k->key, &p->account, SLICE("app"), now_us, &e));
    if (state != AUTHENTICATOR_ENROLLING)
        ck_ok(authenticator_move(k->db, &p->account, &e.id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), state, now_us));
    return e.id;
}

/* Answers a challenge as if a code of the app `with` had been right. */
static inline void kit_answer_with(struct person_kit *k, const struct id *challenge, const struct id *with, int64_t now_us)
{
    struct challenge c;
    ck_ok(challenge_get(k->db, challenge, now_us, &c));
    ck_ok(challenge_done(k->db,
                         &(struct challenge_answer){.id = c.id,
                                                    .account = c.account,
                                                    .holder = c.holder,
                                                    .kind = c.kind,
                                                    .shown_hash = &c.shown_hash,
                                                    .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP),
                                                    .with = *with,
                                                    .amr = CHALLENGE_AMR_OTP},
                         now_us));
}
static inline void kit_answer(struct person_kit *k, const struct id *challenge, int64_t now_us)
{
    kit_answer_with(k, challenge, &(struct id){0}, now_us);
}

/* Notices of a kind about something. */
static inline unsigned kit_notices(struct person_kit *k, enum notice_kind kind, const struct id *about)
{
    struct db_stmt *s;
    ck_ok(QUERY_ONE(k->db, &s, "SELECT COUNT(*) FROM notice WHERE kind = $1 AND about = $2", Q_NUMBER(kind), Q_ID(about)));
    int64_t n = db_i64(s, 0);
    db_free(s);
    return (unsigned)n;
}
/* The 'not me' token of the latest. */
static inline struct bearer kit_not_me(struct person_kit *k, enum notice_kind kind, const struct id *about)
{
    struct db_stmt *s;
    struct bearer token;
    struct id id;
    ck_ok(QUERY_ONE(k->db, &s, "SELECT id FROM notice WHERE kind = $1 AND about = $2 ORDER BY created_us DESC LIMIT 1",
                    Q_NUMBER(kind), Q_ID(about)));
    ck_ok(query_id(s, 0, &id));
    db_free(s);
    notice_not_me(&k->key, &id, &token);
    return token;
}
#endif
