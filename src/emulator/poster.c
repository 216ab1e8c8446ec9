/* poster.c - notices: a heap by the time at which each is due, and threads that post them.
 *
 *     notice_send ─► heap ─► letter of the wallet ─► POST ─┬─► taken
 *                     ▲                                     └─► not: again after --notice-retry-ms, doubled each time
 *                     └──────────────────────────────────────────┘      NOTICE_TRIES times
 */
#include <errno.h>
#include <time.h>

#include "base/crypto.h"
#include "emulator/inside.h"

#define NOTICE_TRIES 12u
#define NOTICE_WAIT_US (5 * US_SECOND) /* WeChat Pay: 5 s; the others are not stricter */
#define THREADS 4u
#define NOTICES_MAX ((size_t)1 << 18)

struct queued {
    int64_t due_us;
    uint64_t order; /* of those that are due at once */
    unsigned tries;
    char url[EM_URL_BYTES + 1];
    struct em_notice n;
};
struct poster {
    struct emulator *e;
    pthread_mutex_t lock;
    pthread_cond_t more;
    bool ending;
    pthread_t thread[THREADS];
    unsigned threads;
    struct queued **heap;
    size_t count, cap;
    uint64_t order, under_way;
};

enum keer_err poster_new(struct emulator *e, struct poster **ret_poster)
{
    struct poster *p = calloc(1, sizeof *p);
    if (!p)
        return KEER_ENOMEM;
    p->e = e;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    *ret_poster = p;
    return KEER_OK;
}

/* --- the heap --- */

static bool before(const struct queued *a, const struct queued *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static bool push(struct poster *p, struct queued *q)
{
    if (p->count == p->cap) {
        size_t cap = MAX_OF(p->cap * 2, (size_t)64);
        struct queued **wider = cap <= NOTICES_MAX ? reallocarray(p->heap, cap, sizeof(struct queued *)) : NULL;
        if (!wider)
            return false;
        p->heap = wider;
        p->cap = cap;
    }
    size_t i = p->count++;
    q->order = p->order++;
    for (; i && before(q, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = q;
    pthread_cond_signal(&p->more);
    return true;
}

static struct queued *pop(struct poster *p)
{
    struct queued *first = p->heap[0], *last = p->heap[--p->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < p->count; i = child) {
        if (child + 1 < p->count && before(p->heap[child + 1], p->heap[child]))
            child++;
        if (!before(p->heap[child], last))
            break;
        p->heap[i] = p->heap[child];
    }
    if (p->count)
        p->heap[i] = last;
    return first;
}

/* --- posting --- */

static bool is_taken(enum em_wallet wallet, int status, struct slice body)
{
    struct tape t = {0};
    struct tape_limits limits = {.bytes = 65536, .values = 200, .depth = 8, .keys = 50};
    struct tape_error why;
    bool taken = false;
    switch (wallet) {
    case EM_ALIPAY: return status == 200 && slice_eq(slice_trim(body), SLICE("success"));
    case EM_WECHATPAY: return status == 200 || status == 204;
    case EM_ANTOM:
        if (status == 200 && tape_read(&t, body, &limits, &why) == KEER_OK)
            taken = slice_eq(em_text(&t, "result.resultStatus"), SLICE("S"));
        tape_release(&t);
        return taken;
    case EM_WALLET_MAX: break;
    }
    return false;
}

static bool post(struct emulator *e, const struct queued *q)
{
    struct em_letter l = {0};
    struct buf answer;
    char host[64], port[8];
    struct slice target;
    int64_t ignored;
    const char *number = q->n.kind == EM_NOTICE_AGREEMENT ? q->n.agreement.number
                         : q->n.kind == EM_NOTICE_CHARGE  ? q->n.charge.number
                                                          : q->n.refund.number;
    bool bad = fault_strikes(&e->faults, FAULT_bad_signature, SLICE("notice"), slice_str(number), &ignored);
    if (!server_url(slice_str(q->url), host, port, &target))
        return false;
    buf_init(&l.headers, 8192);
    buf_init(&l.body, 65536);
    buf_init(&answer, 65536);
    switch (q->n.wallet) {
    case EM_ALIPAY: em_alipay_letter(e, &q->n, bad, &l); break;
    case EM_WECHATPAY: em_wechatpay_letter(e, &q->n, bad, &l); break;
    case EM_ANTOM: em_antom_letter(e, &q->n, target, bad, &l); break;
    case EM_WALLET_MAX: break;
    }
    struct server_post p = {.url = slice_str(q->url),
                            .type = l.type,
                            .headers = buf_view(&l.headers),
                            .body = buf_view(&l.body),
                            .wait_us = NOTICE_WAIT_US};
    bool made = l.headers.err == KEER_OK && l.body.err == KEER_OK;
    int status = made ? server_post(&p, &answer) : 0;
    bool taken = is_taken(q->n.wallet, status, buf_view(&answer));
    atomic_fetch_add(&e->notices_sent, 1);
    atomic_fetch_add(&e->notices_taken, taken);
    buf_release(&l.headers);
    buf_release(&l.body);
    buf_release(&answer);
    return taken;
}

/* What waited when the notice was made: told when it has ended. */
static bool has_ended(struct emulator *e, struct em_notice *n)
{
    if (n->kind == EM_NOTICE_CHARGE && n->charge.state == EM_CHARGE_WAITS)
        (void)world_charge_find(e->world, n->wallet, slice_str(n->charge.number), &n->charge);
    if (n->kind == EM_NOTICE_REFUND && n->refund.state == EM_REFUND_WAITS) {
        (void)world_refund_find(e->world, n->wallet, slice_str(n->refund.number), &n->refund);
        (void)world_charge_find(e->world, n->wallet, slice_str(n->refund.charge), &n->charge);
    }
    return (n->kind != EM_NOTICE_CHARGE || n->charge.state != EM_CHARGE_WAITS) &&
           (n->kind != EM_NOTICE_REFUND || n->refund.state != EM_REFUND_WAITS);
}

/* False: it is done with. */
static bool again(struct poster *p, struct queued *q)
{
    if (!has_ended(p->e, &q->n)) {
        q->due_us = em_now(p->e) + 20000;
        return true;
    }
    bool taken = post(p->e, q);
    if (q->n.probe)
        atomic_fetch_add(&p->e->probes_taken, taken);
    if (taken || q->n.probe)
        return false;
    if (++q->tries == NOTICE_TRIES) {
        atomic_fetch_add(&p->e->notices_given_up, 1);
        return false;
    }
    q->due_us = em_now(p->e) + (p->e->o.notice_retry_us << (q->tries - 1));
    return true;
}

static void wait_for(struct poster *p, int64_t us)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    int64_t ns = t.tv_nsec + us % US_SECOND * 1000;
    t.tv_sec += us / US_SECOND + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    (void)pthread_cond_timedwait(&p->more, &p->lock, &t);
}

static void *run(void *arg)
{
    struct poster *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        int64_t due_us = p->count ? p->heap[0]->due_us - em_now(p->e) : US_MINUTE;
        if (due_us > 0) {
            wait_for(p, due_us);
            continue;
        }
        struct queued *q = pop(p);
        p->under_way++;
        pthread_mutex_unlock(&p->lock);
        bool more = again(p, q);
        pthread_mutex_lock(&p->lock);
        p->under_way--;
        if (!more || !push(p, q))
            free(q);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum keer_err poster_start(struct poster *p)
{
    while (p->threads < THREADS)
        if (pthread_create(&p->thread[p->threads], NULL, run, p) == 0)
            p->threads++;
        else
            return KEER_EIO;
    return KEER_OK;
}

void poster_free(struct poster *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        (void)pthread_join(p->thread[i], NULL);
    for (size_t i = 0; i < p->count; i++)
        free(p->heap[i]);
    free(p->heap);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->more);
    free(p);
}

uint64_t poster_waiting(struct poster *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t n = p->count + p->under_way;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static void put_one(struct emulator *e, const char *url, const struct em_notice *n, int64_t due_us)
{
    struct queued *q = calloc(1, sizeof *q);
    if (!q)
        return; /* a lost notice: wallets promise no more */
    q->due_us = due_us;
    q->n = *n;
    if (url[0])
        (void)snprintf(q->url, sizeof q->url, "%s", url);
    else
        (void)snprintf(q->url, sizeof q->url, "%.900s/v1/wallets/%s/notices", e->o.notify, em_wallet_name(n->wallet));
    pthread_mutex_lock(&e->poster->lock);
    if (!push(e->poster, q))
        free(q);
    pthread_mutex_unlock(&e->poster->lock);
}

void notice_send(struct emulator *e, const char *url, const struct em_notice *n, int64_t due_us)
{
    struct em_notice mine = *n;
    unsigned char id[16];
    int64_t us = 0;
    struct slice what = SLICE("notice"), number = slice_str(n->kind == EM_NOTICE_AGREEMENT ? n->agreement.number
                                                            : n->kind == EM_NOTICE_CHARGE  ? n->charge.number
                                                                                           : n->refund.number);
    if (!url[0] && !e->o.notify)
        return;
    crypto_random(id, sizeof id);
    em_hex(id, sizeof id, mine.id);
    due_us = MAX_OF(due_us, em_now(e));
    if (fault_strikes(&e->faults, FAULT_lose_notice, what, number, &us)) {
        atomic_fetch_add(&e->notices_lost, 1);
        return;
    }
    if (fault_strikes(&e->faults, FAULT_reorder_notice, what, number, &us))
        due_us += us;
    if (n->wallet == EM_WECHATPAY && fault_strikes(&e->faults, FAULT_probe_notice, what, number, &us)) {
        mine.probe = true;
        put_one(e, url, &mine, due_us);
        mine.probe = false;
    }
    put_one(e, url, &mine, due_us);
    if (fault_strikes(&e->faults, FAULT_duplicate_notice, what, number, &us))
        put_one(e, url, &mine, due_us);
}
