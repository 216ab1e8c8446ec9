/* sim_test.c - simulated card payments: same seed, same bytes; the published proportions; and what they look like to a
 * reader. */
#include "sim/cards.h"

#include <math.h>

#include "lib/input_log.h"
#include "lib/test.h"

/* A tenth of the population on the same square: the radius grows so that as many terminals are within reach. */
static struct cards_options small(void)
{
    struct cards_options o = cards_defaults();
    o.seed = 42;
    o.customers = 500;
    o.terminals = 1000;
    o.days = 60;
    o.radius = 5 * sqrt(10);
    return o;
}

struct tally {
    uint64_t rows, by_scenario[4];
    double amount, days, noon;
};

static struct tally run(const struct cards_options *o, struct buf *csv)
{
    struct cards *c;
    struct cards_row r = {0}, before = {0};
    struct tally t = {0};
    bool more = true;
    ck_ok(cards_new(o, &c));
    if (csv)
        cards_write_csv_header(csv);
    for (;;) {
        ck_ok(cards_next(c, &r, &more));
        if (!more)
            break;
        if (r.id != t.rows || r.time_us < before.time_us || r.time_us != o->start_us + r.second * US_SECOND ||
            r.day != (unsigned)(r.second / 86400) || r.day >= o->days || r.customer >= o->customers ||
            r.terminal >= o->terminals || r.amount_minor < 0 || r.scenario > 3)
            ck_abort_msg("row %llu is out of order or range", (unsigned long long)t.rows);
        before = r;
        t.rows++;
        t.by_scenario[r.scenario]++;
        t.amount += (double)r.amount_minor / 100;
        t.noon += (double)(r.second % 86400);
        if (csv)
            cards_write_csv(csv, &r);
    }
    ck_assert(!more);
    ck_ok(cards_next(c, &r, &more));
    ck_assert(!more);
    ck_assert_uint_eq(r.id, before.id);
    cards_free(c);
    return t;
}

static double share(uint64_t n, uint64_t of) { return (double)n / (double)of; }

#define CK_NEAR(have, want, tolerance) \
    ck_assert_msg(fabs((have) - (want)) <= (tolerance) * (want), "%s is %g, want %g", #have, (double)(have), (double)(want))

START_TEST(proportions_are_those_published)
{
    struct cards_options o = small();
    struct tally t = run(&o, NULL);
    /* 2 payments a customer and day, of which P(|z| < 2.16) = 0.969 fall into the day */
    CK_NEAR((double)t.rows, 500 * 60 * 2 * 0.969, 0.08);
    /* Mean of 52.5; replacing the negative ones makes it 1.027 times that; scenario 3 adds four times its share. */
    double stolen = share(t.by_scenario[3], t.rows);
    CK_NEAR(t.amount / (double)t.rows, 53.9 * (1 + 4 * stolen), 0.08);
    CK_NEAR(t.noon / (double)t.rows, 43200.0, 0.01);
    /* Terminals bad on day d: 1000 (1 - (1 - 2/1000)^min(d + 1, 28)); the mean over 60 days is 4.24 %. */
    CK_NEAR(share(t.by_scenario[2], t.rows), 0.0424, 0.2);
    /* Customers misused: 500 (1 - (1 - 3/500)^min(d + 1, 14)), a third of their payments: 2.41 %. */
    CK_NEAR(stolen, 0.0241, 0.2);
    /* A payment of more than 220 needs a mean of 80 or more: about 0.06 %. */
    ck_assert(share(t.by_scenario[1], t.rows) > 0.0001 && share(t.by_scenario[1], t.rows) < 0.0015);
    o.fraud = false;
    struct tally clean = run(&o, NULL);
    ck_assert_uint_eq(clean.rows, t.rows);
    ck_assert_uint_eq(clean.by_scenario[0], t.rows);
    ck_assert(clean.amount < t.amount);
}
END_TEST

START_TEST(same_seed_same_bytes)
{
    struct cards_options o = small();
    struct buf a, b;
    buf_init(&a, (size_t)16 << 20);
    buf_init(&b, (size_t)16 << 20);
    o.days = 5;
    (void)run(&o, &a);
    (void)run(&o, &b);
    ck_slice_eq(buf_view(&a), buf_view(&b));
    buf_clear(&b);
    o.days = 3; /* fewer days are a beginning */
    (void)run(&o, &b);
    ck_assert(b.len < a.len && memcmp(a.p, b.p, b.len) == 0);
    buf_clear(&b);
    o.seed++;
    (void)run(&o, &b);
    ck_assert(memcmp(a.p, b.p, MIN_OF(a.len, b.len)) != 0);
    buf_release(&a);
    buf_release(&b);
}
END_TEST

/* The CSV through policies/handbook.map, and the NDJSON by name, are the same events. */
START_TEST(both_outputs_are_the_same_events)
{
    struct cards_options o = small();
    struct keer_schema schema;
    struct cards *c;
    struct cards_row r;
    bool more = true;
    struct buf csv, json, map, from_csv, from_json;
    struct buf *all[] = {&csv, &json, &map, &from_csv, &from_json};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_init(all[i], (size_t)64 << 20);
    FILE *f = fopen("policies/handbook.map", "rb");
    ck_assert_msg(f != NULL, "run from the top of the tree");
    map.len = fread(buf_reserve(&map, 4096), 1, 4096, f);
    (void)fclose(f);
    struct mapping *m;
    struct mapping_errors errors;
    ck_ok(mapping_parse(buf_view(&map), &m, &errors));
    ck_ok(schema_init(&schema, HASH_KEY_DEFAULT));
    ck_ok(schema_add_all(&schema));
    o.days = 8;
    ck_ok(cards_new(&o, &c));
    cards_write_csv_header(&csv);
    for (;;) {
        ck_ok(cards_next(c, &r, &more));
        if (!more)
            break;
        cards_write_csv(&csv, &r);
        cards_write_ndjson(&json, &r, 7 * US_DAY);
    }
    cards_free(c);
    ck_ok(log_input(&from_csv, &schema, &(struct input_options){.mapping = m}, buf_view(&csv), 65536, NULL));
    ck_ok(log_input(&from_json, &schema, &(struct input_options){.format = INPUT_NDJSON, .strict = true}, buf_view(&json),
                    65536, NULL));
    ck_assert(!slice_has(buf_view(&from_csv), SLICE("bad ")));
    ck_assert(slice_has(buf_view(&from_csv), SLICE(" scenario \"terminal\"")));
    ck_slice_eq(buf_view(&from_csv), buf_view(&from_json));
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_release(all[i]);
    mapping_free(m);
    schema_release(&schema);
}
END_TEST

START_TEST(rows_are_written_exactly)
{
    struct cards_row r = {.id = 7,
                          .time_us = (int64_t)1522540831 * US_SECOND,
                          .second = 31,
                          .day = 0,
                          .customer = 596,
                          .terminal = 3156,
                          .amount_minor = 5706,
                          .scenario = 3};
    struct buf b;
    buf_init(&b, 1000);
    cards_write_csv(&b, &r);
    ck_assert_str_eq(b.p, "7,2018-04-01 00:00:31,596,3156,57.06,31,0,1,3\n");
    buf_clear(&b);
    cards_write_ndjson(&b, &r, US_DAY);
    ck_assert_str_eq(
        b.p,
        "{\"id\":\"7\",\"time\":\"2018-04-01T00:00:31Z\",\"type\":\"purchase\",\"account\":\"596\",\"terminal\":\"3156\","
        "\"amount\":5706,\"currency\":\"EUR\",\"fraud\":true,\"fraud_known\":\"2018-04-02T00:00:31Z\","
        "\"scenario\":\"customer\"}\n");
    buf_release(&b);
}
END_TEST

START_TEST(options_are_bounded)
{
    struct cards *c = NULL;
    struct cards_options good = small(), o = good;
    o.customers = 0;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.customers = CARDS_POPULATION_MAX + 1;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.terminals = 0;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.days = 0;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.days = CARDS_DAYS_MAX + 1;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.radius = 0;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o.radius = (double)NAN;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.start_us++;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o.start_us = US_TIME_MAX;
    ck_err(cards_new(&o, &c), KEER_ERANGE);
    o = good;
    o.customers = 20000;
    o.terminals = 5000;
    o.radius = 150;
    ck_err(cards_new(&o, &c), KEER_ELIMIT);
    ck_assert_ptr_null(c);
    o = (struct cards_options){.seed = 3, .customers = 1, .terminals = 1, .days = 20, .radius = 0.001, .fraud = true};
    ck_assert_uint_eq(run(&o, NULL).rows, 0); /* nothing within reach, nothing paid */
    o.radius = 150;
    struct tally t = run(&o, NULL);
    ck_assert(t.rows > 0 && t.by_scenario[0] == 0);
    cards_free(NULL);
}
END_TEST

/* True when nothing failed. */
static bool generate_with_failure(uint64_t n)
{
    struct cards_options o = small();
    struct cards *c = NULL;
    struct cards_row r;
    bool more = true;
    o.days = 2;
    oom_arm(n, /* persistent */ false);
    enum keer_err err = cards_new(&o, &c);
    uint64_t rows = 0;
    while (err == KEER_OK && more) {
        err = cards_next(c, &r, &more);
        rows += err == KEER_OK && more;
    }
    bool refused = oom_count() >= n;
    oom_reset();
    if (err != KEER_OK && c) { /* a history that failed ends */
        ck_ok(cards_next(c, &r, &more));
        ck_assert(!more);
    }
    ck_assert(err == (refused ? KEER_ENOMEM : KEER_OK));
    ck_assert(refused || rows > 1000);
    cards_free(c);
    return !refused;
}

START_TEST(every_allocation_may_fail)
{
    uint64_t n = 1;
    while (!generate_with_failure(n))
        n++;
    ck_assert_uint_gt(n, 5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim");
    TCase *t = tcase_create("sim");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, proportions_are_those_published);
    tcase_add_test(t, same_seed_same_bytes);
    tcase_add_test(t, both_outputs_are_the_same_events);
    tcase_add_test(t, rows_are_written_exactly);
    tcase_add_test(t, options_are_bounded);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
