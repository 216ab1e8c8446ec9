/* pay_kit.h - the way of a charge without daemon and threads: each step in a transaction of its own, a wallet in memory, a clock
 * of the test's. */
#ifndef TESTS_LIB_PAY_KIT_H
#define TESTS_LIB_PAY_KIT_H
#include "flow/refund.h"
#include "lib/charge_kit.h"
#include "lib/wallet_fake.h"

struct pay_kit {
    struct wallet_fake fake;
    struct flow_wallets wallets;
    struct accounts accounts;
    struct steps steps;
    struct pay pay;
    int64_t now_us;
    struct id anna, link; /* an account, and its agreement */
};
static struct pay_kit pk;

static inline int64_t pay_wall(void *ctx)
{
    UNUSED(ctx);
    return pk.now_us;
}
/* An agreement that the fake knows as well. */
static inline struct id pay_agreement(const struct id *account, int64_t unverified_minor)
{
    struct id id = kit_agreement(account, CUR_CNY, unverified_minor);
    struct agreement a = kit_agreement_now(&id);
    struct wallet_agreement *w = &pk.fake.agreements[pk.fake.agreements_count++];
    *w = (struct wallet_agreement){.state = WALLET_AGREEMENT_NORMAL};
    (void)snprintf(w->number, sizeof w->number, "%s", a.number);
    (void)snprintf(w->ref, sizeof w->ref, "%s", a.ref);
    return id;
}
static inline void pay_begin(void)
{
    fake_init(&pk.fake);
    pk.now_us = T0 + US_MINUTE;
    ck_ok(wallets_new(&pk.wallets.list));
    ck_ok(wallets_add(pk.wallets.list,
                      &(struct wallet_options){
                          .name = "alipay", .driver = &wallet_fake_driver, .self = &pk.fake, .breaker_failures = 1000000}));
    pk.wallets.calls.wall_us = pay_wall;
    pk.wallets.url = "https://id.example";
    pk.steps.accounts = &pk.accounts;
    pk.steps.guard.key = &kit_key;
    pk.pay = (struct pay){.steps = &pk.steps, .wallets = &pk.wallets, .terms = kit_terms};
    pk.anna = kit_account("anna@example.org");
    pk.link = pay_agreement(&pk.anna, 0);
}
static inline void pay_setup(void)
{
    kit_open();
    pay_begin();
    kit_keep();
}
static inline void pay_teardown(void)
{
    kit_books_good();
    wallets_free(pk.wallets.list);
    kit_close();
}

/* A step as the desk runs it. */
static inline enum keer_err pay_step(desk_fn *fn, void *ctx)
{
    enum keer_err err = fn(db, ctx);
    if (err == KEER_OK && db_commit(db) != DB_COMMITTED)
        err = KEER_EIO;
    if (err != KEER_OK)
        db_rollback(db);
    while (db_begin(db) != KEER_OK) /* it is what fails, perhaps */
        continue;
    return err;
}
static inline struct pay_ask pay_order(const char *key, const struct id *agreement, int64_t amount_minor)
{
    return (struct pay_ask){.client = SLICE("store"),
                            .key = slice_str(key),
                            .agreement = *agreement,
                            .amount_minor = amount_minor,
                            .currency = CUR_CNY,
                            .payee = SLICE("Apple"),
                            .item = SLICE("gems-648"),
                            .device = SLICE("iphone-x")};
}
/* From a request to its answer, as pay_charge does; `outcome` is what the engine says. */
static inline enum keer_err pay_way(const struct pay_ask *ask, enum keer_outcome outcome, struct pay_case *ret)
{
    *ret = (struct pay_case){.p = &pk.pay, .ask = ask, .now_us = pk.now_us};
    buf_init(&ret->event, CHARGE_REQUEST_BYTES);
    enum keer_err err = pay_step(pay_add, ret);
    ret->outcome = outcome;
    if (err == KEER_OK && ret->next == PAY_DECIDE)
        err = pay_step(pay_gate, ret);
    ret->can_cancel = true;
    bool call = err == KEER_OK && ret->next == PAY_SEND;
    while (call) {
        pay_call(&pk.pay, ret);
        err = pay_step(pay_settle, ret);
        call = err == KEER_OK && pay_after(ret) != PAY_ANSWER;
    }
    buf_release(&ret->event);
    return err;
}
/* One turn of the timer for a charge, as settle_charge does. KEER_EMISSING: it is not due. */
static inline enum keer_err pay_tick(const struct id *charge, struct pay_case *c)
{
    *c = (struct pay_case){.p = &pk.pay, .id = *charge, .now_us = pk.now_us, .can_cancel = true};
    enum keer_err err = pay_step(pay_turn, c);
    if (err != KEER_OK || c->next == PAY_ANSWER)
        return err;
    bool cancelled = c->next == PAY_CANCEL;
    pay_call(&pk.pay, c);
    err = pay_step(pay_settle, c);
    if (err == KEER_OK && cancelled && c->settled == CHARGE_IS_OPEN) {
        c->next = PAY_QUERY;
        pay_call(&pk.pay, c);
        err = pay_step(pay_settle, c);
    }
    if (err == KEER_OK && !cancelled && pay_after(c) == PAY_CANCEL) {
        pay_call(&pk.pay, c);
        return pay_step(pay_settle, c);
    }
    if (err != KEER_OK || cancelled || c->settled != CHARGE_IS_ABSENT)
        return err;
    err = pay_step(pay_again, c);
    if (err != KEER_OK || c->next == PAY_ANSWER)
        return err;
    pay_call(&pk.pay, c);
    return pay_step(pay_settle, c);
}
/* The clock goes to when it is due, and on, until it has ended. */
static inline struct charge pay_until_settled(const struct id *charge)
{
    struct charge c;
    struct pay_case turn;
    ck_ok(charge_read(db, charge, &c));
    for (int i = 0; i < 40 && (c.state == CHARGE_SUBMITTED || c.state == CHARGE_UNKNOWN); i++) {
        ck_assert_int_gt(c.ask_us, 0);
        pk.now_us = MAX_OF(pk.now_us, c.ask_us);
        ck_ok(pay_tick(charge, &turn));
        ck_ok(charge_read(db, charge, &c));
    }
    return c;
}
/* The person answers the challenge of a charge. */
static inline void pay_answer_step(const struct id *challenge, int64_t now_us)
{
    struct challenge c;
    struct id browser;
    id_make(&browser);
    ck_ok(challenge_hold(db, challenge, &browser, now_us));
    ck_ok(challenge_get(db, challenge, now_us, &c));
    ck_ok(challenge_done(db,
                         &(struct challenge_answer){.id = c.id,
                                                    .account = c.account,
                                                    .holder = browser,
                                                    .kind = CHALLENGE_PAYMENT,
                                                    .shown_hash = &c.shown_hash,
                                                    .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP),
                                                    .amr = CHALLENGE_AMR_OTP},
                         now_us));
}
static inline enum keer_err pay_told(const struct wallet_notice *n, struct pay_case *ret)
{
    *ret = (struct pay_case){.p = &pk.pay, .notice = n, .wallet = "alipay", .now_us = pk.now_us};
    return pay_step(pay_notice, ret);
}
/* The notice of how a charge stands at the fake. */
static inline struct wallet_notice pay_notice_of(const char *number, const char *id)
{
    struct wallet_notice n = {.kind = WALLET_NOTICE_CHARGE};
    const struct wallet_charge *row = fake_charge_row(&pk.fake, number);
    ck_assert_ptr_nonnull(row);
    if (row)
        n.charge = *row;
    (void)snprintf(n.id, sizeof n.id, "%s", id);
    return n;
}
#endif
