/* serve_test.c - the daemon without its sockets: routes, problems, canonical bodies, and the decider with what fails at call
 * N. */
#include <ctype.h>
#include <jansson.h>
#include <pthread.h>

#include "flow/canon.h"
#include "flow/decider.h"
#include "flow/label.h"
#include "flow/reading.h"
#include "flow/redecide.h"
#include "http/http.h"
#include "lib/database.h"
#include "lib/db_fail.h"
#include "lib/policy_kit.h"

/* --- routes and problems --- */

static void nothing(struct http_exchange *x) { UNUSED(x); }
static const struct http_route table[] = {{"POST", "/v1/decisions", 0, 0, nothing, NULL, NULL},
                                          {"GET", "/v1/decisions/{id}", 0, 0, nothing, NULL, NULL},
                                          {"GET", "/v1/decisions/{id}/why", 0, 0, nothing, NULL, NULL},
                                          {"DELETE", "/v1/decisions/{id}", 0, 0, nothing, NULL, NULL}};

static const struct {
    const char *method, *path, *id;
    int route; /* -1: another method, -2: no such path, -3: the path can't be read */
} cases[] = {
    {"POST", "/v1/decisions", "", 0},
    {"GET", "/v1/decisions/a", "a", 1},
    {"HEAD", "/v1/decisions/a", "a", 1},
    {"GET", "/v1/decisions/a%2Fb%20c", "a/b c", 1},
    {"GET", "/v1/decisions/a/why", "a", 2},
    {"DELETE", "/v1/decisions/a", "a", 3},
    {"GET", "/v1/decisions", "", -1},
    {"PUT", "/v1/decisions/a", "", -1},
    {"TRACE", "/v1/decisions", "", -1},
    {"GET", "/v1/decisions/a/b", "", -2},
    {"GET", "/v1/decisions/a/", "", -2},
    {"GET", "/", "", -2},
    {"GET", "", "", -2},
    {"GET", "/V1/decisions/a", "", -2},
    {"GET", "/v1//decisions", "", -2},
    {"GET", "/v1/decisions/", "", -3},
    {"GET", "/v1/decisions/%", "", -3},
    {"GET", "/v1/decisions/%4", "", -3},
    {"GET", "/v1/decisions/%zz", "", -3},
};

START_TEST(routes_match)
{
    struct buf id;
    struct http_match m;
    buf_init(&id, 8);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&id);
        enum keer_err err =
            http_match(table, ARRAY_LEN(table), slice_str(cases[i].method), slice_str(cases[i].path), &id, &m);
        ck_assert_msg((err == KEER_OK) == (cases[i].route != -3), "%s", cases[i].path);
        if (err != KEER_OK)
            continue;
        ck_assert_msg(m.known_path == (cases[i].route != -2), "%s", cases[i].path);
        ck_assert_msg(m.route == (cases[i].route < 0 ? NULL : &table[cases[i].route]), "%s", cases[i].path);
        if (m.route)
            ck_slice_eq(buf_view(&id), slice_str(cases[i].id));
    }
    ck_ok(http_match(table, ARRAY_LEN(table), SLICE("PUT"), SLICE("/v1/decisions/a"), &id, &m));
    ck_assert_str_eq(m.allow, "GET, HEAD, DELETE");
    ck_err(http_match(table, ARRAY_LEN(table), SLICE("GET"), SLICE("/v1/decisions/123456789"), &id, &m), KEER_ELIMIT);
    buf_release(&id);
}
END_TEST

/* Parameters one after the other: '&' parts them, as it does for the server. */
static enum keer_err query(const char *text, struct http_param *params, unsigned count, struct buf *room)
{
    struct slice rest = slice_str(text);
    enum keer_err err = KEER_OK;
    buf_clear(room);
    ck_assert_ptr_nonnull(buf_reserve(room, rest.len + 1));
    for (unsigned i = 0; i < count; i++)
        params[i].value = slice_of(NULL, 0);
    while (err == KEER_OK && rest.p) {
        struct slice value = slice_cut(&rest, '&'), name = slice_cut(&value, '=');
        err = http_param_put(params, count, name, value, room);
    }
    return err;
}

START_TEST(queries_are_read)
{
    static const struct {
        const char *text;
        enum keer_err err;
    } queries[] = {
        {"account=liu", KEER_OK},
        {"account=liu&limit=5", KEER_OK},
        {"%61ccount=l%69u", KEER_OK},
        {"accoun=liu", KEER_EMISSING},
        {"=liu", KEER_ESYNTAX},
        {"", KEER_ESYNTAX},
        {"account=liu&", KEER_ESYNTAX},
        {"account=liu&account=", KEER_ECONFLICT},
        {"account=liu&account=liu", KEER_ECONFLICT},
        {"account=", KEER_ESYNTAX},
        {"account", KEER_ESYNTAX},
        {"account=%", KEER_ESYNTAX},
        {"account=%4", KEER_ESYNTAX},
        {"account=%g0", KEER_ESYNTAX},
        {"account=a&Limit=5", KEER_EMISSING},
        {"account%00=a", KEER_EMISSING},
    };
    struct http_param params[] = {{"account", {NULL, 0}}, {"limit", {NULL, 0}}};
    struct buf room;
    buf_init(&room, 1000);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        enum keer_err err = query(queries[i].text, params, 2, &room);
        ck_assert_msg(err == queries[i].err, "%s: %s", queries[i].text, keer_err_name(err));
        if (err == KEER_OK)
            ck_slice_eq(params[0].value, SLICE("liu"));
    }
    ck_ok(query("account=%00%2B+%26%3d%C3%A9&limit=5", params, 2, &room));
    ck_slice_eq(params[0].value, SLICE("\0++&=\xC3\xA9"));
    ck_slice_eq(params[1].value, SLICE("5"));
    buf_release(&room);
}
END_TEST

START_TEST(problems_are_documents)
{
    struct buf out;
    buf_init(&out, 4096);
    for (int i = 0; i < HTTP_PROBLEM_MAX; i++) {
        buf_clear(&out);
        http_problem_print((enum http_problem)i, SLICE("what \"was\"\n"), &out);
        json_t *j = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(j);
        ck_assert_int_eq(json_integer_value(json_object_get(j, "status")), http_problem_status((enum http_problem)i));
        ck_assert_str_eq(json_string_value(json_object_get(j, "detail")), "what \"was\"\n");
        ck_assert(strncmp(json_string_value(json_object_get(j, "type")), "urn:keersluis:problem:", 22) == 0);
        ck_assert(json_object_get(j, "title") && json_object_get(j, "code") && json_object_get(j, "hint"));
        json_decref(j);
    }
    buf_release(&out);
}
END_TEST

START_TEST(media_types)
{
    ck_assert(http_is_json(SLICE("application/json")) && http_is_json(SLICE("Application/JSON; charset=UTF-8")));
    ck_assert(!http_is_json(SLICE("")) && !http_is_json(SLICE("text/json")) && !http_is_json(SLICE("application/jsonx")));
    ck_assert(!http_is_json(SLICE("application/json; charset=latin1")));
}
END_TEST

START_TEST(what_ends_in_two_places_is_refused)
{
    static const struct {
        const char *name[3], *value[3];
        bool old, good;
    } rows[] = {
        {{"Host"}, {"x"}, false, true},
        {{"Host", "Content-Length"}, {"x", "5"}, false, true},
        {{"host", "transfer-encoding"}, {"x", "Chunked"}, false, true},
        {{NULL}, {NULL}, true, true},
        {{NULL}, {NULL}, false, false},
        {{"Host", "Host"}, {"x", "x"}, false, false},
        {{"Host", "Content-Length", "Content-Length"}, {"x", "5", "5"}, false, false},
        {{"Host", "Content-Length", "Transfer-Encoding"}, {"x", "5", "chunked"}, false, false},
        {{"Host", "Transfer-Encoding", "Transfer-Encoding"}, {"x", "chunked", "chunked"}, false, false},
        {{"Host", "Content-Length"}, {"x", "+5"}, false, false},
        {{"Host", "Content-Length"}, {"x", "5, 5"}, false, false},
        {{"Host", "Content-Length"}, {"x", "18446744073709551616"}, false, false},
        {{"Host", "Transfer-Encoding"}, {"x", "gzip, chunked"}, false, false},
        {{"Host", "Transfer-Encoding"}, {"x", "identity"}, false, false},
        {{"Transfer-Encoding"}, {"chunked"}, true, false},
        {{"Host", "Content-Length "}, {"x", "5"}, false, false},
        {{"Host", ""}, {"x", "5"}, false, false},
        {{"Host", "X"}, {"x", "a\rContent-Length: 5"}, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_framing f = {0};
        for (size_t k = 0; k < 3 && rows[i].name[k]; k++)
            http_header_seen(&f, slice_str(rows[i].name[k]), slice_str(rows[i].value[k]));
        ck_assert_msg((http_framing_bad(&f, rows[i].old) == NULL) == rows[i].good, "case %zu", i);
    }
    for (int c = 0; c < 256; c++) { /* every byte in a name: RFC 9110 section 5.6.2 */
        char name[] = {'a', (char)c};
        bool token = c && c < 128 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
        struct http_framing f = {0};
        http_header_seen(&f, slice_of(name, sizeof name), SLICE("x"));
        ck_assert_msg(!f.bad == token, "byte %d", c);
    }
    ck_assert(slice_eq(http_target(SLICE("HTTP://x:1/v1/a")), SLICE("/v1/a")) &&
              slice_eq(http_target(SLICE("http://x")), SLICE("/")));
    ck_assert(slice_eq(http_target(SLICE("/http://x/a")), SLICE("/http://x/a")) &&
              slice_eq(http_target(SLICE("*")), SLICE("*")));
}
END_TEST

/* --- canonical bodies --- */

static enum keer_err canon(const char *text, struct buf *out)
{
    struct tape tape = {0};
    struct tape_error why;
    buf_clear(out);
    enum keer_err err = canon_json(&tape, slice_str(text), out, &why);
    tape_release(&tape);
    return err;
}

START_TEST(canonical_bodies)
{
    static const char *const same[][2] = {
        {"{}", "{}"},
        {" { \"b\" : 1 ,\n\"a\" : [ 1 , \"x y\" , { \"d\":null, \"c\" : -1.50e3 } ] }\r\n",
         "{\"a\":[1,\"x y\",{\"c\":-1.50e3,\"d\":null}],\"b\":1}"},
        {"{\"a\\\"\":\"\\u0041\\\\\",\"a\":true}", "{\"a\":true,\"a\\\"\":\"A\\\\\"}"},
        {"{\"c\":{\"z\":{},\"y\":[]},\"b\":{\"z\":1,\"a\":2},\"a\":0}",
         "{\"a\":0,\"b\":{\"a\":2,\"z\":1},\"c\":{\"y\":[],\"z\":{}}}"},
    };
    static const char *const bad[] = {"",
                                      "[]",
                                      "1",
                                      "{",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":1}x",
                                      "{\"a\":1 \"b\":2}",
                                      "{a:1}",
                                      "{\"a\":\"x}",
                                      "{\"a\":\"\\",
                                      "{\"a\":\"\n\"}",
                                      "{\"a\":[1,]}",
                                      "{\"a\":[1 2]}",
                                      "{\"a\":{\"b\":1]}"};
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        ck_ok(canon(same[i][0], &out));
        ck_slice_eq(buf_view(&out), slice_str(same[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(canon(bad[i], &out) == KEER_ESYNTAX, "%s", bad[i]);
    ck_err(canon("{\"a\":1,\"a\":2}", &out), KEER_ECONFLICT);
    char deep[200] = "";
    for (int i = 0; i < 40; i++)
        memcpy(deep + 5 * i, "{\"a\":", 5);
    deep[199] = '\0';
    ck_err(canon(deep, &out), KEER_ELIMIT);
    for (size_t n = 1, err = KEER_ENOMEM; err != KEER_OK; n++) {
        buf_release(&out);
        oom_arm(n, false);
        err = canon(same[1][0], &out);
        oom_reset();
        ck_assert(err == KEER_OK || err == KEER_ENOMEM);
    }
    buf_release(&out);
}
END_TEST

/* --- the decider --- */

static const char policy_text[] = "window n = count(purchase) by account over 1h\n"
                                  "rule many challenge if purchase and n >= 2 because \"the third in an hour\"\n";

static int64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

/* A wall clock that somebody turns back now and then. */
static int64_t wall_back_us;
static int64_t wall_us(void) { return clock_us() - wall_back_us; }

struct rig {
    struct scratch scratch;
    struct keer_policy *policy;
    struct version version;
    struct decider *d;
    struct reading *reading;
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned left;
};

struct ask {
    struct decide_request r;
    struct rig *rig;
    struct buf body;
};

static void rig_open(struct rig *g, unsigned queue_max)
{
    struct db_why why;
    struct source source = {0};
    g->version = (struct version){.name = "p", .policy = g->policy};
    ck_ok(source_add(&source, SLICE(""), SLICE(policy_text)));
    source_hash(&source, &g->version.hash);
    struct decider_options o = {.version = &g->version,
                                .source = &source,
                                .database = database_where(&g->scratch),
                                .queue_max = queue_max,
                                .batch_max = 7,
                                .now_us = clock_us,
                                .wall_us = wall_us};
    enum keer_err err = decider_new(&o, &g->d, &why);
    source_release(&source);
    REQUIRE(err == KEER_OK, "%s", why.text);
    ck_ok(decider_start(g->d));
    while (decider_state(g->d) == DECIDER_STARTING)
        (void)usleep(100);
}

static void rig_make(struct rig *g)
{
    *g = (struct rig){0};
    ck_ok(crypto_start());
    database_make(&g->scratch);
    ck_ok(kit_make(policy_text, NULL, &g->policy));
    ck_ok(reading_new(&g->policy->schema, &g->reading));
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)pthread_cond_init(&g->done, NULL);
}

static void rig_end(struct rig *g)
{
    decider_free(g->d);
    reading_free(g->reading);
    keer_policy_free(g->policy);
    scratch_remove(&g->scratch);
}

static void on_done(struct decide_request *r)
{
    struct rig *g = ((struct ask *)r->ctx)->rig;
    (void)pthread_mutex_lock(&g->lock);
    g->left--;
    (void)pthread_cond_signal(&g->done);
    (void)pthread_mutex_unlock(&g->lock);
}

static void ask_fill(struct rig *g, struct ask *a, const char *body)
{
    struct slice text;
    struct reading_error why;
    *a = (struct ask){.rig = g};
    buf_init(&a->body, 10000);
    ck_ok(reading_canon(g->reading, slice_str(body), &text, &why));
    buf_slice(&a->body, text);
    ck_ok(reading_event(g->reading, text, slice_of(NULL, 0), &a->r.event, &why));
    a->r.body = buf_view(&a->body);
    crypto_sha256(a->r.body, &a->r.body_hash);
    a->r.done = on_done;
    a->r.ctx = a;
    a->r.begun_us = clock_us();
    buf_init(&a->r.answer, 10000);
}

static void ask_free(struct ask *a)
{
    free(a->r.event);
    buf_release(&a->body);
    buf_release(&a->r.answer);
}

/* Submits all and waits for all; how many were taken. */
static unsigned ask_all(struct rig *g, struct ask *asks, unsigned n)
{
    unsigned taken = 0;
    g->left = n;
    for (unsigned i = 0; i < n; i++) {
        if (decider_reserve(g->d) == KEER_OK) {
            decider_submit(g->d, &asks[i].r);
            taken++;
            continue;
        }
        (void)pthread_mutex_lock(&g->lock);
        g->left--;
        (void)pthread_mutex_unlock(&g->lock);
        asks[i].r.result = DECIDE_UNKNOWN;
    }
    (void)pthread_mutex_lock(&g->lock);
    while (g->left)
        (void)pthread_cond_wait(&g->done, &g->lock);
    (void)pthread_mutex_unlock(&g->lock);
    return taken;
}

static void body_of(char *text, size_t size, unsigned i)
{
    (void)snprintf(text, size, "{\"id\":\"e%u\",\"time\":%u,\"type\":\"purchase\",\"account\":\"a%u\",\"amount\":100}", i,
                   1538352000 + i, i % 3);
}

static struct redecide_result redecided(struct rig *g)
{
    struct redecide_result result;
    struct db_why why;
    struct db *db;
    struct journal j;
    struct redecide r = {.journal = &j};
    ck_ok(db_open(database_where(&g->scratch), DB_READ, &db, &why));
    ck_ok(journal_open(&j, db));
    ck_ok(policies_number(db, &g->version.hash, &r.policy));
    ck_ok(keer_engine_new(g->policy, NULL, &r.engine));
    ck_ok(redecide_all(&r, &result));
    keer_engine_free(r.engine);
    journal_close(&j);
    db_close(db);
    return result;
}

START_TEST(an_id_is_decided_once)
{
    struct rig g;
    static struct ask asks[64];
    rig_make(&g);
    rig_open(&g, 64);
    for (unsigned i = 0; i < 64; i++) /* every other one is written otherwise, every eighth says something else */
        ask_fill(&g, &asks[i],
                 i % 8 == 7 ? "{\"id\":\"e\",\"time\":1538352000,\"type\":\"sign_in\",\"account\":\"a\"}"
                 : i % 2    ? "{\"type\":\"purchase\", \"id\":\"e\",\"time\":1538352000,\"account\":\"a\"}"
                            : "{\"id\":\"e\",\"time\":1538352000,\"type\":\"purchase\",\"account\":\"a\"}");
    ck_assert_uint_eq(ask_all(&g, asks, 64), 64);
    unsigned fresh = 0;
    for (unsigned i = 0; i < 64; i++) {
        fresh += asks[i].r.result == DECIDE_NEW;
        ck_assert_int_eq(asks[i].r.result == DECIDE_CONFLICT, i % 8 == 7);
        if (i % 8 != 7)
            ck_slice_eq(buf_view(&asks[i].r.answer), buf_view(&asks[0].r.answer));
    }
    for (unsigned i = 0; i < 64; i++)
        ask_free(&asks[i]);
    ck_assert_uint_eq(fresh, 1);
    /* Later, and after a restart. */
    for (unsigned i = 0; i < 2; i++) {
        ask_fill(&g, &asks[0], "{\"id\":\"e\",\"time\":1538352000,\"type\":\"purchase\",\"account\":\"a\"}");
        ask_fill(&g, &asks[1], "{\"id\":\"e\",\"time\":1538352001,\"type\":\"purchase\",\"account\":\"a\"}");
        ck_assert_uint_eq(ask_all(&g, asks, 2), 2);
        ck_assert_int_eq(asks[0].r.result, DECIDE_STORED);
        ck_assert_int_eq(asks[1].r.result, DECIDE_CONFLICT);
        struct buf found;
        buf_init(&found, 10000);
        ck_ok(decider_find(g.d, SLICE("e"), &found));
        ck_slice_eq(buf_view(&found), buf_view(&asks[0].r.answer));
        buf_clear(&found);
        ck_err(decider_find(g.d, SLICE("f"), &found), KEER_EMISSING);
        buf_release(&found);
        ask_free(&asks[0]);
        ask_free(&asks[1]);
        decider_free(g.d);
        rig_open(&g, 64);
    }
    ck_assert_uint_eq(redecided(&g).events, 1);
    rig_end(&g);
}
END_TEST

START_TEST(a_full_queue_refuses)
{
    struct rig g;
    struct ask a;
    rig_make(&g);
    rig_open(&g, 2);
    ck_ok(decider_reserve(g.d));
    ck_ok(decider_reserve(g.d));
    ck_err(decider_reserve(g.d), KEER_EFULL);
    ck_err(decider_reserve(g.d), KEER_EFULL);
    ck_assert_uint_eq(atomic_load(&decider_statistics(g.d)->full), 2);
    (void)atomic_fetch_sub(&decider_statistics(g.d)->waiting, 2);
    ask_fill(&g, &a, "{\"id\":\"e\",\"time\":1538352000,\"type\":\"purchase\",\"account\":\"a\"}");
    ck_assert_uint_eq(ask_all(&g, &a, 1), 1);
    ask_free(&a);
    decider_stop(g.d);
    ck_err(decider_reserve(g.d), KEER_EUNSUPPORTED);
    rig_end(&g);
}
END_TEST

/* Whatever call of the database, or allocation, fails, and whether or not a failed commit landed: nothing is answered as
 * decided that is not there after a restart, and asking again brings every event in exactly once, as the journal says. */
enum fault { COMMIT_IS_LOST, COMMIT_LANDS, MEMORY };

static bool fail_at(uint64_t n, enum fault fault)
{
    enum { EVENTS = 20 };
    struct rig g;
    static struct ask asks[EVENTS];
    char text[200];
    rig_make(&g);
    rig_open(&g, 64);
    for (unsigned i = 0; i < EVENTS; i++) {
        body_of(text, sizeof text, i);
        ask_fill(&g, &asks[i], text);
    }
    if (fault == MEMORY)
        oom_arm(n, false);
    else
        db_fail_arm(n, fault == COMMIT_LANDS);
    (void)ask_all(&g, asks, EVENTS);
    bool hit = fault == MEMORY ? oom_count() >= n : db_fail_hit();
    oom_reset();
    db_fail_arm(0, false);
    decider_free(g.d);
    rig_open(&g, 64);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct buf found;
        buf_init(&found, 10000);
        enum keer_err err = decider_find(g.d, asks[i].r.event->id, &found);
        bool open = asks[i].r.result == DECIDE_UNKNOWN || (fault == MEMORY && asks[i].r.result == DECIDE_NO_MEMORY);
        REQUIRE(asks[i].r.result == DECIDE_NEW || open, "result %d", asks[i].r.result);
        REQUIRE(err == KEER_OK || (err == KEER_EMISSING && open), "call %llu: event %u is lost", (unsigned long long)n, i);
        if (asks[i].r.result == DECIDE_NEW)
            ck_slice_eq(buf_view(&found), buf_view(&asks[i].r.answer));
        buf_release(&found);
        ask_free(&asks[i]);
        body_of(text, sizeof text, i);
        ask_fill(&g, &asks[i], text);
    }
    ck_assert_uint_eq(ask_all(&g, asks, EVENTS), EVENTS);
    for (unsigned i = 0; i < EVENTS; i++) {
        REQUIRE(asks[i].r.result == DECIDE_NEW || asks[i].r.result == DECIDE_STORED, "result %d", asks[i].r.result);
        ask_free(&asks[i]);
    }
    REQUIRE(!atomic_load(&decider_statistics(g.d)->differences), "call %llu, fault %d: %llu differences",
            (unsigned long long)n, fault, (unsigned long long)atomic_load(&decider_statistics(g.d)->differences));
    decider_free(g.d);
    g.d = NULL;
    struct redecide_result r = redecided(&g);
    ck_assert_uint_eq(r.events, EVENTS);
    ck_assert_uint_eq(r.differences, 0);
    rig_end(&g);
    return hit;
}

START_TEST(a_failing_database_never_lies)
{
    unsigned skip = database_address() ? 8 : UINT32_MAX; /* connections to a server take their time */
    for (uint64_t n = 1; fail_at(n, COMMIT_IS_LOST); n += 1 + n / skip)
        ;
    for (uint64_t n = 1; fail_at(n, COMMIT_LANDS); n += 1 + n / skip)
        ;
}
END_TEST

START_TEST(memory_that_fails_never_lies)
{
    if (database_address())
        return;                                               /* it is the same memory */
    for (uint64_t n = 1; fail_at(n, MEMORY); n += 1 + n / 40) /* every one at first, then some */
        ;
}
END_TEST

START_TEST(a_difference_is_seen)
{
    struct rig g;
    struct ask a;
    struct db *db;
    struct db_why why;
    rig_make(&g);
    rig_open(&g, 64);
    ask_fill(&g, &a, "{\"id\":\"e\",\"time\":1538352000,\"type\":\"purchase\",\"account\":\"a\"}");
    ck_assert_uint_eq(ask_all(&g, &a, 1), 1);
    ask_free(&a);
    decider_free(g.d);
    ck_ok(db_open(database_where(&g.scratch), DB_WRITE, &db, &why));
    ck_ok(db_exec(db, "UPDATE journal SET decision = body"));
    db_close(db);
    ck_assert_uint_eq(redecided(&g).differences, 1);
    rig_open(&g, 64);
    ck_assert_uint_eq(atomic_load(&decider_statistics(g.d)->differences), 1);
    rig_end(&g);
}
END_TEST

START_TEST(bodies_become_events)
{
    struct rig g;
    struct reading_error why;
    struct slice text;
    struct keer_event *ev = NULL;
    rig_make(&g);
    static const char *const bad[] = {"{\"time\":1,\"type\":\"purchase\"}",
                                      "{\"id\":\"e\",\"type\":\"purchase\"}",
                                      "{\"id\":\"e\",\"time\":1}",
                                      "{\"id\":\"e\",\"time\":1,\"type\":\"purchse\"}",
                                      "{\"id\":\"e\",\"time\":1,\"type\":\"purchase\",\"account\":[]}",
                                      "{\"id\":\"\xff\",\"time\":1,\"type\":\"purchase\"}",
                                      "{\"id\":\"e\",\"time\":01,\"type\":\"purchase\"}",
                                      "{\"id\":\"e\",\"time\":1,\"type\":\"label\",\"fraud\":true}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why.what[0] = '\0';
        enum keer_err err = reading_canon(g.reading, slice_str(bad[i]), &text, &why);
        if (err == KEER_OK)
            err = reading_event(g.reading, text, slice_of(NULL, 0), &ev, &why);
        ck_assert_msg(err != KEER_OK && why.what[0], "%s", bad[i]);
        ck_ok(reading_canon(g.reading, SLICE("{\"id\":\"e\",\"time\":1,\"type\":\"purchase\"}"), &text, &why));
        ck_ok(reading_event(g.reading, text, slice_of(NULL, 0), &ev, &why)); /* the reader is as good as before */
        free(ev);
    }
    rig_end(&g);
}
END_TEST

/* The clock goes back between decisions, and over a restart: the journal's times do not. */
START_TEST(times_of_decisions_never_go_back)
{
    struct rig g;
    struct ask a;
    struct db *db;
    struct db_why why;
    struct journal j;
    struct journal_entry e = {0};
    int64_t before = 0, seq = 0;
    char text[200];
    rig_make(&g);
    wall_back_us = 0;
    rig_open(&g, 64);
    for (unsigned i = 0; i < 8; i++) {
        body_of(text, sizeof text, i);
        ask_fill(&g, &a, text);
        ck_assert_uint_eq(ask_all(&g, &a, 1), 1);
        ask_free(&a);
        wall_back_us += i % 2 ? -US_SECOND / 2 : US_SECOND;
        if (i == 3) {
            decider_free(g.d);
            rig_open(&g, 64);
        }
    }
    wall_back_us = 0;
    ck_ok(db_open(database_where(&g.scratch), DB_READ, &db, &why));
    ck_ok(journal_open(&j, db));
    while (journal_after(&j, seq, &e) == KEER_OK) {
        ck_assert_int_ge(e.decided_us, before);
        before = e.decided_us;
        seq = e.seq;
    }
    ck_assert_int_eq(seq, 8);
    journal_close(&j);
    db_close(db);
    rig_end(&g);
}
END_TEST

START_TEST(labels_become_events)
{
    static const char *const labels[][2] = {
        {"{\"event\":\"p\",\"id\":\"l\",\"label\":\"fraud\",\"time\":1}",
         "{\"fraud\":true,\"target\":\"p\",\"type\":\"label\",\"id\":\"l\",\"time\":1}"},
        {"{\"a\":[1,{\"b\":\",\"}],\"event\":\"p\\\"q\",\"label\":\"genuine\",\"z\":\"}\"}",
         "{\"fraud\":false,\"target\":\"p\\\"q\",\"type\":\"label\",\"a\":[1,{\"b\":\",\"}],\"z\":\"}\"}"},
        {"{\"event\":\"p\",\"label\":\"fraud\"}", "{\"fraud\":true,\"target\":\"p\",\"type\":\"label\"}"},
        {"{\"event\":\"p\",\"label\":\"maybe\"}", NULL},
        {"{\"event\":[],\"label\":\"fraud\"}", NULL},
        {"{\"event\":\"p\",\"label\":\"fraud\",\"target\":1}", NULL},
        {"{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        for (size_t n = 1, err = KEER_ENOMEM; err == KEER_ENOMEM; n++) {
            struct buf out, target;
            struct reading_error why = {0};
            buf_init(&out, 1000);
            buf_init(&target, 100);
            oom_arm(n, false);
            err = label_event(slice_str(labels[i][0]), &out, &target, &why);
            oom_reset();
            if (err != KEER_ENOMEM)
                ck_assert_msg((err == KEER_OK) == (labels[i][1] != NULL) && (why.what[0] != 0) == (err != KEER_OK), "%s",
                              labels[i][0]);
            if (err == KEER_OK)
                ck_slice_eq(buf_view(&out), slice_str(labels[i][1]));
            buf_release(&out);
            buf_release(&target);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("serve");
    TCase *c = tcase_create("serve");
    tcase_set_timeout(c, 300);
    tcase_add_test(c, routes_match);
    tcase_add_test(c, queries_are_read);
    tcase_add_test(c, problems_are_documents);
    tcase_add_test(c, media_types);
    tcase_add_test(c, what_ends_in_two_places_is_refused);
    tcase_add_test(c, canonical_bodies);
    tcase_add_test(c, bodies_become_events);
    tcase_add_test(c, an_id_is_decided_once);
    tcase_add_test(c, a_full_queue_refuses);
    tcase_add_test(c, a_failing_database_never_lies);
    tcase_add_test(c, memory_that_fails_never_lies);
    tcase_add_test(c, a_difference_is_seen);
    tcase_add_test(c, times_of_decisions_never_go_back);
    tcase_add_test(c, labels_become_events);
    suite_add_tcase(s, c);
    return test_main(s);
}
