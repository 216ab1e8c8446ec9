/* guard_test.c - the guard before changes of an account: every change in every state of an account, waits by a clock of the
 * test's, what stops them, what takes them back.
 */
#include "lib/guard_kit.h"

static struct id none;

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

/* A session takes away, and gives nothing back: the link of the message does, whatever a session said before. */
START_TEST(a_session_gives_nothing_back)
{
    struct guard_not_me got;
    struct account row;
    struct notice rows[8];
    unsigned n = 0, at = 0;
    bool gives = _i == GUARD_AUTHENTICATOR_REMOVE || _i == GUARD_CONTACT_REMOVE || _i == GUARD_PASSWORD;
    kit.guard.wallet_limit = wallet_limit;
    kit.guard.wallet_waits = wallet_waits;
    (void)kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO);
    struct guard_request r = request((enum guard_change)_i);
    struct guard_answer a = ask(&r, T0);
    r.challenge = a.challenge;
    kit_answer(&kit, &a.challenge, T0);
    a = ask(&r, T0);
    ck_assert_int_eq(a.outcome, GUARD_APPLIED);
    ck_ok(notice_recent(kit.db, &anna.account, 8, rows, &n));
    while (at < n && !id_eq(&rows[at].about, &a.change))
        at++;
    ck_assert_uint_lt(at, n);
    struct bearer token = kit_not_me(&kit, rows[at].kind, &a.change);
    limit_lowered = 0;
    ck_ok(guard_not_me_own(kit.db, &kit.guard, &anna.account, GUARD_TOLD_NOTICE, &rows[at].id, T0 + 1, &got));
    ck_assert(got.frozen && got.kept == gives && got.undone == !gives);
    ck_assert_int_eq(state_of(&a.change), gives ? GUARD_DONE : GUARD_UNDONE);
    ck_assert(_i == GUARD_WALLET_LIMIT ? limit_lowered != 0 : made(&r) == gives);
    ck_ok(account_read(kit.db, &anna.account, &row));
    ck_assert_int_eq(row.state, ACCOUNT_FROZEN);
    enum keer_err err = guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + 2, &got);
    if (gives) { /* it is not used up */
        ck_ok(err);
        ck_assert(got.undone && got.frozen && !got.kept);
        ck_assert_int_eq(state_of(&a.change), GUARD_UNDONE);
    }
    ck_err(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + 3, &got), KEER_EMISSING);
}
END_TEST

/* The token of what one address was told of a change. */
static struct bearer token_to(const struct id *about, const char *address)
{
    struct db_stmt *s;
    struct bearer token;
    struct id id;
    ck_ok(QUERY_ONE(kit.db, &s, "SELECT id FROM notice WHERE about = $1 AND to_value = $2 ORDER BY created_us DESC LIMIT 1",
                    Q_ID(about), Q_STR(address)));
    ck_ok(query_id(s, 0, &id));
    db_free(s);
    notice_not_me(&kit.key, &id, &token);
    return token;
}

/* Each removes the other's address, and then the other's app: what the older address hears of gives back, what the younger one
 * hears of locks alone. */
START_TEST(an_older_address_outranks_one_that_was_removed)
{
    static const char *const late = "thief@example.net";
    bool thief = _i == 0; /* who says 'not me', of what the other did */
    struct contact list[CONTACTS_MAX];
    struct guard_not_me got;
    struct authenticator a;
    struct id contact;
    unsigned n = 0;
    struct id first = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, LONG_AGO), second;
    ck_ok(contact_list(kit.db, &anna.account, list, &n));
    ck_assert_uint_eq(n, 1);
    kit_contact(&kit, &anna, late, &contact, T0 - US_DAY);
    second = kit_totp(&kit, &anna, AUTHENTICATOR_ACTIVE, T0 - US_DAY);
    struct guard_request r[2] = {{.session = &anna.session,
                                  .change = GUARD_CONTACT_REMOVE,
                                  .thing = thief ? contact : list[0].id,
                                  .detail = SLICE("an address"),
                                  .where = SLICE("192.0.2.1")},
                                 {.session = &anna.session,
                                  .change = GUARD_AUTHENTICATOR_REMOVE,
                                  .thing = thief ? second : first,
                                  .detail = SLICE("an app"),
                                  .where = SLICE("192.0.2.1")}};
    struct guard_answer done[2];
    const char *mine = thief ? late : list[0].address.text;
    for (int i = 0; i < 2; i++) {
        r[i].challenge = ask(&r[i], T0 + i).challenge;
        kit_answer(&kit, &r[i].challenge, T0 + i);
        done[i] = ask(&r[i], T0 + i);
        ck_assert_int_eq(done[i].outcome, GUARD_APPLIED);
    }
    for (int i = 1; i >= 0; i--) {
        struct bearer token = token_to(&done[i].change, mine);
        ck_ok(guard_not_me(kit.db, &kit.guard, slice_str(token.text), T0 + US_MINUTE, &got));
        ck_assert(got.frozen && got.undone == !thief && got.kept == thief);
    }
    ck_ok(authenticator_get(kit.db, &anna.account, &r[1].thing, &a));
    ck_assert_int_eq(a.state, thief ? AUTHENTICATOR_REMOVED : AUTHENTICATOR_ACTIVE);
    ck_ok(contact_list(kit.db, &anna.account, list, &n));
    ck_assert_uint_eq(n, thief ? 1 : 2);
    if (!thief) { /* given back, it is as old as it was */
        struct identifier address;
        struct identifier_why why;
        bool outranked = true;
        ck_ok(identifier_guess(slice_str(late), &address, &why));
        ck_ok(contact_outranked(kit.db, &anna.account, &address, &outranked));
        ck_assert(!outranked); /* it is there */
        ck_ok(contact_remove(kit.db, &anna.account, &contact, T0 + US_HOUR));
        ck_ok(contact_outranked(kit.db, &anna.account, &address, &outranked));
        ck_assert(outranked);
    }
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
    tcase_add_loop_test(c, an_older_address_outranks_one_that_was_removed, 0, 2);
    tcase_add_loop_test(c, a_session_gives_nothing_back, 0, GUARD_CHANGE_MAX);
    tcase_add_loop_test(c, not_me_from_a_session, 0, 2);
    tcase_add_test(c, what_undoing_needs_goes_with_it);
    tcase_add_test(c, a_removed_address_still_hears_and_stops);
    tcase_add_test(c, every_call_may_fail);
    suite_add_tcase(s, c);
    return test_main(s);
}
