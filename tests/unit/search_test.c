/* search_test.c - search of decisions from the inside: lists of places, runs in a database, cursors, what a row is found by.
 */
#include "base/rand.h"
#include "flow/search.h"
#include "flow/terms.h"
#include "lib/database.h"
#include "store/found.h"
#include "store/secrets.h"

static struct scratch scratch;

static void setup(void) { ck_ok(crypto_start()); }

/* --- lists of places --- */

static size_t pack_some(struct rng *r, double density, uint16_t place[FOUND_ROWS], unsigned char bytes[FOUND_PLACES_BYTES],
                        size_t *ret_count)
{
    size_t n = 0;
    for (unsigned i = 0; i < FOUND_ROWS; i++)
        if (rng_chance(r, density))
            place[n++] = (uint16_t)i;
    if (!n)
        place[n++] = (uint16_t)rng_below(r, FOUND_ROWS);
    *ret_count = n;
    return found_pack(place, n, bytes);
}

START_TEST(places_come_back)
{
    static const double densities[] = {0, 0.0005, 0.01, 0.1, 0.12, 0.13, 0.5, 0.99, 1};
    struct rng r;
    const uint64_t seed = 20181001;
    rng_seed(&r, seed);
    for (unsigned round = 0; round < 200 * ARRAY_LEN(densities); round++) {
        uint16_t place[FOUND_ROWS];
        unsigned char bytes[FOUND_PLACES_BYTES];
        struct found_places p;
        size_t n = 0, seen = 0;
        size_t len = pack_some(&r, densities[round % ARRAY_LEN(densities)], place, bytes, &n);
        ck_assert(len >= 1 && len <= FOUND_PLACES_BYTES);
        ck_ok(found_unpack(slice_of((const char *)bytes, len), &p));
        for (unsigned i = 0; i < FOUND_ROWS; i++) {
            bool there = seen < n && place[seen] == i;
            ck_assert_msg(found_has(&p, i) == there, "seed %llu, place %u", (unsigned long long)seed, i);
            seen += there;
        }
    }
}
END_TEST

START_TEST(places_that_are_none_are_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum keer_err err;
    } lists[] = {
        {"", 0, KEER_EFORMAT},
        {"\0", 1, KEER_OK},
        {"\x80", 1, KEER_EFORMAT},                 /* a gap cut short */
        {"\xFF\x0F", 2, KEER_OK},                  /* 2047, the last one */
        {"\x80\x10", 2, KEER_EFORMAT},             /* 2048 */
        {"\xFF\x0F\0", 3, KEER_EFORMAT},           /* one after the last */
        {"\x80\x80\x01", 3, KEER_EFORMAT},         /* a third byte */
        {"\x85\0", 2, KEER_EFORMAT},               /* a small gap in two bytes */
        {"\x05\x80\x08\x80\x08", 5, KEER_EFORMAT}, /* 5, 1030, 2055 */
        {"\x05\x80\x08\x10", 4, KEER_OK},
    };
    char longer[FOUND_PLACES_BYTES + 1] = {0};
    struct found_places p;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        ck_err(found_unpack(slice_of(lists[i].bytes, lists[i].len), &p), lists[i].err);
    ck_err(found_unpack(slice_of(longer, sizeof longer), &p), KEER_EFORMAT);
    ck_ok(found_unpack(slice_of(longer, sizeof longer - 1), &p)); /* a map of nothing */
    ck_assert(!found_has(&p, 0) && !found_has(&p, FOUND_ROWS - 1));
}
END_TEST

START_TEST(rows_have_their_buckets)
{
    ck_assert_int_eq(found_bucket(1), 0);
    ck_assert_int_eq(found_bucket(2048), 0);
    ck_assert_int_eq(found_bucket(2049), 1);
    ck_assert_uint_eq(found_place(2048), 2047);
    ck_assert_uint_eq(found_place(2049), 0);
    ck_assert_int_eq(found_first(1), 2049);
}
END_TEST

/* --- runs --- */

#define MORE_TERMS 37

static void put_bucket(struct db *db, int64_t bucket)
{
    struct found_run run = {.bucket = bucket};
    for (unsigned i = FOUND_ROWS; i-- > 0;) { /* the wrong way round */
        ck_ok(found_add(&run, -7, i));
        if (i % 2 == 0)
            ck_ok(found_add(&run, 2, i));
        if (i % 3 == 0)
            ck_ok(found_add(&run, INT64_MAX, i));
        if (i == bucket)
            ck_ok(found_add(&run, INT64_MIN, i));
        if (i == bucket)
            ck_ok(found_add(&run, INT64_MIN, i)); /* a rule named twice */
    }
    for (unsigned i = 0; i < MORE_TERMS; i++) /* several statements, and a rest */
        ck_ok(found_add(&run, 1000 + i, i));
    found_sort(&run);
    ck_ok(db_begin(db));
    ck_ok(found_put(db, &run));
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    found_release(&run);
}

START_TEST(runs_are_found)
{
    struct db_why why;
    struct db *db;
    struct find f;
    struct found_places p;
    int64_t n = -1, bucket = 0;
    database_make(&scratch);
    ck_ok(db_open(database_where(&scratch), DB_WRITE, &db, &why));
    ck_ok(db_migrate(db, 1, &why));
    ck_ok(find_open(&f, db));
    ck_ok(find_buckets(&f, &n));
    ck_assert_int_eq(n, 0);
    for (int64_t b = 0; b < 5; b++)
        put_bucket(db, b);
    ck_ok(find_buckets(&f, &n));
    ck_assert_int_eq(n, 5);
    for (unsigned i = 0; i < MORE_TERMS; i++) {
        const int64_t term = 1000 + i;
        find_runs(&f, &term, 1, 4, 4, 1);
        ck_ok(find_run(&f, 1, &bucket, &p));
        ck_assert(bucket == 4 && found_has(&p, i) && !found_has(&p, i + 1));
        find_runs_done(&f, 1);
    }
    const int64_t both[] = {2, INT64_MAX, -7}, one[] = {INT64_MIN}, none[] = {-7, 99};
    find_runs(&f, both, 3, 3, 1, 2);
    for (int64_t b = 3; b > 1; b--) {
        ck_ok(find_run(&f, 3, &bucket, &p));
        ck_assert_int_eq(bucket, b);
        for (unsigned i = 0; i < FOUND_ROWS; i++)
            ck_assert(found_has(&p, i) == (i % 6 == 0));
    }
    ck_err(find_run(&f, 3, &bucket, &p), KEER_EMISSING);
    find_runs_done(&f, 3);
    find_runs(&f, one, 1, 4, 0, 32);
    for (int64_t b = 4; b >= 0; b--) {
        ck_ok(find_run(&f, 1, &bucket, &p));
        for (unsigned i = 0; i < FOUND_ROWS; i++)
            ck_assert(found_has(&p, i) == (i == b));
    }
    find_runs_done(&f, 1);
    find_runs(&f, none, 2, 0, 0, 1);
    ck_ok(find_run(&f, 2, &bucket, &p));
    for (unsigned i = 0; i < FOUND_ROWS; i++)
        ck_assert(!found_has(&p, i));
    find_runs_done(&f, 2);
    /* Secrets are made once. */
    struct crypto_hash a;
    struct crypto_hash b;
    ck_err(secret_get(db, SECRET_FOUND, &a), KEER_EMISSING);
    ck_ok(secrets_make(db));
    ck_ok(secret_get(db, SECRET_FOUND, &a));
    ck_ok(secrets_make(db));
    ck_ok(secret_get(db, SECRET_FOUND, &b));
    ck_assert(crypto_hash_eq(&a, &b));
    ck_ok(secret_get(db, SECRET_CURSOR, &b));
    ck_assert(!crypto_hash_eq(&a, &b));
    ck_assert(found_term(&a, FOUND_RULE, SLICE("x")) == found_term(&a, FOUND_RULE, SLICE("x")));
    ck_assert(found_term(&a, FOUND_RULE, SLICE("x")) != found_term(&a, FOUND_ACCOUNT, SLICE("x")));
    ck_assert(found_term(&a, FOUND_RULE, SLICE("x")) != found_term(&b, FOUND_RULE, SLICE("x")));
    find_close(&f);
    db_close(db);
    scratch_remove(&scratch);
}
END_TEST

/* --- cursors --- */

static const struct crypto_hash secret = {{1, 2, 3}};
static const struct search_query query = {.account = {"liu", 3}, .rule = {"r", 1}, .from_us = 5, .to_us = 9, .limit = 50};

START_TEST(cursors_come_back)
{
    static const int64_t seqs[] = {1, 2, 2048, 1000000, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(seqs); i++) {
        struct search_query q = query;
        char text[CURSOR_TEXT_BYTES];
        int64_t seq = 0;
        cursor_print(&secret, &q, seqs[i], text);
        q.limit = 1; /* may change */
        ck_ok(cursor_parse(&secret, &q, slice_str(text), &seq));
        ck_assert_int_eq(seq, seqs[i]);
    }
}
END_TEST

START_TEST(cursors_of_another_query_are_refused)
{
    char text[CURSOR_TEXT_BYTES];
    int64_t seq = 77;
    cursor_print(&secret, &query, 12, text);
    struct search_query others[] = {query, query, query, query, query, query, query, query};
    others[0].account = SLICE("lie");
    others[1].account = slice_of(NULL, 0);
    others[2].account = SLICE("");
    others[3].rule = slice_of(NULL, 0);
    others[3].type = SLICE("r"); /* the same text elsewhere */
    others[4].outcome = SLICE("deny");
    others[5].from_us = INT64_MIN;
    others[6].to_us++;
    others[7].account = SLICE("liur");
    others[7].rule = slice_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        ck_err(cursor_parse(&secret, &others[i], slice_str(text), &seq), KEER_EINVALID);
    struct crypto_hash other = secret;
    other.bytes[31] = 1;
    ck_err(cursor_parse(&other, &query, slice_str(text), &seq), KEER_EINVALID);
    ck_assert_int_eq(seq, 77);
}
END_TEST

START_TEST(cursors_that_were_changed_are_refused)
{
    char text[CURSOR_TEXT_BYTES];
    int64_t seq = 77;
    cursor_print(&secret, &query, 12, text);
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (int c = 0; c < 256; c++) {
            char changed[CURSOR_TEXT_BYTES];
            memcpy(changed, text, sizeof changed);
            changed[i] = (char)c;
            if (changed[i] != text[i])
                ck_err(cursor_parse(&secret, &query, slice_of(changed, sizeof changed - 1), &seq), KEER_EINVALID);
        }
    for (size_t n = 0; n < sizeof text - 1; n++)
        ck_err(cursor_parse(&secret, &query, slice_of(text, n), &seq), KEER_EINVALID);
    ck_err(cursor_parse(&secret, &query, slice_of(text, sizeof text), &seq), KEER_EINVALID);
    ck_assert_int_eq(seq, 77);
}
END_TEST

/* --- what a row is found by --- */

#define DECISION \
    "{\"id\":\"i\",\"type\":\"sign_in\",\"outcome\":\"deny\",\"rules\":[\"a\",\"b \\\"c\"],\"because\":[\"outcome\"]}"

#define PRINTED_REST(rules) \
    "\"type\":\"sign_in\",\"outcome\":\"deny\",\"review\":false,\"score\":null,\"rules\":[" rules "],\"because\":[\"x\"]}"
#define PRINTED(id, score, rules)                                                                                     \
    "{\"id\":\"" id                                                                                                   \
    "\",\"time\":\"2018-10-01T00:00:00Z\",\"type\":\"sign_in\",\"outcome\":\"deny\",\"review\":true,\"score\":" score \
    ",\"rules\":[" rules "],\"because\":[\"x\"]}"

START_TEST(rows_are_read)
{
    static const struct {
        const char *body, *account; /* NULL: none */
    } rows[] = {
        {"{\"id\":\"i\",\"time\":1,\"type\":\"sign_in\",\"account\":\"liu\"}", "liu"},
        {"{\"id\":\"i\",\"time\":1,\"type\":\"sign_in\",\"account\":\"Liu \\u00e9\"}", "Liu \xC3\xA9"},
        {"{\"attributes\":{\"account\":\"x\"},\"id\":\"i\",\"time\":1,\"type\":\"sign_in\"}", "x"},
        {"{\"id\":\"i\",\"time\":1,\"type\":\"sign_in\",\"device\":\"account\"}", NULL},
        {"{\"id\":\"i\",\"time\":1,\"type\":\"sign_in\",\"account\":null}", NULL},
        {"torn", NULL},
        {"{\"id\":\"i\",\"time\":1,\"type\":\"custom.trial\",\"account\":\"y\",\"amount\":[]}", "y"},
    };
    struct terms *t;
    struct terms_row row;
    ck_ok(terms_new(&t));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ck_ok(terms_read(t, slice_str(rows[i].body), SLICE(DECISION), &row));
        ck_assert_msg(!row.account.p == !rows[i].account, "%s", rows[i].body);
        if (rows[i].account)
            ck_slice_eq(row.account, slice_str(rows[i].account));
        ck_slice_eq(row.outcome, SLICE("deny"));
        ck_slice_eq(row.type, SLICE("sign_in"));
        ck_assert_uint_eq(row.rules, 2);
        ck_slice_eq(row.rule[1], SLICE("b \"c"));
    }
    /* As verdict_print puts it, and what only looks like it: read as JSON. */
    static const char *const printed[] = {
        PRINTED("i", "null", "\"a\",\"b\""),         PRINTED("i", "0.25", "\"a\",\"b\""),
        PRINTED("i\\\\\\\"", "null", "\"a\",\"b\""), PRINTED("i", "null", "\"\\u0061\",\"b\""),
        PRINTED("i", "null", "\"a\", \"b\""),        "{" PRINTED_REST("\"a\",\"b\"")};
    for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
        ck_ok(terms_read(t, SLICE("{\"account\":\"liu\",\"id\":\"i\",\"time\":1,\"type\":\"sign_in\"}"),
                         slice_str(printed[i]), &row));
        ck_slice_eq(row.account, SLICE("liu"));
        ck_slice_eq(row.type, SLICE("sign_in"));
        ck_slice_eq(row.outcome, SLICE("deny"));
        ck_assert_uint_eq(row.rules, 2);
        ck_slice_eq(row.rule[0], SLICE("a"));
        ck_slice_eq(row.rule[1], SLICE("b"));
    }
    ck_ok(terms_read(t, SLICE("{\"account\":\"l\\u0069u\",\"id\":\"i\",\"time\":1,\"type\":\"sign_in\"}"),
                     SLICE(PRINTED("i", "null", "")), &row));
    ck_slice_eq(row.account, SLICE("liu"));
    ck_assert_uint_eq(row.rules, 0);
    static const char *const torn[] = {"", "{", "[]",
                                       ("{\"id\":\"i\",\"time\":\"t\",\"type\":\"sign_in\",\"outcome\":\"deny\",\"review\":"
                                        "false,\"score\":null,\"rules\":[\"a\""),
                                       "{\"outcome\":1,\"rules\":{\"a\":\"b\"}}"};
    for (size_t i = 0; i < ARRAY_LEN(torn); i++) {
        ck_ok(terms_read(t, slice_str(rows[0].body), slice_str(torn[i]), &row));
        ck_assert(row.account.p && !row.outcome.p && !row.type.p && !row.rules);
    }
    terms_free(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("search");
    TCase *t = tcase_create("search");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, places_come_back);
    tcase_add_test(t, places_that_are_none_are_refused);
    tcase_add_test(t, rows_have_their_buckets);
    tcase_add_test(t, runs_are_found);
    tcase_add_test(t, cursors_come_back);
    tcase_add_test(t, cursors_of_another_query_are_refused);
    tcase_add_test(t, cursors_that_were_changed_are_refused);
    tcase_add_test(t, rows_are_read);
    suite_add_tcase(s, t);
    return test_main(s);
}
