/* records.c - decisions that were made, looked at. */
#include "flow/records.h"

#include <pthread.h>

#include "core/recall.h"
#include "flow/reading.h"
#include "flow/source.h"
#include "flow/verdict.h"

struct records {
    pthread_mutex_t lock;
    struct db *db;
    struct journal journal;
    struct keer_engine *engine;
    struct reading *reading;
    int64_t policy;        /* the number of the one that `engine` and `reading` are for; 0 = it decided nothing here */
    struct version *other; /* when it is not the one that was given */
    struct buf verdict;
};

void records_close(struct records *r)
{
    if (!r)
        return;
    journal_close(&r->journal);
    db_close(r->db);
    keer_engine_free(r->engine);
    reading_free(r->reading);
    version_free(r->other);
    buf_release(&r->verdict);
    free(r);
}

enum keer_err records_open(const struct records_options *o, struct records **ret_records, struct db_why *ret_why)
{
    struct records *r = calloc(1, sizeof *r);
    enum keer_err err = r ? keer_engine_new(o->policy, NULL, &r->engine) : KEER_ENOMEM;
    if (err == KEER_OK)
        err = reading_new(&o->policy->schema, &r->reading);
    (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(err));
    if (err == KEER_OK) {
        (void)pthread_mutex_init(&r->lock, NULL);
        buf_init(&r->verdict, VERDICT_BYTES);
        err = db_open(o->database, DB_READ, &r->db, ret_why);
    }
    if (err == KEER_OK)
        err = db_migrate(r->db, 0, ret_why);
    if (err != KEER_OK) {
        records_close(r);
        return err;
    }
    err = policies_number(r->db, &o->policy_hash, &r->policy);
    if (err == KEER_OK)
        err = journal_open(&r->journal, r->db);
    if (err != KEER_OK) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", err == KEER_EIO ? db_why(r->db) : keer_err_text(err));
        records_close(r);
        return err;
    }
    *ret_records = r;
    return KEER_OK;
}

/* Which policy it was, for KEER_EVERSION. */
static enum keer_err say_policy(struct records *r, int64_t number, struct records_why *why)
{
    struct policy_row row;
    enum keer_err err = policies_get(r->db, number, &row);
    const unsigned char *hash = row.hash.bytes;
    if (err == KEER_OK)
        (void)snprintf(why->text, sizeof why->text, "policy %lld made this decision, '%.200s' of hash %02x%02x%02x%02x...",
                       (long long)number, row.name, hash[0], hash[1], hash[2], hash[3]);
    return err == KEER_OK ? KEER_EVERSION : err;
}

/* Decides from the record, and holds the result against what was stored. */
static enum keer_err recall(struct records *r, const struct journal_entry *e, const struct keer_event *ev,
                            struct keer_decision *d)
{
    enum keer_err err = engine_recall(r->engine, ev, e->saw, d);
    buf_clear(&r->verdict);
    if (err == KEER_OK)
        d->degraded |= e->missing ? KEER_DEGRADED_INPUT : 0;
    if (err == KEER_OK)
        err = verdict_print(r->engine, ev, d, &r->verdict);
    if (err == KEER_OK && !slice_eq(buf_view(&r->verdict), e->decision))
        err = KEER_EFORMAT;
    return err == KEER_ENOMEM || err == KEER_OK ? err : KEER_EFORMAT;
}

/* Makes ready for a decision of another version, which the database has. */
static enum keer_err use_version(struct records *r, int64_t number, struct records_why *why)
{
    struct version *v = NULL;
    struct keer_engine *engine = NULL;
    struct reading *reading = NULL;
    enum keer_err err = version_load(r->db, number, &v);
    if (err == KEER_EMISSING)
        return say_policy(r, number, why);
    if (err == KEER_OK)
        err = keer_engine_new(v->policy, NULL, &engine);
    if (err == KEER_OK)
        err = reading_new(&v->policy->schema, &reading);
    if (err != KEER_OK) {
        keer_engine_free(engine);
        version_free(v);
        return err;
    }
    keer_engine_free(r->engine);
    reading_free(r->reading);
    version_free(r->other);
    r->engine = engine;
    r->reading = reading;
    r->other = v;
    r->policy = number;
    return KEER_OK;
}

static enum keer_err explain(struct records *r, const struct journal_entry *e, enum explain_form form, unsigned top,
                             struct buf *out, struct records_why *why)
{
    struct slice canon = {NULL, 0};
    struct reading_error wrong;
    struct keer_event *ev = NULL;
    struct keer_decision d;
    enum keer_err err = e->policy == r->policy ? KEER_OK : use_version(r, e->policy, why);
    if (err != KEER_OK)
        return err;
    if (!e->saw.len) {
        (void)snprintf(why->text, sizeof why->text, "what the windows told this decision was not kept");
        return KEER_EUNSUPPORTED;
    }
    err = reading_canon(r->reading, e->body, &canon, &wrong);
    if (err == KEER_OK)
        err = reading_event(r->reading, canon, e->added, &ev, &wrong);
    if (err == KEER_OK)
        err = recall(r, e, ev, &d);
    else if (err != KEER_ENOMEM)
        err = KEER_EFORMAT;
    if (err == KEER_EFORMAT)
        (void)snprintf(why->text, sizeof why->text, "row %lld of the journal does not give its own decision",
                       (long long)e->seq);
    if (err == KEER_OK)
        err = engine_explain(r->engine, ev, &d, form, top, out);
    free(ev);
    return err;
}

enum keer_err records_explain(struct records *r, struct slice id, enum explain_form form, unsigned top, struct buf *out,
                              struct records_why *ret_why)
{
    struct journal_entry e;
    ret_why->text[0] = '\0';
    (void)pthread_mutex_lock(&r->lock);
    enum keer_err err = journal_find(&r->journal, id, &e);
    if (err == KEER_OK)
        err = explain(r, &e, form, top, out, ret_why);
    if (err == KEER_EIO)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%.250s", db_why(r->db));
    journal_done(&r->journal);
    (void)pthread_mutex_unlock(&r->lock);
    return err;
}
