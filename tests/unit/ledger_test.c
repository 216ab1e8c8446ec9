/* ledger_test.c - the ledger: each refusal, a model that it is compared with, what verify finds, calls that fail. */
#include "ledger/ledger.h"

#include "base/rand.h"
#include "base/timefmt.h"
#include "lib/database.h"
#include "lib/db_fail.h"
#include "lib/test.h"
#include "store/query.h"

#define NOW (INT64_C(1537797600) * US_SECOND) /* 2018-09-24T14:00:00Z */

struct books {
    struct scratch scratch;
    struct db *db;
    struct id player, wallet, euros, closed;
};

static void named(const char *text, struct id *ret)
{
    struct crypto_hash h;
    crypto_sha256(slice_str(text), &h);
    id_of_hash(&h, ret);
}

static void open_account(struct books *b, const char *name, enum currency currency, unsigned flags, struct id *ret)
{
    struct ledger_account a = {.currency = currency, .flags = flags};
    (void)snprintf(a.name, sizeof a.name, "%s", name);
    named(name, &a.id);
    ck_ok(db_begin(b->db));
    ck_ok(ledger_open(b->db, &a, NOW));
    ck_assert(db_commit(b->db) == DB_COMMITTED);
    *ret = a.id;
}

static void make(struct books *b)
{
    struct db_why why;
    ck_ok(crypto_start());
    database_make(&b->scratch);
    ck_ok(db_open(database_where(&b->scratch), DB_WRITE, &b->db, &why));
    ck_ok(db_migrate(b->db, NOW, &why));
    open_account(b, "player:liu", CUR_CNY, LEDGER_DEBITS_LIMITED, &b->player);
    open_account(b, "wallet:alipay", CUR_CNY, 0, &b->wallet);
    open_account(b, "wallet:antom", CUR_EUR, LEDGER_CREDITS_LIMITED, &b->euros);
    open_account(b, "old", CUR_CNY, 0, &b->closed);
    ck_ok(db_begin(b->db));
    ck_ok(ledger_close(b->db, &b->closed, NOW));
    ck_assert(db_commit(b->db) == DB_COMMITTED);
}

static void end(struct books *b)
{
    db_close(b->db);
    scratch_remove(&b->scratch);
}

static bool apply(struct books *b, const struct ledger_transfer *t, unsigned count, int64_t now_us,
                  enum ledger_result *results)
{
    bool done = false;
    ck_ok(db_begin(b->db));
    ck_ok(ledger_apply(b->db, t, count, now_us, results, &done));
    ck_assert(db_commit(b->db) == DB_COMMITTED);
    return done;
}

static enum ledger_result one(struct books *b, struct ledger_transfer t)
{
    enum ledger_result r;
    bool done = apply(b, &t, 1, NOW, &r);
    ck_assert(done == ledger_result_done(r));
    return r;
}

static struct ledger_transfer move(const char *id, enum ledger_kind kind, const struct id *debit, const struct id *credit,
                                   int64_t amount_minor)
{
    struct ledger_transfer t = {
        .kind = kind, .debit = *debit, .credit = *credit, .amount_minor = amount_minor, .currency = CUR_CNY, .ref = "a1"};
    named(id, &t.id);
    return t;
}

static struct ledger_transfer settle(const char *id, enum ledger_kind kind, const char *pending, int64_t amount_minor)
{
    struct ledger_transfer t = {.kind = kind, .amount_minor = amount_minor};
    named(id, &t.id);
    named(pending, &t.pending);
    return t;
}

static void check_clean(struct books *b)
{
    struct ledger_report r;
    ck_ok(ledger_verify(b->db, &r));
    ck_assert_msg(r.faults == 0, "entry %lld: %s", (long long)r.fault_number, r.fault);
}

static struct ledger_sums sums(struct books *b, const struct id *account)
{
    struct ledger_account a;
    ck_ok(ledger_account(b->db, account, &a));
    return a.sums;
}

/* --- each result --- */

static bool seen[LEDGER_RESULT_MAX];
#define EXPECT(want, t)                                                                    \
    do {                                                                                   \
        enum ledger_result got_ = one(&b, (t));                                            \
        seen[got_] = true;                                                                 \
        ck_assert_msg(got_ == LEDGER_##want, "%s, want " #want, ledger_result_name(got_)); \
    } while (0)

START_TEST(every_result)
{
    struct books b;
    struct ledger_transfer t;
    struct id nobody;
    make(&b);
    named("nobody", &nobody);
    EXPECT(OK, move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 100000));
    EXPECT(EXISTS, move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 100000));
    EXPECT(EXISTS_OTHER_AMOUNT, move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 100001));
    EXPECT(EXISTS_OTHER_KIND, move("top up", LEDGER_PENDING, &b.wallet, &b.player, 100000));
    EXPECT(EXISTS_OTHER_DEBIT, move("top up", LEDGER_TRANSFER, &b.euros, &b.player, 100000));
    EXPECT(EXISTS_OTHER_CREDIT, move("top up", LEDGER_TRANSFER, &b.wallet, &b.euros, 100000));
    t = move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 100000);
    t.currency = CUR_EUR;
    EXPECT(EXISTS_OTHER_CURRENCY, t);
    t.currency = CUR_CNY;
    t.reason[0] = 'x';
    EXPECT(EXISTS_OTHER_REASON, t);
    t.ref[0] = 'x';
    EXPECT(EXISTS_OTHER_REFERENCE, t);

    EXPECT(OK, move("p1", LEDGER_PENDING, &b.player, &b.wallet, 64800));
    EXPECT(EXCEEDS_CREDITS, move("p2", LEDGER_PENDING, &b.player, &b.wallet, 35201));
    EXPECT(OK, move("p2", LEDGER_PENDING, &b.player, &b.wallet, 35200));
    EXPECT(EXCEEDS_CREDITS, move("p3", LEDGER_TRANSFER, &b.player, &b.wallet, 1));
    EXPECT(EXCEEDS_PENDING, settle("s1", LEDGER_POST, "p1", 64801));
    EXPECT(OK, settle("s1", LEDGER_POST, "p1", 60000));
    EXPECT(EXISTS, settle("s1", LEDGER_POST, "p1", 60000));
    EXPECT(EXISTS_OTHER_AMOUNT, settle("s1", LEDGER_POST, "p1", LEDGER_ALL));
    EXPECT(EXISTS_OTHER_PENDING, settle("s1", LEDGER_POST, "p2", 60000));
    EXPECT(EXISTS_OTHER_KIND, settle("s1", LEDGER_VOID, "p1", 0));
    EXPECT(ALREADY_POSTED, settle("s2", LEDGER_POST, "p1", 1));
    EXPECT(ALREADY_POSTED, settle("s2", LEDGER_VOID, "p1", 0));
    EXPECT(OK, settle("s3", LEDGER_VOID, "p2", 0));
    EXPECT(ALREADY_VOIDED, settle("s4", LEDGER_POST, "p2", LEDGER_ALL));
    EXPECT(NOT_PENDING, settle("s4", LEDGER_POST, "top up", LEDGER_ALL));
    EXPECT(NOT_PENDING, settle("s4", LEDGER_VOID, "never", 0));
    t = move("p2", LEDGER_PENDING, &b.player, &b.wallet, 35200);
    t.expires_us = NOW + 1;
    EXPECT(EXISTS_OTHER_EXPIRY, t);
    t = settle("s1", LEDGER_POST, "p1", 60000); /* its reference is that of p1, given or not */
    (void)snprintf(t.ref, sizeof t.ref, "a1");
    EXPECT(EXISTS, t);
    (void)snprintf(t.ref, sizeof t.ref, "a2");
    EXPECT(EXISTS_OTHER_REFERENCE, t);
    EXPECT(OK, move("p4", LEDGER_PENDING, &b.player, &b.wallet, 40000));
    EXPECT(OK, settle("s5", LEDGER_POST, "p4", LEDGER_ALL));
    EXPECT(EXISTS, settle("s5", LEDGER_POST, "p4", LEDGER_ALL));
    EXPECT(EXISTS, settle("s5", LEDGER_POST, "p4", 40000));

    t = move("x", LEDGER_TRANSFER, &b.wallet, &b.player, 1);
    t.id = (struct id){0};
    EXPECT(NO_ID, t);
    EXPECT(BAD_AMOUNT, move("x", LEDGER_TRANSFER, &b.wallet, &b.player, 0));
    EXPECT(BAD_AMOUNT, move("x", LEDGER_PENDING, &b.wallet, &b.player, -5));
    EXPECT(BAD_AMOUNT, settle("x", LEDGER_VOID, "p1", 5));
    EXPECT(BAD_AMOUNT, settle("x", LEDGER_POST, "p1", -1));
    EXPECT(BAD_KIND, settle("x", LEDGER_EXPIRE, "p1", 0));
    t = move("x", LEDGER_TRANSFER, &b.wallet, &b.player, 1);
    t.expires_us = NOW + 1;
    EXPECT(BAD_KIND, t);
    t = settle("x", LEDGER_POST, "p1", 0);
    t.debit = b.wallet;
    EXPECT(BAD_KIND, t);
    t = move("x", LEDGER_TRANSFER, &b.wallet, &b.player, 1);
    t.ref[0] = '\n';
    EXPECT(BAD_TEXT, t);
    memset(t.ref, 'r', sizeof t.ref);
    EXPECT(BAD_TEXT, t);
    EXPECT(SAME_ACCOUNT, move("x", LEDGER_TRANSFER, &b.wallet, &b.wallet, 1));
    EXPECT(NO_DEBIT_ACCOUNT, move("x", LEDGER_TRANSFER, &nobody, &b.wallet, 1));
    EXPECT(NO_CREDIT_ACCOUNT, move("x", LEDGER_TRANSFER, &b.wallet, &nobody, 1));
    EXPECT(OTHER_CURRENCY, move("x", LEDGER_TRANSFER, &b.wallet, &b.euros, 1));
    EXPECT(ACCOUNT_CLOSED, move("x", LEDGER_TRANSFER, &b.wallet, &b.closed, 1));
    EXPECT(OVERFLOWS, move("x", LEDGER_TRANSFER, &b.wallet, &b.player, INT64_MAX));
    t = move("x", LEDGER_PENDING, &b.wallet, &b.player, 1);
    t.expires_us = NOW;
    EXPECT(EXPIRES_EARLIER, t);
    struct id other;
    open_account(&b, "euros", CUR_EUR, 0, &other);
    t = move("x", LEDGER_PENDING, &other, &b.euros, 1);
    t.currency = CUR_EUR;
    EXPECT(EXCEEDS_DEBITS, t);
    check_clean(&b);
    struct ledger_sums s = sums(&b, &b.player);
    ck_assert(s.debits_pending == 0 && s.debits_posted == 100000 && s.credits_posted == 100000 && s.credits_pending == 0);
    seen[LEDGER_ID_TWICE] = seen[LEDGER_LINKED_FAILED] = seen[LEDGER_ALREADY_EXPIRED] = true; /* the tests below */
    for (int i = 0; i < LEDGER_RESULT_MAX; i++)
        ck_assert_msg(seen[i], "%s was not provoked", ledger_result_name((enum ledger_result)i));
    end(&b);
}
END_TEST

START_TEST(linked_transfers_stand_together_or_not_at_all)
{
    struct books b;
    enum ledger_result r[4];
    make(&b);
    struct ledger_transfer t[] = {move("a", LEDGER_TRANSFER, &b.wallet, &b.player, 500),
                                  move("b", LEDGER_PENDING, &b.player, &b.wallet, 300), settle("c", LEDGER_POST, "b", 200),
                                  move("d", LEDGER_TRANSFER, &b.player, &b.wallet, 301)};
    ck_assert(!apply(&b, t, 4, NOW, r)); /* 500 - 200 < 301 */
    ck_assert(r[0] == LEDGER_LINKED_FAILED && r[1] == LEDGER_LINKED_FAILED && r[2] == LEDGER_LINKED_FAILED);
    ck_assert_int_eq(r[3], LEDGER_EXCEEDS_CREDITS);
    ck_assert_int_eq(sums(&b, &b.player).credits_posted, 0);
    t[3].amount_minor = 300;
    ck_assert(apply(&b, t, 4, NOW, r));
    ck_assert(apply(&b, t, 4, NOW, r));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(r[i], LEDGER_EXISTS);
    t[3] = t[0];
    named("e", &t[0].id);
    named("e", &t[1].id);
    ck_assert(!apply(&b, t, 2, NOW, r));
    ck_assert_int_eq(r[1], LEDGER_ID_TWICE);
    struct ledger_sums s = sums(&b, &b.player);
    ck_assert(s.credits_posted == 500 && s.debits_posted == 500 && s.debits_pending == 0);
    check_clean(&b);
    end(&b);
}
END_TEST

static unsigned expire(struct books *b, int64_t now_us)
{
    unsigned count = 0;
    ck_ok(db_begin(b->db));
    ck_ok(ledger_expire_due(b->db, now_us, 100, &count));
    ck_assert(db_commit(b->db) == DB_COMMITTED);
    return count;
}

START_TEST(what_is_pending_expires_once)
{
    struct books b;
    enum ledger_result r;
    make(&b);
    ck_assert_int_eq(one(&b, move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 1000)), LEDGER_OK);
    for (int i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "p%d", i);
        struct ledger_transfer t = move(id, LEDGER_PENDING, &b.player, &b.wallet, 10);
        t.expires_us = NOW + 10 + i;
        ck_assert_int_eq(one(&b, t), LEDGER_OK);
    }
    ck_assert_uint_eq(expire(&b, NOW + 9), 0);
    /* Late, and not swept yet: it can't be posted any more, and can still be let go. */
    struct ledger_transfer late = settle("s0", LEDGER_POST, "p0", LEDGER_ALL);
    ck_assert(!apply(&b, &late, 1, NOW + 10, &r));
    ck_assert_int_eq(r, LEDGER_ALREADY_EXPIRED);
    ck_assert_uint_eq(expire(&b, NOW + 100), LEDGER_LINKED_MAX);
    ck_assert_uint_eq(expire(&b, NOW + 100), 20 - LEDGER_LINKED_MAX);
    ck_assert_uint_eq(expire(&b, NOW + 100), 0);
    ck_assert(!apply(&b, &late, 1, NOW, &r)); /* a clock that went back: the ledger's does not */
    ck_assert_int_eq(r, LEDGER_ALREADY_EXPIRED);
    struct ledger_sums s = sums(&b, &b.player);
    ck_assert(s.debits_pending == 0 && s.debits_posted == 0);
    check_clean(&b);
    end(&b);
}
END_TEST

static enum keer_err try_open(struct books *b, const char *name, const char *id, enum currency currency, unsigned flags)
{
    struct ledger_account a = {.currency = currency, .flags = flags};
    (void)snprintf(a.name, sizeof a.name, "%s", name);
    named(id, &a.id);
    ck_ok(db_begin(b->db));
    enum keer_err err = ledger_open(b->db, &a, NOW);
    if (err == KEER_OK)
        ck_assert(db_commit(b->db) == DB_COMMITTED);
    else
        db_rollback(b->db);
    return err;
}

START_TEST(accounts_are_opened_once_and_closed_when_even)
{
    struct books b;
    make(&b);
    ck_ok(try_open(&b, "player:liu", "player:liu", CUR_CNY, LEDGER_DEBITS_LIMITED));
    ck_err(try_open(&b, "player:liu", "player:liu", CUR_CNY, 0), KEER_ECONFLICT);
    ck_err(try_open(&b, "player:liu", "player:liu", CUR_EUR, LEDGER_DEBITS_LIMITED), KEER_ECONFLICT);
    ck_err(try_open(&b, "player:liu", "another", CUR_CNY, LEDGER_DEBITS_LIMITED), KEER_ECONFLICT);
    ck_err(try_open(&b, "old", "old", CUR_CNY, 0), KEER_ECONFLICT);
    static const char *const bad[] = {"", ":", "a:", ":a", "a::b", "A", "a b", "a;b", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_err(try_open(&b, bad[i], "n", CUR_CNY, 0), KEER_EINVALID);
    ck_err(try_open(&b, "n", "n", CUR_MAX, 0), KEER_EINVALID);
    ck_err(try_open(&b, "n", "n", CUR_CNY, 4), KEER_EINVALID);
    ck_assert_int_eq(one(&b, move("1", LEDGER_PENDING, &b.wallet, &b.player, 10)), LEDGER_OK);
    ck_ok(db_begin(b.db));
    ck_err(ledger_close(b.db, &b.player, NOW), KEER_EINVALID); /* something is pending */
    db_rollback(b.db);
    ck_assert_int_eq(one(&b, settle("2", LEDGER_POST, "1", 10)), LEDGER_OK);
    ck_ok(db_begin(b.db));
    ck_err(ledger_close(b.db, &b.player, NOW), KEER_EINVALID); /* it has 10 */
    db_rollback(b.db);
    ck_assert_int_eq(one(&b, move("3", LEDGER_TRANSFER, &b.player, &b.wallet, 10)), LEDGER_OK);
    ck_ok(db_begin(b.db));
    ck_ok(ledger_close(b.db, &b.player, NOW));
    ck_assert(db_commit(b.db) == DB_COMMITTED);
    ck_assert_int_eq(one(&b, move("4", LEDGER_TRANSFER, &b.wallet, &b.player, 10)), LEDGER_ACCOUNT_CLOSED);
    end(&b);
}
END_TEST

/* --- a model of it --- */

#define MODEL_ACCOUNTS 5
#define MODEL_TRANSFERS 400
struct model {
    struct ledger_sums sums[MODEL_ACCOUNTS];
    struct {
        bool there;
        struct ledger_transfer t;
        int debit, credit, state;
        int64_t posted;
    } row[MODEL_TRANSFERS];
    struct id account[MODEL_ACCOUNTS];
    unsigned flags[MODEL_ACCOUNTS];
};

static bool model_may(const struct model *m, int debit, int credit, int64_t amount)
{
    const struct ledger_sums *d = &m->sums[debit], *c = &m->sums[credit];
    return !(m->flags[debit] & LEDGER_DEBITS_LIMITED && d->debits_pending + d->debits_posted + amount > d->credits_posted) &&
           !(m->flags[credit] & LEDGER_CREDITS_LIMITED &&
             c->credits_pending + c->credits_posted + amount > c->debits_posted);
}

/* A transfer of the model; false when it must be refused. */
static bool model_apply(struct model *m, int n, const struct ledger_transfer *t, int debit, int credit, int pending)
{
    if (m->row[n].there)
        return m->row[n].t.kind == t->kind && memcmp(&m->row[n].t, t, sizeof *t) == 0;
    if (t->kind == LEDGER_TRANSFER || t->kind == LEDGER_PENDING) {
        if (debit == credit || !model_may(m, debit, credit, t->amount_minor))
            return false;
        int64_t *d = t->kind == LEDGER_PENDING ? &m->sums[debit].debits_pending : &m->sums[debit].debits_posted;
        int64_t *c = t->kind == LEDGER_PENDING ? &m->sums[credit].credits_pending : &m->sums[credit].credits_posted;
        *d += t->amount_minor;
        *c += t->amount_minor;
        m->row[n].debit = debit;
        m->row[n].credit = credit;
    } else {
        if (!m->row[pending].there || m->row[pending].t.kind != LEDGER_PENDING || m->row[pending].state ||
            t->amount_minor > m->row[pending].t.amount_minor)
            return false;
        int64_t whole = m->row[pending].t.amount_minor;
        int64_t posted = t->kind == LEDGER_VOID ? 0 : t->amount_minor == LEDGER_ALL ? whole : t->amount_minor;
        m->sums[m->row[pending].debit].debits_pending -= whole;
        m->sums[m->row[pending].credit].credits_pending -= whole;
        m->sums[m->row[pending].debit].debits_posted += posted;
        m->sums[m->row[pending].credit].credits_posted += posted;
        m->row[pending].state = 1;
    }
    m->row[n].there = true;
    m->row[n].t = *t;
    return true;
}

static void model_step(struct books *b, struct model *m, struct rng *r)
{
    int n = (int)rng_below(r, MODEL_TRANSFERS), pending = (int)rng_below(r, MODEL_TRANSFERS);
    int debit = (int)rng_below(r, MODEL_ACCOUNTS), credit = (int)rng_below(r, MODEL_ACCOUNTS);
    char id[16], other[16];
    struct ledger_transfer t;
    (void)snprintf(id, sizeof id, "t%d", n);
    (void)snprintf(other, sizeof other, "t%d", pending);
    switch (rng_below(r, 5)) {
    case 0: t = move(id, LEDGER_TRANSFER, &m->account[debit], &m->account[credit], rng_between(r, 1, 50)); break;
    case 1: t = move(id, LEDGER_PENDING, &m->account[debit], &m->account[credit], rng_between(r, 1, 50)); break;
    case 2: t = settle(id, LEDGER_POST, other, rng_between(r, 0, 60)); break;
    case 3: t = settle(id, LEDGER_VOID, other, 0); break;
    default: /* one that is there again, as a client that had no answer would */
        if (!m->row[n].there)
            return;
        t = m->row[n].t;
    }
    enum ledger_result result;
    bool done = apply(b, &t, 1, NOW, &result), want = model_apply(m, n, &t, debit, credit, pending);
    /* A post of all is the same as one of its amount: both are the ledger's EXISTS. */
    bool same = done == want || (result == LEDGER_EXISTS && t.kind == LEDGER_POST);
    ck_assert_msg(same, "%s: %s, the model says %d", ledger_kind_name(t.kind), ledger_result_name(result), want);
}

START_TEST(a_model_agrees)
{
    uint64_t seed = 20181001;
    struct rng r;
    struct books b;
    static struct model m;
    printf("# seed %llu\n", (unsigned long long)seed);
    make(&b);
    rng_seed(&r, seed);
    for (int i = 0; i < MODEL_ACCOUNTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "model:%d", i);
        m.flags[i] = i == 1 || i == 2 ? LEDGER_DEBITS_LIMITED : i == 3 ? LEDGER_CREDITS_LIMITED : 0;
        open_account(&b, name, CUR_CNY, m.flags[i], &m.account[i]);
    }
    for (int i = 0; i < 3000; i++) {
        model_step(&b, &m, &r);
        if (i % 500 == 499)
            check_clean(&b);
    }
    for (int i = 0; i < MODEL_ACCOUNTS; i++) {
        struct ledger_sums s = sums(&b, &m.account[i]);
        ck_assert_mem_eq(&s, &m.sums[i], sizeof s);
    }
    end(&b);
}
END_TEST

/* --- what verify finds --- */

static void small_history(struct books *b)
{
    make(b);
    ck_assert_int_eq(one(b, move("top up", LEDGER_TRANSFER, &b->wallet, &b->player, 100000)), LEDGER_OK);
    ck_assert_int_eq(one(b, move("p1", LEDGER_PENDING, &b->player, &b->wallet, 64800)), LEDGER_OK);
    ck_assert_int_eq(one(b, settle("s1", LEDGER_POST, "p1", 60000)), LEDGER_OK);
    struct ledger_transfer t = move("p2", LEDGER_PENDING, &b->player, &b->wallet, 4500);
    t.expires_us = NOW + US_HOUR;
    (void)snprintf(t.reason, sizeof t.reason, "a pack; 45: yuan");
    ck_assert_int_eq(one(b, t), LEDGER_OK);
}

static const char *const changes[] = {
    "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE number = 1",
    "UPDATE ledger_entry SET id = 'AAAAAAAAAAAAAAAAAAAAAA' WHERE number = 1",
    "UPDATE ledger_entry SET kind = 1 WHERE number = 1",
    "UPDATE ledger_entry SET debit = credit, credit = debit WHERE number = 1",
    "UPDATE ledger_entry SET pending = '' WHERE number = 3",
    "UPDATE ledger_entry SET currency = 'EUR' WHERE number = 1",
    "UPDATE ledger_entry SET currency = 'ZZZ' WHERE number = 1",
    "UPDATE ledger_entry SET expires_us = 1 WHERE number = 1",
    "UPDATE ledger_entry SET ref = 'b' WHERE number = 1",
    "UPDATE ledger_entry SET reason = 'b' WHERE number = 4",
    "UPDATE ledger_entry SET at_us = at_us + 1 WHERE number = 4",
    "UPDATE ledger_entry SET hash = (SELECT hash FROM ledger_entry WHERE number = 2) WHERE number = 1",
    "UPDATE ledger_entry SET number = 9 WHERE number = 3",
    "DELETE FROM ledger_entry WHERE number = 3",
    "UPDATE ledger_account SET debits_posted = debits_posted + 1, credits_posted = credits_posted + 1",
    "UPDATE ledger_account SET credits_pending = credits_pending - 1 WHERE credits_pending > 0",
    "UPDATE ledger_account SET currency = 'EUR' WHERE name = 'player:liu'",
    "UPDATE ledger_account SET flags = 3 WHERE name = 'wallet:alipay'",
    "UPDATE ledger_pending SET state = 2 WHERE state = 0",
    "UPDATE ledger_pending SET state = 0 WHERE state = 1",
    "UPDATE ledger_pending SET expires_us = 0 WHERE state = 0",
};

START_TEST(verify_finds_every_change)
{
    struct books b;
    small_history(&b);
    check_clean(&b);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct ledger_report r = {0};
        ck_ok(db_begin(b.db));
        ck_ok(db_exec(b.db, changes[i]));
        ck_ok(ledger_verify(b.db, &r));
        ck_assert_msg(r.faults > 0, "not found: %s", changes[i]);
        db_rollback(b.db);
    }
    check_clean(&b);
    end(&b);
}
END_TEST

/* --- reading --- */

struct read_entries {
    unsigned count;
    int64_t total;
};

static enum keer_err add_read(void *ctx, const struct ledger_transfer *t)
{
    struct read_entries *s = ctx;
    s->count++;
    s->total += t->amount_minor;
    return KEER_OK;
}

START_TEST(statements)
{
    struct books b;
    int64_t last = 0;
    enum ledger_state state;
    int64_t posted;
    struct id id;
    small_history(&b);
    struct read_entries all = {0}, page = {0}, ref = {0}, none = {0};
    ck_ok(ledger_each(b.db, &(struct ledger_query){.account = &b.player, .max = 100}, add_read, &all, &last));
    ck_assert(all.count == 4 && last == 4 && all.total == 100000 + 64800 + 60000 + 4500);
    ck_ok(ledger_each(b.db, &(struct ledger_query){.account = &b.wallet, .after = 1, .max = 2}, add_read, &page, &last));
    ck_assert(page.count == 2 && last == 3);
    ck_ok(ledger_each(b.db, &(struct ledger_query){.ref = SLICE("a1"), .max = 100}, add_read, &ref, &last));
    ck_assert_uint_eq(ref.count, 4); /* the post has that of what it posts */
    ck_ok(ledger_each(b.db, &(struct ledger_query){.account = &b.euros, .after = 2, .max = 9}, add_read, &none, &last));
    ck_assert(none.count == 0 && last == 2);
    named("p1", &id);
    ck_ok(ledger_state(b.db, &id, &state, &posted));
    ck_assert(state == LEDGER_IS_POSTED && posted == 60000);
    named("p2", &id);
    ck_ok(ledger_state(b.db, &id, &state, &posted));
    ck_assert(state == LEDGER_IS_PENDING && posted == 0);
    named("top up", &id);
    ck_err(ledger_state(b.db, &id, &state, &posted), KEER_EMISSING);
    struct ledger_account a;
    ck_ok(ledger_account_named(b.db, SLICE("wallet:alipay"), &a));
    ck_assert(id_eq(&a.id, &b.wallet));
    ck_err(ledger_account_named(b.db, SLICE("wallet"), &a), KEER_EMISSING);
    end(&b);
}
END_TEST

/* A statement written down: "+100000=100000 -60000=40000 | 4500". */
static enum keer_err note_line(void *ctx, const struct ledger_line *line)
{
    buf_fmt(ctx, "%+lld=%lld %s ", (long long)line->debit_minor, (long long)line->balance_minor, line->other);
    return KEER_OK;
}

static enum keer_err note_pending(void *ctx, const struct ledger_line *line)
{
    buf_fmt(ctx, "(%+lld) ", (long long)line->debit_minor);
    return KEER_OK;
}

#define STATEMENT(want, query)                            \
    do {                                                  \
        buf_clear(&text);                                 \
        ck_ok(ledger_statement(b.db, &(query), &to, &s)); \
        ck_slice_eq(buf_view(&text), slice_str(want));    \
    } while (0)

START_TEST(statements_open_and_close)
{
    struct books b;
    struct buf text;
    struct ledger_statement s;
    enum ledger_result r[2];
    small_history(&b);
    buf_init(&text, 10000);
    const struct ledger_teller to = {NULL, note_line, note_pending, &text};
    struct ledger_statement_query q = {.account = &b.player, .from_us = INT64_MIN, .to_us = INT64_MAX};
    STATEMENT("-100000=-100000 wallet:alipay +60000=-40000 wallet:alipay (+4500) ", q);
    ck_assert(s.opening_debits == 0 && s.opening_credits == 0 && s.closing_debits == 60000 && s.closing_credits == 100000);
    ck_assert(s.lines == 2 && s.pending == 1 && s.pending_debits == 4500 && s.pending_credits == 0 && !s.more);
    /* A minute later: another purchase, and the pending one is let go. */
    struct ledger_transfer t[] = {settle("v2", LEDGER_VOID, "p2", 0),
                                  move("late", LEDGER_TRANSFER, &b.player, &b.wallet, 500)};
    (void)snprintf(t[1].ref, sizeof t[1].ref, "a2");
    ck_assert(apply(&b, t, 2, NOW + US_MINUTE, r));
    q.to_us = NOW + 1; /* as it was then: still pending */
    STATEMENT("-100000=-100000 wallet:alipay +60000=-40000 wallet:alipay (+4500) ", q);
    q.from_us = NOW + 1;
    q.to_us = INT64_MAX;
    STATEMENT("+500=-39500 wallet:alipay ", q);
    ck_assert(s.opening_debits == 60000 && s.opening_credits == 100000 && s.closing_debits == 60500 && s.pending == 0);
    q.from_us = INT64_MIN;
    q.ref = SLICE("a2");
    STATEMENT("+500=500 wallet:alipay ", q);
    q.account = &b.wallet;
    q.ref = SLICE("a1");
    STATEMENT("+100000=100000 player:liu -60000=40000 player:liu ", q);
    q.ref.len = 0;
    q.max = 1; /* in pages */
    STATEMENT("+100000=100000 player:liu ", q);
    ck_assert(s.more && s.last == 1 && s.closing_debits == 100000);
    q.after = s.last;
    STATEMENT("-60000=40000 player:liu ", q);
    ck_assert(s.more && s.opening_debits == 100000);
    q.after = s.last;
    STATEMENT("-500=39500 player:liu ", q);
    ck_assert(!s.more && s.opening_credits == 60000 && s.last == 6);
    q.after = s.last;
    STATEMENT("", q);
    ck_assert(s.last == 6 && s.closing_credits == 60500);
    struct id nobody;
    named("nobody", &nobody);
    q.account = &nobody;
    ck_err(ledger_statement(b.db, &q, &to, &s), KEER_EMISSING);
    int64_t number = -1;
    ck_ok(ledger_number_before(b.db, NOW, &number));
    ck_assert_int_eq(number, 0);
    ck_ok(ledger_number_before(b.db, NOW + 1, &number));
    ck_assert_int_eq(number, 4);
    ck_ok(ledger_number_before(b.db, INT64_MAX, &number));
    ck_assert_int_eq(number, 6);
    buf_release(&text);
    end(&b);
}
END_TEST

static enum keer_err put_to(void *ctx, struct slice piece)
{
    buf_slice(ctx, piece);
    return KEER_OK;
}

/* What a tool says of a file: its exit code; -1 when it is not there. */
static int tool_says(const char *command, const char *path)
{
    char line[400];
    int n = snprintf(line, sizeof line, "command -v %.*s > /dev/null || exit 99; ", (int)strcspn(command, " "), command);
    (void)snprintf(line + n, sizeof line - (size_t)n, "%s", command);
    if (setenv("BOOKS", path, 1) != 0)
        return -1;
    int code = system(line);
    return code == 99 << 8 ? -1 : code;
}

START_TEST(other_programs_balance_the_export)
{
    static const char *const judges[] = {"hledger -f \"$BOOKS\" check --strict accounts > /dev/null 2>&1",
                                         "ledger -f \"$BOOKS\" --strict --pedantic balance > /dev/null 2>&1"};
    struct books b;
    struct buf text;
    small_history(&b);
    buf_init(&text, 100000);
    ck_ok(ledger_export(b.db, put_to, &text));
    ck_assert(slice_has(buf_view(&text), SLICE("648.00 CNY")) && slice_has(buf_view(&text), SLICE("account player:liu")));
    const char *path = scratch_path(&b.scratch, "books.journal");
    FILE *f = fopen(path, "w");
    ck_assert(f && fwrite(text.p, 1, text.len, f) == text.len && fclose(f) == 0);
    for (size_t i = 0; i < ARRAY_LEN(judges); i++) {
        int code = tool_says(judges[i], path);
        if (code < 0)
            printf("# skipped: no %.*s to judge the export\n", (int)strcspn(judges[i], " "), judges[i]);
        else
            ck_assert_msg(code == 0, "%s\n%s", judges[i], text.p);
    }
    buf_puts(&text, "\n2018-09-25 a cent too much\n    player:liu  1.00 CNY\n    wallet:alipay  -0.99 CNY\n");
    f = fopen(path, "w");
    ck_assert(f && fwrite(text.p, 1, text.len, f) == text.len && fclose(f) == 0);
    for (size_t i = 0; i < ARRAY_LEN(judges); i++)
        ck_assert(tool_says(judges[i], path) != 0); /* or they would balance anything */
    buf_release(&text);
    end(&b);
}
END_TEST

/* --- calls that fail --- */

START_TEST(a_failing_database_leaves_all_or_nothing)
{
    struct books b;
    make(&b);
    ck_assert_int_eq(one(&b, move("top up", LEDGER_TRANSFER, &b.wallet, &b.player, 1000)), LEDGER_OK);
    for (unsigned n = 1;; n++) {
        char first[16], second[16];
        (void)snprintf(first, sizeof first, "a%u", n);
        (void)snprintf(second, sizeof second, "b%u", n);
        struct ledger_transfer t[] = {move(first, LEDGER_PENDING, &b.player, &b.wallet, 7),
                                      settle(second, LEDGER_POST, first, 5)};
        enum ledger_result r[2];
        bool done = false;
        ck_ok(db_begin(b.db));
        db_fail_arm(n, /* lands */ false);
        enum keer_err err = ledger_apply(b.db, t, 2, NOW, r, &done);
        bool failed = db_fail_hit();
        db_fail_arm(0, false);
        if (err == KEER_OK && !failed) {
            ck_assert(done && db_commit(b.db) == DB_COMMITTED);
            ck_assert_uint_gt(n, 5);
            break;
        }
        ck_assert_msg(err != KEER_OK, "call %u failed and nobody noticed", n);
        db_rollback(b.db);
        ck_assert_int_eq(sums(&b, &b.player).debits_posted, 0);
        check_clean(&b);
    }
    ck_assert_int_eq(sums(&b, &b.player).debits_posted, 5);
    check_clean(&b);
    end(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ledger");
    TCase *t = tcase_create("ledger");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, every_result);
    tcase_add_test(t, linked_transfers_stand_together_or_not_at_all);
    tcase_add_test(t, what_is_pending_expires_once);
    tcase_add_test(t, accounts_are_opened_once_and_closed_when_even);
    tcase_add_test(t, a_model_agrees);
    tcase_add_test(t, verify_finds_every_change);
    tcase_add_test(t, statements);
    tcase_add_test(t, statements_open_and_close);
    tcase_add_test(t, other_programs_balance_the_export);
    tcase_add_test(t, a_failing_database_leaves_all_or_nothing);
    suite_add_tcase(s, t);
    return test_main(s);
}
