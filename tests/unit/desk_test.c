/* desk_test.c - use cases in straight lines over a real decider; forms and cookies, which they read. */
#include <pthread.h>
#include <stdatomic.h>

#include "flow/desk.h"
#include "http/http.h"
#include "lib/db_fail.h"
#include "lib/decider_kit.h"

static const char POLICY[] = "rule no_failures deny if sign_in and outcome = 'failure'\n"
                             "rule new_device challenge if sign_in and is_missing(device)\n";

struct tests_desk {
    struct world world;
    struct desk *desk;
};

static void make(struct tests_desk *t, unsigned threads, unsigned queue_max)
{
    struct db_why why;
    world_make(&t->world, POLICY);
    world_open(&t->world);
    struct desk_options o = {.decider = t->world.d,
                             .database = t->world.database,
                             .threads = threads,
                             .queue_max = queue_max,
                             .now_us = world_clock,
                             .wall_us = world_clock};
    ck_ok(desk_new(&o, &t->desk, &why));
}

static void end(struct tests_desk *t)
{
    desk_free(t->desk);
    world_end(&t->world);
}

/* A job, and the test that waits for it. */
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

static void on_desk(struct tests_desk *t, void (*body)(struct desk_worker *w))
{
    struct waiting job = {.job = {.run = run_waiting}, .body = body};
    job.job.ctx = &job;
    ck_assert(desk_take(t->desk, &job.job));
    while (!atomic_load(&job.ended))
        (void)usleep(100);
}

static enum keer_err put_secret(struct db *db, void *ctx)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "INSERT INTO secret (name, value) VALUES ($1, $2)", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(ctx));
    db_bind_bytes(s, 2, SLICE("x"));
    enum db_step step = db_step(s);
    db_free(s);
    return step == DB_END ? KEER_OK : step == DB_CONFLICT ? KEER_ECONFLICT : KEER_EIO;
}

static enum keer_err put_and_refuse(struct db *db, void *ctx)
{
    enum keer_err err = put_secret(db, ctx);
    return err == KEER_OK ? KEER_ELIMIT : err;
}

static enum keer_err count_secrets(struct db *db, void *ctx)
{
    return db_number(db, "SELECT COUNT(*) FROM secret WHERE name LIKE 'desk%'", ctx);
}

static int64_t secrets(struct desk_worker *w)
{
    int64_t n = -1;
    ck_ok(desk_read(w, count_secrets, &n));
    return n;
}

static void writes_are_seen(struct desk_worker *w)
{
    char one[] = "desk one", two[] = "desk two";
    ck_ok(desk_write(w, put_secret, one));
    ck_assert_int_eq(secrets(w), 1);
    ck_err(desk_write(w, put_secret, one), KEER_ECONFLICT);
    ck_err(desk_write(w, put_and_refuse, two), KEER_ELIMIT);
    ck_assert_int_eq(secrets(w), 1);
    ck_ok(desk_write(w, put_secret, two));
    ck_assert_int_eq(secrets(w), 2);
}

START_TEST(what_is_written_is_committed_or_not_there)
{
    struct tests_desk t;
    make(&t, 2, 4);
    ck_ok(desk_start(t.desk));
    on_desk(&t, writes_are_seen);
    end(&t);
}
END_TEST

/* Tasks that wait beside each other for a writer that is busy. */
#define TOGETHER 24u
struct beside {
    struct write_task task;
    unsigned number;
    enum keer_err end;
    atomic_bool ended;
};
static atomic_bool writer_goes_on;

static enum keer_err hold_the_writer(struct db *db, struct write_task *t)
{
    (void)db, (void)t;
    while (!atomic_load(&writer_goes_on))
        (void)usleep(100);
    return KEER_OK;
}

/* Every third takes a name that is taken, every fifth writes and wants it back. */
static enum keer_err put_beside(struct db *db, struct write_task *t)
{
    struct beside *b = t->ctx;
    char name[32];
    (void)snprintf(name, sizeof name, "desk %u", b->number % 3 == 2 ? b->number - 1 : b->number);
    return b->number % 5 == 4 ? put_and_refuse(db, name) : put_secret(db, name);
}

static void end_beside(struct write_task *t, enum keer_err err)
{
    struct beside *b = t->ctx;
    b->end = err;
    atomic_store(&b->ended, true);
}

static enum keer_err wanted_beside(unsigned n)
{
    bool before_refused = n % 3 == 2 && (n - 1) % 5 == 4; /* then its name is free */
    if (n % 3 == 2 && !before_refused)
        return KEER_ECONFLICT;
    return n % 5 == 4 ? KEER_ELIMIT : KEER_OK;
}

static void run_beside(struct tests_desk *t, struct beside *tasks)
{
    struct beside first = {.task = {.run = hold_the_writer, .done = end_beside, .ctx = &first}};
    atomic_store(&writer_goes_on, false);
    ck_ok(decider_write(t->world.d, &first.task));
    for (unsigned i = 0; i < TOGETHER; i++) {
        tasks[i] = (struct beside){.number = i};
        tasks[i].task = (struct write_task){.run = put_beside, .done = end_beside, .ctx = &tasks[i], .together = true};
        ck_ok(decider_write(t->world.d, &tasks[i].task));
    }
    atomic_store(&writer_goes_on, true);
    for (unsigned i = 0; i < TOGETHER; i++)
        while (!atomic_load(&tasks[i].ended))
            (void)usleep(100);
}

static unsigned secrets_beside(struct tests_desk *t)
{
    struct db *db;
    struct db_why why;
    int64_t n = -1;
    ck_ok(db_open(t->world.database, DB_READ, &db, &why));
    ck_ok(count_secrets(db, &n));
    db_close(db);
    return (unsigned)n;
}

START_TEST(what_waits_together_shares_a_commit_and_fails_alone)
{
    struct tests_desk t;
    struct beside tasks[TOGETHER];
    unsigned good = 0;
    make(&t, 1, 4);
    run_beside(&t, tasks);
    for (unsigned i = 0; i < TOGETHER; i++) {
        ck_assert_msg(tasks[i].end == wanted_beside(i), "%u: %s", i, keer_err_name(tasks[i].end));
        good += tasks[i].end == KEER_OK;
    }
    ck_assert_uint_eq(secrets_beside(&t), good);
    end(&t);
}
END_TEST

/* Whichever begin, step or commit fails: what was told to be written is there, and nothing else; but for a commit that
 * landed and was told unknown. */
START_TEST(what_waits_together_survives_a_failure_at_any_call)
{
    for (uint64_t n = 1;; n++) {
        struct tests_desk t;
        struct beside tasks[TOGETHER];
        unsigned good = 0;
        make(&t, 1, 4);
        db_fail_arm(n, n % 2 == 0);
        run_beside(&t, tasks);
        bool hit = db_fail_hit();
        db_fail_arm(0, false);
        for (unsigned i = 0; i < TOGETHER; i++)
            good += tasks[i].end == KEER_OK;
        unsigned there = secrets_beside(&t);
        ck_assert_msg(there == good || (!good && n % 2 == 0), "failure %d: %u told, %u there", (int)n, good, there);
        end(&t);
        if (!hit)
            break;
        ck_assert_uint_lt(n, 200);
    }
}
END_TEST

static void decisions(struct desk_worker *w)
{
    static const struct {
        const char *id, *outcome, *device;
        enum keer_err err;
        enum keer_outcome decided;
    } asked[] = {{"a", "success", "d1", KEER_OK, KEER_ALLOW},
                 {"b", "success", "", KEER_OK, KEER_CHALLENGE},
                 {"c", "failure", "d1", KEER_OK, KEER_DENY},
                 {"a", "success", "d1", KEER_OK, KEER_ALLOW},
                 {"a", "failure", "d1", KEER_ECONFLICT, KEER_DENY}};
    int64_t now = world_clock();
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct desk_decision d;
        struct desk_event e = {.id = slice_str(asked[i].id),
                               .type = SLICE("sign_in"),
                               .time_us = now,
                               .account = SLICE("\"quoted\\"),
                               .outcome = slice_str(asked[i].outcome),
                               .device = slice_str(asked[i].device)};
        enum keer_err err = desk_decide(w, &e, &d);
        ck_assert_msg(err == asked[i].err, "%zu: %s", i, keer_err_name(err));
        if (err != KEER_OK)
            continue;
        ck_assert_int_eq(d.outcome, asked[i].decided);
        buf_release(&d.answer);
    }
    struct desk_decision d;
    struct desk_event bad = {.type = SLICE("no such type"), .account = SLICE("x")};
    ck_assert(desk_decide(w, &bad, &d) != KEER_OK);
    struct desk_event fresh = {
        .type = SLICE("purchase"), .account = SLICE("x"), .amount_minor = 64800, .currency = SLICE("CNY")};
    ck_ok(desk_decide(w, &fresh, &d));
    buf_release(&d.answer);
    ck_ok(desk_decide(w, &fresh, &d)); /* another id */
    buf_release(&d.answer);
}

START_TEST(events_of_ours_are_decided)
{
    struct tests_desk t;
    make(&t, 1, 4);
    ck_ok(desk_start(t.desk));
    on_desk(&t, decisions);
    ck_assert_int_eq((int64_t)atomic_load(&decider_statistics(t.world.d)->rows), 5);
    end(&t);
}
END_TEST

static atomic_uint gate, ran;
static void held(struct desk_job *j, struct desk_worker *w)
{
    UNUSED(j);
    UNUSED(w);
    while (!atomic_load(&gate))
        (void)usleep(100);
    (void)atomic_fetch_add(&ran, 1);
}

START_TEST(a_full_desk_refuses_and_a_stopped_one_finishes)
{
    struct tests_desk t;
    struct desk_job jobs[8];
    unsigned taken = 0;
    make(&t, 1, 3);
    for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
        jobs[i] = (struct desk_job){.run = held};
    ck_assert(!desk_take(t.desk, &jobs[0])); /* not started */
    ck_ok(desk_start(t.desk));
    for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
        taken += desk_take(t.desk, &jobs[i]);
    ck_assert(taken == 3 || taken == 4); /* one may run already */
    atomic_store(&gate, 1);
    desk_stop(t.desk);
    ck_assert_uint_eq(atomic_load(&ran), taken);
    ck_assert(!desk_take(t.desk, &jobs[0]));
    end(&t);
}
END_TEST

static atomic_uint ticks, inside;
static void tick(struct desk_worker *w, void *ctx)
{
    UNUSED(w);
    UNUSED(ctx);
    ck_assert_uint_eq(atomic_fetch_add(&inside, 1), 0);
    (void)usleep(500);
    (void)atomic_fetch_sub(&inside, 1);
    (void)atomic_fetch_add(&ticks, 1);
}

START_TEST(timers_run_and_never_twice_at_once)
{
    struct tests_desk t;
    make(&t, 4, 3);
    desk_every(t.desk, 1000, tick, NULL);
    ck_ok(desk_start(t.desk));
    for (int i = 0; i < 5000 && atomic_load(&ticks) < 3; i++)
        (void)usleep(1000);
    ck_assert_uint_ge(atomic_load(&ticks), 3);
    end(&t);
}
END_TEST

static const struct {
    const char *body, *a, *b;
    enum keer_err err;
} forms[] = {
    {"a=1&b=2", "1", "2", KEER_OK},
    {"a=x+y%2B%26&other=9", "x y+&", NULL, KEER_OK},
    {"b=%C3%A9", NULL, "\xc3\xa9", KEER_OK},
    {"a=&b", "", NULL, KEER_OK},
    {"", NULL, NULL, KEER_OK},
    {"&&a=1", "1", NULL, KEER_OK},
    {"a=1&a=2", NULL, NULL, KEER_ECONFLICT},
    {"a=%", NULL, NULL, KEER_ESYNTAX},
    {"a=%4", NULL, NULL, KEER_ESYNTAX},
    {"a=%zz", NULL, NULL, KEER_ESYNTAX},
    {"a=%00", NULL, NULL, KEER_ESYNTAX},
    {"=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=&=", NULL, NULL, KEER_ELIMIT},
};

START_TEST(forms_are_read)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct http_param params[] = {{"a", {NULL, 0}}, {"b", {NULL, 0}}};
        struct buf room;
        struct slice name;
        buf_init(&room, 1000);
        enum keer_err err = http_form_read(slice_str(forms[i].body), params, 2, &room, &name);
        ck_assert_msg(err == forms[i].err, "%s: %s", forms[i].body, keer_err_name(err));
        const char *want[] = {forms[i].a, forms[i].b};
        for (unsigned k = 0; err == KEER_OK && k < 2; k++) {
            ck_assert_msg(!params[k].value.len || want[k], "%s", forms[i].body);
            if (want[k])
                ck_slice_eq(params[k].value, slice_str(want[k]));
        }
        buf_release(&room);
    }
}
END_TEST

START_TEST(cookies_are_found_and_ambiguous_ones_are_not)
{
    static const struct {
        const char *header, *value;
    } cases[] = {{"keer=abc", "abc"},      {"a=1; keer=abc; b=2", "abc"}, {"keer=", ""},  {"keer=a=b", "a=b"},
                 {"Keer=abc", NULL},       {"xkeer=abc", NULL},           {"keer", NULL}, {"", NULL},
                 {"keer=1; keer=2", NULL}, {"keer=1; keer=1", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice v = http_cookie_find(slice_str(cases[i].header), "keer");
        ck_assert_msg((v.p != NULL) == (cases[i].value != NULL), "%s", cases[i].header);
        if (v.p)
            ck_slice_eq(v, slice_str(cases[i].value));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("desk");
    TCase *t = tcase_create("desk");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_written_is_committed_or_not_there);
    tcase_add_test(t, what_waits_together_shares_a_commit_and_fails_alone);
    tcase_add_test(t, what_waits_together_survives_a_failure_at_any_call);
    tcase_add_test(t, events_of_ours_are_decided);
    tcase_add_test(t, a_full_desk_refuses_and_a_stopped_one_finishes);
    tcase_add_test(t, timers_run_and_never_twice_at_once);
    tcase_add_test(t, forms_are_read);
    tcase_add_test(t, cookies_are_found_and_ambiguous_ones_are_not);
    suite_add_tcase(s, t);
    return test_main(s);
}
