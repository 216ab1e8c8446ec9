/* wechatpay.c - what is asked of WeChat Pay, and what its answers mean to us. */
#include "wallet/wechatpay/wechatpay.h"

#include "base/timefmt.h"
#include "base/utf8.h"

/* out_trade_no and the like: 1 to 32 letters, digits, and _-*; they go into paths as they are. */
static bool is_number(const char *number)
{
    static const char may[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-*";
    size_t len = strlen(number);
    return len >= 1 && len <= WALLET_NUMBER_BYTES && strspn(number, may) == len;
}

static enum wallet_answer unfit(struct wallet_why *why, const char *text)
{
    wechat_why(why, WALLET_BAD_REQUEST, SLICE(""), "%s", text);
    return WALLET_NO;
}

/* An answer that is genuine and not what was asked for. */
static enum wallet_answer garbled(struct wechat_call *c, const char *text)
{
    wechat_why(c->why, WALLET_GARBLED_ANSWER, SLICE(""), "%s", text);
    return WALLET_UNKNOWN;
}

/* Of a call that was not answered with 2xx. */
static enum wallet_answer failed(const struct wechat_call *c, enum wechat_end end)
{
    if (end != WECHAT_REFUSED)
        return end == WECHAT_NOT_SENT ? WALLET_NOT_SENT : WALLET_UNKNOWN;
    return c->meaning == WECHAT_UNKNOWN ? WALLET_UNKNOWN : WALLET_NO;
}

static void put_member(struct buf *b, const char *name, struct slice value)
{
    if (b->len > 1 && b->p[b->len - 1] != '{')
        buf_char(b, ',');
    buf_json(b, slice_str(name));
    buf_char(b, ':');
    buf_json(b, value);
}

/* A text without what is beyond `max` bytes, cut between characters. */
static struct slice at_most(struct slice s, size_t max)
{
    size_t points;
    if (s.len <= max)
        return s;
    s.len = max;
    while (s.len && utf8_points(s, &points) != KEER_OK)
        s.len--;
    return s;
}

/* --- agreements --- */
/* How long the person has been signing in on this device, in the wallet's classes (its spelling). */
static const char *days_class(int64_t days)
{
    static const struct {
        int64_t below;
        const char *name;
    } classes[] = {{0, "UNKNOW"},          {1, "WITHIN_1_DAY"},    {7, "WITHIN_7_DAYS"},
                   {30, "WITHIN_30_DAYS"}, {90, "WITHIN_90_DAYS"}, {180, "WITHIN_180_DAYS"}};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (days < classes[i].below)
            return classes[i].name;
    return "MORE_THEN_180_DAYS";
}

static void put_sign(const struct wechat *w, const struct wallet_sign_ask *ask, struct buf *b)
{
    struct slice unknown = SLICE("unknown");
    buf_char(b, '{');
    put_member(b, "sign_scene", SLICE("SIGN_SCENE_QRCODE"));
    put_member(b, "appid", slice_str(w->appid));
    buf_fmt(b, ",\"plan_id\":%s", w->plan_id);
    put_member(b, "out_contract_code", slice_str(ask->number));
    put_member(b, "contract_display_account", ask->account.len ? at_most(ask->account, 32) : slice_str(ask->number));
    put_member(b, "contract_notify_url", ask->notify_url);
    put_member(b, "out_user_code", slice_str(ask->number));
    if (ask->return_url.len)
        put_member(b, "return_url", ask->return_url);
    /* What we do not know has the wallet's word for that, or reads 'no'. */
    buf_puts(b, ",\"device_info\":{");
    put_member(b, "device_type", SLICE("DEVICE_TYPE_UNKNOW"));
    put_member(b, "device_os", unknown);
    put_member(b, "device_id", ask->device.len ? at_most(ask->device, 64) : unknown);
    buf_puts(b, ",\"device_running_as_root\":false");
    put_member(b, "device_ip", ask->ip.len ? ask->ip : unknown);
    buf_puts(b, ",\"weixin_installed\":false");
    put_member(b, "weixin_version", unknown);
    buf_fmt(b, ",\"days_since_first_login\":\"DAYS_SINCE_FIRST_LOGIN_%s\"}}", days_class(ask->device_days));
}

static enum wallet_answer sign_url(struct wechat_call *c, char ret_url[WALLET_URL_BYTES])
{
    char url[WALLET_URL_BYTES];
    if (c->empty || !wechat_member(&c->tape, 0, "redirect_url", true, url, sizeof url) ||
        (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0 && strncmp(url, "weixin://", 9) != 0))
        return garbled(c, "an answer without a redirect_url to sign at");
    memcpy(ret_url, url, sizeof url);
    return WALLET_YES;
}

static enum wallet_answer wechat_sign(void *self, struct wallet_io *io, const struct wallet_sign_ask *ask,
                                      char ret_url[WALLET_URL_BYTES], struct wallet_why *why)
{
    struct wechat_call c;
    wechat_begin(&c, self, io, why);
    if (!is_number(ask->number) || ask->currency != CUR_CNY) {
        wechat_end(&c);
        return unfit(why, "a contract has a number of 1 to 32 letters and digits, and CNY alone");
    }
    buf_puts(&c.path, "/v3/papay/entrust-sign/contracts/pre-entrust-sign");
    put_sign(self, ask, &c.body);
    enum wechat_end end = wechat_send(&c, "POST");
    enum wallet_answer answer = end == WECHAT_ANSWERED ? sign_url(&c, ret_url) : failed(&c, end);
    wechat_end(&c);
    return answer;
}

static void contract_path(struct wechat_call *c, const char *number, const char *rest)
{
    buf_fmt(&c->path, "/v3/papay/sign/contracts/plan-id/%s/out-contract-code/%s%s", c->w->plan_id, number, rest);
}

static enum wallet_answer contract_of(struct wechat_call *c, const char *number, struct wallet_agreement *ret)
{
    struct wallet_agreement a;
    char text[WALLET_WHY_BYTES];
    if (c->empty)
        return garbled(c, "an answer without a contract");
    if (!wechat_contract(c->w, &c->tape, &a, text))
        return garbled(c, text);
    if (strcmp(a.number, number) != 0)
        return garbled(c, "the answer is about another contract");
    *ret = a;
    return WALLET_YES;
}

static enum wallet_answer wechat_agreement_query(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                                 struct wallet_agreement *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_number(which->number))
        return unfit(why, "a contract has a number of 1 to 32 letters and digits");
    wechat_begin(&c, self, io, why);
    contract_path(&c, which->number, "");
    enum wechat_end end = wechat_send(&c, "GET");
    enum wallet_answer answer = end == WECHAT_ANSWERED ? contract_of(&c, which->number, ret) : failed(&c, end);
    if (end == WECHAT_REFUSED && (c.meaning == WECHAT_GONE || c.meaning == WECHAT_ENDED)) {
        *ret = (struct wallet_agreement){.state = WALLET_AGREEMENT_NONE};
        memcpy(ret->number, which->number, sizeof ret->number);
        answer = WALLET_YES;
    }
    wechat_end(&c);
    return answer;
}

static enum wallet_answer wechat_sign_finish(void *self, struct wallet_io *io, const char *number, const char *auth_code,
                                             struct wallet_agreement *ret, struct wallet_why *why)
{
    struct wallet_agreement which = {.state = WALLET_AGREEMENT_NONE};
    UNUSED(auth_code);
    if (!is_number(number))
        return unfit(why, "a contract has a number of 1 to 32 letters and digits");
    memcpy(which.number, number, strlen(number) + 1);
    return wechat_agreement_query(self, io, &which, ret, why);
}

static enum wallet_answer wechat_agreement_end(void *self, struct wallet_io *io, const struct wallet_agreement *which,
                                               struct slice reason, struct wallet_why *why)
{
    struct wechat_call c;
    struct wallet_agreement after;
    if (!is_number(which->number))
        return unfit(why, "a contract has a number of 1 to 32 letters and digits");
    wechat_begin(&c, self, io, why);
    contract_path(&c, which->number, "/terminate");
    buf_char(&c.body, '{');
    put_member(&c.body, "contract_termination_remark", reason.len ? at_most(reason, 256) : SLICE("ended by the person"));
    buf_char(&c.body, '}');
    enum wechat_end end = wechat_send(&c, "POST");
    enum wallet_answer answer = failed(&c, end);
    if (end == WECHAT_ANSWERED && !c.empty)
        answer = contract_of(&c, which->number, &after);
    else if (end == WECHAT_ANSWERED || (end == WECHAT_REFUSED && c.meaning == WECHAT_ENDED))
        answer = WALLET_YES;
    if (end == WECHAT_ANSWERED && !c.empty && answer == WALLET_YES && after.state != WALLET_AGREEMENT_STOPPED)
        answer = garbled(&c, "the contract is still signed after its end");
    wechat_end(&c);
    return answer;
}

/* --- charges --- */
static void put_charge(const struct wechat *w, const struct wallet_charge_ask *ask, struct buf *b)
{
    buf_char(b, '{');
    put_member(b, "appid", slice_str(w->appid));
    put_member(b, "out_trade_no", slice_str(ask->number));
    put_member(b, "description", at_most(ask->subject, 127));
    put_member(b, "transaction_notify_url", ask->notify_url);
    put_member(b, "contract_id", slice_str(ask->agreement));
    buf_fmt(b, ",\"amount\":{\"total\":%lld,\"currency\":\"CNY\"}}", (long long)ask->amount_minor);
}

/* What was accepted is what was asked for, as far as the answer says what it was. */
static bool accepted(const struct wechat_call *c, const struct wallet_charge_ask *ask)
{
    char number[WALLET_NUMBER_BYTES + 1];
    uint32_t amount, total;
    char text[24];
    if (c->empty)
        return true;
    if (!wechat_member(&c->tape, 0, "out_trade_no", true, number, sizeof number) || strcmp(number, ask->number) != 0)
        return false;
    (void)snprintf(text, sizeof text, "%lld", (long long)ask->amount_minor);
    amount = tape_find(&c->tape, 0, "amount");
    total = amount == TAPE_NONE ? TAPE_NONE : tape_find(&c->tape, amount, "total");
    return amount == TAPE_NONE || (total != TAPE_NONE && tape_type(&c->tape, total) == TAPE_INTEGER &&
                                   slice_eq(tape_text(&c->tape, total), slice_str(text)));
}

static enum wallet_answer wechat_charge(void *self, struct wallet_io *io, const struct wallet_charge_ask *ask,
                                        struct wallet_charge *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_number(ask->number) || ask->currency != CUR_CNY || ask->amount_minor < 1 || !ask->agreement[0])
        return unfit(why, "a charge has a number of 1 to 32 letters and digits, a contract, and 0.01 CNY or more");
    wechat_begin(&c, self, io, why);
    buf_puts(&c.path, "/v3/papay/pay/transactions/apply");
    put_charge(self, ask, &c.body);
    enum wechat_end end = wechat_send(&c, "POST");
    enum wallet_answer answer = failed(&c, end);
    if (end == WECHAT_ANSWERED) {
        answer = accepted(&c, ask) ? WALLET_YES : garbled(&c, "something else was accepted than was asked for");
    } else if (answer == WALLET_NO && c.meaning == WECHAT_GONE) {
        why->reason = WALLET_AGREEMENT_GONE; /* what a charge asks for is the contract */
    }
    if (answer == WALLET_YES) {
        *ret = (struct wallet_charge){
            .state = WALLET_CHARGE_WAITS, .amount_minor = ask->amount_minor, .currency = CUR_CNY, .paid_us = 0};
        (void)snprintf(ret->number, sizeof ret->number, "%s", ask->number);
        (void)snprintf(ret->agreement, sizeof ret->agreement, "%s", ask->agreement);
    }
    wechat_end(&c);
    return answer;
}

/* Why a charge failed is told in words; where they are a code, we know it. */
static void say_failed(struct wechat_call *c, struct slice desc)
{
    enum wallet_reason reason;
    (void)wechat_code(desc, &reason);
    wechat_why(c->why, reason, slice_of(desc.p, reason == WALLET_OTHER ? 0 : desc.len), SLICE_FMT, SLICE_ARG(desc));
}

static enum wallet_answer transaction_of(struct wechat_call *c, const char *number, struct wallet_charge *ret)
{
    struct wallet_charge charge;
    struct slice desc;
    char text[WALLET_WHY_BYTES];
    if (c->empty)
        return garbled(c, "an answer without a transaction");
    if (!wechat_transaction(c->w, &c->tape, &charge, &desc, text))
        return garbled(c, text);
    if (strcmp(charge.number, number) != 0)
        return garbled(c, "the answer is about another charge");
    if (charge.state == WALLET_CHARGE_FAILED || charge.state == WALLET_CHARGE_CLOSED)
        say_failed(c, desc);
    *ret = charge;
    return WALLET_YES;
}

static enum wallet_answer wechat_charge_query(void *self, struct wallet_io *io, const char *number,
                                              struct wallet_charge *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_number(number))
        return unfit(why, "a charge has a number of 1 to 32 letters and digits");
    wechat_begin(&c, self, io, why);
    buf_fmt(&c.path, "/v3/pay/transactions/out-trade-no/%s?mchid=%s", number, c.w->mchid);
    enum wechat_end end = wechat_send(&c, "GET");
    enum wallet_answer answer = end == WECHAT_ANSWERED ? transaction_of(&c, number, ret) : failed(&c, end);
    if (end == WECHAT_REFUSED && c.meaning == WECHAT_GONE) {
        *ret = (struct wallet_charge){.state = WALLET_CHARGE_NONE, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        answer = WALLET_YES;
    }
    wechat_end(&c);
    return answer;
}

static enum wallet_answer wechat_charge_cancel(void *self, struct wallet_io *io, const char *number,
                                               struct wallet_charge *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_number(number))
        return unfit(why, "a charge has a number of 1 to 32 letters and digits");
    wechat_begin(&c, self, io, why);
    buf_fmt(&c.path, "/v3/pay/transactions/out-trade-no/%s/close", number);
    buf_char(&c.body, '{');
    put_member(&c.body, "mchid", slice_str(c.w->mchid));
    buf_char(&c.body, '}');
    enum wechat_end end = wechat_send(&c, "POST");
    enum wallet_answer answer = failed(&c, end);
    if (end == WECHAT_ANSWERED || (end == WECHAT_REFUSED && c.meaning == WECHAT_CLOSED)) {
        *ret = (struct wallet_charge){.state = WALLET_CHARGE_CLOSED, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", number);
        answer = WALLET_YES;
    } else if (end == WECHAT_REFUSED && why->reason == WALLET_NUMBER_REUSED) {
        why->reason = WALLET_NOT_POSSIBLE; /* it is paid */
        answer = WALLET_NO;
    }
    wechat_end(&c);
    return answer;
}

/* --- refunds --- */
static bool is_refund(const struct wallet_refund_ask *ask)
{
    return is_number(ask->number) && is_number(ask->charge) && ask->currency == CUR_CNY && ask->amount_minor >= 1 &&
           ask->amount_minor <= ask->charged_minor;
}

static enum wallet_answer refund_of(struct wechat_call *c, const struct wallet_refund_ask *ask, struct wallet_refund *ret)
{
    struct wallet_refund refund;
    char text[WALLET_WHY_BYTES];
    if (c->empty)
        return garbled(c, "an answer without a refund");
    if (!wechat_refund(c->w, &c->tape, /* notice */ false, &refund, text))
        return garbled(c, text);
    if (strcmp(refund.number, ask->number) != 0 || strcmp(refund.charge, ask->charge) != 0 ||
        refund.amount_minor != ask->amount_minor)
        return garbled(c, "the answer is about another refund or amount");
    *ret = refund;
    return WALLET_YES;
}

static enum wallet_answer wechat_refund_do(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                           struct wallet_refund *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_refund(ask))
        return unfit(why, "a refund has two numbers of letters and digits, and 0.01 CNY up to what was charged");
    wechat_begin(&c, self, io, why);
    buf_puts(&c.path, "/v3/refund/domestic/refunds");
    buf_char(&c.body, '{');
    put_member(&c.body, "out_trade_no", slice_str(ask->charge));
    put_member(&c.body, "out_refund_no", slice_str(ask->number));
    if (ask->reason.len)
        put_member(&c.body, "reason", at_most(ask->reason, 80));
    if (ask->notify_url.len)
        put_member(&c.body, "notify_url", ask->notify_url);
    buf_fmt(&c.body, ",\"amount\":{\"refund\":%lld,\"total\":%lld,\"currency\":\"CNY\"}}", (long long)ask->amount_minor,
            (long long)ask->charged_minor);
    enum wechat_end end = wechat_send(&c, "POST");
    enum wallet_answer answer = end == WECHAT_ANSWERED ? refund_of(&c, ask, ret) : failed(&c, end);
    wechat_end(&c);
    return answer;
}

static enum wallet_answer wechat_refund_query(void *self, struct wallet_io *io, const struct wallet_refund_ask *ask,
                                              struct wallet_refund *ret, struct wallet_why *why)
{
    struct wechat_call c;
    if (!is_refund(ask))
        return unfit(why, "a refund has two numbers of letters and digits, and 0.01 CNY up to what was charged");
    wechat_begin(&c, self, io, why);
    buf_fmt(&c.path, "/v3/refund/domestic/refunds/%s", ask->number);
    enum wechat_end end = wechat_send(&c, "GET");
    enum wallet_answer answer = end == WECHAT_ANSWERED ? refund_of(&c, ask, ret) : failed(&c, end);
    if (end == WECHAT_REFUSED && c.meaning == WECHAT_GONE) {
        *ret = (struct wallet_refund){.state = WALLET_REFUND_NONE, .currency = CUR_MAX};
        (void)snprintf(ret->number, sizeof ret->number, "%s", ask->number);
        (void)snprintf(ret->charge, sizeof ret->charge, "%s", ask->charge);
        answer = WALLET_YES;
    }
    wechat_end(&c);
    return answer;
}

const struct wallet_driver wallet_wechatpay = {
    .kind = "wechatpay",
    .can = WALLET_CAN_CANCEL,
    .open = wechat_open,
    .free = wechat_free,
    .sign = wechat_sign,
    .sign_finish = wechat_sign_finish,
    .agreement_query = wechat_agreement_query,
    .agreement_end = wechat_agreement_end,
    .charge = wechat_charge,
    .charge_query = wechat_charge_query,
    .charge_cancel = wechat_charge_cancel,
    .refund = wechat_refund_do,
    .refund_query = wechat_refund_query,
    .notice = wechat_notice,
    .reply = wechat_reply,
    .keys_due = wechat_keys_due,
    .keys_fetch = wechat_keys_fetch,
    .keys_load = wechat_keys_load,
};
