/* world.c - what has happened at the wallets, in memory, under one lock that is never held while bytes move. */
#include "emulator/world.h"

#include <pthread.h>

#include "base/rand.h"
#include "base/timefmt.h"

#define CHINA_US (8 * US_HOUR)
#define LINE_BYTES 4096

/* What a row of the index names: the same text may be a number of one and a ref of another. */
enum name {
    AGREEMENT_NUMBER,
    AGREEMENT_REF,
    AGREEMENT_PAGE,
    AGREEMENT_CODE,
    AGREEMENT_REFRESH,
    CHARGE_NUMBER,
    CHARGE_REF,
    REFUND_NUMBER,
    PAYER,
    TEXT
};
struct row {
    struct hash128 name;
    void *what; /* NULL: free */
};
struct kept { /* all that was allocated, for world_free */
    struct kept *next;
    max_align_t room[];
};
struct waiting { /* what world_due looks at */
    struct waiting *next;
    struct em_charge *charge; /* either */
    struct em_refund *refund;
};

struct world {
    struct world_options o;
    pthread_mutex_t lock;
    struct row *row;
    size_t count, cap;
    struct kept *kept;
    struct waiting *waiting;
    struct world_stats stats;
};

const char *em_wallet_name(enum em_wallet wallet)
{
    static const char *const names[] = {"alipay", "wechatpay", "antom"};
    static_assert(ARRAY_LEN(names) == EM_WALLET_MAX, "a name for each wallet");
    return names[wallet];
}

enum keer_err world_new(const struct world_options *o, struct world **ret_world)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return KEER_ENOMEM;
    w->o = *o;
    pthread_mutex_init(&w->lock, NULL);
    *ret_world = w;
    return KEER_OK;
}

void world_free(struct world *w)
{
    if (!w)
        return;
    while (w->kept) {
        struct kept *k = w->kept;
        w->kept = k->next;
        free(k);
    }
    free(w->row);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* --- the index --- */

static void *keep(struct world *w, size_t size)
{
    struct kept *k = calloc(1, sizeof *k + size);
    if (!k)
        return NULL;
    k->next = w->kept;
    w->kept = k;
    return k->room;
}

static struct hash128 named(enum em_wallet wallet, enum name name, struct slice text)
{
    struct hash_key key = {0x6b656572u + wallet, name};
    return hash_bytes(key, text.p, text.len);
}

static size_t place(const struct row *rows, size_t cap, struct hash128 h)
{
    size_t at = h.lo & (cap - 1);
    while (rows[at].what && (rows[at].name.lo != h.lo || rows[at].name.hi != h.hi))
        at = (at + 1) & (cap - 1);
    return at;
}

static void *find(struct world *w, enum em_wallet wallet, enum name name, struct slice text)
{
    if (!w->cap || !text.len)
        return NULL;
    return w->row[place(w->row, w->cap, named(wallet, name, text))].what;
}

/* Room for so many more names, so that put can't fail. */
static bool reserve(struct world *w, size_t more)
{
    if ((w->count + more) * 2 <= w->cap)
        return true;
    size_t cap = MAX_OF(w->cap * 2, (size_t)4096);
    struct row *wider = calloc(cap, sizeof *wider);
    if (!wider)
        return false;
    for (size_t i = 0; i < w->cap; i++)
        if (w->row[i].what)
            wider[place(wider, cap, w->row[i].name)] = w->row[i];
    free(w->row);
    w->row = wider;
    w->cap = cap;
    return true;
}

static void put(struct world *w, enum em_wallet wallet, enum name name, const char *text, void *what)
{
    struct hash128 h = named(wallet, name, slice_str(text));
    size_t at = place(w->row, w->cap, h);
    w->count += !w->row[at].what;
    w->row[at] = (struct row){h, what};
}

const char *world_text(struct world *w, struct slice text)
{
    pthread_mutex_lock(&w->lock);
    char *mine = find(w, EM_ALIPAY, TEXT, text);
    if (!mine && text.len && reserve(w, 1) && (mine = keep(w, text.len + 1)) != NULL) {
        memcpy(mine, text.p, text.len); /* it is all zeros */
        put(w, EM_ALIPAY, TEXT, mine, mine);
    }
    pthread_mutex_unlock(&w->lock);
    return mine ? mine : "";
}

void world_digits(const struct world *w, enum em_wallet wallet, const char *kind, struct slice number, unsigned digits,
                  char *ret_text)
{
    struct hash_key key = {w->o.seed, (uint64_t)wallet + 1};
    struct hash128 h = hash_join(hash_bytes(key, kind, strlen(kind)), hash_bytes(key, number.p, number.len));
    struct rng r;
    rng_seed(&r, h.lo ^ h.hi);
    for (unsigned i = 0; i < digits; i++)
        ret_text[i] = (char)('0' + rng_below(&r, 10));
    ret_text[digits] = '\0';
}

/* --- the journal --- */

static void line(struct world *w, enum em_wallet wallet, const char *kind, const char *what, const char *number,
                 const char *ref, const char *fmt, ...) KEER_PRINTF(7, 8);
static void line(struct world *w, enum em_wallet wallet, const char *kind, const char *what, const char *number,
                 const char *ref, const char *fmt, ...)
{
    struct buf b;
    va_list ap;
    buf_init(&b, LINE_BYTES);
    buf_puts(&b, "\"time\":\"");
    time_print(&b, w->o.wall_us());
    buf_fmt(&b, "\",\"wallet\":\"%s\",\"kind\":\"%s\",\"what\":\"%s\",\"number\":", em_wallet_name(wallet), kind, what);
    buf_json(&b, slice_str(number));
    buf_puts(&b, ",\"ref\":");
    buf_json(&b, slice_str(ref));
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    buf_puts(&b, "}\n");
    ASSERT(b.err == KEER_OK);
    (void)em_journal_put(w->o.journal, buf_view(&b));
    buf_release(&b);
}

static void line_charge(struct world *w, const struct em_charge *c, const char *what)
{
    struct em_agreement *a = find(w, c->wallet, AGREEMENT_REF, slice_str(c->agreement));
    line(w, c->wallet, "charge", what, c->number, c->ref,
         ",\"agreement\":\"%s\",\"amount\":%lld,\"asked\":%lld,\"currency\":\"%s\"", a ? a->number : "",
         (long long)c->taken_minor, (long long)c->asked_minor, currency_code(c->currency));
}

static void line_refund(struct world *w, const struct em_refund *r, const struct em_charge *c, const char *what)
{
    line(w, r->wallet, "refund", what, r->number, r->ref,
         ",\"charge\":\"%s\",\"amount\":%lld,\"currency\":\"%s\",\"by\":\"%s\"", r->charge, (long long)r->minor,
         currency_code(c->currency), r->by_wallet ? "wallet" : "merchant");
}

/* --- agreements --- */

static void agreement_names(struct world *w, struct em_agreement *a)
{
    struct slice n = slice_str(a->number);
    char digits[EM_PAGE_BYTES + 1];
    world_digits(w, a->wallet, "page", n, 20, a->page);
    world_digits(w, a->wallet, "agreement", n, a->wallet == EM_ANTOM ? 30 : 20, digits);
    (void)snprintf(a->ref, sizeof a->ref, "%s%s", a->wallet == EM_ANTOM ? "28100" : "", digits);
    if (a->wallet != EM_ANTOM)
        return;
    world_digits(w, a->wallet, "refresh", n, 30, digits);
    (void)snprintf(a->refresh, sizeof a->refresh, "28200%s", digits);
    world_digits(w, a->wallet, "code", n, 30, digits);
    (void)snprintf(a->code, sizeof a->code, "28300%s", digits);
}

enum em_result world_agree(struct world *w, const struct em_agreement *ask, struct em_agreement *ret)
{
    enum em_result result = EM_SAME;
    pthread_mutex_lock(&w->lock);
    struct em_agreement *a = find(w, ask->wallet, AGREEMENT_NUMBER, slice_str(ask->number));
    if (a) {
        result = a->data.lo == ask->data.lo && a->data.hi == ask->data.hi ? EM_SAME : EM_OTHER_DATA;
    } else if (reserve(w, 5) && (a = keep(w, sizeof *a)) != NULL) {
        *a = *ask;
        a->state = EM_TEMP;
        a->made_us = w->o.wall_us();
        agreement_names(w, a);
        put(w, a->wallet, AGREEMENT_NUMBER, a->number, a);
        put(w, a->wallet, AGREEMENT_REF, a->ref, a);
        put(w, EM_ALIPAY, AGREEMENT_PAGE, a->page, a);
        if (a->code[0]) {
            put(w, a->wallet, AGREEMENT_CODE, a->code, a);
            put(w, a->wallet, AGREEMENT_REFRESH, a->refresh, a);
        }
        w->stats.agreements++;
        result = EM_DONE;
    }
    if (a)
        *ret = *a;
    pthread_mutex_unlock(&w->lock);
    return a ? result : EM_NO_MEMORY;
}

enum em_result world_sign(struct world *w, enum em_wallet wallet, struct slice number, struct slice payer,
                          struct em_agreement *ret)
{
    char digits[EM_PAGE_BYTES + 1];
    enum em_result result = EM_NOT_THERE;
    pthread_mutex_lock(&w->lock);
    struct em_agreement *a = find(w, wallet, AGREEMENT_NUMBER, number);
    if (a && a->state == EM_TEMP) {
        world_digits(w, EM_ALIPAY, "payer", slice_str(a->shown), 12, digits);
        if (payer.len && payer.len <= EM_REF_BYTES)
            (void)snprintf(a->payer, sizeof a->payer, SLICE_FMT, SLICE_ARG(payer));
        else
            (void)snprintf(a->payer, sizeof a->payer, "2088%s", digits);
        a->state = EM_NORMAL;
        a->signed_us = w->o.wall_us();
        w->stats.signed_now++;
        line(w, wallet, "agreement", "signed", a->number, a->ref, ",\"payer\":\"%s\"", a->payer);
        result = EM_DONE;
    } else if (a) {
        result = a->state == EM_NORMAL ? EM_SAME : EM_ENDED;
    }
    if (a)
        *ret = *a;
    pthread_mutex_unlock(&w->lock);
    return result;
}

enum em_result world_end(struct world *w, enum em_wallet wallet, struct slice number, bool by_person, struct slice remark,
                         struct em_agreement *ret)
{
    enum em_result result = EM_NOT_THERE;
    pthread_mutex_lock(&w->lock);
    struct em_agreement *a = find(w, wallet, AGREEMENT_NUMBER, number);
    if (a && a->state != EM_STOPPED) {
        w->stats.signed_now -= a->state == EM_NORMAL;
        w->stats.ended++;
        a->state = EM_STOPPED;
        a->by_person = by_person;
        a->ended_us = w->o.wall_us();
        (void)snprintf(a->remark, sizeof a->remark, "%.*s", (int)MIN_OF(remark.len, (size_t)EM_TEXT_BYTES),
                       remark.p ? remark.p : "");
        line(w, wallet, "agreement", "ended", a->number, a->ref, ",\"by\":\"%s\"", by_person ? "person" : "merchant");
        result = EM_DONE;
    } else if (a) {
        result = EM_SAME;
    }
    if (a)
        *ret = *a;
    pthread_mutex_unlock(&w->lock);
    return result;
}

static enum em_result agreement_by(struct world *w, enum em_wallet wallet, enum name name, struct slice text,
                                   struct em_agreement *ret)
{
    pthread_mutex_lock(&w->lock);
    const struct em_agreement *a = find(w, wallet, name, text);
    if (a)
        *ret = *a;
    pthread_mutex_unlock(&w->lock);
    return a ? EM_DONE : EM_NOT_THERE;
}

enum em_result world_agreement(struct world *w, enum em_wallet wallet, struct slice number, struct em_agreement *ret)
{
    return agreement_by(w, wallet, AGREEMENT_NUMBER, number, ret);
}

enum em_result world_agreement_ref(struct world *w, enum em_wallet wallet, struct slice ref, struct em_agreement *ret)
{
    return agreement_by(w, wallet, AGREEMENT_REF, ref, ret);
}

enum em_result world_agreement_page(struct world *w, struct slice page, struct em_agreement *ret)
{
    return agreement_by(w, EM_ALIPAY, AGREEMENT_PAGE, page, ret);
}

enum em_result world_token(struct world *w, struct slice code, struct em_agreement *ret)
{
    enum em_result result = EM_NOT_THERE;
    pthread_mutex_lock(&w->lock);
    struct em_agreement *a = find(w, EM_ANTOM, AGREEMENT_CODE, code);
    if (a && a->state != EM_TEMP) {
        result = a->state == EM_STOPPED ? EM_ENDED : a->code_used ? EM_STATE : EM_DONE;
        a->code_used = true;
        *ret = *a;
    }
    pthread_mutex_unlock(&w->lock);
    return result;
}

enum em_result world_refresh(struct world *w, struct slice refresh, struct em_agreement *ret)
{
    enum em_result result = agreement_by(w, EM_ANTOM, AGREEMENT_REFRESH, refresh, ret);
    return result == EM_DONE && ret->state != EM_NORMAL ? EM_ENDED : result;
}

/* --- payers --- */

enum keer_err world_payer(struct world *w, const struct em_payer *p)
{
    enum keer_err err = KEER_ENOMEM;
    pthread_mutex_lock(&w->lock);
    struct em_payer *mine = find(w, EM_ALIPAY, PAYER, slice_str(p->name));
    if (!mine && reserve(w, 1) && (mine = keep(w, sizeof *mine)) != NULL) {
        *mine = *p;
        put(w, EM_ALIPAY, PAYER, mine->name, mine);
    }
    if (mine) {
        mine->balance_minor = p->balance_minor;
        mine->charge_limit_minor = p->charge_limit_minor;
        mine->day_limit_minor = p->day_limit_minor;
        mine->risky = p->risky;
        err = KEER_OK;
    }
    pthread_mutex_unlock(&w->lock);
    return err;
}

/* A day of the payer's begins at midnight in China. */
static void payer_day(struct em_payer *p, int64_t now_us)
{
    int64_t day = time_floor_day(now_us + CHINA_US);
    if (p->day != day) {
        p->day = day;
        p->day_minor = 0;
    }
}

static void payer_gets(struct world *w, const struct em_charge *c, int64_t minor)
{
    struct em_payer *p = find(w, EM_ALIPAY, PAYER, slice_str(c->payer));
    if (p && p->balance_minor >= 0)
        p->balance_minor += minor;
}

/* --- charges --- */

static enum em_result may_charge(struct world *w, const struct em_charge *ask, struct em_agreement *a)
{
    if (!a)
        return EM_NOT_THERE;
    if (a->state != EM_NORMAL)
        return a->state == EM_TEMP ? EM_UNSIGNED : EM_ENDED;
    if ((a->cap_minor && ask->asked_minor > a->cap_minor) ||
        (a->total_cap_minor && ask->asked_minor > a->total_cap_minor - a->taken_minor))
        return EM_OVER_CAP;
    struct em_payer *p = find(w, EM_ALIPAY, PAYER, slice_str(a->payer));
    if (!p)
        return EM_DONE;
    if (p->risky)
        return EM_RISK;
    payer_day(p, w->o.wall_us());
    if ((p->charge_limit_minor && ask->taken_minor > p->charge_limit_minor) ||
        (p->day_limit_minor && ask->taken_minor > p->day_limit_minor - p->day_minor))
        return EM_OVER_DAY;
    return p->balance_minor >= 0 && ask->taken_minor > p->balance_minor ? EM_NO_MONEY : EM_DONE;
}

static void take_money(struct world *w, struct em_charge *c, struct em_agreement *a)
{
    struct em_payer *p = find(w, EM_ALIPAY, PAYER, slice_str(c->payer));
    c->state = EM_CHARGE_PAID;
    c->done_us = w->o.wall_us();
    a->taken_minor += c->taken_minor;
    a->last_us = c->done_us;
    if (p) {
        payer_day(p, c->done_us);
        p->day_minor += c->taken_minor;
        if (p->balance_minor >= 0)
            p->balance_minor -= c->taken_minor;
    }
    w->stats.paid++;
    line_charge(w, c, "paid");
}

static void close_unpaid(struct world *w, struct em_charge *c)
{
    c->state = EM_CHARGE_CLOSED;
    c->done_us = w->o.wall_us();
    w->stats.closed++;
    line(w, c->wallet, "charge", "closed", c->number, c->ref, ",\"amount\":0,\"asked\":%lld,\"currency\":\"%s\"",
         (long long)c->asked_minor, currency_code(c->currency));
}

/* Looks again at all that can refuse: time has passed. */
static void charge_due(struct world *w, struct em_charge *c)
{
    if (c->state != EM_CHARGE_WAITS || c->due_us > w->o.wall_us())
        return;
    struct em_agreement *a = find(w, c->wallet, AGREEMENT_REF, slice_str(c->agreement));
    w->stats.waiting--;
    if (!c->ends_closed && may_charge(w, c, a) == EM_DONE)
        take_money(w, c, a);
    else
        close_unpaid(w, c);
}

static bool add_waiting(struct world *w, struct em_charge *c, struct em_refund *r)
{
    struct waiting *more = keep(w, sizeof *more);
    if (!more)
        return false;
    *more = (struct waiting){w->waiting, c, r};
    w->waiting = more;
    w->stats.waiting++;
    return true;
}

static struct em_charge *charge_new(struct world *w, const struct em_charge *ask)
{
    struct em_charge *c = reserve(w, 2) ? keep(w, sizeof *c) : NULL;
    if (!c)
        return NULL;
    *c = *ask;
    c->made_us = w->o.wall_us();
    world_digits(w, c->wallet, "charge", slice_str(c->number), 28, c->ref);
    put(w, c->wallet, CHARGE_NUMBER, c->number, c);
    put(w, c->wallet, CHARGE_REF, c->ref, c);
    w->stats.charges++;
    return c;
}

static struct em_charge *charge_known(struct world *w, const struct em_charge *ask, enum em_result *ret_result)
{
    struct em_charge *c = find(w, ask->wallet, CHARGE_NUMBER, slice_str(ask->number));
    if (c) {
        charge_due(w, c);
        *ret_result = c->burnt                                                   ? EM_STATE
                      : c->data.lo == ask->data.lo && c->data.hi == ask->data.hi ? EM_SAME
                                                                                 : EM_OTHER_DATA;
    }
    return c;
}

enum em_result world_charge(struct world *w, const struct em_charge *ask, struct em_charge *ret)
{
    enum em_result result = EM_NO_MEMORY;
    pthread_mutex_lock(&w->lock);
    struct em_charge *c = charge_known(w, ask, &result);
    if (!c) {
        struct em_agreement *a = find(w, ask->wallet, AGREEMENT_REF, slice_str(ask->agreement));
        result = may_charge(w, ask, a);
        if (result == EM_DONE && (c = charge_new(w, ask)) != NULL) {
            memcpy(c->payer, a->payer, sizeof c->payer);
            c->state = EM_CHARGE_WAITS;
            if (!ask->due_us || !add_waiting(w, c, NULL))
                take_money(w, c, a);
        } else if (result == EM_DONE) {
            result = EM_NO_MEMORY;
        }
    }
    if (c)
        *ret = *c;
    pthread_mutex_unlock(&w->lock);
    return result;
}

enum em_result world_charge_failed(struct world *w, const struct em_charge *ask, const char *code, struct em_charge *ret)
{
    enum em_result result = EM_NO_MEMORY;
    pthread_mutex_lock(&w->lock);
    struct em_charge *c = charge_known(w, ask, &result);
    if (!c && (c = charge_new(w, ask)) != NULL) {
        (void)snprintf(c->code, sizeof c->code, "%s", code);
        c->state = EM_CHARGE_FAILED;
        c->done_us = c->made_us;
        w->stats.failed++;
        line(w, c->wallet, "charge", "failed", c->number, c->ref,
             ",\"code\":\"%s\",\"amount\":0,\"asked\":%lld,\"currency\":\"%s\"", code, (long long)c->asked_minor,
             currency_code(c->currency));
        result = EM_DONE;
    }
    if (c)
        *ret = *c;
    pthread_mutex_unlock(&w->lock);
    return result;
}

static enum em_result charge_by(struct world *w, enum em_wallet wallet, enum name name, struct slice text,
                                struct em_charge *ret)
{
    pthread_mutex_lock(&w->lock);
    struct em_charge *c = find(w, wallet, name, text);
    if (c && c->burnt)
        c = NULL;
    if (c) {
        charge_due(w, c);
        *ret = *c;
    }
    pthread_mutex_unlock(&w->lock);
    return c ? EM_DONE : EM_NOT_THERE;
}

enum em_result world_charge_find(struct world *w, enum em_wallet wallet, struct slice number, struct em_charge *ret)
{
    return charge_by(w, wallet, CHARGE_NUMBER, number, ret);
}

enum em_result world_charge_ref(struct world *w, enum em_wallet wallet, struct slice ref, struct em_charge *ret)
{
    return charge_by(w, wallet, CHARGE_REF, ref, ret);
}

static enum em_result cancel(struct world *w, struct em_charge *c, unsigned how, int64_t *ret_given_back)
{
    if (c->state == EM_CHARGE_CLOSED || c->state == EM_CHARGE_FAILED)
        return EM_SAME;
    if (c->state == EM_CHARGE_WAITS) {
        w->stats.waiting--;
        close_unpaid(w, c);
        return EM_DONE;
    }
    if (how & EM_ONLY_UNPAID || c->refunded_minor || c->refunding_minor)
        return EM_STATE;
    *ret_given_back = c->taken_minor;
    c->refunded_minor = c->taken_minor;
    c->state = EM_CHARGE_CLOSED;
    payer_gets(w, c, c->taken_minor);
    line_charge(w, c, "reversed");
    return EM_DONE;
}

/* A number that may still be under way: it finds itself used up. */
static void burn(struct world *w, enum em_wallet wallet, struct slice number)
{
    struct em_charge c = {.wallet = wallet, .state = EM_CHARGE_CLOSED, .burnt = true, .currency = CUR_XXX, .notify_url = ""};
    (void)snprintf(c.number, sizeof c.number, SLICE_FMT, (int)MIN_OF(number.len, (size_t)EM_NUMBER_BYTES), number.p);
    if (charge_new(w, &c))
        w->stats.closed++;
}

enum em_result world_cancel(struct world *w, enum em_wallet wallet, struct slice number, unsigned how, struct em_charge *ret,
                            int64_t *ret_given_back)
{
    enum em_result result = EM_NOT_THERE;
    *ret_given_back = 0;
    pthread_mutex_lock(&w->lock);
    struct em_charge *c = find(w, wallet, CHARGE_NUMBER, number);
    if (c) {
        charge_due(w, c);
        result = c->burnt ? EM_NOT_THERE : cancel(w, c, how, ret_given_back);
        *ret = *c;
    } else if (how & EM_BURN) {
        burn(w, wallet, number);
    }
    pthread_mutex_unlock(&w->lock);
    return result;
}

/* --- refunds --- */

static void refund_done(struct world *w, struct em_refund *r, struct em_charge *c)
{
    c->refunding_minor -= r->minor;
    r->done_us = w->o.wall_us();
    r->state = r->ends_failed ? EM_REFUND_FAILED : EM_REFUND_PAID;
    if (!r->ends_failed) {
        c->refunded_minor += r->minor;
        payer_gets(w, c, r->minor);
        w->stats.refunds++;
        if (c->refunded_minor == c->taken_minor)
            c->state = EM_CHARGE_CLOSED;
    }
    line_refund(w, r, c, r->ends_failed ? "failed" : "paid");
}

static void refund_due(struct world *w, struct em_refund *r)
{
    if (r->state != EM_REFUND_WAITS || r->due_us > w->o.wall_us())
        return;
    w->stats.waiting--;
    refund_done(w, r, find(w, r->wallet, CHARGE_NUMBER, slice_str(r->charge)));
}

static enum em_result may_refund(const struct em_refund *ask, const struct em_charge *c)
{
    if (!c || c->burnt)
        return EM_NOT_THERE;
    if (c->state != EM_CHARGE_PAID)
        return EM_STATE;
    return ask->minor > c->taken_minor - c->refunded_minor - c->refunding_minor ? EM_TOO_MUCH : EM_DONE;
}

enum em_result world_refund(struct world *w, const struct em_refund *ask, struct em_refund *ret,
                            struct em_charge *ret_charge)
{
    enum em_result result;
    pthread_mutex_lock(&w->lock);
    struct em_charge *c = find(w, ask->wallet, CHARGE_NUMBER, slice_str(ask->charge));
    struct em_refund *r = find(w, ask->wallet, REFUND_NUMBER, slice_str(ask->number));
    if (c)
        charge_due(w, c);
    if (r) {
        refund_due(w, r);
        result = r->data.lo == ask->data.lo && r->data.hi == ask->data.hi ? EM_SAME : EM_OTHER_DATA;
    } else {
        result = may_refund(ask, c);
        r = result == EM_DONE && reserve(w, 1) ? keep(w, sizeof *r) : NULL;
        if (r) {
            *r = *ask;
            r->made_us = w->o.wall_us();
            world_digits(w, r->wallet, "refund", slice_str(r->number), 28, r->ref);
            put(w, r->wallet, REFUND_NUMBER, r->number, r);
            c->refunding_minor += r->minor;
            r->state = EM_REFUND_WAITS;
            if (!r->due_us || !add_waiting(w, NULL, r))
                refund_done(w, r, c);
        } else if (result == EM_DONE) {
            result = EM_NO_MEMORY;
        }
    }
    if (r)
        *ret = *r;
    if (c)
        *ret_charge = *c;
    pthread_mutex_unlock(&w->lock);
    return result;
}

enum em_result world_refund_find(struct world *w, enum em_wallet wallet, struct slice number, struct em_refund *ret)
{
    pthread_mutex_lock(&w->lock);
    struct em_refund *r = find(w, wallet, REFUND_NUMBER, number);
    if (r) {
        refund_due(w, r);
        *ret = *r;
    }
    pthread_mutex_unlock(&w->lock);
    return r ? EM_DONE : EM_NOT_THERE;
}

/* --- all of it --- */

void world_due(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    for (struct waiting **at = &w->waiting; *at;) {
        struct waiting *one = *at;
        if (one->charge)
            charge_due(w, one->charge);
        else
            refund_due(w, one->refund);
        bool over = one->charge ? one->charge->state != EM_CHARGE_WAITS : one->refund->state != EM_REFUND_WAITS;
        if (over)
            *at = one->next; /* its memory is kept until the end, as all of it is */
        else
            at = &one->next;
    }
    pthread_mutex_unlock(&w->lock);
}

void world_stats(struct world *w, struct world_stats *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->stats;
    pthread_mutex_unlock(&w->lock);
}
