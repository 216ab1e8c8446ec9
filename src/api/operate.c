/* operate.c - /healthz, /readyz, /metrics, /openapi.json: what who runs the daemon asks it. They need no key and tell
 * nothing of any event.
 */
#include "api/api.h"
#include "flow/notifier.h"
#include "flow/settle.h"

void health_get(struct http_exchange *x) { http_reply_fixed(x, 200, HTTP_JSON, SLICE("{\"alive\":true}\n")); }

static void put_snapshot(struct buf *out, const struct snapshot_stats *s)
{
    enum snapshot_state state = (enum snapshot_state)atomic_load(&s->state);
    if (state == SNAPSHOT_USED)
        buf_fmt(out, "{\"used\":true,\"seq\":%llu}", (unsigned long long)atomic_load(&s->loaded_seq));
    else
        buf_fmt(out, "{\"used\":false,\"reason\":\"%s\"}", snapshot_text(state));
}

void ready_get(struct http_exchange *x)
{
    static const char *const words[] = {[DECIDER_STARTING] = "starting",
                                        [DECIDER_READY] = "ready",
                                        [DECIDER_STOPPING] = "stopping",
                                        [DECIDER_FAILED] = "failed"};
    struct api *a = x->ctx;
    struct decider_stats *s = decider_statistics(a->decider);
    enum decider_state state = decider_state(a->decider);
    uint64_t differences = atomic_load(&s->differences);
    bool ready = state == DECIDER_READY && !differences;
    buf_fmt(
        &x->reply,
        "{\"ready\":%s,\"state\":\"%s\",\"journal\":{\"events\":%llu,\"compared\":%llu,\"differences\":%llu},\"snapshot\":",
        ready ? "true" : "false", words[state], (unsigned long long)atomic_load(&s->rebuilt),
        (unsigned long long)atomic_load(&s->compared), (unsigned long long)differences);
    put_snapshot(&x->reply, &s->snapshot);
    if (a->pay && a->pay->open_2018)
        buf_puts(&x->reply, ",\"unsafe_2018\":true");
    long long orphans = a->orphans ? (long long)atomic_load(&a->orphans->rows) : 0;
    if (orphans)
        buf_fmt(&x->reply, ",\"waiting_for_unknown_wallets\":%lld", orphans);
    long long stuck = a->orphans ? (long long)atomic_load(&a->orphans->stuck) : 0;
    if (stuck)
        buf_fmt(&x->reply, ",\"agreements_that_do_not_end\":%lld", stuck);
    buf_puts(&x->reply, "}\n");
    http_reply(x, ready ? 200 : 503, HTTP_JSON);
}

void openapi_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    http_reply_fixed(x, 200, HTTP_JSON, buf_view(&a->openapi));
}

static void head(struct buf *out, const char *name, const char *kind, const char *help)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* How old the oldest delivery is that waits, in seconds. */
static double outbox_age(const struct api *a, const struct outbox_stats *w)
{
    int64_t oldest = (int64_t)atomic_load(&w->oldest_us);
    return oldest ? (double)MAX_OF(a->wall_us() - oldest, 0) / 1e6 : 0;
}

/* Nothing without wallets. */
static void put_wallets(const struct flow_wallets *fw, struct buf *out)
{
    struct wallet_stats s[WALLETS_MAX];
    unsigned count = fw ? wallets_count(fw->list) : 0;
    for (unsigned i = 0; i < count; i++)
        wallet_statistics(wallets_at(fw->list, i), &s[i]);
    if (!count)
        return;
    head(out, "keer_wallet_breaker", "gauge", "0 closed, 1 half-open, 2 open: then nothing is sent to the wallet");
    for (unsigned i = 0; i < count; i++)
        buf_fmt(out, "keer_wallet_breaker{wallet=\"%s\"} %u\n", wallet_name(wallets_at(fw->list, i)), s[i].breaker);
    head(out, "keer_wallet_calls_total", "counter", "calls to a wallet by their end; unknown is settled by asking");
    for (unsigned i = 0; i < count; i++)
        for (int a = 0; a <= WALLET_NOT_SENT; a++)
            buf_fmt(out, "keer_wallet_calls_total{wallet=\"%s\",answer=\"%s\"} %llu\n", wallet_name(wallets_at(fw->list, i)),
                    wallet_answer_name((enum wallet_answer)a), (unsigned long long)s[i].answers[a]);
    head(out, "keer_wallet_refused_total", "counter", "calls that the breaker refused");
    for (unsigned i = 0; i < count; i++)
        buf_fmt(out, "keer_wallet_refused_total{wallet=\"%s\"} %llu\n", wallet_name(wallets_at(fw->list, i)),
                (unsigned long long)s[i].refused);
}

void metrics_get(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct decider_stats *d = decider_statistics(a->decider);
    struct http_stats *h = http_statistics(x->server);
    atomic_uint streams = streams_count(a);
    struct outbox_stats none = {0}, *w = a->outbox ? outbox_statistics(a->outbox) : &none;
    struct notifier_stats quiet = {0}, *n = a->accounts->notifier ? notifier_statistics(a->accounts->notifier) : &quiet;
    struct password_worker_stats *p = password_worker_statistics(a->accounts->passwords);
    struct buf *out = &x->reply;
    head(out, "keer_decisions_total", "counter", "decisions that were committed");
    for (unsigned o = 0; o < KEER_OUTCOME_MAX; o++)
        buf_fmt(out, "keer_decisions_total{outcome=\"%s\"} %llu\n", keer_outcome_name((enum keer_outcome)o),
                (unsigned long long)atomic_load(&d->by_outcome[o]));
    head(out, "keer_http_responses_total", "counter", "answers by status");
    for (unsigned status = 0; status < HTTP_STATUS_MAX; status++)
        if (atomic_load(&h->by_status[status]))
            buf_fmt(out, "keer_http_responses_total{status=\"%u\"} %llu\n", status,
                    (unsigned long long)atomic_load(&h->by_status[status]));
#define API_METRIC(name, kind, help, value) \
    head(out, name, kind, help);            \
    buf_fmt(out, name " %llu\n", (unsigned long long)atomic_load(&value));
#include "api/metrics.def"
#undef API_METRIC
    put_wallets(a->wallets, out);
    head(out, "keer_outbox_oldest_seconds", "gauge", "age of the oldest delivery that waits");
    buf_fmt(out, "keer_outbox_oldest_seconds %.3f\n", outbox_age(a, w));
    head(out, "keer_decision_seconds", "histogram", "from the head of a request to its commit");
    histogram_print(&d->latency, "keer_decision_seconds", out);
    head(out, "keer_commit_seconds", "histogram", "writing and committing one group");
    histogram_print(&d->commit, "keer_commit_seconds", out);
    http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8");
}
