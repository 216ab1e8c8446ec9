/* pay_notice.c - what a wallet's notice says of a charge or refund. It was verified; whether it is ours is found here. */
#include "base/timefmt.h"
#include "flow/pay.h"
#include "wallet/books.h"

/* Money under a number that was never given out. */
static enum keer_err unknown_number(struct db *db, struct pay_case *c, const char *number, int64_t amount_minor,
                                    enum currency currency, bool taken)
{
    struct crypto_hash hash;
    struct id of;
    char reason[LEDGER_REASON_BYTES + 1];
    bool fresh = false;
    if (amount_minor <= 0 || currency == CUR_MAX)
        return KEER_OK;
    crypto_sha256(slice_str(c->wallet), &hash);
    crypto_sha256_add(&hash, slice_str(number));
    id_of_hash(&hash, &of);
    (void)snprintf(reason, sizeof reason, "%s: %.32s", surprise_name(SURPRISE_UNKNOWN_NUMBER), number);
    for (char *p = reason; *p; p++) /* it is somebody else's text */
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    struct books_suspense b = {.wallet = c->wallet,
                               .purpose = taken ? "unknown" : "unknown refund",
                               .reason = reason,
                               .of = &of,
                               .currency = currency,
                               .amount_minor = amount_minor,
                               .taken = taken};
    enum keer_err err = books_suspend(db, &b, c->now_us, &fresh);
    c->surprise = SURPRISE_UNKNOWN_NUMBER;
    return err == KEER_OK ? surprise_add(db, c->wallet, number, c->notice->kind, SURPRISE_UNKNOWN_NUMBER, "", c->now_us)
                          : err;
}

/* The number is ours: so must be the agreement. Else only asking settles. */
static enum keer_err check_agreement(struct db *db, struct pay_case *c, struct charge_said *said)
{
    struct agreement a;
    const char *ref = c->notice->charge.agreement;
    if (!ref[0])
        return KEER_OK;
    enum keer_err err = agreement_get(db, c->p->steps->guard.key, &c->charge.agreement, &a);
    if (err == KEER_OK && a.ref[0] && strcmp(a.ref, ref) != 0) {
        said->answer = WALLET_UNKNOWN;
        said->why.reason = WALLET_GARBLED_ANSWER;
        c->surprise = SURPRISE_OTHER_CHARGE;
        err = surprise_add(db, c->wallet, c->charge.number, WALLET_NOTICE_CHARGE, SURPRISE_OTHER_CHARGE, "another agreement",
                           c->now_us);
    }
    agreement_wipe(&a);
    return err;
}

static enum keer_err take_charge(struct db *db, struct pay_case *c)
{
    const struct wallet_charge *w = &c->notice->charge;
    struct charge_said said = {.way = CHARGE_BY_NOTICE, .answer = WALLET_YES, .charge = *w};
    enum keer_err err = charge_by_number(db, c->wallet, w->number, &c->charge);
    if (err == KEER_EMISSING)
        return w->state == WALLET_CHARGE_PAID
                   ? unknown_number(db, c, w->number, w->amount_minor, w->currency, /* taken */ true)
                   : KEER_OK;
    if (err == KEER_OK)
        err = check_agreement(db, c, &said);
    if (err == KEER_OK)
        err = charge_settle(db, &c->p->terms, &said, c->now_us, &c->charge, &c->settled);
    return err == KEER_OK ? pay_tell(db, c->p, &c->charge, c->now_us) : err;
}

/* How much a refund of the wallet's own was, where its notice tells only what all of the charge come to. */
static void find_amount(const struct wallet_notice *n, const struct charge *c, struct wallet_refund *w)
{
    int64_t more = n->charge.refunded_minor - c->refunded_minor - c->refunding_minor;
    if (!w->amount_minor && strcmp(n->charge.number, c->number) == 0)
        w->amount_minor = MAX_OF(more, 0);
}

static enum keer_err take_refund(struct db *db, struct pay_case *c)
{
    struct wallet_refund told = c->notice->refund, *w = &told;
    struct refund_said said = {.way = CHARGE_BY_NOTICE, .answer = WALLET_YES, .refund = *w};
    struct refund r;
    enum keer_err err = refund_by_number(db, c->wallet, w->number, &r);
    if (err == KEER_OK)
        return refund_settle(db, &c->p->terms, &said, c->now_us, &r, &c->settled);
    if (err == KEER_EMISSING)
        err = charge_by_number(db, c->wallet, w->charge, &c->charge);
    if (err == KEER_OK) {
        find_amount(c->notice, &c->charge, w);
        return refund_by_wallet(db, &c->charge, w, c->now_us);
    }
    return err == KEER_EMISSING && w->state == WALLET_REFUND_PAID
               ? unknown_number(db, c, w->number[0] ? w->number : w->charge, w->amount_minor, w->currency, /* taken */ false)
           : err == KEER_EMISSING ? KEER_OK
                                  : err;
}

static void print_detail(const struct wallet_notice *n, char ret_text[128])
{
    static const char *const charges[] = {"none", "waits", "paid", "failed", "closed"};
    static const char *const refunds[] = {"none", "waits", "paid", "failed"};
    static_assert(ARRAY_LEN(charges) == WALLET_CHARGE_STATE_MAX && ARRAY_LEN(refunds) == WALLET_REFUND_STATE_MAX, "names");
    bool refund = n->kind == WALLET_NOTICE_REFUND;
    enum currency currency = refund ? n->refund.currency : n->charge.currency;
    (void)snprintf(ret_text, 128, "%s %lld %s", refund ? refunds[n->refund.state] : charges[n->charge.state],
                   (long long)(refund ? n->refund.amount_minor : n->charge.amount_minor),
                   currency == CUR_MAX ? "" : currency_code(currency));
}

enum keer_err pay_notice(struct db *db, void *ctx)
{
    struct pay_case *c = ctx;
    char detail[128];
    const struct wallet_notice *n = c->notice;
    ASSERT(n->kind == WALLET_NOTICE_CHARGE || n->kind == WALLET_NOTICE_REFUND);
    bool refund = n->kind == WALLET_NOTICE_REFUND;
    print_detail(n, detail);
    struct wallet_event e = {.wallet = c->wallet,
                             .notice = n->id,
                             .number = refund ? n->refund.number : n->charge.number,
                             .kind = n->kind,
                             .detail = detail};
    enum keer_err err = wallet_event_add(db, &e, c->now_us, &c->fresh);
    if (err != KEER_OK || !c->fresh)
        return err;
    return refund ? take_refund(db, c) : take_charge(db, c);
}
