/* wechatpay_emulator_test.c - the driver of WeChat Pay over the network, before the emulator's server, which shares nothing with
 * it and was itself judged by the clients on npm: a contract's and a charge's whole life, and every fault that loses,
 * delays or spoils an answer.
 */
#include <time.h>

#include "base/crypto.h"
#include "base/timefmt.h"
#include "emulator/emulator.h"
#include "flow/wallet_calls.h"
#include "lib/scratch.h"
#include "net/fetch.h"

static struct scratch s;
static struct emulator *emulator;
static struct flow_wallets fw;
static struct wallet *wallet;
static struct wallet_why why;

static int64_t wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

static void setup(void)
{
    struct emulator_why ew = {""};
    char text[WALLET_WHY_BYTES * 2] = "";
    ck_ok(crypto_start());
    ck_ok(net_start());
    scratch_make(&s);
    const struct emulator_options o = {
        .listen = "127.0.0.1:0", .folder = s.dir, .notice_retry_us = US_HOUR, .wall_us = wall_us};
    ck_assert_msg(emulator_open(&o, &emulator, &ew) == KEER_OK && emulator_start(emulator, &ew) == KEER_OK, "%s", ew.text);
    ck_assert_msg(wallets_open(scratch_path(&s, "wallets.json"), &fw.list, text) == KEER_OK, "%s", text);
    ck_ok(flow_wallets_open(&fw, wall_us));
    wallet = wallets_find(fw.list, SLICE("wechatpay"));
    ck_assert_ptr_nonnull(wallet);
}

static void teardown(void)
{
    flow_wallets_close(&fw);
    emulator_stop(emulator);
    scratch_remove(&s);
}

/* What a person or a test does at the wallet's side. */
static void at_the_wallet(const char *method, const char *url, const char *body)
{
    struct net_fetch *f;
    struct net_networks here = {.count = 0};
    struct buf head, answer;
    char text[NET_WHY_BYTES] = "";
    int status = 0;
    const struct net_pair json = {SLICE("Content-Type"), SLICE("application/json")};
    ck_ok(net_networks_add(&here, SLICE("127.0.0.1/32")));
    ck_ok(net_fetch_new(&f));
    buf_init(&head, 1u << 16);
    buf_init(&answer, 1u << 16);
    const struct net_ask ask = {.method = method,
                                .url = slice_str(url),
                                .header = &json,
                                .headers = 1,
                                .body = slice_str(body),
                                .allowed = &here,
                                .connect_us = US_SECOND,
                                .whole_us = 10 * US_SECOND};
    ck_assert_msg(net_fetch(f, &ask, &status, &head, &answer, text) == NET_HAS_ANSWER && status < 400, "%s: %d %s %s", url,
                  status, text, answer.p ? answer.p : "");
    buf_release(&head);
    buf_release(&answer);
    net_fetch_free(f);
}

static void faults(const char *spec)
{
    char url[256], body[256];
    (void)snprintf(url, sizeof url, "%s/emulator/faults", emulator_url(emulator));
    (void)snprintf(body, sizeof body, "{\"spec\":\"%s\"}", spec);
    at_the_wallet("POST", url, body);
}

static void link_contract(const char *number, struct wallet_agreement *a)
{
    char url[WALLET_URL_BYTES], accept[WALLET_URL_BYTES + 16];
    const struct wallet_sign_ask ask = {.number = number,
                                        .account = SLICE("l***@example.org"),
                                        .return_url = SLICE("https://shop.example/back"),
                                        .notify_url = SLICE("http://127.0.0.1:9/n"),
                                        .device = SLICE("d1"),
                                        .ip = SLICE("203.0.113.9"),
                                        .device_days = 3,
                                        .currency = CUR_CNY};
    ck_assert_msg(wallet_sign(wallet, &fw.calls, &ask, url, &why) == WALLET_YES, "%s %s", why.code, why.text);
    (void)snprintf(accept, sizeof accept, "%s?accept=1", url);
    at_the_wallet("GET", accept, "");
    const struct wallet_agreement which = {.number = ""};
    struct wallet_agreement w = which;
    (void)snprintf(w.number, sizeof w.number, "%s", number);
    ck_assert_msg(wallet_agreement_query(wallet, &fw.calls, &w, a, &why) == WALLET_YES, "%s %s", why.code, why.text);
    ck_assert_int_eq(a->state, WALLET_AGREEMENT_NORMAL);
    ck_assert(a->ref[0] && a->signed_us > 0);
}

static enum wallet_answer charge(const char *number, const struct wallet_agreement *a, int64_t amount,
                                 struct wallet_charge *c)
{
    const struct wallet_charge_ask ask = {.number = number,
                                          .agreement = a->ref,
                                          .subject = SLICE("648 \xE9\xAD\x94\xE7\x9F\xB3"),
                                          .notify_url = SLICE("http://127.0.0.1:9/n"),
                                          .amount_minor = amount,
                                          .currency = CUR_CNY};
    return wallet_charge(wallet, &fw.calls, &ask, c, &why);
}

START_TEST(a_life)
{
    struct wallet_agreement a, after;
    struct wallet_charge c;
    struct wallet_refund r;
    link_contract("A1", &a);
    ck_assert_msg(charge("C1", &a, 64800, &c) == WALLET_YES, "%s %s", why.code, why.text);
    ck_assert_int_eq(c.state, WALLET_CHARGE_WAITS);
    ck_assert_msg(wallet_charge_query(wallet, &fw.calls, "C1", &c, &why) == WALLET_YES, "%s %s", why.code, why.text);
    ck_assert(c.state == WALLET_CHARGE_PAID && c.amount_minor == 64800 && c.currency == CUR_CNY && c.ref[0] &&
              c.paid_us > 0);
    /* The same number again has no second effect, and is not taken for a refusal. */
    ck_assert_int_eq(charge("C1", &a, 64800, &c), WALLET_UNKNOWN);
    ck_assert_int_eq(why.reason, WALLET_NUMBER_REUSED);
    ck_assert_int_eq(charge("C1", &a, 100, &c), WALLET_UNKNOWN);
    ck_assert_int_eq(wallet_charge_query(wallet, &fw.calls, "C2", &c, &why), WALLET_YES);
    ck_assert_int_eq(c.state, WALLET_CHARGE_NONE);
    ck_assert_int_eq(wallet_charge_cancel(wallet, &fw.calls, "C1", &c, &why), WALLET_NO);
    ck_assert_int_eq(why.reason, WALLET_NOT_POSSIBLE);
    ck_assert_int_eq(wallet_charge_cancel(wallet, &fw.calls, "C2", &c, &why), WALLET_NO);
    ck_assert_int_eq(why.reason, WALLET_NOT_THERE);

    struct wallet_refund_ask refund = {.number = "R1",
                                       .charge = "C1",
                                       .charge_ref = "",
                                       .amount_minor = 100,
                                       .charged_minor = 64800,
                                       .currency = CUR_CNY,
                                       .reason = SLICE("not me"),
                                       .notify_url = SLICE("http://127.0.0.1:9/n")};
    ck_assert_int_eq(wallet_refund_query(wallet, &fw.calls, &refund, &r, &why), WALLET_YES);
    ck_assert_int_eq(r.state, WALLET_REFUND_NONE);
    ck_assert_msg(wallet_refund(wallet, &fw.calls, &refund, &r, &why) == WALLET_YES, "%s %s", why.code, why.text);
    ck_assert_int_eq(r.amount_minor, 100);
    ck_assert_int_eq(wallet_refund(wallet, &fw.calls, &refund, &r, &why), WALLET_YES); /* again: the same one */
    ck_assert_int_eq(wallet_refund_query(wallet, &fw.calls, &refund, &r, &why), WALLET_YES);
    ck_assert_int_eq(r.state, WALLET_REFUND_PAID);
    refund.number = "R2";
    refund.amount_minor = 64800; /* more than is left */
    ck_assert_int_ne(wallet_refund(wallet, &fw.calls, &refund, &r, &why), WALLET_YES);

    ck_assert_msg(wallet_agreement_end(wallet, &fw.calls, &a, SLICE("ended"), &why) == WALLET_YES, "%s %s", why.code,
                  why.text);
    ck_assert_int_eq(wallet_agreement_query(wallet, &fw.calls, &a, &after, &why), WALLET_YES);
    ck_assert_int_eq(after.state, WALLET_AGREEMENT_STOPPED);
    ck_assert(after.ended_us > 0);
    ck_assert_int_eq(charge("C3", &a, 100, &c), WALLET_NO);
    ck_assert_int_eq(why.reason, WALLET_AGREEMENT_GONE);
    ck_assert_int_eq(wallet_agreement_end(wallet, &fw.calls, &a, SLICE("again"), &why), WALLET_YES);
}
END_TEST

/* Whatever happens to an answer, the driver says YES of what is so, and UNKNOWN of all else; afterwards the number tells. */
START_TEST(faults_on_the_way)
{
    static const struct {
        const char *spec;
        bool took; /* whether the charge took effect */
    } cases[] = {{"drop_before=1", false},
                 {"drop_after=1", true},
                 {"error_before=1", false},
                 {"error_after=1", true},
                 {"bad_signature=1", true}};
    struct wallet_agreement a;
    struct wallet_charge c;
    link_contract("A1", &a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "F%zu", i);
        faults(cases[i].spec);
        ck_assert_msg(charge(number, &a, 100, &c) == WALLET_UNKNOWN, "%s: %s", cases[i].spec, why.text);
        faults("");
        ck_assert_msg(wallet_charge_query(wallet, &fw.calls, number, &c, &why) == WALLET_YES, "%s: %s", cases[i].spec,
                      why.text);
        ck_assert_msg(c.state == (cases[i].took ? WALLET_CHARGE_PAID : WALLET_CHARGE_NONE), "%s: %d", cases[i].spec,
                      c.state);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wechatpay_emulator");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_life);
    tcase_add_test(t, faults_on_the_way);
    suite_add_tcase(suite, t);
    return test_main(suite);
}
