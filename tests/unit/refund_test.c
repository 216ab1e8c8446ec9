/* refund_test.c - refunds and balances: never more than was captured, one number for ever, top-ups that are held, drained, given
 * back; refunds that the wallet makes by itself. */
#include "flow/balance.h"
#include "lib/pay_kit.h"
#include "lib/test.h"

/* A charge of the fake's, paid, with a step of its own or not. */
static struct charge paid(const char *key, enum charge_kind kind, int64_t amount_minor, bool stepped)
{
    struct pay_case c;
    struct id link = pay_agreement(&pk.anna, 100000);
    struct pay_ask ask = pay_order(key, &link, amount_minor);
    ask.kind = kind;
    ck_ok(pay_way(&ask, stepped ? KEER_CHALLENGE : KEER_ALLOW, &c));
    if (stepped) {
        pay_answer_step(&c.challenge.id, pk.now_us);
        ck_ok(pay_way(&ask, KEER_CHALLENGE, &c));
    }
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    return c.charge;
}
static struct give_ask wanted(const char *key, const struct charge *c, int64_t amount_minor)
{
    return (struct give_ask){.client = SLICE("store"),
                             .key = slice_str(key),
                             .reason = SLICE("broken"),
                             .charge = c->id,
                             .amount_minor = amount_minor,
                             .currency = amount_minor ? c->currency : CUR_MAX};
}
/* As give_back does. */
static enum keer_err give(const struct give_ask *ask, struct give_case *ret)
{
    *ret = (struct give_case){.p = &pk.pay, .ask = ask, .now_us = pk.now_us};
    enum keer_err err = pay_step(give_add, ret);
    if (err != KEER_OK || !ret->fresh || ret->refund.state != REFUND_SUBMITTED)
        return err;
    give_call(&pk.pay, ret, false);
    return pay_step(give_settle, ret);
}
static struct refund until_settled(const struct id *refund)
{
    struct refund r;
    ck_ok(refund_read(db, refund, &r));
    for (int i = 0; i < 40 && (r.state == REFUND_SUBMITTED || r.state == REFUND_UNKNOWN); i++) {
        struct give_case c = {.p = &pk.pay, .id = *refund, .now_us = pk.now_us = MAX_OF(pk.now_us, r.ask_us)};
        ck_ok(pay_step(give_turn, &c));
        give_query(&pk.pay, &c);
        ck_ok(pay_step(give_settle, &c));
        if (c.settled == CHARGE_IS_ABSENT) {
            give_call(&pk.pay, &c, true);
            ck_ok(pay_step(give_settle, &c));
        }
        ck_ok(refund_read(db, refund, &r));
    }
    return r;
}
static struct charge now(const struct charge *c)
{
    struct charge ret;
    ck_ok(charge_read(db, &c->id, &ret));
    return ret;
}
static const struct fake_end lost_after = {.answer = WALLET_UNKNOWN, .effect = true},
                             lost_before = {.answer = WALLET_UNKNOWN};

START_TEST(parts_and_never_more)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct give_case g;
    static const struct {
        int64_t amount;
        enum refund_state state;
        int64_t refunded;
    } rows[] = {{10001, REFUND_REFUSED, 0}, {3000, REFUND_PAID, 3000}, {7001, REFUND_REFUSED, 3000},
                {6999, REFUND_PAID, 9999},  {2, REFUND_REFUSED, 9999}, {0, REFUND_PAID, 10000},
                {1, REFUND_REFUSED, 10000}, {0, REFUND_REFUSED, 10000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "r-%zu", i);
        struct give_ask ask = wanted(key, &c, rows[i].amount);
        for (int twice = 0; twice < 2; twice++) {
            ck_ok(give(&ask, &g));
            ck_assert_int_eq(g.refund.state, rows[i].state);
            ck_assert_int_eq(now(&c).refunded_minor, rows[i].refunded);
            ck_assert_int_eq(now(&c).refunding_minor, 0);
        }
        ck_assert_int_eq(10000 - kit_worth(BOOKS_SALES, &pk.anna, CUR_CNY), rows[i].refunded);
        ck_assert_int_eq(10000 - fake_taken_minor(&pk.fake), rows[i].refunded);
    }
    struct give_ask ask = wanted("r-1", &c, 2999);
    ck_err(give(&ask, &g), KEER_ECONFLICT);
    ask = wanted("x", &c, 1);
    ask.client = SLICE("other");
    ck_err(give(&ask, &g), KEER_EMISSING);
    ask = wanted("y", &c, 1);
    ask.currency = CUR_USD;
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_REFUSED && charge_why_find(g.refund.why) == CHARGE_WHY_OTHER_CURRENCY);
    ask = wanted("z", &c, -1);
    ck_err(give(&ask, &g), KEER_EINVALID);
    struct pay_ask open = pay_order("o-2", &pk.link, 100);
    struct pay_case p;
    ck_ok(pay_way(&open, KEER_ALLOW, &p));
    ask = wanted("r-open", &p.charge, 1);
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_REFUSED && charge_why_find(g.refund.why) == CHARGE_WHY_NOT_PAID);
}
END_TEST

START_TEST(what_is_unknown_is_asked_and_sent_again)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct give_case g;
    struct give_ask ask = wanted("r-1", &c, 4000);
    fake_next(&pk.fake, FAKE_REFUND, lost_after);
    ck_ok(give(&ask, &g));
    ck_assert_int_eq(g.refund.state, REFUND_UNKNOWN);
    ck_assert_int_eq(now(&c).refunding_minor, 4000);
    struct give_ask more = wanted("r-2", &c, 6001); /* what is on its way counts */
    struct give_case h;
    ck_ok(give(&more, &h));
    ck_assert_int_eq(h.refund.state, REFUND_REFUSED);
    ck_assert_int_eq(until_settled(&g.id).state, REFUND_PAID);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_REFUND), 1);
    /* never there, twice: the same number, one refund */
    more = wanted("r-3", &c, 6000);
    fake_next(&pk.fake, FAKE_REFUND, lost_before);
    fake_next(&pk.fake, FAKE_REFUND, lost_before);
    ck_ok(give(&more, &h));
    ck_assert_int_eq(until_settled(&h.id).state, REFUND_PAID);
    ck_assert_uint_eq(pk.fake.refunds_count, 2);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 0);
    ck_assert_int_eq(now(&c).refunded_minor, 10000);
}
END_TEST

START_TEST(a_refund_that_fails_gives_its_room_back)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct give_case g;
    struct give_ask ask = wanted("r-1", &c, 10000);
    fake_next(&pk.fake, FAKE_REFUND, (struct fake_end){.answer = WALLET_NO, .reason = WALLET_NOT_POSSIBLE});
    ck_ok(give(&ask, &g));
    ck_assert_int_eq(g.refund.state, REFUND_FAILED);
    ck_assert_int_eq(now(&c).refunding_minor, 0);
    ck_assert_int_eq(kit_sums(BOOKS_SALES, &pk.anna, CUR_CNY).debits_pending, 0);
    ask = wanted("r-2", &c, 10000);
    ck_ok(give(&ask, &g));
    ck_assert_int_eq(g.refund.state, REFUND_PAID);
    /* the wallet made the one that it had refused */
    struct refund first;
    struct refund list[4];
    unsigned n;
    ck_ok(refund_list(db, &c.id, 4, list, &n));
    ck_assert_uint_eq(n, 2);
    first = list[0].state == REFUND_FAILED ? list[0] : list[1];
    struct refund_said said = {.way = CHARGE_BY_QUERY,
                               .answer = WALLET_YES,
                               .refund = {.state = WALLET_REFUND_PAID, .amount_minor = 10000, .currency = CUR_CNY}};
    enum charge_settled settled;
    for (int twice = 0; twice < 2; twice++) {
        ck_ok(refund_settle(db, &kit_terms, &said, pk.now_us, &first, &settled));
        ck_assert_int_eq(first.state, REFUND_FAILED);
        ck_assert(kit_surprised(SURPRISE_LATE_REFUND));
        ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY), -10000);
    }
}
END_TEST

/* --- refunds of the wallet's own --- */

static struct wallet_notice of_refund(const char *id, const char *number, const char *charge, int64_t amount_minor)
{
    struct wallet_notice n = {.kind = WALLET_NOTICE_REFUND,
                              .refund = {.state = WALLET_REFUND_PAID, .amount_minor = amount_minor, .currency = CUR_CNY}};
    (void)snprintf(n.id, sizeof n.id, "%s", id);
    (void)snprintf(n.refund.number, sizeof n.refund.number, "%s", number);
    (void)snprintf(n.refund.charge, sizeof n.refund.charge, "%s", charge);
    return n;
}

START_TEST(two_ways_to_give_back)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct pay_case told;
    struct give_case g;
    struct give_ask ask = wanted("r-1", &c, 4000);
    ck_ok(give(&ask, &g));
    struct wallet_notice n = of_refund("n-1", g.refund.number, c.number, 4000); /* of ours */
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 4000);
    n = of_refund("n-2", "w-1", c.number, 5000); /* the wallet's own */
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 9000);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM refund WHERE by_wallet = 1 AND state = 2"), 1);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE surprise <> ''"), 0);
    n = of_refund("n-3", "w-1", c.number, 5000); /* told again */
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 9000);
    n = of_refund("n-4", "w-2", c.number, 3000); /* 2000 too much */
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 10000);
    ck_assert(kit_surprised(SURPRISE_DOUBLE_REFUND));
    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY), -2000);
    struct ledger_sums clearing = kit_sums(BOOKS_CLEARING, &pk.anna, CUR_CNY);
    ck_assert_int_eq(clearing.debits_posted - clearing.credits_posted, -2000); /* what the wallet says */
    ask = wanted("r-2", &c, 1);
    ck_ok(give(&ask, &g));
    ck_assert_int_eq(g.refund.state, REFUND_REFUSED);
    n = of_refund("n-5", "w-3", "nobody-knows", 100);
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(told.surprise, SURPRISE_UNKNOWN_NUMBER);
    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY), -2100);
}
END_TEST

/* Alipay's notices tell no amount of the refund, but what all of them come to. */
START_TEST(a_notice_without_an_amount)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct give_case g;
    struct pay_case told;
    struct give_ask ask = wanted("r-1", &c, 4000);
    fake_next(&pk.fake, FAKE_REFUND, lost_after);
    ck_ok(give(&ask, &g));
    struct wallet_notice n = of_refund("n-1", g.refund.number, c.number, 0);
    n.charge = (struct wallet_charge){.state = WALLET_CHARGE_PAID, .currency = CUR_CNY, .refunded_minor = 4000};
    (void)snprintf(n.charge.number, sizeof n.charge.number, "%s", c.number);
    ck_ok(pay_told(&n, &told));
    ck_ok(refund_read(db, &g.id, &g.refund));
    ck_assert_int_eq(g.refund.state, REFUND_PAID);
    (void)snprintf(n.id, sizeof n.id, "n-2");
    (void)snprintf(n.refund.number, sizeof n.refund.number, "w-1");
    n.charge.refunded_minor = 7000;
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 7000);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE surprise <> ''"), 0);
}
END_TEST

/* A query tells the sum before the notice tells the number: one refund. */
START_TEST(a_sum_and_then_its_number)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 10000, false);
    struct charge_said said = kit_said(&c, CHARGE_BY_QUERY, WALLET_CHARGE_PAID);
    struct pay_case told;
    said.charge.refunded_minor = 3000;
    (void)kit_settle(&c, &said, pk.now_us);
    (void)kit_settle(&c, &said, pk.now_us);
    ck_assert_int_eq(c.refunded_minor, 3000);
    struct wallet_notice n = of_refund("n-1", "w-1", c.number, 3000);
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(now(&c).refunded_minor, 3000);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM refund"), 1);
}
END_TEST

/* --- balances --- */

static int64_t available(void) { return kit_worth(BOOKS_BALANCE, &pk.anna, CUR_CNY); }
static int64_t held(void) { return kit_worth(BOOKS_HELD, &pk.anna, CUR_CNY); }
static void release(int64_t now_us)
{
    unsigned n;
    ck_ok(balance_release_due(db, now_us, 10, &n));
}
static enum keer_err spend(const char *key, int64_t amount_minor, enum keer_outcome outcome, struct spending *ret)
{
    static struct spending_ask ask;
    ask = (struct spending_ask){.client = SLICE("store"),
                                .key = slice_str(key),
                                .account = pk.anna,
                                .amount_minor = amount_minor,
                                .currency = CUR_CNY,
                                .payee = SLICE("Game")};
    *ret = (struct spending){.p = &pk.pay, .ask = &ask, .now_us = pk.now_us, .outcome = outcome};
    enum keer_err err = pay_step(spending_add, ret);
    return err == KEER_OK ? pay_step(spending_gate, ret) : err;
}
/* The same, and the step that it wants is done. */
static enum keer_err spend_with_step(const char *key, int64_t amount_minor, enum keer_outcome outcome, struct spending *ret)
{
    enum keer_err err = spend(key, amount_minor, outcome, ret);
    bool fresh = ret->fresh;
    if (err != KEER_OK || ret->spend.state != SPEND_NEEDS_STEP)
        return err;
    pay_answer_step(&ret->challenge.id, pk.now_us);
    err = spend(key, amount_minor, outcome, ret);
    ret->fresh = fresh;
    return err;
}

START_TEST(a_top_up_is_held_and_then_spent_once)
{
    struct spending s;
    (void)paid("o-1", CHARGE_TOP_UP, 10000, false);
    ck_assert(held() == 10000 && available() == 0);
    ck_ok(spend("s-0", 1, KEER_ALLOW, &s)); /* rapid drain */
    ck_assert(s.spend.state == SPEND_REFUSED && charge_why_find(s.spend.why) == CHARGE_WHY_NOT_ENOUGH);
    release(pk.now_us + CHARGE_HOLD_US - 1);
    ck_assert_int_eq(available(), 0);
    release(pk.now_us + CHARGE_HOLD_US);
    release(pk.now_us + CHARGE_HOLD_US);
    ck_assert(held() == 0 && available() == 10000);
    (void)paid("o-2", CHARGE_TOP_UP, 5000, true); /* with a step of its own */
    ck_assert(held() == 0 && available() == 15000);
    for (int twice = 0; twice < 2; twice++) {
        ck_ok(spend_with_step("s-1", 14000, KEER_ALLOW, &s));
        ck_assert(s.spend.state == SPEND_DONE && s.fresh == (twice == 0));
        ck_assert_int_eq(available(), 1000);
    }
    ck_err(spend("s-1", 14001, KEER_ALLOW, &s), KEER_ECONFLICT);
    ck_ok(spend("s-2", 1001, KEER_ALLOW, &s));
    ck_assert_int_eq(s.spend.state, SPEND_REFUSED);
    ck_ok(spend("s-3", 1000, KEER_DENY, &s));
    ck_assert(s.spend.state == SPEND_REFUSED && charge_why_find(s.spend.why) == CHARGE_WHY_DENIED);
    ck_assert_int_eq(available(), 1000);
    struct balance b[BALANCES_MAX];
    unsigned n;
    ck_ok(balances(db, &pk.anna, b, &n));
    ck_assert(n == 1 && b[0].available_minor == 1000 && b[0].held_minor == 0);
}
END_TEST

START_TEST(a_spend_that_wants_a_step)
{
    struct spending s, again;
    (void)paid("o-1", CHARGE_TOP_UP, 10000, true);
    ck_ok(spend("s-0", 1, KEER_ALLOW, &s)); /* whatever the policy says */
    ck_assert(s.spend.state == SPEND_NEEDS_STEP && available() == 10000);
    ck_ok(spend("s-1", 6000, KEER_CHALLENGE, &s));
    ck_assert_int_eq(s.spend.state, SPEND_NEEDS_STEP);
    ck_ok(spend("s-1", 6000, KEER_CHALLENGE, &again));
    ck_assert(again.spend.state == SPEND_NEEDS_STEP && id_eq(&again.challenge.id, &s.challenge.id));
    pay_answer_step(&s.challenge.id, pk.now_us);
    ck_ok(spend("s-2", 6000, KEER_CHALLENGE, &again)); /* another spend of the same amount */
    ck_assert_int_eq(again.spend.state, SPEND_NEEDS_STEP);
    ck_ok(spend("s-1", 6000, KEER_CHALLENGE, &s));
    ck_assert_int_eq(s.spend.state, SPEND_DONE);
    ck_ok(account_freeze(db, &pk.anna, SLICE("w"), pk.now_us));
    ck_ok(spend("s-3", 1, KEER_ALLOW, &s));
    ck_assert(s.spend.state == SPEND_REFUSED && charge_why_find(s.spend.why) == CHARGE_WHY_HELD);
}
END_TEST

START_TEST(a_top_up_goes_back_while_it_is_there)
{
    struct charge c = paid("o-1", CHARGE_TOP_UP, 10000, false);
    struct spending s;
    struct give_case g;
    struct give_ask ask = wanted("r-1", &c, 3000); /* out of what is held */
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_PAID && held() == 7000);
    /* one that is on its way when the hold ends, and fails: the customer has it again */
    ask = wanted("r-2", &c, 2000);
    fake_next(&pk.fake, FAKE_REFUND, lost_before);
    ck_ok(give(&ask, &g));
    release(pk.now_us + CHARGE_HOLD_US);
    ck_assert(held() == 2000 && available() == 5000);
    struct refund_said said = {.way = CHARGE_BY_QUERY, .answer = WALLET_YES, .refund = {.state = WALLET_REFUND_FAILED}};
    enum charge_settled settled;
    ck_ok(refund_settle(db, &kit_terms, &said, pk.now_us, &g.refund, &settled));
    ck_assert(held() == 0 && available() == 7000);
    ck_ok(spend_with_step("s-1", 4000, KEER_ALLOW, &s));
    ask = wanted("r-3", &c, 3001); /* spent already */
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_REFUSED && charge_why_find(g.refund.why) == CHARGE_WHY_SPENT);
    ck_assert_int_eq(now(&c).refunding_minor, 0);
    ask = wanted("r-4", &c, 3000);
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_PAID && available() == 0);
    /* the wallet gives back what is spent: nobody's balance goes below nothing */
    struct wallet_notice n = of_refund("n-1", "w-1", c.number, 4000);
    struct pay_case told;
    ck_ok(pay_told(&n, &told));
    ck_assert(kit_surprised(SURPRISE_REFUND_SPENT));
    ck_assert(available() == 0 && kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY) == -4000);
    ck_assert_int_eq(now(&c).refunded_minor, 10000);
}
END_TEST

/* A held top-up whose refund fails goes into its hold again. */
START_TEST(a_hold_is_made_whole_again)
{
    struct charge c = paid("o-1", CHARGE_TOP_UP, 10000, false);
    struct give_case g;
    struct give_ask ask = wanted("r-1", &c, 4000);
    fake_next(&pk.fake, FAKE_REFUND, (struct fake_end){.answer = WALLET_NO, .reason = WALLET_NOT_POSSIBLE});
    ck_ok(give(&ask, &g));
    ck_assert(g.refund.state == REFUND_FAILED && held() == 10000);
    ck_assert_int_eq(kit_count("SELECT amount FROM balance_hold"), 10000);
    release(pk.now_us + CHARGE_HOLD_US);
    ck_assert(held() == 0 && available() == 10000);
}
END_TEST

/* --- a database that fails at statement N --- */

START_TEST(a_database_that_fails_anywhere)
{
    struct charge c = paid("o-1", CHARGE_PURCHASE, 60000, true);
    kit_keep();
    for (int lands = 0; lands < 2; lands++) {
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            char key[32];
            (void)snprintf(key, sizeof key, "r-%d-%llu", lands, (unsigned long long)n);
            struct give_ask ask = wanted(key, &c, 1);
            struct give_case g;
            int64_t before = now(&c).refunded_minor;
            pk.fake.refunds_count = 0; /* the fake has few rows: each round begins with none */
            db_fail_arm(n, lands != 0);
            enum keer_err err = give(&ask, &g);
            hit = db_fail_hit();
            db_fail_arm(0, false);
            ck_assert(err == KEER_OK || hit);
            ck_assert(hit || n > 30);
            ck_ok(give(&ask, &g));
            ck_assert_int_eq(until_settled(&g.id).state, REFUND_PAID);
            ck_assert_uint_eq(pk.fake.refunds_count, 1);
            ck_assert_int_eq(now(&c).refunded_minor, before + 1);
            ck_assert_int_eq(now(&c).refunding_minor, 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("refund");
    TCase *t = tcase_create("refund");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, pay_setup, pay_teardown);
    tcase_add_test(t, parts_and_never_more);
    tcase_add_test(t, what_is_unknown_is_asked_and_sent_again);
    tcase_add_test(t, a_refund_that_fails_gives_its_room_back);
    tcase_add_test(t, two_ways_to_give_back);
    tcase_add_test(t, a_notice_without_an_amount);
    tcase_add_test(t, a_sum_and_then_its_number);
    tcase_add_test(t, a_top_up_is_held_and_then_spent_once);
    tcase_add_test(t, a_spend_that_wants_a_step);
    tcase_add_test(t, a_top_up_goes_back_while_it_is_there);
    tcase_add_test(t, a_hold_is_made_whole_again);
    tcase_add_test(t, a_database_that_fails_anywhere);
    suite_add_tcase(s, t);
    return test_main(s);
}
