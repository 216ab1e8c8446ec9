/* address.c - which addresses may be connected to. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/num.h"

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const char *const special[] = {
#define NET_SPECIAL(network, what) network,
#include "net/special.def"
#undef NET_SPECIAL
};

static bool is_four(const struct net_address *a) { return memcmp(a->bytes, mapped, sizeof mapped) == 0; }

enum keer_err net_address_parse(struct slice text, struct net_address *ret_address)
{
    char buffer[NET_TEXT_BYTES];
    struct net_address a;
    if (!text.len || text.len >= sizeof buffer)
        return KEER_ESYNTAX;
    memcpy(buffer, text.p, text.len);
    buffer[text.len] = '\0';
    memcpy(a.bytes, mapped, sizeof mapped);
    if (inet_pton(AF_INET, buffer, a.bytes + sizeof mapped) != 1 && inet_pton(AF_INET6, buffer, a.bytes) != 1)
        return KEER_ESYNTAX;
    *ret_address = a;
    return KEER_OK;
}

enum keer_err net_address_of(const struct sockaddr *sa, struct net_address *ret_address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (sa->sa_family == AF_INET) {
        memcpy(&four, sa, sizeof four);
        memcpy(ret_address->bytes, mapped, sizeof mapped);
        memcpy(ret_address->bytes + sizeof mapped, &four.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&six, sa, sizeof six);
        memcpy(ret_address->bytes, &six.sin6_addr, 16);
    } else {
        return KEER_EUNSUPPORTED;
    }
    return KEER_OK;
}

enum keer_err net_network_parse(struct slice text, struct net_network *ret_network)
{
    struct net_network n;
    struct slice rest = slice_trim(text), address = slice_cut(&rest, '/');
    uint64_t bits = 128;
    enum keer_err err = net_address_parse(address, &n.address);
    unsigned wide = err == KEER_OK && is_four(&n.address) && !slice_has(address, SLICE(":")) ? 32 : 128;
    if (err == KEER_OK && rest.p) {
        err = num_u64(rest, 0, wide, &bits);
        bits += 128 - wide;
    }
    if (err != KEER_OK)
        return err;
    n.bits = (unsigned)bits;
    *ret_network = n;
    return KEER_OK;
}

enum keer_err net_networks_add(struct net_networks *n, struct slice text)
{
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && text.p) {
        if (n->count == NET_NETWORKS_MAX)
            return KEER_ELIMIT;
        err = net_network_parse(slice_cut(&text, ','), &n->list[n->count]);
        n->count += err == KEER_OK;
    }
    return err;
}

static bool inside(const struct net_network *n, const struct net_address *a)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->address.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((n->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_public(const struct net_address *a)
{
    if (!is_four(a) && (a->bytes[0] & 0xE0) != 0x20) /* 2000::/3 */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        struct net_network n;
        enum keer_err err = net_network_parse(slice_str(special[i]), &n);
        if (err != KEER_OK || inside(&n, a))
            return false;
    }
    return true;
}

bool net_networks_have(const struct net_networks *n, const struct net_address *address)
{
    for (unsigned i = 0; i < n->count; i++)
        if (inside(&n->list[i], address))
            return true;
    return false;
}

enum net_verdict net_judge(const struct net_networks *allowed, const struct net_address *address)
{
    return net_networks_have(allowed, address) ? NET_ALLOWED : is_public(address) ? NET_PUBLIC : NET_REFUSED;
}

void net_address_print(const struct net_address *a, char ret_text[NET_TEXT_BYTES])
{
    bool four = is_four(a);
    if (!inet_ntop(four ? AF_INET : AF_INET6, four ? a->bytes + sizeof mapped : a->bytes, ret_text, NET_TEXT_BYTES))
        ret_text[0] = '\0';
}
