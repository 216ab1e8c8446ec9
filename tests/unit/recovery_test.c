/* recovery_test.c - recovery, way by way: which ways are enough at once, what the others wait for, what calls it off. */
#include "lib/guard_kit.h"

static struct recovery whose;

static struct recovery begin(const char *name, const struct crypto_hash *browser)
{
    struct recovery r;
    struct crypto_hash other = {{99}};
    unsigned n;
    struct recovery_start s = {.name = slice_str(name),
                               .device_hash = browser ? *browser : other,
                               .where = SLICE("198.51.100.7"),
                               .family = SLICE("chrome")};
    ck_ok(recovery_start(kit.db, &kit.guard, &s, T0, &r));
    ck_ok(recovery_send(kit.db, &kit.guard, T0, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(recovery_get(kit.db, &r.id, T0, &r));
    return r;
}

/* The code that was sent to an address of a kind. */
static void sent(const struct recovery *r, unsigned way, char digits[PROOF_DIGITS + 1])
{
    struct db_stmt *s;
    struct id proof;
    ck_ok(QUERY_ONE(kit.db, &s, "SELECT proof FROM recovery_proof WHERE recovery = $1 AND way = $2", Q_ID(&r->id),
                    Q_NUMBER(way)));
    ck_ok(query_id(s, 0, &proof));
    db_free(s);
    proof_digits(&kit.key, &proof, digits);
}

static bool prove(struct recovery *r, const char *code)
{
    bool ok = false;
    ck_ok(recovery_prove(kit.db, &kit.guard, &r->id, slice_str(code), T0, &ok, r));
    return ok;
}

#define E RECOVERY_EMAIL
#define P RECOVERY_PHONE
#define R RECOVERY_CODE
#define D RECOVERY_DEVICE
static const struct {
    unsigned ways;
    bool bound, at_once;
} ways[] = {{E, false, false}, {E | P, false, true}, {E | D, false, true}, {P | D, false, true}, {D, false, false},
            {E, true, false},  {E | D, true, false}, {E | P, true, true},  {E | R, true, true},  {P | R, true, true},
            {R, true, false},  {R | D, true, false}, {P, true, false},     {P, false, false}};

/* Which ways are enough at once; the others wait; none is nothing. */
START_TEST(ways_of_recovery)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct code_set set;
    struct password_row p;
    struct session s;
    unsigned w = ways[_i].ways, n;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    if (ways[_i].bound) {
        ck_ok(code_make(kit.db, &anna.account, T0, &set));
        ck_ok(code_activate(kit.db, &anna.account, &set.id, T0));
    }
    struct recovery r = begin("anna@example.org", w & D ? &anna.browser : NULL);
    ck_assert_uint_eq(r.ways, w & D);
    password_dummy(phc);
    phc[31] = 'N';
    ck_assert(!prove(&r, "00000000") && !prove(&r, "") && !prove(&r, "123456") &&
              !prove(&r, "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"));
    if (w & E) {
        sent(&r, E, code);
        ck_assert(prove(&r, code));
        ck_assert(!prove(&r, code)); /* twice */
    }
    if (w & P) {
        sent(&r, P, code);
        ck_assert(prove(&r, code));
    }
    if (w & R)
        ck_assert(prove(&r, set.code[3]));
    ck_assert_uint_eq(r.ways, w);
    enum keer_err err = recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r);
    if (w == D) {
        ck_assert_int_eq(err, KEER_EMISSING);
        return;
    }
    ck_assert_int_eq(err, KEER_OK);
    ck_assert_int_eq(r.state, ways[_i].at_once ? RECOVERY_DONE : RECOVERY_WAITING);
    if (!ways[_i].at_once) {
        ck_assert_int_eq(r.due_us, T0 + RECOVERY_WAIT_US);
        ck_assert(hold(T0).held && strcmp(hold(T0).why, "recovery_waits") == 0);
        ck_assert_uint_eq(kit_notices(&kit, NOTICE_RECOVERY_STARTED, &r.id), 2);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us - 1, &whose, &n));
        ck_assert_uint_eq(n, 0);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
        ck_assert_uint_eq(n, 1);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
        ck_assert_uint_eq(n, 0);
    }
    ck_ok(password_read(kit.db, &anna.account, &p));
    ck_assert_str_eq(p.phc, phc);
    ck_err(session_read(kit.db, &anna.session.id, T0, &s), KEER_EMISSING);
    ck_assert(!hold(T0).held);
    ck_assert_uint_eq(kit_notices(&kit, NOTICE_RECOVERY_DONE, &r.id), 2);
    unsigned methods = 0; /* authenticators stay */
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_int_eq(methods != 0, ways[_i].bound);
    ck_err(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r), KEER_EMISSING);
}
END_TEST

/* What was pending by better proof does not go through by this one. */
START_TEST(a_recovery_clears_what_is_pending)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct challenge c = {.account = anna.account, .kind = CHALLENGE_SIGN_IN, .holder = anna.session.id};
    struct challenge_data d = {.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
    bool fresh;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    struct guard_request g = request(GUARD_DEVICE_TRUST);
    struct guard_answer a = ask(&g, T0);
    ck_assert_int_eq(a.outcome, GUARD_WAITS);
    ck_ok(challenge_open(kit.db, &d, T0, &c, &fresh));
    kit_answer(&kit, &c.id, T0);
    ck_ok(account_freeze(kit.db, &anna.account, SLICE("x"), T0)); /* and the owner thaws it */
    struct recovery r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    sent(&r, P, code);
    ck_assert(prove(&r, code));
    password_dummy(phc);
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    ck_assert_int_eq(state_of(&a.change), GUARD_CANCELLED);
    ck_ok(challenge_get(kit.db, &c.id, T0, &c));
    ck_assert_int_eq(c.state, CHALLENGE_REFUSED);
    struct account row;
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_ACTIVE);
}
END_TEST

/* Lost authenticators: always the wait, also with two ways; then they are gone, and 'not me' gives them back. */
START_TEST(lost_authenticators)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct password_row before, p;
    struct guard_not_me got;
    unsigned methods, n;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    struct guard_request g = request(GUARD_DEVICE_TRUST);
    (void)ask(&g, T0);
    ck_assert_uint_eq(tick(T0 + US_HOUR), 1);
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    ck_ok(password_read(kit.db, &anna.account, &before));
    struct recovery r = begin("anna@example.org", NULL), second;
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    sent(&r, P, code);
    ck_assert(prove(&r, code));
    password_dummy(phc);
    phc[33] = 'L';
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), /* lost */ true, T0, &r));
    ck_assert_int_eq(r.state, RECOVERY_WAITING);
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert(methods);
    /* Another one does not come before it. */
    second = begin("anna@example.org", NULL);
    sent(&second, E, code);
    ck_assert(prove(&second, code));
    ck_err(recovery_finish(kit.db, &kit.guard, &second.id, slice_str(phc), false, T0, &second), KEER_ECONFLICT);
    ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_uint_eq(methods, 0);
    struct bearer token = kit_not_me(&kit, NOTICE_RECOVERY_DONE, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), r.due_us + US_DAY, &got));
    ck_assert(got.undone && got.frozen);
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_uint_eq(methods, AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP) | AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE));
    struct device device;
    ck_ok(device_read(kit.db, &anna.account, &anna.device, &device));
    ck_assert(device.trusted_us);
    ck_ok(password_read(kit.db, &anna.account, &p));
    ck_assert_str_eq(p.phc, before.phc);
}
END_TEST

START_TEST(a_recovery_is_called_off)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct guard_not_me got;
    struct account row;
    unsigned n;
    password_dummy(phc);
    /* By nobody who proved anything: 'not me' ends it, and does not lock the owner out. */
    struct recovery r = begin("anna@example.org", NULL);
    struct bearer token = kit_not_me(&kit, NOTICE_RECOVERY_CODE, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0, &got));
    ck_assert(got.undone && !got.frozen);
    sent(&r, E, code);
    bool ok;
    ck_err(recovery_prove(kit.db, &kit.guard, &r.id, slice_str(code), T0, &ok, &r), KEER_EMISSING);
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_ACTIVE);
    /* From a session or device. */
    r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    ck_err(recovery_cancel(kit.db, &kit.guard, &anna.account, SLICE(""), T0), KEER_EMISSING);
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    ck_ok(recovery_cancel(kit.db, &kit.guard, &anna.account, SLICE(""), T0));
    ck_ok(recovery_apply_due(kit.db, &kit.guard, T0 + 30 * US_DAY, &whose, &n));
    ck_assert_uint_eq(n, 0);
    ck_assert(!hold(T0).held);
    /* Somebody read a code: that is a reason to freeze. */
    r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    token = kit_not_me(&kit, NOTICE_RECOVERY_STARTED, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0, &got));
    ck_assert(got.undone && got.frozen);
    ck_ok(recovery_apply_due(kit.db, &kit.guard, T0 + 30 * US_DAY, &whose, &n));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* A name that nobody has: a flow like any other, and nothing ever proves it. */
START_TEST(a_name_that_nobody_has)
{
    static const char *const names[] = {"nobody@example.org", "nobody", "+3199999999", "not a name!", "a@b"};
    struct id bucket, again;
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct recovery r = begin(names[i], NULL), twice = begin(names[i], NULL);
        ck_assert(!id_is(&r.account) && r.state == RECOVERY_OPEN);
        ck_ok(recovery_bucket(kit.db, &r.id, &bucket));
        ck_ok(recovery_bucket(kit.db, &twice.id, &again));
        ck_assert(id_is(&bucket) && id_eq(&bucket, &again));
        ck_ok(recovery_prove(kit.db, &kit.guard, &r.id, SLICE("12345678"), T0, &ok, &r));
        ck_assert(!ok);
        ck_err(recovery_finish(kit.db, &kit.guard, &r.id, SLICE("x"), false, T0, &r), KEER_EMISSING);
    }
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM notice"), 0);
    struct recovery late = begin("anna@example.org", NULL);
    ck_err(recovery_prove(kit.db, &kit.guard, &late.id, SLICE("1"), T0 + RECOVERY_OPEN_US, &ok, &late), KEER_EMISSING);
    ck_ok(recoveries_forget(kit.db, T0 + US_DAY, 100));
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM recovery"), 0);
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM recovery_proof"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recovery");
    TCase *c = tcase_create("recovery");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, ways_of_recovery, 0, (int)ARRAY_LEN(ways));
    tcase_add_test(c, a_recovery_clears_what_is_pending);
    tcase_add_test(c, lost_authenticators);
    tcase_add_test(c, a_recovery_is_called_off);
    tcase_add_test(c, a_name_that_nobody_has);
    suite_add_tcase(s, c);
    return test_main(s);
}
