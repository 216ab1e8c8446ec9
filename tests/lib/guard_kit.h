/* guard_kit.h - an account of tests and the guard before it: requests for changes of the right things, answers, what is due. */
#ifndef TESTS_LIB_GUARD_KIT_H
#define TESTS_LIB_GUARD_KIT_H
#include "account/proof.h"
#include "lib/db_fail.h"
#include "lib/person_kit.h"

static struct person_kit kit;
static struct person anna;
#define LONG_AGO (T0 - 100 * US_DAY)

static inline void setup(void)
{
    kit_make(&kit);
    anna = kit_person(&kit, "anna", LONG_AGO, T0);
}
static inline void teardown(void)
{
    db_fail_arm(0, false);
    kit_drop(&kit);
}

/* A request for a change of a thing of the right kind, which is made for it. */
static inline struct guard_request request(enum guard_change change)
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

static inline struct guard_answer ask(const struct guard_request *r, int64_t now_us)
{
    struct guard_answer a;
    ck_ok(db_begin(kit.db));
    ck_ok(guard_ask(kit.db, &kit.guard, r, now_us, &a));
    ck_assert_int_eq(db_commit(kit.db), DB_COMMITTED);
    return a;
}

static inline unsigned tick(int64_t now_us)
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

static inline int64_t state_of(const struct id *change)
{
    struct db_stmt *s;
    ck_ok(QUERY_ONE(kit.db, &s, "SELECT state FROM guard_change WHERE id = $1", Q_ID(change)));
    int64_t n = db_i64(s, 0);
    db_free(s);
    return n;
}

static inline struct account_hold hold(int64_t now_us)
{
    struct account_hold h;
    ck_ok(guard_hold(kit.db, &anna.account, now_us, &h));
    return h;
}
#endif
