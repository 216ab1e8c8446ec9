/* ledger_verify.c - everything recomputed from the entries: hashes, states of what was pending, sums.
 *
 * Two passes over what could be large are left to the database's order; what is kept in memory is a row for each account and
 * for each transfer that is still pending.
 */
#include "ledger/ledger_inside.h"

static void put_number(struct crypto_hash *h, int64_t v)
{
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)v >> (56 - 8 * i));
    crypto_sha256_add(h, slice_of(bytes, sizeof bytes));
}

/* A chain of hashes over the fields, each of which is hashed by itself: no two entries run together into one text. */
void ledger_hash(const struct crypto_hash *before, const struct ledger_transfer *t, struct crypto_hash *ret_hash)
{
    struct crypto_hash h = *before;
    put_number(&h, t->number);
    put_number(&h, (int64_t)t->kind);
    crypto_sha256_add(&h, id_slice(&t->id));
    crypto_sha256_add(&h, id_slice(&t->debit));
    crypto_sha256_add(&h, id_slice(&t->credit));
    crypto_sha256_add(&h, id_slice(&t->pending));
    crypto_sha256_add(&h, slice_str(currency_code(t->currency)));
    put_number(&h, t->amount_minor);
    put_number(&h, t->expires_us);
    crypto_sha256_add(&h, slice_str(t->ref));
    crypto_sha256_add(&h, slice_str(t->reason));
    put_number(&h, t->at_us);
    *ret_hash = h;
}

struct known {
    struct ledger_account account; /* as it is stored */
    struct ledger_sums sums;       /* as the entries say */
};
struct open_one {
    struct id id;
    int64_t amount_minor, expires_us;
    unsigned debit, credit; /* in known */
};
struct verify {
    struct db *db;
    struct ledger_report r;
    struct known *known; /* by id */
    unsigned count, cap;
    struct open_one *open; /* a table of cells: open addressing by the id's first bytes */
    size_t cells, used;
    int64_t at_us;
};

static void fault(struct verify *v, int64_t number, const char *what, const char *which)
{
    if (v->r.faults++)
        return;
    v->r.fault_number = number;
    (void)snprintf(v->r.fault, sizeof v->r.fault, "%s%s%.110s", what, which[0] ? ": " : "", which);
}

/* --- accounts --- */

static enum keer_err keep_account(void *ctx, const struct ledger_account *account)
{
    struct verify *v = ctx;
    if (v->count == v->cap) {
        unsigned cap = v->cap ? 2 * v->cap : 64;
        struct known *more = realloc(v->known, cap * sizeof *more);
        if (!more)
            return KEER_ENOMEM;
        v->known = more;
        v->cap = cap;
    }
    v->known[v->count++] = (struct known){.account = *account};
    return KEER_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    return strcmp(x->account.id.text, y->account.id.text);
}

static struct known *find(const struct verify *v, const struct id *id)
{
    struct known key = {.account.id = *id};
    return v->count ? bsearch(&key, v->known, v->count, sizeof key, by_id) : NULL;
}

/* --- what is pending --- */

static size_t cell_of(const struct verify *v, const struct id *id)
{
    size_t h = 0;
    for (int i = 0; i < ID_BYTES; i++)
        h = h * 31 + (unsigned char)id->text[i];
    return h & (v->cells - 1);
}

/* The cell of an id, or the empty one where it would stand. */
static struct open_one *cell(const struct verify *v, const struct id *id)
{
    size_t i = cell_of(v, id);
    while (id_is(&v->open[i].id) && !id_eq(&v->open[i].id, id))
        i = (i + 1) & (v->cells - 1);
    return &v->open[i];
}

static enum keer_err grow(struct verify *v)
{
    if (v->cells && v->used < v->cells / 2)
        return KEER_OK;
    struct open_one *old = v->open;
    size_t cells = v->cells;
    struct open_one *fresh = calloc(cells ? 2 * cells : 256, sizeof *fresh);
    if (!fresh)
        return KEER_ENOMEM;
    v->open = fresh;
    v->cells = cells ? 2 * cells : 256;
    for (size_t i = 0; i < cells; i++)
        if (id_is(&old[i].id))
            *cell(v, &old[i].id) = old[i];
    free(old);
    return KEER_OK;
}

/* Takes one out, and moves up what stood behind it. */
static void take_out(struct verify *v, struct open_one *o)
{
    size_t hole = (size_t)(o - v->open), i = hole;
    for (;;) {
        i = (i + 1) & (v->cells - 1);
        if (!id_is(&v->open[i].id))
            break;
        size_t home = cell_of(v, &v->open[i].id);
        if (((i - home) & (v->cells - 1)) >= ((i - hole) & (v->cells - 1))) {
            v->open[hole] = v->open[i];
            hole = i;
        }
    }
    v->open[hole] = (struct open_one){0};
    v->used--;
}

/* --- entries --- */

static bool limits_hold(const struct known *k)
{
    const struct ledger_sums *s = &k->sums;
    return !(k->account.flags & LEDGER_DEBITS_LIMITED && s->debits_pending + s->debits_posted > s->credits_posted) &&
           !(k->account.flags & LEDGER_CREDITS_LIMITED && s->credits_pending + s->credits_posted > s->debits_posted);
}

static void add_entry(struct verify *v, const struct ledger_transfer *t, struct known *debit, struct known *credit)
{
    int64_t reserved = 0;
    struct open_one *o = id_is(&t->pending) ? cell(v, &t->pending) : NULL;
    if (o && (!id_is(&o->id) || &v->known[o->debit] != debit || &v->known[o->credit] != credit ||
              t->amount_minor > o->amount_minor)) {
        fault(v, t->number, "it settles what is not pending", t->pending.text);
        return;
    }
    if (o) {
        reserved = o->amount_minor;
        take_out(v, o);
    }
    if (t->kind == LEDGER_PENDING) {
        *cell(v, &t->id) = (struct open_one){t->id, t->amount_minor, t->expires_us, (unsigned)(debit - v->known),
                                             (unsigned)(credit - v->known)};
        v->used++;
    }
    ledger_move(t, reserved, &debit->sums, &credit->sums);
    if (!id_is(&t->pending) && (!limits_hold(debit) || !limits_hold(credit)))
        fault(v, t->number, "a limit does not hold after it", "");
}

static enum keer_err check_entry(void *ctx, const struct ledger_transfer *t)
{
    struct verify *v = ctx;
    struct crypto_hash h;
    enum keer_err err = grow(v);
    if (err != KEER_OK)
        return err;
    ledger_hash(&v->r.head, t, &h);
    if (!crypto_hash_eq(&h, &t->hash))
        fault(v, t->number, "its hash does not follow from what it says and from the entry before", "");
    if (t->number != v->r.entries + 1)
        fault(v, t->number, "an entry before it is missing", "");
    if (t->at_us < v->at_us)
        fault(v, t->number, "its time is before that of the entry before", "");
    v->r.entries = t->number;
    v->r.head = t->hash;
    v->at_us = t->at_us;
    struct known *debit = find(v, &t->debit), *credit = find(v, &t->credit);
    bool amount = t->kind == LEDGER_VOID || t->kind == LEDGER_EXPIRE ? t->amount_minor == 0 : t->amount_minor > 0;
    bool settles = t->kind == LEDGER_POST || t->kind == LEDGER_VOID || t->kind == LEDGER_EXPIRE;
    if (!debit || !credit || debit == credit)
        fault(v, t->number, "an account of it is not there", debit ? t->credit.text : t->debit.text);
    else if (debit->account.currency != t->currency || credit->account.currency != t->currency)
        fault(v, t->number, "an account of it is in another currency", "");
    else if (!amount || settles != id_is(&t->pending))
        fault(v, t->number, "it says what its kind does not", "");
    else
        add_entry(v, t, debit, credit);
    return KEER_OK;
}

/* --- what is stored beside them --- */

static void check_sums(struct verify *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        const struct known *k = &v->known[i];
        __int128 pending = 0, posted = 0;
        if (memcmp(&k->sums, &k->account.sums, sizeof k->sums) != 0)
            fault(v, 0, "the sums of an account are not those of its entries", k->account.name);
        for (unsigned n = 0; n < v->count; n++)
            if (v->known[n].account.currency == k->account.currency) {
                pending += (__int128)v->known[n].account.sums.debits_pending - v->known[n].account.sums.credits_pending;
                posted += (__int128)v->known[n].account.sums.debits_posted - v->known[n].account.sums.credits_posted;
            }
        bool first = true; /* one look for each currency */
        for (unsigned n = 0; n < i; n++)
            first = first && v->known[n].account.currency != k->account.currency;
        if (first && (pending || posted))
            fault(v, 0, "debits are not credits", currency_code(k->account.currency));
    }
}

static enum keer_err check_pending(struct verify *v)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(v->db, &s, "SELECT id, expires_us FROM ledger_pending WHERE state = $1",
                                   Q_NUMBER((int64_t)LEDGER_IS_PENDING));
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        struct id id;
        err = query_id(s, 0, &id);
        if (err != KEER_OK)
            break;
        struct open_one *o = v->cells ? cell(v, &id) : NULL;
        if (!o || !id_is(&o->id) || o->expires_us != db_i64(s, 1))
            fault(v, 0, "it is called pending, and the entries say otherwise", id.text);
        v->r.pending++;
    }
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK && (size_t)v->r.pending != v->used)
        fault(v, 0, "something is pending that is not called so", "");
    return err;
}

#define PAGE 1000u

enum keer_err ledger_verify(struct db *db, struct ledger_report *ret_report)
{
    struct verify v = {.db = db};
    enum keer_err err = ledger_accounts(db, keep_account, &v);
    if (err == KEER_OK && v.count)
        qsort(v.known, v.count, sizeof *v.known, by_id);
    int64_t last = 0;
    for (bool more = true; err == KEER_OK && more;) {
        struct ledger_query q = {.after = last, .max = PAGE};
        err = ledger_each(db, &q, check_entry, &v, &last);
        more = err == KEER_OK && last > q.after;
    }
    if (err == KEER_EFORMAT) { /* a row that the ledger does not write */
        fault(&v, v.r.entries + 1, "it can't be read", "");
        err = KEER_OK;
    } else if (err == KEER_OK) {
        err = check_pending(&v);
        check_sums(&v);
    }
    v.r.accounts = v.count;
    if (err == KEER_OK)
        *ret_report = v.r;
    free(v.known);
    free(v.open);
    return err;
}
