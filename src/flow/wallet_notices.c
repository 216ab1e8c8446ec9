/* wallet_notices.c - what wallets send. */
#include "flow/wallet_notices.h"

#include "flow/notifier.h"

static enum keer_err take(const struct wallet_notices *n, struct desk_worker *w, struct wallet *wallet,
                          const struct wallet_notice *notice, enum surprise *ret_surprise)
{
    struct pay_case c = {.p = n->p, .now_us = desk_wall_us(w), .notice = notice, .wallet = wallet_name(wallet)};
    enum keer_err err = KEER_OK;
    switch (notice->kind) {
    case WALLET_NOTICE_CHARGE:
    case WALLET_NOTICE_REFUND:
        err = desk_write(w, pay_notice, &c);
        if (err == KEER_OK && c.charge.paid_now)
            notifier_wake(n->p->steps->accounts->notifier);
        break;
    case WALLET_NOTICE_AGREEMENT: err = n->agreement(n->agreement_ctx, w, wallet, notice); break;
    case WALLET_NOTICE_OTHER: break;
    case WALLET_NOTICE_KIND_MAX: return KEER_EFORMAT;
    }
    *ret_surprise = c.surprise;
    return err;
}

void wallet_notices_take(const struct wallet_notices *n, struct desk_worker *w, struct wallet *wallet,
                         const struct wallet_inbound *in, struct wallet_noticed *ret)
{
    struct wallet_notice notice = {.charge = {.currency = CUR_MAX}, .refund = {.currency = CUR_MAX}};
    *ret = (struct wallet_noticed){.surprise = SURPRISE_NONE};
    ret->verdict = wallet_notice(wallet, in, desk_wall_us(w), &notice, ret->why);
    if (ret->verdict == WALLET_GENUINE)
        ret->taken = take(n, w, wallet, &notice, &ret->surprise) == KEER_OK;
    wallet_driver(wallet)->reply(wallet_self(wallet), ret->taken, &ret->reply);
    if (ret->surprise != SURPRISE_NONE)
        log_put(desk_log(w), LOG_WARNING, "wallet %s: %s", wallet_name(wallet), surprise_what(ret->surprise));
    crypto_wipe(&notice, sizeof notice); /* Antom's codes open agreements */
}
