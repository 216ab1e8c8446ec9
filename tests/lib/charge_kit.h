/* charge_kit.h - an account with an agreement that is signed, and charges on it, for unit tests (account_kit.h has the
 * database). */
#ifndef TESTS_LIB_CHARGE_KIT_H
#define TESTS_LIB_CHARGE_KIT_H
#include "base/timefmt.h"
#include "lib/account_kit.h"
#include "store/query.h"
#include "wallet/balance.h"
#include "wallet/books.h"
#include "wallet/refund.h"

static const struct charge_terms kit_terms = {CHARGE_RESEND_US, CHARGE_GONE_US, CHARGE_HOLD_US};
static unsigned kit_made; /* keys and references so far */

static inline struct id kit_agreement(const struct id *account, enum currency currency, int64_t unverified_minor)
{
    struct agreement a = {.account = *account, .currency = currency, .unverified_limit_minor = unverified_minor};
    struct wallet_agreement w = {.state = WALLET_AGREEMENT_NORMAL};
    bool fresh;
    (void)snprintf(a.client, sizeof a.client, "store");
    (void)snprintf(a.reference, sizeof a.reference, "link-%u", kit_made);
    (void)snprintf(a.wallet, sizeof a.wallet, "alipay");
    (void)snprintf(a.return_url, sizeof a.return_url, "https://store.example/back");
    (void)snprintf(w.ref, sizeof w.ref, "agreement-%u", kit_made++);
    ck_assert(agreement_default_caps(currency, &a.caps));
    ck_ok(agreement_add(db, &kit_key, &a, T0, &fresh));
    ck_ok(agreement_stepped(db, &a.id, T0));
    ck_ok(agreement_signed(db, &kit_key, &a.id, &w, T0));
    return a.id;
}
/* An administrator lets every account's caps be as high as a test wants them. */
static inline void kit_lift_ceilings(void)
{
    ck_ok(db_exec(
        db, "INSERT INTO account_ceiling (owner, money, most_charge, most_day, most_month, most_count, set_by, set_us)"
            " SELECT DISTINCT account, currency, 2000000000, 2000000000, 2000000000, 2000000000, 'test', 0 FROM agreement"
            " WHERE state >= 0 ON CONFLICT DO NOTHING"));
}
static inline struct agreement kit_agreement_now(const struct id *id)
{
    struct agreement a;
    ck_ok(agreement_get(db, &kit_key, id, &a));
    return a;
}
static inline struct charge kit_charge(const struct id *agreement, enum charge_kind kind, int64_t amount_minor,
                                       int64_t now_us)
{
    struct agreement a = kit_agreement_now(agreement);
    struct charge c;
    char key[32];
    bool fresh;
    (void)snprintf(key, sizeof key, "order-%u", kit_made++);
    struct charge_new n = {.client = SLICE("store"),
                           .key = slice_str(key),
                           .agreement = *agreement,
                           .account = a.account,
                           .kind = kind,
                           .amount_minor = amount_minor,
                           .currency = a.currency,
                           .payee = SLICE("Apple"),
                           .item = SLICE("gems-648")};
    crypto_sha256(slice_str(key), &n.body);
    ck_ok(charge_add(db, &n, now_us, &c, &fresh));
    ck_assert(fresh);
    return c;
}
static inline enum charge_gated kit_gate(struct charge *c, bool stepped, int64_t now_us)
{
    struct agreement a = kit_agreement_now(&c->agreement);
    struct charge_gate g = {.agreement = &a, .family = true, .stepped = stepped};
    enum charge_gated gated = CHARGE_STOPPED;
    ck_ok(charge_gate(db, &g, now_us, c, &gated));
    return gated;
}
static inline struct charge kit_submitted(const struct id *agreement, enum charge_kind kind, int64_t amount_minor,
                                          int64_t now_us)
{
    struct charge c = kit_charge(agreement, kind, amount_minor, now_us);
    ck_assert_int_eq(kit_gate(&c, /* stepped */ true, now_us), CHARGE_PASSED);
    ck_assert_int_eq(c.state, CHARGE_SUBMITTED);
    return c;
}
/* The wallet says a state of our amount. */
static inline struct charge_said kit_said(const struct charge *c, enum charge_way way, enum wallet_charge_state state)
{
    struct charge_said s = {.way = way,
                            .answer = WALLET_YES,
                            .charge = {.state = state, .amount_minor = c->amount_minor, .currency = c->currency}};
    (void)snprintf(s.charge.number, sizeof s.charge.number, "%s", c->number);
    (void)snprintf(s.charge.ref, sizeof s.charge.ref, "trade-%s", c->number);
    return s;
}
static inline enum charge_settled kit_settle(struct charge *c, const struct charge_said *said, int64_t now_us)
{
    enum charge_settled settled = CHARGE_IS_OPEN;
    ck_ok(charge_settle(db, &kit_terms, said, now_us, c, &settled));
    return settled;
}
static inline struct charge kit_paid(const struct id *agreement, enum charge_kind kind, int64_t amount_minor, int64_t now_us)
{
    struct charge c = kit_submitted(agreement, kind, amount_minor, now_us);
    struct charge_said said = kit_said(&c, CHARGE_BY_ANSWER, WALLET_CHARGE_PAID);
    ck_assert_int_eq(kit_settle(&c, &said, now_us), CHARGE_IS_SETTLED);
    ck_assert_int_eq(c.state, CHARGE_PAID);
    return c;
}

/* --- the ledger --- */
static inline struct ledger_sums kit_sums(enum books_account which, const struct id *customer, enum currency currency)
{
    struct books_of of = {.wallet = "alipay", .customer = customer, .currency = currency};
    struct ledger_account a;
    char name[LEDGER_NAME_BYTES + 1];
    books_name(which, &of, name);
    enum keer_err err = ledger_account_named(db, slice_str(name), &a);
    ck_assert(err == KEER_OK || err == KEER_EMISSING);
    return err == KEER_OK ? a.sums : (struct ledger_sums){0};
}
/* Credits less debits, posted. */
static inline int64_t kit_worth(enum books_account which, const struct id *customer, enum currency currency)
{
    struct ledger_sums s = kit_sums(which, customer, currency);
    return s.credits_posted - s.debits_posted;
}
static inline void kit_books_good(void)
{
    struct ledger_report r;
    ck_ok(ledger_verify(db, &r));
    ck_assert_msg(r.faults == 0, "%s", r.fault);
}
static inline int64_t kit_count(const char *sql)
{
    int64_t n = -1;
    ck_ok(db_number(db, sql, &n));
    return n;
}
static inline bool kit_surprised(enum surprise what)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT id FROM wallet_event WHERE surprise = $1", Q_STR(surprise_name(what)));
    if (err == KEER_OK)
        db_free(s);
    ck_assert(err == KEER_OK || err == KEER_EMISSING);
    return err == KEER_OK;
}
#endif
