/* calls.c - Alipay: each call of a connector as a method, and its answer. */
#include "wallet/alipay/alipay.h"

#define BIZ_BYTES (16u << 10)
#define MONTH_DAY_MAX 28 /* a period of months may not begin after it */

/* What an end that has nothing to be read is. */
static enum wallet_answer answer_of(enum alipay_end end)
{
    switch (end) {
    case ALIPAY_REFUSED:
    case ALIPAY_NOT_THERE: return WALLET_NO;
    case ALIPAY_NOT_SENT: return WALLET_NOT_SENT;
    case ALIPAY_DONE:
    case ALIPAY_WAITS:
    case ALIPAY_UNKNOWN: break;
    }
    return WALLET_UNKNOWN;
}

static enum wallet_answer garbled(struct wallet_why *why)
{
    return driver_say(why, WALLET_UNKNOWN, WALLET_GARBLED_ANSWER, SLICE(""), SLICE(""));
}

static enum wallet_answer bad_request(struct wallet_why *why, const char *text)
{
    return driver_say(why, WALLET_NO, WALLET_BAD_REQUEST, SLICE(""), slice_str(text));
}

static void member(struct buf *b, const char *name, struct slice value)
{
    buf_fmt(b, "%s\"%s\":", b->len > 1 && b->p[b->len - 1] != '{' ? "," : "", name);
    buf_json(b, value);
}

static void money_member(struct buf *b, const char *name, int64_t minor)
{
    buf_fmt(b, "%s\"%s\":\"", b->len > 1 && b->p[b->len - 1] != '{' ? "," : "", name);
    driver_money_put(b, minor, 2);
    buf_char(b, '"');
}

static void begin(struct buf *b)
{
    buf_init(b, BIZ_BYTES);
    buf_char(b, '{');
}

/* An answer counts for the number that it names. */
static bool is_of(const struct alipay_answer *r, const char *name, const char *number)
{
    return slice_eq(driver_text(&r->tape, r->at, name), slice_str(number));
}

/* --- agreements --- */

/* The caps as Alipay holds them: an amount a charge, and a sum. */
static void put_rules(struct buf *b, int64_t now_us, const struct wallet_sign_ask *ask)
{
    struct civil c = time_civil(now_us + ALIPAY_ZONE_US);
    char date[40];
    if (ask->charge_cap_minor <= 0)
        return;
    (void)snprintf(date, sizeof date, "%04d-%02d-%02d", c.year, c.month, MIN_OF(c.day, MONTH_DAY_MAX));
    buf_puts(b, ",\"period_rule_params\":{");
    member(b, "period_type", SLICE("MONTH"));
    buf_puts(b, ",\"period\":1");
    member(b, "execute_time", slice_str(date));
    money_member(b, "single_amount", ask->charge_cap_minor);
    if (ask->total_cap_minor > 0)
        money_member(b, "total_amount", ask->total_cap_minor);
    buf_char(b, '}');
}

enum wallet_answer alipay_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                               char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    const struct alipay *a = self;
    struct buf biz;
    if (ask->currency != CUR_CNY)
        return bad_request(why, "Alipay takes CNY alone");
    begin(&biz);
    member(&biz, "personal_product_code", slice_str(a->personal_product));
    member(&biz, "product_code", slice_str(a->product));
    member(&biz, "sign_scene", slice_str(a->scene));
    member(&biz, "external_agreement_no", slice_str(ask->number));
    if (ask->account.len)
        member(&biz, "external_logon_id", ask->account);
    if (a->validity[0])
        member(&biz, "sign_validity_period", slice_str(a->validity));
    buf_puts(&biz, ",\"access_params\":{");
    member(&biz, "channel", slice_str(a->channel));
    buf_char(&biz, '}');
    put_rules(&biz, io->now_us, ask);
    buf_char(&biz, '}');
    enum keer_err err = biz.err;
    if (err == KEER_OK)
        err = alipay_page(a, io->now_us, "alipay.user.agreement.page.sign", buf_view(&biz), ask->return_url, ask->notify_url,
                          ret_url);
    buf_release(&biz);
    return err == KEER_OK ? WALLET_YES : driver_unmade(why, err);
}

/* By Alipay's number when it is known, else by ours and what it was signed for. */
static void which_agreement(const struct alipay *a, const struct wallet_agreement *which, struct buf *biz)
{
    begin(biz);
    if (which->ref[0]) {
        member(biz, "agreement_no", slice_str(which->ref));
    } else {
        member(biz, "personal_product_code", slice_str(a->personal_product));
        member(biz, "sign_scene", slice_str(a->scene));
        member(biz, "external_agreement_no", slice_str(which->number));
    }
    buf_char(biz, '}');
}

static enum wallet_agreement_state agreement_state(struct slice status)
{
    if (slice_eq(status, SLICE("NORMAL")))
        return WALLET_AGREEMENT_NORMAL;
    if (slice_eq(status, SLICE("TEMP")))
        return WALLET_AGREEMENT_TEMP;
    if (slice_eq(status, SLICE("STOP")) || slice_eq(status, SLICE("UNSIGN")))
        return WALLET_AGREEMENT_STOPPED;
    return WALLET_AGREEMENT_STATE_MAX;
}

static bool read_agreement(const struct alipay_answer *r, const struct wallet_agreement *which, struct wallet_agreement *ret)
{
    const struct tape *t = &r->tape;
    struct wallet_agreement g = {.state = agreement_state(driver_text(t, r->at, "status"))};
    struct slice number = driver_text(t, r->at, "external_agreement_no"), quota = driver_text(t, r->at, "single_quota");
    struct slice user = driver_text(t, r->at, "alipay_logon_id");
    bool good = g.state != WALLET_AGREEMENT_STATE_MAX &&
                driver_copy(g.ref, sizeof g.ref, driver_text(t, r->at, "agreement_no")) && g.ref[0] &&
                (!which->ref[0] || strcmp(g.ref, which->ref) == 0) &&
                (number.len ? slice_eq(number, slice_str(which->number)) : which->ref[0] != '\0');
    if (!user.len)
        user = driver_text(t, r->at, "principal_id");
    if (!driver_copy(g.user, sizeof g.user, user))
        g.user[0] = '\0';
    (void)snprintf(g.number, sizeof g.number, "%s", which->number);
    (void)alipay_time(driver_text(t, r->at, "sign_time"), &g.signed_us);
    (void)alipay_time(driver_text(t, r->at, "invalid_time"), &g.valid_until_us);
    (void)alipay_money(quota, &g.charge_cap_minor);
    if (good)
        *ret = g;
    return good;
}

enum wallet_answer alipay_agreement_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                          struct wallet_agreement *ret, struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    which_agreement(a, which, &biz);
    enum alipay_end end = alipay_call(a, io, "alipay.user.agreement.query", &biz, SLICE(""), &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ALIPAY_DONE) {
        answer = read_agreement(&r, which, ret) ? WALLET_YES : garbled(why);
    } else if (end == ALIPAY_NOT_THERE) {
        *ret = (struct wallet_agreement){.state = WALLET_AGREEMENT_NONE};
        (void)snprintf(ret->number, sizeof ret->number, "%s", which->number);
        answer = WALLET_YES;
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}

enum wallet_answer alipay_sign_finish(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                      struct wallet_agreement *ret, struct wallet_why *why)
{
    struct wallet_agreement which = {.state = WALLET_AGREEMENT_TEMP};
    UNUSED(auth_code);
    (void)snprintf(which.number, sizeof which.number, "%s", number);
    return alipay_agreement_query(self, io, &which, ret, why);
}

/* What is not there can't be charged: that is what ending is for. */
enum wallet_answer alipay_agreement_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                        struct slice reason, struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    UNUSED(reason); /* the method has no place for it */
    which_agreement(a, which, &biz);
    enum alipay_end end = alipay_call(a, io, "alipay.user.agreement.unsign", &biz, SLICE(""), &r, why);
    alipay_answer_release(&r);
    buf_release(&biz);
    return end == ALIPAY_DONE || end == ALIPAY_NOT_THERE ? WALLET_YES : answer_of(end);
}

/* --- charges --- */

enum wallet_charge_state alipay_trade_state(struct slice status)
{
    if (slice_eq(status, SLICE("WAIT_BUYER_PAY")))
        return WALLET_CHARGE_WAITS;
    if (slice_eq(status, SLICE("TRADE_SUCCESS")) || slice_eq(status, SLICE("TRADE_FINISHED")))
        return WALLET_CHARGE_PAID;
    if (slice_eq(status, SLICE("TRADE_CLOSED")))
        return WALLET_CHARGE_CLOSED;
    return WALLET_CHARGE_STATE_MAX;
}

/* Of pay and query: what names the trade and its money. */
static bool read_trade(const struct alipay_answer *r, const char *number, enum wallet_charge_state state,
                       const char *paid_at, struct wallet_charge *ret)
{
    const struct tape *t = &r->tape;
    struct wallet_charge c = {.state = state, .currency = CUR_CNY};
    bool good = state != WALLET_CHARGE_STATE_MAX && is_of(r, "out_trade_no", number) &&
                driver_copy(c.ref, sizeof c.ref, driver_text(t, r->at, "trade_no"));
    bool counted = alipay_money(driver_text(t, r->at, "total_amount"), &c.amount_minor) == KEER_OK;
    bool paid = alipay_time(driver_text(t, r->at, paid_at), &c.paid_us);
    if (state == WALLET_CHARGE_PAID)
        good = good && counted && c.ref[0];
    if (state == WALLET_CHARGE_CLOSED && paid) /* it was paid, and all of it went back */
        c.refunded_minor = c.amount_minor;
    (void)snprintf(c.number, sizeof c.number, "%s", number);
    if (good)
        *ret = c;
    return good;
}

enum wallet_answer alipay_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                 struct wallet_charge *ret, struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    if (ask->currency != CUR_CNY)
        return bad_request(why, "Alipay takes CNY alone");
    if (ask->amount_minor < 1 || ask->amount_minor > ALIPAY_AMOUNT_MAX)
        return bad_request(why, "Alipay takes 0.01 to 100000000.00");
    begin(&biz);
    member(&biz, "out_trade_no", slice_str(ask->number));
    money_member(&biz, "total_amount", ask->amount_minor);
    member(&biz, "subject", ask->subject);
    member(&biz, "product_code", slice_str(a->product));
    buf_puts(&biz, ",\"agreement_params\":{");
    member(&biz, "agreement_no", slice_str(ask->agreement));
    buf_puts(&biz, "}}");
    enum alipay_end end = alipay_call(a, io, "alipay.trade.pay", &biz, ask->notify_url, &r, why);
    enum wallet_answer answer = end == ALIPAY_NOT_THERE ? WALLET_UNKNOWN : answer_of(end);
    if (end == ALIPAY_DONE || end == ALIPAY_WAITS) {
        bool paid = end == ALIPAY_DONE && (!a->v3 || driver_text(&r.tape, r.at, "gmt_payment").len);
        answer = read_trade(&r, ask->number, paid ? WALLET_CHARGE_PAID : WALLET_CHARGE_WAITS, "gmt_payment", ret)
                     ? WALLET_YES
                     : garbled(why);
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}

static void number_biz(struct buf *biz, const char *number)
{
    begin(biz);
    member(biz, "out_trade_no", slice_str(number));
    buf_char(biz, '}');
}

enum wallet_answer alipay_charge_query(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                       struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    number_biz(&biz, number);
    enum alipay_end end = alipay_call(a, io, "alipay.trade.query", &biz, SLICE(""), &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ALIPAY_DONE) {
        enum wallet_charge_state state = alipay_trade_state(driver_text(&r.tape, r.at, "trade_status"));
        answer = read_trade(&r, number, state, "send_pay_date", ret) ? WALLET_YES : garbled(why);
    } else if (end == ALIPAY_NOT_THERE) {
        *ret = (struct wallet_charge){.state = WALLET_CHARGE_NONE, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        answer = WALLET_YES;
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}

/* retry_flag: it must be asked again, until it says N. */
enum wallet_answer alipay_charge_cancel(void *self, struct wallet_io *io, const char *number, struct wallet_charge *ret,
                                        struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    number_biz(&biz, number);
    enum alipay_end end = alipay_call(a, io, "alipay.trade.cancel", &biz, SLICE(""), &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ALIPAY_DONE) {
        struct slice again = driver_text(&r.tape, r.at, "retry_flag");
        if (!is_of(&r, "out_trade_no", number) || (!slice_eq(again, SLICE("N")) && !slice_eq(again, SLICE("Y")))) {
            answer = garbled(why);
        } else if (again.p[0] == 'Y') {
            answer = driver_say(why, WALLET_UNKNOWN, WALLET_WALLET_ERROR, SLICE("retry_flag"), SLICE(""));
        } else {
            *ret = (struct wallet_charge){.state = WALLET_CHARGE_CLOSED, .currency = CUR_MAX};
            (void)snprintf(ret->number, sizeof ret->number, "%s", number);
            (void)driver_copy(ret->ref, sizeof ret->ref, driver_text(&r.tape, r.at, "trade_no"));
            answer = WALLET_YES;
        }
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}

/* --- refunds --- */

static void fill_refund(const struct wallet_refund_ask *ask, enum wallet_refund_state state, int64_t amount_minor,
                        struct wallet_refund *ret)
{
    *ret = (struct wallet_refund){.state = state, .amount_minor = amount_minor, .currency = CUR_CNY};
    (void)snprintf(ret->number, sizeof ret->number, "%s", ask->number);
    (void)snprintf(ret->charge, sizeof ret->charge, "%s", ask->charge);
}

/* fund_change N: nothing moved with this very call; whether it did with an earlier one, the query says. */
enum wallet_answer alipay_refund(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                 struct wallet_refund *ret, struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    if (ask->currency != CUR_CNY || ask->amount_minor < 1)
        return bad_request(why, "Alipay takes CNY alone, from 0.01");
    begin(&biz);
    member(&biz, "out_trade_no", slice_str(ask->charge));
    money_member(&biz, "refund_amount", ask->amount_minor);
    member(&biz, "out_request_no", slice_str(ask->number));
    if (ask->reason.len)
        member(&biz, "refund_reason", ask->reason);
    buf_char(&biz, '}');
    enum alipay_end end = alipay_call(a, io, "alipay.trade.refund", &biz, SLICE(""), &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ALIPAY_DONE && is_of(&r, "out_trade_no", ask->charge)) {
        bool moved = slice_eq(driver_text(&r.tape, r.at, "fund_change"), SLICE("Y"));
        fill_refund(ask, moved ? WALLET_REFUND_PAID : WALLET_REFUND_WAITS, ask->amount_minor, ret);
        answer = WALLET_YES;
    } else if (end == ALIPAY_DONE) {
        answer = garbled(why);
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}

/* Code 10000 says that the query worked, refund_status that the refund did. */
static enum wallet_answer read_refund(const struct alipay_answer *r, const struct wallet_refund_ask *ask,
                                      struct wallet_refund *ret, struct wallet_why *why)
{
    const struct tape *t = &r->tape;
    struct slice number = driver_text(t, r->at, "out_request_no"), status = driver_text(t, r->at, "refund_status");
    int64_t minor = 0;
    if (!number.len) {
        fill_refund(ask, WALLET_REFUND_NONE, 0, ret);
        return WALLET_YES;
    }
    bool paid = slice_eq(status, SLICE("REFUND_SUCCESS"));
    if (!slice_eq(number, slice_str(ask->number)) || !is_of(r, "out_trade_no", ask->charge) ||
        (paid && alipay_money(driver_text(t, r->at, "refund_amount"), &minor) != KEER_OK))
        return garbled(why);
    fill_refund(ask, paid ? WALLET_REFUND_PAID : WALLET_REFUND_WAITS, minor, ret);
    (void)alipay_time(driver_text(t, r->at, "gmt_refund_pay"), &ret->paid_us);
    return WALLET_YES;
}

enum wallet_answer alipay_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                       struct wallet_refund *ret, struct wallet_why *why)
{
    const struct alipay *a = self;
    struct alipay_answer r;
    struct buf biz;
    begin(&biz);
    member(&biz, "out_trade_no", slice_str(ask->charge));
    member(&biz, "out_request_no", slice_str(ask->number));
    buf_puts(&biz, ",\"query_options\":[\"gmt_refund_pay\"]}");
    enum alipay_end end = alipay_call(a, io, "alipay.trade.fastpay.refund.query", &biz, SLICE(""), &r, why);
    enum wallet_answer answer = answer_of(end);
    if (end == ALIPAY_DONE) {
        answer = read_refund(&r, ask, ret, why);
    } else if (end == ALIPAY_NOT_THERE) {
        fill_refund(ask, WALLET_REFUND_NONE, 0, ret);
        answer = WALLET_YES;
    }
    alipay_answer_release(&r);
    buf_release(&biz);
    return answer;
}
