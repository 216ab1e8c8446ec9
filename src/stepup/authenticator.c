/* authenticator.c - the rows of authenticators. */
#include "stepup/authenticator.h"

#include "store/query.h"

static const char *const kinds[AUTHENTICATOR_KIND_MAX] = {"passkey", "totp", "prompt", "recovery_code"};
static const char *const states[AUTHENTICATOR_STATE_MAX] = {"enrolling", "waiting", "active", "disabled", "removed"};
#define COLUMNS "id, account, kind, ref, name, state, was, created_us, state_us, used_us"
/* Numbers that stand in the SQL below and in the other files of this folder. */
static_assert(AUTHENTICATOR_TOTP == 1 && AUTHENTICATOR_RECOVERY_CODE == 3 && AUTHENTICATOR_ENROLLING == 0 &&
                  AUTHENTICATOR_ACTIVE == 2 && AUTHENTICATOR_DISABLED == 3 && AUTHENTICATOR_REMOVED == 4 &&
                  AUTHENTICATORS_MAX == 32,
              "see the statements");

const char *authenticator_kind_name(enum authenticator_kind kind) { return kinds[kind]; }
const char *authenticator_state_name(enum authenticator_state state) { return states[state]; }

static enum keer_err take(struct db_stmt *s, struct authenticator *ret)
{
    int64_t kind = db_i64(s, 2), state = db_i64(s, 5), was = db_i64(s, 6);
    if (kind < 0 || kind >= AUTHENTICATOR_KIND_MAX || state < 0 || state >= AUTHENTICATOR_STATE_MAX || was < 0 ||
        was >= AUTHENTICATOR_STATE_MAX)
        return KEER_EFORMAT;
    struct authenticator a = {.kind = (enum authenticator_kind)kind,
                              .state = (enum authenticator_state)state,
                              .before = (enum authenticator_state)was,
                              .created_us = db_i64(s, 7),
                              .state_us = db_i64(s, 8),
                              .used_us = db_i64(s, 9)};
    enum keer_err err = query_id(s, 0, &a.id);
    if (err == KEER_OK)
        err = query_id(s, 1, &a.account);
    if (err == KEER_OK)
        err = query_id(s, 3, &a.ref);
    if (err == KEER_OK)
        err = query_text(s, 4, a.name, sizeof a.name);
    if (err == KEER_OK)
        *ret = a;
    return err;
}

enum keer_err authenticator_add(struct db *db, struct authenticator *a)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT COUNT(*) FROM authenticator WHERE account = $1 AND state <> 4", Q_ID(&a->account));
    if (err != KEER_OK)
        return err;
    bool full = db_i64(s, 0) >= AUTHENTICATORS_MAX;
    db_free(s);
    if (full)
        return KEER_EFULL;
    if (!id_is(&a->id))
        id_make(&a->id);
    a->state_us = a->created_us;
    return QUERY_DO(db,
                    "INSERT INTO authenticator (id, account, kind, ref, name, state, created_us, state_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                    Q_ID(&a->id), Q_ID(&a->account), Q_NUMBER(a->kind), Q_ID(&a->ref), Q_STR(a->name), Q_NUMBER(a->state),
                    Q_NUMBER(a->created_us));
}

enum keer_err authenticator_move(struct db *db, const struct id *account, const struct id *id, unsigned from,
                                 enum authenticator_state to, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE authenticator SET state = $1, state_us = $2 WHERE id = $3 AND account = $4"
                     " AND ((CAST(1 AS BIGINT) << CAST(state AS INTEGER)) & $5) <> 0 RETURNING id",
                     Q_NUMBER(to), Q_NUMBER(now_us), Q_ID(id), Q_ID(account), Q_NUMBER(from));
}

enum keer_err authenticator_remove(struct db *db, const struct id *account, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE authenticator SET was = state, state = 4, state_us = $1 WHERE id = $2 AND account = $3"
                     " AND state <> 4 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id), Q_ID(account));
}

enum keer_err authenticator_restore(struct db *db, const struct id *account, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE authenticator SET state = was, state_us = $1 WHERE id = $2 AND account = $3 AND state = 4"
                     " RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id), Q_ID(account));
}

enum keer_err authenticator_rename(struct db *db, const struct id *account, const struct id *id, struct slice name)
{
    if (name.len > AUTHENTICATOR_NAME_BYTES)
        return KEER_ELIMIT;
    return QUERY_MET(db, "UPDATE authenticator SET name = $1 WHERE id = $2 AND account = $3 AND state <> 4 RETURNING id",
                     Q_TEXT(name), Q_ID(id), Q_ID(account));
}

enum keer_err authenticator_used(struct db *db, const struct id *account, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE authenticator SET used_us = $1 WHERE id = $2 AND account = $3 AND state = 2 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id), Q_ID(account));
}

enum keer_err authenticator_get(struct db *db, const struct id *account, const struct id *id, struct authenticator *ret)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM authenticator WHERE id = $1 AND account = $2", Q_ID(id), Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

enum keer_err authenticator_by_ref(struct db *db, const struct id *account, enum authenticator_kind kind,
                                   const struct id *ref, struct authenticator *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT " COLUMNS " FROM authenticator WHERE account = $1 AND kind = $2 AND ref = $3"
                                  " AND state <> 4 ORDER BY created_us DESC, id LIMIT 1",
                                  Q_ID(account), Q_NUMBER(kind), Q_ID(ref));
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

enum keer_err authenticators_list(struct db *db, const struct id *account, struct authenticator ret_rows[AUTHENTICATORS_MAX],
                                  unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM authenticator WHERE account = $1 AND state <> 4"
                                   " ORDER BY created_us, id LIMIT 32",
                                   Q_ID(account));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < AUTHENTICATORS_MAX && (step = db_step(s)) == DB_ROW)
        err = take(s, &ret_rows[n++]);
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

enum keer_err authenticators_methods(struct db *db, const struct id *account, unsigned *ret_kinds)
{
    struct db_stmt *s;
    unsigned there = 0;
    enum db_step step;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT DISTINCT kind FROM authenticator a WHERE account = $1 AND state = 2 AND (kind <> 3"
                   " OR EXISTS (SELECT 1 FROM recovery_code c WHERE c.authenticator = a.id AND c.used_us = 0))",
                   Q_ID(account));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW)
        if (db_i64(s, 0) >= 0 && db_i64(s, 0) < AUTHENTICATOR_KIND_MAX)
            there |= AUTHENTICATOR_BIT(db_i64(s, 0));
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_kinds = there;
    return KEER_OK;
}

enum keer_err authenticators_bound(struct db *db, const struct id *account, bool *ret_bound)
{
    enum keer_err err =
        QUERY_MET(db, "SELECT id FROM authenticator WHERE account = $1 AND state IN (2, 3) LIMIT 1", Q_ID(account));
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_bound = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}
