/* crowd.h - a seeded crowd for benchmarks: accounts with their devices, addresses and beneficiaries, of very unequal
 * activity.
 *
 * Activity falls with a power of the rank (Zipf's law with exponent s < 1): a few accounts buy dozens of times a day, most
 * twice a month. An account mostly uses its own device, its home address (shared by a small household of accounts) and buys
 * for itself; the rest goes to devices, addresses and beneficiaries that many share. Same seed, same stream. A record is 32
 * bytes; what is decided is made of it just before, outside the clock.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H
#include <keer/engine.h>
#include <math.h>
#include <stdio.h>

#include "base/rand.h"
#include "base/timefmt.h"

#define CROWD_BATCH 1000u
#define CROWD_START INT64_C(1538352000000000) /* 2018-10-01 */

struct crowd {
    struct rng rng;
    uint32_t accounts, devices, addresses, payees;
    int64_t now_us, step_us;
    uint64_t made;
};
struct crowd_record {
    int64_t time_us;
    uint32_t account, device, address, payee;
    uint32_t cents;
    uint32_t top_up;
};

/* Every account 4 times in 30 days on the average. */
static inline void crowd_init(struct crowd *c, uint64_t seed, uint32_t accounts)
{
    *c = (struct crowd){.accounts = accounts,
                        .devices = accounts + accounts / 4,
                        .addresses = accounts / 2 + 1,
                        .payees = accounts + accounts / 4,
                        .now_us = CROWD_START,
                        .step_us = 30 * US_DAY / 4 / accounts};
    rng_seed(&c->rng, seed);
}

/* A rank in [0, n) whose probability falls as (rank + 1)^-s, s < 1: the inverse of that density's integral. */
static inline uint32_t crowd_rank(struct rng *r, uint32_t n, double s)
{
    double x = pow(1 + rng_unit(r) * (pow((double)n + 1, 1 - s) - 1), 1 / (1 - s));
    return (uint32_t)MIN_OF(x - 1, (double)n - 1);
}

/* The first `accounts` records name each account once. */
static inline void crowd_next(struct crowd *c, struct crowd_record *x)
{
    struct rng *r = &c->rng;
    static const uint32_t round_sums[] = {600, 1200, 3000, 4500, 9800, 32800, 64800};
    c->now_us += rng_between(r, 1, 2 * c->step_us);
    x->time_us = c->now_us;
    x->account = c->made < c->accounts ? (uint32_t)c->made : crowd_rank(r, c->accounts, 0.5);
    x->device = rng_chance(r, 0.92) ? x->account : crowd_rank(r, c->devices, 0.6);
    x->address = rng_chance(r, 0.6) ? x->account / 2 : crowd_rank(r, c->addresses, 0.8);
    x->payee = rng_chance(r, 0.85) ? x->account : crowd_rank(r, c->payees, 0.7);
    x->cents = rng_chance(r, 0.2) ? round_sums[rng_below(r, ARRAY_LEN(round_sums))]
                                  : (uint32_t)(100 * exp(rng_normal(r, 2.5, 1))) + 1;
    x->top_up = rng_chance(r, 0.1);
    c->made++;
}

/* Room for one batch of events that borrow their texts from it. */
struct crowd_events {
    struct keer_event *event[CROWD_BATCH];
    char text[CROWD_BATCH][5][24];
    int account, device, ip, beneficiary, amount, purchase, top_up;
};

static inline void crowd_must(enum keer_err err, const char *what)
{
    if (err == KEER_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, keer_err_text(err));
    exit(1);
}

static inline struct crowd_events *crowd_events_new(const struct keer_schema *s)
{
    struct crowd_events *b = calloc(1, sizeof *b);
    if (!b)
        crowd_must(KEER_ENOMEM, "crowd");
    for (unsigned i = 0; i < CROWD_BATCH; i++)
        crowd_must(keer_event_new(s, &b->event[i]), "event");
    b->account = keer_schema_find(s, "account", 7);
    b->device = keer_schema_find(s, "device", 6);
    b->ip = keer_schema_find(s, "ip", 2);
    b->beneficiary = keer_schema_find(s, "beneficiary", 11);
    b->amount = keer_schema_find(s, "amount", 6);
    b->purchase = keer_schema_event_type(s, "purchase", 8);
    b->top_up = keer_schema_event_type(s, "top_up", 6);
    return b;
}
static inline void crowd_events_free(struct crowd_events *b)
{
    for (unsigned i = 0; i < CROWD_BATCH; i++)
        keer_event_free(b->event[i]);
    free(b);
}

static inline size_t crowd_text(char *out, char kind, uint32_t number)
{
    if (kind == 'i')
        return (size_t)snprintf(out, 24, "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255, number & 255);
    return (size_t)snprintf(out, 24, "%c%08u", kind, number);
}

/* Fills event i of the batch; `number` makes its id. */
static inline void crowd_event(struct crowd_events *b, unsigned i, const struct crowd_record *x, uint64_t number)
{
    struct keer_event *e = b->event[i];
    char(*t)[24] = b->text[i];
    enum keer_err err = KEER_OK;
    keer_event_reset(e);
    err = err ? err : keer_event_set_id(e, t[4], (size_t)snprintf(t[4], 24, "e%llu", (unsigned long long)number));
    err = err ? err : keer_event_set_time(e, x->time_us);
    err = err ? err : keer_event_set_type(e, x->top_up ? b->top_up : b->purchase);
    err = err ? err : keer_event_set_text(e, b->account, t[0], crowd_text(t[0], 'a', x->account));
    err = err ? err : keer_event_set_text(e, b->device, t[1], crowd_text(t[1], 'd', x->device));
    err = err ? err : keer_event_set_text(e, b->ip, t[2], crowd_text(t[2], 'i', x->address));
    err = err ? err : keer_event_set_text(e, b->beneficiary, t[3], crowd_text(t[3], 'b', x->payee));
    err = err ? err : keer_event_set_money(e, b->amount, x->cents, "EUR");
    crowd_must(err, "filling an event");
}

/* Makes and fills the next n <= CROWD_BATCH events. */
static inline void crowd_fill(struct crowd *c, struct crowd_events *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct crowd_record x;
        crowd_next(c, &x);
        crowd_event(b, i, &x, c->made);
    }
}
#endif
