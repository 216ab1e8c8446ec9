/* removal_test.c - what ends with an authenticator: the sessions that it opened, a trusted device's own, answers of its that nobody has
 * used; and what stays. */
#include "flow/account_use.h"
#include "lib/person_kit.h"

static struct person_kit kit;
static struct person anna;
static struct id none;

static void setup(void)
{
    kit_make(&kit);
    anna = kit_person(&kit, "anna", T0 - 100 * US_DAY, T0);
}
static void teardown(void) { kit_drop(&kit); }

/* A session of a browser of its own, opened by an authenticator. */
static struct session opened_by(const struct id *authenticator)
{
    struct crypto_hash browser;
    struct bearer token;
    struct device d;
    struct session s;
    struct id id;
    bool fresh;
    crypto_random(&browser, sizeof browser);
    ck_ok(device_see(kit.db, &anna.account, &browser, SLICE("firefox"), T0, &d, &fresh));
    struct session_new n = {.account = anna.account,
                            .device = d.id,
                            .rights = SESSION_FULL,
                            .acr = SESSION_ACR_2,
                            .amr = "pwd otp mfa",
                            .device_hash = browser,
                            .ip = SLICE("192.0.2.1"),
                            .family = SLICE("firefox"),
                            .step_us = T0,
                            .authenticator = *authenticator};
    ck_ok(session_begin(kit.db, &n, T0, &id, &token));
    ck_ok(session_read(kit.db, &id, T0, &s));
    return s;
}

static bool lives(const struct session *s)
{
    struct session now;
    enum keer_err err = session_read(kit.db, &s->id, T0 + 2, &now);
    ck_assert(err == KEER_OK || err == KEER_EMISSING);
    return err == KEER_OK;
}

/* Asks from a session, and answers the step with `with`. */
static void change(const struct session *from, enum guard_change what, const struct id *thing, const struct id *with)
{
    struct guard_request r = {
        .session = from, .change = what, .thing = *thing, .detail = SLICE("it"), .where = SLICE("192.0.2.1")};
    struct guard_answer a;
    ck_ok(guard_ask(kit.db, &kit.guard, &r, T0, &a));
    ck_assert_int_eq(a.outcome, GUARD_STEP);
    kit_answer_with(&kit, &a.challenge, with, T0);
    r.challenge = a.challenge;
    ck_ok(guard_ask(kit.db, &kit.guard, &r, T0 + 1, &a));
    ck_assert_int_eq(a.outcome, GUARD_APPLIED);
}

START_TEST(an_app_is_removed)
{
    struct id lost = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0), kept = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct session asking = opened_by(&lost), other = opened_by(&lost), password = opened_by(&none), safe = opened_by(&kept);
    change(&asking, GUARD_AUTHENTICATOR_REMOVE, &lost, &lost);
    ck_assert(!lives(&other));
    ck_assert(lives(&asking)); /* its person is there, and passed a step for this */
    ck_assert(lives(&password) && lives(&safe) && lives(&anna.session));
}
END_TEST

/* A sign-in by password, raised by a step: that is what it ends with. */
START_TEST(a_step_that_raised_a_session)
{
    struct id lost = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct session raised = opened_by(&none), again;
    struct session_raise r = {
        .rights = SESSION_FULL, .acr = SESSION_ACR_2, .amr = "otp", .second_step = true, .authenticator = lost};
    struct bearer token;
    ck_ok(session_raise(kit.db, &raised.id, &r, T0, &token));
    again = raised;
    r.authenticator = none; /* nothing that is no authenticator takes its place */
    ck_ok(session_raise(kit.db, &raised.id, &r, T0, &token));
    change(&anna.session, GUARD_AUTHENTICATOR_REMOVE, &lost, &lost);
    ck_assert(!lives(&again));
}
END_TEST

START_TEST(an_answer_that_nobody_used)
{
    struct id lost = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0), kept = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct session thief = opened_by(&none);
    struct challenge_data d = {
        .kind = CHALLENGE_CHANGE, .currency = CUR_MAX, .change = SLICE("contact_add"), .detail = SLICE("x@example.net")};
    struct challenge c[2];
    bool fresh;
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        c[i] = (struct challenge){.account = anna.account, .holder = thief.id, .kind = CHALLENGE_CHANGE};
        ck_ok(challenge_open(kit.db, &d, T0, &c[i], &fresh));
        struct challenge_answer a = {.id = c[i].id,
                                     .account = anna.account,
                                     .holder = thief.id,
                                     .kind = CHALLENGE_CHANGE,
                                     .shown_hash = &c[i].shown_hash,
                                     .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP),
                                     .with = i ? kept : lost};
        ck_ok(challenge_done(kit.db, &a, T0));
    }
    change(&anna.session, GUARD_AUTHENTICATOR_REMOVE, &lost, &kept);
    ck_ok(challenge_get(kit.db, &c[0].id, T0, &c[0]));
    ck_assert_int_eq(c[0].state, CHALLENGE_REFUSED);
    ck_assert_str_eq(c[0].why, "authenticator_removed");
    ck_ok(challenge_get(kit.db, &c[1].id, T0, &c[1]));
    ck_assert_int_eq(c[1].state, CHALLENGE_DONE);
}
END_TEST

/* As an authenticator, or by its device: what it approved ends, and what is signed in on it. */
START_TEST(a_trusted_device_goes)
{
    struct id app = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct session phone = opened_by(&none), approved;
    struct authenticator a;
    change(&anna.session, GUARD_DEVICE_TRUST, &phone.device, &app);
    ck_assert(lives(&phone));
    ck_ok(authenticator_by_ref(kit.db, &anna.account, AUTHENTICATOR_DEVICE, &phone.device, &a));
    approved = opened_by(&a.id);
    if (_i) {
        change(&anna.session, GUARD_AUTHENTICATOR_REMOVE, &a.id, &app);
    } else {
        struct visitor v = {.session = anna.session.id, .now = anna.session};
        struct account_naming n = {.v = &v, .id = phone.device, .distrust = true, .now_us = T0 + 1};
        ck_ok(account_device_put(kit.db, &n));
    }
    ck_assert(!lives(&phone) && !lives(&approved) && lives(&anna.session));
    struct device d;
    ck_ok(device_read(kit.db, &anna.account, &phone.device, &d));
    ck_assert(!d.trusted_us && !d.revoked_us); /* it may sign in again */
}
END_TEST

START_TEST(another_set_of_codes)
{
    struct id app = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct code_set old, fresh;
    ck_ok(code_make(kit.db, &anna.account, T0, &old));
    ck_ok(code_activate(kit.db, &anna.account, &old.id, T0));
    struct session by_code = opened_by(&old.id), by_app = opened_by(&app);
    ck_ok(code_make(kit.db, &anna.account, T0, &fresh));
    change(&anna.session, GUARD_RECOVERY_CODES, &fresh.id, &app);
    ck_assert(!lives(&by_code) && lives(&by_app));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("removal");
    TCase *c = tcase_create("removal");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, an_app_is_removed);
    tcase_add_test(c, a_step_that_raised_a_session);
    tcase_add_test(c, an_answer_that_nobody_used);
    tcase_add_loop_test(c, a_trusted_device_goes, 0, 2);
    tcase_add_test(c, another_set_of_codes);
    suite_add_tcase(s, c);
    return test_main(s);
}
