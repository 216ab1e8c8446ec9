/* read.c - contracts, transactions, refunds and times, as answers and notices have them. */
#include "base/num.h"
#include "base/timefmt.h"
#include "wallet/wechatpay/wechatpay.h"

const struct tape_limits wechat_json = {.bytes = WALLET_ANSWER_BYTES, .values = 8192, .depth = 16, .keys = 256};

/* RFC 3339 5.6 alone: time_parse takes more than that, and a leap second is none that a wallet would pay in. */
bool wechat_time(struct slice text, int64_t *ret_us)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t at = sizeof shape - 1;
    if (text.len < at + 1 || text.len > 40)
        return false;
    for (size_t i = 0; i < at; i++)
        if (shape[i] == 'd' ? !ascii_digit(text.p[i]) : text.p[i] != shape[i])
            return false;
    if (text.p[17] > '5')
        return false;
    if (text.p[at] == '.') {
        size_t digits = ++at;
        while (at < text.len && ascii_digit(text.p[at]))
            at++;
        if (at == digits)
            return false;
    }
    struct slice offset = slice_of(text.p + at, text.len - at);
    bool is_offset = offset.len == 6 && (offset.p[0] == '+' || offset.p[0] == '-') && ascii_digit(offset.p[1]) &&
                     ascii_digit(offset.p[2]) && offset.p[3] == ':' && ascii_digit(offset.p[4]) && ascii_digit(offset.p[5]);
    return (is_offset || slice_eq(offset, SLICE("Z"))) && time_parse(text, ret_us) == KEER_OK;
}

bool wechat_wrong(char why[WALLET_WHY_BYTES], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, WALLET_WHY_BYTES, fmt, ap);
    va_end(ap);
    return false;
}

/* A member of an object that is not null. */
static uint32_t there(const struct tape *t, uint32_t at, const char *name)
{
    uint32_t v = tape_find(t, at, name);
    return v == TAPE_NONE || tape_type(t, v) == TAPE_NULL ? TAPE_NONE : v;
}

bool wechat_member(const struct tape *t, uint32_t at, const char *name, bool need, char *ret, size_t cap)
{
    uint32_t v = there(t, at, name);
    ret[0] = '\0';
    if (v == TAPE_NONE)
        return !need;
    struct slice s = tape_text(t, v);
    if (tape_type(t, v) != TAPE_STRING || s.len >= cap || (need && s.len == 0))
        return false;
    memcpy(ret, s.p, s.len);
    ret[s.len] = '\0';
    return true;
}

/* A member that must be a text of ours. */
static bool is_ours(const struct tape *t, uint32_t at, const char *name, const char *ours)
{
    uint32_t v = there(t, at, name);
    return v != TAPE_NONE && (tape_type(t, v) == TAPE_STRING || tape_type(t, v) == TAPE_INTEGER) &&
           slice_eq(tape_text(t, v), slice_str(ours));
}

/* 0 when it is not there. */
static bool time_member(const struct tape *t, uint32_t at, const char *name, int64_t *ret_us)
{
    uint32_t v = there(t, at, name);
    *ret_us = 0;
    return v == TAPE_NONE ||
           (tape_type(t, v) == TAPE_STRING && (tape_text(t, v).len == 0 || wechat_time(tape_text(t, v), ret_us)));
}

/* An amount in fen, and CNY: named, or not named where it need not be. */
static bool fen(const struct tape *t, uint32_t amount, const char *name, int64_t *ret)
{
    uint32_t v = amount == TAPE_NONE ? TAPE_NONE : there(t, amount, name);
    uint32_t currency = amount == TAPE_NONE ? TAPE_NONE : there(t, amount, "currency");
    if (v == TAPE_NONE || tape_type(t, v) != TAPE_INTEGER || num_i64(tape_text(t, v), 0, NUM_EXACT_MAX, ret) != KEER_OK)
        return false;
    return currency == TAPE_NONE ||
           (tape_type(t, currency) == TAPE_STRING && slice_eq(tape_text(t, currency), SLICE("CNY")));
}

static int word_of(const struct tape *t, const char *name, const char *const *words, size_t count)
{
    uint32_t v = there(t, 0, name);
    for (size_t i = 0; v != TAPE_NONE && tape_type(t, v) == TAPE_STRING && i < count; i++)
        if (slice_eq(tape_text(t, v), slice_str(words[i])))
            return (int)i;
    return -1;
}

bool wechat_contract(const struct wechat *w, const struct tape *t, struct wallet_agreement *ret, char why[WALLET_WHY_BYTES])
{
    static const char *const states[] = {"SIGNED", "TERMINATED"};
    struct wallet_agreement a = {.state = WALLET_AGREEMENT_NORMAL};
    int state = word_of(t, "contract_state", states, ARRAY_LEN(states));
    if (!is_ours(t, 0, "mchid", w->mchid) || !is_ours(t, 0, "appid", w->appid) || !is_ours(t, 0, "plan_id", w->plan_id))
        return wechat_wrong(why, "the contract is of another merchant, app or plan");
    if (state < 0)
        return wechat_wrong(why, "contract_state is neither SIGNED nor TERMINATED");
    if (!wechat_member(t, 0, "out_contract_code", true, a.number, sizeof a.number) ||
        !wechat_member(t, 0, "contract_id", true, a.ref, sizeof a.ref) ||
        !wechat_member(t, 0, "openid", false, a.user, sizeof a.user))
        return wechat_wrong(why, "a contract without out_contract_code or contract_id");
    if (!time_member(t, 0, "contract_signed_time", &a.signed_us) ||
        !time_member(t, 0, "contract_expired_time", &a.valid_until_us))
        return wechat_wrong(why, "a contract with an impossible time");
    uint32_t end = there(t, 0, "contract_terminate_info");
    if (end != TAPE_NONE &&
        (tape_type(t, end) != TAPE_OBJECT || !time_member(t, end, "contract_terminated_time", &a.ended_us)))
        return wechat_wrong(why, "a contract that ended at an impossible time");
    if (state == 1)
        a.state = WALLET_AGREEMENT_STOPPED;
    else
        a.ended_us = 0;
    *ret = a;
    return true;
}

bool wechat_transaction(const struct wechat *w, const struct tape *t, struct wallet_charge *ret, struct slice *ret_desc,
                        char why[WALLET_WHY_BYTES])
{
    static const char *const names[] = {"SUCCESS", "REFUND", "NOTPAY",  "USERPAYING",
                                        "ACCEPT",  "CLOSED", "REVOKED", "PAYERROR"};
    /* REFUND: it was paid, and something of it, how much is not told, was paid back. */
    static const enum wallet_charge_state states[] = {WALLET_CHARGE_PAID,   WALLET_CHARGE_PAID,  WALLET_CHARGE_WAITS,
                                                      WALLET_CHARGE_WAITS,  WALLET_CHARGE_WAITS, WALLET_CHARGE_CLOSED,
                                                      WALLET_CHARGE_CLOSED, WALLET_CHARGE_FAILED};
    static_assert(ARRAY_LEN(names) == ARRAY_LEN(states), "a state for each name");
    struct wallet_charge c = {.currency = CUR_CNY};
    int state = word_of(t, "trade_state", names, ARRAY_LEN(names));
    if (!is_ours(t, 0, "mchid", w->mchid) || !is_ours(t, 0, "appid", w->appid))
        return wechat_wrong(why, "the transaction is of another merchant or app");
    if (state < 0)
        return wechat_wrong(why, "trade_state is none that we know");
    c.state = states[state];
    if (!wechat_member(t, 0, "out_trade_no", true, c.number, sizeof c.number) ||
        !wechat_member(t, 0, "transaction_id", c.state == WALLET_CHARGE_PAID, c.ref, sizeof c.ref) ||
        !wechat_member(t, 0, "contract_id", false, c.agreement, sizeof c.agreement))
        return wechat_wrong(why, "a transaction without out_trade_no or transaction_id");
    uint32_t amount = there(t, 0, "amount");
    bool has = amount != TAPE_NONE && tape_type(t, amount) == TAPE_OBJECT;
    /* What is not paid may come without an amount. */
    if ((has || c.state == WALLET_CHARGE_PAID) && !(has && fen(t, amount, "total", &c.amount_minor)))
        return wechat_wrong(why, "a transaction without its amount in CNY");
    if (!has)
        c.currency = CUR_MAX;
    if (!time_member(t, 0, "success_time", &c.paid_us) || (c.state == WALLET_CHARGE_PAID && c.paid_us == 0))
        return wechat_wrong(why, "a transaction paid at an impossible time");
    uint32_t desc = there(t, 0, "trade_state_desc");
    if (ret_desc)
        *ret_desc = desc != TAPE_NONE && tape_type(t, desc) == TAPE_STRING ? tape_text(t, desc) : SLICE("");
    *ret = c;
    return true;
}

bool wechat_refund(const struct wechat *w, const struct tape *t, bool notice, struct wallet_refund *ret,
                   char why[WALLET_WHY_BYTES])
{
    static const char *const names[] = {"SUCCESS", "PROCESSING", "ABNORMAL", "CLOSED"};
    /* ABNORMAL: the payer's card does not take it; somebody must finish it in the merchant's console, so that it is not
     * over. */
    static const enum wallet_refund_state states[] = {WALLET_REFUND_PAID, WALLET_REFUND_WAITS, WALLET_REFUND_WAITS,
                                                      WALLET_REFUND_FAILED};
    static_assert(ARRAY_LEN(names) == ARRAY_LEN(states), "a state for each name");
    struct wallet_refund r = {.currency = CUR_CNY};
    int state = word_of(t, notice ? "refund_status" : "status", names, ARRAY_LEN(names));
    if (notice && !is_ours(t, 0, "mchid", w->mchid))
        return wechat_wrong(why, "the refund is of another merchant");
    if (state < 0)
        return wechat_wrong(why, "the refund's status is none that we know");
    r.state = states[state];
    if (!wechat_member(t, 0, "out_refund_no", true, r.number, sizeof r.number) ||
        !wechat_member(t, 0, "out_trade_no", true, r.charge, sizeof r.charge) ||
        !wechat_member(t, 0, "refund_id", true, r.ref, sizeof r.ref))
        return wechat_wrong(why, "a refund without out_refund_no, out_trade_no or refund_id");
    uint32_t amount = there(t, 0, "amount");
    if (amount == TAPE_NONE || tape_type(t, amount) != TAPE_OBJECT || !fen(t, amount, "refund", &r.amount_minor))
        return wechat_wrong(why, "a refund without its amount in CNY");
    if (!time_member(t, 0, "success_time", &r.paid_us) || (r.state == WALLET_REFUND_PAID && r.paid_us == 0))
        return wechat_wrong(why, "a refund paid at an impossible time");
    *ret = r;
    return true;
}
