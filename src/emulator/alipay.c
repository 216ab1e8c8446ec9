/* alipay.c - Alipay's operations: alipay.user.agreement.* and alipay.trade.*, as the OpenAPI documents them. */
#include "emulator/alipay.h"

#include "base/num.h"

#define AMOUNT_MAX ((int64_t)10000000000) /* 100,000,000.00 yuan */

/* --- what an operation says --- */

static void member(struct alipay *x, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_fmt(&x->members, ",\"%s\":", name);
    em_json(&x->members, value);
}

static void member_yuan(struct alipay *x, const char *name, int64_t minor)
{
    buf_fmt(&x->members, ",\"%s\":\"", name);
    em_yuan(&x->members, minor);
    buf_puts(&x->members, "\"");
}

static void member_time(struct alipay *x, const char *name, int64_t us)
{
    if (!us)
        return;
    buf_fmt(&x->members, ",\"%s\":\"", name);
    em_time_cn(&x->members, us, false);
    buf_puts(&x->members, "\"");
}

void em_alipay_refuse(struct alipay *x, const char *code, const char *sub_code, const char *sub_msg)
{
    x->end = ALIPAY_REFUSED;
    x->code = code;
    x->sub_code = sub_code;
    x->sub_msg = sub_msg;
}

static void business(struct alipay *x, const char *sub_code, const char *sub_msg)
{
    em_alipay_refuse(x, "40004", sub_code, sub_msg);
}

static void system_error(struct alipay *x)
{
    if (call_bare(x->c)) {
        x->end = ALIPAY_BARE;
        return;
    }
    buf_clear(&x->members);
    em_alipay_refuse(x, "20000", "aop.ACQ.SYSTEM_ERROR", "系统异常");
}

/* Faults before the effect; false: there will be none. */
static bool go(struct alipay *x)
{
    switch (call_before(x->c)) {
    case CALL_GO: return true;
    case CALL_DROP: x->end = ALIPAY_DROPPED; return false;
    case CALL_ERROR: system_error(x); return false;
    }
    return false;
}

static void gone(struct alipay *x)
{
    switch (call_after(x->c)) {
    case CALL_GO: return;
    case CALL_DROP: x->end = ALIPAY_DROPPED; return;
    case CALL_ERROR: system_error(x); return;
    }
}

/* --- what it is asked --- */

static struct slice text(struct alipay *x, const char *path) { return em_text(&x->c->json, path); }

/* The number by which faults and deduplication know it. */
static bool number(struct alipay *x, const char *name)
{
    struct slice s = text(x, name);
    if (em_number(s) && em_copy(x->c->number, sizeof x->c->number, s))
        return true;
    em_alipay_refuse(x, s.p ? "40002" : "40001", s.p ? "isv.invalid-parameter" : "isv.missing-parameter",
                     "a number of 1 to 64 letters, digits and underscores was expected");
    return false;
}

static bool yuan(struct slice s, int64_t *ret_minor)
{
    return s.len && num_scaled(s, 2, ret_minor) == KEER_OK && *ret_minor >= 1 && *ret_minor <= AMOUNT_MAX;
}

/* --- agreements --- */

static bool url_is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
            return false;
    return s.len <= EM_URL_BYTES;
}

bool em_alipay_agree(struct alipay *x, struct em_agreement *ret)
{
    struct em_agreement a = {.wallet = EM_ALIPAY};
    struct slice scene = text(x, "sign_scene"), product = text(x, "personal_product_code"),
                 logon = text(x, "external_logon_id"), single = text(x, "period_rule_params.single_amount"),
                 total = text(x, "period_rule_params.total_amount");
    if (!number(x, "external_agreement_no"))
        return false;
    struct slice n = slice_str(x->c->number);
    if (n.len > 32)
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "external_agreement_no: at most 32 characters");
    else if (!em_copy(a.plan, sizeof a.plan, product) || !text(x, "access_params.channel").p)
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "personal_product_code and access_params.channel are needed");
    else if (!em_copy(a.scene, sizeof a.scene, scene) || slice_eq(scene, SLICE("DEFAULT|DEFAULT")))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter",
                         "sign_scene may not be DEFAULT|DEFAULT with external_agreement_no");
    else if ((single.p && !yuan(single, &a.cap_minor)) || (total.p && !yuan(total, &a.total_cap_minor)))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "period_rule_params: amounts are yuan with two decimals");
    else if (!url_is_plain(x->return_url) || !url_is_plain(x->notify_url))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "return_url or notify_url is no URL");
    if (x->end == ALIPAY_REFUSED)
        return false;
    (void)em_copy(a.number, sizeof a.number, n);
    (void)snprintf(a.shown, sizeof a.shown, "%.*s", (int)MIN_OF(logon.len, (size_t)EM_TEXT_BYTES), logon.p ? logon.p : "");
    a.notify_url = world_text(x->c->e->world, x->notify_url);
    a.return_url = world_text(x->c->e->world, x->return_url);
    struct slice parts[] = {n, product, scene, logon, single, total};
    a.data = em_data(parts, ARRAY_LEN(parts));
    enum em_result r = world_agree(x->c->e->world, &a, ret);
    if (r == EM_OTHER_DATA)
        business(x, "EXTERNAL_AGREEMENT_NO_REPEAT", "this external_agreement_no was used with other data");
    return r == EM_DONE || r == EM_SAME;
}

/* By agreement_no, or by external_agreement_no with what it was signed under. */
static bool agreement(struct alipay *x, struct em_agreement *ret)
{
    struct world *w = x->c->e->world;
    struct slice ref = text(x, "agreement_no"), own = text(x, "external_agreement_no"),
                 product = text(x, "personal_product_code"), scene = text(x, "sign_scene");
    enum em_result r = EM_NOT_THERE;
    if (!ref.p && !own.p) {
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "agreement_no or external_agreement_no is needed");
        return false;
    }
    (void)em_copy(x->c->number, sizeof x->c->number, own.p ? own : ref);
    if (!go(x))
        return false;
    if (ref.p)
        r = world_agreement_ref(w, EM_ALIPAY, ref, ret);
    else if (product.p && scene.p)
        r = world_agreement(w, EM_ALIPAY, own, ret);
    if (r == EM_DONE && !ref.p && (!slice_eq(product, slice_str(ret->plan)) || !slice_eq(scene, slice_str(ret->scene))))
        r = EM_NOT_THERE;
    if (r != EM_DONE)
        business(x, "USER_AGREEMENT_NOT_EXIST", "用户协议不存在");
    return r == EM_DONE;
}

static void op_agreement_query(struct alipay *x)
{
    static const char *const states[] = {"TEMP", "NORMAL", "STOP"};
    struct em_agreement a;
    if (agreement(x, &a)) {
        member(x, "agreement_no", slice_str(a.ref));
        member(x, "external_agreement_no", slice_str(a.number));
        member(x, "status", slice_str(states[a.state]));
        member(x, "personal_product_code", slice_str(a.plan));
        member(x, "sign_scene", slice_str(a.scene));
        member(x, "principal_id", slice_str(a.payer));
        member(x, "alipay_logon_id", a.payer[0] ? SLICE("138****0000") : SLICE(""));
        member_time(x, "sign_time", a.signed_us);
        member_time(x, "valid_time", a.signed_us);
        member_time(x, "invalid_time", a.ended_us ? a.ended_us : a.signed_us ? a.signed_us + 36500 * US_DAY : 0);
        member_time(x, "last_deduct_time", a.last_us);
        if (a.cap_minor)
            member_yuan(x, "single_quota", a.cap_minor);
    }
    if (x->end != ALIPAY_DROPPED && x->end != ALIPAY_BARE)
        gone(x);
}

static void op_agreement_unsign(struct alipay *x)
{
    struct em_agreement a;
    if (agreement(x, &a)) {
        if (a.state != EM_NORMAL)
            business(x, "USER_AGREEMENT_NOT_EXIST", "用户协议不存在");
        else if (world_end(x->c->e->world, EM_ALIPAY, slice_str(a.number), false, SLICE(""), &a) == EM_DONE)
            ended_now(x->c->e, &a);
    }
    if (x->end != ALIPAY_DROPPED && x->end != ALIPAY_BARE)
        gone(x);
}

/* --- charges --- */

static void members_trade(struct alipay *x, const struct em_charge *c)
{
    member(x, "trade_no", slice_str(c->ref));
    member(x, "out_trade_no", slice_str(c->number));
}

static void members_paid(struct alipay *x, const struct em_charge *c, const char *time_name)
{
    members_trade(x, c);
    member(x, "buyer_logon_id", SLICE("138****0000"));
    member(x, "buyer_user_id", slice_str(c->payer));
    member_yuan(x, "total_amount", c->taken_minor);
    member_yuan(x, "receipt_amount", c->taken_minor);
    member_yuan(x, "buyer_pay_amount", c->taken_minor);
    member(x, "subject", slice_str(c->subject));
    member_time(x, time_name, c->done_us);
}

static void notice(struct alipay *x, const struct em_charge *c)
{
    struct em_notice n = {.wallet = EM_ALIPAY, .kind = EM_NOTICE_CHARGE, .charge = *c};
    notice_send(x->c->e, c->notify_url, &n, c->due_us);
}

static void pay_answer(struct alipay *x, enum em_result r, const struct em_charge *c)
{
    switch (r) {
    case EM_DONE:
    case EM_SAME:
        if (r == EM_DONE)
            notice(x, c);
        if (c->state == EM_CHARGE_WAITS) {
            members_trade(x, c);
            member_yuan(x, "total_amount", c->taken_minor);
            x->end = ALIPAY_WAITS;
        } else if (c->state == EM_CHARGE_CLOSED) {
            business(x, "ACQ.TRADE_HAS_CLOSE", "交易已经关闭");
        } else if (r == EM_SAME) {
            members_trade(x, c);
            business(x, "ACQ.TRADE_HAS_SUCCESS", "交易已被支付");
        } else {
            members_paid(x, c, "gmt_payment");
        }
        break;
    case EM_OTHER_DATA: business(x, "ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"); break;
    case EM_STATE: business(x, "ACQ.TRADE_HAS_CLOSE", "交易已经关闭"); break;
    case EM_NOT_THERE:
    case EM_ENDED: business(x, "ACQ.AGREEMENT_NOT_EXIST", "用户协议不存在"); break;
    case EM_UNSIGNED: business(x, "ACQ.AGREEMENT_STATUS_NOT_NORMAL", "用户协议状态非NORMAL"); break;
    case EM_OVER_CAP: business(x, "ACQ.BEYOND_PAY_RESTRICTION", "商户收款额度超限"); break;
    case EM_OVER_DAY: business(x, "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", "买家付款日限额超限"); break;
    case EM_NO_MONEY: business(x, "ACQ.BUYER_BALANCE_NOT_ENOUGH", "买家余额不足"); break;
    case EM_RISK: business(x, "ACQ.PAYMENT_REQUEST_HAS_RISK", "支付有风险"); break;
    case EM_TOO_MUCH:
    case EM_NO_MEMORY: em_alipay_refuse(x, "20000", "aop.ACQ.SYSTEM_ERROR", "系统异常"); break;
    }
}

static void op_pay(struct alipay *x)
{
    struct em_charge c = {.wallet = EM_ALIPAY, .currency = CUR_CNY}, got;
    struct slice amount = text(x, "total_amount"), ref = text(x, "agreement_params.agreement_no"),
                 subject = text(x, "subject");
    if (!number(x, "out_trade_no"))
        return;
    if (!slice_eq(text(x, "product_code"), SLICE("GENERAL_WITHHOLDING")) || !em_copy(c.agreement, sizeof c.agreement, ref))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter",
                         "product_code GENERAL_WITHHOLDING and agreement_params.agreement_no");
    else if (!yuan(amount, &c.asked_minor))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "total_amount: 0.01 to 100000000.00");
    else if (!subject.len || subject.len > 256)
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "subject: 1 to 256 bytes");
    else if (!url_is_plain(x->notify_url))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "notify_url is no URL");
    if (x->end == ALIPAY_REFUSED || !go(x))
        return;
    (void)em_copy(c.number, sizeof c.number, slice_str(x->c->number));
    (void)em_copy(c.subject, sizeof c.subject, slice_of(subject.p, MIN_OF(subject.len, (size_t)EM_TEXT_BYTES)));
    c.notify_url = world_text(x->c->e->world, x->notify_url);
    struct slice parts[] = {amount, ref, subject};
    c.data = em_data(parts, ARRAY_LEN(parts));
    call_charge_faults(x->c, &c);
    enum em_result r = world_charge(x->c->e->world, &c, &got);
    pay_answer(x, r, &got);
    gone(x);
}

/* By trade_no, or by out_trade_no. */
static bool trade(struct alipay *x, struct em_charge *ret)
{
    struct slice own = text(x, "out_trade_no"), ref = text(x, "trade_no");
    if (!own.p && !ref.p) {
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "out_trade_no or trade_no is needed");
        return false;
    }
    if (!em_copy(x->c->number, sizeof x->c->number, own.p ? own : ref)) {
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "out_trade_no or trade_no");
        return false;
    }
    if (!go(x))
        return false;
    enum em_result r = ref.p ? world_charge_ref(x->c->e->world, EM_ALIPAY, ref, ret)
                             : world_charge_find(x->c->e->world, EM_ALIPAY, own, ret);
    if (r == EM_DONE && own.p && !slice_eq(own, slice_str(ret->number)))
        r = EM_NOT_THERE;
    if (r != EM_DONE)
        business(x, "ACQ.TRADE_NOT_EXIST", "交易不存在");
    return r == EM_DONE;
}

static bool is_over(const struct alipay *x) { return x->end == ALIPAY_DROPPED || x->end == ALIPAY_BARE; }

static void op_query(struct alipay *x)
{
    static const char *const states[] = {"WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_CLOSED"};
    struct em_charge c;
    if (trade(x, &c)) {
        bool paid = c.state == EM_CHARGE_PAID || c.refunded_minor;
        if (paid)
            members_paid(x, &c, "send_pay_date");
        else
            members_trade(x, &c);
        if (!paid)
            member_yuan(x, "total_amount", c.asked_minor);
        member(x, "trade_status", slice_str(states[c.state]));
    }
    if (!is_over(x))
        gone(x);
}

static void op_cancel(struct alipay *x)
{
    struct em_charge c;
    int64_t given_back = 0;
    if (!number(x, "out_trade_no") || !go(x))
        return;
    enum em_result r = world_cancel(x->c->e->world, EM_ALIPAY, slice_str(x->c->number), EM_BURN, &c, &given_back);
    if (r == EM_STATE) {
        business(x, "ACQ.TRADE_STATUS_ERROR", "交易状态不合法");
    } else {
        member(x, "out_trade_no", slice_str(x->c->number));
        member(x, "retry_flag", SLICE("N"));
        if (r != EM_NOT_THERE) {
            member(x, "trade_no", slice_str(c.ref));
            member(x, "action", c.refunded_minor ? SLICE("refund") : SLICE("close"));
        }
        if (r == EM_DONE)
            notice(x, &c);
    }
    gone(x);
}

/* --- refunds --- */

static void refund_answer(struct alipay *x, enum em_result r, const struct em_refund *rf, const struct em_charge *c)
{
    struct em_notice n = {.wallet = EM_ALIPAY, .kind = EM_NOTICE_REFUND};
    switch (r) {
    case EM_DONE:
    case EM_SAME:
        members_trade(x, c);
        member(x, "buyer_logon_id", SLICE("138****0000"));
        member(x, "fund_change", r == EM_DONE && rf->state == EM_REFUND_PAID ? SLICE("Y") : SLICE("N"));
        member_yuan(x, "refund_fee", c->refunded_minor); /* all of them together */
        if (r == EM_DONE) {
            n.refund = *rf;
            n.charge = *c;
            notice_send(x->c->e, c->notify_url, &n, rf->due_us);
        }
        break;
    case EM_OTHER_DATA: business(x, "ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致"); break;
    case EM_NOT_THERE: business(x, "ACQ.TRADE_NOT_EXIST", "交易不存在"); break;
    case EM_TOO_MUCH: business(x, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"); break;
    default: business(x, "ACQ.TRADE_STATUS_ERROR", "交易状态不合法"); break;
    }
}

static void op_refund(struct alipay *x)
{
    struct em_refund rf = {.wallet = EM_ALIPAY}, got = {0};
    struct em_charge c = {0};
    struct slice own = text(x, "out_trade_no"), ref = text(x, "trade_no"), amount = text(x, "refund_amount"),
                 reason = text(x, "refund_reason");
    if (!number(x, "out_request_no"))
        return;
    if (!own.p && !ref.p)
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "out_trade_no or trade_no is needed");
    else if (!yuan(amount, &rf.minor))
        em_alipay_refuse(x, "40002", "isv.invalid-parameter", "refund_amount: yuan with two decimals");
    if (x->end == ALIPAY_REFUSED || !go(x))
        return;
    if (ref.p && world_charge_ref(x->c->e->world, EM_ALIPAY, ref, &c) == EM_DONE)
        own = slice_str(c.number);
    (void)em_copy(rf.charge, sizeof rf.charge, own);
    (void)em_copy(rf.number, sizeof rf.number, slice_str(x->c->number));
    (void)em_copy(rf.reason, sizeof rf.reason, slice_of(reason.p, MIN_OF(reason.len, (size_t)EM_TEXT_BYTES)));
    rf.notify_url = "";
    struct slice parts[] = {own, amount};
    rf.data = em_data(parts, ARRAY_LEN(parts));
    call_refund_faults(x->c, &rf);
    enum em_result r = world_refund(x->c->e->world, &rf, &got, &c);
    refund_answer(x, r, &got, &c);
    gone(x);
}

/* Code 10000 says that the query worked; refund_status alone that the refund did. */
static void op_refund_query(struct alipay *x)
{
    struct em_charge c;
    struct em_refund r;
    struct slice request = text(x, "out_request_no");
    if (!request.p) {
        em_alipay_refuse(x, "40001", "isv.missing-parameter", "out_request_no is needed");
        return;
    }
    if (trade(x, &c)) {
        members_trade(x, &c);
        if (world_refund_find(x->c->e->world, EM_ALIPAY, request, &r) == EM_DONE && strcmp(r.charge, c.number) == 0) {
            member(x, "out_request_no", slice_str(r.number));
            member_yuan(x, "total_amount", c.taken_minor);
            member_yuan(x, "refund_amount", r.minor);
            if (r.state == EM_REFUND_PAID) {
                member(x, "refund_status", SLICE("REFUND_SUCCESS"));
                member_time(x, "gmt_refund_pay", r.done_us);
            }
        }
    }
    if (!is_over(x))
        gone(x);
}

/* --- the table --- */

static const struct alipay_op ops[] = {
    {"alipay.user.agreement.query", "GET", "/v3/alipay/user/agreement/query", op_agreement_query},
    {"alipay.user.agreement.unsign", "POST", "/v3/alipay/user/agreement/unsign", op_agreement_unsign},
    {"alipay.trade.pay", "POST", "/v3/alipay/trade/pay", op_pay},
    {"alipay.trade.query", "POST", "/v3/alipay/trade/query", op_query},
    {"alipay.trade.cancel", "POST", "/v3/alipay/trade/cancel", op_cancel},
    {"alipay.trade.refund", "POST", "/v3/alipay/trade/refund", op_refund},
    {"alipay.trade.fastpay.refund.query", "POST", "/v3/alipay/trade/fastpay/refund/query", op_refund_query},
};

const struct alipay_op *em_alipay_op_by_method(struct slice method)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (slice_eq(method, slice_str(ops[i].method)))
            return &ops[i];
    return NULL;
}

/* What is documented as GET is taken as POST too: the SDKs send both. */
const struct alipay_op *em_alipay_op_by_path(struct slice http, struct slice path)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (slice_eq(path, slice_str(ops[i].v3_path)) &&
            (slice_eq(http, SLICE("POST")) || slice_eq(http, slice_str(ops[i].v3_method))))
            return &ops[i];
    return NULL;
}
