/* wechatpay_notice.c - WeChat Pay's objects as JSON, its signatures, and its encrypted notices. */
#include "base/base64.h"
#include "base/crypto.h"
#include "base/crypto_gcm.h"
#include "emulator/wechatpay.h"

void em_wechat_sign(struct emulator *e, const struct em_platform *platform, struct slice body, bool bad, struct buf *headers)
{
    struct buf text;
    unsigned char bytes[16];
    char nonce[33];
    long long now = (long long)(em_now(e) / US_SECOND);
    crypto_random(bytes, sizeof bytes);
    em_hex(bytes, sizeof bytes, nonce);
    buf_init(&text, SERVER_BODY_BYTES);
    buf_fmt(&text, "%lld\n%s\n", now, nonce);
    em_lines(&body, 1, &text);
    buf_fmt(headers,
            "Request-ID: 08%s\r\nWechatpay-Timestamp: %lld\r\nWechatpay-Nonce: %s\r\nWechatpay-Serial: %s\r\n"
            "Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\r\nWechatpay-Signature: ",
            nonce, now, nonce, platform->serial);
    em_sign(platform->key, buf_view(&text), bad, headers);
    buf_puts(headers, "\r\n");
    buf_release(&text);
}

void em_wechat_seal(struct emulator *e, const char *aad, struct slice plain, struct buf *b)
{
    struct buf sealed;
    unsigned char bytes[6];
    char nonce[CRYPTO_GCM_NONCE_BYTES + 1];
    crypto_random(bytes, sizeof bytes);
    em_hex(bytes, sizeof bytes, nonce);
    struct crypto_gcm gcm = {slice_of(e->keys.v3key, EM_V3KEY_BYTES), slice_of(nonce, CRYPTO_GCM_NONCE_BYTES),
                             slice_str(aad)};
    buf_init(&sealed, SERVER_BODY_BYTES);
    if (crypto_gcm_seal(&gcm, plain, &sealed) != KEER_OK)
        b->err = KEER_ENOMEM;
    buf_fmt(b, "{\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":\"%s\",\"associated_data\":\"%s\",\"ciphertext\":\"", nonce,
            aad);
    base64_put(b, buf_view(&sealed));
    buf_char(b, '"');
    buf_release(&sealed);
}

/* --- objects --- */

static void put_time(struct buf *b, const char *name, int64_t us)
{
    if (!us)
        return;
    buf_fmt(b, ",\"%s\":\"", name);
    em_time_cn(b, us, true);
    buf_char(b, '"');
}

static void put_text(struct buf *b, const char *name, const char *value)
{
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, slice_str(value));
}

void em_wechat_put_contract(const struct em_agreement *a, struct buf *b)
{
    buf_fmt(b, "{\"mchid\":\"" EM_MCHID "\",\"appid\":\"" EM_APPID "\",\"plan_id\":" EM_PLAN_ID ",\"contract_id\":\"%s\"",
            a->ref);
    put_text(b, "out_contract_code", a->number);
    put_text(b, "contract_display_account", a->shown);
    put_text(b, "contract_state", a->state == EM_NORMAL ? "SIGNED" : "TERMINATED");
    put_time(b, "contract_signed_time", a->signed_us);
    put_time(b, "contract_expired_time", a->signed_us + 3650 * US_DAY);
    buf_fmt(b, ",\"openid\":\"o-%s\"", a->payer);
    put_text(b, "out_user_code", a->scene);
    if (a->state == EM_STOPPED) {
        buf_fmt(b, ",\"contract_terminate_info\":{\"contract_termination_mode\":\"%s\"",
                a->by_person ? "USER_TERMINATE" : "MERCHANT_TERMINATE");
        put_time(b, "contract_terminated_time", a->ended_us);
        put_text(b, "contract_termination_remark", a->remark);
        buf_char(b, '}');
    }
    buf_char(b, '}');
}

static const char *trade_state(const struct em_charge *c)
{
    switch (c->state) {
    case EM_CHARGE_WAITS: return "ACCEPT";
    case EM_CHARGE_PAID: return c->refunded_minor ? "REFUND" : "SUCCESS";
    case EM_CHARGE_FAILED: return "PAYERROR";
    case EM_CHARGE_CLOSED: return c->refunded_minor ? "REFUND" : "CLOSED";
    }
    return "";
}

void em_wechat_put_transaction(const struct em_charge *c, struct buf *b)
{
    bool paid = c->state == EM_CHARGE_PAID || c->refunded_minor;
    buf_fmt(b, "{\"mchid\":\"" EM_MCHID "\",\"appid\":\"" EM_APPID "\",\"out_trade_no\":\"%s\",\"trade_state\":\"%s\"",
            c->number, trade_state(c));
    put_text(b, "trade_state_desc",
             paid                          ? "支付成功"
             : c->code[0]                  ? c->code
             : c->state == EM_CHARGE_WAITS ? "已接收，等待扣款"
                                           : "已关闭");
    buf_puts(b, ",\"trade_type\":\"PAP\",\"bank_type\":\"OTHERS\",\"attach\":\"\"");
    if (paid)
        put_text(b, "transaction_id", c->ref);
    put_text(b, "contract_id", c->agreement);
    if (paid) {
        put_time(b, "success_time", c->done_us);
        buf_fmt(b, ",\"payer\":{\"openid\":\"o-%s\"}", c->payer);
    }
    long long minor = (long long)(paid ? c->taken_minor : c->asked_minor);
    buf_fmt(b, ",\"amount\":{\"total\":%lld,\"payer_total\":%lld,\"currency\":\"CNY\",\"payer_currency\":\"CNY\"}}", minor,
            minor);
}

void em_wechat_put_refund(const struct em_refund *r, const struct em_charge *c, bool notice, struct buf *b)
{
    static const char *const states[] = {"PROCESSING", "SUCCESS", "ABNORMAL"};
    buf_fmt(b, "{\"refund_id\":\"%s\",\"out_refund_no\":\"%s\",\"transaction_id\":\"%s\",\"out_trade_no\":\"%s\"", r->ref,
            r->number, c->ref, r->charge);
    put_text(b, notice ? "refund_status" : "status", states[r->state]);
    put_text(b, "user_received_account", "支付用户零钱");
    if (r->state == EM_REFUND_PAID)
        put_time(b, "success_time", r->done_us);
    long long total = (long long)c->taken_minor, minor = (long long)r->minor;
    if (notice) {
        buf_fmt(b,
                ",\"mchid\":\"" EM_MCHID
                "\",\"amount\":{\"total\":%lld,\"refund\":%lld,\"payer_total\":%lld,\"payer_refund\":%lld}}",
                total, minor, total, minor);
        return;
    }
    put_time(b, "create_time", r->made_us);
    buf_fmt(b,
            ",\"channel\":\"ORIGINAL\",\"funds_account\":\"AVAILABLE\",\"amount\":{\"total\":%lld,\"refund\":%lld,\"payer_"
            "total\":%lld,"
            "\"payer_refund\":%lld,\"settlement_refund\":%lld,\"settlement_total\":%lld,\"discount_refund\":0,\"currency\":"
            "\"CNY\"}}",
            total, minor, total, minor, minor, total);
}

/* --- notices --- */

static const char *event_of(const struct em_notice *n)
{
    switch (n->kind) {
    case EM_NOTICE_AGREEMENT: return n->agreement.state == EM_STOPPED ? "PAPAY.TERMINATE" : "PAPAY.SIGN";
    case EM_NOTICE_CHARGE:
        return n->charge.state == EM_CHARGE_PAID     ? "TRANSACTION.SUCCESS"
               : n->charge.state == EM_CHARGE_FAILED ? "TRANSACTION.PAY_ERROR"
                                                     : "TRANSACTION.CLOSED";
    case EM_NOTICE_REFUND: return n->refund.state == EM_REFUND_PAID ? "REFUND.SUCCESS" : "REFUND.ABNORMAL";
    }
    return "";
}

void em_wechatpay_letter(struct emulator *e, const struct em_notice *n, bool bad, struct em_letter *l)
{
    static const char *const types[] = {"papay", "transaction", "refund"};
    struct buf plain;
    struct hash_key key = {e->o.seed, 4};
    const char *id = n->id;
    buf_init(&plain, 65536);
    if (n->kind == EM_NOTICE_AGREEMENT)
        em_wechat_put_contract(&n->agreement, &plain);
    else if (n->kind == EM_NOTICE_CHARGE)
        em_wechat_put_transaction(&n->charge, &plain);
    else
        em_wechat_put_refund(&n->refund, &n->charge, /* notice */ true, &plain);
    buf_fmt(&l->body, "{\"id\":\"%.8s-%.4s-%.4s-%.4s-%.12s\",\"create_time\":\"", id, id + 8, id + 12, id + 16, id + 20);
    em_time_cn(&l->body, em_now(e), true);
    buf_fmt(&l->body,
            "\",\"event_type\":\"%s\",\"resource_type\":\"encrypt-resource\",\"summary\":\"%s\",\"resource\":", event_of(n),
            event_of(n));
    em_wechat_seal(e, types[n->kind], buf_view(&plain), &l->body);
    buf_fmt(&l->body, ",\"original_type\":\"%s\"}}", types[n->kind]);
    l->type = "application/json";
    em_wechat_sign(e, em_platform(&e->keys, hash_bytes(key, id, strlen(id)).lo), buf_view(&l->body), bad, &l->headers);
    if (n->probe) { /* the first bytes of the base64 say what it is, as the wallet's probes do */
        static const char probe[] = "WECHATPAY/SIGNTEST/";
        static const char name[] = "Wechatpay-Signature: ";
        char *at = memmem(l->headers.p, l->headers.len, name, strlen(name));
        if (at)
            memcpy(at + strlen(name), probe, strlen(probe));
    }
    if (plain.err != KEER_OK)
        l->body.err = plain.err;
    buf_release(&plain);
}
