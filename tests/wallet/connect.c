/* connect.c - each call of each driver against a wallet's server, as a program: for tests/integration/connectors.sh.
 *
 *     connect walk WALLETS EMULATOR              sign, person signs, query, charge, query, refund, query, cancel, end: a line each
 *     connect storm WALLETS EMULATOR CHARGES     with whatever faults are on: each charge is settled by asking, some are refunded
 *     connect call WALLETS CALL                  one query of a number that nobody knows, with each wallet: for wrong keys
 *
 * `storm` prints a line for each charge, as it ended here: "charge WALLET NUMBER STATE AMOUNT REFUNDED"; the emulator's journal
 * says how it ended there. A charge is sent again only under its own number, and only after the wallet knew nothing of it.
 */
#include <time.h>

#include "base/crypto.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "flow/wallet_calls.h"
#include "net/fetch.h"

static int64_t wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

static struct flow_wallets wallets;
static const char *emulator;
static unsigned failed;

static const char *answer_name(enum wallet_answer a)
{
    static const char *const names[] = {"yes", "no", "unknown", "not sent"};
    return names[a];
}

static void line(struct wallet *w, const char *what, enum wallet_answer a, const struct wallet_why *why, bool good)
{
    printf("%s - %s: %s: %s%s%s%s%s\n", good ? "ok" : "not ok", wallet_name(w), what, answer_name(a),
           a == WALLET_YES ? "" : ", ", a == WALLET_YES ? "" : wallet_reason_name(why->reason), why->code[0] ? " " : "",
           why->code);
    failed += !good;
}

/* POST to the emulator's own door; what it said. */
static bool tell(const char *path, const char *body, struct buf *answer)
{
    struct net_fetch *f = NULL;
    struct net_networks loopback = {0};
    struct buf head;
    char url[300], why[NET_WHY_BYTES];
    int status = 0;
    buf_init(&head, 65536);
    (void)snprintf(url, sizeof url, "%s/emulator/%s", emulator, path);
    struct net_ask ask = {.method = "POST",
                          .url = slice_str(url),
                          .body = slice_str(body),
                          .allowed = &loopback,
                          .connect_us = US_SECOND,
                          .whole_us = 5 * US_SECOND};
    bool good = net_networks_add(&loopback, SLICE("127.0.0.0/8")) == KEER_OK && net_fetch_new(&f) == KEER_OK &&
                net_fetch(f, &ask, &status, &head, answer, why) == NET_HAS_ANSWER && status == 200;
    net_fetch_free(f);
    buf_release(&head);
    return good;
}

/* What stands behind "name=" in a query. */
static void query_part(const char *url, const char *name, char *ret, size_t cap)
{
    char wanted[40];
    (void)snprintf(wanted, sizeof wanted, "%s=", name);
    const char *at = strstr(url, wanted);
    size_t len = at ? strcspn(at + strlen(wanted), "&\"") : 0;
    (void)snprintf(ret, cap, "%.*s", (int)len, at ? at + strlen(wanted) : "");
}

static void new_number(char prefix, char ret[WALLET_NUMBER_BYTES + 1])
{
    unsigned char bytes[15];
    crypto_random(bytes, sizeof bytes);
    ret[0] = prefix;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret + 1 + 2 * i, 3, "%02x", bytes[i]);
}

/* From nothing to an agreement that can be charged. */
static bool agree(struct wallet *w, struct wallet_agreement *ret)
{
    char number[WALLET_NUMBER_BYTES + 1], url[WALLET_URL_BYTES] = "", notify[NET_URL_BYTES], body[WALLET_URL_BYTES + 40];
    char code[WALLET_REF_BYTES];
    struct wallet_why why;
    struct wallet_agreement g = {.state = WALLET_AGREEMENT_TEMP};
    struct buf said;
    new_number('a', number);
    (void)flow_wallet_notify(&wallets, w, notify);
    struct wallet_sign_ask ask = {.number = number,
                                  .account = SLICE("l***u"),
                                  .return_url = SLICE("http://127.0.0.1:9/back"),
                                  .notify_url = slice_str(notify),
                                  .device = SLICE("device-1"),
                                  .ip = SLICE("192.0.2.1"),
                                  .device_days = 100,
                                  .currency = CUR_CNY,
                                  .charge_cap_minor = 70000,
                                  .total_cap_minor = 300000};
    (void)snprintf(g.number, sizeof g.number, "%s", number);
    buf_init(&said, 65536);
    enum wallet_answer a = wallet_sign(w, &wallets.calls, &ask, url, &why);
    line(w, "a page to sign at", a, &why, a == WALLET_YES && strncmp(url, "http", 4) == 0);
    (void)snprintf(body, sizeof body, "{\"url\":\"%s\"}", url);
    bool good = a == WALLET_YES && tell("sign", body, &said);
    if (!good)
        printf("not ok - %s: the person signs: %s\n", wallet_name(w), said.p ? said.p : "");
    failed += !good;
    query_part(said.p ? said.p : "", "authCode", code, sizeof code);
    a = wallet_sign_finish(w, &wallets.calls, number, code, ret, &why);
    good = a == WALLET_YES && ret->state == WALLET_AGREEMENT_NORMAL && ret->ref[0];
    line(w, "the person has signed", a, &why, good);
    buf_release(&said);
    return good;
}

static enum wallet_answer charge(struct wallet *w, const struct wallet_agreement *g, const char *number, int64_t minor,
                                 struct wallet_charge *ret, struct wallet_why *why)
{
    struct wallet_charge_ask ask = {.number = number,
                                    .agreement = g->ref,
                                    .subject = SLICE("648 gems & more"),
                                    .notify_url = SLICE("http://127.0.0.1:9/notices"),
                                    .amount_minor = minor,
                                    .currency = CUR_CNY,
                                    .ip = SLICE("192.0.2.1")};
    return wallet_charge(w, &wallets.calls, &ask, ret, why);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Until the wallet says how it ended; how often it is asked at most. */
static enum wallet_answer settled(struct wallet *w, const char *number, unsigned times, struct wallet_charge *ret,
                                  struct wallet_why *why)
{
    enum wallet_answer a = WALLET_UNKNOWN;
    for (unsigned i = 0; i < times; i++) {
        a = wallet_charge_query(w, &wallets.calls, number, ret, why);
        if (a == WALLET_YES && ret->state != WALLET_CHARGE_WAITS)
            return a;
        pause_ms(20);
    }
    return a;
}

static void walk_refunds(struct wallet *w, const struct wallet_charge *paid)
{
    char number[WALLET_NUMBER_BYTES + 1];
    struct wallet_refund f;
    struct wallet_why why;
    new_number('r', number);
    struct wallet_refund_ask ask = {.number = number,
                                    .charge = paid->number,
                                    .charge_ref = paid->ref,
                                    .amount_minor = 10000,
                                    .charged_minor = 64800,
                                    .currency = CUR_CNY,
                                    .reason = SLICE("not me")};
    enum wallet_answer a = wallet_refund_query(w, &wallets.calls, &ask, &f, &why);
    line(w, "a refund that was not asked for", a, &why, a == WALLET_YES && f.state == WALLET_REFUND_NONE);
    for (int twice = 0; twice < 2; twice++) {
        a = wallet_refund(w, &wallets.calls, &ask, &f, &why);
        line(w, twice ? "the same refund again" : "a refund", a, &why,
             a == WALLET_YES && (f.state == WALLET_REFUND_PAID || f.state == WALLET_REFUND_WAITS));
    }
    for (int i = 0; i < 100 && !(a == WALLET_YES && f.state == WALLET_REFUND_PAID); i++) {
        pause_ms(20);
        a = wallet_refund_query(w, &wallets.calls, &ask, &f, &why);
    }
    a = wallet_refund_query(w, &wallets.calls, &ask, &f, &why);
    line(w, "it has worked", a, &why, a == WALLET_YES && f.state == WALLET_REFUND_PAID && f.amount_minor == 10000);
    new_number('r', number);
    ask.amount_minor = 60000;
    a = wallet_refund(w, &wallets.calls, &ask, &f, &why);
    bool refused = a == WALLET_NO; /* or it says no such thing, and then knows nothing of the refund */
    if (a == WALLET_UNKNOWN)
        refused = wallet_refund_query(w, &wallets.calls, &ask, &f, &why) == WALLET_YES && f.state == WALLET_REFUND_NONE;
    line(w, "more than is left", a, &why, refused);
}

static void walk_charges(struct wallet *w, const struct wallet_agreement *g)
{
    char number[WALLET_NUMBER_BYTES + 1], other[WALLET_NUMBER_BYTES + 1];
    struct wallet_charge c, again;
    struct wallet_why why;
    new_number('c', number);
    new_number('c', other);
    enum wallet_answer a = wallet_charge_query(w, &wallets.calls, number, &c, &why);
    line(w, "a number that nobody knows", a, &why, a == WALLET_YES && c.state == WALLET_CHARGE_NONE);
    a = charge(w, g, number, 64800, &c, &why);
    line(w, "a charge", a, &why, a == WALLET_YES && (c.state == WALLET_CHARGE_PAID || c.state == WALLET_CHARGE_WAITS));
    a = settled(w, number, 200, &c, &why);
    line(w, "it is paid", a, &why,
         a == WALLET_YES && c.state == WALLET_CHARGE_PAID && c.amount_minor == 64800 && c.currency == CUR_CNY && c.ref[0]);
    a = charge(w, g, number, 64800, &again, &why);
    line(w, "the same number again", a, &why, a != WALLET_YES || strcmp(again.ref, c.ref) == 0);
    a = charge(w, g, number, 100, &again, &why);
    line(w, "the same number for another amount", a, &why, a != WALLET_YES);
    a = charge(w, g, other, 70100, &again, &why);
    line(w, "above what the wallet was told", a, &why, wallet_driver(w)->can & WALLET_CAN_CAP ? a == WALLET_NO : true);
    walk_refunds(w, &c);
    if (!(wallet_driver(w)->can & WALLET_CAN_CANCEL))
        return;
    new_number('c', number);
    a = charge(w, g, number, 100, &c, &why);
    a = wallet_charge_cancel(w, &wallets.calls, number, &c, &why);
    bool good = a == WALLET_YES && c.state == WALLET_CHARGE_CLOSED;
    if (a == WALLET_NO && why.reason == WALLET_NOT_POSSIBLE) /* what is paid is refunded there, and not closed */
        good = settled(w, number, 10, &again, &why) == WALLET_YES && again.state == WALLET_CHARGE_PAID;
    line(w, "a charge that is taken back", a, &why, good);
}

static void walk(struct wallet *w)
{
    struct wallet_agreement g = {.state = WALLET_AGREEMENT_NONE}, now;
    struct wallet_charge c;
    struct wallet_why why;
    char number[WALLET_NUMBER_BYTES + 1];
    if (!agree(w, &g))
        return;
    walk_charges(w, &g);
    enum wallet_answer a = wallet_agreement_query(w, &wallets.calls, &g, &now, &why);
    line(w, "the agreement stands", a, &why,
         a == WALLET_YES ? now.state == WALLET_AGREEMENT_NORMAL : why.reason == WALLET_NOT_POSSIBLE);
    for (int twice = 0; twice < 2; twice++) {
        a = wallet_agreement_end(w, &wallets.calls, &g, SLICE("not me"), &why);
        line(w, twice ? "ended again" : "ended", a, &why, a == WALLET_YES);
    }
    a = wallet_agreement_query(w, &wallets.calls, &g, &now, &why);
    line(w, "the agreement has ended", a, &why,
         a == WALLET_YES ? now.state == WALLET_AGREEMENT_STOPPED || now.state == WALLET_AGREEMENT_NONE
                         : why.reason == WALLET_NOT_POSSIBLE);
    new_number('c', number);
    a = charge(w, &g, number, 100, &c, &why);
    if (a == WALLET_YES) { /* taken, and decided later */
        a = settled(w, number, 200, &c, &why);
        line(w, "a charge after the end", a, &why, a == WALLET_YES && c.state == WALLET_CHARGE_FAILED);
    } else {
        line(w, "a charge after the end", a, &why, a == WALLET_NO && why.reason == WALLET_AGREEMENT_GONE);
    }
}

/* --- with faults --- */

/* Sent, asked until it is settled, and sent again under its number when the wallet knows nothing of it. */
static enum wallet_answer drive(struct wallet *w, const struct wallet_agreement *g, const char *number,
                                struct wallet_charge *c, struct wallet_why *why)
{
    for (unsigned times = 0; times < 200; times++) {
        enum wallet_answer a = charge(w, g, number, 100, c, why);
        if (a == WALLET_NO && times == 0)
            return a; /* a refusal of the first sending is for good */
        if (a == WALLET_YES && c->state != WALLET_CHARGE_WAITS)
            return a;
        do {
            a = settled(w, number, 500, c, why);
        } while (a != WALLET_YES && why->reason == WALLET_BREAKER);
        if (a == WALLET_YES && c->state != WALLET_CHARGE_NONE)
            return a;
    }
    return WALLET_UNKNOWN;
}

static int64_t give_back(struct wallet *w, const struct wallet_charge *c)
{
    char number[WALLET_NUMBER_BYTES + 1];
    struct wallet_refund f;
    struct wallet_why why;
    new_number('r', number);
    struct wallet_refund_ask ask = {.number = number,
                                    .charge = c->number,
                                    .charge_ref = c->ref,
                                    .amount_minor = 40,
                                    .charged_minor = c->amount_minor,
                                    .currency = CUR_CNY,
                                    .reason = SLICE("x")};
    bool waits = false; /* said the last answer that was one */
    for (unsigned times = 0; times < 150; times++) {
        enum wallet_answer a = wallet_refund(w, &wallets.calls, &ask, &f, &why);
        if (a == WALLET_NO)
            return 0;
        if (a != WALLET_YES || f.state == WALLET_REFUND_WAITS)
            a = wallet_refund_query(w, &wallets.calls, &ask, &f, &why);
        if (a == WALLET_YES && (f.state == WALLET_REFUND_PAID || f.state == WALLET_REFUND_FAILED))
            return f.state == WALLET_REFUND_PAID ? f.amount_minor : 0;
        if (a == WALLET_YES)
            waits = f.state == WALLET_REFUND_WAITS;
        pause_ms(10);
    }
    if (waits)
        return 0; /* one that failed waits for a person at Alipay and WeChat Pay; the journal says whether money moved */
    printf("not ok - %s: refund %s never ended\n", wallet_name(w), number);
    failed++;
    return 0;
}

static void storm(struct wallet *w, int64_t charges)
{
    static const char *const states[] = {"none", "waits", "paid", "failed", "closed"};
    struct wallet_agreement g = {.state = WALLET_AGREEMENT_NONE};
    struct wallet_charge c;
    struct wallet_why why;
    struct buf said;
    buf_init(&said, 65536);
    if (!tell("faults", "{\"spec\":\"\"}", &said) || !agree(w, &g))
        return;
    const char *spec = getenv("FAULTS");
    char body[600];
    (void)snprintf(body, sizeof body, "{\"spec\":\"%s\"}", spec ? spec : "");
    buf_clear(&said);
    if (!tell("faults", body, &said)) {
        printf("not ok - faults: %s\n", said.p ? said.p : "");
        failed++;
    }
    for (int64_t i = 0; i < charges; i++) {
        char number[WALLET_NUMBER_BYTES + 1];
        new_number('c', number);
        enum wallet_answer a = drive(w, &g, number, &c, &why);
        bool over = a == WALLET_NO || (a == WALLET_YES && c.state != WALLET_CHARGE_WAITS);
        int64_t back = a == WALLET_YES && c.state == WALLET_CHARGE_PAID && i % 3 == 0 ? give_back(w, &c) : 0;
        printf("charge %s %s %s %lld %lld\n", wallet_name(w), number,
               !over            ? "open"
               : a == WALLET_NO ? "refused"
                                : states[c.state],
               a == WALLET_YES ? (long long)c.amount_minor : 0, (long long)back);
    }
    buf_release(&said);
}

static void call(struct wallet *w)
{
    struct wallet_charge c;
    struct wallet_why why = {0};
    enum wallet_answer a = wallet_charge_query(w, &wallets.calls, "c0", &c, &why);
    printf("%s %s %s\n", wallet_name(w), answer_name(a), a == WALLET_YES ? "" : wallet_reason_name(why.reason));
}

int main(int argc, char **argv)
{
    char why[WALLET_WHY_BYTES * 2];
    int64_t charges = 0;
    const char *what = argc > 1 ? argv[1] : "";
    if (argc < 4 ||
        (strcmp(what, "storm") == 0 && (argc < 5 || num_i64(slice_str(argv[4]), 1, 1000000, &charges) != KEER_OK))) {
        fprintf(stderr, "usage: connect walk|storm|call WALLETS EMULATOR [CHARGES]\n");
        return 2;
    }
    emulator = argv[3];
    if (crypto_start() != KEER_OK || net_start() != KEER_OK || flow_wallets_open(&wallets, wall_us) != KEER_OK)
        return 3;
    wallets.url = "http://127.0.0.1:9";
    if (wallets_open(argv[2], &wallets.list, why) != KEER_OK) {
        fprintf(stderr, "%s: %s\n", argv[2], why);
        return 1;
    }
    for (unsigned i = 0; i < wallets_count(wallets.list); i++) {
        struct wallet *w = wallets_at(wallets.list, i);
        if (strcmp(what, "walk") == 0)
            walk(w);
        else if (strcmp(what, "storm") == 0)
            storm(w, charges);
        else
            call(w);
    }
    flow_wallets_close(&wallets);
    return failed != 0;
}
