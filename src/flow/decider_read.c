/* decider_read.c - what is stored, for whoever asks: on the reading connection that the threads of HTTP share. */
#include "flow/decider_inside.h"

enum keer_err decider_find(struct decider *d, struct slice id, struct buf *out)
{
    struct journal_entry e;
    (void)pthread_mutex_lock(&d->api_lock);
    enum keer_err err = journal_find(&d->api_journal, id, &e);
    if (err == KEER_OK)
        buf_slice(out, e.decision);
    journal_done(&d->api_journal);
    (void)pthread_mutex_unlock(&d->api_lock);
    return err != KEER_OK ? err : out->err;
}

/* A stored decision is verdict_print's: its first `,"outcome":"` is no part of a text, where quotes are escaped. */
static uint32_t outcome_of(struct slice decision)
{
    static const char before[] = ",\"outcome\":\"";
    const char *at = memmem(decision.p, decision.len, before, sizeof before - 1);
    if (!at)
        return 0;
    struct slice rest = slice_of(at + sizeof before - 1, decision.len - (size_t)(at - decision.p) - (sizeof before - 1));
    struct slice name = slice_cut(&rest, '"');
    for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
        if (slice_eq(name, slice_str(keer_outcome_name((enum keer_outcome)i))))
            return 1u << i;
    return 0;
}

enum keer_err decider_next(struct decider *d, int64_t seq, int64_t *ret_seq, uint32_t *ret_outcomes, struct buf *out)
{
    struct journal_entry e;
    (void)pthread_mutex_lock(&d->api_lock);
    enum keer_err err = journal_after(&d->api_journal, seq, &e);
    if (err == KEER_OK) {
        *ret_seq = e.seq;
        *ret_outcomes = outcome_of(e.decision);
        buf_slice(out, slice_trim(e.decision));
    }
    journal_done(&d->api_journal);
    (void)pthread_mutex_unlock(&d->api_lock);
    return err != KEER_OK ? err : out->err;
}
