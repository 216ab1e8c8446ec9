/* decider_write.c - what is written beside decisions, on the writer's thread: alone, or many in one commit.
 *
 * A commit costs a sync, whatever is in it. Tasks that come `together` share one, each in a part of its own (db_mark), so
 * that what goes wrong with one is taken back alone.
 */
#include "flow/decider_inside.h"

#define TOGETHER_MAX 64 /* tasks of a commit: decisions wait behind it */

static enum keer_err run_alone(struct decider *d, struct write_task *t)
{
    enum keer_err err = decider_failed(d) ? KEER_EIO : db_begin(d->writer);
    if (err != KEER_OK)
        return err;
    err = t->run(d->writer, t);
    enum db_outcome outcome = err == KEER_OK ? db_commit(d->writer) : DB_NOT_COMMITTED;
    if (outcome == DB_UNKNOWN) /* what follows would be built on what may not be there */
        decider_fail(d, "a commit ended unknown", db_why(d->writer));
    db_rollback(d->writer);
    return err == KEER_OK && outcome != DB_COMMITTED ? KEER_EIO : err;
}

/* One part of a group. *ret_lost: the whole transaction is. */
static enum keer_err run_part(struct decider *d, struct write_task *t, bool *ret_lost)
{
    enum keer_err err = db_mark(d->writer);
    *ret_lost = err != KEER_OK;
    if (*ret_lost)
        return err;
    err = t->run(d->writer, t);
    enum keer_err kept = err == KEER_OK ? db_keep(d->writer) : err;
    *ret_lost = kept != KEER_OK && db_back(d->writer) != KEER_OK;
    return kept;
}

/* Runs list[0..count): how many have an end now. Those behind a lost transaction have none yet, and are run again. */
static unsigned run_group(struct decider *d, struct write_task *list, unsigned count, enum keer_err *ends)
{
    struct write_task *t = list;
    bool lost = decider_failed(d) || db_begin(d->writer) != KEER_OK;
    unsigned n = 0;
    for (; !lost && n < count; t = t->next)
        ends[n] = run_part(d, t, &lost), n++;
    enum db_outcome outcome = lost || !n ? DB_NOT_COMMITTED : db_commit(d->writer);
    if (outcome == DB_UNKNOWN)
        decider_fail(d, "a commit ended unknown", db_why(d->writer));
    db_rollback(d->writer);
    if (!n) /* not even begun: as each of them alone would have it */
        for (; n < count; n++)
            ends[n] = KEER_EIO;
    if (outcome != DB_COMMITTED)
        for (unsigned i = 0; i < n; i++)
            if (ends[i] == KEER_OK)
                ends[i] = KEER_EIO;
    return n;
}

void decider_run_tasks(struct decider *d, struct write_task *list)
{
    enum keer_err ends[TOGETHER_MAX];
    while (list) {
        unsigned count = 0;
        for (struct write_task *t = list; t && t->together && count < TOGETHER_MAX; t = t->next)
            count++;
        if (count > 1) {
            count = run_group(d, list, count, ends);
        } else {
            count = 1;
            ends[0] = run_alone(d, list);
        }
        for (unsigned i = 0; i < count; i++) {
            struct write_task *t = list;
            list = t->next;
            t->done(t, ends[i]); /* t may be gone afterwards */
        }
    }
}

enum keer_err decider_write(struct decider *d, struct write_task *t)
{
    t->next = NULL;
    if (decider_failed(d))
        return KEER_EIO;
    (void)pthread_mutex_lock(&d->decided_lock);
    bool ended = d->writer_ended || !d->threads;
    if (!ended) {
        *d->tasks_end = t;
        d->tasks_end = &t->next;
        (void)pthread_cond_signal(&d->decided_filled);
    }
    (void)pthread_mutex_unlock(&d->decided_lock);
    return ended ? KEER_EUNSUPPORTED : KEER_OK;
}
