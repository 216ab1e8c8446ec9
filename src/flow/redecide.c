/* redecide.c - decides a journal again. */
#include "flow/redecide.h"

#include "core/recall.h"
#include "flow/reading.h"
#include "flow/verdict.h"

struct redecide_run {
    const struct redecide *r;
    struct redecide_result *result;
    struct reading *reading;
    struct buf verdict, saw;
};

static void differs(struct redecide_run *s, const struct journal_entry *e, const char *what, struct slice now)
{
    s->result->differences++;
    if (s->r->differs)
        s->r->differs(s->r->ctx, e, what, now);
}

static enum keer_err decide_again(struct redecide_run *s, const struct journal_entry *e, const struct keer_event *ev)
{
    struct keer_decision d;
    enum keer_err err = keer_engine_decide(s->r->engine, ev, &d);
    if (err != KEER_OK)
        return err;
    d.degraded |= e->missing ? KEER_DEGRADED_INPUT : 0;
    s->result->events++;
    bool compare = e->policy == s->r->policy;
    if (!compare && !s->r->decided)
        return KEER_OK;
    s->result->compared += compare;
    buf_clear(&s->verdict);
    err = verdict_print(s->r->engine, ev, &d, &s->verdict);
    if (err == KEER_OK && compare && !slice_eq(buf_view(&s->verdict), e->decision))
        differs(s, e, "decided otherwise", buf_view(&s->verdict));
    if (err == KEER_OK && s->r->decided)
        err = s->r->decided(s->r->ctx, e, &d, buf_view(&s->verdict));
    if (err != KEER_OK || !compare)
        return err;
    buf_clear(&s->saw);
    err = engine_record(s->r->engine, ev, &d, &s->saw);
    if (err == KEER_OK && e->saw.len && !slice_eq(buf_view(&s->saw), e->saw))
        differs(s, e, "the windows told something else", slice_of(NULL, 0));
    return err;
}

static enum keer_err one(struct redecide_run *s, const struct journal_entry *e)
{
    struct reading_error why;
    struct slice canon = {NULL, 0};
    struct crypto_hash hash;
    struct keer_event *ev = NULL;
    if (s->r->each)
        s->r->each(s->r->ctx, e);
    crypto_sha256(e->body, &hash);
    if (e->seq != s->result->last_seq + 1)
        differs(s, e, "numbers are missing before it", slice_of(NULL, 0));
    s->result->last_seq = e->seq;
    if (!crypto_hash_eq(&hash, &e->body_hash))
        differs(s, e, "the body has another hash", slice_of(NULL, 0));
    enum keer_err err = reading_canon(s->reading, e->body, &canon, &why);
    if (err == KEER_OK)
        err = reading_event(s->reading, canon, e->added, &ev, &why);
    if (err == KEER_ENOMEM)
        return err;
    if (err != KEER_OK) {
        differs(s, e, "the body can't be read", slice_str(why.what));
        return KEER_OK;
    }
    if (!slice_eq(ev->id, e->id) || ev->time_us != e->time_us)
        differs(s, e, "id or time are not the body's", ev->id);
    err = decide_again(s, e, ev);
    free(ev);
    return err;
}

void redecide_close(struct redecide_run *s)
{
    if (!s)
        return;
    buf_release(&s->verdict);
    buf_release(&s->saw);
    reading_free(s->reading);
    free(s);
}

enum keer_err redecide_open(const struct redecide *r, struct redecide_result *result, struct redecide_run **ret_run)
{
    struct redecide_run *s = calloc(1, sizeof *s);
    if (!s)
        return KEER_ENOMEM;
    s->r = r;
    s->result = result;
    buf_init(&s->verdict, VERDICT_BYTES);
    buf_init(&s->saw, RECALL_BYTES);
    enum keer_err err = reading_new(&r->engine->policy->schema, &s->reading);
    if (err != KEER_OK)
        redecide_close(s);
    else
        *ret_run = s;
    return err;
}

enum keer_err redecide_step(struct redecide_run *s)
{
    struct journal_entry e;
    enum keer_err err = journal_after(s->r->journal, s->result->last_seq, &e);
    if (err == KEER_OK)
        err = one(s, &e);
    if (err != KEER_OK)
        journal_done(s->r->journal);
    return err;
}

enum keer_err redecide_all(const struct redecide *r, struct redecide_result *ret_result)
{
    struct redecide_run *run = NULL;
    *ret_result = (struct redecide_result){.last_seq = r->after};
    enum keer_err err = redecide_open(r, ret_result, &run);
    while (err == KEER_OK && (!r->upto || ret_result->last_seq < r->upto) && !(r->stop && atomic_load(r->stop)))
        err = redecide_step(run);
    redecide_close(run);
    journal_done(r->journal);
    return err == KEER_EMISSING ? KEER_OK : err;
}
