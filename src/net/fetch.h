/* fetch.h - one request at a time, whose answer is kept: for a thread that waits for it.
 *
 * Invariants: 1 to 4 of client.h (where it may go, TLS, no redirect, bounds), and
 * 5. The end says whether a byte of the request can have left: NET_NEVER only when no connection stood. A request is sent
 *    once; a kept connection that died meanwhile is LOST.
 * 6. What is kept of an answer are its bytes as they came: no decoding, no other character set.
 * 7. Connections are kept for the next request of the same net_fetch. One thread at a time uses it.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H
#include "net/client.h"

struct net_fetch;
struct net_pair {
    struct slice name, value; /* of a header: no control characters */
};
struct net_ask {
    const char *method; /* "GET", "POST", ... */
    struct slice url;   /* at most NET_ASK_URL_BYTES */
    const struct net_pair *header;
    unsigned headers; /* at most NET_PAIRS_MAX */
    struct slice body;
    const struct net_networks *allowed;
    int64_t connect_us, whole_us; /* at least 1 ms */
};
#define NET_ASK_URL_BYTES 8192
#define NET_PAIRS_MAX 32
enum net_end {
    NET_HAS_ANSWER, /* all of it */
    NET_LOST,       /* it may have got there */
    NET_NEVER       /* not a byte of it did */
};

/* After net_start. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err net_fetch_new(struct net_fetch **ret);
void net_fetch_free(struct net_fetch *f);
/* Waits for the answer. `head` ("name: value\n", names in lower case, the last head when there were several) and `body` are
 * the caller's, with their maxima; they are emptied first. What doesn't fit in is LOST. `ret_why` says what was wrong. */
enum net_end net_fetch(struct net_fetch *f, const struct net_ask *ask, int *ret_status, struct buf *head, struct buf *body,
                       char ret_why[NET_WHY_BYTES]);
#endif
