/* settle_test.c - the timer that asks for what is not settled, with helpers and without, over a real desk: no row twice at a time,
 * never more calls at once than it may make, one while the breaker is half open, none while it is open.
 */
#include <stdatomic.h>

#include "flow/settle.h"
#include "lib/decider_kit.h"
#include "lib/pay_kit.h"
#include "wallet/inside.h"

#define POLICY "rule banned deny if purchase and item = 'banned'\n"
#define ROWS 48
#define CALL_US 20000

static struct world world;
static struct desk *desk, *helpers;
static struct settle settle;

/* The wallet's query: slow, and it sees who asks beside whom. */
static struct watched {
    pthread_mutex_t lock;
    char busy[64][WALLET_NUMBER_BYTES + 1];
    unsigned now, most, calls, twice;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct wallet_driver slow;
static enum wallet_answer away = WALLET_YES; /* else what every query ends with */

static enum wallet_answer slow_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                     struct wallet_why *why)
{
    struct wallet_request rq = {.method = "GET"};
    struct wallet_response response;
    wallet_response_init(&response);
    enum wallet_sent sent = io->send(io->ctx, &rq, &response); /* the breaker stands there */
    wallet_response_release(&response);
    if (sent != WALLET_ANSWERED)
        return WALLET_NOT_SENT;
    unsigned at = 0;
    (void)pthread_mutex_lock(&seen.lock);
    seen.calls++;
    seen.now++;
    seen.most = MAX_OF(seen.most, seen.now);
    for (unsigned i = 0; i < ARRAY_LEN(seen.busy); i++) {
        seen.twice += strcmp(seen.busy[i], number) == 0;
        if (!seen.busy[i][0])
            at = i;
    }
    (void)snprintf(seen.busy[at], sizeof seen.busy[at], "%s", number);
    (void)pthread_mutex_unlock(&seen.lock);
    (void)usleep(CALL_US);
    (void)pthread_mutex_lock(&seen.lock);
    seen.now--;
    seen.busy[at][0] = '\0';
    (void)pthread_mutex_unlock(&seen.lock);
    if (away != WALLET_YES) {
        *why = (struct wallet_why){.reason = WALLET_TIMED_OUT};
        return away;
    }
    return wallet_fake_driver.charge_query(self, io, number, ret, why);
}
static enum wallet_sent always(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    UNUSED(ctx);
    UNUSED(rq);
    ret->status = 200;
    return WALLET_ANSWERED;
}
static int64_t clock_of(void *ctx)
{
    UNUSED(ctx);
    return world_clock();
}

/* --- jobs --- */

struct doing {
    struct desk_job job;
    void (*body)(struct desk_worker *w, struct doing *d);
    unsigned i;
    atomic_bool ended;
};
static struct doing doing[ROWS];
static void run_doing(struct desk_job *j, struct desk_worker *w)
{
    struct doing *d = j->ctx;
    d->body(w, d);
    atomic_store(&d->ended, true);
}
static void at_once(unsigned n, void (*body)(struct desk_worker *w, struct doing *d))
{
    for (unsigned i = 0; i < n; i++)
        doing[i] = (struct doing){.job = {.run = run_doing, .ctx = &doing[i]}, .body = body, .i = i};
    for (unsigned i = 0; i < n; i++)
        ck_assert(desk_take(desk, &doing[i].job));
    for (unsigned i = 0; i < n; i++)
        while (!atomic_load(&doing[i].ended))
            (void)usleep(100);
}

static enum keer_err on_db(struct db *given, void *ctx)
{
    void (*run)(void) = *(void (**)(void))ctx;
    db = given;
    run();
    db = NULL;
    return KEER_OK;
}
static void (*to_write)(void);
static void write_body(struct desk_worker *w, struct doing *d)
{
    UNUSED(d);
    ck_ok(desk_write(w, on_db, &to_write));
}
static void on_writer(void (*run)(void))
{
    to_write = run;
    at_once(1, write_body);
}
static void charge_body(struct desk_worker *w, struct doing *d)
{
    char key[32];
    struct pay_answer a;
    (void)snprintf(key, sizeof key, "c-%u", d->i);
    struct pay_ask ask = pay_order(key, &pk.link, 100);
    ck_ok(pay_charge(&pk.pay, w, &ask, &a));
    ck_assert_int_eq(a.charge.state, CHARGE_UNKNOWN);
    pay_answer_release(&a);
}
static void tick_body(struct desk_worker *w, struct doing *d)
{
    UNUSED(d);
    settle_tick(w, &settle);
}
static void tick(void)
{
    seen.most = seen.calls = seen.twice = 0;
    at_once(1, tick_body);
    ck_assert_uint_eq(seen.twice, 0);
}

/* --- rows --- */

static int64_t number;
static const char *sql;
static void count_rows(void) { ck_ok(db_number(db, sql, &number)); }
static int64_t rows(const char *where)
{
    static char text[200];
    (void)snprintf(text, sizeof text, "SELECT COUNT(*) FROM charge WHERE %s", where);
    sql = text;
    on_writer(count_rows);
    return number;
}
static void make_due(void) { ck_ok(db_exec(db, "UPDATE charge SET ask_us = 1 WHERE state = 3")); }
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
    world_make(&world, POLICY);
    world.o.queue_max = 1024;
    world_open(&world);
    struct desk_options o = {.decider = world.d,
                             .database = world.database,
                             .threads = 8,
                             .queue_max = ROWS,
                             .now_us = world_clock,
                             .wall_us = world_clock};
    ck_ok(desk_new(&o, &desk, &why));
    ck_ok(desk_start(desk));
    o.only_writes = true;
    o.threads = o.queue_max = 7;
    ck_ok(desk_new(&o, &helpers, &why));
    ck_ok(desk_start(helpers));
    on_writer(seed);
    struct wallet *w = wallets_find(pk.wallets.list, SLICE("alipay"));
    slow = wallet_fake_driver;
    slow.charge_query = slow_query;
    w->driver = &slow;
    pk.wallets.calls = (struct wallet_calls){.send = always, .wall_us = clock_of};
    settle = (struct settle){.p = &pk.pay, .wallet = w, .helpers = helpers, .helpers_max = 7};
    away = WALLET_YES;
    for (unsigned i = 0; i < ROWS; i++)
        fake_next(&pk.fake, FAKE_CHARGE, (struct fake_end){.answer = WALLET_UNKNOWN, .effect = true});
    at_once(ROWS, charge_body);
    on_writer(make_due);
    ck_assert_int_eq(rows("state = 3 AND asked = 0"), ROWS);
}
static void verify(void) { kit_books_good(); }
static void teardown(void)
{
    on_writer(verify);
    desk_free(desk);
    desk_free(helpers);
    world_end(&world);
    wallets_free(pk.wallets.list);
}

/* A turn ends when it took its time, which on a machine that stands still is sooner. */
static void ticks(int64_t paid)
{
    for (unsigned i = 0; i < 20 && rows("state = 4") < paid; i++)
        tick();
}

START_TEST(eight_at_once)
{
    ticks(ROWS);
    ck_assert_int_eq(rows("state = 4"), ROWS);
    ck_assert_uint_eq(seen.calls, ROWS);
    ck_assert_msg(seen.most > 2 && seen.most <= 8, "%u at once", seen.most);
}
END_TEST

START_TEST(two_at_once)
{
    settle.helpers_max = 1;
    tick();
    ck_assert_msg(seen.most == 2, "%u at once", seen.most);
}
END_TEST

START_TEST(alone)
{
    settle.helpers = NULL;
    tick();
    ck_assert_uint_eq(seen.most, 1);
    ck_assert(seen.calls > 1 && seen.calls == (unsigned)rows("state = 4"));
}
END_TEST

START_TEST(a_desk_that_stops)
{
    desk_stop(helpers); /* nobody helps, and nobody is waited for */
    tick();
    ck_assert_uint_eq(seen.most, 1);
    ck_assert_uint_eq(seen.calls, (unsigned)rows("state = 4"));
}
END_TEST

START_TEST(an_open_breaker)
{
    settle.wallet->breaker.state = BREAKER_OPEN;
    settle.wallet->breaker.opened_us = world_clock();
    settle.wallet->breaker_us = 60 * US_SECOND;
    tick();
    ck_assert_uint_eq(seen.calls, 0);
    ck_assert_int_eq(rows("state = 3 AND asked = 0 AND ask_us = 1"), ROWS); /* nothing was put off for it */
    away = WALLET_UNKNOWN;
    settle.wallet->breaker_us = 10 * US_SECOND;
    settle.wallet->breaker.opened_us = world_clock() - 11 * US_SECOND;
    tick(); /* one, to see whether the wallet is back: it is not */
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_int_eq(rows("asked = 1"), 1);
    ck_assert_int_eq(rows("asked = 0 AND ask_us = 1"), ROWS - 1);
    ck_assert_int_eq(settle.wallet->breaker.state, BREAKER_OPEN);
    away = WALLET_YES;
    settle.wallet->breaker.opened_us = world_clock() - 11 * US_SECOND;
    ticks(ROWS - 1); /* one; and then it is closed, and the others follow */
    ck_assert_int_eq(settle.wallet->breaker.state, BREAKER_CLOSED);
    ck_assert_int_eq(rows("state = 4"), ROWS - 1);
    ck_assert_msg(seen.most > 2 && seen.calls == ROWS - 1, "%u at once, %u", seen.most, seen.calls);
}
END_TEST

/* It opens while a turn is under way: who is at a row ends it, and begins no other. */
START_TEST(a_breaker_that_opens)
{
    settle.wallet->breaker_failures = 3;
    settle.wallet->breaker_us = 60 * US_SECOND;
    away = WALLET_UNKNOWN;
    tick();
    ck_assert_msg(seen.calls >= 3 && seen.calls <= 10, "%u calls", seen.calls);
    /* Each of the seven others may have put a row off just before, and was not let through. */
    int64_t left = rows("asked = 0 AND ask_us = 1"), most = ROWS - (int64_t)seen.calls;
    ck_assert_msg(left <= most && left >= most - 7, "%lld rows left of %lld", (long long)left, (long long)most);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("settle");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, eight_at_once);
    tcase_add_test(t, two_at_once);
    tcase_add_test(t, alone);
    tcase_add_test(t, a_desk_that_stops);
    tcase_add_test(t, an_open_breaker);
    tcase_add_test(t, a_breaker_that_opens);
    suite_add_tcase(s, t);
    return test_main(s);
}
