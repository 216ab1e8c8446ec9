/* window_bench.c - the memory driver of the windows alone: 20 windows over 4 kinds of entity, with and without prefetch;
 * crowded entities; memory.
 *
 * window_bench [ACCOUNTS [EVENTS]]: 1,000,000 accounts and 4,000,000 events when not said. Activity is Zipf-like with
 * exponent 0.8, so that the busiest account makes 6 % of all events and is past its budget. Lines are `name value unit`;
 * comments begin with #.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "base/rand.h"
#include "core/window.h"

#define GROUPS 4
#define RING 32u
#define STAGES WIN_STAGES

enum { ACCOUNT, DEVICE, ADDRESS, PAYEE };
enum { AMOUNT, DEVICE_TEXT, ACCOUNT_TEXT, PAYEE_TEXT, VALUES };

#define W(a, g, v, over, ...)                                                              \
    {                                                                                      \
        .agg = (a), .group = (g), .value = (v), .over_us = (over), .scale = 1, __VA_ARGS__ \
    }
static struct win_def window[] = {
    W(WIN_COUNT, ACCOUNT, -1, US_HOUR),
    W(WIN_COUNT, ACCOUNT, -1, 7 * US_DAY),
    W(WIN_SUM, ACCOUNT, AMOUNT, US_DAY),
    W(WIN_MEAN, ACCOUNT, AMOUNT, 30 * US_DAY),
    W(WIN_MAX, ACCOUNT, AMOUNT, 7 * US_DAY),
    W(WIN_DISTINCT, ACCOUNT, DEVICE_TEXT, 30 * US_DAY, .text = true),
    W(WIN_DISTINCT, ACCOUNT, PAYEE_TEXT, 7 * US_DAY, .text = true),
    W(WIN_SINCE, ACCOUNT, -1, 0),
    W(WIN_COUNT, DEVICE, -1, US_HOUR),
    W(WIN_SUM, DEVICE, AMOUNT, US_DAY),
    W(WIN_DISTINCT, DEVICE, ACCOUNT_TEXT, 7 * US_DAY, .text = true),
    W(WIN_AGE, DEVICE, -1, 0),
    W(WIN_COUNT, ADDRESS, -1, 10 * US_MINUTE),
    W(WIN_COUNT, ADDRESS, -1, US_DAY, .filter = 1),
    W(WIN_DISTINCT, ADDRESS, ACCOUNT_TEXT, US_HOUR, .text = true),
    W(WIN_SUM, ADDRESS, AMOUNT, US_DAY),
    W(WIN_COUNT, PAYEE, -1, US_HOUR),
    W(WIN_DISTINCT, PAYEE, ACCOUNT_TEXT, 7 * US_DAY, .text = true),
    W(WIN_SUM, PAYEE, AMOUNT, US_DAY),
    W(WIN_AGE, PAYEE, -1, 0),
};
static_assert(ARRAY_LEN(window) == 20, "as the header says");

struct record {
    int64_t time;
    uint32_t key[GROUPS], cents;
};

struct slot_request {
    struct win_request req;
    int64_t value[VALUES];
};

static const uint64_t all_needed[LIMIT_WINDOWS / 64] = {UINT64_MAX};

static void must(enum keer_err err, const char *what)
{
    if (err == KEER_OK)
        return;
    fprintf(stderr, "window_bench: %s: %s\n", what, keer_err_name(err));
    exit(1);
}

static void *room(size_t n, size_t size)
{
    void *p = calloc(n, size);
    must(p ? KEER_OK : KEER_ENOMEM, "events");
    return p;
}

/* Of the processor, so that others on the machine disturb less. */
static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A rank in [0, n) with P(rank) ~ rank^-s, s < 1. */
static uint32_t rank_of(struct rng *r, uint32_t n, double s)
{
    return (uint32_t)MIN_OF((double)n * pow(rng_unit(r), 1 / (1 - s)), (double)n - 1);
}

static struct record *records_new(uint32_t accounts, uint32_t n)
{
    struct record *all = room(n, sizeof *all);
    struct rng r;
    rng_seed(&r, 1);
    int64_t now = 1538352000 * US_SECOND, step = 60 * US_DAY / n;
    for (uint32_t i = 0; i < n; i++) {
        struct record *x = &all[i];
        now += rng_between(&r, 0, 2 * step);
        x->time = now;
        x->key[ACCOUNT] = i < accounts && i % 2 ? i : rank_of(&r, accounts, 0.8);
        x->key[DEVICE] = rng_chance(&r, 0.9) ? x->key[ACCOUNT] : rank_of(&r, accounts, 0.5);
        x->key[ADDRESS] = rng_chance(&r, 0.6) ? x->key[ACCOUNT] / 2 : rank_of(&r, accounts / 2 + 1, 0.8);
        x->key[PAYEE] = rng_chance(&r, 0.85) ? x->key[ACCOUNT] : rank_of(&r, accounts, 0.7);
        x->cents = (uint32_t)(100 * exp(rng_normal(&r, 2.5, 1))) + 1;
    }
    return all;
}

static void request_of(const struct record *x, struct slot_request *q)
{
    q->req = (struct win_request){
        .time_us = x->time, .groups = 15, .values = q->value, .need = all_needed, .label_known_us = INT64_MAX};
    for (unsigned g = 0; g < GROUPS; g++) {
        q->req.key[g] = (struct hash128){hash_mix(((uint64_t)g << 32) + x->key[g] + 1), hash_mix(~(uint64_t)x->key[g])};
        q->req.filters[g] = x->cents > 5000 ? 3 : 1;
    }
    q->value[AMOUNT] = x->cents;
    q->value[DEVICE_TEXT] = (int64_t)hash_mix(x->key[DEVICE] + 1);
    q->value[ACCOUNT_TEXT] = (int64_t)hash_mix(x->key[ACCOUNT] + 1);
    q->value[PAYEE_TEXT] = (int64_t)hash_mix(x->key[PAYEE] + 1);
}

static struct win_store *store_new(struct win_plan *plan, struct win_def *w, unsigned windows)
{
    struct win_store *s;
    *plan = (struct win_plan){.groups = GROUPS, .windows = windows, .values = VALUES, .window = w};
    for (unsigned g = 0; g < GROUPS; g++)
        plan->group[g].filters = 2;
    must(win_memory_new(plan, NULL, &s), "store");
    return s;
}

/* Events [from, to) with prefetch `ahead` events before their turn, 0 for none; ns an event. */
static double run(struct win_store *s, const struct record *all, uint32_t from, uint32_t to, uint32_t ahead, double *ret_sum)
{
    static struct slot_request ring[RING];
    double number[ARRAY_LEN(window)], sum = 0;
    uint64_t hash[ARRAY_LEN(window)];
    struct win_reply reply = {.number = number, .hash = hash};
    double began = now_ns();
    for (uint32_t i = from; i < to + ahead; i++) {
        if (i < to)
            request_of(&all[i], &ring[i % RING]);
        for (uint32_t stage = 0; ahead && stage < STAGES; stage++) {
            uint32_t back = stage * (ahead / STAGES);
            if (i >= from + back && i - back < to)
                win_memory.prefetch(s, &ring[(i - back) % RING].req, (int)stage);
        }
        if (i < from + ahead)
            continue;
        must(win_memory.exchange(s, &ring[(i - ahead) % RING].req, &reply), "exchange");
        sum += number[1];
    }
    *ret_sum += sum;
    return (now_ns() - began) / (double)(to - from);
}

static void population(uint32_t accounts, uint32_t events)
{
    struct win_plan plan;
    struct record *all = records_new(accounts, events);
    struct win_store *s = store_new(&plan, window, ARRAY_LEN(window));
    struct win_stats st;
    /* The first half fills the store; then quarters take turns, so that all kinds see the same store. */
    double sum = 0, first = run(s, all, 0, events / 2, 18, &sum), plain = 0, ahead = 0;
    uint32_t part = events / 16;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t from = events / 2 + i * part;
        double each = run(s, all, from, from + part, i % 2 ? 18 : 0, &sum);
        *(i % 2 ? &ahead : &plain) += each / 4;
    }
    win_memory_stats(s, &st);
    printf("window_fill %.0f ns/event\n", first);
    printf("window_prefetch %.0f ns/event\n", ahead);
    printf("window_plain %.0f ns/event\n", plain);
    printf("window_rate %.0f events/s\n", 1e9 / ahead);
    printf("window_bytes_entity %.1f bytes\n", (double)st.bytes / (double)st.entities);
    printf("window_bytes_row %.1f bytes\n", (double)st.bytes / (double)st.rows);
    printf("# %llu entities, %llu remembered events, %.1f MB in use, %.1f MB reserved, %llu thinned, checksum %.0f\n",
           (unsigned long long)st.entities, (unsigned long long)st.rows, (double)st.bytes / 1e6,
           (double)st.reserved_bytes / 1e6, (unsigned long long)st.thinned, sum);
    win_memory_free(s);
    free(all);
}

/* --- one entity whose window holds `rows` events --- */

static void crowded(const char *name, struct win_def w, uint32_t rows, uint32_t texts)
{
    enum { ROUNDS = 100000 };
    struct win_plan plan;
    struct win_store *s = store_new(&plan, &w, 1);
    struct slot_request q;
    struct rng r;
    double number = 0, began = 0;
    uint64_t hash;
    struct win_reply reply = {.number = &number, .hash = &hash};
    struct record x = {.time = 1538352000 * US_SECOND, .key = {1, 1, 1, 1}};
    rng_seed(&r, 3);
    for (uint32_t i = 0; i < 2 * rows + ROUNDS; i++) {
        if (i == 2 * rows)
            began = now_ns();
        x.time += (w.over_us + w.delay_us) / rows;
        x.cents = 1 + (uint32_t)rng_below(&r, 100000);
        request_of(&x, &q);
        q.req.groups = 1;
        q.req.id = (struct hash128){hash_mix(i), i};
        q.value[PAYEE_TEXT] = (int64_t)hash_mix(1 + rng_below(&r, texts));
        if (w.cond != WIN_ANY) {
            q.req.label_known_us = x.time + w.over_us / 3;
            q.req.label_fraud = i % 20 == 0;
        }
        must(win_memory.exchange(s, &q.req, &reply), "exchange");
    }
    printf("crowded_%s_%u %.0f ns/event\n", name, rows, (now_ns() - began) / ROUNDS);
    win_memory_free(s);
}

static void crowds(void)
{
    static const uint32_t sizes[] = {100, 1000, 4000, 40000};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        uint32_t n = sizes[i];
        crowded("count", (struct win_def)W(WIN_COUNT, ACCOUNT, -1, US_DAY), n, 10);
        crowded("distinct", (struct win_def)W(WIN_DISTINCT, ACCOUNT, PAYEE_TEXT, US_DAY, .text = true), n, n / 4);
        crowded("min", (struct win_def)W(WIN_MIN, ACCOUNT, AMOUNT, US_DAY), n, 10);
        crowded("max", (struct win_def)W(WIN_MAX, ACCOUNT, AMOUNT, US_DAY), n, 10);
        crowded("stddev", (struct win_def)W(WIN_STDDEV, ACCOUNT, AMOUNT, US_DAY), n, 10);
        crowded("ewma", (struct win_def)W(WIN_EWMA, ACCOUNT, AMOUNT, US_DAY, .half_life_us = US_HOUR), n, 10);
        crowded("frauds", (struct win_def)W(WIN_COUNT, ACCOUNT, -1, US_DAY, .cond = WIN_FRAUD), n, 10);
        crowded("frauds_delayed",
                (struct win_def)W(WIN_COUNT, ACCOUNT, -1, US_DAY, .cond = WIN_FRAUD, .delay_us = US_DAY / 2), n, 10);
        crowded("last_fraud", (struct win_def)W(WIN_SINCE, ACCOUNT, -1, US_DAY, .cond = WIN_FRAUD), n, 10);
        crowded("distinct_genuine",
                (struct win_def)W(WIN_DISTINCT, ACCOUNT, PAYEE_TEXT, US_DAY, .text = true, .cond = WIN_GENUINE), n, n / 4);
    }
}

int main(int argc, char **argv)
{
    uint64_t accounts = 1000000, events = 4000000;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3 || (argc > 1 && num_u64(slice_str(argv[1]), 1000, 20000000, &accounts) != KEER_OK) ||
        (argc > 2 && num_u64(slice_str(argv[2]), 1000, 100000000, &events) != KEER_OK)) {
        fprintf(stderr, "usage: window_bench [ACCOUNTS [EVENTS]]\n");
        return 2;
    }
    population((uint32_t)accounts, (uint32_t)events);
    crowds();
    return 0;
}
