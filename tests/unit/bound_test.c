/* bound_test.c - the loss bound: the most that a thief takes from a linked wallet, by trying everything.
 *
 * A small world, the real guard, recovery, challenges and gate, a clock of the test's. From the state that a thief begins in,
 * every sequence of what he can do is tried to a depth, each step inside a SAVEPOINT so that it can be taken back; states that
 * were met with as many steps left are not tried again. The policy lets everything pass: what stops him is no rule.
 * He takes as much as the gate lets him each time: the amounts around every limit are tried, from the largest down.
 * KEER_BOUND_DEPTH (4) is the depth; KEER_BOUND_WALKS (20) random walks of forty steps look for what it hides. `make bound` goes
 * deeper.
 */
#include <inttypes.h>

#include "account/proof.h"
#include "base/num.h"
#include "base/rand.h"
#include "flow/agreements.h"
#include "flow/recovery.h"
#include "lib/person_kit.h"
#include "lib/test.h"
#include "wallet/charge.h"

#define DEPTH 4
#define CHARGES_A_STEP 12u    /* more than the default count a day */
#define DAY_OF_NOTICE US_HOUR /* an owner who reacts has read his notices after that */

enum act {
    ACT_CHARGE,
    ACT_CHARGE_WITH_CODE,
    ACT_ADD_AUTHENTICATOR,
    ACT_RECOVERY_CODES,
    ACT_REMOVE_AUTHENTICATOR,
    ACT_PASSWORD,
    ACT_TRUST_DEVICE,
    ACT_REMOVE_CONTACT,
    ACT_RAISE,
    ACT_RAISE_TWICE,
    ACT_RECOVER,
    ACT_RECOVER_LOST,
    ACT_WAIT_HOUR,
    ACT_WAIT_DAY,
    ACT_WAIT_RECOVERY,
    ACT_MAX
};
static const char *const act_names[ACT_MAX] = {"charge",
                                               "charge with the code",
                                               "add an authenticator",
                                               "new recovery codes",
                                               "remove the owner's authenticator",
                                               "another password",
                                               "trust a device",
                                               "remove an address",
                                               "raise the caps as high as they go",
                                               "raise the caps to twice what they are",
                                               "recover",
                                               "recover, authenticators lost",
                                               "wait an hour",
                                               "wait a day",
                                               "wait three days"};

struct thief {
    const char *name;
    bool password, mailbox, cookie, device;
    unsigned codes;
};
static const struct thief thieves[] = {{.name = "password", .password = true},
                                       {.name = "password + mailbox", .password = true, .mailbox = true},
                                       {.name = "password + one TOTP code", .password = true, .codes = 1},
                                       {.name = "session cookie", .cookie = true},
                                       {.name = "trusted device", .cookie = true, .device = true}};

struct place { /* where a search stands; the rest is in the database */
    int64_t now_us, taken_minor;
    unsigned codes;
    bool own;    /* an authenticator that is active is his */
    bool caught; /* the owner has said 'not me' */
    struct id waiting_own;
    struct session session;
    unsigned depth;
    enum act way[48];
    unsigned steps;
};

static struct person_kit kit;
static struct person anna;
static struct agreement agreement;
static struct id hers; /* her TOTP authenticator */
static const struct thief *thief;
static bool owner_reacts;
static int64_t horizon_us;
static int64_t best_minor;
static struct place best;
static uint64_t keys, nodes;

/* --- the world --- */

static void link_wallet(int64_t limit_minor)
{
    struct challenge_data d = {.kind = CHALLENGE_LINK, .currency = CUR_MAX, .wallet = SLICE("alipay")};
    struct challenge c = {.account = anna.account, .kind = CHALLENGE_LINK};
    struct wallet_agreement w = {.state = WALLET_AGREEMENT_NORMAL, .ref = "2018091700000001", .user = "li***"};
    bool fresh;
    agreement = (struct agreement){.account = anna.account, .currency = CUR_CNY, .unverified_limit_minor = limit_minor};
    (void)snprintf(agreement.client, sizeof agreement.client, "store");
    (void)snprintf(agreement.reference, sizeof agreement.reference, "anna-1");
    (void)snprintf(agreement.wallet, sizeof agreement.wallet, "alipay");
    ck_assert(agreement_default_caps(CUR_CNY, &agreement.caps));
    ck_ok(agreement_add(kit.db, &kit.key, &agreement, T0 - 30 * US_DAY, &fresh));
    ck_ok(challenge_open(kit.db, &d, T0 - 30 * US_DAY, &c, &fresh));
    ck_ok(agreement_set_challenge(kit.db, &agreement.id, &c.id));
    ck_ok(agreement_stepped(kit.db, &agreement.id, T0 - 30 * US_DAY));
    (void)snprintf(w.number, sizeof w.number, "%s", agreement.number);
    ck_ok(agreement_signed(kit.db, &kit.key, &agreement.id, &w, T0 - 30 * US_DAY));
    ck_ok(guard_wallet_linked(kit.db, &anna.account, id_slice(&agreement.id), T0 - 30 * US_DAY));
}

/* Anna: an e-mail address, a telephone, an app; linked a month ago. */
static void setup(void)
{
    kit_make(&kit);
    kit.guard.wallet_limit = agreements_wallet_limit;
    kit.guard.wallet_waits = agreements_wallet_waits;
    kit.guard.wallet_end = agreements_wallet_end;
    anna = kit_person(&kit, "anna", T0 - 100 * US_DAY, T0 - US_HOUR);
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0 - 100 * US_DAY);
    hers = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0 - 90 * US_DAY);
    link_wallet(0);
    ck_ok(db_begin(kit.db));
}
static void teardown(void)
{
    db_rollback(kit.db);
    kit_drop(&kit);
}

/* --- what he can do --- */

static bool can_step(const struct place *p) { return p->own || thief->device || p->codes > 0; }

/* Answers a challenge with what he has; a code is spent. */
static bool answer(struct place *p, const struct id *challenge)
{
    if (!can_step(p))
        return false;
    if (!p->own && !thief->device)
        p->codes--;
    kit_answer(&kit, challenge, p->now_us);
    return true;
}

/* One charge of an amount: whether it passes. With a step if he can do one and `step` says so. */
static bool charge(struct place *p, int64_t amount_minor, bool step)
{
    struct charge_new n = {.client = SLICE("store"),
                           .agreement = agreement.id,
                           .account = anna.account,
                           .kind = CHARGE_PURCHASE,
                           .amount_minor = amount_minor,
                           .currency = CUR_CNY,
                           .payee = SLICE("Game store"),
                           .item = SLICE("coins")};
    struct charge c;
    struct charge_gate g = {.family = true};
    struct agreement now;
    struct account_hold hold;
    enum charge_gated gated = CHARGE_STOPPED;
    char key[32];
    bool fresh;
    if (amount_minor <= 0)
        return false;
    (void)snprintf(key, sizeof key, "key-%" PRIu64, ++keys);
    n.key = slice_str(key);
    ck_ok(db_exec(kit.db, "SAVEPOINT charge"));
    ck_ok(charge_add(kit.db, &n, p->now_us, &c, &fresh));
    ck_ok(agreement_get(kit.db, &kit.key, &agreement.id, &now));
    ck_ok(guard_hold(kit.db, &anna.account, p->now_us, &hold));
    g.agreement = &now;
    g.held = hold.held;
    struct place before = *p;
    if (step) {
        struct challenge_data d = {.kind = CHALLENGE_PAYMENT,
                                   .amount_minor = amount_minor,
                                   .currency = CUR_CNY,
                                   .payee = n.payee,
                                   .agreement = id_slice(&agreement.id),
                                   .reference = n.key};
        struct challenge ch = {.account = anna.account, .kind = CHALLENGE_PAYMENT, .holder = p->session.id};
        struct challenge used;
        ck_ok(challenge_open(kit.db, &d, p->now_us, &ch, &fresh));
        g.stepped = answer(p, &ch.id) && challenge_use(kit.db,
                                                       &(struct challenge_want){.id = ch.id,
                                                                                .account = anna.account,
                                                                                .holder = p->session.id,
                                                                                .kind = CHALLENGE_PAYMENT,
                                                                                .shown_hash = &ch.shown_hash},
                                                       p->now_us, &used) == KEER_OK;
    }
    enum keer_err err = charge_gate(kit.db, &g, p->now_us, &c, &gated);
    ck_assert_msg(err == KEER_OK, "charge_gate: %s", keer_err_text(err));
    /* Said again: nothing passes while something is held, nor without a step beyond what the owner allowed. */
    if (gated == CHARGE_PASSED)
        ck_assert_msg(!hold.held && (g.stepped || amount_minor <= now.unverified_limit_minor),
                      "a charge of %" PRId64 " passed", amount_minor);
    if (gated == CHARGE_PASSED) {
        p->taken_minor += amount_minor;
        ck_ok(db_exec(kit.db, "RELEASE charge"));
        return true;
    }
    *p = before;
    ck_ok(db_exec(kit.db, "ROLLBACK TO charge"));
    ck_ok(db_exec(kit.db, "RELEASE charge"));
    return false;
}

static int cmp_down(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The largest amount around any limit that passes. */
static bool charge_most(struct place *p, bool step)
{
    struct agreement now;
    struct charge_used used;
    int64_t try[16], u_charge = 0, u_sum = 0;
    unsigned n = 0;
    ck_ok(agreement_get(kit.db, &kit.key, &agreement.id, &now));
    ck_ok(charge_used(kit.db, &agreement.id, CUR_CNY, p->now_us, &used));
    (void)agreement_unverified_max(CUR_CNY, &u_charge, &u_sum);
    const int64_t around[] = {now.caps.charge_minor,
                              now.caps.day_minor - used.day_minor,
                              now.caps.month_minor - used.month_minor,
                              u_charge,
                              now.unverified_limit_minor - now.unverified_used_minor,
                              1};
    for (size_t i = 0; i < ARRAY_LEN(around); i++) {
        try[n++] = around[i] + 1;
        try[n++] = around[i];
    }
    /* What does not pass for the smallest amount passes for none. */
    struct place before = *p;
    ck_ok(db_exec(kit.db, "SAVEPOINT least"));
    bool least = charge(p, 1, step);
    *p = before;
    ck_ok(db_exec(kit.db, "ROLLBACK TO least"));
    ck_ok(db_exec(kit.db, "RELEASE least"));
    if (!least)
        return false;
    qsort(try, n, sizeof *try, cmp_down);
    for (unsigned i = 0; i < n; i++)
        if (charge(p, try[i], step))
            return true;
    return false;
}

/* A change by the guard: asked, answered if he can, asked again. */
static bool change(struct place *p, enum guard_change what, const struct id *thing, struct slice detail, struct slice data)
{
    struct guard_request r = {.session = &p->session,
                              .change = what,
                              .thing = *thing,
                              .detail = detail,
                              .data = data,
                              .where = SLICE("198.51.100.7")};
    struct guard_answer a;
    if (guard_ask(kit.db, &kit.guard, &r, p->now_us, &a) != KEER_OK)
        return false;
    if (a.outcome == GUARD_STEP && answer(p, &a.challenge)) {
        r.challenge = a.challenge;
        if (guard_ask(kit.db, &kit.guard, &r, p->now_us, &a) != KEER_OK) /* what he changes is gone already */
            return false;
    }
    return a.outcome == GUARD_APPLIED || a.outcome == GUARD_WAITS;
}

static bool add_authenticator(struct place *p)
{
    struct authenticator x;
    struct id fresh = kit_totp(&kit, &anna, AUTHENTICATOR_ENROLLING, p->now_us), none = {""};
    UNUSED(none);
    if (p->own || !change(p, GUARD_AUTHENTICATOR_ADD, &fresh, SLICE("app"), SLICE("")))
        return false;
    ck_ok(authenticator_get(kit.db, &anna.account, &fresh, &x));
    p->own = x.state == AUTHENTICATOR_ACTIVE;
    p->waiting_own = fresh;
    return true;
}

static bool recovery_codes(struct place *p)
{
    struct code_set set;
    struct authenticator x;
    ck_ok(code_make(kit.db, &anna.account, p->now_us, &set));
    if (p->own || !change(p, GUARD_RECOVERY_CODES, &set.id, SLICE("codes"), SLICE("")))
        return false;
    ck_ok(authenticator_get(kit.db, &anna.account, &set.id, &x));
    p->own = x.state == AUTHENTICATOR_ACTIVE;
    p->waiting_own = set.id;
    return true;
}

static bool raise_to(struct place *p, const struct agreement *now, const struct agreement_limits *to)
{
    char data[GUARD_DATA_BYTES + 1], detail[CHALLENGE_TEXT_BYTES + 1];
    struct id none = {""};
    agreements_limit_data(now, to, data, detail);
    return change(p, GUARD_WALLET_LIMIT, &none, slice_str(detail), slice_str(data));
}

static bool raise_caps(struct place *p)
{
    struct agreement now;
    ck_ok(agreement_get(kit.db, &kit.key, &agreement.id, &now));
    struct agreement_limits to = {.caps = now.ceiling};
    int64_t u_charge = 0;
    (void)agreement_unverified_max(CUR_CNY, &u_charge, &to.unverified_limit_minor);
    struct agreement_limits above = to;
    above.caps.month_minor++;
    ck_assert_msg(!raise_to(p, &now, &above), "caps were raised above the ceiling");
    return !agreement_caps_eq(&now.caps, &to.caps) && raise_to(p, &now, &to);
}

static int64_t twice(int64_t n, int64_t most) { return MIN_OF(2 * n, most); }

static bool raise_twice(struct place *p)
{
    struct agreement now;
    ck_ok(agreement_get(kit.db, &kit.key, &agreement.id, &now));
    struct agreement_limits to = {
        .caps = {twice(now.caps.charge_minor, now.ceiling.charge_minor), twice(now.caps.day_minor, now.ceiling.day_minor),
                 twice(now.caps.month_minor, now.ceiling.month_minor), twice(now.caps.day_count, now.ceiling.day_count)},
        .unverified_limit_minor = now.unverified_limit_minor};
    return !agreement_caps_eq(&now.caps, &to.caps) && raise_to(p, &now, &to);
}

/* By the mailbox alone; the password becomes his. */
static bool recover(struct place *p, bool lost)
{
    struct recovery r;
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct db_stmt *s;
    struct id proof;
    unsigned n;
    bool ok = false;
    struct recovery_start start = {
        .name = SLICE("anna@example.org"), .device_hash = {{99}}, .where = SLICE("198.51.100.7"), .family = SLICE("chrome")};
    if (!thief->mailbox || recovery_waiting(kit.db, &anna.account, &r) == KEER_OK)
        return false;
    ck_ok(recovery_start(kit.db, &kit.guard, &start, p->now_us, &r));
    ck_ok(recovery_send(kit.db, &kit.guard, p->now_us, &n));
    if (QUERY_ONE(kit.db, &s, "SELECT proof FROM recovery_proof WHERE recovery = $1 AND way = $2", Q_ID(&r.id),
                  Q_NUMBER(RECOVERY_EMAIL)) != KEER_OK)
        return false;
    ck_ok(query_id(s, 0, &proof));
    db_free(s);
    proof_digits(&kit.key, &proof, code);
    ck_ok(recovery_prove(kit.db, &kit.guard, &r.id, slice_str(code), p->now_us, &ok, &r));
    ck_assert(ok);
    password_dummy(phc);
    phc[31] = 'T';
    return recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), lost, p->now_us, &r) == KEER_OK;
}

/* He signs in with the password, and the policy lets him; a session that was stolen is kept alive by using it. */
static void sign_in(struct place *p)
{
    struct crypto_hash browser = {{66}};
    struct session s;
    if (p->caught || session_read(kit.db, &p->session.id, p->now_us, &s) == KEER_OK)
        return;
    p->session = kit_session(&kit, &anna, SESSION_FULL, thief->cookie ? &anna.browser : &browser, p->now_us);
}

/* What is told to her where he does not read it away. */
static bool she_was_told(void)
{
    return kit_number(&kit, thief->mailbox
                                ? "SELECT COUNT(*) FROM notice WHERE to_value LIKE '+31%' AND created_us >= 1700000000000000"
                                : "SELECT COUNT(*) FROM notice WHERE created_us >= 1700000000000000") > 0;
}

static bool wait_for(struct place *p, int64_t us)
{
    unsigned n = 0;
    struct recovery whose;
    struct authenticator x;
    if (p->now_us + us - T0 > horizon_us)
        return false;
    if (owner_reacts && us >= DAY_OF_NOTICE && she_was_told()) {
        ck_ok(guard_freeze(kit.db, &kit.guard, &anna.account, SLICE("not_me"), p->now_us));
        p->caught = true;
    }
    p->now_us += us;
    do
        ck_ok(guard_apply_due(kit.db, &kit.guard, p->now_us, 8, &n));
    while (n);
    do
        ck_ok(recovery_apply_due(kit.db, &kit.guard, p->now_us, &whose, &n));
    while (n);
    if (id_is(&p->waiting_own) && authenticator_get(kit.db, &anna.account, &p->waiting_own, &x) == KEER_OK)
        p->own = x.state == AUTHENTICATOR_ACTIVE;
    sign_in(p);
    return true;
}

static bool act(struct place *p, enum act what)
{
    struct id none = {""};
    bool any = false;
    char phc[PASSWORD_PHC_BYTES];
    switch (what) {
    case ACT_CHARGE:
        for (unsigned i = 0; i < CHARGES_A_STEP && charge_most(p, p->own || thief->device); i++)
            any = true;
        return any;
    case ACT_CHARGE_WITH_CODE: return p->codes && !p->own && !thief->device && charge_most(p, true);
    case ACT_ADD_AUTHENTICATOR: return add_authenticator(p);
    case ACT_RECOVERY_CODES: return recovery_codes(p);
    case ACT_REMOVE_AUTHENTICATOR: return change(p, GUARD_AUTHENTICATOR_REMOVE, &hers, SLICE("app"), SLICE(""));
    case ACT_PASSWORD:
        password_dummy(phc);
        phc[31] = 'X';
        return change(p, GUARD_PASSWORD, &none, SLICE("password"), slice_str(phc));
    case ACT_TRUST_DEVICE: return !p->own && change(p, GUARD_DEVICE_TRUST, &p->session.device, SLICE("chrome"), SLICE(""));
    case ACT_REMOVE_CONTACT: return change(p, GUARD_CONTACT_REMOVE, &anna.phone, SLICE("telephone"), SLICE(""));
    case ACT_RAISE: return raise_caps(p);
    case ACT_RAISE_TWICE: return raise_twice(p);
    case ACT_RECOVER: return recover(p, /* lost */ false);
    case ACT_RECOVER_LOST: return recover(p, /* lost */ true);
    case ACT_WAIT_HOUR: return wait_for(p, US_HOUR);
    case ACT_WAIT_DAY: return wait_for(p, 23 * US_HOUR);
    case ACT_WAIT_RECOVERY: return wait_for(p, 3 * US_DAY);
    case ACT_MAX: break;
    }
    return false;
}

/* --- the search --- */

/* What tells two states apart: what he has, and what the rows say. */
static uint64_t fingerprint(const struct place *p)
{
    char text[512];
    struct agreement a;
    ck_ok(agreement_get(kit.db, &kit.key, &agreement.id, &a));
    int n = snprintf(
        text, sizeof text,
        "%" PRId64 " %" PRId64 " %u %d %d %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
        " %" PRId64 " %" PRId64,
        p->now_us, p->taken_minor, p->codes, p->own, p->caught, (int)a.state, a.caps.charge_minor, a.unverified_limit_minor,
        kit_number(
            &kit,
            "SELECT COALESCE(CAST(SUM((change + 1) * (due_us / 1000000)) AS BIGINT), 0) FROM guard_change WHERE state = 0"),
        kit_number(&kit, "SELECT COUNT(*) FROM guard_change WHERE state = 1 AND change IN (1, 3, 5, 6)"),
        kit_number(&kit, "SELECT COUNT(*) * 10 + COALESCE(MAX(lost), 0) FROM recovery WHERE state = 1"),
        kit_number(&kit, "SELECT COUNT(*) FROM authenticator WHERE state = 2"),
        kit_number(&kit, "SELECT COUNT(*) FROM session WHERE ended_us = 0"),
        kit_number(&kit, "SELECT COUNT(*) FROM notice WHERE created_us >= 1700000000000000") > 0 ? INT64_C(1) : INT64_C(0));
    struct crypto_hash h;
    crypto_sha256(slice_of(text, (size_t)n), &h);
    uint64_t x;
    memcpy(&x, h.bytes, sizeof x);
    return x;
}

#define SEEN (1u << 16)
static struct {
    uint64_t key;
    unsigned depth;
} seen[SEEN];
static bool met(uint64_t key, unsigned depth)
{
    for (unsigned i = 0; i < SEEN; i++) {
        unsigned at = (unsigned)(key + i) % SEEN;
        if (seen[at].key == key) {
            if (seen[at].depth >= depth)
                return true;
            seen[at].depth = depth;
            return false;
        }
        if (!seen[at].key) {
            seen[at].key = key;
            seen[at].depth = depth;
            return false;
        }
    }
    ck_abort_msg("more states than there is room for");
    return false;
}

static void note(const struct place *p)
{
    if (p->taken_minor > best_minor) {
        best_minor = p->taken_minor;
        best = *p;
    }
}

static void search(struct place p, unsigned depth)
{
    note(&p);
    if (!depth || p.caught || met(fingerprint(&p), depth))
        return;
    for (enum act a = 0; a < ACT_MAX; a++) {
        char name[32];
        struct place next = p;
        nodes++;
        (void)snprintf(name, sizeof name, "SAVEPOINT d%u", depth);
        ck_ok(db_exec(kit.db, name));
        if (act(&next, a)) {
            next.way[next.steps++] = a;
            search(next, depth - 1);
        }
        (void)snprintf(name, sizeof name, "ROLLBACK TO d%u", depth);
        ck_ok(db_exec(kit.db, name));
        (void)snprintf(name, sizeof name, "RELEASE d%u", depth);
        ck_ok(db_exec(kit.db, name));
    }
}

static struct place start(void)
{
    struct place p = {.now_us = T0, .codes = thief->codes};
    sign_in(&p);
    memset(seen, 0, sizeof seen);
    best_minor = 0;
    best = (struct place){0};
    return p;
}

static int64_t number_of(const char *name, int64_t other)
{
    const char *text = getenv(name);
    int64_t n = other;
    if (text)
        ck_ok(num_i64(slice_str(text), 1, 1000000, &n));
    return n;
}

static void print_way(void)
{
    for (unsigned i = 0; i < best.steps; i++)
        (void)printf("%s%s", i ? ", " : "", act_names[best.way[i]]);
}

static const struct {
    const char *name;
    bool reacts;
    int64_t horizon_us;
    int64_t most_minor; /* whatever he holds, with the rows of CNY in caps.def */
} columns[] = {
    /* one raise to twice, in what is left of a day and in the next */
    {"within 24 h, the owner reads his notices", true, US_DAY - 1, 2 * 2 * INT64_C(100000)},
    {"within 24 h, nobody reads them", false, US_DAY - 1, 2 * 2 * INT64_C(100000)},
    /* the ceiling of a month, or of what is left of it and the next */
    {"10 days, nobody reads them", false, 10 * US_DAY, 2 * INT64_C(2000000)},
};

/* The table of the loss bound: every sequence of DEPTH steps. A password alone takes nothing. */
START_TEST(most_that_is_taken)
{
    for (size_t i = 0; i < ARRAY_LEN(thieves); i++)
        for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
            thief = &thieves[i];
            owner_reacts = columns[k].reacts;
            horizon_us = columns[k].horizon_us;
            ck_ok(db_exec(kit.db, "SAVEPOINT thief"));
            search(start(), (unsigned)number_of("KEER_BOUND_DEPTH", DEPTH));
            ck_ok(db_exec(kit.db, "ROLLBACK TO thief"));
            ck_ok(db_exec(kit.db, "RELEASE thief"));
            (void)printf("# %-26s %-40s %9" PRId64 ".%02" PRId64 " CNY  ", thief->name, columns[k].name, best_minor / 100,
                         best_minor % 100);
            print_way();
            (void)printf("\n");
            (void)fflush(stdout);
            if (i == 0)
                ck_assert_int_eq(best_minor, 0);
            ck_assert_msg(best_minor <= columns[k].most_minor, "more than the table lets pass");
        }
    (void)printf("# %" PRIu64 " steps tried\n", nodes);
}
END_TEST

/* Long walks, by seed: a password alone takes nothing either. */
START_TEST(walks)
{
    int64_t count = number_of("KEER_BOUND_WALKS", 20);
    for (int64_t seed = 1; seed <= count; seed++) {
        struct rng r;
        rng_seed(&r, (uint64_t)seed);
        thief = &thieves[seed % 2 ? 0 : rng_below(&r, ARRAY_LEN(thieves))];
        owner_reacts = rng_chance(&r, 0.3);
        horizon_us = 40 * US_DAY;
        ck_ok(db_exec(kit.db, "SAVEPOINT walk"));
        struct place p = start();
        for (unsigned i = 0; i < 40 && !p.caught; i++) {
            enum act a = (enum act)rng_below(&r, ACT_MAX);
            if (act(&p, a))
                p.way[p.steps++] = a;
        }
        note(&p);
        ck_ok(db_exec(kit.db, "ROLLBACK TO walk"));
        ck_ok(db_exec(kit.db, "RELEASE walk"));
        if (thief == &thieves[0])
            ck_assert_msg(best_minor == 0, "seed %" PRId64 ": a password took %" PRId64, seed, best_minor);
        /* forty days touch three months at most */
        ck_assert_msg(best_minor <= 3 * INT64_C(2000000), "seed %" PRId64 ": %" PRId64, seed, best_minor);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bound");
    TCase *c = tcase_create("bound");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 3600);
    tcase_add_test(c, most_that_is_taken);
    tcase_add_test(c, walks);
    suite_add_tcase(s, c);
    return test_main(s);
}
