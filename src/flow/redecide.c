/* redecide.c - decides a journal again. */
#include "flow/redecide.h"

#include "flow/reading.h"
#include "flow/verdict.h"

struct state {
    const struct redecide *r;
    struct redecide_result *result;
    struct reading *reading;
    struct buf verdict;
};

static void differs(struct state *s, const struct journal_entry *e, const char *what, struct slice now)
{
    s->result->differences++;
    if (s->r->differs)
        s->r->differs(s->r->ctx, e, what, now);
}

static enum keer_err decide_again(struct state *s, const struct journal_entry *e, const struct keer_event *ev)
{
    struct keer_decision d;
    enum keer_err err = keer_engine_decide(s->r->engine, ev, &d);
    if (err != KEER_OK)
        return err;
    s->result->events++;
    if (e->policy != s->r->policy)
        return KEER_OK;
    s->result->compared++;
    buf_clear(&s->verdict);
    err = verdict_print(s->r->engine, ev, &d, &s->verdict);
    if (err == KEER_OK && !slice_eq(buf_view(&s->verdict), e->decision))
        differs(s, e, "decided otherwise", buf_view(&s->verdict));
    return err;
}

static enum keer_err one(struct state *s, const struct journal_entry *e)
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
        err = reading_event(s->reading, canon, &ev, &why);
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

enum keer_err redecide_run(const struct redecide *r, struct redecide_result *ret_result)
{
    struct state s = {.r = r, .result = ret_result};
    *ret_result = (struct redecide_result){.last_seq = r->after};
    buf_init(&s.verdict, VERDICT_BYTES);
    enum keer_err err = reading_new(&r->engine->policy->schema, &s.reading);
    while (err == KEER_OK && (!r->upto || ret_result->last_seq < r->upto) && !(r->stop && atomic_load(r->stop))) {
        struct journal_entry e;
        err = journal_after(r->journal, ret_result->last_seq, &e);
        if (err == KEER_OK)
            err = one(&s, &e);
        journal_done(r->journal);
    }
    buf_release(&s.verdict);
    reading_free(s.reading);
    return err == KEER_EMISSING ? KEER_OK : err;
}
