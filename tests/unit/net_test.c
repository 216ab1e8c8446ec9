/* net_test.c - which addresses may be connected to, which URLs are taken, and what signs them. */
#include "base/crypto.h"
#include "flow/client_address.h"
#include "lib/test.h"
#include "net/client.h"

static const struct {
    const char *address;
    enum net_verdict alone, with_ten; /* with 10.0.0.0/8 and fd00::/8 allowed */
} table[] = {
    {"8.8.8.8", NET_PUBLIC, NET_PUBLIC},
    {"1.1.1.1", NET_PUBLIC, NET_PUBLIC},
    {"172.15.255.255", NET_PUBLIC, NET_PUBLIC},
    {"172.32.0.0", NET_PUBLIC, NET_PUBLIC},
    {"100.63.255.255", NET_PUBLIC, NET_PUBLIC},
    {"2606:4700::1111", NET_PUBLIC, NET_PUBLIC},
    {"::ffff:8.8.8.8", NET_PUBLIC, NET_PUBLIC},
    {"0.0.0.0", NET_REFUSED, NET_REFUSED},
    {"10.0.0.0", NET_REFUSED, NET_ALLOWED},
    {"10.255.255.255", NET_REFUSED, NET_ALLOWED},
    {"::ffff:10.1.2.3", NET_REFUSED, NET_ALLOWED},
    {"100.64.0.1", NET_REFUSED, NET_REFUSED},
    {"100.127.255.255", NET_REFUSED, NET_REFUSED},
    {"127.0.0.1", NET_REFUSED, NET_REFUSED},
    {"127.255.255.255", NET_REFUSED, NET_REFUSED},
    {"169.254.169.254", NET_REFUSED, NET_REFUSED},
    {"172.16.0.1", NET_REFUSED, NET_REFUSED},
    {"172.31.255.255", NET_REFUSED, NET_REFUSED},
    {"192.0.0.192", NET_REFUSED, NET_REFUSED},
    {"192.168.0.1", NET_REFUSED, NET_REFUSED},
    {"198.19.255.255", NET_REFUSED, NET_REFUSED},
    {"224.0.0.1", NET_REFUSED, NET_REFUSED},
    {"255.255.255.255", NET_REFUSED, NET_REFUSED},
    {"::", NET_REFUSED, NET_REFUSED},
    {"::1", NET_REFUSED, NET_REFUSED},
    {"::127.0.0.1", NET_REFUSED, NET_REFUSED},
    {"::ffff:127.0.0.1", NET_REFUSED, NET_REFUSED},
    {"::ffff:169.254.169.254", NET_REFUSED, NET_REFUSED},
    {"64:ff9b::10.0.0.1", NET_REFUSED, NET_REFUSED},
    {"fd00::1", NET_REFUSED, NET_ALLOWED},
    {"fc00::1", NET_REFUSED, NET_REFUSED},
    {"fe80::1", NET_REFUSED, NET_REFUSED},
    {"fd00:ec2::254", NET_REFUSED, NET_ALLOWED},
    {"ff02::1", NET_REFUSED, NET_REFUSED},
    {"2001::1", NET_REFUSED, NET_REFUSED},
    {"2001:db8::1", NET_REFUSED, NET_REFUSED},
    {"2002:7f00:1::", NET_REFUSED, NET_REFUSED},
};

START_TEST(addresses)
{
    struct net_networks none = {0}, ten = {0};
    struct net_address a;
    ck_ok(net_networks_add(&ten, SLICE("10.0.0.0/8, fd00::/8")));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        ck_ok(net_address_parse(slice_str(table[i].address), &a));
        ck_assert_msg(net_judge(&none, &a) == table[i].alone, "%s", table[i].address);
        ck_assert_msg(net_judge(&ten, &a) == table[i].with_ten, "%s, with 10/8", table[i].address);
    }
}
END_TEST

START_TEST(networks)
{
    static const char *const bad[] = {"",         "x",      "10.0.0.0/",    "10.0.0.0/33", "10.0.0.0/-1",
                                      "10.0.0/8", "::/129", "10.0.0.0/8/8", "1.2.3.4,"};
    struct net_networks n = {0};
    struct net_address a;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n.count = 0;
        ck_assert_msg(net_networks_add(&n, slice_str(bad[i])) != KEER_OK, "%s", bad[i]);
    }
    n.count = 0;
    ck_ok(net_networks_add(&n, SLICE("127.0.0.1"))); /* one address */
    ck_ok(net_address_parse(SLICE("127.0.0.1"), &a));
    ck_assert_int_eq(net_judge(&n, &a), NET_ALLOWED);
    ck_ok(net_address_parse(SLICE("127.0.0.2"), &a));
    ck_assert_int_eq(net_judge(&n, &a), NET_REFUSED);
    while (n.count < NET_NETWORKS_MAX)
        ck_ok(net_networks_add(&n, SLICE("10.0.0.0/9")));
    ck_err(net_networks_add(&n, SLICE("10.0.0.0/9")), KEER_ELIMIT);
}
END_TEST

START_TEST(urls_are_checked)
{
    static const struct {
        const char *url;
        bool alone, with_loopback;
    } urls[] = {
        {"https://example.com/hook?a=b", true, true},
        {"https://example.com:8443", true, true},
        {"https://[2606:4700::1111]/", true, true},
        {"http://example.com/", false, true}, /* judged when it is connected to */
        {"https://127.0.0.1/", false, true},
        {"http://127.1:80/", false, true},
        {"https://0x7f.0.0.1/", false, true},
        {"https://2130706433/", false, true},
        {"https://017700000001/", false, true},
        {"https://[::ffff:127.0.0.1]/", false, true},
        {"https://[::1]/", false, false},
        {"https://169.254.169.254/latest/meta-data", false, false},
        {"https://user@example.com/", false, false},
        {"https://user:word@example.com/", false, false},
        {"https://example.com/#part", false, false},
        {"https://exa mple.com/", false, false},
        {"https://example.com/\r\nX: y", false, false},
        {"https:\\\\example.com", false, false},
        {"https://", false, false},
        {"example.com", false, false},
        {"ftp://example.com/", false, false},
        {"gopher://example.com/", false, false},
        {"file:///etc/passwd", false, false},
        {"unix:///run/x", false, false},
        {"", false, false},
    };
    struct net_networks none = {0}, loopback = {0};
    char why[NET_WHY_BYTES], big[NET_URL_BYTES + 2] = "https://example.com/";
    ck_ok(net_networks_add(&loopback, SLICE("127.0.0.0/8")));
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        ck_assert_msg((net_url_check(slice_str(urls[i].url), &none, why) == KEER_OK) == urls[i].alone, "%s", urls[i].url);
        ck_assert_msg((net_url_check(slice_str(urls[i].url), &loopback, why) == KEER_OK) == urls[i].with_loopback, "%s",
                      urls[i].url);
    }
    memset(big + 20, 'x', sizeof big - 21);
    big[sizeof big - 1] = '\0';
    ck_err(net_url_check(slice_str(big), &none, why), KEER_EINVALID);
}
END_TEST

/* Refused where the socket is made, whatever the URL's text was: the request ends as forbidden, and at once. */
START_TEST(the_socket_is_judged)
{
    static const char *const to[] = {"https://localhost:9/", "http://localhost:9/", "https://127.0.0.1:9/",
                                     "http://[::1]:9/"};
    struct net_networks none = {0};
    struct net_options o = {
        .allowed = &none, .connect_us = 2000000, .whole_us = 2000000, .answer_max = 10, .head_max = 1000};
    struct net_client *c;
    ck_ok(net_start());
    ck_ok(net_client_new(&o, &c));
    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        struct net_request r = {.url = to[i], .body = SLICE("{}")}, *back = NULL;
        ck_ok(net_send(c, &r));
        for (int n = 0; n < 100 && !back; n++)
            back = net_wait(c, 100000);
        ck_assert_ptr_eq(back, &r);
        ck_assert_msg(r.result == NET_FORBIDDEN, "%s: %s", to[i], r.why);
    }
    net_client_free(c);
}
END_TEST

static void hex(const struct crypto_hash *h, char text[65])
{
    for (size_t i = 0; i < sizeof h->bytes; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", h->bytes[i]);
}

/* RFC 4231 sections 4.3 and 4.4 (test cases 2 and 3). */
START_TEST(hmac_vectors)
{
    const struct slice parts[] = {SLICE("what do ya want "), SLICE(""), SLICE("for nothing?")};
    char text[65], key[20], data[50];
    struct crypto_hash mac;
    ck_ok(crypto_start());
    crypto_hmac(SLICE("Jefe"), parts, 3, &mac);
    hex(&mac, text);
    ck_assert_str_eq(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    struct slice one = slice_of(data, sizeof data);
    crypto_hmac(slice_of(key, sizeof key), &one, 1, &mac);
    hex(&mac, text);
    ck_assert_str_eq(text, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}
END_TEST

START_TEST(sealing)
{
    struct crypto_hash key, other, secret, out;
    unsigned char sealed[CRYPTO_SEALED_BYTES], again[CRYPTO_SEALED_BYTES];
    ck_ok(crypto_start());
    crypto_random(key.bytes, sizeof key.bytes);
    crypto_random(other.bytes, sizeof other.bytes);
    crypto_random(secret.bytes, sizeof secret.bytes);
    crypto_seal(&key, SLICE("a"), &secret, sealed);
    crypto_seal(&key, SLICE("a"), &secret, again);
    ck_assert_int_ne(memcmp(sealed, again, sizeof sealed), 0);
    ck_assert(crypto_open(&key, SLICE("a"), sealed, &out) && crypto_hash_eq(&out, &secret));
    ck_assert(!crypto_open(&other, SLICE("a"), sealed, &out));
    ck_assert(!crypto_open(&key, SLICE("b"), sealed, &out));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        ck_assert(!crypto_open(&key, SLICE("a"), sealed, &out));
        sealed[i] ^= 1;
    }
}
END_TEST

static const struct {
    const char *peer, *forwarded, *want;
} clients[] = {
    {"203.0.113.9", "198.51.100.1", "203.0.113.9"}, /* no proxy of ours: what it says is nothing */
    {"10.0.0.1", "", "10.0.0.1"},
    {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"}, /* what the client wrote stands before it */
    {"10.0.0.1", "192.0.2.66,198.51.100.1 , 10.0.0.7", "198.51.100.1"},
    {"10.0.0.1", "10.0.0.9", "10.0.0.9"},
    {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
    {"10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
    {"::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"},
    {"fd00::1", "198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "unknown", "10.0.0.1"},
    {"10.0.0.1", "198.51.100.1, unknown, 10.0.0.7", "10.0.0.7"},
    {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
    {"10.0.0.1", ",,,", "10.0.0.1"},
    {"", "198.51.100.1", ""},
};

START_TEST(clients_behind_proxies)
{
    struct net_networks proxies = {0};
    char text[NET_TEXT_BYTES];
    ck_ok(net_networks_add(&proxies, SLICE("10.0.0.0/24,fd00::/8")));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_address(&proxies, clients[i].peer, slice_str(clients[i].forwarded), text);
        ck_assert_msg(strcmp(text, clients[i].want) == 0, "%s, %s: %s", clients[i].peer, clients[i].forwarded, text);
    }
    proxies.count = 0;
    client_address(&proxies, "10.0.0.1", SLICE("198.51.100.1"), text);
    ck_assert_str_eq(text, "10.0.0.1");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("net");
    TCase *c = tcase_create("net");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, addresses);
    tcase_add_test(c, networks);
    tcase_add_test(c, urls_are_checked);
    tcase_add_test(c, the_socket_is_judged);
    tcase_add_test(c, hmac_vectors);
    tcase_add_test(c, sealing);
    tcase_add_test(c, clients_behind_proxies);
    suite_add_tcase(s, c);
    return test_main(s);
}
