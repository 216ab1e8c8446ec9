/* reconcile_read.c - the two sides of a reconciliation: what the statement says under each number, what the ledger moved. */
#include "flow/reconcile_inside.h"

#include "base/timefmt.h"

/* --- tables --- */

uint32_t lookup_find(const struct lookup *l, struct hash128 hash)
{
    if (!l->cells)
        return 0;
    for (size_t i = hash.lo & (l->cells - 1); l->cell[i].row; i = (i + 1) & (l->cells - 1))
        if (l->cell[i].hash.lo == hash.lo && l->cell[i].hash.hi == hash.hi)
            return l->cell[i].row;
    return 0;
}

static void place(struct lookup *l, struct hash128 hash, uint32_t row)
{
    size_t i = hash.lo & (l->cells - 1);
    while (l->cell[i].row)
        i = (i + 1) & (l->cells - 1);
    l->cell[i] = (struct lookup_cell){hash, row};
}

enum keer_err lookup_put(struct lookup *l, struct hash128 hash, uint32_t row)
{
    if (l->used >= l->cells / 2) {
        struct lookup more = {.cells = l->cells ? 2 * l->cells : 1024, .used = l->used};
        more.cell = calloc(more.cells, sizeof *more.cell);
        if (!more.cell)
            return KEER_ENOMEM;
        for (size_t i = 0; i < l->cells; i++)
            if (l->cell[i].row)
                place(&more, l->cell[i].hash, l->cell[i].row);
        free(l->cell);
        *l = more;
    }
    place(l, hash, row + 1);
    l->used++;
    return KEER_OK;
}

#define ROWS_MAX 20000000u
enum keer_err reconcile_room(void **rows, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return KEER_OK;
    if (count >= ROWS_MAX)
        return KEER_ELIMIT;
    uint32_t more = *cap ? 2 * *cap : 256;
    void *p = realloc(*rows, more * size);
    if (!p)
        return KEER_ENOMEM;
    *rows = p;
    *cap = more;
    return KEER_OK;
}

struct hash128 reconcile_hash(const struct reconcile *r, char kind, struct slice text)
{
    return hash_join(hash_bytes(r->key, &kind, 1), hash_bytes(r->key, text.p ? text.p : "", text.len));
}

/* --- the statement --- */

static const char kind_letters[BILL_KIND_MAX] = {'a', 'c', 'r'};

struct theirs *reconcile_theirs(struct reconcile *r, enum bill_kind kind, struct slice number)
{
    uint32_t row = lookup_find(&r->by_number, reconcile_hash(r, kind_letters[kind], number));
    return row ? &r->theirs[row - 1] : NULL;
}

static void copy(char *room, size_t size, struct slice text) { (void)snprintf(room, size, SLICE_FMT, SLICE_ARG(text)); }

/* A refund of the wallet's own may have no number of ours: it has the wallet's. */
static enum keer_err find_or_make(struct reconcile *r, const struct bill_line *l, struct theirs **ret)
{
    struct slice number = l->number.len ? l->number : l->ref;
    if (number.len > RECONCILE_NUMBER_BYTES)
        number.len = RECONCILE_NUMBER_BYTES;
    struct theirs *t = reconcile_theirs(r, l->kind, number);
    if (!t) {
        enum keer_err err = reconcile_room((void **)&r->theirs, r->theirs_count, &r->theirs_cap, sizeof *r->theirs);
        if (err == KEER_OK)
            err = lookup_put(&r->by_number, reconcile_hash(r, kind_letters[l->kind], number), r->theirs_count);
        if (err != KEER_OK)
            return err;
        t = &r->theirs[r->theirs_count++];
        *t = (struct theirs){.kind = l->kind, .line = l->line, .currency = l->currency};
        copy(t->number, sizeof t->number, number);
        copy(t->charge, sizeof t->charge, l->charge);
        copy(t->ref, sizeof t->ref, l->ref);
    }
    *ret = t;
    return KEER_OK;
}

/* The same event told again: the same word with the same reference of the wallet's, or, where it gives none, of the same
 * time. */
static bool is_again(struct reconcile *r, struct theirs *t, const struct bill_line *l)
{
    struct slice when = slice_of((const char *)&l->at_us, sizeof l->at_us);
    struct hash128 h = reconcile_hash(r, (char)('0' + l->what), l->ref.len ? l->ref : when);
    for (unsigned i = 0; i < t->refs; i++)
        if (t->seen[i].lo == h.lo && t->seen[i].hi == h.hi)
            return true;
    if (t->refs < REFS_MAX)
        t->seen[t->refs++] = h;
    return false;
}

enum keer_err reconcile_line(void *ctx, const struct bill_line *l)
{
    struct reconcile *r = ctx;
    struct theirs *t;
    if (l->wallet.len && !slice_eq(l->wallet, slice_str(r->wallet))) {
        r->result.others++;
        return KEER_OK;
    }
    r->result.lines++;
    r->last_us = MAX_OF(r->last_us, l->at_us);
    enum keer_err err = find_or_make(r, l, &t);
    if (err != KEER_OK)
        return err;
    if (is_again(r, t, l)) {
        t->duplicates++;
        return KEER_OK;
    }
    switch (l->what) {
    case BILL_SIGNED: t->signed_there = true; break;
    case BILL_ENDED: t->ended = true; break;
    case BILL_PAID:
        t->other_currency = t->other_currency || (t->paid && t->currency != l->currency);
        t->currency = l->currency;
        t->paid++;
        t->paid_minor += l->amount_minor;
        break;
    case BILL_REVERSED: t->back_minor += l->amount_minor; break;
    case BILL_CLOSED: t->closed = true; break;
    case BILL_FAILED: t->failed = true; break;
    case BILL_WAITS: t->waits = true; break;
    case BILL_WHAT_MAX: return KEER_EINVALID;
    }
    return KEER_OK;
}

/* --- the ledger --- */

struct reading_entries {
    struct reconcile *r;
    struct id clearing;
};

static enum keer_err keep_entry(void *ctx, const struct ledger_transfer *t)
{
    struct reading_entries *x = ctx;
    struct reconcile *r = x->r;
    if (t->kind != LEDGER_TRANSFER && t->kind != LEDGER_POST)
        return KEER_OK;
    enum keer_err err = reconcile_room((void **)&r->entry, r->entries, &r->entries_cap, sizeof *r->entry);
    if (err == KEER_OK)
        err = lookup_put(&r->by_entry, reconcile_hash(r, 'e', id_slice(&t->id)), r->entries);
    if (err == KEER_OK)
        r->entry[r->entries++] =
            (struct entry){id_eq(&t->debit, &x->clearing) ? t->amount_minor : -t->amount_minor, t->currency};
    return err;
}

static enum keer_err read_account(void *ctx, const struct ledger_account *a)
{
    struct reconcile *r = ctx;
    struct books_of of = {.wallet = r->wallet, .currency = a->currency};
    char name[LEDGER_NAME_BYTES + 1];
    struct reading_entries x = {r, a->id};
    enum keer_err err = KEER_OK;
    books_name(BOOKS_CLEARING, &of, name);
    if (strcmp(name, a->name) != 0)
        return KEER_OK;
    if (r->result.currencies < RECONCILE_CURRENCIES_MAX)
        r->result.money[r->result.currencies++] =
            (struct reconcile_money){.currency = a->currency, .here_minor = a->sums.debits_posted - a->sums.credits_posted};
    struct ledger_query q = {.account = &x.clearing, .max = 1000};
    for (bool more = true; err == KEER_OK && more;) {
        int64_t last = q.after;
        err = ledger_each(r->db, &q, keep_entry, &x, &last);
        more = last > q.after;
        q.after = last;
    }
    return err;
}

enum keer_err reconcile_read_ledger(struct reconcile *r) { return ledger_accounts(r->db, read_account, r); }

bool reconcile_moved(const struct reconcile *r, const char *purpose, const struct id *of, enum currency c,
                     int64_t *add_minor)
{
    struct id id;
    books_transfer_id(purpose, of, &id);
    uint32_t row = lookup_find(&r->by_entry, reconcile_hash(r, 'e', id_slice(&id)));
    if (row && r->entry[row - 1].currency == c)
        *add_minor += r->entry[row - 1].minor;
    return row != 0;
}

void reconcile_fix_purpose(unsigned step, char ret_purpose[24]) { (void)snprintf(ret_purpose, 24, "reconcile %u", step); }

unsigned reconcile_fixed(const struct reconcile *r, const struct id *of, enum currency c, int64_t *add_minor)
{
    unsigned step = 0;
    char purpose[24];
    do
        reconcile_fix_purpose(++step, purpose);
    while (reconcile_moved(r, purpose, of, c, add_minor));
    return step - 1;
}

void reconcile_number_id(const char *wallet, const char *number, struct id *ret_id)
{
    struct crypto_hash hash;
    crypto_sha256(slice_str(wallet), &hash);
    crypto_sha256_add(&hash, slice_str(number));
    id_of_hash(&hash, ret_id);
}
