/* make.c - a database with charges and refunds that were made as the daemon makes them, the statement of their wallet, and
 * differences planted between the two.
 *
 *     books-make DATABASE FOLDER FORMAT CHARGES PLANTS SEED
 *
 * FORMAT: journal, alipay, wechatpay. Writes FOLDER/statement, and FOLDER/planted with a line for each difference: its kind
 * and its number. Every third charge has a refund, every fifth is a top-up.
 */
#include "base/num.h"
#include "base/rand.h"
#include "base/timefmt.h"
#include "flow/reconcile.h"
#include "store/query.h"

#define NOW (INT64_C(1539129600) * US_SECOND) /* 2018-10-10 */

struct maker {
    struct db *db;
    FILE *statement, *planted;
    enum bill_format format;
    struct rng rng;
    struct agreement agreement;
    int64_t now_us, seq;
    unsigned made;
};

#define MUST(call)                                                                                     \
    do {                                                                                               \
        enum keer_err must_ = (call);                                                                  \
        if (must_ != KEER_OK) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, keer_err_name(must_)); \
            exit(1);                                                                                   \
        }                                                                                              \
    } while (0)

static void commit(struct maker *m)
{
    if (db_commit(m->db) != DB_COMMITTED) {
        (void)fprintf(stderr, "a commit failed: %s\n", db_why(m->db));
        exit(1);
    }
}

/* --- the statement --- */

static const struct {
    enum bill_format format;
    const char *gbk;
} columns[] = {
#define BILL_COLUMN(format, field, required, name, gbk) {BILL_##format, gbk},
#include "flow/bills.def"
#undef BILL_COLUMN
};

static void begin_statement(const struct maker *m)
{
    if (m->format == BILL_JOURNAL)
        return;
    if (m->format == BILL_ALIPAY) /* in GBK; a column that nobody reads stands in between */
        (void)fputs("#\xd6\xa7\xb8\xb6\xb1\xa6\r\n#-----\r\n", m->statement);
    bool first = true;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (columns[i].format == m->format) {
            (void)fprintf(m->statement, "%s%s", first ? "" : ",x,", columns[i].gbk);
            first = false;
        }
    (void)fputs("\r\n", m->statement);
}

static void end_statement(const struct maker *m)
{
    if (m->format == BILL_ALIPAY)
        (void)fputs("#-----\r\n#\xbd\xbb\xd2\xd7\r\n", m->statement);
    if (m->format == BILL_WECHATPAY)
        (void)fputs("\xe6\x80\xbb\xe4\xba\xa4\xe6\x98\x93\xe5\x8d\x95\xe6\x95\xb0,x\r\n`1,`2\r\n", m->statement);
}

struct told {
    const char *kind, *what, *number, *charge;
    int64_t amount_minor;
    enum currency currency;
    unsigned event; /* makes the wallet's own number */
};

static void put_bill(const struct maker *m, const struct told *t, const char *ref, const char *when)
{
    char amount[CURRENCY_TEXT_BYTES];
    bool refund = strcmp(t->kind, "refund") == 0;
    (void)currency_print(t->amount_minor, t->currency, amount);
    if (strcmp(t->kind, "agreement") == 0 || strcmp(t->what, "paid") != 0)
        return; /* bills have what was paid alone */
    if (m->format == BILL_ALIPAY)
        (void)fprintf(m->statement, "%s\t,x,%s\t,x,%s,x,%s,x,%s%s,x,%s\t\r\n", ref, refund ? t->charge : t->number,
                      refund ? "\xcd\xcb\xbf\xee" : "\xbd\xbb\xd2\xd7", when, refund ? "-" : "", amount,
                      refund ? t->number : "");
    else
        (void)fprintf(m->statement, "`%s,`x, y,`%s,`x,`%s,`x,`%s,`x,`%s,`x,`%s,`x,`%s,`x,`%s,`x,`%s,`x,`%s\r\n", when,
                      refund ? "42000" : ref, refund ? t->charge : t->number, refund ? "REFUND" : "SUCCESS",
                      currency_code(t->currency), refund ? "0.00" : amount, refund ? ref : "", refund ? t->number : "",
                      refund ? amount : "0.00", refund ? "SUCCESS" : "");
}

static void tell(struct maker *m, const struct told *t)
{
    char ref[80];
    struct buf when;
    buf_init(&when, 100);
    int64_t at_us = m->now_us + t->event * US_SECOND;
    (void)snprintf(ref, sizeof ref, "W%u%s", t->event, t->number);
    if (m->format != BILL_JOURNAL) {
        time_print(&when, at_us + 8 * US_HOUR);
        when.p[10] = ' ';
        when.p[19] = '\0';
        put_bill(m, t, ref, when.p);
    } else {
        time_print(&when, at_us);
        (void)fprintf(
            m->statement,
            "{\"seq\":%lld,\"time\":\"%s\",\"wallet\":\"alipay\",\"kind\":\"%s\",\"what\":\"%s\",\"number\":\"%s\","
            "\"ref\":\"%s\"",
            (long long)++m->seq, when.p, t->kind, t->what, t->number, ref);
        if (t->charge)
            (void)fprintf(m->statement, ",\"charge\":\"%s\"", t->charge);
        if (strcmp(t->kind, "agreement") != 0)
            (void)fprintf(m->statement, ",\"amount\":%lld,\"currency\":\"%s\"", (long long)t->amount_minor,
                          currency_code(t->currency));
        (void)fputs("}\n", m->statement);
    }
    buf_release(&when);
}

static void tell_charge(struct maker *m, const struct charge *c, const char *what, int64_t amount_minor)
{
    tell(m, &(struct told){
                .kind = "charge", .what = what, .number = c->number, .amount_minor = amount_minor, .currency = CUR_CNY});
}

static void tell_refund(struct maker *m, const struct charge *c, const char *number, int64_t amount_minor, unsigned event)
{
    tell(m, &(struct told){.kind = "refund",
                           .what = "paid",
                           .number = number,
                           .charge = c->number,
                           .amount_minor = amount_minor,
                           .currency = CUR_CNY,
                           .event = event});
}

/* --- our side --- */

static void agree(struct maker *m, struct agreement *a, enum agreement_state state)
{
    struct id account;
    *a = (struct agreement){.state = AGREEMENT_ACTIVE, .currency = CUR_CNY};
    id_make(&a->id);
    id_make(&account);
    a->account = account;
    (void)snprintf(a->wallet, sizeof a->wallet, "%s", m->format == BILL_WECHATPAY ? "wechatpay" : "alipay");
    (void)snprintf(a->number, sizeof a->number, "A%.31s", a->id.text);
    MUST(QUERY_DO(m->db, "INSERT INTO account (id, name, locale, created_us, state_us) VALUES ($1, 'x', 'en', $2, $2)",
                  Q_ID(&account), Q_NUMBER(NOW)));
    MUST(
        QUERY_DO(m->db,
                 "INSERT INTO agreement (id, account, client, reference, wallet, number, ref, refresh, ref_hash, return_url,"
                 " device, ip, currency, state, cap_charge, cap_day, cap_month, cap_count, unverified_limit, created_us,"
                 " state_us) VALUES ($1, $2, 'c', $1, $3, $4, $5, $5, $5, '', '', '', 'CNY', $6, 0, 0, 0, 0, 0, $7, $7)",
                 Q_ID(&a->id), Q_ID(&account), Q_STR(a->wallet), Q_STR(a->number), Q_BYTES(SLICE("x")),
                 Q_NUMBER((int64_t)state), Q_NUMBER(NOW)));
}

/* A charge that was sent to the wallet. */
static void charge(struct maker *m, enum charge_kind kind, struct charge *ret)
{
    char key[32];
    bool fresh;
    enum charge_gated gated;
    struct charge_gate gate = {.agreement = &m->agreement, .family = true, .open = true};
    m->now_us += US_SECOND;
    (void)snprintf(key, sizeof key, "charge %u", m->made++);
    struct charge_new n = {.client = SLICE("c"),
                           .key = slice_str(key),
                           .agreement = m->agreement.id,
                           .account = m->agreement.account,
                           .kind = kind,
                           .amount_minor = rng_between(&m->rng, 100, 64800),
                           .currency = CUR_CNY,
                           .payee = SLICE("shop"),
                           .item = SLICE("pack"),
                           .device = SLICE("d")};
    MUST(charge_add(m->db, &n, m->now_us, ret, &fresh));
    MUST(charge_gate(m->db, &gate, m->now_us, ret, &gated));
    if (gated != CHARGE_PASSED)
        MUST(KEER_EINVALID);
}

static const struct charge_terms terms = {.gone_us = CHARGE_GONE_US};

static void settle(struct maker *m, struct charge *c, enum wallet_charge_state state)
{
    enum charge_settled settled;
    struct charge_said said = {.way = CHARGE_BY_ANSWER, .answer = WALLET_YES};
    said.charge = (struct wallet_charge){.state = state, .amount_minor = c->amount_minor, .currency = c->currency};
    MUST(charge_settle(m->db, &terms, &said, m->now_us, c, &settled));
}

/* A charge that is paid on both sides. */
static void paid(struct maker *m, struct charge *c)
{
    charge(m, m->made % 5 == 4 ? CHARGE_TOP_UP : CHARGE_PURCHASE, c);
    settle(m, c, WALLET_CHARGE_PAID);
    tell_charge(m, c, "paid", c->amount_minor);
}

/* A refund that was sent to the wallet. */
static void refund(struct maker *m, const struct charge *c, int64_t amount_minor, struct refund *ret)
{
    char key[32];
    bool fresh;
    m->now_us += US_SECOND;
    (void)snprintf(key, sizeof key, "refund %u", m->made++);
    struct refund_new n = {.client = SLICE("c"),
                           .key = slice_str(key),
                           .charge = c->id,
                           .reason = SLICE("not wanted"),
                           .amount_minor = amount_minor,
                           .currency = c->currency};
    MUST(refund_add(m->db, &n, m->now_us, ret, &fresh));
    if (ret->state != REFUND_SUBMITTED)
        MUST(KEER_EINVALID);
}

static void settle_refund(struct maker *m, struct refund *r, enum wallet_refund_state state)
{
    enum charge_settled settled;
    struct refund_said said = {.way = CHARGE_BY_ANSWER, .answer = WALLET_YES};
    said.refund = (struct wallet_refund){.state = state, .amount_minor = r->amount_minor, .currency = r->currency};
    MUST(refund_settle(m->db, &terms, &said, m->now_us, r, &settled));
}

static void plain(struct maker *m, unsigned i)
{
    struct charge c;
    struct refund r;
    paid(m, &c);
    if (i % 3)
        return;
    refund(m, &c, i % 2 ? 0 : 1 + c.amount_minor / 3, &r);
    settle_refund(m, &r, WALLET_REFUND_PAID);
    tell_refund(m, &c, r.number, r.amount_minor, 0);
}

/* --- what differs --- */

static void note(const struct maker *m, enum difference_kind kind, const char *number)
{
    (void)fprintf(m->planted, "%s %s\n", difference_name(kind), number);
}

static bool plant_refund(struct maker *m, enum difference_kind kind, unsigned turn)
{
    struct charge c;
    struct refund r;
    char own[40];
    paid(m, &c);
    refund(m, &c, 1 + c.amount_minor / 2, &r);
    switch ((int)kind) {
    case DIFFERENCE_REFUND_THERE_NOT_HERE:
        settle_refund(m, &r, turn % 2 ? WALLET_REFUND_FAILED : WALLET_REFUND_PAID);
        tell_refund(m, &c, r.number, r.amount_minor, 0);
        if (turn % 2 == 0) { /* the wallet's own */
            (void)snprintf(own, sizeof own, "own%u", m->made);
            tell_refund(m, &c, own, c.amount_minor - r.amount_minor > 1 ? 1 : c.amount_minor - r.amount_minor, 0);
            note(m, kind, own);
            return true;
        }
        break;
    case DIFFERENCE_REFUND_HERE_NOT_THERE: settle_refund(m, &r, WALLET_REFUND_PAID); break;
    case DIFFERENCE_REFUND_AMOUNT:
        settle_refund(m, &r, WALLET_REFUND_PAID);
        tell_refund(m, &c, r.number, turn % 2 ? r.amount_minor + 1 : r.amount_minor - 1, 0);
        break;
    case DIFFERENCE_DOUBLE_REFUND:
        settle_refund(m, &r, WALLET_REFUND_PAID);
        tell_refund(m, &c, r.number, r.amount_minor, 0);
        (void)snprintf(own, sizeof own, "own%u", m->made); /* ours and the wallet's, or ours twice */
        tell_refund(m, &c, turn % 2 ? r.number : own, r.amount_minor, 1);
        note(m, kind, turn % 2 ? r.number : own);
        return true;
    case DIFFERENCE_UNSETTLED: tell_refund(m, &c, r.number, r.amount_minor, 0); break;
    case DIFFERENCE_MISSING_LEDGER_ENTRY:
        MUST(QUERY_DO(m->db, "UPDATE refund SET state = 2, ask_us = 0 WHERE id = $1", Q_ID(&r.id)));
        MUST(QUERY_DO(m->db, "UPDATE charge SET refunding = 0, refunded = $1 WHERE id = $2", Q_NUMBER(r.amount_minor),
                      Q_ID(&c.id)));
        tell_refund(m, &c, r.number, r.amount_minor, 0);
        break;
    default: return false;
    }
    note(m, kind, r.number);
    return true;
}

static void plant_unsettled(struct maker *m, struct charge *c, unsigned turn)
{
    static const char *const whats[] = {"paid", "closed", "failed"};
    if (turn % 4 < 3)
        tell_charge(m, c, whats[turn % 4], turn % 4 ? 0 : c->amount_minor); /* else it was never there */
}

static void plant_charge(struct maker *m, enum difference_kind kind, unsigned turn)
{
    struct charge c;
    struct told again = {.kind = "charge", .what = "paid", .currency = CUR_CNY, .event = 1};
    charge(m, turn % 2 ? CHARGE_TOP_UP : CHARGE_PURCHASE, &c);
    switch ((int)kind) {
    case DIFFERENCE_PAID_THERE_NOT_HERE: settle(m, &c, WALLET_CHARGE_FAILED); break;
    case DIFFERENCE_UNSETTLED: plant_unsettled(m, &c, turn); break;
    case DIFFERENCE_MISSING_LEDGER_ENTRY:
        MUST(QUERY_DO(m->db, "UPDATE charge SET state = 4, ask_us = 0 WHERE id = $1", Q_ID(&c.id)));
        break;
    case DIFFERENCE_AMOUNT:
        if (turn % 3 == 0)
            break; /* still open */
        settle(m, &c, WALLET_CHARGE_PAID);
        break;
    default: settle(m, &c, WALLET_CHARGE_PAID);
    }
    again.number = c.number;
    again.amount_minor = c.amount_minor;
    switch ((int)kind) {
    case DIFFERENCE_PAID_HERE_NOT_THERE:
    case DIFFERENCE_UNSETTLED: break;
    case DIFFERENCE_AMOUNT: tell_charge(m, &c, "paid", turn % 2 ? c.amount_minor + 1 : c.amount_minor / 2); break;
    case DIFFERENCE_CURRENCY:
        again.currency = CUR_USD;
        tell(m, &again);
        break;
    case DIFFERENCE_DOUBLE_CHARGE:
        tell(m, &again);
        tell_charge(m, &c, "paid", c.amount_minor);
        break;
    case DIFFERENCE_DUPLICATE_LINE:
        tell_charge(m, &c, "paid", c.amount_minor);
        tell_charge(m, &c, "paid", c.amount_minor);
        break;
    default: tell_charge(m, &c, "paid", c.amount_minor);
    }
    note(m, kind, c.number);
}

static void plant_agreement(struct maker *m, enum difference_kind kind)
{
    struct agreement a;
    agree(m, &a, kind == DIFFERENCE_AGREEMENT_STATE ? AGREEMENT_ACTIVE : AGREEMENT_ENDED);
    tell(m, &(struct told){.kind = "agreement", .what = "signed", .number = a.number});
    if (kind == DIFFERENCE_AGREEMENT_STATE)
        tell(m, &(struct told){.kind = "agreement", .what = "ended", .number = a.number});
    note(m, kind, a.number);
}

static void plant_unknown(struct maker *m, unsigned turn)
{
    char number[WALLET_NUMBER_BYTES + 1];
    struct charge nobody = {0};
    (void)snprintf(number, sizeof number, "unknown%u", m->made++);
    (void)snprintf(nobody.number, sizeof nobody.number, "%s", turn % 2 ? "never" : number);
    if (turn % 2)
        tell_refund(m, &nobody, number, 500, 0);
    else
        tell_charge(m, &nobody, "paid", 64800);
    note(m, DIFFERENCE_UNKNOWN_NUMBER, number);
}

/* The one that is planted now; false when a statement of this format can't show it. */
static bool plant(struct maker *m, enum difference_kind kind, unsigned turn)
{
    bool bill = m->format != BILL_JOURNAL;
    switch (kind) {
    case DIFFERENCE_AGREEMENT_STATE:
    case DIFFERENCE_AGREEMENT_OPEN:
        if (!bill)
            plant_agreement(m, kind);
        return !bill;
    case DIFFERENCE_CURRENCY:
        if (m->format == BILL_ALIPAY)
            return false;
        plant_charge(m, kind, turn);
        return true;
    case DIFFERENCE_UNKNOWN_NUMBER: plant_unknown(m, turn); return true;
    case DIFFERENCE_UNSETTLED:
    case DIFFERENCE_MISSING_LEDGER_ENTRY:
        if (turn % 3 == 2)
            return plant_refund(m, kind, turn);
        plant_charge(m, kind, turn);
        return true;
    case DIFFERENCE_REFUND_THERE_NOT_HERE:
    case DIFFERENCE_REFUND_HERE_NOT_THERE:
    case DIFFERENCE_REFUND_AMOUNT:
    case DIFFERENCE_DOUBLE_REFUND: return plant_refund(m, kind, turn);
    case DIFFERENCE_PAID_THERE_NOT_HERE:
    case DIFFERENCE_PAID_HERE_NOT_THERE:
    case DIFFERENCE_AMOUNT:
    case DIFFERENCE_DOUBLE_CHARGE:
    case DIFFERENCE_DUPLICATE_LINE: plant_charge(m, kind, turn); return true;
    case DIFFERENCE_MAX: break;
    }
    return false;
}

static void fill(struct maker *m, unsigned charges, unsigned plants)
{
    unsigned planted = 0, kind = 0, turn = 0;
    MUST(db_begin(m->db));
    agree(m, &m->agreement, AGREEMENT_ACTIVE);
    tell(m, &(struct told){.kind = "agreement", .what = "signed", .number = m->agreement.number});
    for (unsigned i = 0; i < charges || planted < plants; i++) {
        if (i < charges)
            plain(m, i);
        while ((uint64_t)planted * charges < (uint64_t)plants * (i + 1) && planted < plants) { /* between the others */
            planted += plant(m, (enum difference_kind)kind, turn);
            if (++kind == DIFFERENCE_MAX) {
                kind = 0;
                turn++;
            }
        }
        if (i % 500 == 499) {
            commit(m);
            MUST(db_begin(m->db));
        }
    }
    commit(m);
    m->now_us += US_HOUR; /* the statement goes on for longer than what was planted */
    struct charge c;
    MUST(db_begin(m->db));
    paid(m, &c);
    commit(m);
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        (void)fprintf(stderr, "%s can't be written\n", path);
        exit(1);
    }
    return f;
}

int main(int argc, char **argv)
{
    struct maker m = {.now_us = NOW, .format = BILL_FORMAT_MAX};
    struct db_why why;
    uint64_t number[3];
    bool good = argc == 7;
    for (int i = 0; good && i < 3; i++)
        good = num_u64(slice_str(argv[4 + i]), 0, 10000000, &number[i]) == KEER_OK;
    for (int f = 0; good && f < BILL_AUTO; f++)
        if (strcmp(argv[3], bill_format_name((enum bill_format)f)) == 0)
            m.format = (enum bill_format)f;
    if (!good || m.format == BILL_FORMAT_MAX) {
        (void)fputs("books-make DATABASE FOLDER journal|alipay|wechatpay CHARGES PLANTS SEED\n", stderr);
        return 2;
    }
    MUST(crypto_start());
    rng_seed(&m.rng, number[2]);
    m.statement = open_in(argv[2], "statement");
    m.planted = open_in(argv[2], "planted");
    enum keer_err err = db_open(argv[1], DB_WRITE, &m.db, &why);
    if (err == KEER_OK)
        err = db_migrate(m.db, NOW, &why);
    if (err != KEER_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    begin_statement(&m);
    fill(&m, (unsigned)number[0], (unsigned)number[1]);
    end_statement(&m);
    db_close(m.db);
    return fclose(m.statement) == 0 && fclose(m.planted) == 0 ? 0 : 1;
}
