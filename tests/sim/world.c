/* world.c - the world of charges: three people, two wallets, one store; what they do is drawn from the seed.
 *
 * Every request is the real line of code of flow/ on a stack of its own (task.c). Between two steps of it others go on, the
 * clock jumps, notices come, the process ends. What was answered is remembered: the same request again must be answered so.
 */
#include "sim/world.h"

#include "account/family.h"
#include "account/password.h"
#include "flow/agreements.h"
#include "flow/balance.h"
#include "flow/settle.h"
#include "flow/wallet_notices.h"
#include "stepup/totp.h"
#include "store/query.h"
#include "wallet/books.h"

#define STEPS 400u
#define PEOPLE 3u
#define ASKED_MAX 96u
#define AGREEMENTS 5u
#define LIVE_STEPS 4000u /* of the end, after which nothing may wait */
#define STORE SLICE("store")

struct person {
    struct id account, device;
    struct visitor visitor;
};
struct asked { /* a charge, refund or spend that was asked for */
    enum { ASKED_CHARGE, ASKED_REFUND, ASKED_SPEND } kind;
    char key[32];
    struct id id; /* when it was answered */
    struct id of; /* agreement, charge, account */
    int64_t amount_minor;
    bool top_up;
    unsigned buyer;
    int ended; /* the state that was answered, when it was an end; -1 */
};
static struct person people[PEOPLE];
static struct asked asked[ASKED_MAX];
static unsigned asked_count, linked_count;
static struct id linked[AGREEMENTS];
static uint64_t operations, calm_operations, calm_requests;

static struct accounts accounts;
static struct steps steps;
static struct flow_wallets wallets;
static struct pay pay;
static struct agreements agreements;
static struct settle settles[PURSES];
static struct wallet_notices noticing;
static struct desk_worker *const nobody = NULL;

/* --- what flow/ asks of wallets.c --- */

struct wallet *__wrap_wallets_find(struct wallets *ws, struct slice name);
struct wallet *__wrap_wallets_find(struct wallets *ws, struct slice name)
{
    UNUSED(ws);
    return purse_find(name);
}

/* --- people --- */

static void make_person(unsigned i, const char *address, int64_t at_us)
{
    struct person *p = &people[i];
    struct identifier a;
    struct identifier_why why;
    struct id contact, id;
    struct device d;
    struct totp_enrolment e;
    struct bearer token;
    char phc[PASSWORD_PHC_BYTES];
    bool fresh;
    id_make(&p->account);
    SIM_OK(account_add(sim.db, &p->account, SLICE("Liu"), SLICE("en"), at_us));
    SIM_OK(identifier_guess(slice_str(address), &a, &why));
    SIM_OK(contact_add(sim.db, &p->account, &a, 0, at_us, &contact));
    SIM_OK(contact_verify(sim.db, &p->account, &contact, at_us));
    password_dummy(phc);
    SIM_OK(password_write(sim.db, &p->account, phc, at_us));
    SIM_OK(totp_enrol(sim.db, &accounts.key, &p->account, SLICE("app"), at_us, &e));
    SIM_OK(authenticator_move(sim.db, &p->account, &e.id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), AUTHENTICATOR_ACTIVE,
                              at_us));
    crypto_random(&p->visitor.device, sizeof p->visitor.device);
    SIM_OK(device_see(sim.db, &p->account, &p->visitor.device, SLICE("firefox"), at_us, &d, &fresh));
    p->device = d.id;
    struct session_new n = {.account = p->account,
                            .rights = SESSION_FULL,
                            .acr = SESSION_ACR_1,
                            .amr = "pwd",
                            .device_hash = p->visitor.device,
                            .device = d.id,
                            .ip = SLICE("192.0.2.1"),
                            .family = SLICE("firefox")};
    SIM_OK(session_begin(sim.db, &n, at_us, &id, &token));
    SIM_OK(session_read(sim.db, &id, at_us, &p->visitor.now));
    p->visitor.session = id;
    p->visitor.family = "firefox";
    (void)snprintf(p->visitor.ip, sizeof p->visitor.ip, "192.0.2.1");
}

/* Liu organises a family with her daughter; Wu is somebody else. */
static void make_people(void)
{
    int64_t at_us = sim.now_us - 50 * US_DAY;
    struct id family, invitation;
    struct family_member member;
    memset(people, 0, sizeof people);
    sim_begin();
    make_person(0, "liu@example.org", at_us);
    make_person(1, "daughter@example.org", at_us);
    make_person(2, "wu@example.org", at_us);
    SIM_OK(family_add(sim.db, &people[0].account, at_us, &family));
    SIM_OK(family_invite(sim.db, &people[0].account, &people[1].account, FAMILY_CHILD, at_us, &invitation));
    SIM_OK(family_join(sim.db, &people[1].account, &invitation, at_us, &member));
    sim_commit();
}

static enum keer_err take_agreement(void *ctx, struct desk_worker *w, struct wallet *wallet, const struct wallet_notice *n)
{
    enum agreements_taken taken;
    return agreements_notice(ctx, w, wallet, n, &taken);
}

static void start(void)
{
    accounts = (struct accounts){.key = {{7}}, .words = {.service = "Keersluis", .url = "https://keer.example"}};
    steps = (struct steps){.accounts = &accounts,
                           .guard = {.key = &accounts.key,
                                     .first_us = GUARD_FIRST_US,
                                     .wait_us = GUARD_WAIT_US,
                                     .recovery_us = RECOVERY_WAIT_US,
                                     .wallet_limit = agreements_wallet_limit,
                                     .wallet_waits = agreements_wallet_waits,
                                     .wallet_charge = agreements_wallet_charge,
                                     .wallet_end = agreements_wallet_end}};
    wallets = (struct flow_wallets){.calls = *purse_calls(), .url = "https://keer.example"};
    pay = (struct pay){.steps = &steps,
                       .wallets = &wallets,
                       /* what an operator may set, too: a number is sent again for longer */
                       .terms = {.resend_us = rng_chance(&sim.rng, 0.5) ? CHARGE_RESEND_US : CHARGE_GONE_US / 2,
                                 .gone_us = CHARGE_GONE_US,
                                 .hold_us = CHARGE_HOLD_US}};
    agreements = (struct agreements){.steps = &steps, .wallets = &wallets};
    noticing = (struct wallet_notices){.p = &pay, .agreement = take_agreement, .agreement_ctx = &agreements};
    purse_start();
    for (unsigned i = 0; i < PURSES; i++)
        settles[i] = (struct settle){.p = &pay, .wallet = purse_wallet(i)};
    asked_count = linked_count = 0;
    operations = calm_operations = calm_requests = 0;
    check_start();
    decide_start();
}

/* --- requests: each is a task --- */

struct request { /* one place for each stack */
    bool busy;
    struct asked *asked;
    int ended; /* as it was known when it was asked for */
    struct id id;
    unsigned who;
    char reference[16];
};
static struct request requests[TASKS_MAX];
static struct request *request_take(void)
{
    for (unsigned i = 0; i < TASKS_MAX; i++)
        if (!requests[i].busy) {
            requests[i] = (struct request){.busy = true};
            return &requests[i];
        }
    return NULL;
}
static bool begin(void (*run)(void *ctx), struct request *r)
{
    r->ended = r->asked ? r->asked->ended : -1;
    if (!task_start(run, r)) {
        r->busy = false;
        return false;
    }
    operations++;
    return true;
}

/* A request that fails is asked again by whoever wants it. */
static void ignore(enum keer_err err) { UNUSED(err); }

/* What was answered once is answered again: the id, and an end that was known before it was asked. */
static void answered(const struct request *r, const struct id *id, int state, bool ended)
{
    struct asked *a = r->asked;
    SIM_CHECK(11, !id_is(&a->id) || id_eq(&a->id, id), "key %s: another id than before", a->key);
    SIM_CHECK(8, r->ended < 0 || r->ended == state, "key %s: it ended as %d, and now it is %d", a->key, r->ended, state);
    a->id = *id;
    if (ended)
        a->ended = state;
}

static void run_charge(void *ctx)
{
    struct request *r = ctx;
    struct asked *a = r->asked;
    struct pay_answer answer;
    char device[32];
    (void)snprintf(device, sizeof device, "device-%u", a->buyer);
    struct pay_ask ask = {.client = STORE,
                          .key = slice_str(a->key),
                          .agreement = a->of,
                          .account = people[a->buyer].account,
                          .kind = a->top_up ? CHARGE_TOP_UP : CHARGE_PURCHASE,
                          .amount_minor = a->amount_minor + r->who, /* who: something else under the same key */
                          .currency = CUR_CNY,
                          .payee = SLICE("Game Store"),
                          .item = SLICE("coins"),
                          .device = slice_str(device)};
    enum keer_err err = pay_charge(&pay, nobody, &ask, &answer);
    if (r->who) {
        SIM_CHECK(11, err != KEER_OK, "key %s was taken for something else", a->key);
        if (err == KEER_ECONFLICT)
            sim_count(OUT_key_other_body);
    } else if (err == KEER_OK) {
        sim_count(answer.fresh ? OUT_key_fresh : OUT_key_again);
        answered(r, &answer.charge.id, (int)answer.charge.state, answer.charge.state >= CHARGE_PAID);
    } else
        sim_count(OUT_key_failed);
    pay_answer_release(&answer);
    r->busy = false;
}
static void run_confirm(void *ctx)
{
    struct request *r = ctx;
    struct pay_answer answer;
    if (pay_confirm(&pay, nobody, STORE, &r->asked->id, &answer) == KEER_OK)
        answered(r, &answer.charge.id, (int)answer.charge.state, answer.charge.state >= CHARGE_PAID);
    pay_answer_release(&answer);
    r->busy = false;
}
static void run_cancel(void *ctx)
{
    struct request *r = ctx;
    struct pay_case c = {.p = &pay, .client = STORE, .id = r->asked->id, .now_us = sim.now_us};
    buf_init(&c.event, CHARGE_REQUEST_BYTES);
    if (desk_write(nobody, pay_cancel, &c) == KEER_OK)
        answered(r, &c.charge.id, (int)c.charge.state, c.charge.state >= CHARGE_PAID);
    buf_release(&c.event);
    r->busy = false;
}
static void run_refund(void *ctx)
{
    struct request *r = ctx;
    struct asked *a = r->asked;
    struct give_case c;
    struct give_ask ask = {.client = STORE,
                           .key = slice_str(a->key),
                           .reason = SLICE("asked for"),
                           .charge = a->of,
                           .amount_minor = a->amount_minor,
                           .currency = CUR_MAX};
    if (give_back(&pay, nobody, &ask, &c) == KEER_OK)
        answered(r, &c.refund.id, (int)c.refund.state, c.refund.state >= REFUND_PAID);
    r->busy = false;
}
static void run_spend(void *ctx)
{
    struct request *r = ctx;
    struct asked *a = r->asked;
    struct spending s = {0};
    struct spending_ask ask = {.client = STORE,
                               .key = slice_str(a->key),
                               .account = people[a->buyer].account,
                               .amount_minor = a->amount_minor,
                               .currency = CUR_CNY,
                               .payee = SLICE("Game Store"),
                               .item = SLICE("sword")};
    if (spend_balance(&pay, nobody, &ask, &s) == KEER_OK) {
        answered(r, &s.spend.id, (int)s.spend.state, s.spend.state >= SPEND_DONE);
        sim_count(s.spend.state == SPEND_DONE      ? OUT_spend_done
                  : s.spend.state == SPEND_REFUSED ? OUT_spend_refused
                                                   : OUT_spend_needs_step);
    }
    buf_release(&s.decision);
    r->busy = false;
}
static void run_link(void *ctx)
{
    struct request *r = ctx;
    static const int64_t limits[] = {0, 0, 10000, 50000};
    struct agreements_answer answer;
    struct agreements_ask ask = {.client = STORE,
                                 .reference = slice_str(r->reference),
                                 .account = people[r->who % 2 ? 2 : 0].account,
                                 .wallet = slice_str(wallet_name(purse_wallet(r->who / 2 % PURSES))),
                                 .return_url = SLICE("https://store.example/back"),
                                 .store = SLICE("Game Store"),
                                 .currency = CUR_CNY,
                                 .has_caps = (r->who & 4) != 0, /* low, so that they are met */
                                 .caps = {.charge_minor = 9000, .day_minor = 20000, .month_minor = 30000, .day_count = 4},
                                 .unverified_limit_minor = limits[r->who % ARRAY_LEN(limits)]};
    enum keer_err err = agreements_link(&agreements, nobody, &ask, &answer);
    sim_trace("link %s: %s, outcome %d", r->reference, keer_err_name(err), (int)answer.outcome);
    if (err == KEER_OK && answer.outcome == AGREEMENTS_OK && answer.fresh) {
        if (linked_count < AGREEMENTS)
            linked[linked_count++] = answer.agreement.id;
    }
    r->busy = false;
}
static void run_sign(void *ctx)
{
    struct request *r = ctx;
    struct agreements_who who = {.client = STORE};
    struct agreements_answer answer;
    ignore(agreements_sign(&agreements, nobody, &who, &r->id, SLICE(""), &answer));
    r->busy = false;
}
static void run_end(void *ctx)
{
    struct request *r = ctx;
    struct agreements_who who = {.client = STORE};
    struct agreements_answer answer;
    ignore(agreements_end(&agreements, nobody, &who, &r->id, &answer));
    r->busy = false;
}
static void run_pause(void *ctx)
{
    struct request *r = ctx;
    struct agreements_who who = {.client = STORE};
    struct agreements_answer answer;
    ignore(agreements_pause(&agreements, nobody, &who, &r->id, &answer));
    r->busy = false;
}

/* A person's own wish, with the step that the guard asks for. */
static bool person_of(struct request *r, struct agreements_who *ret)
{
    *ret = (struct agreements_who){.v = &people[r->who].visitor};
    return true;
}
static enum keer_err do_challenge(struct db *db, void *ctx)
{
    struct challenge c;
    enum keer_err err = challenge_get(db, ctx, sim.now_us, &c);
    if (err != KEER_OK || c.state != CHALLENGE_OPEN)
        return KEER_EMISSING;
    if (!id_is(&c.holder)) { /* a store's: the browser that opens it first holds it */
        id_of_hash(&people[0].visitor.device, &c.holder);
        err = challenge_hold(db, &c.id, &c.holder, sim.now_us);
    }
    if (err != KEER_OK)
        return err;
    return challenge_done(db,
                          &(struct challenge_answer){.id = c.id,
                                                     .account = c.account,
                                                     .holder = c.holder,
                                                     .kind = c.kind,
                                                     .shown_hash = &c.shown_hash,
                                                     .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP),
                                                     .amr = CHALLENGE_AMR_OTP},
                          sim.now_us);
}
static enum keer_err refuse_challenge(struct db *db, void *ctx)
{
    return challenge_refuse(db, ctx, SLICE("cancelled"), sim.now_us);
}
static void run_resume(void *ctx)
{
    struct request *r = ctx;
    struct agreements_who who;
    struct agreements_answer answer;
    struct id none = {""};
    (void)person_of(r, &who);
    enum keer_err err = agreements_resume(&agreements, nobody, &who, &r->id, &none, &answer);
    if (err == KEER_OK && answer.outcome == AGREEMENTS_GUARD && answer.guard.outcome == GUARD_STEP &&
        desk_write(nobody, do_challenge, &answer.guard.challenge) == KEER_OK) {
        struct id challenge = answer.guard.challenge;
        ignore(agreements_resume(&agreements, nobody, &who, &r->id, &challenge, &answer));
    }
    r->busy = false;
}
static void run_limits(void *ctx)
{
    struct request *r = ctx;
    struct agreements_who who;
    struct agreements_answer answer;
    struct id none = {""};
    bool raise = r->reference[0] == 'r';
    struct agreement_limits to = {.caps = {.charge_minor = raise ? 90000 : 50000,
                                           .day_minor = raise ? 200000 : 80000,
                                           .month_minor = raise ? 500000 : 250000,
                                           .day_count = raise ? 12 : 6},
                                  .unverified_limit_minor = raise ? 60000 : 5000};
    (void)person_of(r, &who);
    enum keer_err err = agreements_limits(&agreements, nobody, &who, &r->id, &to, &none, &answer);
    if (err == KEER_OK && answer.outcome == AGREEMENTS_GUARD && answer.guard.outcome == GUARD_STEP &&
        desk_write(nobody, do_challenge, &answer.guard.challenge) == KEER_OK) {
        struct id challenge = answer.guard.challenge;
        ignore(agreements_limits(&agreements, nobody, &who, &r->id, &to, &challenge, &answer));
    }
    r->busy = false;
}
static void run_notice(void *ctx)
{
    struct request *r = ctx;
    struct wallet *wallet;
    struct wallet_inbound in;
    struct wallet_noticed noticed = {.verdict = WALLET_GENUINE};
    uint64_t ticket;
    if (purse_notice(&wallet, &in, &ticket)) {
        wallet_notices_take(&noticing, nobody, wallet, &in, &noticed);
        purse_notice_done(ticket, noticed.taken);
        sim_count(noticed.verdict == WALLET_FORGED ? OUT_notice_forged
                  : noticed.taken                  ? OUT_notice_taken
                                                   : OUT_notice_failed);
    }
    r->busy = false;
}
static void run_tick(void *ctx)
{
    struct request *r = ctx;
    switch (r->who) {
    case 0: settle_tick(nobody, &settles[0]); break;
    case 1: settle_tick(nobody, &settles[1]); break;
    case 2: balance_tick(nobody, &pay); break;
    case 3: agreements_tick(nobody, &agreements); break;
    }
    r->busy = false;
}
/* A person looks at a challenge that is open: mostly does it, sometimes refuses. */
static void run_answer(void *ctx)
{
    struct request *r = ctx;
    enum keer_err err = desk_write(nobody, r->who == 0 ? refuse_challenge : do_challenge, &r->id);
    if (err == KEER_OK)
        sim_count(r->who == 0 ? OUT_step_refused : OUT_step_done);
    r->busy = false;
}
static enum keer_err hold_account(struct db *db, void *ctx)
{
    const struct request *r = ctx;
    struct id id;
    id_make(&id);
    return QUERY_DO(db,
                    "INSERT INTO guard_change (id, account, change, thing, detail, data, was, state, session, place,"
                    " created_us, due_us) VALUES ($1, $2, 3, '', 'password', '', '', 0, '', '', $3, $4)",
                    Q_ID(&id), Q_ID(&people[r->who].account), Q_NUMBER(sim.now_us), Q_NUMBER(sim.now_us + US_HOUR));
}
static enum keer_err free_account(struct db *db, void *ctx)
{
    const struct request *r = ctx;
    return guard_cancel_all(db, &people[r->who].account, sim.now_us);
}
static void run_hold(void *ctx)
{
    struct request *r = ctx;
    ignore(desk_write(nobody, r->reference[0] == 'h' ? hold_account : free_account, r));
    r->busy = false;
}

/* --- drawing --- */

/* One of the rows of a query with one column; false when there is none. */
static bool one_of(const char *sql, char *ret, size_t size)
{
    struct db_stmt *s;
    int64_t count = 0, which;
    char text[400];
    (void)snprintf(text, sizeof text, "SELECT COUNT(*) FROM (%s) AS x", sql);
    SIM_OK(db_number(sim.db, text, &count));
    if (!count)
        return false;
    which = (int64_t)rng_below(&sim.rng, (uint64_t)count);
    (void)snprintf(text, sizeof text, "%s LIMIT 1 OFFSET %" PRId64, sql, which);
    SIM_OK(query_rows(sim.db, &s, text, NULL, 0));
    bool any = db_step(s) == DB_ROW;
    if (any)
        SIM_OK(query_text(s, 0, ret, size));
    db_free(s);
    return any;
}
static bool one_id(const char *sql, struct id *ret) { return one_of(sql, ret->text, sizeof ret->text); }

static struct asked *asked_new(void)
{
    if (asked_count == ASKED_MAX)
        return NULL;
    struct asked *a = &asked[asked_count];
    *a = (struct asked){.ended = -1};
    (void)snprintf(a->key, sizeof a->key, "key-%u", asked_count++);
    return a;
}
static struct asked *asked_one(int kind, bool with_id)
{
    for (unsigned i = 0; asked_count && i < 8; i++) {
        struct asked *a = &asked[rng_below(&sim.rng, asked_count)];
        if ((int)a->kind == kind && (!with_id || id_is(&a->id)))
            return a;
    }
    return NULL;
}

static struct asked *asked_of(const struct id *id)
{
    for (unsigned i = 0; i < asked_count; i++)
        if (id_eq(&asked[i].id, id))
            return &asked[i];
    return NULL;
}

static bool draw_charge(struct request *r)
{
    static const int64_t round[] = {64800, 9800, 4500, 600, 20000, 20001, 70000, 70001, 30000};
    bool live = rng_chance(&sim.rng, 0.9);
    if (!one_id(live ? "SELECT id FROM agreement WHERE state = 2 ORDER BY id"
                     : "SELECT id FROM agreement WHERE state IN (1, 3, 4, 5) ORDER BY state = 4 DESC, id",
                &r->id) ||
        !(r->asked = asked_new()))
        return false;
    struct asked *a = r->asked;
    a->kind = ASKED_CHARGE;
    a->of = r->id;
    a->top_up = rng_chance(&sim.rng, 0.5);
    a->amount_minor =
        rng_chance(&sim.rng, 0.3) ? round[rng_below(&sim.rng, ARRAY_LEN(round))] : rng_between(&sim.rng, 1, 9000);
    a->buyer = rng_chance(&sim.rng, 0.8) ? 0 : (unsigned)rng_below(&sim.rng, PEOPLE);
    char owner[ID_BYTES + 1];
    struct db_stmt *s;
    SIM_OK(QUERY_ONE(sim.db, &s, "SELECT account FROM agreement WHERE id = $1", Q_ID(&r->id)));
    SIM_OK(query_text(s, 0, owner, sizeof owner));
    db_free(s);
    if (rng_chance(&sim.rng, 0.9))
        for (unsigned i = 0; i < PEOPLE; i++)
            if (strcmp(owner, people[i].account.text) == 0)
                a->buyer = i;
    return true;
}

static int64_t balance_of(unsigned who)
{
    char name[LEDGER_NAME_BYTES + 1], text[LEDGER_NAME_BYTES + 200];
    int64_t has_minor = 0;
    struct books_of of = {.customer = &people[who].account, .currency = CUR_CNY};
    books_name(BOOKS_BALANCE, &of, name);
    (void)snprintf(
        text, sizeof text,
        "SELECT COALESCE(SUM(credits_posted - debits_posted - debits_pending), 0) FROM ledger_account WHERE name = '%s'",
        name);
    SIM_OK(db_number(sim.db, text, &has_minor));
    return has_minor;
}

/* Mostly of who has a balance, and what he has; the same again, for what waited for its step; and that step (then nothing is asked). */
static bool draw_spend(struct request *r)
{
    bool waits = one_id("SELECT id FROM spend WHERE state = 1 ORDER BY id", &r->id);
    r->asked = NULL;
    r->who = 1;
    if (rng_chance(&sim.rng, 0.6)) {
        if (waits && rng_chance(&sim.rng, 0.5))
            return one_id("SELECT id FROM challenge WHERE state = 0 AND reference LIKE 'spend-%' ORDER BY id", &r->id);
        r->asked = waits ? asked_of(&r->id) : NULL;
        r->asked = r->asked ? r->asked : asked_one(ASKED_SPEND, false);
        return r->asked != NULL;
    }
    unsigned who = (unsigned)rng_below(&sim.rng, PEOPLE);
    for (unsigned i = 0; i < PEOPLE && balance_of(who) <= 0; i++)
        who = (who + 1) % PEOPLE;
    int64_t has_minor = balance_of(who);
    if ((has_minor <= 0 && rng_chance(&sim.rng, 0.9)) || !(r->asked = asked_new()))
        return false;
    r->asked->kind = ASKED_SPEND;
    r->asked->buyer = who;
    r->asked->amount_minor = rng_between(&sim.rng, 1, has_minor > 0 && rng_chance(&sim.rng, 0.8) ? has_minor : 20000);
    return true;
}

static bool draw(uint64_t from, uint64_t to)
{
    static char number[WALLET_NUMBER_BYTES + 1];
    struct request *r = request_take();
    uint64_t what = from + rng_below(&sim.rng, to - from);
    unsigned awaited;
    bool ok = false;
    if (!r)
        return false;
    if (to > 910 && purse_awaited(&awaited) && rng_chance(&sim.rng, 0.2)) { /* what is late is asked for before it comes */
        r->who = awaited;
        ok = begin(run_tick, r);
    } else if (what < 200) {
        ok = draw_charge(r) && begin(run_charge, r);
    } else if (what < 250) {
        r->asked = asked_one(ASKED_CHARGE, false);
        r->who = r->asked && id_is(&r->asked->id) && rng_chance(&sim.rng, 0.4); /* something else under it */
        ok = r->asked && begin(run_charge, r);
    } else if (what < 330) {
        r->asked = asked_one(ASKED_CHARGE, true);
        ok = r->asked && begin(run_confirm, r);
    } else if (what < 355) {
        r->asked = asked_one(ASKED_CHARGE, true);
        if (rng_chance(&sim.rng, 0.7) && one_id("SELECT id FROM charge WHERE state IN (2, 3) ORDER BY id", &r->id))
            r->asked = asked_of(&r->id);
        ok = r->asked && begin(run_cancel, r);
    } else if (what < 420) {
        bool again = rng_chance(&sim.rng, 0.2);
        r->asked = again ? asked_one(ASKED_REFUND, false) : NULL;
        if (!again &&
            one_id(rng_chance(&sim.rng, 0.9) ? "SELECT id FROM charge WHERE state = 4 ORDER BY id"
                                             : "SELECT id FROM charge ORDER BY id",
                   &r->id) &&
            (r->asked = asked_new())) {
            r->asked->kind = ASKED_REFUND;
            r->asked->of = r->id;
            r->asked->amount_minor = rng_chance(&sim.rng, 0.4) ? 0 : rng_between(&sim.rng, 1, 8000);
        }
        ok = r->asked && begin(run_refund, r);
    } else if (what < 460) {
        ok = draw_spend(r) && begin(r->asked ? run_spend : run_answer, r);
    } else if (what < 500 || !linked_count) {
        r->who = (unsigned)rng_below(&sim.rng, 8);
        (void)snprintf(r->reference, sizeof r->reference, "ref-%u", r->who);
        ok = (linked_count < AGREEMENTS || rng_chance(&sim.rng, 0.2)) && begin(run_link, r);
    } else if (what < 640) {
        r->who = rng_chance(&sim.rng, 0.06) ? 0 : 1;
        ok = one_id("SELECT id FROM challenge WHERE state = 0 ORDER BY id", &r->id) && begin(run_answer, r);
    } else if (what < 690) {
        ok = one_id("SELECT id FROM agreement WHERE state <= 1 ORDER BY id", &r->id) && begin(run_sign, r);
    } else if (what < 740) {
        ok = one_of("SELECT number FROM agreement WHERE state IN (1, 4, 5) ORDER BY id", number, sizeof number) &&
             purse_sign(number);
        r->busy = false;
    } else if (what < 746) {
        ok = one_of("SELECT number FROM agreement WHERE state IN (2, 3) ORDER BY id", number, sizeof number) &&
             purse_end_agreement(number);
        r->busy = false;
    } else if (what < 752) {
        ok = one_id("SELECT id FROM agreement WHERE state IN (1, 2, 3) ORDER BY id", &r->id) && begin(run_end, r);
    } else if (what < 765) {
        ok = one_id("SELECT id FROM agreement WHERE state = 2 ORDER BY id", &r->id) && begin(run_pause, r);
    } else if (what < 790) {
        r->who = (unsigned)rng_below(&sim.rng, 2) * 2;
        ok = one_id("SELECT id FROM agreement WHERE state = 3 ORDER BY id", &r->id) && begin(run_resume, r);
    } else if (what < 815) {
        r->who = (unsigned)rng_below(&sim.rng, 2) * 2;
        r->reference[0] = rng_chance(&sim.rng, 0.7) ? 'r' : 'l';
        ok = one_id("SELECT id FROM agreement WHERE state IN (2, 3) ORDER BY id", &r->id) && begin(run_limits, r);
    } else if (what < 830) {
        ok = one_of("SELECT number FROM charge WHERE state = 4 ORDER BY id", number, sizeof number) &&
             purse_refund(number, rng_between(&sim.rng, 1, 3000));
        r->busy = false;
    } else if (what < 850) {
        r->who = (unsigned)rng_below(&sim.rng, PEOPLE);
        r->reference[0] = rng_chance(&sim.rng, 0.25) ? 'h' : 'f';
        ok = begin(run_hold, r);
    } else if (what < 910) {
        ok = begin(run_notice, r);
    } else {
        r->who = (unsigned)rng_below(&sim.rng, 4);
        ok = begin(run_tick, r);
    }
    if (!ok)
        r->busy = false;
    return ok;
}

/* --- the process --- */

void world_die(void) { sim.dead = true; }
void world_committed(void)
{
    database_fail(0, false);
    disk_fail(0, false);
    check_commit();
}

static void restart(void)
{
    sim.dead = true;
    task_unwind();
    db_close(sim.db);
    sim.dead = false;
    sim.db = NULL;
    database_fail(0, false);
    disk_fail(0, false);
    disk_crash(&sim.rng);
    sim_open();
    purse_restart();
    decide_restart();
    sim_trace("restart");
    check_commit();
}

static void one_step(void)
{
    sim.step++;
    sim_tick();
    purse_tick();
    if (sim.dead || sim_chance(FAULT_CRASH))
        restart();
    if (task_count() && rng_chance(&sim.rng, 0.75))
        (void)task_step();
    else
        (void)draw(0, 1000);
    if (sim.dead)
        restart();
}

/* --- the end: the faults stop, and everything ends --- */

static int64_t number_of(const char *sql)
{
    int64_t n = 0;
    SIM_OK(db_number(sim.db, sql, &n));
    return n;
}
/* Nothing is open, and what was doubted (ask_us of one that has ended) was asked about. */
static bool settled(void)
{
    return !task_count() && purse_quiet() && number_of("SELECT COUNT(*) FROM charge WHERE state IN (2, 3)") == 0 &&
           number_of("SELECT COUNT(*) FROM charge WHERE state IN (4, 5, 7) AND ask_us > 0") == 0 &&
           number_of("SELECT COUNT(*) FROM refund WHERE state IN (0, 1)") == 0 &&
           number_of("SELECT COUNT(*) FROM agreement WHERE state = 4") == 0;
}
/* For who reads the trace: what is still open. */
static void print_open(void)
{
    struct db_stmt *s;
    SIM_OK(query_rows(sim.db, &s,
                      "SELECT key, state, ask_us, asked, why FROM charge WHERE state IN (2, 3) UNION ALL"
                      " SELECT key, state, ask_us, asked, why FROM refund WHERE state IN (0, 1)",
                      NULL, 0));
    while (db_step(s) == DB_ROW)
        sim_trace("open: " SLICE_FMT " state %" PRId64 ", asked again at %" PRId64 ", %" PRId64 " times, " SLICE_FMT,
                  SLICE_ARG(db_bytes(s, 0)), db_i64(s, 1), db_i64(s, 2), db_i64(s, 3), SLICE_ARG(db_bytes(s, 4)));
    db_free(s);
}

/* Until nothing is open, on its way, or in doubt. */
static void run_down(void)
{
    unsigned turns = 0;
    for (unsigned i = 0; i < LIVE_STEPS && !settled(); i++) {
        sim.step++;
        /* A clock that was set back makes some wait until it is there again: so much time is given too. */
        sim.now_us += rng_between(&sim.rng, 1, task_count() ? US_SECOND / 5 : i < LIVE_STEPS / 2 ? 10 * US_SECOND : US_HOUR);
        purse_tick();
        if (task_count()) {
            (void)task_step();
            continue;
        }
        struct request *r = request_take();
        if (!r)
            sim_fail(0, "a place of a request is not given back");
        r->who = turns / 2 % 4;
        (void)begin(turns++ % 2 ? run_notice : run_tick, r);
    }
    while (task_step())
        continue;
}
static void live(void)
{
    sim.calm = true;
    sim.frozen = false;
    uint64_t requests_before = purse_requests();
    int64_t open =
        number_of("SELECT (SELECT COUNT(*) FROM charge WHERE state IN (2, 3)) + (SELECT COUNT(*) FROM refund WHERE"
                  " state IN (0, 1)) + (SELECT COUNT(*) FROM agreement WHERE state = 4)");
    run_down();
    print_open();
    SIM_CHECK(27, settled(), "%" PRId64 " charges, %" PRId64 " refunds, %" PRId64 " agreements are not settled in time",
              number_of("SELECT COUNT(*) FROM charge WHERE state IN (2, 3)"),
              number_of("SELECT COUNT(*) FROM refund WHERE state IN (0, 1)"),
              number_of("SELECT COUNT(*) FROM agreement WHERE state = 4"));
    purse_statement();
    run_down();
    SIM_CHECK(27, settled(), "what the statement said is not settled");
    sim_trace("settled %" PRId64 " with %" PRIu64 " requests", open, purse_requests() - requests_before);
}

/* Most runs begin with what is linked in peace, and many with a balance. */
static void prelude(void)
{
    bool balance = rng_chance(&sim.rng, 0.6);
    sim.calm = true;
    for (unsigned i = 0; i < 500; i++) {
        bool is_linked = number_of("SELECT COUNT(*) FROM agreement WHERE state = 2") >= 2;
        if (is_linked && (!balance || number_of("SELECT COUNT(*) FROM balance_hold WHERE done_us > 0")))
            break;
        sim.step++;
        sim_tick();
        purse_tick();
        uint64_t what = rng_below(&sim.rng, 10);
        if (task_count())
            (void)task_step();
        else if (what < 2)
            (void)draw(850, 1000); /* notices, timers */
        else if (what < 5 && is_linked)
            (void)(what == 2 ? draw(0, 200) : draw(250, 330)); /* charges, and what confirms them */
        else
            (void)draw(490, 740);
    }
    sim.calm = false;
}

void world_run(void)
{
    start();
    make_people();
    memset(requests, 0, sizeof requests);
    if (rng_chance(&sim.rng, 0.9))
        prelude();
    for (unsigned i = 0; i < STEPS; i++)
        one_step();
    restart();
    live();
    restart();
    check_end();
    decide_check();
    SIM_CHECK(27, purse_requests() <= 2 * operations, "%" PRIu64 " requests to wallets for %" PRIu64 " operations",
              purse_requests(), operations);
    purse_end();
}
