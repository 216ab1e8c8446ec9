/* wallet_calls.c - the network that wallets are called by. */
#include "flow/wallet_calls.h"

#include <pthread.h>

#include "base/crypto.h"
#include "flow/desk.h"
#include "net/fetch.h"

struct wallet_net {
    pthread_mutex_t lock;
    struct net_fetch *idle[DESK_THREADS_MAX]; /* the one used last first: its connection is open most likely */
    unsigned count;
    struct net_networks loopback, none;
    int64_t (*wall_us)(void);
};

static struct net_fetch *take(struct wallet_net *n)
{
    struct net_fetch *f = NULL;
    (void)pthread_mutex_lock(&n->lock);
    if (n->count)
        f = n->idle[--n->count];
    (void)pthread_mutex_unlock(&n->lock);
    if (!f && net_fetch_new(&f) != KEER_OK)
        return NULL;
    return f;
}

static void give_back(struct wallet_net *n, struct net_fetch *f)
{
    (void)pthread_mutex_lock(&n->lock);
    bool kept = n->count < ARRAY_LEN(n->idle);
    if (kept)
        n->idle[n->count++] = f;
    (void)pthread_mutex_unlock(&n->lock);
    if (!kept)
        net_fetch_free(f);
}

static enum wallet_sent send_request(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct wallet_net *n = ctx;
    struct net_pair header[WALLET_HEADERS_MAX];
    char why[NET_WHY_BYTES];
    struct net_fetch *f = take(n);
    if (!f)
        return WALLET_NEVER;
    ASSERT(rq->headers <= WALLET_HEADERS_MAX);
    for (unsigned i = 0; i < rq->headers; i++)
        header[i] = (struct net_pair){rq->header[i].name, rq->header[i].value};
    struct net_ask ask = {.method = rq->method,
                          .url = rq->url,
                          .header = header,
                          .headers = rq->headers,
                          .body = rq->body,
                          .allowed = rq->loopback ? &n->loopback : &n->none,
                          .connect_us = rq->connect_us,
                          .whole_us = rq->whole_us};
    enum net_end end = net_fetch(f, &ask, &ret->status, &ret->head, &ret->body, why);
    give_back(n, f);
    switch (end) {
    case NET_HAS_ANSWER: return WALLET_ANSWERED;
    case NET_NEVER: return WALLET_NEVER;
    case NET_LOST: break;
    }
    return WALLET_LOST;
}

static void random_bytes(void *ctx, void *bytes, size_t len)
{
    UNUSED(ctx);
    crypto_random(bytes, len);
}

static int64_t wall(void *ctx) { return ((struct wallet_net *)ctx)->wall_us(); }

enum keer_err flow_wallets_open(struct flow_wallets *fw, int64_t (*wall_us)(void))
{
    struct wallet_net *n = calloc(1, sizeof *n);
    if (!n)
        return KEER_ENOMEM;
    (void)pthread_mutex_init(&n->lock, NULL);
    n->wall_us = wall_us;
    enum keer_err err = net_networks_add(&n->loopback, SLICE("127.0.0.0/8,::1"));
    ASSERT(err == KEER_OK);
    fw->net = n;
    fw->calls = (struct wallet_calls){.send = send_request, .random = random_bytes, .wall_us = wall, .ctx = n};
    return KEER_OK;
}

void flow_wallets_close(struct flow_wallets *fw)
{
    struct wallet_net *n = fw->net;
    if (n) {
        while (n->count)
            net_fetch_free(n->idle[--n->count]);
        (void)pthread_mutex_destroy(&n->lock);
        free(n);
    }
    wallets_free(fw->list);
    *fw = (struct flow_wallets){0};
}

bool flow_wallet_notify(const struct flow_wallets *fw, const struct wallet *w, char ret_url[NET_URL_BYTES])
{
    const char *own = wallet_notify_url(w);
    int n = own[0] ? snprintf(ret_url, NET_URL_BYTES, "%s", own)
                   : snprintf(ret_url, NET_URL_BYTES, "%s/v1/wallets/%s/notices", fw->url ? fw->url : "", wallet_name(w));
    bool fits = n > 0 && n < NET_URL_BYTES;
    if (!fits)
        ret_url[0] = '\0';
    return fits;
}
