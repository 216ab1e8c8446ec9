/* wechat_notice_fuzz.c - notices of WeChat Pay: the first byte says which. 'h': a head, then an empty line, then a body, as
 * they came: signed by nobody, never genuine. 'b': a body that the wallet signed. Others: an event type, a line feed, and a
 * text that the wallet encrypted and signed: what is read of it is ours and within bounds.
 */
#include "base/num.h"
#include "lib/wechat_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wechat_kit k;

static bool is_text(const char *text, size_t size) { return memchr(text, '\0', size) != NULL; }

/* What is read is within bounds, or nothing is. */
static void readers(struct slice json)
{
    struct tape t = {0};
    struct tape_error e;
    struct wallet_agreement a;
    struct wallet_charge c;
    struct wallet_refund r;
    struct slice desc;
    char why[WALLET_WHY_BYTES];
    const struct wechat *w = k.self;
    if (tape_read(&t, json, &wechat_json, &e) == KEER_OK && tape_type(&t, 0) == TAPE_OBJECT) {
        if (wechat_contract(w, &t, &a, why))
            ASSERT(a.number[0] && is_text(a.number, sizeof a.number) && a.ref[0] && is_text(a.ref, sizeof a.ref) &&
                   is_text(a.user, sizeof a.user) &&
                   (a.state == WALLET_AGREEMENT_STOPPED || (a.state == WALLET_AGREEMENT_NORMAL && a.ended_us == 0)));
        if (wechat_transaction(w, &t, &c, &desc, why))
            ASSERT(c.number[0] && is_text(c.number, sizeof c.number) && is_text(c.ref, sizeof c.ref) &&
                   c.amount_minor >= 0 && c.amount_minor <= NUM_EXACT_MAX &&
                   (c.state != WALLET_CHARGE_PAID || (c.currency == CUR_CNY && c.paid_us != 0 && c.ref[0])));
        for (int notice = 0; notice < 2; notice++)
            if (wechat_refund(w, &t, notice == 1, &r, why))
                ASSERT(r.number[0] && r.charge[0] && r.ref[0] && r.currency == CUR_CNY && r.amount_minor >= 0 &&
                       (r.state != WALLET_REFUND_PAID || r.paid_us != 0));
    }
    tape_release(&t);
}

static void take(struct slice head, struct slice body, bool is_signed)
{
    struct wallet_notice n;
    char why[WALLET_WHY_BYTES];
    struct wallet_inbound in = {.method = "POST", .path = SLICE("/n"), .head = head, .body = body};
    enum wallet_verdict v = wallet_wechatpay.notice(k.self, &in, WK_NOW_US, &n, why);
    ASSERT(is_signed ? v == WALLET_GENUINE || v == WALLET_GARBLED : v == WALLET_FORGED || v == WALLET_PROBE);
    if (v != WALLET_GENUINE) {
        ASSERT(why[0] && is_text(why, sizeof why));
        return;
    }
    ASSERT(n.kind < WALLET_NOTICE_KIND_MAX && n.id[0] && is_text(n.id, sizeof n.id));
    if (n.kind == WALLET_NOTICE_AGREEMENT)
        ASSERT(n.agreement.state < WALLET_AGREEMENT_STATE_MAX && n.agreement.number[0] &&
               is_text(n.agreement.number, sizeof n.agreement.number) && n.agreement.ref[0]);
    if (n.kind == WALLET_NOTICE_CHARGE)
        ASSERT(n.charge.state < WALLET_CHARGE_STATE_MAX && n.charge.number[0] && n.charge.amount_minor >= 0 &&
               (n.charge.state != WALLET_CHARGE_PAID || (n.charge.currency == CUR_CNY && n.charge.paid_us != 0)));
    if (n.kind == WALLET_NOTICE_REFUND)
        ASSERT(n.refund.state < WALLET_REFUND_STATE_MAX && n.refund.number[0] && n.refund.amount_minor >= 0 &&
               n.refund.currency == CUR_CNY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf head, body, text;
    if (size < 1 || size > 20000)
        return 0;
    if (!k.self) {
        wk_start(&k);
        wk_open(&k);
        scratch_remove(&k.s);
    }
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    buf_init(&head, 1u << 20);
    buf_init(&body, 1u << 20);
    buf_init(&text, 1u << 20);
    if (data[0] == 'h') {
        const char *gap = memmem(rest.p, rest.len, "\n\n", 2);
        size_t len = gap ? (size_t)(gap - rest.p) + 1 : rest.len;
        take(slice_of(rest.p, len), gap ? slice_of(gap + 2, rest.len - len - 1) : slice_of(NULL, 0), false);
    } else if (data[0] == 'r') {
        readers(rest);
    } else if (data[0] == 'b') {
        wk_head(&k, WK_SIGNED, rest, &head);
        take(buf_view(&head), rest, true);
    } else {
        char type[65] = "";
        struct slice t = slice_cut(&rest, '\n');
        buf_slice(&text, rest);
        for (size_t i = 0; i < t.len && i < sizeof type - 1; i++)
            type[i] = (t.p[i] >= 'A' && t.p[i] <= 'Z') || t.p[i] == '.' || t.p[i] == '_' ? t.p[i] : 'X';
        if (text.len && memchr(text.p, '\0', text.len) == NULL) {
            wk_notice(type, WK_APIV3, text.p, &body);
            wk_head(&k, WK_SIGNED, buf_view(&body), &head);
            take(buf_view(&head), buf_view(&body), true);
        }
    }
    buf_release(&head);
    buf_release(&body);
    buf_release(&text);
    return 0;
}
