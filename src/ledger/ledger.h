/* ledger.h - double-entry accounts: money moves between two of them or not at all.
 *
 *     PENDING ──► posted (POST, of the whole amount or less: the rest is let go)      each at most once
 *        ├──────► voided (VOID)
 *        └──────► expired (EXPIRE, when its time is over: ledger_expire_due)          TRANSFER: posted at once
 *
 * An account has four sums, in minor units of its currency: debits and credits, pending and posted. A pending transfer
 * reserves: it counts in the pending sums of both accounts until it is posted, voided or expired.
 *
 * Invariants
 * 1. Debits equal credits, per currency, pending and posted, after every call: both sides change in one transaction.
 * 2. A transfer has an id of its client's making. The same again is EXISTS and changes nothing; the same id with anything
 *    else is EXISTS_OTHER_..., and changes nothing.
 * 3. Linked transfers, those of one ledger_apply, stand all in the ledger or none does.
 * 4. Limits hold at the pending step already: LEDGER_DEBITS_LIMITED: debits, pending ones too, never exceed posted credits;
 *    LEDGER_CREDITS_LIMITED: the reverse. So what is reserved can always be posted.
 * 5. Entries are never changed or removed; a correction is another transfer, with a reason.
 * 6. Each entry has the SHA-256 of the one before it and of all that it says, so that whoever changes one must change all
 *    after it; ledger_verify recomputes hashes, states and sums from the entries alone.
 * 7. Times come from outside and never go back along the numbers: an earlier `now_us` is taken as the last entry's.
 * Functions that write want a transaction of the writing connection: on any KEER_* error it must be rolled back.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H
#include "base/currency.h"
#include "base/id.h"
#include "store/db.h"

#define LEDGER_LINKED_MAX 16  /* transfers of one call */
#define LEDGER_NAME_BYTES 100 /* of an account */
#define LEDGER_REF_BYTES 64   /* of a transfer */
#define LEDGER_REASON_BYTES 200

#define LEDGER_DEBITS_LIMITED 1u
#define LEDGER_CREDITS_LIMITED 2u

struct ledger_sums {
    int64_t debits_pending, debits_posted, credits_pending, credits_posted;
};
struct ledger_account {
    struct id id;
    char name[LEDGER_NAME_BYTES + 1]; /* parts of a-z 0-9 _ -, joined by ':', as wallet:alipay:clearing; unique */
    enum currency currency;
    unsigned flags;                /* LEDGER_x_LIMITED */
    struct ledger_sums sums;       /* read */
    int64_t created_us, closed_us; /* read; closed_us 0: it is open */
};
/* Opens an account; an equal one that is there already is fine. KEER_ECONFLICT when the id or the name is another one's;
 * KEER_EINVALID for a name, a currency or flags that can't be. */
KEER_NODISCARD enum keer_err ledger_open(struct db *db, const struct ledger_account *account, int64_t now_us);
/* No transfer meets it any more. KEER_EMISSING; KEER_EINVALID while something is pending, or debits differ from credits. */
KEER_NODISCARD enum keer_err ledger_close(struct db *db, const struct id *account, int64_t now_us);
/* KEER_EMISSING. Any connection. */
KEER_NODISCARD enum keer_err ledger_account(struct db *db, const struct id *account, struct ledger_account *ret_account);
KEER_NODISCARD enum keer_err ledger_account_named(struct db *db, struct slice name, struct ledger_account *ret_account);

/* The numbers are in the database. */
enum ledger_kind { LEDGER_TRANSFER, LEDGER_PENDING, LEDGER_POST, LEDGER_VOID, LEDGER_EXPIRE, LEDGER_KIND_MAX };
const char *ledger_kind_name(enum ledger_kind kind);
#define LEDGER_ALL INT64_C(0) /* amount of a POST: what is pending */
struct ledger_transfer {
    enum ledger_kind kind; /* EXPIRE is the ledger's own */
    struct id id;
    struct id debit, credit; /* TRANSFER, PENDING; filled in for the others */
    struct id pending;       /* POST, VOID, EXPIRE: which one */
    enum currency currency;  /* TRANSFER, PENDING */
    int64_t amount_minor;    /* TRANSFER, PENDING: above 0. POST: up to the pending amount, or LEDGER_ALL. VOID: 0 */
    int64_t expires_us;      /* PENDING; 0: never */
    /* What it belongs to, for statements: an agreement. May be empty: one that settles then has that of its pending one. */
    char ref[LEDGER_REF_BYTES + 1];
    char reason[LEDGER_REASON_BYTES + 1]; /* in words. May be empty */
    /* read */
    int64_t number, at_us;
    struct crypto_hash hash;
};
enum ledger_result {
#define LEDGER_RESULT(name, done, text) LEDGER_##name,
#include "ledger/ledger_results.def"
#undef LEDGER_RESULT
    LEDGER_RESULT_MAX
};
const char *ledger_result_name(enum ledger_result result);
const char *ledger_result_text(enum ledger_result result);
bool ledger_result_done(enum ledger_result result);

/* Applies 1 to LEDGER_LINKED_MAX transfers in their order, or none: *ret_done says which, and results[i] what became of each
 * (the one that failed says why, the others LINKED_FAILED). Transfers that exist, all of them, are done. KEER_EIO,
 * KEER_EFORMAT when the database holds what the ledger did not write. */
KEER_NODISCARD enum keer_err ledger_apply(struct db *db, const struct ledger_transfer *transfers, unsigned count,
                                          int64_t now_us, enum ledger_result *results, bool *ret_done);
/* Lets go what is pending past its time, at most `max` of them: how many. */
KEER_NODISCARD enum keer_err ledger_expire_due(struct db *db, int64_t now_us, unsigned max, unsigned *ret_count);

/* --- reading: any connection, one snapshot --- */
/* KEER_EMISSING. */
KEER_NODISCARD enum keer_err ledger_find(struct db *db, const struct id *transfer, struct ledger_transfer *ret_transfer);
enum ledger_state { LEDGER_IS_PENDING, LEDGER_IS_POSTED, LEDGER_IS_VOIDED, LEDGER_IS_EXPIRED, LEDGER_STATE_MAX };
const char *ledger_state_name(enum ledger_state state);
/* What became of a pending transfer; *ret_posted_minor what was posted of it. KEER_EMISSING. */
KEER_NODISCARD enum keer_err ledger_state(struct db *db, const struct id *pending, enum ledger_state *ret_state,
                                          int64_t *ret_posted_minor);
/* Entries after a number, in their order, of an account (`account` not NULL), of a reference (`ref` not empty), or all.
 * `each` ends it with an error of its own. At most `max`; *ret_last is the number of the last one. */
typedef enum keer_err ledger_each_fn(void *ctx, const struct ledger_transfer *transfer);
struct ledger_query {
    const struct id *account;
    struct slice ref;
    int64_t after;
    unsigned max;
};
KEER_NODISCARD enum keer_err ledger_each(struct db *db, const struct ledger_query *q, ledger_each_fn *each, void *ctx,
                                         int64_t *ret_last);
typedef enum keer_err ledger_account_fn(void *ctx, const struct ledger_account *account);
KEER_NODISCARD enum keer_err ledger_accounts(struct db *db, ledger_account_fn *each, void *ctx); /* by name */
/* At most `max` of those whose name begins with a text (empty: all), after a name (empty: the first). */
KEER_NODISCARD enum keer_err ledger_accounts_page(struct db *db, struct slice begins, struct slice after, unsigned max,
                                                  ledger_account_fn *each, void *ctx);

/* --- statements (ledger_statement.c): any connection, one snapshot --- */
/* The number of the last entry before a time, 0 when there is none. */
KEER_NODISCARD enum keer_err ledger_number_before(struct db *db, int64_t at_us, int64_t *ret_number);
/* A statement of an account from one time to another, or of what in it belongs to one reference: what it had, each entry
 * that moved money with what it had then, what it had at the end, and apart from that what was pending then.
 *     opening + lines = closing, in both sums; a page that goes on `after` a line opens with what stood after that line. */
struct ledger_statement_query {
    const struct id *account;
    struct slice ref;       /* empty: all */
    int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: from the first, up to the last */
    int64_t after;          /* number of the last line of the page before; 0 */
    unsigned max;           /* lines; 0: all */
};
struct ledger_line {
    const struct ledger_transfer *entry;
    const char *other;     /* name of the account on its other side */
    int64_t debit_minor;   /* what it did to this account: above 0 a debit, below a credit */
    int64_t balance_minor; /* posted debits less posted credits, after it */
};
struct ledger_statement {
    struct ledger_account account;
    int64_t opening_debits, opening_credits, closing_debits, closing_credits; /* posted */
    int64_t pending_debits, pending_credits; /* at the end of the time asked for; told with the last page */
    unsigned lines, pending;
    int64_t last; /* number of the last line; of what came before when there is none */
    bool more;    /* there are further lines: the closing is then of this page */
};
struct ledger_teller { /* what is told, in this order; `opened` may be NULL */
    enum keer_err (*opened)(void *ctx, const struct ledger_statement *s); /* account and opening are there */
    enum keer_err (*line)(void *ctx, const struct ledger_line *line);
    enum keer_err (*pending)(void *ctx, const struct ledger_line *line); /* balance_minor is 0 */
    void *ctx;
};
/* KEER_EMISSING: no such account. Errors of the teller end it. */
KEER_NODISCARD enum keer_err ledger_statement(struct db *db, const struct ledger_statement_query *q,
                                              const struct ledger_teller *to, struct ledger_statement *ret_statement);

/* --- names of accounts, for who reads many entries: a few are kept. Starts as {0} with its connection --- */
#define LEDGER_NAMES_KEPT 256
struct ledger_names {
    struct db *db;
    struct ledger_account kept[LEDGER_NAMES_KEPT];
};
/* Borrowed until the next call for another account. KEER_EFORMAT when it is not there: no entry is without its accounts. */
KEER_NODISCARD enum keer_err ledger_names_find(struct ledger_names *n, const struct id *account,
                                               const struct ledger_account **ret_account);

/* --- checking and exporting --- */
struct ledger_report {
    int64_t entries, accounts, pending; /* pending: still so */
    struct crypto_hash head;            /* of the last entry */
    unsigned faults;                    /* and the first of them: */
    int64_t fault_number;               /* an entry's; 0: an account, or a sum */
    char fault[200];
};
/* Recomputes everything from the entries. KEER_OK with report.faults; KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err ledger_verify(struct db *db, struct ledger_report *ret_report);
/* The posted entries as a journal that hledger and ledger read: commodities and accounts declared, a transaction for each
 * entry that moved money; what is pending stands as comments. `put` gets pieces of the text. */
typedef enum keer_err ledger_put_fn(void *ctx, struct slice piece);
KEER_NODISCARD enum keer_err ledger_export(struct db *db, ledger_put_fn *put, void *ctx);
#endif
