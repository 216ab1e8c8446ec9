/* policies.c - versions of policies. */
#include "store/policies.h"

static const char *const actions[] = {
    [POLICY_DEPLOYED] = "deployed", [POLICY_PROMOTED] = "promoted", [POLICY_ROLLED_BACK] = "rolled back"};
static_assert(ARRAY_LEN(actions) == POLICY_ACTION_MAX, "a word for each");

const char *policy_action_name(enum policy_action a) { return actions[a]; }

static struct slice hash_bytes_of(const struct crypto_hash *h) { return slice_of((const char *)h->bytes, sizeof h->bytes); }

/* Ends a statement that gives no row. */
static enum keer_err finished(struct db_stmt *s)
{
    enum db_step step = db_step(s);
    db_free(s);
    return step == DB_END ? KEER_OK : step == DB_CONFLICT ? KEER_ECONFLICT : KEER_EIO;
}

enum keer_err policies_number(struct db *db, const struct crypto_hash *hash, int64_t *ret_number)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT number FROM policy WHERE hash = $1", &s);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(s, 1, hash_bytes_of(hash));
    enum db_step step = db_step(s);
    if (step != DB_FAILED)
        *ret_number = step == DB_ROW ? db_i64(s, 0) : 0;
    db_free(s);
    return step != DB_FAILED ? KEER_OK : KEER_EIO;
}

static enum keer_err add_version(struct db *db, const struct crypto_hash *hash, struct slice name, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "INSERT INTO policy (number, hash, name, since_us) SELECT COALESCE(MAX(number), 0) + 1, "
                                   "$1, $2, $3 FROM policy",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(s, 1, hash_bytes_of(hash));
    db_bind_text(s, 2, name);
    db_bind_i64(s, 3, now_us);
    return finished(s);
}

static enum keer_err add_part(struct db *db, int64_t number, unsigned position, const struct policy_part *part)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "INSERT INTO policy_file (policy, position, name, content) VALUES ($1, $2, $3, $4) ON "
                                   "CONFLICT (policy, position) DO NOTHING",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, number);
    db_bind_i64(s, 2, position);
    db_bind_text(s, 3, part->name);
    db_bind_bytes(s, 4, part->content);
    return finished(s);
}

enum keer_err policies_put(struct db *db, const struct crypto_hash *hash, struct slice name, const struct policy_part *parts,
                           unsigned count, int64_t now_us, int64_t *ret_number)
{
    int64_t number = 0;
    enum keer_err err = policies_number(db, hash, &number);
    if (err == KEER_OK && !number) {
        err = add_version(db, hash, name, now_us);
        if (err == KEER_OK)
            err = policies_number(db, hash, &number);
    }
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        err = add_part(db, number, i, &parts[i]);
    if (err == KEER_OK)
        *ret_number = number;
    return err;
}

static enum keer_err row_of(struct db_stmt *s, struct policy_row *ret_row)
{
    struct slice hash = db_bytes(s, 1), name = db_bytes(s, 2);
    *ret_row = (struct policy_row){.number = db_i64(s, 0), .since_us = db_i64(s, 3)};
    if (hash.len != sizeof ret_row->hash.bytes)
        return KEER_EFORMAT;
    memcpy(ret_row->hash.bytes, hash.p, hash.len);
    if (name.len)
        memcpy(ret_row->name, name.p, MIN_OF(name.len, sizeof ret_row->name - 1));
    return KEER_OK;
}

enum keer_err policies_get(struct db *db, int64_t number, struct policy_row *ret_row)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT number, hash, name, since_us FROM policy WHERE number = $1", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, number);
    enum db_step step = db_step(s);
    err = step == DB_ROW ? row_of(s, ret_row) : step == DB_END ? KEER_EMISSING : KEER_EIO;
    db_free(s);
    return err;
}

enum keer_err policies_parts(struct db *db, int64_t number, policies_part_fn *each, void *ctx)
{
    struct db_stmt *s;
    enum db_step step = DB_END;
    enum keer_err err = db_prepare(db, "SELECT name, content FROM policy_file WHERE policy = $1 ORDER BY position", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, number);
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        struct policy_part part = {db_bytes(s, 0), db_bytes(s, 1)};
        err = each(ctx, &part);
    }
    db_free(s);
    return err == KEER_OK && step != DB_END ? KEER_EIO : err;
}

enum keer_err policies_each(struct db *db, policies_row_fn *each, void *ctx)
{
    struct db_stmt *s;
    struct policy_row row;
    enum db_step step = DB_END;
    enum keer_err err = db_prepare(db, "SELECT number, hash, name, since_us FROM policy ORDER BY number DESC", &s);
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        err = row_of(s, &row);
        if (err == KEER_OK)
            err = each(ctx, &row);
    }
    db_free(s);
    return err == KEER_OK && step != DB_END ? KEER_EIO : err;
}

enum keer_err policies_turn(struct db *db, const struct policy_turn *turn)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "INSERT INTO policy_log (number, policy, action, after_seq, who, at_us) SELECT "
                                   "COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM policy_log",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, turn->policy);
    db_bind_text(s, 2, slice_str(actions[turn->action]));
    db_bind_i64(s, 3, turn->after_seq);
    db_bind_text(s, 4, slice_str(turn->who));
    db_bind_i64(s, 5, turn->at_us);
    return finished(s);
}

static enum keer_err turn_of(struct db_stmt *s, struct policy_turn *ret_turn)
{
    struct slice action = db_bytes(s, 1), who = db_bytes(s, 3);
    struct policy_turn t = {
        .policy = db_i64(s, 0), .action = POLICY_ACTION_MAX, .after_seq = db_i64(s, 2), .at_us = db_i64(s, 4)};
    for (unsigned i = 0; i < POLICY_ACTION_MAX; i++)
        if (slice_eq(action, slice_str(actions[i])))
            t.action = (enum policy_action)i;
    if (who.len)
        memcpy(t.who, who.p, MIN_OF(who.len, sizeof t.who - 1));
    *ret_turn = t;
    return t.action == POLICY_ACTION_MAX ? KEER_EFORMAT : KEER_OK;
}

#define TURNS "SELECT policy, action, after_seq, who, at_us FROM policy_log "

static enum keer_err one_turn(struct db_stmt *s, struct policy_turn *ret_turn)
{
    enum db_step step = db_step(s);
    enum keer_err err = step == DB_ROW ? turn_of(s, ret_turn) : step == DB_END ? KEER_EMISSING : KEER_EIO;
    db_free(s);
    return err;
}

enum keer_err policies_newest(struct db *db, enum policy_action action, struct policy_turn *ret_turn)
{
    struct db_stmt *s;
    bool any = action == POLICY_ACTION_MAX;
    enum keer_err err = db_prepare(
        db, any ? TURNS "ORDER BY number DESC LIMIT 1" : TURNS "WHERE action = $1 ORDER BY number DESC LIMIT 1", &s);
    if (err == KEER_OK && !any)
        db_bind_text(s, 1, slice_str(actions[action]));
    return err == KEER_OK ? one_turn(s, ret_turn) : err;
}

enum keer_err policies_before(struct db *db, int64_t number, struct policy_turn *ret_turn)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, TURNS "WHERE policy <> $1 ORDER BY number DESC LIMIT 1", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, number);
    return one_turn(s, ret_turn);
}

enum keer_err shadow_add(struct db *db, int64_t policy, int64_t seq, struct slice decision)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(
        db, "INSERT INTO shadow (policy, seq, decision) VALUES ($1, $2, $3) ON CONFLICT (policy, seq) DO NOTHING", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, policy);
    db_bind_i64(s, 2, seq);
    db_bind_bytes(s, 3, decision);
    return finished(s);
}

enum keer_err shadow_get(struct db *db, int64_t policy, int64_t seq, struct buf *out)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT decision FROM shadow WHERE policy = $1 AND seq = $2", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, policy);
    db_bind_i64(s, 2, seq);
    enum db_step step = db_step(s);
    if (step == DB_ROW)
        buf_slice(out, db_bytes(s, 0));
    db_free(s);
    return step == DB_ROW ? out->err : step == DB_END ? KEER_EMISSING : KEER_EIO;
}
