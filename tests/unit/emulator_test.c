/* emulator_test.c - the wallet emulator's inside: faults from a seed, money that moves once, known signatures. What it does over HTTP is judged in
 * tests/integration/emulator.sh. */
#include <pthread.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "emulator/alipay.h"
#include "lib/scratch.h"

/* --- faults --- */

static unsigned struck(struct faults *f, enum fault fault, const char *what, const char *number, unsigned times)
{
    int64_t us = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < times; i++)
        n += fault_strikes(f, fault, slice_str(what), slice_str(number), &us);
    return n;
}

static void set(struct faults *f, const char *spec)
{
    char why[160] = "";
    enum keer_err err = faults_set(f, slice_str(spec), why);
    ck_assert_msg(err == KEER_OK, "%s: %s", spec, why);
}

START_TEST(rules)
{
    struct faults f;
    int64_t us = 0;
    faults_init(&f, 7);
    ck_assert_uint_eq(struck(&f, FAULT_drop_after, "pay", "c1", 100), 0);
    set(&f, "drop_after=1@c1*2, delay=0.5:800@trade.pay,drop_after=0");
    ck_assert_uint_eq(struck(&f, FAULT_drop_after, "pay", "c1", 100), 2);
    ck_assert_uint_eq(struck(&f, FAULT_drop_after, "pay", "c11", 100), 0); /* a number is matched whole */
    ck_assert_uint_eq(struck(&f, FAULT_delay, "alipay.trade.query", "c1", 100), 0);
    unsigned half = struck(&f, FAULT_delay, "alipay.trade.pay", "c2", 1000);
    ck_assert_uint_gt(half, 420);
    ck_assert_uint_lt(half, 580);
    while (!fault_strikes(&f, FAULT_delay, SLICE("alipay.trade.pay"), SLICE("c3"), &us))
        ;
    ck_assert_int_eq(us, 800000);
    set(&f, "drop_after=0.1,drop_after=1@c9");
    ck_assert_uint_eq(struck(&f, FAULT_drop_after, "pay", "c9", 10), 10); /* the rule that names it comes first */
    set(&f, "");
    ck_assert_uint_eq(struck(&f, FAULT_drop_after, "pay", "c9", 10), 0);
    faults_release(&f);
}
END_TEST

START_TEST(rules_that_are_none)
{
    static const char *const bad[] = {"fire=1",          "drop_after", "drop_after=",    "drop_after=1.1",
                                      "drop_after=-0.1", "delay=1:",   "delay=1:600001", "delay=1:x",
                                      "delay=1@",        "delay=1*0",  "delay=1*-1",     "delay=nan",
                                      "drop_after=1,,x", "=1",         "delay=1@c*"};
    struct faults f;
    char why[160];
    struct buf many;
    faults_init(&f, 7);
    set(&f, "delay=1:5@c1");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why[0] = '\0';
        ck_assert_msg(faults_set(&f, slice_str(bad[i]), why) == KEER_EINVALID && why[0], "%s", bad[i]);
    }
    buf_init(&many, 4096);
    for (unsigned i = 0; i <= FAULT_RULES; i++)
        buf_puts(&many, i ? ",delay=0" : "delay=0");
    ck_err(faults_set(&f, buf_view(&many), why), KEER_EINVALID);
    buf_release(&many);
    ck_assert_uint_eq(struck(&f, FAULT_delay, "pay", "c1", 3), 3); /* the old rules stayed */
    faults_release(&f);
}
END_TEST

/* The draws of one number do not depend on what others ask in between. */
START_TEST(same_seed_same_faults)
{
    struct faults a, b, c;
    int64_t us = 0;
    unsigned same = 0, other = 0;
    faults_init(&a, 7);
    faults_init(&b, 7);
    faults_init(&c, 8);
    set(&a, "waits=0.5");
    set(&b, "waits=0.5");
    set(&c, "waits=0.5");
    for (unsigned i = 0; i < 1000; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "c%u", i);
        (void)struck(&b, FAULT_waits, "pay", "noise", i % 3);
        bool x = fault_strikes(&a, FAULT_waits, SLICE("pay"), slice_str(number), &us);
        same += x == fault_strikes(&b, FAULT_waits, SLICE("pay"), slice_str(number), &us);
        other += x == fault_strikes(&c, FAULT_waits, SLICE("pay"), slice_str(number), &us);
    }
    ck_assert_uint_eq(same, 1000);
    ck_assert_uint_lt(other, 600);
    faults_release(&a);
    faults_release(&b);
    faults_release(&c);
}
END_TEST

/* --- the world --- */

static _Atomic int64_t now_us = 1539137502000000;
static int64_t wall(void) { return now_us; }

struct kit {
    struct scratch scratch;
    struct journal *journal;
    struct world *world;
    struct em_agreement a;
};

static void kit_make(struct kit *k)
{
    scratch_make(&k->scratch);
    ck_ok(em_journal_open(scratch_path(&k->scratch, "journal"), false, &k->journal));
    struct world_options o = {.seed = 1, .journal = k->journal, .wall_us = wall};
    ck_ok(world_new(&o, &k->world));
    struct em_agreement ask = {.wallet = EM_ALIPAY, .number = "a1", .shown = "x", .notify_url = "", .return_url = ""};
    ck_assert_int_eq(world_agree(k->world, &ask, &k->a), EM_DONE);
    ck_assert_int_eq(world_sign(k->world, EM_ALIPAY, SLICE("a1"), SLICE("2088x"), &k->a), EM_DONE);
}

static void kit_free(struct kit *k)
{
    world_free(k->world);
    em_journal_close(k->journal);
    scratch_remove(&k->scratch);
}

static struct em_charge charge_ask(const struct kit *k, const char *number, int64_t minor)
{
    struct em_charge c = {
        .wallet = EM_ALIPAY, .currency = CUR_CNY, .asked_minor = minor, .taken_minor = minor, .notify_url = ""};
    (void)snprintf(c.number, sizeof c.number, "%s", number);
    memcpy(c.agreement, k->a.ref, sizeof c.agreement);
    c.data.lo = (uint64_t)minor;
    return c;
}

static struct em_refund refund_ask(const char *charge, const char *number, int64_t minor)
{
    struct em_refund r = {.wallet = EM_ALIPAY, .minor = minor, .notify_url = ""};
    (void)snprintf(r.number, sizeof r.number, "%s", number);
    (void)snprintf(r.charge, sizeof r.charge, "%s", charge);
    r.data.lo = (uint64_t)minor;
    return r;
}

START_TEST(a_number_is_one_charge)
{
    struct kit k;
    struct em_charge got, ask;
    int64_t back = 0;
    kit_make(&k);
    ask = charge_ask(&k, "c1", 100);
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_DONE);
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_SAME);
    ask = charge_ask(&k, "c1", 101);
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_OTHER_DATA);
    ck_assert_int_eq(got.taken_minor, 100);
    ck_assert_int_eq(world_cancel(k.world, EM_ALIPAY, SLICE("c2"), EM_BURN, &got, &back), EM_NOT_THERE);
    ask = charge_ask(&k, "c2", 5);
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_STATE);
    ck_assert_int_eq(world_charge_find(k.world, EM_ALIPAY, SLICE("c2"), &got), EM_NOT_THERE);
    ck_assert_int_eq(world_cancel(k.world, EM_ALIPAY, SLICE("c1"), EM_ONLY_UNPAID, &got, &back), EM_STATE);
    ck_assert_int_eq(world_cancel(k.world, EM_ALIPAY, SLICE("c1"), 0, &got, &back), EM_DONE);
    ck_assert_int_eq(back, 100);
    ck_assert_int_eq(world_cancel(k.world, EM_ALIPAY, SLICE("c1"), 0, &got, &back), EM_SAME);
    ck_assert_uint_eq(em_journal_count(k.journal), 3); /* signed, paid, reversed */
    kit_free(&k);
}
END_TEST

START_TEST(what_waits)
{
    struct kit k;
    struct em_charge got, ask;
    kit_make(&k);
    ask = charge_ask(&k, "c1", 100);
    ask.due_us = now_us + 1000;
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_DONE);
    ck_assert_int_eq(got.state, EM_CHARGE_WAITS);
    ask = charge_ask(&k, "c2", 100);
    ask.due_us = now_us + 1000;
    ask.ends_closed = true;
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_DONE);
    ask = charge_ask(&k, "c3", 100);
    ask.due_us = now_us + 5000;
    ck_assert_int_eq(world_charge(k.world, &ask, &got), EM_DONE);
    now_us += 1000;
    world_due(k.world);
    ck_assert_int_eq(world_charge_find(k.world, EM_ALIPAY, SLICE("c1"), &got), EM_DONE);
    ck_assert_int_eq(got.state, EM_CHARGE_PAID);
    ck_assert_int_eq(world_charge_find(k.world, EM_ALIPAY, SLICE("c2"), &got), EM_DONE);
    ck_assert_int_eq(got.state, EM_CHARGE_CLOSED);
    /* The agreement ends while a charge waits: no money moves any more. */
    ck_assert_int_eq(world_end(k.world, EM_ALIPAY, SLICE("a1"), true, SLICE(""), &k.a), EM_DONE);
    now_us += 5000;
    ck_assert_int_eq(world_charge_find(k.world, EM_ALIPAY, SLICE("c3"), &got), EM_DONE);
    ck_assert_int_eq(got.state, EM_CHARGE_CLOSED);
    ck_assert_int_eq(world_sign(k.world, EM_ALIPAY, SLICE("a1"), SLICE(""), &k.a), EM_ENDED);
    kit_free(&k);
}
END_TEST

START_TEST(payers)
{
    struct kit k;
    struct em_charge got, ask;
    struct em_refund r;
    struct em_payer p = {.name = "2088x", .balance_minor = 250, .charge_limit_minor = 200, .day_limit_minor = 300};
    kit_make(&k);
    ck_ok(world_payer(k.world, &p));
#define PAY(number, minor) (ask = charge_ask(&k, number, minor), world_charge(k.world, &ask, &got))
    ck_assert_int_eq(PAY("c1", 201), EM_OVER_DAY);
    ck_assert_int_eq(PAY("c1", 200), EM_DONE); /* a refusal left no trace */
    ck_assert_int_eq(PAY("c2", 51), EM_NO_MONEY);
    ck_assert_int_eq(PAY("c2", 50), EM_DONE);
    struct em_refund ask_refund = refund_ask("c1", "r1", 150);
    ck_assert_int_eq(world_refund(k.world, &ask_refund, &r, &got), EM_DONE);
    ck_assert_int_eq(PAY("c3", 51), EM_OVER_DAY); /* 250 of 300 are used today */
    ck_assert_int_eq(PAY("c3", 50), EM_DONE);
    now_us += US_DAY;
    ck_assert_int_eq(PAY("c4", 100), EM_DONE);
    p.risky = true;
    ck_ok(world_payer(k.world, &p));
    ck_assert_int_eq(PAY("c5", 1), EM_RISK);
#undef PAY
    kit_free(&k);
}
END_TEST

/* Many at once: a number is charged once, and no more is given back than was taken. */
#define THREADS 8
struct racer {
    struct kit *k;
    unsigned index, done;
    int64_t refunded;
};

static void *race(void *arg)
{
    struct racer *me = arg;
    struct em_charge got, ask;
    struct em_refund r;
    for (unsigned i = 0; i < 200; i++) {
        char number[16], request[32];
        (void)snprintf(number, sizeof number, "c%u", i);
        ask = charge_ask(me->k, number, 100);
        me->done += world_charge(me->k->world, &ask, &got) == EM_DONE;
        (void)snprintf(request, sizeof request, "r%u-%u", i, me->index);
        struct em_refund refund = refund_ask(number, request, 30);
        if (world_refund(me->k->world, &refund, &r, &got) == EM_DONE)
            me->refunded += 30;
    }
    return NULL;
}

START_TEST(many_at_once)
{
    struct kit k;
    struct racer racer[THREADS];
    pthread_t thread[THREADS];
    unsigned done = 0;
    int64_t refunded = 0;
    kit_make(&k);
    for (unsigned i = 0; i < THREADS; i++) {
        racer[i] = (struct racer){.k = &k, .index = i};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(thread[i], NULL);
        done += racer[i].done;
        refunded += racer[i].refunded;
    }
    ck_assert_uint_eq(done, 200);
    ck_assert_int_eq(refunded, 200 * 90); /* three of the eight, and not a fourth */
    ck_assert_uint_eq(em_journal_count(k.journal), 1 + 200 + 600);
    kit_free(&k);
}
END_TEST

/* --- known signatures --- */

static bool shared_file(const char *name, struct buf *b)
{
    char path[600];
    const char *dir = shared_dir();
    (void)snprintf(path, sizeof path, "%s/vectors/%s", dir ? dir : "", name);
    FILE *f = dir ? fopen(path, "r") : NULL;
    char *room = buf_reserve(b, 1u << 20);
    if (!f || !room)
        return false;
    b->len += fread(room, 1, 1u << 20, f);
    return fclose(f) == 0;
}

static struct crypto_key *shared_key(const char *name)
{
    struct buf b;
    struct crypto_key *key = NULL;
    buf_init(&b, 2u << 20);
    ck_assert_msg(shared_file(name, &b), "%s", name);
    ck_ok(crypto_key_pem(buf_view(&b), &key));
    buf_release(&b);
    return key;
}

static const struct tape_limits vector_limits = {.bytes = 1u << 20, .values = 5000, .depth = 12, .keys = 100};

static uint32_t read_vectors(const char *name, struct buf *b, struct tape *t)
{
    struct tape_error why;
    buf_init(b, 2u << 20);
    ck_assert_msg(shared_file(name, b), "%s", name);
    ck_ok(tape_read(t, buf_view(b), &vector_limits, &why));
    return tape_find(t, 0, "vectors");
}

static struct slice in(const struct tape *t, uint32_t at, const char *name)
{
    uint32_t v = tape_find(t, at, name);
    return v == TAPE_NONE || (tape_type(t, v) != TAPE_STRING && !tape_is_number(t, v)) ? (struct slice){NULL, 0}
                                                                                       : tape_text(t, v);
}

/* A value of a form that the vectors keep as JSON: without the white space of the file. */
static struct slice without_space(struct slice s, struct buf *room)
{
    size_t from = room->len;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        quoted ^= s.p[i] == '"';
        if (quoted || !ascii_space(s.p[i]))
            buf_char(room, s.p[i]);
    }
    return slice_of(room->p + from, room->len - from);
}

START_TEST(known_notices_of_alipay)
{
    struct buf b, text, room;
    struct tape t = {0};
    unsigned good = 0, refused = 0;
    if (!shared_dir())
        return;
    buf_init(&text, 65536);
    buf_init(&room, 65536);
    (void)buf_reserve(&room, 60000);
    uint32_t list = read_vectors("alipay/verify.json", &b, &t);
    for (uint32_t i = 0, v = list + 1; i < t.v[list].len; i++, v = t.v[v].next) {
        struct alipay_params p = {0};
        struct slice rule = in(&t, v, "rule"), file = in(&t, v, "public_key");
        uint32_t params = tape_find(&t, v, "params"), expect = tape_find(&t, v, "expect");
        char name[80];
        (void)snprintf(name, sizeof name, SLICE_FMT, SLICE_ARG(slice_of(file.p + 5, file.len - 5))); /* without keys/ */
        struct crypto_key *key = shared_key(name);
        buf_clear(&text);
        if (params == TAPE_NONE) {
            buf_slice(&text, in(&t, v, "sign_string"));
        } else {
            for (uint32_t n = 0, m = params + 1; n < t.v[params].len; n++, m = t.v[m + 1].next) {
                bool plain = tape_type(&t, m + 1) == TAPE_STRING;
                size_t at = tape_at(&t, m + 1);
                size_t end = t.v[m + 1].next < t.count ? tape_at(&t, t.v[m + 1].next) : t.v[m + 1].at;
                while (!plain && t.text[end - 1] != ']' && t.text[end - 1] != '}')
                    end--;
                p.at[p.count++] = (struct alipay_param){
                    tape_text(&t, m), plain ? tape_text(&t, m + 1) : without_space(slice_of(t.text + at, end - at), &room)};
            }
            em_alipay_sign_string(&p, rule.p && slice_has(rule, SLICE("V2")) ? NULL : "sign_type", &text);
        }
        bool verified = em_verify(key, buf_view(&text), in(&t, v, "sign"));
        if (rule.p && slice_has(rule, SLICE("V2")) && !verified) { /* sign_type was taken out of this vector by its caller */
            buf_clear(&text);
            p.at[p.count++] = (struct alipay_param){SLICE("sign_type"), SLICE("RSA2")};
            em_alipay_sign_string(&p, NULL, &text);
            verified = em_verify(key, buf_view(&text), in(&t, v, "sign"));
        }
        ck_assert_msg(verified == (tape_type(&t, expect) == TAPE_TRUE), SLICE_FMT, SLICE_ARG(in(&t, v, "name")));
        good += verified;
        refused += !verified;
        crypto_key_free(key);
    }
    ck_assert_uint_ge(good, 5);
    ck_assert_uint_ge(refused, 2);
    tape_release(&t);
    buf_release(&b);
    buf_release(&text);
    buf_release(&room);
}
END_TEST

START_TEST(known_requests_of_alipay)
{
    struct buf b, text;
    struct tape t = {0};
    if (!shared_dir())
        return;
    struct crypto_key *key = shared_key("app_pub.pem");
    buf_init(&text, 65536);
    uint32_t list = read_vectors("alipay/sign-derived.json", &b, &t);
    uint32_t v2 = list + 1, v3 = t.v[v2].next;
    /* The string of v2, taken apart and put together by ours. */
    struct alipay_params p = {0};
    struct slice wanted = in(&t, v2, "sign_string"), rest = wanted;
    static const char *const names[] = {"app_id",     "biz_content", "charset",   "method",
                                        "notify_url", "sign_type",   "timestamp", "version"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char next[32];
        (void)snprintf(next, sizeof next, "&%s=", i + 1 < ARRAY_LEN(names) ? names[i + 1] : "\n");
        const char *end = memmem(rest.p, rest.len, next, strlen(next));
        struct slice value =
            slice_of(rest.p + strlen(names[i]) + 1, (end ? (size_t)(end - rest.p) : rest.len) - strlen(names[i]) - 1);
        p.at[ARRAY_LEN(names) - 1 - i] = (struct alipay_param){slice_str(names[i]), value};
        p.count++;
        if (end)
            rest = slice_of(end + 1, rest.len - (size_t)(end + 1 - rest.p));
    }
    p.at[p.count++] = (struct alipay_param){SLICE("sign"), SLICE("x")};
    p.at[p.count++] = (struct alipay_param){SLICE("empty"), SLICE("")};
    em_alipay_sign_string(&p, NULL, &text);
    ck_slice_eq(buf_view(&text), wanted);
    ck_assert(em_verify(key, buf_view(&text), in(&t, v2, "sign")));
    ck_assert(!em_verify(key, buf_view(&text), in(&t, v3, "sign")));
    struct slice lines[] = {
        SLICE("app_id=2018102900000001,nonce=4de4a4fa-03e5-4cbe-89bc-25e45566a7bd,timestamp=1539137502000"), SLICE("POST"),
        SLICE("/v3/alipay/trade/pay"), SLICE("{\"out_trade_no\":\"o1\"}")};
    buf_clear(&text);
    em_lines(lines, ARRAY_LEN(lines), &text);
    ck_assert(em_verify(key, buf_view(&text), in(&t, v3, "sign")));
    crypto_key_free(key);
    tape_release(&t);
    buf_release(&b);
    buf_release(&text);
}
END_TEST

START_TEST(known_requests_of_antom)
{
    struct buf b, text, sign;
    struct tape t = {0};
    if (!shared_dir())
        return;
    struct crypto_key *key = shared_key("app_pub.pem");
    buf_init(&text, 65536);
    buf_init(&sign, 4096);
    (void)buf_reserve(&sign, 4000);
    uint32_t list = read_vectors("antom/derived.json", &b, &t);
    ck_assert_uint_ge(t.v[list].len, 2);
    for (uint32_t i = 0, v = list + 1; i < t.v[list].len; i++, v = t.v[v].next) {
        struct slice header = in(&t, v, "header"), decoded;
        const char *at = memmem(header.p, header.len, "signature=", 10);
        buf_clear(&text);
        em_antom_sign_string(in(&t, v, "path"), in(&t, v, "time"), in(&t, v, "body"), &text);
        ck_slice_eq(buf_view(&text), in(&t, v, "sign_string"));
        ck_assert(em_urldecode(slice_of(at + 10, header.len - (size_t)(at + 10 - header.p)), false, &sign, &decoded));
        ck_slice_eq(decoded, in(&t, v, "signature_base64"));
        ck_assert(em_verify(key, buf_view(&text), decoded));
        buf_char(&text, ' ');
        ck_assert(!em_verify(key, buf_view(&text), decoded));
    }
    crypto_key_free(key);
    tape_release(&t);
    buf_release(&b);
    buf_release(&text);
    buf_release(&sign);
}
END_TEST

START_TEST(known_messages_of_wechat_pay)
{
    struct buf b, text;
    struct tape t = {0};
    if (!shared_dir())
        return;
    (void)read_vectors("wechat/vectors.json", &b, &t);
    buf_init(&text, 65536);
    uint32_t layouts = tape_find(&t, 0, "request_layout"), notice = tape_find(&t, 0, "notify") + 1;
    for (uint32_t i = 0, v = layouts + 1; i < t.v[layouts].len; i++, v = t.v[v].next) {
        struct slice lines[] = {in(&t, v, "method"), in(&t, v, "url"), in(&t, v, "timestamp"), in(&t, v, "nonce"),
                                in(&t, v, "body")};
        buf_clear(&text);
        em_lines(lines, ARRAY_LEN(lines), &text);
        ck_slice_eq(buf_view(&text), in(&t, v, "message"));
    }
    uint32_t headers = tape_find(&t, notice, "headers");
    struct crypto_key *key = shared_key("wechat-platform-public.pem");
    struct slice lines[] = {in(&t, headers, "Wechatpay-Timestamp"), in(&t, headers, "Wechatpay-Nonce"),
                            in(&t, notice, "body")};
    buf_clear(&text);
    em_lines(lines, ARRAY_LEN(lines), &text);
    ck_slice_eq(buf_view(&text), in(&t, notice, "message"));
    ck_assert(em_verify(key, buf_view(&text), in(&t, headers, "Wechatpay-Signature")));
    crypto_key_free(key);
    tape_release(&t);
    buf_release(&b);
    buf_release(&text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emulator");
    TCase *c = tcase_create("emulator");
    if (crypto_start() != KEER_OK)
        return 1;
    tcase_set_timeout(c, 60);
    tcase_add_test(c, rules);
    tcase_add_test(c, rules_that_are_none);
    tcase_add_test(c, same_seed_same_faults);
    tcase_add_test(c, a_number_is_one_charge);
    tcase_add_test(c, what_waits);
    tcase_add_test(c, payers);
    tcase_add_test(c, many_at_once);
    tcase_add_test(c, known_notices_of_alipay);
    tcase_add_test(c, known_requests_of_alipay);
    tcase_add_test(c, known_requests_of_antom);
    tcase_add_test(c, known_messages_of_wechat_pay);
    suite_add_tcase(s, c);
    return test_main(s);
}
