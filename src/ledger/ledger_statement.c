/* ledger_statement.c - statements of an account, whole or of one reference.
 *
 * Times of entries never go back along their numbers (ledger.h, 7), so that a time is found among the numbers by halving,
 * and all else is ranges of numbers, for which accounts and references have their index.
 */
#include "ledger/ledger_inside.h"

#define PAGE 1000u
/* Entries of account $1 with numbers above $2, up to $3. */
#define OF_ACCOUNT " (debit = $1 OR credit = $1) AND number > $2 AND number <= $3"

static enum keer_err last_number(struct db *db, int64_t *ret_number)
{
    return db_number(db, "SELECT COALESCE(MAX(number), 0) FROM ledger_entry", ret_number);
}

enum keer_err ledger_number_before(struct db *db, int64_t at_us, int64_t *ret_number)
{
    int64_t low = 0, high; /* the answer is in [low, high] */
    enum keer_err err = last_number(db, &high);
    while (err == KEER_OK && low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        struct db_stmt *s;
        err = QUERY_ONE(db, &s, "SELECT at_us FROM ledger_entry WHERE number = $1", Q_NUMBER(middle));
        if (err != KEER_OK)
            return err == KEER_EMISSING ? KEER_EFORMAT : err; /* numbers have no gaps */
        if (db_i64(s, 0) < at_us)
            low = middle;
        else
            high = middle - 1;
        db_free(s);
    }
    if (err == KEER_OK)
        *ret_number = low;
    return err;
}

/* A range of an account's entries. */
struct range {
    struct db *db;
    struct id account;
    struct slice ref;
    int64_t after, last;
};

/* `SELECT ... WHERE` of the range, with the reference where there is one. */
static enum keer_err range_rows(const struct range *r, const char *all, const char *of_ref, unsigned max,
                                struct db_stmt **ret)
{
    if (r->ref.len)
        return QUERY_ROWS(r->db, ret, of_ref, Q_ID(&r->account), Q_NUMBER(r->after), Q_NUMBER(r->last),
                          Q_NUMBER((int64_t)max), Q_TEXT(r->ref));
    return QUERY_ROWS(r->db, ret, all, Q_ID(&r->account), Q_NUMBER(r->after), Q_NUMBER(r->last), Q_NUMBER((int64_t)max));
}

#define SUMS                                                                                                   \
    "SELECT CAST(COALESCE(SUM(CASE WHEN debit = $1 THEN amount_minor ELSE 0 END), 0) AS BIGINT),"              \
    " CAST(COALESCE(SUM(CASE WHEN credit = $1 THEN amount_minor ELSE 0 END), 0) AS BIGINT) FROM ledger_entry " \
    "WHERE" OF_ACCOUNT " AND kind IN (0, 2)"
static_assert(LEDGER_TRANSFER == 0 && LEDGER_PENDING == 1 && LEDGER_POST == 2, "as in the statements here");

static enum keer_err sums_up_to(const struct range *r, int64_t *ret_debits, int64_t *ret_credits)
{
    struct range before = {.db = r->db, .account = r->account, .ref = r->ref, .after = 0, .last = r->after};
    struct db_stmt *s;
    enum keer_err err = range_rows(&before, SUMS " LIMIT $4", SUMS " AND ref = $5 LIMIT $4", 1, &s);
    if (err != KEER_OK)
        return err;
    if (db_step(s) == DB_ROW) {
        *ret_debits = db_i64(s, 0);
        *ret_credits = db_i64(s, 1);
    } else {
        err = KEER_EIO;
    }
    db_free(s);
    return err;
}

#define LINES "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE" OF_ACCOUNT " AND kind IN (0, 2)"
#define ENDING " ORDER BY number LIMIT $4"
/* Pending at number $3: it is now, or what settled it came later. */
#define PENDINGS                                                                                                          \
    "SELECT " LEDGER_COLUMNS " FROM ledger_entry WHERE" OF_ACCOUNT                                                        \
    " AND kind = 1 AND (id IN (SELECT id FROM ledger_pending WHERE state = 0) OR id IN (SELECT pending FROM ledger_entry" \
    " WHERE (debit = $1 OR credit = $1) AND number > $3 AND kind > 1))"

struct stating {
    const struct ledger_teller *to;
    struct ledger_names *names;
    struct ledger_statement *s;
    bool pending;
};

static enum keer_err tell(struct stating *g, const struct ledger_transfer *t)
{
    struct ledger_statement *s = g->s;
    const struct ledger_account *other;
    bool debit = id_eq(&t->debit, &s->account.id);
    struct ledger_line line = {.entry = t, .debit_minor = debit ? t->amount_minor : -t->amount_minor};
    enum keer_err err = ledger_names_find(g->names, debit ? &t->credit : &t->debit, &other);
    if (err != KEER_OK)
        return err;
    line.other = other->name;
    if (g->pending) {
        *(debit ? &s->pending_debits : &s->pending_credits) += t->amount_minor;
        s->pending++;
        return g->to->pending(g->to->ctx, &line);
    }
    *(debit ? &s->closing_debits : &s->closing_credits) += t->amount_minor;
    line.balance_minor = s->closing_debits - s->closing_credits;
    s->lines++;
    s->last = t->number;
    return g->to->line(g->to->ctx, &line);
}

/* The rows of a range in pages, at most `max` of them (0: all); *ret_more: there was one more. */
static enum keer_err each_of(struct stating *g, struct range r, const char *all, const char *of_ref, unsigned max,
                             bool *ret_more)
{
    unsigned told = 0, got;
    *ret_more = false;
    do {
        struct db_stmt *s;
        unsigned want = max ? MIN_OF(PAGE, max - told + 1) : PAGE;
        enum db_step step = DB_END;
        enum keer_err err = range_rows(&r, all, of_ref, want, &s);
        if (err != KEER_OK)
            return err;
        for (got = 0; err == KEER_OK && !*ret_more && (step = db_step(s)) == DB_ROW; got++) {
            struct ledger_transfer t;
            *ret_more = max && told == max;
            err = *ret_more ? KEER_OK : ledger_read_row(s, &t);
            if (err == KEER_OK && !*ret_more) {
                r.after = t.number;
                told++;
                err = tell(g, &t);
            }
        }
        db_free(s);
        if (err == KEER_OK && step != DB_END && step != DB_ROW)
            err = KEER_EIO;
        if (err != KEER_OK || *ret_more)
            return err;
    } while (got == PAGE);
    return KEER_OK;
}

static enum keer_err find_range(struct db *db, const struct ledger_statement_query *q, struct range *ret)
{
    struct range r = {.db = db, .account = *q->account, .ref = q->ref};
    enum keer_err err = q->from_us == INT64_MIN ? KEER_OK : ledger_number_before(db, q->from_us, &r.after);
    if (err == KEER_OK)
        err = q->to_us == INT64_MAX ? last_number(db, &r.last) : ledger_number_before(db, q->to_us, &r.last);
    r.after = MAX_OF(r.after, q->after);
    *ret = r;
    return err;
}

enum keer_err ledger_statement(struct db *db, const struct ledger_statement_query *q, const struct ledger_teller *to,
                               struct ledger_statement *ret_statement)
{
    struct ledger_statement s = {0};
    struct range r;
    struct ledger_names *names = calloc(1, sizeof *names);
    if (!names)
        return KEER_ENOMEM;
    names->db = db;
    struct stating g = {.to = to, .names = names, .s = &s};
    enum keer_err err = ledger_account(db, q->account, &s.account);
    if (err == KEER_OK)
        err = find_range(db, q, &r);
    if (err == KEER_OK)
        err = sums_up_to(&r, &s.opening_debits, &s.opening_credits);
    if (err == KEER_OK) {
        s.closing_debits = s.opening_debits;
        s.closing_credits = s.opening_credits;
        s.last = r.after;
        err = to->opened ? to->opened(to->ctx, &s) : KEER_OK;
    }
    if (err == KEER_OK)
        err = each_of(&g, r, LINES ENDING, LINES " AND ref = $5" ENDING, q->max, &s.more);
    if (err == KEER_OK && !s.more) {
        bool more;
        g.pending = true;
        r.after = 0; /* what is pending may be older than the time asked for */
        err = each_of(&g, r, PENDINGS ENDING, PENDINGS " AND ref = $5" ENDING, /* max */ 0, &more);
    }
    free(names);
    if (err == KEER_OK)
        *ret_statement = s;
    return err;
}

/* --- names --- */

enum keer_err ledger_names_find(struct ledger_names *n, const struct id *account, const struct ledger_account **ret_account)
{
    size_t h = 0;
    for (int i = 0; i < ID_BYTES; i++)
        h = h * 31 + (unsigned char)account->text[i];
    struct ledger_account *place = &n->kept[h % LEDGER_NAMES_KEPT];
    enum keer_err err = KEER_OK;
    if (!id_eq(&place->id, account))
        err = ledger_account(n->db, account, place);
    if (err == KEER_OK)
        *ret_account = place;
    else
        place->id = (struct id){0};
    return err == KEER_EMISSING ? KEER_EFORMAT : err;
}
