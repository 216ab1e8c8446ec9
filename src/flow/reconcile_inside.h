/* reconcile_inside.h - what the files of reconciliation share: tables by 128-bit hashes. */
#ifndef FLOW_RECONCILE_INSIDE_H
#define FLOW_RECONCILE_INSIDE_H
#include "base/hash.h"
#include "flow/reconcile.h"
#include "store/query.h"
#include "wallet/books.h"

struct lookup { /* hash -> row + 1, open addressing; starts as {0} */
    struct lookup_cell {
        struct hash128 hash;
        uint32_t row; /* + 1; 0: empty */
    } * cell;
    size_t cells, used;
};
/* The row + 1, 0 when there is none. */
uint32_t lookup_find(const struct lookup *l, struct hash128 hash);
/* Puts a hash that is not there. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err lookup_put(struct lookup *l, struct hash128 hash, uint32_t row);

#define REFS_MAX 4
struct theirs { /* what the statement says under one number */
    enum bill_kind kind;
    char number[RECONCILE_NUMBER_BYTES + 1], charge[RECONCILE_NUMBER_BYTES + 1], ref[BILL_TEXT_BYTES + 1];
    uint64_t line;
    int64_t paid_minor, back_minor; /* back: reversed */
    enum currency currency;
    bool closed, failed, waits, ended, signed_there, other_currency;
    unsigned paid, duplicates; /* times, of the same line */
    struct hash128 seen[REFS_MAX];
    unsigned refs;
    bool matched;
};
struct entry { /* of the clearing account: what it moved */
    int64_t minor;
    enum currency currency;
};
struct our_charge {
    char number[WALLET_NUMBER_BYTES + 1];
    struct id id, agreement;
    enum charge_state state;
    int64_t amount_minor, refunds_there_minor, paid_there_minor;
    enum currency currency;
};
struct own_refund { /* of the wallet's, as we know it */
    struct id id, charge;
    char number[WALLET_NUMBER_BYTES + 1];
    uint32_t next; /* of the same charge, + 1 */
    int64_t amount_minor, here_minor;
    enum currency currency;
    bool matched, expected;
};
struct reconcile {
    struct reconcile_options o;
    char wallet[WALLET_NAME_BYTES + 1];
    struct hash_key key;
    struct db *db;
    struct theirs *theirs;
    struct entry *entry;
    struct our_charge *charge;
    struct own_refund *own;
    uint32_t theirs_count, theirs_cap, entries, entries_cap, charges, charges_cap, owns, owns_cap;
    struct lookup by_number, by_entry, by_charge, by_own_charge;
    int64_t last_us; /* of the statement */
    unsigned difference_cap;
    struct reconciliation result;
};

/* Room for one more row of `size` bytes. KEER_ENOMEM, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err reconcile_room(void **rows, uint32_t count, uint32_t *cap, size_t size);
struct hash128 reconcile_hash(const struct reconcile *r, char kind, struct slice text);
struct theirs *reconcile_theirs(struct reconcile *r, enum bill_kind kind, struct slice number); /* NULL */
/* The entries of the wallet's clearing accounts. */
KEER_NODISCARD enum keer_err reconcile_read_ledger(struct reconcile *r);
/* What the ledger has moved for `of` by a purpose, in a currency, 0 when nothing; and by earlier fixes. */
bool reconcile_moved(const struct reconcile *r, const char *purpose, const struct id *of, enum currency c,
                     int64_t *add_minor);
unsigned reconcile_fixed(const struct reconcile *r, const struct id *of, enum currency c, int64_t *add_minor);
/* The id of what has no row here, and the purpose of its transfer, as pay_notice.c has them: what a notice told was booked. */
void reconcile_number_id(const char *wallet, const char *number, struct id *ret_id);
#define UNKNOWN_PURPOSE(kind) ((kind) == BILL_REFUND ? "unknown refund" : "unknown")
void reconcile_fix_purpose(unsigned step, char ret_purpose[24]);
#endif
