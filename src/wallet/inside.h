/* inside.h - the inside of a wallet: for wallets.c and caller.c.
 *
 * The breaker, which all threads share:
 *
 *     CLOSED ── failures in a row reach the limit (breaker_end) ──► OPEN ── breaker_us later, breaker_begin ──► HALF_OPEN
 *        ▲                                                            ▲                                        one probe
 *        └─────────── the probe gave an answer (breaker_end) ─────────┼──────────────────────────────────────────┤
 *                                                                     └── it did not (breaker_end) ◄─────────────┘
 *
 * Invariants
 * 1. While it is OPEN nothing is sent; in HALF_OPEN one call at a time is, whatever the number of threads.
 * 2. A failure is a call that ended UNKNOWN or NOT_SENT; a refusal of the wallet's is an answer.
 * 3. A wall clock that is set back does not keep it open: what was opened 'later than now' may be probed.
 */
#ifndef WALLET_INSIDE_H
#define WALLET_INSIDE_H
#include <pthread.h>

#include "wallet/connector.h"

#define WALLET_CONNECT_US (1 * INT64_C(1000000))
#define WALLET_WHOLE_US (3 * INT64_C(1000000))
#define WALLET_BREAKER_FAILURES 5
#define WALLET_BREAKER_US (5 * INT64_C(1000000))
/* Retries of queries: each call gives a tenth of one, at most ten are kept, so that retries add a tenth to what a wallet in
 * trouble has to bear. */
#define WALLET_RETRY_PER_CALL 1
#define WALLET_RETRY_COST 10
#define WALLET_RETRY_MAX 100

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
struct breaker {
    pthread_mutex_t lock;
    enum breaker_state state;
    unsigned failures; /* in a row */
    bool probing;
    int64_t opened_us;
    unsigned budget;           /* of retries */
    struct wallet_stats stats; /* but for `breaker` */
};
struct wallet {
    char name[WALLET_NAME_BYTES + 1];
    const struct wallet_driver *driver;
    void *self;
    char *url, *notify_url;
    int64_t connect_us, whole_us, breaker_us;
    unsigned breaker_failures;
    bool loopback;
    struct breaker breaker;
};
#endif
