/* agreements_flow_test.c - linked wallets in use, over a real decider, desk and database, before a wallet in memory
 * (lib/wallet_fake.h): every refusal, notices late, twice and out of order, a wallet that is silent, time that passes.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "account/contact.h"
#include "flow/linked_wallets.h"
#include "flow/settle.h"
#include "flow/store_accounts.h"
#include "lib/decider_kit.h"
#include "lib/wallet_fake.h"
#include "store/query.h"

#define T0 (INT64_C(1700000000) * 1000000)

static const char POLICY[] = "rule no_links deny if wallet_linked and device = 'thief'\n"
                             "rule no_raise deny if wallet_limit_changed and ip = '203.0.113.66'\n";

static struct world world;
static struct desk *desk;
static struct accounts accounts;
static struct steps steps;
static struct flow_wallets wallets;
static struct agreements flow;
static struct wallet_fake fake;
static struct id anna, bert, totp;
static struct visitor anna_there, bert_there;
static _Atomic int64_t now_us;

static int64_t wall(void) { return atomic_load(&now_us); }
static int64_t wall_of(void *ctx)
{
    UNUSED(ctx);
    return wall();
}

/* --- the desk --- */

struct waiting {
    struct desk_job job;
    void (*body)(struct desk_worker *w);
    atomic_bool ended;
};
static void run_waiting(struct desk_job *j, struct desk_worker *w)
{
    struct waiting *t = j->ctx;
    t->body(w);
    atomic_store(&t->ended, true);
}
static void on_desk(void (*body)(struct desk_worker *w))
{
    struct waiting job = {.job = {.run = run_waiting}, .body = body};
    job.job.ctx = &job;
    ck_assert(desk_take(desk, &job.job));
    while (!atomic_load(&job.ended))
        (void)usleep(100);
}

static enum keer_err open_accounts(struct db *db, void *ctx)
{
    const struct id *const ids[] = {&anna, &bert};
    struct visitor *const visitors[] = {&anna_there, &bert_there};
    struct identifier email = {.kind = IDENTIFIER_EMAIL, .text = "anna@example.org"},
                      subject = {.kind = IDENTIFIER_SUBJECT, .text = "liu"};
    struct authenticator a = {.kind = AUTHENTICATOR_TOTP, .state = AUTHENTICATOR_ACTIVE, .created_us = T0 - 2 * US_DAY};
    struct id contact;
    UNUSED(ctx);
    for (int i = 0; i < 2; i++) {
        struct visitor *v = visitors[i];
        struct bearer token;
        *v = (struct visitor){.ip = "192.0.2.1", .family = "chrome"};
        visitor_device(v, slice_of(NULL, 0));
        struct session_new n = {.account = *ids[i],
                                .rights = SESSION_FULL,
                                .acr = SESSION_ACR_1,
                                .amr = "pwd",
                                .device_hash = v->device,
                                .ip = SLICE("192.0.2.1"),
                                .family = SLICE("chrome")};
        ck_ok(account_add(db, ids[i], SLICE("Anna"), SLICE("en"), T0 - US_DAY));
        ck_ok(session_begin(db, &n, T0, &v->session, &token));
        ck_ok(session_read(db, &v->session, T0, &v->now));
    }
    ck_ok(contact_add(db, &anna, &email, T0, T0, &contact));
    ck_ok(identifier_add(db, &anna, &subject, T0));
    a.account = anna;
    ck_ok(authenticator_add(db, &a)); /* old enough to raise limits */
    totp = a.id;
    return KEER_OK;
}
static void open_all(struct desk_worker *w) { ck_ok(desk_write(w, open_accounts, NULL)); }

static void setup(void)
{
    struct db_why why;
    atomic_store(&now_us, T0);
    world_make(&world, POLICY);
    world_open(&world);
    struct desk_options o = {.decider = world.d,
                             .database = world.database,
                             .threads = 2,
                             .queue_max = 4,
                             .now_us = world_clock,
                             .wall_us = wall};
    ck_ok(desk_new(&o, &desk, &why));
    ck_ok(desk_start(desk));
    fake_init(&fake);
    struct wallet_options w = {.name = "alipay", .driver = &wallet_fake_driver, .self = &fake, .breaker_failures = 1000};
    wallets = (struct flow_wallets){.calls = {.wall_us = wall_of}, .url = "https://id.example"};
    ck_ok(wallets_new(&wallets.list));
    ck_ok(wallets_add(wallets.list, &w));
    accounts = (struct accounts){.key = {{7}}, .words = {.service = "Example", .url = "https://id.example"}};
    steps = (struct steps){.accounts = &accounts,
                           .guard = {.key = &accounts.key,
                                     .first_us = GUARD_FIRST_US,
                                     .wait_us = GUARD_WAIT_US,
                                     .recovery_us = RECOVERY_WAIT_US,
                                     .wallet_limit = agreements_wallet_limit,
                                     .wallet_waits = agreements_wallet_waits,
                                     .wallet_charge = agreements_wallet_charge,
                                     .wallet_end = agreements_wallet_end}};
    flow = (struct agreements){.steps = &steps, .wallets = &wallets};
    id_make(&anna);
    id_make(&bert);
    on_desk(open_all);
}

static void teardown(void)
{
    desk_stop(desk);
    desk_free(desk);
    world_end(&world);
    wallets_free(wallets.list);
}

/* --- what tests do --- */

static const struct id none = {""};
static const struct agreements_who store = {.client = SLICE("store-key")}, other_store = {.client = SLICE("other-key")},
                                   anna_herself = {.v = &anna_there}, bert_himself = {.v = &bert_there};

static struct agreements_ask ask_of(const char *reference)
{
    return (struct agreements_ask){.client = store.client,
                                   .reference = slice_str(reference),
                                   .subject = SLICE("liu"),
                                   .wallet = SLICE("alipay"),
                                   .currency = CUR_CNY,
                                   .return_url = SLICE("https://shop.example/back"),
                                   .store = SLICE("Example Shop")};
}

/* An answer to a challenge, as a person's app gives it. */
struct answering {
    struct id challenge, holder;
};
static enum keer_err answer_in_db(struct db *db, void *ctx)
{
    struct answering *a = ctx;
    struct challenge c;
    ck_ok(challenge_get(db, &a->challenge, wall(), &c));
    if (!id_is(&c.holder))
        ck_ok(challenge_hold(db, &c.id, &a->holder, wall()));
    ck_ok(challenge_get(db, &a->challenge, wall(), &c));
    struct challenge_answer answer = {.id = c.id,
                                      .account = c.account,
                                      .holder = c.holder,
                                      .kind = c.kind,
                                      .shown_hash = &c.shown_hash,
                                      .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP)};
    return challenge_done(db, &answer, wall());
}
static void do_step(struct desk_worker *w, const struct id *challenge)
{
    struct answering a = {.challenge = *challenge};
    id_make(&a.holder);
    ck_ok(desk_write(w, answer_in_db, &a));
}

static struct agreement link_it(struct desk_worker *w, const char *reference)
{
    struct agreements_answer a;
    struct agreements_ask ask = ask_of(reference);
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_OK);
    do_step(w, &a.challenge);
    return a.agreement;
}
static struct agreement sign_it(struct desk_worker *w, const char *reference)
{
    struct agreements_answer a;
    struct agreement g = link_it(w, reference);
    ck_ok(agreements_sign(&flow, w, &store, &g.id, SLICE(""), &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_OK);
    return a.agreement;
}
static struct wallet_agreement *at_wallet(const char *number)
{
    struct wallet_agreement *a = fake_agreement(&fake, number);
    REQUIRE(a != NULL, "the wallet has no %s", number);
    return a;
}
static enum agreements_taken notice(struct desk_worker *w)
{
    enum agreements_taken taken;
    ck_ok(agreements_notice(&flow, w, wallets_at(wallets.list, 0), &fake.notice, &taken));
    return taken;
}
static struct agreement linked(struct desk_worker *w, const char *reference)
{
    struct agreement g = sign_it(w, reference);
    fake_sign(&fake, g.number, wall());
    ck_assert_int_eq(notice(w), AGREEMENTS_SIGNED);
    return g;
}
static enum agreement_state state_of(struct desk_worker *w, const struct agreement *g, char ret_why[WALLET_WHY_BYTES + 1])
{
    static const struct agreements_who all = {.v = NULL};
    struct agreements_answer a;
    ck_ok(agreements_look(&flow, w, &all, &g->id, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_OK);
    if (ret_why)
        (void)snprintf(ret_why, WALLET_WHY_BYTES + 1, "%s", a.agreement.why);
    return a.agreement.state;
}

struct counting {
    const char *sql;
    int64_t n;
};
static enum keer_err count_in_db(struct db *db, void *ctx)
{
    struct counting *c = ctx;
    return db_number(db, c->sql, &c->n);
}
static int64_t count(struct desk_worker *w, const char *sql)
{
    struct counting c = {.sql = sql};
    ck_ok(desk_read(w, count_in_db, &c));
    return c.n;
}
static int64_t told(struct desk_worker *w, enum notice_kind kind)
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM notice WHERE kind = %d", kind);
    return count(w, sql);
}
#define LINKED "SELECT COUNT(*) FROM account_wallet"
#define DECIDED(type) "SELECT COUNT(*) FROM journal WHERE CAST(body AS TEXT) LIKE '%\"type\":\"" type "\"%'"

/* --- linking --- */

static void link_refusals(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreements_ask ask = ask_of("a");
    ask.wallet = SLICE("nobody");
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_NO_WALLET);
    ask = ask_of("a");
    ask.subject = SLICE("never-seen");
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_ENROL_FIRST);
    ask.subject = SLICE("");
    id_make(&ask.account);
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_NO_ACCOUNT);
    ask.account = bert; /* who has a password, and nothing else */
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_ENROL_FIRST);
    ask = ask_of("a");
    ask.currency = CUR_CHF;
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_NO_CAPS);
    ask = ask_of("a");
    ask.unverified_limit_minor = 100001;
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_BAD_CAPS);
    ask = ask_of("a");
    ask.has_caps = true;
    ask.caps = (struct agreement_caps){500000, -1, -1, -1}; /* above the default of a day */
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_BAD_CAPS);
    ck_assert_int_eq(count(w, "SELECT COUNT(*) FROM agreement"), 0);
    ask = ask_of("denied");
    ask.device = SLICE("thief");
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_DENIED);
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDED);
    ck_assert_int_eq(count(w, "SELECT COUNT(*) FROM challenge"), 0);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_SIGN), 0);
}
START_TEST(what_is_not_linked) { on_desk(link_refusals); }
END_TEST

static enum keer_err freeze(struct db *db, void *ctx)
{
    return guard_freeze(db, &steps.guard, ctx, SLICE("a test"), wall());
}
static void link_held(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = link_it(w, "before");
    ck_ok(desk_write(w, freeze, &anna));
    struct agreements_ask ask = ask_of("after");
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_HELD);
    ck_assert_str_eq(a.hold.why, "frozen");
    ck_ok(agreements_sign(&flow, w, &store, &g.id, SLICE(""), &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_HELD);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_SIGN), 0);
}
START_TEST(a_locked_account_links_nothing) { on_desk(link_held); }
END_TEST

static void link_whole(struct desk_worker *w)
{
    struct agreements_answer a, again;
    struct agreements_ask ask = ask_of("l");
    ck_ok(agreements_link(&flow, w, &ask, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.fresh && a.agreement.state == AGREEMENT_STEP);
    ck_assert_int_eq(count(w, DECIDED("wallet_linked")), 1);
    ck_ok(agreements_link(&flow, w, &ask, &again));
    ck_assert(again.outcome == AGREEMENTS_OK && !again.fresh && id_eq(&again.challenge, &a.challenge));
    ask.return_url = SLICE("https://thief.example/");
    ck_ok(agreements_link(&flow, w, &ask, &again));
    ck_assert_int_eq(again.outcome, AGREEMENTS_REUSED);
    /* the caps are what the person confirms */
    ck_assert_int_eq(count(w, "SELECT COUNT(*) FROM challenge WHERE kind = 2 AND shown LIKE '%\"cap_charge\":\"700.00\"%'"
                              " AND shown LIKE '%\"cap_month\":\"3000.00\"%' AND shown LIKE '%\"store\":\"Example Shop\"%'"),
                     1);

    ck_ok(agreements_sign(&flow, w, &store, &a.agreement.id, SLICE(""), &again));
    ck_assert_int_eq(again.outcome, AGREEMENTS_STEP); /* not done */
    ck_assert_uint_eq(fake_calls(&fake, FAKE_SIGN), 0);
    do_step(w, &a.challenge);
    ck_ok(agreements_sign(&flow, w, &other_store, &a.agreement.id, SLICE(""), &again));
    ck_assert_int_eq(again.outcome, AGREEMENTS_MISSING);
    fake_next(&fake, FAKE_SIGN, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT});
    ck_ok(agreements_sign(&flow, w, &store, &a.agreement.id, SLICE(""), &again));
    ck_assert(again.outcome == AGREEMENTS_UNKNOWN && again.agreement.state == AGREEMENT_SIGNING && !again.url[0]);
    ck_ok(agreements_sign(&flow, w, &store, &a.agreement.id, SLICE(""), &again)); /* the step counts still */
    ck_assert(again.outcome == AGREEMENTS_OK && strncmp(again.url, "https://wallet.example/", 23) == 0);
    ck_assert_int_eq(fake.asked.charge_cap_minor, 70000);
    ck_assert(!again.agreement.ref[0]);

    ck_assert_int_eq(count(w, LINKED), 0);
    fake_sign(&fake, again.agreement.number, wall());
    ck_assert_int_eq(notice(w), AGREEMENTS_SIGNED);
    ck_assert_int_eq(notice(w), AGREEMENTS_NOTHING_NEW); /* twice */
    ck_assert_int_eq(state_of(w, &a.agreement, NULL), AGREEMENT_ACTIVE);
    ck_assert_int_eq(count(w, LINKED), 1);
    ck_assert_int_eq(told(w, NOTICE_WALLET_LINKED), 1);
    ck_ok(agreements_sign(&flow, w, &store, &a.agreement.id, SLICE(""), &again));
    ck_assert(again.outcome == AGREEMENTS_OK && !again.url[0]);
}
START_TEST(linked_with_a_step) { on_desk(link_whole); }
END_TEST

static void link_by_code(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = sign_it(w, "antom");
    ck_ok(agreements_sign(&flow, w, &store, &g.id, SLICE("wrong"), &a));
    ck_assert(a.outcome == AGREEMENTS_REFUSED && a.agreement.state == AGREEMENT_SIGNING);
    ck_ok(agreements_sign(&flow, w, &store, &g.id, SLICE("a code"), &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ACTIVE);
    /* and by a notice that brings the code; a silent wallet tells it again */
    struct agreement n = sign_it(w, "antom-2");
    enum agreements_taken taken;
    fake_sign(&fake, n.number, wall());
    at_wallet(n.number)->state = WALLET_AGREEMENT_TEMP;
    (void)snprintf(fake.notice.auth_code, sizeof fake.notice.auth_code, "a code");
    fake_next(&fake, FAKE_SIGN_FINISH, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT});
    ck_err(agreements_notice(&flow, w, wallets_at(wallets.list, 0), &fake.notice, &taken), KEER_EUNSUPPORTED);
    ck_assert_int_eq(notice(w), AGREEMENTS_SIGNED);
    unsigned finished = fake_calls(&fake, FAKE_SIGN_FINISH);
    ck_assert_int_eq(notice(w), AGREEMENTS_NOTHING_NEW);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_SIGN_FINISH), finished); /* a code that was used is not shown again */
}
START_TEST(signed_by_a_code) { on_desk(link_by_code); }
END_TEST

/* --- ends --- */

static void end_there(struct desk_worker *w)
{
    struct agreement g = linked(w, "g");
    struct wallet_notice signed_notice = fake.notice;
    fake_stop(&fake, g.number, wall());
    ck_assert_int_eq(notice(w), AGREEMENTS_ENDED);
    ck_assert_int_eq(notice(w), AGREEMENTS_NOTHING_NEW);
    char why[WALLET_WHY_BYTES + 1];
    ck_assert_int_eq(state_of(w, &g, why), AGREEMENT_ENDED);
    ck_assert_str_eq(why, "ended at the wallet");
    ck_assert_int_eq(count(w, LINKED), 0);
    ck_assert_int_eq(told(w, NOTICE_WALLET_ENDED), 1);
    ck_assert_int_eq(count(w, DECIDED("agreement_closed")), 1);
    fake.notice = signed_notice; /* the old one, late: it revives nothing, and is no stray */
    ck_assert_int_eq(notice(w), AGREEMENTS_NOTHING_NEW);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_END), 0);
    /* not ours */
    (void)snprintf(fake.notice.agreement.number, sizeof fake.notice.agreement.number, "0000");
    ck_assert_int_eq(notice(w), AGREEMENTS_NOT_OURS);
    struct agreement step = link_it(w, "step");
    (void)snprintf(fake.notice.agreement.number, sizeof fake.notice.agreement.number, "%s", step.number);
    ck_assert_int_eq(notice(w), AGREEMENTS_NOT_OURS); /* the wallet was never told that number */
    ck_assert_int_eq(state_of(w, &step, NULL), AGREEMENT_STEP);
}
START_TEST(ended_at_the_wallet) { on_desk(end_there); }
END_TEST

static void end_out_of_order(struct desk_worker *w)
{
    struct agreement g = sign_it(w, "g");
    fake_sign(&fake, g.number, wall());
    struct wallet_notice signed_notice = fake.notice;
    fake_stop(&fake, g.number, wall());
    ck_assert_int_eq(notice(w), AGREEMENTS_ENDED); /* before it was told to be signed */
    fake.notice = signed_notice;
    ck_assert_int_eq(notice(w), AGREEMENTS_STRAY);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(count(w, "SELECT COUNT(*) FROM agreement WHERE LENGTH(ref) > 0"), 0); /* and it is done with */
}
START_TEST(the_end_before_the_signature) { on_desk(end_out_of_order); }
END_TEST

static void end_here(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g");
    ck_ok(agreements_end(&flow, w, &bert_himself, &g.id, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_MISSING);
    /* the wallet is silent: shut at once, ended when it has said so, asked again by the clock and not before its time */
    fake_next(&fake, FAKE_AGREEMENT_END, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT});
    fake_next(&fake, FAKE_AGREEMENT_QUERY, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT});
    ck_ok(agreements_end(&flow, w, &store, &g.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ENDING);
    ck_assert_int_eq(told(w, NOTICE_WALLET_ENDED), 1);
    fake_next(&fake, FAKE_AGREEMENT_END, (struct fake_end){.answer = WALLET_NOT_SENT, .reason = WALLET_UNREACHABLE});
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDING);
    unsigned asked = fake_calls(&fake, FAKE_AGREEMENT_END);
    agreements_tick(w, &flow);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_END), asked);
    atomic_fetch_add(&now_us, AGREEMENTS_RETRY_US);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(at_wallet(g.number)->state, WALLET_AGREEMENT_STOPPED);
    ck_assert_int_eq(told(w, NOTICE_WALLET_ENDED), 1); /* once */
    ck_assert_int_eq(count(w, DECIDED("agreement_closed")), 1);
    ck_assert_int_eq(count(w, LINKED), 0);
    ck_ok(agreements_end(&flow, w, &store, &g.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ENDED);
    ck_ok(agreements_resume(&flow, w, &store, &g.id, &none, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_STATE);

    /* the answer is lost, the effect was there: the query says so */
    struct agreement h = linked(w, "h");
    fake_next(&fake, FAKE_AGREEMENT_END,
              (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT, .effect = true});
    ck_ok(agreements_end(&flow, w, &anna_herself, &h.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ENDED);
}
START_TEST(ended_here) { on_desk(end_here); }
END_TEST

static void end_while_signing(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = sign_it(w, "g"), step = link_it(w, "step");
    ck_ok(agreements_end(&flow, w, &store, &step.id, &a));
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDED); /* the wallet never heard of it */
    ck_ok(agreements_sign(&flow, w, &store, &step.id, SLICE(""), &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_STATE);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_QUERY), 0);
    ck_ok(agreements_end(&flow, w, &store, &g.id, &a));
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDED);
    ck_assert_int_eq(told(w, NOTICE_WALLET_ENDED), 0); /* nobody had it */
    /* the person's page at the wallet was open still */
    fake_sign(&fake, g.number, wall());
    fake_next(&fake, FAKE_AGREEMENT_END, (struct fake_end){.answer = WALLET_NOT_SENT, .reason = WALLET_UNREACHABLE});
    ck_assert_int_eq(notice(w), AGREEMENTS_STRAY);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(at_wallet(g.number)->state, WALLET_AGREEMENT_NORMAL);
    atomic_fetch_add(&now_us, AGREEMENTS_RETRY_US);
    agreements_tick(w, &flow);
    ck_assert_int_eq(at_wallet(g.number)->state, WALLET_AGREEMENT_STOPPED);
    unsigned asked = fake_calls(&fake, FAKE_AGREEMENT_END);
    atomic_fetch_add(&now_us, AGREEMENTS_RETRY_US);
    agreements_tick(w, &flow);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_END), asked);
    ck_assert_int_eq(told(w, NOTICE_WALLET_LINKED), 0);
}
START_TEST(signed_after_its_end) { on_desk(end_while_signing); }
END_TEST

/* --- the clock --- */

static void lapse(struct desk_worker *w)
{
    char why[WALLET_WHY_BYTES + 1];
    struct agreement step = link_it(w, "step"), left = sign_it(w, "left"), silent = sign_it(w, "silent"),
                     lost = sign_it(w, "lost");
    fake_sign(&fake, lost.number, wall()); /* and its notice never comes */
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &step, NULL), AGREEMENT_STEP);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_QUERY), 0);
    atomic_fetch_add(&now_us, AGREEMENT_SIGN_US);
    UNUSED(silent);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &step, why), AGREEMENT_ENDED);
    ck_assert_str_eq(why, "lapsed");
    ck_assert_int_eq(state_of(w, &left, why), AGREEMENT_ENDED);
    ck_assert_str_eq(why, "lapsed");
    ck_assert_int_eq(state_of(w, &lost, NULL), AGREEMENT_ACTIVE); /* the wallet was asked before */
    ck_assert_int_eq(count(w, LINKED), 1);
}
START_TEST(what_nobody_signed_lapses) { on_desk(lapse); }
END_TEST

static void lapse_silent(struct desk_worker *w)
{
    struct agreement g = sign_it(w, "g");
    atomic_fetch_add(&now_us, AGREEMENT_SIGN_US);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_TIMED_OUT});
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_SIGNING); /* it may have been signed */
    atomic_fetch_add(&now_us, AGREEMENTS_RETRY_US);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
}
START_TEST(a_silent_wallet_lapses_nothing) { on_desk(lapse_silent); }
END_TEST

/* Antom: nobody can be asked whether it was signed. */
static void lapse_unasked(struct desk_worker *w)
{
    char why[WALLET_WHY_BYTES + 1];
    struct agreement g = sign_it(w, "g");
    struct wallet_notice code = {.kind = WALLET_NOTICE_AGREEMENT, .auth_code = "late"};
    enum agreements_taken taken;
    (void)snprintf(code.agreement.number, sizeof code.agreement.number, "%s", g.number);
    atomic_fetch_add(&now_us, AGREEMENT_SIGN_US);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, (struct fake_end){.answer = WALLET_NO, .reason = WALLET_NOT_POSSIBLE});
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, why), AGREEMENT_ENDED);
    ck_assert_str_eq(why, "lapsed");
    ck_ok(agreements_notice(&flow, w, wallets_at(wallets.list, 0), &code,
                            &taken)); /* its code comes after that, and opens nothing */
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_SIGN_FINISH), 0);
}
START_TEST(what_can_not_be_asked_lapses) { on_desk(lapse_unasked); }
END_TEST

struct reading {
    struct id id;
    struct agreement a;
};
static enum keer_err read_in_db(struct db *db, void *ctx)
{
    struct reading *r = ctx;
    return agreement_get(db, &accounts.key, &r->id, &r->a);
}

/* And one that is signed holds as long as its token does, or the next one. */
static void expire_unasked(struct desk_worker *w)
{
    struct fake_end unasked = {.answer = WALLET_NO, .reason = WALLET_NOT_POSSIBLE};
    struct agreements_answer a;
    struct agreement g = sign_it(w, "g"), h = sign_it(w, "h");
    at_wallet(g.number)->valid_until_us = wall() + 3 * US_DAY;
    fake_sign(&fake, g.number, wall());
    ck_assert_int_eq(notice(w), AGREEMENTS_SIGNED);
    fake_sign(&fake, h.number, wall()); /* without an end */
    ck_assert_int_eq(notice(w), AGREEMENTS_SIGNED);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, unasked);
    ck_ok(agreements_sync(&flow, w, &store, &g.id, &a));
    ck_assert(a.agreement.state == AGREEMENT_ACTIVE && a.agreement.valid_until_us == at_wallet(g.number)->valid_until_us);
    struct wallet_agreement *there = at_wallet(g.number); /* a new token, and a new end */
    (void)snprintf(there->ref, sizeof there->ref, "token-2");
    (void)snprintf(there->refresh, sizeof there->refresh, "refresh-2");
    there->valid_until_us = wall() + 5 * US_DAY;
    ck_ok(agreements_sync(&flow, w, &store, &g.id, &a));
    ck_assert(a.agreement.state == AGREEMENT_ACTIVE && a.agreement.valid_until_us == there->valid_until_us);
    struct reading r = {.id = g.id};
    ck_ok(desk_read(w, read_in_db, &r));
    ck_assert_str_eq(r.a.ref, "token-2");
    ck_assert_str_eq(r.a.refresh, "refresh-2");
    atomic_fetch_add(&now_us, 5 * US_DAY);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, unasked);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, unasked);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(state_of(w, &h, NULL), AGREEMENT_ACTIVE);
}
START_TEST(what_can_not_be_asked_ends_with_its_token) { on_desk(expire_unasked); }
END_TEST

/* A gateway that leaves every refusal unsigned. */
static void end_unsigned(struct desk_worker *w)
{
    struct fake_end refusal = {.answer = WALLET_UNKNOWN, .reason = WALLET_UNSIGNED_REFUSAL};
    static const struct agreements_who admin = {.v = NULL};
    struct orphans watch = {.list = wallets.list};
    struct agreements_answer a;
    struct agreement g = linked(w, "g");
    for (unsigned i = 0; i < 8; i++) {
        fake_next(&fake, FAKE_AGREEMENT_END, refusal);
        fake_next(&fake, FAKE_AGREEMENT_QUERY, refusal);
    }
    ck_ok(agreements_end(&flow, w, &store, &g.id, &a));
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDING);
    ck_ok(agreements_end_seen(&flow, w, &admin, &g.id, &a)); /* not yet: it is the wallet's to say */
    ck_assert_int_eq(a.outcome, AGREEMENTS_STATE);
    atomic_fetch_add(&now_us, AGREEMENT_STUCK_US);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDING); /* nothing that was signed */
    orphans_tick(w, &watch);
    ck_assert_int_eq(atomic_load(&watch.stuck), 1);
    ck_ok(agreements_end_seen(&flow, w, &admin, &g.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ENDED);
    orphans_tick(w, &watch);
    ck_assert_int_eq(atomic_load(&watch.stuck), 0);
    ck_ok(agreements_end_seen(&flow, w, &admin, &g.id, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_STATE);
}
START_TEST(what_a_wallet_does_not_sign_ends_by_hand) { on_desk(end_unsigned); }
END_TEST

/* The wallet's signed word about it, by a query, ends it: its refusal to end one that is gone counts for nothing. */
static void end_by_query(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g");
    at_wallet(g.number)->state = WALLET_AGREEMENT_STOPPED;
    fake_next(&fake, FAKE_AGREEMENT_END, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_UNSIGNED_REFUSAL});
    ck_ok(agreements_end(&flow, w, &store, &g.id, &a));
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDED);
}
START_TEST(a_query_ends_what_is_gone) { on_desk(end_by_query); }
END_TEST

static void sync_daily(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g"), h = linked(w, "h");
    at_wallet(g.number)->state = WALLET_AGREEMENT_STOPPED; /* its notice is lost */
    at_wallet(h.number)->state = WALLET_AGREEMENT_STOPPED;
    agreements_tick(w, &flow);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_QUERY), 0);
    ck_ok(agreements_sync(&flow, w, &store, &h.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_ENDED && a.agreement.by_wallet);
    atomic_fetch_add(&now_us, AGREEMENT_SYNC_US);
    fake_next(&fake, FAKE_AGREEMENT_QUERY, (struct fake_end){.answer = WALLET_UNKNOWN, .reason = WALLET_BAD_SIGNATURE});
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ACTIVE); /* an answer that is not signed says nothing */
    unsigned asked = fake_calls(&fake, FAKE_AGREEMENT_QUERY);
    agreements_tick(w, &flow);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_QUERY), asked);
    atomic_fetch_add(&now_us, AGREEMENTS_SYNC_RETRY_US);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
}
START_TEST(wallets_are_asked_daily) { on_desk(sync_daily); }
END_TEST

/* --- limits --- */

/* Closing waits for no wallet, and the clock sees to what it left. */
static void close_account(struct desk_worker *w)
{
    struct store_case c = {.a = &accounts, .id = anna, .now_us = wall()};
    struct agreement active = linked(w, "active"), signing = sign_it(w, "signing"), step = link_it(w, "step"),
                     ended = linked(w, "ended");
    struct agreements_answer a;
    ck_ok(agreements_end(&flow, w, &store, &ended.id, &a));
    ck_assert_int_eq(a.agreement.state, AGREEMENT_ENDED);
    unsigned asked = fake_calls(&fake, FAKE_AGREEMENT_END);
    ck_ok(desk_write(w, store_account_close, &c));
    ck_assert_int_eq(c.account.state, ACCOUNT_CLOSED);
    ck_assert_uint_eq(fake_calls(&fake, FAKE_AGREEMENT_END), asked); /* no wallet was called */
    ck_assert_int_eq(state_of(w, &active, NULL), AGREEMENT_ENDING);
    ck_assert_int_eq(state_of(w, &signing, NULL), AGREEMENT_ENDING);
    ck_assert_int_eq(state_of(w, &step, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(state_of(w, &ended, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(told(w, NOTICE_ACCOUNT_CLOSED), 1);
    ck_err(desk_write(w, store_account_close, &c), KEER_EMISSING); /* once */

    fake_next(&fake, FAKE_AGREEMENT_END, (struct fake_end){.answer = WALLET_NOT_SENT, .reason = WALLET_UNREACHABLE});
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &active, NULL), AGREEMENT_ENDING);
    atomic_fetch_add(&now_us, -US_DAY); /* and the clock is set back: it is not waited for */
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &active, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(state_of(w, &signing, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(at_wallet(active.number)->state, WALLET_AGREEMENT_STOPPED);
}
START_TEST(an_account_that_is_closed_ends_its_agreements) { on_desk(close_account); }
END_TEST

#define KEEP           \
    {                  \
        -1, -1, -1, -1 \
    }

static void limits(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g");
    struct agreement_limits low = {{10000, 20000, -1, -1}, -1}, high = {{10000, 40000, -1, -1}, -1},
                            mixed = {{5000, 30000, -1, -1}, -1}, bad = {{20001, -1, -1, -1}, -1}, limit = {KEEP, 50000};
    ck_ok(agreements_limits(&flow, w, &other_store, &g.id, &low, &none, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_MISSING);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &low, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.lowered && a.agreement.caps.charge_minor == 10000);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &bad, &none, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_BAD_CAPS);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &high, &none, &a)); /* a store raises nothing */
    ck_assert(a.outcome == AGREEMENTS_PERSON && a.agreement.caps.charge_minor == 10000 &&
              a.agreement.caps.day_minor == 20000);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &mixed, &none, &a)); /* but lowers what is lower */
    ck_assert(a.outcome == AGREEMENTS_PERSON && a.lowered && a.agreement.caps.charge_minor == 5000 &&
              a.agreement.caps.day_minor == 20000);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &limit, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_PERSON && a.agreement.unverified_limit_minor == 0);

    /* the person, with a step that is bound to just this */
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &high, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_GUARD && a.guard.outcome == GUARD_STEP && a.agreement.caps.charge_minor == 5000);
    struct id challenge = a.guard.challenge;
    do_step(w, &challenge);
    struct agreement_limits higher = {{11000, 41000, -1, -1}, -1}, phone = {{800000, 1000000, 1000000, -1}, -1},
                            never = {{5000, 1000001, 1000001, -1}, -1};
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &higher, &challenge, &a));
    ck_assert(a.outcome == AGREEMENTS_GUARD && a.guard.outcome == GUARD_BAD_STEP);
    ck_ok(agreements_limits(&flow, w, &bert_himself, &g.id, &high, &challenge, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_MISSING);
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &high, &challenge, &a));
    ck_assert(a.outcome == AGREEMENTS_GUARD && a.guard.outcome == GUARD_APPLIED);
    ck_assert(a.agreement.caps.charge_minor == 10000 && a.agreement.caps.day_minor == 40000);
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &higher, &challenge, &a)); /* once */
    ck_assert_int_eq(a.guard.outcome, GUARD_BAD_STEP);
    ck_assert_int_eq(told(w, NOTICE_WALLET_LIMIT_RAISED), 1);

    /* a second one within seven days waits, and so does a telephone; above the ceiling there is nothing */
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &phone, &none, &a));
    ck_assert_int_eq(a.guard.outcome, GUARD_STEP);
    challenge = a.guard.challenge;
    do_step(w, &challenge);
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &phone, &challenge, &a));
    ck_assert(a.outcome == AGREEMENTS_GUARD && a.guard.outcome == GUARD_WAITS && a.agreement.caps.charge_minor == 10000);
    ck_ok(agreements_look(&flow, w, &store, &g.id, &a));
    ck_assert(a.hold.held && strcmp(a.hold.why, "change_waits") == 0);
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &never, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_CEILING && a.agreement.caps.charge_minor == 10000); /* nor lowered */
    ck_assert_int_eq(a.agreement.ceiling.day_minor, 1000000);

    /* what a policy denies */
    struct visitor thief = anna_there;
    struct agreements_who by_thief = {.v = &thief};
    (void)snprintf(thief.ip, sizeof thief.ip, "203.0.113.66");
    ck_ok(agreements_limits(&flow, w, &by_thief, &g.id, &higher, &none, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_DENIED);
    ck_ok(agreements_limits(&flow, w, &by_thief, &g.id, &low, &none, &a)); /* lower is never denied */
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.caps.charge_minor == 10000);
}
START_TEST(limits_go_down_at_once_and_up_with_a_step) { on_desk(limits); }
END_TEST

struct undoing {
    enum notice_kind kind;
    struct guard_not_me got;
};
static enum keer_err press_not_me(struct db *db, void *ctx)
{
    struct undoing *u = ctx;
    struct db_stmt *s;
    struct id id;
    struct bearer token;
    ck_ok(QUERY_ONE(db, &s, "SELECT id FROM notice WHERE kind = $1 ORDER BY created_us DESC LIMIT 1", Q_NUMBER(u->kind)));
    ck_ok(query_id(s, 0, &id));
    db_free(s);
    notice_not_me(&accounts.key, &id, &token);
    return guard_not_me(db, &steps.guard, slice_str(token.text), wall(), &u->got);
}

static void not_me_limits(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g");
    struct agreement_limits high = {{90000, 110000, -1, -1}, -1}, low = {{-1, 105000, -1, -1}, -1};
    struct undoing u = {.kind = NOTICE_WALLET_LIMIT_RAISED};
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &high, &none, &a));
    do_step(w, &a.guard.challenge);
    struct id challenge = a.guard.challenge;
    ck_ok(agreements_limits(&flow, w, &anna_herself, &g.id, &high, &challenge, &a));
    ck_assert_int_eq(a.guard.outcome, GUARD_APPLIED);
    ck_ok(agreements_limits(&flow, w, &store, &g.id, &low, &none, &a));
    ck_ok(desk_write(w, press_not_me, &u));
    ck_assert(u.got.undone && u.got.frozen);
    ck_ok(agreements_look(&flow, w, &store, &g.id, &a));
    ck_assert(a.agreement.caps.charge_minor == 70000 && a.agreement.caps.day_minor == 100000);
    ck_assert_str_eq(a.hold.why, "frozen");
}
START_TEST(not_me_takes_a_raise_back) { on_desk(not_me_limits); }
END_TEST

static void not_me_link(struct desk_worker *w)
{
    struct agreement g = linked(w, "g");
    struct undoing u = {.kind = NOTICE_WALLET_LINKED};
    ck_ok(desk_write(w, press_not_me, &u));
    ck_assert(u.got.undone && u.got.frozen);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDING);
    agreements_tick(w, &flow);
    ck_assert_int_eq(state_of(w, &g, NULL), AGREEMENT_ENDED);
    ck_assert_int_eq(at_wallet(g.number)->state, WALLET_AGREEMENT_STOPPED);
}
START_TEST(not_me_takes_a_link_back) { on_desk(not_me_link); }
END_TEST

static void pausing(struct desk_worker *w)
{
    struct agreements_answer a;
    struct agreement g = linked(w, "g"), step = link_it(w, "step");
    ck_ok(agreements_pause(&flow, w, &store, &step.id, &a));
    ck_assert_int_eq(a.outcome, AGREEMENTS_STATE);
    ck_ok(agreements_pause(&flow, w, &store, &g.id, &a));
    ck_assert(a.outcome == AGREEMENTS_OK && a.agreement.state == AGREEMENT_PAUSED);
    ck_ok(agreements_pause(&flow, w, &store, &g.id, &a)); /* again is fine */
    ck_assert_int_eq(a.outcome, AGREEMENTS_OK);
    ck_ok(agreements_resume(&flow, w, &store, &g.id, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_PERSON && a.agreement.state == AGREEMENT_PAUSED);
    ck_ok(agreements_resume(&flow, w, &anna_herself, &g.id, &none, &a));
    ck_assert(a.outcome == AGREEMENTS_GUARD && a.guard.outcome == GUARD_STEP);
    struct id challenge = a.guard.challenge;
    do_step(w, &challenge);
    ck_ok(agreements_resume(&flow, w, &anna_herself, &g.id, &challenge, &a));
    ck_assert(a.guard.outcome == GUARD_APPLIED && a.agreement.state == AGREEMENT_ACTIVE);
}
START_TEST(paused_at_once_and_resumed_with_a_step) { on_desk(pausing); }
END_TEST

int main(void)
{
    Suite *s = suite_create("agreements_flow");
    TCase *t = tcase_create("agreements");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_not_linked);
    tcase_add_test(t, a_locked_account_links_nothing);
    tcase_add_test(t, linked_with_a_step);
    tcase_add_test(t, signed_by_a_code);
    tcase_add_test(t, ended_at_the_wallet);
    tcase_add_test(t, the_end_before_the_signature);
    tcase_add_test(t, ended_here);
    tcase_add_test(t, signed_after_its_end);
    tcase_add_test(t, what_nobody_signed_lapses);
    tcase_add_test(t, a_silent_wallet_lapses_nothing);
    tcase_add_test(t, what_can_not_be_asked_lapses);
    tcase_add_test(t, what_can_not_be_asked_ends_with_its_token);
    tcase_add_test(t, what_a_wallet_does_not_sign_ends_by_hand);
    tcase_add_test(t, a_query_ends_what_is_gone);
    tcase_add_test(t, wallets_are_asked_daily);
    tcase_add_test(t, limits_go_down_at_once_and_up_with_a_step);
    tcase_add_test(t, not_me_takes_a_raise_back);
    tcase_add_test(t, an_account_that_is_closed_ends_its_agreements);
    tcase_add_test(t, not_me_takes_a_link_back);
    tcase_add_test(t, paused_at_once_and_resumed_with_a_step);
    suite_add_tcase(s, t);
    return test_main(s);
}
