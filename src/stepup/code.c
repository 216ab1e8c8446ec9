/* code.c - recovery codes. */
#include "stepup/code.h"

#include "stepup/rows.h"

static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 that are not mistaken for each other */
static_assert(sizeof letters == 33 && CODE_LETTERS * 5 >= 112, "5 bits a letter, and enough of them for a plain hash");

/* Bound to the account: a code of one is none of another. */
static void hash_of(struct slice account, const char code[CODE_LETTERS], struct crypto_hash *ret)
{
    crypto_sha256(SLICE("keersluis recovery code"), ret);
    crypto_sha256_add(ret, account);
    crypto_sha256_add(ret, slice_of(code, CODE_LETTERS));
}

static void print_code(const char code[CODE_LETTERS], char ret_text[CODE_TEXT_BYTES])
{
    size_t n = 0;
    for (unsigned i = 0; i < CODE_LETTERS; i++) {
        if (i && i % 4 == 0)
            ret_text[n++] = '-';
        ret_text[n++] = code[i];
    }
    ret_text[n] = '\0';
}

/* What was typed without hyphens and spaces, in lower case; false when it can be no code. */
static bool read_code(struct slice typed, char ret_code[CODE_LETTERS])
{
    size_t n = 0;
    for (size_t i = 0; i < typed.len; i++) {
        char c = ascii_lower(typed.p[i]);
        if (c == '-' || ascii_space(c))
            continue;
        if (n == CODE_LETTERS || !c || !strchr(letters, c))
            return false;
        ret_code[n++] = c;
    }
    return n == CODE_LETTERS;
}

static enum keer_err put(struct db *db, const char *id, const struct crypto_hash *hash)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "INSERT INTO recovery_code (authenticator, hash) VALUES ($1, $2)", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(id));
    db_bind_bytes(s, 2, slice_of((const char *)hash->bytes, sizeof hash->bytes));
    return row_put(s);
}

/* Sets of the account in some states are removed, but one. */
static enum keer_err remove_sets(struct db *db, struct slice account, struct slice but, unsigned states, int64_t now_us)
{
    struct db_stmt *s;
    int64_t n;
    enum keer_err err = db_prepare(db,
                                   "UPDATE authenticator SET was = state, state = 4, state_us = $1 WHERE account = $2"
                                   " AND kind = 3 AND id <> $3 AND ((CAST(1 AS BIGINT) << CAST(state AS INTEGER)) & $4) <> 0"
                                   " RETURNING id",
                                   &s);
    static_assert(AUTHENTICATOR_RECOVERY_CODE == 3 && AUTHENTICATOR_REMOVED == 4, "the numbers above");
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, account);
    db_bind_text(s, 3, but);
    db_bind_i64(s, 4, states);
    return rows_ended(s, &n);
}

enum keer_err code_make(struct db *db, struct slice account, int64_t now_us, struct code_set *ret)
{
    struct authenticator a = {.kind = AUTHENTICATOR_RECOVERY_CODE, .state = AUTHENTICATOR_ENROLLING, .created_us = now_us};
    struct code_set set;
    struct crypto_hash hash;
    if (!row_copy(account, a.account, sizeof a.account))
        return KEER_ELIMIT;
    enum keer_err err =
        remove_sets(db, account, SLICE(""), AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), now_us);
    if (err == KEER_OK)
        err = authenticator_add(db, &a);
    memcpy(set.id, a.id, sizeof set.id);
    for (unsigned i = 0; err == KEER_OK && i < CODE_COUNT; i++) {
        unsigned char random[CODE_LETTERS];
        char code[CODE_LETTERS];
        crypto_random(random, sizeof random);
        for (unsigned k = 0; k < CODE_LETTERS; k++)
            code[k] = letters[random[k] & 31];
        hash_of(account, code, &hash);
        print_code(code, set.code[i]);
        crypto_wipe(code, sizeof code);
        crypto_wipe(random, sizeof random);
        err = put(db, a.id, &hash);
    }
    if (err == KEER_OK)
        *ret = set;
    crypto_wipe(&set, sizeof set);
    return err;
}

enum keer_err code_activate(struct db *db, struct slice account, struct slice id, int64_t now_us)
{
    enum keer_err err = authenticator_move(
        db, account, id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING) | AUTHENTICATOR_BIT(AUTHENTICATOR_WAITING),
        AUTHENTICATOR_ACTIVE, now_us);
    if (err == KEER_OK)
        err = remove_sets(db, account, id,
                          AUTHENTICATOR_BIT(AUTHENTICATOR_ACTIVE) | AUTHENTICATOR_BIT(AUTHENTICATOR_DISABLED), now_us);
    return err;
}

enum keer_err code_left(struct db *db, struct slice account, unsigned *ret_left)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "SELECT COUNT(*) FROM recovery_code c JOIN authenticator a ON a.id = c.authenticator"
                                   " WHERE a.account = $1 AND a.state = 2 AND c.used_us = 0",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, account);
    enum db_step step = db_step(s);
    if (step == DB_ROW)
        *ret_left = (unsigned)db_i64(s, 0);
    db_free(s);
    return step == DB_ROW ? KEER_OK : KEER_EIO;
}

enum keer_err code_take(struct db *db, struct slice account, struct slice code, int64_t now_us, bool *ret_ok,
                        unsigned *ret_left)
{
    struct db_stmt *s;
    struct crypto_hash hash;
    char letters_typed[CODE_LETTERS] = {0};
    bool well = read_code(code, letters_typed);
    enum keer_err err = db_prepare(db,
                                   "UPDATE recovery_code SET used_us = $1 WHERE hash = $2 AND used_us = 0 AND authenticator IN"
                                   " (SELECT id FROM authenticator WHERE account = $3 AND kind = 3 AND state = 2)"
                                   " RETURNING authenticator",
                                   &s);
    if (err != KEER_OK)
        return err;
    hash_of(account, letters_typed, &hash);
    crypto_wipe(letters_typed, sizeof letters_typed);
    db_bind_i64(s, 1, now_us);
    db_bind_bytes(s, 2, slice_of((const char *)hash.bytes, sizeof hash.bytes));
    db_bind_text(s, 3, account);
    err = row_ended(s);
    bool ok = err == KEER_OK && well;
    if (err == KEER_EMISSING)
        err = KEER_OK;
    if (err == KEER_OK)
        err = code_left(db, account, ret_left);
    if (err == KEER_OK)
        *ret_ok = ok;
    return err;
}
