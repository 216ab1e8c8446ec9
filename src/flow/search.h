/* search.h - decisions by account, outcome, rule, type and time, the newest first, a page at a time.
 *
 *     search_submit ─► [waiting] ─► one worker: rows after the last run of store/found.h, then the runs backwards ─► done
 *
 * Invariants
 * 1. Every row that is a candidate is compared with the query itself: what is given out is exact.
 * 2. A page goes on where the one before ended, by sequence number, so that what is decided meanwhile moves nothing.
 * 3. The cursor is that number, signed with a secret of the database together with the query: one that was made up, or that
 *    belongs to another query, is refused. `limit` may change between pages.
 * 4. One request looks at SEARCH_ROWS_MAX rows and SEARCH_BUCKETS_MAX buckets at most. When that is used up its page is
 * short, or empty, and has a cursor to go on.
 * 5. Decisions do not wait for searches: one thread, one reading connection, at most SEARCH_WAITING_MAX requests.
 */
#ifndef FLOW_SEARCH_H
#define FLOW_SEARCH_H
#include "base/buf.h"
#include "base/crypto.h"
#include "flow/decider.h"

#define SEARCH_LIMIT_MAX 500u
#define SEARCH_PAGE_BYTES ((size_t)512 << 10) /* a page ends with the decision that reaches it */
#define SEARCH_ROWS_MAX 8192u
#define SEARCH_BUCKETS_MAX 1024u
#define SEARCH_WAITING_MAX 64u

struct search_query { /* p NULL: any */
    struct slice account, outcome, rule, type;
    int64_t from_us, to_us; /* decided at or after, and before; INT64_MIN and INT64_MAX: any */
    unsigned limit;         /* 1..SEARCH_LIMIT_MAX */
    struct slice cursor;    /* p NULL: the newest */
};

struct search_request {
    struct search_query query;              /* its texts stay until `done` */
    void (*done)(struct search_request *r); /* on the worker's thread; must not block; `r` may be gone afterwards */
    void *ctx;
    /* the answer */
    enum keer_err err; /* KEER_EINVALID: the cursor is none of this query; KEER_EIO, KEER_ENOMEM, KEER_EFORMAT; and
                          KEER_EUNSUPPORTED when it was stopped before */
    struct buf out;    /* {"decisions":[...],"next":CURSOR or null} and a newline; the caller releases it */
    struct search_request *next;
};

struct search;
/* Between decider_new and decider_start. On failure *ret_why says it. */
KEER_NODISCARD enum keer_err search_new(struct decider *d, const char *database, const struct log *log,
                                        struct search **ret_search, struct db_why *ret_why);
/* Starts the worker and the indexer, after decider_start. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err search_start(struct search *s);
/* KEER_EFULL; KEER_EUNSUPPORTED when it does not run (any more): then `done` is not called. Any thread. */
KEER_NODISCARD enum keer_err search_submit(struct search *s, struct search_request *r);
/* Answers what waits and ends the threads, before decider_stop and http_stop. NULL, twice, or without start, is fine. */
void search_stop(struct search *s);
void search_free(struct search *s); /* NULL is fine */

/* --- cursors (search_cursor.c): pure, for tests too --- */
#define CURSOR_TEXT_BYTES CRYPTO_TEXT_BYTES
void cursor_print(const struct crypto_hash *secret, const struct search_query *q, int64_t seq,
                  char ret_text[CURSOR_TEXT_BYTES]);
/* The number in `text`, KEER_EINVALID when it was not made under this secret for this query. */
KEER_NODISCARD enum keer_err cursor_parse(const struct crypto_hash *secret, const struct search_query *q, struct slice text,
                                          int64_t *ret_seq);
#endif
