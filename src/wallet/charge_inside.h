/* charge_inside.h - what charge.c, charge_settle.c and refund.c share. */
#ifndef WALLET_CHARGE_INSIDE_H
#define WALLET_CHARGE_INSIDE_H
#include "store/query.h"
#include "wallet/books.h"
#include "wallet/charge.h"

static_assert(CHARGE_CREATED == 0 && CHARGE_NEEDS_STEP == 1 && CHARGE_SUBMITTED == 2 && CHARGE_UNKNOWN == 3 &&
                  CHARGE_PAID == 4 && CHARGE_FAILED == 5 && CHARGE_REFUSED == 6 && CHARGE_CANCELLED == 7,
              "numbers of the statements");

/* "code" or "code: words". */
void charge_why_print(enum charge_why why, const char *words, char ret_text[WALLET_WHY_BYTES + 1]);
/* No wait before an asking is longer: what is due later than that was written before the clock was set back, and is due now. */
#define ASK_MAX_US (60 * INT64_C(1000000))
/* No row that waits is due later than that: one that says so was written before the clock was set back. */
static inline int64_t ask_latest(int64_t now_us)
{
    return now_us > INT64_MAX - ASK_MAX_US ? INT64_MAX : now_us + ASK_MAX_US;
}
/* 32 letters and digits. */
void wallet_number_make(char ret_number[WALLET_NUMBER_BYTES + 1]);
/* A top-up's hold, when its money has come; released at once when `until_us` is not in the future. */
enum keer_err balance_hold(struct db *db, const struct charge *c, int64_t amount_minor, int64_t until_us, int64_t now_us);
/* Held money that becomes the customer's balance: a hold that is over, or a refund out of it that failed afterwards. */
struct balance_move {
    const char *purpose; /* of the transfer's id */
    const struct id *of, *account, *agreement;
    int64_t amount_minor; /* 0: nothing is done */
    enum currency currency;
};
enum keer_err balance_free(struct db *db, const struct balance_move *m, int64_t now_us);
/* What the wallet says it gave back beyond our own refunds, as a query's sum: refund.c. */
enum keer_err refund_seen(struct db *db, struct charge *c, int64_t refunded_minor, int64_t now_us);
#endif
