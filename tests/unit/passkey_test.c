/* passkey_test.c - passkeys that are kept: a credential id is somebody's once, a question is answered once, counters never
 * go down; call N of the database failing.
 */
#include "lib/database.h"
#include "lib/db_fail.h"
#include "lib/passkey_bases.h"
#include "stepup/passkey.h"

#define T0 (INT64_C(1700000000) * 1000000)

static struct scratch scratch;
static struct db *db;
static struct passkey_kit kit;
static struct ceremony c;
static struct rng rng;
static struct id anna, bert, session, other;

static void setup(void)
{
    struct db_why why;
    ck_ok(crypto_start());
    database_make(&scratch);
    enum keer_err err = db_open(database_where(&scratch), DB_WRITE, &db, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(db, 1, &why));
    rng_seed(&rng, 20261129);
    passkey_kit_make(&kit);
    ceremony_init(&c);
    id_make(&anna);
    id_make(&bert);
    id_make(&session);
    id_make(&other);
}

static void teardown(void)
{
    ceremony_release(&c);
    passkey_kit_release(&kit);
    db_close(db);
    scratch_remove(&scratch);
}

static void begin(void) { ck_ok(db_begin(db)); }
static void commit(void) { ck_assert_int_eq(db_commit(db), DB_COMMITTED); }

/* A new passkey of the kit; what it registered is in *ret. */
static void make(struct webauthn_registered *ret)
{
    struct recipe r = base_recipe(BASE_NONE, &rng);
    ceremony_make(&kit, &r, &rng, &c);
    ck_ok(webauthn_register(&c.expect, &c.registration, ret));
    ck_assert_int_eq(ret->verdict, WEBAUTHN_OK);
}

static enum keer_err add(const struct id *account, const struct webauthn_registered *made, struct id *ret_id)
{
    struct passkey_new n = {.account = *account,
                            .name = SLICE("Phone"),
                            .transports = SLICE("internal carrier-pigeon hybrid internal"),
                            .made = made};
    begin();
    enum keer_err err = passkey_add(db, &n, T0, ret_id);
    if (err == KEER_OK)
        commit();
    else
        db_rollback(db);
    return err;
}

START_TEST(a_passkey_is_kept_and_found)
{
    struct webauthn_registered made;
    struct id id;
    struct passkey p;
    make(&made);
    ck_ok(add(&anna, &made, &id));
    ck_ok(passkey_find(db, made.credential_id, &p));
    ck_assert(id_eq(&p.row.id, &id) && id_eq(&p.row.account, &anna) && p.row.state == AUTHENTICATOR_ENROLLING);
    ck_assert_str_eq(p.row.name, "Phone");
    ck_assert_str_eq(p.transports, "hybrid internal");
    struct webauthn_credential credential = passkey_credential(&p);
    ck_slice_eq(credential.id, made.credential_id);
    ck_slice_eq(credential.public_key, made.public_key);
    ck_slice_eq(credential.user_handle, id_slice(&anna));
    ck_assert(p.counter == made.counter && p.verified && p.eligible == made.backup_eligible && p.algorithm == -7);
    ck_err(passkey_find(db, SLICE("another"), &p), KEER_EMISSING);
    ck_err(passkey_find(db, SLICE(""), &p), KEER_EMISSING);
}
END_TEST

START_TEST(a_credential_id_is_somebodys_once)
{
    struct webauthn_registered made;
    struct id id, again;
    make(&made);
    ck_ok(add(&anna, &made, &id));
    ck_err(add(&anna, &made, &again), KEER_ECONFLICT);
    ck_err(add(&bert, &made, &again), KEER_ECONFLICT);
    begin();
    ck_ok(authenticator_remove(db, &anna, &id, T0));
    commit();
    ck_err(add(&bert, &made, &again), KEER_ECONFLICT); /* removed ones stay known */
    int64_t rows = 0;
    ck_ok(db_number(db, "SELECT COUNT(*) FROM authenticator", &rows));
    struct passkey p;
    ck_ok(passkey_find(db, made.credential_id, &p));
    ck_assert(p.row.state == AUTHENTICATOR_REMOVED && id_eq(&p.row.account, &anna));
}
END_TEST

static void count_one(void *ctx, const struct passkey *p)
{
    unsigned *n = ctx;
    *n += p->credential_len > 0;
}

START_TEST(twenty_of_an_account)
{
    struct webauthn_registered made;
    struct id id;
    unsigned n = 0;
    for (unsigned i = 0; i < PASSKEYS_MAX; i++) {
        make(&made);
        ck_ok(add(&anna, &made, &id));
    }
    make(&made);
    struct id last = id;
    ck_err(add(&anna, &made, &id), KEER_EFULL);
    ck_ok(passkeys_each(db, &anna, count_one, &n));
    ck_assert_uint_eq(n, PASSKEYS_MAX);
    begin();
    ck_ok(authenticator_remove(db, &anna, &last, T0));
    commit();
    ck_ok(add(&anna, &made, &id));
    n = 0;
    ck_ok(passkeys_each(db, &bert, count_one, &n));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(counters_never_go_down_and_verified_stays)
{
    struct webauthn_registered made;
    struct id id;
    struct passkey p;
    make(&made);
    made.counter = 5;
    made.user_verified = false;
    ck_ok(add(&anna, &made, &id));
    ck_ok(passkey_find(db, made.credential_id, &p));
    struct webauthn_authenticated a = {.verdict = WEBAUTHN_OK, .counter = 9, .user_verified = true, .backed_up = true};
    begin();
    ck_err(passkey_used(db, &p, &a, T0 + 1), KEER_EMISSING); /* not active */
    ck_ok(authenticator_move(db, &anna, &id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), AUTHENTICATOR_ACTIVE, T0));
    ck_ok(passkey_used(db, &p, &a, T0 + 2));
    commit();
    ck_ok(passkey_find(db, made.credential_id, &p));
    ck_assert(p.counter == 9 && p.verified && p.backed_up && p.row.used_us == T0 + 2);
    a = (struct webauthn_authenticated){.verdict = WEBAUTHN_OK, .counter = 3};
    begin();
    ck_ok(passkey_used(db, &p, &a, T0 + 3));
    commit();
    ck_ok(passkey_find(db, made.credential_id, &p));
    ck_assert(p.counter == 9 && p.verified && !p.backed_up && p.row.used_us == T0 + 3);
}
END_TEST

/* What differs in one thing meets no row, and takes the question from nobody. */
START_TEST(a_question_is_answered_once_by_whom_it_was_asked_of)
{
    struct passkey_ask ask = {.holder = session, .account = anna, .payment = true};
    begin();
    ck_ok(passkey_ask(db, &ask, T0));
    struct passkey_ask wrong = ask;
    wrong.holder = other;
    ck_err(passkey_answered(db, &wrong, T0 + 1), KEER_EMISSING);
    wrong = ask;
    wrong.account = bert;
    ck_err(passkey_answered(db, &wrong, T0 + 1), KEER_EMISSING);
    wrong = ask;
    id_make(&wrong.id);
    ck_err(passkey_answered(db, &wrong, T0 + 1), KEER_EMISSING);
    ck_err(passkey_answered(db, &ask, T0 + PASSKEY_ASK_US), KEER_EMISSING); /* too late */
    struct passkey_ask right = {.id = ask.id, .holder = session, .account = anna};
    ck_ok(passkey_answered(db, &right, T0 + PASSKEY_ASK_US - 1));
    ck_assert(right.payment && memcmp(right.challenge, ask.challenge, sizeof ask.challenge) == 0);
    ck_err(passkey_answered(db, &right, T0 + 2), KEER_EMISSING); /* twice */
    struct passkey_ask next = {.holder = session, .account = anna};
    ck_ok(passkey_ask(db, &next, T0));
    ck_assert(memcmp(next.challenge, ask.challenge, sizeof ask.challenge) != 0);
    ck_ok(passkey_asks_forget(db, T0 + PASSKEY_ASK_US + 1, 10));
    commit();
    int64_t rows = -1;
    ck_ok(db_number(db, "SELECT COUNT(*) FROM passkey_ask", &rows));
    ck_assert_int_eq(rows, 0);
}
END_TEST

/* A sign-in's question is in no row before it is answered, and has its time and holder in it. */
START_TEST(an_invitation_is_accepted_once_in_time_by_its_holder)
{
    struct crypto_hash key = {{1}}, another = {{2}};
    struct passkey_ask ask = {.holder = session}, next = {.holder = session};
    int64_t rows = -1, late = T0 + PASSKEY_ASK_US;
    passkey_invite(&key, &ask, T0);
    passkey_invite(&key, &next, T0);
    ck_assert(!id_eq(&ask.id, &next.id) && memcmp(ask.challenge, next.challenge, sizeof ask.challenge) != 0);
    ck_ok(db_number(db, "SELECT COUNT(*) FROM passkey_ask", &rows));
    ck_assert_int_eq(rows, 0);
    begin();
    struct passkey_ask got = {.id = ask.id, .holder = session};
    ck_err(passkey_accepted(db, &key, &got, late), KEER_EMISSING);
    ck_err(passkey_accepted(db, &key, &got, T0 - 1000), KEER_EMISSING); /* of the future */
    struct passkey_ask thief = {.id = ask.id, .holder = other};
    ck_ok(passkey_accepted(db, &key, &thief, T0 + 1)); /* it uses up nothing of its holder's, and is another challenge */
    ck_assert(memcmp(thief.challenge, ask.challenge, sizeof ask.challenge) != 0);
    struct passkey_ask forged = {.id = next.id, .holder = session};
    ck_ok(passkey_accepted(db, &another, &forged, T0 + 1)); /* a daemon with another key */
    ck_assert(memcmp(forged.challenge, next.challenge, sizeof next.challenge) != 0);
    ck_ok(passkey_accepted(db, &key, &got, late - 1000));
    ck_assert(memcmp(got.challenge, ask.challenge, sizeof ask.challenge) == 0);
    ck_err(passkey_accepted(db, &key, &got, T0 + 2), KEER_EMISSING); /* twice */
    ck_ok(passkey_asks_forget(db, late + 1, 10));
    ck_err(passkey_accepted(db, &key, &got, late + 2), KEER_EMISSING); /* nor after its row was forgotten */
    commit();
    ck_ok(db_number(db, "SELECT COUNT(*) FROM passkey_ask", &rows));
    ck_assert_int_eq(rows, 0);
}
END_TEST

/* Whatever call of the database fails: nothing is half there. */
START_TEST(a_database_that_fails_leaves_nothing)
{
    struct webauthn_registered made;
    make(&made);
    for (unsigned n = 1;; n++) {
        struct id id;
        struct passkey_new new = {.account = anna, .name = SLICE("x"), .made = &made};
        begin();
        db_fail_arm(n, false);
        enum keer_err err = passkey_add(db, &new, T0, &id);
        bool failed = db_fail_hit();
        db_fail_arm(0, false);
        if (!failed) {
            ck_ok(err);
            db_rollback(db);
            break;
        }
        ck_err(err, KEER_EIO);
        db_rollback(db);
        int64_t rows = -1;
        ck_ok(db_number(db, "SELECT (SELECT COUNT(*) FROM authenticator) + (SELECT COUNT(*) FROM passkey)", &rows));
        ck_assert_int_eq(rows, 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("passkey");
    TCase *t = tcase_create("passkey");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_passkey_is_kept_and_found);
    tcase_add_test(t, a_credential_id_is_somebodys_once);
    tcase_add_test(t, twenty_of_an_account);
    tcase_add_test(t, counters_never_go_down_and_verified_stays);
    tcase_add_test(t, a_question_is_answered_once_by_whom_it_was_asked_of);
    tcase_add_test(t, an_invitation_is_accepted_once_in_time_by_its_holder);
    tcase_add_test(t, a_database_that_fails_leaves_nothing);
    suite_add_tcase(s, t);
    return test_main(s);
}
