/* found.h - by what decisions are found: for every FOUND_ROWS rows of the journal, a bucket, a run of terms and their
 * places.
 *
 *     bucket 0: rows 1..2048   bucket 1: rows 2049..4096   ...      the rows after the last whole bucket have no run yet
 *     found:     bucket | term | places             one row for each term of a bucket, in the order of the primary key
 *     found_run: bucket                             the run is there, all of it
 *
 * A term is an account, an outcome, a rule that matched or a type of event, as a 64-bit hash keyed with a secret of the
 * database: nobody can make two accounts meet. Should two meet by chance, what is found is still only a candidate: whoever
 * searches compares the row itself.
 * Places are numbers of rows within the bucket, 0..2047, ascending, as gaps (LEB128, each less the one before less one), or
 * as a bit map where that would not be shorter. So a list has 1 to 256 bytes, and is a map exactly when it has 256.
 *
 * Invariants
 * 1. Buckets are written in order and once: found_run holds 0..n-1 and nothing else.
 * 2. A run is written in one transaction, in the order of its key, so that it is appended.
 */
#ifndef STORE_FOUND_H
#define STORE_FOUND_H
#include "base/crypto.h"
#include "base/hash.h"
#include "store/db.h"

#define FOUND_ROWS 2048
#define FOUND_PLACES_BYTES (FOUND_ROWS / 8)
enum found_what { FOUND_ACCOUNT, FOUND_RULE, FOUND_OUTCOME, FOUND_TYPE, FOUND_WHAT_MAX };

/* The term of a text, under a database's secret. */
int64_t found_term(const struct crypto_hash *secret, enum found_what what, struct slice text);
static inline int64_t found_bucket(int64_t seq) { return (seq - 1) / FOUND_ROWS; }
static inline unsigned found_place(int64_t seq) { return (unsigned)((seq - 1) % FOUND_ROWS); }
static inline int64_t found_first(int64_t bucket) { return bucket * FOUND_ROWS + 1; } /* its first row */

/* --- lists of places --- */
struct found_places {
    uint64_t word[FOUND_ROWS / 64];
};
static inline bool found_has(const struct found_places *p, unsigned place) { return p->word[place / 64] >> place % 64 & 1; }
/* Packs 1..FOUND_ROWS places, ascending and different; the bytes that it took. */
size_t found_pack(const uint16_t *place, size_t count, unsigned char ret_bytes[FOUND_PLACES_BYTES]);
/* KEER_EFORMAT for what found_pack did not write; a map is taken even where a list would be shorter. */
KEER_NODISCARD enum keer_err found_unpack(struct slice bytes, struct found_places *ret_places);

/* --- writing --- */
struct found_item {
    int64_t term;
    uint16_t place;
};
struct found_run { /* starts as {0} */
    int64_t bucket;
    struct found_item *item;
    size_t count, cap;
};
KEER_NODISCARD enum keer_err found_add(struct found_run *r, int64_t term, unsigned place);
void found_sort(struct found_run *r);
void found_release(struct found_run *r);
/* Writes a sorted run; in a transaction. KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err found_put(struct db *db, const struct found_run *r);

/* --- reading --- */
#define FIND_ROWS_MAX 16u /* that find_rows gives at once */
#define FIND_SCAN_MAX 128u
struct find { /* statements on a connection that is borrowed */
    struct db *db;
    struct db_stmt *runs[FOUND_WHAT_MAX], *rows, *scan, *at, *newest, *buckets;
};
struct find_row { /* borrowed until the next row or find_done */
    int64_t seq;
    struct slice body, decision;
};
KEER_NODISCARD enum keer_err find_open(struct find *f, struct db *db);
void find_close(struct find *f); /* zeroed is fine */
/* The newest row of the journal, 0 for none; the number of buckets. */
KEER_NODISCARD enum keer_err find_newest(struct find *f, int64_t *ret_seq);
KEER_NODISCARD enum keer_err find_buckets(struct find *f, int64_t *ret_count);
/* The first row of 1..newest that was decided at or after a time; newest + 1 when none was. By halving: times of decision
 * never go back along the rows (flow/decider.h). */
KEER_NODISCARD enum keer_err find_since(struct find *f, int64_t time_us, int64_t newest, int64_t *ret_seq);
/* Up to `max` buckets from `newest` down to `oldest`: begins it, then find_run gives one after the other, KEER_EMISSING at
 * the end. *ret_places are the places that have all the terms, FOUND_WHAT_MAX at most and one at least. */
void find_runs(struct find *f, const int64_t *terms, unsigned count, int64_t newest, int64_t oldest, unsigned max);
KEER_NODISCARD enum keer_err find_run(struct find *f, unsigned count, int64_t *ret_bucket, struct found_places *ret_places);
void find_runs_done(struct find *f, unsigned count);
/* Rows, the newest first: those of these numbers (FIND_ROWS_MAX at most), or FIND_SCAN_MAX of newest..oldest. Then find_row
 * gives one after the other, KEER_EMISSING at the end. */
struct db_stmt *find_rows(struct find *f, const int64_t *seq, unsigned count);
struct db_stmt *find_scan(struct find *f, int64_t newest, int64_t oldest);
KEER_NODISCARD enum keer_err find_row(struct db_stmt *s, struct find_row *ret_row);
#endif
