/* guard_test.c - the guard before changes of an account: every change in every state of an account, waits by a clock of the
 * test's, what stops them, what takes them back; recovery, way by way.
 */
#include "account/proof.h"
#include "lib/db_fail.h"
#include "lib/person_kit.h"

static struct person_kit kit;
static struct person anna;
static struct id none;
static struct recovery whose;
#define LONG_AGO (T0 - 100 * US_DAY)

static void setup(void)
{
    kit_make(&kit);
    anna = kit_person(&kit, "anna", LONG_AGO, T0);
}
static void teardown(void)
{
    db_fail_arm(0, false);
    kit_drop(&kit);
}

/* A request for a change of a thing of the right kind, which is made for it. */
static struct guard_request request(enum guard_change change)
{
    struct guard_request r = {
        .session = &anna.session, .change = change, .detail = SLICE("it"), .where = SLICE("192.0.2.1")};
    struct code_set set;
    struct identifier a;
    struct identifier_why why;
    static char phc[PASSWORD_PHC_BYTES];
    static int number;
    char address[64];
    switch (change) {
    case GUARD_AUTHENTICATOR_ADD: r.thing = kit_totp(&kit, &anna, AUTHENTICATOR_ENROLLING, T0); break;
    case GUARD_AUTHENTICATOR_REMOVE: r.thing = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0); break;
    case GUARD_RECOVERY_CODES:
        ck_ok(code_make(kit.db, &anna.account, T0, &set));
        r.thing = set.id;
        break;
    case GUARD_PASSWORD:
        password_dummy(phc);
        phc[30] = 'X';
        r.data = slice_str(phc);
        break;
    case GUARD_CONTACT_ADD:
        (void)snprintf(address, sizeof address, "anna%d@example.net", number++);
        ck_ok(identifier_guess(slice_str(address), &a, &why));
        ck_ok(contact_add(kit.db, &anna.account, &a, 0, T0, &r.thing));
        break;
    case GUARD_CONTACT_REMOVE:
        (void)snprintf(address, sizeof address, "anna%d@example.com", number++);
        kit_contact(&kit, &anna, address, &r.thing, T0);
        break;
    case GUARD_DEVICE_TRUST: r.thing = anna.device; break;
    case GUARD_WALLET_LIMIT: r.data = SLICE("{}"); break;
    case GUARD_CHANGE_MAX: ck_abort(); break;
    }
    return r;
}

static struct guard_answer ask(const struct guard_request *r, int64_t now_us)
{
    struct guard_answer a;
    ck_ok(db_begin(kit.db));
    ck_ok(guard_ask(kit.db, &kit.guard, r, now_us, &a));
    ck_assert_int_eq(db_commit(kit.db), DB_COMMITTED);
    return a;
}

static unsigned tick(int64_t now_us)
{
    unsigned n = 0, all = 0;
    do {
        ck_ok(db_begin(kit.db));
        ck_ok(guard_apply_due(kit.db, &kit.guard, now_us, 1, &n));
        ck_assert_int_eq(db_commit(kit.db), DB_COMMITTED);
        all += n;
    } while (n);
    return all;
}

static int64_t state_of(const struct id *change)
{
    struct db_stmt *s;
    ck_ok(QUERY_ONE(kit.db, &s, "SELECT state FROM guard_change WHERE id = $1", Q_ID(change)));
    int64_t n = db_i64(s, 0);
    db_free(s);
    return n;
}

static struct account_hold hold(int64_t now_us)
{
    struct account_hold h;
    ck_ok(guard_hold(kit.db, &anna.account, now_us, &h));
    return h;
}

/* Whether what was asked for holds. */
static bool made(const struct guard_request *r)
{
    struct authenticator a;
    struct contact c;
    struct device d;
    struct password_row p;
    enum keer_err err;
    switch (r->change) {
    case GUARD_AUTHENTICATOR_ADD:
    case GUARD_RECOVERY_CODES:
        ck_ok(authenticator_get(kit.db, &anna.account, &r->thing, &a));
        return a.state == AUTHENTICATOR_ACTIVE;
    case GUARD_AUTHENTICATOR_REMOVE:
        ck_ok(authenticator_get(kit.db, &anna.account, &r->thing, &a));
        return a.state == AUTHENTICATOR_REMOVED;
    case GUARD_PASSWORD: ck_ok(password_read(kit.db, &anna.account, &p)); return slice_eq(slice_str(p.phc), r->data);
    case GUARD_CONTACT_ADD: return contact_read(kit.db, &anna.account, &r->thing, &c) == KEER_OK && c.verified_us;
    case GUARD_CONTACT_REMOVE: return contact_read(kit.db, &anna.account, &r->thing, &c) == KEER_EMISSING;
    case GUARD_DEVICE_TRUST:
        err = authenticator_by_ref(kit.db, &anna.account, AUTHENTICATOR_DEVICE, &r->thing, &a);
        ck_ok(device_read(kit.db, &anna.account, &r->thing, &d));
        ck_assert_int_eq(err == KEER_OK && a.state == AUTHENTICATOR_ACTIVE, d.trusted_us > 0);
        return d.trusted_us > 0;
    case GUARD_WALLET_LIMIT:
    case GUARD_CHANGE_MAX: break;
    }
    return false;
}

static int64_t limit_raised, limit_lowered;
static enum keer_err wallet_limit(struct db *db, const struct id *account, struct slice data, bool raise,
                                  char was[GUARD_DATA_BYTES + 1], int64_t now_us)
{
    UNUSED(db);
    UNUSED(account);
    UNUSED(data);
    if (raise)
        (void)snprintf(was, GUARD_DATA_BYTES + 1, "as it was");
    else
        ck_assert_str_eq(was, "as it was"); /* undoing knows what to go back to */
    *(raise ? &limit_raised : &limit_lowered) = now_us;
    return KEER_OK;
}

static int waits_say; /* what wallet_waits answers: 0 at once, 1 waits, 2 never */
static enum keer_err wallet_waits(struct db *db, const struct id *account, struct slice data, int64_t now_us, bool *ret)
{
    UNUSED(db);
    UNUSED(now_us);
    UNUSED(account);
    UNUSED(data);
    *ret = waits_say == 1;
    return waits_say == 2 ? KEER_ERANGE : KEER_OK;
}

/* On an account that has no authenticator, everything waits: told to everybody, wallets paused, made once when it is due. */
START_TEST(without_an_authenticator_it_waits)
{
    for (int wallet = 0; wallet < 2; wallet++) {
        struct guard_request r = request((enum guard_change)_i);
        if (_i == GUARD_AUTHENTICATOR_REMOVE) { /* nothing is there to be removed */
            r.thing = kit_totp(&kit, &anna, AUTHENTICATOR_ENROLLING, T0);
            ck_ok(QUERY_DO(kit.db, "UPDATE authenticator SET state = 4 WHERE account = $1", Q_ID(&anna.account)));
            ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
            continue;
        }
        kit.guard.wallet_limit = wallet_limit;
        kit.guard.wallet_waits = wallet_waits;
        if (wallet)
            ck_ok(guard_wallet_linked(kit.db, &anna.account, SLICE("agreement"), T0));
        bool first = _i == GUARD_AUTHENTICATOR_ADD || _i == GUARD_RECOVERY_CODES;
        int64_t wait = wallet && first ? GUARD_FIRST_US : GUARD_WAIT_US;
        ck_assert(!hold(T0).held);
        struct guard_answer a = ask(&r, T0);
        ck_assert_int_eq(a.outcome, GUARD_WAITS);
        ck_assert_int_eq(a.until_us, T0 + wait);
        ck_assert(!made(&r));
        ck_assert_uint_ge(kit_notices(&kit, NOTICE_CHANGE_PENDING, &a.change), 1);
        struct account_hold h = hold(T0);
        ck_assert(h.held && h.until_us == T0 + wait && strcmp(h.why, "change_waits") == 0);
        if (id_is(&r.thing)) { /* asking again changes nothing */
            struct guard_answer again = ask(&r, T0 + 5);
            ck_assert(again.outcome == GUARD_WAITS && id_eq(&again.change, &a.change) && again.until_us == a.until_us);
        }
        ck_assert_uint_eq(tick(T0 + wait - 1), 0);
        ck_assert(!made(&r) && hold(T0 + wait - 1).held);
        ck_assert_uint_eq(tick(T0 + wait), 1);
        ck_assert_uint_eq(tick(T0 + wait), 0);
        ck_assert_uint_eq(tick(T0 + 10 * wait), 0);
        ck_assert(made(&r) || limit_raised == T0 + wait);
        ck_assert_int_eq(state_of(&a.change), GUARD_DONE);
        ck_assert(!hold(T0 + wait).held);
        teardown();
        setup();
    }
}
END_TEST

/* On one that has, a step is wanted: for this change of this thing, by this session, once. */
START_TEST(with_an_authenticator_it_wants_a_step)
{
    struct person bert = kit_person(&kit, "bert", LONG_AGO, T0);
    struct id app = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
    struct guard_request other = request((enum guard_change)_i), r = request((enum guard_change)_i);
    kit.guard.wallet_limit = wallet_limit;
    kit.guard.wallet_waits = wallet_waits;
    UNUSED(app);
    struct guard_answer a = ask(&r, T0);
    ck_assert_int_eq(a.outcome, GUARD_STEP);
    ck_assert_uint_eq(a.methods, AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP));
    ck_assert(!made(&r) && !hold(T0).held);
    r.challenge = a.challenge;
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_BAD_STEP); /* not done */
    kit_answer(&kit, &a.challenge, T0);
    /* for another thing, another change, in another session, or of another account */
    if (id_is(&other.thing) && _i != GUARD_RECOVERY_CODES && !id_eq(&other.thing, &r.thing)) {
        other.challenge = a.challenge;
        ck_assert_int_eq(ask(&other, T0).outcome, GUARD_BAD_STEP);
    }
    struct guard_request bad = r;
    bad.detail = SLICE("that");
    ck_assert_int_eq(ask(&bad, T0).outcome, GUARD_BAD_STEP);
    bad = request((enum guard_change)((_i + 3) % GUARD_CHANGE_MAX));
    bad.challenge = a.challenge;
    ck_assert_int_eq(ask(&bad, T0).outcome, GUARD_BAD_STEP);
    struct session second = kit_session(&kit, &anna, SESSION_FULL, &anna.browser, T0);
    bad = r;
    bad.session = &second;
    ck_assert_int_eq(ask(&bad, T0).outcome, GUARD_BAD_STEP);
    bad.session = &bert.session;
    struct guard_answer foreign;
    ck_ok(db_begin(kit.db));
    enum keer_err err = guard_ask(kit.db, &kit.guard, &bad, T0, &foreign);
    ck_assert(err == KEER_EMISSING || foreign.outcome == GUARD_BAD_STEP || foreign.outcome == GUARD_WAITS ||
              foreign.outcome == GUARD_REFUSED);
    db_rollback(kit.db);
    ck_assert(!made(&r));
    ck_assert_int_eq(ask(&r, T0 + CHALLENGE_USE_US).outcome, GUARD_BAD_STEP); /* late */
    struct guard_answer done = ask(&r, T0 + 1);
    ck_assert_int_eq(done.outcome, GUARD_APPLIED);
    ck_assert(made(&r) || limit_raised == T0 + 1);
    ck_assert_int_eq(state_of(&done.change), GUARD_DONE);
    ck_assert_int_eq(ask(&r, T0 + 2).outcome, GUARD_BAD_STEP); /* twice */
    ck_assert(!hold(T0 + 2).held);
}
END_TEST

/* Who got in with one stolen code adds an authenticator of his own: it raises nothing before the owner could say so. */
START_TEST(a_new_authenticator_raises_no_limit_at_once)
{
    struct guard_request r = request(GUARD_WALLET_LIMIT);
    kit.guard.wallet_limit = wallet_limit;
    kit.guard.wallet_waits = wallet_waits;
    limit_raised = 0;
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0 - GUARD_FIRST_US + 2);
    r.challenge = ask(&r, T0).challenge;
    kit_answer(&kit, &r.challenge, T0);
    struct guard_answer a = ask(&r, T0 + 1);
    ck_assert_int_eq(a.outcome, GUARD_WAITS);
    ck_assert_int_eq(a.until_us, T0 + 1 + GUARD_FIRST_US);
    ck_assert(hold(T0 + 1).held);
    ck_assert_uint_ge(kit_notices(&kit, NOTICE_CHANGE_PENDING, &a.change), 1);
    ck_assert_uint_eq(tick(a.until_us - 1), 0);
    ck_assert_int_eq(limit_raised, 0);
    ck_assert_uint_eq(tick(a.until_us), 1);
    ck_assert_int_eq(limit_raised, a.until_us);
    struct session later = kit_session(&kit, &anna, SESSION_FULL, &anna.browser, a.until_us);
    r = request(GUARD_WALLET_LIMIT); /* by now it is old enough */
    r.session = &later;
    r.challenge = ask(&r, a.until_us + 1).challenge;
    kit_answer(&kit, &r.challenge, a.until_us + 1);
    ck_assert_int_eq(ask(&r, a.until_us + 2).outcome, GUARD_APPLIED);
}
END_TEST

START_TEST(what_is_confirmed_is_remembered)
{
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct guard_request r = request(GUARD_AUTHENTICATOR_ADD);
    struct guard_answer a = ask(&r, T0);
    struct id other;
    bool yes = false;
    id_make(&other);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &anna.account, GUARD_AUTHENTICATOR_ADD, &r.thing, T0, &yes));
    ck_assert(yes);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &anna.account, GUARD_AUTHENTICATOR_ADD, &other, T0, &yes));
    ck_assert(!yes);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &other, GUARD_AUTHENTICATOR_ADD, &r.thing, T0, &yes));
    ck_assert(!yes);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &anna.account, GUARD_AUTHENTICATOR_REMOVE, &r.thing, T0, &yes));
    ck_assert(!yes);
    ck_ok(guard_confirmed(kit.db, &none, &anna.account, GUARD_AUTHENTICATOR_ADD, &r.thing, T0, &yes));
    ck_assert(!yes);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &anna.account, GUARD_AUTHENTICATOR_ADD, &r.thing, T0 + CHALLENGE_LIFE_US,
                          &yes));
    ck_assert(!yes);
    r.challenge = a.challenge;
    kit_answer(&kit, &a.challenge, T0);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_APPLIED);
    ck_ok(guard_confirmed(kit.db, &a.challenge, &anna.account, GUARD_AUTHENTICATOR_ADD, &r.thing, T0, &yes));
    ck_assert(!yes);
}
END_TEST

/* An authenticator that was guessed at until it was disabled, or codes that are spent, do not open the way of who has none.
 */
START_TEST(a_disabled_authenticator_is_no_way_around)
{
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_DISABLED, T0);
    struct guard_request r = request(GUARD_AUTHENTICATOR_ADD);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
    r = request(GUARD_PASSWORD);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
    teardown();
    setup();
    struct code_set set;
    ck_ok(code_make(kit.db, &anna.account, T0, &set));
    ck_ok(code_activate(kit.db, &anna.account, &set.id, T0));
    ck_ok(QUERY_DO(kit.db, "UPDATE recovery_code SET used_us = $1", Q_NUMBER(T0)));
    r = request(GUARD_AUTHENTICATOR_ADD);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
}
END_TEST

START_TEST(what_a_session_may)
{
    struct person bert = kit_person(&kit, "bert", LONG_AGO, T0);
    struct session pending = kit_session(&kit, &anna, SESSION_PENDING, &bert.browser, T0);
    struct session restricted = kit_session(&kit, &anna, SESSION_RESTRICTED, &bert.browser, T0);
    for (int c = 0; c < GUARD_CHANGE_MAX; c++) {
        if (c == GUARD_AUTHENTICATOR_REMOVE)
            continue;
        struct guard_request r = request((enum guard_change)c);
        r.session = &pending;
        ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
        r.session = &restricted;
        bool first = c == GUARD_AUTHENTICATOR_ADD || c == GUARD_RECOVERY_CODES;
        ck_assert_int_eq(ask(&r, T0).outcome, first ? GUARD_WAITS : GUARD_REFUSED);
    }
    struct guard_request r = request(GUARD_PASSWORD);
    ck_ok(session_end(kit.db, &anna.account, &anna.session.id, T0));
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED); /* a session that has ended meanwhile */
    struct session again = kit_session(&kit, &anna, SESSION_FULL, &anna.browser, T0);
    r.session = &again;
    ck_ok(account_freeze(kit.db, &anna.account, SLICE("why"), T0));
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
}
END_TEST

/* Whoever has just signed up adds a passkey at once, in that session, while there is nothing to steal. */
START_TEST(grace_after_a_sign_up)
{
    struct person new = kit_person(&kit, "new", T0, T0);
    anna = new;
    struct guard_request r = request(GUARD_AUTHENTICATOR_ADD);
    struct guard_answer a = ask(&r, T0 + GUARD_GRACE_US);
    ck_assert_int_eq(a.outcome, GUARD_WAITS);
    r = request(GUARD_RECOVERY_CODES);
    ck_ok(guard_wallet_linked(kit.db, &anna.account, SLICE("x"), T0));
    ck_assert_int_eq(ask(&r, T0 + 1).outcome, GUARD_WAITS);
    ck_ok(guard_wallet_unlinked(kit.db, &anna.account, SLICE("x")));
    struct session later = kit_session(&kit, &anna, SESSION_FULL, &anna.browser, T0 + 1);
    r = request(GUARD_AUTHENTICATOR_ADD);
    r.session = &later;
    ck_assert_int_eq(ask(&r, T0 + 6 * US_SECOND).outcome, GUARD_WAITS);
    r.session = &anna.session;
    r.thing = kit_totp(&kit, &anna, AUTHENTICATOR_ENROLLING, T0);
    ck_assert_int_eq(ask(&r, T0 + 6 * US_SECOND).outcome, GUARD_APPLIED);
    r = request(GUARD_AUTHENTICATOR_ADD); /* and the next wants a step */
    ck_assert_int_eq(ask(&r, T0 + 7 * US_SECOND).outcome, GUARD_STEP);
}
END_TEST

/* What is more than caps.def lets happen at once waits, however old the authenticator; what is above the ceiling is not to be
 * had; and who does not know how much it is waits. */
START_TEST(a_step_raises_a_limit_only_so_far)
{
    struct guard_request r = request(GUARD_WALLET_LIMIT);
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
    kit.guard.wallet_limit = wallet_limit;
    for (int i = 0; i < 2; i++) {
        kit.guard.wallet_waits = i ? NULL : wallet_waits;
        waits_say = 1;
        limit_raised = 0;
        r.challenge = (struct id){""};
        r.challenge = ask(&r, T0 + i).challenge;
        kit_answer(&kit, &r.challenge, T0 + i);
        struct guard_answer a = ask(&r, T0 + 1 + i);
        ck_assert_int_eq(a.outcome, GUARD_WAITS);
        ck_assert_int_eq(a.until_us, T0 + 1 + i + GUARD_FIRST_US);
        ck_assert(hold(T0 + 1 + i).held);
        ck_assert_uint_ge(kit_notices(&kit, NOTICE_CHANGE_PENDING, &a.change), 1);
        ck_ok(guard_cancel(kit.db, &kit.guard, &anna.account, &a.change, SLICE(""), T0 + 2));
        ck_assert_int_eq(limit_raised, 0);
    }
    kit.guard.wallet_waits = wallet_waits;
    waits_say = 2;
    r.challenge = (struct id){""};
    ck_assert_int_eq(ask(&r, T0 + 3).outcome, GUARD_REFUSED); /* no step is asked for */
    waits_say = 0;
    r.challenge = ask(&r, T0 + 4).challenge;
    kit_answer(&kit, &r.challenge, T0 + 4);
    waits_say = 2; /* what was allowed when it was asked for */
    ck_assert_int_eq(ask(&r, T0 + 5).outcome, GUARD_REFUSED);
    waits_say = 0;
    ck_assert_int_eq(ask(&r, T0 + 6).outcome, GUARD_APPLIED);
    ck_assert_int_eq(limit_raised, T0 + 6);
}
END_TEST

START_TEST(a_wait_is_called_off)
{
    struct person bert = kit_person(&kit, "bert", LONG_AGO, T0);
    for (int c = 0; c < GUARD_CHANGE_MAX; c++) {
        if (c == GUARD_AUTHENTICATOR_REMOVE)
            continue;
        kit.guard.wallet_limit = wallet_limit;
        kit.guard.wallet_waits = wallet_waits;
        limit_raised = 0;
        struct guard_request r = request((enum guard_change)c);
        struct guard_answer a = ask(&r, T0);
        ck_assert_int_eq(a.outcome, GUARD_WAITS);
        ck_err(guard_cancel(kit.db, &kit.guard, &bert.account, &a.change, SLICE(""), T0), KEER_EMISSING);
        ck_ok(guard_cancel(kit.db, &kit.guard, &anna.account, &a.change, SLICE("192.0.2.9"), T0));
        ck_err(guard_cancel(kit.db, &kit.guard, &anna.account, &a.change, SLICE(""), T0), KEER_EMISSING);
        ck_assert_uint_ge(kit_notices(&kit, NOTICE_CHANGE_CANCELLED, &a.change), 1);
        ck_assert_uint_eq(tick(T0 + US_DAY * 2), 0);
        ck_assert(!made(&r) && limit_raised == 0 && !hold(T0).held);
        ck_assert_int_eq(state_of(&a.change), GUARD_CANCELLED);
    }
}
END_TEST

START_TEST(what_waits_is_bounded_and_replaced)
{
    struct guard_request p = request(GUARD_PASSWORD);
    struct guard_answer first = ask(&p, T0), second = ask(&p, T0 + 5);
    ck_assert(first.outcome == GUARD_WAITS && second.outcome == GUARD_WAITS && !id_eq(&first.change, &second.change));
    ck_assert_int_eq(state_of(&first.change), GUARD_CANCELLED); /* the newer one waits its own time */
    ck_assert_int_eq(second.until_us, T0 + 5 + GUARD_WAIT_US);
    ck_ok(guard_cancel_all(kit.db, &anna.account, T0));
    for (unsigned i = 0; i < GUARD_PENDING_MAX; i++) {
        struct code_set set;
        ck_ok(code_make(kit.db, &anna.account, T0, &set));
        struct guard_request r = {.session = &anna.session, .change = GUARD_RECOVERY_CODES, .thing = set.id};
        ck_assert_int_eq(ask(&r, T0).outcome, GUARD_WAITS);
    }
    struct guard_request r = request(GUARD_DEVICE_TRUST);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_REFUSED);
    ck_ok(guard_cancel_all(kit.db, &anna.account, T0));
    ck_assert(!hold(T0).held);
    char longest[GUARD_DATA_BYTES + 1];
    struct guard_answer a;
    memset(longest, 'x', sizeof longest);
    r.data = slice_of(longest, sizeof longest);
    ck_err(guard_ask(kit.db, &kit.guard, &r, T0, &a), KEER_ELIMIT);
}
END_TEST

/* What can't be made when it is due fails once, and holds nothing up. */
START_TEST(what_is_gone_fails)
{
    struct guard_request r = request(GUARD_AUTHENTICATOR_ADD);
    struct guard_answer a = ask(&r, T0);
    ck_ok(QUERY_DO(kit.db, "UPDATE authenticator SET state = 4 WHERE id = $1", Q_ID(&r.thing)));
    ck_assert_uint_eq(tick(T0 + US_DAY), 1);
    ck_assert_int_eq(state_of(&a.change), GUARD_FAILED);
    ck_assert(!hold(T0 + US_DAY).held);
    r = request(GUARD_PASSWORD);
    a = ask(&r, T0);
    ck_ok(account_freeze(kit.db, &anna.account, SLICE("x"), T0));
    ck_assert_uint_eq(tick(T0 + US_DAY), 1);
    ck_assert_int_eq(state_of(&a.change), GUARD_CANCELLED);
    ck_assert(!made(&r));
}
END_TEST

/* One click: whatever was done or waits is taken back, sessions end, challenges are refused, the account is frozen. */
START_TEST(not_me_takes_it_back)
{
    for (int waits = 0; waits < 2; waits++) {
        struct guard_not_me got;
        struct challenge c = {.account = anna.account, .kind = CHALLENGE_SIGN_IN, .holder = anna.session.id};
        struct challenge_data d = {.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
        struct session s;
        struct account row;
        struct contact left;
        bool fresh;
        kit.guard.wallet_limit = wallet_limit;
        kit.guard.wallet_waits = wallet_waits;
        if (_i == GUARD_AUTHENTICATOR_REMOVE && waits)
            continue;
        if (!waits)
            (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
        struct guard_request r = request((enum guard_change)_i);
        struct guard_answer a = ask(&r, T0);
        if (!waits) {
            r.challenge = a.challenge;
            kit_answer(&kit, &a.challenge, T0);
            a = ask(&r, T0);
        }
        ck_assert_int_eq(a.outcome, waits ? GUARD_WAITS : GUARD_APPLIED);
        ck_ok(challenge_open(kit.db, &d, T0, &c, &fresh));
        enum notice_kind kind = NOTICE_CHANGE_PENDING;
        if (!waits)
            kind = (enum notice_kind)kit_number(
                &kit, "SELECT kind FROM notice WHERE about <> '' ORDER BY created_us DESC LIMIT 1");
        struct bearer token = kit_not_me(&kit, kind, &a.change);
        ck_err(guard_not_me(kit.db, &kit.guard, SLICE("AAAAAAAAAAAAAAAAAAAAAA"), T0, &got), KEER_EMISSING);
        ck_err(guard_not_me(kit.db, &kit.guard, SLICE("x"), T0, &got), KEER_EMISSING);
        ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + US_MINUTE, &got));
        ck_assert(got.undone && got.frozen && id_eq(&got.account, &anna.account));
        ck_err(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + US_MINUTE, &got), KEER_EMISSING);
        if (_i == GUARD_CONTACT_REMOVE) /* by its address: the row is another one */
            ck_err(contact_read(kit.db, &anna.account, &r.thing, &left), waits ? KEER_OK : KEER_EMISSING);
        else
            ck_assert(!made(&r));
        ck_assert_int_eq(state_of(&a.change), waits ? GUARD_CANCELLED : GUARD_UNDONE);
        ck_assert_uint_eq(tick(T0 + 2 * US_DAY), 0);
        ck_ok(account_read(kit.db, &anna.account, &row));
        ck_assert_int_eq(row.state, ACCOUNT_FROZEN);
        ck_err(session_read(kit.db, &anna.session.id, T0 + US_MINUTE, &s), KEER_EMISSING);
        ck_ok(challenge_get(kit.db, &c.id, T0 + US_MINUTE, &c));
        ck_assert_int_eq(c.state, CHALLENGE_REFUSED);
        struct account_hold h = hold(T0 + US_MINUTE);
        ck_assert(h.held && strcmp(h.why, "frozen") == 0);
        teardown();
        setup();
    }
}
END_TEST

/* The same from a session, by what its security centre shows: once, of its own account, while it can be taken back. */
START_TEST(not_me_from_a_session)
{
    struct person bert = kit_person(&kit, "bert", LONG_AGO, T0);
    struct guard_not_me got;
    struct account row;
    struct notice rows[8];
    unsigned n = 0;
    struct guard_request r = request(GUARD_CONTACT_ADD);
    struct guard_answer a = ask(&r, T0);
    ck_assert_int_eq(a.outcome, GUARD_WAITS);
    ck_ok(notice_recent(kit.db, &anna.account, 8, rows, &n));
    ck_assert(n == 1 && rows[0].kind == NOTICE_CHANGE_PENDING && notice_open(&rows[0], T0));
    const struct id ids[] = {rows[0].id, a.change}; /* of enum guard_told */
    for (int told = 0; told < 2; told++) {
        ck_err(guard_not_me_own(kit.db, &kit.guard, &bert.account, (enum guard_told)told, &ids[told], T0, &got),
               KEER_EMISSING);
        ck_err(guard_not_me_own(kit.db, &kit.guard, &anna.account, (enum guard_told)told, &ids[!told], T0, &got),
               KEER_EMISSING);
    }
    ck_assert(!notice_open(&rows[0], T0 + NOTICE_NOT_ME_US));
    ck_err(guard_not_me_own(kit.db, &kit.guard, &anna.account, GUARD_TOLD_NOTICE, &ids[0], T0 + NOTICE_NOT_ME_US, &got),
           KEER_EMISSING);
    if (_i == GUARD_TOLD_NOTICE) { /* it was made meanwhile: it is taken back */
        ck_assert_uint_eq(tick(a.until_us), 1);
        ck_err(guard_not_me_own(kit.db, &kit.guard, &anna.account, GUARD_TOLD_CHANGE, &ids[1], a.until_us, &got),
               KEER_EMISSING);
    }
    ck_ok(guard_not_me_own(kit.db, &kit.guard, &anna.account, (enum guard_told)_i, &ids[_i], a.until_us, &got));
    ck_assert(got.undone && got.frozen && got.kind == NOTICE_CHANGE_PENDING && id_eq(&got.account, &anna.account));
    ck_err(guard_not_me_own(kit.db, &kit.guard, &anna.account, (enum guard_told)_i, &ids[_i], a.until_us, &got),
           KEER_EMISSING);
    ck_assert_int_eq(state_of(&a.change), _i == GUARD_TOLD_NOTICE ? GUARD_UNDONE : GUARD_CANCELLED);
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_FROZEN);
    ck_ok(account_read(kit.db, &bert.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_ACTIVE);
}
END_TEST

/* The step is for the password that it was asked for, and for no other; asking for another one makes the first step void. */
START_TEST(a_step_is_for_one_password)
{
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
    struct guard_request r = request(GUARD_PASSWORD), other = r;
    struct challenge c;
    char phc[PASSWORD_PHC_BYTES];
    (void)snprintf(phc, sizeof phc, "%.*s", SLICE_ARG(r.data));
    phc[31] = 'Y';
    r.detail = other.detail = SLICE("");
    other.data = slice_str(phc);
    struct guard_answer a = ask(&r, T0), b;
    ck_assert_int_eq(a.outcome, GUARD_STEP);
    ck_ok(challenge_get(kit.db, &a.challenge, T0, &c));
    ck_assert(strstr(c.shown, "\"value\":\"") && !strstr(c.shown, "argon2"));
    kit_answer(&kit, &a.challenge, T0);
    r.challenge = other.challenge = a.challenge;
    ck_assert_int_eq(ask(&other, T0).outcome, GUARD_BAD_STEP);
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_APPLIED);
    ck_assert(made(&r));
    r.challenge = other.challenge = (struct id){0};
    a = ask(&r, T0);
    kit_answer(&kit, &a.challenge, T0);
    b = ask(&other, T0);
    ck_assert(b.outcome == GUARD_STEP && !id_eq(&a.challenge, &b.challenge));
    r.challenge = a.challenge;
    ck_assert_int_eq(ask(&r, T0).outcome, GUARD_BAD_STEP);
}
END_TEST

/* Hashes of passwords that nobody needs any more are not kept. */
START_TEST(what_undoing_needs_goes_with_it)
{
    struct guard_request r = request(GUARD_PASSWORD);
    struct guard_answer a = ask(&r, T0);
    ck_assert_uint_eq(tick(a.until_us), 1);
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM guard_change WHERE was <> '' AND data = ''"), 1);
    ck_ok(guard_forget(kit.db, a.until_us + GUARD_UNDO_US));
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM guard_change WHERE was <> ''"), 1);
    struct bearer token = kit_not_me(&kit, NOTICE_PASSWORD_CHANGED, &a.change);
    ck_ok(guard_forget(kit.db, a.until_us + GUARD_UNDO_US + 1));
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM guard_change WHERE was <> ''"), 0);
    struct guard_not_me got; /* too late: the token is too old as well */
    ck_err(guard_not_me(kit.db, &kit.guard, slice_str(token.text), a.until_us + GUARD_UNDO_US + 1, &got), KEER_EMISSING);
    r = request(GUARD_PASSWORD); /* one that is called off keeps nothing either */
    a = ask(&r, T0);
    ck_ok(guard_cancel(kit.db, &kit.guard, &anna.account, &a.change, SLICE(""), T0));
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM guard_change WHERE was <> '' OR data <> ''"), 0);
}
END_TEST

START_TEST(a_removed_address_still_hears_and_stops)
{
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    struct id second;
    kit_contact(&kit, &anna, "thief@example.com", &second, T0);
    struct guard_request r = {
        .session = &anna.session, .change = GUARD_CONTACT_REMOVE, .thing = anna.email, .detail = SLICE("a")};
    struct guard_answer a = ask(&r, T0);
    r.challenge = a.challenge;
    kit_answer(&kit, &a.challenge, T0);
    a = ask(&r, T0);
    ck_assert_int_eq(a.outcome, GUARD_APPLIED);
    ck_assert_uint_eq(kit_notices(&kit, NOTICE_CONTACT_REMOVED, &a.change), 2);
    struct bearer token = kit_not_me(&kit, NOTICE_CONTACT_REMOVED, &a.change);
    struct guard_not_me got;
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + US_DAY, &got));
    struct contact rows[CONTACTS_MAX];
    unsigned n, found = 0;
    ck_ok(contact_list(kit.db, &anna.account, rows, &n));
    for (unsigned i = 0; i < n; i++)
        found += strcmp(rows[i].address.text, "anna@example.org") == 0 && rows[i].verified_us;
    ck_assert_uint_eq(found, 1);
}
END_TEST

/* Asked, waited for, made; and taken back. */
START_TEST(every_call_may_fail)
{
    struct guard_request r = request(GUARD_PASSWORD);
    struct guard_answer a;
    struct bearer token = {{0}};
    struct guard_not_me got;
    unsigned count;
    for (int part = 0; part < 2; part++) {
        for (uint64_t n = 1, hit = 1; hit; n++) {
            ck_ok(db_begin(kit.db));
            db_fail_arm(n, false);
            enum keer_err err = part ? guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + US_DAY, &got)
                                     : guard_ask(kit.db, &kit.guard, &r, T0, &a);
            if (err == KEER_OK && !part)
                err = guard_apply_due(kit.db, &kit.guard, T0 + US_DAY, 1, &count);
            hit = db_fail_hit();
            db_fail_arm(0, false);
            ck_assert_msg((err == KEER_OK) == !hit, "call %llu: %s", (unsigned long long)n, keer_err_name(err));
            if (!hit && !part)
                ck_assert_int_eq(db_commit(kit.db), DB_COMMITTED);
            db_rollback(kit.db);
        }
        if (!part)
            token = kit_not_me(&kit, NOTICE_PASSWORD_CHANGED, &a.change);
    }
}
END_TEST

/* --- recovery --- */

static struct recovery begin(const char *name, const struct crypto_hash *browser)
{
    struct recovery r;
    struct crypto_hash other = {{99}};
    unsigned n;
    struct recovery_start s = {.name = slice_str(name),
                               .device_hash = browser ? *browser : other,
                               .where = SLICE("198.51.100.7"),
                               .family = SLICE("chrome")};
    ck_ok(recovery_start(kit.db, &kit.guard, &s, T0, &r));
    ck_ok(recovery_send(kit.db, &kit.guard, T0, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(recovery_get(kit.db, &r.id, T0, &r));
    return r;
}

/* The code that was sent to an address of a kind. */
static void sent(const struct recovery *r, unsigned way, char digits[PROOF_DIGITS + 1])
{
    struct db_stmt *s;
    struct id proof;
    ck_ok(QUERY_ONE(kit.db, &s, "SELECT proof FROM recovery_proof WHERE recovery = $1 AND way = $2", Q_ID(&r->id),
                    Q_NUMBER(way)));
    ck_ok(query_id(s, 0, &proof));
    db_free(s);
    proof_digits(&kit.key, &proof, digits);
}

static bool prove(struct recovery *r, const char *code)
{
    bool ok = false;
    ck_ok(recovery_prove(kit.db, &kit.guard, &r->id, slice_str(code), T0, &ok, r));
    return ok;
}

#define E RECOVERY_EMAIL
#define P RECOVERY_PHONE
#define R RECOVERY_CODE
#define D RECOVERY_DEVICE
static const struct {
    unsigned ways;
    bool bound, at_once;
} ways[] = {{E, false, false}, {E | P, false, true}, {E | D, false, true}, {P | D, false, true}, {D, false, false},
            {E, true, false},  {E | D, true, false}, {E | P, true, true},  {E | R, true, true},  {P | R, true, true},
            {R, true, false},  {R | D, true, false}, {P, true, false},     {P, false, false}};

/* Which ways are enough at once; the others wait; none is nothing. */
START_TEST(ways_of_recovery)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct code_set set;
    struct password_row p;
    struct session s;
    unsigned w = ways[_i].ways, n;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    if (ways[_i].bound) {
        ck_ok(code_make(kit.db, &anna.account, T0, &set));
        ck_ok(code_activate(kit.db, &anna.account, &set.id, T0));
    }
    struct recovery r = begin("anna@example.org", w & D ? &anna.browser : NULL);
    ck_assert_uint_eq(r.ways, w & D);
    password_dummy(phc);
    phc[31] = 'N';
    ck_assert(!prove(&r, "00000000") && !prove(&r, "") && !prove(&r, "123456") &&
              !prove(&r, "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"));
    if (w & E) {
        sent(&r, E, code);
        ck_assert(prove(&r, code));
        ck_assert(!prove(&r, code)); /* twice */
    }
    if (w & P) {
        sent(&r, P, code);
        ck_assert(prove(&r, code));
    }
    if (w & R)
        ck_assert(prove(&r, set.code[3]));
    ck_assert_uint_eq(r.ways, w);
    enum keer_err err = recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r);
    if (w == D) {
        ck_assert_int_eq(err, KEER_EMISSING);
        return;
    }
    ck_assert_int_eq(err, KEER_OK);
    ck_assert_int_eq(r.state, ways[_i].at_once ? RECOVERY_DONE : RECOVERY_WAITING);
    if (!ways[_i].at_once) {
        ck_assert_int_eq(r.due_us, T0 + RECOVERY_WAIT_US);
        ck_assert(hold(T0).held && strcmp(hold(T0).why, "recovery_waits") == 0);
        ck_assert_uint_eq(kit_notices(&kit, NOTICE_RECOVERY_STARTED, &r.id), 2);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us - 1, &whose, &n));
        ck_assert_uint_eq(n, 0);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
        ck_assert_uint_eq(n, 1);
        ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
        ck_assert_uint_eq(n, 0);
    }
    ck_ok(password_read(kit.db, &anna.account, &p));
    ck_assert_str_eq(p.phc, phc);
    ck_err(session_read(kit.db, &anna.session.id, T0, &s), KEER_EMISSING);
    ck_assert(!hold(T0).held);
    ck_assert_uint_eq(kit_notices(&kit, NOTICE_RECOVERY_DONE, &r.id), 2);
    unsigned methods = 0; /* authenticators stay */
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_int_eq(methods != 0, ways[_i].bound);
    ck_err(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r), KEER_EMISSING);
}
END_TEST

/* What was pending by better proof does not go through by this one. */
START_TEST(a_recovery_clears_what_is_pending)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct challenge c = {.account = anna.account, .kind = CHALLENGE_SIGN_IN, .holder = anna.session.id};
    struct challenge_data d = {.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
    bool fresh;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    struct guard_request g = request(GUARD_DEVICE_TRUST);
    struct guard_answer a = ask(&g, T0);
    ck_assert_int_eq(a.outcome, GUARD_WAITS);
    ck_ok(challenge_open(kit.db, &d, T0, &c, &fresh));
    kit_answer(&kit, &c.id, T0);
    ck_ok(account_freeze(kit.db, &anna.account, SLICE("x"), T0)); /* and the owner thaws it */
    struct recovery r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    sent(&r, P, code);
    ck_assert(prove(&r, code));
    password_dummy(phc);
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    ck_assert_int_eq(state_of(&a.change), GUARD_CANCELLED);
    ck_ok(challenge_get(kit.db, &c.id, T0, &c));
    ck_assert_int_eq(c.state, CHALLENGE_REFUSED);
    struct account row;
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_ACTIVE);
}
END_TEST

/* Lost authenticators: always the wait, also with two ways; then they are gone, and 'not me' gives them back. */
START_TEST(lost_authenticators)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct password_row before, p;
    struct guard_not_me got;
    unsigned methods, n;
    kit_contact(&kit, &anna, "+31612345678", &anna.phone, T0);
    struct guard_request g = request(GUARD_DEVICE_TRUST);
    (void)ask(&g, T0);
    ck_assert_uint_eq(tick(T0 + US_HOUR), 1);
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0);
    ck_ok(password_read(kit.db, &anna.account, &before));
    struct recovery r = begin("anna@example.org", NULL), second;
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    sent(&r, P, code);
    ck_assert(prove(&r, code));
    password_dummy(phc);
    phc[33] = 'L';
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), /* lost */ true, T0, &r));
    ck_assert_int_eq(r.state, RECOVERY_WAITING);
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert(methods);
    /* Another one does not come before it. */
    second = begin("anna@example.org", NULL);
    sent(&second, E, code);
    ck_assert(prove(&second, code));
    ck_err(recovery_finish(kit.db, &kit.guard, &second.id, slice_str(phc), false, T0, &second), KEER_ECONFLICT);
    ck_ok(recovery_apply_due(kit.db, &kit.guard, r.due_us, &whose, &n));
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_uint_eq(methods, 0);
    struct bearer token = kit_not_me(&kit, NOTICE_RECOVERY_DONE, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), r.due_us + US_DAY, &got));
    ck_assert(got.undone && got.frozen);
    ck_ok(authenticators_methods(kit.db, &anna.account, &methods));
    ck_assert_uint_eq(methods, AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP) | AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE));
    struct device device;
    ck_ok(device_read(kit.db, &anna.account, &anna.device, &device));
    ck_assert(device.trusted_us);
    ck_ok(password_read(kit.db, &anna.account, &p));
    ck_assert_str_eq(p.phc, before.phc);
}
END_TEST

START_TEST(a_recovery_is_called_off)
{
    char code[PROOF_DIGITS + 1], phc[PASSWORD_PHC_BYTES];
    struct guard_not_me got;
    struct account row;
    unsigned n;
    password_dummy(phc);
    /* By nobody who proved anything: 'not me' ends it, and does not lock the owner out. */
    struct recovery r = begin("anna@example.org", NULL);
    struct bearer token = kit_not_me(&kit, NOTICE_RECOVERY_CODE, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0, &got));
    ck_assert(got.undone && !got.frozen);
    sent(&r, E, code);
    bool ok;
    ck_err(recovery_prove(kit.db, &kit.guard, &r.id, slice_str(code), T0, &ok, &r), KEER_EMISSING);
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_ACTIVE);
    /* From a session or device. */
    r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    ck_err(recovery_cancel(kit.db, &kit.guard, &anna.account, SLICE(""), T0), KEER_EMISSING);
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    ck_ok(recovery_cancel(kit.db, &kit.guard, &anna.account, SLICE(""), T0));
    ck_ok(recovery_apply_due(kit.db, &kit.guard, T0 + 30 * US_DAY, &whose, &n));
    ck_assert_uint_eq(n, 0);
    ck_assert(!hold(T0).held);
    /* Somebody read a code: that is a reason to freeze. */
    r = begin("anna@example.org", NULL);
    sent(&r, E, code);
    ck_assert(prove(&r, code));
    ck_ok(recovery_finish(kit.db, &kit.guard, &r.id, slice_str(phc), false, T0, &r));
    token = kit_not_me(&kit, NOTICE_RECOVERY_STARTED, &r.id);
    ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0, &got));
    ck_assert(got.undone && got.frozen);
    ck_ok(recovery_apply_due(kit.db, &kit.guard, T0 + 30 * US_DAY, &whose, &n));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* A name that nobody has: a flow like any other, and nothing ever proves it. */
START_TEST(a_name_that_nobody_has)
{
    static const char *const names[] = {"nobody@example.org", "nobody", "+3199999999", "not a name!", "a@b"};
    struct id bucket, again;
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct recovery r = begin(names[i], NULL), twice = begin(names[i], NULL);
        ck_assert(!id_is(&r.account) && r.state == RECOVERY_OPEN);
        ck_ok(recovery_bucket(kit.db, &r.id, &bucket));
        ck_ok(recovery_bucket(kit.db, &twice.id, &again));
        ck_assert(id_is(&bucket) && id_eq(&bucket, &again));
        ck_ok(recovery_prove(kit.db, &kit.guard, &r.id, SLICE("12345678"), T0, &ok, &r));
        ck_assert(!ok);
        ck_err(recovery_finish(kit.db, &kit.guard, &r.id, SLICE("x"), false, T0, &r), KEER_EMISSING);
    }
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM notice"), 0);
    struct recovery late = begin("anna@example.org", NULL);
    ck_err(recovery_prove(kit.db, &kit.guard, &late.id, SLICE("1"), T0 + RECOVERY_OPEN_US, &ok, &late), KEER_EMISSING);
    ck_ok(recoveries_forget(kit.db, T0 + US_DAY, 100));
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM recovery"), 0);
    ck_assert_int_eq(kit_number(&kit, "SELECT COUNT(*) FROM recovery_proof"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guard");
    TCase *c = tcase_create("guard");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, without_an_authenticator_it_waits, 0, GUARD_CHANGE_MAX);
    tcase_add_loop_test(c, with_an_authenticator_it_wants_a_step, 0, GUARD_CHANGE_MAX);
    tcase_add_test(c, a_new_authenticator_raises_no_limit_at_once);
    tcase_add_test(c, a_step_raises_a_limit_only_so_far);
    tcase_add_test(c, what_is_confirmed_is_remembered);
    tcase_add_test(c, a_disabled_authenticator_is_no_way_around);
    tcase_add_test(c, what_a_session_may);
    tcase_add_test(c, grace_after_a_sign_up);
    tcase_add_test(c, a_wait_is_called_off);
    tcase_add_test(c, what_waits_is_bounded_and_replaced);
    tcase_add_test(c, what_is_gone_fails);
    tcase_add_loop_test(c, not_me_takes_it_back, 0, GUARD_CHANGE_MAX);
    tcase_add_test(c, a_step_is_for_one_password);
    tcase_add_loop_test(c, not_me_from_a_session, 0, 2);
    tcase_add_test(c, what_undoing_needs_goes_with_it);
    tcase_add_test(c, a_removed_address_still_hears_and_stops);
    tcase_add_test(c, every_call_may_fail);
    tcase_add_loop_test(c, ways_of_recovery, 0, (int)ARRAY_LEN(ways));
    tcase_add_test(c, a_recovery_clears_what_is_pending);
    tcase_add_test(c, lost_authenticators);
    tcase_add_test(c, a_recovery_is_called_off);
    tcase_add_test(c, a_name_that_nobody_has);
    suite_add_tcase(s, c);
    return test_main(s);
}
