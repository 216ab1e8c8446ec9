/* passkeys_flow_test.c - passkeys in use, over a real decider, desk and database: registered through the guard, signed in
 * with, challenges and payments; every replay and mix-up refused. The authenticator and the browser are software
 * (lib/passkey_kit.h).
 */
#include <pthread.h>
#include <stdatomic.h>

#include "flow/passkeys.h"
#include "lib/decider_kit.h"
#include "lib/passkey_bases.h"

/* What an authenticator's flags and counter hint at is the policy's to judge. */
static const char POLICY[] = "attribute passkey_eligible_turned boolean\n"
                             "attribute passkey_counter_back boolean\n"
                             "rule turned deny if sign_in and passkey_eligible_turned\n"
                             "rule copied review if sign_in and passkey_counter_back\n";

static struct world world;
static struct desk *desk;
static struct accounts accounts;
static struct steps steps;
static struct passkeys passkeys;
static struct passkey_kit kit;
static struct ceremony c;
static struct rng rng;
static struct id anna, bert;

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

static void setup(void)
{
    struct db_why why;
    world_make(&world, POLICY);
    world_open(&world);
    struct desk_options o = {.decider = world.d,
                             .database = world.database,
                             .threads = 2,
                             .queue_max = 4,
                             .now_us = world_clock,
                             .wall_us = world_clock};
    ck_ok(desk_new(&o, &desk, &why));
    ck_ok(desk_start(desk));
    accounts = (struct accounts){.key = {{7}}, .words = {.service = "Example", .url = KIT_ORIGIN}, .secure = true};
    steps = (struct steps){.accounts = &accounts,
                           .guard = {.key = &accounts.key,
                                     .first_us = GUARD_FIRST_US,
                                     .wait_us = GUARD_WAIT_US,
                                     .grace_us = GUARD_GRACE_US,
                                     .recovery_us = RECOVERY_WAIT_US}};
    passkeys = (struct passkeys){.accounts = &accounts, .steps = &steps};
    ck_ok(passkeys_add_origin(&passkeys, SLICE(KIT_ORIGIN)));
    rng_seed(&rng, 20261129);
    id_make(&anna);
    id_make(&bert);
}

static void teardown(void)
{
    desk_stop(desk);
    desk_free(desk);
    world_end(&world);
}

static void setup_kit(void)
{
    ck_ok(crypto_start());
    passkey_kit_make(&kit);
    ceremony_init(&c);
}

static void teardown_kit(void)
{
    ceremony_release(&c);
    passkey_kit_release(&kit);
}

/* --- a person's browser --- */

struct opening {
    const struct id *account;
    struct visitor *v;
    int64_t now_us;
};

static enum keer_err open_account(struct db *db, void *ctx)
{
    struct opening *o = ctx;
    struct bearer token;
    enum keer_err err = account_add(db, o->account, SLICE("Anna"), SLICE("en"), o->now_us);
    struct session_new n = {.account = *o->account,
                            .rights = SESSION_FULL,
                            .acr = SESSION_ACR_1,
                            .amr = "pwd",
                            .device_hash = o->v->device,
                            .ip = SLICE("192.0.2.1"),
                            .family = SLICE("chrome")};
    if (err == KEER_OK)
        err = session_begin(db, &n, o->now_us, &o->v->session, &token);
    if (err == KEER_OK)
        err = session_read(db, &o->v->session, o->now_us, &o->v->now);
    return err;
}

static void browser(struct visitor *v)
{
    *v = (struct visitor){.ip = "192.0.2.1", .family = "chrome"};
    visitor_device(v, slice_of(NULL, 0));
}

static void sign_up(struct desk_worker *w, const struct id *account, struct visitor *v)
{
    struct opening o = {account, v, desk_wall_us(w)};
    browser(v);
    ck_ok(desk_write(w, open_account, &o));
}

/* --- a person's authenticator: one passkey, whose key is the kit's for its algorithm --- */

struct owned {
    unsigned alg;
    size_t id_len;
    unsigned char id[64];
    struct id account;
    uint32_t counter;
    unsigned flags; /* as it was registered */
};

/* The challenge and flow of options. */
static void read_question(const struct buf *options, const char *member, struct id *ret_flow,
                          unsigned char ret_challenge[32])
{
    static const struct tape_limits limits = {.bytes = 1u << 16, .values = 1024, .depth = 8, .keys = 64};
    struct tape t = {0};
    struct tape_error why;
    size_t len = 0;
    enum keer_err err = tape_read(&t, buf_view(options), &limits, &why);
    ck_assert_msg(err == KEER_OK, "%s: %.*s", why.text, (int)options->len, options->p);
    uint32_t question = tape_find(&t, 0, member);
    ck_assert(question != TAPE_NONE);
    ck_ok(base64url_get(tape_text(&t, tape_find(&t, question, "challenge")), 32, ret_challenge, &len));
    ck_assert_uint_eq(len, 32);
    if (ret_flow)
        ck_ok(id_parse(tape_text(&t, tape_find(&t, 0, "flow")), ret_flow));
    tape_release(&t);
}

static struct recipe recipe_for(enum kit_kind kind, struct owned *o, const unsigned char *challenge)
{
    struct recipe r = recipe_make(kind, ATTEST_NONE, false, o->alg, &rng);
    r.use_challenge = slice_of((const char *)challenge, 32);
    r.counter = ++o->counter;
    if (kind == KIT_REGISTER) {
        o->id_len = r.id_len = 32;
        for (size_t i = 0; i < o->id_len; i++)
            o->id[i] = (unsigned char)rng_u64(&rng);
    }
    if (kind == KIT_REGISTER)
        o->flags = r.flags;
    else
        r.flags = o->flags & ~(unsigned)AUTH_AT;
    r.id_len = o->id_len;
    r.use_id = slice_of((const char *)o->id, o->id_len);
    r.use_user = id_slice(&o->account);
    r.pay_top = "\"" KIT_ORIGIN "\"";
    return r;
}

/* What toJSON gives, as it is after passkey_reply_read. */
static struct passkey_reply reply_of(const struct recipe *r)
{
    struct passkey_reply reply = {0};
    ceremony_make(&kit, r, &rng, &c);
    reply.id = slice_of((const char *)c.id, r->id_len);
    reply.client_data = buf_view(&c.client);
    reply.object = buf_view(&c.object);
    reply.authenticator_data = buf_view(&c.data);
    reply.signature = buf_view(&c.signature);
    reply.user_handle = c.assertion.user_handle;
    return reply;
}

/* Registers one and says what became of it; `step`: of Keer-Challenge, may be none. */
static struct passkeys_registered registered(struct desk_worker *w, const struct visitor *v, struct owned *o,
                                             struct passkey_reply *reply, struct passkeys_registering *r)
{
    struct buf options;
    unsigned char challenge[32];
    struct passkeys_registered made;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    ck_ok(passkeys_register_options(&passkeys, w, v, false, &options));
    *r = (struct passkeys_registering){.reply = reply, .name = SLICE("Phone")};
    read_question(&options, "publicKey", &r->flow, challenge);
    struct recipe recipe = recipe_for(KIT_REGISTER, o, challenge);
    *reply = reply_of(&recipe);
    ck_ok(passkeys_register(&passkeys, w, v, r, &made));
    buf_release(&options);
    return made;
}

/* A passkey of an account that was just opened, active at once. */
static void own(struct desk_worker *w, const struct id *account, struct visitor *v, struct owned *o)
{
    struct passkey_reply reply;
    struct passkeys_registering r;
    *o = (struct owned){.alg = KIT_ES256, .account = *account};
    sign_up(w, account, v);
    struct passkeys_registered made = registered(w, v, o, &reply, &r);
    ck_assert_msg(made.verdict == WEBAUTHN_OK, "%s", webauthn_verdict_text(made.verdict));
    ck_assert(!made.known && made.enrol.outcome == ENROL_GUARD && made.enrol.guard.outcome == GUARD_APPLIED);
}

/* --- registration --- */

static void registers(struct desk_worker *w)
{
    struct visitor v, elsewhere;
    struct owned o, second = {.alg = KIT_EDDSA, .account = anna};
    struct passkey_reply reply;
    struct passkeys_registering r;
    own(w, &anna, &v, &o);
    /* The question of the first is used up; a second one wants a step with the first. */
    struct passkeys_registered made = registered(w, &v, &second, &reply, &r);
    ck_assert(made.verdict == WEBAUTHN_OK && made.enrol.guard.outcome == GUARD_STEP);
    ck_assert(made.enrol.guard.methods == AUTHENTICATOR_BIT(AUTHENTICATOR_PASSKEY));
    struct passkeys_registered again;
    ck_ok(passkeys_register(&passkeys, w, &v, &r, &again)); /* without the step: the question is used up */
    ck_assert_int_eq(again.verdict, WEBAUTHN_CHALLENGE);
    r.challenge = made.enrol.guard.challenge;
    ck_ok(passkeys_register(&passkeys, w, &v, &r, &again)); /* with a step that was not done */
    ck_assert(again.verdict == WEBAUTHN_OK && again.enrol.guard.outcome == GUARD_BAD_STEP);
    /* Another session can't use the flow of this one. */
    sign_up(w, &bert, &elsewhere);
    r.challenge = (struct id){0};
    ck_ok(passkeys_register(&passkeys, w, &elsewhere, &r, &again));
    ck_assert_int_eq(again.verdict, WEBAUTHN_CHALLENGE);
    /* Done, and then the same again. */
    struct buf options;
    unsigned char challenge[32];
    struct step s;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    unsigned char client[2048], object[4096]; /* the second's answer, which is sent again */
    memcpy(client, reply.client_data.p, reply.client_data.len);
    memcpy(object, reply.object.p, reply.object.len);
    struct passkey_reply kept = reply;
    kept.id = slice_of((const char *)second.id, second.id_len);
    kept.client_data.p = (const char *)client;
    kept.object.p = (const char *)object;
    ck_ok(passkeys_answer_options(&passkeys, w, &v, &made.enrol.guard.challenge, &options));
    read_question(&options, "publicKey", NULL, challenge);
    struct recipe recipe = recipe_for(KIT_SIGN_IN, &o, challenge);
    reply = reply_of(&recipe);
    ck_ok(passkeys_answer(&passkeys, w, &v, &made.enrol.guard.challenge, &reply, &s));
    ck_assert_int_eq(s.outcome, STEP_DONE);
    r.challenge = made.enrol.guard.challenge;
    r.reply = &kept;
    ck_ok(passkeys_register(&passkeys, w, &v, &r, &again));
    ck_assert(again.verdict == WEBAUTHN_OK && again.enrol.guard.outcome == GUARD_APPLIED);
    ck_ok(passkeys_register(&passkeys, w, &v, &r, &again)); /* once */
    ck_assert(again.verdict == WEBAUTHN_CHALLENGE);
    buf_release(&options);
}

START_TEST(a_second_passkey_wants_a_step_with_the_first) { on_desk(registers); }
END_TEST

/* --- sign-in --- */

static struct sign_in signs_in(struct desk_worker *w, struct visitor *v, const struct id *flow,
                               const struct passkey_reply *reply)
{
    struct sign_in s;
    ck_ok(passkeys_sign_in(&passkeys, w, v, flow, reply, &s));
    return s;
}

static void ask(struct desk_worker *w, const struct visitor *v, struct id *ret_flow, unsigned char ret_challenge[32])
{
    struct buf options;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    ck_ok(passkeys_sign_in_options(&passkeys, w, v, &options));
    ck_assert(slice_has(buf_view(&options), SLICE("\"allowCredentials\":[]"))); /* names nobody's passkeys */
    read_question(&options, "publicKey", ret_flow, ret_challenge);
    buf_release(&options);
}

static void sign_ins(struct desk_worker *w)
{
    struct visitor v, other, thief;
    struct owned o, unknown = {.alg = KIT_ES384, .id_len = 32, .id = {1, 2, 3}, .account = anna};
    struct id flow;
    unsigned char challenge[32];
    own(w, &anna, &v, &o);
    browser(&other);
    ask(w, &other, &flow, challenge);
    struct recipe r = recipe_for(KIT_SIGN_IN, &o, challenge);
    struct passkey_reply reply = reply_of(&r);
    browser(&thief); /* who relays: the question was another browser's */
    ck_assert_int_eq(signs_in(w, &thief, &flow, &reply).next, SIGN_IN_WRONG);
    struct sign_in s = signs_in(w, &other, &flow, &reply);
    ck_assert_int_eq(s.next, SIGN_IN_DONE);
    ck_assert(id_eq(&s.account, &anna) && s.rights == SESSION_FULL && s.token.text[0]);
    ck_assert_int_eq(signs_in(w, &other, &flow, &reply).next, SIGN_IN_WRONG); /* twice */
    ask(w, &other, &flow, challenge);
    ck_assert_int_eq(signs_in(w, &other, &flow, &reply).next, SIGN_IN_WRONG); /* for another question */
    for (int i = 0; i < 8; i++) {
        ask(w, &other, &flow, challenge);
        r = recipe_for(KIT_SIGN_IN, i == 0 ? &unknown : &o, challenge);
        switch (i) {
        case 1:
            r.user_missing = true;
            r.use_user = KIT_EMPTY;
            break;
        case 2: r.use_user = id_slice(&bert); break;
        case 3: r.flags &= ~(unsigned)AUTH_UV; break;
        case 4: r.origin = "\"https://example.org.evil.example\""; break;
        case 5: r.sign_other = true; break;
        case 6: r.type = "\"payment.get\""; break;
        case 7: r.rp = "evil.example"; break;
        default: break;
        }
        reply = reply_of(&r);
        s = signs_in(w, &other, &flow, &reply);
        ck_assert_msg(s.next == SIGN_IN_WRONG && !s.token.text[0], "case %d: %d", i, s.next);
    }
    /* A counter that goes back is a signal and no lock. */
    ask(w, &other, &flow, challenge);
    o.counter = 0;
    r = recipe_for(KIT_SIGN_IN, &o, challenge);
    reply = reply_of(&r);
    ck_assert_int_eq(signs_in(w, &other, &flow, &reply).next, SIGN_IN_DONE);
    ask(w, &other, &flow, challenge);
    r = recipe_for(KIT_SIGN_IN, &o, challenge);
    r.flags = (o.flags ^ AUTH_BE) & ~(unsigned)(AUTH_AT | AUTH_BS); /* here the policy takes it for a reason */
    reply = reply_of(&r);
    ck_assert_int_eq(signs_in(w, &other, &flow, &reply).next, SIGN_IN_DENIED);
}

START_TEST(signing_in_is_once_by_whom_it_was_asked_of) { on_desk(sign_ins); }
END_TEST

static enum keer_err remove_all(struct db *db, void *ctx)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = authenticators_list(db, &anna, rows, &n);
    UNUSED(ctx);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        err = authenticator_remove(db, &anna, &rows[i].id, world_clock());
    return err;
}

static void removed(struct desk_worker *w)
{
    struct visitor v;
    struct owned o;
    struct id flow;
    unsigned char challenge[32];
    own(w, &anna, &v, &o);
    ask(w, &v, &flow, challenge);
    struct recipe r = recipe_for(KIT_SIGN_IN, &o, challenge);
    struct passkey_reply reply = reply_of(&r);
    ck_ok(desk_write(w, remove_all, NULL));
    ck_assert_int_eq(signs_in(w, &v, &flow, &reply).next, SIGN_IN_WRONG);
}

START_TEST(a_passkey_that_was_removed_opens_nothing) { on_desk(removed); }
END_TEST

/* --- payments --- */

struct opening_challenge {
    struct challenge c;
    enum challenge_kind kind;
};

static struct slice payee_origin = {"https://shop.example", 20};

static enum keer_err open_challenge(struct db *db, void *ctx)
{
    struct opening_challenge *o = ctx;
    bool fresh;
    struct challenge_data d = {.kind = o->kind,
                               .amount_minor = 648,
                               .currency = CUR_EUR,
                               .payee = SLICE("Example store"),
                               .payee_origin = payee_origin,
                               .agreement = SLICE("Wallet \u2022\u2022 1234"),
                               .store = SLICE("Example")};
    if (o->kind != CHALLENGE_PAYMENT)
        d = (struct challenge_data){
            .kind = o->kind, .currency = CUR_MAX, .agreement = SLICE("Wallet"), .store = SLICE("Example")};
    return challenge_open(db, &d, world_clock(), &o->c, &fresh);
}

/* Opened by a store; the first browser that looks holds it. */
static struct id challenge_for(struct desk_worker *w, enum challenge_kind kind)
{
    struct opening_challenge o = {.c = {.account = anna, .kind = kind, .client = "store"}, .kind = kind};
    ck_ok(desk_write(w, open_challenge, &o));
    return o.c.id;
}

static struct step answers(struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                           const struct recipe *r)
{
    struct step s;
    struct passkey_reply reply = reply_of(r);
    ck_ok(passkeys_answer(&passkeys, w, v, challenge, &reply, &s));
    return s;
}

static void question(struct desk_worker *w, const struct visitor *v, const struct id *challenge, struct buf *options,
                     unsigned char ret_challenge[32])
{
    buf_clear(options);
    ck_ok(passkeys_answer_options(&passkeys, w, v, challenge, options));
    read_question(options, "publicKey", NULL, ret_challenge);
}

#define ICON_FROM(options) strstr((options)->p, "\"icon\":") + 7

/* The icon's literal as the options have it. */
static const char *icon_of(const struct buf *options, char room[600])
{
    const char *from = ICON_FROM(options), *to = strchr(from + 1, '"');
    memcpy(room, from, (size_t)(to + 1 - from));
    room[to + 1 - from] = '\0';
    return room;
}

static void payments(struct desk_worker *w)
{
    struct visitor v, stranger;
    struct owned o;
    struct buf options;
    unsigned char challenge[32], next[32];
    char icon[600];
    struct step s;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    own(w, &anna, &v, &o);
    browser(&stranger);
    struct id id = challenge_for(w, CHALLENGE_PAYMENT);
    question(w, &v, &id, &options, challenge);
    ck_assert(slice_has(buf_view(&options), SLICE("\"total\":{\"currency\":\"EUR\",\"value\":\"6.48\"}")));
    ck_assert(
        slice_has(buf_view(&options), SLICE("\"payeeName\":\"Example store\",\"payeeOrigin\":\"https://shop.example\"")));
    struct buf none;
    buf_init(&none, PASSKEY_OPTIONS_BYTES);
    ck_err(passkeys_answer_options(&passkeys, w, &stranger, &id, &none), KEER_EMISSING); /* another browser holds it */
    buf_release(&none);
    struct recipe good = recipe_for(KIT_PAY, &o, challenge), r;
    good.pay_icon = icon_of(&options, icon);
    for (int i = 0; i < 4; i++) { /* one change each; the fifth wrong answer would refuse it */
        r = good;
        r.counter = ++o.counter;
        switch (i) {
        case 0: r.pay_value = "\"648.00\""; break;
        case 1: r.pay_name = "\"Game currency\""; break;
        case 2: r.pay_top = "\"https://evil.example\""; break;
        case 3: r.pay_icon = "\"\""; break;
        default: break;
        }
        s = answers(w, &v, &id, &r);
        ck_assert_msg(s.outcome == STEP_WRONG, "case %d: %d", i, s.outcome);
    }
    s = answers(w, &stranger, &id, &good);
    ck_assert_int_eq(s.outcome, STEP_OVER);
    s = answers(w, &v, &id, &good);
    ck_assert(s.outcome == STEP_DONE && s.challenge.state == CHALLENGE_DONE);
    ck_assert(s.challenge.done_by == AUTHENTICATOR_BIT(AUTHENTICATOR_PASSKEY));
    s = answers(w, &v, &id, &good);
    ck_assert_int_eq(s.outcome, STEP_OVER); /* once */
    /* The same answer for the next payment of the same amount: its bytes are others. */
    id = challenge_for(w, CHALLENGE_PAYMENT);
    question(w, &v, &id, &options, next);
    s = answers(w, &v, &id, &good);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    /* Where the browser has no Secure Payment Confirmation: WebAuthn over bytes that depend on what was shown. */
    r = recipe_for(KIT_SIGN_IN, &o, next);
    s = answers(w, &v, &id, &r);
    ck_assert_int_eq(s.outcome, STEP_DONE);
    /* A payee's address that no browser would write as an origin is not asked for, and not wanted. */
    payee_origin = SLICE("https://shop.example/pay");
    id = challenge_for(w, CHALLENGE_PAYMENT);
    payee_origin = SLICE("https://shop.example");
    question(w, &v, &id, &options, next);
    ck_assert(!slice_has(buf_view(&options), SLICE("payeeOrigin")));
    r = recipe_for(KIT_PAY, &o, next);
    r.pay_icon = icon;
    s = answers(w, &v, &id, &r);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    r.pay_origin = NULL;
    r.counter = ++o.counter;
    s = answers(w, &v, &id, &r);
    ck_assert_int_eq(s.outcome, STEP_DONE);
    buf_release(&options);
}

START_TEST(payments_are_confirmed_as_they_were_shown) { on_desk(payments); }
END_TEST

/* A sign-in's answer is no payment's, and a payment's neither a sign-in's nor a link's. */
static void mixed_up(struct desk_worker *w)
{
    struct visitor v;
    struct owned o;
    struct buf options;
    unsigned char asked[32], challenge[32];
    char icon[600];
    struct id flow, pay, link;
    struct step s;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    own(w, &anna, &v, &o);
    pay = challenge_for(w, CHALLENGE_PAYMENT);
    link = challenge_for(w, CHALLENGE_LINK);
    question(w, &v, &pay, &options, challenge);
    struct recipe paid = recipe_for(KIT_PAY, &o, challenge);
    paid.pay_icon = icon_of(&options, icon);
    ask(w, &v, &flow, asked);
    struct recipe r = recipe_for(KIT_SIGN_IN, &o, asked);
    s = answers(w, &v, &pay, &r);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    struct passkey_reply reply = reply_of(&paid);
    ck_assert_int_eq(signs_in(w, &v, &flow, &reply).next, SIGN_IN_WRONG);
    question(w, &v, &link, &options, challenge);
    ck_assert(!slice_has(buf_view(&options), SLICE("\"payment\"")));
    s = answers(w, &v, &link, &paid);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    r = recipe_for(KIT_PAY, &o, challenge); /* a payment's answer over the link's own bytes */
    r.pay_icon = icon;
    s = answers(w, &v, &link, &r);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    r = recipe_for(KIT_SIGN_IN, &o, challenge);
    s = answers(w, &v, &link, &r);
    ck_assert_int_eq(s.outcome, STEP_DONE);
    /* Five wrong answers end a challenge. */
    for (int i = 0; i < 5; i++) {
        r = paid;
        r.other_challenge = true;
        s = answers(w, &v, &pay, &r);
    }
    ck_assert_int_eq(s.outcome, STEP_OVER);
    s = answers(w, &v, &pay, &paid);
    ck_assert_int_eq(s.outcome, STEP_OVER);
    buf_release(&options);
}

START_TEST(one_kind_is_never_taken_for_another) { on_desk(mixed_up); }
END_TEST

/* Somebody else's passkey answers nothing of mine. */
static void anothers(struct desk_worker *w)
{
    struct visitor v, b;
    struct owned o, of_bert;
    struct buf options;
    unsigned char challenge[32];
    struct step s;
    buf_init(&options, PASSKEY_OPTIONS_BYTES);
    own(w, &anna, &v, &o);
    own(w, &bert, &b, &of_bert);
    struct id id = challenge_for(w, CHALLENGE_LINK);
    question(w, &v, &id, &options, challenge);
    struct recipe r = recipe_for(KIT_SIGN_IN, &of_bert, challenge);
    s = answers(w, &v, &id, &r);
    ck_assert_int_eq(s.outcome, STEP_WRONG);
    buf_release(&options);
}

START_TEST(anothers_passkey_answers_nothing) { on_desk(anothers); }
END_TEST

/* --- JSON, and which pages --- */

static bool reads(const char *json, bool registration, struct passkey_reply *ret)
{
    static const struct tape_limits limits = {.bytes = 1u << 16, .values = 1024, .depth = 8, .keys = 64};
    struct tape t = {0};
    struct tape_error why;
    bool good = false;
    ck_ok(tape_read(&t, slice_str(json), &limits, &why));
    ck_ok(passkey_reply_read(&t, 0, registration, ret, &good));
    tape_release(&t);
    return good;
}

START_TEST(answers_are_read_strictly)
{
    struct passkey_reply r;
    ck_assert(reads("{\"id\":\"AQI\",\"rawId\":\"AQI\",\"type\":\"public-key\",\"authenticatorAttachment\":\"platform\","
                    "\"clientExtensionResults\":{},\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
                    "\"signature\":\"AA\",\"userHandle\":null}}",
                    false, &r));
    ck_slice_eq(r.id, SLICE("\1\2"));
    ck_slice_eq(r.client_data, SLICE("{}"));
    ck_assert_uint_eq(r.user_handle.len, 0);
    passkey_reply_release(&r);
    ck_assert(
        reads("{\"rawId\":\"AQI\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"attestationObject\":"
              "\"oA\",\"transports\":[\"usb\",\"hybrid\",7,\"pigeon\"]}}",
              true, &r));
    ck_assert_str_eq(r.transports, "usb hybrid");
    passkey_reply_release(&r);
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"rawId\":\"AQI\",\"type\":\"password\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\"}}",
        "{\"rawId\":\"AQI\",\"type\":\"public-key\",\"response\":[]}",
        "{\"rawId\":\"AQI\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\"}"
        "}",
        "{\"rawId\":\"AQI=\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\"}}",
        "{\"rawId\":\"AQJ\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\"}}",
        "{\"rawId\":7,\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\"}}",
        "{\"rawId\":\"\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\"}}",
        "{\"rawId\":\"AQI\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e3 "
        "0\",\"authenticatorData\":\"AAA\",\"signature\":\"AA\"}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(!reads(bad[i], false, &r), "%s", bad[i]);
        passkey_reply_release(&r);
    }
    struct buf long_one; /* a user handle of 65 bytes */
    buf_init(&long_one, 4096);
    buf_puts(
        &long_one,
        "{\"rawId\":\"AQI\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AAA\","
        "\"signature\":\"AA\",\"userHandle\":\"");
    for (int i = 0; i < 65 * 4 / 3 + 1; i++)
        buf_char(&long_one, 'A');
    buf_puts(&long_one, "\"}}");
    ck_assert(!reads(long_one.p, false, &r));
    passkey_reply_release(&r);
    buf_release(&long_one);
}
END_TEST

START_TEST(origins_and_the_rp_id_fit)
{
    static const char *const bad[] = {"http://example.org",
                                      "https://example.org/",
                                      "https://Example.org",
                                      "https://example.org:",
                                      "https://example.org:x",
                                      "https://user@example.org",
                                      "https://",
                                      "example.org",
                                      "https://example.org:123456",
                                      "http://localhost.evil.example",
                                      "http://127.0.0.1:8080",
                                      ""};
    struct passkeys p = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(passkeys_add_origin(&p, slice_str(bad[i])) == KEER_EINVALID, "%s", bad[i]);
    ck_assert(!passkeys_are_right(&p));
    ck_ok(passkeys_add_origin(&p, SLICE("https://login.example.org:8443")));
    ck_assert_str_eq(p.rp_id, "login.example.org");
    ck_ok(passkeys_set_rp_id(&p, SLICE("example.org")));
    ck_assert(passkeys_are_right(&p));
    static const char *const wrong[] = {"ample.org", "org", "login.example.org.evil", "x.login.example.org"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        ck_ok(passkeys_set_rp_id(&p, slice_str(wrong[i])));
        ck_assert_msg(!passkeys_are_right(&p), "%s", wrong[i]);
    }
    ck_err(passkeys_set_rp_id(&p, SLICE("Example.org")), KEER_EINVALID);
    ck_err(passkeys_set_rp_id(&p, SLICE("")), KEER_EINVALID);
    struct passkeys local = {0};
    ck_ok(passkeys_add_origin(&local, SLICE("http://localhost:8080")));
    ck_assert(passkeys_are_right(&local));
    for (unsigned i = 1; i < PASSKEY_ORIGINS_MAX; i++)
        ck_ok(passkeys_add_origin(&local, SLICE("http://localhost:8081")));
    ck_err(passkeys_add_origin(&local, SLICE("http://localhost:8082")), KEER_ELIMIT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("passkeys_flow");
    TCase *t = tcase_create("passkeys_flow");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, setup_kit, teardown_kit);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_second_passkey_wants_a_step_with_the_first);
    tcase_add_test(t, signing_in_is_once_by_whom_it_was_asked_of);
    tcase_add_test(t, a_passkey_that_was_removed_opens_nothing);
    tcase_add_test(t, payments_are_confirmed_as_they_were_shown);
    tcase_add_test(t, one_kind_is_never_taken_for_another);
    tcase_add_test(t, anothers_passkey_answers_nothing);
    tcase_add_test(t, answers_are_read_strictly);
    tcase_add_test(t, origins_and_the_rp_id_fit);
    suite_add_tcase(s, t);
    return test_main(s);
}
