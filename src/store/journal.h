/* journal.h - what was decided, in order: event, decision, and by which policy.
 *
 * Sequence numbers count from 1 without gaps; an event's id stands in the journal once. A policy is known by the hash of its
 * text and files, and has a number here.
 *
 *     journal_open -> [db_begin, journal_add ..., db_commit] ... -> journal_close
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H
#include "base/buf.h"
#include "base/crypto.h"
#include "store/db.h"

struct journal {
    struct db *db;
    struct db_stmt *add, *add_many, *find, *scan, *last;
    int64_t scan_seq;   /* of the row that journal_after gave last */
    unsigned scan_left; /* rows that the open scan may give still; 0 = none is open */
};

struct journal_entry { /* slices are borrowed: from the caller for journal_add, else until journal_done */
    int64_t seq, time_us, decided_us, policy;
    struct slice id, body, decision;
    struct slice added;           /* attributes that were added to the body, an object; empty when none were */
    bool missing;                 /* something that should have added could not */
    struct slice saw;             /* what the windows told (core/recall.h); empty in rows that are older than this column */
    struct crypto_hash body_hash; /* of body */
};

/* Statements on `db`, which is borrowed and has the current schema. KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err journal_open(struct journal *j, struct db *db);
void journal_close(struct journal *j); /* twice, or when zeroed, is fine */
/* The number of the last row, 0 when there is none. */
KEER_NODISCARD enum keer_err journal_last_seq(struct db *db, int64_t *ret_seq);
/* In a transaction. KEER_ECONFLICT when the id or the number is there already; PostgreSQL may tell that at the commit. */
KEER_NODISCARD enum keer_err journal_add(struct journal *j, const struct journal_entry *e);
/* The same for entries that follow each other; JOURNAL_TOGETHER of them are one statement where that is cheaper. */
#define JOURNAL_TOGETHER 4
KEER_NODISCARD enum keer_err journal_add_all(struct journal *j, const struct journal_entry *e, unsigned count);
/* KEER_EMISSING when there is no such event. */
KEER_NODISCARD enum keer_err journal_find(struct journal *j, struct slice id, struct journal_entry *ret_entry);
/* The first entry whose number is above `seq`: KEER_EMISSING at the end. Called with the number that it gave last it goes on
 * in the same piece of the journal (256 rows of one snapshot) unless journal_done ended that; the slices of the entry before
 * are gone then. */
KEER_NODISCARD enum keer_err journal_after(struct journal *j, int64_t seq, struct journal_entry *ret_entry);
/* The newest entry: KEER_EMISSING when there is none. */
KEER_NODISCARD enum keer_err journal_last(struct journal *j, struct journal_entry *ret_entry);
/* Ends a find, after or last: until then the connection sees an old snapshot, and what it sees can't be checkpointed away.
 */
void journal_done(struct journal *j);
#endif
