/* client_address.c - the address of a client behind trusted proxies. */
#include "flow/client_address.h"

/* The last element of a list, which becomes what stands before it. */
static struct slice last_of(struct slice *list)
{
    size_t from = list->len;
    while (from && list->p[from - 1] != ',')
        from--;
    struct slice last = slice_trim(slice_of(list->p + from, list->len - from));
    *list = slice_of(list->p, from ? from - 1 : 0);
    return last;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711": some proxies add the port. */
static enum keer_err parse(struct slice text, struct net_address *ret)
{
    struct slice rest = text;
    if (text.len && text.p[0] == '[') {
        rest = slice_of(text.p + 1, text.len - 1);
        return net_address_parse(slice_cut(&rest, ']'), ret);
    }
    struct slice host = slice_cut(&rest, ':');
    bool port = rest.p && !memchr(rest.p, ':', rest.len);
    return net_address_parse(port ? host : text, ret);
}

void client_address(const struct net_networks *proxies, const char *peer, struct slice forwarded,
                    char ret_text[NET_TEXT_BYTES])
{
    struct net_address at, next;
    if (net_address_parse(slice_str(peer), &at) != KEER_OK) {
        ret_text[0] = '\0';
        return;
    }
    while (forwarded.len && net_networks_have(proxies, &at)) {
        if (parse(last_of(&forwarded), &next) != KEER_OK)
            break;
        at = next;
    }
    net_address_print(&at, ret_text);
}
