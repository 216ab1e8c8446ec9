/* address.h - which addresses may be connected to.
 *
 * Invariants
 * 1. What is not known to be the public internet is refused, unless it is in a network that was allowed by name: loopback,
 *    private, link-local (the metadata of clouds), multicast, reserved.
 * 2. What is judged is the address that is connected to, never a name or the text of an URL: 127.1, 0x7f000001, a name that
 *    resolves to 10.0.0.1 and ::ffff:127.0.0.1 all end as the same 16 bytes.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H
#include "base/str.h"

struct sockaddr;
struct net_address {
    unsigned char bytes[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d */
};
struct net_network {
    struct net_address address;
    unsigned bits; /* of 128 */
};
#define NET_NETWORKS_MAX 64
struct net_networks {
    struct net_network list[NET_NETWORKS_MAX];
    unsigned count;
};
enum net_verdict { NET_PUBLIC, NET_ALLOWED, NET_REFUSED };

/* An address as inet_pton takes it: KEER_ESYNTAX. */
KEER_NODISCARD enum keer_err net_address_parse(struct slice text, struct net_address *ret_address);
/* KEER_EUNSUPPORTED for what is neither IPv4 nor IPv6. */
KEER_NODISCARD enum keer_err net_address_of(const struct sockaddr *sa, struct net_address *ret_address);
/* "10.0.0.0/8", "::1"; without bits it is one address. KEER_ESYNTAX, KEER_ERANGE. */
KEER_NODISCARD enum keer_err net_network_parse(struct slice text, struct net_network *ret_network);
/* Adds networks that are parted by commas. KEER_ELIMIT beyond NET_NETWORKS_MAX. */
KEER_NODISCARD enum keer_err net_networks_add(struct net_networks *n, struct slice text);
enum net_verdict net_judge(const struct net_networks *allowed, const struct net_address *address);
/* Whether the address is in one of the networks. */
bool net_networks_have(const struct net_networks *n, const struct net_address *address);
#define NET_TEXT_BYTES 46
void net_address_print(const struct net_address *address, char ret_text[NET_TEXT_BYTES]);
#endif
