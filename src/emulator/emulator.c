/* emulator.c - the process of the three wallets: what belongs to which, and where faults strike. */
#include "emulator/emulator.h"

#include "base/crypto.h"
#include "emulator/inside.h"

#define OUT_BYTES ((size_t)1 << 20)

/* --- faults around a call --- */

static bool strikes(struct call *c, enum fault fault, int64_t *us)
{
    return fault_strikes(&c->e->faults, fault, c->what, slice_str(c->number), us);
}

enum call_go call_before(struct call *c)
{
    int64_t us = 0;
    if (strikes(c, FAULT_delay_before, &us))
        server_sleep(us);
    c->bad_signature = strikes(c, FAULT_bad_signature, &us);
    c->unsigned_errors = strikes(c, FAULT_unsigned_errors, &us);
    c->an->drop = strikes(c, FAULT_drop_before, &us);
    if (c->an->drop)
        return CALL_DROP;
    return strikes(c, FAULT_error_before, &us) ? CALL_ERROR : CALL_GO;
}

enum call_go call_after(struct call *c)
{
    int64_t us = 0;
    em_journal_wait(c->e->journal, c->e->o.sync ? em_journal_count(c->e->journal) : 0);
    if (strikes(c, FAULT_delay, &us))
        server_sleep(us);
    if (strikes(c, FAULT_slow_body, &us))
        c->an->slow_us = us;
    c->an->drop = strikes(c, FAULT_drop_after, &us);
    if (c->an->drop)
        return CALL_DROP;
    return strikes(c, FAULT_error_after, &us) ? CALL_ERROR : CALL_GO;
}

bool call_bare(struct call *c)
{
    struct hash_key key = {c->e->o.seed, 502};
    struct hash128 h = hash_join(hash_bytes(key, c->number, strlen(c->number)), hash_bytes(key, c->what.p, c->what.len));
    if (h.lo & 1)
        return false;
    c->an->status = 502;
    c->an->type = "text/html";
    buf_clear(&c->an->body);
    buf_clear(&c->an->headers);
    buf_puts(&c->an->body, "<html><body><h1>502 Bad Gateway</h1></body></html>\n");
    return true;
}

void call_charge_faults(struct call *c, struct em_charge *ask)
{
    int64_t us = 0;
    if (strikes(c, FAULT_waits, &us)) {
        ask->due_us = em_now(c->e) + us;
        ask->ends_closed = strikes(c, FAULT_waits_closed, &us);
    }
    ask->taken_minor = ask->asked_minor + strikes(c, FAULT_wrong_amount, &us);
}

void call_refund_faults(struct call *c, struct em_refund *ask)
{
    int64_t us = 0;
    if (strikes(c, FAULT_waits, &us)) {
        ask->due_us = em_now(c->e) + us;
        ask->ends_failed = strikes(c, FAULT_waits_closed, &us);
    }
}

/* --- agreements, whoever signs or ends them --- */

static void tell_agreement(struct emulator *e, const struct em_agreement *a)
{
    struct em_notice n = {.wallet = a->wallet, .kind = EM_NOTICE_AGREEMENT, .agreement = *a};
    notice_send(e, a->notify_url, &n, 0);
}

void signed_now(struct emulator *e, const struct em_agreement *a) { tell_agreement(e, a); }

void ended_now(struct emulator *e, const struct em_agreement *a) { tell_agreement(e, a); }

void return_url(struct emulator *e, const struct em_agreement *a, struct buf *b)
{
    if (!a->return_url[0])
        return;
    buf_puts(b, a->return_url);
    if (a->wallet == EM_WECHATPAY)
        return;
    buf_char(b, strchr(a->return_url, '?') ? '&' : '?');
    if (a->wallet == EM_ALIPAY)
        em_alipay_return(e, a, b);
    else
        em_antom_return(a, b);
}

/* --- what comes in --- */

static void record(struct emulator *e, const struct server_request *rq)
{
    struct buf b;
    if (!e->record)
        return;
    buf_init(&b, SERVER_HEAD_BYTES + 2 * SERVER_BODY_BYTES);
    buf_puts(&b, "\"time\":\"");
    time_print(&b, em_now(e));
    buf_puts(&b, "\",\"head\":");
    buf_json(&b, rq->head);
    buf_puts(&b, ",\"body\":");
    buf_json(&b, rq->body);
    buf_puts(&b, "}\n");
    (void)em_journal_put(e->record, buf_view(&b));
    buf_release(&b);
}

static bool starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.p, prefix, n) == 0;
}

static void handle(void *ctx, const struct server_request *rq, struct server_answer *an)
{
    struct emulator *e = ctx;
    struct call c = {.e = e, .rq = rq, .an = an, .what = rq->path};
    an->status = 200;
    an->type = "application/json";
    buf_init(&c.room, 4 * (SERVER_HEAD_BYTES + SERVER_BODY_BYTES));
    buf_init(&c.out, OUT_BYTES);
    /* It never moves: slices point into it. A query is read three times at most, a body once. */
    (void)buf_reserve(&c.room, 4 * rq->target.len + 2 * rq->body.len + 1024);
    if (!starts(rq->path, "/emulator")) {
        record(e, rq);
        atomic_fetch_add(&e->requests, 1);
    }
    if (slice_eq(rq->path, SLICE("/gateway.do")))
        em_alipay_v2(&c);
    else if (starts(rq->path, "/v3/alipay/"))
        em_alipay_v3(&c);
    else if (starts(rq->path, "/v3/"))
        em_wechatpay_call(&c);
    else if (starts(rq->path, "/ams/api/v1/"))
        em_antom_call(&c);
    else if (starts(rq->path, "/emulator/page/"))
        page_call(&c, slice_of(rq->path.p + strlen("/emulator/page/"), rq->path.len - strlen("/emulator/page/")));
    else
        admin_call(&c);
    tape_release(&c.json);
    buf_release(&c.room);
    buf_release(&c.out);
}

/* --- life --- */

static enum keer_err open_files(struct emulator *e, struct emulator_why *why)
{
    char path[600];
    int n = snprintf(path, sizeof path, "%s/journal.ndjson", e->o.folder);
    if (n < 0 || (size_t)n >= sizeof path) {
        (void)snprintf(why->text, sizeof why->text, "the folder's name is too long");
        return KEER_EINVALID;
    }
    const char *journal = e->o.journal ? e->o.journal : path;
    enum keer_err err = em_journal_open(journal, e->o.sync, &e->journal);
    if (err == KEER_OK && e->o.record) {
        journal = e->o.record;
        err = em_journal_open(journal, false, &e->record);
    }
    if (err != KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "%.200s can't be written", journal);
    return err;
}

enum keer_err emulator_open(const struct emulator_options *o, struct emulator **ret_emulator, struct emulator_why *ret_why)
{
    char why[200] = "";
    struct emulator *e = calloc(1, sizeof *e);
    if (!e)
        return KEER_ENOMEM;
    e->o = *o;
    faults_init(&e->faults, o->seed);
    struct server_options so = {.listen = o->listen, .handle = handle, .ctx = e};
    enum keer_err err = faults_set(&e->faults, slice_str(o->faults), why);
    if (err == KEER_OK)
        err = server_open(&so, &e->server, why);
    if (err == KEER_OK) {
        (void)snprintf(e->url, sizeof e->url, "http://%s", server_address(e->server));
        err = em_keys_make(&e->keys, o, e->url, why);
    }
    (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", why[0] ? why : keer_err_text(err));
    if (err == KEER_OK)
        err = open_files(e, ret_why);
    if (err == KEER_OK)
        err = nonces_new(&e->nonces);
    if (err == KEER_OK)
        err = poster_new(e, &e->poster);
    struct world_options wo = {.seed = o->seed, .journal = e->journal, .wall_us = o->wall_us};
    if (err == KEER_OK)
        err = world_new(&wo, &e->world);
    if (err != KEER_OK) {
        emulator_stop(e);
        return err;
    }
    *ret_emulator = e;
    return KEER_OK;
}

enum keer_err emulator_start(struct emulator *e, struct emulator_why *ret_why)
{
    enum keer_err err = poster_start(e->poster);
    if (err == KEER_OK)
        err = server_start(e->server);
    if (err != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "a thread can't be started");
    return err;
}

const char *emulator_url(const struct emulator *e) { return e->url; }

void emulator_stop(struct emulator *e)
{
    if (!e)
        return;
    server_stop(e->server);
    poster_free(e->poster);
    if (e->world)
        world_due(e->world);
    em_journal_close(e->journal);
    em_journal_close(e->record);
    world_free(e->world);
    nonces_free(e->nonces);
    faults_release(&e->faults);
    em_keys_free(&e->keys);
    free(e);
}
