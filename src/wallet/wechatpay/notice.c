/* notice.c - what WeChat Pay tells us: verified, then decrypted, then read. */
#include "base/base64.h"
#include "base/crypto.h"
#include "base/crypto_gcm.h"
#include "wallet/wechatpay/wechatpay.h"

#define PROBE "WECHATPAY/SIGNTEST/"

static enum wallet_verdict garbled(char why[WALLET_WHY_BYTES], const char *text)
{
    (void)snprintf(why, WALLET_WHY_BYTES, "%s", text);
    return WALLET_GARBLED;
}

bool wechat_unseal(const struct wechat *w, const struct tape *t, uint32_t at, struct buf *plain)
{
    char algorithm[32], nonce[32], aad[256];
    struct buf sealed;
    if (at == TAPE_NONE || !wechat_member(t, at, "algorithm", true, algorithm, sizeof algorithm) ||
        strcmp(algorithm, "AEAD_AES_256_GCM") != 0 || !wechat_member(t, at, "nonce", true, nonce, sizeof nonce) ||
        !wechat_member(t, at, "associated_data", false, aad, sizeof aad))
        return false;
    uint32_t v = tape_find(t, at, "ciphertext");
    if (v == TAPE_NONE || tape_type(t, v) != TAPE_STRING)
        return false;
    struct slice text = tape_text(t, v);
    buf_init(&sealed, WALLET_ANSWER_BYTES);
    unsigned char *to = (unsigned char *)buf_reserve(&sealed, text.len);
    struct crypto_gcm gcm = {slice_of(w->apiv3_key, sizeof w->apiv3_key), slice_str(nonce), slice_str(aad)};
    bool ok = to && base64_get(text, text.len, to, &sealed.len) == KEER_OK &&
              crypto_gcm_open(&gcm, buf_view(&sealed), plain) == KEER_OK;
    buf_release(&sealed);
    return ok;
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static enum wallet_verdict read_plain(const struct wechat *w, const char *type, struct slice plain, struct wallet_notice *n,
                                      char why[WALLET_WHY_BYTES])
{
    struct tape t = {0};
    struct tape_error error;
    bool ok = true;
    if (tape_read(&t, plain, &wechat_json, &error) != KEER_OK || tape_type(&t, 0) != TAPE_OBJECT) {
        tape_release(&t);
        return garbled(why, "what was encrypted is no JSON object");
    }
    /* ENTRUST.* of a mainland plan, PAPAY.SIGN and PAPAY.TERMINATE elsewhere. */
    if (begins(type, "ENTRUST.") || begins(type, "PAPAY.SIGN") || begins(type, "PAPAY.TERMINATE")) {
        n->kind = WALLET_NOTICE_AGREEMENT;
        ok = wechat_contract(w, &t, &n->agreement, why);
    } else if (begins(type, "TRANSACTION.") || begins(type, "PAPAY.TRANSACTION.")) {
        n->kind = WALLET_NOTICE_CHARGE;
        ok = wechat_transaction(w, &t, &n->charge, NULL, why);
    } else if (begins(type, "REFUND.")) {
        n->kind = WALLET_NOTICE_REFUND;
        ok = wechat_refund(w, &t, /* notice */ true, &n->refund, why);
    }
    tape_release(&t);
    return ok ? WALLET_GENUINE : WALLET_GARBLED;
}

/* A body that the wallet signed. */
static enum wallet_verdict read_notice(const struct wechat *w, struct slice body, struct wallet_notice *n,
                                       char why[WALLET_WHY_BYTES])
{
    struct tape t = {0};
    struct tape_error error;
    struct buf plain;
    char type[64];
    enum wallet_verdict v = WALLET_GARBLED;
    buf_init(&plain, WALLET_ANSWER_BYTES);
    if (tape_read(&t, body, &wechat_json, &error) != KEER_OK || tape_type(&t, 0) != TAPE_OBJECT)
        (void)garbled(why, "the notice is no JSON object");
    else if (!wechat_member(&t, 0, "id", true, n->id, sizeof n->id) ||
             !wechat_member(&t, 0, "event_type", true, type, sizeof type))
        (void)garbled(why, "a notice without id or event_type");
    else if (!wechat_unseal(w, &t, tape_find(&t, 0, "resource"), &plain))
        (void)garbled(why, "resource can't be decrypted with the APIv3 key");
    else
        v = read_plain(w, type, buf_view(&plain), n, why);
    if (plain.p)
        crypto_wipe(plain.p, plain.len);
    buf_release(&plain);
    tape_release(&t);
    return v;
}

enum wallet_verdict wechat_notice(void *self, const struct wallet_inbound *in, int64_t now_us, struct wallet_notice *ret,
                                  char ret_why[WALLET_WHY_BYTES])
{
    struct wechat_signed s;
    struct wallet_notice n = {.kind = WALLET_NOTICE_OTHER, .charge = {.currency = CUR_MAX}, .refund = {.currency = CUR_MAX}};
    ret_why[0] = '\0';
    if (!wechat_signed_of(in->head, &s)) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "a header of the signature is missing, or there twice");
        return WALLET_FORGED;
    }
    if (s.signature.len >= sizeof PROBE - 1 && memcmp(s.signature.p, PROBE, sizeof PROBE - 1) == 0) {
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "the wallet tests whether signatures are verified");
        return WALLET_PROBE;
    }
    enum wallet_verdict v = wechat_verify(self, &s, in->body, now_us, ret_why);
    if (v == WALLET_GENUINE)
        v = read_notice(self, in->body, &n, ret_why);
    if (v == WALLET_GENUINE)
        *ret = n;
    return v;
}

void wechat_reply(void *self, bool taken, struct wallet_reply *ret)
{
    UNUSED(self);
    *ret = (struct wallet_reply){.status = taken ? 200 : 500, .type = "application/json"};
    (void)snprintf(ret->body, sizeof ret->body, "%s",
                   taken ? "{\"code\":\"SUCCESS\",\"message\":\"\"}" : "{\"code\":\"FAIL\",\"message\":\"not taken\"}");
}
