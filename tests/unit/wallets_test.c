/* wallets_test.c - the file of wallets and its mistakes, the breaker with a clock of the test, and requests on sockets. */
#include <pthread.h>
#include <stdatomic.h>

#include "flow/wallet_calls.h"
#include "lib/fetch_server.h"
#include "lib/wallet_kit.h"
#include "wallet/inside.h"

/* --- the file --- */

#define ALIPAY                                                                                                         \
    "{\"name\":\"alipay\",\"kind\":\"alipay\",\"url\":\"https://pay.test/gateway.do\",\"app_id\":\"1\",\"seller_id\":" \
    "\"2\",\"private_key\":\"ours.pem\",\"public_key\":\"theirs.pem\"}"
#define ANTOM                                                                                                           \
    "{\"name\":\"antom\",\"kind\":\"antom\",\"url\":\"http://127.0.0.1:1\",\"client_id\":\"C\",\"private_key\":"        \
    "\"ours.pem\",\"public_key\":[{\"version\":1,\"file\":\"theirs.pem\"}],\"timeout_ms\":2000,\"breaker_failures\":2," \
    "\"notify_url\":\"http://10.0.0.1/notices\"}"
#define FILE_OF_TWO "{\"wallets\":[" ALIPAY ",\n " ANTOM "]}\n"

static enum keer_err open_text(struct wire *w, const char *text, struct wallets **ret, char why[WALLET_WHY_BYTES * 2])
{
    char path[500];
    wire_file(w, "wallets.json", slice_str(text), 0644);
    (void)snprintf(path, sizeof path, "%s/wallets.json", w->scratch.dir);
    why[0] = '\0';
    return wallets_open(path, ret, why);
}

static void no_driver_free(void *self) { UNUSED(self); }
static const struct wallet_driver nothing = {.kind = "nothing", .free = no_driver_free};

START_TEST(a_file_of_wallets)
{
    struct wire w;
    struct wallets *ws = NULL;
    char why[WALLET_WHY_BYTES * 2];
    wire_start(&w);
    enum keer_err err = open_text(&w, FILE_OF_TWO, &ws, why);
    ck_assert_msg(err == KEER_OK, "%s", why);
    ck_assert_uint_eq(wallets_count(ws), 2);
    struct wallet *a = wallets_find(ws, SLICE("alipay")), *b = wallets_at(ws, 1);
    ck_assert(a && b == wallets_find(ws, SLICE("antom")) && !wallets_find(ws, SLICE("other")));
    ck_assert_ptr_eq(wallet_driver(a), &wallet_alipay);
    ck_assert_str_eq(wallet_url(a), "https://pay.test/gateway.do");
    ck_assert_str_eq(wallet_notify_url(a), "");
    ck_assert_str_eq(wallet_notify_url(b), "http://10.0.0.1/notices");
    ck_assert(!wallet_is_loopback(a) && wallet_is_loopback(b));
    ck_assert(a->whole_us == 3000000 && b->whole_us == 2000000 && b->breaker_failures == 2);
    char url[NET_URL_BYTES];
    struct flow_wallets fw = {.list = ws, .url = "https://id.test"};
    ck_assert(flow_wallet_notify(&fw, a, url));
    ck_assert_str_eq(url, "https://id.test/v1/wallets/alipay/notices");
    ck_assert(flow_wallet_notify(&fw, b, url));
    ck_assert_str_eq(url, "http://10.0.0.1/notices");
    for (unsigned i = 2; i < WALLETS_MAX; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "w%u", i);
        ck_ok(wallets_add(ws, &(struct wallet_options){.name = name, .driver = &nothing}));
    }
    ck_err(wallets_add(ws, &(struct wallet_options){.name = "w9", .driver = &nothing}), KEER_ELIMIT);
    wallets_free(ws);
    wallets_free(NULL);
    wire_stop(&w, &nothing);
}
END_TEST

/* A place in the file is replaced; what is said names the wallet and the member. */
START_TEST(each_mistake_is_named)
{
    static const struct {
        const char *from, *to, *words;
    } mistakes[] = {
        {"{\"wallets\"", "[{\"wallets\"", "byte "},
        {"{\"wallets\"", "{\"wallet\"", "nothing else"},
        {"{\"wallets\":[", "{\"more\":1,\"wallets\":[", "nothing else"},
        {"\"name\":\"alipay\",", "", "wallet 1: \"name\" is missing"},
        {"\"name\":\"alipay\"", "\"name\":\"Ali\"", "wallet 1 'Ali': \"name\": a to z"},
        {"\"name\":\"alipay\"", "\"name\":\"\"", "\"name\": a text of 1 to 32"},
        {"\"name\":\"alipay\"", "\"name\":\"a123456789012345678901234567890123\"", "\"name\": a text of 1 to 32"},
        {"\"name\":\"alipay\"", "\"name\":\"antom\"", "wallet 2 'antom': \"name\": there is another"},
        {"\"kind\":\"alipay\"", "\"kind\":\"paypal\"", "'paypal' is none of "},
        {"https://pay.test/gateway.do", "http://pay.test/gateway.do", "use https"},
        {"https://pay.test/gateway.do", "http://8.8.8.8/gateway.do", "use https"},
        {"https://pay.test/gateway.do", "https://10.0.0.1/gateway.do", "\"url\": its address is private"},
        {"https://pay.test/gateway.do", "https://u:p@pay.test/", "\"url\": a user name"},
        {"https://pay.test/gateway.do", "ftp://pay.test/", "\"url\": only https"},
        {"\"http://10.0.0.1/notices\"", "\"gopher://x\"", "\"notify_url\": "},
        {"\"timeout_ms\":2000", "\"timeout_ms\":0", "\"timeout_ms\": a whole number from 1 to 60000"},
        {"\"timeout_ms\":2000", "\"timeout_ms\":\"2000\"", "\"timeout_ms\": a whole number"},
        {"\"timeout_ms\":2000", "\"timeout_ms\":2e3", "\"timeout_ms\": a whole number"},
        {"\"timeout_ms\":2000", "\"timeout\":2000", "wallet 2 'antom': \"timeout\": there is no such member"},
        {"\"app_id\":\"1\"", "\"app_id\":1", "\"app_id\": a text"},
        {"\"app_id\":\"1\"", "\"app_id\":\"1\\n\"", "\"app_id\": it holds control characters"},
        {"\"app_id\":\"1\"", "\"app_id\":\"1\",\"api\":\"v4\"", "\"api\": v2 or v3"},
        {"\"private_key\":\"ours.pem\",\"public_key\":\"theirs.pem\"}", "\"private_key\":\"ours.pem\"}",
         "either \"public_key\" or \"certificates\""},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"theirs.pem\"", "\"private_key\": others may open"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"open.pem\"", "which holds a secret: chmod 600"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"text.pem\"", "\"private_key\": a private RSA key of 2048"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"short.pem\"", "\"private_key\": a private RSA key of 2048"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"none.pem\"", "No such file"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\"empty.pem\"", "is empty"},
        {"\"private_key\":\"ours.pem\"", "\"private_key\":\".\"", "is no file"},
        {"\"public_key\":\"theirs.pem\"", "\"public_key\":[]", "\"public_key\": the name of a file, or a list of 1 to 4"},
        {"\"public_key\":\"theirs.pem\"", "\"public_key\":[1]", "\"public_key\": the name of a file is wanted"},
        {"\"public_key\":\"theirs.pem\"", "\"public_key\":\"p256.pem\"", "\"public_key\": a public RSA key"},
        {"\"public_key\":[{\"version\":1,\"file\":\"theirs.pem\"}]", "\"public_key\":[1]", "a list of 1 to 4 objects"},
        {"\"app_id\":\"1\"", "\"app_id\":\"1\",\"app_id\":\"2\"", "byte "},
    };
    struct wire w;
    struct wallets *ws = NULL;
    char why[WALLET_WHY_BYTES * 2], text[2000];
    struct buf b;
    struct crypto_key *p256;
    wire_start(&w);
    buf_init(&b, 1u << 16);
    ck_ok(crypto_key_put_private_pem(wire_keys[WIRE_OURS], &b));
    wire_file(&w, "open.pem", buf_view(&b), 0644);
    wire_file(&w, "short.pem", slice_of(b.p, b.len / 2), 0600);
    wire_file(&w, "text.pem", SLICE("what is no key"), 0600);
    wire_file(&w, "empty.pem", SLICE(""), 0600);
    ck_ok(crypto_key_generate(CRYPTO_P256, 0, &p256));
    wire_public(&w, "p256.pem", p256);
    crypto_key_free(p256);
    buf_release(&b);
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        const char *at = strstr(FILE_OF_TWO, mistakes[i].from);
        ck_assert_msg(at != NULL, "%s", mistakes[i].from);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - FILE_OF_TWO), FILE_OF_TWO, mistakes[i].to,
                       at + strlen(mistakes[i].from));
        ck_assert_msg(open_text(&w, text, &ws, why) != KEER_OK, "%s", text);
        ck_assert_msg(strstr(why, mistakes[i].words) != NULL, "%s -> %s: '%s'", mistakes[i].from, mistakes[i].to, why);
    }
    ck_err(wallets_open("/nowhere/wallets.json", &ws, why), KEER_EIO);
    ck_assert_ptr_nonnull(strstr(why, "/nowhere/wallets.json: No such file"));
    wire_stop(&w, &nothing);
}
END_TEST

/* PEM in PKCS#8, and base64 alone as the wallets' consoles give it; PKCS#1 was one of them. */
START_TEST(keys_in_other_clothes)
{
    struct wire w;
    struct wallets *ws = NULL;
    char why[WALLET_WHY_BYTES * 2];
    struct buf der, text;
    wire_start(&w);
    buf_init(&der, CRYPTO_PRIVATE_BYTES);
    buf_init(&text, 1u << 16);
    ck_ok(crypto_key_put_private_der(wire_keys[WIRE_OURS], &der));
    for (int pkcs1 = 0; pkcs1 < 2; pkcs1++) {
        size_t skip = pkcs1 ? 26 : 0; /* what PKCS#8 puts before a key of 2048 bits: RFC 5208 */
        buf_clear(&text);
        base64_put(&text, slice_of(der.p + skip, der.len - skip));
        buf_puts(&text, "\n");
        wire_file(&w, "ours.pem", buf_view(&text), 0600);
        buf_clear(&text);
        struct buf spki;
        buf_init(&spki, 1u << 16);
        ck_ok(crypto_key_put_spki(wire_keys[WIRE_THEIRS], &spki));
        base64_put(&text, buf_view(&spki));
        wire_file(&w, "theirs.pem", buf_view(&text), 0644);
        buf_release(&spki);
        enum keer_err err = open_text(&w, FILE_OF_TWO, &ws, why);
        ck_assert_msg(err == KEER_OK, "%s", why);
        wallets_free(ws);
    }
    buf_release(&der);
    buf_release(&text);
    wire_stop(&w, &nothing);
}
END_TEST

/* --- the breaker --- */

struct fake {
    enum wallet_answer answer;
    enum wallet_reason reason;
    bool quiet; /* needs no network */
    atomic_uint calls, sends;
    int64_t now_us;
    pthread_barrier_t *in_flight; /* who sends waits here */
};

static enum wallet_answer fake_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                     struct wallet_why *why)
{
    struct fake *f = self;
    struct wallet_request rq = {.method = "GET", .url = SLICE("http://127.0.0.1/")};
    struct wallet_response r;
    UNUSED(number);
    UNUSED(ret);
    atomic_fetch_add(&f->calls, 1);
    wallet_response_init(&r);
    if (!f->quiet)
        (void)io->send(io->ctx, &rq, &r);
    wallet_response_release(&r);
    why->reason = f->reason;
    return f->answer;
}

static enum wallet_answer fake_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                      struct wallet_charge *ret, struct wallet_why *why)
{
    return fake_query(self, io, ask->number, ret, why);
}

static enum wallet_sent fake_send(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct fake *f = ctx;
    UNUSED(ret);
    ck_assert(rq->whole_us == 3000000 && rq->connect_us == 1000000);
    atomic_fetch_add(&f->sends, 1);
    if (f->in_flight)
        (void)pthread_barrier_wait(f->in_flight);
    return WALLET_ANSWERED;
}

static int64_t fake_now(void *ctx) { return ((struct fake *)ctx)->now_us; }
static const struct wallet_driver fake_driver = {
    .kind = "fake", .free = no_driver_free, .charge = fake_charge, .charge_query = fake_query};

static struct wallets *fake_wallets(struct fake *f, struct wallet_calls *calls)
{
    struct wallets *ws;
    *f = (struct fake){.answer = WALLET_YES, .now_us = WIRE_NOW_US};
    *calls = (struct wallet_calls){.send = fake_send, .random = wire_random, .wall_us = fake_now, .ctx = f};
    ck_ok(wallets_new(&ws));
    ck_ok(wallets_add(ws, &(struct wallet_options){.name = "fake", .driver = &fake_driver, .self = f}));
    return ws;
}

static enum wallet_answer charge(struct wallet *w, struct wallet_calls *calls, struct wallet_why *why)
{
    struct wallet_charge c;
    struct wallet_charge_ask ask = {.number = "1"};
    return wallet_charge(w, calls, &ask, &c, why);
}

START_TEST(the_breaker_opens_probes_and_closes)
{
    struct fake f;
    struct wallet_calls calls;
    struct wallet_why why;
    struct wallets *ws = fake_wallets(&f, &calls);
    struct wallet *w = wallets_at(ws, 0);
    for (int kind = 0; kind < 2; kind++) {
        f.answer = kind ? WALLET_NOT_SENT : WALLET_UNKNOWN;
        for (unsigned i = 0; i < WALLET_BREAKER_FAILURES - 1; i++)
            ck_assert_int_eq(charge(w, &calls, &why), f.answer);
        f.answer = WALLET_NO; /* a refusal is an answer: the row of failures is broken */
        ck_assert_int_eq(charge(w, &calls, &why), WALLET_NO);
        ck_assert_str_eq(wallet_breaker(w), "closed");
        f.answer = kind ? WALLET_NOT_SENT : WALLET_UNKNOWN;
        for (unsigned i = 0; i < WALLET_BREAKER_FAILURES; i++)
            ck_assert_int_eq(charge(w, &calls, &why), f.answer);
        ck_assert_str_eq(wallet_breaker(w), "open");
        unsigned sends = atomic_load(&f.sends);
        f.answer = WALLET_YES;
        f.now_us += WALLET_BREAKER_US - 1;
        ck_assert_int_eq(charge(w, &calls, &why), WALLET_NOT_SENT);
        ck_assert_int_eq(why.reason, WALLET_BREAKER);
        ck_assert_uint_eq(atomic_load(&f.sends), sends);
        f.now_us += 1;
        f.answer = WALLET_UNKNOWN; /* the probe fails: shut again, for as long */
        ck_assert_int_eq(charge(w, &calls, &why), WALLET_UNKNOWN);
        ck_assert_str_eq(wallet_breaker(w), "open");
        f.now_us += WALLET_BREAKER_US - 1;
        ck_assert_int_eq(charge(w, &calls, &why), WALLET_NOT_SENT);
        f.now_us -= US_DAY; /* the clock is set back: nobody waits for a day */
        f.answer = WALLET_NO;
        ck_assert_int_eq(charge(w, &calls, &why), WALLET_NO);
        ck_assert_str_eq(wallet_breaker(w), "closed");
    }
    wallets_free(ws);
}
END_TEST

/* What is built without the network is built while it is open, and is no probe. */
START_TEST(what_sends_nothing_is_not_stopped)
{
    struct fake f;
    struct wallet_calls calls;
    struct wallet_why why;
    struct wallets *ws = fake_wallets(&f, &calls);
    struct wallet *w = wallets_at(ws, 0);
    f.answer = WALLET_UNKNOWN;
    for (unsigned i = 0; i < WALLET_BREAKER_FAILURES; i++)
        (void)charge(w, &calls, &why);
    f.answer = WALLET_YES;
    f.quiet = true;
    ck_assert_int_eq(charge(w, &calls, &why), WALLET_YES);
    ck_assert_str_eq(wallet_breaker(w), "open");
    f.now_us += WALLET_BREAKER_US;
    ck_assert_int_eq(charge(w, &calls, &why), WALLET_YES);
    ck_assert_str_eq(wallet_breaker(w), "open");
    f.quiet = false;
    ck_assert_int_eq(charge(w, &calls, &why), WALLET_YES);
    ck_assert_str_eq(wallet_breaker(w), "closed");
    ck_assert_int_eq(wallet_charge_cancel(w, &calls, "1", NULL, &why), WALLET_NO); /* it has no such call */
    ck_assert_int_eq(why.reason, WALLET_NOT_POSSIBLE);
    wallets_free(ws);
}
END_TEST

struct racer {
    struct wallet *w;
    struct wallet_calls *calls;
    enum wallet_answer answer;
    enum wallet_reason reason;
};

static void *race(void *ctx)
{
    struct racer *r = ctx;
    struct wallet_why why;
    r->answer = charge(r->w, r->calls, &why);
    r->reason = why.reason;
    return NULL;
}

/* While the one probe is under way everybody else is refused. */
START_TEST(one_probe_for_all_threads)
{
    enum { THREADS = 16 };
    struct fake f;
    struct wallet_calls calls;
    struct wallet_why why;
    struct wallets *ws = fake_wallets(&f, &calls);
    struct wallet *w = wallets_at(ws, 0);
    struct racer racer[THREADS], probe = {w, &calls, WALLET_NO, 0};
    pthread_t thread[THREADS], first;
    pthread_barrier_t barrier;
    f.answer = WALLET_UNKNOWN;
    for (unsigned i = 0; i < WALLET_BREAKER_FAILURES; i++)
        (void)charge(w, &calls, &why);
    f.now_us += WALLET_BREAKER_US;
    f.answer = WALLET_YES;
    unsigned sends = atomic_load(&f.sends);
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, 2), 0);
    f.in_flight = &barrier;
    ck_assert_int_eq(pthread_create(&first, NULL, race, &probe), 0);
    while (atomic_load(&f.sends) == sends) /* until it is under way */
        (void)sched_yield();
    for (int i = 0; i < THREADS; i++) {
        racer[i] = (struct racer){w, &calls, WALLET_YES, 0};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert(racer[i].answer == WALLET_NOT_SENT && racer[i].reason == WALLET_BREAKER);
    }
    ck_assert_str_eq(wallet_breaker(w), "half-open");
    (void)pthread_barrier_wait(&barrier); /* its answer comes */
    ck_assert_int_eq(pthread_join(first, NULL), 0);
    ck_assert_int_eq(probe.answer, WALLET_YES);
    struct wallet_stats stats;
    wallet_statistics(w, &stats);
    ck_assert(stats.breaker == 0 && stats.refused == THREADS && stats.answers[WALLET_YES] == 1);
    ck_assert_uint_eq(stats.answers[WALLET_UNKNOWN], WALLET_BREAKER_FAILURES);
    ck_assert_uint_eq(atomic_load(&f.sends), sends + 1);
    ck_assert_str_eq(wallet_breaker(w), "closed");
    (void)pthread_barrier_destroy(&barrier);
    wallets_free(ws);
}
END_TEST

/* Queries that fail are asked once more while the budget lasts; charges and time-outs never. */
START_TEST(retries_have_a_budget)
{
    struct fake f;
    struct wallet_calls calls;
    struct wallet_charge c;
    struct wallet_why why;
    struct wallets *ws = fake_wallets(&f, &calls);
    struct wallet *w = wallets_at(ws, 0);
    w->breaker_failures = 1000000;
    for (int i = 0; i < WALLET_RETRY_MAX * 2; i++)
        (void)charge(w, &calls, &why); /* fills it, to its maximum */
    f.answer = WALLET_UNKNOWN;
    f.reason = WALLET_WALLET_ERROR;
    unsigned before = atomic_load(&f.calls);
    ck_assert_int_eq(wallet_charge_query(w, &calls, "1", &c, &why), WALLET_UNKNOWN);
    ck_assert_uint_eq(atomic_load(&f.calls) - before, 2);
    before = atomic_load(&f.calls);
    (void)charge(w, &calls, &why);
    ck_assert_uint_eq(atomic_load(&f.calls) - before, 1);
    f.reason = WALLET_TIMED_OUT;
    before = atomic_load(&f.calls);
    (void)wallet_charge_query(w, &calls, "1", &c, &why);
    ck_assert_uint_eq(atomic_load(&f.calls) - before, 1);
    f.reason = WALLET_WALLET_ERROR;
    before = atomic_load(&f.calls);
    for (int i = 0; i < 1000; i++)
        (void)wallet_charge_query(w, &calls, "1", &c, &why);
    unsigned again = atomic_load(&f.calls) - before - 1000;
    ck_assert_msg(again >= 100 && again <= 130, "%u", again); /* a tenth, and what was saved */
    wallets_free(ws);
}
END_TEST

/* --- sockets --- */

static enum net_end fetch(struct net_fetch *f, const struct fetch_server *s, const char *path, int *status, struct buf *head,
                          struct buf *body, char why[NET_WHY_BYTES])
{
    static struct net_networks loopback;
    static const struct net_pair header[] = {{{"X-One", 5}, {"1", 1}}};
    char url[100];
    if (!loopback.count)
        ck_ok(net_networks_add(&loopback, SLICE("127.0.0.0/8")));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s->port, path);
    struct net_ask ask = {.method = "POST",
                          .url = slice_str(url),
                          .header = header,
                          .headers = 1,
                          .body = SLICE("a=b"),
                          .allowed = &loopback,
                          .connect_us = 500000,
                          .whole_us = strcmp(path, "/silent") == 0 ? 300000 : 5000000};
    return net_fetch(f, &ask, status, head, body, why);
}

START_TEST(answers_are_kept_as_they_came)
{
    struct fetch_server s;
    struct net_fetch *f;
    struct buf head, body;
    char why[NET_WHY_BYTES];
    int status = 0;
    ck_ok(net_start());
    ck_ok(net_fetch_new(&f));
    buf_init(&head, 1000);
    buf_init(&body, 100);
    fetch_server_start(&s);
    ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_HAS_ANSWER);
    ck_assert_int_eq(status, 201);
    ck_slice_eq(buf_view(&body), SLICE("{\"a\" :\t1}\r\n"));
    ck_slice_eq(wallet_head_find(buf_view(&head), "x-name"), SLICE("Value: two"));
    ck_assert_ptr_null(wallet_head_find(buf_view(&head), "x-twice").p);
    ck_assert_ptr_null(wallet_head_find(buf_view(&head), "x-interim").p); /* of a 100 before it */
    unsigned connections = atomic_load(&s.connections);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_HAS_ANSWER);
    ck_assert_uint_eq(atomic_load(&s.connections), connections); /* one connection for all */
    ck_assert_int_eq(fetch(f, &s, "/large", &status, &head, &body, why), NET_LOST);
    ck_assert_str_eq(why, "the answer was too large");
    ck_assert_int_eq(fetch(f, &s, "/redirect", &status, &head, &body, why), NET_HAS_ANSWER);
    ck_assert_int_eq(status, 302);
    ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_HAS_ANSWER);
    fetch_server_stop(&s); /* what it got is looked at when its thread has ended */
    ck_slice_eq(slice_str(s.request), SLICE("POST /plain HTTP/1.1"));
    ck_assert(strstr(s.received, "X-One: 1\r\n") && strstr(s.received, "\r\n\r\na=b"));
    ck_assert(!strstr(s.received, "Expect:"));
    net_fetch_free(f);
    buf_release(&head);
    buf_release(&body);
}
END_TEST

/* NEVER is said only when no byte can have left; a request is sent once, also when a kept connection turns out dead. */
START_TEST(what_may_have_left_is_lost)
{
    struct fetch_server s;
    struct net_fetch *f;
    struct buf head, body;
    char why[NET_WHY_BYTES];
    int status = 0;
    ck_ok(net_start());
    ck_ok(net_fetch_new(&f));
    buf_init(&head, 1000);
    buf_init(&body, 100);
    fetch_server_start(&s);
    ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_HAS_ANSWER);
    unsigned requests = atomic_load(&s.requests);
    ck_assert_int_eq(fetch(f, &s, "/drop", &status, &head, &body, why), NET_LOST); /* on the kept connection */
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(atomic_load(&s.requests), requests + 1);                     /* and not again on another */
    ck_assert_int_eq(fetch(f, &s, "/drop", &status, &head, &body, why), NET_LOST); /* on a new one */
    ck_assert_int_eq(fetch(f, &s, "/half", &status, &head, &body, why), NET_LOST);
    ck_assert_int_eq(fetch(f, &s, "/silent", &status, &head, &body, why), NET_LOST);
    ck_assert_int_eq(fetch(f, &s, "/garbage", &status, &head, &body, why), NET_LOST);
    ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_HAS_ANSWER);
    fetch_server_stop(&s);
    ck_assert_int_eq(fetch(f, &s, "/plain", &status, &head, &body, why), NET_NEVER); /* nobody listens */
    net_fetch_free(f);
    buf_release(&head);
    buf_release(&body);
}
END_TEST

START_TEST(what_is_not_sent_at_all)
{
    struct net_networks none = {0};
    struct net_fetch *f;
    struct buf head, body;
    char why[NET_WHY_BYTES], large[NET_ASK_URL_BYTES + 2];
    int status = 0;
    const struct net_pair bad[] = {{SLICE("X"), SLICE("1\r\nY: 2")}};
    struct net_ask ask = {
        .method = "GET", .allowed = &none, .connect_us = 500000, .whole_us = 500000, .url = SLICE("https://127.0.0.1:9/")};
    ck_ok(net_start());
    ck_ok(net_fetch_new(&f));
    buf_init(&head, 1000);
    buf_init(&body, 100);
    static const char *const urls[] = {"https://127.0.0.1:9/",
                                       "https://localhost:9/",
                                       "http://127.0.0.1:9/",
                                       "https://[::1]/",
                                       "ftp://example.com/",
                                       "file:///etc/passwd",
                                       "",
                                       "https://a/\r\nb"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        ask.url = slice_str(urls[i]);
        ck_assert_msg(net_fetch(f, &ask, &status, &head, &body, why) == NET_NEVER, "%s", urls[i]);
        ck_assert_uint_gt(strlen(why), 0);
    }
    ask.url = SLICE("https://127.0.0.1:9/");
    ask.header = bad;
    ask.headers = 1;
    ck_assert_int_eq(net_fetch(f, &ask, &status, &head, &body, why), NET_NEVER);
    ck_assert_str_eq(why, "a header can't be sent");
    memset(large, 'a', sizeof large);
    ask.url = slice_of(large, sizeof large);
    ask.headers = 0;
    ck_assert_int_eq(net_fetch(f, &ask, &status, &head, &body, why), NET_NEVER);
    net_fetch_free(f);
    net_fetch_free(NULL);
    buf_release(&head);
    buf_release(&body);
}
END_TEST

/* Through the daemon's network: a wallet elsewhere is never reached on this machine. */
START_TEST(the_network_of_a_daemon)
{
    struct fetch_server s;
    struct flow_wallets fw = {0};
    struct wallet_response r;
    char url[100];
    ck_ok(net_start());
    ck_ok(flow_wallets_open(&fw, NULL));
    fetch_server_start(&s);
    wallet_response_init(&r);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/plain", s.port);
    struct wallet_request rq = {.method = "POST",
                                .url = slice_str(url),
                                .body = SLICE("x"),
                                .connect_us = 5000000,
                                .whole_us = 5000000,
                                .loopback = true};
    ck_assert_int_eq(fw.calls.send(fw.calls.ctx, &rq, &r), WALLET_ANSWERED);
    ck_assert_int_eq(r.status, 201);
    ck_assert_int_eq(fw.calls.send(fw.calls.ctx, &rq, &r), WALLET_ANSWERED);
    ck_assert_uint_eq(atomic_load(&s.connections), 1); /* kept between calls */
    rq.loopback = false;
    ck_assert_int_eq(fw.calls.send(fw.calls.ctx, &rq, &r), WALLET_NEVER);
    wallet_response_release(&r);
    fetch_server_stop(&s);
    flow_wallets_close(&fw);
    flow_wallets_close(&fw);
}
END_TEST

/* --- forms and money --- */

START_TEST(forms)
{
    static const struct {
        const char *text;
        enum keer_err err;
        unsigned count;
    } cases[] = {{"", KEER_OK, 0},           {"a=b&c=d", KEER_OK, 2},
                 {"a=b&&c", KEER_OK, 2},     {"a=%41+b%2B", KEER_OK, 1},
                 {"a=%4", KEER_EFORMAT, 0},  {"a=%zz", KEER_EFORMAT, 0},
                 {"a=%00", KEER_EFORMAT, 0}, {"a=1&a=2", KEER_ECONFLICT, 0},
                 {"a=%", KEER_EFORMAT, 0},   {"%61=1&a=2", KEER_ECONFLICT, 0}};
    struct form f;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum keer_err err = form_read(&f, slice_str(cases[i].text));
        ck_assert_msg(err == cases[i].err, "%s: %s", cases[i].text, keer_err_name(err));
        if (err == KEER_OK)
            ck_assert_uint_eq(f.count, cases[i].count);
        form_release(&f);
    }
    ck_ok(form_read(&f, SLICE("z=1&a=%41+b%2B")));
    form_sort(&f);
    ck_slice_eq(f.field[0].value, SLICE("A b+"));
    ck_assert(form_find(&f, "q").p == NULL);
    form_release(&f);
    struct buf many;
    buf_init(&many, FORM_BYTES * 2);
    for (int i = 0; i <= FORM_FIELDS_MAX; i++)
        buf_fmt(&many, "f%d=1&", i);
    ck_err(form_read(&f, buf_view(&many)), KEER_ELIMIT);
    form_release(&f);
    while (many.len <= FORM_BYTES)
        buf_puts(&many, "x");
    ck_err(form_read(&f, buf_view(&many)), KEER_ELIMIT);
    form_release(&f);
    buf_release(&many);
}
END_TEST

START_TEST(money_as_text)
{
    static const struct {
        const char *text;
        int64_t minor; /* -1: refused */
    } cases[] = {{"648.00", 64800},
                 {"0.01", 1},
                 {"0", 0},
                 {"648", 64800},
                 {"648.5", 64850},
                 {"100000000.00", 10000000000},
                 {"", -1},
                 {".5", -1},
                 {"5.", -1},
                 {"-1", -1},
                 {"+1", -1},
                 {"1e3", -1},
                 {"0x10", -1},
                 {"01", -1},
                 {"1.005", -1},
                 {"1,00", -1},
                 {" 1", -1},
                 {"1 ", -1},
                 {"1.2.3", -1},
                 {"NaN", -1},
                 {"99999999999999999999", -1},
                 {"90071992547410.00", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t minor = -1;
        bool good = driver_money(slice_str(cases[i].text), 2, &minor) == KEER_OK;
        ck_assert_msg(good == (cases[i].minor >= 0) && minor == cases[i].minor, "'%s': %lld", cases[i].text,
                      (long long)minor);
        if (!good)
            continue;
        struct buf b;
        int64_t again = 0;
        buf_init(&b, 100);
        driver_money_put(&b, minor, 2);
        ck_ok(driver_money(buf_view(&b), 2, &again));
        ck_assert_int_eq(again, minor);
        buf_release(&b);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wallets");
    TCase *t = tcase_create("wallets");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_file_of_wallets);
    tcase_add_test(t, each_mistake_is_named);
    tcase_add_test(t, keys_in_other_clothes);
    tcase_add_test(t, the_breaker_opens_probes_and_closes);
    tcase_add_test(t, what_sends_nothing_is_not_stopped);
    tcase_add_test(t, one_probe_for_all_threads);
    tcase_add_test(t, retries_have_a_budget);
    tcase_add_test(t, answers_are_kept_as_they_came);
    tcase_add_test(t, what_may_have_left_is_lost);
    tcase_add_test(t, what_is_not_sent_at_all);
    tcase_add_test(t, the_network_of_a_daemon);
    tcase_add_test(t, forms);
    tcase_add_test(t, money_as_text);
    suite_add_tcase(s, t);
    return test_main(s);
}
