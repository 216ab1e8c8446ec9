/* reconcile.h - a wallet's statement against our books: what differs, and what would put it right.
 *
 *     bill.h ─► reconcile_line ... ─► reconcile_compare ─► differences, each with its fix ─► reconcile_fix (when told to)
 *
 * What is compared, for each of our numbers: what the wallet says it took or gave back, with what stands for it on the
 * wallet's clearing account in the ledger (its posting, what went to the suspense account, earlier fixes); then the state of
 * the row with both. So what an earlier fix has explained is no difference any more.
 *
 * Invariants
 * 1. Comparing changes nothing, and reads one snapshot.
 * 2. A fix is a transfer with a reason, or a change of state that charge.h, refund.h or agreement.h make as if the wallet
 * had been asked; its transfer's id follows from the row and from how many fixes there were before: the same fix again
 * changes nothing.
 * 3. Money that nobody can explain goes to, or comes from, suspense:<wallet>:<currency>; nothing is rounded, dropped or
 * guessed.
 * 4. A row that the statement does not name is a difference only when it lies wholly in the statement's time, and has been
 * there for `grace_us` before its end: what was under way may come in the next one.
 * 5. Of a statement what is kept is a row for each number; of the ledger one for each entry of the wallet's account.
 */
#ifndef FLOW_RECONCILE_H
#define FLOW_RECONCILE_H
#include "flow/bill.h"
#include "wallet/refund.h"

enum difference_kind {
#define DIFFERENCE(name, text, counts, what, fix) DIFFERENCE_##name,
#include "flow/differences.def"
#undef DIFFERENCE
    DIFFERENCE_MAX
};
const char *difference_name(enum difference_kind kind);
const char *difference_what(enum difference_kind kind);
const char *difference_fix(enum difference_kind kind); /* in words */
bool difference_counts(enum difference_kind kind);     /* false: a remark */

enum reconcile_fix {
    RECONCILE_NOTHING, /* nothing can be done from here, or nothing has to be */
    RECONCILE_TRANSFER,
    RECONCILE_SETTLE_CHARGE,
    RECONCILE_SETTLE_REFUND,
    RECONCILE_WALLET_REFUND, /* of the wallet's own */
    RECONCILE_POST,          /* what is reserved and was never posted */
    RECONCILE_END_AGREEMENT
};
struct reconcile_transfer { /* as it would stand in the ledger */
    char debit[LEDGER_NAME_BYTES + 1], credit[LEDGER_NAME_BYTES + 1];
    int64_t amount_minor;
    enum currency currency;
};
#define RECONCILE_NUMBER_BYTES 64
struct difference {
    enum difference_kind kind;
    char number[RECONCILE_NUMBER_BYTES + 1];     /* ours; of what has none here, theirs */
    char charge[RECONCILE_NUMBER_BYTES + 1];     /* of a refund */
    uint64_t line;                               /* of the statement; 0: it names nothing */
    int64_t there_minor, here_minor;             /* what the statement says, what the ledger says */
    enum currency there_currency, here_currency; /* CUR_MAX: no money */
    const char *there, *here;                    /* states; "" when there is nothing */
    enum reconcile_fix fix;
    unsigned transfers;
    struct reconcile_transfer transfer[2];
    char reason[LEDGER_REASON_BYTES + 1];
    /* for reconcile_fix */
    struct id of, charge_id, agreement;
    unsigned step;       /* fixes there were before */
    const char *purpose; /* of the transfer's id, where it is not that of a fix; NULL */
    enum bill_what said;
    char ref[BILL_TEXT_BYTES + 1];
};

struct reconcile_options {
    const char *wallet;
    int64_t from_us, to_us; /* of the statement: INT64_MIN, INT64_MAX: whatever there is */
    int64_t grace_us;
};
#define RECONCILE_GRACE_US (15 * 60 * INT64_C(1000000))
#define DIFFERENCES_MAX 100000u
struct reconcile_money { /* the whole account, against the whole statement */
    enum currency currency;
    int64_t there_minor, here_minor;
};
#define RECONCILE_CURRENCIES_MAX 16
struct reconciliation {
    struct difference *difference; /* by kind, then by number */
    unsigned count;
    unsigned by_kind[DIFFERENCE_MAX];      /* also of those beyond DIFFERENCES_MAX */
    uint64_t lines, others;                /* of the statement: this wallet's, and those of other wallets */
    uint64_t charges, refunds, agreements; /* rows compared */
    uint64_t open;                         /* rows that are still open here, and on which the statement says nothing */
    struct reconcile_money money[RECONCILE_CURRENCIES_MAX];
    unsigned currencies;
};

struct reconcile;
KEER_NODISCARD enum keer_err reconcile_new(const struct reconcile_options *o, struct reconcile **ret);
void reconcile_free(struct reconcile *r); /* NULL is fine */
/* A line of the statement: a bill_each_fn, `ctx` is the struct reconcile. KEER_ENOMEM, KEER_ELIMIT. */
enum keer_err reconcile_line(void *ctx, const struct bill_line *line);
/* Once, after the last line. The result is r's. KEER_EIO, KEER_ENOMEM, KEER_EFORMAT. */
KEER_NODISCARD enum keer_err reconcile_compare(struct reconcile *r, struct db *db, const struct reconciliation **ret);
/* Puts one right, in the caller's transaction; *ret_done false when it could not be, or there was nothing to do. Any KEER_*
 * error wants a rollback. */
KEER_NODISCARD enum keer_err reconcile_fix(struct db *db, const char *wallet, const struct difference *d, int64_t now_us,
                                           bool *ret_done);
/* One as a JSON object, for programs. */
void difference_put(struct buf *b, const struct difference *d);
#endif
