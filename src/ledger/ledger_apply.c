/* ledger_apply.c - transfers: looked at one after the other on copies of their accounts, then written together.
 *
 * Nothing is written before all of a call are found right, so that a refusal leaves nothing to undo.
 */
#include "ledger/ledger_inside.h"

#define ACCOUNTS_MAX (2 * LEDGER_LINKED_MAX)

/* A pending transfer that this call meets: its row, and what this call has made of it. */
struct met {
    struct ledger_transfer row;
    enum ledger_state state;
    bool fresh; /* made by this call */
    bool changed;
    int64_t posted_minor;
};

struct apply {
    struct db *db;
    int64_t now_us;
    struct ledger_account account[ACCOUNTS_MAX];
    struct ledger_sums before[ACCOUNTS_MAX];
    unsigned accounts;
    struct met met[LEDGER_LINKED_MAX];
    unsigned mets;
    struct ledger_transfer entry[LEDGER_LINKED_MAX]; /* to be written */
    unsigned entries;
    int64_t number;
    struct crypto_hash head;
};

/* --- what there is --- */

static enum keer_err find_account(struct apply *a, const struct id *id, struct ledger_account **ret)
{
    for (unsigned i = 0; i < a->accounts; i++)
        if (id_eq(&a->account[i].id, id)) {
            *ret = &a->account[i];
            return KEER_OK;
        }
    ASSERT(a->accounts < ACCOUNTS_MAX);
    enum keer_err err = ledger_account(a->db, id, &a->account[a->accounts]);
    if (err != KEER_OK)
        return err;
    a->before[a->accounts] = a->account[a->accounts].sums;
    *ret = &a->account[a->accounts++];
    return KEER_OK;
}

static enum keer_err find_pending(struct apply *a, const struct id *id, struct met **ret)
{
    for (unsigned i = 0; i < a->mets; i++)
        if (id_eq(&a->met[i].row.id, id)) {
            *ret = &a->met[i];
            return KEER_OK;
        }
    ASSERT(a->mets < LEDGER_LINKED_MAX);
    struct met *m = &a->met[a->mets];
    *m = (struct met){0};
    enum keer_err err = ledger_state(a->db, id, &m->state, &m->posted_minor);
    if (err == KEER_OK)
        err = ledger_find(a->db, id, &m->row);
    if (err != KEER_OK)
        return err;
    a->mets++;
    *ret = m;
    return KEER_OK;
}

static enum keer_err read_head(struct apply *a)
{
    struct db_stmt *s;
    enum keer_err err =
        query_one(a->db, &s, "SELECT number, at_us, hash FROM ledger_entry ORDER BY number DESC LIMIT 1", NULL, 0);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err != KEER_OK)
        return err;
    a->number = db_i64(s, 0);
    a->now_us = MAX_OF(a->now_us, db_i64(s, 1));
    err = query_hash(s, 2, &a->head);
    db_free(s);
    return err;
}

/* --- one transfer --- */

static bool is_text(const char *s, size_t max)
{
    size_t len = strnlen(s, max + 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 32 || s[i] == 127)
            return false;
    return len <= max;
}

/* What can be said without the database. */
static enum ledger_result check_form(const struct ledger_transfer *t)
{
    bool moves = t->kind == LEDGER_TRANSFER || t->kind == LEDGER_PENDING;
    if (!id_is(&t->id))
        return LEDGER_NO_ID;
    if (!is_text(t->ref, LEDGER_REF_BYTES) || !is_text(t->reason, LEDGER_REASON_BYTES))
        return LEDGER_BAD_TEXT;
    switch (t->kind) {
    case LEDGER_TRANSFER:
    case LEDGER_PENDING:
        if (id_is(&t->pending) || (t->expires_us && t->kind != LEDGER_PENDING) || t->expires_us < 0)
            return LEDGER_BAD_KIND;
        break;
    case LEDGER_POST:
    case LEDGER_VOID:
    case LEDGER_EXPIRE:
        if (!id_is(&t->pending) || t->expires_us || id_is(&t->debit) || id_is(&t->credit))
            return LEDGER_BAD_KIND;
        break;
    case LEDGER_KIND_MAX: return LEDGER_BAD_KIND;
    }
    if (moves ? t->amount_minor <= 0 : t->kind == LEDGER_POST ? t->amount_minor < 0 : t->amount_minor != 0)
        return LEDGER_BAD_AMOUNT;
    if (moves && (unsigned)t->currency >= CUR_MAX)
        return LEDGER_OTHER_CURRENCY;
    return LEDGER_OK;
}

/* An id that is there: the same transfer, or the first difference. */
static enum ledger_result compare(const struct ledger_transfer *t, const struct ledger_transfer *there,
                                  const struct ledger_transfer *pending)
{
    bool moves = t->kind == LEDGER_TRANSFER || t->kind == LEDGER_PENDING;
    int64_t amount = t->kind == LEDGER_POST && t->amount_minor == LEDGER_ALL ? pending->amount_minor : t->amount_minor;
    const char *ref = !moves && !t->ref[0] ? pending->ref : t->ref;
    if (t->kind != there->kind)
        return LEDGER_EXISTS_OTHER_KIND;
    if (!id_eq(&t->pending, &there->pending))
        return LEDGER_EXISTS_OTHER_PENDING;
    if (moves && !id_eq(&t->debit, &there->debit))
        return LEDGER_EXISTS_OTHER_DEBIT;
    if (moves && !id_eq(&t->credit, &there->credit))
        return LEDGER_EXISTS_OTHER_CREDIT;
    if ((moves || t->kind == LEDGER_POST) && amount != there->amount_minor)
        return LEDGER_EXISTS_OTHER_AMOUNT;
    if (moves && t->currency != there->currency)
        return LEDGER_EXISTS_OTHER_CURRENCY;
    if (t->expires_us != there->expires_us)
        return LEDGER_EXISTS_OTHER_EXPIRY;
    if (strcmp(ref, there->ref) != 0)
        return LEDGER_EXISTS_OTHER_REFERENCE;
    return strcmp(t->reason, there->reason) != 0 ? LEDGER_EXISTS_OTHER_REASON : LEDGER_EXISTS;
}

static enum keer_err check_exists(struct apply *a, const struct ledger_transfer *t, enum ledger_result *ret)
{
    struct ledger_transfer there, pending = {0};
    for (unsigned i = 0; i < a->entries; i++)
        if (id_eq(&a->entry[i].id, &t->id)) {
            *ret = LEDGER_ID_TWICE;
            return KEER_OK;
        }
    enum keer_err err = ledger_find(a->db, &t->id, &there);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK && id_is(&there.pending))
        err = ledger_find(a->db, &there.pending, &pending);
    if (err == KEER_OK)
        *ret = compare(t, &there, &pending);
    return err;
}

/* Limits count what is pending as if it were posted, on the side that it would go to. */
static enum ledger_result check_limits(const struct ledger_account *debit, const struct ledger_account *credit)
{
    const struct ledger_sums *d = &debit->sums, *c = &credit->sums;
    int64_t all;
    if (__builtin_add_overflow(d->debits_pending, d->debits_posted, &all))
        return LEDGER_OVERFLOWS;
    if (debit->flags & LEDGER_DEBITS_LIMITED && all > d->credits_posted)
        return LEDGER_EXCEEDS_CREDITS;
    if (__builtin_add_overflow(c->credits_pending, c->credits_posted, &all))
        return LEDGER_OVERFLOWS;
    if (credit->flags & LEDGER_CREDITS_LIMITED && all > c->debits_posted)
        return LEDGER_EXCEEDS_DEBITS;
    return LEDGER_OK;
}

void ledger_move(const struct ledger_transfer *t, int64_t reserved, struct ledger_sums *debit, struct ledger_sums *credit)
{
    switch (t->kind) {
    case LEDGER_TRANSFER:
        debit->debits_posted += t->amount_minor;
        credit->credits_posted += t->amount_minor;
        return;
    case LEDGER_PENDING:
        debit->debits_pending += t->amount_minor;
        credit->credits_pending += t->amount_minor;
        return;
    case LEDGER_POST:
        debit->debits_posted += t->amount_minor;
        credit->credits_posted += t->amount_minor;
        break;
    case LEDGER_VOID:
    case LEDGER_EXPIRE:
    case LEDGER_KIND_MAX: break;
    }
    debit->debits_pending -= reserved;
    credit->credits_pending -= reserved;
}

/* Whether a sum of the account would overflow by `amount` more. */
static bool has_room(const struct ledger_account *x, int64_t amount)
{
    int64_t most = MAX_OF(MAX_OF(x->sums.debits_pending, x->sums.debits_posted),
                          MAX_OF(x->sums.credits_pending, x->sums.credits_posted));
    return most <= INT64_MAX - amount;
}

static enum keer_err check_accounts(struct apply *a, const struct ledger_transfer *t, struct ledger_account **ret_debit,
                                    struct ledger_account **ret_credit, enum ledger_result *ret)
{
    if (id_eq(&t->debit, &t->credit)) {
        *ret = LEDGER_SAME_ACCOUNT;
        return KEER_OK;
    }
    enum keer_err err = find_account(a, &t->debit, ret_debit);
    if (err == KEER_EMISSING) {
        *ret = LEDGER_NO_DEBIT_ACCOUNT;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = find_account(a, &t->credit, ret_credit);
    if (err == KEER_EMISSING) {
        *ret = LEDGER_NO_CREDIT_ACCOUNT;
        return KEER_OK;
    }
    if (err != KEER_OK)
        return err;
    if ((*ret_debit)->currency != t->currency || (*ret_credit)->currency != t->currency)
        *ret = LEDGER_OTHER_CURRENCY;
    else if ((*ret_debit)->closed_us || (*ret_credit)->closed_us)
        *ret = LEDGER_ACCOUNT_CLOSED;
    else if (!has_room(*ret_debit, t->amount_minor) || !has_room(*ret_credit, t->amount_minor))
        *ret = LEDGER_OVERFLOWS;
    return KEER_OK;
}

static enum keer_err do_move(struct apply *a, struct ledger_transfer *t, enum ledger_result *ret)
{
    struct ledger_account *debit = NULL, *credit = NULL;
    enum keer_err err = check_accounts(a, t, &debit, &credit, ret);
    if (err != KEER_OK || *ret != LEDGER_OK)
        return err;
    if (t->expires_us && t->expires_us <= a->now_us) {
        *ret = LEDGER_EXPIRES_EARLIER;
        return KEER_OK;
    }
    ledger_move(t, 0, &debit->sums, &credit->sums);
    *ret = check_limits(debit, credit);
    if (*ret == LEDGER_OK && t->kind == LEDGER_PENDING) {
        ASSERT(a->mets < LEDGER_LINKED_MAX);
        a->met[a->mets++] = (struct met){.row = *t, .state = LEDGER_IS_PENDING, .fresh = true};
    }
    return KEER_OK;
}

static enum ledger_result check_met(const struct apply *a, const struct met *m, const struct ledger_transfer *t)
{
    switch (m->state) {
    case LEDGER_IS_POSTED: return LEDGER_ALREADY_POSTED;
    case LEDGER_IS_VOIDED: return LEDGER_ALREADY_VOIDED;
    case LEDGER_IS_EXPIRED: return LEDGER_ALREADY_EXPIRED;
    case LEDGER_IS_PENDING:
    case LEDGER_STATE_MAX: break;
    }
    /* Its time is over, whether or not ledger_expire_due came by. */
    if (t->kind != LEDGER_EXPIRE && m->row.expires_us && m->row.expires_us <= a->now_us)
        return LEDGER_ALREADY_EXPIRED;
    return t->kind == LEDGER_POST && t->amount_minor > m->row.amount_minor ? LEDGER_EXCEEDS_PENDING : LEDGER_OK;
}

static enum keer_err do_settle(struct apply *a, struct ledger_transfer *t, enum ledger_result *ret)
{
    struct ledger_account *debit, *credit;
    struct met *m;
    enum keer_err err = find_pending(a, &t->pending, &m);
    if (err == KEER_EMISSING) {
        *ret = LEDGER_NOT_PENDING;
        return KEER_OK;
    }
    if (err == KEER_OK)
        *ret = check_met(a, m, t);
    if (err != KEER_OK || *ret != LEDGER_OK)
        return err;
    t->debit = m->row.debit;
    t->credit = m->row.credit;
    t->currency = m->row.currency;
    if (!t->ref[0])
        memcpy(t->ref, m->row.ref, sizeof t->ref);
    if (t->kind == LEDGER_POST && t->amount_minor == LEDGER_ALL)
        t->amount_minor = m->row.amount_minor;
    err = find_account(a, &t->debit, &debit);
    if (err == KEER_OK)
        err = find_account(a, &t->credit, &credit);
    if (err != KEER_OK) /* accounts are not removed */
        return err == KEER_EMISSING ? KEER_EFORMAT : err;
    if (!has_room(debit, t->amount_minor) || !has_room(credit, t->amount_minor)) {
        *ret = LEDGER_OVERFLOWS;
        return KEER_OK;
    }
    ledger_move(t, m->row.amount_minor, &debit->sums, &credit->sums);
    m->changed = true;
    m->posted_minor = t->amount_minor;
    m->state = t->kind == LEDGER_POST ? LEDGER_IS_POSTED : t->kind == LEDGER_VOID ? LEDGER_IS_VOIDED : LEDGER_IS_EXPIRED;
    return KEER_OK;
}

/* --- writing --- */

/* The sums must be what they were read as, which is so while one connection writes; two daemons that wrote would meet no
 * row. */
static enum keer_err write_accounts(struct apply *a)
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < a->accounts; i++) {
        const struct ledger_sums *now = &a->account[i].sums, *was = &a->before[i];
        if (memcmp(now, was, sizeof *now) == 0)
            continue;
        err = QUERY_MET(a->db,
                        "UPDATE ledger_account SET debits_pending = $1, debits_posted = $2, credits_pending = $3,"
                        " credits_posted = $4 WHERE id = $5 AND debits_pending = $6 AND debits_posted = $7 AND"
                        " credits_pending = $8 AND credits_posted = $9 RETURNING id",
                        Q_NUMBER(now->debits_pending), Q_NUMBER(now->debits_posted), Q_NUMBER(now->credits_pending),
                        Q_NUMBER(now->credits_posted), Q_ID(&a->account[i].id), Q_NUMBER(was->debits_pending),
                        Q_NUMBER(was->debits_posted), Q_NUMBER(was->credits_pending), Q_NUMBER(was->credits_posted));
    }
    return err == KEER_EMISSING ? KEER_EIO : err;
}

static enum keer_err write_pending(struct apply *a)
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < a->mets; i++) {
        const struct met *m = &a->met[i];
        if (m->fresh)
            err = QUERY_DO(a->db, "INSERT INTO ledger_pending (id, state, posted_minor, expires_us) VALUES ($1, $2, $3, $4)",
                           Q_ID(&m->row.id), Q_NUMBER((int64_t)m->state), Q_NUMBER(m->posted_minor),
                           Q_NUMBER(m->row.expires_us));
        else if (m->changed)
            err = QUERY_MET(
                a->db, "UPDATE ledger_pending SET state = $1, posted_minor = $2 WHERE id = $3 AND state = $4 RETURNING id",
                Q_NUMBER((int64_t)m->state), Q_NUMBER(m->posted_minor), Q_ID(&m->row.id),
                Q_NUMBER((int64_t)LEDGER_IS_PENDING));
    }
    return err == KEER_EMISSING ? KEER_EIO : err;
}

static enum keer_err write_entries(struct apply *a)
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < a->entries; i++) {
        struct ledger_transfer *t = &a->entry[i];
        t->number = ++a->number;
        t->at_us = a->now_us;
        ledger_hash(&a->head, t, &t->hash);
        a->head = t->hash;
        err = QUERY_DO(a->db,
                       "INSERT INTO ledger_entry (" LEDGER_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
                       " $12, $13)",
                       Q_NUMBER(t->number), Q_ID(&t->id), Q_NUMBER((int64_t)t->kind), Q_ID(&t->debit), Q_ID(&t->credit),
                       Q_ID(&t->pending), Q_STR(currency_code(t->currency)), Q_NUMBER(t->amount_minor),
                       Q_NUMBER(t->expires_us), Q_STR(t->ref), Q_STR(t->reason), Q_NUMBER(t->at_us), Q_HASH(&t->hash));
    }
    return err;
}

/* Debits equal credits in what is about to be written, per currency. */
static void assert_balanced(const struct apply *a)
{
    for (unsigned i = 0; i < a->accounts; i++) {
        __int128 pending = 0, posted = 0;
        for (unsigned k = 0; k < a->accounts; k++) {
            const struct ledger_sums *now = &a->account[k].sums, *was = &a->before[k];
            if (a->account[k].currency != a->account[i].currency)
                continue;
            pending += (__int128)now->debits_pending - was->debits_pending - now->credits_pending + was->credits_pending;
            posted += (__int128)now->debits_posted - was->debits_posted - now->credits_posted + was->credits_posted;
        }
        ASSERT(pending == 0 && posted == 0);
        ASSERT(a->account[i].sums.debits_pending >= 0 && a->account[i].sums.credits_pending >= 0);
    }
}

static enum keer_err look_at(struct apply *a, const struct ledger_transfer *given, enum ledger_result *ret)
{
    struct ledger_transfer t = *given;
    enum keer_err err = KEER_OK;
    *ret = check_form(&t);
    if (*ret == LEDGER_OK)
        err = check_exists(a, &t, ret);
    if (err != KEER_OK || *ret != LEDGER_OK)
        return err;
    err = t.kind == LEDGER_TRANSFER || t.kind == LEDGER_PENDING ? do_move(a, &t, ret) : do_settle(a, &t, ret);
    if (err == KEER_OK && *ret == LEDGER_OK)
        a->entry[a->entries++] = t;
    return err;
}

static enum keer_err apply(struct apply *a, const struct ledger_transfer *transfers, unsigned count,
                           enum ledger_result *results, bool *ret_done)
{
    enum keer_err err = read_head(a);
    unsigned i = 0;
    for (; err == KEER_OK && i < count; i++) {
        err = look_at(a, &transfers[i], &results[i]);
        if (err != KEER_OK || !ledger_result_done(results[i]))
            break;
    }
    if (err != KEER_OK)
        return err;
    if (i < count) {
        for (unsigned k = 0; k < count; k++)
            if (k != i)
                results[k] = LEDGER_LINKED_FAILED;
        *ret_done = false;
        return KEER_OK;
    }
    assert_balanced(a);
    err = write_entries(a);
    if (err == KEER_OK)
        err = write_pending(a);
    if (err == KEER_OK)
        err = write_accounts(a);
    if (err == KEER_OK)
        *ret_done = true;
    return err == KEER_ECONFLICT ? KEER_EIO : err;
}

enum keer_err ledger_apply(struct db *db, const struct ledger_transfer *transfers, unsigned count, int64_t now_us,
                           enum ledger_result *results, bool *ret_done)
{
    ASSERT(count >= 1 && count <= LEDGER_LINKED_MAX);
    for (unsigned i = 0; i < count; i++)
        if (transfers[i].kind == LEDGER_EXPIRE) { /* the ledger's own */
            for (unsigned k = 0; k < count; k++)
                results[k] = k == i ? LEDGER_BAD_KIND : LEDGER_LINKED_FAILED;
            *ret_done = false;
            return KEER_OK;
        }
    struct apply *a = calloc(1, sizeof *a);
    if (!a)
        return KEER_ENOMEM;
    a->db = db;
    a->now_us = now_us;
    enum keer_err err = apply(a, transfers, count, results, ret_done);
    free(a);
    return err;
}

/* --- what is late --- */

/* The id of an expiry follows from what expires, so that it stands in the ledger once. */
static void expiry_of(const struct id *pending, struct ledger_transfer *ret)
{
    struct crypto_hash h;
    crypto_sha256(SLICE("keersluis ledger expire"), &h);
    crypto_sha256_add(&h, id_slice(pending));
    *ret = (struct ledger_transfer){.kind = LEDGER_EXPIRE, .pending = *pending, .reason = "its time is over"};
    id_of_hash(&h, &ret->id);
}

enum keer_err ledger_expire_due(struct db *db, int64_t now_us, unsigned max, unsigned *ret_count)
{
    struct id due[LEDGER_LINKED_MAX];
    unsigned count = 0;
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT id FROM ledger_pending WHERE state = $1 AND expires_us > 0 AND expires_us <= $2"
                                   " ORDER BY expires_us, id LIMIT $3",
                                   Q_NUMBER((int64_t)LEDGER_IS_PENDING), Q_NUMBER(now_us),
                                   Q_NUMBER((int64_t)MIN_OF(max, (unsigned)LEDGER_LINKED_MAX)));
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW)
        err = query_id(s, 0, &due[count++]);
    db_free(s);
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    struct apply *a = err == KEER_OK && count ? calloc(1, sizeof *a) : NULL;
    if (err == KEER_OK && count && !a)
        err = KEER_ENOMEM;
    struct ledger_transfer t[LEDGER_LINKED_MAX];
    enum ledger_result results[LEDGER_LINKED_MAX];
    bool done = true;
    for (unsigned i = 0; i < count; i++)
        expiry_of(&due[i], &t[i]);
    if (err == KEER_OK && count) {
        a->db = db;
        a->now_us = now_us;
        err = apply(a, t, count, results, &done);
    }
    free(a);
    if (err == KEER_OK && !done)
        err = KEER_EFORMAT;
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}
