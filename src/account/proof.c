/* proof.c - numbers that were sent to an address. */
#include "account/proof.h"

#include "store/query.h"

void proof_digits(const struct crypto_hash *key, const struct id *proof, char ret_digits[PROOF_DIGITS + 1])
{
    struct crypto_hash mac;
    const struct slice parts[] = {SLICE("keer proof 1"), id_slice(proof)};
    uint64_t number = 0;
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), parts, ARRAY_LEN(parts), &mac);
    for (unsigned i = 0; i < 8; i++) /* 64 bits: one number in 10^8 is no likelier than another by more than 10^-11 */
        number = number << 8 | mac.bytes[i];
    (void)snprintf(ret_digits, PROOF_DIGITS + 1, "%08u", (unsigned)(number % 100000000u));
    crypto_wipe(&mac, sizeof mac);
}

enum keer_err proof_ask(struct db *db, const struct proof_new *n, int64_t now_us, struct id *ret_id)
{
    struct id id;
    /* Anybody who knows an address begins a sign-up or a recovery with it: that must not end the code that its owner waits
     * for. Each is for its own flow alone. */
    bool anybodys = n->purpose == PROOF_SIGN_UP || n->purpose == PROOF_RECOVERY;
    enum keer_err err =
        anybodys ? KEER_OK
                 : QUERY_DO(db,
                            "UPDATE proof SET used_us = $1 WHERE kind = $2 AND value = $3 AND purpose = $4 AND account = $5"
                            " AND used_us = 0",
                            Q_NUMBER(now_us), Q_NUMBER(n->address.kind), Q_STR(n->address.text), Q_NUMBER(n->purpose),
                            Q_ID(&n->account));
    if (err != KEER_OK)
        return err;
    id_make(&id);
    err = QUERY_DO(db,
                   "INSERT INTO proof (id, account, purpose, kind, value, decoy, created_us, ends_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                   Q_ID(&id), Q_ID(&n->account), Q_NUMBER(n->purpose), Q_NUMBER(n->address.kind), Q_STR(n->address.text),
                   Q_NUMBER(n->decoy), Q_NUMBER(now_us), Q_NUMBER(now_us + PROOF_VALID_US));
    if (err == KEER_OK)
        *ret_id = id;
    return err;
}

enum keer_err proof_find(struct db *db, const struct proof_new *n, int64_t now_us, struct id *ret_id)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT id FROM proof WHERE kind = $1 AND value = $2 AND purpose = $3 AND account = $4"
                                  " AND used_us = 0 AND ends_us > $5",
                                  Q_NUMBER(n->address.kind), Q_STR(n->address.text), Q_NUMBER(n->purpose), Q_ID(&n->account),
                                  Q_NUMBER(now_us));
    if (err != KEER_OK)
        return err;
    err = query_id(s, 0, ret_id);
    db_free(s);
    return err;
}

/* The digits of what was typed, in constant time for whoever typed eight; anything else is no answer. */
static bool right(const struct crypto_hash *key, const struct id *id, struct slice typed)
{
    char want[PROOF_DIGITS + 1], got[PROOF_DIGITS];
    unsigned n = 0, differ = 0;
    for (size_t i = 0; i < typed.len; i++) {
        if (ascii_digit(typed.p[i]) && n < PROOF_DIGITS)
            got[n++] = typed.p[i];
        else if (typed.p[i] != ' ' && typed.p[i] != '-')
            return false;
    }
    proof_digits(key, id, want);
    for (unsigned i = 0; i < n; i++)
        differ |= (unsigned)(want[i] ^ got[i]);
    crypto_wipe(want, sizeof want);
    return n == PROOF_DIGITS && differ == 0;
}

static enum keer_err take(struct db_stmt *s, struct proof *p, bool *ret_decoy)
{
    int64_t purpose = db_i64(s, 2), kind = db_i64(s, 3);
    *p = (struct proof){.created_us = db_i64(s, 6), .ends_us = db_i64(s, 7)};
    if (purpose < 0 || purpose >= PROOF_PURPOSE_MAX || kind < 0 || kind >= IDENTIFIER_KIND_MAX)
        return KEER_EFORMAT;
    p->purpose = (enum proof_purpose)purpose;
    p->address.kind = (enum identifier_kind)kind;
    *ret_decoy = db_i64(s, 5) != 0;
    enum keer_err err = query_id(s, 0, &p->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &p->account);
    return err == KEER_OK ? query_text(s, 4, p->address.text, sizeof p->address.text) : err;
}

enum keer_err proof_check(struct db *db, const struct crypto_hash *key, const struct id *id, enum proof_purpose purpose,
                          struct slice digits, int64_t now_us, struct proof *ret_proof, enum proof_verdict *ret_verdict)
{
    struct db_stmt *s;
    struct proof p;
    bool decoy = false;
    /* The try is counted by the statement that lets it in: of parallel ones no more than the limit come past it. */
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "UPDATE proof SET tries = tries + 1 WHERE id = $1 AND purpose = $2 AND used_us = 0 AND ends_us > $3"
                  " AND tries < $4 RETURNING id, account, purpose, kind, value, decoy, created_us, ends_us",
                  Q_ID(id), Q_NUMBER(purpose), Q_NUMBER(now_us), Q_NUMBER(PROOF_TRIES_MAX));
    if (err == KEER_EMISSING) {
        *ret_verdict = PROOF_OVER;
        return KEER_OK;
    }
    if (err != KEER_OK)
        return err;
    err = take(s, &p, &decoy);
    db_free(s);
    if (err != KEER_OK)
        return err;
    if (!right(key, id, digits) || decoy) {
        *ret_verdict = PROOF_WRONG;
        return KEER_OK;
    }
    err = QUERY_MET(db, "UPDATE proof SET used_us = $1 WHERE id = $2 AND used_us = 0 RETURNING id", Q_NUMBER(now_us),
                    Q_ID(id));
    if (err == KEER_OK)
        *ret_proof = p;
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_verdict = err == KEER_OK ? PROOF_RIGHT : PROOF_OVER;
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err proof_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count)
{
    struct db_stmt *s;
    int64_t count = 0;
    enum db_step step;
    enum keer_err err =
        QUERY_ROWS(db, &s, "DELETE FROM proof WHERE id IN (SELECT id FROM proof WHERE ends_us < $1 LIMIT $2) RETURNING id",
                   Q_NUMBER(before_us), Q_NUMBER(limit));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW)
        count++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = count;
    return KEER_OK;
}
