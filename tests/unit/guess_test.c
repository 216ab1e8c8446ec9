/* guess_test.c - somebody who guesses, in parallel, from as many networks as he likes: passwords by every name of an account
 * and every way to write it, one-time codes with the right password in hand, codes of recoveries; day after day, with
 * restarts in between. What is looked at stays within the limits of attempts.def, exactly; who has a device of the account
 * gets in all the while.
 *
 * GUESSES=N (2000) guesses in each of the three; `make guess` makes a million of it. The control: a right guess among the
 * first that are looked at does get in.
 */
#include <stdatomic.h>

#include "base/rand.h"
#include "flow/recover.h"
#include "flow/sign_in.h"
#include "lib/decider_kit.h"
#include "stepup/code.h"
#include "stepup/totp.h"
#define T0 (INT64_C(1700000000) * 1000000)

#define THREADS 8
#define ACCOUNTS 2
#define DAYS 6
#define RECOVERY_DAYS 2
#define NAMES 5 /* of an account, as they may be typed */
static const char POLICY[] = "rule nothing deny if purchase and amount < 0 EUR\n";

static struct world world;
static struct desk *desk;
static struct accounts accounts;
static struct steps steps;
static atomic_int_fast64_t shift_us;
static struct id account[ACCOUNTS], app[ACCOUNTS];
static struct code_set codes;      /* of the first account */
static struct crypto_hash browser; /* of the first account's owner */
static const char *const passwords[ACCOUNTS] = {"guess number 7 of many many", "correct horse battery staple 1"};

static int64_t clock_us(void) { return world_clock() + T0 + atomic_load(&shift_us); }

static void open_all(void)
{
    struct db_why why;
    world.o.now_us = world.o.wall_us = clock_us;
    world.o.queue_max = 4 * THREADS;
    world_open(&world);
    struct desk_options o = {.decider = world.d,
                             .database = world.database,
                             .threads = THREADS,
                             .queue_max = 64,
                             .now_us = clock_us,
                             .wall_us = clock_us};
    ck_ok(desk_new(&o, &desk, &why));
    ck_ok(desk_start(desk));
    accounts = (struct accounts){.words = {.service = "Keersluis", .url = "http://localhost"}};
    ck_ok(password_worker_new(&accounts.key, THREADS, &accounts.passwords));
    ck_ok(password_worker_start(accounts.passwords));
    steps = (struct steps){.accounts = &accounts,
                           .guard = {.key = &accounts.key, .first_us = US_DAY, .wait_us = US_HOUR, .recovery_us = US_DAY}};
}

static void close_all(void)
{
    desk_free(desk);
    password_worker_free(accounts.passwords);
    world_close(&world);
}

/* --- running something on the desk's threads --- */

struct crowd {
    struct desk_job job[THREADS];
    void (*body)(struct desk_worker *w, unsigned thread);
    atomic_uint running;
};
static struct crowd crowd;

static void run_one(struct desk_job *j, struct desk_worker *w)
{
    crowd.body(w, (unsigned)(j - crowd.job));
    atomic_fetch_sub(&crowd.running, 1);
}

static void all_at_once(void (*body)(struct desk_worker *w, unsigned thread), unsigned threads)
{
    crowd.body = body;
    atomic_store(&crowd.running, threads);
    for (unsigned i = 0; i < threads; i++) {
        crowd.job[i] = (struct desk_job){.run = run_one};
        ck_assert(desk_take(desk, &crowd.job[i]));
    }
    while (atomic_load(&crowd.running))
        (void)usleep(1000);
}

static int64_t guesses(void)
{
    const char *n = getenv("GUESSES");
    int64_t v = 2000;
    if (n)
        ck_ok(num_i64(slice_str(n), 100, 100000000, &v));
    return v / DAYS / THREADS;
}

/* --- the people --- */

static enum keer_err make_people(struct db *db, void *ctx)
{
    UNUSED(ctx);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char names[3][40], phc[PASSWORD_PHC_BYTES];
        struct totp_enrolment e;
        struct identifier a;
        struct identifier_why why;
        struct id contact;
        id_make(&account[i]);
        ck_ok(account_add(db, &account[i], SLICE("x"), SLICE("en"), T0));
        (void)snprintf(names[0], sizeof names[0], "person%u@example.org", i);
        (void)snprintf(names[1], sizeof names[1], "+3161234567%u", i);
        (void)snprintf(names[2], sizeof names[2], "person%u", i);
        for (unsigned k = 0; k < 3; k++) {
            ck_ok(identifier_guess(slice_str(names[k]), &a, &why));
            ck_ok(identifier_add(db, &account[i], &a, T0));
        }
        ck_ok(identifier_guess(slice_str(names[0]), &a, &why));
        ck_ok(contact_add(db, &account[i], &a, 0, T0, &contact));
        ck_ok(contact_verify(db, &account[i], &contact, T0));
        ck_ok(password_hash(slice_str(passwords[i]), &accounts.key, &account[i], password_cost_now(), phc));
        ck_ok(password_write(db, &account[i], phc, T0));
        ck_ok(totp_enrol(db, &accounts.key, &account[i], SLICE("app"), T0, &e));
        ck_ok(authenticator_move(db, &account[i], &e.id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), AUTHENTICATOR_ACTIVE,
                                 T0));
        app[i] = e.id;
    }
    ck_ok(code_make(db, &account[0], T0, &codes));
    ck_ok(code_activate(db, &account[0], &codes.id, T0));
    struct device d;
    bool fresh;
    crypto_random(&browser, sizeof browser);
    return device_see(db, &account[1], &browser, SLICE("firefox"), T0, &d, &fresh);
}

static void people(struct desk_worker *w, unsigned thread)
{
    UNUSED(thread);
    ck_ok(desk_write(w, make_people, NULL));
}

/* From a network of its own each time. */
static struct visitor stranger(struct rng *r)
{
    struct visitor v = {.family = "script"};
    (void)snprintf(v.ip, sizeof v.ip, "2001:db8:%x:%x::%x", (unsigned)rng_below(r, 65536), (unsigned)rng_below(r, 65536),
                   (unsigned)rng_below(r, 65536));
    visitor_new_device(&v);
    return v;
}

/* --- passwords --- */

static atomic_uint_fast64_t looked[ACCOUNTS + 1], refused[ACCOUNTS + 1], opened[ACCOUNTS + 1];
static void forget_counts(void)
{
    for (unsigned i = 0; i <= ACCOUNTS; i++) {
        atomic_store(&looked[i], 0);
        atomic_store(&refused[i], 0);
        atomic_store(&opened[i], 0);
    }
}

static const char *const forms[NAMES] = {"person%u@example.org", "PERSON%u@Example.ORG", "+31 6 1234-567%u", "person%u",
                                         "Person%u"};

static void guess_passwords(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    rng_seed(&r, thread * 1000003u + (uint64_t)atomic_load(&shift_us));
    for (int64_t i = guesses(); i-- > 0;) {
        char name[64], password[64];
        struct sign_in s;
        unsigned who = (unsigned)rng_below(&r, ACCOUNTS + 1); /* the last is nobody */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* a row of `forms` */
        (void)snprintf(name, sizeof name, forms[who < ACCOUNTS ? rng_below(&r, NAMES) : NAMES - 1], who);
#pragma GCC diagnostic pop
        (void)snprintf(password, sizeof password, "guess number %u of many many", (unsigned)rng_below(&r, 1000000) + 1000);
        struct visitor v = stranger(&r);
        enum keer_err err = sign_in_password(&accounts, w, &v, slice_str(name), slice_str(password), &s);
        if (err == KEER_EFULL || (err == KEER_OK && s.next == SIGN_IN_FULL))
            continue; /* no place: nothing was looked at */
        ck_ok(err);
        atomic_fetch_add(s.next == SIGN_IN_WRONG ? &looked[who] : s.next == SIGN_IN_LATER ? &refused[who] : &opened[who], 1);
    }
}

static void the_owner(struct desk_worker *w, unsigned thread)
{
    struct visitor v = {.family = "firefox", .device = browser, .ip = "192.0.2.1"};
    struct sign_in s;
    UNUSED(thread);
    device_mark(&browser, &v.mark);
    ck_ok(sign_in_password(&accounts, w, &v, SLICE("person1"), slice_str(passwords[1]), &s));
    ck_assert_msg(s.next == SIGN_IN_STEP || s.next == SIGN_IN_DONE, "the owner got %d", s.next);
}

static void the_control(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    struct sign_in s;
    UNUSED(thread);
    rng_seed(&r, 1);
    struct visitor v = stranger(&r);
    ck_ok(sign_in_password(&accounts, w, &v, SLICE("person0"), slice_str(passwords[0]), &s));
    ck_assert_int_eq(s.next, SIGN_IN_STEP);
}

START_TEST(passwords_by_the_million)
{
    uint64_t all[ACCOUNTS + 1] = {0};
    world_make(&world, POLICY);
    open_all();
    all_at_once(people, 1);
    all_at_once(the_control, 1);
    for (unsigned day = 0; day < DAYS; day++) {
        atomic_store(&shift_us, day * 25 * US_HOUR);
        forget_counts();
        all_at_once(guess_passwords, THREADS);
        all_at_once(the_owner, 1);
        for (unsigned i = 0; i <= ACCOUNTS; i++) {
            uint64_t n = atomic_load(&looked[i]);
            all[i] += n;
            ck_assert_msg(n <= 20, "account %u: %llu looked at on day %u", i, (unsigned long long)n, day);
            ck_assert_uint_eq(atomic_load(&opened[i]), 0);
        }
        close_all(); /* a restart each night */
        open_all();
    }
    for (unsigned i = 0; i < ACCOUNTS; i++)
        ck_assert_msg(all[i] <= 100, "account %u: %llu looked at", i, (unsigned long long)all[i]);
    printf("# passwords: %llu and %llu looked at of accounts in %d days, %llu of nobody\n", (unsigned long long)all[0],
           (unsigned long long)all[1], DAYS, (unsigned long long)all[ACCOUNTS]);
    close_all();
    world_end(&world);
}
END_TEST

/* --- one-time codes, with the right password --- */

struct opening {
    struct challenge c;
    struct visitor *v;
    int64_t now_us;
};

/* As sign_in does after a right password. */
static enum keer_err open_step(struct db *db, void *ctx)
{
    struct opening *o = ctx;
    struct bearer token;
    bool fresh;
    struct session_new n = {.account = o->c.account,
                            .rights = SESSION_PENDING,
                            .acr = SESSION_ACR_1,
                            .amr = "pwd",
                            .device_hash = o->v->device,
                            .ip = slice_str(o->v->ip),
                            .family = SLICE("script")};
    enum keer_err err = session_begin(db, &n, o->now_us, &o->v->session, &token);
    struct challenge_data d = {.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
    o->c.holder = o->v->session;
    return err == KEER_OK ? challenge_open(db, &d, o->now_us, &o->c, &fresh) : err;
}

/* One code that is right, 200 times in parallel at eight challenges: exactly one of them is answered. */
static void use_one_code(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    struct step s;
    rng_seed(&r, thread + 31);
    struct visitor v = stranger(&r);
    struct opening o = {.c = {.account = account[0], .kind = CHALLENGE_SIGN_IN}, .v = &v, .now_us = desk_wall_us(w)};
    ck_ok(desk_write(w, open_step, &o));
    for (int i = 0; i < 25; i++) {
        ck_ok(step_recovery_code(&steps, w, &v, &o.c.id, slice_str(codes.code[0]), &s));
        if (s.outcome == STEP_DONE)
            atomic_fetch_add(&opened[0], 1);
    }
}

START_TEST(two_hundred_at_once_one_wins)
{
    world_make(&world, POLICY);
    atomic_store(&shift_us, 0);
    open_all();
    all_at_once(people, 1);
    forget_counts();
    all_at_once(use_one_code, THREADS);
    ck_assert_uint_eq(atomic_load(&opened[0]), 1);
    close_all();
    world_end(&world);
}
END_TEST

static struct challenge shared; /* many at once guess at one challenge */
static struct visitor shared_visitor;

static void guess_shared(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    rng_seed(&r, thread);
    for (int i = 0; i < 25; i++) {
        struct step s;
        char code[8];
        (void)snprintf(code, sizeof code, "%06u", (unsigned)rng_below(&r, 1000000));
        ck_ok(step_totp(&steps, w, &shared_visitor, &shared.id, slice_str(code), &s));
        ck_assert_int_ne(s.outcome, STEP_DONE);
    }
}

static void open_shared(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    UNUSED(thread);
    rng_seed(&r, 5);
    shared_visitor = stranger(&r);
    struct opening o = {
        .c = {.account = account[0], .kind = CHALLENGE_SIGN_IN}, .v = &shared_visitor, .now_us = desk_wall_us(w)};
    ck_ok(desk_write(w, open_step, &o));
    shared = o.c;
}

static void guess_codes(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    rng_seed(&r, thread * 7919u + (uint64_t)atomic_load(&shift_us));
    for (int64_t i = guesses(); i > 0;) {
        struct visitor v = stranger(&r);
        unsigned who = (unsigned)rng_below(&r, ACCOUNTS);
        struct opening o = {.c = {.account = account[who], .kind = CHALLENGE_SIGN_IN}, .v = &v, .now_us = desk_wall_us(w)};
        ck_ok(desk_write(w, open_step, &o));
        for (int k = 0; k < 7 && i > 0; k++, i--) {
            struct step s;
            char code[8];
            (void)snprintf(code, sizeof code, "%06u", (unsigned)rng_below(&r, 1000000));
            ck_ok(step_totp(&steps, w, &v, &o.c.id, slice_str(code), &s));
            if (s.outcome == STEP_DONE) /* chance: 3 in a million for each that is looked at */
                atomic_fetch_add(&opened[who], 1);
        }
    }
}

struct numbers {
    int64_t journal, disabled;
};
static enum keer_err read_numbers(struct db *db, void *ctx)
{
    struct numbers *n = ctx;
    enum keer_err err = db_number(db, "SELECT COUNT(*) FROM journal", &n->journal);
    return err == KEER_OK ? db_number(db, "SELECT COUNT(*) FROM authenticator WHERE state = 3", &n->disabled) : err;
}
static struct numbers numbers_now;
static void numbers(struct desk_worker *w, unsigned thread)
{
    UNUSED(thread);
    ck_ok(desk_read(w, read_numbers, &numbers_now));
}

static void with_the_password_alone(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    UNUSED(thread);
    rng_seed(&r, 77);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[40];
        struct sign_in s;
        struct visitor v = stranger(&r);
        (void)snprintf(name, sizeof name, "person%u", i);
        ck_ok(sign_in_password(&accounts, w, &v, slice_str(name), slice_str(passwords[i]), &s));
        ck_assert_int_eq(s.next, i ? SIGN_IN_CODE : SIGN_IN_STEP); /* the first has recovery codes left */
    }
}

/* Every answer that is looked at is an event, and so is every app that is disabled: the journal counts them. */
START_TEST(codes_by_the_million)
{
    int64_t before = 0, all = 0;
    world_make(&world, POLICY);
    atomic_store(&shift_us, 0);
    open_all();
    all_at_once(people, 1);
    all_at_once(open_shared, 1);
    all_at_once(guess_shared, THREADS); /* 200 in parallel at one challenge */
    all_at_once(numbers, 1);
    ck_assert_int_eq(numbers_now.journal, 5);
    forget_counts();
    before = numbers_now.journal - numbers_now.disabled;
    for (unsigned day = 0; day < DAYS; day++) {
        atomic_store(&shift_us, (day + 1) * 25 * US_HOUR);
        all_at_once(guess_codes, THREADS);
        all_at_once(numbers, 1);
        int64_t looked_at = numbers_now.journal - numbers_now.disabled - before;
        ck_assert_msg(looked_at <= 20 * ACCOUNTS, "%lld looked at on day %u", (long long)looked_at, day);
        before = numbers_now.journal - numbers_now.disabled;
        all += looked_at;
        close_all();
        open_all();
    }
    int64_t guessed = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        guessed += (int64_t)atomic_load(&opened[i]);
    ck_assert(guessed <= 1); /* luck is possible, and rare: 400 x 3 in a million */
    ck_assert_int_le(all, 100 * ACCOUNTS);
    if (guesses() >= 60 && !guessed) { /* enough of them: every app is disabled after its hundredth */
        ck_assert_int_eq(all + 5, 100 * ACCOUNTS);
        ck_assert_int_eq(numbers_now.disabled, ACCOUNTS);
    }
    if (numbers_now.disabled == ACCOUNTS) /* and then the password alone opens no more than it did before */
        all_at_once(with_the_password_alone, 1);
    printf("# codes: %lld looked at in %d days, %lld apps disabled\n", (long long)all, DAYS,
           (long long)numbers_now.disabled);
    close_all();
    world_end(&world);
}
END_TEST

/* --- codes of recoveries --- */

static void guess_recoveries(struct desk_worker *w, unsigned thread)
{
    struct rng r;
    rng_seed(&r, thread * 104729u + (uint64_t)atomic_load(&shift_us));
    for (int64_t i = guesses() * DAYS / RECOVERY_DAYS; i > 0;) {
        struct visitor v = stranger(&r);
        struct recover s;
        char name[64];
        unsigned who = (unsigned)rng_below(&r, ACCOUNTS + 1);
        (void)snprintf(name, sizeof name, "person%u", who);
        ck_ok(recover_start(&steps, w, &v, slice_str(name), &s));
        ck_assert_int_eq(s.outcome, RECOVER_FLOW);
        struct id flow = s.recovery.id;
        steps_tick(w, &steps);
        for (int k = 0; k < 7 && i > 0; k++, i--) {
            char code[12];
            (void)snprintf(code, sizeof code, "%08u", (unsigned)rng_below(&r, 100000000));
            struct recover p;
            ck_ok(recover_prove(&steps, w, &v, &flow, slice_str(code), &p));
            atomic_fetch_add(p.outcome == RECOVER_WRONG  ? &looked[who]
                             : p.outcome == RECOVER_FLOW ? &opened[who]
                                                         : &refused[who],
                             1);
        }
    }
}

START_TEST(recoveries_by_the_million)
{
    world_make(&world, POLICY);
    atomic_store(&shift_us, 0);
    open_all();
    all_at_once(people, 1);
    for (unsigned day = 0; day < RECOVERY_DAYS; day++) {
        atomic_store(&shift_us, day * 25 * US_HOUR);
        forget_counts();
        all_at_once(guess_recoveries, THREADS);
        for (unsigned i = 0; i <= ACCOUNTS; i++) { /* of nobody as of somebody */
            ck_assert_msg(atomic_load(&looked[i]) <= 20, "%u: %llu", i, (unsigned long long)atomic_load(&looked[i]));
            ck_assert_msg(guesses() < 60 || atomic_load(&looked[i]) == 20, "%u: %llu", i,
                          (unsigned long long)atomic_load(&looked[i]));
            ck_assert_uint_eq(atomic_load(&opened[i]), 0);
        }
        close_all();
        open_all();
    }
    close_all();
    world_end(&world);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guess");
    TCase *c = tcase_create("guess");
    tcase_set_timeout(c, 7200);
    tcase_add_test(c, passwords_by_the_million);
    tcase_add_test(c, two_hundred_at_once_one_wins);
    tcase_add_test(c, codes_by_the_million);
    tcase_add_test(c, recoveries_by_the_million);
    suite_add_tcase(s, c);
    return test_main(s);
}
