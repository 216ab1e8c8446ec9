/* attempts_test.c - limits of wrong answers: each row of the table one over, parallel use, time, buckets, resets, call N
 * failing. */
#include "lib/database.h"
#include "lib/db_fail.h"
#include "store/attempts.h"

#define T0 (INT64_C(1700000000) * 1000000)
#define HOUR (3600 * INT64_C(1000000))

static struct scratch scratch;
static struct db *db;
static struct db_why why;

static void open_it(void)
{
    enum keer_err err = KEER_ECONFLICT; /* a server may take a moment to see that the one before is gone */
    for (int i = 0; err == KEER_ECONFLICT && i < 500; i++) {
        err = db_open(database_where(&scratch), DB_WRITE, &db, &why);
        if (err == KEER_ECONFLICT)
            (void)usleep(10000);
    }
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(db, 1, &why));
}
static void setup(void)
{
    ck_ok(crypto_start());
    database_make(&scratch);
    open_it();
}
static void teardown(void)
{
    db_fail_arm(0, false);
    db_close(db);
    scratch_remove(&scratch);
}

static enum attempt_verdict begin(enum attempt_use use, const struct attempt_subject *s, int64_t now_us,
                                  struct attempt_begun *ret)
{
    ck_ok(db_begin(db));
    ck_ok(attempt_begin(db, use, s, now_us, ret));
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    return ret->verdict;
}
static void right(const struct attempt_begun *b)
{
    ck_ok(db_begin(db));
    ck_ok(attempt_ok(db, &b->attempt));
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
}
/* How many of `n` wrong answers are looked at. */
static int wrong(int n, enum attempt_use use, const struct attempt_subject *s, int64_t now_us)
{
    struct attempt_begun b;
    int taken = 0;
    for (int i = 0; i < n; i++)
        taken += begin(use, s, now_us, &b) == ATTEMPT_MAY;
    return taken;
}
static int64_t count(enum attempt_limit limit, const struct attempt_subject *s, int64_t now_us)
{
    int64_t n = -1;
    ck_ok(attempt_count(db, limit, s, now_us, &n));
    return n;
}

/* A subject that differs from the last in all that the row does not count by, so that no other row is reached. */
struct one {
    char mine[40], fresh[40], address[60];
};
static struct attempt_subject subject(const struct attempt_row *row, unsigned use, unsigned k, struct one *o)
{
    enum { ACCOUNT = 1, AUTHENTICATOR = 4, CHALLENGE = 8, ADDRESS = 16, NETWORK = 32 };
    (void)snprintf(o->mine, sizeof o->mine, "%.16s-%u", row->name, use);
    (void)snprintf(o->fresh, sizeof o->fresh, "%.16s-%u-%u", row->name, use, k);
    (void)snprintf(o->address, sizeof o->address, "2001:db8:%x:%x::%x", use + 8 * row->parts,
                   row->parts & (ADDRESS | NETWORK) ? 0 : k, row->parts & NETWORK ? k + 1 : 1);
    return (struct attempt_subject){.account = slice_str(row->parts & ACCOUNT ? o->mine : o->fresh),
                                    .authenticator = slice_str(row->parts & AUTHENTICATOR ? o->mine : o->fresh),
                                    .challenge = slice_str(row->parts & CHALLENGE ? o->mine : o->fresh),
                                    .address = slice_str(o->address)};
}

/* Each row alone: exactly `max`, refused in its own name, and open again after its window unless it has none. */
START_TEST(every_limit_holds)
{
    const struct attempt_row *row = attempt_row((enum attempt_limit)_i);
    for (unsigned use = 0; use < ATTEMPT_USE_MAX; use++) {
        struct attempt_begun b;
        struct attempt_subject s;
        struct one o;
        if (!(row->uses & 1u << use))
            continue;
        for (unsigned k = 0; k < row->max; k++) {
            s = subject(row, use, k, &o);
            ck_assert_int_eq(begin(use, &s, T0 + k, &b), ATTEMPT_MAY);
            ck_assert_int_eq(b.last, (row->parts & 4u) && k + 1 == row->max);
        }
        s = subject(row, use, (unsigned)row->max, &o);
        ck_assert_int_eq(begin(use, &s, T0 + row->max, &b), row->window_us ? ATTEMPT_LATER : ATTEMPT_USED_UP);
        ck_assert_msg(b.limit == (unsigned)_i, "%s refused instead of %s", attempt_row(b.limit)->name, row->name);
        ck_assert(!row->window_us || b.retry_us == T0 + row->window_us);
        ck_assert_int_eq(b.attempt.used, 0);
        if (row->window_us)
            ck_assert_int_ne(begin(use, &s, T0 + row->window_us - 1, &b), ATTEMPT_MAY);
        ck_assert_int_eq(begin(use, &s, T0 + (row->window_us ? row->window_us : 9999 * HOUR), &b) == ATTEMPT_MAY,
                         row->window_us > 0);
    }
}
END_TEST

START_TEST(what_is_refused_counts_nowhere)
{
    struct attempt_subject s = {.account = SLICE("a"), .challenge = SLICE("c"), .address = SLICE("203.0.113.9")};
    ck_assert_int_eq(wrong(50, ATTEMPT_USE_CODE, &s, T0), 5); /* the challenge's */
    ck_assert_int_eq(count(ATTEMPT_ACCOUNT, &s, T0), 5);
    ck_assert_int_eq(count(ATTEMPT_ADDRESS, &s, T0), 5);
    ck_assert_int_eq(count(ATTEMPT_NETWORK, &s, T0), 5);
}
END_TEST

START_TEST(strangers_do_not_lock_a_device_out)
{
    struct attempt_subject stranger = {
        .account = SLICE("a"), .authenticator = SLICE("pw1"), .address = SLICE("203.0.113.9")};
    struct attempt_subject owner = stranger;
    owner.device = SLICE("phone");
    struct attempt_begun b;
    ck_assert_int_eq(wrong(1000, ATTEMPT_USE_PASSWORD, &stranger, T0), 20);
    ck_assert_int_eq(begin(ATTEMPT_USE_PASSWORD, &owner, T0, &b), ATTEMPT_MAY);
    right(&b);
    /* Day after day until the password is disabled for strangers; the owner's bucket is untouched. */
    int taken = 20;
    for (int day = 1; day < 12; day++)
        taken += wrong(1000, ATTEMPT_USE_PASSWORD, &stranger, T0 + day * 25 * HOUR);
    ck_assert_int_eq(taken, 100);
    ck_assert_int_eq(begin(ATTEMPT_USE_PASSWORD, &owner, T0 + 400 * HOUR, &b), ATTEMPT_MAY);
    right(&b);
    /* And the shared address that is used up does not hold the known device. */
    struct attempt_subject noise = {.address = SLICE("203.0.113.9")};
    (void)wrong(200, ATTEMPT_USE_PROBE, &noise, T0 + 401 * HOUR);
    ck_assert_int_eq(begin(ATTEMPT_USE_PASSWORD, &noise, T0 + 401 * HOUR, &b), ATTEMPT_LATER);
    ck_assert_int_eq(begin(ATTEMPT_USE_PASSWORD, &owner, T0 + 401 * HOUR, &b), ATTEMPT_MAY);
}
END_TEST

START_TEST(passkeys_and_passwords_do_not_meet)
{
    struct attempt_subject s = {.account = SLICE("a"), .authenticator = SLICE("x")};
    struct attempt_begun b;
    ck_assert_int_eq(wrong(300, ATTEMPT_USE_PASSKEY, &s, T0), 200);
    ck_assert_int_eq(count(ATTEMPT_PASSWORD, &s, T0), 0);
    ck_assert_int_eq(count(ATTEMPT_IN_A_ROW, &s, T0), 0);
    ck_assert_int_eq(count(ATTEMPT_AUTHENTICATOR, &s, T0), 0);
    ck_assert_int_eq(wrong(7, ATTEMPT_USE_PASSWORD, &s, T0), 7);
    /* A passkey that was right clears nothing of the password's. */
    struct attempt_subject known = {.account = SLICE("a"), .device = SLICE("d")};
    ck_assert_int_eq(begin(ATTEMPT_USE_PASSKEY, &known, T0, &b), ATTEMPT_MAY);
    right(&b);
    ck_assert_int_eq(count(ATTEMPT_PASSWORD, &s, T0), 7);
    ck_assert_int_eq(count(ATTEMPT_IN_A_ROW, &s, T0), 7);
}
END_TEST

START_TEST(a_right_answer_resets_its_own_past_alone)
{
    struct attempt_subject s = {
        .account = SLICE("a"), .authenticator = SLICE("t"), .address = SLICE("203.0.113.9"), .device = SLICE("d")};
    struct attempt_begun good, late, b;
    ck_assert_int_eq(wrong(9, ATTEMPT_USE_CODE, &s, T0), 9);
    ck_assert_int_eq(begin(ATTEMPT_USE_CODE, &s, T0, &good), ATTEMPT_MAY);
    ck_assert_int_eq(begin(ATTEMPT_USE_CODE, &s, T0, &late), ATTEMPT_MAY); /* came in beside it, and is wrong */
    right(&good);
    ck_assert_int_eq(count(ATTEMPT_AUTHENTICATOR, &s, T0), 1);
    ck_assert_int_eq(count(ATTEMPT_ACCOUNT, &s, T0), 10); /* a day's counts lose the right one alone */
    right(&good);                                         /* twice: never below nothing */
    right(&good);
    ck_assert_int_eq(count(ATTEMPT_AUTHENTICATOR, &s, T0), 0);
    /* What was counted in a window that is over is not taken from the next one. */
    ck_assert_int_eq(begin(ATTEMPT_USE_CODE, &s, T0 + 30 * HOUR, &b), ATTEMPT_MAY);
    right(&good);
    ck_assert_int_eq(count(ATTEMPT_ACCOUNT, &s, T0 + 30 * HOUR), 1);
}
END_TEST

START_TEST(an_own_account_does_not_clear_an_address)
{
    struct attempt_subject victim = {.account = SLICE("v"), .address = SLICE("203.0.113.9")};
    struct attempt_subject own = {.account = SLICE("mine"), .address = SLICE("203.0.113.9")};
    struct attempt_begun b;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(wrong(1, ATTEMPT_USE_PASSWORD, &victim, T0), 1);
        ck_assert_int_eq(begin(ATTEMPT_USE_PASSWORD, &own, T0, &b), ATTEMPT_MAY);
        right(&b);
    }
    ck_assert_int_eq(count(ATTEMPT_ADDRESS, &victim, T0), 20);
    ck_assert_int_eq(wrong(1, ATTEMPT_USE_PASSWORD, &victim, T0), 0);
}
END_TEST

START_TEST(networks)
{
    static const struct {
        const char *address, *network;
    } cases[] = {{"192.0.2.77", "192.0.2.0/24"},
                 {"::ffff:192.0.2.77", "192.0.2.0/24"},
                 {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
                 {"2001:DB8:1:2::9", "2001:db8:1:2::/64"},
                 {"::1", "::/64"}};
    static const char *const bad[] = {"",
                                      "x",
                                      "192.0.2",
                                      "192.0.2.256",
                                      "2001:db8::1::2",
                                      "192.0.2.1 ",
                                      "0123456789012345678901234567890123456789012345678901234567890123456789"};
    char net[ATTEMPT_NETWORK_BYTES] = "kept";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_ok(attempt_network(slice_str(cases[i].address), net));
        ck_assert_str_eq(net, cases[i].network);
    }
    (void)snprintf(net, sizeof net, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_err(attempt_network(slice_str(bad[i]), net), KEER_EFORMAT);
    ck_assert_str_eq(net, "kept");
    /* Addresses of one /64 share the network's limit. */
    struct attempt_begun b;
    int taken = 0;
    for (unsigned i = 0; i < 600; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "2001:db8:7:7::%x", i + 1);
        struct attempt_subject s = {.address = slice_str(text)};
        taken += begin(ATTEMPT_USE_PROBE, &s, T0, &b) == ATTEMPT_MAY;
    }
    ck_assert_int_eq(taken, attempt_row(ATTEMPT_NETWORK)->max);
}
END_TEST

START_TEST(counts_outlive_a_restart)
{
    struct attempt_subject s = {.account = SLICE("a"), .challenge = SLICE("c")};
    ck_assert_int_eq(wrong(3, ATTEMPT_USE_CODE, &s, T0), 3);
    db_close(db);
    open_it();
    ck_assert_int_eq(wrong(9, ATTEMPT_USE_CODE, &s, T0), 2);
    /* Not committed is not counted, and then nothing was looked at either. */
    struct attempt_subject other = {.account = SLICE("b"), .challenge = SLICE("d")};
    struct attempt_begun b;
    ck_ok(db_begin(db));
    ck_ok(attempt_begin(db, ATTEMPT_USE_CODE, &other, T0, &b));
    db_rollback(db);
    ck_assert_int_eq(count(ATTEMPT_CHALLENGE, &other, T0), 0);
}
END_TEST

START_TEST(what_is_over_is_forgotten)
{
    struct attempt_subject s = {.account = SLICE("a"), .authenticator = SLICE("t"), .device = SLICE("d")};
    int64_t n = -1;
    ck_assert_int_eq(wrong(3, ATTEMPT_USE_CODE, &s, T0), 3);
    ck_ok(attempts_forget(db, T0 + HOUR, 100, &n));
    ck_assert_int_eq(n, 0);
    ck_ok(attempts_forget(db, T0 + 25 * HOUR, 100, &n));
    ck_assert_int_eq(n, 1); /* the day's; the row in a row stays */
    ck_assert_int_eq(count(ATTEMPT_AUTHENTICATOR, &s, T0 + 25 * HOUR), 3);
}
END_TEST

START_TEST(every_call_may_fail)
{
    struct attempt_subject s = {
        .account = SLICE("a"), .authenticator = SLICE("t"), .challenge = SLICE("c"), .address = SLICE("192.0.2.1")};
    for (uint64_t n = 1, hit = 1; hit; n++) {
        struct attempt_begun b = {.verdict = ATTEMPT_USED_UP, .retry_us = 77};
        ck_ok(db_begin(db));
        db_fail_arm(n, false);
        enum keer_err err = attempt_begin(db, ATTEMPT_USE_CODE, &s, T0, &b);
        if (err == KEER_OK)
            err = attempt_ok(db, &b.attempt);
        hit = db_fail_hit();
        db_fail_arm(0, false);
        ck_assert_int_eq(err == KEER_OK, !hit);
        if (hit)
            ck_assert(err == KEER_EIO);
        db_rollback(db);
    }
    ck_assert_int_eq(count(ATTEMPT_CHALLENGE, &s, T0), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("attempts");
    TCase *c = tcase_create("attempts");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, every_limit_holds, 0, ATTEMPT_LIMIT_MAX);
    tcase_add_test(c, what_is_refused_counts_nowhere);
    tcase_add_test(c, strangers_do_not_lock_a_device_out);
    tcase_add_test(c, passkeys_and_passwords_do_not_meet);
    tcase_add_test(c, a_right_answer_resets_its_own_past_alone);
    tcase_add_test(c, an_own_account_does_not_clear_an_address);
    tcase_add_test(c, networks);
    tcase_add_test(c, counts_outlive_a_restart);
    tcase_add_test(c, what_is_over_is_forgotten);
    tcase_add_test(c, every_call_may_fail);
    suite_add_tcase(s, c);
    return test_main(s);
}
