/* appstore.c - notifications of the App Store: kept, decided, and the consumption answer that Apple waits for. */
#include "flow/appstore.h"

#include "account/account.h"
#include "base/timefmt.h"
#include "store/query.h"
#include "wallet/charge.h"

#define NEW_DEVICE_US US_DAY /* first seen so shortly before a purchase, a device is a stranger's as often as not */
#define ASKED_US (90 * US_DAY)
#define GRANTED_MANY 3 /* refunds within ASKED_US, from which on another one is not recommended */

/* --- evidence --- */
struct looking {
    const struct appstore_notice *n;
    struct id account; /* none: it is nobody's here */
    struct appstore_evidence e;
};

static enum keer_err look_account(struct db *db, struct looking *l)
{
    struct account a;
    if (!appstore_account_id(l->n->token, &l->account))
        return KEER_OK;
    enum keer_err err = account_read(db, &l->account, &a);
    if (err == KEER_OK)
        l->e = (struct appstore_evidence){.has_account = true,
                                          .frozen = a.state == ACCOUNT_FROZEN,
                                          .closed = a.state == ACCOUNT_CLOSED,
                                          .created_us = a.created_us};
    else
        l->account = (struct id){""};
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err look_number(struct db *db, const char *sql, const struct query_value *v, size_t count, int64_t *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = query_one(db, &s, sql, v, count);
    if (err != KEER_OK)
        return err;
    *ret = db_i64(s, 0);
    db_free(s);
    return KEER_OK;
}

static enum keer_err look_paid(struct db *db, struct looking *l)
{
    struct db_stmt *s = NULL;
    enum db_step step;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT currency, CAST(SUM(amount) AS BIGINT), CAST(SUM(refunded) AS BIGINT) FROM charge"
                                   " WHERE account = $1 AND state = $2 GROUP BY currency",
                                   Q_ID(&l->account), Q_NUMBER(CHARGE_PAID));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW) {
        if (currency_parse(db_bytes(s, 0)) == CUR_USD) {
            l->e.paid_usd = true;
            l->e.paid_cents = db_i64(s, 1);
            l->e.repaid_cents = db_i64(s, 2);
        } else {
            l->e.paid_other = true;
        }
    }
    db_free(s);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

static enum keer_err look_outcome(struct db *db, struct looking *l)
{
    struct db_stmt *s = NULL;
    const char *original = l->n->original[0] ? l->n->original : l->n->transaction;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT answer FROM appstore_notice WHERE original_id = $1 AND transaction_id = $2 AND"
                                  " event <> '' AND type IN ('ONE_TIME_CHARGE', 'SUBSCRIBED', 'DID_RENEW', 'OFFER_REDEEMED')"
                                  " ORDER BY signed_us LIMIT 1",
                                  Q_STR(original), Q_STR(l->n->transaction));
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    err = query_text(s, 0, l->e.outcome, sizeof l->e.outcome);
    db_free(s);
    return err;
}

static enum keer_err look(struct db *db, void *ctx)
{
    struct looking *l = ctx;
    enum keer_err err = look_account(db, l);
    if (err != KEER_OK || strcmp(l->n->type, "CONSUMPTION_REQUEST") != 0)
        return err;
    if (id_is(&l->account)) {
        const struct query_value device[] = {Q_ID(&l->account), Q_NUMBER(l->n->purchased_us)};
        const struct query_value since[] = {Q_ID(&l->account), Q_NUMBER(l->n->signed_us - ASKED_US)};
        err = look_number(db, "SELECT CAST(MAX(first_us) AS BIGINT) FROM device WHERE account = $1 AND first_us <= $2",
                          device, ARRAY_LEN(device), &l->e.device_us);
        if (err == KEER_OK)
            err = look_number(
                db, "SELECT COUNT(*) FROM appstore_notice WHERE account = $1 AND signed_us > $2 AND type = 'REFUND'", since,
                ARRAY_LEN(since), &l->e.granted);
        if (err == KEER_OK)
            err = look_number(db,
                              "SELECT COUNT(*) FROM appstore_notice WHERE account = $1 AND signed_us > $2 AND"
                              " type = 'CONSUMPTION_REQUEST'",
                              since, ARRAY_LEN(since), &l->e.asked);
        if (err == KEER_OK)
            err = look_paid(db, l);
    }
    return err == KEER_OK ? look_outcome(db, l) : err;
}

/* --- the answer that is prepared --- */
enum preference { PREFER_NOTHING, PREFER_GRANT, PREFER_DECLINE };

static void item(struct buf *b, bool *first, const char *text)
{
    if (!*first)
        buf_char(b, ',');
    *first = false;
    buf_json(b, slice_str(text));
}

/* What speaks for a stranger comes first: who was robbed does not wait because he asked before. */
static enum preference prefer(const struct appstore_notice *n, const struct appstore_evidence *e, struct buf *because)
{
    enum preference p = PREFER_NOTHING;
    bool first = true;
    if (e->frozen) {
        item(because, &first, "the account is frozen: somebody may have taken it");
        p = PREFER_GRANT;
    }
    if (strcmp(e->outcome, "deny") == 0) {
        item(because, &first, "the policy would not have let this purchase pass");
        p = PREFER_GRANT;
    }
    if (e->device_us && n->purchased_us && n->purchased_us - e->device_us < NEW_DEVICE_US &&
        e->device_us - e->created_us > NEW_DEVICE_US) {
        item(because, &first, "a device came to the account within a day before the purchase");
        p = PREFER_GRANT;
    }
    if (p == PREFER_NOTHING && e->granted >= GRANTED_MANY) {
        item(because, &first,
             "three refunds or more were granted to this account in 90 days, and nothing speaks for a stranger");
        p = PREFER_DECLINE;
    }
    if (p == PREFER_NOTHING && strcmp(e->outcome, "allow") == 0)
        item(because, &first, "nothing about the purchase was unusual");
    if (n->family)
        item(because, &first, "it came through family sharing: somebody else of the family paid");
    return p;
}

/* Class of a value in Apple's V1 buckets: the first that it is below, counted from `from`. */
static int bucket(int64_t value, const int64_t *below, size_t count, int from)
{
    size_t i = 0;
    while (i < count && value >= below[i])
        i++;
    return from + (int)i;
}

static int tenure(const struct appstore_notice *n, const struct appstore_evidence *e)
{
    static const int64_t days[] = {3, 10, 30, 90, 180, 365};
    return e->has_account ? bucket((n->signed_us - e->created_us) / US_DAY, days, ARRAY_LEN(days), 1) : 0;
}

static int dollars(const struct appstore_evidence *e, int64_t cents)
{
    static const int64_t below[] = {1, 5000, 10000, 50000, 100000, 200000};
    return e->paid_usd && !e->paid_other ? bucket(cents, below, ARRAY_LEN(below), 1) : 0;
}

void appstore_prepare(const struct appstore_notice *n, const struct appstore_evidence *e, struct buf *out)
{
    static const char *const v2[] = {"", ",\"refundPreference\":\"GRANT_FULL\"", ",\"refundPreference\":\"DECLINE\""};
    static const int v1[] = {3, 1, 2};
    struct buf because;
    bool first = true;
    buf_init(&because, APPSTORE_ANSWER_BYTES / 4);
    enum preference p = prefer(n, e, &because);
    buf_fmt(out, "{\"v2\":{\"customerConsented\":false,\"sampleContentProvided\":false%s},", v2[p]);
    buf_fmt(out,
            "\"v1\":{\"customerConsented\":false,\"sampleContentProvided\":false,\"platform\":1,\"appAccountToken\":\"%s\","
            "\"accountTenure\":%d,\"playTime\":0,\"consumptionStatus\":0,\"lifetimeDollarsPurchased\":%d,"
            "\"lifetimeDollarsRefunded\":%d,\"userStatus\":%d,\"refundPreference\":%d},\"because\":[",
            n->token, tenure(n, e), dollars(e, e->paid_cents), dollars(e, e->repaid_cents),
            !e->has_account ? 0
            : e->closed     ? 3
            : e->frozen     ? 2
                            : 1,
            v1[p]);
    buf_slice(out, buf_view(&because));
    buf_puts(out, "],\"missing\":[");
    item(out, &first, "customerConsented: true only when the customer agreed that the store tells Apple");
    item(out, &first, "deliveryStatus: the store knows whether the goods arrived");
    item(out, &first, "consumptionPercentage, consumptionStatus: the store knows what was used");
    item(out, &first, "playTime: not known here");
    if (!e->has_account)
        item(out, &first, "accountTenure, userStatus: the appAccountToken is no account of this service");
    if (!e->paid_usd || e->paid_other)
        item(out, &first, "lifetimeDollars: no charges in US dollars alone are known here");
    buf_puts(out, "]}");
    if (because.err != KEER_OK && out->err == KEER_OK)
        out->err = because.err;
    buf_release(&because);
}

/* --- taking --- */
struct taking {
    const struct appstore_notice *n;
    const struct id *account;
    struct slice answer;
    int64_t now_us;
    char event[LIMIT_NAME_BYTES + 1]; /* as the row has it; "" */
};

static enum keer_err keep(struct db *db, void *ctx)
{
    struct taking *t = ctx;
    const struct appstore_notice *n = t->n;
    struct db_stmt *s = NULL;
    bool asks = strcmp(n->type, "CONSUMPTION_REQUEST") == 0;
    enum keer_err err = QUERY_MET(
        db,
        "INSERT INTO appstore_notice (uuid, type, subtype, environment, bundle, transaction_id, original_id, account,"
        " signed_us, at_us, due_us, answer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT DO NOTHING RETURNING uuid",
        Q_STR(n->uuid), Q_STR(n->type), Q_STR(n->subtype), Q_STR(n->environment), Q_STR(n->bundle), Q_STR(n->transaction),
        Q_STR(n->original[0] ? n->original : n->transaction), Q_ID(t->account), Q_NUMBER(n->signed_us), Q_NUMBER(t->now_us),
        Q_NUMBER(asks ? n->signed_us + APPSTORE_DUE_US : 0), Q_TEXT(t->answer));
    if (err != KEER_EMISSING)
        return err;
    err = QUERY_ONE(db, &s, "SELECT event FROM appstore_notice WHERE uuid = $1", Q_STR(n->uuid));
    if (err != KEER_OK)
        return err;
    err = query_text(s, 0, t->event, sizeof t->event);
    db_free(s);
    return err;
}

struct marking {
    const char *uuid, *event, *outcome;
};

static enum keer_err mark(struct db *db, void *ctx)
{
    struct marking *m = ctx;
    return QUERY_DO(db,
                    "UPDATE appstore_notice SET event = $2, answer = CASE WHEN answer = '' THEN $3 ELSE answer END"
                    " WHERE uuid = $1",
                    Q_STR(m->uuid), Q_STR(m->event), Q_STR(m->outcome));
}

/* The event of a notice. It is the same whenever it is made: a second time gives the decision that is stored. */
static enum keer_err decide(struct desk_worker *w, const struct taking *t, const char *type, const char *outcome,
                            const char **ret_outcome)
{
    const struct appstore_notice *n = t->n;
    struct desk_decision d = {.outcome = KEER_ALLOW};
    char id[LIMIT_NAME_BYTES + 1], more[APPSTORE_TEXT_BYTES * 2];
    (void)snprintf(id, sizeof id, "appstore:%s", n->uuid);
    (void)snprintf(more, sizeof more, "\"reason\":\"%s\"", n->reason); /* capitals and underscores, or it is left out */
    bool has_reason = n->reason[0] && strspn(n->reason, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(n->reason);
    struct desk_event e = {.id = slice_str(id),
                           .type = slice_str(type),
                           .account = id_slice(t->account),
                           .outcome = slice_str(outcome),
                           .beneficiary = slice_str(n->token),
                           .merchant = slice_str(n->bundle),
                           .item = slice_str(n->product),
                           .time_us = n->signed_us,
                           .more = has_reason ? slice_str(more) : slice_of(NULL, 0)};
    if (n->currency != CUR_MAX) {
        e.currency = slice_str(currency_code(n->currency));
        e.amount_minor = n->amount_minor;
    }
    enum keer_err err = desk_decide(w, &e, &d);
    if (err == KEER_OK)
        *ret_outcome = keer_outcome_name(d.outcome);
    buf_release(&d.answer);
    return err;
}

enum keer_err appstore_take(struct desk_worker *w, const struct appstore_notice *n, bool *ret_again)
{
    struct looking l = {.n = n};
    struct buf answer;
    const char *type, *outcome, *decided = "";
    buf_init(&answer, APPSTORE_ANSWER_BYTES);
    appstore_event_of(n->type, &type, &outcome);
    enum keer_err err = desk_read(w, look, &l);
    if (err == KEER_OK && strcmp(n->type, "CONSUMPTION_REQUEST") == 0)
        appstore_prepare(n, &l.e, &answer);
    if (err == KEER_OK)
        err = answer.err;
    struct taking t = {.n = n, .account = &l.account, .answer = buf_view(&answer), .now_us = desk_wall_us(w)};
    if (err == KEER_OK)
        err = desk_write(w, keep, &t);
    *ret_again = t.event[0] != '\0';
    if (err != KEER_OK || *ret_again || !type[0])
        goto out;
    char event[LIMIT_NAME_BYTES + 1];
    (void)snprintf(event, sizeof event, "appstore:%s", n->uuid);
    err = decide(w, &t, type, outcome, &decided);
    /* What can't become an event will not do so tomorrow: it is told here, and Apple is not asked to send it again. */
    if (err != KEER_OK && err != KEER_EIO && err != KEER_EFULL && err != KEER_EUNSUPPORTED && err != KEER_ENOMEM) {
        log_put(desk_log(w), LOG_ERROR, "the App Store's notice %s is kept, and was no event: %s", n->uuid,
                keer_err_text(err));
        err = KEER_OK;
    }
    struct marking m = {n->uuid, event, decided};
    if (err == KEER_OK)
        err = desk_write(w, mark, &m);
out:
    buf_release(&answer);
    return err;
}

/* --- reading a prepared answer --- */
struct getting {
    struct slice uuid;
    struct appstore_consumption *c;
};

static enum keer_err get(struct db *db, void *ctx)
{
    struct getting *g = ctx;
    struct appstore_consumption *c = g->c;
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "SELECT uuid, transaction_id, account, signed_us, due_us, answer FROM appstore_notice WHERE"
                  " uuid = $1 AND type = 'CONSUMPTION_REQUEST'",
                  Q_TEXT(g->uuid));
    if (err != KEER_OK)
        return err;
    err = query_text(s, 0, c->uuid, sizeof c->uuid);
    if (err == KEER_OK)
        err = query_text(s, 1, c->transaction, sizeof c->transaction);
    if (err == KEER_OK)
        err = query_text(s, 2, c->account, sizeof c->account);
    c->signed_us = db_i64(s, 3);
    c->due_us = db_i64(s, 4);
    buf_slice(&c->answer, db_bytes(s, 5));
    db_free(s);
    return err == KEER_OK ? c->answer.err : err;
}

enum keer_err appstore_consumption_get(struct desk_worker *w, struct slice uuid, struct appstore_consumption *ret)
{
    struct getting g = {.uuid = uuid, .c = ret};
    *ret = (struct appstore_consumption){.signed_us = 0};
    buf_init(&ret->answer, APPSTORE_ANSWER_BYTES);
    return uuid.len == APPSTORE_UUID_BYTES ? desk_read(w, get, &g) : KEER_EMISSING;
}
