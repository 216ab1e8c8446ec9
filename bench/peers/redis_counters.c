/* redis_counters.c - a velocity check as it is done on Redis today, beside the same windows in libkeer, over one seeded
 * stream.
 *
 * Usage: redis_counters SOCKET windows.keer EVENTS. One event is 20 commands in one pipelined write:
 *
 *     exact, a sorted set each (time as score)                         buckets of an hour, read and written at once
 *     account, device: event ids of 1 h   ZREMRANGEBYSCORE ZCARD       account: amount    INCRBY EXPIRE
 *     ip: event ids of 10 min             ZADD EXPIRE                  ip: count          INCR EXPIRE
 *     beneficiary: accounts of 1 h
 *
 * Commands are formatted before the clock starts, as events are parsed before it for us; the clock covers sending, the
 * server, parsing the replies and the thresholds. Once with one event in flight (a decision waits for its counters), once
 * with DEPTH in flight. Then the four exact windows and the rules on them are compared with ours for every event. Prints
 * JSON; exit 1 when they differ.
 */
#include <hiredis/hiredis.h>
#include <time.h>

#include "base/num.h"
#include "core/engine.h"
#include "crowd.h"

#define DEPTH 64u
#define COMMANDS 20u
#define ACCOUNTS 100000u
#define STEP_US 20000 /* an event each 20 ms on the average: the crowd of a medium shop at its busiest */
enum { ACCOUNT_1H, DEVICE_1H, IP_10M, PAYERS_1H, EXACT_MAX, SPENT_1H = EXACT_MAX, IP_1H, COUNTERS_MAX };

/* What both sides say of one event: the exact counters, and which of the six rules matched. */
struct seen {
    uint32_t counter[EXACT_MAX];
    uint32_t rules;
    bool approximate; /* ours: an entity was past its budget, and the answer says so */
};
struct commands {
    char text[3072];
    size_t len;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "redis_counters: %s: %s\n", what, why);
    exit(1);
}

static void stream_init(struct crowd *c)
{
    crowd_init(c, 29, ACCOUNTS);
    c->step_us = STEP_US;
    c->made = ACCOUNTS; /* no first round in which each account comes once */
}

/* --- Redis --- */

/* One command in the protocol's own form; words are separated by single spaces. */
static void command(struct commands *b, const char *words)
{
    unsigned n = 1;
    for (const char *c = words; *c; c++)
        n += *c == ' ';
    size_t room = sizeof b->text, at = b->len;
    at += (size_t)snprintf(b->text + at, room - at, "*%u\r\n", n);
    for (const char *from = words; n > 0; n--) {
        size_t len = strcspn(from, " ");
        at += (size_t)snprintf(b->text + at, room - at, "$%zu\r\n%.*s\r\n", len, (int)len, from);
        from += len + 1;
    }
    ASSERT(at < room);
    b->len = at;
}

static void sliding(struct commands *b, char kind, uint32_t who, int64_t now_us, int64_t over_us, const char *member)
{
    char words[128];
    (void)snprintf(words, sizeof words, "ZREMRANGEBYSCORE %c:%u -inf %lld", kind, who, (long long)(now_us - over_us));
    command(b, words);
    (void)snprintf(words, sizeof words, "ZCARD %c:%u", kind, who);
    command(b, words);
    (void)snprintf(words, sizeof words, "ZADD %c:%u %lld %s", kind, who, (long long)now_us, member);
    command(b, words);
    (void)snprintf(words, sizeof words, "EXPIRE %c:%u %lld", kind, who, (long long)(over_us / US_SECOND));
    command(b, words);
}

static void bucket(struct commands *b, char kind, uint32_t who, int64_t now_us, uint32_t by)
{
    char words[128];
    long long hour = now_us / US_HOUR;
    (void)snprintf(words, sizeof words, "INCRBY %c:%u:%lld %u", kind, who, hour, by);
    command(b, words);
    (void)snprintf(words, sizeof words, "EXPIRE %c:%u:%lld 3600", kind, who, hour);
    command(b, words);
}

static void event_commands(struct commands *b, const struct crowd_record *x, uint64_t number)
{
    char id[24], account[24];
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)number);
    (void)snprintf(account, sizeof account, "%u", x->account);
    b->len = 0;
    sliding(b, 'a', x->account, x->time_us, US_HOUR, id);
    sliding(b, 'd', x->device, x->time_us, US_HOUR, id);
    sliding(b, 'i', x->address, x->time_us, 10 * US_MINUTE, id);
    sliding(b, 'b', x->payee, x->time_us, US_HOUR, account);
    bucket(b, 's', x->account, x->time_us, x->cents);
    bucket(b, 'c', x->address, x->time_us, 1);
}

/* The replies of one event, and the thresholds on them. */
static void event_replies(redisContext *r, const struct crowd_record *x, struct seen *ret_seen)
{
    int64_t counter[COUNTERS_MAX];
    for (unsigned i = 0; i < COMMANDS; i++) {
        redisReply *reply;
        if (redisGetReply(r, (void **)&reply) != REDIS_OK)
            fail("reply", r->errstr);
        if (reply->type != REDIS_REPLY_INTEGER)
            fail("reply", reply->str ? reply->str : "not a number");
        if (i < 4 * EXACT_MAX && i % 4 == 1)
            counter[i / 4] = reply->integer;
        if (i == 4 * EXACT_MAX)
            counter[SPENT_1H] = reply->integer - x->cents; /* before this event, as the others */
        if (i == 4 * EXACT_MAX + 2)
            counter[IP_1H] = reply->integer - 1;
        freeReplyObject(reply);
    }
    for (unsigned i = 0; i < EXACT_MAX; i++)
        ret_seen->counter[i] = (uint32_t)counter[i];
    ret_seen->rules = (uint32_t)(counter[ACCOUNT_1H] >= 3) | (uint32_t)(counter[DEVICE_1H] >= 4) << 1 |
                      (uint32_t)(counter[IP_10M] >= 30) << 2 | (uint32_t)(counter[PAYERS_1H] >= 3) << 3 |
                      (uint32_t)(counter[SPENT_1H] >= 60000) << 4 | (uint32_t)(counter[IP_1H] >= 100) << 5;
}

/* Events a second with up to `depth` events in flight. */
static double redis_run(const char *socket, uint64_t events, unsigned depth, struct seen *seen)
{
    static struct crowd_record record[CROWD_BATCH];
    static struct commands commands[CROWD_BATCH];
    struct crowd crowd;
    double spent = 0;
    redisContext *r = redisConnectUnix(socket);
    if (!r || r->err)
        fail(socket, r ? r->errstr : "out of memory");
    redisReply *flushed = redisCommand(r, "FLUSHALL SYNC");
    if (!flushed || flushed->type == REDIS_REPLY_ERROR)
        fail("FLUSHALL", r->errstr);
    freeReplyObject(flushed);
    stream_init(&crowd);
    for (uint64_t from = 0; from < events; from += CROWD_BATCH) {
        for (unsigned i = 0; i < CROWD_BATCH; i++) {
            crowd_next(&crowd, &record[i]);
            event_commands(&commands[i], &record[i], from + i);
        }
        double start = now_s();
        for (unsigned sent = 0, done = 0; done < CROWD_BATCH; done++) {
            for (; sent < CROWD_BATCH && sent < done + depth; sent++)
                if (redisAppendFormattedCommand(r, commands[sent].text, commands[sent].len) != REDIS_OK)
                    fail("append", r->errstr);
            event_replies(r, &record[done], &seen[from + done]);
        }
        spent += now_s() - start;
    }
    redisFree(r);
    return (double)events / spent;
}

/* --- ours --- */

static struct keer_policy *read_policy(const char *path)
{
    static char text[16384];
    struct keer_files none = {0};
    struct keer_policy *p = NULL;
    char *messages = NULL;
    FILE *f = fopen(path, "rb");
    size_t len = f ? fread(text, 1, sizeof text, f) : 0;
    if (!f || len == sizeof text)
        fail(path, "cannot be read");
    (void)fclose(f);
    if (keer_policy_new(path, text, len, &none, 0, &p, &messages) != KEER_OK)
        fail(path, messages ? messages : "out of memory");
    free(messages);
    return p;
}

static double keer_run(const struct keer_policy *p, uint64_t events, struct seen *seen)
{
    static struct keer_decision d[CROWD_BATCH];
    struct keer_engine *e;
    struct crowd crowd;
    double spent = 0;
    crowd_must(keer_engine_new(p, NULL, &e), "engine");
    struct crowd_events *b = crowd_events_new(keer_policy_schema(p));
    stream_init(&crowd);
    for (uint64_t from = 0; from < events; from += CROWD_BATCH) {
        crowd_fill(&crowd, b, CROWD_BATCH);
        double start = now_s();
        crowd_must(keer_engine_decide_many(e, (const struct keer_event *const *)b->event, CROWD_BATCH, d), "decide");
        spent += now_s() - start;
        for (unsigned i = 0; i < CROWD_BATCH; i++)
            for (unsigned k = seen[from + i].rules = 0; k < d[i].fired_count; k++)
                seen[from + i].rules |= 1u << d[i].fired[k];
    }
    crowd_events_free(b);
    keer_engine_free(e);
    return (double)events / spent;
}

/* Again, one by one and without the clock: the values of the exact windows, which a decision does not carry. */
static void keer_counters(const struct keer_policy *p, uint64_t events, struct seen *seen)
{
    static const char *const names[EXACT_MAX] = {"account_count_1h", "device_count_1h", "ip_count_10m", "payers_1h"};
    struct keer_engine *e;
    struct keer_decision d;
    struct crowd crowd;
    unsigned window[EXACT_MAX];
    for (unsigned i = 0; i < EXACT_MAX; i++) {
        window[i] = 0;
        while (window[i] < p->plan.windows && !slice_eq(p->window_info[window[i]].name, slice_str(names[i])))
            window[i]++;
        if (window[i] == p->plan.windows)
            fail(names[i], "is not a window of the policy");
    }
    crowd_must(keer_engine_new(p, NULL, &e), "engine");
    struct crowd_events *b = crowd_events_new(keer_policy_schema(p));
    stream_init(&crowd);
    for (uint64_t n = 0; n < events; n++) {
        if (n % CROWD_BATCH == 0)
            crowd_fill(&crowd, b, CROWD_BATCH);
        crowd_must(keer_engine_decide(e, b->event[n % CROWD_BATCH], &d), "decide");
        for (unsigned i = 0; i < EXACT_MAX; i++)
            seen[n].counter[i] = (uint32_t)e->reply.number[window[i]];
        seen[n].approximate = d.degraded & KEER_DEGRADED_APPROXIMATE;
    }
    crowd_events_free(b);
    keer_engine_free(e);
}

/* --- both --- */

int main(int argc, char **argv)
{
    uint64_t events, approximate = 0, wrong = 0, wrong_rules = 0, wrong_buckets = 0, matched = 0;
    const uint32_t exact = (1u << EXACT_MAX) - 1;
    if (argc != 4 || num_u64(slice_str(argv[3]), CROWD_BATCH, 10000000, &events) != KEER_OK) {
        fprintf(stderr, "usage: redis_counters SOCKET POLICY EVENTS\n");
        return 2;
    }
    events -= events % CROWD_BATCH;
    struct seen *one = calloc(events, sizeof *one), *many = calloc(events, sizeof *many),
                *ours = calloc(events, sizeof *ours);
    if (!one || !many || !ours)
        fail("start", "out of memory");
    struct keer_policy *p = read_policy(argv[2]);
    double redis_one = redis_run(argv[1], events, 1, one), redis_many = redis_run(argv[1], events, DEPTH, many);
    double keer_one = keer_run(p, events, ours), keer_two = keer_run(p, events, ours);
    keer_counters(p, events, ours);
    for (uint64_t i = 0; i < events; i++) {
        bool same = memcmp(one[i].counter, many[i].counter, sizeof one[i].counter) == 0 &&
                    memcmp(one[i].counter, ours[i].counter, sizeof one[i].counter) == 0;
        approximate += ours[i].approximate;
        wrong += !same && !ours[i].approximate;
        wrong_rules += !ours[i].approximate && ((one[i].rules ^ ours[i].rules) & exact) != 0;
        wrong_buckets += ((one[i].rules ^ ours[i].rules) & ~exact) != 0;
        matched += (ours[i].rules & ~exact) != 0;
    }
    printf("{\"events\":%llu,\"depth\":%u,\"redis_one\":%.0f,\"redis_pipelined\":%.0f,\"keer\":%.0f,\"approximate\":%llu,"
           "\"exact_differ\":%llu,\"rules_differ\":%llu,"
           "\"bucket_rules_matched\":%llu,\"bucket_rules_differ\":%llu}\n",
           (unsigned long long)events, DEPTH, redis_one, redis_many, MAX_OF(keer_one, keer_two),
           (unsigned long long)approximate, (unsigned long long)wrong, (unsigned long long)wrong_rules,
           (unsigned long long)matched, (unsigned long long)wrong_buckets);
    keer_policy_free(p);
    free(one);
    free(many);
    free(ours);
    return wrong || wrong_rules;
}
