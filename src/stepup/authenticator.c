/* authenticator.c - the rows of authenticators. */
#include "stepup/authenticator.h"

#include "stepup/rows.h"

static const char *const kinds[AUTHENTICATOR_KIND_MAX] = {"passkey", "totp", "prompt", "recovery_code"};
static const char *const states[AUTHENTICATOR_STATE_MAX] = {"enrolling", "waiting", "active", "disabled", "removed"};
#define COLUMNS "id, account, kind, ref, name, state, was, created_us, state_us, used_us"

const char *authenticator_kind_name(enum authenticator_kind kind) { return kinds[kind]; }
const char *authenticator_state_name(enum authenticator_state state) { return states[state]; }

void stepup_id(char ret_id[STEPUP_ID_BYTES + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[16];
    unsigned bits = 0, held = 0;
    size_t n = 0;
    crypto_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        held = held << 8 | random[i];
        for (bits += 8; bits >= 6; bits -= 6)
            ret_id[n++] = letters[held >> (bits - 6) & 63];
    }
    ret_id[n++] = letters[held << (6 - bits) & 63]; /* 128 bits are 21 letters and 2 bits */
    ASSERT(n == STEPUP_ID_BYTES);
    ret_id[n] = '\0';
}

bool stepup_id_valid(struct slice id)
{
    if (id.len != STEPUP_ID_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = ascii_lower(id.p[i]);
        if (!((c >= 'a' && c <= 'z') || ascii_digit(c) || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static enum keer_err take(struct db_stmt *s, struct authenticator *a)
{
    int64_t kind = db_i64(s, 2), state = db_i64(s, 5), was = db_i64(s, 6);
    *a = (struct authenticator){.kind = (enum authenticator_kind)kind,
                                .state = (enum authenticator_state)state,
                                .before = (enum authenticator_state)was,
                                .created_us = db_i64(s, 7),
                                .state_us = db_i64(s, 8),
                                .used_us = db_i64(s, 9)};
    bool fits = row_copy(db_bytes(s, 0), a->id, sizeof a->id) && row_copy(db_bytes(s, 1), a->account, sizeof a->account) &&
                row_copy(db_bytes(s, 3), a->ref, sizeof a->ref) && row_copy(db_bytes(s, 4), a->name, sizeof a->name);
    return fits && kind >= 0 && kind < AUTHENTICATOR_KIND_MAX && state >= 0 && state < AUTHENTICATOR_STATE_MAX && was >= 0 &&
                   was < AUTHENTICATOR_STATE_MAX
               ? KEER_OK
               : KEER_EFORMAT;
}

/* The one row of a statement that was bound. */
static enum keer_err one(struct db_stmt *s, struct authenticator *ret)
{
    struct authenticator a;
    enum db_step step = db_step(s);
    enum keer_err err = step == DB_ROW ? take(s, &a) : step == DB_END ? KEER_EMISSING : KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret = a;
    return err;
}

static enum keer_err room(struct db *db, struct slice account)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT COUNT(*) FROM authenticator WHERE account = $1 AND state <> 4", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, account);
    enum db_step step = db_step(s);
    err = step != DB_ROW ? KEER_EIO : db_i64(s, 0) >= AUTHENTICATORS_MAX ? KEER_EFULL : KEER_OK;
    db_free(s);
    return err;
}

enum keer_err authenticator_add(struct db *db, struct authenticator *a)
{
    struct db_stmt *s;
    enum keer_err err = room(db, slice_str(a->account));
    if (err == KEER_OK)
        err = db_prepare(db,
                         "INSERT INTO authenticator (id, account, kind, ref, name, state, created_us, state_us)"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                         &s);
    if (err != KEER_OK)
        return err;
    if (!a->id[0])
        stepup_id(a->id);
    a->state_us = a->created_us;
    db_bind_text(s, 1, slice_str(a->id));
    db_bind_text(s, 2, slice_str(a->account));
    db_bind_i64(s, 3, a->kind);
    db_bind_text(s, 4, slice_str(a->ref));
    db_bind_text(s, 5, slice_str(a->name));
    db_bind_i64(s, 6, a->state);
    db_bind_i64(s, 7, a->created_us);
    return row_put(s);
}

enum keer_err authenticator_move(struct db *db, struct slice account, struct slice id, unsigned from,
                                 enum authenticator_state to, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "UPDATE authenticator SET state = $1, state_us = $2 WHERE id = $3 AND account = $4"
                                   " AND ((CAST(1 AS BIGINT) << CAST(state AS INTEGER)) & $5) <> 0 RETURNING id",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, to);
    db_bind_i64(s, 2, now_us);
    db_bind_text(s, 3, id);
    db_bind_text(s, 4, account);
    db_bind_i64(s, 5, from);
    return row_ended(s);
}

enum keer_err authenticator_remove(struct db *db, struct slice account, struct slice id, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "UPDATE authenticator SET was = state, state = 4, state_us = $1 WHERE id = $2"
                                   " AND account = $3 AND state <> 4 RETURNING id",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, id);
    db_bind_text(s, 3, account);
    return row_ended(s);
}

enum keer_err authenticator_restore(struct db *db, struct slice account, struct slice id, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "UPDATE authenticator SET state = was, state_us = $1 WHERE id = $2 AND account = $3"
                                   " AND state = 4 RETURNING id",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, id);
    db_bind_text(s, 3, account);
    return row_ended(s);
}

enum keer_err authenticator_rename(struct db *db, struct slice account, struct slice id, struct slice name)
{
    struct db_stmt *s;
    if (name.len > AUTHENTICATOR_NAME_BYTES)
        return KEER_ELIMIT;
    enum keer_err err = db_prepare(
        db, "UPDATE authenticator SET name = $1 WHERE id = $2 AND account = $3 AND state <> 4 RETURNING id", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, name);
    db_bind_text(s, 2, id);
    db_bind_text(s, 3, account);
    return row_ended(s);
}

enum keer_err authenticator_used(struct db *db, struct slice account, struct slice id, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(
        db, "UPDATE authenticator SET used_us = $1 WHERE id = $2 AND account = $3 AND state = 2 RETURNING id", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, id);
    db_bind_text(s, 3, account);
    return row_ended(s);
}

enum keer_err authenticator_get(struct db *db, struct slice account, struct slice id, struct authenticator *ret)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT " COLUMNS " FROM authenticator WHERE id = $1 AND account = $2", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, id);
    db_bind_text(s, 2, account);
    return one(s, ret);
}

enum keer_err authenticator_by_ref(struct db *db, struct slice account, enum authenticator_kind kind, struct slice ref,
                                   struct authenticator *ret)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "SELECT " COLUMNS " FROM authenticator WHERE account = $1 AND kind = $2 AND ref = $3"
                                   " AND state <> 4 ORDER BY created_us DESC, id LIMIT 1",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, account);
    db_bind_i64(s, 2, kind);
    db_bind_text(s, 3, ref);
    return one(s, ret);
}

enum keer_err authenticators_list(struct db *db, struct slice account, struct authenticator ret_rows[AUTHENTICATORS_MAX],
                                  unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = db_prepare(
        db, "SELECT " COLUMNS " FROM authenticator WHERE account = $1 AND state <> 4 ORDER BY created_us, id LIMIT 32", &s);
    static_assert(AUTHENTICATORS_MAX == 32, "the LIMIT above");
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, account);
    while (err == KEER_OK && n < AUTHENTICATORS_MAX && (step = db_step(s)) == DB_ROW)
        err = take(s, &ret_rows[n++]);
    db_free(s);
    if (err != KEER_OK)
        return err;
    if (step == DB_FAILED || step == DB_CONFLICT)
        return KEER_EIO;
    *ret_count = n;
    return KEER_OK;
}

enum keer_err authenticators_methods(struct db *db, struct slice account, unsigned *ret_kinds)
{
    struct db_stmt *s;
    unsigned kinds_there = 0;
    enum db_step step;
    enum keer_err err = db_prepare(db,
                                   "SELECT DISTINCT kind FROM authenticator a WHERE account = $1 AND state = 2 AND (kind <> 3"
                                   " OR EXISTS (SELECT 1 FROM recovery_code c WHERE c.authenticator = a.id AND c.used_us = 0))",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, account);
    while ((step = db_step(s)) == DB_ROW)
        if (db_i64(s, 0) >= 0 && db_i64(s, 0) < AUTHENTICATOR_KIND_MAX)
            kinds_there |= AUTHENTICATOR_BIT(db_i64(s, 0));
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_kinds = kinds_there;
    return KEER_OK;
}
