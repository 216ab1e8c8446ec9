/* books.c - how charges and refunds stand in the ledger. */
#include "wallet/books.h"

#include "base/base64.h"

static void put_lower(const char *text, char ret_text[8])
{
    size_t i = 0;
    for (; text[i] && i < 7; i++)
        ret_text[i] = ascii_lower(text[i]);
    ret_text[i] = '\0';
}

/* The id's 128 bits, since base64url tells upper from lower case and names of ledger accounts don't. */
static void put_customer(const struct id *id, char ret_text[33])
{
    unsigned char bytes[16] = {0};
    enum keer_err err = base64url_get_exact(id_slice(id), sizeof bytes, bytes);
    ASSERT(err == KEER_OK); /* an id is of that form */
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

void books_name(enum books_account account, const struct books_of *of, char ret_name[LEDGER_NAME_BYTES + 1])
{
    char cur[8], customer[33];
    put_lower(currency_code(of->currency), cur);
    switch (account) {
    case BOOKS_CLEARING: (void)snprintf(ret_name, LEDGER_NAME_BYTES + 1, "wallet:%s:clearing:%s", of->wallet, cur); return;
    case BOOKS_SUSPENSE: (void)snprintf(ret_name, LEDGER_NAME_BYTES + 1, "suspense:%s:%s", of->wallet, cur); return;
    case BOOKS_SALES: (void)snprintf(ret_name, LEDGER_NAME_BYTES + 1, "store:sales:%s", cur); return;
    case BOOKS_HELD:
    case BOOKS_BALANCE:
        put_customer(of->customer, customer);
        (void)snprintf(ret_name, LEDGER_NAME_BYTES + 1, "customer:%s:%s:%s", customer,
                       account == BOOKS_HELD ? "held" : "balance", cur);
        return;
    }
}

enum keer_err books_open(struct db *db, enum books_account account, const struct books_of *of, int64_t now_us,
                         struct id *ret_id)
{
    struct ledger_account a = {.currency = of->currency,
                               .flags = account == BOOKS_HELD || account == BOOKS_BALANCE ? LEDGER_DEBITS_LIMITED : 0};
    struct crypto_hash hash;
    books_name(account, of, a.name);
    crypto_sha256(SLICE("keersluis ledger account"), &hash);
    crypto_sha256_add(&hash, slice_str(a.name));
    id_of_hash(&hash, &a.id);
    enum keer_err err = ledger_open(db, &a, now_us);
    if (err == KEER_OK)
        *ret_id = a.id;
    return err;
}

void books_transfer_id(const char *purpose, const struct id *of, struct id *ret_id)
{
    struct crypto_hash hash;
    crypto_sha256(SLICE("keersluis transfer"), &hash);
    crypto_sha256_add(&hash, slice_str(purpose));
    crypto_sha256_add(&hash, id_slice(of));
    id_of_hash(&hash, ret_id);
}

enum keer_err books_must(struct db *db, const struct ledger_transfer *transfers, unsigned count, int64_t now_us)
{
    enum ledger_result results[LEDGER_LINKED_MAX];
    bool done = false;
    enum keer_err err = ledger_apply(db, transfers, count, now_us, results, &done);
    return err == KEER_OK && !done ? KEER_EFORMAT : err;
}

enum keer_err books_suspend(struct db *db, const struct books_suspense *s, int64_t now_us, bool *ret_new)
{
    struct books_of of = {.wallet = s->wallet, .currency = s->currency};
    struct ledger_transfer t = {.kind = LEDGER_TRANSFER, .currency = s->currency, .amount_minor = s->amount_minor}, there;
    struct id clearing, suspense;
    books_transfer_id(s->purpose, s->of, &t.id);
    enum keer_err err = ledger_find(db, &t.id, &there);
    if (err != KEER_EMISSING) {
        if (err == KEER_OK)
            *ret_new = false;
        return err;
    }
    err = books_open(db, BOOKS_CLEARING, &of, now_us, &clearing);
    if (err == KEER_OK)
        err = books_open(db, BOOKS_SUSPENSE, &of, now_us, &suspense);
    if (err != KEER_OK)
        return err;
    t.debit = s->taken ? clearing : suspense;
    t.credit = s->taken ? suspense : clearing;
    (void)snprintf(t.ref, sizeof t.ref, SLICE_FMT, SLICE_ARG(s->ref));
    (void)snprintf(t.reason, sizeof t.reason, "%s", s->reason);
    err = books_must(db, &t, 1, now_us);
    if (err == KEER_OK)
        *ret_new = true;
    return err;
}
