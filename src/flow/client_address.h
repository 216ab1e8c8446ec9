/* client_address.h - who is at the other end, when a proxy of the service's stands between.
 *
 * A proxy that is trusted by its address says in X-Forwarded-For whom it had the request from, at the end of what came
 * along. So the list is read from its end, through trusted proxies alone, up to the first address that is none: what stands
 * before it was written by the client, who may write what he likes. Limits and events count by this address.
 */
#ifndef FLOW_CLIENT_ADDRESS_H
#define FLOW_CLIENT_ADDRESS_H
#include "net/address.h"

/* `peer` is the address of the connection. An element that is no address ends the reading: the last trusted proxy it is. */
void client_address(const struct net_networks *proxies, const char *peer, struct slice forwarded,
                    char ret_text[NET_TEXT_BYTES]);
#endif
