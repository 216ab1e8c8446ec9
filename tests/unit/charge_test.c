/* charge_test.c - a charge's row, gate and ends: every cap, every way past the step, everything a wallet may say in every
 * state. */
#include "lib/charge_kit.h"
#include "lib/test.h"
#include "wallet/open.h"

static struct id anna, link_;

static void setup(void)
{
    kit_open();
    anna = kit_account("anna@example.org");
    link_ = kit_agreement(&anna, CUR_CNY, 0);
}
static void teardown(void)
{
    kit_books_good();
    kit_close();
}

/* An account may not have many agreements. */
static struct id fresh_link(void)
{
    static unsigned n;
    char email[40];
    (void)snprintf(email, sizeof email, "person-%u@example.org", n++);
    struct id person = kit_account(email);
    return kit_agreement(&person, CUR_CNY, 0);
}

/* --- rows --- */

START_TEST(a_key_is_one_charge)
{
    struct charge c = kit_charge(&link_, CHARGE_PURCHASE, 64800, T0), again;
    bool fresh = true;
    struct charge_new n = {.client = SLICE("store"),
                           .key = slice_str(c.key),
                           .agreement = link_,
                           .account = anna,
                           .kind = CHARGE_PURCHASE,
                           .amount_minor = 64800,
                           .currency = CUR_CNY,
                           .payee = SLICE("Apple"),
                           .body = c.body};
    ck_ok(charge_add(db, &n, T0 + 5, &again, &fresh));
    ck_assert(!fresh && id_eq(&again.id, &c.id) && again.created_us == T0);
    n.body.bytes[0] ^= 1;
    ck_err(charge_add(db, &n, T0 + 5, &again, &fresh), KEER_ECONFLICT);
    n.client = SLICE("another");
    ck_ok(charge_add(db, &n, T0 + 5, &again, &fresh));
    ck_assert(fresh && !id_eq(&again.id, &c.id));
    n.key = SLICE("other");
    id_make(&n.agreement);
    ck_err(charge_add(db, &n, T0, &again, &fresh), KEER_EMISSING);
    n.agreement = link_;
    static const int64_t bad[] = {0, -1, INT64_MIN, INT64_MAX, INT64_C(1) << 53};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n.amount_minor = bad[i];
        ck_err(charge_add(db, &n, T0, &again, &fresh), KEER_EINVALID);
    }
    n.amount_minor = 1;
    n.payee = SLICE("");
    ck_err(charge_add(db, &n, T0, &again, &fresh), KEER_EINVALID);
}
END_TEST

/* --- the gate --- */

START_TEST(without_a_step_nothing_passes)
{
    struct charge c = kit_charge(&link_, CHARGE_PURCHASE, 1, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_WANTS_STEP);
    ck_assert_int_eq(c.state, CHARGE_CREATED);
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &anna, CUR_CNY).debits_pending, 0);
    ck_assert_int_eq(kit_gate(&c, true, T0), CHARGE_PASSED);
    ck_assert(c.state == CHARGE_SUBMITTED && c.verified && c.submitted_us == T0 && c.ask_us > T0);
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &anna, CUR_CNY).debits_pending, 1);
    struct agreement a = kit_agreement_now(&link_);
    struct charge_gate g = {.agreement = &a, .family = true, .stepped = true};
    enum charge_gated gated;
    ck_err(charge_gate(db, &g, T0, &c, &gated), KEER_EMISSING); /* once */
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &anna, CUR_CNY).debits_pending, 1);
}
END_TEST

/* The unverified limit: 200.00 a charge, the agreement's own sum, until a step. */
START_TEST(what_passes_unverified)
{
    struct id low = kit_agreement(&anna, CUR_CNY, 30000);
    struct charge c = kit_charge(&low, CHARGE_PURCHASE, 20001, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_WANTS_STEP);
    c = kit_charge(&low, CHARGE_PURCHASE, 20000, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_PASSED);
    ck_assert(!c.verified);
    c = kit_charge(&low, CHARGE_PURCHASE, 10001, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_WANTS_STEP);
    c = kit_charge(&low, CHARGE_PURCHASE, 10000, T0);
    struct agreement a = kit_agreement_now(&low);
    struct charge_gate asks = {.agreement = &a, .family = true, .ask = true};
    enum charge_gated gated;
    ck_ok(charge_gate(db, &asks, T0, &c, &gated));
    ck_assert_int_eq(gated, CHARGE_WANTS_STEP); /* the decision wants one */
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_PASSED);
    /* What failed is not given back: whoever makes charges fail gets no more of them. */
    struct charge_said no = {.way = CHARGE_BY_ANSWER, .answer = WALLET_NO, .why = {.reason = WALLET_BALANCE}};
    ck_assert_int_eq(kit_settle(&c, &no, T0), CHARGE_IS_SETTLED);
    ck_assert_int_eq(c.state, CHARGE_FAILED);
    c = kit_charge(&low, CHARGE_PURCHASE, 1, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_WANTS_STEP);
    ck_assert_int_eq(kit_gate(&c, true, T0), CHARGE_PASSED);
    c = kit_charge(&low, CHARGE_PURCHASE, 20000, T0);
    ck_assert_int_eq(kit_gate(&c, false, T0), CHARGE_PASSED);
}
END_TEST

static void stopped(struct charge_gate g, const struct id *agreement, int64_t amount_minor, int64_t now_us,
                    enum charge_why why)
{
    struct charge c = kit_charge(agreement, CHARGE_PURCHASE, amount_minor, now_us);
    struct agreement a = kit_agreement_now(agreement);
    enum charge_gated gated = CHARGE_PASSED;
    g.agreement = &a;
    ck_ok(charge_gate(db, &g, now_us, &c, &gated));
    ck_assert_int_eq(gated, CHARGE_STOPPED);
    ck_assert_int_eq(c.state, CHARGE_REFUSED);
    ck_assert_str_eq(c.why, charge_why_code(why));
    ck_assert_int_eq(c.ask_us, 0);
}

START_TEST(what_stops_a_charge)
{
    const struct charge_gate good = {.family = true, .stepped = true};
    struct charge_gate g = good;
    enum agreement_state state;
    g.held = true;
    stopped(g, &link_, 100, T0, CHARGE_WHY_HELD);
    g = good;
    g.denied = true;
    stopped(g, &link_, 100, T0, CHARGE_WHY_DENIED);
    g = good;
    g.family = false;
    stopped(g, &link_, 100, T0, CHARGE_WHY_NOT_FAMILY);
    g.open = true; /* 2018 or not: nobody pays with a stranger's wallet */
    stopped(g, &link_, 100, T0, CHARGE_WHY_NOT_FAMILY);
    ck_ok(agreement_pause(db, &link_, SLICE("w"), T0));
    stopped(good, &link_, 100, T0, CHARGE_WHY_NOT_ACTIVE);
    ck_ok(agreement_resume(db, &link_, T0));
    ck_ok(agreement_end(db, &link_, SLICE("w"), T0, &state));
    stopped(good, &link_, 100, T0, CHARGE_WHY_NOT_ACTIVE);
    ck_ok(agreement_ended(db, &link_, false, SLICE(""), T0));
    stopped(good, &link_, 100, T0, CHARGE_WHY_NOT_ACTIVE);
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &anna, CUR_CNY).debits_pending, 0);
}
END_TEST

/* 700 a charge, 1000 a day, 3000 a month, 10 a day; days of UTC+8. */
START_TEST(caps_are_exact)
{
    const struct charge_gate good = {.family = true, .stepped = true};
    int64_t day = agreement_day_us(CUR_CNY, T0), month = agreement_month_us(CUR_CNY, T0);
    ck_assert_int_eq((day + 8 * US_HOUR) % US_DAY, 0);
    ck_assert(month <= day && day <= T0);
    int64_t first = month + 31 * US_DAY + 12 * US_HOUR; /* a month's beginning, give or take days */
    first = agreement_month_us(CUR_CNY, first);
    stopped(good, &link_, 70001, first, CHARGE_WHY_CAP_CHARGE);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 70000, first);
    stopped(good, &link_, 30001, first + 1, CHARGE_WHY_CAP_DAY);
    struct charge failing = kit_submitted(&link_, CHARGE_PURCHASE, 30000, first + US_DAY - 1);
    stopped(good, &link_, 1, first + US_DAY - 1, CHARGE_WHY_CAP_DAY);
    /* What failed gives its room back, what is unknown and what was refunded does not. */
    struct charge_said no = {.way = CHARGE_BY_ANSWER, .answer = WALLET_NO};
    (void)kit_settle(&failing, &no, first + US_DAY - 1);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 30000, first + US_DAY - 1);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 70000, first + US_DAY);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 30000, first + US_DAY);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 70000, first + 2 * US_DAY);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 29999, first + 2 * US_DAY);
    stopped(good, &link_, 2, first + 3 * US_DAY, CHARGE_WHY_CAP_MONTH);
    (void)kit_submitted(&link_, CHARGE_PURCHASE, 1, first + 3 * US_DAY);
    struct id other = kit_agreement(&anna, CUR_CNY, 0);
    for (int i = 0; i < 10; i++)
        (void)kit_submitted(&other, CHARGE_PURCHASE, 100, first);
    stopped(good, &other, 100, first + 1, CHARGE_WHY_CAP_COUNT);
    (void)kit_submitted(&other, CHARGE_PURCHASE, 100, first + US_DAY);
}
END_TEST

/* --- ends --- */

enum said { PAID, FAILED, CLOSED, NONE, WAITS, REFUSED, LOST, NOT_SENT, SAID_MAX };

static struct charge_said say(const struct charge *c, enum charge_way way, enum said what)
{
    static const enum wallet_charge_state of[] = {WALLET_CHARGE_PAID, WALLET_CHARGE_FAILED, WALLET_CHARGE_CLOSED,
                                                  WALLET_CHARGE_NONE, WALLET_CHARGE_WAITS};
    if (what <= WAITS)
        return kit_said(c, way, of[what]);
    return (struct charge_said){.way = way,
                                .answer = what == REFUSED ? WALLET_NO
                                          : what == LOST  ? WALLET_UNKNOWN
                                                          : WALLET_NOT_SENT,
                                .why = {.reason = what == REFUSED ? WALLET_BALANCE : WALLET_TIMED_OUT}};
}

/* Everything that can be said, by every way, of one that was just submitted, of one that is unknown, and of one that is old.
 */
START_TEST(every_word_has_its_end)
{
    static const struct {
        enum said what;
        enum charge_state first, unknown, old; /* by an answer to the first sending; by a query; by a query after gone */
    } want[] = {
        {PAID, CHARGE_PAID, CHARGE_PAID, CHARGE_PAID},           {FAILED, CHARGE_FAILED, CHARGE_FAILED, CHARGE_FAILED},
        {CLOSED, CHARGE_FAILED, CHARGE_FAILED, CHARGE_FAILED},   {NONE, CHARGE_UNKNOWN, CHARGE_UNKNOWN, CHARGE_FAILED},
        {WAITS, CHARGE_UNKNOWN, CHARGE_UNKNOWN, CHARGE_UNKNOWN}, {REFUSED, CHARGE_FAILED, CHARGE_UNKNOWN, CHARGE_UNKNOWN},
        {LOST, CHARGE_UNKNOWN, CHARGE_UNKNOWN, CHARGE_UNKNOWN},  {NOT_SENT, CHARGE_FAILED, CHARGE_UNKNOWN, CHARGE_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        for (int age = 0; age < 3; age++) {
            struct id own = fresh_link();
            struct charge c = kit_submitted(&own, CHARGE_PURCHASE, 100, T0);
            int64_t now = T0 + 1;
            struct charge_said lost = say(&c, CHARGE_BY_ANSWER, LOST);
            if (age) {
                ck_assert_int_eq(kit_settle(&c, &lost, now), CHARGE_IS_OPEN);
                ck_assert(c.state == CHARGE_UNKNOWN && c.ask_us == now + US_SECOND);
                now = age == 1 ? c.ask_us : T0 + CHARGE_GONE_US;
                ck_ok(charge_turn(db, now, &c));
                ck_assert_int_eq(c.asked, 1);
                ck_err(charge_turn(db, now, &c), KEER_EMISSING); /* not due any more */
            }
            struct charge_said s = say(&c, age ? CHARGE_BY_QUERY : CHARGE_BY_ANSWER, want[i].what);
            enum charge_settled settled = kit_settle(&c, &s, now);
            enum charge_state w = age == 0 ? want[i].first : age == 1 ? want[i].unknown : want[i].old;
            ck_assert_msg(c.state == w, "%zu, age %d: %s", i, age, charge_state_name(c.state));
            ck_assert_int_eq(settled == CHARGE_IS_SETTLED, w != CHARGE_UNKNOWN);
            ck_assert_int_eq(settled == CHARGE_IS_ABSENT, want[i].what == NONE && age == 1);
            ck_assert_int_eq(c.ask_us == 0, w != CHARGE_UNKNOWN);
            struct ledger_sums sums = kit_sums(BOOKS_CLEARING, &anna, CUR_CNY);
            static int64_t paid, open;
            paid += w == CHARGE_PAID ? 100 : 0;
            open += w == CHARGE_UNKNOWN ? 100 : 0;
            ck_assert_int_eq(sums.debits_posted, paid);
            ck_assert_int_eq(sums.debits_pending, open);
        }
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event"), 0);
}
END_TEST

/* What has ended stays; money that comes all the same is asked for, and then stands in the suspense account. */
START_TEST(ends_absorb)
{
    static const enum charge_way ways[] = {CHARGE_BY_ANSWER, CHARGE_BY_NOTICE, CHARGE_BY_QUERY};
    static const enum said ends[] = {PAID, FAILED};
    for (size_t e = 0; e < ARRAY_LEN(ends); e++)
        for (int what = 0; what < SAID_MAX; what++)
            for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
                struct id own = fresh_link();
                struct charge c = kit_submitted(&own, CHARGE_PURCHASE, 100, T0);
                struct charge_said s = say(&c, CHARGE_BY_ANSWER, ends[e]);
                (void)kit_settle(&c, &s, T0);
                enum charge_state state = c.state;
                int64_t suspense = kit_worth(BOOKS_SUSPENSE, &anna, CUR_CNY);
                int64_t events = kit_count("SELECT COUNT(*) FROM wallet_event");
                s = say(&c, ways[w], (enum said)what);
                for (int twice = 0; twice < 2; twice++) {
                    (void)kit_settle(&c, &s, T0 + 1);
                    ck_assert_int_eq(c.state, state);
                    bool query = ways[w] == CHARGE_BY_QUERY, paid = ends[e] == PAID;
                    bool late = !paid && what == PAID;
                    bool over = paid && (what == FAILED || what == CLOSED || what == NONE);
                    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &anna, CUR_CNY), suspense + (late && query ? 100 : 0));
                    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event"), events + ((late || over) && query));
                    ck_assert_msg((c.ask_us > 0) == ((late || over) && !query), "end %zu, said %d, way %zu", e, what, w);
                }
            }
}
END_TEST

START_TEST(another_amount_settles_nothing_until_it_is_old)
{
    static const enum charge_way ways[] = {CHARGE_BY_ANSWER, CHARGE_BY_NOTICE, CHARGE_BY_QUERY};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (int currency = 0; currency < 2; currency++) {
            struct id own = fresh_link();
            struct charge c = kit_submitted(&own, CHARGE_PURCHASE, 100, T0), d;
            struct charge_said s = kit_said(&c, ways[i], WALLET_CHARGE_PAID);
            if (currency)
                s.charge.currency = CUR_USD;
            else
                s.charge.amount_minor = 99;
            d = kit_submitted(&own, CHARGE_PURCHASE, 100, T0);
            ck_assert_int_eq(kit_settle(&c, &s, T0 + 1), CHARGE_IS_OPEN);
            ck_assert_int_eq(c.state, CHARGE_UNKNOWN);
            ck_assert(kit_surprised(SURPRISE_WRONG_MONEY));
            ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE done_us = 0"), 1);
            /* the right amount explains it */
            struct charge_said right = kit_said(&c, CHARGE_BY_QUERY, WALLET_CHARGE_PAID);
            (void)kit_settle(&c, &right, T0 + 2);
            ck_assert_int_eq(c.state, CHARGE_PAID);
            ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE done_us = 0"), 0);
            /* the wrong one, said for long enough: not ours, and not lost */
            (void)snprintf(s.charge.number, sizeof s.charge.number, "%s", d.number);
            ck_assert_int_eq(kit_settle(&d, &s, T0 + CHARGE_GONE_US - 1), CHARGE_IS_OPEN);
            s.way = CHARGE_BY_NOTICE;
            ck_assert_int_eq(kit_settle(&d, &s, T0 + CHARGE_GONE_US), CHARGE_IS_OPEN);
            s.way = CHARGE_BY_QUERY;
            int64_t before = kit_worth(BOOKS_SUSPENSE, &anna, s.charge.currency);
            for (int twice = 0; twice < 2; twice++) {
                ck_assert_int_eq(kit_settle(&d, &s, T0 + CHARGE_GONE_US), CHARGE_IS_SETTLED);
                ck_assert(d.state == CHARGE_FAILED && charge_why_find(d.why) == CHARGE_WHY_WRONG_MONEY);
                ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &anna, s.charge.currency) - before, s.charge.amount_minor);
            }
            ck_ok(db_exec(db, "DELETE FROM wallet_event"));
        }
}
END_TEST

START_TEST(a_word_about_another_number_is_none)
{
    struct charge c = kit_submitted(&link_, CHARGE_PURCHASE, 100, T0);
    struct charge_said s = kit_said(&c, CHARGE_BY_ANSWER, WALLET_CHARGE_PAID);
    s.charge.number[0] = s.charge.number[0] == 'a' ? 'b' : 'a';
    ck_assert_int_eq(kit_settle(&c, &s, T0), CHARGE_IS_OPEN);
    ck_assert(c.state == CHARGE_UNKNOWN && c.reason == WALLET_GARBLED_ANSWER);
}
END_TEST

/* A refusal of what was sent again settles nothing: the first may have arrived. */
START_TEST(a_second_sending_is_not_the_first)
{
    struct agreement a = kit_agreement_now(&link_);
    struct charge c = kit_submitted(&link_, CHARGE_PURCHASE, 100, T0);
    ck_assert(charge_may_resend(&c, &kit_terms, &a, T0) && !charge_may_resend(&c, &kit_terms, &a, T0 + CHARGE_RESEND_US));
    struct charge_said s = say(&c, CHARGE_BY_ANSWER, REFUSED);
    s.again = true;
    ck_assert_int_eq(kit_settle(&c, &s, T0 + 1), CHARGE_IS_OPEN);
    s.again = false; /* the first one's answer, late */
    ck_assert_int_eq(kit_settle(&c, &s, T0 + 1), CHARGE_IS_OPEN);
    s = say(&c, CHARGE_BY_CANCEL, CLOSED);
    ck_assert_int_eq(kit_settle(&c, &s, T0 + 1), CHARGE_IS_SETTLED);
    ck_assert_int_eq(c.state, CHARGE_FAILED);
    static const enum agreement_state states[] = {AGREEMENT_PAUSED, AGREEMENT_ENDING, AGREEMENT_ENDED};
    c.state = CHARGE_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        a.state = states[i];
        ck_assert(!charge_may_resend(&c, &kit_terms, &a, T0));
    }
}
END_TEST

START_TEST(cancelling)
{
    struct agreement a = kit_agreement_now(&link_);
    struct charge c = kit_submitted(&link_, CHARGE_PURCHASE, 100, T0);
    ck_ok(charge_want_cancel(db, T0 + 1, &c));
    ck_assert(charge_is_cancelling(&c) && c.ask_us == T0 + 1 && !charge_may_resend(&c, &kit_terms, &a, T0));
    struct charge_said s = say(&c, CHARGE_BY_CANCEL, CLOSED);
    ck_assert_int_eq(kit_settle(&c, &s, T0 + 1), CHARGE_IS_SETTLED);
    ck_assert(c.state == CHARGE_CANCELLED && charge_why_find(c.why) == CHARGE_WHY_STORE_CANCELLED);
    ck_err(charge_want_cancel(db, T0 + 1, &c), KEER_EMISSING);
    /* It was paid, and the cancelling gave it back: nothing may be delivered. */
    c = kit_submitted(&link_, CHARGE_PURCHASE, 100, T0);
    s = kit_said(&c, CHARGE_BY_CANCEL, WALLET_CHARGE_CLOSED);
    s.charge.refunded_minor = 100;
    (void)kit_settle(&c, &s, T0 + 1);
    ck_assert_int_eq(c.state, CHARGE_FAILED);
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &anna, CUR_CNY).debits_posted, 0);
}
END_TEST

START_TEST(what_nobody_comes_back_for_lapses)
{
    struct id due[4];
    unsigned n;
    struct charge c = kit_charge(&link_, CHARGE_PURCHASE, 100, T0);
    ck_ok(charge_due(db, "alipay", /* asks */ true, T0 + CHARGE_LAPSE_US - 1, 4, due, &n));
    ck_assert_uint_eq(n, 0);
    ck_ok(charge_due(db, "alipay", /* asks */ true, T0 + CHARGE_LAPSE_US, 4, due, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(charge_turn(db, T0 + CHARGE_LAPSE_US, &c));
    ck_assert(c.state == CHARGE_CANCELLED && charge_why_find(c.why) == CHARGE_WHY_LAPSED);
    ck_ok(charge_due(db, "alipay", /* asks */ true, INT64_MAX, 4, due, &n));
    ck_assert_uint_eq(n, 0);
    ck_ok(charge_due(db, "wechatpay", /* asks */ true, INT64_MAX, 4, due, &n));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* Money for what was never sent. */
START_TEST(paid_though_never_sent)
{
    struct charge c = kit_charge(&link_, CHARGE_PURCHASE, 100, T0);
    struct charge_said s = kit_said(&c, CHARGE_BY_NOTICE, WALLET_CHARGE_PAID);
    (void)kit_settle(&c, &s, T0);
    (void)kit_settle(&c, &s, T0);
    ck_assert_int_eq(c.state, CHARGE_CREATED);
    ck_assert(kit_surprised(SURPRISE_NOT_SUBMITTED));
    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &anna, CUR_CNY), 100);
}
END_TEST

/* What waits for its wallet, whoever knows that wallet. */
START_TEST(what_waits_for_a_wallet)
{
    struct id who = kit_account("who@example.org"), link = kit_agreement(&who, CUR_CNY, 0);
    struct wallet_open rows[2];
    unsigned n = 9;
    ck_ok(wallet_open_rows(db, 2, rows, &n));
    ck_assert_uint_eq(n, 0);
    struct charge paid = kit_paid(&link, CHARGE_PURCHASE, 5000, T0 + 5);
    (void)kit_submitted(&link, CHARGE_PURCHASE, 100, T0 + 7);
    (void)kit_submitted(&link, CHARGE_PURCHASE, 200, T0 + 9);
    struct refund_new back = {
        .client = SLICE("store"), .key = SLICE("r"), .charge = paid.id, .amount_minor = 1, .currency = CUR_CNY};
    struct refund r;
    bool fresh;
    ck_ok(refund_add(db, &back, T0 + 11, &r, &fresh));
    ck_ok(wallet_open_rows(db, 2, rows, &n));
    ck_assert_uint_eq(n, 1);
    ck_assert(strcmp(rows[0].wallet, "alipay") == 0 && rows[0].charges == 2 && rows[0].refunds == 1 &&
              rows[0].agreements == 0 && rows[0].since_us == T0 + 7);
    enum agreement_state state;
    ck_ok(agreement_end(db, &link, SLICE("x"), T0 + 12, &state));
    ck_ok(wallet_open_rows(db, 2, rows, &n));
    ck_assert_int_eq(rows[0].agreements, 1);

    struct id ids[2]; /* and what is to be told of refunds */
    ck_ok(refund_untold(db, 2, ids, &n));
    ck_assert(n == 1 && id_eq(&ids[0], &r.id));
    ck_ok(refund_was_told(db, &r.id, REFUND_TOLD_REQUEST));
    ck_ok(refund_untold(db, 2, ids, &n));
    ck_assert_uint_eq(n, 0);
    ck_ok(db_exec(db, "UPDATE refund SET state = 2"));
    ck_ok(refund_untold(db, 2, ids, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(refund_was_told(db, &r.id, REFUND_TOLD_END));
    ck_ok(refund_was_told(db, &r.id, REFUND_TOLD_REQUEST)); /* never back */
    ck_ok(refund_untold(db, 2, ids, &n));
    ck_assert_uint_eq(n, 0);
    ck_ok(db_exec(db, "UPDATE refund SET state = 0"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("charge");
    TCase *t = tcase_create("charge");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_key_is_one_charge);
    tcase_add_test(t, without_a_step_nothing_passes);
    tcase_add_test(t, what_passes_unverified);
    tcase_add_test(t, what_stops_a_charge);
    tcase_add_test(t, caps_are_exact);
    tcase_add_test(t, every_word_has_its_end);
    tcase_add_test(t, ends_absorb);
    tcase_add_test(t, another_amount_settles_nothing_until_it_is_old);
    tcase_add_test(t, a_word_about_another_number_is_none);
    tcase_add_test(t, a_second_sending_is_not_the_first);
    tcase_add_test(t, cancelling);
    tcase_add_test(t, what_nobody_comes_back_for_lapses);
    tcase_add_test(t, paid_though_never_sent);
    tcase_add_test(t, what_waits_for_a_wallet);
    suite_add_tcase(s, t);
    return test_main(s);
}
