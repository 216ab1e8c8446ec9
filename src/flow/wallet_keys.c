/* wallet_keys.c - the timer that asks wallets for the keys that they change, and what is kept of them. */
#include "flow/wallet_keys.h"

#include "base/timefmt.h"
#include "wallet/kept.h"

enum keer_err wallet_keys_start(const struct wallet_keys *k, struct db *db, int64_t now_us, const struct log *log)
{
    char why[WALLET_WHY_BYTES];
    struct buf kept;
    int64_t at_us = 0;
    buf_init(&kept, WALLET_ANSWER_BYTES);
    enum keer_err err = wallet_kept_read(db, wallet_name(k->wallet), &kept, &at_us);
    if (err == KEER_OK) {
        err = wallet_keys_load(k->wallet, buf_view(&kept), at_us, now_us, why);
        if (err == KEER_OK)
            log_put(log, LOG_INFO, "wallet %s: its certificates are those that it gave out before", wallet_name(k->wallet));
        else if (err == KEER_EFORMAT)
            log_put(log, LOG_WARNING, "wallet %s: the certificates that were kept are not taken, and asked for again: %s",
                    wallet_name(k->wallet), why);
    }
    buf_release(&kept);
    return err == KEER_EIO || err == KEER_ENOMEM ? err : KEER_OK;
}

struct keeping {
    const char *wallet;
    struct slice kept;
    int64_t now_us;
};
static enum keer_err keep(struct db *db, void *ctx)
{
    const struct keeping *k = ctx;
    return wallet_kept_write(db, k->wallet, k->kept, k->now_us);
}

void wallet_keys_tick(struct desk_worker *w, void *ctx)
{
    const struct wallet_keys *k = ctx;
    const char *name = wallet_name(k->wallet);
    struct wallet_why why;
    struct buf kept;
    if (!wallet_keys_due(k->wallet, desk_wall_us(w)))
        return;
    buf_init(&kept, WALLET_ANSWER_BYTES);
    enum wallet_answer answer = wallet_keys_fetch(k->wallet, k->calls, &kept, &why);
    struct keeping keeping = {.wallet = name, .kept = buf_view(&kept), .now_us = desk_wall_us(w)};
    enum keer_err err = answer == WALLET_YES ? desk_write(w, keep, &keeping) : KEER_OK;
    if (answer == WALLET_YES)
        log_put(desk_log(w), LOG_INFO, "wallet %s gave out its certificates: %s", name, why.text);
    else
        log_put(desk_log(w), LOG_WARNING,
                "wallet %s: its certificates can't be had (%s %s %s); those that are known stay in use, each for its time",
                name, wallet_reason_name(why.reason), why.code, why.text);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED) /* unsupported: it starts or stops */
        log_put(desk_log(w), LOG_ERROR, "wallet %s: its certificates can't be kept: %s", name, keer_err_text(err));
    buf_release(&kept);
}
