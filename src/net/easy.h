/* easy.h - what every request on libcurl has in common: for client.c and fetch.c, which with easy.c alone include curl.h.
 *
 * Invariants: 1 to 4 of client.h, and
 * 5. libcurl sends a request once. It would send one again when a kept connection turns out to be dead, though bytes had
 *    left: the socket for that is refused once `began` is set.
 * 6. A kept connection is judged again for each request that would use it.
 */
#ifndef NET_EASY_H
#define NET_EASY_H
#include <curl/curl.h>

#include "net/client.h"

/* Address, protocol, TLS, times and guard of a request; `g` stays until it has ended, and `allowed` is set in it. */
KEER_NODISCARD CURLcode net_easy_setup(CURL *e, const char *url, struct net_guard *g, int64_t connect_us, int64_t whole_us);
#endif
