/* pay_test.c - the way of a charge: the step between, who may pay for whom, notices in any order, what is sent again and what not, a
 * database that fails anywhere. */
#include "account/family.h"
#include "flow/agreements.h"
#include "lib/pay_kit.h"
#include "lib/test.h"

/* --- the way --- */

START_TEST(a_step_and_then_it_is_charged_once)
{
    struct pay_ask ask = pay_order("o-1", &pk.link, 64800);
    struct pay_case c, again;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.fresh && c.charge.state == CHARGE_NEEDS_STEP && id_is(&c.challenge.id));
    ck_assert(id_eq(&c.challenge.account, &pk.anna));
    ck_assert(strstr(c.challenge.shown, "\"amount\":\"648.00\"") && strstr(c.challenge.shown, "\"payee\":\"Apple\"") &&
              strstr(c.challenge.shown, pk.link.text));
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 0);
    ck_ok(pay_way(&ask, KEER_ALLOW, &again)); /* nothing was done yet */
    ck_assert(!again.fresh && again.charge.state == CHARGE_NEEDS_STEP && id_eq(&again.challenge.id, &c.challenge.id));
    pay_answer_step(&c.challenge.id, pk.now_us);
    for (int i = 0; i < 3; i++) {
        ck_ok(pay_way(&ask, KEER_ALLOW, &again));
        ck_assert(again.charge.state == CHARGE_PAID && again.charge.verified);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
    }
    ck_assert_int_eq(kit_worth(BOOKS_SALES, &pk.anna, CUR_CNY), 64800);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 64800);
    ask.payee = SLICE("Appie");
    ck_err(pay_way(&ask, KEER_ALLOW, &again), KEER_ECONFLICT);
    ask.client = SLICE("thief");
    ck_err(pay_way(&ask, KEER_ALLOW, &again), KEER_EMISSING); /* another store's agreement */
}
END_TEST

/* A step is for this amount, payee, agreement and account, in time, and once. */
START_TEST(a_step_for_something_else_is_none)
{
    static const char *const tampered[] = {"UPDATE charge SET amount = 64801",   "UPDATE charge SET payee = 'Appie'",
                                           "UPDATE charge SET currency = 'USD'", "UPDATE challenge SET used_us = 1",
                                           "UPDATE challenge SET account = 'x'", "UPDATE challenge SET kind = 2",
                                           "UPDATE challenge SET done_us = 1"};
    for (size_t i = 0; i < ARRAY_LEN(tampered); i++) {
        struct pay_ask ask = pay_order("o-1", &pk.link, 64800);
        struct pay_case c;
        ck_ok(pay_way(&ask, KEER_ALLOW, &c));
        pay_answer_step(&c.challenge.id, pk.now_us);
        ck_ok(db_exec(db, tampered[i]));
        c = (struct pay_case){.p = &pk.pay, .id = c.id, .now_us = pk.now_us, .outcome = KEER_ALLOW};
        enum keer_err err = pay_gate(db, &c);
        ck_assert_msg(err != KEER_OK || (c.next == PAY_ANSWER && c.charge.state == CHARGE_CANCELLED), "%s", tampered[i]);
        db_rollback(db);
        ck_ok(db_begin(db));
        ck_ok(db_exec(db, "DELETE FROM charge"));
    }
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 0);
}
END_TEST

START_TEST(a_step_that_is_refused_or_late)
{
    struct pay_ask ask = pay_order("o-1", &pk.link, 100);
    struct pay_case c;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_ok(challenge_refuse(db, &c.challenge.id, SLICE("cancelled"), pk.now_us));
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_REFUSED && charge_why_find(c.charge.why) == CHARGE_WHY_STEP_REFUSED);
    ask.key = SLICE("o-2");
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    pk.now_us += CHALLENGE_IDLE_US;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_CANCELLED && charge_why_find(c.charge.why) == CHARGE_WHY_LAPSED);
    ask.key = SLICE("o-3");
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    pay_answer_step(&c.challenge.id, pk.now_us);
    pk.now_us += CHALLENGE_USE_US;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_CANCELLED);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 0);
}
END_TEST

/* Within the limit: allowed passes, challenge and review ask, deny refuses; a review beside an allow asks as well. */
START_TEST(what_the_decision_does)
{
    static const struct {
        enum keer_outcome outcome;
        bool review;
        enum charge_state state;
    } rows[] = {{KEER_ALLOW, false, CHARGE_PAID},           {KEER_ALLOW, true, CHARGE_NEEDS_STEP},
                {KEER_CHALLENGE, false, CHARGE_NEEDS_STEP}, {KEER_REVIEW, false, CHARGE_NEEDS_STEP},
                {KEER_DENY, false, CHARGE_REFUSED},         {KEER_OUTCOME_MAX, false, CHARGE_REFUSED}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct id own = kit_account("bert@example.org"), link = pay_agreement(&own, 10000);
        struct pay_ask ask = pay_order("o-1", &link, 5000);
        struct pay_case c = {.p = &pk.pay, .ask = &ask, .now_us = pk.now_us};
        buf_init(&c.event, CHARGE_REQUEST_BYTES);
        ck_ok(pay_step(pay_add, &c));
        c.outcome = rows[i].outcome;
        c.review = rows[i].review;
        ck_ok(pay_step(pay_gate, &c));
        if (c.next == PAY_SEND) {
            pay_call(&pk.pay, &c);
            ck_ok(pay_step(pay_settle, &c));
        }
        buf_release(&c.event);
        ck_assert_int_eq(c.charge.state, rows[i].state);
        ck_ok(db_exec(db, "DELETE FROM charge"));
        ck_ok(db_exec(db, "DELETE FROM identifier WHERE value = 'bert@example.org'"));
    }
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
}
END_TEST

static void wait_for_change(const struct id *account)
{
    ck_ok(QUERY_DO(db,
                   "INSERT INTO guard_change (id, account, change, thing, detail, data, was, state, session, place,"
                   " created_us, due_us) VALUES ('c', $1, 0, '', '', '', '', 0, '', '', 1, 2)",
                   Q_ID(account)));
}

/* While a change or a recovery waits, or the account is locked, nothing passes, step or not. */
START_TEST(a_hold_stops_everything)
{
    struct pay_ask ask = pay_order("o-1", &pk.link, 100);
    struct pay_case c;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    pay_answer_step(&c.challenge.id, pk.now_us);
    wait_for_change(&pk.anna);
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_REFUSED && charge_why_find(c.charge.why) == CHARGE_WHY_HELD);
    ck_ok(db_exec(db, "DELETE FROM guard_change"));
    ck_ok(account_freeze(db, &pk.anna, SLICE("stolen"), pk.now_us));
    ask.key = SLICE("o-2");
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_REFUSED && charge_why_find(c.charge.why) == CHARGE_WHY_HELD);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 0);
}
END_TEST

/* 2018: neither step nor cap nor hold nor decision, but a stranger's wallet all the same. */
START_TEST(as_it_was_in_2018)
{
    struct pay_case c;
    struct id thief = kit_account("thief@example.org");
    pk.pay.open_2018 = true;
    wait_for_change(&pk.anna);
    for (int i = 0; i < 12; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "o-%d", i);
        struct pay_ask ask = pay_order(key, &pk.link, 99900);
        ck_ok(pay_way(&ask, KEER_DENY, &c));
        ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    }
    struct pay_ask ask = pay_order("x", &pk.link, 1);
    ask.account = thief;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_REFUSED);
}
END_TEST

/* --- families --- */

static struct id member(const struct id *organiser, const struct id *family, const char *email, enum family_role role)
{
    struct id account = kit_account(email), invitation;
    struct family_member m;
    UNUSED(family);
    ck_ok(family_invite(db, organiser, &account, role, T0, &invitation));
    ck_ok(family_join(db, &account, &invitation, T0, &m));
    return account;
}

START_TEST(a_family_bills_its_organiser_who_is_asked)
{
    struct id family, link = pay_agreement(&pk.anna, 10000), stranger = kit_account("x@example.org");
    struct pay_case c;
    ck_ok(family_add(db, &pk.anna, T0, &family));
    struct id adult = member(&pk.anna, &family, "bert@example.org", FAMILY_ADULT);
    struct id child = member(&pk.anna, &family, "carl@example.org", FAMILY_CHILD);
    struct id bert_link = pay_agreement(&adult, 10000);
    struct pay_ask ask = pay_order("o-1", &link, 5000);
    ask.account = stranger;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_REFUSED && charge_why_find(c.charge.why) == CHARGE_WHY_NOT_FAMILY);
    ask.key = SLICE("o-2");
    ask.account = child;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_NEEDS_STEP);
    ck_assert(id_eq(&c.challenge.account, &pk.anna)); /* the organiser answers, not the child */
    pay_answer_step(&c.challenge.id, pk.now_us);
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    ask.key = SLICE("o-3");
    ask.account = adult;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    ask.key = SLICE("o-4");
    ck_ok(pay_way(&ask, KEER_CHALLENGE, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_NEEDS_STEP);
    /* A member's wallet is his own: neither the organiser nor another member charges it. */
    ask = pay_order("o-5", &bert_link, 100);
    ask.account = child;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_REFUSED);
    ask.key = SLICE("o-6");
    ask.account = pk.anna;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_REFUSED);
    /* The buyer's own hold holds. */
    wait_for_change(&adult);
    ask = pay_order("o-7", &link, 100);
    ask.account = adult;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    ck_assert(c.charge.state == CHARGE_REFUSED && charge_why_find(c.charge.why) == CHARGE_WHY_HELD);
}
END_TEST

/* --- answers, lost and late; what is sent again --- */

/* A charge of 50.00 that needs no step, and ends as the wallet was told. */
static struct charge order(const char *key, struct fake_end end)
{
    static struct id link;
    struct pay_case c;
    if (strcmp(key, "first") == 0)
        link = pay_agreement(&pk.anna, 100000);
    struct pay_ask ask = pay_order(key, &link, 5000);
    fake_next(&pk.fake, FAKE_CHARGE, end);
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    return c.charge;
}
static const struct fake_end lost_after = {.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT, .effect = true};
static const struct fake_end lost_before = {.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT};

START_TEST(an_answer_that_was_lost_is_asked_for)
{
    struct charge c = order("first", lost_after);
    ck_assert_int_eq(c.state, CHARGE_UNKNOWN);
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_PAID);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE_QUERY), 1);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 5000);
}
END_TEST

START_TEST(what_never_arrived_is_sent_again_under_its_number)
{
    struct charge c = order("first", lost_before);
    fake_next(&pk.fake, FAKE_CHARGE, lost_before);
    fake_next(&pk.fake, FAKE_CHARGE, lost_after);
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_PAID);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 3);
    ck_assert_uint_eq(pk.fake.charges_count, 1);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 5000);
}
END_TEST

/* After the end, a pause, or while something waits, nothing is sent again: it is cancelled at the wallet. */
START_TEST(nothing_is_sent_again_after_the_end)
{
    for (int how = 0; how < 4; how++) {
        struct charge c = order("first", lost_before);
        enum agreement_state state;
        unsigned sent = fake_calls(&pk.fake, FAKE_CHARGE);
        if (how == 0)
            ck_ok(agreement_end(db, &c.agreement, SLICE("w"), pk.now_us, &state));
        else if (how == 1)
            ck_ok(agreement_pause(db, &c.agreement, SLICE("w"), pk.now_us));
        else if (how == 2)
            wait_for_change(&pk.anna);
        else
            pk.now_us += CHARGE_RESEND_US;
        c = pay_until_settled(&c.id);
        ck_assert_int_eq(c.state, CHARGE_FAILED);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), sent);
        ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE_CANCEL), (unsigned)how + 1);
        ck_ok(db_exec(db, "DELETE FROM guard_change"));
        ck_ok(db_exec(db, "DELETE FROM charge"));
    }
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 0);
}
END_TEST

/* A first sending that took effect, whose answer was lost; and the second one is refused: it is paid. */
START_TEST(a_refusal_of_the_second_sending_settles_nothing)
{
    struct charge c = order("first", lost_before);
    fake_next(&pk.fake, FAKE_CHARGE, (struct fake_end){.answer = WALLET_NO, .reason = WALLET_BALANCE, .effect = true});
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_PAID);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 5000);
}
END_TEST

START_TEST(refused_unreachable_and_waiting)
{
    struct charge c = order("first", (struct fake_end){.answer = WALLET_NO, .reason = WALLET_BALANCE});
    ck_assert(c.state == CHARGE_FAILED && c.reason == WALLET_BALANCE);
    c = order("two", (struct fake_end){.answer = WALLET_NOT_SENT, .reason = WALLET_UNREACHABLE});
    ck_assert(c.state == CHARGE_FAILED && charge_why_find(c.why) == CHARGE_WHY_WALLET_UNREACHABLE);
    c = order("three", (struct fake_end){.answer = WALLET_YES, .effect = true, .waits = true});
    ck_assert_int_eq(c.state, CHARGE_UNKNOWN);
    for (int i = 0; i < 12; i++) { /* taken, not decided: asked, for as long as it takes, at most once a minute */
        struct pay_case turn;
        ck_ok(charge_read(db, &c.id, &c));
        ck_assert_int_le(c.ask_us, pk.now_us + 60 * US_SECOND);
        pk.now_us = c.ask_us;
        ck_ok(pay_tick(&c.id, &turn));
        ck_err(pay_tick(&c.id, &turn), KEER_EMISSING);
    }
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 3);
    fake_decide(&pk.fake, c.number, WALLET_CHARGE_PAID, pk.now_us);
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_PAID);
}
END_TEST

/* A wallet that is silent for longer than everything, and then knows nothing. */
START_TEST(silence_for_long)
{
    struct charge c = order("first", lost_before);
    for (int i = 0; i < 14; i++)
        fake_next(&pk.fake, FAKE_CHARGE_QUERY, lost_before);
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_FAILED);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 0);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
}
END_TEST

START_TEST(another_amount_is_asked_for)
{
    struct charge c = order("first", (struct fake_end){.answer = WALLET_YES, .effect = true, .off_minor = -1});
    ck_assert_int_eq(c.state, CHARGE_UNKNOWN);
    ck_assert(kit_surprised(SURPRISE_WRONG_MONEY));
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_PAID);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE done_us = 0"), 0);
}
END_TEST

/* Cancelled by the store: before, at once; on its way, at the wallet; afterwards, it stays. */
START_TEST(a_store_cancels)
{
    struct pay_ask ask = pay_order("o-1", &pk.link, 100);
    struct pay_case c;
    ck_ok(pay_way(&ask, KEER_ALLOW, &c));
    struct pay_case cancel = {.p = &pk.pay, .client = SLICE("other"), .id = c.id, .now_us = pk.now_us};
    buf_init(&cancel.event, CHARGE_REQUEST_BYTES);
    ck_err(pay_step(pay_cancel, &cancel), KEER_EMISSING);
    cancel.client = SLICE("store");
    ck_ok(pay_step(pay_cancel, &cancel));
    ck_assert_int_eq(cancel.charge.state, CHARGE_CANCELLED);
    pay_answer_step(&c.challenge.id, pk.now_us);
    ck_ok(pay_way(&ask, KEER_ALLOW, &c)); /* the step is done, and comes too late */
    ck_assert_int_eq(c.charge.state, CHARGE_CANCELLED);
    struct charge way = order("first", lost_after);
    cancel.id = way.id;
    ck_ok(pay_step(pay_cancel, &cancel));
    ck_assert(cancel.charge.state == CHARGE_UNKNOWN && charge_is_cancelling(&cancel.charge));
    way = pay_until_settled(&way.id);
    ck_assert_int_eq(way.state, CHARGE_CANCELLED);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 0);
    way = order("two", (struct fake_end){.answer = WALLET_YES, .effect = true});
    cancel.id = way.id;
    ck_ok(pay_step(pay_cancel, &cancel));
    ck_assert_int_eq(cancel.charge.state, CHARGE_PAID);
    buf_release(&cancel.event);
}
END_TEST

/* --- notices --- */

START_TEST(a_notice_before_and_after_the_answer)
{
    struct pay_case c, told;
    struct id link = pay_agreement(&pk.anna, 100000);
    struct pay_ask ask = pay_order("o-1", &link, 5000);
    c = (struct pay_case){.p = &pk.pay, .ask = &ask, .now_us = pk.now_us};
    buf_init(&c.event, CHARGE_REQUEST_BYTES);
    ck_ok(pay_step(pay_add, &c));
    c.outcome = KEER_ALLOW;
    ck_ok(pay_step(pay_gate, &c));
    ck_assert_int_eq(c.next, PAY_SEND);
    pay_call(&pk.pay, &c); /* the answer is on its way */
    buf_release(&c.event);
    struct wallet_notice n = pay_notice_of(c.charge.number, "n-1");
    ck_ok(pay_told(&n, &told));
    ck_assert(told.fresh && told.charge.state == CHARGE_PAID);
    ck_ok(pay_told(&n, &told)); /* the same again */
    ck_assert(!told.fresh);
    (void)snprintf(n.id, sizeof n.id, "n-2");
    ck_ok(pay_told(&n, &told)); /* another one of the same */
    ck_ok(pay_step(pay_settle, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    ck_assert_int_eq(kit_worth(BOOKS_SALES, &pk.anna, CUR_CNY), 5000);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE surprise <> ''"), 0);
}
END_TEST

/* An old 'failed' cannot fail what is paid: it is asked for, and the query says paid. */
START_TEST(an_old_notice_changes_nothing)
{
    struct charge c = order("first", (struct fake_end){.answer = WALLET_YES, .effect = true});
    struct pay_case told, turn;
    struct wallet_notice n = pay_notice_of(c.number, "old");
    n.charge.state = WALLET_CHARGE_FAILED;
    ck_ok(pay_told(&n, &told));
    ck_assert(told.charge.state == CHARGE_PAID && told.charge.ask_us == pk.now_us);
    ck_ok(pay_tick(&c.id, &turn));
    ck_assert(turn.charge.state == CHARGE_PAID && turn.charge.ask_us == 0);
    ck_assert_int_eq(kit_count("SELECT COUNT(*) FROM wallet_event WHERE surprise <> ''"), 0);
}
END_TEST

/* Paid, after we had given it up: the money is booked, nothing is revived. */
START_TEST(a_notice_after_the_end)
{
    struct charge c = order("first", lost_before);
    struct pay_case told, turn;
    pk.now_us += CHARGE_GONE_US;
    c = pay_until_settled(&c.id);
    ck_assert_int_eq(c.state, CHARGE_FAILED);
    /* the wallet, against all it said, took it */
    struct wallet_charge *row = fake_charge_row(&pk.fake, c.number);
    if (!row)
        row = &pk.fake.charges[pk.fake.charges_count++];
    *row = (struct wallet_charge){.state = WALLET_CHARGE_PAID, .amount_minor = 5000, .currency = CUR_CNY, .paid_us = 1};
    (void)snprintf(row->number, sizeof row->number, "%s", c.number);
    struct wallet_notice n = pay_notice_of(c.number, "late");
    ck_ok(pay_told(&n, &told));
    ck_assert(told.charge.state == CHARGE_FAILED && told.charge.ask_us > 0);
    ck_ok(pay_tick(&c.id, &turn));
    ck_assert_int_eq(turn.charge.state, CHARGE_FAILED);
    ck_assert(kit_surprised(SURPRISE_LATE_PAID));
    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY), 5000);
    ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &pk.anna, CUR_CNY).debits_posted, 5000);
}
END_TEST

START_TEST(notices_about_what_is_not_ours)
{
    struct charge c = order("first", lost_before);
    struct pay_case told;
    struct wallet_notice n = {.kind = WALLET_NOTICE_CHARGE,
                              .id = "n-1",
                              .charge = {.state = WALLET_CHARGE_PAID, .amount_minor = 777, .currency = CUR_CNY}};
    (void)snprintf(n.charge.number, sizeof n.charge.number, "nobody-knows");
    for (int i = 0; i < 2; i++) {
        ck_ok(pay_told(&n, &told));
        (void)snprintf(n.id, sizeof n.id, "n-2");
    }
    ck_assert_int_eq(told.surprise, SURPRISE_UNKNOWN_NUMBER);
    ck_assert_int_eq(kit_worth(BOOKS_SUSPENSE, &pk.anna, CUR_CNY), 777); /* once, however often it is told */
    n.charge.state = WALLET_CHARGE_FAILED;
    (void)snprintf(n.charge.number, sizeof n.charge.number, "nobody-else");
    (void)snprintf(n.id, sizeof n.id, "n-3");
    ck_ok(pay_told(&n, &told));
    ck_assert_int_eq(told.surprise, SURPRISE_NONE);
    /* our number, another agreement: not settled by it */
    n.charge.state = WALLET_CHARGE_PAID;
    n.charge.amount_minor = 5000;
    (void)snprintf(n.charge.number, sizeof n.charge.number, "%s", c.number);
    (void)snprintf(n.charge.agreement, sizeof n.charge.agreement, "somebody-elses");
    (void)snprintf(n.id, sizeof n.id, "n-4");
    ck_ok(pay_told(&n, &told));
    ck_assert(told.surprise == SURPRISE_OTHER_CHARGE && told.charge.state == CHARGE_UNKNOWN);
    /* our number, another wallet */
    told = (struct pay_case){.p = &pk.pay, .notice = &n, .wallet = "wechatpay", .now_us = pk.now_us};
    n.charge.agreement[0] = '\0';
    ck_ok(pay_step(pay_notice, &told));
    ck_assert_int_eq(told.surprise, SURPRISE_UNKNOWN_NUMBER);
    ck_ok(charge_read(db, &c.id, &c));
    ck_assert_int_eq(c.state, CHARGE_UNKNOWN);
}
END_TEST

/* --- a refusal that is not signed --- */

#define UNSIGNED                                                    \
    {                                                               \
        .answer = WALLET_UNKNOWN, .reason = WALLET_UNSIGNED_REFUSAL \
    }

/* It settles nothing: a signed answer to a query does, or to a cancellation; at once, or by the timer where nothing came of it. */
START_TEST(an_unsigned_refusal_is_followed_by_a_query)
{
    struct id link = pay_agreement(&pk.anna, 100000);
    struct pay_case c;
    struct fake_end refused = UNSIGNED, paid = UNSIGNED, lost = {.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT};
    paid.effect = true;
    struct pay_ask one = pay_order("u-1", &link, 5000), two = pay_order("u-2", &link, 5000),
                   three = pay_order("u-3", &link, 5000), four = pay_order("u-4", &link, 5000);
    /* the query says, signed, that there is nothing: it is cancelled, not sent again */
    fake_next(&pk.fake, FAKE_CHARGE, refused);
    ck_ok(pay_way(&one, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_FAILED);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 1);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE_CANCEL), 1);
    /* it was a lie: the query says that it is paid */
    fake_next(&pk.fake, FAKE_CHARGE, paid);
    ck_ok(pay_way(&two, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    /* the query is refused without a signature as well */
    fake_next(&pk.fake, FAKE_CHARGE, refused);
    fake_next(&pk.fake, FAKE_CHARGE_QUERY, refused);
    ck_ok(pay_way(&three, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_FAILED);
    /* no answer to the query: the timer asks, is refused, and cancels */
    fake_next(&pk.fake, FAKE_CHARGE, refused);
    fake_next(&pk.fake, FAKE_CHARGE_QUERY, lost);
    ck_ok(pay_way(&four, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_UNKNOWN);
    for (int i = 0; i < 2; i++)
        fake_next(&pk.fake, FAKE_CHARGE_QUERY, refused);
    c.charge = pay_until_settled(&c.id);
    ck_assert_int_eq(c.charge.state, CHARGE_FAILED);
    ck_assert_int_eq(fake_taken_minor(&pk.fake), 5000);
    ck_assert_uint_eq(fake_calls(&pk.fake, FAKE_CHARGE), 4); /* none was sent twice */
}
END_TEST

/* --- what people are told --- */

static int64_t told_of_charges(void)
{
    int64_t n = 0;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM notice WHERE kind = %d", NOTICE_CHARGE_PAID);
    ck_ok(db_number(db, sql, &n));
    return n;
}

/* What is paid without a step of its own is told, once, whichever way it was heard of; with --charge-notices all, the rest. */
START_TEST(what_is_paid_is_told)
{
    struct id link = pay_agreement(&pk.anna, 100000);
    struct pay_ask small = pay_order("t-1", &link, 5000), failed = pay_order("t-2", &link, 5000);
    struct pay_case c;
    struct wallet_notice n = {.kind = WALLET_NOTICE_CHARGE, .id = "n-1"};
    struct db_stmt *s;
    char event[LIMIT_NAME_BYTES + 1];
    small.payee = SLICE("\xe6\xb8\xb8\xe6\x88\x8f store"); /* longer texts are cut between characters */
    ck_ok(pay_way(&small, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_PAID);
    ck_assert_int_eq(told_of_charges(), 1);
    ck_ok(QUERY_ONE(db, &s, "SELECT what, about FROM notice WHERE kind = $1", Q_NUMBER(NOTICE_CHARGE_PAID)));
    ck_assert(slice_eq(db_bytes(s, 0), SLICE("50.00 CNY, \xe6\xb8\xb8\xe6\x88\x8f store")));
    ck_assert(slice_eq(db_bytes(s, 1), id_slice(&c.charge.id)));
    db_free(s);
    n.charge = (struct wallet_charge){.state = WALLET_CHARGE_PAID, .amount_minor = 5000, .currency = CUR_CNY};
    (void)snprintf(n.charge.number, sizeof n.charge.number, "%s", c.charge.number);
    ck_ok(pay_told(&n, &c)); /* the same again */
    ck_assert_int_eq(told_of_charges(), 1);

    fake_next(&pk.fake, FAKE_CHARGE, (struct fake_end){.answer = WALLET_NO, .reason = WALLET_BALANCE});
    ck_ok(pay_way(&failed, KEER_ALLOW, &c));
    ck_assert_int_eq(c.charge.state, CHARGE_FAILED);
    ck_assert_int_eq(told_of_charges(), 1);

    struct charge stepped = c.charge; /* with a step, by what it was told */
    stepped.paid_now = stepped.verified = true;
    ck_ok(pay_tell(db, &pk.pay, &stepped, pk.now_us));
    ck_assert_int_eq(told_of_charges(), 1);
    pk.pay.tell_all = true;
    ck_ok(pay_tell(db, &pk.pay, &stepped, pk.now_us));
    ck_assert_int_eq(told_of_charges(), 2);
    pk.pay.open_2018 = true;
    ck_ok(pay_tell(db, &pk.pay, &stepped, pk.now_us));
    ck_assert_int_eq(told_of_charges(), 2);

    /* 'not me' pauses the wallet, and names the event that is reported; of somebody else's charge nothing */
    struct id nobody;
    id_make(&nobody);
    ck_err(agreements_wallet_charge(db, &nobody, &stepped.id, pk.now_us, event), KEER_EMISSING);
    ck_assert_int_eq(kit_agreement_now(&link).state, AGREEMENT_ACTIVE);
    for (int i = 0; i < 2; i++)
        ck_ok(agreements_wallet_charge(db, &pk.anna, &stepped.id, pk.now_us, event));
    ck_assert_int_eq(kit_agreement_now(&link).state, AGREEMENT_PAUSED);
    ck_assert(strncmp(event, "charge-", 7) == 0 && strcmp(event + 7, stepped.id.text) == 0);
}
END_TEST

/* --- a database that fails at statement N, and a commit whose end is unknown --- */

/* As a client and the timer go on, whatever fails: until it is paid. */
static bool insist(const struct pay_ask *ask)
{
    struct pay_case c;
    bool ever = false;
    for (int i = 0; i < 30; i++) {
        enum keer_err err = pay_way(ask, KEER_ALLOW, &c);
        bool hit = db_fail_hit();
        ever = ever || hit;
        db_fail_arm(0, false);
        ck_assert_msg(err == KEER_OK || hit, "%s", keer_err_name(err));
        if (err == KEER_OK && c.charge.state == CHARGE_PAID)
            return ever;
        if (err == KEER_OK && (c.charge.state == CHARGE_SUBMITTED || c.charge.state == CHARGE_UNKNOWN))
            (void)pay_until_settled(&c.id);
    }
    ck_abort_msg("it is never paid");
    return false;
}

START_TEST(a_database_that_fails_anywhere)
{
    struct id link = pay_agreement(&pk.anna, 100000);
    ck_ok(db_exec(db, "UPDATE agreement SET cap_count = 1000, cap_day = 90000000, cap_month = 90000000,"
                      " unverified_limit = 90000000"));
    kit_lift_ceilings();
    kit_keep();
    int64_t paid = 0;
    for (int lands = 0; lands < 2; lands++) {
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            char key[32];
            (void)snprintf(key, sizeof key, "o-%d-%llu", lands, (unsigned long long)n);
            struct pay_ask ask = pay_order(key, &link, 100);
            ck_ok(db_exec(db, "UPDATE agreement SET unverified_used = 0"));
            kit_keep();
            pk.fake.charges_count = 0; /* the fake has few rows: each round begins with none */
            db_fail_arm(n, lands != 0);
            hit = insist(&ask);
            ck_assert(hit || n > 50);                    /* there are so many statements at least */
            ck_assert_uint_eq(pk.fake.charges_count, 1); /* one effect at the wallet */
            paid += 100;
            ck_assert_int_eq(kit_worth(BOOKS_SALES, &pk.anna, CUR_CNY), paid);
            ck_assert_int_eq(kit_sums(BOOKS_CLEARING, &pk.anna, CUR_CNY).debits_pending, 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pay");
    TCase *t = tcase_create("pay");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, pay_setup, pay_teardown);
    tcase_add_test(t, a_step_and_then_it_is_charged_once);
    tcase_add_test(t, a_step_for_something_else_is_none);
    tcase_add_test(t, what_is_paid_is_told);
    tcase_add_test(t, an_unsigned_refusal_is_followed_by_a_query);
    tcase_add_test(t, a_step_that_is_refused_or_late);
    tcase_add_test(t, what_the_decision_does);
    tcase_add_test(t, a_hold_stops_everything);
    tcase_add_test(t, as_it_was_in_2018);
    tcase_add_test(t, a_family_bills_its_organiser_who_is_asked);
    tcase_add_test(t, an_answer_that_was_lost_is_asked_for);
    tcase_add_test(t, what_never_arrived_is_sent_again_under_its_number);
    tcase_add_test(t, nothing_is_sent_again_after_the_end);
    tcase_add_test(t, a_refusal_of_the_second_sending_settles_nothing);
    tcase_add_test(t, refused_unreachable_and_waiting);
    tcase_add_test(t, silence_for_long);
    tcase_add_test(t, another_amount_is_asked_for);
    tcase_add_test(t, a_store_cancels);
    tcase_add_test(t, a_notice_before_and_after_the_answer);
    tcase_add_test(t, an_old_notice_changes_nothing);
    tcase_add_test(t, a_notice_after_the_end);
    tcase_add_test(t, notices_about_what_is_not_ours);
    tcase_add_test(t, a_database_that_fails_anywhere);
    suite_add_tcase(s, t);
    return test_main(s);
}
