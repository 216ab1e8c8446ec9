/* cards.c - generates a history of card payments, day by day. */
#include "sim/cards.h"

#include <math.h>

#include "base/rand.h"

#define GRID_SIDE 100.0
#define LARGE_MINOR 22000
#define TERMINALS_A_DAY 2
#define TERMINAL_DAYS 28
#define CUSTOMERS_A_DAY 3
#define CUSTOMER_DAYS 14
#define CUSTOMER_FACTOR 5

struct customer {
    double x, y, mean, payments_a_day;
    size_t reach, reach_count; /* its terminals: c->reach[reach ..] */
    unsigned stolen_until;     /* first day on which its data is not misused any more */
};

struct terminal {
    double x, y;
    unsigned id;
};

struct payment {
    unsigned second; /* of the day */
    unsigned order;  /* of making, so that the sort is stable */
    unsigned customer, terminal;
    int64_t amount_minor;
    unsigned scenario;
};

struct cards {
    struct cards_options o;
    /* One stream of random numbers for each purpose: fraud must not change what is paid. */
    struct rng payments_rng, fraud_rng;
    struct customer *customers;
    unsigned *terminal_until; /* by id: first day on which the terminal is sound again */
    unsigned *reach;
    struct payment *today;
    size_t today_count, today_cap, today_next;
    unsigned day; /* the next to generate */
    uint64_t next_id;
};

struct cards_options cards_defaults(void)
{
    return (struct cards_options){.seed = 1,
                                  .customers = 5000,
                                  .terminals = 10000,
                                  .days = 183,
                                  .start_us = (int64_t)1522540800 * US_SECOND, /* 2018-04-01 */
                                  .radius = 5,
                                  .fraud = true};
}

/* --- the population ------------------------------------------------------------------------------------------ */

static int terminal_order(const void *a, const void *b)
{
    const struct terminal *s = a, *t = b;
    if (s->x != t->x)
        return s->x < t->x ? -1 : 1;
    return s->id < t->id ? -1 : s->id > t->id;
}

/* Index of the first terminal, in order of x, that is not left of x. */
static size_t first_from(const struct terminal *t, size_t n, double x)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t[mid].x < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Number of terminals within the radius of a customer; written to `ret_ids` when that is not NULL. */
static size_t within(const struct cards_options *o, const struct terminal *t, const struct customer *c, unsigned *ret_ids)
{
    size_t n = 0;
    double r2 = o->radius * o->radius;
    for (size_t i = first_from(t, o->terminals, c->x - o->radius); i < o->terminals && t[i].x <= c->x + o->radius; i++) {
        double dx = t[i].x - c->x, dy = t[i].y - c->y;
        if (dx * dx + dy * dy >= r2)
            continue;
        if (ret_ids)
            ret_ids[n] = t[i].id;
        n++;
    }
    return n;
}

static enum keer_err populate(struct cards *c)
{
    const struct cards_options *o = &c->o;
    struct rng r;
    size_t pairs = 0;
    enum keer_err err = KEER_ENOMEM;
    struct terminal *t = calloc(o->terminals, sizeof *t);
    c->customers = calloc(o->customers, sizeof *c->customers);
    c->terminal_until = calloc(o->terminals, sizeof *c->terminal_until);
    if (!t || !c->customers || !c->terminal_until)
        goto out;
    rng_seed(&r, o->seed);
    rng_seed(&c->payments_rng, rng_u64(&r));
    rng_seed(&c->fraud_rng, rng_u64(&r));
    for (unsigned i = 0; i < o->customers; i++) {
        struct customer *u = &c->customers[i];
        u->x = GRID_SIDE * rng_unit(&r);
        u->y = GRID_SIDE * rng_unit(&r);
        u->mean = 5 + 95 * rng_unit(&r);
        u->payments_a_day = 4 * rng_unit(&r);
    }
    for (unsigned i = 0; i < o->terminals; i++) {
        t[i].x = GRID_SIDE * rng_unit(&r);
        t[i].y = GRID_SIDE * rng_unit(&r);
        t[i].id = i;
    }
    qsort(t, o->terminals, sizeof *t, terminal_order);
    err = KEER_ELIMIT;
    for (unsigned i = 0; i < o->customers; i++) {
        struct customer *u = &c->customers[i];
        u->reach = pairs;
        u->reach_count = within(o, t, u, /* count only */ NULL);
        pairs += u->reach_count;
        if (pairs > CARDS_REACH_MAX)
            goto out;
    }
    err = KEER_ENOMEM;
    c->reach = calloc(pairs + 1, sizeof *c->reach);
    if (!c->reach)
        goto out;
    for (unsigned i = 0; i < o->customers; i++)
        (void)within(o, t, &c->customers[i], c->reach + c->customers[i].reach);
    err = KEER_OK;
out:
    free(t);
    return err;
}

enum keer_err cards_new(const struct cards_options *o, struct cards **ret_cards)
{
    bool sizes = o->customers >= 1 && o->customers <= CARDS_POPULATION_MAX && o->terminals >= 1 &&
                 o->terminals <= CARDS_POPULATION_MAX && o->days >= 1 && o->days <= CARDS_DAYS_MAX;
    bool time = o->start_us % US_SECOND == 0 && o->start_us >= US_TIME_MIN &&
                o->start_us <= US_TIME_MAX - (CARDS_DAYS_MAX + 1) * US_DAY;
    if (!sizes || !time || !(o->radius > 0 && o->radius <= 150)) /* a NaN is refused, too */
        return KEER_ERANGE;
    struct cards *c = calloc(1, sizeof *c);
    if (!c)
        return KEER_ENOMEM;
    c->o = *o;
    enum keer_err err = populate(c);
    if (err != KEER_OK) {
        cards_free(c);
        return err;
    }
    *ret_cards = c;
    return KEER_OK;
}

void cards_free(struct cards *c)
{
    if (!c)
        return;
    free(c->customers);
    free(c->terminal_until);
    free(c->reach);
    free(c->today);
    free(c);
}

/* --- a day --------------------------------------------------------------------------------------------------- */

/* `k` different numbers below n, or all of them when there are fewer. */
static unsigned draw(struct rng *r, unsigned n, unsigned k, unsigned *ret_numbers)
{
    unsigned got = 0;
    k = MIN_OF(k, n);
    while (got < k) {
        unsigned v = (unsigned)rng_below(r, n), i = 0;
        while (i < got && ret_numbers[i] != v)
            i++;
        if (i == got)
            ret_numbers[got++] = v;
    }
    return k;
}

static void compromise(struct cards *c)
{
    unsigned drawn[MAX_OF(TERMINALS_A_DAY, CUSTOMERS_A_DAY)];
    unsigned n = draw(&c->fraud_rng, c->o.terminals, TERMINALS_A_DAY, drawn);
    for (unsigned i = 0; i < n; i++)
        c->terminal_until[drawn[i]] = c->day + TERMINAL_DAYS;
    n = draw(&c->fraud_rng, c->o.customers, CUSTOMERS_A_DAY, drawn);
    for (unsigned i = 0; i < n; i++)
        c->customers[drawn[i]].stolen_until = c->day + CUSTOMER_DAYS;
}

static void judge(struct cards *c, struct payment *p)
{
    if (p->amount_minor > LARGE_MINOR)
        p->scenario = 1;
    if (c->day < c->terminal_until[p->terminal])
        p->scenario = 2;
    if (c->day < c->customers[p->customer].stolen_until && rng_below(&c->fraud_rng, 3) == 0) {
        p->scenario = 3;
        p->amount_minor *= CUSTOMER_FACTOR;
    }
}

static enum keer_err add_payment(struct cards *c, const struct payment *p)
{
    if (c->today_count == c->today_cap) {
        size_t cap = c->today_cap ? c->today_cap * 2 : 1024;
        if (c->today_count >= CARDS_DAY_MAX)
            return KEER_ELIMIT;
        struct payment *bigger = realloc(c->today, cap * sizeof *bigger);
        if (!bigger)
            return KEER_ENOMEM;
        c->today = bigger;
        c->today_cap = cap;
    }
    c->today[c->today_count] = *p;
    c->today[c->today_count].order = (unsigned)c->today_count;
    c->today_count++;
    return KEER_OK;
}

static enum keer_err pay(struct cards *c, unsigned customer)
{
    struct customer *u = &c->customers[customer];
    struct rng *r = &c->payments_rng;
    for (uint64_t n = rng_poisson(r, u->payments_a_day); n > 0; n--) {
        double second = rng_normal(r, 43200, 20000), amount = rng_normal(r, u->mean, u->mean / 2);
        if (amount < 0)
            amount = 2 * u->mean * rng_unit(r);
        if (second < 1 || second >= 86400 || u->reach_count == 0)
            continue;
        struct payment p = {
            .second = (unsigned)second, .customer = customer, .amount_minor = (int64_t)floor(amount * 100 + 0.5)};
        p.terminal = c->reach[u->reach + rng_below(r, u->reach_count)];
        if (c->o.fraud)
            judge(c, &p);
        enum keer_err err = add_payment(c, &p);
        if (err != KEER_OK)
            return err;
    }
    return KEER_OK;
}

static int payment_order(const void *a, const void *b)
{
    const struct payment *s = a, *t = b;
    if (s->second != t->second)
        return s->second < t->second ? -1 : 1;
    return s->order < t->order ? -1 : s->order > t->order;
}

static enum keer_err next_day(struct cards *c)
{
    c->today_count = 0;
    c->today_next = 0;
    if (c->o.fraud)
        compromise(c);
    for (unsigned i = 0; i < c->o.customers; i++) {
        enum keer_err err = pay(c, i);
        if (err != KEER_OK) {
            c->today_count = 0;
            c->day = c->o.days; /* the history ends: a day that lacks rows would be a different one */
            return err;
        }
    }
    if (c->today_count)
        qsort(c->today, c->today_count, sizeof *c->today, payment_order);
    c->day++;
    return KEER_OK;
}

enum keer_err cards_next(struct cards *c, struct cards_row *ret_row, bool *ret_more)
{
    while (c->today_next == c->today_count) {
        if (c->day == c->o.days) {
            *ret_more = false;
            return KEER_OK;
        }
        enum keer_err err = next_day(c);
        if (err != KEER_OK)
            return err;
    }
    const struct payment *p = &c->today[c->today_next++];
    int64_t second = (int64_t)(c->day - 1) * 86400 + p->second;
    *ret_row = (struct cards_row){.id = c->next_id++,
                                  .time_us = c->o.start_us + second * US_SECOND,
                                  .second = second,
                                  .day = c->day - 1,
                                  .customer = p->customer,
                                  .terminal = p->terminal,
                                  .amount_minor = p->amount_minor,
                                  .scenario = p->scenario};
    *ret_more = true;
    return KEER_OK;
}

/* --- output -------------------------------------------------------------------------------------------------- */

static char *put_digits(char *at, int v, int digits)
{
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + digits;
}

/* "2018-04-01 00:00:31", with `between` between date and time. */
static void put_time(struct buf *b, int64_t us, char between)
{
    struct civil t = time_civil(us);
    char text[19], *p = put_digits(text, t.year, 4);
    *p++ = '-';
    p = put_digits(p, t.month, 2);
    *p++ = '-';
    p = put_digits(p, t.day, 2);
    *p++ = between;
    p = put_digits(p, t.hour, 2);
    *p++ = ':';
    p = put_digits(p, t.minute, 2);
    *p++ = ':';
    p = put_digits(p, t.second, 2);
    buf_put(b, text, (size_t)(p - text));
}

static void put_number(struct buf *b, const char *before, uint64_t v)
{
    buf_puts(b, before);
    buf_u64(b, v);
}

void cards_write_csv_header(struct buf *b)
{
    buf_puts(
        b, "TX_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n");
}

void cards_write_csv(struct buf *b, const struct cards_row *r)
{
    char cents[2];
    (void)put_digits(cents, (int)(r->amount_minor % 100), 2);
    put_number(b, "", r->id);
    buf_char(b, ',');
    put_time(b, r->time_us, ' ');
    put_number(b, ",", r->customer);
    put_number(b, ",", r->terminal);
    put_number(b, ",", (uint64_t)(r->amount_minor / 100));
    buf_char(b, '.');
    buf_put(b, cents, sizeof cents);
    put_number(b, ",", (uint64_t)r->second);
    put_number(b, ",", r->day);
    put_number(b, ",", r->scenario > 0);
    put_number(b, ",", r->scenario);
    buf_char(b, '\n');
}

void cards_write_ndjson(struct buf *b, const struct cards_row *r, int64_t label_delay_us)
{
    static const char *const scenarios[] = {"", "large amount", "terminal", "customer"};
    ASSERT(r->scenario < ARRAY_LEN(scenarios));
    put_number(b, "{\"id\":\"", r->id);
    buf_puts(b, "\",\"time\":\"");
    put_time(b, r->time_us, 'T');
    put_number(b, "Z\",\"type\":\"purchase\",\"account\":\"", r->customer);
    put_number(b, "\",\"terminal\":\"", r->terminal);
    put_number(b, "\",\"amount\":", (uint64_t)r->amount_minor);
    buf_puts(b, ",\"currency\":\"EUR\",\"fraud\":");
    buf_puts(b, r->scenario ? "true,\"fraud_known\":\"" : "false,\"fraud_known\":\"");
    put_time(b, r->time_us + label_delay_us, 'T');
    buf_puts(b, "Z\"");
    if (r->scenario) {
        buf_puts(b, ",\"scenario\":\"");
        buf_puts(b, scenarios[r->scenario]);
        buf_char(b, '"');
    }
    buf_puts(b, "}\n");
}
