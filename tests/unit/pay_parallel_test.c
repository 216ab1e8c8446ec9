/* pay_parallel_test.c - many at once over a real decider and desk: one id, one balance, one refund, one cap: what may happen once
 * happens once. KEER_ROUNDS says how often each is tried (`make pay-parallel`). */
#include <stdatomic.h>

#include "flow/balance.h"
#include "lib/decider_kit.h"
#include "lib/pay_kit.h"

#define POLICY "rule banned deny if purchase and item = 'banned'\n"
#define JOBS_MAX 200

static struct world world;
static struct desk *desk;
static int rounds;

struct doing {
    struct desk_job job;
    void (*body)(struct desk_worker *w, struct doing *d);
    char key[40];
    atomic_bool ended;
    enum keer_err err;
    int state;
    struct id id;
};
static struct doing doing[JOBS_MAX];

static void run_doing(struct desk_job *j, struct desk_worker *w)
{
    struct doing *d = j->ctx;
    d->body(w, d);
    atomic_store(&d->ended, true);
}

/* All of them at the desk at once, until the last has ended. */
static void at_once(unsigned n, void (*body)(struct desk_worker *w, struct doing *d), const char *key, bool one_key)
{
    for (unsigned i = 0; i < n; i++) {
        doing[i] = (struct doing){.job = {.run = run_doing, .ctx = &doing[i]}, .body = body};
        (void)snprintf(doing[i].key, sizeof doing[i].key, one_key ? "%s" : "%s-%u", key, i);
    }
    for (unsigned i = 0; i < n; i++)
        ck_assert(desk_take(desk, &doing[i].job));
    for (unsigned i = 0; i < n; i++)
        while (!atomic_load(&doing[i].ended))
            (void)usleep(100);
}

/* `run` of the kits, which know one database. */
static enum keer_err with_db(struct db *given, void *ctx)
{
    void (*run)(void) = *(void (**)(void))ctx;
    db = given;
    run();
    db = NULL;
    return KEER_OK;
}
static void write_body(struct desk_worker *w, struct doing *d)
{
    void (*run)(void);
    memcpy(&run, d->key, sizeof run);
    d->err = desk_write(w, with_db, &run);
}
static void on_writer(void (*run)(void))
{
    doing[0] = (struct doing){.job = {.run = run_doing, .ctx = &doing[0]}, .body = write_body};
    memcpy(doing[0].key, &run, sizeof run);
    ck_assert(desk_take(desk, &doing[0].job));
    while (!atomic_load(&doing[0].ended))
        (void)usleep(100);
    ck_ok(doing[0].err);
}

static void seed(void)
{
    pay_begin();
    ck_ok(db_exec(db, "UPDATE agreement SET unverified_limit = 100000, cap_count = 1000000, cap_charge = 20000,"
                      " cap_day = 1000000000, cap_month = 1000000000"));
    kit_lift_ceilings();
}

static void setup(void)
{
    struct db_why why;
    const char *text = getenv("KEER_ROUNDS");
    rounds = text ? (int)strtol(text, NULL, 10) : 3;
    world_make(&world, POLICY);
    world.o.queue_max = 1024;
    world_open(&world);
    struct desk_options o = {.decider = world.d,
                             .database = world.database,
                             .threads = 16,
                             .queue_max = JOBS_MAX,
                             .now_us = world_clock,
                             .wall_us = world_clock};
    ck_ok(desk_new(&o, &desk, &why));
    ck_ok(desk_start(desk));
    on_writer(seed);
}
static void verify(void) { kit_books_good(); }
static void teardown(void)
{
    on_writer(verify);
    desk_free(desk);
    world_end(&world);
    wallets_free(pk.wallets.list);
}
/* The fake has few rows, and a step was done. */
static void fresh_round(void)
{
    pk.fake.charges_count = pk.fake.refunds_count = 0;
    memset(pk.fake.calls, 0, sizeof pk.fake.calls);
    ck_ok(db_exec(db, "UPDATE agreement SET unverified_used = 0"));
}
static unsigned count(int state, unsigned n)
{
    unsigned k = 0;
    for (unsigned i = 0; i < n; i++) {
        ck_ok(doing[i].err);
        k += doing[i].state == state;
    }
    return k;
}

/* --- one id --- */

static enum charge_kind kind;
static void charge_body(struct desk_worker *w, struct doing *d)
{
    struct pay_ask ask = pay_order(d->key, &pk.link, 10000);
    struct pay_answer a;
    ask.kind = kind;
    d->err = pay_charge(&pk.pay, w, &ask, &a);
    d->state = (int)a.charge.state;
    d->id = a.charge.id;
    pay_answer_release(&a);
}

START_TEST(one_id_is_one_call_of_the_wallet)
{
    kind = CHARGE_PURCHASE;
    for (int r = 0; r < rounds; r++) {
        char key[32];
        (void)snprintf(key, sizeof key, "one-%d", r);
        on_writer(fresh_round);
        at_once(64, charge_body, key, /* one_key */ true);
        for (unsigned i = 1; i < 64; i++)
            ck_assert(id_eq(&doing[i].id, &doing[0].id));
        ck_assert_uint_eq(count(CHARGE_PAID, 64) + count(CHARGE_SUBMITTED, 64), 64);
        ck_assert_uint_ge(count(CHARGE_PAID, 64), 1);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
    }
}
END_TEST

/* --- one balance, one refund, one cap --- */

static void spend_body(struct desk_worker *w, struct doing *d)
{
    struct spending s;
    struct spending_ask ask = {.client = SLICE("store"),
                               .key = slice_str(d->key),
                               .account = pk.anna,
                               .amount_minor = 10000,
                               .currency = CUR_CNY,
                               .payee = SLICE("Game")};
    d->err = spend_balance(&pk.pay, w, &ask, &s);
    d->state = (int)s.spend.state;
    d->id = s.challenge.id;
    buf_release(&s.decision);
}

static struct id asked[200];
static void answer_all(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(asked); i++)
        pay_answer_step(&asked[i], world_clock());
}

START_TEST(one_balance_is_spent_once)
{
    for (int r = 0; r < rounds; r++) {
        char key[32];
        (void)snprintf(key, sizeof key, "top-%d", r);
        on_writer(fresh_round);
        kind = CHARGE_TOP_UP;
        pk.pay.terms.hold_us = 0;
        at_once(1, charge_body, key, true);
        ck_assert_uint_eq(count(CHARGE_PAID, 1), 1);
        (void)snprintf(key, sizeof key, "spend-%d", r);
        at_once(200, spend_body, key, false);
        ck_assert_uint_eq(count(SPEND_NEEDS_STEP, 200), 200);
        for (unsigned i = 0; i < ARRAY_LEN(asked); i++)
            asked[i] = doing[i].id;
        on_writer(answer_all);
        at_once(200, spend_body, key, false);
        ck_assert_uint_eq(count(SPEND_DONE, 200), 1);
        ck_assert_uint_eq(count(SPEND_REFUSED, 200), 199);
    }
}
END_TEST

static struct id given;
static void refund_body(struct desk_worker *w, struct doing *d)
{
    struct give_case c;
    struct give_ask ask = {.client = SLICE("store"),
                           .key = slice_str(d->key),
                           .charge = given,
                           .amount_minor = 6000, /* of 10000: once */
                           .currency = CUR_CNY};
    d->err = give_back(&pk.pay, w, &ask, &c);
    d->state = (int)c.refund.state;
}

START_TEST(one_charge_goes_back_once)
{
    kind = CHARGE_PURCHASE;
    for (int r = 0; r < rounds; r++) {
        char key[32];
        (void)snprintf(key, sizeof key, "back-%d", r);
        on_writer(fresh_round);
        at_once(1, charge_body, key, true);
        ck_assert_uint_eq(count(CHARGE_PAID, 1), 1);
        given = doing[0].id;
        (void)snprintf(key, sizeof key, "refund-%d", r);
        at_once(200, refund_body, key, false);
        ck_assert_uint_eq(count(REFUND_PAID, 200), 1);
        ck_assert_uint_eq(count(REFUND_REFUSED, 200), 199);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_REFUND), 1);
    }
}
END_TEST

/* Room for one more of the day's cap, and of the unverified sum. */
static const char *narrow_sql;
static void narrow(void)
{
    fresh_round();
    ck_ok(db_exec(db, "UPDATE agreement SET cap_day = 1000000000, unverified_limit = 100000"));
    ck_ok(db_exec(db, narrow_sql));
}

START_TEST(one_cap_lets_one_pass)
{
    static const char *const sqls[] = {"UPDATE agreement SET cap_day = 15000 + (SELECT CAST(COALESCE(SUM(amount), 0) AS "
                                       "BIGINT) FROM charge WHERE state IN (2, 3, 4))",
                                       "UPDATE agreement SET unverified_limit = 15000"};
    kind = CHARGE_PURCHASE;
    for (int r = 0; r < 2 * rounds; r++) {
        char key[32];
        if (r && r % 100 == 0) { /* another world: every look at a cap adds up the day's charges, 100 more in each round */
            teardown();
            setup();
        }
        (void)snprintf(key, sizeof key, "cap-%d", r);
        narrow_sql = sqls[r % 2];
        on_writer(narrow);
        at_once(100, charge_body, key, false);
        /* Where the machine stalled for PAY_SEND_US, what has passed is the timer's to ask for, and was not sent. */
        unsigned passed = count(CHARGE_PAID, 100) + count(CHARGE_SUBMITTED, 100);
        ck_assert_msg(passed == 1, "round %d: %u paid, %u need a step, %u refused, %u under way", r, count(CHARGE_PAID, 100),
                      count(CHARGE_NEEDS_STEP, 100), count(CHARGE_REFUSED, 100),
                      count(CHARGE_SUBMITTED, 100) + count(CHARGE_UNKNOWN, 100));
        ck_assert_uint_eq(count(r % 2 ? CHARGE_NEEDS_STEP : CHARGE_REFUSED, 100), 99);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), count(CHARGE_PAID, 100));
    }
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test)
{
    TCase *t = tcase_create(name); /* CK_RUN_CASE=caps for one alone */
    tcase_set_timeout(t, 3600);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("pay_parallel");
    add(s, "ids", one_id_is_one_call_of_the_wallet);
    add(s, "balances", one_balance_is_spent_once);
    add(s, "refunds", one_charge_goes_back_once);
    add(s, "caps", one_cap_lets_one_pass);
    return test_main(s);
}
