/* outbox_inside.h - what outbox.c (life, changes, lists) and outbox_worker.c (sending) share. */
#ifndef FLOW_OUTBOX_INSIDE_H
#define FLOW_OUTBOX_INSIDE_H
#include <pthread.h>

#include "base/rand.h"
#include "flow/outbox.h"

/* What became of a try, until it is written. */
struct settled {
    char webhook[WEBHOOK_ID_BYTES + 1];
    struct delivery delivery; /* its `why` points to the text below */
    bool gone;                /* 410: the webhook is disabled */
    char why[WEBHOOK_WHY_BYTES];
};
#define SETTLED_MAX 256u

/* A webhook as the worker knows it. */
struct lane {
    struct webhook_row hook;
    struct crypto_hash secret, old_secret;
    bool busy, removed;
    unsigned failures;                /* in a row */
    int64_t rest_until_us;            /* monotonic */
    int64_t cursor_at_us, cursor_seq; /* what is up to here was tried, and is not written yet */
    int64_t due_us;                   /* wall time of the next, INT64_MAX: none */
    struct delivery sent;             /* while busy */
    struct net_request request;
    struct buf body;
};

#define LANES_MAX (2 * LIMIT_WEBHOOKS) /* removed ones stay until their transfer has ended */
static_assert(2 * LANES_MAX <= SETTLED_MAX, "room for what all of them bring");

struct outbox {
    struct outbox_options o;
    struct crypto_hash key;
    bool has_key;
    struct outbox_stats stats;
    struct db *worker_db, *list_db;
    struct db_stmt *adder; /* the writer's */
    atomic_uint wanted;    /* outcomes that somebody wants, a bit each; changed on the writer's thread */
    atomic_uint generation;
    pthread_mutex_t list_lock;
    /* the worker's */
    pthread_t thread;
    bool running;
    atomic_bool stopping, woken;
    struct net_client *client;
    struct db_stmt *scanner;
    unsigned known_generation;
    struct lane *lane[LANES_MAX];
    unsigned lanes;
    struct settled settled[SETTLED_MAX];
    unsigned settled_count;
    int64_t settled_since_us, looked_us, forgot_us, rest_until_us;
    struct rng rng;
    /* a write of the worker, which waits for it */
    pthread_mutex_t write_lock;
    pthread_cond_t written;
    bool write_done;
    enum keer_err write_err;
};

/* Whether the secret could be read. */
bool outbox_unseal(const struct outbox *o, const char *id, const struct webhook_secret *s, struct crypto_hash *ret_secret);
void *outbox_main(void *ctx);
#endif
