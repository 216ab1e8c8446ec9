/* client.h - outgoing HTTP on libcurl: bounded, verified, and only where it may go.
 *
 * Life of a request: net_send ─► under way ─► net_wait gives it back, once, with its result.
 *
 * Invariants
 * 1. The address that a connection goes to is judged when its socket is opened (address.h): a name that resolves otherwise
 *    the second time gains nothing. No proxy is used, whatever the environment says.
 * 2. http:// goes to networks that were allowed by name alone; elsewhere it is https:// with the certificate and the host
 *    verified.
 * 3. A redirect is an answer like any other and is never followed.
 * 4. Times, heads and answers are bounded; what an answer holds is not kept.
 * 5. One thread uses a client; net_wake alone may come from any.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H
#include "base/buf.h"
#include "net/address.h"

#define NET_URL_BYTES 2000
#define NET_WHY_BYTES 160
#define NET_HEADERS_MAX 8
#define NET_HEADER_BYTES 512

struct net_client;
struct net_options {
    const struct net_networks *allowed; /* borrowed */
    int64_t connect_us, whole_us;       /* the longest that it may take */
    size_t answer_max, head_max;        /* bytes that are read before the connection is closed */
    bool head_is_enough;                /* an answer whose body comes too late is one all the same */
};
enum net_result {
    NET_ANSWERED,  /* `status` says what */
    NET_FORBIDDEN, /* no address of it may be connected to */
    NET_FAILED     /* no answer: `why` */
};
struct net_guard { /* of one request: where its socket may go (easy.c) */
    const struct net_networks *allowed;
    bool insecure, refused; /* refused: no address that it had might be connected to */
    bool began;             /* a connection stood, and a byte of the request may have left */
    char why[NET_WHY_BYTES];
};
struct net_request { /* stays where it is until net_wait gives it back */
    const char *url;
    char header[NET_HEADERS_MAX][NET_HEADER_BYTES]; /* "name: value" */
    unsigned headers;
    struct slice body; /* POST */
    /* the result */
    enum net_result result;
    int status;
    int64_t retry_after_us; /* what the answer asks for; 0 when it does not */
    char why[NET_WHY_BYTES];
    struct net_request *next; /* in what net_wait gives back */
    /* the client's */
    void *easy, *list;
    struct net_client *client;
    struct net_request *all_next;
    struct net_guard guard;
    size_t read;
    bool has_head; /* the last head is whole */
};

/* Before any thread; again is fine. KEER_EIO. */
KEER_NODISCARD enum keer_err net_start(void);
/* KEER_ENOMEM. */
KEER_NODISCARD enum keer_err net_client_new(const struct net_options *o, struct net_client **ret_client);
void net_client_free(struct net_client *c); /* drops what is under way; NULL is fine */
/* KEER_ENOMEM, KEER_EINVALID; then it is not under way. */
KEER_NODISCARD enum keer_err net_send(struct net_client *c, struct net_request *r);
/* Works until something has ended, `wait_us` is over or somebody wakes it; the list of what has ended, NULL when nothing. */
struct net_request *net_wait(struct net_client *c, int64_t wait_us);
void net_wake(struct net_client *c);

/* Whether an URL can be a place to send to: http or https, a host, no user name, nothing behind '#', no address that would
 * be refused. On KEER_EINVALID `ret_why` says what is wrong. */
KEER_NODISCARD enum keer_err net_url_check(struct slice url, const struct net_networks *allowed,
                                           char ret_why[NET_WHY_BYTES]);
/* What the host of an URL is, when it is an address (in whatever form libcurl takes one); NET_PUBLIC for a name. */
enum net_verdict net_url_judge(struct slice url, const struct net_networks *allowed);
#endif
