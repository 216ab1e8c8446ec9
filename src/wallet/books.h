/* books.h - how charges and refunds stand in the ledger: the names of its accounts, and the ids of its transfers.
 *
 *     purchase    wallet:<name>:clearing:<cur> ──► store:sales:<cur>                       (debit ──► credit)
 *     top-up      wallet:<name>:clearing:<cur> ──► customer:<account>:held:<cur>
 *     release     customer:<account>:held:<cur> ──► customer:<account>:balance:<cur>
 *     spend       customer:<account>:balance:<cur> ──► store:sales:<cur>
 *     refund      the other way round of the first two; of a top-up that was released, out of its balance
 *     surprise    wallet:<name>:clearing:<cur> ──► suspense:<name>:<cur>, or back: what nobody can explain yet
 *
 * Invariants
 * 1. <cur> is the currency's code in lower case, <account> the 128 bits of the account's id as 32 hexadecimal digits: names
 * of ledger accounts have no upper case.
 * 2. An account's id is a hash of its name, a transfer's id one of its purpose and of what it belongs to: the same thing
 * done again is LEDGER_EXISTS.
 * 3. A customer's accounts are LEDGER_DEBITS_LIMITED: nobody spends what he has not.
 */
#ifndef WALLET_BOOKS_H
#define WALLET_BOOKS_H
#include "ledger/ledger.h"
#include "wallet/connector.h"

enum books_account { BOOKS_CLEARING, BOOKS_SALES, BOOKS_HELD, BOOKS_BALANCE, BOOKS_SUSPENSE };
struct books_of { /* whose; what the account's kind does not need is not looked at */
    const char *wallet;
    const struct id *customer;
    enum currency currency;
};
void books_name(enum books_account account, const struct books_of *of, char ret_name[LEDGER_NAME_BYTES + 1]);
/* The id of an account, which is opened when it is not there. What ledger_open says. */
KEER_NODISCARD enum keer_err books_open(struct db *db, enum books_account account, const struct books_of *of, int64_t now_us,
                                        struct id *ret_id);
/* "reserve", "post", "void", "suspense", ... of a charge, refund or spend. */
void books_transfer_id(const char *purpose, const struct id *of, struct id *ret_id);

/* Applies transfers that must stand: a refusal is KEER_EFORMAT, since what was reserved can always be posted. */
KEER_NODISCARD enum keer_err books_must(struct db *db, const struct ledger_transfer *transfers, unsigned count,
                                        int64_t now_us);
/* Money of the suspense account: `taken`: the wallet has it of the person, and we don't know what for; else it gave it back,
 * and we don't know why. Done already, for another amount too, is fine: it is told in *ret_new. */
struct books_suspense {
    const char *wallet, *purpose, *reason;
    const struct id *of;
    struct slice ref;
    enum currency currency;
    int64_t amount_minor;
    bool taken;
};
KEER_NODISCARD enum keer_err books_suspend(struct db *db, const struct books_suspense *s, int64_t now_us, bool *ret_new);
#endif
