/* code.c - recovery codes. */
#include "stepup/code.h"

#include "store/query.h"

static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 that are not mistaken for each other */
static_assert(sizeof letters == 33 && CODE_LETTERS * 5 >= 112, "5 bits a letter, and enough of them for a plain hash");

/* Bound to the account: a code of one is none of another. */
static void hash_of(const struct id *account, const char code[CODE_LETTERS], struct crypto_hash *ret)
{
    crypto_sha256(SLICE("keersluis recovery code"), ret);
    crypto_sha256_add(ret, id_slice(account));
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

/* Sets of the account in the states of a mask are removed, but `but`. */
static enum keer_err remove_sets(struct db *db, const struct id *account, const struct id *but, unsigned states,
                                 int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE authenticator SET was = state, state = 4, state_us = $1 WHERE account = $2 AND kind = 3"
                    " AND id <> $3 AND ((CAST(1 AS BIGINT) << CAST(state AS INTEGER)) & $4) <> 0",
                    Q_NUMBER(now_us), Q_ID(account), Q_ID(but), Q_NUMBER(states));
}

enum keer_err code_make(struct db *db, const struct id *account, int64_t now_us, struct code_set *ret)
{
    struct authenticator a = {
        .account = *account, .kind = AUTHENTICATOR_RECOVERY_CODE, .state = AUTHENTICATOR_ENROLLING, .created_us = now_us};
    struct code_set set;
    struct id none = {0};
    enum keer_err err = remove_sets(db, account, &none, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING), now_us);
    if (err == KEER_OK)
        err = authenticator_add(db, &a);
    set.id = a.id;
    for (unsigned i = 0; err == KEER_OK && i < CODE_COUNT; i++) {
        struct crypto_hash hash;
        unsigned char random[CODE_LETTERS];
        char code[CODE_LETTERS];
        crypto_random(random, sizeof random);
        for (unsigned k = 0; k < CODE_LETTERS; k++)
            code[k] = letters[random[k] & 31];
        hash_of(account, code, &hash);
        print_code(code, set.code[i]);
        crypto_wipe(code, sizeof code);
        crypto_wipe(random, sizeof random);
        err = QUERY_DO(db, "INSERT INTO recovery_code (authenticator, hash) VALUES ($1, $2)", Q_ID(&a.id), Q_HASH(&hash));
    }
    if (err == KEER_OK)
        *ret = set;
    crypto_wipe(&set, sizeof set);
    return err;
}

enum keer_err code_activate(struct db *db, const struct id *account, const struct id *id, int64_t now_us)
{
    enum keer_err err = authenticator_move(
        db, account, id, AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING) | AUTHENTICATOR_BIT(AUTHENTICATOR_WAITING),
        AUTHENTICATOR_ACTIVE, now_us);
    if (err == KEER_OK)
        err = remove_sets(db, account, id,
                          AUTHENTICATOR_BIT(AUTHENTICATOR_ACTIVE) | AUTHENTICATOR_BIT(AUTHENTICATOR_DISABLED), now_us);
    return err;
}

enum keer_err code_left(struct db *db, const struct id *account, unsigned *ret_left)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT COUNT(*) FROM recovery_code c JOIN authenticator a ON a.id = c.authenticator"
                                  " WHERE a.account = $1 AND a.state = 2 AND c.used_us = 0",
                                  Q_ID(account));
    if (err != KEER_OK)
        return err;
    *ret_left = (unsigned)db_i64(s, 0);
    db_free(s);
    return KEER_OK;
}

enum keer_err code_take(struct db *db, const struct id *account, struct slice code, int64_t now_us, bool *ret_ok,
                        unsigned *ret_left)
{
    struct crypto_hash hash;
    char typed[CODE_LETTERS] = {0};
    unsigned left;
    enum keer_err err = KEER_EMISSING;
    if (read_code(code, typed)) {
        hash_of(account, typed, &hash);
        err = QUERY_MET(db,
                        "UPDATE recovery_code SET used_us = $1 WHERE hash = $2 AND used_us = 0 AND authenticator IN"
                        " (SELECT id FROM authenticator WHERE account = $3 AND kind = 3 AND state = 2) RETURNING used_us",
                        Q_NUMBER(now_us), Q_HASH(&hash), Q_ID(account));
    }
    crypto_wipe(typed, sizeof typed);
    bool ok = err == KEER_OK;
    if (ok || err == KEER_EMISSING)
        err = code_left(db, account, &left);
    if (err != KEER_OK)
        return err;
    *ret_ok = ok;
    *ret_left = left;
    return KEER_OK;
}
