/* books.c - the world of the ledger alone: transfers right, wrong, again and late, beside a model of a page of C.
 *
 * The model keeps the four sums of each account, and for each transfer what it was and what became of it. It says for every
 * call what must come out; after every commit the sums are compared, and after a crash what was unknown is looked up: it is
 * there wholly or not at all, and stays as it was found.
 */
#include "ledger/ledger.h"
#include "sim/sim.h"

#define ACCOUNTS 7
#define TRANSFERS_MAX 512

struct known {
    struct ledger_transfer t;
    enum ledger_state state; /* of a PENDING */
};
struct model {
    struct ledger_sums sums[ACCOUNTS];
    struct known known[TRANSFERS_MAX];
    unsigned count;
    int64_t last_us; /* of the last entry */
};
static struct model m;
static struct ledger_account accounts[ACCOUNTS];
static uint64_t names;

static void named(const char *kind, uint64_t n, struct id *ret)
{
    char text[64];
    struct crypto_hash h;
    (void)snprintf(text, sizeof text, "%s %" PRIu64, kind, n);
    crypto_sha256(slice_str(text), &h);
    id_of_hash(&h, ret);
}

static void open_accounts(void)
{
    static const struct {
        const char *name;
        enum currency currency;
        unsigned flags;
    } rows[ACCOUNTS] = {{"wallet:a:clearing:cny", CUR_CNY, 0},
                        {"wallet:b:clearing:cny", CUR_CNY, 0},
                        {"store:sales:cny", CUR_CNY, 0},
                        {"customer:x:balance:cny", CUR_CNY, LEDGER_DEBITS_LIMITED},
                        {"customer:y:balance:cny", CUR_CNY, LEDGER_DEBITS_LIMITED},
                        {"store:budget:cny", CUR_CNY, LEDGER_CREDITS_LIMITED},
                        {"wallet:c:clearing:eur", CUR_EUR, 0}};
    sim_begin();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        accounts[i] = (struct ledger_account){.currency = rows[i].currency, .flags = rows[i].flags};
        (void)snprintf(accounts[i].name, sizeof accounts[i].name, "%s", rows[i].name);
        named("account", i, &accounts[i].id);
        SIM_OK(ledger_open(sim.db, &accounts[i], sim.now_us));
    }
    sim_commit();
}

/* --- the model --- */

static int account_of(const struct id *id)
{
    for (int i = 0; i < ACCOUNTS; i++)
        if (id_eq(&accounts[i].id, id))
            return i;
    return -1;
}
static struct known *known_of(struct model *x, const struct id *id)
{
    for (unsigned i = 0; id_is(id) && i < x->count; i++)
        if (id_eq(&x->known[i].t.id, id))
            return &x->known[i];
    return NULL;
}

static bool same(const struct model *x, const struct ledger_transfer *a, const struct ledger_transfer *there)
{
    UNUSED(x);
    bool moves = a->kind == LEDGER_TRANSFER || a->kind == LEDGER_PENDING;
    return a->kind == there->kind && id_eq(&a->pending, &there->pending) && a->expires_us == there->expires_us &&
           strcmp(a->ref, there->ref) == 0 && strcmp(a->reason, there->reason) == 0 &&
           (!moves || (id_eq(&a->debit, &there->debit) && id_eq(&a->credit, &there->credit) &&
                       a->currency == there->currency && a->amount_minor == there->amount_minor)) &&
           (a->kind != LEDGER_POST || a->amount_minor == there->amount_minor);
}

static enum sim_outcome move(struct model *x, const struct ledger_transfer *t, int64_t now_us)
{
    int d = account_of(&t->debit), c = account_of(&t->credit);
    if (t->amount_minor <= 0 || d < 0 || c < 0 || d == c || accounts[d].currency != t->currency ||
        accounts[c].currency != t->currency)
        return OUT_transfer_malformed;
    if (t->expires_us && t->expires_us <= now_us)
        return OUT_transfer_expired;
    struct ledger_sums *debit = &x->sums[d], *credit = &x->sums[c];
    *(t->kind == LEDGER_PENDING ? &debit->debits_pending : &debit->debits_posted) += t->amount_minor;
    *(t->kind == LEDGER_PENDING ? &credit->credits_pending : &credit->credits_posted) += t->amount_minor;
    if (accounts[d].flags & LEDGER_DEBITS_LIMITED && debit->debits_pending + debit->debits_posted > debit->credits_posted)
        return OUT_transfer_limit;
    if (accounts[c].flags & LEDGER_CREDITS_LIMITED &&
        credit->credits_pending + credit->credits_posted > credit->debits_posted)
        return OUT_transfer_limit;
    return OUT_transfer_ok;
}

static enum sim_outcome settle(struct model *x, struct ledger_transfer *t, int64_t now_us)
{
    struct known *k = known_of(x, &t->pending);
    if (!k || k->t.kind != LEDGER_PENDING)
        return OUT_transfer_not_pending;
    if (k->state == LEDGER_IS_POSTED || k->state == LEDGER_IS_VOIDED)
        return OUT_transfer_settled_already;
    if (k->state == LEDGER_IS_EXPIRED || (k->t.expires_us && k->t.expires_us <= now_us))
        return OUT_transfer_expired;
    if (t->kind == LEDGER_POST && t->amount_minor == LEDGER_ALL)
        t->amount_minor = k->t.amount_minor;
    if (!t->ref[0])
        memcpy(t->ref, k->t.ref, sizeof t->ref);
    if (t->amount_minor > k->t.amount_minor)
        return OUT_transfer_malformed;
    struct ledger_sums *debit = &x->sums[account_of(&k->t.debit)], *credit = &x->sums[account_of(&k->t.credit)];
    debit->debits_pending -= k->t.amount_minor;
    credit->credits_pending -= k->t.amount_minor;
    debit->debits_posted += t->amount_minor;
    credit->credits_posted += t->amount_minor;
    k->state = t->kind == LEDGER_POST ? LEDGER_IS_POSTED : LEDGER_IS_VOIDED;
    return OUT_transfer_ok;
}

static enum sim_outcome one(struct model *x, struct ledger_transfer t, int64_t now_us)
{
    const struct known *k = known_of(x, &t.id);
    if (k) {
        if (t.kind == LEDGER_POST && t.amount_minor == LEDGER_ALL && known_of(x, &k->t.pending))
            t.amount_minor = known_of(x, &k->t.pending)->t.amount_minor;
        if (!t.ref[0] && (t.kind == LEDGER_POST || t.kind == LEDGER_VOID))
            memcpy(t.ref, k->t.ref, sizeof t.ref);
        return same(x, &t, &k->t) ? OUT_transfer_exists : OUT_transfer_exists_other;
    }
    enum sim_outcome o = t.kind == LEDGER_TRANSFER || t.kind == LEDGER_PENDING ? move(x, &t, now_us) : settle(x, &t, now_us);
    if (o == OUT_transfer_ok)
        x->known[x->count++] = (struct known){.t = t, .state = LEDGER_IS_PENDING};
    return o;
}

/* What must become of a call: *x is what the ledger is afterwards. */
static bool predict(struct model *x, const struct ledger_transfer *t, unsigned count, int64_t now_us, enum sim_outcome *ret)
{
    struct model before = *x;
    now_us = MAX_OF(now_us, x->last_us);
    for (unsigned i = 0; i < count; i++) {
        bool twice = false;
        for (unsigned k = 0; k < i; k++)
            twice |= ret[k] == OUT_transfer_ok && id_eq(&t[k].id, &t[i].id);
        ret[i] = twice ? OUT_transfer_malformed : one(x, t[i], now_us);
        if (ret[i] != OUT_transfer_ok && ret[i] != OUT_transfer_exists) {
            for (unsigned k = 0; k < count; k++)
                if (k != i)
                    ret[k] = OUT_transfer_linked;
            *x = before;
            return false;
        }
    }
    if (x->count != before.count)
        x->last_us = now_us;
    return true;
}

static enum sim_outcome outcome_of(enum ledger_result r)
{
    switch (r) {
    case LEDGER_OK: return OUT_transfer_ok;
    case LEDGER_EXISTS: return OUT_transfer_exists;
    case LEDGER_EXISTS_OTHER_KIND:
    case LEDGER_EXISTS_OTHER_PENDING:
    case LEDGER_EXISTS_OTHER_DEBIT:
    case LEDGER_EXISTS_OTHER_CREDIT:
    case LEDGER_EXISTS_OTHER_AMOUNT:
    case LEDGER_EXISTS_OTHER_CURRENCY:
    case LEDGER_EXISTS_OTHER_EXPIRY:
    case LEDGER_EXISTS_OTHER_REASON:
    case LEDGER_EXISTS_OTHER_REFERENCE: return OUT_transfer_exists_other;
    case LEDGER_EXCEEDS_CREDITS:
    case LEDGER_EXCEEDS_DEBITS: return OUT_transfer_limit;
    case LEDGER_NOT_PENDING: return OUT_transfer_not_pending;
    case LEDGER_ALREADY_POSTED:
    case LEDGER_ALREADY_VOIDED: return OUT_transfer_settled_already;
    case LEDGER_ALREADY_EXPIRED:
    case LEDGER_EXPIRES_EARLIER: return OUT_transfer_expired;
    case LEDGER_LINKED_FAILED: return OUT_transfer_linked;
    case LEDGER_NO_ID:
    case LEDGER_ID_TWICE:
    case LEDGER_BAD_AMOUNT:
    case LEDGER_BAD_KIND:
    case LEDGER_BAD_TEXT:
    case LEDGER_SAME_ACCOUNT:
    case LEDGER_NO_DEBIT_ACCOUNT:
    case LEDGER_NO_CREDIT_ACCOUNT:
    case LEDGER_OTHER_CURRENCY:
    case LEDGER_ACCOUNT_CLOSED:
    case LEDGER_OVERFLOWS:
    case LEDGER_EXCEEDS_PENDING:
    case LEDGER_RESULT_MAX: break;
    }
    return OUT_transfer_malformed;
}

/* --- checking --- */

static void check_sums(void)
{
    int64_t debits[CUR_MAX] = {0}, credits[CUR_MAX] = {0};
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        struct ledger_account a;
        SIM_OK(ledger_account(sim.db, &accounts[i].id, &a));
        const struct ledger_sums *is = &a.sums, *must = &m.sums[i];
        SIM_CHECK(2, memcmp(is, must, sizeof *is) == 0,
                  "%s: the ledger says %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ", the model %" PRId64 " %" PRId64
                  " %" PRId64 " %" PRId64,
                  a.name, is->debits_pending, is->debits_posted, is->credits_pending, is->credits_posted,
                  must->debits_pending, must->debits_posted, must->credits_pending, must->credits_posted);
        debits[a.currency] += is->debits_pending + is->debits_posted;
        credits[a.currency] += is->credits_pending + is->credits_posted;
        SIM_CHECK(2, !(a.flags & LEDGER_DEBITS_LIMITED) || is->debits_pending + is->debits_posted <= is->credits_posted,
                  "%s is overdrawn", a.name);
    }
    for (unsigned i = 0; i < CUR_MAX; i++)
        SIM_CHECK(1, debits[i] == credits[i], "debits %" PRId64 ", credits %" PRId64, debits[i], credits[i]);
}

/* Entries are what they were, in their order, and nothing else is there. */
struct reread {
    unsigned at;
    int64_t number, at_us;
};
static enum keer_err reread_one(void *ctx, const struct ledger_transfer *t)
{
    struct reread *r = ctx;
    SIM_CHECK(3, t->number == r->number + 1, "entry %" PRId64 " follows %" PRId64, t->number, r->number);
    SIM_CHECK(3, t->at_us >= r->at_us, "entry %" PRId64 " is older than the one before", t->number);
    r->number = t->number;
    r->at_us = t->at_us;
    if (t->kind == LEDGER_EXPIRE)
        return KEER_OK; /* the sums have it */
    SIM_CHECK(3, r->at < m.count, "entry %" PRId64 " is nobody's", t->number);
    struct known *k = &m.known[r->at++];
    SIM_CHECK(3, id_eq(&k->t.id, &t->id) && same(&m, t, &k->t), "entry %" PRId64 " is not what was written", t->number);
    return KEER_OK;
}
static void check_entries(void)
{
    struct reread r = {0};
    int64_t last = 0;
    struct ledger_report report;
    struct ledger_query q = {.max = 2 * TRANSFERS_MAX};
    SIM_OK(ledger_each(sim.db, &q, reread_one, &r, &last));
    SIM_CHECK(7, r.at == m.count, "%u of %u acknowledged transfers are there", r.at, m.count);
    SIM_OK(ledger_verify(sim.db, &report));
    SIM_CHECK(3, report.faults == 0, "verify: %s", report.fault);
}

/* --- operations --- */

static void draw_new(struct ledger_transfer *t)
{
    bool eur = rng_chance(&sim.rng, 0.05);
    unsigned debit = (unsigned)rng_below(&sim.rng, eur ? ACCOUNTS : ACCOUNTS - 1);
    unsigned credit = (unsigned)rng_below(&sim.rng, ACCOUNTS - 1);
    *t = (struct ledger_transfer){.debit = accounts[debit].id, .credit = accounts[credit].id, .currency = CUR_CNY};
    t->kind = rng_chance(&sim.rng, 0.6) ? LEDGER_PENDING : LEDGER_TRANSFER;
    t->amount_minor = rng_between(&sim.rng, rng_chance(&sim.rng, 0.03) ? -1 : 1, 1000);
    if (t->kind == LEDGER_PENDING && rng_chance(&sim.rng, 0.5))
        t->expires_us = sim.now_us + rng_between(&sim.rng, rng_chance(&sim.rng, 0.1) ? -5 : 1, 12) * US_SECOND;
    (void)snprintf(t->ref, sizeof t->ref, "agreement-%u", (unsigned)rng_below(&sim.rng, 3));
    named("transfer", ++names, &t->id);
}
static void draw_settle(struct ledger_transfer *t)
{
    *t = (struct ledger_transfer){.kind = rng_chance(&sim.rng, 0.6) ? LEDGER_POST : LEDGER_VOID};
    if (m.count && !rng_chance(&sim.rng, 0.05)) {
        /* Of a few, one that waits: else most of what is met is settled already. */
        for (unsigned i = 0; i < 4; i++) {
            const struct known *k = &m.known[rng_below(&sim.rng, m.count)];
            t->pending = k->t.id;
            if (k->t.kind == LEDGER_PENDING && k->state == LEDGER_IS_PENDING)
                break;
        }
    } else
        named("nothing", rng_below(&sim.rng, 3), &t->pending);
    if (t->kind == LEDGER_POST && rng_chance(&sim.rng, 0.4))
        t->amount_minor = rng_between(&sim.rng, 1, 500);
    named("transfer", ++names, &t->id);
}
static void draw_again(struct ledger_transfer *t)
{
    *t = m.known[rng_below(&sim.rng, m.count)].t;
    t->number = t->at_us = 0;
    if (t->kind == LEDGER_POST || t->kind == LEDGER_VOID)
        t->debit = t->credit = (struct id){""};
    if (t->kind == LEDGER_VOID)
        t->amount_minor = 0;
    if (rng_chance(&sim.rng, 0.6))
        return;
    switch (rng_below(&sim.rng, 3)) {
    case 0: t->amount_minor += t->kind == LEDGER_VOID ? 0 : 1; break;
    case 1: (void)snprintf(t->reason, sizeof t->reason, "another"); break;
    case 2:
        if (t->kind == LEDGER_TRANSFER || t->kind == LEDGER_PENDING) {
            struct id was = t->debit;
            t->debit = t->credit;
            t->credit = was;
        }
        break;
    }
}
static unsigned draw(struct ledger_transfer *t)
{
    unsigned count = rng_chance(&sim.rng, 0.25) ? 2 + (unsigned)rng_below(&sim.rng, 3) : 1;
    for (unsigned i = 0; i < count; i++) {
        uint64_t what = rng_below(&sim.rng, 100);
        if (what < 15 && m.count)
            draw_again(&t[i]);
        else if (what < 60)
            draw_settle(&t[i]);
        else
            draw_new(&t[i]);
    }
    return count;
}

static void crash(void)
{
    sim.dead = true;
    db_close(sim.db);
    sim.dead = false;
    sim.db = NULL;
    database_fail(0, false);
    disk_fail(0, false);
    disk_crash(&sim.rng);
    sim_open();
}

/* How a transaction is disturbed: nothing, a statement that fails, a disk that does. */
static void arm(void)
{
    if (sim_chance(FAULT_STATEMENT))
        sim_arm(database_fail, 30);
    else if (sim_chance(FAULT_DISK))
        sim_arm(disk_fail, 12);
}

/* After a crash: whether the call is in the ledger, whole. */
static bool is_there(const struct ledger_transfer *t, unsigned count, const struct model *after)
{
    unsigned there = 0, fresh = 0;
    for (unsigned i = 0; i < count; i++) {
        struct ledger_transfer found;
        if (known_of(&m, &t[i].id))
            continue;
        fresh++;
        enum keer_err err = ledger_find(sim.db, &t[i].id, &found);
        SIM_CHECK(7, err == KEER_OK || err == KEER_EMISSING, "looking it up: %s", keer_err_text(err));
        there += err == KEER_OK;
    }
    SIM_CHECK(1, there == 0 || there == fresh, "%u of %u linked transfers are there", there, fresh);
    UNUSED(after);
    return there > 0;
}

static void apply_step(void)
{
    struct ledger_transfer t[4];
    enum sim_outcome must[4];
    enum ledger_result results[4] = {0};
    static struct model after;
    bool done = false;
    unsigned count = draw(t);
    after = m;
    bool must_do = predict(&after, t, count, sim.now_us, must);
    arm();
    enum keer_err err = db_begin(sim.db);
    if (err == KEER_OK)
        err = ledger_apply(sim.db, t, count, sim.now_us, results, &done);
    enum db_outcome outcome = err == KEER_OK ? db_commit(sim.db) : DB_NOT_COMMITTED;
    bool disturbed = database_failed() || outcome == DB_UNKNOWN;
    database_fail(0, false);
    disk_fail(0, false);
    if (err == KEER_OK && outcome == DB_COMMITTED) {
        SIM_CHECK(11, done == must_do, "%u transfers, the first %s: done %d, the model says %d", count,
                  ledger_result_name(results[0]), done, must_do);
        for (unsigned i = 0; i < count; i++) {
            SIM_CHECK(11, outcome_of(results[i]) == must[i], "transfer %u: %s, the model says outcome %d", i,
                      ledger_result_name(results[i]), (int)must[i]);
            sim_count(must[i]);
        }
        m = after;
        sim_count(OUT_write_committed);
        sim_trace("apply %u %s %d", count, ledger_result_name(results[0]), done);
        return;
    }
    SIM_CHECK(0, disturbed || err == KEER_EIO, "%s without a fault", keer_err_text(err));
    db_rollback(sim.db);
    if (outcome != DB_UNKNOWN && rng_chance(&sim.rng, 0.5)) { /* rolled back, and the process goes on */
        sim_count(OUT_write_failed);
        sim_trace("failed");
        SIM_CHECK(8, !is_there(t, count, &after), "what was rolled back is there");
        return;
    }
    sim_count(outcome == DB_UNKNOWN ? OUT_write_unknown : OUT_write_failed);
    crash();
    bool there = is_there(t, count, &after);
    if (there)
        m = after;
    sim_trace("crashed, %d", there);
}

static void expire_step(void)
{
    unsigned count = 0, must = 0;
    int64_t now_us = MAX_OF(sim.now_us, m.last_us);
    sim_begin();
    SIM_OK(ledger_expire_due(sim.db, sim.now_us, LEDGER_LINKED_MAX, &count));
    sim_commit();
    for (unsigned i = 0; i < m.count; i++) {
        struct known *k = &m.known[i];
        if (k->t.kind != LEDGER_PENDING || k->state != LEDGER_IS_PENDING || !k->t.expires_us || k->t.expires_us > sim.now_us)
            continue;
        must++;
        enum ledger_state state;
        int64_t posted = 0;
        SIM_OK(ledger_state(sim.db, &k->t.id, &state, &posted));
        if (state != LEDGER_IS_EXPIRED)
            continue;
        k->state = LEDGER_IS_EXPIRED;
        m.sums[account_of(&k->t.debit)].debits_pending -= k->t.amount_minor;
        m.sums[account_of(&k->t.credit)].credits_pending -= k->t.amount_minor;
    }
    SIM_CHECK(2, count == MIN_OF(must, (unsigned)LEDGER_LINKED_MAX), "%u expired, %u were due", count, must);
    if (count)
        m.last_us = now_us;
    sim_trace("expired %u", count);
}

void books_run(void)
{
    memset(&m, 0, sizeof m);
    names = 0;
    open_accounts();
    for (unsigned i = 0; i < 60 && m.count < TRANSFERS_MAX - 4; i++) {
        sim.step++;
        if (sim_chance(FAULT_CRASH)) {
            crash();
            sim_trace("crash");
        }
        sim_tick();
        if (rng_chance(&sim.rng, 0.03))
            expire_step();
        else
            apply_step();
        check_sums();
    }
    crash();
    check_sums();
    check_entries();
}
