/* wechatpay.c - WeChat Pay's APIv3: contracts (papay), charges on them, refunds, certificates. */
#include "emulator/wechatpay.h"

#include "base/num.h"

#define SCHEME "WECHATPAY2-SHA256-RSA2048 "
#define STAMP_US (5 * US_MINUTE)
#define FEN_MAX ((int64_t)10000000000)

struct wechat {
    struct call *c;
    struct slice id; /* of the path */
};

/* --- answers --- */

static void put_error(struct call *c, int status, const char *code, const char *message)
{
    c->an->status = status;
    buf_clear(&c->an->body);
    buf_fmt(&c->an->body, "{\"code\":\"%s\",\"message\":\"%s\"}", code, message);
}

/* The client may say which certificate it knows; else both take turns. */
static const struct em_platform *platform_of(struct call *c)
{
    struct em_keys *k = &c->e->keys;
    struct slice wanted = server_header(c->rq, "Wechatpay-Serial");
    unsigned end = atomic_load(&k->platform_end);
    for (unsigned i = atomic_load(&k->platform_first); i < end; i++)
        if (slice_eq(wanted, slice_str(k->platform[i].serial)))
            return &k->platform[i];
    struct hash_key key = {c->e->o.seed, 3};
    struct slice all = c->rq->head;
    return em_platform(k, hash_bytes(key, all.p, all.len).lo);
}

static void finish(struct call *c)
{
    if (c->an->status == 204)
        buf_clear(&c->an->body);
    em_wechat_sign(c->e, platform_of(c), buf_view(&c->an->body), c->bad_signature, &c->an->headers);
}

static void system_error(struct wechat *w)
{
    if (!call_bare(w->c)) {
        put_error(w->c, 500, "SYSTEM_ERROR", "系统异常，请稍后重试");
        finish(w->c);
    }
}

static bool go(struct wechat *w)
{
    enum call_go g = call_before(w->c);
    if (g == CALL_ERROR)
        system_error(w);
    return g == CALL_GO;
}

static void gone(struct wechat *w)
{
    switch (call_after(w->c)) {
    case CALL_GO: finish(w->c); break;
    case CALL_DROP: break;
    case CALL_ERROR: system_error(w); break;
    }
}

/* A refusal before anything was looked at. */
static void refuse(struct wechat *w, int status, const char *code, const char *message)
{
    put_error(w->c, status, code, message);
    finish(w->c);
}

static struct slice text(struct wechat *w, const char *path) { return em_text(&w->c->json, path); }

static bool is_fen(struct slice s, int64_t *ret) { return s.p && num_i64(s, 1, FEN_MAX, ret) == KEER_OK; }

static bool number(struct wechat *w, struct slice s)
{
    if (em_number(s) && s.len <= 32 && em_copy(w->c->number, sizeof w->c->number, s))
        return true;
    refuse(w, 400, "PARAM_ERROR", "a number of 1 to 32 letters and digits was expected");
    return false;
}

/* --- contracts --- */

static bool sign_is_whole(struct wechat *w)
{
    static const char *const needed[] = {"sign_scene",
                                         "contract_display_account",
                                         "contract_notify_url",
                                         "out_user_code",
                                         "device_info.device_type",
                                         "device_info.device_os",
                                         "device_info.device_id",
                                         "device_info.device_ip",
                                         "device_info.weixin_version",
                                         "device_info.days_since_first_login"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!text(w, needed[i]).len)
            return false;
    return slice_eq(text(w, "appid"), SLICE(EM_APPID)) && slice_eq(text(w, "plan_id"), SLICE(EM_PLAN_ID));
}

static void op_sign(struct wechat *w)
{
    struct call *c = w->c;
    struct em_agreement a = {.wallet = EM_WECHATPAY, .plan = EM_PLAN_ID}, got;
    struct slice shown = text(w, "contract_display_account"), user = text(w, "out_user_code");
    if (!number(w, text(w, "out_contract_code")))
        return;
    if (!sign_is_whole(w)) {
        refuse(w, 400, "PARAM_ERROR", "appid, plan_id, or a member that is needed");
        return;
    }
    if (!go(w))
        return;
    (void)em_copy(a.number, sizeof a.number, slice_str(c->number));
    (void)em_copy(a.shown, sizeof a.shown, slice_of(shown.p, MIN_OF(shown.len, (size_t)EM_TEXT_BYTES)));
    (void)em_copy(a.scene, sizeof a.scene, slice_of(user.p, MIN_OF(user.len, (size_t)EM_TEXT_BYTES)));
    a.notify_url = world_text(c->e->world, text(w, "contract_notify_url"));
    a.return_url = world_text(c->e->world, text(w, "return_url"));
    struct slice parts[] = {slice_str(a.number), shown, user};
    a.data = em_data(parts, ARRAY_LEN(parts));
    enum em_result r = world_agree(c->e->world, &a, &got);
    if (r == EM_OTHER_DATA || (r == EM_SAME && got.state != EM_TEMP))
        put_error(c, 400, "INVALID_REQUEST", "out_contract_code was used before");
    else if (r == EM_NO_MEMORY)
        put_error(c, 500, "SYSTEM_ERROR", "系统异常");
    else
        buf_fmt(&c->an->body, "{\"pre_entrustweb_id\":\"%s\",\"redirect_url\":\"%s/emulator/page/%s\"}", got.page, c->e->url,
                got.page);
    gone(w);
}

static void op_contract(struct wechat *w)
{
    struct em_agreement a;
    if (!number(w, w->id) || !go(w))
        return;
    if (world_agreement(w->c->e->world, EM_WECHATPAY, w->id, &a) == EM_DONE && a.signed_us)
        em_wechat_put_contract(&a, &w->c->an->body);
    else
        put_error(w->c, 404, "RESOURCE_NOT_EXISTS", "查询的资源不存在");
    gone(w);
}

static void op_terminate(struct wechat *w)
{
    struct em_agreement a;
    struct call *c = w->c;
    struct slice remark = text(w, "contract_termination_remark");
    if (!number(w, w->id))
        return;
    if (!remark.len) {
        refuse(w, 400, "PARAM_ERROR", "contract_termination_remark is needed");
        return;
    }
    if (!go(w))
        return;
    enum em_result r = world_agreement(c->e->world, EM_WECHATPAY, w->id, &a);
    if (r != EM_DONE || !a.signed_us)
        put_error(c, 404, "RESOURCE_NOT_EXISTS", "协议不存在");
    else if (a.state == EM_STOPPED)
        put_error(c, 400, "CONTRACT_TERMINATED", "协议已解约");
    else if (world_end(c->e->world, EM_WECHATPAY, w->id, false, remark, &a) == EM_DONE)
        ended_now(c->e, &a);
    if (c->an->status == 200)
        c->an->status = 204;
    gone(w);
}

/* --- charges --- */

static void tell_charge(struct call *c, const struct em_charge *charge)
{
    struct em_notice n = {.wallet = EM_WECHATPAY, .kind = EM_NOTICE_CHARGE, .charge = *charge};
    notice_send(c->e, charge->notify_url, &n, charge->due_us);
}

static void accept_charge(struct wechat *w, const struct em_charge *ch)
{
    buf_fmt(&w->c->an->body, "{\"out_trade_no\":\"%s\",\"amount\":{\"total\":%lld,\"currency\":\"CNY\"}}", ch->number,
            (long long)ch->asked_minor);
}

/* What is wrong with the payer shows later, under the number: the request was accepted. */
static void fails_later(struct wechat *w, const struct em_charge *ask, const char *code)
{
    struct em_charge got;
    if (world_charge_failed(w->c->e->world, ask, code, &got) == EM_NO_MEMORY) {
        put_error(w->c, 500, "SYSTEM_ERROR", "系统异常");
        return;
    }
    accept_charge(w, &got);
    tell_charge(w->c, &got);
}

static void apply_answer(struct wechat *w, enum em_result r, const struct em_charge *ask, const struct em_charge *got)
{
    struct call *c = w->c;
    switch (r) {
    case EM_DONE:
        accept_charge(w, got);
        tell_charge(c, got);
        break;
    case EM_SAME:
        if (got->state == EM_CHARGE_PAID || got->refunded_minor)
            put_error(c, 400, "ORDERPAID", "订单已支付");
        else if (got->state == EM_CHARGE_CLOSED)
            put_error(c, 400, "ORDER_CLOSED", "订单已关闭");
        else
            accept_charge(w, got);
        break;
    case EM_OTHER_DATA: put_error(c, 403, "OUT_TRADE_NO_USED", "商户订单号重复"); break;
    case EM_STATE: put_error(c, 400, "ORDER_CLOSED", "订单已关闭"); break;
    case EM_NOT_THERE:
    case EM_UNSIGNED: put_error(c, 400, "CONTRACT_NOT_EXIST", "协议不存在"); break;
    case EM_ENDED: put_error(c, 400, "CONTRACT_TERMINATED", "协议已解约"); break;
    case EM_OVER_CAP: fails_later(w, ask, "RULE_LIMIT"); break;
    case EM_OVER_DAY: fails_later(w, ask, "QUOTA_EXCEED"); break;
    case EM_NO_MONEY: fails_later(w, ask, "NOT_ENOUGH"); break;
    case EM_RISK: fails_later(w, ask, "RISK_CONTROL"); break;
    case EM_TOO_MUCH:
    case EM_NO_MEMORY: put_error(c, 500, "SYSTEM_ERROR", "系统异常"); break;
    }
}

static void op_apply(struct wechat *w)
{
    struct call *c = w->c;
    struct em_charge ask = {.wallet = EM_WECHATPAY, .currency = CUR_CNY}, got = {0};
    struct slice subject = text(w, "description"), total = text(w, "amount.total"), currency = text(w, "amount.currency"),
                 contract = text(w, "contract_id");
    if (!number(w, text(w, "out_trade_no")))
        return;
    if (!slice_eq(text(w, "appid"), SLICE(EM_APPID)) || !subject.len || subject.len > 127 ||
        !text(w, "transaction_notify_url").len || !em_copy(ask.agreement, sizeof ask.agreement, contract) ||
        !is_fen(total, &ask.asked_minor) || (currency.p && !slice_eq(currency, SLICE("CNY")))) {
        refuse(w, 400, "PARAM_ERROR", "appid, description, transaction_notify_url, contract_id or amount");
        return;
    }
    if (!go(w))
        return;
    (void)em_copy(ask.number, sizeof ask.number, slice_str(c->number));
    (void)em_copy(ask.subject, sizeof ask.subject, subject);
    ask.notify_url = world_text(c->e->world, text(w, "transaction_notify_url"));
    struct slice parts[] = {total, contract, subject};
    ask.data = em_data(parts, ARRAY_LEN(parts));
    call_charge_faults(c, &ask);
    enum em_result r = world_charge(c->e->world, &ask, &got);
    apply_answer(w, r, &ask, &got);
    gone(w);
}

/* mchid=.. alone stands in the query. */
static bool is_our_query(struct wechat *w)
{
    if (slice_eq(w->c->rq->query, SLICE("mchid=" EM_MCHID)))
        return true;
    refuse(w, 400, "PARAM_ERROR", "mchid in the query");
    return false;
}

static void transaction(struct wechat *w, bool by_ref)
{
    struct em_charge ch;
    if (!number(w, w->id) || !is_our_query(w) || !go(w))
        return;
    enum em_result r = by_ref ? world_charge_ref(w->c->e->world, EM_WECHATPAY, w->id, &ch)
                              : world_charge_find(w->c->e->world, EM_WECHATPAY, w->id, &ch);
    if (r == EM_DONE)
        em_wechat_put_transaction(&ch, &w->c->an->body);
    else
        put_error(w->c, 404, "ORDER_NOT_EXIST", "订单不存在");
    gone(w);
}

static void op_by_number(struct wechat *w) { transaction(w, false); }
static void op_by_ref(struct wechat *w) { transaction(w, true); }

static void op_close(struct wechat *w)
{
    struct em_charge ch;
    struct call *c = w->c;
    int64_t given_back = 0;
    if (!number(w, w->id))
        return;
    if (!slice_eq(text(w, "mchid"), SLICE(EM_MCHID))) {
        refuse(w, 400, "PARAM_ERROR", "mchid");
        return;
    }
    if (!go(w))
        return;
    switch (world_cancel(c->e->world, EM_WECHATPAY, w->id, EM_ONLY_UNPAID, &ch, &given_back)) {
    case EM_DONE:
        c->an->status = 204;
        tell_charge(c, &ch);
        break;
    case EM_SAME: put_error(c, 400, "ORDER_CLOSED", "订单已关闭"); break;
    case EM_NOT_THERE: put_error(c, 404, "ORDER_NOT_EXIST", "订单不存在"); break;
    default: put_error(c, 400, "ORDERPAID", "订单已支付"); break;
    }
    gone(w);
}

/* --- refunds --- */

static void refund_answer(struct wechat *w, enum em_result r, const struct em_refund *rf, const struct em_charge *ch)
{
    struct call *c = w->c;
    struct em_notice n = {.wallet = EM_WECHATPAY, .kind = EM_NOTICE_REFUND};
    switch (r) {
    case EM_DONE:
    case EM_SAME:
        em_wechat_put_refund(rf, ch, /* notice */ false, &c->an->body);
        if (r == EM_SAME)
            break;
        n.refund = *rf;
        n.charge = *ch;
        notice_send(c->e, rf->notify_url[0] ? rf->notify_url : ch->notify_url, &n, rf->due_us);
        break;
    case EM_OTHER_DATA: put_error(c, 400, "INVALID_REQUEST", "订单号重复，参数不一致"); break;
    case EM_NOT_THERE: put_error(c, 404, "RESOURCE_NOT_EXISTS", "订单不存在"); break;
    case EM_TOO_MUCH: put_error(c, 400, "INVALID_REQUEST", "退款金额大于可退金额"); break;
    case EM_NO_MEMORY: put_error(c, 500, "SYSTEM_ERROR", "系统异常"); break;
    default: put_error(c, 400, "INVALID_REQUEST", "订单未支付"); break;
    }
}

static void op_refund(struct wechat *w)
{
    struct call *c = w->c;
    struct em_refund ask = {.wallet = EM_WECHATPAY}, got = {0};
    struct em_charge ch = {0};
    int64_t total = 0;
    struct slice own = text(w, "out_trade_no"), ref = text(w, "transaction_id"), minor = text(w, "amount.refund"),
                 reason = text(w, "reason");
    if (!number(w, text(w, "out_refund_no")))
        return;
    if ((!own.p && !ref.p) || !is_fen(minor, &ask.minor) || !is_fen(text(w, "amount.total"), &total) ||
        !slice_eq(text(w, "amount.currency"), SLICE("CNY")) || reason.len > 80 * 4) {
        refuse(w, 400, "PARAM_ERROR", "out_trade_no or transaction_id, and amount with refund, total and currency");
        return;
    }
    if (!go(w))
        return;
    if (ref.p && world_charge_ref(c->e->world, EM_WECHATPAY, ref, &ch) == EM_DONE)
        own = slice_str(ch.number);
    (void)em_copy(ask.charge, sizeof ask.charge, own);
    (void)em_copy(ask.number, sizeof ask.number, slice_str(c->number));
    (void)em_copy(ask.reason, sizeof ask.reason, slice_of(reason.p, MIN_OF(reason.len, (size_t)EM_TEXT_BYTES)));
    ask.notify_url = world_text(c->e->world, text(w, "notify_url"));
    struct slice parts[] = {own, minor};
    ask.data = em_data(parts, ARRAY_LEN(parts));
    call_refund_faults(c, &ask);
    enum em_result r = EM_NOT_THERE;
    if (world_charge_find(c->e->world, EM_WECHATPAY, own, &ch) == EM_DONE)
        r = total == ch.taken_minor ? world_refund(c->e->world, &ask, &got, &ch) : EM_OTHER_DATA;
    refund_answer(w, r, &got, &ch);
    gone(w);
}

static void op_refund_query(struct wechat *w)
{
    struct em_refund r;
    struct em_charge ch;
    if (!number(w, w->id) || !go(w))
        return;
    if (world_refund_find(w->c->e->world, EM_WECHATPAY, w->id, &r) == EM_DONE &&
        world_charge_find(w->c->e->world, EM_WECHATPAY, slice_str(r.charge), &ch) == EM_DONE)
        em_wechat_put_refund(&r, &ch, /* notice */ false, &w->c->an->body);
    else
        put_error(w->c, 404, "RESOURCE_NOT_EXISTS", "退款单不存在");
    gone(w);
}

/* --- certificates --- */

static void op_certificates(struct wechat *w)
{
    struct call *c = w->c;
    struct buf *b = &c->an->body;
    if (!go(w))
        return;
    struct em_keys *k = &c->e->keys;
    unsigned first = atomic_load(&k->platform_first), end = atomic_load(&k->platform_end);
    buf_puts(b, "{\"data\":[");
    for (unsigned i = first; i < end; i++) {
        const struct em_platform *p = &k->platform[i];
        buf_fmt(b, "%s{\"serial_no\":\"%s\",\"effective_time\":\"", i > first ? "," : "", p->serial);
        em_time_cn(b, p->from_us, true);
        buf_puts(b, "\",\"expire_time\":\"");
        em_time_cn(b, p->to_us, true);
        buf_puts(b, "\",\"encrypt_certificate\":");
        em_wechat_seal(c->e, "certificate", buf_view(&p->cert), b);
        buf_puts(b, "}}");
    }
    buf_puts(b, "]}");
    gone(w);
}

/* --- what may be asked --- */

#define CONTRACT "/v3/papay/sign/contracts/plan-id/" EM_PLAN_ID "/out-contract-code/"
static const struct {
    const char *method, *before, *after; /* the path around an id */
    void (*run)(struct wechat *w);
} ops[] = {
    {"POST", "/v3/papay/sign/contracts/pre-entrust-sign", NULL, op_sign},
    {"POST", "/v3/papay/entrust-sign/contracts/pre-entrust-sign", NULL, op_sign},
    {"POST", CONTRACT, "/terminate", op_terminate},
    {"GET", CONTRACT, "", op_contract},
    {"POST", "/v3/papay/pay/transactions/apply", NULL, op_apply},
    {"POST", "/v3/pay/transactions/out-trade-no/", "/close", op_close},
    {"GET", "/v3/pay/transactions/out-trade-no/", "", op_by_number},
    {"GET", "/v3/pay/transactions/id/", "", op_by_ref},
    {"POST", "/v3/refund/domestic/refunds", NULL, op_refund},
    {"GET", "/v3/refund/domestic/refunds/", "", op_refund_query},
    {"GET", "/v3/certificates", NULL, op_certificates},
};

static bool path_fits(struct slice path, const char *before, const char *after, struct slice *ret_id)
{
    size_t b = strlen(before), a = after ? strlen(after) : 0;
    if (!after)
        return slice_eq(path, slice_str(before));
    if (path.len <= a + b || memcmp(path.p, before, b) != 0 || memcmp(path.p + path.len - a, after, a) != 0)
        return false;
    *ret_id = slice_of(path.p + b, path.len - a - b);
    return !memchr(ret_id->p, '/', ret_id->len);
}

/* --- the request --- */

/* Attributes in any order, each as name="value". */
static struct slice attribute(struct slice h, const char *name)
{
    while (h.p) {
        struct slice value = slice_trim(slice_cut(&h, ',')), its = slice_cut(&value, '=');
        if (slice_eq(its, slice_str(name)) && value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"')
            return slice_of(value.p + 1, value.len - 2);
    }
    return (struct slice){NULL, 0};
}

/* What is wrong with who asks; NULL when nothing is. */
static const char *wrong_with(struct call *c)
{
    struct slice h = server_header(c->rq, "Authorization");
    size_t scheme = strlen(SCHEME);
    struct buf b;
    int64_t s = 0, now_us = em_now(c->e);
    if (h.len <= scheme || memcmp(h.p, SCHEME, scheme) != 0)
        return "Authorization: " SCHEME "was expected";
    h = slice_of(h.p + scheme, h.len - scheme);
    struct slice nonce = attribute(h, "nonce_str"), stamp = attribute(h, "timestamp");
    if (!slice_eq(attribute(h, "mchid"), SLICE(EM_MCHID)) ||
        !slice_eq(attribute(h, "serial_no"), slice_str(c->e->keys.merchant_serial)))
        return "mchid or serial_no is unknown";
    if (num_i64(stamp, 0, INT64_MAX / US_SECOND, &s) != KEER_OK || s * US_SECOND < now_us - STAMP_US ||
        s * US_SECOND > now_us + STAMP_US)
        return "the timestamp is more than five minutes off";
    if (!nonce.len || nonce.len > 64)
        return "nonce_str has no or too many characters";
    buf_init(&b, SERVER_HEAD_BYTES + SERVER_BODY_BYTES);
    struct slice lines[] = {c->rq->method, c->rq->target, stamp, nonce, c->rq->body};
    em_lines(lines, ARRAY_LEN(lines), &b);
    bool good = b.err == KEER_OK && em_verify(c->e->keys.wechat_merchant, buf_view(&b), attribute(h, "signature"));
    buf_release(&b);
    if (!good)
        return "the signature is wrong";
    return em_nonce_new(c->e, EM_WECHATPAY, nonce, now_us) ? NULL : "the nonce was used before";
}

static bool read_json(struct wechat *w)
{
    struct tape_limits limits = {.bytes = SERVER_BODY_BYTES, .values = 1000, .depth = 8, .keys = 100};
    struct tape_error why;
    struct call *c = w->c;
    struct slice type = server_header(c->rq, "Content-Type");
    if (!slice_eq(c->rq->method, SLICE("POST")))
        return true;
    if (slice_eqi(slice_trim(slice_cut(&type, ';')), SLICE("application/json")) &&
        tape_read(&c->json, c->rq->body, &limits, &why) == KEER_OK && tape_type(&c->json, 0) == TAPE_OBJECT)
        return true;
    refuse(w, 400, "PARAM_ERROR", "a JSON object was expected");
    return false;
}

void em_wechatpay_call(struct call *c)
{
    struct wechat w = {.c = c};
    const char *wrong = wrong_with(c);
    if (wrong) { /* nobody has said who he is: unsigned */
        atomic_fetch_add(&c->e->refused, 1);
        put_error(c, 401, "SIGN_ERROR", wrong);
        return;
    }
    if (!slice_hasi(server_header(c->rq, "Accept"), SLICE("application/json")) || !server_header(c->rq, "User-Agent").len) {
        refuse(&w, 400, "PARAM_ERROR", "Accept: application/json and a User-Agent are needed");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (slice_eq(c->rq->method, slice_str(ops[i].method)) &&
            path_fits(c->rq->path, ops[i].before, ops[i].after, &w.id)) {
            if (read_json(&w))
                ops[i].run(&w);
            return;
        }
    refuse(&w, 404, "RESOURCE_NOT_EXISTS", "there is no such path, or another method");
}
